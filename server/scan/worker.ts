import { parentPort, workerData } from "node:worker_threads";
import { type ScanOptions, scanSegments, type Turns } from "../../collector/offline/scan.ts";

/** What a thread of `keepwatch scan` is given. */
export interface ScanJob {
  readonly options: ScanOptions;
  readonly turns: Turns;
}

const { options, turns } = workerData as ScanJob;
parentPort?.postMessage(scanSegments(options, turns));
