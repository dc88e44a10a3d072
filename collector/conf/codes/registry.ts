import type { DiagnosticSeverity } from "../../events/event.ts";
import { compareReleases, parseRelease, type Release } from "../version.ts";
import { clusterCodes } from "./cluster.ts";
import { chainCodes } from "./chain.ts";
import type { DiagnosticCode } from "./code.ts";
import { keywordCodes } from "./keywords.ts";
import { ruleCodes } from "./rules.ts";
import { serverCodes } from "./servers.ts";
import { syntaxCodes } from "./syntax.ts";

export const ALL_CODES: readonly DiagnosticCode[] = [
  ...syntaxCodes,
  ...keywordCodes,
  ...ruleCodes,
  ...serverCodes,
  ...clusterCodes,
  ...chainCodes,
];

const BY_CODE: ReadonlyMap<string, DiagnosticCode> = new Map(ALL_CODES.map((row) => [row.code, row]));

/** @throws Error when there is no such code: a finding without a row has no page */
export function codeOf(code: string): DiagnosticCode {
  const row = BY_CODE.get(code);
  if (!row) throw new Error(`diagnostic code ${code} has no row in collector/conf/codes`);
  return row;
}

/** What this release of keepalived does about it. */
export function severityOf(code: string, release: Release): DiagnosticSeverity {
  const { severity } = codeOf(code);
  if (typeof severity === "string") return severity;
  let found = severity[0]?.[1] ?? "hint";
  for (const [since, next] of severity) {
    const from = parseRelease(since);
    if (from && compareReleases(from, release) <= 0) found = next;
  }
  return found;
}
