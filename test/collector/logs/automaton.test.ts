import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileAutomaton, Matcher } from "../../../collector/logs/automaton.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { namesIn, packTables, unpackTables } from "../../../collector/logs/tables.ts";
import { holesOf } from "../../../collector/logs/template.ts";
import { filled, mutated } from "../../support/log-lines.ts";
import { oracle } from "../../support/template-oracle.ts";

const templates = allGrammars.flatMap((row) => row.templates);
const matcher = new Matcher(compileAutomaton(templates));
const expected = oracle(templates);
const NAMES = { counted: [{ kind: "vrrp.state", state: 1 } as const], rows: ["é"], rowOf: [0] };

describe("the automaton of all templates", () => {
  test("finds what the templates mean one by one, in the same order, with the same words", () => {
    fc.assert(
      fc.property(fc.oneof(filled, mutated), (text) => {
        const bytes = Buffer.from(`{${text}}`);
        const fitting = expected(text);
        expect(matcher.all(bytes, 1, bytes.length - 1, true)).toEqual(fitting.map(({ template }) => template));
        const found = matcher.match(bytes, 1, bytes.length - 1, true);
        expect(found).toBe(fitting[0]?.template ?? -1);
        if (found < 0) return;
        const names = holesOf(templates[found] ?? "");
        const words = names.map(
          (name, i) => [name, bytes.toString("utf8", matcher.starts[i], matcher.ends[i])] as const,
        );
        expect(new Map(words)).toEqual(fitting[0]?.words);
        for (const [i, [, word]] of words.entries())
          if (templates[found]?.includes(`{${names[i]}:d}`)) expect(matcher.numbers[i]).toBe(Number(word));
      }),
      { numRuns: 3000 },
    );
  });

  test("is the same when it has been packed", () => {
    const automaton = compileAutomaton(
      templates,
      Uint8Array.from(templates, (_, i) => i % 2),
    );
    const meanings = { known: Int32Array.of(0, -1), decisions: Int32Array.of(5), names: NAMES };
    const packed = packTables(automaton, meanings);
    const unpacked = unpackTables(packed);
    expect(unpacked.classes).toBe(automaton.classes);
    expect(Buffer.compare(packTables(unpacked, { ...unpacked, names: namesIn(unpacked) }), packed)).toBe(0);
    expect(namesIn(unpacked)).toEqual(NAMES);
    expect(unpacked.order).toEqual(automaton.order);
  });

  test("holds nothing that ends a line, so that no literal is found beyond one", () => {
    expect(matcher.automaton.text.filter((byte) => byte === 0x0a || byte === 0x0d)).toHaveLength(0);
  });

  test("a template that does not apply gives way to the next one that fits", () => {
    const both = ["Stopped - used {*}", "Stopped{*}"];
    const bytes = Buffer.from("Stopped - used 1 s");
    const found = (first: number, second: number): readonly number[] => {
      const own = new Matcher(compileAutomaton(both, Uint8Array.of(first, second)));
      return [true, false].map((hasInstance) => own.match(bytes, 0, bytes.length, hasInstance));
    };
    expect(found(1, 1)).toEqual([0, 0]);
    expect(found(0, 1)).toEqual([0, 1]);
    expect(found(0, 0)).toEqual([0, -1]);
  });

  /** Steps are looks at a byte of the message: time would be the machine's. Where each template is linear, all of them are. */
  test("looks at ten times the text at most twelve times as often, whatever the text", () => {
    const steep = [...new Set(templates)].filter((template) => {
      const literals = template.split(/\{[^}]*\}/);
      const rest = literals.slice(1);
      const between = `${rest.join("7") || "x"}7 `;
      const ends = [`${rest.join("7")}\u0001`, `\u0001${literals.at(-1)}`, rest.join("77")];
      const own = new Matcher(compileAutomaton([template]));
      const looks = (length: number, end: string): number =>
        looksAt(own, `${literals[0]}${between.repeat(Math.ceil(length / between.length))}${end}`);
      return ends.some((end) => looks(10_000, end) > 12 * looks(1_000, end));
    });
    expect(steep).toEqual([]);
  });
});

function looksAt(own: Matcher, text: string): number {
  let looks = 0;
  const bytes = new Proxy(Buffer.from(text), {
    get: (target, key) => {
      looks += 1;
      return target[key as keyof Buffer];
    },
  });
  own.match(bytes, 0, Buffer.byteLength(text), true);
  return looks;
}
