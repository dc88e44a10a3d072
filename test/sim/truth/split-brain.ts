import { causeAt } from "./causes.ts";
import { joined, lengthOf, overlaps, whenAtLeast } from "./intervals.ts";
import {
  acting,
  actsOf,
  edgeSlackUs,
  muteOf,
  nodesOf,
  readsOf,
  shownUs,
  TAU_INTERVALS,
  type TruthModule,
  unwatchedOf,
} from "./truth.ts";

/**
 * Two nodes act as master for longer than τ. It must be told when what the sources can see of it is longer than τ by more than they
 * may be off, and may be told when it is not shorter by more.
 */
export const splitBrain: TruthModule = {
  kind: "split-brain",
  of(run) {
    return run.scenario.routers.flatMap((router) => {
      const { vrid, intervalUs } = router;
      const nodes = nodesOf(router);
      const tauUs = TAU_INTERVALS * intervalUs;
      const slackUs = Math.max(...nodes.map((node) => edgeSlackUs(run, node)));
      const unwatched = nodes.flatMap((node) => [...unwatchedOf(run, node), ...muteOf(run, node)]);
      const visible = whenAtLeast(
        2,
        nodes.map((node) => actsOf(run, node, vrid, readsOf(run, node, "kernel") ? acting : ({ master }) => master)),
      ).filter(
        (interval) =>
          shownUs(interval, run.scenario) > tauUs + 2 * slackUs && !unwatched.some((one) => overlaps(one, interval)),
      );
      const all = whenAtLeast(
        2,
        nodes.map((node) => actsOf(run, node, vrid, acting)),
      ).filter((interval) => lengthOf(interval) > tauUs - 2 * slackUs);
      return joined(all, tauUs).map((interval) => ({
        ...interval,
        vrid,
        open: interval.to >= run.scenario.until,
        must: visible.some((one) => overlaps(one, interval)),
        startSlackUs: slackUs,
        endSlackUs: slackUs,
        cause: causeAt(run.scenario, interval.from),
      }));
    });
  },
};
