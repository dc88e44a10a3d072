import ipaddr from "ipaddr.js";
import type { IpPacket } from "../../../collector/vrrp/advert.ts";

export const bytesOf = (address: string): Uint8Array => Uint8Array.from(ipaddr.parse(address).toByteArray());

/** RFC 1071, written once more, so that the decoder is not checked by itself. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0n;
  for (let at = 0; at < bytes.length; at += 2) sum += BigInt(bytes.readUInt8(at) * 256 + (bytes[at + 1] ?? 0));
  while (sum >> 16n) sum = (sum & 0xffffn) + (sum >> 16n);
  return Number(~sum & 0xffffn);
}

/** RFC 9568 section 5.2.8 for IPv4, RFC 8200 section 8.1 for IPv6. */
export function pseudoHeader(source: string, destination: string, length: number): Uint8Array {
  const tail = source.includes(":")
    ? Buffer.from([0, 0, length >> 8, length & 0xff, 0, 0, 0, 112])
    : Buffer.from([0, 112, length >> 8, length & 0xff]);
  return Buffer.concat([bytesOf(source), bytesOf(destination), tail]);
}

export interface PduOptions {
  version?: 2 | 3;
  vrid?: number;
  priority?: number;
  /** As the field holds it: seconds in version 2, centiseconds in version 3. */
  interval?: number;
  authType?: number;
  vips?: readonly string[];
  password?: string;
  /** Whose pseudo header the checksum is over; none for version 2 over IPv4. */
  sum?: { source: string; destination: string } | undefined;
}

export function vrrpPdu({
  version = 2,
  vrid = 51,
  priority = 100,
  interval = version === 2 ? 1 : 100,
  authType = 0,
  vips = ["10.99.0.100"],
  password = "",
  sum,
}: PduOptions = {}): Buffer {
  const ipv6 = vips[0]?.includes(":") ?? false;
  const auth = version === 2 && !ipv6 ? Buffer.from(password.padEnd(8, "\0").slice(0, 8), "latin1") : Buffer.alloc(0);
  const head = Buffer.from([
    version * 16 + 1,
    vrid,
    priority,
    vips.length,
    version === 2 ? authType : interval >> 8,
    interval & 0xff,
    0,
    0,
  ]);
  const pdu = Buffer.concat([head, ...vips.map(bytesOf), auth]);
  pdu.writeUInt16BE(
    internetChecksum(sum ? pseudoHeader(sum.source, sum.destination, pdu.length) : Buffer.alloc(0), pdu),
    6,
  );
  return pdu;
}

/** The IP packet around a payload, as unpackFrame hands it to the decoder. */
export function ipAround(payload: Uint8Array, over: Partial<IpPacket> = {}): IpPacket {
  const source = over.source ?? "10.99.0.11";
  const destination = over.destination ?? "224.0.0.18";
  return {
    family: source.includes(":") ? "ipv6" : "ipv4",
    source,
    destination,
    ttl: 255,
    protocol: 112,
    header: Buffer.alloc(source.includes(":") ? 40 : 20),
    fragmented: false,
    payload,
    payloadLength: payload.length,
    sourceBytes: bytesOf(source),
    destinationBytes: bytesOf(destination),
    ...over,
  };
}

/** An IPv4 header in front of a payload. */
export function ipv4(
  payload: Uint8Array,
  {
    protocol = 112,
    source = "10.99.0.11",
    destination = "224.0.0.18",
    options = new Uint8Array(0) as Uint8Array,
    flags = 0,
  } = {},
): Buffer {
  const header = Buffer.alloc(20 + options.length);
  header[0] = 0x40 | (header.length / 4);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(flags, 6);
  header[8] = 255;
  header[9] = protocol;
  header.set(bytesOf(source), 12);
  header.set(bytesOf(destination), 16);
  header.set(options, 20);
  return Buffer.concat([header, payload]);
}

/** An IPv6 header in front of extension headers and a payload. */
export function ipv6(
  payload: Uint8Array,
  { nextHeader = 112, source = "fe80::1", destination = "ff02::12", extensions = new Uint8Array(0) as Uint8Array } = {},
): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(extensions.length + payload.length, 4);
  header[6] = nextHeader;
  header[7] = 255;
  header.set(bytesOf(source), 8);
  header.set(bytesOf(destination), 24);
  return Buffer.concat([header, extensions, payload]);
}

export const ethernet = (ip: Uint8Array, etherType = 0x0800, tags: readonly number[] = []): Buffer =>
  Buffer.concat([
    Buffer.from("01005e0000120000deadbeef", "hex"),
    ...tags.map((tag) => Buffer.from([tag >> 8, tag & 0xff, 0, 7])),
    Buffer.from([etherType >> 8, etherType & 0xff]),
    ip,
  ]);
