import type { LineGrammar, Words } from "../grammar.ts";
import { UNRECOGNISED } from "../grammar.ts";
import { cut } from "../text.ts";
import { address, between, instanceOf, known, name, NAME_MAX } from "./fields.ts";

/** The addresses of an instance: set, removed, announced; and the interfaces made for them. */

/** `for vrrp_instance VI_1`, where it is not in front. */
const named = (words: Words, instance: string | undefined): { instance?: string } => {
  const of = instance ?? words.text("instance");
  return of === "" ? {} : { instance: cut(of, NAME_MAX) };
};

export const addressGrammars: readonly LineGrammar[] = [
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
    templates: ["setting", "removing"].flatMap((action) =>
      ["VIPs.", "E-VIPs.", "VIPs", "protocol VIPs.", "protocol E-VIPs."].map((what) => `${action} ${what}`),
    ),
    toEvent: (_words, context) => ({
      kind: "vrrp.vips",
      instance: instanceOf(context),
      action: context.message.includes("setting") ? "setting" : "removing",
      ...(context.message.includes("E-VIPs") ? { excluded: true } : {}),
    }),
  },
  {
    id: "vrrp.garp",
    source: "vrrp/vrrp.c, vrrp/vrrp_arp.c, vrrp/vrrp_ndisc.c",
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
      "Sending unsolicited Neighbour Advert on {interface} for {vip}",
      "Sending unsolicited Neighbour Adverts on {interface} for {vip}",
      "Sending Unsolicited Neighbour Adverts on {interface} for {vip}",
    ],
    toEvent: (words, { instance, message }) => {
      const vip = address(words, "vip");
      return {
        kind: "vrrp.garp",
        interface: name(words, "interface"),
        vips: vip === undefined ? [] : [vip],
        protocol: message.includes("gratuitous ARP") ? "arp" : "ndp",
        ...(instance === undefined ? {} : { instance: cut(instance, NAME_MAX) }),
      };
    },
  },
  {
    id: "vrrp.garp-failed",
    source: "vrrp/vrrp_arp.c, vrrp/vrrp_ndisc.c",
    since: "1.2.2",
    samples: [
      "Error 100 (Network is down) sending gratuitous ARP on eth0 for 10.99.0.100",
      "Error sending gratuitous ARP on eth0 for 10.99.0.100",
      "VRRP: Error sending ndisc unsolicited neighbour advert on eth0",
    ],
    templates: [
      "Error sending gratutious ARP on {interface} for {address}",
      "Error sending gratuitous ARP on {interface} for {address}",
      "Error {errno:d} sending gratuitous ARP on {interface} for {address}",
      "Error {*errno} ({error}) sending gratuitous ARP on {interface} for {address}",
      "VRRP: Error sending ndisc unsolicited neighbour advert on {interface}",
      "VRRP: Error sending ndisc unsolicited neighbour advert on {interface} for {address}",
      "Error {errno:d} sending ndisc unsolicited neighbour advert on {interface} for {address}",
    ],
    toEvent: (words) => ({
      kind: "vrrp.garp-failed",
      interface: name(words, "interface"),
      ...known({
        address: address(words, "address"),
        // Without words for it, its number.
        error: name(words, "error") || name(words, "errno") || undefined,
      }),
    }),
  },
  {
    id: "vrrp.vip-removed",
    source: "vrrp/vrrp_ipaddress.c",
    since: "1.2.2",
    samples: ["(VI_1) ip address 10.99.0.100/24 dev eth0, no longer exist"],
    templates: ["ip address {address}/{prefix:d} dev {interface}, no longer exist"],
    toEvent: (words, { instance }) => {
      const [vip, prefixLength] = [address(words, "address"), between(words, "prefix", 0, 128)];
      return vip === undefined || prefixLength === undefined
        ? UNRECOGNISED
        : {
            kind: "vrrp.vip-removed",
            address: vip,
            prefixLength,
            interface: name(words, "interface"),
            ...known({ instance: instance === undefined ? undefined : cut(instance, NAME_MAX) }),
          };
    },
  },
  {
    id: "vrrp.vmac",
    source: "vrrp/vrrp_vmac.c",
    since: "1.2.10",
    samples: [
      "(VI_1): Success creating VMAC interface vrrp.51",
      "vmac: Success removing VMAC interface vrrp.51 for vrrp_instance VI_1",
      "(VI_1): Success updating VMAC interface vrrp.51",
    ],
    templates: [
      "vmac: Success creating VMAC interface {interface} for vrrp_instance {instance}",
      "vmac: Success removing VMAC interface {interface} for vrrp_instance {instance}",
      "Success creating VMAC interface {interface}",
      "Success creating ipvlan interface {interface}",
      "Success updating VMAC interface {interface}",
      "Success removing VMAC interface {interface}",
    ],
    toEvent: (words, { instance, message }) => ({
      kind: "vrrp.vmac",
      interface: name(words, "interface"),
      action: message.includes(" creating ") ? "created" : message.includes(" updating ") ? "updated" : "removed",
      ...named(words, instance),
    }),
  },
];
