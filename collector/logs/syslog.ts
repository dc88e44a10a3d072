import { parseIsoUs, US_PER_MS, US_PER_SECOND } from "../core/time.ts";
import { containerTextAt, type ContainerLine, takeContainer } from "./container.ts";
import { monthOf } from "./months.ts";
import { LINE_MAX_CHARS } from "./layout.ts";
import { harmless } from "./text.ts";
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

/** An envelope but for its time. */
type Addressed = Omit<Envelope, "ts" | "resolutionUs">;

/** When a line was written, and what stands behind its timestamp. */
interface Stamped {
  readonly ts: number | undefined;
  readonly resolutionUs: number;
  readonly rest: string;
}

/** What decides what a timestamp leaves open. */
interface Frame {
  readonly clock: ZoneClock;
  /** Epoch microseconds; the line was written at or before it, give or take a day. */
  readonly reference: number;
  /** Epoch microseconds of the line before, when there was one. */
  readonly previous: number | undefined;
}

type Groups = Readonly<Record<string, string | undefined>>;

const DAY_US = 86_400 * US_PER_SECOND;
/** 2255: up to here a double counts microseconds one by one. */
const TS_MAX = Number.MAX_SAFE_INTEGER;

const TIME = String.raw`(?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?`;
/** `Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: …`, RFC 3164 as rsyslog writes it; with a fraction as `journalctl -o short-precise` does. */
const CLASSIC = new RegExp(String.raw`^(?<month>[A-Z][a-z]{2}) +(?<day>\d{1,2}) ${TIME} (?<rest>.*)$`, "s");
/**
 * The same with a month in any language (`11月 22 …`, ` 1月 05 …`, `d’oct. 05 …`), with a day of the week in front, or with
 * a year, where OpenWrt's logread and others put it.
 */
const LOCALISED = new RegExp(
  String.raw`^ ?(?:[^\s\d:[\]]{1,16} )?(?:de |d’)?(?<month>[^\s:[\]]{1,12}) {1,3}(?<day>\d{1,2})(?: (?<year>\d{4}))? ${TIME}(?: (?<yearBehind>\d{4}))? (?<rest>.*)$`,
  "s",
);
/**
 * `2026-11-24T10:53:23.123456+00:00 lb1 Keepalived[13]: …`, rsyslog's high-precision format and `journalctl -o short-iso`; with
 * a blank for the T, or without a zone, as some write it; behind a day of the week by `journalctl -o short-full`.
 */
const ISO = new RegExp(
  String.raw`^(?<weekday>[^\s\d:[\]]{1,16} )?(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})[T ]${TIME} ?(?<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?(?<=\S) (?<rest>.*)$`,
  "s",
);
/** A zone's name behind the time, which `journalctl -o short-full` writes: it is the zone of who called it. */
const ZONE_NAME = /^[A-Z]{2,5} /;
/** `1795000000.123456 lb1 Keepalived[13]: …`, `journalctl -o short-unix`. */
const UNIX = /^(?<seconds>\d{9,10})\.(?<fraction>\d{6}) (?<rest>.*)$/s;
/** `1 2026-11-24T10:53:23.123456Z lb1 Keepalived_vrrp 15 - …`, RFC 5424 after its priority and before its structured data. */
const RFC5424 = /^1 (?<stamp>\S{1,64}) (?<host>\S{1,255}) (?<tag>\S{1,255}) (?<pid>\S{1,128}) \S{1,64} (?<rest>.*)$/s;
/** `Tue Mar  5 10:00:00.123456789 2024: …`, keepalived's own log file and console. It never sets a locale: always in English. */
const CONSOLE = new RegExp(
  String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) +(?<day>\d{1,2}) ${TIME} (?<year>\d{4}): (?<message>.*)$`,
  "s",
);
const FACILITY =
  "(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|ntp|local[0-7])\\.(?:emerg|panic|alert|crit|err|error|warn|warning|notice|info|debug)";
/**
 * Host and tag. BusyBox and OpenWrt put facility and level before the tag; OpenWrt's logread and `journalctl --no-hostname`
 * name no host; `logread -t` puts the seconds since 1970 in front of all.
 */
const HOST_AND_TAG = new RegExp(
  String.raw`^(?:\[\d{1,12}\.\d{1,9}\] )?(?:(?!${FACILITY} )(?<host>\S+) )?(?:${FACILITY} )?(?<tag>[^\s:[\]]+)(?:\[(?<pid>\d+)\])?: ?(?<message>.*)$`,
  "s",
);
const OUR_NAME = /^[Kk]eepalived[\w.-]*$/;
/** A tag of ours at the very beginning: BusyBox in its small format names no host, and a relay puts its own envelope in front. */
const OUR_TAG = /^(?<tag>[Kk]eepalived[\w.-]*)(?:\[(?<pid>\d+)\])?: ?(?<message>.*)$/s;
/** `lb1 docker/keepalived/5790672ab6a0[812]: …`: docker's syslog driver, whose tag may hold an image's name; the pid is docker's. */
const DOCKER_TAG = /^(?<host>\S+) \S*eepalived\S*\[\d+\]: (?<message>.*)$/s;
/** A tag of ours somewhere in a line whose beginning cannot be read, even if its pid cannot either. */
const TAG_ANYWHERE =
  /(?<![\w.-])(?:(?<tag>Keepalived[\w.-]*)(?:\[(?<pid>\d+)\]:|(?=[:[]))|(?<small>keepalived[\w.-]*)\[(?<smallPid>\d+)\]:) ?(?<message>.*)$/s;
/** What the kernel says of keepalived, as dmesg prints it: not keepalived's. */
const DMESG = /^\[ *\d{1,9}\.\d{6}\] (?:traps: )?[Kk]eepalived/;
/** What syslogd writes instead of the same line again. syslog-ng puts the program's tag in front and names the message's beginning. */
const REPETITION =
  /^(?:(?<host>\S+) )?(?:[^\s:[\]]+(?:\[\d+\])?: )?(?:--- )?[Ll]ast message (?:'.*' )?repeated (?<times>\d{1,9}) times?(?: ---|, suppressed by syslog-ng(?: on \S+)?)?$/s;

/** What keepalived says, when a supervisor has put an envelope of its own around keepalived's console. */
export const withoutConsoleEnvelope = (message: string): string =>
  CONSOLE.exec(message)?.groups?.["message"] ?? message;

/** Whether a text begins as keepalived's console begins each of its lines. */
export const isConsole = (text: string): boolean => CONSOLE.test(text);

/**
 * Whether a line may be keepalived's own console format, which does not name it, bare or as a container's runtime keeps it.
 * Cheap: asked of every line of every log.
 */
export function looksLikeConsole(line: Uint8Array | string): boolean {
  let from = containerTextAt(line);
  // `docker compose logs -t` puts one in front of the other.
  if (from > 0) from += containerTextAt(typeof line === "string" ? line.slice(from) : line.subarray(from));
  const at = (i: number): number | undefined => (typeof line === "string" ? line.charCodeAt(from + i) : line[from + i]);
  return (
    at(3) === 0x20 &&
    at(7) === 0x20 &&
    at(13) === 0x3a &&
    at(16) === 0x3a &&
    CONSOLE.test(
      typeof line === "string" ? line.slice(from) : new TextDecoder("latin1").decode(line.subarray(from, from + 64)),
    )
  );
}

/**
 * Takes the envelope off a line.
 * @param reference  epoch microseconds; the line was written at or before it, give or take a day
 * @param previous   epoch microseconds of the line before in the same file: it tells the two passes apart of an hour that a
 *                   change to winter time repeats
 * @returns undefined when no program tag can be found in the line
 */
export function readEnvelope(
  line: string,
  clock: ZoneClock,
  reference: number,
  previous?: number,
): Envelope | undefined {
  const text = bare(line);
  const frame: Frame = { clock, reference, previous };
  const container = takeContainer(text);
  if (container) return fromContainer(container, frame);
  if (DMESG.test(text)) return undefined;
  return fromText(text, frame) ?? torn(text);
}

/** A line that says how often the one before it was written again, without saying what that was. */
export interface Repetition {
  readonly ts: number;
  readonly resolutionUs: number;
  readonly host: string | undefined;
  readonly times: number;
}

/** Reads `Nov 24 10:53:23 lb1 last message repeated 3 times`; the parameters are readEnvelope's. @returns undefined when it is no such line */
export function readRepetition(
  line: string,
  clock: ZoneClock,
  reference: number,
  previous?: number,
): Repetition | undefined {
  const stamped = takeStamp(bare(line), { clock, reference, previous });
  const groups = stamped && REPETITION.exec(stamped.rest)?.groups;
  const times = Number(groups?.["times"] ?? 0);
  if (!stamped || stamped.ts === undefined || times < 1) return undefined;
  return { ts: stamped.ts, resolutionUs: stamped.resolutionUs, host: groups?.["host"], times };
}

/** Without what stands in front of a whole envelope: a byte order mark, the syslog protocols' octet count and priority. */
const bare = (line: string): string => line.replace(/^\ufeff?(?:(?:\d{1,7} )?<\d{1,3}>)?/, "").replace(/\r$/, "");

const fromText = (text: string, frame: Frame): Envelope | undefined =>
  fromRfc5424(text, frame) ?? fromConsole(text, frame) ?? fromStamped(text, frame);

/** The runtime's time is the better one: its clock names its zone, and it is exact. */
function fromContainer({ text: written, stamp }: ContainerLine, frame: Frame): Envelope | undefined {
  // What docker escaped may be anything.
  const text = harmless(written.slice(0, LINE_MAX_CHARS));
  const nested = stamp === undefined ? takeContainer(text) : undefined;
  const inner = nested ? fromContainer(nested, frame) : (fromText(text, frame) ?? fromTag(text) ?? torn(text));
  if (inner === undefined || stamp === undefined) return inner;
  return { ...inner, ts: inRange(parseIsoUs(stamp), undefined), resolutionUs: resolutionOf(fractionOf(stamp)) };
}

function fromTag(text: string): Envelope | undefined {
  const tagged = ourTag(text);
  return tagged && { ts: undefined, resolutionUs: 0, ...tagged };
}

function fromStamped(text: string, frame: Frame): Envelope | undefined {
  const stamped = takeStamp(text, frame);
  if (!stamped) return undefined;
  // `docker logs -t` and `kubectl logs --timestamps`: a time, and a console with its own.
  const addressed = fromConsole(stamped.rest, frame) ?? hostAndTag(stamped.rest);
  return addressed && { ...addressed, ts: stamped.ts, resolutionUs: stamped.resolutionUs };
}

// --- whose line it is ------------------------------------------------------------------------------------------------

function hostAndTag(rest: string): Addressed | undefined {
  const ours = ourTag(rest);
  if (ours) return ours;
  const groups: Groups | undefined = HOST_AND_TAG.exec(rest)?.groups;
  const tag = groups?.["tag"] ?? "";
  if (groups && OUR_NAME.test(tag)) return addressed(groups, groups["host"]);
  const docker = DOCKER_TAG.exec(rest)?.groups;
  const console = docker && CONSOLE.exec(docker["message"] ?? "")?.groups;
  if (console) return { host: docker["host"], tag: undefined, pid: undefined, message: console["message"] ?? "" };
  const relayed = groups && tag !== "kernel" ? ourTag(groups["message"] ?? "") : undefined;
  if (relayed) return { ...relayed, host: groups?.["host"] };
  return groups && addressed(groups, groups["host"]);
}

function ourTag(text: string): Addressed | undefined {
  const groups = OUR_TAG.exec(text)?.groups;
  return groups && addressed(groups, undefined);
}

const addressed = (groups: Groups, host: string | undefined): Addressed => ({
  host,
  tag: groups["tag"] ?? "",
  pid: numberOrNone(groups["pid"]),
  message: groups["message"] ?? "",
});

function torn(text: string): Envelope | undefined {
  const groups: Groups | undefined = TAG_ANYWHERE.exec(text)?.groups;
  if (!groups) return undefined;
  const tag = groups["tag"] ?? groups["small"];
  return {
    ts: undefined,
    resolutionUs: 0,
    ...addressed({ ...groups, tag, pid: groups["pid"] ?? groups["smallPid"] }, undefined),
  };
}

// --- formats that are a whole ----------------------------------------------------------------------------------------

function fromRfc5424(text: string, frame: Frame): Envelope | undefined {
  const groups: Groups | undefined = RFC5424.exec(text)?.groups;
  const rest = groups?.["rest"];
  if (!groups || rest === undefined) return undefined;
  const end = structuredDataEnd(rest);
  if (end === undefined) return undefined;
  const stamp = groups["stamp"] ?? "";
  const nil = (word: string | undefined): string | undefined => (word === "-" ? undefined : word);
  // rsyslog keeps the blank in front of the message that it found behind the tag of an old line, and so writes two.
  const said = rest.slice(end).replace(/^ ?(?:\ufeff)? ?/, "");
  const inner = OUR_NAME.test(groups["tag"] ?? "") ? undefined : fromConsole(said, frame);
  return {
    ts: inRange(parseIsoUs(stamp), undefined),
    resolutionUs: resolutionOf(fractionOf(stamp)),
    ...(inner && (groups["tag"] ?? "").includes("eepalived")
      ? { host: nil(groups["host"]), tag: undefined, pid: undefined, message: inner.message }
      : addressed({ ...groups, message: said }, nil(groups["host"]))),
  };
}

/** Where structured data (RFC 5424 section 6.3) ends; undefined when it is none. A `]` within a value is escaped. */
function structuredDataEnd(text: string): number | undefined {
  if (text.startsWith("-")) return 1;
  let at = 0;
  while (text[at] === "[") {
    let quoted = false;
    for (at += 1; at < text.length && (quoted || text[at] !== "]"); at++) {
      if (text[at] === "\\" && quoted) at += 1;
      else if (text[at] === '"') quoted = !quoted;
    }
    if (text[at] !== "]") return undefined;
    at += 1;
  }
  return at === 0 ? undefined : at;
}

function fromConsole(text: string, frame: Frame): Envelope | undefined {
  const groups: Groups | undefined = CONSOLE.exec(text)?.groups;
  if (!groups) return undefined;
  return {
    ...wallStamp(groups, frame),
    host: undefined,
    tag: undefined,
    pid: undefined,
    message: groups["message"] ?? "",
  };
}

// --- when it was written ---------------------------------------------------------------------------------------------

function takeStamp(text: string, frame: Frame): Stamped | undefined {
  const classic = CLASSIC.exec(text)?.groups;
  if (classic) return { ...wallStamp(classic, frame), rest: classic["rest"] ?? "" };
  const iso = ISO.exec(text)?.groups;
  if (iso) return isoStamp(iso, frame);
  const unix = UNIX.exec(text)?.groups;
  if (unix)
    return {
      ts: inRange(Number(unix["seconds"]) * US_PER_SECOND, unix["fraction"]),
      resolutionUs: 1,
      rest: unix["rest"] ?? "",
    };
  const localised: Groups | undefined = LOCALISED.exec(text)?.groups;
  if (!localised || monthOf(localised["month"] ?? "") === undefined) return undefined;
  const year = localised["year"] ?? localised["yearBehind"];
  return { ...wallStamp({ ...localised, year }, frame), rest: localised["rest"] ?? "" };
}

function isoStamp(groups: Groups, frame: Frame): Stamped {
  const { zone, weekday, rest = "" } = groups;
  const resolutionUs = resolutionOf(groups["fraction"]);
  if (zone === undefined) {
    const stamp = wallStamp(groups, frame);
    return { ...stamp, rest: weekday === undefined ? rest : rest.replace(ZONE_NAME, "") };
  }
  const date = `${groups["year"]}-${groups["month"]}-${groups["day"]}`;
  const offset = /[A-Z]/.test(zone) ? "Z" : zone.length === 3 ? `${zone}:00` : zone;
  const second = parseIsoUs(`${date}T${groups["hour"]}:${groups["minute"]}:${groups["second"]}${offset}`);
  return { ts: inRange(second, groups["fraction"]), resolutionUs, rest };
}

/** A wall clock's reading, with a year or without. */
function wallStamp(groups: Groups, frame: Frame): { ts: number | undefined; resolutionUs: number } {
  const wall = wallOf(groups);
  const { year, fraction } = groups;
  const second =
    wall === undefined
      ? undefined
      : year === undefined
        ? yearless(wall, frame)
        : frame.clock.instant({ ...wall, year: Number(year) }, frame);
  return { ts: inRange(second, fraction), resolutionUs: resolutionOf(fraction) };
}

/** The year is the one that makes it the latest instant not later than a day after the reference: a day, because clocks and zones err. */
function yearless(wall: Wall, frame: Frame): number | undefined {
  const year = new Date(frame.reference / US_PER_MS).getUTCFullYear();
  // 29 February is in one year of four, or of eight around a century.
  for (let candidate = year + 1; candidate > year - 9; candidate--) {
    const exists = wall.day < 29 || wall.day <= new Date(Date.UTC(candidate, wall.month, 0)).getUTCDate();
    const ts = frame.clock.instant({ ...wall, year: candidate }, frame);
    if (exists && ts <= frame.reference + DAY_US) return ts;
  }
  return undefined;
}

/** @param second  epoch microseconds of the whole second */
function inRange(second: number | undefined, fraction: string | undefined): number | undefined {
  if (second === undefined) return undefined;
  const ts = second + (fraction === undefined ? 0 : Number(fraction.padEnd(6, "0").slice(0, 6)));
  return ts >= 0 && ts <= TS_MAX ? ts : undefined;
}

interface Wall {
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

function wallOf(groups: Groups): Wall | undefined {
  const written = groups["month"] ?? "";
  const month = /^\d\d$/.test(written) ? Number(written) : monthOf(written);
  const [day = 0, hour = 0, minute = 0, second = 0] = ["day", "hour", "minute", "second"].map((name) =>
    Number(groups[name]),
  );
  if (month === undefined || month < 1 || month > 12) return undefined;
  if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  return { month, day, hour, minute, second };
}

const fractionOf = (stamp: string): string | undefined => /[.,](\d+)/.exec(stamp)?.[1];

/** Microseconds that one unit of the written timestamp lasts; at least 1. */
function resolutionOf(fraction: string | undefined): number {
  return fraction === undefined ? US_PER_SECOND : Math.max(1, 10 ** (6 - fraction.length));
}

function numberOrNone(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
