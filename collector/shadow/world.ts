import type { Instance, Running } from "../conf/model/types.ts";
import { familyOf, isLinkLocal } from "../conf/model/read.ts";
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
      return { ...world, links: with_(world.links, fact.interface, fact.up) };
    case "addresses":
      return { ...world, addresses: with_(world.addresses, fact.interface, [...new Set(fact.addresses)]) };
    case "address": {
      const others = (world.addresses.get(fact.interface) ?? []).filter((address) => address !== fact.address);
      const kept = world.addresses.get(fact.interface)?.includes(fact.address) === true && fact.present;
      if (kept) return world;
      const addresses = fact.present ? [...others, fact.address] : others;
      return { ...world, addresses: with_(world.addresses, fact.interface, addresses) };
    }
    case "file":
      return { ...world, files: with_(world.files, fact.name, fact.value) };
    case "process":
      return { ...world, processes: with_(world.processes, fact.name, fact.count) };
  }
}

function with_<T>(map: ReadonlyMap<string, T>, key: string, value: T): ReadonlyMap<string, T> {
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
  const all = nic === undefined ? [...world.addresses.values()].flat() : world.addresses.get(nic);
  return all?.filter(
    (address) => familyOf(address) === family && !virtual.has(address) && (family === "ipv4" || isLinkLocal(address)),
  );
}

/** Whether the node lacks the address that an instance needs to send. */
export function lacksSource(instance: Instance, world: World, virtual: ReadonlySet<string>): boolean {
  const { sourceAddress, interface: nic, unicastPeers, tracksSourceAddress } = instance;
  if (sourceAddress === undefined) return ownAddressesOf(instance, world, virtual)?.length === 0;
  if (unicastPeers.length === 0 && !tracksSourceAddress) return false;
  if (nic !== undefined) return world.addresses.get(nic)?.includes(sourceAddress) === false;
  return world.addresses.size > 0 && ![...world.addresses.values()].some((list) => list.includes(sourceAddress));
}
