import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ClockNote, ClockWatch, type Reading } from "../../../collector/core/clock-watch.ts";
import type { EpochUs, MonoUs } from "../../../collector/core/time.ts";

const S = 1_000_000;
const MS = 1_000;
/** The server's clock is this far ahead of the one that never steps; the wall clock begins at it. */
const EPOCH = 1_772_700_000 * S;

/** A machine whose wall clock is off by so much. */
class Machine {
  now = 1_000 * S;
  ahead: number;
  slept = 0;
  readonly watch = new ClockWatch(() => this.slept);

  constructor(ahead = 0) {
    this.ahead = ahead;
    this.watch.read(this.reading());
  }

  reading = (): Reading => ({
    mono: this.now as MonoUs,
    epoch: (EPOCH + this.now + this.slept + this.ahead) as EpochUs,
  });

  pass(seconds: number): void {
    this.now += Math.round(seconds * S);
  }

  read = (): ClockNote | undefined => this.watch.read(this.reading());
  news = (): ClockNote | undefined => this.watch.news(this.reading());

  /** A request that takes so long to the server, there, and back; milliseconds. */
  ask(to: number, there: number, back: number, serverAhead = 0): void {
    const sentMono = this.now as MonoUs;
    const receivedTs = EPOCH + this.now + this.slept + to * MS + serverAhead;
    this.now += (to + there + back) * MS;
    this.watch.exchanged({
      sentMono,
      receivedTs,
      answeredTs: receivedTs + there * MS,
      gotMono: this.now as MonoUs,
    });
  }
}

describe("an exchange with the server", () => {
  test("tells how far the clock is off, within half of the way there and back", () => {
    const machine = new Machine(-7 * S);
    machine.ask(10, 500, 10);
    expect(machine.news()).toEqual({ offsetUs: 7 * S, boundUs: 2 * (10 * MS + 2 * MS) });
  });

  test("counts for less when it took longer, until the better one is old", () => {
    const machine = new Machine();
    machine.ask(1, 0, 1);
    machine.ask(100, 0, 0);
    expect(machine.news()).toMatchObject({ offsetUs: 0 });
    machine.pass(600);
    machine.ask(50, 0, 0);
    expect(machine.news()).toMatchObject({ offsetUs: 25 * MS });
  });

  test("with a server whose clock was set counts though it took longer", () => {
    const machine = new Machine();
    machine.ask(1, 0, 1);
    machine.news();
    machine.pass(20);
    machine.ask(20, 0, 20, 5 * S);
    expect(machine.news()?.offsetUs).toBe(5 * S);
  });

  test("whose times cannot be is none", () => {
    const machine = new Machine();
    machine.ask(1, 100, -90);
    expect(machine.news()).toBe(undefined);
  });

  test("cannot err by more than its bound, whatever the way there and back take", () => {
    const way = fc.tuple(
      fc.integer({ min: 0, max: 900 }),
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 0, max: 900 }),
    );
    fc.assert(
      fc.property(fc.integer({ min: -100, max: 100 }), fc.array(way, { minLength: 1, maxLength: 8 }), (ahead, ways) => {
        const machine = new Machine(ahead * S);
        for (const [to, there, back] of ways) {
          machine.ask(to, there, back);
          machine.pass(11);
          const { offsetUs = 0, boundUs = 0 } = machine.news() ?? { offsetUs: -ahead * S };
          expect(Math.abs(offsetUs + ahead * S)).toBeLessThanOrEqual(boundUs);
        }
      }),
    );
  });
});

describe("what is told", () => {
  test("is told again every five minutes, the same while it holds", () => {
    const machine = new Machine(-3 * S);
    machine.ask(1, 0, 1);
    const first = machine.news();
    const told: number[] = [];
    for (let second = 1; second <= 900; second += 1) {
      machine.pass(1);
      machine.ask(1, 0, 1);
      const news = machine.news();
      if (!news) continue;
      expect(news).toEqual(first);
      told.push(second);
    }
    expect(told).toEqual([300, 600, 900]);
  });

  test("is told anew when the clock is slewed beyond it", () => {
    const machine = new Machine();
    machine.ask(1, 0, 1);
    machine.news();
    let news: ClockNote | undefined;
    for (let second = 0; second < 60 && !news; second += 1) {
      machine.pass(1);
      machine.ahead += 500;
      expect(machine.read()).toBe(undefined);
      machine.ask(1, 0, 1);
      news = machine.news();
    }
    expect(news?.offsetUs).toBeLessThan(-3 * MS);
  });

  test("loses its worth while nothing is heard of the server", () => {
    const machine = new Machine();
    machine.ask(1, 0, 1);
    machine.news();
    machine.pass(3_600);
    const { boundUs = 0 } = machine.news() ?? {};
    expect(boundUs).toBeGreaterThan(600 * MS);
  });
});

describe("a step", () => {
  test.each([60 * S, -5 * S])("by %d is told at once, with how far the clock is off from then on", (by) => {
    const machine = new Machine();
    machine.ask(1, 0, 1);
    machine.read();
    machine.news();
    const { epoch } = machine.reading();
    machine.pass(0.5);
    machine.ahead += by;
    expect(machine.read()).toMatchObject({ steppedUs: by, beforeTs: epoch, offsetUs: -by });
    machine.pass(1);
    expect(machine.read()).toBe(undefined);
    expect(machine.news()).toBe(undefined);
  });

  test("without a server is told without an offset", () => {
    const machine = new Machine();
    machine.ahead += S;
    expect(machine.read()).toEqual({ steppedUs: S, beforeTs: EPOCH + 1_000 * S });
  });

  test("is none that the machine slept through", () => {
    const machine = new Machine(2 * S);
    machine.ask(1, 0, 1);
    machine.read();
    machine.slept += 3_600 * S;
    expect(machine.read()).toBe(undefined);
    expect(machine.news()?.offsetUs).toBe(-2 * S);
  });

  test("back makes the clock show a stretch again: what is seen of it then says so", () => {
    const machine = new Machine();
    const from = machine.reading().epoch;
    machine.pass(10);
    const { epoch } = machine.reading();
    expect(machine.watch.isSecondPass(epoch, 0, epoch)).toBe(false);
    machine.read();
    machine.ahead -= 5 * S;
    machine.read();
    const now = machine.reading().epoch;
    expect(machine.watch.isSecondPass(now, 0, now)).toBe(true);
    // Dated by the kernel, within the millisecond in which it is read.
    expect(machine.watch.isSecondPass(now + 500, 0, now)).toBe(true);
    // Not shown again yet: it was written before the step, and is read only now.
    expect(machine.watch.isSecondPass(epoch - S, 0, now)).toBe(false);
    expect(machine.watch.isSecondPass(from, 0, now)).toBe(false);
    machine.pass(3_600);
    expect(machine.watch.isSecondPass(now, 0, machine.reading().epoch)).toBe(false);
  });
});

describe("a collector after another one", () => {
  /** It ends, and the next one begins with what it kept; `booted`: on a machine that was booted meanwhile. */
  const next = (machine: Machine, change: { seconds: number; stepped?: number; booted?: boolean }, kept?: string) => {
    const memory = kept ?? machine.watch.memory(machine.reading(), "boot 1");
    const after = new Machine(machine.ahead + (change.stepped ?? 0) * S);
    after.now = machine.now + change.seconds * S;
    const restarted = Object.assign(after, { watch: new ClockWatch(() => 0) });
    restarted.watch.resume(memory, restarted.reading(), change.booted === true ? "boot 2" : "boot 1");
    return restarted;
  };
  const isSecond = ({ watch, reading }: Machine, ago = 0): boolean =>
    watch.isSecondPass(reading().epoch - ago * S, 0, reading().epoch);

  test("knows that the clock shows a stretch of time for the second time", () => {
    for (const booted of [false, true]) {
      const machine = new Machine();
      machine.ahead -= 40 * S;
      machine.pass(0.1);
      expect(machine.read()).toMatchObject({ steppedUs: -40 * S });
      const after = next(machine, { seconds: 10, booted });
      expect(after.read()).toBeUndefined();
      expect(isSecond(after)).toBe(true);
      after.pass(31);
      expect(isSecond(after)).toBe(false);
      expect(isSecond(after, 5)).toBe(true);
    }
  });

  test("sees a step that was made while none ran", () => {
    for (const stepped of [-30, 30]) {
      const machine = new Machine();
      const after = next(machine, { seconds: 20, stepped });
      expect(after.read()).toMatchObject({ steppedUs: stepped * S, beforeTs: machine.reading().epoch });
      expect(isSecond(after)).toBe(stepped < 0);
    }
    // Within what two clocks may drift apart in a day.
    expect(next(new Machine(), { seconds: 86_400, stepped: 5 }).read()).toBeUndefined();
  });

  test("on a machine that was booted with a wrong clock tells it with the server's first answer", () => {
    for (const stepped of [-3_600, 3_600]) {
      const machine = new Machine();
      machine.ask(1, 0, 1);
      const { epoch } = machine.reading();
      const after = next(machine, { seconds: 60, stepped, booted: true });
      expect(after.read()).toBeUndefined();
      // What is set back is known at once, how far only later.
      expect(isSecond(after)).toBe(stepped < 0);
      after.ask(1, 0, 1);
      const note = after.news();
      expect(Math.abs((note?.steppedUs ?? 0) - stepped * S)).toBeLessThan(10 * MS);
      expect(note).toMatchObject({ beforeTs: epoch });
      expect(isSecond(after)).toBe(stepped < 0);
      expect(after.watch.isSecondPass(epoch + 60 * S, 0, (epoch + 60 * S) as EpochUs)).toBe(stepped < 0);
      expect(after.watch.isSecondPass(epoch + 70 * S, 0, (epoch + 70 * S) as EpochUs)).toBe(false);
    }
  });

  test("on one that was booted with a right clock tells no step", () => {
    const machine = new Machine();
    machine.ask(1, 0, 1);
    const after = next(machine, { seconds: 600, booted: true });
    after.ask(1, 0, 1);
    expect(after.news()).not.toHaveProperty("steppedUs");
    expect(isSecond(after)).toBe(false);
  });

  test("begins anew where what was kept makes no sense", () => {
    for (const kept of ["", "{", "null", '{"boot":1}', '{"boot":"boot 1","mono":"x","epoch":1,"suspended":0}']) {
      const after = next(new Machine(), { seconds: 1, stepped: -30 }, kept);
      expect(after.read()).toBeUndefined();
      expect(isSecond(after)).toBe(false);
    }
  });
});
