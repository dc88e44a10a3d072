import { isKind, type Event } from "../../collector/events/event.ts";
import { evidenceList, instant } from "./describe.ts";
import type { DaemonView, Detector } from "./detector.ts";
import { ALREADY_RUNNING } from "./evidence.ts";
import type { IncidentDraft } from "./incident.ts";
import { START_SETTLE_US } from "./options.ts";

/** A start, or a reload, that ends with no daemon: often one that reported success. The rules are in README.md. */
export const startupFailure: Detector = { kind: "startup-failure", scope: "daemon", detect };

type Starting = Extract<Event, { kind: "daemon.starting" | "daemon.reloading" }>;
type Diagnostic = Extract<Event, { kind: "config.diagnostic" }>;

interface Run {
  readonly start: Starting;
  /** The launcher's and, once it has forked, the daemon's own. */
  readonly pids: Set<number>;
  readonly events: Event[];
  stopping: boolean;
  failure: Event | null;
  /** First sign that it works: every child has read its configuration, or an instance has a state. */
  sign: Event | null;
}

function detect(view: DaemonView): IncidentDraft[] {
  const incidents: IncidentDraft[] = [];
  let failed: Run[] = [];
  const close = (end: number | null): void => {
    if (failed.length > 0) incidents.push(toDraft(failed, end, view));
    failed = [];
  };
  for (const run of runsOf(view)) {
    if (run.failure) failed.push(run);
    else {
      const success = successOf(run, view);
      if (success !== undefined) close(success);
    }
  }
  close(null);
  return incidents;
}

/** Errors after which the daemon does not run, though it may end without another word. */
const FATAL_ERROR = new RegExp(`${ALREADY_RUNNING.source}|no[-_]config|config[-_](file[-_])?missing|pid[-_]?file`);

function runsOf(view: DaemonView): Run[] {
  const runs: Run[] = [];
  for (const event of view.events) {
    if (isKind(event, "daemon.starting", "daemon.reloading")) {
      const pids = new Set(event.pid === undefined ? [] : [event.pid]);
      runs.push({ start: event, pids, events: [event], stopping: false, failure: null, sign: null });
      continue;
    }
    const run = runOf(runs, event);
    if (run && event.source === "log") note(run, event, view.options.startDeadlineUs);
  }
  return runs;
}

/** The last words of a daemon that is being replaced may come after the first of the next one. */
function runOf(runs: readonly Run[], event: Event): Run | undefined {
  const newest = runs.at(-1);
  if (
    event.pid === undefined ||
    !isKind(event, "daemon.stopping", "daemon.stopped", "daemon.child-exited") ||
    newest?.pids.has(event.pid)
  )
    return newest;
  return runs.findLast(({ pids }) => pids.has(event.pid as number)) ?? newest;
}

function note(run: Run, event: Event, deadlineUs: number): void {
  run.events.push(event);
  if (isKind(event, "daemon.child-starting", "daemon.ready", "daemon.stopping") && event.pid !== undefined)
    run.pids.add(event.pid);
  if (run.failure || run.stopping) return;
  if (event.kind === "daemon.stopping") run.stopping = true;
  else if (isFailure(event) && event.ts - run.start.ts <= deadlineUs) run.failure = event;
  else if (isKind(event, "daemon.ready", "vrrp.state")) run.sign ??= event;
}

/** The daemon ends, or cannot run, without anybody having told it to stop. */
function isFailure(event: Event): boolean {
  switch (event.kind) {
    case "daemon.stopped":
      return event.daemon === "parent";
    case "daemon.child-exited":
      return event.permanentError !== undefined;
    case "daemon.error":
      return FATAL_ERROR.test(event.code);
    default:
      return false;
  }
}

/**
 * When a run counts as one that works: its first sign of life, once the node was watched for a while after it and nothing
 * failed; without any sign (a daemon of real servers alone, before 2.2.2) its deadline.
 */
function successOf(run: Run, view: DaemonView): number | undefined {
  if (run.sign) return view.watchedTo - run.sign.ts >= START_SETTLE_US ? run.sign.ts : undefined;
  const deadline = run.start.ts + view.options.startDeadlineUs;
  return !run.stopping && isLast(run, view) && view.watchedTo >= deadline ? deadline : undefined;
}

/** A start that was followed by another one had no chance to work. */
const isLast = (run: Run, view: DaemonView): boolean =>
  !view.events.some(
    (event) =>
      event.kind === "daemon.starting" &&
      event !== run.start &&
      event.ts >= run.start.ts &&
      event.ts <= run.start.ts + view.options.startDeadlineUs,
  );

function toDraft(runs: readonly Run[], end: number | null, view: DaemonView): IncidentDraft {
  const first = runs[0] as Run;
  const { code, text, event } = causeOf(first, view);
  const instance = event && "instance" in event ? event.instance : undefined;
  const what = first.start.kind === "daemon.reloading" ? "did not survive its reload" : "did not start";
  const times = runs.length > 1 ? ` (${runs.length} attempts)` : "";
  const after = end === null ? "" : `, and runs again since ${instant(end)}`;
  return {
    kind: "startup-failure",
    certainty: "confirmed",
    severity: "critical",
    cluster: view.cluster,
    subject: { ...(instance === undefined ? {} : { instance }), nodes: [view.node] },
    start: first.start.ts,
    end,
    cause: { code, text },
    summary: `keepalived on ${view.node} ${what} at ${instant(first.start.ts)}${times}: ${text}${after}.`,
    evidence: evidenceList([...runs.flatMap((run) => told(run, view)), ...(event ? [event] : [])]),
  };
}

/** Of a run what tells the story: its start, the diagnostics, the failure. */
function told(run: Run, view: DaemonView): Event[] {
  const story = run.events.filter(
    (event) =>
      event === run.start ||
      event === run.failure ||
      isKind(event, "config.diagnostic", "daemon.error", "daemon.child-exited"),
  );
  return [...story, ...ownDiagnostics(run, view)];
}

const withPlace = (event: Diagnostic): boolean => event.file !== undefined && event.line !== undefined;

function causeOf(run: Run, view: DaemonView): { code: string; text: string; event: Event | null } {
  const logged = run.events.filter((event) => isKind(event, "config.diagnostic"));
  const errors = run.events.filter((event) => isKind(event, "daemon.error"));
  const fatal = logged.filter(({ severity }) => severity === "fatal");
  const worse = logged.filter(({ severity }) => severity === "instance-lost");
  const diagnostics = [
    ...fatal.filter(withPlace),
    ...worse.filter(withPlace),
    ...fatal,
    ...ownDiagnostics(run, view),
    ...worse,
    ...logged.filter(withPlace),
  ];
  const exit = run.events.find((event) => isKind(event, "daemon.child-exited") && event.permanentError !== undefined);
  const error = exit && isKind(exit, "daemon.child-exited") ? exit.permanentError : undefined;
  // CONFIG is keepalived's word for a faulty file; with any other the daemon's own complaint comes first.
  const [event] = error === "CONFIG" ? [...diagnostics, ...errors] : [...errors, ...diagnostics];
  if (event) return { code: event.code, text: textOf(event), event };
  if (error !== undefined)
    return {
      code: "permanent-error",
      text: `a child process ended with the permanent error ${error}`,
      event: exit ?? null,
    };
  return { code: "ended", text: "it ended without saying why", event: null };
}

/** `FILE line N: what is wrong`; keepalived's own prefix says the same once more. */
function textOf(event: Event & { readonly message: string }): string {
  if (!isKind(event, "config.diagnostic") || event.file === undefined) return event.message;
  const place = event.line === undefined ? event.file : `${event.file} line ${event.line}`;
  return `${place}: ${event.message.replace(/^\((?:[^()]*: )?Line \d+\) /, "")}`;
}

/** What our own reading of the file said when the daemon read it: not what a later correction made of it. */
function ownDiagnostics(run: Run, view: DaemonView): Diagnostic[] {
  const failedAt = run.failure?.ts ?? run.start.ts;
  const readAt =
    view.events.findLast((event) => event.kind === "config.loaded" && event.ts <= run.start.ts)?.ts ??
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
