import type { DiagnosticCode } from "../../../collector/conf/codes/code.ts";
import { ALL_CODES } from "../../../collector/conf/codes/registry.ts";
import type { DiagnosticSeverity } from "../../../collector/events/event.ts";

/** A configuration in which a code is found, as the page shows it. */
export interface Example {
  readonly code: string;
  readonly line: number;
  readonly message: string;
  readonly text: string;
}

const ABOUT: Readonly<Record<DiagnosticSeverity, string>> = {
  fatal: "keepalived or one of its processes ends",
  "instance-lost": "it runs without that instance or server",
  degraded: "it silently substitutes or ignores something",
  hint: "it works as written, and is risky",
};

/** Lines shown around the one in question. */
const AROUND = 2;

/** The page of all codes. `keepwatch lint --explain CODE` prints one section of it. */
export function pageOf(examples: readonly Example[]): string {
  const exampleOf = new Map(examples.toReversed().map((one) => [one.code, one]));
  const rows = [...ALL_CODES].sort((a, b) => (a.code < b.code ? -1 : 1));
  return `# What can be wrong with a configuration

Made from the tables beside it by \`npm run pages\`; a test sees that both agree. The severity says what keepalived does:

${Object.entries(ABOUT)
  .map(([severity, text]) => `* **${severity}**: ${text}`)
  .join("\n")}

${rows.map((row) => sectionOf(row, exampleOf.get(row.code))).join("\n")}`;
}

function sectionOf({ code, title, severity, explanation, fix }: DiagnosticCode, example: Example | undefined): string {
  const parts = [`## ${code}`, `${sentence(title)}`, `Severity: ${severityText(severity)}`, explanation, `Fix: ${fix}`];
  if (example) parts.push(exampleText(example));
  return `${parts.join("\n\n")}\n`;
}

function severityText(severity: DiagnosticCode["severity"]): string {
  if (typeof severity === "string") return `**${severity}**`;
  return severity
    .map(([since, what], i) => {
      const until = severity[i + 1]?.[0];
      return `**${what}** ${until === undefined ? `from ${since} on` : i === 0 ? `before ${until}` : `from ${since}`}`;
    })
    .join(", ");
}

function exampleText({ line, message, text }: Example): string {
  const rows = text.split("\n");
  const from = Math.max(0, line - 1 - AROUND);
  const shown = rows
    .slice(from, line + AROUND)
    .map((row, i) => `${from + i === line - 1 ? ">" : " "} ${row}`.trimEnd());
  return `Example: ${message}\n\n\`\`\`\n${shown.join("\n")}\n\`\`\``;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
