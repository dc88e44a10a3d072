import { duration, instant, listed } from "./describe.ts";
import type { Evidence, Incident, Revision } from "./incident.ts";

/** Says what a revision changed, and on what evidence. */

/** Newest revisions an incident tells of. */
export const REVISIONS_TOLD = 20;
/** Most pieces of evidence named as the reason of one revision. */
const REASONS_TOLD = 3;

/** @param now  the incident as it is from this revision on */
export function withRevision(before: Incident | undefined, now: Omit<Incident, "revisions">): Incident {
  const revision: Revision = { revision: now.revision, what: whatChanged(before, now), why: whyChanged(before, now) };
  return { ...now, revisions: [...(before?.revisions ?? []), revision].slice(-REVISIONS_TOLD) };
}

type Told = Omit<Incident, "revisions">;

function whatChanged(before: Told | undefined, now: Told): string {
  if (!before) return `opened as ${now.certainty}`;
  if (now.status === "withdrawn") return "withdrawn: it was none";
  const changes = [
    before.status === "withdrawn" ? "it was one after all" : "",
    before.certainty === now.certainty ? "" : `${before.certainty} → ${now.certainty}`,
    before.severity === now.severity ? "" : `${before.severity} → ${now.severity}`,
    before.start === now.start ? "" : `begins ${moved(before.start, now.start)}`,
    endOf(before, now),
    before.cause?.code === now.cause?.code
      ? ""
      : `cause ${before.cause?.code ?? "none"} → ${now.cause?.code ?? "none"}`,
    before.subject.router === now.subject.router ? "" : `router ${before.subject.router} → ${now.subject.router}`,
    before.subject.nodes.join() === now.subject.nodes.join() ? "" : `nodes: ${listed(now.subject.nodes)}`,
  ].filter((change) => change !== "");
  return changes.length > 0 ? changes.join("; ") : "told in other words";
}

function endOf(before: Told, now: Told): string {
  if (before.end === now.end) return "";
  if (now.end === null) return "not over after all";
  return before.end === null ? `over since ${instant(now.end)}` : `ends ${moved(before.end, now.end)}`;
}

const moved = (from: number, to: number): string =>
  `${duration(Math.abs(to - from))} ${to < from ? "earlier" : "later"}`;

/** The evidence that came, or else the evidence that no longer counts; without either it was time that passed. */
function whyChanged(before: Told | undefined, now: Told): string {
  if (now.status === "withdrawn") return "what came since does not go with it";
  const known = new Set(before?.evidence.map(({ eventId }) => eventId));
  const came = now.evidence.filter(({ eventId }) => !known.has(eventId));
  if (came.length > 0) return named(before ? newestOf(came) : came);
  const still = new Set(now.evidence.map(({ eventId }) => eventId));
  const went = before?.evidence.filter(({ eventId }) => !still.has(eventId)) ?? [];
  return went.length > 0 ? `no longer counts: ${named(went)}` : "by what was seen meanwhile";
}

const newestOf = (pieces: readonly Evidence[]): readonly Evidence[] =>
  [...pieces].sort((a, b) => b.ts - a.ts || (a.eventId < b.eventId ? -1 : 1));

function named(pieces: readonly Evidence[]): string {
  const shown = pieces
    .slice(0, REASONS_TOLD)
    .map(({ node, source, ts, text }) => `${node} ${source} ${instant(ts)}: ${text.slice(0, 160)}`);
  const more = pieces.length > REASONS_TOLD ? `; and ${pieces.length - REASONS_TOLD} more` : "";
  return shown.join("; ") + more;
}
