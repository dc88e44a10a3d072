import { expect, test, vi } from "vitest";
import { wait } from "../../../collector/sources/wait.ts";

test("all who wait for one signal go on at once when it is raised, and nobody waits for one that was", async () => {
  const over = new AbortController();
  const all = Promise.all([wait(3_600_000, over.signal), wait(3_600_000, over.signal)]);
  over.abort();
  await all;
  await wait(3_600_000, over.signal);
});

test("who waits for a time goes on after it, and another for the same signal does not", async () => {
  vi.useFakeTimers();
  try {
    const over = new AbortController();
    const ended: string[] = [];
    const short = wait(10, over.signal).then(() => ended.push("short"));
    const long = wait(1_000, over.signal).then(() => ended.push("long"));
    await vi.advanceTimersByTimeAsync(10);
    expect(ended).toEqual(["short"]);
    over.abort();
    await Promise.all([short, long]);
    expect(ended).toEqual(["short", "long"]);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
