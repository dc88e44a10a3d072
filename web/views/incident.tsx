import { useState } from "preact/hooks";
import type { ContextEvent, Incident, IncidentContext } from "../../server/api/types.ts";
import { api, serverNowUs } from "../api.ts";
import { timelinePlace } from "../location.ts";
import { around } from "../range.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatMicros, formatZone } from "../time.ts";
import { Deliveries } from "./deliveries.tsx";
import { EvidenceList } from "./event-item.tsx";
import { Adverts, IncidentFacts } from "./evidence.tsx";
import { type Asked, KindBadge, Link, useAsked, useScene } from "./shared.tsx";
import { scopesOf, SilenceForm } from "./silences.tsx";

/** Rows of the logs beside each other: those nearest to the begin. */
const ROWS_MAX = 1_000;

/** All about one incident, with an address of its own. */
export function IncidentPage({ id }: { readonly id: string }) {
  const { incidents, routers, zone } = useScene();
  const listed = incidents.find((incident) => incident.id === id);
  // One that was withdrawn, or is older than what the server has at hand, is in no list.
  const asked = useAsked(() => (listed ? Promise.resolve(listed) : api.incident(id)), [id, listed?.revision]);
  const incident = listed ?? asked.value;
  const context = useAsked(() => api.context(id), [id, incident?.revision, incident?.status]);
  const deliveries = useAsked(() => api.deliveries(id), [id, incident?.revision]);
  if (!incident) return <p role={asked.trouble ? "alert" : "status"}>{asked.trouble ?? words().shell.asking}</p>;
  const text = words().incident;
  const router = routers?.find((candidate) => candidate.id === incident.subject.router) ?? null;
  return (
    <article class="incident-page">
      <Head incident={incident} />
      <section class="card" aria-labelledby="evidence-title">
        <h3 id="evidence-title">{text.evidence}</h3>
        <EvidenceList evidence={incident.evidence} zone={zone} />
      </section>
      <section class="card" aria-labelledby="changes-title">
        <h3 id="changes-title">{text.changes}</h3>
        <Changes context={context} />
      </section>
      <section class="card" aria-labelledby="logs-title">
        <h3 id="logs-title">{text.logs}</h3>
        {context.value ? <Logs incident={incident} context={context.value} /> : <Waiting asked={context} />}
        {router && <Adverts router={router} around={incident.start} zone={zone} />}
      </section>
      <section class="card" aria-labelledby="told-title">
        <h3 id="told-title">{text.told}</h3>
        <Deliveries incidentId={id} asked={deliveries} zone={zone} />
        <SilenceForm scopes={scopesOf(incident)} />
      </section>
      {(incident.revisions ?? []).length > 0 && (
        <section class="card" aria-labelledby="revisions-title">
          <h3 id="revisions-title">{text.revisions}</h3>
          <ol class="revisions">
            {incident.revisions?.map(({ revision, what, why }) => (
              <li key={revision} value={revision}>
                {what} <span class="muted">({why})</span>
              </li>
            ))}
          </ol>
        </section>
      )}
    </article>
  );
}

function Waiting({ asked: { trouble } }: { readonly asked: Asked<unknown> }) {
  return trouble ? <p role="alert">{trouble}</p> : <p class="muted">{words().shell.asking}</p>;
}

function Head({ incident }: { readonly incident: Incident }) {
  const { incident: text, status } = words();
  const { id, start, end, subject, story } = incident;
  const router = subject.router ?? null;
  const file = (extension: string): string => `/api/v1/incidents/${id}.${extension}`;
  return (
    <header class="card">
      <h2>
        <KindBadge incident={incident} />{" "}
        <span class={`state ${incident.status === "open" ? "bad" : "ended"}`}>{status[incident.status]}</span>
      </h2>
      <p class="summary lead">{incident.summary}</p>
      <IncidentFacts incident={incident} />
      {story !== undefined && <p class="story">{story}</p>}
      <p class="actions">
        <Link to={{ ...timelinePlace(router), range: around(start, end, serverNowUs()), incident: id }} class="button">
          {text.onTimeline}
        </Link>
        <a class="button" href={file("md")} download>
          {text.postMortem}
        </a>
        <a class="button" href={file("json")} download>
          JSON
        </a>
        <a class="button" href={file("pcapng")} download>
          {text.capture}
        </a>
        <button type="button" onClick={() => print()}>
          {text.print}
        </button>
      </p>
    </header>
  );
}

function Changes({ context }: { readonly context: Asked<IncidentContext> }) {
  const { zone } = useScene();
  if (!context.value) return <Waiting asked={context} />;
  const { changes } = context.value;
  if (changes.length === 0) return <p class="muted">{words().incident.noChange}</p>;
  return <EvidenceList evidence={changes} zone={zone} />;
}

/** A column a node, a row an event, on one corrected axis of time. */
function Logs({ incident, context }: { readonly incident: Incident; readonly context: IncidentContext }) {
  const { zone } = useScene();
  const [isLogOnly, setLogOnly] = useState(false);
  const text = words().incident;
  const { nodes, events, truncated, windows } = context;
  const wanted = isLogOnly ? events.filter(({ source }) => source === "log") : events;
  const shown = nearest(wanted, incident.start);
  const isCorrected = events.some(({ correctedTs }) => correctedTs !== undefined);
  const end = incident.end ?? Number.POSITIVE_INFINITY;
  return (
    <>
      <div class="filter">
        <label>
          <input type="checkbox" checked={isLogOnly} onChange={(event) => setLogOnly(event.currentTarget.checked)} />{" "}
          {text.logOnly}
        </label>
        <span class="muted">
          {windows
            .map(({ from, to }) => `${formatDateTime(from, zone)} – ${formatMicros(to, zone).slice(0, 8)}`)
            .join("; ")}{" "}
          {formatZone(incident.start, zone)}
        </span>
        {(truncated || shown.length < wanted.length) && (
          <span class="muted">{text.nearest(shown.length, wanted.length, truncated)}</span>
        )}
        {isCorrected && <span class="muted">{text.corrected}</span>}
      </div>
      {shown.length === 0 ? (
        <p class="muted">{text.nothing}</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={text.logs}>
          <table class="logs">
            <thead>
              <tr>
                <th scope="col">{text.when}</th>
                {nodes.map((node) => (
                  <th key={node} scope="col">
                    {node}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((event) => (
                <tr key={event.eventId} class={event.at >= incident.start && event.at <= end ? "during" : ""}>
                  <th scope="row" class="when">
                    {formatMicros(event.at, zone)}
                  </th>
                  {nodes.map((node) => (
                    <td key={node} data-node={node}>
                      {event.node === node && <Line event={event} />}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Line({ event: { source, text, line } }: { readonly event: ContextEvent }) {
  return (
    <>
      <span class={`source ${source}`}>{source}</span> {line && <span class="where">{line}</span>}
      <code>{text}</code>
    </>
  );
}

function nearest(events: readonly ContextEvent[], start: number): readonly ContextEvent[] {
  if (events.length <= ROWS_MAX) return events;
  return [...events]
    .sort((a, b) => Math.abs(a.at - start) - Math.abs(b.at - start))
    .slice(0, ROWS_MAX)
    .sort((a, b) => a.at - b.at);
}
