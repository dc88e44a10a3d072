import { describe, expect, test } from "vitest";
import { createDetectionEngine, detectAll } from "../../../server/detect/engine.ts";
import { realServerOf, scenario, secondsOf, VIRTUAL_SERVER } from "./scenario.ts";

const HEAD = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11 10.99.0.100
  at 0 lb2 kernel = 10.99.0.12`;

const found = (text: string) =>
  detectAll(scenario(`${HEAD}\n${text}\nwatch lb1 lb2 to 90`))
    .incidents.filter(({ kind }) => kind === "service-down" || kind === "quorum-lost")
    .map(({ kind, severity, subject, start, end, cause }) => ({
      kind,
      severity,
      service: subject.service,
      nodes: subject.nodes,
      from: secondsOf(start),
      to: secondsOf(end),
      cause: cause?.code,
    }));

const web1 = `${VIRTUAL_SERVER}/${realServerOf("web1")}`;
const down = { kind: "service-down", severity: "warning", service: web1, nodes: ["lb1"], cause: undefined };

describe("a real server that is down", () => {
  test("is an incident from the checkers' word to its withdrawal, with what they found", () => {
    expect(
      found(`
        at 10.2 lb1 checks probe result web1 digest
        at 10.2 lb1 checks probe down web1
        at 30.5 lb1 checks probe up web1`),
    ).toEqual([{ ...down, from: 10.2, to: 30.5, cause: "digest" }]);
  });

  test("is open while nobody says that it is over", () => {
    expect(found("at 10 lb1 checks log down web1")).toEqual([{ ...down, from: 10, to: null }]);
  });

  test("is one incident, whoever says so", () => {
    expect(
      found(`
        at 10.4 lb1 checks probe down web1
        at 11 lb2 checks log down web1
        at 12 lb2 checks probe down web1
        at 30 lb1 checks probe up web1
        at 31 lb2 checks log up web1
        at 31.5 lb2 checks probe up web1`),
    ).toEqual([{ ...down, nodes: ["lb1", "lb2"], from: 10.4, to: 31.5 }]);
  });

  test("is over for a node that does not probe any more, and its quorum with the last server", () => {
    expect(
      found(`
        at 10 lb1 checks probe down web1
        at 10 lb1 checks probe down web2
        at 10 lb1 checks probe quorum-lost
        at 20 lb1 checks probe paused web1
        at 30 lb1 checks probe paused web2`).map(({ service, to }) => [service, to]),
    ).toEqual([
      [VIRTUAL_SERVER, 30],
      [web1, 20],
      [`${VIRTUAL_SERVER}/${realServerOf("web2")}`, 30],
    ]);
  });

  test("is another one for each server and each time", () => {
    const all = found(`
      at 10 lb1 checks probe down web1
      at 12 lb1 checks probe down web2
      at 20 lb1 checks probe up web1
      at 30 lb1 checks probe down web1`);
    expect(all.map(({ service, from, to }) => [service, from, to])).toEqual([
      [web1, 10, 20],
      [`${VIRTUAL_SERVER}/${realServerOf("web2")}`, 12, null],
      [web1, 30, null],
    ]);
  });

  test("a finding that is long past is not why", () => {
    expect(
      found(`
        at 1 lb1 checks probe result web1 digest
        at 70 lb1 checks probe down web1`),
    ).toEqual([{ ...down, from: 70, to: null }]);
  });

  test("is over for keepalived's checkers when they end, and for the collector's when it does", () => {
    expect(
      found(`
        at 10 lb1 checks log down web1
        at 20 lb1 daemon stopping
        at 21 lb1 daemon stopped
        at 30 lb1 checks probe down web1
        at 40 lb1 collector stopped`),
    ).toEqual([
      { ...down, from: 10, to: 21 },
      { ...down, from: 30, to: 40 },
    ]);
  });

  test("is over when the node that said so is seen no more, and another one sees it up", () => {
    const text = (other: string) =>
      detectAll(
        scenario(`${HEAD}
        at 10 lb1 checks probe down web1
        ${other}
        watch lb1 to 20
        watch lb2 to 90`),
      )
        .incidents.filter(({ kind }) => kind === "service-down")
        .map(({ end }) => secondsOf(end));
    expect(text("at 40 lb2 checks probe up web1")).toEqual([40]);
    expect(text("at 5 lb2 checks probe up web1")).toEqual([20]);
    expect(text("at 5 lb2 checks probe up web2")).toEqual([null]);
    // What becomes of the other one later changes nothing, ...
    expect(text("at 5 lb2 checks probe up web1\nat 88 lb2 collector stopped")).toEqual([20]);
    // ... and whoever no longer held it for up when the first one had been silent for so long says nothing.
    expect(text("at 5 lb2 checks probe up web1\nat 30 lb2 collector stopped")).toEqual([null]);
  });

  test("is none when an orderly stop of an old release takes it out with the same words", () => {
    expect(
      found(`
        at 10 lb1 daemon stopping
        at 10 lb1 checks log down web1
        at 11 lb1 daemon stopped`),
    ).toEqual([]);
  });
});

describe("a quorum that is lost", () => {
  const lost = { kind: "quorum-lost", severity: "critical", service: VIRTUAL_SERVER, nodes: ["lb1"], cause: undefined };

  test("is critical, and names the sorry server", () => {
    const text = `
      at 10 lb1 checks probe quorum-lost
      at 10 lb1 checks probe sorry
      at 20 lb1 checks probe quorum-gained`;
    expect(found(text)).toEqual([{ ...lost, from: 10, to: 20 }]);
    const [incident] = detectAll(scenario(text)).incidents;
    expect(incident?.summary).toContain("its sorry server [127.0.0.1]:8080 answered instead");
    expect(incident?.evidence).toHaveLength(3);
  });

  test("is none while the checkers of a start have not come round", () => {
    const start = "at 10 lb1 checks probe quorum-lost initial\n";
    expect(found(`${start}at 15 lb1 checks probe quorum-gained`)).toEqual([]);
    expect(found(start)).toEqual([{ ...lost, from: 10, to: null }]);
  });
});

test("a router's timeline has the services behind its addresses: a lane each, a row for whoever tells", () => {
  const engine = createDetectionEngine();
  engine.add(
    scenario(`${HEAD}
      at 5 lb1 checks probe up web1
      at 6 lb2 checks log up web1
      at 8 lb1 checks probe result web1 digest
      at 8 lb1 checks probe down web1
      at 9 lb1 checks probe quorum-lost`),
  );
  const [router] = engine.routers();
  const lanes = engine.services(router?.id ?? "").map(({ virtualServer, realServer, rows }) => ({
    virtualServer,
    realServer,
    rows: rows.map(({ node, source, bars }) => [
      node,
      source,
      ...bars.map(({ state, from }) => [state, secondsOf(from)]),
    ]),
  }));
  expect(lanes).toEqual([
    { virtualServer: VIRTUAL_SERVER, realServer: null, rows: [["lb1", "check", ["DOWN", 9]]] },
    {
      virtualServer: VIRTUAL_SERVER,
      realServer: realServerOf("web1"),
      rows: [
        ["lb1", "check", ["UP", 5], ["DOWN", 8]],
        ["lb2", "log", ["UP", 6]],
      ],
    },
  ]);
});

test("services behind another router's address are not on this one's timeline", () => {
  const engine = createDetectionEngine();
  engine.add(
    scenario(`${HEAD}
      at 0 lb1 config VI_2 52 10.99.0.101
      at 0 lb2 config VI_2 52 10.99.0.101
      at 5 lb1 checks probe down web1`),
  );
  const lanes = Object.fromEntries(engine.routers().map(({ id, vrid }) => [vrid, engine.services(id).length]));
  expect(lanes).toEqual({ 51: 1, 52: 0 });
});
