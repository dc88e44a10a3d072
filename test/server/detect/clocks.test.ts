import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event, EventBody } from "../../../collector/events/event.ts";
import { eventId } from "../../../collector/events/id.ts";
import { ClockBook, originalOf } from "../../../server/detect/clocks.ts";
import { at, scenario } from "./scenario.ts";

const S = 1_000_000;
type Note = Omit<EventBody<"collector.clock">, "kind">;

const clock = (seconds: number, note: Note, node = "lb1"): Event => ({
  id: eventId("clock", node, seconds, JSON.stringify(note)),
  cluster: "default",
  node,
  source: "collector",
  ts: at(seconds),
  tsUncertaintyUs: 0,
  observedTs: at(seconds),
  kind: "collector.clock",
  ...note,
});

const beat = (seconds: number, secondPass = false): Event => ({
  id: eventId("beat", seconds, String(secondPass)),
  cluster: "default",
  node: "lb1",
  source: "collector",
  ts: at(seconds),
  tsUncertaintyUs: 0,
  observedTs: at(seconds),
  kind: "collector.heartbeat",
  sources: [],
  ...(secondPass ? { secondPass: true } : {}),
});

/** Where an event of the node is put, in seconds, and how uncertain it becomes. */
function placed(book: ClockBook, seconds: number, secondPass = false): [from: number, uncertainty: number] {
  const { ts, tsUncertaintyUs } = book.correct(beat(seconds, secondPass));
  return [(ts - at(0)) / S, tsUncertaintyUs / S];
}

const bookOf = (...events: readonly Event[]): ClockBook => {
  const book = new ClockBook();
  for (const event of events) book.learn(event);
  return book;
};

describe("a clock that is off", () => {
  const book = bookOf(clock(10, { offsetUs: 3 * S, boundUs: 20_000 }));

  test("is put right by what was measured, with the bound as uncertainty, before the first measurement too", () => {
    expect(placed(book, 12)).toEqual([14.98, 0.04]);
    expect(placed(book, 5)).toEqual([7.98, 0.04]);
  });

  test("of another node is nobody else's", () => {
    const [event] = scenario("at 5 lb2 heartbeat") as [Event];
    expect(book.correct(event)).toBe(event);
  });

  test("leaves the event as its node dated it at hand", () => {
    const seen = beat(12);
    expect(originalOf(book.correct(seen))).toBe(seen);
    expect(originalOf(seen)).toBe(seen);
  });

  test.each([
    ["by less than two sources of one node may differ", { offsetUs: 4_999, boundUs: 100 }],
    ["by no more than the measurement's bound", { offsetUs: -90_000, boundUs: 100_000 }],
  ])("%s is right", (_, note) => {
    const right = bookOf(clock(10, note));
    const seen = beat(12);
    expect(right.correct(seen)).toBe(seen);
  });

  test("the server's own word is by another clock", () => {
    const event = { ...beat(12), kind: "collector.unheard", since: at(1) } as unknown as Event;
    expect(book.correct(event)).toBe(event);
  });
});

describe("between two measurements", () => {
  test("the one before counts, and what happened first stays first", () => {
    const book = bookOf(
      clock(100, { offsetUs: 200_000, boundUs: 10_000 }),
      clock(200, { offsetUs: 100_000, boundUs: 10_000 }),
    );
    const times = [199.8, 199.95, 200, 200.05, 200.1, 200.2, 200.3].map((seconds) => placed(book, seconds)[0]);
    expect(times[0]).toBeCloseTo(199.99, 6);
    expect(times.at(-1)).toBeCloseTo(200.39, 6);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  });

  test("that are far apart it drifted evenly", () => {
    const book = bookOf(
      clock(0, { offsetUs: 1 * S, boundUs: 10_000 }),
      clock(3600, { offsetUs: 3 * S, boundUs: 10_000 }),
    );
    expect(placed(book, 1800)[0]).toBeCloseTo(1801.99, 6);
  });
});

describe("a clock that is set", () => {
  test("forward by the operator: what comes after is put back", () => {
    const book = bookOf(
      clock(10, { offsetUs: 0, boundUs: 5_000 }),
      clock(150.2, { steppedUs: 50 * S, beforeTs: at(100), offsetUs: -50 * S, boundUs: 5_000 }),
    );
    expect(placed(book, 99)[0]).toBe(99);
    expect(placed(book, 100.1)[0]).toBe(100.1);
    expect(placed(book, 150.1)[0]).toBeCloseTo(100.095, 6);
    expect(placed(book, 160)[0]).toBeCloseTo(109.995, 6);
  });

  test("back, to the right time: what the clock shows twice is told apart by what the events say", () => {
    const book = bookOf(
      clock(10, { offsetUs: -10 * S, boundUs: 5_000 }),
      clock(90.1, { steppedUs: -10 * S, beforeTs: at(100), offsetUs: 0, boundUs: 5_000 }),
    );
    expect(placed(book, 95)[0]).toBeCloseTo(84.995, 6);
    expect(placed(book, 95, true)).toEqual([95, 0]);
    expect(placed(book, 101)).toEqual([101, 0]);
  });

  test("of which only the step is known, is taken to be right after it, until a measurement says otherwise", () => {
    const step = clock(60, { steppedUs: 20 * S, beforeTs: at(39.9) });
    const book = bookOf(step);
    expect(placed(book, 30)).toEqual([50, 0]);
    expect(placed(book, 61)).toEqual([61, 0]);
    expect(book.learn(clock(70, { offsetUs: -20 * S, boundUs: 1_000 }))).toBe(Number.NEGATIVE_INFINITY);
    expect(placed(book, 30)).toEqual([30, 0]);
    expect(placed(book, 71)[0]).toBeCloseTo(50.999, 6);
  });

  test("back and forth again: an instant of the first time stays one", () => {
    const book = bookOf(
      clock(10, { offsetUs: 0, boundUs: 1_000 }),
      clock(95, { steppedUs: -10 * S, beforeTs: at(105), offsetUs: 10 * S, boundUs: 1_000 }),
      clock(107, { steppedUs: 10 * S, beforeTs: at(97), offsetUs: 0, boundUs: 1_000 }),
    );
    expect(placed(book, 103)).toEqual([103, 0]);
    expect(placed(book, 96, true)[0]).toBeCloseTo(105.999, 6);
    expect(placed(book, 96)).toEqual([96, 0]);
    expect(placed(book, 108)).toEqual([108, 0]);
  });
});

describe("what has to be corrected anew", () => {
  const first = clock(10, { offsetUs: 3 * S, boundUs: 20_000 });
  test.each([
    ["nothing, by the same measurement again", first, clock(300, { offsetUs: 3 * S, boundUs: 20_000 }), undefined],
    ["nothing before it, by another one", first, clock(300, { offsetUs: 4 * S, boundUs: 20_000 }), at(300)],
    ["what came since the last, when that was long ago", first, clock(900, { offsetUs: 4 * S, boundUs: 1 }), at(10)],
    [
      "what came since a step",
      first,
      clock(310, { steppedUs: 3 * S, beforeTs: at(306), offsetUs: 0, boundUs: 1 }),
      at(307),
    ],
    ["nothing by its repetition", first, first, undefined],
  ])("%s", (_, before, then, from) => {
    const book = bookOf(before);
    expect(book.learn(then)).toBe(from);
  });

  test("all, by the first", () => expect(new ClockBook().learn(first)).toBe(Number.NEGATIVE_INFINITY));
  test("nothing, by the first of a clock that is right", () =>
    expect(new ClockBook().learn(clock(1, { offsetUs: 10, boundUs: 2_000 }))).toBe(undefined));
});

// --- properties ------------------------------------------------------------------------------------------------------------

/** A node's clock: how far it is off at first, and by how much it is set when. Seconds of true time. */
const world = fc.record({
  offset: fc.integer({ min: -40, max: 40 }),
  steps: fc
    .array(fc.record({ at: fc.integer({ min: 20, max: 900 }), by: fc.integer({ min: -30, max: 30 }) }), {
      maxLength: 3,
    })
    .map((steps) =>
      steps.sort((a, b) => a.at - b.at).filter(({ at: t }, i) => i === 0 || t > (steps[i - 1]?.at ?? 0) + 70),
    ),
  samples: fc.uniqueArray(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 12 }),
  events: fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 40 }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** How far the node's clock is ahead at a true time, in seconds. */
const aheadAt = ({ offset, steps }: World, time: number): number =>
  steps.reduce((ahead, { at: t, by }) => (time >= t ? ahead + by : ahead), offset);

/** What a collector says of its clock: measurements, and each step as soon as it is seen. */
function notesOf(wrong: World): Event[] {
  const measured = wrong.samples.map((tens): Event => {
    const time = tens * 10 + 5.5;
    const ahead = aheadAt(wrong, time);
    return passed(clock(time + ahead, { offsetUs: -ahead * S, boundUs: 2_000 }), time, wrong);
  });
  const set = wrong.steps
    .filter(({ by }) => by !== 0)
    .map(({ at: time, by }): Event => {
      const ahead = aheadAt(wrong, time);
      const note = { steppedUs: by * S, beforeTs: at(time + ahead - by), offsetUs: -ahead * S, boundUs: 2_000 };
      return passed(clock(time + ahead, note), time, wrong);
    });
  return [...measured, ...set];
}

/** Its reading was shown before. */
function passed<E extends Event>(event: E, time: number, wrong: World): E {
  const reading = (event.ts - at(0)) / S;
  const seen = wrong.steps.some(({ at: t, by }) => t <= time && by < 0 && reading <= t + aheadAt(wrong, t) - by);
  return seen ? { ...event, secondPass: true } : event;
}

test("any clock that is measured, and steps that are seen, are put right to within the bound, in any order of learning", () => {
  fc.assert(
    fc.property(
      world.chain((wrong) =>
        fc.record({
          wrong: fc.constant(wrong),
          notes: fc.shuffledSubarray(notesOf(wrong), { minLength: notesOf(wrong).length }),
        }),
      ),
      ({ wrong, notes }) => {
        const book = bookOf(...notes);
        for (const tenths of wrong.events) {
          const time = tenths / 10;
          const told = passed(beat(time + aheadAt(wrong, time)), time, wrong);
          const { ts, tsUncertaintyUs } = book.correct(told);
          expect(ts).toBeLessThanOrEqual(at(time) + 5_001);
          expect(ts + tsUncertaintyUs).toBeGreaterThanOrEqual(at(time) - 5_001);
          expect(tsUncertaintyUs).toBeLessThanOrEqual(10_000);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("corrections do not depend on the order in which they became known", () => {
  fc.assert(
    fc.property(
      world.chain((wrong) =>
        fc.tuple(
          fc.constant(wrong),
          fc.constant(notesOf(wrong)),
          fc.shuffledSubarray(notesOf(wrong), { minLength: notesOf(wrong).length }),
        ),
      ),
      ([{ events }, notes, shuffled]) => {
        const [one, other] = [bookOf(...notes), bookOf(...shuffled, ...notes)];
        for (const tenths of events) {
          const event = beat(tenths / 10);
          expect(other.correct(event)).toEqual(one.correct(event));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("one more measurement that says the same moves nothing", () => {
  const book = bookOf(clock(0, { offsetUs: 41 * S, boundUs: 2_000 }), clock(434, { offsetUs: 27 * S, boundUs: 2_000 }));
  // Time runs at half speed meanwhile, so that it never jumps back.
  const during = beat(459.8);
  const before = book.correct(during);
  expect(before.ts).toBeGreaterThan(at(459.8 + 27));
  expect(book.learn(clock(444, { offsetUs: 27 * S, boundUs: 2_000 }))).toBeUndefined();
  expect(book.correct(during)).toEqual(before);
});

test("what is said to stay where it is does", () => {
  fc.assert(
    fc.property(
      world.chain((wrong) => fc.tuple(fc.constant(wrong), fc.shuffledSubarray(notesOf(wrong)))),
      ([{ events }, notes]) => {
        const book = new ClockBook();
        const all = events.flatMap((tenths) => [beat(tenths / 10), beat(tenths / 10, true)]);
        for (const note of notes) {
          const before = all.map((event) => book.correct(event));
          const from = book.learn(note) ?? Number.POSITIVE_INFINITY;
          for (const [index, event] of all.entries())
            if (event.ts < from) expect(book.correct(event)).toEqual(before[index]);
        }
      },
    ),
    { numRuns: 300 },
  );
});
