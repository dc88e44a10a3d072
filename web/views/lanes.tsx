import { useEffect, useRef, useState } from "preact/hooks";
import type { Timeline } from "../../server/api/types.ts";
import { AdvertsChart } from "../charts/adverts.ts";
import { LanesChart, lanesHeight, type LanesView as LanesSeen, SIGNS, type Target } from "../charts/lanes.ts";
import { type Strip, stripsOf } from "../charts/strips.ts";
import type { Range } from "../range.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatDuration, formatMicros, type Zone } from "../time.ts";
import { useGestures } from "./gestures.ts";

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

/** Bars listed in the table: more than anyone reads, and few enough to be laid out every second. */
const TABLE_ROWS_MAX = 500;

export function LanesView({ timeline, range, zone, now, selected, onRange, onSelect, onKey }: Props) {
  const lanesCanvas = useRef<HTMLCanvasElement>(null);
  const advertsCanvas = useRef<HTMLCanvasElement>(null);
  const lanes = useRef<LanesChart | null>(null);
  const adverts = useRef<AdvertsChart | null>(null);
  const { brush, handlers } = useGestures({ canvas: lanesCanvas, chart: lanes, range, onRange, onSelect });
  const [scheme, setScheme] = useState(0);
  const [isTableOpen, setTableOpen] = useState(false);

  const text = words().lanes;
  const view: LanesSeen = {
    strips: stripsOf(timeline?.lanes ?? [], timeline?.services ?? []),
    incidents: timeline?.incidents ?? [],
    ticks: timeline?.ticks ?? [],
    markers: timeline?.markers ?? [],
    brush,
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
  }, [timeline, range.from, range.to, zone, now, selected, scheme, brush]);

  return (
    <>
      <div class="canvas lanes" ref={(box) => box?.style.setProperty("height", `${lanesHeight(view.strips)}px`)}>
        <canvas
          ref={lanesCanvas}
          tabIndex={0}
          role="img"
          aria-label={text.canvas}
          data-lanes={view.strips.map(({ name }) => name).join(",")}
          {...handlers}
          onKeyDown={onKey}
        />
      </div>
      <ul class="legend" aria-label={text.legend}>
        {legendOf(view.strips).map((state) => (
          <li key={state}>
            <span class={`swatch ${state.toLowerCase()}`} aria-hidden="true" /> {state}
          </li>
        ))}
        <li>
          <span class="swatch incident" aria-hidden="true" /> {text.incident}
        </li>
        {view.ticks.length > 0 && (
          <li>
            <span class="swatch tick" aria-hidden="true" /> {text.tick}
          </li>
        )}
        {MARKS.filter((mark) => view.markers.some((marker) => marker.mark === mark)).map((mark) => (
          <li key={mark}>
            <span class="sign" aria-hidden="true">
              {SIGNS[mark]}
            </span>{" "}
            {text.marks[mark]}
          </li>
        ))}
        <li class="muted">{text.soft}</li>
      </ul>
      <h3 class="chart-title">{text.longestWait}</h3>
      <div class="canvas adverts">
        <canvas ref={advertsCanvas} role="img" aria-label={text.longestWaitOf} />
      </div>
      <details class="as-table" open={isTableOpen}>
        <summary
          onClick={(event) => {
            // Opened by the page and not by the browser, so that the table is there in the same moment.
            event.preventDefault();
            setTableOpen((isOpen) => !isOpen);
          }}
        >
          {text.asTable}
        </summary>
        {isTableOpen && (
          <TimelineTable timeline={timeline} strips={view.strips} range={range} zone={zone} onSelect={onSelect} />
        )}
      </details>
    </>
  );
}

const MARKS = ["config", "start", "reload", "stop", "died"] as const;
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
  const text = words().lanes;
  if (!timeline) return <p class="muted">{text.nothing}</p>;
  const seen = ({ from, to }: { from: number; to: number | null }): boolean =>
    from <= range.to && (to ?? range.to) >= range.from;
  const rows = strips.flatMap(({ service, rows: said }) =>
    said.flatMap(({ node, bars }) => bars.filter(seen).map((bar) => ({ node, service, bar }))),
  );
  return (
    <table>
      <caption>{text.caption(formatDateTime(range.from, zone))}</caption>
      <thead>
        <tr>
          <th scope="col">{text.columns[0]}</th>
          <th scope="col">{text.columns[1]}</th>
          <th scope="col">{text.columns[2]}</th>
          <th scope="col">{text.columns[3]}</th>
          <th scope="col">{text.columns[4]}</th>
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
                  {incident.kind} ({words().certainty[incident.certainty]})
                </button>
              </td>
              <td>{text.detector}</td>
              <td>{formatDateTime(incident.start, zone)}</td>
              <td>{incident.end === null ? words().status.open : formatDuration(incident.end - incident.start)}</td>
            </tr>
          ))}
        {timeline.markers
          .filter(({ ts }) => ts >= range.from && ts <= range.to)
          .map((marker) => (
            <tr key={marker.eventId} data-node={marker.node} data-mark={marker.mark}>
              <td>{marker.node}</td>
              <td>
                <button type="button" onClick={() => onSelect({ kind: "marker", marker })}>
                  {text.marks[marker.mark]}
                </button>
              </td>
              <td>{marker.text}</td>
              <td>{formatDateTime(marker.ts, zone)}</td>
              <td />
            </tr>
          ))}
        {timeline.ticks
          .filter(({ ts }) => ts >= range.from && ts <= range.to)
          .slice(0, TABLE_ROWS_MAX)
          .map((tick) => (
            <tr key={`${tick.node} ${tick.sender} ${tick.ts}`} data-node={tick.node} data-advert={tick.sender}>
              <td>{tick.node}</td>
              <td>
                <button type="button" onClick={() => onSelect({ kind: "advert", tick })}>
                  {text.advertOf(tick.sender, tick.priority)}
                </button>
              </td>
              <td>{tick.outgoing ? words().evidence.out : words().evidence.in}</td>
              <td>
                {formatDateTime(tick.ts, zone)}
                {formatMicros(tick.ts, zone).slice(8)}
              </td>
              <td />
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
            <td>{service === null ? node : text.asSeen(service, node)}</td>
            <td>
              <button type="button" onClick={() => onSelect({ kind: "bar", node, service, bar })}>
                {bar.state}
              </button>
            </td>
            <td>{bar.source}</td>
            <td>{formatDateTime(bar.from, zone)}</td>
            <td>{bar.to === null ? text.still : formatDuration(bar.to - bar.from)}</td>
          </tr>
        ))}
        {rows.length > TABLE_ROWS_MAX && (
          <tr>
            <td colSpan={5}>{text.more(rows.length - TABLE_ROWS_MAX)}</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}
