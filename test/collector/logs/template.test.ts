import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileAutomaton, Matcher } from "../../../collector/logs/automaton.ts";
import { holesOf } from "../../../collector/logs/template.ts";

const held = (template: string, text: string): Record<string, string> | undefined => {
  const matcher = new Matcher(compileAutomaton([template]));
  const bytes = Buffer.from(`«${text}»`);
  const [from, end] = [2, bytes.length - 2];
  if (matcher.match(bytes, from, end, true) < 0) return undefined;
  const names = holesOf(template);
  return Object.fromEntries(names.map((name, i) => [name, bytes.toString("utf8", matcher.starts[i], matcher.ends[i])]));
};

describe("a template", () => {
  test.each([
    ["text alone", "Stopping", "Stopping", {}],
    ["text alone, and more behind it", "Stopping", "Stopping now", undefined],
    ["text alone, and more before it", "Stopping", "now Stopping", undefined],
    ["a hole at the end", "Opening file {name}", "Opening file x y", { name: "x y" }],
    ["a hole at the end that holds nothing", "Opening file {name}", "Opening file ", undefined],
    ["anything, which may be nothing", "Reload{*}", "Reload", {}],
    ["anything by a name", "Reload {*what}!", "Reload now!", { what: "now" }],
    ["anything by a name, which is nothing", "Reload {*what}!", "Reload !", { what: "" }],
    ["the first place that fits", "{a}, {b}", "x, y, z", { a: "x", b: "y, z" }],
    ["an end that stands twice", "from {a} to {b}!", "from 1 to 2! to 3!", { a: "1", b: "2! to 3" }],
    ["a number", "pid={pid:d}", "pid=15", { pid: "15" }],
    ["a number below zero", "weight {w:d}.", "weight -20.", { w: "-20" }],
    ["a number that is none", "pid={pid:d}", "pid=x", undefined],
    ["a number with letters behind it", "pid={pid:d}", "pid=15x", undefined],
    [
      "a word before a number",
      "{who} child process({pid:d}) died",
      "VRRP child process(7) died",
      { who: "VRRP", pid: "7" },
    ],
    ["a false start before a number", "{a} pid={pid:d} gone", "x pid=no pid=7 gone", { a: "x pid=no", pid: "7" }],
    ["a false end behind a number", "{a} at {n:d}", "x at 7 at 8", { a: "x at 7", n: "8" }],
  ])("reads %s", (_name, template, text, words) => {
    expect(held(template, text)).toEqual(words);
  });

  test.each(["a } b", "a { b", "{a}{b}", "{a}{n:d}", "{n:d}1", "{n:d}{m:d}", "{a}1{n:d}"])(
    "that is ambiguous is refused at start: %s",
    (template) => {
      expect(() => compileAutomaton([template])).toThrow(JSON.stringify(template));
    },
  );

  test("reads what the regular expression of the same shape reads", () => {
    const piece = fc.constantFrom("a", "b", "ab", "1", "-", "{x}", "{*}", "{n:d}");
    const text = fc.string({ unit: fc.constantFrom("a", "b", "1", "-"), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), text, (pieces, line) => {
        const template = pieces.filter((part, i) => !part.startsWith("{") || pieces.indexOf(part) === i).join("");
        try {
          compileAutomaton([template]);
        } catch {
          return;
        }
        const pattern = template
          .replaceAll("{*}", ".*?")
          .replaceAll("{x}", "(?<x>.+?)")
          .replaceAll("{n:d}", "(?<n>-?\\d+)(?!\\d)");
        const expected = new RegExp(`^${pattern}$`).exec(line);
        expect(held(template, line)).toEqual(expected ? { ...expected.groups } : undefined);
      }),
      { numRuns: 20_000 },
    );
  });
});
