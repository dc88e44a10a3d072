import type { Bar, Lane, ServiceLane } from "../../server/api/types.ts";

/** One row of a strip: what one source says. */
export interface Row {
  readonly label: string;
  readonly source: Bar["source"];
  /** Whose word it is. */
  readonly node: string;
  readonly bars: readonly Bar[];
  readonly watchedTo: number;
}

/** What is drawn under one name: a node of the router, or a service behind it. */
export interface Strip {
  readonly name: string;
  readonly detail: string | null;
  /** A service's name when it is one. */
  readonly service: string | null;
  readonly rows: readonly Row[];
}

/** The order in which sources stand under each other: from what is to what is said. */
const SOURCES = ["kernel", "wire", "log", "dump", "shadow"] as const;
const SOURCE_NAMES: Readonly<Record<string, string>> = {
  kernel: "address",
  wire: "adverts",
  log: "log",
  dump: "dump",
  shadow: "expected",
};

/** Rows of a router of which no source says anything. */
const UNSPOKEN = SOURCES.slice(0, 3);

const split = new WeakMap<readonly Bar[], ReadonlyMap<string, readonly Bar[]>>();
const SILENT: readonly Bar[] = [];

/** The bars of a lane by their source. Once for each answer, and not for each frame that shows it. */
function bySource(bars: readonly Bar[]): ReadonlyMap<string, readonly Bar[]> {
  const known = split.get(bars);
  if (known) return known;
  const sources = new Map<string, Bar[]>();
  for (const bar of bars) {
    const own = sources.get(bar.source);
    if (own) own.push(bar);
    else sources.set(bar.source, [bar]);
  }
  split.set(bars, sources);
  return sources;
}

/** Nodes first, then the services behind them. A source that says nothing of any node takes no room. */
export function stripsOf(lanes: readonly Lane[], services: readonly ServiceLane[]): Strip[] {
  const spoken = SOURCES.filter((source) => lanes.some(({ bars }) => bySource(bars).has(source)));
  const sources = spoken.length > 0 ? spoken : UNSPOKEN;
  const nodes = lanes.map(
    ({ node, instance, bars, watchedTo }): Strip => ({
      name: node,
      detail: instance,
      service: null,
      rows: sources.map((source) => ({
        label: SOURCE_NAMES[source] ?? source,
        source,
        node,
        bars: bySource(bars).get(source) ?? SILENT,
        watchedTo,
      })),
    }),
  );
  return [...nodes, ...services.map(serviceStrip)];
}

function serviceStrip({ virtualServer, realServer, rows }: ServiceLane): Strip {
  return {
    name: realServer ?? virtualServer,
    detail: realServer === null ? "virtual server, by its quorum" : `real server of ${virtualServer}`,
    service: realServer ?? virtualServer,
    rows: rows.map(({ node, source, bars, watchedTo }) => ({
      // keepalived's own word, or the collector's own check.
      label: `${node} ${source}`,
      source,
      node,
      bars,
      watchedTo,
    })),
  };
}
