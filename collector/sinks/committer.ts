import { createHash } from "node:crypto";
import { BATCH_EVENTS_MAX } from "../events/batch.ts";
import type { Event } from "../events/event.ts";
import type { Identity } from "../events/observation.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Position } from "../sources/source.ts";
import type { Append, Series } from "./spool.ts";

/** How long to wait before the disk is tried again, milliseconds. */
const DISK_RETRY_MS = 1_000;

interface Waiting {
  readonly events: readonly Event[];
  readonly position: Position | undefined;
  readonly resolve: () => void;
}

export interface CommitterOptions {
  readonly identity: Identity;
  readonly append: (batches: readonly Append[]) => Promise<void>;
  readonly log: Log;
  readonly wait: (ms: number) => Promise<void>;
}

/**
 * Gathers what the sources hand over into batches, and makes them durable with as few turns at the disk as it can: while
 * one turn is under way, all that arrives waits for the next. What waits is bounded by the sources themselves, each of
 * which awaits its own `commit` before it reads on.
 */
export class Committer {
  private readonly options: CommitterOptions;
  private queue: Waiting[] = [];
  private running: Promise<void> | undefined;

  constructor(options: CommitterOptions) {
    this.options = options;
  }

  /** Resolves when the events are durable. Events are committed in the order of the calls. */
  commit(events: readonly Event[], position?: Position): Promise<void> {
    return new Promise((resolve) => {
      this.queue.push({ events, position, resolve });
      this.running ??= this.run();
    });
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.running) await this.running;
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) {
      const turn = this.queue;
      this.queue = [];
      await this.append(this.batchesOf(turn));
      for (const { resolve } of turn) resolve();
    }
    this.running = undefined;
  }

  /** A full or failing disk stops the reading, not the collector: what was read is kept and tried again. */
  private async append(batches: readonly Append[]): Promise<void> {
    for (let told = false; ; ) {
      try {
        await this.options.append(batches);
        if (told) this.options.log("info", "the spool can be written again");
        return;
      } catch (error) {
        if (!told)
          this.options.log("error", "the spool cannot be written; reading waits until it can", {
            why: messageOf(error),
          });
        told = true;
        await this.options.wait(DISK_RETRY_MS);
      }
    }
  }

  private batchesOf(turn: readonly Waiting[]): Append[] {
    const batches: Append[] = [];
    for (const series of ["adverts", "events"] as const) {
      const events = turn.flatMap((waiting) => waiting.events.filter((event) => seriesOf(event) === series));
      for (let from = 0; from < events.length; from += BATCH_EVENTS_MAX)
        batches.push(this.batch(series, events.slice(from, from + BATCH_EVENTS_MAX)));
    }
    const positions: Record<string, string> = {};
    for (const { position } of turn) if (position) positions[position.key] = position.value;
    if (Object.keys(positions).length === 0) return batches;
    // The positions go with the last record: after a crash in between, lines are read again and get the same ids.
    const last = batches.pop() ?? this.batch("events", []);
    return [...batches, { ...last, positions }];
  }

  private batch(series: Series, events: readonly Event[]): Append {
    const listed = JSON.stringify(events);
    const batchId = createHash("sha256").update(listed).digest("hex").slice(0, 32);
    const { cluster, node } = this.options.identity;
    const envelope = JSON.stringify({ version: 1, batchId, cluster, node });
    return {
      series,
      events: events.length,
      positions: {},
      body: Buffer.from(`${envelope.slice(0, -1)},"events":${listed}}`),
    };
  }
}

const seriesOf = (event: Event): Series => (event.kind === "wire.advert" ? "adverts" : "events");
