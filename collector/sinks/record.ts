import { crc32 } from "node:zlib";

/**
 * One record of a spool segment, big-endian:
 *
 *     0        4        8        12       16                24           24+length
 *     | "KWR1" | length | crc32  | events | sequence (u64)  | payload …  |
 *
 * payload = length of the positions (u32), the positions as JSON, the batch body. The CRC covers all that follows it.
 */
export interface SpoolRecord {
  readonly sequence: number;
  /** Events in the body. */
  readonly events: number;
  /** Source positions reached with this batch, by key. */
  readonly positions: Readonly<Record<string, string>>;
  /** The bytes that go over the wire, before compression. */
  readonly body: Buffer;
}

const MAGIC = Buffer.from("KWR1");
export const HEADER_BYTES = 24;
/** Larger than any batch: a length beyond it is damage, not a record. */
export const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

export function encodeRecord({ sequence, events, positions, body }: SpoolRecord): Buffer {
  const told = Buffer.from(JSON.stringify(positions));
  const record = Buffer.alloc(HEADER_BYTES + 4 + told.length + body.length);
  MAGIC.copy(record, 0);
  record.writeUInt32BE(4 + told.length + body.length, 4);
  record.writeUInt32BE(events, 12);
  record.writeBigUInt64BE(BigInt(sequence), 16);
  record.writeUInt32BE(told.length, HEADER_BYTES);
  told.copy(record, HEADER_BYTES + 4);
  body.copy(record, HEADER_BYTES + 4 + told.length);
  record.writeUInt32BE(crc32(record.subarray(12)), 8);
  return record;
}

/** A record and where the next one begins, or undefined when there is no whole and sound record at `offset`. */
export function decodeRecord(segment: Buffer, offset: number): { record: SpoolRecord; end: number } | undefined {
  if (offset + HEADER_BYTES > segment.length || segment.compare(MAGIC, 0, 4, offset, offset + 4) !== 0)
    return undefined;
  const length = segment.readUInt32BE(offset + 4);
  const end = offset + HEADER_BYTES + length;
  if (length < 4 || length > PAYLOAD_BYTES_MAX || end > segment.length) return undefined;
  if (crc32(segment.subarray(offset + 12, end)) !== segment.readUInt32BE(offset + 8)) return undefined;
  const toldBytes = segment.readUInt32BE(offset + HEADER_BYTES);
  const bodyAt = offset + HEADER_BYTES + 4 + toldBytes;
  if (bodyAt > end) return undefined;
  const positions: unknown = JSON.parse(segment.toString("utf8", offset + HEADER_BYTES + 4, bodyAt));
  return {
    record: {
      sequence: Number(segment.readBigUInt64BE(offset + 16)),
      events: segment.readUInt32BE(offset + 12),
      positions: positions as Record<string, string>,
      body: segment.subarray(bodyAt, end),
    },
    end,
  };
}

/** Where the next record may begin at or after `offset`: after damage, reading goes on from there. */
export function nextMagic(segment: Buffer, offset: number): number {
  const found = segment.indexOf(MAGIC, offset);
  return found < 0 ? segment.length : found;
}
