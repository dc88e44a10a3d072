import type { BarState } from "../../server/api/types.ts";

/** How bad a state is: in a pixel column that several share, the worst is shown, so that a short fault is not lost in a wide view. */
const WORSE: Readonly<Record<BarState, number>> = {
  UP: 0,
  BACKUP: 0,
  MASTER: 1,
  INIT: 2,
  STOPPED: 3,
  FAULT: 4,
  DOWN: 4,
};

export interface Span {
  readonly x0: number;
  readonly x1: number;
  readonly state: BarState;
  /** Position in the list that was merged. */
  readonly index: number;
}

/**
 * Turns the spans of one row into rectangles on whole pixel columns, no two in one column: what is narrower than a pixel
 * gets a column all the same, and takes it from what is less bad, but never more than that column.
 */
export function mergeSpans(spans: readonly Span[]): Span[] {
  let left = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  for (const { x0, x1 } of spans) {
    left = Math.min(left, Math.floor(x0));
    right = Math.max(right, Math.ceil(x1) + 1);
  }
  if (left >= right) return [];
  /** Which span a column shows; -1 for none. */
  const shown = new Int32Array(right - left).fill(-1);
  for (let i = 0; i < spans.length; i += 1) {
    const span = spans[i];
    if (!span) continue;
    // A boundary between two bars is rounded the same for both, so that they neither overlap nor leave a gap.
    let first = Math.round(span.x0);
    let end = Math.round(span.x1);
    if (end <= first) {
      first = Math.floor(span.x0);
      end = first + 1;
    }
    for (let column = first - left; column < end - left; column += 1) {
      const other = spans[shown[column] ?? -1];
      if (!other || WORSE[span.state] > WORSE[other.state]) shown[column] = i;
    }
  }
  return runs(shown, left, spans);
}

function runs(shown: Int32Array, left: number, spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  let begin = 0;
  for (let column = 1; column <= shown.length; column += 1) {
    if (column < shown.length && shown[column] === shown[begin]) continue;
    const span = spans[shown[begin] ?? -1];
    if (span) merged.push({ x0: left + begin, x1: left + column, state: span.state, index: span.index });
    begin = column;
  }
  return merged;
}
