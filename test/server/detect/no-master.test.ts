import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import type { IncidentDraft } from "../../../server/detect/incident.ts";
import { scenario, secondsOf } from "./scenario.ts";

const found = (text: string): readonly object[] =>
  detectAll(scenario(text))
    .incidents.filter(({ kind }) => kind === "no-master")
    .map(inShort);
const inShort = ({ certainty, severity, start, end, cause }: IncidentDraft) => ({
  certainty,
  severity,
  from: secondsOf(start),
  to: secondsOf(end),
  cause: cause?.code,
});

const ONE_MASTER = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11
  at 0 lb2 kernel = 10.99.0.12
  at 0 lb1 log BACKUP init
  at 0 lb2 log BACKUP init
  at 3.5 lb1 log MASTER
  at 3.5 lb1 kernel +10.99.0.100`;

describe("nobody has the address", () => {
  test("both nodes in FAULT", () => {
    const text = `${ONE_MASTER}
      at 19 lb2 log FAULT
      at 20.3 lb1 log FAULT
      at 20.4 lb1 kernel -10.99.0.100`;
    expect(found(`${text}\n watch lb1 lb2 to 24`)).toEqual([]);
    expect(found(`${text}\n watch lb1 lb2 to 40`)).toEqual([
      { certainty: "confirmed", severity: "critical", from: 20.4, to: null, cause: "fault" },
    ]);
    expect(found(`${text}\n at 50 lb2 log MASTER\n watch lb1 lb2 to 60`)).toEqual([
      { certainty: "confirmed", severity: "critical", from: 20.4, to: 50, cause: "fault" },
    ]);
  });

  test("an orderly stop of all nodes is a warning", () => {
    expect(
      found(`${ONE_MASTER}
      at 18.0 lb2 daemon stopping
      at 19.1 lb2 daemon stopped
      at 20.0 lb1 daemon stopping
      at 20.0 lb1 sent-zero
      at 20.1 lb1 kernel -10.99.0.100
      at 21.1 lb1 daemon stopped
      watch lb1 lb2 to 40`),
    ).toEqual([{ certainty: "confirmed", severity: "warning", from: 20.1, to: null, cause: "stopped" }]);
  });

  test("as long as one node is not seen, it is suspected, and only after a while", () => {
    const text = `${ONE_MASTER}
      at 20.3 lb1 log FAULT
      at 20.4 lb1 kernel -10.99.0.100
      watch lb2 to 15`;
    expect(found(`${text}\n watch lb1 to 30`)).toEqual([]);
    expect(found(`${text}\n watch lb1 to 40`)).toMatchObject([{ certainty: "suspected", from: 20.4, to: null }]);
  });

  test("instances that never become master are told after the time a start takes", () => {
    const text = `
      at 0 lb1 config
      at 0 lb2 config
      at 1 lb1 log FAULT init
      at 1 lb2 log FAULT init`;
    expect(found(`${text}\n watch lb1 lb2 to 6`)).toEqual([]);
    expect(found(`${text}\n watch lb1 lb2 to 20`)).toMatchObject([
      { certainty: "confirmed", from: 1, to: null, cause: "fault" },
    ]);
  });

  test("two backups that wait in vain are suspected: mostly they hear a master nobody shows us", () => {
    expect(
      found(`
      at 1 lb1 log BACKUP init
      at 1 lb2 log BACKUP init
      watch lb1 lb2 to 40`),
    ).toMatchObject([{ certainty: "suspected", from: 1 }]);
  });
});

describe("somebody has it, or will in a moment", () => {
  test.each([
    ["a first start, all nodes backup for the master-down time", `${ONE_MASTER}\n watch lb1 lb2 to 60`],
    [
      "a takeover after the master-down time",
      `${ONE_MASTER}
      at 20 lb1 log FAULT
      at 20 lb1 kernel -10.99.0.100
      at 23.7 lb2 log MASTER
      at 23.7 lb2 kernel +10.99.0.100
      watch lb1 lb2 to 60`,
    ],
    [
      "the only node restarts its daemon",
      `
      at 0 lb1 config
      at 1 lb1 log BACKUP init
      at 4.5 lb1 log MASTER
      at 20.0 lb1 daemon stopping
      at 20.0 lb1 sent-zero
      at 21.0 lb1 daemon stopped
      at 22.0 lb1 daemon starting
      at 22.1 lb1 log BACKUP init
      at 25.6 lb1 log MASTER
      watch lb1 to 60`,
    ],
    [
      "the log of a single backup, whose master nobody handed in",
      `
      at 1 lb2 log BACKUP init
      watch lb2 to 600`,
    ],
    [
      "a capture that just ends",
      `
      at 1 lb1 wire 10.99.0.12 seen
      at 90 lb1 wire 10.99.0.12 gone capture-ended
      watch lb1 to 600`,
    ],
    [
      "a master whose daemon logs nothing while it is not seen",
      `${ONE_MASTER}
      watch lb1 to 10
      watch lb2 to 60`,
    ],
  ])("%s", (_, text) => {
    expect(found(text)).toEqual([]);
  });
});

test("a router that had a master is without one however soon its daemons are started again", () => {
  const incidents = detectAll(
    scenario(`
      at 0 lb1 config
      at 0 lb2 config
      at 3 lb1 journal MASTER
      at 10 lb1 daemon stopping
      at 10.1 lb2 daemon stopping
      at 13 lb1 journal BACKUP init
      at 13 lb2 journal BACKUP init
      at 18.5 lb1 journal MASTER
      watch lb1 lb2 to 40`),
  ).incidents.filter(({ kind }) => kind === "no-master");
  expect(incidents.map(({ start, end }) => [secondsOf(start), secondsOf(end)])).toEqual([[10, 18.5]]);
});

test("it is only suspected when a node without a log could have been master while its collector was stopped", () => {
  const text = (stop: string): string => `
    at 0 lb1 config
    at 0 lb2 config
    at 0 lb1 kernel = 10.99.0.11
    at 0 lb2 kernel = 10.99.0.12
    at 0 lb1 log BACKUP init
    at 3.5 lb1 log MASTER
    at 3.5 lb1 kernel +10.99.0.100
    at 20.3 lb1 log FAULT
    at 20.4 lb1 kernel -10.99.0.100
    ${stop}
    at 40 lb2 kernel +10.99.0.100
    watch lb1 lb2 to 60`;
  const told = { severity: "critical", from: 20.4, to: 40, cause: "unknown" };
  expect(found(text(""))).toEqual([{ ...told, certainty: "confirmed" }]);
  const STOP = "at 15 lb2 collector stopped\nat 22 lb2 collector started\nat 22 lb2 kernel = 10.99.0.12";
  expect(found(text(STOP))).toEqual([{ ...told, certainty: "suspected" }]);
});
