import type { Tracker } from "../conf/election.ts";
import type { Running, Script, TrackProcess } from "../conf/model/types.ts";
import type { Router } from "./router.ts";
import { lacksAddress, type World } from "./world.ts";

/** Why an instance is in FAULT. */
export interface FaultReason {
  readonly kind: "interface" | "source-address" | "script" | "file" | "process" | "bfd" | "no-peer";
  /** Of what is tracked; of the instance's own interface. Empty where there is none. */
  readonly name: string;
}

/** The counter of a tracked script: up from `rise` on, at most rise + fall - 1. */
export interface ScriptState {
  readonly result: number;
  /** It has not run yet: its first result counts alone. */
  readonly pending: boolean;
}

export interface ProcessState {
  readonly met: boolean;
  readonly count: number;
}

/** What the daemon knows of what it tracks; it begins anew with each start. */
export interface Tracked {
  readonly scripts: ReadonlyMap<string, ScriptState>;
  readonly processes: ReadonlyMap<string, ProcessState>;
  readonly bfds: ReadonlyMap<string, boolean>;
}

export interface Judgement {
  readonly faults: readonly FaultReason[];
  /** Scripts without a weight that have not run yet: the instance waits for them. */
  readonly waitsFor: readonly string[];
  /** What trackers add to the base priority. */
  readonly weight: number;
}

/** Largest weight that counts, and from where on a file's contents are a fault. */
const WEIGHT_MAX = 253;
export const OWNER_PRIORITY = 255;

/** `init_fail` holds the instance in FAULT until there is a result; the first one counts alone all the same. (tried with 2.2.7) */
export const beginScript = ({ rise, initFail }: Script): ScriptState => ({ result: rise - 1, pending: !initFail });

/** One more result. (2.2.7, vrrp/vrrp_scheduler.c:vrrp_script_child_thread) */
export function countResult({ result }: ScriptState, { rise, fall }: Script, success: boolean): ScriptState {
  if (success) return { result: result < rise - 1 ? result + 1 : rise + fall - 1, pending: false };
  return { result: result > rise ? result - 1 : 0, pending: false };
}

export function isQuorate({ quorum, quorumMax }: TrackProcess, count: number): boolean {
  return count >= quorum && (quorumMax === undefined || count <= quorumMax);
}

/** Base priority with weights: 1 to 254, and an address owner's never changes. */
export function effectivePriority(base: number, weight: number): number {
  return base === OWNER_PRIORITY ? OWNER_PRIORITY : Math.min(Math.max(base + weight, 1), OWNER_PRIORITY - 1);
}

/** What links, addresses and everything tracked mean for an instance. */
export function judge(
  { conf: instance, isBound, isVmacUp }: Pick<Router, "conf" | "isBound" | "isVmacUp">,
  {
    config,
    world,
    tracked,
    virtual,
  }: {
    readonly config: Running;
    readonly world: World;
    readonly tracked: Tracked;
    readonly virtual: ReadonlySet<string>;
  },
): Judgement {
  const faults: FaultReason[] = [];
  const waitsFor: string[] = [];
  let weight = 0;
  const own = [instance.interface, isVmacUp ? instance.vmac?.interface : undefined];
  for (const nic of own)
    if (nic !== undefined && instance.tracksPrimary && world.links.get(nic) === false)
      faults.push({ kind: "interface", name: nic });
  if (!isBound || lacksAddress(instance, world, virtual)) faults.push({ kind: "source-address", name: "" });
  if (instance.faultWithoutPeers && instance.unicastPeers.length === 0) faults.push({ kind: "no-peer", name: "" });
  for (const tracker of instance.trackers) {
    const { kind, name, reverse } = tracker;
    if (kind === "file") {
      const share = fileShare(tracker, world.files.get(name) ?? 0);
      if (share === undefined) faults.push({ kind, name });
      else weight += share;
      continue;
    }
    const script = kind === "script" ? tracked.scripts.get(name) : undefined;
    if (script?.pending === true) {
      if (tracker.weight === 0) waitsFor.push(name);
      continue;
    }
    const isWell = isTrackedWell(tracker, { config, world, tracked });
    if (tracker.weight === 0) {
      if (isWell === reverse) faults.push({ kind, name });
    } else if (tracker.weight > 0 === isWell) weight += reverse ? -tracker.weight : tracker.weight;
  }
  return { faults, waitsFor, weight };
}

/** @returns undefined: its contents are a fault */
function fileShare({ weight, reverse }: Tracker, value: number): number | undefined {
  if (weight === 0) return (value !== 0) === reverse ? 0 : undefined;
  const share = value * weight * (reverse ? -1 : 1);
  return share < -WEIGHT_MAX ? undefined : Math.min(share, WEIGHT_MAX);
}

/** A script that is not defined cannot be tracked; an interface or a process of which nobody told is well; a session begins down. */
function isTrackedWell(
  { kind, name }: Tracker,
  { config, world, tracked }: { readonly config: Running; readonly world: World; readonly tracked: Tracked },
): boolean {
  switch (kind) {
    case "interface":
      return world.links.get(name) ?? true;
    case "script": {
      const rise = config.scripts.find((script) => script.name === name)?.rise ?? 1;
      return (tracked.scripts.get(name)?.result ?? rise) >= rise;
    }
    case "process":
      return tracked.processes.get(name)?.met ?? true;
    case "bfd":
      return tracked.bfds.get(name) ?? false;
    case "file":
      return true;
  }
}
