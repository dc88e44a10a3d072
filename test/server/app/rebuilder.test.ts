import { expect, test } from "vitest";
import type { MonoUs } from "../../../collector/core/time.ts";
import { createDetectionEngine } from "../../../server/detect/engine.ts";
import { REBUILD_AFTER_MS, REBUILD_WAIT_MAX_MS, Rebuilder } from "../../../server/rebuilder.ts";
import { scenario } from "../detect/scenario.ts";

const EVENTS = scenario("at 0 lb1 config\nat 3 lb1 log MASTER");

/** Its waits are as long as they say, by a clock of its own. */
function setup(options: { failing?: () => boolean; endsAfterMs?: number } = {}) {
  let nowMs = 0;
  const waits: number[] = [];
  const said: string[] = [];
  let rebuilt = 0;
  const rebuilder = new Rebuilder({
    store: {
      async *detectionEvents() {
        await Promise.resolve();
        if (options.failing?.() === true) throw new Error("the disk is gone");
        yield EVENTS;
      },
    },
    engine: createDetectionEngine(),
    clock: { mono: () => (nowMs * 1000) as MonoUs },
    log: (_level, message) => said.push(message),
    wait: (ms) => {
      if (ms > 0) waits.push(ms);
      nowMs += ms;
      return Promise.resolve(nowMs <= (options.endsAfterMs ?? Number.POSITIVE_INFINITY));
    },
    onRebuilt: () => (rebuilt += 1),
  });
  const again = async (afterMs: number): Promise<void> => {
    nowMs += afterMs;
    rebuilder.due();
    await rebuilder.settled();
  };
  return { rebuilder, waits, said, again, rebuilt: () => rebuilt };
}

test("evidence that comes in many batches has one rebuild, and until then one is pending", async () => {
  const { rebuilder, rebuilt } = setup();
  for (let batch = 0; batch < 10; batch += 1) rebuilder.due();
  expect(rebuilder.state()).toEqual({ isPending: true, done: 0, failed: 0 });
  await rebuilder.settled();
  expect(rebuilder.state()).toEqual({ isPending: false, done: 1, failed: 0 });
  expect(rebuilt()).toBe(1);
});

test("where it goes on and on, the waits double up to an hour; after a quiet time they are short again", async () => {
  const { waits, again } = setup();
  for (let round = 0; round < 9; round += 1) await again(1_000);
  expect(waits.slice(0, 3)).toEqual([REBUILD_AFTER_MS, 2 * REBUILD_AFTER_MS, 4 * REBUILD_AFTER_MS]);
  expect(waits.at(-1)).toBe(REBUILD_WAIT_MAX_MS);
  await again(REBUILD_WAIT_MAX_MS + 1);
  expect(waits.at(-1)).toBe(REBUILD_AFTER_MS);
});

test("one that fails says so, and the next one is done", async () => {
  let isFailing = true;
  const { rebuilder, said, again } = setup({ failing: () => isFailing });
  await again(0);
  expect(rebuilder.state()).toEqual({ isPending: false, done: 0, failed: 1 });
  expect(said).toContain("the detectors could not be rebuilt");
  isFailing = false;
  await again(0);
  expect(rebuilder.state().done).toBe(1);
});

test("a server that stops does not wait for one", async () => {
  const { rebuilder, rebuilt, again } = setup({ endsAfterMs: 1 });
  await again(0);
  expect(rebuilder.state()).toEqual({ isPending: false, done: 0, failed: 0 });
  expect(rebuilt()).toBe(0);
});
