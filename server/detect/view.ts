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

export const INSTANCE_STATES = ["MASTER", "BACKUP", "FAULT", "INIT", "STOPPED"] as const;
export type InstanceState = (typeof INSTANCE_STATES)[number];
/** Of a real server by its checkers, and of a virtual server by its quorum. */
export const SERVICE_STATES = ["UP", "DOWN"] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];
export const BAR_STATES = [...INSTANCE_STATES, ...SERVICE_STATES] as const;
export type BarState = InstanceState | ServiceState;

/**
 * How a mastership ended: `stopped` by an orderly stop of the daemon, `reloaded`, `outranked` by a better node (a failback); those are
 * planned. `fault` and `died` are failures.
 */
export const MASTERSHIP_ENDS = ["stopped", "reloaded", "outranked", "fault", "died"] as const;
export type MastershipEnd = (typeof MASTERSHIP_ENDS)[number];

/** One source's word on one node's or service's state over an interval: "node N acts as master from t0 to t1, says SOURCE". */
export interface Bar {
  readonly source: Source;
  readonly state: BarState;
  /** Epoch microseconds; it began in [from, from + fromUncertaintyUs]. */
  readonly from: number;
  readonly fromUncertaintyUs: number;
  /** null: still so, as far as the node is watched. It ended in [to, to + toUncertaintyUs]. */
  readonly to: number | null;
  readonly toUncertaintyUs: number;
  /** Of a mastership that is over, where something says how. */
  readonly ended?: MastershipEnd;
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

/** A real server behind a virtual one, or the virtual server itself, as nodes and their sources see it. */
export interface ServiceLane {
  readonly virtualServer: string;
  /** null: the virtual server, by its quorum. */
  readonly realServer: string | null;
  readonly rows: readonly {
    readonly node: string;
    readonly source: Source;
    readonly bars: readonly Bar[];
    /** Epoch microseconds. */
    readonly watchedTo: number;
  }[];
}
