/** Where the tables are: one ClickHouse, or with `cluster` all of its servers. */
export interface Layout {
  readonly database: string;
  /** Name of the cluster in the ClickHouse servers' own configuration. */
  readonly cluster?: string;
}

/** A table, or a change of one, in words that mean the same on one server and on a cluster. */
export type SchemaChange = NewTable | ChangedTable;

interface NewTable {
  readonly create: string;
  readonly columns: readonly string[];
  /** Of two rows with the same key the one with the higher value of this column is kept; without it, the later one. */
  readonly newestBy?: string;
  readonly orderBy: string;
  readonly settings?: string;
  /** What decides on which shard a row is. A row that comes again comes to the same one. */
  readonly shardBy?: string;
}

interface ChangedTable {
  readonly alter: string;
  readonly change: string;
  /** Its columns change, so the table that stands for all shards changes too: in the same words, or in these. */
  readonly columns?: true | string;
}

/**
 * The tables whose rows are spread over the shards of a cluster: `NAME` stands for all of them, `NAME_local` is one shard's. The others are
 * small, and every server has them whole.
 */
export const SHARDED: ReadonlySet<string> = new Set(["events", "adverts", "adverts_1m"]);

/** What keeps the rows of a table: on a cluster not what it is asked by. */
export const keptIn = ({ cluster }: Layout, table: string): string =>
  cluster !== undefined && SHARDED.has(table) ? `${table}_local` : table;

/** ` ON CLUSTER 'NAME'`, or nothing. The configuration allows no quote in a name. */
export const onCluster = ({ cluster }: Layout): string => (cluster === undefined ? "" : ` ON CLUSTER '${cluster}'`);

export const createDatabase = (layout: Layout): string =>
  `CREATE DATABASE IF NOT EXISTS ${layout.database}${onCluster(layout)}`;

/** The statements of a change, in the order in which they are run. Each may be run twice. */
export function statementsOf(change: SchemaChange, layout: Layout): readonly string[] {
  const { database, cluster } = layout;
  if ("alter" in change) {
    const alter = (table: string, words = change.change): string =>
      `ALTER TABLE ${database}.${table}${onCluster(layout)} ${words}`;
    const kept = keptIn(layout, change.alter);
    if (kept === change.alter || change.columns === undefined) return [alter(kept)];
    return [alter(kept), alter(change.alter, change.columns === true ? change.change : change.columns)];
  }
  const kept = keptIn(layout, change.create);
  const statements = [
    `CREATE TABLE IF NOT EXISTS ${database}.${kept}${onCluster(layout)} (
    ${change.columns.join(",\n    ")}
  ) ENGINE = ${engineOf(change, layout)} ORDER BY ${change.orderBy}${change.settings === undefined ? "" : ` SETTINGS ${change.settings}`}`,
  ];
  if (kept !== change.create)
    statements.push(
      `CREATE TABLE IF NOT EXISTS ${database}.${change.create}${onCluster(layout)} AS ${database}.${kept}
  ENGINE = Distributed('${cluster}', '${database}', '${kept}', ${change.shardBy ?? "rand()"})`,
    );
  return statements;
}

function engineOf({ create, newestBy }: NewTable, layout: Layout): string {
  const version = newestBy === undefined ? [] : [newestBy];
  if (layout.cluster === undefined)
    return version.length === 0 ? "ReplacingMergeTree" : `ReplacingMergeTree(${newestBy})`;
  // The servers of one shard are replicas of each other; of a table that is not spread, all servers are.
  const [path, replica] = SHARDED.has(create) ? ["{shard}", "{replica}"] : ["all", "{shard}-{replica}"];
  const keeper = [`'/clickhouse/tables/${path}/${layout.database}/${keptIn(layout, create)}'`, `'${replica}'`];
  return `ReplicatedReplacingMergeTree(${[...keeper, ...version].join(", ")})`;
}
