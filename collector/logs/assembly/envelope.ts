import {
  HEAD_DAEMON,
  HEAD_HOST,
  HEAD_SHIFT,
  HEAD_TEXT,
  HEAD_TEXT_BYTES,
  HEAD_TEXT_BYTES_MIN,
  HEADS,
  HOUR,
  HOUR_BASE,
  HOUR_SHIFT,
  HOUR_SINCE,
  HOUR_TEXT,
  HOUR_UNTIL,
  HOURS,
  INSTANCE_MAX_CHARS,
  LINE,
  STAMP,
  STAMP_TS,
  TAG,
  TAG_BYTES,
  TAG_LENGTH_MAX,
  TAG_TEXT,
  TAG_WHOSE,
  TAGS,
} from "../layout";
import { copy, isSame, isSame16, isSameText } from "./bytes";

/**
 * Reads the envelope that nearly all lines have: an RFC 3164 or RFC 3339 time, a host, `TAG[PID]: `. What is anything
 * else is asked about. Nothing here reads on behind a newline.
 */

/** Epoch microseconds. */
export let ts: f64 = 0;
export let hostFrom: i32 = 0;
export let hostEnd: i32 = 0;
/** The hour as it is written, and the zone behind the time, of which the instant is asked for, and where the answer is put. */
export let hourEnd: i32 = 0;
export let zoneFrom: i32 = 0;
export let zoneEnd: i32 = 0;
export let hourSlot: i32 = 0;
/** The tag, whose owner is asked for, and where the answer is put. */
export let tagFrom: i32 = 0;
export let tagEnd: i32 = 0;
export let tagSlot: i32 = 0;
/** Index of the daemon that writes the line. */
export let daemon: i32 = 0;
/** Where the words of an instance begin, and its name; -1 when there is none. */
export let instanceFrom: i32 = 0;
export let instanceEnd: i32 = 0;

const US_PER_SECOND: f64 = 1_000_000;
const ZONE_MAX_CHARS: i32 = 6;
const DIGITS_MAX: i32 = 9;

/** Another line than the usual. */
export const UNUSUAL: i32 = -LINE;
/** It depends on an hour, or a minute of it, that is not known. */
export const UNKNOWN_HOUR: i32 = -HOUR;
/** … on a tag. */
export const UNKNOWN_TAG: i32 = -TAG;
export const NOT_OURS: i32 = -4;

/** @returns where the message begins, or one of the above */
export function readEnvelope(from: i32): i32 {
  let at = from + 16;
  if (load<u8>(from, 3) === 0x20) {
    if (isSame16(from, STAMP)) ts = load<f64>(STAMP, STAMP_TS);
    else at = classic(from);
  } else if (load<u8>(from, 4) === 0x2d) at = iso(from);
  else return UNUSUAL;
  if (at < 0) return at;
  hostFrom = at;
  const bracket = firstBracket(at);
  const size = bracket - at;
  const head = HEADS + (hashOfHead(at, bracket) << HEAD_SHIFT);
  if (size >= HEAD_TEXT_BYTES_MIN && <i32>load<u8>(head) === size && isSameText(head + HEAD_TEXT, at, size)) {
    hostEnd = at + <i32>load<u8>(head, HEAD_HOST);
    daemon = load<u8>(head, HEAD_DAEMON);
    const digits = ctz(i8x16.bitmask(notDigits(v128.load(bracket + 1))) | 0x10000);
    // `]: `
    if (digits - 1 < DIGITS_MAX && digits > 0 && (load<u32>(bracket + 1 + digits) & 0xff_ffff) === 0x20_3a5d)
      return bracket + digits + 4;
  }
  at = graphicEnd(at);
  hostEnd = at;
  if (at === hostFrom || load<u8>(at) !== 0x20 || isNoHost(hostFrom, at)) return UNUSUAL;
  tagFrom = at + 1;
  at = endOfTag(tagFrom);
  tagEnd = at;
  if (at === tagFrom || at - tagFrom > TAG_LENGTH_MAX) return UNUSUAL;
  // `[PID]: ` or `: `.
  if (load<u8>(at) === 0x5b) {
    at += 1;
    const digits = at;
    while (isDigit(load<u8>(at))) at += 1;
    if (at === digits || at - digits > DIGITS_MAX || load<u8>(at) !== 0x5d) return UNUSUAL;
    at += 1;
  }
  if (load<u8>(at) !== 0x3a) return UNUSUAL;
  at += 1;
  if (load<u8>(at) === 0x20) at += 1;
  const length = tagEnd - tagFrom;
  tagSlot = TAGS + ((length & 63) * 4 + (load<u8>(tagEnd - 1) & 3)) * TAG_BYTES;
  if (load<i32>(tagSlot) !== length || !isSame(tagSlot + TAG_TEXT, tagFrom, length)) return UNKNOWN_TAG;
  daemon = load<i32>(tagSlot, TAG_WHOSE);
  if (daemon < 0) return isWrapped(at) ? UNUSUAL : NOT_OURS;
  if (tagEnd === bracket && size >= HEAD_TEXT_BYTES_MIN && size <= HEAD_TEXT_BYTES) {
    store<u8>(head, size);
    store<u8>(head, hostEnd - hostFrom, HEAD_HOST);
    store<u8>(head, daemon, HEAD_DAEMON);
    copy(hostFrom, size, head + HEAD_TEXT);
  }
  return at;
}

/** Where the first opening bracket stands, or 48 bytes on, when there is none before. */
function firstBracket(from: i32): i32 {
  const bracket = i8x16.splat(0x5b);
  const places =
    <u64>i8x16.bitmask(i8x16.eq(v128.load(from), bracket)) |
    ((<u64>i8x16.bitmask(i8x16.eq(v128.load(from, 16), bracket))) << 16) |
    ((<u64>i8x16.bitmask(i8x16.eq(v128.load(from, 32), bracket))) << 32);
  return from + <i32>ctz(places | ((<u64>1) << 48));
}

/** Of the host's first bytes and the tag's last ones. */
function hashOfHead(from: i32, end: i32): i32 {
  const hash = load<u64>(from) ^ (load<u64>(end - 8) * 0xc2b2_ae3d_27d4_eb4f);
  return <i32>((hash * 0x9e37_79b9_7f4a_7c15) >> 56);
}

function notDigits(bytes: v128): v128 {
  return i8x16.gt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(9));
}

/** `(VI_1) `, `(VI_1): `, `VRRP_Instance(VI_1) `. @returns where the words begin, or UNUSUAL when it is not that simple */
export function prefix(from: i32): i32 {
  instanceFrom = instanceEnd = -1;
  let at = from;
  if (load<u64>(at) === 0x736e_495f_5052_5256 && load<u32>(at, 8) === 0x636e_6174 && load<u8>(at, 12) === 0x65)
    at += 13;
  if (load<u8>(at) !== 0x28) return from;
  const name = at + 1;
  at = bracketOrControl(name);
  if (load<u8>(at) !== 0x29 || at === name || at - name > INSTANCE_MAX_CHARS) return UNUSUAL;
  instanceFrom = name;
  instanceEnd = at;
  at += 1;
  if (load<u8>(at) === 0x3a) at += 1;
  if (load<u8>(at) === 0x20) at += 1;
  return isGraphic(load<u8>(at)) ? at : UNUSUAL;
}

/** What is in front of a message that is known. */
export function setInstance(from: i32, end: i32): void {
  instanceFrom = from;
  instanceEnd = end;
}

/** `Nov 24 10:53:23 `. @returns where the host begins */
function classic(from: i32): i32 {
  const seconds = secondsAt(from + 10);
  if (seconds < 0 || load<u8>(from, 9) !== 0x3a || load<u8>(from, 15) !== 0x20) return UNUSUAL;
  const slot = HOURS + ((load<u8>(from, 8) & 15) << HOUR_SHIFT);
  if (
    load<i32>(slot) !== 9 ||
    load<u64>(slot, HOUR_TEXT) !== load<u64>(from) ||
    load<u8>(slot, HOUR_TEXT + 8) !== load<u8>(from, 8) ||
    !holds(slot, seconds)
  ) {
    hourSlot = slot;
    hourEnd = from + 9;
    zoneFrom = zoneEnd = 0;
    return UNKNOWN_HOUR;
  }
  ts = load<f64>(slot, HOUR_BASE) + <f64>seconds * US_PER_SECOND;
  copy(from, 16, STAMP);
  store<f64>(STAMP, ts, STAMP_TS);
  return from + 16;
}

/** `2026-11-24T10:53:23.123456+00:00 `. @returns where the host begins */
function iso(from: i32): i32 {
  const seconds = secondsAt(from + 14);
  if (seconds < 0 || load<u8>(from, 13) !== 0x3a) return UNUSUAL;
  let at = from + 19;
  let micros = 0;
  if (load<u8>(at) === 0x2e || load<u8>(at) === 0x2c) {
    const digits = at + 1;
    let unit = 1_000_000;
    for (at = digits; isDigit(load<u8>(at)); at++)
      if (unit > 1) {
        unit /= 10;
        micros += (<i32>load<u8>(at) - 0x30) * unit;
      }
    if (at === digits || at - digits > DIGITS_MAX) return UNUSUAL;
  }
  const zone = at;
  // `2026-11-24 10:53:23 +0100 lb1 …`, `… UTC lb1 …`, `… GMT lb1 …`: the zone stands apart.
  const apart = load<u8>(at) === 0x20 ? load<u8>(at, 1) : 0;
  if (apart === 0x2b || apart === 0x2d || apart === 0x55 || apart === 0x47 || apart === 0x5a) return UNUSUAL;
  while (isGraphic(load<u8>(at)) && at - zone <= ZONE_MAX_CHARS) at += 1;
  if (load<u8>(at) !== 0x20) return UNUSUAL;
  const slot = HOURS + ((load<u8>(from, 12) & 15) << HOUR_SHIFT);
  if (
    load<i32>(slot) !== 13 + at - zone ||
    !isSame(slot + HOUR_TEXT, from, 13) ||
    !isSame(slot + HOUR_TEXT + 13, zone, at - zone) ||
    !holds(slot, seconds)
  ) {
    hourSlot = slot;
    hourEnd = from + 13;
    zoneFrom = zone;
    zoneEnd = at;
    return UNKNOWN_HOUR;
  }
  ts = load<f64>(slot, HOUR_BASE) + <f64>seconds * US_PER_SECOND + <f64>micros;
  return at + 1;
}

/** Whether what is known of an hour is known of the minute as well. */
function holds(slot: i32, seconds: i32): bool {
  return seconds >= load<i32>(slot, HOUR_SINCE) && seconds <= load<i32>(slot, HOUR_UNTIL);
}

/** The seconds of `53:23`, each up to 59, or -1: a leap second is asked about. */
function secondsAt(at: i32): i32 {
  const minute = twoDigits(at);
  const second = twoDigits(at + 3);
  return minute < 0 || second < 0 || load<u8>(at, 2) !== 0x3a ? -1 : minute * 60 + second;
}

function twoDigits(at: i32): i32 {
  const tens = <i32>load<u8>(at) - 0x30;
  const ones = <i32>load<u8>(at, 1) - 0x30;
  return <u32>tens <= 5 && <u32>ones <= 9 ? tens * 10 + ones : -1;
}

function isDigit(byte: u32): bool {
  return byte - 0x30 <= 9;
}

function isGraphic(byte: u32): bool {
  return byte > 0x20 && byte < 0x7f;
}

/** Where the first byte stands that is no visible character. */
function graphicEnd(from: i32): i32 {
  let at = from;
  let others = i8x16.bitmask(notGraphic(v128.load(at)));
  while (others === 0) {
    at += 16;
    others = i8x16.bitmask(notGraphic(v128.load(at)));
  }
  return at + ctz(others);
}

/** Where the first byte stands that is no visible character or one of `:[]`. */
function endOfTag(from: i32): i32 {
  let at = from;
  let others = notInTag(v128.load(at));
  while (others === 0) {
    at += 16;
    others = notInTag(v128.load(at));
  }
  return at + ctz(others);
}

/** Where the first byte stands that is a closing bracket or none of ASCII's characters. */
function bracketOrControl(from: i32): i32 {
  let at = from;
  let others = notInName(v128.load(at));
  while (others === 0) {
    at += 16;
    others = notInName(v128.load(at));
  }
  return at + ctz(others);
}

/** A byte of 0x80 or more is less than a blank: it is compared with its sign. */
function notGraphic(bytes: v128): v128 {
  return v128.or(i8x16.lt_s(bytes, i8x16.splat(0x21)), i8x16.eq(bytes, i8x16.splat(0x7f)));
}

function notInTag(bytes: v128): i32 {
  const brackets = v128.or(i8x16.eq(bytes, i8x16.splat(0x5b)), i8x16.eq(bytes, i8x16.splat(0x5d)));
  return i8x16.bitmask(v128.or(notGraphic(bytes), v128.or(brackets, i8x16.eq(bytes, i8x16.splat(0x3a)))));
}

function notInName(bytes: v128): i32 {
  const controls = v128.or(i8x16.lt_s(bytes, i8x16.splat(0x20)), i8x16.eq(bytes, i8x16.splat(0x7f)));
  return i8x16.bitmask(v128.or(controls, i8x16.eq(bytes, i8x16.splat(0x29))));
}

/** A tag or `daemon.info` where a host is expected, as far as can be told at a glance: there may be none. */
function isNoHost(from: i32, end: i32): bool {
  if (load<u8>(end - 1) === 0x3a) return true;
  const first = load<u8>(from);
  return (
    (first === 0x64 || first === 0x6c || first === 0x75) && (load<u8>(from, 6) === 0x2e || load<u8>(from, 4) === 0x2e)
  );
}

/** Whether behind another program's tag there may be a line of keepalived's: a relay's, or a container's. */
function isWrapped(at: i32): bool {
  return (
    load<u8>(at - 1) !== 0x20 || load<u8>(at, 1) === 0x65 || (load<u8>(at, 3) === 0x20 && load<u8>(at, 7) === 0x20)
  );
}
