import { useEffect, useRef, useState } from "preact/hooks";
import type { Timeline } from "../../server/api/types.ts";
import { AdvertsChart } from "../charts/adverts.ts";
import { LanesChart, lanesHeight, type LanesView as LanesSeen, type Target } from "../charts/lanes.ts";
import { type Strip, stripsOf } from "../charts/strips.ts";
import { pan, type Range, zoom } from "../range.ts";
import { formatDateTime, formatDuration, type Zone } from "../time.ts";

interface Props {
  readonly timeline: Timeline | null;
  readonly range: Range;
  readonly zone: Zone;
  readonly now: number;
  readonly selected: Target | null;
  readonly onRange: (range: Range) => void;
  readonly onSelect: (target: Target) => void;
  readonly onKey: (event: KeyboardEvent) => void;
}

/** A pointer that moved less than this has clicked and not dragged, pixels. */
const CLICK_SLOP = 4;
/** Bars listed in the table: more than anyone reads, and few enough to be laid out every second. */
const TABLE_ROWS_MAX = 500;

export function LanesView({ timeline, range, zone, now, selected, onRange, onSelect, onKey }: Props) {
  const lanesCanvas = useRef<HTMLCanvasElement>(null);
  const advertsCanvas = useRef<HTMLCanvasElement>(null);
  const lanes = useRef<LanesChart | null>(null);
  const adverts = useRef<AdvertsChart | null>(null);
  const drag = useRef<{ x: number; range: Range; moved: boolean } | null>(null);
  const [scheme, setScheme] = useState(0);
  const [isTableOpen, setTableOpen] = useState(false);

  const view: LanesSeen = {
    strips: stripsOf(timeline?.lanes ?? [], timeline?.services ?? []),
    incidents: timeline?.incidents ?? [],
    range,
    zone,
    now,
    selected,
  };

  useEffect(() => {
    if (lanesCanvas.current) lanes.current = new LanesChart(lanesCanvas.current, view);
    if (advertsCanvas.current) adverts.current = new AdvertsChart(advertsCanvas.current, { buckets: [], range, zone });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const onScheme = (): void => setScheme((count) => count + 1);
    dark.addEventListener("change", onScheme);
    return () => {
      dark.removeEventListener("change", onScheme);
      lanes.current?.destroy();
      adverts.current?.destroy();
    };
  }, []);

  useEffect(() => {
    lanes.current?.show(view);
    adverts.current?.show({ buckets: timeline?.adverts ?? [], range, zone });
  }, [timeline, range.from, range.to, zone, now, selected, scheme]);

  // Preact would add a passive listener, which cannot keep the page from scrolling.
  useEffect(() => {
    const canvas = lanesCanvas.current;
    const onWheel = (event: WheelEvent): void => {
      if (!lanes.current || (!event.ctrlKey && Math.abs(event.deltaY) < Math.abs(event.deltaX))) return;
      event.preventDefault();
      onRange(zoom(range, event.deltaY > 0 ? 1.25 : 0.8, lanes.current.shareAt(event.offsetX)));
    };
    canvas?.addEventListener("wheel", onWheel, { passive: false });
    return () => canvas?.removeEventListener("wheel", onWheel);
  }, [range, onRange]);

  const onDown = (event: PointerEvent): void => {
    lanesCanvas.current?.setPointerCapture(event.pointerId);
    drag.current = { x: event.offsetX, range, moved: false };
  };
  const onMove = (event: PointerEvent): void => {
    const started = drag.current;
    const canvas = lanesCanvas.current;
    if (!lanes.current || !canvas) return;
    if (!started) {
      canvas.classList.toggle("over", lanes.current.targetAt(event.offsetX, event.offsetY) !== null);
      return;
    }
    if (!started.moved && Math.abs(event.offsetX - started.x) < CLICK_SLOP) return;
    started.moved = true;
    onRange(pan(started.range, lanes.current.shareAt(started.x) - lanes.current.shareAt(event.offsetX)));
  };
  const onUp = (event: PointerEvent): void => {
    const started = drag.current;
    drag.current = null;
    if (!started || started.moved) return;
    const target = lanes.current?.targetAt(event.offsetX, event.offsetY);
    if (target) onSelect(target);
  };

  return (
    <>
      <div class="canvas lanes" ref={(box) => box?.style.setProperty("height", `${lanesHeight(view.strips)}px`)}>
        <canvas
          ref={lanesCanvas}
          tabIndex={0}
          role="img"
          aria-label="Lanes of the nodes. The same is in the table below. Arrow keys move, plus and minus zoom."
          data-lanes={view.strips.map(({ name }) => name).join(",")}
          onPointerDown={onDown}
          onPointerMove={onMove}
          onPointerUp={onUp}
          onPointerCancel={() => (drag.current = null)}
          onKeyDown={onKey}
        />
      </div>
      <ul class="legend" aria-label="Legend">
        {legendOf(view.strips).map((state) => (
          <li key={state}>
            <span class={`swatch ${state.toLowerCase()}`} aria-hidden="true" /> {state}
          </li>
        ))}
        <li>
          <span class="swatch incident" aria-hidden="true" /> incident
        </li>
        <li class="muted">soft ends: not known more exactly</li>
      </ul>
      <h3 class="chart-title">Longest wait between two adverts</h3>
      <div class="canvas adverts">
        <canvas
          ref={advertsCanvas}
          role="img"
          aria-label="Longest wait between two adverts of each sender, in seconds"
        />
      </div>
      <details class="as-table" open={isTableOpen}>
        <summary
          onClick={(event) => {
            // Opened by the page and not by the browser, so that the table is there in the same moment.
            event.preventDefault();
            setTableOpen((isOpen) => !isOpen);
          }}
        >
          As a table
        </summary>
        {isTableOpen && (
          <TimelineTable timeline={timeline} strips={view.strips} range={range} zone={zone} onSelect={onSelect} />
        )}
      </details>
    </>
  );
}

const LEGEND = ["MASTER", "BACKUP", "FAULT", "STOPPED", "INIT"] as const;
const SERVICE_LEGEND = ["UP", "DOWN"] as const;

const legendOf = (strips: readonly Strip[]): readonly string[] =>
  strips.some(({ service }) => service !== null) ? [...LEGEND, ...SERVICE_LEGEND] : LEGEND;

/** The same as the canvas, for those who do not see it. */
function TimelineTable({
  timeline,
  strips,
  range,
  zone,
  onSelect,
}: Pick<Props, "timeline" | "range" | "zone" | "onSelect"> & { readonly strips: readonly Strip[] }) {
  if (!timeline) return <p class="muted">Nothing yet.</p>;
  const seen = ({ from, to }: { from: number; to: number | null }): boolean =>
    from <= range.to && (to ?? range.to) >= range.from;
  const rows = strips.flatMap(({ service, rows: said }) =>
    said.flatMap(({ node, bars }) => bars.filter(seen).map((bar) => ({ node, service, bar }))),
  );
  return (
    <table>
      <caption>Incidents and states from {formatDateTime(range.from, zone)}</caption>
      <thead>
        <tr>
          <th scope="col">node</th>
          <th scope="col">what</th>
          <th scope="col">says</th>
          <th scope="col">from</th>
          <th scope="col">for</th>
        </tr>
      </thead>
      <tbody>
        {timeline.incidents
          .filter(({ start, end }) => seen({ from: start, to: end }))
          .map((incident) => (
            <tr key={incident.id} class="incident-row" data-incident={incident.kind}>
              <td>{incident.subject.nodes.join(", ")}</td>
              <td>
                <button type="button" onClick={() => onSelect({ kind: "incident", id: incident.id })}>
                  {incident.kind} ({incident.certainty})
                </button>
              </td>
              <td>detector</td>
              <td>{formatDateTime(incident.start, zone)}</td>
              <td>{incident.end === null ? "open" : formatDuration(incident.end - incident.start)}</td>
            </tr>
          ))}
        {rows.slice(0, TABLE_ROWS_MAX).map(({ node, service, bar }) => (
          <tr
            key={`${node} ${service ?? ""} ${bar.source} ${bar.from} ${bar.state}`}
            data-node={node}
            data-source={bar.source}
            data-state={bar.state}
            data-service={service ?? undefined}
          >
            <td>{service === null ? node : `${service}, as ${node} sees it`}</td>
            <td>
              <button type="button" onClick={() => onSelect({ kind: "bar", node, service, bar })}>
                {bar.state}
              </button>
            </td>
            <td>{bar.source}</td>
            <td>{formatDateTime(bar.from, zone)}</td>
            <td>{bar.to === null ? "still" : formatDuration(bar.to - bar.from)}</td>
          </tr>
        ))}
        {rows.length > TABLE_ROWS_MAX && (
          <tr>
            <td colSpan={5}>and {rows.length - TABLE_ROWS_MAX} more: look closer to see them</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}
