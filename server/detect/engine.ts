import type { Event, MailSettings } from "../../collector/events/event.ts";
import type { NodeSummary, RouterSummary } from "../api/types.ts";
import type { Checkpoint, ClusterState } from "./checkpoint.ts";
import { Cluster } from "./cluster.ts";
import type { Incident, IncidentChange, IncidentDraft } from "./incident.ts";
import {
  DETECTION_DEFAULTS,
  type DetectionLimits,
  type DetectionOptions,
  liveLimits,
  RESTART_GRACE_US,
} from "./options.ts";
import { IncidentBook, settledAt, told } from "./reconcile.ts";
import { STRETCH_SIZES, type StretchSizes } from "./stretch.ts";
import type { ServiceSummary } from "./summary.ts";
import type { Lane, ServiceLane, VirtualRouter } from "./view.ts";

export interface Detection {
  readonly routers: readonly VirtualRouter[];
  /** By router id. */
  readonly lanes: ReadonlyMap<string, readonly Lane[]>;
  readonly incidents: readonly IncidentDraft[];
}

/** One at a time; what comes meanwhile goes to both. */
export interface Rebuild {
  /** Everything that is stored, oldest first. */
  load(events: Iterable<Event>): void;
  /** What was loaded takes the place of what was known. The next `add`, also of nothing, tells. */
  finish(): void;
  /** Everything stays as it was. */
  abandon(): void;
}

export interface DetectionEngine {
  /** Takes events in any order, repeats included, and says what changed. */
  add(events: Iterable<Event>): {
    readonly changes: readonly IncidentChange[];
    readonly touchedRouters: readonly string[];
  };
  /** Takes events without telling of anything: for the replay at start, oldest first. The next `add`, also of nothing, tells. */
  load(events: Iterable<Event>): void;
  /**
   * Begins with what was known at a checkpoint: then `recall` brings back what is still needed of the events of before it, `load` those that came after.
   * @throws {Error} when it is none
   */
  restore(checkpoint: Checkpoint): void;
  recall(events: Iterable<Event>): void;
  /** Of each cluster of which all is concluded that is at hand. */
  checkpoints(): readonly Checkpoint[];
  /** Events came that are older than what is at hand: they count only after a rebuild. */
  isOutdated(): boolean;
  /** Begins anew beside what is known now, which stays until all that is stored is loaded again. */
  rebuild(): Rebuild;
  routers(): readonly RouterSummary[];
  lanes(routerId: string): readonly Lane[];
  services(routerId: string): readonly ServiceLane[];
  /** Virtual servers of all clusters, as they are now. */
  servicesNow(): readonly ServiceSummary[];
  /** The event at the reference's time, as its node's clock is known; the same object where there is nothing to correct. */
  corrected(event: Event): Event;
  /** All but the withdrawn ones, oldest first. */
  incidents(): readonly Incident[];
  nodes(): readonly NodeSummary[];
  /** VRIDs of which a node captured more senders than are kept: the newer ones are left out of all that is concluded. */
  crowdedVrids(): number;
  /** keepalived's own mail settings in the newest configuration of each of the cluster's nodes, each once. */
  mailSettings(cluster: string): readonly MailSettings[];
}

/** All that is known, concluded at once.
 *
 * @param sizes  other ones than the usual are for tests: much history in few events
 */
export function detectAll(
  events: Iterable<Event>,
  options: Partial<DetectionOptions> = {},
  sizes: StretchSizes = STRETCH_SIZES,
): Detection {
  const limits = { events: Number.POSITIVE_INFINITY, sizes };
  const clusters = new Clusters({ ...DETECTION_DEFAULTS, ...options }, limits, []);
  for (const event of events) clusters.take(event);
  const all = clusters.all().map(({ cluster }) => cluster);
  for (const cluster of all) cluster.compute();
  return {
    routers: all.flatMap((cluster) => cluster.routers()),
    lanes: new Map(all.flatMap((cluster) => cluster.routers().map(({ id }) => [id, cluster.lanes(id)] as const))),
    incidents: all.flatMap((cluster) => cluster.drafts().map(told)).sort(compareDrafts),
  };
}

/** @param previous  incidents known from before a restart: they keep their ids */
export function createDetectionEngine(
  options: Partial<DetectionOptions> = {},
  previous: readonly Incident[] = [],
  limits: Partial<DetectionLimits> = {},
): DetectionEngine {
  const all = { ...DETECTION_DEFAULTS, ...options };
  const open = (known: readonly Incident[]): Clusters => new Clusters(all, { ...liveLimits(all), ...limits }, known);
  let clusters = open(previous);
  let successor: Clusters | undefined;
  let fromBefore = new Set(previous.map(({ id }) => id));
  /** What was concluded before the restart may have rested on what is not back yet, or was deleted since. */
  const mayWithdraw = (cluster: Cluster) => (incident: Incident) => {
    if (!fromBefore.has(incident.id)) return true;
    const newest = Math.max(incident.start, incident.end ?? 0, ...incident.evidence.map(({ ts }) => ts));
    return (
      cluster.horizon > newest + RESTART_GRACE_US && incident.evidence.every(({ eventId }) => cluster.knows(eventId))
    );
  };
  const living = (): Incident[] => clusters.all().flatMap(({ book }) => book.living());
  return {
    add(events) {
      for (const event of events) {
        clusters.take(event);
        successor?.take(event);
      }
      const changes: IncidentChange[] = [];
      const touched = new Set<string>();
      for (const { cluster, book } of clusters.all()) {
        if (!cluster.dirty) continue;
        const { gone, fresh, routers } = cluster.compute();
        for (const id of routers) touched.add(id);
        changes.push(...book.update(gone, fresh, mayWithdraw(cluster)));
      }
      for (const { incident } of changes)
        if (incident.subject.router !== undefined) touched.add(incident.subject.router);
      return { changes, touchedRouters: [...touched].sort() };
    },
    load(events) {
      for (const event of events) clusters.take(event);
      for (const { cluster } of clusters.all()) cluster.digest();
    },
    restore: ({ cluster, state }) => clusters.restore(cluster, JSON.parse(state) as ClusterState),
    recall(events) {
      for (const event of events) clusters.recall(event);
      for (const { cluster } of clusters.all()) cluster.digest();
    },
    checkpoints: () => clusters.all().flatMap(({ cluster }) => cluster.checkpoint() ?? []),
    isOutdated: () => clusters.all().some(({ cluster }) => cluster.isOutdated),
    rebuild() {
      const next = open([]);
      successor = next;
      return {
        load(events) {
          for (const event of events) next.take(event);
          for (const { cluster } of next.all()) cluster.digest();
        },
        finish() {
          successor = undefined;
          fromBefore = new Set(clusters.all().flatMap(({ book }) => book.all().map(({ id }) => id)));
          next.succeed(clusters);
          clusters = next;
        },
        abandon: () => (successor = undefined),
      };
    },
    routers: () =>
      clusters.all().flatMap(({ cluster, book }) => {
        const open = book.living().filter(({ status }) => status === "open");
        return cluster.summaries(open.sort((a, b) => a.start - b.start || (a.id < b.id ? -1 : 1)));
      }),
    lanes: (routerId) => clusters.all().flatMap(({ cluster }) => cluster.lanes(routerId)),
    services: (routerId) => clusters.all().flatMap(({ cluster }) => cluster.serviceLanes(routerId)),
    servicesNow: () => clusters.all().flatMap(({ cluster }) => cluster.services()),
    corrected: (event) => clusters.find(event.cluster)?.corrected(event) ?? event,
    incidents: () => living().sort((a, b) => compareDrafts(a, b) || (a.id < b.id ? -1 : 1)),
    nodes: () => clusters.all().flatMap(({ cluster }) => cluster.nodes()),
    crowdedVrids: () => clusters.all().reduce((sum, { cluster }) => sum + cluster.crowdedVrids(), 0),
    mailSettings: (name) => clusters.find(name)?.mailSettings() ?? [],
  };
}

function compareDrafts(a: IncidentDraft, b: IncidentDraft): number {
  if (a.start !== b.start) return a.start - b.start;
  const key = (draft: IncidentDraft): string =>
    [
      draft.kind,
      draft.cluster,
      draft.subject.router,
      draft.subject.service,
      ...draft.subject.nodes,
      draft.subject.instance,
      draft.subject.component,
      draft.cause?.code,
    ].join("|");
  const [x, y] = [key(a), key(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

interface Known {
  readonly cluster: Cluster;
  readonly book: IncidentBook;
}

const inheritedBy = ({ inherited }: ClusterState): readonly IncidentDraft[] =>
  inherited.flatMap(([, drafts]) => drafts);

class Clusters {
  private readonly byName = new Map<string, Known>();
  private readonly options: DetectionOptions;
  private readonly limits: DetectionLimits;

  constructor(options: DetectionOptions, limits: DetectionLimits, previous: readonly Incident[]) {
    this.options = options;
    this.limits = limits;
    const byCluster = new Map<string, Incident[]>();
    for (const incident of previous) {
      const known = byCluster.get(incident.cluster);
      if (known) known.push(incident);
      else byCluster.set(incident.cluster, [incident]);
    }
    for (const [name, incidents] of byCluster) this.open(name, incidents);
  }

  take(event: Event): void {
    (this.byName.get(event.cluster) ?? this.open(event.cluster, [])).cluster.take(event);
  }

  recall(event: Event): void {
    this.byName.get(event.cluster)?.cluster.recall(event);
  }

  restore(name: string, state: ClusterState): void {
    const { book: known } = this.byName.get(name) ?? this.open(name, []);
    const cluster = new Cluster(name, this.options, this.limits);
    cluster.restore(state);
    const incidents = known.all();
    const settled = settledAt(state.from ?? Number.NEGATIVE_INFINITY, inheritedBy(state), incidents);
    this.byName.set(name, { cluster, book: new IncidentBook(incidents, settled) });
  }

  /** The incidents that are known go on. */
  succeed(before: Clusters): void {
    for (const [name, { book }] of before.byName) {
      const { cluster } = this.byName.get(name) ?? this.open(name, []);
      this.byName.set(name, { cluster, book: new IncidentBook(book.all()) });
    }
  }

  private open(name: string, incidents: readonly Incident[]): Known {
    const known = {
      cluster: new Cluster(name, this.options, this.limits),
      book: new IncidentBook(incidents),
    };
    this.byName.set(name, known);
    return known;
  }

  all(): readonly Known[] {
    return [...this.byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, known]) => known);
  }

  find(name: string): Cluster | undefined {
    return this.byName.get(name)?.cluster;
  }
}
