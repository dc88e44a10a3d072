import type { Daemon, EventBody, ProcessState } from "../events/event.ts";

/** One process of keepalived as /proc shows it at a look. */
export interface SeenProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** Clock ticks since the boot: with the pid it names a process for good, whatever pids come again. */
  readonly startTicks: number;
  /** When it was started, epoch microseconds. */
  readonly startedUs: number;
  /** The letter of /proc/PID/stat (proc(5)): R S D Z T t X I. */
  readonly letter: string;
}

/** What tells which child does what: keepalived's own names for its processes are all the same. */
export interface RoleHints {
  /** By pid: what the pid files name. */
  readonly pidFiles: ReadonlyMap<number, Daemon>;
  /** By pid: what the log said when the child was forked. */
  readonly log: ReadonlyMap<number, Daemon>;
  /** The children the configuration makes it start. */
  readonly expected: readonly Daemon[];
}

export interface KnownProcess extends SeenProcess {
  readonly daemon: Daemon | undefined;
  readonly state: ProcessState;
}

/** What changed between two looks. `atUs` is when, epoch microseconds: of a start what the kernel says, else that of the look. */
export interface ProcessChange {
  readonly process: KnownProcess;
  readonly atUs: number;
  readonly body: EventBody<"process.started" | "process.gone" | "process.state">;
}

/** A process that waits for a disk or a driver at every look for this long is blocked, microseconds: shorter waits are everyday. */
export const BLOCKED_AFTER_US = 2_000_000;
/** How long a process may be there without telling what it does, microseconds. */
const TRANSIENT_US = 1_000_000;
/** Most processes followed: a daemon has four, and a node few daemons. */
export const PROCESSES_MAX = 256;

interface Entry extends KnownProcess {
  /** Since when it waits without interruption by what the looks saw, epoch microseconds. */
  readonly waitingSince: number | undefined;
}

/** Follows keepalived's processes from look to look. */
export class ProcessTable {
  private entries = new Map<number, Entry>();
  private isSettled = false;
  private named = false;

  /** Oldest first. */
  known(): readonly KnownProcess[] {
    return [...this.entries.values()].sort((a, b) => a.startTicks - b.startTicks || a.pid - b.pid);
  }

  /** Whether the last look told of one that was known before what it does: its pid file was written late, or found late. */
  hasLearnt(): boolean {
    return this.named;
  }

  /** As long as all looks the same, another look tells nothing: each is known for what it is, and none waits. */
  isSteady(): boolean {
    return this.isSettled;
  }

  /** @param seen  all of keepalived's processes there are at `nowUs`, epoch microseconds */
  look(seen: readonly SeenProcess[], hints: RoleHints, nowUs: number): ProcessChange[] {
    const before = this.entries;
    const roles = rolesOf(seen, before, hints, nowUs);
    const after = new Map<number, Entry>();
    for (const process of seen.filter((one) => isSettled(one, roles, nowUs)).slice(0, PROCESSES_MAX)) {
      const known = sameProcess(before.get(process.pid), process);
      const waitingSince = process.letter === "D" ? (known?.waitingSince ?? nowUs) : undefined;
      const state = stateOf(process.letter, waitingSince, nowUs);
      after.set(process.pid, {
        ...process,
        startedUs: known?.startedUs ?? process.startedUs,
        daemon: roles.get(process.pid),
        state,
        waitingSince,
      });
    }
    this.entries = after;
    this.named = [...after.values()].some((now) => {
      const known = sameProcess(before.get(now.pid), now);
      return known !== undefined && known.daemon === undefined && now.daemon !== undefined;
    });
    this.isSettled =
      after.size === seen.length &&
      [...after.values()].every(({ daemon, waitingSince }) => daemon !== undefined && waitingSince === undefined);
    const gone = [...before.values()].filter((one) => !sameProcess(after.get(one.pid), one));
    const changes = [...after.values()].flatMap((now) => changesOf(sameProcess(before.get(now.pid), now), now, nowUs));
    return [
      ...gone.map(
        (process): ProcessChange => ({ process, atUs: nowUs, body: { kind: "process.gone", ...roleOf(process) } }),
      ),
      ...changes.sort((a, b) => a.atUs - b.atUs),
    ];
  }
}

/** A process forked to run a script is keepalived's twin until its execve(2): what has no role counts when it stays. */
const isSettled = ({ pid, startedUs }: SeenProcess, roles: ReadonlyMap<number, unknown>, nowUs: number): boolean =>
  roles.get(pid) !== undefined || nowUs - startedUs >= TRANSIENT_US;

function sameProcess(entry: Entry | undefined, process: SeenProcess): Entry | undefined {
  return entry?.startTicks === process.startTicks ? entry : undefined;
}

function changesOf(before: Entry | undefined, now: Entry, nowUs: number): ProcessChange[] {
  const changes: ProcessChange[] = [];
  if (!before)
    changes.push({
      process: now,
      atUs: Math.min(now.startedUs, nowUs),
      body: { kind: "process.started", ...roleOf(now) },
    });
  const previousState = before?.state ?? "running";
  if (previousState !== now.state)
    changes.push({
      process: now,
      atUs: nowUs,
      body: { kind: "process.state", ...roleOf(now), state: now.state, previousState },
    });
  return changes;
}

export const roleOf = ({ daemon, parentPid }: KnownProcess): { daemon?: Daemon; parentPid: number } => ({
  ...(daemon === undefined ? {} : { daemon }),
  parentPid,
});

function stateOf(letter: string, waitingSince: number | undefined, nowUs: number): ProcessState {
  if (letter === "T" || letter === "t") return "frozen";
  if (letter === "Z" || letter === "X") return "zombie";
  return waitingSince !== undefined && nowUs - waitingSince >= BLOCKED_AFTER_US ? "blocked" : "running";
}

/** The parent is the one whose own parent is no keepalived; of its children pid files and log say which is which. */
function rolesOf(
  seen: readonly SeenProcess[],
  before: ReadonlyMap<number, Entry>,
  { pidFiles, log, expected }: RoleHints,
  nowUs: number,
): Map<number, Daemon | undefined> {
  const pids = new Set(seen.map(({ pid }) => pid));
  const roles = new Map<number, Daemon | undefined>();
  for (const process of seen) {
    const { pid, parentPid } = process;
    const known = sameProcess(before.get(pid), process)?.daemon;
    // A child whose parent was killed is still what it was.
    const isParent = !pids.has(parentPid) && (known === undefined || known === "parent");
    roles.set(
      pid,
      // The launcher is the parent's own parent, until it ends.
      pidFiles.get(pid) === "parent" || (isParent && !isChild(pidFiles.get(pid)))
        ? "parent"
        : (childRole(pidFiles.get(pid)) ?? childRole(log.get(pid)) ?? known),
    );
  }
  // The one that is left is the one that was expected.
  const nameless = seen.filter(({ pid }) => roles.get(pid) === undefined);
  const left = expected.filter((daemon) => ![...roles.values()].includes(daemon));
  const [only] = nameless;
  // What a parent forks in its first moments may be the daemon itself, and the parent its launcher.
  const forker = seen.find(({ pid }) => pid === only?.parentPid);
  const isYoung = forker !== undefined && nowUs - forker.startedUs < TRANSIENT_US;
  if (only && !isYoung && nameless.length === 1 && left.length === 1 && expected.length + 1 === seen.length)
    roles.set(only.pid, left[0]);
  return roles;
}

const isChild = (daemon: Daemon | undefined): boolean => daemon !== undefined && daemon !== "parent";
const childRole = (daemon: Daemon | undefined): Daemon | undefined => (isChild(daemon) ? daemon : undefined);
