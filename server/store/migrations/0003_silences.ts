/** A silence is written when it is made, and once more when it is ended before its time. */
export const silences = (database: string): readonly string[] => [
  `CREATE TABLE IF NOT EXISTS ${database}.silences (
    id FixedString(32),
    revision UInt32,
    silence String CODEC(ZSTD(3))
  ) ENGINE = ReplacingMergeTree(revision) ORDER BY id
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1`,
];
