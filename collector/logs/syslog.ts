import { parseIsoUs, US_PER_MS, US_PER_SECOND } from "../core/time.ts";
import type { ZoneClock } from "./zone.ts";

/** What stands around a message. */
export interface Envelope {
  /** Epoch microseconds from 0 to TS_MAX, the start of the unit the timestamp is written in; undefined when it cannot be read. */
  readonly ts: number | undefined;
  /** How long that unit is, in microseconds: 1,000,000 for whole seconds. */
  readonly resolutionUs: number;
  readonly host: string | undefined;
  /** Program tag without its pid; undefined for keepalived's own console and log file, which have none. */
  readonly tag: string | undefined;
  readonly pid: number | undefined;
  readonly message: string;
}

const MONTHS: Readonly<Record<string, number>> = {
  Jan: 1,
  Feb: 2,
  Mar: 3,
  Apr: 4,
  May: 5,
  Jun: 6,
  Jul: 7,
  Aug: 8,
  Sep: 9,
  Oct: 10,
  Nov: 11,
  Dec: 12,
};
const DAY_US = 86_400 * US_PER_SECOND;
/** 2255: up to here a double counts microseconds one by one. */
const TS_MAX = Number.MAX_SAFE_INTEGER;

/** `Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: …`, RFC 3164 as rsyslog writes it; with a fraction as `journalctl -o short-precise` does. */
const CLASSIC =
  /^(?<month>[A-Z][a-z]{2}) +(?<day>\d{1,2}) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2})(?:\.(?<fraction>\d{1,9}))? (?<rest>.*)$/s;
/** `2026-11-24T10:53:23.123456+00:00 lb1 Keepalived[13]: …`, rsyslog's high-precision format. */
const ISO =
  /^(?<stamp>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:[.,](?<fraction>\d{1,9}))?(?:Z|[+-]\d{2}:?\d{2})) (?<rest>.*)$/s;
/** `1 2026-11-24T10:53:23.123456Z lb1 Keepalived_vrrp 15 - - …`, RFC 5424 after its priority. */
const RFC5424 =
  /^1 (?<stamp>\S+) (?<host>\S+) (?<tag>\S+) (?<pid>\S+) \S+ (?:-|(?:\[.*?(?<!\\)\])+) ?(?:\u{feff})?(?<message>.*)$/su;
/** `Tue Mar  5 10:00:00.123456789 2024: …`, keepalived's own log file and console. */
const CONSOLE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) +(?<day>\d{1,2}) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2})(?:\.(?<fraction>\d{1,9}))? (?<year>\d{4}): (?<message>.*)$/s;
/** BusyBox puts facility and level before the tag. */
const HOST_AND_TAG = /^(?<host>\S+) (?:[a-z0-7]+\.[a-z]+ )?(?<tag>[^\s:[\]]+)(?:\[(?<pid>\d+)\])?: ?(?<message>.*)$/s;
/** A tag of ours somewhere in a line whose beginning cannot be read. */
const TAG_ANYWHERE = /(?<![\w.-])(?<tag>[Kk]eepalived[\w.-]*)\[(?<pid>\d+)\]: ?(?<message>.*)$/s;

/** What keepalived says, when a supervisor has put an envelope of its own around keepalived's console. */
export const withoutConsoleEnvelope = (message: string): string =>
  CONSOLE.exec(message)?.groups?.["message"] ?? message;

/** Whether a line may be keepalived's own console format, which does not name it. Cheap: asked of every line of every log. */
export function looksLikeConsole(line: Uint8Array | string): boolean {
  const at = (i: number): number | undefined => (typeof line === "string" ? line.charCodeAt(i) : line[i]);
  return (
    at(3) === 0x20 &&
    at(7) === 0x20 &&
    at(13) === 0x3a &&
    at(16) === 0x3a &&
    CONSOLE.test(typeof line === "string" ? line : new TextDecoder("latin1").decode(line.subarray(0, 64)))
  );
}

/**
 * Takes the envelope off a line.
 * @param reference  epoch microseconds; the line was written at or before it, give or take a day
 * @returns undefined when no program tag can be found in the line
 */
export function readEnvelope(line: string, clock: ZoneClock, reference: number): Envelope | undefined {
  const text = line.replace(/^<\d{1,3}>/, "").replace(/\r$/, "");
  const rfc5424 = RFC5424.exec(text)?.groups;
  if (rfc5424) return fromRfc5424(rfc5424);
  const iso = ISO.exec(text)?.groups;
  if (iso)
    return withHostAndTag(iso["rest"] ?? "", isoInstant(iso["stamp"]), resolutionOf(iso["fraction"])) ?? torn(text);
  const console = CONSOLE.exec(text)?.groups;
  if (console) return fromConsole(console, clock);
  const classic = CLASSIC.exec(text)?.groups;
  if (classic)
    return (
      withHostAndTag(
        classic["rest"] ?? "",
        classicInstant(classic, clock, reference),
        resolutionOf(classic["fraction"]),
      ) ?? torn(text)
    );
  return torn(text);
}

function withHostAndTag(rest: string, ts: number | undefined, resolutionUs: number): Envelope | undefined {
  const groups = HOST_AND_TAG.exec(rest)?.groups;
  if (!groups) return undefined;
  return {
    ts,
    resolutionUs,
    host: groups["host"],
    tag: groups["tag"] ?? "",
    pid: numberOrNone(groups["pid"]),
    message: groups["message"] ?? "",
  };
}

function fromRfc5424(groups: Readonly<Record<string, string>>): Envelope {
  const stamp = groups["stamp"] ?? "";
  const nil = (text: string | undefined): string | undefined => (text === "-" ? undefined : text);
  return {
    ts: isoInstant(stamp),
    resolutionUs: resolutionOf(/[.,](\d+)/.exec(stamp)?.[1]),
    host: nil(groups["host"]),
    tag: groups["tag"] ?? "",
    pid: numberOrNone(groups["pid"]),
    message: groups["message"] ?? "",
  };
}

function fromConsole(groups: Readonly<Record<string, string>>, clock: ZoneClock): Envelope {
  const wall = wallOf(groups);
  const second = wall === undefined ? undefined : clock.instant({ ...wall, year: Number(groups["year"]) });
  return {
    ts: inRange(second, groups["fraction"]),
    resolutionUs: resolutionOf(groups["fraction"]),
    host: undefined,
    tag: undefined,
    pid: undefined,
    message: groups["message"] ?? "",
  };
}

function torn(text: string): Envelope | undefined {
  const groups = TAG_ANYWHERE.exec(text)?.groups;
  return (
    groups && {
      ts: undefined,
      resolutionUs: 0,
      host: undefined,
      tag: groups["tag"] ?? "",
      pid: numberOrNone(groups["pid"]),
      message: groups["message"] ?? "",
    }
  );
}

/** The year is the one that makes it the latest instant not later than a day after the reference: a day, because clocks and zones err. */
function classicInstant(
  groups: Readonly<Record<string, string>>,
  clock: ZoneClock,
  reference: number,
): number | undefined {
  const wall = wallOf(groups);
  if (wall === undefined) return undefined;
  const year = new Date(reference / US_PER_MS).getUTCFullYear();
  // 29 February is in one year of four, or of eight around a century.
  for (let candidate = year + 1; candidate > year - 9; candidate--) {
    const exists = wall.day < 29 || wall.day <= new Date(Date.UTC(candidate, wall.month, 0)).getUTCDate();
    const ts = clock.instant({ ...wall, year: candidate });
    if (exists && ts <= reference + DAY_US) return inRange(ts, groups["fraction"]);
  }
  return undefined;
}

const isoInstant = (stamp: string | undefined): number | undefined => inRange(parseIsoUs(stamp ?? ""), undefined);

/** @param second  epoch microseconds of the whole second */
function inRange(second: number | undefined, fraction: string | undefined): number | undefined {
  if (second === undefined) return undefined;
  const ts = second + (fraction === undefined ? 0 : Number(fraction.padEnd(6, "0").slice(0, 6)));
  return ts >= 0 && ts <= TS_MAX ? ts : undefined;
}

function wallOf(
  groups: Readonly<Record<string, string>>,
): { month: number; day: number; hour: number; minute: number; second: number } | undefined {
  const month = MONTHS[groups["month"] ?? ""];
  const [day = 0, hour = 0, minute = 0, second = 0] = ["day", "hour", "minute", "second"].map((name) =>
    Number(groups[name]),
  );
  if (month === undefined || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  return { month, day, hour, minute, second };
}

/** Microseconds that one unit of the written timestamp lasts; at least 1. */
function resolutionOf(fraction: string | undefined): number {
  return fraction === undefined ? US_PER_SECOND : Math.max(1, 10 ** (6 - fraction.length));
}

function numberOrNone(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
