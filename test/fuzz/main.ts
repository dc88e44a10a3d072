/**
 * `npm run fuzz -- [--minutes M] [--seed N]`: mutated logs, captures, configurations and servers' answers, for as long as is
 * asked. Fails on an exception, on a hang, on time that grows faster than the input, and where counting a log or a capture
 * and reading it disagree.
 * What fails is kept in `fuzz-failures/`, to become a fixture.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { FuzzReport } from "./worker.ts";

/** An input that takes longer than this is a hang, milliseconds that this process has had of the processors: the machine may be busy. */
const HANG_MS = 60_000;
/** Nor may it take as long without them. */
const STUCK_MS = 20 * HANG_MS;
const LOOK_MS = 5_000;
const FAILURES = "fuzz-failures";

function numberOf(name: string, usual: number): number {
  const at = process.argv.indexOf(name);
  return at < 0 ? usual : Number(process.argv[at + 1]);
}

const minutes = numberOf("--minutes", 1);
const seed = numberOf("--seed", Date.now() % 2 ** 31);
process.stdout.write(`fuzzing for ${minutes} minutes with seed ${seed}\n`);
const worker = new Worker(new URL("./worker.js", import.meta.url), {
  workerData: { seed, untilMs: Date.now() + minutes * 60_000 },
  // In a small nursery what a long input has made is copied again and again: that is no work of what is measured.
  resourceLimits: { maxYoungGenerationSizeMb: 256 },
});

let lastName = "";
const usedMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
let begun = { usedMs: usedMs(), atMs: Date.now() };
const watchdog = setInterval(() => {
  if (usedMs() - begun.usedMs < HANG_MS && Date.now() - begun.atMs < STUCK_MS) return;
  process.stderr.write(`HANG: ${lastName} took more than ${HANG_MS / 1000} s\n`);
  process.exit(1);
}, LOOK_MS);

worker.on("message", (report: FuzzReport) => {
  begun = { usedMs: usedMs(), atMs: Date.now() };
  if (report.type === "begun") {
    lastName = report.path;
    return;
  }
  if (report.type === "failed") {
    mkdirSync(FAILURES, { recursive: true });
    const path = `${FAILURES}/${report.target}-${seed}`;
    writeFileSync(path, report.input);
    process.stderr.write(`FAILED: ${report.target}: ${report.why}\nthe input is in ${path}\n`);
    process.exit(1);
  }
  clearInterval(watchdog);
  for (const [target, count] of Object.entries(report.counts)) process.stdout.write(`${target}: ${count} inputs\n`);
  process.stdout.write(
    `${Math.round(report.perSecond)} inputs a second, slowest growth ${report.steepest.toFixed(1)} times for 10 times the input; nothing failed\n`,
  );
});
worker.on("error", (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
