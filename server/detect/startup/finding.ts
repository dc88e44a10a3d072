import { type Event, isKind } from "../../../collector/events/event.ts";
import type { Cause } from "../causes/cause.ts";
import type { Certainty, Severity } from "../incident.ts";

export type EventOf<K extends Event["kind"]> = Extract<Event, { kind: K }>;

/** Something that a start, or a reload, has not led to. */
export interface Finding extends Cause {
  readonly severity: Severity;
  readonly certainty: Certainty;
  readonly start: number;
  /** null while it lasts. */
  readonly end: number | null;
  readonly instance?: string;
}

/** All that a finding may be: they are independent of each other, and several may last at once. */
export const STANDING_CODES: ReadonlySet<string> = new Set([
  "config-not-loaded",
  "reload-refused",
  "instance-missing",
  "orphaned-child",
  "child-missing",
  "nothing-started",
  "daemon_child_missing",
  "daemon_twice",
  "config_file_not_read",
]);

export const isParentEnd = (event: Event): boolean => isKind(event, "daemon.stopped") && event.daemon === "parent";
