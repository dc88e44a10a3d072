import type {
  AdvertPacket,
  AdvertTick,
  ConfigComparison,
  Delivery,
  EventKind,
  EventPage,
  Incident,
  IncidentContext,
  LiveMessage,
  NodeConfig,
  NodeSummary,
  Problem,
  RouterSummary,
  SearchPage,
  ServiceSummary,
  SqlInfo,
  SqlTable,
  Silence,
  SilenceDraft,
  Timeline,
} from "../server/api/types.ts";
import { clockOffsetMs } from "./clock.ts";
import type { SearchQuery } from "./location.ts";
import type { Range } from "./range.ts";
import { words } from "./text/language.ts";

/** Most ids in one question for events. */
const IDS_MAX = 100;
/** A live stream the server refused is tried again after this long, milliseconds. */
const RETRY_MS = 5_000;

let offsetMs = 0;

/** Now, on the server's clock, as far as its answers told it: epoch microseconds. */
export const serverNowUs = (): number => (Date.now() + offsetMs) * 1000;
/** How far this browser's clock is behind the server's, milliseconds; 0 when they agree. */
export const browserBehindMs = (): number => offsetMs;

/** The server's answer was an error, or there was none. The message is for the reader. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** Of the answer; 0 when there was none. */
  readonly status: number;
  readonly faults: NonNullable<Problem["faults"]>;
  constructor(message: string, status = 0, faults: NonNullable<Problem["faults"]> = []) {
    super(message);
    this.status = status;
    this.faults = faults;
  }
}

function get<T>(
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
  signal?: AbortSignal,
): Promise<T> {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value));
  return ask(`${path}${params.size > 0 ? `?${params}` : ""}`, {
    headers: { accept: "application/json" },
    ...(signal ? { signal } : {}),
  });
}

/** Changes something, or asks at length: for those who may, which a token may have to show. */
function change<T>(method: "POST" | "DELETE", path: string, token: string, body?: unknown): Promise<T> {
  return ask(path, {
    method,
    headers: {
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1/${path}`, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(words().shell.unreachable);
  }
  offsetMs = clockOffsetMs(response.headers.get("date"), Date.now());
  if (response.ok) return (await response.json()) as T;
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  const sentence = problem ? `${problem.title}: ${problem.detail}` : words().shell.answered(response.status);
  throw new ApiError(sentence, response.status, problem?.faults);
}

export const api = {
  routers: () => get<readonly RouterSummary[]>("routers"),
  nodes: () => get<readonly NodeSummary[]>("nodes"),
  config: (cluster: string, node: string) => get<NodeConfig>("configs", { cluster, node }),
  comparison: (router: string) => get<ConfigComparison>("configs/comparison", { router }),
  services: () => get<readonly ServiceSummary[]>("services"),
  incidents: () => get<readonly Incident[]>("incidents"),
  incident: (id: string) => get<Incident>(`incidents/${encodeURIComponent(id)}`),
  context: (id: string) => get<IncidentContext>(`incidents/${encodeURIComponent(id)}/context`),
  timeline: (router: string, { from, to }: Range, columns: number, signal?: AbortSignal) =>
    get<Timeline>("timeline", { router, from, to, columns }, signal),
  events: (ids: readonly string[]) =>
    ids.length === 0
      ? Promise.resolve<EventPage>({ events: [], truncated: false })
      : get<EventPage>("events", { ids: ids.slice(0, IDS_MAX).join(",") }),
  eventsOf: (
    whose: { readonly node: string; readonly cluster?: string },
    kinds: readonly EventKind[],
    { from, to }: Range,
    limit: number,
  ) => get<EventPage>("events", { ...whose, kinds: kinds.join(), from, to, limit }),
  search: (query: SearchQuery, after: string | null) =>
    get<SearchPage>("search", {
      ...Object.fromEntries(Object.entries(query).filter(([, value]) => value !== null)),
      ...(after === null ? {} : { after }),
    }),
  adverts: (router: string, { from, to }: Range, limit: number) =>
    get<EventPage>("adverts", { router, from, to, limit }),
  packet: (router: string, { node, sender, ts }: Pick<AdvertTick, "node" | "sender" | "ts">) =>
    get<AdvertPacket>("adverts/packet", { router, node, sender, ts }),
  /** The newest of a kind on a node up to an instant. */
  newest: (node: string, kind: EventKind, to: number, limit: number, cluster?: string) =>
    get<SearchPage>("search", { node, kind, to, limit, cluster }),
  silences: () => get<readonly Silence[]>("silences"),
  addSilence: (draft: SilenceDraft, token: string) => change<Silence>("POST", "silences", token, draft),
  endSilence: (id: string, token: string) => change<Silence>("DELETE", `silences/${encodeURIComponent(id)}`, token),
  sqlInfo: () => get<SqlInfo>("sql"),
  askSql: (sql: string, token: string) => change<SqlTable>("POST", "sql", token, { sql }),
  replayDelivery: (id: string, token: string) =>
    change<Delivery>("POST", `deliveries/${encodeURIComponent(id)}/replay`, token, {}),
  deliveries: (incidentId: string) => get<readonly Delivery[]>("deliveries", { incidentId }),
};

/** Follows what changes. @returns how to stop */
export function follow(
  onMessage: (message: LiveMessage) => void,
  onConnected: (connected: boolean) => void,
): () => void {
  let source: EventSource;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    source = new EventSource("/api/v1/live");
    source.onopen = () => onConnected(true);
    source.onerror = () => {
      onConnected(false);
      // The browser comes back by itself after a broken connection, but not after an error answer.
      if (source.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
    };
    source.onmessage = ({ data }: MessageEvent<string>) => onMessage(JSON.parse(data) as LiveMessage);
  };
  open();
  return () => {
    clearTimeout(retry);
    source.close();
  };
}
