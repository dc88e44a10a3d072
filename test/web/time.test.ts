import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatDateTime,
  formatDuration,
  formatMicros,
  formatTick,
  formatZone,
  inputOf,
  instantOf,
  timeTicks,
} from "../../web/time.ts";

/** 2026-11-24T10:53:34.000042Z */
const AT = 1_795_517_614_000_042;
const S = 1_000_000;
const DAY = 86_400 * S;

describe("instants", () => {
  test("are shown with the microseconds of the evidence", () => {
    expect(formatMicros(AT, "utc")).toBe("10:53:34.000042");
    expect(formatDateTime(AT, "utc")).toBe("2026-11-24 10:53:34");
  });

  test("say their distance from UTC when they are not in it", () => {
    expect(formatZone(AT, "utc")).toBe("UTC");
    expect(formatZone(AT, "browser", -60)).toBe("UTC+01:00");
    expect(formatZone(AT, "browser", 210)).toBe("UTC-03:30");
  });
});

describe("durations", () => {
  test.each([
    [0, "0 s"],
    [42, "42 µs"],
    [999, "999 µs"],
    [1_000, "1 ms"],
    [12_345, "12 ms"],
    [999_499, "999 ms"],
    [999_600, "1.0 s"],
    [8_001_519, "8.0 s"],
    [59_940_000, "59.9 s"],
    [59_960_000, "1 min 0 s"],
    [200 * S, "3 min 20 s"],
    [3599.6 * S, "1 h 0 min"],
    [7500 * S, "2 h 5 min"],
    [4 * DAY + 3 * 3600 * S, "4 d 3 h"],
  ])("%i µs is %s", (us, text) => {
    expect(formatDuration(us)).toBe(text);
  });

  test("never run over into sixty of something", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * DAY }), (us) => {
        expect(formatDuration(us)).not.toMatch(/\b(60(\.0)? s|60 min|24 h|1000 (µs|ms))/);
      }),
    );
  });
});

describe("the ticks of the time axis", () => {
  const span = fc.integer({ min: 200_000, max: 400 * DAY });
  const from = fc.integer({ min: AT - 300 * DAY, max: AT });
  const most = fc.integer({ min: 1, max: 20 });

  test("lie in the range and are no more than there is room for, but one", () => {
    fc.assert(
      fc.property(from, span, most, (start, length, room) => {
        const ticks = timeTicks(start, start + length, room, "utc");
        expect(ticks.length).toBeLessThanOrEqual(room + 1);
        for (const tick of ticks) {
          expect(tick).toBeGreaterThanOrEqual(start);
          expect(tick).toBeLessThanOrEqual(start + length);
        }
      }),
    );
  });

  test("have labels that fit beside each other", () => {
    fc.assert(
      fc.property(from, span, most, (start, length, room) => {
        const ticks = timeTicks(start, start + length, room, "utc");
        for (const tick of ticks) expect(formatTick(tick, ticks, "utc").length).toBeLessThanOrEqual(12);
      }),
    );
  });

  test("never bear the same label twice", () => {
    fc.assert(
      fc.property(from, span, most, (start, length, room) => {
        const ticks = timeTicks(start, start + length, room, "utc");
        const labels = ticks.map((tick) => formatTick(tick, ticks, "utc"));
        expect(new Set(labels).size).toBe(labels.length);
      }),
    );
  });

  test.each([
    [60 * S, 4, ["10:53:00", "10:53:15", "10:53:30", "10:53:45", "10:54:00"]],
    [2 * S, 4, ["10:53:00.000", "10:53:00.500", "10:53:01.000", "10:53:01.500", "10:53:02.000"]],
    [DAY, 4, ["11-24 12:00", "11-24 18:00", "11-25 00:00", "11-25 06:00"]],
    [40 * S, 1, ["10:53:00"]],
  ] as const)("are as precise as they must be: %i µs, room for %i", (length, room, labels) => {
    const start = AT - 34_000_042;
    const ticks = timeTicks(start, start + length, room, "utc");
    expect(ticks.map((tick) => formatTick(tick, ticks, "utc"))).toEqual(labels);
  });

  test("of days stand at midnight of the reader's day", () => {
    const ticks = timeTicks(AT, AT + 6 * DAY, 7, "browser", () => -60);
    expect(ticks.length).toBeGreaterThan(4);
    for (const tick of ticks) expect((tick + 3600 * S) % DAY).toBe(0);
  });
});

describe("an instant that is put in", () => {
  test("is the one that is shown, in every zone", () => {
    const zone = fc.constantFrom("utc", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu");
    fc.assert(
      // Not within the hour that comes twice when summer time ends.
      fc.property(fc.integer({ min: 0, max: 300 * 86_400 }), zone, (seconds, name) => {
        const us = 1_780_000_000 * 1_000_000 + seconds * 1_000_000;
        const again = instantOf(inputOf(us, name), name) ?? 0;
        expect(inputOf(again, name)).toBe(inputOf(us, name));
        expect(Math.abs(again - us)).toBeLessThanOrEqual(3600 * 1_000_000);
      }),
    );
  });

  test("is none when it is no time", () => {
    expect(instantOf("", "utc")).toBeNull();
    expect(instantOf("yesterday", "Asia/Shanghai")).toBeNull();
  });

  test("of a named zone is told with its distance from UTC", () => {
    expect(formatDateTime(1_795_517_614_000_042, "Asia/Shanghai")).toBe("2026-11-24 18:53:34");
    expect(formatZone(1_795_517_614_000_042, "Asia/Shanghai")).toBe("UTC+08:00");
    expect(formatZone(1_795_517_614_000_042, "America/St_Johns")).toBe("UTC-03:30");
  });
});
