/**
 * pcapng, little-endian, one section: what Wireshark opens.
 * @see draft-ietf-opsawg-pcapng, sections 4.1 to 4.3
 */

/** Raw IPv4 or IPv6: the link's own header is not kept. */
export const LINKTYPE_RAW = 101;
/** Longest value of an option, bytes. */
const OPTION_BYTES_MAX = 0xffff;

export interface CaptureInterface {
  readonly name: string;
  readonly description: string;
}

export interface CapturePacket {
  /** Position in the interfaces. */
  readonly interface: number;
  /** Epoch microseconds. */
  readonly ts: number;
  readonly data: Uint8Array;
  readonly outgoing: boolean;
  /** One of each for people. */
  readonly comments: readonly string[];
}

export interface Capture {
  /** About the whole, for people. */
  readonly comment: string;
  readonly application: string;
  readonly interfaces: readonly CaptureInterface[];
  readonly packets: readonly CapturePacket[];
}

const COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const EPB_FLAGS = 2;
const INBOUND = 1;
const OUTBOUND = 2;

export function writePcapng({ comment, application, interfaces, packets }: Capture): Uint8Array {
  const head = new Uint8Array(16);
  const view = new DataView(head.buffer);
  view.setUint32(0, 0x1a2b3c4d, true);
  view.setUint16(4, 1, true);
  // The section's length is not told.
  view.setBigInt64(8, -1n, true);
  return joined([
    block(0x0a0d0d0a, head, [textOption(COMMENT, comment), textOption(SHB_USERAPPL, application)]),
    ...interfaces.map(interfaceBlock),
    ...packets.map(packetBlock),
  ]);
}

function interfaceBlock({ name, description }: CaptureInterface): Uint8Array {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint16(0, LINKTYPE_RAW, true);
  return block(1, head, [textOption(IF_NAME, name), textOption(IF_DESCRIPTION, description)]);
}

function packetBlock({ interface: index, ts, data, outgoing, comments }: CapturePacket): Uint8Array {
  const head = new Uint8Array(20 + padded(data.length));
  const view = new DataView(head.buffer);
  const us = BigInt(ts);
  view.setUint32(0, index, true);
  view.setUint32(4, Number(us >> 32n), true);
  view.setUint32(8, Number(us & 0xffff_ffffn), true);
  view.setUint32(12, data.length, true);
  view.setUint32(16, data.length, true);
  head.set(data, 20);
  const flags = new Uint8Array([outgoing ? OUTBOUND : INBOUND, 0, 0, 0]);
  return block(6, head, [...comments.map((text) => textOption(COMMENT, text)), option(EPB_FLAGS, flags)]);
}

function block(type: number, head: Uint8Array, options: readonly Uint8Array[]): Uint8Array {
  const body = joined([head, ...options, ...(options.length > 0 ? [new Uint8Array(4)] : [])]);
  const whole = new Uint8Array(body.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, whole.length, true);
  whole.set(body, 8);
  view.setUint32(whole.length - 4, whole.length, true);
  return whole;
}

const textOption = (code: number, text: string): Uint8Array => {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= OPTION_BYTES_MAX) return option(code, bytes);
  // Cut before a character and not within it.
  let end = OPTION_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return option(code, bytes.subarray(0, end));
};

function option(code: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  bytes.set(value, 4);
  return bytes;
}

const padded = (length: number): number => Math.ceil(length / 4) * 4;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
