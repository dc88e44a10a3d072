import { subjectKey } from "./reconcile.ts";
import type { Evidence, IncidentDraft } from "./incident.ts";
import { EVIDENCE_MAX, SAME_INCIDENT_US } from "./options.ts";
import type { Bar, ServiceLane } from "./view.ts";

/** Joins what is concluded of one stretch of time to what was concluded of the one before it. */

export const isOpenAt = (ts: number, { start, end }: IncidentDraft): boolean =>
  start < ts && (end === null || end > ts);

/**
 * @param inherited  incidents of the stretch before that were not over at `from`
 * @param drafts     what the evidence of this stretch, and what was carried into it, shows
 * @param horizon    epoch microseconds: how far that reaches
 */
export function inherit(
  inherited: readonly IncidentDraft[],
  drafts: readonly IncidentDraft[],
  from: number,
  horizon: number,
): readonly IncidentDraft[] {
  const waiting = new Map<string, IncidentDraft[]>();
  for (const draft of inherited) waiting.set(subjectKey(draft), [...(waiting.get(subjectKey(draft)) ?? []), draft]);
  const joined: IncidentDraft[] = [];
  const goesOn = (draft: IncidentDraft): boolean => draft.end === null || draft.end > from;
  // What seems to be over before may be so only because its middle was not carried along.
  for (const draft of [...drafts.filter(goesOn), ...drafts.filter((one) => !goesOn(one))]) {
    const same = waiting.get(subjectKey(draft));
    const index = same?.findIndex((other) => meets(other, draft, from)) ?? -1;
    const [before] = index < 0 ? [] : (same as IncidentDraft[]).splice(index, 1);
    const fading = joined.findIndex((one) => one.fades && draft.start < one.fades.at && isSameSubject(one, draft));
    if (before) joined.push(faded(join(before, draft), horizon));
    else if (fading >= 0) joined[fading] = faded(join(joined[fading] as IncidentDraft, draft), horizon);
    else if (goesOn(draft)) joined.push(draft);
  }
  for (const draft of [...waiting.values()].flat()) {
    // What is no longer shown was refuted by what came; but what was sure, is sure, and is no longer so.
    if (draft.end !== null) joined.push(draft);
    // What led to it may be too long past to be carried along: it goes on for as long as it would by itself.
    else if (draft.fades && draft.fades.at > from) joined.push(faded(draft, horizon));
    else if (draft.certainty === "confirmed") joined.push({ ...draft, end: from });
  }
  return joined;
}

const isSameSubject = (a: IncidentDraft, b: IncidentDraft): boolean => subjectKey(a) === subjectKey(b);

const meets = (before: IncidentDraft, draft: IncidentDraft, from: number): boolean =>
  draft.start < Math.max(from + SAME_INCIDENT_US, before.fades?.at ?? 0) &&
  (draft.end === null || draft.end >= before.start - SAME_INCIDENT_US);

/** The later one knows how it went on, the earlier one more of how it began, and of what has not faded yet. */
function join(before: IncidentDraft, draft: IncidentDraft): IncidentDraft {
  const evidence = new Map([...before.evidence, ...draft.evidence].map((piece) => [piece.eventId + piece.text, piece]));
  const pieces = [...evidence.values()].sort((a, b) => a.ts - b.ts || (a.eventId < b.eventId ? -1 : 1));
  const fades = draft.fades && { ...draft.fades, at: Math.max(draft.fades.at, before.fades?.at ?? 0) };
  return {
    ...draft,
    start: Math.min(before.start, draft.start),
    evidence: firstAndNewest(pieces),
    ...(fades ? { fades } : {}),
  };
}

function faded(draft: IncidentDraft, horizon: number): IncidentDraft {
  const { fades } = draft;
  if (!fades) return draft;
  const isOver = fades.at <= horizon;
  return { ...draft, end: isOver ? fades.at : null, summary: isOver ? fades.over : fades.open };
}

const firstAndNewest = (pieces: readonly Evidence[]): readonly Evidence[] =>
  pieces.length <= EVIDENCE_MAX
    ? pieces
    : [...pieces.slice(0, EVIDENCE_MAX / 2), ...pieces.slice(pieces.length - EVIDENCE_MAX / 2)];

interface Part<T> {
  /** Begin of the stretch it is of. */
  readonly from: number;
  readonly bars: readonly T[];
}

/** Bars of one row, stretch by stretch: those that began before their stretch go on from, or repeat, an earlier one. */
export function joinAll(parts: readonly Part<Bar>[]): Bar[] {
  const places = new Map<string, number>();
  const joined: Bar[] = [];
  for (const { from, bars } of parts)
    for (const bar of bars) {
      const place = places.get(keyOf(bar));
      if (place !== undefined) {
        // What was over before the stretch began is known better from before.
        const { to } = joined[place] as Bar;
        if (to === null || to > from) joined[place] = bar;
      } else if (bar.from >= from || bar.to === null || bar.to > from) places.set(keyOf(bar), joined.push(bar) - 1);
    }
  return joined
    .map((bar, index) => ({ bar, index }))
    .sort((a, b) => SOURCES.indexOf(a.bar.source) - SOURCES.indexOf(b.bar.source) || a.index - b.index)
    .map(({ bar }) => bar);
}

export function joinServiceLanes(parts: readonly Part<ServiceLane>[]): ServiceLane[] {
  const rows = new Map<string, { lane: ServiceLane; row: ServiceLane["rows"][number]; parts: Part<Bar>[] }>();
  for (const { from, bars: lanes } of parts)
    for (const lane of lanes)
      for (const row of lane.rows) {
        const key = JSON.stringify([lane.virtualServer, lane.realServer ?? "", row.node, row.source]);
        const known = rows.get(key) ?? { lane, row, parts: [] };
        known.parts.push({ from, bars: row.bars });
        rows.set(key, { ...known, row });
      }
  const lanes = new Map<string, { lane: ServiceLane; rows: ServiceLane["rows"][number][] }>();
  for (const [, { lane, row, parts: own }] of [...rows].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = JSON.stringify([lane.virtualServer, lane.realServer ?? ""]);
    const known = lanes.get(key) ?? { lane, rows: [] };
    known.rows.push({ ...row, bars: joinAll(own) });
    lanes.set(key, known);
  }
  return [...lanes.values()].map(({ lane, rows: own }) => ({ ...lane, rows: own }));
}

const keyOf = ({ source, state, eventIds }: Bar): string => `${source} ${state} ${eventIds[0]}`;
/** The order of a lane. */
const SOURCES: readonly Bar["source"][] = ["log", "dump", "check", "wire", "kernel", "shadow"];
