import type { SchemaChange } from "../schema.ts";

/** A migration of its own: run again, the one before would make the difference of a column that is none any more. */
export const advertsObserved: readonly SchemaChange[] = [
  "MODIFY COLUMN lagUs Int64 DEFAULT 0",
  "DROP COLUMN IF EXISTS observedTs",
  "ADD COLUMN IF NOT EXISTS observedTs Int64 ALIAS ts + lagUs",
].map((change) => ({ alter: "adverts", change, columns: true as const }));
