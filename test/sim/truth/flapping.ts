import { US_PER_SECOND } from "../../../collector/core/time.ts";
import { acting, actsOf, edgeSlackUs, nodesOf, type TruthModule } from "./truth.ts";

const PENALTY = 1_000;
const OPEN_AT = 3_000;
const CLOSE_AT = 1_500;
/** The longer half-life keeps open what the shorter one lets go of. */
const HALF_LIFE_US = 6 * 3_600 * US_PER_SECOND;

/** Masterships that begin on another node than the one before, counted as RFC 2439 counts route flaps. */
export const flapping: TruthModule = {
  kind: "flapping",
  of(run) {
    return run.scenario.routers.flatMap((router) => {
      const begins = nodesOf(router)
        .flatMap((node) => actsOf(run, node, router.vrid, acting).map(({ from }) => ({ node, from })))
        .sort((a, b) => a.from - b.from);
      let penalty = 0;
      let last = 0;
      let since: number | undefined;
      for (const [i, { node, from }] of begins.entries()) {
        if (i === 0 || begins[i - 1]?.node === node) continue;
        penalty = penalty * 2 ** ((last - from) / HALF_LIFE_US) + PENALTY;
        last = from;
        if (penalty >= OPEN_AT) since ??= from;
      }
      const slackUs = Math.max(...nodesOf(router).map((node) => edgeSlackUs(run, node)));
      const isOpen = penalty * 2 ** ((last - run.scenario.until) / HALF_LIFE_US) > CLOSE_AT;
      return since === undefined
        ? []
        : [
            {
              from: since,
              to: run.scenario.until,
              vrid: router.vrid,
              open: isOpen,
              must: true,
              startSlackUs: slackUs,
              endSlackUs: slackUs,
            },
          ];
    });
  },
};
