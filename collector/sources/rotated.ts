import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createGunzip } from "node:zlib";
import { FINGERPRINT_BYTES, fingerprintOf } from "../core/fingerprint.ts";

/** A file that may be the log under another name. */
export interface Sibling {
  readonly path: string;
  readonly inode: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly gzip: boolean;
}

/** How many files beside the log are looked at: a folder with more is no log rotation. */
const SIBLINGS_MAX = 1_000;

/** What log rotation leaves beside `path`, oldest first: `.1`, `-20260305`, `.2.gz` and the like. */
export async function siblingsOf(path: string): Promise<Sibling[]> {
  const dir = dirname(path);
  const name = basename(path);
  const names = (await readdir(dir).catch((): string[] => [])).filter(
    (other) => (other.startsWith(`${name}.`) || other.startsWith(`${name}-`)) && !/\.(xz|bz2|zst)$/.test(other),
  );
  const found: Sibling[] = [];
  for (const other of names.slice(0, SIBLINGS_MAX)) {
    const full = join(dir, other);
    const stats = await stat(full).catch(() => undefined);
    if (stats?.isFile())
      found.push({
        path: full,
        inode: stats.ino,
        size: stats.size,
        mtimeMs: stats.mtimeMs,
        gzip: other.endsWith(".gz"),
      });
  }
  return found.sort((a, b) => a.mtimeMs - b.mtimeMs || (a.path < b.path ? 1 : -1));
}

/** Fingerprint of a file, compressed or not; undefined while its first line is not complete, or when it cannot be read. */
export async function fingerprintOfFile(file: Pick<Sibling, "path" | "gzip">): Promise<string | undefined> {
  try {
    if (!file.gzip) {
      const handle = await open(file.path, "r");
      try {
        return await fingerprintOfHandle(handle);
      } finally {
        await handle.close();
      }
    }
    let head: Buffer = Buffer.alloc(0);
    for await (const chunk of gunzipped(file.path)) {
      head = Buffer.concat([head, chunk as Buffer]);
      if (head.length >= FINGERPRINT_BYTES) break;
    }
    return fingerprintOf(head);
  } catch {
    return undefined;
  }
}

export async function fingerprintOfHandle(handle: FileHandle): Promise<string | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(FINGERPRINT_BYTES), 0, FINGERPRINT_BYTES, 0);
  return fingerprintOf(buffer.subarray(0, bytesRead));
}

/** The bytes of a file from `offset`, counted after decompression. */
export async function* bytesFrom(file: Pick<Sibling, "path" | "gzip">, offset: number): AsyncGenerator<Buffer> {
  if (!file.gzip) {
    yield* createReadStream(file.path, { start: offset }) as AsyncIterable<Buffer>;
    return;
  }
  let skip = offset;
  for await (const part of gunzipped(file.path)) {
    const chunk = part as Buffer;
    if (skip < chunk.length) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}

function gunzipped(path: string): AsyncIterable<unknown> {
  const gunzip = createGunzip();
  const file = createReadStream(path);
  file.on("error", (error) => gunzip.destroy(error));
  gunzip.on("close", () => file.destroy());
  return file.pipe(gunzip);
}
