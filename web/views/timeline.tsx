import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Timeline } from "../../server/api/types.ts";
import { api, serverNowUs } from "../api.ts";
import type { Target } from "../charts/lanes.ts";
import type { BarPlace, TimelinePlace } from "../location.ts";
import { around, asked, LIVE_SPAN_US, liveRange, pan, type Range, zoom } from "../range.ts";
import { words } from "../text/language.ts";
import { BROWSER, formatDateTime, formatZone } from "../time.ts";
import { EvidencePanel } from "./evidence.tsx";
import { LanesView } from "./lanes.tsx";
import { sentenceOf, useScene } from "./shared.tsx";

/** The live view moves on this often, milliseconds. */
const TICK_MS = 1_000;
/** A burst of wheel turns asks once, milliseconds. */
const SETTLE_MS = 60;

/** What the screen can tell apart, three times: a width more is asked for on either side. In whole steps, so that answers agree. */
const columnsOf = (width: number): number => Math.min(10_000, Math.max(1, Math.ceil((3 * width) / 500)) * 500);

interface Props {
  readonly place: TimelinePlace;
  /** Changes when the server may have something new. */
  readonly news: number;
  readonly onPlace: (place: TimelinePlace) => void;
}

export function TimelinePage({ place, news, onPlace }: Props) {
  const { routers, incidents, zone, now } = useScene();
  const [routerId, setRouterId] = useState<string | null>(place.router);
  const [live, setLive] = useState(place.range === null);
  const [range, setRange] = useState<Range>(() => place.range ?? liveRange(serverNowUs(), LIVE_SPAN_US));
  const [timeline, setTimeline] = useState<Timeline | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [selected, setSelected] = useState<Target | null>(
    place.incident === null ? null : { kind: "incident", id: place.incident },
  );
  const broughtToIncident = useRef(place.range !== null || place.incident === null);
  /** Of a link: it is chosen when it comes. */
  const wantedBar = useRef(place.bar);
  const router = routers?.find(({ id }) => id === routerId) ?? routers?.[0] ?? null;

  /** What the timeline should show, for those who ask later. */
  const wanted = useRef({ router: router?.id ?? null, range });
  wanted.current = { router: router?.id ?? null, range };
  const asking = useRef<AbortController | null>(null);
  const load = useCallback(async () => {
    const { router: id, range: seen } = wanted.current;
    if (id === null) return;
    asking.current?.abort();
    const abort = new AbortController();
    asking.current = abort;
    try {
      const answer = await api.timeline(id, asked(seen), columnsOf(innerWidth), abort.signal);
      if (abort.signal.aborted) return;
      setTimeline(answer);
      setTrouble(null);
    } catch (error) {
      if (!abort.signal.aborted) setTrouble(sentenceOf(error));
    }
  }, []);

  useEffect(() => void load(), [news, load]);

  useEffect(() => {
    const timer = setInterval(() => {
      if (live) setRange(({ from, to }) => liveRange(serverNowUs(), to - from));
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [live]);

  useEffect(() => {
    const timer = setTimeout(() => void load(), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [router?.id, live ? 0 : range.from, live ? 0 : range.to, range.to - range.from]);

  useEffect(() => {
    onPlace({
      page: "timeline",
      router: router?.id ?? routerId,
      range: live ? null : range,
      incident: selected?.kind === "incident" ? selected.id : null,
      bar: selected?.kind === "bar" ? barPlace(selected) : (wantedBar.current ?? null),
      zone: zone === BROWSER ? null : zone,
    });
  }, [router?.id, live, live ? 0 : range.from, live ? 0 : range.to, selected, zone]);

  const look = useCallback((next: Range) => {
    setLive(false);
    setRange(next);
  }, []);

  // A link to an incident shows the time of the incident.
  useEffect(() => {
    if (broughtToIncident.current || selected?.kind !== "incident") return;
    const incident = incidents.find(({ id }) => id === selected.id);
    if (!incident) return;
    broughtToIncident.current = true;
    if (incident.subject.router !== undefined) setRouterId(incident.subject.router);
    look(around(incident.start, incident.end, serverNowUs()));
  }, [incidents, selected, look]);

  useEffect(() => {
    const wish = wantedBar.current;
    if (wish === null || timeline === null) return;
    const target = findBar(timeline, wish);
    if (!target) return;
    wantedBar.current = null;
    setSelected(target);
  }, [timeline]);

  const choose = useCallback((target: Target | null) => {
    wantedBar.current = null;
    setSelected(target);
  }, []);

  const goLive = (): void => {
    setLive(true);
    setRange(liveRange(serverNowUs(), LIVE_SPAN_US));
  };

  const onKey = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, (r: Range) => Range>> = {
      ArrowLeft: (r) => pan(r, -0.2),
      ArrowRight: (r) => pan(r, 0.2),
      PageUp: (r) => pan(r, -0.9),
      PageDown: (r) => pan(r, 0.9),
      "+": (r) => zoom(r, 0.5, 0.5),
      "=": (r) => zoom(r, 0.5, 0.5),
      "-": (r) => zoom(r, 2, 0.5),
    };
    if (event.key === "Home" || event.key === "l") {
      event.preventDefault();
      goLive();
      return;
    }
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    look(step(range));
  };

  const text = words().timeline;
  if (routers === null) return <p class="muted">{words().shell.asking}</p>;
  if (!router) return <p class="muted">{words().overview.noRouter}</p>;
  return (
    <div class={`with-evidence ${selected ? "with-panel" : ""}`}>
      <div class="column">
        {trouble && (
          <p class="trouble" role="alert">
            {trouble}{" "}
            <button type="button" onClick={() => void load()}>
              {words().shell.tryAgain}
            </button>
          </p>
        )}
        <section class="card timeline" aria-labelledby="timeline-title">
          <div class="timeline-head">
            <h2 id="timeline-title">{text.of(router.vips.join(", ") || router.id)}</h2>
            {routers.length > 1 && (
              <label>
                <span class="out-of-sight">{text.router}</span>
                <select value={router.id} onChange={(event) => setRouterId(event.currentTarget.value)}>
                  {routers.map(({ id, vips, vrid }) => (
                    <option key={id} value={id}>
                      {vips.join(", ") || id}
                      {vrid === null ? "" : `, VRID ${vrid}`}
                    </option>
                  ))}
                </select>
              </label>
            )}
            <span class="muted range">
              {text.range(formatDateTime(range.from, zone), formatDateTime(range.to, zone))}{" "}
              {formatZone(range.to, zone)}
            </span>
            <div class="tools" role="group" aria-label={text.move}>
              <button type="button" aria-label={text.earlier} onClick={() => look(pan(range, -0.5))}>
                ◀
              </button>
              <button type="button" aria-label={text.later} onClick={() => look(pan(range, 0.5))}>
                ▶
              </button>
              <button type="button" aria-label={text.closer} onClick={() => look(zoom(range, 0.5, 0.5))}>
                +
              </button>
              <button type="button" aria-label={text.wider} onClick={() => look(zoom(range, 2, 0.5))}>
                −
              </button>
              <button type="button" class="live" aria-pressed={live} onClick={goLive}>
                {text.live}
              </button>
            </div>
          </div>
          <LanesView
            timeline={timeline?.router.id === router.id ? timeline : null}
            range={range}
            zone={zone}
            now={now}
            selected={selected}
            onRange={look}
            onSelect={choose}
            onKey={onKey}
          />
        </section>
      </div>
      {selected && (
        <EvidencePanel
          key={keyOf(selected)}
          target={selected}
          router={router}
          incidents={incidents}
          zone={zone}
          onClose={() => choose(null)}
        />
      )}
    </div>
  );
}

type BarTarget = Extract<Target, { kind: "bar" }>;

const barPlace = ({ node, service, bar }: BarTarget): BarPlace => ({
  node,
  service,
  source: bar.source,
  from: bar.from,
});

/** The bar that a link means, if it is there. */
function findBar({ lanes, services }: Timeline, { node, service, source, from }: BarPlace): BarTarget | undefined {
  const rows =
    service === null
      ? lanes.filter((lane) => lane.node === node)
      : services
          .filter(({ realServer, virtualServer }) => (realServer ?? virtualServer) === service)
          .flatMap((lane) => lane.rows.filter((row) => row.node === node));
  const bar = rows.flatMap(({ bars }) => bars).find((one) => one.source === source && one.from === from);
  return bar && { kind: "bar", node, service, bar };
}

function keyOf(target: Target): string {
  switch (target.kind) {
    case "incident":
      return target.id;
    case "bar":
      return `${target.node}${target.bar.source}${target.bar.from}`;
    case "marker":
      return target.marker.eventId;
    case "advert":
      return `${target.tick.node}${target.tick.sender}${target.tick.ts}`;
  }
}
