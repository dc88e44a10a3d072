import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import type { Bar, Lane } from "../../../server/detect/view.ts";
import { scenario, secondsOf } from "./scenario.ts";

const lanes = (text: string): readonly Lane[] => [...detectAll(scenario(text)).lanes.values()].flat();
const inShort = ({ source, state, from, to }: Bar): string =>
  `${source} ${state} ${secondsOf(from)}..${secondsOf(to) ?? ""}`;
const bars = (text: string): readonly string[] => lanes(text)[0]?.bars.map(inShort) ?? [];

describe("a lane shows what each source says", () => {
  test("log, wire and kernel of one mastership", () => {
    expect(
      bars(`
      at 0 lb1 config
      at 0.1 lb1 log BACKUP init
      at 3.6 lb1 log MASTER
      at 3.61 lb1 wire out seen
      at 3.62 lb1 kernel +10.99.0.100
      at 9.1 lb1 log FAULT
      at 9.1 lb1 sent-zero
      at 9.11 lb1 wire out gone priority-zero
      at 9.12 lb1 kernel -10.99.0.100`),
    ).toEqual([
      "log BACKUP 0..3",
      "log MASTER 3..9",
      "log FAULT 9..",
      "wire MASTER 3.61..9.11",
      "kernel MASTER 3.62..9.12",
    ]);
  });

  test.each([
    [
      "an orderly stop",
      ["log MASTER 3..20", "log STOPPED 20.."],
      `
      at 20.1 lb1 daemon stopping
      at 20.1 lb1 sent-zero
      at 21.2 lb1 daemon vrrp-stopped
      at 21.2 lb1 daemon stopped`,
    ],
    [
      "the same without the lines of -D",
      ["log MASTER 3..20", "log STOPPED 20.."],
      `
      at 20.1 lb1 daemon stopping
      at 21.2 lb1 daemon stopped`,
    ],
    [
      "a killed child",
      ["log MASTER 3..20", "log STOPPED 20..20", "log BACKUP 20.."],
      `
      at 20.1 lb1 daemon vrrp-killed
      at 20.2 lb1 log BACKUP init`,
    ],
    [
      "a boot nobody announced, some time after the last sign of life",
      ["log MASTER 3..40", "log STOPPED 90..90", "log BACKUP 90.."],
      `
      watch lb1 to 40
      at 90.1 lb1 daemon starting
      at 90.2 lb1 log BACKUP init`,
    ],
  ])("%s", (_, expected, text) => {
    expect(bars(`at 3.6 lb1 log MASTER\n ${text}`)).toEqual(expected);
  });

  test("lines of the same second keep the order of the file", () => {
    expect(
      bars(`
      at 5.1 lb1 log BACKUP init
      at 5.2 lb1 log MASTER
      at 5.3 lb1 log FAULT
      at 5.4 lb1 log BACKUP`),
    ).toEqual(["log BACKUP 5..5", "log MASTER 5..5", "log FAULT 5..5", "log BACKUP 5.."]);
  });

  test("an address that was there before we looked, and is gone when we look again", () => {
    expect(
      bars(`
      at 0 lb1 config
      at 2 lb1 kernel = 10.99.0.11 10.99.0.100
      at 9 lb1 heartbeat
      at 90 lb1 kernel = 10.99.0.11`),
    ).toEqual(["kernel MASTER 2..9"]);
  });

  test("a sender without a collector has a lane of its own", () => {
    const [lane] = lanes(`
      at 0 lb1 config
      at 3 lb1 wire 10.99.0.77 seen
      at 9 lb1 wire 10.99.0.77 gone silent
      at 12 lb1 heartbeat`).filter(({ node }) => node === "10.99.0.77");
    expect(lane?.bars.map(inShort)).toEqual(["wire MASTER 3..9"]);
    expect(secondsOf(lane?.watchedTo ?? 0)).toBe(12);
  });
});

test("a sender of a single advert is gone at its instant, whatever the ids of the events are", () => {
  const ends = Array.from({ length: 8 }, (_, line) => {
    const lane = lanes(`${"\n".repeat(line)}at 0 lb1 config\nat 5 lb1 wire out seen\nat 5 lb1 wire out gone silent`)[0];
    return lane?.bars.filter(({ source }) => source === "wire").map(inShort);
  });
  expect(ends).toEqual(Array.from({ length: 8 }, () => ["wire MASTER 5..5"]));
});

describe("an address that was seen before and after a time in which nobody looked", () => {
  const splitBrains = (away: string, unwatched: string): readonly string[] =>
    detectAll(
      scenario(`
      at 0 lb1 config
      at 0 lb2 config
      at 0 lb1 kernel = 10.99.0.11
      at 0 lb2 kernel = 10.99.0.12
      at 3.5 lb1 log MASTER
      at 3.52 lb1 kernel +10.99.0.100
      watch lb1 to 19
      at 35.3 lb1 ${away}
      at 38.6 lb2 log MASTER
      at 38.62 lb2 kernel +10.99.0.100
      at 50.1 lb2 log BACKUP
      at 50.12 lb2 kernel -10.99.0.100
      at 50.1 lb1 log MASTER
      ${unwatched}
      at 55.1 lb1 kernel = 10.99.0.11 10.99.0.100
      watch lb2 to 70
      at 70 lb1 heartbeat`),
    )
      .incidents.filter(({ kind }) => kind === "split-brain")
      .map(({ certainty, start, end }) => `${certainty} ${secondsOf(start)}..${secondsOf(end)}`);

  const RESTARTED = "at 55 lb1 collector started";
  test.each([
    ["is not held meanwhile, when the log says so", "log BACKUP", RESTARTED, []],
    ["nor when the watch alone was interrupted", "log BACKUP", "at 20 lb1 gap addresses 20", []],
    ["is, as far as is known, when the daemon died", "daemon vrrp-killed", RESTARTED, ["confirmed 38.62..50.12"]],
    ["is, when somebody looked", "log BACKUP", "at 45 lb1 kernel = 10.99.0.11 10.99.0.100", ["confirmed 38.62..50.12"]],
  ])("%s", (_, away, unwatched, expected) => {
    expect(splitBrains(away, unwatched)).toEqual(expected);
  });
});
