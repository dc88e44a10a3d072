import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  LABELS,
  type Matcher,
  matchesAll,
  matcherText,
  OPERATORS,
  parseMatcher,
} from "../../../server/alert/matchers.ts";
import { splitBrain } from "./support.ts";

const read = (text: string): Matcher => {
  const matcher = parseMatcher(text);
  if (typeof matcher === "string") throw new Error(matcher);
  return matcher;
};
const matches = (...texts: string[]) => matchesAll(texts.map(read), splitBrain);

describe("a matcher", () => {
  test.each([
    ['kind="split-brain"', true],
    ["kind = split-brain", true],
    ['kind="split"', false],
    ['kind=~"split"', false],
    ['kind=~"split.*"', true],
    ['kind=~"no-master|split-brain"', true],
    ['kind!="split-brain"', false],
    ['kind!~"no-.*"', true],
    ['node="lb2"', true],
    ['node="lb3"', false],
    ['node!="lb2"', false],
    ['node!~"lb[34]"', true],
    ['node=~"lb[12]"', true],
    ['service=""', true],
    ['service!=""', false],
    ['cause="adverts-filtered"', true],
    ['router="default/ipv4/51"', true],
    ['severity=~"critical|warning"', true],
    ['certainty="suspected"', false],
    [String.raw`cluster=~"\w+"`, true],
  ])("%s on two masters of lb1 and lb2 is %s", (text, fits) => {
    expect(matches(text)).toBe(fits);
  });

  test("all of several must fit", () => {
    expect(matches("kind=split-brain", "node=lb1")).toBe(true);
    expect(matches("kind=split-brain", "node=lb9")).toBe(false);
  });

  test.each([
    ["split-brain", "has no operator"],
    ['colour="red"', 'asks for the label "colour", which is none of cluster, kind'],
    ['kind="split', "does not end with its quotation mark"],
    ['kind=~"(split"', "RE2 does not read: missing closing )"],
    [String.raw`kind=~"(a)\1"`, "RE2 does not read"],
    ['kind=~"(?=a)"', "RE2 does not read"],
    [`kind=${"x".repeat(1025)}`, "more than 1024 characters"],
  ])("%s is refused in a sentence", (text, sentence) => {
    expect(parseMatcher(text)).toContain(sentence);
  });

  test("a pattern that makes other engines go through all ways is answered in time that is linear", () => {
    const pattern = read('component=~"(a+)+b"');
    // By trying all ways, this would take longer than the universe is old.
    expect(pattern.fits("a".repeat(20_000))).toBe(false);
  });

  test("reads what it writes", () => {
    fc.assert(
      fc.property(fc.constantFrom(...LABELS), fc.constantFrom(...OPERATORS), fc.string(), (label, operator, value) => {
        const matcher = parseMatcher(matcherText({ label, operator, value }));
        if (typeof matcher !== "string") expect(matcher).toMatchObject({ label, operator, value });
        // Only a pattern may be none.
        else expect(operator).toMatch(/~/);
      }),
    );
  });
});
