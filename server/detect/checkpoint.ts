import type { Event, EventOf, SourceStatus } from "../../collector/events/event.ts";
import { dated, originalOf } from "./clocks.ts";
import type { ClockDump } from "./clocks.ts";
import type { NewsDump } from "./collector-news.ts";
import type { IncidentDraft } from "./incident.ts";
import type { SignsDump } from "./life-signs.ts";
import type { FactsDump } from "./routers.ts";
import type { EventsByNode } from "./stretch.ts";

/**
 * What the detectors know of one cluster without the events they have at hand: with it, and with the events from `from` on, they
 * know again what they knew. It rests on nothing but stored events; where it is lost, or in doubt, all of them are read.
 */
export interface Checkpoint {
  readonly cluster: string;
  /** By node: its events with this reading of its own clock, and later ones, are still needed. Epoch microseconds; nodes without an event have none. */
  readonly since: Readonly<Record<string, number>>;
  /** A `ClusterState` as JSON. */
  readonly state: string;
}

/** An event, and what was made of its time. */
export interface DatedEvent {
  readonly seen: Event;
  readonly ts?: number;
  readonly tsUncertaintyUs?: number;
}

export interface ClusterState {
  /** Begin of the oldest stretch at hand; null: nothing was forgotten yet. */
  readonly from: number | null;
  readonly carried: readonly (readonly [string, readonly DatedEvent[]])[];
  readonly inherited: readonly (readonly [string, readonly IncidentDraft[]])[];
  readonly facts: FactsDump;
  readonly clocks: readonly ClockDump[];
  readonly nodes: readonly {
    readonly node: string;
    readonly watchedTo: number;
    readonly heartbeats: SignsDump;
    readonly others: SignsDump;
    readonly unheard: EventOf<"collector.unheard"> | null;
    readonly newestStatus: {
      readonly ts: number;
      readonly id: string;
      readonly sources: readonly SourceStatus[];
    } | null;
    readonly news: NewsDump;
  }[];
}

export function toDated<T extends Event>(event: T): DatedEvent {
  const seen = originalOf(event);
  return seen === event ? { seen } : { seen, ts: event.ts, tsUncertaintyUs: event.tsUncertaintyUs };
}

export const fromDated = <T extends Event>({ seen, ts, tsUncertaintyUs }: DatedEvent): T =>
  (ts === undefined ? seen : dated(seen, ts, tsUncertaintyUs ?? seen.tsUncertaintyUs)) as T;

export const dumpEvents = (events: EventsByNode): ClusterState["carried"] =>
  [...events].map(([node, own]) => [node, own.map(toDated)] as const);

export const loadEvents = (dump: ClusterState["carried"]): EventsByNode =>
  new Map(dump.map(([node, own]) => [node, own.map((event) => fromDated(event))]));
