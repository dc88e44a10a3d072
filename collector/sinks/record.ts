import { crc32 } from "node:zlib";

/**
 * One record of a spool segment, big-endian:
 *
 *     0        4        8        12               20       24      25          28           28+length
 *     | "KWR1" | length | crc32  | sequence (u64) | events | flags | reserved  | payload …  |
 *
 * payload = length of the positions (u32), the positions as JSON, the batch body. The CRC covers all that follows it.
 */
export interface SpoolRecord {
  /** Counts up from 1, one a record, and is never used twice. */
  readonly sequence: number;
  /** Events in the body. 0: the record only moves positions, and is not sent. */
  readonly events: number;
  /** The body holds `wire.advert` only: what a full spool gives up first. */
  readonly adverts: boolean;
  /** The next record belongs to the same commit: without it, this one was never promised to anyone. */
  readonly more: boolean;
  /** Source positions reached with this commit, by key. */
  readonly positions: Readonly<Record<string, string>>;
  /** The bytes that go over the wire, before compression. */
  readonly body: Buffer;
}

/** A record, and where it stands in its segment. */
export interface Placed {
  readonly record: SpoolRecord;
  readonly offset: number;
  readonly end: number;
}

const MAGIC = Buffer.from("KWR1");
export const HEADER_BYTES = 28;
/** Larger than any batch: a length beyond it is damage, not a record. */
const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;
const FLAG_ADVERTS = 1;
const FLAG_MORE = 2;

export function encodeRecord({ sequence, events, adverts, more, positions, body }: SpoolRecord): Buffer {
  const told = Buffer.from(JSON.stringify(positions));
  const record = Buffer.alloc(HEADER_BYTES + 4 + told.length + body.length);
  MAGIC.copy(record, 0);
  record.writeUInt32BE(4 + told.length + body.length, 4);
  record.writeBigUInt64BE(BigInt(sequence), 12);
  record.writeUInt32BE(events, 20);
  record.writeUInt8((adverts ? FLAG_ADVERTS : 0) | (more ? FLAG_MORE : 0), 24);
  record.writeUInt32BE(told.length, HEADER_BYTES);
  told.copy(record, HEADER_BYTES + 4);
  body.copy(record, HEADER_BYTES + 4 + told.length);
  record.writeUInt32BE(crc32(record.subarray(12)), 8);
  return record;
}

/** Bytes of the whole record that begins with this header, as it says itself; undefined when it is no header. */
export function recordBytes(header: Buffer, offset = 0): number | undefined {
  if (offset + HEADER_BYTES > header.length || header.compare(MAGIC, 0, 4, offset, offset + 4) !== 0) return undefined;
  const length = header.readUInt32BE(offset + 4);
  return length < 4 || length > PAYLOAD_BYTES_MAX ? undefined : HEADER_BYTES + length;
}

/** The record at `offset`, or undefined when there is no whole and sound one. */
export function decodeRecord(segment: Buffer, offset: number): Placed | undefined {
  const bytes = recordBytes(segment, offset);
  if (bytes === undefined || offset + bytes > segment.length) return undefined;
  const end = offset + bytes;
  if (crc32(segment.subarray(offset + 12, end)) !== segment.readUInt32BE(offset + 8)) return undefined;
  const bodyAt = offset + HEADER_BYTES + 4 + segment.readUInt32BE(offset + HEADER_BYTES);
  if (bodyAt > end) return undefined;
  const flags = segment.readUInt8(offset + 24);
  return {
    record: {
      sequence: Number(segment.readBigUInt64BE(offset + 12)),
      events: segment.readUInt32BE(offset + 20),
      adverts: (flags & FLAG_ADVERTS) !== 0,
      more: (flags & FLAG_MORE) !== 0,
      positions: JSON.parse(segment.toString("utf8", offset + HEADER_BYTES + 4, bodyAt)) as Record<string, string>,
      body: segment.subarray(bodyAt, end),
    },
    offset,
    end,
  };
}

export interface Scan {
  readonly records: readonly Placed[];
  /** Bytes in the middle, or of a whole last record, that are no sound record. */
  readonly damagedBytes: number;
  /** Where a last write that was never promised begins: a crash cut it short. Undefined when there is none. */
  readonly tornAt: number | undefined;
}

/**
 * All sound records of a segment, and what else is in it.
 * @param mayBeTorn  a crash may have cut its last commit short: what is left of that was never promised, and does not count
 */
export function scanSegment(segment: Buffer, mayBeTorn: boolean): Scan {
  const records: Placed[] = [];
  let damagedBytes = 0;
  let offset = 0;
  while (offset < segment.length) {
    const placed = decodeRecord(segment, offset) ?? nextSound(segment, offset + 1);
    if (!placed) break;
    damagedBytes += placed.offset - offset;
    records.push(placed);
    offset = placed.end;
  }
  if (!mayBeTorn || (offset < segment.length && !isTorn(segment, offset)))
    return { records, damagedBytes: damagedBytes + segment.length - offset, tornAt: undefined };
  const whole = records.findLastIndex(({ record }) => !record.more) + 1;
  const tornAt = records[whole]?.offset ?? (offset < segment.length ? offset : undefined);
  return { records: records.slice(0, whole), damagedBytes, tornAt };
}

function nextSound(segment: Buffer, from: number): Placed | undefined {
  for (let at = segment.indexOf(MAGIC, from); at >= 0; at = segment.indexOf(MAGIC, at + 1)) {
    const placed = decodeRecord(segment, at);
    if (placed) return placed;
  }
  return undefined;
}

/** A write cut short: less than the header or than what the header announces; or a file system's zeros in its place. */
function isTorn(segment: Buffer, offset: number): boolean {
  const left = segment.length - offset;
  if (left < HEADER_BYTES) return true;
  const bytes = recordBytes(segment, offset);
  if (bytes !== undefined) return bytes > left;
  return segment.subarray(offset).every((byte) => byte === 0);
}
