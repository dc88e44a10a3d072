import { realServerName, virtualServerName } from "../checks/names.ts";
import type { Instance, Running } from "../conf/model/types.ts";
import type { Release } from "../conf/version.ts";
import { US_PER_SECOND } from "../core/time.ts";
import type { Family } from "../events/vocabulary.ts";
import { masterDownUs } from "../vrrp/timers.ts";
import type { Decoded } from "../vrrp/advert.ts";
import type { HeardAdvert } from "../vrrp/senders.ts";
import type { Subject } from "./observed.ts";
import { OWNER_PRIORITY } from "./track.ts";

/** How often processes that are tracked by name are counted, microseconds: keepalived hears of each at once. */
export const COUNT_US = US_PER_SECOND;

/** The timeout is for each step of a check: to connect, to write, to read an answer. */
const STEPS_MAX = 3;

/** The instances of a configuration, as far as the verdict needs them. */
export function subjectsOf({ instances, trackProcesses }: Running): Subject[] {
  return instances.map((instance) => ({
    instance: instance.name,
    vips: [...instance.vips, ...instance.excludedVips].map(({ address }) => address),
    owner: instance.priority === OWNER_PRIORITY,
    advertIntervalUs: instance.advertIntervalUs,
    // The lowest priority waits longest: what trackers make of it does not matter here.
    masterDownUs: masterDownUs(instance.version, 1, instance.advertIntervalUs, instance.downTimerAdverts),
    uncertaintyUs: trackProcesses.length > 0 ? 2 * COUNT_US : 0,
  }));
}

/** Which instances an advert speaks to, or comes from: those that keepalived itself would look it up for. */
export class AdvertIndex {
  private readonly byRouter = new Map<number, Instance[]>();
  /** What was found for an advert that comes again, and for which place. */
  private readonly found = new WeakMap<Decoded, Found>();

  constructor(instances: readonly Instance[]) {
    for (const instance of instances) {
      const key = routerKey(instance.family, instance.vrid ?? 0);
      this.byRouter.set(key, [...(this.byRouter.get(key) ?? []), instance]);
    }
  }

  instancesOf(heard: HeardAdvert): readonly Instance[] {
    const { advert, interface: nic, outgoing } = heard;
    const known = this.found.get(advert);
    if (known !== undefined && known.interface === nic && known.outgoing === outgoing) return known.instances;
    const instances = this.lookUp(heard);
    this.found.set(advert, { interface: nic, outgoing, instances });
    return instances;
  }

  private lookUp({ advert, interface: nic, outgoing }: HeardAdvert): readonly Instance[] {
    const all = this.byRouter.get(routerKey(advert.family, advert.vrid)) ?? NONE;
    return all.filter(({ interface: own, vmac, unicastPeers, sourceAddress }) => {
      if (own !== undefined && own !== nic && vmac?.interface !== nic) return false;
      // One VRID may be in use several times between other addresses.
      if (unicastPeers.length === 0) return true;
      if (outgoing) return sourceAddress === undefined || sourceAddress === advert.source;
      return unicastPeers.some(({ address }) => address === advert.source);
    });
  }
}

interface Found {
  readonly interface: string;
  readonly outgoing: boolean;
  readonly instances: readonly Instance[];
}

const NONE: readonly Instance[] = [];
const routerKey = (family: Family, vrid: number): number => (family === "ipv4" ? vrid : 256 + vrid);

export interface ServiceSubject {
  readonly virtualServer: string;
  readonly realServer: string;
  /** It begins down, and keepalived says nothing until a check succeeds (alpha). */
  readonly beginsDown: boolean;
  readonly checkers: number;
  /** Two who check by themselves see a change this long after each other at most, microseconds. */
  readonly toleranceUs: number;
}

/** The real servers that have a checker, by the names that log and checks have for them. */
export function servicesOf({ virtualServers }: Running, release: Release): ServiceSubject[] {
  return virtualServers.flatMap((virtual) =>
    virtual.realServers.flatMap((real): ServiceSubject[] => {
      const { checkers } = real;
      if (checkers.length === 0) return [];
      const slowest = checkers.map(
        ({ delayLoopUs, retry, delayBeforeRetryUs, connectTimeoutUs }) =>
          delayLoopUs + (retry + 1) * STEPS_MAX * connectTimeoutUs + retry * delayBeforeRetryUs,
      );
      return [
        {
          virtualServer: virtualServerName(virtual, release),
          realServer: realServerName(virtual, real, release),
          beginsDown: checkers.some(({ alpha }) => alpha),
          checkers: checkers.length,
          toleranceUs: Math.max(...slowest) + US_PER_SECOND,
        },
      ];
    }),
  );
}
