import { isKind, type Event } from "../../collector/events/event.ts";
import type { Claim, NodeView } from "./claims.ts";
import type { WireSpan } from "./evidence.ts";
import { evidenceList, lasting, listed, routerName } from "./describe.ts";
import { endOf, type Detector, type RouterView } from "./detector.ts";
import type { Certainty, IncidentDraft } from "./incident.ts";
import { EDGE_LAG_US, OVERLAP_INTERVALS, WIRE_GONE_MARGIN_US } from "./options.ts";
import { eventsBetween } from "./order.ts";

/** Two nodes master of one router at once, for longer than a takeover can explain. The formulas are in README.md. */
export const splitBrain: Detector = { kind: "split-brain", scope: "router", detect };

interface Overlap {
  readonly certainty: Certainty;
  readonly start: number;
  readonly end: number | null;
  readonly claims: readonly Claim[];
}

function detect(view: RouterView): IncidentDraft[] {
  const claims = view.nodes
    .flatMap((node) => node.claims)
    .sort((a, b) => a.start - b.start || (a.node < b.node ? -1 : 1));
  const overlaps: Overlap[] = [];
  for (const [index, claim] of claims.entries())
    for (const later of claims.slice(index + 1)) {
      if (later.start > latest(claim)) break;
      if (later.node === claim.node) continue;
      const overlap = overlapOf(claim, later, view);
      if (overlap) overlaps.push(overlap);
    }
  return joinOverlaps(overlaps, toleranceUs(view)).map((overlap) => toDraft(overlap, view));
}

const latest = (claim: Claim): number =>
  claim.end === null ? Number.MAX_SAFE_INTEGER : claim.end + claim.endUncertaintyUs;

const toleranceUs = (view: RouterView): number => OVERLAP_INTERVALS * view.router.advertIntervalUs;

/** How long a node may stay unseen after another took over: never less than a capture needs to report a silent sender. */
export function silentAfterUs(view: RouterView): number {
  return Math.max(view.options.silentAfterUs, 4 * view.router.advertIntervalUs + 2 * WIRE_GONE_MARGIN_US);
}

function overlapOf(a: Claim, b: Claim, view: RouterView): Overlap | undefined {
  const start = Math.max(a.start, b.start);
  const startLatest = Math.max(a.start + a.startUncertaintyUs, b.start + b.startUncertaintyUs);
  const endLatest = Math.min(latest(a), latest(b));
  const endEarliest = Math.min(endOf(a), endOf(b));
  const open = endEarliest === Number.MAX_SAFE_INTEGER;
  const uncertainty = startLatest - start + (open ? 0 : endLatest - endEarliest);
  const tau = Math.max(toleranceUs(view), uncertainty + EDGE_LAG_US);
  // A node that came back from the unseen leaves no better end than the moment it was seen again.
  const end = open ? null : endEarliest > start ? endEarliest : endLatest;
  const found = { start, end, claims: [a, b] };
  if (Math.min(a.certainTo, b.certainTo) - startLatest > tau) return { ...found, certainty: "confirmed" };
  const silentUs = silentAfterUs(view);
  const possible = Math.min(endLatest, view.horizon) - start > Math.min(tau, silentUs);
  // While one side is open and not seen that far, its word may only be late.
  const settled = (a.end !== null && b.end !== null) || view.horizon - start > silentUs;
  return possible && settled ? { ...found, certainty: "suspected" } : undefined;
}

/** Overlaps of more than two nodes, or of one node's claims in turn, are one incident. */
function joinOverlaps(overlaps: readonly Overlap[], gapUs: number): Overlap[] {
  const joined: Overlap[] = [];
  for (const overlap of [...overlaps].sort((a, b) => a.start - b.start || (a.end ?? Infinity) - (b.end ?? Infinity))) {
    const last = joined.at(-1);
    if (!last || (last.end !== null && overlap.start > last.end + gapUs)) {
      joined.push(overlap);
      continue;
    }
    joined[joined.length - 1] = {
      certainty: last.certainty === "confirmed" || overlap.certainty === "confirmed" ? "confirmed" : "suspected",
      start: last.start,
      end: last.end === null || overlap.end === null ? null : Math.max(last.end, overlap.end),
      claims: [...new Set([...last.claims, ...overlap.claims])],
    };
  }
  return joined;
}

function toDraft(overlap: Overlap, view: RouterView): IncidentDraft {
  const names = [...new Set(overlap.claims.map(({ node }) => node))].sort();
  const nodes = view.nodes.filter(({ node }) => names.includes(node));
  const { cause, events } = explain(overlap, nodes, view);
  const both = names.length === 2 ? "both" : "all";
  const verb = overlap.certainty === "confirmed" ? `were ${both}` : `were possibly ${both}`;
  const when = overlap.end === null ? `are ${overlap.certainty === "confirmed" ? "" : "possibly "}${both}` : verb;
  return {
    kind: "split-brain",
    certainty: overlap.certainty,
    severity: "critical",
    cluster: view.router.cluster,
    subject: { router: view.router.id, nodes: names },
    start: overlap.start,
    end: overlap.end,
    cause,
    summary: `${listed(names)} ${when} master of ${routerName(view.router)} ${lasting(overlap.start, overlap.end)}: ${cause.text}.`,
    evidence: evidenceList([...overlap.claims.flatMap((claim) => claim.events), ...events]),
  };
}

// --- cause ---------------------------------------------------------------------------------------------------------------

interface Explanation {
  readonly cause: { readonly code: string; readonly text: string };
  readonly events: readonly Event[];
}

const REJECTIONS: Readonly<Record<string, string>> = {
  auth: "the passwords differ",
  "auth-type": "the authentication types differ",
  interval: "the advert intervals differ",
  "vip-list": "the lists of virtual addresses differ",
};

/** Rejected adverts before both were master show why they became so: within a few master-down times of it. */
const BEFORE_OVERLAP_DOWNS = 2;
/** Lines that told of a rejected advert are some, not hundreds, in one incident. */
const REJECTIONS_SHOWN = 6;

function explain(overlap: Overlap, nodes: readonly NodeView[], view: RouterView): Explanation {
  const to = overlap.end ?? view.horizon;
  const zombie = overlap.claims.find(({ zombieFrom }) => zombieFrom !== null && zombieFrom < to);
  if (zombie)
    return {
      cause: {
        code: "zombie-vip",
        text: `${zombie.node} still holds the address although its keepalived is not master`,
      },
      events: [],
    };
  if (overlap.certainty === "suspected")
    return { cause: { code: "unknown", text: "not all of them could be seen well enough to be sure" }, events: [] };
  const from = overlap.start - BEFORE_OVERLAP_DOWNS * view.router.masterDownUs;
  const rejected = nodes.flatMap(({ events }) =>
    eventsBetween(events, from, to).filter((event) => isKind(event, "vrrp.advert-rejected") && aboutUs(event, view)),
  );
  if (rejected.length > 0) return explainRejected(rejected);
  return { cause: explainHearing(overlap, nodes, view), events: [] };
}

const aboutUs = (event: Event & { readonly instance?: string }, view: RouterView): boolean =>
  event.instance === undefined || view.isAbout(event);

function explainRejected(rejected: readonly Event[]): Explanation {
  const counts = new Map<string, number>();
  for (const event of rejected)
    if (isKind(event, "vrrp.advert-rejected")) counts.set(event.reason, (counts.get(event.reason) ?? 0) + 1);
  const [reason] = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0] ?? ["unknown"];
  const nodes = [...new Set(rejected.map(({ node }) => node))].sort();
  const shown = nodes.flatMap((node) => rejected.filter((event) => event.node === node).slice(0, REJECTIONS_SHOWN));
  return {
    cause: {
      code: "adverts-rejected",
      text: `${listed(nodes)} ${nodes.length > 1 ? "reject" : "rejects"} the adverts that arrive: ${REJECTIONS[reason] ?? reason}`,
    },
    events: shown,
  };
}

/** Who heard whom while both were master, by its capture and by its daemon's log. */
function explainHearing(overlap: Overlap, nodes: readonly NodeView[], view: RouterView): Explanation["cause"] {
  // What is heard at the very end is the end: the lines that resolve it are no sign of hearing before.
  const window = {
    from: overlap.start + view.router.advertIntervalUs,
    to: overlap.end === null ? view.horizon : overlap.end - 2 * view.router.advertIntervalUs,
  };
  const names = nodes.map(({ node }) => node);
  const goneDelayUs = 4 * view.router.advertIntervalUs + WIRE_GONE_MARGIN_US;
  const ears = nodes
    .filter(({ real }) => real)
    .map((node) => ({
      node: node.node,
      able: node.captures || node.log.length > 0,
      captured: captured(node, names, window, goneDelayUs),
      logged: logged(node, names, window, view),
      hasLog: node.log.length > 0,
    }));
  const deaf = ears.find((ear) => ear.captured && !ear.logged && ear.hasLog);
  if (deaf)
    return {
      code: "filtered",
      text: `adverts reach ${deaf.node}, but its keepalived does not take note of them: something on the host filters them`,
    };
  const hearing = ears.filter((ear) => ear.captured || ear.logged);
  const [one] = hearing;
  const [other] = ears.filter((ear) => !hearing.includes(ear));
  if (one && other) return { code: "one-way", text: `${one.node} hears the other's adverts, ${other.node} does not` };
  if (ears.length === nodes.length && ears.every(({ able }) => able) && hearing.length === 0)
    return {
      code: "adverts-not-received",
      text: "neither hears the other's adverts, so the network between them is cut or filtered",
    };
  return { code: "unknown", text: "the evidence does not show why" };
}

interface Window {
  readonly from: number;
  readonly to: number;
}

/** An open span says nothing about the time in which a capture cannot yet know of a silence. */
function captured(
  { heard, node, watchedTo }: NodeView,
  names: readonly string[],
  window: Window,
  goneDelayUs: number,
): boolean {
  const lastsTo = (span: WireSpan): number => span.to?.ts ?? watchedTo - goneDelayUs;
  return heard.some(
    ({ sender, span }) =>
      sender !== node && names.includes(sender) && span.from.ts < window.to && lastsTo(span) > window.from,
  );
}

function logged({ events, node }: NodeView, names: readonly string[], window: Window, view: RouterView): boolean {
  return eventsBetween(events, window.from, window.to).some((event) => {
    if (!isKind(event, "vrrp.advert-lower-priority", "vrrp.advert-higher-priority") || !view.isAbout(event))
      return false;
    const sender = event.peer === undefined ? undefined : view.nodeOfAddress(event.peer);
    return sender === undefined || (sender !== node && names.includes(sender));
  });
}
