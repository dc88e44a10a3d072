import { closeSync, openSync, writeSync } from "node:fs";
import { internetChecksum, seededRandom } from "./generate.ts";

/** Seeded captures of adverts, with takeovers and split-brains put in, and the truth about them. */

export interface AdvertsOptions {
  readonly adverts: number;
  readonly seed: number;
  readonly linkType?: "ethernet" | "sll2";
  /** Virtual routers, up to 255. Half speak version 2, a quarter of the others IPv6. */
  readonly routers?: number;
  /** Chance of an incident in one second of one router. */
  readonly incidents?: number;
}

/** Who took over when; microseconds since the epoch. */
export interface TrueChange {
  readonly ts: number;
  readonly vrid: number;
  readonly from: string;
  readonly to: string;
}
export interface TrueOverlap {
  readonly vrid: number;
  /** The second master's first advert, and the last of the one that stopped first. */
  readonly from: number;
  readonly to: number;
  readonly nodes: readonly [string, string];
}
export interface Truth {
  readonly adverts: number;
  readonly bytes: number;
  readonly changes: readonly TrueChange[];
  readonly overlaps: readonly TrueOverlap[];
}

const START_S = 1_772_704_800;
const NODES = 3;
const JITTER_US = 800;
const LINK_BYTES = { ethernet: 14, sll2: 20 } as const;

/** A second of an incident: which nodes send an advert, and with which priority, 0 to resign. */
type Second = readonly { readonly node: number; readonly resigns?: boolean }[];

interface Group {
  readonly vrid: number;
  readonly version: 2 | 3;
  readonly ipv6: boolean;
  readonly frames: readonly (readonly [regular: Buffer, resigning: Buffer])[];
  readonly phases: readonly number[];
  master: number;
  ipId: number;
  script: Second[];
  /** No incident before this second. */
  quietUntil: number;
  change?: { from: number; to: number };
  overlap?: { from: number; old: number; young: number; lasts: number[] };
}

/** Writes a capture, and returns what happens in it. */
export function writeAdverts(path: string, options: AdvertsOptions): Truth {
  const { adverts, seed, linkType = "ethernet", routers = 64, incidents = 4e-5 } = options;
  const random = seededRandom(seed);
  const groups = Array.from({ length: routers }, (_, at) => groupOf(at, routers, linkType, random));
  const changes: TrueChange[] = [];
  const overlaps: TrueOverlap[] = [];
  const out = new PcapFile(path, linkType);
  let written = 0;
  for (let second = 0; written < adverts; second++) {
    const sent: [us: number, group: Group, node: number, resigns: boolean][] = [];
    for (const group of groups) {
      if (group.script.length === 0 && second >= group.quietUntil && random() < incidents) plan(group, second, random);
      for (const { node, resigns = false } of group.script.shift() ?? [{ node: group.master }])
        sent.push([second * 1e6 + Math.floor((group.phases[node] ?? 0) + random() * JITTER_US), group, node, resigns]);
    }
    sent.sort((a, b) => a[0] - b[0]);
    for (const [us, group, node, resigns] of sent) {
      if (written === adverts) break;
      const frame = group.frames[node]?.[resigns ? 1 : 0];
      if (frame) out.add(us, numbered(frame, group, linkType));
      written += 1;
      note(group, node, START_S * 1e6 + us, resigns, { changes, overlaps });
    }
  }
  for (const group of groups) closeOverlap(group, overlaps);
  return { adverts: written, bytes: out.close(), changes, overlaps };
}

/** One of: an orderly hand-over, a death, a preemption, a preemption that the old master hears of late, a split-brain. */
function plan(group: Group, second: number, random: () => number): void {
  const old = group.master;
  const young = (old + 1) % NODES;
  const [a, b] = [{ node: old }, { node: young }];
  const split = 3 + Math.floor(random() * 18);
  const heals = random() < 0.5;
  const scripts: readonly Second[][] = [
    [[{ node: old, resigns: true }], [b]],
    [[], [], [], [], [b]],
    [[b]],
    [[a, b], [b]],
    [...Array.from({ length: split }, () => [a, b]), [heals ? a : b]],
  ];
  const which = Math.floor(random() * scripts.length);
  group.script = [...(scripts[which] ?? [])];
  group.change = { from: old, to: young };
  if (which === 4) group.overlap = { from: 0, old, young, lasts: [] };
  group.master = which === 4 && heals ? old : young;
  group.quietUntil = second + group.script.length + 8;
}

function note(
  group: Group,
  node: number,
  ts: number,
  resigns: boolean,
  truth: { changes: TrueChange[]; overlaps: TrueOverlap[] },
): void {
  const { change, overlap, vrid } = group;
  if (overlap) {
    if (node === overlap.young && overlap.from === 0) overlap.from = ts;
    overlap.lasts[node] = ts;
  }
  if (change && node === change.to && !resigns) {
    truth.changes.push({ ts, vrid, from: addressOf(group, change.from), to: addressOf(group, change.to) });
    delete group.change;
  }
  if (overlap && group.script.length === 0) closeOverlap(group, truth.overlaps);
}

function closeOverlap(group: Group, overlaps: TrueOverlap[]): void {
  const { overlap, vrid } = group;
  delete group.overlap;
  if (!overlap) return;
  const to = Math.min(overlap.lasts[overlap.old] ?? 0, overlap.lasts[overlap.young] ?? 0);
  if (overlap.from === 0 || to - overlap.from <= 1.5e6) return;
  overlaps.push({
    vrid,
    from: overlap.from,
    to,
    nodes: [addressOf(group, overlap.old), addressOf(group, overlap.young)],
  });
}

const addressOf = ({ ipv6 }: Pick<Group, "ipv6">, node: number): string =>
  ipv6 ? `fe80::5054:ff:fe02:${10 + node}` : `10.20.2.${10 + node}`;

function groupOf(at: number, all: number, linkType: "ethernet" | "sll2", random: () => number): Group {
  const version = at < all / 2 ? 2 : 3;
  const ipv6 = version === 3 && at >= all - all / 8;
  const vrid = at + 1;
  const vips = 1 + (at % 3);
  const frames = Array.from({ length: NODES }, (_, node) => {
    const priority = 150 - 10 * node;
    const make = (prio: number) => frameOf({ version, ipv6, vrid, vips, node, priority: prio }, linkType);
    return [make(priority), make(0)] as const;
  });
  const phases = Array.from({ length: NODES }, () => random() * 750_000);
  return { vrid, version, ipv6, frames, phases, master: at % NODES, ipId: at, script: [], quietUntil: 10 };
}

function frameOf(
  {
    version,
    ipv6,
    vrid,
    vips,
    node,
    priority,
  }: { version: 2 | 3; ipv6: boolean; vrid: number; vips: number; node: number; priority: number },
  linkType: "ethernet" | "sll2",
): Buffer {
  const addressBytes = ipv6 ? 16 : 4;
  const pdu = Buffer.alloc(8 + vips * addressBytes + (version === 2 ? 8 : 0));
  pdu.set([version * 16 + 1, vrid, priority, vips, 0, version === 2 ? 1 : 100]);
  for (let i = 0; i < vips; i++)
    pdu.set(
      ipv6 ? Buffer.from(`20010db800020000000000000000${hex(i)}${hex(vrid)}`, "hex") : [10, 20, 200 + i, vrid],
      8 + i * addressBytes,
    );
  const source = ipv6
    ? Buffer.from(`fe80000000000000505400fffe02001${node}`, "hex")
    : Buffer.from([10, 20, 2, 10 + node]);
  const destination = ipv6 ? Buffer.from("ff020000000000000000000000000012", "hex") : Buffer.from([224, 0, 0, 18]);
  const pseudo = Buffer.concat([source, destination, Buffer.from([0, 112, 0, pdu.length])]);
  pdu.writeUInt16BE(internetChecksum(version === 2 ? pdu : Buffer.concat([pseudo, pdu])), 6);
  const ip = ipv6
    ? Buffer.concat([Buffer.from([0x60, 0, 0, 0, 0, pdu.length, 112, 255]), source, destination])
    : Buffer.concat([Buffer.from([0x45, 0xc0, 0, 20 + pdu.length, 0, 0, 0, 0, 255, 112, 0, 0]), source, destination]);
  const frame = Buffer.concat([linkHeader(linkType, ipv6, vrid), ip, pdu]);
  return linkType === "ethernet" && frame.length < 60 ? Buffer.concat([frame, Buffer.alloc(60 - frame.length)]) : frame;
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0");

function linkHeader(linkType: "ethernet" | "sll2", ipv6: boolean, vrid: number): Buffer {
  const mac = `00005e000${ipv6 ? 2 : 1}${hex(vrid)}`;
  const type = ipv6 ? "86dd" : "0800";
  if (linkType === "sll2") return Buffer.from(`${type}00000000000200010206${mac}0000`, "hex");
  return Buffer.from(`${ipv6 ? "333300000012" : "01005e000012"}${mac}${type}`, "hex");
}

/** keepalived counts its IPv4 packets. */
function numbered(frame: Buffer, group: Group, linkType: "ethernet" | "sll2"): Buffer {
  if (group.ipv6) return frame;
  const ip = LINK_BYTES[linkType];
  group.ipId = (group.ipId + 1) & 0xffff;
  frame.writeUInt16BE(group.ipId, ip + 4);
  frame.writeUInt16BE(0, ip + 10);
  frame.writeUInt16BE(internetChecksum(frame.subarray(ip, ip + 20)), ip + 10);
  return frame;
}

/** A little-endian pcap with microseconds. */
class PcapFile {
  private readonly file: number;
  private readonly buffer = Buffer.alloc(4 << 20);
  private used = 0;
  private bytes = 0;

  constructor(path: string, linkType: "ethernet" | "sll2") {
    this.file = openSync(path, "w");
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262_144, 16);
    header.writeUInt32LE(linkType === "sll2" ? 276 : 1, 20);
    this.used = header.copy(this.buffer);
  }

  add(us: number, frame: Buffer): void {
    if (this.used + 16 + frame.length > this.buffer.length) this.flush();
    const { buffer, used } = this;
    buffer.writeUInt32LE(START_S + Math.floor(us / 1e6), used);
    buffer.writeUInt32LE(us % 1e6, used + 4);
    buffer.writeUInt32LE(frame.length, used + 8);
    buffer.writeUInt32LE(frame.length, used + 12);
    frame.copy(buffer, used + 16);
    this.used += 16 + frame.length;
  }

  close(): number {
    this.flush();
    closeSync(this.file);
    return this.bytes;
  }

  private flush(): void {
    writeSync(this.file, this.buffer, 0, this.used);
    this.bytes += this.used;
    this.used = 0;
  }
}
