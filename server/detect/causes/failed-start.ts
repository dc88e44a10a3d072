import { isKind, type Event } from "../../../collector/events/event.ts";
import type { DaemonView } from "../detector.ts";
import { type Cause, type Explanation, EVENTS_SHOWN } from "./cause.ts";

/** Why a start, or a reload, ended with no daemon: what keepalived complained of, and what our own reading of the file found. */

export interface Attempt {
  readonly start: Event;
  /** Its lines, in order. */
  readonly events: readonly Event[];
  readonly failedAt: number;
  readonly view: DaemonView;
}

type Diagnostic = Extract<Event, { kind: "config.diagnostic" }>;
type Complaint = Extract<Event, { kind: "config.diagnostic" | "daemon.error" }>;

/** Others that are told besides the first: what a long list of faults adds is in the evidence. */
const OTHERS_MAX = 3;

export function explainFailedStart(attempt: Attempt): Explanation {
  const { events, start, view } = attempt;
  const exit = events.find((event) => isKind(event, "daemon.child-exited") && event.permanentError !== undefined);
  const word = exit && isKind(exit, "daemon.child-exited") ? exit.permanentError : undefined;
  const errors = events.filter((event) => isKind(event, "daemon.error"));
  const diagnostics = diagnosticsOf(attempt);
  // CONFIG is keepalived's word for a faulty file; with any other the daemon's own complaint comes first.
  const complaints: readonly Complaint[] =
    word === "CONFIG" ? [...diagnostics, ...errors] : [...errors, ...diagnostics];
  const [first, ...more] = complaints.map((event) => causeOf(event, view.node));
  if (first) return { cause: first, others: different(first, more).slice(0, OTHERS_MAX) };
  const last = { ts: start.ts, look: [`keepalived -t and journalctl -u keepalived on ${view.node}`] };
  if (word !== undefined)
    return {
      cause: {
        ...last,
        code: "permanent-error",
        text: `a child process ended with the permanent error ${word}`,
        events: exit ? [exit] : [],
      },
      others: [],
    };
  return { cause: { ...last, code: "ended", text: "it ended without saying why", events: [] }, others: [] };
}

function causeOf(event: Complaint, node: string): Cause {
  const place =
    isKind(event, "config.diagnostic") && event.file !== undefined ? `${event.file}:${event.line ?? 1}` : "";
  const fix = isKind(event, "config.diagnostic") && event.fix !== undefined ? ` (${event.fix.replace(/\.$/, "")})` : "";
  return {
    code: event.code,
    text: textOf(event).replace(/\.$/, ""),
    events: [event],
    ts: event.ts,
    look: [place === "" ? `keepalived -t and journalctl -u keepalived on ${node}` : `${place} on ${node}${fix}`],
  };
}

/** The log and our own reading tell of one fault twice. */
function different(first: Cause, more: readonly Cause[]): Cause[] {
  const seen = new Set([first.text, first.look.join()]);
  return more.filter(({ text, look }) => {
    if (seen.has(text) || seen.has(look.join())) return false;
    seen.add(text).add(look.join());
    return true;
  });
}

const withPlace = (event: Diagnostic): boolean => event.file !== undefined && event.line !== undefined;

/** What says most comes first. */
function diagnosticsOf(attempt: Attempt): readonly Diagnostic[] {
  const logged = attempt.events.filter((event) => isKind(event, "config.diagnostic"));
  const fatal = logged.filter(({ severity }) => severity === "fatal");
  const worse = logged.filter(({ severity }) => severity === "instance-lost");
  return [
    ...fatal.filter(withPlace),
    ...worse.filter(withPlace),
    ...fatal,
    ...ownDiagnostics(attempt).slice(0, EVENTS_SHOWN),
    ...worse,
    ...logged.filter(withPlace),
  ];
}

/** `FILE line N: what is wrong`; keepalived's own prefix says the same once more. */
function textOf(event: Complaint): string {
  if (!isKind(event, "config.diagnostic") || event.file === undefined) return event.message;
  const place = event.line === undefined ? event.file : `${event.file} line ${event.line}`;
  return `${place}: ${event.message.replace(/^\((?:[^()]*: )?Line \d+\) /, "")}`;
}

/** What our own reading of the file said when the daemon read it: not what a later correction made of it. */
function ownDiagnostics({ start, failedAt, view }: Attempt): Diagnostic[] {
  const readAt =
    view.events.findLast((event) => event.kind === "config.loaded" && event.ts <= start.ts)?.ts ??
    Number.NEGATIVE_INFINITY;
  return view.events.filter(
    (event) =>
      isKind(event, "config.diagnostic") &&
      event.source === "config" &&
      event.severity === "fatal" &&
      event.ts >= readAt &&
      event.ts <= failedAt + view.options.startDeadlineUs,
  ) as Diagnostic[];
}
