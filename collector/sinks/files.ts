import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

/** Makes what was created, renamed or removed in a folder durable. */
export async function syncDir(path: string): Promise<void> {
  const dir = await open(path, "r");
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}

/** The file is either as it was before or holds all of `bytes`, also after a power cut. The caller syncs the folder. */
export async function replaceFile(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** Writes all of `bytes` at `position`: one write call may take only a part. */
export async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

/** Keeps the newest files of a folder, by name, within both bounds. @returns how many were removed */
export async function keepNewest(dir: string, filesMax: number, bytesMax: number): Promise<number> {
  let files = 0;
  let bytes = 0;
  let removed = 0;
  for (const name of (await readdir(dir)).sort().reverse()) {
    const path = join(dir, name);
    bytes += (await stat(path)).size;
    files += 1;
    if (files <= filesMax && bytes <= bytesMax) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

/** House-keeping that may fail: `what` says what could not be done. */
export type OrSay = (what: string, work: () => Promise<void>) => Promise<void>;

/** House-keeping that fails is said once, and tried again with the next occasion: the queue goes on. */
export function sayingOnce(dir: string, log: Log): OrSay {
  let trouble: string | undefined;
  return async (what, work) => {
    try {
      await work();
      trouble = undefined;
    } catch (error) {
      const why = messageOf(error);
      if (trouble !== why) log("error", what, { dir, why });
      trouble = why;
    }
  };
}
