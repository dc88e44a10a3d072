import type { DiagnosticCode } from "./code.ts";

/** Faults of keywords together: an instance that cannot run, or will do something else than it says. */
export const ruleCodes: readonly DiagnosticCode[] = [
  {
    code: "instance_no_name",
    severity: "instance-lost",
    title: "a vrrp_instance without a name",
    explanation: "The block is skipped; everything else runs.",
    fix: "Give it a name.",
  },
  {
    code: "instance_duplicate",
    severity: "instance-lost",
    title: "a vrrp_instance defined twice",
    explanation: "The second block is skipped; the first one runs.",
    fix: "Give it a name of its own.",
  },
  {
    code: "no_vrid",
    severity: [
      ["1.2.2", "instance-lost"],
      ["1.2.24", "fatal"],
    ],
    title: "a vrrp_instance without virtual_router_id",
    explanation:
      "The whole daemon ends, the other instances with it. Up to 1.2.23 it stays and runs no instance at all.",
    fix: "Add one, from 1 to 255, the same on all nodes.",
  },
  {
    code: "unknown_interface",
    severity: "fatal",
    title: "an interface that does not exist",
    explanation: "The whole daemon ends, unless dynamic_interfaces is set.",
    fix: "Name an interface of this node, or set dynamic_interfaces (2.0.0).",
  },
  {
    code: "duplicate_vrid",
    severity: "fatal",
    title: "two instances with one virtual_router_id on an interface",
    explanation: "The whole daemon ends, all instances with it.",
    fix: "Give each instance on an interface an id of its own.",
  },
  {
    code: "state_master_without_priority",
    severity: "degraded",
    title: "state MASTER without a priority",
    explanation: "The instance runs with priority 255, as the owner of the address: it is master at once.",
    fix: "Set a priority from 1 to 254.",
  },
  {
    code: "duplicate_vrid_unicast",
    severity: "fatal",
    title: "two unicast instances with one virtual_router_id and a common peer",
    explanation:
      "Unicast instances may share an id only while no peer of theirs is the same (2.1.0); here the whole daemon ends.",
    fix: "Give each instance an id of its own.",
  },
  {
    code: "state_unknown",
    severity: "degraded",
    title: "state is neither MASTER nor BACKUP",
    explanation:
      "The value is case sensitive: anything else means BACKUP, with priority 100 where no priority is set. keepalived up to 1.2.19 says nothing about it.",
    fix: "Write MASTER or BACKUP, in capitals.",
  },
  {
    code: "state_twice",
    severity: "degraded",
    title: "state is given twice",
    explanation: "Once it was MASTER, a later BACKUP is ignored (2.0.0).",
    fix: "Keep one state line.",
  },
  {
    code: "priority_owner",
    severity: "hint",
    title: "priority 255 on a node that does not own the address",
    explanation:
      "255 says that the addresses are the node's own. With state MASTER, or with no state, it is master the moment it starts, without asking; it takes over from any master, and tracking never lowers it, so that a failing script moves nothing. Two nodes with 255 are both master.",
    fix: "Use a priority from 1 to 254.",
  },
  {
    code: "nopreempt_master",
    severity: "degraded",
    title: "nopreempt with state MASTER",
    explanation:
      "From 2.0.0 on nopreempt is cleared, and the node takes the addresses back when it returns; older releases only warn that it does not work.",
    fix: "Set state BACKUP on all nodes when nopreempt is wanted: the priority decides who is master.",
  },
  {
    code: "nopreempt_owner",
    severity: "degraded",
    title: "nopreempt with priority 255",
    explanation: "The owner of an address always preempts: nopreempt is cleared (1.3.5).",
    fix: "Use a priority from 1 to 254.",
  },
  {
    code: "preempt_delay_master",
    severity: "degraded",
    title: "preempt_delay with state MASTER",
    explanation: "The delay is cleared (2.0.0): after a restart the node takes the addresses back at once.",
    fix: "Set state BACKUP: the priority decides who is master.",
  },
  {
    code: "preempt_delay_reset",
    severity: "degraded",
    title: "preempt_delay with nopreempt or in strict mode",
    explanation:
      "The delay is set to 0 (1.2.22): with nopreempt there is nothing to delay, and strict mode has no delay.",
    fix: "Remove one of the two.",
  },
  {
    code: "no_configuration",
    severity: "fatal",
    title: "nothing to run",
    explanation:
      "keepalived stays alive without a child, and a start looks like a success; with a notifying unit it times out.",
    fix: "Check that this is the file keepalived reads, and that no brace is missing.",
  },
  {
    code: "advert_int_adjusted",
    severity: "degraded",
    title: "an advert_int that the wire cannot carry",
    explanation:
      "Version 2 rounds to whole seconds (up to 1.2.20 the whole daemon ended instead), version 3 to hundredths and at most 40.95 s. With version 2 a peer that does not round the same way is refused, and both are master.",
    fix: "Give an interval the version can carry, the same on all nodes.",
  },
  {
    code: "failover_slow",
    severity: "hint",
    title: "a takeover takes very long",
    explanation:
      "A backup waits down_timer_adverts intervals, and a little more, before it takes over from a master that has died: clients are without service that long.",
    fix: "Use a shorter advert_int; 1 s is usual.",
  },
  {
    code: "vip_invalid",
    severity: "degraded",
    title: "a virtual address that is none",
    explanation:
      "It is left out. Up to 2.3.2 an instance with fewer addresses than its peers refuses their adverts and they its own: both are master.",
    fix: "Correct it.",
  },
  {
    code: "vip_family_mismatch",
    severity: "degraded",
    title: "addresses of both families in virtual_ipaddress",
    explanation:
      "An instance speaks one family: that of the first address in it, be it a virtual address, a source or a peer. Others are ignored.",
    fix: "Put it in virtual_ipaddress_excluded, or give it an instance of its own.",
  },
  {
    code: "vip_prefix_invalid",
    severity: "degraded",
    title: "a prefix length that is none",
    explanation: "The address is added as a host address, /32 or /128.",
    fix: "Give the length of its network.",
  },
  {
    code: "vip_no_prefix",
    severity: "hint",
    title: "a virtual address without a prefix length",
    explanation:
      "It is added as /32 (IPv6: /128): harmless beside an address of the same network, but no connected route and no broadcast come with it.",
    fix: "Write the length of its network, or /32 to say that a host address is meant.",
  },
  {
    code: "vip_duplicate",
    severity: "degraded",
    title: "a virtual address twice in one instance",
    explanation:
      "Up to 2.3.2 adverts carry it twice, so that a peer which lists it once refuses them and both are master; from 2.3.3 on the second one is ignored.",
    fix: "Remove one.",
  },
  {
    code: "vip_two_instances",
    severity: "degraded",
    title: "a virtual address in two instances",
    explanation:
      "The instances know nothing of each other: when one becomes backup it removes the address while the other, as master, still answers for it. keepalived says nothing.",
    fix: "Give each address to one instance.",
  },
  {
    code: "ipv6_first_not_ll",
    severity: "hint",
    title: "the first IPv6 address is not link-local",
    explanation:
      "The standard wants a link-local address first, as the gateway that hosts see. keepalived runs all the same.",
    fix: "Put a link-local address (fe80::…/64) first, the same on all nodes.",
  },
  {
    code: "too_many_vips",
    severity: "degraded",
    title: "more virtual addresses than an advert can carry",
    explanation:
      "Those that do not fit (at most 255, and what the MTU holds) are treated as excluded: added, but not in the adverts. Up to 1.2.19 only the first 20 are added at all.",
    fix: "Put the surplus in virtual_ipaddress_excluded yourself, the same on all nodes.",
  },
  {
    code: "vip_option_invalid",
    severity: "degraded",
    title: "a word in an address line that keepalived does not know",
    explanation: "The word is ignored: a second address on the line is never added.",
    fix: "Put each address on a line of its own.",
  },
  {
    code: "vip_is_own_address",
    severity: "degraded",
    title: "a virtual address that is the node's own",
    explanation:
      "A backup removes its virtual addresses, also when it starts: the node loses its own address. When it was the only one, the instance goes into FAULT for want of a source, and the node may be cut off.",
    fix: "Use an address that belongs to no node, or priority 255 on the node that owns it.",
  },
  {
    code: "vip_off_subnet",
    severity: "hint",
    title: "a virtual address outside the interface's networks",
    explanation:
      "The address is added, but hosts on that network do not look for it there: it works only when something routes it to the node.",
    fix: "Check the address and its interface; for a routed address use virtual_ipaddress_excluded or a loopback interface.",
  },
  {
    code: "vip_network_address",
    severity: "degraded",
    title: "a virtual address that is a network or broadcast address",
    explanation: "It is added, and hosts of that network do not talk to it.",
    fix: "Check the address or its prefix length.",
  },
  {
    code: "no_vip",
    severity: "degraded",
    title: "an instance without a virtual address",
    explanation:
      "It runs, becomes master and protects nothing; its adverts carry no address and peers that have some refuse them. Mostly a brace or a misspelt keyword just before swallowed the addresses.",
    fix: "List its addresses in virtual_ipaddress.",
  },
  {
    code: "no_vip_fatal",
    severity: "fatal",
    title: "no virtual address where one is demanded",
    explanation:
      "Version 3, IPv6 and strict mode demand at least one address (1.2.20): the whole daemon ends, all other instances and the health checks with it.",
    fix: "List its addresses in virtual_ipaddress; from 2.2.8 on no_virtual_ipaddress allows none.",
  },
];
