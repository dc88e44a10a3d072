import type { Incident, NodeSummary, RouterSummary, SourceStatus } from "../../server/api/types.ts";
import { formatDateTime, formatDuration, type Zone } from "../time.ts";
import { mastershipOf, watchOf } from "../watch.ts";

/** Ended incidents listed. */
const ENDED_SHOWN = 5;

interface Props {
  readonly routers: readonly RouterSummary[] | null;
  readonly nodes: readonly NodeSummary[];
  readonly incidents: readonly Incident[];
  readonly selectedRouter: string | null;
  readonly zone: Zone;
  readonly now: number;
  readonly onRouter: (id: string) => void;
  readonly onIncident: (incident: Incident) => void;
}

export function Overview({ routers, nodes, incidents, selectedRouter, zone, now, onRouter, onIncident }: Props) {
  const open = incidents.filter(({ status }) => status === "open");
  const ended = incidents.filter(({ status }) => status !== "open");
  return (
    <div class="overview">
      <section class="card" aria-labelledby="routers-title">
        <h2 id="routers-title">Virtual routers</h2>
        {routers === null && <p class="muted">Asking the server …</p>}
        {routers?.length === 0 && <Empty nodes={nodes} />}
        <ul class="routers">
          {routers?.map((router) => (
            <li key={router.id}>
              <button
                type="button"
                class="router"
                aria-pressed={router.id === selectedRouter}
                onClick={() => onRouter(router.id)}
              >
                <Mastership router={router} nodes={nodes} now={now} zone={zone} />
                <span class="vips">{router.vips.join(", ") || "no address known"}</span>
                <span class="muted">
                  {router.cluster}
                  {router.vrid === null ? "" : `, VRID ${router.vrid}`}
                  {router.instances[0]?.name ? `, ${router.instances[0].name}` : ""}
                </span>
                {router.openIncidents.length > 0 && (
                  <span class="open-count">
                    {router.openIncidents.length} open incident{router.openIncidents.length === 1 ? "" : "s"}
                  </span>
                )}
              </button>
            </li>
          ))}
        </ul>
      </section>
      <section class="card" aria-labelledby="incidents-title">
        <h2 id="incidents-title">Incidents</h2>
        {open.length === 0 && <p class="muted">None is open.</p>}
        <IncidentList incidents={open} zone={zone} now={now} onIncident={onIncident} />
        {ended.length > 0 && <h3>Ended</h3>}
        <IncidentList incidents={ended.slice(0, ENDED_SHOWN)} zone={zone} now={now} onIncident={onIncident} />
        {ended.length > ENDED_SHOWN && (
          <p class="muted">and {ended.length - ENDED_SHOWN} before: the timeline has them.</p>
        )}
      </section>
      <section class="card" aria-labelledby="nodes-title">
        <h2 id="nodes-title">Nodes</h2>
        {nodes.length === 0 && <p class="muted">No collector has reported yet.</p>}
        <ul class="nodes">
          {nodes.map((node) => (
            <Node key={`${node.cluster}/${node.node}`} node={node} now={now} zone={zone} />
          ))}
        </ul>
      </section>
    </div>
  );
}

/** Who is master, in words; what is not known is never shown as good. */
function Mastership({
  router,
  nodes,
  now,
  zone,
}: {
  router: RouterSummary;
  nodes: readonly NodeSummary[];
  now: number;
  zone: Zone;
}) {
  const { since } = router;
  const when = since === null ? "" : ` since ${formatDateTime(since, zone)}`;
  const who = mastershipOf(router, nodes, now);
  switch (who.kind) {
    case "several":
      return (
        <span class="state bad">
          {who.masters.length} masters: {who.masters.join(" and ")}
        </span>
      );
    case "unknown":
      return <span class="state unknown">not watched now{who.last === null ? "" : `; last master ${who.last}`}</span>;
    case "none":
      return <span class="state bad">no master{when}</span>;
    case "one":
      return (
        <span class="state good">
          {who.master} is master{when}
        </span>
      );
  }
}

/** What its collector reads, and what it cannot read and why, which is shown without being asked for. */
function Node({ node, now, zone }: { node: NodeSummary; now: number; zone: Zone }) {
  const watch = watchOf(node, now);
  const running = node.sources.filter(({ state }) => state === "running");
  const lost = node.sources.filter(({ state }) => state !== "running");
  return (
    <li data-node={node.node} data-watch={watch}>
      <div class="node-line">
        <strong>{node.node}</strong>{" "}
        {watch === "silent" && (
          <span class="state unknown">
            silent for {formatDuration(now - node.lastSeenTs)}, last seen {formatDateTime(node.lastSeenTs, zone)}
          </span>
        )}
        {watch === "watched" && <span class="state good">reporting</span>}
        {watch === "partial" && <span class="state suspected">reporting in part</span>}
        {watch === "blind" && <span class="state suspected">reporting, but sees nothing</span>}
      </div>
      {lost.length > 0 && (
        <ul class="sources lost" aria-label={`What ${node.node} cannot read`}>
          {lost.map((source) => (
            <li key={source.name + source.detail}>{describe(source)}</li>
          ))}
        </ul>
      )}
      {running.length > 0 && (
        <details>
          <summary class="muted">reads {[...new Set(running.map(({ name }) => name))].join(", ")}</summary>
          <ul class="sources">
            {running.map((source) => (
              <li key={source.name + source.detail}>{describe(source)}</li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

function IncidentList({
  incidents,
  zone,
  now,
  onIncident,
}: {
  incidents: readonly Incident[];
  zone: Zone;
  now: number;
  onIncident: (incident: Incident) => void;
}) {
  return (
    <ul class="incidents">
      {incidents.map((incident) => (
        <li key={incident.id}>
          <button type="button" class="incident-item" onClick={() => onIncident(incident)}>
            <span class={`state ${toneOf(incident)}`}>
              {incident.kind}
              {incident.certainty === "suspected" ? " (suspected)" : ""}
            </span>
            <span class="muted">
              {formatDateTime(incident.start, zone)},{" "}
              {incident.end === null
                ? `for ${formatDuration(now - incident.start)} so far`
                : formatDuration(incident.end - incident.start)}
            </span>
            <span class="summary">{incident.summary}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** An open one is loud; one that was a fact and critical stays visible when it is over. */
function toneOf({ status, certainty, severity }: Incident): string {
  if (status === "open") return certainty === "confirmed" ? "bad" : "suspected";
  return certainty === "confirmed" && severity === "critical" ? "was-bad" : "ended";
}

function Empty({ nodes }: { nodes: readonly NodeSummary[] }) {
  return (
    <p class="muted">
      {nodes.length === 0
        ? "No collector has reported yet."
        : "No virtual router was seen yet: none of the nodes has a keepalived configuration, a log line or an advert of one."}{" "}
      To see keepwatch at work on a recorded split-brain, start it with <code>npm start -- --demo</code>.
    </p>
  );
}

function describe({ name, detail, state, reason, read, unrecognised }: SourceStatus): string {
  if (state === "running")
    return `${name}: ${detail}: ${read} read${unrecognised > 0 ? `, ${unrecognised} not recognised` : ""}`;
  return `${name}: ${detail}: not read: ${reason ?? state}`;
}
