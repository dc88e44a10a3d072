import { createHash } from "node:crypto";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX, type Batch } from "../../../collector/events/batch.ts";
import { problemDocuments } from "../../../server/api/problems.ts";
import type { Problem } from "../../../server/api/types.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { Namesakes } from "../../../server/ingest/namesakes.ts";
import { ingestRoutes } from "../../../server/ingest/routes.ts";
import { StoreRefusal } from "../../../server/store/store.ts";
import { batchesOf, clock, NOW } from "../app/support.ts";
import { scenario } from "../detect/scenario.ts";

const [batch] = batchesOf(scenario("at 1 lb1 log BACKUP init\nat 2 lb1 log MASTER\nat 3 lb1 log BACKUP")) as [Batch];
const sha256 = (token: string): string => createHash("sha256").update(token).digest("hex");

interface Bench {
  /** The store has stored it, by this process. */
  knows: boolean;
  readonly app: FastifyInstance;
  readonly stored: Batch[];
  readonly detected: Batch[];
  readonly counted: string[];
  insert: (batch: Batch) => Promise<{ readonly duplicate: boolean }>;
  readonly post: (
    body: unknown,
    headers?: Record<string, string>,
  ) => Promise<{ status: number; body: Problem; headers: unknown }>;
}

let bench: Bench | undefined;
afterEach(async () => bench?.app.close());

/** The routes with a store that a test can stall or break. */
function benchOf(toml = ""): Bench {
  const { ingest } = parseServerConfig(toml, "test.toml");
  const app = Fastify();
  problemDocuments(app, () => undefined);
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  const made: Bench = {
    app,
    stored: [],
    detected: [],
    counted: [],
    knows: false,
    insert: async (taken) => {
      made.stored.push(taken);
      return { duplicate: false };
    },
    post: async (body, headers = {}) => {
      const answer = await app.inject({
        method: "POST",
        url: "/api/v1/ingest",
        headers: { "content-type": "application/json", ...headers },
        payload: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      });
      return { status: answer.statusCode, body: answer.json<Problem>(), headers: answer.headers };
    },
  };
  ingestRoutes(app, {
    config: ingest,
    store: {
      insertBatch: (taken) => made.insert(taken),
      insertResent: async ({ events }) => ({ stored: events.slice(1), duplicate: made.knows }),
      incarnation: "the first",
    },
    namesakes: new Namesakes(clock, [], () => false),
    clock,
    metrics: {
      accepted: (events, duplicate) => made.counted.push(`accepted ${events}${duplicate ? " again" : ""}`),
      refused: (reason) => made.counted.push(reason),
    },
    onStored: (taken) => made.detected.push(taken),
  });
  bench = made;
  return made;
}

const withEvent = (index: number, change: object): unknown => ({
  ...batch,
  events: batch.events.map((event, i) => (i === index ? { ...event, ...change } : event)),
});

describe("a batch that is in order", () => {
  test("is stored, handed to detection and acknowledged with the server's time", async () => {
    const { post, stored, detected, counted } = benchOf();
    const { status, body } = await post(batch);
    expect([status, body]).toEqual([
      200,
      { accepted: 3, duplicate: false, receivedTs: NOW, serverTs: NOW, incarnation: "the first" },
    ]);
    expect(stored).toEqual([batch]);
    expect(detected).toEqual([batch]);
    expect(counted).toEqual(["accepted 3"]);
  });

  test("that another store had acknowledged is looked up, and only what is missing is detected and counted", async () => {
    const { post, stored, detected } = benchOf();
    const { status, body } = await post(batch, { "keepwatch-resent": "restored" });
    expect([status, body]).toMatchObject([200, { accepted: 2, duplicate: false }]);
    expect(stored).toEqual([]);
    expect(detected).toEqual([{ ...batch, events: batch.events.slice(1) }]);
  });

  test("of which an answer was lost is looked up, and detected whole, unless that was done here", async () => {
    const made = benchOf();
    expect((await made.post(batch, { "keepwatch-resent": "again" })).body).toMatchObject({ accepted: 2 });
    expect(made.detected).toEqual([batch]);
    made.knows = true;
    await made.post(batch, { "keepwatch-resent": "again" });
    expect(made.detected.slice(1)).toEqual([{ ...batch, events: batch.events.slice(1) }]);
  });

  test("may come compressed", async () => {
    const { post, stored } = benchOf();
    expect((await post(gzipSync(JSON.stringify(batch)), { "content-encoding": "gzip" })).status).toBe(200);
    expect(stored).toEqual([batch]);
  });

  test("is not detected twice when the store had it", async () => {
    const made = benchOf();
    made.insert = async () => ({ duplicate: true });
    expect((await made.post(batch)).body).toMatchObject({ accepted: 0, duplicate: true });
    expect([made.detected, made.counted]).toEqual([[], ["accepted 3 again"]]);
  });

  test("is acknowledged only once the store has it", async () => {
    const made = benchOf();
    let release: (() => void) | undefined;
    made.insert = async () => {
      await new Promise<void>((resolve) => (release = resolve));
      return { duplicate: false };
    };
    let answered = false;
    const answer = made.post(batch).finally(() => (answered = true));
    await expect.poll(() => release).toBeDefined();
    expect([answered, made.detected]).toEqual([false, []]);
    release?.();
    expect((await answer).status).toBe(200);
  });
});

describe("a batch that can never be taken", () => {
  const cases: readonly [string, unknown, number, string | undefined, RegExp][] = [
    ["no JSON", "{", 400, undefined, /not JSON/],
    ["an empty body", "", 400, undefined, /./],
    ["no batch", [], 400, "body", /contract/],
    ["another version", { ...batch, version: 2 }, 400, "version", /version/],
    ["a bad batch id", { ...batch, batchId: "xyz" }, 400, "batchId", /batchId/],
    ["an unknown field", { ...batch, extra: 1 }, 400, "extra", /is not a field of a batch/],
    ["an event that is none", withEvent(1, { kind: "vrrp.stat" }), 400, "events[1].kind", /unknown kind/],
    ["a field out of range", withEvent(2, { ts: -1 }), 400, "events[2].ts", /ts/],
    ["a time no store can hold", withEvent(2, { ts: 1e300 }), 400, "events[2].ts", /ts/],
    ["an unknown field of an event", withEvent(0, { password: "hunter2" }), 400, "events[0].password", /password/],
    ["an event of another node", withEvent(1, { node: "lb2" }), 400, "events[1].node", /not the batch's node/],
    [
      "an event of another cluster",
      withEvent(1, { cluster: "x" }),
      400,
      "events[1].cluster",
      /not the batch's cluster/,
    ],
    [
      "too many events",
      { ...batch, events: Array.from({ length: BATCH_EVENTS_MAX + 1 }, () => 0) },
      413,
      undefined,
      /more than 5000 events/,
    ],
  ];
  test.each(cases)("is refused whole: %s", async (_name, body, status, at, detail) => {
    const { post, stored, counted } = benchOf();
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({ "content-type": expect.stringMatching(/^application\/problem\+json/) });
    expect(answer.body).toMatchObject({ type: "about:blank", status });
    expect(answer.body.detail).toMatch(detail);
    expect(answer.body.faults?.[0]?.at).toBe(at);
    expect(JSON.stringify(answer.body)).not.toMatch(/hunter2|node_modules|\.ts:\d/);
    expect(stored).toEqual([]);
    expect(counted).toEqual([status === 413 ? "too-large" : "malformed"]);
  });

  test("names every event at fault, up to twenty", async () => {
    const { post } = benchOf();
    const events = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? batch.events[0] : { kind: "nonsense" }));
    const { faults = [] } = (await post({ ...batch, events })).body;
    expect(faults.map(({ at }) => at).slice(0, 3)).toEqual(["events[1].kind", "events[2].kind", "events[4].kind"]);
    expect(faults).toHaveLength(20);
  });

  test("is refused when it is larger than allowed, compressed or not", async () => {
    const { post, counted } = benchOf();
    const large = JSON.stringify({ ...batch, padding: "x".repeat(BATCH_BYTES_MAX) });
    expect((await post(large)).status).toBe(413);
    expect((await post(gzipSync(large), { "content-encoding": "gzip" })).status).toBe(413);
    expect(counted).toEqual(["too-large", "too-large"]);
  });

  test("is refused before it is read when it has more in it than a batch can have", async () => {
    const { post, counted } = benchOf();
    const { status, body } = await post(`[${"{},".repeat(1_000_000)}{}]`);
    expect([status, body.detail, counted]).toEqual([
      413,
      expect.stringMatching(/more than 1000000 objects/),
      ["too-large"],
    ]);
  });

  test("is refused when its encoding is not what it says", async () => {
    const { post } = benchOf();
    expect((await post("{}", { "content-encoding": "gzip" })).status).toBe(400);
    expect((await post("{}", { "content-encoding": "br" })).status).toBe(415);
    expect((await post("{}", { "content-type": "text/plain" })).status).toBe(415);
  });

  test("is told so when the store can never hold it", async () => {
    const made = benchOf();
    made.insert = () => Promise.reject(new StoreRefusal("a value is outside what the store can hold"));
    const { status, body } = await made.post(batch);
    expect([status, made.counted]).toEqual([400, ["malformed"]]);
    expect(body.detail).toMatch(/cannot be stored/);
  });
});

describe("a batch that may be taken later", () => {
  test("is sent back with a time to wait when the store fails, without the store's own words", async () => {
    const made = benchOf();
    made.insert = () => Promise.reject(new Error("No space left on device, row: secret of another node"));
    const { status, body, headers } = await made.post(batch);
    expect(status).toBe(503);
    expect(headers).toMatchObject({ "retry-after": "2" });
    expect(body.detail).not.toMatch(/secret/);
    expect([made.detected, made.counted]).toEqual([[], ["store"]]);
  });

  test("is sent back when too many wait, and is welcome again when they are done", async () => {
    const made = benchOf("[ingest]\nin_flight_max = 2");
    const waiting: (() => void)[] = [];
    made.insert = async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { duplicate: false };
    };
    const first = [made.post(batch), made.post(batch)];
    await expect.poll(() => waiting.length).toBe(2);
    const { status, headers } = await made.post(batch);
    expect(status).toBe(429);
    expect(headers).toMatchObject({ "retry-after": "2" });
    for (const release of waiting) release();
    expect((await Promise.all(first)).map((answer) => answer.status)).toEqual([200, 200]);
    made.insert = async () => ({ duplicate: false });
    expect((await made.post(batch)).status).toBe(200);
  });

  test("does not keep its place when its sender goes away half way", async () => {
    const made = benchOf("[ingest]\nin_flight_max = 1");
    await made.app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = made.app.server.address() as { port: number };
    for (let i = 0; i < 3; i++) {
      const socket = connect(port, "127.0.0.1");
      await new Promise<void>((resolve) => socket.once("connect", resolve));
      socket.write(
        "POST /api/v1/ingest HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
      );
      socket.destroy();
    }
    await expect.poll(async () => (await made.post(batch)).status).toBe(200);
  });
});

describe("a server with tokens", () => {
  const tokens = `[[ingest.tokens]]\nnode = "lb1"\nsha256 = "${sha256("token-of-lb1")}"
[[ingest.tokens]]\nnode = "lb2"\nsha256 = "${sha256("token-of-lb2")}"`;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test("takes a node's batch with that node's token", async () => {
    expect((await benchOf(tokens).post(batch, bearer("token-of-lb1"))).status).toBe(200);
  });

  test.each([
    ["no token", {}, 401, "unauthorised"],
    ["an unknown token", bearer("token-of-lb3"), 401, "unauthorised"],
    ["the hash instead of the token", bearer(sha256("token-of-lb1")), 401, "unauthorised"],
    ["another scheme", { authorization: "Basic token-of-lb1" }, 401, "unauthorised"],
    ["another node's token", bearer("token-of-lb2"), 403, "foreign-node"],
  ])("refuses it with %s", async (_name, headers, status, reason) => {
    const { post, stored, counted } = benchOf(tokens);
    const answer = await post(batch, headers as Record<string, string>);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).not.toMatch(/token-of/);
    expect([stored, counted]).toEqual([[], [reason]]);
  });

  test("does not read the body of a stranger", async () => {
    const { post } = benchOf(tokens);
    expect((await post("x".repeat(BATCH_BYTES_MAX + 1))).status).toBe(401);
  });

  test("does not let a node write another's events in its own batch", async () => {
    const { post, stored } = benchOf(tokens);
    expect((await post(withEvent(0, { node: "lb2" }), bearer("token-of-lb1"))).status).toBe(400);
    expect(stored).toEqual([]);
  });
});
