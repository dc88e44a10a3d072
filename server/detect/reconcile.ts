import { eventId } from "../../collector/events/id.ts";
import type { Incident, IncidentChange, IncidentDraft } from "./incident.ts";
import { SAME_INCIDENT_US } from "./options.ts";

/** Gives recomputed drafts the identity of the incidents that people already know. The only part with a history. */

/**
 * An incident's subject without the nodes that a router's or a service's incident may gain. A divergence is one node's own,
 * and a node may have several; so is what is about one of its files or scripts.
 */
export function subjectKey({ kind, cluster, subject, cause }: IncidentDraft): string {
  if (subject.component !== undefined)
    return [kind, cluster, subject.nodes.join(), subject.router, subject.component].join("|");
  if (kind === "shadow-divergence")
    return [kind, cluster, subject.nodes.join(), subject.router, subject.instance, subject.service, cause?.code].join(
      "|",
    );
  return [kind, cluster, subject.router ?? subject.service ?? subject.nodes.join()].join("|");
}

export interface Reconciled {
  readonly incidents: readonly Incident[];
  readonly changes: readonly IncidentChange[];
}

/**
 * @param known         all incidents of the cluster, withdrawn ones included
 * @param mayWithdraw   false for one whose evidence is not (or no longer) at hand
 */
export function reconcile(
  known: readonly Incident[],
  drafts: readonly IncidentDraft[],
  mayWithdraw: (incident: Incident) => boolean,
): Reconciled {
  const matches = matchAll(known, drafts);
  const taken = new Set(known.map(({ id }) => id));
  const changes: IncidentChange[] = [];
  const incidents: Incident[] = [];
  for (const draft of drafts) {
    const before = matches.get(draft);
    const incident = before ? revise(before, draft) : open(draft, taken);
    const type = changeOf(before, incident);
    if (type) changes.push({ type, incident });
    incidents.push(incident);
  }
  const matched = new Set(matches.values());
  for (const before of known) {
    if (matched.has(before)) continue;
    if (before.status === "withdrawn" || !mayWithdraw(before)) incidents.push(before);
    else {
      const incident: Incident = { ...before, status: "withdrawn", revision: before.revision + 1 };
      changes.push({ type: "withdrawn", incident });
      incidents.push(incident);
    }
  }
  return { incidents, changes };
}

interface Pair {
  readonly draft: IncidentDraft;
  readonly before: Incident;
  readonly rank: readonly number[];
}

/** Best pairs first: a living incident before a withdrawn one, the same subject before the same evidence, the nearest start. */
function matchAll(known: readonly Incident[], drafts: readonly IncidentDraft[]): Map<IncidentDraft, Incident> {
  const pairs: Pair[] = [];
  const keys = new Map(known.map((incident) => [incident, subjectKey(incident)]));
  for (const draft of drafts) {
    const key = subjectKey(draft);
    const evidence = new Set(draft.evidence.map((piece) => piece.eventId));
    for (const before of known) {
      if (before.kind !== draft.kind || !near(draft, before)) continue;
      const same = keys.get(before) === key;
      if (!same && !before.evidence.some((piece) => evidence.has(piece.eventId))) continue;
      pairs.push({
        draft,
        before,
        rank: [Number(before.status === "withdrawn"), Number(!same), Math.abs(draft.start - before.start)],
      });
    }
  }
  pairs.sort((a, b) => compareRanks(a.rank, b.rank) || (a.before.id < b.before.id ? -1 : 1));
  const matches = new Map<IncidentDraft, Incident>();
  const used = new Set<Incident>();
  for (const { draft, before } of pairs) {
    if (matches.has(draft) || used.has(before)) continue;
    matches.set(draft, before);
    used.add(before);
  }
  return matches;
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - (b[index] ?? 0);
  return 0;
}

/** They overlap in time, or begin or end next to each other. */
function near(draft: IncidentDraft, before: IncidentDraft): boolean {
  const end = (incident: IncidentDraft): number => incident.end ?? Number.MAX_SAFE_INTEGER;
  return draft.start <= end(before) + SAME_INCIDENT_US && before.start <= end(draft) + SAME_INCIDENT_US;
}

const statusOf = (draft: IncidentDraft): Incident["status"] => (draft.end === null ? "open" : "resolved");

function open(draft: IncidentDraft, taken: Set<string>): Incident {
  let id = eventId("incident", subjectKey(draft), draft.start);
  for (let copy = 2; taken.has(id); copy += 1) id = eventId("incident", subjectKey(draft), draft.start, copy);
  taken.add(id);
  return { ...draft, id, revision: 1, status: statusOf(draft) };
}

function revise(before: Incident, draft: IncidentDraft): Incident {
  const incident = { ...draft, id: before.id, revision: before.revision, status: statusOf(draft) };
  return visible(before) === visible(incident) ? incident : { ...incident, revision: before.revision + 1 };
}

/** What people see of an incident. More evidence of the same is no news. */
function visible({ status, certainty, severity, start, end, cause, subject, summary }: Incident): string {
  return JSON.stringify([
    status,
    certainty,
    severity,
    start,
    end,
    cause?.code,
    cause?.text,
    subject.router,
    subject.instance,
    subject.component,
    subject.nodes,
    summary,
  ]);
}

function changeOf(before: Incident | undefined, now: Incident): IncidentChange["type"] | undefined {
  if (!before) return "opened";
  if (before.revision === now.revision) return undefined;
  if (before.status !== "open" && now.status === "open") return "opened";
  if (before.status === "withdrawn") return "opened";
  if (before.status === "open" && now.status === "resolved") return "resolved";
  return before.certainty === "suspected" && now.certainty === "confirmed" ? "certainty-raised" : "revised";
}
