import { type FileHandle, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../core/log.ts";
import { quarantine } from "./aside.ts";
import { type OrSay, replaceFile, syncDir, writeAt } from "./files.ts";
import type { Loss } from "./losses.ts";
import {
  decodeRecord,
  encodeRecord,
  HEADER_BYTES,
  type Placed,
  recordBytes,
  type SpoolRecord,
  scanSegment,
} from "./record.ts";

interface Segment {
  readonly path: string;
  bytes: number;
  /** Batches of raw adverts in it, acknowledged or not. */
  adverts: number;
  /** Batches not yet acknowledged. */
  pending: number;
}

export interface SegmentsOptions {
  readonly dir: string;
  /** A segment is closed when it reaches this size, and removed whole when all of it is acknowledged. */
  readonly segmentBytes: number;
  readonly log: Log;
  readonly orSay: OrSay;
  readonly lose: (loss: Loss) => void;
}

/** What is given up to make room: raw adverts alone, or whatever is oldest. */
export type GivenUp = "raw adverts" | "events";

/**
 * The spool's records on disk, in append-only files; the reader's place among them. One call at a time: the spool sees to that.
 */
export class Segments {
  private readonly options: SegmentsOptions;
  /** Oldest first; all before `headOffset` in the first is acknowledged. */
  private segments: Segment[] = [];
  private headOffset = 0;
  /** Where the batch after `sequence` is to be looked for, so that those on their way are not read again. */
  private ahead: { readonly segment: Segment; readonly offset: number; readonly sequence: number } | undefined;
  private active: { readonly segment: Segment; readonly file: FileHandle } | undefined;
  private fileNumber = 1;
  private sentUpTo = 0;
  /** Batches up to this one were handed out: they may arrive. */
  private handedOut = 0;

  constructor(options: SegmentsOptions) {
    this.options = options;
  }

  /** Batches not yet acknowledged, and bytes on disk. */
  stats(): { readonly batches: number; readonly bytes: number } {
    const sum = (of: (segment: Segment) => number): number => this.segments.reduce((all, one) => all + of(one), 0);
    return { batches: sum(({ pending }) => pending), bytes: sum(({ bytes }) => bytes) };
  }

  /** The last batch that the server has. */
  get acknowledged(): number {
    return this.sentUpTo;
  }

  paths(): readonly string[] {
    return this.segments.map(({ path }) => path);
  }

  /** One commit: all of it is on disk when it resolves; when it rejects, nothing of it is there. */
  async write(records: readonly SpoolRecord[]): Promise<void> {
    const { segment, file } = await this.activeSegment();
    const bytes = Buffer.concat(records.map(encodeRecord));
    try {
      await writeAt(file, bytes, segment.bytes);
      await file.datasync();
    } catch (error) {
      await this.abandon(segment, file);
      throw error;
    }
    segment.bytes += bytes.length;
    segment.adverts += records.filter(({ adverts }) => adverts).length;
    segment.pending += records.filter(({ events }) => events > 0).length;
  }

  /** The oldest batch that is not acknowledged and comes after this one. "damaged": what stood there was not sound and is cut out; ask again. */
  async next(after: number): Promise<SpoolRecord | "damaged" | undefined> {
    const from = this.ahead && this.ahead.sequence <= after ? this.ahead : undefined;
    return this.firstAfter(after, from?.segment ?? this.segments[0], from?.offset ?? this.headOffset);
  }

  /** The oldest batch that was not: it is in the first segment once `passOver` took off those before. */
  acknowledge(sequence: number): void {
    this.sentUpTo = sequence;
    const [head] = this.segments;
    if (head) head.pending -= 1;
  }

  /** Takes off from the head the segments with nothing left to send. @returns their paths: the files stay */
  passOver(): readonly string[] {
    const done: string[] = [];
    for (
      let [head] = this.segments;
      head && head.pending === 0 && head !== this.active?.segment;
      [head] = this.segments
    ) {
      this.segments.shift();
      this.headOffset = 0;
      if (this.ahead?.segment === head) this.ahead = undefined;
      done.push(head.path);
    }
    return done;
  }

  /**
   * Raw adverts first, oldest first, and other events only when no raw advert is left, until no more than this is on disk.
   * @param before  is told what of a segment is given up, before it is
   */
  async giveUp(
    bytesMax: number,
    before: (what: GivenUp, lost: readonly SpoolRecord[]) => Promise<void>,
  ): Promise<void> {
    await this.roll();
    for (const what of ["raw adverts", "events"] as const)
      for (const segment of this.segments) {
        if (this.stats().bytes <= bytesMax) return;
        if (what === "events" || segment.adverts > 0) await this.giveUpOf(segment, what, before);
      }
  }

  /**
   * What is there after a start, each record once and in order.
   * @param acknowledged  the last batch that the server has
   */
  async recover(acknowledged: number, seen: (record: SpoolRecord) => void): Promise<void> {
    this.sentUpTo = acknowledged;
    const { dir } = this.options;
    let last = 0;
    const names = await this.segmentFiles();
    for (const name of names) {
      this.fileNumber = Number.parseInt(name, 10) + 1;
      const records = await this.recoverSegment(join(dir, name), last, name === names.at(-1));
      for (const { record } of records) {
        last = record.sequence;
        seen(record);
      }
    }
  }

  async close(): Promise<void> {
    await this.active?.file.close();
  }

  private async activeSegment(): Promise<{ readonly segment: Segment; readonly file: FileHandle }> {
    if (this.active && this.active.segment.bytes >= this.options.segmentBytes) await this.roll();
    if (this.active) return this.active;
    const path = join(this.options.dir, `${String(this.fileNumber).padStart(12, "0")}.seg`);
    this.fileNumber += 1;
    const file = await open(path, "wx", 0o600);
    await syncDir(this.options.dir);
    const segment: Segment = { path, bytes: 0, adverts: 0, pending: 0 };
    this.segments.push(segment);
    this.active = { segment, file };
    return this.active;
  }

  private async roll(): Promise<void> {
    const { active } = this;
    this.active = undefined;
    await active?.file.close();
  }

  /**
   * After a failed write or sync no one knows what the disk has: what was half written is cut off, and the next commit
   * begins a new file. Should the cut fail too, recovery passes over a sequence it has seen.
   */
  private async abandon(segment: Segment, file: FileHandle): Promise<void> {
    this.active = undefined;
    await file.truncate(segment.bytes).catch(() => undefined);
    await file.close().catch(() => undefined);
  }

  private async firstAfter(
    after: number,
    first: Segment | undefined,
    firstOffset: number,
  ): Promise<SpoolRecord | "damaged" | undefined> {
    let offset = firstOffset;
    for (const segment of first ? this.segments.slice(this.segments.indexOf(first)) : []) {
      while (offset < segment.bytes) {
        const placed = await readPlaced(segment.path, offset);
        if (!placed) {
          await this.salvage(segment);
          return "damaged";
        }
        const { record, end } = placed;
        const isUnsent = this.isUnsent(record);
        if (isUnsent && record.sequence > after) {
          this.handedOut = Math.max(this.handedOut, record.sequence);
          this.ahead = { segment, offset: end, sequence: record.sequence };
          return record;
        }
        if (!isUnsent && segment === this.segments[0] && offset === this.headOffset) this.headOffset = end;
        offset = end;
      }
      offset = 0;
    }
    return undefined;
  }

  private async giveUpOf(
    segment: Segment,
    what: GivenUp,
    before: (what: GivenUp, lost: readonly SpoolRecord[]) => Promise<void>,
  ): Promise<void> {
    const { records } = scanSegment(await readFile(segment.path), false);
    // What is on its way to the server now is not given up: it may arrive.
    const keeps = (record: SpoolRecord): boolean =>
      this.isUnsent(record) && (record.sequence <= this.handedOut || (what === "raw adverts" && !record.adverts));
    const kept = records.filter(({ record }) => keeps(record));
    const lost = records.map(({ record }) => record).filter((record) => this.isUnsent(record) && !keeps(record));
    await before(what, lost);
    await this.rewrite(segment, kept);
  }

  /** Keeps only these records of a closed segment. */
  private async rewrite(segment: Segment, kept: readonly Placed[]): Promise<void> {
    const bytes = Buffer.concat(kept.map(({ record }) => encodeRecord({ ...record, more: false })));
    if (bytes.length === 0) await rm(segment.path, { force: true });
    else await replaceFile(segment.path, bytes);
    await syncDir(this.options.dir);
    if (this.segments[0] === segment) this.headOffset = 0;
    this.ahead = undefined;
    if (bytes.length === 0) this.segments = this.segments.filter((other) => other !== segment);
    segment.bytes = bytes.length;
    this.count(segment, kept);
  }

  private count(segment: Segment, records: readonly Placed[]): void {
    segment.adverts = records.filter(({ record }) => record.adverts).length;
    segment.pending = records.filter(({ record }) => this.isUnsent(record)).length;
  }

  private isUnsent({ events, sequence }: SpoolRecord): boolean {
    return events > 0 && sequence > this.sentUpTo;
  }

  /** A segment that went bad while we ran. */
  private async salvage(segment: Segment): Promise<void> {
    if (segment === this.active?.segment) await this.roll();
    const bytes = await readFile(segment.path).catch(emptyIfGone);
    const { records, damagedBytes } = scanSegment(bytes, false);
    await quarantine(this.options, segment.path, bytes, Math.max(damagedBytes, segment.bytes - bytes.length));
    await this.rewrite(segment, records);
  }

  private async segmentFiles(): Promise<string[]> {
    const { dir } = this.options;
    const names = await readdir(dir);
    for (const name of names) if (name.endsWith(".new")) await rm(join(dir, name), { force: true });
    return names
      .filter((name) => /^\d+\.seg$/.test(name))
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  }

  /**
   * @param after   records up to this sequence were seen in an earlier segment
   * @param newest  only this one was being written: elsewhere a cut end is damage, not the trace of a crash
   */
  private async recoverSegment(path: string, after: number, newest: boolean): Promise<readonly Placed[]> {
    const bytes = await readFile(path);
    const { records, damagedBytes, tornAt } = scanSegment(bytes, newest);
    const fresh = records.filter(({ record }) => record.sequence > after);
    const segment: Segment = { path, bytes: bytes.length, adverts: 0, pending: 0 };
    this.segments.push(segment);
    if (tornAt !== undefined)
      this.options.log(
        "warn",
        "the spool ended in a half-written commit, which was cut off; its lines are read again",
        {
          path,
          bytes: bytes.length - tornAt,
        },
      );
    if (damagedBytes > 0) await quarantine(this.options, path, bytes, damagedBytes);
    if (damagedBytes > 0 || tornAt !== undefined || fresh.length < records.length || fresh.length === 0)
      await this.rewrite(segment, fresh);
    else this.count(segment, fresh);
    return fresh;
  }
}

/** The record at `offset`, read from disk. Undefined when what stands there is no sound record. */
async function readPlaced(path: string, offset: number): Promise<Placed | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    return emptyIfGone(error) && undefined;
  }
  try {
    const header = await readPart(file, offset, HEADER_BYTES);
    const bytes = recordBytes(header);
    const placed = bytes === undefined ? undefined : decodeRecord(await readPart(file, offset, bytes), 0);
    return placed && { record: placed.record, offset, end: offset + placed.end };
  } finally {
    await file.close();
  }
}

async function readPart(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** Someone removed the file, or the disk cannot give it back. Other failures pass by themselves. */
export function emptyIfGone(error: unknown): Buffer {
  if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EIO"))
    return Buffer.alloc(0);
  throw error;
}
