import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OperatorError } from "../../../collector/core/errors.ts";
import { formatEpochUs, parseIsoUs, type EpochUs } from "../../../collector/core/time.ts";
import { readEnvelope } from "../../../collector/logs/syslog.ts";
import { type WallTime, ZoneClock } from "../../../collector/logs/zone.ts";

const utc = new ZoneClock("UTC");
const at = (text: string): number => parseIsoUs(text) ?? Number.NaN;
const iso = (ts: number | undefined): string | undefined =>
  ts === undefined ? undefined : formatEpochUs(ts as EpochUs);

describe("envelopes", () => {
  test.each([
    [
      "classic syslog",
      "Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: (VI_1) Entering MASTER STATE",
      "2026-11-24T10:53:23.000000Z",
      1_000_000,
      "lb1",
      "Keepalived_vrrp",
      15,
    ],
    [
      "a day of one digit",
      "Nov  4 10:53:23 lb1 Keepalived[13]: Stopping",
      "2026-11-04T10:53:23.000000Z",
      1_000_000,
      "lb1",
      "Keepalived",
      13,
    ],
    [
      "with its priority",
      "<30>Nov 24 10:53:23 lb1 Keepalived[13]: Stopping",
      "2026-11-24T10:53:23.000000Z",
      1_000_000,
      "lb1",
      "Keepalived",
      13,
    ],
    [
      "rsyslog's high precision",
      "2026-11-24T10:53:23.123456+01:00 lb1 Keepalived[13]: Stopping",
      "2026-11-24T09:53:23.123456Z",
      1,
      "lb1",
      "Keepalived",
      13,
    ],
    [
      "RFC 5424",
      "<30>1 2026-11-24T10:53:23.123Z lb1 Keepalived_vrrp 15 - - (VI_1) Entering MASTER STATE",
      "2026-11-24T10:53:23.123000Z",
      1000,
      "lb1",
      "Keepalived_vrrp",
      15,
    ],
    [
      "RFC 5424 with structured data",
      '<30>1 2026-11-24T10:53:23Z lb1 Keepalived 15 - [a b="c \\] d"] Stopping',
      "2026-11-24T10:53:23.000000Z",
      1_000_000,
      "lb1",
      "Keepalived",
      15,
    ],
    [
      "a tag with namespace and instance",
      "Nov 24 10:53:23 lb1 Keepalived_vrrp_blue_one[15]: Stopped",
      "2026-11-24T10:53:23.000000Z",
      1_000_000,
      "lb1",
      "Keepalived_vrrp_blue_one",
      15,
    ],
    [
      "keepalived's console",
      "Tue Mar  5 10:00:00 2024: Stopping",
      "2024-03-05T10:00:00.000000Z",
      1_000_000,
      undefined,
      undefined,
      undefined,
    ],
    [
      "keepalived's console with nanoseconds",
      "Tue Mar  5 10:00:00.123456789 2024: Stopping",
      "2024-03-05T10:00:00.123456Z",
      1,
      undefined,
      undefined,
      undefined,
    ],
    [
      "a tag without a pid",
      "Nov 24 10:53:23 lb1 Keepalived_healthcheckers: Stopped",
      "2026-11-24T10:53:23.000000Z",
      1_000_000,
      "lb1",
      "Keepalived_healthcheckers",
      undefined,
    ],
    [
      "journalctl's short-precise",
      "Nov 24 10:53:23.123456 lb1 Keepalived[13]: Stopping",
      "2026-11-24T10:53:23.123456Z",
      1,
      "lb1",
      "Keepalived",
      13,
    ],
    [
      "BusyBox, with facility and level",
      "Nov 24 10:53:23 lb1 daemon.info Keepalived_vrrp[15]: Stopped",
      "2026-11-24T10:53:23.000000Z",
      1_000_000,
      "lb1",
      "Keepalived_vrrp",
      15,
    ],
    [
      "RFC 5424 with nothing but a time",
      "<30>1 2026-11-24T10:53:23Z - Keepalived - - - Stopping",
      "2026-11-24T10:53:23.000000Z",
      1_000_000,
      undefined,
      "Keepalived",
      undefined,
    ],
  ])("%s", (_name, line, ts, resolutionUs, host, tag, pid) => {
    const envelope = readEnvelope(line, utc, at("2026-11-24T11:00:00Z"));
    expect({ ...envelope, ts: iso(envelope?.ts) }).toMatchObject({ ts, resolutionUs, host, tag, pid });
  });

  test.each([
    ["a month that is none", "Nev 24 10:53:23 lb1 Keepalived[13]: Stopping"],
    ["a day that is none", "Nov 44 10:53:23 lb1 Keepalived[13]: Stopping"],
    ["a torn beginning", "53:23 lb1 Keepalived[13]: Stopping"],
    ["a time before 1970", "1969-12-31T23:59:59+00:00 lb1 Keepalived[13]: Stopping"],
    ["a time too far to count in microseconds", "9999-01-01T00:00:00+00:00 lb1 Keepalived[13]: Stopping"],
    ["an RFC 5424 line without a time", "<30>1 - lb1 Keepalived 13 - - Stopping"],
    ["two lines run together", "Nov 24 10:5Nov 24 10:53:24 lb1 Keepalived[13]: Stopping"],
  ])("%s leaves the message and no time", (_name, line) => {
    expect(readEnvelope(line, utc, at("2026-11-24T11:00:00Z"))).toMatchObject({
      ts: undefined,
      tag: "Keepalived",
      pid: 13,
      message: "Stopping",
    });
  });
});

describe("the year that a classic line does not say", () => {
  test.each([
    ["is this year's", "Nov 24 10:00:00", "2026-11-24T11:00:00Z", "2026-11-24T10:00:00.000000Z"],
    [
      "is last year's for December read in January",
      "Dec 31 23:59:59",
      "2027-01-01T00:00:05Z",
      "2026-12-31T23:59:59.000000Z",
    ],
    [
      "is next year's when the node's clock is a little ahead at New Year",
      "Jan  1 00:00:03",
      "2026-12-31T23:59:58Z",
      "2027-01-01T00:00:03.000000Z",
    ],
    [
      "is this year's up to a day after the reference",
      "Nov 25 10:59:59",
      "2026-11-24T11:00:00Z",
      "2026-11-25T10:59:59.000000Z",
    ],
    ["is last year's beyond that", "Nov 25 11:00:01", "2026-11-24T11:00:00Z", "2025-11-25T11:00:01.000000Z"],
    ["is a leap year's for 29 February", "Feb 29 12:00:00", "2027-03-01T00:00:00Z", "2024-02-29T12:00:00.000000Z"],
  ])("%s", (_name, stamp, reference, expected) => {
    expect(iso(readEnvelope(`${stamp} lb1 Keepalived[1]: Stopping`, utc, at(reference))?.ts)).toBe(expected);
  });
});

describe("the zone that a classic line does not say", () => {
  const berlin = new ZoneClock("Europe/Berlin");
  test.each([
    ["UTC", "2026-03-05T10:00:00.000000Z"],
    ["+02:00", "2026-03-05T08:00:00.000000Z"],
    ["-0330", "2026-03-05T13:30:00.000000Z"],
    ["+5", "2026-03-05T05:00:00.000000Z"],
    ["Asia/Kathmandu", "2026-03-05T04:15:00.000000Z"],
  ])("may be %s", (zone, expected) => {
    const clock = new ZoneClock(zone);
    expect(iso(clock.instant({ year: 2026, month: 3, day: 5, hour: 10, minute: 0, second: 0 }))).toBe(expected);
  });

  test("that does not exist is named, with what to do", () => {
    expect(() => new ZoneClock("Europe/Atlantis")).toThrow(OperatorError);
    expect(() => new ZoneClock("+19:00")).toThrow('"+19:00" is not a time zone');
  });

  test("that changes within an hour is read the same whichever half of it is asked for first", () => {
    const at = (clock: ZoneClock, minute: number): string | undefined =>
      iso(clock.instant({ year: 2026, month: 10, day: 4, hour: 2, minute, second: 0 }));
    const [forwards, backwards] = [new ZoneClock("Australia/Lord_Howe"), new ZoneClock("Australia/Lord_Howe")];
    // From 02:00 to 02:30 the clock shows nothing.
    const expected = { gap: "2026-10-03T15:40:00.000000Z", after: "2026-10-03T15:40:00.000000Z" };
    expect({ gap: at(forwards, 10), after: at(forwards, 40) }).toEqual(expected);
    expect({ after: at(backwards, 40), gap: at(backwards, 10) }).toEqual(expected);
  });

  // Lord Howe moves its clock by half an hour, Newfoundland used to move it at 00:01: an hour has two offsets.
  test.each(["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "America/New_York", "UTC"])(
    "an instant of %s comes back from its wall clock, in whatever order the lines are read",
    (zone) => {
      const format = new Intl.DateTimeFormat("en-US", {
        timeZone: zone,
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
      const wallOf = (ms: number): WallTime => {
        const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
        return part as unknown as WallTime;
      };
      const kept = new ZoneClock(zone);
      // Around the changes of 2009 (still at 00:01 in St. John's) and 2026, minute by minute in effect.
      const seconds = fc
        .constantFrom(
          "2009-03-08",
          "2009-11-01",
          "2026-03-08",
          "2026-03-29",
          "2026-04-05",
          "2026-10-04",
          "2026-10-25",
          "2026-11-01",
        )
        .chain((day) =>
          fc.integer({ min: -86_400, max: 2 * 86_400 }).map((s) => Date.parse(`${day}T00:00:00Z`) / 1000 + s),
        );
      fc.assert(
        fc.property(seconds, (second) => {
          const wall = wallOf(second * 1000);
          const ts = kept.instant(wall);
          expect(ts).toBe(new ZoneClock(zone).instant(wall));
          expect(wallOf(ts / 1000)).toEqual(wall);
          expect(ts).toBeLessThanOrEqual(second * 1_000_000);
        }),
        { numRuns: 400 },
      );
    },
  );

  test.each([
    ["winter", "Jan 10 12:00:00", "2026-01-10T11:00:00.000000Z"],
    ["summer", "Jul 10 12:00:00", "2026-07-10T10:00:00.000000Z"],
    ["the hour that is there twice: the first of them", "Oct 25 02:30:00", "2026-10-25T00:30:00.000000Z"],
    ["the hour that is left out: as if the clock had not been moved", "Mar 29 02:30:00", "2026-03-29T01:30:00.000000Z"],
    ["just before the change", "Mar 29 01:59:59", "2026-03-29T00:59:59.000000Z"],
    ["just after the change", "Mar 29 03:00:00", "2026-03-29T01:00:00.000000Z"],
  ])("%s", (_name, stamp, expected) => {
    expect(iso(readEnvelope(`${stamp} lb1 Keepalived[1]: Stopping`, berlin, at("2026-12-31T00:00:00Z"))?.ts)).toBe(
      expected,
    );
  });
});
