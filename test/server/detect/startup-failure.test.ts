import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import type { IncidentDraft } from "../../../server/detect/incident.ts";
import { scenario, secondsOf } from "./scenario.ts";

const failures = (text: string): readonly IncidentDraft[] =>
  detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "startup-failure");
const inShort = ({ start, end, cause, subject }: IncidentDraft) => ({
  from: secondsOf(start),
  to: secondsOf(end),
  cause: cause?.code,
  nodes: subject.nodes,
});

const UNKNOWN_INTERFACE = `
  at 6.10 lb1 daemon starting
  at 6.20 lb1 diagnostic fatal nonexistent_interface 6 interface eth9 for vrrp_instance VI_1 doesn't exist
  at 6.21 lb1 diagnostic fatal nonexistent_interface_specified 0 Non-existent interface specified in configuration
  at 6.22 lb1 daemon vrrp-stopped
  at 6.23 lb1 daemon permanent-error CONFIG
  at 6.24 lb1 daemon stopped`;

describe("a start that failed", () => {
  test("names the line of the file, and stays open", () => {
    const [incident] = failures(`${UNKNOWN_INTERFACE}\n watch lb1 to 60`);
    expect(incident && inShort(incident)).toEqual({
      from: 6,
      to: null,
      cause: "nonexistent_interface",
      nodes: ["lb1"],
    });
    expect(incident?.summary).toBe(
      "keepalived on lb1 did not start at 2026-11-24 10:53:06 UTC: /etc/keepalived/keepalived.conf line 6: interface eth9 for vrrp_instance VI_1 doesn't exist.",
    );
    expect(incident?.evidence.map(({ text }) => text)).toContain(
      "pid 20 exited with permanent error CONFIG. Terminating",
    );
  });

  test("ends with the next start that works, not before that one has lasted a while", () => {
    const mended = `${UNKNOWN_INTERFACE}
      at 20.0 lb1 daemon starting
      at 20.4 lb1 daemon ready
      at 20.5 lb1 log BACKUP init`;
    expect(failures(mended).map(inShort)).toMatchObject([{ from: 6, to: null }]);
    expect(failures(`${mended}\n watch lb1 to 30`).map(inShort)).toMatchObject([{ from: 6, to: 20 }]);
  });

  test("a restart loop is one incident", () => {
    const loop = [6, 8, 10, 12].map((second) => UNKNOWN_INTERFACE.replaceAll("at 6.", `at ${second}.`)).join("\n");
    const [incident, ...more] = failures(`${loop}\n watch lb1 to 60`);
    expect(more).toEqual([]);
    expect(incident?.summary).toContain("(4 attempts)");
  });

  test.each([
    [
      "no IPVS in the kernel: the complaint of the daemon, though it had said that startup was complete",
      "ipvs-unavailable",
      `
      at 9.0 lb1 daemon starting
      at 9.1 lb1 daemon ready
      at 9.2 lb1 log BACKUP init
      at 9.3 lb1 daemon error ipvs-unavailable IPVS: Can't initialize ipvs: No such file or directory
      at 9.5 lb1 daemon permanent-error FATAL
      at 9.6 lb1 daemon stopped`,
    ],
    [
      "no configuration file",
      "no-configuration",
      `
      at 15.0 lb1 daemon starting
      at 15.1 lb1 daemon error no-configuration Config files missing '/etc/keepalived/keepalived.conf'.
      at 15.2 lb1 daemon stopped`,
    ],
    [
      "a second daemon, which ends without another word",
      "already-running",
      `
      at 15.0 lb1 daemon starting
      at 15.1 lb1 daemon error already-running daemon is already running`,
    ],
    [
      "an end nobody explains",
      "ended",
      `
      at 15.0 lb1 daemon starting
      at 16.1 lb1 daemon stopped`,
    ],
    [
      "a reload that kills the daemon",
      "missing_parameter",
      `
      at 1.0 lb1 daemon starting
      at 1.1 lb1 daemon ready
      at 50.0 lb1 daemon reloading
      at 50.1 lb1 diagnostic fatal missing_parameter 7 virtual_router_id is missing a parameter
      at 50.2 lb1 daemon permanent-error CONFIG
      at 50.3 lb1 daemon stopped`,
    ],
  ])("%s", (_, code, text) => {
    expect(failures(`${text}\n watch lb1 to 60`).map(inShort)).toMatchObject([{ cause: code, to: null }]);
  });
});

describe("a start that did not fail", () => {
  test.each([
    [
      "an orderly stop right after it",
      `
      at 1.0 lb1 daemon starting
      at 1.1 lb1 daemon ready
      at 1.5 lb1 daemon stopping
      at 1.9 lb1 daemon stopped`,
    ],
    [
      "the orderly stop of the daemon before, in the same second",
      `
      at 0.0 lb1 daemon starting
      at 0.1 lb1 daemon ready
      at 40.1 lb1 daemon stopping
      at 40.2 lb1 daemon stopped
      at 40.3 lb1 daemon starting
      at 40.4 lb1 daemon ready`,
    ],
    [
      "a crash long after it",
      `
      at 0.0 lb1 daemon starting
      at 0.1 lb1 daemon ready
      at 50.1 lb1 daemon stopped`,
    ],
    [
      "a child that is started again",
      `
      at 0.0 lb1 daemon starting
      at 0.1 lb1 daemon ready
      at 5.1 lb1 daemon vrrp-killed`,
    ],
  ])("%s", (_, text) => {
    expect(failures(`${text}\n watch lb1 to 60`)).toEqual([]);
  });

  test("a second daemon that was refused does not end the first one's mastership", () => {
    const { lanes } = detectAll(
      scenario(`
      at 1 lb1 log MASTER
      at 15.0 lb1 daemon starting
      at 15.1 lb1 daemon error already-running daemon is already running
      watch lb1 to 60`),
    );
    expect([...lanes.values()][0]?.[0]?.bars).toMatchObject([{ state: "MASTER", to: null }]);
  });
});
