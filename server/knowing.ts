import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../collector/core/errors.ts";
import type { Log } from "../collector/core/log.ts";
import type { ServerConfig } from "./config.ts";
import { createDetectionEngine, type DetectionEngine } from "./detect/engine.ts";
import { DETECTION_KINDS } from "./detect/evidence.ts";
import type { Incident } from "./detect/incident.ts";
import type { Store, StoredCheckpoint } from "./store/store.ts";

/**
 * What the detectors know when the server starts: what they knew when they were last asked, and what was stored since. All that is
 * stored is read instead, which takes longer and ends in the same, where there is any doubt: other detectors or settings, a checkpoint that
 * cannot be read, evidence that is older than what it has at hand.
 */

type Detection = ServerConfig["detection"];

export interface Knowing {
  readonly engine: DetectionEngine;
  /** Checkpoints of these detectors have it. */
  readonly sign: string;
}

export async function knowAgain(
  store: Store,
  detection: Detection,
  incidents: readonly Incident[],
  log: Log,
): Promise<Knowing> {
  const sign = signOf(detection);
  const engine =
    (await fromCheckpoints(store, detection, incidents, sign, log)) ?? (await fromAll(store, detection, incidents));
  return { engine, sign };
}

async function fromCheckpoints(
  store: Store,
  detection: Detection,
  incidents: readonly Incident[],
  sign: string,
  log: Log,
): Promise<DetectionEngine | undefined> {
  try {
    const stored = await store.checkpoints();
    const checkpoints = stored.filter((checkpoint) => checkpoint.sign === sign);
    if (checkpoints.length === 0) {
      if (stored.length > 0) log("info", "the detectors are others than before: all stored events are read");
      return undefined;
    }
    const engine = createDetectionEngine(detection, incidents);
    for (const checkpoint of checkpoints) engine.restore(checkpoint);
    const part = { checkpoints, kinds: DETECTION_KINDS };
    const read = { recalled: 0, since: 0 };
    for await (const events of store.detectionEvents({ ...part, which: "recalled" })) {
      engine.recall(events);
      read.recalled += events.length;
    }
    for await (const events of store.detectionEvents({ ...part, which: "since" })) {
      engine.load(events);
      read.since += events.length;
    }
    if (!engine.isOutdated()) {
      log("info", "what was known is taken up again", read);
      return engine;
    }
    log("info", "evidence of a time long past has come: all stored events are read");
  } catch (error) {
    log("warn", "what was known cannot be taken up again: all stored events are read", { why: messageOf(error) });
  }
  return undefined;
}

async function fromAll(store: Store, detection: Detection, incidents: readonly Incident[]): Promise<DetectionEngine> {
  const engine = createDetectionEngine(detection, incidents);
  for await (const events of store.detectionEvents()) engine.load(events);
  return engine;
}

/** To be asked for when nothing that was stored still has to be concluded from. @returns what to store of it */
export const checkpointsOf = ({ engine, sign }: Knowing, arrived: number): StoredCheckpoint[] =>
  engine.checkpoints().map((checkpoint) => ({ ...checkpoint, sign, arrived }));

/** What detects, to the letter: as this process has loaded it, whatever becomes of the files. */
let loadedCode: string | undefined;

/** What detects, and its settings. */
function signOf(detection: Detection): string {
  loadedCode ??= codeOf(join(import.meta.dirname, ".."));
  return hash("sha256", JSON.stringify([loadedCode, detection]), "hex");
}

function codeOf(root: string): string {
  const files = ["server/detect", "collector"].flatMap((folder) => filesIn(join(root, folder)));
  return files.map((file) => hash("sha256", readFileSync(file), "hex")).join();
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
