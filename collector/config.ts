import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import Type, { type Static } from "typebox";
import { Compile } from "typebox/compile";
import { messageOf, OperatorError } from "./core/errors.ts";
import { type Part, readSettings } from "./core/settings.ts";
import { SPOOL_BYTES_DEFAULT } from "./sinks/spool.ts";

const closed = { additionalProperties: false } as const;
const Path = Type.String({ minLength: 1, maxLength: 4096 });
const Switch = Type.Union([Type.Boolean(), Type.Literal("auto")]);

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
        url: Type.String({ pattern: "^(https?://[^\\s/]+/?|unix:/.+)$" }),
        token: Type.Optional(Type.String({ minLength: 8 })),
        token_file: Type.Optional(Path),
      },
      closed,
    ),
    spool: Type.Object({ dir: Path, max_bytes: Type.Integer({ minimum: 4 * 1024 * 1024 }) }, closed),
    logs: Type.Object(
      {
        files: Type.Array(Path, { maxItems: 64 }),
        /** `auto`: read the journal when none of the files can be read. */
        journal: Switch,
        /** IANA zone of classic syslog timestamps, or `local`. */
        zone: Type.String({ minLength: 1 }),
      },
      closed,
    ),
    capture: Type.Object({ enabled: Switch }, closed),
    addresses: Type.Object({ enabled: Switch }, closed),
    keepalived: Type.Object({ config: Type.Optional(Path), watch: Switch }, closed),
  },
  closed,
);
export type CollectorConfig = Static<typeof CollectorConfigSchema>;

/** A part of it, for overrides. */
export type CollectorConfigPart = Part<CollectorConfig>;

const validator = Compile(CollectorConfigSchema);

function defaults(): CollectorConfig {
  return {
    cluster: "default",
    node: hostname(),
    heartbeat_seconds: 2,
    server: { url: "http://127.0.0.1:8080" },
    spool: { dir: "/var/lib/keepwatch/collector", max_bytes: SPOOL_BYTES_DEFAULT },
    logs: { files: ["/var/log/messages", "/var/log/syslog"], journal: "auto", zone: "local" },
    capture: { enabled: "auto" },
    addresses: { enabled: "auto" },
    keepalived: { watch: "auto" },
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
  if (token.length < 8)
    throw new OperatorError("CONFIG_TOKEN", `${tokenFile} holds no token`, {
      remedy: "Put the node's token on its first line",
    });
  return { ...config, server: { ...config.server, token } };
}

export function parseCollectorConfig(text: string, path: string, overrides: CollectorConfigPart = {}): CollectorConfig {
  return readSettings(text, path, {
    schema: validator,
    defaults: defaults(),
    overrides,
    what: "the collector",
    check: crossFaults,
  });
}

function crossFaults({ server, logs }: CollectorConfig): string[] {
  const faults: string[] = [];
  if (server.token !== undefined && server.token_file !== undefined)
    faults.push("server.token and server.token_file exclude each other");
  if (logs.zone !== "local" && !isZone(logs.zone))
    faults.push(
      `logs.zone ${JSON.stringify(logs.zone)} is not a time zone: give an IANA name such as Europe/Berlin, or "local"`,
    );
  return faults;
}

/** The configuration as it may be shown: no secret in it. */
export function shownConfig(config: CollectorConfig): CollectorConfig {
  return config.server.token === undefined ? config : { ...config, server: { ...config.server, token: "<redacted>" } };
}

function isZone(zone: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
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
