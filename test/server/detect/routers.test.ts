import { describe, expect, test } from "vitest";
import { createDetectionEngine, detectAll } from "../../../server/detect/engine.ts";
import { SENDERS_KEPT } from "../../../server/detect/senders.ts";
import type { VirtualRouter } from "../../../server/detect/view.ts";
import { scenario } from "./scenario.ts";

const routers = (text: string): readonly VirtualRouter[] => detectAll(scenario(text)).routers;
const inShort = ({ id, vips, instances }: VirtualRouter) =>
  `${id} [${vips.join()}] ${instances.map(({ node, name }) => `${node}:${name ?? "-"}`).join(" ")}`;

describe("what forms one virtual router", () => {
  test.each([
    [
      "two configurations with one VRID and address, whatever they call it",
      ["default/ipv4/51 [10.99.0.100] lb1:VI_1 lb2:VI_B"],
      `
      at 0 lb1 config VI_1
      at 0 lb2 config VI_B`,
    ],
    [
      "not a VRID that is used again for other addresses",
      ["default/ipv4/51/10.77.0.9 [10.77.0.9] lb3:VI_1", "default/ipv4/51/10.99.0.100 [10.99.0.100] lb1:VI_1"],
      `
      at 0 lb1 config
      at 0 lb3 config VI_1 51 10.77.0.9`,
    ],
    [
      "three address lists of which each shares one with the next",
      ["default/ipv4/51 [10.9.0.1,10.9.0.2,10.9.0.3] lb1:VI_1 lb2:VI_1 lb3:VI_1"],
      `
      at 0 lb1 config VI_1 51 10.9.0.1
      at 0 lb2 config VI_1 51 10.9.0.3
      at 0 lb3 config VI_1 51 10.9.0.1,10.9.0.2,10.9.0.3`,
    ],
    [
      "a log without configuration, by its name alone",
      ["default/VI_1 [] lb1:VI_1 lb2:VI_1"],
      `
      at 0 lb1 log BACKUP
      at 0 lb2 log BACKUP`,
    ],
    [
      "a log without configuration, by the addresses it announces",
      ["default/ipv4/51 [10.99.0.100] lb1:VI_X lb2:VI_1"],
      `
      at 0 lb1 garp VI_X
      at 0 lb2 config`,
    ],
    [
      "logs that announce the same address under two names",
      ["default/VI_A [10.99.0.100] lb1:VI_A lb2:VI_B"],
      `
      at 0 lb1 garp VI_A
      at 0 lb2 garp VI_B`,
    ],
    [
      "a log without configuration or addresses, by the name another node's configuration has",
      ["default/ipv4/51 [10.99.0.100] lb1:VI_1 lb2:VI_1"],
      `
      at 0 lb1 log BACKUP
      at 0 lb2 config`,
    ],
    [
      "a log and a capture when there is one of each",
      ["default/ipv4/51 [10.99.0.100] lb1:VI_1 lb2:-"],
      `
      at 0 lb1 log BACKUP
      at 0 lb1 kernel = 10.99.0.11
      at 0 lb2 kernel = 10.99.0.12
      at 3 lb1 wire lb2 seen`,
    ],
  ])("%s", (_, expected, text) => {
    expect(routers(text).map(inShort)).toEqual(expected);
    expect(routers(text.split("\n").reverse().join("\n")).map(inShort)).toEqual(expected);
  });
});

describe("who a sender is", () => {
  test.each([
    ["a node whose kernel has the address", "lb2:-", "at 9 lb2 kernel = 10.99.0.12"],
    ["a node that sends from it", "lb2:-", "at 9 lb2 wire out seen"],
    ["the address itself, when nothing is known", "10.99.0.12:-", ""],
  ])("%s", (_, instance, knowledge) => {
    expect(routers(`at 3 lb1 wire lb2 seen\n at 3 lb1 config\n ${knowledge}`).map(inShort)).toEqual([
      `default/ipv4/51 [10.99.0.100] ${[instance, "lb1:VI_1"].sort().join(" ")}`,
    ]);
  });
});

test("clusters do not mix", () => {
  const events = [
    ...scenario("at 1 lb1 log MASTER\n watch lb1 to 40", "east"),
    ...scenario("at 1 lb2 log MASTER\n watch lb2 to 40", "west"),
  ];
  const { routers: found, incidents } = detectAll(events);
  expect(found.map(({ id }) => id)).toEqual(["east/VI_1", "west/VI_1"]);
  expect(incidents).toEqual([]);
});

describe("a node whose collector sees neither adverts nor addresses", () => {
  const BLIND = `
    at 0 lb1 config
    at 0 lb2 config
    at 0 lb2 kernel = 10.99.0.12
    at 3 lb1 log MASTER
    at 3 lb2 wire lb1 seen`;
  const members = (text: string): readonly string[] =>
    detectAll(scenario(text)).routers.flatMap(({ instances }) => instances.map(({ node }) => node));

  test("is the sender that is no other node, when it is the only one without an address", () => {
    expect(members(BLIND)).toEqual(["lb1", "lb2"]);
    expect(detectAll(scenario(`${BLIND}\nwatch lb1 lb2 to 40`)).incidents).toEqual([]);
  });

  test("is of several senders the one with its priority", () => {
    expect(members(`${BLIND}\nat 4 lb2 wire 10.99.0.77 seen`)).toEqual(["10.99.0.77", "lb1", "lb2"]);
    const two = `${BLIND}\nat 0 lb3 config\nat 4 lb3 log MASTER\nat 4 lb2 wire lb3 seen`;
    expect(members(two)).toEqual(["lb1", "lb2", "lb3"]);
  });

  test("is none of two senders of its priority, nor one with another priority, nor one that it hears itself", () => {
    const equal = BLIND.replace("lb1 config", "lb1 config priority=100").replace(
      "wire lb1 seen",
      "wire 10.99.0.77 seen",
    );
    expect(members(equal)).toEqual(["lb1", "lb2"]);
    expect(members(`${equal}\nat 4 lb2 wire 10.99.0.78 seen`)).toEqual(["10.99.0.77", "10.99.0.78", "lb1", "lb2"]);
    expect(members(`${equal}\nat 4 lb1 wire 10.99.0.77 seen`)).toEqual(["10.99.0.77", "lb1", "lb2"]);
    const other = BLIND.replace("wire lb1 seen", "wire 10.99.0.77 seen");
    expect(members(other)).toEqual(["10.99.0.77", "lb1", "lb2"]);
  });
});

describe("more senders than a segment can have", () => {
  const REAL = `
    at 0 lb1 config
    at 0 lb2 config
    at 0 lb2 kernel = 10.99.0.12
    at 1 lb1 wire lb2 seen
    at 2 lb2 journal MASTER`;
  const FORGED = Array.from(
    { length: 5 * SENDERS_KEPT },
    (_, index) => `at ${3 + index} lb1 wire 10.98.${index >> 8}.${index & 255} seen`,
  );
  const events = scenario([REAL, ...FORGED, "watch lb1 lb2 to 900"].join("\n"));
  const told = (order: typeof events) => {
    const engine = createDetectionEngine();
    for (let from = 0; from < order.length; from += 50) engine.add(order.slice(from, from + 50));
    return { engine, routers: engine.routers(), incidents: engine.incidents() };
  };
  const inOrder = told(events);

  test("do not fill the memory: the first ones are kept, and it is said that there were more", () => {
    const [router] = inOrder.routers;
    expect(router?.instances.map(({ node }) => node)).toContain("lb2");
    expect(router?.instances).toHaveLength(2 + SENDERS_KEPT - 1);
    expect(router?.instances.every(({ node, priority }) => node.startsWith("lb") || priority === null)).toBe(true);
    expect(inOrder.engine.crowdedVrids()).toBe(1);
    expect(told(scenario(`${REAL}\nwatch lb1 lb2 to 900`)).engine.crowdedVrids()).toBe(0);
  });

  test("are the same ones whatever came first", () => {
    const backwards = told([...events].reverse());
    expect(backwards.routers.map(({ instances }) => instances)).toEqual(
      inOrder.routers.map(({ instances }) => instances),
    );
    expect(backwards.incidents.map(({ kind, start, end, subject }) => ({ kind, start, end, subject }))).toEqual(
      inOrder.incidents.map(({ kind, start, end, subject }) => ({ kind, start, end, subject })),
    );
  });
});
