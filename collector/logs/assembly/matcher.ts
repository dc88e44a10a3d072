import {
  ENDS,
  FIRST_PIECES,
  GAPS,
  HEAD,
  IS_LITERAL,
  LEAST,
  LITERAL,
  PROGRAM,
  STARTS,
  STEP,
  TAIL,
  TAIL_LENGTH,
  TEMPLATE_INTS,
} from "../layout";
import { isSame } from "./bytes";

/** Matches a message against all templates: the automaton of automaton.ts, which says what its tables mean. */

let classOf: i32 = 0;
let classes: i32 = 0;
let next: i32 = 0;
let labels: i32 = 0;
let lists: i32 = 0;
let order: i32 = 0;
let text: i32 = 0;
export let templates: i32 = 0;
/** By context: what it means, see DECISION_CHECK. */
export let meanings: i32 = 0;
export let decisions: i32 = 0;
let program: i32 = 0;
/** By template: 1 when it may be meant where there is no instance. */
let withoutInstance: i32 = 0;

/** @param tables  the automaton as it is packed (tables.ts): where each of its arrays begins, in bytes behind this address, and the number of classes */
export function placeAutomaton(tables: i32): void {
  classOf = tables + load<i32>(tables);
  next = tables + load<i32>(tables, 4);
  labels = tables + load<i32>(tables, 8);
  lists = tables + load<i32>(tables, 12);
  order = tables + load<i32>(tables, 16);
  text = tables + load<i32>(tables, 20);
  templates = tables + load<i32>(tables, 24);
  program = tables + load<i32>(tables, 28);
  withoutInstance = tables + load<i32>(tables, 32);
  meanings = tables + load<i32>(tables, 36);
  decisions = tables + load<i32>(tables, 40);
  classes = load<i32>(tables, 48);
}

/** @returns the template that is meant by the bytes from `from` to `end`, or -1; where its holes are is in STARTS and ENDS */
export function match(from: i32, end: i32, hasInstance: bool): i32 {
  const node = reach(from, end);
  if (node < 0) return -1;
  for (let list = lists + node * 16, listsEnd = list + 16; list < listsEnd; list += 8) {
    const last = order + load<i32>(list, 4) * 4;
    for (let at = order + load<i32>(list) * 4; at < last; at += 4) {
      const template = load<i32>(at);
      if ((hasInstance || load<u8>(withoutInstance + template) !== 0) && fits(template, from, end)) return template;
    }
  }
  return -1;
}

/** @returns the deepest node of the heads' tree that the text reaches, or -1 */
function reach(from: i32, end: i32): i32 {
  let reached = -1;
  let node = 0;
  let at = from;
  while (true) {
    const label = load<i32>(labels + node * 8);
    const length = load<i32>(labels + node * 8, 4) - label;
    if (!isSame(text + label, at, length)) return reached;
    at += length;
    reached = node;
    // No literal holds what ends a line: none is found to go on behind it.
    if (at >= end) return reached;
    node = load<u16>(next + (node * classes + <i32>load<u8>(classOf + <i32>load<u8>(at))) * 2);
    if (node === 0) return reached;
    at += 1;
  }
}

/** Whether the template, whose head is known to stand there, fits all of the text. */
function fits(template: i32, from: i32, end: i32): bool {
  const row = templates + template * TEMPLATE_INTS * 4;
  const least = load<i32>(row, LEAST * 4);
  if (load<i32>(row, IS_LITERAL * 4) !== 0) return end - from === least;
  if (end - from < least) return false;
  const tailLength = load<i32>(row, TAIL_LENGTH * 4);
  if (tailLength > 0 && !isSame(text + load<i32>(row, TAIL * 4), end - tailLength, tailLength)) return false;
  let step = program + load<i32>(row, PROGRAM * 4) * 4;
  const firstPieces = load<i32>(row, FIRST_PIECES * 4);
  let at = from + load<i32>(row, HEAD * 4);
  if (firstPieces > 0) at = pieces(step, firstPieces, at, end);
  step += firstPieces * STEP * 4;
  for (let gaps = load<i32>(row, GAPS * 4); gaps > 0 && at >= 0; gaps--) {
    at = gap(step, gaps === 1, at, end);
    step += (1 + load<i32>(step, 8)) * STEP * 4;
  }
  return at === end;
}

/** A gap and the chunk behind it, at the first place where that stands. @returns where the chunk ends, or -1 */
function gap(step: i32, last: bool, from: i32, end: i32): i32 {
  const hole = load<i32>(step, 4);
  const count = load<i32>(step, 8);
  const first = from + load<i32>(step);
  if (count === 0) return first <= end ? hold(hole, from, end, end) : -1;
  const literal = text + load<i32>(step, 16);
  const length = load<i32>(step, 20);
  const lastStart = end - length;
  // The literal at the end is known to stand there.
  if (last && count === 1) return lastStart >= first ? hold(hole, from, lastStart, end) : -1;
  const letter = i8x16.splat(load<u8>(literal));
  for (let block = first; block <= lastStart; block += 16) {
    let candidates = i8x16.bitmask(i8x16.eq(v128.load(block), letter));
    for (; candidates !== 0; candidates &= candidates - 1) {
      const start = block + ctz(candidates);
      if (start > lastStart) return -1;
      if (!isSame(literal, start, length)) continue;
      const at = count === 1 ? start + length : pieces(step + STEP * 8, count - 1, start + length, end);
      if (at >= 0 && (!last || at === end)) return hold(hole, from, start, at);
    }
  }
  return -1;
}

function hold(hole: i32, start: i32, end: i32, at: i32): i32 {
  if (hole >= 0) {
    store<i32>(STARTS + hole * 4, start);
    store<i32>(ENDS + hole * 4, end);
  }
  return at;
}

/** Literals and numbers that stand together. @returns where they end, or -1 */
function pieces(from: i32, count: i32, start: i32, end: i32): i32 {
  let at = start;
  for (let step = from, last = from + count * STEP * 4; step < last; step += STEP * 4) {
    const operand = load<i32>(step, 4);
    if (load<i32>(step) === LITERAL) {
      const length = load<i32>(step, 8);
      if (at + length > end || !isSame(text + operand, at, length)) return -1;
      at += length;
    } else {
      const numberStart = at;
      if (load<u8>(at) === 0x2d) at += 1;
      const digits = at;
      // What ends the text is no digit.
      while (<u32>(<i32>load<u8>(at) - 0x30) <= 9) at += 1;
      if (at === digits) return -1;
      store<i32>(STARTS + operand * 4, numberStart);
      store<i32>(ENDS + operand * 4, at);
    }
  }
  return at;
}
