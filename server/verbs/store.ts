import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { resolve } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import type { Problem, StoreBackup, StoreInfo } from "../api/types.ts";
import { loadServerConfig, type ServerConfig } from "../config.ts";
import { backUp, infoOf, restore } from "../store/backup.ts";
import { ownerOf } from "../store/embedded-connection.ts";
import { openEngine } from "../store/engine.ts";
import { layoutOf } from "../store/migrate.ts";
import { BACKUP_NAME } from "../store/store.ts";

export interface StoreOptions {
  readonly config?: string;
  readonly tokenFile?: string;
  readonly format?: string;
}

/** `keepwatch store info` */
export async function infoVerb(options: StoreOptions): Promise<void> {
  const config = await loadServerConfig(options.config);
  const info = await whoeverHasIt<StoreInfo>(config, options, {
    itself: (client) => infoOf(client, config.storage),
    server: ["GET", "/api/v1/store"],
  });
  process.stdout.write(options.format === "json" ? `${JSON.stringify(info, undefined, 2)}\n` : textOf(info));
}

/** `keepwatch store backup [NAME]` */
export async function backupVerb(name: string = timeNow(), options: StoreOptions): Promise<void> {
  const config = await loadServerConfig(options.config);
  if (!new RegExp(BACKUP_NAME).test(name))
    throw new OperatorError("USAGE", `${name} cannot be the name of a backup`, {
      remedy: "Give letters, digits, dots, dashes and underscores, at most 100; the folder is storage.backup_path",
    });
  refuseExternal(config.storage, `BACKUP DATABASE ${nameOf(config)} TO Disk('backups', '${name}')`);
  const { path, bytes } = await whoeverHasIt<StoreBackup>(config, options, {
    itself: (client) => backUp(client, config.storage, name),
    server: ["POST", "/api/v1/store/backups", { name }],
  });
  process.stdout.write(`backed up to ${path}, ${mib(bytes)} MiB\n`);
}

/** `keepwatch store restore DIR` */
export async function restoreVerb(from: string, options: StoreOptions): Promise<void> {
  const config = await loadServerConfig(options.config);
  refuseExternal(
    config.storage,
    `RESTORE DATABASE ${nameOf(config)} FROM Disk('backups', 'NAME'); INSERT INTO ${nameOf(config)}.incarnations (number, id) SELECT max(number) + 1, toString(generateUUIDv4()) FROM ${nameOf(config)}.incarnations; TRUNCATE TABLE ${nameOf(config)}.checkpoints`,
  );
  const info = await restore(config.storage, from);
  process.stdout.write(`restored to ${resolve(config.storage.path ?? "")}\n${textOf(info)}`);
}

const timeNow = (): string => new Date().toISOString().replace(/[:.]/g, "-");

const nameOf = ({ storage }: ServerConfig): string => layoutOf(storage).database;

/** A ClickHouse writes its backups to disks and buckets of its own configuration, which keepwatch does not know. */
function refuseExternal({ url, cluster }: ServerConfig["storage"], sql: string): void {
  if (url === undefined) return;
  const clustered = sql.replace(/(DATABASE \w+|TABLE [\w.]+)/g, `$1 ON CLUSTER '${cluster}'`);
  throw new OperatorError("STORE_EXTERNAL", `the store is the ClickHouse at ${url}, which backs itself up`, {
    remedy: `Run in it${sql.startsWith("RESTORE") ? ", with keepwatch stopped" : ""}: ${cluster === undefined ? sql : clustered}`,
  });
}

/** The store is opened here, or when a server has it open that one is asked. */
async function whoeverHasIt<T>(
  config: ServerConfig,
  options: StoreOptions,
  { itself, server }: { itself: (client: ClickHouseClient) => Promise<T>; server: readonly [string, string, unknown?] },
): Promise<T> {
  const { storage } = config;
  if (storage.url === undefined && !existsSync(storage.path ?? ""))
    throw new OperatorError("STORE_MISSING", `there is no store at ${resolve(storage.path ?? "")}`, {
      remedy: "Give --config with the server's configuration, or run this in the server's working directory",
    });
  if (storage.url === undefined && (await ownerOf(storage.path ?? "")) !== undefined)
    return (await ask(config, options, server)) as T;
  const client = await openEngine(storage);
  try {
    return await itself(client);
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    throw new OperatorError("STORE_UNREADABLE", `the store cannot be read: ${messageOf(cause).split("\n")[0]}`, {
      cause,
      remedy: "A store that no server has opened yet has no tables: start the server once",
    });
  } finally {
    await client.close();
  }
}

async function ask(
  { listen }: ServerConfig,
  { tokenFile }: StoreOptions,
  [method, path, body]: readonly [string, string, unknown?],
): Promise<unknown> {
  const token = tokenFile === undefined ? undefined : (await tokenIn(tokenFile)).trim();
  const host = { "0.0.0.0": "127.0.0.1", "::": "::1" }[listen.host] ?? listen.host;
  const { status, text } = await new Promise<{ status: number; text: string }>((answered, failed) => {
    // However long a backup takes: no timeout.
    const asking = request(
      {
        ...(listen.socket === undefined ? { host, port: listen.port } : { socketPath: listen.socket }),
        method,
        path,
        headers: {
          "content-type": "application/json",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        let answer = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
        response.on("end", () => answered({ status: response.statusCode ?? 0, text: answer }));
        response.on("error", failed);
      },
    );
    asking.on("error", failed);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  }).catch((cause: unknown) => {
    throw new OperatorError(
      "SERVER_UNREACHABLE",
      `the store is in use, and the server at ${listen.socket ?? `${listen.host}:${listen.port}`} does not answer: ${messageOf(cause)}`,
      { cause, remedy: "Give --config with the configuration of the server that runs" },
    );
  });
  const answer: unknown = jsonOf(text);
  if (status < 300) return answer;
  throw new OperatorError(
    "SERVER_REFUSED",
    `the server refused: ${(answer as Problem | undefined)?.detail ?? status}`,
    status === 401 ? { remedy: "Give --token-file with a token that api.tokens lists" } : {},
  );
}

async function tokenIn(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new OperatorError("TOKEN_UNREADABLE", `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      remedy: "Check the path and the permissions",
    });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const mib = (bytes: number): string => (bytes / (1024 * 1024)).toFixed(1);

function textOf({ kind, engineVersion, schemaVersion, incarnation, tables }: StoreInfo): string {
  const lines = [
    `${kind} ClickHouse ${engineVersion}, schema ${schemaVersion}, incarnation ${incarnation.number} (${incarnation.id})`,
    ...tables.map(
      ({ name, rows, bytes }) =>
        `  ${name.padEnd(14)}${rows.toLocaleString("en").padStart(16)} rows ${mib(bytes).padStart(10)} MiB`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}
