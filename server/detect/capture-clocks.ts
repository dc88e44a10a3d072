import { US_PER_MS, US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event, EventOf } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";

/**
 * How far the clocks of recordings are apart, from adverts that two nodes captured: the same advert has the same sender, VRID and
 * IP identification. Needs no direction, because an advert takes less than NETWORK_US from one node of a network to another.
 */

type Advert = EventOf<"wire.advert">;

/** Longest an advert takes on its way, and between a packet and its timestamp. */
const NETWORK_US = 5 * US_PER_MS;
/** A difference that changes by more from one advert to the next is a clock that was set. */
const STEP_US = 50 * US_PER_MS;
/** Differences are counted in classes of this width to see which one most adverts agree in. */
const VOTE_US = 20 * US_PER_MS;
/** Adverts that vote at first, and on a step, and candidates of each: identifications begin anew with each start of a daemon. */
const VOTERS = 2_000;
const STEP_VOTERS = 20;
const CANDIDATES = 64;
/** Most steps that are voted on: a recording may hold anything. */
const STEP_VOTES_MAX = 10_000;
/** Between two words on one clock. */
const SAMPLE_US = 300 * US_PER_SECOND;

/** @returns `collector.clock` events of all nodes but one of each cluster, whose clock the others are compared with */
export function clocksOfCaptures(events: readonly Event[]): Event[] {
  const clusters = new Map<string, Map<string, Advert[]>>();
  for (const event of events) {
    if (event.kind !== "wire.advert" || event.ipId === undefined) continue;
    const nodes = clusters.get(event.cluster) ?? new Map<string, Advert[]>();
    clusters.set(event.cluster, nodes);
    const adverts = nodes.get(event.node);
    if (adverts) adverts.push(event);
    else nodes.set(event.node, [event]);
  }
  return [...clusters.values()].flatMap((nodes) => {
    const [reference, ...others] = [...nodes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, adverts]) => adverts);
    if (!reference) return [];
    const index = indexOf(reference);
    // In the order in which they were recorded: a clock that was set back shows times twice.
    return others.flatMap((adverts) => notesOf(adverts, index, (reference[0] as Advert).node));
  });
}

const keyOf = ({ vrid, peer, priority, ipId }: Advert): string => `${vrid} ${peer} ${priority} ${ipId}`;

/** Instants of each advert, by the reference's clock. */
function indexOf(adverts: readonly Advert[]): ReadonlyMap<string, readonly number[]> {
  const index = new Map<string, number[]>();
  for (const advert of adverts) {
    const key = keyOf(advert);
    const known = index.get(key);
    if (known) known.push(advert.ts);
    else index.set(key, [advert.ts]);
  }
  return index;
}

function notesOf(
  adverts: readonly Advert[],
  index: ReadonlyMap<string, readonly number[]>,
  reference: string,
): Event[] {
  let offset = mostAgreed(adverts.slice(0, VOTERS), index);
  if (offset === undefined) return [];
  const notes: Event[] = [];
  let last: Advert | undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  let votes = 0;
  for (const [at, advert] of adverts.entries()) {
    const near = nearest(index.get(keyOf(advert)), advert.ts + offset);
    if (near === undefined) continue;
    const found: number = near - advert.ts;
    if (Math.abs(found - offset) <= STEP_US) {
      if (Math.abs(advert.ts - toldAt) >= SAMPLE_US) {
        notes.push(noteOf(advert, found, reference));
        toldAt = advert.ts;
      }
      offset = found;
      last = advert;
      continue;
    }
    // It may be another advert with the same identification: only when those that follow agree was the clock set.
    if (votes >= STEP_VOTES_MAX) continue;
    votes += 1;
    const agreed = mostAgreed(adverts.slice(at, at + STEP_VOTERS), index);
    if (agreed === undefined || Math.abs(agreed - found) > VOTE_US) continue;
    const step = last === undefined ? {} : { steppedUs: Math.round(offset - found), beforeTs: last.ts };
    notes.push(noteOf(advert, found, reference, step));
    toldAt = advert.ts;
    offset = found;
    last = advert;
  }
  return notes;
}

/** What has to be added to these for most of them to be at an instant at which the reference has the same. */
function mostAgreed(adverts: readonly Advert[], index: ReadonlyMap<string, readonly number[]>): number | undefined {
  const votes = new Map<number, { count: number; readonly first: number }>();
  for (const advert of adverts)
    for (const ts of (index.get(keyOf(advert)) ?? []).slice(0, CANDIDATES)) {
      const difference = ts - advert.ts;
      const vote = Math.round(difference / VOTE_US);
      const known = votes.get(vote);
      if (known) known.count += 1;
      else votes.set(vote, { count: 1, first: difference });
    }
  const [best] = [...votes.values()].sort((a, b) => b.count - a.count || Math.abs(a.first) - Math.abs(b.first));
  return best?.first;
}

function nearest(instants: readonly number[] | undefined, to: number): number | undefined {
  return instants?.reduce((best, ts) => (Math.abs(ts - to) < Math.abs(best - to) ? ts : best));
}

function noteOf({ cluster, node, ts, id }: Advert, offsetUs: number, reference: string, step: object = {}): Event {
  return {
    id: eventId("clock of capture", id),
    cluster,
    node,
    source: "collector",
    kind: "collector.clock",
    ts,
    tsUncertaintyUs: 0,
    observedTs: ts,
    offsetUs: Math.round(offsetUs),
    boundUs: NETWORK_US,
    reference,
    ...step,
  };
}
