import type { Event } from "../../collector/events/event.ts";
import { type Column, fixedTexts, longIntegers, repeatedTexts, texts } from "./native-block.ts";

/** @param arrived  number of the insert */
export const eventColumns = (arrived: number): readonly Column<Event>[] => [
  repeatedTexts("cluster", (e) => e.cluster),
  repeatedTexts("node", (e) => e.node),
  longIntegers("ts", "Int64", (e) => e.ts),
  fixedTexts("id", 32, (e) => e.id),
  repeatedTexts("source", (e) => e.source),
  repeatedTexts("kind", (e) => e.kind),
  // Its id has a column, and takes more than all the rest: not twice.
  texts("event", (e) => JSON.stringify({ ...e, id: undefined })),
  longIntegers("arrived", "UInt64", () => arrived),
];

export interface StoredEvent {
  readonly id: string;
  /** All of it but the id, as JSON; with it, when it was stored long ago. */
  readonly event: string;
}

export const eventOf = ({ id, event }: StoredEvent): Event => ({ ...(JSON.parse(event) as Event), id });

/** Of what has its key in common the last. The engine would see to it as well, which takes it five times as long as all the rest of an insert. */
export function distinct<Row>(rows: readonly Row[], keyOf: (row: Row) => string): readonly Row[] {
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}

export const distinctEvents = (events: readonly Event[]): readonly Event[] =>
  new Set(events.map(({ id }) => id)).size === events.length
    ? events
    : distinct(events, ({ id, ts, node, cluster }) => `${id} ${ts} ${node}\n${cluster}`);
