import { type Daemon, type Event, isKind } from "../../../collector/events/event.ts";
import { clock } from "../describe.ts";
import type { DaemonView } from "../detector.ts";
import { CHILD_GONE_US, LAUNCH_DEADLINE_US, ORPHAN_GRACE_US, START_DEADLINE_US } from "../options.ts";
import type { EventOf, Finding } from "./finding.ts";

/** What keepalived's processes say of a start: children that are missing or were left behind, and a start that started nothing. */

const CHILDREN: Readonly<Record<Exclude<Daemon, "parent">, string>> = {
  vrrp: "VRRP process",
  checker: "checker process",
  bfd: "BFD process",
};
const nameOf = (daemon: Daemon | undefined): string =>
  daemon === undefined || daemon === "parent" ? "child process" : CHILDREN[daemon];

interface Child {
  readonly pid: number;
  readonly daemon: Daemon | undefined;
  readonly parentPid: number | undefined;
}

/** A child that goes on after its parent: it has no pid file that a stop or a reload would find, and takes addresses over. */
export function orphans({ events, watchedTo, node }: DaemonView): Finding[] {
  const alive = new Map<number, Child>();
  /** What lives for less than a look may be told to have begun and ended at one instant, in either order. */
  const goneAt = new Map<number, number>();
  const left: { child: Child; begin: Event; end: Event | null }[] = [];
  for (const event of events) {
    if (event.kind === "process.snapshot") {
      alive.clear();
      for (const { pid, daemon, parentPid } of event.processes)
        if (daemon !== "parent") alive.set(pid, { pid, daemon, parentPid });
    } else if (event.kind === "process.started" && event.daemon !== "parent" && event.pid !== undefined) {
      if (goneAt.get(event.pid) === event.ts) continue;
      alive.set(event.pid, { pid: event.pid, daemon: event.daemon, parentPid: event.parentPid });
    } else if (event.kind === "process.gone" && event.pid !== undefined) {
      alive.delete(event.pid);
      goneAt.set(event.pid, event.ts);
      for (const one of left) if (one.child.pid === event.pid) one.end ??= event;
      if (event.daemon !== "parent") continue;
      for (const child of alive.values())
        if (child.parentPid === event.pid) left.push({ child, begin: event, end: null });
    }
  }
  return left
    .filter(({ begin, end }) => (end?.ts ?? watchedTo) - begin.ts > ORPHAN_GRACE_US)
    .map(({ child, begin, end }) => ({
      code: "orphaned-child",
      text: `its parent is gone since ${clock(begin.ts)}, and the ${nameOf(child.daemon)} ${child.pid} runs on without it: a stop, a reload and a start do not reach it`,
      events: end ? [begin, end] : [begin],
      ts: begin.ts,
      look: [`pgrep -a keepalived on ${node}; kill ${child.pid} before the next start`],
      severity: "critical",
      certainty: "confirmed",
      start: begin.ts,
      end: end?.ts ?? null,
    }));
}

/** A child that ended while its parent lives, and was not started again. */
export function missingChildren({ events, watchedTo, node }: DaemonView): Finding[] {
  const open = new Map<Daemon, EventOf<"process.gone">>();
  const found: { gone: EventOf<"process.gone">; end: Event | null }[] = [];
  const close = (daemon: Daemon, end: Event): void => {
    const gone = open.get(daemon);
    if (!gone) return;
    open.delete(daemon);
    // With its parent it ended in company.
    const isEnd = end.kind === "process.gone" || end.kind === "daemon.stopping";
    if (!(isEnd && end.ts - gone.ts <= CHILD_GONE_US)) found.push({ gone, end });
  };
  let stoppingAt = Number.NEGATIVE_INFINITY;
  let hasParent = false;
  for (const event of events) {
    if (event.kind === "daemon.stopping") {
      stoppingAt = event.ts;
      for (const daemon of open.keys()) close(daemon, event);
    } else if (event.kind === "process.snapshot") {
      hasParent = event.processes.some(({ daemon }) => daemon === "parent");
      for (const daemon of open.keys())
        if (!hasParent || event.processes.some((process) => process.daemon === daemon)) close(daemon, event);
    } else if (event.kind === "process.started") {
      if (event.daemon === "parent") hasParent = true;
      if (event.daemon !== undefined) close(event.daemon, event);
    } else if (event.kind === "process.gone") {
      if (event.daemon === "parent") {
        hasParent = false;
        for (const daemon of open.keys()) close(daemon, event);
      } else if (event.daemon !== undefined && hasParent && event.ts - stoppingAt > START_DEADLINE_US)
        open.set(event.daemon, event);
    }
  }
  for (const gone of open.values()) found.push({ gone, end: null });
  return found
    .filter(({ gone, end }) => (end?.ts ?? watchedTo) - gone.ts > CHILD_GONE_US)
    .map(({ gone, end }) => ({
      code: "child-missing",
      text: `its ${nameOf(gone.daemon)} ended at ${clock(gone.ts)} and was not started again, while the daemon goes on without it`,
      events: end ? [gone, end] : [gone],
      ts: gone.ts,
      look: [`the child's last lines: journalctl -u keepalived on ${node}`],
      severity: "critical",
      certainty: "confirmed",
      start: gone.ts,
      end: end?.ts ?? null,
    }));
}

/** Somebody asked for a start or a restart, and no daemon came of it. Debian's script then ends with status 0. */
export function idleLaunches({ events, watchedTo, node }: DaemonView): Finding[] {
  const found: { launch: EventOf<"process.launcher">; end: Event | null }[] = [];
  for (const event of events) {
    if (event.kind === "process.launcher" && STARTING.test(event.action)) {
      // Asked again before anything came of it: one failure.
      if (found.at(-1)?.end !== null) found.push({ launch: event, end: null });
    } else if (isStarted(event)) {
      const last = found.at(-1);
      if (last && last.end === null && event.ts + event.tsUncertaintyUs >= last.launch.ts) last.end = event;
    }
  }
  return found
    .filter(({ launch, end }) => (end?.ts ?? watchedTo) - launch.ts > LAUNCH_DEADLINE_US)
    .map(({ launch, end }) => ({
      code: "nothing-started",
      text: `"${launch.command} ${launch.action}" was run, and no daemon was started`,
      events: end ? [launch, end] : [launch],
      ts: launch.ts,
      look: [
        launch.action === "restart"
          ? `pgrep -a keepalived on ${node}: a restart that comes before the old daemon has ended starts nothing; start it again`
          : `${launch.command} status and the log of ${node}`,
      ],
      severity: "critical",
      certainty: "confirmed",
      start: launch.ts,
      end: end?.ts ?? null,
    }));
}

const STARTING = /^(?:start|restart|force-restart)$/;
const isStarted = (event: Event): boolean =>
  isKind(event, "daemon.starting", "daemon.ready") || (event.kind === "process.started" && event.daemon === "parent");
