import type { SqlInfo, SqlTable } from "../../../server/api/types.ts";

export const sql: SqlInfo = {
  enabled: true,
  store: "embedded",
  needsToken: false,
  limits: { rows: 1000, bytes: 16 * 1024 * 1024, seconds: 30, rowsRead: 200_000_000 },
};

/** With a number that JSON has not, nothing, and what would be a tag. */
export const sqlTable: SqlTable = {
  columns: [
    { name: "kind", type: "LowCardinality(String)" },
    { name: "events", type: "UInt64" },
    { name: "why", type: "Nullable(String)" },
  ],
  rows: [
    ["vrrp.state", "18446744073709551615", null],
    ["wire.advert", "7", '<img src=x onerror="alert(1)">'],
  ],
  totals: null,
  truncated: false,
  elapsedUs: 12_345,
  rowsRead: 4_711,
};
