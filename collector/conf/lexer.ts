import type { SourceLocation } from "../core/errors.ts";

/** A word of a configuration line: a keyword, a value, `{` or `}`. */
export interface Word {
  readonly text: string;
  readonly at: SourceLocation;
  /** Written in quotes: a brace or a comment sign in it is only text. */
  readonly quoted: boolean;
}

export interface LexFault {
  readonly code: "unterminated_quote";
  readonly at: SourceLocation;
  readonly message: string;
}

/**
 * Cuts one line into words as keepalived does: `#` and `!` begin a comment anywhere outside double quotes unless a
 * backslash stands before them; braces are words of their own also when they are glued to text. `//`, `;` and `/*` are
 * no comments. (keepalived 2.2.7, lib/parser.c)
 */
export function lexLine(text: string, file: string, line: number): { words: Word[]; faults: LexFault[] } {
  const words: Word[] = [];
  const faults: LexFault[] = [];
  const at = (index: number): SourceLocation => ({ file, line, column: index + 1 });
  let current = "";
  let start = 0;
  const flush = (): void => {
    if (current !== "") words.push({ text: current, at: at(start), quoted: false });
    current = "";
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    if (c === "\\" && (text[i + 1] === "#" || text[i + 1] === "!")) {
      if (current === "") start = i;
      current += text[i + 1];
      i += 1;
    } else if (c === "#" || c === "!") break;
    else if (c === '"') {
      flush();
      const end = text.indexOf('"', i + 1);
      if (end < 0)
        faults.push({ code: "unterminated_quote", at: at(i), message: "a double quote is not closed on its line" });
      words.push({ text: text.slice(i + 1, end < 0 ? undefined : end), at: at(i), quoted: true });
      if (end < 0) break;
      i = end;
    } else if (c === "{" || c === "}") {
      // `${NAME}` that nothing defines stays as it is, and its braces count: keepalived reads them so.
      flush();
      words.push({ text: c, at: at(i), quoted: false });
    } else if (/\s/.test(c)) flush();
    else {
      if (current === "") start = i;
      current += c;
    }
  }
  flush();
  return { words, faults };
}
