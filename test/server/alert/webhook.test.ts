import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { describe as tell } from "../../../server/alert/message.ts";
import { ANSWER_MAX_BYTES } from "../../../server/alert/notifiers/http.ts";
import { webhookPayload } from "../../../server/alert/notifiers/webhook.ts";
import { change, eventually, PUBLIC_URL, resolved, rig, SECRET, splitBrain, T0, webhookTable } from "./support.ts";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver on loopback. It answers 204 unless told otherwise, one answer a request. */
async function receiver() {
  const received: Received[] = [];
  const answers: ((response: ServerResponse) => void)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString("utf8") });
      const answer = answers.shift() ?? ((response: ServerResponse) => response.writeHead(204).end());
      answer(response);
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { url: `http://127.0.0.1:${port}/hook/token`, origin: `http://127.0.0.1:${port}`, received, answers, close };
}

const answer =
  (status: number, headers: Record<string, string> = {}, body = "") =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end(body);

const verified = ({ headers, body }: Received) => new Webhook(SECRET).verify(body, headers as Record<string, string>);

let ops: Awaited<ReturnType<typeof receiver>>;
beforeEach(async () => {
  // Webhook.verify compares the timestamp with the real clock.
  vi.useFakeTimers({ toFake: ["Date"], now: T0 / 1000 });
  ops = await receiver();
});
afterEach(async () => {
  vi.useRealTimers();
  await ops.close();
});

const alerting = (more: Parameters<typeof rig>[0] = {}, table: Record<string, unknown> = {}) =>
  rig({ alerts: { mail_from_keepalived_conf: false, webhooks: [webhookTable("ops", ops.url, table)] }, ...more });

describe("the payload", () => {
  test.each([
    ["opened", splitBrain],
    ["resolved", resolved(splitBrain)],
  ] as const)("of an incident that is %s is Alertmanager's, version 4", async (event, incident) => {
    const payload = webhookPayload(tell(incident, event, T0, PUBLIC_URL), "ops", PUBLIC_URL);
    await expect(`${JSON.stringify(payload, null, 2)}\n`).toMatchFileSnapshot(`./golden/split-brain.${event}.json`);
  });

  test("keeps its group and fingerprint from opening to end, also when certainty rises", () => {
    const payloads = [
      webhookPayload(tell({ ...splitBrain, certainty: "suspected" }, "opened", T0, PUBLIC_URL), "ops", PUBLIC_URL),
      webhookPayload(tell(splitBrain, "certainty-raised", T0, PUBLIC_URL), "ops", PUBLIC_URL),
      webhookPayload(tell(resolved(splitBrain), "resolved", T0, PUBLIC_URL), "ops", PUBLIC_URL),
    ];
    expect(new Set(payloads.map(({ groupKey }) => groupKey)).size).toBe(1);
    expect(new Set(payloads.map(({ alerts }) => alerts[0]?.fingerprint)).size).toBe(1);
    expect(payloads.map(({ status }) => status)).toEqual(["firing", "firing", "resolved"]);
  });
});

describe("a webhook", () => {
  test("arrives signed, and a receiver can verify it", async () => {
    const { alerter, store } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => store.outcome[0] === "opened webhook:ops sent");
    expect(ops.received).toHaveLength(1);
    const [first] = ops.received as [Received];
    expect(verified(first)).toMatchObject({ version: "4", status: "firing", receiver: "ops" });
    expect(first.headers["webhook-id"]).toBe([...store.rows.keys()][0]);
    expect(first.headers["webhook-timestamp"]).toBe(String(T0 / 1_000_000));
    expect(first.headers["content-type"]).toBe("application/json");
  });

  test("that was tampered with does not verify", async () => {
    const { alerter } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => ops.received.length === 1);
    const [first] = ops.received as [Received];
    expect(() => verified({ ...first, body: first.body.replace("firing", "healed") })).toThrow("No matching signature");
    expect(() => verified({ ...first, headers: { ...first.headers, "webhook-id": "another" } })).toThrow();
  });

  test("is tried again after 503, with the same id, and then is sent", async () => {
    ops.answers.push(answer(503));
    const { alerter, store, time } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(store.saved.at(-1)).toMatchObject({
      status: "pending",
      attempts: 1,
      nextAttemptTs: T0 + 5_000_000,
      lastError: "HTTP 503",
    });
    await time.advance(4_999);
    expect(ops.received).toHaveLength(1);
    await time.advance(1);
    await eventually(() => store.outcome[0] === "opened webhook:ops sent");
    expect(ops.received.map(({ headers }) => headers["webhook-id"])).toEqual([store.saved[0]?.id, store.saved[0]?.id]);
    expect(store.saved.at(-1)).toMatchObject({ attempts: 2, lastError: null });
  });

  test("waits as long as Retry-After asks for, when that is longer", async () => {
    ops.answers.push(answer(429, { "retry-after": "120" }));
    const { alerter, time } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(time.nextMs).toBe(120_000);
  });

  test.each([400, 401, 404, 422])("is not tried again after %d", async (status) => {
    ops.answers.push(answer(status, {}, "no such\r\nhook"));
    const { alerter, store, logged } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => store.outcome[0] === "opened webhook:ops failed");
    expect(store.saved.at(-1)).toMatchObject({ attempts: 1, lastError: `HTTP ${status} no such hook` });
    expect(logged).toEqual([
      `error: webhook:ops was not told (${ops.origin}/…) after 1 attempt: HTTP ${status} no such hook`,
    ]);
  });

  test.each([408, 429, 500, 302])("is tried again after %d", async (status) => {
    ops.answers.push(answer(status));
    const { alerter, store, time } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(store.outcome).toEqual(["opened webhook:ops pending"]);
  });

  test("that is answered 410 switches its receiver off, which is said and recorded", async () => {
    ops.answers.push(answer(410));
    const { alerter, store, logged } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => store.outcome[0] === "opened webhook:ops failed");
    await alerter.notify(change("resolved", resolved(splitBrain)));
    expect(store.outcome).toEqual(["opened webhook:ops failed", "resolved webhook:ops failed"]);
    expect(store.saved.at(-1)?.lastError).toBe("switched off, since it answered HTTP 410");
    expect(ops.received).toHaveLength(1);
    expect(logged.join("\n")).toContain("webhook:ops wants no more notifications");
  });

  test("does not follow a redirect to another place, nor tells that place's path", async () => {
    const elsewhere = await receiver();
    ops.answers.push(answer(307, { location: elsewhere.url }));
    const { alerter, store, time } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(elsewhere.received).toEqual([]);
    expect(store.saved.at(-1)?.lastError).toContain(
      `HTTP 307: a redirect to ${elsewhere.origin}, which is not followed`,
    );
    expect(store.saved.at(-1)?.lastError).not.toContain("token");
    await elsewhere.close();
  });

  test("reads no more of an endless answer than it needs", async () => {
    let written = 0;
    ops.answers.push((response) => {
      response.writeHead(500);
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(1024))) written += 1024;
      };
      response.on("drain", more);
      more();
    });
    const { alerter, time, store } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(store.saved.at(-1)?.lastError?.length).toBeLessThanOrEqual(300);
    // What the sockets buffer is beyond our say; it is far from endless.
    expect(written).toBeLessThan(ANSWER_MAX_BYTES + 8 * 1024 * 1024);
  });

  test("gives up waiting for an answer that does not come", async () => {
    ops.answers.push(() => undefined);
    const { alerter, store, time } = rig({
      alerts: {
        mail_from_keepalived_conf: false,
        webhook_timeout_seconds: 1,
        webhooks: [webhookTable("ops", ops.url)],
      },
    });
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(store.saved.at(-1)?.lastError).toMatch(/timeout/i);
  });

  test("to a port where nobody listens is tried again, and says why", async () => {
    await ops.close();
    const { alerter, store, time } = alerting();
    await alerter.notify(change("opened", splitBrain));
    await eventually(() => time.waiting === 1);
    expect(store.saved.at(-1)?.lastError).toContain("ECONNREFUSED");
    ops = await receiver();
  });

  test("is recorded without the path of its URL, which may hold a secret", async () => {
    const { alerter, store } = alerting();
    await alerter.notify(change("opened", splitBrain));
    expect(store.saved[0]?.target).toBe(`${ops.origin}/…`);
  });
});
