import type { Running } from "../conf/model/types.ts";
import type { Release } from "../conf/version.ts";
import type { MonoUs } from "../core/time.ts";
import type { VrrpState } from "../events/vocabulary.ts";
import type { ShadowEffect, ShadowInput, StateCause } from "./input.ts";
import { downTimeUs, type Router } from "./router.ts";
import type { Tracked } from "./track.ts";
import type { World } from "./world.ts";

/** A sync group as it runs. */
export interface Group {
  readonly name: string;
  /** Places of its members among the routers, in the order of the configuration. */
  readonly members: readonly number[];
  readonly state: VrrpState;
}

/** What came while the process was frozen. */
export interface Waiting {
  readonly input: ShadowInput;
  readonly at: MonoUs;
}

/** The VRRP process while it lives. */
export interface Daemon {
  readonly config: Running;
  readonly release: Release;
  readonly virtual: ReadonlySet<string>;
  /** In the order of the configuration. */
  readonly routers: readonly Router[];
  readonly groups: readonly Group[];
  readonly tracked: Tracked;
  /** Tracked processes whose count has changed, and when that begins to count. */
  readonly settling: ReadonlyMap<string, MonoUs>;
  /** Until then timers of backups do not begin to run (vrrp_startup_delay). */
  readonly delayedUntil: MonoUs | undefined;
  /** Undefined: it runs. */
  readonly frozen: readonly Waiting[] | undefined;
  /** How many timers were set. */
  readonly turns: number;
  /** No timer ends before this: nothing has to be looked through. */
  readonly dueAt: number;
  /** Places among the routers by VRID. */
  readonly places: ReadonlyMap<number, readonly number[]>;
}

/** A node's shadow: a value, never changed. Made and stepped by engine.ts alone. */
export interface Shadow {
  /** The latest instant it was told of. */
  readonly now: MonoUs;
  readonly world: World;
  readonly daemon: Daemon | undefined;
}

export type Changeable<T> = { -readonly [K in keyof T]: T[K] };

/** The daemon during one step: a copy that the step changes. */
export interface Draft extends Omit<Changeable<Daemon>, "routers" | "groups"> {
  readonly routers: Router[];
  readonly groups: Group[];
  world: World;
  now: MonoUs;
  readonly effects: ShadowEffect[];
}

export function routerAt(draft: Draft, index: number): Router {
  const router = draft.routers[index];
  if (!router) throw new RangeError(`no instance ${index}`);
  return router;
}

export function patch(draft: Draft, index: number, change: Partial<Router>): Router {
  const router = { ...routerAt(draft, index), ...change };
  draft.routers[index] = router;
  if (change.expiresAt !== undefined) draft.dueAt = Math.min(draft.dueAt, change.expiresAt);
  return router;
}

/** Puts a copy in the router's place, to be changed field by field: for what every advert does, one copy is enough. */
export function renew(draft: Draft, index: number): Changeable<Router> {
  const router: Changeable<Router> = { ...routerAt(draft, index) };
  draft.routers[index] = router;
  return router;
}

export function groupOf(draft: Draft, index: number): Group | undefined {
  return draft.groups.find(({ members }) => members.includes(index));
}

export function setGroup(draft: Draft, group: Group, state: VrrpState): void {
  draft.groups[draft.groups.findIndex(({ name }) => name === group.name)] = { ...group, state };
}

/** Tells of a change; there is none to tell when the state stays. */
export function tellState(
  draft: Draft,
  { conf, state: from }: Router,
  to: VrrpState,
  cause: StateCause,
  logged: boolean,
): void {
  if (from !== to) draft.effects.push({ kind: "state", instance: conf.name, from, to, cause, logged, at: draft.now });
}

export function tellPriority(draft: Draft, { conf, effective: from }: Router, to: number): void {
  draft.effects.push({ kind: "priority", instance: conf.name, from, to, at: draft.now });
}

/** When timers of backups begin: now, or at the end of the startup delay. */
function timerStart({ now, delayedUntil }: Draft): MonoUs {
  return delayedUntil !== undefined && delayedUntil > now ? delayedUntil : now;
}

export interface Timer {
  /** Unless the master-down time. */
  readonly downUs?: number;
  /** Unless it is over. */
  readonly cause?: StateCause;
}

/** Sets a backup's timer. */
export function arm(draft: Draft, index: number, timer?: Timer): void {
  setTimer(draft, renew(draft, index), timer);
}

/** The same for a copy that is being changed. */
export function setTimer(draft: Draft, router: Changeable<Router>, timer?: Timer): void {
  beginTimer(draft, router, timerStart(draft), timer);
}

/** The same from an instant on, in a daemon that is being changed. */
export function beginTimer(
  daemon: Changeable<Pick<Daemon, "turns" | "dueAt">> & Pick<Daemon, "release">,
  router: Changeable<Router>,
  from: MonoUs,
  timer?: Timer,
): void {
  const wait = timer?.downUs ?? downTimeUs(router, daemon.release);
  const expiresAt = (from + wait) as MonoUs;
  daemon.turns += 1;
  router.turn = daemon.turns;
  router.downUs = wait;
  router.expiresAt = expiresAt;
  router.expiryCause = timer?.cause ?? "master-down";
  daemon.dueAt = Math.min(daemon.dueAt, expiresAt);
}
