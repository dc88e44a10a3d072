import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { type FileHandle, open, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Where Linux keeps files in memory. */
const IN_MEMORY = "/dev/shm";
/** Linux: a file without a name, which is gone with the process that has it open, however that ends. Node does not name it. */
const O_TMPFILE = 0o20_000_000 | constants.O_DIRECTORY;

/**
 * Gives bytes to something that reads files only: under a name that only this process knows, and only until it is done. In memory where there
 * is room for it, else in the folder. Nothing is left of it, whatever ends the process.
 */
export async function asFile<T>(bytes: Uint8Array, folder: string, use: (path: string) => Promise<T>): Promise<T> {
  const file = await unnamedFile((await hasRoom(bytes.length)) ? IN_MEMORY : folder).catch(() => unlinkedFile(folder));
  const path = `/proc/self/fd/${typeof file === "number" ? file : file.fd}`;
  try {
    await writeFile(path, bytes);
    return await use(path);
  } finally {
    if (typeof file === "number") closeSync(file);
    else await file.close();
  }
}

const unnamedFile = (folder: string): Promise<FileHandle> => open(folder, constants.O_RDWR | O_TMPFILE, 0o600);

/** Not every file system has files without a name. In one go, so that nobody else meets the name. */
function unlinkedFile(folder: string): number {
  const path = join(folder, "insert.unnamed");
  const file = openSync(path, "w+", 0o600);
  unlinkSync(path);
  return file;
}

/** A container has 64 MiB there, which others use as well. */
async function hasRoom(bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(IN_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize >= 2 * bytes;
}
