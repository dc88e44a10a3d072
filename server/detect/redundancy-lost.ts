import { type Event, isKind } from "../../collector/events/event.ts";
import type { NodeView } from "./claims.ts";
import { evidenceList, lasting, listed, routerName } from "./describe.ts";
import type { Detector, RouterView } from "./detector.ts";
import type { LogSpan } from "./evidence.ts";
import type { IncidentDraft } from "./incident.ts";
import { BLIND_AFTER_US, REDUNDANCY_GRACE_US } from "./options.ts";
import { eventsBetween } from "./order.ts";

/** Whoever is master, nobody could take over. The rules are in README.md. */
export const redundancyLost: Detector = { kind: "redundancy-lost", scope: "router", detect };

type Code = "stopped" | "daemon-ended" | "fault" | "frozen" | "daemon-absent" | "unseen";

/** A node could not be master, or left the router, from then to then. */
interface Span {
  readonly node: string;
  readonly start: number;
  /** null: still so, as far as is known. */
  readonly end: number | null;
  /** undefined: its configuration does not have the router. */
  readonly code: Code | undefined;
  readonly text: string;
  readonly events: readonly Event[];
}

/** At most one node could be master, although the router has several. */
interface Lost {
  readonly start: number;
  readonly end: number | null;
  /** For how long exactly one could, up to an instant. */
  aloneTo(ts: number): number;
  readonly spans: readonly Span[];
}

function detect(view: RouterView): IncidentDraft[] {
  // Of a node that never told a state nothing can be lost; of one that is not ours nothing can be seen.
  const members = view.nodes.filter(({ real, log }) => real && log.length > 0);
  if (members.length < 2) return [];
  const seen = members.flatMap((node) => [...unableByLog(node), ...unableByShadow(node), ...leftOf(node, view)]);
  const unseen = members.flatMap((node) => unseenOf(node, view.horizon));
  const names = members.map(({ node }) => node);
  const known = lostIn(seen, names).filter((lost) => lost.aloneTo(view.horizon) > REDUNDANCY_GRACE_US);
  const possible = unseen.length === 0 ? [] : lostIn([...seen, ...unseen], names);
  return [
    ...known.map((lost) => toDraft(lost, view, members)),
    ...possible
      .filter((lost) => !known.some((other) => overlap(lost, other)))
      .filter((lost) => lost.aloneTo(view.horizon) > REDUNDANCY_GRACE_US)
      .map((lost) => toDraft(lost, view, members)),
  ];
}

const overlap = (a: Lost, b: Lost): boolean => a.start <= (b.end ?? Infinity) && b.start <= (a.end ?? Infinity);

// --- when a node is of no use ------------------------------------------------------------------------------------------

function unableByLog(view: NodeView): Span[] {
  const { node, log } = view;
  return log.flatMap((span): Span[] => {
    if (span.state !== "FAULT" && span.state !== "STOPPED") return [];
    const common = { node, start: span.from.ts, end: span.to?.ts ?? null, events: eventsOf(span) };
    if (span.state === "FAULT") return [{ ...common, code: "fault", text: `${node} is in FAULT${reasonOf(span)}` }];
    return isOrderly(view, span)
      ? [{ ...common, code: "stopped", text: `keepalived was stopped on ${node}` }]
      : [{ ...common, code: "daemon-ended", text: `keepalived ended on ${node}` }];
  });
}

const eventsOf = ({ from, to }: LogSpan): Event[] => (to ? [from.event, to.event] : [from.event]);

function reasonOf({ from: { event } }: LogSpan): string {
  if (!isKind(event, "vrrp.state") || event.reason === undefined) return "";
  return ` (${event.reason}${event.subject === undefined ? "" : ` ${event.subject}`})`;
}

/** Longest time from the parent's "Stopping" to the child's last line: it waits a second, and may be slow. */
const STOPPING_US = 10_000_000;

const isOrderly = ({ events }: NodeView, { from }: LogSpan): boolean =>
  eventsBetween(events, from.ts - STOPPING_US, from.ts + STOPPING_US).some(({ kind }) => kind === "daemon.stopping");

/** A process that is frozen, or gone without a word. */
function unableByShadow({ node, events }: NodeView): Span[] {
  const spans: Span[] = [];
  const open = new Map<"frozen" | "daemon-absent", Event>();
  const close = (code: "frozen" | "daemon-absent", end: Event | null): void => {
    const begin = open.get(code);
    if (!begin) return;
    open.delete(code);
    const text = code === "frozen" ? `keepalived is frozen on ${node}` : `keepalived does not run on ${node}`;
    spans.push({ node, start: begin.ts, end: end?.ts ?? null, code, text, events: end ? [begin, end] : [begin] });
  };
  for (const event of events) {
    // Its successor tells anew what is so.
    if (isKind(event, "collector.started", "collector.stopped")) for (const code of open.keys()) close(code, event);
    if (!isKind(event, "shadow.divergence") || (event.code !== "frozen" && event.code !== "daemon-absent")) continue;
    if (event.daemon !== undefined && event.daemon !== "vrrp" && event.daemon !== "parent") continue;
    if (event.phase === "end") close(event.code, event);
    else if (!open.has(event.code)) open.set(event.code, event);
  }
  for (const code of open.keys()) close(code, null);
  return spans;
}

/** Its configuration does not have the router any more: it is no member for as long. */
function leftOf({ node, events, lane: { instance } }: NodeView, { router }: RouterView): Span[] {
  const spans: Span[] = [];
  if (instance === null) return spans;
  let since: Event | undefined;
  let had = false;
  const close = (end: number | null): void => {
    if (since) spans.push({ node, start: since.ts, end, code: undefined, text: "", events: [since] });
    since = undefined;
  };
  for (const event of events) {
    if (!isKind(event, "config.loaded")) continue;
    const has = event.instances.some((own) => own.instance === instance && (own.vrid ?? router.vrid) === router.vrid);
    if (has) close(event.ts);
    else if (had) since ??= event;
    had ||= has;
  }
  close(null);
  return spans;
}

function unseenOf({ node, watchedTo, events }: NodeView, horizon: number): Span[] {
  if (horizon - watchedTo <= BLIND_AFTER_US) return [];
  const last = events.at(-1);
  const text = `${node} cannot be seen`;
  return [{ node, start: watchedTo, end: null, code: "unseen", text, events: last ? [last] : [] }];
}

// --- when too few are left -----------------------------------------------------------------------------------------------

interface Edge {
  readonly ts: number;
  readonly span: Span;
  readonly begins: boolean;
}

function lostIn(spans: readonly Span[], members: readonly string[]): Lost[] {
  const edges = spans
    .flatMap((span): Edge[] => [
      { ts: span.start, span, begins: true },
      ...(span.end === null ? [] : [{ ts: span.end, span, begins: false }]),
    ])
    .sort((a, b) => a.ts - b.ts || Number(a.begins) - Number(b.begins) || (a.span.node < b.span.node ? -1 : 1));
  const current = new Set<Span>();
  const found: Lost[] = [];
  let open:
    | { start: number; readonly alone: { from: number; to: number | null }[]; readonly spans: Set<Span> }
    | undefined;
  for (const [index, { ts, span, begins }] of edges.entries()) {
    if (begins) current.add(span);
    else current.delete(span);
    if (edges[index + 1]?.ts === ts) continue;
    const able = ableOf(current, members);
    if (able === undefined || able > 1) {
      if (open) found.push(lostOf(open, ts));
      open = undefined;
      continue;
    }
    open ??= { start: ts, alone: [], spans: new Set() };
    for (const one of current) if (one.code !== undefined) open.spans.add(one);
    const last = open.alone.at(-1);
    if (able === 1 && last?.to !== null) open.alone.push({ from: ts, to: null });
    if (able === 0 && last?.to === null) last.to = ts;
  }
  if (open) found.push(lostOf(open, null));
  return found;
}

/** How many could be master; undefined when the router has no second node then. */
function ableOf(current: ReadonlySet<Span>, members: readonly string[]): number | undefined {
  const left = new Set<string>();
  const unable = new Set<string>();
  for (const { node, code } of current) (code === undefined ? left : unable).add(node);
  const present = members.filter((node) => !left.has(node));
  return present.length < 2 ? undefined : present.filter((node) => !unable.has(node)).length;
}

function lostOf(
  { start, alone, spans }: { start: number; alone: readonly { from: number; to: number | null }[]; spans: Set<Span> },
  end: number | null,
): Lost {
  const aloneTo = (ts: number): number =>
    alone.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to ?? end ?? ts, ts) - from), 0);
  return { start, end, aloneTo, spans: [...spans] };
}

// --- telling -------------------------------------------------------------------------------------------------------------

function toDraft(lost: Lost, view: RouterView, members: readonly NodeView[]): IncidentDraft {
  const { start, end, spans } = lost;
  const first = spans.filter((span) => span.start <= start);
  const codes = [...new Set(first.map(({ code }) => code))];
  const unable = new Set(first.map(({ node }) => node));
  const isUnseen = codes.includes("unseen");
  // They stay as they were seen last, as far as anybody knows.
  const seenTo = Math.min(...members.filter(({ node }) => unable.has(node)).map(({ watchedTo }) => watchedTo));
  const others = members.map(({ node }) => node).filter((node) => !unable.has(node));
  const text = [...new Map(first.map((span) => [span.node, span.text])).values()].sort().join(", ");
  return {
    kind: "redundancy-lost",
    certainty: !isUnseen && lost.aloneTo(seenTo) > REDUNDANCY_GRACE_US ? "confirmed" : "suspected",
    severity: isUnseen ? "info" : "warning",
    cluster: view.router.cluster,
    subject: { router: view.router.id, nodes: members.map(({ node }) => node).sort() },
    start,
    end,
    cause: { code: codes.length === 1 ? (codes[0] as Code) : "several", text },
    summary: `${isUnseen ? "Perhaps nobody" : "Nobody"} ${end === null ? "can" : "could"} take over ${routerName(view.router)}${others.length > 0 ? ` from ${listed(others)}` : ""} ${lasting(start, end)}: ${text}.`,
    evidence: evidenceList(spans.flatMap(({ events }) => events)),
  };
}
