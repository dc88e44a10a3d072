import { beforeEach, describe, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { eventFault } from "../../../collector/events/event.ts";
import { createDetectionEngine } from "../../../server/detect/engine.ts";
import { SilenceWatch } from "../../../server/ingest/silence.ts";
import { ManualClock } from "../../collector/app/support.ts";
import { scenario, T0 } from "../detect/scenario.ts";

const clock = new ManualClock();
let stored: Batch[];
let insert: (batch: Batch) => Promise<{ readonly duplicate: boolean }>;
let nodes: { readonly cluster: string; readonly node: string }[];
let watch: SilenceWatch;

beforeEach(() => {
  clock.now = T0;
  stored = [];
  nodes = [{ cluster: "default", node: "lb1" }];
  insert = async () => ({ duplicate: false });
  watch = new SilenceWatch({
    clock,
    store: { insertBatch: (batch) => insert(batch) },
    log: () => undefined,
    nodes: () => nodes,
    onStored: (batch) => stored.push(batch),
  });
});

/** Looks at so many seconds. @returns how many seconds after the start a silence was told */
async function look(...seconds: readonly number[]): Promise<void> {
  for (const second of seconds) {
    clock.now = T0 + second * 1_000_000;
    await watch.check();
  }
}
const told = (): number[] => stored.map(({ events }) => ((events[0]?.ts ?? 0) - T0) / 1_000_000);

describe("a collector that says nothing", () => {
  test("is told after a while, and ever more rarely", async () => {
    await look(0, 70, 75, 80, 140, 150, 160, 290, 300);
    expect(told()).toEqual([75, 150, 300]);
    const [event] = stored[0]?.events ?? [];
    expect(eventFault(event)).toBe(undefined);
    expect(event).toMatchObject({ kind: "collector.unheard", node: "lb1", since: T0 });
    expect(new Set(stored.map(({ batchId }) => batchId)).size).toBe(3);
  });

  test("is one that was heard of a while ago", async () => {
    await look(0, 60);
    watch.heard("default", "lb1");
    await look(130, 135, 200);
    expect(told()).toEqual([135]);
    expect(stored[0]?.events[0]).toMatchObject({ since: T0 + 60_000_000 });
  });

  test("is told once the store takes it", async () => {
    insert = () => Promise.reject(new Error("the disk is full"));
    await look(0, 75);
    expect(told()).toEqual([]);
    insert = async () => ({ duplicate: false });
    await look(80);
    expect(told()).toEqual([80]);
  });

  test("while all are silent is found out, and by a restart that has only the store again", async () => {
    const events = scenario("at 0 lb1 collector started\n watch lb1 to 20");
    const engine = createDetectionEngine();
    engine.add(events);
    watch.heard("default", "lb1");
    await look(20, 100);
    const { changes } = engine.add(stored.flatMap((batch) => batch.events));
    expect(changes).toMatchObject([{ type: "opened", incident: { kind: "blind-spot", subject: { nodes: ["lb1"] } } }]);
    const again = createDetectionEngine({}, engine.incidents());
    again.load([...stored.flatMap((batch) => batch.events), ...events]);
    expect(again.add([]).changes).toEqual([]);
    expect(again.incidents()).toEqual(engine.incidents());
  });
});
