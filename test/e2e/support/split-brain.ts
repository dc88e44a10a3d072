import { eventId } from "../../../collector/events/id.ts";
import type {
  AdvertBucket,
  AdvertTick,
  Bar,
  BarState,
  Delivery,
  Event,
  Incident,
  IncidentContext,
  Lane,
  Marker,
  NodeSummary,
  RouterSummary,
  ServiceLane,
  SourceStatus,
} from "../../../server/api/types.ts";

/** What the API says of the lab's pair: lb1 loses its link for 8 s, and two minutes later adverts are cut for 8 s. */

const S = 1_000_000;
/** 2026-11-24T10:53:00Z */
export const BASE = 1_795_517_580_000_000;
export const at = (seconds: number): number => BASE + Math.round(seconds * S);
/** When the page is looked at. */
export const NOW = at(180);
/** Text of a log line that would do harm if a page took it for anything but text. */
export const HOSTILE = `(VI_1) <img src="x" onerror="alert(1)"><script>alert(2)</script> \u202Ekcart`;

const VIP = "10.99.0.100";
const PEER = { lb1: "10.99.0.11", lb2: "10.99.0.12" } as const;
const PRIORITY = { lb1: 150, lb2: 100 } as const;
type Node = keyof typeof PEER;

const events: Event[] = [];
const lines: Record<Node, number> = { lb1: 11, lb2: 9 };

const common = (node: Node, source: Event["source"], seconds: number, tsUncertaintyUs: number) => ({
  id: eventId(node, source, events.length),
  cluster: "default",
  node,
  source,
  ts: at(seconds),
  tsUncertaintyUs,
  observedTs: at(seconds) + 900,
});

/** A line of the classic syslog format, whose seconds are cut. */
function said(
  node: Node,
  second: number,
  state: "MASTER" | "BACKUP" | "FAULT",
  text = `Entering ${state} STATE`,
): Event {
  lines[node] += 3;
  const clock = new Date(at(second) / 1000).toISOString().slice(11, 19);
  const event: Event = {
    ...common(node, "log", second, S),
    kind: "vrrp.state",
    instance: "VI_1",
    state,
    pid: 15,
    at: `/var/log/messages:${lines[node]}`,
    raw: `Nov 24 ${clock} ${node} Keepalived_vrrp[15]: (VI_1) ${text}`,
  };
  events.push(event);
  return event;
}

function onTheWire(node: Node, second: number, isSeen: boolean): Event {
  const sender = {
    interface: "eth0",
    family: "ipv4" as const,
    vrid: 51,
    peer: PEER[node],
    outgoing: true,
    priority: PRIORITY[node],
    vips: [VIP],
    advertIntervalUs: S,
  };
  const event: Event = isSeen
    ? { ...common(node, "wire", second, 50), kind: "wire.master-seen", ...sender }
    : {
        ...common(node, "wire", second, 50),
        kind: "wire.master-gone",
        ...sender,
        reason: "silent",
        lastAdvertTs: at(second),
      };
  events.push(event);
  return event;
}

function inTheKernel(node: Node, second: number, isAdded: boolean): Event {
  const event: Event = {
    ...common(node, "kernel", second, 500),
    kind: isAdded ? "kernel.address-added" : "kernel.address-removed",
    interface: "eth0",
    address: VIP,
    prefixLength: 24,
  };
  events.push(event);
  return event;
}

/** A bar from the event that opened it to the one that closed it. */
const bar = (state: BarState, open: Event, close: Event | null): Bar => ({
  source: open.source,
  state,
  from: open.ts,
  fromUncertaintyUs: open.tsUncertaintyUs,
  to: close?.ts ?? null,
  toUncertaintyUs: close?.tsUncertaintyUs ?? 0,
  eventIds: close ? [open.id, close.id] : [open.id],
});

const log1 = {
  master: said("lb1", 26, "MASTER"),
  fault: said("lb1", 51, "FAULT"),
  backup: said("lb1", 59, "BACKUP"),
  again: said("lb1", 62, "MASTER"),
};
const log2 = {
  backup: said("lb2", 24, "BACKUP"),
  master: said("lb2", 54, "MASTER"),
  yielded: said("lb2", 62, "BACKUP", "Master received advert from 10.99.0.11 with higher priority 150, ours 100"),
  split: said("lb2", 133, "MASTER", HOSTILE),
  healed: said("lb2", 142, "BACKUP", "Master received advert from 10.99.0.11 with higher priority 150, ours 100"),
};
const wire1 = {
  seen: onTheWire("lb1", 26.43, true),
  gone: onTheWire("lb1", 50.91, false),
  again: onTheWire("lb1", 62.61, true),
};
const wire2 = {
  seen: onTheWire("lb2", 54.52, true),
  gone: onTheWire("lb2", 61.53, false),
  split: onTheWire("lb2", 134.109_312, true),
  healed: onTheWire("lb2", 142.113_508, false),
};
const kernel1 = {
  added: inTheKernel("lb1", 26.431, true),
  removed: inTheKernel("lb1", 51.02, false),
  again: inTheKernel("lb1", 62.612, true),
};

export const lanes: readonly Lane[] = [
  {
    node: "lb1",
    instance: "VI_1",
    watchedTo: NOW,
    bars: [
      bar("MASTER", log1.master, log1.fault),
      bar("FAULT", log1.fault, log1.backup),
      bar("BACKUP", log1.backup, log1.again),
      bar("MASTER", log1.again, null),
      bar("MASTER", wire1.seen, wire1.gone),
      bar("MASTER", wire1.again, null),
      bar("MASTER", kernel1.added, kernel1.removed),
      bar("MASTER", kernel1.again, null),
    ],
  },
  {
    node: "lb2",
    instance: "VI_1",
    watchedTo: NOW,
    bars: [
      bar("BACKUP", log2.backup, log2.master),
      bar("MASTER", log2.master, log2.yielded),
      bar("BACKUP", log2.yielded, log2.split),
      bar("MASTER", log2.split, log2.healed),
      bar("BACKUP", log2.healed, null),
      bar("MASTER", wire2.seen, wire2.gone),
      bar("MASTER", wire2.split, wire2.healed),
    ],
  },
];

const proof = (event: Event, text: string) => ({
  eventId: event.id,
  node: event.node,
  source: event.source,
  ts: event.ts,
  ...(event.at === undefined ? {} : { line: event.at }),
  text: event.raw ?? text,
});

export const splitBrain: Incident = {
  id: eventId("the split-brain"),
  revision: 3,
  status: "resolved",
  kind: "split-brain",
  certainty: "confirmed",
  severity: "critical",
  cluster: "default",
  subject: { router: "default/ipv4/51", nodes: ["lb1", "lb2"] },
  start: at(134.109_312),
  end: at(142.113_508),
  cause: {
    code: "adverts-filtered",
    text: "neither hears the other's adverts, so the network between them is cut or filtered",
  },
  summary:
    "lb1 and lb2 were both master of 10.99.0.100 (VI_1) for 8.0 s from 2026-11-24 10:55:14 UTC: neither hears the other's adverts, so the network between them is cut or filtered.",
  evidence: [
    proof(log1.again, ""),
    proof(wire1.again, "sends adverts of VRID 51 with priority 150 from 10.99.0.11"),
    proof(log2.split, ""),
    proof(wire2.split, "sends adverts of VRID 51 with priority 100 from 10.99.0.12"),
    proof(wire2.healed, "last advert of VRID 51 from 10.99.0.12 (silent)"),
    proof(log2.healed, ""),
  ],
};

export const delivery: Delivery = {
  id: eventId("the delivery"),
  incidentId: splitBrain.id,
  revision: 1,
  event: "opened",
  receiver: "webhook",
  target: "https://oncall.example/hooks/keepwatch",
  status: "failed",
  attempts: 4,
  createdTs: at(136),
  nextAttemptTs: at(200),
  lastError: "the receiver answered 502",
};

const adverts: Event[] = [];
/** Raw adverts around the split-brain: each node captures its own, as the other's are filtered. */
for (const node of ["lb1", "lb2"] as const)
  for (let second = 126; second < 150; second += 1) {
    if (node === "lb2" && (second < 134 || second > 142)) continue;
    adverts.push({
      ...common(node, "wire", second + (node === "lb1" ? 0.61 : 0.109_312), 50),
      id: eventId(node, "advert", second),
      kind: "wire.advert",
      interface: "eth0",
      family: "ipv4",
      vrid: 51,
      peer: PEER[node],
      outgoing: true,
      priority: PRIORITY[node],
      vips: [VIP],
      advertIntervalUs: S,
      destination: "224.0.0.18",
      version: 2,
      ttl: 255,
      authType: "pass",
      checksum: "ok",
    });
  }

/** lb1 hears itself all the while; lb2 hears lb1 but for the two interruptions. */
const buckets: AdvertBucket[] = [];
for (let second = 27; second < 180; second += 1) {
  const gap = (from: number, to: number): boolean => second > from && second < to;
  if (!gap(50, 63))
    buckets.push({
      node: "lb1",
      sender: PEER.lb1,
      ts: at(second),
      count: 1,
      maxGapUs: second === 63 ? 12 * S : S + (second % 5) * 900,
    });
  if (!gap(50, 63) && !gap(130, 143))
    buckets.push({
      node: "lb2",
      sender: PEER.lb1,
      ts: at(second),
      count: 1,
      maxGapUs: second === 63 || second === 143 ? 12 * S : S + (second % 7) * 1100,
    });
  if (gap(54, 62) || gap(134, 143))
    buckets.push({ node: "lb2", sender: PEER.lb2, ts: at(second), count: 1, maxGapUs: S + (second % 3) * 700 });
}

export const router: RouterSummary = {
  id: "default/ipv4/51",
  cluster: "default",
  family: "ipv4",
  vrid: 51,
  vips: [VIP],
  instances: (["lb1", "lb2"] as const).map((node) => ({
    node,
    name: "VI_1",
    interface: "eth0",
    priority: PRIORITY[node],
  })),
  masters: ["lb1"],
  since: log1.again.ts,
  before: { node: "lb2", until: wire2.healed.ts, ended: "outranked" },
  redundancy: "ready",
  members: [
    { node: "lb1", state: "MASTER", since: log1.again.ts, able: true, why: null },
    { node: "lb2", state: "BACKUP", since: log2.healed.ts, able: true, why: null },
  ],
  openIncidents: [],
  firstEventTs: at(24),
  lastEventTs: NOW,
};

const source = (name: string, detail: string, read: number): SourceStatus => ({
  name,
  detail,
  state: "running",
  read,
  unrecognised: name === "file tail" ? 1 : 0,
});

const collector = { version: "0.1.0", startedTs: at(0), stoppedTs: null, timeZone: "Asia/Shanghai" };

export const nodes: readonly NodeSummary[] = [
  {
    cluster: "default",
    node: "lb1",
    lastSeenTs: NOW,
    ...collector,
    clock: { offsetUs: 412, boundUs: 380, reference: null, ts: at(150) },
    sources: [
      source("file tail", "/var/log/messages", 61),
      source("capture", "eth0", 149),
      source("addresses", "all interfaces", 3),
      source("config", "/etc/keepalived/keepalived.conf", 1),
    ],
  },
  {
    cluster: "default",
    node: "lb2",
    lastSeenTs: NOW,
    ...collector,
    clock: { offsetUs: -1_204_000, boundUs: 900, reference: null, ts: at(150) },
    sources: [
      source("file tail", "/var/log/messages", 58),
      source("capture", "eth0", 131),
      {
        name: "addresses",
        detail: "all interfaces",
        state: "unavailable",
        reason: "ip is not installed: install iproute2",
        read: 0,
        unrecognised: 0,
      },
    ],
  },
];

/** Both nodes' words around the split-brain, and that keepalived was reloaded on lb1 before it. */
export const context: IncidentContext = {
  nodes: ["lb1", "lb2"],
  windows: [{ from: splitBrain.start - 60 * S, to: (splitBrain.end ?? NOW) + 60 * S }],
  events: events
    .filter(({ ts }) => ts > splitBrain.start - 60 * S)
    .sort((a, b) => a.ts - b.ts)
    .map((event) => ({ ...proof(event, `${event.kind} on ${event.node}`), kind: event.kind, at: event.ts })),
  changes: [
    {
      eventId: eventId("lb1", "reload"),
      node: "lb1",
      source: "log",
      ts: at(90),
      line: "/var/log/messages:30",
      text: "Nov 24 10:54:30 lb1 Keepalived[14]: Reloading ...",
      kind: "daemon.reloading",
      at: at(90),
    },
  ],
  truncated: false,
};

const ticks: AdvertTick[] = adverts.flatMap((event) =>
  event.kind === "wire.advert"
    ? [{ node: event.node, sender: event.peer, ts: event.ts, priority: event.priority, outgoing: event.outgoing }]
    : [],
);
const markers: readonly Marker[] = [
  { node: "lb1", mark: "reload", ts: at(90), eventId: log1.again.id, text: "Keepalived[14]: Reloading ..." },
];

export const recorded = {
  ticks,
  markers,
  context,
  router,
  nodes,
  lanes,
  services: [],
  servicesNow: [],
  incidents: [splitBrain],
  events,
  adverts,
  buckets,
  deliveries: [delivery],
};

const WEB1 = "[10.99.0.21]:80";
const VIRTUAL_SERVER = `[${VIP}]:80`;

/** A page changed: the collector's check of a real server says so, and it is taken out. */
export const checkEvents: readonly Event[] = [
  {
    ...common("lb1", "check", 60, 0),
    id: eventId("lb1", "check", 60),
    kind: "check.result",
    checker: "HTTP",
    outcome: "down",
    service: WEB1,
    virtualServer: VIRTUAL_SERVER,
    reason: "digest",
  },
  {
    ...common("lb1", "check", 60, 0),
    id: eventId("lb1", "down", 60),
    kind: "check.server-down",
    virtualServer: VIRTUAL_SERVER,
    realServer: WEB1,
    action: "removed",
  },
];

export const servicesOfBackend: readonly ServiceLane[] = [
  {
    virtualServer: VIRTUAL_SERVER,
    realServer: WEB1,
    rows: [
      {
        node: "lb1",
        source: "check",
        watchedTo: at(180),
        bars: [
          {
            source: "check",
            state: "DOWN",
            from: at(60),
            fromUncertaintyUs: 0,
            to: at(66),
            toUncertaintyUs: 0,
            eventIds: checkEvents.map(({ id }) => id),
          },
        ],
      },
    ],
  },
];

export const scriptFailed: Event = {
  ...common("lb1", "log", 49, S),
  id: eventId("lb1", "script", 49),
  kind: "script.result",
  script: "chk_nginx",
  outcome: "failure",
  raw: "Script `chk_nginx` now returning 1",
};
