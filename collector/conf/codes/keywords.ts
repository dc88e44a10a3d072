import type { DiagnosticCode } from "./code.ts";

/** Faults of a single keyword: its name, its place, its value. */
export const keywordCodes: readonly DiagnosticCode[] = [
  {
    code: "unknown_keyword",
    severity: "degraded",
    title: "no keyword of this block",
    explanation:
      "The line is ignored, without a message up to 1.2.19, and the default applies. When it opens a block, the contents are read in the wrong place: typically the instance runs without addresses or with the default priority.",
    fix: "Check its spelling (keywords are case sensitive), and that no brace before it is missing or too many.",
  },
  {
    code: "missing_parameter",
    severity: "fatal",
    title: "a keyword without its value",
    explanation: "keepalived ends when it reads the line, all instances and health checks with it.",
    fix: "Give it a value, or remove the line.",
  },
  {
    code: "vrid_invalid",
    severity: "fatal",
    title: "virtual_router_id is not a number from 1 to 255",
    explanation: "The value is not taken, the instance is left without an id, and the whole daemon ends for it.",
    fix: "Give a number from 1 to 255, the same on all nodes.",
  },
];
