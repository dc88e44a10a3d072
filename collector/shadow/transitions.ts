import type { MonoUs } from "../core/time.ts";
import { arm, type Daemon, type Draft, groupOf, patch, routerAt, setGroup, tellPriority, tellState } from "./draft.ts";
import { skewUs } from "../vrrp/timers.ts";
import type { StateCause } from "./input.ts";
import { downTimeUs, isOld, type Router, skewOfUs } from "./router.ts";
import { beginScript, effectivePriority, OWNER_PRIORITY, isQuorate, judge, type Tracked } from "./track.ts";

/** How instances change their states, alone and in sync groups. (2.2.7, vrrp/vrrp_scheduler.c, vrrp/vrrp_sync.c) */

/** A backup's time is up. */
export function expire(draft: Draft, index: number): void {
  const { expiryCause, transitioning, conf } = routerAt(draft, index);
  if (isBlocked(draft, index)) {
    // It asks again after each master-down time, in vain: the last member to want it takes all the others with it.
    patch(draft, index, { wants: "MASTER", expiresAt: undefined, armedAt: draft.now });
  } else if (isOld(draft.release) && !transitioning) {
    patch(draft, index, {
      wants: "MASTER",
      transitioning: true,
      expiresAt: (draft.now + conf.advertIntervalUs) as MonoUs,
    });
  } else {
    enterMaster(draft, index, expiryCause);
    const group = groupOf(draft, index);
    if (!group) return;
    setGroup(draft, group, "MASTER");
    for (const member of group.members)
      if (routerAt(draft, member).state !== "MASTER") enterMaster(draft, member, "sync-group");
  }
}

/** A group goes together: not before every member wants it. */
export function isBlocked(daemon: Pick<Daemon, "groups" | "routers">, index: number): boolean {
  const group = daemon.groups.find(({ members }) => members.includes(index));
  if (!group || group.state === "MASTER") return false;
  return group.members.some((member) => member !== index && daemon.routers[member]?.wants !== "MASTER");
}

function enterMaster(draft: Draft, index: number, cause: StateCause): void {
  tellState(draft, routerAt(draft, index), "MASTER", cause, true);
  patch(draft, index, {
    state: "MASTER",
    wants: "MASTER",
    expiresAt: undefined,
    armedAt: draft.now,
    master: undefined,
    preemptAt: undefined,
    transitioning: false,
    rivalSince: undefined,
  });
}

function enterBackup(draft: Draft, index: number, cause: StateCause, logged = true): void {
  tellState(draft, routerAt(draft, index), "BACKUP", cause, logged);
  patch(draft, index, {
    state: "BACKUP",
    wants: "BACKUP",
    armedAt: draft.now,
    transitioning: false,
    rivalSince: undefined,
  });
  arm(draft, index);
}

function enterFault(draft: Draft, index: number, cause: StateCause, logged: boolean): void {
  tellState(draft, routerAt(draft, index), "FAULT", cause, logged);
  patch(draft, index, {
    state: "FAULT",
    wants: "FAULT",
    expiresAt: undefined,
    armedAt: draft.now,
    master: undefined,
    preemptAt: undefined,
    transitioning: false,
    rivalSince: undefined,
  });
}

/** A master gives way, and its group with it. */
export function yieldTo(draft: Draft, index: number, cause: StateCause): void {
  enterBackup(draft, index, cause);
  const group = groupOf(draft, index);
  if (!group || group.state === "BACKUP") return;
  setGroup(draft, group, "BACKUP");
  // One that still waits for its first script goes on waiting.
  for (const member of group.members)
    if (member !== index && routerAt(draft, member).state === "MASTER") enterBackup(draft, member, "sync-group");
}

/** Somebody else took virtual addresses away: a master, and its group, announces its end and asks again after a skew. */
export function loseAddresses(draft: Draft, nic: string, lost: readonly string[]): void {
  for (const [index, { state, conf }] of draft.routers.entries()) {
    const isLost = [...conf.vips, ...conf.excludedVips].some(
      (vip) => lost.includes(vip.address) && (vip.interface === nic || conf.vmac?.interface === nic),
    );
    if (state !== "MASTER" || !isLost) continue;
    const group = groupOf(draft, index);
    for (const member of [index, ...(group?.members ?? []).filter((other) => other !== index)]) {
      enterBackup(draft, member, member === index ? "vip-removed" : "sync-group");
      arm(draft, member, { downUs: skewOfUs(routerAt(draft, member), draft.release) });
    }
    if (group) setGroup(draft, group, "BACKUP");
  }
}

function fail(draft: Draft, index: number, cause: StateCause, logged: boolean): void {
  enterFault(draft, index, cause, logged);
  const group = groupOf(draft, index);
  if (!group || group.state === "FAULT") return;
  setGroup(draft, group, "FAULT");
  for (const member of group.members)
    if (routerAt(draft, member).state !== "FAULT")
      // A backup follows without a word. (tried with 2.2.7)
      enterFault(draft, member, "sync-group", logged && routerAt(draft, member).state !== "BACKUP");
}

/** The last reason is gone: it comes up as backup, once no other member of its group has one. */
function recover(draft: Draft, index: number): void {
  const group = groupOf(draft, index);
  const members = group?.members ?? [index];
  if (members.some((member) => !isFit(draft, member))) return;
  for (const member of [index, ...members.filter((other) => other !== index)]) {
    const { state, conf } = routerAt(draft, member);
    if (state !== "FAULT" && state !== "INIT") continue;
    patch(draft, member, { masterIntervalUs: conf.advertIntervalUs });
    if (state === "INIT" && areOwners(draft, members)) beginOwner(draft, member);
    else enterBackup(draft, member, member !== index ? "sync-group" : state === "INIT" ? "start" : "fault-over");
  }
  if (group) setGroup(draft, group, "BACKUP");
}

function isFit(draft: Draft, index: number): boolean {
  const { faults, waitsFor } = routerAt(draft, index);
  return faults.length === 0 && waitsFor.length === 0;
}

/** Something that is tracked has changed: what it means for every instance. */
export function rejudge(draft: Draft): void {
  const places = [...draft.routers.keys()];
  const wereUnfit = places.filter((index) => !isFit(draft, index));
  for (const [index, router] of draft.routers.entries()) {
    const { faults, waitsFor, weight } = judge(router, draft);
    patch(draft, index, { faults, waitsFor });
    changePriority(draft, index, weight);
  }
  // In a group the last member that was waited for goes first.
  const last = wereUnfit.filter(
    (index, i) => !groupOf(draft, index)?.members.some((member) => wereUnfit.indexOf(member) > i),
  );
  reconcile(draft, [...last, ...places]);
}

/** Takes instances to the states that their reasons call for. */
export function reconcile(draft: Draft, indices: readonly number[]): void {
  for (const index of indices) {
    const { faults, state } = routerAt(draft, index);
    if (isFit(draft, index)) {
      if (state === "FAULT" || state === "INIT") recover(draft, index);
      // A script that fails in its first run leaves the instance where it waited, without a word.
    } else if (faults.length > 0 && state !== "FAULT") fail(draft, index, "fault", state !== "INIT");
  }
}

function changePriority(draft: Draft, index: number, weight: number): void {
  const router = routerAt(draft, index);
  // A file whose content is a fault has no weight: the priority stays until the content is a number again.
  if (weight === router.weight || router.faults.some(({ kind }) => kind === "file")) return;
  patch(draft, index, { weight });
  const effective = effectivePriority(router.base, weight);
  if (effective === router.effective) return;
  tellPriority(draft, router, effective);
  const changed = patch(draft, index, { effective });
  if (changed.state !== "BACKUP" || changed.expiresAt === undefined) return;
  // By the difference to what the timer was last set to, which is less than the master-down time after a refused advert.
  const downUs = downTimeUs(changed, draft.release);
  patch(draft, index, { downUs, expiresAt: (changed.expiresAt + downUs - router.downUs) as MonoUs });
}

/** Enters the first states of instances that have none yet. */
export function begin(draft: Draft, indices: readonly number[]): void {
  for (const index of indices) {
    const { state, faults } = routerAt(draft, index);
    if (state !== "INIT" || faults.length === 0) continue;
    fail(
      draft,
      index,
      "start",
      faults.some(({ kind }) => kind !== "script"),
    );
  }
  for (const index of indices) {
    if (routerAt(draft, index).state !== "INIT") continue;
    const members = groupOf(draft, index)?.members ?? [index];
    if (members.some((member) => routerAt(draft, member).waitsFor.length > 0)) continue;
    if (isOld(draft.release) && members.every((member) => routerAt(draft, member).conf.startState === "MASTER")) {
      enterBackup(draft, index, "start", false);
      arm(draft, index, { downUs: 0, cause: "start" });
      if (members.at(-1) === index) for (const member of members) beginTransition(draft, member);
    } else if (areOwners(draft, members)) beginOwner(draft, index);
    else enterBackup(draft, index, "start");
  }
  for (const group of draft.groups.slice())
    if (group.state === "INIT" && group.members.every((member) => routerAt(draft, member).state === "BACKUP"))
      setGroup(draft, group, "BACKUP");
}

/** After a reload a master whose group holds a member that is none steps back, and waits for it hardly longer than an interval. */
export function leaveIncompleteGroups(draft: Draft): void {
  for (const [index, { state, conf }] of draft.routers.entries()) {
    const group = groupOf(draft, index);
    if (state !== "MASTER" || !group || group.state === "MASTER" || !isFit(draft, index)) continue;
    enterBackup(draft, index, "reload");
    patch(draft, index, { wants: "MASTER" });
    arm(draft, index, { downUs: conf.advertIntervalUs + skewUs(conf.version, OWNER_PRIORITY, conf.advertIntervalUs) });
  }
}

/** What keepalived sets an address owner's first timer to. */
const OWNER_WAIT_US = 1;

/** From 2.0 on an owner does not wait, unless another member of its group has to. */
function areOwners(draft: Draft, members: readonly number[]): boolean {
  const isOwner = ({ base, conf }: Router): boolean => base === OWNER_PRIORITY && conf.startState === "MASTER";
  return !isOld(draft.release) && members.every((member) => isOwner(routerAt(draft, member)));
}

function beginOwner(draft: Draft, index: number): void {
  enterBackup(draft, index, "start", false);
  patch(draft, index, { wants: "MASTER" });
  arm(draft, index, { downUs: OWNER_WAIT_US, cause: "owner" });
}

function beginTransition(draft: Draft, index: number): void {
  patch(draft, index, { wants: "MASTER", transitioning: true });
  arm(draft, index, { downUs: routerAt(draft, index).conf.advertIntervalUs, cause: "start" });
}

/** What a fresh daemon knows of what it tracks. */
export function beginTracking(draft: Pick<Draft, "config" | "world">, known?: Tracked): Tracked {
  const { scripts, trackProcesses, bfds } = draft.config;
  return {
    scripts: new Map(
      scripts.map((script) => [script.name, known?.scripts.get(script.name) ?? beginScript(script)] as const),
    ),
    processes: new Map(
      trackProcesses.flatMap((process) => {
        const count = draft.world.processes.get(process.name);
        return count === undefined ? [] : [[process.name, { count, met: isQuorate(process, count) }] as const];
      }),
    ),
    bfds: new Map(bfds.map(({ name }) => [name, known?.bfds.get(name) ?? false] as const)),
  };
}
