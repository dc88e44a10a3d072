import { PROTOCOL_VRRP } from "../vrrp/checksum.ts";
import type { Packet } from "./reader.ts";

/** A frame as the capture has it. */
export type FrameBytes = Pick<Packet, "linkType" | "bytes" | "from" | "to">;

/** Bytes of frames remembered at once, twice over: some 2,000 senders of a few addresses each. */
const BYTES_MAX = 131_072;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** Version 4 and a header without options. */
const IPV4_PLAIN = 0x45;
/** Where an IPv4 header has the packet's identification, and its checksum. Two bytes each. */
export const IPV4_IDENTIFICATION = 4;
export const IPV4_CHECKSUM = 10;
const NONE = -1;

/**
 * Where the IP packet begins in a frame that is plainly VRRP over IP, as its sender sends it again and again; -1 for all else:
 * in an authentication header nothing repeats.
 */
export function ipOfRepeating({ linkType, bytes, from, to }: FrameBytes): number {
  // By LINKTYPE_ value: where the IP packet begins, and before that the type of what is carried.
  let type = from;
  let ip = from;
  if (linkType === 276) ip += 20;
  else if (linkType === 1) type = (ip += 14) - 2;
  else if (linkType === 113) type = (ip += 16) - 2;
  else return NONE;
  if (to < ip + 20) return NONE;
  const etherType = bytes.readUInt16BE(type);
  if (etherType === ETHERTYPE_IPV4) return bytes[ip] === IPV4_PLAIN && bytes[ip + 9] === PROTOCOL_VRRP ? ip : NONE;
  // A frame that calls itself both is neither.
  return etherType === ETHERTYPE_IPV6 && (bytes[ip] ?? 0) >> 4 === 6 && bytes[ip + 6] === PROTOCOL_VRRP ? ip : NONE;
}

/**
 * Whether a byte is the same each time: all are but the identification of an IPv4 packet, which counts up, and the header's
 * checksum, which is over it and which nobody here looks at.
 * @param at  counted from the beginning of the IP packet
 */
const repeats = (at: number, isIpv4: boolean): boolean =>
  !isIpv4 || at < IPV4_IDENTIFICATION || at > IPV4_CHECKSUM + 1 || (at > IPV4_IDENTIFICATION + 1 && at < IPV4_CHECKSUM);

/** FNV-1a of the bytes that repeat. */
function hashOf({ bytes, from, to }: FrameBytes, ip: number): number {
  const isIpv4 = bytes[ip] === IPV4_PLAIN;
  let hash = 0x811c9dc5 | 0;
  for (let at = from; at < to; at += 1)
    if (repeats(at - ip, isIpv4)) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash;
}

interface Entry<T> {
  readonly linkType: number;
  readonly frame: Uint8Array;
  readonly value: T;
}

/**
 * What was made of frames, by the bytes that repeat. Holds so many bytes of them and no more: of two generations the older
 * one is forgotten, so that whoever sends ever new frames does not crowd out those that do repeat. In memory alone: the
 * bytes may hold a password.
 */
export class Repeats<T> {
  /** By hash: of two frames with one hash the newer is remembered. */
  private young = new Map<number, Entry<T>>();
  private old = new Map<number, Entry<T>>();
  private bytes = 0;
  private readonly bytesMax: number;

  constructor(bytesMax = BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  /** @returns undefined for all that does not repeat too */
  get(frame: FrameBytes): T | undefined {
    const ip = ipOfRepeating(frame);
    if (ip === NONE) return undefined;
    const hash = hashOf(frame, ip);
    const known = this.young.get(hash);
    if (known !== undefined && isSame(known, frame, ip)) return known.value;
    const older = this.old.get(hash);
    if (older === undefined || !isSame(older, frame, ip)) return undefined;
    this.keep(hash, older);
    return older.value;
  }

  /** What does not repeat is not remembered. */
  set(frame: FrameBytes, value: T): void {
    const ip = ipOfRepeating(frame);
    if (ip === NONE) return;
    const { linkType, bytes, from, to } = frame;
    this.keep(hashOf(frame, ip), { linkType, frame: Uint8Array.prototype.slice.call(bytes, from, to), value });
  }

  private keep(hash: number, entry: Entry<T>): void {
    this.bytes += entry.frame.length - (this.young.get(hash)?.frame.length ?? 0);
    this.young.set(hash, entry);
    if (this.bytes <= this.bytesMax) return;
    this.old = this.young;
    this.young = new Map();
    this.bytes = 0;
  }

  /** Frames remembered. */
  get size(): number {
    return this.young.size + this.old.size;
  }
}

function isSame(
  { linkType, frame }: Entry<unknown>,
  { linkType: other, bytes, from, to }: FrameBytes,
  ip: number,
): boolean {
  if (linkType !== other || frame.length !== to - from) return false;
  const isIpv4 = bytes[ip] === IPV4_PLAIN;
  for (let at = from; at < to; at += 1) if (frame[at - from] !== bytes[at] && repeats(at - ip, isIpv4)) return false;
  return true;
}
