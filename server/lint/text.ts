import type { VirtualRouterProof } from "../../collector/conf/check-cluster.ts";
import { nameOf } from "../../collector/conf/election.ts";
import type { DiagnosticSeverity } from "../../collector/events/event.ts";
import { secretNames } from "../../collector/conf/redact.ts";
import { mayBeSecret } from "../../collector/conf/secret-words.ts";
import { columnsOf, frameOf, harmless } from "./frame.ts";
import { type LintDiagnostic, type LintedNode, type LintReport, SEVERITIES } from "./lint.ts";

/** Columns of the output. */
const WIDTH = 100;
/** Findings of one code that are shown in full, a file; the rest is named by its lines. JSON has them all. */
const SHOWN_MAX = 5;
/** Single failures that are listed, a virtual router. */
const FAILURES_MAX = 20;
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
  if (isCluster) parts.push(printBetween(report, paint));
  return `${[...parts, summary(report, paint)].join("\n")}\n`;
}

function printNode(node: LintedNode, isCluster: boolean, paint: Paint): string {
  const { subject, chain } = node;
  const { release, releaseWhy } = subject;
  const name = isCluster && subject.node !== undefined && subject.node !== subject.title ? `${subject.node}: ` : "";
  const lines = [
    paint("bold", harmless(`${name}${subject.title}`)),
    ...wrapped(`as keepalived ${release.join(".")} reads it (${releaseWhy})`, "  "),
    ...chain.flatMap((line) => wrapped(line, "  ", "      ")).map((line) => paint("dim", line)),
    "",
  ];
  lines.push(...printAll(node.diagnostics, sourcesOf(node), paint));
  return lines.join("\n");
}

/** What concerns several nodes: who will be master, and what does not fit. */
function printBetween({ nodes, between, routers }: LintReport, paint: Paint): string {
  const lines = [paint("bold", "between the nodes")];
  for (const router of routers) lines.push(...printRouter(router, paint));
  lines.push("");
  for (const node of nodes) {
    const name = node.subject.node ?? node.subject.title;
    const found = between.filter((one) => one.node === name);
    lines.push(...printAll(found, sourcesOf(node), paint, name === node.subject.title ? "" : `${name}: `));
  }
  return lines.join("\n");
}

/** Single failures in full; of the others only how many were tried. */
function printRouter({ vrid, vips, members, election }: VirtualRouterProof, paint: Paint): string[] {
  const addresses = vips.length > 3 ? `${vips.slice(0, 3).join(", ")} and ${vips.length - 3} more` : vips.join(", ");
  const nodes = members.map(({ node, priority }) => `${node} ${priority}`).join(", ");
  const lines = wrapped(`virtual router ${vrid} (${addresses || "no address"}): ${nodes}`, "  ", "    ");
  if (members.length < 2) return lines;
  const singles = election.rows.filter(({ failed }) => failed.length < 2);
  const texts = singles.slice(0, FAILURES_MAX).map(({ failed, master, undecided }) => ({
    what: failed.length === 0 ? "nothing fails" : `${failed.map(nameOf).join(", ")} fails`,
    who: undecided.length > 0 ? `${undecided.join(" or ")} is master` : `${master ?? "nobody"} is master`,
  }));
  const width = Math.min(Math.max(...texts.map(({ what }) => what.length)), 60);
  for (const { what, who } of texts) lines.push(...wrapped(`${what.padEnd(width)}  ${who}`, "    ", "      "));
  const tried = election.complete
    ? `all ${election.rows.length} combinations of failures were tried`
    : `${election.rows.length} combinations were tried: all of up to ${election.failuresMax} failures at a time, not those of more`;
  return [...lines, `    ${paint("dim", tried)}`];
}

interface Sources {
  readonly rowsOf: (file: string) => readonly string[];
  readonly names: ReadonlySet<string>;
}

function sourcesOf({ subject, files }: LintedNode): Sources {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  return {
    rowsOf: (file) => linesOf(texts.get(file) ?? subject.textOf(file)),
    names: secretNames(files.flatMap(({ text }) => linesOf(text))),
  };
}

/** @param prefix  in front of each file's name */
function printAll(all: readonly LintDiagnostic[], { rowsOf, names }: Sources, paint: Paint, prefix = ""): string[] {
  const lines: string[] = [];
  for (const [file, diagnostics] of byFile(all)) {
    const source = { rows: rowsOf(file), names, shownAs: `${prefix}${file}` };
    const shown = new Map<string, number>();
    const rest = new Map<string, LintDiagnostic[]>();
    for (const one of diagnostics) {
      const count = (shown.get(one.code) ?? 0) + 1;
      shown.set(one.code, count);
      const more = rest.get(one.code);
      if (more) more.push(one);
      else if (count > SHOWN_MAX) rest.set(one.code, [one]);
      else lines.push(...printOne(one, source, paint), "");
    }
    for (const [code, more] of rest) lines.push(...printRest(source.shownAs, code, more, paint), "");
  }
  return lines;
}

/** The file a finding is in. */
interface Source {
  readonly rows: readonly string[];
  /** Definitions whose values are secrets. */
  readonly names: ReadonlySet<string>;
  readonly shownAs: string;
}

function printOne(one: LintDiagnostic, source: Source, paint: Paint): string[] {
  const { line, column, severity, code, message, fix, hasNoLine } = one;
  const place = hasNoLine ? source.shownAs : `${source.shownAs}:${line}:${column}`;
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
  const { text, indent, width } = mayBeSecret(rows, line)
    ? { text: "[redacted]", indent: 0, width: "[redacted]".length }
    : frameOf(row, before, column, WIDTH - gutter - 5, names);
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
