import { formatEpochUs, US_PER_SECOND, type EpochUs } from "../../collector/core/time.ts";
import type { Incident, IncidentKind } from "../detect/incident.ts";

/** What was done to the network must show as this incident. */
export interface Expectation {
  readonly kind: IncidentKind;
  readonly nodes: readonly string[];
  /** Epoch microseconds. */
  readonly start: number;
  /** null: still open when the scenario ends. */
  readonly end: number | null;
  /** How far start and end may be from the truth. */
  readonly toleranceUs: number;
  readonly cause?: string;
}

export interface Verdict {
  readonly agrees: boolean;
  /** One sentence an expectation or a surplus incident. */
  readonly lines: readonly string[];
}

/** Holds the incidents found against what was done. A surplus critical incident is a disagreement; one below critical is only told. */
export function compare(expected: readonly Expectation[], incidents: readonly Incident[]): Verdict {
  const found = incidents.filter((incident) => incident.status !== "withdrawn");
  const used = new Set<Incident>();
  const lines: string[] = [];
  let agrees = true;
  for (const expectation of expected) {
    const candidates = found.filter((incident) => !used.has(incident) && isAbout(incident, expectation));
    const match = candidates.sort(
      (a, b) => Math.abs(a.start - expectation.start) - Math.abs(b.start - expectation.start),
    )[0];
    const name = `${expectation.kind} of ${expectation.nodes.join(", ")}`;
    if (!match) {
      agrees = false;
      lines.push(`MISSED   ${name}, begun ${at(expectation.start)}`);
      continue;
    }
    used.add(match);
    const faults = faultsOf(match, expectation);
    if (faults.length > 0) agrees = false;
    lines.push(
      `${faults.length > 0 ? "WRONG   " : "FOUND   "} ${name}: start ${offset(match.start, expectation.start)}, end ${offset(match.end, expectation.end)}${faults.map((f) => `; ${f}`).join("")}`,
    );
  }
  for (const incident of found.filter((i) => !used.has(i))) {
    const critical = incident.severity === "critical";
    if (critical) agrees = false;
    lines.push(
      `${critical ? "INVENTED" : "ALSO    "} ${incident.kind} (${incident.severity}, ${incident.certainty}) of ${incident.subject.nodes.join(", ")} from ${at(incident.start)}: ${incident.summary}`,
    );
  }
  return { agrees, lines };
}

function isAbout(incident: Incident, { kind, nodes }: Expectation): boolean {
  return incident.kind === kind && [...incident.subject.nodes].sort().join() === [...nodes].sort().join();
}

function faultsOf(incident: Incident, expectation: Expectation): string[] {
  const faults: string[] = [];
  if (Math.abs(incident.start - expectation.start) > expectation.toleranceUs)
    faults.push(`began ${at(incident.start)}, in truth ${at(expectation.start)}`);
  if ((incident.end === null) !== (expectation.end === null))
    faults.push(expectation.end === null ? "is over, in truth it lasts" : "is still open, in truth it is over");
  else if (
    incident.end !== null &&
    expectation.end !== null &&
    Math.abs(incident.end - expectation.end) > expectation.toleranceUs
  )
    faults.push(`ended ${at(incident.end)}, in truth ${at(expectation.end)}`);
  if (incident.certainty !== "confirmed") faults.push(`is only ${incident.certainty}`);
  if (expectation.cause !== undefined && incident.cause?.code !== expectation.cause)
    faults.push(`cause is ${incident.cause?.code ?? "none"}, in truth ${expectation.cause}`);
  return faults;
}

const at = (ts: number): string => formatEpochUs(ts as EpochUs).slice(11, 23);

function offset(found: number | null, truth: number | null): string {
  if (found === null || truth === null) return found === truth ? "still open, as in truth" : "differs";
  const seconds = (found - truth) / US_PER_SECOND;
  return `${seconds >= 0 ? "+" : ""}${seconds.toFixed(3)} s from the truth`;
}
