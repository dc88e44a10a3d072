import { normaliseAddress } from "../../core/address.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import type { Family } from "../../events/event.ts";
import type { ConfNode } from "../parser.ts";
import type { Release } from "../version.ts";
import { CHECKER_KEYWORDS, checkerOf, delay, type Inherited, inherit, knownLines } from "./checkers.ts";
import { blocks, entriesOf, familyOf, flag, integer, last, readValue, valueOf, wordsOf } from "./read.ts";
import { commandOf, notifyOf } from "./scripts.ts";
import type { GroupEntry, RealServer, SorryServer, VirtualServer } from "./server-types.ts";
import type { Defined, Definitions } from "./trackers.ts";
import type { Globals } from "./types.ts";

const DEFAULT_DELAY_LOOP_US = 60 * US_PER_SECOND;
const DEFAULT_CONNECT_TIMEOUT_US = 5 * US_PER_SECOND;
const WEIGHT_MAX = 2_147_483_647;
const COUNT_MAX = 4_294_967_295;

const SCHEDULERS: ReadonlySet<string> = new Set("rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos".split(" "));
const METHODS: ReadonlySet<string> = new Set(["NAT", "DR", "TUN"]);

/** What a virtual server is read with. */
export interface ServerContext {
  readonly globals: Globals;
  readonly release: Release;
  readonly roots: readonly ConfNode[];
  readonly definitions: Definitions;
  /** Its place among the blocks of the top level: what it names must stand before it. */
  readonly index: number;
}

export function virtualServerOf(block: ConfNode, context: ServerContext): VirtualServer {
  const { globals, release } = context;
  const nodes = knownLines("virtual_server", block.children ?? [], release);
  const words = block.values.map(({ text }) => text);
  const kind = words[0] === "fwmark" ? "fwmark" : words[0] === "group" ? "group" : "address";
  const address = kind === "address" ? normaliseAddress(words[0] ?? "") : undefined;
  const ownPort = kind === "address" ? integer(1, 65535)(words[1] ?? "") : undefined;
  const delayLoopUs = readValue(nodes, "delay_loop", delay) ?? DEFAULT_DELAY_LOOP_US;
  const method = methodOf(nodes, ["lvs_method", "lb_kind"]) ?? "NAT";
  const defaults: ServerDefaults = {
    method,
    port: ownPort,
    virtualServerDelayLoopUs: delayLoopUs,
    weight: readValue(nodes, "weight", integer(1, WEIGHT_MAX)) ?? 1,
    inhibitOnFailure: flag(nodes, "inhibit_on_failure") ?? false,
    smtpAlert: globals.smtpAlert.realServers,
    checkers: inherit(nodes, {
      delayLoopUs: DEFAULT_DELAY_LOOP_US,
      warmupUs: undefined,
      retry: undefined,
      delayBeforeRetryUs: undefined,
      connectTimeoutUs: DEFAULT_CONNECT_TIMEOUT_US,
      alpha: false,
      virtualServerHost: valueOf(nodes, "virtualhost"),
      realServerHost: undefined,
    }),
  };
  const realServers = withoutDuplicates(
    blocks(nodes, "real_server").map((real) => realServerOf(real, defaults, context)),
  );
  const weights = realServers.reduce((sum, { weight }) => sum + weight, 0);
  const quorum = Math.min(readValue(nodes, "quorum", integer(1, COUNT_MAX)) ?? 1, Math.max(1, weights));
  const protocol = readValue(nodes, "protocol", (text) =>
    text === "TCP" || text === "UDP" || text === "SCTP" ? text : undefined,
  );
  const group = kind === "group" ? words[1] : undefined;
  const [quorumUp, quorumDown] = ["quorum_up", "quorum_down"].map((keyword) => last(nodes, keyword));
  return {
    name: words.join(" ").slice(0, 255),
    at: block.keyword.at,
    kind,
    address,
    port: ownPort,
    fwmark: kind === "fwmark" ? integer(0, COUNT_MAX)(words[1] ?? "") : undefined,
    group,
    groupEntries: group === undefined ? [] : groupEntriesOf(context.roots, group),
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
    sorry: sorryOf(nodes),
    haSuspend: kind !== "fwmark" && last(nodes, "ha_suspend") !== undefined,
    omega: last(nodes, "omega") !== undefined,
    quorumUp: quorumUp && commandOf(quorumUp),
    quorumDown: quorumDown && commandOf(quorumDown),
    persistenceUs: persistenceOf(nodes),
    smtpAlert: flag(nodes, "smtp_alert") ?? globals.smtpAlert.virtualServers,
    realServers,
  };
}

interface ServerDefaults {
  readonly method: string;
  readonly port: number | undefined;
  readonly virtualServerDelayLoopUs: number;
  readonly weight: number;
  readonly inhibitOnFailure: boolean;
  readonly smtpAlert: boolean;
  readonly checkers: Inherited;
}

function realServerOf(block: ConfNode, defaults: ServerDefaults, context: ServerContext): RealServer {
  const { release, definitions, index } = context;
  const nodes = knownLines("real_server", block.children ?? [], release);
  const [addressText = "", portText = ""] = block.values.map(({ text }) => text);
  const address = normaliseAddress(addressText) ?? addressText.slice(0, 64);
  const ownPort = integer(1, 65535)(portText);
  const method = methodOf(nodes, ["lvs_method"]) ?? defaults.method;
  const inherited = { ...inherit(nodes, defaults.checkers), realServerHost: valueOf(nodes, "virtualhost") };
  const before = <T>(defined: ReadonlyMap<string, Defined<T>>): [string, T][] =>
    [...defined].filter(([, one]) => one.index < index).map(([name, { value }]) => [name, value]);
  const place = {
    address,
    // Only NAT can have another port than the virtual server's.
    port: method === "NAT" ? (ownPort ?? defaults.port) : (defaults.port ?? ownPort),
    virtualServerDelayLoopUs: defaults.virtualServerDelayLoopUs,
    logAllFailures: context.globals.checkerLogAllFailures,
    release,
    trackFiles: new Map(before(definitions.file)),
    bfds: new Set(before(definitions.bfd).map(([name]) => name)),
  };
  return {
    address,
    port: ownPort,
    at: block.keyword.at,
    weight: readValue(nodes, "weight", integer(0, WEIGHT_MAX)) ?? defaults.weight,
    method,
    inhibitOnFailure: flag(nodes, "inhibit_on_failure") ?? defaults.inhibitOnFailure,
    smtpAlert: flag(nodes, "smtp_alert") ?? defaults.smtpAlert,
    notify: notifyOf(nodes, ["notify_up", "notify_down"]),
    checkers: blocks(nodes, ...CHECKER_KEYWORDS)
      .map((checker) => checkerOf(checker, inherited, place))
      .filter((checker) => checker !== undefined),
  };
}

function sorryOf(nodes: readonly ConfNode[]): SorryServer | undefined {
  const line = last(nodes, "sorry_server");
  const address = normaliseAddress(line?.values[0]?.text ?? "");
  if (!line || address === undefined) return undefined;
  const inhibit = last(nodes, "sorry_server_inhibit");
  return {
    address,
    port: integer(1, 65535)(line.values[1]?.text ?? ""),
    inhibit: inhibit !== undefined && nodes.indexOf(inhibit) > nodes.indexOf(line),
  };
}

/** `ADDR[-LAST][/N] [PORT]` and `fwmark N` lines; what is neither is passed over. */
function groupEntriesOf(roots: readonly ConfNode[], group: string): GroupEntry[] {
  const lines = entriesOf(
    roots.filter(({ values }) => values[0]?.text === group),
    "virtual_server_group",
  );
  return lines.flatMap((line): GroupEntry[] => {
    const [first = "", second = ""] = wordsOf(line);
    if (first === "fwmark") {
      const fwmark = integer(0, COUNT_MAX)(second);
      return fwmark === undefined ? [] : [{ kind: "fwmark", fwmark }];
    }
    const [, start = "", end] = /^([^-/]+)(?:[-/](.+))?$/.exec(first) ?? [];
    const address = normaliseAddress(start);
    return address === undefined
      ? []
      : [{ kind: "address", first: address, last: end, port: integer(1, 65535)(second) }];
  });
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
