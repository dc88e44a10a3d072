import { parseRelease, type Release } from "../version.ts";
import type { Value } from "./value.ts";

/** One keyword of one block, as keepalived knows it. */
export interface Keyword {
  readonly name: string;
  /** First release that has it. */
  readonly since: Release;
  /** Last release that had it. */
  readonly until?: Release;
  readonly value: Value;
  /** In words: what applies without it, and where a fault of its value leaves things. */
  readonly default?: string;
  /** Its value must never be shown. */
  readonly secret?: boolean;
  /** May stand in a block more than once. */
  readonly repeats?: boolean;
  /** A second one is refused: the first counts. */
  readonly firstCounts?: boolean;
  /** What to use instead. */
  readonly deprecated?: string;
}

interface KeywordOptions {
  readonly default?: string;
  readonly until?: string;
  readonly secret?: boolean;
  readonly repeats?: boolean;
  readonly firstCounts?: boolean;
  readonly deprecated?: string;
}

/** @throws Error when a release cannot be read: at start */
export function keyword(name: string, since: string, value: Value, options: KeywordOptions = {}): Keyword {
  const { until, ...rest } = options;
  return { name, since: releaseOf(since), value, ...rest, ...(until === undefined ? {} : { until: releaseOf(until) }) };
}

function releaseOf(words: string): Release {
  const release = parseRelease(words);
  if (!release) throw new Error(`${words} is not a release of keepalived`);
  return release;
}
