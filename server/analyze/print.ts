import { type EpochUs, formatEpochUs } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import type { Incident } from "../detect/incident.ts";
import type { Analysis } from "./analyze.ts";

/** The story is one long line; a terminal is not. */
const TEXT_COLUMNS = 118;

const iso = (ts: number): string => formatEpochUs(ts as EpochUs);
const clock = (ts: number): string => iso(ts).slice(0, 23).replace("T", " ");

/** One JSON document; every instant as ISO 8601 with microseconds. */
export function printJson({ inputs, routers, timeline, incidents }: Analysis): string {
  const document = {
    inputs: inputs.map((input) => ({
      ...input,
      from: input.from === null ? null : iso(input.from),
      to: input.to === null ? null : iso(input.to),
    })),
    routers,
    timeline: timeline.map((event) => ({ ...event, ts: iso(event.ts), observedTs: iso(event.observedTs) })),
    incidents: incidents.map((incident) => ({
      ...incident,
      start: iso(incident.start),
      end: incident.end === null ? null : iso(incident.end),
      evidence: incident.evidence.map((e) => ({ ...e, ts: iso(e.ts) })),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

export function printText(analysis: Analysis): string {
  const lines: string[] = [];
  for (const input of analysis.inputs) {
    const read =
      input.error === undefined
        ? `${input.kind}, node ${input.node}, ${input.lines} records, ${input.keepalivedLines} of keepalived, ${input.unrecognised} not recognised`
        : `NOT READ: ${input.error}`;
    lines.push(`${input.path}: ${read}`);
  }
  lines.push("");
  for (const router of analysis.routers)
    lines.push(
      `router ${router.id}  ${router.vips.join(", ") || "no VIP known"}  ${router.instances.map((i) => `${i.node}${i.name ? `:${i.name}` : ""}`).join(", ")}`,
    );
  lines.push("", "timeline (UTC)");
  for (const event of analysis.timeline)
    if (isTelling(event))
      lines.push(
        `${clock(event.ts)}${event.tsUncertaintyUs >= 1_000_000 ? "~" : " "} ${event.node.padEnd(12)} ${event.source.padEnd(7)} ${describe(event)}`,
      );
  lines.push("", incidentsTitle(analysis.incidents));
  for (const incident of analysis.incidents) {
    lines.push(
      "",
      `${incident.severity.toUpperCase()} ${incident.kind} (${incident.certainty})  ${span(incident)}`,
      `  ${incident.summary}`,
    );
    if (incident.cause) lines.push(`  cause: ${incident.cause.text} [${incident.cause.code}]`);
    if (incident.story !== undefined)
      lines.push(...wrapped(printable(incident.story), TEXT_COLUMNS).map((line) => `  ${line}`));
    for (const { ts, node, source, line, text } of incident.evidence)
      lines.push(`    ${clock(ts)} ${node} ${source}${line ? ` ${line}` : ""}: ${text}`);
  }
  return `${lines.join("\n")}\n`;
}

export function printMarkdown(analysis: Analysis): string {
  const lines = ["# Post-mortem", "", incidentsTitle(analysis.incidents), ""];
  for (const incident of analysis.incidents) {
    lines.push(
      `## ${incident.kind} (${incident.severity}, ${incident.certainty})`,
      "",
      escape(incident.summary),
      "",
      `- When: ${span(incident)}`,
      `- Nodes: ${incident.subject.nodes.map(escape).join(", ")}`,
    );
    if (incident.cause) lines.push(`- Cause: ${escape(incident.cause.text)} (\`${incident.cause.code}\`)`);
    if (incident.story !== undefined) lines.push("", escape(incident.story));
    lines.push("", "| when (UTC) | node | source | where | what |", "|---|---|---|---|---|");
    for (const { ts, node, source, line, text } of incident.evidence)
      lines.push(`| ${clock(ts)} | ${escape(node)} | ${source} | ${escape(line ?? "")} | ${escape(text)} |`);
    lines.push("");
  }
  lines.push(
    "## Read",
    "",
    "| file | node | kind | records | of keepalived | not recognised |",
    "|---|---|---|---|---|---|",
  );
  for (const input of analysis.inputs)
    lines.push(
      `| ${escape(input.path)} | ${escape(input.node)} | ${input.error === undefined ? input.kind : `not read: ${escape(input.error)}`} | ${input.lines} | ${input.keepalivedLines} | ${input.unrecognised} |`,
    );
  return `${lines.join("\n")}\n`;
}

function incidentsTitle(incidents: readonly Incident[]): string {
  return incidents.length === 0
    ? "no incident found"
    : `${incidents.length} incident${incidents.length === 1 ? "" : "s"} found`;
}

function span({ start, end }: Incident): string {
  return end === null
    ? `${clock(start)} UTC, still open at the end of the input`
    : `${clock(start)} to ${clock(end)} UTC (${((end - start) / 1_000_000).toFixed(3)} s)`;
}

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** What a reader of the timeline wants to see; notices are in the JSON. */
function isTelling(event: Event): boolean {
  return event.kind !== "log.notice" && event.kind !== "vrrp.garp" && event.source !== "collector";
}

function describe(event: Event): string {
  if (event.raw !== undefined) return printable(event.raw.replace(/^.*?(Keepalived\w*\[\d+\]: )/, "$1"));
  const skipped = new Set([
    "id",
    "cluster",
    "node",
    "source",
    "kind",
    "ts",
    "tsUncertaintyUs",
    "observedTs",
    "at",
    "pid",
  ]);
  const fields = Object.entries(event).filter(([name]) => !skipped.has(name));
  return printable(
    `${event.kind} ${fields.map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(" ")}`.slice(
      0,
      300,
    ),
  );
}

/** Log text is hostile: no control character reaches the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\u{fffd}");
}

function escape(text: string): string {
  return printable(text).replace(/[\\`*_{}[\]<>|#]/g, "\\$&");
}
