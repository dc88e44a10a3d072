import { describe, expect, test } from "vitest";
import { PlannedStops } from "../../../server/alert/planned.ts";
import type { Incident, IncidentKind } from "../../../server/detect/incident.ts";
import { ManualTime, MemoryStore, splitBrain, T0, webhookTable } from "./support.ts";
import { over, world } from "./world.ts";

const S = 1_000_000;
const WINDOW = 1800 * S;
const like = (kind: IncidentKind, more: Partial<Incident> = {}): Incident => ({
  ...splitBrain,
  id: kind.padEnd(32, "0"),
  kind,
  severity: "warning",
  cause: null,
  start: T0,
  ...more,
});
const at = (kind: "daemon.stopping" | "daemon.starting", ts: number, node = "lb1", cluster = "default") => ({
  kind,
  ts,
  node,
  cluster,
});
const stopped = (...events: ReturnType<typeof at>[]): PlannedStops => {
  const planned = new PlannedStops(WINDOW);
  for (const event of events) planned.note(event);
  return planned;
};

describe("what follows from a stop in order", () => {
  test.each<[string, ReturnType<typeof at>[], Incident, boolean]>([
    ["a lost redundancy just after it", [at("daemon.stopping", T0 - 2 * S)], like("redundancy-lost"), true],
    ["one that a coarse log dates just before it", [at("daemon.stopping", T0 + 4 * S)], like("redundancy-lost"), true],
    ["one from before it", [at("daemon.stopping", T0 + 60 * S)], like("redundancy-lost"), false],
    ["one of another node", [at("daemon.stopping", T0, "lb9")], like("redundancy-lost"), false],
    ["one of another cluster", [at("daemon.stopping", T0, "lb1", "edge")], like("redundancy-lost"), false],
    ["one after the window", [at("daemon.stopping", T0 - WINDOW - S)], like("redundancy-lost"), false],
    [
      "flapping when the node comes back",
      [at("daemon.stopping", T0 - 90 * S), at("daemon.starting", T0 - 30 * S)],
      like("flapping"),
      true,
    ],
    [
      "flapping long after the node is back",
      [at("daemon.stopping", T0 - 190 * S), at("daemon.starting", T0 - 90 * S)],
      like("flapping"),
      false,
    ],
    [
      "what the detector itself calls stopped",
      [],
      like("redundancy-lost", { cause: { code: "stopped", text: "" } }),
      true,
    ],
    ["two masters", [at("daemon.stopping", T0)], splitBrain, false],
    ["a start that fails", [at("daemon.stopping", T0)], like("startup-failure"), false],
    ["nobody being master", [at("daemon.stopping", T0)], like("no-master"), false],
  ])("of %s", (_, events, incident, follows) => {
    expect(stopped(...events).of(incident, T0 + S) !== undefined).toBe(follows);
  });

  test("ends with the window for what is still open, not for what is over", () => {
    const planned = stopped(at("daemon.stopping", T0));
    const lost = like("redundancy-lost");
    expect(planned.of(lost, T0 + WINDOW - 1)).toMatchObject({ node: "lb1", until: T0 + WINDOW });
    expect(planned.of(lost, T0 + WINDOW)).toBeUndefined();
    expect(planned.of({ ...lost, end: T0 + S }, T0 + WINDOW)).toBeDefined();
  });

  test("is the same in whatever order the events come", () => {
    const events = [
      at("daemon.stopping", T0 - 190 * S),
      at("daemon.starting", T0 - 90 * S),
      at("daemon.stopping", T0 - 60 * S),
    ];
    for (const order of [events, events.toReversed()])
      expect(stopped(...order).of(like("flapping"), T0)?.since).toBe(T0 - 60 * S);
  });

  test("is never lowered with a window of nothing", () => {
    const planned = new PlannedStops(0);
    planned.note(at("daemon.stopping", T0));
    expect(planned.of(like("redundancy-lost"), T0)).toBeUndefined();
  });
});

describe("a notification of it", () => {
  const alerts = {
    inhibit_built_in: false,
    webhooks: [
      webhookTable("all", "http://127.0.0.1:9/"),
      webhookTable("pager", "http://127.0.0.1:9/", { min_severity: "warning" }),
    ],
  };
  const lost = like("redundancy-lost");
  const rig = () =>
    world(alerts, new MemoryStore(), new ManualTime(), { planned: stopped(at("daemon.stopping", T0 - S)) });

  test("has one severity less, says why, and wakes nobody who asked for more", async () => {
    const { happen, told, store, messages } = rig();
    await happen(["opened", lost]);
    await happen(["resolved", over(lost)]);
    expect(told).toEqual(["opened redundancy-lost all", "resolved redundancy-lost all"]);
    expect(messages[0]).toMatchObject({
      severity: "info",
      planned: "follows from a planned stop of keepalived (lb1, 2026-03-05T10:00:29.000000Z)",
    });
    expect(messages[0]?.title).toMatch(/^INFO redundancy-lost/);
    const row = [...store.rows.values()].find(({ receiver }) => receiver === "webhook:pager");
    expect(row).toMatchObject({ status: "planned", by: "lb1", attempts: 0 });
    expect(row?.lastError).toMatch(/is lowered to info; told if it is still open at 2026-03-05T10:30:29/);
  });

  test("is told as it is when the node is not back within the window", async () => {
    const { happen, told, messages, time } = rig();
    await happen(["opened", lost]);
    await time.advance(WINDOW / 1000 - 1001);
    expect(told).toEqual(["opened redundancy-lost all"]);
    await time.advance(1);
    expect(told).toEqual(["opened redundancy-lost all", "opened redundancy-lost pager"]);
    expect(messages[1]).toMatchObject({ severity: "warning", planned: null });
  });
});
