import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event } from "../../../collector/events/event.ts";
import { detectAll } from "../../../server/detect/engine.ts";
import { type IncidentDraft, type IncidentKind, STORY_MAX_CHARS } from "../../../server/detect/incident.ts";
import { scenario } from "./scenario.ts";

const found = (kind: IncidentKind, events: readonly Event[]): readonly IncidentDraft[] =>
  detectAll(events).incidents.filter((incident) => incident.kind === kind);

/** lb1 is master, lb2 its backup, both seen by log, kernel and capture. */
const PAIR = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11
  at 0 lb2 kernel = 10.99.0.12
  at 0.1 lb1 daemon starting
  at 0.1 lb2 daemon starting
  at 0.2 lb1 log BACKUP init
  at 0.2 lb2 log BACKUP init
  at 3.51 lb1 log MASTER
  at 3.52 lb1 kernel +10.99.0.100
  at 3.50 lb1 wire out seen
  at 3.50 lb2 wire lb1 seen`;
/** lb2 becomes master beside it. */
const BOTH = `${PAIR}
  at 23.80 lb2 wire out seen
  at 23.81 lb2 log MASTER
  at 23.82 lb2 kernel +10.99.0.100`;
const HEARD_BY_LB1 = `
  at 23.80 lb1 wire lb2 seen
  at 25 lb1 lower lb2`;
const UNHEARD = "at 20.2 lb2 wire lb1 gone silent";
const SEEN = "watch lb1 lb2 to 40";

/** [cause, what it says, the evidence it rests on, what makes it] */
const TWO_MASTERS: readonly (readonly [string, string, string, string])[] = [
  ["auth-mismatch", "the passwords differ", "(VI_1) refused: auth", "at 21 lb2 rejects auth\nat 24 lb1 rejects auth"],
  ["auth-mismatch", "lb2 refuses", "shadow.advert-rejected", "at 21 lb2 shadow-rejects auth lb1"],
  ["auth-type-mismatch", "the authentication types differ", "refused: auth", "at 21 lb2 rejects auth 0 1"],
  ["interval-mismatch", "the advert intervals differ", "refused: interval", "at 21 lb2 rejects interval 1 2"],
  ["version-mismatch", "the VRRP versions differ", "refused: version", "at 21 lb2 rejects version 2 3"],
  ["vip-list-mismatch", "lists of virtual addresses differ", "refused: vip-list", "at 21 lb2 rejects vip-list 1 2"],
  ["unicast-peer-missing", "not in its unicast_peer list", "refused: unicast", "at 21 lb2 rejects unicast-source lb1"],
  ["two-owners", "address owner", "refused: two-owners", "at 24 lb2 rejects two-owners"],
  ["adverts-rejected", "refuses the adverts that arrive: length", "refused: length", "at 21 lb2 rejects length 24 20"],
  [
    "interval-mismatch",
    "do not take each other's adverts: the advert intervals differ",
    "reads its configuration",
    "at 15 lb2 configured interval=2\nat 16 lb2 daemon reloading",
  ],
  [
    "version-mismatch",
    "the VRRP versions differ",
    "reads its configuration",
    "at 15 lb2 configured version=3\nat 16 lb2 daemon reloading",
  ],
  [
    "cast-mismatch",
    "one sends unicast, the other multicast",
    "reads its configuration",
    "at 15 lb2 configured peers=10.99.0.11\nat 16 lb2 daemon reloading",
  ],
  [
    "unicast-peer-missing",
    "lb1 does not have lb2 in its unicast_peer list",
    "reads its configuration",
    `at 1 lb1 configured peers=10.99.0.13
     at 1 lb2 configured peers=10.99.0.11
     at 20.2 lb2 wire lb1 gone silent`,
  ],
  [
    "equal-priority",
    "the same priority (100) from the same source address 10.99.0.50",
    "refused: own-address",
    `at 1 lb1 configured priority=100 source=10.99.0.50
     at 1 lb2 configured priority=100 source=10.99.0.50
     at 24 lb1 rejects own-address`,
  ],
  [
    "vrid-clash",
    "10.99.0.77 sends adverts of VRID 51 for other addresses (10.99.0.200)",
    "hears adverts of VRID 51 with priority 100 from 10.99.0.77",
    "at 18 lb1 stranger seen\nat 18 lb2 stranger seen\nat 19 lb1 rejects auth\nat 21 lb2 rejects auth",
  ],
  [
    "frozen",
    "the VRRP process on lb1 does not run since 10:53:20.5 UTC",
    "vrrp of keepalived is frozen",
    `${UNHEARD}\nat 20.5 lb1 process frozen`,
  ],
  ["frozen", "does not run since", "the VRRP process differs", `${UNHEARD}\nat 20.5 lb1 diverges begin frozen`],
  [
    "frozen",
    "lb1 kept the address and sent no adverts after 10:53:20.1 UTC",
    "last advert of VRID 51",
    `${UNHEARD}\nat 20.1 lb1 wire out gone silent`,
  ],
  [
    "scheduler-stall",
    "keepalived on lb1 did not run for 5.0 s",
    "A thread timer expired 5.000000 seconds ago",
    `${UNHEARD}\nat 25 lb1 stalls 5`,
  ],
  [
    "adverts-not-sent",
    "lb1 cannot send its adverts (Operation not permitted)",
    "Cant send advert",
    `${UNHEARD}\nat 21 lb1 not-sent Operation not permitted`,
  ],
  [
    "adverts-not-sent",
    "something on the host drops what it sends",
    "last advert of VRID 51",
    `${UNHEARD}\nat 20.1 lb1 wire out gone silent${HEARD_BY_LB1}`,
  ],
  [
    "link-down",
    "eth0 of lb1 has had no link since 10:53:20.3 UTC",
    "eth0 is down",
    `${UNHEARD}\nat 20.3 lb1 link down`,
  ],
  [
    "failed-reload",
    "keepalived on lb1 did not survive its reload at 10:53:20.0 UTC",
    "pid 20 exited with permanent error CONFIG",
    `at 20 lb1 daemon reloading\nat 20.2 lb1 daemon permanent-error CONFIG\n${UNHEARD}`,
  ],
  [
    "zombie-vip",
    "keepalived on lb1 ended at 10:53:20.3 UTC without being told to, and the address stayed",
    "vrrp of keepalived is gone",
    `${UNHEARD}\nat 20.3 lb1 process gone`,
  ],
  [
    "zombie-vip",
    "lb1 still holds the address although its keepalived is not master",
    "VI_1 differs",
    `${UNHEARD}\nat 21 lb1 diverges begin zombie-vip VI_1`,
  ],
  ["filtered", "adverts reach lb2, but keepalived there does not take note of them", "hears adverts", ""],
  [
    "socket-not-read",
    "adverts reach lb2 and wait in the socket of its keepalived",
    "are not read (4160 bytes)",
    "at 20 lb2 socket unread",
  ],
  [
    "one-way",
    "the adverts of lb1 do not reach lb2, while those of lb2 reach lb1",
    "lower priority",
    UNHEARD + HEARD_BY_LB1,
  ],
  ["partition", "lb1 and lb2 do not hear each other's adverts", "(silent)", UNHEARD],
];

describe("two masters: each cause, with what it rests on", () => {
  test.each(TWO_MASTERS)("%s: %s, by %s", (code, words, evidence, text) => {
    const [incident, ...more] = found("split-brain", scenario(`${BOTH}\n${text}\n${SEEN}`));
    expect(more).toEqual([]);
    expect(incident?.cause?.code).toBe(code);
    expect(incident?.cause?.text).toContain(words);
    expect(incident?.story).toContain(words);
    expect(incident?.evidence.map((piece) => piece.text).join("\n")).toContain(evidence);
  });

  test("nothing is made up where nothing is seen", () => {
    const [incident] = found(
      "split-brain",
      scenario(`${PAIR}\n${UNHEARD}\nat 23.81 lb2 log MASTER\nwatch lb1 to 20\nwatch lb2 to 40`),
    );
    expect(incident?.cause).toEqual({
      code: "unknown",
      text: "not all of them could be seen well enough to be sure",
    });
    expect(incident?.story).toContain("Cause not known");
  });
});

describe("of several true causes the most specific is the cause, and the others are told", () => {
  test.each([
    ["zombie-vip", "the passwords differ", "at 20.3 lb1 process gone\nat 21 lb2 rejects auth"],
    ["frozen", "did not run for 5.0 s", "at 20.5 lb1 process frozen\nat 25 lb1 stalls 5"],
    [
      "failed-reload",
      "the address stayed",
      "at 20 lb1 daemon reloading\nat 20.2 lb1 daemon permanent-error CONFIG\nat 20.3 lb1 process gone",
    ],
  ])("%s before: %s", (code, other, text) => {
    const [incident] = found("split-brain", scenario(`${BOTH}\n${UNHEARD}\n${text}\n${SEEN}`));
    expect(incident?.cause?.code).toBe(code);
    expect(incident?.story).toContain("Besides: ");
    expect(incident?.story).toContain(other);
  });

  test("a stranger whose adverts nobody refuses does not hide a partition", () => {
    const [incident] = found("split-brain", scenario(`${BOTH}\n${UNHEARD}\nat 2 lb1 stranger seen\n${SEEN}`));
    expect(incident?.cause?.code).toBe("partition");
    expect(incident?.story).toContain("10.99.0.77 sends adverts of VRID 51");
  });

  test("what was long over explains nothing", () => {
    const text = `
      at 4 lb1 process frozen
      at 6 lb1 process running
      at 5 lb2 rejects auth
      at 5 lb1 stalls 5
      at 5 lb1 link down
      at 6 lb1 link up`;
    const later = BOTH.replaceAll("at 23.", "at 83.");
    const [incident] = found(
      "split-brain",
      scenario(`${later}\n${text}\nat 80.2 lb2 wire lb1 gone silent\nwatch lb1 lb2 to 100`),
    );
    expect(incident?.cause?.code).toBe("partition");
    expect(incident?.story).not.toContain("Besides");
  });

  test("an edit that nobody loaded explains nothing", () => {
    const text = "at 15 lb2 configured version=3\nat 15 lb2 heartbeat";
    expect(found("split-brain", scenario(`${BOTH}\n${UNHEARD}\n${text}\n${SEEN}`))[0]?.cause?.code).toBe("partition");
  });
});

const NOBODY: readonly (readonly [string, string, string, string])[] = [
  [
    "stopped",
    "keepalived was stopped on lb1 and lb2",
    "warning",
    `at 18.0 lb2 daemon stopping
     at 19.1 lb2 daemon stopped
     at 20.0 lb1 daemon stopping
     at 20.1 lb1 kernel -10.99.0.100
     at 21.1 lb1 daemon stopped`,
  ],
  [
    "link-down",
    "the links of lb1 and lb2 are down, so they are in FAULT",
    "critical",
    `at 19 lb2 link down
     at 19 lb2 log FAULT
     at 20 lb1 link down
     at 20.0 lb1 log FAULT
     at 20.1 lb1 kernel -10.99.0.100`,
  ],
  [
    "fault",
    "lb1 and lb2 are in FAULT",
    "critical",
    `at 19 lb2 log FAULT
     at 20.0 lb1 log FAULT
     at 20.1 lb1 kernel -10.99.0.100`,
  ],
  [
    "no-candidate",
    "every node is in FAULT or stopped (lb1 and lb2)",
    "critical",
    `at 19 lb2 log FAULT
     at 20.0 lb1 daemon stopping
     at 20.1 lb1 kernel -10.99.0.100
     at 21.1 lb1 daemon stopped`,
  ],
  [
    "failed-reload",
    "keepalived on lb1 did not survive its reload",
    "critical",
    `at 19 lb2 log FAULT
     at 20 lb1 daemon reloading
     at 20.2 lb1 daemon permanent-error CONFIG
     at 20.3 lb1 kernel -10.99.0.100
     at 20.4 lb1 daemon stopped`,
  ],
  [
    "failed-start",
    "keepalived on lb1 did not survive its start",
    "critical",
    `at 19 lb2 log FAULT
     at 20 lb1 daemon stopping
     at 20.1 lb1 kernel -10.99.0.100
     at 21 lb1 daemon stopped
     at 22 lb1 daemon starting
     at 22.1 lb1 daemon permanent-error CONFIG
     at 22.4 lb1 daemon stopped`,
  ],
  [
    "frozen",
    "the VRRP process on lb2 does not run",
    "critical",
    `at 18 lb2 process frozen
     at 20.0 lb1 log FAULT
     at 20.1 lb1 kernel -10.99.0.100`,
  ],
  [
    "vrid-clash",
    "lb1 and lb2 are backup to 10.99.0.77",
    "critical",
    `at 19 lb1 stranger seen
     at 19 lb2 stranger seen
     at 20.0 lb1 log BACKUP
     at 20.1 lb1 kernel -10.99.0.100`,
  ],
  ["unknown", "the evidence does not show why", "critical", "at 20.0 lb1 log BACKUP\nat 20.1 lb1 kernel -10.99.0.100"],
];

describe("no master: each cause", () => {
  test.each(NOBODY)("%s: %s", (code, words, severity, text) => {
    const incidents = found("no-master", scenario(`${PAIR}\nat 4 lb2 wire out gone silent\n${text}\n${SEEN}`));
    const incident = incidents.at(-1);
    expect(incident?.cause?.code).toBe(code);
    expect(incident?.severity).toBe(severity);
    expect(incident?.cause?.text).toContain(words);
    expect(incident?.story).toContain(words);
    expect(incident?.story).toContain("lb1 was master from 10:53:03.5 UTC");
  });
});

test("a story: who was master when, why, and what to look at", () => {
  const text = `${BOTH}
    at 21 lb2 rejects auth
    at 40.35 lb2 log BACKUP
    at 40.36 lb2 kernel -10.99.0.100
    at 40.30 lb2 wire out gone silent`;
  expect(found("split-brain", scenario(`${text}\nwatch lb1 lb2 to 60`))[0]?.story).toBe(
    "10.99.0.100 (VI_1), 2026-11-24: lb1 is master since 10:53:03.5 UTC and lb2 was master from 10:53:23.8 UTC to 10:53:40.3 UTC (17 s, then gave way to a better one). " +
      "lb1 and lb2 were both master for 17 s from 10:53:23.8 UTC. " +
      "Cause: lb2 refuses the adverts that arrive: the passwords differ. " +
      "What to look at: auth_pass in the vrrp_instance at /etc/keepalived/keepalived.conf:5 on lb1 and /etc/keepalived/keepalived.conf:5 on lb2.",
  );
});

const trouble = fc.constantFrom(...TWO_MASTERS, ...NOBODY).map((row) => row[3]);

test("cause, story and evidence never depend on the order of arrival, and a story is never too long", () => {
  const history = fc
    .array(trouble, { minLength: 0, maxLength: 5 })
    .map((texts) => scenario(`${BOTH}\n${texts.join("\n")}\n${SEEN}`))
    .chain((events) =>
      fc.record({ events: fc.constant(events), order: fc.shuffledSubarray(events, { minLength: events.length }) }),
    );
  fc.assert(
    fc.property(history, ({ events, order }) => {
      const { incidents } = detectAll(events);
      expect(detectAll(order).incidents).toEqual(incidents);
      for (const { kind, story, cause } of incidents) {
        expect((story ?? "").length).toBeLessThanOrEqual(STORY_MAX_CHARS);
        if (kind === "split-brain" || kind === "no-master") expect(story).toContain(cause?.text.slice(0, 40));
      }
    }),
    { numRuns: 150 },
  );
});
