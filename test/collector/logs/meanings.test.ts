import { describe, expect, test } from "vitest";
import { parseIsoUs } from "../../../collector/core/time.ts";
import { GrammarTable } from "../../../collector/logs/grammar.ts";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import { CONTEXTS } from "../../../collector/logs/layout.ts";
import { meaningsOf } from "../../../collector/logs/meanings.ts";
import { LineReader } from "../../../collector/logs/reader.ts";
import { harmless } from "../../../collector/logs/text.ts";
import { LogScanner } from "../../../collector/offline/scan.ts";
import { machineParts } from "../../support/machine.ts";

const REFERENCE = parseIsoUs("2026-11-24T10:53:30Z") ?? 0;
const table = new GrammarTable(allGrammars);
const meanings = meaningsOf(table);
const parts = machineParts();

/** What holes hold, and what they may be taken for by mistake: at and beyond each bound of each check. */
const WORDS = [
  ..."0 -0 00 7 -1 -7 64 65 128 129 255 256 0255 999 1000 4095 4096 65535 65536 2147483647 2147483648 -2147483648".split(
    " ",
  ),
  ..."9999999999999999999 1.5 30. .5 30.000000 30.0000000001 9999999999.5 1e3 0x1f +7 1-2 --1 -".split(" "),
  ..."10.0.0.1 10.0.0.01 10.0.0.256 10.0.0 10.0.0.1.1 255.255.255.255 0.0.0.0 1.2.3.4. 2001:db8::1 ::".split(" "),
  ..."10.0.0.1/24 10.0.0.1/ 10.0.0.1/x 10.0.0.1/1234 10.0.0.1/24/8 2001:db8::1/64 fe80:: abc 127.1".split(" "),
  ..."[10.0.0.1]:80 [10.0.0.1]:tcp:80 [10.0.0.1]:udp:65535 [10.0.0.1]:65536 [10.0.0.1]:-1 [10.0.0.1]:00080".split(" "),
  ..."[10.0.0.1]:000080 [10.0.0.1]: [10.0.0.1]:tcp: [10.0.0.1]:xyz:80 [10.0.0.1:80] [[10.0.0.1]:80] [::1]:tcp:80".split(
    " ",
  ),
  ..."[10.0.0.1]80 [10.0.0.300]:80 [group]:1 [] [10.0.0.1]:80x".split(" "),
  "FWM 7",
  "FWM x",
  "x",
  "é",
  "a b",
  "UP",
  "timed out",
  "succeeded",
  "failed on retry 1/2",
  "timeout after 3 retries",
];
const NUMBERS = WORDS.filter((word) => /^-?\d+$/.test(word));

function* lines(): Generator<string> {
  for (const [number, template] of table.templates.entries())
    for (let turn = 0; turn < 40; turn++) {
      let hole = 0;
      // Each hole goes through all words, each at a pace of its own, so that they meet in many ways.
      const filled = template.replace(/\{([^}]*)\}/g, (_hole, name: string) => {
        const words = name.endsWith(":d") ? NUMBERS : WORDS;
        hole += 1;
        return words[(turn * (2 * hole - 1) + number + hole) % words.length] as string;
      });
      if (filled === template && turn > 3) break;
      const tag = ["Keepalived", "Keepalived_vrrp", "Keepalived_healthcheckers", "keepalived"][turn % 4];
      yield `Nov 24 10:53:23 lb1 ${tag}[${turn}]: ${turn % 3 === 0 ? "" : "(VI_1) "}${filled}`;
    }
}

describe("what the machine knows without asking", () => {
  test("is what the rows say, whatever the holes hold", async () => {
    const reader = new LineReader({ path: "messages", zone: "UTC" });
    const scanner = new LogScanner({ path: "messages", zone: "UTC", reference: REFERENCE }, parts);
    const expected: Record<string, number> = {};
    const all = [...lines()];
    for (const line of all) {
      const read = reader.readText(harmless(line), REFERENCE);
      const what = `${read?.meaning.row} ${read?.meaning.body.kind}`;
      expected[what] = (expected[what] ?? 0) + 1;
    }
    await scanner.push(Buffer.from(`${all.join("\n")}\n`));
    const { rows, kinds } = await scanner.end();
    const sums = (place: number): Record<string, number> => {
      const sum: Record<string, number> = {};
      for (const [what, count] of Object.entries(expected)) {
        const name = what.split(" ")[place] as string;
        sum[name] = (sum[name] ?? 0) + count;
      }
      return sum;
    };
    expect(Object.fromEntries(rows)).toEqual(sums(0));
    expect(Object.fromEntries([...kinds].filter(([, count]) => count > 0))).toEqual(sums(1));
  });

  test("is everything but what is said in words only", () => {
    // Every second context has an instance, without which some rows do not apply.
    const asked = table.templates.filter((_, template) =>
      meanings.known
        .subarray(template * CONTEXTS, (template + 1) * CONTEXTS)
        .some((what, at) => at % 2 === 1 && what === 0),
    );
    expect(new Set(asked)).toEqual(
      new Set(allGrammars.filter(({ wordsDecide }) => wordsDecide).flatMap(({ templates }) => templates)),
    );
  });
});
