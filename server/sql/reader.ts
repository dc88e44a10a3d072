import { parseError } from "@clickhouse/client";
import type { QuerySettings, SqlEngine } from "./engines.ts";
import { type Question, questionOf, refusalOf } from "./gate.ts";

/** Bounds of one question. */
export const LIMITS = { seconds: 30, rows: 100_000, bytes: 64 * 1024 * 1024, rowsRead: 200_000_000 } as const;
/** Questions that wait while another one is answered. */
const WAITING_MAX = 16;
/** Tables that hold the server's own notes. */
const INTERNAL = /^(\.|checkpoints$|schema|migrations$)/;

/** Counted from 1; columns are characters. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A question that was refused, or that the engine could not answer, in ClickHouse's words. */
export class SqlFault extends Error {
  override readonly name = "SqlFault";
  readonly code: number;
  /** Where in the question, as far as the engine says. */
  readonly at: Position | undefined;

  constructor(code: number, why: string, at?: Position) {
    super(why);
    this.code = code;
    this.at = at;
  }
}

export interface SqlAnswer {
  readonly bytes: Buffer;
  readonly format: string;
}

export interface Asking {
  /** Values of `{name:Type}` in it. */
  readonly params?: Readonly<Record<string, string>>;
  /** Unless it says one itself, where it may. */
  readonly format: string;
  readonly isFormatFixed?: true;
  /** What is set for it beside the bounds, or instead of some of them. */
  readonly settings?: QuerySettings;
  /** As many rows of a plain SELECT are enough. */
  readonly rowsWanted?: number;
}

/** Strangers' questions, one at a time, each with nothing but reading allowed. */
export class SqlReader {
  private readonly engine: SqlEngine;
  private readonly database: string;
  private known: { readonly tables: ReadonlySet<string>; readonly foreign: ReadonlySet<string> } | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private closed = false;

  constructor(engine: SqlEngine, database: string) {
    this.engine = engine;
    this.database = database;
  }

  get kind(): SqlEngine["kind"] {
    return this.engine.kind;
  }

  /** @throws SqlFault */
  async ask(text: string, asking: Asking): Promise<SqlAnswer> {
    const question = questionOf(text);
    if ("why" in question) throw new SqlFault(question.code, question.why);
    if (asking.isFormatFixed && question.format !== undefined)
      throw new SqlFault(62, `FORMAT ${question.format} is not taken here: the answer is a table`);
    if (this.closed) throw new SqlFault(210, "the server stops");
    if (this.waiting >= WAITING_MAX) throw new SqlFault(202, "too many queries wait already: ask again later");
    this.waiting += 1;
    const answer = this.last.then(() => this.run(question, text, asking));
    this.last = answer.catch(() => undefined).finally(() => (this.waiting -= 1));
    return answer;
  }

  /** Before the store is closed. */
  async close(): Promise<void> {
    this.closed = true;
    await this.last;
    await this.engine.close();
  }

  private async run(question: Question, text: string, asking: Asking): Promise<SqlAnswer> {
    const { params = {}, settings, rowsWanted } = asking;
    const { sql } = question;
    const values = Object.entries(params).map(([name, value]) => [`param_${name}`, value] as const);
    const bounds = { ...Object.fromEntries(values), ...this.bounds() };
    try {
      const { tables, foreign } = await this.look();
      const ast = linesOf(await this.engine.ask(EXPLAIN + sql, LINES, { ...bounds, ...READONLY }));
      const refusal = refusalOf(ast, sql, { database: this.database, tables, foreign });
      if (refusal) throw new SqlFault(refusal.code, refusal.why);
      // Of what is put together the setting would cut each part, before they are put together.
      const limit = rowsWanted !== undefined && isPlainSelect(ast) ? { limit: rowsWanted } : {};
      const format = question.format ?? asking.format;
      const bytes = await this.engine.ask(sql, format, { ...bounds, ...settings, ...limit, ...READONLY });
      return { bytes, format };
    } catch (error) {
      throw error instanceof SqlFault ? error : faultOf(error, question, text);
    }
  }

  /** What the question may name. Of the embedded engine it is asked once: nobody else changes it. */
  private async look(): Promise<NonNullable<typeof this.known>> {
    if (this.known && this.kind === "embedded") return this.known;
    const names = async (sql: string): Promise<string[]> =>
      linesOf(await this.engine.ask(sql, LINES, { ...this.bounds(), ...READONLY }));
    // Not those that stand for files, other hosts or dictionaries, or for what is asked as somebody else.
    const tables = await names(
      `SELECT name FROM system.tables WHERE database = '${this.database}' AND (engine LIKE '%MergeTree' OR engine = 'Distributed')`,
    );
    const foreign = await names("SELECT lower(name) FROM system.functions WHERE origin != 'System'");
    this.known = { tables: new Set(tables.filter((name) => !INTERNAL.test(name))), foreign: new Set(foreign) };
    return this.known;
  }

  private bounds(): QuerySettings {
    return {
      max_execution_time: LIMITS.seconds,
      timeout_overflow_mode: "throw",
      max_result_rows: LIMITS.rows,
      max_result_bytes: LIMITS.bytes,
      result_overflow_mode: "throw",
      max_rows_to_read: LIMITS.rowsRead,
      max_memory_usage: this.engine.memoryBytes,
      max_bytes_before_external_group_by: 0,
      max_bytes_before_external_sort: 0,
      max_threads: 1,
      max_ast_depth: 500,
      max_ast_elements: 20_000,
      max_expanded_ast_elements: 50_000,
      allow_introspection_functions: 0,
      allow_ddl: 0,
      ...this.engine.settings,
    };
  }
}

/** The last: after it nothing can be set any more. */
const READONLY = { readonly: 1 } as const;
const EXPLAIN = "EXPLAIN AST ";
const LINES = "JSONCompactEachRow";

const isPlainSelect = ([root = "", list = "", first = ""]: readonly string[]): boolean =>
  root.startsWith("SelectWithUnionQuery") &&
  list.trim() === "ExpressionList (children 1)" &&
  first.trimStart().startsWith("SelectQuery");

/** The one column of an answer in JSONCompactEachRow. */
const linesOf = (bytes: Buffer): string[] =>
  bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as [string])[0]);

function faultOf(error: unknown, question: Question, text: string): SqlFault {
  const parsed = parseError(error instanceof Error ? error : new Error(String(error)));
  const code = "code" in parsed ? Number(parsed.code) : Number.NaN;
  const whole = parsed.message;
  const told = /\bat position (\d+) (\([^)]*\)) \(line \d+, col \d+\)/.exec(whole);
  const at = told ? positionOf(Number(told[1]), question, text) : undefined;
  const placed = at && told ? whole.replace(told[0], `at line ${at.line}, column ${at.column} ${told[2]}`) : whole;
  // A syntax error repeats what is behind it, which may have lines.
  const sentence = at ? placed.replace(/\s+/g, " ") : (placed.split("\n")[0] ?? "");
  return new SqlFault(Number.isInteger(code) ? code : 1002, sentence, at);
}

/** The engine counts bytes from 1, of what it was sent. */
function positionOf(byte: number, { sql, start }: Question, text: string): Position {
  const before = Buffer.from(EXPLAIN + sql)
    .subarray(0, byte - 1)
    .toString("utf8");
  const lines = text.slice(0, start + Math.max(0, before.length - EXPLAIN.length)).split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}
