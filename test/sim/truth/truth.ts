import { US_PER_MS, US_PER_SECOND } from "../../../collector/core/time.ts";
import { masterDownUs } from "../../../collector/vrrp/timers.ts";
import { FLUSH_US, HEARTBEAT_US } from "../collector.ts";
import type { RouterSpec, Scenario } from "../model.ts";
import type { Act } from "../host.ts";
import type { Run } from "../simulate.ts";
import type { Interval } from "./intervals.ts";

/** Something that was so. */
export interface TrueIncident extends Interval {
  readonly vrid: number | undefined;
  /** Of one node; undefined: of any. */
  readonly node?: string;
  /** It lasted until the end of the simulation. */
  readonly open: boolean;
  /** A report must tell of it; otherwise one may. */
  readonly must: boolean;
  /** How far a report's start and end may be from the true ones, by what the evidence can say. */
  readonly startSlackUs: number;
  readonly endSlackUs: number;
  /** What it comes of, where that is one thing. */
  readonly cause?: string | undefined;
}

/** What is true of one kind of incident. A report that meets none of these is wrong. */
export interface TruthModule {
  readonly kind: string;
  of(run: Run): TrueIncident[];
}

/** DESIGN: an overlap is a split-brain when it is longer than so many advert intervals. */
export const TAU_INTERVALS = 1.5;
/** What the sources lag behind what they tell of, and a network behind its sender. */
export const LAG_US = 50 * US_PER_MS;

/** A collector says this often at least that it lives, give or take a batch: what is so at the end is seen until then. */
const SEEN_LAG_US = HEARTBEAT_US + FLUSH_US;

/** How much of it the collectors can show. */
export const shownUs = ({ from, to }: Interval, { until }: Scenario): number =>
  Math.min(to, until - SEEN_LAG_US) - from;

/** When a node was something to a router. */
export function actsOf({ edges, scenario }: Run, node: string, vrid: number, is: (act: Act) => boolean): Interval[] {
  const found: Interval[] = [];
  let since: number | undefined;
  for (const edge of edges) {
    if (edge.node !== node || edge.vrid !== vrid) continue;
    if (is(edge)) since ??= edge.at;
    else if (since !== undefined) {
      if (edge.at > since) found.push({ from: since, to: edge.at });
      since = undefined;
    }
  }
  if (since !== undefined && since < scenario.until) found.push({ from: since, to: scenario.until });
  return found;
}

export const acting = ({ master, holds }: Act): boolean => master || holds;

/** How far off the instant of a change may be that a node's own sources tell of. */
export function edgeSlackUs({ scenario }: Run, node: string): number {
  const spec = scenario.nodes.find(({ name }) => name === node);
  if (!spec) return 0;
  const isExact = spec.sources.includes("kernel") || spec.sources.includes("wire") || spec.log === "exact";
  return LAG_US + (isExact ? 0 : US_PER_SECOND);
}

/** The same of what the log alone tells. */
export function logSlackUs({ scenario }: Run, node: string): number {
  const spec = scenario.nodes.find(({ name }) => name === node);
  return LAG_US + (spec?.log === "seconds" ? US_PER_SECOND : 0);
}

export const readsOf = ({ scenario }: Run, node: string, source: "log" | "kernel" | "wire"): boolean =>
  scenario.nodes.some(({ name, sources }) => name === node && sources.includes(source));

/** When a node whose collector reads neither its log nor its addresses could not be told from one that is gone: it is frozen. */
export function muteOf(run: Run, node: string): Interval[] {
  return readsOf(run, node, "log") || readsOf(run, node, "kernel") ? [] : frozenOf(run, node);
}

export function frozenOf({ scenario }: Run, node: string): Interval[] {
  const found: Interval[] = [];
  let since: number | undefined;
  for (const { at, deed } of scenario.deeds) {
    if (!("node" in deed) || deed.node !== node) continue;
    if (deed.kind === "freeze") since ??= at;
    if (since === undefined || !THAWED.has(deed.kind)) continue;
    found.push({ from: since, to: at });
    since = undefined;
  }
  return since === undefined ? found : [...found, { from: since, to: scenario.until }];
}

const THAWED: ReadonlySet<string> = new Set(["thaw", "kill", "poweroff"]);

/** When a node's collector did not run. */
export function unwatchedOf({ scenario }: Run, node: string): Interval[] {
  const found: Interval[] = [];
  let since: number | undefined;
  for (const { at, deed } of scenario.deeds) {
    if (!("node" in deed) || deed.node !== node) continue;
    if (deed.kind === "poweroff" || (deed.kind === "collector" && deed.does !== "start")) since ??= at;
    if (since !== undefined && (deed.kind === "boot" || (deed.kind === "collector" && deed.does === "start"))) {
      found.push({ from: since, to: at });
      since = undefined;
    }
  }
  if (since !== undefined) found.push({ from: since, to: scenario.until });
  return found;
}

export const nodesOf = ({ priorities }: RouterSpec): string[] => [...priorities.keys()];

/** The longest that a backup of the router waits. */
export const downUsOf = ({ version, intervalUs, priorities }: RouterSpec): number =>
  Math.max(...[...priorities.values()].map((priority) => masterDownUs(version, priority, intervalUs)));
