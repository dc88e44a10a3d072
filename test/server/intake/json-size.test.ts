import { expect, test } from "vitest";
import { jsonSizeFault } from "../../../server/intake/json-size.ts";

const MIB = 1024 * 1024;
/** Large enough to be counted. */
const large = (json: string): Buffer => Buffer.from(`${json}${" ".repeat(Math.max(0, MIB - json.length))}`);

const fields = (count: number): string =>
  `{${Array.from({ length: count }, (_, i) => `"f${i}":${i % 2 ? '"a:b"' : "{}"}`).join()}}`;

test("what a batch may have is let through", () => {
  for (const json of [
    `[${"{},".repeat(999_998)}{}]`,
    `${"[".repeat(200)}1${"]".repeat(200)}`,
    `[${fields(1_000)},${fields(1_000)}]`,
    `"${"[{".repeat(MIB)}\\"${"{".repeat(300)}"`,
    `{"a":"\\\\","b":[]}`,
    "]]]]}",
  ])
    expect(jsonSizeFault(large(json))).toBeUndefined();
});

test.each([
  ["objects", `[${"{},".repeat(999_999)}{}]`, "too-large", "more than 1000000 objects"],
  ["nesting", `${"[".repeat(201)}1${"]".repeat(201)}`, "malformed", "nested deeper than 200"],
  ["fields", fields(1_001), "malformed", "an object has more than 1000 fields"],
  ["fields around an object", `{"in":${fields(10)},${fields(1_000).slice(1)}`, "malformed", "more than 1000 fields"],
])("too many %s are found before they are made", (_what, json, reason, message) => {
  expect(jsonSizeFault(large(json))).toEqual({ reason, message: expect.stringContaining(message) });
});

test("a small body is not counted", () => {
  expect(jsonSizeFault(Buffer.from(fields(2_000)))).toBeUndefined();
});
