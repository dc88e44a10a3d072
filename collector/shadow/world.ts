import type { Instance, Running } from "../conf/model/types.ts";
import { isLinkLocal } from "../conf/model/read.ts";
import type { Family } from "../events/vocabulary.ts";
import type { ShadowInput } from "./input.ts";

/** What is known of the node. It outlives the daemon; what is not in here, nobody told. */
export interface World {
  readonly links: ReadonlyMap<string, boolean>;
  /** By interface, in the kernel's order. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly files: ReadonlyMap<string, number>;
  readonly processes: ReadonlyMap<string, number>;
}

export type Fact = Extract<ShadowInput, { readonly kind: "link" | "addresses" | "address" | "file" | "process" }>;

export const UNKNOWN_WORLD: World = {
  links: new Map(),
  addresses: new Map(),
  files: new Map(),
  processes: new Map(),
};

export function learn(world: World, fact: Fact): World {
  switch (fact.kind) {
    case "link":
      return { ...world, links: withEntry(world.links, fact.interface, fact.up) };
    case "addresses":
      return { ...world, addresses: withEntry(world.addresses, fact.interface, [...new Set(fact.addresses)]) };
    case "address": {
      const known = world.addresses.get(fact.interface) ?? [];
      // Told again, it keeps its place.
      if (fact.present && known.includes(fact.address)) return world;
      const others = known.filter((address) => address !== fact.address);
      const addresses = fact.present ? [...others, fact.address] : others;
      return { ...world, addresses: withEntry(world.addresses, fact.interface, addresses) };
    }
    case "file":
      return { ...world, files: withEntry(world.files, fact.name, fact.value) };
    case "process":
      return { ...world, processes: withEntry(world.processes, fact.name, fact.count) };
  }
}

function withEntry<T>(map: ReadonlyMap<string, T>, key: string, value: T): ReadonlyMap<string, T> {
  return new Map(map).set(key, value);
}

/** Every address that keepalived itself sets: none of them is an address of the node. */
export function virtualAddressesOf({ instances }: Running): ReadonlySet<string> {
  return new Set(
    instances.flatMap(({ vips, excludedVips }) => [...vips, ...excludedVips].map(({ address }) => address)),
  );
}

/**
 * Where an instance's adverts come from: what is configured, else the first address of its interface, for IPv6 the first
 * link-local one.
 * @returns undefined when there is none, or nobody told
 */
export function sourceOf(instance: Instance, world: World, virtual: ReadonlySet<string>): string | undefined {
  return instance.sourceAddress ?? ownAddressesOf(instance, world, virtual)?.[0];
}

/** @returns undefined when nobody told which addresses the interface has */
function ownAddressesOf(
  { interface: nic, family }: Instance,
  world: World,
  virtual: ReadonlySet<string>,
): string[] | undefined {
  if (nic === undefined) return ownOf([...world.addresses.values()].flat(), family, virtual);
  const all = world.addresses.get(nic);
  return all && remembered(all, family, virtual);
}

const ownOf = (all: readonly string[], family: Family, virtual: ReadonlySet<string>): string[] =>
  all.filter(
    (address) =>
      address.includes(":") === (family === "ipv6") &&
      !virtual.has(address) &&
      (family === "ipv4" || isLinkLocal(address)),
  );

/** By list, then by what is virtual: neither ever changes, so what was found in them once holds for as long as they are there. */
const found = new WeakMap<readonly string[], WeakMap<ReadonlySet<string>, Partial<Record<Family, string[]>>>>();

/** Hundreds of instances of one interface ask for the same, at every change of an address. */
function remembered(all: readonly string[], family: Family, virtual: ReadonlySet<string>): string[] {
  const byVirtual = found.get(all) ?? new WeakMap<ReadonlySet<string>, Partial<Record<Family, string[]>>>();
  const byFamily = byVirtual.get(virtual) ?? {};
  const own = byFamily[family] ?? ownOf(all, family, virtual);
  if (byFamily[family] === undefined) found.set(all, byVirtual.set(virtual, { ...byFamily, [family]: own }));
  return own;
}

/** Whether an instance that sends from its interface's own address finds none. Nobody told: it does. */
export function lacksAddress(instance: Instance, world: World, virtual: ReadonlySet<string>): boolean {
  return instance.sourceAddress === undefined && ownAddressesOf(instance, world, virtual)?.length === 0;
}

/**
 * Whether the unicast source address is there to bind a socket to. keepalived finds out at a start and at a reload only:
 * that it appears or disappears later changes nothing, with track_src_ip neither. (tried with 2.2.7)
 */
export function canBind({ sourceAddress, unicastPeers }: Instance, { addresses }: World): boolean {
  if (sourceAddress === undefined || unicastPeers.length === 0 || addresses.size === 0) return true;
  return [...addresses.values()].some((list) => list.includes(sourceAddress));
}

/** Addresses that an interface had before and has no longer. */
export function lostAddresses(before: World, after: World, nic: string): readonly string[] {
  const now = after.addresses.get(nic) ?? [];
  return (before.addresses.get(nic) ?? []).filter((address) => !now.includes(address));
}
