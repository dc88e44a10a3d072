import { formatEpochUs, US_PER_SECOND, type EpochUs } from "../../collector/core/time.ts";
import type { Event, EventKind, Source } from "../../collector/events/event.ts";
import type { Incident, IncidentKind } from "../detect/incident.ts";
import type { MailReceipt } from "./mail.ts";

/** What was done to the network must show as this incident. */
export interface IncidentExpected {
  readonly kind: IncidentKind;
  readonly nodes: readonly string[];
  /** Epoch microseconds. */
  readonly start: number;
  /** null: still open when the scenario ends. */
  readonly end: number | null;
  /** How far start and end may be from the truth. */
  readonly toleranceUs: number;
  readonly cause?: string;
  readonly service?: string;
}

/** The timeline must have this event. */
export interface EventExpected {
  readonly event: EventKind;
  readonly node: string;
  readonly source?: Source;
  /** Fields of the event, each as it must be. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** In this stretch; epoch microseconds. */
  readonly from: number;
  readonly to: number;
}

/** This mail must have come. */
export interface MailExpected {
  readonly mail: RegExp;
  /** Epoch microseconds. */
  readonly since: number;
}

/** Something the scenario has seen for itself, outside keepwatch. */
export interface FactExpected {
  readonly fact: string;
  readonly holds: boolean;
}

/** Incidents of this kind may tell of the same trouble in their own way: one that was not expected is no invention. */
export interface KindBeside {
  readonly beside: IncidentKind;
}

export type Expectation = IncidentExpected | EventExpected | MailExpected | FactExpected | KindBeside;

/** All there is to hold expectations against. */
export interface Found {
  readonly incidents: readonly Incident[];
  readonly events: readonly Event[];
  readonly mails: readonly MailReceipt[];
}

export interface Verdict {
  readonly agrees: boolean;
  /** One sentence an expectation or a surplus incident. */
  readonly lines: readonly string[];
}

export const isIncident = (expectation: Expectation): expectation is IncidentExpected => "kind" in expectation;
export const isEvent = (expectation: Expectation): expectation is EventExpected => "event" in expectation;

/** Holds what was found against what was done. A surplus critical incident is a disagreement; one below critical is only told. */
export function compare(expected: readonly Expectation[], { incidents, events, mails }: Found): Verdict {
  const verdicts = [
    compareIncidents(
      expected.filter(isIncident),
      incidents,
      expected.flatMap((expectation) => ("beside" in expectation ? [expectation.beside] : [])),
    ),
    ...expected.flatMap((expectation) => {
      if (isIncident(expectation) || "beside" in expectation) return [];
      if (isEvent(expectation)) return [compareEvent(expectation, events)];
      return ["mail" in expectation ? compareMail(expectation, mails) : compareFact(expectation)];
    }),
  ];
  return { agrees: verdicts.every(({ agrees }) => agrees), lines: verdicts.flatMap(({ lines }) => lines) };
}

function compareEvent(
  { event: kind, node, source, fields, from, to }: EventExpected,
  events: readonly Event[],
): Verdict {
  const wanted = Object.entries(fields);
  const match = events.find(
    (event) =>
      event.kind === kind &&
      event.node === node &&
      (source === undefined || event.source === source) &&
      event.ts + event.tsUncertaintyUs >= from &&
      event.ts <= to &&
      wanted.every(([name, value]) => JSON.stringify(Reflect.get(event, name)) === JSON.stringify(value)),
  );
  const name = `${kind} of ${node}${source === undefined ? "" : `, source ${source}`}: ${wanted.map(([field, value]) => `${field} ${String(value)}`).join(", ")}`;
  if (!match) return { agrees: false, lines: [`MISSED   ${name}, between ${at(from)} and ${at(to)}`] };
  return { agrees: true, lines: [`FOUND    ${name}, at ${at(match.ts)}`] };
}

function compareMail({ mail, since }: MailExpected, mails: readonly MailReceipt[]): Verdict {
  const match = mails.find(({ receivedTs, subject }) => receivedTs >= since && mail.test(subject));
  if (!match) return { agrees: false, lines: [`MISSED   a mail with the subject ${String(mail)} since ${at(since)}`] };
  return {
    agrees: true,
    lines: [`FOUND    mail to ${match.to.join(", ")} at ${at(match.receivedTs)}: ${match.subject}`],
  };
}

const compareFact = ({ fact, holds }: FactExpected): Verdict => ({
  agrees: holds,
  lines: [`${holds ? "TRUE    " : "FALSE   "} ${fact}`],
});

function compareIncidents(
  expected: readonly IncidentExpected[],
  incidents: readonly Incident[],
  beside: readonly IncidentKind[],
): Verdict {
  const found = incidents.filter((incident) => incident.status !== "withdrawn");
  const used = new Set<Incident>();
  const lines: string[] = [];
  let agrees = true;
  for (const expectation of expected) {
    const candidates = found.filter((incident) => !used.has(incident) && isAbout(incident, expectation));
    const match = candidates.sort(
      (a, b) => Math.abs(a.start - expectation.start) - Math.abs(b.start - expectation.start),
    )[0];
    const name = `${expectation.kind} of ${expectation.service === undefined ? "" : `${expectation.service} on `}${expectation.nodes.join(", ")}`;
    if (!match) {
      agrees = false;
      lines.push(`MISSED   ${name}, begun ${at(expectation.start)}`);
      continue;
    }
    used.add(match);
    const faults = faultsOf(match, expectation);
    if (faults.length > 0) agrees = false;
    lines.push(
      `${faults.length > 0 ? "WRONG   " : "FOUND   "} ${name}: start ${offset(match.start, expectation.start)}, end ${offset(match.end, expectation.end)}, cause ${match.cause?.code ?? "none"}${faults.map((f) => `; ${f}`).join("")}`,
    );
  }
  for (const incident of found.filter((i) => !used.has(i))) {
    const critical = incident.severity === "critical" && !beside.includes(incident.kind);
    if (critical) agrees = false;
    lines.push(
      `${critical ? "INVENTED" : "ALSO    "} ${incident.kind} (${incident.severity}, ${incident.certainty}) of ${incident.subject.nodes.join(", ")} from ${at(incident.start)}: ${incident.summary}`,
    );
  }
  return { agrees, lines };
}

function isAbout(incident: Incident, { kind, nodes, service }: IncidentExpected): boolean {
  return (
    incident.kind === kind &&
    incident.subject.service === service &&
    [...incident.subject.nodes].sort().join() === [...nodes].sort().join()
  );
}

function faultsOf(incident: Incident, expectation: IncidentExpected): string[] {
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
