import { parentPort, workerData } from "node:worker_threads";
import { type Fault, judge, type KindScore } from "./judge.ts";
import { scenarioOf } from "./worlds.ts";

export interface Job {
  readonly world: string;
  readonly seed: number;
}

/** What a worker tells of one scenario. */
export interface Outcome extends Job {
  readonly title: string;
  readonly scores: readonly KindScore[];
  readonly faults: readonly Fault[];
}

export function work({ world, seed }: Job): Outcome {
  const scenario = scenarioOf(seed, world);
  try {
    const { scores, faults } = judge(scenario);
    return { world, seed, title: scenario.title, scores, faults };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { world, seed, title: scenario.title, scores: [], faults: [{ kind: "exception", what: "failed", text }] };
  }
}

const port = parentPort;
if (port) for (const job of (workerData as { readonly jobs: readonly Job[] }).jobs) port.postMessage(work(job));
