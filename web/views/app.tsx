import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Incident, LiveMessage, NodeSummary, RouterSummary, ServiceSummary } from "../../server/api/types.ts";
import { api, browserBehindMs, follow, serverNowUs } from "../api.ts";
import { Coalescer } from "../coalesce.ts";
import { hrefOf, NO_QUERY, type Place, readPlace, timelinePlace } from "../location.ts";
import { isLanguage, LANGUAGES, type Language, preferredLanguage, remember, speak, words } from "../text/language.ts";
import { BROWSER, formatDuration, isZone, UTC, type Zone } from "../time.ts";
import { IncidentPage } from "./incident.tsx";
import { IncidentsPage } from "./incidents.tsx";
import { NodePage, NodesPage } from "./node.tsx";
import { OverviewPage } from "./overview.tsx";
import { SearchPage } from "./search.tsx";
import { Link, type Scene, SceneContext, sentenceOf, useScene } from "./shared.tsx";
import { SqlPage } from "./sql.tsx";
import { TimelinePage } from "./timeline.tsx";

/** How often what is live is asked for again when no message came, milliseconds. */
const POLL_MS = 5_000;
/** Ages of what is shown grow this often, milliseconds. */
const TICK_MS = 1_000;
/** Live messages in a burst are answered with one look at the server this often, milliseconds. */
const NEWS_GAP_MS = 250;

/** Nodes named for a time zone. */
const ZONE_NODES_MAX = 3;

export function App() {
  const [language, setLanguage] = useState<Language>(preferredLanguage);
  speak(language);
  const [place, setPlace] = useState<Place>(() => readPlace(location.pathname, location.search));
  const [routers, setRouters] = useState<readonly RouterSummary[] | null>(null);
  const [nodes, setNodes] = useState<readonly NodeSummary[]>([]);
  const [incidents, setIncidents] = useState<readonly Incident[]>([]);
  const [services, setServices] = useState<readonly ServiceSummary[]>([]);
  const [zone, setZone] = useState<Zone>(() => (place.page === "timeline" ? (place.zone ?? BROWSER) : BROWSER));
  const [connected, setConnected] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [now, setNow] = useState(serverNowUs());
  /** Raised with what the server tells, and at times without: who shows more than the overview asks again. */
  const [news, setNews] = useState(0);

  const refresh = useCallback(async () => {
    try {
      const [newRouters, newNodes, newIncidents, newServices] = await Promise.all([
        api.routers(),
        api.nodes(),
        api.incidents(),
        api.services(),
      ]);
      setRouters(newRouters);
      setNodes(newNodes);
      setIncidents(newIncidents);
      setServices(newServices);
      setTrouble(null);
    } catch (error) {
      setTrouble(sentenceOf(error));
    }
    setNews((count) => count + 1);
  }, []);

  const coalescer = useRef<Coalescer | null>(null);
  useEffect(() => {
    const own = new Coalescer(refresh, NEWS_GAP_MS);
    coalescer.current = own;
    own.ask();
    const ask = (): void => own.ask();
    const askIfSeen = (_message?: LiveMessage | globalThis.Event): void => {
      if (document.visibilityState === "visible") own.ask();
    };
    const timer = setInterval(ask, POLL_MS);
    const stop = follow(askIfSeen, setConnected);
    document.addEventListener("visibilitychange", askIfSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", askIfSeen);
      stop();
      own.stop();
    };
  }, [refresh]);

  useEffect(() => {
    const timer = setInterval(() => setNow(serverNowUs()), TICK_MS);
    const onPop = (): void => setPlace(readPlace(location.pathname, location.search));
    addEventListener("popstate", onPop);
    return () => {
      clearInterval(timer);
      removeEventListener("popstate", onPop);
    };
  }, []);

  // A link of before, or one that leads nowhere, gets the address of what is shown.
  useEffect(() => {
    if (place.page !== "timeline") replace(place);
  }, [place]);

  const openCount = incidents.filter(({ status }) => status === "open").length;
  useEffect(() => {
    document.title = openCount > 0 ? `(${openCount}) keepwatch` : "keepwatch";
  }, [openCount]);

  const main = useRef<HTMLElement>(null);
  const go = useCallback((next: Place) => {
    history.pushState(null, "", hrefOf(next));
    setPlace(next);
    if (next.page === "timeline" && next.zone !== null) setZone(next.zone);
    // As after a page was loaded: from the top, and the keyboard goes on from there.
    scrollTo(0, 0);
    main.current?.focus();
  }, []);

  const scene: Scene = { routers, nodes, incidents, services, zone, now, go };
  return (
    <SceneContext.Provider value={scene}>
      <div class="page">
        <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
          {words().shell.skip}
        </a>
        <header class="top">
          <h1>
            <Link to={{ page: "overview" }}>keepwatch</Link>
          </h1>
          <Pages place={place} openCount={openCount} />
          <span class={`live-state ${connected ? "on" : "off"}`} role="status">
            {connected ? words().shell.connected : words().shell.notConnected}
          </span>
          <ClockNote />
          <div class="choices">
            <ZoneChoice zone={zone} onZone={setZone} />
            <LanguageChoice
              language={language}
              onLanguage={(chosen) => {
                remember(chosen);
                setLanguage(chosen);
              }}
            />
          </div>
        </header>
        {trouble && (
          <p class="trouble" role="alert">
            {trouble}{" "}
            <button type="button" onClick={() => coalescer.current?.ask()}>
              {words().shell.tryAgain}
            </button>
          </p>
        )}
        <main id="main" ref={main} tabIndex={-1}>
          {place.page === "overview" && <OverviewPage />}
          {place.page === "search" && <SearchPage query={place.query} />}
          {place.page === "sql" && <SqlPage place={place} onPlace={replace} />}
          {place.page === "nodes" && <NodesPage />}
          {place.page === "node" && (
            <NodePage key={hrefOf(place)} cluster={place.cluster} node={place.node} news={news} />
          )}
          {place.page === "incidents" && <IncidentsPage />}
          {place.page === "incident" && <IncidentPage key={place.id} id={place.id} />}
          {place.page === "timeline" && (
            <TimelinePage key={hrefOf(place)} place={place} news={news} onPlace={replace} />
          )}
        </main>
      </div>
    </SceneContext.Provider>
  );
}

/** The address alone changes: one step back leads to where the reader came from. */
function replace(place: Place): void {
  history.replaceState(null, "", hrefOf(place));
}

function Pages({ place, openCount }: { readonly place: Place; readonly openCount: number }) {
  const { shell, overview } = words();
  return (
    <nav aria-label={shell.pages}>
      <Link to={{ page: "overview" }} current={place.page === "overview"}>
        {shell.overview}
      </Link>
      <Link to={timelinePlace(null)} current={place.page === "timeline"}>
        {shell.timeline}
      </Link>
      <Link to={{ page: "incidents" }} current={place.page === "incidents" || place.page === "incident"}>
        {shell.incidents}
        {openCount > 0 && <span class="count">{openCount}</span>}
      </Link>
      <Link to={{ page: "nodes" }} current={place.page === "nodes" || place.page === "node"}>
        {overview.nodes}
      </Link>
      <Link to={{ page: "search", query: NO_QUERY }} current={place.page === "search" || place.page === "sql"}>
        {shell.search}
      </Link>
    </nav>
  );
}

function ClockNote() {
  const behindMs = browserBehindMs();
  if (behindMs === 0) return null;
  const duration = formatDuration(Math.abs(behindMs) * 1000);
  return <span class="muted">{behindMs > 0 ? words().shell.behind(duration) : words().shell.ahead(duration)}</span>;
}

function ZoneChoice({ zone, onZone }: { readonly zone: Zone; readonly onZone: (zone: Zone) => void }) {
  const { nodes } = useScene();
  // A node's time is what its log and the people on it speak of.
  const zones = [...nodes.map(({ timeZone }) => timeZone ?? ""), zone];
  const named = [...new Set(zones)].filter((name) => name !== BROWSER && name !== UTC && isZone(name)).sort();
  return (
    <label class="zone">
      {words().shell.timeZone}{" "}
      <select value={zone} onChange={(event) => onZone(event.currentTarget.value)}>
        <option value={BROWSER}>{words().shell.thisBrowser}</option>
        <option value={UTC}>UTC</option>
        {named.map((name) => {
          const own = nodes.filter(({ timeZone }) => timeZone === name).map(({ node }) => node);
          return (
            <option key={name} value={name}>
              {own.length > 0 ? `${own.slice(0, ZONE_NODES_MAX).join(", ")}: ${name}` : name}
            </option>
          );
        })}
      </select>
    </label>
  );
}

function LanguageChoice({
  language,
  onLanguage,
}: {
  readonly language: Language;
  readonly onLanguage: (language: Language) => void;
}) {
  return (
    <label>
      <span class="out-of-sight">{words().shell.languageLabel}</span>
      <select value={language} onChange={({ currentTarget: { value } }) => isLanguage(value) && onLanguage(value)}>
        {Object.entries(LANGUAGES).map(([tag, { language: name }]) => (
          <option key={tag} value={tag}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
