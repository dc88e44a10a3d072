import fc from "fast-check";
import { expect, test } from "vitest";
import { createDetectionEngine, detectAll } from "../../server/detect/engine.ts";
import type { Incident } from "../../server/detect/incident.ts";
import { batches, delivery } from "./histories.ts";

const conclusions = (incidents: readonly Incident[]) =>
  incidents.map(({ id: _id, revision: _revision, status: _status, revisions: _revisions, ...draft }) => draft);

test("any order, repetition and batching of the events ends in the same incidents, routers and lanes", () => {
  fc.assert(
    fc.property(delivery, ({ events, order, repeated, cuts, sizes: own }) => {
      const engine = createDetectionEngine({}, [], { sizes: own });
      for (const batch of batches([...order, ...repeated], cuts)) engine.add(batch);
      const whole = detectAll(events, {}, own);
      expect(conclusions(engine.incidents())).toEqual(whole.incidents);
      expect(engine.routers().map(({ id, vips, instances }) => ({ id, vips, instances }))).toEqual(
        whole.routers.map(({ id, vips, instances }) => ({ id, vips, instances })),
      );
      for (const { id } of whole.routers) expect(engine.lanes(id)).toEqual(whole.lanes.get(id));
      const atOnce = createDetectionEngine({}, [], { sizes: own });
      atOnce.add(events);
      for (const { id } of whole.routers) expect(engine.services(id)).toEqual(atOnce.services(id));
    }),
    { numRuns: 300 },
  );
});

test("ids are unique, and an unchanged incident is not told twice", () => {
  fc.assert(
    fc.property(delivery, ({ order, cuts, sizes: own }) => {
      const engine = createDetectionEngine({}, [], { sizes: own });
      const revisions = new Map<string, number>();
      for (const batch of batches(order, cuts))
        for (const { incident } of engine.add(batch).changes) {
          expect(incident.revision).toBe((revisions.get(incident.id) ?? 0) + 1);
          revisions.set(incident.id, incident.revision);
        }
      const ids = engine.incidents().map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(engine.add(order).changes).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test("a restart with what the store has ends in the same incidents", () => {
  fc.assert(
    fc.property(delivery, ({ events, order, sizes: own }) => {
      const before = createDetectionEngine({}, [], { sizes: own });
      before.add(order);
      const after = createDetectionEngine({}, before.incidents(), { sizes: own });
      after.load(events.filter(({ kind }) => kind !== "wire.advert"));
      after.add(events.filter(({ kind }) => kind === "wire.advert"));
      expect(after.incidents()).toEqual(before.incidents());
    }),
    { numRuns: 150 },
  );
});
