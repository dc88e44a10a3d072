import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import type { IncidentDraft } from "../../../server/detect/incident.ts";
import { scenario, secondsOf } from "./scenario.ts";

const found = (text: string): readonly IncidentDraft[] =>
  detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "shadow-divergence");

/** `CODE from..to` in seconds. */
const told = (text: string): string[] =>
  found(text).map(
    ({ cause, start, end }) => `${cause?.code} ${secondsOf(start)}..${end === null ? "" : secondsOf(end)}`,
  );

const CONFIG = "at 0 lb1 config\nat 0 lb2 config\n";

describe("what a collector tells of its node", () => {
  test("is an incident of the instance's router from begin to end, with both sides' evidence", () => {
    const [incident, ...others] = found(
      `${CONFIG}at 10 lb1 diverges begin socket-not-read VI_1\nat 30 lb1 diverges end socket-not-read VI_1\nwatch lb1 lb2 to 40`,
    );
    expect(others).toEqual([]);
    expect(incident).toMatchObject({
      kind: "shadow-divergence",
      certainty: "confirmed",
      severity: "critical",
      subject: { router: "default/ipv4/51", instance: "VI_1", nodes: ["lb1"] },
      cause: { code: "socket-not-read", text: "should be: one thing; is: another" },
      summary: "lb1: VI_1 differs, for 20 s from 2026-11-24 10:53:10 UTC.",
    });
    expect(incident?.evidence.map(({ source, line, text }) => [source, line, text])).toEqual([
      ["log", "/var/log/messages:7", "Entering MASTER STATE"],
      ["wire", undefined, "an advert"],
      ["shadow", undefined, "VI_1 differs"],
      ["shadow", undefined, "VI_1 differs"],
    ]);
  });

  test("of a process is its node's alone, and open while it lasts", () => {
    const [incident] = found(`${CONFIG}at 10 lb1 diverges begin frozen\nwatch lb1 to 40`);
    expect(incident).toMatchObject({ severity: "critical", subject: { nodes: ["lb1"] }, end: null });
    expect(incident?.subject.router).toBeUndefined();
  });

  test.each<[string, string, readonly string[]]>([
    [
      "two of one instance are two",
      "at 10 lb1 diverges begin zombie-vip VI_1\nat 12 lb1 diverges begin silent-master VI_1\nat 20 lb1 diverges end zombie-vip VI_1",
      ["zombie-vip 10..20", "silent-master 12.."],
    ],
    [
      "the same on two nodes are two",
      "at 10 lb1 diverges begin zombie-vip VI_1\nat 10 lb2 diverges begin zombie-vip VI_1\nat 20 lb2 diverges end zombie-vip VI_1",
      ["zombie-vip 10..", "zombie-vip 10..20"],
    ],
    ["an end without a begin is none", "at 10 lb1 diverges end zombie-vip VI_1", []],
    [
      "a collector that is started anew and tells the same goes on with it",
      "at 10 lb1 diverges begin zombie-vip VI_1\nat 20 lb1 collector stopped\nat 22 lb1 collector started\nat 25 lb1 diverges begin zombie-vip VI_1\nat 90 lb1 diverges end zombie-vip VI_1",
      ["zombie-vip 10..90"],
    ],
    [
      "and as long as it lasts",
      "at 10 lb1 diverges begin zombie-vip VI_1\nat 20 lb1 collector stopped\nat 22 lb1 collector started\nat 25 lb1 diverges begin zombie-vip VI_1\nwatch lb1 to 100",
      ["zombie-vip 10.."],
    ],
    [
      "one that does not is over with its collector",
      "at 10 lb1 diverges begin zombie-vip VI_1\nat 20 lb1 collector stopped\nat 22 lb1 collector started\nwatch lb1 to 100",
      ["zombie-vip 10..20"],
    ],
    [
      "one whose collector was killed is over with its last sign",
      "at 10 lb1 diverges begin zombie-vip VI_1\nat 15 lb1 kernel +10.99.0.100\nat 22 lb1 collector started\nwatch lb1 to 100",
      ["zombie-vip 10..15"],
    ],
    [
      "and lasts until it is known whether its successor tells the same",
      "at 10 lb1 diverges begin zombie-vip VI_1\nat 20 lb1 collector stopped\nat 22 lb1 collector started\nwatch lb1 to 60",
      ["zombie-vip 10.."],
    ],
  ])("%s", (_, text, expected) => {
    expect(told(CONFIG + text)).toEqual(expected);
  });
});
