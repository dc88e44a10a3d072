import type { Daemon } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { daemonOf } from "../logs/tags.ts";

/** keepalived's processes from one start to its end, as far as a log ties them together. */
interface Run {
  /** Its first and last line, by their places among those that are looked at. */
  readonly first: number;
  last: number;
  readonly pids: Set<number>;
  /** The process that is each of its daemons. */
  readonly daemons: Map<Daemon, number>;
}

const TAG = /(?<![\w.-])([Kk]eepalived[\w.-]*)\[\d+\]/;

/**
 * Hosts that all call themselves `localhost`, in one log: they are told apart by the process ids of keepalived's processes.
 * A node runs one keepalived at a time, so that two whose lines are mixed are two nodes; one that begins when another has
 * been heard last is the same node's next start.
 *
 * @param lines  of hosts of that name, in the order of the file
 * @returns for each line its node, counted from 0; undefined where there are several and the line has no process id
 */
export function nodesByProcess(lines: readonly Observation[]): (number | undefined)[] {
  const runs: Run[] = [];
  const running = new Map<number, Run>();
  const join = (run: Run, pid: number, daemon: Daemon | undefined): void => {
    run.pids.add(pid);
    if (daemon) run.daemons.set(daemon, pid);
    running.set(pid, run);
  };
  const runs_ = lines.map(({ pid, body, raw }, at): Run | undefined => {
    if (pid === undefined) return undefined;
    const daemon = daemonOf(TAG.exec(raw ?? "")?.[1] ?? "");
    // After a start the same pid is another process.
    let run = body.kind === "daemon.starting" ? undefined : (running.get(pid) ?? nearest(runs, pid, daemon));
    if (!run) {
      run = { first: at, last: at, pids: new Set(), daemons: new Map() };
      runs.push(run);
    }
    join(run, pid, daemon);
    if (body.kind === "daemon.child-starting") join(run, body.childPid, body.daemon);
    run.last = at;
    return run;
  });
  const nodes = nodesOf(runs);
  const isOne = new Set(nodes.values()).size <= 1;
  return runs_.map((run) => (run ? nodes.get(run) : isOne ? 0 : undefined));
}

/** How far the pids of processes that were started together lie apart, at most. */
const TOGETHER = 64;

/** A log may begin after the start: processes are forked together, and of each kind there is one. */
function nearest(runs: readonly Run[], pid: number, daemon: Daemon | undefined): Run | undefined {
  let best: { readonly run: Run; readonly distance: number } | undefined;
  for (const run of runs.slice(-RUNS_LOOKED_AT)) {
    if (daemon && run.daemons.has(daemon)) continue;
    const distance = Math.min(...[...run.pids].map((other) => Math.abs(other - pid)));
    if (distance <= TOGETHER && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { run, distance };
  }
  return best?.run;
}

const RUNS_LOOKED_AT = 16;

/** Runs whose lines are mixed are of different nodes. */
function nodesOf(runs: readonly Run[]): Map<Run, number> {
  const lastOf: number[] = [];
  return new Map(
    runs.map((run) => {
      // Of several nodes that are silent, the one that was heard last has started anew.
      let node = -1;
      for (const [i, last] of lastOf.entries())
        if (last < run.first && (node < 0 || last > (lastOf[node] ?? 0))) node = i;
      if (node < 0) node = lastOf.length;
      lastOf[node] = run.last;
      return [run, node];
    }),
  );
}
