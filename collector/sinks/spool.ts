import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, OperatorError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { type BatchAgain, type Outcome, Redelivery } from "./again.ts";
import { DeadLetters, NOTHING_KNOWN } from "./aside.ts";
import { type OrSay, sayingOnce } from "./files.ts";
import { lockFolder } from "./lock.ts";
import { isAboutCollector, type Loss, Losses, spanOf } from "./losses.ts";
import { type Placed, type SpoolRecord, scanSegment } from "./record.ts";
import { emptyIfGone, type GivenUp, Segments } from "./segments.ts";
import { type Series, SentBatches } from "./sent.ts";
import { AckFile, readOrMakeId, readState, writeState } from "./state.ts";

/** Most bytes of batches the spool may hold on disk, unless configured otherwise. */
export const SPOOL_BYTES_DEFAULT = 256 * 1024 * 1024;
/** A segment is closed when it reaches this size, and removed whole when all of it is acknowledged. */
const SEGMENT_BYTES = 1024 * 1024;
/** So much of what is kept is given up at a time when the disk is full. */
const ROOM_BYTES = 4 * 1024 * 1024;

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
  private readonly segments: Segments;
  /** Refused by the server: they are not sent again. */
  private readonly deadLetters: DeadLetters;
  private readonly orSay: OrSay;
  /** Segments with nothing left to send, removed as soon as their positions are safe elsewhere. */
  private done: string[] = [];
  private sequence = 1;
  private readonly positionsNow = new Map<string, string>();
  private readonly waiting = new Set<() => void>();
  private closed = false;
  /** Disk work is done one at a time. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(options: Required<SpoolOptions>, parts: SpoolParts) {
    this.id = parts.id;
    this.options = options;
    this.unlock = parts.unlock;
    this.acks = parts.acks;
    this.losses = new Losses();
    const { dir, log, segmentBytes } = options;
    const lose = (loss: Loss): void => this.losses.add(loss);
    this.orSay = sayingOnce(dir, log);
    this.redelivery = new Redelivery(parts.sent, { log, lose });
    this.deadLetters = new DeadLetters({ dir, log });
    this.segments = new Segments({ dir, segmentBytes, log, orSay: this.orSay, lose });
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
    return { ...this.segments.stats(), kept: this.redelivery.sent.bytes() };
  }

  /** One commit: all of it is durable when it resolves; when it rejects, nothing of it is there and it may be tried again. */
  append(batches: readonly Append[]): Promise<void> {
    return this.inTurn(async () => {
      if (this.closed) throw new Error("the spool is closed");
      if (batches.length === 0) return;
      const records = this.recordsOf(batches);
      try {
        await this.segments.write(records);
      } catch (error) {
        // What is kept only in case gives way to what is new.
        await this.redelivery.sent.shrink(this.redelivery.sent.bytes() - ROOM_BYTES).catch(() => undefined);
        throw error;
      }
      this.sequence += records.length;
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
      await this.orSay("a refused batch could not be kept", () =>
        this.deadLetters.keep(pending.sequence, pending.body, reason),
      );
      // About ourselves only: to report the refusal of a report would go on for ever.
      if (!isAboutCollector(pending.body))
        this.losses.add({
          id: `refused ${pending.sequence} ${spanOf([pending]).from}`,
          reason: `a batch was refused and put aside in dead-letter: ${reason}`,
          ...spanOf([pending]),
        });
      this.deadLetters.note(pending.sequence);
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
      for (const path of this.segments.paths()) await this.keepSent(path);
      const isOther = this.redelivery.isServedBy(incarnation, this.segments.acknowledged);
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
      await this.segments.close();
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

  private async oldest(after: number): Promise<SpoolRecord | undefined> {
    for (;;) {
      await this.passOver();
      const found = await this.segments.next(after);
      if (found !== "damaged") return found;
    }
  }

  private async passOver(): Promise<void> {
    const done = this.segments.passOver();
    this.done.push(...done);
    if (done.length > 0) await this.sweep();
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
      record.events > 0 && record.sequence <= this.segments.acknowledged && !this.deadLetters.has(record.sequence);
    await this.redelivery.sent.keep(records.filter(isSent).map(({ record }) => record));
  }

  private async settle(sequence: number): Promise<void> {
    if (sequence <= this.segments.acknowledged) return;
    await this.passOver();
    this.segments.acknowledge(sequence);
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
      acknowledged: this.segments.acknowledged,
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
    await this.segments.giveUp(goal, async (what, lost) => {
      this.tellGivenUp(what, lost);
      await this.saveState();
    });
  }

  private tellGivenUp(what: GivenUp, lost: readonly SpoolRecord[]): void {
    const [first] = lost;
    if (!first) return;
    this.losses.add({
      id: `full ${first.sequence} ${spanOf([first]).from}`,
      reason: `the spool is full (${this.options.bytesMax} bytes): the oldest ${what} were given up`,
      ...spanOf(lost),
    });
    this.options.log("error", "the spool is full; the oldest batches were given up", { what, batches: lost.length });
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
    const upTo = Math.max(acknowledged, await this.acks.read());
    this.redelivery.restore(known, upTo);
    await this.deadLetters.recall();
    for (const [key, value] of Object.entries(positions)) this.positionsNow.set(key, value);
    this.losses.restore([...losses.map((loss) => ({ ...NOTHING_KNOWN, ...loss })), ...this.losses.list()]);
    let last = 0;
    await this.segments.recover(upTo, (record) => {
      last = record.sequence;
      if (last >= next) this.move(record);
    });
    // Also past what was acknowledged: should records be gone, no new one may pass for one that was sent.
    this.sequence = Math.max(next, last + 1, upTo + 1);
  }
}
