import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { CONF, scenario, secondsOf } from "./scenario.ts";

const found = (text: string, node = "lb1") =>
  detectAll(scenario(text))
    .incidents.filter(({ kind, subject }) => kind === "config-error" && subject.nodes.includes(node))
    .map(({ start, end, severity, certainty, cause, subject, summary }) => ({
      when: `${secondsOf(start)}..${secondsOf(end) ?? ""}`,
      what: `${certainty} ${severity} ${cause?.code}`,
      component: subject.component,
      summary: summary.replace(/ (?:since|for [\d.]+ \S+ from) [^:]+:\d\d:\d\d UTC/, ""),
    }));
const brief = (text: string) => found(text).map(({ when, what }) => `${when} ${what}`);

test("a main file that is not there is told with what comes of it", () => {
  const gone = `at 0 lb1 daemon starting\nat 1 lb1 log BACKUP\nat 2 lb1 config\nat 60 lb1 unreadable ${CONF} does not exist\nwatch lb1 to 200`;
  expect(found(gone)).toMatchObject([
    {
      component: CONF,
      summary: `${CONF} on lb1 is at fault: ${CONF} does not exist; keepalived has not read it yet, and its next reload or start will fail.`,
    },
  ]);
});

describe("a fault of the configuration", () => {
  test.each([
    ["a good file", "at 0 lb1 config\nwatch lb1 to 60", []],
    ["a hint", "at 0 lb1 config\nat 0 lb1 finds hint risky 3\nwatch lb1 to 60", []],
    [
      "that is no file at all, until there is one; the daemon goes on with what it has read",
      `at 0 lb1 daemon starting
       at 1 lb1 log BACKUP
       at 2 lb1 config
       at 60 lb1 unreadable ${CONF} does not exist
       at 100 lb1 config
       watch lb1 to 200`,
      ["60..100 confirmed warning main_file_unreadable"],
    ],
    [
      "that only the collector may not read is none",
      `at 0 lb1 config\nat 60 lb1 unreadable no permission to read ${CONF}\nwatch lb1 to 200`,
      [],
    ],
    [
      "found when the collector begins",
      "at 0 lb1 config\nat 0 lb1 finds degraded odd 3\nwatch lb1 to 60",
      ["0.. confirmed info odd"],
    ],
    [
      "that is there for a moment between two saves",
      "at 0 lb1 config\nat 20 lb1 config\nat 20 lb1 finds fatal odd 3\nat 26 lb1 config\nwatch lb1 to 60",
      [],
    ],
    [
      "and corrected before the daemon read it",
      "at 0 lb1 config\nat 20 lb1 config\nat 20 lb1 finds fatal odd 3\nat 50 lb1 config\nwatch lb1 to 90",
      ["20..50 confirmed warning odd"],
    ],
    [
      "corrected in the file, and in what runs with the next reload",
      `at 0 lb1 daemon starting
       at 1 lb1 config
       at 1 lb1 finds instance-lost no_vips 3
       at 60 lb1 config
       at 100 lb1 daemon reloading
       watch lb1 to 200`,
      ["1..100 confirmed warning no_vips"],
    ],
    [
      "that gets worse is told anew",
      `at 0 lb1 config
       at 0 lb1 finds degraded odd 3
       at 60 lb1 config
       at 60 lb1 finds degraded odd 3
       at 60 lb1 finds fatal missing 9
       at 90 lb1 config
       at 90 lb1 finds degraded odd 3
       watch lb1 to 200`,
      ["0..60 confirmed info odd", "60..90 confirmed warning missing", "90.. confirmed info odd"],
    ],
    [
      "that only keepalived's log tells, through a reload with the same fault, until one without it",
      `at 0 lb1 daemon starting
       at 1 lb1 diagnostic degraded odd 3 words
       at 30 lb1 daemon reloading
       at 32 lb1 diagnostic degraded odd 3 words
       at 60 lb1 daemon reloading
       watch lb1 to 200`,
      ["0..60 confirmed info odd"],
    ],
    [
      "outlasts the start of a second daemon, which the first one holds off",
      `at 0 lb1 daemon starting
       at 1 lb1 diagnostic degraded odd 3 words
       at 20 lb1 daemon starting
       at 20 lb1 daemon error already-running
       watch lb1 to 60`,
      ["0.. confirmed info odd"],
    ],
    [
      "in a reload that is refused: the daemon keeps what it had, the file waits",
      `at 0 lb1 daemon starting
       at 1 lb1 config
       at 30 lb1 config
       at 30 lb1 finds fatal missing 9
       at 60 lb1 daemon reloading
       at 60 lb1 daemon error reload-refused
       watch lb1 to 200`,
      ["30.. confirmed warning missing"],
    ],
    [
      "of living processes is none of a file",
      "at 0 lb1 config\nat 0 lb1 finds instance-lost daemon_child_missing 1\nwatch lb1 to 60",
      [],
    ],
    [
      "that should keep keepalived from running, and does not, is doubted",
      `at 0 lb1 config
       at 0 lb1 finds fatal missing 9
       at 5 lb1 daemon starting
       at 6 lb1 log BACKUP init
       watch lb1 to 60`,
      ["0.. suspected warning missing"],
    ],
    [
      "is settled by the correction when no daemon runs",
      `at 0 lb1 config
       at 0 lb1 finds fatal missing 9
       at 2 lb1 daemon starting
       at 2 lb1 diagnostic fatal also 11 words
       at 3 lb1 daemon stopped
       at 60 lb1 config
       watch lb1 to 200`,
      ["0..60 confirmed warning missing"],
    ],
  ])("%s", (_name, text, expected) => {
    expect(brief(text)).toEqual(expected);
  });

  test("forty in one file are one incident, the worst first, and what keepalived says of the same line is no other", () => {
    const lines = Array.from({ length: 40 }, (_, i) => `at 0 lb1 finds degraded odd ${i + 2} the ${i + 1}th`);
    const text = `at 0 lb1 config\n${lines.join("\n")}\nat 0 lb1 finds instance-lost no_vips 50 no address
      at 3 lb1 daemon starting\nat 3 lb1 diagnostic degraded other 7 words\nwatch lb1 to 60`;
    expect(found(text)).toEqual([
      {
        when: "0..",
        what: "confirmed warning no_vips",
        component: CONF,
        summary: `${CONF} on lb1 is at fault: line 50: no address (and 40 more); keepalived runs without that instance or server.`,
      },
    ]);
  });

  test("each file has its own, and each node", () => {
    const text = `at 0 lb1 config\nat 0 lb1 finds degraded odd 3\nat 0 lb1 finds fatal bad /etc/keepalived/conf.d/a.conf:1
      at 0 lb2 config\nat 0 lb2 finds degraded odd 3\nwatch lb1 lb2 to 60`;
    expect(found(text).map(({ component }) => component)).toEqual(["/etc/keepalived/conf.d/a.conf", CONF]);
    expect(found(text, "lb2")).toHaveLength(1);
  });

  test("says whether keepalived has read it", () => {
    const effect = (text: string) => found(text)[0]?.summary.split("; ").at(-1);
    const broken =
      "at 0 lb1 daemon starting\nat 1 lb1 config\nat 30 lb1 config\nat 30 lb1 finds instance-lost no_vips 3 none";
    expect(effect(`${broken}\nwatch lb1 to 60`)).toBe(
      "keepalived has not read it yet, and its next reload or start will leave that instance or server out.",
    );
    expect(effect(`${broken}\nat 50 lb1 daemon reloading\nwatch lb1 to 60`)).toBe(
      "keepalived runs without that instance or server.",
    );
    expect(effect(`${broken}\nat 50 lb1 daemon stopped\nwatch lb1 to 60`)).toBe(
      "keepalived does not run, and its next start will leave that instance or server out.",
    );
    expect(
      effect(`${broken}\nat 50 lb1 daemon reloading\nat 50 lb1 daemon error reload-refused\nwatch lb1 to 60`),
    ).toBe("keepalived has not read it yet, and its next reload or start will leave that instance or server out.");
    // The collector sees a change up to a look after it, and the reload that read it.
    expect(
      effect(
        "at 0 lb1 daemon starting\nat 1 lb1 config\nat 29 lb1 daemon reloading\nat 30 lb1 config\nat 30 lb1 finds instance-lost no_vips 3 none\nwatch lb1 to 60",
      ),
    ).toBe("keepalived runs without that instance or server.");
  });
});
