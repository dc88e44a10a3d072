import { isKind, type Event } from "../../../collector/events/event.ts";
import type { NodeView } from "../claims.ts";
import { clock, duration, listed } from "../describe.ts";
import type { RouterView } from "../detector.ts";
import type { LogSpan } from "../evidence.ts";
import { START_DEADLINE_US } from "../options.ts";
import { eventsBetween } from "../order.ts";
import { type Cause, EVENTS_SHOWN, type Explanation, unknown } from "./cause.ts";
import { factsOf, type NodeFacts, placeOf, within } from "./facts.ts";

/** Why nobody is master: for each node what kept it from being one. The table is in README.md beside this folder. */

export interface NoMaster {
  readonly view: RouterView;
  readonly nodes: readonly NodeView[];
  /** Nobody is master from then on, at the latest. */
  readonly at: number;
  readonly to: number;
  /** Who was master last. */
  readonly last: string | null;
}

/** What keeps one node from being master. `rank`: the lower, the more it explains. */
interface Hindrance {
  readonly rank: number;
  readonly code: string;
  /** Of one node; of several that are all hindered in the same way. */
  readonly text: (nodes: string, are: string) => string;
  readonly events: readonly Event[];
  readonly ts: number;
  readonly look: readonly string[];
}

/** Longest time from the parent's "Stopping" to the child's last line: it waits a second, and may be slow. */
const STOPPING_US = 10_000_000;

export function explainNoMaster(gap: NoMaster): Explanation {
  const hindered = gap.nodes.map((node) => ({ node: node.node, hindrance: hindranceOf(factsOf(node, gap.view), gap) }));
  const known = hindered.flatMap(({ node, hindrance }) => (hindrance ? [{ node, hindrance }] : []));
  const byCode = new Map<string, { readonly nodes: string[]; readonly hindrances: Hindrance[] }>();
  for (const { node, hindrance } of known) {
    const group = byCode.get(hindrance.code) ?? { nodes: [], hindrances: [] };
    group.nodes.push(node);
    group.hindrances.push(hindrance);
    byCode.set(hindrance.code, group);
  }
  const causes = [...byCode.values()].map(({ nodes, hindrances }) => toCause(nodes.sort(), hindrances));
  const isAll = known.length === hindered.length;
  const ranked = [...byCode.values()]
    .map(({ nodes, hindrances }, index) => ({
      nodes,
      rank: (hindrances[0] as Hindrance).rank,
      cause: causes[index] as Cause,
    }))
    .sort(
      (a, b) =>
        a.rank - b.rank ||
        Number(b.nodes.includes(gap.last ?? "")) - Number(a.nodes.includes(gap.last ?? "")) ||
        (a.cause.code < b.cause.code ? -1 : 1),
    );
  const [first] = ranked;
  if (!first) return unknown("the evidence does not show why", gap.at);
  const others = ranked.slice(1).map(({ cause }) => cause);
  // That a node is stopped or in FAULT explains nothing while another one should take over.
  if (first.rank < ORDINARY_RANK || (ranked.length === 1 && isAll)) return { cause: first.cause, others };
  if (!isAll)
    return unknown(
      "the evidence does not show why",
      gap.at,
      ranked.map(({ cause }) => cause),
    );
  const names = listed(gap.nodes.map(({ node }) => node));
  return {
    cause: {
      code: "no-candidate",
      text: `every node is in FAULT or stopped (${names})`,
      events: [],
      ts: gap.at,
      look: [],
    },
    others: ranked.map(({ cause }) => cause),
  };
}

function toCause(nodes: readonly string[], hindrances: readonly Hindrance[]): Cause {
  const [first] = [...hindrances].sort((a, b) => a.ts - b.ts || (a.look.join() < b.look.join() ? -1 : 1)) as [
    Hindrance,
  ];
  return {
    code: first.code,
    text: first.text(listed(nodes), nodes.length > 1 ? "are" : "is"),
    events: hindrances.flatMap(({ events }) => events.slice(0, EVENTS_SHOWN)),
    ts: first.ts,
    look: [...new Set(hindrances.flatMap(({ look }) => look))],
  };
}

/** From here on what a node is says nothing about why it is so. */
const ORDINARY_RANK = 10;

function hindranceOf(facts: NodeFacts, gap: NoMaster): Hindrance | undefined {
  for (const find of HINDRANCES) {
    const found = find(facts, gap);
    if (found) return found;
  }
  return undefined;
}

type Find = (facts: NodeFacts, gap: NoMaster) => Hindrance | undefined;

/** Its state then, as far as a line says; what came first later says nothing about then. */
const stateAt = ({ view }: NodeFacts, { at }: NoMaster): LogSpan | undefined =>
  view.log.findLast(({ from }) => from.ts <= at);

const failedStart: Find = ({ node, failedStarts }, { at, to }) => {
  const failed = failedStarts.findLast(
    ({ start, failure }) =>
      start.ts <= to && failure.ts >= at - START_DEADLINE_US && start.ts >= at - 2 * START_DEADLINE_US,
  );
  if (!failed) return undefined;
  const isReload = failed.start.kind === "daemon.reloading";
  const deed = isReload ? "did not survive its reload" : "did not survive its start";
  return {
    rank: 3,
    code: isReload ? "failed-reload" : "failed-start",
    text: (nodes) => `keepalived on ${nodes} ${deed} at ${clock(failed.start.ts)}`,
    events: [failed.start, failed.failure],
    ts: failed.start.ts,
    look: [`keepalived -t and journalctl -u keepalived on ${node}`],
  };
};

const frozen: Find = ({ node, frozen: spans }, { at, to }) => {
  const span = spans.find((one) => within(one, at, to));
  if (!span) return undefined;
  return {
    rank: 2,
    code: "frozen",
    text: (nodes, are) =>
      `the VRRP ${are === "is" ? "process" : "processes"} on ${nodes} ${are === "is" ? "does" : "do"} not run since ${clock(span.from)} (stopped, or waiting for a disk)`,
    events: span.events,
    ts: span.from,
    look: [`ps -o pid,stat,wchan:20,args -C keepalived on ${node}`],
  };
};

const stalled: Find = ({ node, stalls }, { at, to, view }) => {
  const stall = stalls.find(
    ({ ts, lateUs }) => lateUs >= view.router.advertIntervalUs && ts >= at && ts - lateUs <= to,
  );
  if (!stall) return undefined;
  return {
    rank: 4,
    code: "scheduler-stall",
    text: (nodes) =>
      `keepalived on ${nodes} did not run for ${duration(stall.lateUs)} until ${clock(stall.ts)} (no CPU, or the whole machine stood still)`,
    events: [stall],
    ts: stall.ts - stall.lateUs,
    look: [`the load, steal time and snapshots of ${node} at that time`],
  };
};

/** A backup that takes a stranger's adverts for its master's waits for ever. */
const strangersBackup: Find = (facts, gap) => {
  if (stateAt(facts, gap)?.state !== "BACKUP") return undefined;
  const span = facts.foreign.find((one) => within(one, gap.at - gap.view.router.masterDownUs, gap.to));
  if (!span) return undefined;
  const { peer, vips, interface: nic } = span;
  return {
    rank: 1,
    code: "vrid-clash",
    text: (nodes, are) =>
      `${nodes} ${are} backup to ${peer}, which sends adverts of VRID ${gap.view.router.vrid ?? 0} for other addresses (${vips.slice(0, 3).join(", ")}): another cluster uses the same VRID`,
    events: span.events,
    ts: span.from,
    look: [
      `tcpdump -eni ${nic} 'ip proto 112 and src ${peer}' on ${facts.node}`,
      `virtual_router_id at ${placeOf(facts, gap.at)}`,
    ],
  };
};

const inFault: Find = (facts, gap) => {
  const span = stateAt(facts, gap);
  if (span?.state !== "FAULT") return undefined;
  const event = span.from.event;
  const link = facts.linkDown.find((one) => within(one, gap.at - LINK_LAG_US, gap.at + LINK_LAG_US));
  const { reason, subject } = isKind(event, "vrrp.state") ? event : { reason: undefined, subject: undefined };
  const common = { events: [event, ...(link?.events.slice(0, 1) ?? [])], ts: span.from.ts };
  if (link || reason === "interface")
    return {
      ...common,
      rank: ORDINARY_RANK,
      code: "link-down",
      text: (nodes, are) => `the links of ${nodes} ${are} down, so ${are === "is" ? "it is" : "they are"} in FAULT`,
      look: [`ip -s link show ${link?.interface ?? subject ?? ""} on ${facts.node}`.replace("  ", " ")],
    };
  const why = reason === undefined ? "" : ` (${reason}${subject === undefined ? "" : ` ${subject}`})`;
  return {
    ...common,
    rank: ORDINARY_RANK + 1,
    code: "fault",
    text: (nodes, are) => `${nodes} ${are} in FAULT${why}`,
    look: [`what its instance tracks, and why it fails: journalctl -u keepalived on ${facts.node}`],
  };
};

/** Sources tell of one thing this far apart. */
const LINK_LAG_US = 5_000_000;

const ended: Find = (facts, gap) => {
  const { node, view, lifecycle, gone } = facts;
  const span = stateAt(facts, gap);
  const newest = lifecycle.findLast(({ ts }) => ts <= gap.at);
  const byState = span?.state === "STOPPED" ? span.from.event : undefined;
  // A log that is read from the middle on may tell of the end alone.
  const byLog = span === undefined && newest !== undefined && newest.kind !== "daemon.starting" ? newest : undefined;
  const byProcess = gone.find((one) => within(one, gap.at, gap.at));
  const event = byState ?? byLog ?? byProcess?.events[0];
  if (!event) return undefined;
  const ts = byState ? (span?.from.ts ?? event.ts) : event.ts;
  const isOrderly = eventsBetween(view.events, ts - STOPPING_US, ts + STOPPING_US).some(
    ({ kind }) => kind === "daemon.stopping",
  );
  return {
    rank: ORDINARY_RANK,
    code: isOrderly ? "stopped" : "daemon-ended",
    text: (nodes) => `keepalived ${isOrderly ? "was stopped" : "ended"} on ${nodes}`,
    events: [event],
    ts,
    look: [isOrderly ? `systemctl start keepalived on ${node}` : `journalctl -u keepalived on ${node}`],
  };
};

/** In the order in which they are asked: the first that fits says what keeps the node. */
const HINDRANCES: readonly Find[] = [failedStart, frozen, strangersBackup, stalled, ended, inFault];
