import { normaliseAddress } from "../core/address.ts";
import type { DiagnosticSeverity, EventBody } from "../events/event.ts";
import { type PeerInstance, type PeerNode, virtualRoutersOf } from "./cluster.ts";
import { codeOf, severityOf } from "./codes/registry.ts";
import { driftOf, nodeDriftOf } from "./drift.ts";
import { effectiveTrackers } from "./effective-trackers.ts";
import { type ElectionProof, proveElection } from "./election.ts";
import type { Instance, Running } from "./model/types.ts";
import { serverName, summaryOf } from "./server-summary.ts";
import type { Release } from "./version.ts";

/** One node of those whose configurations are held against each other. */
export interface ClusterNode {
  readonly node: string;
  /** Its main file. */
  readonly file: string;
  readonly running: Running;
  readonly diagnostics: readonly EventBody<"config.diagnostic">[];
}

export interface VirtualRouterProof {
  readonly family: PeerInstance["family"];
  readonly vrid: number;
  readonly vips: readonly string[];
  readonly members: readonly { readonly node: string; readonly instance: string; readonly priority: number }[];
  readonly election: ElectionProof;
}

export interface ClusterFinding {
  readonly code: string;
  readonly severity: DiagnosticSeverity;
  readonly node: string;
  readonly file: string;
  readonly line: number;
  readonly message: string;
  readonly fix: string;
  readonly instance?: string;
}

/**
 * Holds the configurations of several nodes against each other: which instances form virtual routers, where they drift
 * apart, and who will be master in every combination of failures.
 * @param release  the keepalived they run
 */
export function checkCluster(
  nodes: readonly ClusterNode[],
  release: Release,
): { readonly routers: readonly VirtualRouterProof[]; readonly findings: readonly ClusterFinding[] } {
  const peers = nodes.map(peerNodeOf);
  const groups = virtualRoutersOf(peers);
  const unable = new Map(peers.map(({ node, unable: why }) => [node, why]));
  const drift = [...groups.flatMap((group) => driftOf(group, release)), ...nodeDriftOf(peers, groups)];
  const routers: VirtualRouterProof[] = [];
  const election: {
    code: string;
    message: string;
    node: string;
    file: string;
    line: number;
    fix?: string;
    instance?: string;
  }[] = [];
  for (const group of groups) {
    const proof = proveElection(group.map((peer) => memberOf(peer, unable.get(peer.node))));
    routers.push(routerOf(group, proof));
    // A single file of a pair says nothing of the other node: not that there is none.
    if (nodes.length < 2) continue;
    const said = new Set(drift.filter((found) => group.some((peer) => isAt(peer, found))).map(({ code }) => code));
    for (const { code, message, fix, node, instance } of proof.findings) {
      const at = group.find((peer) => peer.node === node && peer.instance === instance);
      if (!at || (code === "election_equal_priority" && said.has("drift_same_priority"))) continue;
      election.push({
        code,
        message,
        node,
        instance,
        file: at.file,
        line: at.line,
        ...(fix === undefined ? {} : { fix }),
      });
    }
  }
  const findings = [...drift, ...election].map((found) => ({
    ...found,
    severity: severityOf(found.code, release),
    fix: found.fix ?? codeOf(found.code).fix,
  }));
  return { routers, findings };
}

const isAt = (peer: PeerInstance, found: { readonly node: string; readonly instance?: string }): boolean =>
  peer.node === found.node && peer.instance === found.instance;

function routerOf(group: readonly PeerInstance[], election: ElectionProof): VirtualRouterProof {
  const [first] = group;
  return {
    family: first?.family ?? "ipv4",
    vrid: first?.vrid ?? 0,
    vips: [...new Set(group.flatMap(({ vips }) => vips))],
    members: group.map(({ node, instance, priority }) => ({ node, instance, priority })),
    election,
  };
}

const memberOf = (
  { node, instance, priority, nopreempt, sourceAddress, trackers }: PeerInstance,
  unable: string | undefined,
) => ({
  node,
  instance,
  priority,
  nopreempt,
  trackers,
  ...(sourceAddress === undefined ? {} : { address: sourceAddress }),
  ...(unable === undefined ? {} : { unable }),
});

function peerNodeOf({ node, file, running, diagnostics }: ClusterNode): PeerNode {
  const fatal = diagnostics.find(({ severity }) => severity === "fatal");
  return {
    node,
    file,
    instances: running.instances.flatMap((instance) => peerInstancesOf(node, instance, running)),
    virtualServers: new Map(running.virtualServers.map((server) => [serverName(server), summaryOf(server)])),
    ...(running.globals.routerId === undefined ? {} : { routerId: running.globals.routerId }),
    ...(fatal ? { unable: `keepalived does not run: ${fatal.code} in line ${fatal.line ?? 1}` } : {}),
  };
}

/** None for an instance without a VRID: it is in no virtual router, and has its own diagnostic. */
function peerInstancesOf(node: string, instance: Instance, running: Running): PeerInstance[] {
  if (instance.vrid === undefined) return [];
  const group = running.syncGroups.find(({ name }) => name === instance.syncGroup);
  return [
    {
      node,
      instance: instance.name,
      file: instance.at.file,
      line: instance.at.line,
      family: instance.family,
      vrid: instance.vrid,
      version: instance.version,
      priority: instance.priority,
      advertIntervalUs: instance.advertIntervalUs,
      downTimerAdverts: instance.downTimerAdverts,
      nopreempt: instance.nopreempt,
      startState: instance.configuredState,
      vips: instance.vips.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
      excludedVips: instance.excludedVips.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
      unicastPeers: instance.unicastPeers.map(({ address }) => address),
      authentication: instance.authentication.type,
      usesVmac: instance.vmac?.kind === "macvlan",
      trackers: effectiveTrackers(instance, running),
      skipsAddressCheck: instance.skipCheckAdvAddr,
      ...(instance.interface === undefined ? {} : { interface: instance.interface }),
      ...(instance.sourceAddress === undefined
        ? {}
        : { sourceAddress: normaliseAddress(instance.sourceAddress) ?? instance.sourceAddress }),
      ...(instance.multicastGroup === undefined ? {} : { multicastGroup: instance.multicastGroup }),
      ...(instance.authentication.passwordFingerprint === undefined
        ? {}
        : { passwordFingerprint: instance.authentication.passwordFingerprint }),
      ...(group ? { syncGroup: group.members } : {}),
    },
  ];
}
