import { closeSync, constants, openSync, readSync } from "node:fs";

/** Enough for any number that counts. */
const READ_BYTES = 128;

/** The number a tracked file begins with; 0 when there is none, or no file. */
export function readTrackFile(path: string): number {
  let fd: number;
  try {
    // A pipe without a writer is not waited for.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return 0;
  }
  try {
    const bytes = Buffer.alloc(READ_BYTES);
    const text = bytes.toString("latin1", 0, readSync(fd, bytes, 0, READ_BYTES, 0));
    const number = /^\s*([-+]?\d{1,12})/.exec(text)?.[1];
    return number === undefined ? 0 : Number(number);
  } catch {
    return 0;
  } finally {
    closeSync(fd);
  }
}
