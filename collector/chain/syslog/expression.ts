import type { Cursor } from "./cursor.ts";
import type { SyslogLine } from "./line.ts";
import { compareProperty } from "./selector.ts";
import { and, not, or, type Verdict } from "./verdict.ts";

/** `$programname == 'Keepalived' and not ($msg contains "x")`, up to `then`. */
export class Expression {
  private readonly cursor: Cursor;
  private readonly line: SyslogLine;
  private depth = 0;

  constructor(cursor: Cursor, line: SyslogLine) {
    this.cursor = cursor;
    this.line = line;
  }

  read(): Verdict {
    const verdict = this.either();
    // What was not understood up to `then` makes the whole uncertain.
    const skipped = this.cursor.skipTo("then");
    return skipped ? undefined : verdict;
  }

  private either(): Verdict {
    let verdict = this.both();
    for (;;) {
      this.cursor.skipBlanks();
      if (this.cursor.peekWord().toLowerCase() !== "or") return verdict;
      this.cursor.takeLength(2);
      verdict = or(verdict, this.both());
    }
  }

  private both(): Verdict {
    let verdict = this.unary();
    for (;;) {
      this.cursor.skipBlanks();
      if (this.cursor.peekWord().toLowerCase() !== "and") return verdict;
      this.cursor.takeLength(3);
      verdict = and(verdict, this.unary());
    }
  }

  private unary(): Verdict {
    this.cursor.skipBlanks();
    if (this.depth >= 64) return undefined;
    this.depth += 1;
    try {
      if (this.cursor.peekWord().toLowerCase() === "not") {
        this.cursor.takeLength(3);
        return not(this.unary());
      }
      if (this.cursor.take("(")) {
        const verdict = this.either();
        this.cursor.skipBlanks();
        return this.cursor.take(")") ? verdict : undefined;
      }
      return this.comparison();
    } finally {
      this.depth -= 1;
    }
  }

  private comparison(): Verdict {
    const left = this.operand();
    this.cursor.skipBlanks();
    const operation = this.cursor.takeWhile(/[=!<>]/y) || this.cursor.comparisonWord();
    if (left === undefined || operation === "") return undefined;
    this.cursor.skipBlanks();
    if (this.cursor.take("[")) {
      // A list of alternatives.
      let verdict: Verdict = false;
      for (;;) {
        this.cursor.skipBlanks();
        const value = this.operand();
        if (value === undefined) return undefined;
        verdict = or(verdict, this.compare(left, operation, value));
        this.cursor.skipBlanks();
        if (this.cursor.take("]")) return verdict;
        if (!this.cursor.take(",")) return undefined;
      }
    }
    const right = this.operand();
    return right === undefined ? undefined : this.compare(left, operation, right);
  }

  private compare(left: string, operation: string, right: string): Verdict {
    return left.startsWith("$")
      ? compareProperty(left.toLowerCase(), operation.toLowerCase(), right, this.line)
      : undefined;
  }

  private operand(): string | undefined {
    const quoted = this.cursor.quoted('"') ?? this.cursor.quoted("'");
    if (quoted !== undefined) return quoted;
    const text = this.cursor.takeWhile(/[\w$!.-]/y);
    return text === "" ? undefined : text;
  }
}
