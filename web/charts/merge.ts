import type { BarState } from "../../server/api/types.ts";

/** How bad a state is: in a pixel column that several share, the worst is shown, so that a short fault is not lost in a wide view. */
const WORSE: Readonly<Record<BarState, number>> = { BACKUP: 0, MASTER: 1, INIT: 2, STOPPED: 3, FAULT: 4 };

export interface Span {
  readonly x0: number;
  readonly x1: number;
  readonly state: BarState;
  /** Position in the list that was merged. */
  readonly index: number;
}

/**
 * Turns spans of one row, in order of their beginnings, into at most one rectangle a pixel column: what is narrower than a
 * pixel is drawn a pixel wide, and neighbours in one column become one.
 */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    const wide = { ...span, x1: Math.max(span.x1, span.x0 + 1) };
    const isNarrow = span.x1 - span.x0 < 1;
    if (!last || wide.x0 >= last.x1 || (!isNarrow && last.x1 - last.x0 > 1.5)) merged.push(wide);
    else if (WORSE[span.state] > WORSE[last.state])
      merged[merged.length - 1] = { ...wide, x0: last.x0, x1: Math.max(last.x1, wide.x1) };
    else merged[merged.length - 1] = { ...last, x1: Math.max(last.x1, isNarrow ? last.x1 : wide.x1) };
  }
  return merged;
}
