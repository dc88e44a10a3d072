import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { LanesChart, Target } from "../charts/lanes.ts";
import { pan, part, pinch, type Range, zoom } from "../range.ts";

/** A pointer that moved less than this has clicked and not dragged, pixels. */
const CLICK_SLOP = 4;

interface Options {
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  readonly chart: RefObject<LanesChart | null>;
  readonly range: Range;
  readonly onRange: (range: Range) => void;
  readonly onSelect: (target: Target) => void;
}

interface Touch {
  readonly startX: number;
  x: number;
}

interface Gesture {
  readonly range: Range;
  readonly kind: "pan" | "brush";
  moved: boolean;
}

/** Drag pans, drag with Shift marks a stretch to look closer at, two fingers zoom, the wheel zooms, a click chooses. */
export function useGestures({ canvas, chart, range, onRange, onSelect }: Options) {
  const [brush, setBrush] = useState<readonly [number, number] | null>(null);
  const touches = useRef(new Map<number, Touch>());
  const gesture = useRef<Gesture | null>(null);

  // Preact would add a passive listener, which cannot keep the page from scrolling.
  useEffect(() => {
    const element = canvas.current;
    const onWheel = (event: WheelEvent): void => {
      if (!chart.current || (!event.ctrlKey && Math.abs(event.deltaY) < Math.abs(event.deltaX))) return;
      event.preventDefault();
      onRange(zoom(range, event.deltaY > 0 ? 1.25 : 0.8, chart.current.shareAt(event.offsetX)));
    };
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, [range, onRange]);

  const restart = (kind: Gesture["kind"], moved: boolean): void => {
    for (const [id, { x }] of touches.current) touches.current.set(id, { startX: x, x });
    gesture.current = { range, kind, moved };
  };

  const onPointerDown = (event: PointerEvent): void => {
    canvas.current?.setPointerCapture(event.pointerId);
    touches.current.set(event.pointerId, { startX: event.offsetX, x: event.offsetX });
    restart(event.shiftKey ? "brush" : "pan", touches.current.size > 1);
  };

  const onPointerMove = (event: PointerEvent): void => {
    const drawn = chart.current;
    const touch = touches.current.get(event.pointerId);
    const current = gesture.current;
    if (!drawn) return;
    if (!touch || !current) {
      canvas.current?.classList.toggle("over", drawn.targetAt(event.offsetX, event.offsetY) !== null);
      return;
    }
    touch.x = event.offsetX;
    if (!current.moved && Math.abs(touch.x - touch.startX) < CLICK_SLOP) return;
    current.moved = true;
    const [first, second] = [...touches.current.values()];
    const shareOf = (x: number): number => drawn.shareAt(x);
    if (first && second)
      onRange(
        pinch(current.range, [shareOf(first.startX), shareOf(second.startX)], [shareOf(first.x), shareOf(second.x)]),
      );
    else if (current.kind === "brush") setBrush([shareOf(touch.startX), shareOf(touch.x)]);
    else onRange(pan(current.range, shareOf(touch.startX) - shareOf(touch.x)));
  };

  const onPointerUp = (event: PointerEvent): void => {
    const current = gesture.current;
    touches.current.delete(event.pointerId);
    // The finger that stays goes on from where it is.
    if (touches.current.size > 0) return restart("pan", true);
    gesture.current = null;
    if (brush) {
      setBrush(null);
      onRange(part(range, Math.min(...brush), Math.max(...brush)));
      return;
    }
    if (!current || current.moved) return;
    const target = chart.current?.targetAt(event.offsetX, event.offsetY);
    if (target) onSelect(target);
  };

  const onPointerCancel = (event: PointerEvent): void => {
    touches.current.delete(event.pointerId);
    gesture.current = null;
    setBrush(null);
  };

  return { brush, handlers: { onPointerDown, onPointerMove, onPointerUp, onPointerCancel } };
}
