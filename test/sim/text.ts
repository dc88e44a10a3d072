import {
  type Deed,
  type InstanceChange,
  type NodeSpec,
  type PathSpec,
  PROMPT,
  QUIET_PATH,
  type RouterSpec,
  type Scenario,
  SOURCE_NAMES,
  type TimedDeed,
} from "./model.ts";

/** Scenarios as people write them: the page is README.md. */

export interface Expectation {
  readonly line: number;
  readonly kind: string;
  /** VRID; undefined: it is of no router. */
  readonly vrid: number | undefined;
  readonly from: number;
  /** null: it is open at the end. */
  readonly to: number | null;
  /** How far start and end may be off. */
  readonly withinUs: number;
  readonly certainty: "confirmed" | "suspected" | undefined;
  readonly cause: string | undefined;
}

export interface ScenarioText {
  readonly scenario: Scenario;
  readonly expectations: readonly Expectation[];
}

export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}

const WITHIN_US = 50_000;
const UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000, "": 1_000_000 };

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

interface Draft {
  title: string;
  seed: number;
  readonly nodes: Changeable<NodeSpec>[];
  readonly routers: RouterSpec[];
  path: PathSpec;
  delivery: Scenario["delivery"];
  readonly deeds: TimedDeed[];
  until: number | undefined;
  readonly expectations: Expectation[];
}

/** @throws {ScenarioError} with `file:line` and what was expected there */
export function parseScenario(file: string, text: string): ScenarioText {
  const draft: Draft = {
    title: file,
    seed: 1,
    nodes: [],
    routers: [],
    path: QUIET_PATH,
    delivery: PROMPT,
    deeds: [],
    until: undefined,
    expectations: [],
  };
  const lines = text.split("\n");
  for (const [at, line] of lines.entries()) {
    const words = new Words(line.replace(/#.*/, ""), `${file}:${at + 1}`, at + 1);
    if (words.isAtEnd()) continue;
    const statement = words.oneOf(STATEMENTS, "a statement");
    statement(words, draft);
    words.end();
  }
  const { until, expectations, ...rest } = draft;
  if (until === undefined) throw new ScenarioError(`${file}:${lines.length}: a scenario needs a line \`until TIME\``);
  if (rest.routers.length === 0)
    throw new ScenarioError(`${file}:${lines.length}: a scenario needs a line \`router VRID NODE=PRIORITY…\``);
  const late = rest.deeds.find((deed) => deed.at > until);
  if (late) throw new ScenarioError(`${file}: a deed at ${late.at / 1e6} s is behind the end at ${until / 1e6} s`);
  // Deeds of one instant are done in the order of the file.
  const deeds = rest.deeds.map((deed, turn) => ({ deed, turn }));
  deeds.sort((a, b) => a.deed.at - b.deed.at || a.turn - b.turn);
  return { scenario: { ...rest, until, deeds: deeds.map(({ deed }) => deed) }, expectations };
}

/** The words of one line, taken one after another. */
class Words {
  readonly line: number;
  private readonly place: string;
  private readonly words: readonly string[];
  private next = 0;

  constructor(text: string, place: string, line: number) {
    this.words = text.split(/\s+/).filter((word) => word !== "");
    this.place = place;
    this.line = line;
  }

  fail(message: string): never {
    throw new ScenarioError(`${this.place}: ${message}`);
  }

  isAtEnd(): boolean {
    return this.next >= this.words.length;
  }

  peek(): string | undefined {
    return this.words[this.next];
  }

  /** @param what  what is expected, for whom it is missing */
  word(what: string): string {
    const word = this.words[this.next] ?? this.fail(`the line ends where ${what} is expected`);
    this.next += 1;
    return word;
  }

  rest(): string {
    const rest = this.words.slice(this.next).join(" ");
    this.next = this.words.length;
    return rest;
  }

  /** Takes the word when it is the next one. */
  takes(word: string): boolean {
    if (this.peek() !== word) return false;
    this.next += 1;
    return true;
  }

  oneOf<T>(table: Readonly<Record<string, T>>, what: string): T {
    const word = this.word(what);
    return Object.hasOwn(table, word)
      ? (table[word] as T)
      : this.fail(`"${word}" is not ${what}: there are ${Object.keys(table).join(", ")}`);
  }

  number(what: string, [min, max]: readonly [number, number]): number {
    const word = this.word(what);
    return this.within(word, Number(/^\d+$/.test(word) ? word : Number.NaN), what, [min, max]);
  }

  /** Microseconds of `2.5s`, `300ms`, `-5s`. */
  time(what: string): number {
    const word = this.word(what);
    const [, sign = "", digits = "", unit = ""] = /^([+-]?)(\d+(?:\.\d+)?)(us|ms|s)$/.exec(word) ?? [];
    const us = Math.round(Number(digits || Number.NaN) * (UNITS[unit] ?? Number.NaN));
    return this.within(word, sign === "-" ? -us : us, `${what} (a time: 2.5s, 300ms)`, [-86_400e6, 86_400e6]);
  }

  /** In [0, 1], of `30%`. */
  share(what: string): number {
    const word = this.word(what);
    const percent = Number(/^(\d+(?:\.\d+)?)%$/.exec(word)?.[1] ?? Number.NaN);
    return this.within(word, percent, `${what} (a share: 30%)`, [0, 100]) / 100;
  }

  /** A node that the scenario has. */
  node({ nodes }: Draft): string {
    const name = this.word("a node");
    return nodes.some((node) => node.name === name)
      ? name
      : this.fail(
          `there is no node ${name}: a line \`nodes\` names ${nodes.map((node) => node.name).join(", ") || "none"}`,
        );
  }

  end(): void {
    if (!this.isAtEnd())
      this.fail(`nothing is expected behind "${this.words[this.next - 1]}", and there is "${this.rest()}"`);
  }

  private within(word: string, value: number, what: string, [min, max]: readonly [number, number]): number {
    return value >= min && value <= max ? value : this.fail(`"${word}" is not ${what} from ${min} to ${max}`);
  }
}

const VRID_RANGE = [1, 255] as const;
const PRIORITY_RANGE = [1, 254] as const;

/** What a line may begin with. */
const STATEMENTS: Readonly<Record<string, (words: Words, draft: Draft) => void>> = {
  title: (words, draft) => {
    draft.title = words.rest();
  },
  seed: (words, draft) => {
    draft.seed = words.number("a seed", [0, 2 ** 31]);
  },
  nodes: (words, draft) => {
    while (!words.isAtEnd()) {
      const name = words.word("a node");
      if (!/^[a-z][a-z0-9-]*$/.test(name)) words.fail(`"${name}" is not a host's name`);
      if (draft.nodes.some((node) => node.name === name)) words.fail(`${name} is named twice`);
      const address = `10.99.0.${11 + draft.nodes.length}`;
      draft.nodes.push({ name, address, log: "exact", sources: SOURCE_NAMES, clockOffsetUs: 0, clockDriftPpm: 0 });
    }
  },
  node: (words, draft) => {
    const name = words.node(draft);
    const node = draft.nodes.find((one) => one.name === name) as Changeable<NodeSpec>;
    while (!words.isAtEnd()) words.oneOf(NODE_OPTIONS, "an option of a node")(words, node);
  },
  router: (words, draft) => draft.routers.push(routerOf(words, draft)),
  network: (words, draft) => {
    draft.path = { ...draft.path, ...pathOf(words) };
  },
  delivery: (words, draft) => {
    const delivery: Changeable<Scenario["delivery"]> = { ...draft.delivery };
    while (!words.isAtEnd()) words.oneOf(DELIVERY_OPTIONS, "an option of the delivery")(words, delivery);
    draft.delivery = delivery;
  },
  until: (words, draft) => {
    draft.until = words.time("the end");
  },
  at: (words, draft) => {
    const at = words.time("when");
    for (const deed of words.oneOf(DEEDS, "a deed")(words, draft)) draft.deeds.push({ at, deed });
  },
  expect: (words, draft) => {
    draft.expectations.push(expectationOf(words));
  },
};

const NODE_OPTIONS: Readonly<Record<string, (words: Words, node: Changeable<NodeSpec>) => void>> = {
  log: (words, node) => {
    node.log = words.oneOf({ exact: "exact", seconds: "seconds" } as const, "a resolution of a log");
  },
  sources: (words, node) => {
    const known: Readonly<Record<string, (typeof SOURCE_NAMES)[number]>> = Object.fromEntries(
      SOURCE_NAMES.map((name) => [name, name]),
    );
    node.sources = words
      .word("sources")
      .split(",")
      .map((name) => known[name] ?? words.fail(`"${name}" is not a source: there are ${SOURCE_NAMES.join(", ")}`));
  },
  clock: (words, node) => {
    node.clockOffsetUs = words.time("how far its clock is ahead");
  },
  drift: (words, node) => {
    const word = words.word("a drift");
    const ppm = /^([+-]?\d+)ppm$/.exec(word)?.[1];
    node.clockDriftPpm = ppm === undefined ? words.fail(`"${word}" is not a drift such as 20ppm`) : Number(ppm);
  },
};

const DELIVERY_OPTIONS: Readonly<Record<string, (words: Words, delivery: Changeable<Scenario["delivery"]>) => void>> = {
  late: (words, delivery) => {
    delivery.lateShare = words.share("how many come late");
    if (!words.takes("by")) words.fail("how late at most is missing: late 20% by 8s");
    delivery.lateUs = words.time("how late at most");
  },
  twice: (words, delivery) => {
    delivery.twice = words.share("how many come twice");
  },
};

const PATH_OPTIONS: Readonly<Record<string, (words: Words, path: Partial<Changeable<PathSpec>>) => void>> = {
  delay: (words, path) => {
    path.delayUs = words.time("a delay");
  },
  jitter: (words, path) => {
    path.jitterUs = words.time("how much more at most");
  },
  loss: (words, path) => {
    path.loss = words.share("a loss");
  },
  duplicates: (words, path) => {
    path.duplicates = words.share("how many come twice");
  },
};

function pathOf(words: Words): Partial<PathSpec> {
  const path: Partial<Changeable<PathSpec>> = {};
  do words.oneOf(PATH_OPTIONS, "an option of a path")(words, path);
  while (!words.isAtEnd());
  return path;
}

function routerOf(words: Words, draft: Draft): RouterSpec {
  const vrid = words.number("a VRID", VRID_RANGE);
  if (draft.routers.some((router) => router.vrid === vrid)) words.fail(`there is a router ${vrid} already`);
  const priorities = new Map<string, number>();
  while (words.peek()?.includes("=") === true) {
    const [name = "", priority = ""] = words.word("a priority").split("=");
    if (!draft.nodes.some((node) => node.name === name)) words.fail(`there is no node ${name}`);
    priorities.set(name, inRange(words, priority, PRIORITY_RANGE, "a priority"));
  }
  if (priorities.size === 0) words.fail("a router needs priorities: router 51 lb1=150 lb2=100");
  const router: Changeable<RouterSpec> = {
    vrid,
    interface: "eth0",
    version: 2,
    intervalUs: 1_000_000,
    vips: [`10.99.0.${49 + vrid}`],
    nopreempt: false,
    priorities,
  };
  while (!words.isAtEnd()) words.oneOf(ROUTER_OPTIONS, "an option of a router")(words, router);
  const isWhole = router.intervalUs % (router.version === 2 ? 1_000_000 : 10_000) === 0;
  if (!isWhole || router.intervalUs <= 0)
    words.fail(
      `version ${router.version} has intervals of whole ${router.version === 2 ? "seconds" : "hundredths of a second"}`,
    );
  return router;
}

const ROUTER_OPTIONS: Readonly<Record<string, (words: Words, router: Changeable<RouterSpec>) => void>> = {
  interval: (words, router) => {
    router.intervalUs = words.time("an interval");
  },
  version: (words, router) => {
    router.version = words.number("a version", [2, 3]) === 2 ? 2 : 3;
  },
  interface: (words, router) => {
    router.interface = words.word("an interface");
  },
  vips: (words, router) => {
    router.vips = words.word("addresses").split(",");
  },
  nopreempt: (_words, router) => {
    router.nopreempt = true;
  },
};

function inRange(words: Words, text: string, [min, max]: readonly [number, number], what: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : words.fail(`"${text}" is not ${what} from ${min} to ${max}`);
}

// --- deeds -----------------------------------------------------------------------------------------------------------------

type DeedRow = (words: Words, draft: Draft) => readonly Deed[];

/** Done to each of the nodes that the line names. */
const toNodes =
  (deed: (node: string) => Deed): DeedRow =>
  (words, draft) => {
    const deeds: Deed[] = [];
    do deeds.push(deed(words.node(draft)));
    while (!words.isAtEnd());
    return deeds;
  };

const DEEDS: Readonly<Record<string, DeedRow>> = {
  ...Object.fromEntries(
    (
      [
        "start",
        "stop",
        "kill",
        "crash",
        "freeze",
        "thaw",
        "poweroff",
        "boot",
        "filter",
        "unfilter",
        "offline",
        "online",
      ] as const
    ).map((kind) => [kind, toNodes((node) => ({ kind, node }))]),
  ),
  partition: (words, draft) => {
    const groups: string[][] = [[]];
    do {
      if (words.takes("|")) groups.push([]);
      else groups.at(-1)?.push(words.node(draft));
    } while (!words.isAtEnd());
    if (groups.length < 2 || groups.some((group) => group.length === 0))
      words.fail("a partition has nodes on both sides: partition lb1 | lb2 lb3");
    return [{ kind: "partition", groups }];
  },
  heal: () => [{ kind: "heal" }],
  path: (words, draft) => {
    const from = words.node(draft);
    if (!words.takes(">")) words.fail("a path has a direction: path lb1 > lb2 loss 100%");
    return [{ kind: "path", from, to: words.node(draft), path: pathOf(words) }];
  },
  link: (words, draft) => [
    {
      kind: "link",
      node: words.node(draft),
      interface: words.word("an interface"),
      up: words.oneOf({ up: true, down: false }, "what happens to a link"),
    },
  ],
  clock: (words, draft) => {
    const node = words.node(draft);
    if (!words.takes("step")) words.fail("a clock is stepped: clock lb1 step +5s");
    return [{ kind: "clock", node, stepUs: words.time("by how much") }];
  },
  collector: (words, draft) => [
    {
      kind: "collector",
      node: words.node(draft),
      does: words.oneOf({ stop: "stop", die: "die", start: "start" } as const, "what a collector does"),
    },
  ],
  reload: (words, draft) => {
    const node = words.node(draft);
    if (words.isAtEnd()) return [{ kind: "reload", node, changes: {} }];
    const vrid = words.number("a VRID", VRID_RANGE);
    const changes: Changeable<InstanceChange> = {};
    while (!words.isAtEnd()) words.oneOf(CHANGES, "a change")(words, changes);
    return [{ kind: "reload", node, vrid, changes }];
  },
};

const CHANGES: Readonly<Record<string, (words: Words, change: Changeable<InstanceChange>) => void>> = {
  priority: (words, change) => {
    change.priority = words.number("a priority", PRIORITY_RANGE);
  },
  interval: (words, change) => {
    change.intervalUs = words.time("an interval");
  },
  vips: (words, change) => {
    change.vips = words.word("addresses").split(",");
  },
};

// --- expectations ----------------------------------------------------------------------------------------------------------

/** `expect split-brain 51 from 13.4s to 30s confirmed cause one-way within 100ms`; `open` instead of an end. */
function expectationOf(words: Words): Expectation {
  const kind = words.word("a kind of incident");
  const vrid = /^\d+$/.test(words.peek() ?? "") ? words.number("a VRID", VRID_RANGE) : undefined;
  if (!words.takes("from")) words.fail("when it begins is missing: from 13.4s");
  const from = words.time("its start");
  const to = words.takes("open") ? null : endOf(words);
  const expected: Changeable<Expectation> = {
    line: words.line,
    kind,
    vrid,
    from,
    to,
    withinUs: WITHIN_US,
    certainty: undefined,
    cause: undefined,
  };
  while (!words.isAtEnd()) words.oneOf(EXPECTED, "what may be said of an incident")(words, expected);
  return expected;
}

function endOf(words: Words): number {
  if (!words.takes("to")) words.fail("when it ends is missing: to 30s, or open");
  return words.time("its end");
}

const EXPECTED: Readonly<Record<string, (words: Words, expected: Changeable<Expectation>) => void>> = {
  confirmed: (_words, expected) => {
    expected.certainty = "confirmed";
  },
  suspected: (_words, expected) => {
    expected.certainty = "suspected";
  },
  cause: (words, expected) => {
    expected.cause = words.word("a code");
  },
  within: (words, expected) => {
    expected.withinUs = words.time("how far it may be off");
  },
};
