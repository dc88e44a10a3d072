import type { ClickHouseClient } from "@clickhouse/client";
import { OperatorError } from "../../collector/core/errors.ts";
import type { ServerConfig } from "../config.ts";
import { firstLight } from "./migrations/0001_first_light.ts";
import { retentionByArrival } from "./migrations/0002_retention_by_arrival.ts";
import { silences } from "./migrations/0003_silences.ts";
import { checkpoints } from "./migrations/0004_checkpoints.ts";
import { incarnations } from "./migrations/0005_incarnations.ts";
import { advertsByMinute } from "./migrations/0006_adverts_by_minute.ts";
import { idsByHalf } from "./migrations/0007_ids_by_half.ts";
import { advertsWithoutIds } from "./migrations/0008_adverts_without_ids.ts";
import { advertsObserved } from "./migrations/0009_adverts_observed.ts";
import { createDatabase, keptIn, type Layout, onCluster, type SchemaChange, statementsOf } from "./schema.ts";

/** In the order in which they are applied. A released one is never edited: what changes is a new one. */
export const MIGRATIONS: readonly {
  readonly version: number;
  readonly name: string;
  readonly changes: readonly SchemaChange[];
}[] = [
  { version: 1, name: "first_light", changes: firstLight },
  { version: 2, name: "retention_by_arrival", changes: retentionByArrival },
  { version: 3, name: "silences", changes: silences },
  { version: 4, name: "checkpoints", changes: checkpoints },
  { version: 5, name: "incarnations", changes: incarnations },
  { version: 6, name: "adverts_by_minute", changes: advertsByMinute },
  { version: 7, name: "ids_by_half", changes: idsByHalf },
  { version: 8, name: "adverts_without_ids", changes: advertsWithoutIds },
  { version: 9, name: "adverts_observed", changes: advertsObserved },
];
export const NEWEST_SCHEMA = Math.max(...MIGRATIONS.map(({ version }) => version));

/** What records which migrations were applied. */
const APPLIED: SchemaChange = {
  create: "migrations",
  columns: ["version UInt32", "name String", "appliedTs DateTime64(6) DEFAULT now64(6)"],
  orderBy: "version",
};

const DATABASE = "keepwatch";

export const layoutOf = ({ database = DATABASE, cluster }: ServerConfig["storage"]): Layout => ({
  database,
  ...(cluster === undefined ? {} : { cluster }),
});

/** Days a row is kept, by table. */
export type Retention = Readonly<Record<"events" | "adverts" | "adverts_1m", number>>;

export const retentionOf = (storage: ServerConfig["storage"]): Retention => ({
  adverts: storage.adverts_days,
  adverts_1m: storage.advert_minutes_days,
  events: storage.events_days,
});

/** All that is run on a store that has nothing yet. */
export const schemaStatements = (layout: Layout, retention: Retention): readonly string[] => [
  createDatabase(layout),
  ...[APPLIED, ...MIGRATIONS.flatMap(({ changes }) => changes)].flatMap((change) => statementsOf(change, layout)),
  ...Object.entries(retention).map(([table, days]) => retainStatement(layout, table, days)),
];

/**
 * Brings the database to the newest schema, and records what was applied. Every statement may be applied twice: a crash
 * in between does no harm.
 * @throws OperatorError when a newer keepwatch has been at the database
 */
export async function migrate(client: ClickHouseClient, layout: Layout, retention: Retention): Promise<void> {
  // Who may make no database may still have one to write to.
  if (!(await hasDatabase(client, layout.database))) await client.command({ query: createDatabase(layout) });
  for (const query of statementsOf(APPLIED, layout)) await client.command({ query });
  const applied = await appliedVersions(client, layout.database);
  const newer = [...applied].filter((version) => version > NEWEST_SCHEMA);
  if (newer.length > 0)
    throw new OperatorError(
      "STORE_TOO_NEW",
      `the store's schema is version ${Math.max(...newer)}, and this keepwatch knows up to ${NEWEST_SCHEMA}`,
      { remedy: "Use the newer keepwatch that wrote it, or another store" },
    );
  for (const { version, name, changes } of MIGRATIONS) {
    if (applied.has(version)) continue;
    for (const change of changes) for (const query of statementsOf(change, layout)) await client.command({ query });
    await client.insert({
      table: `${layout.database}.migrations`,
      values: [{ version, name }],
      format: "JSONEachRow",
      clickhouse_settings: { async_insert: 0 },
    });
  }
  for (const [table, days] of Object.entries(retention)) await retain(client, layout, table, days);
}

async function hasDatabase(client: ClickHouseClient, database: string): Promise<boolean> {
  const rows = await client.query({
    query: "SELECT name FROM system.databases WHERE name = {database:String}",
    query_params: { database },
    format: "JSONEachRow",
  });
  return (await rows.json()).length > 0;
}

async function appliedVersions(client: ClickHouseClient, database: string): Promise<Set<number>> {
  const rows = await client.query({ query: `SELECT version FROM ${database}.migrations FINAL`, format: "JSONEachRow" });
  return new Set((await rows.json<{ version: number }>()).map(({ version }) => version));
}

/** Retention is a setting, not a part of the schema: it is compared at every start, and changed when it is another. */
async function retain(client: ClickHouseClient, layout: Layout, table: string, days: number): Promise<void> {
  const rows = await client.query({
    query: "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}",
    query_params: { database: layout.database, table: keptIn(layout, table) },
    format: "JSONEachRow",
  });
  const [found] = await rows.json<{ engine_full: string }>();
  if (found?.engine_full.includes(`TTL storedAt + toIntervalDay(${days}) `)) return;
  await client.command({ query: retainStatement(layout, table, days) });
}

const retainStatement = (layout: Layout, table: string, days: number): string =>
  `ALTER TABLE ${layout.database}.${keptIn(layout, table)}${onCluster(layout)} MODIFY TTL storedAt + INTERVAL ${days} DAY`;
