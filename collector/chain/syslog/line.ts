import type { SourceLocation } from "../../core/errors.ts";

/** One place where a syslog daemon puts keepalived's lines. */
export interface LogTarget {
  /** `/var/log/messages`, `@loghost`, `:omusrmsg:root`. */
  readonly to: string;
  readonly at: SourceLocation;
  /** Only a run could tell whether the line gets here: its condition asks for more than facility, severity and program. */
  readonly isCertain: boolean;
}

/** What the syslog daemon's rules do with a line of keepalived. */
export interface SyslogRules {
  readonly daemon: "rsyslog" | "syslog-ng" | "syslogd";
  readonly files: readonly string[];
  readonly targets: readonly LogTarget[];
  /** The rule that throws the lines away before another one keeps them. */
  readonly discardedAt?: SourceLocation;
}

/** The line that is looked for: almost all of keepalived's are INFO. */
export interface SyslogLine {
  readonly program: string;
  /** `daemon`, `local0`, … */
  readonly facility: string;
}

/** Worst first. */
export const SEVERITIES: readonly string[] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
