import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { planImport, planReplay, shiftEvents } from "../../../server/replay/replay.ts";

const HOUR_US = 3_600_000_000;

const event = (node: string, ts: number, number: number): Event => ({
  id: number.toString(16).padStart(32, "0"),
  cluster: "c",
  node,
  source: "log",
  kind: "vrrp.state",
  instance: "VI_1",
  state: "MASTER",
  ts,
  tsUncertaintyUs: 1,
  observedTs: ts,
});
const recording = fc
  .array(fc.tuple(fc.constantFrom("lb1", "lb2", "lb3"), fc.nat(60_000_000)), { minLength: 1, maxLength: 60 })
  .map((drawn) => drawn.map(([node, ts], i) => event(node, 1_000_000_000 + ts, i)));
const told = (batches: readonly { batch: { events: readonly Event[] } }[]) =>
  batches.flatMap(({ batch }) => batch.events);
const ids = (events: readonly Event[]) => events.map(({ id }) => id).toSorted();

describe("a replay", () => {
  test("sends each event once, in a batch of its node, when its time has come and not before", () => {
    fc.assert(
      fc.property(recording, fc.nat(70_000_000), fc.integer({ min: 1, max: 5_000_000 }), (events, past, everyUs) => {
        const startUs = 1_000_000_000 + past;
        const plan = planReplay(events, { startUs, everyUs });
        expect(ids(told(plan).filter(({ kind }) => kind !== "collector.heartbeat"))).toEqual(ids(events));
        let before = Number.NEGATIVE_INFINITY;
        for (const { dueUs, batch } of plan) {
          expect(dueUs).toBeGreaterThanOrEqual(before);
          before = dueUs;
          for (const { node, ts } of batch.events) {
            expect(node).toBe(batch.node);
            expect(ts).toBeLessThanOrEqual(startUs + dueUs);
            if (ts > startUs) expect(ts).toBeGreaterThan(startUs + dueUs - everyUs);
          }
        }
      }),
    );
  });

  test("of a recording of years has a bounded number of heartbeats", () => {
    const years = [event("lb1", 1_000_000, 1), event("lb1", 1_000_000 + 30_000 * HOUR_US, 2)];
    expect(told(planReplay(years, { startUs: 0, everyUs: HOUR_US })).length).toBeLessThan(110_000);
  });

  test("has ids of its own for each shift, and the same for the same", () => {
    const events = [event("lb1", 1_000_000_000, 1)];
    expect(shiftEvents(events, 5)).toEqual(shiftEvents(events, 5));
    expect(shiftEvents(events, 5)[0]?.id).not.toBe(shiftEvents(events, 6)[0]?.id);
  });
});

describe("what is filled in as it was recorded", () => {
  test("is each event as it is, in batches of one node, in the order of their times, and no heartbeat", () => {
    fc.assert(
      fc.property(recording, (events) => {
        const plan = planImport(events);
        expect(told(plan).toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(events);
        for (const { dueUs, batch } of plan) {
          expect(dueUs).toBe(0);
          expect(batch.events.map(({ ts }) => ts)).toEqual(batch.events.map(({ ts }) => ts).toSorted((a, b) => a - b));
          expect(new Set(batch.events.map(({ node }) => node))).toEqual(new Set([batch.node]));
        }
      }),
    );
  });

  test("comes in batches that a server takes", () => {
    const many = Array.from({ length: 2_500 }, (_, i) => event("lb1", i, i));
    expect(planImport(many).map(({ batch }) => batch.events.length)).toEqual([1000, 1000, 500]);
  });
});
