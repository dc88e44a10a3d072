import fc from "fast-check";
import { expect, test } from "vitest";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { createDetectionEngine, detectAll } from "../../server/detect/engine.ts";
import type { IncidentDraft } from "../../server/detect/incident.ts";
import { at, scenario } from "../server/detect/scenario.ts";

/**
 * A world whose clocks are right, and the same world as collectors with wrong clocks tell it: their offsets are measured, their
 * steps are seen, and what is concluded must be the same.
 */

const BOUND_US = 500;
const NODES = ["lb1", "lb2"] as const;
/** Where no multiple of it is near a threshold of a detector, in seconds. */
const GRID = 0.37;
const END = 160;

const verb = fc.constantFrom(
  "journal MASTER",
  "journal MASTER",
  "journal BACKUP",
  "journal BACKUP",
  "journal FAULT",
  "kernel +10.99.0.100",
  "kernel -10.99.0.100",
  "near-miss lb1 2 0.86",
);
const history = fc
  .array(fc.tuple(fc.integer({ min: 3, max: 400 }), fc.constantFrom(...NODES), verb), { minLength: 2, maxLength: 24 })
  .map((lines) => {
    // One word at an instant of a node: what two words of one instant mean is decided by their places in a log.
    const unique = new Map(lines.map((line) => [`${line[0]} ${line[1]}`, line]));
    return [...unique.values()].map(([steps, node, what]) => `at ${(steps * GRID).toFixed(2)} ${node} ${what}`);
  });

/** Ahead by so many seconds, set by so many at an instant of true time. */
const clock = fc.record({
  ahead: fc.integer({ min: -40, max: 40 }),
  step: fc.option(fc.record({ at: fc.integer({ min: 20, max: 140 }), by: fc.integer({ min: -15, max: 15 }) })),
});
type Clock = typeof clock extends fc.Arbitrary<infer T> ? T : never;

const aheadAt = ({ ahead, step }: Clock, seconds: number): number => ahead + (step && seconds >= step.at ? step.by : 0);

/** The event as a node with this clock dates it. */
function dated<T extends Event>(event: T, own: Clock): T {
  const seconds = (event.ts - at(0)) / US_PER_SECOND;
  const ts = event.ts + aheadAt(own, seconds) * US_PER_SECOND;
  const { step } = own;
  const isSecond = step && step.by < 0 && seconds >= step.at && seconds + step.by < step.at;
  return { ...event, ts, ...(isSecond ? { secondPass: true } : {}) };
}

/** What its collector says of it: a measurement every so often, and the step when it is seen. */
function notes(node: string, own: Clock): Event[] {
  const note = (seconds: number, fields: object): Event =>
    dated(
      {
        id: eventId("clock", node, seconds, JSON.stringify(fields)),
        cluster: "default",
        node,
        source: "collector",
        kind: "collector.clock",
        ts: at(seconds),
        tsUncertaintyUs: 0,
        observedTs: at(seconds),
        offsetUs: -aheadAt(own, seconds) * US_PER_SECOND,
        boundUs: BOUND_US,
        ...fields,
      },
      own,
    );
  const { step } = own;
  const set =
    step && step.by !== 0
      ? [note(step.at, { steppedUs: step.by * US_PER_SECOND, beforeTs: at(step.at + own.ahead) })]
      : [];
  return [...[1, 61, 121].map((seconds) => note(seconds, {})), ...set];
}

const told = (world: readonly Event[]) =>
  detectAll(world)
    .incidents.filter(({ kind }) => kind !== "blind-spot")
    .map(({ kind, subject, certainty, severity, cause, start, end }) => ({
      what: [kind, subject.router, subject.nodes.join(), certainty, severity, cause?.code].join(" "),
      start,
      end,
    }))
    .sort((a, b) => (a.what < b.what ? -1 : a.what > b.what ? 1 : a.start - b.start));

const configured = NODES.map((node) => `at 0 ${node} config\nat 0 ${node} collector started`).join("\n");
const worlds = fc.record({ lines: history, clocks: fc.tuple(clock, clock) }).map(({ lines, clocks }) => {
  const right = scenario(`${configured}\n${lines.join("\n")}\nwatch ${NODES.join(" ")} to ${END}`);
  const clockOf = (node: string): Clock => clocks[node === "lb1" ? 0 : 1];
  const wrong = [
    ...right.map((event) => dated(event, clockOf(event.node))),
    ...NODES.flatMap((n) => notes(n, clockOf(n))),
  ];
  return { right, wrong };
});

test("nodes whose clocks are wrong, and measured, are concluded the same of, to within the bound", () => {
  fc.assert(
    fc.property(worlds, ({ right, wrong }) => {
      const [expected, found] = [told(right), told(wrong)];
      expect(found.map(({ what }) => what)).toEqual(expected.map(({ what }) => what));
      for (const [index, { start, end }] of expected.entries()) {
        expect(Math.abs((found[index]?.start ?? 0) - start)).toBeLessThanOrEqual(3 * BOUND_US);
        expect(found[index]?.end === null).toBe(end === null);
        expect(Math.abs((found[index]?.end ?? 0) - (end ?? 0))).toBeLessThanOrEqual(3 * BOUND_US);
      }
    }),
    { numRuns: 150 },
  );
});

const conclusions = (incidents: readonly IncidentDraft[]) =>
  incidents.map(({ kind, subject, start, end, cause, summary, evidence }) => ({
    kind,
    subject,
    start,
    end,
    cause,
    summary,
    evidence,
  }));

test("and in any order in which events and measurements come", () => {
  fc.assert(
    fc.property(
      worlds.chain(({ wrong }) =>
        fc.tuple(fc.constant(wrong), fc.shuffledSubarray(wrong, { minLength: wrong.length })),
      ),
      ([wrong, order]) => {
        const engine = createDetectionEngine();
        for (let from = 0; from < order.length; from += 40) engine.add(order.slice(from, from + 40));
        expect(conclusions(engine.incidents())).toEqual(conclusions(detectAll(wrong).incidents));
      },
    ),
    { numRuns: 40 },
  );
});
