import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Bar } from "../../server/api/types.ts";
import { columnsOf, eachRun, mergeBars } from "../../web/charts/merge.ts";

interface Span {
  readonly x0: number;
  readonly x1: number;
  readonly state: Bar["state"];
  readonly index: number;
}

const bar = ({ x0, x1, state }: Omit<Span, "index">): Bar => ({
  source: "log",
  state,
  from: x0,
  to: x1,
  fromUncertaintyUs: 0,
  toUncertaintyUs: 0,
  eventIds: [],
});
/** A pixel a microsecond. */
const WHOLE = { from: 0, to: 3000, left: 0, right: 3000 };

function runsOf(bars: readonly Bar[], scale = WHOLE, watchedTo = 3000): Span[] {
  const found: Span[] = [];
  eachRun(mergeBars(columnsOf(bars), scale, watchedTo), (x0, x1, index) => {
    const state = bars[index]?.state;
    if (state) found.push({ x0, x1, state, index });
  });
  return found;
}
const mergeSpans = (spans: readonly Span[]): Span[] => runsOf(spans.map(bar));

const STATES = ["MASTER", "BACKUP", "FAULT", "INIT", "STOPPED"] as const;
const spans = (...rows: readonly (readonly [number, number, Span["state"]])[]): Span[] =>
  rows.map(([x0, x1, state], index) => ({ x0, x1, state, index }));
const widthOf = (merged: readonly Span[], state: Span["state"]): number =>
  merged.filter((span) => span.state === state).reduce((sum, { x0, x1 }) => sum + x1 - x0, 0);
/** Bars of one source follow one another. */
const row = fc
  .array(fc.tuple(fc.double({ min: 0, max: 40, noNaN: true }), fc.constantFrom(...STATES)), { maxLength: 60 })
  .map((parts) => {
    // What ends where the view begins is not in it.
    let at = 1;
    return parts.map(([width, state], index): Span => ({ x0: at, x1: (at += width), state, index }));
  });

describe("bars merged by pixel column", () => {
  test("a fault too short for a pixel stays visible in a column of its own", () => {
    const merged = mergeSpans(spans([10, 400.4, "MASTER"], [400.4, 400.6, "FAULT"], [400.6, 900, "BACKUP"]));
    expect(widthOf(merged, "FAULT")).toBe(1);
  });

  test("a short fault does not turn the bar after it into a fault", () => {
    const merged = mergeSpans(spans([0, 10.2, "BACKUP"], [10.2, 10.3, "FAULT"], [10.3, 500, "BACKUP"]));
    expect(widthOf(merged, "BACKUP")).toBeGreaterThan(490);
  });

  test("of many that share a column the worst is shown, and leads to its own evidence", () => {
    const merged = mergeSpans(
      spans([5.1, 5.2, "BACKUP"], [5.2, 5.3, "STOPPED"], [5.3, 5.4, "FAULT"], [5.4, 5.45, "MASTER"]),
    );
    expect(merged).toEqual([{ x0: 5, x1: 6, state: "FAULT", index: 2 }]);
  });

  test("bars wider than a pixel keep their ends", () => {
    expect(mergeSpans(spans([10, 20, "BACKUP"], [20, 30, "MASTER"]))).toEqual(
      spans([10, 20, "BACKUP"], [20, 30, "MASTER"]),
    );
  });

  test("a gap between two bars stays a gap", () => {
    expect(mergeSpans(spans([10, 20, "MASTER"], [25, 30, "MASTER"])).map(({ x0, x1 }) => [x0, x1])).toEqual([
      [10, 20],
      [25, 30],
    ]);
  });

  test("no two rectangles share a column, whatever the bars", () => {
    fc.assert(
      fc.property(row, (bars) => {
        const merged = mergeSpans(bars);
        for (const [i, span] of merged.entries()) expect(span.x0).toBeGreaterThanOrEqual(merged[i - 1]?.x1 ?? -1);
      }),
    );
  });

  test("each state is drawn, and none wider than its bars are by more than a pixel each", () => {
    fc.assert(
      fc.property(row, (bars) => {
        const merged = mergeSpans(bars);
        for (const state of STATES) {
          const own = bars.filter((bar) => bar.state === state);
          const room = own.reduce((sum, { x0, x1 }) => sum + x1 - x0 + 1, 0);
          expect(widthOf(merged, state)).toBeLessThanOrEqual(room + 1e-6);
        }
        if (bars.some(({ state }) => state === "FAULT")) expect(widthOf(merged, "FAULT")).toBeGreaterThan(0);
      }),
    );
  });

  test("fifty thousand bars become no more rectangles than there are columns", () => {
    const many = Array.from(
      { length: 50_000 },
      (_, i): Span => ({ x0: i / 50, x1: (i + 1) / 50, state: i % 2 ? "MASTER" : "BACKUP", index: i }),
    );
    expect(mergeSpans(many).length).toBeLessThanOrEqual(1001);
  });

  test("a bar that has not ended reaches to where it is watched, and no further than the canvas", () => {
    const open = { ...bar({ x0: 10, x1: 0, state: "MASTER" }), to: null };
    expect(runsOf([open], WHOLE, 400).map(({ x0, x1 }) => [x0, x1])).toEqual([[10, 400]]);
    expect(runsOf([open], WHOLE, 9000).map(({ x0, x1 }) => [x0, x1])).toEqual([[10, 3000]]);
  });

  test("a stretch of the time shows what the whole shows of it, in order or not", () => {
    fc.assert(
      fc.property(row, fc.double({ min: 0, max: 500, noNaN: true }), fc.boolean(), (spans, from, isOrdered) => {
        const bars = (isOrdered ? spans : spans.toReversed()).map(bar);
        const scale = { from, to: from + 200, left: 64, right: 264 };
        const all = bars.filter((one) => (one.to ?? 0) > scale.from && one.from < scale.to);
        const plain = runsOf(
          all.map((one) => ({ ...one, from: Math.max(one.from, from) })),
          scale,
        );
        expect(runsOf(bars, scale).map(({ x0, x1, state }) => ({ x0, x1, state }))).toEqual(
          plain.map(({ x0, x1, state }) => ({ x0, x1, state })),
        );
      }),
    );
  });
});
