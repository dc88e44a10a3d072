import type { SourceLocation } from "../core/errors.ts";
import { type Fragment, generated, locate, type Origin, originAt, slice, through } from "./text.ts";

/** A line that is read once for each value of its variables. */
export interface Sequence {
  /** The variables' values for the next time, or undefined when it is over. */
  readonly next: () => readonly (readonly [name: string, value: Fragment])[] | undefined;
  readonly text: Fragment;
  readonly at: SourceLocation;
}

export type SequenceProblem = { readonly problem: string; readonly offset: number };

const BLANK = " \t";
/** Room for the numbers of a ~SEQ: three of 20 digits with their separators. */
const NUMBERS_MAX = 63;

/**
 * `~SEQ(NAME, [FROM, [STEP,]] TO) line`, `~SEQx` in hexadecimal. (keepalived 2.2.7, add_seq)
 * @param expand  puts definitions in where the numbers stand
 */
export function parseSequence(line: Fragment, expand: (numbers: Fragment) => Fragment): Sequence | SequenceProblem {
  const { text } = line;
  let at = 4;
  const isHex = text.charAt(at) === "x";
  if (isHex) at += 1;
  at = skip(text, at, BLANK);
  if (text.charAt(at) !== "(") return { problem: "a ( must follow ~SEQ", offset: at };
  const nameFrom = skip(text, at + 1, BLANK);
  const nameTo = until(text, nameFrom, `${BLANK},)`);
  const name = text.slice(nameFrom, nameTo);
  at = skip(text, nameTo, BLANK);
  if (name === "" || text.charAt(at) !== ",")
    return { problem: "a variable and a comma must follow the (", offset: nameFrom };
  const from = skip(text, at + 1, BLANK);
  const close = text.indexOf(")", from);
  if (close < 0) return { problem: "its ) is missing", offset: from };
  if (close + 1 - from > NUMBERS_MAX) return { problem: "its numbers are longer than 62 characters", offset: from };
  const numbers = expand(slice(line, from, close)).text;
  const values = numbers.split(",").map(strtol);
  if (values.length > 3 || values.some((value) => value === undefined))
    return { problem: "it takes one to three numbers", offset: from };
  const range = rangeOf(values.flatMap((value) => value ?? []));
  if (!range) return { problem: "its step does not lead from start to end", offset: from };
  const { start, step, end } = range;
  if (isHex && (start < 0 || end < 0)) return { problem: "~SEQx takes no negative numbers", offset: from };
  const place = locate(line, 0);
  const origin: Origin = { kind: "sequence", name, at: place, from: originAt(line, 0) };
  let value: number | undefined = start;
  return {
    text: slice(line, skip(text, close + 1, BLANK)),
    at: place,
    next: () => {
      if (value === undefined) return undefined;
      const shown = value.toString(isHex ? 16 : 10);
      value += step;
      if (step > 0 ? value > end : value < end) value = undefined;
      return [[name, through(generated(shown, place, false), origin)]];
    },
  };
}

/** One number counts from 1 (or -1); two are start and end; three are start, step and end. */
function rangeOf(values: readonly number[]): { start: number; step: number; end: number } | undefined {
  const [one = 0, two, three] = values;
  if (two === undefined) return { start: one < 0 ? -1 : 1, step: one < 1 ? -1 : 1, end: one };
  if (three === undefined) return { start: one, step: one <= two ? 1 : -1, end: two };
  const isWrong = two === 0 || (one < three && two < 0) || (one > three && two > 0);
  return isWrong ? undefined : { start: one, step: two, end: three };
}

/** As strtol(3) with base 0: octal after a 0, hexadecimal after 0x. No digits are a 0. */
function strtol(text: string): number | undefined {
  const match = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|\d*)[ \t]*$/.exec(text);
  if (!match) return undefined;
  const digits = match[2] ?? "";
  const isOctal = /^0\d/.test(digits);
  if (isOctal && /[89]/.test(digits)) return undefined;
  const value = digits === "" ? 0 : isOctal ? Number.parseInt(digits, 8) : Number(digits);
  return (match[1] === "-" ? -1 : 1) * value;
}

/** `~LST(VAR,{a,b,…}) text`, `~LST({A,B},{{1,2},{3,4}}) text`. (keepalived 2.2.7, add_lst) */
export function parseList(line: Fragment): Sequence | SequenceProblem {
  const { text } = line;
  let at = skip(text, 4, BLANK);
  if (text.charAt(at) !== "(") return { problem: "a ( must follow ~LST", offset: at };
  at = skip(text, at + 1, BLANK);
  const names = group(text, at, ",");
  if ("problem" in names) return names;
  at = names.next;
  if (text.charAt(at) !== ",") return { problem: "a comma must follow the variables", offset: at };
  at = skip(text, at + 1, BLANK);
  const sets: Fragment[][] = [];
  for (;;) {
    const set = group(text, at, ",)");
    if ("problem" in set) return set;
    if (set.parts.length > names.parts.length) return { problem: "it has more values than variables", offset: at };
    sets.push(set.parts.map(([from, to]) => slice(line, from, to)));
    at = set.next;
    if (text.charAt(at) === ")") break;
    if (text.charAt(at) !== ",") return { problem: "a comma or its ) is missing", offset: at };
    at = skip(text, at + 1, BLANK);
  }
  const place = locate(line, 0);
  const from = originAt(line, 0);
  const variables = names.parts.map(([start, end]) => text.slice(start, end));
  let index = 0;
  return {
    text: slice(line, skip(text, at + 1, BLANK)),
    at: place,
    next: () => {
      const set = sets[index++];
      return (
        set &&
        variables.map((name, i) => {
          const origin: Origin = { kind: "sequence", name, at: place, from };
          return [name, through(set[i] ?? generated("", place, false), origin)] as const;
        })
      );
    },
  };
}

type Group = { readonly parts: (readonly [from: number, to: number])[]; readonly next: number };

/** `a` or `{a, b}`: where each of its parts stands, and what follows. */
function group(text: string, start: number, ends: string): Group | SequenceProblem {
  const hasBraces = text.charAt(start) === "{";
  const parts: (readonly [number, number])[] = [];
  let at = hasBraces ? skip(text, start + 1, BLANK) : start;
  for (;;) {
    const to = until(text, at, `${BLANK},})`);
    parts.push([at, to]);
    at = skip(text, to, BLANK);
    const c = text.charAt(at);
    if (hasBraces ? c === "}" : c !== "" && ends.includes(c)) break;
    if (c !== ",") return { problem: hasBraces ? "a } is missing" : "a comma is missing", offset: at };
    at = skip(text, at + 1, BLANK);
  }
  return { parts, next: hasBraces ? skip(text, at + 1, BLANK) : at };
}

function skip(text: string, at: number, characters: string): number {
  let i = at;
  while (i < text.length && characters.includes(text.charAt(i))) i += 1;
  return i;
}

function until(text: string, at: number, characters: string): number {
  let i = at;
  while (i < text.length && !characters.includes(text.charAt(i))) i += 1;
  return i;
}
