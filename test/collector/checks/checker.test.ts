import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type CheckerEffect,
  type CheckerInput,
  type CheckerSettings,
  type CheckerState,
  type ProbeResult,
  startChecker,
  step,
} from "../../../collector/checks/checker.ts";
import { NEWEST_RELEASE, type Release } from "../../../collector/conf/version.ts";
import type { MonoUs } from "../../../collector/core/time.ts";
import { checkerFrom } from "./support.ts";

const S = 1_000_000;
const good: ProbeResult = { kind: "success" };
const bad: ProbeResult = { kind: "failure", reason: "connect" };
const SCHEDULE = "delay_loop 10\n delay_before_retry 1\n warmup 0";
const BLOCKS = {
  tcp: `TCP_CHECK {\n ${SCHEDULE}\n retry 2\n}`,
  smtp: `SMTP_CHECK {\n ${SCHEDULE}\n retry 2\n}`,
  udp: `UDP_CHECK {\n ${SCHEDULE}\n retry 2\n}`,
  ping: `PING_CHECK {\n ${SCHEDULE}\n retry 2\n}`,
  dns: `DNS_CHECK {\n ${SCHEDULE}\n retry 2\n}`,
  http: `HTTP_GET {\n ${SCHEDULE}\n retry 2\n url {\n path /\n }\n }`,
} as const;

/** Lets a checker probe as often as there are results. @returns one line a probe: when, which target, what came of it */
function script(
  checker: CheckerSettings,
  results: readonly ProbeResult[],
  release: Release = NEWEST_RELEASE,
): string[] {
  let state: CheckerState = startChecker(checker, 0 as MonoUs, 0);
  return results.map((result) => {
    const now = state.dueAt;
    const [probing, begun] = step(checker, state, { kind: "tick" }, now, release);
    const [next, ended] = step(checker, probing, { kind: "result", result }, now, release);
    state = next;
    const words = [...begun, ...ended].map((effect) =>
      effect.kind === "probe"
        ? `${now / S}s:${effect.target}`
        : effect.kind === "result"
          ? `${effect.outcome}${effect.retries === undefined ? "" : ` after ${effect.retries}`}`
          : `${effect.changed ? "" : "still "}${effect.up ? "up" : "down"}`,
    );
    return words.join(" ");
  });
}

const lines = (block: string, results: readonly ProbeResult[], release?: Release): string[] =>
  script(checkerFrom(block, release ? { release } : {}), results, release);

describe("a checker, probe by probe", () => {
  test("at the start one failure is enough, whatever the retries", () => {
    expect(lines(BLOCKS.tcp, [bad])).toEqual(["0s:0 down down"]);
  });

  test("later it takes retry + 1 failures, delay_before_retry apart", () => {
    expect(lines(BLOCKS.tcp, [good, bad, bad, bad, good])).toEqual([
      "0s:0 success still up",
      "10s:0 failure",
      "11s:0 failure",
      "12s:0 down after 2 down",
      "22s:0 success up",
    ]);
  });

  test("a success in between forgives the failures before it", () => {
    expect(lines(BLOCKS.tcp, [good, bad, bad, good, bad, bad, bad]).at(-1)).toBe("24s:0 down after 2 down");
  });

  test.each(["tcp", "smtp"] as const)("%s goes on counting retries while its server is down", (kind) => {
    expect(lines(BLOCKS[kind], [bad, bad, bad, bad, bad])).toEqual([
      "0s:0 down down",
      "10s:0 failure",
      "11s:0 failure",
      "12s:0 failure",
      "22s:0 failure",
    ]);
  });

  test.each(["udp", "ping", "dns", "http"] as const)("%s waits a whole loop while its server is down", (kind) => {
    expect(lines(BLOCKS[kind], [bad, bad, bad])).toEqual(["0s:0 down down", "10s:0 failure", "20s:0 failure"]);
  });

  test("alpha: down until the first success", () => {
    const alpha = BLOCKS.tcp.replace("retry 2", "retry 2\n alpha");
    expect(lines(alpha, [bad, good])).toEqual(["0s:0 down still down", "10s:0 success up"]);
    expect(lines(alpha, [good])).toEqual(["0s:0 success up"]);
  });

  test("the urls of an HTTP_GET, one a loop; all of them make a success", () => {
    const urls = ["/a", "/b", "/c"].map((path) => `url {\n path ${path}\n }`).join("\n");
    const block = `HTTP_GET {\n ${SCHEDULE}\n retry 1\n ${urls}\n }`;
    expect(lines(block, [good, good, good, good])).toEqual([
      "0s:0 success",
      "10s:1 success",
      "20s:2 success still up",
      "30s:0 success",
    ]);
    // The one that failed is tried first, and all of them have to pass again.
    expect(lines(block, [good, good, good, good, bad, bad, bad, good, good, good, good])).toEqual([
      "0s:0 success",
      "10s:1 success",
      "20s:2 success still up",
      "30s:0 success",
      "40s:1 failure",
      "41s:1 down after 1 down",
      "51s:1 failure",
      "61s:1 success",
      "71s:2 success",
      "81s:0 success up",
      "91s:0 success",
    ]);
    const fast = block.replace("retry 1", "retry 1\n fast_recovery");
    expect(lines(fast, [good, good, good, good])).toEqual([
      "0s:0 success",
      "0s:1 success",
      "0s:2 success still up",
      "10s:0 success",
    ]);
  });

  test("the hosts of an SMTP_CHECK, one behind the other", () => {
    const block = `SMTP_CHECK {\n ${SCHEDULE}\n host {\n }\n host {\n connect_port 26\n }\n }`;
    expect(lines(block, [good, good, good])).toEqual(["0s:0 success", "0s:1 success still up", "10s:0 success"]);
  });

  test("up to 1.2.13 a wrong status or digest takes a server down at once", () => {
    const status: ProbeResult = { kind: "failure", reason: "status" };
    const old: Release = [1, 2, 13];
    const checker = checkerFrom(BLOCKS.http);
    expect(script(checker, [good, status], old).at(-1)).toMatch(/ down down$/);
    expect(script(checker, [good, bad], old).at(-1)).toMatch(/ failure$/);
    expect(script(checker, [good, status]).at(-1)).toMatch(/ failure$/);
  });

  test("a probe that could not be made changes nothing", () => {
    const unable: ProbeResult = { kind: "unable", why: "-" };
    expect(lines(BLOCKS.tcp, [good, bad, unable, bad, bad]).slice(1)).toEqual([
      "10s:0 failure",
      "11s:0",
      "21s:0 failure",
      "22s:0 down after 2 down",
    ]);
  });

  test("a MISC_CHECK's next run is counted from the start of the one before", () => {
    const checker = checkerFrom("MISC_CHECK {\n misc_path /bin/true\n delay_loop 10\n warmup 0\n}");
    const [probing] = step(
      checker,
      startChecker(checker, 0 as MonoUs, 0),
      { kind: "tick" },
      0 as MonoUs,
      NEWEST_RELEASE,
    );
    const ended = (now: number) =>
      step(checker, probing, { kind: "result", result: good }, now as MonoUs, NEWEST_RELEASE)[0].dueAt;
    expect([ended(4 * S), ended(12 * S)]).toEqual([10 * S, 12 * S]);
  });

  test("the first probe comes within warmup", () => {
    const checker = checkerFrom(BLOCKS.tcp.replace("warmup 0", "warmup 8"));
    expect(startChecker(checker, 100 as MonoUs, 0.5).dueAt).toBe(100 + 4 * S);
  });
});

const result = fc.oneof(
  { weight: 3, arbitrary: fc.constant(good) },
  { weight: 3, arbitrary: fc.constant(bad) },
  { weight: 1, arbitrary: fc.constant<ProbeResult>({ kind: "unable", why: "-" }) },
);
const kind = fc.constantFrom(...(Object.keys(BLOCKS) as (keyof typeof BLOCKS)[]));

describe("whatever the results", () => {
  test("a server goes down by exactly retry + 1 failures in a row, once it has run, and up by one success", () => {
    fc.assert(
      fc.property(kind, fc.integer({ min: 0, max: 5 }), fc.array(result, { maxLength: 60 }), (name, retry, results) => {
        const checker = { ...checkerFrom(BLOCKS[name]), retry };
        let row = 0;
        let isUp = true;
        let hasRun = false;
        for (const [i, line] of script(checker, results).entries()) {
          const { kind: outcome } = results[i] ?? good;
          if (outcome === "unable") continue;
          row = outcome === "failure" ? row + 1 : 0;
          const goesDown: boolean = isUp && outcome === "failure" && (!hasRun || row > retry);
          const goesUp: boolean = !isUp && outcome === "success";
          expect(line.endsWith(" down")).toBe(goesDown);
          expect(line.endsWith(" up")).toBe(goesUp || (!hasRun && outcome === "success"));
          isUp = goesUp || (isUp && !goesDown);
          hasRun = true;
        }
      }),
    );
  });

  test("how often it is asked the time changes nothing", () => {
    const checker = checkerFrom(BLOCKS.tcp);
    type Timed = { readonly at: number; readonly input: CheckerInput };
    const run = (inputs: readonly Timed[]): CheckerEffect[] => {
      let state = startChecker(checker, 0 as MonoUs, 0.3);
      return inputs.flatMap(({ at, input }) => {
        const [next, effects] = step(checker, state, input, at as MonoUs, NEWEST_RELEASE);
        state = next;
        return effects;
      });
    };
    const timed = fc.record({ after: fc.integer({ min: 0, max: 20 * S }), result });
    fc.assert(
      fc.property(fc.array(timed, { maxLength: 30 }), fc.array(fc.integer({ min: 0, max: 300 * S })), (plan, extra) => {
        // Ticks only where a probe is due would begin it earlier than the others do: a tick before it is due must be nothing.
        const inputs: Timed[] = [];
        let state = startChecker(checker, 0 as MonoUs, 0.3);
        for (const { after, result: one } of plan) {
          const due = state.dueAt;
          const end = due + after;
          inputs.push({ at: due, input: { kind: "tick" } }, { at: end, input: { kind: "result", result: one } });
          [state] = step(checker, state, { kind: "tick" }, due, NEWEST_RELEASE);
          [state] = step(checker, state, { kind: "result", result: one }, end as MonoUs, NEWEST_RELEASE);
        }
        const ticks = extra
          .filter((at) => at < (inputs.at(-1)?.at ?? 0))
          .filter((at) => !inputs.some((one) => one.at === at))
          .map((at): Timed => ({ at, input: { kind: "tick" } }));
        const mixed = [...inputs, ...ticks].sort((a, b) => a.at - b.at);
        expect(run(mixed)).toEqual(run(inputs));
      }),
    );
  });
});
