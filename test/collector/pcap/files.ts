import { dataOf, type Packet } from "../../../collector/pcap/reader.ts";

/** Capture files made by hand, in either byte order, and what was read of them. */

/** A packet as a value: with its own bytes, and its time as one number, nanoseconds. */
export function plain(packet: Packet) {
  const { tsUs, subUs, linkType, originalLength, interfaceName, frame } = packet;
  const tsNs = tsUs === undefined ? undefined : BigInt(tsUs) * 1000n + BigInt(subUs);
  return { tsNs, linkType, data: Buffer.from(dataOf(packet)), originalLength, interfaceName, frame };
}

export interface Order {
  readonly little: boolean;
}

export interface PacketInput {
  readonly ns: bigint;
  readonly data: Uint8Array;
  /** Bytes on the wire, when the capture was cut. */
  readonly originalLength?: number;
}

const u16 = (value: number, { little }: Order): Buffer => {
  const bytes = Buffer.alloc(2);
  if (little) bytes.writeUInt16LE(value);
  else bytes.writeUInt16BE(value);
  return bytes;
};
const u32 = (value: number, { little }: Order): Buffer => {
  const bytes = Buffer.alloc(4);
  if (little) bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
};
const padded = (data: Uint8Array): Buffer => Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);

export function pcap(
  packets: readonly PacketInput[],
  { little, nanos, linkType }: Order & { nanos: boolean; linkType: number },
): Buffer {
  const order = { little };
  const head = [u32(nanos ? 0xa1b23c4d : 0xa1b2c3d4, order), u16(2, order), u16(4, order)];
  head.push(u32(0, order), u32(0, order), u32(65_535, order), u32(linkType, order));
  const records = packets.flatMap(({ ns, data, originalLength }) => [
    u32(Number(ns / 1_000_000_000n), order),
    u32(Number((ns % 1_000_000_000n) / (nanos ? 1n : 1000n)), order),
    u32(data.length, order),
    u32(originalLength ?? data.length, order),
    data,
  ]);
  return Buffer.concat([...head, ...records]);
}

export function block(type: number, body: Uint8Array, order: Order): Buffer {
  const length = u32(12 + padded(body).length, order);
  return Buffer.concat([u32(type, order), length, padded(body), length]);
}

export const option = (code: number, value: Uint8Array, order: Order): Buffer =>
  Buffer.concat([u16(code, order), u16(value.length, order), padded(value)]);

export const section = (order: Order): Buffer =>
  block(
    0x0a0d0d0a,
    Buffer.concat([u32(0x1a2b3c4d, order), u16(1, order), u16(0, order), Buffer.alloc(8, 0xff)]),
    order,
  );

export function interfaceBlock(
  order: Order,
  { linkType = 1, snapLength = 0, options = [] as readonly Buffer[] } = {},
): Buffer {
  const end = options.length > 0 ? Buffer.alloc(4) : Buffer.alloc(0);
  return block(1, Buffer.concat([u16(linkType, order), u16(0, order), u32(snapLength, order), ...options, end]), order);
}

export function enhancedPacket(order: Order, id: number, units: bigint, data: Uint8Array): Buffer {
  const times = [u32(Number(units >> 32n), order), u32(Number(units & 0xffffffffn), order)];
  const lengths = [u32(data.length, order), u32(data.length, order)];
  return block(6, Buffer.concat([u32(id, order), ...times, ...lengths, padded(data)]), order);
}

export function obsoletePacket(order: Order, id: number, units: bigint, data: Uint8Array): Buffer {
  const times = [u32(Number(units >> 32n), order), u32(Number(units & 0xffffffffn), order)];
  const lengths = [u32(data.length, order), u32(data.length, order)];
  return block(2, Buffer.concat([u16(id, order), u16(0, order), ...times, ...lengths, padded(data)]), order);
}

export const simplePacket = (order: Order, originalLength: number, data: Uint8Array): Buffer =>
  block(3, Buffer.concat([u32(originalLength, order), padded(data)]), order);
