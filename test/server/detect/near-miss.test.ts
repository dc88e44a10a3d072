import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const PAIR = `
  at 0 lb1 config
  at 0 lb2 config
  at 1 lb1 wire out seen
  at 1 lb2 wire lb1 seen
  at 1 lb1 log MASTER
  at 1 lb2 log BACKUP init`;

const nearMisses = (text: string) =>
  detectAll(scenario(`${PAIR}\n${text}`)).incidents.filter(({ kind }) => kind === "near-miss");

describe("adverts that come late", () => {
  test("are one incident of their router while they are close to each other", () => {
    const found = nearMisses(`
      at 20 lb2 near-miss lb1 1 0.55
      at 200 lb2 near-miss lb1 1 0.55
      at 900 lb2 near-miss lb1 1 0.56
      watch lb1 lb2 to 1300`);
    expect(found.map(({ start, end }) => [secondsOf(start), secondsOf(end)])).toEqual([
      [20, 200],
      [900, 900],
    ]);
    expect(found[0]).toMatchObject({
      severity: "info",
      certainty: "confirmed",
      subject: { router: "default/ipv4/51", nodes: ["lb1", "lb2"] },
      cause: { code: "adverts-missing", text: "adverts of lb1 did not reach lb2" },
      summary:
        "lb2 2 times nearly took over 10.99.0.100 (VI_1) from lb1, first at 2026-11-24 10:53:20 UTC: at worst an advert did not come, and 55 % of the time after which it takes over had passed.",
    });
  });

  test("are open until there were none for a while", () => {
    expect(nearMisses("at 20 lb2 near-miss lb1 1 0.55\n watch lb1 lb2 to 320")).toMatchObject([{ end: null }]);
    expect(nearMisses("at 20 lb2 near-miss lb1 1 0.55\n watch lb1 lb2 to 321")).not.toMatchObject([{ end: null }]);
  });

  test("are a warning when one more would have been a failover", () => {
    const found = nearMisses("at 20 lb2 near-miss lb1 1 0.55\n at 30 lb2 near-miss lb1 2 0.86\n watch lb1 lb2 to 60");
    expect(found).toMatchObject([{ severity: "warning", evidence: [{}, {}] }]);
    expect(found[0]?.summary).toContain("at worst 2 adverts did not come, and 86 %");
  });

  test("are none below half of the margin, and none of another router", () => {
    expect(nearMisses("at 20 lb2 near-miss lb1 1 0.49\n watch lb1 lb2 to 60")).toEqual([]);
    const other = nearMisses("at 20 lb2 near-miss lb1 1 0.6 VI_2\n at 5 lb2 log BACKUP VI_2\n watch lb1 lb2 to 60");
    expect(other.map(({ subject }) => subject.router)).toEqual(["default/VI_2"]);
  });

  test("name the sender's stall as their cause", () => {
    const found = nearMisses(`
      at 19 lb1 stalls 1.6
      at 20 lb2 near-miss lb1 1 0.72
      watch lb1 lb2 to 60`);
    expect(found.find(({ subject }) => subject.router !== undefined)).toMatchObject({
      cause: { code: "scheduler-stall", text: "keepalived on lb1 did not run in time" },
      evidence: [{ text: expect.stringContaining("A thread timer expired") }, {}],
    });
  });
});

describe("a daemon that did not run", () => {
  test("is one incident of its node an episode, told by the longest", () => {
    expect(nearMisses("at 20 lb1 stalls 1.2\n at 100 lb1 stalls 1.9\n watch lb1 lb2 to 700")).toMatchObject([
      {
        severity: "warning",
        subject: { nodes: ["lb1"] },
        cause: { code: "scheduler-stall", text: "keepalived was not run for 1.9 s" },
        summary:
          "keepalived on lb1 2 times did not run in time, first at 2026-11-24 10:53:20 UTC, at worst for 1.9 s, and nobody took over from it: the host is short of processor time, or was paused.",
      },
    ]);
  });

  test("is none when the delay is small beside the master-down time", () => {
    expect(nearMisses("at 20 lb1 stalls 0.5\n watch lb1 lb2 to 60")).toEqual([]);
  });

  test.each(["log BACKUP", "lower lb2", "daemon stopping"])("is none when it became more: %s", (what) => {
    expect(nearMisses(`at 20 lb1 stalls 4\n at 21 lb1 ${what}\n watch lb1 lb2 to 60`)).toEqual([]);
  });

  test("counts by keepalived's defaults where no configuration is known", () => {
    const found = detectAll(scenario("at 3 lb1 log MASTER\n at 20 lb1 stalls 1.2\n watch lb1 to 60")).incidents;
    expect(found.filter(({ kind }) => kind === "near-miss")).toHaveLength(1);
  });
});
