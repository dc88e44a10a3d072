import { statSync } from "node:fs";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import { isZone, ZONE_WANTED } from "../../collector/logs/zone.ts";
import { addTallies, type Tally } from "../../collector/logs/tally.ts";
import { bytesOf, peek, readHead } from "../../collector/offline/bytes.ts";
import { packingIn, isWrapped } from "../../collector/offline/identify.ts";
import {
  LogScanner,
  machineParts,
  newTurns,
  type ScanOptions,
  scanSegments,
  scanWrapped,
} from "../../collector/offline/scan.ts";
import { COUNT_BY, printScan, type ScannedFile } from "../scan/print.ts";
import type { ScanJob } from "../scan/worker.ts";

export interface ScanVerbOptions {
  readonly countBy: string;
  readonly workers: number;
  readonly tz?: string;
  readonly year?: number;
  readonly format: string;
}

const STDIN = "-";

/** `keepwatch scan`: exit status 0, 2 when an input cannot be read. */
export async function scanVerb(paths: readonly string[], options: ScanVerbOptions): Promise<void> {
  const countBy = oneOf("--count-by", options.countBy, COUNT_BY);
  const format = oneOf("--format", options.format, ["text", "json"]);
  const zone = options.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!isZone(zone)) throw new OperatorError("USAGE", `--tz ${zone} is not a time zone`, { remedy: ZONE_WANTED });
  const files: ScannedFile[] = [];
  for (const path of paths) {
    try {
      files.push({ path, tally: await scan(path, zone, options) });
    } catch (error) {
      files.push({ path, error: error instanceof OperatorError ? error.toLine() : messageOf(error) });
      process.exitCode = 2;
    }
  }
  process.stdout.write(printScan(files, countBy, format));
  for (const { error } of files) if (error !== undefined) process.stderr.write(`keepwatch: ${error}\n`);
}

function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw new OperatorError("USAGE", `${option} ${text} is not known`, { remedy: `Choose one of ${known.join(", ")}` });
}

async function scan(path: string, zone: string, { year, workers }: ScanVerbOptions): Promise<Tally> {
  if (path === STDIN) {
    const { systemClock } = await import("../../collector/core/system-clock.ts");
    return await scanStream(process.stdin, { path, zone, reference: referenceOf(systemClock.epoch(), year) });
  }
  const head = await readHead(path);
  const options = { path, zone, reference: referenceOf(statSync(path).mtimeMs * 1000, year) };
  // A pipe has no segments that could be shared out.
  if (packingIn(head) !== undefined || !statSync(path).isFile() || isWrapped(head))
    return await scanStream(bytesOf(path), options);
  const turns = newTurns();
  const parts = machineParts();
  const helpers = workers > 1 ? await startWorkers(workers - 1, { options, turns, parts }) : [];
  const own = await scanSegments(options, turns, parts);
  return [own, ...(await Promise.all(helpers))].reduce(addTallies);
}

/** The year's last instant, or when the file was last written. Epoch microseconds. */
const referenceOf = (writtenUs: number, year: number | undefined): number =>
  year === undefined ? writtenUs : Date.UTC(year + 1, 0, 1) * 1000 - 1;

async function scanStream(chunks: AsyncIterable<Uint8Array>, options: ScanOptions): Promise<Tally> {
  const { head, all } = await peek(chunks[Symbol.asyncIterator]());
  if (isWrapped(head)) return await scanWrapped(all, options, machineParts());
  const scanner = new LogScanner(options, machineParts());
  for await (const chunk of all) await scanner.push(chunk);
  return await scanner.end();
}

/** They read on while this thread does. */
async function startWorkers(count: number, job: ScanJob): Promise<Promise<Tally>[]> {
  const { Worker } = await import("node:worker_threads");
  return Array.from({ length: count }, () => {
    const worker = new Worker(new URL("../scan/worker.js", import.meta.url), { workerData: job });
    return new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
  });
}
