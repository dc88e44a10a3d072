import type { SchemaChange } from "../schema.ts";
import { DURABLE } from "./0001_first_light.ts";
import { FREE_MIN_BYTES } from "./0002_retention_by_arrival.ts";

/**
 * What a sender's adverts of one minute were, as one node heard them: what is left when the adverts themselves are dropped, and what a long
 * timeline is drawn from. A minute is summed up again when more of it arrives, and the sum of more adverts is the one that holds.
 */
export const advertsByMinute: readonly SchemaChange[] = [
  {
    create: "adverts_1m",
    columns: [
      "cluster LowCardinality(String)",
      "family LowCardinality(String)",
      "vrid UInt8",
      "peer LowCardinality(String)",
      "node LowCardinality(String)",
      "minute UInt32 CODEC(Delta, ZSTD(1))",
      "count UInt32 CODEC(ZSTD(1))",
      "firstTs Int64 CODEC(Delta, ZSTD(1))",
      "lastTs Int64 CODEC(Delta, ZSTD(1))",
      "maxGapUs UInt32 CODEC(ZSTD(1))",
      "storedAt DateTime DEFAULT now() CODEC(Delta, ZSTD(1))",
    ],
    newestBy: "count",
    orderBy: "(cluster, family, vrid, peer, node, minute)",
    settings: `${DURABLE}, min_free_disk_bytes_to_perform_insert = ${FREE_MIN_BYTES}`,
    shardBy: "cityHash64(cluster, node)",
  },
];
