/** [from, to), microseconds since the simulation began. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

export const lengthOf = ({ from, to }: Interval): number => to - from;
export const overlaps = (a: Interval, b: Interval): boolean => a.from < b.to && b.from < a.to;

/** When at least so many of the lists have an interval that holds. */
export function whenAtLeast(count: number, lists: readonly (readonly Interval[])[]): Interval[] {
  const edges = lists
    .flat()
    .flatMap(({ from, to }) => [
      { at: from, step: 1 },
      { at: to, step: -1 },
    ])
    // What ends at an instant ends before what begins then.
    .sort((a, b) => a.at - b.at || a.step - b.step);
  const found: Interval[] = [];
  let now = 0;
  let from = 0;
  for (const { at, step } of edges) {
    const before = now;
    now += step;
    if (before < count && now >= count) from = at;
    if (before >= count && now < count && at > from) found.push({ from, to: at });
  }
  return found;
}

/** What of `whole` no interval covers. */
export function gapsIn(whole: Interval, intervals: readonly Interval[]): Interval[] {
  const gaps: Interval[] = [];
  let from = whole.from;
  for (const interval of [...intervals].sort((a, b) => a.from - b.from)) {
    if (interval.from > from) gaps.push({ from, to: Math.min(interval.from, whole.to) });
    from = Math.max(from, interval.to);
  }
  if (from < whole.to) gaps.push({ from, to: whole.to });
  return gaps.filter((gap) => gap.to > gap.from);
}

/** Makes one of those that are no further apart than this. */
export function joined(intervals: readonly Interval[], gapUs: number): Interval[] {
  const result: Interval[] = [];
  for (const interval of [...intervals].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last && interval.from <= last.to + gapUs)
      result[result.length - 1] = { from: last.from, to: Math.max(last.to, interval.to) };
    else result.push(interval);
  }
  return result;
}
