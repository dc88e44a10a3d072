import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const faults = (text: string) => detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "instance-fault");
const brief = (text: string) =>
  faults(text).map(
    ({ start, end, certainty, severity, cause, subject }) =>
      `${secondsOf(start)}..${secondsOf(end) ?? ""} ${certainty} ${severity} ${cause?.code} ${subject.instance ?? "-"} ${subject.nodes.join()}`,
  );

const PAIR = `
  at 0 lb1 config
  at 0 lb2 config
  at 1 lb2 log BACKUP init
  at 1 lb1 log MASTER`;
const TAKEN = `${PAIR}
  at 100 lb1 log FAULT
  at 103 lb2 log MASTER`;

describe("an instance in FAULT", () => {
  test.each([
    [
      "is none when it is over at once",
      `${PAIR}\nat 100 lb1 log FAULT\nat 102 lb1 log BACKUP\nwatch lb1 lb2 to 130`,
      [],
    ],
    [
      "nor soon after a start",
      `${PAIR}\nat 100 lb2 daemon starting\nat 100 lb2 log FAULT init\nat 110 lb2 log BACKUP\nwatch lb1 lb2 to 130`,
      [],
    ],
    [
      "nor soon after a reload",
      `${PAIR}\nat 99 lb2 daemon reloading\nat 100 lb2 log FAULT\nat 110 lb2 log BACKUP\nwatch lb1 lb2 to 130`,
      [],
    ],
    [
      "nor before it has lasted",
      `${PAIR}\nat 100 lb2 daemon starting\nat 100 lb2 log FAULT init\nwatch lb1 lb2 to 110`,
      [],
    ],
    [
      "after a start for longer",
      `${PAIR}\nat 100 lb2 daemon starting\nat 100 lb2 why no-address eth0\nat 120 lb2 log BACKUP\nwatch lb1 lb2 to 130`,
      ["100..120 confirmed warning no-address VI_1 lb2"],
    ],
    [
      "while the other node takes over",
      `${TAKEN}\nat 120 lb1 log BACKUP\nwatch lb1 lb2 to 130`,
      ["100..120 confirmed warning unknown VI_1 lb1"],
    ],
    [
      "while nobody takes over",
      `${PAIR}\nat 50 lb2 daemon stopping\nat 51 lb2 daemon stopped\nat 100 lb1 log FAULT\nwatch lb1 lb2 to 130`,
      ["100.. confirmed critical unknown VI_1 lb1"],
    ],
    [
      "while it was a backup, of a master that nobody watches",
      "at 0 lb1 config\nat 0 lb2 config\nat 1 lb1 log BACKUP init\nat 1 lb2 log BACKUP init\nat 100 lb1 log FAULT\nwatch lb1 lb2 to 130",
      ["100.. confirmed warning unknown VI_1 lb1"],
    ],
    [
      "while no other node has a collector",
      "at 0 lb1 config\nat 1 lb1 log MASTER\nat 100 lb1 log FAULT\nwatch lb1 to 130",
      ["100.. confirmed warning unknown VI_1 lb1"],
    ],
    [
      "while the other node is not seen",
      `${PAIR}\nat 100 lb1 log FAULT\nwatch lb1 to 130\nwatch lb2 to 90`,
      ["100.. confirmed warning unknown VI_1 lb1"],
    ],
    [
      "while a peer has no collector",
      "at 0 lb1 config\nat 1 lb1 log MASTER\nat 1 lb1 wire 10.99.0.77 seen\nat 3 lb1 wire 10.99.0.77 gone priority-zero\nat 100 lb1 log FAULT\nwatch lb1 to 130",
      ["100.. confirmed warning unknown VI_1 lb1"],
    ],
    [
      "before a takeover is due",
      `${PAIR}\nat 100 lb1 log FAULT\nwatch lb1 lb2 to 104`,
      ["100.. confirmed warning unknown VI_1 lb1"],
    ],
    [
      "and is over when the daemon is stopped",
      `${TAKEN}\nat 120 lb1 daemon stopping\nwatch lb1 lb2 to 130`,
      ["100..120 confirmed warning unknown VI_1 lb1"],
    ],
  ])("%s", (_name, text, expected) => {
    expect(brief(text)).toEqual(expected);
  });

  test.each([
    ["at 99 lb1 nic eth0 down", "interface", "interface eth0 is down"],
    ["at 100 lb1 script chk_nginx failure 1", "script", "track script chk_nginx fails"],
    ["at 100 lb1 script chk_nginx timeout", "script", "track script chk_nginx times out"],
    ["at 99 lb1 tracked process nginx down", "process", "tracked process nginx is not there in numbers"],
    ["at 99 lb1 tracked file VI_1 maintenance down", "file", "tracked file maintenance says so"],
    ["at 99 lb1 tracked bfd peer down", "bfd", "BFD session peer is down"],
    ["at 90 lb1 nic eth0 down", "unknown", "the log does not say why"],
    ["at 99 lb1 nic eth0 up", "unknown", "the log does not say why"],
    ["at 99 lb1 tracked file VI_2 maintenance down", "unknown", "the log does not say why"],
  ])("after %s: %s", (line, code, text) => {
    expect(faults(`${TAKEN}\n${line}\nwatch lb1 lb2 to 130`)[0]?.cause).toEqual({ code, text });
  });

  test("what takes several down at once is one incident, told in one sentence", () => {
    const text = `
      at 0 lb1 config VI_1 51 10.99.0.100
      at 0 lb2 config VI_1 51 10.99.0.100
      at 1 lb1 log MASTER
      at 1 lb1 log MASTER VI_2
      at 1 lb2 log BACKUP init
      at 1 lb2 log BACKUP init VI_2
      at 99 lb1 nic eth0 down
      at 100 lb1 log FAULT VI_1
      at 101 lb1 log FAULT VI_2
      at 103 lb2 log MASTER
      at 130 lb1 log BACKUP VI_1
      watch lb1 lb2 to 150`;
    const incidents = faults(text);
    expect(incidents.map(({ summary }) => summary)).toEqual([
      "VI_1 and 1 more on lb1 are in FAULT since 2026-11-24 10:54:40 UTC: interface eth0 is down; no other node has VI_2.",
    ]);
    expect(incidents[0]?.evidence.map(({ text: line }) => line)).toEqual([
      "Netlink reports eth0 down",
      "(VI_1) Entering FAULT STATE",
      "(VI_2) Entering FAULT STATE",
      "(VI_1) Entering BACKUP STATE",
    ]);
    expect(faults(`${TAKEN}\nwatch lb1 lb2 to 130`)[0]?.summary).toBe(
      "VI_1 on lb1 is in FAULT since 2026-11-24 10:54:40 UTC: the log does not say why; lb2 has the addresses.",
    );
  });
});

describe("an instance that never was heard of", () => {
  const started = (config: string) =>
    `at 0 lb1 config ${config}\nat 10 lb1 daemon starting\nat 11 lb1 log BACKUP init VI_9`;
  test.each([
    ["after the deadline", `${started("VI_1")}\nwatch lb1 to 60`, ["10.. suspected warning not-started VI_1 lb1"]],
    ["not before it", `${started("VI_1")}\nwatch lb1 to 30`, []],
    [
      "came late",
      `${started("VI_1")}\nat 50 lb1 log BACKUP\nwatch lb1 to 60`,
      ["10..50 suspected warning not-started VI_1 lb1"],
    ],
    [
      "and a second daemon that the first one holds off",
      "at 0 lb1 config\nat 10 lb1 daemon starting\nat 11 lb1 log BACKUP\nat 40 lb1 daemon starting\nat 40 lb1 daemon error already-running\nat 45 lb1 log MASTER VI_9\nwatch lb1 to 90",
      [],
    ],
    ["came in time", `${started("VI_1")}\nat 30 lb1 log BACKUP\nwatch lb1 to 60`, []],
    ["waits for the delay that is configured", `${started("VI_1")}\nat 11 lb1 startup-delay 60\nwatch lb1 to 90`, []],
    [
      "waits no longer",
      `${started("VI_1")}\nat 11 lb1 startup-delay 60\nwatch lb1 to 120`,
      ["10.. suspected warning not-started VI_1 lb1"],
    ],
    ["where the log tells of no state at all", "at 0 lb1 config\nat 10 lb1 daemon starting\nwatch lb1 to 60", []],
    [
      "ends with its daemon",
      `${started("VI_1")}\nat 70 lb1 daemon stopping\nat 71 lb1 daemon stopped\nwatch lb1 to 90`,
      ["10..70 suspected warning not-started VI_1 lb1"],
    ],
    [
      "was written after the start",
      `at 10 lb1 daemon starting\nat 11 lb1 log BACKUP init VI_9\nat 100 lb1 config\nwatch lb1 to 200`,
      [],
    ],
    [
      "and was reloaded",
      `at 10 lb1 daemon starting\nat 11 lb1 log BACKUP init VI_9\nat 100 lb1 config\nat 110 lb1 daemon reloading\nwatch lb1 to 200`,
      ["110.. suspected warning not-started VI_1 lb1"],
    ],
  ])("%s", (_name, text, expected) => {
    expect(brief(text)).toEqual(expected);
  });
});
