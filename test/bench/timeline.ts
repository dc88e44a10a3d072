/**
 * `npm run bench -- timeline [--adverts N] [--intervals N]`: how long the server takes for a timeline of many intervals and adverts, how
 * large its answer is, and how long a frame of the built page takes that shows it while the reader moves through it.
 * Needs `npm run build:web` and chromium for the last part.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { timelineOf } from "../../server/api/timeline.ts";
import type { Bar, Lane, RouterSummary, Timeline } from "../../server/api/types.ts";
import { parseServerConfig } from "../../server/config.ts";
import { openStore } from "../../server/store/clickhouse-store.ts";
import type { Store } from "../../server/store/store.ts";
import { CHROMIUM, FLAGS } from "../e2e/support/browser.ts";
import { comparison, config } from "../e2e/support/configs.ts";
import { FixtureServer } from "../e2e/support/fixture-server.ts";
import { recorded, router as pair } from "../e2e/support/split-brain.ts";
import { sql, sqlTable } from "../e2e/support/sql.ts";
import { median, numberOf, print } from "./shared.ts";

const T0 = 1_795_517_580 * US_PER_SECOND;
const BATCH = 10_000;
const ROUNDS = 7;
const FRAMES = 60;
/** As the page asks on a screen of 1400 pixels. */
const COLUMNS = 4_500;

export async function benchTimeline(dir: string, args: readonly string[]): Promise<void> {
  const adverts = numberOf(args, "--adverts", 1_000_000);
  const intervals = numberOf(args, "--intervals", 50_000);
  const { storage } = parseServerConfig("", "bench", { storage: { path: join(dir, "store") } });
  const store = await openStore(storage, { log: () => undefined });
  const router: RouterSummary = { ...pair, firstEventTs: T0, lastEventTs: T0 + (adverts / 2) * US_PER_SECOND };
  try {
    await insert(store, adverts);
    // Two nodes that hear an advert a second: the adverts last for half as many seconds.
    const to = T0 + (adverts / 2) * US_PER_SECOND;
    const lanes = lanesOf(intervals, T0, to);
    const deps = {
      store,
      engine: { lanes: () => lanes, services: () => [], incidents: () => [], corrected: (event: Event) => event },
    };
    let whole: Timeline | undefined;
    for (const [name, share] of [
      ["the whole", 1],
      ["a hundredth", 0.01],
      ["ten minutes", (600 * US_PER_SECOND) / (to - T0)],
    ] as const) {
      const range = { from: T0, to: Math.round(T0 + (to - T0) * share), columns: COLUMNS };
      const times: number[] = [];
      let answer: Timeline | undefined;
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = performance.now();
        answer = await timelineOf(router, range, deps);
        times.push(performance.now() - before);
      }
      whole ??= answer;
      const kib = JSON.stringify(answer).length / 1024;
      const bars = answer?.lanes.reduce((sum, lane) => sum + lane.bars.length, 0) ?? 0;
      print(
        `timeline, ${name} of ${intervals.toLocaleString("en")} intervals and ${adverts.toLocaleString("en")} adverts: ${median(times).toFixed(0)} ms (${Math.min(...times).toFixed(0)}–${Math.max(...times).toFixed(0)}); ${bars} bars, ${answer?.ticks.length} ticks, ${kib.toFixed(0)} KiB`,
      );
    }
    await frames(lanes, whole, router);
  } finally {
    await store.close();
  }
}

async function insert(store: Store, count: number): Promise<void> {
  const before = performance.now();
  for (let first = 0; first < count; first += BATCH) {
    const events = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => advert(first + i));
    const node = events[0]?.node ?? "";
    await store.insertBatch({ version: 1, batchId: eventId("bench", first), cluster: pair.cluster, node, events });
  }
  print(`timeline, adverts stored in ${((performance.now() - before) / 1000).toFixed(1)} s`);
}

const advert = (i: number): Event => ({
  id: i.toString(16).padStart(32, "0"),
  cluster: pair.cluster,
  node: i % 2 === 0 ? "lb1" : "lb2",
  source: "wire",
  kind: "wire.advert",
  ts: T0 + Math.floor(i / 2) * US_PER_SECOND + (i % 2) * 90,
  tsUncertaintyUs: 0,
  observedTs: T0,
  interface: "eth0",
  family: "ipv4",
  vrid: pair.vrid ?? 51,
  peer: "10.99.0.11",
  outgoing: i % 2 === 0,
  priority: 150,
  vips: ["10.99.0.100"],
  advertIntervalUs: US_PER_SECOND,
  destination: "224.0.0.18",
  version: 2,
  ttl: 255,
  authType: "none",
  checksum: "ok",
});

function lanesOf(intervals: number, from: number, to: number): Lane[] {
  const each = intervals / 2;
  const step = (to - from) / each;
  return (["lb1", "lb2"] as const).map((node, which) => ({
    node,
    instance: "VI_1",
    watchedTo: to,
    bars: Array.from(
      { length: each },
      (_, i): Bar => ({
        source: "log",
        state: i % 101 === 0 ? "FAULT" : i % 2 === which ? "MASTER" : "BACKUP",
        from: Math.round(from + i * step),
        fromUncertaintyUs: 0,
        to: Math.round(from + (i + 1) * step),
        toUncertaintyUs: 0,
        eventIds: [],
      }),
    ),
  }));
}

/** Runs in the page. A step is drawn with the frame after the next, when what was asked for is laid out and painted. */
const STEPS = `(async () => {
  const canvas = document.querySelector(".lanes canvas");
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const found = [];
  for (let i = 0; i < ${FRAMES}; i += 1) {
    const key = i % 4 < 2 ? "ArrowLeft" : "ArrowRight";
    const before = performance.now();
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await frame();
    await frame();
    found.push(performance.now() - before);
  }
  return found;
})()`;

/** @param lanes  all of them: what the page shows when nothing is left out beforehand */
async function frames(lanes: readonly Lane[], sampled: Timeline | undefined, router: RouterSummary): Promise<void> {
  const folder = join(process.cwd(), "dist/web");
  if (!existsSync(CHROMIUM) || !existsSync(join(folder, "index.html")) || !sampled)
    return print("timeline, frames: not measured (chromium, npm run build:web)");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    for (const [name, shown] of [
      ["as the server samples it", sampled.lanes],
      ["unsampled", lanes],
    ] as const) {
      const state = {
        ...recorded,
        silences: [],
        config,
        comparison,
        sql,
        sqlTable,
        routers: [router],
        lanes: shown,
        buckets: sampled.adverts,
        ticks: [],
        markers: [],
      };
      const server = new FixtureServer(folder, state, () => sampled.to);
      const url = await server.start();
      const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
      await page.goto(`${url}timeline?from=${sampled.from}&to=${sampled.to}`);
      await page.locator('.lanes canvas[data-lanes="lb1,lb2"]').waitFor();
      const times = (await page.evaluate(STEPS)) as number[];
      const sorted = [...times].sort((a, b) => a - b);
      print(
        `timeline, a step to the side drawn ${name}: p50 ${median(times).toFixed(0)} ms, p95 ${(sorted[Math.floor(sorted.length * 0.95)] ?? 0).toFixed(0)} ms (two frames of an idle screen are 33 ms)`,
      );
      await page.close();
      await server.stop();
    }
  } finally {
    await browser.close();
  }
}
