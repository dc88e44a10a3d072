import { US_PER_SECOND } from "../../collector/core/time.ts";

/** Most events that are read at once. */
export const PAGE_EVENTS = 20_000;
/** Widths of the buckets that events are counted by, the next one where a bucket has too many, microseconds. */
const STEPS_US = [60 * US_PER_SECOND, US_PER_SECOND, 10_000, 100, 1] as const;

/** A stretch of event time; of one instant with too many events, those whose id begins so. */
export interface Page {
  readonly from: number;
  /** Not in it. */
  readonly to: number;
  readonly idPrefix: string;
}

export interface Bucket {
  /** Event time divided by the step. */
  readonly bucket: number;
  readonly events: number;
}

/** Events by bucket, in order of time, of all or within `[from, to)`. */
export type CountEvents = (
  stepUs: number,
  within?: { readonly from: number; readonly to: number },
) => Promise<readonly Bucket[]>;

/**
 * Cuts all events into pages of few enough to hold at once, in order of time, whatever their density: in a log storm a
 * minute has millions, and with the seconds of the classic syslog stamp one instant has tens of thousands.
 */
export async function* pagesOf(
  count: CountEvents,
  within?: { readonly from: number; readonly to: number },
  level = 0,
): AsyncGenerator<Page> {
  const step = STEPS_US[level] ?? 1;
  let page: { from: number; to: number; events: number } | undefined;
  for (const { bucket, events } of await count(step, within)) {
    const from = bucket * step;
    const to = from + step;
    if (page && page.events + events <= PAGE_EVENTS) {
      page = { from: page.from, to, events: page.events + events };
      continue;
    }
    if (page) yield { from: page.from, to: page.to, idPrefix: "" };
    page = events <= PAGE_EVENTS ? { from, to, events } : undefined;
    if (page) continue;
    if (level + 1 < STEPS_US.length) yield* pagesOf(count, { from, to }, level + 1);
    else for (const idPrefix of prefixesFor(events)) yield { from, to, idPrefix };
  }
  if (page) yield { from: page.from, to: page.to, idPrefix: "" };
}

const HEX = "0123456789abcdef".split("");

/** Ids are hexadecimal and evenly spread. */
function prefixesFor(events: number): string[] {
  let prefixes = [""];
  // Half of a page each, for the unevenness of chance.
  while (events / prefixes.length > PAGE_EVENTS / 2)
    prefixes = prefixes.flatMap((prefix) => HEX.map((digit) => prefix + digit));
  return prefixes;
}
