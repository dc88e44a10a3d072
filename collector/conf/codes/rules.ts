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
    title: "IPv6 addresses that do not begin with a link-local one",
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
    title: "a word in an address line that cannot be used",
    explanation:
      "The word is ignored with a message, and so is a value that does not belong to its option; a second address on the line is never added. A label that is too long, a broadcast address that is none and a second dev cost the address itself.",
    fix: "Check its spelling, and put each address on a line of its own.",
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
  {
    code: "auth_no_type",
    severity: "degraded",
    title: "auth_pass without auth_type",
    explanation:
      "There is no authentication: the password is never used. keepalived says nothing. A peer with auth_type PASS refuses the adverts, and both are master.",
    fix: "Add auth_type PASS, or remove the block on all nodes.",
  },
  {
    code: "auth_no_password",
    severity: "degraded",
    title: "auth_type without auth_pass",
    explanation: "Authentication is switched off; a peer that has it refuses the adverts, and both are master.",
    fix: "Add the auth_pass of the other nodes.",
  },
  {
    code: "auth_v3_ignored",
    severity: "degraded",
    title: "authentication with version 3",
    explanation: "Version 3 has none: the block is ignored, and anyone on the network can send adverts.",
    fix: "Remove it, or use version 2; from 2.4.0 on auth_hmac.",
  },
  {
    code: "auth_strict_ignored",
    severity: "degraded",
    title: "authentication in strict mode",
    explanation: "It is dropped: adverts go out without, and a peer that is not strict refuses them; both are master.",
    fix: "Remove vrrp_strict, or the authentication block on all nodes.",
  },
  {
    code: "auth_ipv6",
    severity: "degraded",
    title: "a password for IPv6",
    explanation: "Version 2 over IPv6 has no room for one: adverts go out without. keepalived says nothing.",
    fix: "Remove the block on all nodes; from 2.4.0 on use auth_hmac.",
  },
  {
    code: "auth_ah_ipv6",
    severity: "degraded",
    title: "AH authentication with IPv6",
    explanation: "It is ignored: adverts go out without authentication.",
    fix: "Remove the block on all nodes; from 2.4.0 on use auth_hmac.",
  },
  {
    code: "auth_ah_master",
    severity: "degraded",
    title: "AH authentication with state MASTER",
    explanation: "The state is cleared to BACKUP (2.0.0): a sequence number has to be learnt first.",
    fix: "Set state BACKUP.",
  },
  {
    code: "auth_pass_truncated",
    severity: "hint",
    title: "an auth_pass of more than 8 characters",
    explanation: "Only the first 8 are used and sent, in clear. Two passwords that differ after them are the same.",
    fix: "Shorten it to 8 characters on all nodes.",
  },
  {
    code: "auth_hmac",
    severity: "degraded",
    title: "auth_hmac that is not used as it is written",
    explanation:
      "Beside auth_hmac the older authentication is dropped; without a usable active key auth_hmac itself is switched off (2.4.0).",
    fix: "Keep one of the two, and name an active key that is defined.",
  },
  {
    code: "strict_unicast",
    severity: [
      ["1.2.20", "fatal"],
      ["2.2.5", "hint"],
      ["2.4.0", "fatal"],
    ],
    title: "unicast peers in strict mode",
    explanation:
      "The RFCs know no unicast: the whole daemon ends. From 2.2.5 to 2.3.4 the check does not work and the instance runs, until an upgrade.",
    fix: "Remove vrrp_strict.",
  },
  {
    code: "strict_firewall",
    severity: "degraded",
    title: "strict mode drops what is sent to the virtual addresses",
    explanation:
      "Without being the owner of an address a strict master must not answer for it: keepalived adds firewall rules, and clients see an address that is there and answers nothing. The usual cause is vrrp_strict copied from the sample file.",
    fix: "Remove vrrp_strict and restart keepalived (a reload may leave the rules behind: firewall_left_behind); with version 3, accept lets it answer.",
  },
  {
    code: "firewall_left_behind",
    severity: "degraded",
    title: "firewall rules of keepalived's that nothing asks for any more",
    explanation:
      "When vrrp_strict or no_accept is taken out and keepalived 2.2.7 only reloads, its table of nftables stays, and so do the addresses in it; after a kill they stay as well. No later start or stop without strict mode takes them away: the node becomes master, sends gratuitous ARP, and drops all that comes. With `nftables` in global_defs a reload empties the table, and a restart while the old configuration still runs removes it. Said only on the node itself, where nft shows the table (CAP_NET_ADMIN).",
    fix: "Delete the table: nft delete table ip keepalived (for IPv6: ip6).",
  },
  {
    code: "no_accept",
    severity: "hint",
    title: "no_accept drops what is sent to the virtual addresses",
    explanation:
      "keepalived adds firewall rules for it: the addresses can be routed through, but nothing on them answers.",
    fix: "Remove no_accept when services listen on the addresses.",
  },
  {
    code: "strict_state",
    severity: "degraded",
    title: "a state that strict mode does not allow",
    explanation:
      "In strict mode only the owner (priority 255) starts as MASTER, and the owner always does: the state is changed.",
    fix: "Set state BACKUP for priorities below 255.",
  },
  {
    code: "strict_reset",
    severity: "degraded",
    title: "an option that strict mode resets",
    explanation: "The option is outside the RFCs and is put back to what they say.",
    fix: "Remove it, or vrrp_strict.",
  },
  {
    code: "accept_v2",
    severity: "degraded",
    title: "accept with version 2 in strict mode",
    explanation: "accept is cleared: what is sent to the virtual addresses is dropped.",
    fix: "Remove vrrp_strict, or use version 3.",
  },
  {
    code: "v2_ipv6",
    severity: "degraded",
    title: "version 2 for IPv6 in strict mode",
    explanation: "Version 3 is used instead; a peer that is not strict stays with version 2 and refuses the adverts.",
    fix: "Set version 3 on all nodes.",
  },
  {
    code: "vmac_option",
    severity: "degraded",
    title: "an option that does not go with the instance's interface",
    explanation:
      "A VMAC's name or MAC address that is none, vmac_xmit_base without a VMAC or in strict mode, vrf beside an interface, a multicast destination beside unicast peers: each is ignored with a message.",
    fix: "Remove it, or correct what it is for.",
  },
  {
    code: "unicast_peer_invalid",
    severity: "degraded",
    title: "a unicast peer that is left out",
    explanation:
      "It is no address, or one of the other family. That peer never hears from this node, and becomes master too.",
    fix: "Correct it.",
  },
  {
    code: "unicast_self",
    severity: "degraded",
    title: "a unicast peer that is this node itself",
    explanation:
      "The node sends its adverts to itself. As master it then warns of a remote host with its own address; with one peer only, the real peer hears nothing and both are master.",
    fix: "List the other nodes only; in a file for all nodes use @host lines.",
  },
  {
    code: "unicast_peer_vip",
    severity: "degraded",
    title: "a unicast peer that is a virtual address",
    explanation: "Adverts to it end at whoever is master: the backup hears nothing, and becomes master too.",
    fix: "List the peers' own addresses.",
  },
  {
    code: "unicast_peer_duplicate",
    severity: "hint",
    title: "a unicast peer twice",
    explanation: "It is sent every advert twice.",
    fix: "Remove one.",
  },
  {
    code: "unicast_peer_option",
    severity: "degraded",
    title: "an option of a peer that cannot be used, or a TTL range that nothing fits",
    explanation:
      "A word or number that is none is ignored, and the TTL is not looked at. With a min_ttl above max_ttl every advert of the peer is discarded, and both are master.",
    fix: "Write min_ttl and max_ttl from 0 to 255, min_ttl at or below max_ttl.",
  },
  {
    code: "unicast_no_peers_multicast",
    severity: "degraded",
    title: "a unicast instance without a peer",
    explanation:
      "It sends multicast instead (2.2.5 says so, older releases do not). Peers that are set to unicast never hear it, and both are master.",
    fix: "List the other nodes in unicast_peer; unicast_fault_no_peer (2.2.5) makes it a fault.",
  },
  {
    code: "unicast_no_peers_fault",
    severity: "instance-lost",
    title: "a unicast instance without a peer goes into FAULT",
    explanation: "unicast_fault_no_peer is set: the instance stays in FAULT until a reload.",
    fix: "List the other nodes in unicast_peer.",
  },
  {
    code: "unicast_option_reset",
    severity: "hint",
    title: "a unicast option without unicast peers",
    explanation: "It is reset.",
    fix: "Remove it, or list peers.",
  },
  {
    code: "srcip_invalid",
    severity: "degraded",
    title: "a source address that is dropped",
    explanation:
      "It is no address, or of the other family: adverts go out from the interface's own address, which a peer may not accept.",
    fix: "Correct it.",
  },
  {
    code: "unicast_source_missing",
    severity: [
      ["2.0.0", "instance-lost"],
      ["2.3.0", "degraded"],
    ],
    title: "a unicast source that is no address of this node",
    explanation:
      "The instance goes into FAULT until the address appears; with 2.3 it becomes master on every node. Mostly a file copied from another node.",
    fix: "Give this node's own address; in a file for all nodes use @host lines.",
  },
  {
    code: "multicast_source_foreign",
    severity: "degraded",
    title: "a source address that is not this node's",
    explanation: "Adverts go out in another host's name: answers and elections between equal priorities go wrong.",
    fix: "Give this node's own address.",
  },
  {
    code: "no_source_address",
    severity: [
      ["1.2.20", "fatal"],
      ["2.0.0", "instance-lost"],
    ],
    title: "the interface has no address to send from",
    explanation:
      "The instance is in FAULT until there is one; releases 1.2.20 to 1.4.5 refuse the configuration and end.",
    fix: "Give the interface an address of the instance's family, besides the virtual ones.",
  },
  {
    code: "multicast_group_scope",
    severity: "hint",
    title: "a multicast group beyond the local network",
    explanation: "Switches that snoop IGMP stop delivering it when no querier is there, and all nodes become master.",
    fix: "Use the default group 224.0.0.18, or one in 224.0.0.0/24.",
  },
  {
    code: "interface_missing",
    severity: "fatal",
    title: "the instance's interface does not exist",
    explanation:
      "The whole daemon ends when it starts, and a running one when it reloads: all other instances and the health checks with it.",
    fix: "Correct the name, or set dynamic_interfaces (2.0.0): then only the instance waits in FAULT.",
  },
  {
    code: "vip_interface_missing",
    severity: [
      ["1.2.2", "degraded"],
      ["2.0.0", "fatal"],
    ],
    title: "an address names an interface that does not exist",
    explanation: "From 2.0.0 on the whole daemon ends; 1.x leaves the address out.",
    fix: "Correct the name, or set dynamic_interfaces (2.0.0).",
  },
  {
    code: "track_interface_missing",
    severity: "fatal",
    title: "a tracked interface does not exist",
    explanation: "From 2.0.0 on the whole daemon ends.",
    fix: "Correct the name, or set dynamic_interfaces.",
  },
  {
    code: "other_interface_missing",
    severity: [
      ["1.2.2", "degraded"],
      ["2.0.0", "fatal"],
    ],
    title: "a route, rule or group names an interface that does not exist",
    explanation: "From 2.0.0 on the whole daemon ends.",
    fix: "Correct the name, or set dynamic_interfaces (2.0.0).",
  },
  {
    code: "interface_dynamic",
    severity: "instance-lost",
    title: "an interface that does not exist yet",
    explanation: "dynamic_interfaces is set: the instance waits in FAULT until the interface appears.",
    fix: "Check the name, if it should be there now.",
  },
  {
    code: "interface_ignored",
    severity: "degraded",
    title: "a line for an interface that does not exist",
    explanation: "The line is ignored, also when the interface appears later.",
    fix: "Correct the name.",
  },
  {
    code: "interface_down",
    severity: "hint",
    title: "the interface is down",
    explanation: "The instance is in FAULT until it is up.",
    fix: "Set the interface up.",
  },
  {
    code: "loopback_interface",
    severity: "fatal",
    title: "an instance on the loopback interface",
    explanation: "The interface is refused (1.3.6), and for want of one the whole daemon ends.",
    fix: "Name the interface the peers are reached by.",
  },
  {
    code: "interface_name_long",
    severity: "fatal",
    title: "an interface name of more than 15 characters",
    explanation: "The name is ignored (1.4.2), and for want of an interface the whole daemon ends.",
    fix: "Correct the name.",
  },
  {
    code: "default_interface_missing",
    severity: [
      ["1.2.24", "fatal"],
      ["2.1.0", "hint"],
    ],
    title: "default_interface does not exist",
    explanation: "Up to 2.0.20 the whole daemon ends; later only static addresses without an interface are not added.",
    fix: "Correct the name.",
  },
  {
    code: "track_not_found",
    severity: "degraded",
    title: "something tracked that does not exist",
    explanation:
      "Names are looked up as they are read: what is defined nowhere, further down in the file, or removed for a fault of its own, is not tracked. The instance runs without the check, and its failure moves nothing.",
    fix: "Define it before the block that tracks it.",
  },
  {
    code: "track_duplicate",
    severity: "hint",
    title: "something tracked twice in one block",
    explanation: "The second line is ignored, with its weight.",
    fix: "Remove one.",
  },
  {
    code: "track_double",
    severity: "hint",
    title: "something tracked by an instance and by its sync group",
    explanation: "The group's is enough: it counts for every member.",
    fix: "Remove it from the instance.",
  },
  {
    code: "track_script_double",
    severity: [
      ["1.2.2", "hint"],
      ["2.2.7", "instance-lost"],
    ],
    title: "a script with weight 0 tracked by an instance and by its sync group",
    explanation:
      "2.2.7, tried: after the script's success is logged, no member of the group ever gets a state, neither BACKUP nor FAULT; older releases only warn.",
    fix: "Remove it from the instance: the group's counts for every member.",
  },
  {
    code: "track_own_interface",
    severity: "hint",
    title: "an instance tracks its own interface",
    explanation: "The line is ignored (2.0.0): the own interface is tracked anyway, and its failure is a FAULT.",
    fix: "Remove the line.",
  },
  {
    code: "track_own_interface_lost",
    severity: "degraded",
    title: "an instance tracks its own interface, in vain",
    explanation:
      "The line is ignored (2.0.0) together with its weight: the failure of the own interface is a FAULT, or nothing at all with dont_track_primary.",
    fix: "Remove the line; to track the interface, remove dont_track_primary.",
  },
  {
    code: "dont_track_primary",
    severity: "hint",
    title: "the instance does not watch its own interface",
    explanation: "It stays master when its interface goes down, while the other node becomes master as well.",
    fix: "Remove dont_track_primary, unless the interface is expected to be down.",
  },
  {
    code: "track_weight_range",
    severity: "degraded",
    title: "a weight that is out of range",
    explanation:
      "Weights go from -253 to 253 (files and processes: 254). One beyond that is cut, or ignored for the tracker's own.",
    fix: "Give a weight in the range.",
  },
  {
    code: "track_option_invalid",
    severity: "degraded",
    title: "a word behind what is tracked that cannot be used",
    explanation:
      "Only `weight N`, and `reverse` behind it, may follow a name: anything else is ignored with a message.",
    fix: "Write `NAME weight N`, or `NAME weight N reverse`.",
  },
  {
    code: "interface_option_invalid",
    severity: "degraded",
    title: "a word behind an interface that cannot be used",
    explanation:
      "linkbeat_interfaces takes the way to ask the interface, interface_up_down_delays one or two delays up to 255 s. Anything else is passed over with a message, and what was meant does not happen.",
    fix: "Write `INTERFACE MII`, `ETHTOOL` or `IOCTL`, in capitals; or `INTERFACE DOWN_DELAY [UP_DELAY]` in seconds.",
  },
  {
    code: "garp_group_unused",
    severity: "degraded",
    title: "a garp_group that has no effect",
    explanation: "Without a delay the group is removed; an interface is in one group only, the first that names it.",
    fix: "Give it garp_interval or gna_interval, and name each interface once.",
  },
  {
    code: "track_weight_dropped",
    severity: "degraded",
    title: "a weight where none counts",
    explanation:
      "A sync group has no weights unless it sets sync_group_tracking_weight, and an address owner has none at all: a script, file or process with one is not tracked, and its failure moves nothing. An interface loses the weight only.",
    fix: "Track it in the vrrp_sync_group, or give it weight 0.",
  },
  {
    code: "weight_without_effect",
    severity: "degraded",
    title: "a weight that changes nothing",
    explanation:
      "The effective priority stays within 1 and 254, and the base priority is at that edge already: the instance keeps its priority whether the check fails or not, and nothing ever moves.",
    fix: "Choose a base priority that leaves room for the weight.",
  },
  {
    code: "weight_clamped",
    severity: "hint",
    title: "a weight that counts only in part",
    explanation: "The effective priority stays within 1 and 254.",
    fix: "Choose a base priority that leaves room for the weight.",
  },
  {
    code: "weight_zero",
    severity: "hint",
    title: "weight 0 means FAULT",
    explanation:
      "A tracker with weight 0 does not do nothing: when it fails, the instance goes into FAULT and gives its addresses up.",
    fix: "Remove the line when no effect is wanted; give a negative weight when the priority should fall.",
  },
  {
    code: "script_unused",
    severity: "hint",
    title: "a vrrp_script that nobody tracks",
    explanation: "It is removed, and never runs.",
    fix: "Track it in an instance or sync group, or remove it.",
  },
  {
    code: "script_duplicate",
    severity: "degraded",
    title: "a vrrp_script defined twice",
    explanation: "The first one is used; the second never runs.",
    fix: "Give it a name of its own.",
  },
  {
    code: "script_empty",
    severity: "degraded",
    title: "a vrrp_script without a script",
    explanation: "It is removed: instances that track it run without this check.",
    fix: "Add a script line.",
  },
  {
    code: "track_file_no_path",
    severity: "degraded",
    title: "a track_file without a file",
    explanation: "It is removed: whoever tracks it runs without this check.",
    fix: "Add a file line.",
  },
  {
    code: "track_file_no_folder",
    severity: "degraded",
    title: "a track_file in a folder that does not exist",
    explanation: "It is removed, also when the folder appears later: whoever tracks it runs without this check.",
    fix: "Create the folder before keepalived starts.",
  },
  {
    code: "track_process_empty",
    severity: "degraded",
    title: "a vrrp_track_process without a process",
    explanation: "It is removed: whoever tracks it runs without this check.",
    fix: "Add a process line.",
  },
  {
    code: "track_process_quorum",
    severity: "degraded",
    title: "quorum_max below quorum",
    explanation: "quorum_max is ignored.",
    fix: "Set quorum_max at or above quorum.",
  },
  {
    code: "track_script_disabled",
    severity: "degraded",
    title: "a tracked script that keepalived refuses to run",
    explanation:
      "It does not exist, is no executable file, or is unsafe under enable_script_security: it is disabled, and the instances that track it run without this check. -t reports only a part of it.",
    fix: "Correct the path or its permissions.",
  },
  {
    code: "script_user_failed",
    severity: "degraded",
    title: "the user of a tracked script does not exist",
    explanation:
      "The script is removed, and the instances that track it run without this check. With enable_script_security and no script_user, 2.2.5 and newer need a user keepalived_script.",
    fix: "Name a user and group that exist on the node.",
  },
  {
    code: "notify_disabled",
    severity: "degraded",
    title: "a notify script that keepalived refuses to run",
    explanation:
      "It does not exist, is no executable file, or is unsafe under enable_script_security: nothing is run when the state changes.",
    fix: "Correct the path or its permissions.",
  },
  {
    code: "notify_user_failed",
    severity: "degraded",
    title: "the user of a notify script does not exist",
    explanation:
      "The script is not run. What follows the command on the line is its user and group: arguments belong inside the quotes.",
    fix: "Put the command and its arguments in double quotes, or name a user that exists.",
  },
  {
    code: "misc_disabled",
    severity: "degraded",
    title: "a MISC_CHECK that keepalived refuses to run",
    explanation: "The checker is removed, and its real server counts as up whatever happens.",
    fix: "Correct the path, its permissions or its user.",
  },
  {
    code: "script_shell_syntax",
    severity: "degraded",
    title: "a command that only a shell understands",
    explanation:
      "keepalived starts the program itself, without a shell: pipes, redirections, && and $(...) become plain arguments. `/bin/true && /bin/false` is /bin/true with two arguments, and always succeeds.",
    fix: "Put it in a script file, or run it with /bin/sh -c '…'.",
  },
  {
    code: "path_search",
    severity: "hint",
    title: "a script without its full path",
    explanation:
      "It is looked for in PATH, or from the folder keepalived runs in, which differ between a shell and a unit.",
    fix: "Give the full path.",
  },
  {
    code: "script_security_violation",
    severity: "hint",
    title: "scripts run without enable_script_security",
    explanation:
      "keepalived logs SECURITY VIOLATION at each start, and runs them: as keepalived_script where that user exists, else as root. It is no error.",
    fix: "Set enable_script_security, and script_user; then check that the scripts still run.",
  },
  {
    code: "script_unsafe",
    severity: "hint",
    title: "a script that runs as root and that others can change",
    explanation:
      "Whoever can write it, or a folder above it, is root. With enable_script_security keepalived would refuse it.",
    fix: "Make the script and every folder above it writable by root only.",
  },
  {
    code: "user_problem",
    severity: "degraded",
    title: "script_user does not exist",
    explanation:
      "Scripts without a user of their own are removed: tracked ones check nothing, notify scripts are not run.",
    fix: "Create the user, or name one that exists.",
  },
  {
    code: "script_timeout_long",
    severity: "hint",
    title: "a script's timeout is longer than its interval",
    explanation:
      "While one run hangs the next ones are skipped, with a message each: the fault is seen later than the interval promises.",
    fix: "Set timeout below interval.",
  },
  {
    code: "script_slow",
    severity: "hint",
    title: "a fault goes unseen for a long time",
    explanation:
      "It takes fall failures, one each interval, and a timeout, before the priority changes; the takeover comes after that.",
    fix: "Shorten interval, timeout or fall.",
  },
  {
    code: "syncgroup_skipped",
    severity: "degraded",
    title: "a vrrp_sync_group that is skipped",
    explanation: "It has no name, or one that was before it: its instances run unsynchronised.",
    fix: "Give it a name of its own.",
  },
  {
    code: "group_block",
    severity: "degraded",
    title: "a sync group with two lists of members",
    explanation: "The second is ignored.",
    fix: "Put all members in one group block.",
  },
  {
    code: "syncgroup_member",
    severity: "degraded",
    title: "a sync group member that cannot be",
    explanation: "There is no instance of that name, or it is in another group already: the group runs without it.",
    fix: "Correct the name.",
  },
  {
    code: "syncgroup_removed",
    severity: "degraded",
    title: "a sync group without members",
    explanation: "It is removed, with its notify scripts and trackers.",
    fix: "List at least two instances.",
  },
  {
    code: "syncgroup_single",
    severity: [
      ["1.2.20", "degraded"],
      ["2.2.3", "hint"],
    ],
    title: "a sync group with one member",
    explanation:
      "Up to 2.2.2 it is removed, with its notify scripts and trackers; later it is kept, and synchronises nothing.",
    fix: "List at least two instances.",
  },
  {
    code: "syncgroup_owner_mix",
    severity: "degraded",
    title: "priority 255 and others in one sync group",
    explanation: "The owner is master at once and the others are not: they never agree.",
    fix: "Give all members a priority from 1 to 254.",
  },
  {
    code: "syncgroup_unlike",
    severity: "hint",
    title: "members of a sync group that differ",
    explanation:
      "A group changes together, and becomes master only when every member wants to: members that differ wait for each other, or drag each other along.",
    fix: "Give all members the same value.",
  },
  {
    code: "deprecated",
    severity: "hint",
    title: "a keyword with an old name",
    explanation: "It works, and keepalived says that it will not for ever.",
    fix: "Use the new name.",
  },
  {
    code: "mail_never_sent",
    severity: "degraded",
    title: "mail that is never sent",
    explanation: "Without a recipient or a server nothing is sent, and nothing is said about it.",
    fix: "Set smtp_server and notification_email in global_defs.",
  },
  {
    code: "email_invalid",
    severity: "degraded",
    title: "a notification_email block with nobody in it",
    explanation: "The block is read, and the list of recipients stays as it was: empty, when there is no other.",
    fix: "Write one address a line into it, or remove it.",
  },
  {
    code: "cpu_affinity_invalid",
    severity: "degraded",
    title: "a processor that this machine does not have",
    explanation:
      "Numbers begin at 0 and end below the count of processors that are online. With one that is not there the whole line is ignored: the process runs on any processor, as without it. Said only on the node itself, whose processors are known.",
    fix: "Give numbers that nproc --all covers, or remove the line.",
  },
  {
    code: "mail_never_asked",
    severity: "hint",
    title: "nothing asks for mail",
    explanation: "Recipients and server are set, but vrrp_instances send mail only with smtp_alert.",
    fix: "Set smtp_alert in global_defs (2.0.0) or in the instances.",
  },
  {
    code: "track_bfd_disabled",
    severity: "instance-lost",
    title: "an instance tracks a bfd_instance that is disabled",
    explanation:
      "A bfd_instance without a neighbor_ip is disabled and never comes up: an instance that tracks it with weight 0 stays in FAULT.",
    fix: "Give the bfd_instance its neighbor_ip.",
  },
];
