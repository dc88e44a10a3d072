import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseServerConfig } from "../../../server/config.ts";
import { openStore } from "../../../server/store/clickhouse-store.ts";
import { openEngine, explainLoss } from "../../../server/store/engine.ts";
import { StoreRefusal } from "../../../server/store/store.ts";
import { batchesOf } from "../app/support.ts";
import { scenario } from "../detect/scenario.ts";

const scratch = mkdtempSync(join(tmpdir(), "keepwatch-engine-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;
const storageAt = (path = join(scratch, String(++count))) =>
  parseServerConfig("", "test", { storage: { path } }).storage;

describe("the embedded engine behind the client", () => {
  let client: ClickHouseClient;
  const storage = storageAt();
  beforeEach(async () => {
    client = await openEngine(storage);
  });
  afterEach(() => client.close());
  const rows = async <T>(query: string, settings: Record<string, string | number> = {}): Promise<T[]> =>
    (await client.query({ query, format: "JSONEachRow", clickhouse_settings: settings })).json<T>();

  test("does not let the settings of one insert reach the next: rows with another's token are not dropped", async () => {
    await client.command({
      query:
        "CREATE TABLE tokens (n UInt32) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100",
    });
    const insert = (from: number, token?: string): Promise<unknown> =>
      client.insert({
        table: "tokens",
        values: Array.from({ length: 10 }, (_, i) => ({ n: from + i })),
        format: "JSONEachRow",
        clickhouse_settings:
          token === undefined ? { async_insert: 0 } : { async_insert: 0, insert_deduplication_token: token },
      });
    await insert(0, "t1");
    await insert(100, "t1");
    for (let i = 2; i < 6; i++) await insert(i * 100);
    expect(await rows("SELECT toFloat64(count()) AS n FROM tokens")).toEqual([{ n: 50 }]);
  });

  test("does not let the limits of one query reach another, though they run at once", async () => {
    const wide = "SELECT number FROM numbers(100)";
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => rows(wide, i % 2 === 0 ? { max_result_rows: "10" } : {})),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? "rejected" : "fulfilled")),
    );
    expect(await rows(wide)).toHaveLength(100);
  });

  test("gives a setting back to its bound, not to the engine's default", async () => {
    const ask = "SELECT getSetting('max_memory_usage') AS bound, getSetting('max_bytes_before_external_sort') AS spill";
    const before = await rows(ask);
    expect(before).toEqual([{ bound: 400 * 1024 * 1024, spill: 100 * 1024 * 1024 }]);
    for (let i = 0; i < 3; i++) await rows(ask, { max_memory_usage: "1000000000" });
    for (let i = 0; i < 3; i++) expect(await rows(ask)).toEqual(before);
  });

  test("refuses a setting that there is none of, and takes back those before it", async () => {
    await expect(rows("SELECT 1", { max_result_rows: 1, nonsense_setting: 1 })).rejects.toMatchObject({ code: "115" });
    await expect(rows("SELECT 1", { "x = 1; DROP TABLE y": 1 })).rejects.toThrow(/not the name of a setting/);
    expect(await rows("SELECT number FROM numbers(9)")).toHaveLength(9);
  });

  test("tells errors with ClickHouse's own codes", async () => {
    await expect(rows("SELECT * FROM nowhere")).rejects.toMatchObject({ code: "60", type: "UNKNOWN_TABLE" });
    await expect(rows("SELEC 1")).rejects.toMatchObject({ code: "62", type: "SYNTAX_ERROR" });
  });

  test("takes hostile text as a value, in parameters and in rows", async () => {
    const hostile = "'; DROP TABLE texts; -- {x:String} \\ \n\t\u0000 é \u{1f4a9} \")";
    await client.command({ query: "CREATE TABLE IF NOT EXISTS texts (t String) ENGINE = MergeTree ORDER BY t" });
    await client.insert({ table: "texts", values: [[hostile]], format: "JSONCompactEachRow" });
    const answer = await client.query({
      query: "SELECT t FROM texts WHERE t = {t:String}",
      query_params: { t: hostile },
      format: "JSONEachRow",
    });
    expect(await answer.json()).toEqual([{ t: hostile }]);
  });

  test("keeps the whole engine under its bound of memory", async () => {
    const [found] = await rows<{ server: string; mark: string }>(
      "SELECT (SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage') AS server, (SELECT value FROM system.server_settings WHERE name = 'mark_cache_size') AS mark",
    );
    expect(Number(found?.server)).toBe(700 * 1024 * 1024);
    expect(Number(found?.mark)).toBeLessThan(64 * 1024 * 1024);
    await expect(rows("SELECT length(groupArray(number)) FROM numbers(200000000)")).rejects.toMatchObject({
      code: "241",
    });
    expect((await client.ping()).success).toBe(true);
  });

  test("finishes what runs and what waits before it closes, and refuses what comes after", async () => {
    const running = Promise.all(Array.from({ length: 6 }, () => rows("SELECT sleep(0.05)")));
    await client.close();
    await expect(rows("SELECT 1")).rejects.toThrow(/closed/);
    await expect(running).resolves.toHaveLength(6);
    client = await openEngine(storage);
    expect((await client.ping()).success).toBe(true);
  });
});

describe("the embedded engine is refused with a sentence", () => {
  test("when the path is a file", async () => {
    const path = join(scratch, "file");
    writeFileSync(path, "");
    await expect(openEngine(storageAt(path))).rejects.toMatchObject({ code: "STORE_UNOPENABLE" });
    expect(statSync(path).size).toBe(0);
  });
});

test("the tables are synced to the disk with every insert: all four settings are needed", async () => {
  const storage = storageAt();
  const store = await openStore(storage, { log: () => undefined });
  const client = await openEngine(storage);
  const answer = await client.query({
    query:
      "SELECT name, engine_full FROM system.tables WHERE database = 'keepwatch' AND name IN ('events', 'adverts', 'incidents', 'deliveries')",
    format: "JSONEachRow",
  });
  const tables = await answer.json<{ name: string; engine_full: string }>();
  await client.close();
  await store.close();
  expect(tables).toHaveLength(4);
  for (const { engine_full: full } of tables)
    for (const setting of [
      "fsync_after_insert = 1",
      "fsync_part_directory = 1",
      "min_rows_to_fsync_after_merge = 1",
      "min_compressed_bytes_to_fsync_after_merge = 1",
      "min_free_disk_bytes_to_perform_insert = ",
    ])
      expect(full).toContain(setting);
});

/** Its own small disk: only root may have one. */
const disk = join(scratch, "disk");
mkdirSync(disk);
const mounted = spawnSync("/bin/mount", ["-t", "tmpfs", "-o", "size=192m", "tmpfs", disk]).status === 0;
afterAll(() => void (mounted && spawnSync("/bin/umount", ["-l", disk])));

test.runIf(mounted)(
  "a full disk refuses batches, keeps what it has, and takes them again when there is room",
  async () => {
    const storage = storageAt(join(disk, "store"));
    const store = await openStore(storage, { log: () => undefined });
    const [first, second] = batchesOf(scenario("at 1 lb1 log MASTER\nat 2 lb2 log BACKUP"));
    if (!first || !second) throw new Error("two batches were meant");
    await store.insertBatch(first);
    writeFileSync(join(disk, "filler"), Buffer.alloc(70 * 1024 * 1024, 1));
    const error: unknown = await store.insertBatch(second).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(StoreRefusal);
    expect(await store.events({ limit: 10 })).toEqual(first.events);
    rmSync(join(disk, "filler"));
    expect(await store.insertBatch(second)).toEqual({ duplicate: false });
    expect(await store.events({ limit: 10 })).toHaveLength(2);
    await store.close();
  },
);

test("a store that is lost while the server starts is told as such, and nothing else is", () => {
  const lost = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
  expect(explainLoss(lost, "http://db:8123")).toMatchObject({ code: "STORE_UNREACHABLE" });
  expect(explainLoss(lost, undefined)).toBe(lost);
  const other = new TypeError("x is not a function");
  expect(explainLoss(other, "http://db:8123")).toBe(other);
});
