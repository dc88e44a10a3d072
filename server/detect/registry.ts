import { blindSpot } from "./blind-spot.ts";
import { configDrift } from "./config-drift.ts";
import { configError } from "./config-error.ts";
import type { Detector } from "./detector.ts";
import type { IncidentKind } from "./incident.ts";
import { hmacClock } from "./hmac-clock.ts";
import { routerFlapping, scriptFlapping, serviceFlapping } from "./flapping.ts";
import { nearMiss, schedulerStall } from "./near-miss.ts";
import { noMaster } from "./no-master.ts";
import { quorumLost } from "./quorum-lost.ts";
import { redundancyLost } from "./redundancy-lost.ts";
import { instanceFault } from "./instance-fault.ts";
import { nodeDivergence, routerDivergence } from "./shadow-divergence.ts";
import { scriptFailing } from "./script-failing.ts";
import { serviceDown } from "./service-down.ts";
import { splitBrain } from "./split-brain.ts";
import { startupFailure } from "./startup-failure.ts";
import { vipConflict } from "./vip-conflict.ts";
import { startupState } from "./startup-state.ts";

/** A detector is one file and one line here. */
export const DETECTORS: readonly Detector[] = [
  splitBrain,
  noMaster,
  startupFailure,
  startupState,
  routerFlapping,
  serviceFlapping,
  scriptFlapping,
  serviceDown,
  quorumLost,
  routerDivergence,
  nodeDivergence,
  nearMiss,
  schedulerStall,
  hmacClock,
  blindSpot,
  redundancyLost,
  configError,
  configDrift,
  vipConflict,
  instanceFault,
  scriptFailing,
];

/** Kinds whose open incidents end when enough time has passed, whatever happens. */
export const CLOSES_BY_TIME: ReadonlySet<IncidentKind> = new Set<IncidentKind>(["flapping", "config-drift"]);
