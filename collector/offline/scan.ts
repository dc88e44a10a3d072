import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { OperatorError } from "../core/errors.ts";
import { journalLine } from "../logs/journal.ts";
import { compile, type MachineParts } from "../logs/machine.ts";
import { Pieces } from "../logs/pieces.ts";
import { looksLikeConsole } from "../logs/syslog.ts";
import { LogTally, type Tally } from "../logs/tally.ts";
import { harmless, textOf } from "../logs/text.ts";
import { linesOf } from "./bytes.ts";
import { JOURNAL_ENTRY } from "./identify.ts";

/** How much of a log is in memory at a time, bytes. */
const CHUNK_BYTES = 256 * 1024;
/** How much of a file is one thread's at a time, bytes. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
const PROBE_BYTES = 4096;
const NEWLINE = 0x0a;

/** What is the same for all parts of a log. */
export interface ScanOptions {
  /** How the file is called; its name may say which process of keepalived writes it. */
  readonly path: string;
  readonly zone: string;
  /** The last line was written at or before this, epoch microseconds. */
  readonly reference: number;
}

/** The machine's parts, as they are built with keepwatch. */
export const machineParts = (): MachineParts => ({
  code: compile(readPart("machine.wasm")),
  tables: readPart("tables.bin"),
});

function readPart(name: string): Uint8Array<ArrayBuffer> {
  // A buffer of its own: what is cut from Node's pool need not begin at a multiple of four.
  return new Uint8Array(readFileSync(new URL(`../logs/${name}`, import.meta.url)));
}

/** Counts what keepalived says in a stream of bytes, of which no more than a chunk is in memory. */
export class LogScanner {
  private readonly log: LogTally;
  /** Bytes of an unfinished line, at the start of the chunk. */
  private have = 0;
  /** In the middle of a line longer than a chunk, whose beginning has been read: the rest says nothing more. */
  private passing = false;

  constructor(options: ScanOptions, parts: MachineParts) {
    this.log = new LogTally({ ...options, parts, capacity: CHUNK_BYTES });
  }

  /** Where the next bytes are put, before they are told by `filled`. Never empty. */
  room(): Uint8Array {
    const { bytes, start } = this.log.machine;
    return bytes.subarray(start + this.have, start + CHUNK_BYTES);
  }

  /** So many bytes have been put into `room()`. */
  async filled(count: number): Promise<void> {
    const { bytes, start } = this.log.machine;
    let end = start + this.have + count;
    if (this.passing) end = this.pass(end);
    const last = bytes.subarray(start, end).lastIndexOf(NEWLINE);
    if (last >= 0) await this.read(start + last + 1, end);
    else {
      this.have = end - start;
      if (this.have < CHUNK_BYTES) return;
      bytes[end - 1] = NEWLINE;
      await this.read(end, end);
      this.passing = true;
    }
  }

  async push(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const room = this.room();
      const part = chunk.subarray(at, at + room.length);
      room.set(part);
      await this.filled(part.length);
      at += part.length;
    }
  }

  /** A last line without a newline is a line. */
  async end(): Promise<Tally> {
    if (this.have > 0) {
      const { bytes, start } = this.log.machine;
      const end = start + this.have;
      bytes[end] = NEWLINE;
      await this.read(end + 1, end + 1);
    }
    return this.log.tally();
  }

  /** Takes the rest of a long line away. @returns where the bytes end now */
  private pass(end: number): number {
    const { bytes, start } = this.log.machine;
    const newline = bytes.subarray(start, end).indexOf(NEWLINE);
    if (newline < 0) return start;
    this.passing = false;
    bytes.copyWithin(start, start + newline + 1, end);
    return end - newline - 1;
  }

  /** Reads the lines up to `to` and keeps what is behind them. */
  private async read(to: number, end: number): Promise<void> {
    const { machine } = this.log;
    await this.log.read(to);
    machine.bytes.copyWithin(machine.start, to, end);
    this.have = end - to;
  }
}

/** How many lines are read as text at a time. */
const TEXT_LINES = 1_000;

/** Counts what keepalived says in lines that may have an envelope of a container's runtime or of the journal around them. */
export async function scanWrapped(
  chunks: AsyncIterable<Uint8Array>,
  options: ScanOptions,
  parts: MachineParts,
): Promise<Tally> {
  const log = new LogTally({ ...options, parts, capacity: CHUNK_BYTES });
  let abandoned = 0;
  const pieces = new Pieces(() => (abandoned += 1));
  let texts: string[] = [];
  for await (const { bytes } of linesOf(chunks)) {
    const line = textOf(bytes);
    const text = (JOURNAL_ENTRY.test(line) ? journalLine(line) : pieces.whole(line)) ?? "";
    texts.push(mayBeOurs(text) ? harmless(text) : "");
    if (texts.length < TEXT_LINES) continue;
    await log.readTexts(texts);
    texts = [];
  }
  await log.readTexts(texts);
  await log.addUnreadable(abandoned);
  return log.tally();
}

const mayBeOurs = (text: string): boolean => text.includes("eepalived") || looksLikeConsole(text);

/** Whose turn it is among threads that read one file together: the number of the next segment. */
export type Turns = Int32Array<SharedArrayBuffer>;
export const newTurns = (): Turns => new Int32Array(new SharedArrayBuffer(4));

/**
 * Reads the segments of a plain file that are nobody's yet, until there are none.
 * @throws OperatorError when the file cannot be read
 */
export async function scanSegments(options: ScanOptions, turns: Turns, parts: MachineParts): Promise<Tally> {
  const scanner = new LogScanner(options, parts);
  try {
    const file = openSync(options.path, "r");
    try {
      const { size } = statSync(options.path);
      for (let from = nextSegment(turns); from < size; from = nextSegment(turns))
        await readRange(file, scanner, lineStart(file, from), lineStart(file, from + SEGMENT_BYTES));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new OperatorError("INPUT_UNREADABLE", `${options.path} cannot be read`, { cause });
  }
  return await scanner.end();
}

const nextSegment = (turns: Turns): number => Atomics.add(turns, 0, 1) * SEGMENT_BYTES;

async function readRange(file: number, scanner: LogScanner, from: number, to: number): Promise<void> {
  for (let at = from; at < to; ) {
    const room = scanner.room();
    const count = readSync(file, room, 0, Math.min(room.length, to - at), at);
    if (count === 0) return;
    await scanner.filled(count);
    at += count;
  }
}

/** The first place at or behind `at` where a line begins; the end of the file when there is none. */
function lineStart(file: number, at: number): number {
  if (at === 0) return 0;
  const probe = new Uint8Array(PROBE_BYTES);
  for (let from = at - 1; ; from += PROBE_BYTES) {
    const count = readSync(file, probe, 0, PROBE_BYTES, from);
    const newline = probe.subarray(0, count).indexOf(NEWLINE);
    if (newline >= 0) return from + newline + 1;
    if (count < PROBE_BYTES) return from + count;
  }
}
