import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import type { IncidentDraft } from "../../../server/detect/incident.ts";
import { scenario, secondsOf } from "./scenario.ts";

const splitBrains = (text: string): readonly IncidentDraft[] =>
  detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "split-brain");
const inShort = ({ certainty, subject, start, end, cause }: IncidentDraft) => ({
  certainty,
  nodes: subject.nodes,
  from: secondsOf(start),
  to: secondsOf(end),
  cause: cause?.code,
});

const START = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11
  at 0 lb2 kernel = 10.99.0.12
  at 0.1 lb1 log BACKUP init
  at 0.1 lb2 log BACKUP init
  at 3.51 lb1 log MASTER
  at 3.52 lb1 kernel +10.99.0.100
  at 3.50 lb1 wire out seen
  at 3.50 lb2 wire lb1 seen`;

const PARTITION = `${START}
  at 20.2 lb2 wire lb1 gone silent
  at 23.80 lb2 wire out seen
  at 23.81 lb2 log MASTER
  at 23.82 lb2 kernel +10.99.0.100`;

describe("what is a split-brain", () => {
  test("a partition that was healed is one incident with its begin, its end and its cause", () => {
    const [incident, ...more] = splitBrains(`${PARTITION}
      at 40.31 lb1 lower lb2
      at 40.30 lb1 wire lb2 seen
      at 40.40 lb1 wire lb2 gone silent
      at 40.35 lb2 log BACKUP
      at 40.36 lb2 kernel -10.99.0.100
      at 40.30 lb2 wire out gone silent
      at 40.33 lb2 wire lb1 seen
      watch lb1 lb2 to 60`);
    expect(more).toEqual([]);
    expect(incident && inShort(incident)).toEqual({
      certainty: "confirmed",
      nodes: ["lb1", "lb2"],
      from: 23.82,
      to: 40.36,
      cause: "partition",
    });
    expect(incident?.summary).toBe(
      "lb1 and lb2 were both master of 10.99.0.100 (VI_1) for 17 s from 2026-11-24 10:53:23 UTC: lb1 and lb2 do not hear each other's adverts, so the network between them is cut or filtered.",
    );
    expect(incident?.evidence.map(({ node, text }) => `${node} ${text}`)).toContain("lb2 (VI_1) Entering BACKUP STATE");
    expect(incident?.evidence.find(({ node, source }) => node === "lb1" && source === "log")?.line).toBe(
      "/var/log/lb1.log:8",
    );
  });

  test("while the partition lasts it is open", () => {
    expect(splitBrains(`${PARTITION}\n watch lb1 lb2 to 30`).map(inShort)).toEqual([
      { certainty: "confirmed", nodes: ["lb1", "lb2"], from: 23.82, to: null, cause: "partition" },
    ]);
  });

  test("it is confirmed only once both are watched for longer than the tolerance", () => {
    expect(splitBrains(`${PARTITION}\n watch lb1 lb2 to 25`)).toEqual([]);
  });

  test("late evidence that the old master was gone before leaves none", () => {
    expect(
      splitBrains(`${PARTITION}
      at 19.9 lb1 log FAULT
      at 19.9 lb1 kernel -10.99.0.100
      at 19.9 lb1 wire out gone priority-zero
      watch lb1 lb2 to 40`),
    ).toEqual([]);
  });

  test("two logs with whole seconds are enough", () => {
    const logs = `
      at 3.5 lb1 log MASTER
      at 23.8 lb2 log MASTER
      at 40.4 lb2 log BACKUP
      watch lb1 lb2 to 50`;
    expect(splitBrains(logs).map(inShort)).toEqual([
      { certainty: "confirmed", nodes: ["lb1", "lb2"], from: 23, to: 40, cause: "partition" },
    ]);
  });
});

describe("what is none", () => {
  test.each([
    [
      "an orderly hand-over after priority 0",
      `${START}
      at 20.0 lb1 daemon stopping
      at 20.0 lb1 sent-zero
      at 20.0 lb1 removing
      at 20.01 lb1 kernel -10.99.0.100
      at 20.0 lb1 wire out gone priority-zero
      at 20.0 lb2 wire lb1 gone priority-zero
      at 20.6 lb2 log MASTER
      at 20.6 lb2 wire out seen
      at 20.6 lb2 kernel +10.99.0.100
      at 21.1 lb1 daemon vrrp-stopped
      at 21.1 lb1 daemon stopped
      watch lb1 lb2 to 60`,
    ],
    [
      "the same by logs alone, without the lines of -D",
      `
      at 3.5 lb1 log MASTER
      at 20.0 lb1 daemon stopping
      at 20.6 lb2 log MASTER
      at 21.1 lb1 daemon vrrp-stopped
      at 21.1 lb1 daemon stopped
      watch lb1 lb2 to 60`,
    ],
    [
      "a failback with a few hundred milliseconds of overlap",
      `${START}
      at 20.0 lb1 log FAULT
      at 20.0 lb1 kernel -10.99.0.100
      at 20.0 lb1 wire out gone priority-zero
      at 20.0 lb2 wire lb1 gone priority-zero
      at 20.6 lb2 log MASTER
      at 20.6 lb2 kernel +10.99.0.100
      at 20.6 lb2 wire out seen
      at 33.9 lb1 log MASTER
      at 33.9 lb1 kernel +10.99.0.100
      at 33.9 lb1 wire out seen
      at 34.3 lb2 log BACKUP
      at 34.3 lb2 kernel -10.99.0.100
      watch lb1 lb2 to 37`,
    ],
    [
      "a failback across the change of a second in two logs",
      `
      at 3.5 lb2 log MASTER
      at 33.9 lb1 log MASTER
      at 34.1 lb2 log BACKUP
      watch lb1 lb2 to 60`,
    ],
    [
      "a capture that has not yet missed the old master",
      `
      at 0 lb1 config
      at 3 lb1 wire 10.99.0.77 seen
      at 20.1 lb1 journal MASTER
      watch lb1 to 25`,
    ],
    [
      "two routers that share a VRID and no address",
      `
      at 0 lb1 config VI_1 51 10.99.0.100
      at 0 lb2 config VI_1 51 10.77.0.100
      at 3 lb1 log MASTER
      at 3 lb2 log MASTER
      watch lb1 lb2 to 60`,
    ],
  ])("%s", (_, text) => {
    expect(splitBrains(text)).toEqual([]);
  });
});

describe("what one node alone can see", () => {
  test("a master that goes on hearing another master confirms it", () => {
    const [incident] = splitBrains(`
      at 0 lb1 config
      at 3 lb1 log MASTER
      at 20 lb1 wire 10.99.0.77 seen
      at 31 lb1 wire 10.99.0.77 gone silent
      watch lb1 to 60`);
    expect(incident && inShort(incident)).toMatchObject({
      certainty: "confirmed",
      nodes: ["10.99.0.77", "lb1"],
      from: 20,
      to: 31,
    });
  });

  test("a node that fell silent as master while another took over is suspected, and kept so while it stays silent", () => {
    const silent = `${PARTITION}\n watch lb1 to 20`;
    expect(splitBrains(`${silent}\n watch lb2 to 30`)).toEqual([]);
    expect(splitBrains(`${silent}\n watch lb2 to 35`).map(inShort)).toMatchObject([
      { certainty: "suspected", from: 23.82, to: null },
    ]);
    expect(splitBrains(`${silent}\n watch lb2 to 35\n at 24 lb1 heartbeat`).map(inShort)).toMatchObject([
      { certainty: "suspected", to: null },
    ]);
    expect(splitBrains(`${PARTITION}\n watch lb1 lb2 to 35`).map(inShort)).toMatchObject([
      { certainty: "confirmed", to: null },
    ]);
  });

  const REBOOT = `
      watch lb2 to 90
      at 80 lb1 collector started
      at 80 lb1 kernel = 10.99.0.11
      at 81 lb1 daemon starting
      at 81 lb1 log BACKUP init
      at 90 lb1 heartbeat`;

  test("a node that gave its last sign of life when its adverts ended, and came back rebooted, was no second master", () => {
    expect(splitBrains(`${PARTITION}\n watch lb1 to 20${REBOOT}`)).toEqual([]);
  });

  test("nor was one whose collector had been started shortly before, too", () => {
    const incidents = splitBrains(`${PARTITION}
      at 0 lb1 collector started
      watch lb1 to 20${REBOOT}`);
    expect(incidents).toEqual([]);
  });

  test("nor was one whose collector is started once more after the boot", () => {
    const again = REBOOT.replace(
      "at 81 lb1 daemon starting",
      "at 80.5 lb1 collector started\n at 81 lb1 daemon starting",
    );
    expect(again).not.toBe(REBOOT);
    expect(splitBrains(`${PARTITION}\n watch lb1 to 20${again}`)).toEqual([]);
  });

  test("one that lived on after its adverts were no longer heard was, until its last sign of life at least", () => {
    const incidents = splitBrains(`${PARTITION}\n watch lb1 to 60${REBOOT}`);
    expect(incidents.map(inShort)).toMatchObject([{ certainty: "confirmed", from: 23.82, to: 60 }]);
  });
});

describe("why", () => {
  const both = `${START}
    at 23.80 lb2 wire out seen
    at 23.81 lb2 log MASTER
    at 23.82 lb2 kernel +10.99.0.100`;
  test.each([
    [
      "auth-mismatch",
      "passwords differ",
      `${both}
      at 21 lb2 rejects auth
      at 24 lb1 wire lb2 seen
      at 25 lb1 rejects auth`,
    ],
    [
      "one-way",
      "the adverts of lb1 do not reach lb2",
      `${both}
      at 20.2 lb2 wire lb1 gone silent
      at 23.8 lb1 wire lb2 seen
      at 25 lb1 lower lb2
      at 26 lb1 lower lb2`,
    ],
    ["filtered", "lb2", both],
    [
      "zombie-vip",
      "lb1",
      `${both}
      at 20 lb1 daemon vrrp-killed
      at 20.2 lb1 wire out gone silent
      at 20.2 lb2 wire lb1 gone silent`,
    ],
  ])("%s", (code, word, text) => {
    const [incident] = splitBrains(`${text}\n watch lb1 lb2 to 40`);
    expect(incident?.cause?.code).toBe(code);
    expect(incident?.cause?.text).toContain(word);
  });
});

test("three masters are one incident of three nodes", () => {
  const incidents = splitBrains(`
    at 1 lb1 log MASTER
    at 20 lb2 log MASTER
    at 25 lb3 log MASTER
    at 40 lb3 log BACKUP
    at 50 lb2 log BACKUP
    watch lb1 lb2 lb3 to 60`);
  expect(incidents.map(inShort)).toMatchObject([{ nodes: ["lb1", "lb2", "lb3"], from: 20, to: 50 }]);
});

test("a capture that bridges two masterships of a node is cut where its log and its kernel say that it was no master", () => {
  const incidents = splitBrains(`
    at 0 lb1 config
    at 0 lb2 config
    at 3 lb2 journal MASTER
    at 3 lb2 kernel +10.99.0.100
    at 3.01 lb2 wire out seen
    at 20.9 lb2 journal BACKUP
    at 20.9 lb2 kernel -10.99.0.100
    at 20.9 lb1 journal MASTER
    at 20.9 lb1 kernel +10.99.0.100
    at 24.9 lb1 journal BACKUP
    at 24.9 lb1 kernel -10.99.0.100
    at 24.9 lb2 journal MASTER
    at 24.9 lb2 kernel +10.99.0.100
    watch lb1 lb2 to 40`);
  expect(incidents).toEqual([]);
});

test.each([
  ["whose first advert others hear after it is over", 2.1, 1],
  ["with pauses as short as its masterships", 0.35, 8],
])("so is one %s", (_, pause, times) => {
  const masterships = Array.from({ length: times + 1 }, (_none, index) => 10 + index * pause);
  const last = masterships.at(-1) ?? 0;
  const incidents = splitBrains(`
    at 0 lb1 config
    at 0 lb2 config
    at 3 lb1 journal MASTER
    at 3 lb1 kernel +10.99.0.100
    at 10 lb2 wire out seen
    at 10.02 lb1 wire lb2 seen
    ${masterships.map((ts) => `at ${ts} lb2 journal MASTER\nat ${ts} lb2 kernel +10.99.0.100`).join("\n")}
    ${masterships
      .slice(0, -1)
      .map((ts) => `at ${ts + 0.01} lb2 journal BACKUP\nat ${ts + 0.01} lb2 kernel -10.99.0.100`)
      .join("\n")}
    at ${last + 0.01} lb1 journal BACKUP
    at ${last + 0.01} lb1 kernel -10.99.0.100
    watch lb1 lb2 to 40`);
  expect(incidents).toEqual([]);
});

test("a third master that takes the second one's place goes on with the same split-brain", () => {
  const incidents = splitBrains(`
    at 0 lb1 config
    at 0 lb2 config
    at 0 lb3 config
    at 1 lb1 journal MASTER
    at 20 lb3 journal MASTER
    at 20.95 lb2 journal MASTER
    at 21 lb3 journal BACKUP
    at 22 lb2 journal BACKUP
    watch lb1 lb2 lb3 to 60`);
  expect(incidents.map(inShort)).toMatchObject([
    { certainty: "confirmed", nodes: ["lb1", "lb2", "lb3"], from: 20, to: 22 },
  ]);
});

test("a second mastership of one advert, too", () => {
  const incidents = splitBrains(`
    at 0 lb1 config
    at 0 lb2 config
    at 3 lb2 journal MASTER
    at 3 lb2 kernel +10.99.0.100
    at 3.01 lb2 wire out seen
    at 20.9 lb2 journal BACKUP
    at 20.9 lb2 kernel -10.99.0.100
    at 20.9 lb1 journal MASTER
    at 20.9 lb1 kernel +10.99.0.100
    at 24.36 lb2 journal MASTER
    at 24.36 lb2 kernel +10.99.0.100
    at 24.35 lb2 wire out gone silent
    at 24.37 lb1 journal BACKUP
    at 24.37 lb1 kernel -10.99.0.100
    at 24.9 lb2 journal BACKUP
    at 24.9 lb2 kernel -10.99.0.100
    at 24.9 lb1 journal MASTER
    at 24.9 lb1 kernel +10.99.0.100
    watch lb1 lb2 to 40`);
  expect(incidents).toEqual([]);
});

test("a backup that takes over for an instant every few seconds, because its master falls silent, is no second master for long", () => {
  const instants = Array.from({ length: 8 }, (_, index) => 10.2 + index * 3.61);
  const incidents = splitBrains(`
    at 0 lb1 config
    at 0 lb2 config
    at 3 lb1 log MASTER
    at 3 lb1 kernel +10.99.0.100
    at 10.2 lb2 wire out seen
    ${instants.map((ts) => `at ${ts} lb2 log MASTER\nat ${ts + 0.001} lb2 kernel +10.99.0.100\nat ${ts + 0.01} lb2 log BACKUP\nat ${ts + 0.011} lb2 kernel -10.99.0.100`).join("\n")}
    at ${instants.at(-1)} lb2 wire out gone silent
    watch lb1 lb2 to 60`);
  expect(incidents).toEqual([]);
});
