import type { SourceLocation } from "../core/errors.ts";
import { absolute, type ChainTree } from "./files.ts";
import { readSyslogNg } from "./syslog-ng.ts";

/** One place where a syslog daemon puts keepalived's lines. */
export interface LogTarget {
  /** `/var/log/messages`, `@loghost`, `:omusrmsg:root`. */
  readonly to: string;
  readonly at: SourceLocation;
  /** Only a run could tell whether the line gets here: its condition asks for more than facility, severity and program. */
  readonly isCertain: boolean;
}

/** What the syslog daemon's rules do with a line of keepalived. */
export interface SyslogRules {
  readonly daemon: "rsyslog" | "syslog-ng" | "syslogd";
  readonly files: readonly string[];
  readonly targets: readonly LogTarget[];
  /** The rule that throws the lines away before another one keeps them. */
  readonly discardedAt?: SourceLocation;
}

/** The line that is looked for: almost all of keepalived's are INFO. */
export interface SyslogLine {
  readonly program: string;
  /** `daemon`, `local0`, … */
  readonly facility: string;
}

const FACILITIES: readonly string[] = [
  "kern",
  "user",
  "mail",
  "daemon",
  "auth",
  "syslog",
  "lpr",
  "news",
  "uucp",
  "cron",
  "authpriv",
  "ftp",
];
const SEVERITIES: readonly string[] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const SEVERITY_ALIASES: Readonly<Record<string, string>> = { panic: "emerg", error: "err", warn: "warning" };
const INFO = 6;
const INCLUDE_DEPTH_MAX = 8;
const FILES_MAX = 256;

/** Reads the rules of whichever syslog daemon the node has; undefined when there is none. */
export function readSyslog(tree: ChainTree, line: SyslogLine): SyslogRules | undefined {
  if (tree.isFile("/etc/rsyslog.conf")) return new LegacyRules(tree, line, "rsyslog").result("/etc/rsyslog.conf");
  if (tree.isFile("/etc/syslog-ng/syslog-ng.conf")) return readSyslogNg(tree, line, "/etc/syslog-ng/syslog-ng.conf");
  if (tree.isFile("/etc/syslog.conf")) return new LegacyRules(tree, line, "syslogd").result("/etc/syslog.conf");
  return undefined;
}

/** yes, no, or only a run could tell. */
type Verdict = boolean | undefined;

const and = (a: Verdict, b: Verdict): Verdict =>
  a === false || b === false ? false : a === undefined || b === undefined ? undefined : true;
const or = (a: Verdict, b: Verdict): Verdict =>
  a === true || b === true ? true : a === undefined || b === undefined ? undefined : false;
const not = (a: Verdict): Verdict => (a === undefined ? undefined : !a);

/** Selectors (`daemon.*;mail.none`), property filters (`:programname, isequal, "x"`) and the RainerScript around them. */
class LegacyRules {
  private readonly tree: ChainTree;
  private readonly line: SyslogLine;
  private readonly daemon: SyslogRules["daemon"];
  private readonly files: string[] = [];
  private readonly targets: LogTarget[] = [];
  private discardedAt: SourceLocation | undefined;
  /** Whether the rule before an `&` matched. */
  private last: Verdict = false;
  private stopped = false;

  constructor(tree: ChainTree, line: SyslogLine, daemon: SyslogRules["daemon"]) {
    this.tree = tree;
    this.line = line;
    this.daemon = daemon;
  }

  result(path: string): SyslogRules {
    this.file(path, 0);
    return {
      daemon: this.daemon,
      files: this.files,
      targets: this.targets,
      ...(this.discardedAt === undefined ? {} : { discardedAt: this.discardedAt }),
    };
  }

  private file(path: string, depth: number): void {
    const text = this.tree.text(path);
    if (text === undefined || depth > INCLUDE_DEPTH_MAX || this.files.length >= FILES_MAX) return;
    this.files.push(path);
    this.block(new Cursor(path, text), true, depth, false);
  }

  /** Statements up to the block's `}` or the end of the file. */
  private block(cursor: Cursor, condition: Verdict, depth: number, isNested: boolean): void {
    for (;;) {
      cursor.skipBlanks();
      if (cursor.atEnd()) return;
      if (cursor.take("}")) {
        if (isNested) return;
        continue;
      }
      const before = cursor.offset;
      this.statement(cursor, condition, depth);
      // Whatever it was, go on behind it: a statement that takes nothing would be read for ever.
      if (cursor.offset === before) cursor.restOfLine();
    }
  }

  private statement(cursor: Cursor, condition: Verdict, depth: number): void {
    const at = cursor.here();
    if (cursor.take("{")) return this.block(cursor, condition, depth, true);
    const word = cursor.peekWord();
    if (word === "if") {
      cursor.take("if");
      const test = new Expression(cursor, this.line).read();
      this.consequence(cursor, and(condition, test), depth);
      const rest = cursor.mark();
      cursor.skipBlanks();
      if (cursor.peekWord() === "else") {
        cursor.take("else");
        this.consequence(cursor, and(condition, not(test)), depth);
      } else cursor.back(rest);
      // What an `&` on the next line goes on with.
      this.last = test;
      return;
    }
    if (word === "action" && cursor.lookingAt(/action\s*\(/y)) {
      cursor.take("action");
      this.action(actionTarget(cursor.call()), at, condition);
      return;
    }
    if (word === "include" && cursor.lookingAt(/include\s*\(/y)) {
      cursor.take("include");
      const file = cursor.call().get("file");
      if (file !== undefined && condition !== false)
        for (const path of this.tree.glob(absolute(file, "/etc"))) this.file(path, depth + 1);
      return;
    }
    if (word === "stop" || cursor.lookingAt(/~[ \t]*(?:\n|$)/y)) {
      cursor.restOfLine();
      this.stop(at, condition);
      return;
    }
    if (
      /^(module|input|template|global|main_queue|timezone|parser|lookup_table|dyn_stats|ruleset|set|reset|unset|call|continue|foreach|call_indirect|reload_lookup_table|ratelimit|percentile_stats)$/.test(
        word,
      )
    ) {
      // A ruleset's own rules only see what an input sends to it: keepalived's lines come by the default one.
      cursor.declaration();
      return;
    }
    if (word.startsWith("$")) {
      const [name = "", pattern = ""] = cursor.restOfLine().trim().split(/\s+/, 2);
      if (/^\$includeconfig$/i.test(name)) for (const path of this.includes(pattern)) this.file(path, depth + 1);
      return;
    }
    if (cursor.take("&")) {
      cursor.skipBlanks();
      this.legacyAction(cursor, at, and(condition, this.last), depth);
      return;
    }
    if (cursor.lookingAt(/[!+-][^/]/y) && !cursor.lookingAt(/-\//y)) {
      // A BSD block: `!program` or `+host` limits what follows; `!*` ends it.
      const block = cursor.restOfLine().trim();
      if (block.startsWith("!")) cursor.program = block.slice(1).trim();
      return;
    }
    const filter = cursor.take(":") ? this.propertyFilter(cursor) : this.selector(cursor);
    const program = cursor.program;
    const own = program === "*" || program === "" || program.split(",").includes(this.line.program);
    this.last = and(filter, own);
    cursor.skipSpaces();
    this.legacyAction(cursor, at, and(condition, this.last), depth);
  }

  /** What stands behind `then` or `else`: a block, a statement, or an action as in a selector's line. */
  private consequence(cursor: Cursor, condition: Verdict, depth: number): void {
    const at = cursor.here();
    cursor.skipBlanks();
    if (cursor.take("{")) this.block(cursor, condition, depth, true);
    else this.legacyAction(cursor, at, condition, depth);
  }

  private includes(pattern: string): string[] {
    const path = absolute(pattern, "/etc");
    // A directory stands for all files in it.
    return this.tree.stat(path)?.kind === "directory"
      ? this.tree.names(path).map((name) => `${path.replace(/\/+$/, "")}/${name}`)
      : this.tree.glob(path);
  }

  private selector(cursor: Cursor): Verdict {
    const text = cursor.takeWhile(/[^ \t\n{]/y);
    return selects(text, this.line.facility);
  }

  private propertyFilter(cursor: Cursor): Verdict {
    const row = cursor.takeWhile(/[^\n"]/y);
    const value = cursor.quoted('"') ?? "";
    const [property = "", operation = ""] = row.split(",").map((one) => one.trim().toLowerCase());
    const negated = operation.startsWith("!");
    const fact = compareProperty(property, operation.replace(/^!\s*/, ""), value, this.line);
    return negated ? not(fact) : fact;
  }

  private legacyAction(cursor: Cursor, at: SourceLocation, condition: Verdict, depth: number): void {
    if (cursor.lookingAt(/\{/y) || /^(action|stop|if|set|call)$/.test(cursor.peekWord()))
      return this.statement(cursor, condition, depth);
    const text = cursor
      .restOfLine()
      .replace(/(^|\s)#.*$/s, "")
      .trim();
    if (text === "~" || text === "stop" || text.startsWith("~ ")) return this.stop(at, condition);
    if (text === "") return;
    // `;template` chooses a format.
    const target = text.replace(/^-(?=\/)/, "").replace(/;[\w-]*$/, "");
    this.action(target, at, condition);
  }

  private action(to: string | undefined, at: SourceLocation, condition: Verdict): void {
    if (to === undefined || condition === false || this.stopped) return;
    this.targets.push({ to, at, isCertain: condition === true });
  }

  private stop(at: SourceLocation, condition: Verdict): void {
    if (condition !== true || this.stopped) return;
    this.stopped = true;
    this.discardedAt = at;
  }
}

/** Whether `daemon.*;mail.none` takes an INFO line of this facility. */
export function selects(selector: string, facility: string): Verdict {
  let mask = 0;
  let isSelector = false;
  for (const part of selector.split(";")) {
    const dot = part.lastIndexOf(".");
    if (dot < 0) continue;
    isSelector = true;
    if (
      !part
        .slice(0, dot)
        .split(",")
        .some((one) => one === "*" || nameOfFacility(one) === facility)
    )
      continue;
    const severity = part.slice(dot + 1).toLowerCase();
    const ignores = severity.startsWith("!");
    const exact = severity.slice(ignores ? 1 : 0).startsWith("=");
    const name = severity.slice((ignores ? 1 : 0) + (exact ? 1 : 0));
    if (name === "none") mask = ignores ? 0xff : 0;
    else {
      const level = name === "*" ? 7 : severityOf(name);
      if (level < 0) continue;
      const bits = exact && name !== "*" ? 1 << level : (1 << (level + 1)) - 1;
      mask = ignores ? mask & ~bits : mask | bits;
    }
  }
  return isSelector ? (mask & (1 << INFO)) !== 0 : false;
}

function nameOfFacility(text: string): string {
  const lower = text.trim().toLowerCase();
  if (/^\d{1,2}$/.test(lower)) {
    const number = Number(lower);
    return number >= 16 && number < 24 ? `local${number - 16}` : (FACILITIES[number] ?? lower);
  }
  return lower === "security" ? "auth" : lower;
}

function severityOf(name: string): number {
  return /^[0-7]$/.test(name) ? Number(name) : SEVERITIES.indexOf(SEVERITY_ALIASES[name] ?? name);
}

/** A property of the line against a constant; undefined where only the line itself could tell. */
function compareProperty(property: string, operation: string, value: string, line: SyslogLine): Verdict {
  const facility = FACILITIES.indexOf(line.facility);
  const number = facility >= 0 ? facility : 16 + Number(line.facility.slice(5));
  const known: Readonly<Record<string, string>> = {
    programname: line.program,
    "app-name": line.program,
    syslogtag: `${line.program}[`,
    "syslogfacility-text": line.facility,
    syslogfacility: String(number),
    "syslogseverity-text": "info",
    syslogseverity: String(INFO),
    syslogpriority: String(INFO),
    "syslogpriority-text": "info",
    pri: String(number * 8 + INFO),
  };
  const fact = known[property.replace(/^\$/, "")];
  if (fact === undefined) return undefined;
  const isNumber = /^\d+$/.test(fact) && /^\d+$/.test(value);
  switch (operation) {
    case "isequal":
    case "==":
      // The tag ends with the process id, which is another one each time.
      return property.includes("syslogtag") ? undefined : fact === value;
    case "!=":
    case "<>":
      return property.includes("syslogtag") ? undefined : fact !== value;
    case "startswith":
      return fact.startsWith(value);
    case "startswith_i":
      return fact.toLowerCase().startsWith(value.toLowerCase());
    case "contains":
      return fact.includes(value);
    case "contains_i":
      return fact.toLowerCase().includes(value.toLowerCase());
    case "<=":
      return isNumber ? Number(fact) <= Number(value) : undefined;
    case "<":
      return isNumber ? Number(fact) < Number(value) : undefined;
    case ">=":
      return isNumber ? Number(fact) >= Number(value) : undefined;
    case ">":
      return isNumber ? Number(fact) > Number(value) : undefined;
    default:
      return undefined;
  }
}

function actionTarget(settings: ReadonlyMap<string, string>): string | undefined {
  const type = (settings.get("type") ?? "").toLowerCase();
  switch (type) {
    case "omfile":
      return settings.get("file") ?? `template ${settings.get("dynafile") ?? "?"}`;
    case "omfwd":
      return `${settings.get("protocol") === "tcp" ? "@@" : "@"}${settings.get("target") ?? "?"}`;
    case "omdiscard":
      return undefined;
    default:
      return `:${type}:`;
  }
}

/** `$programname == 'Keepalived' and not ($msg contains "x")`, up to `then`. */
class Expression {
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

/** A place in a file that only moves forward, except to a mark it was given. */
class Cursor {
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
