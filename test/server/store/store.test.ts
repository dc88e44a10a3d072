import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { eventId } from "../../../collector/events/id.ts";
import type { Event } from "../../../collector/events/event.ts";
import { parseServerConfig } from "../../../server/config.ts";
import type { Delivery } from "../../../server/api/types.ts";
import { openStore } from "../../../server/store/clickhouse-store.ts";
import type { Store } from "../../../server/store/store.ts";

/** The real engine, in a folder of its own. */
const dir = mkdtempSync(join(tmpdir(), "keepwatch-store-"));
const T0 = 1_795_000_000_000_000;
let store: Store;

beforeAll(async () => {
  const { storage } = parseServerConfig("", "test", { storage: { path: dir } });
  store = await openStore(storage, { log: () => undefined });
});
afterAll(async () => {
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

function stateAt(ts: number, node = "lb1"): Event {
  return {
    id: eventId(node, ts),
    cluster: "c",
    node,
    source: "log",
    kind: "vrrp.state",
    instance: "VI_1",
    state: "MASTER",
    ts,
    tsUncertaintyUs: 1_000_000,
    observedTs: ts,
    raw: 'it\'s a \\ line\twith "quotes" {and:Braces}',
  };
}

function advertAt(ts: number, node: string, peer: string): Event {
  return {
    id: eventId(node, peer, ts),
    cluster: "c",
    node,
    source: "wire",
    kind: "wire.advert",
    ts,
    tsUncertaintyUs: 0,
    observedTs: ts + 3,
    interface: "eth0",
    family: "ipv4",
    vrid: 51,
    peer,
    outgoing: false,
    priority: 150,
    vips: ["10.99.0.100"],
    advertIntervalUs: 1_000_000,
    destination: "224.0.0.18",
    version: 2,
    ttl: 255,
    authType: "pass",
    checksum: "ok",
  };
}

const batch = (name: string, events: readonly Event[]): Batch => ({
  version: 1,
  batchId: eventId("batch", name),
  cluster: "c",
  node: "lb1",
  events,
});

async function detectionEvents(): Promise<Event[]> {
  const all: Event[] = [];
  for await (const page of store.detectionEvents()) all.push(...page);
  return all;
}

describe("the store on the embedded engine", () => {
  test("gives an event back as it was put in, hostile text included", async () => {
    const event = stateAt(T0);
    await store.insertBatch(batch("one", [event]));
    expect(await store.events({ ids: [event.id], limit: 10 })).toEqual([event]);
  });

  test("shows a batch that arrives twice once, and says so", async () => {
    const twice = batch("twice", [stateAt(T0 + 1)]);
    expect(await store.insertBatch(twice)).toEqual({ duplicate: false });
    expect(await store.insertBatch(twice)).toEqual({ duplicate: true });
    expect(await store.events({ from: T0 + 1, to: T0 + 1, limit: 10 })).toHaveLength(1);
  });

  test("shows an event that comes again in another batch once", async () => {
    await store.insertBatch(batch("again 1", [stateAt(T0 + 2)]));
    await store.insertBatch(batch("again 2", [stateAt(T0 + 2), stateAt(T0 + 3)]));
    expect(await store.events({ from: T0 + 2, to: T0 + 3, limit: 10 })).toHaveLength(2);
  });

  test("stores batches that come at once, each whole", async () => {
    const at = T0 + 100;
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => store.insertBatch(batch(`at once ${i}`, [stateAt(at + i, `n${i}`)]))),
    );
    expect(await store.events({ from: at, to: at + 29, limit: 100 })).toHaveLength(30);
  });

  test("filters by node, kind and time", async () => {
    await store.insertBatch(batch("filters", [stateAt(T0 + 500, "lb8"), stateAt(T0 + 600, "lb9")]));
    expect(
      (await store.events({ node: "lb9", kinds: ["vrrp.state"], from: T0 + 500, to: T0 + 700, limit: 10 })).map(
        ({ ts }) => ts,
      ),
    ).toEqual([T0 + 600]);
    expect(await store.events({ node: "lb9", kinds: ["vrrp.transition"], limit: 10 })).toEqual([]);
  });

  test("keeps raw adverts apart, gives them back whole and sums them up", async () => {
    const adverts = [0, 1, 2, 5].map((s) => advertAt(T0 + s * 1_000_000, "lb2", "10.99.0.11"));
    await store.insertBatch(batch("adverts", adverts));
    const range = { cluster: "c", family: "ipv4", vrid: 51, from: T0, to: T0 + 10_000_000 };
    expect(await store.adverts({ ...range, limit: 100 })).toEqual(adverts);
    expect((await detectionEvents()).some(({ kind }) => kind === "wire.advert")).toBe(false);
    const buckets = await store.advertBuckets({ ...range, buckets: 10 });
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(4);
    expect(buckets[0]?.maxGapUs).toBeNull();
    expect(Math.max(...buckets.map(({ maxGapUs }) => maxGapUs ?? 0))).toBe(3_000_000);
  });

  test("keeps the newest state of a delivery, written before it can be read", async () => {
    const delivery: Delivery = {
      id: "d1",
      incidentId: eventId("i"),
      revision: 1,
      event: "opened",
      receiver: "webhook:x",
      target: "http://x",
      status: "pending",
      attempts: 0,
      createdTs: T0,
      nextAttemptTs: T0,
      lastError: null,
    };
    await store.saveDelivery(delivery);
    for (let attempts = 1; attempts <= 5; attempts++)
      await store.saveDelivery({ ...delivery, attempts, lastError: "503" });
    await store.saveDelivery({ ...delivery, attempts: 6, status: "sent" });
    expect(await store.deliveries({ incidentId: delivery.incidentId, limit: 10 })).toEqual([
      { ...delivery, attempts: 6, status: "sent" },
    ]);
    expect(await store.deliveries({ status: "pending", limit: 10 })).toEqual([]);
  });
});
