import type { Instance } from "../conf/model/types.ts";
import { compareReleases, type Release } from "../conf/version.ts";
import type { MonoUs } from "../core/time.ts";
import type { VrrpState } from "../events/vocabulary.ts";
import { masterDownUs, skewUs } from "../vrrp/timers.ts";
import type { StateCause } from "./input.ts";
import type { FaultReason } from "./track.ts";

/** Who was heard last as master. */
export interface HeardPeer {
  readonly address: string;
  readonly priority: number;
  readonly intervalUs: number;
  readonly heardAt: MonoUs;
}

/** One instance as it runs. Words in brackets are keepalived's own. */
export interface Router {
  readonly conf: Instance;
  /** Its unicast source address was there when its socket was made. */
  readonly isBound: boolean;
  /** Its macvlan or ipvlan interface was up since the start: while keepalived makes it, it is down. */
  readonly isVmacUp: boolean;
  readonly state: VrrpState;
  /** What it would be if its sync group let it (wantstate). */
  readonly wants: VrrpState;
  /** The configured priority, unless a second address owner made it give that up. */
  readonly base: number;
  readonly effective: number;
  /** What trackers add, as last judged: the effective priority changes with it. */
  readonly weight: number;
  readonly faults: readonly FaultReason[];
  readonly waitsFor: readonly string[];
  /** The master's interval: learnt in version 3, the own one in version 2 (master_adver_int). */
  readonly masterIntervalUs: number;
  /** What the timer was last set to (ms_down_timer): less than the master-down time after an advert was refused. */
  readonly downUs: number;
  /** When a backup takes over (sands). Undefined in other states, and while it waits for its sync group. */
  readonly expiresAt: MonoUs | undefined;
  readonly expiryCause: StateCause;
  /** Counts the settings of timers: of two that end together, the one that was set first comes first. */
  readonly turn: number;
  /** When the timer was last set anew: a backup's by an advert it accepted, a master's by any packet. */
  readonly armedAt: MonoUs;
  readonly master: HeardPeer | undefined;
  /** Whose advert was last accepted or discarded: skip_check_adv_addr goes by it. */
  readonly source: string | undefined;
  /** Everybody valid who was heard, the oldest first. */
  readonly peers: readonly HeardPeer[];
  /** When lower priorities are no longer accepted (preempt_time). */
  readonly preemptAt: MonoUs | undefined;
  /** 1.x: the first advert is sent, the addresses follow an interval later. */
  readonly transitioning: boolean;
  /** 2.3.3: since when another address owner is heard. */
  readonly rivalSince: MonoUs | undefined;
}

export const isBefore = (release: Release, than: Release): boolean => compareReleases(release, than) < 0;
export const isOld = (release: Release): boolean => release[0] < 2;

const DOWN_TIMER_ADVERTS_SINCE: Release = [2, 2, 3];

/** How long a backup waits. 1.x goes by the configured priority and by its own interval. */
export function downTimeUs({ conf, effective, masterIntervalUs }: Router, release: Release): number {
  return masterDownUs(
    conf.version,
    isOld(release) ? conf.priority : effective,
    conf.version === 2 || isOld(release) ? conf.advertIntervalUs : masterIntervalUs,
    isBefore(release, DOWN_TIMER_ADVERTS_SINCE) ? 3 : conf.downTimerAdverts,
  );
}

export function skewOfUs({ conf, effective, masterIntervalUs }: Router, release: Release): number {
  return skewUs(
    conf.version,
    isOld(release) ? conf.priority : effective,
    conf.version === 2 || isOld(release) ? conf.advertIntervalUs : masterIntervalUs,
  );
}
