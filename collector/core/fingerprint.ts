import { createHash, createHmac } from "node:crypto";

/** A stream is known by its first line; of a longer one, by its first FINGERPRINT_BYTES. */
export const FINGERPRINT_BYTES = 1024;

/**
 * Names a line stream by its content, so that a log keeps its identity through rename, copy and compression.
 * @param head  the stream's first bytes, at least up to its first newline or FINGERPRINT_BYTES
 * @returns undefined while the first line is not complete: no one can tell yet which file this is
 */
export function fingerprintOf(head: Uint8Array): string | undefined {
  const newline = head.indexOf(0x0a);
  const end = newline >= 0 && newline < FINGERPRINT_BYTES ? newline + 1 : FINGERPRINT_BYTES;
  if (head.length < end) return undefined;
  return createHash("sha256").update(head.subarray(0, end)).digest("hex").slice(0, 16);
}

/** Tells two secrets apart, and nothing else about them: worth as much as the key is secret, so it is made for one run and kept in memory. */
export function keyedFingerprint(secret: Uint8Array, key: string): string {
  return createHmac("sha256", key).update(secret).digest("hex").slice(0, 32);
}
