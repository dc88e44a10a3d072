import { decodeBytes, encodeBytes } from "./text.ts";

export type TokenKind =
  | "blank"
  | "comment"
  | "word"
  /** With its quotes; the last one may be missing. */
  | "quoted"
  | "open"
  | "close"
  /** `@id`, `@^id`. */
  | "condition"
  /** `$NAME=` with its text, on each of its lines. */
  | "definition"
  /** `~SEQ(…)`, `~LST(…)`. */
  | "sequence"
  /** What follows an include: braces in it are the pattern's. */
  | "pattern"
  /** The line feed, with the carriage returns before it. */
  | "end";

export interface SyntaxToken {
  readonly kind: TokenKind;
  readonly text: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

/** From a `{` to its `}`, as they are written: not what keepalived makes of them. */
export interface SyntaxBlock {
  readonly kind: "block";
  readonly open: SyntaxToken;
  readonly items: readonly SyntaxItem[];
  /** undefined: the file ends first. */
  readonly close: SyntaxToken | undefined;
}

export type SyntaxItem = SyntaxToken | SyntaxBlock;

/** A file as it is written, to the last byte. */
export interface SyntaxFile {
  readonly items: readonly SyntaxItem[];
  /** All of it in order, without the nesting. */
  readonly tokens: readonly SyntaxToken[];
}

/** Reads a single file, without its includes. Any bytes make a tree, and `printFile` gives the same bytes back. */
export function parseFile(source: Uint8Array | string): SyntaxFile {
  const tokens = tokensOf(typeof source === "string" ? source : decodeBytes(source));
  const root: SyntaxItem[] = [];
  const open: { brace: SyntaxToken; items: SyntaxItem[] }[] = [];
  const close = (brace: SyntaxToken | undefined): void => {
    const block = open.pop();
    if (block)
      (open.at(-1)?.items ?? root).push({ kind: "block", open: block.brace, items: block.items, close: brace });
  };
  for (const token of tokens) {
    if (token.kind === "open") open.push({ brace: token, items: [] });
    else if (token.kind === "close" && open.length > 0) close(token);
    else (open.at(-1)?.items ?? root).push(token);
  }
  while (open.length > 0) close(undefined);
  return { items: root, tokens };
}

export function printFile({ items }: Pick<SyntaxFile, "items">): Uint8Array {
  const parts: string[] = [];
  // A stack of its own: blocks may be nested deeper than calls.
  const todo: SyntaxItem[] = items.toReversed();
  for (let item = todo.pop(); item !== undefined; item = todo.pop()) {
    if (item.kind !== "block") {
      parts.push(item.text);
      continue;
    }
    parts.push(item.open.text);
    if (item.close) todo.push(item.close);
    for (let i = item.items.length - 1; i >= 0; i--) {
      const inner = item.items[i];
      if (inner) todo.push(inner);
    }
  }
  return encodeBytes(parts.join(""));
}

function tokensOf(text: string): SyntaxToken[] {
  const tokens: SyntaxToken[] = [];
  let isDefining = false;
  let line = 1;
  for (let from = 0; from < text.length; line++) {
    const newline = text.indexOf("\n", from);
    const next = newline < 0 ? text.length : newline + 1;
    let end = newline < 0 ? text.length : newline;
    while (end > from && text.charAt(end - 1) === "\r") end -= 1;
    isDefining = lineTokens(text.slice(from, end), line, isDefining, tokens);
    if (end < next) tokens.push({ kind: "end", text: text.slice(end, next), line, column: end - from + 1 });
    from = next;
  }
  return tokens;
}

const BLANKS = " \t\f\v\r";

/** @returns whether the next line belongs to a definition that this one begins or goes on with */
function lineTokens(row: string, line: number, isDefining: boolean, tokens: SyntaxToken[]): boolean {
  const push = (kind: TokenKind, from: number, to: number): number => {
    if (to > from) tokens.push({ kind, text: row.slice(from, to), line, column: from + 1 });
    return to;
  };
  const comment = commentStart(row);
  let code = comment;
  while (code > 0 && BLANKS.includes(row.charAt(code - 1))) code -= 1;
  let at = push("blank", 0, Math.min(skip(row, 0), code));
  while (!isDefining && row.charAt(at) === "@" && at < code) {
    at = push("condition", at, Math.min(untilBlank(row, at), code));
    at = push("blank", at, Math.min(skip(row, at), code));
  }
  const rest = row.slice(at, code);
  const isDefinition = isDefining || /^\$[A-Za-z_]\w*=/.test(rest);
  if (isDefinition) at = push("definition", at, code);
  const sequence = /^~(?:SEQx?|LST)[ \t]*\([^)]*\)/.exec(rest);
  if (sequence && !isDefinition) at = push("sequence", at, at + sequence[0].length);
  const include = /^include[rmwba]?(?=[ \t])/.exec(rest);
  if (include && !isDefinition) {
    at = push("word", at, at + include[0].length);
    at = push("blank", at, Math.min(skip(row, at), code));
    at = push("pattern", at, code);
  }
  while (at < code) at = wordTokens(row, at, code, push);
  at = push("blank", code, comment);
  push("comment", comment, row.length);
  return isDefinition && endsWithBackslash(rest);
}

function wordTokens(
  row: string,
  at: number,
  end: number,
  push: (kind: TokenKind, from: number, to: number) => number,
): number {
  const c = row.charAt(at);
  if (BLANKS.includes(c)) return push("blank", at, Math.min(skip(row, at), end));
  if (c === "{") return push("open", at, at + 1);
  if (c === "}") return push("close", at, at + 1);
  if (c === '"') {
    const close = row.indexOf('"', at + 1);
    return push("quoted", at, close < 0 || close >= end ? end : close + 1);
  }
  let to = at;
  while (to < end && !BLANKS.includes(row.charAt(to)) && !'{}"'.includes(row.charAt(to))) {
    const reference = row.charAt(to) === "$" ? /^\$\{[A-Za-z_][\w ]*\}/.exec(row.slice(to, to + 256)) : null;
    to += reference?.[0].length ?? 1;
  }
  return push("word", at, Math.min(to, end));
}

/** Where the comment of a line begins, or its length: `#` and `!` outside double quotes, not behind a backslash. */
function commentStart(row: string): number {
  let isQuoted = false;
  for (let i = 0; i < row.length; i++) {
    const c = row.charAt(i);
    if (c === "\\") i += 1;
    else if (c === '"') isQuoted = !isQuoted;
    else if ((c === "#" || c === "!") && !isQuoted) return i;
  }
  return row.length;
}

export function endsWithBackslash(text: string): boolean {
  let count = 0;
  while (count < text.length && text.charAt(text.length - 1 - count) === "\\") count += 1;
  return count % 2 === 1;
}

function skip(row: string, at: number): number {
  let i = at;
  while (i < row.length && BLANKS.includes(row.charAt(i))) i += 1;
  return i;
}

function untilBlank(row: string, at: number): number {
  let i = at;
  while (i < row.length && !BLANKS.includes(row.charAt(i))) i += 1;
  return i;
}
