/** Flap damping in the manner of RFC 2439: each change costs, and the cost decays. */

export interface FlapOptions {
  /** What a change costs. */
  readonly penalty: number;
  /** Flapping begins when the sum reaches this, ... */
  readonly openAt: number;
  /** ... and is over when it has decayed to this. */
  readonly closeAt: number;
  /** Microseconds. Real flaps have periods from seconds to hours: the same rule is applied with each of these. */
  readonly halfLivesUs: readonly number[];
}

/** Something that went over to its opposite. */
export interface Change<T> {
  readonly ts: number;
  readonly item: T;
}

export interface FlapRun<T> {
  readonly start: number;
  /** null: the penalty had not decayed by the horizon. */
  readonly end: number | null;
  /** When the penalty has decayed if nothing more happens; may be past the horizon. */
  readonly fadesAt: number;
  readonly count: number;
  /** When the first of those that led to it happened. */
  readonly since: number;
  /** The first ones, and the newest. */
  readonly changes: readonly Change<T>[];
}

/** Most changes kept of a run at each of its ends: what is shown, however long it flaps. */
const KEPT = 20;

/** @param changes  in order of time */
export function flapRuns<T>(changes: readonly Change<T>[], horizon: number, options: FlapOptions): FlapRun<T>[] {
  return union(options.halfLivesUs.flatMap((halfLifeUs) => runsOf(changes, horizon, options, halfLifeUs)));
}

/** All that is remembered of what came before a change. */
interface Memory<T> {
  readonly penalty: number;
  readonly ts: number;
  /** Leading up to an opening that has not come: no more than it takes. */
  readonly recent: readonly Change<T>[];
  readonly run: FlapRun<T> | undefined;
}

function runsOf<T>(
  changes: readonly Change<T>[],
  horizon: number,
  options: FlapOptions,
  halfLifeUs: number,
): FlapRun<T>[] {
  const done: FlapRun<T>[] = [];
  let memory: Memory<T> = { penalty: 0, ts: 0, recent: [], run: undefined };
  const closesAt = ({ penalty, ts }: Memory<T>): number =>
    Math.round(ts + halfLifeUs * Math.log2(penalty / options.closeAt));
  for (const change of changes) {
    if (memory.run && closesAt(memory) <= change.ts) {
      done.push({ ...memory.run, end: closesAt(memory), fadesAt: closesAt(memory) });
      memory = { ...memory, recent: [], run: undefined };
    }
    memory = after(memory, change, options, halfLifeUs);
  }
  const fadesAt = closesAt(memory);
  if (memory.run) done.push({ ...memory.run, end: fadesAt <= horizon ? fadesAt : null, fadesAt });
  return done;
}

function after<T>(memory: Memory<T>, change: Change<T>, options: FlapOptions, halfLifeUs: number): Memory<T> {
  const penalty = memory.penalty * 2 ** (-(change.ts - memory.ts) / halfLifeUs) + options.penalty;
  const { run } = memory;
  if (run)
    return { penalty, ts: change.ts, recent: [], run: { ...run, count: run.count + 1, changes: kept(run, change) } };
  // One that has decayed to a sixteenth has no part in an opening.
  const recent = [...memory.recent, change].filter(({ ts }) => change.ts - ts < 4 * halfLifeUs).slice(-KEPT);
  if (penalty < options.openAt) return { penalty, ts: change.ts, recent, run: undefined };
  const since = recent[0]?.ts ?? change.ts;
  return {
    penalty,
    ts: change.ts,
    recent: [],
    run: { start: change.ts, end: null, fadesAt: change.ts, count: recent.length, since, changes: recent },
  };
}

function kept<T>({ changes }: FlapRun<T>, change: Change<T>): readonly Change<T>[] {
  return changes.length < 2 * KEPT
    ? [...changes, change]
    : [...changes.slice(0, KEPT), ...changes.slice(1 - KEPT), change];
}

/** What several half-lives see is one run. */
function union<T>(runs: readonly FlapRun<T>[]): FlapRun<T>[] {
  const joined: FlapRun<T>[] = [];
  for (const run of [...runs].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (!last || (last.end !== null && last.end < run.start)) joined.push(run);
    else joined[joined.length - 1] = both(last, run);
  }
  return joined;
}

function both<T>(a: FlapRun<T>, b: FlapRun<T>): FlapRun<T> {
  const changes = [...new Set([...a.changes, ...b.changes])].sort((x, y) => x.ts - y.ts);
  return {
    start: Math.min(a.start, b.start),
    end: a.end === null || b.end === null ? null : Math.max(a.end, b.end),
    fadesAt: Math.max(a.fadesAt, b.fadesAt),
    // Of two that overlap the longer one has counted what the other has, but for what came before it.
    count: Math.max(a.count, b.count, changes.length),
    since: Math.min(a.since, b.since),
    changes: changes.length <= 2 * KEPT ? changes : [...changes.slice(0, KEPT), ...changes.slice(-KEPT)],
  };
}
