import { normaliseAddress } from "../../core/address.ts";
import { blocks, entriesOf, familyOf, integer, isLinkLocal, last, readValue, valueOf, wordsOf } from "../model/read.ts";
import { CHECKER_KEYWORDS } from "../model/checkers.ts";
import type { VirtualServer } from "../model/types.ts";
import type { ConfNode } from "../parser.ts";
import { type Conf, type Finding, type Located, placeOf, type Rule, seconds, shown } from "./rule.ts";

/** Health checks that check nothing, or always fail, and options of virtual servers that have no effect. */

type Server = Located<VirtualServer>;

const nameOf = ({ value }: Server): string => `virtual_server ${shown(value.name.replaceAll(" ", ":"))}`;
const wordAt = ({ values }: ConfNode, i: number): string => values[i]?.text ?? "";

/** Real servers with an address: others are passed over. */
function realServers({ nodes }: Server): ConfNode[] {
  return blocks(nodes, "real_server").filter((real) => normaliseAddress(wordAt(real, 0)) !== undefined);
}

function* unchecked({ servers }: Conf): Iterable<Finding> {
  for (const server of servers)
    for (const real of realServers(server))
      if (blocks(real.children ?? [], ...CHECKER_KEYWORDS).length === 0)
        yield {
          code: "rs_unchecked",
          at: real.keyword.at,
          message: `real_server ${wordAt(real, 0)} of ${nameOf(server)} has no check: it counts as up whatever happens`,
        };
}

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

function* checks(conf: Conf): Iterable<Finding> {
  for (const server of conf.servers)
    for (const real of realServers(server))
      for (const check of blocks(real.children ?? [], ...CHECKER_KEYWORDS)) {
        yield* connection(real, check);
        yield* references(conf, server, check);
        yield* urls(check);
      }
}

/** Where a check goes to, and from where. */
function* connection(real: ConfNode, check: ConfNode): Iterable<Finding> {
  const nodes = check.children ?? [];
  const target = normaliseAddress(valueOf(nodes, "connect_ip") ?? wordAt(real, 0));
  const from = normaliseAddress(valueOf(nodes, "bindto") ?? "");
  const where = last(nodes, "connect_ip") ?? check;
  if (target !== undefined && isLinkLocal(target) && !last(nodes, "bind_if") && check.keyword.text !== "MISC_CHECK")
    yield {
      code: "ll_needs_if",
      at: where.keyword.at,
      message: `${check.keyword.text} of the link-local address ${target} has no bind_if, and is dropped: the real server counts as up, unchecked`,
    };
  if (target !== undefined && from !== undefined && familyOf(target) !== familyOf(from))
    yield {
      code: "check_bind_ignored",
      at: (last(nodes, "bindto") ?? check).keyword.at,
      message: `bindto ${from} is of another address family than ${target}, and is ignored`,
    };
  const shortest = readValue(nodes, "min_reply_length", integer(0, 65535));
  const longest = readValue(nodes, "max_reply_length", integer(0, 65535)) ?? 255;
  if (shortest !== undefined && shortest > longest)
    yield {
      code: "check_always_fails",
      at: (last(nodes, "min_reply_length") ?? check).keyword.at,
      message: `no reply is at least ${shortest} and at most ${longest} bytes long: the check always fails, and the real server is never used`,
    };
}

/** Names of a bfd_instance or a track_file, which must stand before. */
function* references({ definitions }: Conf, server: Server, check: ConfNode): Iterable<Finding> {
  const nodes = check.children ?? [];
  const [kind, keyword] =
    check.keyword.text === "BFD_CHECK"
      ? (["bfd", "name"] as const)
      : check.keyword.text === "FILE_CHECK"
        ? (["file", "track_file"] as const)
        : [undefined, ""];
  if (kind === undefined) return;
  const name = valueOf(nodes, keyword);
  const defined = name === undefined ? undefined : definitions[kind].get(name);
  if (defined && defined.index < server.index) return;
  const what = kind === "bfd" ? "bfd_instance" : "track_file";
  yield {
    code: kind === "bfd" ? "bfd_config" : "file_config",
    at: (last(nodes, keyword) ?? check).keyword.at,
    message: `this ${check.keyword.text} ${
      name === undefined ? `names no ${what}` : `names ${what} ${shown(name)}, which is not defined before it`
    }: it is dropped, and the real server counts as up, unchecked`,
  };
}

function* urls(check: ConfNode): Iterable<Finding> {
  if (!["HTTP_GET", "SSL_GET"].includes(check.keyword.text)) return;
  for (const url of blocks(check.children ?? [], "url"))
    if (!last(url.children ?? [], "path"))
      yield {
        code: "http_no_url",
        at: url.keyword.at,
        message: `this url of ${check.keyword.text} has no path, and is dropped`,
        fix: "Give it a path",
      };
}

/** A failing server is found later than the checks suggest. */
function* slow({ servers }: Conf): Iterable<Finding> {
  for (const { value } of servers)
    for (const { checkers } of value.realServers)
      for (const { kind, at, connectTimeoutUs, delayLoopUs } of checkers)
        if (
          connectTimeoutUs >= delayLoopUs &&
          delayLoopUs > 0 &&
          !["MISC_CHECK", "BFD_CHECK", "FILE_CHECK"].includes(kind)
        )
          yield {
            code: "check_timeout_long",
            at,
            message: `${kind} waits ${seconds(connectTimeoutUs)} for an answer and is due every ${seconds(delayLoopUs)}: a server that hangs is found later than that`,
          };
}

/** One TLS context serves all SSL_GET checks. */
function* sslBlocks({ roots }: Conf): Iterable<Finding> {
  const [first, ...more] = blocks(roots, "SSL");
  for (const { keyword } of more)
    yield {
      code: "ssl_file_invalid",
      at: keyword.at,
      message: `an SSL block stands in line ${first?.keyword.at.line} already: nothing of it is left`,
    };
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

export const checkRules: readonly Rule[] = [
  unchecked,
  ports,
  sorryServers,
  options,
  weightless,
  checks,
  slow,
  serverGroups,
  sslBlocks,
];
