import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event, EventKind, EventOf, Source } from "../../collector/events/event.ts";
import {
  type Edge,
  goneDelayUs,
  type LogSpan,
  type NodeEvidence,
  type Span,
  type Unwatched,
  type WireSpan,
} from "./evidence.ts";
import type { DumpSpan } from "./instance-states.ts";
import { DENIAL_LAG_US, EDGE_LAG_US, SAME_EDGE_SLACK_US, SILENT_AFTER_US } from "./options.ts";
import { indexWhere } from "./order.ts";
import { withEnds } from "./ends.ts";
import type { Identity, RouterIdentity } from "./routers.ts";
import type { Bar, Lane } from "./view.ts";

/** "Node N acts as master from t0 to t1": what the sources say about one mastership, brought together. */
export interface Claim {
  readonly node: string;
  /** It began in [start, start + startUncertaintyUs]. */
  readonly start: number;
  readonly startUncertaintyUs: number;
  /** null: no source saw it end. It ended in [end, end + endUncertaintyUs]. */
  readonly end: number | null;
  readonly endUncertaintyUs: number;
  /** It certainly lasted until here: the end, or how far the node is watched. */
  readonly certainTo: number;
  /** False when the evidence just stops (a capture ended): nobody saw the mastership end. */
  readonly endKnown: boolean;
  /** The VIP was held from here on although the daemon was no longer master. */
  readonly zombieFrom: number | null;
  /** Only others heard it: no log, kernel or own capture of the node. */
  readonly heardOnly: boolean;
  /** The events that began and ended it, of all its sources. */
  readonly events: readonly Event[];
}

/** One node as one virtual router sees it. */
export interface NodeView {
  readonly node: string;
  /** False for a sender address that no node is known for. */
  readonly real: boolean;
  /** The node's evidence reaches to here. */
  readonly watchedTo: number;
  /** Its capture sees this router's adverts. */
  readonly captures: boolean;
  readonly log: readonly LogSpan[];
  /** Adverts of others this node captured, by the sender's node. */
  readonly heard: readonly { readonly sender: string; readonly span: WireSpan }[];
  readonly claims: readonly Claim[];
  readonly lane: Lane;
  /** All of the node's events but the lines about instances of other routers, in order. */
  readonly events: readonly Event[];
}

export interface NodeInput {
  readonly node: string;
  readonly evidence: NodeEvidence;
  readonly events: readonly Event[];
  readonly watchedTo: number;
  readonly unheard: EventOf<"collector.unheard"> | null;
}

/** What one node says, sorted by the routers it speaks of. */
export interface NodeReading extends NodeInput {
  wireOf(router: string): readonly WireSpan[];
  logOf(router: string): readonly LogSpan[];
  dumpOf(router: string): readonly DumpSpan[];
  shadowOf(router: string): readonly LogSpan[];
  /** All but the lines about instances of other routers. */
  eventsOf(router: string): readonly Event[];
}

export function readNode(input: NodeInput, identity: Identity): NodeReading {
  const { node, evidence, events } = input;
  const wire = grouped(evidence.wire, ({ family, vrid, vips }) => identity.routerOfSender(family, vrid, vips));
  const routerOf = ({ instance, from }: LogSpan): string | undefined =>
    identity.routerOfInstance(node, instance, from.ts);
  const log = grouped(evidence.log, routerOf);
  const dump = grouped(evidence.dump, routerOf);
  const shadow = grouped(evidence.shadow, routerOf);
  const routers = events.map((event) =>
    "instance" in event && event.instance !== undefined
      ? identity.routerOfInstance(node, event.instance, event.ts)
      : undefined,
  );
  const isOnlyOne = new Set(routers.filter((router) => router !== undefined)).size < 2;
  return {
    ...input,
    wireOf: (router) => wire.get(router) ?? [],
    logOf: (router) => log.get(router) ?? [],
    dumpOf: (router) => dump.get(router) ?? [],
    shadowOf: (router) => shadow.get(router) ?? [],
    eventsOf: (router) =>
      isOnlyOne ? events : events.filter((_, index) => routers[index] === undefined || routers[index] === router),
  };
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string | undefined): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

type Rank = "kernel" | "wire" | "log" | "dump" | "heard";
/** Of two equally exact sources the first is believed. */
const RANKS: readonly Rank[] = ["kernel", "wire", "log", "dump", "heard"];

interface Member extends Span {
  readonly rank: Rank;
  /** Where an open span certainly still held. */
  readonly certainTo: number;
  /** What this source itself saw, whatever more exact source its edges are moved to. */
  readonly seen: readonly Event[];
}

/** All nodes of one router, real ones first, each with its claims and its lane. */
export function viewNodes(
  router: RouterIdentity,
  identity: Identity,
  inputs: ReadonlyMap<string, NodeReading>,
): NodeView[] {
  const wire = wireOf(router, identity, inputs);
  return router.instances
    .map(({ node }) => node)
    .sort((a, b) => Number(inputs.has(b)) - Number(inputs.has(a)) || (a < b ? -1 : 1))
    .map((node) => viewNode(node, router, identity, inputs, wire));
}

interface Heard {
  readonly hearer: NodeReading;
  readonly sender: string;
  readonly span: WireSpan;
}

function wireOf(router: RouterIdentity, identity: Identity, inputs: ReadonlyMap<string, NodeReading>): Heard[] {
  return [...inputs.values()].flatMap((hearer) =>
    hearer
      .wireOf(router.id)
      .map((span) => ({ hearer, sender: span.outgoing ? hearer.node : identity.nodeOfAddress(span.peer), span })),
  );
}

function viewNode(
  node: string,
  router: RouterIdentity,
  identity: Identity,
  inputs: ReadonlyMap<string, NodeReading>,
  wire: readonly Heard[],
): NodeView {
  const input = inputs.get(node);
  const hearers = wire.filter(({ sender }) => sender === node).map(({ hearer }) => hearer.watchedTo);
  const watchedTo = input?.watchedTo ?? Math.max(0, ...hearers);
  const log = input?.logOf(router.id) ?? [];
  const dump = input?.dumpOf(router.id) ?? [];
  const kernel = input ? presenceOf(router.vips, input.evidence) : [];
  const own = wire.filter(({ sender, hearer }) => sender === node && hearer.node === node);
  const others = wire.filter(({ sender, hearer }) => sender === node && hearer.node !== node);
  const goneDelay = goneDelayUs(router.advertIntervalUs);
  const heardTo = ({ hearer, span }: Heard): number =>
    span.to?.ts ?? Math.max(span.from.ts, hearer.watchedTo - goneDelay);
  const members: Omit<Member, "seen">[] = [
    ...kernel.map((span) => ({ ...span, rank: "kernel" as const, certainTo: span.to?.ts ?? watchedTo })),
    ...own.map((seen) => ({ from: seen.span.from, to: seen.span.to, rank: "wire" as const, certainTo: heardTo(seen) })),
    ...withoutDumped(log.filter(isMaster), dump).map(({ from, to }) => ({
      from,
      to,
      rank: "log" as const,
      certainTo: to?.ts ?? watchedTo,
    })),
    ...dump.filter(isMaster).map(({ from, to, certainTo }) => ({ from, to, rank: "dump" as const, certainTo })),
    ...others.map((seen) => ({
      from: seen.span.from,
      to: seen.span.to,
      rank: "heard" as const,
      certainTo: heardTo(seen),
    })),
  ];
  return {
    node,
    real: input !== undefined,
    watchedTo,
    captures: wire.some(({ hearer }) => hearer.node === node),
    log,
    heard: wire
      .filter(({ hearer, sender }) => hearer.node === node && sender !== node)
      .map(({ sender, span }) => ({ sender, span })),
    claims: mergeClaims(node, members, { log, dump, unwatched: input?.evidence.unwatched ?? [] }),
    lane: {
      node,
      instance: identity.instanceOfRouter(node, router.id),
      bars: withEnds(
        barsOf({ log, dump, kernel, wire: own.length > 0 ? own : others, shadow: input?.shadowOf(router.id) ?? [] }),
        input?.events ?? [],
        identity.instanceOfRouter(node, router.id),
      ),
      watchedTo,
    },
    events: input?.eventsOf(router.id) ?? [],
  };
}

const isMaster = ({ state }: LogSpan): boolean => state === "MASTER";

/** The node has any of the addresses. */
function presenceOf(vips: readonly string[], evidence: NodeEvidence): Span[] {
  return unite(vips.flatMap((vip) => evidence.addresses.get(vip) ?? []));
}

function unite<T extends Span>(spans: readonly T[]): T[] {
  const united: T[] = [];
  for (const span of [...spans].sort(bySpan)) {
    const last = united.at(-1);
    if (!last || (last.to !== null && span.from.ts > last.to.ts)) united.push(span);
    else if (last.to !== null && (span.to === null || span.to.ts > last.to.ts))
      united[united.length - 1] = { ...last, to: span.to };
  }
  return united;
}

/** Of several that begin at once the longest first, then the event's id: never the order of arrival. */
function bySpan(a: Span, b: Span): number {
  if (a.from.ts !== b.from.ts) return a.from.ts - b.from.ts;
  return endOf(b) - endOf(a) || (a.from.event.id < b.from.event.id ? -1 : a.from.event.id > b.from.event.id ? 1 : 0);
}

const endOf = (span: Span): number => span.to?.ts ?? Number.MAX_SAFE_INTEGER;
const latestEnd = (edge: Edge): number => edge.ts + edge.uncertaintyUs;

// --- merging -----------------------------------------------------------------------------------------------------------

export function mergeClaims(
  node: string,
  spans: readonly Omit<Member, "seen">[],
  { log, dump, unwatched }: Pick<NodeEvidence, "log" | "dump" | "unwatched">,
): Claim[] {
  const members = closeOpenEnds(
    withoutStragglers(spans).map((span) => ({
      ...span,
      seen: span.to ? [span.from.event, span.to.event] : [span.from.event],
    })),
  );
  const denied = denials(members, log, unwatched);
  const closed = members.flatMap((member) => withoutDenials(member, denied));
  const begins = new Edges(closed.map(({ rank, from }) => ({ rank, edge: from })));
  const ends = new Edges(closed.flatMap(({ rank, to }) => (to ? [{ rank, edge: to }] : [])));
  const snapped = closed.map((member) => snap(member, begins, ends));
  const groups: Member[][] = [];
  let reach = Number.NEGATIVE_INFINITY;
  for (const member of [...snapped].sort(bySpan)) {
    if (member.from.ts <= reach) groups.at(-1)?.push(member);
    else groups.push([member]);
    reach = Math.max(reach, endOf(member));
  }
  return groups.map((group) => toClaim(node, group, [...log, ...dump.map(asSeen)]));
}

/** An advert that the network held up arrives after the priority 0 that was sent behind it: it begins nothing. */
function withoutStragglers(spans: readonly Omit<Member, "seen">[]): readonly Omit<Member, "seen">[] {
  const ends = spans.flatMap(({ rank, to }) => (rank !== "heard" && to?.known ? [to.ts] : []));
  return spans.filter(
    ({ rank, from, to }) =>
      rank !== "heard" ||
      to === null ||
      to.ts - from.ts > EDGE_LAG_US ||
      !ends.some((end) => from.ts >= end && from.ts - end <= EDGE_LAG_US),
  );
}

/** As far as a dump is certain. */
const asSeen = (span: DumpSpan): LogSpan => ({ ...span, to: { ...span.from, ts: span.certainTo, uncertaintyUs: 0 } });

/**
 * A source that never said the mastership ended is overruled by one that did: a killed daemon logs nothing, and a capture
 * tells of silence only after the master-down interval. The kernel ends the log's and the wire's, the log ends the wire's.
 */
function closeOpenEnds(members: readonly Member[]): Member[] {
  const lastOf = (rank: Rank): Member | undefined =>
    members
      .filter((member) => member.rank === rank)
      .sort((a, b) => endOf(a) - endOf(b))
      .at(-1);
  const overrule = (member: Member, by: readonly (Member | undefined)[]): Member => {
    if (member.to !== null) return member;
    const known = by.filter((other) => other !== undefined);
    if (known.length === 0 || known.some(({ to }) => to === null)) return member;
    const ends = known.map(({ to }) => to as Edge).filter((to) => to.ts > member.from.ts);
    const last = ends.sort((a, b) => a.ts - b.ts).at(-1);
    return last ? { ...member, to: last, certainTo: last.ts } : member;
  };
  const [kernel, log] = [lastOf("kernel"), lastOf("log")];
  return members.map((member) => {
    if (member.rank === "log") return overrule(member, [kernel]);
    if (member.rank === "dump") return overrule(endedBy(member, members), [kernel, log]);
    return member.rank === "kernel" ? member : overrule(member, [kernel, log]);
  });
}

/** What a dump saw goes on after it as the node's other sources have it that said the same then. */
function endedBy(dump: Member, members: readonly Member[]): Member {
  const others = members.filter(
    ({ rank, from, to }) =>
      rank !== "dump" &&
      rank !== "heard" &&
      from.ts <= dump.certainTo + SAME_EDGE_SLACK_US &&
      (to === null || latestEnd(to) >= dump.certainTo - SAME_EDGE_SLACK_US),
  );
  const [first] = others.sort((a, b) => endOf(a) - endOf(b));
  if (!first) return dump;
  return { ...dump, to: first.to, certainTo: first.to ? first.to.ts : dump.certainTo };
}

/** A log that lost the line of an end is put right by the daemon's own word that it was no master any more. */
function withoutDumped(masters: readonly LogSpan[], dump: readonly DumpSpan[]): readonly LogSpan[] {
  const denied = dump.filter((span) => !isMaster(span));
  return masters.map((span) => {
    const denial = denied.find(
      ({ from, certainTo }) =>
        from.known &&
        from.ts >= latestEnd(span.from) &&
        (span.to === null || span.to.ts > certainTo + SAME_EDGE_SLACK_US),
    );
    return denial ? { ...span, to: denial.from } : span;
  });
}

const distance = (a: Edge, b: Edge): number => Math.max(0, a.ts - latestEnd(b), b.ts - latestEnd(a));

interface RankedEdge {
  readonly rank: Rank;
  readonly edge: Edge;
}

/** Begins or ends, to be found by where they may have been. */
class Edges {
  private readonly exact: readonly RankedEdge[];
  /** Few, and of any length. */
  private readonly vague: readonly RankedEdge[];

  constructor(edges: readonly RankedEdge[]) {
    const sorted = [...edges].sort((a, b) => a.edge.ts - b.edge.ts || (a.edge.event.id < b.edge.event.id ? -1 : 1));
    const isVague = ({ edge }: RankedEdge): boolean => edge.uncertaintyUs > US_PER_SECOND;
    this.exact = sorted.filter((one) => !isVague(one));
    this.vague = sorted.filter(isVague);
  }

  near(own: Edge, slackUs: number): readonly RankedEdge[] {
    const found = this.vague.filter(({ edge }) => distance(own, edge) <= slackUs);
    const from = own.ts - slackUs - US_PER_SECOND;
    let index = indexWhere(this.exact, ({ edge }) => edge.ts >= from);
    for (; index < this.exact.length; index += 1) {
      const one = this.exact[index] as RankedEdge;
      if (one.edge.ts > latestEnd(own) + slackUs) break;
      if (distance(own, one.edge) <= slackUs) found.push(one);
    }
    return found;
  }
}

/** Moves each begin and end to the most exact source that tells of the same one. Open and unknown ones stay. */
function snap(member: Member, begins: Edges, ends: Edges): Member {
  const better = (own: Edge, edges: Edges, since = Number.NEGATIVE_INFINITY): Edge => {
    let best = own;
    let bestRank = member.rank;
    for (const { rank, edge } of edges.near(own, SAME_EDGE_SLACK_US)) {
      if (edge.ts < since || rank === member.rank || !edge.known || (fellSilent(edge) && !dates(edge, own))) continue;
      if (own.known && !moreExact(edge, rank, own, member.rank)) continue;
      const isBetter =
        best !== own && fellSilent(edge) && fellSilent(best) && isLoose(own)
          ? edge.ts > best.ts
          : best === own || moreExact(edge, rank, best, bestRank, own);
      if (isBetter) [best, bestRank] = [edge, rank];
    }
    return best;
  };
  const from = better(member.from, begins);
  // What ended before this began is another one's end.
  const to = member.to && better(member.to, ends, from.ts);
  // A begin moved past the end of a short mastership would turn it over.
  if (to && to.ts < from.ts) return member;
  return { ...member, from, to, certainTo: to?.ts ?? member.certainTo };
}

/** Nobody saw it: what was no more when the host was seen again. Of several silences the last is the host's, the others were cuts. */
const isLoose = (own: Edge): boolean => own.uncertaintyUs > SAME_EDGE_SLACK_US;

/**
 * Whether a sender's silence tells when something ended: when somebody saw it end, and when the node gave its last sign of
 * life just then, so that it was the host that went. Of a node that lived on, it may be the network: what was over
 * before that sign of life was not the host's end.
 */
const dates = (silence: Edge, own: Edge): boolean =>
  !isLoose(own) ||
  (latestEnd(silence) >= own.ts - EDGE_LAG_US && silence.ts <= own.ts + SILENT_AFTER_US + unheardUs(silence, own));

/** A capture that was cut short vouches for a sender up to when it would have told of its silence: that much before its last sign of life. */
const unheardUs = ({ event }: Edge, own: Edge): number =>
  own.known || event.kind !== "wire.master-gone" ? 0 : goneDelayUs(event.advertIntervalUs);

interface Denial {
  readonly from: Edge;
  readonly to: Edge;
  /** The daemon took the addresses off at its begin, and nobody looked at them from there to its end. */
  readonly isUnwatched: boolean;
}

/** With a daemon that dies, or is gone, the addresses may stay. */
const TAKES_ADDRESSES_OFF: ReadonlySet<EventKind> = new Set<EventKind>([
  "vrrp.state",
  "vrrp.vips",
  "vrrp.priority-zero-sent",
  "daemon.stopping",
  "daemon.stopped",
]);

/** Stretches that were certainly between two masterships of a node by its own log, and by its kernel where that tells of any. */
function denials(
  members: readonly Member[],
  log: readonly LogSpan[],
  unwatched: readonly Unwatched[],
): readonly Denial[] {
  const kernel = members.filter(({ rank }) => rank === "kernel");
  const masters = log.filter(({ state }) => state === "MASTER").sort(bySpan);
  return masters.flatMap(({ to: from }, index) => {
    const to = masters[index + 1]?.from;
    if (!from || !to || from.uncertaintyUs > US_PER_SECOND) return [];
    const [begin, end] = [latestEnd(from), to.ts];
    const isUnwatched =
      TAKES_ADDRESSES_OFF.has(from.event.kind) &&
      (unwatched[indexWhere(unwatched, (one) => one.from > begin) - 1]?.to ?? 0) >= end;
    const isHeld =
      !isUnwatched &&
      kernel.length > 0 &&
      kernel.reduce((held, span) => (span.from.ts > held ? held : Math.max(held, endOf(span))), begin) >
        end + DENIAL_LAG_US;
    return begin >= end || isHeld ? [] : [{ from, to, isUnwatched }];
  });
}

/**
 * Adverts prove a mastership only near them, and a capture bridges a pause: what the node says of itself cuts it there. So
 * it does with an address that was seen before and after a time in which nobody looked.
 */
function withoutDenials(member: Member, denied: readonly Denial[]): readonly Member[] {
  if (member.rank === "log" || member.rank === "dump") return [member];
  const parts: Member[] = [];
  let rest = member;
  for (const { from, to, isUnwatched } of denied) {
    if (member.rank === "kernel" && !isUnwatched) continue;
    // A last advert in the middle of a denial is one that was sent all the same, if it was the last.
    const reach = rest.to?.known === false ? latestEnd(rest.to) : endOf(rest);
    if (rest.from.ts > latestEnd(from) + EDGE_LAG_US || reach < to.ts - EDGE_LAG_US) continue;
    const end = { ...from, ts: Math.max(from.ts, rest.from.ts) };
    parts.push({ ...rest, to: end, certainTo: end.ts });
    rest = { ...rest, from: to, to: rest.to && endOf(rest) < to.ts ? { ...rest.to, ts: to.ts } : rest.to };
  }
  return [...parts, rest];
}

/** A sender that is no longer heard may be master still, beyond a cut: that dates an end somebody saw, it does not make one. */
const fellSilent = ({ event }: Edge): boolean => event.kind === "wire.master-gone" && event.reason !== "priority-zero";

function moreExact(edge: Edge, rank: Rank, than: Edge, thanRank: Rank, near?: Edge): boolean {
  if (edge.uncertaintyUs !== than.uncertaintyUs) return edge.uncertaintyUs < than.uncertaintyUs;
  if (rank !== thanRank) return RANKS.indexOf(rank) < RANKS.indexOf(thanRank);
  if (!near) return false;
  const [a, b] = [Math.abs(edge.ts - near.ts), Math.abs(than.ts - near.ts)];
  return a !== b ? a < b : edge.ts !== than.ts ? edge.ts < than.ts : edge.event.id < than.event.id;
}

/** @param states  of the instance by its log and by dumps */
function toClaim(node: string, group: readonly Member[], states: readonly LogSpan[]): Claim {
  const first = group[0] as Member;
  const open = group.filter(({ to }) => to === null);
  const ends = group.flatMap(({ to }) => (to ? [to] : []));
  // It went on for as long as any source says, and may have gone on for as long as any of them leaves open.
  const end = open.length > 0 ? null : Math.max(...ends.map(({ ts }) => ts));
  const edges = group.flatMap(({ seen }) => seen);
  return {
    node,
    start: first.from.ts,
    startUncertaintyUs: first.from.uncertaintyUs,
    end,
    endUncertaintyUs: end === null ? 0 : Math.max(...ends.map(latestEnd)) - end,
    certainTo: Math.max(...group.map(({ certainTo }) => certainTo)),
    endKnown: end === null || ends.some(({ known }) => known),
    zombieFrom: zombieFrom(group, states),
    heardOnly: group.every(({ rank }) => rank === "heard"),
    events: [...new Map(edges.map((event) => [event.id, event])).values()],
  };
}

/**
 * The kernel still has the VIP, the daemon's mastership is over by more than what two sources may differ: a log has whole seconds,
 * and who saw the process gone saw it after the addresses that it took down itself.
 */
function zombieFrom(group: readonly Member[], states: readonly LogSpan[]): number | null {
  const kernel = group.filter(({ rank }) => rank === "kernel");
  if (kernel.length === 0) return null;
  const heldTo = Math.max(...kernel.map(({ certainTo }) => certainTo));
  const heldFrom = Math.min(...kernel.map(({ from }) => from.ts));
  const wireTo = Math.max(
    Number.NEGATIVE_INFINITY,
    ...group.filter(({ rank }) => rank === "wire" || rank === "heard").map(({ certainTo }) => certainTo),
  );
  const notMaster = states.find(({ state, from, to }) => {
    if (state === "MASTER") return false;
    const since = Math.max(heldFrom, latestEnd(from));
    const slackUs = from.event.kind === "process.gone" ? DENIAL_LAG_US : SAME_EDGE_SLACK_US;
    return Math.min(heldTo, to?.ts ?? heldTo) - since > slackUs && wireTo < since + slackUs;
  });
  return notMaster ? Math.max(heldFrom, notMaster.from.ts) : null;
}

// --- lanes ---------------------------------------------------------------------------------------------------------------

interface Words {
  readonly log: readonly LogSpan[];
  readonly dump: readonly LogSpan[];
  readonly kernel: readonly Span[];
  readonly wire: readonly Heard[];
  readonly shadow: readonly LogSpan[];
}

function barsOf({ log, dump, kernel, wire, shadow }: Words): Bar[] {
  const bar = (source: Source, state: Bar["state"], { from, to }: Span): Bar => ({
    source,
    state,
    from: from.ts,
    fromUncertaintyUs: from.uncertaintyUs,
    to: to?.ts ?? null,
    toUncertaintyUs: to?.uncertaintyUs ?? 0,
    eventIds: to && to.event.id !== from.event.id ? [from.event.id, to.event.id] : [from.event.id],
  });
  return [
    ...log.map((span) => bar("log", span.state, span)),
    ...dump.map((span) => bar("dump", span.state, span)),
    ...unite(wire.map(({ span }) => span)).map((span) => bar("wire", "MASTER", span)),
    ...kernel.map((span) => bar("kernel", "MASTER", span)),
    ...shadow.map((span) => bar("shadow", span.state, span)),
  ];
}
