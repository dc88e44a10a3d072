import { US_PER_SECOND } from "../../../collector/core/time.ts";
import type { Event, EventBody, Source } from "../../../collector/events/event.ts";
import { eventFault } from "../../../collector/events/event.ts";
import { eventId } from "../../../collector/events/id.ts";

/** 2026-11-24T10:53:00Z, where the seconds of a scenario begin; epoch microseconds. */
export const T0 = 1_795_517_580 * US_PER_SECOND;
export const at = (seconds: number): number => T0 + Math.round(seconds * US_PER_SECOND);
/** Back to the scenario's seconds. */
export const secondsOf = (ts: number | null): number | null => (ts === null ? null : (ts - T0) / US_PER_SECOND);

export const CONF = "/etc/keepalived/keepalived.conf";
export const VIP = "10.99.0.100";
const ADDRESSES: Readonly<Record<string, string>> = { lb1: "10.99.0.11", lb2: "10.99.0.12", lb3: "10.99.0.13" };
const PRIORITIES: Readonly<Record<string, number>> = { lb1: 150, lb2: 100, lb3: 50 };
export const addressOf = (node: string): string => ADDRESSES[node] ?? node;

const macOf = (node: string): string =>
  node.includes(":") ? node : `02:00:00:00:00:${(addressOf(node).split(".").at(-1) ?? "0").padStart(2, "0")}`;

interface Spoken {
  readonly source: Source;
  readonly body: EventBody;
  readonly raw?: string;
  /** Classic syslog: the second's start, and a second's uncertainty. */
  readonly classic?: boolean;
  readonly pid?: number;
}

type Verb = (words: readonly string[], node: string) => Spoken;

const wireBody = (node: string, words: readonly string[]): Spoken => {
  const [direction, what, ...rest] = words;
  const vrid = Number(rest.find((word) => /^\d+$/.test(word)) ?? 51);
  const reason = rest.find((word) => !/^\d+$/.test(word));
  const outgoing = direction === "out";
  const sender = outgoing ? node : (direction ?? "");
  const peer = addressOf(sender);
  const common = {
    interface: "eth0",
    family: "ipv4" as const,
    vrid,
    peer,
    outgoing,
    priority: PRIORITIES[sender] ?? 100,
    vips: [VIP],
    advertIntervalUs: US_PER_SECOND,
  };
  if (what === "seen") return { source: "wire", body: { kind: "wire.master-seen", ...common } };
  if (what === "advert")
    return {
      source: "wire",
      body: {
        kind: "wire.advert",
        ...common,
        destination: "224.0.0.18",
        version: 2,
        ttl: 255,
        authType: "pass",
        checksum: "ok",
      },
    };
  if (reason !== "silent" && reason !== "priority-zero" && reason !== "capture-ended")
    throw new Error(`no such reason: ${reason}`);
  return { source: "wire", body: { kind: "wire.master-gone", ...common, reason, lastAdvertTs: 0 } };
};

/** `VI_1 51 10.99.0.100,10.99.0.101 priority=90 advert=2`, all of it optional; `none` has no instance. */
export const configBody = (node: string, words: readonly string[] = []): EventBody<"config.loaded"> => {
  const [name = "VI_1", vrid = "51", vips = VIP] = words.filter((word) => !word.includes("="));
  const set = new Map(words.filter((word) => word.includes("=")).map((word) => word.split("=") as [string, string]));
  const list = (key: string): string[] => set.get(key)?.split(",") ?? [];
  const text = <K extends string>(key: K): Partial<Record<K, string>> => {
    const value = set.get(key);
    return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, string>>);
  };
  return {
    kind: "config.loaded",
    files: [{ path: CONF, sha256: "0".repeat(64) }],
    virtualServers: list("virtualServers"),
    // `services=10.99.0.100:80|web1|weight-1`: a virtual server with one real server
    ...(set.has("services")
      ? {
          services: list("services").map((service) => {
            const [server = "", of = "", is = ""] = service.split("|");
            return { name: server, file: CONF, line: 40, settings: [{ of: `real_server ${of}`, is }] };
          }),
        }
      : {}),
    ...text("routerId"),
    instances:
      name === "none"
        ? []
        : [
            {
              instance: name,
              file: CONF,
              line: 5,
              vrid: Number(vrid),
              family: "ipv4",
              interface: "eth0",
              priority: Number(set.get("priority") ?? PRIORITIES[node] ?? 100),
              advertIntervalUs: Number(set.get("advert") ?? 1) * US_PER_SECOND,
              downTimerAdverts: 3,
              version: set.get("version") === "3" ? 3 : 2,
              vips: vips.split(","),
              startState: "BACKUP",
              nopreempt: false,
              unicastPeers: list("unicastPeers"),
              ...text("sourceAddress"),
              ...text("passwordFingerprint"),
              ...(set.has("authentication") ? { authentication: set.get("authentication") as "PASS" } : {}),
            },
          ],
  };
};

const log = (body: EventBody, raw: string, pid?: number): Spoken => ({
  source: "log",
  body,
  raw,
  classic: true,
  ...(pid === undefined ? {} : { pid }),
});

const STATE_WORDS = ["MASTER", "BACKUP", "FAULT"] as const;
const stateLine = (words: readonly string[]): Spoken => {
  const [word, ...rest] = words;
  const state = STATE_WORDS.find((known) => known === word);
  if (!state) throw new Error(`no such state: ${word}`);
  const instance = rest.find((other) => other !== "init") ?? "VI_1";
  const initial = rest.includes("init");
  return log(
    { kind: "vrrp.state", instance, state, ...(initial ? { initial } : {}) },
    `(${instance}) Entering ${state} STATE${initial ? " (init)" : ""}`,
    15,
  );
};

const DAEMON: Readonly<Record<string, (rest: readonly string[]) => Spoken>> = {
  starting: () => log({ kind: "daemon.starting", version: "v2.2.7" }, "Starting Keepalived v2.2.7 (01/16,2022)"),
  ready: () => log({ kind: "daemon.ready", phase: "startup" }, "Startup complete"),
  reloading: () => log({ kind: "daemon.reloading" }, "Reloading ..."),
  stopping: () => log({ kind: "daemon.stopping" }, "Stopping"),
  stopped: () => log({ kind: "daemon.stopped", daemon: "parent" }, "Stopped Keepalived v2.2.7 (01/16,2022)"),
  "vrrp-stopped": () =>
    log({ kind: "daemon.stopped", daemon: "vrrp" }, "Stopped - used 0.007168 user time, 0.000000 system time", 15),
  "permanent-error": ([code = "CONFIG"]) =>
    log(
      { kind: "daemon.child-exited", permanentError: code, respawning: false, childPid: 20 },
      `pid 20 exited with permanent error ${code}. Terminating`,
    ),
  "vrrp-killed": () =>
    log(
      { kind: "daemon.child-exited", daemon: "vrrp", signal: 9, respawning: true },
      "VRRP child process(15) died: Respawning",
    ),
  "reload-ready": () => log({ kind: "daemon.ready", phase: "reload" }, "Reload complete"),
  error: ([code = "ipvs-unavailable", ...text]) =>
    log({ kind: "daemon.error", code, message: text.join(" ") || code }, text.join(" ") || code),
};

export const VIRTUAL_SERVER = `[${VIP}]:80`;
export const realServerOf = (name: string): string => `[10.99.0.${name === "web1" ? 21 : 22}]:80`;

/** `checks log down web1`, `checks probe quorum-lost`, `checks probe result web1 digest`: keepalived's checkers by its log, or the collector's own. */
const checks = (words: readonly string[]): Spoken => {
  const [who, what = "", name = "web1", reason = "timeout"] = words;
  const virtualServer = VIRTUAL_SERVER;
  const realServer = realServerOf(name);
  const bodies: Readonly<Record<string, EventBody>> = {
    up: { kind: "check.server-up", virtualServer, realServer, action: "added" },
    down: { kind: "check.server-down", virtualServer, realServer, action: "removed" },
    gone: { kind: "check.server-gone", realServer, reason: "shutdown" },
    paused: { kind: "check.activation", service: realServer, active: false, virtualServer },
    result: { kind: "check.result", checker: "HTTP", outcome: "down", service: realServer, virtualServer, reason },
    "quorum-lost": { kind: "check.quorum-lost", virtualServer, quorum: 1, weight: 0, initial: name === "initial" },
    "quorum-gained": { kind: "check.quorum-gained", virtualServer, quorum: 1, weight: 1 },
    sorry: { kind: "check.sorry-server", virtualServer, sorryServer: "[127.0.0.1]:8080", action: "added" },
  };
  const body = bodies[what];
  if (!body) throw new Error(`no such word of a checker: ${what}`);
  return who === "log" ? log(body, `${what} ${name}`) : { source: "check", body };
};

const VERBS: Readonly<Record<string, Verb>> = {
  log: stateLine,
  /** The same with a microsecond timestamp, as journald has it. */
  journal: (words) => ({ ...stateLine(words), classic: false }),
  kernel: (words) => {
    const [change = "", nic = "eth0"] = words;
    const where = { interface: change === "=" ? "eth0" : nic, prefixLength: 24 };
    if (change === "=")
      return {
        source: "kernel",
        body: { kind: "kernel.addresses", addresses: words.slice(1).map((address) => ({ ...where, address })) },
      };
    return {
      source: "kernel",
      body: {
        kind: change.startsWith("+") ? "kernel.address-added" : "kernel.address-removed",
        ...where,
        address: change.slice(1),
      },
    };
  },
  wire: (words, node) => wireBody(node, words),
  config: (words, node) => ({ source: "config", body: configBody(node, words) }),
  daemon: ([what = "", ...rest]) => {
    const speak = DAEMON[what];
    if (!speak) throw new Error(`no such daemon line: ${what}`);
    return speak(rest);
  },
  /** `diagnostic fatal nonexistent_interface 6 interface eth9 doesn't exist` */
  diagnostic: ([severity = "fatal", code = "code", line = "0", ...text]) => {
    const place = line === "0" ? {} : { file: CONF, line: Number(line) };
    return log(
      { kind: "config.diagnostic", severity: severity as "fatal", code, message: text.join(" "), ...place },
      text.join(" "),
    );
  },
  /** `unreadable /etc/x.conf does not exist`: the main file, by the collector. */
  unreadable: (words) => ({
    source: "config",
    body: { kind: "config.unreadable", path: CONF, message: words.join(" ") },
  }),
  /** `finds fatal missing_parameter 7 no parameter`: the collector's own reading, at the instant of its `config`; a path before the line is another file's. */
  finds: ([severity = "fatal", code = "code", place = "1", ...text]) => {
    const [line = "1", file = CONF] = place.split(":").reverse();
    return {
      source: "config",
      body: {
        kind: "config.diagnostic",
        severity: severity as "fatal",
        code,
        message: text.join(" ") || code,
        file,
        line: Number(line),
      },
    };
  },
  /** `rejects auth`, `rejects auth 0 1` (received and expected), `rejects unicast-source lb1` (the sender) */
  rejects: ([reason = "auth", first, second]) => {
    const who = first !== undefined && second === undefined ? { peer: addressOf(first) } : {};
    const what = first !== undefined && second !== undefined ? { received: first, expected: second } : {};
    return log(
      { kind: "vrrp.advert-rejected", instance: "VI_1", reason, ...who, ...what },
      `(VI_1) refused: ${reason}`,
    );
  },
  lower: ([peer = ""]) =>
    log(
      { kind: "vrrp.advert-lower-priority", instance: "VI_1", peer: addressOf(peer), election: true },
      `(VI_1) Received advert from ${addressOf(peer)} with lower priority`,
    ),
  checks,
  "sent-zero": () => log({ kind: "vrrp.priority-zero-sent", instance: "VI_1" }, "(VI_1) sent 0 priority"),
  removing: () => log({ kind: "vrrp.vips", instance: "VI_1", action: "removing" }, "(VI_1) removing VIPs."),
  /** `arp out`, `arp lb2`, `arp 02:00:00:00:00:99 10.99.0.101`: an address is announced at the MAC address of a node or at another one. */
  arp: ([from = "out", address = VIP], node) => ({
    source: "wire",
    body: {
      kind: "wire.garp",
      interface: "eth0",
      family: "ipv4",
      address,
      outgoing: from === "out",
      mac: from === "out" ? macOf(node) : macOf(from),
    },
  }),
  /** `dump MASTER 3.6`: by keepalived's own dump, in this state since that second; `-` where it does not say. */
  dump: ([state = "", since = "-", instance = "VI_1"]) => ({
    source: "dump",
    body: {
      kind: "dump.instance",
      instance,
      state: state as "MASTER",
      ...(since === "-" ? {} : { lastTransitionTs: at(Number(since)) }),
    },
    pid: 15,
  }),
  /** `expects MASTER`, `expects nothing`: by the shadow. */
  expects: ([state = "", instance = "VI_1"]) => ({
    source: "shadow",
    body:
      state === "nothing"
        ? { kind: "shadow.following", instance, following: false }
        : { kind: "shadow.state", instance, state: state as "MASTER", cause: "start" },
  }),
  garp: ([name = "VI_1", vip = VIP]) =>
    log(
      { kind: "vrrp.garp", instance: name, interface: "eth0", vips: [vip] },
      `(${name}) Sending/queueing gratuitous ARPs on eth0 for ${vip}`,
    ),
  /** `diverges begin zombie-vip VI_1`; without an instance it is of a process: `diverges begin frozen`. */
  diverges: ([phase, code, instance]) => ({
    source: "shadow",
    body: {
      kind: "shadow.divergence",
      phase: phase === "end" ? "end" : "begin",
      code: code as "frozen",
      ...(instance === undefined ? { daemon: "vrrp" as const } : { instance }),
      expected: "one thing",
      observed: "another",
      message: `${instance ?? "the VRRP process"} differs`,
      toleranceUs: 1_500_000,
      evidence: [
        { source: "log", ts: T0, text: "Entering MASTER STATE", at: "/var/log/messages:7" },
        { source: "wire", ts: T0 + 1, text: "an advert" },
      ],
    },
  }),
  /** `near-miss lb1 2 0.86`: adverts of a node were missing, and this much of the master-down time was used. */
  "near-miss": ([peer = "", missed = "1", used = "0.55", instance = "VI_1"]) => ({
    source: "shadow",
    body: {
      kind: "shadow.near-miss",
      instance,
      peer: addressOf(peer),
      missed: Number(missed),
      marginUsed: Number(used),
    },
  }),
  /** `stalls 1.5`: the daemon did not run for so many seconds. */
  stalls: ([seconds = "1"]) =>
    log(
      { kind: "vrrp.scheduler-stall", lateUs: Math.round(Number(seconds) * US_PER_SECOND) },
      `A thread timer expired ${Number(seconds).toFixed(6)} seconds ago`,
    ),
  /** `clock 3`: it is 3 s slow, to within 2 ms; `clock 0 -3`: it was 3 s fast, and has just been put right. */
  clock: ([offset = "0", step]) => ({
    source: "collector",
    body: {
      kind: "collector.clock",
      offsetUs: Number(offset) * US_PER_SECOND,
      boundUs: 2_000,
      ...(step === undefined ? {} : { steppedUs: Number(step) * US_PER_SECOND }),
    },
  }),
  /** `configured priority=100 interval=2 version=3 peers=10.99.0.11 source=10.99.0.50 vips=10.99.0.100` */
  configured: (words, node) => {
    const of = new Map(words.map((word) => word.split("=", 2) as [string, string]));
    const body = configBody(node, ["VI_1", "51", of.get("vips") ?? VIP]);
    const [instance] = body.instances;
    if (!instance) throw new Error("no instance");
    const source = of.get("source");
    return {
      source: "config",
      body: {
        ...body,
        instances: [
          {
            ...instance,
            priority: Number(of.get("priority") ?? instance.priority),
            advertIntervalUs: Number(of.get("interval") ?? 1) * US_PER_SECOND,
            version: of.get("version") === "3" ? 3 : 2,
            unicastPeers: of.get("peers")?.split(",") ?? [],
            ...(source === undefined ? {} : { sourceAddress: source }),
          },
        ],
      },
    };
  },
  "not-sent": ([...error]) =>
    log(
      { kind: "vrrp.advert-not-sent", instance: "VI_1", error: error.join(" ") },
      `(VI_1) Cant send advert (${error.join(" ")})`,
    ),
  link: ([word]) => ({ source: "kernel", body: { kind: "kernel.link", interface: "eth0", up: word === "up" } }),
  /** `process gone`, `process gone parent`, `process frozen` */
  process: ([what, daemon = "vrrp"]) => {
    const of = { daemon: daemon as "vrrp" };
    const body: EventBody =
      what === "gone"
        ? { kind: "process.gone", ...of }
        : what === "started"
          ? { kind: "process.started", ...of }
          : what === "frozen"
            ? { kind: "process.state", ...of, state: "frozen", previousState: "running" }
            : { kind: "process.state", ...of, state: "running", previousState: "frozen" };
    return { source: "process", body, pid: daemon === "parent" ? 14 : 15 };
  },
  /** `socket unread`, `socket read` */
  socket: ([what]) => ({
    source: "process",
    body: {
      kind: "process.socket",
      daemon: "vrrp",
      unread: what === "unread",
      waitingBytes: what === "unread" ? 4160 : 0,
      dropped: 0,
    },
    pid: 15,
  }),
  launcher: ([action = "restart"]) => ({
    source: "process",
    body: { kind: "process.launcher", command: "/etc/init.d/keepalived", action },
    pid: 900,
  }),
  /** `child started vrrp 16 of 15`: with a pid, and its parent's */
  child: ([what, daemon = "vrrp", pid = "16", , parent = "15"]) => ({
    source: "process",
    body: {
      kind: what === "gone" ? "process.gone" : "process.started",
      daemon: daemon as "vrrp",
      parentPid: Number(parent),
    },
    pid: Number(pid),
  }),
  /** `file-of 14.5`: the configuration, written at that second */
  "file-of": ([seconds = "0"], node) => ({
    source: "config",
    body: {
      ...configBody(node),
      files: [{ path: "/etc/keepalived/keepalived.conf", sha256: "0".repeat(64), changedTs: at(Number(seconds)) }],
    },
  }),
  /** `found daemon_child_missing no checker`: by the collector's look at the start chain */
  found: ([code = "", ...text]) => ({
    source: "config",
    body: { kind: "config.diagnostic", severity: "instance-lost", code, message: text.join(" ") || code },
  }),
  /** Somebody else's adverts of the same VRID: `stranger seen`, `stranger gone` */
  stranger: ([what]) => {
    const { body } = wireBody("10.99.0.77", ["10.99.0.77", what ?? "seen", "silent"]);
    return { source: "wire", body: { ...body, vips: ["10.99.0.200"] } as EventBody };
  },
  /** `shadow-rejects auth lb1` */
  "shadow-rejects": ([reason = "auth", peer = "lb1"]) => ({
    source: "shadow",
    body: { kind: "shadow.advert-rejected", instance: "VI_1", peer: addressOf(peer), reason, over: false },
  }),
  /** `source capture unavailable`, `source capture running` */
  source: ([name = "capture", state]) => ({
    source: "collector",
    body: {
      kind: "collector.source",
      name,
      detail: "what it reads",
      ...(state === "running" ? { state } : { state: "unavailable", reason: "it is gone" }),
    },
  }),
  /** `gap capture 10 20 3`: from and to when, and how many are lost; `-` for what is not known. */
  gap: ([sourceName = "capture", from = "-", to = "-", lost = "-"]) => ({
    source: "collector",
    body: {
      kind: "collector.gap",
      sourceName,
      reason: "it could not be seen",
      ...(from === "-" ? {} : { from: at(Number(from)) }),
      ...(to === "-" ? {} : { to: at(Number(to)) }),
      ...(lost === "-" ? {} : { lost: Number(lost) }),
    },
  }),
  /** The server has heard nothing since. */
  unheard: ([since = "0"]) => ({ source: "collector", body: { kind: "collector.unheard", since: at(Number(since)) } }),
  /** `why interface eth0 VI_2`: FAULT with its reason in the line, as an instance begins in it. */
  why: ([reason = "interface", subject = "eth0", instance = "VI_1"]) =>
    log(
      { kind: "vrrp.state", instance, state: "FAULT", initial: true, reason, subject },
      `(${instance}): entering FAULT state (${reason} ${subject})`,
      15,
    ),
  /** `script chk failure`, `script chk timeout` */
  script: ([script = "chk", outcome = "failure", status]) =>
    log(
      {
        kind: "script.result",
        script,
        outcome: outcome as "failure",
        ...(status === undefined ? {} : { exitStatus: Number(status) }),
      },
      `Script \`${script}\` now returning ${status ?? outcome}`,
    ),
  nic: ([name = "eth0", state]) =>
    log({ kind: "vrrp.interface", interface: name, up: state === "up" }, `Netlink reports ${name} ${state}`),
  /** `tracked process nginx down`, `tracked file VI_1 maintenance down`, `tracked bfd peer down` */
  tracked: ([what, name = "", ...rest]) => {
    const isDown = rest.at(-1) === "down";
    if (what === "process")
      return log(
        { kind: "track.process", process: name, quorum: !isDown },
        `Quorum ${isDown ? "lost" : "gained"} for tracked process ${name}`,
      );
    if (what === "file")
      return log(
        { kind: "track.file", instance: name, file: rest[0] ?? "", fault: isDown },
        `(${name}) tracked file ${rest[0]}`,
      );
    return log({ kind: "track.bfd", bfd: name, up: !isDown }, `BFD ${name} ${isDown ? "down" : "up"}`);
  },
  priority: ([from = "100", to = "80", instance = "VI_1"]) =>
    log(
      { kind: "vrrp.priority-changed", instance, from: Number(from), to: Number(to) },
      `(${instance}) Changing effective priority from ${from} to ${to}`,
    ),
  "startup-delay": ([seconds = "60", over]) =>
    log(
      { kind: "vrrp.startup-delay", over: over === "over", delayUs: Number(seconds) * US_PER_SECOND },
      `VRRP startup delay - ${seconds} seconds`,
    ),
  heartbeat: () => ({ source: "collector", body: { kind: "collector.heartbeat", sources: [] } }),
  /** `collector started`, with the names of sources that do not work behind it; `collector stopped` */
  collector: ([what, ...unavailable]) => ({
    source: "collector",
    body:
      what === "started"
        ? {
            kind: "collector.started",
            version: "0.1.0",
            sources: unavailable.map((name) => ({
              name,
              detail: "what it reads",
              state: "unavailable",
              reason: "it may not",
              read: 0,
              unrecognised: 0,
            })),
          }
        : { kind: "collector.stopped" },
  }),
};

/**
 * Events from a text, one a line: `at SECONDS NODE VERB …`, or `watch NODE… to SECONDS` for a heartbeat a second. Order
 * within a second of the same log is the order of the lines. `#` begins a comment.
 */
export function scenario(text: string, cluster = "default"): Event[] {
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").trim());
  return lines.flatMap((line, index): Event[] => {
    if (line === "") return [];
    const words = line.split(/\s+/);
    if (words[0] === "watch") return watch(words.slice(1), cluster);
    const [word, seconds, node = "", verb = "", ...rest] = words;
    const speak = VERBS[verb];
    if (word !== "at" || !speak) throw new Error(`cannot read: ${line}`);
    return [eventOf(speak(rest, node), { cluster, node, ts: at(Number(seconds)), line: index + 1 })];
  });
}

function watch(words: readonly string[], cluster: string): Event[] {
  const to = Number(words.at(-1));
  const nodes = words.slice(0, words.indexOf("to"));
  return nodes.flatMap((node) =>
    Array.from({ length: Math.floor(to) + 1 }, (_, second) =>
      eventOf(
        { source: "collector", body: { kind: "collector.heartbeat", sources: [] } },
        { cluster, node, ts: at(second), line: 0 },
      ),
    ),
  );
}

export function eventOf(spoken: Spoken, place: { cluster: string; node: string; ts: number; line: number }): Event {
  const { cluster, node, line } = place;
  const ts = spoken.classic === true ? Math.floor(place.ts / US_PER_SECOND) * US_PER_SECOND : place.ts;
  const event = {
    id: eventId(cluster, node, line, place.ts, spoken.body.kind),
    cluster,
    node,
    source: spoken.source,
    ts,
    tsUncertaintyUs: spoken.classic === true ? US_PER_SECOND : 0,
    observedTs: place.ts,
    ...(spoken.raw === undefined ? {} : { raw: spoken.raw, at: `/var/log/${node}.log:${line}` }),
    ...(spoken.pid === undefined ? {} : { pid: spoken.pid }),
    ...spoken.body,
  } as Event;
  const fault = eventFault(event);
  if (fault) throw new Error(`${fault.message}: ${JSON.stringify(event)}`);
  return event;
}
