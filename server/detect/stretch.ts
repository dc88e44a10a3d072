import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { carryOver } from "./carry.ts";
import type { IncidentDraft } from "./incident.ts";
import { compareEvents, firstAtOrAfter, indexWhere } from "./order.ts";

/**
 * One stretch of a cluster's time: its events, and those of before that still matter in it. Detection looks at one stretch
 * after the other, so that what an event costs does not depend on how long the history is. Where a stretch ends is a function
 * of the set of events alone, hence so is all that is concluded.
 */

/** Least events of a stretch; more when more is carried into it, so that the carried ones are never the larger part. */
export const STRETCH_EVENTS_MIN = 256;
/** A stretch ends at the first silence this long after its least number of events ... */
const QUIET_US = 30 * US_PER_SECOND;
/** ... or, when it is never silent, at the longest pause before this many times its least number. */
const STRETCH_FACTOR_MAX = 8;
/** A stretch is concluded with this much of what came after it, and this much of what came before, ... */
export const MARGIN_US = 600 * US_PER_SECOND;
/** ... but never with more than this many events of either. */
export const MARGIN_EVENTS = 512;

export interface StretchSizes {
  readonly min: number;
  readonly marginEvents: number;
}

export const STRETCH_SIZES: StretchSizes = { min: STRETCH_EVENTS_MIN, marginEvents: MARGIN_EVENTS };

/** Events by node, each node's in the order of order.ts. */
export type EventsByNode = ReadonlyMap<string, readonly Event[]>;

export class Stretch {
  /** Event time; it has the events with from <= ts < to. */
  readonly from: number;
  /** null: the newest one, which is still growing. */
  to: number | null = null;
  /** Its own events. */
  readonly nodes = new Map<string, Event[]>();
  /** Event times of all nodes, ascending. */
  readonly times: number[] = [];
  private readonly ids = new Set<string>();
  private readonly unsorted = new Set<string>();
  private timesSorted = true;
  /** Older events that still matter. */
  carried: EventsByNode = new Map();
  /** Incidents that were not over when it began, by what concluded them. */
  inherited: ReadonlyMap<string, readonly IncidentDraft[]> = new Map();

  constructor(from: number) {
    this.from = from;
  }

  /** @returns false for one it has */
  add(event: Event): boolean {
    if (this.ids.has(event.id)) return false;
    this.ids.add(event.id);
    let events = this.nodes.get(event.node);
    if (!events) this.nodes.set(event.node, (events = []));
    const last = events.at(-1);
    if (last !== undefined && compareEvents(last, event) > 0) this.unsorted.add(event.node);
    events.push(event);
    const newest = this.times.at(-1);
    if (newest !== undefined && newest > event.ts) this.timesSorted = false;
    this.times.push(event.ts);
    return true;
  }

  /** Removes those of a node. @returns them */
  takeOut(node: string, isWanted: (event: Event) => boolean): readonly Event[] {
    const events = this.nodes.get(node) ?? [];
    const taken = events.filter(isWanted);
    if (taken.length === 0) return taken;
    const gone = new Set(taken);
    this.nodes.set(
      node,
      events.filter((event) => !gone.has(event)),
    );
    for (const { id } of taken) this.ids.delete(id);
    this.times.length = 0;
    for (const own of this.nodes.values()) for (const { ts } of own) this.times.push(ts);
    this.timesSorted = false;
    return taken;
  }

  has(eventId: string): boolean {
    return this.ids.has(eventId);
  }

  sort(): void {
    for (const node of this.unsorted) this.nodes.get(node)?.sort(compareEvents);
    this.unsorted.clear();
    if (!this.timesSorted) this.times.sort((a, b) => a - b);
    this.timesSorted = true;
  }

  /** Takes all of the one that follows. */
  absorb(next: Stretch): void {
    for (const events of next.nodes.values()) for (const event of events) this.add(event);
    this.to = next.to;
  }

  /** Ends here; @returns what it had from there on, as the next one */
  splitAt(cut: number): Stretch {
    const next = new Stretch(cut);
    next.to = this.to;
    this.to = cut;
    this.sort();
    for (const [node, events] of this.nodes) {
      const at = firstAtOrAfter(events, cut);
      for (const event of events.splice(at)) {
        this.ids.delete(event.id);
        next.add(event);
      }
      if (events.length === 0) this.nodes.delete(node);
    }
    this.times.length = indexOfTime(this.times, cut);
    return next;
  }

  /** What the next one is concluded with of this one, and of what was carried into it. */
  carry(open: readonly IncidentDraft[], sizes: StretchSizes): EventsByNode {
    this.sort();
    const to = this.to as number;
    const since = Math.max(to - MARGIN_US, this.newestTimes(to, sizes.marginEvents));
    return carryOver(mergeByNode(this.carried, this.nodes), { at: to, since, open });
  }

  /** Time of the oldest of the newest `count` events, carried ones included, before the end. */
  private newestTimes(to: number, count: number): number {
    if (this.times.length >= count) return (this.times.at(-count) ?? to) as number;
    const carried = [...this.carried.values()].flatMap((events) => events.map(({ ts }) => ts)).sort((a, b) => a - b);
    return carried.at(-(count - this.times.length)) ?? Number.NEGATIVE_INFINITY;
  }

  carriedCount(): number {
    let count = 0;
    for (const events of this.carried.values()) count += events.length;
    return count;
  }
}

interface Cut {
  readonly at: number;
  /** Time of the last event that had a say in it. */
  readonly decidedBy: number;
}

/**
 * Where the stretch that begins with these events ends; null when that cannot be known yet.
 * @param times    ascending, of its events and of all that follow as far as they are needed
 * @param carried  number of events carried into it
 */
export function cutOf(times: readonly number[], carried: number, sizes: StretchSizes): Cut | null {
  const least = leastOf(carried, sizes);
  const most = STRETCH_FACTOR_MAX * least;
  let longest = 0;
  let at = -1;
  for (let index = least; index < times.length; index += 1) {
    const gap = (times[index] as number) - (times[index - 1] as number);
    if (gap >= QUIET_US || (index >= most && longest > 0)) {
      const end = gap >= QUIET_US ? index : at;
      return { at: middle(times[end - 1] as number, times[end] as number), decidedBy: times[index] as number };
    }
    if (gap > longest) [longest, at] = [gap, index];
  }
  return null;
}

/** Event times from a stretch's begin that decide where it ends, and how far beyond it looks. */
export function decidingCount(carried: number, sizes: StretchSizes): number {
  return STRETCH_FACTOR_MAX * leastOf(carried, sizes) + sizes.marginEvents + 2;
}

/** In steps, so that a few carried events more or less do not move every cut that follows. */
function leastOf(carried: number, { min }: StretchSizes): number {
  let least = min;
  while (least < carried) least *= 2;
  return least;
}

/** The later of both when there is no instant between them: a stretch has what is before its end. */
const middle = (a: number, b: number): number => a + Math.max(1, Math.floor((b - a) / 2));

/** The stretch is over when what follows it is known that far; @returns how far, or null. */
export function marginEnd(
  cut: number,
  timesAfter: readonly number[],
  horizon: number,
  sizes: StretchSizes,
): number | null {
  const byCount = timesAfter[sizes.marginEvents - 1] ?? Number.POSITIVE_INFINITY;
  const byTime = cut + MARGIN_US;
  const end = Math.min(byTime, byCount);
  return end <= horizon ? end : null;
}

export const indexOfTime = (times: readonly number[], ts: number): number => indexWhere(times, (time) => time >= ts);

/** Those of `later` come after those of `earlier`. */
export function mergeByNode(earlier: EventsByNode, later: EventsByNode): Map<string, readonly Event[]> {
  const merged = new Map<string, readonly Event[]>(earlier);
  for (const [node, events] of later) {
    const before = merged.get(node);
    merged.set(node, before === undefined ? events : [...before, ...events]);
  }
  return merged;
}
