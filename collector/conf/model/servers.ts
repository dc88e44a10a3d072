import { normaliseAddress } from "../../core/address.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import type { Family } from "../../events/event.ts";
import type { ConfNode } from "../parser.ts";
import { blocks, familyOf, flag, integer, last, microseconds, readValue, valueOf } from "./read.ts";
import type { Checker, Globals, RealServer, VirtualServer } from "./types.ts";

const DEFAULT_DELAY_LOOP_US = 60 * US_PER_SECOND;
const DEFAULT_CONNECT_TIMEOUT_US = 5 * US_PER_SECOND;
const WEIGHT_MAX = 2_147_483_647;
const COUNT_MAX = 4_294_967_295;

export const CHECKER_KEYWORDS: ReadonlySet<string> = new Set([
  "TCP_CHECK",
  "HTTP_GET",
  "SSL_GET",
  "SMTP_CHECK",
  "DNS_CHECK",
  "MISC_CHECK",
  "BFD_CHECK",
  "PING_CHECK",
  "UDP_CHECK",
  "FILE_CHECK",
]);
const SCHEDULERS: ReadonlySet<string> = new Set("rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos".split(" "));
const METHODS: ReadonlySet<string> = new Set(["NAT", "DR", "TUN"]);
/** Retries and the wait between them, where they are not 1 and 1 s. */
const RETRIES: Readonly<Record<string, number>> = { MISC_CHECK: 0, DNS_CHECK: 3 };

const delay = microseconds(0, 4294);
const timeout = microseconds(0.000_001, 4294.967_295);

export function virtualServerOf(block: ConfNode, globals: Globals): VirtualServer {
  const nodes = block.children ?? [];
  const words = block.values.map(({ text }) => text);
  const kind = words[0] === "fwmark" ? "fwmark" : words[0] === "group" ? "group" : "address";
  const address = kind === "address" ? normaliseAddress(words[0] ?? "") : undefined;
  const delayLoopUs = readValue(nodes, "delay_loop", delay) ?? DEFAULT_DELAY_LOOP_US;
  const method = methodOf(nodes, ["lvs_method", "lb_kind"]) ?? "NAT";
  const defaults: Inherited = {
    delayLoopUs,
    method,
    weight: readValue(nodes, "weight", integer(1, WEIGHT_MAX)) ?? 1,
    inhibitOnFailure: flag(nodes, "inhibit_on_failure") ?? false,
    smtpAlert: globals.smtpAlert.realServers,
    retry: readValue(nodes, "retry", integer(1, COUNT_MAX)),
    delayBeforeRetryUs: readValue(nodes, "delay_before_retry", delay),
    connectTimeoutUs: readValue(nodes, "connect_timeout", timeout) ?? DEFAULT_CONNECT_TIMEOUT_US,
  };
  const realServers = withoutDuplicates(blocks(nodes, "real_server").map((real) => realServerOf(real, defaults)));
  const weights = realServers.reduce((sum, { weight }) => sum + weight, 0);
  const quorum = Math.min(readValue(nodes, "quorum", integer(1, COUNT_MAX)) ?? 1, Math.max(1, weights));
  const protocol = readValue(nodes, "protocol", (text) =>
    text === "TCP" || text === "UDP" || text === "SCTP" ? text : undefined,
  );
  return {
    name: words.join(" ").slice(0, 255),
    at: block.keyword.at,
    kind,
    address,
    port: kind === "address" ? integer(1, 65535)(words[1] ?? "") : undefined,
    family: familyOfServer(nodes, address, realServers),
    protocol: protocol ?? (kind === "fwmark" ? "TCP" : "UDP"),
    scheduler:
      [...blocks(nodes, "lvs_sched", "lb_algo")]
        .reverse()
        .map(({ values }) => values[0]?.text ?? "")
        .find((text) => SCHEDULERS.has(text)) ?? "wlc",
    method,
    delayLoopUs,
    quorum,
    hysteresis: Math.min(readValue(nodes, "hysteresis", integer(0, COUNT_MAX)) ?? 0, quorum - 1),
    sorryServer: last(nodes, "sorry_server")
      ?.values.map(({ text }) => text)
      .join(" "),
    haSuspend: kind !== "fwmark" && last(nodes, "ha_suspend") !== undefined,
    persistenceUs: persistenceOf(nodes),
    smtpAlert: flag(nodes, "smtp_alert") ?? globals.smtpAlert.virtualServers,
    realServers,
  };
}

interface Inherited {
  readonly delayLoopUs: number;
  readonly method: string;
  readonly weight: number;
  readonly inhibitOnFailure: boolean;
  readonly smtpAlert: boolean;
  readonly retry: number | undefined;
  readonly delayBeforeRetryUs: number | undefined;
  readonly connectTimeoutUs: number;
}

function realServerOf(block: ConfNode, defaults: Inherited): RealServer {
  const nodes = block.children ?? [];
  const [address = "", port = ""] = block.values.map(({ text }) => text);
  const inherited: Inherited = {
    ...defaults,
    delayLoopUs: readValue(nodes, "delay_loop", delay) ?? defaults.delayLoopUs,
    retry: readValue(nodes, "retry", integer(1, COUNT_MAX)) ?? defaults.retry,
    delayBeforeRetryUs: readValue(nodes, "delay_before_retry", delay) ?? defaults.delayBeforeRetryUs,
    connectTimeoutUs: readValue(nodes, "connect_timeout", timeout) ?? defaults.connectTimeoutUs,
  };
  return {
    address: normaliseAddress(address) ?? address.slice(0, 64),
    port: integer(1, 65535)(port),
    at: block.keyword.at,
    weight: readValue(nodes, "weight", integer(0, WEIGHT_MAX)) ?? defaults.weight,
    method: methodOf(nodes, ["lvs_method"]) ?? defaults.method,
    inhibitOnFailure: flag(nodes, "inhibit_on_failure") ?? defaults.inhibitOnFailure,
    smtpAlert: flag(nodes, "smtp_alert") ?? defaults.smtpAlert,
    checkers: blocks(nodes, ...CHECKER_KEYWORDS).map((checker) => checkerOf(checker, inherited)),
  };
}

function checkerOf(block: ConfNode, inherited: Inherited): Checker {
  const nodes = block.children ?? [];
  const kind = block.keyword.text;
  const delayLoopUs = readValue(nodes, "delay_loop", delay) ?? inherited.delayLoopUs;
  return {
    kind,
    at: block.keyword.at,
    delayLoopUs,
    retry: readValue(nodes, "retry", integer(0, COUNT_MAX)) ?? inherited.retry ?? RETRIES[kind] ?? 1,
    delayBeforeRetryUs:
      readValue(nodes, "delay_before_retry", delay) ??
      inherited.delayBeforeRetryUs ??
      (kind === "DNS_CHECK" ? delayLoopUs : (kind.endsWith("_GET") ? 3 : 1) * US_PER_SECOND),
    connectTimeoutUs: readValue(nodes, "connect_timeout", timeout) ?? inherited.connectTimeoutUs,
  };
}

/** The second of two equal ones is removed. */
function withoutDuplicates(servers: readonly RealServer[]): RealServer[] {
  const seen = new Set<string>();
  return servers.filter(({ address, port }) => {
    const key = `${address} ${port}`;
    return !seen.has(key) && seen.add(key);
  });
}

function methodOf(nodes: readonly ConfNode[], keywords: readonly string[]): string | undefined {
  const text = valueOf(nodes, ...keywords);
  return text !== undefined && METHODS.has(text) ? text : undefined;
}

function familyOfServer(
  nodes: readonly ConfNode[],
  address: string | undefined,
  realServers: readonly RealServer[],
): Family | undefined {
  if (address !== undefined) return familyOf(address);
  const named = valueOf(nodes, "ip_family");
  if (named === "inet" || named === "inet6") return named === "inet" ? "ipv4" : "ipv6";
  const first = realServers[0]?.address;
  return first === undefined ? undefined : familyOf(first);
}

function persistenceOf(nodes: readonly ConfNode[]): number | undefined {
  const line = last(nodes, "persistence_timeout");
  if (!line) return undefined;
  const text = line.values[0]?.text;
  return (text === undefined ? 360 : (integer(1, 2_678_400)(text) ?? 360)) * US_PER_SECOND;
}
