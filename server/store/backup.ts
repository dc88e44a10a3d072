import { access, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { ClickHouseClient } from "@clickhouse/client";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import type { StoreBackup, StoreInfo } from "../api/types.ts";
import type { ServerConfig } from "../config.ts";
import { backupFolderOf, openEngine } from "./engine.ts";
import { incarnationOf, renewIncarnation } from "./incarnation.ts";
import { layoutOf, migrate, retentionOf } from "./migrate.ts";
import type { Layout } from "./schema.ts";

type Storage = ServerConfig["storage"];

/** ClickHouse writes it last: a folder without it is no backup, or one that was not finished. */
const CONTENTS = ".backup";

/**
 * A copy of all that the embedded store has, of one moment, while it is in use. It has its own name only once all of it is on the disk.
 * @throws OperatorError when there is one of that name, or it cannot be written
 */
export async function backUp(client: ClickHouseClient, storage: Storage, name: string): Promise<StoreBackup> {
  const folder = backupFolderOf(storage);
  const path = join(folder, name);
  const unfinished = join(folder, `.${name}.unfinished`);
  if (await exists(path))
    throw new OperatorError("BACKUP_EXISTS", `there is a backup ${path} already`, { remedy: "Give another name" });
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Of a backup that a crash interrupted.
    await rm(unfinished, { recursive: true, force: true });
    await client.command({
      query: `BACKUP DATABASE ${layoutOf(storage).database} TO File(${quoted(unfinished)})`,
    });
    const bytes = await synced(unfinished);
    await rename(unfinished, path);
    await syncFile(folder);
    return { path, bytes };
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => undefined);
    throw new OperatorError("BACKUP_FAILED", `the backup ${path} cannot be written: ${firstLine(cause)}`, {
      cause,
      remedy: "Check the free space and the permissions of storage.backup_path",
    });
  }
}

/**
 * Makes the embedded store of a backup, under another incarnation. What the detectors knew is left out: it may be of a moment later than the events.
 * @throws OperatorError when there is a store, or the backup is none or is damaged; then nothing is left behind
 */
export async function restore(storage: Storage, from: string): Promise<StoreInfo> {
  const path = resolve(storage.path ?? "");
  const backup = resolve(from);
  const unfinished = `${path}.restoring`;
  if (await hasContent(path))
    throw new OperatorError("STORE_EXISTS", `there is something at ${path}: a backup is never restored over a store`, {
      remedy: "Move it away, or give another storage.path",
    });
  await checkBackup(backup);
  if (await exists(unfinished))
    throw new OperatorError("RESTORE_UNFINISHED", `${unfinished} is of a restore that runs, or was interrupted`, {
      remedy: "If none runs, remove that folder and begin again",
    });
  const layout = layoutOf(storage);
  try {
    const client = await openEngine({ ...storage, path: unfinished, backup_path: dirname(backup) });
    let info: StoreInfo;
    try {
      await client.command({ query: `RESTORE DATABASE ${layout.database} FROM File(${quoted(backup)})` });
      await migrate(client, layout, retentionOf(storage));
      await client.command({ query: `TRUNCATE TABLE ${layout.database}.checkpoints` });
      await renewIncarnation(client, layout.database);
      info = await infoOf(client, storage);
    } finally {
      await client.close();
    }
    await synced(unfinished);
    // An empty folder is in the way of nothing.
    await rename(unfinished, path);
    await syncFile(dirname(path));
    return info;
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    if (cause instanceof OperatorError) throw cause;
    throw new OperatorError("RESTORE_FAILED", `the backup ${backup} cannot be restored: ${firstLine(cause)}`, {
      cause,
      remedy: "It may be damaged, or of another storage.database; nothing was left at storage.path",
    });
  }
}

/** What is in a store, and which one it is. */
export async function infoOf(client: ClickHouseClient, storage: Storage): Promise<StoreInfo> {
  const layout = layoutOf(storage);
  const rows = async <T>(query: string): Promise<T[]> =>
    (await client.query({ query, query_params: { database: layout.database }, format: "JSONEachRow" })).json<T>();
  const [engine] = await rows<{ version: string; schema: number }>(
    `SELECT version() AS version, (SELECT max(version) FROM ${layout.database}.migrations) AS schema`,
  );
  const tables = await rows<{ name: string; bytes: number }>(
    `SELECT replaceRegexpOne(table, '_local$', '') AS name, toFloat64(sum(bytes_on_disk)) AS bytes FROM ${partsOf(layout)}
     WHERE active AND database = {database:String} GROUP BY name ORDER BY name`,
  );
  const counted = tables.map(async ({ name, bytes }) => {
    const [found] = await rows<{ rows: number }>(`SELECT toFloat64(count()) AS rows FROM ${layout.database}.${name}`);
    return { name, rows: found?.rows ?? 0, bytes };
  });
  return {
    kind: storage.url === undefined ? "embedded" : "external",
    engineVersion: engine?.version ?? "",
    schemaVersion: engine?.schema ?? 0,
    incarnation: await incarnationOf(client, layout.database),
    tables: await Promise.all(counted),
  };
}

const partsOf = ({ cluster }: Layout): string =>
  cluster === undefined ? "system.parts" : `clusterAllReplicas('${cluster}', system.parts)`;

async function checkBackup(backup: string): Promise<void> {
  const contents = await readFile(join(backup, CONTENTS), "utf8").catch(() => undefined);
  if (contents?.includes("<config>")) return;
  throw new OperatorError("BACKUP_NONE", `${backup} is not a finished backup`, {
    remedy: "Give the folder that keepwatch store backup named",
  });
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function hasContent(path: string): Promise<boolean> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    // A file, or a folder that is not to be looked into, is in the way as well.
    return [path];
  });
  return names.length > 0;
}

/** Waits until all in the folder is on the disk. @returns bytes of its files */
async function synced(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await synced(path);
    else if (entry.isFile()) {
      bytes += (await stat(path)).size;
      await syncFile(path);
    }
  }
  await syncFile(folder);
  return bytes;
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const firstLine = (error: unknown): string => messageOf(error).split("\n")[0] ?? "";

const quoted = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
