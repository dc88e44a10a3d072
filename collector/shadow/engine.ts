import type { MonoUs } from "../core/time.ts";
import { type Daemon, type Draft, patch, type Shadow, type Waiting } from "./draft.ts";
import { hear } from "./hear.ts";
import type { ShadowEffect, ShadowInput, StateCause } from "./input.ts";
import { emptyDaemon, end, reload, seed, start } from "./lifecycle.ts";
import type { Router } from "./router.ts";
import { countResult, isQuorate, type ProcessState } from "./track.ts";
import { expire, loseAddresses, rejudge } from "./transitions.ts";
import { type Fact, learn, lostAddresses, UNKNOWN_WORLD } from "./world.ts";

export type { Shadow } from "./draft.ts";

/** As many adverts wait for a frozen process as its socket's buffer holds; what comes then is lost. */
const WAITING_ADVERTS_MAX = 256;
/** Other inputs that wait, each in its turn; beyond, only the last of each kind and name. */
const WAITING_MAX = 4096;
/** After all but an advert, timers may have been set in any way. */
const ANY_TIME = Number.NEGATIVE_INFINITY;

/** A node of which nothing is known, without a daemon. */
export function createShadow(): Shadow {
  return { now: 0 as MonoUs, world: UNKNOWN_WORLD, daemon: undefined };
}

/**
 * What keepalived should do about what happened at `now`. Deadlines up to then come first, in order, each at its own time;
 * an input behind the shadow's time counts as of that time. Never throws.
 */
export function step(shadow: Shadow, input: ShadowInput, now: MonoUs): readonly [Shadow, readonly ShadowEffect[]] {
  const until = Math.max(now, shadow.now) as MonoUs;
  const effects: ShadowEffect[] = [];
  let at = run(shadow, until, effects);
  at = take({ ...at, now: until }, input, effects);
  // An input may leave a timer that is over already: a raised priority shortens it.
  return [run(at, until, effects), effects];
}

/** When something happens of itself: the feeder should step then. Undefined: nothing ever will. */
export function nextDeadline({ daemon }: Shadow): MonoUs | undefined {
  return daemon && nextOf(daemon)?.at;
}

interface Deadline {
  readonly at: MonoUs;
  readonly of: { readonly router: number } | { readonly process: string };
}

function nextOf({ routers, settling, frozen }: Pick<Daemon, "routers" | "settling" | "frozen">): Deadline | undefined {
  if (frozen) return undefined;
  // Of hundreds of instances, with every advert: nothing is made until it is known which is the first.
  let first = -1;
  let firstAt: MonoUs | undefined;
  let turn = 0;
  for (let router = 0; router < routers.length; router += 1) {
    const { expiresAt: at, turn: own } = routers[router] as Router;
    if (at === undefined || (firstAt !== undefined && (at > firstAt || (at === firstAt && own > turn)))) continue;
    first = router;
    firstAt = at;
    turn = own;
  }
  let next: Deadline | undefined = firstAt === undefined ? undefined : { at: firstAt, of: { router: first } };
  for (const [process, at] of settling) if (!next || at < next.at) next = { at, of: { process } };
  return next;
}

/** Deals with all deadlines up to an instant. */
function run(shadow: Shadow, until: MonoUs, effects: ShadowEffect[]): Shadow {
  const { daemon } = shadow;
  if (!daemon || daemon.frozen || daemon.dueAt > until) return shadow;
  const first = nextOf(daemon);
  if (!first || first.at > until)
    return { ...shadow, daemon: { ...daemon, dueAt: first?.at ?? Number.POSITIVE_INFINITY } };
  return change(shadow, daemon, effects, (draft) => {
    draft.dueAt = ANY_TIME;
    for (let next = nextOf(draft); next && next.at <= until; next = nextOf(draft)) {
      draft.now = Math.max(draft.now, next.at) as MonoUs;
      if ("router" in next.of) expire(draft, next.of.router);
      else settle(draft, next.of.process);
    }
  });
}

function take(shadow: Shadow, input: ShadowInput, effects: ShadowEffect[]): Shadow {
  const { daemon } = shadow;
  switch (input.kind) {
    case "tick":
      return shadow;
    case "started": {
      const ended = lose(shadow, "died", effects);
      if (input.config.fatal !== undefined) return ended;
      return change(ended, emptyDaemon(input.config, input.release), effects, start);
    }
    case "gone":
      return lose(shadow, "died", effects);
    case "frozen":
      return daemon && !daemon.frozen ? { ...shadow, daemon: { ...daemon, frozen: [] } } : shadow;
    case "thawed":
      return thaw(shadow, effects);
    default:
      return daemon?.frozen
        ? { ...shadow, daemon: { ...daemon, frozen: withWaiting(daemon.frozen, { input, at: shadow.now }) } }
        : deal(shadow, { input, at: shadow.now }, effects);
  }
}

/** What a process that runs does about an input, and what is known without one. */
function deal(shadow: Shadow, { input, at }: Waiting, effects: ShadowEffect[]): Shadow {
  if (isFact(input)) {
    const told = { ...shadow, world: learn(shadow.world, input) };
    if (!told.daemon) return told;
    return change(told, told.daemon, effects, (draft) => {
      draft.dueAt = ANY_TIME;
      if (input.kind === "process") countProcess(draft, input.name, input.count);
      else {
        if (input.kind === "link" && input.up) seeVmac(draft, input.interface);
        rejudge(draft);
      }
      if (input.kind === "address" || input.kind === "addresses")
        loseAddresses(draft, input.interface, lostAddresses(shadow.world, told.world, input.interface));
    });
  }
  const { daemon } = shadow;
  if (!daemon) return shadow;
  if (input.kind === "stopping") return lose(shadow, "stop", effects);
  // It ends on the spot: no priority 0 is sent, and the addresses stay. (tried with 2.2.7)
  if (input.kind === "reloaded" && input.config.fatal !== undefined) return lose(shadow, "reload", effects);
  return change(shadow, daemon, effects, (draft) => {
    if (input.kind === "advert") return hear(draft, input, at);
    draft.dueAt = ANY_TIME;
    if (input.kind === "reloaded") reload(draft, input.config);
    else if (input.kind === "script") countScript(draft, input.name, input.outcome === "success");
    else if (input.kind === "seed") seed(draft, input);
    else if (input.kind === "bfd") setSession(draft, input.name, input.up);
  });
}

/** Without the process there are no states; what it had not read yet is known to the node all the same. */
function lose(shadow: Shadow, cause: StateCause, effects: ShadowEffect[]): Shadow {
  const { daemon } = shadow;
  if (!daemon) return shadow;
  const ended = change(shadow, daemon, effects, (draft) => end(draft, cause));
  const facts = (daemon.frozen ?? []).flatMap(({ input }) => (isFact(input) ? [input] : []));
  return { ...ended, daemon: undefined, world: facts.reduce(learn, ended.world) };
}

/** Packets and messages that wait are read before timers that are over are looked at. (tried with 2.2.7) */
function thaw(shadow: Shadow, effects: ShadowEffect[]): Shadow {
  const { daemon } = shadow;
  if (!daemon?.frozen) return shadow;
  const awake: Shadow = { ...shadow, daemon: { ...daemon, frozen: undefined } };
  return daemon.frozen.reduce((now, waiting) => deal(now, waiting, effects), awake);
}

function withWaiting(queue: readonly Waiting[], waiting: Waiting): readonly Waiting[] {
  const { input } = waiting;
  if (input.kind === "advert") {
    const before = queue.filter(({ input: other }) => other.kind === "advert" && other.interface === input.interface);
    return before.length >= WAITING_ADVERTS_MAX ? queue : [...queue, waiting];
  }
  if (queue.length < WAITING_MAX) return [...queue, waiting];
  const key = keyOf(input);
  return [...queue.filter(({ input: other }) => other.kind === "advert" || keyOf(other) !== key), waiting];
}

const keyOf = (input: ShadowInput): string =>
  [
    input.kind,
    "interface" in input ? input.interface : "",
    "name" in input ? input.name : "",
    "address" in input ? input.address : "",
  ].join("\0");

const FACTS: ReadonlySet<ShadowInput["kind"]> = new Set(["link", "addresses", "address", "file", "process"]);

/** Whether it outlives the daemon. */
export function isFact(input: ShadowInput): input is Fact {
  return FACTS.has(input.kind);
}

function seeVmac(draft: Draft, nic: string): void {
  for (const [index, { conf }] of draft.routers.entries())
    if (conf.vmac?.interface === nic) patch(draft, index, { isVmacUp: true });
}

function countScript(draft: Draft, name: string, success: boolean): void {
  const script = draft.config.scripts.find((one) => one.name === name);
  const known = draft.tracked.scripts.get(name);
  if (!script || !known) return;
  const scripts = new Map(draft.tracked.scripts).set(name, countResult(known, script, success));
  draft.tracked = { ...draft.tracked, scripts };
  rejudge(draft);
}

function setSession(draft: Draft, name: string, up: boolean): void {
  if (!draft.tracked.bfds.has(name)) return;
  draft.tracked = { ...draft.tracked, bfds: new Map(draft.tracked.bfds).set(name, up) };
  rejudge(draft);
}

/** A quorum that is gained or lost counts when it has lasted for the delay. */
function countProcess(draft: Draft, name: string, count: number): void {
  const process = draft.config.trackProcesses.find((one) => one.name === name);
  if (!process) return;
  const known = draft.tracked.processes.get(name);
  const met = known?.met ?? true;
  setProcess(draft, name, { count, met });
  const settling = new Map(draft.settling);
  const delayUs = count > (known?.count ?? 0) ? process.startDelayUs : process.endDelayUs;
  if (isQuorate(process, count) === met) settling.delete(name);
  else if (!settling.has(name)) settling.set(name, (draft.now + delayUs) as MonoUs);
  draft.settling = settling;
}

function settle(draft: Draft, name: string): void {
  const settling = new Map(draft.settling);
  settling.delete(name);
  draft.settling = settling;
  const process = draft.config.trackProcesses.find((one) => one.name === name);
  const known = draft.tracked.processes.get(name);
  if (!process || !known) return;
  setProcess(draft, name, { ...known, met: isQuorate(process, known.count) });
  rejudge(draft);
}

function setProcess(draft: Draft, name: string, state: ProcessState): void {
  draft.tracked = { ...draft.tracked, processes: new Map(draft.tracked.processes).set(name, state) };
}

/** Works on a copy of the daemon. Field by field: it is done for every advert. */
function change(shadow: Shadow, daemon: Daemon, effects: ShadowEffect[], work: (draft: Draft) => void): Shadow {
  const draft: Draft = {
    config: daemon.config,
    release: daemon.release,
    virtual: daemon.virtual,
    routers: daemon.routers.slice(),
    groups: daemon.groups.slice(),
    tracked: daemon.tracked,
    settling: daemon.settling,
    delayedUntil: daemon.delayedUntil,
    frozen: daemon.frozen,
    turns: daemon.turns,
    dueAt: daemon.dueAt,
    places: daemon.places,
    world: shadow.world,
    now: shadow.now,
    effects,
  };
  work(draft);
  return {
    now: draft.now,
    world: draft.world,
    daemon: {
      config: draft.config,
      release: draft.release,
      virtual: draft.virtual,
      routers: draft.routers,
      groups: draft.groups,
      tracked: draft.tracked,
      settling: draft.settling,
      delayedUntil: draft.delayedUntil,
      frozen: draft.frozen,
      turns: draft.turns,
      dueAt: draft.dueAt,
      places: draft.places,
    },
  };
}
