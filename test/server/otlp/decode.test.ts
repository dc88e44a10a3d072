import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readJson } from "../../../server/otlp/json.ts";
import { readProtobuf } from "../../../server/otlp/protobuf.ts";
import {
  Budget,
  ENTRIES_MAX,
  type Fields,
  type LogRecord,
  RECORDS_MAX,
  RequestFault,
} from "../../../server/otlp/record.ts";
import { type AnyJson, type KeyValueJson, protobuf, request, type RequestJson } from "./request.ts";

type Seen = { readonly record: LogRecord; readonly resource: Fields };
type Decode = typeof readProtobuf | typeof readJson;

function read(decode: Decode, body: Buffer): Seen[] {
  const seen: Seen[] = [];
  decode(body, new Budget(), (record, resource) => seen.push({ record, resource }));
  return seen;
}
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const nanoseconds = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
const { value } = fc.letrec<{ value: AnyJson; entry: KeyValueJson }>((tie) => ({
  entry: fc.record({ key: fc.string({ maxLength: 6 }), value: tie("value") }),
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.string({ unit: "grapheme" }).map((stringValue) => ({ stringValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => ({ intValue: String(n) })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => ({ doubleValue: n === 0 ? 0 : n })),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => ({ bytesValue: Buffer.from(bytes).toString("base64") })),
    fc.array(tie("value"), { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
    fc.array(tie("entry"), { maxLength: 3 }).map((values) => ({ kvlistValue: { values } })),
  ),
}));
const attributes = fc.array(fc.record({ key: fc.string({ maxLength: 6 }), value }), { maxLength: 4 });
const record = fc.record(
  { timeUnixNano: nanoseconds, observedTimeUnixNano: nanoseconds, body: value, attributes },
  { requiredKeys: [] },
);
const requests: fc.Arbitrary<RequestJson> = fc.record({
  resourceLogs: fc.array(
    fc.record({
      resource: fc.record({ attributes }),
      scopeLogs: fc.array(fc.record({ logRecords: fc.array(record, { maxLength: 3 }) }), { maxLength: 2 }),
    }),
    { maxLength: 3 },
  ),
});

/** Bytes and Buffers alike. */
const plain = (seen: unknown): string =>
  JSON.stringify(seen, (_key, one: unknown) => {
    if (one instanceof Map) return ["map", ...one];
    if (typeof one === "bigint") return `${one}n`;
    if (one instanceof Uint8Array) return ["bytes", ...one];
    return one;
  });

describe("the two encodings", () => {
  test("of a request are read as the same records, wherever the resource stands", () => {
    fc.assert(
      fc.property(requests, fc.boolean(), (sent, resourceLast) => {
        expect(plain(read(readProtobuf, protobuf(sent, resourceLast)))).toBe(plain(read(readJson, json(sent))));
      }),
    );
  });

  test("pass over what they do not know", () => {
    const known = request([{ body: { stringValue: "x" } }]);
    const unknown = {
      ...known,
      more: [{}],
      resourceLogs: [{ ...known.resourceLogs[0], schemaUrl: 1, entityRefs: [] }],
    };
    expect(read(readJson, json(unknown))).toHaveLength(1);
    // Field 1000, text; field 15, a group; and field 1 as a number, which it is not.
    const strangers = Buffer.from([0xc2, 0x3e, 1, 0x41, 0x7b, 0x7c, 0x08, 7]);
    expect(read(readProtobuf, Buffer.concat([strangers, protobuf(known)]))).toHaveLength(1);
  });
});

describe("hostile bodies", () => {
  const orFault = (decode: Decode, body: Buffer): void => {
    try {
      read(decode, body);
    } catch (error) {
      expect(error).toBeInstanceOf(RequestFault);
    }
  };

  test("are read or refused, and nothing else", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => orFault(readProtobuf, Buffer.from(bytes))));
    fc.assert(fc.property(fc.json(), (text) => orFault(readJson, Buffer.from(text))));
    fc.assert(
      fc.property(requests, fc.nat(), fc.nat(255), fc.nat(), (sent, at, byte, end) => {
        const bytes = protobuf(sent);
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
        orFault(readProtobuf, bytes);
        orFault(readProtobuf, bytes.subarray(0, end % (bytes.length + 1)));
      }),
      { numRuns: 500 },
    );
    const named = fc.constantFrom("resourceLogs", "resource", "attributes", "scopeLogs", "logRecords", "body", "key");
    const more = fc.constantFrom("value", "values", "kvlistValue", "arrayValue", "intValue", "timeUnixNano");
    const objects = fc.object({ key: fc.oneof(named, more), maxDepth: 6 });
    fc.assert(
      fc.property(objects, (body) => orFault(readJson, json(body))),
      { numRuns: 500 },
    );
  });

  test("that nest are read as deep as anything lies that is looked for", () => {
    let deep: AnyJson = { stringValue: "x" };
    for (let i = 0; i < 30; i += 1) deep = { arrayValue: { values: [deep] } };
    const sent = request([{ body: deep }, { body: { stringValue: "after" } }]);
    expect(read(readProtobuf, protobuf(sent)).at(-1)?.record.body).toBe("after");
    expect(read(readJson, json(sent)).at(-1)?.record.body).toBe("after");
    // Deeper than a stack.
    let value: Uint8Array = new Uint8Array();
    const within = (number: number, bytes: Uint8Array): Uint8Array =>
      new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
    for (let i = 0; i < 5_000; i += 1) value = within(5, within(1, value));
    expect(read(readProtobuf, Buffer.from(within(1, within(2, within(2, within(5, value))))))).toHaveLength(1);
    const nested = `{"resourceLogs":[${'{"a":'.repeat(1_000_000)}1${"}".repeat(1_000_000)}]}`;
    expect(() => read(readJson, Buffer.from(nested))).toThrow(/^the body is nested deeper than 200$/);
    expect(() => read(readJson, Buffer.from(`[${"{},".repeat(1_000_000)}{}]`))).toThrow(/more than 1000000 objects/);
    expect(read(readJson, json(request([{ body: { stringValue: `\\"${"[{".repeat(1_000)}` } }])))).toHaveLength(1);
    // Groups within groups, which OTLP has none of.
    orFault(readProtobuf, Buffer.alloc(1_000_000, 0x7b));
  });

  test("with too many records or values are refused, and of a long list the rest is passed over", () => {
    const tooMany = request(Array.from({ length: RECORDS_MAX + 1 }, () => ({})));
    for (const [decode, body] of [
      [readProtobuf, protobuf(tooMany)],
      [readJson, json(tooMany)],
    ] as const)
      expect(() => read(decode, body)).toThrow(
        expect.objectContaining({
          reason: "too-large",
          message: expect.stringContaining(`more than ${RECORDS_MAX} records`),
        }),
      );
    // Five million empty ScopeLogs.
    const empty = Buffer.alloc(10_000_000);
    for (let i = 0; i < empty.length; i += 2) empty[i] = 0x12;
    const length = Buffer.from([
      0x80 | (empty.length & 0x7f),
      0x80 | ((empty.length >> 7) & 0x7f),
      0x80 | ((empty.length >> 14) & 0x7f),
      empty.length >> 21,
    ]);
    expect(() => read(readProtobuf, Buffer.concat([Buffer.from([0x0a]), length, empty]))).toThrow(
      /values: send smaller/,
    );
    const long = request([
      { attributes: Array.from({ length: 3_000 }, (_, i) => ({ key: `k${i}`, value: { intValue: i } })) },
    ]);
    expect(read(readProtobuf, protobuf(long))[0]?.record.attributes.size).toBe(ENTRIES_MAX);
    expect(read(readJson, json(long))[0]?.record.attributes.size).toBe(ENTRIES_MAX);
  });
});

describe("what is wrong", () => {
  test.each([
    ["{", /^the body is not JSON: /],
    ["[]", /^the body is not an object$/],
    ['{"resource_logs":[]}', /^resource_logs: .* resourceLogs$/],
    ['{"resourceLogs":{}}', /^resourceLogs is not a list$/],
    [
      '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{"timeUnixNano":"now"}]}]}]}',
      /^resourceLogs\[0\]\.scopeLogs\[0\]\.logRecords\[1\]\.timeUnixNano is not a 64-bit integer$/,
    ],
    [
      '{"resourceLogs":[{"resource":{"attributes":[{"key":1}]}}]}',
      /^resourceLogs\[0\]\.resource\.attributes\[0\]\.key is not text$/,
    ],
    ['{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":"x"}]}]}]}', /logRecords\[0\]\.body is not an object$/],
  ])("in %s is told with its place", (text, told) => {
    expect(() => read(readJson, Buffer.from(text))).toThrow(told);
  });

  test("in protobuf is told in a sentence", () => {
    expect(() => read(readProtobuf, Buffer.from("POST me"))).toThrow(/not an ExportLogsServiceRequest in protobuf/);
  });
});
