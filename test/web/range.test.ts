import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { around, asked, LIVE_SPAN_US, liveRange, pan, part, pinch, type Range, zoom } from "../../web/range.ts";

const S = 1_000_000;
const AT = 1_795_517_614_000_042;
/** What the server answers at most. */
const SERVER_MAX = 400 * 86_400 * S;
const range = fc
  .tuple(fc.integer({ min: 0, max: AT }), fc.integer({ min: 200_000, max: SERVER_MAX }))
  .map(([from, span]): Range => ({ from, to: from + span }));

describe("the range that is seen", () => {
  test("of the live view ends a little after now and is five minutes long", () => {
    const { from, to } = liveRange(AT, LIVE_SPAN_US);
    expect(to).toBeGreaterThan(AT);
    expect(to - from).toBe(300 * S);
  });

  test("keeps what is under the pointer where it is when it is zoomed", () => {
    const before = { from: AT, to: AT + 100 * S };
    const after = zoom(before, 0.5, 0.25);
    expect(after.to - after.from).toBe(50 * S);
    expect(after.from + (after.to - after.from) * 0.25).toBeCloseTo(AT + 25 * S, -1);
  });

  test("never turns over, leaves time or grows beyond what the server answers, whatever is done with it", () => {
    const step = fc.oneof(
      fc.record({
        factor: fc.double({ min: 0.01, max: 100, noNaN: true }),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.record({ share: fc.double({ min: -3, max: 3, noNaN: true }) }),
    );
    fc.assert(
      fc.property(range, fc.array(step, { maxLength: 30 }), (start, steps) => {
        let seen = start;
        for (const s of steps) {
          seen = "share" in s ? pan(seen, s.share) : zoom(seen, s.factor, s.at);
          expect(seen.from).toBeGreaterThanOrEqual(0);
          expect(seen.to).toBeGreaterThan(seen.from);
          expect(seen.to - seen.from).toBeLessThanOrEqual(SERVER_MAX);
          expect(Number.isInteger(seen.from) && Number.isInteger(seen.to)).toBe(true);
        }
      }),
    );
  });

  test("is asked for with margins, but never for longer than the server answers", () => {
    expect(asked({ from: AT, to: AT + S })).toEqual({ from: AT - S, to: AT + 2 * S });
    fc.assert(
      fc.property(range, (seen) => {
        const { from, to } = asked(seen);
        expect(from).toBeGreaterThanOrEqual(0);
        expect(from).toBeLessThanOrEqual(seen.from);
        expect(to).toBeGreaterThanOrEqual(seen.to);
        expect(to - from).toBeLessThanOrEqual(SERVER_MAX);
      }),
    );
  });

  test("around an incident has the whole of it, and reaches to now while it is open", () => {
    expect(around(AT, AT + 8 * S, AT + 900 * S)).toEqual({ from: AT - 5 * S, to: AT + 13 * S });
    expect(around(AT, null, AT + 60 * S).to).toBeGreaterThan(AT + 60 * S);
  });
});

describe("two fingers", () => {
  const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });
  test("hold the instants under them", () => {
    fc.assert(
      fc.property(share, share, share, share, (a, b, c, d) => {
        fc.pre(Math.abs(a - b) > 0.05 && Math.abs(c - d) > 0.05 && a < b === c < d);
        const range = { from: 1_000_000_000_000, to: 1_000_100_000_000 };
        const seen = pinch(range, [a, b], [c, d]);
        const instantAt = ({ from, to }: Range, at: number): number => from + (to - from) * at;
        for (const [before, now] of [
          [a, c],
          [b, d],
        ] as const)
          expect(Math.abs(instantAt(range, before) - instantAt(seen, now))).toBeLessThan(10);
      }),
    );
  });
});

test("a part of a range is what was marked", () => {
  expect(part({ from: 0, to: 100_000_000 }, 0.25, 0.75)).toEqual({ from: 25_000_000, to: 75_000_000 });
  expect(part({ from: 0, to: 300_000 }, 0.1, 0.11).to).toBe(230_000);
});
