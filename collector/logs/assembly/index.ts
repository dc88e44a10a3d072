import {
  daemon,
  hostEnd,
  hostFrom,
  hourEnd,
  hourSlot,
  instanceEnd,
  instanceFrom,
  NOT_OURS,
  prefix,
  readEnvelope,
  setInstance,
  tagEnd,
  tagFrom,
  tagSlot,
  ts,
  UNUSUAL,
  zoneEnd,
  zoneFrom,
} from "./envelope";
import { find, foundEnd, foundFrom, lineEnd, passed } from "./finder";
import { decide } from "./checks";
import { match, meanings, placeAutomaton, templates } from "./matcher";
import {
  CONTEXT,
  CONTEXTS,
  COUNTED,
  COUNTED_BYTES,
  COUNTED_INSTANCE,
  COUNTED_STATE,
  DONE,
  ENDS,
  FILLING,
  FILLINGS,
  FILLINGS_MAX,
  FILLING_MAX_BYTES,
  HOLES,
  HOSTS,
  HOSTS_MAX,
  HOST_MAX_CHARS,
  HOUR_END,
  HOUR_SLOT,
  INSTANCES,
  INSTANCES_MAX,
  INSTANCE_END,
  INSTANCE_FROM,
  IS_OPEN,
  KNOWN_FILLINGS,
  LINE_FROM,
  LINE_MAX_CHARS,
  LINE_TO,
  MEANING,
  MESSAGES,
  MESSAGES_MAX,
  MESSAGE_DAEMON,
  MESSAGE_END,
  MESSAGE_FROM,
  MESSAGE_INSTANCE_END,
  MESSAGE_INSTANCE_FROM,
  MESSAGE_LENGTH,
  MESSAGE_SHIFT,
  MESSAGE_TEMPLATE,
  MESSAGE_TEXT,
  MESSAGE_TEXT_BYTES,
  MESSAGE_TEXT_BYTES_MIN,
  MESSAGE_WHAT,
  OF_LINE,
  REGISTERS,
  SCRATCH,
  STARTS,
  STATES,
  STATES_MAX,
  STATES_OF_INSTANCE,
  STATE_BYTES,
  TAG_END,
  TAG_FROM,
  TAG_SLOT,
  TEMPLATE,
  TEMPLATE_INTS,
  ZONE_END,
  ZONE_FROM,
} from "../layout";
import { copy, isSameText } from "./bytes";
import { numberOf, placeNames } from "./names";

/**
 * Counts what keepalived says in the lines of a log. It goes through a chunk by itself, and stops (`run`) at what it
 * does not know: an hour, a tag, what a message means, or a line that is none of the usual. Whoever runs it says what
 * that is, and runs it again.
 */

/** How many lines were read or passed over. */
export let lines: i32 = 0;
/** The line that is looked at, and its newline. */
let lineFrom: i32 = 0;
let lineTo: i32 = 0;
let messageFrom: i32 = 0;
/** The line without its carriage return. */
let messageEnd: i32 = 0;
let template: i32 = 0;
let context: i32 = 0;
let filling: i32 = 0;

/** Of all lines that were counted. */
export let firstTs: f64 = Infinity;
export let lastTs: f64 = -Infinity;
/** Messages of a state whose host or instance is one too many. */
export let elsewhere: f64 = 0;
/** How many places of STATES are taken. */
export let statesUsed: i32 = 0;

/** By template: how many lines. */
let byTemplate: i32 = 0;

const SHORTEST: i32 = 24;

/** How the next line is come by: it is looked for. */
const SEARCH: i32 = 0;
/** The line before was keepalived's: this one may be as well. */
const TRY: i32 = 1;
/** It is found, and looked at. */
const FOUND: i32 = 2;
let mode: i32 = SEARCH;
let end: i32 = 0;

/**
 * @param tables  the automaton
 * @param byTemplateAt  one f64 for each template, all 0
 */
export function place(tables: i32, byTemplateAt: i32): void {
  placeAutomaton(tables);
  byTemplate = byTemplateAt;
  placeNames(HOSTS, HOSTS_MAX);
  placeNames(INSTANCES, INSTANCES_MAX);
  placeNames(FILLINGS, FILLINGS_MAX);
}

/** Whole lines, the last of which ends in a newline at `to - 1`; there is one at `from - 1`, and room for 128 bytes at `to`. */
export function begin(from: i32, to: i32): void {
  lineFrom = from;
  end = to;
  mode = SEARCH;
  lines = 0;
}

/** Reads on. @returns why it stopped */
export function run(): i32 {
  while (true) {
    if (mode === SEARCH) {
      if (lineFrom >= end) return DONE;
      const found = find(lineFrom, end);
      lines += passed;
      if (!found) {
        lineFrom = end;
        return DONE;
      }
      lineFrom = foundFrom;
      lineTo = foundEnd;
      mode = FOUND;
    } else if (lineFrom >= end) return DONE;
    const what = look();
    if (what > 0) count(what - 1);
    else if (what === -MEANING) return stop(MEANING);
    else if (mode === TRY) mode = SEARCH;
    else if (what === NOT_OURS) skip();
    else return stop(-what);
  }
}

/** Tells where it is. */
function stop(why: i32): i32 {
  tell(LINE_FROM, lineFrom);
  tell(LINE_TO, lineTo);
  tell(MESSAGE_FROM, messageFrom);
  tell(MESSAGE_END, messageEnd);
  tell(INSTANCE_FROM, instanceFrom);
  tell(INSTANCE_END, instanceEnd);
  tell(HOUR_END, hourEnd);
  tell(ZONE_FROM, zoneFrom);
  tell(ZONE_END, zoneEnd);
  tell(HOUR_SLOT, hourSlot);
  tell(TAG_FROM, tagFrom);
  tell(TAG_END, tagEnd);
  tell(TAG_SLOT, tagSlot);
  tell(TEMPLATE, template);
  tell(CONTEXT, context);
  tell(FILLING, filling);
  return why;
}

function tell(register: i32, value: i32): void {
  store<i32>(REGISTERS + register * 4, value);
}

/** The message that was asked about is counted. @param what  1 + the number of what is counted */
export function settle(what: i32): void {
  count(what - 1);
}

/** The line was seen to otherwise. */
export function skip(): void {
  lines += 1;
  lineFrom = lineTo + 1;
  mode = SEARCH;
}

/** A host's or an instance's name, of which the bytes are put at SCRATCH. @returns its number, or -1 when there is no room for it */
export function numberOfHost(length: i32): i32 {
  return numberOf(HOSTS, SCRATCH, length);
}
export function numberOfInstance(length: i32): i32 {
  return numberOf(INSTANCES, SCRATCH, length);
}

/** @returns 1 + the number of what is counted, or why it cannot be told */
function look(): i32 {
  if (mode === FOUND && lineTo - lineFrom < SHORTEST) return UNUSUAL;
  const message = readEnvelope(lineFrom);
  if (message < 0) return message;
  if (mode === TRY) lineTo = lineEnd(message);
  const length = lineTo - lineFrom;
  if (length > LINE_MAX_CHARS || length < SHORTEST) return UNUSUAL;
  messageFrom = message;
  messageEnd = load<u8>(lineTo - 1) === 0x0d ? lineTo - 1 : lineTo;
  const size = messageEnd - message;
  if (size < MESSAGE_TEXT_BYTES_MIN || size > MESSAGE_TEXT_BYTES) return mean(message, messageEnd);
  const hash = hashOf(message, size);
  const known = MESSAGES + ((hash & (MESSAGES_MAX - 1)) << MESSAGE_SHIFT);
  if (
    load<i32>(known) === hash &&
    <i32>load<u8>(known, MESSAGE_LENGTH) === size &&
    <i32>load<u8>(known, MESSAGE_DAEMON) === daemon &&
    isSameText(known + MESSAGE_TEXT, message, size)
  ) {
    template = load<i32>(known, MESSAGE_TEMPLATE);
    setInstance(
      message + <i32>load<u8>(known, MESSAGE_INSTANCE_FROM),
      message + <i32>load<u8>(known, MESSAGE_INSTANCE_END),
    );
    return load<i32>(known, MESSAGE_WHAT);
  }
  const what = mean(message, messageEnd);
  if (what > 0) {
    store<i32>(known, hash);
    store<u8>(known, size, MESSAGE_LENGTH);
    store<u8>(known, daemon, MESSAGE_DAEMON);
    store<u8>(known, instanceFrom < 0 ? 0 : instanceFrom - message, MESSAGE_INSTANCE_FROM);
    store<u8>(known, instanceFrom < 0 ? 0 : instanceEnd - message, MESSAGE_INSTANCE_END);
    store<i32>(known, template, MESSAGE_TEMPLATE);
    store<i32>(known, what, MESSAGE_WHAT);
    copy(message, size, known + MESSAGE_TEXT);
  }
  return what;
}

/** Of at least sixteen bytes. All of them are in it up to 48; of a longer text its beginning and its end, which tell most. */
function hashOf(from: i32, length: i32): i32 {
  const end = from + length;
  const third = from + min(16, length - 16);
  const last = end - 16;
  const a = (load<u64>(from) ^ length) * 0x9e37_79b9_7f4a_7c15;
  const b = load<u64>(from, 8) * 0xc2b2_ae3d_27d4_eb4f;
  const c = load<u64>(third) * 0x1656_67b1_9e37_79f9;
  const d = load<u64>(third, 8) * 0x27d4_eb2f_1656_67c5;
  const e = load<u64>(last) * 0x8563_9f8f_5bd1_e995;
  const f = load<u64>(last, 8) * 0xa54f_f53a_5f1d_36f1;
  const sum = a + b + c + d + e + f;
  const hash = (sum ^ (sum >> 32)) * 0x9e37_79b9_7f4a_7c15;
  return <i32>(hash >> 32);
}

/** @returns 1 + the number of what is counted, or why it cannot be told */
function mean(message: i32, last: i32): i32 {
  // `message repeated N times: [ … ]`, `Last message '…' repeated N times, …`, and a console's own time within a supervisor's.
  const initial = load<u8>(message);
  if (
    initial === 0x6d ||
    (initial === 0x4c && load<u8>(message, 4) === 0x20) ||
    (load<u8>(message, 3) === 0x20 && load<u8>(message, 7) === 0x20)
  )
    return UNUSUAL;
  const words = prefix(message);
  if (words < 0) return UNUSUAL;
  template = match(words, last, words !== message);
  if (template < 0) return UNUSUAL;
  const row = templates + template * TEMPLATE_INTS * 4;
  // What stands in a hole may be a password, or the end of `(FILE: Line N) `, which only a look at the whole text tells.
  if (tells(message, load<i32>(row, IS_OPEN * 4) !== 0 ? last : words)) return UNUSUAL;
  context = template * CONTEXTS + daemon * 2 + (instanceFrom < 0 ? 0 : 1);
  let what = load<i32>(meanings + context * 4);
  filling = -1;
  if (what < -1) what = decide(-2 - what);
  if (what < 0) {
    filling = numberOfFilling(load<i32>(row, HOLES * 4));
    what = filling < 0 ? 0 : load<i32>(KNOWN_FILLINGS + filling * 4);
  }
  return what > 0 ? what : -MEANING;
}

/** The number of what fills the holes of the message; -1 when it is too long, or one too many. */
function numberOfFilling(holes: i32): i32 {
  store<i32>(SCRATCH, context);
  let at = SCRATCH + 4;
  for (let hole = 0; hole < holes; hole++) {
    const from = load<i32>(STARTS + hole * 4);
    const length = load<i32>(ENDS + hole * 4) - from;
    if (at + length - SCRATCH >= FILLING_MAX_BYTES) return -1;
    copy(from, length, at);
    at += length;
    // No byte of a line: what is written on both sides of it is told apart.
    store<u8>(at, 0x0a);
    at += 1;
  }
  return numberOf(FILLINGS, SCRATCH, at - SCRATCH);
}

/** Whether there may be a password or the number of a configuration line in this text. */
function tells(from: i32, to: i32): bool {
  const small = i8x16.splat(0x20);
  for (let block = from; block < to; block += 16) {
    const bytes = v128.load(block);
    const before = v128.or(v128.load(block - 1), small);
    const behind = v128.or(v128.load(block + 1), small);
    // `ssw`, `h_p` and `Li`, but for the letters that are not next to each other.
    let hints = i8x16.bitmask(
      v128.or(
        v128.and(i8x16.eq(v128.or(bytes, small), i8x16.splat(0x77)), i8x16.eq(before, i8x16.splat(0x73))),
        v128.or(
          v128.and(i8x16.eq(bytes, i8x16.splat(0x5f)), i8x16.eq(behind, i8x16.splat(0x70))),
          v128.and(i8x16.eq(bytes, i8x16.splat(0x4c)), i8x16.eq(behind, i8x16.splat(0x69))),
        ),
      ),
    );
    for (; hints !== 0; hints &= hints - 1) {
      const at = block + ctz(hints);
      if (at >= to) return false;
      const byte = load<u8>(at);
      if (byte === 0x4c) {
        // `Line `
        if (load<u32>(at, 1) === 0x2065_6e69) return true;
      } else if (byte === 0x5f) {
        // `auth_pass`
        if ((load<u8>(at - 1) | 0x20) === 0x68) return true;
      } else if ((load<u8>(at - 2) | 0x20) === 0x73) return true; // `password`
    }
  }
  return false;
}

function count(index: i32): void {
  const counted = COUNTED + index * COUNTED_BYTES;
  store<f64>(counted, load<f64>(counted) + 1);
  store<f64>(byTemplate + template * 8, load<f64>(byTemplate + template * 8) + 1);
  if (ts < firstTs) firstTs = ts;
  if (ts > lastTs) lastTs = ts;
  const state = load<i32>(counted, COUNTED_STATE);
  if (state >= 0) countState(state, load<i32>(counted, COUNTED_INSTANCE));
  lines += 1;
  lineFrom = lineTo + 1;
  mode = TRY;
}

/** @param named  the number of the instance, OF_LINE for the one in front of the message, or -1 for one too many */
function countState(state: i32, named: i32): void {
  const instance = named === OF_LINE ? numberOf(INSTANCES, instanceFrom, instanceEnd - instanceFrom) : named;
  const host = numberOf(HOSTS, hostFrom, min(hostEnd - hostFrom, HOST_MAX_CHARS));
  if (host < 0 || instance < 0) elsewhere += 1;
  else addState((host * INSTANCES_MAX + instance) * STATES_OF_INSTANCE + state, 1);
}

/** @param key  (host * INSTANCES_MAX + instance) * STATES_OF_INSTANCE + state */
export function addState(key: i32, times: f64): void {
  let slot = <i32>((<u32>key * 0x9e37_79b1) >> 16);
  while (true) {
    const entry = STATES + slot * STATE_BYTES;
    const taken = load<i32>(entry);
    if (taken === key + 1) {
      store<f64>(entry, load<f64>(entry, 8) + times, 8);
      return;
    }
    if (taken === 0) {
      store<i32>(entry, key + 1);
      store<f64>(entry, times, 8);
      statesUsed += 1;
      return;
    }
    slot = (slot + 1) & (STATES_MAX - 1);
  }
}

/** Makes room in STATES, when what it holds is noted elsewhere. */
export function clearStates(): void {
  memory.fill(STATES, 0, STATES_MAX * STATE_BYTES);
  statesUsed = 0;
}
