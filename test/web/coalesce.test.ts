import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Coalescer } from "../../web/coalesce.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A task that takes a while, and counts. */
function slowTask(ms: number) {
  const counts = { begun: 0, running: 0, mostAtOnce: 0 };
  const task = async (): Promise<void> => {
    counts.begun += 1;
    counts.running += 1;
    counts.mostAtOnce = Math.max(counts.mostAtOnce, counts.running);
    await new Promise((resolve) => setTimeout(resolve, ms));
    counts.running -= 1;
  };
  return { counts, task };
}

test("the first is served at once", () => {
  const { counts, task } = slowTask(10);
  new Coalescer(task, 250).ask();
  expect(counts.begun).toBe(1);
});

test("a hundred messages in a second cost no more than four runs and one after them", async () => {
  const { counts, task } = slowTask(1);
  const news = new Coalescer(task, 250);
  for (let i = 0; i < 100; i += 1) {
    news.ask();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(counts.begun).toBeLessThanOrEqual(4);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(counts.begun).toBeLessThanOrEqual(5);
});

test("a server slower than the messages is asked one thing at a time, and each run comes to its end", async () => {
  const { counts, task } = slowTask(900);
  const news = new Coalescer(task, 250);
  for (let i = 0; i < 100; i += 1) {
    news.ask();
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(counts.mostAtOnce).toBe(1);
  expect(counts.begun).toBeGreaterThan(3);
});

test("what came while a run was under way is not forgotten", async () => {
  const { counts, task } = slowTask(100);
  const news = new Coalescer(task, 250);
  news.ask();
  await vi.advanceTimersByTimeAsync(50);
  news.ask();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(counts.begun).toBe(2);
});

test("nothing runs after it was stopped", async () => {
  const { counts, task } = slowTask(100);
  const news = new Coalescer(task, 250);
  news.ask();
  news.ask();
  news.stop();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(counts.begun).toBe(1);
});
