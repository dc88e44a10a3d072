import type { AuthType } from "../vrrp/advert.ts";
import type { ChecksumVariant, ChecksumVerdict } from "../vrrp/checksum.ts";

/** Rows of a batch: as many as stay in a processor's cache. */
export const BATCH_ROWS = 1_024;

/** What the column `checksum` holds is an index of this. */
export const CHECKSUMS: readonly (ChecksumVariant | Exclude<ChecksumVerdict, "ok">)[] = [
  "standard",
  "bad",
  "unverified",
  "multicast-destination",
  "no-pseudo-header",
];
/** What the column `auth` holds is an index of this. */
export const AUTH_TYPES: readonly AuthType[] = ["none", "pass", "ah", "unknown"];

/** Adverts, a row each, with no object and no string. What the rows hold is only good until whoever was given them returns. */
export class AdvertColumns {
  rows = 0;
  /** Epoch microseconds. */
  readonly ts = new Float64Array(BATCH_ROWS);
  /** Number of the stream: interface, direction, family, VRID and both addresses. */
  readonly stream = new Int32Array(BATCH_ROWS);
  readonly version = new Uint8Array(BATCH_ROWS);
  readonly priority = new Uint8Array(BATCH_ROWS);
  /** Advert interval in centiseconds, of version 2 too: at most 255 s. */
  readonly interval = new Uint16Array(BATCH_ROWS);
  /** How many virtual addresses are in it; only whole ones, when the capture was cut. */
  readonly addresses = new Uint8Array(BATCH_ROWS);
  readonly ttl = new Uint8Array(BATCH_ROWS);
  readonly auth = new Uint8Array(BATCH_ROWS);
  readonly checksum = new Uint8Array(BATCH_ROWS);
}
