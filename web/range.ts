/** A stretch of time, epoch microseconds. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

const S = 1_000_000;
/** The closest and the widest look: 200 ms, and 400 days, which is the most the server answers. */
const SPAN_MIN = 200_000;
const SPAN_MAX = 400 * 86_400 * S;

/** How much of the past is shown at first. */
export const LIVE_SPAN_US = 5 * 60 * S;
/** Room to the right of now while following live. */
const AHEAD = 0.02;

/** The newest stretch of this length. */
export function liveRange(nowUs: number, spanUs: number): Range {
  return { from: Math.round(nowUs - spanUs * (1 - AHEAD)), to: Math.round(nowUs + spanUs * AHEAD) };
}

/** Zooms by a factor (below 1: closer) around a point given as a share of the width, 0 to 1. */
export function zoom({ from, to }: Range, factor: number, around: number): Range {
  const span = Math.min(SPAN_MAX, Math.max(SPAN_MIN, (to - from) * factor));
  const fixed = from + (to - from) * around;
  const start = Math.max(0, Math.round(fixed - span * around));
  return { from: start, to: start + Math.round(span) };
}

/** Moves by a share of the width. */
export function pan({ from, to }: Range, share: number): Range {
  const by = Math.max(-from, Math.round((to - from) * share));
  return { from: from + by, to: to + by };
}

/** All of an interval with a margin; an open end reaches to `now`. */
export function around(start: number, end: number | null, now: number): Range {
  const until = end ?? now;
  const margin = Math.max(5 * S, (until - start) * 0.6);
  return { from: Math.max(0, Math.round(start - margin)), to: Math.round(until + margin) };
}

/** What to ask the server for: a width more on either side, so that a pan shows no empty margin, as far as it answers. */
export function asked({ from, to }: Range): Range {
  const margin = Math.floor(Math.min(to - from, (SPAN_MAX - (to - from)) / 2));
  return { from: Math.max(0, from - margin), to: to + margin };
}

/** The part of it between two shares of its width. */
export function part({ from, to }: Range, first: number, last: number): Range {
  const start = from + (to - from) * first;
  const span = Math.max(SPAN_MIN, (to - from) * (last - first));
  return { from: Math.round(start), to: Math.round(start + span) };
}

/** Two fingers hold two instants, and take them where they go. Shares of the width, before and now. */
export function pinch(range: Range, before: readonly [number, number], now: readonly [number, number]): Range {
  const apart = Math.abs(before[0] - before[1]);
  const factor = apart / Math.max(0.01, Math.abs(now[0] - now[1]));
  const held = (before[0] + before[1]) / 2;
  const zoomed = zoom(range, factor, held);
  return pan(zoomed, held - (now[0] + now[1]) / 2);
}
