/** Draws the page's own charts and chart.js's over the same data in turn, and leaves the times of each on `window`. */
import { BarController, BarElement, CategoryScale, Chart, Decimation } from "chart.js";
import type { AdvertBucket, Bar, BarState } from "../../../../server/api/types.ts";
import { AdvertsChart } from "../../../../web/charts/adverts.ts";
import { LanesChart, type LanesView, lanesHeight } from "../../../../web/charts/lanes.ts";
import type { Strip } from "../../../../web/charts/strips.ts";

Chart.register(BarController, BarElement, CategoryScale, Decimation);

const WIDTH = 1600;
const BARS = 50_000;
const ROWS = 40;
const ROWS_A_STRIP = 2;
const ADVERTS = 1_000_000;
/** As the server makes of whatever is in the range (server/api/timeline.ts). */
const BUCKETS = 600;
const ROUNDS = 7;
const STATES = ["BACKUP", "MASTER", "FAULT"] as const satisfies readonly BarState[];
const COLOURS = ["#4a6fa5", "#2a9d4a", "#c0392b"];

let seed = 1;
const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 4_294_967_296;

/** A canvas in a box of its own, taken away after the drawing. */
function onCanvas(height: number, draw: (canvas: HTMLCanvasElement) => { destroy(): void }): number {
  const box = document.createElement("div");
  box.style.cssText = `width: ${WIDTH}px; height: ${height}px; position: relative`;
  const canvas = document.createElement("canvas");
  box.append(canvas);
  document.body.append(box);
  const before = performance.now();
  const chart = draw(canvas);
  // Reads a pixel, so that the drawing is done and not only asked for.
  canvas.getContext("2d")?.getImageData(0, 0, 1, 1);
  const took = performance.now() - before;
  chart.destroy();
  box.remove();
  return took;
}

interface Piece {
  readonly row: number;
  readonly from: number;
  readonly to: number;
  readonly state: BarState;
}

function pieces(): Piece[] {
  const ends = Array.from({ length: ROWS }, () => 0);
  return Array.from({ length: BARS }, (_, i) => {
    const row = i % ROWS;
    const from = ends[row] ?? 0;
    const to = from + 30 + random() * 4_000;
    ends[row] = to;
    return { row, from, to, state: STATES[Math.floor(random() * 3)] ?? "BACKUP" };
  });
}

const bars = pieces();
const end = Math.max(...bars.map(({ to }) => to));
const strips: Strip[] = Array.from({ length: ROWS / ROWS_A_STRIP }, (_, strip) => ({
  name: `lb${strip}`,
  detail: "VI_1",
  service: null,
  rows: Array.from({ length: ROWS_A_STRIP }, (__, at) => ({
    label: "log",
    source: "log",
    node: `lb${strip}`,
    watchedTo: end,
    bars: bars
      .filter(({ row }) => row === strip * ROWS_A_STRIP + at)
      .map(
        ({ from, to, state }): Bar => ({
          source: "log",
          state,
          from,
          to,
          fromUncertaintyUs: 0,
          toUncertaintyUs: 0,
          eventIds: [],
        }),
      ),
  })),
}));
const view: LanesView = {
  strips,
  incidents: [],
  ticks: [],
  markers: [],
  brush: null,
  range: { from: 0, to: end },
  zone: "UTC",
  selected: null,
  now: end,
};
const height = lanesHeight(strips);

const ourBars = (): number => onCanvas(height, (canvas) => new LanesChart(canvas, view));

const theirBars = (): number =>
  onCanvas(
    height,
    (canvas) =>
      new Chart<"bar", { x: [number, number]; y: number }[]>(canvas, {
        type: "bar",
        data: {
          labels: [...Array(ROWS).keys()],
          datasets: STATES.map((state, i) => ({
            data: bars
              .filter((bar) => bar.state === state)
              .map(({ row, from, to }) => ({ x: [from, to] as [number, number], y: row })),
            backgroundColor: COLOURS[i] ?? "#000",
            grouped: false,
            barPercentage: 0.9,
          })),
        },
        options: {
          animation: false,
          indexAxis: "y",
          maintainAspectRatio: false,
          parsing: { xAxisKey: "x", yAxisKey: "y" },
          scales: { x: { type: "linear", min: 0, max: end }, y: { type: "category" } },
          plugins: { legend: { display: false }, tooltip: { enabled: false } },
        },
      }),
  );

/** One advert a second, a little late each; seconds. */
const times = Float64Array.from({ length: ADVERTS }, (_, i) => i + random() * 0.09);
const points = Array.from(times.subarray(1), (time, i) => ({ x: time, y: time - (times[i] ?? 0) }));

/** The longest wait of each bucket, as the server's answer has it. */
function bucketed(): AdvertBucket[] {
  const width = ADVERTS / BUCKETS;
  const longest = new Float64Array(BUCKETS);
  const counts = new Uint32Array(BUCKETS);
  let before = times[0] ?? 0;
  let i = 1;
  for (let at = 0; at < BUCKETS; at += 1) {
    const end = at === BUCKETS - 1 ? Number.POSITIVE_INFINITY : (at + 1) * width;
    const first = i;
    let wait = 0;
    for (; i < ADVERTS; i += 1) {
      const time = times[i] ?? 0;
      if (time >= end) break;
      if (time - before > wait) wait = time - before;
      before = time;
    }
    longest[at] = wait;
    counts[at] = i - first;
  }
  return Array.from(longest, (gap, at) => ({
    node: "lb1",
    sender: "10.99.0.12",
    ts: Math.round(at * width * 1e6),
    count: counts[at] ?? 0,
    maxGapUs: Math.round(gap * 1e6),
  }));
}

const ourLine = (): number =>
  onCanvas(
    220,
    (canvas) =>
      new AdvertsChart(canvas, { buckets: bucketed(), range: { from: 0, to: ADVERTS * 1_000_000 }, zone: "UTC" }),
  );

const theirLine = (): number =>
  onCanvas(
    220,
    (canvas) =>
      new Chart(canvas, {
        type: "line",
        data: { datasets: [{ data: points, borderWidth: 1, pointRadius: 0, borderColor: "#224466" }] },
        options: {
          animation: false,
          maintainAspectRatio: false,
          parsing: false,
          normalized: true,
          scales: { x: { type: "linear" } },
          plugins: {
            decimation: { enabled: true, algorithm: "min-max" },
            legend: { display: false },
            tooltip: { enabled: false },
          },
        },
      }),
  );

/** A frame of a pan: the same chart is shown another stretch. */
function pans(): number[] {
  const found: number[] = [];
  onCanvas(height, (canvas) => {
    const chart = new LanesChart(canvas, view);
    for (let i = 1; i <= 30; i += 1) {
      const before = performance.now();
      const by = (end * i) / 200;
      chart.show({ ...view, range: { from: by, to: end / 2 + by } });
      canvas.getContext("2d")?.getImageData(0, 0, 1, 1);
      found.push(performance.now() - before);
    }
    return chart;
  });
  return found;
}

const result: Record<string, number[]> = { ourBars: [], theirBars: [], ourLine: [], theirLine: [] };
for (let round = 0; round < ROUNDS; round += 1)
  for (const [name, draw] of Object.entries({ ourBars, theirBars, ourLine, theirLine })) result[name]?.push(draw());
result["pans"] = pans();
Object.assign(window, { drawTimes: result });
