import { US_PER_MS, US_PER_SECOND } from "../../collector/core/time.ts";
import { STRETCH_SIZES, type StretchSizes } from "./stretch.ts";
import type { FlapOptions } from "./penalty.ts";

/** Advert interval taken for a router of which neither configuration nor adverts tell one: keepalived's own default. */
export const ADVERT_INTERVAL_DEFAULT_US = US_PER_SECOND;
/** Adverts a backup misses before it takes over, when no configuration says: keepalived's default. */
export const DOWN_TIMER_ADVERTS_DEFAULT = 3;
/** Priority taken for the skew when none is known: keepalived's default. */
export const PRIORITY_DEFAULT = 100;
/** An overlap is a split-brain when longer than this many advert intervals. */
export const OVERLAP_INTERVALS = 1.5;
/** Two sources may tell of the same begin or end of a mastership this far apart, beyond their own uncertainties. */
export const SAME_EDGE_SLACK_US = 1_500 * US_PER_MS;
/** Sources tell of one edge a few milliseconds after another: what an overlap may seem longer by. */
export const EDGE_LAG_US = 50 * US_PER_MS;
/** A node's kernel follows its log by less than this when a mastership begins or ends. */
export const DENIAL_LAG_US = 250 * US_PER_MS;
/** A node not seen for this long after another one took over counts as one that cannot be seen. */
export const SILENT_AFTER_US = 10 * US_PER_SECOND;
/**
 * A capture reports a silent sender after its master-down interval (at most 4 advert intervals) and this much more for its
 * timer and the batch: until then an open wire bar says nothing about the present.
 */
export const WIRE_GONE_MARGIN_US = 2 * US_PER_SECOND;
/** A collector and a daemon that start within this long of each other were started by the host's boot. */
export const SAME_BOOT_US = 120 * US_PER_SECOND;
/** A daemon that ends within this long after it started, or was reloaded, failed to start. */
export const START_DEADLINE_US = 30 * US_PER_SECOND;
/** A start counts as a success when the node was watched this long after its first sign of life and nothing failed. */
export const START_SETTLE_US = 3 * US_PER_SECOND;
/** Children of a daemon that ends follow it within a second or two; one that lives longer was left behind. */
export const ORPHAN_GRACE_US = 5 * US_PER_SECOND;
/** keepalived starts a child that died again after a second, and again at longer intervals; one that is missing for this long is not coming back. */
export const CHILD_GONE_US = 30 * US_PER_SECOND;
/** A start script stops the old daemon, waits, and starts the new one: a few seconds. */
export const LAUNCH_DEADLINE_US = 15 * US_PER_SECOND;
/** Who edits a file tests it, and the other node's, before the reload. */
export const CONFIG_STALE_US = 600 * US_PER_SECOND;
/** A collector looks at the files every two seconds, and its look takes a while: a change it tells this soon after a load was loaded. */
export const CONFIG_SEEN_LATE_US = 5 * US_PER_SECOND;
/** The faults of a file count when they have been so for this long: editors save twice, and a reload takes a second or two. */
export const CONFIG_SETTLE_US = 10 * US_PER_SECOND;
/** A change that makes nodes differ counts when they differ for this long: a rollout takes the nodes one after the other. */
export const DRIFT_GRACE_US = 300 * US_PER_SECOND;
/** The configuration of a node that was not seen for this long counts no more: it may be gone for good. */
export const CONFIG_FORGOTTEN_US = 86_400 * US_PER_SECOND;
/** An announcement this close to a mastership is part of it: keepalived repeats its own five seconds later, and a log has whole seconds. */
export const ANNOUNCEMENT_SLACK_US = 10 * US_PER_SECOND;
/** What nobody corrects is believed for this long: caches of neighbours forget within minutes. */
export const ANNOUNCED_FOR_US = 300 * US_PER_SECOND;
/** An instance in FAULT for less than this is a matter of flapping, if of anything: a log has whole seconds. */
export const FAULT_GRACE_US = 3 * US_PER_SECOND;
/** The same within this long after the daemon read its configuration: links come up, and scripts run for the first time. */
export const FAULT_START_GRACE_US = 15 * US_PER_SECOND;
/** Instances of a node that get into FAULT within this long of each other have one reason. */
export const FAULT_TOGETHER_US = 5 * US_PER_SECOND;
/** A check that is well again sooner than this is a matter of flapping, if of anything. */
export const SCRIPT_GRACE_US = 5 * US_PER_SECOND;
/** What comes of a verdict is told within this long after it. */
export const SCRIPT_EFFECT_US = 2 * US_PER_SECOND;
/** RFC 2439's figures, as routers are shipped with them: four changes within minutes open, none for a while close. */
export const FLAPPING_DEFAULTS: FlapOptions = {
  penalty: 1_000,
  openAt: 3_000,
  closeAt: 1_500,
  halfLivesUs: [600 * US_PER_SECOND, 6 * 3600 * US_PER_SECOND],
};
/** Most pieces of evidence in one incident. */
export const EVIDENCE_MAX = 50;
/** Two starts of one incident, before and after a revision, may be this far apart without any overlap. */
export const SAME_INCIDENT_US = 5 * US_PER_SECOND;
/** After a restart an incident known before is withdrawn only once its cluster is watched this far past it. */
export const RESTART_GRACE_US = 60 * US_PER_SECOND;
/** An advert that comes when this much of the master-down time is used, or more, was nearly too late: one of three lost, with the defaults. */
export const NEAR_MISS_MARGIN = 0.5;
/** From here on one more lost advert would have been a failover: that is worth a warning. */
export const NEAR_MISS_WARNING_MARGIN = 0.75;
/** Near-misses this close to each other have one reason, and are one incident. */
export const NEAR_MISS_EPISODE_US = 300 * US_PER_SECOND;
/** A daemon that slept notices what became of it this long after it woke, beyond its master-down time. */
export const STALL_AFTERMATH_US = US_PER_SECOND;
/** A node, or one of its sources, that was not seen for this long is worth saying: restarts and updates take less. */
export const BLIND_AFTER_US = 60 * US_PER_SECOND;
/** ... and a collector with slow heartbeats is silent when this many of them did not come. */
export const BLIND_BEATS_MISSED = 4;
/** Gaps of one source this close to each other are one incident. */
export const BLIND_EPISODE_US = 300 * US_PER_SECOND;
/** A clock this far off is nobody's intention, wherever NTP runs; below it, it is put right without a word. */
export const CLOCK_OFF_US = 500 * US_PER_MS;
/** A router without a second node for this long has lost its redundancy: a restart takes seconds, a virtual machine's reboot less than this. */
export const REDUNDANCY_GRACE_US = 120 * US_PER_SECOND;
/** Signs of life of a node that are no further apart are one stretch of life. */
export const LIFE_SIGN_GAP_US = 10 * US_PER_SECOND;

/** Every detector has concluded what there is to conclude from a silence this long. */
export const SETTLED_US = 1_200 * US_PER_SECOND;

/** auth_hmac refuses adverts whose sender's clock differs by more than its window: this share of it is worth a warning before. */
export const HMAC_WINDOW_USED = 0.5;

/** What the live detectors keep of each cluster at hand. */
export interface DetectionLimits {
  /** Events, of the newest time; what came of an older one is concluded and stays, and is not looked at again. */
  readonly events: number;
  /** Other ones than the usual are for tests: much history in few events. */
  readonly sizes: StretchSizes;
}

/** About 300 MiB when all of it is used: months of a cluster that fails over now and then. */
const EVENTS_AT_HAND = 200_000;

export interface DetectionOptions {
  /** Microseconds; default SILENT_AFTER_US. */
  readonly silentAfterUs: number;
  /** Microseconds; default START_DEADLINE_US. */
  readonly startDeadlineUs: number;
  readonly flapping: FlapOptions;
  /** Of each cluster; default EVENTS_AT_HAND. */
  readonly eventsAtHand: number;
}

export const DETECTION_DEFAULTS: DetectionOptions = {
  silentAfterUs: SILENT_AFTER_US,
  startDeadlineUs: START_DEADLINE_US,
  flapping: FLAPPING_DEFAULTS,
  eventsAtHand: EVENTS_AT_HAND,
};

export const liveLimits = ({ eventsAtHand }: DetectionOptions): DetectionLimits => ({
  events: eventsAtHand,
  sizes: STRETCH_SIZES,
});
