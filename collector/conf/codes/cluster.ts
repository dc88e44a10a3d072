import type { DiagnosticCode } from "./code.ts";

const twoMasters =
  "Each node refuses the other's adverts, so that both are master and both hold the addresses: a split-brain that begins with the start.";
const SAME_ON_ALL = "Make it the same on all nodes of the virtual router.";

/** What shows only when the configurations of several nodes are held against each other. */
export const clusterCodes: readonly DiagnosticCode[] = [
  {
    code: "drift_vrid",
    severity: "degraded",
    title: "one address under two virtual_router_ids",
    explanation:
      "The nodes do not belong to one virtual router: each becomes master of its own, and both hold the address.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_version",
    severity: "degraded",
    title: "nodes speak different versions of VRRP",
    explanation: twoMasters,
    fix: "Set vrrp_version or version to the same value on all nodes.",
  },
  {
    code: "drift_advert_int",
    severity: "degraded",
    title: "advert_int differs between nodes",
    explanation:
      "With version 2 an advert with another interval is dropped without being counted, and both nodes become master; the slower one then falls silent on the wire and keeps the address. Version 3 learns the master's interval.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_auth",
    severity: "degraded",
    title: "authentication differs between nodes",
    explanation: twoMasters,
    fix: "Give all nodes the same auth_type, or none.",
  },
  {
    code: "drift_auth_pass",
    severity: "degraded",
    title: "auth_pass differs between nodes",
    explanation: `${twoMasters} What stands behind the eighth character makes no difference.`,
    fix: "Set the same auth_pass on all nodes.",
  },
  {
    code: "drift_vips",
    severity: "degraded",
    title: "virtual_ipaddress differs between nodes",
    explanation:
      "Up to 2.3.2 a node refuses adverts that carry other addresses than its own, and both become master; typical after an address was added to one node by a reload. From 2.3.3 on it is only logged, and after a failover an address is missing.",
    fix: "List the same addresses on all nodes; change all nodes before the first reload.",
  },
  {
    code: "drift_vip_prefix",
    severity: "hint",
    title: "one address with different prefix lengths",
    explanation:
      "The prefix is not in the advert, so nothing complains; the address brings another connected route on each node.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_excluded_vips",
    severity: "degraded",
    title: "virtual_ipaddress_excluded differs between nodes",
    explanation:
      "Adverts do not carry these addresses, so nothing complains; after a failover the difference is missing.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_unicast",
    severity: "degraded",
    title: "one node speaks unicast, another multicast",
    explanation: twoMasters,
    fix: "Give all nodes a unicast_peer list, or none.",
  },
  {
    code: "drift_unicast_peers",
    severity: "degraded",
    title: "a unicast_peer list lacks a node",
    explanation: "The node that is left out hears nobody, and becomes master beside the master.",
    fix: "List all other nodes' source addresses in unicast_peer on every node.",
  },
  {
    code: "drift_multicast_group",
    severity: "degraded",
    title: "multicast groups differ",
    explanation: "The nodes do not hear each other, and both become master.",
    fix: "Set the same vrrp_mcast_group4 or vrrp_mcast_group6 on all nodes.",
  },
  {
    code: "drift_sync_group",
    severity: "degraded",
    title: "sync groups differ between nodes",
    explanation:
      "What moves together on one node moves apart on the other: one address stays with the old master, the other goes.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_vmac",
    severity: "hint",
    title: "use_vmac on some nodes only",
    explanation:
      "The address changes its MAC with every failover, and hosts keep the old one until they hear a gratuitous ARP.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_preempt",
    severity: "hint",
    title: "nopreempt on some nodes only",
    explanation: "Whether a node takes the addresses back after its return depends on which node it is.",
    fix: "Set nopreempt on all nodes, with state BACKUP, or on none.",
  },
  {
    code: "drift_down_timer",
    severity: "hint",
    title: "down_timer_adverts differs between nodes",
    explanation: "The nodes wait for a different number of lost adverts before they take over.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_tracking",
    severity: "hint",
    title: "nodes track different things",
    explanation: "A failure that moves the addresses away from one node does not move them away from the other.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_same_priority",
    severity: "hint",
    title: "the same priority on two nodes",
    explanation:
      "It works: of two masters the one with the higher source address stays. Which node is preferred is then an accident of addresses.",
    fix: "Give each node a priority of its own.",
  },
  {
    code: "drift_same_source_address",
    severity: "degraded",
    title: "the same source address on two nodes",
    explanation: "Each node takes the other's adverts for its own; with equal priorities both stay master.",
    fix: "Give each node its own address in mcast_src_ip or unicast_src_ip: a line was copied from the other node.",
  },
  {
    code: "drift_both_start_master",
    severity: [
      ["1.2.2", "degraded"],
      ["2.0.0", "hint"],
    ],
    title: "state MASTER on more than one node",
    explanation:
      "Up to 1.4 each becomes master at every start, until it hears a higher priority. From 2.0 on the priority alone decides; only nopreempt and preempt_delay are lost by it.",
    fix: "Set state BACKUP on all nodes, or MASTER on one.",
  },
  {
    code: "drift_same_router_id",
    severity: "hint",
    title: "the same router_id on two nodes",
    explanation: "It stands in the subject of keepalived's mails, which then do not say who sent them.",
    fix: "Give each node its own, or leave it out: the host name is the default.",
  },
  {
    code: "drift_virtual_server",
    severity: "degraded",
    title: "virtual servers differ between nodes",
    explanation:
      "Nothing complains until a failover: then clients meet other real servers, another scheduler, or nothing.",
    fix: SAME_ON_ALL,
  },
  {
    code: "drift_no_peer",
    severity: "hint",
    title: "an instance on one node only",
    explanation: "No other of these nodes backs it up: when its node dies, its addresses are gone.",
    fix: "Add the instance to another node, or check its virtual_router_id and addresses against the others.",
  },
  {
    code: "drift_vrid_reused",
    severity: "degraded",
    title: "two virtual routers with one virtual_router_id",
    explanation:
      "Where the adverts of both are heard, each refuses the other's without end, and logs it with every advert up to 2.3.2.",
    fix: "Give each virtual router of a segment an id of its own.",
  },
  {
    code: "election_nobody",
    severity: "instance-lost",
    title: "nobody can be master",
    explanation: "In no state of the nodes does one of them hold the addresses.",
    fix: "Mend what keeps the nodes from running.",
  },
  {
    code: "election_never_moves",
    severity: "degraded",
    title: "the addresses can never move",
    explanation: "Whatever fails, no other node takes the addresses over: there is no redundancy.",
    fix: "Mend what keeps the other nodes from running.",
  },
  {
    code: "election_tracker_never_moves",
    severity: "degraded",
    title: "a check that can never move the addresses",
    explanation:
      "A weight changes the priority, and a lower priority alone moves nothing: it has to fall below another node's, which must not have nopreempt. A backup accepts an equal priority as well.",
    fix: "Make the weight larger than the difference of the priorities, or use weight 0, with which a failure is a FAULT.",
  },
  {
    code: "election_equal_priority",
    severity: "hint",
    title: "equal priorities when all is well",
    explanation: "The higher source address decides. Which node is preferred is then an accident of addresses.",
    fix: "Give each node a priority of its own, tracking weights included.",
  },
  {
    code: "election_common_fault",
    severity: "hint",
    title: "one check can put all nodes into FAULT",
    explanation:
      "With weight 0 a failed check is a FAULT. When what it tests is common to all nodes, a gateway or a database, its failure takes the addresses from all of them.",
    fix: "Use a weight instead for what the nodes have in common: then the best of them keeps the addresses.",
  },
  {
    code: "election_nothing_tracked",
    severity: "hint",
    title: "nothing but interfaces is tracked",
    explanation:
      "Only the death of a node or of its interface moves the addresses. A service that dies behind them does not.",
    fix: "Track the service with a vrrp_script or a vrrp_track_process.",
  },
];
