/** One captured frame. */
export interface Packet {
  /** Nanoseconds are cut to microseconds for events; the id keeps them. */
  readonly tsNs: bigint;
  /** libpcap link type: 1 Ethernet, 113 LINUX_SLL, 276 LINUX_SLL2, 12/101 raw IP, 0/108 BSD loopback. */
  readonly linkType: number;
  readonly data: Uint8Array;
  readonly originalLength: number;
  /** Interface name, when the file tells (pcapng). */
  readonly interfaceName: string | undefined;
  /** From 1. */
  readonly frame: number;
}

/** Largest record taken at its word, bytes; libpcap's own limit. */
const RECORD_BYTES_MAX = 262_144 + 65_536;

interface PcapFormat {
  readonly little: boolean;
  readonly nanos: boolean;
  readonly linkType: number;
}

interface NgInterface {
  readonly linkType: number;
  readonly name: string | undefined;
  /** Timestamp units a second. */
  readonly unitsPerSecond: bigint;
}

/**
 * Reads pcap and pcapng as the bytes come. A damaged or cut file gives the packets before the damage and a fault.
 * @see draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng
 */
export class PcapParser {
  private rest: Buffer = Buffer.alloc(0);
  private consumed = 0;
  private frames = 0;
  private pcap: PcapFormat | undefined;
  private ng: { little: boolean; interfaces: NgInterface[] } | undefined;
  private broken: string | undefined;

  /** The packets that are complete with this chunk. After damage nothing more is read. */
  push(chunk: Uint8Array): Packet[] {
    if (this.broken !== undefined) return [];
    this.rest =
      this.rest.length === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
        : Buffer.concat([this.rest, chunk]);
    const packets: Packet[] = [];
    let at = 0;
    for (;;) {
      const used = this.step(at, packets);
      if (used <= 0) break;
      at += used;
    }
    this.consumed += at;
    // A copy: what is left must not hold on to a chunk that its owner may fill again.
    this.rest = Buffer.from(this.rest.subarray(at));
    return packets;
  }

  /** What is wrong with the stream, now that it has ended. */
  end(): string | undefined {
    if (this.broken !== undefined) return this.broken;
    if (this.rest.length > 0)
      return `it ends in the middle of a record, at byte ${this.consumed} (${this.rest.length} bytes left over)`;
    return this.pcap || this.ng ? undefined : "it is empty: a capture has at least a file header";
  }

  /** Reads one header or record at `at`. @returns bytes used; 0 when more are needed or the stream is damaged. */
  private step(at: number, packets: Packet[]): number {
    if (this.broken !== undefined) return 0;
    if (this.ng) return this.block(at, packets);
    if (this.pcap) return this.record(this.pcap, at, packets);
    return this.header(at);
  }

  private fail(at: number, what: string): 0 {
    this.broken = `${what}, at byte ${this.consumed + at}; what stands before it was read`;
    return 0;
  }

  private header(at: number): number {
    if (this.rest.length < at + 4) return 0;
    const magic = this.rest.readUInt32BE(at);
    if (magic === 0x0a0d0d0a) {
      this.ng = { little: true, interfaces: [] };
      return this.block(at, []);
    }
    const formats: Readonly<Record<number, readonly [little: boolean, nanos: boolean]>> = {
      0xa1b2c3d4: [false, false],
      0xd4c3b2a1: [true, false],
      0xa1b23c4d: [false, true],
      0x4d3cb2a1: [true, true],
    };
    const format = formats[magic];
    if (!format) return this.fail(at, "it is neither a pcap nor a pcapng file");
    if (this.rest.length < at + 24) return 0;
    const [little, nanos] = format;
    // The upper bits of the link type tell of frame check sequences.
    this.pcap = {
      little,
      nanos,
      linkType: (little ? this.rest.readUInt32LE(at + 20) : this.rest.readUInt32BE(at + 20)) & 0x03ffffff,
    };
    return 24;
  }

  private record({ little, nanos, linkType }: PcapFormat, at: number, packets: Packet[]): number {
    if (this.rest.length < at + 16) return 0;
    const u32 = (offset: number): number =>
      little ? this.rest.readUInt32LE(at + offset) : this.rest.readUInt32BE(at + offset);
    const captured = u32(8);
    if (captured > RECORD_BYTES_MAX) return this.fail(at, `a record claims ${captured} bytes`);
    if (this.rest.length < at + 16 + captured) return 0;
    this.frames += 1;
    packets.push({
      tsNs: BigInt(u32(0)) * 1_000_000_000n + BigInt(u32(4)) * (nanos ? 1n : 1000n),
      linkType,
      data: this.rest.subarray(at + 16, at + 16 + captured),
      originalLength: u32(12),
      interfaceName: undefined,
      frame: this.frames,
    });
    return 16 + captured;
  }

  private block(at: number, packets: Packet[]): number {
    if (!this.ng || this.rest.length < at + 12) return 0;
    const isSection = this.rest.readUInt32BE(at) === 0x0a0d0d0a;
    if (isSection) {
      const order = this.rest.readUInt32BE(at + 8);
      if (order !== 0x1a2b3c4d && order !== 0x4d3c2b1a) return this.fail(at, "a pcapng section has no byte order");
      this.ng = { little: order === 0x4d3c2b1a, interfaces: [] };
    }
    const { little } = this.ng;
    const u32 = (offset: number): number =>
      little ? this.rest.readUInt32LE(at + offset) : this.rest.readUInt32BE(at + offset);
    const length = u32(4);
    if (length < 12 || length % 4 !== 0 || length > RECORD_BYTES_MAX + 4096)
      return this.fail(at, `a pcapng block claims ${length} bytes`);
    if (this.rest.length < at + length) return 0;
    const type = u32(0);
    const body = this.rest.subarray(at + 8, at + length - 4);
    if (type === 1) this.interface(body);
    else if (type === 6 || type === 3) {
      const packet = type === 6 ? this.enhancedPacket(body) : this.simplePacket(body);
      if (!packet) return this.fail(at, "a pcapng packet block is not consistent");
      packets.push(packet);
    }
    return length;
  }

  private interface(body: Buffer): void {
    if (!this.ng || body.length < 8) return;
    const { little, interfaces } = this.ng;
    const u16 = (offset: number): number => (little ? body.readUInt16LE(offset) : body.readUInt16BE(offset));
    let name: string | undefined;
    let unitsPerSecond = 1_000_000n;
    for (let at = 8; at + 4 <= body.length; ) {
      const code = u16(at);
      const length = u16(at + 2);
      const value = body.subarray(at + 4, at + 4 + length);
      if (code === 0 || value.length < length) break;
      if (code === 2) name = value.toString("utf8").replace(/\0+$/, "").slice(0, 255);
      const resolution = value[0];
      if (code === 9 && resolution !== undefined)
        unitsPerSecond =
          resolution & 0x80 ? 2n ** BigInt(Math.min(resolution & 0x7f, 63)) : 10n ** BigInt(Math.min(resolution, 18));
      at += 4 + length + ((4 - (length % 4)) % 4);
    }
    interfaces.push({ linkType: u16(0), name, unitsPerSecond });
  }

  private enhancedPacket(body: Buffer): Packet | undefined {
    if (!this.ng || body.length < 20) return undefined;
    const { little, interfaces } = this.ng;
    const u32 = (offset: number): number => (little ? body.readUInt32LE(offset) : body.readUInt32BE(offset));
    const face = interfaces[u32(0)];
    const captured = u32(12);
    if (!face || 20 + captured > body.length) return undefined;
    const units = (BigInt(u32(4)) << 32n) | BigInt(u32(8));
    this.frames += 1;
    return {
      tsNs: (units * 1_000_000_000n) / face.unitsPerSecond,
      linkType: face.linkType,
      data: body.subarray(20, 20 + captured),
      originalLength: u32(16),
      interfaceName: face.name,
      frame: this.frames,
    };
  }

  private simplePacket(body: Buffer): Packet | undefined {
    const face = this.ng?.interfaces[0];
    if (!this.ng || !face || body.length < 4) return undefined;
    const originalLength = this.ng.little ? body.readUInt32LE(0) : body.readUInt32BE(0);
    this.frames += 1;
    return {
      tsNs: 0n,
      linkType: face.linkType,
      data: body.subarray(4, 4 + originalLength),
      originalLength,
      interfaceName: face.name,
      frame: this.frames,
    };
  }
}
