import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sampled } from "../../../server/api/timeline.ts";
import type { AdvertPacket, Bar, RouterSummary, Timeline } from "../../../server/api/types.ts";
import { batchesOf, endStray, type TestServer, testServer } from "../app/support.ts";
import { at, scenario } from "../detect/scenario.ts";

const STATES = ["MASTER", "BACKUP", "FAULT", "STOPPED"] as const;
const RANK = { BACKUP: 0, MASTER: 1, STOPPED: 3, FAULT: 4 } as const;
const bar = (state: Bar["state"], from: number, to: number | null): Bar => ({
  source: "log",
  state,
  from,
  fromUncertaintyUs: 0,
  to,
  toUncertaintyUs: 0,
  eventIds: [],
});
const bars = fc
  .array(fc.tuple(fc.constantFrom(...STATES), fc.integer({ min: 1, max: 400 })), { minLength: 1, maxLength: 400 })
  .map((spans) => {
    let ts = 0;
    return spans.map(([state, length]) => {
      const one = bar(state, ts, ts + length);
      ts += length;
      return one;
    });
  });

describe("bars that are too many to be seen", () => {
  test("are no more than two a column, and in every column the worst of those that begin there is kept", () => {
    fc.assert(
      fc.property(bars, fc.integer({ min: 10, max: 100 }), (all, columns) => {
        const to = all.at(-1)?.to ?? 1;
        const kept = sampled(all, { from: 0, to, columns });
        expect(kept.length).toBeLessThanOrEqual(2 * columns);
        const step = to / columns;
        const worst = (list: readonly Bar[], column: number): number =>
          Math.max(
            -1,
            ...list
              .filter(({ from }) => Math.floor(from / step) === column)
              .map(({ state }) => RANK[state as keyof typeof RANK]),
          );
        for (let column = 0; column < columns; column += 1) expect(worst(kept, column)).toBe(worst(all, column));
        // What is wide enough to be seen is as it was.
        for (const one of all) if ((one.to ?? to) - one.from >= step) expect(kept).toContain(one);
      }),
    );
  });

  test("of 50,000 leave no more than a screen can show, a fault of a millisecond among them", () => {
    const many = Array.from({ length: 50_000 }, (_, i) =>
      bar(i === 31_415 ? "FAULT" : i % 2 === 0 ? "MASTER" : "BACKUP", i * 1000, (i + 1) * 1000),
    );
    const kept = sampled(many, { from: 0, to: 50_000_000, columns: 2_000 });
    expect(kept.length).toBe(2_000);
    expect(kept.filter(({ state }) => state === "FAULT")).toEqual([many[31_415]]);
  });
});

describe("the timeline's ticks and markers", () => {
  let server: TestServer;
  let id: string;
  beforeAll(async () => {
    server = await testServer();
    const events = scenario(`
      at 0 lb1 config
      at 1 lb1 log MASTER
      at 1.5 lb1 wire out seen
      at 2 lb1 wire out advert
      at 3 lb1 wire out advert
      at 10 lb1 config
      at 20 lb1 daemon reloading
      at 21 lb1 config
      at 40 lb1 daemon stopping
      watch lb1 to 60`).map((event) =>
      event.kind === "config.loaded" && event.ts === at(21)
        ? { ...event, files: event.files.map((file) => ({ ...file, sha256: "1".repeat(64) })) }
        : event,
    );
    for (const batch of batchesOf(events)) expect((await server.post(batch)).status).toBe(200);
    [{ id }] = (await server.json("/api/v1/routers")) as [RouterSummary];
  });
  afterAll(async () => {
    await server.end();
    await endStray();
  });
  const timeline = async (from: number, to: number, columns = 1_000): Promise<Timeline> =>
    (await server.json(
      `/api/v1/timeline?router=${encodeURIComponent(id)}&from=${at(from)}&to=${at(to)}&columns=${columns}`,
    )) as Timeline;

  test("are the adverts of the range, and what changed in it but what was only told again", async () => {
    const { ticks, markers } = await timeline(0, 60);
    expect(ticks).toEqual(
      [2, 3].map((second) => ({ node: "lb1", sender: "10.99.0.11", ts: at(second), priority: 150, outgoing: true })),
    );
    expect(markers.map(({ mark, ts, node }) => [node, mark, ts])).toEqual([
      ["lb1", "reload", at(20)],
      ["lb1", "config", at(21)],
      ["lb1", "stop", at(40)],
    ]);
    expect((await timeline(30, 60)).markers.map(({ mark }) => mark)).toEqual(["stop"]);
    expect((await timeline(30, 60)).ticks).toEqual([]);
  });

  test("each have the packet, made again byte by byte, and no password", async () => {
    const [tick] = (await timeline(0, 60)).ticks;
    const query = new URLSearchParams({ router: id, node: "lb1", sender: "10.99.0.11", ts: String(tick?.ts) });
    const { advert, bytes, parts, leftOut } = (await server.json(`/api/v1/adverts/packet?${query}`)) as AdvertPacket;
    expect(advert).toMatchObject({ kind: "wire.advert", node: "lb1", priority: 150, ts: at(2) });
    expect(bytes).toMatch(/^45c0[0-9a-f]{8,}e0000012/);
    expect(parts.at(-1)).toMatchObject({ name: "authentication", origin: "zeroed" });
    expect(bytes?.endsWith("00".repeat(8))).toBe(true);
    expect(parts.reduce((sum, { length }) => sum + length, 0)).toBe((bytes?.length ?? 0) / 2);
    expect(leftOut).toEqual([]);
    query.set("ts", String(at(2) + 1));
    expect((await server.get(`/api/v1/adverts/packet?${query}`)).status).toBe(404);
  });

  test("of many adverts there are no ticks, only the chart", async () => {
    const [first] = scenario("at 100 lb1 wire out advert");
    if (!first) throw new Error("no advert");
    const many = Array.from({ length: 3_001 }, (_, i) => ({
      ...first,
      id: i.toString(16).padStart(32, "0"),
      ts: at(100) + i * 1000,
    }));
    for (const batch of batchesOf(many)) expect((await server.post(batch)).status).toBe(200);
    const { ticks, adverts } = await timeline(99, 120);
    expect(ticks).toEqual([]);
    expect(adverts.reduce((sum, { count }) => sum + count, 0)).toBe(3_001);
    expect((await timeline(100, 101)).ticks.length).toBeGreaterThan(900);
  });
});
