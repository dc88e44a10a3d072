import { US_PER_SECOND } from "../../../collector/core/time.ts";
import { type Interval, lengthOf, overlaps, whenAtLeast, gapsIn } from "./intervals.ts";
import { actsOf, logSlackUs, nodesOf, readsOf, shownUs, type TruthModule, unwatchedOf } from "./truth.ts";

/** A router with one node that could be master has lost its redundancy when it lasts longer than this. */
const GRACE_US = 120 * US_PER_SECOND;

/** Of all nodes that a router has, one could be master: the others are stopped, frozen or in FAULT. */
export const redundancyLost: TruthModule = {
  kind: "redundancy-lost",
  of(run) {
    const { until } = run.scenario;
    return run.scenario.routers.flatMap((router) => {
      const { vrid } = router;
      const nodes = nodesOf(router);
      if (nodes.length < 2) return [];
      const able = nodes.map((node) => actsOf(run, node, vrid, (act) => act.able));
      // Nothing is lost before all of them have been there.
      const begun = Math.max(...able.map((list) => list[0]?.from ?? until));
      const unable = able.map((list) => gapsIn({ from: begun, to: until }, list));
      const none = whenAtLeast(nodes.length, unable);
      const slackUs = Math.max(...nodes.map((node) => logSlackUs(run, node)));
      const unwatched = nodes.flatMap((node) => unwatchedOf(run, node));
      const isSeen = nodes.every((node) => readsOf(run, node, "log"));
      return whenAtLeast(nodes.length - 1, unable)
        .filter((lost) => aloneUs(lost, none) > GRACE_US - 2 * slackUs)
        .map((lost) => ({
          ...lost,
          vrid,
          open: lost.to >= until,
          must:
            isSeen &&
            aloneUs({ from: lost.from, to: lost.from + shownUs(lost, run.scenario) }, none) > GRACE_US + 2 * slackUs &&
            !unwatched.some((one) => overlaps(one, lost)),
          startSlackUs: slackUs,
          endSlackUs: slackUs,
        }));
    });
  },
};

const aloneUs = (lost: Interval, none: readonly Interval[]): number =>
  gapsIn(lost, none).reduce((sum, gap) => sum + lengthOf(gap), 0);
