import { type EpochUs, formatEpochUs } from "../../collector/core/time.ts";
import type { Delivery } from "../api/types.ts";
import type { Incident } from "../detect/incident.ts";
import { duration } from "../detect/describe.ts";
import type { ContextEvent, IncidentContext } from "./context.ts";

/** Lines of the logs that a post-mortem has room for: those nearest to the begin. */
const LINES_MAX = 400;

/** A post-mortem to be completed by people: what is known, in order, and where to write what is not. All times are UTC. */
export function postMortem(
  incident: Incident,
  { nodes, windows, events, changes, truncated }: IncidentContext,
  deliveries: readonly Delivery[],
): string {
  const { kind, severity, certainty, status, start, end, cause, subject, evidence } = incident;
  const lines: string[] = [
    `# ${kind}: ${escaped(incident.summary)}`,
    "",
    "| | |",
    "|---|---|",
    `| Kind | ${kind} (${certainty}, ${severity}) |`,
    `| State | ${status}, revision ${incident.revision} |`,
    `| From | ${instant(start)} |`,
    `| To | ${end === null ? "still open" : `${instant(end)} (${duration(end - start)})`} |`,
    `| Cluster | ${escaped(incident.cluster)} |`,
    `| Nodes | ${escaped(subject.nodes.join(", "))} |`,
    ...(["router", "instance", "service", "component"] as const).flatMap((name) => {
      const value = subject[name];
      return value === undefined ? [] : [`| ${capital(name)} | ${escaped(value)} |`];
    }),
    `| Id | ${incident.id} |`,
    "",
    "## Cause",
    "",
    cause ? `${escaped(cause.text)} (\`${cause.code}\`)` : "Not known.",
  ];
  if (incident.story !== undefined) lines.push("", "## What happened", "", escaped(incident.story));
  lines.push(
    "",
    "## Evidence",
    "",
    ...table(evidence.map((piece) => ({ ...piece, at: piece.correctedTs ?? piece.ts }))),
  );
  lines.push("", "## What changed in the ten minutes before", "");
  lines.push(...(changes.length === 0 ? ["Nothing that was seen."] : table(changes)));
  const shown = nearest(events, start);
  lines.push(
    "",
    `## What ${escaped(nodes.join(", "))} said`,
    "",
    ...windows.map(({ from, to }) => `From ${instant(from)} to ${instant(to)}.`),
  );
  if (truncated || shown.length < events.length)
    lines.push("", `The ${shown.length} nearest to the begin of ${truncated ? "more than " : ""}${events.length}.`);
  lines.push("", ...(shown.length === 0 ? ["Nothing."] : fenced(shown.map(logLine))));
  lines.push("", "## Who was told", "");
  lines.push(...(deliveries.length === 0 ? ["Nobody."] : deliveries.map(deliveryLine)));
  if ((incident.revisions?.length ?? 0) > 0)
    lines.push(
      "",
      "## Revisions",
      "",
      ...(incident.revisions ?? []).map(({ revision, what, why }) => `${revision}. ${escaped(what)} (${escaped(why)})`),
    );
  lines.push("", "## Impact", "", "## What went well, what did not", "", "## What is to be done", "");
  return lines.join("\n");
}

const instant = (ts: number): string =>
  `${formatEpochUs(ts as EpochUs)
    .replace("T", " ")
    .replace("Z", "")} UTC`;
const clock = (ts: number): string => formatEpochUs(ts as EpochUs).slice(11, 26);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

type Told = Pick<ContextEvent, "at" | "node" | "source" | "line" | "text">;

const table = (told: readonly Told[]): string[] => [
  "| when (UTC) | node | source | what | where |",
  "|---|---|---|---|---|",
  ...told.map(
    ({ at, node, source, text, line }) =>
      `| ${instant(at).slice(0, 26)} | ${escaped(node)} | ${source} | ${escaped(text)} | ${escaped(line ?? "")} |`,
  ),
];

const logLine = ({ at, node, source, text }: Told): string => `${clock(at)} ${node} ${source}: ${printable(text)}`;

function deliveryLine({ createdTs, event, receiver, target, status, attempts, lastError }: Delivery): string {
  const why = lastError === null ? "" : `: ${escaped(lastError)}`;
  return `- ${instant(createdTs)}: ${event} to ${receiver} (${escaped(target)}), ${status} after ${attempts} attempt${attempts === 1 ? "" : "s"}${why}`;
}

function nearest(events: readonly ContextEvent[], start: number): readonly ContextEvent[] {
  if (events.length <= LINES_MAX) return events;
  return [...events]
    .sort((a, b) => Math.abs(a.at - start) - Math.abs(b.at - start))
    .slice(0, LINES_MAX)
    .sort((a, b) => a.at - b.at);
}

/** A fence that nothing in the text can end. */
function fenced(lines: readonly string[]): string[] {
  const longest = lines.reduce(
    (most, line) => Math.max(most, ...(line.match(/`+/g) ?? [""]).map(({ length }) => length)),
    2,
  );
  const fence = "`".repeat(longest + 1);
  return [`${fence}text`, ...lines, fence];
}

/** Log text is hostile: it ends no cell, begins no markup, and turns no line round. */
const escaped = (text: string): string => printable(text).replace(/[\\`*_{}[\]<>|#&]/g, "\\$&");

const printable = (text: string): string => text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, "\u{fffd}");
