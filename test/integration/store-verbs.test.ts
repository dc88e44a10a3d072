import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { StoreInfo } from "../../server/api/types.ts";
import { keepwatch, keepwatchBin, Running } from "../support/process.ts";

const dir = mkdtempSync(join(tmpdir(), "keepwatch-store-verbs-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const config = join(dir, "server.toml");
const token = join(dir, "token");
writeFileSync(token, "sesame\n");
writeFileSync(
  config,
  `[listen]
port = 0
socket = "${dir}/door"
[storage]
path = "${dir}/store"
[[api.tokens]]
name = "operators"
sha256 = "${createHash("sha256").update("sesame").digest("hex")}"
`,
);
const store = (...args: string[]) => keepwatch(["store", ...args, "--config", config]);
const infoOf = async (): Promise<StoreInfo> =>
  JSON.parse((await store("info", "--format", "json")).stdout) as StoreInfo;

describe("keepwatch store", () => {
  test("backs up while the server runs, restores beside it only into nothing, and tells which store it is", async () => {
    expect((await store("info")).stderr).toMatch(/there is no store at .*\[STORE_MISSING\]/);
    const server = new Running(process.execPath, [keepwatchBin, "server", "--config", config]);
    await server.printed(/timeline at/);
    const first = await infoOf();
    expect(first.incarnation.number).toBe(1);
    const stranger = await store("backup", "night");
    expect([stranger.status, stranger.stderr]).toEqual([2, expect.stringContaining("--token-file")]);
    const made = await store("backup", "night", "--token-file", token);
    expect(made.stdout).toContain(`backed up to ${dir}/store-backups/night`);
    // Only our own words, not the engine's.
    expect(made.stderr).toBe("");
    expect((await store("backup", "night", "--token-file", token)).stderr).toMatch(/already.*\[BACKUP_EXISTS\]/);
    expect((await store("restore", `${dir}/store-backups/night`)).stderr).toContain("[STORE_EXISTS]");
    expect(await server.end()).toBe(0);

    renameSync(join(dir, "store"), join(dir, "away"));
    expect((await store("restore", `${dir}/store-backups/night`)).stdout).toContain("incarnation 2");
    const second = await infoOf();
    expect(second.incarnation).toEqual({ number: 2, id: expect.not.stringContaining(first.incarnation.id) as string });
    expect((await store("backup")).stdout).toMatch(/backed up to .*store-backups\/\d{4}-/);
  });

  test.each([
    ["a name that leads elsewhere", ["backup", "../elsewhere"], /cannot be the name.*\[USAGE\]/],
    ["what is no backup", ["restore", dir], /STORE_EXISTS|BACKUP_NONE/],
  ])("refuses %s", async (_, args, sentence) => {
    const { status, stderr } = await store(...args);
    expect([status, stderr]).toEqual([2, expect.stringMatching(sentence)]);
  });

  test("says what to run in an external ClickHouse, on all of a cluster", async () => {
    const external = join(dir, "external.toml");
    writeFileSync(external, '[storage]\nurl = "http://127.0.0.1:9"\ncluster = "ha"\n');
    const backup = await keepwatch(["store", "backup", "x", "--config", external]);
    expect(backup.stderr).toContain("Run in it: BACKUP DATABASE keepwatch ON CLUSTER 'ha' TO Disk('backups', 'x')");
    const restore = await keepwatch(["store", "restore", "x", "--config", external]);
    expect(restore.stderr).toContain("INSERT INTO keepwatch.incarnations");
    const info = await keepwatch(["store", "info", "--config", external]);
    expect(info.stderr).toMatch(/does not answer.*\[STORE_UNREACHABLE\]/);
  });
});
