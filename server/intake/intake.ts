import { BATCH_EVENTS_MAX, type Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { messageOf } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import { type Store, StoreRefusal } from "../store/store.ts";
import { contractFault } from "./contract.ts";

/** Events that wait for the store before senders are held up. */
const WAITING_HIGH = 10_000;
/** So few wait again before they may go on. */
const WAITING_LOW = 5_000;
/** What comes within this is stored together, milliseconds: it is as much that a kill -9 can lose. */
const GATHER_MS = 20;
/** Waits between two tries while the store takes nothing, milliseconds. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;

export interface IntakeOptions {
  readonly store: Pick<Store, "insertBatch">;
  readonly log: Log;
  /** Called once a batch is durable. */
  readonly onStored: (batch: Batch) => void;
  /** Hears of a batch that the store did not take, and may take later. */
  readonly onStoreFailure: (batch: Batch, error: unknown) => void;
  /** Resolves early when `signal` aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Stores what comes from senders that wait for no answer, and tells when it is behind. */
export class Intake {
  private readonly options: IntakeOptions;
  private waiting: Event[] = [];
  private working: Promise<void> | undefined;
  private readonly hurry = new AbortController();
  private readonly held = new Set<() => void>();
  private lost = 0;
  /** The store took nothing at the last try. */
  private failing = false;

  constructor(options: IntakeOptions) {
    this.options = options;
  }

  /** There is no room for what cannot wait. */
  get isFull(): boolean {
    return this.waiting.length >= WAITING_HIGH;
  }

  /** Who can wait should: what is taken while the store takes nothing would be lost with this process. */
  get holdsUp(): boolean {
    return this.failing || this.isFull;
  }

  counts(): { readonly waiting: number; readonly lost: number } {
    return { waiting: this.waiting.length, lost: this.lost };
  }

  add(event: Event): void {
    this.waiting.push(event);
    this.working ??= this.work().finally(() => (this.working = undefined));
  }

  /** Calls back once, when there is room again. */
  whenRoom(then: () => void): void {
    if (this.holdsUp) this.held.add(then);
    else then();
  }

  forget(then: () => void): void {
    this.held.delete(then);
  }

  /** Stores what waits, with one more try where the store takes nothing. */
  async close(): Promise<void> {
    this.hurry.abort();
    await this.working;
    if (this.waiting.length > 0)
      this.options.log("error", "forwarded events are lost: the store took none until the end", {
        events: this.waiting.length,
      });
  }

  private async work(): Promise<void> {
    const { wait } = this.options;
    for (let failures = 0; this.waiting.length > 0; ) {
      await wait(failures === 0 ? GATHER_MS : backOff(failures), this.hurry.signal);
      const events = this.waiting.slice(0, BATCH_EVENTS_MAX);
      if (await this.store(events)) {
        this.waiting.splice(0, events.length);
        failures = 0;
        this.recovered();
        if (this.waiting.length <= WAITING_LOW) this.release();
      } else if (this.hurry.signal.aborted) return;
      else failures += 1;
    }
  }

  private recovered(): void {
    if (this.failing) this.options.log("info", "forwarded events are stored again");
    this.failing = false;
  }

  private release(): void {
    const held = [...this.held];
    this.held.clear();
    for (const then of held) then();
  }

  /** @returns false when the store takes nothing now */
  private async store(events: readonly Event[]): Promise<boolean> {
    for (const batch of batchesOf(events))
      try {
        const { duplicate } = await this.options.store.insertBatch(batch);
        if (!duplicate) this.options.onStored(batch);
      } catch (error) {
        const why = messageOf(error).split("\n")[0];
        if (!(error instanceof StoreRefusal)) {
          if (!this.failing)
            this.options.log("error", "forwarded events are not stored at present; they are tried again", { why });
          this.failing = true;
          this.options.onStoreFailure(batch, error);
          return false;
        }
        this.lost += batch.events.length;
        this.options.log("error", "forwarded events cannot be stored and are lost", {
          events: batch.events.length,
          node: batch.node,
          why,
        });
      }
    return true;
  }
}

/** One a node, as the store wants them. The same events make the same batches. */
export function batchesOf(events: readonly Event[]): Batch[] {
  const byNode = new Map<string, Event[]>();
  for (const event of events) {
    const key = `${event.cluster}\0${event.node}`;
    const group = byNode.get(key);
    if (group) group.push(event);
    else byNode.set(key, [event]);
  }
  return [...byNode.values()].map((group) => ({
    version: 1,
    batchId: eventId("forwarded", ...group.map(({ id }) => id)),
    cluster: group[0]?.cluster ?? "",
    node: group[0]?.node ?? "",
    events: group,
  }));
}

/** Why an event made of what others sent cannot be kept; undefined when it can. */
export function faultOf(event: Event): string | undefined {
  const fault = contractFault(event);
  return fault && `${fault.field} ${fault.message}`;
}

const backOff = (failures: number): number => Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
