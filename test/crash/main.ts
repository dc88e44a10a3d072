/**
 * `npm run crash -- [--minutes M] [--kills N] [--seed N] [--rotation create|copytruncate] [--store embedded|external] [--rate N] [--every N]`:
 * numbered lines through logrotate, while collector, server and store are killed at random. Without --rotation half of the
 * time is for each, without --store the first half is embedded and the second external. Fails when a line that was on disk
 * is not in the store once.
 */
import { parseArgs } from "node:util";
import { type CrashOptions, type CrashReport, crashRun } from "./run.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    rotation: { type: "string" },
    store: { type: "string" },
    rate: { type: "string", default: "50000" },
    every: { type: "string", default: "10" },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const RUNS: readonly Pick<CrashOptions, "rotation" | "store">[] = [
  { rotation: "create", store: "embedded" },
  { rotation: "copytruncate", store: "external" },
];
const wanted = RUNS.map((one) => ({
  ...one,
  ...(values.store === undefined ? {} : { store: values.store as CrashOptions["store"] }),
})).filter(({ rotation }) => values.rotation === undefined || rotation === values.rotation);

say(`seed ${values.seed}`);
let failed = false;
for (const one of wanted) {
  say(`${one.rotation}, ${one.store} store:`);
  const report = await crashRun({
    ...one,
    seed: Number(values.seed),
    linesPerSecond: Number(values.rate),
    every: Number(values.every),
    seconds: (Number(values.minutes) * 60) / wanted.length,
    kills: Math.ceil(Number(values.kills) / wanted.length),
    say,
  });
  tell(report);
  failed ||=
    report.lost.length > 0 ||
    report.untold.length > 0 ||
    report.rows !== report.numbers.size ||
    report.linesPerSecond < Number(values.rate) * 0.99;
}
say(failed ? "FAILED" : "nothing lost, nothing twice");
process.exit(failed ? 1 : 0);

function tell(report: CrashReport): void {
  const kills = Object.entries(report.kills).map(([name, count]) => `${count} of the ${name}`);
  say(`  ${report.lines} lines at ${Math.round(report.linesPerSecond)}/s, ${report.rotations} rotations`);
  say(`  killed: ${kills.join(", ")}; backlog ${report.drainSeconds} s`);
  for (const [name, startsMs] of Object.entries(report.startsMs)) {
    const sorted = startsMs.toSorted((a, b) => a - b);
    say(`  starts of the ${name}: ${sorted[sorted.length >> 1]} ms at the median, ${sorted.at(-1)} ms at most`);
  }
  say(`  keepalived's lines: ${report.written} written, ${report.onDisk} on disk at the end`);
  say(`  SELECT: ${report.rows} rows (FINAL: ${report.rowsFinal}), ${report.numbers.size} different numbers`);
  say(`  lost: ${report.lost.length}${report.lost.length > 0 ? ` (${rangesOf(report.lost)})` : ""}`);
  say(`  twice: ${report.rows - report.numbers.size} (FINAL: ${report.rowsFinal - report.numbers.size})`);
  say(
    `  on no disk: ${report.rescued} read in time, ${report.destroyed.length} destroyed by copytruncate (${rangesOf(report.destroyed)}), ${report.untold.length} of them told by no gap`,
  );
  say(`  gaps told: ${report.gaps.length}`);
  for (const { reason, lost } of report.gaps.slice(0, 5)) say(`    ${lost ?? "?"}: ${reason}`);
}

function rangesOf(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 5).join(", ");
  return numbers.length > 5 ? `${shown}, … ${numbers.at(-1)}` : shown;
}
