import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { messageOf, OperatorError } from "../core/errors.ts";
import { type Compression, compressionOf } from "./identify.ts";

/** How much of a file decides what it is. */
const HEAD_BYTES = 16 * 1024;

/** The bytes of a file, decompressed as they come. @throws OperatorError that names the path when it cannot be read or is damaged. */
export async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const compression = compressionOf(await readHead(path));
  try {
    yield* (await decompressed(path, compression)) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    throw new OperatorError(
      "INPUT_DAMAGED",
      `${path}: ${compression === "none" ? "cannot be read" : `its ${compression} data is damaged`}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** The first bytes of a file, as they are. @throws OperatorError when it cannot be read */
export async function readHead(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path, "r");
    try {
      if ((await file.stat()).isDirectory())
        throw new OperatorError("INPUT_UNREADABLE", `${path} is a directory`, { remedy: "Name the files in it" });
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    throw new OperatorError("INPUT_UNREADABLE", `${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      remedy: "Check the path and the permissions",
    });
  }
}

/** The first bytes, enough to tell what the stream is, and the stream from its start. */
export async function peek(
  chunks: AsyncIterator<Uint8Array>,
): Promise<{ head: Uint8Array; all: AsyncGenerator<Uint8Array> }> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < HEAD_BYTES) {
    const next = await chunks.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return { head, all: whole() };
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield head;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  }
}

/** What decompresses is loaded when there is something compressed. */
async function decompressed(path: string, compression: Compression): Promise<AsyncIterable<unknown>> {
  if (compression === "gzip") {
    const { createGunzip } = await import("node:zlib");
    const gunzip = createGunzip();
    const file = createReadStream(path);
    file.on("error", (error) => gunzip.destroy(error));
    return file.pipe(gunzip);
  }
  // Node 20's zlib has no zstd: Debian's own tool reads it.
  return compression === "zstd" ? throughZstd(path) : createReadStream(path);
}

async function* throughZstd(path: string): AsyncGenerator<unknown> {
  const { spawn } = await import("node:child_process");
  const child = spawn("zstd", ["-dcq", "--", path], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text.slice(0, 1000)));
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(
        new OperatorError("INPUT_ZSTD", `${path} is compressed with zstd, and the zstd program cannot be run`, {
          cause,
          remedy: "apt-get install zstd",
        }),
      ),
    );
    child.once("close", (code) => resolve(code ?? 1));
  });
  ended.catch(() => undefined);
  yield* child.stdout as Readable;
  if ((await ended) !== 0)
    throw new OperatorError("INPUT_DAMAGED", `${path}: its zstd data is damaged: ${said.trim()}`);
}

/** A line with its place, without its newline. `offset` is the byte at which it begins, after decompression. */
export interface Line {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly lineNumber: number;
}

/** Longest line kept whole, in bytes; of a longer one the rest is passed over, as the live tailer does. */
export const LINE_BYTES_MAX = 1024 * 1024;

/** Cuts chunks of bytes into lines. A last line without a newline is a line. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let rest: Uint8Array = new Uint8Array(0);
  let offset = 0;
  let lineNumber = 1;
  /** Bytes of the current line that were passed over. */
  let passedOver = 0;
  for await (const chunk of chunks) {
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let from = 0;
    for (let newline = data.indexOf(0x0a); newline >= 0; newline = data.indexOf(0x0a, from)) {
      yield { bytes: data.subarray(from, Math.min(newline, from + LINE_BYTES_MAX)), offset, lineNumber };
      offset += newline + 1 - from + passedOver;
      passedOver = 0;
      lineNumber += 1;
      from = newline + 1;
    }
    rest = data.subarray(from);
    if (rest.length > LINE_BYTES_MAX) {
      passedOver += rest.length - LINE_BYTES_MAX;
      rest = rest.subarray(0, LINE_BYTES_MAX);
    }
  }
  if (rest.length > 0) yield { bytes: rest, offset, lineNumber };
}
