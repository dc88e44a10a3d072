import type { NodeView } from "./claims.ts";
import { evidenceList, lasting, listed, routerName } from "./describe.ts";
import type { Detector, RouterView } from "./detector.ts";
import type { IncidentDraft } from "./incident.ts";
import { BLIND_AFTER_US, REDUNDANCY_GRACE_US } from "./options.ts";
import { leftOf, type UnableCode, type UnableSpan, unableByLog, unableByShadow } from "./unable.ts";

/** Whoever is master, nobody could take over. The rules are in README.md. */
export const redundancyLost: Detector = { kind: "redundancy-lost", scope: "router", detect };

/** At most one node could be master, although the router has several. */
interface Lost {
  readonly start: number;
  readonly end: number | null;
  /** For how long exactly one could, up to an instant. */
  aloneTo(ts: number): number;
  readonly spans: readonly UnableSpan[];
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

function unseenOf({ node, watchedTo, events }: NodeView, horizon: number): UnableSpan[] {
  if (horizon - watchedTo <= BLIND_AFTER_US) return [];
  const last = events.at(-1);
  const text = `${node} cannot be seen`;
  return [{ node, start: watchedTo, end: null, code: "unseen", text, events: last ? [last] : [] }];
}

// --- when too few are left -----------------------------------------------------------------------------------------------

interface Edge {
  readonly ts: number;
  readonly span: UnableSpan;
  readonly begins: boolean;
}

function lostIn(spans: readonly UnableSpan[], members: readonly string[]): Lost[] {
  const edges = spans
    .flatMap((span): Edge[] => [
      { ts: span.start, span, begins: true },
      ...(span.end === null ? [] : [{ ts: span.end, span, begins: false }]),
    ])
    .sort((a, b) => a.ts - b.ts || Number(a.begins) - Number(b.begins) || (a.span.node < b.span.node ? -1 : 1));
  const current = new Set<UnableSpan>();
  const found: Lost[] = [];
  let open:
    | { start: number; readonly alone: { from: number; to: number | null }[]; readonly spans: Set<UnableSpan> }
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
function ableOf(current: ReadonlySet<UnableSpan>, members: readonly string[]): number | undefined {
  const left = new Set<string>();
  const unable = new Set<string>();
  for (const { node, code } of current) (code === undefined ? left : unable).add(node);
  const present = members.filter((node) => !left.has(node));
  return present.length < 2 ? undefined : present.filter((node) => !unable.has(node)).length;
}

function lostOf(
  {
    start,
    alone,
    spans,
  }: { start: number; alone: readonly { from: number; to: number | null }[]; spans: Set<UnableSpan> },
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
    cause: { code: codes.length === 1 ? (codes[0] as UnableCode) : "several", text },
    summary: `${isUnseen ? "Perhaps nobody" : "Nobody"} ${end === null ? "can" : "could"} take over ${routerName(view.router)}${others.length > 0 ? ` from ${listed(others)}` : ""} ${lasting(start, end)}: ${text}.`,
    evidence: evidenceList(spans.flatMap(({ events }) => events)),
  };
}
