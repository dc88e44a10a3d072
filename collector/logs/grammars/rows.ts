import type { LineGrammar } from "../grammar.ts";
import { cut } from "../text.ts";
import { MESSAGE_MAX } from "./fields.ts";

/** Rows that differ only in their words. */

/** A message of a table: what it is called, the keepalived files that print it, and its wordings. */
export interface TableRow extends Pick<LineGrammar, "source" | "since" | "until" | "templates" | "named" | "says"> {
  readonly code: string;
}

/** What a hole may hold in a sample, by its name. */
const SAMPLE_VALUES: Readonly<Record<string, string>> = {
  service: "[10.99.0.12]:tcp:80",
  vs: "[10.99.0.100]:tcp:80",
  peer: "10.99.0.12",
};

/** A message for each template. */
export const samplesOf = (templates: readonly string[]): string[] =>
  templates.map((template) =>
    template.replace(/\{(\w+):d\}/g, "7").replace(/\{\*?(\w*)\}/g, (_hole, name: string) => SAMPLE_VALUES[name] ?? "x"),
  );

type ProblemKind =
  | "daemon.error"
  | "daemon.warning"
  | "vrrp.error"
  | "script.error"
  | "check.error"
  | "bfd.error"
  | "netlink.error";

/** Something that went wrong: its words, and the details they hold. */
export const problem =
  (kind: ProblemKind) =>
  ({ code, ...row }: TableRow): LineGrammar => ({
    id: `${kind}.${code}`,
    ...row,
    samples: samplesOf(row.templates),
    toEvent: (_words, { message }) => ({ kind, code, message: cut(message, MESSAGE_MAX) }),
  });

/** A line that is known and says nothing anybody would act on: kept, and not counted as unrecognised. */
export const notice = ({ code, ...row }: TableRow): LineGrammar => ({
  id: `log.notice.${code}`,
  ...row,
  samples: samplesOf(row.templates),
  toEvent: () => ({ kind: "log.notice", code }),
});
