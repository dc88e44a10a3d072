import { US_PER_SECOND } from "../../collector/core/time.ts";
import { type Incident, SEVERITIES } from "../detect/incident.ts";
import { type Matcher, matchesAll, parseMatcher } from "./matchers.ts";

/** What two incidents must have in common for one to explain the other. */
export const SHARED = ["router", "node", "service", "cluster"] as const;
export type Shared = (typeof SHARED)[number];

/** An incident is explained by one that it began this long before, or this long after the end of: detectors differ in what they take for the begin. */
const LEAD_US = 30 * US_PER_SECOND;
const TRAIL_US = 10 * US_PER_SECOND;
/** What was over for longer than this when an incident began is not looked at, nor what it was silenced by. */
const NEAR_US = 3600 * US_PER_SECOND;

export interface InhibitRule {
  /** For people: why the one explains the other. */
  readonly reason: string;
  readonly source: readonly Matcher[];
  readonly target: readonly Matcher[];
  readonly same: Shared;
  /** An inhibited incident that is still open this long after the source's end is told, microseconds. undefined: it never is. */
  readonly tellAfterUs: number | undefined;
}

/** A rule as it is written; the built-in ones are written so, too. */
interface Words {
  readonly source: readonly string[];
  readonly target: readonly string[];
  readonly same: Shared;
  /** Seconds. */
  readonly tellAfter?: number;
  readonly reason: string;
}

/** How long what is left of a fault may take to go once its cause is gone, seconds: an advert interval's elections, checks and a reload. */
const AFTERMATH = 60;

const BUILT_IN: readonly Words[] = [
  {
    source: ['kind="split-brain"'],
    target: ['kind="flapping"'],
    same: "router",
    reason:
      "two masters take the router from each other, and each time counts as a change; the sum decays for hours afterwards",
  },
  {
    source: ['kind=~"split-brain|no-master"'],
    target: ['kind="near-miss"'],
    same: "router",
    reason: "adverts that are late or lost nearly made a failover, and here they did make one",
  },
  {
    source: ['kind="split-brain"'],
    target: ['kind="no-master"'],
    same: "router",
    tellAfter: AFTERMATH,
    reason: "two masters that give way to each other leave moments without any",
  },
  {
    source: ['kind="split-brain"'],
    target: ['kind=~"shadow-divergence|vip-conflict"'],
    same: "router",
    tellAfter: AFTERMATH,
    reason: "of two masters one is not predicted, and the address is announced from two places",
  },
  {
    source: ['kind="no-master"'],
    target: ['kind=~"instance-fault|redundancy-lost|shadow-divergence"'],
    same: "router",
    tellAfter: AFTERMATH,
    reason: "that nobody can be master is why nobody is",
  },
  {
    source: ['kind="startup-failure"'],
    target: ['kind=~"config-error|shadow-divergence|redundancy-lost|instance-fault"'],
    same: "node",
    tellAfter: AFTERMATH,
    reason: "a daemon that does not run is told with the file and line at fault, and cannot take over",
  },
  {
    source: ['kind="instance-fault"'],
    target: ['kind="redundancy-lost"'],
    same: "router",
    tellAfter: AFTERMATH,
    reason: "the instance in FAULT is the one that could have taken over",
  },
  {
    source: ['kind="instance-fault"', 'cause="script"'],
    target: ['kind="script-failing"'],
    same: "node",
    tellAfter: AFTERMATH,
    reason: "the script put the instance into FAULT, and is named there",
  },
  {
    source: ['kind="quorum-lost"'],
    target: ['kind="service-down"'],
    same: "service",
    tellAfter: AFTERMATH,
    reason: "the virtual server lost its quorum because its real servers are down, and says which",
  },
];

export const BUILT_IN_RULES: readonly InhibitRule[] = BUILT_IN.map(({ reason, source, target, same, tellAfter }) => ({
  reason,
  source: source.map(sound),
  target: target.map(sound),
  same,
  tellAfterUs: tellAfter === undefined ? undefined : tellAfter * US_PER_SECOND,
}));

function sound(text: string): Matcher {
  const matcher = parseMatcher(text);
  if (typeof matcher === "string") throw new Error(`${text} ${matcher}`);
  return matcher;
}

/** Some rule may find it explained. */
export const isTarget = (incident: Incident, rules: readonly InhibitRule[]): boolean =>
  rules.some(({ target }) => matchesAll(target, incident));

/** Why a notification is not sent now. */
export interface Inhibition {
  readonly by: Incident;
  readonly reason: string;
  /** From when on it no longer holds, if nothing changes; undefined while the source is open, and where it holds for good. */
  readonly until: number | undefined;
}

/**
 * What explains an incident. Decided by what is known of both now, whichever was found first. An incident never silences one of a
 * higher severity; of those that would silence each other, also in a ring, the earliest is told.
 * @param others  all that are known; of other clusters none counts
 * @param counts  asked of candidates only: whether it may silence at all, for example because the same receiver hears of it
 */
export function inhibitionOf(
  target: Incident,
  others: Iterable<Incident>,
  rules: readonly InhibitRule[],
  now: number,
  counts: (other: Incident) => boolean = () => true,
): Inhibition | undefined {
  const near = [...others].filter(
    (other) =>
      (other.end ?? Number.POSITIVE_INFINITY) > target.start - NEAR_US &&
      other.id !== target.id &&
      other.cluster === target.cluster &&
      other.status !== "withdrawn" &&
      rules.some(({ source }) => matchesAll(source, other)) &&
      counts(other),
  );
  const sourcesOf = (of: Incident) =>
    [...near, target].flatMap((source) => {
      const rule = source.id === of.id ? undefined : rules.find((candidate) => explains(candidate, source, of, now));
      return rule ? [{ source, rule }] : [];
    });
  const found = sourcesOf(target).filter(
    ({ source }) =>
      isBefore(source, target) || !reaches(target, source, (of) => sourcesOf(of).map((each) => each.source)),
  );
  // The one that lasts longest.
  const [best] = found.sort((a, b) => untilOf(b) - untilOf(a) || (isBefore(a.source, b.source) ? -1 : 1));
  if (!best) return undefined;
  const until = untilOf(best);
  return { by: best.source, reason: best.rule.reason, until: Number.isFinite(until) ? until : undefined };
}

function untilOf({ source, rule }: { readonly source: Incident; readonly rule: InhibitRule }): number {
  return source.end === null || rule.tellAfterUs === undefined
    ? Number.POSITIVE_INFINITY
    : source.end + rule.tellAfterUs;
}

/** Whether `from` silences `to`, at once or through others. */
function reaches(from: Incident, to: Incident, sourcesOf: (of: Incident) => readonly Incident[]): boolean {
  const seen = new Set<string>();
  const waiting = [to];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const source of sourcesOf(at)) {
      if (source.id === from.id) return true;
      if (!seen.has(source.id)) waiting.push(source);
      seen.add(source.id);
    }
  }
  return false;
}

function explains(rule: InhibitRule, source: Incident, target: Incident, now: number): boolean {
  if (SEVERITIES.indexOf(source.severity) < SEVERITIES.indexOf(target.severity)) return false;
  if (target.start < source.start - LEAD_US || target.start > (source.end ?? Number.POSITIVE_INFINITY) + TRAIL_US)
    return false;
  if (now >= untilOf({ source, rule })) return false;
  return isShared(rule.same, source, target) && matchesAll(rule.source, source) && matchesAll(rule.target, target);
}

/** Where one of them names no router, having a node in common is to share it. */
function isShared(same: Shared, { subject: a }: Incident, { subject: b }: Incident): boolean {
  const haveNode = a.nodes.some((node) => b.nodes.includes(node));
  switch (same) {
    case "cluster":
      return true;
    case "node":
      return haveNode;
    case "router":
      return a.router === undefined || b.router === undefined ? haveNode : a.router === b.router;
    case "service":
      return a.service !== undefined && virtualServer(a.service) === virtualServer(b.service);
  }
}

const virtualServer = (service: string | undefined): string | undefined => service?.split("/")[0];

const isBefore = (a: Incident, b: Incident): boolean => a.start < b.start || (a.start === b.start && a.id < b.id);
