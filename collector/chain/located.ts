import type { SourceLocation } from "../core/errors.ts";

/** A word and where it is written; a word of a living process is written nowhere. */
export interface Located {
  readonly text: string;
  readonly at?: SourceLocation;
}

/** A text put together from several lines, which knows for each character where it stood. */
export class LocatedText {
  readonly file: string;
  private parts: { readonly from: number; readonly line: number; readonly column: number }[] = [];
  private chunks: string[] = [];
  private length = 0;

  constructor(file: string) {
    this.file = file;
  }

  /** @param column  of the chunk's first character, counted from 1 */
  add(chunk: string, line: number, column: number): void {
    this.parts.push({ from: this.length, line, column });
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  /** One character: what stands side by side in the file is kept together. */
  push(char: string, line: number, column: number): void {
    const last = this.parts.at(-1);
    const chunk = this.chunks.at(-1);
    if (last && chunk !== undefined && last.line === line && last.column + chunk.length === column)
      this.chunks[this.chunks.length - 1] = chunk + char;
    else {
      this.parts.push({ from: this.length, line, column });
      this.chunks.push(char);
    }
    this.length += char.length;
  }

  get text(): string {
    return this.chunks.join("");
  }

  at(offset: number): SourceLocation {
    let low = 0;
    let high = this.parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.parts[middle]?.from ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const part = this.parts[low];
    return { file: this.file, line: part?.line ?? 1, column: (part?.column ?? 1) + offset - (part?.from ?? 0) };
  }
}

/** Longest text of a message that comes from outside. */
const VISIBLE_MAX = 512;

/** Text from a file or a command line as it may stand in a message or on a terminal: no control characters, not endless. */
export function visible(text: string): string {
  const clean = text.slice(0, VISIBLE_MAX + 1).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
  return clean.length > VISIBLE_MAX ? `${clean.slice(0, VISIBLE_MAX)}…` : clean;
}

/** Whether a line ends with a backslash that is not itself escaped. */
export function isContinued(row: string): boolean {
  let from = row.length;
  while (row[from - 1] === "\\") from -= 1;
  return (row.length - from) % 2 === 1;
}
