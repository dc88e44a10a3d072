import {
  CHECK_ADDRESS,
  CHECK_DURATION,
  CHECK_NUMBER,
  CHECK_PREFIXED,
  CHECK_SERVICE,
  DECISION_CHECK,
  ENDS,
  STARTS,
} from "../layout";
import { decisions } from "./matcher";

/** A hole holds what it has to; 0 when it does not. */
const YES: i32 = 1;
/** It is nothing that nearly all of them hold: it is asked. */
const UNSURE: i32 = -1;

/** @returns what a decision comes to, or -1 when it has to be asked */
export function decide(place: i32): i32 {
  let at = decisions + place * 4;
  const checks = load<i32>(at);
  at += 4;
  let holding = 0;
  for (let check = 0; check < checks; check++) {
    const hole = load<i32>(at) * 4;
    const holds = isHeld(
      load<i32>(at, 4),
      load<i32>(STARTS + hole),
      load<i32>(ENDS + hole),
      load<i32>(at, 8),
      load<i32>(at, 12),
    );
    if (holds < 0) return UNSURE;
    holding |= holds << check;
    at += DECISION_CHECK * 4;
  }
  return load<i32>(at + holding * 4);
}

function isHeld(how: i32, from: i32, end: i32, least: i32, most: i32): i32 {
  if (how === CHECK_NUMBER) return number(from, end, least, most);
  if (how === CHECK_ADDRESS) return ipv4(from, end) === end ? YES : UNSURE;
  if (how === CHECK_PREFIXED) return prefixed(from, end);
  if (how === CHECK_SERVICE) return service(from, end);
  return how === CHECK_DURATION ? duration(from, end) : UNSURE;
}

/** Of at most nine digits. */
function number(from: i32, end: i32, least: i32, most: i32): i32 {
  const isNegative = load<u8>(from) === 0x2d;
  const digits = from + i32(isNegative);
  if (digits === end || end - digits > 9) return UNSURE;
  let value = 0;
  for (let at = digits; at < end; at++) {
    const digit = <i32>load<u8>(at) - 0x30;
    if (<u32>digit > 9) return UNSURE;
    value = value * 10 + digit;
  }
  if (isNegative) value = -value;
  return i32(value >= least && value <= most);
}

/** `10.99.0.100`, each of its numbers without a needless nought. @returns where it ends, or -1 */
function ipv4(from: i32, end: i32): i32 {
  let at = from;
  for (let part = 0; part < 4; part++) {
    if (part > 0) {
      if (at >= end || load<u8>(at) !== 0x2e) return -1;
      at += 1;
    }
    const digits = at;
    let value = 0;
    for (; at < end && at - digits < 4; at++) {
      const digit = <i32>load<u8>(at) - 0x30;
      if (<u32>digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === digits || value > 255 || (at - digits > 1 && load<u8>(digits) === 0x30)) return -1;
  }
  return at;
}

/** An IPv4 address, alone or with one to three digits behind a slash. */
function prefixed(from: i32, end: i32): i32 {
  const at = ipv4(from, end);
  if (at === end) return YES;
  if (at < 0 || load<u8>(at) !== 0x2f) return UNSURE;
  return upTo3Digits(at + 1, end);
}

function upTo3Digits(from: i32, end: i32): i32 {
  if (from === end || end - from > 3) return UNSURE;
  for (let at = from; at < end; at++) if (<u32>(<i32>load<u8>(at) - 0x30) > 9) return UNSURE;
  return YES;
}

/** `[10.99.0.12]:80`, `[10.99.0.12]:tcp:80`, `[10.99.0.12]:udp:80`. */
function service(from: i32, end: i32): i32 {
  if (load<u8>(from) !== 0x5b) return UNSURE;
  let at = ipv4(from + 1, end);
  if (at < 0 || at + 2 > end || load<u8>(at) !== 0x5d || load<u8>(at, 1) !== 0x3a) return UNSURE;
  at += 2;
  // `tcp:` or `udp:`
  if (at + 4 <= end) {
    const protocol = load<u32>(at);
    if (protocol === 0x3a70_6374 || protocol === 0x3a70_6475) at += 4;
  }
  return end - at <= 5 && number(at, end, 0, 65_535) === YES && load<u8>(at) !== 0x2d ? YES : UNSURE;
}

/** `30`, `30.000000`: at most nine digits before and behind the point. */
function duration(from: i32, end: i32): i32 {
  let at = from;
  while (at < end && <u32>(<i32>load<u8>(at) - 0x30) <= 9) at += 1;
  if (at === from || at - from > 9) return UNSURE;
  if (at === end) return YES;
  if (load<u8>(at) !== 0x2e) return UNSURE;
  const fraction = at + 1;
  at = fraction;
  while (at < end && <u32>(<i32>load<u8>(at) - 0x30) <= 9) at += 1;
  return at === end && at > fraction && at - fraction <= 9 ? YES : UNSURE;
}
