import type { SchemaChange } from "../schema.ts";

/** Free space below which inserts are refused, bytes: with none left at all, old data could not be dropped either. */
export const FREE_MIN_BYTES = 128 * 1024 * 1024;

/**
 * Retention counts from when a row was stored: a recorded incident that is replayed months later would else be gone with
 * the first merge after it was acknowledged.
 */
export const retentionByArrival: readonly SchemaChange[] = [
  ...["events", "adverts"].map((alter) => ({
    alter,
    change: "ADD COLUMN IF NOT EXISTS storedAt DateTime DEFAULT now()",
    columns: true,
  })),
  ...["events", "adverts", "incidents", "deliveries"].map((alter) => ({
    alter,
    change: `MODIFY SETTING min_free_disk_bytes_to_perform_insert = ${FREE_MIN_BYTES}`,
  })),
];
