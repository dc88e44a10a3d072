import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip as gzipCallback } from "node:zlib";
import { BATCH_EVENTS_MAX } from "../events/batch.ts";
import { bodyOf, partsOf } from "./body.ts";
import { replaceFile, syncDir } from "./files.ts";
import type { SpoolRecord } from "./record.ts";

const gzip = promisify(gzipCallback);

/** Raw adverts are kept apart: they are given up first. */
export const SERIES = ["events", "adverts"] as const;
export type Series = (typeof SERIES)[number];

/** Some batches in one, as the body of a request. */
export interface SentFile {
  readonly path: string;
  readonly series: Series;
  /** The spool's numbers of the first and the last batch in it. */
  readonly first: number;
  readonly last: number;
  readonly events: number;
  readonly bytes: number;
  /** When it was written, epoch milliseconds. */
  readonly atMs: number;
}

/** A file is closed at this size, before compression, bytes. */
const FILE_BYTES = 2 * 1024 * 1024;
const HOUR_MS = 3_600_000;
const NAME = /^(\d{12,})-(\d{12,})-(events|adverts)-(\d+)-(\d+)\.json\.gz$/;

/**
 * What the server has acknowledged, kept for a while, since a server can be restored from a backup of before that. Batches are put
 * together and compressed: a file is the body of one request.
 */
export class SentBatches {
  private readonly dir: string;
  private readonly hoursMax: number;
  private readonly now: () => number;
  /** Of each series, oldest first. */
  private readonly files: Record<Series, SentFile[]> = { events: [], adverts: [] };
  /** Of each series: the newest batch that was kept, and the newest that is not any more. */
  private readonly newest: Record<Series, number> = { events: 0, adverts: 0 };
  private readonly gone: Record<Series, number> = { events: 0, adverts: 0 };

  private constructor(dir: string, hoursMax: number, now: () => number) {
    this.dir = dir;
    this.hoursMax = hoursMax;
    this.now = now;
  }

  /**
   * @param hoursMax  how long they are kept; 0: not at all
   * @param now       epoch milliseconds
   */
  static async open(dir: string, hoursMax: number, now: () => number): Promise<SentBatches> {
    const sent = new SentBatches(dir, hoursMax, now);
    const names = await readdir(dir).catch((): string[] => []);
    for (const name of names.sort()) {
      const path = join(dir, name);
      const [, first, last, series, events, atMs] = NAME.exec(name) ?? [];
      if (series !== "events" && series !== "adverts") {
        await rm(path, { force: true });
        continue;
      }
      const { size } = await stat(path);
      sent.note({
        path,
        series,
        first: Number(first),
        last: Number(last),
        events: Number(events),
        bytes: size,
        atMs: Number(atMs),
      });
    }
    await sent.forget();
    return sent;
  }

  bytes(): number {
    return SERIES.reduce((sum, series) => sum + this.files[series].reduce((all, { bytes }) => all + bytes, 0), 0);
  }

  /** Up to which batch of each series nothing is kept, although there were some. */
  goneUpTo(): Readonly<Record<Series, number>> {
    return { ...this.gone };
  }

  /** @param upTo  as `goneUpTo` had it before a restart */
  restoreGone(upTo: Readonly<Record<Series, number>>): void {
    for (const series of SERIES) {
      this.gone[series] = Math.max(this.gone[series], upTo[series]);
      this.newest[series] = Math.max(this.newest[series], this.gone[series]);
    }
  }

  /** The oldest file of a series that begins after this batch. */
  after(series: Series, sequence: number): SentFile | undefined {
    return this.files[series].find(({ first }) => first > sequence);
  }

  /** Acknowledged batches in the order of their numbers; those that are kept already are passed over. */
  async keep(records: readonly SpoolRecord[]): Promise<void> {
    await this.forget();
    for (const series of SERIES) {
      const own = records.filter(
        ({ adverts, sequence }) => adverts === (series === "adverts") && sequence > this.newest[series],
      );
      const last = own.at(-1);
      if (!last) continue;
      if (this.hoursMax === 0) this.gone[series] = last.sequence;
      else for (const part of inParts(own)) await this.write(series, part);
      this.newest[series] = last.sequence;
    }
  }

  /** Gives up the oldest raw adverts, and when there are none left the oldest events, until no more than this is left. */
  async shrink(bytesMax: number): Promise<void> {
    for (const series of ["adverts", "events"] as const)
      while (this.files[series].length > 0 && this.bytes() > bytesMax) await this.dropOldest(series);
  }

  read(file: SentFile): Promise<Buffer> {
    return readFile(file.path);
  }

  private async write(series: Series, records: readonly SpoolRecord[]): Promise<void> {
    const [first, last] = [records[0], records.at(-1)];
    const body = mergedBody(records);
    if (!first || !last || !body) return;
    const events = records.reduce((sum, record) => sum + record.events, 0);
    const atMs = Math.round(this.now());
    const name = [padded(first.sequence), padded(last.sequence), series, events, atMs].join("-");
    const path = join(this.dir, `${name}.json.gz`);
    const zipped = await gzip(body, { level: 1 });
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
    await replaceFile(path, zipped);
    await syncDir(this.dir);
    this.note({
      path,
      series,
      first: first.sequence,
      last: last.sequence,
      events,
      bytes: zipped.length,
      atMs,
    });
  }

  private note(file: SentFile): void {
    this.files[file.series].push(file);
    this.newest[file.series] = Math.max(this.newest[file.series], file.last);
  }

  /** What is too old. A clock that was set back keeps it for longer. */
  private async forget(): Promise<void> {
    const before = this.now() - this.hoursMax * HOUR_MS;
    for (const series of SERIES) while ((this.files[series][0]?.atMs ?? before) < before) await this.dropOldest(series);
  }

  private async dropOldest(series: Series): Promise<void> {
    const [oldest] = this.files[series];
    if (!oldest) return;
    await rm(oldest.path, { force: true });
    this.files[series].shift();
    this.gone[series] = Math.max(this.gone[series], oldest.last);
  }
}

const padded = (sequence: number): string => String(sequence).padStart(12, "0");

/** Neighbours that one request can hold: of one sender, and not too many. */
function inParts(records: readonly SpoolRecord[]): SpoolRecord[][] {
  const parts: SpoolRecord[][] = [];
  let [events, bytes, envelope] = [0, 0, ""];
  for (const record of records) {
    const own = partsOf(record.body)?.envelope ?? "";
    const part = parts.at(-1);
    events += record.events;
    bytes += record.body.length;
    if (part && own !== "" && own === envelope && events <= BATCH_EVENTS_MAX && bytes <= FILE_BYTES) part.push(record);
    else {
      parts.push([record]);
      [events, bytes, envelope] = [record.events, record.body.length, own];
    }
  }
  return parts;
}

function mergedBody(records: readonly SpoolRecord[]): Buffer | undefined {
  const [first, ...others] = records;
  if (!first || others.length === 0) return first?.body;
  const pieces: Buffer[] = [];
  for (const { body } of records)
    pieces.push(Buffer.from(pieces.length === 0 ? "[" : ","), partsOf(body)?.events ?? body);
  return bodyOf(partsOf(first.body)?.envelope ?? "", Buffer.concat([...pieces, Buffer.from("]")]));
}
