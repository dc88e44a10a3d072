import { blocks, last } from "../model/read.ts";
import { compareReleases } from "../version.ts";
import type { Instance } from "../model/types.ts";
import type { Conf, Finding, Rule } from "./rule.ts";

/** What lets an instance exist at all: a name, an id of its own, something to run. */

function* instanceNames({ roots }: Conf): Iterable<Finding> {
  const seen = new Map<string, number>();
  for (const { keyword, values } of blocks(roots, "vrrp_instance")) {
    const name = values[0]?.text;
    if (name === undefined)
      yield { code: "instance_no_name", at: keyword.at, message: "a vrrp_instance has no name, and is skipped" };
    else if (seen.has(name))
      yield {
        code: "instance_duplicate",
        at: keyword.at,
        message: `vrrp_instance ${name} is defined a second time (first in line ${seen.get(name)}), and this one is skipped`,
        instance: name,
      };
    else seen.set(name, keyword.at.line);
  }
}

function* missingInterface({ instances }: Conf): Iterable<Finding> {
  for (const { block, nodes, value } of instances)
    if (value.interface === undefined && !last(nodes, "interface"))
      yield {
        code: "unknown_interface",
        at: block.keyword.at,
        message: `vrrp_instance ${value.name} names no interface: the whole daemon ends (default_interface is not used for instances)`,
        fix: "Add an interface line",
        instance: value.name,
      };
}

/** A VRID that cannot be read is none; a later one that can counts. */
function* missingVrid({ instances }: Conf): Iterable<Finding> {
  for (const { block, nodes, value } of instances)
    if (value.vrid === undefined)
      yield {
        code: "no_vrid",
        at: last(nodes, "virtual_router_id")?.keyword.at ?? block.keyword.at,
        message: `vrrp_instance ${value.name} has no${last(nodes, "virtual_router_id") ? " valid" : ""} virtual_router_id`,
        fix: "Give a number from 1 to 255, the same on all nodes",
        instance: value.name,
      };
}

/** One id per interface and family; unicast instances may share it while no peer is the same. A VMAC changes nothing. */
function* duplicateVrids({ instances, release }: Conf): Iterable<Finding> {
  const seen = new Map<string, Instance>();
  const hasUnicastException = compareReleases(release, [2, 1, 0]) >= 0;
  for (const { block, value } of instances) {
    if (value.vrid === undefined) continue;
    const where = `VRID ${value.vrid}, ${value.family}, interface ${value.interface ?? "none"}`;
    const isUnicast = hasUnicastException && value.unicastPeers.length > 0;
    const keys = isUnicast
      ? value.unicastPeers.map(({ address }) => `${value.vrid} ${value.sourceAddress ?? value.interface} ${address}`)
      : [where];
    const other = keys.map((key) => seen.get(key)).find((one) => one !== undefined);
    if (other)
      yield {
        code: isUnicast ? "duplicate_vrid_unicast" : "duplicate_vrid",
        at: block.keyword.at,
        message: isUnicast
          ? `vrrp_instance ${value.name} has virtual_router_id ${value.vrid} and a peer in common with ${other.name}`
          : `vrrp_instance ${value.name} uses virtual_router_id ${value.vrid} on ${value.interface ?? "no interface"}, as ${other.name} does`,
        instance: value.name,
      };
    for (const key of keys) if (!seen.has(key)) seen.set(key, value);
  }
}

const RUNNABLE = [
  "vrrp_instance",
  "virtual_server",
  "bfd_instance",
  "static_ipaddress",
  "static_routes",
  "static_rules",
];

function* nothingToRun({ roots, file }: Conf): Iterable<Finding> {
  if (blocks(roots, ...RUNNABLE).length === 0)
    yield {
      code: "no_configuration",
      at: { file, line: 1, column: 1 },
      message: "there is no vrrp_instance, virtual_server or other block that gives keepalived something to run",
    };
}

export const instanceRules: readonly Rule[] = [
  instanceNames,
  missingVrid,
  missingInterface,
  duplicateVrids,
  nothingToRun,
];
