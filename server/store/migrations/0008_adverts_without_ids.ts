import type { SchemaChange } from "../schema.ts";

/**
 * An advert's id is not stored any more: of twenty bytes it took sixteen. What it told apart beyond the rest of the key is on which interface
 * and in which direction the advert was heard. When it was observed is near to when it was sent, so that is told by the difference.
 */
export const advertsWithoutIds: readonly SchemaChange[] = [
  {
    alter: "adverts",
    change:
      "ADD COLUMN IF NOT EXISTS heardOn LowCardinality(String), MODIFY ORDER BY (cluster, family, vrid, peer, ts, node, id, heardOn)",
    columns: "ADD COLUMN IF NOT EXISTS heardOn LowCardinality(String)",
  },
  {
    alter: "adverts",
    change: "ADD COLUMN IF NOT EXISTS rare String CODEC(ZSTD(1))",
    columns: true,
  },
  {
    alter: "adverts",
    change: "ADD COLUMN IF NOT EXISTS lagUs Int64 DEFAULT observedTs - ts CODEC(T64, ZSTD(1))",
    columns: true,
  },
  { alter: "adverts", change: "MATERIALIZE COLUMN lagUs SETTINGS mutations_sync = 2" },
];
