import { Readable } from "node:stream";
import { type ClickHouseClient, createClient, parseError } from "@clickhouse/client";
import type { Session } from "chdb";
import { mkdir } from "node:fs/promises";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import type { ServerConfig } from "../config.ts";

type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>["connection"]>;
type QueryParams = Parameters<Connection["query"]>[0];

/** Sessions on the embedded engine at once. Each holds a thread of libuv's pool while a query runs: more would starve files and names. */
const SESSIONS = 2;

/** What differs between an embedded and an external ClickHouse is the connection; all else is one client. */
export async function openEngine(config: ServerConfig["storage"]): Promise<ClickHouseClient> {
  if (config.url !== undefined)
    return createClient({
      url: config.url,
      ...(config.user === undefined ? {} : { username: config.user }),
      ...(config.password === undefined ? {} : { password: config.password }),
      clickhouse_settings: { async_insert: 0 },
    });
  const path = config.path ?? "";
  // The hook is marked experimental upstream: this is the only place that knows it.
  return createClient({ connection: await EmbeddedConnection.open(path, config.memory_mib) });
}

async function loadChdb(): Promise<typeof import("chdb")> {
  try {
    // Only when it is needed: the native library is over 500 MB.
    return await import("chdb");
  } catch (cause) {
    throw new OperatorError(
      "STORE_NO_ENGINE",
      `the embedded ClickHouse is not installed or does not run here: ${messageOf(cause)}`,
      {
        cause,
        remedy:
          "Install keepwatch without --omit=optional (glibc, x64 or arm64), or set storage.url to an external ClickHouse",
      },
    );
  }
}

/**
 * Our own connection over chDB. The package's stock one makes per-request settings stick to the one session that all
 * requests share, and then drops inserts in silence; here each request has a session to itself while it runs, and its
 * settings are taken back before the next one gets it.
 */
class EmbeddedConnection implements Connection {
  private readonly idle: Session[];
  private readonly all: readonly Session[];
  private readonly waiting: ((session: Session) => void)[] = [];
  private running = 0;

  private constructor(sessions: readonly Session[]) {
    this.all = sessions;
    this.idle = [...sessions];
  }

  static async open(path: string, memoryMib: number): Promise<EmbeddedConnection> {
    const { Session } = await loadChdb();
    const bytes = memoryMib * 1024 * 1024;
    const connectionArgs = [
      `--max_server_memory_usage=${bytes}`,
      `--mark_cache_size=${Math.floor(bytes / 16)}`,
      `--uncompressed_cache_size=${Math.floor(bytes / 32)}`,
    ];
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      const sessions: Session[] = [];
      for (let i = 0; i < SESSIONS; i++) sessions.push(new Session(path, { connectionArgs }));
      for (const session of sessions) session.query(`SET max_memory_usage=${Math.floor((bytes * 4) / 7)}`);
      return new EmbeddedConnection(sessions);
    } catch (cause) {
      const text = messageOf(cause);
      if (/lock|Another server instance/i.test(text))
        throw new OperatorError("STORE_IN_USE", `the store ${path} is in use by another process`, {
          cause,
          remedy: "Stop that server, or give this one a storage.path of its own",
        });
      throw new OperatorError("STORE_UNOPENABLE", `the store ${path} cannot be opened: ${text.split("\n")[0]}`, {
        cause,
        remedy: "Check the folder's permissions and the disk",
      });
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
    return { ...this.answer(params), stream: Readable.from([bytes]) };
  }

  async insert(params: Parameters<Connection["insert"]>[0]): ReturnType<Connection["insert"]> {
    const values = typeof params.values === "string" ? params.values : await textOf(params.values);
    await this.run({ ...params, query: `${params.query}\n${values}` });
    return this.answer(params);
  }

  async command(params: Parameters<Connection["command"]>[0]): ReturnType<Connection["command"]> {
    await this.run(params);
    return this.answer(params);
  }

  async exec(params: Parameters<Connection["exec"]>[0]): ReturnType<Connection["exec"]> {
    const bytes = await this.run(params);
    return { ...this.answer(params), stream: Readable.from([bytes]) };
  }

  async close(): Promise<void> {
    while (this.running > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const session of this.all) session.close();
  }

  private answer({ query_id }: { query_id?: string }): {
    query_id: string;
    response_headers: Record<string, string>;
    http_status_code: number;
  } {
    return { query_id: query_id ?? "", response_headers: {}, http_status_code: 200 };
  }

  private async run({ query, query_params: params, clickhouse_settings: settings = {} }: QueryParams): Promise<Buffer> {
    const session = await this.take();
    const names = Object.keys(settings).filter(
      (name) => /^[a-z][a-z0-9_]*$/.test(name) && settings[name] !== undefined,
    );
    try {
      for (const name of names) session.query(`SET ${name} = ${literal(settings[name])}`);
      const result =
        params === undefined || Object.keys(params).length === 0
          ? await session.queryAsync(query)
          : await session.queryBindAsync(query, params);
      return Buffer.from(result.bytes());
    } catch (error) {
      throw parseError(error instanceof Error ? error : new Error(String(error)));
    } finally {
      for (const name of names) session.query(`SET ${name} = DEFAULT`);
      this.give(session);
    }
  }

  private take(): Promise<Session> {
    this.running += 1;
    const session = this.idle.pop();
    if (session) return Promise.resolve(session);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private give(session: Session): void {
    this.running -= 1;
    const next = this.waiting.shift();
    if (next) next(session);
    else this.idle.push(session);
  }
}

function literal(value: unknown): string {
  return typeof value === "number" || typeof value === "boolean"
    ? String(Number(value))
    : `'${String(value).replace(/['\\]/g, "\\$&")}'`;
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array | string));
  return Buffer.concat(chunks).toString("utf8");
}
