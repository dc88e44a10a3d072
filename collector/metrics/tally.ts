import type { Running } from "../conf/model/types.ts";
import type { EventBody, VrrpState } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";

/**
 * What the keepalived exporters get of keepalived's own counters, counted of what the collector observes. Pure: observations and
 * configurations go in, numbers come out. Counters begin with the collector, and are of the instances that are configured.
 */

/** By which log line's reason a counter of keepalived goes up (keepalived 2.2.7, vrrp/vrrp.c:vrrp_check_packet). */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  interval: "intervalErrors",
  ttl: "ttlErrors",
  "vip-list": "addressListErrors",
  length: "lengthErrors",
  type: "invalidTypes",
};
type Refusal =
  | "intervalErrors"
  | "ttlErrors"
  | "addressListErrors"
  | "lengthErrors"
  | "authFailures"
  | "authTypeMismatches"
  | "authInvalids"
  | "invalidTypes";

export interface Counters extends Record<Refusal, number> {
  advertsReceived: number;
  advertsSent: number;
  priorityZeroReceived: number;
  priorityZeroSent: number;
  becameMaster: number;
  releasedMaster: number;
}

type Instance = Running["instances"][number];

interface Kept {
  readonly instance: Instance;
  readonly counters: Counters;
}

export class KeepalivedTally {
  private readonly kept = new Map<string, Kept>();
  /** Interface, family and VRID → names: several where unicast instances share them. */
  private readonly byRouter = new Map<string, string[]>();
  private readonly states = new Map<string, VrrpState>();
  /** What the shadow found when it began; counts while nothing better is known. */
  private readonly seeds = new Map<string, VrrpState>();
  private readonly scripts = new Map<string, boolean>();
  private readonly addresses = new Set<string>();
  private readonly processes = new Map<number, { readonly daemon: string | undefined; works: boolean }>();
  private unassigned = 0;

  /** What is configured from now on: what has been counted of an instance that stays is kept. */
  know({ instances, scripts }: Pick<Running, "instances" | "scripts">): void {
    const before = new Map(this.kept);
    this.kept.clear();
    this.byRouter.clear();
    for (const instance of instances) {
      const { name, vmac, family, vrid } = instance;
      this.kept.set(name, { instance, counters: before.get(name)?.counters ?? none() });
      for (const nic of [instance.interface, vmac?.interface])
        if (nic !== undefined && vrid !== undefined) this.shareRouter(`${nic} ${family} ${vrid}`, name);
    }
    for (const known of [this.states, this.seeds]) keepOnly(known, this.kept);
    keepOnly(this.scripts, new Map(scripts.map(({ name }) => [name, true])));
  }

  hear(observations: readonly Observation[]): void {
    for (const { body, pid, repeated = 0 } of observations) this.hearOne(body, pid, 1 + repeated);
  }

  /** Of each configured instance; the state is undefined where nothing tells it. */
  instances(): readonly (Kept & { readonly state: VrrpState | undefined })[] {
    return [...this.kept.values()].map((kept) => ({ ...kept, state: this.stateOf(kept.instance) }));
  }

  /** Whether keepalived's parent and its VRRP process are there and run. */
  isUp(): boolean {
    const work = [...this.processes.values()].filter(({ works }) => works).map(({ daemon }) => daemon);
    return work.includes("parent") && work.includes("vrrp");
  }

  /** The newest verdict of each track script. */
  verdicts(): ReadonlyMap<string, boolean> {
    return this.scripts;
  }

  /** Adverts of no configured instance. */
  foreign(): number {
    return this.unassigned;
  }

  private stateOf({ name, vips }: Instance): VrrpState | undefined {
    const said = this.states.get(name);
    if (said !== undefined) return said;
    return vips.length > 0 && vips.every(({ address }) => this.addresses.has(address))
      ? "MASTER"
      : this.seeds.get(name);
  }

  private hearOne(body: EventBody, pid: number | undefined, times: number): void {
    switch (body.kind) {
      case "wire.advert":
        this.advert(body);
        break;
      case "vrrp.state":
      case "dump.instance":
        this.enter(body.instance, body.state, body.kind === "vrrp.state");
        break;
      case "shadow.state":
        if (body.cause === "seed") this.seeds.set(body.instance, body.state);
        break;
      case "vrrp.advert-rejected":
        this.refuse(body, times);
        break;
      case "script.result":
        if (!body.run) this.scripts.set(body.script, body.outcome === "success");
        break;
      case "daemon.stopped":
        if (body.daemon === "vrrp" || body.daemon === "parent") this.forgetStates();
        break;
      case "kernel.addresses":
        this.addresses.clear();
        for (const { address } of body.addresses) this.addresses.add(address);
        break;
      case "kernel.address-added":
        this.addresses.add(body.address);
        break;
      case "kernel.address-removed":
        this.addresses.delete(body.address);
        break;
      case "process.snapshot":
        this.processes.clear();
        for (const { pid: id, daemon, state } of body.processes)
          this.processes.set(id, { daemon, works: works(state) });
        break;
      case "process.started":
        if (pid !== undefined) this.processes.set(pid, { daemon: body.daemon, works: true });
        break;
      case "process.gone":
        if (pid !== undefined) this.processes.delete(pid);
        break;
      case "process.state":
        if (pid !== undefined)
          this.processes.set(pid, {
            daemon: body.daemon ?? this.processes.get(pid)?.daemon,
            works: works(body.state),
          });
        break;
      default:
    }
  }

  private advert({ interface: nic, family, vrid, outgoing, priority, vips }: EventBody<"wire.advert">): void {
    const names = this.byRouter.get(`${nic} ${family} ${vrid}`) ?? [];
    const kept =
      names.length > 1
        ? names
            .map((name) => this.kept.get(name))
            .find((one) => one?.instance.vips.some((vip) => vips.includes(vip.address)))
        : this.kept.get(names[0] ?? "");
    if (!kept) {
      this.unassigned += 1;
      return;
    }
    const { counters } = kept;
    counters[outgoing ? "advertsSent" : "advertsReceived"] += 1;
    if (priority === 0) counters[outgoing ? "priorityZeroSent" : "priorityZeroReceived"] += 1;
  }

  private enter(name: string, state: VrrpState, counts: boolean): void {
    const before = this.states.get(name);
    this.states.set(name, state);
    const counters = this.kept.get(name)?.counters;
    if (!counters || !counts || before === state) return;
    if (state === "MASTER") counters.becameMaster += 1;
    if (before === "MASTER") counters.releasedMaster += 1;
  }

  private refuse(body: EventBody<"vrrp.advert-rejected">, times: number): void {
    const which = body.reason === "auth" ? authFault(body) : REFUSALS[body.reason];
    const names =
      body.instance === undefined
        ? [...this.byRouter].find(([key]) => key.startsWith(`${body.interface} `) && key.endsWith(` ${body.vrid}`))?.[1]
        : [body.instance];
    const kept = this.kept.get(names?.[0] ?? "");
    if (kept && which !== undefined) kept.counters[which] += times;
  }

  private forgetStates(): void {
    for (const [name, state] of this.states) {
      const counters = this.kept.get(name)?.counters;
      if (counters && state === "MASTER") counters.releasedMaster += 1;
    }
    this.states.clear();
    this.seeds.clear();
  }

  private shareRouter(key: string, name: string): void {
    this.byRouter.set(key, [...(this.byRouter.get(key) ?? []), name]);
  }
}

/** Types of authentication are 0 to 2: what else was received and expected are numbers of an authentication header. */
function authFault({ received, expected }: EventBody<"vrrp.advert-rejected">): Refusal {
  if (received === undefined) return "authFailures";
  if (expected === undefined) return "authInvalids";
  return /^[0-2]$/.test(received) && /^[0-2]$/.test(expected) ? "authTypeMismatches" : "authFailures";
}

const works = (state: string): boolean => state === "running" || state === "blocked";

function keepOnly(known: Map<string, unknown>, wanted: ReadonlyMap<string, unknown>): void {
  for (const name of known.keys()) if (!wanted.has(name)) known.delete(name);
}

const none = (): Counters => ({
  advertsReceived: 0,
  advertsSent: 0,
  priorityZeroReceived: 0,
  priorityZeroSent: 0,
  becameMaster: 0,
  releasedMaster: 0,
  intervalErrors: 0,
  ttlErrors: 0,
  addressListErrors: 0,
  lengthErrors: 0,
  authFailures: 0,
  authTypeMismatches: 0,
  authInvalids: 0,
  invalidTypes: 0,
});
