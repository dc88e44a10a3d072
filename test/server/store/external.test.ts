import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { OperatorError } from "../../../collector/core/errors.ts";
import type { Batch } from "../../../collector/events/batch.ts";
import { eventId } from "../../../collector/events/id.ts";
import type { Event } from "../../../collector/events/event.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { openStore } from "../../../server/store/clickhouse-store.ts";
import { openEngine } from "../../../server/store/engine.ts";
import { StoreRefusal } from "../../../server/store/store.ts";
import { clickHouseFront, type ClickHouseFront, credentials, READER } from "./clickhouse-front.ts";

const T0 = 1_795_000_000_000_000;
const silent = { log: () => undefined };
const storageOf = (storage: NonNullable<Parameters<typeof parseServerConfig>[2]>["storage"]) =>
  parseServerConfig("", "test", { storage: storage ?? {} }).storage;

const stateAt = (ts: number): Event => ({
  id: eventId("lb1", ts),
  cluster: "c",
  node: "lb1",
  source: "log",
  kind: "vrrp.state",
  instance: "VI_1",
  state: "MASTER",
  ts,
  tsUncertaintyUs: 1_000_000,
  observedTs: ts,
  raw: "line",
});

const batch = (name: string, events: readonly Event[]): Batch => ({
  version: 1,
  batchId: eventId("batch", name),
  cluster: "c",
  node: "lb1",
  events,
});

describe("an external ClickHouse", () => {
  const dir = mkdtempSync(join(tmpdir(), "keepwatch-external-"));
  const fronts: ClickHouseFront[] = [];
  const open = async (version?: string, ...rest: [port?: number, tls?: { key: Buffer; cert: Buffer }]) => {
    const front = await clickHouseFront(dir, version, ...rest);
    fronts.push(front);
    return front;
  };
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  afterEach(async () => {
    for (const front of fronts.splice(0)) await front.close();
  });
  const refusal = (storage: Parameters<typeof storageOf>[0]): Promise<OperatorError> =>
    openStore(storageOf(storage), silent).then(
      () => expect.unreachable("the store opened"),
      (error: unknown) => error as OperatorError,
    );

  test.each([["18.16.1"], ["24.9.3.128"], [""]])("of version %j is refused as too old", async (version) => {
    const { url } = await open(version);
    const error = await refusal({ url, ...credentials });
    expect([error.code, error.toLine()]).toEqual(["STORE_TOO_OLD", expect.stringContaining("24.10 or newer")]);
  });

  test("that does not know the password is named, the password is not", async () => {
    const { url } = await open();
    const error = await refusal({ url, user: credentials.user, password: "hunter2" });
    expect(error.code).toBe("STORE_UNAUTHORISED");
    expect(error.toLine()).not.toContain("hunter2");
  });

  test("that is not there is named", async () => {
    const front = await open();
    await front.close();
    fronts.splice(0);
    expect((await refusal({ url: front.url, ...credentials })).toLine()).toMatch(/does not answer.*Check storage\.url/);
  });

  test("that fails for a while loses nothing: the batch is refused, and taken when it comes again", async () => {
    const front = await open();
    const store = await openStore(storageOf({ url: front.url, ...credentials }), silent);
    const sent = batch("through a failure", [stateAt(T0)]);
    front.fault = {
      status: 500,
      body: "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)",
    };
    const error: unknown = await store.insertBatch(sent).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(StoreRefusal);
    expect(await store.isReady()).toBe(false);
    front.fault = undefined;
    expect(await store.insertBatch(sent)).toEqual({ duplicate: false });
    expect(await store.events({ limit: 10 })).toEqual(sent.events);
    expect(await store.isReady()).toBe(true);
    await store.close();
  });

  test("whose answer was lost has what it stored once, in a plain count too, however long the server runs", async () => {
    const front = await open();
    const store = await openStore(storageOf({ url: front.url, ...credentials }), silent);
    const sent = Array.from({ length: 20 }, (_, i) => batch(`before ${i}`, [stateAt(T0 + 1_000_000 + i)]));
    for (const one of sent) await store.insertBatch(one);
    const doubtful = batch("answer lost", [stateAt(T0 + 2_000_000), stateAt(T0 + 2_000_001)]);
    front.losesAnswers = true;
    await expect(store.insertBatch(doubtful)).rejects.toThrow();
    front.losesAnswers = false;
    await store.insertBatch(doubtful);
    await store.close();
    const client = await openEngine(storageOf({ url: front.url, ...credentials }));
    const answer = await client.query({
      query: `SELECT toString(count()) AS n FROM keepwatch.events WHERE ts >= ${T0 + 2_000_000}`,
      format: "JSONEachRow",
    });
    expect(await answer.json()).toEqual([{ n: "2" }]);
    await client.close();
  });

  test("is asked for as many events as a batch may have, and stores those that it lacks", async () => {
    const front = await open();
    const store = await openStore(storageOf({ url: front.url, ...credentials }), silent);
    const all = Array.from({ length: 5_000 }, (_, i) => stateAt(T0 + 3_000_000 + i));
    await store.insertBatch(
      batch(
        "every second",
        all.filter((_, i) => i % 2 === 0),
      ),
    );
    const { stored, duplicate } = await store.insertResent(batch("all", all));
    expect([stored.length, duplicate]).toEqual([2_500, false]);
    expect(await store.insertResent(batch("all of it again", all))).toEqual({ stored: [], duplicate: false });
    expect(await store.insertResent(batch("all", all))).toEqual({ stored: [], duplicate: true });
    await store.close();
  });

  describe("over TLS", () => {
    const certificate = (name: string): { readonly path: string; readonly tls: { key: Buffer; cert: Buffer } } => {
      const [key, path] = [join(dir, `${name}.key`), join(dir, `${name}.crt`)];
      const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${name}`];
      const args = "req -x509 -newkey rsa:2048 -nodes -days 2".split(" ");
      execFileSync("openssl", [...args, ...subject, "-keyout", key, "-out", path], { stdio: "ignore" });
      return { path, tls: { key: readFileSync(key), cert: readFileSync(path) } };
    };

    test("is used when who signed its certificate is named", async () => {
      const { path, tls } = certificate("IP:127.0.0.1");
      const { url } = await open(undefined, 0, tls);
      expect(url).toMatch(/^https:/);
      const store = await openStore(storageOf({ url, ...credentials, ca_file: path }), silent);
      const sent = batch("over TLS", [stateAt(T0 + 5)]);
      await store.insertBatch(sent);
      expect(await store.events({ ids: sent.events.map(({ id }) => id), limit: 1 })).toEqual(sent.events);
      await store.close();
    });

    test("is refused with a certificate that is not trusted, or is another host's, and nothing is sent to it", async () => {
      const stranger = certificate("IP:127.0.0.1");
      const { url } = await open(undefined, 0, stranger.tls);
      expect((await refusal({ url, ...credentials })).toLine()).toMatch(
        /not trusted.*storage\.ca_file.*STORE_CERTIFICATE/,
      );
      const other = certificate("IP:127.0.0.9");
      const elsewhere = await open(undefined, 0, other.tls);
      const error = await refusal({ url: elsewhere.url, ...credentials, ca_file: other.path });
      expect(error.code).toBe("STORE_CERTIFICATE");
    });

    test("needs a file that can be read, and an address that is https", async () => {
      const error = await refusal({ url: "https://127.0.0.1:9", ca_file: join(dir, "nowhere.crt") });
      expect(error.toLine()).toMatch(/storage\.ca_file .*nowhere\.crt cannot be read/);
      expect(() => storageOf({ url: "http://127.0.0.1:9", ca_file: "x" })).toThrow(/https/);
    });
  });

  test("whose user may only read is named, with what to grant", async () => {
    const { url } = await open();
    // Whether the tables are there already or not.
    const database = "nothing_yet";
    const first = await refusal({ url, ...credentials, user: READER, database });
    expect(first.toLine()).toMatch(/the user reader .* may not write.*GRANT .* ON nothing_yet\.\*.*\[STORE_READONLY\]/);
    const store = await openStore(storageOf({ url, ...credentials }), silent);
    await store.close();
    expect((await refusal({ url, ...credentials, user: READER })).code).toBe("STORE_READONLY");
  });

  test("that is away and comes back loses nothing, though nobody opened the store again", async () => {
    const front = await open();
    const store = await openStore(storageOf({ url: front.url, ...credentials }), silent);
    const sent = batch("while it was away", [stateAt(T0 + 7)]);
    await front.close();
    fronts.splice(0);
    for (let attempt = 0; attempt < 3; attempt++) await expect(store.insertBatch(sent)).rejects.toThrow();
    expect(await store.isReady()).toBe(false);
    await open(undefined, Number(new URL(front.url).port));
    expect(await store.insertBatch(sent)).toEqual({ duplicate: false });
    expect(await store.insertBatch(sent)).toEqual({ duplicate: true });
    expect(await store.events({ ids: sent.events.map(({ id }) => id), limit: 10 })).toEqual(sent.events);
    await store.close();
  });

  test("that is slow acknowledges nothing before it is stored, and answers questions meanwhile", async () => {
    const front = await open();
    const store = await openStore(storageOf({ url: front.url, ...credentials }), silent);
    let go: () => void = () => undefined;
    front.insertsAfter = new Promise((resolve) => (go = resolve));
    const sent = batch("slowly", [stateAt(T0 + 9)]);
    let acknowledged = false;
    const inserting = store.insertBatch(sent).then((result) => {
      acknowledged = true;
      return result;
    });
    const again = store.insertBatch(sent);
    expect(await store.events({ ids: sent.events.map(({ id }) => id), limit: 10 })).toEqual([]);
    expect(await store.isReady()).toBe(true);
    expect(acknowledged).toBe(false);
    go();
    expect([await inserting, await again]).toEqual([{ duplicate: false }, { duplicate: true }]);
    expect(await store.events({ ids: sent.events.map(({ id }) => id), limit: 10 })).toEqual(sent.events);
    await store.close();
  });
});
