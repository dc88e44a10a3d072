import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { datagram, FRAME_BYTES_MAX, FrameSplitter } from "../../../server/syslog/frames.ts";

const LINE = "<29>Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: (VI_1) Entering MASTER STATE";
const counted = (text: string): string => `${Buffer.byteLength(text)} ${text}`;

function framesOf(text: string | Buffer, splitter = new FrameSplitter()): string[] {
  return splitter.push(Buffer.from(text)).map(({ bytes, isCut }) => `${bytes.toString()}${isCut ? " (cut)" : ""}`);
}

describe("one stream", () => {
  test.each([
    ["lines", `${LINE}\n${LINE}\r\n`, [LINE, LINE]],
    ["counted messages", counted(LINE) + counted(LINE), [LINE, LINE]],
    ["a newline within the count", counted(`${LINE}\n`) + counted(LINE), [LINE, LINE]],
    ["a newline within a counted message", counted(`${LINE}\nmore`), [`${LINE}\nmore`]],
    ["both in turn", `${counted(LINE)}${LINE}\n${counted(LINE)}`, [LINE, LINE, LINE]],
    ["NULs and empty lines", `\n\0${LINE}\0\n\n`, [LINE]],
    ["a line that begins with a number", "2026 things\n", ["2026 things"]],
    ["a length that is too long to be one", `99999999 ${LINE}\n`, [`99999999 ${LINE}`]],
    ["a length that begins with 0", `07 ${LINE}\n`, [`07 ${LINE}`]],
  ])("is cut: %s", (_name, text, frames) => {
    expect(framesOf(text)).toEqual(frames);
  });

  test("is cut the same wherever the network cuts it", () => {
    const message = fc
      .string({ unit: "binary", maxLength: 40 })
      .map((text) => `<29>${text.replace(/[\n\r\0]/g, "")}x`)
      .chain((text) => fc.boolean().map((isCounted) => ({ text, isCounted })));
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(12), { minLength: 1 }), (messages, sizes) => {
        const stream = Buffer.from(
          messages.map(({ text, isCounted }) => (isCounted ? counted(text) : `${text}\n`)).join(""),
        );
        const splitter = new FrameSplitter();
        const found: string[] = [];
        for (let at = 0, i = 0; at < stream.length; i += 1) {
          const size = 1 + (sizes[i % sizes.length] ?? 0);
          found.push(...framesOf(stream.subarray(at, at + size), splitter));
          at += size;
        }
        expect(found).toEqual(messages.map(({ text }) => text));
        expect(splitter.isWithin).toBe(false);
      }),
    );
  });

  test("of any bytes keeps no more than one message", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const splitter = new FrameSplitter();
        let [came, kept] = [0, 0];
        for (const chunk of chunks) {
          came += chunk.length;
          for (const { bytes } of splitter.push(Buffer.from(chunk))) kept += bytes.length;
        }
        expect(kept).toBeLessThanOrEqual(came);
      }),
    );
  });
});

describe("a message that is too long", () => {
  const long = `<29>${"a".repeat(3 * FRAME_BYTES_MAX)}`;
  const head = `${long.slice(0, FRAME_BYTES_MAX)} (cut)`;

  test.each([
    ["counted", counted(long)],
    ["a line", `${long}\n`],
  ])("is kept up to the bound, and the one after it whole: %s", (_name, text) => {
    expect(framesOf(`${text}${LINE}\n`)).toEqual([head, LINE]);
    const splitter = new FrameSplitter();
    const found = [...`${text}${LINE}\n`.matchAll(/[^]{1,1000}/g)].flatMap(([part]) => framesOf(part, splitter));
    expect(found.map((frame) => frame.slice(0, 10))).toEqual([head.slice(0, 10), LINE.slice(0, 10)]);
    expect(found[1]).toBe(LINE);
  });

  test("and never ends is passed over", () => {
    const splitter = new FrameSplitter();
    for (let i = 0; i < 100; i += 1) splitter.push(Buffer.alloc(FRAME_BYTES_MAX, "a"));
    expect(framesOf(`\n${LINE}\n`, splitter)).toEqual([LINE]);
  });
});

test("the last line needs no newline when the sender closes; a torn counted message is none", () => {
  const line = new FrameSplitter();
  line.push(Buffer.from(LINE));
  expect(line.end()?.bytes.toString()).toBe(LINE);
  const torn = new FrameSplitter();
  torn.push(Buffer.from(counted(LINE).slice(0, 20)));
  expect(torn.end()).toBeUndefined();
});

test("a datagram is one message", () => {
  expect(datagram(Buffer.from(`${LINE}\n`)).bytes.toString()).toBe(LINE);
});
