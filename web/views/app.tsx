import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Incident, NodeSummary, RouterSummary, Timeline } from "../../server/api/types.ts";
import { api, ApiError, browserBehindMs, follow, serverNowUs } from "../api.ts";
import type { Target } from "../charts/lanes.ts";
import { Coalescer } from "../coalesce.ts";
import { readPlace, writePlace } from "../location.ts";
import { around, asked, LIVE_SPAN_US, liveRange, pan, type Range, zoom } from "../range.ts";
import { formatDateTime, formatDuration, formatZone, type Zone } from "../time.ts";
import { EvidencePanel } from "./evidence.tsx";
import { Overview } from "./overview.tsx";
import { TimelineView } from "./timeline.tsx";

/** How often what is live is asked for again when no message came, milliseconds. */
const POLL_MS = 5_000;
/** The live view moves on this often, milliseconds. */
const TICK_MS = 1_000;
/** Live messages in a burst are answered with one look at the server this often, milliseconds. */
const NEWS_GAP_MS = 250;
/** A burst of wheel turns asks once, milliseconds. */
const SETTLE_MS = 60;

export function App() {
  const [place] = useState(() => readPlace(location.search));
  const [routers, setRouters] = useState<readonly RouterSummary[] | null>(null);
  const [nodes, setNodes] = useState<readonly NodeSummary[]>([]);
  const [incidents, setIncidents] = useState<readonly Incident[]>([]);
  const [routerId, setRouterId] = useState<string | null>(place.router);
  const [live, setLive] = useState(place.range === null);
  const [range, setRange] = useState<Range>(() => place.range ?? liveRange(serverNowUs(), LIVE_SPAN_US));
  const [timeline, setTimeline] = useState<Timeline | null>(null);
  const [selected, setSelected] = useState<Target | null>(
    place.incident === null ? null : { kind: "incident", id: place.incident },
  );
  const [zone, setZone] = useState<Zone>("browser");
  const [connected, setConnected] = useState(false);
  const [overviewTrouble, setOverviewTrouble] = useState<string | null>(null);
  const [timelineTrouble, setTimelineTrouble] = useState<string | null>(null);
  const [now, setNow] = useState(serverNowUs());
  const broughtToIncident = useRef(place.range !== null || place.incident === null);

  const router = routers?.find(({ id }) => id === routerId) ?? routers?.[0] ?? null;

  const refresh = useCallback(async () => {
    try {
      const [newRouters, newNodes, newIncidents] = await Promise.all([api.routers(), api.nodes(), api.incidents()]);
      setRouters(newRouters);
      setNodes(newNodes);
      setIncidents(newIncidents);
      setOverviewTrouble(null);
    } catch (error) {
      setOverviewTrouble(sentenceOf(error));
    }
  }, []);

  /** What the timeline should show, for those who ask later. */
  const wanted = useRef({ router: router?.id ?? null, range });
  wanted.current = { router: router?.id ?? null, range };
  const asking = useRef<AbortController | null>(null);
  const loadTimeline = useCallback(async () => {
    const { router: id, range: seen } = wanted.current;
    if (id === null) return;
    asking.current?.abort();
    const abort = new AbortController();
    asking.current = abort;
    try {
      const answer = await api.timeline(id, asked(seen), abort.signal);
      if (abort.signal.aborted) return;
      setTimeline(answer);
      setTimelineTrouble(null);
    } catch (error) {
      if (!abort.signal.aborted) setTimelineTrouble(sentenceOf(error));
    }
  }, []);

  const news = useRef<Coalescer | null>(null);
  useEffect(() => {
    const coalescer = new Coalescer(async () => {
      await Promise.all([refresh(), loadTimeline()]);
    }, NEWS_GAP_MS);
    news.current = coalescer;
    coalescer.ask();
    const ask = (): void => coalescer.ask();
    const askIfSeen = (): void => {
      if (document.visibilityState === "visible") coalescer.ask();
    };
    const timer = setInterval(ask, POLL_MS);
    const stop = follow(askIfSeen, setConnected);
    document.addEventListener("visibilitychange", askIfSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", askIfSeen);
      stop();
      coalescer.stop();
    };
  }, [refresh, loadTimeline]);

  useEffect(() => {
    const timer = setInterval(() => {
      const at = serverNowUs();
      setNow(at);
      if (live) setRange(({ from, to }) => liveRange(at, to - from));
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [live]);

  useEffect(() => {
    const timer = setTimeout(() => void loadTimeline(), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [router?.id, live ? 0 : range.from, live ? 0 : range.to, range.to - range.from]);

  useEffect(() => {
    const incident = selected?.kind === "incident" ? selected.id : null;
    history.replaceState(
      null,
      "",
      `${location.pathname}${writePlace({ router: router?.id ?? routerId, range: live ? null : range, incident })}`,
    );
  }, [router?.id, live, live ? 0 : range.from, live ? 0 : range.to, selected]);

  const openCount = incidents.filter(({ status }) => status === "open").length;
  useEffect(() => {
    document.title = openCount > 0 ? `(${openCount}) keepwatch` : "keepwatch";
  }, [openCount]);

  const look = useCallback((next: Range) => {
    setLive(false);
    setRange(next);
  }, []);

  const openIncident = useCallback(
    (incident: Incident) => {
      if (incident.subject.router !== undefined) setRouterId(incident.subject.router);
      setSelected({ kind: "incident", id: incident.id });
      look(around(incident.start, incident.end, serverNowUs()));
    },
    [look],
  );

  // A link to an incident shows the time of the incident.
  useEffect(() => {
    if (broughtToIncident.current || selected?.kind !== "incident") return;
    const incident = incidents.find(({ id }) => id === selected.id);
    if (!incident) return;
    broughtToIncident.current = true;
    openIncident(incident);
  }, [incidents, selected, openIncident]);

  const goLive = (): void => {
    setLive(true);
    setRange(liveRange(serverNowUs(), LIVE_SPAN_US));
  };

  const onKey = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, (r: Range) => Range>> = {
      ArrowLeft: (r) => pan(r, -0.2),
      ArrowRight: (r) => pan(r, 0.2),
      "+": (r) => zoom(r, 0.5, 0.5),
      "=": (r) => zoom(r, 0.5, 0.5),
      "-": (r) => zoom(r, 2, 0.5),
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    look(step(range));
  };

  const trouble = overviewTrouble ?? timelineTrouble;
  const behindMs = browserBehindMs();

  return (
    <div class="page">
      <header class="top">
        <h1>keepwatch</h1>
        <span class={`live-state ${connected ? "on" : "off"}`} role="status">
          {connected ? "connected" : "not connected"}
        </span>
        {behindMs !== 0 && (
          <span class="muted">
            This computer's clock is {formatDuration(Math.abs(behindMs) * 1000)} {behindMs > 0 ? "behind" : "ahead of"}{" "}
            the server's; times are the server's.
          </span>
        )}
        <label class="zone">
          Time zone{" "}
          <select value={zone} onChange={(event) => setZone(event.currentTarget.value === "utc" ? "utc" : "browser")}>
            <option value="browser">this browser</option>
            <option value="utc">UTC</option>
          </select>
        </label>
      </header>
      {trouble && (
        <p class="trouble" role="alert">
          {trouble}{" "}
          <button type="button" onClick={() => news.current?.ask()}>
            Try again
          </button>
        </p>
      )}
      <main class={selected ? "with-panel" : ""}>
        <div class="column">
          <Overview
            routers={routers}
            nodes={nodes}
            incidents={incidents}
            selectedRouter={router?.id ?? null}
            zone={zone}
            now={now}
            onRouter={setRouterId}
            onIncident={openIncident}
          />
          {router && (
            <section class="card timeline" aria-labelledby="timeline-title">
              <div class="timeline-head">
                <h2 id="timeline-title">Timeline of {router.vips.join(", ") || router.id}</h2>
                <span class="muted range">
                  {formatDateTime(range.from, zone)} to {formatDateTime(range.to, zone)} {formatZone(range.to, zone)}
                </span>
                <div class="tools" role="group" aria-label="Move through time">
                  <button type="button" aria-label="Earlier" onClick={() => look(pan(range, -0.5))}>
                    ◀
                  </button>
                  <button type="button" aria-label="Later" onClick={() => look(pan(range, 0.5))}>
                    ▶
                  </button>
                  <button type="button" aria-label="Closer" onClick={() => look(zoom(range, 0.5, 0.5))}>
                    +
                  </button>
                  <button type="button" aria-label="Wider" onClick={() => look(zoom(range, 2, 0.5))}>
                    −
                  </button>
                  <button type="button" class="live" aria-pressed={live} onClick={goLive}>
                    Live
                  </button>
                </div>
              </div>
              <TimelineView
                timeline={timeline?.router.id === router.id ? timeline : null}
                range={range}
                zone={zone}
                now={now}
                selected={selected}
                onRange={look}
                onSelect={setSelected}
                onKey={onKey}
              />
            </section>
          )}
        </div>
        {selected && (
          <EvidencePanel
            key={
              selected.kind === "incident" ? selected.id : `${selected.node}${selected.bar.source}${selected.bar.from}`
            }
            target={selected}
            router={router}
            incidents={incidents}
            zone={zone}
            onClose={() => setSelected(null)}
          />
        )}
      </main>
    </div>
  );
}

function sentenceOf(error: unknown): string {
  return error instanceof ApiError ? error.message : `The page stumbled: ${String(error)}`;
}
