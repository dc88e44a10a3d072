import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { Static } from "typebox";
import { messageOf, OperatorError } from "./core/errors.ts";
import { checkerOf, Type } from "./core/schema.ts";
import { type Part, readSettings } from "./core/settings.ts";
import { isZone, ZONE_WANTED } from "./logs/zone.ts";
import { SPOOL_BYTES_DEFAULT } from "./sinks/spool.ts";

const closed = { additionalProperties: false } as const;
const Path = Type.String({ minLength: 1, maxLength: 4096 });
/** One list of values, not a union: a union would tell each of its branches as a fault. */
const Switch = Type.Unsafe<boolean | "auto">({ enum: [true, false, "auto"] });

/** What may stand in an HTTP header and is long enough not to be guessed at a glance. */
const TOKEN = /^[\x21-\x7e]{8,512}$/;
const TOKEN_WANTED = "8 to 512 letters, digits and signs, without a space";

/** The collector's configuration. Every key has a default but `server.token`. */
const CollectorConfigSchema = Type.Object(
  {
    /** The operator's label for nodes that back each other up. */
    cluster: Type.String({ minLength: 1, maxLength: 64 }),
    /** Name of this node. Default: the host name. */
    node: Type.String({ minLength: 1, maxLength: 255 }),
    /** How often the collector says that it is alive, seconds. */
    heartbeat_seconds: Type.Number({ minimum: 0.2, maximum: 300 }),
    server: Type.Object(
      {
        /** `http://host:port`, `https://host:port`, or `unix:/path/to/socket`. */
        url: Type.String({ minLength: 1, maxLength: 4096 }),
        token: Type.Optional(Type.String()),
        token_file: Type.Optional(Path),
        /** Authorities that the server's certificate is checked against, PEM; without it, those that Node knows. */
        ca_file: Type.Optional(Path),
        /** This node's certificate and its key, PEM: they stand for a token where the server asks for them (`ingest.tls`). Read again when they change. */
        cert_file: Type.Optional(Path),
        key_file: Type.Optional(Path),
      },
      closed,
    ),
    spool: Type.Object(
      {
        dir: Path,
        max_bytes: Type.Integer({ minimum: 4 * 1024 * 1024 }),
        /** How long what the server has is kept, in case that it is restored from a backup, hours; within `max_bytes`, and given up first. 0: not at all. */
        keep_hours: Type.Number({ minimum: 0, maximum: 8760 }),
      },
      closed,
    ),
    logs: Type.Object(
      {
        files: Type.Array(Path, { maxItems: 64 }),
        /** `auto`: read the journal when none of the files can be read. */
        journal: Switch,
        /** Zone of timestamps that name none: an IANA name, `UTC`, an offset such as `+02:00`, or `local`. */
        zone: Type.String({ minLength: 1 }),
      },
      closed,
    ),
    capture: Type.Object({ enabled: Switch }, closed),
    addresses: Type.Object({ enabled: Switch }, closed),
    shadow: Type.Object({ enabled: Switch }, closed),
    process: Type.Object(
      {
        enabled: Switch,
        /** Ask keepalived for its own dump of its state, by a signal, now and then. */
        signals: Type.Boolean(),
      },
      closed,
    ),
    /** The shadow of keepalived's health checkers. */
    checks: Type.Object(
      {
        /** `auto`: when the configuration of keepalived has virtual servers. */
        enabled: Switch,
        /** `elected`: the node that has the virtual address probes; where no vrrp_instance has it, the first of `nodes`. */
        probe: Type.Unsafe<"always" | "elected">({ enum: ["always", "elected"] }),
        nodes: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { maxItems: 64 }),
        /** Probes a real server may get in one delay_loop, retries among them; 0: as many as keepalived makes. */
        probes_per_loop: Type.Integer({ minimum: 0, maximum: 1000 }),
        /** Probes under way at once. */
        concurrent_max: Type.Integer({ minimum: 1, maximum: 256 }),
        /** Programs of MISC_CHECKs that may be run, by their full path. */
        scripts: Type.Array(Path, { maxItems: 256 }),
        /** Oldest TLS that keepalived's OpenSSL takes on this node. */
        tls_min: Type.Unsafe<"TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3">({
          enum: ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
        }),
      },
      closed,
    ),
    keepalived: Type.Object({ config: Type.Optional(Path), watch: Switch }, closed),
    /** Where Prometheus may scrape this node, `host:port`; without it nothing listens. */
    metrics: Type.Object({ listen: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }, closed),
  },
  closed,
);
export type CollectorConfig = Static<typeof CollectorConfigSchema>;

/** A part of it, for overrides. */
export type CollectorConfigPart = Part<CollectorConfig>;

const checker = checkerOf(CollectorConfigSchema);

function defaults(): CollectorConfig {
  return {
    cluster: "default",
    node: hostname(),
    heartbeat_seconds: 2,
    server: { url: "http://127.0.0.1:8080" },
    spool: { dir: "/var/lib/keepwatch/collector", max_bytes: SPOOL_BYTES_DEFAULT, keep_hours: 48 },
    logs: { files: ["/var/log/messages", "/var/log/syslog"], journal: "auto", zone: "local" },
    capture: { enabled: "auto" },
    addresses: { enabled: "auto" },
    process: { enabled: "auto", signals: false },
    shadow: { enabled: "auto" },
    checks: {
      enabled: "auto",
      probe: "always",
      nodes: [],
      probes_per_loop: 1,
      concurrent_max: 16,
      scripts: [],
      tls_min: "TLSv1.2",
    },
    keepalived: { watch: "auto" },
    metrics: {},
  };
}

/**
 * Reads the collector's TOML file over the defaults.
 * @param path  undefined: the defaults alone
 * @throws OperatorError that names the file, and every key at fault
 */
export async function loadCollectorConfig(
  path: string | undefined,
  overrides: CollectorConfigPart = {},
): Promise<CollectorConfig> {
  const text = path === undefined ? "" : await readText(path);
  const config = parseCollectorConfig(text, path ?? "the built-in configuration", overrides);
  const { token_file: tokenFile } = config.server;
  if (tokenFile === undefined) return config;
  const token = (await readText(tokenFile)).trim();
  if (!TOKEN.test(token))
    throw new OperatorError("CONFIG_TOKEN", `${tokenFile} holds no token: ${TOKEN_WANTED}`, {
      remedy: "Put the node's token, and nothing else, into it",
    });
  return { ...config, server: { ...config.server, token } };
}

export function parseCollectorConfig(text: string, path: string, overrides: CollectorConfigPart = {}): CollectorConfig {
  return readSettings(text, path, {
    schema: checker,
    defaults: defaults(),
    overrides,
    what: "the collector",
    check: crossFaults,
  });
}

function crossFaults({ server, logs, checks, metrics }: CollectorConfig): string[] {
  const faults: string[] = [];
  const url = urlFault(server.url);
  if (url !== undefined) faults.push(url);
  if (server.token !== undefined && server.token_file !== undefined)
    faults.push("server.token and server.token_file exclude each other");
  if (server.token !== undefined && !TOKEN.test(server.token)) faults.push(`server.token is no token: ${TOKEN_WANTED}`);
  if ((server.cert_file === undefined) !== (server.key_file === undefined))
    faults.push("server.cert_file and server.key_file belong together");
  for (const key of ["ca_file", "cert_file"] as const)
    if (server[key] !== undefined && !server.url.startsWith("https://"))
      faults.push(`server.${key} is for a server.url that begins with https://`);
  for (const script of checks.scripts)
    if (!script.startsWith("/")) faults.push(`checks.scripts: ${JSON.stringify(script)} is not a full path`);
  if (metrics.listen !== undefined && !isListenAddress(metrics.listen))
    faults.push(
      `metrics.listen ${JSON.stringify(metrics.listen)} is no address: give host:port, such as "127.0.0.1:9165" or "[::1]:9165"`,
    );
  if (logs.zone !== "local" && !isZone(logs.zone))
    faults.push(`logs.zone ${JSON.stringify(logs.zone)} is not a time zone: ${ZONE_WANTED}, or "local"`);
  return faults;
}

function isListenAddress(text: string): boolean {
  const port = Number(/^(?:\[[0-9a-fA-F:.%\w]+\]|[\w.-]+):(\d{1,5})$/.exec(text)?.[1]);
  return port >= 0 && port <= 65_535;
}

/** The address is not repeated where it may hold a password. */
function urlFault(url: string): string | undefined {
  const wanted = "give http://host:port, https://host:port or unix:/path/to/socket";
  if (/^unix:\/./.test(url)) return undefined;
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return `server.url is not an address: ${wanted}`;
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:")
    return `server.url begins with ${JSON.stringify(parsed.protocol)}: ${wanted}`;
  if (parsed.username !== "" || parsed.password !== "")
    return "server.url holds a user or a password: put the node's token into server.token or server.token_file";
  return parsed.pathname === "/" && parsed.search === "" && parsed.hash === ""
    ? undefined
    : `server.url has a path (${parsed.pathname}): ${wanted}`;
}

/** The configuration as it may be shown: no secret in it. */
export function shownConfig(config: CollectorConfig): CollectorConfig {
  return config.server.token === undefined ? config : { ...config, server: { ...config.server, token: "<redacted>" } };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new OperatorError("CONFIG_UNREADABLE", `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      remedy: "Check the path and the permissions",
    });
  }
}
