import { describe, expect, test } from "vitest";
import { type PeerInstance, type PeerNode, virtualRoutersOf } from "../../../collector/conf/cluster.ts";
import { codeOf } from "../../../collector/conf/codes/registry.ts";
import { driftOf, nodeDriftOf } from "../../../collector/conf/drift.ts";
import { NEWEST_RELEASE, type Release } from "../../../collector/conf/version.ts";

const peer = (node: string, more: Partial<PeerInstance> = {}): PeerInstance => ({
  node,
  instance: "VI_1",
  file: `/${node}.conf`,
  line: 3,
  family: "ipv4",
  vrid: 51,
  version: 2,
  priority: node === "lb1" ? 150 : 100,
  advertIntervalUs: 1_000_000,
  downTimerAdverts: 3,
  nopreempt: false,
  startState: "BACKUP",
  vips: ["10.0.0.100/24"],
  excludedVips: [],
  unicastPeers: [],
  authentication: "none",
  usesVmac: false,
  trackers: [],
  skipsAddressCheck: false,
  ...more,
});

const RELEASE: Release = [2, 2, 7];
const found = (a: Partial<PeerInstance>, b: Partial<PeerInstance>): string[] =>
  driftOf([peer("lb1", a), peer("lb2", b)], RELEASE).map(({ code }) => code);

describe("drift between the nodes of a virtual router", () => {
  test("two good peers differ in nothing that matters", () => {
    expect(found({}, {})).toEqual([]);
  });

  test.each<[string, Partial<PeerInstance>, Partial<PeerInstance>]>([
    ["drift_vrid", {}, { vrid: 52 }],
    ["drift_version", {}, { version: 3 }],
    ["drift_advert_int", {}, { advertIntervalUs: 2_000_000 }],
    ["drift_auth", { authentication: "PASS" }, {}],
    [
      "drift_auth_pass",
      { authentication: "PASS", passwordFingerprint: "aa" },
      { authentication: "PASS", passwordFingerprint: "bb" },
    ],
    ["drift_vips", {}, { vips: ["10.0.0.100/24", "10.0.0.101/24"] }],
    ["drift_vip_prefix", {}, { vips: ["10.0.0.100/32"] }],
    ["drift_excluded_vips", {}, { excludedVips: ["10.1.0.1/24"] }],
    ["drift_unicast", {}, { unicastPeers: ["10.0.0.1"] }],
    [
      "drift_unicast_peers",
      { unicastPeers: ["10.0.0.9"], sourceAddress: "10.0.0.1" },
      { unicastPeers: ["10.0.0.1"], sourceAddress: "10.0.0.2" },
    ],
    ["drift_multicast_group", { multicastGroup: "224.0.0.18" }, { multicastGroup: "224.0.0.19" }],
    ["drift_sync_group", { syncGroup: ["VI_1", "VI_2"] }, {}],
    ["drift_vmac", { usesVmac: true }, {}],
    ["drift_preempt", { nopreempt: true }, {}],
    ["drift_down_timer", { downTimerAdverts: 5 }, {}],
    ["drift_tracking", { trackers: [{ kind: "script", name: "chk", weight: -60, reverse: false }] }, {}],
    ["drift_same_priority", { priority: 100 }, {}],
    ["drift_same_source_address", { sourceAddress: "10.0.0.1" }, { sourceAddress: "10.0.0.1" }],
    ["drift_both_start_master", { startState: "MASTER" }, { startState: "MASTER" }],
  ])("%s", (code, a, b) => {
    expect(found(a, b)).toEqual([code]);
    expect(codeOf(code).code).toBe(code);
  });

  test.each<[string, Partial<PeerInstance>, Partial<PeerInstance>]>([
    ["the order of addresses", { vips: ["10.0.0.1/24", "10.0.0.2/24"] }, { vips: ["10.0.0.2/24", "10.0.0.1/24"] }],
    ["passwords, which version 3 ignores", { version: 3, passwordFingerprint: "a" }, { version: 3 }],
    ["an address that no file names", { unicastPeers: ["10.0.0.9"] }, { unicastPeers: ["10.0.0.8"] }],
    [
      "interfaces, whose names are each node's own",
      { interface: "eth0", trackers: [{ kind: "interface", name: "eth0", weight: 0, reverse: false }] },
      { interface: "ens3", trackers: [{ kind: "interface", name: "ens3", weight: 0, reverse: false }] },
    ],
  ])("says nothing of %s", (_, a, b) => {
    expect(found(a, b)).toEqual([]);
  });

  test("of three nodes the one that is different is named", () => {
    const peers = [peer("lb1", { advertIntervalUs: 5_000_000 }), peer("lb2"), peer("lb3", { priority: 90 })];
    expect(driftOf(peers, RELEASE)).toMatchObject([
      {
        code: "drift_advert_int",
        node: "lb1",
        file: "/lb1.conf",
        message: expect.stringContaining("5 s on lb1, 1 s on lb2"),
      },
    ]);
  });

  test("other addresses mean two masters up to 2.3.2, and are only missing from 2.3.3 on", () => {
    const peers = [peer("lb1"), peer("lb2", { vips: ["10.0.0.100/24", "10.0.0.101/24"] })];
    expect(driftOf(peers, RELEASE)[0]?.message).toContain("both are master");
    expect(driftOf(peers, NEWEST_RELEASE)[0]?.message).toContain("missing on the other");
  });

  test("a password is never told, not even by its whole fingerprint", () => {
    const finding = driftOf(
      [
        peer("lb1", { authentication: "PASS", passwordFingerprint: "0123456789abcdef" }),
        peer("lb2", { authentication: "PASS", passwordFingerprint: "fedcba9876543210" }),
      ],
      RELEASE,
    )[0];
    expect(finding?.message).toContain("fingerprint fedcba98 on lb2, fingerprint 01234567 on lb1");
  });
});

const node = (name: string, instances: readonly PeerInstance[], more: Partial<PeerNode> = {}): PeerNode => ({
  node: name,
  file: `/${name}.conf`,
  instances,
  virtualServers: new Map(),
  ...more,
});

const groups = (...nodes: PeerNode[]): string[][] =>
  virtualRoutersOf(nodes).map((peers) => peers.map(({ node: name, instance }) => `${name}/${instance}`));

describe("which instances form a virtual router", () => {
  test("those that share an address, whatever their id; and a VRID alone says nothing", () => {
    expect(
      groups(
        node("lb1", [peer("lb1"), peer("lb1", { instance: "X", vips: ["10.9.0.1/24"] })]),
        node("lb2", [peer("lb2", { instance: "OTHER", vrid: 52 })]),
        node("rack2", [peer("rack2", { instance: "R2", vips: ["192.168.7.1/24"] })]),
      ),
    ).toEqual([["lb1/VI_1", "lb2/OTHER"], ["lb1/X"], ["rack2/R2"]]);
  });

  test("one id in one subnet is one router when an address is missing, and two when each has its pair", () => {
    const other = { vips: ["10.0.0.200/24"] };
    expect(groups(node("lb1", [peer("lb1")]), node("lb2", [peer("lb2", other)]))).toEqual([["lb1/VI_1", "lb2/VI_1"]]);
    const pairs = [
      node("lb1", [peer("lb1")]),
      node("lb2", [peer("lb2")]),
      node("lb3", [peer("lb3", other)]),
      node("lb4", [peer("lb4", other)]),
    ];
    const routers = virtualRoutersOf(pairs);
    expect(routers).toHaveLength(2);
    expect(nodeDriftOf(pairs, routers).map(({ code }) => code)).toEqual(["drift_vrid_reused"]);
  });
});

describe("drift between whole nodes", () => {
  const web = (scheduler: string) =>
    new Map([["10.0.0.100:80/TCP", { file: "/x.conf", line: 9, settings: new Map([["lb_algo", scheduler]]) }]]);
  const drift = (...nodes: PeerNode[]) => nodeDriftOf(nodes, virtualRoutersOf(nodes));

  test("a router_id, a virtual server and an instance are held against the other node's", () => {
    expect(
      drift(
        node("lb1", [peer("lb1")], { routerId: "LVS", virtualServers: web("rr") }),
        node("lb2", [peer("lb2")], { routerId: "LVS", virtualServers: web("wrr") }),
      ).map(({ message }) => message),
    ).toEqual([
      "lb1 and lb2 have the same router_id LVS: their mails cannot be told apart",
      "virtual_server 10.0.0.100:80/TCP differs between lb1 and lb2: lb_algo: wrr instead of rr",
    ]);
    expect(drift(node("lb1", [peer("lb1")]), node("lb2", [])).map(({ code }) => code)).toEqual(["drift_no_peer"]);
  });
});
