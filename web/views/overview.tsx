import { useState } from "preact/hooks";
import type { Incident, RouterSummary, ServiceSummary, Severity } from "../../server/api/types.ts";
import { timelinePlace } from "../location.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatDuration } from "../time.ts";
import {
  countOf,
  healthOf,
  mastershipOf,
  redundancyNow,
  type ServiceCount,
  type ServiceHealth,
  troubleOf,
  watchOf,
  WELL,
} from "../watch.ts";
import { IncidentList } from "./incidents.tsx";
import { NodeList } from "./nodes.tsx";
import { Link, useScene } from "./shared.tsx";
import { Silences } from "./silences.tsx";

/** Ended incidents listed. */
const ENDED_SHOWN = 5;
/** With no more routers than this there is nothing to filter. */
const FILTER_FROM = 6;
/** Signs of trouble up to here are seen to be wrong; those after it are not known to be right. */
const UNKNOWN_FROM = 6;

export function OverviewPage() {
  const { incidents } = useScene();
  const { overview } = words();
  const open = incidents.filter(({ status }) => status === "open");
  const ended = incidents.filter(({ status }) => status !== "open");
  return (
    <div class="overview">
      <Routers open={open} />
      <div class="column">
        <section class="card" aria-labelledby="incidents-title">
          <h2 id="incidents-title">{overview.openNow}</h2>
          {open.length === 0 ? (
            <p class="muted">{overview.noneOpen}</p>
          ) : (
            <IncidentList incidents={[...open].sort((a, b) => ORDER[a.severity] - ORDER[b.severity])} />
          )}
          {ended.length > 0 && (
            <>
              <h3>{overview.endedOnes}</h3>
              <IncidentList incidents={ended.slice(0, ENDED_SHOWN)} />
              {ended.length > ENDED_SHOWN && (
                <p class="muted">
                  {overview.andBefore(ended.length - ENDED_SHOWN)}:{" "}
                  <Link to={{ page: "incidents" }}>{overview.all}</Link>
                </p>
              )}
            </>
          )}
        </section>
        <section class="card" aria-labelledby="nodes-title">
          <h2 id="nodes-title">{overview.nodes}</h2>
          <NodeList />
        </section>
        <Services />
        <Silences />
      </div>
    </div>
  );
}

const ORDER: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

// --- routers -------------------------------------------------------------------------------------------------------------

interface Looked {
  readonly router: RouterSummary;
  readonly services: readonly ServiceCount[];
  readonly trouble: number;
}

function Routers({ open }: { readonly open: readonly Incident[] }) {
  const { routers, nodes, services, now } = useScene();
  const [filter, setFilter] = useState("");
  const [isTroubleOnly, setTroubleOnly] = useState(false);
  const { overview, shell } = words();
  const byId = new Map(open.map((incident) => [incident.id, incident]));
  const all = (routers ?? [])
    .map((router): Looked => {
      const own = services
        .filter((service) => service.cluster === router.cluster && service.routers.includes(router.id))
        .map((service) => countOf(service, nodes, now));
      return { router, services: own, trouble: troubleOf(router, nodes, byId, own, now) };
    })
    // Those that are alike stay in the server's order.
    .sort((a, b) => a.trouble - b.trouble);
  const shown = all.filter(
    ({ router, trouble }) => isNamed(router, filter) && (!isTroubleOnly || trouble < UNKNOWN_FROM),
  );
  const count = (is: (trouble: number) => boolean): number => all.filter(({ trouble }) => is(trouble)).length;
  return (
    <section class="card routers-card" aria-labelledby="routers-title">
      <div class="card-head">
        <h2 id="routers-title">{overview.routers}</h2>
        {all.length > 0 && (
          <ul class="totals">
            <Total tone="bad" count={count((trouble) => trouble < UNKNOWN_FROM)} text={overview.trouble} />
            <Total
              tone="unknown"
              count={count((trouble) => trouble >= UNKNOWN_FROM && trouble < WELL)}
              text={overview.unknown}
            />
            <Total tone="good" count={count((trouble) => trouble === WELL)} text={overview.well} />
          </ul>
        )}
      </div>
      {all.length >= FILTER_FROM && (
        <div class="filter" role="search">
          <label>
            {overview.filter}{" "}
            <input
              type="search"
              value={filter}
              placeholder={overview.filterHint}
              onInput={(event) => setFilter(event.currentTarget.value)}
            />
          </label>
          <label>
            <input
              type="checkbox"
              checked={isTroubleOnly}
              onChange={(event) => setTroubleOnly(event.currentTarget.checked)}
            />{" "}
            {overview.onlyTrouble}
          </label>
          <span class="muted" role="status">
            {overview.shown(shown.length, all.length)}
          </span>
        </div>
      )}
      {routers === null && <p class="muted">{shell.asking}</p>}
      {routers?.length === 0 && <Empty />}
      {all.length > 0 && shown.length === 0 && <p class="muted">{overview.noneMatches}</p>}
      <ul class="routers">
        {shown.map((looked) => (
          <Router key={looked.router.id} looked={looked} incidents={byId} />
        ))}
      </ul>
    </section>
  );
}

function Total({
  tone,
  count,
  text,
}: {
  readonly tone: string;
  readonly count: number;
  readonly text: (count: number) => string;
}) {
  return count === 0 ? null : <li class={`state ${tone}`}>{text(count)}</li>;
}

function isNamed(router: RouterSummary, filter: string): boolean {
  const names = [
    router.id,
    router.cluster,
    ...router.vips,
    `vrid ${router.vrid ?? ""}`,
    ...router.instances.flatMap(({ node, name, interface: port }) => [node, name ?? "", port ?? ""]),
  ].map((name) => name.toLowerCase());
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => names.some((name) => name.includes(word)));
}

function Router({
  looked: { router, services, trouble },
  incidents,
}: {
  readonly looked: Looked;
  readonly incidents: ReadonlyMap<string, Incident>;
}) {
  const { nodes, now } = useScene();
  const { overview } = words();
  const redundancy = redundancyNow(router, nodes, now);
  return (
    <li class={`router ${trouble < UNKNOWN_FROM ? "troubled" : ""}`} data-router={router.id} data-trouble={trouble}>
      <div class="router-who">
        <Link to={timelinePlace(router.id)} class="vips">
          {router.vips.join(", ") || overview.noAddress}
        </Link>
        <span class="muted">
          {[router.cluster, router.vrid === null ? "" : `VRID ${router.vrid}`, router.instances[0]?.name ?? ""]
            .filter((part) => part !== "")
            .join(", ")}
        </span>
      </div>
      <Mastership router={router} />
      <div class="router-signs">
        <span class={`state ${REDUNDANCY_TONE[redundancy]}`} data-redundancy={redundancy}>
          {overview.redundancy[redundancy]}
        </span>
        {services.length > 0 && <Servers services={services} />}
        <OpenCounts ids={router.openIncidents} incidents={incidents} />
      </div>
      <Members router={router} />
    </li>
  );
}

const REDUNDANCY_TONE = { ready: "good", lost: "bad", single: "unknown", unknown: "unknown" } as const;

/** Who is master, in words; what is not known is never shown as good. */
function Mastership({ router }: { readonly router: RouterSummary }) {
  const { nodes, now, zone } = useScene();
  const { overview } = words();
  const who = mastershipOf(router, nodes, now);
  const { since, before } = router;
  const isCurrent = who.kind !== "unknown";
  return (
    <div class="router-master">
      {who.kind === "several" && <span class="state bad">{overview.masters(who.masters)}</span>}
      {who.kind === "none" && <span class="state bad">{overview.noMaster}</span>}
      {who.kind === "one" && <span class="state good">{overview.master(who.master)}</span>}
      {who.kind === "unknown" && (
        <span class="state unknown">{who.last === null ? overview.notWatched : overview.lastMaster(who.last)}</span>
      )}
      {isCurrent && since !== null && (
        <span class="muted">
          {overview.since(formatDateTime(since, zone), formatDuration(Math.max(0, now - since)))}
        </span>
      )}
      {before && (
        <span class="muted">
          {overview.before(before.node, formatDateTime(before.until, zone))}
          {before.ended && ` (${overview.ended[before.ended]})`}
        </span>
      )}
    </div>
  );
}

function Members({ router }: { readonly router: RouterSummary }) {
  const { nodes, now } = useScene();
  const { overview } = words();
  const isSilent = (name: string): boolean =>
    nodes.some((node) => node.cluster === router.cluster && node.node === name && watchOf(node, now) === "silent");
  const told = router.members.filter(({ node }) => !router.masters.includes(node));
  if (told.length === 0) return null;
  return (
    <ul class="members muted">
      {told.map(({ node, state, able, why }) => (
        <li key={node}>
          {node}
          {state === null ? "" : ` ${state}`}:{" "}
          {able === true && isSilent(node)
            ? overview.notKnown(overview.silent)
            : able === true
              ? overview.able
              : able === false
                ? overview.unable(why ?? "")
                : overview.notKnown(why ?? "")}
        </li>
      ))}
    </ul>
  );
}

function OpenCounts({
  ids,
  incidents,
}: {
  readonly ids: readonly string[];
  readonly incidents: ReadonlyMap<string, Incident>;
}) {
  const { severity, overview } = words();
  return (
    <>
      {(["critical", "warning", "info"] as const).map((level) => {
        const own = ids.map((id) => incidents.get(id)).filter((incident) => incident?.severity === level);
        const [first] = own;
        if (!first) return null;
        return (
          <Link key={level} to={own.length === 1 ? { page: "incident", id: first.id } : { page: "incidents" }}>
            <span class={`state ${LEVEL_TONE[level]}`}>
              {overview.openIncidents(own.length)}, {severity[level]}
            </span>
          </Link>
        );
      })}
    </>
  );
}

const LEVEL_TONE: Readonly<Record<Severity, string>> = { critical: "bad", warning: "suspected", info: "unknown" };

function Empty() {
  const { nodes } = useScene();
  const { overview } = words();
  return (
    <p class="muted">
      {nodes.length === 0 ? overview.noCollector : overview.noRouter} {overview.demo} <code>npm start -- --demo</code>
    </p>
  );
}

// --- services ------------------------------------------------------------------------------------------------------------

function toneOfServers({ quorum, up, down, disputed, unknown }: ServiceCount): string {
  if (quorum === "down" || down > 0) return "bad";
  if (disputed > 0 || quorum === "disputed") return "suspected";
  return up > 0 && unknown === 0 ? "good" : "unknown";
}

function Servers({ services }: { readonly services: readonly ServiceCount[] }) {
  const sum = (of: (count: ServiceCount) => number): number => services.reduce((total, count) => total + of(count), 0);
  const worst = (["down", "disputed", "unknown"] as const).find((health) =>
    services.some(({ quorum }) => quorum === health),
  );
  return (
    <ServerCount
      count={{
        quorum: worst ?? "up",
        up: sum(({ up }) => up),
        down: sum(({ down }) => down),
        disputed: sum(({ disputed }) => disputed),
        unknown: sum(({ unknown }) => unknown),
      }}
    />
  );
}

function ServerCount({ count }: { readonly count: ServiceCount }) {
  const { overview } = words();
  const { up, down, disputed, unknown, quorum } = count;
  const all = up + down + disputed + unknown;
  const parts = [
    all === 0 ? overview.noRealServer : overview.servers(up, all),
    down > 0 ? overview.serversDown(down) : "",
    disputed > 0 ? overview.serversDisputed(disputed) : "",
    unknown > 0 ? overview.serversUnknown(unknown) : "",
    quorum === "unknown" ? "" : overview.quorum[quorum],
  ];
  return <span class={`state ${toneOfServers(count)}`}>{parts.filter((part) => part !== "").join(", ")}</span>;
}

function Services() {
  const { services, nodes, now } = useScene();
  const { overview } = words();
  if (services.length === 0) return null;
  const counted = services
    .map((service) => ({ service, count: countOf(service, nodes, now) }))
    .sort((a, b) => SERVICE_ORDER.indexOf(toneOfServers(a.count)) - SERVICE_ORDER.indexOf(toneOfServers(b.count)));
  return (
    <section class="card" aria-labelledby="services-title">
      <h2 id="services-title">{overview.services}</h2>
      <ul class="services">
        {counted.map(({ service, count }) => (
          <li key={`${service.cluster} ${service.virtualServer}`} data-service={service.virtualServer}>
            <strong>{service.virtualServer}</strong> <ServerCount count={count} />
            {service.realServers.length > 0 && <RealServers service={service} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

const SERVICE_ORDER = ["bad", "suspected", "unknown", "good"];
const HEALTH_TONE: Readonly<Record<ServiceHealth, string>> = {
  up: "good",
  down: "bad",
  disputed: "suspected",
  unknown: "unknown",
};

function RealServers({ service }: { readonly service: ServiceSummary }) {
  const { nodes, now, zone } = useScene();
  const { overview } = words();
  const isIll = service.realServers.some(({ words: said }) => healthOf(said, service.cluster, nodes, now) !== "up");
  return (
    <details open={isIll}>
      <summary class="muted">{service.realServers.map(({ realServer }) => realServer).join(", ")}</summary>
      <ul class="sources">
        {service.realServers.map(({ realServer, words: said }) => {
          const health = healthOf(said, service.cluster, nodes, now);
          return (
            <li key={realServer}>
              <span class={`state ${HEALTH_TONE[health]}`}>{overview.state[health]}</span> {realServer}
              {said.map(({ node, source, state, since }) => (
                <span key={`${node} ${source}`} class="word">
                  {overview.says(node, overview.sources[source] ?? source, state)}, {formatDateTime(since, zone)}
                </span>
              ))}
            </li>
          );
        })}
      </ul>
    </details>
  );
}
