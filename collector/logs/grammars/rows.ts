import type { EventBody } from "../../events/event.ts";
import type { LineGrammar } from "../grammar.ts";
import { cut } from "../text.ts";
import { errno, known, MESSAGE_MAX, NAME_MAX, service } from "./fields.ts";

/** Rows that differ only in their words. */

/** A message of a table: what it is called, where and when it was printed, and its wordings. */
export interface TableRow {
  readonly code: string;
  /** The keepalived files that print it. */
  readonly source: string;
  /** First release of the oldest wording. */
  readonly since: string;
  /** Last release of the newest one, when no release prints it any more. */
  readonly until?: string;
  readonly templates: readonly string[];
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
    template.replace(/\{(\w+):d\}/g, "7").replace(/\{(\*|\w+)\}/g, (_hole, name: string) => SAMPLE_VALUES[name] ?? "x"),
  );

type ProblemKind =
  | "daemon.error"
  | "daemon.warning"
  | "vrrp.error"
  | "script.error"
  | "check.error"
  | "bfd.error"
  | "netlink.error";

/** Something that went wrong and has no more to it than its words. */
export const problem =
  (kind: ProblemKind) =>
  ({ code, ...row }: TableRow): LineGrammar => ({
    id: `${kind}.${code}`,
    ...row,
    samples: samplesOf(row.templates),
    toEvent: (words, { message, instance }): EventBody => {
      const written = { code, message: cut(message, MESSAGE_MAX) };
      const text = (hole: string, max: number): string | undefined => cut(words.text(hole), max) || undefined;
      const of = instance === undefined ? undefined : cut(instance, NAME_MAX);
      switch (kind) {
        case "vrrp.error":
          return {
            kind,
            ...written,
            ...known({ instance: of ?? text("instance", NAME_MAX), interface: text("interface", NAME_MAX) }),
          };
        case "bfd.error":
          return { kind, ...written, ...known({ bfd: text("bfd", NAME_MAX) ?? of }) };
        case "script.error":
          return { kind, ...written, ...known({ script: text("script", MESSAGE_MAX) }) };
        case "check.error":
          return { kind, ...written, ...known({ service: service(words, "service") }) };
        case "netlink.error":
          return { kind, ...written, ...known({ errno: errno(words) }) };
        case "daemon.error":
        case "daemon.warning":
          return { kind, ...written };
      }
    },
  });

/** A line that is known and says nothing anybody would act on: kept, and not counted as unrecognised. */
export const notice = ({ code, ...row }: TableRow): LineGrammar => ({
  id: `log.notice.${code}`,
  ...row,
  samples: samplesOf(row.templates),
  toEvent: () => ({ kind: "log.notice", code }),
});
