import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get as httpGet } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Delivery, Incident, LiveMessage } from "../../../server/api/types.ts";
import { eventually } from "../../support/process.ts";
import { scenario } from "../detect/scenario.ts";
import { batchesOf, endStray, postAll, SPLIT_BRAIN, type TestServer, testServer } from "./support.ts";

const scratch = mkdtempSync(join(tmpdir(), "keepwatch-app-test-"));
afterAll(async () => {
  await endStray();
  rmSync(scratch, { recursive: true, force: true });
});

/** Server-sent events as they arrive. */
async function liveMessages(server: TestServer): Promise<{ next(): Promise<LiveMessage | undefined> }> {
  const response = await server.get("/api/v1/live");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  return {
    async next() {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end < 0) {
          const { done, value } = await reader.read();
          if (done) return undefined;
          text += decoder.decode(value, { stream: true });
          continue;
        }
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (block.startsWith("data: ")) return JSON.parse(block.slice(6)) as LiveMessage;
      }
    },
  };
}

describe("a server", () => {
  afterEach(endStray);

  test("tells its live watchers of an incident and of the timelines that grow, and closes with them connected", async () => {
    const server = await testServer();
    const watcher = await liveMessages(server);
    await postAll(server);
    const seen: LiveMessage[] = [];
    while (!["incident", "timeline", "nodes"].every((type) => seen.some((message) => message.type === type))) {
      const message = await watcher.next();
      if (!message) throw new Error("the stream ended too early");
      seen.push(message);
    }
    const incident = seen.find((message) => message.type === "incident");
    expect(incident).toMatchObject({ incident: { kind: "split-brain", subject: { nodes: ["lb1", "lb2"] } } });
    expect(seen.find((message) => message.type === "timeline")).toMatchObject({ routers: [expect.any(String)] });
    await server.end();
    while (await watcher.next());
  });

  test("knows after a restart what it knew before, with the same ids, and opens nothing twice", async () => {
    const first = await testServer();
    await postAll(first);
    const before = (await first.json("/api/v1/incidents")) as Incident[];
    const routers = await first.json("/api/v1/routers");
    expect(before.map(({ kind, status }) => [kind, status])).toEqual([["split-brain", "open"]]);
    await first.close();

    const second = await testServer({ dir: first.dir });
    expect(await second.json("/api/v1/incidents")).toEqual(before);
    expect(await second.json("/api/v1/routers")).toEqual(routers);
    await postAll(second);
    expect(await second.json("/api/v1/incidents")).toEqual(before);
    expect(((await second.json("/api/v1/events?limit=1000")) as { events: unknown[] }).events).toHaveLength(
      scenario(SPLIT_BRAIN).filter(({ kind }) => kind !== "wire.advert").length,
    );
    await second.end();
  });

  test("concludes at its start from events that were stored before a crash", async () => {
    const first = await testServer();
    // As after a crash between the store and the detection: in the store, and nowhere else.
    for (const batch of batchesOf(scenario(SPLIT_BRAIN))) await first.store.insertBatch(batch);
    expect(await first.json("/api/v1/incidents")).toEqual([]);
    await first.close();
    const second = await testServer({ dir: first.dir });
    expect(((await second.json("/api/v1/incidents")) as Incident[]).map(({ kind }) => kind)).toEqual(["split-brain"]);
    await second.close();
    const third = await testServer({ dir: first.dir });
    expect((await third.store.incidents()).map(({ kind, revision }) => [kind, revision])).toEqual([["split-brain", 1]]);
    await third.end();
  });

  test("keeps a changed incident until the store takes it, and tells people then", async () => {
    const received: { body: string }[] = [];
    const receiver = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        received.push({ body });
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { port } = receiver.address() as { port: number };
    const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    const server = await testServer({
      toml: `[[alerts.webhooks]]\nname = "ops"\nurl = "http://127.0.0.1:${port}/"\nsecret = "${secret}"\n`,
    });
    const save = server.store.saveIncidents.bind(server.store);
    let failures = 0;
    server.store.saveIncidents = async (incidents) => {
      failures += 1;
      if (failures === 1) throw new Error("the disk is full");
      await save(incidents);
    };
    await postAll(server);
    await eventually("the webhook", async () => (received.length > 0 ? true : undefined));
    expect(failures).toBeGreaterThan(1);
    expect((await server.store.incidents()).map(({ kind }) => kind)).toEqual(["split-brain"]);
    // The link in it leads to this server: nobody set public_url.
    expect(received[0]?.body).toContain(server.url);
    const deliveries = (await eventually("the outcome", async () => {
      const rows = (await server.json("/api/v1/deliveries")) as Delivery[];
      return rows.length > 0 && rows.every(({ status }) => status === "sent") ? rows : undefined;
    })) as Delivery[];
    expect(deliveries[0]).toMatchObject({ receiver: "webhook:ops", event: "opened", attempts: 1 });
    expect(await (await server.get("/metrics")).text()).toContain('keepwatch_deliveries_total{outcome="sent"} 1');
    await server.end();
    receiver.close();
  });

  test("acknowledges what it has stored even when nothing can be concluded from it", async () => {
    const server = await testServer();
    const add = server.engine.add.bind(server.engine);
    server.engine.add = () => {
      throw new Error("a fault of ours");
    };
    const [batch] = batchesOf(scenario("at 1 lb1 log MASTER"));
    expect((await server.post(batch)).status).toBe(200);
    expect(await (await server.get("/metrics")).text()).toContain("keepwatch_detection_errors_total 1");
    server.engine.add = add;
    await server.end();
  });

  test("finishes a request that has begun when it is told to stop, and takes no further one", async () => {
    const server = await testServer();
    const insert = server.store.insertBatch.bind(server.store);
    let release = (): void => undefined;
    const entered = new Promise<void>((reached) => {
      server.store.insertBatch = async (batch) => {
        reached();
        await new Promise<void>((resolve) => (release = resolve));
        return insert(batch);
      };
    });
    const answer = server.post(batchesOf(scenario(SPLIT_BRAIN))[0]);
    await entered;
    const closed = server.close();
    await expect(server.get("/healthz")).rejects.toThrow();
    release();
    expect((await answer).status).toBe(200);
    await closed;
    await server.end();
  });

  test("can be reached by a socket file, and leaves a file that is no socket alone", async () => {
    const socket = join(scratch, "keepwatch.sock");
    const server = await testServer({
      toml: `[listen]\nport = 0\nsocket = "${socket}"`,
      overrides: { storage: { path: join(scratch, "s1") } },
    });
    const status = await new Promise<number | undefined>((resolve, reject) =>
      httpGet({ socketPath: socket, path: "/healthz" }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).on("error", reject),
    );
    expect(status).toBe(200);
    await server.end();

    const file = join(scratch, "precious");
    writeFileSync(file, "mine");
    await expect(
      testServer({
        toml: `[listen]\nport = 0\nsocket = "${file}"`,
        overrides: { storage: { path: join(scratch, "s2") } },
      }),
    ).rejects.toMatchObject({ code: "LISTEN_FAILED", message: expect.stringContaining("precious") as string });
  });

  test("says which port is taken, and gives the store free again", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const dir = mkdtempSync(join(scratch, "second-"));
    const overrides = { listen: { port }, storage: { path: join(dir, "store") } };
    await expect(testServer({ dir, overrides })).rejects.toMatchObject({ code: "LISTEN_IN_USE" });
    other.close();
    const again = await testServer({ dir });
    await again.end();
  });

  test("serves the built web timeline under a policy of its own content only, or says how to build it", async () => {
    const webRoot = join(scratch, "web");
    mkdirSync(webRoot);
    writeFileSync(join(webRoot, "index.html"), "<!doctype html><title>keepwatch</title>");
    const built = await testServer({ webRoot });
    const page = await built.get("/");
    expect(await page.text()).toContain("<title>keepwatch</title>");
    expect(page.headers.get("content-security-policy")).toMatch(/default-src 'self'/);
    expect(page.headers.get("content-security-policy")).not.toMatch(/unsafe|http/);
    expect([403, 404]).toContain((await built.get("/..%2f..%2fetc/passwd")).status);
    await built.end();
    const bare = await testServer();
    expect(await (await bare.get("/")).text()).toMatch(/not built.*build:web/);
    await bare.end();
  });
});

describe("a server's metrics", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer();
    await postAll(server);
    await server.post("{}");
  });
  afterAll(() => server.end());

  test("count what came, what was refused and what is open", async () => {
    const text = await (await server.get("/metrics")).text();
    const events = scenario(SPLIT_BRAIN).length;
    for (const line of [
      `keepwatch_ingest_events_total ${events}`,
      'keepwatch_ingest_batches_total{result="new"} 2',
      'keepwatch_ingest_refused_total{reason="malformed"} 1',
      'keepwatch_ingest_refused_total{reason="unauthorised"} 0',
      'keepwatch_incidents_open{kind="split-brain",certainty="confirmed"} 1',
      'keepwatch_incidents_open{kind="no-master",certainty="confirmed"} 0',
      'keepwatch_store_errors_total{operation="write"} 0',
      "keepwatch_deliveries_waiting 0",
    ])
      expect(text.split("\n")).toContain(line);
    expect(text).toMatch(/keepwatch_router_masters\{cluster="default",router="[^"]+"\} 2/);
  });

  test("are lines that Prometheus can read, each with its help and type", async () => {
    const lines = (await (await server.get("/metrics")).text()).split("\n").filter((line) => line !== "");
    const sample =
      /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)*\})? ([Nn]a[Nn]|[+-]?Inf|[-+0-9.e]+)$/;
    expect(lines.filter((line) => !/^# (HELP|TYPE) /.test(line) && !sample.test(line))).toEqual([]);
    const ours = new Set(lines.filter((line) => line.startsWith("keepwatch_")).map((line) => line.split(/[{ ]/)[0]));
    for (const name of ours) {
      expect(lines.some((line) => line.startsWith(`# HELP ${name} `))).toBe(true);
      const counter = lines.includes(`# TYPE ${name} counter`);
      expect([name, name?.endsWith("_total")]).toEqual([name, counter]);
    }
  });
});
