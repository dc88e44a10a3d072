import { formatAddress } from "../core/address.ts";
import { isZeroSum, pseudoHeaderSum, sum16 } from "./checksum.ts";
import type { Advert, IpPacket, Malformed } from "./advert.ts";

export const PROTOCOL_VRRP = 112;
export const PROTOCOL_AH = 51;
/** Bytes before the addresses. */
const HEADER_BYTES = 8;
/** Version 2 over IPv4 always ends in these, also when there is no password. */
const AUTH_BYTES = 8;
/** keepalived's authentication header: 12 bytes and an HMAC-MD5-96. */
const AH_BYTES = 24;
/** Where keepalived up to 1.3.6 took the pseudo header's destination from, also when it sent unicast. */
const MULTICAST_V4 = Uint8Array.of(224, 0, 0, 18);

/**
 * Decodes one IP packet.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     |Version| Type  | Virtual Rtr ID|   Priority    |  Addr count   |
 *     |   v2: auth type, interval in s | v3: reserved, interval in cs  |   Checksum …
 *     |                         addresses …                           |
 *     |                v2 over IPv4: 8 bytes of authentication        |
 *
 * Every length is checked against the bytes in hand. @returns undefined when it is not VRRP at all.
 * @see RFC 3768 section 5.1, RFC 9568 section 5.1
 */
export function decodeAdvert(packet: IpPacket): Advert | Malformed | undefined {
  if (packet.protocol === PROTOCOL_VRRP) return decodePdu(packet, packet.payload, packet.payloadLength, false);
  if (packet.protocol !== PROTOCOL_AH || packet.payload[0] !== PROTOCOL_VRRP) return undefined;
  if (packet.payload.length < AH_BYTES) return { malformed: "ah-truncated" };
  return decodePdu(packet, packet.payload.subarray(AH_BYTES), packet.payloadLength - AH_BYTES, true);
}

function decodePdu(packet: IpPacket, pdu: Uint8Array, wireLength: number, inAh: boolean): Advert | Malformed {
  if (pdu.length < HEADER_BYTES)
    return { malformed: wireLength < HEADER_BYTES ? "header-truncated" : "capture-truncated" };
  const [versionAndType = 0, vrid = 0, priority = 0, count = 0, byte4 = 0, byte5 = 0] = pdu;
  const version = versionAndType >> 4;
  if (version !== 2 && version !== 3) return { malformed: "version" };
  if ((versionAndType & 0x0f) !== 1) return { malformed: "type" };
  if (vrid === 0) return { malformed: "vrid-zero" };
  const addressBytes = packet.family === "ipv4" ? 4 : 16;
  const end = HEADER_BYTES + count * addressBytes;
  if (end > wireLength) return { malformed: "addresses-truncated" };
  if (end > pdu.length) return { malformed: "capture-truncated" };
  const advertIntervalUs = version === 2 ? byte5 * 1_000_000 : (((byte4 & 0x0f) << 8) | byte5) * 10_000;
  const vips: string[] = [];
  for (let at = HEADER_BYTES; at < end; at += addressBytes)
    vips.push(formatAddress(pdu.subarray(at, at + addressBytes)));
  return {
    version,
    family: packet.family,
    vrid,
    priority,
    advertIntervalUs,
    vips,
    source: packet.source,
    destination: packet.destination,
    ttl: packet.ttl,
    authType: authTypeOf(version, byte4, inAh),
    checksum: checksumOf(version, packet, pdu, wireLength, end),
  };
}

function authTypeOf(version: number, byte: number, inAh: boolean): Advert["authType"] {
  if (inAh) return "ah";
  if (version === 3 || byte === 0) return "none";
  return byte === 1 ? "pass" : byte === 2 ? "ah" : "unknown";
}

/** All four variants that keepalived sends or accepts count as right; trailers of 2.4 and Ethernet padding are not part of the sum. */
function checksumOf(
  version: number,
  packet: IpPacket,
  pdu: Uint8Array,
  wireLength: number,
  end: number,
): Advert["checksum"] {
  const length = version === 2 && packet.family === "ipv4" ? Math.min(end + AUTH_BYTES, wireLength) : end;
  if (pdu.length < length) return "unverified";
  const own = sum16(pdu.subarray(0, length));
  const withPseudo = (destination: Uint8Array): boolean =>
    isZeroSum(own + pseudoHeaderSum(packet.sourceBytes, destination, PROTOCOL_VRRP, length));
  if (version === 2 && packet.family === "ipv4") return isZeroSum(own) ? "ok" : "bad";
  if (withPseudo(packet.destinationBytes)) return "ok";
  if (packet.family === "ipv4" && (withPseudo(MULTICAST_V4) || isZeroSum(own))) return "ok";
  return "bad";
}
