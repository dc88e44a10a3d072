import type { Family, Source } from "../../collector/events/event.ts";

/** A virtual router as the evidence of several nodes shows it. */
export interface VirtualRouter {
  /** Stable and readable, for example `default/ipv4/51`. */
  readonly id: string;
  readonly cluster: string;
  readonly family: Family | null;
  readonly vrid: number | null;
  readonly vips: readonly string[];
  readonly instances: readonly {
    readonly node: string;
    readonly name: string | null;
    readonly interface: string | null;
    readonly priority: number | null;
  }[];
}

export const BAR_STATES = ["MASTER", "BACKUP", "FAULT", "INIT", "STOPPED"] as const;
export type BarState = (typeof BAR_STATES)[number];

/** One source's word on one node's state over an interval: "node N acts as master from t0 to t1, says SOURCE". */
export interface Bar {
  readonly source: Source;
  readonly state: BarState;
  /** Epoch microseconds; it began in [from, from + fromUncertaintyUs]. */
  readonly from: number;
  readonly fromUncertaintyUs: number;
  /** null: still so, as far as the node is watched. It ended in [to, to + toUncertaintyUs]. */
  readonly to: number | null;
  readonly toUncertaintyUs: number;
  /** The events that opened and closed it. */
  readonly eventIds: readonly string[];
}

export interface Lane {
  readonly node: string;
  readonly instance: string | null;
  readonly bars: readonly Bar[];
  /** The node's evidence reaches to here; after it nothing is known. Epoch microseconds. */
  readonly watchedTo: number;
}
