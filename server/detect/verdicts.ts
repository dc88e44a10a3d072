import { type Event, isKind } from "../../collector/events/event.ts";

/** What a track script or a process check found, where the event is a verdict. */
export function verdictOf(event: Event): { readonly component: string; readonly isWell: boolean } | undefined {
  if (isKind(event, "script.result") && event.run !== true)
    return { component: `track_script ${event.script}`, isWell: event.outcome === "success" };
  if (isKind(event, "track.process") && event.quorum !== undefined)
    return { component: `track_process ${event.process}`, isWell: event.quorum };
  return undefined;
}

/** Verdicts that are another one than the one before, by component. A daemon that begins knows nothing of them: its first is no change. */
export function verdictChanges(events: readonly Event[]): ReadonlyMap<string, readonly Event[]> {
  const last = new Map<string, boolean>();
  const changes = new Map<string, Event[]>();
  for (const event of events) {
    if (event.kind === "daemon.starting") last.clear();
    const told = verdictOf(event);
    if (!told) continue;
    const before = last.get(told.component);
    last.set(told.component, told.isWell);
    if (before === undefined || before === told.isWell) continue;
    const list = changes.get(told.component) ?? [];
    changes.set(told.component, list);
    list.push(event);
  }
  return changes;
}
