import type { Batch } from "../../collector/events/batch.ts";
import type { Event, EventOf } from "../../collector/events/event.ts";

/** Most ids that one question names: with an external ClickHouse they stand in the address. */
const IDS_MAX = 1_000;

type Rows = <T>(query: string, params: Readonly<Record<string, unknown>>) => Promise<T[]>;

/** Which events of a batch the store does not have: each is looked for by its id. */
export async function missingOf(batch: Batch, database: string, rows: Rows): Promise<readonly Event[]> {
  const there = new Set<string>();
  const { cluster, node } = batch;
  const ask = async (table: string, events: readonly Event[], narrowed: string, params: object): Promise<void> => {
    for (let at = 0; at < events.length; at += IDS_MAX) {
      const some = events.slice(at, at + IDS_MAX);
      const times = some.map(({ ts }) => ts);
      const found = await rows<{ id: string }>(
        `SELECT DISTINCT toString(id) AS id FROM ${database}.${table} WHERE cluster = {cluster:String} AND node = {node:String}
         AND ts BETWEEN {from:Int64} AND {to:Int64} ${narrowed} AND toString(id) IN {ids:Array(String)}`,
        {
          cluster,
          node,
          ...params,
          from: String(Math.min(...times)),
          to: String(Math.max(...times)),
          ids: some.map(({ id }) => id),
        },
      );
      for (const { id } of found) there.add(id);
    }
  };
  const adverts = batch.events.filter((event): event is EventOf<"wire.advert"> => event.kind === "wire.advert");
  await ask(
    "events",
    batch.events.filter(({ kind }) => kind !== "wire.advert"),
    "",
    {},
  );
  // Adverts are sorted by router and sender first: without these all that are kept would be read.
  await ask(
    "adverts",
    adverts,
    "AND family IN {families:Array(String)} AND vrid IN {vrids:Array(UInt8)} AND peer IN {peers:Array(String)}",
    {
      families: [...new Set(adverts.map(({ family }) => family))],
      vrids: [...new Set(adverts.map(({ vrid }) => vrid))],
      peers: [...new Set(adverts.map(({ peer }) => peer))],
    },
  );
  return batch.events.filter(({ id }) => !there.has(id));
}
