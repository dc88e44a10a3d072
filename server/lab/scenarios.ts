import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Expectation } from "./compare.ts";
import type { Side } from "./network.ts";
import type { VipTruth } from "./truth.ts";

export const VIP = "10.99.0.100";

/** What a scenario can do to the laboratory. Every deed is printed as it happens. */
export interface Stage {
  readonly truth: VipTruth;
  readonly nodes: readonly string[];
  say(text: string): void;
  now(): number;
  cutTrunk(): Promise<void>;
  healTrunk(): Promise<void>;
  setCable(node: string, plugged: boolean): Promise<void>;
  startKeepalived(node: string): Promise<void>;
  stopKeepalived(node: string): Promise<void>;
  /** Replaces the node's keepalived.conf; `spoil` changes the good text. */
  configure(node: string, spoil?: (good: string) => string): Promise<void>;
  /** Waits for the truth, not for a time. @throws OperatorError when it does not come within `seconds`. */
  until(what: string, seconds: number, holds: () => boolean): Promise<void>;
  /** Lets the protocol run on: the scenario's own pace, no synchronisation. */
  letRun(seconds: number): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly nodes: readonly { readonly name: string; readonly side: Side }[];
  play(stage: Stage): Promise<readonly Expectation[]>;
}

const TWO_NODES = [
  { name: "lb1", side: "a" },
  { name: "lb2", side: "b" },
] as const;

const THREE_NODES = [...TWO_NODES, { name: "lb3", side: "b" }] as const;

/** The incident must begin and end within this of the truth: a classic syslog line alone is a second wide. */
const TOLERANCE_US = 1.5 * US_PER_SECOND;

const holderIs =
  (stage: Stage, ...nodes: readonly string[]) =>
  (): boolean =>
    stage.truth.holders().sort().join() === [...nodes].sort().join();

const failover: Scenario = {
  name: "failover",
  about:
    "three nodes; an orderly stop of the master, its return, and a pulled cable: three takeovers, and nothing to wake anybody for",
  nodes: THREE_NODES,
  async play(stage) {
    await stage.stopKeepalived("lb1");
    await stage.until("lb2 to take over", 10, holderIs(stage, "lb2"));
    await stage.letRun(3);
    await stage.startKeepalived("lb1");
    await stage.until("lb1 to take back", 15, holderIs(stage, "lb1"));
    await stage.letRun(3);
    await stage.setCable("lb1", false);
    await stage.until("lb2 to take over", 10, holderIs(stage, "lb2"));
    await stage.letRun(3);
    return [];
  },
};

const flapping: Scenario = {
  name: "flapping",
  about: "a loose cable: the master loses its link and gets it back, again and again",
  nodes: TWO_NODES,
  async play(stage) {
    const changes: number[] = [];
    for (let round = 0; round < 2; round++) {
      await stage.setCable("lb1", false);
      await stage.until("lb2 to take over", 10, holderIs(stage, "lb2"));
      changes.push(lastTaken(stage, "lb2"));
      await stage.letRun(1);
      await stage.setCable("lb1", true);
      await stage.until("lb1 to take back", 15, holderIs(stage, "lb1"));
      changes.push(lastTaken(stage, "lb1"));
      await stage.letRun(1);
    }
    // Each change costs 1,000 and they decay little in half a minute: the fourth brings the penalty over 3,000.
    return [
      {
        kind: "flapping",
        nodes: ["lb1", "lb2"],
        start: changes[3] ?? 0,
        end: null,
        toleranceUs: TOLERANCE_US,
        cause: "ownership",
      },
    ];
  },
};

const lastTaken = (stage: Stage, node: string): number => stage.truth.intervals(node).at(-1)?.from ?? 0;

const splitBrain: Scenario = {
  name: "split-brain",
  about: "the trunk between the switches is cut: neither node hears the other, both are master, until it is healed",
  nodes: TWO_NODES,
  async play(stage) {
    await stage.cutTrunk();
    await stage.until("both to be master", 10, holderIs(stage, "lb1", "lb2"));
    await stage.letRun(8);
    await stage.healTrunk();
    await stage.until("lb2 to step back", 10, holderIs(stage, "lb1"));
    await stage.letRun(3);
    return stage.truth.overlaps().map(({ from, to }) => ({
      kind: "split-brain",
      nodes: ["lb1", "lb2"],
      start: from,
      end: to,
      toleranceUs: TOLERANCE_US,
    }));
  },
};

const startupFailure: Scenario = {
  name: "startup-failure",
  about:
    "the backup is restarted with an interface that does not exist, then with a parameter missing; each start reports success",
  nodes: TWO_NODES,
  async play(stage) {
    const expected: Expectation[] = [];
    const faults = [
      { cause: "interface_missing", spoil: (good: string) => good.replace("interface eth0", "interface eth9") },
      {
        cause: "missing_parameter",
        spoil: (good: string) => good.replace(/virtual_router_id \d+/, "virtual_router_id"),
      },
    ];
    for (const { cause, spoil } of faults) {
      await stage.stopKeepalived("lb2");
      await stage.configure("lb2", spoil);
      const start = stage.now();
      await stage.startKeepalived("lb2");
      stage.say("the start of keepalived on lb2 reported success");
      await stage.letRun(4);
      await stage.configure("lb2");
      const end = stage.now();
      await stage.startKeepalived("lb2");
      await stage.letRun(6);
      expected.push({ kind: "startup-failure", nodes: ["lb2"], start, end, toleranceUs: 2 * TOLERANCE_US, cause });
    }
    return expected;
  },
};

export const SCENARIOS: readonly Scenario[] = [failover, splitBrain, flapping, startupFailure];
