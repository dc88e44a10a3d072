import { type EpochUs, formatEpochUs, US_PER_SECOND } from "../../collector/core/time.ts";
import type { Delivery } from "../api/types.ts";
import {
  type Certainty,
  type Evidence,
  type Incident,
  type IncidentKind,
  type Severity,
  STORY_MAX_CHARS,
} from "../detect/incident.ts";

/** Most evidence lines in one message; the rest is behind the link. */
export const EVIDENCE_LINES_MAX = 10;
/** Longest line in a message, in characters. */
export const LINE_MAX_CHARS = 500;
/** Longest title, in characters: it is a mail's subject too. */
export const TITLE_MAX_CHARS = 200;

/** What people are told of one change of one incident, the same whatever carries it. Every text is one clean line. */
export interface Message {
  readonly incidentId: string;
  readonly revision: number;
  readonly event: Delivery["event"];
  /** A resolved-type message about an incident that was none. */
  readonly withdrawn: boolean;
  readonly kind: IncidentKind;
  readonly severity: Severity;
  readonly certainty: Certainty;
  readonly cluster: string;
  readonly router: string | null;
  readonly instance: string | null;
  readonly service: string | null;
  readonly nodes: readonly string[];
  readonly start: EpochUs;
  /** null unless it is over. */
  readonly end: EpochUs | null;
  /** `CRITICAL split-brain default/ipv4/51: lb1 and lb2 both act as master`. */
  readonly title: string;
  readonly summary: string;
  /** Who was master when, why, and what to look at; null where the incident has no story. */
  readonly story: string | null;
  readonly when: string;
  readonly who: string;
  /** The cause, or that none is known. */
  readonly why: string;
  /** Short and stable, for programs. */
  readonly causeCode: string | null;
  /** Oldest first, at most {@link EVIDENCE_LINES_MAX}. */
  readonly evidence: readonly string[];
  /** Evidence that is left out here. */
  readonly evidenceLeftOut: number;
  readonly link: string;
  /** That it follows from a planned stop, and so has less severity; null where it does not. */
  readonly planned: string | null;
}

/**
 * @param told  when the change was noticed: the end of an incident that is withdrawn without one
 * @param publicUrl  where people reach the web timeline, with or without a slash at its end
 */
export function describe(incident: Incident, event: Delivery["event"], told: EpochUs, publicUrl: string): Message {
  const over = event === "resolved";
  const withdrawn = over && incident.status === "withdrawn";
  const end = over ? ((incident.end ?? told) as EpochUs) : null;
  const start = incident.start as EpochUs;
  const { router, instance, service, nodes } = incident.subject;
  const evidence = mostTelling(incident.evidence);
  const summary = oneLine(incident.summary);
  return {
    incidentId: incident.id,
    revision: incident.revision,
    event,
    withdrawn,
    kind: incident.kind,
    severity: incident.severity,
    certainty: incident.certainty,
    cluster: oneLine(incident.cluster),
    router: router === undefined ? null : oneLine(router),
    instance: instance === undefined ? null : oneLine(instance),
    service: service === undefined ? null : oneLine(service),
    nodes: nodes.map((node) => oneLine(node)),
    start,
    end,
    title: cut(
      `${headline(incident, event, withdrawn)} ${incident.kind} ${subjectOf(incident)}: ${summary}`,
      TITLE_MAX_CHARS,
    ),
    summary: withdrawn
      ? cut(`Withdrawn: later evidence shows that this was none. It was reported as: ${summary}`, LINE_MAX_CHARS)
      : summary,
    story: incident.story === undefined || withdrawn ? null : oneLine(incident.story, STORY_MAX_CHARS),
    when: whenText(start, end),
    who: whoText(incident),
    why: incident.cause ? oneLine(incident.cause.text) : "not known from the evidence so far",
    causeCode: incident.cause ? oneLine(incident.cause.code) : null,
    evidence: evidence.map(evidenceLine),
    evidenceLeftOut: incident.evidence.length - evidence.length,
    link: linkTo(incident, publicUrl),
    planned: null,
  };
}

/**
 * Log text is hostile. Control and format characters (line breaks, escape sequences, bidirectional overrides, lone
 * surrogates) become spaces, runs of spaces one space, and what is too long is cut.
 */
export function oneLine(text: string, maxChars: number = LINE_MAX_CHARS): string {
  // Cut once before the patterns run, so that their cost is bounded; spaces may shrink the rest further.
  const bounded = text.slice(0, maxChars * 4);
  return cut(
    bounded
      .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, " ")
      .replaceAll(/\s+/gu, " ")
      .trim(),
    maxChars,
  );
}

/** Cuts between code points, never inside a surrogate pair. */
function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const kept = text.slice(0, maxChars - 1);
  return `${kept.replace(/[\uD800-\uDBFF]$/, "")}…`;
}

function headline(incident: Incident, event: Delivery["event"], withdrawn: boolean): string {
  if (withdrawn) return "WITHDRAWN";
  if (event === "resolved") return "RESOLVED";
  if (event === "reminder") return `STILL ${incident.severity.toUpperCase()}`;
  const severity = incident.severity.toUpperCase();
  if (event === "certainty-raised") return `${severity} now ${incident.certainty}:`;
  return incident.certainty === "suspected" ? `${severity} suspected` : severity;
}

/** The router when there is one, else what else tells a reader where to look. */
function subjectOf({ subject, cluster }: Incident): string {
  if (subject.router !== undefined) return oneLine(subject.router, 100);
  const parts = [cluster, subject.service, subject.instance].filter((part) => part !== undefined);
  return oneLine(parts.join("/"), 100);
}

/** `split-brain of default/ipv4/51`: one incident among others, in a sentence. */
export const nameOf = (incident: Incident): string => `${incident.kind} of ${subjectOf(incident)}`;

function whenText(start: EpochUs, end: EpochUs | null): string {
  if (end === null) return `since ${formatEpochUs(start)}`;
  return `${formatEpochUs(start)} to ${formatEpochUs(end)} (${((end - start) / US_PER_SECOND).toFixed(3)} s)`;
}

function whoText({ subject, cluster }: Incident): string {
  const nodes = subject.nodes.length > 0 ? subject.nodes.join(", ") : "no node named";
  const instance = subject.instance === undefined ? "" : `, instance ${subject.instance}`;
  return oneLine(`${nodes} (cluster ${cluster}${instance})`);
}

/** How it began and how it ended say most. */
function mostTelling(evidence: readonly Evidence[]): readonly Evidence[] {
  if (evidence.length <= EVIDENCE_LINES_MAX) return evidence;
  const half = EVIDENCE_LINES_MAX / 2;
  return [...evidence.slice(0, half), ...evidence.slice(-half)];
}

function evidenceLine({ ts, node, source, text, line }: Evidence): string {
  const place = line === undefined ? "" : ` (${oneLine(line, 120)})`;
  return `${formatEpochUs(ts as EpochUs)} ${oneLine(node, 64)} ${source}: ${oneLine(text, 300)}${place}`;
}

function linkTo(incident: Incident, publicUrl: string): string {
  const query = new URLSearchParams();
  if (incident.subject.router !== undefined) query.set("router", incident.subject.router);
  query.set("incident", incident.id);
  return `${publicUrl.replace(/\/+$/, "")}/?${query}`;
}
