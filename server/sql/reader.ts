import { parseError } from "@clickhouse/client";
import type { Session } from "chdb";
import { engineArguments, loadChdb } from "../store/embedded-connection.ts";
import { questionOf, refusalOf } from "./gate.ts";

/** Bounds of one question. */
export const LIMITS = { seconds: 30, rows: 100_000, bytes: 64 * 1024 * 1024, rowsRead: 200_000_000 } as const;
/** Questions that wait while another one is answered. */
const WAITING_MAX = 16;
/** Tables that hold the server's own notes. */
const INTERNAL = /^(\.|checkpoints$|schema|migrations$)/;

/** A question that was refused, or that the engine could not answer, in ClickHouse's words. */
export class SqlFault extends Error {
  override readonly name = "SqlFault";
  readonly code: number;

  constructor(code: number, why: string) {
    super(why);
    this.code = code;
  }
}

export interface SqlAnswer {
  readonly bytes: Buffer;
  readonly format: string;
}

/** Strangers' questions to the embedded engine, one at a time, each in a session that can only read. */
export class SqlReader {
  private readonly place: { readonly path: string; readonly memoryMib: number; readonly backups: string };
  private readonly database: string;
  private tables: ReadonlySet<string> | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private closed = false;

  /** The store at `path` must be open in this process. */
  constructor(place: SqlReader["place"], database: string) {
    this.place = place;
    this.database = database;
  }

  /**
   * @param params  values of `{name:Type}` in it
   * @param format  unless it says one itself
   * @throws SqlFault
   */
  async ask(text: string, params: Readonly<Record<string, string>>, format: string): Promise<SqlAnswer> {
    const question = questionOf(text);
    if ("why" in question) throw new SqlFault(question.code, question.why);
    if (this.closed) throw new SqlFault(210, "the server stops");
    if (this.waiting >= WAITING_MAX) throw new SqlFault(202, "too many queries wait already: ask again later");
    this.waiting += 1;
    const answer = this.last.then(() => this.run(question.sql, params, question.format ?? format));
    this.last = answer.catch(() => undefined).finally(() => (this.waiting -= 1));
    return answer;
  }

  /** Before the store is closed. */
  async close(): Promise<void> {
    this.closed = true;
    await this.last;
  }

  private async run(sql: string, params: Readonly<Record<string, string>>, format: string): Promise<SqlAnswer> {
    // A session of its own: nothing of one question is left for the next.
    const session = await this.open();
    const ask = async (query: string, as: string): Promise<Buffer> =>
      Buffer.from((await session.queryAsync(query, { format: as })).bytes());
    try {
      this.tables ??= await this.tablesOf(ask);
      session.query(this.bounds());
      // As they come in over HTTP. Bound by the package, what is escaped already would be escaped again.
      for (const [name, value] of Object.entries(params)) session.query(`SET param_${name} = ${literal(value)}`);
      const ast = linesOf(await ask(`EXPLAIN AST ${sql}`, "JSONCompactEachRow"));
      const refusal = refusalOf(ast, sql, { database: this.database, tables: this.tables });
      if (refusal) throw new SqlFault(refusal.code, refusal.why);
      return { bytes: await ask(sql, format), format };
    } catch (error) {
      throw error instanceof SqlFault ? error : faultOf(error);
    } finally {
      session.close();
    }
  }

  private async open(): Promise<Session> {
    const { path, memoryMib, backups } = this.place;
    const { Session: ChdbSession } = await loadChdb();
    const session = new ChdbSession(path, { connectionArgs: engineArguments(memoryMib, backups) });
    session.query(`USE ${this.database}`);
    return session;
  }

  private async tablesOf(ask: (query: string, as: string) => Promise<Buffer>): Promise<ReadonlySet<string>> {
    const names = await ask(`SELECT name FROM system.tables WHERE database = '${this.database}'`, "JSONCompactEachRow");
    return new Set(linesOf(names).filter((name) => !INTERNAL.test(name)));
  }

  private bounds(): string {
    const settings: Readonly<Record<string, string | number>> = {
      max_execution_time: LIMITS.seconds,
      timeout_overflow_mode: "throw",
      max_result_rows: LIMITS.rows,
      max_result_bytes: LIMITS.bytes,
      result_overflow_mode: "throw",
      max_rows_to_read: LIMITS.rowsRead,
      max_memory_usage: Math.floor((this.place.memoryMib * 1024 * 1024) / 3),
      max_bytes_before_external_group_by: 0,
      max_bytes_before_external_sort: 0,
      max_threads: 1,
      max_ast_depth: 500,
      max_ast_elements: 20_000,
      max_expanded_ast_elements: 50_000,
      allow_introspection_functions: 0,
      allow_ddl: 0,
      // The last: after it nothing can be set any more.
      readonly: 1,
    };
    const values = Object.entries(settings).map(
      ([name, value]) => `${name} = ${typeof value === "number" ? value : literal(value)}`,
    );
    return `SET ${values.join(", ")}`;
  }
}

const literal = (value: string): string => `'${value.replace(/['\\]/g, "\\$&")}'`;

/** The one column of an answer in JSONCompactEachRow. */
const linesOf = (bytes: Buffer): string[] =>
  bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as [string])[0]);

function faultOf(error: unknown): SqlFault {
  const parsed = parseError(error instanceof Error ? error : new Error(String(error)));
  const code = "code" in parsed ? Number(parsed.code) : Number.NaN;
  return new SqlFault(Number.isInteger(code) ? code : 1002, parsed.message.split("\n")[0] ?? "");
}
