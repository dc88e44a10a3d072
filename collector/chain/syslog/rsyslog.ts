import type { SourceLocation } from "../../core/errors.ts";
import { absolute, type ChainTree } from "../files.ts";
import { Cursor } from "./cursor.ts";
import { Expression } from "./expression.ts";
import type { LogTarget, SyslogLine, SyslogRules } from "./line.ts";
import { compareProperty, selects } from "./selector.ts";
import { and, not, type Verdict } from "./verdict.ts";

const INCLUDE_DEPTH_MAX = 8;
const FILES_MAX = 256;

/** Selectors (`daemon.*;mail.none`), property filters (`:programname, isequal, "x"`) and the RainerScript around them. */
export class LegacyRules {
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
