import { spawn } from "node:child_process";
import { once } from "node:events";
import type { FileHandle } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { messageOf } from "../core/errors.ts";

/** How a rotated log is compressed, by the ending of its name. */
export type Packing = "gz" | "xz" | "bz2" | "zst";

/** What Node cannot unpack itself is read by the system's own program. */
const PROGRAMS: Readonly<Record<Exclude<Packing, "gz">, { readonly name: string; readonly package: string }>> = {
  xz: { name: "xz", package: "xz-utils" },
  bz2: { name: "bzip2", package: "bzip2" },
  zst: { name: "zstd", package: "zstd" },
};
/** Most of what a program says that is repeated, characters. */
const SAID_MAX_CHARS = 300;

export function packingOf(path: string): Packing | undefined {
  return /\.(gz|xz|bz2|zst)$/.exec(path)?.[1] as Packing | undefined;
}

/**
 * The bytes of a compressed file from `offset`, counted after decompression.
 * @param handle  opened for this: its position moves
 * @throws Error that says what is wrong with it, or which program is needed
 */
export async function* unpackedFrom(handle: FileHandle, packing: Packing, offset = 0): AsyncGenerator<Buffer> {
  let skip = offset;
  for await (const part of packing === "gz" ? gunzipped(handle) : through(handle, packing)) {
    const chunk = part as Buffer;
    if (skip < chunk.length) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}

function gunzipped(handle: FileHandle): AsyncIterable<unknown> {
  const gunzip = createGunzip();
  const file = handle.createReadStream({ start: 0, autoClose: false });
  file.on("error", (error) => gunzip.destroy(error));
  gunzip.on("close", () => file.destroy());
  return file.pipe(gunzip);
}

async function* through(handle: FileHandle, packing: Exclude<Packing, "gz">): AsyncGenerator<Buffer> {
  const program = PROGRAMS[packing];
  const child = spawn(program.name, ["-dcq"], { stdio: [handle.fd, "pipe", "pipe"] });
  const over = once(child, "close") as Promise<[number | null]>;
  // Heard of below, when all that could be read is read.
  over.catch(() => undefined);
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(0, SAID_MAX_CHARS)));
  try {
    if (child.stdout) for await (const chunk of child.stdout) yield chunk as Buffer;
    let status: number | null;
    try {
      [status] = await over;
    } catch (error) {
      throw new Error(
        `it takes the program ${program.name} to read it, which cannot be run (${messageOf(error)}): apt-get install ${program.package}`,
        { cause: error },
      );
    }
    if (status !== 0) throw new Error(`it is damaged, or not finished: ${said.trim()}`);
  } finally {
    child.kill("SIGKILL");
  }
}
