import { evidenceOfCauses } from "./causes/cause.ts";
import { masterships, storyOf } from "./causes/story.ts";
import { explainTwoMasters } from "./causes/two-masters.ts";
import type { Claim } from "./claims.ts";
import { clock, duration, evidenceList, lasting, listed, routerName } from "./describe.ts";
import { endOf, type Detector, type RouterView } from "./detector.ts";
import type { Certainty, IncidentDraft } from "./incident.ts";
import { EDGE_LAG_US, OVERLAP_INTERVALS, WIRE_GONE_MARGIN_US } from "./options.ts";

/** Two nodes master of one router at once, for longer than a takeover can explain. The formulas are in README.md. */
export const splitBrain: Detector = { kind: "split-brain", scope: "router", detect };

interface Overlap {
  readonly certainty: Certainty;
  readonly start: number;
  readonly end: number | null;
  readonly claims: readonly Claim[];
}

/** Two masterships that certainly were at once, for however short a time. */
interface Piece extends Omit<Overlap, "certainty"> {
  readonly certainFrom: number;
  readonly certainTo: number;
  /** It has to last longer than this. */
  readonly tauUs: number;
}

function detect(view: RouterView): IncidentDraft[] {
  const claims = view.nodes
    .flatMap((node) => node.claims)
    .sort((a, b) => a.start - b.start || (a.node < b.node ? -1 : 1));
  const pieces: Piece[] = [];
  const possible: Overlap[] = [];
  for (const [index, claim] of claims.entries())
    for (const later of claims.slice(index + 1)) {
      if (later.start > latest(claim)) break;
      if (later.node === claim.node) continue;
      const piece = pieceOf(claim, later, view);
      if (piece.certainTo > piece.certainFrom) pieces.push(piece);
      if (isPossible(piece, view)) possible.push({ ...piece, certainty: "suspected" });
    }
  return joinOverlaps([...certainOf(pieces), ...possible], toleranceUs(view)).map((overlap) => toDraft(overlap, view));
}

const latest = (claim: Claim): number =>
  claim.end === null ? Number.MAX_SAFE_INTEGER : claim.end + claim.endUncertaintyUs;

const toleranceUs = (view: RouterView): number => OVERLAP_INTERVALS * view.router.advertIntervalUs;

/** How long a node may stay unseen after another took over: never less than a capture needs to report a silent sender. */
export function silentAfterUs(view: RouterView): number {
  return Math.max(view.options.silentAfterUs, 4 * view.router.advertIntervalUs + 2 * WIRE_GONE_MARGIN_US);
}

function pieceOf(a: Claim, b: Claim, view: RouterView): Piece {
  const start = Math.max(a.start, b.start);
  const startLatest = Math.max(a.start + a.startUncertaintyUs, b.start + b.startUncertaintyUs);
  const endLatest = Math.min(latest(a), latest(b));
  const endEarliest = Math.min(endOf(a), endOf(b));
  const open = endEarliest === Number.MAX_SAFE_INTEGER;
  const uncertainty = startLatest - start + (open ? 0 : endLatest - endEarliest);
  return {
    start,
    // A node that came back from the unseen leaves no better end than the moment it was seen again.
    end: open ? null : endEarliest > start ? endEarliest : endLatest,
    claims: [a, b],
    certainFrom: startLatest,
    certainTo: Math.min(a.certainTo, b.certainTo),
    tauUs: Math.max(toleranceUs(view), uncertainty + EDGE_LAG_US),
  };
}

/** Where a third node takes the place of the second there are two masters all the time. */
function certainOf(pieces: readonly Piece[]): Overlap[] {
  const chains: Piece[] = [];
  for (const piece of [...pieces].sort((a, b) => a.certainFrom - b.certainFrom || a.certainTo - b.certainTo)) {
    const last = chains.at(-1);
    if (!last || piece.certainFrom > last.certainTo) chains.push(piece);
    else
      chains[chains.length - 1] = {
        start: Math.min(last.start, piece.start),
        end: last.end === null || piece.end === null ? null : Math.max(last.end, piece.end),
        claims: [...new Set([...last.claims, ...piece.claims])],
        certainFrom: last.certainFrom,
        certainTo: Math.max(last.certainTo, piece.certainTo),
        tauUs: Math.min(last.tauUs, piece.tauUs),
      };
  }
  return chains
    .filter(({ certainFrom, certainTo, tauUs }) => certainTo - certainFrom > tauUs)
    .map((chain) => ({ ...chain, certainty: "confirmed" }));
}

/** While one side is open and not seen that far, its word may only be late. */
function isPossible({ start, claims, tauUs }: Piece, view: RouterView): boolean {
  const silentUs = silentAfterUs(view);
  const endLatest = Math.min(...claims.map(latest));
  const isSettled = claims.every(({ end }) => end !== null) || view.horizon - start > silentUs;
  return isSettled && Math.min(endLatest, view.horizon) - start > Math.min(tauUs, silentUs);
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
  const explanation = explainTwoMasters({ view, ...overlap });
  const { code, text } = explanation.cause;
  const both = names.length === 2 ? "both" : "all";
  const verb = overlap.certainty === "confirmed" ? `were ${both}` : `were possibly ${both}`;
  const when = overlap.end === null ? `are ${overlap.certainty === "confirmed" ? "" : "possibly "}${both}` : verb;
  const router = routerName(view.router);
  return {
    kind: "split-brain",
    certainty: overlap.certainty,
    severity: "critical",
    cluster: view.router.cluster,
    subject: { router: view.router.id, nodes: names },
    start: overlap.start,
    end: overlap.end,
    cause: { code, text },
    summary: `${listed(names)} ${when} master of ${router} ${lasting(overlap.start, overlap.end)}: ${text}.`,
    story: storyOf(
      [
        ...masterships(router, overlap.claims, overlap.start, view.nodes),
        `${listed(names)} ${when} master ${overlap.end === null ? `since ${clock(overlap.start)}` : `for ${duration(overlap.end - overlap.start)} from ${clock(overlap.start)}`}`,
      ],
      explanation,
    ),
    evidence: evidenceList([...overlap.claims.flatMap((claim) => claim.events), ...evidenceOfCauses(explanation)]),
  };
}
