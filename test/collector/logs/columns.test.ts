import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIsoUs, US_PER_SECOND } from "../../../collector/core/time.ts";
import { createLogReader } from "../../../collector/logs/reader.ts";
import { logLine } from "../../support/log-lines.ts";

const REFERENCE = parseIsoUs("2026-11-24T10:53:30Z") ?? 0;
const DAY_US = 86_400 * US_PER_SECOND;

describe("a line read as bytes", () => {
  // As text every line takes the long way: its envelope by regular expressions, its message by prefixes and words.
  test("means what it means as text", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(logLine, fc.constantFrom(0, 1, 29 * US_PER_SECOND, 3600 * US_PER_SECOND, DAY_US, 366 * DAY_US)),
          {
            maxLength: 12,
          },
        ),
        fc.constantFrom("UTC", "Europe/Berlin", "+05:30"),
        fc.constantFrom(REFERENCE, REFERENCE - DAY_US, REFERENCE - DAY_US - 13 * US_PER_SECOND),
        (lines, zone, start) => {
          const options = { path: "messages", fingerprint: "f", zone };
          const [asBytes, asText] = [createLogReader(options), createLogReader(options)];
          let reference = start;
          for (const [i, [line, later]] of lines.entries()) {
            reference += later;
            const place = { offset: i, lineNumber: i + 1 };
            expect(asBytes.read(Buffer.from(line), place, reference)).toEqual(
              asText.read(line.replace(/\r$/, ""), place, reference),
            );
          }
          expect(asBytes.counts()).toEqual(asText.counts());
        },
      ),
      { numRuns: 3000 },
    );
  });
});
