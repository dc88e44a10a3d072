import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario } from "./scenario.ts";

const PAIR = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 daemon starting
  at 0 lb2 daemon starting
  at 0.1 lb1 log BACKUP init
  at 0.1 lb2 log BACKUP init
  at 3.5 lb1 log MASTER
  at 3.5 lb1 kernel +10.99.0.100
  at 3.5 lb1 wire out seen
  at 3.5 lb2 wire lb1 seen`;
const TAKEN = `
  at 20.1 lb1 kernel -10.99.0.100
  at 20.6 lb2 log MASTER
  at 20.6 lb2 kernel +10.99.0.100
  at 20.6 lb2 wire out seen
  at 20.6 lb1 wire lb2 seen
  watch lb1 lb2 to 60`;
const HANDED_OVER = `
  at 20.0 lb1 sent-zero
  at 20.0 lb1 wire out gone priority-zero
  at 20.0 lb2 wire lb1 gone priority-zero
  ${TAKEN}`;

const endsOf = (text: string) =>
  [...detectAll(scenario(text)).lanes.values()]
    .flat()
    .filter(({ node }) => node === "lb1")
    .flatMap(({ bars }) => bars.filter(({ state, to }) => state === "MASTER" && to !== null))
    .map(({ source, ended }) => `${source} ${ended ?? "nothing says how"}`);

describe("how a mastership ended", () => {
  test.each([
    ["stopped", `at 19.5 lb1 daemon stopping${HANDED_OVER}\nat 21 lb1 daemon stopped`],
    ["reloaded", `at 19.9 lb1 daemon reloading${HANDED_OVER}`],
    ["fault", `at 20.0 lb1 log FAULT${HANDED_OVER}`],
    ["died", `at 20.0 lb1 process gone${HANDED_OVER}`],
    ["outranked", `at 20.0 lb1 log BACKUP${HANDED_OVER}`],
    ["nothing says how", HANDED_OVER],
  ])("%s", (ended, text) => {
    const ends = endsOf(`${PAIR}\n${text}`);
    expect(ends).toContain(`kernel ${ended}`);
    expect(ends).toContain(`wire ${ended}`);
  });

  test("one that lasts has no end", () => {
    expect(endsOf(`${PAIR}\nwatch lb1 lb2 to 60`)).toEqual([]);
  });
});

test.each([
  ["an orderly stop", `at 20.0 lb1 daemon stopping${HANDED_OVER}\nat 21 lb1 daemon stopped`],
  ["a reload that gives the address up", `at 19.9 lb1 daemon reloading${HANDED_OVER}`],
])("%s that hands over is no critical incident", (_, text) => {
  const { incidents } = detectAll(scenario(`${PAIR}\n${text}`));
  expect(incidents.filter(({ severity }) => severity === "critical")).toEqual([]);
});

test("an orderly stop of the only node that could be master is a warning, and its story says so", () => {
  const text = `${PAIR}
    at 10 lb2 log FAULT
    at 19.9 lb2 daemon stopping
    at 19.9 lb2 daemon stopped
    at 20.0 lb1 daemon stopping
    at 20.0 lb1 sent-zero
    at 20.0 lb1 wire out gone priority-zero
    at 20.0 lb2 wire lb1 gone priority-zero
    at 20.1 lb1 kernel -10.99.0.100
    at 21.1 lb1 daemon stopped
    watch lb1 lb2 to 60`;
  const [incident] = detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "no-master");
  expect(incident).toMatchObject({ severity: "warning", cause: { code: "stopped" } });
  expect(incident?.story).toContain(
    "lb1 was master from 10:53:03.5 UTC to 10:53:20.1 UTC (17 s, then stopped in order)",
  );
});

test("a log that is read from the middle on still says that all were stopped", () => {
  const text = `
    at 0 lb1 config
    at 0 lb2 config
    at 3.5 lb1 kernel +10.99.0.100
    at 3.5 lb1 wire out seen
    at 3.5 lb2 wire lb1 seen
    at 18.0 lb2 daemon stopping
    at 18.9 lb2 daemon stopped
    at 20.0 lb1 daemon stopping
    at 20.0 lb1 wire out gone priority-zero
    at 20.0 lb2 wire lb1 gone priority-zero
    at 20.1 lb1 kernel -10.99.0.100
    at 21.1 lb1 daemon stopped
    watch lb1 lb2 to 60`;
  expect(detectAll(scenario(text)).incidents.filter(({ kind }) => kind === "no-master")).toMatchObject([
    { severity: "warning", cause: { code: "stopped", text: "keepalived was stopped on lb1 and lb2" } },
  ]);
});
