import { isKind, type ConfiguredInstance, type Event, type EventOf } from "../../collector/events/event.ts";
import { duration, evidenceList, instant, listed, percent, routerName } from "./describe.ts";
import type { DaemonView, Detector, RouterView } from "./detector.ts";
import type { IncidentDraft, Severity } from "./incident.ts";
import {
  ADVERT_INTERVAL_DEFAULT_US,
  NEAR_MISS_EPISODE_US,
  NEAR_MISS_MARGIN,
  NEAR_MISS_WARNING_MARGIN,
  STALL_AFTERMATH_US,
} from "./options.ts";
import { eventsBetween } from "./order.ts";
import { masterDownOf } from "./routers.ts";

/** A failover that nearly happened: of adverts with their router, of a daemon that did not run with its node. */
export const nearMiss: Detector = { kind: "near-miss", scope: "router", detect: ofAdverts };
export const schedulerStall: Detector = { kind: "near-miss", scope: "daemon", detect: ofStalls };

type LateAdvert = EventOf<"shadow.near-miss">;
type Stall = EventOf<"vrrp.scheduler-stall">;

interface Miss<E extends Event> {
  readonly event: E;
  /** Of the master-down time, 0 to 1 and, of a daemon that nobody took over from, beyond. */
  readonly marginUsed: number;
}

/** Those that are close to each other are one incident, which lasts until there was none for that long. */
function episodesOf<E extends Event>(misses: readonly Miss<E>[]): Miss<E>[][] {
  const episodes: Miss<E>[][] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const miss of misses) {
    if (miss.event.ts - last > NEAR_MISS_EPISODE_US) episodes.push([]);
    episodes.at(-1)?.push(miss);
    last = miss.event.ts;
  }
  return episodes;
}

function span<E extends Event>(episode: readonly Miss<E>[], horizon: number) {
  const newest = (episode.at(-1) as Miss<E>).event.ts;
  return {
    start: (episode[0] as Miss<E>).event.ts,
    end: horizon - newest > NEAR_MISS_EPISODE_US ? newest : null,
    worst: episode.reduce((a, b) => (b.marginUsed > a.marginUsed ? b : a)),
  };
}

const severityOf = (marginUsed: number): Severity => (marginUsed >= NEAR_MISS_WARNING_MARGIN ? "warning" : "info");

const times = (count: number): string => (count === 1 ? "" : `${count} times `);

// --- adverts -------------------------------------------------------------------------------------------------------------

function ofAdverts(view: RouterView): IncidentDraft[] {
  const misses = view.nodes
    .flatMap(({ events }) => events.filter((event) => isKind(event, "shadow.near-miss") && isNear(event, view)))
    .sort((a, b) => a.ts - b.ts || (a.id < b.id ? -1 : 1)) as LateAdvert[];
  return episodesOf(misses.map((event) => ({ event, marginUsed: event.marginUsed }))).map((episode) =>
    advertDraft(episode, view),
  );
}

const isNear = (event: LateAdvert, view: RouterView): boolean =>
  event.marginUsed >= NEAR_MISS_MARGIN && view.isAbout(event);

function advertDraft(episode: readonly Miss<LateAdvert>[], view: RouterView): IncidentDraft {
  const { start, end, worst } = span(episode, view.horizon);
  const hearers = [...new Set(episode.map(({ event }) => event.node))].sort();
  const senders = [...new Set(episode.map(({ event }) => view.nodeOfAddress(event.peer)))].sort();
  const stalls = senders.flatMap((sender) => stallsOf(sender, episode, view));
  const { missed, marginUsed } = worst.event;
  const adverts = missed === 1 ? "an advert" : `${missed} adverts`;
  const atWorst = episode.length === 1 ? "" : "at worst ";
  return {
    kind: "near-miss",
    certainty: "confirmed",
    severity: severityOf(marginUsed),
    cluster: view.router.cluster,
    subject: { router: view.router.id, nodes: [...new Set([...hearers, ...senders])].sort() },
    start,
    end,
    cause:
      stalls.length > 0
        ? { code: "scheduler-stall", text: `keepalived on ${listed(senders)} did not run in time` }
        : { code: "adverts-missing", text: `adverts of ${listed(senders)} did not reach ${listed(hearers)}` },
    summary: `${listed(hearers)} ${times(episode.length)}nearly took over ${routerName(view.router)} from ${listed(senders)}, first at ${instant(start)}: ${atWorst}${adverts} did not come, and ${percent(marginUsed)} of the time after which it takes over had passed.`,
    evidence: evidenceList([...episode.map(({ event }) => event), ...stalls]),
  };
}

/** The sender's daemon said that it had not run, about when its adverts were missing. */
function stallsOf(sender: string, episode: readonly Miss<LateAdvert>[], view: RouterView): Event[] {
  const events = view.nodes.find(({ node }) => node === sender)?.events ?? [];
  return episode.flatMap(({ event }) =>
    eventsBetween(events, event.ts - view.router.masterDownUs, event.ts + view.router.masterDownUs).filter(
      ({ kind }) => kind === "vrrp.scheduler-stall",
    ),
  );
}

// --- stalls --------------------------------------------------------------------------------------------------------------

function ofStalls(view: DaemonView): IncidentDraft[] {
  const misses: Miss<Stall>[] = [];
  let instances: readonly ConfiguredInstance[] = firstConfig(view.events);
  for (const event of view.events) {
    if (event.kind === "config.loaded") instances = event.instances;
    if (event.kind !== "vrrp.scheduler-stall") continue;
    const marginUsed = usedBy(event, instances);
    if (marginUsed >= NEAR_MISS_MARGIN && !wasFailover(event, instances, view)) misses.push({ event, marginUsed });
  }
  return episodesOf(misses).map((episode) => stallDraft(episode, view));
}

/** Before the first configuration we saw, the first one is the best word there is. */
function firstConfig(events: readonly Event[]): readonly ConfiguredInstance[] {
  const first = events.find((event) => event.kind === "config.loaded");
  return first && isKind(first, "config.loaded") ? first.instances : [];
}

/** Its adverts came an interval and the delay after the one before: of the instance with the least patient backups. */
function usedBy({ lateUs }: Stall, instances: readonly ConfiguredInstance[]): number {
  const used = (own: readonly ConfiguredInstance[], intervalUs: number): number =>
    (intervalUs + lateUs) / masterDownOf(own, intervalUs);
  if (instances.length === 0) return used([], ADVERT_INTERVAL_DEFAULT_US);
  return Math.max(...instances.map((instance) => used([instance], instance.advertIntervalUs)));
}

/** Its own log shows that mastership changed hands because of it, or was fought over: that is told as what it became. */
function wasFailover(stall: Stall, instances: readonly ConfiguredInstance[], { events }: DaemonView): boolean {
  const patience = Math.max(
    masterDownOf([], ADVERT_INTERVAL_DEFAULT_US),
    ...instances.map((instance) => masterDownOf([instance], instance.advertIntervalUs)),
  );
  const from = stall.ts - stall.lateUs - STALL_AFTERMATH_US;
  const to = stall.ts + stall.tsUncertaintyUs + patience + STALL_AFTERMATH_US;
  return eventsBetween(events, from, to).some((event) =>
    isKind(event, "vrrp.state", "vrrp.advert-lower-priority", "vrrp.advert-higher-priority", "daemon.stopping"),
  );
}

function stallDraft(episode: readonly Miss<Stall>[], { cluster, node, horizon }: DaemonView): IncidentDraft {
  const { start, end, worst } = span(episode, horizon);
  const atWorst = episode.length === 1 ? "for" : "at worst for";
  return {
    kind: "near-miss",
    certainty: "confirmed",
    severity: severityOf(worst.marginUsed),
    cluster,
    subject: { nodes: [node] },
    start,
    end,
    cause: { code: "scheduler-stall", text: `keepalived was not run for ${duration(worst.event.lateUs)}` },
    summary: `keepalived on ${node} ${times(episode.length)}did not run in time, first at ${instant(start)}, ${atWorst} ${duration(worst.event.lateUs)}, and nobody took over from it: the host is short of processor time, or was paused.`,
    evidence: evidenceList(episode.map(({ event }) => event)),
  };
}
