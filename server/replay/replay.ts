import { createHash } from "node:crypto";
import { BATCH_EVENTS_MAX, type Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";

/** How often a replayed node says that it is still watched, in microseconds of event time. */
const HEARTBEAT_US = 1_000_000;

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

/**
 * Cuts recorded events into the batches that live collectors would have sent: each node its own, `everyUs` of event time
 * at a time, with heartbeats in between, so that the server sees time pass as it does live.
 * @param startUs  event time at which the replay begins; what is older is due at once
 */
export function planReplay(events: readonly Event[], options: { startUs: number; everyUs: number }): DueBatch[] {
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
  for (let ts = from; ts <= horizon + HEARTBEAT_US; ts += HEARTBEAT_US) {
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

function slicesOf(
  events: readonly Event[],
  { startUs, everyUs }: { startUs: number; everyUs: number },
): { until: number; events: Event[] }[] {
  const slices: { until: number; events: Event[] }[] = [];
  for (const event of events) {
    const until = event.ts <= startUs ? startUs : startUs + Math.ceil((event.ts - startUs) / everyUs) * everyUs;
    const last = slices.at(-1);
    if (last && last.until === until && last.events.length < BATCH_EVENTS_MAX) last.events.push(event);
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
