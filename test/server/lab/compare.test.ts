import { describe, expect, test } from "vitest";
import { compare, type EventExpected, type Found, type IncidentExpected } from "../../../server/lab/compare.ts";
import type { Event } from "../../../collector/events/event.ts";
import { overlapsOf, parseMonitorLine } from "../../../server/lab/truth.ts";
import type { Incident } from "../../../server/detect/incident.ts";

const S = 1_000_000;
const expectation: IncidentExpected = {
  kind: "split-brain",
  nodes: ["lb1", "lb2"],
  start: 100 * S,
  end: 110 * S,
  toleranceUs: 1.5 * S,
};
const incident: Incident = {
  id: "0".repeat(32),
  revision: 1,
  status: "resolved",
  kind: "split-brain",
  certainty: "confirmed",
  severity: "critical",
  cluster: "lab",
  subject: { router: "lab/ipv4/51", nodes: ["lb2", "lb1"] },
  start: 100.4 * S,
  end: 110.2 * S,
  cause: null,
  summary: "",
  evidence: [],
};

const found = (incidents: readonly Incident[]): Found => ({ incidents, events: [], mails: [] });

describe("the laboratory's verdict", () => {
  test("agrees when the incident begins and ends near the truth", () => {
    expect(compare([expectation], found([incident])).agrees).toBe(true);
  });

  test.each([
    ["nothing was found", []],
    ["it began too late", [{ ...incident, start: 102 * S }]],
    ["it ended too early", [{ ...incident, end: 108 * S }]],
    ["it is still open", [{ ...incident, end: null, status: "open" as const }]],
    ["it is only suspected", [{ ...incident, certainty: "suspected" as const }]],
    ["it is about other nodes", [{ ...incident, subject: { nodes: ["lb1", "lb3"] } }]],
    ["it was withdrawn", [{ ...incident, status: "withdrawn" as const }]],
    ["there is a second one", [incident, { ...incident, start: 130 * S, end: 140 * S }]],
    ["something else critical was found", [incident, { ...incident, kind: "no-master" as const }]],
  ])("disagrees when %s", (_case, incidents) => {
    expect(compare([expectation], found(incidents)).agrees).toBe(false);
  });

  test("agrees when what was found beside it is below critical", () => {
    expect(
      compare([expectation], found([incident, { ...incident, kind: "no-master", severity: "warning" }])).agrees,
    ).toBe(true);
  });

  test("disagrees when a cause is expected and another was named", () => {
    const withCause = { ...incident, cause: { code: "unknown", text: "" } };
    expect(compare([{ ...expectation, cause: "partition" }], found([withCause])).agrees).toBe(false);
  });
});

describe("what else must be there", () => {
  const event = {
    id: "0".repeat(32),
    cluster: "lab",
    node: "lb1",
    source: "log",
    kind: "script.result",
    ts: 100 * S,
    tsUncertaintyUs: S,
    observedTs: 101 * S,
    script: "chk_nginx",
    outcome: "failure",
  } as const satisfies Event;
  const expectedEvent: EventExpected = {
    event: "script.result",
    node: "lb1",
    source: "log",
    fields: { script: "chk_nginx", outcome: "failure" },
    from: 100.5 * S,
    to: 105 * S,
  };
  const mail = { receivedTs: 100 * S, from: "a@example.org", to: ["b@example.org"], subject: "[lb1] MASTER" };

  test("an event is found by its fields, within what is known of its time", () => {
    expect(compare([expectedEvent], { incidents: [], events: [event], mails: [] }).agrees).toBe(true);
  });

  test.each([
    ["its field differs", { ...event, outcome: "success" as const }],
    ["it is another node's", { ...event, node: "lb2" }],
    ["another source says so", { ...event, source: "check" as const }],
    ["it came before", { ...event, ts: 99 * S }],
    ["it came after", { ...event, ts: 106 * S }],
  ])("no event is found when %s", (_case, other) => {
    expect(compare([expectedEvent], { incidents: [], events: [other], mails: [] }).agrees).toBe(false);
  });

  test("a mail is found by its subject and not before its time", () => {
    const mails = [mail];
    expect(compare([{ mail: /MASTER/, since: 99 * S }], { incidents: [], events: [], mails }).agrees).toBe(true);
    expect(compare([{ mail: /BACKUP/, since: 99 * S }], { incidents: [], events: [], mails }).agrees).toBe(false);
    expect(compare([{ mail: /MASTER/, since: 101 * S }], { incidents: [], events: [], mails }).agrees).toBe(false);
  });

  test("a fact is what the scenario saw", () => {
    expect(compare([{ fact: "it is so", holds: true }], found([])).agrees).toBe(true);
    expect(compare([{ fact: "it is so", holds: false }], found([])).lines).toEqual(["FALSE    it is so"]);
  });
});

describe("the laboratory's own truth", () => {
  test("a hand-over is no overlap", () => {
    expect(overlapsOf([[{ from: 1, to: 5 }], [{ from: 5, to: null }]])).toEqual([]);
  });

  test("an overlap lasts while two hold the address, also when three do for a while", () => {
    expect(overlapsOf([[{ from: 1, to: 9 }], [{ from: 3, to: 6 }], [{ from: 4, to: 8 }]])).toEqual([
      { from: 3, to: 8 },
    ]);
    expect(overlapsOf([[{ from: 1, to: null }], [{ from: 3, to: null }]])).toEqual([{ from: 3, to: null }]);
  });

  test("a line of ip monitor is read with its microseconds", () => {
    const line =
      "[2026-11-24T11:08:27.525269] 1: lo    inet 10.99.0.100/24 scope global lo\\       valid_lft forever preferred_lft forever";
    expect(parseMonitorLine(line)).toEqual({
      ts: Date.parse("2026-11-24T11:08:27Z") * 1000 + 525269,
      added: true,
      address: "10.99.0.100",
    });
    expect(parseMonitorLine(line.replace("] ", "] Deleted "))?.added).toBe(false);
    expect(
      parseMonitorLine("[2026-11-24T11:08:27.731030] 1: lo: <LOOPBACK> mtu 65536 qdisc noqueue state DOWN"),
    ).toBeUndefined();
  });
});
