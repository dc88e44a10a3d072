import { type ConfiguredInstance, type Event } from "../../../collector/events/event.ts";
import type { NodeView } from "../claims.ts";
import type { RouterView } from "../detector.ts";
import { START_DEADLINE_US } from "../options.ts";

/** What one node's events say that may explain why its router has too many masters or none. Read once, when there is something to explain. */

/** Something that lasted. */
export interface Stretch {
  readonly from: number;
  /** null: nothing says that it is over. */
  readonly to: number | null;
  /** What began it, and what ended it. */
  readonly events: readonly Event[];
}

type EventOf<K extends Event["kind"]> = Extract<Event, { kind: K }>;

export interface Refusal {
  readonly node: string;
  readonly reason: string;
  readonly peer: string | undefined;
  readonly event: EventOf<"vrrp.advert-rejected" | "shadow.advert-rejected" | "shadow.divergence">;
}

export interface Foreign extends Stretch {
  readonly peer: string;
  readonly priority: number;
  readonly interface: string;
  readonly vips: readonly string[];
}

export interface FailedStart {
  readonly start: EventOf<"daemon.starting" | "daemon.reloading">;
  readonly failure: Event;
}

export interface NodeFacts {
  readonly node: string;
  readonly view: NodeView;
  /** Its configurations of this router, in order of time. */
  readonly configs: readonly { readonly ts: number; readonly event: Event; readonly instance: ConfiguredInstance }[];
  readonly starts: readonly EventOf<"daemon.starting" | "daemon.reloading">[];
  /** Begins and ends of its daemon, and the word that it should stop, by its log. */
  readonly lifecycle: readonly EventOf<"daemon.starting" | "daemon.stopping" | "daemon.stopped">[];
  readonly failedStarts: readonly FailedStart[];
  readonly refusals: readonly Refusal[];
  readonly stalls: readonly EventOf<"vrrp.scheduler-stall">[];
  readonly notSent: readonly EventOf<"vrrp.advert-not-sent">[];
  readonly frozen: readonly Stretch[];
  /** Adverts wait in its socket, and nobody reads them. */
  readonly unread: readonly Stretch[];
  /** Its VRRP process is gone and was not told to. */
  readonly gone: readonly Stretch[];
  /** Divergences of its instance of this router, by code. */
  readonly divergences: readonly (Stretch & { readonly code: string; readonly begin: EventOf<"shadow.divergence"> })[];
  /** Senders of the same VRID for other addresses, as its capture hears them. */
  readonly foreign: readonly Foreign[];
  /** Its instance's own interface is down. */
  readonly linkDown: readonly (Stretch & { readonly interface: string })[];
  /** All its addresses are known. */
  readonly hasAddresses: boolean;
}

/** Open and finished stretches by key: what begins twice lasts, what ends without a begin is nothing. */
class Stretches<Extra extends object = object> {
  private readonly open = new Map<string, { from: number; events: Event[]; extra: Extra }>();
  private readonly done: (Stretch & Extra)[] = [];

  begin(key: string, event: Event, extra: Extra): void {
    if (!this.open.has(key)) this.open.set(key, { from: event.ts, events: [event], extra });
  }

  end(key: string, event: Event): void {
    const one = this.open.get(key);
    if (!one) return;
    this.open.delete(key);
    this.done.push({ ...one.extra, from: one.from, to: event.ts, events: [...one.events, event] });
  }

  endAll(event: Event): void {
    for (const key of this.open.keys()) this.end(key, event);
  }

  all(): (Stretch & Extra)[] {
    const lasting = [...this.open.values()].map(({ from, events, extra }) => ({ ...extra, from, to: null, events }));
    return [...this.done, ...lasting].sort((a, b) => a.from - b.from);
  }
}

/** One pass over the node's events. */
export function factsOf(node: NodeView, view: RouterView): NodeFacts {
  const { router } = view;
  const configs: { ts: number; event: Event; instance: ConfiguredInstance }[] = [];
  const starts: EventOf<"daemon.starting" | "daemon.reloading">[] = [];
  const lifecycle: EventOf<"daemon.starting" | "daemon.stopping" | "daemon.stopped">[] = [];
  const failedStarts: FailedStart[] = [];
  const refusals: Refusal[] = [];
  const stalls: EventOf<"vrrp.scheduler-stall">[] = [];
  const notSent: EventOf<"vrrp.advert-not-sent">[] = [];
  const frozen = new Stretches();
  const unread = new Stretches();
  const gone = new Stretches();
  const divergences = new Stretches<{ code: string; begin: EventOf<"shadow.divergence"> }>();
  const foreign = new Stretches<Omit<Foreign, keyof Stretch>>();
  const linkDown = new Stretches<{ interface: string }>();
  let stoppingAt = Number.NEGATIVE_INFINITY;
  let startedSince: number | undefined;
  let hasAddresses = false;
  const isOurs = (event: Event): boolean =>
    !("instance" in event) || event.instance === undefined || view.isAbout(event);
  const told = (event: EventOf<"shadow.divergence">): void => {
    const key = [event.code, event.instance, event.daemon].join("\0");
    if (event.phase === "end") divergences.end(key, event);
    else divergences.begin(key, event, { code: event.code, begin: event });
  };
  for (const event of node.events) {
    switch (event.kind) {
      case "config.loaded": {
        const instance = event.instances.find((one) => isThis(one, node, view));
        if (instance) configs.push({ ts: event.ts, event, instance });
        break;
      }
      case "daemon.stopping":
        stoppingAt = event.ts;
        startedSince = undefined;
        lifecycle.push(event);
        break;
      case "daemon.starting":
      case "daemon.reloading":
        starts.push(event);
        if (event.kind === "daemon.starting") lifecycle.push(event);
        break;
      case "daemon.child-exited":
      case "daemon.stopped": {
        if (event.kind === "daemon.stopped" && event.daemon === "parent") lifecycle.push(event);
        if (!isFailure(event)) break;
        const start = starts.at(-1);
        const isSoon = start !== undefined && event.ts - start.ts <= START_DEADLINE_US;
        if (isSoon && stoppingAt < start.ts && failedStarts.at(-1)?.start !== start)
          failedStarts.push({ start, failure: event });
        break;
      }
      case "vrrp.advert-rejected":
        if (isOurs(event) && event.reason !== "vrid")
          refusals.push({ node: node.node, reason: event.reason, peer: event.peer, event });
        break;
      case "shadow.advert-rejected":
        if (isOurs(event) && !event.over)
          refusals.push({ node: node.node, reason: event.reason, peer: event.peer, event });
        break;
      case "vrrp.scheduler-stall":
        stalls.push(event);
        break;
      case "vrrp.advert-not-sent":
        if (isOurs(event)) notSent.push(event);
        break;
      case "process.state":
        if (event.daemon !== undefined && event.daemon !== "vrrp") break;
        if (event.state === "frozen" || event.state === "blocked") frozen.begin("process", event, {});
        else frozen.end("process", event);
        break;
      case "process.socket":
        if (event.unread) unread.begin("vrrp", event, {});
        else unread.end("vrrp", event);
        break;
      case "process.gone":
        if (event.daemon !== "vrrp") break;
        unread.end("vrrp", event);
        frozen.end("process", event);
        // The word to stop was for its predecessor when it was started after that.
        if (event.ts - stoppingAt > ORDERLY_US || (event.pid !== undefined && event.pid === startedSince))
          gone.begin("vrrp", event, {});
        break;
      case "process.started":
        if (event.daemon !== "vrrp") break;
        startedSince = event.pid;
        gone.end("vrrp", event);
        break;
      case "process.snapshot":
        if (event.processes.some(({ daemon }) => daemon === "vrrp")) gone.end("vrrp", event);
        break;
      case "shadow.divergence":
        if (!isOurs(event)) break;
        told(event);
        if (event.code !== "frozen" || (event.daemon !== undefined && event.daemon !== "vrrp")) break;
        if (event.phase === "end") frozen.end("shadow", event);
        else frozen.begin("shadow", event, {});
        break;
      case "wire.master-seen":
      case "wire.master-gone": {
        if (event.outgoing || event.vrid !== router.vrid || event.family !== router.family) break;
        if (!isForeign(event, view)) break;
        const { peer, priority, vips, interface: nic } = event;
        if (event.kind === "wire.master-seen") foreign.begin(peer, event, { peer, priority, vips, interface: nic });
        else foreign.end(peer, event);
        break;
      }
      case "kernel.link":
      case "vrrp.interface":
        if (event.interface !== interfaceOf(node, view)) break;
        if (event.up) linkDown.end(event.interface, event);
        else linkDown.begin(event.interface, event, { interface: event.interface });
        break;
      case "kernel.addresses":
        hasAddresses = true;
        break;
      case "collector.started":
        foreign.endAll(event);
        break;
      default:
    }
  }
  return {
    node: node.node,
    view: node,
    configs,
    starts,
    lifecycle,
    failedStarts,
    refusals,
    stalls,
    notSent,
    frozen: frozen.all(),
    unread: unread.all(),
    gone: gone.all(),
    divergences: divergences.all(),
    foreign: foreign.all(),
    linkDown: linkDown.all(),
    hasAddresses,
  };
}

/** Longest time from the parent's "Stopping" to the end of its last child. */
const ORDERLY_US = 10_000_000;

/** A daemon, or its VRRP child, that ends without having been told to. */
function isFailure(event: EventOf<"daemon.child-exited" | "daemon.stopped">): boolean {
  if (event.kind === "daemon.stopped") return event.daemon === "parent";
  return event.permanentError !== undefined;
}

function isThis(instance: ConfiguredInstance, { lane }: NodeView, { router }: RouterView): boolean {
  if (instance.vrid !== undefined && router.vrid !== null)
    return (
      instance.vrid === router.vrid &&
      instance.family === router.family &&
      (instance.vips.length === 0 || instance.vips.some((vip) => router.vips.includes(vip)))
    );
  return instance.instance === lane.instance;
}

/** The same VRID for none of our addresses, and from none of our nodes. */
function isForeign(event: EventOf<"wire.master-seen" | "wire.master-gone">, view: RouterView): boolean {
  const { realNodes, vips } = view.router;
  return (
    event.vips.length > 0 &&
    !event.vips.some((vip) => vips.includes(vip)) &&
    !realNodes.includes(view.nodeOfAddress(event.peer))
  );
}

function interfaceOf({ node }: NodeView, { router }: RouterView): string | null {
  return router.instances.find((instance) => instance.node === node)?.interface ?? null;
}

/** It was so at some time in [from, to]. */
export const within = (stretch: Stretch, from: number, to: number): boolean =>
  stretch.from <= to && (stretch.to === null || stretch.to >= from);

/** A watcher reads a configuration that a daemon has just been started with within this long. */
const READ_LAG_US = 3_000_000;

/**
 * What the node's daemon ran at an instant: the configuration as it was when the daemon last read it. An edit that no start or
 * reload followed is not in force.
 */
export function runningConfig(facts: NodeFacts, ts: number): NodeFacts["configs"][number] | undefined {
  const read = facts.starts.findLast((start) => start.ts <= ts);
  const limit = read === undefined ? ts : Math.min(ts, read.ts + READ_LAG_US);
  return facts.configs.findLast((config) => config.ts <= limit) ?? facts.configs[0];
}

/** `/etc/keepalived/keepalived.conf:12 on lb1` */
export function placeOf(facts: NodeFacts, ts: number): string {
  const config = runningConfig(facts, ts);
  return config
    ? `${config.instance.file}:${config.instance.line} on ${facts.node}`
    : `keepalived.conf on ${facts.node}`;
}
