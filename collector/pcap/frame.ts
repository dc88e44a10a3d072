import { formatAddress } from "../core/address.ts";
import type { IpPacket } from "../vrrp/advert.ts";

/** A frame as it was captured. */
export interface Captured {
  /** LINKTYPE_ value. */
  readonly linkType: number;
  readonly data: Uint8Array;
}

/** What the link layer told of a frame, and what it carries. */
export interface LinkFrame {
  readonly etherType: number;
  readonly payload: Uint8Array;
  /** Sent by the capturing host itself; undefined when the link type does not say. */
  readonly outgoing: boolean | undefined;
  /** Index of the interface on the capturing host, when the link type says. */
  readonly interfaceIndex: number | undefined;
  /** VLAN tags that are in the frame, outermost first: 802.1Q, and 802.1ad around it. */
  readonly vlans: readonly number[];
  /** Six bytes; undefined when the link type has none. */
  readonly sourceMac: Uint8Array | undefined;
}

/** An IP packet, and what the link layer told of it. */
export interface Frame extends Omit<LinkFrame, "etherType" | "payload"> {
  readonly ip: IpPacket;
}

/** What stands behind a link-layer header. */
interface Link {
  readonly etherType: number;
  readonly payload: Uint8Array;
  readonly outgoing?: boolean;
  readonly interfaceIndex?: number;
  readonly sourceMac?: Uint8Array | undefined;
}

export const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** 802.1Q, 802.1ad, and what was used before 802.1ad. */
const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
const VLAN_TAG_BYTES = 4;
/** A frame with more tags is no frame of ours: 802.1ad has two. */
const VLAN_TAGS_MAX = 4;
const MAC_BYTES = 6;
/** `sll_pkttype` of a packet that this host sent. */
const PACKET_OUTGOING = 4;

/** Hop-by-hop options, routing, destination options: they may stand before the payload. */
const IPV6_EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const IPV6_FRAGMENT = 44;

/** Unpacks a captured frame down to IP. @returns undefined when it holds no whole IP header, or a fragment other than the first. */
export function unpackFrame(packet: Captured): Frame | undefined {
  const link = unpackLink(packet);
  return link && withIp(link);
}

/** Takes off the link-layer header and the VLAN tags. @returns undefined when there is none of a known kind */
export function unpackLink({ linkType, data }: Captured): LinkFrame | undefined {
  const link = LINKS[linkType]?.(data);
  if (!link) return undefined;
  const { outgoing, interfaceIndex, sourceMac } = link;
  const { etherType, payload, vlans } = withoutVlanTags(link);
  return { outgoing, interfaceIndex, sourceMac, etherType, payload, vlans };
}

/** The IP packet in it, if that is what it carries. */
export function withIp({
  etherType,
  payload,
  outgoing,
  interfaceIndex,
  vlans,
  sourceMac,
}: LinkFrame): Frame | undefined {
  const unpack = etherType === ETHERTYPE_IPV4 ? unpackIpv4 : etherType === ETHERTYPE_IPV6 ? unpackIpv6 : undefined;
  const ip = unpack?.(payload);
  // Field by field, here and below: for every packet, what a spread costs is most of the work.
  return ip && { outgoing, interfaceIndex, vlans, sourceMac, ip };
}

/** Link layers by LINKTYPE_ value (tcpdump.org/linktypes.html). */
const LINKS: Readonly<Record<number, (data: Uint8Array) => Link | undefined>> = {
  0: bsdLoopback,
  1: ethernet,
  12: rawIp,
  14: rawIp,
  101: rawIp,
  108: bsdLoopback,
  113: linuxSll,
  228: rawIp,
  229: rawIp,
  276: linuxSll2,
};

function ethernet(data: Uint8Array): Link | undefined {
  if (data.length < 14) return undefined;
  return { etherType: u16(data, 12), payload: data.subarray(14), sourceMac: data.subarray(6, 12) };
}

/** Linux cooked capture: packet type, ARPHRD, address length, 8 bytes of address, protocol. */
function linuxSll(data: Uint8Array): Link | undefined {
  if (data.length < 16) return undefined;
  return {
    etherType: u16(data, 14),
    payload: data.subarray(16),
    outgoing: u16(data, 0) === PACKET_OUTGOING,
    sourceMac: macOf(data, 6, u16(data, 4)),
  };
}

/** Its second version: protocol, 2 reserved, interface index, ARPHRD, packet type, address length, 8 bytes of address. */
function linuxSll2(data: Uint8Array): Link | undefined {
  if (data.length < 20) return undefined;
  return {
    etherType: u16(data, 0),
    payload: data.subarray(20),
    outgoing: data[10] === PACKET_OUTGOING,
    interfaceIndex: u16(data, 4) * 0x10000 + u16(data, 6),
    sourceMac: macOf(data, 12, data[11] ?? 0),
  };
}

/** The sender's address as a cooked header has it: eight bytes, of which as many count as it says. */
const macOf = (data: Uint8Array, at: number, length: number): Uint8Array | undefined =>
  length === MAC_BYTES ? data.subarray(at, at + MAC_BYTES) : undefined;

/** The address family in front has the capturing host's values and byte order; the IP version says the same. */
function bsdLoopback(data: Uint8Array): Link | undefined {
  return data.length < 4 ? undefined : rawIp(data.subarray(4));
}

function rawIp(data: Uint8Array): Link | undefined {
  const version = (data[0] ?? 0) >> 4;
  if (version !== 4 && version !== 6) return undefined;
  return { etherType: version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, payload: data };
}

function withoutVlanTags(link: Link): Pick<LinkFrame, "etherType" | "payload" | "vlans"> {
  let { etherType, payload } = link;
  const vlans: number[] = [];
  while (VLAN_TAGS.has(etherType) && payload.length >= VLAN_TAG_BYTES && vlans.length < VLAN_TAGS_MAX) {
    vlans.push(u16(payload, 0) & 0x0fff);
    etherType = u16(payload, 2);
    payload = payload.subarray(VLAN_TAG_BYTES);
  }
  return { etherType, payload, vlans };
}

/** RFC 791. Padding of a short Ethernet frame is cut off by the packet's own length. */
function unpackIpv4(data: Uint8Array): IpPacket | undefined {
  const versionAndLength = data[0] ?? 0;
  const headerEnd = (versionAndLength & 0x0f) * 4;
  const totalLength = u16(data, 2);
  if (versionAndLength >> 4 !== 4 || headerEnd < 20 || data.length < headerEnd || totalLength < headerEnd)
    return undefined;
  const flagsAndOffset = u16(data, 6);
  if ((flagsAndOffset & 0x1fff) !== 0) return undefined;
  return ipPacket("ipv4", data, {
    ttl: data[8] ?? 0,
    protocol: data[9] ?? 0,
    addresses: [12, 16, 20],
    payload: [headerEnd, totalLength],
    fragmented: (flagsAndOffset & 0x2000) !== 0,
  });
}

/** RFC 8200. */
function unpackIpv6(data: Uint8Array): IpPacket | undefined {
  if (data.length < 40 || (data[0] ?? 0) >> 4 !== 6) return undefined;
  const end = 40 + u16(data, 4);
  let protocol = data[6] ?? 0;
  let at = 40;
  let fragmented = false;
  while (IPV6_EXTENSIONS.has(protocol) || protocol === IPV6_FRAGMENT) {
    if (at + 8 > Math.min(end, data.length)) return undefined;
    if (protocol === IPV6_FRAGMENT) {
      const offsetAndFlags = u16(data, at + 2);
      if (offsetAndFlags >> 3 !== 0) return undefined;
      fragmented = (offsetAndFlags & 1) === 1;
    }
    const bytes = protocol === IPV6_FRAGMENT ? 8 : 8 + (data[at + 1] ?? 0) * 8;
    protocol = data[at] ?? 0;
    at += bytes;
  }
  if (at > Math.min(end, data.length)) return undefined;
  return ipPacket("ipv6", data, {
    ttl: data[7] ?? 0,
    protocol,
    addresses: [8, 24, 40],
    payload: [at, end],
    fragmented,
  });
}

function ipPacket(
  family: IpPacket["family"],
  data: Uint8Array,
  fields: Pick<IpPacket, "ttl" | "protocol" | "fragmented"> & {
    /** Where the source begins, the destination begins, and ends. */
    addresses: readonly [number, number, number];
    payload: readonly [from: number, to: number];
  },
): IpPacket {
  const { ttl, protocol, fragmented, addresses, payload } = fields;
  const sourceBytes = data.subarray(addresses[0], addresses[1]);
  const destinationBytes = data.subarray(addresses[1], addresses[2]);
  return {
    family,
    ttl,
    protocol,
    fragmented,
    source: formatAddress(sourceBytes),
    destination: formatAddress(destinationBytes),
    sourceBytes,
    destinationBytes,
    header: data.subarray(0, payload[0]),
    payload: data.subarray(payload[0], Math.min(payload[1], data.length)),
    payloadLength: payload[1] - payload[0],
  };
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
