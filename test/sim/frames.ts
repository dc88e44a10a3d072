import { sum16 } from "../../collector/vrrp/checksum.ts";
import type { Decoded } from "../../collector/vrrp/advert.ts";
import { decodeAdvert } from "../../collector/vrrp/decode.ts";
import { unpackFrame } from "../../collector/pcap/frame.ts";

/** Adverts as tcpdump writes them of all interfaces: nanosecond pcap, Linux cooked capture version 2. */

const LINKTYPE_SLL2 = 276;
const MULTICAST = 2;
const OUTGOING = 4;
const SLL2_BYTES = 20;
const IP_BYTES = 20;
const AUTH_BYTES = 8;
const GROUP = "224.0.0.18";
const PACKET_TYPE_AT = 10;
const IP_ID_AT = SLL2_BYTES + 4;
const IP_SUM_AT = SLL2_BYTES + 10;

export interface AdvertFields {
  readonly version: 2 | 3;
  readonly vrid: number;
  readonly priority: number;
  readonly intervalUs: number;
  readonly vips: readonly string[];
  readonly source: string;
  readonly interfaceIndex: number;
}

export interface AdvertFrame {
  /** Link-layer frame of a receiver. */
  readonly bytes: Uint8Array;
  readonly decoded: Decoded;
}

export function pcapHeader(): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setUint32(0, 0xa1b23c4d, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 1_600, true);
  view.setUint32(20, LINKTYPE_SLL2, true);
  return new Uint8Array(view.buffer);
}

/** @param ts  epoch microseconds */
export function pcapRecord({ bytes }: AdvertFrame, ts: number, outgoing: boolean, ipId: number): Uint8Array {
  const record = new Uint8Array(16 + bytes.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, Math.floor(ts / 1_000_000), true);
  view.setUint32(4, (ts % 1_000_000) * 1_000, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, bytes.length, true);
  record.set(bytes, 16);
  record[16 + PACKET_TYPE_AT] = outgoing ? OUTGOING : MULTICAST;
  view.setUint16(16 + IP_ID_AT, ipId & 0xffff);
  const ip = record.subarray(16 + SLL2_BYTES, 16 + SLL2_BYTES + IP_BYTES);
  view.setUint16(16 + IP_SUM_AT, foldedSum(ip));
  return record;
}

/** @throws {Error} when what it makes is not read as the advert that was asked for */
export function advertFrame(fields: AdvertFields): AdvertFrame {
  const { version, vrid, priority, intervalUs, vips, source, interfaceIndex } = fields;
  const pduBytes = 8 + 4 * vips.length + (version === 2 ? AUTH_BYTES : 0);
  const bytes = new Uint8Array(SLL2_BYTES + IP_BYTES + pduBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x0800);
  view.setUint32(4, interfaceIndex);
  view.setUint16(8, 1);
  bytes[PACKET_TYPE_AT] = MULTICAST;
  bytes[11] = 6;
  bytes.set([0x02, 0, 0, 0, 0, Number(source.split(".")[3])], 12);

  bytes.set([0x45, 0xc0], SLL2_BYTES);
  view.setUint16(SLL2_BYTES + 2, IP_BYTES + pduBytes);
  bytes.set([255, 112], SLL2_BYTES + 8);
  bytes.set(octets(source), SLL2_BYTES + 12);
  bytes.set(octets(GROUP), SLL2_BYTES + 16);

  const pdu = bytes.subarray(SLL2_BYTES + IP_BYTES);
  pdu.set([(version << 4) | 1, vrid, priority, vips.length]);
  if (version === 2) pdu[5] = intervalUs / 1_000_000;
  else pdu.set([intervalUs / 10_000 / 256, (intervalUs / 10_000) & 0xff], 4);
  for (const [at, vip] of vips.entries()) pdu.set(octets(vip), 8 + 4 * at);
  const pseudoHeader = Uint8Array.from([...octets(source), ...octets(GROUP), 0, 112, 0, pduBytes]);
  view.setUint16(SLL2_BYTES + IP_BYTES + 6, foldedSum(pdu, version === 3 ? sum16(pseudoHeader) : 0));

  const frame = unpackFrame({ linkType: LINKTYPE_SLL2, data: bytes });
  const decoded = frame && decodeAdvert(frame.ip);
  if (!decoded || "reason" in decoded || decoded.checksum !== "ok")
    throw new Error(`not an advert: ${JSON.stringify(fields)}`);
  return { bytes, decoded };
}

const octets = (address: string): number[] => address.split(".").map(Number);

function foldedSum(bytes: Uint8Array, more = 0): number {
  let sum = sum16(bytes) + more;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
