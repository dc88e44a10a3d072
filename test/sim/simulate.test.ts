import fc from "fast-check";
import { expect, test } from "vitest";
import { judge } from "./judge.ts";
import { PROMPT, QUIET_PATH, type RouterSpec, type Scenario, SOURCE_NAMES } from "./model.ts";
import { simulate } from "./simulate.ts";
import { acting, actsOf } from "./truth/truth.ts";
import { scenarioOf, WORLDS } from "./worlds.ts";

const S = 1_000_000;

/** Nodes that start within half a second and are left alone. */
const quiet = fc
  .record({
    seed: fc.nat(),
    priorities: fc.uniqueArray(fc.integer({ min: 1, max: 254 }), { minLength: 2, maxLength: 5 }),
    starts: fc.array(fc.nat(S / 2), { minLength: 5, maxLength: 5 }),
    version: fc.constantFrom<2 | 3>(2, 3),
    duplicates: fc.constantFrom(0, 0.3),
  })
  .map(({ seed, priorities, starts, version, duplicates }): Scenario => {
    const nodes = priorities.map((_, i) => `lb${i + 1}`);
    const router: RouterSpec = {
      vrid: 51,
      interface: "eth0",
      version,
      intervalUs: S,
      vips: ["10.99.0.100"],
      nopreempt: false,
      priorities: new Map(nodes.map((node, i) => [node, priorities[i] ?? 1])),
    };
    return {
      title: "left alone",
      seed,
      nodes: nodes.map((name, i) => ({
        name,
        address: `10.99.0.${11 + i}`,
        log: "exact",
        sources: SOURCE_NAMES,
        clockOffsetUs: 0,
        clockDriftPpm: 0,
      })),
      routers: [router],
      path: { ...QUIET_PATH, duplicates },
      delivery: PROMPT,
      deeds: nodes
        .map((node, i) => ({ at: starts[i] ?? 0, deed: { kind: "start" as const, node } }))
        .sort((a, b) => a.at - b.at),
      until: 15 * S,
    };
  });

test("where nothing is lost the best node is the one master, and adverts are sent every interval", () => {
  fc.assert(
    fc.property(quiet, (scenario) => {
      const run = simulate(scenario);
      const [router] = scenario.routers as [RouterSpec];
      const [best] = [...router.priorities].sort((a, b) => b[1] - a[1])[0] ?? [];
      // All timers are over after the longest master-down time, and each lower master was outranked by then.
      for (const { name } of scenario.nodes) {
        const last = actsOf(run, name, 51, acting).at(-1);
        if (name === best) expect(last?.to).toBe(scenario.until);
        else expect(last?.to ?? 0).toBeLessThan(5 * S);
      }
      const sent = run.arrivals
        .flatMap(({ events }) => events)
        .filter((event) => event.kind === "wire.advert" && event.outgoing && event.node === best)
        .map(({ ts }) => ts - run.zero)
        .filter((at) => at > 5 * S);
      expect(sent.length).toBeGreaterThanOrEqual(9);
      for (const [i, at] of sent.slice(1).entries()) expect(at - (sent[i] ?? 0)).toBe(S);
    }),
    { numRuns: 30 },
  );
});

test("a seed gives the same run and the same verdict each time", () => {
  for (const { name } of WORLDS) {
    const [first, second] = [1, 2].map(() => judge(scenarioOf(7, name)));
    expect(second).toEqual(first);
  }
});

test("worlds differ in what makes them worse, and not in what happens", () => {
  const deeds = (world: string) => scenarioOf(11, world).deeds;
  expect(deeds("loss")).toEqual(deeds("good"));
  expect(deeds("syslog")).toEqual(deeds("good"));
});
