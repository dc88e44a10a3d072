import { eventId } from "../../collector/events/id.ts";
import type { Incident, IncidentChange, IncidentDraft } from "./incident.ts";
import { SAME_INCIDENT_US } from "./options.ts";
import { withRevision } from "./revision.ts";
import { STANDING_CODES } from "./startup/finding.ts";

/** Gives recomputed drafts the identity of the incidents that people already know. The only part with a history. */

/**
 * An incident's subject without the nodes that a router's or a service's incident may gain. A divergence is one node's own,
 * and a node may have several; so is what is about one of its instances, files or scripts, and what a start has not led to.
 */
export function subjectKey({ kind, cluster, subject, cause }: IncidentDraft): string {
  if (subject.component !== undefined)
    return [kind, cluster, subject.router ?? subject.nodes.join(), subject.component].join("|");
  if (
    (kind === "startup-failure" && STANDING_CODES.has(cause?.code ?? "")) ||
    kind === "shadow-divergence" ||
    kind === "instance-fault" ||
    (kind === "flapping" && subject.instance !== undefined)
  )
    return [
      kind,
      cluster,
      subject.nodes.join(),
      subject.router,
      subject.instance,
      subject.service,
      // What flaps is the subject; why it does may become known later.
      kind === "flapping" ? undefined : cause?.code,
    ].join("|");
  return [kind, cluster, subject.router ?? subject.service ?? subject.nodes.join()].join("|");
}

/**
 * The incidents people know of one cluster, and which of them each draft is. What a change costs depends on how much changed,
 * not on how many incidents there are.
 */
export class IncidentBook {
  private readonly assigned = new Map<IncidentDraft, Incident>();
  /** Of which no draft is at hand: withdrawn, or known from before a restart. */
  private readonly loose = new Pool();
  /** Over before all that is at hand: no draft will ever be one of them. */
  private readonly settled: readonly Incident[];
  private readonly taken = new Set<string>();

  constructor(known: readonly Incident[], settled: ReadonlySet<Incident> = new Set()) {
    this.settled = [...settled];
    for (const incident of known) {
      this.taken.add(incident.id);
      if (!settled.has(incident)) this.loose.add(incident);
    }
  }

  all(): Incident[] {
    return [...this.settled, ...this.assigned.values(), ...this.loose.all()];
  }

  living(): Incident[] {
    return this.all().filter(({ status }) => status !== "withdrawn");
  }

  /**
   * @param gone         drafts that no longer hold
   * @param fresh        drafts that hold now, and did not before
   * @param mayWithdraw  false for one whose evidence is not (or no longer) at hand
   */
  update(
    gone: readonly IncidentDraft[],
    fresh: readonly IncidentDraft[],
    mayWithdraw: (incident: Incident) => boolean,
  ): readonly IncidentChange[] {
    const changed = this.repeat(gone, fresh);
    const orphans = new Pool();
    for (const draft of changed.gone) {
      const incident = this.assigned.get(draft);
      if (incident) orphans.add(incident);
      this.assigned.delete(draft);
    }
    const matches = matchAll([orphans, this.loose], changed.fresh);
    const changes: IncidentChange[] = [];
    for (const draft of changed.fresh) {
      const before = matches.get(draft);
      const incident = before ? revise(before, draft) : open(draft, this.taken);
      if (before) {
        orphans.delete(before);
        this.loose.delete(before);
      }
      const type = changeOf(before, incident);
      if (type) changes.push({ type, incident });
      this.assigned.set(draft, incident);
    }
    for (const incident of orphans.all()) this.loose.add(incident);
    for (const before of this.loose.all()) {
      if (before.status === "withdrawn" || !mayWithdraw(before)) continue;
      const incident = withdraw(before);
      changes.push({ type: "withdrawn", incident });
      this.loose.delete(before);
      this.loose.add(incident);
    }
    return changes;
  }

  /** Most drafts that are concluded again are the same again. @returns the others */
  private repeat(
    gone: readonly IncidentDraft[],
    fresh: readonly IncidentDraft[],
  ): { readonly gone: readonly IncidentDraft[]; readonly fresh: readonly IncidentDraft[] } {
    const before = new Map(gone.map((draft) => [JSON.stringify(draft), draft]));
    const others = fresh.filter((draft) => {
      const key = JSON.stringify(draft);
      const same = before.get(key);
      const incident = same && this.assigned.get(same);
      if (!same || !incident) return true;
      before.delete(key);
      this.assigned.delete(same);
      this.assigned.set(draft, incident);
      return false;
    });
    const kept = new Set(before.values());
    return { gone: gone.filter((draft) => kept.has(draft)), fresh: others };
  }
}

/** Incidents by what a draft may be recognised by. */
class Pool {
  private readonly incidents = new Set<Incident>();
  private readonly bySubject = new Map<string, Set<Incident>>();
  private readonly byEvidence = new Map<string, Set<Incident>>();

  all(): ReadonlySet<Incident> {
    return this.incidents;
  }

  add(incident: Incident): void {
    this.incidents.add(incident);
    into(this.bySubject, subjectKey(incident), incident);
    for (const { eventId } of incident.evidence) into(this.byEvidence, eventId, incident);
  }

  delete(incident: Incident): void {
    if (!this.incidents.delete(incident)) return;
    outOf(this.bySubject, subjectKey(incident), incident);
    for (const { eventId } of incident.evidence) outOf(this.byEvidence, eventId, incident);
  }

  /** Of the same subject, or with some of the same evidence. */
  like(draft: IncidentDraft): ReadonlySet<Incident> {
    const found = new Set(this.bySubject.get(subjectKey(draft)));
    for (const { eventId } of draft.evidence)
      for (const incident of this.byEvidence.get(eventId) ?? []) found.add(incident);
    return found;
  }
}

function into(index: Map<string, Set<Incident>>, key: string, incident: Incident): void {
  const known = index.get(key);
  if (known) known.add(incident);
  else index.set(key, new Set([incident]));
}

function outOf(index: Map<string, Set<Incident>>, key: string, incident: Incident): void {
  const known = index.get(key);
  known?.delete(incident);
  if (known?.size === 0) index.delete(key);
}

interface Pair {
  readonly draft: IncidentDraft;
  readonly before: Incident;
  readonly rank: readonly number[];
}

/** Best pairs first: a living incident before a withdrawn one, the same subject before the same evidence, the nearest start and end, the same nodes and cause. */
function matchAll(pools: readonly Pool[], drafts: readonly IncidentDraft[]): Map<IncidentDraft, Incident> {
  const pairs: Pair[] = [];
  for (const draft of drafts)
    for (const before of pools.flatMap((pool) => [...pool.like(draft)])) {
      if (before.kind !== draft.kind || !near(draft, before) || isOfAnother(draft, before)) continue;
      const isOther = subjectKey(before) !== subjectKey(draft);
      pairs.push({
        draft,
        before,
        rank: [
          Number(before.status === "withdrawn"),
          Number(isOther),
          Math.abs(draft.start - before.start),
          Math.abs(lastOf(draft) - lastOf(before)),
          Number(draft.subject.nodes.join() !== before.subject.nodes.join()),
          Number(draft.cause?.code !== before.cause?.code),
        ],
      });
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

/** Of the incidents known of a cluster, those that were over before an instant, and are none of what was inherited by it. */
export function settledAt(
  from: number,
  inherited: readonly IncidentDraft[],
  known: readonly Incident[],
): ReadonlySet<Incident> {
  const pool = new Pool();
  for (const incident of known) pool.add(incident);
  const goingOn = new Set(matchAll([pool], inherited).values());
  return new Set(known.filter((incident) => incident.end !== null && incident.end <= from && !goingOn.has(incident)));
}

/** Of one start of a collector both its own silence and what its sources did not see are told: neither becomes the other. */
const isOfAnother = ({ kind, subject }: IncidentDraft, before: IncidentDraft): boolean =>
  kind === "blind-spot" && subject.component !== before.subject.component;

/** They overlap in time, or begin or end next to each other. */
function near(draft: IncidentDraft, before: IncidentDraft): boolean {
  return draft.start <= lastOf(before) + SAME_INCIDENT_US && before.start <= lastOf(draft) + SAME_INCIDENT_US;
}

const lastOf = ({ end }: IncidentDraft): number => end ?? Number.MAX_SAFE_INTEGER;

const statusOf = (draft: IncidentDraft): Incident["status"] => (draft.end === null ? "open" : "resolved");

/** What of it is for people. */
export const told = ({ fades: _fades, ...draft }: IncidentDraft): Omit<IncidentDraft, "fades"> => draft;

function open(draft: IncidentDraft, taken: Set<string>): Incident {
  let id = eventId("incident", subjectKey(draft), draft.start);
  for (let copy = 2; taken.has(id); copy += 1) id = eventId("incident", subjectKey(draft), draft.start, copy);
  taken.add(id);
  return withRevision(undefined, { ...told(draft), id, revision: 1, status: statusOf(draft) });
}

const withdraw = (before: Incident): Incident =>
  withRevision(before, { ...before, status: "withdrawn", revision: before.revision + 1 });

function revise(before: Incident, draft: IncidentDraft): Incident {
  const { id, revision, revisions = [] } = before;
  const incident = { ...told(draft), id, revision, revisions, status: statusOf(draft) };
  if (visible(before) === visible(incident)) return incident;
  return withRevision(before, { ...incident, revision: revision + 1 });
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
