import { US_PER_SECOND } from "../core/time.ts";
import { bare, type PeerInstance, type PeerNode, shareSubnet } from "./cluster.ts";
import { compareReleases, type Release } from "./version.ts";

/** Where the nodes of one virtual router differ in what must be equal, or are equal in what must differ: DESIGN section 5. */
export interface DriftFinding {
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
  readonly node: string;
  readonly instance?: string;
  readonly file: string;
  readonly line: number;
}

/** From here on a backup only logs adverts with other addresses than its own; before, it refuses them and takes over. */
const LOGS_OTHER_ADDRESSES: Release = [2, 3, 3];

/** A setting that must be equal on all nodes of a virtual router. */
interface MustMatch {
  readonly code: string;
  readonly what: string;
  /** Undefined: does not apply to this instance, and is not compared. */
  readonly of: (instance: PeerInstance) => string | undefined;
  readonly consequence: string | ((instance: PeerInstance, release: Release) => string);
}

const TWO_MASTERS = "each node refuses the other's adverts, and both are master";
const sorted = (values: readonly string[]): string => [...values].sort().join(", ") || "none";
const seconds = (us: number): string => `${us / US_PER_SECOND} s`;

const MUST_MATCH: readonly MustMatch[] = [
  {
    code: "drift_vrid",
    what: "virtual_router_id",
    of: ({ vrid }) => String(vrid),
    consequence: "they are two virtual routers with the same address, and both hold it",
  },
  { code: "drift_version", what: "VRRP version", of: ({ version }) => String(version), consequence: TWO_MASTERS },
  {
    code: "drift_advert_int",
    what: "advert_int",
    of: ({ advertIntervalUs }) => seconds(advertIntervalUs),
    consequence: ({ version }) =>
      version === 2
        ? "version 2 drops adverts with another interval without counting or, before 2.x, logging them: both are master"
        : "version 3 learns the master's interval: a failover takes as long as the master says",
  },
  {
    code: "drift_auth",
    what: "authentication",
    of: ({ version, authentication }) => (version === 2 ? authentication : undefined),
    consequence: TWO_MASTERS,
  },
  {
    code: "drift_auth_pass",
    what: "auth_pass",
    of: ({ version, authentication, passwordFingerprint }) =>
      version === 2 && authentication !== "none" && passwordFingerprint !== undefined
        ? `fingerprint ${passwordFingerprint.slice(0, 8)}`
        : undefined,
    consequence: TWO_MASTERS,
  },
  {
    code: "drift_vips",
    what: "virtual_ipaddress",
    of: ({ vips }) => sorted(vips.map(bare)),
    consequence: ({ skipsAddressCheck }, release) =>
      skipsAddressCheck || compareReleases(release, LOGS_OTHER_ADDRESSES) >= 0
        ? "after a failover the addresses of one node are missing on the other"
        : "a node refuses adverts with other addresses than its own: both are master",
  },
  {
    code: "drift_vip_prefix",
    what: "prefix lengths",
    of: ({ vips }) => (vips.every((vip) => vip.includes("/")) ? sorted(vips) : undefined),
    consequence: "the address comes with another netmask, and another connected route, on each node",
  },
  {
    code: "drift_excluded_vips",
    what: "virtual_ipaddress_excluded",
    of: ({ excludedVips }) => sorted(excludedVips),
    consequence: "adverts do not carry these: nothing complains, and after a failover the difference is missing",
  },
  {
    code: "drift_unicast",
    what: "transport",
    of: ({ unicastPeers }) => (unicastPeers.length > 0 ? "unicast" : "multicast"),
    consequence: TWO_MASTERS,
  },
  {
    code: "drift_multicast_group",
    what: "multicast group",
    of: ({ unicastPeers, multicastGroup }) => (unicastPeers.length > 0 ? undefined : multicastGroup),
    consequence: "they do not hear each other, and both are master",
  },
  {
    code: "drift_sync_group",
    what: "members of the sync group",
    of: ({ syncGroup }) => sorted(syncGroup ?? []),
    consequence: "what moves together on one node moves apart on the other",
  },
  {
    code: "drift_vmac",
    what: "use_vmac",
    of: ({ usesVmac }) => (usesVmac ? "yes" : "no"),
    consequence: "the address changes its MAC with every failover, though one node is set up so that it would not",
  },
  {
    code: "drift_preempt",
    what: "preemption",
    of: ({ nopreempt }) => (nopreempt ? "nopreempt" : "preempt"),
    consequence: "whether a node takes the address back depends on which one it is",
  },
  {
    code: "drift_down_timer",
    what: "down_timer_adverts",
    of: ({ downTimerAdverts }) => String(downTimerAdverts),
    consequence: "the nodes wait for a different number of lost adverts before they take over",
  },
  {
    code: "drift_tracking",
    what: "what is tracked",
    of: ({ trackers }) =>
      sorted(
        trackers.flatMap(({ kind, name, weight, reverse }) =>
          kind === "interface" ? [] : [`${kind} ${name} weight ${weight}${reverse ? " reverse" : ""}`],
        ),
      ),
    consequence: "a failure that moves the address from one node does not move it from the other",
  },
];

/**
 * Compares the nodes of one virtual router. A value most nodes agree on is taken as meant; the others are named.
 * @param peers  at most one instance a node
 */
export function driftOf(peers: readonly PeerInstance[], release: Release): DriftFinding[] {
  if (peers.length < 2) return [];
  return [...MUST_MATCH.flatMap((row) => mismatch(row, peers, release)), ...oneSidedPeers(peers), ...mustDiffer(peers)];
}

function mismatch(
  { code, what, of, consequence }: MustMatch,
  peers: readonly PeerInstance[],
  release: Release,
): DriftFinding[] {
  const values = peers.map((peer) => ({ peer, value: of(peer) }));
  const [first] = values;
  if (!first || values.some(({ value }) => value === undefined)) return [];
  const meant = commonest(values.map(({ value }) => value ?? ""));
  // Prefix lengths are only worth a word when the addresses are the same.
  if (code === "drift_vip_prefix" && new Set(peers.map(({ vips }) => sorted(vips.map(bare)))).size > 1) return [];
  const reference = values.find(({ value }) => value === meant) ?? first;
  return values
    .filter(({ value }) => value !== meant)
    .map(({ peer, value }) =>
      at(
        peer,
        code,
        `${what}: ${value} on ${peer.node}, ${reference.value} on ${reference.peer.node}: ${
          typeof consequence === "string" ? consequence : consequence(peer, release)
        }`,
      ),
    );
}

/** The first of the commonest. */
function commonest(values: readonly string[]): string {
  const count = (value: string): number => values.filter((other) => other === value).length;
  return values.reduce((a, b) => (count(b) > count(a) ? b : a));
}

/** A node whose address is not in another's list is not heard by it, and does not hear it. */
function oneSidedPeers(peers: readonly PeerInstance[]): DriftFinding[] {
  return peers.flatMap((peer) => {
    if (peer.unicastPeers.length === 0) return [];
    return peers.flatMap((other) =>
      other !== peer &&
      other.unicastPeers.length > 0 &&
      other.sourceAddress !== undefined &&
      !peer.unicastPeers.includes(other.sourceAddress)
        ? [
            at(
              peer,
              "drift_unicast_peers",
              `${peer.node} does not send to ${other.node}: its unicast_peer list lacks ${other.sourceAddress}, and ${other.node} becomes master when it hears nobody`,
              `Add ${other.sourceAddress} to unicast_peer on ${peer.node}`,
            ),
          ]
        : [],
    );
  });
}

function mustDiffer(peers: readonly PeerInstance[]): DriftFinding[] {
  return [
    ...same(
      peers,
      "drift_same_priority",
      ({ priority }) => String(priority),
      (value) => `the same priority ${value}: the higher source address decides who is master`,
    ),
    ...same(
      peers,
      "drift_same_source_address",
      ({ sourceAddress }) => sourceAddress,
      (value) => `the same source address ${value}: each takes the other's adverts for its own`,
    ),
    ...same(
      peers,
      "drift_both_start_master",
      ({ startState }) => (startState === "MASTER" ? "MASTER" : undefined),
      () => "state MASTER: up to 1.4 both are master at every start, and from 2.0 on the word means nothing",
    ),
  ];
}

function same(
  peers: readonly PeerInstance[],
  code: string,
  of: (peer: PeerInstance) => string | undefined,
  text: (value: string) => string,
): DriftFinding[] {
  const seen = new Map<string, PeerInstance>();
  return peers.flatMap((peer) => {
    const value = of(peer);
    if (value === undefined) return [];
    const other = seen.get(value);
    seen.set(value, other ?? peer);
    return other ? [at(peer, code, `${other.node} and ${peer.node} have ${text(value)}`)] : [];
  });
}

/** What is compared of whole nodes: names that must be their own, virtual servers that must be equal, routers nobody backs up. */
export function nodeDriftOf(nodes: readonly PeerNode[], routers: readonly (readonly PeerInstance[])[]): DriftFinding[] {
  return [...sameRouterIds(nodes), ...virtualServerDrift(nodes), ...alone(nodes, routers), ...reusedVrids(routers)];
}

function sameRouterIds(nodes: readonly PeerNode[]): DriftFinding[] {
  const seen = new Map<string, string>();
  return nodes.flatMap(({ node, file, routerId }) => {
    if (routerId === undefined) return [];
    const other = seen.get(routerId);
    seen.set(routerId, other ?? node);
    const message = `${other} and ${node} have the same router_id ${routerId}: their mails cannot be told apart`;
    return other === undefined ? [] : [{ code: "drift_same_router_id", message, node, file, line: 1 }];
  });
}

/** Nodes that serve at least one virtual server in common are meant to serve all of them alike. */
function virtualServerDrift(nodes: readonly PeerNode[]): DriftFinding[] {
  const serving = nodes.filter(({ virtualServers }) => virtualServers.size > 0);
  const [first] = serving;
  if (!first || serving.length < 2) return [];
  const names = new Set(serving.flatMap(({ virtualServers }) => [...virtualServers.keys()]));
  return [...names].flatMap((name) => {
    const having = serving.filter(({ virtualServers }) => virtualServers.has(name));
    const reference = having[0];
    const settings = reference?.virtualServers.get(name);
    if (!reference || !settings) return [];
    const place = (node: PeerNode) => node.virtualServers.get(name) ?? { file: node.file, line: 1 };
    const found = serving
      .filter((node) => !node.virtualServers.has(name))
      .map((node) => ({
        code: "drift_virtual_server",
        message: `virtual_server ${name} is on ${reference.node} and not on ${node.node}: after a failover nobody serves it`,
        node: node.node,
        file: node.file,
        line: 1,
      }));
    for (const node of having.slice(1)) {
      const theirs = node.virtualServers.get(name)?.settings ?? new Map<string, string>();
      const keys = [...new Set([...settings.settings.keys(), ...theirs.keys()])].filter(
        (key) => settings.settings.get(key) !== theirs.get(key),
      );
      if (keys.length === 0) continue;
      const differences = keys
        .slice(0, 3)
        .map((key) => `${key}: ${theirs.get(key) ?? "none"} instead of ${settings.settings.get(key) ?? "none"}`);
      const more = keys.length > 3 ? ` and ${keys.length - 3} more` : "";
      found.push({
        code: "drift_virtual_server",
        message: `virtual_server ${name} differs between ${reference.node} and ${node.node}: ${differences.join("; ")}${more}`,
        node: node.node,
        file: place(node).file,
        line: place(node).line,
      });
    }
    return found;
  });
}

function alone(nodes: readonly PeerNode[], routers: readonly (readonly PeerInstance[])[]): DriftFinding[] {
  if (nodes.length < 2) return [];
  return routers.flatMap((peers) => {
    const [only] = peers;
    if (!only || peers.length > 1) return [];
    const message = `${only.instance} (virtual_router_id ${only.vrid}) is on ${only.node} alone: no other node of these backs it up`;
    return [at(only, "drift_no_peer", message)];
  });
}

/** One VRID for two different sets of addresses, in what looks like one segment. */
function reusedVrids(routers: readonly (readonly PeerInstance[])[]): DriftFinding[] {
  return routers.flatMap((peers, i) =>
    routers.slice(i + 1).flatMap((others) => {
      const [a, b] = [peers[0], others[0]];
      if (!a || !b || a.node === b.node || a.family !== b.family || a.vrid !== b.vrid || !shareSubnet(a, b)) return [];
      return [
        at(
          b,
          "drift_vrid_reused",
          `virtual_router_id ${b.vrid} is also that of ${a.instance} on ${a.node}, for other addresses: where both are heard, each refuses the other's adverts without end`,
          "Give each virtual router of a segment an id of its own",
        ),
      ];
    }),
  );
}

const at = (
  { node, instance, file, line }: PeerInstance,
  code: string,
  message: string,
  fix?: string,
): DriftFinding => ({
  code,
  message,
  node,
  instance,
  file,
  line,
  ...(fix === undefined ? {} : { fix }),
});
