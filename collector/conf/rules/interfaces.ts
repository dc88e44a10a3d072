import { blocks, entriesOf, last, microseconds, wordsOf } from "../model/read.ts";
import { trackLinesOf } from "../model/trackers.ts";
import type { ConfNode } from "../parser.ts";
import { compareReleases, type Release } from "../version.ts";
import { ADDRESS_OPTIONS } from "./addresses.ts";
import { type Conf, type Finding, globalPlace, placeOf, type Rule, shown } from "./rule.ts";

/** Interfaces by name: each one must exist when keepalived starts, or the whole daemon ends. Needs facts about the node. */

const NAME_MAX = 15;
const DYNAMIC_SINCE: Release = [2, 0, 0];

/** A name that stands somewhere in the file, and what it is for. */
interface Named {
  readonly code: string;
  readonly face: string;
  readonly at: ConfNode["keyword"]["at"];
  readonly what: string;
  readonly instance?: string;
}

const DEVICE_WORDS = ["dev", "oif", "iif"];

/** `dev eth0` and the like in the lines of these blocks. */
function devicesIn(nodes: readonly ConfNode[], keyword: string): { face: string; node: ConfNode }[] {
  return entriesOf(nodes, keyword).flatMap((node) => {
    const words = wordsOf(node);
    return words.flatMap((word, i) => {
      const face = words[i + 1];
      return DEVICE_WORDS.includes(word) && face !== undefined ? [{ face, node }] : [];
    });
  });
}

function* namedInterfaces({ roots, instances, groups, release }: Conf): Iterable<Named> {
  for (const one of instances) {
    const instance = one.value.name;
    const line = last(one.nodes, "interface");
    const face = line?.values[0]?.text;
    if (line && face !== undefined && face !== "lo" && face.length <= NAME_MAX)
      yield { code: "interface_missing", face, at: line.keyword.at, what: `vrrp_instance ${instance}`, instance };
    for (const keyword of ["virtual_ipaddress", "virtual_ipaddress_excluded"])
      for (const { face: device, node } of devicesIn(one.nodes, keyword))
        yield {
          code: "vip_interface_missing",
          face: device,
          at: node.keyword.at,
          what: `address ${node.keyword.text}`,
          instance,
        };
    for (const keyword of ["virtual_routes", "virtual_rules"])
      for (const { face: device, node } of devicesIn(one.nodes, keyword))
        yield {
          code: "other_interface_missing",
          face: device,
          at: node.keyword.at,
          what: keyword === "virtual_routes" ? "a virtual route" : "a virtual rule",
          instance,
        };
  }
  if (compareReleases(release, DYNAMIC_SINCE) >= 0)
    for (const one of [...instances, ...groups])
      for (const { kind, name, node } of trackLinesOf(one.nodes))
        if (kind === "interface")
          yield {
            code: "track_interface_missing",
            face: name,
            at: node.keyword.at,
            what: `track_interface of ${one.block.keyword.text} ${one.value.name}`,
            ...(one.block.keyword.text === "vrrp_instance" ? { instance: one.value.name } : {}),
          };
  for (const keyword of ["static_ipaddress", "static_routes", "static_rules"])
    for (const { face, node } of devicesIn(roots, keyword))
      yield {
        code: keyword === "static_ipaddress" ? "vip_interface_missing" : "other_interface_missing",
        face,
        at: node.keyword.at,
        what: keyword.replace("_", " "),
      };
  for (const block of blocks(roots, "garp_group"))
    for (const node of [
      ...blocks(block.children ?? [], "interface").flatMap(({ values }) => values),
      ...entriesOf(block.children ?? [], "interfaces").map(({ keyword }) => keyword),
    ])
      yield { code: "other_interface_missing", face: node.text, at: node.at, what: "garp_group" };
}

function* missing(conf: Conf): Iterable<Finding> {
  const { facts, running, release } = conf;
  if (!facts.interfaces) return;
  const isDynamic = running.globals.dynamicInterfaces && compareReleases(release, DYNAMIC_SINCE) >= 0;
  const vmacs = new Set(running.instances.flatMap(({ vmac }) => (vmac ? [vmac.interface] : [])));
  for (const { code, face, at, what, instance } of namedInterfaces(conf)) {
    if (facts.interfaces.has(face) || vmacs.has(face)) continue;
    yield {
      code: isDynamic ? "interface_dynamic" : code,
      at,
      message: isDynamic
        ? `${shown(face)}, named for ${what}, does not exist: ${instance === undefined ? "what needs it" : `vrrp_instance ${instance}`} waits in FAULT until it does`
        : `${shown(face)}, named for ${what}, does not exist: the whole daemon ends, with all instances and health checks`,
      ...(instance === undefined ? {} : { instance }),
    };
  }
}

function* unusableNames({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const face = last(one.nodes, "interface")?.values[0]?.text;
    const instance = one.value.name;
    if (face === undefined || one.value.interface !== undefined) continue;
    yield face === "lo"
      ? {
          code: "loopback_interface",
          at: placeOf(one, "interface"),
          message: `vrrp_instance ${instance} cannot run on the loopback interface: the whole daemon ends`,
          instance,
        }
      : {
          code: "interface_name_long",
          at: placeOf(one, "interface"),
          message: `an interface name has at most ${NAME_MAX} characters: this one is ignored, and the whole daemon ends for want of an interface`,
          instance,
        };
  }
}

/** What keepalived only passes over. */
function* passedOver({ roots, facts }: Conf): Iterable<Finding> {
  if (!facts.interfaces) return;
  for (const keyword of ["linkbeat_interfaces", "interface_up_down_delays"])
    for (const { keyword: word } of entriesOf(roots, keyword))
      if (!facts.interfaces.has(word.text))
        yield {
          code: "interface_ignored",
          at: word.at,
          message: `${shown(word.text)} does not exist: its line in ${keyword} is ignored, also when it appears later`,
        };
}

const LINK_CHECKS = ["MII", "ETHTOOL", "IOCTL"];
const delay = microseconds(0, 255);

/** What stands behind an interface in a list of them. (keepalived 2.2.7, global_parser.c, vrrp_parser.c) */
function* interfaceOptions({ roots }: Conf): Iterable<Finding> {
  const code = "interface_option_invalid";
  for (const { values } of entriesOf(roots, "linkbeat_interfaces")) {
    const wrong = values.length > 1 ? values[0] : values.find(({ text }) => !LINK_CHECKS.includes(text));
    if (wrong && !wrong.unknown)
      yield {
        code,
        at: wrong.at,
        message: `${shown(wrong.text)} is ignored: one of ${LINK_CHECKS.join(", ")}, in capitals, may stand behind an interface`,
      };
  }
  for (const { values } of entriesOf(roots, "interface_up_down_delays"))
    for (const word of values.slice(0, 2))
      if (!word.unknown && delay(word.text) === undefined)
        yield { code, at: word.at, message: `${shown(word.text)} is no delay from 0 to 255 seconds, and is ignored` };
}

/** Options of an instance's interface that do not go together. (keepalived 2.2.7, vrrp.c) */
function* ownInterfaces({ instances, release }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { nodes, value } = one;
    const instance = value.name;
    const found = (keyword: string, message: string): Finding => ({
      code: "vmac_option",
      at: placeOf(one, keyword),
      message,
      instance,
    });
    const vmac = last(nodes, "use_vmac");
    const [name, mac] = vmac?.values ?? [];
    if (name && !name.unknown && name.text.length > NAME_MAX)
      yield found("use_vmac", `the name of a VMAC has at most ${NAME_MAX} characters: this one is ignored`);
    if (mac && !mac.unknown && !/^([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}$/.test(mac.text))
      yield found("use_vmac", `${shown(mac.text)} is no MAC address, and is ignored`);
    if (last(nodes, "vmac_xmit_base") && !vmac && !last(nodes, "use_ipvlan"))
      yield found("vmac_xmit_base", `vrrp_instance ${instance} has no VMAC: vmac_xmit_base is ignored`);
    if (last(nodes, "use_ipvlan") && value.family === "ipv4" && value.sourceAddress === undefined)
      yield {
        code: "no_source_address",
        at: placeOf(one, "use_ipvlan"),
        message: `an ipvlan has no IPv4 address of its own: without unicast_src_ip or mcast_src_ip vrrp_instance ${instance} is in FAULT`,
        fix: "Name the address that adverts are sent from.",
        instance,
      };
    if (last(nodes, "vrf") && last(nodes, "interface") && compareReleases(release, [2, 2, 5]) >= 0)
      yield found("vrf", "an interface says which VRF it is in: beside it vrf is ignored");
    if (last(nodes, "mcast_dst_ip") && value.unicastPeers.length > 0)
      yield found("mcast_dst_ip", `vrrp_instance ${instance} has unicast peers: mcast_dst_ip is ignored`);
  }
}

function* garpGroups({ roots }: Conf): Iterable<Finding> {
  const grouped = new Map<string, number>();
  for (const block of blocks(roots, "garp_group")) {
    const nodes = block.children ?? [];
    if (!last(nodes, "garp_interval", "gna_interval"))
      yield {
        code: "garp_group_unused",
        at: block.keyword.at,
        message: "this garp_group has neither garp_interval nor gna_interval, and is removed",
      };
    for (const { text, at, unknown } of [
      ...blocks(nodes, "interface").flatMap(({ values }) => values.slice(0, 1)),
      ...entriesOf(nodes, "interfaces").map(({ keyword }) => keyword),
    ]) {
      const before = grouped.get(text);
      if (before !== undefined && !unknown)
        yield {
          code: "garp_group_unused",
          at,
          message: `${shown(text)} is in the garp_group of line ${before} already: this line is ignored`,
        };
      else grouped.set(text, block.keyword.at.line);
    }
  }
}

function* down({ instances, facts }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { interface: face, name, tracksPrimary } = one.value;
    if (face === undefined || !tracksPrimary || facts.interfaces?.get(face)?.up !== false) continue;
    yield {
      code: "interface_down",
      at: placeOf(one, "interface"),
      message: `${face} is down: vrrp_instance ${name} is in FAULT until it is up`,
      instance: name,
    };
  }
}

/** What default_interface is without being set. (keepalived 2.2.7, DFLT_INT) */
const DEFAULT_INTERFACE = "eth0";

/** `default_interface` is for static addresses; one without any interface ends the daemon. */
function* defaultInterface(conf: Conf): Iterable<Finding> {
  const { roots, running, facts, release } = conf;
  if (!facts.interfaces) return;
  const name = running.globals.defaultInterface;
  if (facts.interfaces.has(name ?? DEFAULT_INTERFACE)) return;
  if (name !== undefined)
    yield {
      code: "default_interface_missing",
      at: globalPlace(conf, "default_interface"),
      message: `default_interface ${shown(name)} does not exist`,
    };
  if (running.globals.dynamicInterfaces && compareReleases(release, DYNAMIC_SINCE) >= 0) return;
  for (const node of entriesOf(roots, "static_ipaddress"))
    if (deviceOf(node) === undefined && !node.keyword.unknown)
      yield {
        code: "vip_interface_missing",
        at: node.keyword.at,
        message: `static address ${shown(node.keyword.text)} names no interface, and ${name ?? `${DEFAULT_INTERFACE}, the default_interface,`} does not exist: the whole daemon ends`,
        fix: "Add `dev INTERFACE`.",
      };
}

/** The word behind `dev`, when no option before has taken `dev` for its value. */
function deviceOf({ values }: ConfNode): string | undefined {
  for (let i = 0; i < values.length; i++) {
    const word = values[i]?.text ?? "";
    if (word === "dev") return values[i + 1]?.text;
    if (ADDRESS_OPTIONS[word]) i += 1;
  }
  return undefined;
}

export const interfaceRules: readonly Rule[] = [
  missing,
  unusableNames,
  passedOver,
  interfaceOptions,
  ownInterfaces,
  garpGroups,
  down,
  defaultInterface,
];
