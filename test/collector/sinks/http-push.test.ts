import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type BatchQueue, HttpPush } from "../../../collector/sinks/http-push.ts";
import type { Pending } from "../../../collector/sinks/spool.ts";
import { Transport } from "../../../collector/sinks/transport.ts";

const RECEIPT = JSON.stringify({ accepted: 1, duplicate: false, serverTs: 1_700_000_000_000_000 });

/** What the server is to do with the next request; 200 when the list is empty. */
type Reaction = (req: IncomingMessage, res: ServerResponse) => void;
const answer =
  (status: number, headers: Record<string, string> = {}, text = status === 200 ? RECEIPT : ""): Reaction =>
  (_req, res) =>
    res.writeHead(status, headers).end(text);

let server: Server;
let url: string;
let bodies: Buffer[];
let tokens: (string | undefined)[];
let reactions: Reaction[];
let waits: number[];

beforeEach(async () => {
  bodies = [];
  tokens = [];
  reactions = [];
  waits = [];
  server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const raw = Buffer.concat(chunks);
      bodies.push(req.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw);
      tokens.push(req.headers.authorization);
      (reactions.shift() ?? answer(200))(req, res);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A queue in memory that ends when all of it is gone. */
class Queue implements BatchQueue {
  readonly dead: string[] = [];
  private readonly items: Pending[];

  constructor(texts: readonly string[]) {
    this.items = texts.map((text, i) => ({ sequence: i + 1, body: Buffer.from(text), events: 1 }));
  }

  left = (): number => this.items.length;
  next = async (_signal: AbortSignal, after: number): Promise<Pending | undefined> =>
    this.items.find(({ sequence }) => sequence > after);
  acknowledge = async (sequence: number): Promise<void> => {
    expect(this.items.shift()?.sequence).toBe(sequence);
  };
  deadLetter = async ({ body }: Pending, reason: string): Promise<void> => {
    this.items.shift();
    this.dead.push(`${body.toString()}: ${reason}`);
  };
}

async function push(
  texts: readonly string[],
  options: {
    url?: string;
    token?: string;
    giveUpAfter?: number;
    answerTimeoutMs?: number;
    failOnce?: "next" | "acknowledge" | "deadLetter";
  } = {},
): Promise<{ queue: Queue; sender: HttpPush; said: string[] }> {
  const queue = new Queue(texts);
  const { failOnce } = options;
  if (failOnce) vi.spyOn(queue, failOnce).mockRejectedValueOnce(new Error("input/output error"));
  const said: string[] = [];
  let sender: HttpPush | undefined;
  const wait = async (ms: number): Promise<void> => {
    waits.push(ms);
    if (waits.length >= (options.giveUpAfter ?? 100)) void sender?.stop();
  };
  sender = new HttpPush({
    transport: new Transport({
      url: options.url ?? url,
      ...(options.token === undefined ? {} : { token: options.token }),
      ...(options.answerTimeoutMs === undefined ? {} : { answerTimeoutMs: options.answerTimeoutMs }),
    }),
    queue,
    log: (_level, message, fields) => said.push(`${message} ${String(fields?.["why"] ?? fields?.["reason"] ?? "")}`),
    random: () => 0.5,
    wait,
  });
  sender.start();
  // The queue answers undefined when it is empty: that ends the sender.
  await Reflect.get(sender, "done");
  return { queue, sender, said };
}

const texts = (): string[] => bodies.map((body) => body.toString());

describe("the push", () => {
  test("sends batches in order, with the node's token, and acknowledges each", async () => {
    const { sender } = await push(["one", "two", "three"], { token: "a-token" });
    expect(texts()).toEqual(["one", "two", "three"]);
    expect(tokens).toEqual(Array(3).fill("Bearer a-token"));
    expect(sender.state()).toEqual({ sent: 3, deadLettered: 0 });
  });

  test("compresses what is large, and the bytes that arrive are those of the spool", async () => {
    const large = JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ i })));
    await push([large, "small"]);
    expect(texts()).toEqual([large, "small"]);
  });

  test("tries again after a 503, byte for byte the same, and waits longer each time", async () => {
    reactions = [answer(503), answer(503), answer(503)];
    await push(["one", "two"]);
    expect(texts()).toEqual(["one", "one", "one", "one", "two"]);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(new Set(waits).size).toBe(3);
  });

  test("sends the same once more when the answer was lost", async () => {
    reactions = [(req) => req.socket.destroy()];
    await push(["one", "two"]);
    expect(texts()).toEqual(["one", "one", "two"]);
  });

  test("waits as long as it is asked to", async () => {
    reactions = [answer(429, { "retry-after": "7" })];
    await push(["one"]);
    expect(waits).toEqual([7000]);
  });

  test("puts a batch that is refused for good aside with the reason, and goes on", async () => {
    reactions = [answer(400, {}, "events[3].priority must be <= 255")];
    const { queue, sender } = await push(["bad", "good"]);
    expect(texts()).toEqual(["bad", "good"]);
    expect(queue.dead).toEqual(["bad: the server answered 400: events[3].priority must be <= 255"]);
    expect(sender.state()).toEqual({ sent: 1, deadLettered: 1 });
  });

  test.each([
    [401, /does not know this collector's token/],
    [403, /belongs to another node/],
  ])("keeps what a %i refuses, tries again slowly and says what to do", async (status, told) => {
    reactions = [answer(status)];
    const { said, queue } = await push(["one"]);
    expect(said[0]).toMatch(told);
    expect(queue.dead).toEqual([]);
    expect(waits[0]).toBeGreaterThanOrEqual(30_000);
  });

  test("keeps everything while the server cannot be reached, and says so once", async () => {
    server.close();
    const { said, sender } = await push(["one"], { giveUpAfter: 5 });
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("ECONNREFUSED");
    expect(sender.state().sent).toBe(0);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_000);
  });

  test("keeps what something else than a keepwatch server says 200 to", async () => {
    reactions = [answer(200, {}, "<html>It works!</html>"), answer(200, {}, "{}")];
    const { said, sender } = await push(["one"]);
    expect(texts()).toEqual(["one", "one", "one"]);
    expect(said[0]).toContain("not a keepwatch server");
    expect(sender.state()).toEqual({ sent: 1, deadLettered: 0 });
  });

  test("tries again when the server says nothing for too long", async () => {
    reactions = [() => undefined];
    const { said } = await push(["one", "two"], { answerTimeoutMs: 50 });
    expect(texts()).toEqual(["one", "one", "two"]);
    expect(said[0]).toContain("no answer within 0.05 s");
  });

  test("sends at once again when an idle connection was closed under it, and says nothing", async () => {
    // The second request comes over the first one's connection, which the server closes without an answer.
    reactions = [answer(200), (req) => req.socket.resetAndDestroy()];
    const { said } = await push(["one", "two"]);
    expect(texts()).toEqual(["one", "two", "two"]);
    expect([waits, said]).toEqual([[], []]);
  });

  test.each(["next", "acknowledge", "deadLetter"] as const)("outlives a spool whose %s fails", async (method) => {
    reactions = method === "deadLetter" ? [answer(400), answer(400)] : [];
    const { said, queue } = await push(["one", "two"], { failOnce: method });
    expect(texts().at(-1)).toBe("two");
    expect(queue.left()).toBe(0);
    expect(said).toContainEqual(expect.stringContaining("the spool cannot be read: input/output error"));
  });

  test("stops at once in the middle of a slow answer, and does not blame the server", async () => {
    const queue = new Queue(["one"]);
    const said: string[] = [];
    const asked = new Promise<void>((resolve) => (reactions = [() => resolve()]));
    const sender = new HttpPush({
      transport: new Transport({ url }),
      queue,
      log: (_level, message) => said.push(message),
      random: () => 0.5,
      wait: async () => undefined,
    });
    sender.start();
    await asked;
    await sender.stop();
    expect([said, queue.left(), sender.state()]).toEqual([[], 1, { sent: 0, deadLettered: 0 }]);
  });

  test("has several on their way while all goes well, and acknowledges none before those that came earlier", async () => {
    const names = Array.from({ length: 8 }, (_, i) => `batch ${i}`);
    const queue = new Queue(names);
    let hanging: ServerResponse | undefined;
    // The sixth gets no answer; those behind it do.
    const overtaken = new Promise<void>((resolve) => {
      reactions = [
        ...Array.from({ length: 5 }, () => answer(200)),
        (_req, res) => (hanging = res),
        (req, res) => {
          res.once("finish", resolve);
          answer(200)(req, res);
        },
      ];
    });
    const sender = new HttpPush({
      transport: new Transport({ url }),
      queue,
      log: () => undefined,
      random: () => 0.5,
      wait: async () => undefined,
    });
    sender.start();
    await overtaken;
    await new Promise((resolve) => setImmediate(resolve));
    expect(hanging).toBeDefined();
    await sender.stop();
    expect(queue.left()).toBe(3);
    expect(sender.state().sent).toBe(5);
  });

  test("reaches a server by its socket file", async () => {
    const dir = mkdtempSync(join(tmpdir(), "keepwatch-push-"));
    const local = createServer((req, res) => {
      req.resume().on("end", () => res.writeHead(200).end(RECEIPT));
    });
    local.listen(join(dir, "socket"));
    await once(local, "listening");
    const { sender } = await push(["one"], { url: `unix:${join(dir, "socket")}` });
    expect(sender.state().sent).toBe(1);
    local.closeAllConnections();
    local.close();
    rmSync(dir, { recursive: true, force: true });
  });
});
