import type { Announcement } from "./neighbour.ts";

/** keepalived sends bursts of five, and another five seconds later (garp_master_delay): together they are one event. Microseconds. */
export const BURST_US = 10_000_000;
/** Most claims remembered at once; the oldest is forgotten for a new one. */
const CLAIMS_MAX = 4_096;
/** Most virtual addresses known from adverts. */
const VIPS_MAX = 65_536;
/** Most events in any second: somebody may announce a virtual address from ever new hardware addresses. */
export const PER_SECOND_MAX = 20;

export interface Announcements {
  /** These addresses are virtual: announcements of them matter from now on. */
  know(vips: readonly string[]): void;
  /** Whether it is worth an event. @param ts epoch microseconds @param place interface and direction */
  isNews(seen: Announcement, place: string, ts: number): boolean;
  /** Announcements of virtual addresses that were news, and more than is told in a second. */
  refused(): number;
}

/** Lets the first announcement of a burst through, for addresses known as virtual, and not too many of them. */
export function createAnnouncements(): Announcements {
  const vips = new Set<string>();
  /** Claim → when it was last told. In the order in which they were. */
  const told = new Map<string, number>();
  let second = Number.NEGATIVE_INFINITY;
  let inSecond = 0;
  let refused = 0;

  function isTooMany(ts: number): boolean {
    if (Math.abs(ts - second) >= 1_000_000) {
      second = ts;
      inSecond = 0;
    }
    inSecond += 1;
    return inSecond > PER_SECOND_MAX;
  }

  return {
    know(addresses) {
      for (const address of addresses) if (vips.size < VIPS_MAX) vips.add(address);
    },
    isNews({ address, mac }, place, ts) {
      if (!vips.has(address)) return false;
      const claim = `${place} ${address} ${mac}`;
      const before = told.get(claim);
      if (before !== undefined && Math.abs(ts - before) < BURST_US) return false;
      if (isTooMany(ts)) {
        refused += 1;
        return false;
      }
      told.delete(claim);
      told.set(claim, ts);
      const oldest = told.size > CLAIMS_MAX ? told.keys().next().value : undefined;
      if (oldest !== undefined) told.delete(oldest);
      return true;
    },
    refused: () => refused,
  };
}
