import { isKind, type Event, type EventOf } from "../../collector/events/event.ts";
import { originalOf } from "./clocks.ts";
import type { Edge, LogSpan } from "./evidence.ts";
import type { LifeSign } from "./life-signs.ts";

/** States of a node's instances by other words than its log: keepalived's own dump, and the shadow's prediction. */

/** A dump is a look at one moment: what it says is certain up to the newest that says so, and possible until another one or the daemon's end. */
export interface DumpSpan extends LogSpan {
  /** Epoch microseconds. */
  readonly certainTo: number;
}

interface Known {
  readonly dump: EventOf<"dump.instance">;
  readonly from: Edge;
  certainTo: number;
}

/** @param secondStarts  starts that found the daemon running, and left it so */
export function readDumps(events: readonly Event[], secondStarts: ReadonlySet<Event>): DumpSpan[] {
  const spans: DumpSpan[] = [];
  const current = new Map<string, Known>();
  const finish = ({ dump, from, certainTo }: Known, to: Edge | null): void => {
    spans.push({ instance: dump.instance, state: dump.state, from, to, certainTo });
  };
  const finishAll = (event: Event, known: boolean): void => {
    for (const one of current.values()) finish(one, someTimeUntil(one, event, known));
    current.clear();
  };
  for (const event of events) {
    if (event.kind === "dump.instance") {
      const before = current.get(event.instance);
      if (before && isSameState(before.dump, event)) {
        before.certainTo = event.ts;
        continue;
      }
      const from = beginOf(event, before);
      if (before) finish(before, { ...from, ts: before.certainTo, uncertaintyUs: latest(from) - before.certainTo });
      current.set(event.instance, { dump: event, from, certainTo: event.ts });
    } else if (endsDaemon(event) && !secondStarts.has(event)) finishAll(event, true);
    // The next collector asks anew, or not at all.
    else if (event.kind === "collector.started") finishAll(event, false);
  }
  for (const one of current.values()) finish(one, null);
  return spans;
}

const latest = ({ ts, uncertaintyUs }: Edge): number => ts + uncertaintyUs;

const isSameState = (a: EventOf<"dump.instance">, b: EventOf<"dump.instance">): boolean =>
  a.state === b.state && a.lastTransitionTs === b.lastTransitionTs;

/** keepalived says since when it is so; where that cannot be, it began at some time since the dump before. */
function beginOf(event: EventOf<"dump.instance">, before: Known | undefined): Edge {
  const since = event.lastTransitionTs && event.lastTransitionTs + event.ts - originalOf(event).ts;
  const edge = { event, known: true, uncertaintyUs: event.tsUncertaintyUs };
  if (since !== undefined && since <= event.ts && since >= (before?.certainTo ?? 0)) return { ...edge, ts: since };
  if (!before) return { ...edge, ts: event.ts, known: false };
  return { ...edge, ts: before.certainTo, uncertaintyUs: event.ts + event.tsUncertaintyUs - before.certainTo };
}

function someTimeUntil({ certainTo }: Known, event: Event, known: boolean): Edge {
  const uncertaintyUs = Math.max(0, event.ts - certainTo) + event.tsUncertaintyUs;
  return { ts: certainTo, uncertaintyUs, event, known };
}

/** Whatever the VRRP process was, it is no more. */
function endsDaemon(event: Event): boolean {
  switch (event.kind) {
    case "daemon.starting":
      return true;
    case "daemon.stopped":
      return event.daemon === "parent" || event.daemon === "vrrp";
    case "daemon.child-exited":
    case "process.gone":
      return event.daemon === "vrrp";
    case "process.snapshot":
      return !event.processes.some(({ daemon }) => daemon === "vrrp");
    default:
      return false;
  }
}

/** What keepalived should be, as far as it is followed. It proves nothing of what keepalived is: it is shown, and compared. */
export function readShadow(events: readonly Event[], lifeSign: LifeSign): LogSpan[] {
  const spans: LogSpan[] = [];
  const current = new Map<string, EventOf<"shadow.state">>();
  const end = (instance: string, to: Edge | null): void => {
    const state = current.get(instance);
    if (!state) return;
    current.delete(instance);
    spans.push({ instance, state: state.state, from: edgeOf(state), to });
  };
  const endAll = (to: (since: number) => Edge): void => {
    for (const [instance, { ts }] of current) end(instance, to(ts));
  };
  for (const event of events) {
    if (event.kind === "shadow.state") {
      if (current.get(event.instance)?.state === event.state) continue;
      end(event.instance, edgeOf(event));
      current.set(event.instance, event);
    } else if (event.kind === "shadow.following" && !event.following) {
      if (event.instance === undefined) endAll(() => edgeOf(event));
      else end(event.instance, edgeOf(event));
    } else if (isKind(event, "collector.started", "collector.stopped")) {
      endAll((since) => {
        const ts = Math.max(since, Math.min(lifeSign(event.ts, since) ?? since, event.ts));
        return { ...edgeOf(event), ts, uncertaintyUs: event.ts - ts + event.tsUncertaintyUs, known: false };
      });
    }
  }
  for (const instance of current.keys()) end(instance, null);
  return spans;
}

const edgeOf = (event: Event): Edge => ({ ts: event.ts, uncertaintyUs: event.tsUncertaintyUs, event, known: true });
