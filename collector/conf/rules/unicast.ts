import { normaliseAddress } from "../../core/address.ts";
import { compareReleases, type Release } from "../version.ts";
import type { Word } from "../lexer.ts";
import { entriesOf, familyOf, integer, isLinkLocal, last } from "../model/read.ts";
import { type Conf, type Finding, globalPlace, placeOf, type Rule, shown } from "./rule.ts";

/** Where adverts go to, and where they come from. */

const bare = (address: string): string => address.split("/")[0] ?? address;
const FAULT_WITHOUT_SOURCE_SINCE: Release = [2, 0, 0];

function* peers({ instances, facts }: Conf): Iterable<Finding> {
  const own = facts.interfaces && [...facts.interfaces.values()].flatMap(({ addresses }) => addresses.map(bare));
  for (const { nodes, value } of instances) {
    const seen = new Set<string>();
    const instance = value.name;
    for (const { keyword, values } of entriesOf(nodes, "unicast_peer")) {
      const at = keyword.at;
      const address = normaliseAddress(keyword.text);
      if (address === undefined) {
        yield {
          code: "unicast_peer_invalid",
          at,
          message: `${shown(keyword.text)} is no address: this peer of vrrp_instance ${instance} never hears from it, and becomes master too`,
          instance,
        };
        continue;
      }
      if (familyOf(address) !== value.family)
        yield {
          code: "unicast_peer_invalid",
          at,
          message: `${address} is left out: vrrp_instance ${instance} is an ${value.family === "ipv6" ? "IPv6" : "IPv4"} one, after the first address in it`,
          fix: "Give a peer of the same family",
          instance,
        };
      else if (address === value.sourceAddress || (own?.includes(address) && !holds(value.vips, address)))
        yield {
          code: "unicast_self",
          at,
          message: `${address} is this node itself: it sends its adverts to itself as well, and warns of a remote host with its address when it hears them`,
          instance,
        };
      else if (holds(value.vips, address))
        yield {
          code: "unicast_peer_vip",
          at,
          message: `${address} is a virtual address of vrrp_instance ${instance}: whoever is master has it, and the others hear nothing`,
          instance,
        };
      else if (seen.has(address))
        yield {
          code: "unicast_peer_duplicate",
          at,
          message: `${address} is a peer of vrrp_instance ${instance} already`,
          instance,
        };
      seen.add(address);
      yield* peerOptions(values, address, instance);
    }
  }
}

/** `min_ttl N` and `max_ttl N` behind a peer. (keepalived 2.2.7, vrrp_parser.c) */
function* peerOptions(words: readonly Word[], address: string, instance: string): Iterable<Finding> {
  const found = (at: Word, message: string): Finding => ({ code: "unicast_peer_option", at: at.at, message, instance });
  const limits: Record<string, number> = {};
  for (let i = 0; i < words.length; i += 2) {
    const [option, value] = words.slice(i, i + 2);
    if (!option || option.unknown || value?.unknown) return;
    const limit = integer(0, 255)(value?.text ?? "");
    if (value === undefined) yield found(option, `${shown(option.text)} has no value, and is ignored`);
    else if (option.text !== "min_ttl" && option.text !== "max_ttl")
      yield found(option, `${shown(option.text)} is no option of a peer, and is ignored: it has min_ttl and max_ttl`);
    else if (limit === undefined)
      yield found(value, `${shown(value.text)} is no ${option.text} from 0 to 255, and is ignored`);
    else limits[option.text] = limit;
    if (limits["min_ttl"] !== undefined && limits["max_ttl"] !== undefined && limits["min_ttl"] > limits["max_ttl"])
      yield found(option, `min_ttl is above max_ttl: every advert of ${address} is discarded, and both are master`);
  }
}

function holds(vips: readonly { readonly address: string }[], address: string): boolean {
  return vips.some((vip) => vip.address === address);
}

const UNICAST_KEYWORDS = ["unicast_peer", "unicast_src_ip", "check_unicast_src", "old_unicast_checksum"];

function* withoutPeers({ instances, release }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { nodes, value } = one;
    if (value.unicastPeers.length > 0) continue;
    const instance = value.name;
    if (last(nodes, "unicast_fault_no_peer") && compareReleases(release, [2, 2, 5]) >= 0)
      yield {
        code: "unicast_no_peers_fault",
        at: placeOf(one, "unicast_fault_no_peer"),
        message: `vrrp_instance ${instance} has no unicast peer, and stays in FAULT for want of one`,
        instance,
      };
    else if (UNICAST_KEYWORDS.some((keyword) => last(nodes, keyword)))
      yield {
        code: "unicast_no_peers_multicast",
        at: placeOf(one, ...UNICAST_KEYWORDS),
        message: `vrrp_instance ${instance} has no usable unicast peer: it sends its adverts to the multicast group ${value.multicastGroup ?? ""}`,
        instance,
      };
    else if (last(nodes, "unicast_ttl"))
      yield {
        code: "unicast_option_reset",
        at: placeOf(one, "unicast_ttl"),
        message: `unicast_ttl means nothing without unicast peers: vrrp_instance ${instance} multicasts with 255`,
        instance,
      };
  }
}

/** A source of the other family than the instance's is dropped; one that is not this node's lets the instance down. */
function* sources({ instances, facts, release }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { nodes, value } = one;
    const instance = value.name;
    for (const line of nodes.filter(({ keyword }) => ["unicast_src_ip", "mcast_src_ip"].includes(keyword.text))) {
      const text = line.values[0]?.text;
      if (text === undefined) continue;
      const address = normaliseAddress(text);
      if (address !== undefined && familyOf(address) === value.family) continue;
      yield {
        code: "srcip_invalid",
        at: line.keyword.at,
        message: `${line.keyword.text} ${shown(text)} is ${address === undefined ? "no address" : "of the other family"}: vrrp_instance ${instance} sends from the address of ${value.interface ?? "its interface"}`,
        instance,
      };
    }
    if (!facts.interfaces || value.sourceAddress === undefined) continue;
    const own = [...facts.interfaces.values()].flatMap(({ addresses }) => addresses.map(bare));
    if (own.includes(value.sourceAddress)) continue;
    const isUnicast = value.unicastPeers.length > 0;
    yield isUnicast && compareReleases(release, FAULT_WITHOUT_SOURCE_SINCE) >= 0
      ? {
          code: "unicast_source_missing",
          at: placeOf(one, "unicast_src_ip", "mcast_src_ip"),
          message: `${value.sourceAddress} is no address of this node: vrrp_instance ${instance} cannot send from it, and goes into FAULT`,
          instance,
        }
      : {
          code: "multicast_source_foreign",
          at: placeOf(one, "mcast_src_ip", "unicast_src_ip"),
          message: `${value.sourceAddress} is no address of this node: vrrp_instance ${instance} sends adverts in another host's name`,
          instance,
        };
  }
}

/** Two nodes that have to tell each other apart by address need one. */
function* noSourceAddress({ instances, facts }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { value } = one;
    const face = value.interface === undefined ? undefined : facts.interfaces?.get(value.interface);
    if (!face || value.sourceAddress !== undefined || value.vmac?.interface === value.interface) continue;
    const usable = face.addresses.filter((address) =>
      value.family === "ipv6" ? isLinkLocal(address) : !address.includes(":"),
    );
    if (usable.length > 0) continue;
    yield {
      code: "no_source_address",
      at: placeOf(one, "interface"),
      message: `${value.interface} has no ${value.family === "ipv6" ? "link-local IPv6" : "IPv4"} address to send from: vrrp_instance ${value.name} is in FAULT until it has one`,
      instance: value.name,
    };
  }
}

/** Switches and routers treat groups beyond 224.0.0.0/24 as ordinary multicast: without an IGMP querier they are not delivered. */
function* groupScope(conf: Conf): Iterable<Finding> {
  const group = conf.running.globals.multicastGroup.ipv4;
  if (group.startsWith("224.0.0.")) return;
  yield {
    code: "multicast_group_scope",
    at: globalPlace(conf, "vrrp_mcast_group4"),
    message: `${group} is not a link-local group (224.0.0.0/24): switches that snoop IGMP stop delivering it when no querier is there, and both nodes become master`,
  };
}

export const unicastRules: readonly Rule[] = [peers, withoutPeers, sources, noSourceAddress, groupScope];
