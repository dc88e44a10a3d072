import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { TruthModule } from "./truth.ts";

/** Deeds after which something of a node is not seen, or not dated right. */
const BLINDING: ReadonlySet<string> = new Set(["offline", "poweroff", "clock", "collector", "kill", "freeze"]);

/** What a collector does not see is told of nodes to which something happened, or whose clocks are off; how long is not judged. */
export const blindSpot: TruthModule = {
  kind: "blind-spot",
  of({ scenario }) {
    const isLate = scenario.delivery.lateShare > 0;
    const isOff = scenario.nodes.some(({ clockOffsetUs, clockDriftPpm }) => clockOffsetUs !== 0 || clockDriftPpm !== 0);
    const from = scenario.deeds.flatMap(({ at, deed }) => (BLINDING.has(deed.kind) ? [at] : []));
    const since = isLate || isOff ? 0 : Math.min(...from);
    if (since === Number.POSITIVE_INFINITY) return [];
    // A step back dates it before what made it.
    const whole = { from: since - 60 * US_PER_SECOND, to: scenario.until };
    return [{ ...whole, vrid: undefined, open: true, must: false, startSlackUs: 0, endSlackUs: 0 }];
  },
};
