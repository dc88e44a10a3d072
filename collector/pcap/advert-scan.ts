import type { Decoded, MalformedReason } from "../vrrp/advert.ts";
import { decodeAdvert } from "../vrrp/decode.ts";
import { AdvertColumns, AUTH_TYPES, BATCH_ROWS, CHECKSUMS } from "./advert-columns.ts";
import { type Captured, type Frame, unpackFrame } from "./frame.ts";
import {
  createPcapParser,
  cutFault,
  damageFault,
  dataOf,
  PACKET_BYTES_MAX,
  type Packet,
  type PcapParser,
} from "./reader.ts";
import { NO_PLACE, packed, StreamTable } from "./streams.ts";

/** How much of a capture is in memory at a time, bytes, besides an unfinished record. */
const CHUNK_BYTES = 256 * 1024;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_US = 0xa1b2c3d4;
const MAGIC_NS = 0xa1b23c4d;

const ETHERNET = 1;
const LINUX_SLL2 = 276;
/** Bytes in front of the IP header, and where among them its EtherType is: of the two link types that nearly all captures have. */
const LINK_HEADERS: Readonly<Record<number, readonly [bytes: number, etherType: number]>> = {
  [ETHERNET]: [14, 12],
  [LINUX_SLL2]: [20, 0],
};
const PACKET_OUTGOING = 4;

export interface ScanCounts {
  readonly packets: number;
  readonly adverts: number;
  readonly malformed: number;
  readonly reasons: ReadonlyMap<MalformedReason, number>;
  /** Packets that are no VRRP. */
  readonly other: number;
  /** VRRP without a time. */
  readonly untimed: number;
  /** Adverts of streams that were too many to be told apart. */
  readonly refused: number;
}

/**
 * Reads the adverts of a capture into columns, batch by batch. It knows the adverts that nearly all adverts are: version 2
 * or 3 in an IP packet without options in an Ethernet or SLL2 frame without tags, whole, with the checksum its RFC wants.
 * All others, and other formats than a little-endian pcap, are left to the decoder, which alone decides what they are.
 */
export class AdvertScanner {
  readonly streams = new StreamTable();
  private readonly columns = new AdvertColumns();
  private readonly take: (columns: AdvertColumns) => void;
  private readonly bytes = new Uint8Array(CHUNK_BYTES + RECORD_HEADER_BYTES + PACKET_BYTES_MAX);
  private readonly view = new DataView(this.bytes.buffer);
  private have = 0;
  /** Where in the file `bytes` begins. */
  private at = 0;
  /** Of a file that the columns read themselves. */
  private format: { readonly linkType: number; readonly nanos: boolean } | undefined;
  /** Of any other. */
  private parser: PcapParser | undefined;
  private fault: string | undefined;
  private packets = 0;
  private adverts = 0;
  private other = 0;
  private untimed = 0;
  private readonly reasons = new Map<MalformedReason, number>();

  constructor(take: (columns: AdvertColumns) => void) {
    this.take = take;
  }

  /** Where the next bytes are put, before they are told by `filled`. Never empty. */
  room(): Uint8Array {
    return this.bytes.subarray(this.have, Math.min(this.have + CHUNK_BYTES, this.bytes.length));
  }

  /** So many bytes have been put into `room()`. */
  filled(count: number): void {
    this.have += count;
    if (this.fault !== undefined) this.have = 0;
    else if (this.parser) this.parse(this.parser);
    else if (this.format) this.scanAll(this.format.linkType, this.format.nanos);
    else if (this.have >= FILE_HEADER_BYTES) this.begin();
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const room = this.room();
      const part = chunk.subarray(at, at + room.length);
      room.set(part);
      this.filled(part.length);
      at += part.length;
    }
  }

  /** @returns what is wrong with the file, when something is */
  end(): string | undefined {
    if (!this.parser && !this.format) this.begin();
    this.flush();
    if (this.parser) return this.parser.end();
    return this.fault ?? (this.have > 0 ? cutFault(this.at + this.have) : undefined);
  }

  counts(): ScanCounts {
    const malformed = [...this.reasons.values()].reduce((a, b) => a + b, 0);
    const { packets, adverts, other, untimed, reasons } = this;
    return { packets, adverts, malformed, reasons, other, untimed, refused: this.streams.refused };
  }

  private begin(): void {
    const magic = this.have >= FILE_HEADER_BYTES ? this.view.getUint32(0, true) : 0;
    const linkType = this.view.getUint32(20, true) & 0xffff;
    if ((magic !== MAGIC_US && magic !== MAGIC_NS) || !LINK_HEADERS[linkType]) {
      this.parser = createPcapParser();
      return this.parse(this.parser);
    }
    this.format = { linkType, nanos: magic === MAGIC_NS };
    this.keepFrom(FILE_HEADER_BYTES);
    this.scanAll(linkType, magic === MAGIC_NS);
  }

  private parse(parser: PcapParser): void {
    for (const packet of parser.push(this.bytes.subarray(0, this.have))) {
      this.packets += 1;
      const { linkType, interfaceName, tsUs } = packet;
      this.decode({ data: dataOf(packet), linkType, interfaceName, tsUs });
    }
    this.have = 0;
  }

  private scanAll(linkType: number, nanos: boolean): void {
    let from = 0;
    for (let to = -1; from !== to; this.flush()) {
      to = from;
      from = this.scan(linkType, nanos, from);
    }
    this.keepFrom(from);
  }

  /**
   * A batch of records, as far as they are there whole; a short one, because a function that is called often is compiled
   * once and for all. What it touches stays in registers.
   * @returns where the next begins
   */
  private scan(linkType: number, nanos: boolean, from: number): number {
    const { bytes, view, columns, streams, have } = this;
    const [linkBytes, etherTypeAt] = LINK_HEADERS[linkType] as readonly [number, number];
    const isCooked = linkType === LINUX_SLL2;
    let record = from;
    let end = 0;
    for (let left = BATCH_ROWS; left > 0 && record + RECORD_HEADER_BYTES <= have; record = end, left--) {
      const captured = view.getUint32(record + 8, true);
      if (captured > PACKET_BYTES_MAX) {
        this.fault = damageFault(`a record claims ${captured} bytes`, this.at + record);
        return have;
      }
      const frame = record + RECORD_HEADER_BYTES;
      end = frame + captured;
      if (end > have) break;
      this.packets += 1;
      const ip = frame + linkBytes;
      let pdu = 0;
      let length = 0;
      let source = 0;
      let destination = 0;
      let sum = 0;
      let family = 0;
      if (captured >= linkBytes + 28) {
        const etherType = view.getUint16(frame + etherTypeAt);
        if (etherType === 0x0800) {
          const protocol = bytes[ip + 9];
          if (protocol !== 112 && protocol !== 51) {
            this.other += 1;
            continue;
          }
          // No options, no fragment: all else is the decoder's.
          if (bytes[ip] === 0x45 && protocol === 112 && (view.getUint16(ip + 6) & 0x3fff) === 0) {
            pdu = ip + 20;
            length = view.getUint16(ip + 2) - 20;
            source = view.getInt32(ip + 12, true);
            destination = view.getInt32(ip + 16, true);
          }
        } else if (etherType === 0x86dd && bytes[ip + 6] === 112 && (bytes[ip] as number) >> 4 === 6) {
          family = 0x100;
          pdu = ip + 40;
          length = view.getUint16(ip + 4);
        }
      }
      const count = bytes[pdu + 3] as number;
      const kind = bytes[pdu] as number;
      const version = kind >> 4;
      const wanted = family === 0 ? (version === 2 ? 16 : 8) + count * 4 : 8 + count * 16;
      if (
        pdu === 0 ||
        (kind !== 0x21 && kind !== 0x31) ||
        length !== wanted ||
        pdu + length > end ||
        bytes[pdu + 1] === 0
      ) {
        this.decodeAt(record, end, linkType, nanos);
        continue;
      }
      // Ones' complement sums do not care for the byte order, as long as it is the same for all words (RFC 1071).
      for (let at = pdu; at < pdu + length; at += 4) {
        const word = view.getUint32(at, true);
        sum += (word & 0xffff) + (word >>> 16);
      }
      if (family !== 0) {
        for (let at = ip + 8; at < ip + 40; at += 4) {
          const word = view.getUint32(at, true);
          sum += (word & 0xffff) + (word >>> 16);
        }
        sum += swapped(length) + 0x7000;
      } else if (version === 3)
        sum +=
          (source & 0xffff) +
          (source >>> 16) +
          (destination & 0xffff) +
          (destination >>> 16) +
          swapped(length) +
          0x7000;
      sum = (sum & 0xffff) + (sum >>> 16);
      sum = (sum & 0xffff) + (sum >>> 16);
      const intervalField = view.getUint16(pdu + 4);
      const interval = version === 2 ? (intervalField & 0xff) * 100 : intervalField & 0x0fff;
      const index = isCooked ? view.getInt32(frame + 4) : NO_PLACE;
      if (sum !== 0xffff || interval === 0 || index < 0) {
        this.decodeAt(record, end, linkType, nanos);
        continue;
      }
      const outgoing = isCooked && bytes[frame + 10] === PACKET_OUTGOING ? 0x200 : 0;
      const what = (bytes[pdu + 1] as number) | family | outgoing;
      const stream =
        family === 0 ? streams.ipv4(index, what, source, destination) : streams.ipv6(index, what, view, ip + 8);
      this.adverts += 1;
      if (stream < 0) continue;
      const row = columns.rows;
      const fraction = view.getUint32(record + 4, true);
      columns.ts[row] = view.getUint32(record, true) * 1e6 + (nanos ? Math.floor(fraction / 1000) : fraction);
      columns.stream[row] = stream;
      columns.version[row] = version;
      columns.priority[row] = bytes[pdu + 2] as number;
      columns.interval[row] = interval;
      columns.addresses[row] = count;
      columns.ttl[row] = family === 0 ? (bytes[ip + 8] as number) : (bytes[ip + 7] as number);
      columns.auth[row] = version === 2 ? Math.min(intervalField >> 8, 3) : 0;
      columns.checksum[row] = 0;
      columns.rows = row + 1;
    }
    return record;
  }

  private keepFrom(from: number): void {
    this.bytes.copyWithin(0, from, this.have);
    this.have -= from;
    this.at += from;
  }

  private flush(): void {
    if (this.columns.rows > 0) this.take(this.columns);
    this.columns.rows = 0;
  }

  /** A record that is not of the common kind. */
  private decodeAt(record: number, end: number, linkType: number, nanos: boolean): void {
    const fraction = this.view.getUint32(record + 4, true);
    const us = this.view.getUint32(record, true) * 1e6 + (nanos ? Math.floor(fraction / 1000) : fraction);
    const data = this.bytes.subarray(record + RECORD_HEADER_BYTES, end);
    this.decode({ data, linkType, interfaceName: undefined, tsUs: us });
  }

  private decode(packet: Captured & Pick<Packet, "interfaceName" | "tsUs">): void {
    const frame = unpackFrame(packet);
    const decoded = frame && decodeAdvert(frame.ip);
    const us = packet.tsUs ?? Number.NaN;
    if (!frame || !decoded) this.other += 1;
    else if (!Number.isSafeInteger(us)) this.untimed += 1;
    else if ("reason" in decoded) this.reasons.set(decoded.reason, (this.reasons.get(decoded.reason) ?? 0) + 1);
    else this.add(us, decoded, frame, packet.interfaceName);
  }

  private add(us: number, decoded: Decoded, frame: Frame, interfaceName: string | undefined): void {
    this.adverts += 1;
    const { columns, streams } = this;
    const { family, vrid } = decoded;
    const what = packed(vrid, family, frame.outgoing ?? false);
    const { sourceBytes, destinationBytes } = frame.ip;
    const addresses = new DataView(Uint8Array.of(...sourceBytes, ...destinationBytes).buffer);
    const place = this.placeOf(frame, interfaceName);
    const stream =
      family === "ipv4"
        ? streams.ipv4(place, what, addresses.getInt32(0, true), addresses.getInt32(4, true))
        : streams.ipv6(place, what, addresses, 0);
    if (stream < 0) return;
    const row = columns.rows;
    columns.ts[row] = us;
    columns.stream[row] = stream;
    columns.version[row] = decoded.version;
    columns.priority[row] = decoded.priority;
    columns.interval[row] = decoded.advertIntervalUs / 10_000;
    columns.addresses[row] = decoded.vips.length;
    columns.ttl[row] = decoded.ttl;
    columns.auth[row] = AUTH_TYPES.indexOf(decoded.authType);
    columns.checksum[row] = CHECKSUMS.indexOf(
      decoded.checksumVariant ?? (decoded.checksum === "bad" ? "bad" : "unverified"),
    );
    columns.rows = row + 1;
    if (row + 1 === BATCH_ROWS) this.flush();
  }

  private placeOf({ interfaceIndex, vlans }: Frame, interfaceName: string | undefined): number {
    if (vlans.length === 0 && interfaceIndex !== undefined && interfaceIndex < 0x8000_0000) return interfaceIndex;
    const name = interfaceIndex === undefined ? interfaceName : `if${interfaceIndex}`;
    if (name === undefined && vlans.length === 0) return NO_PLACE;
    return this.streams.placeOf([name ?? "?", ...vlans].join("."));
  }
}

const swapped = (word: number): number => ((word & 0xff) << 8) | (word >>> 8);
