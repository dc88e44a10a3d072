/** Where a log was copied and truncated: the end of the copy, and what is known of the moments after it. */
export interface Seam {
  /** Of the copy, bytes. */
  readonly size: number;
  /** When the copy was finished, epoch microseconds. */
  readonly copiedUs: number;
  /** When the log that was copied began, as far as known, epoch microseconds. */
  readonly beganUs: number;
  /** How many bytes of it were read, and when the file was last seen to hold no more. */
  readonly readBytes: number;
  readonly readUs: number;
  /** When the file was found truncated, epoch microseconds. */
  readonly foundUs: number;
  /** The newest line that was read of it. */
  readonly newestTs: number | undefined;
}

/** Expected to be lost, bytes: less than this is less than one chance in ten of the shortest line. */
const TOLD_BYTES_MIN = 2.4;
/** A line is written up to so long after the instant that stands in it, microseconds: who writes has its own queue. */
const STAMP_LAG_US = 5_000;
/** Least time over which a rate of writing is taken, microseconds. */
const RATE_US_MIN = 1_000_000;
/** Who copies a log truncates it next: it takes no longer than this, microseconds. */
const TRUNCATED_WITHIN_US = 1_000_000;

/**
 * What is written between the copy and the truncation is on no disk afterwards. How much that was cannot be seen, only estimated:
 * by how fast the log was written on average, and by how long it was until the file was found truncated or had its next line. What was
 * read beyond the end of the copy was destroyed and is not lost.
 * @param nextTs  of the first line after the truncation
 * @returns an estimate of what is lost, bytes; 0 when it is unlikely that anything is
 */
export function destroyedAt(seam: Seam, nextTs: number): number {
  const fromUs = seam.readBytes > seam.size ? Math.max(seam.copiedUs, seam.readUs) : seam.copiedUs;
  // The next line may have been stamped before the copy was finished, and written after the truncation.
  const writtenUs = Math.max(nextTs, fromUs + STAMP_LAG_US);
  const toUs = Math.min(writtenUs, seam.foundUs, seam.copiedUs + TRUNCATED_WITHIN_US);
  const rate = Math.max(seam.size, seam.readBytes) / Math.max(RATE_US_MIN, seam.copiedUs - seam.beganUs);
  const bytes = rate * Math.max(0, toUs - fromUs);
  return bytes < TOLD_BYTES_MIN ? 0 : Math.ceil(bytes);
}
