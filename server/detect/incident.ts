import type { Source } from "../../collector/events/event.ts";

export const INCIDENT_KINDS = [
  "split-brain",
  "no-master",
  "startup-failure",
  "flapping",
  "service-down",
  "quorum-lost",
  "shadow-divergence",
  "near-miss",
  "blind-spot",
  "redundancy-lost",
  "config-error",
  "config-drift",
  "vip-conflict",
  "instance-fault",
  "script-failing",
] as const;
export type IncidentKind = (typeof INCIDENT_KINDS)[number];
export const CERTAINTIES = ["suspected", "confirmed"] as const;
export type Certainty = (typeof CERTAINTIES)[number];
export const SEVERITIES = ["info", "warning", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Longest story of an incident, in characters. */
export const STORY_MAX_CHARS = 1_200;

/** One piece of evidence, in order of time. */
export interface Evidence {
  readonly eventId: string;
  readonly node: string;
  readonly source: Source;
  /** Epoch microseconds, as its source dated it. */
  readonly ts: number;
  /** When it happened by the reference's clock, where the node's is known to be off. */
  readonly correctedTs?: number;
  /** `file:lineno` when it is a log line. */
  readonly line?: string;
  /** The raw log line, or one sentence that says what was seen. */
  readonly text: string;
}

/**
 * A detector's conclusion over an interval of event time. A pure function of the set of events, but for what an
 * {@link Incident} adds, which the server keeps through revisions.
 */
export interface IncidentDraft {
  readonly kind: IncidentKind;
  readonly certainty: Certainty;
  readonly severity: Severity;
  readonly cluster: string;
  readonly subject: {
    readonly router?: string;
    readonly instance?: string;
    /** A virtual server, and of one of its real servers also that: `10.99.0.100:80`, `10.99.0.100:80/10.99.0.21:80`. */
    readonly service?: string;
    /** A file, a script or a process of the node, where an incident is about one: `/etc/keepalived/keepalived.conf`. */
    readonly component?: string;
    readonly nodes: readonly string[];
  };
  /** Epoch microseconds: best estimate. */
  readonly start: number;
  /** null while open. */
  readonly end: number | null;
  readonly cause: { readonly code: string; readonly text: string } | null;
  /** One sentence a tired operator understands. */
  readonly summary: string;
  /** One paragraph for people: who was master when, why, and what to look at. At most {@link STORY_MAX_CHARS}; times in UTC. */
  readonly story?: string;
  readonly evidence: readonly Evidence[];
  /** One that is over by itself, once nothing more happens: when, epoch microseconds, and how it is told before and after. */
  readonly fades?: { readonly at: number; readonly open: string; readonly over: string };
}

/** One change of an incident that people were, or could have been, told of. */
export interface Revision {
  readonly revision: number;
  /** What it changed, in a few words. */
  readonly what: string;
  /** The evidence that made it, or what else did. */
  readonly why: string;
}

export interface Incident extends Omit<IncidentDraft, "fades"> {
  /** 32 hex digits. */
  readonly id: string;
  /** From 1, raised with each change. */
  readonly revision: number;
  /** `withdrawn`: later evidence showed that it was none. */
  readonly status: "open" | "resolved" | "withdrawn";
  /** The newest of its revisions, oldest first. Not of one that was concluded at once, or stored by an older keepwatch. */
  readonly revisions?: readonly Revision[];
}

/** What a change of the incidents means to people. */
export interface IncidentChange {
  readonly type: "opened" | "certainty-raised" | "resolved" | "revised" | "withdrawn";
  readonly incident: Incident;
}
