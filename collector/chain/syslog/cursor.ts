import type { SourceLocation } from "../../core/errors.ts";

/** A place in a file that only moves forward, except to a mark it was given. */
export class Cursor {
  readonly file: string;
  private readonly text: string;
  offset = 0;
  /** What the last `!program` line said. */
  program = "*";
  private line = 1;
  private lineStart = 0;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  atEnd(): boolean {
    return this.offset >= this.text.length;
  }

  here(): SourceLocation {
    return { file: this.file, line: this.line, column: this.offset - this.lineStart + 1 };
  }

  mark(): readonly [number, number, number] {
    return [this.offset, this.line, this.lineStart];
  }

  back([offset, line, lineStart]: readonly [number, number, number]): void {
    this.offset = offset;
    this.line = line;
    this.lineStart = lineStart;
  }

  lookingAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.offset;
    return pattern.test(this.text);
  }

  take(token: string): boolean {
    if (!this.text.startsWith(token, this.offset)) return false;
    this.takeLength(token.length);
    return true;
  }

  takeLength(length: number): void {
    const stop = Math.min(this.offset + length, this.text.length);
    for (; this.offset < stop; this.offset++)
      if (this.text[this.offset] === "\n") {
        this.line += 1;
        this.lineStart = this.offset + 1;
      }
  }

  /** @param pattern  sticky, of one character */
  takeWhile(pattern: RegExp): string {
    const start = this.offset;
    while (!this.atEnd() && this.lookingAt(pattern)) this.takeLength(1);
    return this.text.slice(start, this.offset);
  }

  peekWord(): string {
    let end = this.offset;
    while (end < this.text.length && end - this.offset < 64 && /[\w$]/.test(this.text[end] ?? "")) end += 1;
    return this.text.slice(this.offset, end);
  }

  comparisonWord(): string {
    const word = this.peekWord();
    if (!/^(contains|contains_i|startswith|startswith_i|endswith)$/i.test(word)) return "";
    this.takeLength(word.length);
    return word;
  }

  skipSpaces(): void {
    this.takeWhile(/[ \t]/y);
  }

  /** Blanks, line ends and comments. */
  skipBlanks(): void {
    for (;;) {
      this.takeWhile(/[ \t\r\n]/y);
      if (this.text[this.offset] === "#") this.restOfLine();
      else if (this.text.startsWith("/*", this.offset)) {
        const close = this.text.indexOf("*/", this.offset + 2);
        this.takeLength((close < 0 ? this.text.length : close + 2) - this.offset);
      } else return;
    }
  }

  /** The rest of the line; one that ends with a backslash goes on. */
  restOfLine(): string {
    let text = "";
    for (;;) {
      const stop = this.text.indexOf("\n", this.offset);
      const row = this.text.slice(this.offset, stop < 0 ? this.text.length : stop);
      this.takeLength(row.length + 1);
      if (!row.endsWith("\\") || this.atEnd()) return text + row.replace(/\r$/, "");
      text += row.slice(0, -1);
    }
  }

  quoted(quote: string): string | undefined {
    if (this.text[this.offset] !== quote) return undefined;
    let value = "";
    this.takeLength(1);
    while (!this.atEnd()) {
      const char = this.text[this.offset] ?? "";
      this.takeLength(1);
      if (char === quote) break;
      if (char === "\\" && !this.atEnd()) {
        value += this.text[this.offset] ?? "";
        this.takeLength(1);
      } else value += char;
    }
    return value;
  }

  /** `(name="value" …)` as a map, names in lower case. */
  call(): Map<string, string> {
    const settings = new Map<string, string>();
    this.skipBlanks();
    if (!this.take("(")) return settings;
    for (;;) {
      this.skipBlanks();
      if (this.atEnd() || this.take(")")) return settings;
      const name = this.takeWhile(/[\w.-]/y).toLowerCase();
      this.skipBlanks();
      if (name !== "" && this.take("=")) {
        this.skipBlanks();
        const value = this.quoted('"') ?? this.quoted("'") ?? this.takeWhile(/[^ \t\n)]/y);
        settings.set(name, value);
      } else this.takeLength(name === "" ? 1 : 0);
    }
  }

  /** Over `module(…)`, `ruleset(…) { … }`, `set $.x = "y";`: to the end of its brackets or its semicolon. */
  declaration(): void {
    let depth = 0;
    while (!this.atEnd()) {
      const char = this.text[this.offset] ?? "";
      if (char === '"' || char === "'") this.quoted(char);
      else if (char === "#" || this.text.startsWith("/*", this.offset)) this.skipBlanks();
      else {
        if (char === "(" || char === "{") depth += 1;
        if (depth === 0 && (char === "\n" || char === "}")) return;
        this.takeLength(1);
        if (char === ")" || char === "}") depth -= 1;
        if (char === ";" && depth <= 0) return;
        if ((char === ")" || char === "}") && depth <= 0) {
          // A block may follow the brackets: `ruleset(name="x") {`.
          const mark = this.mark();
          this.skipBlanks();
          if (char === ")" && this.text[this.offset] === "{") continue;
          this.back(mark);
          return;
        }
      }
    }
  }

  /** @returns whether something stood before the word */
  skipTo(word: string): boolean {
    this.skipBlanks();
    let skipped = false;
    while (!this.atEnd()) {
      if (this.peekWord() === word) {
        this.takeLength(word.length);
        return skipped;
      }
      const char = this.text[this.offset] ?? "";
      skipped = true;
      if (char === '"' || char === "'") this.quoted(char);
      else this.takeLength(Math.max(1, this.peekWord().length));
      this.skipBlanks();
    }
    return skipped;
  }
}
