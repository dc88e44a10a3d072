/**
 * The page's own charts, as they are built for it, beside chart.js's floating bars and its decimated line, drawn in turn in one
 * page of a real Chromium without a GPU; then the timeline of many intervals and adverts from a real store (`-- timeline`).
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";
import { build } from "vite";
import { CHROMIUM, FLAGS } from "../../e2e/support/browser.ts";
import { median, print, verdictOf } from "../shared.ts";

const PAGE = join(process.cwd(), "test/bench/people/page");
const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
/** What the first paint of a timeline may take of the CPU, milliseconds. */
const FIRST_PAINT_MS = 50;

type Times = Readonly<Record<"ourBars" | "theirBars" | "ourLine" | "theirLine" | "pans", readonly number[]>>;

export async function benchCharts(dir: string): Promise<void> {
  if (!existsSync(CHROMIUM)) return print("charts: NOT MEASURED, chromium is not installed");
  const built = join(dir, "page");
  await build({ root: PAGE, configFile: false, logLevel: "error", build: { outDir: built, emptyOutDir: true } });
  const times = await drawn(built);
  compare("50,000 bars in 40 rows / chart.js's floating bars", times.ourBars, times.theirBars, [0.15, 0.05]);
  compare(
    "1,000,000 adverts as the longest wait of each of 600 buckets, bucketing included / chart.js's line, decimated by min-max",
    times.ourLine,
    times.theirLine,
    [0.4, 0.15],
  );
  const first = (times.ourBars[0] ?? Number.NaN) + (times.ourLine[0] ?? Number.NaN);
  print(`first draw of both, ${first.toFixed(0)} ms; ${verdictOf(first, undefined, FIRST_PAINT_MS)}`);
  const pans = [...times.pans].sort((a, b) => a - b);
  print(
    `a frame of 50,000 bars moved: p50 ${median(pans).toFixed(1)} ms, p95 ${(pans[Math.floor(pans.length * 0.95)] ?? 0).toFixed(1)} ms`,
  );
}

function compare(
  name: string,
  ours: readonly number[],
  theirs: readonly number[],
  [must, goal]: readonly [must: number, goal: number],
): void {
  const ratio = median(ours.map((time, round) => time / (theirs[round] ?? Number.NaN)));
  print(
    `${name}: ${ratio.toFixed(3)} (${median(ours).toFixed(1)} ms / ${median(theirs).toFixed(0)} ms; first ${(ours[0] ?? 0).toFixed(0)} / ${(theirs[0] ?? 0).toFixed(0)}); ${verdictOf(ratio, must, goal)}`,
  );
}

async function drawn(folder: string): Promise<Times> {
  const server = createServer((request, response) => {
    const path = normalize(request.url === "/" ? "/index.html" : (request.url ?? "/"));
    readFile(join(folder, path)).then(
      (body) => response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream").end(body),
      () => response.writeHead(404).end(),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    const page = await browser.newPage({ viewport: { width: 1700, height: 1200 } });
    page.on("pageerror", (error) => print(`charts: ${error.message}`));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction("window.drawTimes !== undefined", undefined, { timeout: 120_000 });
    return (await page.evaluate("window.drawTimes")) as Times;
  } finally {
    await browser.close();
    server.close();
  }
}
