/**
 * The files of a configuration as they may be shown: without the passwords in them, however they are written.
 *
 * What keepalived reads is known to the letter: each stretch of a line that it takes has the place where it was written, also when
 * definitions put it together. So a password is hidden where it stands, and a setting that looks like one is not. The rest, which are
 * comments, commands, misspelt words and what is for other nodes, is judged by its words.
 */

import { shapeOf } from "./blocks.ts";
import { blocksWith, keywordsOf } from "./keywords/blocks.ts";
import type { ConfFile, ConfNode, ConfTree } from "./parser.ts";
import { addLetters, DEFINITION, type Letters, secretNames } from "./redact.ts";
import { isHarmful, isSecretName, REDACTED, secretsIn, wordsIn } from "./secret-words.ts";
import type { Fragment } from "./text.ts";

/** Shorter passwords are hidden where they stand only: such letters are found everywhere. */
const LITERAL_MIN = 4;
/** Letters of one password that are sought elsewhere; it is hidden up to the end of its word. */
const LITERAL_LETTERS_MAX = 64;
/** Of all of them. A configuration with more is none, and nothing of it is shown. */
const LETTERS_MAX = 1_000_000;
/** keepalived takes so many of an auth_pass. (RFC 2338 section 5.3.6) */
const AUTH_PASS_LETTERS = 8;

/** Keywords that never are anything else, wherever a missing brace puts them, and their misspellings. */
const PASSWORD_KEYWORD = /^(?:auth_(?!type$|hmac$)|authpass|auth-pass|passw?o?r?d$)/i;
/** Blocks in which an unknown keyword may be a password whose line was broken. */
const SECRET_BLOCKS: ReadonlySet<string> = new Set(["authentication", "auth_hmac", "SSL"]);
/** Their values are commands, or requests: there may be credentials in them. */
const IS_FREE = /notify|^(?:script|misc_path|path|quorum_up|quorum_down|virtualhost|helo_name)$/;
/** A value in which no credentials can be. */
const PLAIN_VALUE = /^(?!.*:\/\/)[^"'=@?&$]*$/;
/** A line with nothing but the name of a password, also in a comment or for another node: it may stand on the next one. */
const LONE_NAME = /^\s*(?:[#!]+\s*|@\S+\s+)?(auth_?\w{0,9}|password|passwd|key)\s*$/i;
const IS_COMMENT = /^\s*[#!]/;
/** A comment sign, or for which node a line is. */
const HEAD = /^\s*(?:[#!]+(?=\s)|@\S+(?=\s))/;
/** It may be a letter of a password. */
const GLUED_SIGN = /^\s*[#!]\S/;
const REFERENCE = /\$\{(\w{1,80})\}|\$(\w{1,80})(?=[\s,)]|$)/g;
const SEQUENCE = /^\s*(?:@\S+\s+)?~(?:LST|SEQ)/;

const PLAIN = 1;
const SECRET = 2;

export interface ConfigRedactor {
  /** A file of the configuration, line by line as it is written, up to so many characters as were asked for. */
  file: (path: string) => string;
  /** A text about it that is none of its files: a command line, an environment. */
  other: (text: string) => string;
}

/** @param charactersMax  of a file that are looked at; the line that goes beyond them is left away */
export function configRedactor(
  { files, nodes }: Pick<ConfTree, "files" | "nodes">,
  charactersMax: number,
): ConfigRedactor {
  const sheets = new Map(files.map((file) => [file.path, new Sheet(file, charactersMax)]));
  const marker = new Marker(sheets);
  marker.walk(nodes, "");
  const rows = [...sheets.values()].flatMap((sheet) => sheet.rows);
  const names = secretNames(rows);
  const literals = lettersOf([...marker.literals, ...writtenIn(rows)].filter((one) => !marker.words.has(one)));
  const defined = new Set(rows.flatMap((row) => DEFINITION.exec(row)?.[1] ?? []).filter((name) => names.has(name)));
  const shown = (sheet: Sheet): string => (literals ? redacted(sheet, { names, defined, literals }) : REDACTED);
  return {
    file: (path) => shown(sheets.get(path) ?? new Sheet({ path, text: "" }, 0)),
    other: (text) => shown(new Sheet({ path: "", text }, text.length)),
  };
}

/** A file with what is known of each of its letters. */
class Sheet {
  readonly rows: readonly string[];
  readonly starts: readonly number[];
  readonly marks: Uint8Array;

  constructor({ text }: Pick<ConfFile, "path" | "text">, charactersMax: number) {
    const end = text.length <= charactersMax ? text.length : text.lastIndexOf("\n", charactersMax) + 1;
    this.rows = text.slice(0, end).split("\n");
    const starts: number[] = [];
    let at = 0;
    for (const row of this.rows) {
      starts.push(at);
      at += row.length + 1;
    }
    this.starts = starts;
    this.marks = new Uint8Array(at);
  }

  /** @param line  from 1 @param column  from 1 */
  mark(line: number, column: number, length: number, as: typeof PLAIN | typeof SECRET): void {
    const start = this.starts[line - 1];
    const row = this.rows[line - 1];
    if (start === undefined || row === undefined) return;
    const end = start + Math.min(column - 1 + length, row.length);
    for (let i = start + column - 1; i < end; i += 1) if (this.marks[i] !== SECRET) this.marks[i] = as;
  }
}

/** Finds what keepalived takes for a password, and what it certainly takes for something else. */
class Marker {
  /** Passwords, and the parts that definitions put them together of. */
  readonly literals = new Set<string>();
  /** Words of plain settings. A password that is one of these tells nothing elsewhere. */
  readonly words = new Set<string>();
  private readonly sheets: ReadonlyMap<string, Sheet>;

  constructor(sheets: ReadonlyMap<string, Sheet>) {
    this.sheets = sheets;
  }

  /** @param outer  the keyword of the block around, "" at the top level */
  walk(nodes: readonly ConfNode[], outer: string, isList = false): void {
    const known = isList ? undefined : keywordsOf(outer);
    let isAwaited = false;
    for (const { keyword, values, children, line } of nodes) {
      const row = known?.get(keyword.text);
      const mayBeRest: boolean = row === undefined && (isAwaited || SECRET_BLOCKS.has(outer));
      const isPassword: boolean =
        row === undefined ? isPasswordName(keyword.text, isList || mayBeRest) : row.secret === true;
      const isRest = mayBeRest && !isPassword;
      isAwaited = (isPassword || isAwaited) && values.length === 0 && children === undefined;
      if (line && (isPassword || isRest)) {
        const from = isPassword ? keywordEnd(line, keyword.text.length) : 0;
        this.mark(line, from, SECRET);
        for (const { text } of isPassword ? values : [keyword, ...values]) {
          this.literals.add(text);
          this.literals.add(text.slice(0, AUTH_PASS_LETTERS));
        }
      } else if (line && (row ?? isList) && isPlain(keyword.text, values)) {
        this.mark(line, 0, PLAIN);
        for (const { text } of [keyword, ...values]) this.words.add(text);
      }
      if (children) this.walk(children, keyword.text, shapeOf(outer, keyword.text) === "list");
    }
  }

  private mark({ text, pieces }: Fragment, from: number, as: typeof PLAIN | typeof SECRET): void {
    for (const [i, { start, at, isPoint }] of pieces.entries()) {
      const end = pieces[i + 1]?.start ?? text.length;
      const first = Math.max(start, from);
      if (isPoint || first >= end) continue;
      this.sheets.get(at.file)?.mark(at.line, at.column + first - start, end - first, as);
      if (as === SECRET) for (const word of text.slice(first, end).split(/[\s"]+/)) this.literals.add(word);
    }
  }
}

/** @param mayBeOther  the name of a script in a list, or a password itself */
const isPasswordName = (keyword: string, mayBeOther: boolean): boolean =>
  PASSWORD_KEYWORD.test(keyword) || (!mayBeOther && isSecretName(keyword));

function isPlain(keyword: string, values: ConfNode["values"]): boolean {
  if (IS_FREE.test(keyword) && values.some(({ text }) => !/^\d+$/.test(text))) return false;
  return (
    PLAIN_VALUE.test(keyword) && values.every(({ text }) => PLAIN_VALUE.test(text) && !PASSWORD_KEYWORD.test(text))
  );
}

/** Where its values begin. */
function keywordEnd({ text }: Fragment, length: number): number {
  const end = text.search(/[^\s"]/) + length;
  return end + text.slice(end).search(/[^\s"]|$/);
}

/** Passwords by the line they stand on alone: of other nodes, and what was commented out. */
function writtenIn(rows: readonly string[]): string[] {
  return rows.flatMap((row) => {
    const word = /\bauth_pass[ \t]+"?([^\s"]+)/.exec(row)?.[1];
    return word === undefined || word.startsWith("$") ? [] : [word, word.slice(0, AUTH_PASS_LETTERS)];
  });
}

/** @returns undefined when there are too many */
function lettersOf(literals: readonly string[]): Letters | undefined {
  const begin: Letters = { next: new Map(), isEnd: false };
  let letters = 0;
  for (const literal of literals) {
    if (literal.length < LITERAL_MIN || blocksWith(literal).length > 0) continue;
    const piece = literal.slice(0, LITERAL_LETTERS_MAX);
    letters += piece.length;
    if (letters > LETTERS_MAX) return undefined;
    addLetters(begin, piece);
  }
  return begin;
}

interface Known {
  /** Definitions whose values are secrets. */
  readonly names: ReadonlySet<string>;
  /** Those of them that are there: where they are used stands no password. */
  readonly defined: ReadonlySet<string>;
  readonly literals: Letters;
}

function redacted({ rows, starts, marks }: Sheet, { names, defined, literals }: Known): string {
  const shown: string[] = [];
  let before = { name: "", isComment: false };
  let goesOn = false;
  for (const [i, whole] of rows.entries()) {
    const row = whole.replace(/\r+$/, "");
    const of = marks.subarray(starts[i] ?? 0, (starts[i] ?? 0) + row.length);
    const isComment = IS_COMMENT.test(row);
    const mark = (from: number, to: number, as: typeof PLAIN | typeof SECRET): void => {
      for (let at = from; at < to; at += 1) if (of[at] !== PLAIN && of[at] !== SECRET) of[at] = as;
    };
    const hide = (from: number, to: number): void => mark(from, to, SECRET);
    mark(0, HEAD.exec(row)?.[0].length ?? 0, PLAIN);
    for (const { 0: text, 1: name, 2: other, index } of row.matchAll(REFERENCE))
      if (defined.has(name ?? other ?? "")) mark(index, index + text.length, PLAIN);
    const isContinued = /\\\s*$/.test(row);
    if (isContinued && /(?:^|[\s=])\\\s*$/.test(row)) mark(row.lastIndexOf("\\"), row.length, PLAIN);
    const carried = before.isComment === isComment || GLUED_SIGN.test(row) ? before.name : "";
    if (goesOn) for (const { from, to } of wordsIn(row)) hide(from, to);
    else for (const [from, to] of secretsIn(row, carried, names)) hide(from, to);
    hideRest(row, of, hide);
    hideLiterals(row, literals, hide);
    goesOn = isContinued && (of.includes(SECRET) || endsWithName(row, names));
    if (row.trim() !== "") before = { name: LONE_NAME.exec(row)?.[1] ?? "", isComment };
    shown.push(withoutSecrets(row, of));
  }
  return shown.join("\n");
}

/** What stands behind a password may be the rest of it, cut off by a comment sign, and in front of it what a sequence puts in. */
function hideRest(row: string, marks: Uint8Array, hide: (from: number, to: number) => void): void {
  const last = marks.lastIndexOf(SECRET);
  if (last < 0) return;
  if (SEQUENCE.test(row))
    for (const { from, to } of wordsIn(row.slice(0, row.indexOf(")", row.indexOf("(")) + 1))) hide(from, to);
  const comment = row.slice(last + 1).search(/[#!]/);
  if (comment < 0) return;
  for (const { from, to } of wordsIn(row)) if (to > last + 1 + comment) hide(Math.max(from, last + 1), to);
}

const isLetter = (c: string): boolean => /[A-Za-z0-9]/.test(c);

function hideLiterals(row: string, literals: Letters, hide: (from: number, to: number) => void): void {
  if (literals.next.size === 0) return;
  for (let i = 0; i < row.length; ) {
    let end = i;
    const isStart = i === 0 || !isLetter(row.charAt(i - 1)) || !isLetter(row.charAt(i));
    let at: Letters | undefined = isStart ? literals : undefined;
    for (let j = i; at && j < row.length; ) {
      at = at.next.get(row.charAt(j));
      j += 1;
      const isWhole = j - i >= LITERAL_LETTERS_MAX || !isLetter(row.charAt(j)) || !isLetter(row.charAt(j - 1));
      if (at?.isEnd && isWhole) end = j;
    }
    if (end - i >= LITERAL_LETTERS_MAX) while (end < row.length && !/\s/.test(row.charAt(end))) end += 1;
    if (end > i) hide(i, end);
    i = Math.max(end, i + 1);
  }
}

function endsWithName(row: string, names: ReadonlySet<string>): boolean {
  const last =
    wordsIn(row.replace(/\\\s*$/, ""))
      .at(-1)
      ?.text.replace(/=$/, "") ?? "";
  return isSecretName(last) || names.has(last.replace("$", ""));
}

/** Secrets with nothing but blanks, or braces and quotes, between them are one. */
function withoutSecrets(row: string, marks: Uint8Array): string {
  let shown = "";
  for (let i = 0; i < row.length; ) {
    if (marks[i] !== SECRET) {
      const code = row.codePointAt(i) ?? 0;
      const char = String.fromCodePoint(code);
      shown += char !== "\t" && isHarmful(code) ? "\u{fffd}" : char;
      i += char.length;
      continue;
    }
    shown += REDACTED;
    for (let end = i; end < row.length && (marks[end] === SECRET || /[\s{}"]/.test(row.charAt(end))); end += 1)
      if (marks[end] === SECRET) i = end + 1;
  }
  return shown;
}
