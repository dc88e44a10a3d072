import { describe, expect, test } from "vitest";
import type { SourceStatus } from "../../../collector/events/event.ts";
import { ENDED_IN_ORDER, SelfWatch } from "../../../collector/self-watch.ts";

const S = 1_000_000;
const NOW = 1_772_700_000 * S;
const BEAT = 2 * S;

describe("a collector that did not run", () => {
  test("is told at its next start, with since when", () => {
    expect(new SelfWatch(BEAT).resumed(String(NOW - 60 * S), NOW)).toEqual({
      kind: "collector.gap",
      sourceName: "collector",
      reason: "the collector did not run",
      from: NOW - 60 * S,
      to: NOW,
    });
  });

  test.each([
    ["the first there is", undefined],
    ["one that ended in order", ENDED_IN_ORDER],
    ["one that was started anew at once", String(NOW - 10 * S)],
    ["one from the future: the clock was set back", String(NOW + 10 * S)],
  ])("is none after %s", (_, lastAlive) => {
    expect(new SelfWatch(BEAT).resumed(lastAlive, NOW)).toBe(undefined);
  });

  test("or whose machine did not, is told when it goes on, by the time since boot", () => {
    const watch = new SelfWatch(BEAT);
    expect(watch.alive(5 * S, NOW)).toBe(undefined);
    expect(watch.alive(15 * S, NOW + 10 * S)).toBe(undefined);
    // The wall clock was set back meanwhile.
    expect(watch.alive(45 * S, NOW)).toMatchObject({ from: NOW - 30 * S, to: NOW });
  });

  test("with slow heartbeats is one that misses four of them", () => {
    const watch = new SelfWatch(60 * S);
    watch.alive(0, NOW);
    expect(watch.alive(240 * S, NOW + 240 * S)).toBe(undefined);
    expect(watch.alive(481 * S, NOW + 481 * S)).toMatchObject({ to: NOW + 481 * S });
  });
});

describe("sources", () => {
  const status = (name: string, state: SourceStatus["state"], detail = "", reason?: string): SourceStatus => ({
    name,
    detail,
    state,
    read: 0,
    unrecognised: 0,
    ...(reason === undefined ? {} : { reason }),
  });

  test("that change are told, not how they are at first", () => {
    const watch = new SelfWatch(BEAT);
    const [log, other] = [status("log", "running", "/a"), status("log", "running", "/b")];
    expect(watch.changes([log, other])).toEqual([]);
    expect(watch.changes([log, status("log", "unavailable", "/b", "no such file")])).toEqual([
      { kind: "collector.source", name: "log", detail: "/b", state: "unavailable", reason: "no such file" },
    ]);
    expect(watch.changes([log, status("log", "unavailable", "/b", "another reason")])).toEqual([]);
    expect(watch.changes([log, other]).map(({ state }) => state)).toEqual(["running"]);
  });
});
