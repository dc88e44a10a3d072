/** What a scenario is made of. All times are microseconds since it began; shares are in [0, 1]. */

export const SOURCE_NAMES = ["log", "kernel", "wire", "process", "config"] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];

export interface NodeSpec {
  readonly name: string;
  readonly address: string;
  /** `seconds`: classic syslog. */
  readonly log: "exact" | "seconds";
  /** What its collector reads. */
  readonly sources: readonly SourceName[];
  /** How far its clock is ahead of the true time at the beginning. */
  readonly clockOffsetUs: number;
  /** Microseconds that it gains in a second. */
  readonly clockDriftPpm: number;
}

export interface RouterSpec {
  readonly vrid: number;
  readonly interface: string;
  readonly version: 2 | 3;
  readonly intervalUs: number;
  readonly vips: readonly string[];
  readonly nopreempt: boolean;
  /** By node; a node without one has no instance. */
  readonly priorities: ReadonlyMap<string, number>;
}

/** How a path between two nodes carries a packet. */
export interface PathSpec {
  readonly delayUs: number;
  /** At most so much more. */
  readonly jitterUs: number;
  readonly loss: number;
  readonly duplicates: number;
}

export type Deed =
  | { readonly kind: "start" | "stop" | "kill" | "crash" | "freeze" | "thaw"; readonly node: string }
  | { readonly kind: "poweroff" | "boot"; readonly node: string }
  | { readonly kind: "filter" | "unfilter"; readonly node: string }
  | { readonly kind: "link"; readonly node: string; readonly interface: string; readonly up: boolean }
  | { readonly kind: "reload"; readonly node: string; readonly vrid?: number; readonly changes: InstanceChange }
  | { readonly kind: "partition"; readonly groups: readonly (readonly string[])[] }
  | { readonly kind: "heal" }
  | { readonly kind: "path"; readonly from: string; readonly to: string; readonly path: Partial<PathSpec> }
  | { readonly kind: "clock"; readonly node: string; readonly stepUs: number }
  | { readonly kind: "offline" | "online"; readonly node: string }
  | { readonly kind: "collector"; readonly node: string; readonly does: "stop" | "die" | "start" };

/** What a reload brings to an instance. */
export interface InstanceChange {
  readonly priority?: number;
  readonly intervalUs?: number;
  readonly vips?: readonly string[];
}

export interface TimedDeed {
  readonly at: number;
  readonly deed: Deed;
}

/** How the server gets what collectors send. */
export interface DeliverySpec {
  /** Of the batches, how many come so late that others overtake them, and how late at most. */
  readonly lateShare: number;
  readonly lateUs: number;
  /** Of the batches, how many come twice. */
  readonly twice: number;
}

export interface Scenario {
  readonly title: string;
  readonly seed: number;
  readonly nodes: readonly NodeSpec[];
  readonly routers: readonly RouterSpec[];
  readonly path: PathSpec;
  readonly delivery: DeliverySpec;
  readonly deeds: readonly TimedDeed[];
  readonly until: number;
}

export const QUIET_PATH: PathSpec = { delayUs: 200, jitterUs: 300, loss: 0, duplicates: 0 };
export const PROMPT: DeliverySpec = { lateShare: 0, lateUs: 0, twice: 0 };
export const instanceName = (vrid: number): string => `VI_${vrid}`;
