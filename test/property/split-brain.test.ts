import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { detectAll } from "../../server/detect/engine.ts";
import type { IncidentDraft } from "../../server/detect/incident.ts";
import { scenario, secondsOf } from "../server/detect/scenario.ts";

/** Which sources a node's collector has. */
interface Eyes {
  readonly log: "log" | "journal" | null;
  readonly kernel: boolean;
  readonly wire: boolean;
}

const eyes: fc.Arbitrary<Eyes> = fc
  .record({ log: fc.constantFrom("log" as const, "journal" as const, null), kernel: fc.boolean(), wire: fc.boolean() })
  .filter(({ log, kernel }) => log !== null || kernel);
const twoNodes = fc.record({ lb1: eyes, lb2: eyes });

/** In [min, max] seconds, to the millisecond. */
const seconds = (min: number, max: number): fc.Arbitrary<number> =>
  fc.integer({ min: Math.round(min * 1000), max: Math.round(max * 1000) }).map((ms) => ms / 1000);

/** Each source tells of an edge a little later than the daemon: a few milliseconds. */
const LAG = { wire: 0, log: 0.002, kernel: 0.005 };

/** What a node's collector reports of one mastership; null: it lasts. */
function mastership(node: string, { log, kernel, wire }: Eyes, from: number, to: number | null): string[] {
  const say = (at: number | null, lag: number, what: string): string[] =>
    at === null ? [] : [`at ${(at + lag).toFixed(3)} ${node} ${what}`];
  return [
    ...(wire ? [...say(from, LAG.wire, "wire out seen"), ...say(to, LAG.wire, "wire out gone silent")] : []),
    ...(log ? [...say(from, LAG.log, `${log} MASTER`), ...say(to, LAG.log, `${log} BACKUP`)] : []),
    ...(kernel ? [...say(from, LAG.kernel, "kernel +10.99.0.100"), ...say(to, LAG.kernel, "kernel -10.99.0.100")] : []),
  ];
}

const setUp = (...nodes: string[]): string[] =>
  nodes.flatMap((node) => [`at 0 ${node} config`, `at 0 ${node} heartbeat`]);
const splitBrains = (lines: readonly string[]): readonly IncidentDraft[] =>
  detectAll(scenario(lines.join("\n"))).incidents.filter(({ kind }) => kind === "split-brain");
const uncertaintyOf = ({ log, kernel }: Eyes): number => (kernel || log === "journal" ? 0.01 : 1);

describe("takeovers", () => {
  test("that overlap by less than the tolerance, as well as it can be told, are never a split-brain", () => {
    const changes = fc.array(fc.record({ holdsFor: seconds(5, 60), share: fc.integer({ min: -300, max: 100 }) }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(twoNodes, changes, seconds(0, 1), (nodes, list, offset) => {
        const lines = setUp("lb1", "lb2");
        const uncertainty = Math.max(uncertaintyOf(nodes.lb1), uncertaintyOf(nodes.lb2));
        // Where whole seconds are all there is, no more can be told apart than what a real takeover takes.
        const tellable = uncertainty < 1 ? 1.45 - uncertainty : 0.04;
        let from = 5 + offset;
        for (const [index, { holdsFor, share }] of list.entries()) {
          const node = index % 2 === 0 ? "lb1" : "lb2";
          const to = from + holdsFor;
          lines.push(...mastership(node, nodes[node], from, to));
          from = to - (tellable * share) / 100;
        }
        lines.push(`watch lb1 lb2 to ${Math.ceil(from) + 70}`);
        expect(splitBrains(lines)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test("nor are they at any moment while they happen, however late a capture reports a silence", () => {
    fc.assert(
      fc.property(twoNodes, seconds(10, 11), seconds(0, 0.4), seconds(0, 8), (nodes, takeover, overlap, later) => {
        const now = takeover + later;
        const old = mastership("lb1", nodes.lb1, 2, takeover + overlap).filter(
          (line) => !line.includes("gone") || later > 4,
        );
        const next = mastership("lb2", nodes.lb2, takeover, null);
        const happened = [...old, ...next].filter((line) => Number(line.split(" ")[1]) <= now);
        const beats = ["lb1", "lb2"].map((node) => `at ${now} ${node} heartbeat`);
        expect(splitBrains([...setUp("lb1", "lb2"), ...happened, ...beats])).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe("an overlap of twice the tolerance and the uncertainty", () => {
  test("is always confirmed, and begins and ends within the uncertainty of the truth", () => {
    fc.assert(
      fc.property(twoNodes, seconds(20, 40), seconds(0, 60), (nodes, from, longer) => {
        const uncertainty = Math.max(uncertaintyOf(nodes.lb1), uncertaintyOf(nodes.lb2));
        const tau = Math.max(1.5, 2 * uncertainty);
        const to = from + 2 * tau + 2 * uncertainty + longer;
        const lines = [
          ...setUp("lb1", "lb2"),
          ...mastership("lb1", nodes.lb1, 2, 300),
          ...mastership("lb2", nodes.lb2, from, to),
          "watch lb1 lb2 to 320",
        ];
        const [incident, ...more] = splitBrains(lines);
        expect(more).toEqual([]);
        expect(incident?.certainty).toBe("confirmed");
        expect(Math.abs((secondsOf(incident?.start ?? 0) ?? 0) - from)).toBeLessThanOrEqual(uncertainty);
        expect(Math.abs((secondsOf(incident?.end ?? 0) ?? 0) - to)).toBeLessThanOrEqual(uncertainty);
      }),
      { numRuns: 200 },
    );
  });

  test("is open as long as both are watched in it", () => {
    fc.assert(
      fc.property(twoNodes, seconds(20, 40), seconds(8, 60), (nodes, from, lasting) => {
        const now = from + lasting;
        const lines = [...mastership("lb1", nodes.lb1, 2, null), ...mastership("lb2", nodes.lb2, from, null)];
        const [incident] = splitBrains([
          ...setUp("lb1", "lb2"),
          ...lines,
          `at ${now} lb1 heartbeat`,
          `at ${now} lb2 heartbeat`,
        ]);
        expect(incident).toMatchObject({ certainty: "confirmed", end: null });
      }),
      { numRuns: 100 },
    );
  });
});
