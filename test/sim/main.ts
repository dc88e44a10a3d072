/**
 * `npm run sim -- [--seed N] [--scenarios K] [--world NAME|all] [--workers W] [--explain]`: clusters that never were, of which
 * the truth is known, and what the detectors make of them.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { explain } from "./explain.ts";
import { judge } from "./judge.ts";
import { summaryOf } from "./summary.ts";
import type { Job, Outcome } from "./worker.ts";
import { scenarioOf, WORLDS } from "./worlds.ts";

/** Of each kind of fault in a world so many are shown. */
const SHOWN_MAX = 5;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function wholeNumber(name: string, text: string | undefined, usual: number): number {
  const value = text === undefined ? usual : Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`--${name} takes a whole number, not ${text}\n`);
  process.exit(2);
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: "string" },
        scenarios: { type: "string" },
        world: { type: "string" },
        workers: { type: "string" },
        explain: { type: "boolean", default: false },
      },
    });
    return values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

const keyOf = ({ world, seed }: Job): string => `${world} ${seed}`;

/** Jobs are dealt out in turn: which worker does what changes nothing. */
async function runAll(jobs: readonly Job[], workers: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  await Promise.all(
    Array.from({ length: workers }, (_, i) => {
      const worker = new Worker(new URL("./worker.js", import.meta.url), {
        workerData: { jobs: jobs.filter((_job, at) => at % workers === i) },
      });
      worker.on("message", (outcome: Outcome) => {
        outcomes.push(outcome);
        if (process.stderr.isTTY) process.stderr.write(`\r${outcomes.length} of ${jobs.length}`);
      });
      return new Promise<void>((resolve, reject) => worker.on("exit", () => resolve()).on("error", reject));
    }),
  );
  if (process.stderr.isTTY) process.stderr.write("\r");
  const places = new Map(jobs.map((job, at) => [keyOf(job), at] as const));
  const placeOf = (outcome: Outcome): number => places.get(keyOf(outcome)) ?? 0;
  return outcomes.sort((x, y) => placeOf(x) - placeOf(y));
}

/** Faults by kind, most frequent first, each with how to see it alone. */
function faultsOf(outcomes: readonly Outcome[]): string[] {
  const groups = new Map<string, { readonly outcome: Outcome; readonly text: string }[]>();
  for (const outcome of outcomes)
    for (const { kind, what, text } of outcome.faults) {
      const key = `${outcome.world}: ${what} ${kind}`;
      groups.set(key, [...(groups.get(key) ?? []), { outcome, text }]);
    }
  return [...groups].flatMap(([key, found]) => [
    `\n${key}: ${found.length}`,
    ...found
      .slice(0, SHOWN_MAX)
      .map(
        ({ outcome, text }) =>
          `  npm run sim -- --world ${outcome.world} --seed ${outcome.seed} --scenarios 1 --explain   ${outcome.title.split(": ")[1]}\n    ${text}`,
      ),
  ]);
}

const values = readArguments();
const seed = wholeNumber("seed", values.seed, 1);
const count = wholeNumber("scenarios", values.scenarios, 100);
const workers = wholeNumber("workers", values.workers, Math.min(2, availableParallelism()));
const worlds =
  values.world === undefined || values.world === "all" ? WORLDS.map(({ name }) => name) : values.world.split(",");
const unknown = worlds.find((world) => !WORLDS.some(({ name }) => name === world));
if (unknown !== undefined) {
  process.stderr.write(
    `no world is called ${unknown}: there are ${WORLDS.map(({ name }) => name).join(", ")}, and all\n`,
  );
  process.exit(2);
}
const jobs = worlds.flatMap((world) => Array.from({ length: count }, (_, i) => ({ world, seed: seed + i })));
if (values.explain) for (const job of jobs) print(explain(judge(scenarioOf(job.seed, job.world))));
else {
  const startedAt = process.hrtime.bigint();
  const outcomes = await runAll(jobs, Math.max(1, workers));
  const tookS = Number(process.hrtime.bigint() - startedAt) / 1e9;
  print(summaryOf(outcomes));
  for (const line of faultsOf(outcomes)) print(line);
  // What the detectors get wrong is printed; that they contradict themselves, or that nothing could be concluded, is a failure.
  if (outcomes.some(({ faults }) => faults.some(({ what }) => what === "not-converged" || what === "failed")))
    process.exitCode = 1;
  process.stderr.write(`${outcomes.length} scenarios in ${tookS.toFixed(1)} s\n`);
}
