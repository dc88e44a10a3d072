import type { Event } from "../../collector/events/event.ts";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Edge, Span } from "./evidence.ts";
import { eventsBetween } from "./order.ts";
import type { Bar, ServiceLane, ServiceState } from "./view.ts";

/**
 * What one node's checkers say of its real servers and, by their quorum, of its virtual servers: keepalived's own by its log,
 * and the collector's by its probes, each for itself. Needs the events in the order of order.ts.
 */

/** Sources that tell of services. */
const TELLERS = ["log", "check"] as const;
type Teller = (typeof TELLERS)[number];

type Result = Extract<Event, { kind: "check.result" }>;
type SorryServer = Extract<Event, { kind: "check.sorry-server" }>;

/** A checker's finding this long before its server is taken out is why. */
const CAUSE_BEFORE_US = 60 * US_PER_SECOND;

export interface ServiceSpan extends Span {
  readonly node: string;
  readonly source: Teller;
  readonly virtualServer: string;
  /** null: the virtual server itself. */
  readonly realServer: string | null;
  readonly state: ServiceState;
  /** What a checker found, when it is known. */
  readonly result: Result | null;
  /** Its sorry server came in. */
  readonly sorry: SorryServer | null;
  /** It began so, with its daemon: the checkers had found nothing yet. */
  readonly initial: boolean;
}

/** Results that say why; of the others there is one a probe, and they say nothing that matters here. */
export function isTelling(event: Event): boolean {
  if (event.kind !== "check.result") return true;
  return event.outcome === "down" || (event.outcome === "failure" && event.source === "log");
}

export function readServices(events: readonly Event[]): ServiceSpan[] {
  return TELLERS.flatMap((source) => {
    const reader = new Reader(source);
    for (const event of events) reader.read(event);
    return reader.finish();
  });
}

class Reader {
  private readonly source: Teller;
  private readonly done: ServiceSpan[] = [];
  private readonly open = new Map<string, ServiceSpan>();
  private readonly results: Result[] = [];
  private readonly sorryServers: SorryServer[] = [];
  private isStopping = false;

  constructor(source: Teller) {
    this.source = source;
  }

  read(event: Event): void {
    if (event.source === "collector") return this.readCollector(event);
    if (event.source !== this.source) return;
    switch (event.kind) {
      case "check.result":
        if (event.outcome !== "success" && event.reason !== undefined) this.results.push(event);
        break;
      case "check.server-up":
        this.enter(event, event.virtualServer, event.realServer, "UP");
        break;
      case "check.server-down":
        // Up to 1.4.5 an orderly stop takes its servers out with the same words.
        if (this.isStopping) this.end(event, ({ realServer }) => realServer === event.realServer);
        else this.enter(event, event.virtualServer, event.realServer, "DOWN");
        break;
      case "check.server-gone":
        this.end(
          event,
          ({ virtualServer, realServer }) =>
            realServer === event.realServer && (event.virtualServer ?? virtualServer) === virtualServer,
        );
        break;
      case "check.quorum-gained":
        this.enter(event, event.virtualServer, null, "UP");
        break;
      case "check.quorum-lost":
        if (!this.isStopping) this.enter(event, event.virtualServer, null, "DOWN", event.initial);
        break;
      case "check.sorry-server":
        if (event.action === "added" || event.action === "enabled") this.sorryServers.push(event);
        break;
      case "check.activation":
        if (this.source === "check" && !event.active) this.pause(event, event.virtualServer, event.service);
        break;
      case "check.virtual-server":
        this.end(event, ({ virtualServer }) => virtualServer === event.virtualServer);
        break;
      default:
        this.readDaemon(event);
    }
  }

  /** The collector does not probe a server any more: nothing is claimed of it, nor of a quorum without any. */
  private pause(event: Event, virtualServer: string | undefined, realServer: string): void {
    this.end(event, (span) => span.realServer === realServer && span.virtualServer === virtualServer);
    const isLast = ![...this.open.values()].some(
      (span) => span.virtualServer === virtualServer && span.realServer !== null,
    );
    if (isLast) this.end(event, (span) => span.virtualServer === virtualServer);
  }

  finish(): ServiceSpan[] {
    return [...this.done, ...this.open.values()].map((span) => this.explained(span));
  }

  /** keepalived's checkers speak for as long as they run. */
  private readDaemon(event: Event): void {
    if (event.kind === "daemon.stopping") this.isStopping = true;
    const isOver =
      event.kind === "daemon.starting" ||
      (event.kind === "daemon.stopped" && (event.daemon === "parent" || event.daemon === "checker")) ||
      (event.kind === "daemon.child-exited" && event.daemon === "checker");
    if (event.kind === "daemon.starting") this.isStopping = false;
    if (isOver) this.end(event, () => true);
  }

  /** And the collector's for as long as it does. */
  private readCollector(event: Event): void {
    if (this.source === "check" && (event.kind === "collector.started" || event.kind === "collector.stopped"))
      this.end(event, () => true);
  }

  private enter(
    event: Event,
    virtualServer: string,
    realServer: string | null,
    state: ServiceState,
    initial = false,
  ): void {
    const key = keyOf(virtualServer, realServer);
    const before = this.open.get(key);
    if (before?.state === state) return;
    const at = edgeOf(event);
    if (before) this.done.push({ ...before, to: at });
    this.open.set(key, {
      node: event.node,
      source: this.source,
      virtualServer,
      realServer,
      state,
      from: at,
      to: null,
      result: null,
      sorry: null,
      initial,
    });
  }

  /** What one step of the checkers finds and does is of one instant, in no order. */
  private explained(span: ServiceSpan): ServiceSpan {
    const { state, realServer, virtualServer, from, to } = span;
    if (state === "UP") return span;
    return realServer === null
      ? { ...span, sorry: this.sorryServerWithin(virtualServer, from.ts, to?.ts ?? Number.MAX_SAFE_INTEGER) }
      : { ...span, result: this.resultBefore(realServer, from.ts) };
  }

  private resultBefore(realServer: string, ts: number): Result | null {
    const recent = eventsBetween(this.results, ts - CAUSE_BEFORE_US, ts);
    return recent.findLast(({ service }) => service === realServer) ?? null;
  }

  private sorryServerWithin(virtualServer: string, from: number, to: number): SorryServer | null {
    return eventsBetween(this.sorryServers, from, to).find((event) => event.virtualServer === virtualServer) ?? null;
  }

  private end(event: Event, which: (span: ServiceSpan) => boolean): void {
    for (const [key, span] of this.open) {
      if (!which(span)) continue;
      this.done.push({ ...span, to: edgeOf(event) });
      this.open.delete(key);
    }
  }
}

const edgeOf = (event: Event): Edge => ({ ts: event.ts, uncertaintyUs: event.tsUncertaintyUs, event, known: true });

/** What shows a span: why it began, its ends, and what came in instead. */
export function eventsOf({ result, from, sorry, to }: ServiceSpan): readonly Event[] {
  return [result, from.event, sorry, to?.event].filter((event) => event !== null && event !== undefined);
}

/**
 * What all nodes say. A node that is not seen any more may have been right when it was: its last word counts until another
 * one, still seen when it has been silent for so long, holds the service for up. What becomes of that one later changes nothing.
 */
export function spansOf(nodes: readonly NodeServices[], silentAfterUs: number): ServiceSpan[] {
  const ups = new Map<string, { readonly from: Edge; readonly seenTo: number }[]>();
  for (const { services, watchedTo } of nodes)
    for (const span of services) {
      if (span.state !== "UP") continue;
      const up = { from: span.from, seenTo: span.to?.ts ?? watchedTo };
      const known = ups.get(serviceKey(span));
      if (known) known.push(up);
      else ups.set(serviceKey(span), [up]);
    }
  return nodes.flatMap(({ services, watchedTo }) =>
    services.map((span) => {
      if (span.to !== null) return span;
      const [first] = (ups.get(serviceKey(span)) ?? [])
        .filter(({ seenTo }) => seenTo > watchedTo + silentAfterUs)
        .sort((a, b) => a.from.ts - b.from.ts || (a.from.event.id < b.from.event.id ? -1 : 1));
      return first ? { ...span, to: { ...first.from, ts: Math.max(watchedTo, first.from.ts), known: false } } : span;
    }),
  );
}

/** A stretch of time in which somebody holds a service for down. */
export interface Outage {
  readonly virtualServer: string;
  readonly realServer: string | null;
  readonly start: number;
  /** null while anybody does. */
  readonly end: number | null;
  readonly spans: readonly ServiceSpan[];
}

/** Joins what all nodes and sources say of each service: one outage, from the first word of it to the last. */
export function outagesOf(spans: readonly ServiceSpan[], slackUs: number): Outage[] {
  const outages: Outage[] = [];
  const down = spans.filter(({ state }) => state === "DOWN");
  for (const own of grouped(down, serviceKey)) {
    let last: Outage | undefined;
    for (const span of [...own].sort(compareSpans)) {
      const { virtualServer, realServer, from } = span;
      const to = span.to?.ts ?? null;
      if (last && (last.end === null || from.ts <= last.end + slackUs))
        last = {
          ...last,
          end: last.end === null || to === null ? null : Math.max(last.end, to),
          spans: [...last.spans, span],
        };
      else {
        if (last) outages.push(last);
        last = { virtualServer, realServer, start: from.ts, end: to, spans: [span] };
      }
    }
    if (last) outages.push(last);
  }
  return outages;
}

const keyOf = (virtualServer: string, realServer: string | null): string =>
  JSON.stringify([virtualServer, realServer ?? ""]);

const serviceKey = ({ virtualServer, realServer }: ServiceSpan): string => keyOf(virtualServer, realServer);

/** In the order of the keys. */
function grouped<T>(items: readonly T[], key: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** Total, so that what is made of it depends on the set of spans alone. */
function compareSpans(a: ServiceSpan, b: ServiceSpan): number {
  return a.from.ts - b.from.ts || (a.from.event.id < b.from.event.id ? -1 : 1);
}

export interface NodeServices {
  readonly node: string;
  readonly services: readonly ServiceSpan[];
  readonly watchedTo: number;
}

/** One lane a service, the virtual server before its real ones; one row a node and source. */
export function serviceLanes(
  nodes: readonly NodeServices[],
  isWanted: (virtualServer: string) => boolean,
): ServiceLane[] {
  const watchedTo = new Map(nodes.map((node) => [node.node, node.watchedTo]));
  const spans = nodes.flatMap(({ services }) => services).filter(({ virtualServer }) => isWanted(virtualServer));
  return grouped(spans, serviceKey).map((own) => {
    const { virtualServer, realServer } = own[0] as ServiceSpan;
    const rows = grouped(own, ({ node, source }) => JSON.stringify([node, source])).map((said) => {
      const { node, source } = said[0] as ServiceSpan;
      return { node, source, bars: [...said].sort(compareSpans).map(barOf), watchedTo: watchedTo.get(node) ?? 0 };
    });
    return { virtualServer, realServer, rows };
  });
}

function barOf(span: ServiceSpan): Bar {
  const { source, state, from, to } = span;
  return {
    source,
    state,
    from: from.ts,
    fromUncertaintyUs: from.uncertaintyUs,
    to: to?.ts ?? null,
    toUncertaintyUs: to?.uncertaintyUs ?? 0,
    eventIds: eventsOf(span).map(({ id }) => id),
  };
}
