import type { Event } from "../../collector/events/event.ts";

interface Position {
  readonly stem: string;
  /** `messages.2` is older than `messages.1`, which is older than `messages`. */
  readonly rotation: number;
  readonly offset: number;
}

const NOWHERE: Position = { stem: "", rotation: 0, offset: 0 };

/** Where a line stands: `path:lineno` or `path@byte`. Anything else (a journal cursor) has no position. */
export function positionOf(at: string | undefined): Position {
  const match = at === undefined ? null : /^(.+)[:@#](\d+)$/.exec(at);
  if (!match) return NOWHERE;
  const path = match[1] ?? "";
  const rotated = /^(.*)\.(\d{1,4})(?:\.(?:gz|zst|xz|bz2))?$/.exec(path);
  return { stem: rotated?.[1] ?? path, rotation: Number(rotated?.[2] ?? 0), offset: Number(match[2]) };
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A sender of one advert is seen and gone at its instant; what begins then also ends after it. */
const isEnd = (event: Event): number =>
  Number(event.kind === "wire.master-gone" || (event.kind === "shadow.divergence" && event.phase === "end"));

/**
 * The order of one node's events. Classic syslog has whole seconds, and what a daemon does in one second (start, fail, end)
 * matters in its order: so the position in the log decides, and at last the id, that the order be a function of the set.
 */
export function compareEvents(a: Event, b: Event): number {
  if (a.ts !== b.ts) return a.ts - b.ts;
  const p = positionOf(a.at);
  const q = positionOf(b.at);
  return (
    byText(p.stem, q.stem) ||
    q.rotation - p.rotation ||
    p.offset - q.offset ||
    isEnd(a) - isEnd(b) ||
    byText(a.id, b.id)
  );
}

/** Index of the first of which it holds, in a list of which it holds from some place on. */
export function indexWhere<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Index of the first event at or after `ts` in a list ordered by time. */
export const firstAtOrAfter = (events: readonly Pick<Event, "ts">[], ts: number): number =>
  indexWhere(events, (event) => event.ts >= ts);

/** Events with `from` <= ts <= `to` of a list ordered by time. */
export function eventsBetween<T extends Event>(events: readonly T[], from: number, to: number): readonly T[] {
  const start = firstAtOrAfter(events, from);
  let end = start;
  while (end < events.length && (events[end] as T).ts <= to) end += 1;
  return events.slice(start, end);
}
