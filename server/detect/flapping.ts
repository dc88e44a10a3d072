import type { Event } from "../../collector/events/event.ts";
import { type FlapCause, whyItFlaps } from "./causes/flapping.ts";
import type { Claim } from "./claims.ts";
import { evidenceList, instant, listed, routerName } from "./describe.ts";
import type { ClusterView, DaemonView, Detector, RouterView } from "./detector.ts";
import type { LogSpan } from "./evidence.ts";
import type { IncidentDraft } from "./incident.ts";
import { SAME_EDGE_SLACK_US } from "./options.ts";
import { type Change, type FlapRun, flapRuns } from "./penalty.ts";
import { causeOf } from "./service-down.ts";
import { eventsOf, outagesOf, spansOf } from "./services.ts";
import { verdictChanges } from "./verdicts.ts";

/**
 * Something goes to and fro: a router's ownership, an instance, a real server, a check script. Each change costs, and the cost
 * decays; one failover and its failback are two changes, and no flapping. The rules are in README.md.
 */
export const routerFlapping: Detector = { kind: "flapping", scope: "router", detect: ofRouter };
export const serviceFlapping: Detector = { kind: "flapping", scope: "cluster", detect: ofServices };
export const scriptFlapping: Detector = { kind: "flapping", scope: "daemon", detect: ofScripts };

// --- routers and instances -------------------------------------------------------------------------------------------------

function ofRouter(view: RouterView): IncidentDraft[] {
  const owners = flapRuns(ownershipOf(view), view.horizon, view.options.flapping);
  // What moves the ownership is told with it: an instance's own flapping is one that moves nothing, as far as anybody sees.
  const isTold = (run: FlapRun<LogSpan>): boolean =>
    owners.some(({ since, end }) => since <= (run.end ?? view.horizon) && (end ?? view.horizon) >= run.since);
  const instances = view.nodes.flatMap(({ node, log }) =>
    [...new Set(log.map(({ instance }) => instance))].flatMap((instance) => {
      const spans = log.filter((span) => span.instance === instance);
      const series = [IS_MASTER, IS_FAULT].map((is) =>
        flapRuns(changesOf(spans, is), view.horizon, view.options.flapping),
      );
      const runs = series.find((found) => found.length > 0) ?? [];
      return runs.filter((run) => !isTold(run)).map((run) => ofInstance(run, node, instance, view));
    }),
  );
  return [...owners.map((run) => ofOwnership(run, view)), ...instances];
}

/** Masterships that began on another node than the one before. Two nodes that both stay master change nothing. */
function ownershipOf(view: RouterView): Change<Claim>[] {
  const claims = view.nodes
    .filter(({ real }) => real)
    .flatMap((node) => node.claims)
    .sort((a, b) => a.start - b.start || (a.node < b.node ? -1 : 1));
  return claims
    .filter((claim, i) => i > 0 && claims[i - 1]?.node !== claim.node)
    .map((item) => ({ ts: item.start, item }));
}

const IS_MASTER = ({ state }: LogSpan): boolean => state === "MASTER";
const IS_FAULT = ({ state }: LogSpan): boolean => state === "FAULT";

/** Where it goes over to its opposite. A daemon that was stopped begins anew. */
function changesOf(spans: readonly LogSpan[], is: (span: LogSpan) => boolean): Change<LogSpan>[] {
  const inOrder = [...spans].sort((a, b) => a.from.ts - b.from.ts);
  return inOrder.flatMap((span, i) => {
    const before = inOrder[i - 1];
    if (!before || before.state === "STOPPED" || span.state === "STOPPED" || is(before) === is(span)) return [];
    return [{ ts: span.from.ts, item: span }];
  });
}

function ofOwnership(run: FlapRun<Claim>, view: RouterView): IncidentDraft {
  const claims = run.changes.map(({ item }) => item);
  const nodes = [...new Set(claims.map(({ node }) => node))].sort();
  return draftOf(run, {
    cluster: view.router.cluster,
    subject: { router: view.router.id, nodes },
    code: "ownership",
    text: `mastership changed ${run.count} times since ${instant(run.since)}`,
    who: routerName(view.router),
    where: ` between ${listed(nodes)}`,
    events: claims.flatMap(({ events }) => events),
    why: whyItFlaps(timesOf(run), view),
  });
}

function ofInstance(run: FlapRun<LogSpan>, node: string, instance: string, view: RouterView): IncidentDraft {
  const states = [...new Set(run.changes.map(({ item }) => item.state))].sort();
  return draftOf(run, {
    cluster: view.router.cluster,
    subject: { router: view.router.id, instance, nodes: [node] },
    code: "instance-state",
    text: `its state changed ${run.count} times since ${instant(run.since)}, to ${listed(states)}`,
    who: `${instance} on ${node}`,
    where: "",
    events: run.changes.map(({ item }) => item.from.event),
    why: whyItFlaps(timesOf(run), view),
  });
}

const timesOf = ({ changes }: FlapRun<unknown>): readonly number[] => changes.map(({ ts }) => ts);

// --- real servers ----------------------------------------------------------------------------------------------------------

/** An outage that begins or ends. */
interface Outcome {
  readonly events: readonly Event[];
  readonly cause: IncidentDraft["cause"];
}

/** Goes by what all nodes' checkers together hold for an outage, as service-down does. */
function ofServices(view: ClusterView): IncidentDraft[] {
  const spans = spansOf(view.nodes, view.options.silentAfterUs).filter(({ realServer }) => realServer !== null);
  const services = new Map<string, Change<Outcome>[]>();
  for (const { virtualServer, realServer, start, end, spans: own } of outagesOf(spans, SAME_EDGE_SLACK_US)) {
    const name = `${virtualServer}/${realServer ?? ""}`;
    const changes = services.get(name) ?? [];
    services.set(name, changes);
    const item = { events: own.flatMap(eventsOf), cause: causeOf(own) };
    changes.push({ ts: start, item });
    if (end !== null) changes.push({ ts: end, item });
  }
  return [...services].flatMap(([service, changes]) =>
    flapRuns(byTime(changes), view.horizon, view.options.flapping).map((run) => {
      const events = run.changes.flatMap(({ item }) => item.events);
      const nodes = [...new Set(events.map(({ node }) => node))].sort();
      const [virtualServer, realServer] = service.split(/\/(?=\[)/);
      return draftOf(run, {
        cluster: view.cluster,
        subject: { service, nodes },
        code: "real-server",
        text: `it went down or up ${run.count} times since ${instant(run.since)}`,
        who: `Real server ${realServer ?? service} of ${virtualServer}`,
        where: ` as seen by ${listed(nodes)}`,
        events,
        why: commonCause(run.changes.map(({ item }) => item)),
      });
    }),
  );
}

/** What the checkers found most times. */
function commonCause(outcomes: readonly Outcome[]): FlapCause | undefined {
  const found = outcomes.flatMap(({ cause }) => cause ?? []);
  const common = found.find(({ code }) => found.filter((one) => one.code === code).length * 2 > outcomes.length);
  return common && { ...common, events: [] };
}

const byTime = <T>(changes: readonly Change<T>[]): Change<T>[] => [...changes].sort((a, b) => a.ts - b.ts);

// --- scripts and processes -------------------------------------------------------------------------------------------------

function ofScripts(view: DaemonView): IncidentDraft[] {
  return [...verdictChanges(view.events)].flatMap(([component, events]) => {
    const changes = events.map((item) => ({ ts: item.ts, item }));
    return flapRuns(changes, view.horizon, view.options.flapping).map((run) =>
      draftOf(run, {
        cluster: view.cluster,
        subject: { component, nodes: [view.node] },
        code: "check-script",
        text: `its result changed ${run.count} times since ${instant(run.since)}`,
        who: `${component} on ${view.node}`,
        where: "",
        events: run.changes.map(({ item }) => item),
      }),
    );
  });
}

// --- incidents -------------------------------------------------------------------------------------------------------------

interface Told {
  readonly cluster: string;
  readonly subject: IncidentDraft["subject"];
  readonly code: string;
  readonly text: string;
  readonly who: string;
  readonly where: string;
  readonly events: readonly Event[];
  readonly why?: FlapCause | undefined;
}

function draftOf(
  { start, end, fadesAt }: Pick<FlapRun<unknown>, "start" | "end" | "fadesAt">,
  told: Told,
): IncidentDraft {
  const { why } = told;
  const summary = (verb: string): string =>
    `${told.who} ${verb}${told.where}: ${told.text}${why ? `; ${why.text}` : ""}.`;
  return {
    kind: "flapping",
    certainty: "confirmed",
    severity: "warning",
    cluster: told.cluster,
    subject: told.subject,
    start,
    end,
    cause: { code: why?.code ?? told.code, text: why?.text ?? told.text },
    summary: summary(end === null ? "flaps" : "flapped"),
    evidence: evidenceList([...(why?.events ?? []), ...told.events]),
    fades: { at: fadesAt, open: summary("flaps"), over: summary("flapped") },
  };
}
