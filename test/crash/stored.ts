import { parseServerConfig } from "../../server/config.ts";
import { openEngine } from "../../server/store/engine.ts";

export interface Counted {
  /** Rows of numbered lines, as a plain SELECT counts them, and with FINAL. */
  readonly rows: number;
  readonly rowsFinal: number;
  /** Each number with its event time, epoch microseconds. */
  readonly numbers: ReadonlyMap<number, number>;
  readonly gaps: readonly {
    readonly reason: string;
    readonly from?: number;
    readonly to?: number;
    readonly lost?: number;
  }[];
}

const NUMBERED = "extract(JSONExtractString(event, 'raw'), 'numbered line ([0-9]+)$')";

/** What is in a store that no server has open. */
export async function countStored(dir: string): Promise<Counted> {
  const client = await openEngine(parseServerConfig("", "the crash test", { storage: { path: dir } }).storage);
  const rows = async <T>(query: string): Promise<T[]> =>
    (await client.query({ query, format: "JSONEachRow" })).json<T>();
  try {
    const count = async (final: string): Promise<number> => {
      const [row] = await rows<{ n: string }>(
        `SELECT toString(count()) AS n FROM keepwatch.events ${final} WHERE ${NUMBERED} != ''`,
      );
      return Number(row?.n);
    };
    const numbers = await rows<{ n: string; at: string }>(
      `SELECT ${NUMBERED} AS n, toString(min(ts)) AS at FROM keepwatch.events WHERE n != '' GROUP BY n`,
    );
    const gaps = await rows<{ event: string }>(
      "SELECT event FROM keepwatch.events FINAL WHERE kind = 'collector.gap' ORDER BY ts",
    );
    return {
      rows: await count(""),
      rowsFinal: await count("FINAL"),
      numbers: new Map(numbers.map(({ n, at }) => [Number(n), Number(at)])),
      gaps: gaps.map(({ event }) => JSON.parse(event) as Counted["gaps"][number]),
    };
  } finally {
    await client.close();
  }
}
