import type { Clock, EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { MailSettings } from "../../../collector/events/event.ts";
import { type Alerter, type AlerterDeps, createAlerter } from "../../../server/alert/alerter.ts";
import { parseAlertConfig } from "../../../server/alert/config.ts";
import type { Timers } from "../../../server/alert/outbox.ts";
import type { Delivery } from "../../../server/api/types.ts";
import type { Incident, IncidentChange } from "../../../server/detect/incident.ts";
import type { Store } from "../../../server/store/store.ts";

/** 2026-03-05T10:00:30Z */
export const T0 = 1_772_704_830_000_000 as EpochUs;
export const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
export const PUBLIC_URL = "https://keepwatch.example.org";

export const splitBrain: Incident = {
  id: "5b1d00000000000000000000000000aa",
  revision: 1,
  status: "open",
  kind: "split-brain",
  certainty: "confirmed",
  severity: "critical",
  cluster: "default",
  subject: { router: "default/ipv4/51", instance: "VI_1", nodes: ["lb1", "lb2"] },
  start: T0 - 20_000_000,
  end: null,
  cause: { code: "adverts-filtered", text: "Neither node hears the other's adverts." },
  summary: "lb1 and lb2 have both acted as master of VRID 51 since 10:00:10.",
  evidence: [
    {
      eventId: "e1",
      node: "lb1",
      source: "log",
      ts: T0 - 60_000_000,
      line: "/var/log/messages:117",
      text: "(VI_1) Entering MASTER STATE",
    },
    { eventId: "e2", node: "lb2", source: "wire", ts: T0 - 20_000_000, text: "10.99.0.12 sends adverts, priority 100" },
  ],
};

export const resolved = (incident: Incident): Incident => ({
  ...incident,
  revision: incident.revision + 1,
  status: "resolved",
  end: T0 - 1_500_000,
});

export const change = (type: IncidentChange["type"], incident: Incident): IncidentChange => ({ type, incident });

/** Keeps the newest version of each delivery, and every version that was saved, in order. */
export class MemoryStore implements Pick<Store, "saveDelivery" | "deliveries"> {
  readonly rows = new Map<string, Delivery>();
  readonly saved: Delivery[] = [];

  async saveDelivery(delivery: Delivery): Promise<void> {
    this.rows.set(delivery.id, delivery);
    this.saved.push(delivery);
  }

  async deliveries(query: Parameters<Store["deliveries"]>[0]): Promise<readonly Delivery[]> {
    const { id, status, incidentId, limit, newestFirst = true } = query;
    // Newest first: an order the outbox must not rely on.
    const found = [...this.rows.values()].filter(
      (row) =>
        (id ?? row.id) === row.id &&
        (status ?? row.status) === row.status &&
        (incidentId ?? row.incidentId) === row.incidentId,
    );
    if (newestFirst) found.reverse();
    // As in a real store, much may happen between the reading and the answer.
    await settle();
    return found.slice(0, limit);
  }

  /** `opened webhook:ops sent`, one a row, in the order in which they were recorded. */
  get outcome(): readonly string[] {
    return [...this.rows.values()].map(({ event, receiver, status }) => `${event} ${receiver} ${status}`);
  }
}

/** A clock and timers that move only when told. */
export class ManualTime implements Clock, Timers {
  now: number;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  constructor(now: number = T0) {
    this.now = now;
  }

  mono(): MonoUs {
    return this.now as MonoUs;
  }

  epoch(): EpochUs {
    return this.now as EpochUs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.now + delayMs * 1000, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get waiting(): number {
    return this.#timers.length;
  }

  /** Delay until the next timer, in milliseconds. */
  get nextMs(): number | undefined {
    return this.#timers.length === 0 ? undefined : (Math.min(...this.#timers.map(({ at }) => at)) - this.now) / 1000;
  }

  /** Fires what is due on the way, in order, and lets each consequence happen before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.now + ms * 1000;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.now = Math.max(this.now, next.at);
      next.run();
      await settle();
    }
    this.now = until;
    await settle();
  }
}

/** Lets everything happen that needs no more than the event loop. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done));
}

/** Waits for something that comes over a socket; the test's own time limit is the deadline. */
export async function eventually(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((done) => setImmediate(done));
}

export interface Rig {
  readonly alerter: Alerter;
  readonly store: MemoryStore;
  readonly time: ManualTime;
  readonly logged: string[];
}

export function rig(
  options: Partial<Omit<AlerterDeps, "config" | "store">> & {
    alerts?: Record<string, unknown>;
    store?: MemoryStore;
    time?: ManualTime;
    mail?: readonly MailSettings[];
  },
): Rig {
  const { alerts, store = new MemoryStore(), time = new ManualTime(), mail = [], ...deps } = options;
  const logged: string[] = [];
  const alerter = createAlerter({
    config: parseAlertConfig(alerts),
    store,
    incident: () => undefined,
    incidents: () => [],
    silences: { silencing: () => undefined },
    planned: { of: () => undefined },
    clock: time,
    timers: time,
    random: () => 0,
    mailSettings: () => mail,
    log: (level, message) => logged.push(`${level}: ${message}`),
    publicUrl: PUBLIC_URL,
    ...deps,
  });
  return { alerter, store, time, logged };
}

export const webhookTable = (
  name: string,
  url: string,
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  name,
  url,
  secret: SECRET,
  ...more,
});
