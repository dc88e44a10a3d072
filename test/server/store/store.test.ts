import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { eventId } from "../../../collector/events/id.ts";
import type { Event, EventOf } from "../../../collector/events/event.ts";
import { parseServerConfig } from "../../../server/config.ts";
import type { Delivery, Incident, Silence } from "../../../server/api/types.ts";
import { PAGE_EVENTS } from "../../../server/store/pages.ts";
import { openStore } from "../../../server/store/clickhouse-store.ts";
import { openEngine } from "../../../server/store/engine.ts";
import { type Store, StoreRefusal } from "../../../server/store/store.ts";
import { clickHouseFront, type ClickHouseFront, credentials } from "./clickhouse-front.ts";

const T0 = 1_795_000_000_000_000;
const silent = { log: () => undefined };
const folder = (): string => mkdtempSync(join(tmpdir(), "keepwatch-store-"));
const storageOf = (storage: NonNullable<Parameters<typeof parseServerConfig>[2]>["storage"]) =>
  parseServerConfig("", "test", { storage: storage ?? {} }).storage;

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

/** An advert's id is made when it is read. */
const withoutIds = (adverts: readonly (Event | undefined)[]) => adverts.map((advert) => ({ ...advert, id: "" }));

async function detectionEvents(store: Store): Promise<Event[]> {
  const all: Event[] = [];
  for await (const page of store.detectionEvents()) all.push(...page);
  return all;
}

/** The same numbers at every run, 0 to 1. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
}

const DELIVERY: Delivery = {
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

/** The real engine in a folder of its own: in the process, and behind ClickHouse's HTTP interface. */
const ENGINES = ["embedded", "external"] as const;

describe.each(ENGINES)("the store on the %s engine", (engine) => {
  const dir = folder();
  let front: ClickHouseFront | undefined;
  let storage: ReturnType<typeof storageOf>;
  let store: Store;
  beforeAll(async () => {
    if (engine === "external") front = await clickHouseFront(dir);
    storage = storageOf(front ? { url: front.url, ...credentials } : { path: dir });
    store = await openStore(storage, silent);
  });
  afterAll(async () => {
    await store.close();
    await front?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const reopen = async (change: Partial<typeof storage> = {}): Promise<void> => {
    await store.close();
    store = await openStore({ ...storage, ...change }, silent);
  };

  test("gives an event back as it was put in, hostile text included", async () => {
    const event = stateAt(T0);
    await store.insertBatch(batch("one", [event]));
    expect(await store.events({ ids: [event.id], limit: 10 })).toEqual([event]);
    // Its id is not in the text that is searched otherwise.
    expect(await store.events({ text: event.id, limit: 10 })).toEqual([event]);
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
    const stored = await store.adverts({ ...range, limit: 100 });
    expect(withoutIds(stored)).toEqual(withoutIds(adverts));
    expect(new Set(stored.map(({ id }) => id)).size).toBe(adverts.length);
    for (const { id } of stored) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect((await detectionEvents(store)).some(({ kind }) => kind === "wire.advert")).toBe(false);
    const buckets = await store.advertBuckets({ ...range, buckets: 10 });
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(4);
    expect(buckets[0]?.maxGapUs).toBeNull();
    expect(Math.max(...buckets.map(({ maxGapUs }) => maxGapUs ?? 0))).toBe(3_000_000);
  });

  test("keeps of an advert what few have, and tells those apart that are of one instant", async () => {
    const at = T0 + 3_600_000_000;
    const usual = advertAt(at, "twins", "10.99.0.31") as EventOf<"wire.advert">;
    const adverts: EventOf<"wire.advert">[] = [
      { ...usual, ipId: 1, at: "lb.pcap#1" },
      // Of a recording whose clock counts seconds: known by its id alone.
      { ...usual, id: eventId("second"), ipId: 2, at: "lb.pcap#2" },
      { ...usual, id: eventId("third"), interface: "bond0" },
      { ...usual, id: eventId("fourth"), outgoing: true, vmac: "00:00:5e:00:01:33", tsUncertaintyUs: 1_000 },
      {
        ...usual,
        id: eventId("fifth"),
        peer: "10.99.0.32",
        ah: { spi: 1, sequence: 2 },
        checksumVariant: "no-pseudo-header",
      },
      { ...usual, id: eventId("sixth"), ts: at + 1, observedTs: at - 5, secondPass: true, vips: [] },
    ];
    const sent = { ...batch("rare", [...adverts, ...adverts.slice(0, 3)]), node: "twins" };
    await store.insertBatch(sent);
    const range = { cluster: "c", family: "ipv4", vrid: 51, from: at, to: at + 1 };
    const plainCount = async (): Promise<unknown> => {
      const client = await openEngine(storage);
      const query = `SELECT toInt32(count()) AS n FROM keepwatch.adverts WHERE adverts.ts BETWEEN ${at} AND ${at + 1}`;
      const answer = await (await client.query({ query, format: "JSONEachRow" })).json();
      await client.close();
      return answer;
    };
    const asText = (some: readonly Event[]) =>
      withoutIds(some)
        .map((advert) => Object.fromEntries(Object.entries(advert).toSorted(([a], [b]) => (a < b ? -1 : 1))))
        .map((advert) => JSON.stringify(advert))
        .toSorted((a, b) => (a < b ? -1 : 1));
    for (const again of [false, true]) {
      if (again) {
        await reopen();
        await store.insertBatch(sent);
      }
      const stored = await store.adverts({ ...range, limit: 100 });
      expect(asText(stored)).toEqual(asText(adverts));
      expect(new Set(stored.map(({ id }) => id)).size).toBe(adverts.length);
      expect(await plainCount()).toEqual([{ n: adverts.length }]);
    }
  });

  test("sums up a long time by the minute as if it were counted then, whatever came late, twice or before a crash", async () => {
    const MINUTE = 60_000_000;
    const from = T0 - (T0 % MINUTE);
    const to = from + 1_200 * MINUTE - 1;
    const random = lcg(engine.length);
    const adverts = Array.from({ length: 2_000 }, (_, i) => ({
      ...advertAt(from + Math.floor(random() * 1_200 * MINUTE), i % 2 === 0 ? "m1" : "m2", "10.99.0.77"),
      cluster: "minutes",
    }));
    const of = (name: string, events: readonly Event[]): Batch => ({ ...batch(name, events), cluster: "minutes" });
    const range = { cluster: "minutes", family: "ipv4", vrid: 51, from, to };
    const expected = (buckets: number, events: readonly Event[]) => {
      const step = Math.ceil((to - from) / buckets / MINUTE) * MINUTE;
      return ["m1", "m2"].flatMap((node) => {
        const found = new Map<number, { count: number; maxGapUs: number | null }>();
        const times = events.filter((event) => event.node === node).map(({ ts }) => ts);
        times
          .sort((a, b) => a - b)
          .forEach((ts, i) => {
            const bucket = Math.floor(ts / step) * step;
            const known = found.get(bucket) ?? { count: 0, maxGapUs: null };
            const gap = i === 0 ? null : ts - (times[i - 1] ?? 0);
            const maxGapUs = gap === null ? known.maxGapUs : Math.max(gap, known.maxGapUs ?? 0);
            found.set(bucket, { count: known.count + 1, maxGapUs });
          });
        return [...found].map(([ts, sum]) => ({ node, sender: "10.99.0.77", ts, ...sum }));
      });
    };
    const late = adverts.filter((_, i) => i % 5 === 0);
    const early = adverts.filter((_, i) => i % 5 !== 0);
    await store.insertBatch(of("minutes, early", early));
    expect(await store.advertBuckets({ ...range, buckets: 600 })).toEqual(expected(600, early));
    await store.insertBatch(of("minutes, early, again", early));
    await store.insertBatch(of("minutes, late", late));
    for (const buckets of [600, 1_200, 7])
      expect(await store.advertBuckets({ ...range, buckets })).toEqual(expected(buckets, adverts));
    // A crash before anything was summed up: what a start finds then.
    await store.close();
    const client = await openEngine(storage);
    await client.command({ query: "TRUNCATE TABLE keepwatch.adverts_1m" });
    await client.close();
    store = await openStore(storage, silent);
    expect(await store.advertBuckets({ ...range, buckets: 600 })).toEqual(expected(600, adverts));
    // The adverts themselves are kept for days, the sums for more than a year.
    const later = await openEngine(storage);
    const summed = async (): Promise<string> =>
      (
        await later.query({
          query: "SELECT count() FROM keepwatch.adverts_1m FINAL WHERE cluster = 'minutes'",
          format: "TabSeparated",
        })
      ).text();
    const minutes = new Set(adverts.map(({ node, ts }) => `${node} ${Math.floor(ts / MINUTE)}`));
    await vi.waitFor(async () => expect(Number(await summed())).toBe(minutes.size), 30_000);
    await store.close();
    await later.command({
      query: "ALTER TABLE keepwatch.adverts DELETE WHERE cluster = 'minutes' SETTINGS mutations_sync = 1",
    });
    await later.close();
    store = await openStore(storage, silent);
    await vi.waitFor(
      async () => expect(await store.advertBuckets({ ...range, buckets: 600 })).toEqual(expected(600, adverts)),
      30_000,
    );
  });

  test("tells each router its own minutes when those of a cluster are asked for at once", async () => {
    const MINUTE = 60_000_000;
    const from = T0 - (T0 % MINUTE);
    const range = { cluster: "lanes", from, to: from + 600 * MINUTE - 1, buckets: 300 };
    const adverts = Array.from({ length: 300 }, (_, i) => ({
      ...advertAt(from + i * 2 * MINUTE, "lb1", `10.99.0.${i % 3}`),
      cluster: "lanes",
      vrid: 60 + (i % 3),
      ...(i % 4 === 0 ? { family: "ipv6" as const, peer: "fe80::1" } : {}),
    }));
    await store.insertBatch({ ...batch("lanes", adverts), cluster: "lanes" });
    const lanes = [60, 61, 62, 63].flatMap((vrid) => ["ipv4", "ipv6"].map((family) => ({ ...range, vrid, family })));
    const together = await Promise.all(lanes.map((lane) => store.advertBuckets(lane)));
    const shorter = store.advertBuckets({ ...range, family: "ipv4", vrid: 60, to: from + 200 * MINUTE });
    for (const [i, lane] of lanes.entries()) {
      const own = adverts.filter(({ vrid, family }) => vrid === lane.vrid && family === lane.family);
      expect(together[i]?.map(({ ts, sender, count }) => ({ ts, sender, count }))).toEqual(
        own
          .map(({ ts, peer }) => ({ ts: ts - (ts % (2 * MINUTE)), sender: peer, count: 1 }))
          .sort((a, b) => `${a.sender}`.localeCompare(`${b.sender}`) || a.ts - b.ts),
      );
      expect(await store.advertBuckets(lane)).toEqual(together[i]);
    }
    expect((await shorter).length).toBeLessThan(together[0]?.length ?? 0);
  });

  test("keeps the newest state of a delivery, written before it can be read", async () => {
    const delivery = DELIVERY;
    await store.saveDelivery(delivery);
    for (let attempts = 1; attempts <= 5; attempts++)
      await store.saveDelivery({ ...delivery, attempts, lastError: "503" });
    await store.saveDelivery({ ...delivery, attempts: 6, status: "sent" });
    expect(await store.deliveries({ incidentId: delivery.incidentId, limit: 10 })).toEqual([
      { ...delivery, attempts: 6, status: "sent" },
    ]);
    expect(await store.deliveries({ status: "pending", limit: 10 })).toEqual([]);
  });

  test("keeps a silence as it was written last", async () => {
    const silence: Silence = {
      id: eventId("silence"),
      matchers: [{ label: "kind", operator: "=", value: "flapping" }],
      createdTs: T0,
      startsTs: T0,
      endsTs: T0 + 1000,
      author: "Kim",
      reason: "known",
    };
    await store.saveSilence(silence, 1);
    expect(await store.silences()).toEqual([silence]);
    await store.saveSilence({ ...silence, endsTs: T0 + 5 }, 2);
    expect(await store.silences()).toEqual([{ ...silence, endsTs: T0 + 5 }]);
  });

  test("tells the newest deliveries first when it is asked to", async () => {
    const ids = ["n1", "n2", "n3"];
    const incidentId = eventId("newest");
    for (const [i, id] of ids.entries()) await store.saveDelivery({ ...DELIVERY, id, incidentId, createdTs: T0 + i });
    const newest = await store.deliveries({ incidentId, newestFirst: true, limit: 2 });
    expect(newest.map(({ id }) => id)).toEqual(["n3", "n2"]);
  });

  test("shows two events of one id once, in one batch and in two", async () => {
    const event = stateAt(T0 + 700, "twin");
    await store.insertBatch(batch("twins", [event, event]));
    await store.insertBatch(batch("twin again", [{ ...event, observedTs: event.observedTs + 5 }]));
    // The same observation read again with another idea of its year.
    await store.insertBatch(batch("twin moved", [{ ...event, ts: event.ts + 100 }]));
    expect(await store.events({ node: "twin", limit: 10 })).toHaveLength(1);
    expect(await store.events({ ids: [event.id], limit: 10 })).toHaveLength(1);
  });

  test("answers a batch that comes again while the first is on its way once it is stored", async () => {
    const twice = batch("impatient", [stateAt(T0 + 800)]);
    const answers = await Promise.all([store.insertBatch(twice), store.insertBatch(twice)]);
    expect(answers).toEqual([{ duplicate: false }, { duplicate: true }]);
  });

  test("shows a batch once that comes again after a restart, and one of which a crash left a half", async () => {
    const events = [stateAt(T0 + 900, "again"), advertAt(T0 + 901, "again", "10.99.0.19"), stateAt(T0 + 902, "again")];
    await store.insertBatch(batch("whole", events));
    const half = [stateAt(T0 + 910, "half"), advertAt(T0 + 911, "half", "10.99.0.19")];
    await store.insertBatch(batch("half", half.slice(0, 1)));
    await reopen();
    await store.insertBatch(batch("whole", events));
    await store.insertBatch(batch("half", half));
    expect(await store.events({ node: "again", limit: 10 })).toEqual([events[0], events[2]]);
    expect(await store.events({ node: "half", limit: 10 })).toEqual([half[0]]);
    const range = { cluster: "c", family: "ipv4", vrid: 51, from: T0 + 901, to: T0 + 911 };
    expect(withoutIds(await store.adverts({ ...range, limit: 10 }))).toEqual(withoutIds([events[1], half[1]]));
  });

  test("does not even count a batch twice that was stored and not acknowledged before a crash", async () => {
    const sent = [10_001, 10_002, 10_003].map((at) => stateAt(T0 + at, "crashed"));
    await store.insertBatch(batch("crashed", sent));
    const plainCount = async (): Promise<number> => {
      const client = await openEngine(storage);
      try {
        const rows = await client.query({
          query: "SELECT toInt32(count()) AS n FROM keepwatch.events WHERE node = 'crashed'",
          format: "JSONEachRow",
        });
        return (await rows.json<{ n: number }>())[0]?.n ?? -1;
      } finally {
        await client.close();
      }
    };
    await reopen();
    // Once as it was, once with a line more.
    expect(await store.insertBatch(batch("crashed", sent))).toEqual({ duplicate: false });
    await store.insertBatch(batch("crashed and more", [...sent, stateAt(T0 + 10_004, "crashed")]));
    await store.close();
    expect(await plainCount()).toBe(4);
    store = await openStore(storage, silent);
  });

  test("gives all events back for detection, in order of time, each once", async () => {
    const all = await detectionEvents(store);
    expect(new Set(all.map(({ id }) => id)).size).toBeGreaterThan(35);
    expect(new Set(all.map(({ node, ts, id }) => `${node} ${ts} ${id}`)).size).toBe(all.length);
    const times = all.map(({ ts }) => ts);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test("gives back a log storm in pages, though all of it is of one second", async () => {
    const ts = T0 + 7_777_000_000;
    const storm = Array.from({ length: 45_000 }, (_, i) => stateAt(ts, `storm ${i}`));
    for (let at = 0; at < storm.length; at += 5_000)
      await store.insertBatch(batch(`storm ${at}`, storm.slice(at, at + 5_000)));
    const found = new Set<string>();
    for await (const page of store.detectionEvents()) {
      expect(page.length).toBeLessThanOrEqual(PAGE_EVENTS);
      for (const event of page) if (event.ts === ts) found.add(event.id);
    }
    expect(found).toEqual(new Set(storm.map(({ id }) => id)));
  });

  test("tells a value that it can never hold from a fault that may pass, and keeps nobody else out", async () => {
    const bad = batch("bad", [{ ...stateAt(T0 + 1000, "bad"), ts: 1e300 }]);
    const good = batch("good", [stateAt(T0 + 1000, "good")]);
    const outcomes = await Promise.allSettled([store.insertBatch(bad), store.insertBatch(good)]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect((outcomes[0] as PromiseRejectedResult).reason).toBeInstanceOf(StoreRefusal);
    expect(await store.events({ node: "good", limit: 10 })).toHaveLength(1);
    expect(store.errors().write).toBeGreaterThan(0);
  });

  test("keeps what is known, and gives back what came after it, and what is still needed of before", async () => {
    const kinds = new Set(["vrrp.state"] as const);
    const of = (node: string, seconds: number): Event => ({ ...stateAt(T0 + seconds, node), cluster: "kept" });
    const old = [
      of("k1", 1),
      of("k1", 50),
      of("k2", 1),
      { ...of("k1", 60), id: eventId("beat"), kind: "log.notice", code: "x" } as Event,
    ];
    await store.insertBatch(batch("kept old", old));
    const arrived = store.arrived();
    const checkpoint = { cluster: "kept", since: { k1: T0 + 40 }, state: '{"a \\"b\\"":"\\n"}', sign: "s", arrived };
    await store.saveCheckpoints([{ ...checkpoint, arrived: arrived - 1, state: "older" }]);
    await store.saveCheckpoints([checkpoint]);
    await reopen();
    expect(store.arrived()).toBe(arrived);
    const late = [of("k1", 2), of("k3", 3)];
    await store.insertBatch(batch("kept late", late));
    expect(store.arrived()).toBeGreaterThan(arrived);
    const checkpoints = await store.checkpoints();
    expect(checkpoints).toEqual([checkpoint]);
    const idsOf = async (which: "recalled" | "since"): Promise<string[]> => {
      const ids: string[] = [];
      for await (const page of store.detectionEvents({ which, checkpoints, kinds }))
        ids.push(...page.map(({ id }) => id));
      return ids;
    };
    expect(await idsOf("recalled")).toEqual([old[1]?.id]);
    const since = await idsOf("since");
    expect(since).toEqual(expect.arrayContaining(late.map(({ id }) => id)));
    // Of clusters without a checkpoint all is new.
    expect(since.length).toBeGreaterThan(late.length + 30);
    for (const { id } of old) expect(since).not.toContain(id);
    const large = { ...checkpoint, state: JSON.stringify("x".repeat(12 * 2 ** 20)) };
    await store.saveCheckpoints([large]);
    expect((await store.checkpoints()).map(({ state }) => state.length)).toEqual([large.state.length]);
    await store.dropCheckpoints();
    expect(await store.checkpoints()).toEqual([]);
  });

  test("keeps the newest revision of an incident, through a restart", async () => {
    const incident: Incident = {
      id: eventId("incident"),
      revision: 1,
      status: "open",
      kind: "split-brain",
      certainty: "suspected",
      severity: "critical",
      cluster: "c",
      subject: { router: "r", nodes: ["lb1", "lb2"] },
      start: T0,
      end: null,
      cause: null,
      summary: 'two masters, "quoted" \\ and {braced:String}',
      evidence: [],
    };
    await store.saveIncidents([incident]);
    const resolved: Incident = { ...incident, revision: 3, status: "resolved", end: T0 + 5 };
    await store.saveIncidents([resolved]);
    await store.saveIncidents([{ ...incident, revision: 2, certainty: "confirmed" }]);
    await reopen();
    expect(await store.incidents()).toEqual([resolved]);
  });

  test("lets a delivery's update after a restart win, whatever the clock did", async () => {
    const delivery = { ...DELIVERY, id: "d2", incidentId: eventId("i2") };
    await store.saveDelivery(delivery);
    await reopen();
    await store.saveDelivery({ ...delivery, status: "sent", attempts: 1 });
    expect(await store.deliveries({ incidentId: delivery.incidentId, limit: 10 })).toEqual([
      { ...delivery, status: "sent", attempts: 1 },
    ]);
  });

  test("keeps old events that were stored just now, however old they are", async () => {
    const old = { ...stateAt(T0 - 900 * 86_400_000_000, "museum"), observedTs: T0 };
    await store.insertBatch(batch("museum", [old, advertAt(T0 - 900 * 86_400_000_000, "museum", "10.99.0.77")]));
    const client = await openEngine(storage);
    for (const table of ["events", "adverts"])
      await client.command({ query: `OPTIMIZE TABLE keepwatch.${table} FINAL` });
    await client.close();
    expect(await store.events({ node: "museum", limit: 10 })).toEqual([old]);
    const range = { cluster: "c", family: "ipv4", vrid: 51, from: 0, to: T0 - 1 };
    expect(await store.adverts({ ...range, limit: 10 })).toHaveLength(1);
  });

  test("takes another retention at the next start, and drops what is older by then", async () => {
    const ttl = async (): Promise<string[]> => {
      const client = await openEngine(storage);
      const rows = await client.query({
        query:
          "SELECT engine_full FROM system.tables WHERE database = 'keepwatch' AND name IN ('adverts', 'events') ORDER BY name",
        format: "JSONEachRow",
      });
      const found = (await rows.json<{ engine_full: string }>()).map(
        ({ engine_full: full }) => /TTL (.*?) SETTINGS/.exec(full)?.[1] ?? full,
      );
      await client.close();
      return found;
    };
    expect(await ttl()).toEqual(["storedAt + toIntervalDay(7)", "storedAt + toIntervalDay(400)"]);
    await reopen({ adverts_days: 3, events_days: 30 });
    expect(await ttl()).toEqual(["storedAt + toIntervalDay(3)", "storedAt + toIntervalDay(30)"]);
    await reopen();
  });

  test("refuses a store that a newer keepwatch has written", async () => {
    const client = await openEngine(storage);
    const newest = { version: 9_999, name: "from_the_future" };
    await client.insert({ table: "keepwatch.migrations", values: [newest], format: "JSONEachRow" });
    await store.close();
    await expect(openStore(storage, silent)).rejects.toMatchObject({ code: "STORE_TOO_NEW" });
    await client.command({ query: "DELETE FROM keepwatch.migrations WHERE version = 9999" });
    await client.close();
    store = await openStore(storage, silent);
  });
});
