import { buffer } from "node:stream/consumers";
import type { ClickHouseClient, DataFormat } from "@clickhouse/client";
import { engineArguments, loadChdb } from "../store/embedded-connection.ts";

/** Settings of one query, and its parameters as `param_NAME`. With `readonly` nothing can be set any more, so it comes last. */
export type QuerySettings = Readonly<Record<string, string | number>>;

/** What answers a question that has passed the gate. Nothing of one question is left for the next. */
export interface SqlEngine {
  readonly kind: "embedded" | "external";
  /** Most memory of one question, bytes. */
  readonly memoryBytes: number;
  /** What is set beside the bounds that all questions have. */
  readonly settings: QuerySettings;
  ask(sql: string, format: string, settings: QuerySettings): Promise<Buffer>;
  close(): Promise<void>;
}

const MIB = 1024 * 1024;

export interface EmbeddedPlace {
  readonly path: string;
  readonly memoryMib: number;
  readonly backups: string;
}

/** The store at `path` must be open in this process. */
export const embeddedEngine = ({ path, memoryMib, backups }: EmbeddedPlace, database: string): SqlEngine => ({
  kind: "embedded",
  memoryBytes: Math.floor((memoryMib * MIB) / 3),
  settings: {},
  ask: async (sql, format, settings) => {
    const { Session } = await loadChdb();
    const session = new Session(path, { connectionArgs: engineArguments(memoryMib, backups) });
    try {
      session.query(`USE ${database}`);
      // Parameters as they come in over HTTP. Bound by the package, what is escaped already would be escaped again.
      for (const [name, value] of Object.entries(settings)) session.query(`SET ${name} = ${literal(value)}`);
      return Buffer.from((await session.queryAsync(sql, { format })).bytes());
    } finally {
      session.close();
    }
  },
  close: async () => undefined,
});

/** Most memory of one question to a ClickHouse whose memory is not ours to know, bytes. */
const EXTERNAL_MEMORY_BYTES = 1024 * MIB;

/**
 * The server's own user asks, who may write: the gate and `readonly` keep that from the question. Of other databases in that
 * ClickHouse not even the names are told.
 * @param client  of its own, with `database` as its database
 */
export const externalEngine = (client: ClickHouseClient, database: string): SqlEngine => ({
  kind: "external",
  memoryBytes: EXTERNAL_MEMORY_BYTES,
  settings: {
    additional_table_filters: mapOf({
      "system.databases": `name = '${database}'`,
      "system.tables": `database = '${database}'`,
      "system.columns": `database = '${database}'`,
    }),
  },
  ask: async (sql, format, settings) => {
    const { stream } = await client.exec({
      query: sql,
      // Parameters too: the client would escape them once more. With a FORMAT in its text, an EXPLAIN would take that for its question's.
      clickhouse_settings: { default_format: format as DataFormat, ...settings, wait_end_of_query: 1 },
    });
    return buffer(stream);
  },
  close: () => client.close(),
});

const literal = (value: string | number): string =>
  typeof value === "number" ? String(value) : `'${value.replace(/['\\]/g, "\\$&")}'`;

const mapOf = (values: Readonly<Record<string, string>>): string =>
  `{${Object.entries(values)
    .map(([name, value]) => `${literal(name)}: ${literal(value)}`)
    .join(", ")}}`;
