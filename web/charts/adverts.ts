import {
  Chart,
  type ChartDataset,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
} from "chart.js";
import type { AdvertBucket } from "../../server/api/types.ts";
import type { Range } from "../range.ts";
import { formatMicros, timeTicks, type Zone } from "../time.ts";
import { fixSides, LEFT, TICK_ROOM, tellArea } from "./lanes.ts";
import { type Palette, readPalette } from "./palette.ts";

Chart.register(Legend, LinearScale, LineController, LineElement, PointElement, Tooltip);

/** With more points than this in a line they would hide it. */
const POINTS_SEEN = 60;

export interface AdvertsView {
  readonly buckets: readonly AdvertBucket[];
  readonly range: Range;
  readonly zone: Zone;
}

/** The longest wait between two adverts of a sender, as each node heard it: a plateau above the interval is a stretch in which they were lost. */
export class AdvertsChart {
  private view: AdvertsView;
  private readonly chart: Chart<"line", { x: number; y: number }[]>;

  constructor(canvas: HTMLCanvasElement, view: AdvertsView) {
    this.view = view;
    const palette = readPalette();
    const colours = { grid: { color: palette.grid }, border: { color: palette.grid } };
    this.chart = new Chart(canvas, {
      type: "line",
      data: { datasets: datasetsOf(view, palette) },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        parsing: false,
        layout: { padding: { right: 12 } },
        scales: {
          x: {
            type: "linear",
            min: view.range.from,
            max: view.range.to,
            ...colours,
            afterBuildTicks: (axis) => {
              axis.ticks = timeTicks(
                this.view.range.from,
                this.view.range.to,
                Math.floor(axis.width / TICK_ROOM),
                this.view.zone,
              ).map((value) => ({ value }));
            },
            afterFit: fixSides,
            // Without labels; to format them would load the browser's tables of numbers.
            ticks: { display: false, callback: () => "" },
          },
          y: {
            ...colours,
            beginAtZero: true,
            suggestedMax: 2,
            afterFit: (axis) => {
              axis.width = LEFT;
            },
            ticks: { color: palette.muted, callback: (value) => `${value} s`, maxTicksLimit: 4 },
          },
        },
        plugins: {
          legend: { position: "bottom", labels: { color: palette.muted, boxWidth: 18, boxHeight: 2 } },
          tooltip: {
            callbacks: {
              title: ([item]) => (item ? formatMicros(item.parsed.x ?? 0, this.view.zone) : ""),
              label: (item) => `${item.dataset.label}: ${(item.parsed.y ?? 0).toFixed(3)} s`,
            },
          },
        },
      },
      plugins: [tellArea()],
    });
  }

  show(view: AdvertsView): void {
    this.view = view;
    const palette = readPalette();
    this.chart.data.datasets = datasetsOf(view, palette);
    for (const axis of [this.chart.options.scales?.["x"], this.chart.options.scales?.["y"]]) {
      Object.assign(axis ?? {}, { grid: { color: palette.grid }, border: { color: palette.grid } });
      Object.assign(axis?.ticks ?? {}, { color: palette.muted });
    }
    Object.assign(this.chart.options.scales?.["x"] ?? {}, { min: view.range.from, max: view.range.to });
    Object.assign(this.chart.options.plugins?.legend?.labels ?? {}, { color: palette.muted });
    this.chart.update("none");
  }

  destroy(): void {
    this.chart.destroy();
  }
}

function datasetsOf({ buckets }: AdvertsView, palette: Palette): ChartDataset<"line", { x: number; y: number }[]>[] {
  const groups = new Map<string, { x: number; y: number }[]>();
  for (const { node, sender, ts, maxGapUs } of buckets) {
    const name = `${sender} heard by ${node}`;
    const points = groups.get(name) ?? [];
    groups.set(name, points);
    if (maxGapUs !== null) points.push({ x: ts, y: maxGapUs / 1e6 });
  }
  return [...groups].map(([label, data], i) => {
    const colour = palette.series[i % palette.series.length] ?? palette.text;
    return {
      label,
      data,
      borderColor: colour,
      backgroundColor: colour,
      borderWidth: 1.5,
      // The wait that ended here lasted from the point before: a plateau, and no slope.
      stepped: "after" as const,
      pointRadius: data.length > POINTS_SEEN ? 0 : 2,
      pointHitRadius: 4,
      ...(i % 2 === 1 ? { borderDash: [5, 3] } : {}),
    };
  });
}
