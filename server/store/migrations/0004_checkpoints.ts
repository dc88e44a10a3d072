import type { SchemaChange } from "../schema.ts";
import { DURABLE } from "./0001_first_light.ts";
import { FREE_MIN_BYTES } from "./0002_retention_by_arrival.ts";

/**
 * What the detectors know, so that a start need not read all events: only those that were stored after it, which their place in
 * the order of arrival tells (no clock is asked), and those that are still at hand.
 */
export const checkpoints: readonly SchemaChange[] = [
  { alter: "events", change: "ADD COLUMN IF NOT EXISTS arrived UInt64 DEFAULT 0 CODEC(Delta, ZSTD(1))", columns: true },
  {
    create: "checkpoints",
    columns: ["cluster String", "arrived UInt64", "sign String", "checkpoint String CODEC(ZSTD(3))"],
    newestBy: "arrived",
    orderBy: "cluster",
    settings: `${DURABLE}, min_free_disk_bytes_to_perform_insert = ${FREE_MIN_BYTES}`,
  },
];
