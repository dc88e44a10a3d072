import { expect, test } from "vitest";
import { ManualTime, MemoryStore, splitBrain as split, T0 } from "./support.ts";
import { over, world } from "./world.ts";

const HOUR_MS = 3_600_000;
const rig = () => world({ max_age_hours: 2 }, new MemoryStore(), new ManualTime());
const later = async (hours: number) => {
  const all = rig();
  await all.time.advance(hours * HOUR_MS);
  return all;
};

test("what was over too long before it became known is recorded, and nobody is told", async () => {
  const { happen, told, store } = await later(3);
  await happen(["opened", over(split)]);
  expect(told).toEqual([]);
  expect([...store.rows.values()]).toMatchObject([
    { event: "opened", status: "old", by: split.id },
    { event: "resolved", status: "old" },
  ]);
  expect([...store.rows.values()][0]?.lastError).toMatch(/it was over 3 h before it was known/);
});

test("what ended within the time is told, and so is what is still open", async () => {
  const { happen, told } = await later(1);
  await happen(["opened", over(split)]);
  expect(told).toEqual(["opened split-brain ops", "resolved split-brain ops"]);
  const other = await later(3);
  await other.happen(["opened", { ...split, start: T0 }]);
  expect(other.told).toEqual(["opened split-brain ops"]);
});

test("an end follows a beginning that was told, however late", async () => {
  const { happen, told, time } = rig();
  await happen(["opened", split]);
  await time.advance(5 * HOUR_MS);
  await happen(["resolved", over(split)]);
  expect(told).toEqual(["opened split-brain ops", "resolved split-brain ops"]);
});
