import type {
  Incident,
  NodeSummary,
  Redundancy,
  RouterSummary,
  ServiceSummary,
  ServiceWord,
} from "../server/api/types.ts";

/** A node that was not heard of for this long is told as silent, microseconds. */
const SILENT_US = 15_000_000;

/** How much of a node is seen now. `partial`: its collector reports, but cannot read all it should. `blind`: it can read nothing. */
export type NodeWatch = "watched" | "partial" | "blind" | "silent";

export function watchOf({ lastSeenTs, sources }: NodeSummary, now: number): NodeWatch {
  if (now - lastSeenTs > SILENT_US) return "silent";
  const running = sources.filter(({ state }) => state === "running").length;
  if (running === sources.length) return "watched";
  return running === 0 ? "blind" : "partial";
}

export type Mastership =
  | { readonly kind: "one"; readonly master: string }
  | { readonly kind: "several"; readonly masters: readonly string[] }
  | { readonly kind: "none" }
  /** Nobody who could tell is heard of: what was last known is not what is. */
  | { readonly kind: "unknown"; readonly last: string | null };

/** Who is master as far as anyone can see now: good only on the word of a node that reports. */
export function mastershipOf(router: RouterSummary, nodes: readonly NodeSummary[], now: number): Mastership {
  const { masters } = router;
  if (masters.length > 1) return { kind: "several", masters };
  const [master] = masters;
  const own = nodes.filter(({ cluster }) => cluster === router.cluster);
  const canTell = (name: string): boolean => {
    const node = own.find((candidate) => candidate.node === name);
    return node !== undefined && ["watched", "partial"].includes(watchOf(node, now));
  };
  const members = router.instances.length > 0 ? router.instances.map(({ node }) => node) : own.map(({ node }) => node);
  if (master === undefined) return members.some(canTell) ? { kind: "none" } : { kind: "unknown", last: null };
  // A master without a collector of its own is known by its peers; one whose collector fell silent is not.
  const hasCollector = own.some(({ node }) => node === master);
  const isKnown = hasCollector ? canTell(master) : members.some(canTell);
  return isKnown ? { kind: "one", master } : { kind: "unknown", last: master };
}

/** Whether somebody could take over, as far as anyone can see now. */
export function redundancyNow(router: RouterSummary, nodes: readonly NodeSummary[], now: number): Redundancy {
  if (router.redundancy !== "ready") return router.redundancy;
  // The server's word is of when it last heard of them.
  const seen = router.members.filter(({ node, able }) => {
    const own = nodes.find((candidate) => candidate.cluster === router.cluster && candidate.node === node);
    return able === true && own !== undefined && watchOf(own, now) !== "silent";
  });
  const spare =
    seen.filter(({ node }) => !router.masters.includes(node)).length - (router.masters.length === 0 ? 1 : 0);
  return spare > 0 ? "ready" : "unknown";
}

/** `disputed`: one says up and another one down. `unknown`: nobody who is seen says anything. */
export type ServiceHealth = "up" | "down" | "disputed" | "unknown";

export function healthOf(
  words: readonly ServiceWord[],
  cluster: string,
  nodes: readonly NodeSummary[],
  now: number,
): ServiceHealth {
  const seen = words.filter(({ node }) => {
    const own = nodes.find((candidate) => candidate.cluster === cluster && candidate.node === node);
    return own !== undefined && watchOf(own, now) !== "silent";
  });
  const states = new Set(seen.map(({ state }) => state));
  if (states.size > 1) return "disputed";
  return states.has("UP") ? "up" : states.has("DOWN") ? "down" : "unknown";
}

/** How a virtual server and the real servers behind it are. */
export interface ServiceCount {
  /** By its quorum. */
  readonly quorum: ServiceHealth;
  readonly up: number;
  readonly down: number;
  readonly disputed: number;
  readonly unknown: number;
}

export function countOf(service: ServiceSummary, nodes: readonly NodeSummary[], now: number): ServiceCount {
  const of = (words: readonly ServiceWord[]): ServiceHealth => healthOf(words, service.cluster, nodes, now);
  const healths = service.realServers.map(({ words }) => of(words));
  const count = (wanted: ServiceHealth): number => healths.filter((health) => health === wanted).length;
  return {
    quorum: of(service.words),
    up: count("up"),
    down: count("down"),
    disputed: count("disputed"),
    unknown: count("unknown"),
  };
}

/** What is worst about a router, for the order in which routers are looked at: lower is worse. */
export function troubleOf(
  router: RouterSummary,
  nodes: readonly NodeSummary[],
  incidents: ReadonlyMap<string, Incident>,
  services: readonly ServiceCount[],
  now: number,
): number {
  const mastership = mastershipOf(router, nodes, now).kind;
  const severities = router.openIncidents.map((id) => incidents.get(id)?.severity);
  const isBroken = services.some(({ quorum, down }) => quorum === "down" || down > 0);
  const redundancy = redundancyNow(router, nodes, now);
  const signs: readonly boolean[] = [
    mastership === "several",
    mastership === "none",
    severities.includes("critical"),
    isBroken,
    redundancy === "lost",
    severities.includes("warning"),
    mastership === "unknown",
    redundancy === "unknown" || redundancy === "single",
    severities.length > 0,
  ];
  const worst = signs.indexOf(true);
  return worst < 0 ? WELL : worst;
}

/** Of a router about which nothing is wrong. */
export const WELL = 9;
