import type { Incident, NodeSummary, RouterSummary, SourceStatus } from "../../server/api/types.ts";
import { formatDateTime, formatDuration, type Zone } from "../time.ts";

/** A node that was not heard of for this long is told as silent, microseconds. */
const SILENT_US = 15_000_000;
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
  const ended = incidents.filter(({ status }) => status !== "open").slice(0, ENDED_SHOWN);
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
        <IncidentList incidents={ended} zone={zone} now={now} onIncident={onIncident} />
      </section>
      <section class="card" aria-labelledby="nodes-title">
        <h2 id="nodes-title">Nodes</h2>
        {nodes.length === 0 && <p class="muted">No collector has reported yet.</p>}
        <ul class="nodes">
          {nodes.map((node) => (
            <li key={`${node.cluster}/${node.node}`}>
              <details>
                <summary>
                  <strong>{node.node}</strong>{" "}
                  {now - node.lastSeenTs > SILENT_US ? (
                    <span class="state unknown">silent for {formatDuration(now - node.lastSeenTs)}</span>
                  ) : (
                    <span class="state good">reporting</span>
                  )}{" "}
                  <span class="muted">{unavailable(node)}</span>
                </summary>
                <ul class="sources">
                  {node.sources.map((source) => (
                    <li key={source.name + source.detail}>{describe(source)}</li>
                  ))}
                </ul>
              </details>
            </li>
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
  const { masters, since } = router;
  const isWatched = nodes.some((node) => node.cluster === router.cluster && now - node.lastSeenTs <= SILENT_US);
  const when = since === null ? "" : ` since ${formatDateTime(since, zone)}`;
  if (masters.length > 1)
    return (
      <span class="state bad">
        {masters.length} masters: {masters.join(" and ")}
      </span>
    );
  const [master] = masters;
  if (!isWatched)
    return <span class="state unknown">not watched now{master === undefined ? "" : `; last master ${master}`}</span>;
  if (master === undefined) return <span class="state bad">no master{when}</span>;
  return (
    <span class="state good">
      {master} is master{when}
    </span>
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
            <span
              class={`state ${incident.status === "open" ? (incident.certainty === "confirmed" ? "bad" : "suspected") : "ended"}`}
            >
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

function unavailable({ sources }: NodeSummary): string {
  const count = sources.filter(({ state }) => state !== "running").length;
  return count === 0 ? "" : `${count} of ${sources.length} sources cannot be read`;
}

function describe({ name, detail, state, reason, read, unrecognised }: SourceStatus): string {
  if (state === "running")
    return `${name}: ${detail}: ${read} read${unrecognised > 0 ? `, ${unrecognised} not recognised` : ""}`;
  return `${name}: ${detail}: not read: ${reason ?? state}`;
}
