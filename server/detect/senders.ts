import type { Event, Family } from "../../collector/events/event.ts";
import { originalOf } from "./clocks.ts";

/**
 * Who was captured sending adverts. Anybody on the segment can send them under any source address and for any addresses, so
 * that what is kept of each VRID is bounded: the senders that were there first, and that there were more.
 */

/** Senders kept of what one node captured of one VRID, in one direction: a router has a handful, and a few more in other segments. */
export const SENDERS_KEPT = 64;

type WireEdge = Extract<Event, { kind: "wire.master-seen" | "wire.master-gone" }>;

export interface SenderFact {
  readonly node: string;
  readonly family: Family;
  readonly vrid: number;
  readonly vips: readonly string[];
  readonly peer: string;
  readonly outgoing: boolean;
  readonly interface: string;
  /** The highest that was seen. 0: it only ever resigned, or is one of too many. */
  readonly priority: number;
  /** The longest that was seen, microseconds. 0: it is one of too many. */
  readonly intervalUs: number;
}

interface Kept {
  readonly fact: SenderFact;
  /** By the node's own clock. */
  readonly firstTs: number;
}

export interface CrowdDump {
  readonly place: string;
  readonly kept: readonly (readonly [string, Kept])[];
  readonly isTooLarge: boolean;
}

interface Crowd {
  readonly kept: Map<string, Kept>;
  /** There were more than are kept. What one says of itself counts no more: it may have been heard while it was not kept. */
  isTooLarge: boolean;
}

export class SenderBook {
  private readonly crowds = new Map<string, Crowd>();

  /** @returns false when it is no news */
  learn(event: WireEdge): boolean {
    const { node, family, vrid, peer, outgoing } = event;
    const place = [node, family, vrid, outgoing].join("|");
    const crowd = this.crowds.get(place) ?? { kept: new Map<string, Kept>(), isTooLarge: false };
    this.crowds.set(place, crowd);
    const key = [node, family, vrid, peer, outgoing, event.interface, ...event.vips].join("|");
    const { ts } = originalOf(event);
    const known = crowd.kept.get(key);
    if (known) {
      const now = heardAgain(known, event, ts);
      crowd.kept.set(key, now);
      return now.fact !== known.fact && !crowd.isTooLarge;
    }
    crowd.kept.set(key, { fact: factOf(event), firstTs: ts });
    if (crowd.kept.size <= SENDERS_KEPT) return true;
    const isNews = !crowd.isTooLarge;
    crowd.isTooLarge = true;
    return dropLast(crowd) !== key || isNews;
  }

  /** By their keys. */
  *entries(): Generator<readonly [string, SenderFact]> {
    for (const { kept, isTooLarge } of this.crowds.values())
      for (const [key, { fact }] of kept) yield [key, isTooLarge ? { ...fact, priority: 0, intervalUs: 0 } : fact];
  }

  *values(): Generator<SenderFact> {
    for (const [, fact] of this.entries()) yield fact;
  }

  dump(): CrowdDump[] {
    return [...this.crowds].map(([place, { kept, isTooLarge }]) => ({ place, kept: [...kept], isTooLarge }));
  }

  load(dumps: readonly CrowdDump[]): void {
    for (const { place, kept, isTooLarge } of dumps) this.crowds.set(place, { kept: new Map(kept), isTooLarge });
  }

  /** Of how many node's VRIDs not all senders are kept. */
  tooLarge(): number {
    return [...this.crowds.values()].filter(({ isTooLarge }) => isTooLarge).length;
  }
}

function factOf({ node, family, vrid, vips, peer, outgoing, priority, ...event }: WireEdge): SenderFact {
  return {
    node,
    family,
    vrid,
    vips,
    peer,
    outgoing,
    interface: event.interface,
    priority,
    intervalUs: event.advertIntervalUs,
  };
}

function heardAgain({ fact, firstTs }: Kept, { priority, advertIntervalUs }: WireEdge, ts: number): Kept {
  const isMore = priority > fact.priority || advertIntervalUs > fact.intervalUs;
  return {
    firstTs: Math.min(firstTs, ts),
    fact: isMore
      ? {
          ...fact,
          priority: Math.max(fact.priority, priority),
          intervalUs: Math.max(fact.intervalUs, advertIntervalUs),
        }
      : fact,
  };
}

/** The first ones stay, whatever the order in which they became known. @returns the key of the one that goes */
function dropLast({ kept }: Crowd): string {
  let [last, latest] = ["", Number.NEGATIVE_INFINITY];
  for (const [key, { firstTs }] of kept)
    if (firstTs > latest || (firstTs === latest && key > last)) [last, latest] = [key, firstTs];
  kept.delete(last);
  return last;
}
