import { randomBytes } from "node:crypto";
import type { StartChain } from "../../collector/chain/chain.ts";
import { describeChain } from "../../collector/chain/describe.ts";
import { checkCluster, type VirtualRouterProof } from "../../collector/conf/check-cluster.ts";
import { codeOf, severityOf } from "../../collector/conf/codes/registry.ts";
import { type EffectiveConfig, modelOf } from "../../collector/conf/model.ts";
import { type ConfTree, parseConf } from "../../collector/conf/parser.ts";
import { NEWEST_RELEASE } from "../../collector/conf/version.ts";
import type { OperatorError } from "../../collector/core/errors.ts";
import type { DiagnosticSeverity } from "../../collector/events/event.ts";
import { type LintRequest, type Subject, subjectsOf } from "./subject.ts";

/** One thing that is wrong, with its place. */
export interface LintDiagnostic {
  readonly code: string;
  readonly severity: DiagnosticSeverity;
  readonly node?: string;
  readonly file: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly fix?: string;
  /** It is about no line: file, line and column only say whose configuration it is. */
  readonly hasNoLine?: true;
  /** The vrrp_instance it is about. */
  readonly instance?: string;
}

export interface LintedNode {
  readonly subject: Subject;
  readonly config: EffectiveConfig;
  readonly files: ConfTree["files"];
  /** The start chain in lines; empty for a file by itself. */
  readonly chain: readonly string[];
  readonly diagnostics: readonly LintDiagnostic[];
}

export interface LintReport {
  readonly nodes: readonly LintedNode[];
  /** What does not fit between the nodes, and what their election is bound to end in. */
  readonly between: readonly LintDiagnostic[];
  readonly routers: readonly VirtualRouterProof[];
  /** All of them: every node's, and those between nodes. */
  readonly diagnostics: readonly LintDiagnostic[];
  /** Inputs that could not be read. */
  readonly errors: readonly OperatorError[];
}

export const SEVERITIES: readonly DiagnosticSeverity[] = ["fatal", "instance-lost", "degraded", "hint"];

export function lint(request: LintRequest): LintReport {
  const { subjects, errors } = subjectsOf(request);
  // Of this run alone: passwords can be told apart, and nothing can be tried against it afterwards.
  const fingerprintKey = randomBytes(32).toString("hex");
  const nodes = subjects.map((subject) => lintSubject(subject, fingerprintKey));
  // One node by itself has nothing to be held against.
  const { findings, routers } = nodes.length > 1 ? checkNodes(nodes) : { findings: [], routers: [] };
  const between = findings.map((found): LintDiagnostic => {
    const rows = nodes.find(({ subject }) => (subject.node ?? subject.title) === found.node)?.files;
    const row =
      rows
        ?.find(({ path }) => path === found.file)
        ?.text.split("\n", found.line)
        .at(-1) ?? "";
    const { code, severity, node, file, line, message, fix, instance } = found;
    const column = row.length - row.trimStart().length + 1;
    return { code, severity, node, file, line, column, message, fix, ...(instance === undefined ? {} : { instance }) };
  });
  return {
    nodes,
    between,
    routers,
    diagnostics: [...nodes.flatMap(({ diagnostics }) => diagnostics), ...between],
    errors,
  };
}

function checkNodes(nodes: readonly LintedNode[]): ReturnType<typeof checkCluster> {
  return checkCluster(
    nodes.map(({ subject, config }) => ({
      node: subject.node ?? subject.title,
      file: subject.path,
      running: config.running,
      diagnostics: config.diagnostics,
    })),
    nodes[0]?.subject.release ?? NEWEST_RELEASE,
  );
}

/** All that is wrong with one node's configuration, without looking at other nodes. */
export function lintSubject(subject: Subject, fingerprintKey?: string): LintedNode {
  const { path, release, chain, facts, isCopy } = subject;
  const tree = parseConf(path, subject.files, subject.configId, { release, allConfig: subject.allConfig });
  const config = modelOf(tree, { release, facts, ...(fingerprintKey === undefined ? {} : { fingerprintKey }) });
  const named = subject.node === undefined ? {} : { node: subject.node };
  const found: LintDiagnostic[] = [
    ...(chain === undefined && tree.unreadable !== undefined
      ? [{ ...unreadableMain(subject, tree.unreadable), ...named }]
      : []),
    ...config.diagnostics.map(({ code, severity, message, fix, file = path, line = 1, column = 1, instance }) => ({
      code,
      severity,
      ...named,
      file,
      line,
      column,
      message,
      ...(fix === undefined ? {} : { fix }),
      ...(instance === undefined ? {} : { instance }),
    })),
    ...chainDiagnostics(subject).map(({ code, severity, message, fix, at }) => ({
      code,
      severity,
      ...named,
      file: at?.file ?? path,
      line: at?.line ?? 1,
      column: at?.column ?? 1,
      message,
      fix,
      ...(at === undefined ? { hasNoLine: true as const } : {}),
    })),
  ];
  const order = [path, ...tree.files.map((file) => file.path)];
  return {
    subject,
    config,
    files: tree.files,
    // Of a copy without a unit nothing is known about the start.
    chain: chain && !(isCopy && chain.launcher.kind === "none") ? describeChain(chain).text.trimEnd().split("\n") : [],
    diagnostics: sorted(distinct(found), order),
  };
}

/** The main file by itself cannot be read: where there is a start chain, that says so. */
function unreadableMain({ path, release }: Subject, why: string): LintDiagnostic {
  const code = "config_file_missing";
  const message = `keepalived does not read this file: ${why}`;
  return {
    code,
    severity: severityOf(code, release),
    file: path,
    line: 1,
    column: 1,
    message,
    fix: codeOf(code).fix,
    hasNoLine: true,
  };
}

function chainDiagnostics({ chain, isCopy }: Subject): StartChain["diagnostics"] {
  const found = chain?.diagnostics ?? [];
  // A copy of etc/ has no unit of the package's: those are below /lib.
  return isCopy ? found.filter(({ code }) => code !== "unit_not_found") : found;
}

/** By file, in the order in which keepalived reads them; in a file by severity, then by place. */
function sorted(diagnostics: readonly LintDiagnostic[], order: readonly string[]): LintDiagnostic[] {
  const rank = ({ file }: LintDiagnostic): number => {
    const index = order.indexOf(file);
    return index < 0 ? order.length : index;
  };
  return [...diagnostics].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      a.line - b.line ||
      a.column - b.column,
  );
}

function distinct(diagnostics: readonly LintDiagnostic[]): LintDiagnostic[] {
  const key = ({ code, file, line, column, message }: LintDiagnostic): string =>
    JSON.stringify([code, file, line, column, message]);
  return [...new Map(diagnostics.map((one) => [key(one), one])).values()];
}

/** 0: nothing worse than a hint; 1: problems; 2: an input could not be read. */
export function exitStatusOf({ diagnostics, errors }: LintReport): 0 | 1 | 2 {
  if (errors.length > 0) return 2;
  return diagnostics.some(({ severity }) => severity !== "hint") ? 1 : 0;
}
