import { type Event, isKind } from "../../collector/events/event.ts";
import { evidenceList, lasting } from "./describe.ts";
import type { DaemonView, Detector } from "./detector.ts";
import { startsOfSecondDaemons } from "./evidence.ts";
import type { IncidentDraft } from "./incident.ts";
import { EDGE_LAG_US, SCRIPT_EFFECT_US, SCRIPT_GRACE_US } from "./options.ts";
import { eventsBetween } from "./order.ts";
import { verdictOf } from "./verdicts.ts";

/** A track script or a process check fails, and what that does to the priority. The rules are in README.md. */
export const scriptFailing: Detector = { kind: "script-failing", scope: "daemon", detect };

interface Failure {
  readonly component: string;
  readonly events: Event[];
  end: number | null;
}

function detect(view: DaemonView): IncidentDraft[] {
  return failuresOf(view.events)
    .filter(({ events, end }) => (end ?? view.watchedTo) - startOf(events) >= SCRIPT_GRACE_US)
    .map((failure) => toDraft(failure, view));
}

const startOf = (events: readonly Event[]): number => (events[0] as Event).ts;

/** From the first bad verdict to the first good one, or to where the daemon that asks is gone. */
function failuresOf(events: readonly Event[]): Failure[] {
  const rejected = startsOfSecondDaemons(events);
  const failures: Failure[] = [];
  const open = new Map<string, Failure>();
  const close = (failure: Failure | undefined, event: Event): void => {
    if (!failure) return;
    failure.end = event.ts;
    failure.events.push(event);
    open.delete(failure.component);
  };
  for (const event of events) {
    const verdict = verdictOf(event);
    if (verdict?.isWell === true) close(open.get(verdict.component), event);
    else if (verdict) {
      const known = open.get(verdict.component);
      if (known) known.events.push(event);
      else {
        const failure: Failure = { component: verdict.component, events: [event], end: null };
        failures.push(failure);
        open.set(verdict.component, failure);
      }
    } else if (isKind(event, "daemon.stopping") || (isKind(event, "daemon.starting") && !rejected.has(event)))
      for (const failure of open.values()) close(failure, event);
  }
  return failures;
}

function toDraft({ component, events, end }: Failure, view: DaemonView): IncidentDraft {
  const start = startOf(events);
  const effects = effectsOf(events[0] as Event, view.events);
  const { code, text } = whatIsWrong(events[0] as Event);
  const effect = effects.map((one) => one.text).join(", ");
  return {
    kind: "script-failing",
    certainty: "confirmed",
    severity: "warning",
    cluster: view.cluster,
    subject: { component, nodes: [view.node] },
    start,
    end,
    cause: { code, text },
    summary: `${component} on ${view.node} ${end === null ? "fails" : "failed"} ${lasting(start, end)}: ${text}; ${effect === "" ? "no change of a priority or state is known" : effect}.`,
    evidence: evidenceList([...events, ...effects.map((one) => one.event)]),
  };
}

function whatIsWrong(event: Event): { readonly code: string; readonly text: string } {
  if (event.kind !== "script.result") return { code: "quorum", text: "too few or too many of its processes run" };
  if (event.outcome === "timeout") return { code: "timeout", text: "it does not end in time" };
  if (event.signal !== undefined) return { code: "signal", text: `it was ended by signal ${event.signal}` };
  return event.exitStatus === undefined
    ? { code: "failed", text: "it failed" }
    : { code: "exit-status", text: `it ended with status ${event.exitStatus}` };
}

/** keepalived tells what comes of a verdict in the lines that follow it. */
function effectsOf(event: Event, all: readonly Event[]): { readonly text: string; readonly event: Event }[] {
  const after = eventsBetween(
    all,
    event.ts,
    event.ts + Math.max(SCRIPT_EFFECT_US, event.tsUncertaintyUs + EDGE_LAG_US),
  );
  const begin = after.indexOf(event);
  return after.slice(begin + 1).flatMap((effect) => {
    const text = effectIn(effect);
    return text === undefined ? [] : [{ text, event: effect }];
  });
}

function effectIn(event: Event): string | undefined {
  if (isKind(event, "vrrp.priority-changed"))
    return event.to < event.from
      ? `the priority of ${event.instance} falls from ${event.from} to ${event.to}`
      : undefined;
  if (isKind(event, "vrrp.priority-set")) return `the priority of ${event.instance} is ${event.priority} now`;
  return isKind(event, "vrrp.state") && event.state === "FAULT" ? `${event.instance} goes to FAULT` : undefined;
}
