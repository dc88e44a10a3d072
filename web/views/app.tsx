import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Incident, NodeSummary, RouterSummary, Timeline } from "../../server/api/types.ts";
import { api, ApiError, follow } from "../api.ts";
import type { Target } from "../charts/lanes.ts";
import { readPlace, writePlace } from "../location.ts";
import { around, LIVE_SPAN_US, liveRange, pan, type Range, zoom } from "../range.ts";
import { formatDateTime, type Zone } from "../time.ts";
import { EvidencePanel } from "./evidence.tsx";
import { Overview } from "./overview.tsx";
import { TimelineView } from "./timeline.tsx";

const nowUs = (): number => Date.now() * 1000;
/** How often what is live is asked for again when no message came, milliseconds. */
const POLL_MS = 5_000;
/** The live view moves on this often, milliseconds. */
const TICK_MS = 1_000;

export function App() {
  const [place] = useState(() => readPlace(location.search));
  const [routers, setRouters] = useState<readonly RouterSummary[] | null>(null);
  const [nodes, setNodes] = useState<readonly NodeSummary[]>([]);
  const [incidents, setIncidents] = useState<readonly Incident[]>([]);
  const [routerId, setRouterId] = useState<string | null>(place.router);
  const [live, setLive] = useState(place.range === null);
  const [range, setRange] = useState<Range>(() => place.range ?? liveRange(nowUs(), LIVE_SPAN_US));
  const [timeline, setTimeline] = useState<Timeline | null>(null);
  const [selected, setSelected] = useState<Target | null>(
    place.incident === null ? null : { kind: "incident", id: place.incident },
  );
  const [zone, setZone] = useState<Zone>("browser");
  const [connected, setConnected] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [now, setNow] = useState(nowUs());
  /** Raised when there is something new to ask for. */
  const [news, setNews] = useState(0);
  const broughtToIncident = useRef(place.range !== null || place.incident === null);

  const router = routers?.find(({ id }) => id === routerId) ?? routers?.[0] ?? null;

  const tell = (error: unknown): void => setTrouble(error instanceof ApiError ? error.message : String(error));

  const refresh = useCallback(async () => {
    try {
      const [newRouters, newNodes, newIncidents] = await Promise.all([api.routers(), api.nodes(), api.incidents()]);
      setRouters(newRouters);
      setNodes(newNodes);
      setIncidents(newIncidents);
      setTrouble(null);
    } catch (error) {
      tell(error);
    }
  }, []);

  useEffect(() => {
    void refresh();
    const timer = setInterval(() => {
      void refresh();
      setNews((count) => count + 1);
    }, POLL_MS);
    const stop = follow((message) => {
      if (message.type !== "timeline" || document.visibilityState === "visible") void refresh();
      setNews((count) => count + 1);
    }, setConnected);
    return () => {
      clearInterval(timer);
      stop();
    };
  }, [refresh]);

  useEffect(() => {
    const timer = setInterval(() => {
      const at = nowUs();
      setNow(at);
      if (live) setRange(({ from, to }) => liveRange(at, to - from));
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [live]);

  useEffect(() => {
    if (!router) return;
    const abort = new AbortController();
    // A burst of wheel turns asks once.
    const timer = setTimeout(() => {
      // Asked for a little wider than is seen, so that a pan shows no empty margin.
      const wide = { from: Math.max(0, range.from - (range.to - range.from)), to: range.to + (range.to - range.from) };
      api.timeline(router.id, wide, abort.signal).then(setTimeline, (error: unknown) => {
        if (!abort.signal.aborted) tell(error);
      });
    }, 60);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [router?.id, news, live ? 0 : range.from, live ? 0 : range.to, range.to - range.from]);

  useEffect(() => {
    const incident = selected?.kind === "incident" ? selected.id : null;
    history.replaceState(
      null,
      "",
      `${location.pathname}${writePlace({ router: router?.id ?? routerId, range: live ? null : range, incident })}`,
    );
  }, [router?.id, live, live ? 0 : range.from, live ? 0 : range.to, selected]);

  const look = useCallback((next: Range) => {
    setLive(false);
    setRange(next);
  }, []);

  const openIncident = useCallback(
    (incident: Incident) => {
      if (incident.subject.router !== undefined) setRouterId(incident.subject.router);
      setSelected({ kind: "incident", id: incident.id });
      look(around(incident.start, incident.end, nowUs()));
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
    setRange(liveRange(nowUs(), LIVE_SPAN_US));
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

  return (
    <div class="page">
      <header class="top">
        <h1>keepwatch</h1>
        <span class={`live-state ${connected ? "on" : "off"}`} role="status">
          {connected ? "connected" : "not connected"}
        </span>
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
          <button type="button" onClick={() => void refresh()}>
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
                  {formatDateTime(range.from, zone)} to {formatDateTime(range.to, zone)} {zone === "utc" ? "UTC" : ""}
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
