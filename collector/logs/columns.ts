import type { Daemon } from "../events/event.ts";
import { US_PER_SECOND } from "../core/time.ts";
import type { GrammarTable } from "./grammar.ts";
import { Interner } from "./interner.ts";
import { INSTANCE_MAX_CHARS, IS_OPEN, LINE_MAX_CHARS, TEMPLATE_INTS } from "./layout.ts";
import { beginningOf, minuteOf, SPAN_HOLDS_US, type StampOf } from "./span.ts";

/** The line is not keepalived's. */
export const NOT_OURS = 0;
/** The columns hold what the line says. */
export const READ = 1;
/** The line is not of the common kind: whoever reads its text has to say. */
export const ASK = 2;

export interface ColumnsOptions {
  readonly table: GrammarTable;
  /** Reads the time of a line in full: columns add but seconds to what it answers. */
  readonly stampOf: StampOf;
  /** @returns undefined for a tag that is not keepalived's; else the daemon, which such a tag need not say */
  readonly writerOf: (tag: string) => { readonly daemon: Daemon | undefined } | undefined;
}

/**
 * Reads the lines that nearly all lines are: an RFC 3164 or RFC 3339 time, a host, `TAG[PID]: `, and a message that a
 * row claims. It makes no string and no object; what is anything else it hands back (`ASK`), so that one reader alone
 * decides what an unusual line means, and both give the same answer for a usual one.
 */
export class LineColumns {
  /** Epoch microseconds, and how long the unit is that they are written in. */
  ts = 0;
  resolutionUs = 0;
  hostFrom = 0;
  hostEnd = 0;
  daemon: Daemon | undefined = undefined;
  /** -1 when the line has none. */
  pid = -1;
  messageFrom = 0;
  /** The line without its carriage return. */
  end = 0;
  /** -1 when the message is not about an instance. */
  instanceFrom = -1;
  instanceEnd = -1;
  /** What the message means; its holes are in the table's matcher. */
  template = -1;

  private readonly options: ColumnsOptions;
  private readonly minutes = Array.from({ length: MINUTES }, () => new Minute());
  private readonly tags = new Interner(TAGS_MAX);
  private readonly writers: ({ readonly daemon: Daemon | undefined } | undefined)[] = [];
  constructor(options: ColumnsOptions) {
    this.options = options;
  }

  /**
   * @param from       where the line begins in the bytes
   * @param lineEnd    where it ends, without its newline
   * @param reference  the line was written at or before this (epoch microseconds)
   */
  read(bytes: Uint8Array, from: number, lineEnd: number, reference: number): number {
    if (lineEnd - from > LINE_MAX_CHARS || lineEnd - from < SHORTEST) return ASK;
    const end = bytes[lineEnd - 1] === 0x0d ? lineEnd - 1 : lineEnd;
    let at =
      bytes[from + 3] === 0x20
        ? this.classic(bytes, from, reference)
        : bytes[from + 4] === 0x2d
          ? this.iso(bytes, from, end, reference)
          : -1;
    if (at < 0) return ASK;
    const hostFrom = at;
    while (at < end && isGraphic(bytes[at] as number)) at += 1;
    if (at === hostFrom || at >= end || bytes[at] !== 0x20 || isNoHost(bytes, hostFrom, at)) return ASK;
    this.hostFrom = hostFrom;
    this.hostEnd = at;
    const tagFrom = at + 1;
    at = tagFrom;
    while (at < end && isTag(bytes[at] as number)) at += 1;
    const tagEnd = at;
    if (tagEnd === tagFrom) return ASK;
    at = this.process(bytes, at, end);
    if (at < 0) return ASK;
    const tag = this.tags.get(bytes, tagFrom, tagEnd);
    if (tag < 0) return ASK;
    if (tag === this.writers.length)
      this.writers.push(this.options.writerOf(String.fromCharCode(...bytes.subarray(tagFrom, tagEnd))));
    const writer = this.writers[tag];
    if (writer === undefined) return isWrapped(bytes, at) ? ASK : NOT_OURS;
    this.daemon = writer.daemon;
    this.messageFrom = at;
    this.end = end;
    return this.message(bytes, at, end);
  }

  /** `[PID]: ` or `: `. @returns where the message begins, or -1 */
  private process(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    this.pid = -1;
    if (bytes[at] === 0x5b) {
      const digits = at + 1;
      let pid = 0;
      for (at = digits; at < end && isDigit(bytes[at] as number); at++) pid = pid * 10 + (bytes[at] as number) - 0x30;
      if (at === digits || at - digits > PID_DIGITS_MAX || bytes[at] !== 0x5d) return -1;
      this.pid = pid;
      at += 1;
    }
    if (at >= end || bytes[at] !== 0x3a) return -1;
    at += 1;
    return at < end && bytes[at] === 0x20 ? at + 1 : at;
  }

  /** The instance in front of it, and what its words mean. */
  private message(bytes: Uint8Array, from: number, end: number): number {
    // `message repeated N times: [ … ]`, `Last message '…' repeated N times, …`, and a console's own time within a supervisor's.
    if (
      bytes[from] === 0x6d ||
      (bytes[from] === 0x4c && bytes[from + 4] === 0x20) ||
      (bytes[from + 3] === 0x20 && bytes[from + 7] === 0x20)
    )
      return ASK;
    this.instanceFrom = this.instanceEnd = -1;
    const words = this.prefix(bytes, from, end);
    if (words < 0) return ASK;
    const { matcher } = this.options.table;
    const template = matcher.match(bytes, words, end, words !== from);
    if (template < 0) return ASK;
    this.template = template;
    const isOpen = matcher.automaton.templates[template * TEMPLATE_INTS + IS_OPEN] === 1;
    // What stands in a hole may be a password, or the end of `(FILE: Line N) `, which only a look at the whole text tells.
    return tells(bytes, from, isOpen ? end : words) ? ASK : READ;
  }

  /** `(VI_1) `, `(VI_1): `, `VRRP_Instance(VI_1) `. @returns where the words begin, or -1 when it is not that simple */
  private prefix(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (bytes[at] === 0x56) {
      for (let i = 1; i < INSTANCE_WORD.length; i++) if (bytes[at + i] !== INSTANCE_WORD[i]) return from;
      at += INSTANCE_WORD.length;
    }
    if (bytes[at] !== 0x28) return from;
    const nameFrom = at + 1;
    at = nameFrom;
    while (at < end && bytes[at] !== 0x29 && isPlain(bytes[at] as number)) at += 1;
    if (at >= end || bytes[at] !== 0x29 || at === nameFrom || at - nameFrom > INSTANCE_MAX_CHARS) return -1;
    this.instanceFrom = nameFrom;
    this.instanceEnd = at;
    at += 1;
    if (bytes[at] === 0x3a) at += 1;
    if (bytes[at] === 0x20) at += 1;
    return at < end && isGraphic(bytes[at] as number) ? at : -1;
  }

  /** `Nov 24 10:53:23 `. @returns where the host begins, or -1 */
  private classic(bytes: Uint8Array, from: number, reference: number): number {
    const seconds = secondsAt(bytes, from + 13);
    if (seconds < 0 || bytes[from + 12] !== 0x3a || bytes[from + 15] !== 0x20) return -1;
    const minute = this.minutes[(bytes[from + 11] as number) & 15] as Minute;
    if (
      !minute.is(bytes, from, from + 12, 0, 0, reference) &&
      !this.learn(minute, bytes, from, from + 12, 0, 0, reference)
    )
      return -1;
    this.ts = minute.base + seconds * US_PER_SECOND;
    this.resolutionUs = US_PER_SECOND;
    return from + 16;
  }

  /** `2026-11-24T10:53:23.123456+00:00 `. @returns where the host begins, or -1 */
  private iso(bytes: Uint8Array, from: number, end: number, reference: number): number {
    const seconds = secondsAt(bytes, from + 17);
    if (seconds < 0 || bytes[from + 16] !== 0x3a) return -1;
    let at = from + 19;
    let micros = 0;
    let unit = US_PER_SECOND;
    if (bytes[at] === 0x2e || bytes[at] === 0x2c) {
      const digits = at + 1;
      for (at = digits; at < end && isDigit(bytes[at] as number); at++)
        if (unit > 1) {
          unit /= 10;
          micros += ((bytes[at] as number) - 0x30) * unit;
        }
      if (at === digits || at - digits > FRACTION_DIGITS_MAX) return -1;
    }
    const zone = at;
    // `2026-11-24 10:53:23 +0100 lb1 …`, `… UTC lb1 …`, `… GMT lb1 …`: the zone stands apart.
    const apart = bytes[at] === 0x20 ? bytes[at + 1] : 0;
    if (apart === 0x2b || apart === 0x2d || apart === 0x55 || apart === 0x47 || apart === 0x5a) return -1;
    while (at < end && isGraphic(bytes[at] as number) && at - zone <= ZONE_MAX_CHARS) at += 1;
    if (bytes[at] !== 0x20) return -1;
    const minute = this.minutes[(bytes[from + 15] as number) & 15] as Minute;
    if (
      !minute.is(bytes, from, from + 16, zone, at, reference) &&
      !this.learn(minute, bytes, from, from + 16, zone, at, reference)
    )
      return -1;
    this.ts = minute.base + seconds * US_PER_SECOND + micros;
    this.resolutionUs = unit;
    return at + 1;
  }

  /** Asks for the time of a minute in full, and for how long the answer holds. @returns false when seconds cannot just be added to it */
  private learn(
    minute: Minute,
    bytes: Uint8Array,
    from: number,
    to: number,
    zoneFrom: number,
    zoneEnd: number,
    reference: number,
  ): boolean {
    const text = (start: number, end: number): string => String.fromCharCode(...bytes.subarray(start, end));
    const span = minuteOf(text(from, to), text(zoneFrom, zoneEnd));
    const base = beginningOf(span, this.options.stampOf, reference);
    if (base === undefined) return false;
    minute.keep(bytes, from, to, zoneFrom, zoneEnd, base, reference, reference + SPAN_HOLDS_US);
    return true;
  }
}

/** A written minute and its instant, for the lines that follow. The year of a classic one depends on the reference. */
class Minute {
  base = 0;
  private readonly text = new Uint8Array(32);
  private length = -1;
  private since = 0;
  private until = 0;

  is(bytes: Uint8Array, from: number, to: number, zoneFrom: number, zoneEnd: number, reference: number): boolean {
    const length = to - from;
    if (this.length !== length + zoneEnd - zoneFrom || reference < this.since || reference > this.until) return false;
    const { text } = this;
    for (let i = length - 1; i >= 0; i--) if (bytes[from + i] !== text[i]) return false;
    for (let i = zoneFrom; i < zoneEnd; i++) if (bytes[i] !== text[length + i - zoneFrom]) return false;
    return true;
  }

  keep(
    bytes: Uint8Array,
    from: number,
    to: number,
    zoneFrom: number,
    zoneEnd: number,
    base: number,
    since: number,
    until: number,
  ): void {
    this.text.set(bytes.subarray(from, to));
    this.text.set(bytes.subarray(zoneFrom, zoneEnd), to - from);
    this.length = to - from + zoneEnd - zoneFrom;
    this.base = base;
    this.since = since;
    this.until = until;
  }
}

/** How many written minutes are remembered, told apart by their last digit: hosts' clocks differ, and merged logs go back and forth. */
const MINUTES = 16;
const TAGS_MAX = 256;
/** A time and `h:`; shorter is nothing. */
const SHORTEST = 24;
const PID_DIGITS_MAX = 9;
const FRACTION_DIGITS_MAX = 9;
const ZONE_MAX_CHARS = 6;
const INSTANCE_WORD = new TextEncoder().encode("VRRP_Instance");

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isGraphic = (byte: number): boolean => byte > 0x20 && byte < 0x7f;
const isPlain = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;
/** Neither white space nor one of `:[]`. */
const isTag = (byte: number): boolean => isGraphic(byte) && byte !== 0x3a && byte !== 0x5b && byte !== 0x5d;

/** A tag or `daemon.info` where a host is expected, as far as can be told at a glance: there may be none. */
function isNoHost(bytes: Uint8Array, from: number, end: number): boolean {
  if (bytes[end - 1] === 0x3a) return true;
  const first = bytes[from];
  return (first === 0x64 || first === 0x6c || first === 0x75) && (bytes[from + 6] === 0x2e || bytes[from + 4] === 0x2e);
}

/** Whether behind another program's tag there may be a line of keepalived's: a relay's, or a container's. */
const isWrapped = (bytes: Uint8Array, at: number): boolean =>
  bytes[at - 1] !== 0x20 || bytes[at + 1] === 0x65 || (bytes[at + 3] === 0x20 && bytes[at + 7] === 0x20);

/** Two digits up to 59, or -1: a leap second is asked about. */
function secondsAt(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const ones = (bytes[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 5 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

const HINTS = Uint8Array.from({ length: 256 }, (_, byte) => ("wW_L".includes(String.fromCharCode(byte)) ? 1 : 0));
const LINE = new TextEncoder().encode("Line ");
const lower = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | 0x20;

/** Whether there may be a password or the number of a configuration line in this text. */
function tells(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (HINTS[byte] === 0) continue;
    if (byte === 0x4c) {
      let same = 1;
      while (same < LINE.length && bytes[at + same] === LINE[same]) same += 1;
      if (same === LINE.length) return true;
    } else if (byte === 0x5f) {
      if (lower(bytes, at - 1) === 0x68 && lower(bytes, at + 1) === 0x70) return true; // auth_pass
    } else if (lower(bytes, at - 1) === 0x73 && lower(bytes, at - 2) === 0x73) return true; // password
  }
  return false;
}
