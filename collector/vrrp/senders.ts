import type { EventBody } from "../events/event.ts";
import type { Advert } from "./advert.ts";
import { masterDownUs } from "./timers.ts";

/** Most senders followed at once; adverts of further ones are counted and not followed. */
export const SENDERS_MAX = 16_384;
/** A sender is taken for gone half an interval after the last backup would have taken over: late is not gone. */
const GRACE_INTERVALS = 0.5;
/** A master of unknown priority is followed as if its slowest backup had this one. */
const SLOWEST_BACKUP_PRIORITY = 1;

export interface HeardAdvert {
  readonly advert: Advert;
  readonly interface: string;
  readonly outgoing: boolean;
  /** Epoch microseconds. */
  readonly ts: number;
}

/** An edge: what was concluded, when it happened, and which advert it stands on. */
export interface SenderEdge {
  readonly ts: number;
  readonly tsUncertaintyUs: number;
  readonly body: EventBody<"wire.master-seen" | "wire.master-gone">;
}

interface Sender {
  last: HeardAdvert;
}

/**
 * Follows who sends adverts for which virtual router: an edge when a sender appears, and one when it is gone. Driven by
 * the capture's own time, so that a recording gives the edges that live capture gave.
 */
export class SenderTracker {
  private readonly senders = new Map<string, Sender>();
  /** When the next sender may be gone; nothing has to be looked through before. */
  private dueAt = Number.POSITIVE_INFINITY;
  private refusedCount = 0;

  /** Adverts of senders that were too many to follow. */
  get refused(): number {
    return this.refusedCount;
  }

  /** @returns edges in order of time; those of senders that fell silent before this advert come first. */
  hear(heard: HeardAdvert): SenderEdge[] {
    const edges = this.tick(heard.ts);
    const key = keyOf(heard);
    const known = this.senders.get(key);
    if (heard.advert.priority === 0) {
      if (!known) return edges;
      this.senders.delete(key);
      edges.push(gone(known.last, "priority-zero", heard.ts, 0));
      return edges;
    }
    if (known) known.last = heard;
    else if (this.senders.size >= SENDERS_MAX) {
      this.refusedCount += 1;
      return edges;
    } else {
      this.senders.set(key, { last: heard });
      edges.push({ ts: heard.ts, tsUncertaintyUs: 0, body: { kind: "wire.master-seen", ...fieldsOf(heard) } });
    }
    this.dueAt = Math.min(this.dueAt, silentAt(heard));
    return edges;
  }

  /** Time passes without an advert. @param now epoch microseconds on the capture's clock */
  tick(now: number): SenderEdge[] {
    if (now < this.dueAt) return [];
    const edges: SenderEdge[] = [];
    this.dueAt = Number.POSITIVE_INFINITY;
    for (const [key, { last }] of this.senders) {
      const at = silentAt(last);
      if (at > now) this.dueAt = Math.min(this.dueAt, at);
      else {
        this.senders.delete(key);
        // It may have stopped at any time until its next advert was due.
        edges.push(gone(last, "silent", last.ts, last.advert.advertIntervalUs));
      }
    }
    return edges.sort((a, b) => a.ts - b.ts);
  }

  /** The capture ends: of whoever was sending, nothing is known after its last advert. */
  end(): SenderEdge[] {
    const edges = [...this.senders.values()].map(({ last }) =>
      gone(last, "capture-ended", last.ts, last.advert.advertIntervalUs),
    );
    this.senders.clear();
    return edges.sort((a, b) => a.ts - b.ts);
  }
}

const keyOf = ({ advert, interface: face }: HeardAdvert): string =>
  `${face}\0${advert.family}\0${advert.vrid}\0${advert.source}`;

function silentAt({ advert, ts }: HeardAdvert): number {
  return (
    ts +
    masterDownUs(advert.version, SLOWEST_BACKUP_PRIORITY, advert.advertIntervalUs) +
    GRACE_INTERVALS * advert.advertIntervalUs
  );
}

function fieldsOf({ advert, interface: face, outgoing }: HeardAdvert) {
  return {
    interface: face,
    family: advert.family,
    vrid: advert.vrid,
    peer: advert.source,
    outgoing,
    priority: advert.priority,
    vips: [...advert.vips],
    advertIntervalUs: advert.advertIntervalUs,
  };
}

function gone(
  last: HeardAdvert,
  reason: "priority-zero" | "silent" | "capture-ended",
  ts: number,
  tsUncertaintyUs: number,
): SenderEdge {
  return { ts, tsUncertaintyUs, body: { kind: "wire.master-gone", ...fieldsOf(last), reason, lastAdvertTs: last.ts } };
}
