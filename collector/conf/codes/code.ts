import type { DiagnosticSeverity } from "../../events/event.ts";

/** From a release on, until the next row's. The first row holds for everything older as well. */
export type SeveritySince = readonly [since: string, severity: DiagnosticSeverity];

/** What can be wrong with a node's configuration. One row a code; the page for people is made from the rows. */
export interface DiagnosticCode {
  /** Stable, snake_case. The same as the log grammar's, where keepalived logs the same fault. */
  readonly code: string;
  /** What keepalived does about it: one for every release, or by release where it changed. */
  readonly severity: DiagnosticSeverity | readonly SeveritySince[];
  /** A few words. */
  readonly title: string;
  /** What keepalived really does, and why that hurts: two or three sentences, with the releases where they matter. */
  readonly explanation: string;
  /** What to do, in general; a finding may say it more exactly. */
  readonly fix: string;
}
