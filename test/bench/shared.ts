import { spawnSync } from "node:child_process";

export const print = (line: string): void => void process.stdout.write(`${line}\n`);

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** What one run of a command cost. */
export interface Cost {
  /** User and system, seconds. */
  readonly cpu: number;
  readonly wall: number;
  readonly peakMiB: number;
}

/** GNU time tells what a command and its children cost. Output goes through a pipe: grep stops at once when it writes to /dev/null. */
export function costOf(command: string): Cost {
  const { stderr, status } = spawnSync(
    "bash",
    ["-o", "pipefail", "-c", `/usr/bin/time -f '%U %S %e %M' ${command} | cat >/dev/null`],
    {
      encoding: "utf8",
    },
  );
  const [user = Number.NaN, system = Number.NaN, wall = Number.NaN, kib = Number.NaN] =
    /([\d.]+) ([\d.]+) ([\d.]+) (\d+)\s*$/.exec(stderr)?.slice(1).map(Number) ?? [];
  if (Number.isNaN(user)) throw new Error(`${command} (status ${status}): ${stderr}`);
  return { cpu: user + system, wall, peakMiB: kib / 1024 };
}

export interface Pair {
  readonly ours: Cost;
  readonly peers: Cost;
}

/** Ours and a peer in turn, A B A B …, so that a drift of the machine's speed meets both; one round before to warm up. */
export function paired(rounds: number, ours: string, peer: string): Pair[] {
  return Array.from({ length: rounds + 1 }, () => ({ ours: costOf(ours), peers: costOf(peer) })).slice(1);
}

/** `0.42 [0.40..0.45]`: the median of the ratios, and their range. */
export function ratioOf(pairs: readonly Pair[], what: keyof Cost): { readonly median: number; readonly text: string } {
  const ratios = pairs.map(({ ours, peers }) => ours[what] / peers[what]);
  const middle = median(ratios);
  return {
    median: middle,
    text: `${middle.toFixed(3)} [${Math.min(...ratios).toFixed(3)}..${Math.max(...ratios).toFixed(3)}]`,
  };
}

/** In which the kernel counts CPU time. */
export const TICKS_PER_SECOND = 100;

export const isInstalled = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** `must 2.5 met, goal 1.6 missed by 1.12 times`. */
export function verdictOf(ratio: number, must: number | undefined, goal: number): string {
  const verdict = (limit: number): string =>
    `${limit} ${ratio <= limit ? "met" : `missed by ${(ratio / limit).toFixed(2)} times`}`;
  return `${must === undefined ? "" : `must ${verdict(must)}, `}goal ${verdict(goal)}`;
}

/** The same of what should be large. */
export function atLeast(ratio: number, must: number, goal: number): string {
  const told = (limit: number): string =>
    `${limit} ${ratio >= limit ? "met" : `missed by ${(limit / ratio).toFixed(2)} times`}`;
  return `${ratio.toFixed(2)}, must ${told(must)}, goal ${told(goal)}`;
}

/** How many instructions a command executes, as callgrind counts them. */
export function instructionsOf(command: readonly string[]): number {
  const { stderr } = spawnSync(
    "valgrind",
    ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--smc-check=all-non-file", ...command],
    { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  );
  return Number(/Collected : (\d+)/.exec(stderr)?.[1] ?? Number.NaN);
}

export function numberOf(args: readonly string[], name: string, usual: number): number {
  const at = args.indexOf(name);
  return at < 0 ? usual : Number(args[at + 1]);
}
