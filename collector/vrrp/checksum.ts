import type { Family } from "../events/event.ts";
import type { VrrpVersion } from "./timers.ts";

/** `unverified`: the capture does not hold all that the sum is over. */
export type ChecksumVerdict = "ok" | "bad" | "unverified";

export const PROTOCOL_VRRP = 112;
/** Where keepalived up to 1.3.6 took the pseudo header's destination from, also when it sent unicast. */
const MULTICAST_V4 = Uint8Array.of(224, 0, 0, 18);

/** What a checksum is over. */
export interface Summed {
  readonly version: VrrpVersion;
  readonly family: Family;
  /** Source and destination address, 4 or 16 bytes each. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** The PDU as far as it was captured, its checksum included. */
  readonly pdu: Uint8Array;
  /** How much of the PDU the sum is over: not the trailers of keepalived 2.4. */
  readonly length: number;
}

/**
 * All that keepalived sends or accepts counts as right: version 2 over IPv4 without a pseudo header; version 3 and IPv6
 * with one; version 3 unicast with the multicast group in it (up to 1.3.6, `old_unicast_checksum`); version 3 over IPv4
 * without one (`v3_checksum_as_v2`).
 * @see RFC 3768 section 5.3.8, RFC 9568 section 5.2.8
 */
export function verifyChecksum({ version, family, source, destination, pdu, length }: Summed): ChecksumVerdict {
  if (pdu.length < length) return "unverified";
  const own = sum16(pdu.subarray(0, length));
  const plain = isZeroSum(own);
  if (version === 2 && family === "ipv4") return plain ? "ok" : "bad";
  const withPseudoHeader = (to: Uint8Array): boolean => isZeroSum(own + pseudoHeaderSum(source, to, length));
  if (withPseudoHeader(destination)) return "ok";
  return family === "ipv4" && (plain || withPseudoHeader(MULTICAST_V4)) ? "ok" : "bad";
}

/** Sum of 16-bit big-endian words, an odd last byte padded with zero. */
export function sum16(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  return sum;
}

/** Whether a sum that includes the checksum field comes out right (RFC 1071). */
function isZeroSum(sum: number): boolean {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded === 0xffff;
}

/** The pseudo header's share (RFC 9568 section 5.2.8; RFC 8200 section 8.1 for IPv6): the same words in both families. */
function pseudoHeaderSum(source: Uint8Array, destination: Uint8Array, length: number): number {
  return sum16(source) + sum16(destination) + PROTOCOL_VRRP + length;
}
