import { normaliseAddress } from "../../core/address.ts";
import { keyedFingerprint } from "../../core/fingerprint.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import type { Family } from "../../events/event.ts";
import type { Tracker } from "../election.ts";
import type { ConfNode } from "../parser.ts";
import { compareReleases, type Release } from "../version.ts";
import { garpOf, versionNumber } from "./globals.ts";
import {
  entriesOf,
  familyOf,
  flag,
  integer,
  last,
  lastValid,
  microseconds,
  prefixed,
  readValue,
  valueOf,
  wordsOf,
} from "./read.ts";
import { NOTIFY_KEYWORDS, notifyOf } from "./scripts.ts";
import type { Authentication, Globals, Instance, UnicastPeer, Vip, Vmac } from "./types.ts";

export const OWNER_PRIORITY = 255;
const DEFAULT_PRIORITY = 100;
/** 12 bits of hundredths of a second. */
export const V3_INTERVAL_MAX_US = 40_950_000;
const V2_INTERVAL_MAX_US = 255 * US_PER_SECOND;
const AUTH_PASS_BYTES = 8;
const TTL_MAX = 255;

export interface InstanceOptions {
  readonly globals: Globals;
  readonly release: Release;
  /** Of what the trackers' names stand for. */
  readonly trackers: (nodes: readonly ConfNode[], at: ConfNode) => readonly Tracker[];
  readonly fingerprintKey: string | undefined;
}

/** @throws never: what cannot be read is left at its default, as keepalived does */
export function instanceOf(block: ConfNode, name: string, options: InstanceOptions): Instance {
  const { globals, release } = options;
  const nodes = block.children ?? [];
  const family = familyOfInstance(nodes);
  const strict = flag(nodes, "strict_mode") ?? globals.strict;
  const version = versionOf(nodes, globals, family, strict);
  const configuredState = nodes.some((node) => node.keyword.text === "state" && node.values[0]?.text === "MASTER")
    ? "MASTER"
    : "BACKUP";
  const priority =
    readValue(nodes, "priority", integer(1, OWNER_PRIORITY)) ??
    (configuredState === "MASTER" ? OWNER_PRIORITY : DEFAULT_PRIORITY);
  const authentication = authenticationOf(nodes, { version, family, strict, release }, options.fingerprintKey);
  const startState = startStateOf(nodes, configuredState, priority, strict, authentication);
  const nopreempt = last(nodes, "nopreempt", "preempt")?.keyword.text === "nopreempt";
  // Strict mode and AH make BACKUP of a MASTER before this is looked at: there both options stay.
  const keepsNopreempt = nopreempt && startState !== "MASTER" && priority !== OWNER_PRIORITY;
  const face = interfaceOf(nodes);
  const { vips, excludedVips } = vipsOf(nodes, family, face);
  const peers = peersOf(nodes, family);
  const acceptsAll = !strict || priority === OWNER_PRIORITY;
  return {
    name,
    at: block.keyword.at,
    interface: face,
    family,
    vrid: readValue(nodes, "virtual_router_id", integer(1, 255)),
    version,
    strict,
    priority,
    startState,
    configuredState,
    nopreempt: keepsNopreempt,
    preemptDelayUs:
      startState === "MASTER" || strict || keepsNopreempt
        ? 0
        : (readValue(nodes, "preempt_delay", microseconds(0, 1000)) ?? 0),
    advertIntervalUs: intervalOf(nodes, version),
    downTimerAdverts: strict
      ? 3
      : (readValue(nodes, "down_timer_adverts", integer(1, 100)) ?? globals.downTimerAdverts),
    authentication,
    unicastPeers: peers,
    checkUnicastSource: last(nodes, "check_unicast_src") !== undefined || globals.checkUnicastSource,
    faultWithoutPeers: last(nodes, "unicast_fault_no_peer") !== undefined,
    sourceAddress: sourceOf(nodes, family),
    multicastGroup:
      peers.length > 0
        ? undefined
        : (readValue(nodes, "mcast_dst_ip", normaliseAddress) ?? globals.multicastGroup[family]),
    vips,
    excludedVips,
    accept: acceptsAll ? last(nodes, "no_accept") === undefined : version === 3 && last(nodes, "accept") !== undefined,
    vmac: vmacOf(nodes, family, strict),
    tracksPrimary: last(nodes, "dont_track_primary") === undefined,
    trackers: options.trackers(nodes, block),
    syncGroup: undefined,
    notify: notifyOf(nodes, NOTIFY_KEYWORDS),
    smtpAlert: flag(nodes, "smtp_alert") ?? globals.smtpAlert.vrrp,
    // Up to 2.2.7 the keyword switches it on whatever its value.
    skipCheckAdvAddr:
      last(nodes, "skip_check_adv_addr") === undefined
        ? globals.skipCheckAdvAddr
        : compareReleases(release, [2, 2, 8]) < 0 || (flag(nodes, "skip_check_adv_addr") ?? globals.skipCheckAdvAddr),
    lowerPrioNoAdvert: strict || (flag(nodes, "lower_prio_no_advert") ?? globals.lowerPrioNoAdvert),
    higherPrioSendAdvert: !strict && (flag(nodes, "higher_prio_send_advert") ?? globals.higherPrioSendAdvert),
    ownerIgnoresAdverts:
      isAtLeast(release, [2, 3, 3]) && (flag(nodes, "owner_ignore_adverts") ?? globals.ownerIgnoresAdverts),
    timerExpiredBackup:
      isAtLeast(release, [2, 2, 8]) &&
      keepsNopreempt &&
      last(nodes, "timer_expired_backup", "thread_timer_expired") !== undefined,
    oldUnicastChecksum: oldChecksumOf(nodes),
    v3ChecksumAsV2: isAtLeast(release, [2, 2, 8]) && (flag(nodes, "v3_checksum_as_v2") ?? globals.v3ChecksumAsV2),
    garp: garpOf(nodes, "garp_", globals.garp),
  };
}

/** An interface of an instance is its own or none: default_interface is for static addresses. (2.2.7: "Unknown interface!") */
function interfaceOf(nodes: readonly ConfNode[]): string | undefined {
  return readValue(nodes, "interface", (text) => (text !== "" && text.length < 16 && text !== "lo" ? text : undefined));
}

/** The first address in the file decides: of a VIP, a source, a peer or a group. Others of the other family are ignored. */
function familyOfInstance(nodes: readonly ConfNode[]): Family {
  for (const node of nodes) {
    const { text } = node.keyword;
    if (text === "native_ipv6") return "ipv6";
    if (text === "mcast_src_ip" || text === "unicast_src_ip" || text === "mcast_dst_ip") {
      const address = normaliseAddress(node.values[0]?.text ?? "");
      if (address !== undefined) return familyOf(address);
    }
    if (text === "virtual_ipaddress" || text === "unicast_peer")
      for (const entry of node.children ?? []) {
        const address = prefixed(entry.keyword.text);
        if (address) return address.family;
      }
  }
  return "ipv4";
}

/** Version 2 may carry IPv6, unless strict. */
function versionOf(nodes: readonly ConfNode[], globals: Globals, family: Family, strict: boolean): 2 | 3 {
  const own = readValue(nodes, "version", versionNumber);
  if (family === "ipv6") return own === 2 && !strict ? 2 : 3;
  return own ?? globals.vrrpVersion ?? 2;
}

function startStateOf(
  nodes: readonly ConfNode[],
  configured: "MASTER" | "BACKUP",
  priority: number,
  strict: boolean,
  { type }: Authentication,
): "MASTER" | "BACKUP" {
  const isOwner = priority === OWNER_PRIORITY;
  if (strict) return isOwner ? "MASTER" : "BACKUP";
  if (type === "AH" && !isOwner) return "BACKUP";
  const isSet = lastValid(nodes, ["state"], (text) => (["MASTER", "BACKUP"].includes(text) ? text : undefined));
  return isSet ? configured : isOwner ? "MASTER" : "BACKUP";
}

/** Without time_window keepalived makes one of the interval, never less than this: who goes by it warns too early, not too late. */
const HMAC_WINDOW_MIN_US = 5 * US_PER_SECOND;

function hmacWindow(text: string): number | undefined {
  const seconds = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= 300 ? seconds * US_PER_SECOND : undefined;
}

function authenticationOf(
  nodes: readonly ConfNode[],
  used: { version: 2 | 3; family: Family; strict: boolean; release: Release },
  fingerprintKey: string | undefined,
): Authentication {
  const hmac = entriesOf(nodes, "auth_hmac");
  if (hmac.length > 0 && compareReleases(used.release, [2, 4, 0]) >= 0)
    return { type: "HMAC", hmacWindowUs: readValue(hmac, "time_window", hmacWindow) ?? HMAC_WINDOW_MIN_US };
  const lines = entriesOf(nodes, "authentication");
  const type = readValue(lines, "auth_type", (text) => (text === "PASS" || text === "AH" ? text : undefined));
  const password = valueOf(lines, "auth_pass");
  if (type === undefined || password === undefined || used.version === 3 || used.strict) return { type: "none" };
  // Version 2 over IPv6 has no room for a password, and AH is refused.
  if (used.family === "ipv6") return { type: "none" };
  if (fingerprintKey === undefined) return { type };
  const effective = Buffer.from(password).subarray(0, AUTH_PASS_BYTES);
  return { type, passwordFingerprint: keyedFingerprint(effective, fingerprintKey) };
}

/** Version 2 has whole seconds on the wire, version 3 hundredths, and 12 bits of them. */
function intervalOf(nodes: readonly ConfNode[], version: 2 | 3): number {
  const us = readValue(nodes, "advert_int", microseconds(0.01, 255)) ?? US_PER_SECOND;
  if (version === 2) return Math.min(V2_INTERVAL_MAX_US, Math.max(1, Math.round(us / US_PER_SECOND)) * US_PER_SECOND);
  return Math.min(V3_INTERVAL_MAX_US, Math.max(1, Math.round(us / 10_000)) * 10_000);
}

function sourceOf(nodes: readonly ConfNode[], family: Family): string | undefined {
  return lastValid(nodes, ["mcast_src_ip", "unicast_src_ip"], (text) => {
    const address = normaliseAddress(text);
    return address !== undefined && familyOf(address) === family ? address : undefined;
  })?.value;
}

/** `ADDRESS [min_ttl N] [max_ttl N]`. */
function peersOf(nodes: readonly ConfNode[], family: Family): UnicastPeer[] {
  const peers = new Map<string, UnicastPeer>();
  for (const entry of entriesOf(nodes, "unicast_peer")) {
    const [text = "", ...options] = wordsOf(entry);
    const address = normaliseAddress(text);
    if (address === undefined || familyOf(address) !== family || peers.has(address)) continue;
    const bound = (keyword: string): number | undefined => {
      const at = options.indexOf(keyword);
      return at < 0 ? undefined : integer(0, TTL_MAX)(options[at + 1] ?? "");
    };
    peers.set(address, { address, minTtl: bound("min_ttl") ?? 0, maxTtl: bound("max_ttl") ?? TTL_MAX });
  }
  return [...peers.values()];
}

function oldChecksumOf(nodes: readonly ConfNode[]): Instance["oldUnicastChecksum"] {
  const line = last(nodes, "old_unicast_checksum");
  if (!line) return "auto";
  return line.values[0]?.text === "never" ? "never" : "always";
}

const isAtLeast = (release: Release, since: Release): boolean => compareReleases(release, since) >= 0;

function vipsOf(
  nodes: readonly ConfNode[],
  family: Family,
  face: string | undefined,
): { vips: Vip[]; excludedVips: Vip[] } {
  const read = (keyword: string): Vip[] => entriesOf(nodes, keyword).flatMap((entry) => vipOf(entry, face) ?? []);
  return {
    vips: read("virtual_ipaddress").filter((vip) => vip.family === family),
    excludedVips: read("virtual_ipaddress_excluded"),
  };
}

export function vipOf(entry: ConfNode, face: string | undefined): Vip | undefined {
  const [text = "", ...options] = wordsOf(entry);
  const address = prefixed(text);
  if (!address) return undefined;
  const device = options.indexOf("dev");
  return {
    address: address.address,
    family: address.family,
    prefixLength: address.prefixLength,
    interface: (device < 0 ? undefined : options[device + 1]) ?? face,
  };
}

function vmacOf(nodes: readonly ConfNode[], family: Family, strict: boolean): Vmac | undefined {
  const line = last(nodes, "use_vmac", "use_ipvlan");
  if (!line) return undefined;
  const given = line.values.map(({ text }) => text).find((text) => !text.includes(":") && text.length < 16);
  const vrid = readValue(nodes, "virtual_router_id", integer(1, 255)) ?? 0;
  return {
    interface: given ?? `vrrp${family === "ipv6" ? "6" : ""}.${vrid}`,
    kind: line.keyword.text === "use_vmac" ? "macvlan" : "ipvlan",
    transmitsFromBase: !strict && last(nodes, "vmac_xmit_base") !== undefined,
  };
}
