import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ElectionMember, proveElection, type Tracker } from "../../collector/conf/election.ts";
import { LabNode } from "../../server/lab/host.ts";
import { LabNetwork } from "../../server/lab/network.ts";
import { checkLabCanRun } from "../../server/lab/programs.ts";
import type { NodeSpec } from "../../server/lab/scenario.ts";
import { runToEnd } from "../support/process.ts";

/** The proof held against real daemons: what it says of every combination of failing scripts is where the addresses really are. */
const reason = await checkLabCanRun().then(
  () => undefined,
  (error: Error) => error.message,
);
if (reason !== undefined) process.stderr.write(`\nSKIPPED, the election of real daemons: ${reason}\n\n`);

const NODES = ["lb1", "lb2"] as const;
const SCRIPTS = ["a", "b"] as const;

const script = (name: string, weight: number, reverse = false): Tracker => ({ kind: "script", name, weight, reverse });

/** Each row is a virtual router of its own, between the same two daemons: priority and trackers of lb1, then of lb2. */
const ROUTERS: readonly (readonly [
  what: string,
  first: readonly [number, ...Tracker[]],
  second: readonly [number, ...Tracker[]],
])[] = [
  ["a weight large enough", [110, script("a", -20)], [100, script("a", -20)]],
  ["a weight too small", [150, script("a", -20)], [100, script("a", -20)]],
  ["a weight that makes them equal", [120, script("a", -20)], [100, script("a", -20)]],
  ["weights that add up", [110, script("a", -8), script("b", -8)], [100, script("a", -8), script("b", -8)]],
  ["positive weights", [100, script("a", 20)], [110, script("a", 20)]],
  ["a fault", [150, script("a", 0)], [100, script("b", 0)]],
  ["reversed weights", [100, script("a", 20, true)], [90, script("b", -5, true)]],
  ["an owner's weight", [255, script("a", -253)], [100, script("b", -50)]],
  ["clamped at 254 and at 1", [250, script("a", 50), script("b", -253)], [240, script("b", -253)]],
];

const members = ROUTERS.map(([, ...sides]) =>
  sides.map(
    ([priority, ...trackers], i): ElectionMember => ({
      node: NODES[i] ?? "",
      instance: "VI",
      priority,
      nopreempt: false,
      address: `10.99.0.${11 + i}`,
      trackers: trackers as Tracker[],
    }),
  ),
);

const folder = mkdtempSync(join(tmpdir(), "keepwatch-election-"));
const failing = (name: string, node: string): string => join(folder, `${name}-fails-on-${node}`);

function configOf(node: number): string {
  const scripts = SCRIPTS.map(
    (name) =>
      `vrrp_script ${name} {\n script "/usr/bin/test ! -e ${failing(name, NODES[node] ?? "")}"\n interval 1\n user root\n}\n`,
  );
  const instances = members.map((sides, i) => {
    const { priority, trackers } = sides[node] as ElectionMember;
    const tracks = trackers.map((t) => `  ${t.name} weight ${t.weight}${t.reverse ? " reverse" : ""}\n`).join("");
    return `vrrp_instance VI_${i} {\n interface eth0\n version 3\n virtual_router_id ${i + 1}\n priority ${priority}\n advert_int 0.1\n virtual_ipaddress {\n  10.99.0.${100 + i}/24\n }\n track_script {\n${tracks} }\n}\n`;
  });
  return `global_defs {\n script_user root\n}\n${scripts.join("")}${instances.join("")}`;
}

describe.skipIf(reason !== undefined)("the election proof and real daemons", () => {
  const specs = NODES.map(
    (name, i): NodeSpec => ({
      name,
      side: i === 0 ? "a" : "b",
      number: 11 + i,
      start: "command",
      keepalivedConf: configOf(i),
    }),
  );
  const network = new LabNetwork(`kw${process.pid}-e`, specs);
  const hosts = specs.map((spec, i) => new LabNode(spec, network.places[i]?.netns ?? "", folder));

  beforeAll(async () => {
    await network.build();
    await Promise.all(hosts.map((host) => host.boot()));
    await Promise.all(hosts.map((host) => host.configure()));
    await Promise.all(hosts.map((host) => host.startKeepalived()));
  }, 60_000);

  afterAll(async () => {
    await Promise.all(hosts.map((host) => host.shutDown()));
    await network.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** For each router the nodes that have its address now. */
  async function holders(): Promise<string[]> {
    const [lb1, lb2] = await Promise.all(
      network.places.map(async ({ netns }) => (await runToEnd("ip", ["-n", netns, "-o", "addr"])).stdout),
    );
    return ROUTERS.map((_, i) => {
      const held = [lb1, lb2].map((out) => out?.includes(`10.99.0.${100 + i}/24`) === true);
      return NODES.filter((_node, n) => held[n]).join("+") || "nobody";
    });
  }

  /** Looks until it is so, and still so after more than another round of every script and a takeover. */
  async function settlesOn(expected: readonly string[], what: string): Promise<void> {
    const deadline = performance.now() + 15_000;
    let since: number | undefined;
    for (;;) {
      const now = await holders();
      const isSo = now.join() === expected.join();
      since = isSo ? (since ?? performance.now()) : undefined;
      if (since !== undefined && performance.now() - since > 2_000) return;
      if (performance.now() > deadline)
        expect(Object.fromEntries(ROUTERS.map(([name], i) => [name, now[i]])), what).toEqual(
          Object.fromEntries(ROUTERS.map(([name], i) => [name, expected[i]])),
        );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  const proofs = members.map((sides) => proveElection(sides));
  const elements = NODES.flatMap((node) => SCRIPTS.map((name) => ({ node, name })));
  /** Three at once are left out for the time they take. */
  const combinations = Array.from({ length: 2 ** elements.length }, (_, bits) =>
    elements.filter((_element, i) => (bits >> i) % 2 === 1),
  )
    .filter(({ length }) => length !== 3)
    .sort((a, b) => a.length - b.length);

  const predicted = (failed: typeof elements): string[] =>
    proofs.map(({ rows }, i) => {
      const tracked = failed.filter(({ node, name }) =>
        members[i]?.some((member) => member.node === node && member.trackers.some((t) => t.name === name)),
      );
      const row = rows.find(
        (candidate) =>
          candidate.failed.length === tracked.length &&
          tracked.every((t) =>
            candidate.failed.some((f) => f.kind === "script" && f.node === t.node && f.name === t.name),
          ),
      );
      return row?.master ?? "nobody";
    });

  test("agree on who has the addresses in every combination of failing scripts", async () => {
    await settlesOn(predicted([]), "intact");
    for (const failed of combinations.slice(1)) {
      for (const { name, node } of failed) writeFileSync(failing(name, node), "");
      const what = failed.map(({ name, node }) => `${name} fails on ${node}`).join(", ");
      await settlesOn(predicted(failed), what);
      for (const { name, node } of failed) rmSync(failing(name, node));
      await settlesOn(predicted([]), `intact again after ${what}`);
    }
  }, 300_000);
});
