import type { EventBody, VrrpState } from "../../events/event.ts";
import { normaliseAddress } from "../../core/address.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import { type LineContext, type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import { cut } from "../text.ts";

const instanceOf = ({ instance }: LineContext): string => cut(instance ?? "", 255);

function priority(words: Words, name: string): number | undefined {
  const value = words.number(name);
  return value !== undefined && value >= 0 && value <= 255 ? value : undefined;
}

/** Only what is written as an address is one: a wording without it leaves the field out. */
function address(text: string): string | undefined {
  return /^[0-9a-fA-F:.]{2,45}$/.test(text) ? normaliseAddress(text) : undefined;
}

function heard(words: Words): { peer?: string; priority?: number; ownPriority?: number } {
  const peer = address(words.text("peer"));
  const theirs = priority(words, "priority");
  const ours = priority(words, "own");
  return {
    ...(peer === undefined ? {} : { peer }),
    ...(theirs === undefined ? {} : { priority: theirs }),
    ...(ours === undefined ? {} : { ownPriority: ours }),
  };
}

const state = (
  id: string,
  to: VrrpState,
  since: string,
  samples: readonly string[],
  templates: readonly string[],
  initial = false,
): LineGrammar => ({
  id: `vrrp.state.${id}`,
  source: "vrrp/vrrp.c, vrrp/vrrp_scheduler.c",
  since,
  samples,
  needsInstance: true,
  templates,
  toEvent: (_words, context) => ({
    kind: "vrrp.state",
    instance: instanceOf(context),
    state: to,
    ...(initial ? { initial: true } : {}),
  }),
});

/** An advert the daemon refused. Up to 2.3.2 one line an advert, from 2.3.3 one line an instance and master. */
const rejected = (
  reason: string,
  since: string,
  samples: readonly string[],
  templates: readonly string[],
): LineGrammar => ({
  id: `vrrp.advert-rejected.${reason}`,
  source: "vrrp/vrrp.c",
  since,
  samples,
  templates,
  toEvent: (words, { instance }) => {
    const peer = address(words.text("peer"));
    return {
      kind: "vrrp.advert-rejected",
      reason,
      ...(instance === undefined ? {} : { instance: cut(instance, 255) }),
      ...(peer === undefined ? {} : { peer }),
    };
  },
});

const simple = (
  id: "vrrp.advert-timeout" | "vrrp.priority-zero-sent" | "vrrp.priority-zero-received",
  since: string,
  samples: readonly string[],
  templates: readonly string[],
): LineGrammar => ({
  id,
  source: "vrrp/vrrp.c, vrrp/vrrp_scheduler.c",
  since,
  samples,
  needsInstance: true,
  templates,
  toEvent: (_words, context): EventBody => ({ kind: id, instance: instanceOf(context) }),
});

export const vrrpGrammars: readonly LineGrammar[] = [
  state(
    "master",
    "MASTER",
    "1.2.2",
    ["(VI_1) Entering MASTER STATE", "VRRP_Instance(VI_1) Entering MASTER STATE"],
    ["Entering MASTER STATE"],
  ),
  state(
    "backup",
    "BACKUP",
    "1.2.2",
    [
      "(VI_1) Entering BACKUP STATE",
      "VRRP_Instance(VI_1): Entering BACKUP STATE",
      "VRRP_Instance(VI_1) Now in BACKUP state",
    ],
    ["Entering BACKUP STATE", "Now in BACKUP state"],
  ),
  state(
    "backup-init",
    "BACKUP",
    "2.0.0",
    ["(VI_1) Entering BACKUP STATE (init)"],
    ["Entering BACKUP STATE (init)"],
    true,
  ),
  state(
    "fault",
    "FAULT",
    "1.2.2",
    [
      "(VI_1) Entering FAULT STATE",
      "VRRP_Instance(VI_1) Now in FAULT state",
      "(VI_1): entering FAULT state (interface eth0 down)",
    ],
    [
      "Entering FAULT STATE",
      "Now in FAULT state",
      "entering FAULT state",
      "entering FAULT state due to script {*}",
      "entering FAULT state ({*})",
    ],
  ),
  state("fault-init", "FAULT", "2.0.0", ["(VI_1) Entering FAULT STATE (init)"], ["Entering FAULT STATE (init)"], true),
  {
    // Up to 1.4 an advert is sent and the addresses follow one interval later, with "Entering MASTER STATE".
    id: "vrrp.transition",
    source: "vrrp/vrrp_scheduler.c",
    since: "1.2.2",
    samples: ["VRRP_Instance(VI_1) Transition to MASTER STATE"],
    needsInstance: true,
    templates: ["Transition to MASTER STATE"],
    toEvent: (_words, context) => ({ kind: "vrrp.transition", instance: instanceOf(context), state: "MASTER" }),
  },
  simple("vrrp.advert-timeout", "2.0.3", ["(VI_1) Receive advertisement timeout"], ["Receive advertisement timeout"]),
  {
    id: "vrrp.advert-higher-priority",
    source: "vrrp/vrrp.c",
    since: "1.2.2",
    samples: [
      "(VI_1) Master received advert from 10.99.0.11 with higher priority 150, ours 100",
      "VRRP_Instance(VI_1) Received advert with higher priority 150, ours 100",
      "VRRP_Instance(VI_1) Received higher prio advert",
    ],
    needsInstance: true,
    templates: [
      "Master received advert from {peer} with higher priority {priority:d}, ours {own:d}",
      "Master received advert with higher priority {priority:d}, ours {own:d}",
      "Received advert with higher priority {priority:d}, ours {own:d}",
      "Received higher prio advert {priority:d}",
      "Received higher prio advert",
      "Master received advert from {peer} with same priority {priority:d} but higher IP address than ours",
      "Master received advert with same priority {priority:d} but higher IP address than ours ({peer})",
    ],
    toEvent: (words, context) => ({
      kind: "vrrp.advert-higher-priority",
      instance: instanceOf(context),
      ...heard(words),
    }),
  },
  {
    id: "vrrp.advert-lower-priority",
    source: "vrrp/vrrp.c",
    since: "1.2.2",
    samples: [
      "(VI_1) received lower priority (100) advert from 10.99.0.12 - discarding",
      "(VI_1) Received advert from 10.99.0.12 with lower priority 100, ours 150, forcing new election",
      "VRRP_Instance(VI_1) Received advert with lower priority 100, ours 150, forcing new election",
      "VRRP_Instance(VI_1) Received lower prio advert, forcing new election",
    ],
    needsInstance: true,
    templates: [
      "received lower priority ({priority:d}) advert from {peer} - discarding",
      "Received advert from {peer} with lower priority {priority:d}, ours {own:d}{*}",
      "Received advert with lower priority {priority:d}, ours {own:d}, forcing new election",
      "Received lower prio advert {priority:d}, forcing new election",
      "Received lower prio advert, forcing new election",
      "Received lower prio advert in nopreempt mode",
    ],
    toEvent: (words, context) => ({
      kind: "vrrp.advert-lower-priority",
      instance: instanceOf(context),
      ...heard(words),
      election: context.message.includes("forcing new election"),
    }),
  },
  simple(
    "vrrp.priority-zero-sent",
    "1.2.6",
    ["(VI_1) sent 0 priority", "VRRP_Instance(VI_1) sending 0 priority"],
    ["sent 0 priority", "sending 0 priority"],
  ),
  simple(
    "vrrp.priority-zero-received",
    "2.0.0",
    ["(VI_1) Backup received priority 0 advertisement", "(VI_1) Master received priority 0 message"],
    [
      "Backup received priority 0 advertisement",
      "Master received priority 0 message",
      "Master received priority 0 or lower priority advert",
    ],
  ),
  {
    id: "vrrp.priority-changed",
    source: "vrrp/vrrp_track.c",
    since: "1.3.0",
    samples: ["(VI_1) Changing effective priority from 100 to 80"],
    needsInstance: true,
    templates: ["Changing effective priority from {from:d} to {to:d}"],
    toEvent: (words, context) => {
      const [from, to] = [priority(words, "from"), priority(words, "to")];
      return from === undefined || to === undefined
        ? UNRECOGNISED
        : { kind: "vrrp.priority-changed", instance: instanceOf(context), from, to };
    },
  },
  {
    id: "vrrp.vips",
    source: "vrrp/vrrp.c",
    since: "1.2.2",
    samples: [
      "(VI_1) setting VIPs.",
      "(VI_1) removing VIPs.",
      "VRRP_Instance(VI_1) removing protocol VIPs.",
      "(VI_1) setting E-VIPs.",
    ],
    needsInstance: true,
    templates: [
      "setting protocol {*}VIPs.",
      "removing protocol {*}VIPs.",
      "setting {*}VIPs.",
      "removing {*}VIPs.",
      "setting VIPs",
      "removing VIPs",
    ],
    toEvent: (_words, context) => ({
      kind: "vrrp.vips",
      instance: instanceOf(context),
      action: context.message.includes("setting") ? "setting" : "removing",
    }),
  },
  {
    id: "vrrp.garp",
    source: "vrrp/vrrp_arp.c, vrrp/vrrp_ndisc.c",
    since: "1.2.2",
    samples: [
      "(VI_1) Sending/queueing gratuitous ARPs on eth0 for 10.99.0.100",
      "Sending gratuitous ARP on eth0 for 10.99.0.100",
      "VRRP_Instance(VI_1) Sending gratuitous ARPs on eth0 for 10.99.0.100",
      "Sending unsolicited Neighbour Advert on eth0 for 2001:db8::1",
    ],
    templates: [
      "Sending/queueing {*} on {interface} for {vip}",
      "Sending gratuitous ARP on {interface} for {vip}",
      "Sending gratuitous ARPs on {interface} for {vip}",
      "Sending unsolicited Neighbour Advert{*} on {interface} for {vip}",
      "Sending unsolicited Neighbour Adverts on {interface} for {vip}",
      "Sending Unsolicited Neighbour Adverts on {interface} for {vip}",
    ],
    toEvent: (words, { instance }) => {
      const vip = address(words.text("vip"));
      return {
        kind: "vrrp.garp",
        interface: cut(words.text("interface"), 255),
        vips: vip === undefined ? [] : [vip],
        ...(instance === undefined ? {} : { instance: cut(instance, 255) }),
      };
    },
  },
  {
    id: "vrrp.interface",
    source: "vrrp/vrrp_if.c, core/keepalived_netlink.c",
    since: "1.2.2",
    samples: ["Netlink reports eth0 down", "Netlink reports eth0 up", "Kernel is reporting: interface eth0 DOWN"],
    templates: [
      "Netlink reports {interface} down",
      "Netlink reports {interface} up",
      "Kernel is reporting: interface {interface} UP",
      "Kernel is reporting: interface {interface} DOWN",
      "Linkbeat reports {interface} up",
      "Linkbeat reports {interface} down",
      "interface {interface} is down",
    ],
    toEvent: (words, { message }) => ({
      kind: "vrrp.interface",
      interface: cut(words.text("interface"), 255),
      up: / up$/i.test(message),
    }),
  },
  {
    id: "vrrp.scheduler-stall",
    source: "lib/scheduler.c",
    since: "2.1.0",
    samples: ["A thread timer expired 12.345678 seconds ago"],
    templates: ["A thread timer expired {seconds} seconds ago", "VRRP thread timer expired {seconds} seconds ago"],
    toEvent: (words) => {
      const lateUs = Math.round(Number(words.text("seconds")) * US_PER_SECOND);
      return Number.isSafeInteger(lateUs) && lateUs >= 0 ? { kind: "vrrp.scheduler-stall", lateUs } : UNRECOGNISED;
    },
  },
  rejected(
    "auth",
    "1.2.2",
    ["(VI_1) received an invalid passwd!", "(VI_1) received a 0 auth, expecting 1!", "receive an invalid passwd!"],
    [
      "received an invalid passwd!",
      "receive an invalid passwd!",
      "received an invalid passwd from {peer}!",
      "receive a {*} auth, expecting {*}!",
      "received a {*} auth, expecting {*}!",
      "received a {*} auth from {peer}, expecting {*}!",
      "Invalid auth type: {*}",
      "Invalid auth type from {peer}: {*}",
      "IPSEC-AH : invalid IPSEC HMAC-MD5 value. {*}",
      "IPSEC-AH : sequence number {*}",
      "IPSEC AH : invalid IPSEC SPI value. {*}",
      "Received AH header but auth type not AH",
      "No AH header but auth type is AH",
      "Received AH header but auth type not AH from {peer}",
      "No AH header but auth type is AH from {peer}",
      "missing authentication trailer from {peer}",
      "malformed authentication trailer from {peer}",
      "unknown authentication key id {*} from {peer}",
      "invalid authentication MAC from {peer}",
      "invalid authentication HMAC from {peer}",
      "stale authentication trailer from {peer}, {*}",
      "replayed authentication trailer from {peer}",
    ],
  ),
  rejected(
    "interval",
    "1.2.2",
    [
      "(VI_1) advertisement interval mismatch mine=1 sec rcv'd=2 sec",
      "advertissement interval mismatch mine=1 rcved=2",
    ],
    [
      "advertissement interval mismatch {*}",
      "advertisement interval mismatch mine={*}",
      "advertisement interval mismatch: {*}",
      "advertisement interval mismatch with {peer} mine={*}",
    ],
  ),
  rejected(
    "vip-list",
    "1.2.2",
    [
      "(VI_1) received an unexpected ip number count 2, expected 1!",
      "(VI_1) ip address associated with VRID 51 not present in MASTER advert: 10.99.0.100",
    ],
    [
      "receive an invalid ip number count associated with VRID!",
      "received an invalid ip number count {*}, expected {*}!",
      "received an unexpected ip number count {*}, expected {*}!",
      "expected {*} VIPs but received {*}",
      "ip address associated with VRID not present in {*}",
      "ip address associated with VRID  not present in {*}",
      "ip address associated with VRID {*} not present in {*}",
      "one or more VIP associated with VRID mismatch actual MASTER advert",
    ],
  ),
  rejected(
    "version",
    "1.2.2",
    ["(VI_1) wrong version. Received 3 and expect 2"],
    ["invalid version. {*}", "wrong version. {*}", "wrong VRRP version from {peer}. {*}"],
  ),
  rejected(
    "checksum",
    "1.2.2",
    ["(VI_1) Invalid VRRPv2 checksum"],
    [
      "Invalid vrrp checksum",
      "Invalid VRRPv2 checksum",
      "Invalid VRRPv3 checksum",
      "Invalid VRRPv2 checksum from {peer}",
      "Invalid VRRPv3 checksum from {peer}",
    ],
  ),
  rejected(
    "ttl",
    "1.2.2",
    ["(VI_1) invalid TTL/HL. Received 64 and expect 255"],
    [
      "invalid ttl. {*}",
      "invalid TTL/HL. {*}",
      "invalid TTL/HL from {peer}. {*}",
      "TTL/HL {*} not in range {*}",
      "TTL/HL {*} from {peer} not in range {*}",
    ],
  ),
  rejected(
    "length",
    "1.2.2",
    ["(VI_1) vrrp packet too long, length 24 and expect 20"],
    [
      "ip payload too short. {*}",
      "ip/vrrp header too short. {*}",
      "vrrp header too short. {*}",
      "Received packet length mismatch against expected. {*}",
      "ip_tot_len mismatch against received length{*}",
      "IPv4 VRRP packet too short {*}",
      "IPv4 VRRP packet with AH too short {*}",
      "IPv6 VRRP packet too short {*}",
      "vrrp packet too {*}",
      "vrrp packet from {peer} too {*}",
    ],
  ),
  rejected(
    "type",
    "1.2.17",
    ["(VI_1) Invalid packet type. 2 and expect 1"],
    ["Invalid packet type. {*}", "Invalid packet type from {peer}. {*}"],
  ),
  rejected(
    "vrid",
    "1.2.2",
    ["Unknown VRID(52) received on interface(eth0). ignoring..."],
    [
      "received VRID mismatch. {*}",
      "Unknown VRID({*}) received on interface({*}). ignoring...",
      "Unknown VRID({*}) received on interface({*}) from {peer}. ignoring...",
    ],
  ),
  rejected(
    "unicast-source",
    "1.2.20",
    ["(VI_1) unicast source address 10.99.0.13 not a unicast peer"],
    ["unicast source address {peer} not a unicast peer"],
  ),
  rejected(
    "cast",
    "2.0.12",
    ["(VI_1) Expected unicast packet but received multicast packet"],
    [
      "Expected {*}icast packet but received {*}icast packet",
      "Expected {*}icast packet but received {*}icast packet from {peer}",
      "discarding {*}icast packet on {*}icast instance",
    ],
  ),
  rejected(
    "owner",
    "2.3.3",
    ["(VI_1) Dropping packet(s) from 10.99.0.13 since we are address owner"],
    ["Dropping packet(s) from {peer} since we are address owner"],
  ),
  rejected(
    "own-address",
    "1.2.22",
    ["(VI_1) WARNING - equal priority advert received from remote host with our IP address."],
    [
      "WARNING - advert received from remote host with our IP address.",
      "WARNING - equal priority advert received from remote host with our IP address.",
    ],
  ),
  rejected(
    "two-owners",
    "1.2.22",
    [
      "(VI_1) CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, please fix - reducing local priority",
    ],
    [
      "CONFIGURATION ERROR: local instance and {*} both configured as address owner, {*}",
      "{peer} is still advertising as address owner, please resolve - reducing our priority",
    ],
  ),
  rejected(
    "unspecified",
    "1.2.2",
    ["VRRP_Instance(VI_1) ignoring received advertisment..."],
    ["ignoring received advertisment...", "Dropping received VRRP packet...", "bogus VRRP packet received on {*} !!!"],
  ),
];
