import { virtualRoutersOf, type PeerInstance, type PeerNode, shareSubnet } from "../../collector/conf/cluster.ts";
import { driftOf, nodeDriftOf } from "../../collector/conf/drift.ts";
import { NEWEST_RELEASE } from "../../collector/conf/version.ts";
import type { ConfiguredInstance, Event } from "../../collector/events/event.ts";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import { lasting, listed, routerName } from "./describe.ts";
import type { ClusterView, Detector } from "./detector.ts";
import type { Evidence, IncidentDraft, Severity } from "./incident.ts";
import { CONFIG_FORGOTTEN_US, DRIFT_GRACE_US, EVIDENCE_MAX } from "./options.ts";
import type { RouterIdentity } from "./routers.ts";
import { type GradedState, type Stretch, stretchesOf } from "./stretches.ts";

/**
 * The configurations of the nodes of one virtual router differ in what must be equal, or are equal in what must differ. The rules
 * are those of `keepwatch lint`; what they mean over time is in README.md.
 */
export const configDrift: Detector = { kind: "config-drift", scope: "cluster", detect };

type Loaded = Extract<Event, { kind: "config.loaded" }>;
type Grade = Exclude<Severity, "critical">;

/** What keeps the nodes from understanding each other, or from standing in for each other, is worth a look; the rest is good to know. */
const SEVERITY: ReadonlyMap<string, Grade> = new Map<string, Grade>([
  ["drift_vrid", "warning"],
  ["drift_version", "warning"],
  ["drift_auth", "warning"],
  ["drift_auth_pass", "warning"],
  ["drift_vips", "warning"],
  ["drift_unicast", "warning"],
  ["drift_unicast_peers", "warning"],
  ["drift_same_source_address", "warning"],
  ["drift_virtual_server", "warning"],
  ["drift_advert_int", "warning"],
  ["drift_same_priority", "info"],
  ["drift_same_router_id", "info"],
]);
const GRADES: readonly Grade[] = ["warning", "info"];

interface Finding {
  readonly code: string;
  readonly grade: Grade;
  readonly message: string;
}

/** What of the nodes of one virtual router, or of the nodes as such, does not fit. */
interface Misfit {
  /** Instances of nodes, or nodes: what it is of. */
  readonly members: ReadonlySet<string>;
  readonly nodes: readonly string[];
  /** Of a virtual router; empty for what is of whole nodes. */
  readonly peers: readonly PeerInstance[];
  readonly findings: readonly Finding[];
  readonly configs: readonly Loaded[];
}

function detect(view: ClusterView): IncidentDraft[] {
  const routers = new Map(
    view.routers.flatMap(({ router }) =>
      router.instances.map(({ node, name }) => [nameOf(node, name ?? ""), router] as const),
    ),
  );
  return historiesOf(momentsOf(view)).flatMap((history) =>
    stretchesOf(history, view.horizon).map((stretch) => toDraft(stretch, view, routers)),
  );
}

type History = GradedState<Grade, Misfit>[];

/** What became of each misfit. One that gains or loses a member goes on. */
function historiesOf(moments: readonly Moment[]): readonly History[] {
  const histories: History[] = [];
  for (const { ts, settleUs, misfits } of moments) {
    const silent = new Set(histories);
    const told = new Set<Misfit>();
    const tell = (misfit: Misfit, history: History): void => {
      history.push({ ts, settleUs, grade: misfit.findings[0]?.grade, value: misfit });
      silent.delete(history);
      told.add(misfit);
    };
    for (const isIt of [isSame, isAkin])
      for (const misfit of misfits) {
        const history = told.has(misfit) ? undefined : [...silent].findLast((one) => isIt(lastOf(one), misfit));
        if (history) tell(misfit, history);
      }
    for (const misfit of misfits) if (!told.has(misfit)) tell(misfit, histories[histories.push([]) - 1] as History);
    for (const history of silent) {
      const { grade, value } = history.at(-1) as History[number];
      if (grade !== undefined) history.push({ ts, settleUs: DRIFT_GRACE_US, grade: undefined, value });
    }
  }
  return histories;
}

const lastOf = (history: History): Misfit => (history.at(-1) as History[number]).value;

const isSame = (before: Misfit, { members }: Misfit): boolean =>
  before.members.size === members.size && [...members].every((member) => before.members.has(member));

const isAkin = (before: Misfit, { members }: Misfit): boolean =>
  [...members].some((member) => before.members.has(member));

const nameOf = (node: string, instance: string): string => `${node}\0${instance}`;

// --- what fits when --------------------------------------------------------------------------------------------------------

interface Moment {
  readonly ts: number;
  readonly settleUs: number;
  readonly misfits: readonly Misfit[];
}

/** The configurations from one change of any of them to the next. */
function momentsOf(view: ClusterView): Moment[] {
  const changes = view.inputs
    .flatMap(({ node, events, watchedTo }) => changesOf(node, events, watchedTo, view.horizon))
    .sort((a, b) => a.ts - b.ts || Number(a.node > b.node) - Number(a.node < b.node));
  const known = new Map<string, Loaded>();
  const moments: Moment[] = [];
  for (const [i, { ts, node, loaded, settleUs }] of changes.entries()) {
    if (loaded) known.set(node, loaded);
    else known.delete(node);
    if (changes[i + 1]?.ts !== ts) moments.push({ ts, settleUs, misfits: misfitsOf([...known.values()]) });
  }
  return moments;
}

interface Change {
  readonly ts: number;
  readonly node: string;
  /** undefined: the node is forgotten. */
  readonly loaded?: Loaded;
  readonly settleUs: number;
}

/** A first reading is no change: the files were so, for all that is known. A change may be the first step of a rollout. */
function changesOf(node: string, events: readonly Event[], watchedTo: number, horizon: number): Change[] {
  const changes: Change[] = [];
  let last: Loaded | undefined;
  for (const event of events) {
    if (event.kind !== "config.loaded") continue;
    if (last === undefined || contentOf(last) !== contentOf(event))
      changes.push({ ts: event.ts, node, loaded: event, settleUs: last === undefined ? 0 : DRIFT_GRACE_US });
    last = event;
  }
  const forgottenAt = watchedTo + CONFIG_FORGOTTEN_US;
  if (last && forgottenAt < horizon) changes.push({ ts: forgottenAt, node, settleUs: 0 });
  return changes;
}

/** What an event says costs the same work only once, however often it is asked. */
function remembered<T>(make: (event: Loaded) => T): (event: Loaded) => T {
  const made = new WeakMap<Loaded, { readonly value: T }>();
  return (event) => {
    const known = made.get(event) ?? { value: make(event) };
    made.set(event, known);
    return known.value;
  };
}

const contentOf = remembered(({ instances, virtualServers, services, routerId }) =>
  JSON.stringify([instances, virtualServers, services, routerId]),
);
const peersOf = remembered(({ node, instances }): readonly PeerInstance[] =>
  instances.flatMap((instance) => peerOf(node, instance)),
);
const combinationsWith = remembered(() => new Map<string, readonly Misfit[]>());

function misfitsOf(configs: readonly Loaded[]): readonly Misfit[] {
  const sorted = [...configs].sort((a, b) => (a.id < b.id ? -1 : 1));
  const [first] = sorted;
  if (!first || sorted.length < 2) return [];
  const known = combinationsWith(first);
  const key = sorted.map(({ id }) => id).join();
  const misfits = known.get(key) ?? compareConfigs(sorted);
  known.set(key, misfits);
  return misfits;
}

/** By a collector that does not tell it yet. */
const UNTOLD = "untold";

/** Fields that the event does not have are the same on all, so that nothing is said of them. */
export function peerOf(node: string, instance: ConfiguredInstance): PeerInstance[] {
  const { vrid, interface: nic, sourceAddress, passwordFingerprint, authentication, trackers, ...rest } = instance;
  if (vrid === undefined) return [];
  return [
    {
      ...rest,
      node,
      vrid,
      authentication: authentication ?? UNTOLD,
      excludedVips: [],
      usesVmac: false,
      trackers: trackers ?? [],
      skipsAddressCheck: false,
      ...(nic === undefined ? {} : { interface: nic }),
      ...(sourceAddress === undefined ? {} : { sourceAddress }),
      ...(passwordFingerprint === undefined ? {} : { passwordFingerprint }),
    },
  ];
}

function compareConfigs(configs: readonly Loaded[]): Misfit[] {
  const nodes = configs
    .map((config) => ({ config, node: config.node, peers: peersOf(config) }))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  // By a collector that tells no more of them, or of too many, there are only names to compare.
  const areTold = configs.every(
    ({ services, virtualServers }) => services !== undefined || virtualServers.length === 0,
  );
  const peerNodes = nodes.map(({ config, node, peers }): PeerNode => {
    const file = config.files[0]?.path ?? "";
    return {
      node,
      file,
      instances: peers,
      virtualServers: areTold ? servicesOf(config) : namesOf(config, file),
      ...(config.routerId === undefined ? {} : { routerId: config.routerId }),
    };
  });
  const groups = virtualRoutersOf(peerNodes)
    .map((group) => group.filter((peer) => group.some((other) => other !== peer && belongTogether(peer, other))))
    .filter((group) => group.length > 1);
  const misfits: Misfit[] = [];
  const add = (
    members: readonly string[],
    peers: readonly PeerInstance[],
    names: readonly string[],
    found: readonly Finding[],
  ): void => {
    if (found.length > 0)
      misfits.push({
        members: new Set(members),
        nodes: [...names].sort(),
        peers,
        findings: [...found].sort((a, b) => GRADES.indexOf(a.grade) - GRADES.indexOf(b.grade)),
        configs: nodes.filter(({ node }) => names.includes(node)).map(({ config }) => config),
      });
  };
  for (const group of groups)
    add(
      group.map(({ node, instance }) => nameOf(node, instance)),
      group,
      group.map(({ node }) => node),
      driftOf(group, NEWEST_RELEASE).flatMap((found) => graded(found, group)),
    );
  for (const names of neighbourhoods(groups))
    add(
      names,
      [],
      names,
      nodeDriftOf(
        peerNodes.filter(({ node }) => names.includes(node)),
        [],
      ).flatMap((found) => graded(found, [])),
    );
  return misfits;
}

const namesOf = ({ virtualServers }: Loaded, file: string): PeerNode["virtualServers"] =>
  new Map(virtualServers.map((name) => [name, { file, line: 1, settings: new Map() }]));

const servicesOf = ({ services = [] }: Loaded): PeerNode["virtualServers"] =>
  new Map(
    services.map(({ name, file, line, settings }) => [
      name,
      { file, line, settings: new Map(settings.map(({ of, is }) => [of, is])) },
    ]),
  );

/** A VRID and a name alone say nothing in a cluster of many segments. */
const belongTogether = (a: PeerInstance, b: PeerInstance): boolean =>
  a.vips.some((vip) => b.vips.includes(vip)) || shareSubnet(a, b);

function graded({ code, message }: { code: string; message: string }, peers: readonly PeerInstance[]): Finding[] {
  const grade = SEVERITY.get(code);
  if (grade === undefined) return [];
  if (code === "drift_auth" && peers.some(({ authentication }) => authentication === UNTOLD)) return [];
  // Version 3 learns the master's interval: nothing is refused for it.
  const isLearnt = code === "drift_advert_int" && peers.every(({ version }) => version === 3);
  return [{ code, message, grade: isLearnt ? "info" : grade }];
}

/** Nodes that have a virtual router in common, directly or through others. */
function neighbourhoods(groups: readonly (readonly PeerInstance[])[]): string[][] {
  const sets = new Map<string, Set<string>>();
  for (const group of groups) {
    const merged = new Set(group.flatMap(({ node }) => [node, ...(sets.get(node) ?? [])]));
    for (const node of merged) sets.set(node, merged);
  }
  return [...new Set(sets.values())].map((set) => [...set].sort());
}

// --- incidents -------------------------------------------------------------------------------------------------------------

function toDraft(
  { start, end, grade, values }: Stretch<Grade, Misfit>,
  view: ClusterView,
  routers: ReadonlyMap<string, RouterIdentity>,
): IncidentDraft {
  const { nodes, peers, findings } = values.at(-1) as Misfit;
  const [worst] = findings as [Finding, ...Finding[]];
  const router = peers.map(({ node, instance }) => routers.get(nameOf(node, instance))).find((known) => known);
  const names = new Set(peers.map(({ instance }) => instance));
  const what = router ? ` for ${routerName(router)}` : peers[0] ? ` for ${peers[0].instance}` : "";
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : "";
  return {
    kind: "config-drift",
    certainty: "confirmed",
    severity: grade,
    cluster: view.cluster,
    subject: {
      ...(router ? { router: router.id } : {}),
      ...(names.size === 1 && peers[0] ? { instance: peers[0].instance } : {}),
      nodes,
    },
    start,
    end,
    cause: { code: worst.code, text: findings.map(({ message }) => message).join("; ") },
    summary: `The configurations of ${listed(nodes)} ${end === null ? "do" : "did"} not fit together${what} ${lasting(start, end)}: ${worst.message}${more}.`,
    evidence: values
      .flatMap(({ configs, peers: members }) => configs.map((config) => evidenceOf(config, members)))
      .filter((piece, i, all) => all.findIndex(({ eventId }) => eventId === piece.eventId) === i)
      .slice(-EVIDENCE_MAX),
  };
}

/** What the file says of the instance, or of the node. */
function evidenceOf(config: Loaded, members: readonly PeerInstance[]): Evidence {
  const peer = members.find(({ node }) => node === config.node);
  const file = config.files[0]?.path;
  return {
    eventId: config.id,
    node: config.node,
    source: config.source,
    ts: config.ts,
    ...(peer ? { line: `${peer.file}:${peer.line}` } : file === undefined ? {} : { line: `${file}:1` }),
    text: peer
      ? ofInstance(peer)
      : `router_id ${config.routerId ?? "none"}, virtual servers ${config.virtualServers.join(", ") || "none"}`,
  };
}

function ofInstance(peer: PeerInstance): string {
  const words = [
    `virtual_router_id ${peer.vrid}`,
    `version ${peer.version}`,
    `priority ${peer.priority}`,
    `advert_int ${peer.advertIntervalUs / US_PER_SECOND} s`,
    `authentication ${peer.authentication}`,
    `addresses ${peer.vips.join(" ") || "none"}`,
    ...(peer.unicastPeers.length > 0 ? [`unicast_peer ${peer.unicastPeers.join(" ")}`] : []),
    ...(peer.sourceAddress === undefined ? [] : [`source address ${peer.sourceAddress}`]),
  ];
  return `vrrp_instance ${peer.instance}: ${words.join(", ")}`;
}
