import { normaliseAddress } from "../../core/address.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import { keywordsOf } from "../keywords/blocks.ts";
import type { ConfNode } from "../parser.ts";
import { compareReleases, type Release } from "../version.ts";
import {
  blocks,
  familyOf,
  flag,
  integer,
  isLinkLocal,
  last,
  lastValid,
  microseconds,
  readValue,
  valueOf,
} from "./read.ts";
import { scriptCommandOf } from "./scripts.ts";
import type { Check, Checker, Connection, HttpCheck, UdpCheck, Url, UrlRegex } from "./server-types.ts";
import type { TrackFile } from "./types.ts";

/** How a checker's block is read. (keepalived 2.2.7, check/check_*.c) */

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

const COUNT_MAX = 4_294_967_295;
const REGEX_OFFSET_MAX = 2_147_483_647;
const WEIGHT_MAX = 2_147_483_647;
const SMTP_PORT = 25;
const DNS_PORT = 53;
const DEFAULT_HELO_NAME = "smtpchecker.keepalived.org";
const DNS_TYPES: ReadonlySet<string> = new Set("A NS CNAME SOA MX TXT AAAA RRSIG DNSKEY".split(" "));
/** Failures in a row beyond the first, where they are not 1. */
const RETRIES: Readonly<Record<string, number>> = { MISC_CHECK: 0, DNS_CHECK: 3 };

export const delay = microseconds(0, 4294);
export const timeout = microseconds(0.000_001, 4294.967_295);
const port = integer(1, 65535);

/** What a checker has from the blocks around it. */
export interface Inherited {
  readonly delayLoopUs: number;
  readonly warmupUs: number | undefined;
  readonly retry: number | undefined;
  readonly delayBeforeRetryUs: number | undefined;
  readonly connectTimeoutUs: number;
  readonly alpha: boolean;
  readonly virtualServerHost: string | undefined;
  readonly realServerHost: string | undefined;
}

/** Where a checker stands. */
export interface CheckerPlace {
  readonly address: string;
  readonly port: number | undefined;
  readonly virtualServerDelayLoopUs: number;
  readonly logAllFailures: boolean;
  readonly release: Release;
  /** Those that are defined before it. */
  readonly trackFiles: ReadonlyMap<string, TrackFile>;
  readonly bfds: ReadonlySet<string>;
}

/** The settings that checkers, real servers and virtual servers have in common, over those of the block around. */
export function inherit(nodes: readonly ConfNode[], around: Inherited): Inherited {
  return {
    ...around,
    delayLoopUs: readValue(nodes, "delay_loop", delay) ?? around.delayLoopUs,
    warmupUs: readValue(nodes, "warmup", delay) ?? around.warmupUs,
    retry: readValue(nodes, "retry", integer(1, COUNT_MAX)) ?? around.retry,
    delayBeforeRetryUs: readValue(nodes, "delay_before_retry", delay) ?? around.delayBeforeRetryUs,
    connectTimeoutUs: readValue(nodes, "connect_timeout", timeout) ?? around.connectTimeoutUs,
    alpha: flag(nodes, "alpha") ?? around.alpha,
  };
}

/** Lines whose keyword this release has in such a block: the others are ignored by it. */
export function knownLines(outer: string, nodes: readonly ConfNode[], release: Release): readonly ConfNode[] {
  const rows = keywordsOf(outer);
  return nodes.filter(({ keyword }) => {
    const row = rows?.get(keyword.text);
    return (
      row === undefined ||
      (compareReleases(release, row.since) >= 0 &&
        (row.until === undefined || compareReleases(release, row.until) <= 0))
    );
  });
}

/** @returns undefined for one that keepalived drops when it reads it: without url, name, file or command, or link-local without an interface */
export function checkerOf(block: ConfNode, around: Inherited, place: CheckerPlace): Checker | undefined {
  const kind = block.keyword.text;
  const nodes = knownLines(kind, block.children ?? [], place.release);
  const check = checkOf(kind, nodes, around, place);
  if (check === undefined) return undefined;
  const inherited = inherit(nodes, around);
  const { delayLoopUs } = inherited;
  return {
    kind,
    at: block.keyword.at,
    delayLoopUs,
    warmupUs: inherited.warmupUs ?? delayLoopUs,
    // Here 0 is taken too, which the blocks around refuse.
    retry:
      readValue(nodes, "retry", integer(0, COUNT_MAX)) ??
      (kind.endsWith("_GET") ? readValue(nodes, "nb_get_retry", integer(0, COUNT_MAX)) : undefined) ??
      around.retry ??
      RETRIES[kind] ??
      1,
    delayBeforeRetryUs:
      inherited.delayBeforeRetryUs ??
      (kind === "DNS_CHECK" ? delayLoopUs : (kind.endsWith("_GET") ? 3 : 1) * US_PER_SECOND),
    connectTimeoutUs: inherited.connectTimeoutUs,
    alpha: inherited.alpha,
    logAllFailures: flag(nodes, "log_all_failures") ?? place.logAllFailures,
    check,
  };
}

function checkOf(kind: string, nodes: readonly ConfNode[], around: Inherited, place: CheckerPlace): Check | undefined {
  switch (kind) {
    case "MISC_CHECK":
      return miscOf(nodes, place);
    case "FILE_CHECK":
      return fileOf(nodes, place);
    case "BFD_CHECK": {
      const bfd = valueOf(nodes, "name");
      return bfd !== undefined && place.bfds.has(bfd) ? { kind: "bfd", bfd } : undefined;
    }
    case "SMTP_CHECK":
      return smtpOf(nodes, place);
  }
  const to = connectionOf(nodes, { address: place.address, port: kind === "DNS_CHECK" ? DNS_PORT : place.port });
  if (to === undefined) return undefined;
  switch (kind) {
    case "HTTP_GET":
    case "SSL_GET":
      return httpOf(kind === "SSL_GET", nodes, to, around, place.release);
    case "DNS_CHECK":
      return {
        kind: "dns",
        to,
        type: readValue(nodes, "type", (text) => (DNS_TYPES.has(text) ? text : undefined)) ?? "SOA",
        name: valueOf(nodes, "name")?.slice(0, 255) ?? ".",
      };
    case "UDP_CHECK":
      return udpOf(nodes, to);
    case "PING_CHECK":
      return { kind: "ping", to };
    default:
      return { kind: "tcp", to };
  }
}

/** @returns undefined for a link-local target without an interface */
function connectionOf(
  nodes: readonly ConfNode[],
  usual: { readonly address: string; readonly port: number | undefined },
): Connection | undefined {
  const address = readValue(nodes, "connect_ip", normaliseAddress) ?? usual.address;
  const bindInterface = valueOf(nodes, "bind_if");
  if (isLinkLocal(address) && bindInterface === undefined) return undefined;
  const bindAddress = readValue(nodes, "bindto", normaliseAddress);
  const isOfFamily = bindAddress !== undefined && familyOf(bindAddress) === familyOf(address);
  return {
    address,
    port: readValue(nodes, "connect_port", port) ?? usual.port,
    bindAddress: isOfFamily ? bindAddress : undefined,
    bindPort: readValue(nodes, "bind_port", port),
    bindInterface,
    fwmark: readValue(nodes, "fwmark", integer(0, COUNT_MAX)) ?? 0,
  };
}

function httpOf(
  tls: boolean,
  nodes: readonly ConfNode[],
  to: Connection,
  around: Inherited,
  release: Release,
): HttpCheck | undefined {
  const checkerHost = valueOf(nodes, "virtualhost");
  const hasSni = flag(nodes, "enable_sni") ?? false;
  const urls = blocks(nodes, "url").flatMap((block): Url[] => {
    const lines = knownLines("url", block.children ?? [], release);
    const path = valueOf(lines, "path");
    if (path === undefined) return [];
    const own = valueOf(lines, "virtualhost") ?? checkerHost;
    return [
      {
        path,
        digest: readValue(lines, "digest", (text) => (/^[0-9a-fA-F]{32}$/.test(text) ? text.toLowerCase() : undefined)),
        statusCodes: statusCodesOf(lines, release),
        virtualhost: own ?? around.realServerHost ?? around.virtualServerHost,
        serverName: hasSni && tls ? (own ?? around.virtualServerHost) : undefined,
        regex: regexOf(lines),
      },
    ];
  });
  if (urls.length === 0) return undefined;
  const protocol = readValue(nodes, "http_protocol", (text) =>
    text === "1.0" || text === "1.1" ? text : text === "1.0C" || text === "1.0c" ? "1.0C" : undefined,
  );
  return {
    kind: "http",
    to,
    tls,
    protocol: protocol ?? "1.0",
    fastRecovery: flag(nodes, "fast_recovery") ?? false,
    urls,
  };
}

/** First release whose status_code takes lists and ranges; before it, one code. */
export const STATUS_LISTS_SINCE: Release = [2, 0, 17];

/** A line with a fault is not taken. */
function statusCodesOf(lines: readonly ConfNode[], release: Release): (readonly [number, number])[] {
  const code = integer(100, 599);
  if (compareReleases(release, STATUS_LISTS_SINCE) < 0) {
    const one = readValue(lines, "status_code", code);
    return one === undefined ? [] : [[one, one]];
  }
  const words = last(lines, "status_code")?.values.map(({ text }) => text) ?? [];
  const ranges = words.map((word) => {
    const [low = "", high = low] = word.split("-", 2);
    return [code(low), code(high)] as const;
  });
  return ranges.flatMap(([low, high]): (readonly [number, number])[] =>
    low === undefined || high === undefined || high < low ? [] : [[low, high]],
  );
}

function regexOf(lines: readonly ConfNode[]): UrlRegex | undefined {
  const pattern = valueOf(lines, "regex");
  if (pattern === undefined) return undefined;
  const offset = integer(0, REGEX_OFFSET_MAX);
  return {
    pattern,
    noMatch: last(lines, "regex_no_match") !== undefined,
    options: last(lines, "regex_options")?.values.map(({ text }) => text) ?? [],
    minOffset: readValue(lines, "regex_min_offset", offset) ?? 0,
    maxOffset: readValue(lines, "regex_max_offset", offset),
  };
}

function smtpOf(nodes: readonly ConfNode[], { address, release }: CheckerPlace): Check | undefined {
  const own = { address, port: SMTP_PORT };
  const named = blocks(nodes, "host");
  const hosts = (
    named.length === 0 ? [nodes] : named.map(({ children }) => knownLines("host", children ?? [], release))
  )
    .map((lines) => connectionOf(lines, own))
    .filter((host) => host !== undefined);
  if (hosts.length === 0) return undefined;
  return { kind: "smtp", heloName: valueOf(nodes, "helo_name")?.slice(0, 255) ?? DEFAULT_HELO_NAME, hosts };
}

function udpOf(nodes: readonly ConfNode[], to: Connection): UdpCheck {
  const length = integer(0, 65535);
  const payload = last(nodes, "payload");
  const reply = last(nodes, "require_reply");
  return {
    kind: "udp",
    to,
    payload: payload && hexBytes(payload).map(({ value }) => value),
    requireReply: reply !== undefined,
    reply: reply ? hexBytes(reply) : [],
    minReplyLength: readValue(nodes, "min_reply_length", length) ?? 0,
    maxReplyLength: readValue(nodes, "max_reply_length", length) ?? 255,
  };
}

/** Two digits a byte, a digit left over is a byte of its own; `X` stands for four bits that do not count. */
function hexBytes({ values }: ConfNode): { value: number; mask: number }[] {
  return values
    .flatMap(({ text }) => text.match(/[0-9a-fA-FxX]{1,2}/g) ?? [])
    .slice(0, 65_535)
    .map((digits) => {
      const padded = digits.padStart(2, "0");
      return {
        value: Number.parseInt(padded.replace(/x/gi, "0"), 16),
        mask: Number.parseInt(padded.replace(/[^x]/gi, "f").replace(/x/gi, "0"), 16),
      };
    });
}

function miscOf(nodes: readonly ConfNode[], { virtualServerDelayLoopUs }: CheckerPlace): Check | undefined {
  const line = last(nodes, "misc_path");
  if (line === undefined || line.values.length === 0) return undefined;
  const user = last(nodes, "user")?.values.map(({ text }) => text);
  return {
    kind: "misc",
    command: { ...scriptCommandOf(line), user: user && user.length > 0 ? user.slice(0, 2).join(" ") : undefined },
    timeoutUs: readValue(nodes, "misc_timeout", microseconds(0, 4294)) || virtualServerDelayLoopUs,
    dynamic: last(nodes, "misc_dynamic") !== undefined,
  };
}

function fileOf(nodes: readonly ConfNode[], { trackFiles }: CheckerPlace): Check | undefined {
  const name = valueOf(nodes, "track_file");
  const file = name === undefined ? undefined : trackFiles.get(name);
  if (name === undefined || file === undefined) return undefined;
  const own = lastValid(nodes, ["weight"], integer(-WEIGHT_MAX, WEIGHT_MAX));
  return {
    kind: "file",
    file: name,
    path: file.path,
    weight: own?.value ?? file.weight,
    reverse: own ? own.node.values[1]?.text === "reverse" : file.reverse,
  };
}
