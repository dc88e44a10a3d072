import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventOf } from "../../../collector/events/event.ts";
import { eventId } from "../../../collector/events/id.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { openStore } from "../../../server/store/clickhouse-store.ts";
import { openEngine } from "../../../server/store/engine.ts";
import { renewIncarnation } from "../../../server/store/incarnation.ts";
import { schemaStatements } from "../../../server/store/migrate.ts";
import { SHARDED } from "../../../server/store/schema.ts";

const scratch = mkdtempSync(join(tmpdir(), "keepwatch-schema-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const storageAt = (name: string) => parseServerConfig("", "test", { storage: { path: join(scratch, name) } }).storage;
const silent = { log: () => undefined };
const RETENTION = { events: 400, adverts: 7, adverts_1m: 400 };
const ONE = schemaStatements({ database: "keepwatch" }, RETENTION);
const CLUSTER = schemaStatements({ database: "keepwatch", cluster: "ha-1" }, RETENTION);

describe("the schema as ClickHouse reads it", () => {
  let client: ClickHouseClient;
  beforeAll(async () => {
    client = await openEngine(storageAt("parser"));
  });
  afterAll(() => client.close());
  const formatted = async (statement: string): Promise<string> => {
    const query = "SELECT formatQuery({statement:String}) AS sql";
    const answer = await client.query({ query, query_params: { statement }, format: "JSONEachRow" });
    return (await answer.json<{ sql: string }>())[0]?.sql ?? "";
  };

  test.each([
    ["one server", ONE],
    ["a cluster", CLUSTER],
  ])("of %s is read by its parser, statement by statement", async (_, statements) => {
    expect(statements.length).toBeGreaterThan(10);
    // Of a SELECT or an INSERT it would make something as well.
    for (const statement of statements) expect(await formatted(statement)).toMatch(/^(CREATE|ALTER) /);
  });

  test("of a cluster is refused when it is broken", async () => {
    for (const broken of [" ON CLUSTR 'ha-1' ", " ON CLUSTER "])
      for (const statement of CLUSTER)
        await expect(formatted(statement.replace(" ON CLUSTER 'ha-1'", broken))).rejects.toMatchObject({ code: "62" });
  });

  test("of a cluster is on every server of it, and replicated", () => {
    for (const statement of CLUSTER) expect(statement).toContain(" ON CLUSTER 'ha-1'");
    const engines = CLUSTER.flatMap((statement) => /ENGINE = (\w+)/.exec(statement)?.[1] ?? []);
    expect(new Set(engines)).toEqual(new Set(["ReplicatedReplacingMergeTree", "Distributed"]));
    const paths = CLUSTER.flatMap((statement) => /'(\/clickhouse\/[^']*)'/.exec(statement)?.[1] ?? []);
    expect(new Set(paths).size).toBe(paths.length);
  });

  test("of a cluster spreads events and adverts by the node, so that what comes again comes to the same shard", () => {
    const spread = CLUSTER.filter((statement) => statement.includes("ENGINE = Distributed"));
    expect(spread.length).toBe(
      [...SHARDED].filter((table) => ONE.some((s) => s.includes(`keepwatch.${table} (`))).length,
    );
    for (const statement of spread)
      expect(statement).toMatch(/Distributed\('ha-1', 'keepwatch', '\w+_local', cityHash64\(cluster, node\)\)/);
  });

  test("of a cluster has each new column in what keeps the rows and in what stands for all shards", () => {
    const added = CLUSTER.filter((statement) => statement.includes("ADD COLUMN")).map(
      (s) => /keepwatch\.(\w+)/.exec(s)?.[1],
    );
    const both = (table: string, times = 1): string[] =>
      Array.from({ length: times }, () => [`${table}_local`, table]).flat();
    expect(added).toEqual([...both("events"), ...both("adverts"), ...both("events"), ...both("adverts", 4)]);
  });
});

describe("a store of an earlier schema", () => {
  test("is carried over with all that it has, and is the same as a new one after it", async () => {
    const old = storageAt("old");
    const event = {
      id: eventId("x"),
      cluster: "c",
      node: "lb1",
      source: "log",
      kind: "vrrp.state",
      ts: 1_795_000_000_000_000,
    };
    const before = await openEngine(old);
    for (const query of readFileSync(join(import.meta.dirname, "schemas/0004.sql"), "utf8").split(/;\n/))
      if (query.trim() !== "") await before.command({ query });
    await before.insert({
      table: "keepwatch.events",
      values: [{ ...event, event: JSON.stringify(event), arrived: 7 }],
      format: "JSONEachRow",
    });
    await before.close();
    const store = await openStore(old, silent);
    expect(await store.events({ limit: 10 })).toEqual([event]);
    expect(store.arrived()).toBe(7);
    await store.close();
    const fresh = storageAt("fresh");
    await (await openStore(fresh, silent)).close();
    expect(await tablesOf(old)).toEqual(await tablesOf(fresh));
  });

  test("keeps the adverts of a time when each had its id stored, whatever interrupts the change", async () => {
    const storage = storageAt("adverts");
    await (await openStore(storage, silent)).close();
    const client = await openEngine(storage);
    // The table as it was then.
    await client.command({ query: "DROP TABLE keepwatch.adverts SYNC" });
    for (const query of readFileSync(join(import.meta.dirname, "schemas/0004.sql"), "utf8").split(/;\n/))
      if (query.includes("keepwatch.adverts")) await client.command({ query });
    const forget = "ALTER TABLE keepwatch.migrations DELETE WHERE version >= 7 SETTINGS mutations_sync = 2";
    await client.command({ query: forget });
    const columns: Omit<EventOf<"wire.advert">, "id" | "source" | "kind" | "ts" | "observedTs" | "tsUncertaintyUs"> = {
      cluster: "c",
      family: "ipv4",
      vrid: 51,
      peer: "10.99.0.11",
      node: "lb1",
      interface: "eth0",
      outgoing: false,
      priority: 150,
      vips: ["10.99.0.100"],
      advertIntervalUs: 1_000_000,
      destination: "224.0.0.18",
      version: 2,
      ttl: 255,
      authType: "none",
      checksum: "ok",
    };
    const advertAt = (ts: number): EventOf<"wire.advert"> => ({
      id: eventId("old", ts),
      source: "wire",
      kind: "wire.advert",
      ts,
      observedTs: ts + 77,
      tsUncertaintyUs: 0,
      ...columns,
    });
    const [old, later] = [advertAt(1_795_000_000_000_000), advertAt(1_795_000_001_000_000)];
    await client.insert({
      table: "keepwatch.adverts",
      values: [{ ...columns, id: old.id, ts: old.ts, observedTs: old.observedTs, at: "" }],
      format: "JSONEachRow",
    });
    await client.close();
    const range = { cluster: "c", family: "ipv4", vrid: 51, from: 0, to: later.ts, limit: 10 };
    const sent = { version: 1, cluster: "c", node: "lb1" } as const;
    // The first start brings it to the newest; each one after it finds that the last change was not recorded.
    for (const version of [8, 9, 8]) {
      const store = await openStore(storage, silent);
      // What was sent and not acknowledged before comes again.
      await store.insertBatch({ ...sent, batchId: eventId("again", version), events: [old, later] });
      await store.insertBatch({ ...sent, batchId: eventId("later", version), events: [later] });
      expect(await store.adverts(range)).toEqual([old, { ...later, id: expect.stringMatching(/^[0-9a-f]{32}$/) }]);
      await store.close();
      const again = await openEngine(storage);
      const plain = await again.query({
        query: "SELECT toInt32(count()) AS n FROM keepwatch.adverts",
        format: "JSONEachRow",
      });
      expect(await plain.json()).toEqual([{ n: 2 }]);
      await again.command({
        query: `ALTER TABLE keepwatch.migrations DELETE WHERE version >= ${version} SETTINGS mutations_sync = 2`,
      });
      await again.close();
    }
  });

  async function tablesOf(storage: ReturnType<typeof storageAt>): Promise<unknown> {
    const client = await openEngine(storage);
    const answer = await client.query({
      query:
        "SELECT name, replaceRegexpAll(create_table_query, 'UUID \\'[^\\']*\\'', '') AS sql FROM system.tables WHERE database = 'keepwatch' ORDER BY name",
      format: "JSONEachRow",
    });
    const found = await answer.json();
    await client.close();
    return found;
  }
});

describe("the incarnation of a store", () => {
  test("is kept over starts, is another one for each store, and changes when a backup is restored", async () => {
    const storage = storageAt("first");
    const idOf = async (of: typeof storage): Promise<string> => {
      const store = await openStore(of, silent);
      await store.close();
      return store.incarnation;
    };
    const first = await idOf(storage);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(await idOf(storage)).toBe(first);
    expect(await idOf(storageAt("second"))).not.toBe(first);
    const client = await openEngine(storage);
    const renewed = await renewIncarnation(client, "keepwatch");
    await client.close();
    expect(renewed.number).toBe(2);
    expect(renewed.id).not.toBe(first);
    expect(await idOf(storage)).toBe(renewed.id);
  });
});
