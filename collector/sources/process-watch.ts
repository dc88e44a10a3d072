import { existsSync, type FSWatcher, readFileSync, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { SubsystemName } from "../chain/chain.ts";
import { isKeepalived } from "../chain/process.ts";
import type { Clock } from "../core/time.ts";
import type { Daemon, EventBody, SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { SOCKETS_LOOK_US, UnreadSockets } from "../process/sockets.ts";
import { type KnownProcess, type ProcessChange, ProcessTable, roleOf, type SeenProcess } from "../process/table.ts";
import { parseUnit, UNIT_PROPERTIES } from "../process/unit.ts";
import { type StartChild, startChild } from "./child.ts";
import type { EffectiveConfigs } from "./effective-config.ts";
import type { Handover } from "./handover.ts";
import { launchesNow } from "./launchers.ts";
import { Outbox } from "./outbox.ts";
import {
  childrenOf,
  commandOf,
  networkNamespaceOf,
  type ProcessStat,
  processIds,
  rawSocketsOf,
  readStat,
  ticksToUs,
  uptimeUs,
} from "./processes.ts";
import type { Source, SourceContext } from "./source.ts";
import { wait as waitFor } from "./wait.ts";

/** How often keepalived's known processes are looked at, milliseconds. */
const LOOK_MS = 250;
/** How often new processes are looked for, microseconds. Pid files that change are seen at once. */
const SEARCH_US = 2_000_000;
/** After so many searches every process is looked at anew: a pid may have come again. */
const SEARCHES_FULL = 15;
/** A process this young may yet become another program by execve(2), microseconds. */
const YOUNG_US = 10_000_000;
/** How often systemd is asked when nothing changes, microseconds. */
const UNIT_US = 30_000_000;
/** Longest pid file read, bytes. */
const PID_FILE_BYTES_MAX = 64;
/** Most roles remembered from the log. */
const LOG_ROLES_MAX = 256;
/** Most start scripts remembered: each is told of once. */
const LAUNCHERS_MAX = 64;

export interface ProcessWatchOptions {
  readonly clock: Clock;
  /** What keepalived would run: names the pid files and the children to expect. */
  readonly configs: EffectiveConfigs;
  /** Observations of the log: its lines tell which child is forked with which pid. */
  readonly logged?: Handover<readonly Observation[]>;
  /** The process table now, and what changed in it, before it is durable. */
  readonly processes?: Handover<ProcessNews>;
  readonly proc?: string;
  readonly start?: StartChild;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Whether systemd runs this machine: sd_booted(3). */
  readonly hasSystemd?: () => boolean;
}

export interface ProcessNews {
  readonly known: readonly KnownProcess[];
  /** Empty for what there was before anybody looked, or before it was known what it does: that is `known` then. */
  readonly changes: readonly ProcessChange[];
  /** By the kernel's clock that start ticks are counted on: microseconds since the boot, at this look. */
  readonly uptimeUs: number;
}

/** keepalived's processes: which there are, since when, and whether they run, whatever anybody says. */
export function createProcessWatchSource(options: ProcessWatchOptions): Source {
  return new ProcessWatchSource(options);
}

class ProcessWatchSource implements Source {
  readonly name = "process";
  private readonly options: ProcessWatchOptions;
  private readonly proc: string;
  private readonly table = new ProcessTable();
  private readonly search: Search;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly stopping = new AbortController();
  private readonly logRoles = new Map<number, Daemon>();
  /** Start scripts that were told of, by pid. */
  private readonly launchers = new Map<number, string>();
  private readonly unsubscribe: (() => void)[] = [];
  private outbox: Outbox | undefined;
  /** What the pid files say, and when they were read. */
  private named: { readonly pids: ReadonlyMap<Daemon, number>; readonly at: number } | undefined;
  private watched: { readonly dir: string; readonly watcher: FSWatcher } | undefined;
  /** Raised when a pid file has changed. */
  private woken = new AbortController();
  private lookedAt: number | undefined;
  /** When the table was last told what there is, on the clock that never steps. */
  private thoughtAt = Number.NEGATIVE_INFINITY;
  /** Of the VRRP process with this pid and start. */
  private sockets: { readonly whose: string; readonly unread: UnreadSockets } | undefined;
  private socketsAt = Number.NEGATIVE_INFINITY;
  private unitAt = Number.NEGATIVE_INFINITY;
  private unitTold = "";
  private unitAsked: Promise<void> = Promise.resolve();
  private running: Promise<void> = Promise.resolve();
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private looks = 0;

  constructor(options: ProcessWatchOptions) {
    this.options = options;
    this.proc = options.proc ?? "/proc";
    this.search = new Search(this.proc, () => this.wantedNamespace());
    this.wait = options.wait ?? waitFor;
  }

  async start(context: SourceContext): Promise<void> {
    this.outbox = new Outbox(context, this.name, this.options.clock);
    if (uptimeUs(this.proc) === undefined) {
      this.state = "unavailable";
      this.reason = `${this.proc} is not mounted: processes cannot be seen`;
      context.log("warn", this.reason);
      return;
    }
    const { logged, configs } = this.options;
    if (logged) this.unsubscribe.push(logged.subscribe((lines) => this.learnRoles(lines)));
    this.unsubscribe.push(configs.subscribe(() => this.watchPidFiles()));
    this.state = "running";
    this.reason = undefined;
    this.look();
    this.running = this.keepLooking();
  }

  async stop(): Promise<void> {
    for (const end of this.unsubscribe.splice(0)) end();
    this.watched?.watcher.close();
    this.watched = undefined;
    this.stopping.abort();
    this.woken.abort();
    await this.running;
    await this.unitAsked;
    await this.outbox?.drain();
    this.state = "stopped";
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    return {
      name: this.name,
      detail: "keepalived's processes",
      state: this.state,
      read: this.looks,
      unrecognised: 0,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  private async keepLooking(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.wait(LOOK_MS, this.woken.signal);
      if (this.woken.signal.aborted) {
        this.woken = new AbortController();
        this.search.due();
        this.named = undefined;
        this.thoughtAt = Number.NEGATIVE_INFINITY;
      }
      if (!this.stopping.signal.aborted) this.look();
    }
  }

  private look(): void {
    const mono = this.options.clock.mono();
    // Nearly always nothing has changed, and there is nothing to think about.
    if (mono - this.thoughtAt < SEARCH_US && this.table.isSteady() && this.search.isAsBefore()) {
      this.lookedAt = this.options.clock.epoch();
      this.looks += 1;
    } else {
      this.lookThrough(mono);
    }
    if (mono - this.socketsAt >= SOCKETS_LOOK_US) {
      this.socketsAt = mono;
      this.lookAtSockets(this.options.clock.epoch());
    }
    if (mono - this.unitAt >= UNIT_US) {
      this.unitAt = mono;
      this.unitAsked = this.unitAsked.then(() => this.askUnit());
    }
  }

  private lookThrough(mono: number): void {
    const uptime = uptimeUs(this.proc);
    if (uptime === undefined) return;
    const { clock } = this.options;
    const now = clock.epoch();
    this.thoughtAt = mono;
    if (this.named === undefined || Math.abs(uptime - this.named.at) >= SEARCH_US)
      this.named = { pids: this.pidsOfFiles(), at: uptime };
    const named = this.named.pids;
    const seen = this.search.look(uptime, named).map((process) => seenOf(process, now - uptime));
    const isFirst = this.lookedAt === undefined;
    const changes = this.table.look(
      seen,
      {
        pidFiles: new Map([...named].map(([daemon, pid]) => [pid, daemon])),
        log: this.logRoles,
        expected: this.expected(),
      },
      now,
    );
    const since = this.lookedAt ?? now;
    this.lookedAt = now;
    this.looks += 1;
    // What was found without a name, and has one now, was there before: it does not start.
    const isFound = isFirst || this.table.hasLearnt();
    const told = isFirst ? [] : changes;
    this.outbox?.add([
      ...(isFound ? [this.snapshot(now)] : []),
      ...told.map((change) => observationOf(change, Math.min(since, now))),
    ]);
    const known = this.table.known();
    if (isFound) this.options.processes?.publish({ known, changes: [], uptimeUs: uptime });
    if (told.length > 0) this.options.processes?.publish({ known, changes: told, uptimeUs: uptime });
    if (changes.length > 0) this.unitAt = Number.NEGATIVE_INFINITY;
  }

  private snapshot(ts: number): Observation {
    const processes = this.table.known().map((process) => ({
      pid: process.pid,
      ...roleOf(process),
      state: process.state,
      startedTs: process.startedUs,
    }));
    return {
      source: "process",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["process snapshot", ts],
      body: { kind: "process.snapshot", processes },
    };
  }

  /** A process that hangs, is paused, or has lost its socket leaves there what it should read. */
  private lookAtSockets(now: number): void {
    const vrrp = this.table.known().find(({ daemon, state }) => daemon === "vrrp" && state !== "zombie");
    if (!vrrp) return;
    const whose = `${vrrp.pid} ${vrrp.startTicks}`;
    if (this.sockets?.whose !== whose) this.sockets = { whose, unread: new UnreadSockets() };
    const change = this.sockets.unread.look(rawSocketsOf(vrrp.pid, this.proc), now);
    if (!change) return;
    const { atUs, uncertaintyUs, ...told } = change;
    this.outbox?.add([
      {
        source: "process",
        ts: atUs,
        tsUncertaintyUs: uncertaintyUs,
        idParts: ["process socket", whose, String(told.unread), atUs],
        pid: vrrp.pid,
        body: { kind: "process.socket", ...roleOf(vrrp), ...told },
      },
    ]);
  }

  private learnRoles(lines: readonly Observation[]): void {
    for (const { body } of lines) {
      if (body.kind === "daemon.stopping") this.tellLaunchers();
      if (body.kind !== "daemon.child-starting") continue;
      this.logRoles.delete(body.childPid);
      this.logRoles.set(body.childPid, body.daemon);
      const [oldest] = this.logRoles.keys();
      if (this.logRoles.size > LOG_ROLES_MAX && oldest !== undefined) this.logRoles.delete(oldest);
    }
  }

  /** A stop that a script asked for is mostly half of a restart; the script is there until it has started the new one. */
  private tellLaunchers(): void {
    const ts = this.options.clock.epoch();
    for (const { pid, body } of launchesNow(this.proc)) {
      const key = `${pid} ${body.command} ${body.action}`;
      if (this.launchers.get(pid) === key) continue;
      this.launchers.set(pid, key);
      const [oldest] = this.launchers.keys();
      if (this.launchers.size > LAUNCHERS_MAX && oldest !== undefined) this.launchers.delete(oldest);
      this.outbox?.add([{ source: "process", ts, tsUncertaintyUs: 0, idParts: ["launcher", key, ts], pid, body }]);
    }
  }

  // --- what the configuration says of processes ---------------------------------------------------------------------

  private expected(): readonly Daemon[] {
    const chain = this.options.configs.current()?.chain;
    return (chain?.subsystems ?? []).filter(({ runs }) => runs).map(({ name }) => DAEMON_OF[name]);
  }

  private pidsOfFiles(): ReadonlyMap<Daemon, number> {
    const pidFiles = this.options.configs.current()?.chain?.pidFiles ?? DEFAULT_PID_FILES;
    const pids = new Map<Daemon, number>();
    for (const name of ["parent", "vrrp", "checkers", "bfd"] as const) {
      const pid = pidIn(pidFiles[name]);
      if (pid !== undefined) pids.set(name === "parent" ? name : DAEMON_OF[name], pid);
    }
    return pids;
  }

  private watchPidFiles(): void {
    const chain = this.options.configs.current()?.chain;
    const paths = Object.values(chain?.pidFiles ?? DEFAULT_PID_FILES);
    const dir = dirname(paths[0] ?? "/run/keepalived.pid");
    if (this.watched?.dir === dir) return;
    this.watched?.watcher.close();
    this.watched = undefined;
    try {
      const watcher = watch(dir, (_, name) => {
        if (name === null || name.endsWith(".pid")) this.woken.abort();
      });
      watcher.on("error", () => watcher.close());
      this.watched = { dir, watcher };
    } catch {
      // A folder that is made when the daemon starts: the search finds the daemon.
    }
  }

  /** keepalived with `-s NAME` or `net_namespace` lives in that namespace, any other in the collector's own. */
  private wantedNamespace(): string | undefined {
    const chain = this.options.configs.current()?.chain;
    if (chain?.namespace === undefined) return networkNamespaceOf("self", this.proc);
    const stat = statSync(`/run/netns/${chain.namespace}`, { throwIfNoEntry: false });
    return stat ? `net:[${stat.ino}]` : undefined;
  }

  // --- systemd ------------------------------------------------------------------------------------------------------

  private async askUnit(): Promise<void> {
    const { hasSystemd = sdBooted, start = startChild, configs, clock } = this.options;
    if (this.stopping.signal.aborted || !hasSystemd()) return;
    const launcher = configs.current()?.chain?.launcher;
    const unit = launcher?.kind === "systemd" ? launcher.unit.name : "keepalived.service";
    const child = start("systemctl", ["show", "-p", UNIT_PROPERTIES.join(","), "--", unit]);
    const chunks: string[] = [];
    for await (const chunk of child.stdout) if (chunks.length < 16) chunks.push(String(chunk));
    const { code } = await child.ended;
    const body = code === 0 ? parseUnit(unit, chunks.join("")) : undefined;
    const told = JSON.stringify(body);
    if (body === undefined || told === this.unitTold) return;
    this.unitTold = told;
    const ts = clock.epoch();
    this.outbox?.add([{ source: "process", ts, tsUncertaintyUs: 0, idParts: ["process unit", ts, told], body }]);
  }
}

/** Which of the machine's processes are keepalived's, found without reading all of them all the time. */
class Search {
  private readonly proc: string;
  private readonly wantedNamespace: () => string | undefined;
  private keepalived = new Map<number, ProcessStat>();
  /** Processes that are something else, by pid: when they were started. */
  private others = new Map<number, number>();
  private searchedAt = Number.NEGATIVE_INFINITY;
  private searches = 0;
  /** What a parent had forked at the last look, by its pid. */
  private children = new Map<number, readonly number[]>();

  constructor(proc: string, wantedNamespace: () => string | undefined) {
    this.proc = proc;
    this.wantedNamespace = wantedNamespace;
  }

  /** The next look searches. */
  due(): void {
    this.searchedAt = Number.NEGATIVE_INFINITY;
  }

  /** @param uptime  microseconds since the boot */
  look(uptime: number, named: ReadonlyMap<Daemon, number>): readonly ProcessStat[] {
    const before = this.keepalived;
    this.keepalived = new Map();
    for (const { pid, startTicks } of before.values()) {
      const stat = readStat(pid, this.proc);
      if (stat?.startTicks === startTicks) this.keepalived.set(pid, stat);
    }
    if (uptime - this.searchedAt >= SEARCH_US) {
      this.searchedAt = uptime;
      this.searches += 1;
      if (this.searches % SEARCHES_FULL === 0) this.others.clear();
      const pids = processIds(this.proc);
      for (const pid of pids) this.consider(pid, uptime);
      const alive = new Set(pids);
      for (const pid of this.others.keys()) if (!alive.has(pid)) this.others.delete(pid);
    } else {
      for (const pid of named.values()) this.consider(pid, uptime);
    }
    const parents = [...this.keepalived.values()].filter(({ parent }) => !this.keepalived.has(parent));
    this.children = new Map(parents.map(({ pid }) => [pid, childrenOf(pid, this.proc)]));
    for (const forked of this.children.values()) for (const child of forked) this.consider(child, uptime);
    // What a child forks is a script on its way.
    const first = new Set(parents.map(({ pid }) => pid));
    return [...this.keepalived.values()].filter(({ pid, parent }) => first.has(pid) || first.has(parent));
  }

  /** Whether all that were found are still there as they were, and have forked nothing. */
  isAsBefore(): boolean {
    for (const before of this.keepalived.values()) {
      const now = readStat(before.pid, this.proc);
      if (now?.startTicks !== before.startTicks || now.letter !== before.letter || now.parent !== before.parent)
        return false;
    }
    for (const [pid, before] of this.children) {
      const now = childrenOf(pid, this.proc);
      if (now.length !== before.length || now.some((child, at) => child !== before[at])) return false;
    }
    return true;
  }

  private consider(pid: number, uptime: number): void {
    if (this.keepalived.has(pid) || this.others.has(pid)) return;
    const stat = readStat(pid, this.proc);
    if (!stat) return;
    if (this.isOurs(stat)) this.keepalived.set(pid, stat);
    else if (uptime - ticksToUs(stat.startTicks) > YOUNG_US) this.others.set(pid, stat.startTicks);
  }

  private isOurs(stat: ProcessStat): boolean {
    // A zombie has neither a program nor a command line left, but a name and, mostly, a parent that is known.
    if (stat.letter === "Z") return this.keepalived.has(stat.parent) && stat.name.startsWith("keepalived");
    const command = commandOf(stat.pid, this.proc);
    // A script between fork(2) and execve(2) looks like its parent: it is there for a moment.
    if (!isKeepalived({ pid: stat.pid, parent: stat.parent, name: stat.name, ...command })) return false;
    if (isOneShot(command.argv)) return false;
    const [own, wanted] = [networkNamespaceOf(stat.pid, this.proc), this.wantedNamespace()];
    return own === undefined || wanted === undefined || own === wanted;
  }
}

/** Started to say something and end: a test of the configuration, a version, a signal's number. */
const isOneShot = (argv: readonly string[]): boolean =>
  argv.slice(1).some((word) => /^(?:-t|-v|-h|--config-test(?:=.*)?|--version|--help|--signum(?:=.*)?)$/.test(word));

function seenOf({ pid, parent, letter, startTicks }: ProcessStat, bootUs: number): SeenProcess {
  return { pid, parentPid: parent, startTicks, letter, startedUs: Math.round(bootUs + ticksToUs(startTicks)) };
}

/** What happened between two looks happened in that time; a start is known to a hundredth of a second. */
function observationOf({ process, atUs, body }: ProcessChange, sinceUs: number): Observation {
  const isStart = body.kind === "process.started";
  const ts = isStart ? atUs : sinceUs;
  const state = body.kind === "process.state" ? body.state : "";
  return {
    source: "process",
    ts,
    tsUncertaintyUs: isStart ? 10_000 : atUs - sinceUs,
    idParts: ["process", process.pid, process.startTicks, body.kind, state, ts],
    pid: process.pid,
    body: body as EventBody,
  };
}

const DAEMON_OF = { vrrp: "vrrp", checkers: "checker", bfd: "bfd" } as const satisfies Record<SubsystemName, Daemon>;

/** Where keepalived writes them when nothing says otherwise. */
const DEFAULT_PID_FILES = {
  parent: "/run/keepalived.pid",
  vrrp: "/run/vrrp.pid",
  checkers: "/run/checkers.pid",
  bfd: "/run/bfd.pid",
} as const;

function pidIn(path: string): number | undefined {
  try {
    const text = readFileSync(path, "latin1").slice(0, PID_FILE_BYTES_MAX);
    const match = /^\s*(\d{1,10})\s*$/.exec(text);
    return match ? Number(match[1]) : undefined;
  } catch {
    return undefined;
  }
}

const sdBooted = (): boolean => existsSync("/run/systemd/system");
