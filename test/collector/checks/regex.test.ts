import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { translatePcre } from "../../../collector/checks/regex.ts";
import { isInstalled } from "./support.ts";

function isFound(pattern: string, options: readonly string[], subject: string): boolean | string {
  const translated = translatePcre(pattern, options);
  if ("unsupported" in translated) return translated.unsupported;
  return new RegExp(translated.source, translated.flags).test(subject);
}

test.each<[pattern: string, options: readonly string[], subject: string, expected: boolean]>([
  ["works", [], "it works", true],
  ["^works", [], "it\nworks", false],
  ["^works", ["multiline"], "it\nworks", true],
  ["works$", [], "it works\n", true],
  ["works$", ["dollar_endonly"], "it works\n", false],
  ["it$", ["multiline"], "it\nworks", true],
  ["it$", ["multiline"], "it\rworks", false],
  ["a.b", [], "a\rb", true],
  ["a.b", [], "a\nb", false],
  ["a.b", ["dotall"], "a\nb", true],
  ["WORKS", ["caseless"], "it works", true],
  ["a\\sb", [], "a\u00a0b", false],
  ["[\\s]b", [], "\tb", true],
  ["\\Ait works\\z", [], "it works", true],
  ["works\\Z", [], "works\n", true],
  ["(?<word>it) (?P<other>works)", [], "it works", true],
  ["a{2,3}", [], "caab", true],
  ["a{,3}", [], "x", false],
  ["[a[]", [], "[", true],
  ["\\/\\.\\-", [], "/.-", true],
  ["é", [], "Ã©", true],
])("%s %s %j", (pattern, options, subject, expected) => {
  const found = isFound(pattern, options, subject);
  if (pattern === "a{,3}") expect(found).toBe("this form of { }");
  else expect(found).toBe(expected);
});

test.each<[pattern: string, options: readonly string[], said: RegExp]>([
  ["(a)\\1", [], /escape \\1/],
  ["a++", [], /possessive/],
  ["(?i)a", [], /\(\?i/],
  ["(?>a)", [], /\(\?>/],
  ["(?<=a)b", [], /\(\?</],
  ["(*UTF)a", [], /verbs/],
  ["[[:alpha:]]", [], /alpha/],
  ["[]a]", [], /begins with \]/],
  ["[a", [], /not closed/],
  ["\\p{L}", [], /\\p/],
  ["\\Qa\\E", [], /\\Q/],
  ["\\v", [], /\\v/],
  ["a", ["utf"], /utf/],
  ["a b", ["extended"], /extended/],
  ["é", ["caseless"], /ASCII/],
  ["(", [], /JavaScript/],
  ["a".repeat(5_000), [], /characters/],
])("%s %s is refused with a reason", (pattern, options, said) => {
  expect(isFound(pattern, options, "")).toMatch(said);
});

describe.skipIf(!isInstalled("pcre2test"))("PCRE2 itself finds the same", () => {
  const atom = fc.constantFrom(
    ..."a b \\n . ^ $ \\s \\S \\d \\w \\W \\b \\B [ab] [^a] [a-c\\s] \\x41 \\A \\z \\Z 1 A".split(" "),
    " ",
  );
  const pattern = fc.letrec<{ one: string; many: string }>((tie) => ({
    one: fc.oneof(
      { depthSize: "small" },
      atom,
      tie("many").map((inner) => `(${inner})`),
      tie("many").map((inner) => `(?:${inner})`),
      tie("many").map((inner) => `(?=${inner})`),
      tie("many").map((inner) => `(?!${inner})`),
      fc
        .tuple(fc.constantFrom("a", "b", ".", "[ab]", "\\s"), fc.constantFrom("*", "+", "?", "*?", "{2}", "{1,2}"))
        .map((pair) => pair.join("")),
    ),
    many: fc.oneof(
      fc.array(tie("one"), { minLength: 1, maxLength: 4 }).map((all) => all.join("")),
      fc.tuple(tie("one"), tie("one")).map((all) => all.join("|")),
    ),
  })).many;
  const subject = fc
    .array(fc.constantFrom("a", "b", "c", "A", "1", " ", "\n", "\r", "\t", "\u00a0", "\u00e9"), {
      minLength: 1,
      maxLength: 8,
    })
    .map((all) => all.join(""));
  const options = fc.subarray(["caseless", "multiline", "dotall", "dollar_endonly"]);

  test("in four thousand patterns and subjects", () => {
    const cases = fc.sample(fc.record({ pattern, subject, options }), 4_000);
    const hex = (text: string): string => Buffer.from(text, "latin1").toString("hex");
    const escaped = (text: string): string => hex(text).replace(/../g, "\\x$&");
    // Without it PCRE2 10.42 finds no `A` in "A" by /(?=a)((?:\b )|(?!(?:\S$\s+)))\x41/i, which is a fault of its start optimisation.
    const input = cases.map(
      (one) =>
        `/${hex(one.pattern)}/${["hex", "no_start_optimize", ...one.options].join(",")}\n    ${escaped(one.subject)}\n\n`,
    );
    const output = execFileSync("pcre2test", ["-q"], { input: input.join(""), encoding: "latin1", maxBuffer: 1 << 26 });
    const answers = output
      .split("\n")
      .flatMap((line) =>
        line.startsWith(" 0:")
          ? ["1"]
          : line.startsWith("No match")
            ? ["0"]
            : line.startsWith("Failed: error")
              ? ["e"]
              : [],
      );
    expect(answers).toHaveLength(cases.length);
    const wrong = cases.filter((one, i) => {
      if (answers[i] === "e") return false;
      const found = isFound(one.pattern, one.options, one.subject);
      return typeof found === "boolean" && found !== (answers[i] === "1");
    });
    expect(wrong).toEqual([]);
    const decided = cases.filter((one) => typeof isFound(one.pattern, one.options, one.subject) === "boolean").length;
    expect(decided).toBeGreaterThan(3_200);
  });
});
