import type { Incident } from "../detect/incident.ts";
import { type Label, labelValues, type Matcher, matchesAll } from "./matchers.ts";

/** The receiver of the mails that need no set-up, as routes name it. */
export const KEEPALIVED_MAIL = "keepalived-mail";

export interface Route {
  readonly matchers: readonly Matcher[];
  /** Names of receivers. */
  readonly receivers: readonly string[];
  /** Incidents that have these in common are told in one message; each by itself when there are none. */
  readonly groupBy: readonly Label[];
  /** How long the first of a group waits for others, microseconds. */
  readonly groupWaitUs: number;
  /** How long after a message of a group the next one comes at the soonest, microseconds. */
  readonly groupIntervalUs: number;
  /** How long after the last message an incident that is still open is told again, microseconds. undefined: it is not. */
  readonly repeatIntervalUs: number | undefined;
  /** Routes after this one are asked, too. */
  readonly isContinued: boolean;
}

/**
 * The route by which a receiver is told of an incident: the first that matches and names it, unless one before it ended the search.
 * A receiver that no route names is told without one.
 * @returns undefined: it is not told
 */
export function routeOf(
  routes: readonly Route[],
  receiver: string,
  incident: Incident,
): Route | "unrouted" | undefined {
  if (!routes.some(({ receivers }) => receivers.includes(receiver))) return "unrouted";
  for (const route of routes) {
    if (!matchesAll(route.matchers, incident)) continue;
    if (route.receivers.includes(receiver)) return route;
    if (!route.isContinued) return undefined;
  }
  return undefined;
}

/** What the incidents of a group have in common, in the order of `group_by`. */
export function groupLabels({ groupBy }: Pick<Route, "groupBy">, incident: Incident): Readonly<Record<string, string>> {
  return Object.fromEntries(groupBy.map((label) => [label, labelValues(incident, label).join(",")]));
}

/** The labels that a key was made of. */
export function labelsOfKey(key: string): Readonly<Record<string, string>> {
  const written = key.matchAll(/([a-z]+)=("(?:[^"\\]|\\.)*")/g);
  return Object.fromEntries([...written].map(([, name = "", value = '""']) => [name, JSON.parse(value) as string]));
}

/** `{cluster="default", router="default/ipv4/51"}`: Alertmanager's form of a group's key. */
export function groupKey(labels: Readonly<Record<string, string>>): string {
  const written = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `{${written.join(", ")}}`;
}
