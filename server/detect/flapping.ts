import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Claim } from "./claims.ts";
import { evidenceList, instant, listed, routerName } from "./describe.ts";
import type { Detector, RouterView } from "./detector.ts";
import type { IncidentDraft } from "./incident.ts";

/** Penalty of one change of ownership (RFC 2439). */
export const PENALTY = 1_000;
/** Flapping begins when the penalty reaches this. */
export const OPEN_AT = 3_000;
/** It is over when the penalty has decayed to this. */
export const CLOSE_AT = 1_500;
/** Real flaps have periods from seconds to hours: the same rule is applied twice. */
export const HALF_LIVES_US: readonly number[] = [600 * US_PER_SECOND, 6 * 3600 * US_PER_SECOND];

/** Ownership of a router changes again and again: each change costs, and the cost decays. One failover and its failback are two changes, and no flapping. */
export const flapping: Detector = { kind: "flapping", scope: "router", detect };

interface Run {
  readonly start: number;
  /** null: the penalty had not decayed by the horizon. */
  readonly end: number | null;
  readonly changes: readonly Claim[];
}

function detect(view: RouterView): IncidentDraft[] {
  const changes = changesOf(view);
  const runs = HALF_LIVES_US.flatMap((halfLifeUs) => runsOf(changes, halfLifeUs, view.horizon));
  return union(runs).map((run) => toDraft(run, view));
}

/** Masterships that began on another node than the one before. Two nodes that both stay master change nothing. */
function changesOf(view: RouterView): Claim[] {
  const claims = view.nodes
    .filter(({ real }) => real)
    .flatMap((node) => node.claims)
    .sort((a, b) => a.start - b.start || (a.node < b.node ? -1 : 1));
  return claims.filter((claim, i) => i > 0 && claims[i - 1]?.node !== claim.node);
}

function runsOf(changes: readonly Claim[], halfLifeUs: number, horizon: number): Run[] {
  const runs: Run[] = [];
  let penalty = 0;
  let last = 0;
  let open: { start: number; changes: Claim[] } | undefined;
  /** The changes that led up to the opening are its evidence. */
  let recent: Claim[] = [];
  const closesAt = (): number => last + halfLifeUs * Math.log2(penalty / CLOSE_AT);
  for (const change of changes) {
    if (open && closesAt() <= change.start) {
      runs.push({ start: open.start, end: Math.round(closesAt()), changes: open.changes });
      open = undefined;
      recent = [];
    }
    penalty = penalty * 2 ** (-(change.start - last) / halfLifeUs) + PENALTY;
    last = change.start;
    recent = [...recent, change].filter(({ start }) => change.start - start < 4 * halfLifeUs);
    if (open) open.changes.push(change);
    else if (penalty >= OPEN_AT) open = { start: change.start, changes: recent };
  }
  if (open)
    runs.push({ start: open.start, end: closesAt() <= horizon ? Math.round(closesAt()) : null, changes: open.changes });
  return runs;
}

/** What both half-lives see is one incident. */
function union(runs: readonly Run[]): Run[] {
  const joined: Run[] = [];
  for (const run of [...runs].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (!last || (last.end !== null && last.end < run.start)) joined.push(run);
    else
      joined[joined.length - 1] = {
        start: last.start,
        end: last.end === null || run.end === null ? null : Math.max(last.end, run.end),
        changes: [...new Set([...last.changes, ...run.changes])],
      };
  }
  return joined;
}

function toDraft({ start, end, changes }: Run, view: RouterView): IncidentDraft {
  const nodes = [...new Set(changes.map(({ node }) => node))].sort();
  const first = changes.reduce((earliest, claim) => Math.min(earliest, claim.start), start);
  const text = `mastership changed ${changes.length} times since ${instant(first)}`;
  return {
    kind: "flapping",
    certainty: "confirmed",
    severity: "warning",
    cluster: view.router.cluster,
    subject: { router: view.router.id, nodes },
    start,
    end,
    cause: { code: "ownership", text },
    summary: `${routerName(view.router)} ${end === null ? "flaps" : "flapped"} between ${listed(nodes)}: ${text}.`,
    evidence: evidenceList(changes.flatMap(({ events }) => events)),
  };
}
