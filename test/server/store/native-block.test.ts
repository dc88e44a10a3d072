import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { ClickHouseClient } from "@clickhouse/client";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseServerConfig } from "../../../server/config.ts";
import { openEngine } from "../../../server/store/engine.ts";
import { asFile } from "../../../server/store/memory-file.ts";
import {
  booleans,
  type Column,
  fixedTexts,
  integers,
  longIntegers,
  nativeBlock,
  repeatedTextLists,
  repeatedTexts,
  texts,
  Unstorable,
} from "../../../server/store/native-block.ts";

interface Row {
  readonly small: number;
  readonly middle: number;
  readonly large: number;
  readonly signed: number;
  readonly unsigned: number;
  readonly is: boolean;
  readonly fixed: string;
  readonly any: string;
  readonly few: string;
  readonly lists: readonly string[];
}

const COLUMNS: readonly Column<Row>[] = [
  integers("small", "UInt8", (row) => row.small),
  integers("middle", "UInt16", (row) => row.middle),
  integers("large", "UInt32", (row) => row.large),
  longIntegers("signed", "Int64", (row) => row.signed),
  longIntegers("unsigned", "UInt64", (row) => row.unsigned),
  booleans("is", (row) => row.is),
  fixedTexts("fixed", 8, (row) => row.fixed),
  texts("any", (row) => row.any),
  repeatedTexts("few", (row) => row.few),
  repeatedTextLists("lists", (row) => row.lists),
];

const ROW: Row = {
  small: 255,
  middle: 65_535,
  large: 2 ** 32 - 1,
  signed: Number.MIN_SAFE_INTEGER,
  unsigned: Number.MAX_SAFE_INTEGER,
  is: true,
  fixed: "12345678",
  any: "'; DROP TABLE x; -- \0 \n\t é 日本 \u{1f4a9}",
  few: "eth0",
  lists: ["10.99.0.100", "", "10.99.0.101"],
};

const anyText = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), fc.constantFrom("", "eth0"));
const anyRow: fc.Arbitrary<Row> = fc.record({
  small: fc.integer({ min: 0, max: 255 }),
  middle: fc.integer({ min: 0, max: 65_535 }),
  large: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  signed: fc.maxSafeInteger(),
  unsigned: fc.maxSafeNat(),
  is: fc.boolean(),
  fixed: fc.string({ minLength: 8, maxLength: 8, unit: fc.constantFrom("0", "a", "Z", "~", " ", "\t") }),
  any: anyText,
  few: anyText,
  lists: fc.array(anyText, { maxLength: 4 }),
});

describe("a Native block, as the engine reads it", () => {
  const scratch = mkdtempSync(join(tmpdir(), "keepwatch-native-"));
  let client: ClickHouseClient;
  beforeAll(async () => {
    client = await openEngine(parseServerConfig("", "test", { storage: { path: scratch } }).storage);
    const columns = COLUMNS.map(({ name, type }) => `${name} ${type}`).join();
    await client.command({ query: `CREATE TABLE back (at UInt32, ${columns}) ENGINE = MergeTree ORDER BY at` });
  });
  afterAll(async () => {
    await client.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const insert = async (block: Buffer): Promise<void> => {
    const names = ["at", ...COLUMNS.map(({ name }) => name)].join();
    const query = `INSERT INTO back (${names}) FORMAT Native`;
    const { stream } = await client.exec({ query, values: Readable.from(block) });
    await text(stream);
  };
  const thereAndBack = async (rows: readonly Row[]): Promise<readonly Row[]> => {
    await client.command({ query: "TRUNCATE TABLE back" });
    const numbered = rows.map((row, at) => ({ row, at }));
    const columns: Column<(typeof numbered)[number]>[] = [
      integers("at", "UInt32", ({ at }) => at),
      ...COLUMNS.map((column) => ({
        name: column.name,
        type: column.type,
        write: (some: typeof numbered, out: Parameters<typeof column.write>[1]) =>
          column.write(
            some.map(({ row }) => row),
            out,
          ),
      })),
    ];
    await insert(nativeBlock(columns, numbered));
    const answer = await client.query({
      query: "SELECT * EXCEPT at FROM back ORDER BY at",
      format: "JSONEachRow",
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    });
    return answer.json<Row>();
  };

  test("gives back the ends of every type, and hostile text", async () => {
    const low = { small: 0, middle: 0, large: 0, signed: -1, unsigned: 0, is: false, any: "", few: "", lists: [] };
    const rows = [ROW, { ...ROW, ...low }, { ...ROW, signed: Number.MAX_SAFE_INTEGER, unsigned: 2 ** 32, few: "eth1" }];
    expect(await thereAndBack(rows)).toEqual(rows);
  });

  test("gives back whatever rows there are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRow, { minLength: 1, maxLength: 40 }), async (rows) => {
        expect(await thereAndBack(rows)).toEqual(rows);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ["one byte", 255],
    ["just not one byte", 256],
    ["two bytes", 65_535],
    ["more than two bytes", 65_537],
  ])("names the different texts of a column by numbers of %s", async (_, different) => {
    const rows = Array.from({ length: different }, (__, at) => ({ ...ROW, few: `text ${at}`, lists: [`list ${at}`] }));
    expect(await thereAndBack(rows)).toEqual(rows);
  });

  test("fills up a short fixed text with zero bytes", async () => {
    expect((await thereAndBack([{ ...ROW, fixed: "ab" }]))[0]?.fixed).toBe("ab\0\0\0\0\0\0");
  });

  test("of which a half is missing is refused whole", async () => {
    await thereAndBack([ROW]);
    const block = nativeBlock([integers("at", "UInt32", () => 1), ...COLUMNS], [ROW]);
    await expect(insert(block.subarray(0, block.length / 2))).rejects.toThrow();
    const answer = await client.query({ query: "SELECT toUInt32(count()) AS n FROM back", format: "JSONEachRow" });
    expect(await answer.json()).toEqual([{ n: 1 }]);
  });
});

describe("what a column cannot hold is told, not written", () => {
  test.each<[keyof Row, unknown]>([
    ["small", 256],
    ["small", -1],
    ["small", 1.5],
    ["small", "7"],
    ["middle", 65_536],
    ["large", 2 ** 32],
    ["signed", 2 ** 53],
    ["signed", 1e300],
    ["signed", Number.NaN],
    ["unsigned", -1],
    ["fixed", "123456789"],
    ["fixed", "é"],
    ["any", "half \ud800"],
    ["few", "\udc00 half"],
    ["lists", ["whole", "\ud83d"]],
  ])("%s of %j", (field, value) => {
    const rows = [ROW, { ...ROW, [field]: value }];
    expect(() => nativeBlock(COLUMNS, rows)).toThrow(new Unstorable(field, 1));
  });
});

test("bytes that are given as a file leave none behind, in memory or in the folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "keepwatch-file-"));
  const { readFile } = await import("node:fs/promises");
  const before = readdirSync("/dev/shm");
  const read = await asFile(Buffer.from("bytes"), folder, async (path) => {
    expect([readdirSync("/dev/shm"), readdirSync(folder)]).toEqual([before, []]);
    return readFile(path, "utf8");
  });
  expect(read).toBe("bytes");
  await expect(asFile(Buffer.from("x"), folder, () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
  expect([readdirSync("/dev/shm"), readdirSync(folder)]).toEqual([before, []]);
  rmSync(folder, { recursive: true });
});
