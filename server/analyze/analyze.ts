import { eventId } from "../../collector/events/id.ts";
import type { Event } from "../../collector/events/event.ts";
import type { InputSummary, Inputs } from "../../collector/offline/inputs.ts";
import { clocksOfCaptures } from "../detect/capture-clocks.ts";
import { ClockBook } from "../detect/clocks.ts";
import { detectAll } from "../detect/engine.ts";
import type { Incident } from "../detect/incident.ts";
import type { VirtualRouter } from "../detect/view.ts";

export interface Analysis {
  readonly inputs: readonly InputSummary[];
  readonly routers: readonly VirtualRouter[];
  /** Oldest first. */
  readonly timeline: readonly Event[];
  readonly incidents: readonly Incident[];
}

/** What recorded input shows, by the same detectors as live. Nothing here reads a clock or a file. */
export function analyze({ events, inputs }: Inputs, options: { adverts: boolean }): Analysis {
  const clocks = clocksOfCaptures(events);
  const detection = detectAll([...events, ...clocks, ...watched(events, clocks)]);
  const incidents = detection.incidents.map((draft) => ({
    ...draft,
    id: eventId("incident", draft.kind, draft.cluster, draft.subject.router ?? "", ...draft.subject.nodes, draft.start),
    revision: 1,
    status: draft.end === null ? ("open" as const) : ("resolved" as const),
  }));
  const timeline = events
    .filter((event) => options.adverts || !event.kind.startsWith("wire.advert"))
    .sort((a, b) => a.ts - b.ts || a.observedTs - b.observedTs);
  return { inputs, routers: detection.routers, timeline, incidents: incidents.sort((a, b) => a.start - b.start) };
}

/**
 * Files handed in together were collected together: each node is taken as watched up to the newest line of any of them.
 * An old master logs nothing while a partition lasts; its silence must count as knowledge, or no log would ever confirm
 * a split-brain.
 */
function watched(events: readonly Event[], clocks: readonly Event[]): Event[] {
  const book = new ClockBook();
  for (const clock of clocks) book.learn(clock);
  const horizon = events.reduce((latest, event) => Math.max(latest, book.correct(event).ts), 0);
  const nodes = new Map(events.map((event) => [`${event.cluster}/${event.node}`, event]));
  return [...nodes.values()].map(({ cluster, node }) => {
    // By the node's own clock, as all its events are.
    const ts = Math.max(0, 2 * horizon - book.timeOf(node, horizon, false));
    return {
      id: eventId(node, "collector", "end of input", horizon),
      cluster,
      node,
      source: "collector",
      kind: "collector.heartbeat",
      ts,
      tsUncertaintyUs: 0,
      observedTs: ts,
      sources: [],
    };
  });
}
