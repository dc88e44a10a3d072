import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readInputs } from "../../../collector/offline/inputs.ts";

const folder = mkdtempSync(join(tmpdir(), "keepwatch-localhosts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
/** The node of each line, in order of time. */
async function nodesIn(logs: Readonly<Record<string, string>>): Promise<string[]> {
  files += 1;
  const paths = Object.entries(logs).map(([name, text]) => {
    const path = join(folder, String(files), name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  });
  const options = { cluster: "c", zone: "UTC", year: 2026, now: Date.UTC(2026, 10, 25) * 1000 };
  const { events } = await readInputs(paths, options);
  return events.toSorted((a, b) => a.ts - b.ts).map(({ node, pid }) => `${node} ${pid ?? "-"}`);
}

let second = 0;
const line = (tag: string, pid: number, message: string): string => {
  second += 1;
  const time = new Date(Date.UTC(2026, 10, 24) + second * 1000).toISOString().slice(11, 19);
  return `Nov 24 ${time} localhost ${tag}[${pid}]: ${message}\n`;
};
const start = (pid: number): string =>
  line("Keepalived", pid, "Starting Keepalived v2.2.7 (01/16,2022)") +
  line("Keepalived", pid, `Starting VRRP child process, pid=${pid + 1}`);
const state = (pid: number, to: string): string => line("Keepalived_vrrp", pid, `(VI_1) Entering ${to} STATE`);

describe("lines of hosts that are all called localhost", () => {
  test("are of two nodes when two keepalived run at once", async () => {
    const log = start(100) + start(200) + state(101, "MASTER") + state(201, "MASTER") + state(101, "BACKUP");
    expect(await nodesIn({ "central.log": log })).toEqual([
      "central-1 100",
      "central-1 100",
      "central-2 200",
      "central-2 200",
      "central-1 101",
      "central-2 201",
      "central-1 101",
    ]);
  });

  test("are of one node when one follows the other", async () => {
    const log = start(100) + state(101, "MASTER") + start(200) + state(201, "MASTER");
    expect(new Set((await nodesIn({ "central.log": log })).map((node) => node.split(" ")[0]))).toEqual(
      new Set(["central"]),
    );
  });

  test("stay with their node when it starts again while the other runs on", async () => {
    const log =
      start(100) + start(200) + state(101, "MASTER") + start(300) + state(201, "MASTER") + state(301, "BACKUP");
    expect((await nodesIn({ "central.log": log })).slice(-3)).toEqual([
      "central-1 300",
      "central-2 201",
      "central-1 301",
    ]);
  });

  test("that begin after the start are those of processes with pids side by side", async () => {
    const log =
      state(101, "MASTER") +
      state(201, "MASTER") +
      line("Keepalived_healthcheckers", 102, "Activating healthchecker for service [10.0.0.1]:tcp:80") +
      line("Keepalived_healthcheckers", 202, "Activating healthchecker for service [10.0.0.1]:tcp:80") +
      state(101, "BACKUP");
    expect(await nodesIn({ "central.log": log })).toEqual([
      "central-1 101",
      "central-2 201",
      "central-1 102",
      "central-2 202",
      "central-1 101",
    ]);
  });

  test("in the pieces that logrotate has made of one log are of one node", async () => {
    const logs = { "log/messages.1": start(100) + state(101, "MASTER"), "log/messages": state(101, "BACKUP") };
    expect(new Set((await nodesIn(logs)).map((node) => node.split(" ")[0]))).toEqual(new Set(["messages"]));
  });
});
