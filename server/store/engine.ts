import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type ClickHouseClient,
  ClickHouseError,
  type ClickHouseSettings,
  ClickHouseLogLevel,
  createClient,
} from "@clickhouse/client";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import type { ServerConfig } from "../config.ts";
import { EmbeddedConnection } from "./embedded-connection.ts";

/** First release with all that the schema uses; the last to come was min_free_disk_bytes_to_perform_insert. */
const CLICKHOUSE_MIN: readonly [number, number] = [24, 10];
/** ClickHouse's AUTHENTICATION_FAILED, and its older forms UNKNOWN_USER and WRONG_PASSWORD. */
const AUTH_CODES: ReadonlySet<string> = new Set(["516", "192", "193"]);

/** Where backups of the embedded store go unless it is said otherwise: beside it, so that what removes the store leaves them. */
export const backupFolderOf = ({ path = "", backup_path: folder }: ServerConfig["storage"]): string =>
  resolve(folder ?? `${path}-backups`);

/** What differs between an embedded and an external ClickHouse is the connection; all else is one client. @throws OperatorError */
export async function openEngine(storage: ServerConfig["storage"]): Promise<ClickHouseClient> {
  if (storage.url !== undefined) return openExternal(storage, storage.url, {});
  // The hook is marked experimental upstream: this is the only place that knows it.
  return createClient({
    connection: await EmbeddedConnection.open(storage.path ?? "", storage.memory_mib, backupFolderOf(storage)),
  });
}

/** What is acknowledged is on the shards, not in the queue of the server that was asked, and on more than half of each shard's replicas. */
const CLUSTER_SETTINGS: ClickHouseSettings = { distributed_foreground_insert: 1, insert_quorum: "auto" };

/**
 * A client of its own for strangers' questions to the external ClickHouse.
 * @param seconds  longest that it takes to answer one
 * @throws OperatorError
 */
export const openForQuestions = (
  storage: ServerConfig["storage"],
  url: string,
  { database, seconds }: { database: string; seconds: number },
): Promise<ClickHouseClient> => openExternal(storage, url, { database, request_timeout: seconds * 1_000 });

async function openExternal(
  storage: ServerConfig["storage"],
  url: string,
  options: { readonly database?: string; readonly request_timeout?: number },
): Promise<ClickHouseClient> {
  const { user, password, cluster, ca_file: caFile } = storage;
  const client = createClient({
    url,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...(caFile === undefined ? {} : { tls: { ca_cert: await certificates(caFile) } }),
    ...(cluster === undefined ? {} : { clickhouse_settings: CLUSTER_SETTINGS }),
    application: "keepwatch",
    ...options,
    // It would print stacks, and rows that it was sent; what fails is told by whoever asked.
    log: { level: ClickHouseLogLevel.OFF },
  });
  try {
    await checkVersion(client, url);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function certificates(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new OperatorError("CONFIG_UNREADABLE", `storage.ca_file ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      remedy: "Check the path and the permissions",
    });
  }
}

/** What Node says of a connection that could not be made, or was lost. */
const LOST = /^(?:ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;

/** A server that starts and loses its store has nothing to go on with. @returns what to tell people of it; anything else as it is */
export function explainLoss(cause: unknown, url: string | undefined): unknown {
  const isLost = cause instanceof Error && "code" in cause && LOST.test(String(cause.code));
  if (url === undefined || !isLost) return cause;
  return new OperatorError(
    "STORE_UNREACHABLE",
    `the ClickHouse at ${url} was lost while the server started: ${messageOf(cause)}`,
    {
      cause,
      remedy: "Check that it runs, and start the server again",
    },
  );
}

/** What Node says of a certificate that it does not trust begins so. */
const CERTIFICATE = /certificate|self-signed|CERT_|altnames/i;

async function checkVersion(client: ClickHouseClient, url: string): Promise<void> {
  const version = await versionOf(client, url);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > CLICKHOUSE_MIN[0] || (major === CLICKHOUSE_MIN[0] && minor >= CLICKHOUSE_MIN[1])) return;
  throw new OperatorError("STORE_TOO_OLD", `the ClickHouse at ${url} is version ${version}`, {
    remedy: `keepwatch needs ${CLICKHOUSE_MIN.join(".")} or newer`,
  });
}

async function versionOf(client: ClickHouseClient, url: string): Promise<string> {
  try {
    const rows = await client.query({ query: "SELECT version() AS version", format: "JSONEachRow" });
    return (await rows.json<{ version: string }>())[0]?.version ?? "";
  } catch (cause) {
    const refused = cause instanceof ClickHouseError && AUTH_CODES.has(cause.code);
    const told = messageOf(cause).split("\n")[0] ?? "";
    if (CERTIFICATE.test(told) || (cause instanceof Error && "code" in cause && CERTIFICATE.test(String(cause.code))))
      throw new OperatorError(
        "STORE_CERTIFICATE",
        `the certificate of the ClickHouse at ${url} is not trusted: ${told}`,
        {
          cause,
          remedy: "Give the certificate of who signed it as storage.ca_file, and its own name in storage.url",
        },
      );
    throw new OperatorError(
      refused ? "STORE_UNAUTHORISED" : "STORE_UNREACHABLE",
      refused
        ? `the ClickHouse at ${url} does not know this user and password`
        : `the ClickHouse at ${url} does not answer: ${messageOf(cause).split("\n")[0] || "no connection"}`,
      { cause, remedy: refused ? "Check storage.user and storage.password" : "Check storage.url, and that it runs" },
    );
  }
}
