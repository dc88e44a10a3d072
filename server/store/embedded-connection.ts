import { access, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type createClient, parseError } from "@clickhouse/client";
import type * as Chdb from "chdb";
import type { Session } from "chdb";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import { asFile } from "./memory-file.ts";

export type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>["connection"]>;
type QueryParams = Parameters<Connection["query"]>[0];
type Settings = NonNullable<QueryParams["clickhouse_settings"]>;
type Answer = { query_id: string; response_headers: Record<string, string>; http_status_code: number };

/** Sessions on the embedded engine at once. Each holds a thread of libuv's pool while a query runs: more would starve files and names. */
const SESSIONS = 2;
/** Most requests that wait for a session. Further ones are refused: the store's own callers are bounded, so more than this is a fault. */
const WAITING_MAX = 1_000;
const MIB = 1024 * 1024;

/**
 * Our own connection over chDB. The package's stock one makes per-request settings stick to the one session that all
 * requests share, and then drops inserts in silence; here each request has a session to itself while it runs, and its
 * settings are taken back before the next one gets it.
 */
export class EmbeddedConnection implements Connection {
  private readonly chdb: typeof Chdb;
  private readonly all: readonly Session[];
  private readonly idle: Session[];
  private readonly waiting: ((session: Session) => void)[] = [];
  /** What a session's settings go back to: the names that are not here go back to the engine's own default. */
  private readonly base: Readonly<Record<string, string>>;
  private closing: Promise<void> | undefined;
  private settled: () => void = () => undefined;

  private readonly path: string;

  private constructor(
    chdb: typeof Chdb,
    path: string,
    sessions: readonly Session[],
    base: Readonly<Record<string, string>>,
  ) {
    this.chdb = chdb;
    this.path = path;
    this.all = sessions;
    this.idle = [...sessions];
    this.base = base;
  }

  /**
   * @param backups  the folder that backups may be written to and read from
   * @throws OperatorError when the engine is not installed, or the folder is in use or cannot be opened
   */
  static async open(path: string, memoryMib: number, backups: string): Promise<EmbeddedConnection> {
    const chdb = await loadChdb();
    const sessions: Session[] = [];
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      for (let i = 0; i < SESSIONS; i++)
        sessions.push(new chdb.Session(path, { connectionArgs: engineArguments(memoryMib, backups) }));
      const base = querySettings(memoryMib);
      for (const session of sessions)
        for (const [name, value] of Object.entries(base)) session.query(`SET ${name} = ${value}`);
      return new EmbeddedConnection(chdb, path, sessions, base);
    } catch (cause) {
      for (const session of sessions) session.close();
      throw (await ownerOf(path)) === undefined ? unopenable(path, cause) : inUse(path, cause);
    }
  }

  async ping(): ReturnType<Connection["ping"]> {
    try {
      await this.run({ query: "SELECT 1" });
      return { success: true };
    } catch (error) {
      return { success: false, error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  async query(params: QueryParams): ReturnType<Connection["query"]> {
    const bytes = await this.run(params);
    return { ...answer(params), stream: Readable.from([bytes]) };
  }

  async insert(params: Parameters<Connection["insert"]>[0]): ReturnType<Connection["insert"]> {
    const values = typeof params.values === "string" ? params.values : (await bytesOf(params.values)).toString("utf8");
    // What follows the format's name is data: nothing in it is read as SQL.
    await this.run({ ...params, query: `${params.query}\n${values}` });
    return answer(params);
  }

  async command(params: Parameters<Connection["command"]>[0]): ReturnType<Connection["command"]> {
    await this.run(params);
    return answer(params);
  }

  async exec(params: Parameters<Connection["exec"]>[0]): ReturnType<Connection["exec"]> {
    const { values } = params;
    const bytes = values === undefined ? await this.run(params) : await this.runWith(await bytesOf(values), params);
    return { ...answer(params), stream: Readable.from([bytes]) };
  }

  /** The engine takes text with a query, and bytes of a file alone. */
  private runWith(values: Buffer, params: QueryParams): Promise<Buffer> {
    return asFile(values, this.path, (path) =>
      this.run({ ...params, query: params.query.replace(/ (FORMAT \w+)$/, ` FROM INFILE '${path}' $1`) }),
    );
  }

  /** Refuses what comes after, lets what runs and waits finish, and gives the folder free. */
  close(): Promise<void> {
    this.closing ??= this.settle();
    return this.closing;
  }

  private async settle(): Promise<void> {
    if (this.idle.length < this.all.length) await new Promise<void>((resolve) => (this.settled = resolve));
    for (const session of this.all) session.close();
    await this.chdb.drainPending();
  }

  private async run({ query, query_params: params, clickhouse_settings: settings = {} }: QueryParams): Promise<Buffer> {
    const session = await this.take();
    const set: string[] = [];
    try {
      for (const [name, value] of Object.entries(settings)) {
        if (value === undefined) continue;
        set.push(settingName(name));
        session.query(`SET ${name} = ${literal(value)}`);
      }
      const result =
        params === undefined || Object.keys(params).length === 0
          ? await session.queryAsync(query)
          : await session.queryBindAsync(query, params);
      return Buffer.from(result.bytes());
    } catch (error) {
      throw parseError(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.give(session, set);
    }
  }

  private take(): Promise<Session> {
    if (this.closing) return Promise.reject(new Error("the store is closed"));
    const session = this.idle.pop();
    if (session) return Promise.resolve(session);
    if (this.waiting.length >= WAITING_MAX)
      return Promise.reject(new Error(`${WAITING_MAX} requests wait for the store already`));
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** @param set  names of the settings to take back */
  private give(session: Session, set: readonly string[]): void {
    for (const name of set) this.reset(session, name);
    const next = this.waiting.shift();
    if (next) return next(session);
    this.idle.push(session);
    if (this.idle.length === this.all.length) this.settled();
  }

  private reset(session: Session, name: string): void {
    try {
      session.query(`SET ${name} = ${this.base[name] ?? "DEFAULT"}`);
    } catch {
      // The engine does not know this setting, so it did not take it either: its refusal is what the request failed with.
    }
  }
}

/** @throws OperatorError when it is not installed */
export async function loadChdb(): Promise<typeof Chdb> {
  try {
    // Only when it is needed: the native library is over 500 MB.
    return await import("chdb");
  } catch (cause) {
    throw new OperatorError(
      "STORE_NO_ENGINE",
      `the embedded ClickHouse is not installed or does not run here: ${firstLine(cause)}`,
      {
        cause,
        remedy:
          "Install keepwatch without --omit=optional (glibc, x64 or arm64), or set storage.url to an external ClickHouse",
      },
    );
  }
}

/** The engine's own bounds are most of the machine's memory, and caches of gigabytes each. */
export function engineArguments(memoryMib: number, backups: string): string[] {
  const bytes = memoryMib * MIB;
  const caches: Readonly<Record<string, number>> = {
    mark_cache_size: bytes / 16,
    index_mark_cache_size: bytes / 32,
    primary_index_cache_size: bytes / 32,
    uncompressed_cache_size: bytes / 32,
    query_condition_cache_size: bytes / 64,
    compiled_expression_cache_size: bytes / 64,
  };
  return [
    `--max_server_memory_usage=${bytes}`,
    `--backups.allowed_path=${backups}`,
    ...Object.entries(caches).map(([name, size]) => `--${name}=${Math.floor(size)}`),
  ];
}

/** What every query starts from. Large sorts and groups go to disk before they reach the bound of a query. */
function querySettings(memoryMib: number): Record<string, string> {
  const bytes = memoryMib * MIB;
  return {
    max_memory_usage: String(Math.floor((bytes * 4) / 7)),
    max_bytes_before_external_group_by: String(Math.floor(bytes / 7)),
    max_bytes_before_external_sort: String(Math.floor(bytes / 7)),
  };
}

/** The process that has a store open. The engine says only on its own stderr that another one has the folder; its lock file names it. */
export async function ownerOf(path: string): Promise<number | undefined> {
  const status = await readFile(join(path, "status"), "utf8").catch(() => "");
  const pid = Number(/^PID: (\d+)$/m.exec(status)?.[1]);
  if (!Number.isInteger(pid) || pid === process.pid) return undefined;
  return access(`/proc/${pid}`).then(
    () => pid,
    () => undefined,
  );
}

const inUse = (path: string, cause: unknown): OperatorError =>
  new OperatorError("STORE_IN_USE", `the store ${path} is in use by another process`, {
    cause,
    remedy: "Stop that server, or give this one a storage.path of its own",
  });

function unopenable(path: string, cause: unknown): OperatorError {
  return new OperatorError("STORE_UNOPENABLE", `the store ${path} cannot be opened: ${firstLine(cause)}`, {
    cause,
    remedy: "Check the folder's permissions and the disk",
  });
}

const firstLine = (error: unknown): string => messageOf(error).split("\n")[0] ?? "";

const answer = ({ query_id }: { query_id?: string }): Answer => ({
  query_id: query_id ?? "",
  response_headers: {},
  http_status_code: 200,
});

/** A name goes into the SQL text as it is. */
function settingName(name: string): string {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`${name} is not the name of a setting`);
  return name;
}

function literal(value: Settings[string]): string {
  return typeof value === "number" || typeof value === "boolean"
    ? String(Number(value))
    : `'${String(value).replace(/['\\]/g, "\\$&")}'`;
}

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array));
  const [only] = chunks;
  return only && chunks.length === 1 ? Buffer.from(only.buffer, only.byteOffset, only.length) : Buffer.concat(chunks);
}
