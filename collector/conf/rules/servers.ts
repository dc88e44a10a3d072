import { normaliseAddress } from "../../core/address.ts";
import type { Family } from "../../events/event.ts";
import { blocks, familyOf, integer, last, lastValid, readValue, valueOf } from "../model/read.ts";
import type { VirtualServer } from "../model/types.ts";
import type { ConfNode } from "../parser.ts";
import { type Conf, type Finding, type Located, placeOf, type Rule, shown } from "./rule.ts";

/** Virtual servers: what is passed over, and what keepalived puts in the place of what is not there. */

const port = integer(0, 65_535);
const count = integer(0, 4_294_967_295);

export type Server = Located<VirtualServer>;

export const wordAt = ({ values }: ConfNode, i: number): string => values[i]?.text ?? "";

/** Real servers with an address: others are passed over. */
export function realServers({ nodes }: Server): ConfNode[] {
  return blocks(nodes, "real_server").filter((real) => normaliseAddress(wordAt(real, 0)) !== undefined);
}

export const nameOf = ({ value }: Server): string => `virtual_server ${shown(value.name.replaceAll(" ", ":"))}`;

/** @returns what is wrong with `ADDRESS [PORT]` */
function addressFault([address, portWord]: readonly (string | undefined)[]): string | undefined {
  if (address === undefined || normaliseAddress(address) === undefined)
    return `${shown(address ?? "")} is no IP address`;
  if (portWord !== undefined && port(portWord) === undefined) return `${shown(portWord)} is no port`;
  return undefined;
}

const wordsIn = ({ values }: ConfNode): string[] => values.map(({ text }) => text);

function* unusable(conf: Conf): Iterable<Finding> {
  const groups = new Set(
    blocks(conf.roots, "virtual_server_group")
      .filter(({ children }) => (children ?? []).length > 0)
      .map(({ values }) => values[0]?.text),
  );
  for (const server of conf.servers) {
    const { block, nodes, value } = server;
    const at = block.values[0]?.at ?? block.keyword.at;
    const words = wordsIn(block);
    if (value.kind === "address") {
      const fault = addressFault(words);
      if (fault !== undefined) {
        yield { code: "vs_invalid", at, message: `${fault}: this virtual_server is passed over` };
        continue;
      }
    }
    if (value.kind === "group" && !groups.has(words[1]))
      yield {
        code: "vsg_problem",
        at,
        message: `there is no virtual_server_group ${shown(words[1] ?? "")} with entries: this virtual_server is ignored`,
      };
    const usable = yield* usableServers(server, nodes);
    if (usable.length === 0)
      yield { code: "vs_no_rs", at: block.keyword.at, message: `${nameOf(server)} has no real server, and is ignored` };
  }
}

/** Tells those that are passed over. @returns the others */
function* usableServers(server: Server, nodes: readonly ConfNode[]): Generator<Finding, ConfNode[]> {
  const usable: ConfNode[] = [];
  const seen = new Set<string>();
  const family: Family | undefined = server.value.address === undefined ? undefined : familyOf(server.value.address);
  for (const real of blocks(nodes, "real_server")) {
    const at = real.values[0]?.at ?? real.keyword.at;
    const words = wordsIn(real);
    const fault = addressFault(words);
    const address = normaliseAddress(words[0] ?? "") ?? "";
    const method = valueOf(real.children ?? [], "lvs_method") ?? server.value.method;
    const key = `${address} ${words[1] ?? ""}`;
    if (fault !== undefined)
      yield { code: "rs_invalid", at, message: `${fault}: this real_server of ${nameOf(server)} is passed over` };
    else if (family !== undefined && familyOf(address) !== family && method !== "TUN")
      yield {
        code: "family_mismatch",
        at,
        message: `${address} is of another address family than ${nameOf(server)}, and is passed over`,
      };
    else if (seen.has(key))
      yield {
        code: "rs_duplicate",
        at,
        message: `real_server ${address} is in ${nameOf(server)} a second time, and is removed`,
      };
    else {
      seen.add(key);
      usable.push(real);
    }
  }
  return usable;
}

/** What keepalived takes where nothing usable is written. */
function* adjusted({ servers }: Conf): Iterable<Finding> {
  for (const server of servers) {
    const { block, nodes, value } = server;
    if (value.kind === "address" && addressFault(wordsIn(block)) !== undefined) continue;
    const find = (keyword: string, known: readonly string[]): boolean =>
      lastValid(nodes, [keyword], (text) => (known.includes(text) ? text : undefined)) !== undefined;
    const hasProtocol = find("protocol", ["TCP", "UDP", "SCTP"]);
    const taken = [
      ...(value.kind !== "fwmark" && !hasProtocol ? ["protocol UDP"] : []),
      ...(hasKnown(nodes, ["lb_algo", "lvs_sched"], value.scheduler) ? [] : ["lb_algo wlc"]),
      ...(hasKnown(nodes, ["lb_kind", "lvs_method"], value.method) || allRealHaveMethod(nodes) ? [] : ["lb_kind NAT"]),
    ];
    const at = placeOf(server);
    if (taken.length > 0)
      yield {
        code: "vs_adjusted",
        at,
        message: `${nameOf(server)} does not say all it must: ${taken.join(" and ")} ${taken.length > 1 ? "are" : "is"} used`,
      };
    if (value.kind === "fwmark" && hasProtocol)
      yield {
        code: "vs_adjusted",
        at: placeOf(server, "protocol"),
        message: `${nameOf(server)} is for a firewall mark, and its protocol is ignored`,
      };
    const portWord = block.values[1]?.text;
    const hasPort = portWord !== undefined && port(portWord) !== 0;
    if (value.kind === "address" && !hasPort && !last(nodes, "persistence_timeout"))
      yield {
        code: "vs_adjusted",
        at: block.values[0]?.at ?? at,
        message: `${nameOf(server)} has no port, which only persistent services may lack: it becomes persistent`,
      };
  }
}

/** The value that is used stands in the file. */
const hasKnown = (nodes: readonly ConfNode[], keywords: readonly string[], used: string): boolean =>
  blocks(nodes, ...keywords).some(({ values }) => values[0]?.text === used);

const allRealHaveMethod = (nodes: readonly ConfNode[]): boolean =>
  blocks(nodes, "real_server").every(({ children }) => last(children ?? [], "lvs_method") !== undefined);

function* quorums({ servers }: Conf): Iterable<Finding> {
  for (const server of servers) {
    const { nodes, value } = server;
    const weights = value.realServers.reduce((sum, { weight }) => sum + weight, 0);
    if (value.realServers.length === 0) continue;
    const wanted = readValue(nodes, "quorum", integer(1, 4_294_967_295)) ?? 1;
    const quorum = Math.min(wanted, weights);
    if (wanted > weights)
      yield {
        code: "quorum_adjusted",
        at: placeOf(server, "quorum"),
        message: `the weights of all real servers of ${nameOf(server)} are ${weights}: quorum ${quorum} is used, not ${wanted}${quorum === 0 ? ", and a hysteresis of 4294967295" : ""}`,
      };
    const hysteresis = readValue(nodes, "hysteresis", count) ?? 0;
    if (hysteresis >= quorum && last(nodes, "hysteresis"))
      yield {
        code: "quorum_adjusted",
        at: placeOf(server, "hysteresis"),
        message: `hysteresis ${hysteresis} is not below quorum ${quorum}: ${quorum === 0 ? "4294967295" : String(quorum - 1)} is used`,
      };
  }
}

export const serverRules: readonly Rule[] = [unusable, adjusted, quorums];
