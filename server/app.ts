import { existsSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { once } from "node:events";
import helmet from "@fastify/helmet";
import fastifyStatic from "@fastify/static";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance } from "fastify";
import type { Batch } from "../collector/events/batch.ts";
import { messageOf, OperatorError } from "../collector/core/errors.ts";
import type { Log } from "../collector/core/log.ts";
import type { Clock } from "../collector/core/time.ts";
import { createAlerter, systemTimers, type Alerter } from "./alert/alerter.ts";
import { Live } from "./api/live.ts";
import { problemDocuments } from "./api/problems.ts";
import { apiRoutes } from "./api/routes.ts";
import type { ServerConfig } from "./config.ts";
import { createDetectionEngine, type DetectionEngine } from "./detect/engine.ts";
import type { IncidentChange } from "./detect/incident.ts";
import { ingestRoutes } from "./ingest/routes.ts";
import { createMetrics } from "./metrics.ts";
import { openStore } from "./store/clickhouse-store.ts";
import type { Store } from "./store/store.ts";

export interface ServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** The built web timeline. */
  readonly webRoot: string;
}

export interface RunningServer {
  /** What a browser opens. */
  readonly url: string;
  close(): Promise<void>;
}

/** Opens the store, rebuilds what is known from it, and listens. @throws OperatorError */
export async function startServer(config: ServerConfig, deps: ServerDeps): Promise<RunningServer> {
  const store = await openStore(config.storage, deps);
  try {
    const engine = createDetectionEngine({}, await store.incidents());
    for await (const events of store.detectionEvents()) engine.load(events);
    return await serve(config, deps, store, engine);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function serve(
  config: ServerConfig,
  deps: ServerDeps,
  store: Store,
  engine: DetectionEngine,
): Promise<RunningServer> {
  const { log, clock } = deps;
  let publicUrl = config.public_url ?? "";
  const known = new Map((await store.incidents()).map((incident) => [incident.id, incident]));
  const alerter = createAlerter({
    config: config.alerts,
    store,
    incident: (id) => known.get(id),
    clock,
    timers: systemTimers,
    random: Math.random,
    mailSettings: (cluster) => engine.mailSettings(cluster),
    log,
    get publicUrl() {
      return publicUrl;
    },
  });
  const live = new Live();
  const metrics = createMetrics({
    routers: () => engine.routers(),
    incidents: () => engine.incidents(),
    alerts: () => alerter.counts(),
  });
  const concluder = new Concluder({ store, alerter, live, log, known });
  const onStored = (batch: Batch): void => {
    const { changes, touchedRouters } = engine.add(batch.events);
    live.touched(touchedRouters, batch.events.at(-1)?.ts ?? 0);
    if (batch.events.some(({ kind }) => kind === "collector.heartbeat" || kind === "collector.started"))
      live.nodesChanged();
    concluder.take(changes);
  };
  const app = await buildApp({ config, deps, store, engine, live, metrics, onStored });
  const url = await listen(app, config.listen);
  if (publicUrl === "") publicUrl = url;
  const door = config.listen.socket === undefined ? undefined : await openSocket(config.listen.socket, url);
  // What was stored before a crash and not concluded then is concluded now.
  concluder.take(engine.add([]).changes);
  await alerter.start();
  return {
    url,
    async close() {
      door?.close();
      await app.close();
      await concluder.settle();
      await alerter.stop();
      await store.close();
    },
  };
}

interface AppParts {
  readonly config: ServerConfig;
  readonly deps: ServerDeps;
  readonly store: Store;
  readonly engine: DetectionEngine;
  readonly live: Live;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly onStored: (batch: Batch) => void;
}

async function buildApp({ config, deps, store, engine, live, metrics, onStored }: AppParts): Promise<FastifyInstance> {
  // Unknown query fields are refused, not dropped in silence.
  const app = Fastify({
    forceCloseConnections: true,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, useDefaults: true } },
    routerOptions: { maxParamLength: 512 },
  });
  problemDocuments(app, deps.log);
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        objectSrc: ["'none'"],
      },
    },
    strictTransportSecurity: false,
  });
  await app.register(swagger, { openapi: { openapi: "3.1.0", info: { title: "keepwatch", version: "1" } } });
  // Within `register`, so that the description sees the routes.
  await app.register(async (scope) => {
    ingestRoutes(scope, { config: config.ingest, store, clock: deps.clock, metrics, onStored });
    apiRoutes(scope, { store, engine, metrics });
    live.register(scope);
    scope.get("/api/v1/openapi.json", { schema: { summary: "This description" } }, () => app.swagger());
  });
  if (existsSync(deps.webRoot)) await app.register(fastifyStatic, { root: deps.webRoot });
  else
    app.get("/", (_request, reply) =>
      reply.type("text/plain").send("The web timeline is not built: npm run build:web. The API is under /api/v1.\n"),
    );
  return app;
}

async function listen(app: FastifyInstance, { host, port }: ServerConfig["listen"]): Promise<string> {
  try {
    const address = await app.listen({ host, port });
    return `${address.replace("[::1]", "localhost")}/`;
  } catch (cause) {
    await app.close();
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EADDRINUSE")
      throw new OperatorError("LISTEN_IN_USE", `port ${port} of ${host} is in use`, {
        cause,
        remedy: "Choose another with listen.port or --port",
      });
    throw new OperatorError("LISTEN_FAILED", `${host}:${port} cannot be listened on: ${messageOf(cause)}`, { cause });
  }
}

/** A socket file that leads to the listener, for those who share the files but not the network. */
async function openSocket(path: string, url: string): Promise<Server> {
  const { hostname, port } = new URL(url);
  await rm(path, { force: true });
  const server = createServer((outside) => {
    const inside = connect(Number(port), hostname);
    const end = (): void => {
      outside.destroy();
      inside.destroy();
    };
    outside.on("error", end).on("close", end).pipe(inside);
    inside.on("error", end).on("close", end).pipe(outside);
  });
  server.listen(path);
  await once(server, "listening");
  await chmod(path, 0o600);
  return server;
}

/** Most times a change of the incidents is tried again when the store does not take it; after a restart it is concluded anew. */
const CONCLUDE_TRIES = 5;
const CONCLUDE_RETRY_MS = 1_000;

/** Stores changed incidents and has people told, one change after the other, behind the acknowledgement of the events. */
class Concluder {
  private readonly parts: {
    store: Store;
    alerter: Alerter;
    live: Live;
    log: Log;
    known: Map<string, IncidentChange["incident"]>;
  };
  private turn: Promise<void> = Promise.resolve();

  constructor(parts: Concluder["parts"]) {
    this.parts = parts;
  }

  take(changes: readonly IncidentChange[]): void {
    if (changes.length === 0) return;
    for (const { incident } of changes) {
      this.parts.known.set(incident.id, incident);
      this.parts.live.tell({ type: "incident", incident });
    }
    this.turn = this.turn.then(() => this.conclude(changes));
  }

  settle(): Promise<void> {
    return this.turn;
  }

  private async conclude(changes: readonly IncidentChange[]): Promise<void> {
    const { store, alerter, log } = this.parts;
    for (let tries = 1; ; tries++) {
      try {
        await store.saveIncidents(changes.map(({ incident }) => incident));
        for (const change of changes) await alerter.notify(change);
        return;
      } catch (error) {
        log("error", "a change of the incidents could not be stored", { tries, why: messageOf(error) });
        if (tries >= CONCLUDE_TRIES) return;
        await new Promise((resolve) => setTimeout(resolve, CONCLUDE_RETRY_MS));
      }
    }
  }
}
