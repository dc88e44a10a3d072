import { blindSpot } from "./blind-spot.ts";
import { flapping } from "./flapping.ts";
import { instanceFault } from "./instance-fault.ts";
import { nearMiss } from "./near-miss.ts";
import { NEVER } from "./never.ts";
import { noMaster } from "./no-master.ts";
import { redundancyLost } from "./redundancy-lost.ts";
import { splitBrain } from "./split-brain.ts";
import { startupFailure } from "./startup-failure.ts";
import type { TruthModule } from "./truth.ts";

/** One row a kind. Incidents of other kinds are counted, and not judged. */
export const TRUTHS: readonly TruthModule[] = [
  splitBrain,
  noMaster,
  flapping,
  instanceFault,
  nearMiss,
  redundancyLost,
  startupFailure,
  blindSpot,
  ...NEVER,
];
