import { BATCH_EVENTS_MAX, type CollectorId } from "../events/batch.ts";
import type { EventKind } from "../events/event.ts";
import type { EventJson, Identity } from "../events/observation.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { EpochUs } from "../core/time.ts";
import type { Position } from "../sources/source.ts";
import { bodyOf } from "./body.ts";
import type { Series } from "./sent.ts";
import type { Append } from "./spool.ts";

/** How long to wait before the disk is tried again, milliseconds. */
const DISK_RETRY_MS = 1_000;
/** How long a first event waits for others to share its turn at the disk and its request, milliseconds. */
const GATHER_MS = 5;
/** The same while events keep coming: each turn is a sync of the disk, and a request. */
const GATHER_BUSY_MS = 50;
/** Events that go without waiting for others, and about as many as one turn takes. */
const TURN_EVENTS = 2_000;
/** A batch is closed at this size, bytes: far below what the server refuses, and quick to send again. */
const BATCH_BYTES = 2 * 1024 * 1024;

interface Waiting {
  readonly events: readonly EventJson[];
  readonly position: Position | undefined;
  readonly resolve: () => void;
}

export interface CommitterOptions {
  readonly identity: Identity & { readonly collector: CollectorId };
  readonly append: (batches: readonly Append[]) => Promise<void>;
  /** Hears that the spool can be written again, and since when it could not. */
  readonly onRecovery?: (outage: { readonly why: string; readonly fromUs: EpochUs }) => void;
  readonly now?: () => EpochUs;
  readonly log: Log;
  /** Waits; resolves early when `signal` aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Gathers what the sources hand over into batches, and makes them durable with few turns at the disk: what arrives within
 * a few milliseconds, or while a turn is under way, shares the next one. What waits is bounded by the sources themselves,
 * each of which awaits its own `commit` before it reads on.
 */
export class Committer {
  private readonly options: CommitterOptions;
  private queue: Waiting[] = [];
  private queued = 0;
  private running: Promise<void> | undefined;
  /** Ends the gathering of the turn to come. */
  private gathering = new AbortController();
  private draining = false;
  private busy: AbortController | undefined;
  private readonly ended = new AbortController();

  constructor(options: CommitterOptions) {
    this.options = options;
  }

  /** Resolves when the events are durable, which after `end` may be never. Events are committed in the order of the calls. */
  commit(events: readonly EventJson[], position?: Position): Promise<void> {
    return new Promise((resolve) => {
      this.queue.push({ events, position, resolve });
      this.queued += events.length;
      if (this.queued >= TURN_EVENTS) this.gathering.abort();
      this.running ??= this.run();
    });
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    this.draining = true;
    this.gathering.abort();
    while (this.running) await this.running;
    this.draining = false;
  }

  /** Gives up what the disk does not take; it was not promised to anyone, and is read again at the next start. */
  end(): void {
    this.ended.abort();
    this.gathering.abort();
    this.busy?.abort();
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0 && !this.ended.signal.aborted) {
      if (this.queued < TURN_EVENTS && !this.draining)
        await this.options.wait(this.busy ? GATHER_BUSY_MS : GATHER_MS, this.gathering.signal).catch(() => undefined);
      this.beBusy();
      this.gathering = new AbortController();
      const turn = this.takeTurn();
      if (!(await this.append(batchesOf(turn, this.options.identity)))) break;
      for (const { resolve } of turn) resolve();
    }
    this.running = undefined;
  }

  /** Until nothing has come for a while. */
  private beBusy(): void {
    this.busy?.abort();
    const busy = new AbortController();
    this.busy = busy;
    void this.options.wait(2 * GATHER_BUSY_MS, busy.signal).then(() => {
      if (this.busy === busy) this.busy = undefined;
    });
  }

  private takeTurn(): Waiting[] {
    let events = 0;
    let count = 0;
    for (const waiting of this.queue) {
      if (count > 0 && events + waiting.events.length > TURN_EVENTS) break;
      events += waiting.events.length;
      count += 1;
    }
    this.queued -= events;
    return this.queue.splice(0, count);
  }

  /** A full or failing disk stops the reading, not the collector: what was read is kept and tried again. */
  private async append(batches: readonly Append[]): Promise<boolean> {
    const { log, now, onRecovery } = this.options;
    let outage: { readonly why: string; readonly fromUs: EpochUs | undefined } | undefined;
    while (!this.ended.signal.aborted) {
      try {
        await this.options.append(batches);
        if (!outage) return true;
        log("info", "the spool can be written again");
        if (outage.fromUs !== undefined) onRecovery?.({ why: outage.why, fromUs: outage.fromUs });
        return true;
      } catch (error) {
        const why = messageOf(error);
        if (!outage) log("error", "the spool cannot be written; reading waits until it can", { why });
        outage ??= { why, fromUs: now?.() };
        await this.options.wait(DISK_RETRY_MS, this.ended.signal).catch(() => undefined);
      }
    }
    return false;
  }
}

/** One commit: raw adverts apart from all else, and the positions with the last batch. */
function batchesOf(turn: readonly Waiting[], identity: CommitterOptions["identity"]): Append[] {
  const batches: Append[] = [];
  const texts: Record<Series, string[]> = { adverts: [], events: [] };
  for (const { events } of turn) for (const { kind, json } of events) texts[seriesOf(kind)].push(json);
  for (const series of ["adverts", "events"] as const)
    for (const part of inParts(texts[series])) batches.push(batchOf(series, part, identity));
  const positions: Record<string, string> = {};
  for (const { position } of turn) if (position) positions[position.key] = position.value;
  if (Object.keys(positions).length === 0) return batches;
  const last = batches.pop() ?? { series: "events", body: Buffer.alloc(0), events: 0, positions: {} };
  return [...batches, { ...last, positions }];
}

/** Bytes of a character in UTF-8, at most. */
const CHAR_BYTES_MAX = 3;

/** Splits where a batch would hold too many events or bytes. */
function inParts(events: readonly string[]): string[][] {
  // Mostly all fit, however their characters are written: they are not counted one by one then.
  const charsMax = events.reduce((sum, { length }) => sum + length + 1, 0);
  if (events.length <= BATCH_EVENTS_MAX && charsMax * CHAR_BYTES_MAX <= BATCH_BYTES)
    return events.length === 0 ? [] : [[...events]];
  const parts: string[][] = [];
  let bytes = 0;
  for (const json of events) {
    const part = parts.at(-1);
    const size = Buffer.byteLength(json) + 1;
    if (part && part.length < BATCH_EVENTS_MAX && bytes + size <= BATCH_BYTES) part.push(json);
    else {
      parts.push([json]);
      bytes = 0;
    }
    bytes += size;
  }
  return parts;
}

function batchOf(
  series: Series,
  events: readonly string[],
  { cluster, node, collector }: CommitterOptions["identity"],
): Append {
  return {
    series,
    events: events.length,
    positions: {},
    body: bodyOf(JSON.stringify({ version: 1, cluster, node, collector }), `[${events.join(",")}]`),
  };
}

const seriesOf = (kind: EventKind): Series => (kind === "wire.advert" ? "adverts" : "events");
