import { formatAddress } from "../core/address.ts";
import type { Family } from "../events/event.ts";
import type { IpPacket } from "../vrrp/advert.ts";

/** Somebody announces, unasked, at which hardware address an IP address is from now on. */
export interface Announcement {
  readonly family: Family;
  readonly address: string;
  /** `02:00:00:00:00:0b` */
  readonly mac: string;
}

const ARP_BYTES = 28;
const ARP_ETHERNET_IPV4 = [0, 1, 8, 0, 6, 4] as const;
const PROTOCOL_ICMPV6 = 58;
const NEIGHBOUR_ADVERT = 136;
const SOLICITED = 0x40;
const OPTION_TARGET_MAC = 2;
const HOP_LIMIT = 255;

export const formatMac = (bytes: Iterable<number>): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");

/**
 * Gratuitous ARP: a request or an answer whose sender and target are one address. A probe (sender 0.0.0.0) claims nothing.
 * @see RFC 826, RFC 5227 section 3
 */
export function readGratuitousArp(data: Uint8Array): Announcement | undefined {
  if (data.length < ARP_BYTES || ARP_ETHERNET_IPV4.some((byte, at) => data[at] !== byte)) return undefined;
  const operation = ((data[6] ?? 0) << 8) | (data[7] ?? 0);
  const sender = data.subarray(14, 18);
  if (operation !== 1 && operation !== 2) return undefined;
  if (sender.every((byte) => byte === 0) || sender.some((byte, at) => byte !== data[24 + at])) return undefined;
  return { family: "ipv4", address: formatAddress(sender), mac: formatMac(data.subarray(8, 14)) };
}

/**
 * A neighbour advertisement that nobody asked for. Without the option that names the hardware address it announces none.
 * @see RFC 4861 sections 4.4 and 7.2.6
 */
export function readUnsolicitedAdvert({ family, protocol, ttl, payload }: IpPacket): Announcement | undefined {
  if (family !== "ipv6" || protocol !== PROTOCOL_ICMPV6 || ttl !== HOP_LIMIT || payload.length < 24) return undefined;
  if (payload[0] !== NEIGHBOUR_ADVERT || payload[1] !== 0 || ((payload[4] ?? 0) & SOLICITED) !== 0) return undefined;
  for (let at = 24; at + 8 <= payload.length; ) {
    const bytes = (payload[at + 1] ?? 0) * 8;
    if (bytes === 0) return undefined;
    if (payload[at] === OPTION_TARGET_MAC)
      return {
        family,
        address: formatAddress(payload.subarray(8, 24)),
        mac: formatMac(payload.subarray(at + 2, at + 8)),
      };
    at += bytes;
  }
  return undefined;
}
