import type { Expectation } from "../compare.ts";
import type { Scenario } from "../scenario.ts";
import { THREE_NODES, TOLERANCE_US, TWO_NODES, VIP } from "./pair.ts";

const failover: Scenario = {
  name: "failover",
  about:
    "three nodes; an orderly stop of the master, its return, and a pulled cable: three takeovers, and nothing to wake anybody for",
  nodes: THREE_NODES,
  vip: VIP,
  async play(stage) {
    await stage.stopKeepalived("lb1");
    await stage.until("lb2 to take over", 10, () => stage.truth.isHeldBy("lb2"));
    await stage.letRun(3);
    await stage.startKeepalived("lb1");
    await stage.until("lb1 to take back", 15, () => stage.truth.isHeldBy("lb1"));
    await stage.letRun(3);
    await stage.setCable("lb1", false);
    await stage.until("lb2 to take over", 10, () => stage.truth.isHeldBy("lb2"));
    await stage.letRun(3);
    return [];
  },
};

const flapping: Scenario = {
  name: "flapping",
  about: "a loose cable: the master loses its link and gets it back, again and again",
  nodes: TWO_NODES,
  vip: VIP,
  async play(stage) {
    const changes: number[] = [];
    for (let round = 0; round < 2; round++) {
      await stage.setCable("lb1", false);
      await stage.until("lb2 to take over", 10, () => stage.truth.isHeldBy("lb2"));
      changes.push(stage.truth.lastTaken("lb2"));
      await stage.letRun(1);
      await stage.setCable("lb1", true);
      await stage.until("lb1 to take back", 15, () => stage.truth.isHeldBy("lb1"));
      changes.push(stage.truth.lastTaken("lb1"));
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
        cause: "link-flaps",
      },
    ];
  },
};

const splitBrain: Scenario = {
  name: "split-brain",
  about: "the trunk between the switches is cut: neither node hears the other, both are master, until it is healed",
  nodes: TWO_NODES,
  vip: VIP,
  async play(stage) {
    await stage.cutTrunk();
    await stage.until("both to be master", 10, () => stage.truth.isHeldBy("lb1", "lb2"));
    await stage.letRun(8);
    await stage.healTrunk();
    await stage.until("lb2 to step back", 10, () => stage.truth.isHeldBy("lb1"));
    await stage.letRun(3);
    return stage.truth.overlaps().map(({ from, to }) => ({
      kind: "split-brain",
      nodes: ["lb1", "lb2"],
      start: from,
      end: to,
      toleranceUs: TOLERANCE_US,
      cause: "partition",
    }));
  },
};

const startupFailure: Scenario = {
  name: "startup-failure",
  about:
    "the backup is restarted with an interface that does not exist, then with a parameter missing; each start reports success",
  nodes: TWO_NODES,
  vip: VIP,
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

export const vrrpScenarios: readonly Scenario[] = [failover, splitBrain, flapping, startupFailure];
