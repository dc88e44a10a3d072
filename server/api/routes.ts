import type { Static } from "typebox";
import type { FastifyInstance } from "fastify";
import type { DetectionEngine } from "../detect/engine.ts";
import type { Metrics } from "../metrics.ts";
import type { Store } from "../store/store.ts";
import { ProblemError } from "./problems.ts";
import {
  AdvertQuery,
  AdvertsQuery,
  Answers,
  DeliveriesQuery,
  EventsQuery,
  SearchQuery,
  TimelineQuery,
} from "./schemas.ts";
import { packetOf } from "./packet.ts";
import { timelineOf } from "./timeline.ts";
import type { AdvertPacket, EventPage, ListenerState, RouterSummary, SearchPage, Timeline } from "./types.ts";

/** Longest stretch of time one answer covers, microseconds: 400 days. */
const RANGE_US_MAX = 400 * 86_400 * 1_000_000;

export interface ApiDeps {
  readonly store: Store;
  readonly engine: Pick<
    DetectionEngine,
    "routers" | "lanes" | "services" | "servicesNow" | "incidents" | "nodes" | "corrected"
  >;
  readonly metrics: Metrics;
  readonly listeners: () => readonly ListenerState[];
}

/** What people and their tools read. */
export function apiRoutes(app: FastifyInstance, { store, engine, metrics, listeners }: ApiDeps): void {
  const routerOf = (id: string): RouterSummary => {
    const router = engine.routers().find((candidate) => candidate.id === id);
    if (!router) throw new ProblemError(404, `no virtual router is called ${id}`);
    return router;
  };

  app.get(
    "/api/v1/routers",
    { schema: { summary: "Virtual routers, who is master, and open incidents", response: Answers.routers } },
    () => engine.routers(),
  );
  app.get(
    "/api/v1/nodes",
    { schema: { summary: "Nodes, and what their collectors read", response: Answers.nodes } },
    () => engine.nodes(),
  );
  app.get(
    "/api/v1/services",
    {
      schema: {
        summary: "Virtual servers, and whether they and the real servers behind them are up, by each node's word",
        response: Answers.services,
      },
    },
    () => engine.servicesNow(),
  );
  app.get<{ Querystring: Static<typeof TimelineQuery> }>(
    "/api/v1/timeline",
    {
      schema: {
        summary: "Lanes, incidents and adverts of a virtual router",
        querystring: TimelineQuery,
        response: Answers.timeline,
      },
    },
    async ({ query }): Promise<Timeline> => {
      const router = routerOf(query.router);
      checkRange(query);
      return timelineOf(router, query, { store, engine });
    },
  );
  app.get<{ Querystring: Static<typeof AdvertsQuery> }>(
    "/api/v1/adverts",
    {
      schema: {
        summary: "Raw adverts of a virtual router, oldest first",
        querystring: AdvertsQuery,
        response: Answers.events,
      },
    },
    async ({ query }): Promise<EventPage> => {
      const router = routerOf(query.router);
      checkRange(query);
      if (router.vrid === null || router.family === null) return { events: [], truncated: false };
      const events = await store.adverts({
        cluster: router.cluster,
        family: router.family,
        vrid: router.vrid,
        from: query.from,
        to: query.to,
        limit: query.limit + 1,
      });
      return { events: events.slice(0, query.limit), truncated: events.length > query.limit };
    },
  );
  app.get<{ Querystring: Static<typeof AdvertQuery> }>(
    "/api/v1/adverts/packet",
    {
      schema: {
        summary: "One advert, and its packet made again of what is kept of it",
        querystring: AdvertQuery,
        response: Answers.packet,
      },
    },
    async ({ query }): Promise<AdvertPacket> => {
      const packet = await packetOf(routerOf(query.router), query, store);
      if (!packet) throw new ProblemError(404, "no such advert is kept any more");
      return packet;
    },
  );
  app.get<{ Querystring: Static<typeof EventsQuery> }>(
    "/api/v1/events",
    {
      schema: {
        summary: "Events by id, or by node, kind and time",
        querystring: EventsQuery,
        response: Answers.events,
      },
    },
    async ({ query }): Promise<EventPage> => {
      const { ids, kinds, limit, ...rest } = query;
      const events = await store.events({
        ...rest,
        limit: limit + 1,
        ...(ids === undefined ? {} : { ids: ids.split(",") }),
        ...(kinds === undefined ? {} : { kinds: kinds.split(",") }),
      });
      return { events: events.slice(0, limit), truncated: events.length > limit };
    },
  );
  app.get<{ Querystring: Static<typeof SearchQuery> }>(
    "/api/v1/search",
    {
      schema: {
        summary: "Events by what they say, newest first, page by page",
        querystring: SearchQuery,
        response: Answers.search,
      },
    },
    async ({ query }): Promise<SearchPage> => {
      const { after, kind, limit, ...rest } = query;
      const [ts = "", id = ""] = after?.split(".") ?? [];
      const events = await store.events({
        ...rest,
        ...(kind === undefined ? {} : { kindPrefix: kind }),
        newestFirst: after === undefined ? {} : { after: { ts: Number(ts), id } },
        limit: limit + 1,
      });
      const page = events.slice(0, limit);
      const last = page.at(-1);
      return { events: page, next: events.length > limit && last ? `${last.ts}.${last.id}` : null };
    },
  );
  app.get<{ Querystring: Static<typeof DeliveriesQuery> }>(
    "/api/v1/deliveries",
    {
      schema: {
        summary: "Alerts: who was told, and with what outcome",
        querystring: DeliveriesQuery,
        response: Answers.deliveries,
      },
    },
    ({ query }) => store.deliveries(query),
  );
  app.get(
    "/api/v1/listeners",
    {
      schema: {
        summary: "Where others than collectors forward to, and what became of what came",
        response: Answers.listeners,
      },
    },
    () => listeners(),
  );
  app.get("/healthz", { schema: { summary: "The process lives", response: Answers.health } }, () => ({ status: "ok" }));
  app.get(
    "/readyz",
    { schema: { summary: "Detection is rebuilt and the store answers", response: Answers.health } },
    async () => {
      if (!(await store.isReady())) throw new ProblemError(503, "the store does not answer");
      return { status: "ready" };
    },
  );
  app.get("/metrics", { schema: { summary: "Prometheus metrics" } }, async (request, reply) => {
    const { contentType, print } = metrics.exposition(request.headers.accept);
    return reply
      .header("vary", "accept")
      .type(contentType)
      .send(await print());
  });
}

function checkRange({ from, to }: { from: number; to: number }): void {
  if (to <= from) throw new ProblemError(400, "to must be later than from");
  if (to - from > RANGE_US_MAX) throw new ProblemError(400, "the range is longer than 400 days");
}
