import { isKind, type Event } from "../../collector/events/event.ts";
import type { NodeInput, NodeView } from "./claims.ts";
import { evidenceList, lasting, listed, routerName } from "./describe.ts";
import { type ClusterView, type Detector, endOf, type RouterView } from "./detector.ts";
import { type LogSpan, startsOfSecondDaemons } from "./evidence.ts";
import type { Certainty, IncidentDraft } from "./incident.ts";
import {
  CONFIG_SEEN_LATE_US,
  EDGE_LAG_US,
  FAULT_GRACE_US,
  FAULT_START_GRACE_US,
  FAULT_TOGETHER_US,
  OVERLAP_INTERVALS,
} from "./options.ts";
import { eventsBetween } from "./order.ts";

/**
 * Instances of a node that cannot become master: in FAULT, or never heard of after a start that worked. What befalls several of
 * them at once is one incident. The rules are in README.md.
 */
export const instanceFault: Detector = { kind: "instance-fault", scope: "cluster", detect };

interface Fault {
  readonly node: string;
  readonly instance: string;
  readonly router: RouterView | undefined;
  readonly start: number;
  readonly end: number | null;
  readonly certainty: Certainty;
  readonly cause: { readonly code: string; readonly text: string };
  readonly events: readonly Event[];
}

function detect(view: ClusterView): IncidentDraft[] {
  const faults = [...view.routers.flatMap(inFault), ...view.inputs.flatMap((input) => keptFromRunning(input, view))];
  return together(faults).map((group) => toDraft(group, view));
}

// --- FAULT -----------------------------------------------------------------------------------------------------------------

function inFault(router: RouterView): Fault[] {
  return router.nodes.flatMap((node) =>
    node.log
      .filter((span) => span.state === "FAULT")
      .flatMap((span): Fault[] => {
        const { ts, event } = span.from;
        const end = span.to?.ts ?? null;
        if ((end ?? node.watchedTo) - ts < graceOf(span, node)) return [];
        const why = causeOf(event, span.instance, node);
        return [
          {
            node: node.node,
            instance: span.instance,
            router,
            start: ts,
            end,
            certainty: "confirmed",
            cause: why.cause,
            events: [...why.events, event, ...(span.to ? [span.to.event] : [])],
          },
        ];
      }),
  );
}

/** A daemon that has just read its configuration finds links still coming up, and scripts that have not run yet. */
function graceOf({ from }: LogSpan, { events }: NodeView): number {
  const read = eventsBetween(events, from.ts - FAULT_START_GRACE_US, from.ts + from.uncertaintyUs).some((event) =>
    isKind(event, "daemon.starting", "daemon.reloading"),
  );
  return read ? FAULT_START_GRACE_US : FAULT_GRACE_US;
}

const REASONS: Readonly<Record<string, (subject: string) => string>> = {
  script: (subject) => `track script ${subject} fails`,
  interface: (subject) => `interface ${subject} is down`,
  file: (subject) => `tracked file ${subject} says so`,
  process: (subject) => `tracked process ${subject} is not there in numbers`,
  "no-address": () => "its interface has no address",
  "source-address": () => "its source address is not on the node",
};

/** What happened at most this long before, or was told at once after it, may be why. */
const WHY_BEFORE_US = 5_000_000;

/** What the line itself says, else the nearest event that puts an instance into FAULT. */
function causeOf(
  event: Event,
  instance: string,
  { events }: NodeView,
): { cause: Fault["cause"]; events: readonly Event[] } {
  if (event.kind === "vrrp.state" && event.reason !== undefined) {
    const text = REASONS[event.reason]?.(event.subject ?? "") ?? event.reason;
    return { cause: { code: event.reason, text }, events: [] };
  }
  const near = eventsBetween(events, event.ts - WHY_BEFORE_US, event.ts + event.tsUncertaintyUs + EDGE_LAG_US);
  for (const candidate of near.toReversed()) {
    const cause = reasonIn(candidate, instance);
    if (cause) return { cause, events: [candidate] };
  }
  return { cause: { code: "unknown", text: "the log does not say why" }, events: [] };
}

function reasonIn(event: Event, instance: string): Fault["cause"] | undefined {
  switch (event.kind) {
    case "vrrp.interface":
      return event.up ? undefined : { code: "interface", text: `interface ${event.interface} is down` };
    case "script.result":
      return event.outcome === "success" || event.run === true
        ? undefined
        : {
            code: "script",
            text: `track script ${event.script} ${event.outcome === "timeout" ? "times out" : "fails"}`,
          };
    case "track.process":
      return event.quorum === false
        ? { code: "process", text: `tracked process ${event.process} is not there in numbers` }
        : undefined;
    case "track.file":
      return event.fault && event.instance === instance
        ? { code: "file", text: `tracked file ${event.file} says so` }
        : undefined;
    case "track.bfd":
      return event.up || (event.instance ?? instance) !== instance
        ? undefined
        : { code: "bfd", text: `BFD session ${event.bfd} is down` };
    case "vrrp.group-state":
      return event.state === "FAULT"
        ? { code: "sync-group", text: `another member of sync group ${event.group} is in FAULT` }
        : undefined;
    default:
      return undefined;
  }
}

// --- kept from running -----------------------------------------------------------------------------------------------------

interface Run {
  readonly start: Event;
  /** Instances of the newest configuration that it has read: since when it knows them, and when they should have a state. */
  expected: ReadonlyMap<string, { readonly since: number; readonly due: number }>;
  /** Since when each is heard of. */
  readonly heard: Map<string, Event>;
  /** The log tells of states in this run. */
  sign: Event | null;
  end: number | null;
}

/** Configured, and not in a state when others of the same daemon long are. */
function keptFromRunning({ node, events, watchedTo }: NodeInput, view: ClusterView): Fault[] {
  return runsOf(events, view.options.startDeadlineUs).flatMap((run) =>
    [...run.expected].flatMap(([instance, { since, due }]): Fault[] => {
      const { sign } = run;
      const heard = run.heard.get(instance);
      const end = heard?.ts ?? run.end;
      if (!sign || watchedTo <= due || (end !== null && end <= due)) return [];
      return [
        {
          node,
          instance,
          router: view.routers.find(({ router }) =>
            router.instances.some((one) => one.node === node && one.name === instance),
          ),
          start: since,
          end,
          certainty: "suspected",
          cause: { code: "not-started", text: "it is configured, and keepalived never told a state of it" },
          events: [run.start, sign, ...(heard ? [heard] : [])],
        },
      ];
    }),
  );
}

function runsOf(events: readonly Event[], deadlineUs: number): Run[] {
  const rejected = startsOfSecondDaemons(events);
  const runs: Run[] = [];
  let run: Run | undefined;
  let config: Extract<Event, { kind: "config.loaded" }> | undefined;
  let delayUs = 0;
  const expect = (ts: number): void => {
    if (!run || !config) return;
    const before = run.expected;
    run.expected = new Map(
      config.instances
        .filter(({ vrid }) => vrid !== undefined)
        .map(({ instance }) => [instance, before.get(instance) ?? { since: ts, due: ts + deadlineUs + delayUs }]),
    );
  };
  for (const event of events) {
    switch (event.kind) {
      case "config.loaded":
        config = event;
        if (run && event.ts - run.start.ts <= CONFIG_SEEN_LATE_US) expect(run.start.ts);
        break;
      case "daemon.starting":
        if (rejected.has(event)) break;
        if (run) run.end ??= event.ts;
        run = { start: event, expected: new Map(), heard: new Map(), sign: null, end: null };
        runs.push(run);
        delayUs = 0;
        expect(event.ts);
        break;
      case "daemon.reloading":
        expect(event.ts);
        break;
      case "vrrp.startup-delay":
        delayUs = event.over ? 0 : (event.delayUs ?? 0);
        if (run)
          run.expected = new Map(
            [...run.expected].map(([name, { since, due }]) => [name, { since, due: due + delayUs }]),
          );
        break;
      case "vrrp.state":
        if (!run) break;
        run.sign ??= event;
        if (!run.heard.has(event.instance)) run.heard.set(event.instance, event);
        break;
      case "daemon.stopping":
      case "daemon.stopped":
      case "daemon.child-exited":
        // Checkers come and go without it.
        if (run && (event.kind === "daemon.stopping" || (event.daemon !== "checker" && event.daemon !== "bfd")))
          run.end ??= event.ts;
        break;
      default:
    }
  }
  return runs;
}

// --- incidents -------------------------------------------------------------------------------------------------------------

/** One cable takes many instances down; they come back when each of them may. */
function together(faults: readonly Fault[]): Fault[][] {
  const groups: Fault[][] = [];
  const open = new Map<string, Fault[]>();
  const order = (a: Fault, b: Fault): number => a.start - b.start || (a.instance < b.instance ? -1 : 1);
  for (const fault of [...faults].sort(order)) {
    const key = `${fault.node} ${fault.certainty}`;
    const group = open.get(key);
    const first = group?.[0];
    if (group && first && fault.start - first.start <= FAULT_TOGETHER_US) group.push(fault);
    else {
      const next = [fault];
      open.set(key, next);
      groups.push(next);
    }
  }
  return groups;
}

function toDraft(group: readonly Fault[], view: ClusterView): IncidentDraft {
  const first = group[0] as Fault;
  const end = group.some((fault) => fault.end === null) ? null : Math.max(...group.map((fault) => fault.end ?? 0));
  const instances = [...new Set(group.map(({ instance }) => instance))];
  const routers = [...new Set(group.flatMap(({ router }) => (router ? [router] : [])))];
  const [router] = routers;
  const cause = group.find(({ cause: { code } }) => code !== "unknown" && code !== "sync-group")?.cause ?? first.cause;
  const covers = group.map((fault) => coverOf(fault, view.horizon));
  const bare = group.find((_, i) => covers[i]?.isHeld === false);
  const holders = [...new Set(covers.flatMap(({ nodes }) => nodes))].sort();
  const who = `${instances[0]}${instances.length > 1 ? ` and ${instances.length - 1} more` : ""} on ${first.node}`;
  const state = first.certainty === "confirmed" ? "in FAULT" : "probably not running";
  const rest = bare
    ? `no other node ${end === null ? "has" : "had"} ${bare.router ? routerName(bare.router.router) : bare.instance}`
    : holders.length > 0
      ? `${listed(holders)} ${end === null ? (holders.length > 1 ? "have" : "has") : "had"} the addresses`
      : "";
  return {
    kind: "instance-fault",
    certainty: first.certainty,
    severity: bare && first.certainty === "confirmed" ? "critical" : "warning",
    cluster: view.cluster,
    subject: {
      ...(routers.length === 1 && router ? { router: router.router.id } : {}),
      ...(instances.length === 1 ? { instance: first.instance } : {}),
      nodes: [first.node],
    },
    start: first.start,
    end,
    cause,
    summary: `${who} ${end === null ? (instances.length > 1 ? "are" : "is") : instances.length > 1 ? "were" : "was"} ${state} ${lasting(first.start, end)}: ${cause.text}${rest === "" ? "" : `; ${rest}`}.`,
    evidence: evidenceList(group.flatMap(({ events }) => events)),
  };
}

/**
 * Whether other nodes had the router for all but the time that a takeover takes. Not where somebody may have it whom nobody
 * watches: a peer without a collector, or whoever was master while this one was a backup.
 */
function coverOf(
  { node, router, start, end }: Fault,
  horizon: number,
): { readonly isHeld: boolean | undefined; readonly nodes: readonly string[] } {
  if (!router) return { isHeld: undefined, nodes: [] };
  const toleranceUs = OVERLAP_INTERVALS * router.router.advertIntervalUs;
  const until = end ?? horizon;
  const others = router.nodes.filter((other) => other.node !== node);
  const claims = others
    .flatMap((other) => other.claims)
    .filter((claim) => claim.start < until && endOf(claim) > start)
    .sort((a, b) => a.start - b.start);
  let covered = start + router.router.masterDownUs + toleranceUs;
  let bareUs = 0;
  for (const claim of claims) {
    bareUs += Math.max(0, claim.start - covered);
    covered = Math.max(covered, endOf(claim));
  }
  bareUs += Math.max(0, until - covered);
  const nodes = [...new Set(claims.map((claim) => claim.node))];
  if (bareUs <= toleranceUs) return { isHeld: true, nodes };
  const areSeen = others.length > 0 && others.every(({ real, watchedTo }) => real && watchedTo >= until - toleranceUs);
  const hadMaster = router.nodes.some((one) =>
    one.claims.some((claim) => claim.start < start && endOf(claim) + claim.endUncertaintyUs >= start - toleranceUs),
  );
  return { isHeld: areSeen && (hadMaster || nodes.length > 0) ? false : undefined, nodes };
}
