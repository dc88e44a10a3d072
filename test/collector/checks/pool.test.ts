import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type PoolEffect,
  type PoolInput,
  type PoolSettings,
  startPool,
  stepPool,
  weightSum,
} from "../../../collector/checks/pool.ts";

const server = (weight: number, checkers = 1, up = true) => ({
  name: `rs${weight}`,
  weight,
  inhibitOnFailure: false,
  checkers: Array.from({ length: checkers }, () => ({ up })),
});

const pool = (over: Partial<PoolSettings> = {}): PoolSettings => ({
  quorum: 1,
  hysteresis: 0,
  sorry: undefined,
  servers: [server(1), server(1), server(1)],
  ...over,
});

const SORRY = { name: "sorry", inhibit: false };
const checker = (of: number, up: boolean, one = 0): PoolInput => ({ kind: "checker", server: of, checker: one, up });

/** One line an input: its effects. */
function run(settings: PoolSettings, inputs: readonly PoolInput[]): string[] {
  const [begun, initial] = startPool(settings);
  let state = begun;
  const lines = inputs.map((input) => {
    const [next, effects] = stepPool(settings, state, input);
    state = next;
    return effects.map(shown).join(", ");
  });
  return initial.length > 0 ? [initial.map(shown).join(", "), ...lines] : lines;
}

function shown(effect: PoolEffect): string {
  switch (effect.kind) {
    case "server":
      return `${effect.server} ${effect.up ? "up" : "down"}`;
    case "weight":
      return `${effect.server} weight ${effect.from} to ${effect.to}${effect.active ? "" : " inactive"}`;
    case "quorum":
      return `quorum ${effect.up ? "gained" : "lost"} with ${effect.weight}${effect.initial ? " at the start" : ""}`;
    case "sorry":
      return `sorry ${effect.active ? "in" : "out"}`;
    case "pool":
      return effect.action;
  }
}

describe("a pool", () => {
  test("a server is up only while all of its checkers hold it for up", () => {
    const settings = pool({ servers: [server(1, 2), server(1)] });
    expect(run(settings, [checker(0, false), checker(0, false, 1), checker(0, true), checker(0, true, 1)])).toEqual([
      "0 down",
      "",
      "",
      "0 up",
    ]);
  });

  test("the quorum is lost below quorum - hysteresis, and gained again at quorum + hysteresis", () => {
    const settings = pool({ quorum: 3, hysteresis: 1, servers: Array.from({ length: 5 }, () => server(1)) });
    const down = [0, 1, 2, 3].map((i) => checker(i, false));
    const up = [0, 1, 2].map((i) => checker(i, true));
    expect(run(settings, [...down, ...up])).toEqual([
      "0 down",
      "1 down",
      "2 down",
      "3 down, quorum lost with 1",
      "0 up",
      "1 up",
      "2 up, quorum gained with 4",
    ]);
  });

  test("a pool without weight has lost it, whatever the quorum says", () => {
    expect(run(pool({ hysteresis: 1, servers: [server(1)] }), [checker(0, false)])).toEqual([
      "0 down, quorum lost with 0",
    ]);
  });

  test("the sorry server comes in for the lost quorum, and goes with the gained one", () => {
    expect(
      run(pool({ quorum: 2, sorry: SORRY, servers: [server(1), server(1)] }), [checker(0, false), checker(0, true)]),
    ).toEqual(["0 down, quorum lost with 1, sorry in, removing", "0 up, quorum gained with 2, adding, sorry out"]);
  });

  test("alpha: with a sorry server it begins below the quorum and says so; without one it says nothing", () => {
    const servers = [server(1, 1, false)];
    expect(run(pool({ sorry: SORRY, servers }), [checker(0, true)])).toEqual([
      "quorum lost with 0 at the start, sorry in, removing",
      "0 up, quorum gained with 1, adding, sorry out",
    ]);
    expect(run(pool({ servers }), [checker(0, true)])).toEqual(["0 up, quorum gained with 1"]);
  });

  test("checkers add to a weight, which counts for the quorum and never leaves 0 to 2147483647", () => {
    const weigh = (added: number): PoolInput => ({ kind: "weight", server: 0, checker: 0, added });
    expect(run(pool({ quorum: 3 }), [weigh(4), weigh(-9), weigh(4_000_000_000), checker(0, false), weigh(0)])).toEqual([
      "0 weight 1 to 5",
      "0 weight 5 to 0, quorum lost with 2",
      "0 weight 0 to 2147483647, quorum gained with 2147483649",
      "0 down, quorum lost with 2",
      "0 weight 2147483647 to 1 inactive",
    ]);
  });
});

describe("whatever happens to its servers", () => {
  const settings = fc
    .record({
      servers: fc.array(
        fc.integer({ min: 0, max: 5 }).map((weight) => server(weight)),
        { minLength: 1, maxLength: 6 },
      ),
      quorum: fc.integer({ min: 1, max: 10 }),
      hysteresis: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ servers, quorum, hysteresis }) => pool({ servers, quorum, hysteresis: Math.min(hysteresis, quorum - 1) }));
  const inputs = fc.array(fc.record({ server: fc.nat(5), up: fc.boolean() }), { maxLength: 60 });

  test("the quorum never changes while the weights stay within its hysteresis", () => {
    fc.assert(
      fc.property(settings, inputs, (of, script) => {
        let [state] = startPool(of);
        for (const { server: i, up } of script) {
          const before = state.quorumUp;
          [state] = stepPool(of, state, checker(i, up));
          const sum = weightSum(of, state);
          if (sum > 0 && sum >= of.quorum - of.hysteresis && sum < of.quorum + of.hysteresis)
            expect(state.quorumUp).toBe(before);
          if (sum >= of.quorum + of.hysteresis) expect(state.quorumUp).toBe(true);
          if (sum === 0 || sum < of.quorum - of.hysteresis) expect(state.quorumUp).toBe(false);
        }
      }),
    );
  });

  test("each change is told once, and nothing that does not change", () => {
    fc.assert(
      fc.property(settings, inputs, (of, script) => {
        let [state] = startPool(of);
        const isUp = of.servers.map(() => true);
        let quorum = state.quorumUp;
        for (const { server: i, up } of script) {
          const [next, effects] = stepPool(of, state, checker(i, up));
          state = next;
          const told = effects.filter((effect) => effect.kind === "server");
          expect(told).toEqual(i < isUp.length && isUp[i] !== up ? [{ kind: "server", server: i, up }] : []);
          if (i < isUp.length) isUp[i] = up;
          expect(effects.filter((effect) => effect.kind === "quorum").length).toBe(state.quorumUp === quorum ? 0 : 1);
          quorum = state.quorumUp;
        }
      }),
    );
  });
});
