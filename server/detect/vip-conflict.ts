import { isKind, type Event } from "../../collector/events/event.ts";
import type { Claim, NodeInput } from "./claims.ts";
import { evidenceList, lasting, listed } from "./describe.ts";
import { type ClusterView, type Detector, endOf, type RouterView } from "./detector.ts";
import type { Span } from "./evidence.ts";
import type { Certainty, IncidentDraft } from "./incident.ts";
import { ANNOUNCED_FOR_US, ANNOUNCEMENT_SLACK_US, OVERLAP_INTERVALS, SAME_EDGE_SLACK_US } from "./options.ts";
import { firstAtOrAfter } from "./order.ts";

/**
 * A virtual address is at two places: claimed under two VRIDs, on a host that takes no part in its virtual router, or announced
 * from a hardware address that is not its master's. Two masters of one router are split-brain's to tell. The rules are in README.md.
 */
export const vipConflict: Detector = { kind: "vip-conflict", scope: "cluster", detect };

type Garp = Extract<Event, { kind: "wire.garp" }>;

/** Each virtual address and the routers that have it. */
type Holders = ReadonlyMap<string, readonly RouterView[]>;

interface Conflict {
  readonly vip: string;
  readonly router: RouterView;
  readonly nodes: readonly string[];
  /** Who has the address beside its master, where it is no node of ours: a MAC address. */
  readonly component?: string;
  readonly certainty: Certainty;
  readonly start: number;
  readonly end: number | null;
  readonly code: string;
  readonly text: string;
  readonly events: readonly Event[];
}

function detect(view: ClusterView): IncidentDraft[] {
  const holders = holdersOf(view.routers);
  const conflicts = [
    ...underTwoVrids(holders, view),
    ...onOutsiders(holders, view),
    ...announcedElsewhere(holders, view),
  ];
  return joinAddresses(conflicts).map((group) => toDraft(group, view));
}

function holdersOf(routers: readonly RouterView[]): Holders {
  const holders = new Map<string, RouterView[]>();
  for (const view of routers)
    for (const vip of view.router.vips) {
      const known = holders.get(vip);
      if (known) known.push(view);
      else holders.set(vip, [view]);
    }
  return holders;
}

const claimsOf = ({ nodes }: RouterView): readonly Claim[] => nodes.flatMap(({ claims }) => claims);
const latest = (claim: Claim): number =>
  claim.end === null ? Number.MAX_SAFE_INTEGER : claim.end + claim.endUncertaintyUs;

// --- two VRIDs -------------------------------------------------------------------------------------------------------------

function underTwoVrids(holders: Holders, view: ClusterView): Conflict[] {
  return [...holders].flatMap(([vip, routers]) =>
    routers.flatMap((a, i) =>
      routers.slice(i + 1).flatMap((b) => {
        const [p, q] = [a.router.vrid, b.router.vrid];
        return p === null || q === null || p === q ? [] : overlapsOf(vip, a, b, view);
      }),
    ),
  );
}

/** Masters of both at once, for longer than a takeover can explain: as split-brain counts it. */
function overlapsOf(vip: string, a: RouterView, b: RouterView, view: ClusterView): Conflict[] {
  const toleranceUs = OVERLAP_INTERVALS * Math.max(a.router.advertIntervalUs, b.router.advertIntervalUs);
  const others = [...claimsOf(b)].sort((x, y) => x.start - y.start);
  return claimsOf(a).flatMap((mine) =>
    others.flatMap((theirs): Conflict[] => {
      if (theirs.node === mine.node) return [];
      const start = Math.max(mine.start, theirs.start);
      const surelyFrom = Math.max(mine.start + mine.startUncertaintyUs, theirs.start + theirs.startUncertaintyUs);
      if (Math.min(mine.certainTo, theirs.certainTo) - surelyFrom <= toleranceUs) return [];
      const end = Math.min(endOf(mine), endOf(theirs));
      const nodes = [mine.node, theirs.node].sort();
      const heard = nodes.flatMap((node) => heardThere(node, nodes, vip, start, end, view));
      return [
        {
          vip,
          router: a,
          nodes,
          certainty: heard.length > 0 ? "confirmed" : "suspected",
          start,
          end: end === Number.MAX_SAFE_INTEGER ? null : end,
          code: "two-vrids",
          text: `${mine.node} has it under VRID ${a.router.vrid}, ${theirs.node} under VRID ${b.router.vrid}: neither takes the other's adverts for its own`,
          events: [...mine.events, ...theirs.events, ...heard],
        },
      ];
    }),
  );
}

/** What a node has heard of others with the address in that time: they are in one segment. */
function heardThere(
  node: string,
  nodes: readonly string[],
  vip: string,
  from: number,
  to: number,
  view: ClusterView,
): Event[] {
  const input = view.inputs.find((one) => one.node === node);
  return (input?.evidence.wire ?? [])
    .filter(
      ({ outgoing, vips, from: begin, to: over, peer }) =>
        !outgoing &&
        vips.includes(vip) &&
        begin.ts < to &&
        (over?.ts ?? Number.MAX_SAFE_INTEGER) > from &&
        view.routers.some((router) => {
          const sender = router.nodeOfAddress(peer);
          return sender !== node && nodes.includes(sender);
        }),
    )
    .map(({ from: begin }) => begin.event);
}

// --- outsiders -------------------------------------------------------------------------------------------------------------

/** On a node of ours that has no instance with the address. Real servers behind LVS have it on their loopback, and may. */
function onOutsiders(holders: Holders, view: ClusterView): Conflict[] {
  return view.inputs.flatMap((input) =>
    [...input.evidence.addresses].flatMap(([vip, spans]) => {
      const routers = holders.get(vip) ?? [];
      const [router] = routers;
      if (!router || routers.some((one) => one.router.instances.some(({ node }) => node === input.node))) return [];
      return spans.flatMap((span) => onOutsider(vip, span, input, routers, router));
    }),
  );
}

function onOutsider(
  vip: string,
  span: Span,
  input: NodeInput,
  routers: readonly RouterView[],
  router: RouterView,
): Conflict[] {
  const nic = interfaceOf(span.from.event, vip);
  const end = span.to?.ts ?? Number.MAX_SAFE_INTEGER;
  if (nic === undefined || /^(?:lo|dummy)\d*$/.test(nic)) return [];
  const masters = routers
    .flatMap(claimsOf)
    .filter(
      (claim) =>
        Math.min(end, claim.certainTo, input.watchedTo) - Math.max(span.from.ts, claim.start) > SAME_EDGE_SLACK_US,
    );
  const [first] = masters;
  if (!first) return [];
  const heard = input.evidence.wire.filter(({ outgoing, vips }) => !outgoing && vips.includes(vip));
  const start = Math.max(span.from.ts, Math.min(...masters.map((claim) => claim.start)));
  const over = Math.min(end, Math.max(...masters.map(endOf)));
  return [
    {
      vip,
      router,
      nodes: [...new Set([input.node, ...masters.map(({ node }) => node)])].sort(),
      component: input.node,
      certainty: heard.length > 0 ? "confirmed" : "suspected",
      start,
      end: over === Number.MAX_SAFE_INTEGER ? null : over,
      code: "on-outsider",
      text: `${input.node} has it on ${nic}, and no vrrp_instance with it`,
      events: [
        span.from.event,
        ...(span.to ? [span.to.event] : []),
        ...masters.flatMap(({ events }) => events),
        ...heard.slice(0, 1).map(({ from }) => from.event),
      ],
    },
  ];
}

function interfaceOf(event: Event, vip: string): string | undefined {
  if (event.kind === "kernel.address-added") return event.interface;
  if (event.kind === "kernel.addresses") return event.addresses.find(({ address }) => address === vip)?.interface;
  return undefined;
}

// --- announcements ---------------------------------------------------------------------------------------------------------

/** Of one address, the announcements that came from where they should, and those that did not; in order of time. */
interface Announced {
  readonly right: Garp[];
  readonly wrong: Map<string, { readonly conflict: Omit<Conflict, "end" | "start">; readonly events: Garp[] }>;
}

/** Hardware addresses that virtual routers share, with their VRID in the last byte: RFC 9568 section 7.3. */
const VIRTUAL_MAC = /^00:00:5e:00:0[12]:(?<vrid>[0-9a-f]{2})$/;

function announcedElsewhere(holders: Holders, view: ClusterView): Conflict[] {
  const garps = view.inputs.flatMap(({ events }) => events.filter((event) => isKind(event, "wire.garp")));
  if (garps.length === 0) return [];
  const macs = macsOf(garps);
  const announced = new Map<string, Announced>();
  for (const garp of garps.sort((a, b) => a.ts - b.ts || (a.id < b.id ? -1 : 1))) {
    const routers = holders.get(garp.address);
    if (!routers) continue;
    const of: Announced = announced.get(garp.address) ?? { right: [], wrong: new Map() };
    announced.set(garp.address, of);
    const conflict = garp.outgoing ? undefined : judge(garp, routers, macs, view);
    if (conflict === undefined) of.right.push(garp);
    else if (conflict !== "unknown") {
      const key = `${conflict.component} ${conflict.nodes.join()}`;
      const known = of.wrong.get(key) ?? { conflict, events: [] };
      of.wrong.set(key, known);
      known.events.push(garp);
    }
  }
  return [...announced.values()].flatMap(({ right, wrong }) =>
    [...wrong.values()].flatMap(({ conflict, events }) =>
      sightingsOf(events, right, view.horizon).map((sighting) => ({
        ...conflict,
        ...sighting,
        events: [...conflict.events, ...sighting.events],
      })),
    ),
  );
}

/** What each node sends from, by its own capture. */
function macsOf(garps: readonly Garp[]): ReadonlyMap<string, ReadonlySet<string>> {
  const macs = new Map<string, Set<string>>();
  for (const { outgoing, mac, node } of garps) if (outgoing) macs.set(mac, (macs.get(mac) ?? new Set()).add(node));
  return macs;
}

/** @returns undefined: as it should be */
function judge(
  garp: Garp,
  routers: readonly RouterView[],
  macs: ReadonlyMap<string, ReadonlySet<string>>,
  view: ClusterView,
): Omit<Conflict, "end" | "start"> | "unknown" | undefined {
  const { mac, address: vip, ts } = garp;
  const router = routers[0] as RouterView;
  const hex = VIRTUAL_MAC.exec(mac)?.groups?.["vrid"];
  const vrid = hex === undefined ? undefined : Number.parseInt(hex, 16);
  if (vrid !== undefined && routers.some((one) => one.router.vrid === vrid || one.router.vrid === null))
    return undefined;
  const around = routers
    .flatMap(claimsOf)
    .filter((claim) => claim.start - ANNOUNCEMENT_SLACK_US <= ts && ts <= latest(claim) + ANNOUNCEMENT_SLACK_US);
  const masters = [...new Set(around.map(({ node }) => node))].sort();
  const watched = (node: string): boolean =>
    (view.inputs.find((one) => one.node === node)?.watchedTo ?? 0) >= ts + ANNOUNCEMENT_SLACK_US;
  const base = { vip, router, certainty: "confirmed" as const, events: around.flatMap(({ events }) => events) };
  if (vrid !== undefined)
    return {
      ...base,
      nodes: masters,
      component: mac,
      code: "foreign-vrid",
      text: `it is announced from ${mac}, the hardware address of VRID ${vrid}, which none of its routers has`,
    };
  const owners = macs.get(mac);
  if (owners) {
    if (masters.some((node) => owners.has(node))) return undefined;
    const idle = [...owners].sort();
    // Whose collector was not there may have been master.
    if (masters.length === 0 || !idle.every(watched)) return "unknown";
    return {
      ...base,
      nodes: [...new Set([...idle, ...masters])].sort(),
      component: idle.join(),
      code: "announced-without-mastership",
      text: `${listed(idle)} announces it without being master`,
    };
  }
  // A master that never was seen to announce anything may be the one; so may a node without a collector.
  const sends = (node: string): boolean => [...macs.values()].some((nodes) => nodes.has(node));
  if (masters.length === 0 || !masters.every((node) => sends(node) && watched(node))) return "unknown";
  return {
    ...base,
    nodes: masters,
    component: mac,
    code: "foreign-mac",
    text: `it is announced from ${mac}, which no node of this cluster sends from`,
  };
}

/** It lasts until somebody announces it rightly, or for as long as a neighbour may believe it. */
function sightingsOf(
  wrong: readonly Garp[],
  right: readonly Garp[],
  horizon: number,
): { readonly start: number; readonly end: number | null; readonly events: readonly Event[] }[] {
  return wrong.map((garp) => {
    const correction = right[firstAtOrAfter(right, garp.ts + 1)];
    const end = Math.min(garp.ts + ANNOUNCED_FOR_US, correction?.ts ?? Number.MAX_SAFE_INTEGER);
    return {
      start: garp.ts,
      end: end > horizon ? null : end,
      events: correction?.ts === end ? [garp, correction] : [garp],
    };
  });
}

// --- incidents -------------------------------------------------------------------------------------------------------------

/**
 * Several addresses of one router at the same wrong place at one time are one conflict; so is one that comes and goes, one that
 * another node takes over, and an outsider that also announces what it has.
 */
function joinAddresses(conflicts: readonly Conflict[]): Conflict[][] {
  const groups = new Map<string, Conflict[][]>();
  const rest = ({ vip, code, nodes }: Conflict): string => [vip, code, ...nodes].join("\0");
  const order = (a: Conflict, b: Conflict): number => a.start - b.start || (rest(a) < rest(b) ? -1 : 1);
  for (const conflict of [...conflicts].sort(order)) {
    const key = [conflict.router.router.id, conflict.component].join("\0");
    const known = groups.get(key) ?? [];
    groups.set(key, known);
    const last = known.at(-1);
    if (last?.some(({ end }) => end === null || end + SAME_EDGE_SLACK_US >= conflict.start)) last.push(conflict);
    else known.push([conflict]);
  }
  return [...groups.values()].flat();
}

function toDraft(group: readonly Conflict[], view: ClusterView): IncidentDraft {
  const first = group[0] as Conflict;
  const ends = group.map(({ end }) => end);
  const end = ends.some((one) => one === null) ? null : Math.max(...ends.map((one) => one ?? 0));
  const certainty = group.some((one) => one.certainty === "confirmed") ? "confirmed" : "suspected";
  const vips = [...new Set(group.map(({ vip }) => vip))].sort();
  const nodes = [...new Set(group.flatMap((one) => one.nodes))].sort();
  const subject = { router: first.router.router.id, nodes };
  return {
    kind: "vip-conflict",
    certainty,
    severity: certainty === "confirmed" ? "critical" : "warning",
    cluster: view.cluster,
    subject: first.component === undefined ? subject : { ...subject, component: first.component },
    start: first.start,
    end,
    cause: { code: first.code, text: first.text },
    summary: `${listed(vips)} ${end === null ? "is" : "was"} ${certainty === "suspected" ? "possibly " : ""}at two places ${lasting(first.start, end)}: ${first.text}.`,
    evidence: evidenceList(group.flatMap(({ events }) => events)),
  };
}
