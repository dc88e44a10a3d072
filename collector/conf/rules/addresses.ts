import ipaddr from "ipaddr.js";
import { compareReleases } from "../version.ts";
import { entriesOf, integer, isLinkLocal, last, prefixed } from "../model/read.ts";
import { OWNER_PRIORITY, vipOf } from "../model/instance.ts";
import type { Instance, Vip } from "../model/types.ts";
import type { ConfNode } from "../parser.ts";
import type { NodeFacts } from "../facts.ts";
import { type Conf, type Finding, type Located, placeOf, type Rule, shown } from "./rule.ts";

/** Virtual addresses: those that are dropped, doubled, on no network, or the node's own. */

const BLOCKS = ["virtual_ipaddress", "virtual_ipaddress_excluded"];

/** Lines of the address blocks, with what they are. */
function linesOf({ nodes, value }: Located<Instance>) {
  return BLOCKS.flatMap((keyword) =>
    entriesOf(nodes, keyword).map((node) => {
      const text = node.keyword.text;
      return { keyword, node, text, found: prefixed(text), vip: vipOf(node, value.interface) };
    }),
  );
}

function* unusableAddresses({ instances }: Conf): Iterable<Finding> {
  for (const one of instances)
    for (const { keyword, node, text, found } of linesOf(one)) {
      const { name: instance, family } = one.value;
      const at = node.keyword.at;
      if (!found)
        yield {
          code: "vip_invalid",
          at,
          message: `${shown(text)} is no address and is left out: vrrp_instance ${instance} runs with fewer addresses than its peers`,
          instance,
        };
      else if (keyword === "virtual_ipaddress" && found.family !== family)
        yield {
          code: "vip_family_mismatch",
          at,
          message: `${found.address} is ignored: vrrp_instance ${instance} is an ${family === "ipv6" ? "IPv6" : "IPv4"} one, after the first address in it`,
          instance,
        };
      else if (!found.isPrefixValid)
        yield {
          code: "vip_prefix_invalid",
          at,
          message: `${text} has no valid prefix length: /${found.prefixLength} is used`,
          instance,
        };
    }
}

function* noAddresses({ instances, release }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { value, nodes } = one;
    if (value.vips.length > 0) continue;
    if (last(nodes, "no_virtual_ipaddress") && !value.strict && compareReleases(release, [2, 2, 8]) >= 0) continue;
    const needs = value.strict
      ? "strict mode"
      : value.family === "ipv6"
        ? "IPv6"
        : value.version === 3
          ? "version 3"
          : undefined;
    const at = placeOf(one, "virtual_ipaddress");
    const instance = value.name;
    if (needs !== undefined)
      yield {
        code: "no_vip_fatal",
        at,
        message: `vrrp_instance ${instance} has no virtual address, and ${needs} demands one: the whole daemon ends`,
        instance,
      };
    else
      yield {
        code: "no_vip",
        at,
        message: `vrrp_instance ${instance} has no virtual address: it becomes master and protects nothing`,
        instance,
      };
  }
}

function* withoutPrefix({ instances }: Conf): Iterable<Finding> {
  for (const one of instances)
    for (const { node, found } of linesOf(one))
      if (found && !found.isPrefixGiven)
        yield {
          code: "vip_no_prefix",
          at: node.keyword.at,
          message: `${found.address} has no prefix length: it is added as /${found.prefixLength}, a host route without its network`,
          fix: `Write ${found.address}/${found.family === "ipv6" ? 64 : 24}, with the length of its network; /${found.prefixLength} says that a host address is meant`,
          instance: one.value.name,
        };
}

function* twiceInOne({ instances, release }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const seen = new Map<string, number>();
    for (const { node, vip } of linesOf(one)) {
      if (!vip) continue;
      const before = seen.get(vip.address);
      if (before === undefined) seen.set(vip.address, node.keyword.at.line);
      else
        yield {
          code: "vip_duplicate",
          at: node.keyword.at,
          message: `${vip.address} stands in line ${before} already: ${
            compareReleases(release, [2, 3, 3]) >= 0
              ? "this one is ignored"
              : "adverts carry it twice, and a peer that lists it once refuses them"
          }`,
          instance: one.value.name,
        };
    }
  }
}

/** Two instances of one node with one address: what one adds the other removes. */
function* inTwoInstances({ instances }: Conf): Iterable<Finding> {
  const holder = new Map<string, string>();
  for (const one of instances)
    for (const { node, vip } of linesOf(one)) {
      if (!vip || (isLinkLocal(vip.address) && vip.interface === undefined)) continue;
      const key = isLinkLocal(vip.address) ? `${vip.address} ${vip.interface}` : vip.address;
      const other = holder.get(key);
      if (other === undefined) holder.set(key, one.value.name);
      else if (other !== one.value.name)
        yield {
          code: "vip_two_instances",
          at: node.keyword.at,
          message: `${vip.address} is an address of vrrp_instance ${other} too: when one of them becomes backup it removes the address from under the other`,
          instance: one.value.name,
        };
    }
}

function* linkLocalFirst({ instances, release }: Conf): Iterable<Finding> {
  for (const { nodes, value } of instances) {
    const [first] = entriesOf(nodes, "virtual_ipaddress");
    if (value.family !== "ipv6" || !first || value.vips[0] === undefined || isLinkLocal(value.vips[0].address))
      continue;
    const isStated = value.strict || compareReleases(release, [2, 2, 0]) < 0;
    yield {
      code: "ipv6_first_not_ll",
      at: first.keyword.at,
      message: `RFC 9568 (section 5.2.9) ${isStated ? "asks for" : "would have"} a link-local address in first place, where ${value.vips[0].address} stands`,
      fix: "Put a link-local address (fe80::…/64) first, the same on all nodes",
      instance: value.name,
    };
  }
}

/** Most addresses that the advert's one byte can count. */
const ADDRESSES_MAX = 255;

function* tooMany({ instances }: Conf): Iterable<Finding> {
  for (const one of instances)
    if (one.value.vips.length > ADDRESSES_MAX)
      yield {
        code: "too_many_vips",
        at: placeOf(one, "virtual_ipaddress"),
        message: `vrrp_instance ${one.value.name} has ${one.value.vips.length} addresses: those after the first ${ADDRESSES_MAX} are not in its adverts`,
        instance: one.value.name,
      };
}

function* secondOnLine({ instances }: Conf): Iterable<Finding> {
  for (const one of instances)
    for (const { node } of linesOf(one)) {
      const second = node.values.find(({ text }) => prefixed(text)?.isPrefixGiven);
      const before = second && node.values[node.values.indexOf(second) - 1]?.text;
      if (second && !["peer", "brd", "broadcast"].includes(before ?? ""))
        yield {
          code: "vip_option_invalid",
          at: second.at,
          message: `${second.text} is a second address on its line, and is ignored`,
          fix: "Put each address on a line of its own",
          instance: one.value.name,
        };
    }
}

/** What an address line may hold behind the address, and whether a word belongs to it. */
export const ADDRESS_OPTIONS: Readonly<Record<string, boolean>> = {
  dev: true,
  scope: true,
  label: true,
  brd: true,
  broadcast: true,
  peer: true,
  preferred_lft: true,
  home: false,
  "-nodad": false,
  mngtmpaddr: false,
  noprefixroute: false,
  autojoin: false,
  no_track: false,
};
/** In an instance, or of a static address only. */
const VIRTUAL_OPTIONS = { ...ADDRESS_OPTIONS, use_vmac: false };
const STATIC_OPTIONS = { ...ADDRESS_OPTIONS, track_group: true };
const SCOPES: ReadonlySet<string> = new Set(["site", "link", "host", "nowhere", "global"]);
/** IFNAMSIZ without its NUL. */
const LABEL_MAX = 15;

function* addressOptions({ instances, roots }: Conf): Iterable<Finding> {
  for (const one of instances)
    for (const { node } of linesOf(one))
      for (const finding of optionFaults(node, VIRTUAL_OPTIONS)) yield { ...finding, instance: one.value.name };
  for (const node of entriesOf(roots, "static_ipaddress")) yield* optionFaults(node, STATIC_OPTIONS);
}

/** What is wrong behind the address of a line. (keepalived 2.2.7, vrrp_ipaddress.c) */
function* optionFaults(node: ConfNode, options: Readonly<Record<string, boolean>>): Iterable<Finding> {
  const seen = new Set<string>();
  for (let i = 0; i < node.values.length; i++) {
    const word = node.values[i];
    if (!word || word.unknown || (prefixed(word.text) && options !== STATIC_OPTIONS)) continue;
    const takesWord = options[word.text];
    const value = takesWord ? node.values[i + 1] : undefined;
    const at = { code: "vip_option_invalid", at: word.at };
    if (takesWord === undefined)
      yield { ...at, message: `${shown(word.text)} is no option of an address, and is ignored` };
    else if (takesWord && !value)
      yield {
        ...at,
        message: `${word.text} names nothing, and is ignored`,
        fix: `Give ${word.text} its value, or remove it`,
      };
    else if (word.text === "dev" && seen.has("dev"))
      yield { ...at, message: "a second dev: the address is left out", fix: "Keep one of them" };
    else if (value && !value.unknown) {
      const fault = optionFault(word.text, value.text);
      if (fault) yield { ...at, at: value.at, ...fault };
    }
    seen.add(word.text);
    if (takesWord) i += 1;
  }
}

function optionFault(option: string, value: string): { readonly message: string; readonly fix?: string } | undefined {
  if (option === "scope" && !SCOPES.has(value) && integer(0, 255)(value) === undefined)
    return {
      message: `${shown(value)} is no scope, and is ignored`,
      fix: "Use site, link, host, nowhere, global, or a number up to 255",
    };
  if (option === "label" && value.length > LABEL_MAX)
    return {
      message: `a label has at most ${LABEL_MAX} characters: the address is left out`,
      fix: "Shorten the label",
    };
  if ((option === "brd" || option === "broadcast") && value !== "+" && value !== "-" && !prefixed(value))
    return { message: `${shown(value)} is no broadcast address: the virtual address is left out` };
  if (option === "peer" && !prefixed(value))
    return { message: `${shown(value)} is no address: the address is set without a peer` };
  if (option === "preferred_lft" && value !== "forever" && integer(0, 4_294_967_295)(value) === undefined)
    return { message: `${shown(value)} is no lifetime, and is ignored` };
  return undefined;
}

/** Static addresses that are none, or have no valid length. */
function* staticAddresses({ roots }: Conf): Iterable<Finding> {
  for (const node of entriesOf(roots, "static_ipaddress")) {
    const { text, at, unknown } = node.keyword;
    if (unknown) continue;
    const found = prefixed(text);
    if (!found) yield { code: "vip_invalid", at, message: `${shown(text)} is no address and is not added` };
    else if (!found.isPrefixValid)
      yield {
        code: "vip_prefix_invalid",
        at,
        message: `${shown(text)} has no valid prefix length: /${found.prefixLength} is used`,
      };
  }
}

const bare = (address: string): string => address.split("/")[0] ?? address;

/**
 * At its start, and whenever it becomes backup, keepalived removes its addresses: also when they were the node's own.
 * On a master its addresses are there for good reason, but never before the interface's own.
 */
function* ownAddresses({ instances, facts }: Conf): Iterable<Finding> {
  if (!facts.interfaces) return;
  for (const one of instances)
    for (const { node, vip } of linesOf(one)) {
      if (!vip || one.value.priority === OWNER_PRIORITY) continue;
      for (const [face, { addresses }] of facts.interfaces) {
        const own = addresses.filter((address) => sameFamily(address, vip) && !isLinkLocal(address)).map(bare);
        if (face === "lo" || !own.includes(vip.address) || (face === vip.interface && own[0] !== vip.address)) continue;
        const effect =
          face === vip.interface
            ? `keepalived removes it when it starts and whenever vrrp_instance ${one.value.name} becomes backup${
                own.length === 1 && vip.family === "ipv4" && face === one.value.interface
                  ? "; without another address the instance goes into FAULT"
                  : ""
              }`
            : `as master this node has it on ${face} and ${vip.interface ?? "another interface"}, as backup still on ${face}`;
        yield {
          code: "vip_is_own_address",
          at: node.keyword.at,
          message: `${vip.address} is the node's own address on ${face}: ${effect}`,
          instance: one.value.name,
        };
      }
    }
}

const sameFamily = (address: string, { family }: Vip): boolean => address.includes(":") === (family === "ipv6");

/** Once an instance: who does it, does it for all of them. */
function* offNet({ instances, facts }: Conf): Iterable<Finding> {
  if (!facts.interfaces) return;
  const subnetsOf = networksOf(facts.interfaces, instances);
  for (const one of instances) {
    const off = linesOf(one).flatMap(({ keyword, node, vip }) => {
      if (vip?.interface === undefined || keyword !== "virtual_ipaddress" || isLinkLocal(vip.address)) return [];
      const subnets = subnetsOf(vip.interface).filter((own) => sameFamily(own, vip));
      return subnets.length === 0 || subnets.some((subnet) => contains(subnet, vip.address))
        ? []
        : [{ at: node.keyword.at, vip, subnets }];
    });
    const [first] = off;
    if (first)
      yield {
        code: "vip_off_subnet",
        at: first.at,
        message: `${first.vip.address}${off.length > 1 ? ` and ${off.length - 1} more are` : " is"} in none of the networks of ${first.vip.interface} (${first.subnets.join(", ")}): hosts there do not look for it, unless it is routed to this node`,
        instance: one.value.name,
      };
  }
}

/** By interface: the networks the node is in by its own addresses. A virtual address that it holds is none, and there may be hundreds. */
function networksOf(
  interfaces: NonNullable<NodeFacts["interfaces"]>,
  instances: Conf["instances"],
): (nic: string) => readonly string[] {
  const virtual = new Set(
    instances.flatMap(({ value }) => [...value.vips, ...value.excludedVips].map(({ address }) => address)),
  );
  const known = new Map<string, readonly string[]>();
  return (nic) => {
    const networks =
      known.get(nic) ??
      (interfaces.get(nic)?.addresses ?? []).filter(
        (own) => !virtual.has(own.split("/", 1)[0] ?? "") && !isLinkLocal(own),
      );
    known.set(nic, networks);
    return networks;
  };
}

function contains(subnet: string, address: string): boolean {
  try {
    const parsed = ipaddr.parseCIDR(subnet);
    const own = ipaddr.parse(address);
    return own.kind() === parsed[0].kind() && own.match(parsed as never);
  } catch {
    return false;
  }
}

function* networkAddresses({ instances }: Conf): Iterable<Finding> {
  for (const one of instances)
    for (const { node, vip, found } of linesOf(one)) {
      if (!vip || !found?.isPrefixGiven || vip.family !== "ipv4" || vip.prefixLength > 30) continue;
      const text = `${vip.address}/${vip.prefixLength}`;
      const kind =
        ipaddr.IPv4.networkAddressFromCIDR(text).toString() === vip.address
          ? "network"
          : ipaddr.IPv4.broadcastAddressFromCIDR(text).toString() === vip.address
            ? "broadcast"
            : undefined;
      if (kind)
        yield {
          code: "vip_network_address",
          at: node.keyword.at,
          message: `${vip.address} is the ${kind} address of ${text}: hosts there do not reach it`,
          instance: one.value.name,
        };
    }
}

export const addressRules: readonly Rule[] = [
  unusableAddresses,
  noAddresses,
  withoutPrefix,
  twiceInOne,
  inTwoInstances,
  linkLocalFirst,
  tooMany,
  secondOnLine,
  addressOptions,
  staticAddresses,
  ownAddresses,
  offNet,
  networkAddresses,
];
