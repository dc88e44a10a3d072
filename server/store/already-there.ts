import type { Batch } from "../../collector/events/batch.ts";
import type { Event, EventOf } from "../../collector/events/event.ts";

/** Most ids that one question names: with an external ClickHouse they stand in the address, which servers and proxies bound at some 16 KiB. */
const IDS_MAX = 100;

type Rows = <T>(query: string, params: Readonly<Record<string, unknown>>) => Promise<T[]>;

interface Narrowed {
  readonly sql: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Which events of a batch the store does not have: each is looked for by its id. */
export async function missingOf(batch: Batch, database: string, rows: Rows): Promise<readonly Event[]> {
  const there = new Set<string>();
  const { cluster, node } = batch;
  const ask = <T>(what: string, table: string, events: readonly Event[], narrowed: Narrowed): Promise<T[]> => {
    const times = events.map(({ ts }) => ts);
    return rows<T>(
      `SELECT ${what} FROM ${database}.${table} WHERE cluster = {cluster:String} AND node = {node:String} AND ts BETWEEN {from:Int64} AND {to:Int64} ${narrowed.sql}`,
      { cluster, node, from: String(Math.min(...times)), to: String(Math.max(...times)), ...narrowed.params },
    );
  };
  const look = async <E extends Event>(
    table: string,
    events: readonly E[],
    narrow: (some: readonly E[]) => Narrowed,
  ) => {
    if (events.length === 0) return;
    // Mostly there is nothing of that time at all. Of adverts all routers would be read for that.
    if (table === "events" && (await ask("1", table, events, { sql: "LIMIT 1", params: {} })).length === 0) return;
    for (let at = 0; at < events.length; at += IDS_MAX) {
      const some = events.slice(at, at + IDS_MAX);
      const { sql, params } = narrow(some);
      const found = await ask<{ id: string }>("DISTINCT toString(id) AS id", table, some, {
        sql: `${sql} AND toString(id) IN {ids:Array(String)}`,
        params: { ...params, ids: some.map(({ id }) => id) },
      });
      for (const { id } of found) there.add(id);
    }
  };
  const isAdvert = (event: Event): event is EventOf<"wire.advert"> => event.kind === "wire.advert";
  await look(
    "events",
    batch.events.filter((event) => !isAdvert(event)),
    () => ({ sql: "", params: {} }),
  );
  // Adverts are sorted by router and sender first: without these all that are kept would be read.
  await look("adverts", batch.events.filter(isAdvert), (some) => ({
    sql: "AND family IN {families:Array(String)} AND vrid IN {vrids:Array(UInt8)} AND peer IN {peers:Array(String)}",
    params: {
      families: [...new Set(some.map(({ family }) => family))],
      vrids: [...new Set(some.map(({ vrid }) => vrid))],
      peers: [...new Set(some.map(({ peer }) => peer))],
    },
  }));
  return batch.events.filter(({ id }) => !there.has(id));
}
