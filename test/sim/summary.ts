import type { Outcome } from "./worker.ts";
import { seconds } from "./judge.ts";

/** Recall, precision and errors of each kind in each world, as a table. */
export function summaryOf(outcomes: readonly Outcome[]): string {
  const rows = [HEAD];
  for (const world of new Set(outcomes.map((one) => one.world))) {
    const own = outcomes.filter((one) => one.world === world);
    const kinds = [...new Set(own.flatMap(({ scores }) => scores.map(({ kind }) => kind)))];
    for (const kind of kinds) {
      const scores = own.flatMap((one) => one.scores.filter((score) => score.kind === kind));
      const sum = (of: (score: (typeof scores)[number]) => number): number =>
        scores.reduce((total, score) => total + of(score), 0);
      const [must, found, right, wrong] = [
        sum((one) => one.must),
        sum((one) => one.found),
        sum((one) => one.right),
        sum((one) => one.wrong),
      ];
      const errors = scores.flatMap(({ boundaryErrors }) => boundaryErrors);
      const latencies = scores.flatMap((score) => score.latencies);
      rows.push([
        world,
        kind,
        String(own.length),
        String(must),
        String(found),
        share(found, must),
        String(right + wrong),
        share(right, right + wrong),
        `${sum((one) => one.suspectedRight)}/${sum((one) => one.suspectedRight + one.suspectedWrong)}`,
        share(
          sum((one) => one.explained),
          sum((one) => one.caused),
        ),
        `${quantile(errors, 0.5)}/${quantile(errors, 0.99)}`,
        String(sum((one) => one.beyondSlack)),
        `${quantile(latencies, 0.5)}/${quantile(latencies, 0.99)}`,
        String(sum((one) => one.takenBack)),
        String(sum((one) => one.wrongCritical)),
      ]);
    }
  }
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const HEAD = [
  "world",
  "kind",
  "scenarios",
  "true",
  "found",
  "recall",
  "told",
  "precision",
  "suspected right",
  "cause right",
  "error p50/p99 s",
  "beyond",
  "latency p50/p99 s",
  "taken back",
  "wrong critical",
];

const share = (part: number, whole: number): string => (whole === 0 ? "-" : (part / whole).toFixed(4));

function quantile(values: readonly number[], at: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))];
  return value === undefined ? "-" : seconds(value);
}
