import { type MonoUs, US_PER_SECOND } from "../core/time.ts";
import type { Daemon, DivergenceCode } from "../events/vocabulary.ts";
import type { Observed, ObservedProcess, Seen, Sight, Subject, Witness } from "./observed.ts";

/** One way in which what is differs from what should be. It is a divergence when it lasts. */
export interface Difference {
  readonly code: DivergenceCode;
  readonly instance?: string;
  readonly daemon?: Daemon;
  readonly virtualServer?: string;
  readonly realServer?: string;
  readonly expected: string;
  readonly observed: string;
  readonly message: string;
  readonly reason?: string;
  /** Since when both are so. */
  readonly since: MonoUs;
  /** How long that may last before it is one, microseconds. */
  readonly toleranceUs: number;
  readonly evidence: readonly Witness[];
}

/** A state line comes through a file, a process through looks at intervals, an address through another program: this late at most. */
export const SOURCES_LAG_US = 1.5 * US_PER_SECOND;
/** Adverts an instance may be late by before it differs: DESIGN's threshold for an overlap that is none. */
const LATE_ADVERTS = 1.5;
/** What the log said before is the cause when it is not older than this many master-down times. */
const RECENT_DOWN_TIMES = 3;

export interface Scene {
  readonly subject: Subject;
  readonly observed: Observed;
  /** The addresses of the node that are virtual ones, whoever's. */
  readonly vips: ReadonlyMap<string, Seen<true>>;
  /** The VRRP process; undefined when none was ever seen. */
  readonly vrrp: ObservedProcess | undefined;
  readonly sight: Sight;
  /** keepalived was told to leave its addresses when it ends (`-V`, `--dont-release-vrrp`). */
  readonly keepsVips: boolean;
  readonly now: MonoUs;
}

export function toleranceOf({ advertIntervalUs, uncertaintyUs }: Subject): number {
  return Math.max(LATE_ADVERTS * advertIntervalUs, SOURCES_LAG_US, uncertaintyUs);
}

/** How one instance differs from what it should be. Mostly not at all; of several explanations the one that says most. */
export function differencesOf(scene: Scene): readonly Difference[] {
  const { vrrp, sight } = scene;
  if (!sight.process) return NONE;
  if (vrrp === undefined || vrrp.state.value === "gone" || vrrp.state.value === "zombie") return ofAbsent(scene);
  // A process that does not run does nothing else: that is told of the process.
  if (vrrp.state.value !== "running") return NONE;
  return ofLiving(scene);
}

const NONE: readonly Difference[] = [];

// --- no VRRP process ---------------------------------------------------------------------------------------------------

function ofAbsent(scene: Scene): Difference[] {
  const { subject, observed, vrrp, sight, keepsVips, now } = scene;
  const [address, present] = vipOf(scene) ?? [];
  const goneAt = vrrp?.state.since;
  const how = vrrp?.orderly === true ? "was stopped" : vrrp ? "ended without being told to" : "does not run";
  const gone = vrrp ? [vrrp.state.by] : [];
  if (address !== undefined && present && sight.kernel && !subject.owner && !keepsVips) {
    const peer = recentPeer(scene);
    const also = peer ? `, and ${peer.value.peer} sends adverts for it` : "";
    return [
      {
        code: "zombie-vip",
        instance: subject.instance,
        expected: "no virtual address without a daemon",
        observed: `${address} is on the interface`,
        message: `${subject.instance}: keepalived ${how}, but ${address} is still on the interface${also}`,
        reason: vrrp ? "daemon-gone" : "daemon-absent",
        since: latest(present.since, goneAt ?? present.since),
        toleranceUs: toleranceOf(subject),
        evidence: witnesses(gone, [present.by], peer ? [peer.by] : []),
      },
    ];
  }
  // Whether somebody else is master only the wire tells.
  if (sight.wire === undefined || vrrp === undefined || vrrp.orderly || goneAt === undefined || recentPeer(scene))
    return [];
  if (now - goneAt < subject.masterDownUs) return [];
  return [
    {
      code: "daemon-absent",
      instance: subject.instance,
      expected: "MASTER: nobody else sends adverts",
      observed: "no VRRP process",
      message: `${subject.instance}: keepalived ended without being told to, and no other node has taken over: its addresses are nowhere`,
      since: goneAt,
      toleranceUs: subject.masterDownUs + toleranceOf(subject),
      evidence: witnesses(gone, observed.peerAdvert ? [observed.peerAdvert.by] : []),
    },
  ];
}

// --- a VRRP process that runs --------------------------------------------------------------------------------------------

function ofLiving(scene: Scene): readonly Difference[] {
  const { observed } = scene;
  const { expected, logged } = observed;
  if (!expected || expected.value === "INIT") return NONE;
  if (expected.value === "MASTER") return shouldBeMaster(scene, expected);
  const acts = actsAsMaster(scene);
  if (acts) return isMaster(scene, expected, acts);
  if (
    logged &&
    (logged.value === "FAULT" || expected.value === "FAULT") &&
    logged.value !== expected.value &&
    logged.value !== "INIT"
  )
    return [stateDifference(scene, expected, logged, "fault")];
  return NONE;
}

interface Acting {
  readonly since: MonoUs;
  readonly how: string;
  /** The log says so, or the adverts do: not only an address that may have been left behind. */
  readonly byItself: boolean;
  readonly evidence: readonly Witness[];
}

/** The first of its virtual addresses that is there. Asked of hundreds of instances, several times a second. */
function vipOf({ subject, vips }: Scene): readonly [string, Seen<true>] | undefined {
  if (vips.size === 0) return undefined;
  for (let at = 0; at < subject.vips.length; at += 1) {
    const address = subject.vips[at] ?? "";
    const present = vips.get(address);
    if (present) return [address, present];
  }
  return undefined;
}

/** By its log, by its adverts, or by its addresses. */
function actsAsMaster(scene: Scene): Acting | undefined {
  const { subject, observed, sight, now } = scene;
  const { logged, ownAdvert, ownSince } = observed;
  const byLog = logged?.value === "MASTER" ? logged : undefined;
  const sends =
    ownAdvert !== undefined &&
    ownSince !== undefined &&
    sight.wire !== undefined &&
    now - ownAdvert.since <= LATE_ADVERTS * subject.advertIntervalUs;
  const vip = subject.owner || !sight.kernel ? undefined : vipOf(scene);
  if (!byLog && !sends && !vip) return undefined;
  const [address, present] = vip ?? [];
  const starts = [byLog?.since, sends ? ownSince : undefined, present?.since].filter((at) => at !== undefined);
  const has = address === undefined ? [] : [`has ${address}`];
  return {
    since: Math.min(...starts) as MonoUs,
    how: [...(byLog ? ["its log says MASTER"] : []), ...(sends ? ["sends adverts"] : []), ...has].join(", "),
    byItself: byLog !== undefined || sends,
    evidence: witnesses(byLog ? [byLog.by] : [], present ? [present.by] : [], sends ? [ownAdvert.by] : []),
  };
}

/** It should be something else, and is master. */
function isMaster(scene: Scene, expected: Seen<string>, acts: Acting): Difference[] {
  const { subject, observed } = scene;
  const since = latest(expected.since, acts.since);
  const peer = recentPeer(scene);
  const heard = peer
    ? `${peer.value.peer} sends adverts with priority ${peer.value.priority}`
    : "no adverts of a peer are seen";
  const base = {
    instance: subject.instance,
    expected: expected.value,
    observed: `MASTER: ${acts.how}`,
    since,
    toleranceUs: toleranceOf(subject),
  };
  const both = (...more: readonly (Seen<unknown> | undefined)[]): Witness[] =>
    witnesses(
      [expected.by],
      peer ? [peer.by] : [],
      acts.evidence,
      more.flatMap((seen) => (seen ? [seen.by] : [])),
    );
  if (expected.value === "FAULT")
    return [
      {
        ...base,
        code: "fault",
        message: `${subject.instance} should be in FAULT (${expected.by.text}), but is master`,
        evidence: both(),
      },
    ];
  if (!acts.byItself && observed.logged !== undefined)
    return [
      {
        ...base,
        code: "zombie-vip",
        reason: "left-over",
        message: `${subject.instance} is ${observed.logged.value}, and still has addresses of a master${peer ? `; ${heard}` : ""}`,
        evidence: both(observed.logged),
      },
    ];
  const { rejection, timeout } = observed;
  if (peer && rejection && isRecent(scene, rejection, since))
    return [
      {
        ...base,
        code: "adverts-rejected",
        reason: rejection.value,
        message: `${subject.instance} is master although ${heard}: keepalived refuses them (${rejection.value}), and by the configuration as it stands they are right`,
        evidence: both(rejection),
      },
    ];
  if (peer && timeout && isRecent(scene, timeout, since))
    return [
      {
        ...base,
        code: "socket-not-read",
        message: `${subject.instance} is master although ${heard}: they reach this node, and keepalived hears nothing (a firewall, a socket that is not read)`,
        evidence: both(timeout),
      },
    ];
  return [
    {
      ...base,
      code: "unexpected-master",
      message: `${subject.instance} should be BACKUP, but is master; ${heard}`,
      evidence: both(observed.logged),
    },
  ];
}

function shouldBeMaster(scene: Scene, expected: Seen<string>): Difference[] {
  const { subject, observed, vrrp, sight, now } = scene;
  const { logged } = observed;
  const acts = actsAsMaster(scene);
  if (!acts) {
    if (!logged && !sight.kernel) return [];
    const code = logged?.value === "FAULT" ? "fault" : "not-master";
    if (logged) return [stateDifference(scene, expected, logged, code)];
    return [
      {
        code,
        instance: subject.instance,
        expected: "MASTER",
        observed: "has no virtual address and sends no adverts",
        message: `${subject.instance} should be master (${expected.by.text}), but has no virtual address and sends no adverts`,
        since: expected.since,
        toleranceUs: toleranceOf(subject),
        evidence: witnesses([expected.by]),
      },
    ];
  }
  if (sight.wire === undefined) return [];
  // A master sets its timer anew with every packet of its VRID: while others send, it may be silent. (2.2.7, vrrp_scheduler.c)
  const { ownAdvert, peerAdvert } = observed;
  const last = latest(
    sight.wire,
    expected.since,
    acts.since,
    ...(vrrp ? [vrrp.state.since] : []),
    ...(ownAdvert ? [ownAdvert.since] : []),
    ...(peerAdvert ? [peerAdvert.since] : []),
  );
  const due = (last + subject.advertIntervalUs) as MonoUs;
  if (now < due) return [];
  return [
    {
      code: "silent-master",
      instance: subject.instance,
      expected: "MASTER: an advert every interval",
      observed: "sends no adverts",
      message: `${subject.instance} is master (${acts.how}), but sends no adverts: its peers will take over`,
      since: due,
      toleranceUs: toleranceOf(subject),
      evidence: witnesses([expected.by], acts.evidence, ownAdvert ? [ownAdvert.by] : []),
    },
  ];
}

function stateDifference(
  { subject }: Scene,
  expected: Seen<string>,
  logged: Seen<string>,
  code: "fault" | "not-master",
): Difference {
  return {
    code,
    instance: subject.instance,
    expected: expected.value,
    observed: `${logged.value} by its log`,
    message: `${subject.instance} should be ${expected.value} (${expected.by.text}), but its log says ${logged.value}`,
    since: latest(expected.since, logged.since),
    toleranceUs: toleranceOf(subject),
    evidence: witnesses([expected.by], [logged.by]),
  };
}

/** Somebody else whose adverts are not older than what a backup waits. */
function recentPeer({ subject, observed, now }: Scene): Observed["peerAdvert"] {
  const { peerAdvert } = observed;
  return peerAdvert && now - peerAdvert.since <= subject.masterDownUs ? peerAdvert : undefined;
}

const isRecent = ({ subject }: Scene, { since }: Seen<unknown>, at: MonoUs): boolean =>
  at - since <= RECENT_DOWN_TIMES * subject.masterDownUs;

// --- processes -----------------------------------------------------------------------------------------------------------

const NAMES: Readonly<Record<Daemon, string>> = {
  parent: "parent process",
  vrrp: "VRRP process",
  checker: "checker process",
  bfd: "BFD process",
};

/** A process that lives and does nothing. @param subjects  what a VRRP process is responsible for */
export function frozenDifference(
  { daemon, pid, state }: ObservedProcess,
  subjects: readonly Subject[],
): Difference | undefined {
  if (state.value !== "frozen" && state.value !== "blocked") return undefined;
  const names = daemon === "vrrp" ? subjects.map(({ instance }) => instance) : [];
  const what = names.length === 0 ? "" : ` and with it ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`;
  const [one] = daemon === "vrrp" && names.length === 1 ? names : [];
  return {
    code: "frozen",
    daemon,
    ...(one === undefined ? {} : { instance: one }),
    expected: "a process that runs",
    observed: state.value === "frozen" ? "stopped (SIGSTOP or a debugger)" : "waiting for a disk or a driver",
    message: `keepalived's ${NAMES[daemon]} ${pid}${what} ${state.value === "frozen" ? "is stopped" : "is blocked"}: it keeps what it has, and hears and says nothing`,
    reason: state.value,
    since: state.since,
    toleranceUs: SOURCES_LAG_US,
    evidence: [state.by],
  };
}

// --- services ------------------------------------------------------------------------------------------------------------

/** One real server of one virtual server, by the shadow's own checks and by keepalived's log. */
export interface ObservedService {
  readonly virtualServer: string;
  readonly realServer: string;
  readonly checked: Seen<boolean> | undefined;
  readonly logged: Seen<boolean> | undefined;
  readonly toleranceUs: number;
}

export function serviceDifference(service: ObservedService): Difference | undefined {
  const { virtualServer, realServer, checked, logged, toleranceUs } = service;
  if (!checked || !logged || checked.value === logged.value) return undefined;
  const [is, holds] = checked.value
    ? ["answers", "took it out of service"]
    : ["does not answer", "keeps it in service"];
  return {
    code: checked.value ? "service-removed" : "service-kept",
    virtualServer,
    realServer,
    expected: checked.value ? "up" : "down",
    observed: logged.value ? "up" : "down",
    message: `${realServer} of ${virtualServer} ${is}, but keepalived ${holds}`,
    since: latest(checked.since, logged.since),
    toleranceUs,
    evidence: witnesses([checked.by], [logged.by]),
  };
}

const latest = (...times: readonly MonoUs[]): MonoUs => Math.max(...times) as MonoUs;

/** Oldest first, each once. */
function witnesses(...lists: readonly (readonly Witness[])[]): Witness[] {
  const all = lists.flat();
  return [...new Map(all.map((one) => [`${one.source} ${one.ts} ${one.text}`, one])).values()].sort(
    (a, b) => a.ts - b.ts,
  );
}
