import { isHarmful, REDACTED, secretsIn } from "../../collector/conf/secret-words.ts";

/**
 * One line of a configuration as it may be shown: without secrets, without control characters, as wide as it says, and with
 * a mark under the word in question.
 */

const TAB_WIDTH = 4;

export interface Frame {
  readonly text: string;
  /** Columns before the mark, and its width. */
  readonly indent: number;
  readonly width: number;
}

/** More of a line is not looked at: keepalived itself holds 1024 bytes. */
const LINE_CHARACTERS_MAX = 65_536;

/**
 * @param whole     the line as it stands in the file
 * @param before    the line before it that is not empty: its last word may be what the secret belongs to
 * @param column    of the word in question, from 1
 * @param widthMax  most columns
 * @param names     definitions whose values are secrets
 */
export function frameOf(
  whole: string,
  before: string,
  column: number,
  widthMax: number,
  names: ReadonlySet<string> = new Set(),
): Frame {
  const line = whole.slice(0, LINE_CHARACTERS_MAX);
  const start = Math.min(Math.max(column - 1, 0), line.length);
  const end = wordEnd(line, start);
  const secrets = secretsIn(line, before, names);
  const cells: string[] = [];
  let from = -1;
  let to = -1;
  let width = 0;
  const put = (text: string, columns: number): void => {
    cells.push(text);
    for (let i = 1; i < columns; i++) cells.push("");
    width += columns;
  };
  for (let i = 0; i < line.length; ) {
    if (i >= start && from < 0) from = width;
    if (i >= end && to < 0) to = width;
    const secret = secrets.find(([first]) => first === i);
    if (secret) {
      const isMarked = start >= i && start < secret[1];
      if (isMarked) from = width;
      for (const char of REDACTED) put(char, 1);
      if (isMarked) to = width;
      i = secret[1];
      continue;
    }
    const code = line.codePointAt(i) ?? 0;
    const char = String.fromCodePoint(code);
    i += char.length;
    if (char === "\t") {
      const columns = TAB_WIDTH - (width % TAB_WIDTH);
      for (let n = 0; n < columns; n++) put(" ", 1);
    } else if (isHarmful(code)) put("\u{fffd}", 1);
    else if (columnsOf(code) === 0) {
      // A mark over the letter before it.
      if (cells.length > 0) cells[cells.length - 1] += char;
    } else put(char, columnsOf(code));
    // A line of a megabyte is not laid out to its end.
    if (width > widthMax * 4 && from >= 0 && width > from + widthMax * 2) break;
  }
  if (from < 0) from = width;
  if (to < 0) to = Math.max(width, from + 1);
  return cut(cells, from, Math.max(to - from, 1), widthMax);
}

/** The part of a long line around the mark. */
function cut(cells: readonly string[], from: number, marked: number, widthMax: number): Frame {
  if (cells.length <= widthMax && from + marked <= widthMax)
    return { text: cells.join("").trimEnd(), indent: from, width: marked };
  const first = from + Math.min(marked, widthMax >> 1) + 2 <= widthMax ? 0 : from - (widthMax >> 2);
  const head = first > 0 ? "…" : "";
  const room = widthMax - head.length - 1;
  const shown = cells.slice(Math.max(first, 0), Math.max(first, 0) + room);
  const tail = Math.max(first, 0) + room < cells.length ? "…" : "";
  const indent = from - Math.max(first, 0) + head.length;
  return {
    text: `${head}${shown.join("")}${tail}`.trimEnd(),
    indent,
    width: Math.max(1, Math.min(marked, widthMax - indent)),
  };
}

function wordEnd(line: string, start: number): number {
  const quote = line[start];
  if (quote === '"') {
    const close = line.indexOf('"', start + 1);
    return close < 0 ? line.length : close + 1;
  }
  let end = start;
  while (end < line.length && !/[\s{}"#!]/.test(line[end] ?? "")) end += 1;
  return Math.max(end, Math.min(start + 1, line.length));
}

/** Text that is not the program's own, on one line of a terminal. */
export function harmless(text: string): string {
  let shown = "";
  for (const char of text) shown += isHarmful(char.codePointAt(0) ?? 0) ? (char === "\t" ? " " : "\u{fffd}") : char;
  return shown;
}

/** Columns of a terminal that a character takes: East Asian wide ones and emoji two, combining marks none. */
export function columnsOf(code: number): 0 | 1 | 2 {
  if (code < 0x300) return 1;
  if (/^\p{M}$/u.test(String.fromCodePoint(code))) return 0;
  const isWide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0x303e) ||
    (code >= 0x3041 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff01 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1f64f) ||
    (code >= 0x1f900 && code <= 0x1f9ff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return isWide ? 2 : 1;
}
