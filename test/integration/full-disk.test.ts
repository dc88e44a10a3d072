import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { EventOf } from "../../collector/events/event.ts";
import type { Incident } from "../../server/api/types.ts";
import { eventually, keepwatchBin, Running } from "../support/process.ts";

/** Disks of their own, for store and spool: only root may have them. */
const dir = mkdtempSync(join(tmpdir(), "keepwatch-full-disk-"));
const mount = (name: string, size: string): boolean => {
  mkdirSync(join(dir, name));
  return spawnSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", join(dir, name)]).status === 0;
};
const mounted = mount("store-disk", "512m") && mount("spool-disk", "16m");
const running: Running[] = [];
afterAll(async () => {
  for (const process of running) await process.end("SIGKILL");
  for (const name of ["store-disk", "spool-disk"]) spawnSync("/bin/umount", ["-l", join(dir, name)]);
  rmSync(dir, { recursive: true, force: true });
});

const log = join(dir, "messages");
let written = 0;
function write(): void {
  const at = new Date().toISOString().replace("Z", "000Z");
  appendFileSync(log, `${at} lb1 Keepalived_vrrp[7]: numbered line ${written++}\n`);
}

/** Takes all there is of a disk. @returns gives it back */
function fill(disk: string): () => void {
  const filler = join(dir, disk, "filler");
  spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
  return () => rmSync(filler);
}

describe.runIf(mounted)("a disk that is full", () => {
  test("of the store and then of the spool is told as a gap once there is room, and nothing is lost or twice", async () => {
    writeFileSync(
      join(dir, "server.toml"),
      `[listen]\nport = 0\n[storage]\npath = "${dir}/store-disk/store"\n[sql]\nenabled = true\n`,
    );
    writeFileSync(log, "2026-01-01T00:00:00.000000Z lb1 kernel: before\n");
    const server = new Running(process.execPath, [keepwatchBin, "server", "--config", join(dir, "server.toml")]);
    running.push(server);
    const [, url = ""] = await server.printed(/timeline at (http:\/\/[^/]+)/);
    writeFileSync(
      join(dir, "collector.toml"),
      `node = "lb1"\nheartbeat_seconds = 0.5\n[server]\nurl = "${url}"\n[spool]\ndir = "${dir}/spool-disk/spool"
[logs]\nfiles = ["${log}"]\njournal = false\n[capture]\nenabled = false\n[addresses]\nenabled = false\n[shadow]\nenabled = false
[process]\nenabled = false\n[checks]\nenabled = false\n[keepalived]\nwatch = false\n`,
    );
    const collector = new Running(process.execPath, [
      keepwatchBin,
      "collector",
      "--config",
      join(dir, "collector.toml"),
    ]);
    running.push(collector);
    await collector.printed(/keepwatch collector of/);
    const select = async <T>(query: string): Promise<T[]> => {
      const answer = await fetch(`${url}/clickhouse/?query=${encodeURIComponent(`${query} FORMAT JSONEachRow`)}`);
      return (await answer.text())
        .split("\n")
        .filter(Boolean)
        .map((row) => JSON.parse(row) as T);
    };
    const gap = (source: string): Promise<EventOf<"collector.gap">> =>
      eventually(`the gap of the ${source}`, async () => {
        const rows = await select<{ event: string }>("SELECT event FROM keepwatch.events WHERE kind = 'collector.gap'");
        return rows
          .map(({ event }) => JSON.parse(event) as EventOf<"collector.gap">)
          .find(({ sourceName }) => sourceName === source);
      });
    await eventually("the collector's start", async () => (await select("SELECT 1 FROM keepwatch.events"))[0]);

    write();
    const emptyStore = fill("store-disk");
    write();
    await server.printed(/events could not be stored/);
    // So long that it is an outage.
    const since = performance.now();
    await eventually("some seconds", async () => {
      write();
      return performance.now() - since > 6_000 ? true : undefined;
    });
    emptyStore();
    await server.printed(/the store takes events again/);
    const ofStore = await gap("store");
    expect(ofStore).toMatchObject({
      node: "lb1",
      source: "collector",
      reason: expect.stringMatching(/kept by who saw it.*space/i) as string,
    });
    expect((ofStore.to ?? 0) - (ofStore.from ?? 0)).toBeGreaterThan(5_000_000);

    const emptySpool = fill("spool-disk");
    write();
    await collector.printed(/the spool cannot be written/);
    write();
    emptySpool();
    await collector.printed(/the spool can be written again/);
    const ofSpool = await gap("spool");
    expect(ofSpool.reason).toMatch(/reading waited until it could: .*ENOSPC/);

    const lines = await eventually("all lines", async () => {
      const [found] = await select<{ rows: number; ids: number }>(
        "SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(id)) AS ids FROM keepwatch.events WHERE event LIKE '%numbered line%'",
      );
      return found?.ids === written ? found : undefined;
    });
    expect(lines.rows).toBe(written);
    const incidents = (await (await fetch(`${url}/api/v1/incidents`)).json()) as Incident[];
    const blind = incidents.filter(({ kind }) => kind === "blind-spot").map(({ cause }) => cause?.text ?? "");
    expect(blind.join("\n")).toMatch(/the server's store could not be written/);
    expect(await collector.end()).toBe(0);
    expect(await server.end()).toBe(0);
  }, 180_000);
});
