import { isContinued, type Located, LocatedText } from "./located.ts";
import type { Variable } from "./systemd-text.ts";
import type { SourceLocation } from "../core/errors.ts";

/** A line of an environment file that does something else than it says. */
export interface EnvironmentTrap {
  readonly kind: "export" | "invalid" | "comment" | "dollar";
  readonly name: string;
  readonly at: SourceLocation;
}

export interface EnvironmentText {
  readonly variables: readonly Variable[];
  readonly traps: readonly EnvironmentTrap[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * An `EnvironmentFile=` as systemd reads it (systemd.exec(5)): one assignment a line, no shell. `export` makes the name
 * invalid, `#` is a comment only where a line begins, and `$NAME` in a value stays as it is.
 */
export function readEnvironmentFile(path: string, text: string): EnvironmentText {
  const variables: Variable[] = [];
  const traps: EnvironmentTrap[] = [];
  const rows = text.split(/\r\n|[\n\r]/);
  for (let i = 0; i < rows.length; i++) {
    const line = i + 1;
    const row = rows[i] ?? "";
    const start = row.search(/[^ \t]/);
    if (start < 0) continue;
    if (row[start] === "#" || row[start] === ";") {
      // A comment whose line ends with a backslash goes on.
      while (isContinued(rows[i] ?? "") && i + 1 < rows.length) i += 1;
      continue;
    }
    // An equals sign that begins the line is taken for the name's first character.
    const equals = row.indexOf("=", start + 1);
    if (equals < 0) continue;
    const name = row.slice(start, equals).trimEnd();
    const value = new ValueReader(path, rows, i, equals + 1);
    i = value.row;
    const at = { file: path, line, column: start + 1 };
    if (!NAME.test(name)) {
      const exported = /^export[ \t]+/.exec(name);
      traps.push({ kind: exported ? "export" : "invalid", name: exported ? name.slice(exported[0].length) : name, at });
      continue;
    }
    const text = value.value.text;
    variables.push({ name, text, at, value: value.value });
    if (value.hasComment) traps.push({ kind: "comment", name, at });
    if (/\$[A-Za-z_{]/.test(text)) traps.push({ kind: "dollar", name, at });
  }
  return { variables, traps };
}

/** One value: quotes only where the value or its next part begins, an escaped line end joins two lines. */
class ValueReader {
  readonly value: LocatedText;
  row: number;
  /** An unquoted part holds ` #`, which a shell would take for a comment. */
  hasComment = false;
  /** Blanks that only count when something follows them. */
  private blanks: [char: string, line: number, column: number][] = [];

  constructor(file: string, rows: readonly string[], row: number, column: number) {
    this.value = new LocatedText(file);
    this.row = row;
    let quote = "";
    let inValue = false;
    let i = column;
    for (;;) {
      const line = rows[this.row] ?? "";
      if (i >= line.length) {
        if (quote === "" || this.row + 1 >= rows.length) break;
        this.keep("\n", i);
        this.row += 1;
        i = 0;
        continue;
      }
      const char = line[i] ?? "";
      i += 1;
      if (quote === "'") {
        if (char === "'") quote = "";
        else this.keep(char, i);
      } else if (char === "\\") {
        if (i >= line.length) {
          // The line end is eaten up, and the value goes on.
          if (this.row + 1 >= rows.length) break;
          if (quote === "") {
            this.keep("", i);
            inValue = true;
          }
          this.row += 1;
          i = 0;
          continue;
        }
        const next = line[i] ?? "";
        if (quote === '"' && !'"\\`$'.includes(next)) this.keep(char, i);
        i += 1;
        this.keep(next, i);
        if (quote === "") inValue = true;
      } else if (quote === '"') {
        if (char === '"') quote = "";
        else this.keep(char, i);
      } else if (!inValue && (char === '"' || char === "'")) quote = char;
      else if (char === " " || char === "\t") {
        if (inValue) this.blanks.push([char, this.row + 1, i]);
      } else {
        if (char === "#" && /[ \t]/.test(line[i - 2] ?? "")) this.hasComment = true;
        inValue = true;
        this.keep(char, i);
      }
    }
  }

  private keep(char: string, column: number): void {
    for (const [blank, line, at] of this.blanks) this.value.push(blank, line, at);
    this.blanks = [];
    if (char !== "") this.value.push(char, this.row + 1, column);
  }
}

/** `Environment=A=1 "B=x y"`: words of assignments. */
export function assignmentsOf(words: readonly Located[]): Variable[] {
  return words.flatMap(({ text, at }) => {
    const equals = text.indexOf("=");
    const name = text.slice(0, Math.max(0, equals));
    return NAME.test(name) ? [{ name, text: text.slice(equals + 1), ...(at === undefined ? {} : { at }) }] : [];
  });
}
