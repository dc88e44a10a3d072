import { formatAddress } from "../core/address.ts";
import type { IpPacket } from "../vrrp/advert.ts";
import type { Packet } from "./reader.ts";

/** What the link layer tells. */
export interface Frame {
  readonly ip: IpPacket;
  /** Sent by the capturing host itself; undefined when the link type does not say. */
  readonly outgoing: boolean | undefined;
  /** Index of the interface on the capturing host, when the link type says. */
  readonly interfaceIndex: number | undefined;
}

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
/** `sll_pkttype` of a packet that this host sent. */
const PACKET_OUTGOING = 4;

/** IPv6 extension headers that may stand before the payload: hop-by-hop, routing, destination options. */
const IPV6_EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const IPV6_FRAGMENT = 44;

/** Unpacks a captured frame. @returns undefined when it holds no whole IP header, or a fragment other than the first. */
export function unpackFrame(packet: Packet): Frame | undefined {
  const link = unpackLink(packet.linkType, packet.data);
  if (!link) return undefined;
  const ip =
    link.etherType === ETHERTYPE_IPV4
      ? unpackIpv4(link.payload)
      : link.etherType === ETHERTYPE_IPV6
        ? unpackIpv6(link.payload)
        : undefined;
  return ip && { ip, outgoing: link.outgoing, interfaceIndex: link.interfaceIndex };
}

interface Link {
  readonly etherType: number;
  readonly payload: Uint8Array;
  readonly outgoing: boolean | undefined;
  readonly interfaceIndex: number | undefined;
}

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

function unpackLink(linkType: number, data: Uint8Array): Link | undefined {
  switch (linkType) {
    case 1:
      return data.length < 14 ? undefined : behindVlans(u16(data, 12), data.subarray(14), undefined, undefined);
    case 113:
      return data.length < 16
        ? undefined
        : behindVlans(u16(data, 14), data.subarray(16), u16(data, 0) === PACKET_OUTGOING, undefined);
    case 276:
      return data.length < 20
        ? undefined
        : behindVlans(
            u16(data, 0),
            data.subarray(20),
            data[10] === PACKET_OUTGOING,
            ((data[4] ?? 0) << 24) | ((data[5] ?? 0) << 16) | u16(data, 6),
          );
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return rawIp(data);
    case 0:
    case 108:
      return data.length < 4 ? undefined : rawIp(data.subarray(4));
    default:
      return undefined;
  }
}

function behindVlans(
  etherType: number,
  payload: Uint8Array,
  outgoing: boolean | undefined,
  interfaceIndex: number | undefined,
): Link | undefined {
  let type = etherType;
  let rest = payload;
  while (VLAN_TAGS.has(type)) {
    if (rest.length < 4) return undefined;
    type = u16(rest, 2);
    rest = rest.subarray(4);
  }
  return { etherType: type, payload: rest, outgoing, interfaceIndex };
}

function rawIp(data: Uint8Array): Link | undefined {
  const version = (data[0] ?? 0) >> 4;
  if (version !== 4 && version !== 6) return undefined;
  return {
    etherType: version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6,
    payload: data,
    outgoing: undefined,
    interfaceIndex: undefined,
  };
}

/** RFC 791. Padding of a short Ethernet frame is cut off by the header's own length. */
function unpackIpv4(data: Uint8Array): IpPacket | undefined {
  const headerLength = ((data[0] ?? 0) & 0x0f) * 4;
  const totalLength = u16(data, 2);
  const fragmentOffset = u16(data, 6) & 0x1fff;
  if (
    data.length < 20 ||
    (data[0] ?? 0) >> 4 !== 4 ||
    headerLength < 20 ||
    data.length < headerLength ||
    totalLength < headerLength ||
    fragmentOffset !== 0
  )
    return undefined;
  return ipPacket("ipv4", data, {
    ttl: data[8] ?? 0,
    protocol: data[9] ?? 0,
    source: [12, 16],
    destination: [16, 20],
    payload: [headerLength, totalLength],
  });
}

/** RFC 8200. */
function unpackIpv6(data: Uint8Array): IpPacket | undefined {
  if (data.length < 40 || (data[0] ?? 0) >> 4 !== 6) return undefined;
  const end = 40 + u16(data, 4);
  let next = data[6] ?? 0;
  let at = 40;
  while (IPV6_EXTENSIONS.has(next) && at + 8 <= data.length) {
    next = data[at] ?? 0;
    at += 8 + (data[at + 1] ?? 0) * 8;
  }
  if (next === IPV6_FRAGMENT || at > data.length || at > end) return undefined;
  return ipPacket("ipv6", data, {
    ttl: data[7] ?? 0,
    protocol: next,
    source: [8, 24],
    destination: [24, 40],
    payload: [at, end],
  });
}

type Range = readonly [from: number, to: number];

function ipPacket(
  family: IpPacket["family"],
  data: Uint8Array,
  fields: { ttl: number; protocol: number; source: Range; destination: Range; payload: Range },
): IpPacket {
  const sourceBytes = data.subarray(...fields.source);
  const destinationBytes = data.subarray(...fields.destination);
  const [from, to] = fields.payload;
  return {
    family,
    ttl: fields.ttl,
    protocol: fields.protocol,
    source: formatAddress(sourceBytes),
    destination: formatAddress(destinationBytes),
    sourceBytes,
    destinationBytes,
    payload: data.subarray(from, Math.min(to, data.length)),
    payloadLength: to - from,
  };
}
