import { blocks, entriesOf, last, wordsOf } from "../model/read.ts";
import { trackLinesOf } from "../model/trackers.ts";
import type { ConfNode } from "../parser.ts";
import { compareReleases, type Release } from "../version.ts";
import { type Conf, type Finding, placeOf, type Rule, shown } from "./rule.ts";

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

/** `default_interface` is for static addresses. */
function* defaultInterface({ roots, running, facts, globals, file }: Conf): Iterable<Finding> {
  const name = running.globals.defaultInterface;
  const bareAddresses = entriesOf(roots, "static_ipaddress").filter((node) => !wordsOf(node).includes("dev"));
  if (name !== undefined && facts.interfaces && !facts.interfaces.has(name))
    yield {
      code: "default_interface_missing",
      at: last(globals, "default_interface")?.keyword.at ?? { file, line: 1, column: 1 },
      message: `default_interface ${shown(name)} does not exist${bareAddresses.length > 0 ? ": static addresses without an interface are not added" : ""}`,
    };
}

export const interfaceRules: readonly Rule[] = [missing, unusableNames, passedOver, down, defaultInterface];
