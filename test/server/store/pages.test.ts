import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CountEvents, type Page, PAGE_EVENTS, pagesOf } from "../../../server/store/pages.ts";

/** How many events each instant has. */
type History = ReadonlyMap<number, number>;

const countIn =
  (history: History): CountEvents =>
  async (step, within) => {
    const buckets = new Map<number, number>();
    for (const [ts, events] of history) {
      if (within && (ts < within.from || ts >= within.to)) continue;
      const bucket = Math.trunc(ts / step);
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + events);
    }
    return [...buckets].sort(([a], [b]) => a - b).map(([bucket, events]) => ({ bucket, events }));
  };

async function pages(history: History): Promise<Page[]> {
  const all: Page[] = [];
  for await (const page of pagesOf(countIn(history))) all.push(page);
  return all;
}

const eventsIn = (history: History, { from, to, idPrefix }: Page): number => {
  let events = 0;
  for (const [ts, count] of history) if (ts >= from && ts < to) events += count;
  return events / 16 ** idPrefix.length;
};

const T0 = 1_795_000_000_000_000;
const history = fc
  .array(
    fc.tuple(
      fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 3_600_000_000 })),
      fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 2_000_000 })),
    ),
    { maxLength: 60 },
  )
  .map((instants): History => new Map(instants.map(([at, events]) => [T0 + at, events])));

describe("pages", () => {
  test("are few for a history that is thin", async () => {
    const thin = new Map(Array.from({ length: 600 }, (_, i) => [T0 + i * 3_600_000_000, 30]));
    expect(await pages(thin)).toHaveLength(1);
  });

  test("hold each event once, in order of time, and never too many, whatever the density", async () => {
    await fc.assert(
      fc.asyncProperty(history, async (events) => {
        const all = await pages(events);
        for (const page of all) expect(eventsIn(events, page)).toBeLessThanOrEqual(PAGE_EVENTS);
        for (const [i, page] of all.entries()) {
          const before = all[i - 1];
          if (!before || (before.from === page.from && page.idPrefix !== "")) continue;
          expect(page.from).toBeGreaterThanOrEqual(before.to);
        }
        for (const [ts, count] of events) {
          const holding = all.filter(({ from, to }) => ts >= from && ts < to);
          // Together the prefixes of an instant are all ids there are.
          const part = holding.reduce((sum, { idPrefix }) => sum + 16 ** -idPrefix.length, 0);
          expect(part).toBe(1);
          if (count > PAGE_EVENTS) expect(new Set(holding.map(({ idPrefix }) => idPrefix)).size).toBe(holding.length);
        }
      }),
    );
  });
});
