import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { type Clock, US_PER_MS } from "../../collector/core/time.ts";
import { messageOf } from "../../collector/core/errors.ts";
import type { Delivery } from "../api/types.ts";
import { isHeldStatus } from "./held.ts";
import type { Message } from "./message.ts";
import { type Outcome, reasonOf } from "./notifiers/notifier.ts";

/** Most deliveries that wait at once. What comes on top is recorded as failed and counted. */
export const WAITING_MAX = 1000;
/** Attempts at once, and of these to one receiver: a receiver that hangs must not keep the others waiting. */
export const SENDING_MAX = 16;
export const SENDING_PER_RECEIVER_MAX = 4;
/** Most deliveries of a group in one message: all that may wait. */
const GROUP_MAX = WAITING_MAX;
/** How long attempts may still take when the server stops. */
export const STOP_GRACE_MS = 5000;
/** Most ended deliveries that are remembered, so that a reading of the store from before their end does not revive them. */
const ENDED_REMEMBERED_MAX = 10 * WAITING_MAX;
/** A retry comes up to this part of its delay later, so that what failed together does not come back together. */
const JITTER = 0.1;
/** setTimeout fires at once beyond this. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** A setTimeout that can be driven by a test. */
export interface Timers {
  /** @returns cancels it */
  after(delayMs: number, run: () => void): () => void;
}

export type Log = (level: "info" | "warn" | "error", message: string) => void;

export interface OutboxCounts {
  readonly waiting: number;
  readonly sending: number;
  readonly sent: number;
  readonly failed: number;
  readonly retried: number;
  /** Recorded and not sent: see the deliveries of these names. */
  readonly inhibited: number;
  readonly silenced: number;
  readonly planned: number;
  readonly old: number;
  /** Outcomes that the store did not take: such a delivery may be sent again after a restart. */
  readonly unsaved: number;
}

/** A recorded delivery, and what it says once that is rendered. */
export interface Item {
  delivery: Delivery;
  message: Message | undefined;
}

export interface OutboxDeps {
  readonly save: (delivery: Delivery) => Promise<void>;
  /** Why one is not to be sent now. Asked once, before the first attempt: what was tried has begun to be told. */
  readonly holdBack: (delivery: Delivery) => Outcome | undefined;
  /** All of one message: one, or those of a group that wait. */
  readonly attempt: (items: readonly [Item, ...Item[]], signal: AbortSignal) => Promise<Outcome>;
  /** A receiver has just taken it. */
  readonly onSent: (delivery: Delivery) => void;
  /** Recorded as one that is not sent now. {@link Outbox.revive} takes it up again. */
  readonly onHeld: (delivery: Delivery) => void;
  /** Delay before each attempt after the first. */
  readonly retryScheduleMs: readonly number[];
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  readonly log: Log;
}

/**
 * Sends what is recorded. Deliveries about one incident to one receiver, or of one group, form a lane and go strictly in order: the
 * next one is tried only when the one before is sent or has failed for good; of a group, those that are due go in one message. Lanes do
 * not wait for each other.
 */
export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #lanes = new Map<string, Item[]>();
  readonly #ids = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #timers = new Map<Item, () => void>();
  #due: Item[] = [];
  readonly #sending = new Map<Item, Promise<void>>();
  readonly #stopping = new AbortController();
  #stopped = false;
  readonly #counts = { sent: 0, failed: 0, retried: 0, unsaved: 0, inhibited: 0, silenced: 0, planned: 0, old: 0 };

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
    setMaxListeners(SENDING_MAX, this.#stopping.signal);
  }

  get isFull(): boolean {
    return this.#ids.size >= WAITING_MAX;
  }

  /** It waits here or is being sent, or it did and has ended. */
  knows(deliveryId: string): boolean {
    return this.#ids.has(deliveryId) || this.#ended.has(deliveryId);
  }

  counts(): OutboxCounts {
    return { waiting: this.#ids.size - this.#sending.size, sending: this.#sending.size, ...this.#counts };
  }

  /** Takes a pending delivery that the store has, unless it is known. It goes behind those of its lane. */
  add(delivery: Delivery, message?: Message): void {
    if (this.knows(delivery.id)) return;
    this.#ids.add(delivery.id);
    const item: Item = { delivery, message };
    const key = laneKey(delivery);
    const lane = this.#lanes.get(key);
    if (lane) {
      lane.push(item);
      return;
    }
    this.#lanes.set(key, [item]);
    this.#schedule(item);
  }

  /** When the next message of a group goes, as far as one waits. */
  dueOf(delivery: Pick<Delivery, "incidentId" | "receiver" | "group">): number | undefined {
    const last = this.#lanes.get(laneKey(delivery))?.at(-1)?.delivery;
    return last?.batch === undefined ? last?.nextAttemptTs : undefined;
  }

  /** Something about an incident waits for a receiver by itself. */
  knowsLane(delivery: Pick<Delivery, "incidentId" | "receiver">): boolean {
    return this.#lanes.has(laneKey(delivery));
  }

  /** Takes up one that was held back, once the store has it as pending again. */
  revive(delivery: Delivery): void {
    this.#ended.delete(delivery.id);
    this.add(delivery);
  }

  /** Lets running attempts end, for a while; then gives them up. What is not settled stays pending in the store. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#due = [];
    if (this.#sending.size === 0) return;
    const cancelGrace = this.#deps.timers.after(STOP_GRACE_MS, () => this.#stopping.abort());
    await Promise.all(this.#sending.values());
    cancelGrace();
  }

  #schedule(item: Item): void {
    if (this.#stopped) return;
    const delayMs = (item.delivery.nextAttemptTs - this.#deps.clock.epoch()) / US_PER_MS;
    if (delayMs <= 0) {
      this.#due.push(item);
      this.#sendDue();
      return;
    }
    const cancel = this.#deps.timers.after(Math.min(Math.ceil(delayMs), TIMER_MAX_MS), () => {
      this.#timers.delete(item);
      this.#due.push(item);
      this.#sendDue();
    });
    this.#timers.set(item, cancel);
  }

  #sendDue(): void {
    if (this.#stopped) return;
    const held: Item[] = [];
    for (const item of this.#due) {
      if (this.#mayStart(item)) this.#sending.set(item, this.#send(item));
      else held.push(item);
    }
    this.#due = held;
  }

  #mayStart({ delivery }: Item): boolean {
    if (this.#sending.size >= SENDING_MAX) return false;
    let sameReceiver = 0;
    for (const other of this.#sending.keys()) if (other.delivery.receiver === delivery.receiver) sameReceiver += 1;
    return sameReceiver < SENDING_PER_RECEIVER_MAX;
  }

  async #send(item: Item): Promise<void> {
    // Not in the caller's turn: the caller still has to note that this item is being sent.
    await Promise.resolve();
    const together = this.#together(item);
    const members: Item[] = [];
    for (const each of together) {
      const reason = this.#wasTried(each) ? undefined : this.#deps.holdBack(each.delivery);
      if (reason) await this.#settle(each, reason);
      else members.push(each);
    }
    const givenUp = (await this.#tell(members)) === "given-up";
    this.#sending.delete(item);
    if (givenUp) return;
    for (const each of together) if (each.delivery.status !== "pending") this.#leave(each);
    for (const { delivery } of together) if (isHeldStatus(delivery.status)) this.#deps.onHeld(delivery);
    this.#scheduleHead(laneKey(item.delivery));
    this.#sendDue();
  }

  #wasTried({ delivery }: Item): boolean {
    return delivery.attempts > 0 || delivery.batch !== undefined;
  }

  /** Those that go in one message with the head of a lane: of a group those that are due, of a message that was begun the same. */
  #together(head: Item): readonly Item[] {
    const { group, batch } = head.delivery;
    if (group === undefined) return [head];
    const lane = this.#lanes.get(laneKey(head.delivery)) ?? [];
    const now = this.#deps.clock.epoch();
    const end = lane.findIndex(({ delivery }) => delivery.batch !== batch || (!batch && delivery.nextAttemptTs > now));
    return lane.slice(0, Math.min(end < 0 ? lane.length : end, GROUP_MAX));
  }

  async #tell([head, ...others]: readonly Item[]): Promise<"told" | "given-up"> {
    if (head === undefined) return "told";
    const members = [head, ...others] as const;
    const outcome = await this.#attempt(members);
    if (this.#stopping.signal.aborted && outcome.kind === "retry") return "given-up";
    for (const each of members) await this.#settle(each, outcome);
    return "told";
  }

  async #attempt(members: readonly [Item, ...Item[]]): Promise<Outcome> {
    try {
      const [{ delivery }] = members;
      if (delivery.group !== undefined && delivery.batch === undefined) await this.#seal(members);
      return await this.#deps.attempt(members, this.#stopping.signal);
    } catch (error) {
      return { kind: "retry", error: reasonOf(error) };
    }
  }

  /** What goes together is recorded before it is sent: after a crash it goes together again, under the same id. */
  async #seal(members: readonly Item[]): Promise<void> {
    const batch = batchIdOf(members.map(({ delivery }) => delivery.id));
    for (const member of members) {
      await this.#deps.save({ ...member.delivery, batch });
      member.delivery = { ...member.delivery, batch };
    }
  }

  /** The outcome is in the store before anything else of the lane is tried. */
  async #settle(item: Item, outcome: Outcome): Promise<void> {
    item.delivery = this.#after(item.delivery, outcome);
    const { status, receiver, target, lastError, attempts } = item.delivery;
    if (status === "sent") this.#deps.onSent(item.delivery);
    if (status === "pending") this.#counts.retried += 1;
    else this.#counts[status] += 1;
    if (status === "failed")
      this.#deps.log(
        "error",
        `${receiver} was not told (${target}) after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}: ${lastError}`,
      );
    else if (lastError !== null && !isHeldStatus(status))
      this.#deps.log("warn", `${receiver} (${target}): ${lastError}`);
    try {
      await this.#deps.save(item.delivery);
    } catch (error) {
      this.#counts.unsaved += 1;
      this.#deps.log("error", `the outcome of delivery ${item.delivery.id} could not be stored: ${messageOf(error)}`);
    }
  }

  #after(delivery: Delivery, outcome: Outcome): Delivery {
    if (outcome.kind === "held")
      return { ...delivery, status: outcome.status, by: outcome.by, lastError: outcome.error };
    const attempts = delivery.attempts + 1;
    switch (outcome.kind) {
      case "sent":
        return { ...delivery, attempts, status: "sent", lastError: outcome.note ?? null };
      case "refused":
      case "gone":
        return { ...delivery, attempts, status: "failed", lastError: outcome.error };
      case "retry": {
        const delayMs = this.#deps.retryScheduleMs[attempts - 1];
        if (delayMs === undefined) return { ...delivery, attempts, status: "failed", lastError: outcome.error };
        const jittered = Math.max(delayMs * (1 + JITTER * this.#deps.random()), outcome.afterMs ?? 0);
        return {
          ...delivery,
          attempts,
          nextAttemptTs: this.#deps.clock.epoch() + Math.round(jittered * US_PER_MS),
          lastError: outcome.error,
        };
      }
    }
  }

  #remember(endedId: string): void {
    this.#ended.add(endedId);
    const [oldest] = this.#ended;
    if (this.#ended.size > ENDED_REMEMBERED_MAX && oldest !== undefined) this.#ended.delete(oldest);
  }

  #leave(item: Item): void {
    const key = laneKey(item.delivery);
    const rest = (this.#lanes.get(key) ?? []).filter((other) => other !== item);
    this.#ids.delete(item.delivery.id);
    this.#remember(item.delivery.id);
    if (rest.length === 0) this.#lanes.delete(key);
    else this.#lanes.set(key, rest);
  }

  #scheduleHead(key: string): void {
    const head = this.#lanes.get(key)?.[0];
    if (head) this.#schedule(head);
  }
}

const laneKey = ({ incidentId, receiver, group }: Pick<Delivery, "incidentId" | "receiver" | "group">): string =>
  `${group ?? incidentId} ${receiver}`;

const batchIdOf = (deliveryIds: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(deliveryIds)).digest("hex").slice(0, 32);
