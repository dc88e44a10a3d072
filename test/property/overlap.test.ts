import fc from "fast-check";
import { expect, test } from "vitest";
import { createDetectionEngine } from "../../server/detect/engine.ts";
import type { Incident, IncidentKind } from "../../server/detect/incident.ts";
import { subjectKey } from "../../server/detect/reconcile.ts";
import { STRETCH_SIZES } from "../../server/detect/stretch.ts";
import { batches, delivery } from "./histories.ts";

/**
 * Where a stretch is of a few events, the log may say in a later one that a mastership went on which the kernel had ended in an
 * earlier one.
 */
const OF_MASTERSHIPS: ReadonlySet<IncidentKind> = new Set<IncidentKind>([
  "split-brain",
  "no-master",
  "redundancy-lost",
]);

function overlapping(incidents: readonly Incident[]): readonly (readonly [Incident, Incident])[] {
  const last = new Map<string, Incident>();
  return [...incidents]
    .sort((a, b) => a.start - b.start)
    .flatMap((incident): (readonly [Incident, Incident])[] => {
      const before = last.get(subjectKey(incident));
      const isLonger = before && (before.end ?? Infinity) > (incident.end ?? Infinity);
      if (!isLonger) last.set(subjectKey(incident), incident);
      return before && (before.end ?? Infinity) > incident.start ? [[before, incident] as const] : [];
    });
}

test("no two incidents of one kind and subject are at one time", () => {
  fc.assert(
    fc.property(delivery, ({ order, repeated, cuts, sizes }) => {
      const engine = createDetectionEngine({}, [], { sizes });
      for (const batch of batches([...order, ...repeated], cuts)) engine.add(batch);
      const judged = engine.incidents().filter(({ kind }) => sizes === STRETCH_SIZES || !OF_MASTERSHIPS.has(kind));
      expect(overlapping(judged)).toEqual([]);
    }),
    { numRuns: 600 },
  );
});
