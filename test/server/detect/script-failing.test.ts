import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const failing = (text: string) => detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "script-failing");
const brief = (text: string) =>
  failing(text).map(
    ({ start, end, severity, cause, subject }) =>
      `${secondsOf(start)}..${secondsOf(end) ?? ""} ${severity} ${cause?.code} ${subject.component} ${subject.nodes.join()}`,
  );

describe("a check that fails", () => {
  test.each([
    [
      "until it succeeds",
      "at 10 lb1 script chk failure 1\nat 30 lb1 script chk success\nwatch lb1 to 60",
      ["10..30 warning exit-status track_script chk lb1"],
    ],
    ["for a moment", "at 10 lb1 script chk failure 1\nat 12 lb1 script chk success\nwatch lb1 to 60", []],
    ["just now", "at 10 lb1 script chk failure 1\nwatch lb1 to 13", []],
    [
      "by taking too long",
      "at 10 lb1 script chk timeout\nwatch lb1 to 60",
      ["10.. warning timeout track_script chk lb1"],
    ],
    [
      "twice in two ways is one incident",
      "at 10 lb1 script chk failure\nat 20 lb1 script chk timeout\nwatch lb1 to 60",
      ["10.. warning failed track_script chk lb1"],
    ],
    [
      "processes that are missing",
      "at 10 lb1 tracked process nginx down\nat 40 lb1 tracked process nginx up\nwatch lb1 to 60",
      ["10..40 warning quorum track_process nginx lb1"],
    ],
    [
      "with the daemon that asks it",
      "at 10 lb1 script chk failure 1\nat 30 lb1 daemon stopping\nwatch lb1 to 60",
      ["10..30 warning exit-status track_script chk lb1"],
    ],
    [
      "over a start that another daemon holds off",
      "at 10 lb1 script chk failure 1\nat 30 lb1 daemon starting\nat 30 lb1 daemon error already-running\nwatch lb1 to 60",
      ["10.. warning exit-status track_script chk lb1"],
    ],
    [
      "each by itself, on each node",
      "at 10 lb1 script chk failure 1\nat 11 lb1 script other failure 1\nat 12 lb2 script chk failure 1\nwatch lb1 lb2 to 60",
      [
        "10.. warning exit-status track_script chk lb1",
        "11.. warning exit-status track_script other lb1",
        "12.. warning exit-status track_script chk lb2",
      ],
    ],
  ])("%s", (_name, text, expected) => {
    expect(brief(text)).toEqual(expected);
  });

  test.each([
    ["at 10 lb1 priority 100 80", "the priority of VI_1 falls from 100 to 80"],
    [
      "at 11 lb1 priority 100 80\nat 11 lb1 priority 90 70 VI_2",
      "the priority of VI_1 falls from 100 to 80, the priority of VI_2 falls from 90 to 70",
    ],
    ["at 10 lb1 log FAULT", "VI_1 goes to FAULT"],
    ["at 15 lb1 priority 100 80", "no change of a priority or state is known"],
    ["at 10 lb1 priority 80 100", "no change of a priority or state is known"],
  ])("and what comes of it: %s", (line, effect) => {
    const [incident] = failing(`at 10 lb1 script chk failure 1\n${line}\nwatch lb1 to 60`);
    expect(incident?.summary).toBe(
      `track_script chk on lb1 fails since 2026-11-24 10:53:10 UTC: it ended with status 1; ${effect}.`,
    );
  });
});
