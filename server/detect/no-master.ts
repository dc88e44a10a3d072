import { isKind, type Event } from "../../collector/events/event.ts";
import { evidenceOfCauses } from "./causes/cause.ts";
import { explainNoMaster } from "./causes/no-master.ts";
import { masterships, storyOf } from "./causes/story.ts";
import type { Claim, NodeView } from "./claims.ts";
import { clock, day, duration, evidenceList, lasting, routerName } from "./describe.ts";
import { endOf, type Detector, type RouterView } from "./detector.ts";
import type { LogSpan } from "./evidence.ts";
import type { Certainty, IncidentDraft } from "./incident.ts";
import { OVERLAP_INTERVALS } from "./options.ts";
import { silentAfterUs } from "./split-brain.ts";

/** Nobody claims a router for longer than any backup waits. The formulas are in README.md. */
export const noMaster: Detector = { kind: "no-master", scope: "router", detect };

interface Gap {
  /** The last claim's end, or the first state of a router that never had a master. */
  readonly start: number;
  readonly startLatest: number;
  /** The next claim's begin; null while there is none. */
  readonly end: number | null;
  readonly before: Claim | null;
  readonly after: Claim | null;
}

function detect(view: RouterView): IncidentDraft[] {
  const nodes = view.nodes.filter(({ real }) => real && view.router.realNodes.length > 0);
  if (nodes.length === 0) return [];
  return gapsOf(view, nodes).flatMap((gap) => {
    const certainty = certaintyOf(gap, view, nodes);
    return certainty ? [toDraft(gap, certainty, view, nodes)] : [];
  });
}

function gapsOf(view: RouterView, nodes: readonly NodeView[]): Gap[] {
  const claims = view.nodes
    .flatMap((node) => node.claims)
    .sort((a, b) => a.start - b.start || (a.node < b.node ? -1 : 1));
  const [first] = claims;
  const begin = firstState(nodes);
  const gaps: Gap[] = [];
  if (begin && (!first || begin.from.ts < first.start))
    gaps.push({
      start: begin.from.ts,
      startLatest: begin.from.ts + begin.from.uncertaintyUs,
      end: first?.start ?? null,
      before: null,
      after: first ?? null,
    });
  let last = first;
  for (const claim of claims.slice(1)) {
    if (last && claim.start > latest(last))
      gaps.push({ start: endOf(last), startLatest: latest(last), end: claim.start, before: last, after: claim });
    if (!last || latest(claim) > latest(last)) last = claim;
  }
  if (last && last.end !== null)
    gaps.push({ start: last.end, startLatest: latest(last), end: null, before: last, after: null });
  // Where a capture just ended nobody saw a mastership end.
  return gaps.filter(({ before }) => before?.endKnown ?? true);
}

const latest = (claim: Claim): number =>
  claim.end === null ? Number.MAX_SAFE_INTEGER : claim.end + claim.endUncertaintyUs;

/** The first state of any instance: a router nobody ever mastered should have had one from some time after it. */
function firstState(nodes: readonly NodeView[]): LogSpan | undefined {
  return nodes
    .flatMap(({ log }) => log)
    .filter(({ state }) => state === "BACKUP" || state === "FAULT")
    .sort((a, b) => a.from.ts - b.from.ts || (a.from.event.id < b.from.event.id ? -1 : 1))[0];
}

/**
 * Nobody: when all nodes are seen for longer than a takeover needs. A node that is not seen may have taken over, and a
 * backup that keeps waiting mostly hears a master somewhere: then it is only suspected.
 */
function certaintyOf(gap: Gap, view: RouterView, nodes: readonly NodeView[]): Certainty | undefined {
  const thresholdUs = view.router.masterDownUs + OVERLAP_INTERVALS * view.router.advertIntervalUs;
  const anchor = startWindowOf(gap, thresholdUs, nodes);
  const lasts = (to: number): boolean => Math.min(gap.end ?? Infinity, to) - anchor > thresholdUs;
  const waiting = nodes.filter(
    (node) => !node.captures && node.log.some((span) => waits(span, anchor, anchor + thresholdUs)),
  );
  if (waiting.length > 0 && nodes.length === 1) return undefined;
  const areSeen = nodes.every((node) => !wasUnseen(node, anchor, anchor + thresholdUs));
  if (areSeen && waiting.length === 0 && lasts(Math.min(...nodes.map(({ watchedTo }) => watchedTo))))
    return "confirmed";
  return lasts(view.horizon - silentAfterUs(view)) ? "suspected" : undefined;
}

/** It was a backup all that time: without adverts from somebody it would have become master. */
const waits = ({ state, from, to }: LogSpan, since: number, until: number): boolean =>
  state === "BACKUP" && from.ts <= since && (to === null || to.ts >= until);

/** What a log says is read when its collector runs again; adverts and addresses of the time between are not. */
function wasUnseen({ log, events }: NodeView, from: number, to: number): boolean {
  if (log.length > 0) return false;
  let since: number | undefined;
  for (const { kind, ts } of events) {
    if (kind === "collector.stopped") since ??= ts;
    if (kind !== "collector.started" || since === undefined) continue;
    if (since < to && ts > from) return true;
    since = undefined;
  }
  return since !== undefined && since < to;
}

/** Where nobody was master yet: a daemon that has just started waits its master-down time like everybody else. */
function startWindowOf(gap: Gap, thresholdUs: number, nodes: readonly NodeView[]): number {
  if (gap.before !== null) return gap.startLatest;
  const starts = nodes
    .flatMap(({ log }) => log)
    .filter(({ state, from }) => state === "BACKUP" && isKind(from.event, "vrrp.state") && from.event.initial === true)
    .map(({ from }) => from.ts + from.uncertaintyUs)
    .filter((ts) => ts > gap.startLatest && ts - gap.startLatest <= thresholdUs);
  return Math.max(gap.startLatest, ...starts);
}

function toDraft(gap: Gap, certainty: Certainty, view: RouterView, nodes: readonly NodeView[]): IncidentDraft {
  const to = gap.end ?? view.horizon;
  // A router is without a master from the moment after the last claim; what its nodes are then is the cause.
  const explanation = explainNoMaster({ view, nodes, at: gap.startLatest + 1, to, last: gap.before?.node ?? null });
  const { code, text } = explanation.cause;
  const names = nodes.map(({ node }) => node).sort();
  const has = gap.end === null ? "has" : "had";
  const router = routerName(view.router);
  const around = [gap.before, gap.after].filter((claim) => claim !== null);
  const maybe = certainty === "suspected" ? " as far as can be seen" : "";
  return {
    kind: "no-master",
    certainty,
    severity: code === "stopped" ? "warning" : "critical",
    cluster: view.router.cluster,
    subject: { router: view.router.id, nodes: names },
    start: gap.start,
    end: gap.end,
    cause: { code, text },
    summary: `No node ${has} ${router} ${lasting(gap.start, gap.end)}${maybe}: ${text}.`,
    story: storyOf(
      [
        ...(around.length > 0
          ? masterships(router, around, gap.start, view.nodes)
          : [`${router}, ${day(gap.start)}: no node has been master`]),
        `Nobody ${has} it ${gap.end === null ? `since ${clock(gap.start)}` : `for ${duration(gap.end - gap.start)} from ${clock(gap.start)}`}${maybe}`,
      ],
      explanation,
    ),
    evidence: evidenceList([
      ...(gap.before?.events ?? []),
      ...(gap.after?.events ?? []),
      ...nodes.flatMap(({ log }) => statesIn(log, gap.start, to)),
      ...evidenceOfCauses(explanation),
    ]),
  };
}

function statesIn(log: readonly LogSpan[], from: number, to: number): Event[] {
  return log.filter((span) => span.from.ts <= to && endOfSpan(span) >= from).map((span) => span.from.event);
}

const endOfSpan = ({ to }: LogSpan): number => to?.ts ?? Number.MAX_SAFE_INTEGER;
