import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { explain } from "./explain.ts";
import { judge, type Report, seconds, textOf } from "./judge.ts";
import { printScenario } from "./print.ts";
import { type Expectation, parseScenario } from "./text.ts";
import { scenarioOf, WORLDS } from "./worlds.ts";

const folder = join(import.meta.dirname, "scenarios");
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));

/** Others are looked at where the scenario speaks of them. */
const ALWAYS = ["split-brain", "no-master", "flapping", "startup-failure"];

const meets = (report: Report, expected: Expectation): boolean =>
  report.kind === expected.kind &&
  report.vrid === expected.vrid &&
  Math.abs(report.from - expected.from) <= expected.withinUs &&
  (expected.to === null ? report.open : !report.open && Math.abs(report.to - expected.to) <= expected.withinUs) &&
  (expected.certainty === undefined || report.certainty === expected.certainty) &&
  (expected.cause === undefined || report.cause === expected.cause);

const wanted = ({ kind, vrid, from, to, certainty, cause, line }: Expectation): string =>
  `line ${line}: ${kind} ${certainty ?? ""} of VRID ${vrid} ${seconds(from)}–${to === null ? "open" : seconds(to)} s (${cause ?? "any cause"})`;

test.each(files)("%s", (name) => {
  const { scenario, expectations } = parseScenario(name, readFileSync(join(folder, name), "utf8"));
  const verdict = judge(scenario);
  const kinds = new Set([...ALWAYS, ...expectations.map(({ kind }) => kind)]);
  const reports = verdict.reports.filter(({ kind }) => kinds.has(kind));
  const missing = expectations.filter((expected) => !reports.some((report) => meets(report, expected)));
  const surplus = reports.filter((report) => !expectations.some((expected) => meets(report, expected)));
  expect(
    { missing: missing.map(wanted), surplus: surplus.map(textOf), faults: verdict.faults },
    explain(verdict),
  ).toEqual({ missing: [], surplus: [], faults: [] });
});

test("what a seed invents can be written down and read again", () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.constantFrom(...WORLDS.map(({ name }) => name)), (seed, world) => {
      const scenario = scenarioOf(seed, world);
      expect(parseScenario("printed", printScenario(scenario)).scenario).toEqual(scenario);
    }),
    { numRuns: 200 },
  );
});

const GOOD = "nodes lb1 lb2\nrouter 51 lb1=150 lb2=100\nuntil 60s\n";

test.each([
  ["boot lb1", /bad\.txt:1: "boot" is not a statement: there are title, seed, nodes/],
  [`${GOOD}at 5s start lb3`, /bad\.txt:4: there is no node lb3: a line `nodes` names lb1, lb2/],
  [`${GOOD}at 5 start lb1`, /bad\.txt:4: "5" is not when \(a time: 2\.5s, 300ms\)/],
  [`${GOOD}at 5s explode lb1`, /bad\.txt:4: "explode" is not a deed: there are start, stop, kill/],
  [`${GOOD}at 5s partition lb1 lb2`, /bad\.txt:4: a partition has nodes on both sides/],
  [`${GOOD}at 5s path lb1 lb2 loss 100%`, /bad\.txt:4: a path has a direction/],
  [`${GOOD}at 5s path lb1 > lb2 loss 130%`, /bad\.txt:4: "130%" is not a loss \(a share: 30%\)/],
  [`${GOOD}at 5s heal now`, /bad\.txt:4: nothing is expected behind "heal", and there is "now"/],
  [`${GOOD}at 90s start lb1`, /bad\.txt: a deed at 90 s is behind the end at 60 s/],
  [`${GOOD}expect split-brain 51 from 3s confirmed`, /bad\.txt:4: when it ends is missing/],
  ["nodes lb1 lb1", /bad\.txt:1: lb1 is named twice/],
  ["nodes lb1\nrouter 0 lb1=5", /bad\.txt:2: "0" is not a VRID from 1 to 255/],
  ["nodes lb1\nrouter 51 lb1=500", /bad\.txt:2: "500" is not a priority from 1 to 254/],
  ["nodes lb1\nrouter 51 lb1=5 interval 200ms", /bad\.txt:2: version 2 has intervals of whole seconds/],
  ["nodes lb1\nrouter 51 lb1=5", /a scenario needs a line `until TIME`/],
  ["until 5s", /a scenario needs a line `router VRID NODE=PRIORITY…`/],
])("a scenario that says %j is refused with its place", (text, message) => {
  expect(() => parseScenario("bad.txt", text)).toThrow(message);
});
