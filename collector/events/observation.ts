import { eventId } from "./id.ts";
import { type Event, type EventBody, type EventKind, RAW_MAX_CHARS, type Source } from "./event.ts";

/**
 * What a reader (log, capture, kernel, configuration) makes of its input, before it is known for which cluster and node:
 * an event without identity. Live sources and offline inputs produce the same observations from the same bytes.
 */
export interface Observation {
  readonly source: Source;
  readonly ts: number;
  readonly tsUncertaintyUs: number;
  /** What makes it unique on its node: for a log line the file's fingerprint and byte offset. */
  readonly idParts: readonly (string | number)[];
  /** The node the line itself names (syslog hostname), when it does. */
  readonly host?: string;
  readonly pid?: number;
  readonly at?: string;
  readonly raw?: string;
  readonly repeated?: number;
  readonly body: EventBody;
  /** The body in JSON, when it is at hand: most of what is captured repeats. */
  readonly bodyJson?: string;
}

export interface Identity {
  readonly cluster: string;
  readonly node: string;
}

/** Gives an observation its identity. @param observedTs epoch microseconds; for recorded input use the observation's own `ts`. */
export function toEvent(seen: Observation, identity: Identity, observedTs: number): Event {
  const cut = seen.raw !== undefined && seen.raw.length > RAW_MAX_CHARS;
  // Half a character at the end would make ClickHouse refuse the whole batch.
  const raw = cut ? seen.raw.slice(0, RAW_MAX_CHARS).replace(/[\ud800-\udbff]$/, "") : seen.raw;
  return {
    id: eventId(identity.node, seen.source, ...seen.idParts),
    cluster: identity.cluster,
    node: identity.node,
    source: seen.source,
    ts: seen.ts,
    tsUncertaintyUs: seen.tsUncertaintyUs,
    observedTs,
    ...(seen.pid === undefined ? {} : { pid: seen.pid }),
    ...(seen.at === undefined ? {} : { at: seen.at }),
    ...(raw === undefined ? {} : { raw }),
    ...(cut ? { rawTruncated: true } : {}),
    ...(seen.repeated === undefined ? {} : { repeated: seen.repeated }),
    ...seen.body,
  } as Event;
}

/** An event as it goes over the wire. */
export interface EventJson {
  readonly kind: EventKind;
  readonly json: string;
}

/** The JSON of `toEvent`, put together around a body that is at hand in JSON. */
export function toEventJson(seen: Observation, identity: Identity, observedTs: number): EventJson {
  const { source, ts, tsUncertaintyUs, body, at } = seen;
  const bodyJson = at === undefined ? seen.bodyJson : undefined;
  if (bodyJson === undefined) return { kind: body.kind, json: JSON.stringify(toEvent(seen, identity, observedTs)) };
  const id = eventId(identity.node, source, ...seen.idParts);
  const when = `"source":"${source}","ts":${ts},"tsUncertaintyUs":${tsUncertaintyUs},"observedTs":${observedTs}`;
  return { kind: body.kind, json: `{"id":"${id}",${whoseOf(identity)},${when},${bodyJson.slice(1)}` };
}

const whose = new WeakMap<Identity, string>();

function whoseOf(identity: Identity): string {
  const known = whose.get(identity);
  if (known !== undefined) return known;
  const json = `"cluster":${JSON.stringify(identity.cluster)},"node":${JSON.stringify(identity.node)}`;
  whose.set(identity, json);
  return json;
}
