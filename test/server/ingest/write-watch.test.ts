import { beforeEach, describe, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { eventFault } from "../../../collector/events/event.ts";
import { WriteWatch } from "../../../server/ingest/write-watch.ts";
import { ManualClock } from "../../collector/app/support.ts";
import { scenario, T0 } from "../detect/scenario.ts";

const clock = new ManualClock();
let told: Batch[];
let insert: () => Promise<{ readonly duplicate: boolean }>;
let watch: WriteWatch;
beforeEach(() => {
  told = [];
  insert = async () => ({ duplicate: false });
  watch = new WriteWatch({
    clock,
    store: { insertBatch: () => insert() },
    log: () => undefined,
    onStored: (batch) => told.push(batch),
  });
});

const at = (second: number): void => void (clock.now = T0 + second * 1_000_000);
/** A heartbeat of that second. */
const beat = (second: number, node = "lb1"): Batch => ({
  version: 1,
  batchId: "0".repeat(32),
  cluster: "default",
  node,
  events: scenario(`at ${second} ${node} heartbeat`),
});
const fails = (second: number, node = "lb1"): void => {
  at(second);
  watch.failed(beat(second, node), new Error("no space\nleft"));
};

describe("a store that takes nothing", () => {
  test("is told of each node that wrote in vain, once what it kept is there", async () => {
    fails(10);
    fails(11, "lb2");
    expect(watch.failingSince()).toBe(T0 + 10_000_000);
    at(20);
    await watch.stored(beat(10));
    expect(watch.failingSince()).toBe(undefined);
    expect(told).toEqual([]);
    at(21);
    await watch.stored(beat(21));
    await watch.stored(beat(22));
    expect(told.map(({ node }) => node)).toEqual(["lb1"]);
    const [event] = told[0]?.events ?? [];
    expect(eventFault(event)).toBe(undefined);
    expect(event).toMatchObject({
      kind: "collector.gap",
      sourceName: "store",
      from: T0 + 10_000_000,
      to: T0 + 20_000_000,
      ts: T0 + 20_000_000,
    });
    expect(event).toMatchObject({ reason: expect.stringMatching(/no space$/) as string });
    // One that is late for another reason, after a while.
    await watch.stored(beat(11, "lb2"));
    at(81);
    await watch.stored(beat(12, "lb2"));
    expect(told.map(({ node }) => node)).toEqual(["lb1", "lb2"]);
  });

  test("for a moment is no gap", async () => {
    fails(10);
    at(14);
    await watch.stored(beat(14));
    await watch.stored(beat(15));
    expect(told).toEqual([]);
  });

  test("is told as soon as that can be stored", async () => {
    fails(10);
    at(20);
    insert = () => Promise.reject(new Error("no space"));
    await watch.stored(beat(20));
    expect(told).toEqual([]);
    insert = async () => ({ duplicate: false });
    await watch.stored(beat(21));
    expect(told).toHaveLength(1);
  });
});
