import { type LineGrammar, UNRECOGNISED } from "../grammar.ts";
import { instanceOf, name, prefixed } from "./fields.ts";
import { problem } from "./rows.ts";

/** Interfaces and addresses as keepalived hears of them, and what goes wrong between it and the kernel. */

export const netlinkGrammars: readonly LineGrammar[] = [
  {
    id: "vrrp.interface",
    source: "vrrp/vrrp_if.c, core/keepalived_netlink.c, vrrp/vrrp_scheduler.c, vrrp/vrrp_track.c",
    since: "1.2.2",
    samples: [
      "Netlink reports eth0 down",
      "Netlink reports eth0 up",
      "Kernel is reporting: interface eth0 DOWN",
      "Linkbeat reports eth0 down",
      "(VI_1) interface eth0 is down",
    ],
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
      interface: name(words, "interface"),
      up: / up$/i.test(message),
    }),
  },
  {
    id: "netlink.address",
    source: "core/keepalived_netlink.c, check/check_api.c, vrrp/vrrp.c",
    since: "1.2.2",
    samples: [
      "Netlink reflector reports IP 10.99.0.100 added",
      "Netlink reflector reports IP 10.99.0.100 removed from eth0",
      "Assigned address 10.99.0.11 for interface eth0",
      "Deassigned address fe80::1 from interface eth0",
    ],
    templates: [
      "Netlink reflector reports IP {address} added",
      "Netlink reflector reports IP {address} removed",
      "Netlink reflector reports IP {address} added to {interface}",
      "Netlink reflector reports IP {address} removed from {interface}",
      "Assigned address {address} for interface {interface}",
      "assigned address {address} for interface {interface}",
      "Deassigned address {address} from interface {interface}",
      "deassigned address {address} from interface {interface}",
    ],
    toEvent: (words, { message }) => {
      const address = prefixed(words, "address");
      return address === undefined
        ? UNRECOGNISED
        : {
            kind: "netlink.address",
            address,
            present: !/^[Dd]eassigned| removed/.test(message),
            ...(words.text("interface") === "" ? {} : { interface: name(words, "interface") }),
          };
    },
  },
  {
    id: "netlink.interface",
    source: "core/keepalived_netlink.c",
    since: "1.2.20",
    samples: ["Interface eth1 added", "Interface eth1 deleted", "Unknown interface eth1 deleted"],
    templates: [
      "Interface {interface} added",
      "Interface {interface} deleted",
      "Unknown interface {interface} deleted",
    ],
    toEvent: (words, { message }) => ({
      kind: "netlink.interface",
      interface: name(words, "interface"),
      action: message.endsWith(" added") ? "added" : "deleted",
    }),
  },
  {
    id: "netlink.interface.renamed",
    source: "core/keepalived_netlink.c",
    since: "2.0.0",
    samples: ["Interface name has changed from eth1 to lan0"],
    templates: ["Interface name has changed from {interface} to {to}"],
    toEvent: (words) => ({
      kind: "netlink.interface",
      interface: name(words, "interface"),
      action: "renamed",
      to: name(words, "to"),
    }),
  },
  {
    // The interface stands where an instance does elsewhere.
    id: "netlink.interface.mac-changed",
    source: "core/keepalived_netlink.c",
    since: "2.0.13",
    samples: ["(vrrp.51) MAC address changed from 00:00:5e:00:01:33 to 02:42:ac:11:00:02"],
    needsInstance: true,
    templates: ["MAC {*keyword} changed from {from} to {to}"],
    toEvent: (words, context) => ({
      kind: "netlink.interface",
      interface: instanceOf(context),
      action: "mac-changed",
      to: name(words, "to"),
    }),
  },
  problem("netlink.error")({
    code: "overrun",
    source: "core/keepalived_netlink.c, vrrp/vrrp_netlink.c",
    since: "1.2.2",
    templates: [
      "Netlink: Received message overrun",
      "Netlink: Received message overrun ({*error})",
      "Netlink: Received message overrun - ({*error})",
      "Netlink: Receive buffer overrun on {*keyword} socket - ({*error})",
    ],
  }),
  problem("netlink.error")({
    code: "refused",
    source: "core/keepalived_netlink.c, vrrp/vrrp_ipaddress.c",
    since: "1.2.2",
    templates: [
      "Netlink: error: {*error}, type=({*command}), seq={*sequence}, pid={*portId}",
      "Netlink: error: {*error}, type={*keyword}({*command}), seq={*sequence}, pid={*portId}",
      "Netlink: error: {*error}({errno:d}), type={*keyword}({*command}), seq={*sequence}, pid={*portId}",
      "Not adding address {*address} to {*interface} since interface doesn't exist",
    ],
  }),
];
