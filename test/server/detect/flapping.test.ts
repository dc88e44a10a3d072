import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const HEAD = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11
  at 0 lb2 kernel = 10.99.0.12`;

/** The address moves at these seconds, beginning on lb1. */
function moves(seconds: readonly number[], watchedTo: number): string {
  const lines = seconds.flatMap((s, i) => {
    const [to, from] = i % 2 === 0 ? ["lb1", "lb2"] : ["lb2", "lb1"];
    return [...(i > 0 ? [`at ${s} ${from} kernel -10.99.0.100`] : []), `at ${s + 0.01} ${to} kernel +10.99.0.100`];
  });
  return [HEAD, ...lines, `watch lb1 lb2 to ${watchedTo}`].join("\n");
}

const found = (text: string) =>
  detectAll(scenario(text))
    .incidents.filter(({ kind }) => kind === "flapping")
    .map(({ start, end, subject }) => ({
      from: secondsOf(start),
      to: end === null ? null : Math.round((secondsOf(end) ?? 0) / 60),
      nodes: subject.nodes,
    }));

describe("flapping", () => {
  test("one failover and its failback are none", () => {
    expect(found(moves([5, 20, 40], 60))).toEqual([]);
  });

  test("nor are three changes", () => {
    expect(found(moves([5, 20, 40, 60], 90))).toEqual([]);
  });

  test("the fourth change within a minute opens it, and it stays open while nothing has decayed", () => {
    expect(found(moves([5, 20, 40, 60, 80], 120))).toEqual([{ from: 80.01, to: null, nodes: ["lb1", "lb2"] }]);
  });

  test("four changes, each hours after the other, open it by the slow half-life; days apart they do not", () => {
    const hours = (n: number): number => n * 3600;
    expect(found(moves([5, hours(1), hours(2), hours(3), hours(4)], hours(4) + 60))).toHaveLength(1);
    expect(found(moves([5, hours(24), hours(48), hours(72), hours(96)], hours(97)))).toEqual([]);
  });

  test("it ends when the slower penalty has decayed by half", () => {
    const [incident] = found(moves([5, 20, 40, 60, 80], 30 * 3600));
    // Nearly 4,000 down to 1,500: 1.41 half-lives of six hours.
    expect(incident?.to).toBeGreaterThan(490);
    expect(incident?.to).toBeLessThan(515);
  });
});
