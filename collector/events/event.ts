import Type, { type Static, type TEnum, type TObject, type TSchema } from "typebox";
import { Compile, type Validator } from "typebox/compile";

/**
 * The event contract between collectors, the server and the offline tools: one immutable observation.
 * Additive only: a field or a kind is never renamed or given another meaning. The page for people is README.md beside this file.
 */

/** Where an observation comes from. DESIGN vocabulary: `wire` is captured adverts, `kernel` is netlink. */
export const SOURCES = ["log", "wire", "kernel", "dump", "config", "check", "shadow", "process", "collector"] as const;
export type Source = (typeof SOURCES)[number];

/** States of a vrrp_instance, as keepalived names them. */
export const STATES = ["INIT", "BACKUP", "MASTER", "FAULT"] as const;
export type VrrpState = (typeof STATES)[number];

export const FAMILIES = ["ipv4", "ipv6"] as const;
export type Family = (typeof FAMILIES)[number];

/** keepalived's processes: the parent, and the children by what they do. */
export const DAEMONS = ["parent", "vrrp", "checker", "bfd"] as const;
export type Daemon = (typeof DAEMONS)[number];

/** What keepalived does about a configuration fault: DESIGN section 3. */
export const DIAGNOSTIC_SEVERITIES = ["fatal", "instance-lost", "degraded", "hint"] as const;
export type DiagnosticSeverity = (typeof DIAGNOSTIC_SEVERITIES)[number];

/** Longest raw line kept with an event, in characters; the rest is cut and `rawTruncated` is set. */
export const RAW_MAX_CHARS = 4096;

/** The type is spelled out: inferred in this generic context it would widen to any string or number. */
const oneOf = <const T extends readonly string[]>(values: T) => Type.Enum([...values]) as TSchema as TEnum<[...T]>;
const text = (max: number, description?: string) =>
  Type.String({ maxLength: max, ...(description ? { description } : {}) });
const opt = Type.Optional;

const Name = text(255);
const Address = text(45, "IPv4 or IPv6 address, no prefix, IPv6 in RFC 5952 form");
const Vrid = Type.Integer({ minimum: 1, maximum: 255 });
const Priority = Type.Integer({ minimum: 0, maximum: 255 });
const Pid = Type.Integer({ minimum: 0 });
/** Up to the year 2255: beyond it a double is not exact to the microsecond. */
const Epoch = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "microseconds since the epoch, UTC",
});
const Addresses = Type.Array(Address, { maxItems: 512 });
const FamilyT = oneOf(FAMILIES);
const DaemonT = oneOf(DAEMONS);

/** An instance as the node's configuration promises it, with keepalived's own defaults filled in. */
export const ConfiguredInstance = Type.Object(
  {
    instance: Name,
    file: text(4096),
    line: Type.Integer({ minimum: 1 }),
    vrid: opt(Vrid),
    family: FamilyT,
    interface: opt(Name),
    priority: Priority,
    /** Advert interval in microseconds (keepalived's advert_int, default 1 s). */
    advertIntervalUs: Type.Integer({ minimum: 1 }),
    /** Adverts missed before a backup takes over (down_timer_adverts, default 3). */
    downTimerAdverts: Type.Integer({ minimum: 1, maximum: 100 }),
    version: Type.Union([Type.Literal(2), Type.Literal(3)]),
    vips: Addresses,
    /** The configured start state, which in keepalived 2.x is not mastership. */
    startState: oneOf(["MASTER", "BACKUP"]),
    nopreempt: Type.Boolean(),
    unicastPeers: Addresses,
    sourceAddress: opt(Address),
  },
  { additionalProperties: false },
);
export type ConfiguredInstance = Static<typeof ConfiguredInstance>;

/** keepalived's own mail settings, which keepwatch uses for its zero set-up e-mail. */
export const MailSettings = Type.Object(
  {
    to: Type.Array(text(320), { maxItems: 64 }),
    from: opt(text(320)),
    host: opt(text(255)),
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
    connectTimeoutSeconds: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
export type MailSettings = Static<typeof MailSettings>;

const SourceStatus = Type.Object(
  {
    name: text(64, "file tail, journal, capture, addresses, config"),
    detail: text(4096, "what it reads: a path, an interface, a unit"),
    state: oneOf(["running", "unavailable", "stopped"]),
    reason: opt(text(1024)),
    /** What this source has read and what it could not make sense of, since the collector started. */
    read: Type.Integer({ minimum: 0 }),
    unrecognised: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
export type SourceStatus = Static<typeof SourceStatus>;

const router = { interface: Name, family: FamilyT, vrid: Vrid };
const sender = {
  ...router,
  /** Source address of the advert. */
  peer: Address,
  /** Sent by this node itself (captured on the way out). */
  outgoing: Type.Boolean(),
  priority: Priority,
  vips: Addresses,
  /** The wire has at most 255 s (version 2) or 40.95 s (version 3). */
  advertIntervalUs: Type.Integer({ minimum: 0, maximum: 255_000_000 }),
};

/** Fields of each kind of event, beyond those every event has. One row a kind. */
export const EVENT_KINDS = {
  // --- log: the daemon and its children -------------------------------------------------------------------------
  /** "Starting Keepalived v…": the boundary of a run. */
  "daemon.starting": { version: opt(text(64)) },
  "daemon.child-starting": { daemon: DaemonT, childPid: Pid },
  /** keepalived 2.2.2+: every child has read its configuration. */
  "daemon.ready": { phase: oneOf(["startup", "reload"]) },
  /** The parent received a terminate signal: an orderly stop. */
  "daemon.stopping": {},
  "daemon.stopped": { daemon: DaemonT },
  "daemon.reloading": {},
  /** `permanentError` is keepalived's word (CONFIG, FATAL, …): the daemon ends because of it. */
  "daemon.child-exited": {
    childPid: opt(Pid),
    daemon: opt(DaemonT),
    permanentError: opt(text(64)),
    signal: opt(Type.Integer({ minimum: 1, maximum: 64 })),
    exitStatus: opt(Type.Integer()),
    respawning: Type.Boolean(),
  },
  /** A line that says why the daemon cannot run: no IPVS, already running, pid file, no configuration. */
  "daemon.error": { code: text(64), message: text(1024) },
  // --- log: configuration ----------------------------------------------------------------------------------------
  "config.diagnostic": {
    code: text(64),
    severity: oneOf(DIAGNOSTIC_SEVERITIES),
    message: text(1024),
    file: opt(text(4096)),
    line: opt(Type.Integer({ minimum: 1 })),
    column: opt(Type.Integer({ minimum: 1 })),
    instance: opt(Name),
    fix: opt(text(1024)),
  },
  // --- log: VRRP -------------------------------------------------------------------------------------------------
  /** "Entering X STATE". keepalived 1.x's "Transition to MASTER STATE" is vrrp.transition: not mastership yet. */
  "vrrp.state": { instance: Name, state: oneOf(STATES), initial: opt(Type.Boolean()) },
  "vrrp.transition": { instance: Name, state: oneOf(STATES) },
  "vrrp.advert-timeout": { instance: Name },
  "vrrp.advert-higher-priority": {
    instance: Name,
    peer: opt(Address),
    priority: opt(Priority),
    ownPriority: opt(Priority),
  },
  "vrrp.advert-lower-priority": {
    instance: Name,
    peer: opt(Address),
    priority: opt(Priority),
    ownPriority: opt(Priority),
    election: Type.Boolean(),
  },
  /** An advert keepalived refused; `reason` is a short code: auth, interval, vip-list, … */
  "vrrp.advert-rejected": { instance: opt(Name), reason: text(64), peer: opt(Address) },
  "vrrp.priority-zero-sent": { instance: Name },
  "vrrp.priority-zero-received": { instance: Name },
  "vrrp.priority-changed": { instance: Name, from: Priority, to: Priority },
  /** VIPs set or removed, as the log says; the kernel source says what came of it. */
  "vrrp.vips": { instance: Name, action: oneOf(["setting", "removing"]) },
  /** Gratuitous ARP or unsolicited NA: tells which VIPs and interface an instance has. */
  "vrrp.garp": { instance: opt(Name), interface: Name, vips: Addresses },
  "vrrp.interface": { interface: Name, up: Type.Boolean() },
  /** "A thread timer expired N seconds ago": the daemon did not run for that long. */
  "vrrp.scheduler-stall": { lateUs: Type.Integer({ minimum: 0 }) },
  // --- log: what is known to be of no consequence, and what is not known -------------------------------------------
  "log.notice": { code: text(64) },
  /** A keepalived line no grammar row claims. Kept, counted, never dropped. */
  "log.unrecognised": {},
  // --- config ----------------------------------------------------------------------------------------------------
  /** The node's effective configuration, sent when it is first read and whenever it changes. */
  "config.loaded": {
    files: Type.Array(Type.Object({ path: text(4096), sha256: text(64) }, { additionalProperties: false }), {
      maxItems: 1024,
    }),
    instances: Type.Array(ConfiguredInstance, { maxItems: 4096 }),
    virtualServers: Type.Array(text(255), { maxItems: 4096 }),
    routerId: opt(Name),
    mail: opt(MailSettings),
  },
  "config.unreadable": { path: text(4096), message: text(1024) },
  // --- wire ------------------------------------------------------------------------------------------------------
  /** One advert as captured. Goes to the adverts table, not to the timeline. */
  "wire.advert": {
    ...sender,
    destination: Address,
    version: Type.Union([Type.Literal(2), Type.Literal(3)]),
    ttl: Type.Integer({ minimum: 0, maximum: 255 }),
    authType: oneOf(["none", "pass", "ah", "unknown"]),
    checksum: oneOf(["ok", "bad", "unverified"]),
  },
  "wire.malformed": { interface: opt(Name), reason: text(64), length: Type.Integer({ minimum: 0 }) },
  /** First advert with a priority above 0 of a sender on a virtual router, or the first after it was gone. */
  "wire.master-seen": sender,
  /** The sender announced its end with priority 0, or was silent for longer than its master-down interval. `ts` is when its mastership ended as far as the wire shows: the priority-0 advert, or the last advert. */
  "wire.master-gone": { ...sender, reason: oneOf(["priority-zero", "silent", "capture-ended"]), lastAdvertTs: Epoch },
  // --- kernel ----------------------------------------------------------------------------------------------------
  /** All addresses of the node when the source starts: what was there before we looked. */
  "kernel.addresses": {
    addresses: Type.Array(
      Type.Object(
        { interface: Name, address: Address, prefixLength: Type.Integer({ minimum: 0, maximum: 128 }) },
        { additionalProperties: false },
      ),
      { maxItems: 8192 },
    ),
  },
  "kernel.address-added": {
    interface: Name,
    address: Address,
    prefixLength: Type.Integer({ minimum: 0, maximum: 128 }),
  },
  "kernel.address-removed": {
    interface: Name,
    address: Address,
    prefixLength: Type.Integer({ minimum: 0, maximum: 128 }),
  },
  "kernel.link": { interface: Name, up: Type.Boolean() },
  // --- collector ---------------------------------------------------------------------------------------------------
  /** The node is watched up to this moment; silence of its other sources is knowledge, not ignorance. */
  "collector.heartbeat": { sources: Type.Array(SourceStatus, { maxItems: 64 }) },
  "collector.started": { version: text(64), sources: Type.Array(SourceStatus, { maxItems: 64 }) },
  /** Orderly end of the collector: from here on the node is not watched. */
  "collector.stopped": {},
  /** Something that could not be seen: what, why, and how much, when that is known. */
  "collector.gap": {
    sourceName: text(64),
    reason: text(1024),
    from: opt(Epoch),
    to: opt(Epoch),
    lost: opt(Type.Integer({ minimum: 0 })),
  },
} as const satisfies Record<string, Record<string, TSchema>>;

export type EventKind = keyof typeof EVENT_KINDS;

const Base = {
  /** Deterministic: reading the same input again gives the same id. 32 hex digits. */
  id: Type.String({ pattern: "^[0-9a-f]{32}$" }),
  cluster: text(64),
  node: text(255),
  source: oneOf(SOURCES),
  /** When it happened, as far as the source says. With a syslog second it is the second's start. */
  ts: Epoch,
  /** It happened in [ts, ts + tsUncertaintyUs]. 1,000,000 for a classic syslog line. */
  tsUncertaintyUs: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  /** When the collector saw it. */
  observedTs: Epoch,
  /** Pid of the keepalived process that wrote the line, when the line says. */
  pid: opt(Pid),
  /** Where it stands: `file:lineno` or `file@byte` for a log or configuration line, a capture's `file#frame`, a journal cursor. */
  at: opt(text(4352)),
  /** The raw line, for log events. */
  raw: opt(text(RAW_MAX_CHARS)),
  rawTruncated: opt(Type.Boolean()),
  /**
   * The line stands for this many of the same that its writer gathered into one ("message repeated N times"); the one before
   * them is an event of its own. Only when the last of them was written is known: at `ts`.
   */
  repeated: opt(Type.Integer({ minimum: 1, maximum: 999_999_999 })),
};

type BaseFields = {
  -readonly [K in "id" | "cluster" | "node"]: string;
} & {
  source: Source;
  ts: number;
  tsUncertaintyUs: number;
  observedTs: number;
  pid?: number;
  at?: string;
  raw?: string;
  rawTruncated?: boolean;
  repeated?: number;
};

type FieldsOf<K extends EventKind> = Static<TObject<(typeof EVENT_KINDS)[K]>>;

/** One event of kind K. */
export type EventOf<K extends EventKind> = { [Kind in K]: Readonly<BaseFields & { kind: Kind } & FieldsOf<Kind>> }[K];
/** Any event. Narrow it by `kind`. */
export type Event = EventOf<EventKind>;

/** What a parser makes before the edge adds cluster, node, times and id: the kind and its fields. */
export type EventBody<K extends EventKind = EventKind> = { [Kind in K]: Readonly<{ kind: Kind } & FieldsOf<Kind>> }[K];

export function isKind<K extends EventKind>(
  event: Event,
  ...kinds: readonly K[]
): event is Extract<Event, { kind: K }> {
  return (kinds as readonly string[]).includes(event.kind);
}

/** The full schema of one kind, as OpenAPI and the validator use it. Unknown fields are refused, not dropped. */
export function eventSchema(kind: EventKind): TSchema {
  return Type.Object({ ...Base, kind: Type.Literal(kind), ...EVENT_KINDS[kind] }, { additionalProperties: false });
}

const validators = new Map<string, Validator>();

/** What is wrong with a value that should be an event: a field (`priority`, or `` for the whole) and a sentence. */
export type EventFault = { readonly field: string; readonly message: string };

/** Checks a value from outside against the contract. @returns undefined when it is an event, else the first fault. */
export function eventFault(value: unknown): EventFault | undefined {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  if (typeof kind !== "string") return { field: "kind", message: "an event is an object with a kind" };
  if (!Object.hasOwn(EVENT_KINDS, kind))
    return { field: "kind", message: `unknown kind ${JSON.stringify(kind.slice(0, 64))}` };
  let validator = validators.get(kind);
  if (!validator) {
    validator = Compile(eventSchema(kind as EventKind));
    validators.set(kind, validator);
  }
  if (validator.Check(value)) return undefined;
  const first = validator.Errors(value)[0];
  if (!first) return { field: "", message: "not a valid event" };
  const field = first.instancePath.replace(/^\//, "").replaceAll("/", ".");
  return { field, message: `${field || "event"} ${first.message}` };
}
