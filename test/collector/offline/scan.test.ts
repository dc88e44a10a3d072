import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIsoUs } from "../../../collector/core/time.ts";
import { createLogReader } from "../../../collector/logs/reader.ts";
import { LogScanner } from "../../../collector/offline/scan.ts";
import { logLine } from "../../support/log-lines.ts";

const reference = parseIsoUs("2026-11-24T10:53:30Z") ?? 0;

/** What the reader that makes an event of every line would count. */
function readOneByOne(lines: readonly string[]) {
  const reader = createLogReader({ path: "messages", fingerprint: "f", zone: "UTC" });
  const kinds: Record<string, number> = {};
  const states: Record<string, number> = {};
  for (const [i, line] of lines.entries()) {
    const seen = reader.read(Buffer.from(line), { offset: i }, reference);
    if (!seen) continue;
    kinds[seen.body.kind] = (kinds[seen.body.kind] ?? 0) + 1;
    if (seen.body.kind !== "vrrp.state") continue;
    const key = `${seen.host} ${seen.body.instance} ${seen.body.state}`;
    states[key] = (states[key] ?? 0) + 1;
  }
  const { keepalivedLines, unrecognised, malformed } = reader.counts();
  return { lines: lines.length, keepalivedLines, unrecognised, malformed, kinds, states };
}

function scan(bytes: Buffer, cuts: readonly number[]) {
  const scanner = new LogScanner({ path: "messages", zone: "UTC", reference });
  let at = 0;
  for (const cut of cuts) {
    scanner.push(bytes.subarray(at, at + cut));
    at += cut;
  }
  scanner.push(bytes.subarray(at));
  const { lines, keepalivedLines, unrecognised, malformed, kinds, states } = scanner.end();
  return {
    lines,
    keepalivedLines,
    unrecognised,
    malformed,
    kinds: Object.fromEntries(kinds),
    states: Object.fromEntries(
      states.map(({ host, instance, state, count }) => [`${host} ${instance} ${state}`, count]),
    ),
  };
}

describe("a scan", () => {
  test("counts what the reader of single lines reads, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(logLine, fc.constantFrom("", "Mar  4 h sshd[1]: x")), { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(400), { maxLength: 5 }),
        (drawn, cuts) => {
          // A scan takes each piece of a container's line by itself.
          const lines = drawn.map((line) => line.replaceAll("\n", " ").replace(/ (stdout|stderr) P/g, " $1 F"));
          expect(scan(Buffer.from(`${lines.join("\n")}\n`), cuts)).toEqual(readOneByOne(lines));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("counts a line that is longer than its memory once, by its beginning, and a last one without a newline", () => {
    const state = "Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: (VI_1) Entering MASTER STATE";
    const long = `Nov 24 10:53:23 lb1 Keepalived_vrrp[15]: ${"Keepalived ".repeat(100_000)}`;
    const { lines, keepalivedLines, states } = scan(Buffer.from([state, long, state].join("\n")), []);
    expect({ lines, keepalivedLines, states }).toEqual({
      lines: 3,
      keepalivedLines: 3,
      states: { "lb1 VI_1 MASTER": 2 },
    });
  });
});
