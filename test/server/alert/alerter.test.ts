import { describe, expect, test } from "vitest";
import type { Outcome } from "../../../server/alert/notifiers/notifier.ts";
import type { WebhookAttempt } from "../../../server/alert/notifiers/webhook.ts";
import { SENDING_MAX, SENDING_PER_RECEIVER_MAX, STOP_GRACE_MS, WAITING_MAX } from "../../../server/alert/outbox.ts";
import type { Incident } from "../../../server/detect/incident.ts";
import { change, ManualTime, MemoryStore, resolved, rig, settle, splitBrain, T0, webhookTable } from "./support.ts";

/** A webhook sender that answers as scripted, then with `sent`. */
function scripted(...outcomes: Outcome[]) {
  const told: string[] = [];
  const webhook = async ({ message, webhook: { name } }: WebhookAttempt): Promise<Outcome> => {
    told.push(`${message.withdrawn ? "withdrawn" : message.event} ${name}`);
    return outcomes.shift() ?? { kind: "sent" };
  };
  return { told, send: { webhook } };
}

/** A webhook sender whose attempts last until they are ended by hand, or given up. */
function held() {
  const open: { readonly name: string; readonly end: (outcome: Outcome) => void }[] = [];
  const webhook = ({ webhook: { name }, signal }: WebhookAttempt): Promise<Outcome> =>
    new Promise((done) => {
      const giveUp = () => end({ kind: "retry", error: "given up" });
      const end = (outcome: Outcome) => {
        signal.removeEventListener("abort", giveUp);
        done(outcome);
      };
      signal.addEventListener("abort", giveUp);
      open.push({ name, end });
    });
  return { open, send: { webhook } };
}

const retry: Outcome = { kind: "retry", error: "HTTP 503" };
const hooks = (...names: string[]) => ({
  mail_from_keepalived_conf: false,
  webhooks: names.map((name) => webhookTable(name, `http://127.0.0.1:9/${name}`)),
});
const suspected: Incident = { ...splitBrain, certainty: "suspected" };
const other = (id: number): Incident => ({ ...splitBrain, id: `incident-${id}` });

describe("what is told", () => {
  test("an opening, a raised certainty and an end are told, each once, in this order", async () => {
    const { told, send } = scripted();
    const { alerter, store } = rig({ alerts: hooks("ops"), send });
    await alerter.notify(change("opened", suspected));
    await alerter.notify(change("certainty-raised", splitBrain));
    await alerter.notify(change("revised", { ...splitBrain, revision: 2 }));
    await alerter.notify(change("resolved", resolved(splitBrain)));
    await settle();
    expect(told).toEqual(["opened ops", "certainty-raised ops", "resolved ops"]);
    expect(store.outcome.every((row) => row.endsWith(" sent"))).toBe(true);
  });

  test("changes that are told at once, without waiting, keep their order", async () => {
    const { told, send } = scripted();
    const { alerter } = rig({ alerts: hooks("ops"), send });
    await Promise.all([
      alerter.notify(change("opened", suspected)),
      alerter.notify(change("certainty-raised", splitBrain)),
      alerter.notify(change("resolved", resolved(splitBrain))),
    ]);
    await settle();
    expect(told).toEqual(["opened ops", "certainty-raised ops", "resolved ops"]);
  });

  test("an incident that is over before anyone heard of it is told as opened and as resolved", async () => {
    for (const type of ["opened", "resolved"] as const) {
      const { told, send } = scripted();
      const { alerter } = rig({ alerts: hooks("ops"), send });
      await alerter.notify(change(type, resolved(splitBrain)));
      await settle();
      expect(told).toEqual(["opened ops", "resolved ops"]);
    }
  });

  test("a withdrawal is told to those who heard of the incident, and to nobody else", async () => {
    const { told, send } = scripted();
    const { alerter } = rig({ alerts: hooks("ops"), send });
    await alerter.notify(change("opened", splitBrain));
    await alerter.notify(change("withdrawn", { ...splitBrain, status: "withdrawn" }));
    await alerter.notify(change("withdrawn", { ...other(2), status: "withdrawn" }));
    await settle();
    expect(told).toEqual(["opened ops", "withdrawn ops"]);
  });

  test("the same change told again is not sent again", async () => {
    const { told, send } = scripted();
    const { alerter, store } = rig({ alerts: hooks("ops"), send });
    await alerter.notify(change("opened", splitBrain));
    await settle();
    await alerter.notify(change("opened", { ...splitBrain, revision: 7 }));
    await settle();
    expect(told).toEqual(["opened ops"]);
    expect(store.rows.size).toBe(1);
  });

  test.each([
    ["another cluster", { clusters: ["edge"] }],
    ["another kind", { kinds: ["no-master"] }],
  ])("a webhook for %s hears nothing", async (_, filter) => {
    const alerts = { mail_from_keepalived_conf: false, webhooks: [webhookTable("ops", "http://127.0.0.1:9/", filter)] };
    const { alerter, store } = rig({ alerts, ...scripted() });
    await alerter.notify(change("opened", splitBrain));
    expect(store.rows.size).toBe(0);
  });

  test("who heard of the beginning hears of the end, also when the end is too mild for the filter", async () => {
    const { told, send } = scripted();
    const alerts = {
      mail_from_keepalived_conf: false,
      webhooks: [webhookTable("ops", "http://127.0.0.1:9/", { min_severity: "critical" })],
    };
    const { alerter } = rig({ alerts, send });
    await alerter.notify(change("opened", splitBrain));
    await alerter.notify(change("resolved", resolved({ ...splitBrain, severity: "warning" })));
    await alerter.notify(change("opened", { ...other(2), severity: "warning" }));
    await settle();
    expect(told).toEqual(["opened ops", "resolved ops"]);
  });
});

describe("the outbox", () => {
  test("a delivery is recorded before it is tried", async () => {
    const store = new MemoryStore();
    const seen: string[][] = [];
    const webhook = async (): Promise<Outcome> => {
      seen.push([...store.outcome]);
      return { kind: "sent" };
    };
    const { alerter } = rig({ alerts: hooks("ops"), store, send: { webhook } });
    await alerter.notify(change("opened", splitBrain));
    await settle();
    expect(seen).toEqual([["opened webhook:ops pending"]]);
  });

  test("what the store does not take is not sent, and may be told again", async () => {
    const { told, send } = scripted();
    const store = new MemoryStore();
    const save = store.saveDelivery.bind(store);
    store.saveDelivery = () => Promise.reject(new Error("disk full"));
    const { alerter } = rig({ alerts: hooks("ops"), store, send });
    await expect(alerter.notify(change("opened", splitBrain))).rejects.toThrow("disk full");
    store.saveDelivery = save;
    await alerter.notify(change("opened", splitBrain));
    await settle();
    expect(told).toEqual(["opened ops"]);
  });

  test("what the store took although it said otherwise is sent when it is told again", async () => {
    const { told, send } = scripted();
    const store = new MemoryStore();
    const save = store.saveDelivery.bind(store);
    store.saveDelivery = async (delivery) => {
      await save(delivery);
      throw new Error("connection reset");
    };
    const { alerter } = rig({ alerts: hooks("ops"), store, send, incident: () => splitBrain });
    await expect(alerter.notify(change("opened", splitBrain))).rejects.toThrow("connection reset");
    store.saveDelivery = save;
    await alerter.notify(change("opened", splitBrain));
    await settle();
    expect(told).toEqual(["opened ops"]);
  });

  test("the schedule is kept, each delay a little longer by chance, and then the delivery has failed", async () => {
    const alerts = { ...hooks("ops"), retry_schedule_seconds: [10, 100] };
    const { send, told } = scripted(retry, retry, retry);
    const { alerter, store, time } = rig({ alerts, send, random: () => 0.5 });
    await alerter.notify(change("opened", splitBrain));
    await settle();
    expect(time.nextMs).toBe(10_500);
    await time.advance(10_500);
    expect(time.nextMs).toBe(105_000);
    await time.advance(105_000);
    expect(told).toHaveLength(3);
    expect(store.saved.at(-1)).toMatchObject({ status: "failed", attempts: 3, lastError: "HTTP 503" });
    expect(alerter.counts()).toMatchObject({ waiting: 0, sending: 0, sent: 0, failed: 1, retried: 2 });
  });

  test("an end waits until its beginning is sent, whatever is ready sooner", async () => {
    const { told, send } = scripted(retry);
    const { alerter, time } = rig({ alerts: hooks("ops"), send });
    await alerter.notify(change("opened", splitBrain));
    await settle();
    await alerter.notify(change("resolved", resolved(splitBrain)));
    await settle();
    expect(told).toEqual(["opened ops"]);
    await time.advance(5000);
    expect(told).toEqual(["opened ops", "opened ops", "resolved ops"]);
  });

  test("one receiver's failure holds up no other receiver and no other incident", async () => {
    const { told, send } = scripted(retry);
    const { alerter } = rig({ alerts: hooks("bad", "good"), send });
    await alerter.notify(change("opened", splitBrain));
    await alerter.notify(change("opened", other(2)));
    await settle();
    expect(told).toEqual(["opened bad", "opened good", "opened bad", "opened good"]);
  });

  test("a receiver that hangs takes only its share of the attempts", async () => {
    const { open, send } = held();
    const { alerter } = rig({ alerts: hooks("hangs", "well"), send });
    for (let id = 0; id < SENDING_MAX; id++) await alerter.notify(change("opened", other(id)));
    await settle();
    const hanging = () => open.filter(({ name }) => name === "hangs").length;
    expect(hanging()).toBe(SENDING_PER_RECEIVER_MAX);
    for (let done = 0; done < SENDING_MAX; done++) {
      open.filter(({ name }) => name === "well")[done]?.end({ kind: "sent" });
      await settle();
    }
    expect(open.filter(({ name }) => name === "well")).toHaveLength(SENDING_MAX);
    expect(hanging()).toBe(SENDING_PER_RECEIVER_MAX);
    expect(alerter.counts().sending).toBe(SENDING_PER_RECEIVER_MAX);
  });

  test("no more attempts run at once than the bound says", async () => {
    const { open, send } = held();
    const names = Array.from({ length: SENDING_MAX + 3 }, (_, index) => `hook-${index}`);
    const { alerter } = rig({ alerts: hooks(...names), send });
    await alerter.notify(change("opened", splitBrain));
    await settle();
    expect(open).toHaveLength(SENDING_MAX);
    expect(alerter.counts()).toMatchObject({ sending: SENDING_MAX, waiting: 3 });
  });

  test("what is beyond the queue's bound is recorded as failed and counted", async () => {
    const { send } = held();
    const { alerter, store } = rig({ alerts: hooks("hangs"), send });
    for (let id = 0; id <= WAITING_MAX; id++) await alerter.notify(change("opened", other(id)));
    expect(alerter.counts().refused).toBe(1);
    expect(store.saved.at(-1)).toMatchObject({ status: "failed", attempts: 0, incidentId: `incident-${WAITING_MAX}` });
    expect(store.saved.at(-1)?.lastError).toContain(`${WAITING_MAX} notifications wait already`);
  });

  test("a delivery that ends while the store is asked about its incident is not taken for a pending one", async () => {
    const { open, send } = held();
    const { alerter, store } = rig({ alerts: hooks("ops"), send });
    await alerter.notify(change("opened", suspected));
    await settle();
    const raised = alerter.notify(change("certainty-raised", splitBrain));
    await Promise.resolve();
    open[0]?.end({ kind: "sent" });
    await raised;
    await settle();
    expect(open).toHaveLength(2);
    expect(store.outcome).toEqual(["opened webhook:ops sent", "certainty-raised webhook:ops pending"]);
  });

  test("an outcome that the store does not take is counted and said, and the next delivery goes on", async () => {
    const store = new MemoryStore();
    const save = store.saveDelivery.bind(store);
    store.saveDelivery = (row) => (row.status === "sent" ? Promise.reject(new Error("disk full")) : save(row));
    const { told, send } = scripted();
    const { alerter, logged } = rig({ alerts: hooks("ops"), store, send });
    await alerter.notify(change("opened", splitBrain));
    await alerter.notify(change("resolved", resolved(splitBrain)));
    await settle();
    expect(told).toEqual(["opened ops", "resolved ops"]);
    expect(alerter.counts().unsaved).toBe(2);
    expect(logged[0]).toContain("could not be stored: disk full");
  });
});

describe("a restart", () => {
  test("sends what was pending, when it is due, and not what was sent", async () => {
    const before = scripted({ kind: "sent" }, retry);
    const first = rig({ alerts: hooks("done", "late"), send: before.send });
    await first.alerter.notify(change("opened", splitBrain));
    await settle();
    await first.alerter.stop();
    expect(first.store.outcome).toEqual(["opened webhook:done sent", "opened webhook:late pending"]);

    const after = scripted();
    const time = new ManualTime(T0 + 1_000_000);
    const second = rig({
      alerts: hooks("done", "late"),
      store: first.store,
      time,
      send: after.send,
      incident: () => splitBrain,
    });
    await second.alerter.start();
    await second.alerter.notify(change("opened", splitBrain));
    await settle();
    expect(after.told).toEqual([]);
    await time.advance(4000);
    expect(after.told).toEqual(["opened late"]);
    expect(first.store.outcome).toEqual(["opened webhook:done sent", "opened webhook:late sent"]);
  });

  test("keeps the order of what was pending", async () => {
    const first = rig({ alerts: hooks("ops"), ...scripted(retry) });
    await first.alerter.notify(change("opened", suspected));
    await first.alerter.notify(change("certainty-raised", splitBrain));
    await first.alerter.notify(change("resolved", resolved(splitBrain)));
    await settle();
    await first.alerter.stop();
    const { told, send } = scripted();
    const second = rig({ alerts: hooks("ops"), store: first.store, send, incident: () => resolved(splitBrain) });
    await second.alerter.start();
    await second.time.advance(5000);
    expect(told).toEqual(["opened ops", "certainty-raised ops", "resolved ops"]);
  });

  test("fails what is left for a webhook that is configured no more", async () => {
    const first = rig({ alerts: hooks("old"), ...scripted(retry) });
    await first.alerter.notify(change("opened", splitBrain));
    await settle();
    await first.alerter.stop();
    const second = rig({ alerts: hooks("new"), store: first.store, ...scripted(), incident: () => splitBrain });
    await second.alerter.start();
    await second.time.advance(5000);
    expect(first.store.saved.at(-1)).toMatchObject({ status: "failed" });
    expect(first.store.saved.at(-1)?.lastError).toContain("no webhook or receiver of this name any more");
  });

  test("tries later what is about an incident that is not known yet", async () => {
    const first = rig({ alerts: hooks("ops"), ...scripted(retry) });
    await first.alerter.notify(change("opened", splitBrain));
    await settle();
    await first.alerter.stop();
    let known: Incident | undefined;
    const { told, send } = scripted();
    const second = rig({ alerts: hooks("ops"), store: first.store, send, incident: () => known });
    await second.alerter.start();
    await second.time.advance(5000);
    expect(told).toEqual([]);
    known = splitBrain;
    await second.time.advance(300_000);
    expect(told).toEqual(["opened ops"]);
  });

  test("a stop lets an attempt end and records how", async () => {
    const { open, send } = held();
    const { alerter, store } = rig({ alerts: hooks("ops"), send });
    await alerter.notify(change("opened", splitBrain));
    await settle();
    const stopped = alerter.stop();
    open[0]?.end({ kind: "sent" });
    await stopped;
    expect(store.outcome).toEqual(["opened webhook:ops sent"]);
  });

  test("a stop gives up an attempt that does not end, which stays pending", async () => {
    const { send } = held();
    const { alerter, store, time } = rig({ alerts: hooks("ops"), send });
    await alerter.notify(change("opened", splitBrain));
    await settle();
    const stopped = alerter.stop();
    await settle();
    await time.advance(STOP_GRACE_MS);
    await stopped;
    expect(store.saved).toHaveLength(1);
    expect(store.outcome).toEqual(["opened webhook:ops pending"]);
    expect(time.waiting).toBe(0);
  });
});
