import { isKind, type Event } from "../../collector/events/event.ts";
import { evidenceOfCauses } from "./causes/cause.ts";
import { explainFailedStart } from "./causes/failed-start.ts";
import { storyOf } from "./causes/story.ts";
import { clock, day, evidenceList, instant } from "./describe.ts";
import type { DaemonView, Detector } from "./detector.ts";
import { ALREADY_RUNNING } from "./evidence.ts";
import type { IncidentDraft } from "./incident.ts";
import { START_SETTLE_US } from "./options.ts";

/** A start, or a reload, that ends with no daemon: often one that reported success. The rules are in README.md. */
export const startupFailure: Detector = { kind: "startup-failure", scope: "daemon", detect };

type Starting = Extract<Event, { kind: "daemon.starting" | "daemon.reloading" }>;

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
  const attempt = { start: first.start, events: first.events, failedAt: first.failure?.ts ?? first.start.ts, view };
  const explanation = explainFailedStart(attempt);
  const { code, text, events } = explanation.cause;
  const [instance] = events.flatMap((event) => ("instance" in event && event.instance ? [event.instance] : []));
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
    story: storyOf(
      [
        `keepalived on ${view.node}, ${day(first.start.ts)}: ${what} at ${clock(first.start.ts)}${times}${end === null ? "" : `, and runs again since ${clock(end)}`}`,
      ],
      explanation,
    ),
    evidence: evidenceList([...runs.flatMap(told), ...evidenceOfCauses(explanation)]),
  };
}

/** Of a run what tells the story: its start, the diagnostics, the failure. */
function told(run: Run): Event[] {
  return run.events.filter(
    (event) =>
      event === run.start ||
      event === run.failure ||
      isKind(event, "config.diagnostic", "daemon.error", "daemon.child-exited"),
  );
}
