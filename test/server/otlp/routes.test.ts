import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { BATCH_BYTES_MAX, BATCH_EVENTS_MAX } from "../../../collector/events/batch.ts";
import { StoreRefusal } from "../../../server/store/store.ts";
import { type Answer, type Bench, benchOf } from "./bench.ts";
import { entries, protobuf, type RecordJson, request } from "./request.ts";

let bench: Bench | undefined;
afterEach(async () => bench?.app.close());
const made = (toml = ""): Bench => (bench = benchOf(toml));

const sha256 = (token: string): string => createHash("sha256").update(token).digest("hex");
const TIME = "1795517603123456789";
const said = (text: string, more: Partial<RecordJson> = {}): RecordJson => ({
  timeUnixNano: TIME,
  body: { stringValue: text },
  attributes: entries({ appname: "Keepalived_vrrp", hostname: "lb1", proc_id: "15", message: text }),
  ...more,
});
const MASTER = said("(VI_1) Entering MASTER STATE");
const ARP = said("Sending gratuitous ARP on eth0 for 10.0.0.1");

/** google.rpc.Status, or ExportLogsServiceResponse's partial success within. */
function decoded(bytes: Buffer): Record<number, string> {
  const reader = new BinaryReader(bytes);
  const fields: Record<number, string> = {};
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    fields[number] = type === 0 ? String(reader.int64()) : reader.string();
  }
  return fields;
}

describe("an answer", () => {
  test("is empty when all is stored, in the encoding of the request", async () => {
    const made1 = made();
    const json = await made1.post(request([MASTER]));
    expect(json).toMatchObject({ status: 200, json: {} });
    const binary = await made1.post(protobuf(request([MASTER])));
    expect(binary).toMatchObject({ status: 200, headers: { "content-type": "application/x-protobuf" } });
    expect(binary.bytes).toHaveLength(0);
    expect(made1.stored.size).toBe(1);
    // It came twice, and was concluded from once.
    expect(made1.concluded).toHaveLength(1);
  });

  test("to an empty request is a success", async () => {
    expect(await made().post(Buffer.alloc(0))).toMatchObject({ status: 200 });
    expect(await bench?.post("{}")).toMatchObject({ status: 200, json: {} });
  });

  test("names the records that were not kept", async () => {
    const made1 = made(
      `[[ingest.tokens]]\nnode = "lb1"\nsha256 = "${sha256("one")}"\n[[otlp.tokens]]\nname = "central"\nsha256 = "${sha256("all")}"`,
    );
    const sent = request([
      MASTER,
      said("(VI_1) Entering MASTER STATE", { attributes: entries({ appname: "Keepalived_vrrp", hostname: "lb2" }) }),
      said("x", { attributes: entries({ appname: "cron" }) }),
    ]);
    const { status, json } = await made1.post(sent, { authorization: "Bearer one" });
    expect([status, json]).toEqual([
      200,
      { partialSuccess: { rejectedLogRecords: "1", errorMessage: "record 1: the token is not one of node lb2" } },
    ]);
    const { bytes } = await made1.post(protobuf(sent), { authorization: "Bearer one" });
    const partial = Buffer.from(bytes.subarray(2));
    expect(decoded(partial)).toEqual({ 1: "1", 2: "record 1: the token is not one of node lb2" });
    expect([...made1.stored.values()].map(({ node }) => node)).toEqual(["lb1"]);
    expect(made1.state()).toMatchObject({ received: 6, kept: 2, dropped: { "foreign-node": 2 } });
    expect(made1.logged.join()).toContain("record 1");
    expect(await made1.post(sent, { authorization: "Bearer all" })).toMatchObject({ status: 200, json: {} });
    expect(made1.stored.size).toBe(2);
  });

  test.each<
    [name: string, status: number, code: number, told: RegExp, send: (bench: Bench) => Promise<Answer>, toml?: string]
  >([
    [
      "no token",
      401,
      16,
      /otlp\.tokens or ingest\.tokens/,
      (made1) => made1.post(protobuf(request([]))),
      `[[otlp.tokens]]\nname = "central"\nsha256 = "${sha256("all")}"`,
    ],
    ["a body that is none", 400, 3, /not an ExportLogsServiceRequest/, (made1) => made1.post(Buffer.from("hello"))],
    [
      "gzip that is none",
      400,
      3,
      /not sound gzip/,
      (made1) => made1.post(Buffer.from("hello"), { "content-encoding": "gzip" }),
    ],
    [
      "another packing",
      415,
      3,
      /send gzip or none/,
      (made1) => made1.post(Buffer.from("hello"), { "content-encoding": "zstd" }),
    ],
    [
      "a bomb",
      413,
      8,
      /larger than 16777216 bytes when/,
      (made1) => made1.post(gzipSync(Buffer.alloc(BATCH_BYTES_MAX + 1)), { "content-encoding": "gzip" }),
    ],
    ["too much", 413, 8, /too large/i, (made1) => made1.post(Buffer.alloc(BATCH_BYTES_MAX + 1))],
  ])("to %s is a status with a reason, in either encoding", async (_name, status, code, told, send, toml) => {
    const answer = await send(made(toml));
    expect(answer).toMatchObject({ status, headers: { "content-type": "application/x-protobuf" } });
    const fields = decoded(answer.bytes);
    expect(fields).toMatchObject({ 1: String(code), 2: expect.stringMatching(told) });
    expect(Object.values(bench?.state().dropped ?? {})).toEqual([1]);
  });

  test("to a type that is none of OTLP's says which are", async () => {
    expect(await made().post("x", { "content-type": "text/plain" })).toMatchObject({
      status: 415,
      json: { code: 3, message: "send application/x-protobuf or application/json" },
    });
  });
});

describe("a store that takes nothing", () => {
  test("is told as 503 with a time to come again, and then all is there once", async () => {
    const made1 = made();
    const { insert } = made1;
    const nodes = ["lb1", "lb2", "lb3"].map((hostname) =>
      said("(VI_1) Entering MASTER STATE", { attributes: entries({ appname: "Keepalived_vrrp", hostname }) }),
    );
    const sent = request([...nodes, ARP, ARP]);
    let taken = 0;
    made1.insert = async (batch) => {
      if ((taken += 1) > 1) throw new Error("disk full");
      return insert(batch);
    };
    const refused = await made1.post(sent);
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "2" }, json: { code: 14 } });
    expect(JSON.stringify(refused.json)).not.toContain("disk full");
    made1.insert = insert;
    expect(await made1.post(sent)).toMatchObject({ status: 200 });
    expect(made1.stored.size).toBe(5);
    expect(made1.concluded).toHaveLength(5);
  });

  test("for good is told as 400", async () => {
    const made1 = made();
    made1.insert = async () => Promise.reject(new StoreRefusal("no such table"));
    expect(await made1.post(request([MASTER]))).toMatchObject({ status: 400, json: { code: 3 } });
  });

  test("holds no more than its bound: who comes then is told to come again", async () => {
    const made1 = made("[ingest]\nin_flight_max = 1");
    let release: () => void = () => undefined;
    let entered: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const { insert } = made1;
    const stalled = new Promise<void>((resolve) => (release = resolve));
    made1.insert = async (batch) => {
      entered();
      await stalled;
      return insert(batch);
    };
    const first = made1.post(request([MASTER]));
    await inside;
    expect(await made1.post(request([ARP]))).toMatchObject({
      status: 429,
      headers: { "retry-after": "2" },
      json: { code: 8 },
    });
    release();
    expect(await first).toMatchObject({ status: 200 });
  });
});

test("more than a batch takes is stored as several", async () => {
  const made1 = made();
  const sizes: number[] = [];
  const { insert } = made1;
  made1.insert = async (batch) => {
    sizes.push(batch.events.length);
    return insert(batch);
  };
  await made1.post(request(Array.from({ length: BATCH_EVENTS_MAX + 1 }, () => ARP)));
  expect(sizes).toEqual([BATCH_EVENTS_MAX, 1]);
  expect(made1.stored.size).toBe(BATCH_EVENTS_MAX + 1);
});

test("any body is answered as OTLP has it", async () => {
  const made1 = made();
  const valid = protobuf(request([MASTER, ARP], { "host.name": "lb1" }));
  await fc.assert(
    fc.asyncProperty(fc.nat(valid.length - 1), fc.nat(255), fc.boolean(), async (at, byte, isCut) => {
      const bytes = Buffer.from(isCut ? valid.subarray(0, at) : valid);
      if (!isCut) bytes[at] = byte;
      expect([200, 400]).toContain((await made1.post(bytes)).status);
    }),
    { numRuns: 200 },
  );
  expect(made1.logged.filter((entry) => entry.startsWith("error"))).toEqual([]);
});
