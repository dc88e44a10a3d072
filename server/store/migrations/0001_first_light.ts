import type { SchemaChange } from "../schema.ts";

/**
 * Settings of every table. Without the fsync settings an embedded ClickHouse loses acknowledged rows at a power cut, and
 * may not open again; all four are needed.
 */
export const DURABLE =
  "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1";

/** All instants are microseconds since the epoch. An event that is inserted again has the same key, and is seen once. */
export const firstLight: readonly SchemaChange[] = [
  {
    create: "events",
    columns: [
      "cluster LowCardinality(String)",
      "node LowCardinality(String)",
      "ts Int64 CODEC(Delta, ZSTD(1))",
      "id FixedString(32)",
      "source LowCardinality(String)",
      "kind LowCardinality(String)",
      "event String CODEC(ZSTD(3))",
    ],
    orderBy: "(cluster, node, ts, id)",
    settings: DURABLE,
    shardBy: "cityHash64(cluster, node)",
  },
  {
    create: "adverts",
    columns: [
      "cluster LowCardinality(String)",
      "family LowCardinality(String)",
      "vrid UInt8",
      "peer LowCardinality(String)",
      "ts Int64 CODEC(Delta, ZSTD(1))",
      "node LowCardinality(String)",
      "id FixedString(32)",
      "interface LowCardinality(String)",
      "outgoing Bool",
      "priority UInt8",
      "vips Array(LowCardinality(String))",
      "advertIntervalUs UInt32",
      "destination LowCardinality(String)",
      "version UInt8",
      "ttl UInt8",
      "authType LowCardinality(String)",
      "checksum LowCardinality(String)",
      "observedTs Int64 CODEC(Delta, ZSTD(1))",
      "at String CODEC(ZSTD(1))",
    ],
    orderBy: "(cluster, family, vrid, peer, ts, node, id)",
    settings: DURABLE,
    shardBy: "cityHash64(cluster, node)",
  },
  {
    create: "incidents",
    columns: [
      "id FixedString(32)",
      "revision UInt32",
      "kind LowCardinality(String)",
      "cluster LowCardinality(String)",
      "startTs Int64",
      "incident String CODEC(ZSTD(3))",
    ],
    newestBy: "revision",
    orderBy: "id",
    settings: DURABLE,
  },
  {
    create: "deliveries",
    columns: [
      "id String",
      "version UInt64",
      "incidentId FixedString(32)",
      "status LowCardinality(String)",
      "createdTs Int64",
      "delivery String CODEC(ZSTD(3))",
    ],
    newestBy: "version",
    orderBy: "id",
    settings: DURABLE,
  },
];
