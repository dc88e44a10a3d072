/** One captured frame. Of most of them little is looked at: nothing is made of them before somebody asks. */
export interface Packet {
  /** Whole microseconds since the epoch; undefined when the capture does not say (a pcapng simple packet block). */
  readonly tsUs: number | undefined;
  /** Nanoseconds beyond `tsUs`, 0 to 999. */
  readonly subUs: number;
  /** LINKTYPE_ value: 1 Ethernet, 113 LINUX_SLL, 276 LINUX_SLL2, 12/14/101 raw IP, 0/108 BSD loopback. */
  readonly linkType: number;
  /** What was pushed: the frame, as far as it was captured, stands in it from `from` to before `to`. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  /** Bytes it had on the wire. */
  readonly originalLength: number;
  /** Interface name, when the file tells (pcapng). */
  readonly interfaceName: string | undefined;
  /** From 1, as Wireshark counts. */
  readonly frame: number;
}

/** The frame alone. A view into what was pushed. */
export const dataOf = ({ bytes, from, to }: Pick<Packet, "bytes" | "from" | "to">): Buffer => bytes.subarray(from, to);

export interface PcapParser {
  /** The packets that are complete with this chunk. After damage nothing more is read. */
  push(chunk: Uint8Array): Packet[];
  /** What is wrong with the stream, now that it has ended; undefined when it is whole. */
  end(): string | undefined;
}

/** Most captured bytes of a packet taken at their word: libpcap's own limit. */
export const PACKET_BYTES_MAX = 262_144;
/** A packet block of pcapng with its options. */
const BLOCK_BYTES_MAX = PACKET_BYTES_MAX + 65_536;
/** Most interfaces of one pcapng section; a host with more is hardly a host. */
const INTERFACES_MAX = 4_096;

interface PcapFormat {
  readonly kind: "pcap";
  readonly little: boolean;
  readonly nanos: boolean;
  readonly linkType: number;
}

interface PcapngFormat {
  readonly kind: "pcapng";
  readonly little: boolean;
  readonly interfaces: PcapngInterface[];
}

interface PcapngInterface {
  readonly linkType: number;
  /** Most captured bytes of a packet, 0 for no limit. */
  readonly snapLength: number;
  readonly name: string | undefined;
  readonly unitsPerSecond: bigint;
  readonly offsetNs: bigint;
}

type Format = PcapFormat | PcapngFormat;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What one header, record or block gave. `used` may be more than there is: the rest is passed over as it comes. */
interface Step {
  readonly used: number;
  readonly format?: Format;
  /** Its number is given to it by who reads on. */
  readonly packet?: Mutable<Packet>;
}
interface Fault {
  readonly fault: string;
}
const MORE_NEEDED: Step = { used: 0 };
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Reads pcap and pcapng as the bytes come, in whatever pieces. A damaged or cut file gives the packets before the damage
 * and a fault that names the byte.
 * @see draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng
 */
export function createPcapParser(): PcapParser {
  let format: Format | undefined;
  /** What is there of the record at `recordAt`. */
  let rest = NOTHING;
  let recordAt = 0;
  /** Bytes of the record at `recordAt` that are still to be passed over. */
  let skipping = 0;
  let frames = 0;
  let fault: string | undefined;

  function push(chunk: Uint8Array): Packet[] {
    if (fault !== undefined) return [];
    const skipped = Math.min(skipping, chunk.length);
    skipping -= skipped;
    recordAt += skipped;
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset + skipped, chunk.length - skipped);
    rest = rest.length === 0 ? fresh : Buffer.concat([rest, fresh]);
    const packets: Packet[] = [];
    let at = 0;
    while (at < rest.length) {
      const step =
        format?.kind === "pcap" ? pcapRecord(format, rest, at) : stepOf(format, at === 0 ? rest : rest.subarray(at));
      if ("fault" in step) {
        fault = damageFault(step.fault, recordAt);
        break;
      }
      if (step.used === 0) break;
      if (step.format) format = step.format;
      if (step.packet) {
        frames += 1;
        step.packet.frame = frames;
        packets.push(step.packet);
      }
      const inHand = Math.min(step.used, rest.length - at);
      skipping = step.used - inHand;
      recordAt += inHand;
      at += inHand;
    }
    // A copy: what is left must not hold on to a chunk that its owner may fill again.
    rest = at === rest.length ? NOTHING : Buffer.from(rest.subarray(at));
    return packets;
  }

  function end(): string | undefined {
    if (fault !== undefined) return fault;
    if (rest.length > 0 || skipping > 0) return cutFault(recordAt + rest.length);
    return format ? undefined : "it is empty: a capture has at least a file header";
  }

  return { push, end };
}

export const damageFault = (what: string, byte: number): string =>
  `${what}, at byte ${byte}; what stands before it was read`;
export const cutFault = (byte: number): string =>
  `it ends at byte ${byte}, in the middle of a record; what stands before it was read`;

function stepOf(format: PcapngFormat | undefined, bytes: Buffer): Step | Fault {
  if (format) return pcapngBlock(format, bytes);
  return fileHeader(bytes);
}

// --- pcap ----------------------------------------------------------------------------------------------------------------

const PCAP_MAGIC: Readonly<Record<number, readonly [little: boolean, nanos: boolean]>> = {
  0xa1b2c3d4: [false, false],
  0xd4c3b2a1: [true, false],
  0xa1b23c4d: [false, true],
  0x4d3cb2a1: [true, true],
};
const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

function fileHeader(bytes: Buffer): Step | Fault {
  if (bytes.length < 4) return MORE_NEEDED;
  const magic = bytes.readUInt32BE(0);
  if (magic === SECTION_HEADER) return sectionHeader(bytes);
  const known = PCAP_MAGIC[magic];
  if (!known) return { fault: "it is neither a pcap nor a pcapng file" };
  if (bytes.length < PCAP_HEADER_BYTES) return MORE_NEEDED;
  const [little, nanos] = known;
  // The upper half of the field tells of frame check sequences.
  const linkType = integers(bytes, little).u32(20) & 0xffff;
  return { used: PCAP_HEADER_BYTES, format: { kind: "pcap", little, nanos, linkType } };
}

/** The record that begins at `at`. Of live captures all are of this kind: nothing is made but what is told. */
function pcapRecord({ little, nanos, linkType }: PcapFormat, bytes: Buffer, at: number): Step | Fault {
  const data = at + RECORD_HEADER_BYTES;
  if (bytes.length < data) return MORE_NEEDED;
  const seconds = little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  const fraction = little ? bytes.readUInt32LE(at + 4) : bytes.readUInt32BE(at + 4);
  const captured = little ? bytes.readUInt32LE(at + 8) : bytes.readUInt32BE(at + 8);
  const originalLength = little ? bytes.readUInt32LE(at + 12) : bytes.readUInt32BE(at + 12);
  if (captured > PACKET_BYTES_MAX) return { fault: `a record claims ${captured} bytes` };
  if (bytes.length < data + captured) return MORE_NEEDED;
  return {
    used: RECORD_HEADER_BYTES + captured,
    packet: {
      tsUs: seconds * 1_000_000 + (nanos ? Math.floor(fraction / 1_000) : fraction),
      subUs: nanos ? fraction % 1_000 : 0,
      linkType,
      bytes,
      from: data,
      to: data + captured,
      originalLength,
      interfaceName: undefined,
      frame: 0,
    },
  };
}

// --- pcapng --------------------------------------------------------------------------------------------------------------

/** The same in both byte orders. */
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type, length, and the length once more at the end. */
const BLOCK_BYTES_MIN = 12;
const BLOCK_HEADER_BYTES = 8;

const OPTION_END = 0;
const OPTION_IF_NAME = 2;
const OPTION_IF_TSRESOL = 9;
const OPTION_IF_TSOFFSET = 14;

const NS_PER_SECOND = 1_000_000_000n;

type BlockReader = (format: PcapngFormat, body: Buffer) => Omit<Step, "used"> | Fault;

/** The blocks that matter here, by type; all others (statistics, names, secrets) are passed over. */
const BLOCKS: Readonly<Record<number, BlockReader>> = {
  1: interfaceDescription,
  2: (format, body) => packetBlock(format, body, { header: 20, interfaceId: integers(body, format.little).u16 }),
  3: simplePacket,
  6: (format, body) => packetBlock(format, body, { header: 20, interfaceId: integers(body, format.little).u32 }),
};

function pcapngBlock(format: PcapngFormat, bytes: Buffer): Step | Fault {
  if (bytes.length < BLOCK_BYTES_MIN) return MORE_NEEDED;
  if (bytes.readUInt32BE(0) === SECTION_HEADER) return sectionHeader(bytes);
  const { u32 } = integers(bytes, format.little);
  const length = u32(4);
  if (length < BLOCK_BYTES_MIN || length % 4 !== 0) return { fault: `a pcapng block claims ${length} bytes` };
  const read = BLOCKS[u32(0)];
  if (!read) return { used: length };
  const body = wholeBlock(bytes, length, format.little);
  if (!Buffer.isBuffer(body)) return body;
  const result = read(format, body);
  return "fault" in result ? result : { ...result, used: length };
}

/** A section begins: its own byte order, its own interfaces. */
function sectionHeader(bytes: Buffer): Step | Fault {
  if (bytes.length < BLOCK_BYTES_MIN) return MORE_NEEDED;
  const little = bytes.readUInt32LE(8) === BYTE_ORDER_MAGIC;
  if (!little && bytes.readUInt32BE(8) !== BYTE_ORDER_MAGIC) return { fault: "a pcapng section has no byte order" };
  const length = integers(bytes, little).u32(4);
  if (length < BLOCK_BYTES_MIN + 16 || length % 4 !== 0)
    return { fault: `a pcapng section header claims ${length} bytes` };
  const body = wholeBlock(bytes, length, little);
  return Buffer.isBuffer(body) ? { used: length, format: { kind: "pcapng", little, interfaces: [] } } : body;
}

/** The block's body, once all of it is there and both its lengths agree. */
function wholeBlock(bytes: Buffer, length: number, little: boolean): Buffer | Step | Fault {
  if (length > BLOCK_BYTES_MAX) return { fault: `a pcapng block claims ${length} bytes` };
  if (bytes.length < length) return MORE_NEEDED;
  const again = integers(bytes, little).u32(length - 4);
  if (again !== length) return { fault: `a pcapng block begins with ${length} bytes and ends with ${again}` };
  return bytes.subarray(BLOCK_HEADER_BYTES, length - 4);
}

function interfaceDescription(format: PcapngFormat, body: Buffer): Omit<Step, "used"> | Fault {
  const { u16, u32, i64 } = integers(body, format.little);
  if (body.length < 8) return { fault: "a pcapng interface description is too short" };
  if (format.interfaces.length >= INTERFACES_MAX)
    return { fault: `a pcapng section describes more than ${INTERFACES_MAX} interfaces` };
  let name: string | undefined;
  let unitsPerSecond = 1_000_000n;
  let offsetNs = 0n;
  for (let at = 8; at + 4 <= body.length; ) {
    const code = u16(at);
    const length = u16(at + 2);
    const value = body.subarray(at + 4, at + 4 + length);
    if (code === OPTION_END || value.length < length) break;
    if (code === OPTION_IF_NAME) name = value.toString("utf8").replace(/\0.*$/s, "").slice(0, 255) || undefined;
    if (code === OPTION_IF_TSRESOL && length === 1) unitsPerSecond = resolutionOf(value[0] ?? 6);
    if (code === OPTION_IF_TSOFFSET && length === 8) offsetNs = i64(at + 4) * NS_PER_SECOND;
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  format.interfaces.push({ linkType: u16(0), snapLength: u32(4), name, unitsPerSecond, offsetNs });
  return {};
}

/** if_tsresol: a negative power of ten, or of two when the first bit is set. */
const resolutionOf = (byte: number): bigint => (byte & 0x80 ? 2n : 10n) ** BigInt(byte & 0x7f);

/** Enhanced packet block, and the obsolete packet block, which differ in how long the interface's number is. */
function packetBlock(
  format: PcapngFormat,
  body: Buffer,
  { header, interfaceId }: { header: number; interfaceId: (at: number) => number },
): Omit<Step, "used"> | Fault {
  if (body.length < header) return { fault: "a pcapng packet block is too short" };
  const { u32 } = integers(body, format.little);
  const nic = format.interfaces[interfaceId(0)];
  if (!nic) return { fault: `a pcapng packet is of interface ${interfaceId(0)}, which is not described` };
  const captured = u32(12);
  if (header + captured > body.length) return { fault: `a pcapng packet block claims ${captured} captured bytes` };
  const units = (BigInt(u32(4)) << 32n) | BigInt(u32(8));
  const tsNs = atLeastZero((units * NS_PER_SECOND) / nic.unitsPerSecond + nic.offsetNs);
  return {
    packet: {
      tsUs: Number(tsNs / 1_000n),
      subUs: Number(tsNs % 1_000n),
      linkType: nic.linkType,
      bytes: body,
      from: header,
      to: header + captured,
      originalLength: u32(16),
      interfaceName: nic.name,
      frame: 0,
    },
  };
}

/** A packet without a time, always of the section's first interface. */
function simplePacket(format: PcapngFormat, body: Buffer): Omit<Step, "used"> | Fault {
  const nic = format.interfaces[0];
  if (!nic) return { fault: "a pcapng packet is of interface 0, which is not described" };
  if (body.length < 4) return { fault: "a pcapng packet block is too short" };
  const originalLength = integers(body, format.little).u32(0);
  const captured = nic.snapLength === 0 ? originalLength : Math.min(originalLength, nic.snapLength);
  if (4 + captured > body.length) return { fault: `a pcapng packet block claims ${captured} captured bytes` };
  return {
    packet: {
      tsUs: undefined,
      subUs: 0,
      linkType: nic.linkType,
      bytes: body,
      from: 4,
      to: 4 + captured,
      originalLength,
      interfaceName: nic.name,
      frame: 0,
    },
  };
}

const atLeastZero = (ns: bigint): bigint => (ns < 0n ? 0n : ns);

/** Integers in the file's byte order. */
function integers(bytes: Buffer, little: boolean) {
  return {
    u16: (at: number): number => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)),
    u32: (at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)),
    i64: (at: number): bigint => (little ? bytes.readBigInt64LE(at) : bytes.readBigInt64BE(at)),
  };
}
