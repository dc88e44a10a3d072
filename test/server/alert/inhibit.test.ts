import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BUILT_IN_RULES, type InhibitRule, inhibitionOf, SHARED } from "../../../server/alert/inhibit.ts";
import { type Matcher, parseMatcher } from "../../../server/alert/matchers.ts";
import { type Incident, INCIDENT_KINDS, type IncidentKind, type Severity } from "../../../server/detect/incident.ts";
import { ManualTime, settle, splitBrain, T0, webhookTable } from "./support.ts";
import { over, world } from "./world.ts";

const S = 1_000_000;
const like = (kind: IncidentKind, more: Partial<Incident> = {}): Incident => ({
  ...splitBrain,
  id: kind.padEnd(32, "0"),
  kind,
  severity: "warning",
  ...more,
});
const flapping = like("flapping", { start: T0 - 10 * S });
const inhibitor = (target: Incident, others: readonly Incident[], now: number = T0) =>
  inhibitionOf(target, others, BUILT_IN_RULES, now)?.by.kind;

describe("the built-in rules", () => {
  test.each<[string, Incident, Incident, string | undefined]>([
    ["flapping of its router", splitBrain, flapping, "split-brain"],
    ["near misses of its router", splitBrain, like("near-miss"), "split-brain"],
    ["a stall of one of its nodes", splitBrain, like("near-miss", { subject: { nodes: ["lb2"] } }), "split-brain"],
    ["moments without a master", splitBrain, like("no-master", { severity: "critical" }), "split-brain"],
    [
      "what the shadow says otherwise",
      splitBrain,
      like("shadow-divergence", { subject: { nodes: ["lb1"] } }),
      "split-brain",
    ],
    [
      "flapping of another router",
      splitBrain,
      { ...flapping, subject: { router: "default/ipv4/52", nodes: ["lb1"] } },
      undefined,
    ],
    ["flapping of another cluster", splitBrain, { ...flapping, cluster: "edge" }, undefined],
    ["flapping from long before", splitBrain, { ...flapping, start: T0 - 120 * S }, undefined],
    ["a startup failure", splitBrain, like("startup-failure", { severity: "critical" }), undefined],
    ["what is worse than itself", { ...splitBrain, severity: "info" }, flapping, undefined],
    ["anything when it was none", { ...splitBrain, status: "withdrawn" }, flapping, undefined],
    [
      "a real server of the virtual server that lost its quorum",
      like("quorum-lost", { severity: "critical", subject: { service: "10.0.0.1:80", nodes: ["lb1"] } }),
      like("service-down", { subject: { service: "10.0.0.1:80/10.0.0.9:80", nodes: ["lb2"] } }),
      "quorum-lost",
    ],
    [
      "a real server of another virtual server",
      like("quorum-lost", { severity: "critical", subject: { service: "10.0.0.1:80", nodes: ["lb1"] } }),
      like("service-down", { subject: { service: "10.0.0.2:80/10.0.0.9:80", nodes: ["lb1"] } }),
      undefined,
    ],
    [
      "a script that put the instance into FAULT",
      like("instance-fault", { cause: { code: "script", text: "" } }),
      like("script-failing", { subject: { component: "chk", nodes: ["lb1"] } }),
      "instance-fault",
    ],
    [
      "a script that fails beside a link that is down",
      like("instance-fault", { cause: { code: "interface", text: "" } }),
      like("script-failing", { subject: { component: "chk", nodes: ["lb1"] } }),
      undefined,
    ],
  ])("let one silence %s, or not", (_, source, target, by) => {
    expect(inhibitor(target, [source])).toBe(by);
  });

  test("what is left is told a while after the cause is gone, but never what only counts the past", () => {
    const over: Incident = { ...splitBrain, status: "resolved", end: T0 };
    const none = like("no-master", { severity: "critical" });
    expect(inhibitionOf(none, [over], BUILT_IN_RULES, T0 + 59 * S)).toMatchObject({ until: T0 + 60 * S });
    expect(inhibitor(none, [over], T0 + 60 * S)).toBeUndefined();
    expect(inhibitionOf(flapping, [over], BUILT_IN_RULES, T0 + 9999 * S)).toMatchObject({ until: undefined });
  });

  test("what began after the end is not explained by it", () => {
    const over: Incident = { ...splitBrain, status: "resolved", end: T0 - 20 * S };
    expect(inhibitor({ ...flapping, start: T0 - 11 * S }, [over])).toBe("split-brain");
    expect(inhibitor({ ...flapping, start: T0 - 9 * S }, [over])).toBeUndefined();
  });

  test("each has its reason", () => {
    for (const { reason } of BUILT_IN_RULES) expect(reason).toMatch(/^[a-z].{20,}$/);
  });
});

describe("of incidents that would silence each other", () => {
  const sound = (text: string): Matcher => {
    const matcher = parseMatcher(text);
    if (typeof matcher === "string") throw new Error(matcher);
    return matcher;
  };
  const rule = (source: string, target: string): InhibitRule => ({
    reason: "r",
    source: [sound(`kind=${source}`)],
    target: [sound(`kind=${target}`)],
    same: "cluster",
    tellAfterUs: undefined,
  });

  test("the earliest of a ring is told, the others are not", () => {
    const rules = [rule("flapping", "near-miss"), rule("near-miss", "blind-spot"), rule("blind-spot", "flapping")];
    const ring = (["flapping", "near-miss", "blind-spot"] as const).map((kind, i) =>
      like(kind, { start: T0 + ((i + 1) % 3) * S }),
    );
    const told = ring.filter((incident) => !inhibitionOf(incident, ring, rules, T0));
    expect(told.map(({ kind }) => kind)).toEqual(["blind-spot"]);
  });

  test("whatever the rules are, somebody is told of each that is silenced, or of what silences it", () => {
    const fewKinds = fc.constantFrom(...INCIDENT_KINDS.slice(0, 3));
    const incident = fc.record({
      id: fc.uuid(),
      kind: fewKinds,
      severity: fc.constantFrom<Severity>("info", "warning"),
      start: fc.integer({ min: 0, max: 3 }).map((i) => T0 + i * S),
    });
    const anyRule = fc
      .tuple(fc.constantFrom(...INCIDENT_KINDS), fc.constantFrom(...INCIDENT_KINDS))
      .map(([a, b]) => rule(a, b));
    fc.assert(
      fc.property(
        fc.uniqueArray(incident, { maxLength: 7, selector: ({ id }) => id }),
        fc.array(anyRule, { maxLength: 12 }),
        (parts, rules) => {
          const all = parts.map((part) => ({ ...splitBrain, ...part }));
          for (const one of all) {
            const seen = new Set<string>();
            let at: Incident | undefined = one;
            while (at && !seen.has(at.id)) {
              seen.add(at.id);
              const by: Incident | undefined = inhibitionOf(at, all, rules, T0)?.by;
              if (!by) break;
              at = by;
            }
            expect(all.some((other) => seen.has(other.id) && !inhibitionOf(other, all, rules, T0))).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("every word for what is shared is understood", () => {
    expect(SHARED).toEqual(["router", "node", "service", "cluster"]);
  });
});

describe("an inhibited notification", () => {
  test("is recorded with what inhibits it, and neither it nor its end is sent", async () => {
    const { told, happen, store, time, alerter } = world();
    await happen(["opened", splitBrain], ["opened", flapping]);
    await time.advance(5000);
    await happen(["resolved", over(flapping)]);
    expect(told).toEqual(["opened split-brain ops"]);
    const rows = [...store.rows.values()].filter(({ incidentId }) => incidentId === flapping.id);
    expect(rows.map(({ event, status, by, attempts }) => ({ event, status, by, attempts }))).toEqual([
      { event: "opened", status: "inhibited", by: splitBrain.id, attempts: 0 },
      { event: "resolved", status: "inhibited", by: splitBrain.id, attempts: 0 },
    ]);
    expect(rows[0]?.lastError).toMatch(/^inhibited by split-brain of default\/ipv4\/51 \(5b1d0+aa\): two masters take/);
    expect(alerter.counts()).toMatchObject({ inhibited: 2, sent: 1, failed: 0 });
  });

  test("is the same whichever of the two is found first, together or within the wait", async () => {
    for (const together of [true, false]) {
      const { told, happen, time } = world();
      if (together) await happen(["opened", flapping], ["opened", splitBrain]);
      else {
        await happen(["opened", flapping]);
        await time.advance(4000);
        await happen(["opened", splitBrain]);
      }
      await time.advance(5000);
      expect(told).toEqual(["opened split-brain ops"]);
    }
  });

  test("is told when nothing has explained it within the wait", async () => {
    const { told, happen, time } = world();
    await happen(["opened", flapping]);
    await time.advance(4999);
    expect(told).toEqual([]);
    await time.advance(1);
    expect(told).toEqual(["opened flapping ops"]);
  });

  test("is told once when what inhibited it is withdrawn, with what became certain meanwhile", async () => {
    const { told, happen, store, time } = world();
    const suspected: Incident = { ...flapping, certainty: "suspected" };
    await happen(["opened", splitBrain], ["opened", suspected]);
    await time.advance(5000);
    await happen(["certainty-raised", flapping]);
    await time.advance(5000);
    await happen(["withdrawn", over(splitBrain, "withdrawn")]);
    expect(told).toEqual(["opened split-brain ops", "opened flapping ops", "withdrawn split-brain ops"]);
    expect(store.outcome).toContain("opened webhook:ops sent");
    await happen(["resolved", over(flapping)]);
    expect(told.at(-1)).toBe("resolved flapping ops");
  });

  test("is not told when it is over before its inhibitor is withdrawn", async () => {
    const { told, happen, time } = world();
    await happen(["opened", splitBrain], ["opened", flapping]);
    await time.advance(5000);
    await happen(["resolved", over(flapping)]);
    await happen(["withdrawn", over(splitBrain, "withdrawn")]);
    expect(told.filter((line) => line.includes("flapping"))).toEqual([]);
  });

  test("is told a minute after the end of what inhibited it, when it is then still open", async () => {
    const none = like("no-master", { severity: "critical", start: T0 - 5 * S });
    const { told, happen, time } = world();
    await happen(["opened", splitBrain], ["opened", none]);
    await happen(["resolved", over(splitBrain)]);
    await time.advance(59_000);
    expect(told).toEqual(["opened split-brain ops", "resolved split-brain ops"]);
    await time.advance(1000);
    expect(told.at(-1)).toBe("opened no-master ops");
  });

  test("is told when it becomes worse than what inhibits it", async () => {
    const { told, happen, time } = world();
    const mild: Incident = { ...splitBrain, severity: "warning" };
    await happen(["opened", mild], ["opened", flapping]);
    await time.advance(5000);
    await happen(["revised", { ...flapping, severity: "critical" }]);
    expect(told).toEqual(["opened split-brain ops", "opened flapping ops"]);
  });

  test("passes to another inhibitor when the first is withdrawn", async () => {
    const { told, happen, store, time } = world();
    const second: Incident = { ...splitBrain, id: "b".repeat(32), start: splitBrain.start + 1 };
    const missed = like("near-miss");
    await happen(["opened", splitBrain], ["opened", second], ["opened", missed]);
    await time.advance(5000);
    await happen(["withdrawn", over(splitBrain, "withdrawn")]);
    expect(told.filter((line) => line.includes("near-miss"))).toEqual([]);
    expect([...store.rows.values()].find(({ incidentId }) => incidentId === missed.id)).toMatchObject({
      by: second.id,
    });
  });

  test("is told to one who does not hear of what would inhibit it", async () => {
    const { told, happen, time } = world({
      webhooks: [
        webhookTable("all", "http://127.0.0.1:9/"),
        webhookTable("flaps", "http://127.0.0.1:9/", { kinds: ["flapping"] }),
      ],
    });
    await happen(["opened", splitBrain], ["opened", flapping]);
    await time.advance(5000);
    expect(told).toEqual(["opened split-brain all", "opened flapping flaps"]);
  });

  test("outlives a restart: its inhibitor's withdrawal and end count afterwards", async () => {
    const none = like("no-master", { severity: "critical", start: T0 - 5 * S });
    const first = world();
    await first.happen(["opened", splitBrain], ["opened", flapping], ["opened", none]);
    await first.time.advance(5000);
    await first.alerter.stop();

    const second = world({}, first.store, new ManualTime(T0 + 10 * S));
    for (const incident of [over(splitBrain), flapping, none]) second.known.set(incident.id, incident);
    await second.alerter.start();
    await second.time.advance(49_000);
    expect(second.told).toEqual([]);
    await second.time.advance(1000);
    expect(second.told).toEqual(["opened no-master ops"]);
    await second.happen(["withdrawn", over(splitBrain, "withdrawn")]);
    expect(second.told).toEqual(["opened no-master ops", "opened flapping ops", "withdrawn split-brain ops"]);
  });

  test("is not lost when its inhibitor is withdrawn while it is being recorded", async () => {
    const { told, happen, store, known, time } = world();
    await happen(["opened", splitBrain], ["opened", flapping]);
    const save = store.saveDelivery.bind(store);
    let stored: () => void = () => undefined;
    store.saveDelivery = async (row) => {
      if (row.status === "inhibited") await new Promise<void>((done) => (stored = done));
      await save(row);
    };
    await time.advance(5000);
    // The record of the inhibition is on its way when this is told.
    await happen(["withdrawn", over(splitBrain, "withdrawn")]);
    expect(known.get(splitBrain.id)?.status).toBe("withdrawn");
    stored();
    await settle();
    expect(told).toContain("opened flapping ops");
  });
});

describe("configured rules", () => {
  test("are added to the built-in ones, which may be switched off", async () => {
    const rule = {
      source: ['kind="blind-spot"'],
      target: ['kind="redundancy-lost"'],
      same: "node",
      reason: "it is not seen",
    };
    const blind = like("blind-spot", { subject: { nodes: ["lb2"] } });
    const lost = like("redundancy-lost");
    const { told, happen, time } = world({ inhibit: [rule], inhibit_built_in: false, inhibit_wait_seconds: 1 });
    await happen(["opened", blind], ["opened", lost], ["opened", splitBrain], ["opened", flapping]);
    await time.advance(1000);
    expect(told.toSorted()).toEqual(["opened blind-spot ops", "opened flapping ops", "opened split-brain ops"]);
  });
});
