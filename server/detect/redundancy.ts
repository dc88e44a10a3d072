import type { NodeView } from "./claims.ts";
import type { RouterView } from "./detector.ts";
import type { LogSpan } from "./evidence.ts";
import { BLIND_AFTER_US } from "./options.ts";
import { leftOf, unableByLog, unableByShadow } from "./unable.ts";
import type { InstanceState } from "./view.ts";

/** Whether somebody could take over a router now, as far as can be seen. What cannot be seen is unknown, and never good. */

export const REDUNDANCIES = ["ready", "lost", "single", "unknown"] as const;
export type Redundancy = (typeof REDUNDANCIES)[number];

export interface RouterMember {
  readonly node: string;
  /** By keepalived's own word in the node's log; null when it has said nothing. */
  readonly state: InstanceState | null;
  /** Since when; epoch microseconds. */
  readonly since: number | null;
  /** Whether it could be master: null when nothing shows it. */
  readonly able: boolean | null;
  /** Why it could not, or why that is not known. */
  readonly why: string | null;
}

/** The nodes of a router as they are now. One whose configuration has the router no more is none of them. */
export function membersOf(nodes: readonly NodeView[], router: RouterView["router"], horizon: number): RouterMember[] {
  return nodes
    .filter((view) => !leftOf(view, { router }).some(({ end }) => end === null))
    .map((view) => memberOf(view, horizon));
}

function memberOf(view: NodeView, horizon: number): RouterMember {
  const { node, real, log, watchedTo } = view;
  const last = newest(log);
  const told = { node, state: last?.state ?? null, since: last?.from.ts ?? null };
  if (!real) return { ...told, able: null, why: "no collector reports of it" };
  const unable = [...unableByLog(view), ...unableByShadow(view)].find(({ end }) => end === null);
  if (unable) return { ...told, able: false, why: unable.text };
  if (horizon - watchedTo > BLIND_AFTER_US) return { ...told, able: null, why: "its collector is silent" };
  if (last?.state === "MASTER" || last?.state === "BACKUP") return { ...told, able: true, why: null };
  return { ...told, able: null, why: last ? `it is in ${last.state}` : "its log has not told a state" };
}

const newest = (log: readonly LogSpan[]): LogSpan | undefined =>
  log
    .filter(({ to }) => to === null)
    .reduce<LogSpan | undefined>((a, b) => (a && a.from.ts > b.from.ts ? a : b), undefined);

/**
 * @param masters  nodes that act as master
 * @param isLost   an incident that is open says so: it knows of more than the last word of each node
 */
export function redundancyOf(
  members: readonly RouterMember[],
  masters: readonly string[],
  isLost: boolean,
): Redundancy {
  if (isLost) return "lost";
  if (members.length < 2) return "single";
  const others = members.filter(({ node }) => !masters.includes(node));
  // Without a master one has to become it, and another one to stand by.
  const spare = others.filter(({ able }) => able === true).length - (masters.length === 0 ? 1 : 0);
  if (spare > 0) return "ready";
  const hope = others.filter(({ able }) => able !== false).length - (masters.length === 0 ? 1 : 0);
  return others.length > 0 && hope <= 0 ? "lost" : "unknown";
}
