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

/** Somebody who sends. */
interface Followed {
  readonly source: string;
  readonly list: string;
  /** The newest advert. */
  last: HeardAdvert;
  /** When it has fallen silent, unless another comes. Epoch microseconds. */
  silentAt: number;
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
  /** Source → list of virtual addresses → who sends them. */
  const sources = new Map<string, Map<string, Followed>>();
  /** All of them, as they came: looked through without a call for each, as there may be thousands. */
  let all: Followed[] = [];
  let refused = 0;
  let newest = Number.NEGATIVE_INFINITY;
  /** Nobody can be silent for too long before this: nothing has to be looked through. */
  let dueAt = Number.POSITIVE_INFINITY;

  /** Forgets those who fell silent up to an instant, and tells of them oldest first. */
  function forget(until: number, reason: GoneReason): SenderEdge[] {
    const edges: SenderEdge[] = [];
    const left: Followed[] = [];
    dueAt = Number.POSITIVE_INFINITY;
    for (const one of all) {
      if (one.silentAt > until) {
        left.push(one);
        if (one.silentAt < dueAt) dueAt = one.silentAt;
        continue;
      }
      const { source, list, last } = one;
      const lists = sources.get(source);
      lists?.delete(list);
      if (lists?.size === 0) sources.delete(source);
      // It may have stopped at any time until its next advert was due.
      edges.push(goneEdge(last, reason, { ts: last.ts, tsUncertaintyUs: last.advert.advertIntervalUs, cause: last }));
    }
    all = left;
    return edges.sort((a, b) => a.ts - b.ts);
  }

  const tick = (now: number): readonly SenderEdge[] => (now < dueAt ? NO_EDGES : forget(now, "silent"));

  function end(): SenderEdge[] {
    newest = Number.NEGATIVE_INFINITY;
    return forget(Number.POSITIVE_INFINITY, "capture-ended");
  }

  /** Priority 0 ends whatever this source was master of. */
  function resign(heard: HeardAdvert): SenderEdge[] {
    const { source } = heard.sender ?? senderKey(heard);
    const lists = sources.get(source);
    if (!lists) return [];
    sources.delete(source);
    all = all.filter((one) => one.source !== source);
    return [...lists.values()].map(({ last }) =>
      goneEdge(last, "priority-zero", { ts: Math.max(heard.ts, last.ts), tsUncertaintyUs: 0, cause: heard }),
    );
  }

  function follow(heard: HeardAdvert): readonly SenderEdge[] {
    const { source, list, silentAfterUs } = heard.sender ?? senderKey(heard);
    const silentAt = heard.ts + silentAfterUs;
    const lists = sources.get(source);
    const known = lists?.get(list);
    if (known) {
      if (heard.ts < known.last.ts) return NO_EDGES;
      known.last = heard;
      known.silentAt = silentAt;
      if (silentAt < dueAt) dueAt = silentAt;
      return NO_EDGES;
    }
    if (all.length >= sendersMax) {
      refused += 1;
      return NO_EDGES;
    }
    const one: Followed = { source, list, last: heard, silentAt };
    all.push(one);
    if (lists) lists.set(list, one);
    else sources.set(source, new Map([[list, one]]));
    if (silentAt < dueAt) dueAt = silentAt;
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
