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
}

/** A node's shadow: a value, never changed. Made and stepped by engine.ts alone. */
export interface Shadow {
  /** The latest instant it was told of. */
  readonly now: MonoUs;
  readonly world: World;
  readonly daemon: Daemon | undefined;
}

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

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

/** Sets a backup's timer. */
export function arm(
  draft: Draft,
  index: number,
  { downUs, cause }: { readonly downUs?: number; readonly cause?: StateCause } = {},
): Router {
  const wait = downUs ?? downTimeUs(routerAt(draft, index), draft.release);
  draft.turns += 1;
  return patch(draft, index, {
    turn: draft.turns,
    downUs: wait,
    expiresAt: (timerStart(draft) + wait) as MonoUs,
    expiryCause: cause ?? "master-down",
  });
}
