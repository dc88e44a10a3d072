import type { Observation } from "../events/observation.ts";
import type { LinePlace, LogCounts } from "../logs/reader.ts";

/** Longest line kept whole, bytes: of a longer one the rest is passed over. */
export const LINE_BYTES_MAX = 1024 * 1024;

export interface LineReader {
  read(line: Uint8Array, place: LinePlace, referenceEpochUs: number): Observation | undefined;
  counts(): LogCounts;
}

/** How far a stream was read: which one, by its first line, and where in it. */
export interface Place {
  readonly fingerprint: string;
  readonly offset: number;
  readonly lineNumber: number;
}

/** The lines of one log under whatever name: the bytes that arrived and are not a line yet, and how far it has come. */
export class LogStream {
  readonly fingerprint: string;
  /** Event time of the first line that says something, epoch microseconds. */
  firstTs: number | undefined;
  private readonly reader: LineReader;
  /** Byte at which the next line begins. */
  private offset: number;
  /** Of the next line, from 1. */
  private lineNumber: number;
  /** Bytes of the next line that have arrived. */
  private partial: Buffer = Buffer.alloc(0);
  /** Bytes of a line that is too long, passed over so far. */
  private passedOver = 0;

  constructor(reader: LineReader, from: Place) {
    this.reader = reader;
    this.fingerprint = from.fingerprint;
    this.offset = from.offset;
    this.lineNumber = from.lineNumber;
  }

  place(): Place {
    return { fingerprint: this.fingerprint, offset: this.offset, lineNumber: this.lineNumber };
  }

  /** Where the next byte is to be read. */
  next(): number {
    return this.offset + this.partial.length + this.passedOver;
  }

  /** Cuts what has arrived into lines. A last line without its newline waits for it. */
  take(chunk: Buffer, referenceEpochUs: number): Observation[] {
    const data = this.partial.length > 0 ? Buffer.concat([this.partial, chunk]) : chunk;
    const observations: Observation[] = [];
    let from = 0;
    for (let newline = data.indexOf(0x0a); newline >= 0; newline = data.indexOf(0x0a, from)) {
      const seen = this.reader.read(
        data.subarray(from, Math.min(newline, from + LINE_BYTES_MAX)),
        { offset: this.offset, lineNumber: this.lineNumber },
        referenceEpochUs,
      );
      this.offset += newline + 1 - from + this.passedOver;
      this.passedOver = 0;
      this.lineNumber += 1;
      from = newline + 1;
      if (seen) observations.push(seen);
    }
    this.keepRest(data.subarray(from));
    this.firstTs ??= observations[0]?.ts;
    return observations;
  }

  private keepRest(rest: Buffer): void {
    // A copy: the buffer it came in is filled again.
    this.partial = Buffer.from(rest.subarray(0, LINE_BYTES_MAX));
    this.passedOver += Math.max(0, rest.length - LINE_BYTES_MAX);
  }
}
