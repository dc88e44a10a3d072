import { addTallies, type Tally } from "../../collector/logs/tally.ts";

export const COUNT_BY = ["kind", "state", "row"] as const;
export type CountBy = (typeof COUNT_BY)[number];

/** A file that was scanned, or why it was not. */
export interface ScannedFile {
  readonly path: string;
  readonly tally?: Tally;
  readonly error?: string;
}

/** What was counted in all files together, most first. */
export function printScan(files: readonly ScannedFile[], countBy: CountBy, format: "text" | "json"): string {
  const tallies = files.flatMap(({ tally }) => tally ?? []);
  const [first, ...others] = tallies;
  if (!first) return "";
  const all = others.reduce(addTallies, first);
  return format === "json" ? json(files, all, countBy) : text(all, countBy);
}

const instant = (us: number | undefined): string | null =>
  us === undefined ? null : new Date(us / 1000).toISOString();

function json(files: readonly ScannedFile[], all: Tally, countBy: CountBy): string {
  const { lines, keepalivedLines, unrecognised, malformed, from, to, statesElsewhere } = all;
  const counts =
    countBy === "state"
      ? { states: all.states.toSorted(byCount), statesElsewhere }
      : { counts: Object.fromEntries(sorted(countBy === "kind" ? all.kinds : all.rows)) };
  const inputs = files.map(({ path, error }) => ({ path, ...(error === undefined ? {} : { error }) }));
  const summary = { lines, keepalivedLines, unrecognised, malformed, from: instant(from), to: instant(to) };
  return `${JSON.stringify({ inputs, ...summary, ...counts }, null, 2)}\n`;
}

function text(all: Tally, countBy: CountBy): string {
  const rows: [count: number, ...name: string[]][] =
    countBy === "state"
      ? all.states.toSorted(byCount).map(({ host, instance, state, count }) => [count, host ?? "-", instance, state])
      : sorted(countBy === "kind" ? all.kinds : all.rows).map(([name, count]) => [count, name]);
  if (countBy === "state" && all.statesElsewhere > 0) rows.push([all.statesElsewhere, "of other hosts and instances"]);
  const width = Math.max(0, ...rows.map(([count]) => String(count).length));
  const table = rows.map(([count, ...name]) => `${String(count).padStart(width)}  ${name.join("  ")}\n`).join("");
  const time = all.from === undefined ? "" : `, ${instant(all.from)} to ${instant(all.to)}`;
  const poor = all.unrecognised > 0 ? `, ${all.unrecognised} not recognised` : "";
  return `${table}${table === "" ? "" : "\n"}${all.keepalivedLines} lines of keepalived's in ${all.lines}${poor}${time}\n`;
}

const byCount = (a: { readonly count: number }, b: { readonly count: number }): number => b.count - a.count;

const sorted = (counts: ReadonlyMap<string, number>): [string, number][] =>
  [...counts].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
