import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import type { BatchAgain } from "../../../collector/sinks/again.ts";
import { bodyOf, partsOf } from "../../../collector/sinks/body.ts";
import { Resender, SETTLE_MS } from "../../../collector/sinks/resender.ts";
import { type Append, Spool, type SpoolOptions } from "../../../collector/sinks/spool.ts";
import { Transport } from "../../../collector/sinks/transport.ts";

let dir: string;
let now: number;
let said: string[];
const spools = new Set<Spool>();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "keepwatch-again-"));
  now = 1_772_700_000_000;
  said = [];
});
afterEach(async () => {
  for (const spool of spools) await spool.close();
  spools.clear();
  rmSync(dir, { recursive: true, force: true });
});

async function open(options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const spool = await Spool.open({
    dir,
    segmentBytes: 1_000,
    keepHours: 48,
    now: () => now,
    log: (_level, message) => said.push(message),
    ...options,
  });
  spools.add(spool);
  return spool;
}
async function reopened(spool: Spool, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  await spool.close();
  spools.delete(spool);
  return open(options);
}

/** A batch of two events of that name. */
const batch = (name: string, series: Append["series"] = "events", boot = "1"): Append => ({
  series,
  events: 2,
  positions: {},
  body: bodyOf(
    JSON.stringify({
      version: 1,
      cluster: "web",
      node: "lb1",
      collector: { id: "0".repeat(32), boot: boot.repeat(32) },
    }),
    JSON.stringify(
      [1, 2].map((i) => ({ id: `${name}.${i}`, ts: now * 1_000, kind: "vrrp.state", raw: 'é,"events":[]}' })),
    ),
  ),
});

async function sendAll(spool: Spool): Promise<void> {
  while (spool.stats().batches > 0) {
    const next = await spool.next();
    if (!next) break;
    await spool.acknowledge(next.sequence);
  }
}

const idsIn = ({ body }: Pick<BatchAgain, "body">): string[] =>
  (JSON.parse(gunzipSync(body).toString()) as Batch).events.map(({ id }) => id);

/** All that is to be sent again now. @param accepted  of each file */
async function again(spool: Spool, accepted: (events: number) => number = (events) => events): Promise<string[]> {
  const ids: string[] = [];
  const over = new AbortController();
  for (;;) {
    const found = await Promise.race([
      spool.nextAgain(over.signal),
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 200)),
    ]);
    if (!found) break;
    ids.push(...idsIn(found));
    await spool.settleAgain(found, { accepted: accepted(found.file.events) });
  }
  over.abort();
  return ids;
}
const idsOf = (names: readonly string[]): string[] => names.flatMap((name) => [`${name}.1`, `${name}.2`]);

describe("what was acknowledged", () => {
  test("is sent again when another store answers, events first, each once, and not what was acknowledged by it", async () => {
    const spool = await open();
    for (let i = 0; i < 9; i++) await spool.append([batch(`advert ${i}`, "adverts"), batch(`event ${i}`)]);
    expect(await spool.servedBy("one")).toBe(false);
    await sendAll(spool);
    expect(await again(spool)).toEqual([]);
    await spool.append([batch("waits")]);
    expect(await spool.servedBy("two")).toBe(true);
    await sendAll(spool);
    const names = (what: string): string[] => Array.from({ length: 9 }, (_, i) => `${what} ${i}`);
    expect(await again(spool)).toEqual(idsOf([...names("event"), ...names("advert")]));
    expect(await again(spool)).toEqual([]);
    expect(await spool.servedBy("two")).toBe(false);
    expect(spool.untold()).toEqual([]);
    // And once more for a third.
    expect(await spool.servedBy("three")).toBe(true);
    expect(await again(spool)).toEqual(idsOf([...names("event"), "waits", ...names("advert")]));
  });

  test("is gone on with after a restart where it was, and what is known of the store as well", async () => {
    let spool = await open();
    for (let i = 0; i < 12; i++) await spool.append([batch(`event ${i}`)]);
    await spool.servedBy("one");
    await sendAll(spool);
    spool = await reopened(spool);
    expect(await spool.servedBy("one")).toBe(false);
    expect(await spool.servedBy("two")).toBe(true);
    const first = await spool.nextAgain(new AbortController().signal);
    const second =
      first &&
      (await spool.settleAgain(first, { accepted: 0 }).then(() => spool.nextAgain(new AbortController().signal)));
    spool = await reopened(spool);
    const rest = await again(spool);
    expect(rest[0]).toBe(second && idsIn(second)[0]);
    expect(first && [...idsIn(first), ...rest]).toEqual(idsOf(Array.from({ length: 12 }, (_, i) => `event ${i}`)));
  });

  test("is put together by sender, and is valid as it stands", async () => {
    const spool = await open({ segmentBytes: 100_000 });
    await spool.append([batch("a", "events", "1"), batch("b", "events", "1"), batch("c", "events", "2")]);
    await spool.servedBy("one");
    await sendAll(spool);
    await spool.servedBy("two");
    expect(readdirSync(join(dir, "sent")).map((name) => name.slice(26, 34))).toEqual(["events-4", "events-2"]);
    const found = await spool.nextAgain(new AbortController().signal);
    const body = JSON.parse(gunzipSync(found?.body ?? Buffer.alloc(0)).toString()) as Batch;
    expect(body).toMatchObject({ version: 1, cluster: "web", node: "lb1", collector: { boot: "1".repeat(32) } });
    expect(body.batchId).toMatch(/^[0-9a-f]{32}$/);
    expect(body.events).toHaveLength(4);
    // A batch of an earlier release begins with its version.
    const parts = partsOf(
      Buffer.from(`{"version":1,"batchId":"${"0".repeat(32)}","cluster":"web","events":[{"id":1}]}`),
    );
    expect([parts?.envelope, parts?.events.toString()]).toEqual(['{"version":1,"cluster":"web"}', '{"id":1}']);
  });

  test("is kept for as long as is asked for, and adverts go first where there is no room", async () => {
    let spool = await open({ bytesMax: 4_000, segmentBytes: 600 });
    const fill = async (from: number): Promise<void> => {
      for (let i = from; i < from + 40; i++) {
        await spool.append([batch(`advert ${i}`, "adverts"), batch(`event ${i}`)]);
        await sendAll(spool);
      }
    };
    await spool.servedBy("one");
    await fill(0);
    expect(spool.stats().kept + spool.stats().bytes).toBeLessThanOrEqual(4_000);
    expect(spool.stats().kept).toBeGreaterThan(1_000);
    const files = readdirSync(join(dir, "sent"));
    expect(files.length).toBeGreaterThan(6);
    expect(files.filter((name) => name.includes("adverts")).length).toBeLessThan(3);
    now += 49 * 3_600_000;
    spool = await reopened(spool);
    expect(spool.stats().kept).toBe(0);
    // The last was still in the queue's own file then.
    await fill(40);
    await spool.servedBy("two");
    expect((await again(spool)).filter((id) => /event ([0-9]|[12][0-9]|3[0-8])\./.test(id))).toEqual([]);
  });

  test("is not kept when that is not asked for, nor is what the server refused", async () => {
    let spool = await open({ keepHours: 0 });
    await spool.append([batch("a")]);
    await spool.servedBy("one");
    await sendAll(spool);
    await spool.servedBy("two");
    expect(await again(spool)).toEqual([]);
    expect(spool.untold()).toMatchObject([
      { reason: expect.stringContaining("kept here no more") as string, to: now * 1_000 },
    ]);
    spool.told(spool.untold());
    spool = await reopened(spool, {});
    await spool.append([batch("b"), batch("bad"), batch("c")]);
    for (let next = await spool.next(); next; next = spool.stats().batches > 0 ? await spool.next() : undefined)
      await (next.body.includes("bad") ? spool.deadLetter(next, "no") : spool.acknowledge(next.sequence));
    spool = await reopened(spool);
    await spool.servedBy("three");
    expect(await again(spool)).toEqual(idsOf(["b", "c"]));
  });
});

describe("a gap is told", () => {
  const gone = async (accepted: (events: number) => number): Promise<readonly object[]> => {
    let spool = await open({ keepHours: 1 });
    await spool.append([batch("old")]);
    await spool.servedBy("one");
    await sendAll(spool);
    spool = await reopened(spool);
    await spool.servedBy("two");
    await again(spool);
    now += 2 * 3_600_000;
    spool = await reopened(spool, { keepHours: 1 });
    await spool.append([batch("new"), batch("newer")]);
    await sendAll(spool);
    await spool.servedBy("three");
    await again(spool, accepted);
    return spool.untold();
  };

  test("up to what is kept, when the store has nothing of the oldest of it", async () => {
    expect(await gone((events) => events)).toEqual([
      expect.objectContaining({
        reason: expect.stringContaining("events that it had been sent") as string,
        to: now * 1_000,
        events: undefined,
      }),
    ]);
  });

  test("not when it has some of that: what came before is there too", async () => {
    expect(await gone((events) => events - 1)).toEqual([]);
  });

  test("of what is refused, with how much that was", async () => {
    const spool = await open();
    await spool.append([batch("a")]);
    await spool.servedBy("one");
    await sendAll(spool);
    await spool.servedBy("two");
    const found = await spool.nextAgain(new AbortController().signal);
    if (found) await spool.settleAgain(found, { refused: "the server answered 400" });
    expect(spool.untold()).toMatchObject([
      { events: 2, from: now * 1_000, reason: expect.stringContaining("400") as string },
    ]);
  });
});

describe("the way to another store", () => {
  const answers: object[] = [];
  const headers: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    headers.push(req.headers["keepwatch-resent"] as string | undefined);
    req
      .resume()
      .on("end", () => res.end(JSON.stringify({ accepted: 2, duplicate: false, serverTs: 1, ...answers.shift() })));
  });
  beforeEach(async () => {
    answers.length = 0;
    headers.length = 0;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test("is taken once it has answered for a while, and servers that take turns are told of", async () => {
    const spool = await open();
    await spool.append([batch("a")]);
    await spool.servedBy("one");
    await sendAll(spool);
    const waits: (() => void)[] = [];
    const transport = new Transport({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    const resender = new Resender({
      transport,
      queue: spool,
      log: (_level, message) => said.push(message),
      random: () => 0,
      wait: (ms, signal) =>
        new Promise((resolve) => {
          expect(ms).toBe(SETTLE_MS);
          signal.addEventListener("abort", () => resolve());
          waits.push(resolve);
        }),
    });
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    resender.start();
    await resender.servedBy("two");
    await until(() => waits.length === 1);
    await resender.servedBy("one");
    await resender.servedBy("two");
    expect(said).toContainEqual(expect.stringMatching(/must share a store/));
    waits[0]?.();
    await until(() => waits.length === 2);
    expect(headers).toEqual([]);
    // A server of an earlier release does not name its store.
    answers.push({}, { incarnation: "two" });
    waits[1]?.();
    await until(() => said.includes("all that is kept was sent again"));
    expect(headers).toEqual(["restored"]);
    await resender.stop();
    transport.close();
  });
});
