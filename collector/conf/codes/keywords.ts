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
    severity: "degraded",
    title: "virtual_router_id is not a number from 1 to 255",
    explanation:
      "The value is not taken, and what stood before it stays. Without another, the instance has no id, which is a finding of its own.",
    fix: "Give a number from 1 to 255, the same on all nodes.",
  },
  {
    code: "value_missing",
    severity: "degraded",
    title: "a keyword without its value, ignored",
    explanation: "keepalived says so and takes nothing from the line: what was set before stays, or the default.",
    fix: "Give it a value, or remove the line.",
  },
  {
    code: "value_invalid",
    severity: "degraded",
    title: "a value that is not taken",
    explanation:
      "keepalived logs it and goes on with what was set before, or with the default. keepalived -t refuses some numbers with something behind them that a real start takes as far as they can be read.",
    fix: "Give a value of the kind and in the range that is named.",
  },
  {
    code: "auth_type_unknown",
    severity: "degraded",
    title: "an authentication type that keepalived does not know",
    explanation:
      "Authentication is off for this instance, and its peers, which have it on, refuse its adverts: both are master.",
    fix: "Write PASS or AH, in capital letters.",
  },
  {
    code: "keyword_second_ignored",
    severity: "degraded",
    title: "a keyword a second time, of which only the first counts",
    explanation:
      "For scripts, fifos and what is watched keepalived keeps what it read first, and logs that it passes over the second. Elsewhere the last one counts: who is used to that changes the wrong line.",
    fix: "Keep one of the two lines.",
  },
  {
    code: "surplus_words",
    severity: "hint",
    title: "words behind a value",
    explanation: "They are ignored without a message.",
    fix: "Remove them; a comment begins with # or !.",
  },
  {
    code: "second_keyword_ignored",
    severity: "degraded",
    title: "two settings on one line",
    explanation:
      "Only the first keyword of a line counts. The second is ignored without a message, and its default applies.",
    fix: "Put each keyword on a line of its own.",
  },
  {
    code: "flag_not_off",
    severity: "degraded",
    title: "a flag that is switched on by switching it off",
    explanation: "The keyword takes no value: its mere presence switches it on, whatever stands behind it.",
    fix: "Remove the line.",
  },
  {
    code: "keyword_repeated",
    severity: "hint",
    title: "a keyword twice in one block",
    explanation: "The last valid value counts, without a message.",
    fix: "Keep one of them.",
  },
  {
    code: "keyword_too_new",
    severity: "degraded",
    title: "a keyword of a later release",
    explanation: "For this release it is an unknown keyword: the line is ignored, without a message up to 1.2.19.",
    fix: "Update keepalived, or remove the line.",
  },
  {
    code: "keyword_removed",
    severity: "degraded",
    title: "a keyword of an earlier release",
    explanation: "This release does not know it any more: the line is ignored.",
    fix: "Remove the line.",
  },
  {
    code: "keyword_misplaced",
    severity: "degraded",
    title: "a keyword in the wrong block",
    explanation:
      "The line is ignored here, and its default applies where it belongs. Several of them in a row mean that a brace before them is missing or too many.",
    fix: "Move it to its block.",
  },
];
