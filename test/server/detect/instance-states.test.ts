import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import type { Bar } from "../../../server/detect/view.ts";
import { scenario, secondsOf } from "./scenario.ts";

const inShort = ({ source, state, from, fromUncertaintyUs, to, toUncertaintyUs }: Bar): string =>
  `${source} ${state} ${secondsOf(from)}${soft(fromUncertaintyUs)}..${to === null ? "" : `${secondsOf(to)}${soft(toUncertaintyUs)}`}`;
const soft = (us: number): string => (us === 0 ? "" : `~${us / 1e6}`);
const bars = (text: string): readonly string[] =>
  [...detectAll(scenario(text)).lanes.values()].flat()[0]?.bars.map(inShort) ?? [];
const splitBrains = (text: string) => detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "split-brain");

describe("what keepalived's own dump says", () => {
  test.each([
    ["since when it says itself", ["dump MASTER 3.6.."], "at 10 lb1 dump MASTER 3.6"],
    ["by then, where it does not say since when", ["dump MASTER 10.."], "at 10 lb1 dump MASTER"],
    [
      "of a state that is over, somewhere between the last dump of it and the next state",
      ["dump MASTER 3.6..10~30", "dump BACKUP 40.."],
      "at 10 lb1 dump MASTER 3.6\n at 70 lb1 dump BACKUP 40",
    ],
    [
      "of the same state entered anew",
      ["dump MASTER 3.6..10~30", "dump MASTER 40.."],
      "at 10 lb1 dump MASTER 3.6\n at 70 lb1 dump MASTER 40",
    ],
    [
      "twice of one state, with another priority",
      ["dump BACKUP 3.6..70~20"],
      "at 10 lb1 dump BACKUP 3.6\n at 70 lb1 dump BACKUP 3.6\n at 90 lb1 process gone",
    ],
    [
      "since a time that cannot be: not before it was seen in another state, and not to come",
      ["dump BACKUP 10..10~60", "dump MASTER 10~60..70~60", "dump BACKUP 70~60.."],
      "at 10 lb1 dump BACKUP 99\n at 70 lb1 dump MASTER 5\n at 130 lb1 dump BACKUP 140",
    ],
    ["of a daemon that is gone", ["dump BACKUP 3..10~5"], "at 10 lb1 dump BACKUP 3\n at 15 lb1 process gone"],
  ])("%s", (_, expected, text) => {
    expect(bars(`at 0 lb1 config\n ${text}`)).toEqual(expected);
  });

  const OTHER = "at 23.8 lb2 log MASTER\n at 60.2 lb2 log BACKUP\n watch lb1 lb2 to 90";

  test("is a mastership, without a log, an address or an advert of the node", () => {
    const [incident] = splitBrains(`at 0 lb1 config\n at 30 lb1 dump MASTER 3.6\n ${OTHER}`);
    expect(incident).toMatchObject({ certainty: "confirmed", subject: { nodes: ["lb1", "lb2"] } });
    expect(incident?.evidence.map(({ node, text }) => `${node} ${text}`)).toContainEqual(
      expect.stringMatching(/^lb1 \(VI_1\) is MASTER by keepalived's own dump, since 10:5/),
    );
  });

  test("is certain to its own instant only: later it is possible", () => {
    expect(splitBrains(`at 0 lb1 config\n at 20 lb1 dump MASTER 3.6\n ${OTHER}`)).toMatchObject([
      { certainty: "suspected" },
    ]);
  });

  test("ends a mastership of which the log lost the end", () => {
    const text = `at 3.6 lb1 log MASTER\n ${OTHER}`;
    expect(splitBrains(text)).toMatchObject([{ certainty: "confirmed" }]);
    expect(splitBrains(`${text}\n at 50 lb1 dump BACKUP 24.1`)).toEqual([]);
  });

  test("does not bridge two masterships that the log tells apart", () => {
    expect(
      splitBrains(`
      at 3.6 lb1 log MASTER
      at 20 lb1 dump MASTER 3.6
      at 23.5 lb1 log BACKUP
      at 60.5 lb1 log MASTER
      ${OTHER}`),
    ).toEqual([]);
  });

  test("shows an address that is kept without mastership", () => {
    const [incident] = splitBrains(`
      at 0 lb1 config
      at 3.6 lb1 kernel +10.99.0.100
      at 50 lb1 dump BACKUP 20
      ${OTHER}`);
    expect(incident).toMatchObject({ certainty: "confirmed", cause: { code: "zombie-vip" } });
  });
});

describe("what the shadow expects", () => {
  test("is shown beside what is, for as long as it follows", () => {
    expect(
      bars(`
      at 0 lb1 config
      at 3.6 lb1 log MASTER
      at 3.5 lb1 expects MASTER
      at 9 lb1 expects BACKUP
      at 20 lb1 expects nothing`),
    ).toEqual(["log MASTER 3~1..", "shadow MASTER 3.5..9", "shadow BACKUP 9..20"]);
  });

  test("ends with the collector that expected it", () => {
    expect(
      bars("at 0 lb1 config\n at 3 lb1 expects BACKUP\n at 9 lb1 heartbeat\n at 20 lb1 collector started"),
    ).toEqual(["shadow BACKUP 3..9~11"]);
  });

  test("proves nothing", () => {
    expect(
      splitBrains(`
      at 3.6 lb1 log MASTER
      at 23.8 lb2 expects MASTER
      at 23.9 lb2 log BACKUP
      watch lb1 lb2 to 90`),
    ).toEqual([]);
  });
});
