import type { DiagnosticSeverity } from "../../collector/events/event.ts";
import { columnsOf, frameOf, harmless, secretNames } from "./frame.ts";
import { type LintDiagnostic, type LintedNode, type LintReport, SEVERITIES } from "./lint.ts";

/** Columns of the output. */
const WIDTH = 100;
/** Findings of one code that are shown in full, a file; the rest is named by its lines. JSON has them all. */
const SHOWN_MAX = 5;
/** Lines that are named of the rest. */
const LINES_MAX = 12;

type Paint = (style: Style, text: string) => string;
type Style = "bold" | "dim" | DiagnosticSeverity | "good";

const ANSI: Readonly<Record<Style, string>> = {
  bold: "1",
  dim: "2",
  fatal: "1;31",
  "instance-lost": "31",
  degraded: "33",
  hint: "36",
  good: "32",
};

const inColour: Paint = (style, text) => (text === "" ? "" : `\u001b[${ANSI[style]}m${text}\u001b[0m`);
const plain: Paint = (_style, text) => text;

/** The report for people. */
export function printText(report: LintReport, options: { readonly colour: boolean }): string {
  const paint = options.colour ? inColour : plain;
  const isCluster = report.nodes.length > 1;
  const parts = report.nodes.map((node) => printNode(node, isCluster, paint));
  return `${[...parts, summary(report, paint)].join("\n")}\n`;
}

function printNode(node: LintedNode, isCluster: boolean, paint: Paint): string {
  const { subject, chain, files } = node;
  const { release, releaseWhy } = subject;
  const name = isCluster && subject.node !== undefined && subject.node !== subject.title ? `${subject.node}: ` : "";
  const lines = [
    paint("bold", harmless(`${name}${subject.title}`)),
    ...wrapped(`as keepalived ${release.join(".")} reads it (${releaseWhy})`, "  "),
    ...chain.flatMap((line) => wrapped(line, "  ", "      ")).map((line) => paint("dim", line)),
    "",
  ];
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const names = new Set(files.flatMap(({ text }) => [...secretNames(text)]));
  const textOf = (file: string): string | undefined => texts.get(file) ?? subject.textOf(file);
  for (const [file, diagnostics] of byFile(node.diagnostics)) {
    const rows = linesOf(textOf(file));
    const shown = new Map<string, number>();
    const rest = new Map<string, LintDiagnostic[]>();
    for (const one of diagnostics) {
      const count = (shown.get(one.code) ?? 0) + 1;
      shown.set(one.code, count);
      if (count > SHOWN_MAX) rest.set(one.code, [...(rest.get(one.code) ?? []), one]);
      else lines.push(...printOne(one, { rows, names }, paint), "");
    }
    for (const [code, more] of rest) lines.push(...printRest(file, code, more, paint), "");
  }
  return lines.join("\n");
}

/** The file a finding is in. */
interface Source {
  readonly rows: readonly string[];
  /** Definitions whose values are secrets. */
  readonly names: ReadonlySet<string>;
}

function printOne(one: LintDiagnostic, source: Source, paint: Paint): string[] {
  const { file, line, column, severity, code, message, fix, hasNoLine } = one;
  const place = hasNoLine ? file : `${file}:${line}:${column}`;
  const head = `${harmless(place)}: ${paint(severity, severity)} ${paint("bold", code)}`;
  const row = hasNoLine ? undefined : source.rows[line - 1];
  const gutter = String(line).length;
  const frame = row === undefined || row.trim() === "" ? [] : framed(row, source, one, gutter, paint);
  return [
    head,
    ...frame,
    ...wrapped(message, "  "),
    ...(fix === undefined ? [] : wrapped(`fix: ${fix}`, "  ", "       ")),
  ];
}

function framed(
  row: string,
  { rows, names }: Source,
  { line, column, severity }: LintDiagnostic,
  gutter: number,
  paint: Paint,
): string[] {
  const before = rows.slice(Math.max(0, line - 20), line - 1).findLast((text) => text.trim() !== "") ?? "";
  const { text, indent, width } = frameOf(row, before, column, WIDTH - gutter - 5, names);
  return [
    `  ${paint("dim", `${line} |`)} ${text}`,
    `  ${paint("dim", `${" ".repeat(gutter)} |`)} ${" ".repeat(indent)}${paint(severity, "^".repeat(width))}`,
  ];
}

function printRest(file: string, code: string, more: readonly LintDiagnostic[], paint: Paint): string[] {
  const lines = more.slice(0, LINES_MAX).map(({ line }) => line);
  const others = more.length > lines.length ? ", …" : "";
  const severity = more[0]?.severity ?? "hint";
  return [
    `${harmless(file)}: ${paint(severity, severity)} ${paint("bold", code)}`,
    ...wrapped(
      `${more.length} more of these, in ${lines.length === 1 ? "line" : "lines"} ${lines.join(", ")}${others}`,
      "  ",
    ),
  ];
}

function summary({ nodes, diagnostics, errors }: LintReport, paint: Paint): string {
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const read = [
    count(
      nodes.reduce((sum, { files }) => sum + files.length, 0),
      "file",
    ),
    count(
      nodes.reduce((sum, { config }) => sum + config.instances.length, 0),
      "VRRP instance",
    ),
    count(
      nodes.reduce((sum, { config }) => sum + config.virtualServers.length, 0),
      "virtual server",
    ),
  ].join(", ");
  const found = SEVERITIES.flatMap((severity) => {
    const n = diagnostics.filter((one) => one.severity === severity).length;
    return n === 0 ? [] : [paint(severity, severity === "hint" ? count(n, "hint") : `${n} ${severity}`)];
  });
  const unread = errors.length > 0 ? `, ${count(errors.length, "input")} not read` : "";
  if (found.length === 0) return `${paint("good", "no fault found")} (${read}${unread})`;
  return `${found.join(", ")} (${read}${unread})\nkeepwatch lint --explain CODE tells more about one of them`;
}

function byFile(diagnostics: readonly LintDiagnostic[]): Map<string, LintDiagnostic[]> {
  const files = new Map<string, LintDiagnostic[]>();
  for (const one of diagnostics) {
    const list = files.get(one.file);
    if (list) list.push(one);
    else files.set(one.file, [one]);
  }
  return files;
}

const linesOf = (text: string | undefined): readonly string[] => (text ?? "").split(/\r?\n/);

/** Cut into lines of the output's width, at blanks. */
function wrapped(text: string, indent: string, next = indent): string[] {
  const lines: string[] = [];
  let line = indent;
  let width = indent.length;
  let isEmpty = true;
  for (const word of harmless(text).trim().split(/ /)) {
    const columns = widthOf(word);
    if (!isEmpty && width + 1 + columns > WIDTH) {
      lines.push(line.trimEnd());
      line = next;
      width = next.length;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    width += columns + (isEmpty ? 0 : 1);
    isEmpty = false;
  }
  return [...lines, line.trimEnd()];
}

function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += columnsOf(char.codePointAt(0) ?? 0);
  return width;
}
