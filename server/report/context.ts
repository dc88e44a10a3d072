import { US_PER_SECOND } from "../../collector/core/time.ts";
import { type Event, type EventKind, type EventOf, isKind } from "../../collector/events/event.ts";
import { evidenceOf } from "../detect/describe.ts";
import type { DetectionEngine } from "../detect/engine.ts";
import type { Evidence, Incident } from "../detect/incident.ts";
import type { Store } from "../store/store.ts";

/** What the nodes of an incident said around it, and what changed before it, on one corrected axis of time. */

/** How far around an incident is looked, microseconds. */
export const AROUND_US = 60 * US_PER_SECOND;
/** How long before it a change may be why, microseconds. */
export const CHANGES_US = 600 * US_PER_SECOND;
/** An incident that lasts for longer is looked at around its begin and around its end, microseconds. */
const WHOLE_US_MAX = 600 * US_PER_SECOND;
/** Most events a node and window. */
export const EVENTS_MAX = 3_000;

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Of one node, as the reference's clock dates it. */
export interface ContextEvent extends Evidence {
  readonly kind: EventKind;
  /** At the reference's time: `ts`, or `correctedTs` where there is one. */
  readonly at: number;
}

export interface IncidentContext {
  /** Those that the incident is about, and the others of its router. */
  readonly nodes: readonly string[];
  readonly windows: readonly Range[];
  /** Oldest first. */
  readonly events: readonly ContextEvent[];
  readonly changes: readonly ContextEvent[];
  /** There were more events than are shown. */
  readonly truncated: boolean;
}

export interface ContextDeps {
  readonly store: Pick<Store, "events" | "adverts">;
  readonly engine: Pick<DetectionEngine, "routers" | "nodes" | "corrected">;
}

/** What a change of its own may be why something happens. */
const CHANGES: readonly EventKind[] = [
  "config.loaded",
  "daemon.starting",
  "daemon.stopping",
  "daemon.reloading",
  "daemon.child-exited",
  "process.launcher",
  "vrrp.priority-changed",
  "vrrp.priority-set",
  "script.result",
  "vrrp.interface",
  "kernel.link",
  "collector.started",
  "collector.clock",
];

/** @param now  by the server's clock: how far an incident that is open is looked at */
export async function contextOf(incident: Incident, deps: ContextDeps, now: number): Promise<IncidentContext> {
  const nodes = nodesOf(incident, deps);
  const windows = windowsOf(incident, now);
  let truncated = false;
  const read = async (node: string, range: Range, kinds?: readonly EventKind[]): Promise<readonly Event[]> => {
    const { cluster } = incident;
    const found = await deps.store.events({
      cluster,
      node,
      ...shifted(range, offsetOf(node, cluster, deps)),
      limit: EVENTS_MAX + 1,
      ...(kinds ? { kinds } : {}),
    });
    truncated ||= found.length > EVENTS_MAX;
    return found
      .slice(0, EVENTS_MAX)
      .map((event) => deps.engine.corrected(event))
      .filter(({ ts }) => ts >= range.from && ts <= range.to);
  };
  const events: Event[] = [];
  const changes: Event[] = [];
  for (const node of nodes) {
    for (const range of windows)
      events.push(...(await read(node, range)).filter(({ kind }) => kind !== "collector.heartbeat"));
    const before = { from: Math.max(0, incident.start - CHANGES_US), to: incident.start };
    const configs = await read(node, { from: 0, to: incident.start }, ["config.loaded"]);
    const isChange = changeTester(configChanges(configs));
    changes.push(...(await read(node, before, CHANGES)).filter(isChange));
  }
  return { nodes, windows, events: inOrder(events), changes: inOrder(changes), truncated };
}

/** Most adverts of a window. */
const ADVERTS_MAX = 50_000;

/** The adverts of its router in the same windows, oldest first. */
export async function advertsOf(
  incident: Incident,
  deps: ContextDeps,
  now: number,
): Promise<readonly EventOf<"wire.advert">[]> {
  const router = deps.engine.routers().find(({ id }) => id === incident.subject.router);
  if (!router || router.vrid === null || router.family === null) return [];
  const { cluster, family, vrid } = router;
  const offsets = nodesOf(incident, deps).map((node) => offsetOf(node, cluster, deps));
  const offset = {
    from: Math.max(0, ...offsets.map(({ from }) => from)),
    to: Math.min(0, ...offsets.map(({ to }) => to)),
  };
  const adverts: EventOf<"wire.advert">[] = [];
  for (const range of windowsOf(incident, now)) {
    const query = { cluster, family, vrid, ...shifted(range, offset), limit: ADVERTS_MAX };
    for (const event of await deps.store.adverts(query)) {
      const advert = deps.engine.corrected(event);
      if (isKind(advert, "wire.advert") && advert.ts >= range.from && advert.ts <= range.to) adverts.push(advert);
    }
  }
  return adverts.sort((a, b) => a.ts - b.ts || (a.id < b.id ? -1 : 1));
}

function nodesOf({ subject }: Incident, { engine }: ContextDeps): string[] {
  const router = engine.routers().find(({ id }) => id === subject.router);
  const others = router?.instances.map(({ node }) => node) ?? [];
  return [...new Set([...subject.nodes, ...others])].sort();
}

export function windowsOf({ start, end }: Incident, now: number): Range[] {
  const last = Math.max(start, end ?? now);
  const begin = Math.max(0, start - AROUND_US);
  if (last - start <= WHOLE_US_MAX) return [{ from: begin, to: last + AROUND_US }];
  const around = { from: begin, to: start + AROUND_US };
  return end === null ? [around] : [around, { from: end - AROUND_US, to: end + AROUND_US }];
}

/** To be added to the node's time, as it is known now. */
function offsetOf(node: string, cluster: string, { engine }: ContextDeps): Range {
  const clock = engine.nodes().find((own) => own.node === node && own.cluster === cluster)?.clock;
  if (!clock) return { from: 0, to: 0 };
  return {
    from: Math.max(0, clock.offsetUs + clock.boundUs),
    to: Math.min(0, clock.offsetUs - clock.boundUs),
  };
}

/** The store has the node's own times: before its clock was off, and since. */
const shifted = ({ from, to }: Range, offset: Range): Range => ({
  from: Math.max(0, Math.floor(from - offset.from)),
  to: Math.ceil(to - offset.to),
});

/** A collector tells the configuration whenever it begins: those that differ from the one before are changes. @param configs  oldest first */
export function configChanges(configs: readonly Event[]): ReadonlySet<string> {
  const own = configs.filter((event) => isKind(event, "config.loaded"));
  const signs = own.map(({ files }) => JSON.stringify(files.map(({ path, sha256 }) => [path, sha256])));
  return new Set(own.filter((_, i) => i > 0 && signs[i] !== signs[i - 1]).map(({ id }) => id));
}

function changeTester(changed: ReadonlySet<string>): (event: Event) => boolean {
  return (event) => {
    if (event.kind === "config.loaded") return changed.has(event.id);
    if (event.kind === "collector.clock") return event.steppedUs !== undefined;
    if (event.kind === "script.result") return event.run !== true;
    return true;
  };
}

function inOrder(events: readonly Event[]): ContextEvent[] {
  const unique = new Map(events.map((event) => [event.id, event]));
  return [...unique.values()]
    .sort((a, b) => a.ts - b.ts || (a.id < b.id ? -1 : 1))
    .map((event) => ({ ...evidenceOf(event), kind: event.kind, at: event.ts }));
}
