import { randomUUID } from "node:crypto";
import type { ClickHouseClient } from "@clickhouse/client";

/** Which store this is, and since when. */
export interface Incarnation {
  /** 1 for the first, one more with every backup that was restored. */
  readonly number: number;
  readonly id: string;
}

/** The store's own id, made when there is none. Servers that start on one store at once agree on it. */
export async function incarnationOf(client: ClickHouseClient, database: string): Promise<Incarnation> {
  return (await newest(client, database)) ?? (await add(client, database, 1));
}

/** To be called when a backup was restored: what the collectors were told is stored need not be. */
export async function renewIncarnation(client: ClickHouseClient, database: string): Promise<Incarnation> {
  return add(client, database, ((await newest(client, database))?.number ?? 0) + 1);
}

async function newest(client: ClickHouseClient, database: string): Promise<Incarnation | undefined> {
  const rows = await client.query({
    query: `SELECT number, id FROM ${database}.incarnations ORDER BY number DESC, sinceTs, id LIMIT 1`,
    format: "JSONEachRow",
  });
  return (await rows.json<Incarnation>())[0];
}

async function add(client: ClickHouseClient, database: string, number: number): Promise<Incarnation> {
  const added = { number, id: randomUUID() };
  await client.insert({
    table: `${database}.incarnations`,
    values: [added],
    format: "JSONEachRow",
    clickhouse_settings: { async_insert: 0 },
  });
  return (await newest(client, database)) ?? added;
}
