import type { Family } from "../../events/event.ts";
import { OWNER_PRIORITY } from "../model/instance.ts";
import { familyOf, flag, last, valueOf } from "../model/read.ts";
import type { Instance } from "../model/types.ts";
import { compareReleases, type Release } from "../version.ts";
import { type Conf, type Finding, placeOf, type Rule, shown } from "./rule.ts";

/** vrrp_strict and strict_mode: the RFCs to the letter, which is seldom what the file around it wants. */

const UNICAST_UNCHECKED_SINCE: Release = [2, 2, 5];
const UNICAST_CHECKED_AGAIN: Release = [2, 4, 0];

function* unicast({ instances, release }: Conf): Iterable<Finding> {
  const isUnchecked =
    compareReleases(release, UNICAST_UNCHECKED_SINCE) >= 0 && compareReleases(release, UNICAST_CHECKED_AGAIN) < 0;
  for (const one of instances)
    if (one.value.strict && one.value.unicastPeers.length > 0)
      yield {
        code: "strict_unicast",
        at: placeOf(one, "unicast_peer"),
        message: `vrrp_instance ${one.value.name} has unicast peers in strict mode: ${
          isUnchecked
            ? "this release forgets to refuse them, others end the whole daemon for it"
            : "the whole daemon ends"
        }`,
        instance: one.value.name,
      };
}

const isFirewalled = ({ accept, priority }: Instance): boolean => !accept && priority !== OWNER_PRIORITY;

/** Nobody but the owner of an address may accept what is sent to it: keepalived adds firewall rules that drop it. */
function* firewalled({ instances, globals }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { value, nodes } = one;
    if (!isFirewalled(value) || value.vips.length === 0) continue;
    const isChosen = last(nodes, "no_accept") !== undefined;
    const first = value.vips[0]?.address ?? "";
    const which = value.vips.length > 1 ? `${first} and its other addresses` : first;
    yield {
      code: isChosen ? "no_accept" : "strict_firewall",
      at: isChosen
        ? placeOf(one, "no_accept")
        : (last(nodes, "strict_mode") ?? last(globals, "vrrp_strict") ?? one.block).keyword.at,
      message: `as master of vrrp_instance ${value.name} this node drops whatever is sent to ${which}: neither ping nor a service there answers`,
      instance: value.name,
    };
  }
}

/** The table of nftables is named by the file, or so. (keepalived 2.2.7, core/global_data.c) */
const DEFAULT_TABLE = "keepalived";

/**
 * The table is made for the first instance that needs it. A reload after which nobody needs it, and no `nftables` names it,
 * forgets it as it is, and so does every later start: seen with keepalived 2.2.7, also after a kill.
 */
function* leftBehind({ instances, globals, running, facts }: Conf): Iterable<Finding> {
  if (!facts.droppedAddresses || running.globals.netNamespace !== undefined) return;
  const table = valueOf(globals, "nftables") ?? DEFAULT_TABLE;
  const meant = new Set(
    instances.filter(({ value }) => isFirewalled(value)).flatMap(({ value }) => addressesOf(value)),
  );
  const dropped = new Map<Family, ReadonlySet<string> | undefined>();
  const isDropped = (address: string): boolean => {
    const family = familyOf(address);
    if (!dropped.has(family)) dropped.set(family, facts.droppedAddresses?.(family, table));
    return !meant.has(address) && dropped.get(family)?.has(address) === true;
  };
  for (const one of instances) {
    const [first, ...others] = addressesOf(one.value).filter(isDropped);
    if (first === undefined) continue;
    const family = familyOf(first) === "ipv6" ? "ip6" : "ip";
    yield {
      code: "firewall_left_behind",
      at: placeOf(one, "virtual_ipaddress", "virtual_ipaddress_excluded"),
      message: `nothing here asks for it, and yet table ${family} ${shown(table)} of nftables drops what is sent to ${first}${others.length > 0 ? ` and ${others.length} more` : ""}: as master of vrrp_instance ${one.value.name} this node is deaf`,
      fix: `nft delete table ${family} ${shown(table)}`,
      instance: one.value.name,
    };
  }
}

const addressesOf = ({ vips, excludedVips }: Instance): string[] =>
  [...vips, ...excludedVips].map(({ address }) => address);

function* stateOfNoOwner({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { value, nodes } = one;
    const line = last(nodes, "state");
    if (!value.strict || !line || value.configuredState === value.startState) continue;
    yield {
      code: "strict_state",
      at: line.keyword.at,
      message: `in strict mode priority ${value.priority} means ${value.startState}: vrrp_instance ${value.name} starts so, not as ${value.configuredState}`,
      instance: value.name,
    };
  }
}

const RESET: Readonly<Record<string, string>> = {
  down_timer_adverts: "down_timer_adverts is set to 3",
  garp_lower_prio_repeat: "garp_lower_prio_repeat is set to 0",
  garp_lower_prio_delay: "garp_lower_prio_delay is set to 0",
  higher_prio_send_advert: "higher_prio_send_advert is switched off",
};

function* resets({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { value, nodes } = one;
    if (!value.strict) continue;
    const found = (code: string, keyword: string, effect: string): Finding => ({
      code,
      at: placeOf(one, keyword),
      message: `in strict mode ${effect} for vrrp_instance ${value.name}`,
      instance: value.name,
    });
    for (const [keyword, effect] of Object.entries(RESET))
      if (last(nodes, keyword) && flag(nodes, keyword) !== false) yield found("strict_reset", keyword, effect);
    if (flag(nodes, "lower_prio_no_advert") === false)
      yield found("strict_reset", "lower_prio_no_advert", "lower_prio_no_advert is switched on");
    if (last(nodes, "accept") && value.version === 2)
      yield found(
        "accept_v2",
        "accept",
        "and with version 2 accept is cleared: what is sent to its addresses is dropped,",
      );
    if (value.vmac && last(nodes, "vmac_xmit_base"))
      yield found("vmac_option", "vmac_xmit_base", "vmac_xmit_base is cleared");
    if (
      value.family === "ipv6" &&
      nodes.some((node) => node.keyword.text === "version" && node.values[0]?.text === "2")
    )
      yield found("v2_ipv6", "version", "IPv6 needs version 3, which is used");
  }
}

export const strictRules: readonly Rule[] = [unicast, firewalled, leftBehind, stateOfNoOwner, resets];
