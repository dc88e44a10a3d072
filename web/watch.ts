import type { NodeSummary, RouterSummary } from "../server/api/types.ts";

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
