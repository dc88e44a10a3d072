import type { Event, EventKind } from "../../collector/events/event.ts";
import { evidenceOf } from "../detect/describe.ts";
import type { DetectionEngine } from "../detect/engine.ts";
import type { Bar, BarState } from "../detect/view.ts";
import { configChanges } from "../report/context.ts";
import type { Store } from "../store/store.ts";
import type { AdvertBucket, AdvertTick, Marker, RouterSummary, Timeline } from "./types.ts";

/** Columns of the advert chart: more than a wide screen has pixels to tell apart. */
const ADVERT_BUCKETS = 600;
/** With more adverts in the range than this, single ones could not be told apart. */
const TICKS_MAX = 3_000;
/** Most events of a node that markers are made of. */
const MARKED_MAX = 5_000;
/** Without a wish of the reader's, and at most. */
const COLUMNS_DEFAULT = 2_000;

export interface TimelineDeps {
  readonly store: Pick<Store, "events" | "adverts" | "advertBuckets">;
  readonly engine: Pick<DetectionEngine, "lanes" | "services" | "incidents" | "corrected">;
}

interface Asked {
  readonly from: number;
  readonly to: number;
  readonly columns?: number;
}

/** All that is drawn of a router in a stretch of time, and no more of it than a screen can show. */
export async function timelineOf(router: RouterSummary, asked: Asked, deps: TimelineDeps): Promise<Timeline> {
  const { store, engine } = deps;
  const { from, to, columns = COLUMNS_DEFAULT } = asked;
  const sample = <T extends { readonly bars: readonly Bar[] }>(row: T): T => ({
    ...row,
    bars: bySource(row.bars).flatMap((bars) => sampled(reaching(bars, from, to), { from, to, columns })),
  });
  const nodes = router.instances.map(({ node }) => node);
  const incidents = engine
    .incidents()
    .filter(
      ({ subject, start, end }) =>
        (subject.router === router.id ||
          (subject.router === undefined && subject.nodes.some((node) => nodes.includes(node)))) &&
        start <= to &&
        (end ?? to) >= from,
    );
  const adverts = await bucketsOf(store, router, asked);
  return {
    router,
    from,
    to,
    lanes: engine.lanes(router.id).map(sample),
    services: engine.services(router.id).map((lane) => ({ ...lane, rows: lane.rows.map(sample) })),
    incidents,
    adverts,
    ticks: await ticksOf(store, router, asked, adverts),
    markers: await markersOf(router, nodes, { from, to, columns }, deps),
  };
}

// --- bars ----------------------------------------------------------------------------------------------------------------

/** Bars that reach into the range; their own ends are kept, so that a bar says when it really began. */
const reaching = (bars: readonly Bar[], from: number, to: number): readonly Bar[] =>
  bars.filter((bar) => bar.from <= to && (bar.to ?? to) + bar.toUncertaintyUs >= from);

function bySource(bars: readonly Bar[]): readonly (readonly Bar[])[] {
  const groups = new Map<Bar["source"], Bar[]>();
  for (const bar of bars) {
    const group = groups.get(bar.source);
    if (group) group.push(bar);
    else groups.set(bar.source, [bar]);
  }
  return [...groups.values()];
}

/** Of the bars that share a column the worst is shown, as the page does by pixels: a short fault is not lost in a wide view. */
const WORSE: Readonly<Record<BarState, number>> = {
  UP: 0,
  BACKUP: 0,
  MASTER: 1,
  INIT: 2,
  STOPPED: 3,
  FAULT: 4,
  DOWN: 4,
};

/** The bars of one row, of those that are narrower than a column one a column: nothing that could be seen is left out. */
export function sampled(
  bars: readonly Bar[],
  { from, to, columns }: { readonly from: number; readonly to: number; readonly columns: number },
): readonly Bar[] {
  if (bars.length <= columns) return bars;
  const step = (to - from) / columns;
  const narrow = new Map<number, Bar>();
  const wide: Bar[] = [];
  for (const bar of bars) {
    if ((bar.to ?? to) - bar.from >= step) {
      wide.push(bar);
      continue;
    }
    const column = Math.floor((bar.from - from) / step);
    const known = narrow.get(column);
    if (!known || WORSE[bar.state] > WORSE[known.state]) narrow.set(column, bar);
  }
  return [...wide, ...narrow.values()].sort((a, b) => a.from - b.from);
}

// --- adverts -------------------------------------------------------------------------------------------------------------

async function bucketsOf(
  store: TimelineDeps["store"],
  { cluster, family, vrid }: RouterSummary,
  { from, to }: Asked,
): Promise<readonly AdvertBucket[]> {
  if (family === null || vrid === null) return [];
  return store.advertBuckets({ cluster, family, vrid, from, to, buckets: ADVERT_BUCKETS });
}

async function ticksOf(
  store: TimelineDeps["store"],
  { cluster, family, vrid }: RouterSummary,
  { from, to }: Asked,
  buckets: readonly AdvertBucket[],
): Promise<readonly AdvertTick[]> {
  const count = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  if (family === null || vrid === null || count === 0 || count > TICKS_MAX) return [];
  const events = await store.adverts({ cluster, family, vrid, from, to, limit: TICKS_MAX });
  return events.flatMap((event) =>
    event.kind === "wire.advert"
      ? [
          {
            node: event.node,
            sender: event.peer,
            ts: event.ts,
            priority: event.priority,
            outgoing: event.outgoing,
          },
        ]
      : [],
  );
}

// --- markers -------------------------------------------------------------------------------------------------------------

/** What changed on a node, seen from afar. */
const MARKED: Readonly<Partial<Record<EventKind, Marker["mark"]>>> = {
  "config.loaded": "config",
  "daemon.starting": "start",
  "daemon.stopping": "stop",
  "daemon.reloading": "reload",
  "daemon.child-exited": "died",
};
const KINDS = Object.keys(MARKED) as EventKind[];

async function markersOf(
  { cluster }: RouterSummary,
  nodes: readonly string[],
  { from, to, columns }: Required<Asked>,
  { store, engine }: TimelineDeps,
): Promise<readonly Marker[]> {
  const markers: Marker[] = [];
  for (const node of nodes) {
    const events = await store.events({ cluster, node, kinds: KINDS, from, to, limit: MARKED_MAX });
    const configs = await store.events({ cluster, node, kinds: ["config.loaded"], to, limit: MARKED_MAX });
    const changed = configChanges(configs);
    const shown = new Set<string>();
    for (const event of events.map((told) => engine.corrected(told))) {
      const mark = MARKED[event.kind];
      const column = Math.floor((event.ts - from) / ((to - from) / columns));
      if (mark === "config" && !changed.has(event.id)) continue;
      if (mark === undefined || shown.has(`${mark} ${column}`)) continue;
      shown.add(`${mark} ${column}`);
      markers.push(markerOf(event, mark));
    }
  }
  return markers;
}

const markerOf = (event: Event, mark: Marker["mark"]): Marker => ({
  node: event.node,
  mark,
  ts: event.ts,
  eventId: event.id,
  text: evidenceOf(event).text,
});
