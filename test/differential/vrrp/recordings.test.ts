import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseRecording, printRecording } from "./recording.ts";
import { printVerdict } from "./report.ts";
import { isRight, judge } from "./verdict.ts";

/** What real daemons did once, without the daemon: made by `KEEPWATCH_RECORD`. */
const FOLDER = join(import.meta.dirname, "recordings");
const recordings = readdirSync(FOLDER).map((name) => ({ name, text: readFileSync(join(FOLDER, name), "utf8") }));

describe("a recording of keepalived 2.2.7", () => {
  test.each(recordings)("$name is predicted", ({ text }) => {
    const verdict = judge(parseRecording(text));
    expect(verdict.matches.length).toBeGreaterThan(0);
    expect(isRight(verdict) ? [] : [printVerdict(verdict)]).toEqual([]);
  });

  test.each(recordings)("$name holds no password, and is what would be written of it", ({ text }) => {
    expect(text).not.toContain("auth_pass");
    expect(printRecording(parseRecording(text))).toBe(text);
  });

  test("a state that is missing, too much, too late, or another one is seen", () => {
    const recording = parseRecording(recordings.find(({ name }) => name === "partition.lb2.jsonl")?.text ?? "");
    const [first, second, ...rest] = recording.real;
    if (!first || !second) throw new Error("it has two state changes at least");
    const wrong = [
      [first, ...rest],
      [first, second, { ...second, at: second.at + 400_000, to: "FAULT" as const }, ...rest],
      [first, { ...second, at: second.at + 160_000 }, ...rest],
      [first, { ...second, to: "FAULT" as const }, ...rest],
      [{ ...second, at: first.at }, { ...first, at: second.at }, ...rest],
    ];
    expect(isRight(judge(recording))).toBe(true);
    expect(wrong.map((real) => isRight(judge({ ...recording, real })))).toEqual(wrong.map(() => false));
  });
});
