import type { Event, Family, MailSettings, SourceStatus } from "../../collector/events/event.ts";
import type { NodeSummary, RouterSummary } from "../api/types.ts";
import { ClockBook, originalOf } from "./clocks.ts";
import { type NodeInput, type NodeView, viewNodes } from "./claims.ts";
import type { ClusterView, Detector, RouterView } from "./detector.ts";
import { DETECTION_KINDS, lifeSigns, type NodeEvidence, readEvidence } from "./evidence.ts";
import type { Incident, IncidentChange, IncidentDraft } from "./incident.ts";
import { DETECTION_DEFAULTS, type DetectionOptions, LIFE_SIGN_BUCKET_US, RESTART_GRACE_US } from "./options.ts";
import { compareEvents } from "./order.ts";
import { reconcile } from "./reconcile.ts";
import { DETECTORS } from "./registry.ts";
import { identify, type Identity, IdentityFacts } from "./routers.ts";
import { isTelling, type NodeServices, serviceLanes } from "./services.ts";
import type { Lane, ServiceLane, VirtualRouter } from "./view.ts";

export interface Detection {
  readonly routers: readonly VirtualRouter[];
  /** By router id. */
  readonly lanes: ReadonlyMap<string, readonly Lane[]>;
  readonly incidents: readonly IncidentDraft[];
}

export interface DetectionEngine {
  /** Takes events in any order, repeats included, and says what changed. */
  add(events: Iterable<Event>): {
    readonly changes: readonly IncidentChange[];
    readonly touchedRouters: readonly string[];
  };
  /** Takes events without concluding anything: for the replay at start. The next `add`, also of nothing, concludes. */
  load(events: Iterable<Event>): void;
  routers(): readonly RouterSummary[];
  lanes(routerId: string): readonly Lane[];
  services(routerId: string): readonly ServiceLane[];
  /** All but the withdrawn ones, oldest first. */
  incidents(): readonly Incident[];
  nodes(): readonly NodeSummary[];
  /** keepalived's own mail settings in the newest configuration of each of the cluster's nodes, each once. */
  mailSettings(cluster: string): readonly MailSettings[];
}

/** All that is known, concluded at once. */
export function detectAll(events: Iterable<Event>, options: Partial<DetectionOptions> = {}): Detection {
  const clusters = new Clusters({ ...DETECTION_DEFAULTS, ...options });
  for (const event of events) clusters.take(event);
  const all = [...clusters.all()];
  for (const cluster of all) cluster.compute();
  return {
    routers: all.flatMap((cluster) => cluster.routers()),
    lanes: new Map(all.flatMap((cluster) => cluster.routers().map(({ id }) => [id, cluster.lanes(id)] as const))),
    incidents: all.flatMap((cluster) => cluster.drafts()).sort(compareDrafts),
  };
}

/** @param previous  incidents known from before a restart: they keep their ids */
export function createDetectionEngine(
  options: Partial<DetectionOptions> = {},
  previous: readonly Incident[] = [],
): DetectionEngine {
  const clusters = new Clusters({ ...DETECTION_DEFAULTS, ...options });
  const incidents = new Map<string, readonly Incident[]>();
  const fromBefore = new Map<string, Incident>();
  for (const incident of previous) {
    incidents.set(incident.cluster, [...(incidents.get(incident.cluster) ?? []), incident]);
    fromBefore.set(incident.id, incident);
  }
  /** What was concluded before the restart may have rested on what is not back yet, or was deleted since. */
  const mayWithdraw = (cluster: Cluster) => (incident: Incident) => {
    if (!fromBefore.has(incident.id)) return true;
    const newest = Math.max(incident.start, incident.end ?? 0, ...incident.evidence.map(({ ts }) => ts));
    return (
      cluster.horizon > newest + RESTART_GRACE_US && incident.evidence.every(({ eventId }) => cluster.knows(eventId))
    );
  };
  const living = (): Incident[] => [...incidents.values()].flat().filter(({ status }) => status !== "withdrawn");
  return {
    add(events) {
      for (const event of events) clusters.take(event);
      const changes: IncidentChange[] = [];
      const touched = new Set<string>();
      for (const cluster of clusters.all()) {
        if (!cluster.dirty) continue;
        for (const id of cluster.compute()) touched.add(id);
        const result = reconcile(incidents.get(cluster.name) ?? [], cluster.drafts(), mayWithdraw(cluster));
        incidents.set(cluster.name, result.incidents);
        changes.push(...result.changes);
      }
      for (const { incident } of changes)
        if (incident.subject.router !== undefined) touched.add(incident.subject.router);
      return { changes, touchedRouters: [...touched].sort() };
    },
    load(events) {
      for (const event of events) clusters.take(event);
    },
    routers: () =>
      [...clusters.all()].flatMap((cluster) =>
        cluster.summaries(living().filter((incident) => incident.cluster === cluster.name)),
      ),
    lanes: (routerId) => [...clusters.all()].flatMap((cluster) => cluster.lanes(routerId)),
    services: (routerId) => [...clusters.all()].flatMap((cluster) => cluster.serviceLanes(routerId)),
    incidents: () => living().sort(compareDrafts),
    nodes: () => [...clusters.all()].flatMap((cluster) => cluster.nodes()),
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
  return key(a) < key(b) ? -1 : 1;
}

class Clusters {
  private readonly byName = new Map<string, Cluster>();
  private readonly options: DetectionOptions;

  constructor(options: DetectionOptions) {
    this.options = options;
  }

  take(event: Event): void {
    let cluster = this.byName.get(event.cluster);
    if (!cluster) {
      cluster = new Cluster(event.cluster, this.options);
      this.byName.set(event.cluster, cluster);
    }
    cluster.take(event);
  }

  all(): Iterable<Cluster> {
    return [...this.byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cluster]) => cluster);
  }

  find(name: string): Cluster | undefined {
    return this.byName.get(name);
  }
}

/** A sign of life, by the node's own clock. */
interface Sign {
  readonly ts: number;
  readonly secondPass: boolean;
}

interface NodeState {
  readonly node: string;
  events: Event[];
  sorted: boolean;
  watchedTo: number;
  /** Newest heartbeat in each stretch of LIFE_SIGN_BUCKET_US, by the node's own clock. */
  readonly heartbeats: Map<number, Sign>;
  /** The same of all other events. */
  readonly signs: Map<number, Sign>;
  newestStatus: { readonly ts: number; readonly id: string; readonly sources: readonly SourceStatus[] } | null;
  /** Read from the events; null when there are new ones. */
  evidence: NodeEvidence | null;
  /** Has new evidence since the last conclusion. */
  touched: boolean;
  /** Of `events`. */
  newestEventTs: number;
}

interface RouterState {
  readonly nodes: readonly NodeView[];
  drafts: readonly IncidentDraft[];
}

/** All that is known of one cluster. Nothing here depends on the order in which it became known. */
class Cluster {
  readonly name: string;
  horizon = 0;
  dirty = false;
  private readonly options: DetectionOptions;
  private readonly states = new Map<string, NodeState>();
  private readonly known = new Set<string>();
  private readonly facts = new IdentityFacts();
  private readonly clocks = new ClockBook();
  private identifiedVersion = -1;
  private identity: Identity = identify("", new IdentityFacts());
  private views = new Map<string, RouterState>();
  private daemonDrafts: readonly IncidentDraft[] = [];
  private services: readonly NodeServices[] = [];
  private serviceDrafts: readonly IncidentDraft[] = [];
  /** Routers of which raw adverts came since the last conclusion: nothing to conclude from, but the chart grows. */
  private readonly advertised: { readonly family: Family; readonly vrid: number; readonly vips: readonly string[] }[] =
    [];
  private readonly advertisedKeys = new Set<string>();

  constructor(name: string, options: DetectionOptions) {
    this.name = name;
    this.options = options;
  }

  /** @param seen  as its node dated it; from here on it has the time that the reference had */
  take(seen: Event): void {
    const state = this.stateOf(seen.node);
    const from = this.clocks.learn(seen);
    if (from !== undefined) this.redate(state, from);
    const event = this.clocks.correct(seen);
    const isBeat = event.kind === "collector.heartbeat" || event.kind === "collector.started";
    const isNewSign = noteSign(isBeat ? state.heartbeats : state.signs, seen);
    if (event.ts > state.watchedTo) {
      state.watchedTo = event.ts;
      this.horizon = Math.max(this.horizon, event.ts);
      this.dirty = true;
    }
    if (isBeat) this.noteStatus(state, event, isNewSign);
    if (event.kind === "wire.advert") this.noteAdvert(event);
    if (!DETECTION_KINDS.has(event.kind) || !isTelling(event) || this.known.has(event.id)) return;
    this.known.add(event.id);
    const last = state.events.at(-1);
    state.sorted &&= last === undefined || compareEvents(last, event) <= 0;
    state.events.push(event);
    state.evidence = null;
    state.touched = true;
    state.newestEventTs = Math.max(state.newestEventTs, event.ts);
    this.facts.learn(event);
    this.dirty = true;
  }

  knows(eventId: string): boolean {
    return this.known.has(eventId);
  }

  private stateOf(node: string): NodeState {
    let state = this.states.get(node);
    if (!state) {
      state = {
        node,
        events: [],
        sorted: true,
        watchedTo: 0,
        heartbeats: new Map(),
        signs: new Map(),
        newestStatus: null,
        evidence: null,
        newestEventTs: 0,
        touched: false,
      };
      this.states.set(node, state);
    }
    return state;
  }

  private noteStatus(
    state: NodeState,
    event: Extract<Event, { kind: "collector.heartbeat" | "collector.started" }>,
    isNewSign: boolean,
  ): void {
    const newest = state.newestStatus;
    if (!newest || event.ts > newest.ts || (event.ts === newest.ts && event.id > newest.id))
      state.newestStatus = { ts: event.ts, id: event.id, sources: event.sources };
    if (!isNewSign) return;
    // A sign of life matters only to what comes after it.
    if (state.newestEventTs > event.ts) state.evidence = null;
    this.dirty = true;
  }

  /** More is known of the node's clock: its events from this reading on have another time. */
  private redate(state: NodeState, from: number): void {
    const { node } = state;
    state.events = state.events.map((event) => {
      const seen = originalOf(event);
      return seen.ts >= from ? this.clocks.correct(seen) : event;
    });
    state.sorted = false;
    state.evidence = null;
    state.touched = true;
    state.newestEventTs = state.events.reduce((newest, { ts }) => Math.max(newest, ts), 0);
    state.watchedTo = [...state.heartbeats.values(), ...state.signs.values()].reduce(
      (newest, { ts, secondPass }) => Math.max(newest, this.clocks.timeOf(node, ts, secondPass)),
      0,
    );
    this.horizon = [...this.states.values()].reduce((newest, { watchedTo }) => Math.max(newest, watchedTo), 0);
    this.facts.forgetConfigs(node);
    for (const event of state.events) if (event.kind === "config.loaded") this.facts.learn(event);
    this.dirty = true;
  }

  private noteAdvert({ family, vrid, vips }: Extract<Event, { kind: "wire.advert" }>): void {
    const key = [family, vrid, ...vips].join("|");
    if (this.advertisedKeys.has(key)) return;
    this.advertisedKeys.add(key);
    this.advertised.push({ family, vrid, vips });
    this.dirty = true;
  }

  /** Recomputes what the new events touch. @returns the routers whose evidence changed */
  compute(): readonly string[] {
    this.dirty = false;
    const identityChanged = this.identifiedVersion !== this.facts.version;
    if (identityChanged) {
      this.identity = identify(this.name, this.facts);
      this.identifiedVersion = this.facts.version;
    }
    const inputs = this.inputs();
    const touchedNodes = new Set([...this.states.values()].filter(({ touched }) => touched).map(({ node }) => node));
    const heardNow = new Set(
      [...touchedNodes].flatMap((node) =>
        (inputs.get(node)?.evidence.wire ?? []).map(({ family, vrid, vips }) =>
          this.identity.routerOfSender(family, vrid, vips),
        ),
      ),
    );
    for (const state of this.states.values()) state.touched = false;
    const touched = new Set<string>();
    const views = new Map<string, RouterState>();
    const routerViews: RouterView[] = [];
    for (const router of this.identity.routers.values()) {
      const nodes = viewNodes(router, this.identity, inputs);
      if (identityChanged || heardNow.has(router.id) || router.instances.some(({ node }) => touchedNodes.has(node)))
        touched.add(router.id);
      const view: RouterView = {
        router,
        nodes,
        horizon: this.horizon,
        options: this.options,
        isAbout: (event) =>
          "instance" in event &&
          event.instance !== undefined &&
          this.identity.routerOfInstance(event.node, event.instance, event.ts) === router.id,
        nodeOfAddress: (address) => this.identity.nodeOfAddress(address),
      };
      routerViews.push(view);
      views.set(router.id, { nodes, drafts: ROUTER_DETECTORS.flatMap((detector) => detector.detect(view)) });
    }
    this.views = views;
    this.daemonDrafts = [...inputs.values()].flatMap(({ node, events, watchedTo }) =>
      DAEMON_DETECTORS.flatMap((detector) =>
        detector.detect({
          cluster: this.name,
          node,
          watchedTo,
          horizon: this.horizon,
          events,
          options: this.options,
        }),
      ),
    );
    this.services = [...inputs.values()].map(({ node, evidence, watchedTo }) => ({
      node,
      services: evidence.services,
      watchedTo,
    }));
    const clusterView: ClusterView = {
      cluster: this.name,
      nodes: this.services,
      inputs: [...inputs.values()],
      routers: routerViews,
      horizon: this.horizon,
      options: this.options,
    };
    this.serviceDrafts = CLUSTER_DETECTORS.flatMap((detector) => detector.detect(clusterView));
    for (const id of this.takeAdvertised()) touched.add(id);
    return [...touched];
  }

  private takeAdvertised(): string[] {
    const ids = this.advertised
      .map(({ family, vrid, vips }) => this.identity.routerOfSender(family, vrid, vips))
      .filter((id) => id !== undefined);
    this.advertised.length = 0;
    this.advertisedKeys.clear();
    return ids;
  }

  private inputs(): Map<string, NodeInput> {
    const inputs = new Map<string, NodeInput>();
    for (const state of [...this.states.values()].sort((a, b) => (a.node < b.node ? -1 : 1))) {
      if (!state.sorted) state.events.sort(compareEvents);
      state.sorted = true;
      state.evidence ??= readEvidence(
        state.events,
        lifeSigns(
          state.events,
          [...state.heartbeats.values()].map(({ ts, secondPass }) => this.clocks.timeOf(state.node, ts, secondPass)),
        ),
      );
      inputs.set(state.node, {
        node: state.node,
        evidence: state.evidence,
        events: state.events,
        watchedTo: state.watchedTo,
      });
    }
    return inputs;
  }

  drafts(): readonly IncidentDraft[] {
    return [...[...this.views.values()].flatMap(({ drafts }) => drafts), ...this.daemonDrafts, ...this.serviceDrafts];
  }

  routers(): readonly VirtualRouter[] {
    return [...this.identity.routers.values()].map(({ id, cluster, family, vrid, vips, instances }) => ({
      id,
      cluster,
      family,
      vrid,
      vips,
      instances,
    }));
  }

  lanes(routerId: string): readonly Lane[] {
    return this.views.get(routerId)?.nodes.map(({ lane }) => lane) ?? [];
  }

  /** Services of a router's nodes: behind its own addresses, or behind none that a router has. */
  serviceLanes(routerId: string): readonly ServiceLane[] {
    const router = this.identity.routers.get(routerId);
    if (!router) return [];
    const nodes = new Set(router.instances.map(({ node }) => node));
    const others = [...this.identity.routers.values()].filter(({ id }) => id !== routerId).flatMap(({ vips }) => vips);
    const isOthers = (virtualServer: string): boolean =>
      others.some((vip) => isAt(virtualServer, vip)) && !router.vips.some((vip) => isAt(virtualServer, vip));
    return serviceLanes(
      this.services.filter(({ node }) => nodes.has(node)),
      (virtualServer) => !isOthers(virtualServer),
    );
  }

  summaries(incidents: readonly Incident[]): RouterSummary[] {
    return this.routers().map((router) => {
      const nodes = this.views.get(router.id)?.nodes ?? [];
      const claims = nodes.flatMap((node) => node.claims);
      const masters = claims.filter(({ end }) => end === null);
      const instants = nodes.flatMap(({ lane }) =>
        lane.bars.flatMap(({ from, to }) => (to === null ? [from] : [from, to])),
      );
      const ends = claims.map(({ end }) => end).filter((end) => end !== null);
      return {
        ...router,
        masters: [...new Set(masters.map(({ node }) => node))].sort(),
        since:
          masters.length > 0
            ? Math.max(...masters.map(({ start }) => start))
            : ends.length > 0
              ? Math.max(...ends)
              : null,
        openIncidents: incidents
          .filter(
            ({ status, subject }) =>
              status === "open" &&
              (subject.router === router.id ||
                (subject.router === undefined &&
                  subject.nodes.some((node) => nodes.some((view) => view.node === node)))),
          )
          .map(({ id }) => id),
        firstEventTs: instants.length > 0 ? Math.min(...instants) : this.horizon,
        lastEventTs: instants.length > 0 ? Math.max(...instants) : this.horizon,
      };
    });
  }

  nodes(): NodeSummary[] {
    return [...this.states.values()]
      .sort((a, b) => (a.node < b.node ? -1 : 1))
      .map(({ node, watchedTo, newestStatus }) => ({
        cluster: this.name,
        node,
        lastSeenTs: watchedTo,
        sources: newestStatus?.sources ?? [],
      }));
  }

  mailSettings(): MailSettings[] {
    const newest = [...this.states.values()].map(({ events }) =>
      events
        .filter((event) => event.kind === "config.loaded")
        .sort(compareEvents)
        .at(-1),
    );
    const settings = newest.flatMap((event) => (event?.kind === "config.loaded" && event.mail ? [event.mail] : []));
    return [...new Map(settings.map((mail) => [JSON.stringify(mail), mail])).values()];
  }
}

/** Folded by the clock's own readings, so that what becomes known of the clock changes none. @returns whether it is new */
function noteSign(signs: Map<number, Sign>, event: Event): boolean {
  const { ts } = event;
  const secondPass = event.secondPass === true;
  const stretch = 2 * Math.floor(ts / LIFE_SIGN_BUCKET_US) + Number(secondPass);
  if (ts <= (signs.get(stretch)?.ts ?? 0)) return false;
  signs.set(stretch, { ts, secondPass });
  return true;
}

/** A virtual server is `[address]:port`, and a router's address may have a prefix length. */
const isAt = (virtualServer: string, vip: string): boolean => virtualServer.startsWith(`[${vip.split("/")[0]}]:`);

type OfScope<S extends Detector["scope"]> = Extract<Detector, { scope: S }>;
const ROUTER_DETECTORS = DETECTORS.filter((detector): detector is OfScope<"router"> => detector.scope === "router");
const DAEMON_DETECTORS = DETECTORS.filter((detector): detector is OfScope<"daemon"> => detector.scope === "daemon");
const CLUSTER_DETECTORS = DETECTORS.filter((detector): detector is OfScope<"cluster"> => detector.scope === "cluster");
