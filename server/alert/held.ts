import { type Clock, US_PER_MS } from "../../collector/core/time.ts";
import type { Delivery } from "../api/types.ts";
import type { Incident } from "../detect/incident.ts";
import type { Timers } from "./outbox.ts";

/** Most deliveries that are held back and remembered; the oldest is forgotten first, and stays recorded as it is. */
export const HELD_MAX = 10_000;
/** setTimeout fires at once beyond this. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Recorded, and not sent for now. */
export const HELD_STATUSES = [
  "inhibited",
  "silenced",
  "planned",
  "old",
] as const satisfies readonly Delivery["status"][];
export type HeldStatus = (typeof HELD_STATUSES)[number];
export const isHeldStatus = (status: Delivery["status"]): status is HeldStatus =>
  (HELD_STATUSES as readonly string[]).includes(status);

/** Why a delivery is not sent now. */
export interface Verdict {
  readonly status: HeldStatus;
  /** Id of the incident or silence; the node that was stopped; of an old incident its own. */
  readonly by: string;
  readonly why: string;
  /** When to look again, if nothing changes before. */
  readonly until: number | undefined;
}

export interface HeldDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly incident: (id: string) => Incident | undefined;
  readonly verdict: (incident: Incident, receiver: string) => Verdict | undefined;
  /** To be sent after all. */
  readonly release: (delivery: Delivery) => Promise<void>;
  /** To be recorded anew: it is held back by something else now. */
  readonly rewrite: (delivery: Delivery) => Promise<void>;
  /** Runs a look when a time has come. */
  readonly later: (look: () => Promise<void>) => void;
}

/**
 * The deliveries that were recorded and not sent. Each is looked at again when its incident, or what holds it back, changes, and
 * when a time has passed; once nothing holds it back and its incident is still open, it is told.
 */
export class HeldBack {
  readonly #deps: HeldDeps;
  /** Those of one incident for one receiver, in the order in which they were recorded. */
  readonly #lanes = new Map<string, readonly Delivery[]>();
  #cancel: () => void = () => undefined;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(deps: HeldDeps) {
    this.#deps = deps;
  }

  note(delivery: Delivery): void {
    const key = laneKey(delivery);
    const others = (this.#lanes.get(key) ?? []).filter(({ id }) => id !== delivery.id);
    this.#lanes.delete(key);
    // An end that is not told ends what is to be remembered of the incident; what nothing holds back was told with another.
    if (delivery.event === "resolved") return;
    this.#lanes.set(key, delivery.by === undefined ? others : [...others, delivery]);
    const [oldest] = this.#lanes.keys();
    if (this.#lanes.size > HELD_MAX && oldest !== undefined) this.#lanes.delete(oldest);
  }

  /** The opening that the same receiver was not told of. */
  openingOf(delivery: Delivery): Delivery | undefined {
    return this.#lanes.get(laneKey(delivery))?.find(({ event, id }) => event === "opened" && id !== delivery.id);
  }

  /** @param ids  incidents and silences that have changed; all rows are looked at without them */
  async reconsider(ids?: ReadonlySet<string>): Promise<void> {
    // A copy: what is looked at may leave and come again.
    const lanes = [...this.#lanes.values()];
    for (const [first] of lanes)
      if (first && (!ids || ids.has(first.incidentId) || ids.has(first.by ?? ""))) await this.look(first);
  }

  /** @param delivery  one that was noted */
  async look(delivery: Delivery): Promise<void> {
    const key = laneKey(delivery);
    const [row, ...rest] = this.#lanes.get(key) ?? [];
    const incident = this.#deps.incident(delivery.incidentId);
    if (!row || incident?.status !== "open") return;
    const verdict = this.#deps.verdict(incident, row.receiver);
    if (verdict?.until !== undefined) this.#wake(verdict.until);
    if (verdict && verdict.by !== row.by) {
      const rewritten: Delivery = { ...row, status: verdict.status, by: verdict.by, lastError: verdict.why };
      await this.#deps.rewrite(rewritten);
      this.#lanes.set(key, [rewritten, ...rest]);
    }
    if (verdict) return;
    // What became more certain meanwhile is told with the first.
    for (const { by: _, ...other } of rest)
      await this.#deps.rewrite({ ...other, lastError: "told with the one before it" });
    this.#lanes.delete(key);
    await this.#deps.release(row);
  }

  stop(): void {
    this.#cancel();
    this.#wakeAt = Number.NEGATIVE_INFINITY;
  }

  #wake(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#cancel();
    this.#wakeAt = at;
    const delayMs = Math.min(Math.max(0, Math.ceil((at - this.#deps.clock.epoch()) / US_PER_MS)), TIMER_MAX_MS);
    this.#cancel = this.#deps.timers.after(delayMs, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#deps.later(() => this.reconsider());
    });
  }
}

const laneKey = ({ incidentId, receiver }: Delivery): string => `${incidentId} ${receiver}`;
