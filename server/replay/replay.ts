import { createHash } from "node:crypto";
import type { Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";

/** How often a replayed node says that it is still watched, in microseconds of event time. */
const HEARTBEAT_US = 1_000_000;
/** Most heartbeats of a node: in a longer recording they are further apart. */
const HEARTBEATS_MAX = 100_000;

/** Most events in one batch: with the longest lines it stays below what a server takes. */
const BATCH_EVENTS = 1_000;

/** A batch and when it is due, in microseconds after the replay began; negative or zero is at once. */
export interface DueBatch {
  readonly dueUs: number;
  readonly batch: Batch;
}

/** Moves recorded events in time, and gives them ids of their own: the same recording may be replayed twice to one server. */
export function shiftEvents(events: readonly Event[], shiftUs: number): Event[] {
  return events.map((event) => {
    const shifted = {
      ...event,
      id: eventId(event.id, shiftUs),
      ts: event.ts + shiftUs,
      observedTs: event.observedTs + shiftUs,
    };
    return shifted.kind === "wire.master-gone" ? { ...shifted, lastAdvertTs: shifted.lastAdvertTs + shiftUs } : shifted;
  });
}

/** How recorded events are cut into batches. */
export interface ReplayPlan {
  /** Event time at which the replay begins, epoch microseconds; what is older is due at once. */
  readonly startUs: number;
  /** Event time that one batch covers, microseconds. */
  readonly everyUs: number;
}

/**
 * Cuts recorded events into the batches that live collectors would have sent: each node its own, with heartbeats in between, so
 * that the server sees time pass as it does live.
 */
export function planReplay(events: readonly Event[], options: ReplayPlan): DueBatch[] {
  const byNode = groupByNode(events);
  const horizon = events.reduce((latest, event) => Math.max(latest, event.ts), 0);
  const plan: DueBatch[] = [];
  for (const recorded of byNode.values()) {
    const all = withHeartbeats(recorded, horizon).sort((a, b) => a.ts - b.ts);
    for (const slice of slicesOf(all, options))
      plan.push({ dueUs: slice.until - options.startUs, batch: batchOf(slice.events) });
  }
  return plan.sort((a, b) => a.dueUs - b.dueUs);
}

/** Cuts recorded events into batches that are due at once, each node its own, oldest first: when they were is left as it is. */
export function planImport(events: readonly Event[]): DueBatch[] {
  const startUs = Number.POSITIVE_INFINITY;
  return [...groupByNode(events).values()]
    .flatMap((recorded) =>
      slicesOf(
        recorded.toSorted((a, b) => a.ts - b.ts),
        { startUs, everyUs: 0 },
      ),
    )
    .map(({ events: slice }) => ({ dueUs: 0, batch: batchOf(slice) }))
    .sort((a, b) => (a.batch.events[0]?.ts ?? 0) - (b.batch.events[0]?.ts ?? 0));
}

function groupByNode(events: readonly Event[]): Map<string, Event[]> {
  const groups = new Map<string, Event[]>();
  for (const event of events) {
    const group = groups.get(event.node);
    if (group) group.push(event);
    else groups.set(event.node, [event]);
  }
  return groups;
}

function withHeartbeats(events: readonly Event[], horizon: number): Event[] {
  const first = events[0];
  if (!first) return [];
  const from = events.reduce((earliest, event) => Math.min(earliest, event.ts), first.ts);
  const beats: Event[] = [];
  const every = Math.max(HEARTBEAT_US, Math.ceil((horizon - from) / HEARTBEATS_MAX));
  for (let ts = from; ts <= horizon + every; ts += every) {
    const { cluster, node } = first;
    beats.push({
      id: eventId(node, "replay heartbeat", ts),
      cluster,
      node,
      source: "collector",
      kind: "collector.heartbeat",
      ts,
      tsUncertaintyUs: 0,
      observedTs: ts,
      sources: [],
    });
  }
  return [...events, ...beats];
}

function slicesOf(events: readonly Event[], { startUs, everyUs }: ReplayPlan): { until: number; events: Event[] }[] {
  const slices: { until: number; events: Event[] }[] = [];
  for (const event of events) {
    const until = event.ts <= startUs ? startUs : startUs + Math.ceil((event.ts - startUs) / everyUs) * everyUs;
    const last = slices.at(-1);
    if (last && last.until === until && last.events.length < BATCH_EVENTS) last.events.push(event);
    else slices.push({ until, events: [event] });
  }
  return slices;
}

function batchOf(events: readonly Event[]): Batch {
  const { cluster = "", node = "" } = events[0] ?? {};
  const batchId = createHash("sha256")
    .update(events.map((event) => event.id).join())
    .digest("hex")
    .slice(0, 32);
  return { version: 1, batchId, cluster, node, events };
}
