import { Chart, type ChartType, LinearScale, type Plugin, ScatterController } from "chart.js";
import type { AdvertTick, Bar, Incident, Marker } from "../../server/api/types.ts";
import type { Range } from "../range.ts";
import { formatTick, timeTicks, type Zone } from "../time.ts";
import { Bars, type DrawnRow, hatch, ROW, xOf } from "./bars.ts";
import { eachRun, type Scale } from "./merge.ts";
import { type Palette, readPalette } from "./palette.ts";
import type { Row, Strip } from "./strips.ts";

Chart.register(LinearScale, ScatterController);

/** What stands under the pointer. */
export type Target =
  | { readonly kind: "incident"; readonly id: string }
  | { readonly kind: "bar"; readonly node: string; readonly service: string | null; readonly bar: Bar }
  | { readonly kind: "marker"; readonly marker: Marker }
  | { readonly kind: "advert"; readonly tick: AdvertTick };

export interface LanesView {
  readonly strips: readonly Strip[];
  readonly incidents: readonly Incident[];
  readonly ticks: readonly AdvertTick[];
  readonly markers: readonly Marker[];
  /** A stretch that is being marked to look closer at, as shares of the width. */
  readonly brush: readonly [from: number, to: number] | null;
  readonly range: Range;
  readonly zone: Zone;
  readonly selected: Target | null;
  readonly now: number;
}

/** Room for one tick of the axis, and half of its label, pixels. */
export const TICK_ROOM = 95;
const LABEL_HALF = 40;
/** Room for the sources' names, pixels. */
export const LEFT = 64;
const RIGHT = 12;
const TOP = 46;
const GAP = 3;
const LANE_PAD = 6;
/** A node's name stands above its bars, where there is room for all of it: names often differ only at their end. */
const NAME = 20;
const NAME_FONT = "600 14px system-ui, sans-serif";
const DETAIL_FONT = "12px system-ui, sans-serif";
const SOURCE_FONT = "11px system-ui, sans-serif";
/** Height of the incidents' labels above the lanes. */
const LABEL = 18;
/** A pointer this far beside a bar still means it, pixels. */
const SLACK = 2;
function stripHeight({ rows }: Strip): number {
  return NAME + Math.max(1, rows.length) * (ROW + GAP) - GAP + 2 * LANE_PAD;
}

/** Room for the incidents' bands where there is no strip, pixels. */
const EMPTY = 80;

function stripsHeight(strips: readonly Strip[]): number {
  return strips.length === 0 ? EMPTY : strips.reduce((sum, strip) => sum + stripHeight(strip), 0);
}

/** Height of the canvas that shows these strips, pixels. */
export function lanesHeight(strips: readonly Strip[]): number {
  return TOP + LABEL + stripsHeight(strips) + 6;
}

/** Side of a marker's sign, pixels. */
const SIGN = 15;
/** What a marker stands for. */
export const SIGNS: Readonly<Record<Marker["mark"], string>> = {
  config: "✎",
  start: "▶",
  stop: "■",
  reload: "↻",
  died: "✖",
};

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
  private readonly bars = new Bars();
  private readonly chart: Chart<"scatter">;

  constructor(canvas: HTMLCanvasElement, view: LanesView) {
    this.view = view;
    const palette = readPalette();
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
            ...axisOf(view, palette),
            afterBuildTicks: (axis) => {
              const { range, zone } = this.view;
              const values = timeTicks(range.from, range.to, Math.floor(axis.width / TICK_ROOM), zone);
              const us = (range.to - range.from) / axis.width;
              axis.ticks = values.map((value) => ({
                value,
                // Too near to the edge, a label would be cut in half.
                label: (range.to - value) / us < LABEL_HALF - RIGHT ? "" : formatTick(value, values, zone),
              }));
            },
            afterFit: fixSides,
            ticks: {
              color: palette.muted,
              callback: (_value, index, ticks) => ticks[index]?.label ?? "",
              maxRotation: 0,
              autoSkip: false,
              font: { size: 12 },
            },
          },
          y: {
            display: false,
            min: 0,
            max: 1,
            // Nobody sees them, and the first number that is formatted loads the browser's tables for it.
            afterBuildTicks: (axis) => {
              axis.ticks = [];
            },
          },
        },
      },
      plugins: [this.plugin(), tellArea()],
    });
  }

  show(view: LanesView): void {
    this.view = view;
    const x = this.chart.options.scales?.["x"];
    if (x) {
      const palette = readPalette();
      Object.assign(x, axisOf(view, palette));
      Object.assign(x.ticks ?? {}, { color: palette.muted });
    }
    this.chart.update("none");
  }

  /**
   * What is drawn at a point of the canvas: a bar before the incident it lies in. A little beside is near enough, but of
   * two the narrower wins, so that a fault a pixel wide can be hit between two long bars.
   */
  targetAt(x: number, y: number): Target | null {
    const bars: Hit[] = [];
    for (const { row, service, shown, y: top } of this.bars.rows) {
      const [y0, y1] = [top - GAP / 2, top + ROW + GAP / 2];
      if (y < y0 || y > y1) continue;
      eachRun(shown, (x0, x1, index) => {
        const bar = x < x0 - SLACK || x > x1 + SLACK ? undefined : row.bars[index];
        if (bar) bars.push({ x0, x1, y0, y1, target: { kind: "bar", node: row.node, service, bar } });
      });
    }
    const near = [...bars, ...this.hits]
      .filter((hit) => x >= hit.x0 - SLACK && x <= hit.x1 + SLACK && y >= hit.y0 && y <= hit.y1)
      .sort((a, b) => a.x1 - a.x0 - (b.x1 - b.x0));
    return (near.find(({ target }) => target.kind !== "incident") ?? near[0])?.target ?? null;
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
        const { selected, strips } = this.view;
        ctx.save();
        this.drawBands(chart, palette);
        this.bars.prepare(rowsOf(strips, chart.chartArea.top + LABEL), palette, this.scale(chart));
        let top = chart.chartArea.top + LABEL;
        let row = 0;
        for (const strip of strips) {
          this.drawStrip(chart, palette, strip, top, row);
          top += stripHeight(strip);
          row += strip.rows.length;
        }
        if (selected?.kind === "bar") this.bars.drawChosen(ctx, palette, selected);
        this.drawNow(chart, palette);
        this.drawBrush(chart, palette);
        ctx.restore();
      },
    };
  }

  private scale({ chartArea: { left, right } }: Chart): Scale {
    return { from: this.view.range.from, to: this.view.range.to, left, right };
  }

  private x(chart: Chart, us: number): number {
    return xOf(this.scale(chart), us);
  }

  private bottom(chart: Chart): number {
    return chart.chartArea.top + LABEL + stripsHeight(this.view.strips);
  }

  private drawBands(chart: Chart, palette: Palette): void {
    const { ctx } = chart;
    const bottom = this.bottom(chart);
    const { top } = chart.chartArea;
    let labelEnd = Number.NEGATIVE_INFINITY;
    const { selected } = this.view;
    for (const incident of [...this.view.incidents].sort((a, b) => a.start - b.start)) {
      const x0 = this.x(chart, incident.start);
      const x1 = Math.max(x0 + 2, this.x(chart, incident.end ?? this.view.now));
      const colour = incident.certainty === "confirmed" ? palette.incident : palette.suspected;
      const isSelected = selected?.kind === "incident" && selected.id === incident.id;
      ctx.globalAlpha = isSelected ? 0.34 : 0.2;
      ctx.fillStyle = colour;
      ctx.fillRect(x0, top, x1 - x0, bottom - top);
      ctx.globalAlpha = 1;
      ctx.fillRect(x0, top, x1 - x0, 3);
      ctx.strokeStyle = colour;
      ctx.lineWidth = isSelected ? 2 : 1;
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

  private drawStrip(chart: Chart, palette: Palette, strip: Strip, top: number, first: number): void {
    const { ctx } = chart;
    const { left, right } = chart.chartArea;
    ctx.strokeStyle = palette.grid;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(0, top + 0.5);
    ctx.lineTo(right, top + 0.5);
    ctx.stroke();
    const nameAt = top + LANE_PAD + NAME / 2 - 1;
    ctx.textBaseline = "middle";
    ctx.fillStyle = palette.text;
    ctx.font = NAME_FONT;
    const name = fit(ctx, NAME_FONT, strip.name, right - 80);
    const nameWidth = ctx.measureText(name).width;
    ctx.fillText(name, 2, nameAt);
    ctx.fillStyle = palette.muted;
    ctx.font = DETAIL_FONT;
    if (strip.detail) ctx.fillText(fit(ctx, DETAIL_FONT, strip.detail, right - nameWidth - 20), nameWidth + 10, nameAt);
    for (const [i, row] of strip.rows.entries()) {
      const y = rowTop(top, i);
      ctx.fillStyle = palette.muted;
      ctx.font = SOURCE_FONT;
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      ctx.fillText(fit(ctx, SOURCE_FONT, row.label, left - 10), left - 8, y + ROW / 2);
      ctx.textAlign = "left";
      this.bars.draw(ctx, palette, this.scale(chart), first + i);
      if (row.source === "wire" && strip.service === null) this.drawTicks(chart, palette, row, y);
    }
    this.drawUnwatched(chart, palette, strip, top);
    if (strip.service === null) this.drawMarkers(chart, palette, strip, top);
  }

  /** A sign at the node's name, and a line down through its bars. */
  private drawMarkers(chart: Chart, palette: Palette, strip: Strip, top: number): void {
    const { ctx } = chart;
    const { left, right } = chart.chartArea;
    for (const marker of this.view.markers) {
      if (marker.node !== strip.name) continue;
      const x = Math.round(this.x(chart, marker.ts));
      if (x <= left || x >= right) continue;
      const y = top + LANE_PAD + NAME / 2 - 1;
      ctx.strokeStyle = palette.text;
      ctx.lineWidth = 1;
      ctx.setLineDash([2, 2]);
      ctx.beginPath();
      ctx.moveTo(x + 0.5, y + SIGN / 2);
      ctx.lineTo(x + 0.5, top + stripHeight(strip) - LANE_PAD);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.fillStyle = palette.surface;
      ctx.fillRect(x - SIGN / 2, y - SIGN / 2, SIGN, SIGN);
      ctx.strokeRect(x - SIGN / 2 + 0.5, y - SIGN / 2 + 0.5, SIGN - 1, SIGN - 1);
      ctx.fillStyle = palette.text;
      ctx.font = "11px system-ui, sans-serif";
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(SIGNS[marker.mark], x, y + 1);
      ctx.textAlign = "left";
      this.hits.push({
        x0: x - SIGN / 2,
        x1: x + SIGN / 2,
        y0: y - SIGN / 2,
        y1: y + SIGN / 2,
        target: { kind: "marker", marker },
      });
    }
  }

  /** Those that the node sent through the whole of the bar, those that it heard in its lower half. */
  private drawTicks(chart: Chart, palette: Palette, { node }: Row, y: number): void {
    const { ctx } = chart;
    const { left, right } = chart.chartArea;
    for (const tick of this.view.ticks) {
      if (tick.node !== node) continue;
      const x = Math.round(this.x(chart, tick.ts));
      if (x <= left || x >= right) continue;
      const box = tick.outgoing ? { y: y - 1, height: ROW + 2 } : { y: y + ROW / 2, height: ROW / 2 + 2 };
      ctx.fillStyle = palette.surface;
      ctx.fillRect(x - 1, box.y, 3, box.height);
      ctx.fillStyle = tick.outgoing ? palette.text : palette.muted;
      ctx.fillRect(x, box.y, 1, box.height);
      this.hits.push({ x0: x - 1, x1: x + 1, y0: box.y, y1: box.y + box.height, target: { kind: "advert", tick } });
    }
  }

  private drawBrush(chart: Chart, palette: Palette): void {
    const { brush } = this.view;
    if (!brush) return;
    const { ctx } = chart;
    const { left, right, top } = chart.chartArea;
    const x0 = left + Math.min(...brush) * (right - left);
    const x1 = left + Math.max(...brush) * (right - left);
    ctx.globalAlpha = 0.2;
    ctx.fillStyle = palette.text;
    ctx.fillRect(x0, top, x1 - x0, this.bottom(chart) - top);
    ctx.globalAlpha = 1;
  }

  /** Beyond its newest evidence nothing is known of a node: said, not guessed. */
  private drawUnwatched(chart: Chart, palette: Palette, strip: Strip, top: number): void {
    const x0 = this.x(chart, Math.max(...strip.rows.map(({ watchedTo }) => watchedTo)));
    const x1 = this.x(chart, this.view.now);
    if (x1 - x0 < 14) return;
    const { ctx } = chart;
    ctx.globalAlpha = 0.5;
    const y = top + LANE_PAD + NAME;
    const height = stripHeight(strip) - 2 * LANE_PAD - NAME;
    hatch(ctx, [{ x: x0, y, width: x1 - x0, height }], palette.muted);
    ctx.globalAlpha = 1;
    if (x1 - x0 > 90) {
      ctx.fillStyle = palette.muted;
      ctx.font = "11px system-ui, sans-serif";
      ctx.textBaseline = "middle";
      ctx.fillText("not watched", x0 + 8, y + height / 2);
    }
  }

  private drawNow(chart: Chart, palette: Palette): void {
    const { now, range } = this.view;
    if (now < range.from || now > range.to) return;
    const { ctx } = chart;
    ctx.strokeStyle = palette.muted;
    ctx.lineWidth = 1;
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(this.x(chart, now), chart.chartArea.top);
    ctx.lineTo(this.x(chart, now), this.bottom(chart));
    ctx.stroke();
    ctx.setLineDash([]);
  }
}

/** Where a strip's row of bars stands. */
const rowTop = (stripTop: number, i: number): number => stripTop + LANE_PAD + NAME + i * (ROW + GAP);

function rowsOf(strips: readonly Strip[], first: number): Omit<DrawnRow, "shown">[] {
  let top = first;
  return strips.flatMap((strip) => {
    const at = top;
    top += stripHeight(strip);
    return strip.rows.map((row, i) => ({ row, service: strip.service, y: rowTop(at, i) }));
  });
}

const axisOf = ({ range }: LanesView, { grid }: Palette) => ({
  min: range.from,
  max: range.to,
  grid: { color: grid },
  border: { color: grid },
});

/** Labels of the axis must not move its ends: the charts stand under each other and share the time. */
export function fixSides(axis: { paddingLeft: number; paddingRight: number }): void {
  axis.paddingLeft = 0;
  axis.paddingRight = 0;
}

/** Tells on the canvas itself where its time begins and ends, pixels: for those who do not see it, tests among them. */
export const tellArea = <T extends ChartType>(): Plugin<T> => ({
  id: "tell-area",
  afterLayout: ({ canvas, chartArea }) => {
    canvas.dataset["left"] = String(Math.round(chartArea.left));
    canvas.dataset["right"] = String(Math.round(chartArea.right));
  },
});

const fitted = new Map<string, string>();
/** So many names are remembered. */
const FITTED_MAX = 2_000;

/** The text, shortened to a width: measured once, and not for each frame. @param font  of the context, which is slow to tell it */
function fit(ctx: CanvasRenderingContext2D, font: string, text: string, width: number): string {
  const key = `${font} ${width} ${text}`;
  const known = fitted.get(key);
  if (known !== undefined) return known;
  let short = text;
  if (ctx.measureText(text).width > width) {
    while (short.length > 1 && ctx.measureText(`${short}…`).width > width) short = short.slice(0, -1);
    short = `${short}…`;
  }
  if (fitted.size >= FITTED_MAX) fitted.clear();
  fitted.set(key, short);
  return short;
}
