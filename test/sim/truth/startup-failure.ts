import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { TruthModule } from "./truth.ts";

const DEADLINE_US = 30 * US_PER_SECOND;
const ENDS: ReadonlySet<string> = new Set(["kill", "crash", "poweroff"]);
const BEGINS: ReadonlySet<string> = new Set(["start", "reload", "crash"]);

/** No start fails here of itself; a daemon that is killed soon after one may be taken for one that failed. */
export const startupFailure: TruthModule = {
  kind: "startup-failure",
  of({ scenario }) {
    return scenario.deeds.flatMap(({ at, deed }) => {
      if (!BEGINS.has(deed.kind) || !("node" in deed)) return [];
      const dies = scenario.deeds.some(
        (later) =>
          later.at >= at &&
          later.at <= at + DEADLINE_US &&
          ENDS.has(later.deed.kind) &&
          "node" in later.deed &&
          later.deed.node === deed.node,
      );
      return dies
        ? [{ from: at, to: scenario.until, vrid: undefined, open: false, must: false, startSlackUs: 0, endSlackUs: 0 }]
        : [];
    });
  },
};
