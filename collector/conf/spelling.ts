import type { SourceLocation } from "../core/errors.ts";
import { LINE_BYTES_MAX } from "./definitions.ts";
import { endsWithBackslash, parseFile, type SyntaxToken } from "./syntax.ts";
import { byteLength } from "./text.ts";
import type { Report } from "./tree.ts";

/** A comment behind code with more braces of one kind: where an imbalance may come from. */
export interface SwallowedBrace {
  readonly at: SourceLocation;
  /** Positive: more `{` than `}`. */
  readonly surplus: number;
}

/**
 * What is wrong with the writing of a file, before it means anything: its bytes, and habits of other languages.
 * @returns comments that may have swallowed a brace
 */
export function checkSpelling(path: string, text: string, report: Report): SwallowedBrace[] {
  const swallowed: SwallowedBrace[] = [];
  const { tokens } = parseFile(text);
  const first: FirstOfKind = new Set();
  checkBytes(path, text, first, report);
  let line: SyntaxToken[] = [];
  for (const token of tokens) {
    if (token.kind === "end" || token.line !== (line[0]?.line ?? token.line)) {
      swallowed.push(...checkLine(path, line, report));
      line = [];
    }
    if (token.kind === "end") {
      if (token.text.includes("\r") && !first.has("crlf")) {
        first.add("crlf");
        report("crlf", place(path, token), "lines end with a carriage return and a line feed, as in Windows");
      }
      continue;
    }
    line.push(token);
    if (token.kind !== "comment") checkCharacters(path, token, first, report);
  }
  swallowed.push(...checkLine(path, line, report));
  return swallowed;
}

/** Kinds of fault that are told once a file. */
type FirstOfKind = Set<string>;

const place = (path: string, token: SyntaxToken, offset = 0): SourceLocation => ({
  file: path,
  line: token.line,
  column: token.column + offset,
});

function checkBytes(path: string, text: string, first: FirstOfKind, report: Report): void {
  if (text.startsWith("\uFEFF"))
    report(
      "byte_order_mark",
      { file: path, line: 1, column: 1 },
      "the file begins with a byte order mark, which is part of its first word",
    );
  let line = 1;
  for (let from = 0; from < text.length; line++) {
    const newline = text.indexOf("\n", from);
    const next = newline < 0 ? text.length : newline + 1;
    const at = (column: number): SourceLocation => ({ file: path, line, column });
    const row = text.slice(from, next);
    if (row.length * 3 >= LINE_BYTES_MAX && byteLength(row) >= LINE_BYTES_MAX)
      report("line_too_long", at(1), `the line is longer than ${LINE_BYTES_MAX - 2} bytes, and is cut`);
    const nul = row.indexOf("\0");
    if (nul >= 0) report("nul_byte", at(nul + 1), "the line holds a NUL byte");
    let end = row.length;
    while (end > 0 && "\r\n".includes(row.charAt(end - 1))) end -= 1;
    const carriage = row.indexOf("\r");
    if (carriage >= 0 && carriage < end && !first.has("carriage_return")) {
      first.add("carriage_return");
      report("carriage_return", at(carriage + 1), "a carriage return that is not at the end of its line ends none");
    }
    const broken = first.has("invalid_utf8") ? -1 : row.search(/(?<![\ud800-\udbff])[\udc80-\udcff]/);
    if (broken >= 0) {
      first.add("invalid_utf8");
      const byte = (row.charCodeAt(broken) - 0xdc00).toString(16);
      report("invalid_utf8", at(broken + 1), `byte 0x${byte} is no UTF-8`);
    }
    from = next;
  }
}

interface Oddity {
  readonly code: string;
  readonly pattern: RegExp;
  readonly what: string;
  /** Also inside double quotes, where a text for people may stand. */
  readonly isOddInQuotes: boolean;
}

const ODDITIES: readonly Oddity[] = [
  {
    code: "typographic_quote",
    pattern: /[\u2018-\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033]/g,
    what: "a typographic quote, which quotes nothing",
    isOddInQuotes: false,
  },
  {
    code: "typographic_dash",
    pattern: /[\u2010-\u2015\u2212]/g,
    what: "a typographic dash, which is no minus sign",
    isOddInQuotes: false,
  },
  {
    code: "invisible_character",
    pattern: /[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\u3164]/gu,
    what: "a character that cannot be seen, and is part of the word",
    isOddInQuotes: true,
  },
  {
    code: "lookalike_character",
    pattern: /[\uff01-\uff5e\u037e\u0589\u2024\ua789\u2236]/g,
    what: "a character that only looks like an ASCII one",
    isOddInQuotes: false,
  },
];

/** Most tokens have none of these characters. */
const PLAIN = /^[\t\n\v\f\r -~]*$/;

function checkCharacters(path: string, token: SyntaxToken, first: FirstOfKind, report: Report): void {
  if (PLAIN.test(token.text)) return;
  for (const { code, pattern, what, isOddInQuotes } of ODDITIES) {
    if (token.kind === "quoted" && !isOddInQuotes) continue;
    for (const { index, 0: found } of token.text.matchAll(pattern)) {
      // Blanks that part words; a NUL byte and the mark at the start of the file have codes of their own.
      if ("\0\t\v\f\r ".includes(found)) continue;
      if (found === "\uFEFF" && token.line === 1 && token.column + index === 1) continue;
      const number = (found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      report(code, place(path, token, index), `U+${number} is ${what}`);
      first.add(code);
    }
  }
}

function checkLine(path: string, tokens: readonly SyntaxToken[], report: Report): SwallowedBrace[] {
  const code = tokens.filter(({ kind }) => kind !== "blank" && kind !== "comment");
  const swallowed = checkComment(path, tokens, code, report);
  const last = code.at(-1);
  if (!last || last.kind === "definition") return swallowed;
  if (endsWithBackslash(last.text) && last.kind !== "quoted" && tokens.at(-1)?.kind !== "comment")
    report(
      "backslash_at_end",
      place(path, last, last.text.length - 1),
      "the backslash at the end does not continue the line: it is part of its last word",
    );
  code.forEach((token, i) => {
    if (token.kind !== "word") return;
    const sign = /^(?:\/\/|\/\*|;)/.exec(token.text)?.[0];
    // A path may hold /* or begin with // in a command; at the start of a line neither can.
    const isComment =
      sign !== undefined && (i === 0 || token.text === sign || (sign === "//" && !token.text.slice(2).includes("/")));
    if (isComment)
      report("foreign_comment", place(path, token), `${sign} begins no comment: what follows it is read as words`);
    else if (token === last && token.text.length > 1 && /[^\\];$/.test(token.text))
      report(
        "trailing_semicolon",
        place(path, token, token.text.length - 1),
        "the semicolon at the end is part of the word before it",
      );
  });
  return swallowed;
}

/** A sign that begins a comment inside a word cuts a value short, and may swallow the brace behind it. */
function checkComment(
  path: string,
  tokens: readonly SyntaxToken[],
  code: readonly SyntaxToken[],
  report: Report,
): SwallowedBrace[] {
  const comment = tokens.at(-1);
  const before = tokens.at(-2);
  if (comment?.kind !== "comment" || !before || code.length === 0) return [];
  const at = place(path, comment);
  if ((before.kind === "word" || before.kind === "definition") && /^.[^\s#!]/.test(comment.text))
    report(
      "comment_in_word",
      at,
      `${comment.text.charAt(0)} begins a comment here, in the middle of a word: the value ends before it`,
    );
  let surplus = 0;
  for (const c of comment.text) surplus += c === "{" ? 1 : c === "}" ? -1 : 0;
  return surplus === 0 ? [] : [{ at, surplus }];
}
