import { US_PER_MS, US_PER_SECOND } from "../../collector/core/time.ts";
import {
  type Deed,
  type NodeSpec,
  PROMPT,
  QUIET_PATH,
  type RouterSpec,
  type Scenario,
  SOURCE_NAMES,
  type TimedDeed,
} from "./model.ts";
import { Random } from "./random.ts";

const S = US_PER_SECOND;

/** What is worse in a world than in a good one. */
interface World {
  readonly name: string;
  readonly about: string;
  readonly change: (scenario: Scenario, random: Random) => Scenario;
}

const eachNode = (scenario: Scenario, change: (node: NodeSpec) => Partial<NodeSpec>): Scenario => ({
  ...scenario,
  nodes: scenario.nodes.map((node) => ({ ...node, ...change(node) })),
});

export const WORLDS: readonly World[] = [
  { name: "good", about: "exact clocks, all sources, a network that loses nothing", change: (scenario) => scenario },
  {
    name: "loss",
    about: "each advert is lost with 30 %, and 2 % come twice",
    change: (scenario) => ({
      ...scenario,
      path: { ...scenario.path, jitterUs: 20 * US_PER_MS, loss: 0.3, duplicates: 0.02 },
    }),
  },
  {
    name: "skew",
    about: "clocks are off by up to 5 s, and drift by up to 50 ppm",
    change: (scenario, random) =>
      eachNode(scenario, () => ({
        clockOffsetUs: random.between(-5 * S, 5 * S),
        clockDriftPpm: random.between(-50, 50),
      })),
  },
  {
    name: "syslog",
    about: "nothing but logs, with whole seconds",
    change: (scenario) => eachNode(scenario, () => ({ log: "seconds", sources: ["log", "config"] })),
  },
  {
    name: "seconds",
    about: "all sources, and logs with whole seconds",
    change: (scenario) => eachNode(scenario, () => ({ log: "seconds" })),
  },
  {
    name: "step",
    about: "clocks are right until one or the other is set forward or back, by up to 40 s",
    change: (scenario, random) => {
      const steps = scenario.nodes.flatMap(({ name }): TimedDeed[] =>
        Array.from({ length: random.between(0, 1) }, () => ({
          at: random.between(0, scenario.until - 15 * S),
          deed: { kind: "clock", node: name, stepUs: random.between(-40 * S, 40 * S) },
        })),
      );
      return { ...scenario, deeds: inOrder([...scenario.deeds, ...steps]) };
    },
  },
  {
    name: "blind",
    about: "each node reads but some of its sources, and collectors end and begin again",
    change: (scenario, random) => {
      const partly = eachNode(scenario, () => {
        const sources = SOURCE_NAMES.filter((name) => name === "config" || random.chance(0.6));
        return { sources: sources.length > 1 ? sources : ["log", "config"] };
      });
      const ends = scenario.nodes.flatMap(({ name }): TimedDeed[] => {
        if (random.chance(0.6)) return [];
        const from = random.between(0, scenario.until - 15 * S);
        return [
          { at: from, deed: { kind: "collector", node: name, does: random.chance(0.5) ? "die" : "stop" } },
          { at: random.between(from, scenario.until - 12 * S), deed: { kind: "collector", node: name, does: "start" } },
        ];
      });
      return { ...partly, deeds: inOrder([...partly.deeds, ...ends]) };
    },
  },
  {
    name: "late",
    about: "collectors are cut off for a while, batches overtake each other and come twice",
    change: (scenario, random) => {
      const calm = scenario.until - 15 * S;
      const cuts = scenario.nodes.flatMap(({ name }): TimedDeed[] => {
        if (random.chance(0.3)) return [];
        const from = random.between(0, calm);
        return [
          { at: from, deed: { kind: "offline", node: name } },
          { at: random.between(from, calm), deed: { kind: "online", node: name } },
        ];
      });
      return {
        ...scenario,
        delivery: { lateShare: 0.2, lateUs: 8 * S, twice: 0.05 },
        deeds: inOrder([...scenario.deeds, ...cuts]),
      };
    },
  },
];

export function inOrder(deeds: readonly TimedDeed[]): TimedDeed[] {
  return deeds
    .map((deed, turn) => ({ deed, turn }))
    .sort((a, b) => a.deed.at - b.deed.at || a.turn - b.turn)
    .map(({ deed }) => deed);
}

/** The scenario of a seed in a world. */
export function scenarioOf(seed: number, world: string): Scenario {
  const found = WORLDS.find(({ name }) => name === world);
  if (!found) throw new Error(`no such world: ${world}`);
  const scenario = invent(seed, new Random(seed, "scenario"));
  return found.change(
    { ...scenario, title: `${world} ${seed}: ${scenario.title}` },
    new Random(seed, `world ${world}`),
  );
}

/** What happens in a scenario: a few things, one after another, from which the cluster recovers in between. */
interface Story {
  readonly name: string;
  /** Deeds from `at` on, and how long they take until all is as before. */
  readonly tell: (
    at: number,
    cast: Cast,
    random: Random,
  ) => { readonly deeds: readonly TimedDeed[]; readonly takesUs: number };
}

interface Cast {
  readonly nodes: readonly string[];
  readonly master: string;
  readonly backups: readonly string[];
  readonly routers: readonly RouterSpec[];
  /** Longer than any backup waits. */
  readonly downUs: number;
}

const story = (
  name: string,
  tell: (cast: Cast, random: Random) => readonly (readonly [afterUs: number, deed: Deed])[],
): Story => ({
  name,
  tell(at, cast, random) {
    const told = tell(cast, random);
    return {
      deeds: told.map(([afterUs, deed]) => ({ at: at + afterUs, deed })),
      takesUs: Math.max(0, ...told.map(([afterUs]) => afterUs)) + 3 * cast.downUs + 2 * S,
    };
  },
});

/** How long a disturbance lasts: some too short for anybody to notice, some long. */
const spell = ({ downUs }: Cast, random: Random): number =>
  random.chance(0.3) ? random.between(100 * US_PER_MS, downUs + 2 * S) : random.between(downUs, downUs + 25 * S);

const STORIES: readonly Story[] = [
  story("nothing", () => [[5 * S, { kind: "heal" }]]),
  story("failover and failback", (cast, random) => {
    const node = cast.master;
    return [
      [0, { kind: "poweroff", node }],
      [spell(cast, random), { kind: "boot", node }],
    ].flatMap(([at, deed]) =>
      (deed as Deed).kind === "boot"
        ? [
            [at, deed],
            [(at as number) + 2 * S, { kind: "start", node }],
          ]
        : [[at, deed]],
    ) as [number, Deed][];
  }),
  story("planned stop", (cast, random) => [
    [0, { kind: "stop", node: cast.master }],
    [spell(cast, random) + 2 * S, { kind: "start", node: cast.master }],
  ]),
  story("rolling restart", (cast) =>
    cast.nodes.flatMap((node, i): [number, Deed][] => [
      [i * (3 * cast.downUs + 4 * S), { kind: "stop", node }],
      [i * (3 * cast.downUs + 4 * S) + 2 * S, { kind: "start", node }],
    ]),
  ),
  story("reload", (cast, random) => [[0, { kind: "reload", node: random.pick(cast.nodes), changes: {} }]]),
  story("the VRRP process crashes", (cast, random) => [[0, { kind: "crash", node: random.pick(cast.nodes) }]]),
  story("partition", (cast, random) => [
    [0, { kind: "partition", groups: [[cast.master], cast.backups] }],
    [spell(cast, random), { kind: "heal" }],
  ]),
  story("one way", (cast, random) => {
    const toBackups = random.chance(0.5);
    return [
      ...cast.backups.map((backup): [number, Deed] => [
        0,
        {
          kind: "path",
          from: toBackups ? cast.master : backup,
          to: toBackups ? backup : cast.master,
          path: { loss: 1 },
        },
      ]),
      [spell(cast, random), { kind: "heal" }],
    ];
  }),
  story("freeze", (cast, random) => [
    [0, { kind: "freeze", node: cast.master }],
    [spell(cast, random), { kind: "thaw", node: cast.master }],
  ]),
  story("killed, and the addresses stay", (cast, random) => [
    [0, { kind: "kill", node: cast.master }],
    [spell(cast, random), { kind: "start", node: cast.master }],
  ]),
  story("all are stopped", (cast, random) => {
    const outageUs = spell(cast, random);
    return cast.nodes.flatMap((node, i): [number, Deed][] => [
      [i * 200 * US_PER_MS, { kind: "stop", node }],
      [outageUs + 3 * S + i * 200 * US_PER_MS, { kind: "start", node }],
    ]);
  }),
  story("link down", (cast, random) => [
    [0, { kind: "link", node: cast.master, interface: "eth0", up: false }],
    [spell(cast, random), { kind: "link", node: cast.master, interface: "eth0", up: true }],
  ]),
  story("all links down", (cast, random) => {
    const outageUs = spell(cast, random);
    return cast.nodes.flatMap((node): [number, Deed][] => [
      [0, { kind: "link", node, interface: "eth0", up: false }],
      [outageUs, { kind: "link", node, interface: "eth0", up: true }],
    ]);
  }),
  story("filtered", (cast, random) => {
    const node = random.pick(cast.backups);
    return [
      [0, { kind: "filter", node }],
      [spell(cast, random), { kind: "unfilter", node }],
    ];
  }),
];

/** Most scenarios are small: faults do not need many nodes. */
const NODE_COUNTS = [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 8];
const ROUTER_COUNTS = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 8];

function invent(seed: number, random: Random): Scenario {
  const count = random.pick(NODE_COUNTS);
  const names = Array.from({ length: count }, (_, i) => `lb${i + 1}`);
  const routerCount = count > 4 ? random.between(1, 2) : random.pick(ROUTER_COUNTS);
  const version = random.chance(0.5) ? 2 : 3;
  const intervalUs = version === 2 || random.chance(0.6) ? S : random.pick([100, 200, 500, 2_000]) * US_PER_MS;
  const routers = Array.from(
    { length: routerCount },
    (_, i): RouterSpec => ({
      vrid: 51 + i,
      interface: "eth0",
      version,
      intervalUs,
      vips: [`10.99.0.${100 + i}`],
      nopreempt: random.chance(0.15),
      priorities: new Map(names.map((name, at) => [name, 150 - 10 * ((at + i * (count > 4 ? 0 : 1)) % count)])),
    }),
  );
  const [first] = routers;
  const ranked = [...(first?.priorities ?? [])].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const cast: Cast = {
    nodes: names,
    master: ranked[0] ?? "lb1",
    backups: ranked.slice(1),
    routers,
    downUs: 4 * intervalUs,
  };
  let at = Math.round(1.5 * cast.downUs) + 2 * S;
  const deeds: TimedDeed[] = names.map((node) => ({
    at: random.between(0, 500 * US_PER_MS),
    deed: { kind: "start", node },
  }));
  const told: string[] = [];
  for (let left = random.pick([1, 1, 1, 2, 2, 3]); left > 0; left--) {
    const next = random.pick(STORIES);
    const { deeds: own, takesUs } = next.tell(at + random.between(0, S), cast, random);
    deeds.push(...own);
    told.push(next.name);
    at += takesUs + S;
  }
  return {
    title: told.join(", "),
    seed,
    nodes: names.map((name, i) => ({
      name,
      address: `10.99.0.${11 + i}`,
      log: "exact",
      sources: SOURCE_NAMES,
      clockOffsetUs: 0,
      clockDriftPpm: 0,
    })),
    routers,
    path: QUIET_PATH,
    delivery: PROMPT,
    deeds: inOrder(deeds),
    until: at + 13 * S,
  };
}
