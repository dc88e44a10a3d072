import type { RouterView } from "../detector.ts";
import { listed } from "../describe.ts";
import { type Cause, EVENTS_SHOWN } from "./cause.ts";
import { type NodeFacts, placeOf, type Refusal } from "./facts.ts";

/** Adverts that arrive and are refused: keepalived's log says so, or the shadow, which knows whose they are. */

interface Mismatch {
  readonly code: string;
  readonly what: string;
  /** The keywords to compare. */
  readonly keywords: string;
}

/** By the reason of `vrrp.advert-rejected`. */
export const MISMATCHES: Readonly<Record<string, Mismatch>> = {
  auth: { code: "auth-mismatch", what: "the passwords differ", keywords: "auth_pass" },
  "auth-type": {
    code: "auth-type-mismatch",
    what: "the authentication types differ",
    keywords: "authentication (auth_type)",
  },
  "clock-skew": {
    code: "clock-skew",
    what: "their clocks differ by more than the window of the authentication",
    keywords: "auth_hmac",
  },
  interval: { code: "interval-mismatch", what: "the advert intervals differ", keywords: "advert_int" },
  version: { code: "version-mismatch", what: "the VRRP versions differ", keywords: "vrrp_version" },
  "vip-list": {
    code: "vip-list-mismatch",
    what: "the lists of virtual addresses differ",
    keywords: "virtual_ipaddress",
  },
  cast: { code: "cast-mismatch", what: "one sends unicast, the other multicast", keywords: "unicast_peer" },
  "unicast-source": {
    code: "unicast-peer-missing",
    what: "the sender is not in its unicast_peer list",
    keywords: "unicast_peer",
  },
  checksum: { code: "checksum-mismatch", what: "the checksums are wrong", keywords: "the checksum settings" },
  ttl: { code: "ttl-mismatch", what: "the TTL is wrong, so a router stands between them", keywords: "unicast_peer" },
  owner: { code: "two-owners", what: "both are configured as address owner", keywords: "priority 255" },
  "two-owners": { code: "two-owners", what: "both are configured as address owner", keywords: "priority 255" },
};

/** keepalived has one code for all that is wrong with an authentication; what it received and expected tells the rest. */
export function reasonOf({ reason, event }: Refusal): string {
  if (reason !== "auth" || event.kind !== "vrrp.advert-rejected") return reason;
  if (event.raw !== undefined && /clock skew/.test(event.raw)) return "clock-skew";
  const isType = (word: string | undefined): boolean => word !== undefined && /^[0-2]$/.test(word);
  if (isType(event.received) && isType(event.expected)) return "auth-type";
  return event.raw !== undefined && /AH header|auth type/i.test(event.raw) ? "auth-type" : reason;
}

/** Refusals whose sender is none of ours are another cause's. */
export function refusalsOf(all: readonly NodeFacts[], from: number, to: number): Refusal[] {
  return all.flatMap(({ refusals }) => refusals.filter(({ event }) => event.ts >= from && event.ts <= to));
}

export const isOfStranger = ({ peer }: Refusal, view: RouterView): boolean =>
  peer !== undefined && !view.router.instances.some(({ node }) => node === view.nodeOfAddress(peer));

/** One cause for each thing that differs, with the nodes that refuse because of it. */
export function mismatchCauses(refused: readonly Refusal[], facts: readonly NodeFacts[], at: number): Cause[] {
  const byReason = new Map<string, Refusal[]>();
  for (const refusal of refused) {
    // "Own address" is a matter of priorities and sources, not of settings that differ.
    if (refusal.reason === "own-address") continue;
    const reason = reasonOf(refusal);
    byReason.set(reason, [...(byReason.get(reason) ?? []), refusal]);
  }
  // The log names a type where the shadow says just "auth": one of the two is the cause, not both.
  if (byReason.has("auth-type") && byReason.has("auth")) {
    byReason.set("auth-type", [...(byReason.get("auth-type") ?? []), ...(byReason.get("auth") ?? [])]);
    byReason.delete("auth");
  }
  const ranked = [...byReason].sort(
    ([a, p], [b, q]) =>
      Number(a === "unspecified") - Number(b === "unspecified") || q.length - p.length || (a < b ? -1 : 1),
  );
  return ranked.map(([reason, refusals], index) => {
    const nodes = [...new Set(refusals.map(({ node }) => node))].sort();
    const known = MISMATCHES[reason];
    const about = { reason, nodes, ...(known ? { keywords: known.keywords } : {}) };
    return {
      code: known?.code ?? "adverts-rejected",
      text: `${listed(nodes)} ${nodes.length > 1 ? "refuse" : "refuses"} the adverts that arrive: ${known?.what ?? reason}`,
      events: nodes.flatMap((node) =>
        refusals
          .filter((refusal) => refusal.node === node)
          .slice(0, EVENTS_SHOWN)
          .map(({ event }) => event),
      ),
      // What most lines tell of comes first.
      ts: at + index,
      look: lookAtBoth(about.keywords ?? "vrrp_instance", facts, at),
    };
  });
}

/** `auth_pass in the vrrp_instance at FILE:5 on lb1 and FILE:7 on lb2` */
export function lookAtBoth(keywords: string, facts: readonly NodeFacts[], at: number): string[] {
  const places = facts.filter(({ view }) => view.real).map((one) => placeOf(one, at));
  return places.length === 0 ? [] : [`${keywords} in the vrrp_instance at ${places.join(" and ")}`];
}
