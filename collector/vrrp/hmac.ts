import { createHmac, timingSafeEqual } from "node:crypto";
import type { Family } from "../events/event.ts";
import type { VrrpVersion } from "./timers.ts";

/** Bytes that `auth_hmac` (keepalived 2.4) puts behind the PDU; the IP header's length counts them. */
export const HMAC_TRAILER_BYTES = 28;
/** HMAC-SHA-256, of which the first 128 bits are sent: the only scheme there is. */
const SCHEME_SHA256 = 1;
const MAC_BYTES = 16;
const CHECKSUM_AT = 6;

/** What the trailer says of itself. The check value is not kept: with it a guess at the key could be confirmed. */
export interface HmacTrailer {
  /** 1 is HMAC-SHA-256 truncated to 128 bits. */
  readonly scheme: number;
  /** 1..255: which of the configured keys. */
  readonly keyId: number;
  /** When it was signed by the sender's clock, microseconds since the epoch. */
  readonly signedTs: number;
  /** Tells adverts apart that were signed at one instant. */
  readonly counter: number;
}

/**
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +---------------+---------------+-------------------------------+
 *     |    scheme     |    key id     |           reserved            |
 *     +---------------+---------------+-------------------------------+
 *     |                 seconds since the epoch, UTC                  |
 *     +-------------------------------+-------------------------------+
 *     |  binary fraction of a second  |            counter            |
 *     +-------------------------------+-------------------------------+
 *     |                      check value, 16 bytes                    |
 *     +---------------------------------------------------------------+
 *
 * @param bytes  what stands behind the PDU
 * @returns undefined when that is not such a trailer
 * @see keepalived 2.4.3, include/vrrp_auth_hmac.h
 */
export function readHmacTrailer(bytes: Uint8Array): HmacTrailer | undefined {
  const [scheme = 0, keyId = 0] = bytes;
  if (bytes.length !== HMAC_TRAILER_BYTES || scheme === 0 || keyId === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fractionUs = Math.floor((view.getUint16(8) * 1_000_000) / 0x10000);
  return { scheme, keyId, signedTs: view.getUint32(4) * 1_000_000 + fractionUs, counter: view.getUint16(10) };
}

/** What a check value is over. */
export interface Signed {
  readonly family: Family;
  readonly version: VrrpVersion;
  readonly vrid: number;
  /** Source address, 4 or 16 bytes. */
  readonly source: Uint8Array;
  /** The PDU and its trailer. */
  readonly payload: Uint8Array;
}

/**
 * Whether an advert was signed with this key: over family, version, VRID and source address, the PDU without its
 * checksum, and the trailer without its check value. Freshness and replay are not looked at: they are the receiver's.
 * @param key  32 to 64 bytes
 * @returns undefined for a scheme that is not known, or no trailer
 * @see keepalived 2.4.3, vrrp/vrrp_auth_hmac.c
 */
export function verifyHmac({ family, version, vrid, source, payload }: Signed, key: Uint8Array): boolean | undefined {
  const trailer = readHmacTrailer(payload.subarray(Math.max(0, payload.length - HMAC_TRAILER_BYTES)));
  if (trailer?.scheme !== SCHEME_SHA256) return undefined;
  const pseudoHeader = new Uint8Array(20);
  pseudoHeader.set([family === "ipv6" ? 6 : 4, version, vrid]);
  pseudoHeader.set(source, 4);
  // Not slice(), which of a Buffer is a view.
  const signed = Uint8Array.from(payload);
  signed.fill(0, CHECKSUM_AT, CHECKSUM_AT + 2).fill(0, payload.length - MAC_BYTES);
  const mac = createHmac("sha256", key).update(pseudoHeader).update(signed).digest().subarray(0, MAC_BYTES);
  return timingSafeEqual(mac, payload.subarray(payload.length - MAC_BYTES));
}
