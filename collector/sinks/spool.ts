import { type FileHandle, mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { crc32 } from "node:zlib";
import { messageOf, OperatorError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { type BatchAgain, type Outcome, Redelivery } from "./again.ts";
import { keepNewest, replaceFile, syncDir, writeAt } from "./files.ts";
import { lockFolder } from "./lock.ts";
import { isAboutCollector, type Loss, Losses, spanOf } from "./losses.ts";
import {
  decodeRecord,
  encodeRecord,
  HEADER_BYTES,
  type Placed,
  recordBytes,
  type SpoolRecord,
  scanSegment,
} from "./record.ts";
import { type Series, SentBatches } from "./sent.ts";
import { AckFile, readOrMakeId, readState, writeState } from "./state.ts";

/** Most bytes of batches the spool may hold on disk, unless configured otherwise. */
export const SPOOL_BYTES_DEFAULT = 256 * 1024 * 1024;
/** A segment is closed when it reaches this size, and removed whole when all of it is acknowledged. */
const SEGMENT_BYTES = 1024 * 1024;
/** Refused batches kept, with the reasons: two files each. Older ones are removed, and counted. */
const DEAD_LETTER_FILES_MAX = 1_000;
const DEAD_LETTER_BYTES_MAX = 64 * 1024 * 1024;
/** So much of what is kept is given up at a time when the disk is full. */
const ROOM_BYTES = 4 * 1024 * 1024;
/** Copies of damaged segments kept. */
const QUARANTINE_FILES_MAX = 16;
const QUARANTINE_BYTES_MAX = 64 * 1024 * 1024;

export interface Append {
  readonly series: Series;
  /** The batch as it goes over the wire. */
  readonly body: Buffer;
  /** Events in the body. 0: it only moves positions, and is not sent. */
  readonly events: number;
  /** Source positions reached with it. */
  readonly positions: Readonly<Record<string, string>>;
}

export interface Pending {
  readonly sequence: number;
  readonly body: Buffer;
  readonly events: number;
}

export interface SpoolOptions {
  readonly dir: string;
  readonly bytesMax?: number;
  readonly segmentBytes?: number;
  /** How long what was acknowledged is kept, in case that the server is restored from a backup, hours. Default: not at all. */
  readonly keepHours?: number;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly log: Log;
}

export interface SpoolStats {
  /** Batches not yet acknowledged. */
  readonly batches: number;
  /** Bytes on disk, what is acknowledged and not yet removed included. */
  readonly bytes: number;
  /** Bytes of what was acknowledged and is kept all the same, compressed. */
  readonly kept: number;
}

interface Segment {
  readonly path: string;
  bytes: number;
  /** Batches of raw adverts in it, acknowledged or not. */
  adverts: number;
  /** Batches not yet acknowledged. */
  pending: number;
}

interface SpoolParts {
  readonly id: string;
  readonly unlock: () => Promise<void>;
  readonly acks: AckFile;
  readonly sent: SentBatches;
}

/**
 * A durable queue of immutable batches, in one sequence of append-only segments. What is committed together, batches and
 * the source positions reached with them, is there whole or not at all, so a crash neither loses nor repeats a line;
 * `append` resolves after fdatasync. What was acknowledged may be forgotten in a power cut: it is then sent once more,
 * byte for byte the same, and the server shows it once.
 */
export class Spool {
  /** 32 hex digits: whose spool it is, for as long as it is there. */
  readonly id: string;
  private readonly options: Required<SpoolOptions>;
  private readonly unlock: () => Promise<void>;
  private readonly acks: AckFile;
  private readonly losses: Losses;
  private readonly redelivery: Redelivery;
  /** Refused by the server: they are not sent again. */
  private readonly refused = new Set<number>();
  /** Oldest first; all before `headOffset` in the first is acknowledged. */
  private segments: Segment[] = [];
  private headOffset = 0;
  /** Where the batch after `sequence` is to be looked for, so that those on their way are not read again. */
  private ahead: { readonly segment: Segment; readonly offset: number; readonly sequence: number } | undefined;
  private active: { readonly segment: Segment; readonly file: FileHandle } | undefined;
  /** Segments with nothing left to send, removed as soon as their positions are safe elsewhere. */
  private done: string[] = [];
  private fileNumber = 1;
  private sequence = 1;
  private acknowledged = 0;
  /** Batches up to this one were handed out: they may arrive. */
  private handedOut = 0;
  private readonly positionsNow = new Map<string, string>();
  private readonly waiting = new Set<() => void>();
  private closed = false;
  /** Disk work is done one at a time. */
  private turn: Promise<unknown> = Promise.resolve();
  private diskTrouble: string | undefined;

  private constructor(options: Required<SpoolOptions>, parts: SpoolParts) {
    this.id = parts.id;
    this.options = options;
    this.unlock = parts.unlock;
    this.acks = parts.acks;
    this.losses = new Losses();
    this.redelivery = new Redelivery(parts.sent, { log: options.log, lose: (loss) => this.losses.add(loss) });
  }

  /** @throws OperatorError when the folder cannot be written, or another collector uses it */
  static async open(given: SpoolOptions): Promise<Spool> {
    const options = {
      bytesMax: SPOOL_BYTES_DEFAULT,
      segmentBytes: SEGMENT_BYTES,
      keepHours: 0,
      now: Date.now,
      ...given,
    };
    const { dir } = options;
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const unlock = await lockFolder(dir);
      const id = await readOrMakeId(dir);
      const acks = await AckFile.open(join(dir, "acknowledged"));
      const sent = await SentBatches.open(join(dir, "sent"), options.keepHours, options.now);
      const spool = new Spool(options, { id, unlock, acks, sent });
      try {
        await spool.recover();
        return spool;
      } catch (error) {
        await acks.close();
        await unlock();
        throw error;
      }
    } catch (cause) {
      if (cause instanceof OperatorError) throw cause;
      throw new OperatorError("SPOOL_UNWRITABLE", `the spool ${dir} cannot be written: ${messageOf(cause)}`, {
        cause,
        remedy: "Create it for the user the collector runs as, or set spool.dir",
      });
    }
  }

  /** The last committed position of a stream. */
  position(key: string): string | undefined {
    return this.positionsNow.get(key);
  }

  stats(): SpoolStats {
    const sum = (of: (segment: Segment) => number): number => this.segments.reduce((all, one) => all + of(one), 0);
    return {
      batches: sum(({ pending }) => pending),
      bytes: sum(({ bytes }) => bytes),
      kept: this.redelivery.sent.bytes(),
    };
  }

  /** One commit: all of it is durable when it resolves; when it rejects, nothing of it is there and it may be tried again. */
  append(batches: readonly Append[]): Promise<void> {
    return this.inTurn(async () => {
      if (this.closed) throw new Error("the spool is closed");
      if (batches.length === 0) return;
      const { segment, file } = await this.activeSegment();
      const records = this.recordsOf(batches);
      const bytes = Buffer.concat(records.map(encodeRecord));
      try {
        await writeAt(file, bytes, segment.bytes);
        await file.datasync();
      } catch (error) {
        await this.abandon(segment, file);
        // What is kept only in case gives way to what is new.
        await this.redelivery.sent.shrink(this.redelivery.sent.bytes() - ROOM_BYTES).catch(() => undefined);
        throw error;
      }
      this.sequence += records.length;
      segment.bytes += bytes.length;
      segment.adverts += records.filter(({ adverts }) => adverts).length;
      segment.pending += records.filter(({ events }) => events > 0).length;
      for (const record of records) this.move(record);
      await this.orSay("room could not be made in the spool", () => this.makeRoom());
      for (const wake of this.waiting) wake();
    });
  }

  /**
   * The oldest batch that is not acknowledged and comes after this sequence; waits for one. Undefined when the spool is closed
   * or `signal` aborts.
   */
  async next(signal?: AbortSignal, after = 0): Promise<Pending | undefined> {
    while (!this.closed && !signal?.aborted) {
      const woken = this.nextAppend(signal);
      try {
        const found = await this.inTurn(() => this.oldest(after));
        if (found) return { sequence: found.sequence, body: found.body, events: found.events };
        await woken.promise;
      } finally {
        woken.wake();
      }
    }
    return undefined;
  }

  /** The server has it. Batches are acknowledged in the order `next` hands them out. */
  acknowledge(sequence: number): Promise<void> {
    return this.inTurn(() => this.settle(sequence));
  }

  /** Takes a batch that can never be accepted out of the queue, and keeps it with the reason beside the spool. */
  deadLetter(pending: Pending, reason: string): Promise<void> {
    return this.inTurn(async () => {
      await this.orSay("a refused batch could not be kept", () => this.keepDeadLetter(pending, reason));
      // About ourselves only: to report the refusal of a report would go on for ever.
      if (!isAboutCollector(pending.body))
        this.losses.add({
          id: `refused ${pending.sequence} ${spanOf([pending]).from}`,
          reason: `a batch was refused and put aside in dead-letter: ${reason}`,
          ...spanOf([pending]),
        });
      this.noteRefused(pending.sequence);
      await this.settle(pending.sequence);
    });
  }

  /**
   * Which store the server has: to be told before what it acknowledges. Of another one than before nobody knows what it has: all that
   * was acknowledged and is kept is to be sent again.
   * @returns whether it is another one
   */
  async servedBy(incarnation: string): Promise<boolean> {
    if (this.redelivery.isKnown(incarnation)) return false;
    return this.inTurn(async () => {
      if (this.redelivery.isKnown(incarnation)) return false;
      for (const segment of this.segments) await this.keepSent(segment.path);
      const isOther = this.redelivery.isServedBy(incarnation, this.acknowledged);
      await this.saveState();
      for (const wake of this.waiting) wake();
      return isOther;
    });
  }

  /** The next that is to be sent again; waits for one. Undefined when the spool is closed or `signal` aborts. */
  async nextAgain(signal: AbortSignal): Promise<BatchAgain | undefined> {
    while (!this.closed && !signal.aborted) {
      const woken = this.nextAppend(signal);
      try {
        const found = this.redelivery.isDue() ? await this.inTurn(() => this.oldestAgain()) : undefined;
        if (found) return found;
        await woken.promise;
      } finally {
        woken.wake();
      }
    }
    return undefined;
  }

  /** It was sent again, or never can be. */
  settleAgain(batch: BatchAgain, outcome: Outcome): Promise<void> {
    return this.inTurn(async () => {
      this.redelivery.settle(batch, outcome);
      await this.saveState();
    });
  }

  /** What was lost and is not yet told, oldest first. Survives a restart until `told`. */
  untold(): readonly Loss[] {
    return this.losses.list();
  }

  told(losses: readonly Loss[]): void {
    this.losses.remove(losses);
  }

  /** Ends waiting in `next`, and gives the folder free. */
  async close(): Promise<void> {
    if (this.closed) return;
    await this.inTurn(async () => {
      this.closed = true;
      for (const wake of this.waiting) wake();
      await this.orSay("the spool's state could not be saved", () => this.saveState());
      await this.active?.file.close();
      await this.acks.close();
      await this.unlock();
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** To be woken when nobody waits for it any more, too: else it is kept. */
  private nextAppend(signal: AbortSignal | undefined): { readonly promise: Promise<void>; readonly wake: () => void } {
    let woken: () => void = () => undefined;
    const promise = new Promise<void>((resolve) => (woken = resolve));
    const wake = (): void => {
      this.waiting.delete(wake);
      signal?.removeEventListener("abort", wake);
      woken();
    };
    this.waiting.add(wake);
    signal?.addEventListener("abort", wake);
    return { promise, wake };
  }

  /** House-keeping that fails is said once, and tried again with the next occasion: the queue goes on. */
  private async orSay(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.diskTrouble = undefined;
    } catch (error) {
      const why = messageOf(error);
      if (this.diskTrouble !== why) this.options.log("error", what, { dir: this.options.dir, why });
      this.diskTrouble = why;
    }
  }

  /** All but the last record of a commit say that more follows: cut short, the commit is not there at all. */
  private recordsOf(batches: readonly Append[]): SpoolRecord[] {
    return batches.map(({ series, events, positions, body }, i) => ({
      sequence: this.sequence + i,
      events,
      adverts: series === "adverts",
      more: i < batches.length - 1,
      positions,
      body,
    }));
  }

  private move({ positions }: SpoolRecord): void {
    for (const [key, value] of Object.entries(positions)) this.positionsNow.set(key, value);
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

  private async oldest(after: number): Promise<SpoolRecord | undefined> {
    for (;;) {
      await this.passOver();
      const from = this.ahead && this.ahead.sequence <= after ? this.ahead : undefined;
      const found = await this.firstAfter(after, from?.segment ?? this.segments[0], from?.offset ?? this.headOffset);
      if (found !== "damaged") return found;
    }
  }

  /** Takes off from the head what is acknowledged. */
  private async passOver(): Promise<void> {
    for (
      let [head] = this.segments;
      head && head.pending === 0 && head !== this.active?.segment;
      [head] = this.segments
    ) {
      this.segments.shift();
      this.headOffset = 0;
      if (this.ahead?.segment === head) this.ahead = undefined;
      this.done.push(head.path);
      await this.sweep();
    }
  }

  private async oldestAgain(): Promise<BatchAgain | undefined> {
    for (let file = this.redelivery.next(); file; file = this.redelivery.next())
      try {
        return { file, body: await this.redelivery.sent.read(file) };
      } catch (error) {
        this.redelivery.settle({ file, body: Buffer.alloc(0) }, { refused: messageOf(error) });
      }
    this.redelivery.finish(this.options.now() * 1_000);
    await this.saveState();
    return undefined;
  }

  /** Keeps what of a segment was acknowledged. */
  private async keepSent(path: string): Promise<void> {
    const { records } = scanSegment(await readFile(path).catch(emptyIfGone), false);
    const isSent = ({ record }: Placed): boolean =>
      record.events > 0 && record.sequence <= this.acknowledged && !this.refused.has(record.sequence);
    await this.redelivery.sent.keep(records.filter(isSent).map(({ record }) => record));
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

  private async settle(sequence: number): Promise<void> {
    if (sequence <= this.acknowledged) return;
    await this.passOver();
    this.acknowledged = sequence;
    const [head] = this.segments;
    if (head) head.pending -= 1;
    await this.orSay("an acknowledgement could not be noted; the batch may be sent once more", () =>
      this.acks.write(sequence),
    );
    await this.passOver();
    await this.sweep();
  }

  /** Removes what has nothing left to send, after its positions are safe. */
  private async sweep(): Promise<void> {
    if (this.done.length === 0) return;
    await this.orSay("sent batches could not be removed from the spool", async () => {
      await this.saveState();
      for (const path of this.done) {
        await this.orSay("what was sent could not be kept beside the spool", () => this.keepSent(path));
        await rm(path, { force: true });
      }
      this.done = [];
      await this.redelivery.sent.shrink(Math.max(0, this.options.bytesMax - this.stats().bytes));
    });
  }

  private saveState(): Promise<void> {
    return writeState(this.options.dir, {
      next: this.sequence,
      acknowledged: this.acknowledged,
      positions: Object.fromEntries(this.positionsNow),
      losses: this.losses.list(),
      ...this.redelivery.state(),
    });
  }

  /** Raw adverts first, oldest first, and other events only when no raw advert is left. */
  private async makeRoom(): Promise<void> {
    const { bytesMax, segmentBytes } = this.options;
    const { bytes, kept } = this.stats();
    if (bytes + kept > bytesMax) await this.redelivery.sent.shrink(Math.max(0, bytesMax - bytes - segmentBytes));
    if (bytes <= bytesMax) return;
    // A little more than needed, so that not every further batch has to make room for itself.
    const goal = bytesMax - Math.min(segmentBytes, Math.floor(bytesMax / 8));
    await this.roll();
    for (const adverts of [true, false])
      for (const segment of this.segments) {
        if (this.stats().bytes <= goal) return;
        if (!adverts || segment.adverts > 0) await this.giveUp(segment, adverts);
      }
  }

  private async giveUp(segment: Segment, advertsOnly: boolean): Promise<void> {
    const { records } = scanSegment(await readFile(segment.path), false);
    // What is on its way to the server now is not given up: it may arrive.
    const keeps = (record: SpoolRecord): boolean =>
      this.isUnsent(record) && (record.sequence <= this.handedOut || (advertsOnly && !record.adverts));
    const kept = records.filter(({ record }) => keeps(record));
    const lost = records.map(({ record }) => record).filter((record) => this.isUnsent(record) && !keeps(record));
    const [first] = lost;
    if (first) {
      const what = advertsOnly ? "raw adverts" : "events";
      this.losses.add({
        id: `full ${first.sequence} ${spanOf([first]).from}`,
        reason: `the spool is full (${this.options.bytesMax} bytes): the oldest ${what} were given up`,
        ...spanOf(lost),
      });
      this.options.log("error", "the spool is full; the oldest batches were given up", { what, batches: lost.length });
    }
    await this.saveState();
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
    return events > 0 && sequence > this.acknowledged;
  }

  /** A segment that went bad while we ran. */
  private async salvage(segment: Segment): Promise<void> {
    if (segment === this.active?.segment) await this.roll();
    const bytes = await readFile(segment.path).catch(emptyIfGone);
    const { records, damagedBytes } = scanSegment(bytes, false);
    await this.quarantine(segment.path, bytes, Math.max(damagedBytes, segment.bytes - bytes.length));
    await this.rewrite(segment, records);
  }

  private async recover(): Promise<void> {
    const { dir, log } = this.options;
    const state = await readState(dir);
    if (!state) {
      log("error", "the spool's state file is damaged; positions older than the spool's batches are lost", { dir });
      this.losses.add({ ...NOTHING_KNOWN, id: "state", reason: "the spool's state file was damaged on disk" });
    }
    const known = state ?? { next: 1, acknowledged: 0, positions: {}, losses: [] };
    const { next, acknowledged, positions, losses } = known;
    this.acknowledged = Math.max(acknowledged, await this.acks.read());
    this.redelivery.restore(known, this.acknowledged);
    await this.recallRefused();
    for (const [key, value] of Object.entries(positions)) this.positionsNow.set(key, value);
    this.losses.restore([...losses.map((loss) => ({ ...NOTHING_KNOWN, ...loss })), ...this.losses.list()]);
    let last = 0;
    const names = await this.segmentFiles();
    for (const name of names) {
      this.fileNumber = Number.parseInt(name, 10) + 1;
      const records = await this.recoverSegment(join(dir, name), last, name === names.at(-1));
      for (const { record } of records) {
        last = record.sequence;
        if (last >= next) this.move(record);
      }
    }
    // Also past what was acknowledged: should records be gone, no new one may pass for one that was sent.
    this.sequence = Math.max(next, last + 1, this.acknowledged + 1);
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
    if (damagedBytes > 0) await this.quarantine(path, bytes, damagedBytes);
    if (damagedBytes > 0 || tornAt !== undefined || fresh.length < records.length || fresh.length === 0)
      await this.rewrite(segment, fresh);
    else this.count(segment, fresh);
    return fresh;
  }

  /** Keeps what was there of a damaged segment; its sound records go on. */
  private async quarantine(path: string, bytes: Buffer, damagedBytes: number): Promise<void> {
    const dir = join(this.options.dir, "quarantine");
    const name = `${basename(path, ".seg")}-${crc32(bytes).toString(16).padStart(8, "0")}.seg`;
    this.options.log("error", "a spool segment is damaged; a copy is kept, and its sound records go on", {
      path,
      damagedBytes,
      copy: join(dir, name),
    });
    this.losses.add({
      ...NOTHING_KNOWN,
      id: `damaged ${name}`,
      reason: `${damagedBytes} bytes of the spool segment ${basename(path)} were damaged on disk; a copy is ${join("quarantine", name)}`,
    });
    await this.orSay("a damaged spool segment could not be copied", async () => {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(join(dir, name), bytes, { mode: 0o600 });
      await keepNewest(dir, QUARANTINE_FILES_MAX, QUARANTINE_BYTES_MAX);
    });
  }

  /** With the batches that lie there since before the start. */
  private async recallRefused(): Promise<void> {
    const names = await readdir(join(this.options.dir, "dead-letter")).catch((): string[] => []);
    for (const name of names) if (/^\d+\.json$/.test(name)) this.noteRefused(Number.parseInt(name, 10));
  }

  private noteRefused(sequence: number): void {
    this.refused.add(sequence);
    const [oldest] = this.refused;
    if (this.refused.size > DEAD_LETTER_FILES_MAX && oldest !== undefined) this.refused.delete(oldest);
  }

  private async keepDeadLetter({ sequence, body }: Pending, reason: string): Promise<void> {
    const dir = join(this.options.dir, "dead-letter");
    const path = join(dir, String(sequence).padStart(12, "0"));
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await replaceFile(`${path}.json`, body);
    await replaceFile(`${path}.reason.txt`, `${reason}\n`);
    await syncDir(dir);
    const removed = await keepNewest(dir, DEAD_LETTER_FILES_MAX, DEAD_LETTER_BYTES_MAX);
    if (removed > 0)
      this.options.log("error", "too many refused batches are kept; the oldest were removed", { dir, files: removed });
  }
}

const NOTHING_KNOWN = { events: undefined, from: undefined, to: undefined };

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
function emptyIfGone(error: unknown): Buffer {
  if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EIO"))
    return Buffer.alloc(0);
  throw error;
}
