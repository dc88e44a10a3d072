import { open } from "node:fs/promises";
import { messageOf, OperatorError } from "../core/errors.ts";
import { unpackedFrom } from "../sources/packed.ts";
import { packingIn } from "./identify.ts";

/** How much of a file decides what it is. */
const HEAD_BYTES = 16 * 1024;

/** The bytes of a file, decompressed as they come. @throws OperatorError that names the path when it cannot be read or is damaged. */
export async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const packing = packingIn(await readHead(path));
  const file = await open(path, "r");
  try {
    if (packing) yield* unpackedFrom(file, packing);
    else yield* file.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    const why = packing ? `its ${packing} data cannot be read` : "cannot be read";
    throw new OperatorError("INPUT_DAMAGED", `${path}: ${why}: ${messageOf(cause)}`, { cause });
  } finally {
    await file.close();
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
