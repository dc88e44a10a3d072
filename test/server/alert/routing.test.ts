import { describe, expect, test } from "vitest";
import { groupKey, labelsOfKey } from "../../../server/alert/routing.ts";
import type { Outcome } from "../../../server/alert/notifiers/notifier.ts";
import type { WebhookAttempt } from "../../../server/alert/notifiers/webhook.ts";
import { webhookPayload } from "../../../server/alert/notifiers/webhook.ts";
import type { Incident, IncidentChange, IncidentKind } from "../../../server/detect/incident.ts";
import { ManualTime, MemoryStore, PUBLIC_URL, rig, settle, splitBrain, T0, webhookTable } from "./support.ts";
import { over } from "./world.ts";

const like = (kind: IncidentKind, more: Partial<Incident> = {}): Incident => ({
  ...splitBrain,
  id: kind.padEnd(32, "0"),
  kind,
  ...more,
});
const none = like("no-master");
const clash = like("vip-conflict");

/** Webhooks of these names, and what reached each: the news of one message joined by `+`. */
function world(
  routes: readonly Record<string, unknown>[],
  names = ["ops"],
  store = new MemoryStore(),
  time = new ManualTime(),
  fails = 0,
) {
  const known = new Map<string, Incident>();
  const told: string[] = [];
  const attempts: WebhookAttempt[] = [];
  let failures = fails;
  const webhook = async (attempt: WebhookAttempt): Promise<Outcome> => {
    attempts.push(attempt);
    if (failures-- > 0) return { kind: "retry", error: "HTTP 503" };
    const news = (attempt.group?.messages ?? [attempt.message]).map(({ event, kind }) => `${event} ${kind}`);
    told.push(`${news.join(" + ")} to ${attempt.webhook.name}`);
    return { kind: "sent" };
  };
  const server = rig({
    alerts: {
      mail_from_keepalived_conf: false,
      inhibit_built_in: false,
      webhooks: names.map((name) => webhookTable(name, "http://127.0.0.1:9/")),
      routes,
    },
    store,
    time,
    incident: (id) => known.get(id),
    incidents: () => known.values(),
    send: { webhook },
  });
  const happen = async (...changes: [IncidentChange["type"], Incident][]): Promise<void> => {
    for (const [, incident] of changes) known.set(incident.id, incident);
    for (const [type, incident] of changes) await server.alerter.notify({ type, incident });
    await settle();
  };
  return { ...server, known, told, attempts, happen };
}
const byRouter = {
  receivers: ["ops"],
  group_by: ["cluster", "router"],
  group_wait_seconds: 10,
  group_interval_seconds: 60,
};

describe("routes", () => {
  test("the first that matches tells its receivers; after continue also the next; who is in none is told as ever", async () => {
    const { happen, told } = world(
      [
        { matchers: ["kind=split-brain"], receivers: ["pager"], continue: true },
        { matchers: ['router=~".*/51"'], receivers: ["team"] },
        { receivers: ["rest"] },
      ],
      ["pager", "team", "rest", "free"],
    );
    await happen(["opened", splitBrain]);
    await happen(["opened", none]);
    await happen(["opened", { ...clash, subject: { router: "default/ipv4/52", nodes: ["lb1"] } }]);
    expect(told).toEqual([
      "opened split-brain to pager",
      "opened split-brain to team",
      "opened split-brain to free",
      "opened no-master to team",
      "opened no-master to free",
      "opened vip-conflict to rest",
      "opened vip-conflict to free",
    ]);
  });

  test("a receiver's own filter counts besides", async () => {
    const { happen, told } = world([{ matchers: ["certainty=confirmed"], receivers: ["ops"] }]);
    await happen(["opened", { ...splitBrain, certainty: "suspected" }]);
    expect(told).toEqual([]);
    await happen(["certainty-raised", splitBrain]);
    expect(told).toEqual(["certainty-raised split-brain to ops"]);
  });
});

describe("a group", () => {
  test("waits for what belongs together, and is told in one message", async () => {
    const { happen, told, time, store, attempts } = world([byRouter]);
    await happen(["opened", splitBrain]);
    await time.advance(4000);
    await happen(["opened", none]);
    await happen(["opened", { ...clash, subject: { router: "default/ipv4/52", nodes: ["lb1"] } }]);
    expect(told).toEqual([]);
    await time.advance(6000);
    expect(told).toEqual(["opened split-brain + opened no-master to ops"]);
    await time.advance(4000);
    expect(told.at(-1)).toBe("opened vip-conflict to ops");
    const [first, second] = [...store.rows.values()];
    expect(first).toMatchObject({ status: "sent", group: '{cluster="default", router="default/ipv4/51"}' });
    expect(first?.batch).toBe(attempts[0]?.deliveryId);
    expect(second?.batch).toBe(first?.batch);
  });

  test("keeps its interval between two messages, and its order within one", async () => {
    const { happen, told, time } = world([byRouter]);
    await happen(["opened", splitBrain]);
    await time.advance(10_000);
    await happen(["opened", none], ["resolved", over(none)]);
    await time.advance(59_999);
    expect(told).toHaveLength(1);
    await time.advance(1);
    expect(told).toEqual(["opened split-brain to ops", "opened no-master + resolved no-master to ops"]);
  });

  test("stays open for its receiver while one of it is", async () => {
    const { happen, time, attempts } = world([byRouter]);
    await happen(["opened", splitBrain], ["opened", none]);
    await time.advance(10_000);
    await happen(["resolved", over(none)]);
    await time.advance(60_000);
    await happen(["resolved", over(splitBrain)]);
    await time.advance(60_000);
    const payloads = attempts.map(({ message, group }) => webhookPayload(message, "ops", PUBLIC_URL, group));
    expect(
      payloads.map(({ status, alerts }) => [status, alerts.map((a) => `${a.status} ${a.labels["alertname"]}`)]),
    ).toEqual([
      ["firing", ["firing split-brain", "firing no-master"]],
      ["firing", ["resolved no-master", "firing split-brain"]],
      ["resolved", ["resolved split-brain"]],
    ]);
    expect(new Set(payloads.map(({ groupKey: key }) => key))).toEqual(
      new Set(['{}:{cluster="default", router="default/ipv4/51"}']),
    );
    expect(payloads[0]?.commonLabels).toEqual({
      cluster: "default",
      router: "default/ipv4/51",
      instance: "VI_1",
      nodes: "lb1,lb2",
      severity: "critical",
      certainty: "confirmed",
    });
    expect(payloads[0]?.groupLabels).toEqual({ cluster: "default", router: "default/ipv4/51" });
  });

  test("is tried again as the same message; what came meanwhile goes with the next", async () => {
    const { happen, told, time, attempts } = world([byRouter], ["ops"], new MemoryStore(), new ManualTime(), 1);
    await happen(["opened", splitBrain], ["opened", none]);
    await time.advance(10_000);
    await happen(["opened", clash]);
    await time.advance(5000);
    expect(told).toEqual(["opened split-brain + opened no-master to ops"]);
    expect(attempts[1]?.deliveryId).toBe(attempts[0]?.deliveryId);
    await time.advance(60_000);
    expect(told.at(-1)).toBe("opened vip-conflict to ops");
    expect(attempts[2]?.deliveryId).not.toBe(attempts[0]?.deliveryId);
  });

  test("that was begun goes on as the same message after a restart, and one that waited goes when it is due", async () => {
    const first = world([byRouter], ["ops"], new MemoryStore(), new ManualTime(), 1);
    await first.happen(["opened", splitBrain]);
    await first.time.advance(1);
    await first.happen(["opened", none]);
    await first.time.advance(9_999);
    await first.happen(["opened", clash]);
    await first.alerter.stop();
    const second = world([byRouter], ["ops"], first.store, new ManualTime(first.time.now));
    for (const incident of [splitBrain, none, clash]) second.known.set(incident.id, incident);
    await second.alerter.start();
    await second.time.advance(70_000);
    expect(second.told).toEqual(["opened split-brain + opened no-master to ops", "opened vip-conflict to ops"]);
    expect(second.attempts[0]?.deliveryId).toBe(first.attempts[0]?.deliveryId);
  });

  test("takes the end of an incident along although its severity, by which it is grouped, has changed", async () => {
    const { happen, told, time, store } = world([{ ...byRouter, group_by: ["severity"] }]);
    await happen(["opened", splitBrain]);
    await time.advance(10_000);
    await happen(["resolved", over({ ...splitBrain, severity: "warning" })]);
    await time.advance(60_000);
    expect(told).toEqual(["opened split-brain to ops", "resolved split-brain to ops"]);
    expect([...store.rows.values()].map(({ group }) => group)).toEqual([
      '{severity="critical"}',
      '{severity="critical"}',
    ]);
  });

  test.each([{ cluster: 'a "quoted" \\ name', router: "é}" }, {}])(
    "has a key that its labels can be read from: %o",
    (labels) => {
      expect(labelsOfKey(groupKey(labels))).toEqual(labels);
    },
  );
});

describe("a repeat interval", () => {
  const repeating = { receivers: ["ops"], repeat_interval_seconds: 3600 };

  test("has what is still open told again, until it is over", async () => {
    const { happen, told, time, attempts, alerter } = world([repeating]);
    await alerter.start();
    await happen(["opened", splitBrain]);
    await time.advance(3_599_000);
    expect(told).toHaveLength(1);
    await time.advance(3_620_000);
    await happen(["resolved", over(splitBrain)]);
    await time.advance(7_200_000);
    expect(told).toEqual([
      "opened split-brain to ops",
      "reminder split-brain to ops",
      "reminder split-brain to ops",
      "resolved split-brain to ops",
    ]);
    expect(attempts[1]?.message.title).toMatch(/^STILL CRITICAL split-brain/);
    expect(new Set(attempts.map(({ deliveryId }) => deliveryId)).size).toBe(4);
  });

  test("counts on through a restart", async () => {
    const first = world([repeating]);
    await first.happen(["opened", splitBrain]);
    await first.alerter.stop();
    const second = world([repeating], ["ops"], first.store, new ManualTime(T0 + 3_000_000_000));
    second.known.set(splitBrain.id, splitBrain);
    await second.alerter.start();
    await second.time.advance(590_000);
    expect(second.told).toEqual([]);
    await second.time.advance(30_000);
    expect(second.told).toEqual(["reminder split-brain to ops"]);
    await second.alerter.stop();
    expect(second.time.waiting).toBe(0);
  });
});
