import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HttpReader, judge } from "../../../collector/checks/http.ts";
import { isReplyGood } from "../../../collector/checks/udp.ts";
import { NEWEST_RELEASE, type Release } from "../../../collector/conf/version.ts";
import { CHECK_CORPUS, CHECK_TARGETS } from "../../fuzz/checks.ts";
import { checkerFrom } from "./support.ts";

describe("whatever a server answers", () => {
  test.each(Object.entries(CHECK_TARGETS))(
    "%s reads it without an exception, and the same in any pieces",
    (name, target) => {
      const seeds = (CHECK_CORPUS[name] ?? []).map((bytes) => fc.constant(bytes));
      const piece = fc.oneof(fc.uint8Array({ maxLength: 40 }), ...seeds);
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => target(Buffer.concat(pieces))),
        { numRuns: 400 },
      );
    },
  );

  test("a megabyte and more of a body is read, and no more than a megabyte and a piece of it is kept", () => {
    const reader = new HttpReader(true);
    reader.push(Buffer.from("HTTP/1.0 200 OK\r\n\r\n"));
    const piece = Buffer.alloc(64 * 1024, "x");
    for (let i = 0; i < 40; i++) reader.push(piece);
    const { bodyBytes, body, isKept, cut } = reader.answer();
    expect({ bodyBytes, isKept, cut }).toEqual({ bodyBytes: 40 * piece.length, isKept: false, cut: undefined });
    expect(body.length).toBeLessThanOrEqual(1024 * 1024 + piece.length);
  });
});

describe("the verdict on an answer", () => {
  const answerTo = (text: string) => {
    const reader = new HttpReader(true);
    reader.push(Buffer.from(text, "latin1"));
    return reader.answer();
  };
  const verdict = (
    url: string,
    answer: string,
    {
      isUp = true,
      release = NEWEST_RELEASE,
      found = true,
    }: { isUp?: boolean; release?: Release; found?: boolean | undefined } = {},
  ): string => {
    const { check } = checkerFrom(`HTTP_GET {\n url {\n path /\n ${url}\n }\n }`, { release });
    const first = check.kind === "http" ? check.urls[0] : undefined;
    if (first === undefined) throw new Error("no url");
    const said = judge(first, answerTo(answer), { isUp, release, matches: () => found });
    return said.kind === "failure" ? said.reason : said.kind;
  };
  const page = (status: number): string => `HTTP/1.0 ${status} X\r\n\r\nhello`;
  const DIGEST = "5d41402abc4b2a76b9719d911017c592";

  test.each<[url: string, status: number, over: Parameters<typeof verdict>[2], expected: string]>([
    ["", 200, {}, "success"],
    ["", 299, {}, "success"],
    ["", 300, {}, "status"],
    ["", 199, {}, "status"],
    ["", 503, { release: [2, 0, 16] }, "success"],
    ["", 503, { release: [2, 0, 16], isUp: false }, "status"],
    ["", 503, { release: [2, 0, 17] }, "status"],
    ["status_code 503", 503, { release: [1, 3, 5], isUp: false }, "success"],
    ["status_code 200", 503, { release: [1, 3, 5] }, "status"],
    [`digest ${DIGEST}`, 200, {}, "success"],
    [`digest ${DIGEST}`, 503, {}, "status"],
    [`digest ${DIGEST}`, 503, { release: [2, 0, 16], isUp: false }, "success"],
    [`digest ${DIGEST.replace("5", "6")}`, 200, {}, "digest"],
    ["regex x", 200, {}, "success"],
    ["regex x", 200, { found: false }, "regex"],
    ["regex x\n regex_no_match", 200, {}, "regex"],
    ["regex x\n regex_no_match", 200, { found: false }, "success"],
  ])("%s at status %d %j: %s", (url, status, over, expected) => {
    expect(verdict(url, page(status), over)).toBe(expected);
  });
});

test("a UDP reply is held against the pattern as far as both go", () => {
  const { check } = checkerFrom("UDP_CHECK {\n require_reply 01X2 ff\n min_reply_length 1\n max_reply_length 4\n}");
  if (check.kind !== "udp") throw new Error("no UDP_CHECK");
  const isGood = (...bytes: readonly number[]): boolean => isReplyGood(check, Uint8Array.from(bytes));
  expect([
    isGood(),
    isGood(1),
    isGood(1, 0x72),
    isGood(1, 0x73),
    isGood(1, 2, 255, 9),
    isGood(1, 2, 255, 9, 9),
  ]).toEqual([false, true, true, false, true, false]);
});
