import type { Instance, Running } from "../conf/model/types.ts";
import type { Release } from "../conf/version.ts";
import type { MonoUs } from "../core/time.ts";
import {
  arm,
  type Daemon,
  type Draft,
  type Group,
  groupOf,
  patch,
  routerAt,
  tellPriority,
  tellState,
} from "./draft.ts";
import type { ShadowInput, StateCause } from "./input.ts";
import { isBefore, type Router } from "./router.ts";
import { beginScript, countResult, effectivePriority, judge } from "./track.ts";
import { begin, beginTracking, leaveIncompleteGroups, reconcile } from "./transitions.ts";
import { canBind, virtualAddressesOf } from "./world.ts";

/** How the VRRP process begins, takes another configuration, and ends. */

/** 2.0.14 and newer. */
const STARTUP_DELAY_SINCE: Release = [2, 0, 14];

export function emptyDaemon(config: Running, release: Release): Daemon {
  return {
    config,
    release,
    virtual: virtualAddressesOf(config),
    routers: [],
    groups: [],
    tracked: { scripts: new Map(), processes: new Map(), bfds: new Map() },
    settling: new Map(),
    delayedUntil: undefined,
    frozen: undefined,
    turns: 0,
    dueAt: Number.NEGATIVE_INFINITY,
    places: placesOf(config),
  };
}

function placesOf({ instances }: Running): Map<number, number[]> {
  const places = new Map<number, number[]>();
  for (const [index, { vrid }] of instances.entries())
    if (vrid !== undefined) places.set(vrid, [...(places.get(vrid) ?? []), index]);
  return places;
}

export function start(draft: Draft): void {
  const { config, release } = draft;
  const delayUs = config.globals.startupDelayUs;
  if (delayUs > 0 && !isBefore(release, STARTUP_DELAY_SINCE)) draft.delayedUntil = (draft.now + delayUs) as MonoUs;
  draft.tracked = beginTracking(draft);
  draft.routers.push(...config.instances.map((instance) => freshRouter(instance, draft)));
  draft.groups.push(...groupsOf(config, draft.routers));
  judgeAll(draft);
  begin(draft, [...draft.routers.keys()]);
}

/**
 * Instances that stay keep their state without a word, and backups begin to wait anew; those that are gone send priority 0.
 */
export function reload(draft: Draft, config: Running): void {
  const before = [...draft.routers];
  draft.config = config;
  draft.virtual = virtualAddressesOf(config);
  draft.places = placesOf(config);
  draft.tracked = beginTracking(draft, draft.tracked);
  draft.settling = new Map();
  const keyOf = ({ family, vrid, interface: nic }: Instance): string => [family, vrid, nic].join("\0");
  for (const router of before)
    if (!config.instances.some((instance) => keyOf(instance) === keyOf(router.conf)))
      tellState(draft, router, "INIT", "reload", false);
  draft.routers.splice(
    0,
    draft.routers.length,
    ...config.instances.map((instance) => {
      const fresh = freshRouter(instance, draft);
      // Unicast instances may share all of it: then the name tells them apart.
      const same = before.filter((router) => keyOf(router.conf) === keyOf(instance));
      const known = same.find(({ conf }) => conf.name === instance.name) ?? same[0];
      if (!known) return fresh;
      const { isVmacUp, state, wants, master, peers, masterIntervalUs, transitioning, expiresAt } = known;
      const interval = instance.version === 3 ? masterIntervalUs : instance.advertIntervalUs;
      return { ...fresh, isVmacUp, state, wants, master, peers, masterIntervalUs: interval, transitioning, expiresAt };
    }),
  );
  draft.groups.splice(0, draft.groups.length, ...groupsOf(config, draft.routers));
  judgeAll(draft);
  for (const [index, { state, waitsFor, faults }] of draft.routers.entries())
    if (state === "BACKUP" && waitsFor.length === 0 && faults.length === 0) arm(draft, index);
  leaveIncompleteGroups(draft);
  begin(draft, [...draft.routers.keys()]);
  reconcile(draft, [...draft.routers.keys()]);
}

/**
 * Puts an instance into the state that it was found in. That it runs shows that no script keeps it waiting, nor a member of its
 * group; and whoever waited for these scripts alone runs as well.
 */
export function seed(draft: Draft, { instance, state, priority }: Seed): void {
  const index = draft.routers.findIndex(({ conf }) => conf.name === instance);
  if (index < 0) return;
  const { scripts } = draft.config;
  const known = new Map(draft.tracked.scripts);
  const members = groupOf(draft, index)?.members ?? [index];
  for (const name of members.flatMap((member) => routerAt(draft, member).waitsFor)) {
    const script = scripts.find((one) => one.name === name);
    if (script) known.set(name, countResult(beginScript(script), script, true));
  }
  draft.tracked = { ...draft.tracked, scripts: known };
  judgeAll(draft);
  const { effective } = routerAt(draft, index);
  patch(draft, index, { effective: priority ?? effective, state, wants: state, armedAt: draft.now });
  if (state === "BACKUP") arm(draft, index);
  else patch(draft, index, { expiresAt: undefined });
  const places = [...draft.routers.keys()];
  reconcile(
    draft,
    places.filter((place) => routerAt(draft, place).state === "INIT"),
  );
  draft.groups.splice(0, draft.groups.length, ...groupsOf(draft.config, draft.routers));
}

type Seed = Extract<ShadowInput, { readonly kind: "seed" }>;

/** The process ends, in order or not. */
export function end(draft: Draft, cause: StateCause): void {
  for (const router of draft.routers) tellState(draft, router, "INIT", cause, false);
}

/** What trackers make of the configured priority is told at a start and, once more, at a reload. */
function judgeAll(draft: Draft): void {
  for (const [index, router] of draft.routers.entries()) {
    const { faults, waitsFor, weight } = judge(router, draft);
    const effective = weight === router.weight ? router.effective : effectivePriority(router.base, weight);
    if (effective !== router.effective) tellPriority(draft, router, effective);
    patch(draft, index, { faults, waitsFor, weight, effective });
  }
}

function freshRouter(conf: Instance, { now, world }: Draft): Router {
  return {
    conf,
    isBound: canBind(conf, world),
    isVmacUp: false,
    state: "INIT",
    wants: "BACKUP",
    base: conf.priority,
    effective: conf.priority,
    weight: 0,
    faults: [],
    waitsFor: [],
    masterIntervalUs: conf.advertIntervalUs,
    downUs: 0,
    expiresAt: undefined,
    expiryCause: "master-down",
    turn: 0,
    armedAt: now,
    master: undefined,
    source: undefined,
    peers: [],
    preemptAt: undefined,
    transitioning: false,
    rivalSince: undefined,
  };
}

function groupsOf({ syncGroups }: Running, routers: readonly Router[]): Group[] {
  return syncGroups.map(({ name, members }) => {
    const places = members.flatMap((member) => {
      const place = routers.findIndex(({ conf }) => conf.name === member);
      return place < 0 ? [] : [place];
    });
    const states = places.map((place) => routers[place]?.state ?? "INIT");
    const state = states.every((one) => one === "MASTER")
      ? "MASTER"
      : states.includes("FAULT")
        ? "FAULT"
        : states.includes("INIT")
          ? "INIT"
          : "BACKUP";
    return { name, members: places, state };
  });
}
