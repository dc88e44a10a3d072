import type { SourceLocation } from "../core/errors.ts";
import type { Located } from "./located.ts";

/**
 * Enough of a POSIX shell to read what an init script would start: words, quotes, comments, assignments, variables.
 * Nothing is run. What only a run could tell (command substitution, arithmetic) is unknown, and said so.
 */

/** A piece of a word: text, or a variable whose value is split into words unless it stands in quotes. */
type Piece =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly quoted: boolean;
      /** `${X:-text}` and its like. */
      readonly operator: "" | "-" | "+" | "other";
      readonly operand: string;
    }
  | { readonly kind: "unknown" };

export interface ShellWord {
  readonly pieces: readonly Piece[];
  readonly at: SourceLocation;
  /** Some part of the word stands in quotes: it is no keyword, and is kept when it is empty. */
  readonly quoted: boolean;
  /** As it is written. */
  readonly raw: string;
}

/** Words up to a separator. */
export interface ShellCommand {
  readonly words: readonly ShellWord[];
  /** What ends it: `\n ; & && | || ( ) ;;` or the end of the file. */
  readonly end: string;
}

/** Longest chain of one `${A:-${B:-…}}`. */
const DEPTH_MAX = 8;

export function shellCommands(file: string, text: string): ShellCommand[] {
  return new ShellLexer(file, text).commands();
}

class ShellLexer {
  private readonly file: string;
  private readonly text: string;
  private i = 0;
  private line = 1;
  private lineStart = 0;
  private readonly heredocs: { readonly end: string; readonly tabs: boolean }[] = [];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  commands(): ShellCommand[] {
    const commands: ShellCommand[] = [];
    let words: ShellWord[] = [];
    const end = (how: string): void => {
      if (words.length > 0 || how === "||" || how === "&&") commands.push({ words, end: how });
      words = [];
    };
    while (this.i < this.text.length) {
      const char = this.text[this.i] ?? "";
      const two = this.text.slice(this.i, this.i + 2);
      if (char === "\n") {
        end("\n");
        this.newline();
        this.skipHeredocs();
      } else if (char === " " || char === "\t" || char === "\r") this.i += 1;
      else if (two === "\\\n") {
        this.i += 1;
        this.newline();
      } else if (char === "#") {
        const stop = this.text.indexOf("\n", this.i);
        this.i = stop < 0 ? this.text.length : stop;
      } else if (two === "&&" || two === "||" || two === ";;") {
        end(two);
        this.i += 2;
      } else if (";&|()".includes(char)) {
        end(char);
        this.i += 1;
      } else if (char === "<" || char === ">") this.redirection();
      else words.push(this.word());
    }
    end("");
    return commands;
  }

  private newline(): void {
    this.i += 1;
    this.line += 1;
    this.lineStart = this.i;
  }

  private here(): SourceLocation {
    return { file: this.file, line: this.line, column: this.i - this.lineStart + 1 };
  }

  private redirection(): void {
    const match = /^(<<-?|<|>>|>\||>)&?[ \t]*/.exec(this.text.slice(this.i, this.i + 80));
    this.i += match?.[0].length ?? 1;
    const target =
      this.i < this.text.length && !"\n;&|()<>".includes(this.text[this.i] ?? "") ? this.word() : undefined;
    const operator = match?.[1] ?? "";
    if (operator.startsWith("<<") && target && this.heredocs.length < 16)
      this.heredocs.push({ end: target.raw.replace(/["'\\]/g, ""), tabs: operator === "<<-" });
  }

  private skipHeredocs(): void {
    for (const { end, tabs } of this.heredocs.splice(0))
      while (this.i < this.text.length) {
        const stop = this.text.indexOf("\n", this.i);
        const row = this.text.slice(this.i, stop < 0 ? this.text.length : stop);
        this.i += row.length;
        if (stop >= 0) this.newline();
        if ((tabs ? row.replace(/^\t+/, "") : row) === end) break;
      }
  }

  private word(): ShellWord {
    const at = this.here();
    const start = this.i;
    const pieces: Piece[] = [];
    let text = "";
    let quoted = false;
    const flush = (): void => {
      if (text !== "") pieces.push({ kind: "text", text });
      text = "";
    };
    const dollar = (inQuotes: boolean): void => {
      const piece = this.expansion(inQuotes);
      if (piece === undefined) text += "$";
      else {
        flush();
        pieces.push(piece);
      }
    };
    while (this.i < this.text.length) {
      const char = this.text[this.i] ?? "";
      if (" \t\r\n;&|()<>".includes(char)) break;
      if (char === "\\") {
        const next = this.text[this.i + 1];
        this.i += 1;
        if (next === "\n") this.newline();
        else {
          text += next ?? "\\";
          if (next !== undefined) this.i += 1;
        }
      } else if (char === "'") {
        quoted = true;
        const close = this.text.indexOf("'", this.i + 1);
        const inside = this.text.slice(this.i + 1, close < 0 ? this.text.length : close);
        text += inside;
        this.advance(inside.length + (close < 0 ? 1 : 2));
      } else if (char === '"' || (char === "$" && this.text[this.i + 1] === '"')) {
        quoted = true;
        this.i += char === "$" ? 2 : 1;
        while (this.i < this.text.length && this.text[this.i] !== '"') {
          const inner = this.text[this.i] ?? "";
          if (inner === "\\" && '"\\$`\n'.includes(this.text[this.i + 1] ?? " ")) {
            if (this.text[this.i + 1] === "\n") this.advance(2);
            else {
              text += this.text[this.i + 1] ?? "";
              this.i += 2;
            }
          } else if (inner === "$") dollar(true);
          else if (inner === "`") {
            this.backticks();
            flush();
            pieces.push({ kind: "unknown" });
          } else {
            text += inner;
            this.advance(1);
          }
        }
        this.i += 1;
      } else if (char === "$") dollar(false);
      else if (char === "`") {
        this.backticks();
        flush();
        pieces.push({ kind: "unknown" });
      } else {
        text += char;
        this.i += 1;
      }
    }
    flush();
    // A character that begins no word (a lone closing quote at the end) still has to be passed.
    if (this.i === start) this.i += 1;
    return { pieces, at, quoted, raw: this.text.slice(start, Math.min(this.i, start + 4096)) };
  }

  private advance(length: number): void {
    const stop = Math.min(this.i + length, this.text.length);
    for (let at = this.i; at < stop; at++)
      if (this.text[at] === "\n") {
        this.line += 1;
        this.lineStart = at + 1;
      }
    this.i = stop;
  }

  private backticks(): void {
    const close = this.text.indexOf("`", this.i + 1);
    this.advance((close < 0 ? this.text.length : close + 1) - this.i);
  }

  /** What a `$` begins; undefined for a dollar sign that stands for itself. */
  private expansion(quoted: boolean): Piece | undefined {
    const next = this.text[this.i + 1] ?? "";
    if (next === "(") {
      this.advance(this.closing("(", ")", this.i + 1) + 1 - this.i);
      return { kind: "unknown" };
    }
    if (next === "{") {
      const close = this.closing("{", "}", this.i + 1);
      const inside = this.text.slice(this.i + 2, close);
      this.advance(close + 1 - this.i);
      const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::?([-+=?])([\s\S]*))?$/.exec(inside);
      if (!match) return { kind: "unknown" };
      const [, name = "", operator, operand = ""] = match;
      const known =
        operator === undefined ? "" : operator === "-" || operator === "=" ? "-" : operator === "+" ? "+" : "other";
      return { kind: "variable", name, quoted, operator: known, operand };
    }
    let end = this.i + 1;
    if (/[A-Za-z_]/.test(next)) {
      while (/[A-Za-z0-9_]/.test(this.text[end] ?? "")) end += 1;
      const name = this.text.slice(this.i + 1, end);
      this.i = end;
      return { kind: "variable", name, quoted, operator: "", operand: "" };
    }
    if (next !== "" && "0123456789@*#?$!-".includes(next)) {
      this.i += 2;
      return { kind: "unknown" };
    }
    this.i += 1;
    return undefined;
  }

  /** Index of the bracket that closes the one at `open`, quotes left out of account; the end of the text without one. */
  private closing(left: string, right: string, open: number): number {
    let depth = 0;
    for (let at = open; at < this.text.length; at++) {
      if (this.text[at] === "\\") at += 1;
      else if (this.text[at] === left) depth += 1;
      else if (this.text[at] === right && --depth === 0) return at;
    }
    return this.text.length;
  }
}

/** A shell variable: its value, or unknown, and where it was set. */
export interface ShellVariable {
  readonly name: string;
  readonly value: string | undefined;
  readonly at: SourceLocation;
  /** The assignment as it is written. */
  readonly raw: string;
}

/** The shell's variables while a script is read from top to bottom. */
export class ShellScope {
  readonly variables = new Map<string, ShellVariable>();
  /** Names that were asked for. */
  readonly used = new Set<string>();

  /** `NAME=value` at the word's beginning; undefined when the word is no assignment. */
  assignment(word: ShellWord): { readonly name: string; readonly value: string | undefined } | undefined {
    const [first] = word.pieces;
    const match = first?.kind === "text" ? /^([A-Za-z_][A-Za-z0-9_]*)(\+?)=/.exec(first.text) : null;
    if (!match || first?.kind !== "text" || !/^[A-Za-z_]/.test(word.raw)) return undefined;
    const [whole, name = "", plus] = match;
    const rest = [{ kind: "text" as const, text: first.text.slice(whole.length) }, ...word.pieces.slice(1)];
    const value = this.join(rest, 0);
    const before = plus === "+" ? (this.variables.get(name)?.value ?? "") : "";
    return { name, value: value === undefined ? undefined : before + value };
  }

  set(name: string, value: string | undefined, { at, raw }: ShellWord): void {
    this.variables.set(name, { name, value: value?.slice(0, 65_536), at, raw });
  }

  /** A word as one text, as the shell takes it in an assignment or in quotes; undefined when a part is unknown. */
  text(word: ShellWord): string | undefined {
    return this.join(word.pieces, 0);
  }

  /**
   * Words after expansion and splitting, each with the place it is written at: a variable's words stand where it was set.
   * @returns undefined in place of a word of which a part is unknown
   */
  expand(word: ShellWord): (Located | undefined)[] {
    const result: (Located | undefined)[] = [];
    let current: { text: string; at: SourceLocation } | undefined = word.quoted ? { text: "", at: word.at } : undefined;
    let unknown = false;
    const end = (): void => {
      if (unknown) result.push(undefined);
      else if (current) result.push(current);
      current = undefined;
      unknown = false;
    };
    for (const piece of word.pieces) {
      const value = this.valueOf(piece, 0);
      if (value === undefined) unknown = true;
      else if (piece.kind !== "variable" || piece.quoted) {
        current ??= { text: "", at: word.at };
        current.text += value;
      } else {
        const variable = this.variables.get(piece.name);
        const parts = value.split(/[ \t\n]+/);
        let from = piece.name.length;
        for (let i = 0; i < parts.length && result.length < 4096; i++) {
          if (i > 0) end();
          const part = parts[i] ?? "";
          if (part === "") continue;
          // Where the word stands in the assignment, as long as it is written there as it is.
          const found = variable?.raw.indexOf(part, from) ?? -1;
          from = found < 0 ? from : found + part.length;
          current ??= { text: "", at: variable === undefined ? word.at : placeIn(variable, Math.max(0, found)) };
          current.text += part;
        }
      }
    }
    end();
    return result;
  }

  private join(pieces: readonly Piece[], depth: number): string | undefined {
    let result = "";
    for (const piece of pieces) {
      const value = this.valueOf(piece, depth);
      if (value === undefined) return undefined;
      result += value;
    }
    return result;
  }

  private valueOf(piece: Piece, depth: number): string | undefined {
    if (piece.kind === "text") return piece.text;
    if (piece.kind === "unknown" || piece.operator === "other") return undefined;
    this.used.add(piece.name);
    const variable = this.variables.get(piece.name);
    const value = variable ? variable.value : "";
    if (value === undefined || piece.operator === "") return value;
    if ((piece.operator === "-") === (value !== "")) return piece.operator === "-" ? value : "";
    if (depth >= DEPTH_MAX) return undefined;
    const [command] = shellCommands("", `"${piece.operand.replace(/^"([\s\S]*)"$/, "$1")}"`);
    const [operand] = command?.words ?? [];
    return operand ? this.join(operand.pieces, depth + 1) : "";
  }
}

function placeIn({ at, raw }: ShellVariable, offset: number): SourceLocation {
  const before = raw.slice(0, offset);
  const lines = before.split("\n").length - 1;
  return lines === 0
    ? { ...at, column: at.column + offset }
    : { file: at.file, line: at.line + lines, column: offset - before.lastIndexOf("\n") };
}
