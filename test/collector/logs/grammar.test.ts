import { describe, expect, test } from "vitest";
import { GrammarTable, takePrefixes } from "../../../collector/logs/grammar.ts";
import { allGrammars, readMessage } from "../../../collector/logs/reader.ts";

const table = new GrammarTable(allGrammars);
const samples = allGrammars.flatMap((row) => row.samples.map((sample) => [row.id, sample] as const));

describe("the grammar is a table", () => {
  test.each(samples)("%s is the first to claim %j", (id, sample) => {
    const { words, context } = takePrefixes(sample, "vrrp");
    expect(table.claims(words, context)[0]?.id).toBe(id);
  });

  test("no id is used twice", () => {
    const ids = allGrammars.map((row) => row.id);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  });

  test.each(
    allGrammars
      .filter((row) => !row.id.startsWith("config."))
      .flatMap((row) => row.samples.map((sample) => [sample, row.id] as const)),
  )("%j is claimed by one row alone", (sample, id) => {
    const { words, context } = takePrefixes(sample, "vrrp");
    expect(table.claims(words, context).map((row) => row.id)).toEqual([id]);
  });
});
