import { type FileHandle, lstat, open, stat } from "node:fs/promises";
import { messageOf } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { type LineReader, LogStream, type Place } from "./log-stream.ts";
import { unpackedFrom } from "./packed.ts";
import { fingerprintOfHandle, openSibling, RotatedFiles, type Sibling } from "./rotated.ts";
import type { Source, SourceContext } from "./source.ts";
import { destroyedAt, type Seam } from "./truncation.ts";
import { wakeOnChange } from "./wake.ts";

/** How often the file is looked at when nothing wakes us, milliseconds. */
export const POLL_MS = 250;
/** About as many observations are handed over at once. */
const EMIT_MAX = 1_000;
/** What was rotated may still be written to: it is read on for this long after the live file has its first line, microseconds. */
const RETIRED_US = 1_500_000;
/** Most rotated files that are kept open for late lines. */
const RETIRED_MAX = 8;
/** A position that only moved past other programs' lines is written down no more often than this, microseconds: to read them again costs nothing. */
const QUIET_POSITION_US = 10_000_000;
const READ_BYTES = 256 * 1024;
/** How often one rotated file is looked for that has another name by the time it is opened. */
const OPENINGS_MAX = 20;

export interface FileTailOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly createReader: (path: string, fingerprint: string) => LineReader;
  /** Where to begin when the file was never read before. Default: its end. */
  readonly from?: "start" | "end";
  /** Whether to watch and poll by itself. A test drives `poll` instead. */
  readonly selfDriven?: boolean;
}

/** What is kept of a source's progress: how far the newest stream was read, and rotated ones that may still grow. */
interface Progress extends Place {
  /** Of the file that had the log's name: one that still has it, with another first line, was truncated. */
  readonly inode?: number;
  /** Event time of the newest line that was read, epoch microseconds. */
  readonly ts?: number;
  readonly retired?: readonly Place[];
}

interface LiveFile {
  readonly handle: FileHandle;
  readonly inode: number;
  /** undefined while the first line is not complete. */
  stream: LogStream | undefined;
  /** Where a stream that is known already is read on. */
  from: Place | undefined;
  /** When its stream was begun, and when it was last seen to hold no more than was read, epoch microseconds. */
  beganUs: number;
  readUs: number;
}

interface Retired {
  /** undefined: it does not grow any more. */
  readonly handle: FileHandle | undefined;
  readonly stream: LogStream;
  until: number;
}

/**
 * Follows a log through its rotations and loses nothing that was still on disk: rename and create, copytruncate, several
 * rotations between two looks, compressed ones while we were away. See README.md beside this file for what it cannot do.
 */
export class FileTail implements Source {
  readonly name = "log";
  private readonly options: FileTailOptions;
  private readonly rotated: RotatedFiles;
  private context: SourceContext | undefined;
  private live: LiveFile | undefined;
  private retired: Retired[] = [];
  private place: Place | undefined;
  private placeInode: number | undefined;
  /** Told with the first line that comes after it. */
  private seam: Seam | undefined;
  private located = false;
  private held: Observation[] = [];
  private committed = "";
  private committedAt = 0;
  private newestTs: number | undefined;
  /** When the last read began, epoch microseconds. */
  private lastReadUs = 0;
  private readonly lines = { read: 0, unrecognised: 0 };
  private reason: string | undefined = "it has not been looked at yet";
  private turn: Promise<void> = Promise.resolve();
  private wanted = false;
  private stopped = false;
  private stopWaking: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: FileTailOptions) {
    this.options = options;
    this.rotated = new RotatedFiles(options.path);
  }

  async start(context: SourceContext): Promise<void> {
    this.context = context;
    await this.poll();
    if (this.options.selfDriven === false) return;
    this.timer = setInterval(() => this.look(), POLL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopWaking?.();
    await this.poll();
    this.stopped = true;
    await this.turn;
    if (this.live) await this.commit(true);
    await this.close(this.live?.handle);
    for (const { handle } of this.retired) await this.close(handle);
    this.live = undefined;
    this.retired = [];
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    const state = this.stopped ? "stopped" : this.live ? "running" : "unavailable";
    return {
      name: this.name,
      detail: this.options.path,
      state,
      read: this.lines.read,
      unrecognised: this.lines.unrecognised,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  /** Reads all there is now. Calls are served one after the other. */
  poll(): Promise<void> {
    this.turn = this.turn
      .then(() => this.once())
      .catch((error: unknown) =>
        this.context?.log("error", `${this.options.path} could not be read: ${messageOf(error)}`),
      );
    return this.turn;
  }

  /** A look while another is under way is worth one more, not a queue of them. */
  private look(): void {
    if (this.wanted) return;
    this.wanted = true;
    void this.turn.then(() => {
      this.wanted = false;
      return this.poll();
    });
  }

  private key(): string {
    return `file:${this.options.path}`;
  }

  private async once(): Promise<void> {
    if (this.stopped) return;
    if (!this.live && !(await this.openLive())) return;
    const live = this.live;
    if (!live) return;
    await this.drainRetired();
    if ((await this.wasRewritten(live)) || !(await this.drain(live))) await this.followCopy(live);
    if (await this.wasRenamed(live)) await this.followRename(live);
    await this.commit(false);
  }

  // --- finding the place ---------------------------------------------------------------------------------------------

  private async openLive(): Promise<boolean> {
    const file = await this.open();
    if (!file) return false;
    if (!this.located) {
      this.located = true;
      const saved = this.context?.position(this.key());
      const progress = saved === undefined ? undefined : parseProgress(saved);
      if (progress) await this.resume(file, progress);
      else if (this.options.from !== "start") file.from = await endOf(file.handle);
    }
    this.adopt(file);
    return true;
  }

  private adopt(file: LiveFile): void {
    this.live = file;
    this.reason = undefined;
    this.stopWaking?.();
    this.stopWaking =
      this.options.selfDriven === false ? undefined : wakeOnChange(this.options.path, () => this.look());
  }

  private async open(): Promise<LiveFile | undefined> {
    const { path } = this.options;
    try {
      const handle = await open(path, "r");
      const stats = await handle.stat();
      if (!stats.isFile()) {
        await handle.close();
        this.reason = `${path} is not a regular file`;
        return undefined;
      }
      const now = this.options.clock.epoch();
      return { handle, inode: stats.ino, stream: undefined, from: undefined, beganUs: now, readUs: now };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      this.reason =
        code === "ENOENT"
          ? `${path} does not exist (yet)`
          : code === "EACCES"
            ? `no permission to read ${path} (add the user to the group that owns it, for example adm)`
            : messageOf(error);
      return undefined;
    }
  }

  /** Goes on where the last run ended: in this file, or in what it is called by now. */
  private async resume(file: LiveFile, { retired = [], inode, ts, ...place }: Progress): Promise<void> {
    this.place = place;
    this.newestTs = ts;
    this.placeInode = inode;
    for (const late of retired)
      if (late.fingerprint !== place.fingerprint) {
        const [sibling] = (await this.rotated.since(late.fingerprint)) ?? [];
        if (sibling) await this.readSibling(sibling, late, true);
      }
    const { size } = await file.handle.stat();
    if ((await fingerprintOfHandle(file.handle)) === place.fingerprint && size >= place.offset) return;
    if (!(await this.catchUp(place, file)))
      await this.gap(
        `the file that was being read is no longer there under any name; ${this.options.path} is read from its start${this.rotated.unreadable()}`,
      );
  }

  /**
   * Reads on behind a place that is not in the live file: the rest of its own stream, then each that was rotated since, the
   * oldest first. The folder is listed anew for each, as rotations go on meanwhile.
   * @returns whether the place was found
   */
  private async catchUp(place: Place, live: LiveFile): Promise<boolean> {
    let from = place;
    let done = this.retired.some(({ stream }) => stream.fingerprint === place.fingerprint);
    for (let openings = 0; openings < OPENINGS_MAX; ) {
      const siblings = await this.rotated.since(from.fingerprint);
      if (!siblings) return from !== place;
      const sibling = siblings[done ? 1 : 0];
      if (!sibling || (await isSameFile(sibling, live))) return true;
      if (done) from = { fingerprint: sibling.fingerprint ?? "", offset: 0, lineNumber: 1 };
      const read = await this.readSibling(sibling, from);
      if (read && this.placeInode === live.inode) this.seam = this.seamAt(sibling, read.firstTs ?? live.beganUs);
      done = read !== undefined;
      openings = done ? 0 : openings + 1;
    }
    await this.gap("a rotated file could not be opened under the name that it was listed by");
    return true;
  }

  /**
   * @param isLate  it was read before, and may have grown since
   * @returns undefined when another file has its name by now
   */
  private async readSibling(sibling: Sibling, from: Place, isLate = false): Promise<LogStream | undefined> {
    const handle = await openSibling(sibling);
    if (!handle) return undefined;
    const stream = new LogStream(this.options.createReader(this.options.path, from.fingerprint), from);
    if (isLate) await this.retire(sibling.packing ? undefined : handle, stream);
    try {
      if (sibling.packing)
        for await (const chunk of unpackedFrom(handle, sibling.packing, from.offset)) await this.take(stream, chunk);
      else await this.readOn(handle, stream);
      await this.flush(stream);
    } catch (error) {
      await this.flush(stream);
      await this.gap(`${sibling.path} could not be read to its end: ${messageOf(error)}`);
    }
    if (!isLate) await this.retire(sibling.packing ? undefined : handle, stream);
    if (sibling.packing) await this.close(handle);
    return stream;
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  /** @returns false when the file holds another stream than the one that was being read */
  private async drain(live: LiveFile): Promise<boolean> {
    if (!live.stream) {
      const fingerprint = await fingerprintOfHandle(live.handle);
      if (fingerprint === undefined) return true;
      live.stream = await this.streamOf(live, fingerprint);
    }
    this.placeInode = live.inode;
    const sound = await this.readOn(live.handle, live.stream, live.stream.fingerprint);
    const { size } = await live.handle.stat();
    await this.flush(live.stream);
    // There is nothing to read in one that was truncated meanwhile, either.
    if (sound && size >= live.stream.next()) live.readUs = this.lastReadUs;
    return sound;
  }

  /** What was rotated before this stream began is read first. */
  private async streamOf(live: LiveFile, fingerprint: string): Promise<LogStream> {
    const { place } = this;
    if (place && place.fingerprint !== fingerprint && live.from === undefined) await this.catchUp(place, live);
    const from =
      live.from?.fingerprint === fingerprint
        ? live.from
        : this.place?.fingerprint === fingerprint
          ? this.place
          : { fingerprint, offset: 0, lineNumber: 1 };
    live.from = undefined;
    return new LogStream(this.options.createReader(this.options.path, fingerprint), from);
  }

  /**
   * Reads to the end.
   * @param expected  fingerprint that the file must still have after each read, or what was read is another stream's
   */
  private async readOn(handle: FileHandle, stream: LogStream, expected?: string): Promise<boolean> {
    const buffer = Buffer.alloc(READ_BYTES);
    for (;;) {
      this.lastReadUs = this.options.clock.epoch();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, stream.next());
      if (bytesRead === 0) return true;
      if (expected !== undefined && (await fingerprintOfHandle(handle)) !== expected) return false;
      await this.take(stream, buffer.subarray(0, bytesRead));
    }
  }

  private async take(stream: LogStream, chunk: Buffer): Promise<void> {
    for (const seen of stream.take(chunk, this.options.clock.epoch())) this.held.push(seen);
    if (this.held.length >= EMIT_MAX) await this.flush(stream);
  }

  /** Hands over what was read, with how far that is. */
  private async flush(stream: LogStream): Promise<void> {
    // A rotated file that grows late does not move the place back: its own place is kept beside.
    const isLate = this.retired.some((late) => late.stream === stream);
    if (!isLate) await this.tellSeam();
    if (!isLate) this.place = stream.place();
    await this.commit(false);
  }

  private async commit(now: boolean): Promise<void> {
    if (!this.context || !this.place) return;
    for (const { ts } of this.held) this.newestTs = Math.max(this.newestTs ?? ts, ts);
    const retired = this.retired.map(({ stream }) => stream.place());
    const progress: Progress = {
      ...this.place,
      ...(this.placeInode === undefined ? {} : { inode: this.placeInode }),
      ...(this.newestTs === undefined ? {} : { ts: this.newestTs }),
      ...(retired.length === 0 ? {} : { retired }),
    };
    const value = JSON.stringify(progress);
    const at = this.options.clock.mono();
    const isQuiet = !now && at - this.committedAt < QUIET_POSITION_US;
    if (this.held.length === 0 && (value === this.committed || isQuiet)) return;
    const observations = this.held;
    this.held = [];
    this.lines.read += observations.length;
    this.lines.unrecognised += observations.filter(({ body }) => body.kind === "log.unrecognised").length;
    await this.context.emit(observations, { key: this.key(), value });
    this.committed = value;
    this.committedAt = at;
  }

  // --- rotation ------------------------------------------------------------------------------------------------------

  private async wasRenamed(live: LiveFile): Promise<boolean> {
    const stats = await stat(this.options.path).catch(() => undefined);
    return stats === undefined || stats.ino !== live.inode;
  }

  /** copytruncate, or a writer that began again: shorter than what was read, or another first line. */
  private async wasRewritten({ handle, stream }: LiveFile): Promise<boolean> {
    if (!stream) return false;
    const { size } = await handle.stat();
    return size < stream.next() || (await fingerprintOfHandle(handle)) !== stream.fingerprint;
  }

  private async followRename(old: LiveFile): Promise<void> {
    const next = await this.open();
    if (!next) {
      // Between rename and create: the old file is read on until there is a new one.
      this.reason = undefined;
      return;
    }
    // What was written between the last read and the rename.
    await this.drain(old);
    if (old.stream) {
      const place = old.stream.place();
      await this.retire(old.handle, old.stream);
      // A link that is switched leaves its old file under a name of its own; it is read on by its handle.
      if (!(await this.catchUp(place, next)) && !(await this.isLink()))
        await this.gap(
          `the rotated file is not to be found; files rotated in between, if any, were not read${this.rotated.unreadable()}`,
        );
    } else await this.close(old.handle);
    this.adopt(next);
    await this.drain(next);
  }

  private async isLink(): Promise<boolean> {
    return (await lstat(this.options.path).catch(() => undefined))?.isSymbolicLink() ?? false;
  }

  /** Read on for late lines, instead of those that were before. */
  private async retire(handle: FileHandle | undefined, stream: LogStream): Promise<void> {
    this.retired.push({ handle, stream, until: this.options.clock.mono() + RETIRED_US });
    while (this.retired.length > RETIRED_MAX) {
      const [oldest] = this.retired;
      if (!oldest) return;
      await this.drainLate(oldest);
      this.retired.shift();
      await this.close(oldest.handle);
    }
  }

  /** Late writes to rotated files. */
  private async drainRetired(): Promise<void> {
    const now = this.options.clock.mono();
    for (const late of this.retired) {
      await this.drainLate(late);
      // Nobody writes to the live file yet: its writer may not have heard of the rotation.
      if (this.live && !this.live.stream) late.until = now + RETIRED_US;
      if (now < late.until) continue;
      this.retired = this.retired.filter((other) => other !== late);
      await this.close(late.handle);
    }
  }

  private async drainLate({ handle, stream }: Retired): Promise<void> {
    if (handle) await this.readOn(handle, stream);
    await this.flush(stream);
  }

  private async followCopy(live: LiveFile): Promise<void> {
    const { stream, beganUs, readUs } = live;
    const now = this.options.clock.epoch();
    Object.assign(live, { stream: undefined, from: undefined, beganUs: now, readUs: now });
    if (stream) {
      const [copy] = (await this.rotated.since(stream.fingerprint)) ?? [];
      if (copy) await this.catchUp(stream.place(), live);
      else
        await this.gap(
          "the file was truncated and no copy of it is to be found; lines written since the last look, if any, are lost",
          { from: this.newestTs, to: now },
        );
      // Of the newest copy more is known when it is the one that was being read.
      if (copy && this.seam?.copiedUs === copy.mtimeMs * 1000)
        this.seam = { ...this.seam, beganUs, readBytes: stream.next(), readUs, foundUs: now };
    }
    await this.drain(live);
  }

  private seamAt(copy: Sibling, beganUs: number): Seam {
    return {
      size: copy.size,
      copiedUs: copy.mtimeMs * 1000,
      beganUs,
      readBytes: 0,
      readUs: 0,
      foundUs: this.options.clock.epoch(),
      newestTs: this.newestTs,
    };
  }

  /** Before the first lines that come after it. */
  private async tellSeam(): Promise<void> {
    const { seam, held } = this;
    const [next] = held;
    if (!seam || !next) return;
    this.seam = undefined;
    const bytes = destroyedAt(seam, next.ts);
    if (bytes > 0)
      await this.gap(
        `the file was copied and truncated while it was written to: what was written after the copy was made is on no disk, about ${bytes} bytes at its average rate, more in a burst`,
        {
          from: Math.min(seam.newestTs ?? next.ts, next.ts),
          to: Math.max(seam.newestTs ?? next.ts, next.ts),
          ts: next.ts,
        },
      );
  }

  /** @param where  between which lines, where that is known */
  private async gap(
    reason: string,
    { from, to, ts = this.options.clock.epoch() }: { from?: number | undefined; to?: number; ts?: number } = {},
  ): Promise<void> {
    this.context?.log("warn", `${this.options.path}: ${reason}`);
    const seen: Observation = {
      source: "collector",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["log gap", this.options.path, ts],
      body: {
        kind: "collector.gap",
        sourceName: this.name,
        reason: `${this.options.path}: ${reason}`.slice(0, 1024),
        ...(to === undefined || from === undefined || from > to ? {} : { from, to }),
      },
    };
    await this.context?.emit([seen]);
  }

  private async close(handle: FileHandle | undefined): Promise<void> {
    await handle?.close().catch(() => undefined);
  }
}

/** Also when it was rotated and compressed since it was opened: then it is read by its handle, and not once more under its new name. */
async function isSameFile({ inode, fingerprint }: Sibling, live: LiveFile): Promise<boolean> {
  if (inode === live.inode) return true;
  return fingerprint !== undefined && fingerprint === (await fingerprintOfHandle(live.handle));
}

/** The end of the last whole line, with the line's true number. */
async function endOf(handle: FileHandle): Promise<Place | undefined> {
  const fingerprint = await fingerprintOfHandle(handle);
  if (fingerprint === undefined) return undefined;
  const { size } = await handle.stat();
  const buffer = Buffer.alloc(READ_BYTES);
  let [offset, lineNumber] = [0, 1];
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) break;
    for (let i = buffer.indexOf(0x0a); i >= 0 && i < bytesRead; i = buffer.indexOf(0x0a, i + 1)) {
      lineNumber += 1;
      offset = at + i + 1;
    }
    at += bytesRead;
  }
  return { fingerprint, offset, lineNumber };
}

function parseProgress(value: string): Progress | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    if (!isPlace(parsed)) return undefined;
    const { retired } = parsed as { retired?: unknown };
    return Array.isArray(retired) ? { ...parsed, retired: retired.filter(isPlace) } : parsed;
  } catch {
    return undefined;
  }
}

function isPlace(value: unknown): value is Place {
  if (typeof value !== "object" || value === null) return false;
  const { fingerprint, offset, lineNumber } = value as Partial<Place>;
  return typeof fingerprint === "string" && typeof offset === "number" && typeof lineNumber === "number";
}
