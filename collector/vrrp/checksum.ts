import type { Family } from "../events/event.ts";
import type { VrrpVersion } from "./timers.ts";

/** `unverified`: the capture does not hold all that the sum is over. */
export type ChecksumVerdict = "ok" | "bad" | "unverified";

/**
 * `standard`: as the RFC of the advert's version has it. The two others are version 3 over IPv4 only:
 * `multicast-destination`, unicast with the multicast group in the pseudo header (keepalived up to 1.3.6, and
 * `old_unicast_checksum`), and `no-pseudo-header` (`v3_checksum_as_v2`).
 */
export type ChecksumVariant = "standard" | "multicast-destination" | "no-pseudo-header";

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
  /** How much of the PDU the sum is over: not the trailer of keepalived 2.4, but for IPv6, where the kernel sums all. */
  readonly length: number;
}

/** The sum's verdict, and which of those that keepalived sends or accepts came out right. */
export interface Checked {
  readonly checksum: ChecksumVerdict;
  readonly checksumVariant?: ChecksumVariant;
}

/**
 * Version 2 over IPv4 has no pseudo header, version 3 and IPv6 have one, and all that keepalived sends or accepts besides
 * counts as right.
 * @see RFC 3768 section 5.3.8, RFC 9568 section 5.2.8
 */
export function verifyChecksum({ version, family, source, destination, pdu, length }: Summed): Checked {
  if (pdu.length < length) return { checksum: "unverified" };
  const own = sum16(pdu.subarray(0, length));
  const withPseudoHeader = (to: Uint8Array): boolean => isZeroSum(own + pseudoHeaderSum(source, to, length));
  const right = (checksumVariant: ChecksumVariant): Checked => ({ checksum: "ok", checksumVariant });
  if (version === 2 && family === "ipv4") return isZeroSum(own) ? right("standard") : { checksum: "bad" };
  if (withPseudoHeader(destination)) return right("standard");
  if (family === "ipv4" && withPseudoHeader(MULTICAST_V4)) return right("multicast-destination");
  if (family === "ipv4" && isZeroSum(own)) return right("no-pseudo-header");
  return { checksum: "bad" };
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
export function pseudoHeaderSum(source: Uint8Array, destination: Uint8Array, length: number): number {
  return sum16(source) + sum16(destination) + PROTOCOL_VRRP + length;
}
