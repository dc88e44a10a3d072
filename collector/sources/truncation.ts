/** What is known of a file from the last look at it before it was truncated. */
export interface LastLook {
  /** How many bytes of it were read. */
  readonly bytes: number;
  /** When, and since when it was read, epoch microseconds. */
  readonly atUs: number;
  readonly sinceUs: number;
}

/** Shorter than any line: less than this was not written by anybody, bytes. */
const LINE_BYTES_MIN = 24;
/** Least time over which a rate of writing is taken, microseconds. */
const RATE_US_MIN = 1_000_000;

/**
 * copytruncate copies and then truncates: what is written in between is on no disk afterwards. How much that was cannot be
 * seen, but bounded: by how fast the file was written to, and by how long ago its copy was made when it was found truncated.
 * What was read beyond the end of the copy was destroyed and is not lost.
 * @returns an upper bound for what is lost, bytes; 0 when it is less than a line
 */
export function destroyedByTruncation(
  copy: { readonly size: number; readonly mtimeMs: number },
  look: LastLook,
  foundUs: number,
): number {
  const copiedUs = copy.mtimeMs * 1000;
  const wasAheadOfCopy = look.bytes > copy.size;
  const fromUs = wasAheadOfCopy ? Math.max(copiedUs, look.atUs) : copiedUs;
  const rate = Math.max(copy.size, look.bytes) / Math.max(RATE_US_MIN, copiedUs - look.sinceUs);
  const bytes = Math.round(rate * Math.max(0, foundUs - fromUs));
  return bytes < LINE_BYTES_MIN ? 0 : bytes;
}
