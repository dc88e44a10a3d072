/**
 * `npm run bench -- wire [--adverts N] [--rounds N] [--callgrind]`: `keepwatch pcap`, which decodes every advert with its
 * checksum and counts it by sender, beside what else reads captures; then how much of what was put into a capture it
 * finds. Ratios of CPU, each pair in turn in one run; below 1 is less than the peer.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type AdvertsOptions, type Truth, writeAdverts } from "./adverts.ts";
import { costOf, instructionsOf, isInstalled, median, numberOf, paired, print, ratioOf, verdictOf } from "./shared.ts";

const MAIN = new URL("../../server/main.js", import.meta.url).pathname;
const PEERS = new URL("../../../test/bench/peers/", import.meta.url).pathname;
const SEED = 7;
/** A change or an overlap is the one that was put in when it is this close, microseconds. */
const MATCH_US = 1;

export async function benchWire(dir: string, args: readonly string[]): Promise<void> {
  const adverts = numberOf(args, "--adverts", 5_000_000);
  const rounds = numberOf(args, "--rounds", 7);
  const big = capture(dir, "adverts.pcap", { adverts, seed: SEED });
  const middle = capture(dir, "a-fifth.pcap", { adverts: adverts / 5, seed: SEED });
  const small = capture(dir, "a-25th.pcap", { adverts: adverts / 25, seed: SEED });
  const count = (path: string): string => `node ${MAIN} pcap ${path}`;
  const floor = compileFloor(dir);
  const goals = [
    { name: "decoded and summed / C over libpcap", peer: floor, on: big, must: 2.5, goal: 1.6 },
    { name: "/ tcpdump -nn", peer: "tcpdump -nn -r", on: big, rounds: 3, goal: 0.035 },
    {
      name: "/ tshark, six fields",
      peer: "tshark -n -o vrrp.v3_checksum_as_in_v2:FALSE -T fields -e frame.time_epoch -e ip.src -e vrrp.virt_rtr_id -e vrrp.prio -e vrrp.ip_addr -e vrrp.checksum.status -r",
      on: middle,
      rounds: 3,
      goal: 0.01,
    },
  ];
  for (const { name, peer, on, must, goal, rounds: few } of goals) {
    if (peer === undefined || !isInstalled(peer.split(" ")[0] ?? "")) {
      print(`${name}: NOT MEASURED, it is not installed`);
      continue;
    }
    const ratio = ratioOf(paired(few ?? rounds, count(on.path), `${peer} ${on.path}`), "cpu");
    print(
      `${on.truth.adverts.toLocaleString("en")} adverts, ${name}: ${ratio.text}; ${verdictOf(ratio.median, must, goal)}`,
    );
  }
  benchScapy(count(big.path), big, small);
  const detection = ratioOf(paired(rounds, `${count(big.path)} --detect`, count(big.path)), "cpu");
  print(`detection and decoding / decoding: ${detection.text}; ${verdictOf(detection.median, 2, 1.4)}`);
  const [few, many] = [small, big].map(({ path }) => median([1, 2, 3, 4, 5].map(() => costOf(count(path)).cpu)));
  const rate = (adverts * 0.96) / ((many ?? 0) - (few ?? 0));
  print(`without the start: ${Math.round(rate).toLocaleString("en")} adverts a CPU second`);
  for (const linkType of ["ethernet", "sll2"] as const)
    match(capture(dir, `${linkType}.pcap`, { adverts: adverts / 5, seed: SEED + 1, linkType, incidents: 1e-3 }));
  match(big);
  if (args.includes("--callgrind")) instructions(dir);
}

/** What an advert costs, ours of the big capture and scapy's of a small one: of the big one scapy would read for half an hour. */
function benchScapy(ours: string, big: Capture, small: Capture): void {
  const peer = scapy();
  if (peer === undefined) return print("an advert's cost / scapy: NOT MEASURED, it is not installed");
  const ratio = costOf(ours).cpu / big.truth.adverts / (costOf(`${peer} ${small.path}`).cpu / small.truth.adverts);
  print(
    `an advert's cost of ${big.truth.adverts.toLocaleString("en")} / scapy's of ${small.truth.adverts.toLocaleString("en")}: ${ratio.toFixed(5)}; ${verdictOf(ratio, undefined, 0.0006)}`,
  );
}

interface Capture {
  readonly path: string;
  readonly truth: Truth;
}

function capture(dir: string, name: string, options: AdvertsOptions): Capture {
  const path = join(dir, name);
  return { path, truth: writeAdverts(path, options) };
}

interface Found {
  readonly adverts: number;
  readonly malformed: number;
  readonly streams: readonly { readonly checksums: Readonly<Record<string, number>> }[];
  readonly changes: readonly { at: string; to: { vrid: number; source: string }; from: string }[];
  readonly overlaps: readonly { from: string; to: string; stopped: { vrid: number; source: string }; other: string }[];
}

/** Every change and every overlap that was put in is found at its time, and nothing else is. */
function match({ path, truth }: Capture): void {
  const { stdout } = spawnSync("node", [MAIN, "pcap", "--detect", "--format", "json", path], {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  const found = (JSON.parse(stdout) as { captures: Found[] }).captures[0];
  if (!found) return print(`${path}: nothing was read`);
  const changes = pairUp(
    truth.changes.map(({ ts, vrid, from, to }) => ({ key: `${vrid} ${from} ${to}`, times: [ts] })),
    found.changes.map(({ at, to, from }) => ({ key: `${to.vrid} ${from} ${to.source}`, times: [us(at)] })),
  );
  const overlaps = pairUp(
    truth.overlaps.map(({ vrid, from, to, nodes }) => ({
      key: `${vrid} ${nodes.toSorted().join(" ")}`,
      times: [from, to],
    })),
    found.overlaps.map(({ from, to, stopped, other }) => ({
      key: `${stopped.vrid} ${[stopped.source, other].toSorted().join(" ")}`,
      times: [us(from), us(to)],
    })),
  );
  const right = found.streams.reduce((sum, { checksums }) => sum + (checksums["standard"] ?? 0), 0);
  print(
    `${truth.adverts} adverts: ${found.adverts} read, ${right} with the right sum, ${found.malformed} malformed; changes of master ${changes}; two masters at once ${overlaps}`,
  );
}

interface Timed {
  readonly key: string;
  readonly times: readonly number[];
}

function pairUp(truth: readonly Timed[], found: readonly Timed[]): string {
  const left = [...found];
  let missed = 0;
  for (const { key, times } of truth) {
    const at = left.findIndex(
      (one) => one.key === key && one.times.every((time, i) => Math.abs(time - (times[i] ?? 0)) <= MATCH_US),
    );
    if (at < 0) missed += 1;
    else left.splice(at, 1);
  }
  return `${truth.length - missed} of ${truth.length} found, ${left.length} invented`;
}

const us = (iso: string): number => Date.parse(`${iso.slice(0, 19)}Z`) * 1000 + Number(iso.slice(20, 26));

/** Steady to a few parts in a million, where time is not: the slope between two sizes. */
function instructions(dir: string): void {
  if (!isInstalled("valgrind")) return print("instructions an advert: NOT MEASURED, valgrind is not installed");
  const sizes = [20_000, 40_000].map((adverts) => capture(dir, `callgrind-${adverts}.pcap`, { adverts, seed: SEED }));
  const slope = (command: (path: string) => string[]): number => {
    const [few = Number.NaN, many = Number.NaN] = sizes.map(({ path }) => instructionsOf(command(path)));
    return (many - few) / 20_000;
  };
  const node = [process.execPath, "--single-threaded", "--predictable", MAIN, "pcap"];
  const ours = slope((path) => [...node, path]);
  const floor = compileFloor(dir);
  const c = floor === undefined ? Number.NaN : slope((path) => [floor, path]);
  print(`instructions an advert: ${Math.round(ours)}, C ${Math.round(c)}: ${(ours / c).toFixed(2)}; goal 1.7`);
}

function compileFloor(dir: string): string | undefined {
  const program = join(dir, "floor");
  const { status } = spawnSync("cc", ["-O2", "-o", program, join(PEERS, "adverts.c"), "-lpcap"]);
  return status === 0 ? program : undefined;
}

function scapy(): string | undefined {
  const has = spawnSync("/usr/bin/python3", ["-c", "import scapy"]).status === 0;
  return has ? `/usr/bin/python3 ${PEERS}adverts_scapy.py` : undefined;
}
