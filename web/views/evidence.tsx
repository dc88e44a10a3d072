import { type ComponentChildren, Fragment } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type {
  AdvertTick,
  Event,
  EventKind,
  Evidence,
  Incident,
  Marker,
  RouterSummary,
} from "../../server/api/types.ts";
import { api } from "../api.ts";
import type { Target } from "../charts/lanes.ts";
import { formatDateTime, formatDuration, formatMicros, formatZone, type Zone } from "../time.ts";
import { words } from "../text/language.ts";
import { Deliveries } from "./deliveries.tsx";
import { Link, useAsked, useScene } from "./shared.tsx";
import { scopesOf, SilenceForm } from "./silences.tsx";

/** Adverts listed around a bar's beginning or an incident's start: the nearest. */
const ADVERTS_SHOWN = 60;
/** Adverts asked for to find the nearest among: at 10 ms, the fastest adverts there are, two nodes hear a few thousand. */
const ADVERTS_ASKED = 5_000;
/** How far around it they are asked for, microseconds. */
const ADVERTS_AROUND_US = 8_000_000;

/** An instant known better than this is shown without a word about it, microseconds. */
const SHARP_US = 1_000;

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

/** In order of time, as the reference's clock has it where the node's is off. */
export function EvidenceList({ evidence, zone }: { readonly evidence: readonly Evidence[]; readonly zone: Zone }) {
  return (
    <ol class="evidence">
      {evidence.map(({ eventId, node, source, ts, correctedTs, line, text }) => (
        <li key={`${eventId} ${source} ${ts} ${text}`}>
          <span class="when">{formatMicros(correctedTs ?? ts, zone)}</span>
          {correctedTs !== undefined && (
            <span class="muted"> {words().evidence.byOwnClock(formatMicros(ts, zone))}</span>
          )}{" "}
          <strong>{node}</strong> <span class={`source ${source}`}>{source}</span>{" "}
          {line && <span class="where">{line}</span>}
          <code>{text}</code>
        </li>
      ))}
    </ol>
  );
}

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
  const { value, trouble } = useAsked(
    () => (router ? api.adverts(router.id, { from: ts, to: ts }, 100) : Promise.resolve(null)),
    [router?.id, ts],
  );
  const advert = value?.events.find(
    (event) => event.kind === "wire.advert" && event.node === node && event.peer === sender,
  );
  return (
    <>
      <h2>{words().lanes.advertOf(sender, tick.priority)}</h2>
      <p class="summary">
        {formatDateTime(ts, zone)}
        {formatMicros(ts, zone).slice(8)} {formatZone(ts, zone)}, {node}{" "}
        {tick.outgoing ? words().evidence.out : words().evidence.in}
      </p>
      {trouble && <p role="alert">{trouble}</p>}
      {advert && (
        <dl class="fields">
          {Object.entries(advert)
            .filter(([name]) => !NO_FIELD.has(name))
            .map(([name, field]) => (
              <Fragment key={name}>
                <dt>{name}</dt>
                <dd>{Array.isArray(field) ? field.join(", ") : String(field)}</dd>
              </Fragment>
            ))}
        </dl>
      )}
    </>
  );
}

/** What is not of the advert but of how it was kept. */
const NO_FIELD: ReadonlySet<string> = new Set(["id", "cluster", "node", "source", "kind", "ts", "tsUncertaintyUs"]);

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
      <h3>{words().incident.evidence}</h3>
      {trouble && <p role="alert">{trouble}</p>}
      <ol class="evidence">
        {value?.events.map((event) => (
          <EventItem key={event.id} event={event} zone={zone} />
        ))}
      </ol>
      {service === null && (
        <Before node={node} cluster={router?.cluster} at={bar.from + bar.fromUncertaintyUs} zone={zone} />
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
/** How long before it they are looked for: a script may fail several times before it counts. */
const BEFORE_US = 15_000_000;
const BEFORE_SHOWN = 40;
const BEFORE_ASKED = 1_000;

/** The node's own words that led up to it. */
function Before({
  node,
  cluster,
  at,
  zone,
}: {
  readonly node: string;
  readonly cluster: string | undefined;
  readonly at: number;
  readonly zone: Zone;
}) {
  const { value, trouble } = useAsked(
    () =>
      api.eventsOf(
        { node, ...(cluster === undefined ? {} : { cluster }) },
        CAUSE_KINDS,
        { from: Math.max(0, Math.round(at) - BEFORE_US), to: Math.round(at) + 1 },
        BEFORE_ASKED,
      ),
    [node, cluster, at],
  );
  if (trouble) return <p role="alert">{trouble}</p>;
  // A hint is about what might happen.
  const events = value?.events.filter((event) => event.kind !== "config.diagnostic" || event.severity !== "hint") ?? [];
  if (events.length === 0) return null;
  return (
    <>
      <h3>{words().evidence.before(node)}</h3>
      <ol class="evidence before">
        {events.slice(-BEFORE_SHOWN).map((event) => (
          <EventItem key={event.id} event={event} zone={zone} />
        ))}
      </ol>
    </>
  );
}

/** @param withDate  where the day is not told beside it */
export function EventItem({
  event,
  zone,
  withDate = false,
  children,
}: {
  readonly event: Event;
  readonly zone: Zone;
  readonly withDate?: boolean;
  readonly children?: ComponentChildren;
}) {
  return (
    <li>
      <span class="when">
        {withDate && `${formatDateTime(event.ts, zone).slice(0, 11)}`}
        {formatMicros(event.ts, zone)}
      </span>
      {event.tsUncertaintyUs >= SHARP_US && (
        <span class="muted"> {words().evidence.orLater(formatDuration(event.tsUncertaintyUs))}</span>
      )}{" "}
      <strong>{event.node}</strong> <span class={`source ${event.source}`}>{event.source}</span>{" "}
      {event.at && <span class="where">{event.at}</span>}
      <code>{event.raw ?? sentenceOf(event)}</code>
      {children}
    </li>
  );
}

function sentenceOf(event: Event): string {
  switch (event.kind) {
    case "wire.master-seen":
      return `sends adverts of VRID ${event.vrid} with priority ${event.priority} from ${event.peer} on ${event.interface}`;
    case "wire.master-gone":
      return `no more adverts of VRID ${event.vrid} from ${event.peer} (${event.reason})`;
    case "kernel.address-added":
      return `${event.address}/${event.prefixLength} added to ${event.interface}`;
    case "kernel.address-removed":
      return `${event.address}/${event.prefixLength} removed from ${event.interface}`;
    case "config.diagnostic":
      return `${event.file === undefined ? "" : `${event.file}:${event.line ?? 1}: `}${event.message}`;
    case "check.result":
      return `${event.checker} check of ${event.service ?? "a server"}: ${event.outcome}${event.reason === undefined ? "" : `, ${event.reason}`}${event.status === undefined ? "" : `, status ${event.status}`}`;
    case "check.server-up":
    case "check.server-down":
      return `real server ${event.realServer} of ${event.virtualServer} ${event.action}`;
    case "check.quorum-lost":
    case "check.quorum-gained":
      return `quorum of ${event.virtualServer} ${event.kind === "check.quorum-lost" ? "lost" : "gained"}${event.weight === undefined ? "" : `: weight ${event.weight} of ${event.quorum ?? "?"}`}`;
    case "check.sorry-server":
      return `sorry server ${event.sorryServer} of ${event.virtualServer} ${event.action}`;
    case "kernel.addresses":
      return `the kernel's addresses when the collector began: ${event.addresses.map(({ address }) => address).join(", ")}`;
    default:
      return event.kind;
  }
}

export function Adverts({ router, around, zone }: { router: RouterSummary | null; around: number; zone: Zone }) {
  const range = {
    from: Math.max(0, Math.round(around - ADVERTS_AROUND_US)),
    to: Math.round(around + ADVERTS_AROUND_US),
  };
  const { value, trouble } = useAsked(
    () => (router ? api.adverts(router.id, range, ADVERTS_ASKED) : Promise.resolve(null)),
    [router?.id, around],
  );
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
                  <td>{formatMicros(event.ts, zone)}</td>
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
