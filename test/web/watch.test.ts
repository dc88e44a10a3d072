import { describe, expect, test } from "vitest";
import type { NodeSummary, RouterSummary, SourceStatus } from "../../server/api/types.ts";
import { mastershipOf, watchOf } from "../../web/watch.ts";

const NOW = 1_795_517_614_000_000;
const source = (state: SourceStatus["state"]): SourceStatus => ({
  name: "log",
  detail: "",
  state,
  read: 1,
  unrecognised: 0,
});
const node = (name: string, agoUs = 1_000_000, ...states: readonly SourceStatus["state"][]): NodeSummary => ({
  cluster: "default",
  node: name,
  lastSeenTs: NOW - agoUs,
  version: null,
  startedTs: null,
  timeZone: null,
  stoppedTs: null,
  clock: null,
  sources: (states.length > 0 ? states : (["running"] as const)).map(source),
});
const router = (masters: readonly string[], members: readonly string[] = ["lb1", "lb2"]): RouterSummary => ({
  id: "default/ipv4/51",
  cluster: "default",
  family: "ipv4",
  vrid: 51,
  vips: ["10.99.0.100"],
  instances: members.map((name) => ({ node: name, name: "VI_1", interface: "eth0", priority: 100 })),
  masters,
  since: NOW - 60_000_000,
  before: null,
  redundancy: "ready",
  members: members.map((name) => ({ node: name, state: "BACKUP", since: NOW, able: true, why: null })),
  openIncidents: [],
  firstEventTs: 0,
  lastEventTs: NOW,
});
const SILENT = 16_000_000;

test.each([
  ["watched", node("lb1")],
  ["watched", node("lb1", 14_000_000)],
  ["silent", node("lb1", SILENT)],
  ["partial", node("lb1", 0, "running", "unavailable")],
  ["blind", node("lb1", 0, "unavailable", "stopped")],
] as const)("a node is %s", (expected, summary) => {
  expect(watchOf(summary, NOW)).toBe(expected);
});

describe("who is master", () => {
  test.each([
    ["the one that says so and reports", ["lb1"], [node("lb1"), node("lb2")], "one"],
    ["the one that says so, with part of its sources", ["lb1"], [node("lb1", 0, "running", "unavailable")], "one"],
    [
      "not known when the master fell silent, though its peer reports",
      ["lb1"],
      [node("lb1", SILENT), node("lb2")],
      "unknown",
    ],
    [
      "not known when the master's collector can read nothing",
      ["lb1"],
      [node("lb1", 0, "unavailable"), node("lb2")],
      "unknown",
    ],
    ["not known when only a node of another router reports", ["lb1"], [node("lb1", SILENT), node("web7")], "unknown"],
    ["known by its peer when it has no collector of its own", ["lb1"], [node("lb2")], "one"],
    ["nobody, on the word of a member that reports", [], [node("lb1", SILENT), node("lb2")], "none"],
    ["not known rather than nobody, when all are silent", [], [node("lb1", SILENT), node("lb2", SILENT)], "unknown"],
    ["not known when no node was ever heard of", ["lb1"], [], "unknown"],
    ["two, whoever reports", ["lb1", "lb2"], [node("lb1", SILENT), node("lb2")], "several"],
  ] as const)("is %s", (_name, masters, nodes, kind) => {
    expect(mastershipOf(router(masters), nodes, NOW).kind).toBe(kind);
  });

  test("is not told by a node of the same name in another cluster", () => {
    const other = { ...node("lb1"), cluster: "rack2" };
    expect(mastershipOf(router(["lb1"]), [other], NOW)).toEqual({ kind: "unknown", last: "lb1" });
  });
});
