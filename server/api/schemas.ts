import Type, { type Static, type TSchema } from "typebox";
import { BATCH_EVENTS_MAX, BatchEnvelope, BatchReceipt } from "../../collector/events/batch.ts";
import {
  DIAGNOSTIC_SEVERITIES,
  EVENT_KINDS,
  type Event,
  type EventKind,
  eventSchema,
  FAMILIES,
  SOURCES,
  type SourceStatus,
} from "../../collector/events/event.ts";
import { PART_NAMES, PART_ORIGINS } from "../../collector/vrrp/packet-parts.ts";
import { CERTAINTIES, INCIDENT_KINDS, type Incident, SEVERITIES, STORY_MAX_CHARS } from "../detect/incident.ts";
import { REDUNDANCIES } from "../detect/redundancy.ts";
import type { ServiceSummary } from "../detect/summary.ts";
import {
  BAR_STATES,
  INSTANCE_STATES,
  type Lane,
  MASTERSHIP_ENDS,
  SERVICE_STATES,
  type ServiceLane,
  type VirtualRouter,
} from "../detect/view.ts";
import type { IncidentContext } from "../report/context.ts";
import type {
  AdvertBucket,
  AdvertPacket,
  ConfigComparison,
  Delivery,
  EventPage,
  NodeConfig,
  NodeSummary,
  Problem,
  RouterSummary,
  SearchPage,
  Silence,
  SqlInfo,
  SqlTable,
  StoreBackup,
  ListenerState,
  StoreInfo,
  Timeline,
} from "./types.ts";
import { QUESTION_CHARS_MAX } from "../sql/gate.ts";
import { BACKUP_NAME } from "../store/store.ts";
import { MARKS } from "./marks.ts";

/**
 * What the API takes and answers, as schemas: they document it (OpenAPI), and the tests hold real answers against them.
 * The types of `types.ts`, which the web uses, are checked against them when this compiles.
 */

const closed = { additionalProperties: false } as const;
const Instant = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: "epoch microseconds" });
const Duration = Type.Integer({ minimum: 0, description: "microseconds" });
const Count = Type.Integer({ minimum: 0 });
const IncidentId = Type.String({ pattern: "^[0-9a-f]{32}$" });
const Strings = Type.Array(Type.String());
const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const oneOf = <const T extends readonly string[]>(values: T) => Type.Unsafe<T[number]>(Type.Enum([...values]));

// --- questions -----------------------------------------------------------------------------------------------------

const Router = Type.String({ minLength: 1, maxLength: 512, description: "id of the virtual router" });
const Limit = (maximum: number, fallback: number) => Type.Integer({ minimum: 1, maximum, default: fallback });

export const TimelineQuery = Type.Object(
  {
    router: Router,
    from: Instant,
    to: Instant,
    columns: Type.Optional(
      Type.Integer({
        minimum: 100,
        maximum: 10_000,
        description: "how many can be told apart: of shorter bars the worst of each is shown; 2000 unless told",
      }),
    ),
  },
  closed,
);
export const AdvertsQuery = Type.Object(
  { router: Router, from: Instant, to: Instant, limit: Limit(10_000, 500) },
  closed,
);
export const AdvertQuery = Type.Object(
  {
    router: Router,
    node: Type.String({ minLength: 1, maxLength: 255, description: "whose collector captured it" }),
    sender: Type.String({ minLength: 1, maxLength: 64, description: "source address" }),
    ts: Instant,
  },
  closed,
);
export const EventsQuery = Type.Object(
  {
    ids: Type.Optional(
      Type.String({
        maxLength: 33 * 500,
        pattern: "^[0-9a-f]{32}(,[0-9a-f]{32})*$",
        description: "ids, separated by commas",
      }),
    ),
    cluster: Type.Optional(Type.String({ maxLength: 64 })),
    node: Type.Optional(Type.String({ maxLength: 255 })),
    kinds: Type.Optional(Type.String({ maxLength: 2048, description: "kinds, separated by commas" })),
    from: Type.Optional(Instant),
    to: Type.Optional(Instant),
    limit: Limit(10_000, 500),
  },
  closed,
);
export const ConfigQuery = Type.Object(
  { cluster: Type.String({ minLength: 1, maxLength: 64 }), node: Type.String({ minLength: 1, maxLength: 255 }) },
  closed,
);
export const ComparisonQuery = Type.Object({ router: Type.String({ minLength: 1, maxLength: 400 }) }, closed);
export const SearchQuery = Type.Object(
  {
    text: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "anywhere in the event, in capitals or not" }),
    ),
    cluster: Type.Optional(Type.String({ maxLength: 64 })),
    node: Type.Optional(Type.String({ maxLength: 255 })),
    kind: Type.Optional(Type.String({ maxLength: 64, description: "what the kind begins with: vrrp., vrrp.state" })),
    severity: Type.Optional(oneOf(DIAGNOSTIC_SEVERITIES)),
    from: Type.Optional(Instant),
    to: Type.Optional(Instant),
    after: Type.Optional(
      Type.String({ pattern: "^\\d{1,16}\\.[0-9a-f]{32}$", description: "`next` of the page before" }),
    ),
    limit: Limit(1_000, 100),
  },
  closed,
);
export const IncidentFileParams = Type.Object(
  {
    id: Type.String({
      pattern: "^[0-9a-f]{32}(\\.(md|json|pcapng))?$",
      description: "an id, or one with .md, .json or .pcapng",
    }),
  },
  closed,
);
export const IncidentParams = Type.Object({ id: IncidentId }, closed);
export const DELIVERY_STATUSES = ["pending", "sent", "failed", "inhibited", "silenced", "planned", "old"] as const;
export const DeliveriesQuery = Type.Object(
  {
    incidentId: Type.Optional(IncidentId),
    status: Type.Optional(oneOf(DELIVERY_STATUSES)),
    newestFirst: Type.Optional(Type.Boolean({ description: "instead of in the order in which they were recorded" })),
    limit: Limit(1000, 200),
  },
  closed,
);
export const DeliveryParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) }, closed);
export const ReplayBody = Type.Object({}, closed);
export const SqlBody = Type.Object(
  {
    sql: Type.String({
      minLength: 1,
      maxLength: QUESTION_CHARS_MAX,
      description: "one SELECT in ClickHouse's SQL; also DESCRIBE, SHOW TABLES and SHOW DATABASES",
    }),
  },
  closed,
);

const SilenceId = Type.String({ pattern: "^[0-9a-f]{32}$" });
export const SilenceParams = Type.Object({ id: SilenceId }, closed);
const SilenceMatchers = Type.Array(
  Type.Object(
    {
      label: Type.String({ minLength: 1, maxLength: 64, description: "cluster, kind, severity, router, node, …" }),
      operator: Type.String({
        minLength: 1,
        maxLength: 2,
        description: "=, !=, =~ or !~; patterns are RE2's, anchored",
      }),
      value: Type.String({ maxLength: 1024 }),
    },
    closed,
  ),
  { minItems: 1, maxItems: 32 },
);
const Author = Type.String({ minLength: 1, maxLength: 100, pattern: "\\S", description: "who asks for silence" });
const Reason = Type.String({ minLength: 1, maxLength: 500, pattern: "\\S", description: "why" });
export const SilenceBody = Type.Object(
  {
    matchers: SilenceMatchers,
    startsTs: Type.Optional(Instant),
    endsTs: Instant,
    author: Type.Optional(Author),
    reason: Reason,
  },
  closed,
);

// --- answers -------------------------------------------------------------------------------------------------------

const EventT = Type.Unsafe<Event>(
  Type.Union(
    (Object.keys(EVENT_KINDS) as EventKind[]).map((kind) => eventSchema(kind)),
    { description: "One immutable observation; its kind says which fields it has" },
  ),
);
const EvidenceFields = {
  eventId: Type.String(),
  node: Type.String(),
  source: oneOf(SOURCES),
  ts: Instant,
  correctedTs: Type.Optional(Instant),
  line: Type.Optional(Type.String()),
  text: Type.String(),
};
const IncidentT = Type.Object(
  {
    id: IncidentId,
    revision: Type.Integer({ minimum: 1 }),
    status: oneOf(["open", "resolved", "withdrawn"]),
    kind: oneOf(INCIDENT_KINDS),
    certainty: oneOf(CERTAINTIES),
    severity: oneOf(SEVERITIES),
    cluster: Type.String(),
    subject: Type.Object(
      {
        router: Type.Optional(Type.String()),
        instance: Type.Optional(Type.String()),
        service: Type.Optional(Type.String()),
        component: Type.Optional(Type.String()),
        nodes: Strings,
      },
      closed,
    ),
    start: Instant,
    end: orNull(Instant),
    cause: orNull(Type.Object({ code: Type.String(), text: Type.String() }, closed)),
    summary: Type.String(),
    story: Type.Optional(
      Type.String({
        maxLength: STORY_MAX_CHARS,
        description: "one paragraph: who was master when, why, and what to look at; times in UTC",
      }),
    ),
    revisions: Type.Optional(
      Type.Array(
        Type.Object({ revision: Type.Integer({ minimum: 1 }), what: Type.String(), why: Type.String() }, closed),
        { description: "the newest of its revisions, oldest first: what each changed, and on what evidence" },
      ),
    ),
    evidence: Type.Array(Type.Object(EvidenceFields, closed)),
  },
  closed,
);
const ContextEvents = Type.Array(
  Type.Object({ ...EvidenceFields, kind: oneOf(Object.keys(EVENT_KINDS) as EventKind[]), at: Instant }, closed),
);
const IncidentContextT = Type.Object(
  {
    nodes: Strings,
    windows: Type.Array(Type.Object({ from: Instant, to: Instant }, closed)),
    events: ContextEvents,
    changes: ContextEvents,
    truncated: Type.Boolean(),
  },
  closed,
);
const VirtualRouterFields = {
  id: Type.String(),
  cluster: Type.String(),
  family: orNull(oneOf(FAMILIES)),
  vrid: orNull(Type.Integer({ minimum: 1, maximum: 255 })),
  vips: Strings,
  instances: Type.Array(
    Type.Object(
      {
        node: Type.String(),
        name: orNull(Type.String()),
        interface: orNull(Type.String()),
        priority: orNull(Type.Integer()),
      },
      closed,
    ),
  ),
};
const RouterSummaryFields = {
  ...VirtualRouterFields,
  masters: Strings,
  since: orNull(Instant),
  before: orNull(Type.Object({ node: Type.String(), until: Instant, ended: orNull(oneOf(MASTERSHIP_ENDS)) }, closed)),
  redundancy: oneOf(REDUNDANCIES),
  members: Type.Array(
    Type.Object(
      {
        node: Type.String(),
        state: orNull(oneOf(INSTANCE_STATES)),
        since: orNull(Instant),
        able: orNull(Type.Boolean()),
        why: orNull(Type.String()),
      },
      closed,
    ),
  ),
  openIncidents: Type.Array(IncidentId),
  firstEventTs: Instant,
  lastEventTs: Instant,
};
const RouterSummaryT = Type.Object(RouterSummaryFields, closed);
const Bars = Type.Array(
  Type.Object(
    {
      source: oneOf(SOURCES),
      state: oneOf(BAR_STATES),
      from: Instant,
      fromUncertaintyUs: Duration,
      to: orNull(Instant),
      toUncertaintyUs: Duration,
      ended: Type.Optional(oneOf(MASTERSHIP_ENDS)),
      eventIds: Strings,
    },
    closed,
  ),
);
const LaneT = Type.Object(
  { node: Type.String(), instance: orNull(Type.String()), bars: Bars, watchedTo: Instant },
  closed,
);
const ServiceLaneT = Type.Object(
  {
    virtualServer: Type.String(),
    realServer: orNull(Type.String()),
    rows: Type.Array(
      Type.Object({ node: Type.String(), source: oneOf(SOURCES), bars: Bars, watchedTo: Instant }, closed),
    ),
  },
  closed,
);
const AdvertBucketT = Type.Object(
  { node: Type.String(), sender: Type.String(), ts: Instant, count: Count, maxGapUs: orNull(Duration) },
  closed,
);
const AdvertTickT = Type.Object(
  {
    node: Type.String(),
    sender: Type.String(),
    ts: Instant,
    priority: Type.Integer({ minimum: 0, maximum: 255 }),
    outgoing: Type.Boolean(),
  },
  closed,
);
const MarkerT = Type.Object(
  { node: Type.String(), mark: oneOf(MARKS), ts: Instant, eventId: Type.String(), text: Type.String() },
  closed,
);
const SourceStatusT = Type.Object(
  {
    name: Type.String(),
    detail: Type.String(),
    state: oneOf(["running", "unavailable", "stopped"]),
    reason: Type.Optional(Type.String()),
    read: Count,
    unrecognised: Count,
  },
  closed,
);
const NodeSummaryT = Type.Object(
  {
    cluster: Type.String(),
    node: Type.String(),
    lastSeenTs: Instant,
    sources: Type.Array(SourceStatusT),
    version: orNull(Type.String()),
    startedTs: orNull(Instant),
    timeZone: orNull(Type.String()),
    stoppedTs: orNull(Instant),
    clock: orNull(
      Type.Object(
        { offsetUs: Type.Integer(), boundUs: Duration, reference: orNull(Type.String()), ts: Instant },
        closed,
      ),
    ),
  },
  closed,
);
const ServiceWords = Type.Array(
  Type.Object({ node: Type.String(), source: oneOf(SOURCES), state: oneOf(SERVICE_STATES), since: Instant }, closed),
);
const ServiceSummaryT = Type.Object(
  {
    cluster: Type.String(),
    virtualServer: Type.String(),
    routers: Strings,
    words: ServiceWords,
    realServers: Type.Array(Type.Object({ realServer: Type.String(), words: ServiceWords }, closed)),
  },
  closed,
);
const DeliveryT = Type.Object(
  {
    id: Type.String(),
    incidentId: Type.String(),
    revision: Type.Integer(),
    event: oneOf(["opened", "certainty-raised", "resolved", "reminder"]),
    receiver: Type.String(),
    target: Type.String(),
    status: oneOf(DELIVERY_STATUSES),
    attempts: Count,
    createdTs: Instant,
    nextAttemptTs: Instant,
    lastError: orNull(Type.String()),
    group: Type.Optional(Type.String({ description: "what it is told together with others by" })),
    replayOf: Type.Optional(Type.String({ description: "the delivery that somebody had sent again" })),
    batch: Type.Optional(Type.String({ description: "the message that it went with" })),
    by: Type.Optional(Type.String({ description: "id of the incident or silence that holds it back" })),
  },
  closed,
);
const SilenceT = Type.Object(
  {
    id: SilenceId,
    matchers: SilenceMatchers,
    createdTs: Instant,
    startsTs: Instant,
    endsTs: Instant,
    author: Author,
    reason: Reason,
  },
  closed,
);
const ProblemT = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    faults: Type.Optional(Type.Array(Type.Object({ at: Type.String(), message: Type.String() }, closed))),
  },
  closed,
);

/** A schema of its own in the description, told by its name elsewhere. */
const ref = <S extends TSchema>(name: string, _schema: S) => Type.Unsafe<Static<S>>({ $ref: `${name}#` });

const ListenerStateT = Type.Object(
  {
    name: Type.String(),
    address: Type.String(),
    connections: Type.Optional(Type.Integer()),
    received: Type.Integer(),
    kept: Type.Integer(),
    cut: Type.Integer(),
    dropped: Type.Record(Type.String(), Type.Integer()),
    lastTs: Type.Optional(Type.Integer()),
  },
  closed,
);

const StoreInfoT = Type.Object(
  {
    kind: Type.Union([Type.Literal("embedded"), Type.Literal("external")]),
    engineVersion: Type.String(),
    schemaVersion: Type.Integer(),
    incarnation: Type.Object({ number: Type.Integer(), id: Type.String() }, closed),
    tables: Type.Array(Type.Object({ name: Type.String(), rows: Type.Integer(), bytes: Type.Integer() }, closed)),
  },
  closed,
);
const StoreBackupT = Type.Object({ path: Type.String(), bytes: Type.Integer() }, closed);
export const BackupBody = Type.Object({ name: Type.String({ pattern: BACKUP_NAME }) }, closed);

const TimelineT = Type.Object(
  {
    // The summary of the router, of which the timeline needs less.
    router: ref("RouterSummary", RouterSummaryT),
    from: Instant,
    to: Instant,
    lanes: Type.Array(ref("Lane", LaneT)),
    services: Type.Array(ref("ServiceLane", ServiceLaneT)),
    incidents: Type.Array(ref("Incident", IncidentT)),
    adverts: Type.Array(ref("AdvertBucket", AdvertBucketT)),
    ticks: Type.Array(AdvertTickT),
    markers: Type.Array(MarkerT),
  },
  closed,
);
const EventPageT = Type.Object({ events: Type.Array(ref("Event", EventT)), truncated: Type.Boolean() }, closed);

const AdvertPacketT = Type.Object(
  {
    advert: ref("Event", EventT),
    bytes: orNull(Type.String({ pattern: "^([0-9a-f]{2})+$" })),
    parts: Type.Array(
      Type.Object(
        {
          name: oneOf(PART_NAMES),
          layer: oneOf(["ip", "vrrp"]),
          at: Count,
          length: Count,
          value: Type.String(),
          origin: oneOf(PART_ORIGINS),
        },
        closed,
      ),
    ),
    leftOut: Type.Array(oneOf(["ah", "hmac"])),
  },
  { ...closed, description: "made again of what is kept of it" },
);

const SearchPageT = Type.Object({ events: Type.Array(ref("Event", EventT)), next: orNull(Type.String()) }, closed);

const NullableText = orNull(Type.String());
const ConfigT = Type.Object(
  {
    cluster: Type.String(),
    node: Type.String(),
    ts: orNull(Instant),
    unreadable: orNull(Type.Object({ path: Type.String(), message: Type.String() }, closed)),
    chain: orNull(
      Type.Object(
        {
          ts: Instant,
          steps: EVENT_KINDS["config.chain"].steps,
          files: Strings,
          release: Type.String(),
        },
        closed,
      ),
    ),
    files: Type.Array(
      Type.Object(
        {
          path: Type.String(),
          sha256: Type.String(),
          changedTs: orNull(Instant),
          text: NullableText,
          truncated: Type.Boolean(),
        },
        closed,
      ),
      { description: "in the order in which keepalived reads them; passwords are [redacted]" },
    ),
    findings: Type.Array(
      Type.Object(
        {
          code: Type.String(),
          severity: oneOf(DIAGNOSTIC_SEVERITIES),
          message: Type.String(),
          file: NullableText,
          line: orNull(Type.Integer({ minimum: 1 })),
          column: orNull(Type.Integer({ minimum: 1 })),
          fix: NullableText,
        },
        closed,
      ),
    ),
    areAllFindings: Type.Boolean({ description: "there are not more of them" }),
  },
  closed,
);
const ComparisonT = Type.Object(
  {
    members: Type.Array(
      Type.Object(
        {
          node: Type.String(),
          instance: Type.String(),
          file: Type.String(),
          line: Type.Integer({ minimum: 1 }),
          ts: Instant,
        },
        closed,
      ),
    ),
    untold: Type.Array(Type.String(), { description: "nodes whose configuration is not known" }),
    settings: Type.Array(
      Type.Object(
        {
          name: Type.String(),
          values: Type.Array(NullableText, { description: "in the members' order; null: not known" }),
          rule: oneOf(["equal", "different", "free"]),
          holds: Type.Boolean(),
        },
        closed,
      ),
    ),
    findings: Type.Array(
      Type.Object(
        {
          code: Type.String(),
          severity: oneOf(DIAGNOSTIC_SEVERITIES),
          node: Type.String(),
          message: Type.String(),
        },
        closed,
      ),
    ),
    election: orNull(
      Type.Object(
        {
          complete: Type.Boolean({ description: "all combinations of failures were tried" }),
          failuresMax: Type.Integer(),
          tried: Type.Integer(),
          lines: Type.Array(
            Type.Object(
              {
                failed: Strings,
                master: NullableText,
                undecided: Strings,
                priorities: Type.Array(orNull(Type.Integer()), {
                  description: "in the members' order; null: dead or in FAULT",
                }),
              },
              closed,
            ),
          ),
          findings: Type.Array(
            Type.Object({ code: Type.String(), node: Type.String(), message: Type.String() }, closed),
          ),
        },
        closed,
      ),
    ),
  },
  closed,
);

const SqlInfoT = Type.Object(
  {
    enabled: Type.Boolean(),
    store: orNull(oneOf(["embedded", "external"])),
    needsToken: Type.Boolean(),
    limits: Type.Object({ rows: Count, bytes: Count, seconds: Count, rowsRead: Count }, closed),
  },
  closed,
);
const SqlRow = Type.Array(NullableText, { description: "as ClickHouse writes them; null is NULL" });
const SqlTableT = Type.Object(
  {
    columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() }, closed)),
    rows: Type.Array(SqlRow),
    totals: orNull(SqlRow),
    truncated: Type.Boolean({ description: "there are more rows" }),
    elapsedUs: Duration,
    rowsRead: Count,
  },
  closed,
);

/** By name, as the description lists them. */
export const SHARED_SCHEMAS: Readonly<Record<string, TSchema>> = {
  Event: EventT,
  Incident: IncidentT,
  IncidentContext: IncidentContextT,
  RouterSummary: RouterSummaryT,
  Lane: LaneT,
  ServiceLane: ServiceLaneT,
  AdvertBucket: AdvertBucketT,
  NodeSummary: NodeSummaryT,
  ServiceSummary: ServiceSummaryT,
  Delivery: DeliveryT,
  Silence: SilenceT,
  Problem: ProblemT,
  Timeline: TimelineT,
  EventPage: EventPageT,
  NodeConfig: ConfigT,
  ConfigComparison: ComparisonT,
  AdvertPacket: AdvertPacketT,
  SearchPage: SearchPageT,
  BatchReceipt,
};

const Health = Type.Object({ status: Type.String() }, closed);

/** Each answer that is a success, and the problem document that all others are. */
const answers = (schema: TSchema) => ({
  200: schema,
  default: {
    description: "What went wrong, by RFC 9457",
    content: { "application/problem+json": { schema: ref("Problem", ProblemT) } },
  },
});

const made = (schema: TSchema) => {
  const { 200: success, ...others } = answers(schema);
  return { 201: success, ...others };
};

export const Answers = {
  config: answers(ref("NodeConfig", ConfigT)),
  comparison: answers(ref("ConfigComparison", ComparisonT)),
  routers: answers(Type.Array(ref("RouterSummary", RouterSummaryT))),
  nodes: answers(Type.Array(ref("NodeSummary", NodeSummaryT))),
  services: answers(Type.Array(ref("ServiceSummary", ServiceSummaryT))),
  incidents: answers(Type.Array(ref("Incident", IncidentT))),
  incident: answers(ref("Incident", IncidentT)),
  context: answers(ref("IncidentContext", IncidentContextT)),
  timeline: answers(ref("Timeline", TimelineT)),
  events: answers(ref("EventPage", EventPageT)),
  packet: answers(ref("AdvertPacket", AdvertPacketT)),
  search: answers(ref("SearchPage", SearchPageT)),
  deliveries: answers(Type.Array(ref("Delivery", DeliveryT))),
  replayed: made(ref("Delivery", DeliveryT)),
  silences: answers(Type.Array(ref("Silence", SilenceT))),
  silence: answers(ref("Silence", SilenceT)),
  silenceMade: made(ref("Silence", SilenceT)),
  sqlInfo: answers(SqlInfoT),
  sqlTable: answers(SqlTableT),
  listeners: answers(Type.Array(ListenerStateT)),
  store: answers(StoreInfoT),
  backedUp: made(StoreBackupT),
  receipt: answers(ref("BatchReceipt", BatchReceipt)),
  health: answers(Health),
};

/** The body of an ingest request for the description; `eventFault` checks each event. */
export const BatchBody = Type.Object(
  { ...BatchEnvelope.properties, events: Type.Array(ref("Event", EventT), { maxItems: BATCH_EVENTS_MAX }) },
  closed,
);

// --- the two descriptions agree --------------------------------------------------------------------------------------

type Mutable<T> = T extends readonly (infer U)[]
  ? Mutable<U>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T;
type Same<A, B> = [Mutable<A>] extends [Mutable<B>] ? ([Mutable<B>] extends [Mutable<A>] ? true : never) : never;
type Row<S extends TSchema, T> = Same<Static<S>, T>;

interface Agreement {
  readonly incident: Row<typeof IncidentT, Incident>;
  readonly incidentContext: Row<typeof IncidentContextT, IncidentContext>;
  readonly routerSummary: Row<typeof RouterSummaryT, RouterSummary>;
  readonly virtualRouter: Same<Pick<RouterSummary, keyof VirtualRouter>, VirtualRouter>;
  readonly lane: Row<typeof LaneT, Lane>;
  readonly serviceLane: Row<typeof ServiceLaneT, ServiceLane>;
  readonly advertBucket: Row<typeof AdvertBucketT, AdvertBucket>;
  readonly sourceStatus: Row<typeof SourceStatusT, SourceStatus>;
  readonly nodeSummary: Row<typeof NodeSummaryT, NodeSummary>;
  readonly serviceSummary: Row<typeof ServiceSummaryT, ServiceSummary>;
  readonly delivery: Row<typeof DeliveryT, Delivery>;
  readonly silence: Row<typeof SilenceT, Silence>;
  readonly listenerState: Row<typeof ListenerStateT, ListenerState>;
  readonly storeInfo: Row<typeof StoreInfoT, StoreInfo>;
  readonly storeBackup: Row<typeof StoreBackupT, StoreBackup>;
  readonly sqlInfo: Row<typeof SqlInfoT, SqlInfo>;
  readonly sqlTable: Row<typeof SqlTableT, SqlTable>;
  readonly problem: Row<typeof ProblemT, Problem>;
  readonly searchPage: Row<typeof SearchPageT, SearchPage>;
  readonly packet: Row<typeof AdvertPacketT, AdvertPacket>;
  readonly eventPage: Row<typeof EventPageT, EventPage>;
  readonly config: Row<typeof ConfigT, NodeConfig>;
  readonly comparison: Row<typeof ComparisonT, ConfigComparison>;
  readonly timeline: Same<Omit<Static<typeof TimelineT>, "router">, Omit<Timeline, "router">>;
}

/** Does not compile when a schema and its type differ: `true` is then not in `never`. */
({
  incident: true,
  incidentContext: true,
  routerSummary: true,
  virtualRouter: true,
  lane: true,
  serviceLane: true,
  advertBucket: true,
  sourceStatus: true,
  nodeSummary: true,
  serviceSummary: true,
  delivery: true,
  silence: true,
  listenerState: true,
  storeInfo: true,
  storeBackup: true,
  sqlInfo: true,
  sqlTable: true,
  problem: true,
  searchPage: true,
  packet: true,
  eventPage: true,
  timeline: true,
  config: true,
  comparison: true,
}) satisfies Agreement;
