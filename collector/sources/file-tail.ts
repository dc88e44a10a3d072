import { type FileHandle, open, stat } from "node:fs/promises";
import { FINGERPRINT_BYTES } from "../core/fingerprint.ts";
import { messageOf } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import type { LinePlace, LogCounts } from "../logs/reader.ts";
import { bytesFrom, fingerprintOfFile, fingerprintOfHandle, type Sibling, siblingsOf } from "./rotated.ts";
import type { Source, SourceContext } from "./source.ts";
import { wakeOnChange } from "./wake.ts";

/** How often the file is looked at when nothing wakes us, milliseconds. */
export const POLL_MS = 250;
/** Longest line kept whole, bytes: of a longer one the rest is passed over and counted. */
export const LINE_BYTES_MAX = 1024 * 1024;
/** Most observations handed over at once. */
const EMIT_MAX = 1_000;
/** After a rename the writer may still have the old file open: it is read for this long, microseconds. */
const RETIRED_US = 1_500_000;
/** A position that only moved past other programs' lines is written down no more often than this, microseconds: to read them again costs nothing. */
const QUIET_POSITION_US = 10_000_000;
const READ_BYTES = 256 * 1024;
/** How often the folder is listed until two listings agree: logrotate may be at work. */
const LISTINGS_MAX = 10;

export interface LineReader {
  read(line: Uint8Array, place: LinePlace, referenceEpochUs: number): Observation | undefined;
  counts(): LogCounts;
}

export interface FileTailOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly createReader: (path: string, fingerprint: string) => LineReader;
  /** Where to begin when the file was never read before. Default: its end. */
  readonly from?: "start" | "end";
  /** Whether to watch and poll by itself. A test drives `poll` instead. */
  readonly selfDriven?: boolean;
}

/** How far a stream was read: which one, by its first line, and where in it. */
interface Place {
  readonly fingerprint: string;
  readonly offset: number;
  readonly lineNumber: number;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
  /** undefined while the first line is not complete. */
  fingerprint: string | undefined;
  reader: LineReader | undefined;
  /** Byte at which the next line begins. */
  offset: number;
  /** Of the next line, from 1. */
  lineNumber: number;
  /** Bytes of the next line that have arrived. */
  partial: Buffer;
  /** Bytes of a line that is too long, passed over so far. */
  passedOver: number;
}

/**
 * Follows a log through its rotations and loses nothing that was still on disk: rename and create, copytruncate, several
 * rotations between two looks, compressed ones while we were away. See README.md beside this file for what it cannot do.
 */
export class FileTail implements Source {
  readonly name = "log";
  private readonly options: FileTailOptions;
  private context: SourceContext | undefined;
  private live: OpenFile | undefined;
  private retired: { file: OpenFile; until: number } | undefined;
  private place: Place | undefined;
  private located = false;
  private committed = "";
  private committedAt = 0;
  private readonly lines = { read: 0, unrecognised: 0, tooLong: 0 };
  private reason: string | undefined = "it has not been looked at yet";
  private turn: Promise<void> = Promise.resolve();
  private wanted = false;
  private stopped = false;
  private stopWaking: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: FileTailOptions) {
    this.options = options;
  }

  async start(context: SourceContext): Promise<void> {
    this.context = context;
    const saved = context.position(this.key());
    this.place = saved === undefined ? undefined : parsePlace(saved);
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
    if (this.live) await this.commit([], true);
    await this.close(this.live);
    await this.close(this.retired?.file);
    this.live = undefined;
    this.retired = undefined;
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
    if (await this.wasRewritten(live)) {
      await this.followCopy(live);
      return;
    }
    await this.drain(live);
    if (await this.wasRenamed(live)) await this.followRename(live);
    await this.commit([], false);
  }

  // --- finding the place ---------------------------------------------------------------------------------------------

  private async openLive(): Promise<boolean> {
    const file = await this.open();
    if (!file) return false;
    if (!this.located) {
      this.located = true;
      if (this.place) await this.resume(file, this.place);
      else if (this.options.from !== "start") await this.skipToEnd(file);
    }
    this.adopt(file);
    return true;
  }

  private adopt(file: OpenFile): void {
    this.live = file;
    this.reason = undefined;
    this.stopWaking?.();
    this.stopWaking =
      this.options.selfDriven === false ? undefined : wakeOnChange(this.options.path, () => this.look());
  }

  private async open(): Promise<OpenFile | undefined> {
    const { path } = this.options;
    try {
      const handle = await open(path, "r");
      const stats = await handle.stat();
      if (!stats.isFile()) {
        await handle.close();
        this.reason = `${path} is not a regular file`;
        return undefined;
      }
      return {
        handle,
        inode: stats.ino,
        fingerprint: undefined,
        reader: undefined,
        offset: 0,
        lineNumber: 1,
        partial: Buffer.alloc(0),
        passedOver: 0,
      };
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
  private async resume(file: OpenFile, place: Place): Promise<void> {
    const { size } = await file.handle.stat();
    if ((await fingerprintOfHandle(file.handle)) === place.fingerprint && size >= place.offset) {
      file.offset = place.offset;
      file.lineNumber = place.lineNumber;
      return;
    }
    const missed = await this.siblingsSince(place.fingerprint);
    if (!missed) {
      await this.gap(
        `the file that was being read is no longer there under any name; ${this.options.path} is read from its start`,
      );
      return;
    }
    for (const [i, sibling] of missed.entries()) await this.readSibling(sibling, i === 0 ? place : undefined);
  }

  private async skipToEnd(file: OpenFile): Promise<void> {
    const { size } = await file.handle.stat();
    const buffer = Buffer.alloc(READ_BYTES);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.handle.read(buffer, 0, Math.min(buffer.length, size - at), at);
      if (bytesRead === 0) break;
      for (let i = buffer.indexOf(0x0a); i >= 0 && i < bytesRead; i = buffer.indexOf(0x0a, i + 1)) {
        file.lineNumber += 1;
        file.offset = at + i + 1;
      }
      at += bytesRead;
    }
  }

  /** The rotated file with this fingerprint and all that came after it, oldest first. Undefined when it is not to be found. */
  private async siblingsSince(fingerprint: string): Promise<Sibling[] | undefined> {
    let before = "";
    for (let listing = 0; listing < LISTINGS_MAX; listing++) {
      const siblings = await siblingsOf(this.options.path);
      const prints = await Promise.all(siblings.map(fingerprintOfFile));
      const now = JSON.stringify(siblings.map(({ path, size }, i) => [path, size, prints[i]]));
      const first = prints.lastIndexOf(fingerprint);
      if (now === before) return first < 0 ? undefined : withoutCopies(siblings.slice(first), prints.slice(first));
      before = now;
    }
    return undefined;
  }

  private async readSibling(sibling: Sibling, from: Place | undefined): Promise<void> {
    const fingerprint = await fingerprintOfFile(sibling);
    if (fingerprint === undefined) return;
    const file: Omit<OpenFile, "handle"> = {
      inode: sibling.inode,
      fingerprint,
      reader: this.options.createReader(this.options.path, fingerprint),
      offset: from?.offset ?? 0,
      lineNumber: from?.lineNumber ?? 1,
      partial: Buffer.alloc(0),
      passedOver: 0,
    };
    try {
      for await (const chunk of bytesFrom(sibling, file.offset)) await this.take(file, chunk);
    } catch (error) {
      await this.gap(`${sibling.path} could not be read to its end: ${messageOf(error)}`);
    }
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  private async drain(file: OpenFile): Promise<void> {
    if (file.fingerprint === undefined) {
      file.fingerprint = await fingerprintOfHandle(file.handle);
      if (file.fingerprint === undefined) return;
      await this.readUnseen(file, file.fingerprint);
    }
    file.reader ??= this.options.createReader(this.options.path, file.fingerprint);
    const buffer = Buffer.alloc(READ_BYTES);
    for (;;) {
      const at = file.offset + file.partial.length + file.passedOver;
      const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      // A copy: observations are handed over while the buffer is filled again.
      await this.take(file, Buffer.from(buffer.subarray(0, bytesRead)));
    }
  }

  /** A file that was empty when last looked at may have been written, copied and truncated since: its copy comes first. */
  private async readUnseen(file: OpenFile, fingerprint: string): Promise<void> {
    if (!this.place || this.place.fingerprint === fingerprint) return;
    const since = await this.siblingsSince(this.place.fingerprint);
    for (const sibling of (since ?? []).slice(1)) {
      if (sibling.inode !== file.inode && (await fingerprintOfFile(sibling)) !== fingerprint)
        await this.readSibling(sibling, undefined);
    }
  }

  /** Cuts what has arrived into lines, and hands over what they say. A last line without its newline waits for it. */
  private async take(file: Omit<OpenFile, "handle">, chunk: Buffer): Promise<void> {
    const data = file.partial.length > 0 ? Buffer.concat([file.partial, chunk]) : chunk;
    const reference = this.options.clock.epoch();
    let observations: Observation[] = [];
    let from = 0;
    for (let newline = data.indexOf(0x0a); newline >= 0; newline = data.indexOf(0x0a, from)) {
      const seen = file.reader?.read(
        data.subarray(from, Math.min(newline, from + LINE_BYTES_MAX)),
        { offset: file.offset, lineNumber: file.lineNumber },
        reference,
      );
      file.offset += newline + 1 - from + file.passedOver;
      file.passedOver = 0;
      file.lineNumber += 1;
      from = newline + 1;
      if (seen) observations.push(seen);
      if (observations.length >= EMIT_MAX) {
        this.reached(file);
        await this.commit(observations, true);
        observations = [];
      }
    }
    file.partial = Buffer.from(data.subarray(from));
    if (file.partial.length > LINE_BYTES_MAX) {
      if (file.passedOver === 0) this.lines.tooLong += 1;
      file.passedOver += file.partial.length - LINE_BYTES_MAX;
      file.partial = file.partial.subarray(0, LINE_BYTES_MAX);
    }
    this.reached(file);
    if (observations.length > 0) await this.commit(observations, true);
  }

  private reached({ fingerprint, offset, lineNumber }: Omit<OpenFile, "handle">): void {
    if (fingerprint !== undefined) this.place = { fingerprint, offset, lineNumber };
  }

  private async commit(observations: readonly Observation[], now: boolean): Promise<void> {
    if (!this.context || !this.place) return;
    const value = JSON.stringify(this.place);
    const at = this.options.clock.mono();
    if (observations.length === 0 && (value === this.committed || (!now && at - this.committedAt < QUIET_POSITION_US)))
      return;
    this.lines.read += observations.length;
    this.lines.unrecognised += observations.filter(({ body }) => body.kind === "log.unrecognised").length;
    await this.context.emit(observations, { key: this.key(), value });
    this.committed = value;
    this.committedAt = at;
  }

  // --- rotation ------------------------------------------------------------------------------------------------------

  private async wasRenamed(live: OpenFile): Promise<boolean> {
    const stats = await stat(this.options.path).catch(() => undefined);
    return stats === undefined || stats.ino !== live.inode;
  }

  /** copytruncate, or a writer that began again: shorter than what was read, or another first line. */
  private async wasRewritten(live: OpenFile): Promise<boolean> {
    const { size } = await live.handle.stat();
    if (size < live.offset + live.partial.length + live.passedOver) return true;
    if (live.fingerprint === undefined || live.offset === 0 || size < Math.min(live.offset, FINGERPRINT_BYTES))
      return false;
    return (await fingerprintOfHandle(live.handle)) !== live.fingerprint;
  }

  private async followRename(old: OpenFile): Promise<void> {
    const next = await this.open();
    if (!next) {
      // Between rename and create: the old file is read on until there is a new one.
      this.reason = undefined;
      return;
    }
    // What was written between the last read and the rename.
    await this.drain(old);
    const missed = old.fingerprint === undefined ? [] : await this.siblingsSince(old.fingerprint);
    if (missed === undefined)
      await this.gap("the rotated file is not to be found; files rotated in between, if any, were not read");
    await this.close(this.retired?.file);
    this.retired = { file: old, until: this.options.clock.mono() + RETIRED_US };
    for (const sibling of (missed ?? []).slice(1))
      if (sibling.inode !== next.inode) await this.readSibling(sibling, undefined);
    this.adopt(next);
    await this.drain(next);
  }

  /** Late writes to the renamed file. */
  private async drainRetired(): Promise<void> {
    const retired = this.retired;
    if (!retired) return;
    const place = this.place;
    await this.drain(retired.file);
    // The position belongs to the live file; lines of the retired one that come again get the same ids.
    this.place = place;
    if (this.options.clock.mono() < retired.until) return;
    this.retired = undefined;
    await this.close(retired.file);
  }

  private async followCopy(live: OpenFile): Promise<void> {
    const place: Place | undefined =
      live.fingerprint === undefined
        ? undefined
        : { fingerprint: live.fingerprint, offset: live.offset, lineNumber: live.lineNumber };
    const copies = place && (await this.siblingsSince(place.fingerprint));
    if (place && copies)
      for (const [i, sibling] of copies.entries()) await this.readSibling(sibling, i === 0 ? place : undefined);
    else
      await this.gap(
        "the file was truncated and no copy of it is to be found; lines written since the last look, if any, are lost",
      );
    Object.assign(live, {
      fingerprint: undefined,
      reader: undefined,
      offset: 0,
      lineNumber: 1,
      partial: Buffer.alloc(0),
      passedOver: 0,
    });
    await this.drain(live);
  }

  private async gap(reason: string): Promise<void> {
    const ts = this.options.clock.epoch();
    this.context?.log("warn", `${this.options.path}: ${reason}`);
    const seen: Observation = {
      source: "collector",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["log gap", this.options.path, ts],
      body: { kind: "collector.gap", sourceName: this.name, reason: `${this.options.path}: ${reason}`.slice(0, 1024) },
    };
    await this.context?.emit([seen]);
  }

  private async close(file: OpenFile | undefined): Promise<void> {
    await file?.handle.close().catch(() => undefined);
  }
}

/** delaycompress leaves `.1` beside its `.1.gz` for a moment: the same stream is read once. */
function withoutCopies(siblings: readonly Sibling[], prints: readonly (string | undefined)[]): Sibling[] {
  return siblings.filter((_, i) => prints.indexOf(prints[i]) === i);
}

function parsePlace(value: string): Place | undefined {
  try {
    const { fingerprint, offset, lineNumber } = JSON.parse(value) as Partial<Place>;
    return typeof fingerprint === "string" && typeof offset === "number" && typeof lineNumber === "number"
      ? { fingerprint, offset, lineNumber }
      : undefined;
  } catch {
    return undefined;
  }
}
