import { sayUnseen } from "./blind-spot.ts";
import type { Event, EventOf, Family, MailSettings, SourceStatus } from "../../collector/events/event.ts";
import type { NodeSummary, RouterSummary } from "../api/types.ts";
import { type NodeReading, type NodeView, readNode } from "./claims.ts";
import { Changes } from "./changes.ts";
import { type Checkpoint, type ClusterState, dumpEvents, loadEvents } from "./checkpoint.ts";
import { ClockBook, originalOf } from "./clocks.ts";
import { CollectorNews } from "./collector-news.ts";
import { concludeCluster, concludeNode, concludeRouter, type Scene, servicesOf, viewRouter } from "./conclude.ts";
import { DETECTION_KINDS, readEvidence } from "./evidence.ts";
import type { Incident, IncidentDraft } from "./incident.ts";
import { inherit, isOpenAt, joinAll, joinServiceLanes } from "./inherit.ts";
import { LifeSigns, lifeSigns } from "./life-signs.ts";
import { type DetectionLimits, type DetectionOptions, SETTLED_US } from "./options.ts";
import { eventsBetween } from "./order.ts";
import { CLOSES_BY_TIME } from "./registry.ts";
import { identify, type Identity, IdentityFacts, type RouterIdentity } from "./routers.ts";
import { isTelling, type NodeServices, serviceLanes } from "./services.ts";
import {
  cutOf,
  decidingCount,
  type EventsByNode,
  indexOfTime,
  marginEnd,
  mergeByNode,
  Stretch,
  type StretchSizes,
} from "./stretch.ts";
import { isAt, nowOf, type ServiceSummary, servicesNow } from "./summary.ts";
import type { Lane, ServiceLane, VirtualRouter } from "./view.ts";

interface NodeState {
  readonly node: string;
  watchedTo: number;
  /** The same when the cluster was last concluded. */
  concludedTo: number;
  readonly heartbeats: LifeSigns;
  /** All other events. */
  readonly others: LifeSigns;
  /** The server's newest word that it hears nothing of the node. */
  unheard: EventOf<"collector.unheard"> | null;
  newestStatus: { readonly ts: number; readonly id: string; readonly sources: readonly SourceStatus[] } | null;
  readonly news: CollectorNews;
}

/** What is concluded in the newest stretch of one subject: a router, a node, or the cluster's services. */
interface Unit {
  /** With what was inherited from the stretch before. */
  readonly joined: readonly IncidentDraft[];
  readonly views: readonly NodeView[];
  /** When it was concluded, in event time, how far each of its nodes was seen then, and the newest event of any. */
  readonly horizon: number;
  readonly watchedTo: ReadonlyMap<string, number>;
  readonly newest: number;
}

/** What a stretch that is over leaves behind. */
interface Concluded {
  /** It was concluded with what came after it up to here. */
  readonly end: number;
  /** An event up to here may change where it is cut, or what is concluded. */
  readonly spoiledTo: number;
  /** Incidents that were over before it was. */
  readonly finished: readonly IncidentDraft[];
  /** By router. */
  readonly lanes: ReadonlyMap<string, readonly Lane[]>;
  readonly services: readonly NodeServices[];
}

export interface Changed {
  /** Drafts that no longer hold, and those that hold instead; some of both may be equal. */
  readonly gone: readonly IncidentDraft[];
  readonly fresh: readonly IncidentDraft[];
  /** Of which something is new. */
  readonly routers: readonly string[];
}

interface Concluding {
  readonly drafts: readonly IncidentDraft[];
}

const ROUTER = "router ";
const unitOfRouter = (id: string): string => `${ROUTER}${id}`;
const unitOfNode = (node: string): string => `node ${node}`;
const UNIT_OF_CLUSTER = "cluster";

/** All that is known of one cluster. Nothing here depends on the order in which it became known. */
export class Cluster {
  readonly name: string;
  horizon = 0;
  dirty = false;
  private readonly options: DetectionOptions;
  private readonly limits: DetectionLimits;
  private readonly sizes: StretchSizes;
  private readonly states = new Map<string, NodeState>();
  private readonly facts = new IdentityFacts();
  private readonly clocks = new ClockBook();
  private identifiedVersion = -1;
  private identity: Identity;
  private identitySign = "";
  private readonly stretches: Stretch[] = [new Stretch(Number.NEGATIVE_INFINITY)];
  /** Of all stretches but the newest; one that is missing has to be concluded again. */
  private readonly concluded = new Map<Stretch, Concluded>();
  /** Stretches that have new events, or that something new is known of. */
  private readonly stale = new Set<Stretch>();
  /** Of the newest stretch. */
  private readings = new Map<string, NodeReading>();
  private units = new Map<string, Unit>();
  /** New in the newest stretch since it was last concluded. */
  private news: Event[] = [];
  private readonly newsNodes = new Set<string>();
  private readonly unheardNodes = new Set<string>();
  private isNewestNew = true;
  /** Routers of which raw adverts came since the last conclusion: nothing to conclude from, but the chart grows. */
  private readonly advertised = new Map<
    string,
    { readonly family: Family; readonly vrid: number; readonly vips: readonly string[] }
  >();

  /** Changes of stretches that are over, not yet told. */
  private pending = new Changes();
  /** Of all stretches. */
  private eventCount = 0;
  /** An event came of a time of which the events are no longer at hand: only a rebuild from the store can conclude from it. */
  isOutdated = false;
  /** How far the nodes were watched, as a checkpoint says, until all events up to there are at hand again. */
  private held = 0;

  constructor(name: string, options: DetectionOptions, limits: DetectionLimits) {
    this.name = name;
    this.options = options;
    this.limits = limits;
    this.sizes = limits.sizes;
    this.identity = identify(name, this.facts);
  }

  // --- taking events ---------------------------------------------------------------------------------------------------

  /** @param seen  as its node dated it; from here on it has the time that the reference had */
  take(seen: Event): void {
    const state = this.stateOf(seen.node);
    if (seen.kind === "collector.unheard") {
      this.noteSilence(state, seen);
      return;
    }
    state.news.learn(seen);
    const from = this.clocks.learn(seen);
    if (from !== undefined) this.redate(state, from);
    const event = this.clocks.correct(seen);
    const isBeat = event.kind === "collector.heartbeat" || event.kind === "collector.started";
    const isNewSign = (isBeat ? state.heartbeats : state.others).add(seen);
    this.horizon = Math.max(this.horizon, event.ts);
    if (event.ts > state.watchedTo) {
      state.watchedTo = event.ts;
      this.dirty = true;
    }
    if (isBeat) this.noteStatus(state, event);
    if (isBeat && isNewSign) this.noteBeat(event);
    if (event.kind === "wire.advert") this.noteAdvert(event);
    if (!DETECTION_KINDS.has(event.kind) || !isTelling(event)) return;
    if (this.insert(event)) this.facts.learn(event);
  }

  /** What is known without the events at hand; undefined while that is not settled. */
  checkpoint(): Checkpoint | undefined {
    if (this.dirty || this.isOutdated || this.held > 0) return undefined;
    const [oldest] = this.stretches as [Stretch, ...Stretch[]];
    const state: ClusterState = {
      from: Number.isFinite(oldest.from) ? oldest.from : null,
      carried: dumpEvents(oldest.carried),
      inherited: [...oldest.inherited],
      facts: this.facts.dump(),
      clocks: this.clocks.dump(oldest.from - SETTLED_US),
      nodes: [...this.states.values()].map(({ node, watchedTo, heartbeats, others, unheard, newestStatus, news }) => ({
        node,
        watchedTo,
        heartbeats: heartbeats.dump(),
        others: others.dump(),
        unheard,
        newestStatus,
        news: news.dump(),
      })),
    };
    const since = [...this.states.keys()].map((node) => [
      node,
      Number.isFinite(oldest.from) ? Math.max(0, this.clocks.readingAt(node, oldest.from)) : 0,
    ]);
    return {
      cluster: this.name,
      since: Object.fromEntries(since) as Record<string, number>,
      state: JSON.stringify(state),
    };
  }

  /** Takes up what was known. To be done before anything else. */
  restore({ from, carried, inherited, facts, clocks, nodes }: ClusterState): void {
    const oldest = new Stretch(from ?? Number.NEGATIVE_INFINITY);
    oldest.carried = loadEvents(carried);
    oldest.inherited = new Map(inherited);
    this.stretches.splice(0, this.stretches.length, oldest);
    this.facts.load(facts);
    this.clocks.load(clocks);
    for (const { node, watchedTo, heartbeats, others, unheard, newestStatus, news } of nodes) {
      const state = this.stateOf(node);
      state.news.load(news);
      state.heartbeats.load(heartbeats);
      state.others.load(others);
      Object.assign(state, { watchedTo, unheard, newestStatus });
      this.held = Math.max(this.held, watchedTo);
    }
    this.dirty = true;
  }

  /** Takes one back that was known when the checkpoint was made: all that is left to do is to have it at hand. */
  recall(seen: Event): void {
    const event = this.clocks.correct(seen);
    this.horizon = Math.max(this.horizon, event.ts);
    const isAtHand = event.ts >= (this.stretches[0] as Stretch).from;
    if (isAtHand && DETECTION_KINDS.has(event.kind) && isTelling(event)) this.insert(event);
  }

  /** By the server's own clock, and no sign of life: it moves nothing. */
  private noteSilence(state: NodeState, event: EventOf<"collector.unheard">): void {
    const { unheard } = state;
    if (unheard && (event.ts < unheard.ts || (event.ts === unheard.ts && event.id <= unheard.id))) return;
    state.unheard = event;
    this.newsNodes.add(state.node);
    this.unheardNodes.add(state.node);
    this.dirty = true;
  }

  /** @returns false when it is known */
  private insert(event: Event): boolean {
    const index = this.indexAt(event.ts);
    const stretch = this.stretches[index] as Stretch;
    if (event.ts < stretch.from) {
      this.isOutdated = true;
      return false;
    }
    if (!stretch.add(event)) return false;
    this.eventCount += 1;
    this.dirty = true;
    this.noteNew(index, event);
    return true;
  }

  /** More is known of the node's clock: its events from this reading on have another time. */
  private redate(state: NodeState, from: number): void {
    const { node } = state;
    const moved: Event[] = [];
    for (const [index, stretch] of this.stretches.entries()) {
      const taken = stretch.takeOut(node, (event) => originalOf(event).ts >= from);
      if (taken.length === 0) continue;
      for (const event of taken) this.noteNew(index, event);
      moved.push(...taken);
    }
    for (const event of moved) this.insert(this.clocks.correct(originalOf(event)));
    state.heartbeats.redate();
    state.others.redate();
    state.watchedTo = Math.max(state.heartbeats.last(), state.others.last());
    this.horizon = [...this.states.values()].reduce((newest, { watchedTo }) => Math.max(newest, watchedTo), 0);
    if (this.held > 0) this.held = this.horizon;
    // What was over by a later horizon may not be over by an earlier one, and signs of life have moved.
    for (const stretch of this.stretches) this.stale.add(stretch);
    this.isNewestNew = true;
    const configs = (this.facts.configs.get(node) ?? []).map(originalOf);
    this.facts.forgetConfigs(node);
    for (const config of configs) this.facts.learn(this.clocks.correct(config));
    this.dirty = true;
  }

  corrected(event: Event): Event {
    return this.clocks.correct(event);
  }

  knows(eventId: string): boolean {
    const carried = (): boolean =>
      [...(this.stretches[0] as Stretch).carried.values()].some((events) => events.some(({ id }) => id === eventId));
    return this.stretches.some((stretch) => stretch.has(eventId)) || carried();
  }

  private stateOf(node: string): NodeState {
    let state = this.states.get(node);
    if (!state) {
      const timeOf = (ts: number, secondPass: boolean): number => this.clocks.timeOf(node, ts, secondPass);
      const [heartbeats, others] = [new LifeSigns(timeOf), new LifeSigns(timeOf)];
      state = {
        node,
        watchedTo: 0,
        concludedTo: 0,
        heartbeats,
        others,
        unheard: null,
        newestStatus: null,
        news: new CollectorNews(),
      };
      this.states.set(node, state);
    }
    return state;
  }

  private noteNew(index: number, event: Event): void {
    const stretch = this.stretches[index] as Stretch;
    this.stale.add(stretch);
    if (index === this.stretches.length - 1) {
      this.news.push(event);
      this.newsNodes.add(event.node);
    }
    this.spoilMarginsAt(index, event.ts);
  }

  /** Stretches that were concluded while a node lagged behind. */
  private spoilLagging(): void {
    for (const state of this.states.values()) {
      if (state.watchedTo === state.concludedTo) continue;
      this.spoilMarginsAt(this.stretches.length - 1, state.concludedTo + 1);
      state.concludedTo = state.watchedTo;
    }
  }

  /** Stretches before this one that looked at what comes after them so far. */
  private spoilMarginsAt(index: number, ts: number): void {
    for (let before = index - 1; before >= 0; before -= 1) {
      const stretch = this.stretches[before] as Stretch;
      const known = this.concluded.get(stretch);
      if (known !== undefined && known.spoiledTo < ts) break;
      this.stale.add(stretch);
    }
  }

  private noteStatus(state: NodeState, event: Extract<Event, { readonly sources: readonly SourceStatus[] }>): void {
    const newest = state.newestStatus;
    if (!newest || event.ts > newest.ts || (event.ts === newest.ts && event.id > newest.id))
      state.newestStatus = { ts: event.ts, id: event.id, sources: event.sources };
  }

  private noteBeat({ node, ts }: Event): void {
    this.dirty = true;
    // A sign of life matters to what is known of its node after it, and to whatever that is carried into.
    const index = this.indexAt(ts);
    const later = this.stretches.slice(index);
    if (!later.some(({ nodes }) => (nodes.get(node)?.at(-1)?.ts ?? 0) > ts)) return;
    for (const stretch of later) this.stale.add(stretch);
    this.newsNodes.add(node);
    this.spoilMarginsAt(index, ts);
  }

  private noteAdvert({ family, vrid, vips }: Extract<Event, { kind: "wire.advert" }>): void {
    this.advertised.set([family, vrid, ...vips].join("|"), { family, vrid, vips });
    this.dirty = true;
  }

  /** Of the stretch an instant is in. */
  private indexAt(ts: number): number {
    let low = 0;
    let high = this.stretches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.stretches[middle] as Stretch).from <= ts) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // --- concluding ------------------------------------------------------------------------------------------------------

  /** Concludes again what the new events touch. */
  compute(): Changed {
    this.horizon = Math.max(this.horizon, this.held);
    this.held = 0;
    this.digest();
    this.dirty = false;
    const changed = this.pending;
    this.pending = new Changes();
    this.concludeNewest(changed);
    for (const { family, vrid, vips } of this.advertised.values()) {
      const id = this.identity.routerOfSender(family, vrid, vips);
      if (id !== undefined) changed.routers.add(id);
    }
    this.advertised.clear();
    return { gone: [...changed.gone], fresh: [...changed.fresh], routers: [...changed.routers] };
  }

  /** Concludes all but the newest stretch, and forgets the events of the oldest where there are too many. */
  digest(): void {
    if (this.identifiedVersion !== this.facts.version) this.identifyAgain();
    this.spoilLagging();
    const firstStale = Math.min(Number.POSITIVE_INFINITY, ...[...this.stale].map(({ from }) => from));
    for (let index = this.indexAt(firstStale); index < this.stretches.length; index += 1) {
      const stretch = this.stretches[index] as Stretch;
      if (!this.stale.has(stretch)) continue;
      const margin = this.settle(index, this.pending);
      if (margin === null) break;
      this.conclude(index, margin, this.pending);
    }
    // A newest stretch that is a new one is concluded whole, and what was news of it before is another one's now.
    if (this.isNewestNew) this.news = this.news.filter(({ ts }) => ts >= this.newestFrom());
    const held = this.stretches.length;
    while (this.eventCount > this.limits.events && this.stretches.length > 2) {
      const oldest = this.stretches.shift() as Stretch;
      this.concluded.delete(oldest);
      this.eventCount -= oldest.times.length;
    }
    if (this.stretches.length < held) this.forgetBefore((this.stretches[0] as Stretch).from - SETTLED_US);
  }

  /** What is known besides the events at hand: nothing that is concluded from them needs more. Else it would grow for ever. */
  private forgetBefore(ts: number): void {
    for (const { node, heartbeats, others } of this.states.values()) {
      const reading = this.clocks.readingAt(node, ts);
      heartbeats.forget(reading);
      others.forget(reading);
    }
    this.clocks.forget(ts);
    this.facts.forget(ts);
  }

  private identifyAgain(): void {
    this.identity = identify(this.name, this.facts);
    this.identifiedVersion = this.facts.version;
    if (this.identity.sign === this.identitySign) return;
    this.identitySign = this.identity.sign;
    for (const stretch of this.stretches) this.stale.add(stretch);
    this.isNewestNew = true;
  }

  /** Cuts the events from this stretch on where they are to be cut. @returns null for the newest one */
  private settle(index: number, changed: Changes): Pick<Concluded, "end" | "spoiledTo"> | null {
    const stretch = this.stretches[index] as Stretch;
    const times = this.timesFrom(index);
    const cut = cutOf(times, stretch.carriedCount(), this.sizes);
    const end =
      cut === null ? null : marginEnd(cut.at, times.slice(indexOfTime(times, cut.at)), this.horizon, this.sizes);
    if (cut === null || end === null) {
      while (index < this.stretches.length - 1) this.absorbNext(index, changed);
      this.forget(stretch, changed);
      return null;
    }
    while (stretch.to !== null && stretch.to < cut.at) this.absorbNext(index, changed);
    if (stretch.to === null || stretch.to > cut.at) {
      this.isNewestNew ||= stretch.to === null;
      const next = stretch.splitAt(cut.at);
      this.stretches.splice(index + 1, 0, next);
      this.stale.add(next);
    }
    return { end, spoiledTo: Math.max(end, cut.decidedBy) };
  }

  /** Event times from a stretch on, of all that decide where it ends. */
  private timesFrom(index: number): readonly number[] {
    const stretch = this.stretches[index] as Stretch;
    stretch.sort();
    if (index === this.stretches.length - 1) return stretch.times;
    const times = [...stretch.times];
    for (const later of this.stretches.slice(index + 1)) {
      if (times.length > decidingCount(stretch.carriedCount(), this.sizes)) break;
      later.sort();
      for (const ts of later.times) times.push(ts);
    }
    return times;
  }

  private absorbNext(index: number, changed: Changes): void {
    const next = this.stretches[index + 1] as Stretch;
    this.isNewestNew ||= next.to === null;
    this.forget(next, changed);
    this.stale.delete(next);
    (this.stretches[index] as Stretch).absorb(next);
    this.stretches.splice(index + 1, 1);
  }

  private forget(stretch: Stretch, changed: Changes): void {
    changed.takeBack(this.concluded.get(stretch)?.finished ?? []);
    this.concluded.delete(stretch);
  }

  /** Concludes a stretch that is over. */
  private conclude(index: number, margin: Pick<Concluded, "end" | "spoiledTo">, changed: Changes): void {
    const { end } = margin;
    const stretch = this.stretches[index] as Stretch;
    const to = stretch.to as number;
    const readings = this.readAll(
      mergeByNode(mergeByNode(stretch.carried, stretch.nodes), this.after(index, end)),
      end,
    );
    const scene = this.sceneOf(readings, end);
    const routers = [...this.identity.routers.values()].map((router) => viewRouter(router, scene));
    const units: readonly (readonly [string, readonly IncidentDraft[]])[] = [
      ...routers.map((view) => [unitOfRouter(view.router.id), concludeRouter(view)] as const),
      ...[...readings].map(([node, reading]) => [unitOfNode(node), concludeNode(reading, scene)] as const),
      [UNIT_OF_CLUSTER, concludeCluster(scene, routers)],
    ];
    const finished: IncidentDraft[] = [];
    const open = new Map<string, readonly IncidentDraft[]>();
    for (const [key, drafts] of units) {
      const joined = inherit(stretch.inherited.get(key) ?? [], drafts, stretch.from, end).filter(
        ({ start }) => start < to,
      );
      finished.push(...joined.filter((draft) => !isOpenAt(to, draft)));
      const lasting = joined.filter((draft) => isOpenAt(to, draft));
      if (lasting.length > 0) open.set(key, lasting);
    }
    this.forget(stretch, changed);
    changed.conclude(finished);
    this.concluded.set(stretch, {
      ...margin,
      finished,
      lanes: new Map(routers.map(({ router, nodes }) => [router.id, nodes.map(({ lane }) => until(lane, to))])),
      services: servicesOf(readings).map(({ services, ...rest }) => ({
        ...rest,
        services: services.filter(({ from }) => from.ts < to),
      })),
    });
    this.stale.delete(stretch);
    for (const { router } of routers) changed.routers.add(router.id);
    this.handOver(this.stretches[index + 1] as Stretch, stretch.carry([...open.values()].flat(), this.sizes), open);
  }

  private handOver(next: Stretch, carried: EventsByNode, open: Stretch["inherited"]): void {
    if (sameEvents(next.carried, carried) && sameDrafts(next.inherited, open)) return;
    next.carried = carried;
    next.inherited = open;
    this.stale.add(next);
    this.isNewestNew ||= next.to === null;
  }

  /** What came after a stretch, up to an instant. */
  private after(index: number, end: number): EventsByNode {
    const events = new Map<string, readonly Event[]>();
    for (const later of this.stretches.slice(index + 1)) {
      if (later.from > end) break;
      later.sort();
      for (const [node, own] of later.nodes)
        events.set(node, [...(events.get(node) ?? []), ...eventsBetween(own, later.from, end)]);
    }
    return events;
  }

  private sceneOf(readings: ReadonlyMap<string, NodeReading>, horizon: number): Scene {
    return { cluster: this.name, options: this.options, identity: this.identity, readings, horizon };
  }

  private readAll(events: EventsByNode, horizon: number): Map<string, NodeReading> {
    return new Map(this.nodeNames().map((node) => [node, this.read(node, events.get(node) ?? [], horizon)]));
  }

  private nodeNames(): string[] {
    return [...this.states.keys()].sort();
  }

  /** @param unheard  in the newest stretch: what is over was seen to be over by what came after it */
  private read(
    node: string,
    events: readonly Event[],
    horizon: number,
    unheard: NodeState["unheard"] = null,
  ): NodeReading {
    const state = this.stateOf(node);
    const seen = events.filter(({ source }) => source !== "log");
    const evidence = readEvidence(events, lifeSigns(events, state.heartbeats), lifeSigns(seen, state.heartbeats));
    return readNode({ node, evidence, events, watchedTo: Math.min(state.watchedTo, horizon), unheard }, this.identity);
  }

  // --- the newest stretch ----------------------------------------------------------------------------------------------

  /** Concludes again those of its subjects that something is new of, or that time itself may change. */
  private concludeNewest(changed: Changes): void {
    const stretch = this.stretches.at(-1) as Stretch;
    stretch.sort();
    const before = this.units;
    if (this.isNewestNew) {
      this.readings = new Map();
      this.units = new Map();
    }
    this.readNewest(stretch);
    const scene = this.sceneOf(this.readings, this.horizon);
    const touched = this.touchedUnits();
    const watchedTo = new Map([...this.states.values()].map((state) => [state.node, state.watchedTo]));
    const again = (key: string, run: () => Pick<Unit, "views" | "newest"> & Concluding): void => {
      const known = this.units.get(key);
      if (known && !touched.has(key) && !this.mayChange(known, watchedTo)) return;
      const { drafts, views, newest } = run();
      const joined = sayUnseen(
        inherit(stretch.inherited.get(key) ?? [], drafts, stretch.from, this.horizon),
        this.readings,
        this.horizon,
      );
      changed.takeBack(before.get(key)?.joined ?? []);
      changed.conclude(joined);
      this.units.set(key, { views, joined, newest, horizon: this.horizon, watchedTo });
    };
    for (const router of this.identity.routers.values())
      again(unitOfRouter(router.id), () => {
        const view = viewRouter(router, scene);
        return { views: view.nodes, drafts: concludeRouter(view), newest: newestOf(view.nodes) };
      });
    for (const [node, reading] of this.readings)
      again(unitOfNode(node), () => ({
        views: [],
        drafts: concludeNode(reading, scene),
        newest: reading.events.at(-1)?.ts ?? 0,
      }));
    again(UNIT_OF_CLUSTER, () => {
      const routers = [...this.identity.routers.values()];
      const views = routers.map((router) => viewRouter(router, scene, this.viewsOf(router.id)));
      return { views: [], drafts: concludeCluster(scene, views), newest: stretch.times.at(-1) ?? 0 };
    });
    if (this.isNewestNew) for (const [key, { joined }] of before) if (!this.units.has(key)) changed.takeBack(joined);
    for (const key of touched) if (key.startsWith(ROUTER)) changed.routers.add(key.slice(ROUTER.length));
    this.isNewestNew = false;
    this.news = [];
    this.newsNodes.clear();
    this.unheardNodes.clear();
    this.stale.delete(stretch);
  }

  private readNewest(stretch: Stretch): void {
    for (const node of this.nodeNames()) {
      const known = this.readings.get(node);
      const watchedTo = this.stateOf(node).watchedTo;
      if (!known || this.newsNodes.has(node)) {
        const events = [...(stretch.carried.get(node) ?? []), ...(stretch.nodes.get(node) ?? [])];
        this.readings.set(node, this.read(node, events, this.horizon, this.stateOf(node).unheard));
      } else if (known.watchedTo !== watchedTo) this.readings.set(node, { ...known, watchedTo });
    }
  }

  /** Subjects that the new events of the newest stretch speak of. */
  private touchedUnits(): ReadonlySet<string> {
    const touched = new Set<string>();
    const routersOfNode = (node: string): void => {
      for (const { id, instances } of this.identity.routers.values())
        if (instances.some((instance) => instance.node === node)) touched.add(unitOfRouter(id));
    };
    for (const node of this.newsNodes) touched.add(unitOfNode(node));
    if (this.news.length > 0 || this.unheardNodes.size > 0) touched.add(UNIT_OF_CLUSTER);
    const wide = new Set(this.unheardNodes);
    for (const event of this.news) {
      const router =
        "instance" in event && event.instance !== undefined
          ? this.identity.routerOfInstance(event.node, event.instance, event.ts)
          : undefined;
      if (router !== undefined) touched.add(unitOfRouter(router));
      else wide.add(event.node);
    }
    for (const node of wide) routersOfNode(node);
    // A capture speaks of senders that are no node of ours, and of nodes that have no collector.
    for (const event of this.news)
      if (event.kind === "wire.master-seen" || event.kind === "wire.master-gone")
        for (const { id, vrid } of this.identity.routers.values())
          if (vrid === event.vrid) touched.add(unitOfRouter(id));
    return touched;
  }

  /** No detector waits for longer than SETTLED_US before it concludes something from the time that has passed. */
  private mayChange(unit: Unit, watchedTo: Unit["watchedTo"]): boolean {
    const moved = [...watchedTo].filter(([node, ts]) => unit.watchedTo.get(node) !== ts).map(([node]) => node);
    if (moved.length === 0) return false;
    if (unit.horizon <= unit.newest + SETTLED_US) return true;
    if (unit.joined.some(({ kind, end }) => end === null && CLOSES_BY_TIME.has(kind))) return true;
    return [...unit.watchedTo].some(([node, seen]) => {
      const lags = this.horizon - seen > this.options.silentAfterUs / 2;
      return lags && (moved.includes(node) || unit.horizon <= seen + SETTLED_US);
    });
  }

  // --- what people ask for -----------------------------------------------------------------------------------------------

  /** All that is concluded. */
  drafts(): readonly IncidentDraft[] {
    return [
      ...[...this.concluded.values()].flatMap(({ finished }) => finished),
      ...[...this.units.values()].flatMap(({ joined }) => joined),
    ];
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
    const newest = this.viewsOf(routerId).map(({ lane }) => lane);
    return newest.map((lane) => {
      const older = this.older(({ lanes }) => lanes.get(routerId)?.find(({ node }) => node === lane.node)?.bars ?? []);
      return {
        ...lane,
        bars: joinAll([...older, { from: this.newestFrom(), bars: lane.bars }]),
        watchedTo: this.states.get(lane.node)?.watchedTo ?? lane.watchedTo,
      };
    });
  }

  private viewsOf(routerId: string): readonly NodeView[] {
    return this.units.get(unitOfRouter(routerId))?.views ?? [];
  }

  private newestFrom(): number {
    return (this.stretches.at(-1) as Stretch).from;
  }

  private older<T>(
    pick: (concluded: Concluded) => readonly T[],
  ): { readonly from: number; readonly bars: readonly T[] }[] {
    return this.stretches.slice(0, -1).flatMap((stretch) => {
      const known = this.concluded.get(stretch);
      return known ? [{ from: stretch.from, bars: pick(known) }] : [];
    });
  }

  /** Services of a router's nodes: behind its own addresses, or behind none that a router has. */
  serviceLanes(routerId: string): readonly ServiceLane[] {
    const router = this.identity.routers.get(routerId);
    if (!router) return [];
    const nodes = new Set(router.instances.map(({ node }) => node));
    const others = [...this.identity.routers.values()].filter(({ id }) => id !== routerId).flatMap(({ vips }) => vips);
    const isOthers = (virtualServer: string): boolean =>
      others.some((vip) => isAt(virtualServer, vip)) && !router.vips.some((vip) => isAt(virtualServer, vip));
    const lanesIn = (services: readonly NodeServices[]): readonly ServiceLane[] =>
      serviceLanes(
        services.filter(({ node }) => nodes.has(node)),
        (virtualServer) => !isOthers(virtualServer),
      );
    const parts = this.older(({ services }) => lanesIn(services));
    return joinServiceLanes([...parts, { from: this.newestFrom(), bars: lanesIn(servicesOf(this.readings)) }]);
  }

  /** @param open  the cluster's incidents that are open */
  summaries(open: readonly Incident[]): RouterSummary[] {
    return this.routers().map((router) => {
      const nodes = this.viewsOf(router.id);
      const instants = nodes.flatMap(({ lane }) => instantsOf(lane));
      return {
        ...router,
        ...nowOf(nodes, this.identity.routers.get(router.id) as RouterIdentity, this.horizon, open),
        firstEventTs: this.firstInstant(router.id) ?? Math.min(this.horizon, ...instants),
        lastEventTs: instants.length > 0 ? Math.max(...instants) : this.horizon,
      };
    });
  }

  services(): ServiceSummary[] {
    const configured = [...this.states.keys()].flatMap(
      (node) => this.facts.configs.get(node)?.at(-1)?.virtualServers ?? [],
    );
    return servicesNow(this.name, servicesOf(this.readings), configured, this.routers());
  }

  private firstInstant(routerId: string): number | undefined {
    for (const stretch of this.stretches) {
      const instants = (this.concluded.get(stretch)?.lanes.get(routerId) ?? []).flatMap(instantsOf);
      if (instants.length > 0) return Math.min(...instants);
    }
    return undefined;
  }

  nodes(): NodeSummary[] {
    return [...this.states.values()]
      .sort((a, b) => (a.node < b.node ? -1 : 1))
      .map(({ node, watchedTo, newestStatus, news }) => ({
        cluster: this.name,
        node,
        lastSeenTs: watchedTo,
        sources: newestStatus?.sources ?? [],
        ...news.about(),
      }));
  }

  crowdedVrids(): number {
    return this.facts.senders.tooLarge();
  }

  mailSettings(): MailSettings[] {
    const settings = [...this.states.keys()].flatMap((node) => this.facts.configs.get(node)?.at(-1)?.mail ?? []);
    return [...new Map(settings.map((mail) => [JSON.stringify(mail), mail])).values()];
  }
}

/** Event time of the newest that any of them tells of. */
function newestOf(nodes: readonly NodeView[]): number {
  let newest = 0;
  for (const { events, claims } of nodes) {
    const last = events.findLast(({ source }) => source !== "check" && source !== "process");
    newest = Math.max(newest, last?.ts ?? 0, ...claims.map(({ start, end }) => end ?? start));
  }
  return newest;
}

const until = (lane: Lane, to: number): Lane => ({ ...lane, bars: lane.bars.filter(({ from }) => from < to) });

const instantsOf = ({ bars }: Lane): number[] => bars.flatMap(({ from, to }) => (to === null ? [from] : [from, to]));

const sameDrafts = (a: Stretch["inherited"], b: Stretch["inherited"]): boolean =>
  JSON.stringify([...a]) === JSON.stringify([...b]);

function sameEvents(a: EventsByNode, b: EventsByNode): boolean {
  if (a.size !== b.size) return false;
  for (const [node, events] of a) {
    const others = b.get(node);
    if (others?.length !== events.length || !events.every((event, index) => event === others[index])) return false;
  }
  return true;
}
