import type { SourceLocation } from "../core/errors.ts";
import {
  builtInDefinition,
  type Definition,
  LINE_BYTES_MAX,
  type SubstitutionFault,
  substitute,
} from "./definitions.ts";
import { type IncludeChecks, Includes, includeOf } from "./includes.ts";
import { parseList, parseSequence, type Sequence } from "./sequences.ts";
import { type Fragment, join, locate, slice } from "./text.ts";
import type { ConfFiles, UnreadableFile } from "./parser.ts";
import type { Report } from "./tree.ts";
import { compareReleases, type Release } from "./version.ts";

/** Most lines that sequences may repeat in one configuration; keepalived itself has no bound. */
const REPEATS_MAX = 100_000;
/** Most characters that definitions may put in, in one configuration; keepalived itself has no bound. */
const EXPANDED_CHARACTERS_MAX = 4_000_000;
/** What a definition counts beside its text: putting an empty one in is work as well. */
const SUBSTITUTION_CHARACTERS = 32;
/** Most characters of one configuration with everything it includes. */
const CHARACTERS_MAX = 64_000_000;
/** Deepest nesting of definitions of several lines in one another. */
const NESTING_MAX = 256;

export interface ExpandOptions {
  readonly files: ConfFiles;
  /** What `@id` lines are compared with. */
  readonly configId: string;
  readonly release: Release;
  /** Environment that keepalived will have; undefined: nothing is known about it. */
  readonly environment: ((name: string) => string | undefined) | undefined;
  /** `-e`: every include is checked. */
  readonly includeChecks: IncludeChecks;
  readonly report: Report;
  /** Called with each file before its first line. */
  readonly onFile: (path: string, text: string, includedAt: SourceLocation | undefined) => void;
}

/** A line of a file with the folder its includes are relative to. */
export interface SourceLine {
  readonly line: Fragment;
  readonly directory: string;
}

/**
 * What is left of a configuration when its includes, conditions, definitions and sequences are gone: the lines as
 * keepalived's parser sees them, each brace outside quotes a line of its own.
 *
 * The same steps in the same order as read_line() of keepalived's lib/parser.c, because the order is the language: a
 * condition may hide a definition, a definition may hold a condition.
 */
export class Expansion {
  /** Characters looked at: what "linear" is measured with. */
  steps = 0;
  private readonly options: ExpandOptions;
  private readonly definitions = new Map<string, Definition>();
  private readonly includes: Includes;
  /** Rest of a line behind a brace. */
  private residue: Fragment | undefined;
  /** Innermost last. */
  private readonly sequences: Sequence[] = [];
  /** Sequences older than the definition that is being put in wait until it is over. */
  private sequencesBelow = 0;
  private readonly pending: { lines: readonly Fragment[]; next: number; sequencesBelow: number }[] = [];
  private defining: Definition | undefined;
  private readonly copy: SourceLine[] | undefined;
  private directory = "";
  private repeats = 0;
  private expanded = 0;
  private isOver = false;

  /**
   * @param source  the copy of an earlier reading, or undefined to read files
   * @param copy    collects the lines as keepalived hands them to its children (2.2.0)
   */
  constructor(options: ExpandOptions, source: readonly SourceLine[] | undefined, copy: SourceLine[] | undefined) {
    this.options = options;
    this.copy = copy;
    this.includes = new Includes(options, source);
    this.defineBuiltIns();
  }

  /** @returns why the file cannot be read */
  open(path: string): UnreadableFile | undefined {
    return this.includes.openMain(path);
  }

  /** What `include_check` sets from here to the end of the file. */
  setIncludeChecks(values: readonly string[]): void {
    this.includes.setChecks(values);
  }

  /** @returns the next line, or undefined at the end */
  next(): Fragment | undefined {
    while (!this.isOver) {
      const obtained = this.obtain();
      if (!obtained) break;
      this.steps += obtained.text.length + 1;
      if (this.steps > CHARACTERS_MAX) {
        this.giveUp(obtained, `more than ${CHARACTERS_MAX} characters are read`);
        break;
      }
      if (this.defining) {
        this.continueDefinition(this.defining, obtained);
        continue;
      }
      if (obtained.text === "") continue;
      const line = this.interpret(obtained);
      if (!line || line.text === "") continue;
      if (this.include(line)) continue;
      return this.cutAtBrace(line);
    }
    return undefined;
  }

  /** Definitions that nothing used, for a hint. */
  unused(): Definition[] {
    return [...this.definitions.values()].filter(({ isUsed, at }) => !isUsed && at !== undefined);
  }

  private has(major: number, minor: number, patch: number): boolean {
    return compareReleases(this.options.release, [major, minor, patch]) >= 0;
  }

  private report(code: string, at: SourceLocation, message: string, fix?: string): void {
    this.options.report(code, at, message, fix);
  }

  private giveUp(line: Fragment, why: string): void {
    this.isOver = true;
    this.report("expansion_too_large", locate(line, 0), `the rest is not looked at: ${why}`);
  }

  private obtain(): Fragment | undefined {
    if (this.residue) {
      const line = this.residue;
      this.residue = undefined;
      return line;
    }
    if (this.sequences.length > this.sequencesBelow) {
      const line = this.repeat();
      if (line) return line;
    }
    const lines = this.pending.at(-1);
    if (lines) {
      const line = lines.lines[lines.next++];
      if (lines.next >= lines.lines.length) {
        this.pending.pop();
        this.sequencesBelow = this.pending.length === 0 ? 0 : lines.sequencesBelow;
      }
      if (line) return line;
    }
    return this.readLine();
  }

  private repeat(): Fragment | undefined {
    while (this.sequences.length > this.sequencesBelow) {
      const sequence = this.sequences.at(-1);
      const values = sequence?.next();
      if (!sequence || !values) {
        this.sequences.pop();
        continue;
      }
      this.repeats += 1;
      if (this.repeats > REPEATS_MAX) {
        this.giveUp(sequence.text, `sequences repeat more than ${REPEATS_MAX} lines`);
        return undefined;
      }
      for (const [name, value] of values) this.setDefinition(name, value);
      return sequence.text;
    }
    return undefined;
  }

  /** The next line of the files that is more than blanks and comments. */
  private readLine(): Fragment | undefined {
    for (;;) {
      const raw = this.includes.readLine();
      if (!raw) return undefined;
      this.directory = raw.directory;
      if (raw.line.text === "") {
        // An empty line ends a definition; one with only a comment does so for the children, who see it empty.
        this.defining = undefined;
        this.copy?.push(raw);
        this.steps += 1;
        continue;
      }
      const line = this.decomment(raw.line, true);
      this.copy?.push({ line: includeOf(line.text) ? slice(line, 0, 0) : line, directory: raw.directory });
      if (line.text !== "") return line;
      this.steps += raw.line.text.length + 1;
      if (this.copy && this.defining)
        this.report(
          "comment_in_definition",
          locate(raw.line, 0),
          `a comment inside the definition of $${this.defining.name}: since 2.2.0 the definition ends here for all but the parent process`,
        );
    }
  }

  /**
   * Takes away the comment, the backslash before an escaped comment sign, and blanks around the line. A backslash at the
   * end stays, also that of a comment up to 2.3.4.
   */
  private decomment(line: Fragment, isSource: boolean): Fragment {
    const { text } = line;
    const hasEscapes = this.has(2, 0, 9);
    const keepsCommentsBackslash = hasEscapes && !this.has(2, 4, 0);
    let start = 0;
    while (text.charAt(start) === " " || text.charAt(start) === "\t") start += 1;
    let quote = -1;
    let end = text.length;
    let escapes: number[] | undefined;
    for (let i = start; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c === 0x22) quote = quote < 0 ? i : -1;
      else if (c === 0x5c && hasEscapes) {
        const next = text.charAt(i + 1);
        if (quote < 0 && (next === "#" || next === "!")) (escapes ??= []).push(i);
        i += 1;
      } else if ((c === 0x23 || c === 0x21) && quote < 0) {
        end = i;
        break;
      }
    }
    const hasContinuation =
      end < text.length ? keepsCommentsBackslash && endsWithEscape(text, end) : endsWithEscape(text, start);
    if (quote >= 0) this.report("unterminated_quote", locate(line, quote), "a double quote is not closed on its line");
    if (isSource && hasContinuation && end < text.length)
      this.report(
        "comment_ends_with_backslash",
        locate(line, text.length - 1),
        "the backslash at the end of this comment is not part of it: the line reads as a backslash",
      );
    if (hasContinuation && end === text.length) end -= 1;
    while (end > start && (text.charAt(end - 1) === " " || text.charAt(end - 1) === "\t")) end -= 1;
    const parts: Fragment[] = [];
    let from = start;
    for (const escape of escapes ?? []) {
      if (escape >= end) break;
      parts.push(slice(line, from, escape));
      from = escape + 1;
      if (isSource && this.copy && this.has(2, 2, 0))
        this.report(
          "escaped_comment_sign",
          locate(line, escape),
          `\\${text.charAt(from)} begins a comment after all: since 2.2.0 the line is read twice, and the backslash is gone the second time`,
        );
    }
    if (from === 0 && end === text.length) return line;
    parts.push(slice(line, from, Math.max(from, end)));
    if (hasContinuation) parts.push(slice(line, text.length - 1));
    return parts.length === 1 && parts[0] ? parts[0] : join(parts);
  }

  private interpret(obtained: Fragment): Fragment | undefined {
    let line = obtained;
    for (;;) {
      if (line.text.startsWith("@")) {
        const kept = this.condition(line);
        if (!kept) return undefined;
        line = kept;
      }
      if (line.text.startsWith("$") && this.define(line)) return undefined;
      if (line.text.startsWith("~SEQ") || line.text.startsWith("~LST")) {
        if (this.addSequence(line)) return undefined;
        return line;
      }
      if (line.text.startsWith("~") || !line.text.includes("$") || this.definitions.size === 0) return line;
      const {
        line: changed,
        hasChanged,
        more,
      } = substitute(
        line,
        this.definitions,
        (fault) => this.reportSubstitution(fault),
        (characters) => this.spend(characters),
      );
      if (this.expanded > EXPANDED_CHARACTERS_MAX) {
        this.giveUp(line, `definitions put in more than ${EXPANDED_CHARACTERS_MAX} characters`);
        return undefined;
      }
      for (const { lines } of more) {
        if (this.pending.length >= NESTING_MAX) {
          this.giveUp(line, `definitions stand more than ${NESTING_MAX} deep in one another`);
          return undefined;
        }
        this.pending.push({ lines, next: 0, sequencesBelow: this.sequencesBelow });
        this.sequencesBelow = this.sequences.length;
      }
      if (!hasChanged) return line;
      line = this.decomment(changed, false);
      if (line.text.startsWith("@"))
        this.report(
          "condition_in_definition",
          locate(line, 0),
          "a definition put a condition in at the start of the line, where keepalived cannot take it away again",
        );
      // 2.4.0 looks only once: conditions, definitions and sequences that a definition holds are text since then.
      if (this.has(2, 4, 0) || !(line.text.startsWith("@") || line.text.includes("$"))) {
        if (/^(?:\$\w+=|~SEQ|~LST)/.test(line.text)) this.reportUnread(line);
        return line;
      }
    }
  }

  private spend(characters: number): boolean {
    this.expanded += characters + SUBSTITUTION_CHARACTERS;
    this.steps += characters;
    return this.expanded <= EXPANDED_CHARACTERS_MAX;
  }

  /** `@id rest` and `@^id rest`. @returns the rest, or undefined when the line is not for this node */
  private condition(line: Fragment): Fragment | undefined {
    const { text } = line;
    const at = locate(line, 0);
    if (!this.has(1, 3, 0)) {
      this.tooNew("@ID lines", "1.3.0", at, "the line is read as an unknown keyword, on every node");
      return line;
    }
    const isReverse = text.charAt(1) === "^" && this.has(1, 3, 7);
    if (text.charAt(1) === "^" && !isReverse)
      this.tooNew("@^ID lines", "1.3.7", at, "the line is used on the node whose id is ^ID only");
    const from = isReverse ? 2 : 1;
    const blank = text.slice(from).search(/[ \t]/);
    if (blank < 0) {
      this.report("condition_empty", at, "nothing follows the condition, and the line has no effect");
      return undefined;
    }
    const id = text.slice(from, from + blank);
    if (id === "")
      this.report(
        "condition_without_id",
        at,
        isReverse
          ? "a blank follows @^: the condition holds on every node"
          : "a blank follows @: the condition holds on no node, and the line is never used",
      );
    if ((id === this.options.configId) === isReverse) return undefined;
    let rest = from + blank;
    while (" \t".includes(text.charAt(rest)) && rest < text.length) rest += 1;
    return slice(line, rest);
  }

  /** `$NAME=text`. @returns whether it is one */
  private define(line: Fragment): boolean {
    const match = /^\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*/.exec(line.text);
    const name = match?.[1];
    if (name === undefined) {
      const loose = /^\$([A-Za-z_][A-Za-z0-9_-]*)[ \t]*=/.exec(line.text);
      if (loose)
        this.report(
          "definition_malformed",
          locate(line, 0),
          "this is no definition: only letters, digits and _ may stand between $ and =, and no blank",
          "Write $NAME=text",
        );
      return false;
    }
    const at = locate(line, 0);
    if (!this.has(1, 4, 0)) {
      this.tooNew(
        "definitions",
        "1.4.0",
        at,
        "the line is read as an unknown keyword, and nothing is put in for its name",
      );
      return false;
    }
    const from = match?.[0].length ?? 0;
    const isMultiline = line.text.length > from && line.text.endsWith("\\");
    let to = line.text.length;
    if (isMultiline) {
      to -= 1;
      while (to > from && " \t".includes(line.text.charAt(to - 1))) to -= 1;
    }
    const value = slice(line, from, to);
    const known = this.definitions.get(name);
    if (known?.builtIn)
      this.report("definition_hides_builtin", at, `$${name} is built in; from here on it is what is written here`);
    const definition: Definition = {
      name,
      lines: isMultiline && value.text === "" ? [] : [value],
      isMultiline,
      at,
      builtIn: undefined,
      isUsed: known?.isUsed ?? false,
    };
    this.definitions.set(name, definition);
    if (isMultiline) this.defining = definition;
    return true;
  }

  private continueDefinition(definition: Definition, line: Fragment): void {
    const { text } = line;
    let to = text.length;
    if (text.endsWith("\\")) {
      to -= 1;
      while (to > 0 && " \t".includes(text.charAt(to - 1))) to -= 1;
    } else this.defining = undefined;
    if (to > 0) definition.lines.push(slice(line, 0, to));
    if (!this.defining && definition.lines.length === 0) definition.isMultiline = false;
  }

  private setDefinition(name: string, value: Fragment): void {
    const known = this.definitions.get(name);
    this.definitions.set(name, {
      name,
      lines: [value],
      isMultiline: known?.isMultiline ?? false,
      at: undefined,
      builtIn: undefined,
      isUsed: true,
    });
  }

  /** @returns whether the line was taken, for good or bad */
  private addSequence(line: Fragment): boolean {
    const isList = line.text.startsWith("~LST");
    const name = line.text.slice(0, 4);
    const at = locate(line, 0);
    if (isList ? !this.has(2, 1, 0) : !this.has(2, 0, 9)) {
      this.tooNew(name, isList ? "2.1.0" : "2.0.9", at, "the line is read as an unknown keyword");
      return false;
    }
    if (line.text.startsWith("~SEQx") && !this.has(2, 1, 0)) {
      this.tooNew("~SEQx", "2.1.0", at, "the line is refused");
      return true;
    }
    const parsed = isList
      ? parseList(line)
      : parseSequence(
          line,
          (numbers) =>
            substitute(
              numbers,
              this.definitions,
              (fault) => this.reportSubstitution(fault),
              (characters) => this.spend(characters),
            ).line,
        );
    if ("problem" in parsed)
      this.report("sequence_malformed", locate(line, parsed.offset), `${name} is refused: ${parsed.problem}`);
    else {
      if (opensBlock(parsed.text.text))
        this.report(
          "sequence_opens_block",
          at,
          `${name} repeats this line only, and the line opens a block: the blocks open in one another, and the body is read once`,
        );
      if (parsed.text.text === "")
        this.report("sequence_empty", at, `nothing follows ${name}(…) on its line: there is nothing to repeat`);
      this.sequences.push(parsed);
    }
    return true;
  }

  private include(line: Fragment): boolean {
    const statement = includeOf(line.text);
    if (!statement) return false;
    if (statement.kind !== "include" && !this.has(2, 2, 0)) {
      this.tooNew(
        statement.kind,
        "2.2.0",
        locate(line, 0),
        "the line is read as an unknown keyword, and nothing is included",
      );
      return false;
    }
    this.includes.open(statement, line, this.directory);
    return true;
  }

  /** Each brace outside quotes is a line of its own; what follows it is looked at as a new line. */
  private cutAtBrace(line: Fragment): Fragment {
    const { text } = line;
    const isBrace = (c: string): boolean => c === "{" || c === "}";
    if (isBrace(text.charAt(0))) {
      const rest = trimmed(line, 1);
      this.residue = rest.text === "" ? undefined : rest;
      return slice(line, 0, 1);
    }
    let brace = -1;
    for (let i = 0; i < text.length; i++) {
      const c = text.charAt(i);
      if (c === '"') {
        i = text.indexOf('"', i + 1);
        if (i < 0) break;
      } else if (isBrace(c)) {
        brace = i;
        break;
      }
    }
    if (brace < 0) return line;
    this.residue = trimmed(line, brace);
    return trimmed(slice(line, 0, brace), 0);
  }

  private defineBuiltIns(): void {
    const { configId, environment } = this.options;
    const add = (name: string, text: () => string, isUnknown = false): void => {
      const value = (): { text: string; isUnknown: boolean } => ({ text: text(), isUnknown });
      this.definitions.set(name, builtInDefinition(name, { paramsMin: 0, paramsMax: 0, value }));
    };
    if (this.has(1, 4, 3)) add("_PWD", () => this.directory.replace(/(.)\/$/, "$1"));
    if (this.has(2, 0, 1)) add("_INSTANCE", () => configId);
    if (this.has(2, 1, 4)) {
      add("_HASH", () => "#");
      add("_BANG", () => "!");
    }
    if (this.has(2, 0, 15)) {
      const value = (params: readonly string[]): { text: string; isUnknown: boolean } => ({
        text: /^\d+$/.test(params[0] ?? "") ? (params[0] ?? "0") : "0",
        isUnknown: true,
      });
      this.definitions.set("_RANDOM", builtInDefinition("_RANDOM", { paramsMin: 0, paramsMax: 2, value }));
    }
    if (this.has(2, 4, 0)) {
      const value = ([name = ""]: readonly string[]): { text: string; isUnknown: boolean } =>
        environment ? { text: environment(name) ?? "", isUnknown: false } : { text: `_ENV_${name}`, isUnknown: true };
      this.definitions.set("_ENV", builtInDefinition("_ENV", { paramsMin: 1, paramsMax: 1, value }));
    }
  }

  private tooNew(feature: string, since: string, at: SourceLocation, consequence: string): void {
    this.report(
      "feature_too_new",
      at,
      `${feature} are known since keepalived ${since}, and this is an older one: ${consequence}`,
    );
  }

  private reportUnread(line: Fragment): void {
    this.report(
      "definition_not_read_again",
      locate(line, 0),
      "a definition put this in at the start of the line, and it is not looked at again: it is read as a keyword",
    );
  }

  private reportSubstitution({ code, name, at, hasBraces }: SubstitutionFault): void {
    if (code === "random_not_last" && this.has(2, 4, 0)) return;
    const written = hasBraces ? `\${${name}}` : `$${name}`;
    const messages: Record<typeof code, string> = {
      undefined_definition: hasBraces
        ? `${written} is not defined here: it stays as it is, and its braces open and close a block`
        : `${written} is not defined here, and stays as it is`,
      definition_not_delimited: hasBraces
        ? `${written} is not put in, or not all of it: nothing but its name may stand between the braces`
        : `${written} is not put in: a blank, a comma, a ) or the end of the line must follow the name`,
      definition_not_last: `${written} is not put in: it has several lines, and may only stand at the end of a line`,
      definition_params: `${written} is not put in: it does not take these parameters`,
      random_not_last: `the text behind ${written} with its numbers is garbled`,
      definition_recursive: `${written} holds itself, and is put in until the line is full`,
      definition_hangs: `${written} holds itself, and is put in for ever: keepalived hangs at this line`,
      expanded_line_too_long: `with ${written} put in, the line would be longer than ${LINE_BYTES_MAX - 1} bytes: it is used half done`,
    };
    this.report(code, at, messages[code]);
  }
}

/** Without blanks at its end and, from `from`, at its start. */
function trimmed(line: Fragment, from: number): Fragment {
  const { text } = line;
  let start = from;
  let end = text.length;
  const isBlank = (i: number): boolean => text.charAt(i) === " " || text.charAt(i) === "\t";
  while (start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return slice(line, start, end);
}

/** Whether a line has more `{` than `}`, those of `${NAME}` and in quotes aside. */
function opensBlock(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '"') {
      i = text.indexOf('"', i + 1);
      if (i < 0) break;
    } else if (c === "{") depth += 1;
    else if (c === "}") depth -= 1;
  }
  return depth > 0;
}

/** Whether the last character is a backslash that none before it escapes. */
function endsWithEscape(text: string, from: number): boolean {
  let count = 0;
  while (text.length - count > from && text.charAt(text.length - 1 - count) === "\\") count += 1;
  return count % 2 === 1;
}
