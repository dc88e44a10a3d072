import { compareAddresses } from "../core/address.ts";
import type { MonoUs } from "../core/time.ts";
import type { Family, VrrpState } from "../events/vocabulary.ts";
import { masterDownUs } from "../vrrp/timers.ts";
import type { Daemon, Shadow } from "./draft.ts";
import { downTimeUs, type HeardPeer, type Router } from "./router.ts";
import type { FaultReason } from "./track.ts";
import { isBlocked } from "./transitions.ts";
import { sourceOf } from "./world.ts";

/** Why an instance is not master. Stable: people filter by them. */
export type NotMasterReason =
  | { readonly code: "fault"; readonly faults: readonly FaultReason[] }
  /** A script without weight has not run yet. */
  | { readonly code: "waits-for-script"; readonly scripts: readonly string[] }
  /** Another member of its sync group is in FAULT, waits, or does not want to be master. */
  | { readonly code: "sync-group"; readonly group: string; readonly members: readonly string[] }
  | { readonly code: "startup-delay"; readonly until: MonoUs }
  /** A master of higher or equal priority is heard. */
  | { readonly code: "outranked"; readonly peer: HeardPeer }
  /** A master of lower priority is heard, and left alone. */
  | { readonly code: "nopreempt"; readonly peer: HeardPeer }
  | { readonly code: "preempt-delay"; readonly peer: HeardPeer; readonly until: MonoUs | undefined }
  /** Nobody acceptable is heard; the master-down time is not over. */
  | { readonly code: "waits-master-down"; readonly until: MonoUs };

export interface Expectation {
  readonly instance: string;
  readonly interface: string | undefined;
  readonly family: Family;
  readonly vrid: number | undefined;
  readonly state: VrrpState;
  /** What it would be if its sync group let it. */
  readonly wants: VrrpState;
  readonly basePriority: number;
  readonly effectivePriority: number;
  /** Of a master: when its next advert is due. */
  readonly nextAdvertAt: MonoUs | undefined;
  /** Of a backup: when it takes over, or asks its sync group again. */
  readonly masterDownAt: MonoUs | undefined;
  /** How much of the master-down time has passed, 0 to 1; 0 unless it is a backup. */
  readonly marginUsed: number;
  /** Whom a backup follows. */
  readonly master: HeardPeer | undefined;
  readonly faults: readonly FaultReason[];
  /** Empty for a master. */
  readonly whyNotMaster: readonly NotMasterReason[];
  /** Who should be master now, by what is heard and by this instance itself; undefined: nobody is. */
  readonly expectedMaster: { readonly self: boolean; readonly address: string | undefined } | undefined;
}

/** What every instance should be doing at the shadow's time, and why. Empty without a daemon. */
export function expectations({ daemon, now, world }: Shadow): Expectation[] {
  if (!daemon) return [];
  return daemon.routers.map((router, index): Expectation => {
    const { conf, state, armedAt } = router;
    const masterDownAt =
      state === "BACKUP" ? (router.expiresAt ?? nextMultiple(armedAt, router, daemon, now)) : undefined;
    const whyNotMaster = state === "MASTER" ? [] : reasonsOf(daemon, index, router, { now, masterDownAt });
    return {
      instance: conf.name,
      interface: conf.interface,
      family: conf.family,
      vrid: conf.vrid,
      state,
      wants: router.wants,
      basePriority: router.base,
      effectivePriority: router.effective,
      nextAdvertAt: state === "MASTER" ? after(armedAt, conf.advertIntervalUs, now) : undefined,
      masterDownAt,
      marginUsed: masterDownAt === undefined ? 0 : usedShare(armedAt, masterDownAt, now),
      master: state === "BACKUP" ? router.master : undefined,
      faults: router.faults,
      whyNotMaster,
      expectedMaster: expectedMasterOf(router, sourceOf(conf, world, daemon.virtual), now),
    };
  });
}

/** The first instant after `now` that is a whole number of periods behind `from`. */
function after(from: MonoUs, periodUs: number, now: MonoUs): MonoUs {
  const periods = Math.max(1, Math.floor((now - from) / Math.max(1, periodUs)) + 1);
  return (from + periods * periodUs) as MonoUs;
}

const nextMultiple = (from: MonoUs, router: Router, { release }: Daemon, now: MonoUs): MonoUs =>
  after(from, downTimeUs(router, release), now);

function usedShare(from: MonoUs, to: MonoUs, now: MonoUs): number {
  return Math.min(1, Math.max(0, (now - from) / Math.max(1, to - from)));
}

function reasonsOf(
  daemon: Daemon,
  index: number,
  router: Router,
  { now, masterDownAt }: { readonly now: MonoUs; readonly masterDownAt: MonoUs | undefined },
): NotMasterReason[] {
  const { faults, waitsFor, conf, master, expiresAt, effective } = router;
  const reasons: NotMasterReason[] = [];
  if (faults.length > 0) reasons.push({ code: "fault", faults });
  if (waitsFor.length > 0) reasons.push({ code: "waits-for-script", scripts: waitsFor });
  const group = daemon.groups.find(({ members }) => members.includes(index));
  const isHeld =
    router.state === "BACKUP"
      ? router.wants === "MASTER" && isBlocked(daemon, index)
      : faults.length === 0 && waitsFor.length === 0;
  if (group && isHeld) {
    const members = group.members.filter((member) => member !== index && daemon.routers[member]?.wants !== "MASTER");
    reasons.push({
      code: "sync-group",
      group: group.name,
      members: members.flatMap((member) => daemon.routers[member]?.conf.name ?? []),
    });
  }
  if (router.state !== "BACKUP") return reasons;
  if (daemon.delayedUntil !== undefined && now < daemon.delayedUntil)
    reasons.push({ code: "startup-delay", until: daemon.delayedUntil });
  if (master) {
    if (master.priority >= effective) reasons.push({ code: "outranked", peer: master });
    else if (conf.nopreempt) reasons.push({ code: "nopreempt", peer: master });
    else if (conf.preemptDelayUs > 0 && (router.preemptAt === undefined || now < router.preemptAt))
      reasons.push({ code: "preempt-delay", peer: master, until: router.preemptAt });
  }
  if (masterDownAt !== undefined && (reasons.length === 0 || (!master && expiresAt !== undefined)))
    reasons.push({ code: "waits-master-down", until: masterDownAt });
  return reasons;
}

/** The best of those whose adverts still count, this instance among them. One that is followed, or is master, stays. */
function expectedMasterOf(router: Router, source: string | undefined, now: MonoUs): Expectation["expectedMaster"] {
  const { state, conf, master } = router;
  if (state === "MASTER") return { self: true, address: source };
  if (state === "BACKUP" && master) return { self: false, address: master.address };
  const alive = router.peers.filter(
    ({ priority, intervalUs, heardAt }) =>
      priority > 0 && heardAt + masterDownUs(conf.version, priority, intervalUs, conf.downTimerAdverts) > now,
  );
  const best = alive.reduce<HeardPeer | undefined>(
    (a, b) =>
      !a || b.priority > a.priority || (b.priority === a.priority && compareAddresses(b.address, a.address) > 0)
        ? b
        : a,
    undefined,
  );
  // A lower one that is heard and not followed is master until this instance takes over.
  return best && { self: false, address: best.address };
}
