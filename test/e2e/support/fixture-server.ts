import { createReadStream, existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { packetOf } from "../../../server/api/packet.ts";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type {
  AdvertBucket,
  AdvertTick,
  Bar,
  ConfigComparison,
  Delivery,
  Event,
  Incident,
  IncidentContext,
  Lane,
  LiveMessage,
  Marker,
  NodeConfig,
  NodeSummary,
  Problem,
  RouterSummary,
  ServiceLane,
  ServiceSummary,
  Silence,
  SilenceDraft,
  SqlInfo,
  SqlTable,
} from "../../../server/api/types.ts";

/** What the API of the fixture answers; a test changes it and tells the page so. */
export interface FixtureState {
  routers: readonly RouterSummary[];
  nodes: readonly NodeSummary[];
  lanes: readonly Lane[];
  services: readonly ServiceLane[];
  servicesNow: readonly ServiceSummary[];
  incidents: readonly Incident[];
  /** Of every incident. */
  context: IncidentContext;
  events: readonly Event[];
  adverts: readonly Event[];
  buckets: readonly AdvertBucket[];
  ticks: readonly AdvertTick[];
  markers: readonly Marker[];
  deliveries: readonly Delivery[];
  silences: readonly Silence[];
  config: NodeConfig;
  comparison: ConfigComparison;
  sql: SqlInfo;
  /** Of every question. */
  sqlTable: SqlTable;
}

/** The server's own policy, word for word, so that the page is held against it without the server. */
export const POLICY = "default-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none';object-src 'none'";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The built page, canned answers and a live stream that a test pushes. */
export class FixtureServer {
  state: FixtureState;
  /** Every question for data, path and query, in order. */
  readonly asked: string[] = [];
  /** Every request to change something, in order. */
  readonly changes: { readonly what: string; readonly body: string; readonly authorization: string | undefined }[] = [];
  /** Paths under /api/v1/ that answer this instead. */
  readonly problems = new Map<string, Problem>();
  private readonly folder: string;
  private readonly nowUs: () => number;
  private readonly streams = new Set<ServerResponse>();
  private readonly http = createServer((request, response) => void this.answer(request, response));

  /** @param folder  the built page  @param nowUs  the server's clock, which its answers carry */
  constructor(folder: string, state: FixtureState, nowUs: () => number) {
    this.folder = folder;
    this.state = state;
    this.nowUs = nowUs;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.http.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  tell(message: LiveMessage): void {
    for (const stream of this.streams) stream.write(`data: ${JSON.stringify(message)}\n\n`);
  }

  /** Pages that follow live. */
  get followers(): number {
    return this.streams.size;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fixture");
    response.setHeader("content-security-policy", POLICY);
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("date", new Date(this.nowUs() / 1000).toUTCString());
    if (!url.pathname.startsWith("/api/v1/")) return this.answerFile(url.pathname, response);
    const path = url.pathname.slice("/api/v1/".length);
    if (path === "live") return this.answerLive(response);
    if (request.method !== "GET") return void this.answerChange(request, path, response);
    this.asked.push(path + url.search);
    const problem = this.problems.get(path);
    const body = problem ?? (await this.answerOf(path, url.searchParams));
    const status = problem?.status ?? (body === undefined ? 404 : 200);
    response.writeHead(status, { "content-type": status === 200 ? "application/json" : "application/problem+json" });
    response.end(JSON.stringify(body ?? { type: "about:blank", title: "Not found", status: 404, detail: path }));
  }

  /** A silence is made or ended; `problems` may have an answer for `POST silences`. */
  private async answerChange(request: IncomingMessage, path: string, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString("utf8");
    this.changes.push({ what: `${request.method} ${path}`, body, authorization: request.headers.authorization });
    const problem = this.problems.get(`${request.method} ${path}`);
    const now = this.nowUs();
    if (problem) {
      response.writeHead(problem.status, { "content-type": "application/problem+json" });
    } else if (path.endsWith("/replay")) {
      const [, id] = path.split("/");
      const [first] = this.state.deliveries.filter((one) => one.id === id);
      const again = {
        ...first,
        id: "7".repeat(32),
        status: "pending",
        attempts: 0,
        lastError: null,
        replayOf: id,
      } as Delivery;
      this.state.deliveries = [...this.state.deliveries, again];
      response.writeHead(201, { "content-type": "application/json" });
      return void response.end(JSON.stringify(again));
    } else if (path === "sql") {
      response.writeHead(200, { "content-type": "application/json" });
      return void response.end(JSON.stringify(this.state.sqlTable));
    } else if (request.method === "POST") {
      const draft = JSON.parse(body) as SilenceDraft;
      const made: Silence = { startsTs: now, ...draft, id: "5".repeat(32), createdTs: now };
      this.state.silences = [made, ...this.state.silences];
      response.writeHead(201, { "content-type": "application/json" });
    } else {
      this.state.silences = this.state.silences.map((silence) =>
        path.endsWith(silence.id) ? { ...silence, endsTs: now } : silence,
      );
      response.writeHead(200, { "content-type": "application/json" });
    }
    response.end(JSON.stringify(problem ?? this.state.silences[0] ?? {}));
  }

  private answerFile(pathname: string, response: ServerResponse): void {
    const name = extname(pathname) === "" ? "index.html" : pathname.slice(1);
    const file = join(this.folder, name);
    if (!/^[\w.-]+(\/[\w.-]+)?$/.test(name) || name.includes("..") || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  }

  private answerLive(response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    response.write("retry: 200\n\n");
    this.streams.add(response);
    response.on("close", () => this.streams.delete(response));
  }

  private answerOf(path: string, query: URLSearchParams): unknown {
    const { state } = this;
    const from = Number(query.get("from") ?? 0);
    const to = Number(query.get("to") ?? Number.MAX_SAFE_INTEGER);
    const within = ({ ts }: { readonly ts: number }): boolean => ts >= from && ts <= to;
    const wanted = state.routers.find(({ id }) => id === query.get("router"));
    switch (path) {
      case "routers":
        return state.routers;
      case "nodes":
        return state.nodes;
      case "configs":
        return query.get("node") === state.config.node ? state.config : undefined;
      case "configs/comparison":
        return wanted && state.comparison;
      case "services":
        return state.servicesNow;
      case "incidents":
        return state.incidents;
      case "timeline":
        return (
          wanted && {
            router: wanted,
            from,
            to,
            ...this.laneAnswer(from, to),
            adverts: state.buckets.filter(within),
            ticks: state.ticks.filter(within),
            markers: state.markers.filter(within),
          }
        );
      case "adverts":
        return wanted && { events: state.adverts.filter(within), truncated: false };
      case "adverts/packet":
        return (
          wanted &&
          packetOf(
            wanted,
            { node: query.get("node") ?? "", sender: query.get("sender") ?? "", ts: Number(query.get("ts")) },
            {
              adverts: async ({ from: first, to: last }) => state.adverts.filter(({ ts }) => ts >= first && ts <= last),
            },
          )
        );
      case "events":
        return { events: state.events.filter((event) => isAskedFor(event, query) && within(event)), truncated: false };
      case "silences":
        return state.silences;
      case "sql":
        return state.sql;
      case "search":
        return this.searchAnswer(query);
      case "deliveries":
        return state.deliveries.filter(({ incidentId }) => incidentId === query.get("incidentId"));
      default:
        if (path.endsWith("/context")) return state.context;
        return state.incidents.find(({ id }) => path === `incidents/${id}`);
    }
  }

  /** Two events a page. */
  private searchAnswer(query: URLSearchParams) {
    const text = query.get("text") ?? "";
    const found = [...this.state.events]
      .filter((event) => JSON.stringify(event).includes(text) && event.kind.startsWith(query.get("kind") ?? ""))
      .sort((a, b) => b.ts - a.ts);
    const first = Number(query.get("after") ?? 0);
    const next = first + 2;
    return { events: found.slice(first, next), next: next < found.length ? String(next) : null };
  }

  private laneAnswer(from: number, to: number) {
    const clip = <T extends { readonly bars: readonly Bar[] }>(row: T): T => ({
      ...row,
      bars: row.bars.filter((bar) => bar.from <= to && (bar.to ?? to) + bar.toUncertaintyUs >= from),
    });
    return {
      lanes: this.state.lanes.map(clip),
      services: this.state.services.map((lane) => ({ ...lane, rows: lane.rows.map(clip) })),
      incidents: this.state.incidents.filter(({ start, end }) => start <= to && (end ?? to) >= from),
    };
  }
}

/** By their ids, or by node and kind. */
function isAskedFor({ id, node, kind }: Event, query: URLSearchParams): boolean {
  const ids = query.get("ids")?.split(",");
  const kinds = query.get("kinds")?.split(",");
  return ids ? ids.includes(id) : node === query.get("node") && kinds?.includes(kind) === true;
}
