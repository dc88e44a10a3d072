import type { Bar, BarState } from "../../server/api/types.ts";
import { type BarColumns, columnsOf, eachRun, mergeBars, type Scale, type Shown } from "./merge.ts";
import type { Palette } from "./palette.ts";
import { Streaks } from "./streaks.ts";
import type { Row } from "./strips.ts";

/** Height of a row of bars, pixels. */
export const ROW = 15;
/** A bar narrower than this, pixels, has no outline, hatching or begin that fades in. */
const NARROW = 3;
/** A bar no wider than this, pixels, has no room for an outline or hatching. */
const PLAIN = 4;
/** No state's name has room in less. */
const LABEL_LEAST = 20;

/** A row on the canvas: what a pointer hits there is looked for only where it points. */
export interface DrawnRow {
  readonly row: Row;
  readonly service: string | null;
  readonly y: number;
  readonly shown: Shown;
}

interface Span {
  readonly x0: number;
  readonly x1: number;
  readonly bar: Bar;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const isThinly = (state: BarState): boolean => state === "BACKUP" || state === "INIT" || state === "UP";
const isIll = (state: BarState): boolean => state === "FAULT" || state === "DOWN";
const boxOf = ({ x0, x1, bar }: Span, y: number): Box => {
  const isThin = isThinly(bar.state);
  return { x: x0, y: isThin ? y + ROW / 4 : y, width: x1 - x0, height: isThin ? ROW / 2 : ROW };
};

/** Where an instant lies, within the canvas. */
export const xOf = ({ from, to, left, right }: Scale, us: number): number =>
  Math.min(right, Math.max(left, left + ((us - from) / (to - from)) * (right - left)));

const pixelsAUs = ({ from, to, left, right }: Scale): number => (right - left) / (to - from);

/** Only announced, or not yet anything: an outline. */
const isOutlined = ({ source, state }: Bar, width: number): boolean =>
  width > PLAIN && (source === "shadow" || state === "STOPPED" || state === "INIT");

/** All of it has one colour. */
const isSolid = ({ x0, x1, bar }: Span, aUs: number): boolean =>
  x1 - x0 < NARROW || (bar.fromUncertaintyUs * aUs < 1 && !isOutlined(bar, x1 - x0));

/** By the list of bars, which comes anew with each answer. */
const columns = new WeakMap<readonly Bar[], BarColumns>();

function columnsOnce(bars: readonly Bar[]): BarColumns {
  const known = columns.get(bars) ?? columnsOf(bars);
  columns.set(bars, known);
  return known;
}

/**
 * Rows of bars. What has one colour is painted as pixels, for all rows at once; what begins or ends softly, has an outline,
 * hatching or a name is drawn by itself. Colour tells the state, and so do height, hatching and outline, for those who do
 * not see the colours. What is only expected is an outline.
 */
export class Bars {
  private readonly streaks = new Streaks();
  /** Of each row, what more than a streak of colour is drawn of. */
  private spans: readonly Span[][] = [];
  private drawn: readonly DrawnRow[] = [];

  /** What of the rows is on the canvas. */
  get rows(): readonly DrawnRow[] {
    return this.drawn;
  }

  prepare(rows: readonly Omit<DrawnRow, "shown">[], palette: Palette, scale: Scale): void {
    const aUs = pixelsAUs(scale);
    const { streaks } = this;
    this.drawn = rows.map((place) => ({
      ...place,
      shown: mergeBars(columnsOnce(place.row.bars), scale, place.row.watchedTo),
    }));
    streaks.clear(this.drawn[0]?.shown.bars.length ?? 1, Math.max(1, 2 * rows.length));
    const pixelOf = new Map<BarState, number>();
    this.spans = this.drawn.map(({ row: { bars }, shown }, i) => {
      const spans: Span[] = [];
      eachRun(shown, (x0, x1, index) => {
        const bar = bars[index];
        if (!bar) return;
        const { state } = bar;
        const span = { x0, x1, bar };
        if (x1 - x0 >= NARROW || bar.toUncertaintyUs * aUs >= 1) spans.push(span);
        if (!isSolid(span, aUs)) return;
        let pixel = pixelOf.get(state);
        if (pixel === undefined) pixelOf.set(state, (pixel = streaks.pixel(palette.state[state])));
        streaks.colour(2 * i + (isThinly(state) ? 1 : 0), x0 - shown.base, x1 - shown.base, pixel);
      });
      return spans;
    });
    streaks.finish();
  }

  /** @param i  which of the rows that were prepared */
  draw(ctx: CanvasRenderingContext2D, palette: Palette, scale: Scale, i: number): void {
    const place = this.drawn[i];
    if (!place) return;
    const { y, shown } = place;
    const spans = this.spans[i] ?? [];
    for (const span of spans) drawSoftEnd(ctx, scale, span, y, palette.state[span.bar.state]);
    this.streaks.draw(ctx, 2 * i, shown.base, y, ROW);
    this.streaks.draw(ctx, 2 * i + 1, shown.base, y + ROW / 4, ROW / 2);
    const hatched: Box[] = [];
    const aUs = pixelsAUs(scale);
    for (const span of spans) {
      if (!isSolid(span, aUs)) drawShaded(ctx, scale, span, boxOf(span, y), palette.state[span.bar.state]);
      if (isIll(span.bar.state) && span.x1 - span.x0 > PLAIN) hatched.push(boxOf(span, y));
    }
    hatch(ctx, hatched, palette.surface);
    for (const span of spans) drawName(ctx, palette, scale, span, y);
  }

  /** A frame around what was chosen. */
  drawChosen(
    ctx: CanvasRenderingContext2D,
    palette: Palette,
    chosen: Pick<DrawnRow, "service"> & { node: string; bar: Bar },
  ): void {
    const { node, service, bar } = chosen;
    for (const { row, service: own, y, shown } of this.drawn) {
      if (row.node !== node || own !== service || row.source !== bar.source) continue;
      eachRun(shown, (x0, x1, index) => {
        const one = row.bars[index];
        if (one?.state !== bar.state || one.from !== bar.from) return;
        ctx.strokeStyle = palette.text;
        ctx.lineWidth = 2;
        ctx.strokeRect(x0, y - 1, x1 - x0, ROW + 2);
      });
    }
  }
}

/** What begins softly, and what is an outline. */
function drawShaded(ctx: CanvasRenderingContext2D, scale: Scale, span: Span, box: Box, colour: string): void {
  const isOutline = isOutlined(span.bar, box.width);
  ctx.fillStyle = softBegin(ctx, scale, span, colour);
  ctx.globalAlpha = isOutline ? 0.25 : 1;
  ctx.fillRect(box.x, box.y, box.width, box.height);
  ctx.globalAlpha = 1;
  if (!isOutline) return;
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.strokeRect(box.x + 0.5, box.y + 0.5, box.width - 1, box.height - 1);
}

function drawName(
  ctx: CanvasRenderingContext2D,
  palette: Palette,
  scale: Scale,
  { x0, x1, bar }: Span,
  y: number,
): void {
  const { state } = bar;
  if (x1 - x0 < LABEL_LEAST || isThinly(state)) return;
  ctx.font = "600 10px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  const width = ctx.measureText(state).width;
  // Beyond the part that fades in, on which it could not be read.
  const at = Math.max(x0, Math.min(x1, xOf(scale, bar.from + bar.fromUncertaintyUs)));
  if (x1 - at < width + 10) return;
  if (isIll(state)) {
    // Letters over hatching are hard to read.
    ctx.fillStyle = palette.state[state];
    ctx.fillRect(at, y, width + 10, ROW);
  }
  ctx.fillStyle = bar.source === "shadow" || state === "STOPPED" ? palette.text : palette.surface;
  ctx.fillText(state, at + 5, y + ROW / 2 + 0.5);
}

/** It began somewhere in [from, from + uncertainty]: it fades in over that time. */
function softBegin(
  ctx: CanvasRenderingContext2D,
  scale: Scale,
  { x0, bar }: Span,
  colour: string,
): CanvasGradient | string {
  const begin = xOf(scale, bar.from);
  const sure = xOf(scale, bar.from + bar.fromUncertaintyUs);
  // A piece of the bar beyond its begin, or a begin too sharp to see.
  if (sure - begin < 1 || x0 > sure) return colour;
  const gradient = ctx.createLinearGradient(begin, 0, sure, 0);
  gradient.addColorStop(0, `color-mix(in srgb, ${colour} 25%, transparent)`);
  gradient.addColorStop(1, colour);
  return gradient;
}

/** It ended somewhere in [to, to + uncertainty]: it lasted to `to` for sure, and fades out after it. */
function drawSoftEnd(ctx: CanvasRenderingContext2D, scale: Scale, span: Span, rowY: number, colour: string): void {
  const { x1, bar } = span;
  if (bar.to === null || bar.toUncertaintyUs === 0) return;
  const sure = xOf(scale, bar.to);
  const gone = xOf(scale, bar.to + bar.toUncertaintyUs);
  if (gone - sure < 1 || Math.abs(x1 - sure) > 1.5) return;
  const gradient = ctx.createLinearGradient(sure, 0, gone, 0);
  gradient.addColorStop(0, `color-mix(in srgb, ${colour} 75%, transparent)`);
  gradient.addColorStop(1, `color-mix(in srgb, ${colour} 0%, transparent)`);
  const { y, height } = boxOf(span, rowY);
  ctx.fillStyle = gradient;
  ctx.fillRect(x1, y, gone - x1, height);
}

/** Slanting lines over boxes, all in one stroke. */
export function hatch(ctx: CanvasRenderingContext2D, boxes: readonly Box[], colour: string): void {
  if (boxes.length === 0) return;
  ctx.save();
  ctx.beginPath();
  for (const { x, y, width, height } of boxes) ctx.rect(x, y, width, height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  for (const { x, y, width, height } of boxes)
    for (let at = x - height; at < x + width; at += 7) {
      ctx.moveTo(at, y + height);
      ctx.lineTo(at + height, y);
    }
  ctx.stroke();
  ctx.restore();
}
