import type { ClickHouseClient } from "@clickhouse/client";
import { firstLight, type Retention } from "./migrations/0001_first_light.ts";

/** In the order in which they are applied. A released one is never edited: what changes is a new one. */
const MIGRATIONS: readonly {
  readonly version: number;
  readonly name: string;
  readonly statements: (retention: Retention) => readonly string[];
}[] = [{ version: 1, name: "first_light", statements: firstLight }];

/** Brings the database to the newest schema, and records what was applied. Every statement may be applied twice: a crash in between does no harm. */
export async function migrate(client: ClickHouseClient, database: string, retention: Retention): Promise<void> {
  await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS ${database}.migrations (version UInt32, name String, appliedTs DateTime64(6) DEFAULT now64(6)) ENGINE = ReplacingMergeTree ORDER BY version`,
  });
  const rows = await client.query({ query: `SELECT version FROM ${database}.migrations FINAL`, format: "JSONEachRow" });
  const applied = new Set((await rows.json<{ version: number }>()).map(({ version }) => version));
  for (const { version, name, statements } of MIGRATIONS) {
    if (applied.has(version)) continue;
    for (const statement of statements(retention))
      await client.command({
        query: statement.replace("CREATE TABLE IF NOT EXISTS ", `CREATE TABLE IF NOT EXISTS ${database}.`),
      });
    await client.insert({ table: `${database}.migrations`, values: [{ version, name }], format: "JSONEachRow" });
  }
}
