import { US_PER_SECOND } from "../core/time.ts";

/** Reads the time of a line in full. */
export type StampOf = (
  line: string,
  reference: number,
  previous?: number,
) => { readonly ts: number | undefined } | undefined;

/** Times that are written alike but for the last of it. */
export interface Span {
  /** What stands in front, and the zone behind: `Nov 24 10:` or `2026-11-24T10:`, and `+01:00`. */
  readonly front: string;
  readonly zone: string;
  /** What stands between them at its beginning and at its end. */
  readonly first: string;
  readonly last: string;
  readonly seconds: number;
}

/** How long what is known of a span holds: until the reference is so much later. */
export const SPAN_HOLDS_US = 3600 * US_PER_SECOND;
/** A line before that shows a later time of day by this much would make of a repeated minute its second pass. */
const PREVIOUS_PROBE_US = 1800 * US_PER_SECOND;

export const minuteOf = (minute: string, zone: string): Span => ({
  front: `${minute}:`,
  zone,
  first: "00",
  last: "59",
  seconds: 59,
});
export const hourOf = (hour: string, zone: string): Span => ({
  front: `${hour}:`,
  zone,
  first: "00:00",
  last: "59:59",
  seconds: 3599,
});

/** @returns the instant at which the span begins, or undefined when seconds cannot just be added to it */
export function beginningOf(
  { front, zone, first, last, seconds }: Span,
  stampOf: StampOf,
  reference: number,
): number | undefined {
  const at = (time: string, latest: number, previous?: number): number | undefined =>
    stampOf(`${front}${time}${zone} h Keepalived[1]: x`, latest, previous)?.ts;
  const start = at(first, reference);
  if (start === undefined) return undefined;
  const end = start + seconds * US_PER_SECOND;
  const until = reference + SPAN_HOLDS_US;
  // In an hour that winter time repeats, the line before has a say in each. No clock is changed twice within a span.
  return at(last, reference) === end &&
    at(first, reference, start + PREVIOUS_PROBE_US) === start &&
    at(last, reference, end + PREVIOUS_PROBE_US) === end &&
    at(first, until) === start &&
    at(last, until) === end
    ? start
    : undefined;
}
