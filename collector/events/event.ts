import type { Static, TObject, TSchema } from "typebox";
import { type Checker, checkerOf, Type } from "../core/schema.ts";
import { DETAILS } from "./details.ts";
import {
  Address,
  Addresses,
  DaemonT,
  Epoch,
  Errno,
  ExitStatus,
  FamilyT,
  Mac,
  Name,
  oneOf,
  opt,
  Pid,
  Priority,
  Service,
  Signal,
  Signed,
  text,
  Unsigned32,
  Vrid,
} from "./scalars.ts";
import {
  BFD_STATES,
  CHAIN_STEPS,
  CHECKERS,
  DIAGNOSTIC_SEVERITIES,
  DIVERGENCES,
  PROCESS_STATES,
  SOURCES,
  STATES,
  type Source,
} from "./vocabulary.ts";

/**
 * The event contract between collectors, the server and the offline tools: one immutable observation.
 * Additive only: a field or a kind is never renamed or given another meaning. The page for people is README.md beside this file.
 */

export * from "./vocabulary.ts";

/** Longest raw line kept with an event, in characters; the rest is cut and `rawTruncated` is set. */
export const RAW_MAX_CHARS = 4096;
/** Longest text of a configuration file kept, in characters; the rest is cut and `truncated` is set. */
export const CONFIG_TEXT_MAX_CHARS = 262_144;

/** What an instance watches, its own interface and its sync group's included: what `Tracker` of the election is. */
const ConfiguredTracker = Type.Object(
  {
    kind: oneOf(["interface", "script", "process", "file", "bfd"]),
    name: Name,
    weight: Type.Integer({ minimum: -254, maximum: 254 }),
    reverse: Type.Boolean(),
  },
  { additionalProperties: false },
);

/** An instance as the node's configuration promises it, with keepalived's own defaults filled in. */
export const ConfiguredInstance = Type.Object(
  {
    instance: Name,
    file: text(4096),
    line: Type.Integer({ minimum: 1 }),
    vrid: opt(Vrid),
    family: FamilyT,
    interface: opt(Name),
    priority: Priority,
    /** Advert interval in microseconds (keepalived's advert_int, default 1 s). */
    advertIntervalUs: Type.Integer({ minimum: 1 }),
    /** Adverts missed before a backup takes over (down_timer_adverts, default 3). */
    downTimerAdverts: Type.Integer({ minimum: 1, maximum: 100 }),
    version: Type.Union([Type.Literal(2), Type.Literal(3)]),
    vips: Addresses,
    /** The configured start state, which in keepalived 2.x is not mastership. */
    startState: oneOf(["MASTER", "BACKUP"]),
    nopreempt: Type.Boolean(),
    unicastPeers: Addresses,
    sourceAddress: opt(Address),
    /** As it is used: `none` where version 3, strict mode or IPv6 leave it out. */
    authentication: opt(oneOf(["none", "PASS", "AH", "HMAC"])),
    /** Tells two passwords apart, and nothing else about them: keyed, and only where the nodes of a cluster have a key in common. */
    passwordFingerprint: opt(Type.String({ pattern: "^[0-9a-f]{32}$" })),
    /** auth_hmac (keepalived 2.4): an advert whose sender's clock differs by more is refused. Microseconds. */
    hmacWindowUs: opt(Type.Integer({ minimum: 1 })),
    trackers: opt(Type.Array(ConfiguredTracker, { maxItems: 256 })),
  },
  { additionalProperties: false },
);
export type ConfiguredInstance = Static<typeof ConfiguredInstance>;

/** A virtual server as the effective configuration has it: its settings and real servers in words that can be compared. */
const ConfiguredService = Type.Object(
  {
    name: text(255),
    file: text(4096),
    line: Type.Integer({ minimum: 1 }),
    settings: Type.Array(Type.Object({ of: text(255), is: text(255) }, { additionalProperties: false }), {
      maxItems: 20_000,
    }),
  },
  { additionalProperties: false },
);
export type ConfiguredService = Static<typeof ConfiguredService>;

/** keepalived's own mail settings, which keepwatch uses for its zero set-up e-mail. */
export const MailSettings = Type.Object(
  {
    to: Type.Array(text(320), { maxItems: 64 }),
    from: opt(text(320)),
    host: opt(text(255)),
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
    connectTimeoutSeconds: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
export type MailSettings = Static<typeof MailSettings>;

const SourceStatus = Type.Object(
  {
    name: text(64, "file tail, journal, capture, addresses, config"),
    detail: text(4096, "what it reads: a path, an interface, a unit"),
    state: oneOf(["running", "unavailable", "stopped"]),
    reason: opt(text(1024)),
    /** What this source has read and what it could not make sense of, since the collector started. */
    read: Type.Integer({ minimum: 0 }),
    unrecognised: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
export type SourceStatus = Static<typeof SourceStatus>;

const router = { interface: Name, family: FamilyT, vrid: Vrid };
const sender = {
  ...router,
  /** Source address of the advert. */
  peer: Address,
  /** Sent by this node itself (captured on the way out). */
  outgoing: Type.Boolean(),
  priority: Priority,
  vips: Addresses,
  /** The wire has at most 255 s (version 2) or 40.95 s (version 3). */
  advertIntervalUs: Type.Integer({ minimum: 0, maximum: 255_000_000 }),
};

const ProcessStateT = oneOf(PROCESS_STATES);
/** Which of keepalived's processes; absent for a child of which neither a pid file nor the log tells what it does. */
const processRole = { daemon: opt(DaemonT), parentPid: opt(Pid) };

/** keepalived as it names itself when it begins and ends. */
const program = {
  version: opt(text(64)),
  /** Day of the release. */
  released: opt(Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}$" })),
  /** What it was built from, where a distribution says it. */
  commit: opt(text(64)),
};

/** quorum + or - hysteresis, which is the threshold, against the weights of what is up. */
const quorum = {
  threshold: opt(Type.Integer({ minimum: 0 })),
  quorum: opt(Type.Integer({ minimum: 0 })),
  hysteresis: opt(Type.Integer({ minimum: 0 })),
  weight: opt(Type.Integer({ minimum: 0 })),
};

/** Fields of each kind of event, beyond those every event has. One row a kind. */
export const EVENT_KINDS = {
  // --- log: the daemon and its children -------------------------------------------------------------------------
  /** "Starting Keepalived v…": the boundary of a run. */
  "daemon.starting": program,
  "daemon.child-starting": { daemon: DaemonT, childPid: Pid },
  /** keepalived 2.2.2+: every child has read its configuration. */
  "daemon.ready": { phase: oneOf(["startup", "reload"]) },
  /** The parent received a terminate signal: an orderly stop. */
  "daemon.stopping": {},
  "daemon.stopped": { daemon: DaemonT, ...program, userUs: DETAILS.userUs, systemUs: DETAILS.systemUs },
  "daemon.reloading": { childPid: DETAILS.childPid },
  /** `permanentError` is keepalived's word (CONFIG, FATAL, …): the daemon ends because of it. */
  "daemon.child-exited": {
    childPid: opt(Pid),
    daemon: opt(DaemonT),
    permanentError: opt(text(64)),
    signal: opt(Signal),
    exitStatus: opt(Type.Integer()),
    respawning: Type.Boolean(),
    /** The signal by its name, and what keepalived takes for the reason. */
    error: DETAILS.error,
    cause: DETAILS.cause,
  },
  /** A line that says why the daemon cannot run: no IPVS, already running, pid file, no configuration. */
  "daemon.error": { code: text(64), message: text(1024), ...DETAILS },
  /** It runs, and not as it should: limits refused, a child that had to be killed, a system call that failed. */
  "daemon.warning": { code: text(64), message: text(1024), ...DETAILS },
  // --- log: configuration ----------------------------------------------------------------------------------------
  "config.diagnostic": {
    code: text(64),
    severity: oneOf(DIAGNOSTIC_SEVERITIES),
    message: text(1024),
    file: opt(text(4096)),
    line: opt(Type.Integer({ minimum: 1 })),
    column: opt(Type.Integer({ minimum: 1 })),
    fix: opt(text(1024)),
    ...DETAILS,
  },
  // --- log: VRRP -------------------------------------------------------------------------------------------------
  /** "Entering X STATE". keepalived 1.x's "Transition to MASTER STATE" is vrrp.transition: not mastership yet. */
  "vrrp.state": {
    instance: Name,
    state: oneOf(STATES),
    initial: opt(Type.Boolean()),
    /** Why it is in FAULT, as a short code (interface, script, file, process, no-address, …), when the line says. */
    reason: opt(text(64)),
    /** The interface, script, file or process that is the reason. */
    subject: opt(Name),
    /** What the tracked file holds. */
    status: DETAILS.status,
    /** Of which it has no address. */
    family: DETAILS.family,
  },
  "vrrp.transition": { instance: Name, state: oneOf(STATES) },
  "vrrp.advert-timeout": { instance: Name },
  "vrrp.advert-higher-priority": {
    instance: Name,
    peer: opt(Address),
    priority: opt(Priority),
    ownPriority: opt(Priority),
  },
  "vrrp.advert-lower-priority": {
    instance: Name,
    peer: opt(Address),
    priority: opt(Priority),
    ownPriority: opt(Priority),
    election: Type.Boolean(),
  },
  /** An advert keepalived refused; `reason` is a short code: auth, interval, vip-list, … */
  "vrrp.advert-rejected": {
    instance: opt(Name),
    reason: text(64),
    peer: opt(Address),
    vrid: opt(Vrid),
    interface: opt(Name),
    /** What stood in the advert and what should have, as the line writes it: an interval, a version, an authentication type, … */
    received: opt(text(64)),
    expected: opt(text(64)),
    /** The address that one side has and the other has not. */
    vip: opt(Address),
  },
  "vrrp.priority-zero-sent": { instance: Name },
  "vrrp.priority-zero-received": { instance: Name },
  "vrrp.priority-changed": { instance: Name, from: Priority, to: Priority },
  /** The new priority alone: 1.2.21 to 1.2.24, a tracked file, an address owner that gives way or comes back. */
  "vrrp.priority-set": { instance: Name, priority: Priority },
  "vrrp.preempt-delay": {
    instance: Name,
    action: oneOf(["started", "stopped", "reset"]),
    delayUs: opt(Type.Integer({ minimum: 0 })),
  },
  /** `learned` from the master (VRRPv3), `configured` when this node becomes master, `mismatch` where it is only noted. */
  "vrrp.advert-interval": {
    instance: opt(Name),
    cause: oneOf(["learned", "configured", "mismatch"]),
    intervalUs: Type.Integer({ minimum: 0 }),
    previousUs: opt(Type.Integer({ minimum: 0 })),
  },
  /** A backup follows this master, and did follow that one. */
  "vrrp.master-changed": { instance: Name, peer: Address, previousPeer: opt(Address) },
  "vrrp.group-state": { group: Name, state: oneOf(STATES), instance: opt(Name) },
  /** A sync group's members are made to elect anew. */
  "vrrp.election": { instance: Name },
  /** Another node that was address owner too has stopped. */
  "vrrp.owner-conflict-over": { instance: Name },
  /** An advert could not be sent: the peers hear nothing of this master. */
  "vrrp.advert-not-sent": {
    instance: opt(Name),
    peer: opt(Address),
    error: opt(text(255)),
    errno: DETAILS.errno,
    /** Which has no address to send from. */
    interface: DETAILS.interface,
  },
  /** `vrrp_startup_delay`: instances wait until it is over. */
  "vrrp.startup-delay": { over: Type.Boolean(), delayUs: opt(Type.Integer({ minimum: 0 })) },
  /** VIPs set or removed, as the log says; the kernel source says what came of it. */
  "vrrp.vips": { instance: Name, action: oneOf(["setting", "removing"]), excluded: DETAILS.excluded },
  /** Gratuitous ARP or unsolicited NA: tells which VIPs and interface an instance has. */
  "vrrp.garp": { instance: opt(Name), interface: Name, vips: Addresses, protocol: opt(oneOf(["arp", "ndp"])) },
  /** Gratuitous ARP or unsolicited NA that could not be sent: the neighbours keep the old master's address. */
  "vrrp.garp-failed": { interface: Name, address: opt(Address), error: opt(text(255)), errno: DETAILS.errno },
  /** An address that a reload took out of the configuration. */
  "vrrp.vip-removed": {
    instance: opt(Name),
    address: Address,
    prefixLength: Type.Integer({ minimum: 0, maximum: 128 }),
    interface: Name,
  },
  /** The macvlan or ipvlan interface of an instance. */
  "vrrp.vmac": { instance: opt(Name), interface: Name, action: oneOf(["created", "updated", "removed"]) },
  "vrrp.interface": { interface: Name, up: Type.Boolean(), instance: DETAILS.instance },
  /** "A thread timer expired N seconds ago": the daemon did not run for that long. */
  "vrrp.scheduler-stall": { lateUs: Type.Integer({ minimum: 0 }) },
  /** What the VRRP process could not do: a socket, a multicast membership, a macvlan interface, a route. */
  "vrrp.error": { code: text(64), message: text(1024), ...DETAILS },
  // --- log: scripts and trackers -------------------------------------------------------------------------------------
  /** A track script's new result. Its effect on the priority is a line of its own. */
  "script.result": {
    script: Name,
    outcome: oneOf(["success", "failure", "timeout"]),
    exitStatus: opt(ExitStatus),
    signal: opt(Signal),
    /** One run's exit status, other than the last one's: no verdict yet, which comes after `rise` or `fall` runs. */
    run: opt(Type.Boolean()),
  },
  /** A script that could not be run, run with its user, or ended. */
  "script.error": { code: text(64), message: text(1024), ...DETAILS },
  /** A notify script is started. Up to 1.4.5 only, and of the checkers only. */
  "script.notify": { script: text(1024), virtualServer: Service, realServer: opt(Service) },
  "track.process": {
    process: Name,
    quorum: opt(Type.Boolean()),
    from: opt(Type.Integer({ minimum: 0 })),
    to: opt(Type.Integer({ minimum: 0 })),
  },
  "track.file": { instance: Name, file: Name, fault: Type.Boolean() },
  /** `delayUs`: how long after the session's change keepalived's VRRP process heard of it. */
  "track.bfd": { bfd: Name, up: Type.Boolean(), instance: opt(Name), delayUs: DETAILS.delayUs },
  // --- log: BFD ------------------------------------------------------------------------------------------------------
  "bfd.state": {
    bfd: Name,
    state: oneOf(BFD_STATES),
    localDiagnostic: opt(text(64)),
    remoteDiagnostic: opt(text(64)),
  },
  /** Nothing heard of the neighbour for its detection time. */
  "bfd.expired": { bfd: Name, afterUs: Type.Integer({ minimum: 0 }), overdueUs: Type.Integer({ minimum: 0 }) },
  "bfd.packet-discarded": {
    reason: text(64),
    peer: opt(Address),
    /** Of our session, as the packet says. */
    discriminator: opt(Unsigned32),
    value: DETAILS.value,
    length: DETAILS.length,
    expected: DETAILS.expected,
  },
  "bfd.error": { code: text(64), message: text(1024), ...DETAILS },
  // --- log: health checkers and IPVS -----------------------------------------------------------------------------------
  /** The checkers hold a real server for well: it takes connections. `enabled`: its weight is back (inhibit_on_failure). */
  "check.server-up": { virtualServer: Service, realServer: Service, action: oneOf(["added", "enabled"]) },
  /** The checkers hold it for ill. Up to 1.4.5 an orderly stop writes the same words. */
  "check.server-down": { virtualServer: Service, realServer: Service, action: oneOf(["removed", "disabled"]) },
  /** Not ill: the daemon stops, or a reload took it out of the configuration. */
  "check.server-gone": {
    realServer: Service,
    reason: oneOf(["shutdown", "reload"]),
    virtualServer: opt(Service),
    /** It was kept with weight 0 (inhibit_on_failure). */
    inhibited: opt(Type.Boolean()),
  },
  "check.weight-changed": {
    virtualServer: Service,
    realServer: Service,
    from: Type.Integer(),
    to: Type.Integer(),
    active: Type.Boolean(),
  },
  "check.quorum-gained": { virtualServer: Service, ...quorum },
  "check.quorum-lost": { virtualServer: Service, ...quorum, initial: Type.Boolean() },
  "check.sorry-server": {
    virtualServer: Service,
    sorryServer: Service,
    action: oneOf(["added", "enabled", "removed", "disabled"]),
  },
  /** All real servers that are up are put into the pool, or taken out of it, as the quorum comes and goes. */
  "check.pool": { virtualServer: Service, action: oneOf(["adding", "removing"]) },
  "check.virtual-server": { virtualServer: Service, action: oneOf(["removed"]) },
  /** An entry of a virtual server group. */
  "check.group-entry": { group: Name, entry: text(255), action: oneOf(["added", "removed"]) },
  /** A checker begins, or pauses while this node does not have the address. */
  "check.activation": { service: Service, active: Type.Boolean(), virtualServer: opt(Service) },
  /** What one checker found. `down`: its retries are used up; `failure`: it may try again. */
  "check.result": {
    checker: oneOf(CHECKERS),
    outcome: oneOf(["success", "failure", "down"]),
    service: opt(Service),
    /** Of a MISC_CHECK up to 1.4.5, which writes no port. */
    address: opt(Address),
    virtualServer: opt(Service),
    /** Short code: timeout, connect, status, digest, … */
    reason: opt(text(64)),
    retries: opt(Type.Integer({ minimum: 0 })),
    /** Which of its retries it was, and how many there are: no verdict yet. */
    retry: opt(Type.Integer({ minimum: 0 })),
    retriesMax: opt(Type.Integer({ minimum: 0 })),
    /** HTTP status, exit status of a script, or rcode of a DNS answer. */
    status: opt(Type.Integer({ minimum: 0, maximum: 999 })),
    signal: opt(Signal),
    url: opt(text(1024)),
    /** 1.x numbers the urls of a checker instead of naming them. */
    urlIndex: opt(Type.Integer({ minimum: 0 })),
    script: opt(text(1024)),
    bfd: DETAILS.bfd,
    /** Where it connects to, when that is not the real server's own address and port (connect_ip, connect_port). */
    connectTo: opt(Service),
    /** What had to end in time: `connect`, `HTTP read`, … */
    phase: opt(text(64)),
    /** MD5 of what the server answered. */
    digest: opt(text(64)),
    error: DETAILS.error,
    errno: DETAILS.errno,
    /** Of our own probe: from its start to its verdict, microseconds. */
    latencyUs: opt(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  },
  /** What the checker process could not do: a socket, a TLS context, a regular expression. */
  "check.error": { code: text(64), message: text(1024), ...DETAILS },
  /** The kernel refused a command of IPVS. */
  "ipvs.error": {
    message: text(1024),
    command: opt(text(64)),
    commandNumber: opt(Type.Integer({ minimum: 0 })),
    errno: opt(Errno),
    error: DETAILS.error,
    cause: DETAILS.cause,
  },
  // --- log: e-mail -----------------------------------------------------------------------------------------------------
  "mail.sent": {},
  "mail.failed": {
    reason: text(64),
    server: opt(text(255)),
    command: opt(text(16)),
    status: opt(Type.Integer({ minimum: 0, maximum: 999 })),
    fd: DETAILS.fd,
  },
  // --- log: what keepalived hears of the kernel --------------------------------------------------------------------------
  "netlink.address": { address: Address, present: Type.Boolean(), interface: opt(Name) },
  "netlink.interface": {
    interface: Name,
    action: oneOf(["added", "deleted", "renamed", "mac-changed"]),
    /** The new name or MAC address, and the MAC address it was. */
    to: opt(Name),
    from: DETAILS.from,
    /** `Address` or `Broadcast`: which of the two has changed. */
    keyword: DETAILS.keyword,
  },
  /** A request that failed, or events that were lost: what keepalived believes of the kernel may be wrong. */
  "netlink.error": { code: text(64), message: text(1024), ...DETAILS },
  // --- log: what is known to be of no consequence, and what is not known -------------------------------------------
  "log.notice": { code: text(64), ...DETAILS },
  /** A keepalived line no grammar row claims. Kept, counted, never dropped. */
  "log.unrecognised": {},
  // --- config ----------------------------------------------------------------------------------------------------
  /** The node's effective configuration, sent when it is first read and whenever it changes. */
  "config.loaded": {
    files: Type.Array(
      Type.Object(
        {
          path: text(4096),
          sha256: text(64),
          /** When it was last written, by its file system: microseconds since the epoch. */
          changedTs: opt(Epoch),
        },
        { additionalProperties: false },
      ),
      {
        maxItems: 1024,
      },
    ),
    instances: Type.Array(ConfiguredInstance, { maxItems: 4096 }),
    virtualServers: Type.Array(text(255), { maxItems: 4096 }),
    /** What of each virtual server its other nodes must have as well; absent where there are too many to tell. */
    services: opt(Type.Array(ConfiguredService, { maxItems: 4096 })),
    routerId: opt(Name),
    mail: opt(MailSettings),
  },
  "config.unreadable": { path: text(4096), message: text(1024) },
  /** A file of the configuration as it may be shown, when its contents are new: no password, no credentials of an address. */
  "config.text": {
    path: text(4096),
    /** Of the file as it is, as in `config.loaded`. */
    sha256: text(64),
    /** Lines as they are written, secrets replaced by `[redacted]`. */
    text: text(CONFIG_TEXT_MAX_CHARS),
    /** The file is longer. */
    truncated: opt(Type.Boolean()),
  },
  /** How keepalived is started on the node, link by link, when it is first seen and when it changes. */
  "config.chain": {
    steps: Type.Array(
      Type.Object(
        {
          step: oneOf(CHAIN_STEPS),
          text: text(4096),
          /** Where it is written. */
          file: opt(text(4096)),
          line: opt(Type.Integer({ minimum: 1 })),
        },
        { additionalProperties: false },
      ),
      { maxItems: 256 },
    ),
    /** Every file that keepalived reads, the main one first. */
    files: Type.Array(text(4096), { maxItems: 1024 }),
    /** By what it reads them. */
    release: text(32),
  },
  // --- wire ------------------------------------------------------------------------------------------------------
  /** One advert as captured. Goes to the adverts table, not to the timeline. */
  "wire.advert": {
    ...sender,
    destination: Address,
    version: Type.Union([Type.Literal(2), Type.Literal(3)]),
    ttl: Type.Integer({ minimum: 0, maximum: 255 }),
    authType: oneOf(["none", "pass", "ah", "unknown"]),
    checksum: oneOf(["ok", "bad", "unverified"]),
    /** Right, and not as the RFC of its version has it: one of the sums that keepalived accepts besides. */
    checksumVariant: opt(oneOf(["multicast-destination", "no-pseudo-header"])),
    /** The authentication header's SPI and sequence number. */
    ah: opt(
      Type.Object({ spi: Unsigned32, sequence: Unsigned32 }, { additionalProperties: false, description: "RFC 4302" }),
    ),
    /** Identification of the IPv4 header, which keepalived counts up: tells the same advert in another node's recording. Of recordings alone. */
    ipId: opt(Type.Integer({ minimum: 0, maximum: 65_535 })),
    /** keepalived 2.4's auth_hmac trailer, unverified. */
    hmac: opt(
      Type.Object(
        {
          scheme: Type.Integer({ minimum: 1, maximum: 255 }),
          keyId: Type.Integer({ minimum: 1, maximum: 255 }),
          signedTs: Epoch,
          counter: Type.Integer({ minimum: 0, maximum: 65_535 }),
        },
        { additionalProperties: false },
      ),
    ),
    /** Source address of the frame, when it is a virtual router's own (RFC 9568 section 7.3): the instance uses a VMAC. */
    vmac: opt(Mac),
  },
  /** Gratuitous ARP or an unsolicited neighbour advertisement for a virtual address; of a burst the first. */
  "wire.garp": { interface: Name, family: FamilyT, address: Address, mac: Mac, outgoing: Type.Boolean() },
  "wire.malformed": { interface: opt(Name), reason: text(64), length: Type.Integer({ minimum: 0 }) },
  /** First advert with a priority above 0 of a sender on a virtual router, or the first after it was gone. */
  "wire.master-seen": sender,
  /** The sender announced its end with priority 0, or was silent for longer than its master-down interval. `ts` is when its mastership ended as far as the wire shows: the priority-0 advert, or the last advert. */
  "wire.master-gone": { ...sender, reason: oneOf(["priority-zero", "silent", "capture-ended"]), lastAdvertTs: Epoch },
  // --- kernel ----------------------------------------------------------------------------------------------------
  /** All addresses of the node when the source starts: what was there before we looked. */
  "kernel.addresses": {
    addresses: Type.Array(
      Type.Object(
        { interface: Name, address: Address, prefixLength: Type.Integer({ minimum: 0, maximum: 128 }) },
        { additionalProperties: false },
      ),
      { maxItems: 8192 },
    ),
  },
  "kernel.address-added": {
    interface: Name,
    address: Address,
    prefixLength: Type.Integer({ minimum: 0, maximum: 128 }),
  },
  "kernel.address-removed": {
    interface: Name,
    address: Address,
    prefixLength: Type.Integer({ minimum: 0, maximum: 128 }),
  },
  "kernel.link": { interface: Name, up: Type.Boolean() },
  // --- process -----------------------------------------------------------------------------------------------------
  /** All of keepalived's processes when the source begins, and the unit's state where systemd runs. */
  "process.snapshot": {
    processes: Type.Array(
      Type.Object(
        { pid: Pid, ...processRole, state: ProcessStateT, startedTs: Epoch },
        { additionalProperties: false },
      ),
      { maxItems: 256 },
    ),
  },
  /** `pid` names the process. `ts` is when it was started, as the kernel says. */
  "process.started": processRole,
  "process.gone": processRole,
  "process.state": { ...processRole, state: ProcessStateT, previousState: ProcessStateT },
  /**
   * The kernel has adverts for the VRRP process that it does not read, or it reads them again. `ts` is since when; the two numbers
   * are of its raw sockets together, when that was sure.
   */
  "process.socket": {
    ...processRole,
    unread: Type.Boolean(),
    waitingBytes: Type.Integer({ minimum: 0 }),
    /** Packets lost since the sockets were made, because their buffers were full. */
    dropped: Type.Integer({ minimum: 0 }),
  },
  /** Somebody runs keepalived's start script, or a program that does: what was asked of it. `pid` names the script. */
  "process.launcher": {
    command: text(255, "the script or program, with the service's name when it is one for all"),
    action: text(32, "start, restart, reload, stop, …"),
  },
  /** What systemd says of keepalived's unit, when it is first asked and when it changes. */
  "process.unit": {
    unit: text(255),
    activeState: text(64),
    subState: text(64),
    result: opt(text(64)),
    mainPid: opt(Pid),
    restarts: opt(Type.Integer({ minimum: 0 })),
  },
  // --- dump ----------------------------------------------------------------------------------------------------------
  /** One instance by keepalived's own dump, when the operator allows the signal for it: at first, and when it changes. */
  "dump.instance": {
    instance: Name,
    state: oneOf(STATES),
    wantedState: opt(oneOf(STATES)),
    vrid: opt(Vrid),
    interface: opt(Name),
    priority: opt(Priority),
    basePriority: opt(Priority),
    /** Of the master that is heard; 0 for none. */
    masterPriority: opt(Priority),
    /** The daemon holds its addresses for set. */
    vipsSet: opt(Type.Boolean()),
    lastTransitionTs: opt(Epoch),
  },
  // --- shadow --------------------------------------------------------------------------------------------------------
  /** Whether the shadow follows an instance, and why not: only of a followed one can it say what it should do. */
  "shadow.following": { instance: opt(Name), following: Type.Boolean(), reason: opt(text(255)) },
  /** The state keepalived should be in from now on, and why. */
  "shadow.state": {
    instance: Name,
    state: oneOf(STATES),
    previousState: opt(oneOf(STATES)),
    /** Short code: start, master-down, priority-zero, outranked, fault, …; `seed` for what was so when the watching began. */
    cause: text(64),
  },
  "shadow.priority": { instance: Name, from: Priority, to: Priority },
  /** keepalived should refuse the adverts of this sender, for the reason of a `vrrp.advert-rejected`; `over`: it should no longer. */
  "shadow.advert-rejected": { instance: Name, peer: Address, reason: text(64), over: Type.Boolean() },
  /** A backup heard its master again after some adverts were missing. */
  "shadow.near-miss": {
    instance: Name,
    peer: Address,
    missed: Type.Integer({ minimum: 0 }),
    /** Of the master-down time, 0 to 1. */
    marginUsed: Type.Number({ minimum: 0, maximum: 1 }),
  },
  /**
   * What should be and what is differ for longer than the tolerance: `ts` of a begin is since when, of an end when they agreed
   * again. A begin and the next end with the same code and subject belong together.
   */
  "shadow.divergence": {
    code: oneOf(DIVERGENCES),
    phase: oneOf(["begin", "end"]),
    instance: opt(Name),
    daemon: opt(DaemonT),
    virtualServer: opt(Service),
    realServer: opt(Service),
    expected: text(255, "what should be, in a few words"),
    observed: text(255, "what is"),
    /** One sentence. */
    message: text(1024),
    /** Short code where more is known: why adverts are refused, how the daemon went, … */
    reason: opt(text(64)),
    toleranceUs: Type.Integer({ minimum: 0 }),
    evidence: Type.Array(
      Type.Object(
        { source: oneOf(SOURCES), ts: Epoch, text: text(512), at: opt(text(4352)) },
        { additionalProperties: false },
      ),
      { maxItems: 16 },
    ),
  },
  // --- collector ---------------------------------------------------------------------------------------------------
  /** The node is watched up to this moment; silence of its other sources is knowledge, not ignorance. */
  "collector.heartbeat": { sources: Type.Array(SourceStatus, { maxItems: 64 }) },
  "collector.started": {
    version: text(64),
    sources: Type.Array(SourceStatus, { maxItems: 64 }),
    /** How often a heartbeat comes, microseconds. */
    heartbeatUs: opt(Type.Integer({ minimum: 1 })),
    /** The node's own, by its IANA name: what people on it mean by a time of day. */
    timeZone: opt(text(64)),
  },
  /** A source sees no more, or sees again. How they are at first is in `collector.started`. */
  "collector.source": {
    name: text(64),
    detail: text(4096),
    state: oneOf(["running", "unavailable", "stopped"]),
    reason: opt(text(1024)),
  },
  /**
   * What is known of the node's clock at `ts`, by that clock: when it is first known, when it changes, and every few minutes.
   * Without `offsetUs` nothing but the step is known.
   */
  "collector.clock": {
    /** To be added to the node's time for the reference's: positive when the node's clock is slow. */
    offsetUs: opt(Signed),
    /** The true offset is within so much of it. */
    boundUs: opt(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    /** Whose clock it is compared with: absent for the server's, else a node. */
    reference: opt(Name),
    /** The clock was set: by so much since `beforeTs`, its last reading before. Positive when it was set forward. */
    steppedUs: opt(Signed),
    beforeTs: opt(Epoch),
  },
  /** The server's word: it has heard nothing of the node's collector since. `ts` and `since` are by the server's clock. */
  "collector.unheard": { since: Epoch },
  /**
   * The server's word: the node is what this collector, in this boot of its host, calls `calls`. Where that is another name than
   * the node's, a second host has it. `ts` is by the node's clock, `observedTs` by the server's.
   */
  "collector.named": {
    calls: Name,
    collector: text(32),
    boot: opt(text(32)),
    /** Where it was first heard from. */
    address: opt(text(64)),
    heartbeatUs: opt(Type.Integer({ minimum: 1 })),
  },
  /** Orderly end of the collector: from here on the node is not watched. */
  "collector.stopped": {},
  /** Something that could not be seen: what, why, and how much, when that is known. */
  "collector.gap": {
    sourceName: text(64),
    reason: text(1024),
    from: opt(Epoch),
    to: opt(Epoch),
    lost: opt(Type.Integer({ minimum: 0 })),
  },
} as const satisfies Record<string, Record<string, TSchema>>;

export type EventKind = keyof typeof EVENT_KINDS;

const Base = {
  /** Deterministic: reading the same input again gives the same id. 32 hex digits. */
  id: Type.String({ pattern: "^[0-9a-f]{32}$" }),
  cluster: text(64),
  node: text(255),
  source: oneOf(SOURCES),
  /** When it happened, as far as the source says. With a syslog second it is the second's start. */
  ts: Epoch,
  /** It happened in [ts, ts + tsUncertaintyUs]. 1,000,000 for a classic syslog line. */
  tsUncertaintyUs: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  /** When the collector saw it. */
  observedTs: Epoch,
  /** Pid of the keepalived process that wrote the line, when the line says, or that a process event speaks of. */
  pid: opt(Pid),
  /** Where it stands: `file:lineno` or `file@byte` for a log or configuration line, a capture's `file#frame`, a journal cursor. */
  at: opt(text(4352)),
  /** The raw line, for log events. */
  raw: opt(text(RAW_MAX_CHARS)),
  rawTruncated: opt(Type.Boolean()),
  /**
   * The line stands for this many of the same that its writer gathered into one ("message repeated N times"); the one before
   * them is an event of its own. Only when the last of them was written is known: at `ts`.
   */
  repeated: opt(Type.Integer({ minimum: 1, maximum: 999_999_999 })),
  /** The node's clock was set back, and `ts` is an instant that it shows for the second time. */
  secondPass: opt(Type.Literal(true)),
};

type BaseFields = {
  -readonly [K in "id" | "cluster" | "node"]: string;
} & {
  source: Source;
  ts: number;
  tsUncertaintyUs: number;
  observedTs: number;
  pid?: number;
  at?: string;
  raw?: string;
  rawTruncated?: boolean;
  repeated?: number;
  secondPass?: true;
};

type FieldsOf<K extends EventKind> = Static<TObject<(typeof EVENT_KINDS)[K]>>;

/** One event of kind K. */
export type EventOf<K extends EventKind> = { [Kind in K]: Readonly<BaseFields & { kind: Kind } & FieldsOf<Kind>> }[K];
/** Any event. Narrow it by `kind`. */
export type Event = EventOf<EventKind>;

/** What a parser makes before the edge adds cluster, node, times and id: the kind and its fields. */
export type EventBody<K extends EventKind = EventKind> = { [Kind in K]: Readonly<{ kind: Kind } & FieldsOf<Kind>> }[K];

export function isKind<K extends EventKind>(
  event: Event,
  ...kinds: readonly K[]
): event is Extract<Event, { kind: K }> {
  return (kinds as readonly string[]).includes(event.kind);
}

/** The full schema of one kind, as OpenAPI and the validator use it. Unknown fields are refused, not dropped. */
export function eventSchema(kind: EventKind): TObject {
  return Type.Object({ ...Base, kind: Type.Literal(kind), ...EVENT_KINDS[kind] }, { additionalProperties: false });
}

const checkers = new Map<string, Checker<unknown>>();

/** What is wrong with a value that should be an event: a field (`priority`, or `` for the whole) and a sentence. */
export type EventFault = { readonly field: string; readonly message: string };

/** Checks a value from outside against the contract. @returns undefined when it is an event, else the first fault. */
export function eventFault(value: unknown): EventFault | undefined {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  if (typeof kind !== "string") return { field: "kind", message: "an event is an object with a kind" };
  if (!Object.hasOwn(EVENT_KINDS, kind))
    return { field: "kind", message: `unknown kind ${JSON.stringify(kind.slice(0, 64))}` };
  let checker = checkers.get(kind);
  if (!checker) {
    checker = checkerOf(eventSchema(kind as EventKind));
    checkers.set(kind, checker);
  }
  if (checker.Check(value)) return undefined;
  const first = checker.Errors(value)[0];
  if (!first) return { field: "", message: "not a valid event" };
  const field = first.instancePath.replace(/^\//, "").replaceAll("/", ".");
  return { field, message: `${field || "event"} ${first.message}` };
}
