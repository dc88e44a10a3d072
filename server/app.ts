import { existsSync } from "node:fs";
import { chmod, lstat, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import helmet from "@fastify/helmet";
import fastifyStatic from "@fastify/static";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance } from "fastify";
import type { Batch } from "../collector/events/batch.ts";
import { messageOf, OperatorError } from "../collector/core/errors.ts";
import type { Log } from "../collector/core/log.ts";
import type { Clock } from "../collector/core/time.ts";
import { createAlerter, systemTimers, type Alerter } from "./alert/alerter.ts";
import { incidentRoutes } from "./api/incident-routes.ts";
import { Live } from "./api/live.ts";
import { problemDocuments } from "./api/problems.ts";
import { configRoutes } from "./api/config-routes.ts";
import { apiRoutes } from "./api/routes.ts";
import { SHARED_SCHEMAS } from "./api/schemas.ts";
import { isLoopback, type ServerConfig } from "./config.ts";
import type { DetectionEngine } from "./detect/engine.ts";
import type { Incident, IncidentChange } from "./detect/incident.ts";
import { Intake } from "./intake/intake.ts";
import { SyslogListeners } from "./syslog/listeners.ts";
import type { ListenerState } from "./api/types.ts";
import { IngestDoor, REQUEST_MS_MAX } from "./ingest/door.ts";
import { ingestRoutes } from "./ingest/routes.ts";
import { otlpRoutes } from "./otlp/routes.ts";
import { type Named, Namesakes } from "./ingest/namesakes.ts";
import { Heartbeat } from "./alert/heartbeat.ts";
import { type ReplayDeps, replayRoute } from "./api/replay.ts";
import { PlannedStops, STOP_KINDS } from "./alert/planned.ts";
import { Silences } from "./alert/silences.ts";
import { type SilenceDeps, silenceRoutes } from "./api/silences.ts";
import { storeRoutes } from "./api/store.ts";
import { SilenceWatch } from "./ingest/silence.ts";
import { WriteWatch } from "./ingest/write-watch.ts";
import { checkpointsOf, knowAgain, type Knowing } from "./knowing.ts";
import { createMetrics } from "./metrics.ts";
import { Rebuilder } from "./rebuilder.ts";
import { sqlPageRoutes } from "./api/sql.ts";
import { embeddedEngine, externalEngine } from "./sql/engines.ts";
import { LIMITS, SqlReader } from "./sql/reader.ts";
import { sqlRoutes } from "./sql/routes.ts";
import { openStore } from "./store/clickhouse-store.ts";
import { backupFolderOf, explainLoss, openForQuestions } from "./store/engine.ts";
import { layoutOf } from "./store/migrate.ts";
import type { Store, StoredCheckpoint } from "./store/store.ts";

export interface ServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** The built web timeline. */
  readonly webRoot: string;
}

export interface RunningServer {
  /** What a browser opens. */
  readonly url: string;
  readonly port: number;
  /** Of the listener for collectors alone, where there is one. */
  readonly tlsPort: number | undefined;
  readonly store: Store;
  readonly engine: DetectionEngine;
  /** Stops listening, lets what was begun finish, and gives the store free. */
  close(): Promise<void>;
}

/** Opens the store, rebuilds what is known from it, and listens. @throws OperatorError */
export async function startServer(config: ServerConfig, deps: ServerDeps): Promise<RunningServer> {
  const store = await openStore(config.storage, deps);
  try {
    const incidents = await store.incidents();
    const knowing = await knowAgain(store, config.detection, incidents, deps.log);
    const words = await store.events({ kinds: ["collector.named"], limit: NAMED_MAX });
    const isTaken = (cluster: string, node: string): boolean =>
      knowing.engine.nodes().some((known) => known.cluster === cluster && known.node === node);
    const namesakes = new Namesakes(
      deps.clock,
      words.filter((word): word is Named => word.kind === "collector.named"),
      isTaken,
    );
    return await serve(config, deps, { store, knowing, incidents, namesakes });
  } catch (error) {
    await store.close();
    throw explainLoss(error, config.storage.url);
  }
}

/** Most collectors, each in one boot of its host, whose names are known after a restart. */
const NAMED_MAX = 10_000;

interface Rebuilt {
  readonly store: Store;
  readonly knowing: Knowing;
  readonly incidents: readonly Incident[];
  readonly namesakes: Namesakes;
}

async function serve(
  config: ServerConfig,
  deps: ServerDeps,
  { store, knowing, incidents, namesakes }: Rebuilt,
): Promise<RunningServer> {
  const { log, clock } = deps;
  const { engine } = knowing;
  const known = new Map(incidents.map((incident) => [incident.id, incident]));
  const live = new Live();
  const concluder = new Concluder({ store, live, log, known, opened: (incident) => metrics.opened(incident) });
  let alerter: Alerter | undefined;
  let syslog: SyslogListeners | undefined;
  let otlp: { state(): ListenerState } | undefined;
  const listeners = (): ListenerState[] => [...(syslog?.states() ?? []), ...(otlp ? [otlp.state()] : [])];
  const heartbeat = new Heartbeat({
    ...config.alerts.heartbeat,
    clock,
    timers: systemTimers,
    log,
    isWell: async () => writeWatch.failingSince() === undefined && (await store.isReady()),
  });
  const silences = new Silences(store, clock);
  await silences.load();
  const planned = new PlannedStops(config.alerts.plannedStopUs);
  for (const event of await store.events({
    kinds: STOP_KINDS,
    from: clock.epoch() - STOPS_KEPT_US,
    limit: STOPS_READ_MAX,
  }))
    planned.note(event);
  const metrics = createMetrics({
    routers: () => engine.routers(),
    services: () => engine.servicesNow(),
    incidents: () => engine.incidents(),
    alerts: () => alerter?.counts() ?? NOTHING_SENT,
    silences: () => silences.activeCount(),
    heartbeat: () => heartbeat.counts(),
    storeErrors: () => store.errors(),
    liveClients: () => live.clientCount,
    listeners,
    crowdedVrids: () => engine.crowdedVrids(),
    rebuilds: () => rebuilder.state(),
  });
  let crowded = 0;
  const tellOfCrowds = (): void => {
    const now = engine.crowdedVrids();
    if (now > crowded)
      log("warn", "a VRID has more senders than are told apart: the first ones are kept, the others left out", {
        vrids: now,
      });
    crowded = now;
  };
  const ending = new AbortController();
  const rebuilder = new Rebuilder({
    store,
    engine,
    clock,
    log,
    wait: (ms) =>
      sleep(ms, undefined, { ref: false, signal: ending.signal }).then(
        () => true,
        () => false,
      ),
    onRebuilt: () => concluder.take(engine.add([]).changes),
  });
  const onStored = (batch: Batch): void => {
    try {
      for (const event of batch.events) planned.note(event);
      const { changes, touchedRouters } = engine.add(batch.events);
      tellOfCrowds();
      live.touched(touchedRouters, batch.events.at(-1)?.ts ?? 0);
      if (batch.events.some(({ kind }) => kind === "collector.heartbeat" || kind === "collector.started"))
        live.nodesChanged();
      concluder.take(changes);
      if (engine.isOutdated()) rebuilder.due();
    } catch (error) {
      // The store has the batch: to refuse it now would only bring it again.
      metrics.detectionFailed();
      concluder.keepNoMore();
      log("error", "a stored batch could not be concluded from", { batch: batch.batchId, why: messageOf(error) });
    }
  };
  const silence = new SilenceWatch({ clock, store, log, nodes: () => engine.nodes(), onStored });
  const writeWatch = new WriteWatch({ clock, store, log, onStored });
  const onReceived = (batch: Batch): void => {
    silence.heard(batch.cluster, batch.node);
    onStored(batch);
    void writeWatch.stored(batch);
  };
  const onStoreFailure = (batch: Batch, error: unknown): void => writeWatch.failed(batch, error);
  const intake = new Intake({
    store,
    log,
    wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
    onStored: (batch) => {
      metrics.accepted(batch.events.length, false);
      onReceived(batch);
    },
    onStoreFailure,
  });
  const silencesChanged = async (id: string): Promise<void> => {
    live.tell({ type: "silences" });
    await alerter?.reconsider(new Set([id]));
  };
  const silencing: Omit<SilenceDeps, "config"> = {
    all: () => silences.all(),
    add: async (draft) => {
      const added = await silences.add(draft);
      await silencesChanged(added.id);
      return added;
    },
    expire: async (id) => {
      const ended = await silences.expire(id);
      if (ended) await silencesChanged(id);
      return ended;
    },
  };
  const reader = config.sql.enabled ? await readerOf(config.storage) : undefined;
  const app = await buildApp({
    config,
    reader,
    deps,
    store,
    engine,
    live,
    metrics,
    namesakes,
    onStored: onReceived,
    onStoreFailure,
    silencing,
    listeners,
    hear: (route) => (otlp = route),
    replay: async (id) => alerter?.replay(id),
  });
  /** What is known is kept, for the next start, once all that was concluded from it is stored. */
  const keep = async (): Promise<void> => {
    const arrived = store.arrived();
    // What was stored before that is concluded from in the same turn.
    await new Promise(setImmediate);
    concluder.keep(checkpointsOf(knowing, arrived));
  };
  let listening: NodeJS.Timeout | undefined;
  let keeping: NodeJS.Timeout | undefined;
  let door: Server | undefined;
  let ingestDoor: IngestDoor | undefined;
  try {
    const url = await listen(app, config.listen);
    if (config.listen.socket !== undefined) door = await openSocket(config.listen.socket, url);
    if (config.ingest.tls)
      ingestDoor = await IngestDoor.open(config.ingest.tls, app, { log, now: () => clock.epoch() / 1_000 });
    if (config.public_url === undefined && !isLoopback(config.listen.host))
      log("warn", "public_url is not set, so links in alerts lead to this address", { url });
    alerter = createAlerter({
      config: config.alerts,
      store,
      incident: (id) => known.get(id),
      incidents: () => known.values(),
      silences,
      planned,
      clock,
      timers: systemTimers,
      random: Math.random,
      mailSettings: (cluster) => engine.mailSettings(cluster),
      log,
      publicUrl: config.public_url ?? url,
      onTold: (told) => metrics.told(told),
    });
    // What was stored before a crash and not concluded then is concluded now.
    concluder.take(engine.add([]).changes);
    await alerter.start();
    concluder.start(alerter);
    heartbeat.start();
    // Last: what comes is concluded from, and told.
    syslog = await SyslogListeners.open(config.syslog, config.nodes, { clock, log, intake });
    listening = setInterval(() => void silence.check(), SILENCE_LOOK_MS);
    keeping = setInterval(() => void keep(), KEEP_MS);
    return { url, port: Number(new URL(url).port), tlsPort: ingestDoor?.port, store, engine, close: once(stop) };
  } catch (error) {
    door?.close();
    ingestDoor?.stop();
    await drained(app);
    await heartbeat.stop();
    await alerter?.stop();
    throw error;
  }

  async function stop(): Promise<void> {
    door?.close();
    ingestDoor?.stop();
    clearInterval(listening);
    clearInterval(keeping);
    ending.abort();
    await rebuilder.settled();
    await syslog?.close();
    await intake.close();
    await drained(app);
    ingestDoor?.close();
    await silence.check();
    await keep();
    await concluder.settle();
    await heartbeat.stop();
    await alerter?.stop();
    await reader?.close();
    await store.close();
  }
}

/** Planned stops of before the start that are looked up: from how long ago, microseconds, and at most how many events. */
const STOPS_KEPT_US = 7 * 86_400 * 1_000_000;
const STOPS_READ_MAX = 10_000;

const NOTHING_SENT = {
  sent: 0,
  failed: 0,
  refused: 0,
  waiting: 0,
  inhibited: 0,
  silenced: 0,
  old: 0,
  planned: 0,
  digested: 0,
  resendFailures: 0,
};

/** How often is looked whether a collector has fallen silent, milliseconds. */
const SILENCE_LOOK_MS = 5_000;

/** How often what is known is kept, milliseconds: what was stored since is read at the next start. */
const KEEP_MS = 300_000;

/** Closing twice is closing once. */
function once(task: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= task());
}

/** Longest that requests in progress may take to finish when the server stops, milliseconds. */
const DRAIN_MS = 5_000;

async function drained(app: FastifyInstance): Promise<void> {
  const deadline = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS);
  await app.close();
  clearTimeout(deadline);
}

/** Longer than a question may take: what it says of its end still comes through, seconds. */
const ANSWER_SECONDS = LIMITS.seconds + 10;

/** The store is open, so its database is there. */
async function readerOf(storage: ServerConfig["storage"]): Promise<SqlReader> {
  const { path = "", url, memory_mib: memoryMib } = storage;
  const { database } = layoutOf(storage);
  const engine =
    url === undefined
      ? embeddedEngine({ path, memoryMib, backups: backupFolderOf(storage) }, database)
      : externalEngine(await openForQuestions(storage, url, { database, seconds: ANSWER_SECONDS }), database);
  return new SqlReader(engine, database);
}

interface AppParts {
  readonly config: ServerConfig;
  readonly reader: SqlReader | undefined;
  readonly deps: ServerDeps;
  readonly store: Store;
  readonly engine: DetectionEngine;
  readonly live: Live;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly namesakes: Namesakes;
  readonly onStored: (batch: Batch) => void;
  readonly onStoreFailure: (batch: Batch, error: unknown) => void;
  readonly silencing: Omit<SilenceDeps, "config">;
  readonly listeners: () => readonly ListenerState[];
  /** Told of a way in that is a route. */
  readonly hear: (otlp: { state(): ListenerState }) => void;
  readonly replay: ReplayDeps["replay"];
}

/** Addresses of the web's pages beside its root: all are the same file, which knows what to show. */
const PAGES = ["/timeline", "/nodes", "/search", "/search/sql", "/incidents", "/incidents/:id"];

async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { config, deps, store, engine, live, metrics, namesakes, onStored, onStoreFailure, silencing } = parts;
  // Unknown query fields are refused, not dropped in silence.
  const app = Fastify({
    // Those with a request in progress finish it; the live streams end themselves.
    forceCloseConnections: "idle",
    requestTimeout: REQUEST_MS_MAX,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, useDefaults: true } },
    routerOptions: { maxParamLength: 512 },
  });
  // A connection that is answered while the server stops is not kept for a next request, for which the stop would wait.
  let stopping = false;
  app.addHook("preClose", async () => void (stopping = true));
  app.addHook("onSend", async (_request, reply) => {
    if (stopping) void reply.header("connection", "close");
  });
  // The schemas of the answers describe them, and the tests hold them to it; nothing is left out because of them.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  for (const [name, schema] of Object.entries(SHARED_SCHEMAS)) app.addSchema({ ...schema, $id: name });
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
  await app.register(swagger, {
    openapi: { openapi: "3.1.0", info: { title: "keepwatch", version: "1" } },
    refResolver: {
      buildLocalReference: ({ $id }, _base, _fragment, i) => (typeof $id === "string" ? $id : `def-${i}`),
    },
  });
  // Within `register`, so that the description sees the routes.
  await app.register(async (scope) => {
    ingestRoutes(scope, {
      config: config.ingest,
      store,
      clock: deps.clock,
      metrics,
      namesakes,
      onStored,
      onStoreFailure,
    });
    if (config.otlp.enabled)
      parts.hear(
        otlpRoutes(scope, {
          config,
          store,
          clock: deps.clock,
          log: deps.log,
          metrics,
          onStored,
          onStoreFailure,
        }),
      );
    apiRoutes(scope, { store, engine, metrics, listeners: parts.listeners });
    configRoutes(scope, { store, engine });
    silenceRoutes(scope, { config, ...silencing });
    replayRoute(scope, { config, replay: parts.replay });
    storeRoutes(scope, { config, store });
    incidentRoutes(scope, { store, engine, clock: deps.clock });
    sqlPageRoutes(scope, { config, reader: parts.reader });
    if (parts.reader) sqlRoutes(scope, { reader: parts.reader, config, database: layoutOf(config.storage).database });
    live.register(scope);
    scope.get("/api/v1/openapi.json", { schema: { summary: "This description" } }, () => app.swagger());
  });
  if (existsSync(deps.webRoot)) {
    await app.register(fastifyStatic, { root: deps.webRoot });
    for (const path of PAGES)
      app.get(path, { schema: { hide: true } }, (_request, reply) => reply.sendFile("index.html"));
  } else
    app.get("/", { schema: { hide: true } }, (_request, reply) =>
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

/** A socket file that leads to the listener, for those who share the files but not the network. @throws OperatorError */
async function openSocket(path: string, url: string): Promise<Server> {
  const { hostname, port } = new URL(url);
  await removeOldSocket(path);
  const server = createServer((outside) => {
    const inside = connect(Number(port), hostname);
    const end = (): void => {
      outside.destroy();
      inside.destroy();
    };
    outside.on("error", end).on("close", end).pipe(inside);
    inside.on("error", end).on("close", end).pipe(outside);
  });
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
    await chmod(path, 0o600);
    return server;
  } catch (cause) {
    server.close();
    throw new OperatorError("LISTEN_FAILED", `the socket ${path} cannot be made: ${messageOf(cause)}`, {
      cause,
      remedy: "Check listen.socket: its folder must be there and be ours to write",
    });
  }
}

/** A server that was killed leaves its socket behind. Anything else at the path is somebody's file. */
async function removeOldSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new OperatorError("LISTEN_FAILED", `listen.socket ${path} is there already and is no socket`, {
      remedy: "Choose another path",
    });
  await rm(path, { force: true });
}

/** Between two tries to store changed incidents, milliseconds. */
const CONCLUDE_RETRY_MS = 1_000;
/** Most changes that wait for the store. Beyond it the oldest is left to the next start, which finds it again from the events. */
const CHANGES_MAX = 10_000;

/** Stores changed incidents and has people told, one change after the other, behind the acknowledgement of the events. */
class Concluder {
  private readonly parts: {
    store: Store;
    live: Live;
    log: Log;
    known: Map<string, Incident>;
    opened: (incident: Incident) => void;
  };
  private waiting: IncidentChange[] = [];
  private alerter: Alerter | undefined;
  private working: Promise<void> | undefined;
  private wake: () => void = () => undefined;
  private stopping = false;
  /** The newest that is still to be stored; none when a change of before it will not be. */
  private checkpoints: readonly StoredCheckpoint[] = [];
  private mayKeep = true;

  constructor(parts: Concluder["parts"]) {
    this.parts = parts;
  }

  take(changes: readonly IncidentChange[]): void {
    for (const { type, incident } of changes) {
      if (type === "opened") this.parts.opened(incident);
      this.parts.known.set(incident.id, incident);
      this.parts.live.tell({ type: "incident", incident });
    }
    this.waiting.push(...changes);
    const excess = this.waiting.length - CHANGES_MAX;
    if (excess > 0) {
      this.waiting.splice(0, excess);
      this.keepNoMore();
      this.parts.log("error", "changed incidents are left to the next start: too many wait for the store", { excess });
    }
    this.work();
  }

  /** They are stored after all that was concluded by now: what is over is not concluded again from them. */
  keep(checkpoints: readonly StoredCheckpoint[]): void {
    if (this.mayKeep) this.checkpoints = checkpoints;
    this.work();
  }

  /** Something was not concluded, or what was is not stored: the next start begins with what was kept before that. */
  keepNoMore(): void {
    this.mayKeep = false;
    this.checkpoints = [];
  }

  /** From now on people are told; what changed before waits for this. */
  start(alerter: Alerter): void {
    this.alerter = alerter;
    this.work();
  }

  /** One more try for what waits; what the store does not take now is concluded anew at the next start. */
  async settle(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.working;
  }

  private work(): void {
    const { alerter } = this;
    if (!alerter || this.working || this.waiting.length + this.checkpoints.length === 0) return;
    this.working = this.workOff(alerter).finally(() => {
      this.working = undefined;
    });
  }

  private async workOff(alerter: Alerter): Promise<void> {
    await this.concludeAll(alerter);
    while (this.checkpoints.length > 0 && this.waiting.length === 0) {
      const { checkpoints } = this;
      this.checkpoints = [];
      await this.parts.store.saveCheckpoints(checkpoints).catch((error: unknown) =>
        this.parts.log("warn", "what is known could not be kept; the next start reads more for it", {
          why: messageOf(error).split("\n")[0],
        }),
      );
      await this.concludeAll(alerter);
    }
  }

  private async concludeAll(alerter: Alerter): Promise<void> {
    while (this.waiting.length > 0) {
      const changes = this.waiting;
      this.waiting = [];
      try {
        await this.parts.store.saveIncidents(changes.map(({ incident }) => incident));
        // Telling a change again does nothing, so those told before a failure do no harm the next time.
        for (const change of changes) await alerter.notify(change);
      } catch (error) {
        this.waiting = [...changes, ...this.waiting];
        this.parts.log("error", "changed incidents could not be stored", {
          incidents: changes.length,
          why: messageOf(error).split("\n")[0],
        });
        if (this.stopping) return;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, CONCLUDE_RETRY_MS);
          this.wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  }
}
