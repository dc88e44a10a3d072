import type { ComponentChildren } from "preact";
import type { Event, EventKind, Evidence } from "../../server/api/types.ts";
import { api } from "../api.ts";
import { words } from "../text/language.ts";
import { formatDateTime, formatDuration, formatMicros, type Zone } from "../time.ts";
import { useAsked } from "./shared.tsx";

/** An instant known better than this is shown without a word about it, microseconds. */
const SHARP_US = 1_000;

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
    case "kernel.link":
      return `${event.interface} is ${event.up ? "up" : "down"}`;
    case "process.started":
    case "process.gone":
      return `${event.daemon ?? "a process"} of keepalived ${event.kind === "process.started" ? "was started" : "is gone"}`;
    case "process.state":
      return `${event.daemon ?? "a process"} of keepalived is ${event.state}, was ${event.previousState}`;
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
    case "shadow.state":
    case "shadow.following":
    case "shadow.priority":
    case "shadow.advert-rejected":
    case "shadow.near-miss":
    case "shadow.divergence":
      return shadowSentence(event);
    default:
      return event.kind;
  }
}

type ShadowEvent = Extract<Event, { readonly source: string; readonly kind: `shadow.${string}` }>;

/** What the shadow says, in the reader's language; a divergence in the collector's words. */
function shadowSentence(event: ShadowEvent): string {
  const text = words().shadow;
  const instance = event.instance ?? "";
  switch (event.kind) {
    case "shadow.state":
      return `${instance}: ${event.previousState === undefined ? "" : `${event.previousState} → `}${event.state}. ${causeOf(event.cause)}`;
    case "shadow.following":
      return event.following ? text.follows(instance) : text.lost(instance, event.reason ?? "");
    case "shadow.priority":
      return text.priority(instance, event.from, event.to);
    case "shadow.advert-rejected":
      return event.over
        ? text.accepted(instance, event.peer)
        : text.rejected(instance, event.peer, text.refusals[event.reason] ?? event.reason);
    case "shadow.near-miss":
      return text.nearMiss(instance, event.peer, event.missed, Math.round(event.marginUsed * 100));
    case "shadow.divergence":
      return event.message;
  }
}

export const causeOf = (code: string): string => words().shadow.causes[code] ?? words().shadow.otherCause(code);

/** How long before it they are looked for: a script may fail several times before it counts. */
const BEFORE_US = 15_000_000;
const BEFORE_SHOWN = 40;
const BEFORE_ASKED = 1_000;

/** What a node told, of these kinds, in the seconds before an instant. @param none  what to say when it told nothing */
export function Before({
  node,
  cluster,
  kinds,
  at,
  title,
  none,
  zone,
}: {
  readonly node: string;
  readonly cluster: string | undefined;
  readonly kinds: readonly EventKind[];
  readonly at: number;
  readonly title: string;
  readonly none?: string;
  readonly zone: Zone;
}) {
  const { value, trouble } = useAsked(
    () =>
      api.eventsOf(
        { node, ...(cluster === undefined ? {} : { cluster }) },
        kinds,
        { from: Math.max(0, Math.round(at) - BEFORE_US), to: Math.round(at) + 1 },
        BEFORE_ASKED,
      ),
    [node, cluster, kinds, at],
  );
  if (trouble) return <p role="alert">{trouble}</p>;
  // A hint is about what might happen.
  const events = value?.events.filter((event) => event.kind !== "config.diagnostic" || event.severity !== "hint") ?? [];
  if (!value || (events.length === 0 && none === undefined)) return null;
  return (
    <>
      <h3>{title}</h3>
      {events.length === 0 && <p class="muted">{none}</p>}
      <ol class="evidence before">
        {events.slice(-BEFORE_SHOWN).map((event) => (
          <EventItem key={event.id} event={event} zone={zone} />
        ))}
      </ol>
    </>
  );
}
