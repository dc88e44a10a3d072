import type { DiagnosticCode } from "./code.ts";

/** Faults of the text itself: words, quotes, braces, includes, definitions. */
export const syntaxCodes: readonly DiagnosticCode[] = [
  {
    code: "unterminated_quote",
    severity: "degraded",
    title: "a double quote is not closed on its line",
    explanation: "A quoted word ends with its line. What follows the quote, a brace or a comment, is part of the word.",
    fix: "Close the quote on the same line.",
  },
  {
    code: "missing_brace_close",
    severity: "degraded",
    title: "a block is not closed",
    explanation:
      "keepalived says how many braces are missing and goes on: blocks that follow are read inside the open one, and two instances may merge into one with the second's id and both sets of addresses.",
    fix: "Close the block. A # or ! in a value begins a comment and can swallow a brace.",
  },
  {
    code: "extra_brace_close",
    severity: "degraded",
    title: "a closing brace too many",
    explanation: "The block ends earlier than it seems to: what follows is read as keywords of the enclosing block.",
    fix: "Remove it, or add the opening brace that is missing before it.",
  },
  {
    code: "unexpected_brace",
    severity: "degraded",
    title: "a brace opens a block that has no keyword",
    explanation: "The contents are read as if they stood in the block around them.",
    fix: "Remove the brace, or name the block.",
  },
  {
    code: "include_depth",
    severity: "degraded",
    title: "files include each other without end",
    explanation: "A file that includes itself is read until keepalived has no file descriptors left.",
    fix: "Remove the file that includes itself.",
  },
  {
    code: "include_no_match",
    severity: "degraded",
    title: "an include matches no file",
    explanation:
      "keepalived logs it (since 1.2.21) and starts all the same, without what should stand there. The path is relative to the folder of the including file.",
    fix: "Check the path; includem, includew or include_check (2.2.0) make it an error.",
  },
  {
    code: "file_unreadable",
    severity: "degraded",
    title: "an included file cannot be read",
    explanation: "The file is skipped with a message, and keepalived starts without it.",
    fix: "Check that it is a regular file, readable by root and without an execute bit.",
  },
];
