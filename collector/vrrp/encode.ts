import { addressBytes } from "../core/address.ts";
import type { AuthType } from "./advert.ts";
import { PROTOCOL_VRRP, pseudoHeaderSum, sum16 } from "./checksum.ts";

/** An advert as it was captured, as far as it is kept. */
export interface Kept {
  readonly version: 2 | 3;
  readonly family: "ipv4" | "ipv6";
  readonly vrid: number;
  readonly priority: number;
  readonly advertIntervalUs: number;
  readonly vips: readonly string[];
  /** Source address. */
  readonly peer: string;
  readonly destination: string;
  readonly ttl: number;
  readonly authType: AuthType;
  readonly checksum: "ok" | "bad" | "unverified";
}

const HEADER_BYTES = 8;
const AUTH_BYTES = 8;
const CHECKSUM_AT = 6;
const AUTH_NUMBERS: Readonly<Record<AuthType, number>> = { none: 0, pass: 1, ah: 2, unknown: 0xff };

/**
 * The IP packet of an advert, made again of what is kept of it: the bytes that are not are zeros, a password among them. A
 * sum that was wrong is wrong again; an authentication header is left out.
 * @returns undefined when an address is none
 * @see RFC 3768 section 5.1, RFC 9568 section 5.1; decode.ts has the diagram
 */
export function encodeAdvert(advert: Kept): Uint8Array | undefined {
  const source = addressBytes(advert.peer);
  const destination = addressBytes(advert.destination);
  const width = advert.family === "ipv4" ? 4 : 16;
  const vips = advert.vips.map((vip) => addressBytes(vip.split("/")[0] ?? ""));
  if ([source, destination, ...vips].some((bytes) => bytes?.length !== width)) return undefined;
  const [from, to] = [source as Uint8Array, destination as Uint8Array];
  const pdu = pduOf(advert, vips as Uint8Array[]);
  const isPlain = advert.version === 2 && advert.family === "ipv4";
  const sum = sum16(pdu) + (isPlain ? 0 : pseudoHeaderSum(from, to, pdu.length));
  const right = 0xffff - folded(sum);
  new DataView(pdu.buffer).setUint16(CHECKSUM_AT, advert.checksum === "bad" ? right ^ 0x5555 : right);
  return advert.family === "ipv4" ? ipv4(from, to, advert.ttl, pdu) : ipv6(from, to, advert.ttl, pdu);
}

function pduOf(
  { version, family, vrid, priority, advertIntervalUs, authType, vips: names }: Kept,
  vips: Uint8Array[],
): Uint8Array {
  const addressesEnd = HEADER_BYTES + vips.reduce((sum, { length }) => sum + length, 0);
  const pdu = new Uint8Array(addressesEnd + (version === 2 && family === "ipv4" ? AUTH_BYTES : 0));
  const view = new DataView(pdu.buffer);
  pdu.set([(version << 4) | 1, vrid, priority, names.length]);
  if (version === 2) pdu.set([AUTH_NUMBERS[authType], Math.min(255, Math.round(advertIntervalUs / 1_000_000))], 4);
  else view.setUint16(4, Math.min(0x0fff, Math.round(advertIntervalUs / 10_000)));
  let at = HEADER_BYTES;
  for (const vip of vips) {
    pdu.set(vip, at);
    at += vip.length;
  }
  return pdu;
}

/** RFC 791, without options. */
function ipv4(source: Uint8Array, destination: Uint8Array, ttl: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  // Internetwork control, as keepalived sends it.
  packet.set([0x45, 0xc0]);
  view.setUint16(2, packet.length);
  packet.set([ttl, PROTOCOL_VRRP], 8);
  packet.set(source, 12);
  packet.set(destination, 16);
  view.setUint16(10, 0xffff - folded(sum16(packet.subarray(0, 20))));
  packet.set(payload, 20);
  return packet;
}

/** RFC 8200, without extension headers. */
function ipv6(source: Uint8Array, destination: Uint8Array, hopLimit: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(40 + payload.length);
  packet.set([0x6c]);
  new DataView(packet.buffer).setUint16(4, payload.length);
  packet.set([PROTOCOL_VRRP, hopLimit], 6);
  packet.set(source, 8);
  packet.set(destination, 24);
  packet.set(payload, 40);
  return packet;
}

function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + Math.floor(rest / 0x10000);
  return rest;
}
