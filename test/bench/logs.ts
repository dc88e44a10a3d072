/**
 * `npm run bench -- logs [--mb N] [--rounds N] [--only WORDS] [--callgrind]`: `keepwatch scan`, which reads every line with the
 * complete grammar, beside what else counts lines. Ratios of CPU, each pair in turn in one run; below 1 is less than the peer.
 * What must be and what is wanted was set for `--mb 1000`, a gigabyte; the peers that need minutes for it get a fifth, or a tenth.
 */
import { spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { messagesLog } from "./generate.ts";
import {
  type Cost,
  costOf,
  instructionsOf,
  isInstalled,
  median,
  numberOf,
  paired,
  print,
  ratioOf,
  verdictOf,
} from "./shared.ts";

const MAIN = new URL("../../server/main.js", import.meta.url).pathname;
const PEERS = new URL("../../../test/bench/peers/", import.meta.url).pathname;
const REGEX = "Keepalived(_vrrp|_healthcheckers)?\\[[0-9]+\\]:";
const ZONE = "--tz UTC --year 2026";
const BLOCK_LINES = 200_000;
/** States by host, as far as its own format for syslog tells. */
const LNAV_QUERY =
  'SELECT log_hostname, regexp_match("Entering (\\w+) STATE", log_body) AS s, count(*) FROM syslog_log WHERE log_procname LIKE "Keepalived%" AND s IS NOT NULL GROUP BY 1, 2';

interface Goal {
  readonly name: string;
  readonly program: string;
  readonly ours: string;
  readonly peer: string;
  readonly what: keyof Cost;
  readonly must?: number;
  readonly goal: number;
}

export async function benchLogs(dir: string, args: readonly string[]): Promise<void> {
  const mb = numberOf(args, "--mb", 200);
  const rounds = numberOf(args, "--rounds", 5);
  const sparse = await write(join(dir, "sparse.log"), mb, 0.01);
  const dense = await write(join(dir, "dense.log"), mb, 1);
  const fifth = await write(join(dir, "fifth.log"), Math.max(1, mb / 5), 1);
  const small = await write(join(dir, "small.log"), Math.max(1, mb / 10), 1);
  sameCounts(dense);
  const scan = (log: string, more = ""): string => `node ${MAIN} scan ${ZONE} ${more} ${log}`;
  const goals: readonly Goal[] = [
    {
      name: "1 % of the lines keepalived's / grep -Fc",
      program: "grep",
      ours: scan(sparse),
      peer: `grep -Fc eepalived ${sparse}`,
      what: "cpu",
      must: 1.5,
      goal: 1,
    },
    {
      name: "1 % / rg -Fc",
      program: "rg",
      ours: scan(sparse),
      peer: `rg --no-mmap -j1 -Fc eepalived ${sparse}`,
      what: "cpu",
      goal: 3.3,
    },
    {
      name: "1 % / mawk",
      program: "mawk",
      ours: scan(sparse),
      peer: `mawk -f ${PEERS}keepalived.awk ${sparse}`,
      what: "cpu",
      must: 0.7,
      goal: 0.5,
    },
    {
      name: "all lines / mawk",
      program: "mawk",
      ours: scan(dense),
      peer: `mawk -f ${PEERS}keepalived.awk ${dense}`,
      what: "cpu",
      must: 0.35,
      goal: 0.2,
    },
    {
      name: "all lines / rg, a regular expression",
      program: "rg",
      ours: scan(dense),
      peer: `rg --no-mmap -j1 -c '${REGEX}' ${dense}`,
      what: "cpu",
      must: 1.2,
      goal: 0.75,
    },
    {
      name: "all lines / mtail",
      program: "mtail",
      ours: scan(small),
      peer: `mtail --one_shot --progs ${PEERS}keepalived.mtail --logs ${small}`,
      what: "cpu",
      must: 0.03,
      goal: 0.015,
    },
    {
      name: "all lines / lognormalizer",
      program: "lognormalizer",
      ours: scan(fifth),
      peer: `lognormalizer -r ${PEERS}keepalived.rulebase -e json -T < ${fifth}`,
      what: "cpu",
      goal: 0.1,
    },
    {
      name: "all lines / lnav",
      program: "lnav",
      ours: scan(fifth),
      peer: `lnav -n -c ';${LNAV_QUERY}' -c ':write-csv-to -' ${fifth}`,
      what: "cpu",
      goal: 0.08,
    },
    {
      name: "all lines, wall, two threads / one",
      program: "node",
      ours: scan(dense, "--workers 2"),
      peer: scan(dense),
      what: "wall",
      must: 0.75,
      goal: 0.6,
    },
    {
      name: `peak memory, ${mb} MB / ${mb / 10} MB`,
      program: "node",
      ours: scan(dense),
      peer: scan(small),
      what: "peakMiB",
      must: 1.1,
      goal: 1.03,
    },
    {
      name: "peak memory / bare Node",
      program: "node",
      ours: scan(dense),
      peer: "node -e 0",
      what: "peakMiB",
      must: 2.5,
      goal: 1.6,
    },
  ];
  const only = args.includes("--only") ? (args[args.indexOf("--only") + 1] ?? "") : "";
  print(`${mb} MB, ${rounds} pairs each; load ${loadavg()[0]?.toFixed(1)} of ${cpus().length} processors`);
  for (const { name, program, ours, peer, what, must, goal } of goals) {
    if (!name.includes(only)) continue;
    if (!isInstalled(program)) {
      print(`${name}: NOT MEASURED, ${program} is not installed`);
      continue;
    }
    const ratio = ratioOf(paired(rounds, ours, peer), what);
    print(`${name}: ${ratio.text}; ${verdictOf(ratio.median, must, goal)}; load ${loadavg()[0]?.toFixed(1)}`);
  }
  const [few, many] = [small, dense].map((log) => median([1, 2, 3].map(() => costOf(scan(log)).cpu)));
  const rate = ((mb * 0.9) / ((many ?? 0) - (few ?? 0))) * (linesIn(dense) / mb);
  print(`all lines, without the start: ${Math.round(rate).toLocaleString("en")} lines a CPU second`);
  if (args.includes("--callgrind")) await benchInstructions(dir);
}

/** Steady to a few parts in a million, where time is not: the slope between two sizes, of code that is compiled in full at once. */
async function benchInstructions(dir: string): Promise<void> {
  if (!isInstalled("valgrind")) return print("instructions a line: NOT MEASURED, valgrind is not installed");
  const counts: { lines: number; instructions: number }[] = [];
  for (const mb of [20, 40]) {
    const log = await write(join(dir, `callgrind-${mb}.log`), mb, 1);
    const flags = ["--single-threaded", "--predictable", "--no-liftoff"];
    const command = [process.execPath, ...flags, MAIN, "scan", ...ZONE.split(" "), log];
    counts.push({ lines: linesIn(log), instructions: instructionsOf(command) });
  }
  const [a, b] = counts;
  if (a && b)
    print(
      `instructions a line: ${Math.round((b.instructions - a.instructions) / (b.lines - a.lines)).toLocaleString("en")}`,
    );
}

/** Blocks with seeds of their own: a file of any size, of which no more than a block is in memory. */
async function write(path: string, mb: number, fraction: number): Promise<string> {
  const out = createWriteStream(path);
  for (let bytes = 0, seed = 7; bytes < mb * 1e6; seed++) {
    const block = messagesLog(BLOCK_LINES, fraction, seed);
    bytes += block.length;
    if (!out.write(block)) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
  return path;
}

/** The peer that reads most counts the same: keepalived's lines, and how often a state was entered. */
function sameCounts(log: string): void {
  const ours = JSON.parse(
    spawnSync("node", [MAIN, "scan", ...ZONE.split(" "), "--count-by", "kind", "--format", "json", log], {
      encoding: "utf8",
    }).stdout,
  ) as { keepalivedLines: number; counts: Record<string, number> };
  const mine = `${ours.keepalivedLines} ${ours.counts["vrrp.state"]}`;
  const theirs = spawnSync("mawk", ["-f", `${PEERS}keepalived.awk`, log], { encoding: "utf8" }).stdout.trim();
  print(`keepalived's lines, and states entered: ${mine}; mawk counts ${mine === theirs ? "the same" : theirs}`);
}

const linesIn = (log: string): number =>
  Number(spawnSync("wc", ["-l", log], { encoding: "utf8" }).stdout.split(" ")[0]);
