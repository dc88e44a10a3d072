import { normaliseAddress } from "../../core/address.ts";
import { blocks, entriesOf, familyOf, integer, last, valueOf, wordsOf } from "../model/read.ts";
import type { ConfNode } from "../parser.ts";
import { type Conf, type Finding, placeOf, type Rule, shown } from "./rule.ts";
import { nameOf, realServers, wordAt } from "./servers.ts";

/** What a virtual server asks for beside its real servers, and does not get. */

/** Only NAT can change the port on the way. */
function* ports({ servers }: Conf): Iterable<Finding> {
  for (const server of servers) {
    const { nodes, value } = server;
    if (value.port === undefined) continue;
    const found = (node: ConfNode): Finding => ({
      code: "vs_adjusted",
      at: node.keyword.at,
      message: `${node.keyword.text} ${wordAt(node, 0)} gets port ${value.port}, that of ${nameOf(server)}, not ${wordAt(node, 1)}: only lvs_method NAT can change it`,
    });
    const differs = (node: ConfNode): boolean => {
      const port = integer(1, 65535)(wordAt(node, 1));
      return port !== undefined && port !== value.port;
    };
    for (const real of realServers(server))
      if (differs(real) && (valueOf(real.children ?? [], "lvs_method") ?? value.method) !== "NAT") yield found(real);
    const sorry = last(nodes, "sorry_server");
    if (sorry && differs(sorry) && (valueOf(nodes, "sorry_server_lvs_method") ?? value.method) !== "NAT")
      yield found(sorry);
  }
}

function* sorryServers({ servers }: Conf): Iterable<Finding> {
  for (const server of servers) {
    const { nodes, value } = server;
    const sorry = last(nodes, "sorry_server");
    const address = normaliseAddress(sorry?.values[0]?.text ?? "");
    const sorryPort = sorry?.values[1];
    if (sorry && sorryPort && !sorryPort.unknown && integer(0, 65_535)(sorryPort.text) === undefined)
      yield {
        code: "sorry_port",
        at: sorryPort.at,
        message: `${shown(sorryPort.text)} is no port: ${nameOf(server)} is left without a sorry server`,
      };
    if (
      sorry &&
      address !== undefined &&
      value.family !== undefined &&
      familyOf(address) !== value.family &&
      value.method !== "TUN"
    )
      yield {
        code: "sorry_family",
        at: sorry.keyword.at,
        message: `sorry_server ${address} is of another address family than ${nameOf(server)}, which is left without a sorry server`,
      };
    for (const keyword of ["sorry_server_inhibit", "sorry_server_lvs_method"]) {
      const line = last(nodes, keyword);
      if (line && !(sorry && nodes.indexOf(sorry) < nodes.indexOf(line)))
        yield {
          code: "vs_option_ignored",
          at: line.keyword.at,
          message: `${keyword} stands before or without sorry_server, and is ignored`,
          fix: "Put it after the sorry_server line",
        };
    }
  }
}

/** Flags of a scheduler that is not used. */
const FLAGS: Readonly<Record<string, string>> = {
  hashed: "sh",
  "sh-port": "sh",
  "sh-fallback": "sh",
  "mh-port": "mh",
  "mh-fallback": "mh",
};

function* options({ servers, running }: Conf): Iterable<Finding> {
  const addresses = new Set(
    running.instances.flatMap(({ vips, excludedVips }) => [...vips, ...excludedVips].map(({ address }) => address)),
  );
  for (const server of servers) {
    const { nodes, value } = server;
    const ignored = (keyword: string, why: string, code = "vs_option_ignored"): Finding => ({
      code,
      at: placeOf(server, keyword),
      message: `${keyword} of ${nameOf(server)} ${why}, and is ignored`,
    });
    for (const [keyword, scheduler] of Object.entries(FLAGS))
      if (last(nodes, keyword) && value.scheduler !== scheduler)
        yield ignored(keyword, `goes with lvs_sched ${scheduler} only, not ${value.scheduler}`);
    const family = last(nodes, "ip_family");
    const stated = family?.values[0]?.text;
    if (family && value.address !== undefined && (stated === "inet" || stated === "inet6")) {
      const isSix = familyOf(value.address) === "ipv6";
      if ((stated === "inet6") !== isSix)
        yield ignored("ip_family", `is that of another address than ${value.address}`);
    }
    if (last(nodes, "ops") && value.kind !== "fwmark" && value.protocol !== "UDP")
      yield ignored("ops", "goes with UDP only", "vs_adjusted");
    if (last(nodes, "ha_suspend") && value.kind === "fwmark")
      yield ignored("ha_suspend", "does not go with fwmark", "vs_adjusted");
    if (value.haSuspend && value.address !== undefined && !addresses.has(value.address))
      yield {
        code: "ha_suspend_no_vip",
        at: placeOf(server, "ha_suspend"),
        message: `${value.address} is an address of no vrrp_instance here: the checks of ${nameOf(server)} run only while something else puts it on this node`,
      };
  }
}

function* weightless({ servers }: Conf): Iterable<Finding> {
  for (const server of servers) {
    const { realServers: real } = server.value;
    if (real.length > 0 && real.every(({ weight }) => weight === 0))
      yield {
        code: "vs_weightless",
        at: server.block.keyword.at,
        message: `all real servers of ${nameOf(server)} have weight 0: no new connection goes to any of them`,
      };
  }
}

/** Entries that are passed over, and groups that have none left. (keepalived 2.2.7, check_data.c) */
function* serverGroups({ roots }: Conf): Iterable<Finding> {
  for (const block of blocks(roots, "virtual_server_group")) {
    const entries = entriesOf([block], "virtual_server_group");
    let usable = 0;
    for (const entry of entries) {
      const words = wordsOf(entry);
      const isKnown = !entry.keyword.unknown && !entry.values.some(({ unknown }) => unknown);
      const fault = isKnown ? entryFault(words) : undefined;
      if (fault === undefined) usable += 1;
      else
        yield words.length === 1 && words[0] === "fwmark"
          ? {
              code: "missing_parameter",
              at: entry.keyword.at,
              message: "fwmark has no value: keepalived ends when it reads this line",
            }
          : { code: "vsg_entry_invalid", at: entry.keyword.at, message: `${fault}: this entry is passed over` };
    }
    if (usable === 0)
      yield {
        code: "vsg_removed",
        at: block.keyword.at,
        message: `virtual_server_group ${shown(wordAt(block, 0))} has no ${entries.length > 0 ? "usable " : ""}entries, and is removed`,
      };
  }
}

/** What is wrong with `ADDRESS[-LAST] [PORT]` or `fwmark N [inet|inet6]`; the last byte of IPv4 is decimal, the last word of IPv6 hexadecimal. */
function entryFault([first = "", second, third]: readonly string[]): string | undefined {
  if (first === "fwmark") {
    if (second === undefined || integer(0, 4_294_967_295)(second) === undefined)
      return `${shown(second ?? "")} is no mark`;
    return third === undefined || third === "inet" || third === "inet6" ? undefined : `${shown(third)} is no family`;
  }
  const dash = first.indexOf("-");
  const address = normaliseAddress(dash < 0 ? first : first.slice(0, dash));
  if (address === undefined) return `${shown(first)} is no IP address`;
  if (dash >= 0) {
    const isSix = address.includes(":");
    const written = first.slice(dash + 1);
    const isNumber = isSix ? /^[0-9a-fA-F]{1,4}$/.test(written) : /^\d{1,3}$/.test(written);
    const end = Number.parseInt(written, isSix ? 16 : 10);
    const start = isSix ? Number.parseInt(address.split(":").at(-1) || "0", 16) : Number(address.split(".").at(-1));
    if (!isNumber || (!isSix && end > 255)) return `${shown(written)} is no end of a range`;
    if (end <= start) return `the range ${shown(first)} ends where it begins, or before`;
  }
  return second === undefined || integer(0, 65_535)(second) !== undefined ? undefined : `${shown(second)} is no port`;
}

export const serverOptionRules: readonly Rule[] = [ports, sorryServers, options, weightless, serverGroups];
