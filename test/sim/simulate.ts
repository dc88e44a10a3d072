import type { Event } from "../../collector/events/event.ts";
import { US_PER_MS, US_PER_SECOND } from "../../collector/core/time.ts";
import { Agenda } from "./agenda.ts";
import type { Trip } from "./collector.ts";
import { type Act, Host, type Packet } from "./host.ts";
import type { Deed, DeliverySpec, Scenario } from "./model.ts";
import { Network } from "./network.ts";
import { Random } from "./random.ts";

/** 2026-11-24T10:53:00Z: where simulations begin, give or take what a second has; epoch microseconds. */
const EPOCH = 1_795_517_580 * US_PER_SECOND;
/** A batch is on its way for so long at least, and at most so much more. */
const POST_US = 2 * US_PER_MS;
const POST_JITTER_US = 8 * US_PER_MS;
/** The server stores a batch before it answers. */
const ANSWER_US = 3 * US_PER_MS;

/** Events as the server gets them. */
export interface Arrival {
  /** Microseconds since the simulation began. */
  readonly at: number;
  readonly node: string;
  readonly events: readonly Event[];
}

/** What a node is to a router from here on. */
export interface ActEdge extends Act {
  readonly at: number;
  readonly node: string;
  readonly vrid: number;
}

export interface Run {
  readonly scenario: Scenario;
  /** True time when it began, epoch microseconds. */
  readonly zero: number;
  readonly arrivals: readonly Arrival[];
  readonly edges: readonly ActEdge[];
  /** When the first daemon of each router was started. */
  readonly begun: ReadonlyMap<number, number>;
}

/** Runs a scenario to its end: a function of the scenario alone. */
export function simulate(scenario: Scenario): Run {
  const agenda = new Agenda();
  const zero = EPOCH + new Random(scenario.seed, "zero").between(0, US_PER_SECOND - 1);
  const network = new Network<Packet>(agenda, new Random(scenario.seed, "network"), scenario.path);
  const post = new Post(agenda, new Random(scenario.seed, "post"), scenario.delivery, zero);
  const edges: ActEdge[] = [];
  const begun = new Map<number, number>();
  const hosts = new Map<string, Host>();
  for (const spec of scenario.nodes) {
    const { name } = spec;
    const host = new Host({
      spec,
      routers: scenario.routers,
      agenda,
      zero,
      send: (packet) => network.send(name, packet),
      ship: (events) => post.take(name, events),
      acts: (vrid, act) => edges.push({ at: agenda.now, node: name, vrid, ...act }),
    });
    hosts.set(name, host);
    network.attach(name, (packet) => host.receive(packet));
  }
  for (const { at, deed } of scenario.deeds)
    agenda.add(at, (now) => {
      if (deed.kind === "start")
        for (const { vrid, priorities } of scenario.routers)
          if (priorities.has(deed.node) && !begun.has(vrid)) begun.set(vrid, now);
      perform(deed, hosts, network);
    });
  agenda.run(scenario.until);
  return { scenario, zero, arrivals: post.arrivals(), edges, begun };
}

function perform(deed: Deed, hosts: ReadonlyMap<string, Host>, network: Network<Packet>): void {
  if (deed.kind === "partition") return network.partition(deed.groups);
  if (deed.kind === "heal") return network.heal();
  if (deed.kind === "path") return network.setPath(deed.from, deed.to, deed.path);
  const host = hosts.get(deed.node);
  if (!host) throw new Error(`no such node: ${deed.node}`);
  switch (deed.kind) {
    case "poweroff":
      return host.powerOff();
    case "filter":
    case "unfilter":
      return host.setFilter(deed.kind === "filter");
    case "link":
      return host.setLink(deed.interface, deed.up);
    case "reload":
      return host.reload(deed.vrid, deed.changes);
    case "clock":
      return host.clock.step(deed.stepUs);
    case "offline":
    case "online":
      return host.collector.setOnline(deed.kind === "online");
    case "collector":
      return host.collector[deed.does]();
    default:
      return host[deed.kind]();
  }
}

/** The way from the collectors to the server. */
class Post {
  private readonly zero: number;
  private readonly agenda: Agenda;
  private readonly random: Random;
  private readonly spec: DeliverySpec;
  private readonly taken: Arrival[] = [];

  constructor(agenda: Agenda, random: Random, spec: DeliverySpec, zero: number) {
    this.zero = zero;
    this.agenda = agenda;
    this.random = random;
    this.spec = spec;
  }

  /** @returns nothing of a batch that is late: the collector takes its answer for none */
  take(node: string, events: readonly Event[]): Trip | undefined {
    const { lateShare, lateUs, twice } = this.spec;
    const at = this.agenda.now + POST_US + this.random.between(0, POST_JITTER_US);
    const isLate = this.random.chance(lateShare);
    const late = this.random.between(0, lateUs);
    this.taken.push({ at: isLate ? at + late : at, node, events });
    if (this.random.chance(twice)) this.taken.push({ at: at + this.random.between(0, lateUs), node, events });
    const gotAt = at + ANSWER_US + POST_US + this.random.between(0, POST_JITTER_US);
    const receivedTs = this.zero + at;
    return isLate ? undefined : { server: { receivedTs, answeredTs: receivedTs + ANSWER_US }, gotAt };
  }

  arrivals(): readonly Arrival[] {
    return this.taken
      .map((arrival, turn) => ({ arrival, turn }))
      .sort((a, b) => a.arrival.at - b.arrival.at || a.turn - b.turn)
      .map(({ arrival }) => arrival);
  }
}
