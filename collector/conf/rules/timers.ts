import { US_PER_SECOND } from "../../core/time.ts";
import { last, microseconds } from "../model/read.ts";
import { type Conf, type Finding, placeOf, type Rule, seconds } from "./rule.ts";

/** Adverts and gratuitous ARP: what the wire can carry, and what is never sent. */

function* advertIntervals({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { nodes, value } = one;
    const asked = microseconds(0.01, 255)(last(nodes, "advert_int")?.values[0]?.text ?? "");
    if (asked === undefined || asked === value.advertIntervalUs) continue;
    const why =
      value.version === 2
        ? "version 2 carries whole seconds"
        : asked > value.advertIntervalUs
          ? "version 3 carries at most 40.95 s"
          : "version 3 carries hundredths of a second";
    yield {
      code: "advert_int_adjusted",
      at: placeOf(one, "advert_int"),
      message: `vrrp_instance ${value.name} will send every ${seconds(value.advertIntervalUs)}, not every ${seconds(asked)}: ${why}`,
      ...(value.version === 2 ? { fix: "Give whole seconds, or set version 3 on all nodes" } : {}),
      instance: value.name,
    };
  }
}

/** Longer than this without a master is felt by most clients. */
const SLOW_FAILOVER_US = 30 * US_PER_SECOND;

function* slowFailover({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { name, advertIntervalUs, downTimerAdverts } = one.value;
    const down = advertIntervalUs * downTimerAdverts;
    if (down <= SLOW_FAILOVER_US) continue;
    yield {
      code: "failover_slow",
      at: placeOf(one, "advert_int", "down_timer_adverts"),
      message: `a backup of vrrp_instance ${name} waits more than ${seconds(down)} (${downTimerAdverts} adverts, one every ${seconds(advertIntervalUs)}) before it takes over`,
      instance: name,
    };
  }
}

export const timerRules: readonly Rule[] = [advertIntervals, slowFailover];
