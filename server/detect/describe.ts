import type { Event } from "../../collector/events/event.ts";
import { formatEpochUs, US_PER_SECOND, type EpochUs } from "../../collector/core/time.ts";
import { originalOf } from "./clocks.ts";
import type { Evidence } from "./incident.ts";
import { EVIDENCE_MAX } from "./options.ts";
import { compareEvents } from "./order.ts";
import type { RouterIdentity } from "./routers.ts";

/** `2026-11-24 10:53:34 UTC` */
export function instant(ts: number): string {
  return `${formatEpochUs(ts as EpochUs)
    .slice(0, 19)
    .replace("T", " ")} UTC`;
}

/** `2026-11-24` */
export const day = (ts: number): string => formatEpochUs(ts as EpochUs).slice(0, 10);

/** `10:53:34.5 UTC`: the time of day, within a text that says which day. */
export function clock(ts: number): string {
  return `${formatEpochUs(ts as EpochUs).slice(11, 21)} UTC`;
}

/** `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min` */
export function duration(us: number): string {
  const seconds = us / US_PER_SECOND;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  if (minutes < 120) return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`;
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** ` for 8.2 s from …` or ` since …` */
export function lasting(start: number, end: number | null): string {
  return end === null ? `since ${instant(start)}` : `for ${duration(end - start)} from ${instant(start)}`;
}

/** `lb1`, `lb1 and lb2`, `lb1, lb2 and lb3` */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? "nobody") : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
}

/** `83 %` */
export const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** What people know the router by: its address, else its name. */
export function routerName(router: RouterIdentity): string {
  const name = router.instances.find((instance) => instance.name !== null)?.name ?? router.id;
  const [vip] = router.vips;
  const more = router.vips.length > 1 ? ` and ${router.vips.length - 1} more` : "";
  return vip === undefined ? name : `${vip}${more} (${name})`;
}

/** Log and configuration lines have a number; a capture's frame has none an editor could jump to. */
const hasLine = (event: Event): boolean => event.source === "log" || event.source === "config";

export function evidenceOf(event: Event): Evidence {
  const { ts } = originalOf(event);
  return {
    eventId: event.id,
    node: event.node,
    source: event.source,
    ts,
    ...(event.ts === ts ? {} : { correctedTs: event.ts }),
    ...(event.at !== undefined && hasLine(event) ? { line: event.at } : {}),
    text: event.raw ?? sentence(event),
  };
}

/** Oldest first, each once, the first and the newest when there are too many. */
export function evidenceList(events: readonly Event[]): Evidence[] {
  const unique = [...new Map(events.map((event) => [event.id, event])).values()].sort(
    (a, b) => compareEvents(a, b) || (a.node < b.node ? -1 : 1),
  );
  const kept =
    unique.length <= EVIDENCE_MAX ? unique : [...unique.slice(0, EVIDENCE_MAX / 2), ...unique.slice(-EVIDENCE_MAX / 2)];
  return kept.map(evidenceOf);
}

function sentence(event: Event): string {
  switch (event.kind) {
    case "wire.master-seen":
      return event.outgoing
        ? `sends adverts of VRID ${event.vrid} with priority ${event.priority} from ${event.peer}`
        : `hears adverts of VRID ${event.vrid} with priority ${event.priority} from ${event.peer}`;
    case "wire.master-gone":
      return `last advert of VRID ${event.vrid} from ${event.peer} (${event.reason})`;
    case "wire.garp":
      return `${event.outgoing ? "announces" : "hears announced"}: ${event.address} is at ${event.mac} (${event.interface})`;
    case "kernel.addresses":
      return `addresses of the node: ${event.addresses
        .map(({ address, interface: nic }) => `${address} on ${nic}`)
        .join(", ")
        .slice(0, 400)}`;
    case "kernel.address-added":
      return `${event.address}/${event.prefixLength} added on ${event.interface}`;
    case "kernel.address-removed":
      return `${event.address}/${event.prefixLength} removed from ${event.interface}`;
    case "vrrp.state":
      return `(${event.instance}) entering ${event.state}`;
    case "config.diagnostic":
      return `${event.file === undefined ? "" : `${event.file}:${event.line ?? 1}: `}${event.message}`;
    case "check.result":
      return `${event.checker} check of ${event.service ?? "a server"}: ${event.outcome}${event.reason === undefined ? "" : `, ${event.reason}`}${event.status === undefined ? "" : `, status ${event.status}`}`;
    case "check.server-up":
    case "check.server-down":
      return `real server ${event.realServer} of ${event.virtualServer} ${event.action}`;
    case "check.quorum-lost":
    case "check.quorum-gained":
      return `quorum of ${event.virtualServer} ${event.kind === "check.quorum-lost" ? "lost" : "gained"}${event.weight === undefined ? "" : `: weight ${event.weight} of ${event.quorum ?? "?"}`}`;
    case "check.sorry-server":
      return `sorry server ${event.sorryServer} of ${event.virtualServer} ${event.action}`;
    case "config.loaded":
      return `reads its configuration: ${event.files
        .map(({ path }) => path)
        .join(", ")
        .slice(0, 400)}`;
    case "kernel.link":
      return `${event.interface} is ${event.up ? "up" : "down"}`;
    case "process.launcher":
      return `${event.command}: ${event.action}`;
    case "process.state":
      return `${event.daemon ?? "a process"} of keepalived is ${event.state}, was ${event.previousState}`;
    case "process.started":
    case "process.gone":
      return `${event.daemon ?? "a process"} of keepalived ${event.kind === "process.started" ? "was started" : "is gone"}`;
    case "process.socket":
      return event.unread
        ? `adverts wait in keepalived's socket and are not read (${event.waitingBytes} bytes${event.dropped > 0 ? `, ${event.dropped} packets lost` : ""})`
        : "keepalived reads its socket again";
    case "dump.instance":
      return `(${event.instance}) is ${event.state} by keepalived's own dump${event.lastTransitionTs === undefined ? "" : `, since ${clock(event.lastTransitionTs)}`}`;
    case "shadow.state":
      return `(${event.instance}) should be ${event.state} (${event.cause})`;
    case "shadow.near-miss":
      return `(${event.instance}) hears ${event.peer} again after ${event.missed} missing adverts, ${percent(event.marginUsed)} of its master-down time used`;
    case "collector.started":
      return `the collector was started, with ${listed(event.sources.filter(({ state }) => state === "running").map(({ name }) => name))}`;
    case "collector.named":
      return `a collector that calls itself ${event.calls}${event.address === undefined ? "" : `, at ${event.address},`} is kept as ${event.node}`;
    case "collector.unheard":
      return `the server has heard nothing of the collector since ${instant(event.since)}`;
    case "collector.source":
      return `${event.name} (${event.detail}): ${event.state}${event.reason === undefined ? "" : `, ${event.reason}`}`;
    case "collector.gap":
      return `${event.sourceName}: ${event.reason}${event.lost === undefined ? "" : `, ${event.lost} lost`}`;
    case "collector.clock":
      return clockSentence(event);
    case "daemon.error":
    case "shadow.divergence":
      return event.message;
    default:
      return event.kind;
  }
}

function clockSentence({ offsetUs, boundUs = 0, steppedUs }: Extract<Event, { kind: "collector.clock" }>): string {
  const seconds = (us: number): string => `${(us / US_PER_SECOND).toFixed(3)} s`;
  const set = steppedUs === undefined ? "" : `the clock was set by ${seconds(steppedUs)}`;
  if (offsetUs === undefined) return set;
  const off = `it is ${seconds(Math.abs(offsetUs))} ${offsetUs < 0 ? "fast" : "slow"}, to within ${seconds(boundUs)}`;
  return set === "" ? off.replace("it", "the clock") : `${set}: ${off}`;
}
