import { formatAddress } from "../core/address.ts";
import type { Kept } from "./encode.ts";

export const PART_NAMES = [
  "ip-version",
  "traffic-class",
  "flow-label",
  "total-length",
  "payload-length",
  "identification",
  "fragment",
  "ttl",
  "protocol",
  "header-checksum",
  "source",
  "destination",
  "version-type",
  "vrid",
  "priority",
  "address-count",
  "auth-type",
  "advert-interval",
  "checksum",
  "address",
  "authentication",
] as const;
export type PartName = (typeof PART_NAMES)[number];

/**
 * Where the bytes of a part are from: `kept` as captured; `derived` from what is kept (a length, a sum), or what every sender
 * writes; `zeroed` because nothing of them is kept.
 */
export const PART_ORIGINS = ["kept", "derived", "zeroed"] as const;

/** A field of a packet that `encodeAdvert` made. */
export interface PacketPart {
  readonly name: PartName;
  readonly layer: "ip" | "vrrp";
  /** Bytes from the packet's first. */
  readonly at: number;
  /** Bytes. */
  readonly length: number;
  /** As people read it, without a unit's word; empty where the bytes say all. */
  readonly value: string;
  readonly origin: (typeof PART_ORIGINS)[number];
}

const CENTISECOND_US = 10_000;
const AUTH_BYTES = 8;
const PROTOCOLS: Readonly<Record<number, string>> = { 112: "112 (VRRP)" };

/**
 * Every byte of a packet that `encodeAdvert` made of this advert, by the field it belongs to, in order and without gaps.
 * @see RFC 791 section 3.1, RFC 8200 section 3, RFC 3768 section 5.1, RFC 9568 section 5.1
 */
export function packetParts(packet: Uint8Array, advert: Kept): PacketPart[] {
  const bytes = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const parts: PacketPart[] = [];
  let at = 0;
  let layer: PacketPart["layer"] = "ip";
  const add = (name: PartName, length: number, origin: PacketPart["origin"], value = ""): void => {
    parts.push({ name, layer, at, length, value, origin });
    at += length;
  };
  const hex16 = (offset: number): string => `0x${bytes.getUint16(offset).toString(16).padStart(4, "0")}`;
  const protocol = (offset: number): string => PROTOCOLS[bytes.getUint8(offset)] ?? `${bytes.getUint8(offset)}`;

  if (advert.family === "ipv4") {
    add("ip-version", 1, "derived", "4");
    add("traffic-class", 1, "derived");
    add("total-length", 2, "derived", `${bytes.getUint16(2)}`);
    add("identification", 2, "zeroed");
    add("fragment", 2, "zeroed");
    add("ttl", 1, "kept", `${advert.ttl}`);
    add("protocol", 1, "derived", protocol(9));
    add("header-checksum", 2, "derived", hex16(10));
    add("source", 4, "kept", advert.peer);
    add("destination", 4, "kept", advert.destination);
  } else {
    add("ip-version", 1, "derived", "6");
    add("flow-label", 3, "zeroed");
    add("payload-length", 2, "derived", `${bytes.getUint16(4)}`);
    add("protocol", 1, "derived", protocol(6));
    add("ttl", 1, "kept", `${advert.ttl}`);
    add("source", 16, "kept", advert.peer);
    add("destination", 16, "kept", advert.destination);
  }

  layer = "vrrp";
  add("version-type", 1, "kept", `${advert.version}, 1`);
  add("vrid", 1, "kept", `${advert.vrid}`);
  add("priority", 1, "kept", `${advert.priority}`);
  add("address-count", 1, "derived", `${advert.vips.length}`);
  if (advert.version === 2) {
    add("auth-type", 1, "kept", advert.authType);
    add("advert-interval", 1, "kept", `${bytes.getUint8(at)} s`);
  } else add("advert-interval", 2, "kept", `${(bytes.getUint16(at) * CENTISECOND_US) / 1_000_000} s`);
  add("checksum", 2, "derived", hex16(at));
  const width = advert.family === "ipv4" ? 4 : 16;
  for (let left = advert.vips.length; left > 0; left -= 1)
    add("address", width, "kept", formatAddress(packet.subarray(at, at + width)));
  if (advert.version === 2 && advert.family === "ipv4") add("authentication", AUTH_BYTES, "zeroed");
  return parts;
}
