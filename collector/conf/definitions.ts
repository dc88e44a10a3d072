import type { SourceLocation } from "../core/errors.ts";
import { byteLength, type Fragment, generated, join, locate, type Origin, originAt, slice, through } from "./text.ts";

/** Longest line keepalived holds, bytes, with its terminator (MAXBUF, the same from 1.2 to 2.4). */
export const LINE_BYTES_MAX = 1024;

export interface Definition {
  readonly name: string;
  /** One line, or several that were joined with backslashes. Nothing for a built-in. */
  lines: Fragment[];
  /** Written over several lines: may only stand at the end of a line. */
  isMultiline: boolean;
  readonly at: SourceLocation | undefined;
  builtIn: BuiltIn | undefined;
  isUsed: boolean;
}

/** A value that keepalived makes up at the place of use. */
interface BuiltIn {
  readonly paramsMin: number;
  readonly paramsMax: number;
  readonly value: (params: readonly string[]) => { readonly text: string; readonly isUnknown: boolean };
}

export function builtInDefinition(name: string, builtIn: BuiltIn): Definition {
  return { name, lines: [], isMultiline: false, at: undefined, builtIn, isUsed: true };
}

type Found =
  | { readonly definition: Definition; readonly length: number; readonly params: readonly string[] }
  | { readonly problem: "none" | "undefined" | "not-delimited" | "not-last" | "params"; readonly name: string };

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const PARAMS = /[ \t]*([A-Za-z0-9_]+(?:[ \t]+[A-Za-z0-9_]+)*)?/y;

/**
 * The definition that the `$` at this offset stands for. Without braces the name must be followed by a blank, a comma, a
 * closing bracket or the end of the line: `$NET.1` is plain text.
 */
function findReference(text: string, dollar: number, definitions: ReadonlyMap<string, Definition>): Found {
  const hasBraces = text.charAt(dollar + 1) === "{";
  const from = dollar + (hasBraces ? 2 : 1);
  NAME.lastIndex = from;
  const name = NAME.exec(text)?.[0];
  if (name === undefined) return { problem: "none", name: "" };
  const definition = definitions.get(name);
  if (!definition) return { problem: "undefined", name };
  let end = from + name.length;
  let params: readonly string[] = [];
  if (hasBraces) {
    PARAMS.lastIndex = end;
    const given = PARAMS.exec(text);
    if (given?.[1] !== undefined) params = given[1].split(/[ \t]+/);
    const blanksEnd = end + (given?.[0].length ?? 0);
    if (text.charAt(blanksEnd) !== "}") return { problem: "not-delimited", name };
    // As many characters are replaced as without the blanks: `${A }` leaves a brace behind.
    end = params.length > 0 ? blanksEnd : end;
    end += 1;
    const most = definition.builtIn?.paramsMax ?? 0;
    if (params.length > most || params.length < (definition.builtIn?.paramsMin ?? 0))
      return { problem: "params", name };
  } else if (end < text.length && !" \t,)".includes(text.charAt(end))) return { problem: "not-delimited", name };
  if (definition.isMultiline && end < text.length) return { problem: "not-last", name };
  return { definition, length: end - dollar, params };
}

export interface Substituted {
  readonly line: Fragment;
  readonly hasChanged: boolean;
  /** Lines that follow, of the last definition of several lines that was put in. */
  readonly more: readonly { readonly definition: Definition; readonly lines: readonly Fragment[] }[];
}

export interface SubstitutionFault {
  readonly code:
    | "undefined_definition"
    | "definition_not_delimited"
    | "definition_not_last"
    | "definition_params"
    | "random_not_last"
    | "definition_recursive"
    | "definition_hangs"
    | "expanded_line_too_long";
  readonly name: string;
  readonly at: SourceLocation;
  readonly hasBraces: boolean;
}

/**
 * Puts definitions in, from left to right; what was put in is looked at again. (keepalived 2.2.7, replace_param)
 * @param spend  called with the characters copied; false when the budget for all expansion is used up
 */
export function substitute(
  start: Fragment,
  definitions: ReadonlyMap<string, Definition>,
  report: (fault: SubstitutionFault) => void,
  spend: (characters: number) => boolean,
): Substituted {
  let line = start;
  let hasChanged = false;
  const more: { definition: Definition; lines: readonly Fragment[] }[] = [];
  let dollar = line.text.indexOf("$");
  while (dollar >= 0 && dollar + 1 < line.text.length) {
    const found = findReference(line.text, dollar, definitions);
    if (!("definition" in found)) {
      reportMissing(found, line, dollar, report);
      dollar = line.text.indexOf("$", dollar + 1);
      continue;
    }
    const { definition, length, params } = found;
    const at = locate(line, dollar);
    const from = originAt(line, dollar);
    const hasBraces = line.text.charAt(dollar + 1) === "{";
    const fault = (code: SubstitutionFault["code"]): void => report({ code, name: definition.name, at, hasBraces });
    definition.isUsed = true;
    const isInItself = isWithin(from, definition.name);
    const value = valueOf(definition, params, at);
    if (isInItself) {
      // A value that does not make the line longer is put in for ever: keepalived hangs. Otherwise the line fills up.
      const others = line.text.length - length;
      fault(
        definition.isMultiline || others + value.text.length <= start.text.length
          ? "definition_hangs"
          : "definition_recursive",
      );
      break;
    }
    if (params.length > 0 && dollar + length < line.text.length) fault("random_not_last");
    const origin: Origin = { kind: "definition", name: definition.name, at, from };
    const next = join([slice(line, 0, dollar), through(value, origin), slice(line, dollar + length)]);
    if (!spend(next.text.length)) break;
    if (next.text.length * 3 >= LINE_BYTES_MAX && byteLength(next.text) >= LINE_BYTES_MAX) {
      fault("expanded_line_too_long");
      break;
    }
    line = next;
    hasChanged = true;
    if (definition.isMultiline && definition.lines.length > 1)
      more.push({ definition, lines: definition.lines.slice(1).map((one) => through(one, origin)) });
    if (/^[ \t]*~/.test(value.text)) break;
    dollar = line.text.indexOf("$", dollar);
  }
  return { line, hasChanged, more };
}

function valueOf(definition: Definition, params: readonly string[], at: SourceLocation): Fragment {
  if (definition.builtIn) {
    const { text, isUnknown } = definition.builtIn.value(params);
    return generated(text, at, isUnknown);
  }
  return definition.lines[0] ?? generated("", at, false);
}

function isWithin(origin: Origin | undefined, name: string): boolean {
  for (let step = origin; step !== undefined; step = step.from)
    if (step.kind === "definition" && step.name === name) return true;
  return false;
}

function reportMissing(
  { problem, name }: Extract<Found, { problem: string }>,
  line: Fragment,
  dollar: number,
  report: (fault: SubstitutionFault) => void,
): void {
  const hasBraces = line.text.charAt(dollar + 1) === "{";
  const add = (code: SubstitutionFault["code"]): void => report({ code, name, at: locate(line, dollar), hasBraces });
  // A dollar inside a word is far more often a password or a shell's than a definition.
  const isWord = dollar === 0 || " \t".includes(line.text.charAt(dollar - 1));
  if (problem === "undefined" && (hasBraces || isWord)) add("undefined_definition");
  else if (problem === "not-delimited") add("definition_not_delimited");
  else if (problem === "not-last") add("definition_not_last");
  else if (problem === "params") add("definition_params");
}
