CREATE DATABASE IF NOT EXISTS keepwatch;
CREATE TABLE IF NOT EXISTS keepwatch.migrations (version UInt32, name String, appliedTs DateTime64(6) DEFAULT now64(6)) ENGINE = ReplacingMergeTree ORDER BY version;
CREATE TABLE IF NOT EXISTS keepwatch.events (
    cluster LowCardinality(String),
    node LowCardinality(String),
    ts Int64 CODEC(Delta, ZSTD(1)),
    id FixedString(32),
    source LowCardinality(String),
    kind LowCardinality(String),
    event String CODEC(ZSTD(3))
  ) ENGINE = ReplacingMergeTree ORDER BY (cluster, node, ts, id)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;
CREATE TABLE IF NOT EXISTS keepwatch.adverts (
    cluster LowCardinality(String),
    family LowCardinality(String),
    vrid UInt8,
    peer LowCardinality(String),
    ts Int64 CODEC(Delta, ZSTD(1)),
    node LowCardinality(String),
    id FixedString(32),
    interface LowCardinality(String),
    outgoing Bool,
    priority UInt8,
    vips Array(LowCardinality(String)),
    advertIntervalUs UInt32,
    destination LowCardinality(String),
    version UInt8,
    ttl UInt8,
    authType LowCardinality(String),
    checksum LowCardinality(String),
    observedTs Int64 CODEC(Delta, ZSTD(1)),
    at String CODEC(ZSTD(1))
  ) ENGINE = ReplacingMergeTree ORDER BY (cluster, family, vrid, peer, ts, node, id)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;
CREATE TABLE IF NOT EXISTS keepwatch.incidents (
    id FixedString(32),
    revision UInt32,
    kind LowCardinality(String),
    cluster LowCardinality(String),
    startTs Int64,
    incident String CODEC(ZSTD(3))
  ) ENGINE = ReplacingMergeTree(revision) ORDER BY id SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;
CREATE TABLE IF NOT EXISTS keepwatch.deliveries (
    id String,
    version UInt64,
    incidentId FixedString(32),
    status LowCardinality(String),
    createdTs Int64,
    delivery String CODEC(ZSTD(3))
  ) ENGINE = ReplacingMergeTree(version) ORDER BY id SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;
ALTER TABLE keepwatch.events ADD COLUMN IF NOT EXISTS storedAt DateTime DEFAULT now();
ALTER TABLE keepwatch.adverts ADD COLUMN IF NOT EXISTS storedAt DateTime DEFAULT now();
ALTER TABLE keepwatch.events MODIFY SETTING min_free_disk_bytes_to_perform_insert = 134217728;
ALTER TABLE keepwatch.adverts MODIFY SETTING min_free_disk_bytes_to_perform_insert = 134217728;
ALTER TABLE keepwatch.incidents MODIFY SETTING min_free_disk_bytes_to_perform_insert = 134217728;
ALTER TABLE keepwatch.deliveries MODIFY SETTING min_free_disk_bytes_to_perform_insert = 134217728;
CREATE TABLE IF NOT EXISTS keepwatch.silences (
    id FixedString(32),
    revision UInt32,
    silence String CODEC(ZSTD(3))
  ) ENGINE = ReplacingMergeTree(revision) ORDER BY id
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;
ALTER TABLE keepwatch.events ADD COLUMN IF NOT EXISTS arrived UInt64 DEFAULT 0 CODEC(Delta, ZSTD(1));
CREATE TABLE IF NOT EXISTS keepwatch.checkpoints (
    cluster String,
    arrived UInt64,
    sign String,
    checkpoint String CODEC(ZSTD(3))
  ) ENGINE = ReplacingMergeTree(arrived) ORDER BY cluster
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1, min_free_disk_bytes_to_perform_insert = 134217728;
INSERT INTO keepwatch.migrations (version, name) VALUES (1, 'first_light'), (2, 'retention_by_arrival'), (3, 'silences'), (4, 'checkpoints');
ALTER TABLE keepwatch.adverts MODIFY TTL storedAt + INTERVAL 7 DAY;
ALTER TABLE keepwatch.events MODIFY TTL storedAt + INTERVAL 400 DAY;
