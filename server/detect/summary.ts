import type { NodeView } from "./claims.ts";
import type { RouterView } from "./detector.ts";
import type { Incident } from "./incident.ts";
import { membersOf, type Redundancy, redundancyOf, type RouterMember } from "./redundancy.ts";
import { type NodeServices, serviceLanes } from "./services.ts";
import type { Bar, Lane, MastershipEnd, ServiceState, VirtualRouter } from "./view.ts";

/** What is so now, in the fewest words: who is master, who was, whether somebody could take over, and which servers are up. */

/** A router as it is now. */
export interface RouterNow {
  /** Nodes that act as master now, as far as is known. */
  readonly masters: readonly string[];
  readonly since: number | null;
  /** Who was master before, until when, and how that ended where something says so. */
  readonly before: { readonly node: string; readonly until: number; readonly ended: MastershipEnd | null } | null;
  readonly redundancy: Redundancy;
  readonly members: readonly RouterMember[];
  readonly openIncidents: readonly string[];
}

/** @param open  the cluster's incidents that are open */
export function nowOf(
  nodes: readonly NodeView[],
  router: RouterView["router"],
  horizon: number,
  open: readonly Incident[],
): RouterNow {
  const claims = nodes.flatMap((node) => node.claims);
  const current = claims.filter(({ end }) => end === null);
  const ends = claims.map(({ end }) => end).filter((end) => end !== null);
  const masters = [...new Set(current.map(({ node }) => node))].sort();
  const isMember = (node: string): boolean => nodes.some((view) => view.node === node);
  const own = open.filter(
    ({ subject }) => subject.router === router.id || (subject.router === undefined && subject.nodes.some(isMember)),
  );
  const isLost = own.some(({ kind, certainty }) => kind === "redundancy-lost" && certainty === "confirmed");
  const members = membersOf(nodes, router, horizon);
  return {
    masters,
    since:
      current.length > 0 ? Math.max(...current.map(({ start }) => start)) : ends.length > 0 ? Math.max(...ends) : null,
    before: beforeOf(nodes, masters),
    redundancy: redundancyOf(members, masters, isLost),
    members,
    openIncidents: own.map(({ id }) => id),
  };
}

/** The newest mastership that is over, of a node that is not master now. */
function beforeOf(nodes: readonly NodeView[], masters: readonly string[]): RouterNow["before"] {
  let before: RouterNow["before"] = null;
  for (const { node, claims, lane } of nodes) {
    if (masters.includes(node)) continue;
    for (const { end } of claims)
      if (end !== null && (before === null || end > before.until))
        before = { node, until: end, ended: endedAt(lane, end) };
  }
  return before;
}

/** Sources differ by a little in when a mastership ended. */
const SAME_END_US = 2_000_000;

function endedAt({ bars }: Lane, end: number): MastershipEnd | null {
  const near = ({ to }: Bar): boolean => to !== null && Math.abs(to - end) <= SAME_END_US;
  return bars.find((bar) => bar.ended !== undefined && near(bar))?.ended ?? null;
}

/** One node's and source's newest word on a service. */
export interface ServiceWord {
  readonly node: string;
  readonly source: Bar["source"];
  readonly state: ServiceState;
  readonly since: number;
}

/** A virtual server of a cluster, and the real servers behind it. */
export interface ServiceSummary {
  readonly cluster: string;
  readonly virtualServer: string;
  /** Virtual routers that have its address. */
  readonly routers: readonly string[];
  /** Of its quorum. */
  readonly words: readonly ServiceWord[];
  readonly realServers: readonly { readonly realServer: string; readonly words: readonly ServiceWord[] }[];
}

/** @param configured  virtual servers by the nodes' newest configurations: of some nobody has said a word */
export function servicesNow(
  cluster: string,
  nodes: readonly NodeServices[],
  configured: readonly string[],
  routers: readonly VirtualRouter[],
): ServiceSummary[] {
  const found = new Map<
    string,
    { words: readonly ServiceWord[]; realServers: ServiceSummary["realServers"][number][] }
  >();
  const of = (virtualServer: string) => {
    let known = found.get(virtualServer);
    if (!known) found.set(virtualServer, (known = { words: [], realServers: [] }));
    return known;
  };
  for (const virtualServer of configured) of(virtualServer);
  for (const { virtualServer, realServer, rows } of serviceLanes(nodes, () => true)) {
    const words = rows.flatMap(({ node, source, bars }) => {
      const last = bars.findLast(({ to }) => to === null);
      return last ? [{ node, source, state: last.state as ServiceState, since: last.from }] : [];
    });
    if (realServer === null) of(virtualServer).words = words;
    // One that was taken out of the configuration is known of history only.
    else if (words.length > 0) of(virtualServer).realServers.push({ realServer, words });
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([virtualServer, rest]) => ({
      cluster,
      virtualServer,
      routers: routers.filter(({ vips }) => vips.some((vip) => isAt(virtualServer, vip))).map(({ id }) => id),
      ...rest,
    }));
}

/** A virtual server is `[address]:port`, and a router's address may have a prefix length. */
export const isAt = (virtualServer: string, vip: string): boolean =>
  virtualServer.startsWith(`[${vip.split("/")[0]}]:`);
