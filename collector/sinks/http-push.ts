import { gzip as gzipCallback } from "node:zlib";
import { promisify } from "node:util";
import { messageOf } from "../core/errors.ts";
import { AGAIN, type BatchReceipt } from "../events/batch.ts";
import type { Exchange } from "../core/clock-watch.ts";
import type { Log } from "../core/log.ts";
import type { Pending } from "./spool.ts";
import { type Answer, backOff, explain, isHopeless, pauseAfter, receiptOf, type Transport } from "./transport.ts";

const gzip = promisify(gzipCallback);

/** A body smaller than this goes out as it is, in bytes. */
const GZIP_FROM_BYTES = 1024;

/** What of the spool the push needs. */
export interface BatchQueue {
  /** The oldest batch after this sequence; waits for one. Undefined when there will be none, or `signal` aborts. */
  next(signal: AbortSignal, after: number): Promise<Pending | undefined>;
  acknowledge(sequence: number): Promise<void>;
  deadLetter(pending: Pending, reason: string): Promise<void>;
}

export interface PushOptions {
  readonly transport: Transport;
  readonly queue: BatchQueue;
  readonly log: Log;
  /** In [0, 1): spreads the retries of many collectors. */
  readonly random: () => number;
  /** Waits; resolves early when the push is stopped. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Hears which store has a batch, before that is acknowledged. */
  readonly servedBy?: (incarnation: string) => Promise<void>;
  /** Hears when each request went out and its answer came, with the server's times of both. */
  readonly exchanged?: (exchange: Exchange) => void;
}

export interface PushState {
  readonly sent: number;
  readonly deadLettered: number;
  /** Why the last attempt failed; undefined when it did not. */
  readonly trouble?: string;
}

/** Most batches that are on their way at once: over a line with a long way, or to a server that takes what is there together. */
const WINDOW_MAX = 4;
/** So many batches in a row that were taken open the window by one; one that was not closes it. */
const OPENED_BY = 4;

/**
 * Sends the spool's batches in order, each byte for byte the same however often, until the server has it. While all goes well a
 * few are on their way at once; they are acknowledged in order. After a failure only the oldest is tried.
 */
export class HttpPush {
  private readonly options: PushOptions;
  private readonly stopping = new AbortController();
  private done: Promise<void> = Promise.resolve();
  private sent = 0;
  private deadLettered = 0;
  private trouble: string | undefined;
  /** Batches of which the first attempt was made. */
  private begun = 0;
  /** Batches taken since the last failure. */
  private inARow = 0;
  /** Batches on their way, oldest first. Each tells at its end whether the server has it and the queue knows. */
  private flying: Promise<boolean>[] = [];

  constructor(options: PushOptions) {
    this.options = options;
  }

  start(): void {
    this.done = this.run();
  }

  /** Ends after the attempt under way; what was not acknowledged stays in the spool. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.done;
  }

  state(): PushState {
    return {
      sent: this.sent,
      deadLettered: this.deadLettered,
      ...(this.trouble === undefined ? {} : { trouble: this.trouble }),
    };
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let [after, failures] = [0, 0]; !signal.aborted; ) {
      try {
        while (this.flying.length >= this.window()) await this.flying[0];
        const pending = await this.options.queue.next(signal, after);
        if (!pending) break;
        after = pending.sequence;
        failures = 0;
        const flight = this.deliver(pending, this.flying.at(-1) ?? Promise.resolve(true));
        this.flying.push(flight);
        void flight.then(() => (this.flying = this.flying.filter((other) => other !== flight)));
      } catch (error) {
        failures = await this.spoolFailed(error, failures);
      }
    }
    await Promise.all(this.flying);
  }

  private window(): number {
    return Math.min(WINDOW_MAX, 1 + Math.floor(this.inARow / OPENED_BY));
  }

  /** The spool's disk, not the server: the batch is still there, and it is tried again as after any other failure. */
  private async spoolFailed(error: unknown, failures: number): Promise<number> {
    this.failed(`the spool cannot be read: ${messageOf(error)}`, "error");
    await this.options.wait(backOff(failures, this.options.random), this.stopping.signal);
    return failures + 1;
  }

  /** @param before  tells whether all that came before this batch is settled: until then it is not acknowledged */
  private async deliver(pending: Pending, before: Promise<boolean>): Promise<boolean> {
    const zipped = pending.body.length >= GZIP_FROM_BYTES ? await gzip(pending.body, { level: 1 }) : undefined;
    const { signal } = this.stopping;
    const { transport, queue, random, servedBy } = this.options;
    // Sent before a crash of ours, perhaps, and stored; by another server of the same store even.
    const isInDoubt = this.begun < WINDOW_MAX;
    this.begun += 1;
    for (let failures = 0; !signal.aborted; failures++) {
      // After a failure the older ones are tried first.
      if (failures > 0) await before;
      const body = { bytes: zipped ?? pending.body, gzip: zipped !== undefined };
      const answer = await transport.attempt(isInDoubt || failures > 0 ? { ...body, resent: AGAIN } : body, signal);
      const taken = receiptOf(answer);
      if (typeof answer !== "string" && taken) {
        this.tellTimes(answer, taken);
        this.inARow += 1;
        return this.settle(before, async () => {
          if (taken.incarnation !== undefined) await servedBy?.(taken.incarnation);
          await queue.acknowledge(pending.sequence);
          this.sent += 1;
          this.recovered();
        });
      }
      if (typeof answer !== "string" && isHopeless(answer))
        return this.settle(before, () => this.putAside(pending, answer));
      // An attempt that was cut off by our own end says nothing of the server.
      if (signal.aborted) return false;
      this.inARow = 0;
      const status = typeof answer === "string" ? undefined : answer.status;
      this.failed(explain(answer), status === 401 || status === 403 ? "error" : "warn");
      await this.options.wait(pauseAfter(answer, failures, random), signal);
    }
    return false;
  }

  /** In the order of the queue, and again until its disk takes it. */
  private async settle(before: Promise<boolean>, work: () => Promise<void>): Promise<boolean> {
    if (!(await before)) return false;
    for (let failures = 0; !this.stopping.signal.aborted || failures === 0; ) {
      try {
        await work();
        return true;
      } catch (error) {
        failures = await this.spoolFailed(error, failures);
      }
    }
    return false;
  }

  private async putAside(pending: Pending, answer: Answer): Promise<void> {
    const reason = `the server answered ${answer.status}: ${answer.text}`;
    this.options.log("error", "a batch was refused for good and put aside", {
      sequence: pending.sequence,
      events: pending.events,
      reason,
    });
    await this.options.queue.deadLetter(pending, reason);
    this.deadLettered += 1;
    this.recovered();
  }

  /** A server that does not say when the request came says too little. */
  private tellTimes({ sentMono, gotMono }: Answer, { receivedTs, serverTs }: BatchReceipt): void {
    if (sentMono === undefined || gotMono === undefined || receivedTs === undefined) return;
    this.options.exchanged?.({ sentMono, receivedTs, answeredTs: serverTs, gotMono });
  }

  private failed(why: string, level: "warn" | "error"): void {
    if (this.trouble !== why)
      this.options.log(level, "no events reach the server; they wait in the spool", {
        url: this.options.transport.url,
        why,
      });
    this.trouble = why;
  }

  private recovered(): void {
    if (this.trouble !== undefined)
      this.options.log("info", "the server takes events again", { url: this.options.transport.url });
    this.trouble = undefined;
  }
}
