import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseFile, printFile } from "../../../collector/conf/syntax.ts";
import { decodeBytes, encodeBytes } from "../../../collector/conf/text.ts";

const SAMPLES = "/usr/share/doc/keepalived/samples";
const samples = (() => {
  try {
    return readdirSync(SAMPLES).filter((name) => name.includes(".conf"));
  } catch {
    process.stderr.write(`\nSKIPPED, the samples of the package: ${SAMPLES} is not there\n\n`);
    return [];
  }
})();

const printed = (bytes: Uint8Array): Uint8Array => printFile(parseFile(bytes));

describe("a file is printed as it was read", () => {
  test.skipIf(samples.length === 0).each(samples)("%s", (name) => {
    const bytes = readFileSync(join(SAMPLES, name));
    expect(Buffer.from(printed(bytes)).equals(bytes)).toBe(true);
  });

  test("whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(printed(bytes)).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("however its words are mixed", () => {
    const word = fc.oneof(
      fc.constantFrom(
        "{",
        "}",
        '"',
        "#",
        "!",
        "\\",
        "\r\n",
        "\n",
        " ",
        "\t",
        "$A=",
        "${A}",
        "@id ",
        "~SEQ(I,1,3) ",
        "include ",
      ),
      fc.constantFrom("vrrp_instance", "\u00e9", "\ud83d\ude00", "\uFEFF", "\0"),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 80 }), (words) => {
        const bytes = Buffer.from(words.join(""), "utf8");
        expect(Buffer.from(printed(bytes)).equals(bytes)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test("and blocks may be nested deeper than any stack", () => {
    const bytes = Buffer.from(`${"{".repeat(200_000)}\n${"}".repeat(100_000)}`);
    expect(Buffer.from(printed(bytes)).equals(bytes)).toBe(true);
  });

  test("each token knows its line and column", () => {
    const text = 'a {\n\tbé "c d" # e\r\n}\n@x $N=1 \\\n 2\n';
    const lines = text.split("\n");
    for (const { line, column, text: token } of parseFile(text).tokens)
      expect(`${lines[line - 1]}\n`.slice(column - 1, column - 1 + token.length)).toBe(token);
  });
});

describe("bytes that are no UTF-8", () => {
  test.each([
    ["a byte of another encoding", [0x61, 0xe9, 0x62], "a\udce9b"],
    ["an overlong form", [0xc0, 0xaf], "\udcc0\udcaf"],
    ["an encoded surrogate", [0xed, 0xb2, 0x80], "\udced\udcb2\udc80"],
    ["a sequence that ends early", [0xe2, 0x82], "\udce2\udc82"],
    ["a byte after a character of four", [0xf0, 0x9f, 0x98, 0x80, 0x80], "\ud83d\ude00\udc80"],
  ])("are one column each, and come back: %s", (_name, bytes, text) => {
    expect(decodeBytes(Uint8Array.from(bytes))).toBe(text);
    expect([...encodeBytes(text)]).toEqual(bytes);
  });
});
