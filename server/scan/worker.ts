import { parentPort, workerData } from "node:worker_threads";
import type { MachineParts } from "../../collector/logs/machine.ts";
import { type ScanOptions, scanSegments, type Turns } from "../../collector/offline/scan.ts";

/** What a thread of `keepwatch scan` is given. */
export interface ScanJob {
  readonly options: ScanOptions;
  readonly turns: Turns;
  readonly parts: MachineParts;
}

const { options, turns, parts } = workerData as ScanJob;
parentPort?.postMessage(await scanSegments(options, turns, parts));
