import type { EventBody } from "../events/event.ts";
import type { Decoded } from "./advert.ts";
import { masterDownUs } from "./timers.ts";

/** Most senders followed at once; adverts of further ones are counted and not followed. */
export const SENDERS_MAX = 16_384;
/** Adverts of several interfaces may be recorded a little out of order. Further back, the clock was set back. */
export const DISORDER_MAX_US = 5_000_000;

export interface HeardAdvert {
  readonly advert: Decoded;
  readonly interface: string;
  readonly outgoing: boolean;
  /** When it was captured, epoch microseconds. */
  readonly ts: number;
  /** What tells this advert from all others on its node. */
  readonly idParts: readonly (string | number)[];
  /** Where it stands, for a recorded capture. */
  readonly at?: string;
  /** As `senderKey` says, when that is known already. */
  readonly sender?: SenderKey;
}

/** What tells a sender from all others: the source, and the list of virtual addresses. */
export interface SenderKey {
  readonly source: string;
  readonly list: string;
  /** How long after an advert it has fallen silent, microseconds. */
  readonly silentAfterUs: number;
}

/** An edge: what was concluded, when it happened, and the advert it stands on. */
export interface SenderEdge {
  /** Epoch microseconds. */
  readonly ts: number;
  readonly tsUncertaintyUs: number;
  readonly cause: HeardAdvert;
  readonly body: EventBody<"wire.master-seen" | "wire.master-gone">;
}

export interface SenderTracker {
  /** An advert was captured. Edges that are due before it come first. */
  advert(heard: HeardAdvert): readonly SenderEdge[];
  /** All that was captured up to `now` has been handed in: who has been silent for too long? Epoch microseconds on the capture's clock. */
  tick(now: number): readonly SenderEdge[];
  /** Nobody falls silent before this instant. */
  dueAt(): number;
  /** The capture ends here: of whoever was sending, nothing is known after its last advert. */
  end(): SenderEdge[];
  /** Adverts of senders that were too many to follow. */
  refused(): number;
}

type GoneReason = EventBody<"wire.master-gone">["reason"];

/**
 * Follows who sends adverts for which virtual router: an edge when a master appears, and one when it is gone. Driven by
 * the capture's own time, so that a recording gives the edges that live capture gave.
 *
 * A sender is an interface, a direction, a family, a VRID, a source address and a list of virtual addresses. The list is
 * part of it because one address may send for several routers with one VRID (unicast), and because a master that is
 * reloaded with other addresses ends one claim and begins another.
 */
export function createSenderTracker(sendersMax = SENDERS_MAX): SenderTracker {
  /** Source → list of virtual addresses → its newest advert. */
  const sources = new Map<string, Map<string, HeardAdvert>>();
  let following = 0;
  let refused = 0;
  let newest = Number.NEGATIVE_INFINITY;
  /** Nobody can be silent for too long before this: nothing has to be looked through. */
  let dueAt = Number.POSITIVE_INFINITY;

  /** Forgets the senders for which there is a verdict, and tells of them oldest first. */
  function removeWhere(verdict: (last: HeardAdvert) => GoneReason | undefined): SenderEdge[] {
    const edges: SenderEdge[] = [];
    // Without a pair for each of them: there may be thousands, and all are looked at.
    sources.forEach((lists, source) => {
      lists.forEach((last, list) => {
        const reason = verdict(last);
        if (reason === undefined) return;
        lists.delete(list);
        following -= 1;
        // It may have stopped at any time until its next advert was due.
        edges.push(goneEdge(last, reason, { ts: last.ts, tsUncertaintyUs: last.advert.advertIntervalUs, cause: last }));
      });
      if (lists.size === 0) sources.delete(source);
    });
    return edges.sort((a, b) => a.ts - b.ts);
  }

  function tick(now: number): readonly SenderEdge[] {
    if (now < dueAt) return NO_EDGES;
    dueAt = Number.POSITIVE_INFINITY;
    return removeWhere((last) => {
      const at = silentAt(last);
      if (at <= now) return "silent";
      dueAt = Math.min(dueAt, at);
      return undefined;
    });
  }

  function end(): SenderEdge[] {
    dueAt = Number.POSITIVE_INFINITY;
    newest = Number.NEGATIVE_INFINITY;
    return removeWhere(() => "capture-ended");
  }

  /** Priority 0 ends whatever this source was master of. */
  function resign(heard: HeardAdvert): SenderEdge[] {
    const { source } = heard.sender ?? senderKey(heard);
    const lists = sources.get(source);
    if (!lists) return [];
    sources.delete(source);
    following -= lists.size;
    return [...lists.values()].map((last) =>
      goneEdge(last, "priority-zero", { ts: Math.max(heard.ts, last.ts), tsUncertaintyUs: 0, cause: heard }),
    );
  }

  function follow(heard: HeardAdvert): readonly SenderEdge[] {
    const { source, list } = heard.sender ?? senderKey(heard);
    const lists = sources.get(source) ?? new Map<string, HeardAdvert>();
    const last = lists.get(list);
    if (last && heard.ts < last.ts) return NO_EDGES;
    if (!last && following >= sendersMax) {
      refused += 1;
      return [];
    }
    lists.set(list, heard);
    const silent = silentAt(heard);
    if (silent < dueAt) dueAt = silent;
    if (last) return NO_EDGES;
    sources.set(source, lists);
    following += 1;
    return [
      { ts: heard.ts, tsUncertaintyUs: 0, cause: heard, body: { kind: "wire.master-seen", ...senderFields(heard) } },
    ];
  }

  return {
    advert(heard) {
      const edges = heard.ts < newest - DISORDER_MAX_US ? end() : tick(heard.ts);
      if (heard.ts > newest) newest = heard.ts;
      const own = heard.advert.priority === 0 ? resign(heard) : follow(heard);
      return edges.length === 0 ? own : [...edges, ...own];
    },
    tick,
    dueAt: () => dueAt,
    end,
    refused: () => refused,
  };
}

const NO_EDGES: readonly SenderEdge[] = [];

export function senderKey({
  advert: { version, family, vrid, priority, advertIntervalUs, source, vips },
  interface: nic,
  outgoing,
}: Pick<HeardAdvert, "advert" | "interface" | "outgoing">): SenderKey {
  return {
    source: `${nic}\0${outgoing}\0${family}\0${vrid}\0${source}`,
    list: vips.join(" "),
    // A backup of the same priority would have taken over, and half an interval more: late is not gone.
    silentAfterUs: masterDownUs(version, priority, advertIntervalUs) + Math.ceil(advertIntervalUs / 2),
  };
}

const silentAt = (heard: HeardAdvert): number => heard.ts + (heard.sender ?? senderKey(heard)).silentAfterUs;

function senderFields({ advert, interface: nic, outgoing }: HeardAdvert) {
  return {
    interface: nic,
    family: advert.family,
    vrid: advert.vrid,
    peer: advert.source,
    outgoing,
    priority: advert.priority,
    vips: [...advert.vips],
    advertIntervalUs: advert.advertIntervalUs,
  };
}

function goneEdge(
  last: HeardAdvert,
  reason: GoneReason,
  when: Pick<SenderEdge, "ts" | "tsUncertaintyUs" | "cause">,
): SenderEdge {
  return { ...when, body: { kind: "wire.master-gone", ...senderFields(last), reason, lastAdvertTs: last.ts } };
}
