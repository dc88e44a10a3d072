import { messageOf } from "../core/errors.ts";
import { RESTORED } from "../events/batch.ts";
import type { Log } from "../core/log.ts";
import type { BatchAgain, Outcome } from "./again.ts";
import { backOff, explain, isHopeless, pauseAfter, receiptOf, type Transport } from "./transport.ts";

/** For so long the same store must have answered before it is given again what another one had, milliseconds. */
export const SETTLE_MS = 5_000;
/** So many other stores in a row within that time are not restored backups. */
const CHANGES_MAX = 3;

/** What of the spool the resending needs. */
export interface AgainQueue {
  servedBy(incarnation: string): Promise<boolean>;
  nextAgain(signal: AbortSignal): Promise<BatchAgain | undefined>;
  settleAgain(batch: BatchAgain, outcome: Outcome): Promise<void>;
}

export interface ResenderOptions {
  readonly transport: Transport;
  readonly queue: AgainQueue;
  readonly log: Log;
  readonly random: () => number;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Gives another store what the one before it had acknowledged, beside what is new, one request at a time. */
export class Resender {
  private readonly options: ResenderOptions;
  private readonly stopping = new AbortController();
  private done: Promise<void> = Promise.resolve();
  private changes = 0;
  private changesAtRest = 0;

  constructor(options: ResenderOptions) {
    this.options = options;
  }

  start(): void {
    this.done = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.done;
  }

  /** Hears of each receipt which store has the batch. */
  async servedBy(incarnation: string): Promise<void> {
    if (!(await this.options.queue.servedBy(incarnation))) return;
    this.changes += 1;
    if (this.changes - this.changesAtRest === CHANGES_MAX)
      this.options.log(
        "error",
        "servers with different stores answer in turn at one address; what they have differs. Servers behind one address must share a store (storage.url)",
        { url: this.options.transport.url },
      );
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const batch = await this.options.queue.nextAgain(signal);
        if (!batch) break;
        await this.untilSettled();
        await this.send(batch);
        failures = 0;
      } catch (error) {
        this.options.log("error", "the spool cannot say what is to be sent again", { why: messageOf(error) });
        await this.options.wait(backOff(failures++, this.options.random), signal);
      }
    }
  }

  private async untilSettled(): Promise<void> {
    const { signal } = this.stopping;
    while (this.changesAtRest !== this.changes && !signal.aborted) {
      const before = this.changes;
      await this.options.wait(SETTLE_MS, signal);
      if (before === this.changes) this.changesAtRest = before;
    }
  }

  private async send(batch: BatchAgain): Promise<void> {
    const { signal } = this.stopping;
    const { transport, queue, random, wait } = this.options;
    for (let failures = 0; !signal.aborted; failures++) {
      const answer = await transport.attempt({ bytes: batch.body, gzip: true, resent: RESTORED }, signal);
      const receipt = receiptOf(answer);
      if (receipt?.incarnation !== undefined) {
        await this.servedBy(receipt.incarnation);
        // Another one by now: it begins anew.
        if (this.changes !== this.changesAtRest) return;
      }
      if (receipt) return queue.settleAgain(batch, { accepted: receipt.accepted });
      if (typeof answer !== "string" && isHopeless(answer))
        return queue.settleAgain(batch, { refused: explain(answer) });
      if (!signal.aborted) await wait(pauseAfter(answer, failures, random), signal);
    }
  }
}
