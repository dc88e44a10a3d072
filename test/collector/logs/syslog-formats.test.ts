import { describe, expect, test } from "vitest";
import { formatEpochUs, parseIsoUs, type EpochUs } from "../../../collector/core/time.ts";
import { monthOf } from "../../../collector/logs/months.ts";
import { looksLikeConsole, readEnvelope, readRepetition } from "../../../collector/logs/syslog.ts";
import { ZoneClock } from "../../../collector/logs/zone.ts";

/** One row a form of line: `WHEN ±RESOLUTION HOST TAG PID MESSAGE`, with `-` for what the line does not say. */
const zones = { UTC: new ZoneClock("UTC"), Berlin: new ZoneClock("Europe/Berlin") };
const reference = parseIsoUs("2025-11-24T11:00:00Z") ?? 0;

function told(line: string, zone: keyof typeof zones): string {
  const seen = readEnvelope(line, zones[zone], reference);
  if (!seen) return "nothing";
  const ts = seen.ts === undefined ? "-" : formatEpochUs(seen.ts as EpochUs).replace(/\.000000Z$/, "Z");
  return [ts, `±${seen.resolutionUs}`, seen.host ?? "-", seen.tag ?? "-", seen.pid ?? "-", seen.message].join(" ");
}

const S = "±1000000";
const M = "(VI_1) Entering MASTER STATE";

describe("an envelope", () => {
  test.each([
    [
      "RFC 3164",
      `Nov 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "RFC 3164 with priority",
      `<30>Nov 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "with an octet count (RFC 6587)",
      `71 <30>Nov 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "behind a byte order mark",
      `\ufeffNov 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "with a carriage return",
      `Nov 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}\r`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "of a host that is an address",
      `Nov 22 16:22:10 2001:db8::7 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} 2001:db8::7 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "with a year",
      `Nov 22 2024 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2024-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "BusyBox",
      `Nov 22 16:22:10 lb1 daemon.info Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "BusyBox, small",
      `Nov 22 16:22:10 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} - Keepalived_vrrp 15 ${M}`,
    ],
    [
      "BusyBox, small, of a message with a colon",
      "Nov 22 16:22:10 Keepalived_vrrp[15]: VRRP_Script(chk): x",
      `2025-11-22T16:22:10Z ${S} - Keepalived_vrrp 15 VRRP_Script(chk): x`,
    ],
    [
      "OpenWrt's logread",
      `Sat Nov 22 16:22:10 2025 daemon.info Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} - Keepalived_vrrp 15 ${M}`,
    ],
    [
      "OpenWrt's logread -t",
      `Sat Nov 22 16:22:10 2025 [1763828530.123] daemon.info Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} - Keepalived_vrrp 15 ${M}`,
    ],
    [
      "with a day of the week",
      `Sat Nov 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in Chinese",
      `11月 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in Japanese, padded",
      ` 1月 05 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-01-05T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in Korean",
      `11월 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in German",
      `Mär 05 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-03-05T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in German, with a fraction",
      `Dez 05 16:22:10.123456 lb1 Keepalived_vrrp[15]: ${M}`,
      `2024-12-05T16:22:10.123456Z ±1 lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in French",
      `févr. 05 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-02-05T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in French, month of two syllables",
      `août 05 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-08-05T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in Spanish",
      `ene 05 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-01-05T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in Russian",
      `ноя 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in Catalan",
      `de nov. 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "in Catalan, before a vowel",
      `d’oct. 22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-10-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "journalctl -o short-iso",
      `2025-11-22T16:22:10+0100 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T15:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "journalctl -o short-iso-precise",
      `2025-11-22T16:22:10.123456+0100 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T15:22:10.123456Z ±1 lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "ISO with hours of offset only",
      `2025-11-22T16:22:10+01 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T15:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "ISO with milliseconds and a comma",
      `2025-11-22 16:22:10,123 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10.123000Z ±1000 lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "ISO with a blank for the T",
      `2025-11-22 16:22:10 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "ISO with blanks all over",
      `2025-11-22 16:22:10 +0100 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T15:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "journalctl -o short-full",
      `Sat 2025-11-22 16:22:10 UTC lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "journalctl -o short-full in Chinese",
      `六 2025-11-22 16:22:10 CST lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "journalctl -o short-unix",
      `1763828530.123456 lb1 Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10.123456Z ±1 lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "RFC 5424",
      `<30>1 2025-11-22T16:22:10.123Z lb1 Keepalived_vrrp 15 - - ${M}`,
      `2025-11-22T16:22:10.123000Z ±1000 lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "RFC 5424 of rsyslog, with its blank",
      `<30>1 2025-11-22T16:22:10.123456+01:00 lb1 Keepalived_vrrp 15 - -  ${M}`,
      `2025-11-22T15:22:10.123456Z ±1 lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "RFC 5424 with a byte order mark",
      `<30>1 2025-11-22T16:22:10Z lb1 Keepalived_vrrp 15 - - \ufeff${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "RFC 5424 with nothing but a time",
      `<30>1 2025-11-22T16:22:10Z - Keepalived_vrrp - - - ${M}`,
      `2025-11-22T16:22:10Z ${S} - Keepalived_vrrp - ${M}`,
    ],
    [
      "RFC 5424 with structured data",
      `<30>1 2025-11-22T16:22:10Z lb1 Keepalived_vrrp 15 - [a@1 b="] \\" \\] ["][c] ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "RFC 5424 whose structured data is torn",
      `<30>1 2025-11-22T16:22:10Z lb1 Keepalived_vrrp 15 - [a@1 b="c Keepalived[15]: ${M}`,
      `- ±0 - Keepalived 15 ${M}`,
    ],
    ["keepalived's console", `Sat Nov 22 16:22:10 2025: ${M}`, `2025-11-22T16:22:10Z ${S} - - - ${M}`],
    [
      "keepalived's file of 2.x",
      `Sat Nov 22 16:22:10.123456789 2025: ${M}`,
      `2025-11-22T16:22:10.123456Z ±1 - - - ${M}`,
    ],
    [
      "docker's json-file",
      `{"log":"Sat Nov 22 16:22:10 2025: ${M}\\n","stream":"stderr","time":"2025-11-22T16:22:11.123456789Z"}`,
      `2025-11-22T16:22:11.123456Z ±1 - - - ${M}`,
    ],
    [
      "docker's json-file of a syslogd",
      `{"log":"Nov 22 16:22:10 lb1 daemon.info Keepalived_vrrp[15]: ${M}\\r\\n","stream":"stdout","time":"2025-11-22T16:22:11Z"}`,
      `2025-11-22T16:22:11Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "docker's json-file, tag only",
      `{"log":"Keepalived_vrrp[15]: ${M}\\n","stream":"stderr","time":"2025-11-22T16:22:11Z"}`,
      `2025-11-22T16:22:11Z ${S} - Keepalived_vrrp 15 ${M}`,
    ],
    [
      "docker's json-file, torn",
      `{"log":"Sat Nov 22 16:22:10 2025: ${M}\\n","str`,
      `2025-11-22T16:22:10Z ${S} - - - ${M}\\n","str`,
    ],
    [
      "docker logs -t",
      `2025-11-22T16:22:11.123456789Z Sat Nov 22 16:22:10 2025: ${M}`,
      `2025-11-22T16:22:11.123456Z ±1 - - - ${M}`,
    ],
    [
      "CRI",
      `2025-11-22T17:22:11.123456789+01:00 stderr F Sat Nov 22 16:22:10 2025: ${M}`,
      `2025-11-22T16:22:11.123456Z ±1 - - - ${M}`,
    ],
    ["docker compose logs", `keepalived-1  | Sat Nov 22 16:22:10 2025: ${M}`, `2025-11-22T16:22:10Z ${S} - - - ${M}`],
    [
      "docker compose logs -t",
      `keepalived-1  | 2025-11-22T16:22:11Z Sat Nov 22 16:22:10 2025: ${M}`,
      `2025-11-22T16:22:11Z ${S} - - - ${M}`,
    ],
    [
      "kubectl logs --prefix",
      `[pod/kp-7x2/keepalived] Sat Nov 22 16:22:10 2025: ${M}`,
      `2025-11-22T16:22:10Z ${S} - - - ${M}`,
    ],
    [
      "kubectl logs --prefix --timestamps",
      `[pod/kp-7x2/keepalived] 2025-11-22T16:22:11Z Sat Nov 22 16:22:10 2025: ${M}`,
      `2025-11-22T16:22:11Z ${S} - - - ${M}`,
    ],
    [
      "docker's syslog driver",
      `Nov 22 16:22:10 host7 docker/keepalived/5790672ab6a0[812]: Sat Nov 22 16:22:09 2025: ${M}`,
      `2025-11-22T16:22:10Z ${S} host7 - - ${M}`,
    ],
    [
      "docker's syslog driver, with the image",
      `Nov 22 16:22:10 host7 osixia/keepalived:2.0.20/lb[812]: Sat Nov 22 16:22:09 2025: ${M}`,
      `2025-11-22T16:22:10Z ${S} host7 - - ${M}`,
    ],
    [
      "docker's syslog driver, RFC 5424",
      `<30>1 2025-11-22T16:22:10Z host7 docker/keepalived 812 docker/keepalived - Sat Nov 22 16:22:09 2025: ${M}`,
      `2025-11-22T16:22:10Z ${S} host7 - - ${M}`,
    ],
    [
      "a relay's around keepalived's",
      `Nov 22 16:22:10 lb1 logger: Keepalived_vrrp[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp 15 ${M}`,
    ],
    [
      "a namespace and an instance behind the tag",
      `Nov 22 16:22:10 lb1 Keepalived_vrrp_blue_east[15]: ${M}`,
      `2025-11-22T16:22:10Z ${S} lb1 Keepalived_vrrp_blue_east 15 ${M}`,
    ],
    [
      "journalctl -o short-monotonic: no time",
      `[   12.345678] lb1 Keepalived_vrrp[15]: ${M}`,
      `- ±0 - Keepalived_vrrp 15 ${M}`,
    ],
    [
      "a pid that cannot be read",
      `Nov 22 16:22:10 lb1 Keepalived_vrrp[1?]: ${M}`,
      `- ±0 - Keepalived_vrrp - [1?]: ${M}`,
    ],
    [
      "dmesg, of keepalived",
      "[   12.345678] Keepalived_vrrp[15]: segfault at 0 ip 00005581 sp 00007ffd error 4",
      "nothing",
    ],
    [
      "the kernel's line of keepalived",
      "Nov 22 16:22:10 lb1 kernel: Keepalived_vrrp[15]: segfault at 0",
      `2025-11-22T16:22:10Z ${S} lb1 kernel - Keepalived_vrrp[15]: segfault at 0`,
    ],
    ["no tag at all", "Nov 22 16:22:10 lb1 last message repeated 3 times", "nothing"],
  ])("%s", (_name, line, expected) => {
    expect(told(line, "UTC")).toBe(expected);
  });

  test.each([
    ["a classic time", "Jul 22 16:22:10 lb1 Keepalived[1]: x", "2025-07-22T14:22:10Z"],
    ["an ISO time without a zone", "2025-07-22T16:22:10 lb1 Keepalived[1]: x", "2025-07-22T14:22:10Z"],
    ["short-full", "Tue 2025-07-22 16:22:10 CEST lb1 Keepalived[1]: x", "2025-07-22T14:22:10Z"],
    ["the console", "Tue Jul 22 16:22:10 2025: x", "2025-07-22T14:22:10Z"],
    ["logread", "Tue Jul 22 16:22:10 2025 daemon.info Keepalived[1]: x", "2025-07-22T14:22:10Z"],
  ])("without a zone is read in the zone that was given: %s", (_name, line, expected) => {
    expect(told(line, "Berlin")).toMatch(expected);
  });
});

describe("a line of keepalived's console, which does not name it, is noticed", () => {
  const line = "Sat Nov 22 16:22:10 2025: x";
  test.each([
    ["bare", line],
    ["by docker", `{"log":"${line}\\n","stream":"stderr","time":"2025-11-22T16:22:11Z"}`],
    ["by docker logs -t", `2025-11-22T16:22:11.123456789Z ${line}`],
    ["by CRI", `2025-11-22T16:22:11.123456789Z stderr F ${line}`],
    ["by CRI, in pieces", `2025-11-22T16:22:11.123456789+01:00 stdout P ${line}`],
    ["by compose", `keepalived-1  | ${line}`],
    ["by kubectl", `[pod/kp-7x2/keepalived] ${line}`],
    ["by compose -t", `keepalived-1  | 2025-11-22T16:22:11Z ${line}`],
  ])("%s", (_name, text) => {
    expect([looksLikeConsole(text), looksLikeConsole(Buffer.from(text))]).toEqual([true, true]);
  });

  test.each([
    "Nov 22 16:22:10 lb1 cron[1]: x",
    "2025-11-22T16:22:11.123456789Z lb1 cron[1]: x",
    "2025-11-22T16:22:11Z stderr F level=info msg=x",
    '{"log":"level=info\\n","stream":"stderr","time":"2025-11-22T16:22:11Z"}',
    "web-1  | 10.0.0.1 GET /",
    "",
    "{",
    "x |",
    "2025-11-22T16:22:11",
  ])("and another is not: %s", (text) => {
    expect([looksLikeConsole(text), looksLikeConsole(Buffer.from(text))]).toEqual([false, false]);
  });
});

describe("a repetition", () => {
  test.each([
    ["syslogd's", "Nov 22 16:22:10 lb1 last message repeated 3 times", "lb1", 3],
    ["one", "Nov 22 16:22:10 lb1 last message repeated 1 time", "lb1", 1],
    ["BSD's", "Nov 22 16:22:10 lb1 --- last message repeated 2 times ---", "lb1", 2],
    [
      "syslog-ng's",
      "Nov 22 16:22:10 lb1 Keepalived_vrrp[7]: Last message '(VI_1) Received adve' repeated 5 times, suppressed by syslog-ng on lb1",
      "lb1",
      5,
    ],
    ["in Chinese", "11月 22 16:22:10 lb1 last message repeated 3 times", "lb1", 3],
    ["of nothing", "Nov 22 16:22:10 lb1 last message repeated 0 times", undefined, 0],
    ["said by a program", "Nov 22 16:22:10 lb1 cron[1]: my last message repeated 3 times", undefined, 0],
  ])("%s", (_name, line, host, times) => {
    const seen = readRepetition(line, zones.UTC, reference);
    expect([seen?.host, seen?.times ?? 0]).toEqual([host, times]);
  });
});

describe("the name of a month", () => {
  // The languages of LANGUAGES in months.ts, without those whose CLDR short months are not words (cs, fi, zh, ja print numbers).
  const locales = [
    "ca",
    "da",
    "de",
    "de-AT",
    "el",
    "en",
    "en-GB",
    "es",
    "fr",
    "hu",
    "id",
    "it",
    "ko",
    "nb",
    "nl",
    "pl",
    "pt",
    "ro",
    "ru",
    "sk",
    "sv",
    "tr",
    "uk",
  ];
  test.each(locales)("of %s is known as this Node knows it", (locale) => {
    const format = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", timeZone: "UTC" });
    const named = Array.from({ length: 12 }, (_, month) => {
      const part = format.formatToParts(Date.UTC(2025, month, 5)).find(({ type }) => type === "month");
      return (part?.value ?? "").replace(/^(?:de |d’)/, "");
    });
    const numeric = named.every((word) => /^\d+\.?$/.test(word));
    if (!numeric) expect(named.map(monthOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("that two languages use for two months is not guessed", () => {
    expect(["stu", "velj", "ožu", "kol"].map(monthOf)).toEqual([undefined, undefined, undefined, undefined]);
    expect(monthOf("lip")).toBe(7);
  });
});
