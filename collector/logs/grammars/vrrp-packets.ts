import type { LineGrammar } from "../grammar.ts";
import { cut } from "../text.ts";
import { address, between, known, NAME_MAX } from "./fields.ts";

/** Adverts the daemon refused, and adverts it could not send. */

interface Rejection extends Pick<LineGrammar, "since" | "samples" | "templates"> {
  readonly reason: string;
  readonly until?: string;
}

/** Up to 2.3.2 there is one line an advert, from 2.3.3 one line an instance and master. */
const rejected = ({ reason, ...row }: Rejection): LineGrammar => ({
  id: `vrrp.advert-rejected.${reason}`,
  source: "vrrp/vrrp.c",
  ...row,
  toEvent: (words, { instance }) => {
    const [received, expected, nic] = [words.text("received"), words.text("expected"), words.text("interface")];
    return {
      kind: "vrrp.advert-rejected",
      reason,
      ...known({
        instance: instance === undefined ? undefined : cut(instance, NAME_MAX),
        peer: address(words, "peer"),
        vrid: between(words, "vrid", 1, 255),
        interface: nic === "" ? undefined : cut(nic, NAME_MAX),
        received: received === "" ? undefined : cut(received, 64),
        expected: expected === "" ? undefined : cut(expected, 64),
        vip: address(words, "vip"),
      }),
    };
  },
});

export const packetGrammars: readonly LineGrammar[] = [
  rejected({
    reason: "auth",
    since: "1.2.2",
    samples: [
      "(VI_1) received an invalid passwd!",
      "(VI_1) received a 0 auth, expecting 1!",
      "receive an invalid passwd!",
      "(VI_1) received a 1 auth from 10.99.0.12, expecting 0!",
    ],
    templates: [
      "received an invalid passwd!",
      "receive an invalid passwd!",
      "received an invalid passwd from {peer}!",
      "receive a {received:d} auth, expecting {expected:d}!",
      "received a {received:d} auth, expecting {expected:d}!",
      "received a {received:d} auth from {peer}, expecting {expected:d}!",
      "Invalid auth type: {received:d}",
      "Invalid auth type from {peer}: {received:d}",
      "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !",
      "IPSEC-AH : sequence number {received:d} already proceeded. Packet dropped. Local({expected:d})",
      "IPSEC-AH : sequence number {received:d} already processed. Packet dropped. Local({expected:d})",
      "IPSEC AH : invalid IPSEC SPI value. {received:d} and expect {expected:d}",
      "Received AH header but auth type not AH",
      "No AH header but auth type is AH",
      "Received AH header but auth type not AH from {peer}",
      "No AH header but auth type is AH from {peer}",
      "missing authentication trailer from {peer}",
      "malformed authentication trailer from {peer}",
      "unknown authentication key id {received:d} from {peer}",
      "invalid authentication MAC from {peer}",
      "invalid authentication HMAC from {peer}",
      "stale authentication trailer from {peer}, clock skew {received} sec exceeds window {expected} sec",
      "replayed authentication trailer from {peer}",
    ],
  }),
  rejected({
    reason: "interval",
    since: "1.2.2",
    samples: [
      "(VI_1) advertisement interval mismatch mine=1 sec rcv'd=2 sec",
      "advertissement interval mismatch mine=1 rcved=2",
    ],
    templates: [
      "advertissement interval mismatch mine={expected:d} rcved={received:d}",
      "advertisement interval mismatch mine={expected:d} sec rcved={received:d} sec",
      "advertisement interval mismatch mine={expected:d} sec rcv'd={received:d} sec",
      "advertisement interval mismatch: mine={expected:d} milli-sec, rcved={received:d} milli-sec",
      "advertisement interval mismatch with {peer} mine={expected:d} sec rcv'd={received:d} sec",
    ],
  }),
  rejected({
    reason: "vip-list",
    since: "1.2.2",
    samples: [
      "(VI_1) received an unexpected ip number count 2, expected 1!",
      "(VI_1) ip address associated with VRID 51 not present in MASTER advert: 10.99.0.100",
    ],
    templates: [
      "receive an invalid ip number count associated with VRID!",
      "received an invalid ip number count {received:d}, expected {expected:d}!",
      "received an unexpected ip number count {received:d}, expected {expected:d}!",
      "expected {expected:d} VIPs but received {received:d}",
      "ip address associated with VRID not present in received packet : {vip}",
      "ip address associated with VRID  not present in received packet : {vip}",
      "ip address associated with VRID {vrid:d} not present in MASTER advert : {vip}",
      "ip address associated with VRID {vrid:d} not present in MASTER advert: {vip}",
      "ip address associated with VRID {vrid:d} not present in advert from {peer}: {vip}",
      "one or more VIP associated with VRID mismatch actual MASTER advert",
    ],
  }),
  rejected({
    reason: "version",
    since: "1.2.2",
    samples: ["(VI_1) wrong version. Received 3 and expect 2"],
    templates: [
      "invalid version. {received:d} and expect {expected:d}",
      "wrong version. Received {received:d} and expect {expected:d}",
      "wrong VRRP version from {peer}. Received {received:d} and expect {expected:d}",
    ],
  }),
  rejected({
    reason: "checksum",
    since: "1.2.2",
    samples: ["(VI_1) Invalid VRRPv2 checksum"],
    templates: [
      "Invalid vrrp checksum",
      "Invalid VRRPv2 checksum",
      "Invalid VRRPv3 checksum",
      "Invalid VRRPv2 checksum from {peer}",
      "Invalid VRRPv3 checksum from {peer}",
    ],
  }),
  rejected({
    reason: "ttl",
    since: "1.2.2",
    samples: ["(VI_1) invalid TTL/HL. Received 64 and expect 255"],
    templates: [
      "invalid ttl. {received:d} and expect {expected:d}",
      "invalid TTL/HL. Received {received:d} and expect {expected:d}",
      "invalid TTL/HL from {peer}. Received {received:d} and expect {expected:d}",
      "TTL/HL {received:d} not in range {expected}",
      "TTL/HL {received:d} from {peer} not in range [{expected}]",
    ],
  }),
  rejected({
    reason: "length",
    since: "1.2.2",
    samples: ["(VI_1) vrrp packet too long, length 24 and expect 20"],
    templates: [
      "ip payload too short. {received:d} and expect at least {expected:d}",
      "ip/vrrp header too short. {received:d} and expect at least {expected:d}",
      "vrrp header too short. {received:d} and expect at least {expected:d}",
      "Received packet length mismatch against expected. {received:d} and expect {expected:d}",
      "ip_tot_len mismatch against received length. {expected:d} and received {received:d}",
      "ip_tot_len mismatch against received length from {peer}. {expected:d} and received {received:d}",
      "IPv4 VRRP packet too short - {received:d} bytes",
      "IPv4 VRRP packet with AH too short - {received:d} bytes",
      "IPv6 VRRP packet too short - {received:d} bytes",
      "vrrp packet too {how}, length {received:d} and expect {expected:d}",
      "vrrp packet from {peer} too {how}, length {received:d} and expect {expected:d}",
    ],
  }),
  rejected({
    reason: "type",
    since: "1.2.17",
    samples: ["(VI_1) Invalid packet type. 2 and expect 1"],
    templates: [
      "Invalid packet type. {received:d} and expect {expected:d}",
      "Invalid packet type from {peer}. {received:d} and expect {expected:d}",
    ],
  }),
  rejected({
    reason: "vrid",
    since: "1.2.2",
    samples: [
      "Unknown VRID(52) received on interface(eth0). ignoring...",
      "(VI_1) received VRID mismatch. Received 52, Expected 51",
    ],
    templates: [
      "received VRID mismatch. Received {received:d}, Expected {expected:d}",
      "Unknown VRID({vrid:d}) received on interface({interface}). ignoring...",
      "Unknown VRID({vrid:d}) received on interface({interface}) from {peer}. ignoring...",
    ],
  }),
  rejected({
    reason: "unicast-source",
    since: "1.2.20",
    samples: ["(VI_1) unicast source address 10.99.0.13 not a unicast peer"],
    templates: ["unicast source address {peer} not a unicast peer"],
  }),
  rejected({
    reason: "cast",
    since: "2.0.12",
    samples: ["(VI_1) Expected unicast packet but received multicast packet"],
    templates: [
      "Expected {expected} packet but received {received} packet",
      "Expected {expected} packet but received {received} packet from {peer}",
      "discarding {received} packet on {expected} instance",
    ],
  }),
  rejected({
    reason: "owner",
    since: "2.3.3",
    samples: ["(VI_1) Dropping packet(s) from 10.99.0.13 since we are address owner"],
    templates: ["Dropping packet(s) from {peer} since we are address owner"],
  }),
  rejected({
    reason: "own-address",
    since: "1.2.22",
    samples: ["(VI_1) WARNING - equal priority advert received from remote host with our IP address."],
    templates: [
      "WARNING - advert received from remote host with our IP address.",
      "WARNING - equal priority advert received from remote host with our IP address.",
    ],
  }),
  rejected({
    reason: "two-owners",
    since: "1.2.22",
    samples: [
      "(VI_1) CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, please fix - reducing local priority",
      "(VI_1) CONFIGURATION ERROR: local instance and 10.99.0.12 are both configured as address owner, please resolve",
    ],
    templates: [
      "CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, please fix - reducing local priority",
      "CONFIGURATION ERROR: local instance and {peer} are both configured as address owner, please resolve",
      "{peer} is still advertising as address owner, please resolve - reducing our priority",
    ],
  }),
  rejected({
    reason: "unspecified",
    since: "1.2.2",
    until: "1.4.5",
    samples: ["VRRP_Instance(VI_1) ignoring received advertisment...", "bogus VRRP packet received on eth0 !!!"],
    templates: [
      "ignoring received advertisment...",
      "Dropping received VRRP packet...",
      "bogus VRRP packet received on {interface} !!!",
    ],
  }),
  {
    id: "vrrp.advert-not-sent",
    source: "vrrp/vrrp.c",
    since: "1.2.8",
    samples: [
      "(VI_1) Cant send advert to 10.99.0.12 (Network is unreachable)",
      "(VI_1): send advert error 101 (Network is unreachable)",
      "No address yet for vrrp.51",
    ],
    templates: [
      "Cant sent advert to {peer} ({error})",
      "Cant send advert to {peer} ({error})",
      "send advert error {*errno} ({error})",
      "No address yet for {interface}",
    ],
    toEvent: (words, { instance }) => {
      const error = words.text("error");
      return {
        kind: "vrrp.advert-not-sent",
        ...known({
          instance: instance === undefined ? undefined : cut(instance, NAME_MAX),
          peer: address(words, "peer"),
          error: error === "" ? undefined : cut(error, 255),
        }),
      };
    },
  },
];
