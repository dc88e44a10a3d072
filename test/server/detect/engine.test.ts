import { describe, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { createDetectionEngine, detectAll } from "../../../server/detect/engine.ts";
import { at, configBody, eventOf, scenario } from "./scenario.ts";

const PARTITION = `
  at 0 lb1 config
  at 0 lb2 config
  at 3.5 lb1 log MASTER
  at 3.5 lb1 kernel +10.99.0.100
  at 23.8 lb2 log MASTER
  at 23.8 lb2 kernel +10.99.0.100`;
const HEALED = `
  at 40.3 lb2 log BACKUP
  at 40.3 lb2 kernel -10.99.0.100`;

/** Events up to a second, as live collectors would have sent them. */
const upTo = (events: readonly Event[], seconds: number): Event[] => events.filter(({ ts }) => ts <= at(seconds));

describe("an incident's life", () => {
  const events = scenario(`${PARTITION}${HEALED}\n watch lb1 lb2 to 60`);

  test("is opened once, resolved once, and keeps its id", () => {
    const engine = createDetectionEngine();
    const told: string[] = [];
    const ids = new Set<string>();
    for (let second = 0; second <= 60; second += 1)
      for (const { type, incident } of engine.add(upTo(events, second)).changes) {
        told.push(`${second} ${type} ${incident.kind} ${incident.revision} ${incident.status}`);
        ids.add(incident.id);
      }
    expect(told).toEqual(["26 opened split-brain 1 open", "41 resolved split-brain 2 resolved"]);
    expect(ids.size).toBe(1);
    expect([...ids][0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("is withdrawn when late evidence shows that it was none, and comes back under its old id", () => {
    const engine = createDetectionEngine();
    const [opened] = engine.add(upTo(events, 30)).changes;
    const late = scenario("at 19 lb1 log BACKUP\nat 19 lb1 kernel -10.99.0.100");
    expect(engine.add(late).changes).toMatchObject([
      { type: "withdrawn", incident: { id: opened?.incident.id, revision: 2 } },
    ]);
    expect(engine.incidents()).toEqual([]);
    const again = scenario("\n\nat 19.5 lb1 log MASTER\nat 19.5 lb1 kernel +10.99.0.100");
    expect(engine.add(again).changes).toMatchObject([
      { type: "opened", incident: { id: opened?.incident.id, revision: 3, status: "open" } },
    ]);
  });

  test("has its certainty raised when the silent node is heard of again", () => {
    const engine = createDetectionEngine();
    const first = engine.add(scenario(`${PARTITION}\n watch lb1 to 20\n watch lb2 to 40`)).changes;
    expect(first).toMatchObject([{ type: "opened", incident: { certainty: "suspected" } }]);
    expect(engine.add(scenario("watch lb1 to 40")).changes).toMatchObject([
      { type: "certainty-raised", incident: { certainty: "confirmed", id: first[0]?.incident.id } },
    ]);
  });

  test("says what each revision changed, and on what evidence", () => {
    const engine = createDetectionEngine();
    for (const second of [24, 30, 45, 60]) engine.add(upTo(events, second));
    expect(engine.incidents().map(({ revisions }) => revisions)).toEqual([
      [
        { revision: 1, what: "opened as confirmed", why: expect.stringContaining("Entering MASTER STATE") as string },
        {
          revision: 2,
          what: "over since 2026-11-24 10:53:40 UTC",
          why: "lb2 kernel 2026-11-24 10:53:40 UTC: 10.99.0.100/24 removed from eth0; lb2 log 2026-11-24 10:53:40 UTC: (VI_1) Entering BACKUP STATE",
        },
      ],
    ]);
  });

  test("keeps its id when its router gets a better name", () => {
    const engine = createDetectionEngine();
    const logs = scenario("at 3 lb1 log MASTER\nat 20 lb2 log MASTER\nwatch lb1 lb2 to 40");
    const [opened] = engine.add(logs).changes;
    expect(opened?.incident.subject.router).toBe("default/VI_1");
    const { changes } = engine.add(scenario("\n\n\nat 0 lb1 config\nat 0 lb2 config"));
    expect(changes).toMatchObject([
      { type: "revised", incident: { id: opened?.incident.id, subject: { router: "default/ipv4/51" } } },
    ]);
  });
});

describe("after a restart", () => {
  const before = createDetectionEngine();
  const events = scenario(`${PARTITION}\n watch lb1 lb2 to 40`);
  before.add(events);

  test("the replay of what the store has changes nothing", () => {
    const engine = createDetectionEngine({}, before.incidents());
    engine.load(events.slice(0, 3));
    engine.load(events.slice(3));
    expect(engine.add([]).changes).toEqual([]);
    expect(engine.incidents()).toEqual(before.incidents());
  });

  test("a replay piece by piece withdraws nothing either", () => {
    const engine = createDetectionEngine({}, before.incidents());
    const told = events.flatMap((event) => engine.add([event]).changes.map(({ type }) => type));
    expect(told.filter((type) => type === "opened" || type === "withdrawn" || type === "resolved")).toEqual([]);
    expect(engine.incidents().map(({ id, status }) => [id, status])).toEqual(
      before.incidents().map(({ id, status }) => [id, status]),
    );
  });

  test("an incident whose events were deleted since stays", () => {
    const engine = createDetectionEngine({}, before.incidents());
    expect(engine.add(scenario("at 7000 lb1 log MASTER\n at 7100 lb1 heartbeat")).changes).toEqual([]);
    expect(engine.incidents()).toEqual(before.incidents());
  });
});

describe("what the API asks for", () => {
  test("routers with their masters, nodes with their sources", () => {
    const engine = createDetectionEngine();
    const { touchedRouters } = engine.add(scenario(`${PARTITION}\n watch lb1 lb2 to 40`));
    expect(touchedRouters).toEqual(["default/ipv4/51"]);
    expect(engine.routers()).toMatchObject([
      {
        id: "default/ipv4/51",
        masters: ["lb1", "lb2"],
        since: at(23.8),
        openIncidents: [engine.incidents()[0]?.id],
        firstEventTs: at(3),
        lastEventTs: at(23.8),
      },
    ]);
    expect(engine.nodes()).toMatchObject([{ node: "lb1", lastSeenTs: at(40) }, { node: "lb2" }]);
    expect(engine.lanes("default/ipv4/51").map(({ node, watchedTo }) => [node, watchedTo])).toEqual([
      ["lb1", at(40)],
      ["lb2", at(40)],
    ]);
    expect(engine.lanes("no such router")).toEqual([]);
  });

  test("a raw advert moves the watermark and touches its router, and is kept nowhere", () => {
    const engine = createDetectionEngine();
    engine.add(scenario(PARTITION));
    expect(engine.add(scenario("at 50 lb1 wire out advert")).touchedRouters).toEqual(["default/ipv4/51"]);
    expect(engine.nodes()[0]?.lastSeenTs).toBe(at(50));
    expect(engine.add(scenario("at 51 lb1 heartbeat")).touchedRouters).toEqual([]);
  });

  test("mail settings of the newest configuration of each node, each once", () => {
    const mail = { to: ["ops@example.net"], host: "192.0.2.25", port: 25, connectTimeoutSeconds: 30 };
    const loaded = (node: string, seconds: number, to: string) =>
      eventOf(
        { source: "config", body: { ...configBody(node), mail: { ...mail, to: [to] } } },
        { cluster: "default", node, ts: at(seconds), line: 1 },
      );
    const engine = createDetectionEngine();
    engine.add([
      loaded("lb1", 9, "ops@example.net"),
      loaded("lb1", 1, "old@example.net"),
      loaded("lb2", 1, "ops@example.net"),
    ]);
    expect(engine.mailSettings("default")).toEqual([mail]);
    expect(engine.mailSettings("other")).toEqual([]);
    expect(detectAll([]).incidents).toEqual([]);
  });
});

describe("a long history", () => {
  /** A failover every hour, and two that overlap by ten seconds. */
  const hours = 40;
  const text = Array.from({ length: hours }, (_, hour) => {
    const [from, to] = hour % 2 === 0 ? ["lb1", "lb2"] : ["lb2", "lb1"];
    const at = 100 + hour * 3600;
    const late = hour % 15 === 14 ? 10 : 0;
    return `
      at ${at} ${to} journal MASTER
      at ${at} ${to} kernel +10.99.0.100
      at ${at + late} ${from} journal BACKUP
      at ${at + late} ${from} kernel -10.99.0.100
      at ${at + 60} lb1 heartbeat
      at ${at + 60} lb2 heartbeat`;
  }).join("");
  const events = scenario(
    `at 0 lb1 config\nat 0 lb2 config\nat 1 lb1 journal MASTER\nat 1 lb1 kernel +10.99.0.100${text}`,
  );
  const sizes = { min: 8, marginEvents: 8 };
  const told = (engine: ReturnType<typeof createDetectionEngine>) =>
    engine.incidents().map(({ id, kind, start, end, cause }) => ({ id, kind, start, end, cause: cause?.code }));
  const asItCame = (limits: object) => {
    const engine = createDetectionEngine({}, [], limits);
    for (const event of events) engine.add([event]);
    return engine;
  };
  const whole = asItCame({});

  test("has its incidents, and its lanes, whether it is looked at whole or stretch by stretch", () => {
    expect(told(whole).filter(({ kind }) => kind === "split-brain")).toHaveLength(2);
    const cut = asItCame({ sizes });
    expect(told(cut)).toEqual(told(whole));
    expect(cut.lanes("default/ipv4/51")).toEqual(whole.lanes("default/ipv4/51"));
  });

  test("keeps its incidents when its oldest events are no longer at hand", () => {
    expect(told(asItCame({ sizes, events: 40 }))).toEqual(told(whole));
  });

  test("is outdated by what comes of a time no longer at hand, until all that is stored is loaded again", () => {
    const engine = asItCame({ sizes, events: 40 });
    const late = scenario("\n\nat 200 lb1 rejects auth");
    expect(engine.isOutdated()).toBe(false);
    expect(engine.add(late).changes).toEqual([]);
    expect(engine.isOutdated()).toBe(true);
    const rebuild = engine.rebuild();
    rebuild.load([...events, ...late]);
    expect(told(engine)).toEqual(told(whole));
    rebuild.finish();
    expect(engine.add([]).changes).toEqual([]);
    expect(engine.isOutdated()).toBe(false);
    expect(told(engine)).toEqual(told(whole));
  });
});

test("who fell silent is looked at again when another node is all that goes on, however much later", () => {
  const events = scenario("at 0 lb1 collector started\nat 3000 lb1 wire lb2 advert\nat 9000 lb2 near-miss lb1 1 0.55");
  const engine = createDetectionEngine();
  engine.add(events.slice(0, 2));
  engine.add(events.slice(2));
  const silent = engine.incidents().filter(({ cause }) => cause?.code === "collector-silent");
  expect(silent.map(({ subject }) => subject.nodes)).toEqual([["lb1"]]);
});

test("what is kept does not grow with the history: silences, drifting clocks, the same configuration again and again", () => {
  const engine = createDetectionEngine({}, [], { sizes: { min: 4, marginEvents: 4 }, events: 40 });
  const sizes: number[] = [];
  for (let round = 0; round < 240; round += 1) {
    const from = round * 7200;
    const text = [
      `at ${from} lb1 config`,
      `at ${from + 1} lb1 heartbeat`,
      `at ${from + 2} lb1 clock ${(round + 1) / 64}`,
      ...[0, 1, 2, 3, 4, 5].map((i) => `at ${from + 10 + i} lb1 journal BACKUP`),
    ];
    engine.add(scenario(text.join("\n")));
    sizes.push(engine.checkpoints()[0]?.state.length ?? Number.NaN);
  }
  // It goes up and down with the stretches that are at hand.
  expect(Math.max(...sizes.slice(160)) / Math.max(...sizes.slice(80, 160))).toBeLessThan(1.02);
});

describe("where a history is cut", () => {
  const sizes = { min: 4, marginEvents: 4 };
  const burst = (from: number): string =>
    Array.from({ length: 6 }, (_, i) => `at ${from + i} lb1 journal ${i % 2 === 0 ? "BACKUP" : "MASTER"}`).join("\n");
  /** Of what is at hand, when the oldest stretch is forgotten. */
  const beginsAt = (...batches: readonly (readonly Event[])[]): unknown => {
    const engine = createDetectionEngine({}, [], { sizes, events: 20 });
    for (const events of batches) engine.add(events);
    return engine.checkpoints().map(({ state }) => (JSON.parse(state) as { from: number | null }).from);
  };

  test("moves with late evidence up to the event that decided it, however far that is from the cut", () => {
    const before = scenario(`at 0 lb1 config\n${burst(1)}\n${burst(3600)}`);
    const late = scenario(`${"\n".repeat(40)}at 3000 lb1 journal BACKUP`);
    const after = scenario(`${"\n".repeat(60)}${burst(7200)}\n${burst(10_800)}\n${burst(14_400)}`);
    const atOnce = beginsAt([...before, ...late, ...after]);
    expect(atOnce).not.toEqual([null]);
    expect(beginsAt(before, late, after)).toEqual(atOnce);
  });

  test("what was concluded and taken back before it was told is no incident", () => {
    const overlap = `${PARTITION}${HEALED}\n${burst(4000)}\n${burst(8000)}`;
    const refuted = scenario(`${"\n".repeat(40)}at 19 lb1 log BACKUP\nat 19 lb1 kernel -10.99.0.100`);
    const splitBrains = (...loads: readonly (readonly Event[])[]): number => {
      const engine = createDetectionEngine({}, [], { sizes });
      for (const events of loads) engine.load(events);
      engine.add([]);
      return engine.incidents().filter(({ kind }) => kind === "split-brain").length;
    };
    expect(splitBrains(scenario(overlap))).toBe(1);
    expect(splitBrains(scenario(overlap), refuted)).toBe(0);
  });
});
