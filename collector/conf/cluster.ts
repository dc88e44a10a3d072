import type { Family } from "../events/event.ts";
import type { Tracker } from "./election.ts";

/** One vrrp_instance of one node, with what must or must not be equal on its peers. Values are what keepalived will really use. */
export interface PeerInstance {
  readonly node: string;
  readonly instance: string;
  readonly file: string;
  readonly line: number;
  readonly family: Family;
  readonly vrid: number;
  readonly interface?: string;
  readonly version: 2 | 3;
  readonly priority: number;
  readonly advertIntervalUs: number;
  readonly downTimerAdverts: number;
  readonly nopreempt: boolean;
  readonly startState: "MASTER" | "BACKUP";
  /** Addresses with their prefix length, `192.0.2.100/24`. */
  readonly vips: readonly string[];
  readonly excludedVips: readonly string[];
  readonly unicastPeers: readonly string[];
  readonly sourceAddress?: string;
  readonly multicastGroup?: string;
  /** `none`, `PASS`, `AH`, or a keyed digest's name. */
  readonly authentication: string;
  /** Tells two passwords apart, and nothing else about them. */
  readonly passwordFingerprint?: string;
  readonly usesVmac: boolean;
  readonly syncGroup?: readonly string[];
  readonly trackers: readonly Tracker[];
  readonly skipsAddressCheck: boolean;
}

/** What is compared of a node beyond its instances. */
export interface PeerNode {
  readonly node: string;
  readonly file: string;
  readonly routerId?: string;
  readonly instances: readonly PeerInstance[];
  /** Virtual servers by name, each with a description of all that must be equal. */
  readonly virtualServers: ReadonlyMap<string, VirtualServerSummary>;
  /** Why keepalived does not run there with this configuration. */
  readonly unable?: string;
}

export interface VirtualServerSummary {
  readonly line: number;
  readonly file: string;
  readonly settings: ReadonlyMap<string, string>;
}

/**
 * Instances that are meant to form one virtual router: of one family, on different nodes, and sharing an address; or, where
 * an instance shares one with nobody, the VRID together with the name or the subnet. A VRID alone says nothing: 51 is re-used in every rack.
 */
export function virtualRoutersOf(nodes: readonly PeerNode[]): PeerInstance[][] {
  const groups = new Groups(nodes.flatMap(({ instances }) => instances));
  groups.joinAlike(({ family, vips }) => vips.map((vip) => `${family} ${bare(vip)}`));
  groups.joinAlike(
    ({ family, vrid, instance, vips }) => [
      `${family} ${vrid} ${instance}`,
      ...vips.flatMap(subnetOf).map((subnet) => `${family} ${vrid} ${subnet}`),
    ],
    (a, b) => groups.isAlone(a) || groups.isAlone(b),
  );
  return groups.list();
}

class Groups {
  private readonly all: readonly PeerInstance[];
  private readonly groupOf: Map<PeerInstance, PeerInstance[]>;

  constructor(all: readonly PeerInstance[]) {
    this.all = all;
    this.groupOf = new Map(all.map((instance) => [instance, [instance]]));
  }

  /** Joins instances that have a key in common with one that is met before them. */
  joinAlike(
    keysOf: (instance: PeerInstance) => readonly string[],
    mayJoin: (a: PeerInstance, b: PeerInstance) => boolean = () => true,
  ): void {
    const byKey = new Map<string, PeerInstance[]>();
    for (const instance of this.all)
      for (const key of new Set(keysOf(instance))) {
        const alike = byKey.get(key) ?? [];
        for (const other of alike) if (mayJoin(other, instance)) this.join(other, instance);
        // One instance of each virtual router that is already there stands for it.
        if (!alike.some((other) => this.groupOf.get(other) === this.groupOf.get(instance)))
          byKey.set(key, [...alike, instance]);
      }
  }

  isAlone(instance: PeerInstance): boolean {
    return this.groupOf.get(instance)?.length === 1;
  }

  list(): PeerInstance[][] {
    return [...new Set(this.groupOf.values())];
  }

  /** A node is in a virtual router once: two instances of one node that share an address are a fault of that node alone. */
  private join(a: PeerInstance, b: PeerInstance): void {
    const into = this.groupOf.get(a) ?? [];
    const from = this.groupOf.get(b) ?? [];
    if (into === from || into.some(({ node }) => from.some((other) => other.node === node))) return;
    into.push(...from);
    for (const member of from) this.groupOf.set(member, into);
  }
}

export const bare = (vip: string): string => vip.split("/")[0] ?? vip;

/** Whether two instances that share no address are heard by each other, as far as their addresses show. */
export function shareSubnet(a: PeerInstance, b: PeerInstance): boolean {
  const subnets = new Set(a.vips.flatMap(subnetOf));
  return b.vips.flatMap(subnetOf).some((subnet) => subnets.has(subnet));
}

/** By text: /24 of an IPv4 address, the first four groups of an IPv6 one. Enough to tell segments apart. */
function subnetOf(vip: string): string[] {
  const address = bare(vip);
  if (address.includes(".")) return [address.split(".").slice(0, 3).join(".")];
  const groups = address.split("::")[0]?.split(":") ?? [];
  return address.startsWith("fe80:") ? [] : [groups.slice(0, 4).join(":")];
}
