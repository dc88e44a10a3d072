import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDetectionEngine, detectAll } from "../../../server/detect/engine.ts";
import type { IncidentDraft } from "../../../server/detect/incident.ts";
import { scenario, secondsOf } from "./scenario.ts";

const failures = (text: string): readonly IncidentDraft[] =>
  detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "startup-failure");
const inShort = ({ start, end, cause, severity }: IncidentDraft) => ({
  from: secondsOf(start),
  to: secondsOf(end),
  cause: cause?.code,
  severity,
});

const STARTED = `
  at 0 lb1 config
  at 1.0 lb1 daemon starting
  at 1.0 lb1 child started parent 15 of 1
  at 1.1 lb1 child started vrrp 16 of 15
  at 1.2 lb1 daemon ready
  at 1.3 lb1 log BACKUP init`;

/** [cause, words, severity, from, to, text] */
const FOUND: readonly (readonly [string, string, string, number, number | null, string])[] = [
  [
    "orphaned-child",
    "its parent is gone since 10:53:20.0 UTC, and the VRRP process 16 runs on without it",
    "critical",
    20,
    null,
    "at 20 lb1 child gone parent 15 of 1",
  ],
  [
    "orphaned-child",
    "the VRRP process 16 runs on",
    "critical",
    20,
    50,
    "at 20 lb1 child gone parent 15 of 1\nat 50 lb1 child gone vrrp 16 of 15",
  ],
  [
    "child-missing",
    "its VRRP process ended at 10:53:20.0 UTC and was not started again",
    "critical",
    20,
    null,
    "at 20 lb1 child gone vrrp 16 of 15",
  ],
  [
    "nothing-started",
    '"/etc/init.d/keepalived restart" was run, and no daemon was started',
    "critical",
    20.1,
    60,
    `at 20.0 lb1 daemon stopping
     at 20.1 lb1 launcher restart
     at 20.3 lb1 child gone vrrp 16 of 15
     at 20.3 lb1 child gone parent 15 of 1
     at 20.9 lb1 daemon stopped
     at 60 lb1 daemon starting`,
  ],
  [
    "daemon_child_missing",
    "process 15 has 1 of 2 children: no checker",
    "critical",
    35,
    90,
    `at 35 lb1 config
     at 35 lb1 found daemon_child_missing process 15 has 1 of 2 children: no checker
     at 60 lb1 config
     at 60 lb1 found daemon_child_missing process 15 has 1 of 2 children: no checker
     at 90 lb1 config`,
  ],
  [
    "config_file_not_read",
    "/etc/keepalived/keepalived.conf is not what is read",
    "warning",
    35,
    null,
    "at 35 lb1 config\nat 35 lb1 found config_file_not_read /etc/keepalived/keepalived.conf is not what is read.",
  ],
  [
    "config-not-loaded",
    "/etc/keepalived/keepalived.conf was changed after the daemon had read it",
    "warning",
    29.5,
    null,
    "at 31 lb1 file-of 29.5",
  ],
  [
    "config-not-loaded",
    "still runs with what was there before",
    "warning",
    29.5,
    680,
    "at 31 lb1 file-of 29.5\nat 680.2 lb1 daemon reloading",
  ],
  [
    "reload-refused",
    "the reload at 10:53:40.0 UTC was refused, and the daemon goes on with the configuration it had",
    "warning",
    40,
    null,
    "at 40 lb1 daemon reloading\nat 40.1 lb1 daemon error reload-refused not reloading",
  ],
  [
    "instance-missing",
    "vrrp_instance VI_2 (/etc/keepalived/keepalived.conf line 5) has entered no state",
    "warning",
    100,
    null,
    `at 99 lb1 config VI_2
     at 100 lb1 daemon starting
     at 101 lb1 log BACKUP init`,
  ],
];

test("what goes wrong at once, and apart from each other, has ids of its own, whatever is known first", () => {
  const parts = ["daemon_child_missing no checker", "config_file_not_read another file"].map((found, line) =>
    scenario(`${STARTED}\nat 35 lb1 config\n${"\n".repeat(line)}at 35 lb1 found ${found}\nwatch lb1 to 60`),
  );
  const idsOf = (order: typeof parts) => {
    const engine = createDetectionEngine();
    for (const events of order) engine.add(events);
    return Object.fromEntries(engine.incidents().map(({ cause, id }) => [cause?.code, id]));
  };
  const ids = idsOf(parts);
  expect(Object.keys(ids).sort()).toEqual(["config_file_not_read", "daemon_child_missing"]);
  expect(idsOf([...parts].reverse())).toEqual(ids);
});

describe("what a start has not led to", () => {
  test.each(FOUND)("%s: %s", (code, words, severity, from, to, text) => {
    const incidents = failures(`${STARTED}\n${text}\nwatch lb1 to 700`);
    expect(incidents.map(inShort)).toEqual([{ from, to, cause: code, severity }]);
    expect(incidents[0]?.cause?.text).toContain(words);
    expect(incidents[0]?.story).toContain(words);
    expect(incidents[0]?.story).toContain("What to look at: ");
    expect(incidents[0]?.evidence.length).toBeGreaterThan(0);
  });

  test.each([
    ["a start that leads to all that it promises", ""],
    [
      "an orderly stop",
      `at 20.0 lb1 daemon stopping
       at 20.3 lb1 child gone vrrp 16 of 15
       at 20.9 lb1 child gone parent 15 of 1
       at 20.9 lb1 daemon stopped`,
    ],
    [
      "a restart that a script was asked for",
      `at 20.0 lb1 daemon stopping
       at 20.1 lb1 launcher restart
       at 20.3 lb1 child gone vrrp 16 of 15
       at 20.9 lb1 child gone parent 15 of 1
       at 21.5 lb1 child started parent 25 of 1
       at 21.5 lb1 daemon starting
       at 21.6 lb1 child started vrrp 26 of 25
       at 22 lb1 log BACKUP init`,
    ],
    [
      "a stop that a script was asked for",
      "at 20.0 lb1 daemon stopping\nat 20.1 lb1 launcher stop\nat 21 lb1 daemon stopped",
    ],
    [
      "a child that begins and ends between two looks, whichever of the two comes first",
      `at 20 lb1 child gone vrrp 26 of 15
       at 20 lb1 child started vrrp 26 of 15
       at 20 lb1 child started vrrp 27 of 15
       at 20 lb1 child gone vrrp 27 of 15
       at 20 lb1 child gone vrrp 16 of 15
       at 20 lb1 child gone parent 15 of 1
       at 20 lb1 daemon stopping
       at 21 lb1 daemon stopped`,
    ],
    ["a child that is started again", "at 20 lb1 child gone vrrp 16 of 15\nat 21 lb1 child started vrrp 26 of 15"],
    [
      "a child that ends a second before its parent",
      "at 20 lb1 child gone vrrp 16 of 15\nat 21 lb1 child gone parent 15 of 1",
    ],
    ["an edit and a reload ten minutes later at most", "at 31 lb1 file-of 29.5\nat 600 lb1 daemon reloading"],
    ["a file that was there before the start", "at 31 lb1 file-of 0.5"],
    ["an edit while no daemon runs", "at 20 lb1 daemon stopping\nat 21 lb1 daemon stopped\nat 31 lb1 file-of 29.5"],
  ])("nothing is wrong with %s", (_, text) => {
    expect(failures(`${STARTED}\n${text}\nwatch lb1 to 1200`)).toEqual([]);
  });
});

test("none of it depends on the order of arrival", () => {
  const texts = fc.array(fc.constantFrom(...FOUND.map((row) => row[5])), { minLength: 1, maxLength: 4 });
  const history = texts
    .map((parts) => scenario(`${STARTED}\n${parts.join("\n")}\nwatch lb1 to 700`))
    .chain((events) =>
      fc.record({ events: fc.constant(events), order: fc.shuffledSubarray(events, { minLength: events.length }) }),
    );
  fc.assert(
    fc.property(history, ({ events, order }) => {
      expect(detectAll(order).incidents).toEqual(detectAll(events).incidents);
    }),
    { numRuns: 60 },
  );
});
