import { type Event, isKind } from "../../collector/events/event.ts";
import type { NodeView } from "./claims.ts";
import type { RouterView } from "./detector.ts";
import type { LogSpan } from "./evidence.ts";
import { eventsBetween } from "./order.ts";

/** When a node could not be master of a router, by its own evidence. */

export type UnableCode = "stopped" | "daemon-ended" | "fault" | "frozen" | "daemon-absent" | "unseen";

/** A node could not be master, or left the router, from then to then. */
export interface UnableSpan {
  readonly node: string;
  readonly start: number;
  /** null: still so, as far as is known. */
  readonly end: number | null;
  /** undefined: its configuration does not have the router. */
  readonly code: UnableCode | undefined;
  readonly text: string;
  readonly events: readonly Event[];
}

export function unableByLog(view: NodeView): UnableSpan[] {
  const { node, log } = view;
  return log.flatMap((span): UnableSpan[] => {
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
export function unableByShadow({ node, events }: NodeView): UnableSpan[] {
  const spans: UnableSpan[] = [];
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
export function leftOf(
  { node, events, lane: { instance } }: NodeView,
  { router }: Pick<RouterView, "router">,
): UnableSpan[] {
  const spans: UnableSpan[] = [];
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
