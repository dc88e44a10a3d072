/** How something is from an instant on; undefined grade: well. */
export interface GradedState<G extends string, T> {
  readonly ts: number;
  readonly grade: G | undefined;
  /** It counts once it has lasted for this long, microseconds. */
  readonly settleUs: number;
  readonly value: T;
}

/** It was equally bad all that time. */
export interface Stretch<G extends string, T> {
  readonly start: number;
  /** null: it lasts. */
  readonly end: number | null;
  readonly grade: G;
  /** All states in it, oldest first. */
  readonly values: readonly [T, ...T[]];
}

/**
 * The stretches of one grade, without the states that passed too soon to count: before and after such a one it is one stretch.
 * @param states     in order of time
 * @param watchedTo  epoch microseconds: how far the newest state is known to last
 */
export function stretchesOf<G extends string, T>(
  states: readonly GradedState<G, T>[],
  watchedTo: number,
): Stretch<G, T>[] {
  const runs = joined(states.map(({ value, ...state }) => ({ ...state, values: [value] as [T, ...T[]] })));
  const lasting = joined(runs.filter((run, i) => (runs[i + 1]?.ts ?? watchedTo) - run.ts >= run.settleUs));
  return lasting.flatMap(({ ts, grade, values }, i) =>
    grade === undefined ? [] : [{ start: ts, end: lasting[i + 1]?.ts ?? null, grade, values }],
  );
}

interface Run<G extends string, T> {
  readonly ts: number;
  readonly grade: G | undefined;
  readonly settleUs: number;
  readonly values: [T, ...T[]];
}

function joined<G extends string, T>(runs: readonly Run<G, T>[]): Run<G, T>[] {
  const all: Run<G, T>[] = [];
  for (const run of runs) {
    const last = all.at(-1);
    if (last && last.grade === run.grade) last.values.push(...run.values);
    else all.push({ ...run, values: [...run.values] });
  }
  return all;
}
