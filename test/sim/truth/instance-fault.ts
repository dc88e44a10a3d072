import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { Run } from "../simulate.ts";
import { type Interval, joined, lengthOf, overlaps } from "./intervals.ts";
import { actsOf, logSlackUs, readsOf, shownUs, type TruthModule, unwatchedOf } from "./truth.ts";

/** It has to last so long, ... */
const GRACE_US = 3 * US_PER_SECOND;
/** ... and so long where the daemon began, or read its configuration, this short a time before. */
const START_GRACE_US = 15 * US_PER_SECOND;
const STARTS: ReadonlySet<string> = new Set(["start", "reload", "crash"]);

/** Instances of a node are in FAULT: here for want of a link, all at once. */
export const instanceFault: TruthModule = {
  kind: "instance-fault",
  of(run) {
    return run.scenario.nodes.flatMap(({ name }) => {
      const own = run.scenario.routers.filter(({ priorities }) => priorities.has(name));
      const [only] = own;
      const slackUs = logSlackUs(run, name);
      const faults = joined(
        own.flatMap(({ vrid }) => actsOf(run, name, vrid, ({ fault }) => fault)),
        0,
      );
      const unwatched = unwatchedOf(run, name);
      return faults
        .filter((fault) => lengthOf(fault) > GRACE_US - 2 * slackUs)
        .map((fault) => ({
          ...fault,
          vrid: own.length === 1 ? only?.vrid : undefined,
          node: name,
          open: fault.to >= run.scenario.until,
          must:
            readsOf(run, name, "log") &&
            shownUs(fault, run.scenario) > graceOf(fault, name, run) + 2 * slackUs &&
            !unwatched.some((one) => overlaps(one, { from: fault.from, to: fault.to + 1 })),
          startSlackUs: slackUs,
          endSlackUs: slackUs,
          cause: "interface",
        }));
    });
  },
};

const graceOf = ({ from }: Interval, node: string, { scenario }: Run): number =>
  scenario.deeds.some(
    ({ at, deed }) =>
      STARTS.has(deed.kind) && "node" in deed && deed.node === node && at <= from && at > from - 2 * START_GRACE_US,
  )
    ? START_GRACE_US
    : GRACE_US;
