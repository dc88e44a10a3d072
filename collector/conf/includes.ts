import type { SourceLocation } from "../core/errors.ts";
import { LINE_BYTES_MAX } from "./definitions.ts";
import type { ExpandOptions, SourceLine } from "./expand.ts";
import type { UnreadableFile } from "./parser.ts";
import { byteLength, type Fragment, locate, type Origin, originAt, written } from "./text.ts";
import { compareReleases } from "./version.ts";

/** Deepest nesting of includes: deeper is a file that includes itself. */
const INCLUDE_DEPTH_MAX = 32;
/** Most files of one configuration. */
const FILES_MAX = 4096;
/** Most alternatives that the braces of one include may make. */
const ALTERNATIVES_MAX = 1024;

/** What makes an include that goes wrong an error, which ends keepalived at its start. */
export interface IncludeChecks {
  /** A file that cannot be read, a directory, an executable file. */
  readonly readable: boolean;
  /** A name without wildcards that does not exist. */
  readonly match: boolean;
  /** Wildcards that match nothing. */
  readonly wildcard: boolean;
  /** An alternative of a brace that does not exist. */
  readonly brace: boolean;
}

export const NO_CHECKS: IncludeChecks = { readable: false, match: false, wildcard: false, brace: false };
export const ALL_CHECKS: IncludeChecks = { readable: true, match: true, wildcard: true, brace: true };

const KINDS: Readonly<Record<string, IncludeChecks>> = {
  include: NO_CHECKS,
  includer: { ...NO_CHECKS, readable: true },
  includem: { ...NO_CHECKS, readable: true, match: true },
  includew: { ...NO_CHECKS, readable: true, match: true, wildcard: true },
  includeb: { ...NO_CHECKS, readable: true, brace: true },
  includea: ALL_CHECKS,
};

export interface IncludeStatement {
  readonly kind: string;
  /** Everything behind the keyword, also blanks and quotes. */
  readonly pattern: string;
}

export function includeOf(text: string): IncludeStatement | undefined {
  const match = /^(include[rmwba]?)[ \t\f\n\r\v][ \t]*/.exec(text);
  return match?.[1] === undefined ? undefined : { kind: match[1], pattern: text.slice(match[0].length) };
}

interface OpenFile {
  readonly path: string;
  readonly text: string;
  readonly directory: string;
  readonly origin: Origin | undefined;
  offset: number;
  /** Of the next line feed, or the length of the text. */
  newline: number;
  line: number;
  column: number;
  /** Files of the same include that follow. */
  readonly siblings: readonly string[];
  /** What `include_check` was when the file was opened. */
  readonly checks: IncludeChecks;
}

/** The files of a configuration as one stream of lines, as they include each other. */
export class Includes {
  private readonly options: ExpandOptions;
  private readonly source: readonly SourceLine[] | undefined;
  private nextSource = 0;
  /** Innermost last. */
  private readonly open_: OpenFile[] = [];
  private opened = 0;
  private checks: IncludeChecks;

  constructor(options: ExpandOptions, source: readonly SourceLine[] | undefined) {
    this.options = options;
    this.source = source;
    this.checks = options.includeChecks;
  }

  /** @returns why the file cannot be read */
  openMain(path: string): UnreadableFile | undefined {
    if (this.source) return undefined;
    return this.read(path, undefined, undefined, []);
  }

  setChecks(values: readonly string[]): void {
    if (values.length === 0) this.checks = ALL_CHECKS;
    values.forEach((value, i) => {
      const name = value.replace(/^[+-]/, "");
      const key = CHECK_NAMES[name];
      if (key === undefined) return;
      if (value.startsWith("-")) this.checks = { ...this.checks, [key]: false };
      else if (value.startsWith("+")) this.checks = { ...this.checks, [key]: true };
      else if (i === 0) this.checks = { ...NO_CHECKS, readable: true, [key]: true };
    });
  }

  readLine(): SourceLine | undefined {
    for (;;) {
      const file = this.open_.at(-1);
      if (!file) return this.source?.[this.nextSource++];
      const line = this.lineOf(file);
      if (line) return { line, directory: file.directory };
      this.open_.pop();
      this.checks = file.checks;
      this.openNext(file.siblings, file.origin, undefined);
    }
  }

  /** The next line, or as much of it as keepalived's buffer holds. */
  private lineOf(file: OpenFile): Fragment | undefined {
    const { text, offset } = file;
    if (offset >= text.length) return undefined;
    if (file.newline < offset) file.newline = indexOfNewline(text, offset);
    let end = file.newline;
    let next = Math.min(end + 1, text.length);
    const at = { file: file.path, line: file.line, column: file.column };
    let isCut = false;
    // With its line end, a line has room for one byte less than the buffer.
    const length = next - offset;
    const isLong =
      length >= LINE_BYTES_MAX ||
      (length * 3 >= LINE_BYTES_MAX && byteLength(text.slice(offset, next)) >= LINE_BYTES_MAX);
    if (isLong) {
      end = cutAtBytes(text, offset, LINE_BYTES_MAX - 1);
      next = end;
      isCut = true;
    }
    file.offset = next;
    file.column = isCut ? file.column + end - offset : 1;
    if (!isCut) file.line += 1;
    let row = text.slice(offset, end);
    const isIgnored = this.isSince24() && (isCut || row.includes("\0"));
    if (isIgnored) row = "";
    const nul = row.indexOf("\0");
    if (nul >= 0) row = row.slice(0, nul);
    let to = row.length;
    while (to > 0 && row.charAt(to - 1) === "\r") to -= 1;
    return written(row.slice(0, to), at, file.origin);
  }

  private isSince24(): boolean {
    return compareReleases(this.options.release, [2, 4, 0]) >= 0;
  }

  open({ kind, pattern }: IncludeStatement, line: Fragment, directory: string): void {
    const at = locate(line, 0);
    const { report, files } = this.options;
    const own = KINDS[kind] ?? NO_CHECKS;
    const isChecked = (check: keyof IncludeChecks): boolean => own[check] || this.checks[check];
    const fault = (code: string, check: keyof IncludeChecks, message: string, fix?: string): void =>
      report(isChecked(check) ? `${code}_checked` : code, at, `${kind} ${shown(pattern)} ${message}`, fix);
    if (this.source)
      report(
        "include_read_twice",
        at,
        `${kind} ${shown(pattern)} is included twice: the children read it again, as the line begins with a condition, a definition or a brace`,
      );
    if (this.open_.length >= INCLUDE_DEPTH_MAX) {
      report("include_depth", at, `${shown(pattern)} is included more than ${INCLUDE_DEPTH_MAX} files deep`);
      return;
    }
    const quoted = pattern.includes('"') || pattern.includes("'");
    const alternatives = braceAlternatives(pattern);
    const matched: string[] = [];
    let missing = 0;
    for (const one of alternatives) {
      const found = files.glob(one, directory);
      if (found.length === 0) missing += 1;
      matched.push(...found);
    }
    if (matched.length === 0) {
      const isWild = /[*?[]/.test(pattern);
      fault(
        "include_no_match",
        alternatives.length > 1 ? "brace" : isWild ? "wildcard" : "match",
        "matches no file",
        quoted
          ? "Take the quotes away: here they are part of the name"
          : pattern.startsWith("~")
            ? "Write the path out: ~ is no home directory here"
            : undefined,
      );
      return;
    }
    if (missing > 0)
      fault("include_alternative_missing", "brace", `misses ${missing} of the files that its braces name`);
    // With the brace check an include that misses one reads none.
    if (missing > 0 && isChecked("brace")) return;
    const origin: Origin = { kind: "include", name: pattern, at, from: originAt(line, 0) };
    this.openNext(matched, origin, isChecked("readable"));
  }

  /** Opens the first that can be read of the files an include matched. */
  private openNext(paths: readonly string[], origin: Origin | undefined, isChecked: boolean | undefined): void {
    for (let i = 0; i < paths.length; i++) {
      const path = paths[i] ?? "";
      if (this.opened >= FILES_MAX) {
        this.options.report(
          "expansion_too_large",
          origin?.at ?? { file: path, line: 1, column: 1 },
          `the rest is not looked at: more than ${FILES_MAX} files are included`,
        );
        return;
      }
      const why = this.read(path, origin, origin?.at, paths.slice(i + 1));
      if (why === undefined) return;
      this.options.report(
        isChecked ? "file_unreadable_checked" : "file_unreadable",
        origin?.at ?? { file: path, line: 1, column: 1 },
        `${path}, which is included here, is skipped: ${why.unreadable}`,
      );
    }
  }

  private read(
    path: string,
    origin: Origin | undefined,
    includedAt: SourceLocation | undefined,
    siblings: readonly string[],
  ): UnreadableFile | undefined {
    const text = this.options.files.read(path);
    if (typeof text !== "string") return text;
    this.opened += 1;
    this.options.onFile(path, text, includedAt);
    const directory = path.replace(/[^/]*$/, "");
    this.open_.push({
      path,
      text,
      directory,
      origin,
      offset: 0,
      newline: -1,
      line: 1,
      column: 1,
      siblings,
      checks: this.checks,
    });
    return undefined;
  }
}

const CHECK_NAMES: Readonly<Record<string, keyof IncludeChecks>> = {
  read: "readable",
  match: "match",
  wildcard_match: "wildcard",
  brace_match: "brace",
};

function indexOfNewline(text: string, from: number): number {
  const found = text.indexOf("\n", from);
  return found < 0 ? text.length : found;
}

/** Largest end such that the text from `from` has at most that many bytes. */
function cutAtBytes(text: string, from: number, bytes: number): number {
  let end = from;
  let used = 0;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    const isPair = code >= 0xd800 && code <= 0xdbff && /[\udc00-\udfff]/.test(text.charAt(end + 1));
    const width = isPair ? 2 : 1;
    used += byteLength(text.slice(end, end + width));
    if (used > bytes) break;
    end += width;
  }
  return end;
}

/** `a{b,c}d` as `abd`, `acd`: glob(3) with GLOB_BRACE, nested braces included. Bounded. */
function braceAlternatives(pattern: string): string[] {
  const done: string[] = [];
  const open = [pattern];
  while (open.length > 0 && done.length + open.length <= ALTERNATIVES_MAX) {
    const one = open.pop() ?? "";
    const braces = firstBraces(one);
    if (!braces) {
      done.push(one);
      continue;
    }
    const { before, parts, after } = braces;
    for (const part of parts.toReversed()) open.push(before + part + after);
  }
  return done;
}

function firstBraces(pattern: string): { before: string; parts: string[]; after: string } | undefined {
  const start = pattern.indexOf("{");
  // glob(3) leaves `{}` as it is.
  if (start < 0 || pattern.startsWith("{}", start)) return undefined;
  const parts: string[] = [];
  let depth = 0;
  let from = start + 1;
  for (let i = start; i < pattern.length; i++) {
    const c = pattern.charAt(i);
    if (c === "\\") i += 1;
    else if (c === "{") depth += 1;
    else if (c === "," && depth === 1) {
      parts.push(pattern.slice(from, i));
      from = i + 1;
    } else if (c === "}" && --depth === 0) {
      parts.push(pattern.slice(from, i));
      return { before: pattern.slice(0, start), parts, after: pattern.slice(i + 1) };
    }
  }
  return undefined;
}

/** A path of the file as it may be shown. */
function shown(pattern: string): string {
  return pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern;
}
