import type { Range } from "./range.ts";
import { isZone, type Zone } from "./time.ts";

/** What the timeline shows: exactly what is seen, so that it can be handed on. */
export interface TimelinePlace {
  readonly page: "timeline";
  readonly router: string | null;
  /** null: following live. */
  readonly range: Range | null;
  readonly incident: string | null;
  /** The bar whose evidence is shown. */
  readonly bar: BarPlace | null;
  /** null: the reader's own choice. */
  readonly zone: Zone | null;
}

/** Enough to find a bar again. */
export interface BarPlace {
  readonly node: string;
  readonly service: string | null;
  readonly source: string;
  readonly from: number;
}

/** Which events are looked for; null for any. */
export interface SearchQuery {
  readonly text: string | null;
  readonly node: string | null;
  /** What their kind begins with. */
  readonly kind: string | null;
  readonly severity: string | null;
  /** Epoch microseconds. */
  readonly from: number | null;
  readonly to: number | null;
}

export const NO_QUERY: SearchQuery = { text: null, node: null, kind: null, severity: null, from: null, to: null };

export interface SqlPlace {
  readonly page: "sql";
  /** null: none yet. */
  readonly query: string | null;
}

/** What the address shows. */
export type Place =
  | { readonly page: "overview" }
  | TimelinePlace
  | { readonly page: "incidents" }
  | { readonly page: "nodes" }
  | { readonly page: "node"; readonly cluster: string; readonly node: string }
  | { readonly page: "search"; readonly query: SearchQuery }
  | SqlPlace
  | { readonly page: "incident"; readonly id: string };

const INCIDENT = /^[0-9a-f]{32}$/;

/**
 * A path that is no page, or an id that is none, shows the overview. Links of the mails and webhooks of older versions lead
 * to the root: `/?router=…&incident=…`.
 */
export function readPlace(path: string, search: string): Place {
  const params = new URLSearchParams(search);
  const [page = "", id = "", ...rest] = path.split("/").slice(1);
  if (rest.length > 0) return { page: "overview" };
  switch (page) {
    case "timeline":
      return timelineOf(params);
    case "search":
      return id === "sql" ? { page: "sql", query: params.get("query") } : { page: "search", query: searchOf(params) };
    case "nodes": {
      const [cluster, node] = [params.get("cluster"), params.get("node")];
      return cluster && node ? { page: "node", cluster, node } : { page: "nodes" };
    }
    case "incidents":
      if (id === "") return { page: "incidents" };
      return INCIDENT.test(id) ? { page: "incident", id } : { page: "incidents" };
    default: {
      const timeline = timelineOf(params);
      if (timeline.incident !== null && timeline.range === null) return { page: "incident", id: timeline.incident };
      const isTimeline = timeline.router !== null || timeline.range !== null || timeline.incident !== null;
      return isTimeline ? timeline : { page: "overview" };
    }
  }
}

function timelineOf(params: URLSearchParams): TimelinePlace {
  const from = instant(params.get("from"));
  const to = instant(params.get("to"));
  const incident = params.get("incident") ?? "";
  const zone = params.get("zone");
  return {
    page: "timeline",
    router: params.get("router"),
    range: from !== null && to !== null && from < to ? { from, to } : null,
    incident: INCIDENT.test(incident) ? incident : null,
    bar: barOf(params.get("bar")),
    zone: zone !== null && isZone(zone) ? zone : null,
  };
}

/** The address that shows it. */
export function hrefOf(place: Place): string {
  switch (place.page) {
    case "overview":
      return "/";
    case "search":
      return `/search${paramsOf(place.query)}`;
    case "sql":
      return `/search/sql${place.query === null ? "" : `?${new URLSearchParams({ query: place.query }).toString()}`}`;
    case "nodes":
      return "/nodes";
    case "node":
      return `/nodes?${new URLSearchParams({ cluster: place.cluster, node: place.node }).toString()}`;
    case "incidents":
      return "/incidents";
    case "incident":
      return `/incidents/${place.id}`;
    case "timeline":
      return `/timeline${queryOf(place)}`;
  }
}

/** `wire@1795517714109312@lb2`, and a service behind another `@`. */
function barOf(text: string | null): BarPlace | null {
  const [source = "", at = "", node = "", ...service] = text?.split("@") ?? [];
  const from = instant(at);
  if (!/^[a-z]+$/.test(source) || from === null || node === "") return null;
  return { source, from, node, service: service.length > 0 ? service.join("@") : null };
}

function queryOf({ router, range, incident, bar, zone }: TimelinePlace): string {
  const params = new URLSearchParams();
  if (router !== null) params.set("router", router);
  if (range) {
    params.set("from", String(range.from));
    params.set("to", String(range.to));
  }
  if (incident !== null) params.set("incident", incident);
  if (bar !== null)
    params.set("bar", [bar.source, bar.from, bar.node, ...(bar.service === null ? [] : [bar.service])].join("@"));
  if (zone !== null) params.set("zone", zone);
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

function searchOf(params: URLSearchParams): SearchQuery {
  return {
    text: params.get("text"),
    node: params.get("node"),
    kind: params.get("kind"),
    severity: params.get("severity"),
    from: instant(params.get("from")),
    to: instant(params.get("to")),
  };
}

/** As a query of an address; nothing for null. */
export function paramsOf(values: SearchQuery): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== null) params.set(name, String(value));
  return params.size > 0 ? `?${params}` : "";
}

/** The live timeline of a router. */
export const timelinePlace = (router: string | null): TimelinePlace => ({
  page: "timeline",
  router,
  range: null,
  incident: null,
  bar: null,
  zone: null,
});

function instant(text: string | null): number | null {
  if (text === null || !/^\d{1,16}$/.test(text)) return null;
  const us = Number(text);
  return Number.isSafeInteger(us) ? us : null;
}
