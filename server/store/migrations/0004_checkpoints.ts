import { DURABLE } from "./0001_first_light.ts";
import { FREE_MIN_BYTES } from "./0002_retention_by_arrival.ts";

/**
 * What the detectors know, so that a start need not read all events: only those that were stored after it, which their place in
 * the order of arrival tells (no clock is asked), and those that are still at hand.
 */
export const checkpoints = (database: string): readonly string[] => [
  `ALTER TABLE ${database}.events ADD COLUMN IF NOT EXISTS arrived UInt64 DEFAULT 0 CODEC(Delta, ZSTD(1))`,
  `CREATE TABLE IF NOT EXISTS ${database}.checkpoints (
    cluster String,
    arrived UInt64,
    sign String,
    checkpoint String CODEC(ZSTD(3))
  ) ENGINE = ReplacingMergeTree(arrived) ORDER BY cluster
  SETTINGS ${DURABLE}, min_free_disk_bytes_to_perform_insert = ${FREE_MIN_BYTES}`,
];
