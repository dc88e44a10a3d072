import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { Run } from "../simulate.ts";
import type { Interval } from "./intervals.ts";
import { acting, actsOf, downUsOf, frozenOf, logSlackUs, readsOf, shownUs, type TruthModule } from "./truth.ts";

/** Adverts that come when this much of the master-down time is used were nearly too late. */
const MARGIN = 0.5;
/** The daemon tells of a timer that is later than this. */
const STALL_US = US_PER_SECOND;
/** What became of it shows this long before and after it, beyond the master-down time. */
const AFTERMATH_US = 2 * US_PER_SECOND;

/** A daemon that did not run for a while, and from which nobody took over; told from when it runs again. */
export const nearMiss: TruthModule = {
  kind: "near-miss",
  of(run) {
    const { scenario } = run;
    return scenario.nodes.flatMap(({ name }) => {
      const frozen = frozenOf(run, name).filter(({ to }) =>
        scenario.deeds.some(({ at, deed }) => at === to && deed.kind === "thaw" && deed.node === name),
      );
      const slackUs = logSlackUs(run, name);
      return frozen.map((span) => {
        const since = { from: span.to, to: scenario.until };
        return {
          ...since,
          vrid: undefined,
          node: name,
          open: true,
          must: readsOf(run, name, "log") && shownUs(since, scenario) > 0 && isNear(run, name, span, slackUs),
          // The ones that are near to each other are one.
          startSlackUs: slackUs + span.to - (frozen[0]?.to ?? span.to),
          endSlackUs: slackUs,
          cause: "scheduler-stall",
        };
      });
    });
  },
};

/** It was a master's, long enough to be told, and nothing came of it on any router of the node. */
function isNear(run: Run, node: string, { from, to }: Interval, slackUs: number): boolean {
  const own = run.scenario.routers.filter(({ priorities }) => priorities.has(node));
  const downUs = Math.max(...own.map(downUsOf));
  const around = { from: from - AFTERMATH_US - slackUs, to: to + downUs + AFTERMATH_US + slackUs };
  const masters = own.filter(({ vrid }) =>
    actsOf(run, node, vrid, acting).some((act) => act.from <= around.from && act.to >= around.to),
  );
  const isQuiet = own.every(({ vrid, priorities }) => {
    const acts = [...priorities.keys()].flatMap((name) => actsOf(run, name, vrid, acting));
    const here = acts.filter((act) => act.from < around.to && act.to > around.from);
    return here.length === 1 && here.every((act) => act.from <= around.from && act.to >= around.to);
  });
  const isTold = masters.some(
    (router) => to - from > STALL_US + router.intervalUs + slackUs && to - from > MARGIN * downUsOf(router),
  );
  return isQuiet && isTold;
}
