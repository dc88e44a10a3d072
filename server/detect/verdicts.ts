import { type Event, isKind } from "../../collector/events/event.ts";

/** What a track script or a process check found, where the event is a verdict. */
export function verdictOf(event: Event): { readonly component: string; readonly isWell: boolean } | undefined {
  if (isKind(event, "script.result") && event.run !== true)
    return { component: `track_script ${event.script}`, isWell: event.outcome === "success" };
  if (isKind(event, "track.process") && event.quorum !== undefined)
    return { component: `track_process ${event.process}`, isWell: event.quorum };
  return undefined;
}
