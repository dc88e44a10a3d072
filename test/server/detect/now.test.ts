import { describe, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { createDetectionEngine } from "../../../server/detect/engine.ts";
import { at, realServerOf, scenario, secondsOf, VIP, VIRTUAL_SERVER } from "./scenario.ts";

const PAIR = `
  at 0 lb1 config virtualServers=${VIRTUAL_SERVER}
  at 0 lb2 config virtualServers=${VIRTUAL_SERVER}
  at 1 lb1 journal MASTER
  at 1 lb2 journal BACKUP`;

const known = (text: string) => {
  const engine = createDetectionEngine();
  engine.add(scenario(text));
  return engine;
};
const routerOf = (text: string) => {
  const [router] = known(text).routers();
  if (!router) throw new Error("no router");
  return router;
};

describe("whether somebody could take over", () => {
  test.each([
    ["ready, while a backup that is seen stands by", `${PAIR}\n watch lb1 lb2 to 90`, "ready"],
    ["lost, when the backup is in FAULT", `${PAIR}\n at 20 lb2 journal FAULT\n watch lb1 lb2 to 30`, "lost"],
    [
      "lost, when keepalived was stopped there",
      `${PAIR}\n at 20 lb2 daemon stopping\n at 21 lb2 daemon stopped\n watch lb1 lb2 to 30`,
      "lost",
    ],
    ["lost, when it is frozen there", `${PAIR}\n at 20 lb2 diverges begin frozen\n watch lb1 lb2 to 30`, "lost"],
    ["unknown, when the backup's collector is silent", `${PAIR}\n watch lb2 to 20\n watch lb1 to 90`, "unknown"],
    [
      "unknown, when its log has told no state",
      `at 0 lb1 config\n at 0 lb2 config\n at 1 lb1 journal MASTER\n watch lb1 lb2 to 30`,
      "unknown",
    ],
    [
      "unknown, when only its adverts tell of it",
      `at 0 lb1 config\n at 1 lb1 journal MASTER\n at 2 lb1 wire lb2 seen\n at 3 lb1 wire lb2 gone silent\n watch lb1 to 30`,
      "unknown",
    ],
    ["single, of one node", `at 0 lb1 config\n at 1 lb1 journal MASTER\n watch lb1 to 30`, "single"],
    [
      "single, when the other's configuration has left it",
      `${PAIR}\n at 20 lb2 config none\n watch lb1 lb2 to 30`,
      "single",
    ],
    [
      "ready again, after the fault",
      `${PAIR}\n at 20 lb2 journal FAULT\n at 25 lb2 journal BACKUP\n watch lb1 lb2 to 30`,
      "ready",
    ],
  ])("is %s", (_, text, expected) => {
    expect(routerOf(text).redundancy).toBe(expected);
  });

  test("of a router without a master needs two who could", () => {
    const stopped = `${PAIR}\n at 20 lb1 journal FAULT\n watch lb1 lb2 to 21`;
    expect(routerOf(stopped)).toMatchObject({ masters: [], redundancy: "lost" });
  });

  test("comes with the word of each node", () => {
    expect(routerOf(`${PAIR}\n at 20 lb2 journal FAULT\n watch lb1 lb2 to 30`).members).toEqual([
      { node: "lb1", state: "MASTER", since: at(1), able: true, why: null },
      { node: "lb2", state: "FAULT", since: at(20), able: false, why: "lb2 is in FAULT" },
    ]);
  });
});

test("who was master before, until when and how it ended", () => {
  const router = routerOf(
    `${PAIR}\n at 20 lb1 daemon stopping\n at 20.1 lb1 daemon stopped\n at 21 lb2 journal MASTER\n watch lb1 lb2 to 30`,
  );
  expect(router.masters).toEqual(["lb2"]);
  expect(router.before).toMatchObject({ node: "lb1", ended: "stopped" });
  expect(secondsOf(router.before?.until ?? 0)).toBe(20);
  expect(routerOf(`${PAIR}\n watch lb1 lb2 to 30`).before).toBeNull();
});

describe("services now", () => {
  test("are those of the configuration, each with the newest word of every node and source", () => {
    const [service, ...others] = known(`${PAIR}
      at 10 lb1 checks probe down web1
      at 12 lb2 checks log down web1
      at 30 lb1 checks probe up web1
      at 31 lb1 checks probe up web2
      watch lb1 lb2 to 40`).servicesNow();
    expect(others).toEqual([]);
    expect(service).toEqual({
      cluster: "default",
      virtualServer: VIRTUAL_SERVER,
      routers: [expect.stringContaining("51")],
      words: [],
      realServers: [
        {
          realServer: realServerOf("web1"),
          words: [
            { node: "lb1", source: "check", state: "UP", since: at(30) },
            { node: "lb2", source: "log", state: "DOWN", since: at(12) },
          ],
        },
        {
          realServer: realServerOf("web2"),
          words: [{ node: "lb1", source: "check", state: "UP", since: at(31) }],
        },
      ],
    });
    expect(VIRTUAL_SERVER).toContain(VIP);
  });

  test("are known by name alone while nobody has said a word", () => {
    expect(known(`${PAIR}\n watch lb1 lb2 to 40`).servicesNow()).toMatchObject([
      { virtualServer: VIRTUAL_SERVER, words: [], realServers: [] },
    ]);
  });
});

describe("a node's collector", () => {
  const events = scenario(`at 0 lb1 config\n watch lb1 to 10`);
  const [first] = events;
  if (!first) throw new Error("no event");
  const common = { ...first, source: "collector" as const, observedTs: at(0) };
  const clock = (id: string, ts: number, offsetUs: number): Event => ({
    ...bare(common),
    id: id.repeat(32),
    ts,
    kind: "collector.clock",
    offsetUs,
    boundUs: 300,
  });
  const started = (id: string, ts: number): Event => ({
    ...bare(common),
    id: id.repeat(32),
    ts,
    kind: "collector.started",
    version: "0.1.0",
    sources: [],
    timeZone: "Asia/Shanghai",
  });
  const stopped: Event = { ...bare(common), id: "d".repeat(32), ts: at(8), kind: "collector.stopped" };

  test("tells its version, its clock and whether it was stopped, whatever comes first", () => {
    const told = [clock("a", at(1), 100), clock("b", at(5), 200), started("c", at(0.5)), stopped];
    for (const order of [told, [...told].reverse()]) {
      const engine = createDetectionEngine();
      engine.add([...events, ...order]);
      expect(engine.nodes()).toMatchObject([
        {
          version: "0.1.0",
          startedTs: at(0.5),
          timeZone: "Asia/Shanghai",
          stoppedTs: at(8),
          clock: { offsetUs: 200, boundUs: 300, reference: null, ts: at(5) },
        },
      ]);
    }
  });

  test("that began again is not stopped", () => {
    const engine = createDetectionEngine();
    engine.add([...events, started("e", at(9)), stopped]);
    expect(engine.nodes()[0]?.stoppedTs).toBeNull();
  });
});

function bare(event: { cluster: string; node: string; source: "collector"; observedTs: number }) {
  const { cluster, node, source, observedTs } = event;
  return { cluster, node, source, observedTs, tsUncertaintyUs: 0 };
}
