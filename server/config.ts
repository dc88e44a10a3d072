import { readFile } from "node:fs/promises";
import Type, { type Static } from "typebox";
import { Compile } from "typebox/compile";
import { messageOf, OperatorError } from "../collector/core/errors.ts";
import { lineOfKey, type Part, readSettings } from "../collector/core/settings.ts";
import { US_PER_SECOND } from "../collector/core/time.ts";
import { type AlertSettings, parseAlertConfig } from "./alert/config.ts";
import { isZone, ZONE_WANTED } from "../collector/logs/zone.ts";
import { Secret } from "./alert/secret.ts";
import { networkFault } from "./intake/names.ts";
import { DETECTION_DEFAULTS, type DetectionOptions } from "./detect/options.ts";

const closed = { additionalProperties: false } as const;
const Path = Type.String({ minLength: 1, maxLength: 4096 });
/** Most tokens of nodes, and of people: each request is compared with all of them. */
const TOKENS_MAX = 4096;

const Cluster = Type.String({ minLength: 1, maxLength: 64 });
const Place = {
  host: Type.String({ minLength: 1, maxLength: 255 }),
  /** 0: any free port. */
  port: Type.Integer({ minimum: 0, maximum: 65535 }),
};

const ServerConfigSchema = Type.Object(
  {
    listen: Type.Object(
      {
        ...Place,
        /** A socket file to listen on besides. */
        socket: Type.Optional(Path),
      },
      closed,
    ),
    storage: Type.Object(
      {
        /** Folder of the embedded ClickHouse. */
        path: Type.Optional(Path),
        /** An external ClickHouse instead: http or https. */
        url: Type.Optional(Type.String({ pattern: "^https?://" })),
        user: Type.Optional(Type.String()),
        password: Type.Optional(Type.String()),
        database: Type.Optional(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" })),
        /** File with the certificates that the external ClickHouse's own is checked against, PEM; without it, those that Node knows. */
        ca_file: Type.Optional(Path),
        /** Name of a cluster in the external ClickHouse's own configuration: the tables are replicated, and spread over its shards. */
        cluster: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9_.-]{1,128}$" })),
        /** Folder for backups of the embedded ClickHouse; without it, the store's own name with -backups. */
        backup_path: Type.Optional(Path),
        /** Most memory the embedded ClickHouse may take, MiB. */
        memory_mib: Type.Integer({ minimum: 256 }),
        /** How long raw adverts are kept, days. */
        adverts_days: Type.Integer({ minimum: 1, maximum: 3650 }),
        /** How long it is kept what the adverts of each minute were, days. */
        advert_minutes_days: Type.Integer({ minimum: 1, maximum: 36500 }),
        /** How long events are kept, days. */
        events_days: Type.Integer({ minimum: 1, maximum: 36500 }),
      },
      closed,
    ),
    ingest: Type.Object(
      {
        /** Who may write: a node and the SHA-256 of its token. Empty: anybody who reaches the listener, which then must be loopback. */
        tokens: Type.Array(
          Type.Object(
            {
              node: Type.String({ minLength: 1, maxLength: 255 }),
              sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
            },
            closed,
          ),
          { maxItems: TOKENS_MAX },
        ),
        /** A listener for collectors alone, over TLS. */
        tls: Type.Optional(
          Type.Object(
            {
              ...Place,
              cert_file: Path,
              key_file: Path,
              /** Authorities of the collectors' certificates, PEM: one of them stands for a token. Without it nobody is asked for one. */
              client_ca_file: Type.Optional(Path),
              /** Nodes for which a certificate of another name may write. Without it, its names are the node's. */
              clients: Type.Optional(
                Type.Array(
                  Type.Object(
                    {
                      name: Type.String({ minLength: 1, maxLength: 255 }),
                      node: Type.String({ minLength: 1, maxLength: 255 }),
                    },
                    closed,
                  ),
                  { maxItems: TOKENS_MAX },
                ),
              ),
            },
            closed,
          ),
        ),
        /** Most batches that wait for the store; further ones are told to come back. */
        in_flight_max: Type.Integer({ minimum: 1, maximum: 1024 }),
      },
      closed,
    ),
    api: Type.Object(
      {
        /** Who may change something: a name, and the SHA-256 of the token. Empty: anybody who reaches the listener, unless ingest.tokens lists any. */
        tokens: Type.Array(
          Type.Object(
            {
              name: Type.String({ minLength: 1, maxLength: 100 }),
              sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
            },
            closed,
          ),
          { maxItems: TOKENS_MAX },
        ),
      },
      closed,
    ),
    /** ClickHouse's HTTP interface to the embedded store, for reading, at /clickhouse. With `api.tokens` it asks for one of them. */
    sql: Type.Object({ enabled: Type.Boolean() }, closed),
    /** What rsyslog and others forward: nothing is listened on but what is named here. */
    syslog: Type.Object(
      {
        /** Of the nodes that `nodes` names no other for. */
        cluster: Cluster,
        /** Zone of timestamps that name none: an IANA name, `UTC`, an offset such as `+02:00`, or `local`. */
        zone: Type.String({ minLength: 1, maxLength: 64 }),
        /** Addresses and networks that may send. Empty: all, which then must be of this machine, or show a certificate. */
        allow: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 1024 }),
        connections_max: Type.Integer({ minimum: 1, maximum: 4096 }),
        connections_per_sender_max: Type.Integer({ minimum: 1, maximum: 4096 }),
        /** A connection is closed on which a message takes longer than this to be complete, seconds. */
        message_seconds_max: Type.Number({ minimum: 1, maximum: 3600 }),
        udp: Type.Optional(Type.Object(Place, closed)),
        tcp: Type.Optional(Type.Object(Place, closed)),
        tls: Type.Optional(
          Type.Object(
            {
              ...Place,
              cert_file: Path,
              key_file: Path,
              /** Authorities of the senders' certificates, PEM; without it nobody is asked for one. */
              client_ca_file: Type.Optional(Path),
              /** Names that a sender's certificate may be for. Absent: any that the authorities have signed. */
              client_names: Type.Optional(
                Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { maxItems: TOKENS_MAX }),
              ),
            },
            closed,
          ),
        ),
      },
      closed,
    ),
    /** OTLP/HTTP logs, at /v1/logs of the listener. */
    otlp: Type.Object(
      {
        enabled: Type.Boolean(),
        /** Of the nodes that `nodes` names no other for. */
        cluster: Cluster,
        /** Zone of timestamps that name none: as `syslog.zone`. */
        zone: Type.String({ minLength: 1, maxLength: 64 }),
        /** Who forwards for several nodes: a name and the SHA-256 of its token. With one of `ingest.tokens` a node brings its own. */
        tokens: Type.Array(
          Type.Object(
            {
              name: Type.String({ minLength: 1, maxLength: 100 }),
              sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
              /** The nodes it may forward for. Absent: any. */
              nodes: Type.Optional(
                Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { minItems: 1, maxItems: TOKENS_MAX }),
              ),
            },
            closed,
          ),
          { maxItems: TOKENS_MAX },
        ),
      },
      closed,
    ),
    /** As which node is kept what is forwarded; the first that fits. Else it is the host that the message names, or who sends it. */
    nodes: Type.Array(
      Type.Object(
        {
          /** The host that the message names. */
          called: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
          /** Address or network of who sends it. */
          from: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          node: Type.String({ minLength: 1, maxLength: 255 }),
          cluster: Type.Optional(Cluster),
        },
        closed,
      ),
      { maxItems: TOKENS_MAX },
    ),
    detection: Type.Object(
      {
        /** A node that is not seen for this long after another took over counts as one that cannot be seen. */
        silent_after_seconds: Type.Number({ minimum: 1, maximum: 3600 }),
        /** A daemon that ends within this long after its start or reload failed to start. */
        start_deadline_seconds: Type.Number({ minimum: 1, maximum: 3600 }),
        /** What is kept in memory of each cluster, to conclude again from when late evidence comes. */
        // Some 600 bytes each: more would not fit into what Node.js takes from the system.
        events_at_hand: Type.Integer({ minimum: 10_000, maximum: 2_000_000 }),
        /** What goes to and fro: each change costs `penalty`, the sum halves in each of `half_life_seconds`. */
        flapping: Type.Object(
          {
            penalty: Type.Integer({ minimum: 1, maximum: 100_000 }),
            /** It flaps when the sum reaches this, ... */
            open_at: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
            /** ... until it has decayed to this. */
            close_at: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
            half_life_seconds: Type.Array(Type.Integer({ minimum: 10, maximum: 86_400 }), { minItems: 1, maxItems: 4 }),
          },
          closed,
        ),
      },
      closed,
    ),
    /** Where people reach the web timeline, for links in alerts. Default: the listener's own address. */
    public_url: Type.Optional(Type.String({ pattern: "^https?://" })),
    alerts: Type.Unknown(),
  },
  closed,
);
type Settings = Static<typeof ServerConfigSchema>;

/** The server's configuration, checked. */
export type ServerConfig = Omit<Settings, "alerts" | "storage" | "detection"> & {
  readonly storage: Omit<Settings["storage"], "password"> & { readonly password?: Secret };
  readonly detection: DetectionOptions;
  readonly alerts: AlertSettings;
};

const validator = Compile(ServerConfigSchema);

function defaults(): Settings {
  return {
    listen: { host: "127.0.0.1", port: 8080 },
    storage: { memory_mib: 700, adverts_days: 7, advert_minutes_days: 400, events_days: 400 },
    ingest: { tokens: [], in_flight_max: 32 },
    api: { tokens: [] },
    sql: { enabled: false },
    syslog: {
      cluster: "default",
      zone: "local",
      allow: [],
      connections_max: 256,
      connections_per_sender_max: 32,
      message_seconds_max: 30,
    },
    otlp: { enabled: true, cluster: "default", zone: "local", tokens: [] },
    nodes: [],
    detection: {
      silent_after_seconds: DETECTION_DEFAULTS.silentAfterUs / US_PER_SECOND,
      start_deadline_seconds: DETECTION_DEFAULTS.startDeadlineUs / US_PER_SECOND,
      events_at_hand: DETECTION_DEFAULTS.eventsAtHand,
      flapping: {
        penalty: DETECTION_DEFAULTS.flapping.penalty,
        open_at: DETECTION_DEFAULTS.flapping.openAt,
        close_at: DETECTION_DEFAULTS.flapping.closeAt,
        half_life_seconds: DETECTION_DEFAULTS.flapping.halfLivesUs.map((us) => us / US_PER_SECOND),
      },
    },
    alerts: {},
  };
}

/** Where the embedded store lives unless it is said otherwise. */
const STORE_PATH = "keepwatch-data/store";

/**
 * Reads the server's TOML file over the defaults.
 * @param path  undefined: the defaults alone
 * @throws OperatorError that names the file, and every key at fault
 */
export async function loadServerConfig(
  path: string | undefined,
  overrides: Part<Settings> = {},
): Promise<ServerConfig> {
  let text = "";
  try {
    if (path !== undefined) text = await readFile(path, "utf8");
  } catch (cause) {
    throw new OperatorError("CONFIG_UNREADABLE", `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      remedy: "Check the path and the permissions",
    });
  }
  return parseServerConfig(text, path ?? "the built-in configuration", overrides);
}

export function parseServerConfig(text: string, path: string, overrides: Part<Settings> = {}): ServerConfig {
  const settings = readSettings(text, path, {
    schema: validator,
    defaults: defaults(),
    overrides,
    what: "the server",
    check: crossFaults,
  });
  return {
    ...settings,
    storage: storageOf(settings.storage),
    detection: {
      silentAfterUs: Math.round(settings.detection.silent_after_seconds * US_PER_SECOND),
      startDeadlineUs: Math.round(settings.detection.start_deadline_seconds * US_PER_SECOND),
      eventsAtHand: settings.detection.events_at_hand,
      flapping: {
        penalty: settings.detection.flapping.penalty,
        openAt: settings.detection.flapping.open_at,
        closeAt: settings.detection.flapping.close_at,
        halfLivesUs: settings.detection.flapping.half_life_seconds.map((seconds) => seconds * US_PER_SECOND),
      },
    },
    alerts: alertsOf(settings.alerts, text, path),
  };
}

function storageOf({ password, ...storage }: Settings["storage"]): ServerConfig["storage"] {
  if (storage.url === undefined) return { path: STORE_PATH, ...storage };
  return { ...storage, ...(password === undefined ? {} : { password: new Secret(password) }) };
}

function alertsOf(table: unknown, text: string, path: string): AlertSettings {
  try {
    return parseAlertConfig(table);
  } catch (cause) {
    if (!(cause instanceof OperatorError)) throw cause;
    const field = /^alerts[\w.[\]]*/.exec(cause.message)?.[0] ?? "alerts";
    const line = lineOfKey(text, field.split(/[.[\]]+/).filter(Boolean));
    throw new OperatorError(cause.code, `${path}: ${line === undefined ? "" : `line ${line}: `}${cause.message}`, {
      cause,
      ...(cause.remedy === undefined ? {} : { remedy: cause.remedy }),
    });
  }
}

function crossFaults(settings: Settings): string[] {
  const { listen, ingest, api, sql, storage, detection } = settings;
  const faults: string[] = forwardingFaults(settings);
  const { penalty, open_at: openAt, close_at: closeAt } = detection.flapping;
  if (closeAt >= openAt)
    faults.push(`detection.flapping.close_at ${closeAt} must be below detection.flapping.open_at ${openAt}`);
  if (openAt <= 2 * penalty)
    faults.push(
      `detection.flapping.open_at ${openAt} must be above twice detection.flapping.penalty ${penalty}: one failover and its failback are two changes`,
    );
  if (!isLoopback(listen.host) && ingest.tokens.length === 0)
    faults.push(
      `listen.host ${listen.host} can be reached from other machines, so ingest.tokens must say who may write: give each node a token (sha256 of it here, the token itself in the collector's server.token)`,
    );
  if (
    ingest.tls &&
    !isLoopback(ingest.tls.host) &&
    ingest.tokens.length === 0 &&
    ingest.tls.client_ca_file === undefined
  )
    faults.push(
      `ingest.tls.host ${ingest.tls.host} can be reached from other machines, so ingest.tls.client_ca_file must say who signs the collectors' certificates, or ingest.tokens who may write`,
    );
  if (ingest.tls?.clients !== undefined && ingest.tls.client_ca_file === undefined)
    faults.push("ingest.tls.clients needs ingest.tls.client_ca_file: without it nobody is asked for a certificate");
  if (sql.enabled && !isLoopback(listen.host) && api.tokens.length === 0)
    faults.push(
      `listen.host ${listen.host} can be reached from other machines, so with sql.enabled api.tokens must say who may ask`,
    );
  if (storage.url !== undefined && storage.path !== undefined)
    faults.push("storage.path and storage.url exclude each other");
  if (storage.url === undefined && (storage.user !== undefined || storage.password !== undefined))
    faults.push("storage.user and storage.password need storage.url");
  if (storage.ca_file !== undefined && !storage.url?.startsWith("https://"))
    faults.push("storage.ca_file is for a storage.url that begins with https://");
  if (storage.url !== undefined && storage.backup_path !== undefined)
    faults.push("storage.backup_path is for the embedded store: an external ClickHouse backs itself up");
  if (storage.url === undefined && storage.cluster !== undefined)
    faults.push("storage.cluster is a cluster of the external ClickHouse, so it needs storage.url");
  if (storage.url !== undefined && URL.canParse(storage.url)) {
    const { username, password } = new URL(storage.url);
    if (username !== "" || password !== "")
      faults.push("storage.url has a user name or password in it: write them as storage.user and storage.password");
  }
  return faults;
}

function forwardingFaults({ syslog, otlp, nodes }: Settings): string[] {
  const faults: string[] = [];
  for (const [table, { zone }] of Object.entries({ syslog, otlp }))
    if (zone !== "local" && !isZone(zone))
      faults.push(`${table}.zone ${JSON.stringify(zone)} is not a time zone: ${ZONE_WANTED}, or "local"`);
  for (const [i, { called, from }] of nodes.entries()) {
    if (called === undefined && from === undefined)
      faults.push(`nodes.${i} has neither called nor from: say which host it is about`);
    const fault = from === undefined ? undefined : networkFault(from);
    if (fault !== undefined) faults.push(`nodes.${i}.from ${fault}`);
  }
  for (const [i, network] of syslog.allow.entries()) {
    const fault = networkFault(network);
    if (fault !== undefined) faults.push(`syslog.allow.${i} ${fault}`);
  }
  for (const transport of ["udp", "tcp", "tls"] as const) {
    const place = syslog[transport];
    const isChecked = transport === "tls" && syslog.tls?.client_ca_file !== undefined;
    if (place && !isLoopback(place.host) && syslog.allow.length === 0 && !isChecked)
      faults.push(
        `syslog.${transport}.host ${place.host} can be reached from other machines, so syslog.allow must say who may send${transport === "tls" ? ", or syslog.tls.client_ca_file who signs their certificates" : ""}`,
      );
  }
  if (syslog.tls?.client_names !== undefined && syslog.tls.client_ca_file === undefined)
    faults.push(
      "syslog.tls.client_names needs syslog.tls.client_ca_file: without it nobody is asked for a certificate",
    );
  return faults;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
