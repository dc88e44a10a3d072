import type { ClickHouseClient } from "@clickhouse/client";
import { OperatorError } from "../../collector/core/errors.ts";
import { firstLight } from "./migrations/0001_first_light.ts";
import { retentionByArrival } from "./migrations/0002_retention_by_arrival.ts";
import { silences } from "./migrations/0003_silences.ts";
import { checkpoints } from "./migrations/0004_checkpoints.ts";

/** In the order in which they are applied. A released one is never edited: what changes is a new one. */
const MIGRATIONS: readonly {
  readonly version: number;
  readonly name: string;
  readonly statements: (database: string) => readonly string[];
}[] = [
  { version: 1, name: "first_light", statements: firstLight },
  { version: 2, name: "retention_by_arrival", statements: retentionByArrival },
  { version: 3, name: "silences", statements: silences },
  { version: 4, name: "checkpoints", statements: checkpoints },
];
const NEWEST = Math.max(...MIGRATIONS.map(({ version }) => version));

/** Days a row is kept, by table. */
export type Retention = Readonly<Record<"events" | "adverts", number>>;

/**
 * Brings the database to the newest schema, and records what was applied. Every statement may be applied twice: a crash
 * in between does no harm.
 * @throws OperatorError when a newer keepwatch has been at the database
 */
export async function migrate(client: ClickHouseClient, database: string, retention: Retention): Promise<void> {
  await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS ${database}.migrations (version UInt32, name String, appliedTs DateTime64(6) DEFAULT now64(6)) ENGINE = ReplacingMergeTree ORDER BY version`,
  });
  const applied = await appliedVersions(client, database);
  const newer = [...applied].filter((version) => version > NEWEST);
  if (newer.length > 0)
    throw new OperatorError(
      "STORE_TOO_NEW",
      `the store's schema is version ${Math.max(...newer)}, and this keepwatch knows up to ${NEWEST}`,
      { remedy: "Use the newer keepwatch that wrote it, or another store" },
    );
  for (const { version, name, statements } of MIGRATIONS) {
    if (applied.has(version)) continue;
    for (const query of statements(database)) await client.command({ query });
    await client.insert({
      table: `${database}.migrations`,
      values: [{ version, name }],
      format: "JSONEachRow",
      clickhouse_settings: { async_insert: 0 },
    });
  }
  for (const [table, days] of Object.entries(retention)) await retain(client, database, table, days);
}

async function appliedVersions(client: ClickHouseClient, database: string): Promise<Set<number>> {
  const rows = await client.query({ query: `SELECT version FROM ${database}.migrations FINAL`, format: "JSONEachRow" });
  return new Set((await rows.json<{ version: number }>()).map(({ version }) => version));
}

/** Retention is a setting, not a part of the schema: it is compared at every start, and changed when it is another. */
async function retain(client: ClickHouseClient, database: string, table: string, days: number): Promise<void> {
  const rows = await client.query({
    query: "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}",
    query_params: { database, table },
    format: "JSONEachRow",
  });
  const [found] = await rows.json<{ engine_full: string }>();
  if (found?.engine_full.includes(`TTL storedAt + toIntervalDay(${days}) `)) return;
  await client.command({ query: `ALTER TABLE ${database}.${table} MODIFY TTL storedAt + INTERVAL ${days} DAY` });
}
