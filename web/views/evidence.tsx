import { Fragment } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { AdvertTick, Event, EventKind, Incident, Marker, RouterSummary } from "../../server/api/types.ts";
import { api } from "../api.ts";
import type { Target } from "../charts/lanes.ts";
import { formatDateTime, formatDuration, formatMicros, formatZone, type Zone } from "../time.ts";
import { words } from "../text/language.ts";
import { Deliveries } from "./deliveries.tsx";
import { Before, EventItem, EvidenceList } from "./event-item.tsx";
import { AdvertDetails } from "./packet.tsx";
import { Reasoning } from "./reasoning.tsx";
import { Link, useAsked, useScene } from "./shared.tsx";
import { scopesOf, SilenceForm } from "./silences.tsx";

/** Adverts listed around a bar's beginning or an incident's start: the nearest. */
const ADVERTS_SHOWN = 60;
/** Adverts asked for to find the nearest among: at 10 ms, the fastest adverts there are, two nodes hear a few thousand. */
const ADVERTS_ASKED = 5_000;
/** How far around it they are asked for, microseconds. */
const ADVERTS_AROUND_US = 8_000_000;

interface Props {
  readonly target: Target;
  readonly router: RouterSummary | null;
  readonly incidents: readonly Incident[];
  readonly zone: Zone;
  readonly onClose: () => void;
}

export function EvidencePanel({ target, router, incidents, zone, onClose }: Props) {
  const panel = useRef<HTMLElement>(null);
  // Beside the timeline on a wide screen, far below it on a small one: it comes to the reader either way, and gives
  // the keyboard back to where it was.
  useLayoutEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <aside
      ref={panel}
      class="card panel"
      aria-label={words().incident.evidence}
      tabIndex={-1}
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <button type="button" class="close" onClick={onClose}>
        {words().evidence.close}
      </button>
      {target.kind === "incident" && (
        <IncidentEvidence
          id={target.id}
          listed={incidents.find(({ id }) => id === target.id)}
          router={router}
          zone={zone}
        />
      )}
      {target.kind === "bar" && <BarEvidence target={target} router={router} zone={zone} />}
      {target.kind === "marker" && <MarkerEvidence marker={target.marker} zone={zone} />}
      {target.kind === "advert" && <AdvertEvidence tick={target.tick} router={router} zone={zone} />}
    </aside>
  );
}

function IncidentEvidence({
  id,
  listed,
  router,
  zone,
}: {
  readonly id: string;
  readonly listed: Incident | undefined;
  readonly router: RouterSummary | null;
  readonly zone: Zone;
}) {
  const asked = useAsked(() => (listed ? Promise.resolve(listed) : api.incident(id)), [id, listed?.revision]);
  const incident = listed ?? asked.value;
  const deliveries = useAsked(() => api.deliveries(id), [id, incident?.revision]);
  if (!incident) return <p role={asked.trouble ? "alert" : "status"}>{asked.trouble ?? words().shell.asking}</p>;
  const { incident: text, status } = words();
  return (
    <>
      <h2>
        {incident.kind}{" "}
        <span class={`state ${incident.status === "open" ? "bad" : "ended"}`}>{status[incident.status]}</span>
      </h2>
      <p class="summary">{incident.summary}</p>
      <p>
        <Link to={{ page: "incident", id }}>{text.more}</Link>
      </p>
      <IncidentFacts incident={incident} />
      {incident.story !== undefined && <p class="story">{incident.story}</p>}
      <h3>{text.evidence}</h3>
      <EvidenceList evidence={incident.evidence} zone={zone} />
      <Adverts router={router} around={incident.start} zone={zone} />
      <h3>{text.told}</h3>
      <Deliveries incidentId={id} asked={deliveries} zone={zone} />
      <SilenceForm scopes={scopesOf(incident)} />
    </>
  );
}

export function IncidentFacts({ incident }: { readonly incident: Incident }) {
  const { zone, now } = useScene();
  const { incident: text, severity, certainty, overview } = words();
  const { start, end, cause, subject } = incident;
  return (
    <dl>
      <dt>{text.severity}</dt>
      <dd>
        {severity[incident.severity]}, {certainty[incident.certainty]}
      </dd>
      <dt>{text.from}</dt>
      <dd>
        {formatDateTime(start, zone)}
        <span class="muted">{formatMicros(start, zone).slice(8)}</span> {formatZone(start, zone)}
      </dd>
      <dt>{text.to}</dt>
      <dd>
        {end === null
          ? `${text.stillOpen}, ${overview.soFar(formatDuration(now - start))}`
          : `${formatDateTime(end, zone)} (${formatDuration(end - start)})`}
      </dd>
      <dt>{text.nodes}</dt>
      <dd>{subject.nodes.join(", ")}</dd>
      {SUBJECTS.map((name) =>
        subject[name] === undefined ? null : (
          <Fragment key={name}>
            <dt>{text.subject[name]}</dt>
            <dd>{subject[name]}</dd>
          </Fragment>
        ),
      )}
      <dt>{text.cause}</dt>
      <dd>{cause ? cause.text : text.notKnown}</dd>
    </dl>
  );
}

const SUBJECTS = ["router", "instance", "service", "component"] as const;

function MarkerEvidence({ marker, zone }: { readonly marker: Marker; readonly zone: Zone }) {
  const { value, trouble } = useAsked(() => api.events([marker.eventId]), [marker.eventId]);
  return (
    <>
      <h2>
        {marker.node}: {words().lanes.marks[marker.mark]}
      </h2>
      <p class="summary">{marker.text}</p>
      {trouble && <p role="alert">{trouble}</p>}
      <ol class="evidence">
        {value?.events.map((event) => (
          <Fragment key={event.id}>
            <EventItem event={event} zone={zone} />
            {event.kind === "config.loaded" && <li>{event.files.map(({ path }) => path).join(", ")}</li>}
          </Fragment>
        ))}
      </ol>
    </>
  );
}

/** An advert with all of its fields. */
function AdvertEvidence({
  tick,
  router,
  zone,
}: {
  readonly tick: AdvertTick;
  readonly router: RouterSummary | null;
  readonly zone: Zone;
}) {
  const { node, sender, ts } = tick;
  return (
    <>
      <h2>{words().lanes.advertOf(sender, tick.priority)}</h2>
      <p class="summary">
        {formatDateTime(ts, zone)}
        {formatMicros(ts, zone).slice(8)} {formatZone(ts, zone)}, {node}{" "}
        {tick.outgoing ? words().evidence.out : words().evidence.in}
      </p>
      {router && <AdvertDetails router={router.id} advert={tick} />}
    </>
  );
}

function BarEvidence({
  target,
  router,
  zone,
}: {
  target: Extract<Target, { kind: "bar" }>;
  router: RouterSummary | null;
  zone: Zone;
}) {
  const { node, service, bar } = target;
  const { value, trouble } = useAsked(() => api.events(bar.eventIds), [bar.eventIds.join()]);
  const text = words().evidence;
  return (
    <>
      <h2>
        {service ?? node}: {bar.state}
      </h2>
      <p class="summary">
        {(service === null ? text.says : text.serviceSays)[bar.source] ?? bar.source}
        {service === null ? "" : text.on(node)},{" "}
        {bar.to === null
          ? text.fromOn(formatDateTime(bar.from, zone))
          : text.fromTo(
              formatDateTime(bar.from, zone),
              formatDateTime(bar.to, zone),
              formatDuration(bar.to - bar.from),
            )}
        {bar.ended && `: ${text.ended[bar.ended]}`}.
      </p>
      {bar.fromUncertaintyUs > 0 && <p class="muted">{text.within(formatDuration(bar.fromUncertaintyUs))}</p>}
      {bar.source === "shadow" && value && (
        <Reasoning node={node} cluster={router?.cluster} bar={bar} told={value.events} zone={zone} />
      )}
      <h3>{words().incident.evidence}</h3>
      {trouble && <p role="alert">{trouble}</p>}
      <ol class="evidence">
        {value?.events.map((event) => (
          <EventItem key={event.id} event={event} zone={zone} />
        ))}
      </ol>
      {service === null && bar.source !== "shadow" && (
        <Before
          node={node}
          cluster={router?.cluster}
          kinds={CAUSE_KINDS}
          at={bar.from + bar.fromUncertaintyUs}
          title={text.before(node)}
          zone={zone}
        />
      )}
      <Adverts router={router} around={bar.from} zone={zone} />
    </>
  );
}

/** What may be why a node changes its state. */
const CAUSE_KINDS: readonly EventKind[] = [
  "script.result",
  "script.error",
  "track.process",
  "track.file",
  "track.bfd",
  "vrrp.interface",
  "vrrp.priority-changed",
  "vrrp.priority-set",
  "vrrp.advert-timeout",
  "vrrp.advert-higher-priority",
  "vrrp.advert-rejected",
  "vrrp.priority-zero-received",
  "vrrp.scheduler-stall",
  "vrrp.error",
  "daemon.starting",
  "daemon.stopping",
  "daemon.reloading",
  "daemon.child-exited",
  "daemon.error",
  "config.diagnostic",
];
export function Adverts({ router, around, zone }: { router: RouterSummary | null; around: number; zone: Zone }) {
  const range = {
    from: Math.max(0, Math.round(around - ADVERTS_AROUND_US)),
    to: Math.round(around + ADVERTS_AROUND_US),
  };
  const { value, trouble } = useAsked(
    () => (router ? api.adverts(router.id, range, ADVERTS_ASKED) : Promise.resolve(null)),
    [router?.id, around],
  );
  const [chosen, setChosen] = useState<Event | null>(null);
  const shown = nearest(value?.events ?? [], around, ADVERTS_SHOWN);
  const text = words().evidence;
  return (
    <details class="adverts-list">
      <summary>{text.adverts(formatMicros(around, zone).slice(0, 8))}</summary>
      {trouble && <p role="alert">{trouble}</p>}
      {value?.events.length === 0 && <p class="muted">{text.noAdvert}</p>}
      {value && value.events.length > shown.length && (
        <p class="muted">{words().incident.nearest(shown.length, value.events.length, value.truncated)}</p>
      )}
      <table>
        <thead>
          <tr>
            <th scope="col">{text.columns[0]}</th>
            <th scope="col">{text.columns[1]}</th>
            <th scope="col">{text.columns[2]}</th>
            <th scope="col">{text.columns[3]}</th>
            <th scope="col">{text.columns[4]}</th>
            <th scope="col">{text.columns[5]}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(
            (event) =>
              event.kind === "wire.advert" && (
                <tr key={event.id}>
                  <td>
                    <button
                      type="button"
                      aria-label={words().packet.show(formatMicros(event.ts, zone))}
                      aria-expanded={chosen?.id === event.id}
                      onClick={() => setChosen(chosen?.id === event.id ? null : event)}
                    >
                      {formatMicros(event.ts, zone)}
                    </button>
                  </td>
                  <td>
                    {event.node} {event.outgoing ? text.out : text.in}
                  </td>
                  <td>{event.peer}</td>
                  <td>{event.priority}</td>
                  <td>{formatDuration(event.advertIntervalUs)}</td>
                  <td>{event.vips.join(", ")}</td>
                </tr>
              ),
          )}
        </tbody>
      </table>
      {router && chosen?.kind === "wire.advert" && (
        <div class="chosen" role="status">
          <AdvertDetails
            key={chosen.id}
            router={router.id}
            advert={{ node: chosen.node, sender: chosen.peer, ts: chosen.ts }}
          />
        </div>
      )}
    </details>
  );
}

/** The `most` events nearest to an instant, in order of time. */
function nearest(events: readonly Event[], at: number, most: number): readonly Event[] {
  if (events.length <= most) return events;
  return [...events]
    .sort((a, b) => Math.abs(a.ts - at) - Math.abs(b.ts - at))
    .slice(0, most)
    .sort((a, b) => a.ts - b.ts);
}
