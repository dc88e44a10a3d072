import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import type { IncidentDraft } from "./incident.ts";
import { eventsBetween } from "./order.ts";
import type { EventsByNode } from "./stretch.ts";

/**
 * What of the past still matters. Detection looks at one stretch of time after the other, and takes over the cut between two
 * of them only the events that say how something is until the next event of the same key says otherwise.
 */

/** The key of what an event says the state of, within its node; undefined when it tells of a moment only. */
export function stateKey(event: Event): string | undefined {
  switch (event.kind) {
    case "vrrp.state":
    case "vrrp.priority-zero-sent":
    case "vrrp.vips":
      return keyOf(event.kind, event.instance);
    case "daemon.starting":
    case "daemon.ready":
    case "daemon.stopping":
    case "daemon.reloading":
    case "config.unreadable":
    case "kernel.addresses":
    case "collector.started":
    case "collector.stopped":
    case "collector.clock":
    case "collector.named":
      return event.kind;
    case "collector.source":
      return keyOf(event.kind, event.name, event.detail);
    case "collector.gap":
      return keyOf(event.kind, event.sourceName);
    case "vrrp.startup-delay":
      return event.kind;
    case "vrrp.priority-changed":
    case "vrrp.priority-set":
      return keyOf("vrrp.priority", event.instance);
    // A single run is no verdict.
    case "script.result":
      return event.run === true ? undefined : keyOf(event.kind, event.script);
    case "track.process":
      return keyOf(event.kind, event.process);
    case "track.file":
      return keyOf(event.kind, event.instance, event.file);
    case "track.bfd":
      return keyOf(event.kind, event.instance, event.bfd);
    case "daemon.stopped":
    case "daemon.child-exited":
      return keyOf(event.kind, event.daemon);
    // What the daemon has read may be an older one than what the files hold now.
    case "config.loaded":
      return keyOf(event.kind, ...event.files.flatMap(({ path, sha256 }) => [path, sha256]));
    case "config.diagnostic":
      return keyOf(event.kind, event.source, event.code, event.file, event.line);
    case "kernel.address-added":
    case "kernel.address-removed":
      return keyOf("kernel.address", event.interface, event.address);
    case "wire.master-seen":
    case "wire.master-gone":
      return keyOf(
        "wire.master",
        event.interface,
        event.family,
        event.vrid,
        event.peer,
        event.outgoing,
        ...[...event.vips].sort(),
      );
    // Which hardware addresses are the node's own; what others send tells of a moment, and there is no end of it.
    case "wire.garp":
      return event.outgoing ? keyOf(event.kind, event.interface, event.address) : undefined;
    case "check.server-up":
    case "check.server-down":
    case "check.server-gone":
      return keyOf("check.server", event.source, event.virtualServer, event.realServer);
    case "check.quorum-gained":
    case "check.quorum-lost":
      return keyOf("check.quorum", event.source, event.virtualServer);
    case "check.sorry-server":
    case "check.virtual-server":
      return keyOf(event.kind, event.source, event.virtualServer);
    case "check.activation":
      return keyOf(event.kind, event.source, event.virtualServer, event.service);
    case "kernel.link":
    case "vrrp.interface":
      return keyOf(event.kind, event.interface);
    case "process.snapshot":
    case "process.launcher":
      return event.kind;
    case "process.started":
    case "process.gone":
      return keyOf("process", event.daemon);
    case "process.state":
    case "process.socket":
      return keyOf(event.kind, event.daemon);
    case "dump.instance":
    case "shadow.state":
    case "shadow.following":
      return keyOf(event.kind, event.instance);
    case "shadow.advert-rejected":
      return keyOf(event.kind, event.instance, event.peer);
    case "shadow.divergence":
      return keyOf(event.kind, event.code, event.instance, event.daemon, event.virtualServer, event.realServer);
    default:
      return undefined;
  }
}

const keyOf = (...parts: readonly (string | number | boolean | undefined)[]): string => parts.join("\0");

/** Of each key the newest events are carried whatever their age: a begin and its end, ... */
const NEWEST_ALWAYS = 2;
/** ... and this many not older than a day: what flaps does so by more than its last change. */
const NEWEST_OF_A_DAY = 8;
const DAY_US = 86_400 * US_PER_SECOND;
/** Of an incident that is not over, what happened this close to its begin may be its cause; microseconds. */
const AROUND_BEGIN_US = 120 * US_PER_SECOND;
/** Most events around one such begin, the nearest ones. */
const AROUND_BEGIN_MAX = 200;

export interface Cut {
  readonly at: number;
  /** From here on everything is carried. */
  readonly since: number;
  /** Incidents that are not over at the cut. */
  readonly open: readonly IncidentDraft[];
}

/** @param events  all before the cut that are at hand, carried ones included */
export function carryOver(events: EventsByNode, cut: Cut): Map<string, readonly Event[]> {
  const shown = new Set(cut.open.flatMap(({ evidence }) => evidence.map(({ eventId }) => eventId)));
  const begins = [...new Set(cut.open.map(({ start }) => start))];
  const near = aroundBegins(events, begins);
  const carried = new Map<string, readonly Event[]>();
  for (const [node, own] of [...events].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const counts = new Map<string, number>();
    const kept: Event[] = [];
    for (let index = own.length - 1; index >= 0; index -= 1) {
      const event = own[index] as Event;
      if (event.ts >= cut.since || stillSays(event, counts, cut.at) || shown.has(event.id) || near.has(event))
        kept.push(event);
    }
    if (kept.length > 0) carried.set(node, kept.reverse());
  }
  return carried;
}

/** Counts it. */
function stillSays(event: Event, counts: Map<string, number>, at: number): boolean {
  const key = stateKey(event);
  if (key === undefined) return false;
  const newer = counts.get(key) ?? 0;
  counts.set(key, newer + 1);
  return newer < NEWEST_ALWAYS || (newer < NEWEST_OF_A_DAY && at - event.ts <= DAY_US);
}

function aroundBegins(events: EventsByNode, begins: readonly number[]): ReadonlySet<Event> {
  const near = new Set<Event>();
  for (const begin of begins) {
    const around = [...events.values()]
      .flatMap((own) => eventsBetween(own, begin - AROUND_BEGIN_US, begin + AROUND_BEGIN_US))
      .sort((a, b) => Math.abs(a.ts - begin) - Math.abs(b.ts - begin) || (a.id < b.id ? -1 : 1));
    for (const event of around.slice(0, AROUND_BEGIN_MAX)) near.add(event);
  }
  return near;
}
