import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Event } from "../../collector/events/event.ts";
import type { Checkpoint, ClusterState } from "../../server/detect/checkpoint.ts";
import { createDetectionEngine, type DetectionEngine } from "../../server/detect/engine.ts";
import { DETECTION_KINDS } from "../../server/detect/evidence.ts";
import type { StretchSizes } from "../../server/detect/stretch.ts";
import { batches, delivery } from "./histories.ts";

/** What a store has: in the order in which it came, with how much had come when the checkpoint was made. */
function restarted(
  live: DetectionEngine,
  checkpoint: Checkpoint,
  before: readonly Event[],
  after: readonly Event[],
  limits: object,
): DetectionEngine {
  const engine = createDetectionEngine({}, live.incidents(), limits);
  engine.restore(JSON.parse(JSON.stringify(checkpoint)) as Checkpoint);
  const needed = before.filter(
    ({ node, ts, kind }) => DETECTION_KINDS.has(kind) && ts >= (checkpoint.since[node] ?? Number.POSITIVE_INFINITY),
  );
  engine.recall(byTime(needed));
  engine.load(byTime(after));
  return engine;
}

/** Who a router's nodes are may become known when what happened to them is no longer at hand: then the live detectors stay with what they told. */
function isOfForgotten(live: DetectionEngine, all: readonly Event[], sizes: StretchSizes): boolean {
  const hasForgotten = live.checkpoints().some(({ state }) => (JSON.parse(state) as ClusterState).from !== null);
  if (!hasForgotten) return false;
  const told = (engine: DetectionEngine) =>
    engine
      .incidents()
      .filter(({ status }) => status !== "withdrawn")
      .map(({ kind, subject, start, end, cause }) => JSON.stringify([kind, subject, start, end, cause]))
      .sort();
  const whole = createDetectionEngine({}, [], { events: Number.POSITIVE_INFINITY, sizes });
  whole.add(all);
  return !isDeepStrictEqual(told(whole), told(live));
}

const byTime = (events: readonly Event[]): Event[] => [...events].sort((a, b) => a.ts - b.ts);
const atHand = fc.constantFrom(3, 6, 12, 1000);

test("a checkpoint and what came after it end in what was known, and nothing is told twice", () => {
  fc.assert(
    fc.property(delivery, atHand, fc.nat(8), fc.boolean(), (delivered, events, at, inOrder) => {
      const { order, repeated, cuts, sizes } = delivered;
      const limits = { events, sizes };
      const live = createDetectionEngine({}, [], limits);
      const all = batches(inOrder ? byTime([...order, ...repeated]) : [...order, ...repeated], cuts);
      for (const batch of all.slice(0, at)) live.add(batch);
      const [checkpoint] = live.checkpoints();
      for (const batch of all.slice(at)) live.add(batch);
      fc.pre(checkpoint !== undefined && !live.isOutdated());
      fc.pre(!isOfForgotten(live, all.flat(), sizes));
      const engine = restarted(live, checkpoint as Checkpoint, all.slice(0, at).flat(), all.slice(at).flat(), limits);
      expect(engine.add([]).changes).toEqual([]);
      expect(engine.isOutdated()).toBe(false);
      expect(engine.incidents()).toEqual(live.incidents());
      expect(engine.nodes()).toEqual(live.nodes());
      // The one may have forgotten more than the other.
      const atHandOf = (one: DetectionEngine) => one.checkpoints().map(({ since }) => since);
      if (!isDeepStrictEqual(atHandOf(engine), atHandOf(live))) return;
      expect(engine.routers()).toEqual(live.routers());
      for (const { id } of live.routers()) {
        expect(engine.lanes(id)).toEqual(live.lanes(id));
        expect(engine.services(id)).toEqual(live.services(id));
      }
    }),
    { numRuns: 300 },
  );
});
