import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, OperatorError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { decodeRecord, encodeRecord, nextMagic } from "./record.ts";

/** Most bytes the spool may hold on disk, unless configured otherwise. */
export const SPOOL_BYTES_DEFAULT = 256 * 1024 * 1024;
/** A segment is closed when it reaches this size; the last one acknowledged is removed whole. */
export const SEGMENT_BYTES = 1024 * 1024;
/** Most dead-lettered batches kept; older ones are removed, and counted. */
export const DEAD_LETTERS_MAX = 1_000;

/** Raw adverts are kept apart from everything else: they are what a full spool gives up first. */
export type Series = "events" | "adverts";

export interface Append {
  readonly series: Series;
  readonly body: Buffer;
  readonly events: number;
  readonly positions: Readonly<Record<string, string>>;
}

export interface Pending {
  readonly sequence: number;
  readonly body: Buffer;
  readonly events: number;
}

/** Something the spool had and has no more. */
export interface Loss {
  readonly events: number;
  readonly reason: string;
}

export interface SpoolOptions {
  readonly dir: string;
  readonly bytesMax?: number;
  readonly segmentBytes?: number;
  readonly log: Log;
  readonly onLoss: (loss: Loss) => void;
}

interface Entry {
  readonly sequence: number;
  readonly offset: number;
  readonly length: number;
  readonly events: number;
}

interface Segment {
  readonly path: string;
  readonly series: Series;
  bytes: number;
  /** Not yet acknowledged, oldest first. */
  entries: Entry[];
}

interface State {
  acknowledged: number[];
  positions: Record<string, string>;
}

/**
 * A durable queue of immutable batches. A batch and the source positions reached with it are one record, so a crash
 * neither loses nor repeats a line; `append` resolves after fdatasync. What is acknowledged may be forgotten in a crash:
 * it is then sent once more, byte for byte the same, and the server shows it once.
 */
export class Spool {
  private readonly options: Required<SpoolOptions>;
  private readonly segments: Segment[] = [];
  private readonly open = new Map<Series, { segment: Segment; file: FileHandle }>();
  private positionsNow: Record<string, string> = {};
  private sequence = 1;
  private wake: (() => void) | undefined;
  private closed = false;
  /** Disk work is done one at a time. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(options: SpoolOptions) {
    this.options = { bytesMax: SPOOL_BYTES_DEFAULT, segmentBytes: SEGMENT_BYTES, ...options };
  }

  /** @throws OperatorError when the folder cannot be written or another collector uses it. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(options);
    await spool.lock();
    await spool.recover();
    return spool;
  }

  position(key: string): string | undefined {
    return this.positionsNow[key];
  }

  /** Makes the batches durable, all with one turn at the disk. */
  append(batches: readonly Append[]): Promise<void> {
    return this.inTurn(async () => {
      const touched = new Set<FileHandle>();
      for (const batch of batches) touched.add(await this.write(batch));
      await Promise.all([...touched].map((file) => file.datasync()));
      for (const { positions } of batches) Object.assign(this.positionsNow, positions);
      await this.makeRoom();
      this.wake?.();
    });
  }

  /** The oldest batch not yet acknowledged; waits for one. Undefined when the spool is closed. */
  async next(): Promise<Pending | undefined> {
    for (;;) {
      const found = await this.inTurn(() => this.oldest());
      if (found) return found;
      if (this.closed) return undefined;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  acknowledge(sequence: number): Promise<void> {
    return this.inTurn(async () => {
      for (const segment of this.segments)
        segment.entries = segment.entries.filter((entry) => entry.sequence !== sequence);
      await this.removeDone();
    });
  }

  /** Takes a batch that can never be accepted out of the queue, and keeps it with the reason beside the spool. */
  async deadLetter(pending: Pending, reason: string): Promise<void> {
    const dir = join(this.options.dir, "dead-letter");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, `${String(pending.sequence).padStart(12, "0")}.json`), pending.body, { mode: 0o600 });
    await writeFile(join(dir, `${String(pending.sequence).padStart(12, "0")}.reason.txt`), `${reason}\n`, {
      mode: 0o600,
    });
    const kept = (await readdir(dir)).filter((name) => name.endsWith(".json")).sort();
    for (const name of kept.slice(0, Math.max(0, kept.length - DEAD_LETTERS_MAX))) await rm(join(dir, name));
    await this.acknowledge(pending.sequence);
  }

  stats(): { batches: number; bytes: number } {
    return {
      batches: this.segments.reduce((sum, s) => sum + s.entries.length, 0),
      bytes: this.segments.reduce((sum, s) => sum + s.bytes, 0),
    };
  }

  /** Ends waiting in `next` and gives the folder free. */
  async close(): Promise<void> {
    this.closed = true;
    this.wake?.();
    await this.inTurn(async () => {
      await this.saveState();
      for (const { file } of this.open.values()) await file.close();
      this.open.clear();
      await rm(join(this.options.dir, "lock"), { force: true });
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async write(batch: Append): Promise<FileHandle> {
    const { segment, file } = await this.segmentFor(batch.series);
    const record = encodeRecord({
      sequence: this.sequence,
      events: batch.events,
      positions: batch.positions,
      body: batch.body,
    });
    try {
      await file.appendFile(record);
    } catch (error) {
      // Half a record must not stand in the middle of a segment.
      await file.truncate(segment.bytes).catch(() => undefined);
      throw error;
    }
    segment.entries.push({
      sequence: this.sequence,
      offset: segment.bytes,
      length: record.length,
      events: batch.events,
    });
    segment.bytes += record.length;
    this.sequence += 1;
    return file;
  }

  private async segmentFor(series: Series): Promise<{ segment: Segment; file: FileHandle }> {
    const current = this.open.get(series);
    if (current && current.segment.bytes < this.options.segmentBytes) return current;
    if (current) {
      await current.file.datasync();
      await current.file.close();
    }
    const path = join(this.options.dir, `${series}-${String(this.sequence).padStart(12, "0")}.seg`);
    const file = await open(path, "a", 0o600);
    await this.syncDir();
    const segment: Segment = { path, series, bytes: 0, entries: [] };
    this.segments.push(segment);
    const opened = { segment, file };
    this.open.set(series, opened);
    return opened;
  }

  private async oldest(): Promise<Pending | undefined> {
    let found: { segment: Segment; entry: Entry } | undefined;
    for (const segment of this.segments) {
      const [entry] = segment.entries;
      if (entry && (!found || entry.sequence < found.entry.sequence)) found = { segment, entry };
    }
    if (!found) return undefined;
    const { segment, entry } = found;
    const file = await open(segment.path, "r");
    try {
      const { buffer } = await file.read(Buffer.alloc(entry.length), 0, entry.length, entry.offset);
      const decoded = decodeRecord(buffer, 0);
      if (decoded) return { sequence: entry.sequence, body: decoded.record.body, events: entry.events };
    } finally {
      await file.close();
    }
    segment.entries.shift();
    this.options.onLoss({
      events: entry.events,
      reason: `the spool record ${entry.sequence} in ${segment.path} was damaged on disk`,
    });
    return this.oldest();
  }

  /** Gives up whole segments, raw adverts first, oldest first, until the spool is within its bound. */
  private async makeRoom(): Promise<void> {
    while (this.stats().bytes > this.options.bytesMax) {
      const isOpen = (segment: Segment): boolean => this.open.get(segment.series)?.segment === segment;
      const victim =
        this.segments.find((s) => s.series === "adverts" && !isOpen(s)) ?? this.segments.find((s) => !isOpen(s));
      if (!victim) return;
      const events = victim.entries.reduce((sum, entry) => sum + entry.events, 0);
      victim.entries = [];
      await this.removeDone();
      if (events > 0)
        this.options.onLoss({
          events,
          reason: `the spool is full (${this.options.bytesMax} bytes): the oldest ${victim.series === "adverts" ? "raw adverts" : "events"} were given up`,
        });
    }
  }

  /** Removes closed segments that have nothing left to send, after their positions are safe. */
  private async removeDone(): Promise<void> {
    const done = this.segments.filter(
      (segment) => segment.entries.length === 0 && this.open.get(segment.series)?.segment !== segment,
    );
    if (done.length === 0) return;
    await this.saveState();
    for (const segment of done) {
      await rm(segment.path, { force: true });
      this.segments.splice(this.segments.indexOf(segment), 1);
    }
  }

  private async saveState(): Promise<void> {
    // Of the segments that stay, what was acknowledged is told apart by what is still pending in them.
    const waiting = new Set(this.segments.flatMap((segment) => segment.entries.map((entry) => entry.sequence)));
    const acknowledged: number[] = [];
    const first = Math.min(this.sequence, ...waiting);
    for (let sequence = first; sequence < this.sequence; sequence++)
      if (!waiting.has(sequence)) acknowledged.push(sequence);
    const state = JSON.stringify({ next: this.sequence, first, acknowledged, positions: this.positionsNow });
    const path = join(this.options.dir, "state.json");
    const file = await open(`${path}.new`, "w", 0o600);
    await file.writeFile(state);
    await file.datasync();
    await file.close();
    await rename(`${path}.new`, path);
    await this.syncDir();
  }

  private async recover(): Promise<void> {
    const { dir } = this.options;
    const state = await this.readState();
    this.positionsNow = { ...state.positions };
    this.sequence = state.next;
    const acknowledged = new Set(state.acknowledged);
    const names = (await readdir(dir))
      .filter((name) => /^(events|adverts)-\d+\.seg$/.test(name))
      .sort((a, b) => numberOf(a) - numberOf(b));
    // Only the newest segment of a series was being written: elsewhere a damaged end is damage, not a crash.
    const newest = new Map(names.map((name) => [seriesOf(name), name]));
    const found: { sequence: number; positions: Readonly<Record<string, string>> }[] = [];
    for (const name of names) {
      const path = join(dir, name);
      const bytes = await readFile(path);
      const segment: Segment = {
        path,
        series: seriesOf(name),
        bytes: bytes.length,
        entries: [],
      };
      let damaged = 0;
      let soundAfterDamage = false;
      for (let offset = 0; offset < bytes.length; ) {
        const decoded = decodeRecord(bytes, offset);
        if (!decoded) {
          const next = nextMagic(bytes, offset + 1);
          damaged += next - offset;
          offset = next;
          continue;
        }
        const { record, end } = decoded;
        soundAfterDamage ||= damaged > 0;
        found.push(record);
        if (record.sequence >= state.first && !acknowledged.has(record.sequence))
          segment.entries.push({ sequence: record.sequence, offset, length: end - offset, events: record.events });
        this.sequence = Math.max(this.sequence, record.sequence + 1);
        offset = end;
      }
      this.segments.push(segment);
      if (damaged > 0)
        await this.quarantine(path, bytes, damaged, !soundAfterDamage && name === newest.get(segment.series));
    }
    found.sort((a, b) => a.sequence - b.sequence);
    // The state file may be newer than a segment's old records: positions only ever move forward with the sequence.
    for (const { sequence, positions } of found)
      if (sequence >= state.next) Object.assign(this.positionsNow, positions);
    await this.removeDone();
  }

  /** Keeps a copy of a damaged segment. A torn last record is the ordinary trace of a crash: it was never promised to anyone. */
  private async quarantine(path: string, bytes: Buffer, damagedBytes: number, isTorn: boolean): Promise<void> {
    const { log, onLoss } = this.options;
    const dir = join(this.options.dir, "quarantine");
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, `${numberOf(path)}-${bytes.length}.seg`), bytes, { mode: 0o600 });
    if (isTorn) {
      log("info", "the spool ended in a half-written record, which was passed over", { path, damagedBytes });
      return;
    }
    log("error", "a spool segment is damaged; its sound records go on", { path, damagedBytes });
    onLoss({
      events: 0,
      reason: `${damagedBytes} bytes of the spool segment ${path} were damaged on disk; a copy is in ${dir}`,
    });
  }

  private async readState(): Promise<{
    next: number;
    first: number;
    acknowledged: readonly number[];
    positions: Record<string, string>;
  }> {
    const path = join(this.options.dir, "state.json");
    try {
      const state = JSON.parse(await readFile(path, "utf8")) as State & { next: number; first: number };
      return { next: state.next, first: state.first, acknowledged: state.acknowledged, positions: state.positions };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT"))
        this.options.log("error", "the spool's state file cannot be read; batches may be sent once more", {
          path,
          why: messageOf(error),
        });
      return { next: 1, first: 0, acknowledged: [], positions: {} };
    }
  }

  private async lock(): Promise<void> {
    const { dir } = this.options;
    const path = join(dir, "lock");
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const owner = Number(await readFile(path, "utf8").catch(() => "0"));
      if (owner > 0 && owner !== process.pid && (await isCollector(owner)))
        throw new OperatorError("SPOOL_IN_USE", `the spool ${dir} is in use by process ${owner}`, {
          remedy: "Stop that collector, or give this one a spool.dir of its own",
        });
      await writeFile(path, String(process.pid), { mode: 0o600 });
    } catch (cause) {
      if (cause instanceof OperatorError) throw cause;
      throw new OperatorError("SPOOL_UNWRITABLE", `the spool ${dir} cannot be written: ${messageOf(cause)}`, {
        cause,
        remedy: "Create it for the user the collector runs as, or set spool.dir",
      });
    }
  }

  private async syncDir(): Promise<void> {
    const dir = await open(this.options.dir, "r");
    try {
      await dir.sync();
    } finally {
      await dir.close();
    }
  }
}

/** A pid is reused after a crash: only another Node process may be a collector. */
async function isCollector(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  if (command !== undefined) return /node|keepwatch/.test(command);
  return stat("/proc/self").then(
    () => false,
    () => true,
  );
}

const numberOf = (name: string): number => Number(/(\d+)\.seg$/.exec(name)?.[1] ?? 0);

const seriesOf = (name: string): Series => (name.startsWith("adverts") ? "adverts" : "events");
