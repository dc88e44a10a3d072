import { useState } from "preact/hooks";
import type { Incident } from "../../server/api/types.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatDuration } from "../time.ts";
import { KindBadge, Link, useScene } from "./shared.tsx";

/** Listed at once: more than anyone reads. */
const LISTED_MAX = 200;

const STATUSES = ["open", "resolved", "withdrawn"] as const;

/** All incidents, newest first. */
export function IncidentsPage() {
  const { incidents } = useScene();
  const [filter, setFilter] = useState("");
  const [status, setStatus] = useState("");
  const text = words().incidents;
  const found = incidents.filter((incident) => (status === "" || incident.status === status) && has(incident, filter));
  return (
    <section class="card" aria-labelledby="incidents-title">
      <h2 id="incidents-title">{text.title}</h2>
      <div class="filter" role="search">
        <label>
          {words().overview.filter}{" "}
          <input
            type="search"
            value={filter}
            placeholder={text.filterHint}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </label>
        <label>
          {text.status}{" "}
          <select value={status} onChange={(event) => setStatus(event.currentTarget.value)}>
            <option value="">{text.anyStatus}</option>
            {STATUSES.map((one) => (
              <option key={one} value={one}>
                {words().status[one]}
              </option>
            ))}
          </select>
        </label>
        <span class="muted" role="status">
          {words().overview.shown(found.length, incidents.length)}
        </span>
      </div>
      {found.length === 0 && <p class="muted">{text.none}</p>}
      <IncidentList incidents={found.slice(0, LISTED_MAX)} />
      {found.length > LISTED_MAX && <p class="muted">{text.more(found.length - LISTED_MAX)}</p>}
    </section>
  );
}

function has({ kind, summary, subject, cause, cluster }: Incident, filter: string): boolean {
  const text = [
    kind,
    summary,
    cluster,
    subject.router ?? "",
    subject.service ?? "",
    ...subject.nodes,
    cause?.code ?? "",
  ]
    .join(" ")
    .toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function IncidentList({ incidents }: { readonly incidents: readonly Incident[] }) {
  const { zone, now } = useScene();
  const { overview, severity } = words();
  return (
    <ul class="incidents">
      {incidents.map((incident) => (
        <li key={incident.id}>
          <Link to={{ page: "incident", id: incident.id }} class="incident-item">
            <span>
              <KindBadge incident={incident} /> <span class="muted">{severity[incident.severity]}</span>
            </span>
            <span class="muted">
              {formatDateTime(incident.start, zone)},{" "}
              {incident.end === null
                ? overview.soFar(formatDuration(now - incident.start))
                : formatDuration(incident.end - incident.start)}
            </span>
            <span class="summary">{incident.summary}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
