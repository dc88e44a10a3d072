import type { Event } from "../../collector/events/event.ts";
import type { DivergenceCode } from "../../collector/events/vocabulary.ts";
import { evidenceOf, lasting } from "./describe.ts";
import type { DaemonView, Detector, RouterView } from "./detector.ts";
import type { Certainty, Evidence, IncidentDraft, Severity } from "./incident.ts";
import { EVIDENCE_MAX, RESTART_GRACE_US } from "./options.ts";

/**
 * keepalived does something else than what its configuration, the wire and the links make it do, as the collector on its
 * node finds it. What an instance does is told with its virtual router, what a process or a checker does with its node.
 */
export const routerDivergence: Detector = { kind: "shadow-divergence", scope: "router", detect: ofRouter };
export const nodeDivergence: Detector = { kind: "shadow-divergence", scope: "daemon", detect: ofNode };

type Told = Extract<Event, { kind: "shadow.divergence" }>;

interface Run {
  readonly begin: Told;
  /** null: it lasts, as far as anybody looks. */
  end: Told | number | null;
}

/** What each means for whoever uses the addresses: [severity, certainty]. Where no cause shows, the shadow may lack something. */
const MEANING: Readonly<Record<DivergenceCode, readonly [Severity, Certainty]>> = {
  "unexpected-master": ["critical", "suspected"],
  "adverts-rejected": ["critical", "confirmed"],
  "socket-not-read": ["critical", "confirmed"],
  "silent-master": ["critical", "confirmed"],
  "not-master": ["warning", "suspected"],
  fault: ["warning", "suspected"],
  frozen: ["critical", "confirmed"],
  "zombie-vip": ["critical", "confirmed"],
  "daemon-absent": ["critical", "confirmed"],
  "service-kept": ["warning", "confirmed"],
  "service-removed": ["warning", "confirmed"],
};

function ofRouter(view: RouterView): IncidentDraft[] {
  return view.nodes.flatMap(({ node, events, watchedTo }) =>
    runsOf(events, watchedTo, (told) => told.instance !== undefined && view.isAbout(told)).map((run) =>
      toDraft(run, view.router.cluster, { router: view.router.id, ...named(run.begin), nodes: [node] }),
    ),
  );
}

function ofNode({ cluster, node, events, watchedTo }: DaemonView): IncidentDraft[] {
  return runsOf(events, watchedTo, ({ instance }) => instance === undefined).map((run) =>
    toDraft(run, cluster, { ...named(run.begin), nodes: [node] }),
  );
}

function named({ instance, virtualServer, realServer }: Told): Pick<IncidentDraft["subject"], "instance" | "service"> {
  return {
    ...(instance === undefined ? {} : { instance }),
    ...(virtualServer === undefined
      ? {}
      : { service: realServer === undefined ? virtualServer : `${virtualServer}/${realServer}` }),
  };
}

/**
 * A begin and the next end of one subject. Where the collector ends nobody looks any more: what it told goes on when its
 * successor soon tells the same, and is over with it otherwise.
 */
function runsOf(events: readonly Event[], watchedTo: number, isWanted: (told: Told) => boolean): Run[] {
  const runs: Run[] = [];
  const open = new Map<string, Run>();
  /** Runs whose collector is gone, and when it was; when its successor began, if it did. */
  const interrupted = new Map<string, { readonly run: Run; readonly at: number; since: number }>();
  let newest = 0;
  const interrupt = (at: number, since: number): void => {
    for (const [key, run] of open) interrupted.set(key, { run, at, since });
    open.clear();
  };
  const expire = (now: number): void => {
    for (const [key, { run, at, since }] of interrupted) {
      if (now - since <= RESTART_GRACE_US) continue;
      run.end = Math.max(at, run.begin.ts);
      interrupted.delete(key);
    }
  };
  for (const event of events) {
    expire(event.ts);
    if (event.kind === "collector.stopped") interrupt(event.ts, Number.POSITIVE_INFINITY);
    else if (event.kind === "collector.started") {
      interrupt(newest, event.ts);
      for (const one of interrupted.values()) one.since = Math.min(one.since, event.ts);
    } else if (event.kind === "shadow.divergence" && isWanted(event)) {
      const key = keyOf(event);
      const known = open.get(key) ?? interrupted.get(key)?.run;
      interrupted.delete(key);
      if (event.phase === "end") {
        if (known) known.end = event;
        open.delete(key);
      } else if (known) open.set(key, known);
      else {
        const run: Run = { begin: event, end: null };
        runs.push(run);
        open.set(key, run);
      }
    }
    newest = event.ts;
  }
  expire(watchedTo);
  return runs;
}

const keyOf = ({ code, instance, daemon, virtualServer, realServer }: Told): string =>
  [code, instance, daemon, virtualServer, realServer].join("\0");

function toDraft({ begin, end }: Run, cluster: string, subject: IncidentDraft["subject"]): IncidentDraft {
  const [severity, certainty] = MEANING[begin.code];
  const endTs = end === null ? null : typeof end === "number" ? end : end.ts;
  const reason = begin.reason === undefined ? "" : ` (${begin.reason})`;
  return {
    kind: "shadow-divergence",
    certainty,
    severity: begin.code === "frozen" && begin.daemon !== "vrrp" ? "warning" : severity,
    cluster,
    subject,
    start: begin.ts,
    end: endTs,
    cause: { code: begin.code, text: `should be: ${begin.expected}; is: ${begin.observed}${reason}` },
    summary: `${begin.node}: ${begin.message}, ${lasting(begin.ts, endTs).trim()}.`,
    evidence: evidence([begin, ...(end !== null && typeof end !== "number" ? [end] : [])]),
  };
}

/** Both sides' evidence as the collector gathered it, and its own word. */
function evidence(events: readonly Told[]): Evidence[] {
  const pieces = events.flatMap((event) => [
    ...event.evidence.map(
      ({ source, ts, text, at }): Evidence => ({
        eventId: event.id,
        node: event.node,
        source,
        ts,
        ...(at === undefined ? {} : { line: at }),
        text,
      }),
    ),
    evidenceOf(event),
  ]);
  const unique = new Map(pieces.map((piece) => [`${piece.source} ${piece.ts} ${piece.text}`, piece]));
  return [...unique.values()].sort((a, b) => a.ts - b.ts).slice(0, EVIDENCE_MAX);
}
