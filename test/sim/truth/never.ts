import type { TruthModule } from "./truth.ts";

/** Kinds for which nothing here gives a reason: whatever is told of them is wrong. */
const ALWAYS_WRONG: readonly TruthModule[] = (
  ["service-down", "quorum-lost", "config-error", "shadow-divergence", "script-failing"] as const
).map((kind) => ({ kind, of: () => [] }));

/** Nodes differ only where a reload changed one of them. */
const WHERE_CHANGED: readonly TruthModule[] = (["config-drift", "vip-conflict"] as const).map((kind) => ({
  kind,
  of: ({ scenario: { deeds, until } }) =>
    deeds.flatMap(({ at, deed }) =>
      deed.kind === "reload" && Object.keys(deed.changes).length > 0
        ? [{ from: at, to: until, vrid: undefined, open: true, must: false, startSlackUs: 0, endSlackUs: 0 }]
        : [],
    ),
}));

export const NEVER: readonly TruthModule[] = [...ALWAYS_WRONG, ...WHERE_CHANGED];
