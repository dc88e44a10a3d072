import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DONE, LINE_FROM, LINE_TO } from "../../../collector/logs/layout.ts";
import { LogMachine } from "../../../collector/logs/machine.ts";
import { machineParts } from "../../support/machine.ts";

const machine = new LogMachine(machineParts(), 4096);
const { bytes, start } = machine;

function find(text: string): { lines: number; found: string[] } {
  const log = Buffer.from(text, "latin1");
  // What stood there before, and what stands behind the end, must not matter.
  bytes.fill(0x0a, start, start + 4096);
  bytes.set(Buffer.from("\nTue Mar  5 10:00:00 2024: \nKeepalived\n".repeat(2)), start + log.length);
  bytes.set(log, start);
  const found: string[] = [];
  const { begin, run, skip, lines } = machine.exports;
  begin(start, start + log.length);
  // It is told nothing, and stops at each line that it finds.
  while (run() !== DONE) {
    found.push(Buffer.from(bytes.subarray(machine.register(LINE_FROM), machine.register(LINE_TO))).toString("latin1"));
    skip();
  }
  return { lines: lines.value, found };
}

/** Whether a line has to be found; of others those may be that with what follows them begin nearly as a console's. */
const named = (line: string): boolean => line.includes("eepalived");
const consoleLike = (line: string): boolean =>
  line[3] === " " && line[7] === " " && line[13] === ":" && line[16] === ":";

describe("of the lines of a log", () => {
  test.each([
    ["nothing", "", 0, []],
    ["an empty line", "\n", 1, []],
    ["the first line", "Keepalived\n\n", 2, ["Keepalived"]],
    ["the last line", "\n\nxKeepalivedx\n", 3, ["xKeepalivedx"]],
    ["a console's line", "Tue Mar  5 10:00:00 2024: x\n", 1, ["Tue Mar  5 10:00:00 2024: x"]],
    ["a line that says it twice, once", "keepalived Keepalived\n", 1, ["keepalived Keepalived"]],
    ["no half of it", "Keepalive\nd\neepal ived\n", 3, []],
  ])("the machine finds %s", (_name, text, lines, found) => {
    expect(find(text)).toEqual({ lines, found });
  });

  test("the machine finds those that a plain search finds, wherever they stand", () => {
    const part = fc.oneof(
      fc.constantFrom(
        "Keepalived",
        "eepalived",
        "eepalive",
        "p   v",
        "pppvvv",
        "Tue Mar  5 10:00:00 2024: ",
        "Tue Mar  5 10:00",
        "\n",
        "\n\n",
        "Mar  4 10:00:00 h x: ",
        "  ",
        "\r",
      ),
      fc.integer({ min: 0, max: 140 }).map((n) => "x".repeat(n)),
      fc.string({ unit: "binary", maxLength: 20 }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const text = Buffer.from(`${parts.join("")}\n`)
          .subarray(0, 3900)
          .toString("latin1")
          .replace(/[^\n]*$/, "");
        const lines = text.split("\n").slice(0, -1);
        const wanted = (line: string): boolean => named(line) || consoleLike(line);
        const { lines: counted, found } = find(text);
        expect(counted).toBe(lines.length);
        expect(found.filter(wanted)).toEqual(lines.filter(wanted));
      }),
      { numRuns: 5000 },
    );
  });
});
