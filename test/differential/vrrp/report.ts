import { isRight, type Match, type NodeVerdict, offsetOf } from "./verdict.ts";

/** One line a change: when it really came, when it was predicted, and how far that is off. */
export function printVerdict(verdict: NodeVerdict): string {
  const head = `${verdict.scenario} ${verdict.node}: ${isRight(verdict) ? "agrees" : "DISAGREES"}`;
  return [head, ...verdict.matches.map((match) => `  ${printMatch(match)}`)].join("\n");
}

function printMatch(match: Match): string {
  const { instance, real, predicted } = match;
  const offset = offsetOf(match);
  const to = (real ?? predicted)?.to ?? "";
  const words =
    offset === undefined
      ? real
        ? "not predicted"
        : "did not happen"
      : `${offset >= 0 ? "+" : ""}${(offset / 1_000).toFixed(1)} ms`;
  return [
    `(${instance}) ${typeof to === "number" ? `priority ${to}` : to}`.padEnd(20),
    `real ${seconds(real?.at)}`,
    `predicted ${seconds(predicted?.at)}`,
    `${words}${match.isRight ? "" : "  <--"}`,
  ].join("  ");
}

const seconds = (us: number | undefined): string => (us === undefined ? "-" : (us / 1e6).toFixed(3)).padStart(7);

export interface Summary {
  readonly scenarios: number;
  readonly nodes: number;
  readonly states: number;
  readonly priorities: number;
  readonly wrong: number;
  readonly largestOffsetUs: number;
}

export function summaryOf(verdicts: readonly NodeVerdict[]): Summary {
  const matches = verdicts.flatMap((verdict) => verdict.matches);
  const offsets = matches.map((match) => Math.abs(offsetOf(match) ?? 0));
  return {
    scenarios: new Set(verdicts.map(({ scenario }) => scenario)).size,
    nodes: verdicts.length,
    states: matches.filter(({ real }) => typeof real?.to === "string").length,
    priorities: matches.filter(({ real }) => typeof real?.to === "number").length,
    wrong: matches.filter((match) => !match.isRight).length,
    largestOffsetUs: Math.max(0, ...offsets),
  };
}
