import type { Bar, BarState } from "../../server/api/types.ts";

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

/** A row's bars as columns of numbers: read once, and then run through for each frame. */
export interface BarColumns {
  readonly from: Float64Array;
  /** Infinite where a bar has not ended. */
  readonly to: Float64Array;
  readonly worse: Uint8Array;
  /** Bars begin and end in their order: what lies in a range is found without looking at the others. */
  readonly isOrdered: boolean;
}

export function columnsOf(bars: readonly Bar[]): BarColumns {
  const from = new Float64Array(bars.length);
  const to = new Float64Array(bars.length);
  const worse = new Uint8Array(bars.length);
  let isOrdered = true;
  let began = Number.NEGATIVE_INFINITY;
  let ended = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < bars.length; i += 1) {
    const bar = bars[i];
    if (!bar) continue;
    const end = bar.to ?? Number.POSITIVE_INFINITY;
    isOrdered &&= bar.from >= began && end >= ended;
    began = from[i] = bar.from;
    ended = to[i] = end;
    worse[i] = WORSE[bar.state];
  }
  return { from, to, worse, isOrdered };
}

/** Where a stretch of time lies on the canvas. */
export interface Scale {
  /** Epoch microseconds. */
  readonly from: number;
  readonly to: number;
  /** Pixels. */
  readonly left: number;
  readonly right: number;
}

/** Which bar each pixel column shows, by its position in the row; -1 for none. */
export interface Shown {
  /** The first column, pixels. */
  readonly base: number;
  readonly bars: Int32Array;
}

/**
 * Lays the bars of one row out on whole pixel columns, no two in one column: what is narrower than a pixel
 * gets a column all the same, and takes it from what is less bad, but never more than that column.
 * @param watchedTo  where a bar is drawn to that has not ended
 */
export function mergeBars(
  { from, to, worse, isOrdered }: BarColumns,
  { from: begin, to: end, left, right }: Scale,
  watchedTo: number,
): Shown {
  const pixelsAUs = (right - left) / (end - begin);
  const base = Math.floor(left);
  const shown = new Int32Array(Math.ceil(right) - base + 1).fill(-1);
  for (let i = isOrdered ? lowest(to, begin) : 0; i < from.length; i += 1) {
    let x0 = left + ((from[i] ?? 0) - begin) * pixelsAUs;
    if (x0 >= right) {
      if (isOrdered) break;
      continue;
    }
    const last = to[i] ?? 0;
    let x1 = left + ((last === Number.POSITIVE_INFINITY ? watchedTo : last) - begin) * pixelsAUs;
    if (x1 <= left) continue;
    if (x0 < left) x0 = left;
    if (x1 > right) x1 = right;
    // A boundary between two bars is rounded the same for both, so that they neither overlap nor leave a gap.
    let first = Math.round(x0) - base;
    let beyond = Math.round(x1) - base;
    if (beyond <= first) {
      first = Math.floor(x0) - base;
      beyond = first + 1;
    }
    const bad = worse[i] ?? 0;
    for (let column = first; column < beyond; column += 1) {
      const other = shown[column] ?? -1;
      if (other < 0 || bad > (worse[other] ?? 0)) shown[column] = i;
    }
  }
  return { base, bars: shown };
}

/** The first of values in rising order that is above a limit. */
function lowest(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The rectangles of a row: neighbouring columns that show the same bar. */
export function eachRun({ base, bars }: Shown, visit: (x0: number, x1: number, index: number) => void): void {
  let begin = 0;
  let index = bars[0] ?? -1;
  for (let column = 1; column <= bars.length; column += 1) {
    const next = column < bars.length ? (bars[column] ?? -1) : -1;
    if (next === index && column < bars.length) continue;
    if (index >= 0) visit(base + begin, base + column, index);
    begin = column;
    index = next;
  }
}
