import type { Event } from "../../collector/events/event.ts";
import { formatEpochUs, type EpochUs, US_PER_SECOND } from "../../collector/core/time.ts";
import type { Incident, IncidentKind, Severity } from "../detect/incident.ts";

/**
 * Kinds that follow from a node being taken out on purpose. Not those that need somebody all the same: two masters, a start that
 * fails, an address at two places, a wrong configuration; nor `no-master`, which its detector lowers itself when all nodes were
 * told to stop.
 */
const FOLLOWING: ReadonlySet<IncidentKind> = new Set(["redundancy-lost", "near-miss", "flapping", "blind-spot"]);
/** A syslog line has whole seconds, and a node's clock may be off by some more, microseconds. */
const SLACK_US = 5 * US_PER_SECOND;
/** What comes of a node's return belongs to its stop for this long: it takes its routers back. */
const RETURN_US = 60 * US_PER_SECOND;
/** Most stops, and starts, that are remembered of a node, and nodes. */
const STOPS_MAX = 32;
const NODES_MAX = 4096;

/** Events that a stop in order is known by. */
export const STOP_KINDS = ["daemon.stopping", "daemon.starting"] as const;

/** When a node's daemon was told to stop, and when it began, oldest first. */
interface Node {
  readonly stops: readonly number[];
  readonly starts: readonly number[];
}

/** A maintenance window that nobody had to announce. */
export interface Planned {
  readonly node: string;
  readonly since: number;
  /** What is still open then is told as it is. */
  readonly until: number;
}

/**
 * Maintenance windows, inferred: keepalived was told to stop on a node. For a while, what follows from that is lowered by one
 * severity. A crash, a kill and a power cut are no stops in order, and open none.
 */
export class PlannedStops {
  readonly #windowUs: number;
  readonly #nodes = new Map<string, Node>();

  /** @param windowUs  how long what follows from a stop is lowered; 0: never */
  constructor(windowUs: number) {
    this.#windowUs = windowUs;
  }

  note({ cluster, node, kind, ts }: Pick<Event, "cluster" | "node" | "kind" | "ts">): void {
    if (kind !== "daemon.stopping" && kind !== "daemon.starting") return;
    const key = keyOf(cluster, node);
    if (!this.#nodes.has(key) && this.#nodes.size >= NODES_MAX) return;
    const { stops, starts } = this.#nodes.get(key) ?? { stops: [], starts: [] };
    this.#nodes.set(
      key,
      kind === "daemon.stopping" ? { stops: withOne(stops, ts), starts } : { stops, starts: withOne(starts, ts) },
    );
  }

  /** The stop that an incident follows from, while it counts. */
  of(incident: Incident, now: number): Planned | undefined {
    if (this.#windowUs === 0 || !FOLLOWING.has(incident.kind)) return undefined;
    return this.#asConcluded(incident, now) ?? this.#asSeen(incident, now);
  }

  /** The detectors say it themselves, with clocks put right. */
  #asConcluded({ cause, start, end, subject }: Incident, now: number): Planned | undefined {
    const until = start + this.#windowUs;
    if (cause?.code !== "stopped" || (end === null && now >= until)) return undefined;
    return { node: subject.nodes.join(", "), since: start, until };
  }

  #asSeen({ cluster, start, end, subject }: Incident, now: number): Planned | undefined {
    for (const node of subject.nodes) {
      const { stops, starts } = this.#nodes.get(keyOf(cluster, node)) ?? { stops: [], starts: [] };
      for (const ts of stops) {
        const back = starts.find((started) => started > ts) ?? Number.POSITIVE_INFINITY;
        const until = Math.min(ts + this.#windowUs, back + RETURN_US);
        if (start < ts - SLACK_US || start > until) continue;
        if (end !== null || now < until) return { node, since: ts, until };
      }
    }
    return undefined;
  }
}

/** The newest are kept, each once. */
const withOne = (instants: readonly number[], ts: number): readonly number[] =>
  [...new Set([...instants, ts])].sort((a, b) => a - b).slice(-STOPS_MAX);

/** One severity less. */
export const lowered = (severity: Severity): Severity => (severity === "critical" ? "warning" : "info");

export const plannedText = ({ node, since }: Planned): string =>
  `follows from a planned stop of keepalived (${node}, ${formatEpochUs(since as EpochUs)})`;

const keyOf = (cluster: string, node: string): string => `${cluster}\0${node}`;
