import type { ConfiguredInstance, Event, Family } from "../../collector/events/event.ts";
import { ADVERT_INTERVAL_DEFAULT_US, DOWN_TIMER_ADVERTS_DEFAULT, PRIORITY_DEFAULT } from "./options.ts";
import { compareEvents } from "./order.ts";
import { type DatedEvent, fromDated, toDated } from "./checkpoint.ts";
import { type CrowdDump, SenderBook } from "./senders.ts";
import type { VirtualRouter } from "./view.ts";

/**
 * Which instances, senders and log names form one virtual router. VRID 51 is re-used in every rack, and a log names only
 * the instance, so identity is a union-find over all facts of a cluster: it depends on their set, not on their order.
 */

type ConfigLoaded = Extract<Event, { kind: "config.loaded" }>;
type WireEdge = Extract<Event, { kind: "wire.master-seen" | "wire.master-gone" }>;

/**
 * Most addresses of others that are watched for whether it becomes known whose they are. When there are more, that of any address does: then
 * all is concluded again more often than it need be.
 */
const PEERS_WATCHED = 4096;

/** How sure an address tells its node: a kernel may list an address that other hosts have too (a container bridge). */
const OWNER_RANK = { kernel: 1, config: 2, sent: 3 } as const;

export interface FactsDump {
  readonly configs: readonly (readonly [string, readonly DatedEvent[]])[];
  readonly named: readonly {
    readonly node: string;
    readonly name: string;
    readonly vips: readonly string[];
    readonly interfaces: readonly string[];
  }[];
  readonly senders: readonly CrowdDump[];
  readonly owners: readonly (readonly [string, readonly (readonly [string, number])[]])[];
  readonly peers: readonly string[];
}

/** What one cluster's events say about identity, each fact once. */
export class IdentityFacts {
  readonly configs = new Map<string, ConfigLoaded[]>();
  readonly named = new Map<
    string,
    { readonly node: string; readonly name: string; readonly vips: Set<string>; readonly interfaces: Set<string> }
  >();
  readonly senders = new SenderBook();
  readonly owners = new Map<string, Map<string, number>>();
  /** Addresses of others that events speak of, as far as they are watched. */
  readonly peers = new Set<string>();
  /** Raised with every fact that was not known before. */
  version = 0;

  learn(event: Event): void {
    if ("peer" in event && event.peer !== undefined && this.peers.size < PEERS_WATCHED) this.peers.add(event.peer);
    switch (event.kind) {
      case "config.loaded":
        this.learnConfig(event);
        break;
      case "wire.master-seen":
      case "wire.master-gone":
        this.learnSender(event);
        break;
      case "kernel.addresses":
        for (const { address } of event.addresses) this.learnOwner(address, event.node, OWNER_RANK.kernel);
        break;
      case "kernel.address-added":
        this.learnOwner(event.address, event.node, OWNER_RANK.kernel);
        break;
      case "vrrp.garp":
        if (event.instance !== undefined) this.learnName(event.node, event.instance, event.vips, event.interface);
        break;
      default:
        if (event.kind.startsWith("vrrp.") && "instance" in event && event.instance !== undefined)
          this.learnName(event.node, event.instance);
    }
  }

  dump(): FactsDump {
    return {
      configs: [...this.configs].map(([node, events]) => [node, events.map(toDated)]),
      named: [...this.named.values()].map((fact) => ({
        ...fact,
        vips: [...fact.vips],
        interfaces: [...fact.interfaces],
      })),
      senders: this.senders.dump(),
      owners: [...this.owners].map(([address, ranks]) => [address, [...ranks]]),
      peers: [...this.peers],
    };
  }

  load({ configs, named, senders, owners, peers }: FactsDump): void {
    for (const [node, events] of configs)
      this.configs.set(
        node,
        events.map((event) => fromDated<ConfigLoaded>(event)),
      );
    for (const { node, name, vips, interfaces } of named)
      this.named.set(`${node}|${name}`, { node, name, vips: new Set(vips), interfaces: new Set(interfaces) });
    this.senders.load(senders);
    for (const [address, ranks] of owners) this.owners.set(address, new Map(ranks));
    for (const peer of peers) this.peers.add(peer);
    this.version += 1;
  }

  /** Of configurations that were loaded again and again without a change before this instant, the first and the last stay. */
  forget(before: number): void {
    for (const [node, configs] of this.configs) {
      const texts = configs.map(textOf);
      const needed = configs.filter(
        ({ ts }, index) => ts >= before || texts[index - 1] !== texts[index] || texts[index + 1] !== texts[index],
      );
      if (needed.length < configs.length) this.configs.set(node, needed);
    }
  }

  /** The node's configurations are dated anew, and learnt again. */
  forgetConfigs(node: string): void {
    this.configs.delete(node);
    this.version += 1;
  }

  private learnConfig(event: ConfigLoaded): void {
    const list = this.configs.get(event.node) ?? [];
    if (list.some(({ id }) => id === event.id)) return;
    list.push(event);
    list.sort(compareEvents);
    this.configs.set(event.node, list);
    for (const { sourceAddress } of event.instances)
      if (sourceAddress !== undefined) this.learnOwner(sourceAddress, event.node, OWNER_RANK.config);
    this.version += 1;
  }

  private learnSender(event: WireEdge): void {
    if (this.senders.learn(event)) this.version += 1;
    if (event.outgoing) this.learnOwner(event.peer, event.node, OWNER_RANK.sent);
  }

  private learnOwner(address: string, node: string, rank: number): void {
    const ranks = this.owners.get(address) ?? new Map<string, number>();
    if ((ranks.get(node) ?? 0) >= rank) return;
    ranks.set(node, rank);
    this.owners.set(address, ranks);
    this.version += 1;
  }

  private learnName(node: string, name: string, vips: readonly string[] = [], nic?: string): void {
    const key = `${node}|${name}`;
    let fact = this.named.get(key);
    if (!fact) {
      fact = { node, name, vips: new Set(), interfaces: new Set() };
      this.named.set(key, fact);
      this.version += 1;
    }
    const before = fact.vips.size + fact.interfaces.size;
    for (const vip of vips) fact.vips.add(vip);
    if (nic !== undefined) fact.interfaces.add(nic);
    if (fact.vips.size + fact.interfaces.size > before) this.version += 1;
  }
}

/** What it says, whenever it was loaded. */
function textOf(config: ConfigLoaded): string {
  const { id: _id, ts: _ts, tsUncertaintyUs: _uncertainty, observedTs: _observed, ...content } = config;
  return JSON.stringify(content);
}

export interface RouterIdentity extends VirtualRouter {
  /** Longest advert interval configured, else seen on the wire, else keepalived's default; microseconds. */
  readonly advertIntervalUs: number;
  /** Longest time one of its backups hears nothing before it takes over; microseconds. */
  readonly masterDownUs: number;
  /** Nodes that run a collector or left a log: not those known by a sender address alone. */
  readonly realNodes: readonly string[];
}

export interface Identity {
  readonly routers: ReadonlyMap<string, RouterIdentity>;
  /** The router of an instance a log line of the node names, as the node was configured then. */
  routerOfInstance(node: string, instance: string, ts: number): string | undefined;
  routerOfSender(family: Family, vrid: number, vips: readonly string[]): string | undefined;
  /** The node a sender address belongs to; the address itself names a node nothing else is known of. */
  nodeOfAddress(address: string): string;
  instanceOfRouter(node: string, router: string): string | null;
  /** Equal when all of the above say the same. */
  readonly sign: string;
}

class UnionFind {
  private readonly parent = new Map<string, string>();

  add(key: string): string {
    if (!this.parent.has(key)) this.parent.set(key, key);
    return key;
  }

  has(key: string): boolean {
    return this.parent.has(key);
  }

  find(key: string): string {
    const up = this.parent.get(this.add(key)) as string;
    if (up === key) return key;
    const root = this.find(up);
    this.parent.set(key, root);
    return root;
  }

  /** The smaller key becomes the root, so that the root does not depend on the order of unions. */
  union(a: string, b: string): void {
    const [x, y] = [this.find(a), this.find(b)].sort() as [string, string];
    this.parent.set(y, x);
  }

  all(): string[] {
    return [...this.parent.keys()];
  }
}

const element = {
  configured: (node: string, name: string, family: Family, vrid: number) => `i|${node}|${name}|${family}|${vrid}`,
  advertised: (family: Family, vrid: number, vip: string) => `a|${family}|${vrid}|${vip}`,
  bare: (family: Family, vrid: number) => `e|${family}|${vrid}`,
  named: (node: string, name: string) => `n|${node}|${name}`,
  vip: (vip: string) => `v|${vip}`,
  name: (name: string) => `x|${name}`,
};

interface Member {
  readonly node: string;
  readonly name: string | null;
  readonly interface: string | null;
  readonly priority: number | null;
}

interface Group {
  family: Family | null;
  vrid: number | null;
  readonly vips: Set<string>;
  readonly names: Set<string>;
  readonly members: Map<string, Member>;
  readonly realNodes: Set<string>;
  /** Of the newest configuration of each node. */
  readonly configured: ConfiguredInstance[];
  learntIntervalUs: number;
}

const familyOf = (address: string): Family => (address.includes(":") ? "ipv6" : "ipv4");

/** Resolves all facts of one cluster. */
export function identify(cluster: string, facts: IdentityFacts): Identity {
  const sets = new UnionFind();
  const spans = configSpans(facts);
  joinAdvertised(sets, facts);
  joinBare(sets);
  joinNamed(sets, facts, spans);

  const guessed = addressesOfBlindNodes(sets, facts, spans);
  const nodeOfAddress = (address: string): string => ownerOf(facts, address) ?? guessed.get(address) ?? address;
  const groups = collectGroups(sets, facts, spans, nodeOfAddress);
  const ids = nameGroups(cluster, groups);
  const routers = new Map(
    [...groups].map(([root, group]) => [ids.get(root) as string, toRouter(ids.get(root) as string, cluster, group)]),
  );
  const idOf = (key: string): string | undefined => (sets.has(key) ? ids.get(sets.find(key)) : undefined);
  const sign = JSON.stringify([
    [...routers].sort(([a], [b]) => (a < b ? -1 : 1)),
    [...spans].map(([name, list]) => [name, ...list.map(({ from, key }) => [from, idOf(key)])]).sort(compareJson),
    sets
      .all()
      .map((key) => [key, idOf(key)])
      .sort(compareJson),
    watched(facts, guessed)
      .map((address) => [address, nodeOfAddress(address)])
      .sort(compareJson),
  ]);
  return {
    sign,
    routers: new Map([...routers].sort(([a], [b]) => (a < b ? -1 : 1))),
    routerOfInstance: (node, name, ts) => idOf(instanceElement(spans, node, name, ts)),
    routerOfSender: (family, vrid, vips) =>
      idOf(vips[0] === undefined ? element.bare(family, vrid) : element.advertised(family, vrid, vips[0])),
    nodeOfAddress,
    instanceOfRouter: (node, router) =>
      routers.get(router)?.instances.find((instance) => instance.node === node)?.name ?? null,
  };
}

const compareJson = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** The addresses that are somebody's; of any other it is not known whose it is. */
function watched({ peers, owners }: IdentityFacts, guessed: ReadonlyMap<string, string>): string[] {
  const isKnown = (address: string): boolean => owners.has(address) || guessed.has(address);
  return peers.size < PEERS_WATCHED ? [...peers].filter(isKnown) : [...new Set([...owners.keys(), ...guessed.keys()])];
}

/** What an instance name of a node meant from when on: it may move to another VRID. */
type ConfigSpans = ReadonlyMap<
  string,
  readonly {
    readonly from: number;
    readonly key: string;
    readonly instance: ConfiguredInstance;
    readonly vrid: number;
  }[]
>;

function configSpans(facts: IdentityFacts): ConfigSpans {
  const spans = new Map<string, { from: number; key: string; instance: ConfiguredInstance; vrid: number }[]>();
  for (const [node, configs] of facts.configs)
    for (const { ts, instances } of configs)
      for (const instance of instances) {
        if (instance.vrid === undefined) continue;
        const list = spans.get(`${node}|${instance.instance}`) ?? [];
        list.push({
          from: ts,
          key: element.configured(node, instance.instance, instance.family, instance.vrid),
          instance,
          vrid: instance.vrid,
        });
        spans.set(`${node}|${instance.instance}`, list);
      }
  return spans;
}

/** Before the first configuration we saw, the first one is the best word there is. */
function instanceElement(spans: ConfigSpans, node: string, name: string, ts: number): string {
  const list = spans.get(`${node}|${name}`);
  return (list?.findLast((span) => span.from <= ts) ?? list?.[0])?.key ?? element.named(node, name);
}

function joinAdvertised(sets: UnionFind, facts: IdentityFacts): void {
  const join = (key: string, family: Family, vrid: number, vips: readonly string[]): void => {
    sets.add(key);
    if (vips.length === 0) sets.union(key, element.bare(family, vrid));
    for (const vip of vips) sets.union(key, element.advertised(family, vrid, vip));
  };
  for (const [node, configs] of facts.configs)
    for (const { instances } of configs)
      for (const { instance, family, vrid, vips } of instances)
        if (vrid !== undefined) join(element.configured(node, instance, family, vrid), family, vrid, vips);
  for (const { family, vrid, vips } of facts.senders.values()) {
    const [first] = vips;
    if (first === undefined) sets.add(element.bare(family, vrid));
    else join(element.advertised(family, vrid, first), family, vrid, vips);
  }
}

/** Who shows no VIPs belongs to the one router of that VRID, when there is just one. */
function joinBare(sets: UnionFind): void {
  const roots = new Map<string, Set<string>>();
  for (const key of sets.all())
    if (key.startsWith("a|")) into(roots, key.slice(2, key.indexOf("|", key.indexOf("|", 2) + 1)), sets.find(key));
  for (const key of sets.all()) {
    const [root, ...others] = (key.startsWith("e|") && roots.get(key.slice(2))) || [];
    if (root !== undefined && others.length === 0) sets.union(key, root);
  }
}

function into(index: Map<string, Set<string>>, key: string, value: string): void {
  const known = index.get(key);
  if (known) known.add(value);
  else index.set(key, new Set([value]));
}

function joinNamed(sets: UnionFind, facts: IdentityFacts, spans: ConfigSpans): void {
  const advertised = new Map<string, Set<string>>();
  for (const key of sets.all()) if (key.startsWith("a|")) into(advertised, key.slice(key.lastIndexOf("|") + 1), key);
  const rootsOfVip = (vip: string): string[] => [...(advertised.get(vip) ?? [])].map((key) => sets.find(key));
  const loose = looseNames(facts, spans);
  const nameRoots = new Map<string, Set<string>>();
  const noteName = (name: string, key: string): void => into(nameRoots, name, key);
  for (const [key, list] of spans) for (const span of list) noteName(key.slice(key.indexOf("|") + 1), span.key);

  // First all decisions, then all unions: a decision must not see what another one joined.
  const homes = loose.map((fact) => [...new Set([...fact.vips].flatMap(rootsOfVip))].sort()[0]);
  for (const [index, fact] of loose.entries()) {
    const key = sets.add(element.named(fact.node, fact.name));
    const home = homes[index];
    if (home !== undefined) sets.union(key, home);
    else for (const vip of fact.vips) sets.union(key, element.vip(vip));
    if (fact.vips.size > 0) noteName(fact.name, key);
  }
  for (const fact of loose.filter(({ vips }) => vips.size === 0)) {
    const roots = new Set([...(nameRoots.get(fact.name) ?? [])].map((key) => sets.find(key)));
    const key = element.named(fact.node, fact.name);
    sets.union(key, roots.size === 1 ? ([...roots][0] as string) : element.name(fact.name));
  }
  joinLeftOvers(sets);
}

/** Instances that logs name and no configuration describes; and those configured without a VRID. */
function looseNames(
  facts: IdentityFacts,
  spans: ConfigSpans,
): { node: string; name: string; vips: ReadonlySet<string> }[] {
  const loose = new Map<string, { node: string; name: string; vips: Set<string> }>();
  for (const { node, name, vips } of facts.named.values())
    loose.set(`${node}|${name}`, { node, name, vips: new Set(vips) });
  for (const [node, configs] of facts.configs)
    for (const { instances } of configs)
      for (const { instance, vips } of instances) {
        const known = loose.get(`${node}|${instance}`) ?? { node, name: instance, vips: new Set<string>() };
        for (const vip of vips) known.vips.add(vip);
        loose.set(`${node}|${instance}`, known);
      }
  return [...loose]
    .filter(([key]) => !spans.has(key))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, fact]) => fact);
}

/** One name without VIPs and one VRID without a name are the log and the capture of the same router. */
function joinLeftOvers(sets: UnionFind): void {
  const kinds = new Map<string, Set<string>>();
  for (const key of sets.all()) {
    const root = sets.find(key);
    kinds.set(root, (kinds.get(root) ?? new Set()).add(key.slice(0, 1)));
  }
  const only = (allowed: string): string[] =>
    [...kinds].filter(([, letters]) => [...letters].every((letter) => allowed.includes(letter))).map(([root]) => root);
  const names = only("nx");
  const wires = only("ae");
  if (names.length === 1 && wires.length === 1) sets.union(names[0] as string, wires[0] as string);
}

function ownerOf(facts: IdentityFacts, address: string): string | undefined {
  const ranks = [...(facts.owners.get(address) ?? [])].sort(([a, p], [b, q]) => q - p || (a < b ? -1 : 1));
  return ranks[0]?.[0];
}

/**
 * A collector that may neither capture nor list addresses tells nothing of its node's address. A sender that is no known node
 * is that node, when it is the only one of the router without an address that is configured with the priority it sends, and that did
 * not hear it from somebody else.
 */
function addressesOfBlindNodes(sets: UnionFind, facts: IdentityFacts, spans: ConfigSpans): ReadonlyMap<string, string> {
  const seeing = new Set([...facts.owners.values()].flatMap((ranks) => [...ranks.keys()]));
  const blind = new Map<string, Map<string, number | undefined>>();
  const note = (key: string, node: string, priority?: number): void => {
    if (seeing.has(node)) return;
    const root = sets.find(key);
    const nodes = blind.get(root) ?? new Map<string, number | undefined>();
    blind.set(root, nodes.set(node, priority ?? nodes.get(node)));
  };
  for (const [key, list] of spans)
    for (const span of list) note(span.key, key.slice(0, key.indexOf("|")), span.instance.priority);
  for (const { node, name } of looseNames(facts, spans)) note(element.named(node, name), node);
  const strangers = new Map<string, Map<string, { priority: number; readonly hearers: Set<string> }>>();
  for (const { family, vrid, vips, peer, priority, node } of facts.senders.values()) {
    if (ownerOf(facts, peer) !== undefined) continue;
    const [vip] = vips;
    const root = sets.find(vip === undefined ? element.bare(family, vrid) : element.advertised(family, vrid, vip));
    const own = strangers.get(root) ?? new Map<string, { priority: number; readonly hearers: Set<string> }>();
    const known = own.get(peer) ?? { priority, hearers: new Set<string>() };
    known.priority = Math.max(known.priority, priority);
    known.hearers.add(node);
    strangers.set(root, own.set(peer, known));
  }
  const guessed = new Map<string, string>();
  for (const [root, nodes] of [...blind].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const pairs = [...(strangers.get(root) ?? [])].flatMap(([peer, { priority, hearers }]) =>
      [...nodes]
        .filter(([node, own]) => (own === undefined || own === priority) && !hearers.has(node))
        .map(([node]) => ({ peer, node })),
    );
    for (const { peer, node } of pairs)
      if (pairs.every((other) => (other.peer === peer) === (other.node === node))) guessed.set(peer, node);
  }
  return guessed;
}

function collectGroups(
  sets: UnionFind,
  facts: IdentityFacts,
  spans: ConfigSpans,
  nodeOfAddress: (address: string) => string,
): Map<string, Group> {
  const groups = new Map<string, Group>();
  const groupOf = (key: string): Group => {
    const root = sets.find(key);
    const known = groups.get(root);
    if (known) return known;
    const group: Group = {
      family: null,
      vrid: null,
      vips: new Set(),
      names: new Set(),
      members: new Map(),
      realNodes: new Set(),
      configured: [],
      learntIntervalUs: 0,
    };
    groups.set(root, group);
    return group;
  };
  const addMember = (group: Group, member: Member): void => {
    const known = group.members.get(member.node);
    group.members.set(member.node, {
      node: member.node,
      name: known?.name ?? member.name,
      interface: known?.interface ?? member.interface,
      priority: known?.priority ?? member.priority,
    });
  };
  for (const [key, list] of [...spans].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const node = key.slice(0, key.indexOf("|"));
    const newest = list.at(-1);
    for (const span of list) {
      const group = groupOf(span.key);
      group.family = span.instance.family;
      group.vrid = span.vrid;
      for (const vip of span.instance.vips) group.vips.add(vip);
      group.names.add(span.instance.instance);
      group.realNodes.add(node);
      const newestHere = list.findLast((other) => other.key === span.key);
      if (span === newestHere) {
        addMember(group, {
          node,
          name: span.instance.instance,
          interface: span.instance.interface ?? null,
          priority: span.instance.priority,
        });
        if (span.key === newest?.key || group.configured.length === 0) group.configured.push(span.instance);
      }
    }
  }
  for (const { node, name, vips } of looseNames(facts, spans)) {
    const group = groupOf(element.named(node, name));
    for (const vip of vips) group.vips.add(vip);
    const [firstVip] = vips;
    if (firstVip !== undefined) group.family ??= familyOf(firstVip);
    group.names.add(name);
    group.realNodes.add(node);
    const nic = [...(facts.named.get(`${node}|${name}`)?.interfaces ?? [])].sort()[0] ?? null;
    addMember(group, { node, name, interface: nic, priority: null });
  }
  for (const [, sender] of [...facts.senders.entries()].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [firstVip] = sender.vips;
    const group = groupOf(
      firstVip === undefined
        ? element.bare(sender.family, sender.vrid)
        : element.advertised(sender.family, sender.vrid, firstVip),
    );
    group.family = sender.family;
    group.vrid = sender.vrid;
    for (const vip of sender.vips) group.vips.add(vip);
    group.learntIntervalUs = Math.max(group.learntIntervalUs, sender.intervalUs);
    const node = sender.outgoing ? sender.node : nodeOfAddress(sender.peer);
    if (sender.outgoing) group.realNodes.add(node);
    addMember(group, {
      node,
      name: null,
      interface: sender.outgoing ? sender.interface : null,
      priority: sender.priority > 0 ? sender.priority : null,
    });
  }
  return groups;
}

/** Dotted quads by value, so that .20 comes before .100; IPv6 by text. */
export function compareAddresses(a: string, b: string): number {
  const key = (address: string): string =>
    address.includes(":")
      ? address
      : address
          .split(".")
          .map((part) => part.padStart(3, "0"))
          .join(".");
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}

function nameGroups(cluster: string, groups: ReadonlyMap<string, Group>): Map<string, string> {
  const base = (group: Group): string =>
    group.vrid === null
      ? `${cluster}/${[...group.names].sort()[0] ?? "unnamed"}`
      : `${cluster}/${group.family ?? "ipv4"}/${group.vrid}`;
  const uses = new Map<string, number>();
  for (const group of groups.values()) uses.set(base(group), (uses.get(base(group)) ?? 0) + 1);
  return new Map(
    [...groups].map(([root, group]) => {
      const suffix = [...group.vips].sort(compareAddresses)[0] ?? [...group.members.keys()].sort()[0] ?? root;
      return [root, (uses.get(base(group)) ?? 0) > 1 ? `${base(group)}/${suffix}` : base(group)];
    }),
  );
}

function toRouter(id: string, cluster: string, group: Group): RouterIdentity {
  const intervals = group.configured.map(({ advertIntervalUs }) => advertIntervalUs);
  const advertIntervalUs =
    intervals.length > 0 ? Math.max(...intervals) : group.learntIntervalUs || ADVERT_INTERVAL_DEFAULT_US;
  return {
    id,
    cluster,
    family: group.family,
    vrid: group.vrid,
    vips: [...group.vips].sort(compareAddresses),
    instances: [...group.members.values()].sort((a, b) => (a.node < b.node ? -1 : 1)),
    advertIntervalUs,
    masterDownUs: masterDownOf(group.configured, advertIntervalUs),
    realNodes: [...group.realNodes].sort(),
  };
}

/** @see RFC 3768 section 6.1 (skew of version 2, not scaled by the interval), RFC 9568 section 6.1 (version 3). */
export function masterDownOf(configured: readonly ConfiguredInstance[], advertIntervalUs: number): number {
  const skew = (priority: number, scale: number): number => Math.ceil(((256 - priority) * scale) / 256);
  if (configured.length === 0)
    return (
      DOWN_TIMER_ADVERTS_DEFAULT * advertIntervalUs +
      skew(PRIORITY_DEFAULT, Math.max(advertIntervalUs, ADVERT_INTERVAL_DEFAULT_US))
    );
  return Math.max(
    ...configured.map(
      (own) =>
        own.downTimerAdverts * own.advertIntervalUs +
        skew(own.priority, own.version === 2 ? 1_000_000 : own.advertIntervalUs),
    ),
  );
}
