import { US_PER_SECOND } from "../../../collector/core/time.ts";
import { type Event, isKind } from "../../../collector/events/event.ts";
import { listed } from "../describe.ts";
import type { RouterView } from "../detector.ts";
import { EDGE_LAG_US } from "../options.ts";
import { verdictChanges } from "../verdicts.ts";
import { EVENTS_SHOWN } from "./cause.ts";
import { factsOf, type NodeFacts, type Refusal, type Stretch } from "./facts.ts";
import { isOfStranger } from "./refusals.ts";

/** Why a mastership goes to and fro: what was seen shortly before most of its changes. */

export interface FlapCause {
  readonly code: string;
  readonly text: string;
  readonly events: readonly Event[];
}

/** Something that may make a mastership change, each time it is seen. */
interface Suspect extends Omit<FlapCause, "events"> {
  readonly signs: readonly Stretch[];
  /** What else shows it. */
  readonly more?: readonly Event[];
}

/** A line of classic syslog may be of any time in its second. */
const LOG_SECOND_US = US_PER_SECOND;

/** @param changes  epoch microseconds, in order */
export function whyItFlaps(changes: readonly number[], view: RouterView): FlapCause | undefined {
  const facts = view.nodes.map((node) => factsOf(node, view));
  const reach = (ts: number): readonly [number, number] => [
    ts - view.router.masterDownUs - LOG_SECOND_US,
    ts + LOG_SECOND_US + EDGE_LAG_US,
  ];
  for (const { code, text, signs, more = [] } of suspectsOf(facts, view)) {
    const seen = changes.map((ts) => {
      const [from, to] = reach(ts);
      return signs.find((sign) => sign.from <= to && (sign.to ?? Number.MAX_SAFE_INTEGER) >= from);
    });
    const explained = seen.filter((sign) => sign !== undefined);
    if (explained.length * 2 <= changes.length) continue;
    const events = [...new Set(explained.flatMap((sign) => sign.events))];
    return { code, text, events: [...events.slice(0, EVENTS_SHOWN), ...more.slice(0, EVENTS_SHOWN)] };
  }
  return undefined;
}

/** Those that say most come first. */
function suspectsOf(facts: readonly NodeFacts[], view: RouterView): readonly Suspect[] {
  const refusals = facts.flatMap((one) => one.refusals);
  const clash = clashOf(facts, refusals, view);
  const known = refusals.filter(({ peer }) => peer !== undefined);
  const isRefused = known.length > 0 ? known.some((one) => isOfStranger(one, view)) : refusals.length > 0;
  return [
    ...(isRefused ? clash : []),
    ...facts.flatMap((one) => [...restarts(one), ...links(one), ...scripts(one), ...stalls(one)]),
    ...(isRefused ? [] : clash),
    ...lateAdverts(facts, view),
  ];
}

const momentOf = (event: Event, lastsUs = 0): Stretch => ({ from: event.ts - lastsUs, to: event.ts, events: [event] });

function clashOf(facts: readonly NodeFacts[], refusals: readonly Refusal[], view: RouterView): Suspect[] {
  const signs = facts.flatMap(({ foreign }) => foreign).sort((a, b) => a.from - b.from || (a.peer < b.peer ? -1 : 1));
  const [first] = signs;
  if (!first) return [];
  const peers = [...new Set(signs.map(({ peer }) => peer))].sort();
  const send = peers.length > 1 ? "send" : "sends";
  return [
    {
      code: "vrid-clash",
      text: `${listed(peers)} ${send} adverts of VRID ${view.router.vrid ?? 0} for other addresses (${first.vips.slice(0, 3).join(", ")}): another cluster on this network uses the same VRID`,
      signs,
      more: refusals.map(({ event }) => event),
    },
  ];
}

function restarts({ node, view }: NodeFacts): Suspect[] {
  const signs = view.events
    .filter(
      (event) =>
        isKind(event, "daemon.starting", "daemon.stopping") ||
        (isKind(event, "daemon.child-exited", "process.gone") && event.daemon === "vrrp"),
    )
    .map((event) => momentOf(event));
  return [{ code: "daemon-restarts", text: `keepalived on ${node} ends and is started again and again`, signs }];
}

function links({ node, linkDown }: NodeFacts): Suspect[] {
  const nics = [...new Set(linkDown.map((down) => down.interface))].sort();
  return nics.map((nic) => ({
    code: "link-flaps",
    text: `the link of ${nic} on ${node} goes down and up`,
    // Its end is a sign as well, and what is between is none.
    signs: linkDown
      .filter((down) => down.interface === nic)
      .flatMap(({ events }) => events.map((event) => momentOf(event))),
  }));
}

function scripts({ node, view }: NodeFacts): Suspect[] {
  return [...verdictChanges(view.events)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([component, events]) => ({
      code: "script-flaps",
      text: `${component} on ${node} fails and succeeds in turn`,
      signs: events.map((event) => momentOf(event)),
    }));
}

function stalls({ node, stalls: late, frozen }: NodeFacts): Suspect[] {
  const signs = [...late.map((event) => momentOf(event, event.lateUs)), ...frozen];
  return [{ code: "scheduler-stall", text: `keepalived on ${node} again and again does not run in time`, signs }];
}

function lateAdverts(facts: readonly NodeFacts[], view: RouterView): Suspect[] {
  const near = facts.flatMap(({ view: { events } }) =>
    events.filter((event) => isKind(event, "shadow.near-miss")).filter((event) => view.isAbout(event)),
  );
  const senders = [...new Set(near.map(({ peer }) => view.nodeOfAddress(peer)))].sort();
  return [
    {
      code: "adverts-missing",
      text: `adverts of ${listed(senders)} are lost or late on their way, so that backups take over from a master that is there`,
      signs: near.map((event) => momentOf(event)),
    },
  ];
}
