import type { Event, EventKind, Family } from "../../collector/events/event.ts";
import { type DumpSpan, readDumps, readShadow } from "./instance-states.ts";
import type { LifeSign } from "./life-signs.ts";
import { WIRE_GONE_MARGIN_US } from "./options.ts";
import { readServices, type ServiceSpan } from "./services.ts";
import type { InstanceState } from "./view.ts";

/**
 * What one node's own events say, source by source, before virtual routers are known: states by its log, addresses by its
 * kernel, senders by its capture. Needs the events in the order of order.ts.
 */

/** When something happened: in [ts, ts + uncertaintyUs]. */
export interface Edge {
  readonly ts: number;
  readonly uncertaintyUs: number;
  readonly event: Event;
  /** False when we only know that it was so by then (a snapshot), or stopped looking: the true edge lies elsewhere. */
  readonly known: boolean;
}

export interface Span {
  readonly from: Edge;
  /** null while it lasts. */
  readonly to: Edge | null;
}

export interface LogSpan extends Span {
  readonly instance: string;
  readonly state: InstanceState;
}

export interface WireSpan extends Span {
  readonly family: Family;
  readonly vrid: number;
  readonly vips: readonly string[];
  readonly peer: string;
  readonly outgoing: boolean;
  readonly advertIntervalUs: number;
}

/** Nobody looked at the node's addresses from one instant to the other; in order, epoch microseconds. */
export interface Unwatched {
  readonly from: number;
  /** Infinity: they have not been listed since. */
  readonly to: number;
}

export interface NodeEvidence {
  readonly log: readonly LogSpan[];
  readonly dump: readonly DumpSpan[];
  /** What should be. */
  readonly shadow: readonly LogSpan[];
  /** Presence of each address on any interface of the node. */
  readonly addresses: ReadonlyMap<string, readonly Span[]>;
  readonly unwatched: readonly Unwatched[];
  readonly wire: readonly WireSpan[];
  readonly services: readonly ServiceSpan[];
}

/** Kinds the detectors read. The others only tell up to when their node is watched. */
export const DETECTION_KINDS: ReadonlySet<EventKind> = new Set<EventKind>([
  "daemon.starting",
  "daemon.child-starting",
  "daemon.ready",
  "daemon.stopping",
  "daemon.stopped",
  "daemon.reloading",
  "daemon.child-exited",
  "daemon.error",
  "config.diagnostic",
  "config.loaded",
  "config.unreadable",
  "vrrp.state",
  "vrrp.transition",
  "vrrp.advert-timeout",
  "vrrp.advert-higher-priority",
  "vrrp.advert-lower-priority",
  "vrrp.advert-rejected",
  "vrrp.priority-zero-sent",
  "vrrp.priority-zero-received",
  "vrrp.vips",
  "vrrp.garp",
  "vrrp.group-state",
  "vrrp.startup-delay",
  "script.result",
  "track.process",
  "track.file",
  "track.bfd",
  "vrrp.priority-changed",
  "vrrp.priority-set",
  "vrrp.scheduler-stall",
  "vrrp.advert-not-sent",
  "vrrp.interface",
  "wire.master-seen",
  "wire.master-gone",
  "wire.garp",
  "kernel.addresses",
  "kernel.address-added",
  "kernel.address-removed",
  "check.server-up",
  "check.server-down",
  "check.server-gone",
  "check.quorum-gained",
  "check.quorum-lost",
  "check.sorry-server",
  "check.activation",
  "check.virtual-server",
  "check.result",
  "kernel.link",
  "process.snapshot",
  "process.started",
  "process.gone",
  "process.state",
  "process.launcher",
  "process.socket",
  "dump.instance",
  "shadow.state",
  "shadow.following",
  "shadow.advert-rejected",
  "shadow.divergence",
  "shadow.near-miss",
  "collector.started",
  "collector.stopped",
  "collector.gap",
  "collector.source",
  "collector.clock",
  "collector.named",
]);

/**
 * @param lifeSign   when the node was last alive
 * @param watchSign  when its collector was: a log is read on where it was left, addresses and adverts of the time between are not seen
 */
export function readEvidence(events: readonly Event[], lifeSign: LifeSign, watchSign: LifeSign): NodeEvidence {
  const secondStarts = startsOfSecondDaemons(events);
  return {
    log: readLog(events, secondStarts, lifeSign),
    dump: readDumps(events, secondStarts),
    shadow: readShadow(events, lifeSign),
    addresses: readKernel(events, watchSign),
    unwatched: readUnwatched(events, watchSign),
    wire: readWire(events, watchSign),
    services: readServices(events),
  };
}

const edgeOf = (event: Event, known = true): Edge => ({
  ts: event.ts,
  uncertaintyUs: event.tsUncertaintyUs,
  event,
  known,
});

/** It ended unseen, some time between the last sign of life and the event that shows it is over. */
function unseenEnd(from: Edge, event: Event, lifeSign: LifeSign): Edge {
  const seen = Math.max(from.ts, lifeSign(event.ts, from.ts) ?? from.ts);
  return { ts: seen, uncertaintyUs: Math.max(0, event.ts - seen) + event.tsUncertaintyUs, event, known: true };
}

// --- log ---------------------------------------------------------------------------------------------------------------

interface Current {
  readonly state: InstanceState;
  readonly from: Edge;
  readonly pid: number | undefined;
}

/** States by the log: each lasts until the next state line of the instance, or until its daemon ends. */
function readLog(events: readonly Event[], secondStarts: ReadonlySet<Event>, lifeSign: LifeSign): LogSpan[] {
  const spans: LogSpan[] = [];
  const current = new Map<string, Current>();
  const enter = (instance: string, state: InstanceState, at: Edge, pid?: number): void => {
    const before = current.get(instance);
    if (before?.state === state) {
      if (pid !== before.pid) current.set(instance, { ...before, pid });
      return;
    }
    if (before) spans.push({ instance, state: before.state, from: before.from, to: at });
    current.set(instance, { state, from: { ...at, ts: at.event.ts, uncertaintyUs: at.event.tsUncertaintyUs }, pid });
  };
  const stopAll = (end: (before: Current) => Edge, only: (before: Current) => boolean = () => true): void => {
    for (const [instance, before] of current)
      if (before.state !== "STOPPED" && only(before)) enter(instance, "STOPPED", end(before));
  };
  for (const event of events) {
    switch (event.kind) {
      case "vrrp.state":
        enter(event.instance, event.state, edgeOf(event), event.pid);
        break;
      // A master that announces its end or takes its addresses off is none, whether or not a state line follows.
      case "vrrp.priority-zero-sent":
        if (current.get(event.instance)?.state === "MASTER") enter(event.instance, "STOPPED", edgeOf(event));
        break;
      case "vrrp.vips":
        if (event.action === "removing" && current.get(event.instance)?.state === "MASTER")
          enter(event.instance, "STOPPED", edgeOf(event));
        break;
      // The parent's children give up mastership when it is told to stop; the last word comes a second later.
      case "daemon.stopping":
        stopAll(() => edgeOf(event));
        break;
      case "daemon.stopped":
        if (event.daemon === "parent" || event.daemon === "vrrp")
          stopAll(
            () => edgeOf(event),
            ({ pid }) => event.daemon === "parent" || sameRun(pid, event.pid),
          );
        break;
      case "daemon.child-exited":
        stopAll(
          () => edgeOf(event),
          ({ pid }) => event.daemon === "vrrp" || (event.childPid !== undefined && event.childPid === pid),
        );
        break;
      case "daemon.starting":
        if (!secondStarts.has(event)) stopAll(({ from }) => unseenEnd(from, event, lifeSign));
        break;
      // A killed daemon writes no line.
      case "process.gone":
        if (event.daemon === "vrrp")
          stopAll(
            () => edgeOf(event),
            ({ pid }) => sameRun(pid, event.pid),
          );
        break;
      case "process.snapshot":
        if (!event.processes.some(({ daemon }) => daemon === "vrrp"))
          stopAll(({ from }) => unseenEnd(from, event, lifeSign));
        break;
      default:
    }
  }
  for (const [instance, { state, from }] of current) spans.push({ instance, state, from, to: null });
  return spans;
}

/** A child's last words may come after its successor's first. */
const sameRun = (pid: number | undefined, other: number | undefined): boolean =>
  pid === undefined || other === undefined || pid === other;

/** Starts of a second daemon that found the first one running, and left it so. */
export function startsOfSecondDaemons(events: readonly Event[]): ReadonlySet<Event> {
  const rejected = new Set<Event>();
  let start: Event | undefined;
  for (const event of events) {
    if (event.kind === "daemon.starting") start = event;
    else if (event.kind === "daemon.error" && ALREADY_RUNNING.test(event.code) && start) rejected.add(start);
    else if (event.kind === "daemon.child-starting" || event.kind === "daemon.ready") start = undefined;
  }
  return rejected;
}

export const ALREADY_RUNNING = /already[-_]running|pid[-_]?file[-_]locked/;

// --- kernel --------------------------------------------------------------------------------------------------------------

function readKernel(events: readonly Event[], lifeSign: LifeSign): Map<string, Span[]> {
  const done = new Map<string, Span[]>();
  /** address → since when, and on which interfaces. */
  const present = new Map<string, { readonly from: Edge; readonly interfaces: Set<string> }>();
  const add = (address: string, nic: string, at: Edge): void => {
    const known = present.get(address);
    if (known) known.interfaces.add(nic);
    else present.set(address, { from: at, interfaces: new Set([nic]) });
  };
  const end = (address: string, to: Edge): void => {
    const known = present.get(address);
    if (!known) return;
    present.delete(address);
    done.set(address, [...(done.get(address) ?? []), { from: known.from, to }]);
  };
  for (const event of events) {
    if (event.kind === "kernel.address-added") add(event.address, event.interface, edgeOf(event));
    if (event.kind === "kernel.address-removed") {
      const known = present.get(event.address);
      known?.interfaces.delete(event.interface);
      if (known?.interfaces.size === 0) end(event.address, edgeOf(event));
    }
    if (event.kind === "kernel.addresses") {
      const listed = new Set(event.addresses.map(({ address }) => address));
      for (const [address, { from }] of present)
        if (!listed.has(address)) end(address, unseenEnd(from, event, lifeSign));
      for (const known of present.values()) known.interfaces.clear();
      for (const { address, interface: nic } of event.addresses) add(address, nic, edgeOf(event, false));
    }
  }
  for (const [address, { from }] of present) done.set(address, [...(done.get(address) ?? []), { from, to: null }]);
  return done;
}

/** Between two lists, from the end of one watch to the begin of the next: an address that is in both may have been gone. */
function readUnwatched(events: readonly Event[], watchSign: LifeSign): Unwatched[] {
  const done: Unwatched[] = [];
  let from: number | undefined;
  for (const event of events) {
    if (event.kind === "collector.started") from ??= watchSign(event.ts, event.ts);
    if (event.kind === "collector.gap" && event.sourceName === "addresses" && event.to === undefined)
      from ??= event.from;
    if (event.kind !== "kernel.addresses" || from === undefined) continue;
    done.push({ from, to: event.ts });
    from = undefined;
  }
  return from === undefined ? done : [...done, { from, to: Number.POSITIVE_INFINITY }];
}

// --- wire ----------------------------------------------------------------------------------------------------------------

function readWire(events: readonly Event[], lifeSign: LifeSign): WireSpan[] {
  const spans: WireSpan[] = [];
  const open = new Map<string, WireSpan>();
  for (const event of events) {
    if (event.kind === "wire.master-seen" || event.kind === "wire.master-gone") {
      const { family, vrid, vips, peer, outgoing, advertIntervalUs } = event;
      const key = [event.interface, family, vrid, peer, outgoing, ...vips].join("|");
      const known = open.get(key);
      if (event.kind === "wire.master-seen") {
        if (!known)
          open.set(key, { family, vrid, vips, peer, outgoing, advertIntervalUs, from: edgeOf(event), to: null });
      } else if (known) {
        open.delete(key);
        spans.push({ ...known, to: wireEnd(event, advertIntervalUs) });
      }
    } else if (event.kind === "collector.started") {
      // The capture before this one is gone without a word.
      for (const span of open.values()) spans.push({ ...span, to: captureEnd(span, event, lifeSign) });
      open.clear();
    }
  }
  return [...spans, ...open.values()];
}

/** A capture that ends without a word had not told yet of those that had just fallen silent. */
function captureEnd({ from, advertIntervalUs }: WireSpan, event: Event, lifeSign: LifeSign): Edge {
  const { ts, uncertaintyUs } = unseenEnd(from, event, lifeSign);
  const heardTo = Math.max(from.ts, ts - goneDelayUs(advertIntervalUs));
  return { ts: heardTo, uncertaintyUs: uncertaintyUs + ts - heardTo, event, known: false };
}

/** Until so long after a sender's last advert its silence may not be told. */
export const goneDelayUs = (advertIntervalUs: number): number => 4 * advertIntervalUs + WIRE_GONE_MARGIN_US;

/** A silent sender was a master until its last advert at least, and until the next one would have been due at most. */
function wireEnd(event: Extract<Event, { kind: "wire.master-gone" }>, advertIntervalUs: number): Edge {
  if (event.reason === "priority-zero") return edgeOf(event);
  const uncertaintyUs = Math.max(event.tsUncertaintyUs, advertIntervalUs);
  return { ts: event.ts, uncertaintyUs, event, known: event.reason === "silent" };
}
