import { Chart, LinearScale, type Plugin, ScatterController } from "chart.js";
import type { Bar, Incident, Lane } from "../../server/api/types.ts";
import type { Range } from "../range.ts";
import { formatTick, timeTicks, type Zone } from "../time.ts";
import { mergeSpans, type Span } from "./merge.ts";
import { type Palette, readPalette } from "./palette.ts";

Chart.register(LinearScale, ScatterController);

/** What stands under the pointer. */
export type Target =
  | { readonly kind: "incident"; readonly id: string }
  | { readonly kind: "bar"; readonly node: string; readonly bar: Bar };

export interface LanesView {
  readonly lanes: readonly Lane[];
  readonly incidents: readonly Incident[];
  readonly range: Range;
  readonly zone: Zone;
  readonly selectedIncident: string | null;
  readonly now: number;
}

/** Room for the lanes' names, pixels. */
export const LEFT = 132;
const RIGHT = 12;
const TOP = 46;
const ROW = 15;
const GAP = 3;
const LANE_PAD = 9;
/** Height of the incidents' labels above the lanes. */
const LABEL = 18;
/** The order in which sources stand under each other in a lane: from what is to what is said. */
const SOURCES = ["kernel", "wire", "log"] as const;
const SOURCE_NAMES: Readonly<Record<string, string>> = { kernel: "address", wire: "adverts", log: "log" };

/** A source that says nothing of any node takes no room. */
function rowsOf(lanes: readonly Lane[]): readonly (typeof SOURCES)[number][] {
  const rows = SOURCES.filter((source) => lanes.some(({ bars }) => bars.some((bar) => bar.source === source)));
  return rows.length > 0 ? rows : SOURCES;
}

function laneHeight(lanes: readonly Lane[]): number {
  // Never lower than the two lines of the lane's name.
  return Math.max(2, rowsOf(lanes).length) * (ROW + GAP) - GAP + 2 * LANE_PAD;
}

/** Height of the canvas that shows these lanes, pixels. */
export function lanesHeight(lanes: readonly Lane[]): number {
  return TOP + LABEL + Math.max(1, lanes.length) * laneHeight(lanes) + 6;
}

interface Hit {
  readonly x0: number;
  readonly x1: number;
  readonly y0: number;
  readonly y1: number;
  readonly target: Target;
}

/** The lanes of a virtual router on a canvas: chart.js for the axis and the frame, the bars by hand and merged by pixel. */
export class LanesChart {
  private view: LanesView;
  private hits: Hit[] = [];
  private readonly chart: Chart<"scatter">;

  constructor(canvas: HTMLCanvasElement, view: LanesView) {
    this.view = view;
    this.chart = new Chart(canvas, {
      type: "scatter",
      data: { datasets: [] },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        events: [],
        layout: { padding: { left: LEFT, right: RIGHT, top: 4, bottom: 4 } },
        scales: {
          x: {
            type: "linear",
            position: "top",
            afterBuildTicks: (axis) => {
              const { range, zone } = this.view;
              const values = timeTicks(range.from, range.to, Math.floor(axis.width / 110));
              axis.ticks = values.map((value) => ({ value, label: formatTick(value, range.to - range.from, zone) }));
            },
            ticks: {
              callback: (_value, index, ticks) => ticks[index]?.label ?? "",
              maxRotation: 0,
              autoSkip: false,
              font: { size: 12 },
            },
          },
          y: { display: false, min: 0, max: 1 },
        },
      },
      plugins: [this.plugin()],
    });
    this.show(view);
  }

  show(view: LanesView): void {
    this.view = view;
    const x = this.chart.options.scales?.["x"];
    if (x) {
      const palette = readPalette();
      Object.assign(x, {
        min: view.range.from,
        max: view.range.to,
        grid: { color: palette.grid },
        border: { color: palette.grid },
      });
      Object.assign(x.ticks ?? {}, { color: palette.muted });
    }
    this.chart.update("none");
  }

  /** What is drawn at a point of the canvas: a bar before the incident it lies in. */
  targetAt(x: number, y: number): Target | null {
    const found = this.hits.filter((hit) => x >= hit.x0 - 2 && x <= hit.x1 + 2 && y >= hit.y0 && y <= hit.y1);
    return (found.find(({ target }) => target.kind === "bar") ?? found[0])?.target ?? null;
  }

  /** Share of the width at which a point lies, 0 to 1. */
  shareAt(x: number): number {
    const { left, right } = this.chart.chartArea;
    return Math.min(1, Math.max(0, (x - left) / (right - left)));
  }

  destroy(): void {
    this.chart.destroy();
  }

  private plugin(): Plugin<"scatter"> {
    return {
      id: "lanes",
      afterDraw: (chart) => {
        this.hits = [];
        const { ctx } = chart;
        const palette = readPalette();
        ctx.save();
        this.drawBands(chart, palette);
        for (const [i, lane] of this.view.lanes.entries()) this.drawLane(chart, palette, lane, i);
        this.drawNow(chart, palette);
        ctx.restore();
      },
    };
  }

  private x(chart: Chart, us: number): number {
    const { left, right } = chart.chartArea;
    const { from, to } = this.view.range;
    return Math.min(right, Math.max(left, left + ((us - from) / (to - from)) * (right - left)));
  }

  private laneTop(chart: Chart, i: number): number {
    return chart.chartArea.top + LABEL + i * laneHeight(this.view.lanes);
  }

  private drawBands(chart: Chart, palette: Palette): void {
    const { ctx } = chart;
    const bottom = this.laneTop(chart, Math.max(1, this.view.lanes.length));
    const { top } = chart.chartArea;
    let labelEnd = Number.NEGATIVE_INFINITY;
    for (const incident of [...this.view.incidents].sort((a, b) => a.start - b.start)) {
      const x0 = this.x(chart, incident.start);
      const x1 = Math.max(x0 + 2, this.x(chart, incident.end ?? this.view.now));
      const colour = incident.certainty === "confirmed" ? palette.incident : palette.suspected;
      ctx.globalAlpha = incident.id === this.view.selectedIncident ? 0.34 : 0.2;
      ctx.fillStyle = colour;
      ctx.fillRect(x0, top, x1 - x0, bottom - top);
      ctx.globalAlpha = 1;
      ctx.fillRect(x0, top, x1 - x0, 3);
      ctx.strokeStyle = colour;
      ctx.lineWidth = incident.id === this.view.selectedIncident ? 2 : 1;
      ctx.strokeRect(x0 + 0.5, top + 0.5, Math.max(1, x1 - x0 - 1), bottom - top - 1);
      this.hits.push({ x0, x1, y0: top, y1: bottom, target: { kind: "incident", id: incident.id } });
      const text = `${incident.kind}${incident.certainty === "suspected" ? " (suspected)" : ""}`;
      ctx.font = "600 12px system-ui, sans-serif";
      const width = ctx.measureText(text).width;
      const at = Math.min(x0 + 5, chart.chartArea.right - width - 4);
      if (at < labelEnd) continue;
      labelEnd = at + width + 12;
      ctx.fillStyle = colour;
      ctx.textBaseline = "middle";
      ctx.fillText(text, at, top + 4 + LABEL / 2);
      this.hits.push({
        x0: at,
        x1: at + width,
        y0: top,
        y1: top + LABEL,
        target: { kind: "incident", id: incident.id },
      });
    }
  }

  private drawLane(chart: Chart, palette: Palette, lane: Lane, i: number): void {
    const { ctx } = chart;
    const top = this.laneTop(chart, i);
    const { left, right } = chart.chartArea;
    ctx.strokeStyle = palette.grid;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(0, top + 0.5);
    ctx.lineTo(right, top + 0.5);
    ctx.stroke();
    ctx.fillStyle = palette.text;
    ctx.font = "600 14px system-ui, sans-serif";
    ctx.textBaseline = "top";
    ctx.fillText(fit(ctx, lane.node, 66), 4, top + LANE_PAD + 2);
    ctx.fillStyle = palette.muted;
    ctx.font = "11px system-ui, sans-serif";
    if (lane.instance) ctx.fillText(fit(ctx, lane.instance, 66), 4, top + LANE_PAD + 20);
    for (const [row, source] of rowsOf(this.view.lanes).entries()) {
      const y = top + LANE_PAD + row * (ROW + GAP);
      ctx.fillStyle = palette.muted;
      ctx.font = "11px system-ui, sans-serif";
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      ctx.fillText(SOURCE_NAMES[source] ?? source, left - 8, y + ROW / 2);
      ctx.textAlign = "left";
      this.drawRow(
        chart,
        palette,
        lane,
        lane.bars.filter((bar) => bar.source === source),
        y,
      );
    }
    this.drawUnwatched(chart, palette, lane, top);
  }

  private drawRow(chart: Chart, palette: Palette, lane: Lane, bars: readonly Bar[], y: number): void {
    const spans = bars.map(
      (bar, index): Span => ({
        x0: this.x(chart, bar.from),
        x1: this.x(chart, bar.to ?? lane.watchedTo),
        state: bar.state,
        index,
      }),
    );
    for (const span of mergeSpans(
      spans.filter(({ x0, x1 }) => x1 > chart.chartArea.left && x0 < chart.chartArea.right).sort((a, b) => a.x0 - b.x0),
    )) {
      const bar = bars[span.index];
      if (!bar) continue;
      this.drawBar(chart, palette, bar, span, y);
      this.hits.push({
        x0: span.x0,
        x1: span.x1,
        y0: y - GAP / 2,
        y1: y + ROW + GAP / 2,
        target: { kind: "bar", node: lane.node, bar },
      });
    }
  }

  /** Colour tells the state, and so do height and hatching, for those who do not see the colours. */
  private drawBar(chart: Chart, palette: Palette, bar: Bar, { x0, x1, state }: Span, y: number): void {
    const { ctx } = chart;
    const colour = palette.state[state];
    const isThin = state === "BACKUP" || state === "INIT";
    const height = isThin ? ROW / 2 : ROW;
    const at = isThin ? y + ROW / 4 : y;
    ctx.fillStyle = this.softEnds(chart, bar, x0, x1, colour);
    ctx.fillRect(x0, at, x1 - x0, height);
    if (state === "FAULT" || state === "STOPPED") hatch(ctx, x0, at, x1 - x0, height, palette.surface);
    if (x1 - x0 > 52) {
      ctx.fillStyle = state === "MASTER" || state === "FAULT" ? palette.surface : palette.text;
      ctx.font = "600 10px system-ui, sans-serif";
      ctx.textBaseline = "middle";
      if (!isThin) ctx.fillText(state, x0 + 5, y + ROW / 2 + 0.5);
    }
  }

  /** What is not known to the microsecond fades in or out over the time it may have taken. */
  private softEnds(chart: Chart, bar: Bar, x0: number, x1: number, colour: string): CanvasGradient | string {
    const fadeIn = this.x(chart, bar.from + bar.fromUncertaintyUs) - x0;
    const fadeOut = bar.to === null ? 0 : this.x(chart, bar.to + bar.toUncertaintyUs) - x1;
    const width = x1 - x0;
    if (width < 3 || (fadeIn < 1 && fadeOut < 1)) return colour;
    const gradient = chart.ctx.createLinearGradient(x0, 0, x1, 0);
    const clear = `color-mix(in srgb, ${colour} 35%, transparent)`;
    const into = Math.min(0.5, fadeIn / width);
    const out = Math.min(0.5, fadeOut / width);
    gradient.addColorStop(0, fadeIn >= 1 ? clear : colour);
    gradient.addColorStop(into, colour);
    gradient.addColorStop(1 - out, colour);
    gradient.addColorStop(1, fadeOut >= 1 ? clear : colour);
    return gradient;
  }

  /** Beyond its newest evidence nothing is known of a node: said, not guessed. */
  private drawUnwatched(chart: Chart, palette: Palette, lane: Lane, top: number): void {
    const x0 = this.x(chart, lane.watchedTo);
    const x1 = this.x(chart, this.view.now);
    if (x1 - x0 < 14) return;
    const { ctx } = chart;
    ctx.globalAlpha = 0.5;
    hatch(ctx, x0, top + LANE_PAD, x1 - x0, laneHeight(this.view.lanes) - 2 * LANE_PAD, palette.muted);
    ctx.globalAlpha = 1;
    if (x1 - x0 > 90) {
      ctx.fillStyle = palette.muted;
      ctx.font = "11px system-ui, sans-serif";
      ctx.textBaseline = "middle";
      ctx.fillText("not watched", x0 + 8, top + laneHeight(this.view.lanes) / 2);
    }
  }

  private drawNow(chart: Chart, palette: Palette): void {
    const { now, range } = this.view;
    if (now < range.from || now > range.to) return;
    const { ctx } = chart;
    ctx.strokeStyle = palette.muted;
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(this.x(chart, now), chart.chartArea.top);
    ctx.lineTo(this.x(chart, now), this.laneTop(chart, Math.max(1, this.view.lanes.length)));
    ctx.stroke();
    ctx.setLineDash([]);
  }
}

function fit(ctx: CanvasRenderingContext2D, text: string, width: number): string {
  if (ctx.measureText(text).width <= width) return text;
  let short = text;
  while (short.length > 1 && ctx.measureText(`${short}…`).width > width) short = short.slice(0, -1);
  return `${short}…`;
}

function hatch(
  ctx: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: string,
): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  for (let at = x - height; at < x + width; at += 7) {
    ctx.moveTo(at, y + height);
    ctx.lineTo(at + height, y);
  }
  ctx.stroke();
  ctx.restore();
}
