import type { TruthModule } from "./truth.ts";

/** Kinds for which nothing here gives a reason: whatever is told of them is wrong. */
export const NEVER: readonly TruthModule[] = (
  ["service-down", "quorum-lost", "config-error", "shadow-divergence"] as const
).map((kind) => ({ kind, of: () => [] }));
