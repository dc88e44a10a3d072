import { causeAt } from "./causes.ts";
import { gapsIn, lengthOf, overlaps } from "./intervals.ts";
import {
  acting,
  actsOf,
  downUsOf,
  edgeSlackUs,
  nodesOf,
  readsOf,
  shownUs,
  TAU_INTERVALS,
  type TruthModule,
  unwatchedOf,
} from "./truth.ts";

/** Nobody acts as master for longer than any backup waits, and τ. */
export const noMaster: TruthModule = {
  kind: "no-master",
  of(run) {
    return run.scenario.routers.flatMap((router) => {
      const { vrid, intervalUs } = router;
      const begun = run.begun.get(vrid);
      if (begun === undefined) return [];
      const nodes = nodesOf(router);
      const thresholdUs = downUsOf(router) + TAU_INTERVALS * intervalUs;
      const slackUs = Math.max(...nodes.map((node) => edgeSlackUs(run, node)));
      const acts = nodes.flatMap((node) => actsOf(run, node, vrid, acting));
      const isSeen = nodes.every((node) => readsOf(run, node, "kernel") || readsOf(run, node, "wire"));
      const unwatched = nodes.flatMap((node) => unwatchedOf(run, node));
      return gapsIn({ from: begun, to: run.scenario.until }, acts)
        .filter((gap) => lengthOf(gap) > thresholdUs - 2 * slackUs)
        .map((gap) => ({
          ...gap,
          vrid,
          open: gap.to >= run.scenario.until,
          must:
            isSeen &&
            shownUs(gap, run.scenario) > thresholdUs + 2 * slackUs &&
            !unwatched.some((one) => overlaps(one, gap)),
          startSlackUs: slackUs,
          endSlackUs: slackUs,
          cause: causeAt(run.scenario, gap.from),
        }));
    });
  },
};
