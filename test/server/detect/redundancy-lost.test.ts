import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const PAIR = `
  at 0 lb1 config
  at 0 lb2 config
  at 1 lb1 journal MASTER
  at 1 lb2 journal BACKUP`;

const lost = (text: string, start = PAIR) =>
  detectAll(scenario(`${start}\n${text}`))
    .incidents.filter(({ kind }) => kind === "redundancy-lost")
    .map(({ start: from, end, certainty, severity, subject, cause, summary }) => ({
      span: [secondsOf(from), secondsOf(end)],
      certainty,
      severity,
      nodes: subject.nodes,
      code: cause?.code,
      summary,
    }));

describe("a pair of which one node is of no use", () => {
  test("for longer than the grace has lost its redundancy", () => {
    const fault = "at 20 lb2 journal FAULT";
    expect(lost(`${fault}\n watch lb1 lb2 to 140`)).toEqual([]);
    expect(lost(`${fault}\n watch lb1 lb2 to 141`)).toEqual([
      {
        span: [20, null],
        certainty: "confirmed",
        severity: "warning",
        nodes: ["lb1", "lb2"],
        code: "fault",
        summary: "Nobody can take over 10.99.0.100 (VI_1) from lb1 since 2026-11-24 10:53:20 UTC: lb2 is in FAULT.",
      },
    ]);
  });

  test("has it again when the node is a backup", () => {
    expect(lost("at 20 lb2 journal FAULT\n at 200 lb2 journal BACKUP\n watch lb1 lb2 to 300")).toMatchObject([
      { span: [20, 200], summary: expect.stringContaining("Nobody could take over") },
    ]);
    expect(lost("at 20 lb2 journal FAULT\n at 100 lb2 journal BACKUP\n watch lb1 lb2 to 300")).toEqual([]);
  });

  test.each([
    [
      "a planned stop",
      "at 20 lb1 daemon stopping\n at 21 lb1 daemon stopped",
      "stopped",
      "keepalived was stopped on lb1",
    ],
    ["a daemon that was killed", "at 20 lb1 daemon vrrp-killed", "daemon-ended", "keepalived ended on lb1"],
    ["a frozen process", "at 20 lb1 diverges begin frozen", "frozen", "keepalived is frozen on lb1"],
  ])("is a warning: %s, also of the master", (_, what, code, text) => {
    const found = lost(`${what}\n at 24 lb2 journal MASTER\n watch lb1 lb2 to 200`);
    expect(found).toMatchObject([{ severity: "warning", certainty: "confirmed", code }]);
    expect(found[0]?.summary).toContain(`from lb2 since 2026-11-24 10:53:20 UTC: ${text}`);
  });

  test("by a restart, a failover and a failback has lost nothing", () => {
    const restart = `
      at 20 lb1 daemon stopping
      at 21 lb1 daemon stopped
      at 24 lb2 journal MASTER
      at 30 lb1 daemon starting
      at 31 lb1 journal BACKUP
      at 34 lb1 journal MASTER
      at 34 lb2 journal BACKUP
      watch lb1 lb2 to 400`;
    expect(lost(restart)).toEqual([]);
  });

  test("without any node at all is without a master, which is told as that", () => {
    expect(lost("at 20 lb1 daemon stopping\n at 20 lb2 daemon stopping\n watch lb1 lb2 to 400")).toEqual([]);
  });
});

describe("what cannot be seen", () => {
  test("may be well: that is told as possible, and alarms nobody", () => {
    expect(lost("watch lb2 to 20\n watch lb1 to 141")).toEqual([
      {
        span: [20, null],
        certainty: "suspected",
        severity: "info",
        nodes: ["lb1", "lb2"],
        code: "unseen",
        summary:
          "Perhaps nobody can take over 10.99.0.100 (VI_1) from lb1 since 2026-11-24 10:53:20 UTC: lb2 cannot be seen.",
      },
    ]);
  });

  test("was of no use when it was seen last: that is what counts", () => {
    const text = "at 20 lb2 daemon stopping\n at 21 lb2 collector stopped\n watch lb1 to 200";
    expect(lost(text)).toMatchObject([
      { certainty: "suspected", severity: "warning", code: "stopped", span: [20, null] },
    ]);
  });
});

describe("which routers have redundancy", () => {
  test("not one that only one node ever had", () => {
    const alone = "at 0 lb1 config\n at 1 lb1 journal MASTER";
    expect(lost("at 20 lb1 journal FAULT\n watch lb1 to 400", alone)).toEqual([]);
    const heard = `${alone}\n at 1 lb1 wire 10.99.0.77 seen`;
    expect(lost("at 20 lb1 journal FAULT\n watch lb1 to 400", heard)).toEqual([]);
  });

  test("not one that was taken out of the other's configuration", () => {
    const text = "at 20 lb2 config VI_9 77 10.99.0.7\n at 20 lb2 daemon stopping\n watch lb1 lb2 to 400";
    expect(lost(text)).toEqual([]);
  });

  test("of three nodes two have to be away", () => {
    const three = `${PAIR}\n at 0 lb3 config\n at 1 lb3 journal BACKUP`;
    const one = "at 20 lb2 journal FAULT";
    expect(lost(`${one}\n watch lb1 lb2 lb3 to 400`, three)).toEqual([]);
    const both = `${one}\n at 50 lb3 daemon stopping\n watch lb1 lb2 lb3 to 400`;
    expect(lost(both, three)).toMatchObject([{ span: [50, null], code: "several" }]);
  });
});
