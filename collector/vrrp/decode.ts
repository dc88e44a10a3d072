import { formatAddress } from "../core/address.ts";
import { keyedFingerprint } from "../core/fingerprint.ts";
import { HMAC_TRAILER_BYTES, readHmacTrailer } from "./hmac.ts";
import type { AuthType, Decoded, IpPacket, Malformed } from "./advert.ts";
import { PROTOCOL_VRRP, verifyChecksum } from "./checksum.ts";
import type { VrrpVersion } from "./timers.ts";

const PROTOCOL_AH = 51;
/** Bytes before the addresses. */
const HEADER_BYTES = 8;
/** Version 2 over IPv4 always ends in these, also when there is no password. */
const AUTH_BYTES = 8;
/** Next header, length, SPI and sequence number (RFC 4302 section 2); the check value follows. */
const AH_FIXED_BYTES = 12;
/** CARP's packets all have this length and put 7, the words of its digest, where VRRP counts its addresses. */
const CARP_BYTES = 36;
const CARP_AUTH_WORDS = 7;

const ADVERTISEMENT = 1;
const AUTH_TYPES: Readonly<Record<number, AuthType>> = { 0: "none", 1: "pass", 2: "ah" };

/**
 * Decodes the advert in an IP packet, in an authentication header too.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-------+-------+---------------+---------------+---------------+
 *     |Version| Type  | Virtual Rtr ID|   Priority    |  Addr count   |
 *     +-------+-------+---------------+---------------+---------------+
 *  v2 |   Auth type   |  Interval, s  |           Checksum            |
 *  v3 | (rsvd)|   Interval, cs        |           Checksum            |
 *     +---------------+---------------+---------------+---------------+
 *     |              addresses, 4 or 16 bytes each                    |
 *     +---------------------------------------------------------------+
 *  v2 |   authentication, 8 bytes, IPv4 only: never kept              |
 *     +---------------------------------------------------------------+
 *
 * Every length is checked against the bytes in hand, and no bytes make it throw. The authentication trailer of
 * keepalived 2.4 may stand behind it; other bytes there are passed over.
 * @param fingerprintKey  for a fingerprint of the password, to be compared with the configuration's
 * @returns undefined when it is not VRRP at all
 * @see RFC 3768 section 5.1, RFC 9568 section 5.1
 */
export function decodeAdvert(packet: IpPacket, fingerprintKey?: string): Decoded | Malformed | undefined {
  if (packet.protocol === PROTOCOL_VRRP) {
    const decoded = decodePdu(packet, packet.payload, packet.payloadLength, false);
    return fingerprintKey === undefined || "reason" in decoded
      ? decoded
      : { ...decoded, ...passwordOf(packet, decoded, fingerprintKey) };
  }
  const [nextHeader, words = 0] = packet.payload;
  if (packet.protocol !== PROTOCOL_AH || nextHeader !== PROTOCOL_VRRP) return undefined;
  // Counted in words of four bytes, two of them not counted (RFC 4302 section 2.2); keepalived's are 24 bytes.
  const headerBytes = Math.max((words + 2) * 4, AH_FIXED_BYTES);
  if (headerBytes > packet.payloadLength) return { reason: "ah-truncated" };
  const { payload } = packet;
  const decoded = decodePdu(packet, payload.subarray(headerBytes), packet.payloadLength - headerBytes, true);
  return "reason" in decoded ? decoded : { ...decoded, ah: { spi: u32(payload, 4), sequence: u32(payload, 8) } };
}

function decodePdu(packet: IpPacket, pdu: Uint8Array, wireLength: number, inAh: boolean): Decoded | Malformed {
  const { family } = packet;
  if (packet.fragmented) return { reason: "fragment" };
  if (wireLength < HEADER_BYTES) return { reason: "header-truncated" };
  if (pdu.length < HEADER_BYTES) return { reason: "capture-truncated" };
  const [versionAndType = 0, vrid = 0, priority = 0, count = 0, byte4 = 0, byte5 = 0] = pdu;
  const version = versionAndType >> 4;
  if (version !== 2 && version !== 3) return { reason: "version" };
  if ((versionAndType & 0x0f) !== ADVERTISEMENT) return { reason: "type" };
  if (vrid === 0) return { reason: "vrid-zero" };
  if (version === 2 && count === CARP_AUTH_WORDS && wireLength === CARP_BYTES && !inAh) return { reason: "carp" };

  const addressBytes = family === "ipv4" ? 4 : 16;
  const addressesEnd = HEADER_BYTES + count * addressBytes;
  const end = addressesEnd + (version === 2 && family === "ipv4" ? AUTH_BYTES : 0);
  if (addressesEnd > wireLength) return { reason: "addresses-truncated" };
  if (end > wireLength) return { reason: "auth-truncated" };
  const advertIntervalUs = version === 2 ? byte5 * 1_000_000 : (((byte4 & 0x0f) << 8) | byte5) * 10_000;
  if (advertIntervalUs === 0) return { reason: "interval-zero" };

  const trailer = inAh || wireLength - end !== HMAC_TRAILER_BYTES ? undefined : readHmacTrailer(pdu.subarray(end));
  return {
    version,
    family,
    vrid,
    priority,
    advertIntervalUs,
    vips: addressesOf(pdu.subarray(HEADER_BYTES, addressesEnd), addressBytes),
    source: packet.source,
    destination: packet.destination,
    ttl: packet.ttl,
    authType: authTypeOf(version, byte4, inAh),
    ...verifyChecksum({
      version,
      family,
      source: packet.sourceBytes,
      destination: packet.destinationBytes,
      pdu,
      length: family === "ipv6" ? wireLength : end,
    }),
    ...(trailer ? { hmac: trailer } : {}),
  };
}

/** keepalived compares the last eight bytes of the datagram, wherever the addresses end; a shorter password ends in zeros. */
function passwordOf(
  { payload, payloadLength }: IpPacket,
  { version, family, authType }: Decoded,
  key: string,
): Pick<Decoded, "passwordFingerprint"> {
  if (version !== 2 || family !== "ipv4" || authType !== "pass" || payload.length < payloadLength) return {};
  const bytes = payload.subarray(payloadLength - AUTH_BYTES, payloadLength);
  const length = bytes.findLastIndex((byte) => byte !== 0) + 1;
  return { passwordFingerprint: keyedFingerprint(bytes.subarray(0, length), key) };
}

/** The addresses that are there whole. */
function addressesOf(bytes: Uint8Array, addressBytes: number): string[] {
  const addresses: string[] = [];
  for (let at = 0; at + addressBytes <= bytes.length; at += addressBytes)
    addresses.push(formatAddress(bytes.subarray(at, at + addressBytes)));
  return addresses;
}

function authTypeOf(version: VrrpVersion, byte: number, inAh: boolean): AuthType {
  if (inAh) return "ah";
  return version === 3 ? "none" : (AUTH_TYPES[byte] ?? "unknown");
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at);
}
