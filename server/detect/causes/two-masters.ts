import type { ConfiguredInstance, Event } from "../../../collector/events/event.ts";
import type { Claim } from "../claims.ts";
import { clock, duration, listed } from "../describe.ts";
import type { RouterView } from "../detector.ts";
import type { Certainty } from "../incident.ts";
import { type Cause, type Explanation, explain, type Finder, unknown } from "./cause.ts";
import { factsOf, type NodeFacts, placeOf, runningConfig, type Stretch, within } from "./facts.ts";
import { earsOf } from "./hearing.ts";
import { isOfStranger, lookAtBoth, MISMATCHES, mismatchCauses, refusalsOf } from "./refusals.ts";

/** Why several nodes are master of one router at once. The table is in README.md beside this folder. */

/** What shows why both became master was so within this many master-down times before they were. */
const BEFORE_OVERLAP_DOWNS = 2;
/** The adverts of a wholly silent master stop this much before the other takes over, in advert intervals. */
const SILENT_BEFORE_INTERVALS = 1.5;

export interface TwoMasters {
  readonly view: RouterView;
  readonly certainty: Certainty;
  readonly start: number;
  /** null while it lasts. */
  readonly end: number | null;
  /** The masterships that overlap. */
  readonly claims: readonly Claim[];
}

interface Scene extends TwoMasters {
  readonly facts: readonly NodeFacts[];
  /** Where what explains it is looked for. */
  readonly from: number;
  readonly to: number;
  /** Who was master before, and who became so beside them. */
  readonly incumbents: readonly string[];
  readonly newcomers: readonly string[];
}

export function explainTwoMasters(two: TwoMasters): Explanation {
  const { view, start, end, claims } = two;
  const names = new Set(claims.map(({ node }) => node));
  const facts = view.nodes.filter(({ node }) => names.has(node)).map((node) => factsOf(node, view));
  const incumbents = [...new Set(claims.filter((claim) => claim.start < start).map(({ node }) => node))].sort();
  const scene: Scene = {
    ...two,
    facts,
    from: start - BEFORE_OVERLAP_DOWNS * view.router.masterDownUs,
    to: end ?? view.horizon,
    incumbents,
    newcomers: [...names].filter((node) => !incumbents.includes(node)).sort(),
  };
  const seen = explain(SEEN, scene, start);
  if (seen) return seen;
  if (two.certainty === "suspected") return unknown("not all of them could be seen well enough to be sure", start);
  // Who refuses adverts, hangs or is killed is silent, too: silence explains only where nothing of that is seen.
  return explain(INFERRED, scene, start) ?? unknown("the evidence does not show why", start);
}

const failedReload: Finder<Scene> = ({ facts, claims, from, to, start }) =>
  facts.flatMap(({ node, failedStarts }) =>
    failedStarts
      .filter(({ start: { kind }, failure }) => kind === "daemon.reloading" && failure.ts <= to)
      .filter(({ failure }) =>
        claims.some(
          (claim) => claim.node === node && failure.ts >= Math.min(from, claim.start) && (claim.end ?? to) > failure.ts,
        ),
      )
      .slice(-1)
      .map(
        (failed): Cause => ({
          code: "failed-reload",
          text: `keepalived on ${node} did not survive its reload at ${clock(failed.start.ts)} and left the address behind`,
          events: [failed.start, failed.failure],
          ts: Math.min(failed.failure.ts, start),
          look: [`keepalived -t and journalctl -u keepalived on ${node}`],
        }),
      ),
  );

const zombieVip: Finder<Scene> = ({ claims, facts, start, to }) => [
  ...facts.flatMap(({ node, gone, divergences }): Cause[] => {
    const held = (since: number): boolean =>
      claims.some((claim) => claim.node === node && claim.start <= since && (claim.end ?? to) > Math.max(since, start));
    const left = gone.find((span) => within(span, start, to) && held(span.from));
    const told = divergences.filter((span) => span.code === "zombie-vip" && within(span, start, to));
    if (!left && told.length === 0) return [];
    const since = left?.from ?? Math.min(...told.map(({ from }) => from));
    return [
      {
        code: "zombie-vip",
        text: left
          ? `keepalived on ${node} ended at ${clock(since)} without being told to, and the address stayed`
          : stillHolds(node),
        events: [...(left?.events ?? []), ...told.flatMap(({ events }) => events)],
        ts: since,
        look: lookAtZombie(node),
      },
    ];
  }),
  ...claims
    .filter(({ zombieFrom }) => zombieFrom !== null && zombieFrom < to)
    .map(
      ({ node, zombieFrom, events }): Cause => ({
        code: "zombie-vip",
        text: stillHolds(node),
        events,
        ts: zombieFrom ?? start,
        look: lookAtZombie(node),
      }),
    ),
];

const stillHolds = (node: string): string => `${node} still holds the address although its keepalived is not master`;
const lookAtZombie = (node: string): string[] => [
  `ip address show and pgrep -a keepalived on ${node}; remove the address or start keepalived`,
];

const frozen: Finder<Scene> = ({ facts, from, to }) =>
  facts.flatMap(({ node, frozen: spans }): Cause[] => {
    const [first, ...more] = spans.filter((span) => within(span, from, to));
    if (!first) return [];
    return [
      {
        code: "frozen",
        text: `the VRRP process on ${node} does not run since ${clock(first.from)} (stopped, or waiting for a disk): it keeps the address, and hears and says nothing`,
        events: [first, ...more].flatMap(({ events }) => events),
        ts: first.from,
        look: [`ps -o pid,stat,wchan:20,args -C keepalived on ${node} (T: stopped, D: waits for a disk)`],
      },
    ];
  });

const schedulerStall: Finder<Scene> = ({ facts, view, start }) =>
  facts.flatMap(({ node, stalls }) =>
    stalls
      .filter(
        ({ ts, lateUs, tsUncertaintyUs }) =>
          lateUs >= view.router.advertIntervalUs &&
          ts - lateUs <= start + view.router.masterDownUs &&
          ts + tsUncertaintyUs >= start - view.router.masterDownUs,
      )
      .slice(0, 1)
      .map(
        (event): Cause => ({
          code: "scheduler-stall",
          text: `keepalived on ${node} did not run for ${duration(event.lateUs)} until ${clock(event.ts)} (no CPU, or the whole machine stood still)`,
          events: [event],
          ts: event.ts - event.lateUs,
          look: [`the load, steal time and snapshots of ${node} at that time; vrrp_rt_priority in its keepalived.conf`],
        }),
      ),
  );

const equalPriority: Finder<Scene> = ({ facts, from, to, start }) => {
  const own = refusalsOf(facts, from, to).filter(({ reason }) => reason === "own-address");
  const configs = facts.flatMap((one) => runningConfig(one, start)?.instance ?? []);
  const [first] = configs;
  const isSame =
    configs.length > 1 &&
    first?.sourceAddress !== undefined &&
    configs.every(
      ({ priority, sourceAddress }) => priority === first.priority && sourceAddress === first.sourceAddress,
    );
  if (own.length === 0 && !isSame) return [];
  const priority = first && configs.every((one) => one.priority === first.priority) ? ` (${first.priority})` : "";
  const source = isSame ? ` ${first.sourceAddress}` : "";
  return [
    {
      code: "equal-priority",
      text: `${listed(facts.map(({ node }) => node))} send with the same priority${priority} from the same source address${source}, so neither gives way`,
      events: own.map(({ event }) => event),
      ts: own[0]?.event.ts ?? start,
      look: lookAtBoth("priority, mcast_src_ip and unicast_src_ip", facts, start),
    },
  ];
};

/** A stranger's adverts explain something only where they are refused, or nothing better does. */
const vridClash: Finder<Scene> = (scene) => {
  const refused = refusalsOf(scene.facts, scene.from, scene.to);
  if (refused.length === 0) return [];
  const known = refused.filter(({ peer }) => peer !== undefined);
  const isTheirs = known.length > 0 ? known.every((refusal) => isOfStranger(refusal, scene.view)) : true;
  return isTheirs
    ? strangers(
        scene,
        refused.map(({ event }) => event),
      )
    : [];
};

const vridShared: Finder<Scene> = (scene) => strangers(scene, []);

function strangers({ facts, view, from, to, start }: Scene, refusals: readonly Event[]): Cause[] {
  const spans = facts.flatMap(({ foreign }) => foreign.filter((span) => within(span, from, to)));
  const [first] = [...spans].sort((a, b) => a.from - b.from || (a.peer < b.peer ? -1 : 1));
  if (!first) return [];
  const peers = [...new Set(spans.map(({ peer }) => peer))].sort();
  const hearers = [...new Set(spans.flatMap(({ events }) => events.map(({ node }) => node)))].sort();
  const vrid = view.router.vrid ?? 0;
  return [
    {
      code: "vrid-clash",
      text: `${listed(peers)} ${peers.length > 1 ? "send" : "sends"} adverts of VRID ${vrid} for other addresses (${first.vips.slice(0, 3).join(", ")}): another cluster on this network uses the same VRID`,
      events: [...spans.flatMap(({ events }) => events), ...refusals],
      ts: Math.max(first.from, from),
      look: [
        `tcpdump -eni ${first.interface} 'ip proto 112 and src ${first.peer}' on ${listed(hearers)}`,
        `a virtual_router_id that nobody else uses, at ${facts
          .filter(({ view: { real } }) => real)
          .map((one) => placeOf(one, start))
          .join(" and ")}`,
      ],
    },
  ];
}

/** A peer that is not in a unicast list never hears its owner. Told only where all addresses it may have are known. */
const unicastPeerMissing: Finder<Scene> = ({ facts, view, start }) => {
  const pairs = facts.flatMap((sender) =>
    facts.filter((other) => other !== sender).map((other) => [sender, other] as const),
  );
  return pairs.flatMap(([sender, other]): Cause[] => {
    const [mine, theirs] = [runningConfig(sender, start), runningConfig(other, start)];
    if (!mine || !theirs || mine.instance.unicastPeers.length === 0 || theirs.instance.unicastPeers.length === 0)
      return [];
    const source = theirs.instance.sourceAddress;
    const lists = mine.instance.unicastPeers.some((peer) => peer === source || view.nodeOfAddress(peer) === other.node);
    if (lists || (source === undefined && !other.hasAddresses)) return [];
    return [
      {
        code: "unicast-peer-missing",
        text: `${sender.node} does not have ${other.node} in its unicast_peer list, so ${other.node} hears nothing of it`,
        events: [mine.event, theirs.event],
        ts: start,
        look: [`unicast_peer in the vrrp_instance at ${placeOf(sender, start)}: ${source ?? other.node} is missing`],
      },
    ];
  });
};

/** Settings that differ and that no release forgives, whether or not a line tells of it. */
const configsDiffer: Finder<Scene> = ({ facts, start }) => {
  const configs = facts.flatMap((one) => runningConfig(one, start) ?? []);
  const [first] = configs;
  if (!first || configs.length < 2) return [];
  const differs = (of: (instance: ConfiguredInstance) => unknown): boolean =>
    configs.some(({ instance }) => of(instance) !== of(first.instance));
  const reasons = [
    ...(differs(({ version }) => version) ? ["version"] : []),
    ...(differs(({ unicastPeers }) => unicastPeers.length > 0) ? ["cast"] : []),
    // A version 3 backup takes over the master's interval.
    ...(first.instance.version === 2 && differs(({ advertIntervalUs }) => advertIntervalUs) ? ["interval"] : []),
  ];
  return reasons.flatMap((reason): Cause[] => {
    const known = MISMATCHES[reason];
    if (!known) return [];
    return [
      {
        code: known.code,
        text: `${listed(facts.map(({ node }) => node))} do not take each other's adverts: ${known.what}`,
        events: configs.map(({ event }) => event),
        ts: start,
        look: lookAtBoth(known.keywords, facts, start),
      },
    ];
  });
};

const rejected: Finder<Scene> = ({ facts, view, from, to, start }) =>
  mismatchCauses(
    refusalsOf(facts, from, to).filter((refusal) => !isOfStranger(refusal, view)),
    facts,
    start,
  );

const lookAtSending = (node: string): string => `nft list ruleset (output), ip route and ip -s link on ${node}`;

const notSent: Finder<Scene> = ({ facts, from, to }) =>
  facts.flatMap(({ node, notSent: events }): Cause[] => {
    const here = events.filter(({ ts }) => ts >= from && ts <= to);
    const [first] = here;
    if (!first) return [];
    return [
      {
        code: "adverts-not-sent",
        text: `${node} cannot send its adverts${first.error === undefined ? "" : ` (${first.error})`}, so nobody hears it`,
        events: here,
        ts: first.ts,
        look: [lookAtSending(node)],
      },
    ];
  });

const linkDown: Finder<Scene> = ({ facts, from, to }) =>
  facts.flatMap(({ node, linkDown: spans }) =>
    spans
      .filter((span) => within(span, from, to))
      .slice(0, 1)
      .map(
        (span): Cause => ({
          code: "link-down",
          text: `${span.interface} of ${node} has had no link since ${clock(span.from)}, and ${node} stays master without it`,
          events: span.events,
          ts: span.from,
          look: [`ip -s link show ${span.interface} on ${node}; dont_track_primary in its keepalived.conf`],
        }),
      ),
  );

/** The most specific first. */
const SEEN: readonly Finder<Scene>[] = [
  failedReload,
  zombieVip,
  frozen,
  schedulerStall,
  equalPriority,
  vridClash,
  unicastPeerMissing,
  rejected,
  configsDiffer,
  notSent,
  linkDown,
];

// --- who hears whom ------------------------------------------------------------------------------------------------------

/** The old master's own capture shows that it had stopped sending before anybody took over. */
const silent: Finder<Scene> = ({ view, incumbents, claims, start, to }) =>
  view.nodes.flatMap((node): Cause[] => {
    if (!incumbents.includes(node.node) || !node.captures) return [];
    const marginUs = SILENT_BEFORE_INTERVALS * view.router.advertIntervalUs;
    const gone = node.events.findLast(
      (event) =>
        event.kind === "wire.master-gone" &&
        event.outgoing &&
        event.reason === "silent" &&
        event.vrid === view.router.vrid &&
        event.family === view.router.family &&
        event.ts <= start,
    );
    const resumed = node.events.some(
      (event) =>
        event.kind === "wire.master-seen" &&
        event.outgoing &&
        event.vrid === view.router.vrid &&
        gone !== undefined &&
        event.ts > gone.ts &&
        event.ts <= start,
    );
    const claim = claims.find((one) => one.node === node.node && one.start < start);
    if (!gone || !claim || resumed || gone.ts < claim.start || start - gone.ts < marginUs) return [];
    // Who still logs lives, until another is started in its place.
    const log = node.events.filter(({ source, ts }) => source === "log" && ts > gone.ts && ts <= to);
    const next = log.findIndex(({ kind }) => kind === "daemon.starting");
    const lives = log.slice(0, next < 0 ? log.length : next).some(({ kind }) => kind.startsWith("vrrp."));
    if (lives)
      return [
        {
          code: "adverts-not-sent",
          text: `no adverts leave ${node.node} after ${clock(gone.ts)} although its keepalived runs: something on the host drops what it sends`,
          events: [gone],
          ts: gone.ts,
          look: [lookAtSending(node.node)],
        },
      ];
    return [
      {
        code: "frozen",
        text: `${node.node} kept the address and sent no adverts after ${clock(gone.ts)}: its keepalived hangs or has died`,
        events: [gone],
        ts: gone.ts,
        look: [`ps -o pid,stat,wchan:20,args -C keepalived on ${node.node}`],
      },
    ];
  });

/** Who heard whom while both were master. */
const hearing: Finder<Scene> = (scene) => {
  const { view, facts, start, end, newcomers } = scene;
  const interval = view.router.advertIntervalUs;
  // What is heard at the very end is the end: the first advert that gets through makes one of them give way.
  const window = { from: start, to: end === null ? view.horizon : end - interval / 2 };
  const unread = facts.flatMap(({ node, unread: spans }) =>
    spans.filter((span) => within(span, scene.from, scene.to)).map((span) => ({ node, span })),
  );
  if (unread.length > 0) return [unreadCause(unread)];
  const nodes = facts.map((one) => one.view);
  const ears = earsOf(nodes, window, view);
  const isNew = ({ node }: { node: { node: string } }): number => Number(newcomers.includes(node.node));
  const deaf = ears
    .filter((ear) => ear.captured.length > 0 && !ear.logged && ear.hasLog)
    .sort((a, b) => isNew(b) - isNew(a));
  const socket = facts
    .flatMap(({ node, divergences }) =>
      divergences.filter(({ code }) => code === "socket-not-read").map((span) => ({ node, span })),
    )
    .filter(({ span }) => within(span, scene.from, scene.to));
  if (deaf.length > 0)
    return [
      deafCause(
        deaf.map(({ node }) => node.node),
        deaf.flatMap(({ events }) => events),
        socket,
        start,
      ),
    ];
  if (socket.length > 0) return [deafCause([...new Set(socket.map(({ node }) => node))].sort(), [], socket, start)];
  const hearers = ears.filter((ear) => ear.captured.length > 0 || ear.logged);
  const [one] = hearers;
  const [other] = ears.filter((ear) => !hearers.includes(ear));
  if (one && other)
    return [
      {
        code: "one-way",
        text: `the adverts of ${one.node.node} do not reach ${other.node.node}, while those of ${other.node.node} reach ${one.node.node}`,
        events: one.events,
        ts: start,
        look: [
          `the network from ${one.node.node} to ${other.node.node}: tcpdump -ni any 'ip proto 112' on both, and the switch between them`,
        ],
      },
    ];
  // Nothing is missing before an advert is due.
  if (window.to - window.from < interval) return [];
  if (ears.length < nodes.length || !ears.every(({ able }) => able) || hearers.length > 0) return [];
  const names = ears.map(({ node }) => node.node).sort();
  return [
    {
      code: "partition",
      text: `${listed(names)} do not hear each other's adverts, so the network between them is cut or filtered`,
      events: nodes.flatMap(({ heard }) =>
        heard.flatMap(({ span }) =>
          span.to && span.to.ts <= start && span.to.ts >= scene.from ? [span.to.event] : [],
        ),
      ),
      ts: start,
      look: [`the switches and links between ${listed(names)}; tcpdump -ni any 'ip proto 112' on each`],
    },
  ];
};

/** The kernel took the adverts in, and they lie in the daemon's own socket. */
function unreadCause(unread: readonly { readonly node: string; readonly span: Stretch }[]): Cause {
  const nodes = [...new Set(unread.map(({ node }) => node))].sort();
  return {
    code: "socket-not-read",
    text: `adverts reach ${listed(nodes)} and wait in the socket of its keepalived, which does not read them`,
    events: unread.flatMap(({ span }) => span.events),
    ts: Math.min(...unread.map(({ span }) => span.from)),
    look: nodes.map((node) => `cat /proc/net/raw (rx_queue of 0070) on ${node}; restart keepalived there`),
  };
}

/** Adverts reach the host and not its daemon: a firewall of the host. */
function deafCause(
  nodes: readonly string[],
  events: readonly Event[],
  socket: readonly { readonly span: Stretch }[],
  start: number,
): Cause {
  const told = [...events, ...socket.flatMap(({ span }) => span.events)];
  const names = listed(nodes);
  return {
    code: "filtered",
    text: `adverts reach ${names}, but keepalived there does not take note of them: something on the host filters them`,
    events: told,
    ts: start,
    look: nodes.map((node) => `nft list ruleset and iptables-save on ${node} (IP protocol 112 must be accepted)`),
  };
}

const INFERRED: readonly Finder<Scene>[] = [silent, hearing, vridShared];
