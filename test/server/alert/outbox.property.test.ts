import fc from "fast-check";
import { expect, test } from "vitest";
import type { MailSettings } from "../../../collector/events/event.ts";
import type { Attempt, Outcome } from "../../../server/alert/notifiers/notifier.ts";
import type { Delivery } from "../../../server/api/types.ts";
import type { Incident, IncidentChange } from "../../../server/detect/incident.ts";
import { ManualTime, MemoryStore, type Rig, resolved, rig, settle, splitBrain, webhookTable } from "./support.ts";

/** What happens to an attempt. `crash`: the receiver has it, and the server dies before it can note that. */
type Fate = Exclude<Outcome["kind"], "held"> | "throw" | "crash";

type Step =
  | {
      readonly op: "change";
      readonly incident: number;
      readonly type: IncidentChange["type"];
      readonly certain: boolean;
    }
  | { readonly op: "advance"; readonly ms: number }
  | { readonly op: "restart" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("change" as const),
      incident: fc.integer({ min: 0, max: 2 }),
      type: fc.constantFrom("opened", "certainty-raised", "resolved", "revised", "withdrawn"),
      certain: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant("advance" as const), ms: fc.integer({ min: 0, max: 400_000 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ op: "restart" as const }) },
);

const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>("sent") },
  { weight: 5, arbitrary: fc.constant<Fate>("retry") },
  { weight: 1, arbitrary: fc.constantFrom<Fate>("refused", "throw", "crash") },
);

const mail: MailSettings = { to: ["noc@example.org"], host: "mx", port: 25, connectTimeoutSeconds: 30 };
const alerts = { retry_schedule_seconds: [5, 300], webhooks: [webhookTable("ops", "http://127.0.0.1:9/")] };
const RECEIVERS = 2;

/** Servers one after the other over one store, with receivers that note what reaches them. */
class World {
  readonly store = new MemoryStore();
  readonly incidents = new Map<string, Incident>();
  /** Delivery ids in the order in which a receiver took them. */
  readonly taken: string[] = [];
  crashes = 0;
  now: number;
  #server: Rig & { readonly dead: { value: boolean } };
  readonly #fates: Fate[];

  constructor(fates: readonly Fate[]) {
    this.#fates = [...fates];
    this.#server = this.#boot(new ManualTime());
    this.now = this.#server.time.now;
  }

  #boot(time: ManualTime) {
    const dead = { value: false };
    const send = (attempt: Attempt) => this.#receive(attempt, dead);
    const incident = (id: string) => this.incidents.get(id);
    const server = rig({
      alerts,
      mail: [mail],
      store: this.store,
      time,
      incident,
      send: { webhook: send, mail: send },
    });
    return { ...server, dead };
  }

  async #receive({ deliveryId }: Attempt, dead: { value: boolean }): Promise<Outcome> {
    if (dead.value) return new Promise(() => undefined);
    const next = this.#fates.shift() ?? "sent";
    if (next === "sent" || next === "crash") this.taken.push(deliveryId);
    switch (next) {
      case "sent":
        return { kind: "sent" };
      case "crash":
        this.crashes += 1;
        dead.value = true;
        return new Promise(() => undefined);
      case "throw":
        throw new Error("a bug in a notifier");
      case "retry":
      case "refused":
      case "gone":
        return { kind: next, error: "scripted" };
    }
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of steps) {
      if (this.#server.dead.value) await this.#restart();
      if (each.op === "change") await this.#change(each);
      else if (each.op === "advance") await this.#server.time.advance(each.ms);
      else await this.#restart();
    }
    for (let turn = 0; turn < 100 && this.pending.length > 0; turn++) {
      if (this.#server.dead.value) await this.#restart();
      await this.#server.time.advance(3_600_000);
    }
  }

  async #change({ incident: index, type, certain }: Step & { op: "change" }): Promise<void> {
    const base: Incident = { ...splitBrain, id: `incident-${index}`, certainty: certain ? "confirmed" : "suspected" };
    const incident =
      type === "resolved" ? resolved(base) : type === "withdrawn" ? { ...base, status: "withdrawn" as const } : base;
    this.incidents.set(incident.id, incident);
    await this.#server.alerter.notify({ type, incident });
  }

  /** The old server's timers never fire again and its attempts never end, as after kill -9. */
  async #restart(): Promise<void> {
    // What a receiver took outside a scripted crash is noted first: only such a crash may repeat it.
    await settle();
    this.#server.dead.value = true;
    this.#server = this.#boot(new ManualTime(this.#server.time.now));
    await this.#server.alerter.start();
    await settle();
  }

  get pending(): readonly Delivery[] {
    return [...this.store.rows.values()].filter(({ status }) => status === "pending");
  }
}

const news = ({ incidentId, event, receiver }: Delivery): string => `${incidentId} ${event} ${receiver}`;

test("whatever changes, fails and crashes: each notification ends sent or failed, once, in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.array(fate, { maxLength: 60 }), async (steps, fates) => {
      const world = new World(fates);
      await world.run(steps);
      const rows = [...world.store.rows.values()];

      // Never lost: each change that people are told of has its delivery to each receiver, and each delivery its end.
      expect(world.pending).toEqual([]);
      const recorded = new Set(rows.map(news));
      for (const each of steps) {
        if (each.op !== "change" || each.type === "revised" || each.type === "withdrawn") continue;
        const told = [...recorded].filter((name) => name.startsWith(`incident-${each.incident} ${each.type} `));
        expect(told).toHaveLength(RECEIVERS);
      }

      // Sent means that a receiver took it, and took it once; only a crash in between may repeat it.
      for (const { id, status } of rows) if (status === "sent") expect(world.taken).toContain(id);
      expect(world.taken.length - new Set(world.taken).size).toBeLessThanOrEqual(world.crashes);

      // In order: for one incident, a receiver first takes things in the order in which they were recorded.
      const rank = new Map(rows.map(({ id }, index) => [id, index]));
      const furthest = new Map<string, number>();
      for (const id of new Set(world.taken)) {
        const row = world.store.rows.get(id);
        const lane = `${row?.incidentId} ${row?.receiver}`;
        const at = rank.get(id) ?? -1;
        expect(at).toBeGreaterThan(furthest.get(lane) ?? -1);
        furthest.set(lane, at);
      }

      // An end never comes without its beginning having been recorded before it.
      for (const [index, row] of rows.entries()) {
        if (row.event !== "resolved") continue;
        const earlier = rows
          .slice(0, index)
          .filter((other) => news(other).startsWith(`${row.incidentId} `) && other.receiver === row.receiver);
        expect(earlier.some(({ event }) => event !== "resolved")).toBe(true);
      }
    }),
    { numRuns: 150 },
  );
});
