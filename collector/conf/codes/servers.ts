import type { DiagnosticCode } from "./code.ts";

/** Faults of virtual servers and of what looks after them; and of routes and rules. */
export const serverCodes: readonly DiagnosticCode[] = [
  {
    code: "vs_invalid",
    severity: "instance-lost",
    title: "a virtual_server whose address or port is none",
    explanation: "The whole block is passed over; everything else runs.",
    fix: "Write `virtual_server ADDRESS PORT`, `virtual_server fwmark NUMBER` or `virtual_server group NAME`.",
  },
  {
    code: "rs_invalid",
    severity: "instance-lost",
    title: "a real_server whose address or port is none",
    explanation: "The block is passed over: this server gets no connection, and is not checked.",
    fix: "Write `real_server ADDRESS PORT`.",
  },
  {
    code: "family_mismatch",
    severity: "instance-lost",
    title: "a real server of another address family than its virtual server",
    explanation: "It is passed over. Only tunnels carry the one family in the other.",
    fix: "Give the real server an address of the virtual server's family.",
  },
  {
    code: "rs_duplicate",
    severity: "degraded",
    title: "a real server twice in one virtual server",
    explanation: "The second block is removed with its checkers and its weight (2.0.20).",
    fix: "Keep one of them.",
  },
  {
    code: "vs_no_rs",
    severity: "instance-lost",
    title: "a virtual server without real servers",
    explanation: "The whole virtual server is ignored, its sorry_server too: nothing answers there.",
    fix: "Add a real_server.",
  },
  {
    code: "vs_adjusted",
    severity: "degraded",
    title: "a virtual server that lacks a setting, or has one that cannot be",
    explanation:
      "keepalived takes a default, and says so in one line (1.3.6): UDP for no protocol, wlc for no scheduler, NAT for no forwarding method, persistence for port 0. For a firewall mark a protocol is ignored.",
    fix: "Write protocol, lb_algo and lb_kind into each virtual_server.",
  },
  {
    code: "quorum_adjusted",
    severity: "degraded",
    title: "a quorum or hysteresis that cannot be reached",
    explanation:
      "A quorum above the weights of all real servers is lowered to their sum, and a hysteresis that is not below the quorum is set to one less. With a quorum of 0 that becomes 4294967295.",
    fix: "Keep hysteresis below quorum, and quorum not above the sum of the weights.",
  },
  {
    code: "vsg_problem",
    severity: "instance-lost",
    title: "a virtual server of a group that is not there",
    explanation: "The virtual server is ignored.",
    fix: "Define the virtual_server_group, or correct its name.",
  },
  {
    code: "misc_config",
    severity: "degraded",
    title: "a MISC_CHECK without misc_path",
    explanation: "The check is passed over: the real server counts as up, unchecked.",
    fix: "Give it a misc_path.",
  },
  {
    code: "http_no_url",
    severity: [
      ["1.2.2", "degraded"],
      ["2.2.7", "fatal"],
    ],
    title: "an HTTP_GET or SSL_GET without a url",
    explanation:
      "The check is announced to be ignored. 2.2.7, tried, crashes over it: the health checker ends and is started again without end, and no real server is checked.",
    fix: "Give it a url block with a path and a status_code or digest.",
  },
  {
    code: "smtp_host_block",
    severity: "hint",
    title: "a host block in SMTP_CHECK",
    explanation: "It works, and a later release may refuse it: keepalived makes a check of its own of each host.",
    fix: "Write one SMTP_CHECK for each host, with connect_ip and connect_port.",
  },
  {
    code: "bfd_no_neighbour",
    severity: "instance-lost",
    title: "a bfd_instance without neighbor_ip",
    explanation: "The instance is disabled, and whatever tracks it does not find it.",
    fix: "Give it a neighbor_ip.",
  },
  {
    code: "route_untracked",
    severity: "hint",
    title: "a route without an interface",
    explanation:
      "From 2.0.1 to 2.3.1 keepalived watches only routes that name an interface; this one it sets and forgets. When something else removes it, nobody notices. From 2.3.2 on it is watched as well.",
    fix: "Add `dev INTERFACE`, or no_track when that is meant.",
  },
  {
    code: "route_deprecated",
    severity: "hint",
    title: "an old word in a route",
    explanation: "It works, and a later release may refuse it: `gw` is `via`, `or` is `nexthop` (1.2.24).",
    fix: "Use the new word.",
  },
  {
    code: "rule_no_preference",
    severity: "degraded",
    title: "a rule without a preference",
    explanation:
      "keepalived counts down from 16384, so that the order of the rules is the reverse of the file's, and other programs' rules may come between (2.0.16).",
    fix: "Add `preference NUMBER`.",
  },
  {
    code: "rule_invalid",
    severity: "degraded",
    title: "a rule with a word that cannot be used",
    explanation:
      "The rule is passed over with a message, and traffic is routed as if it were not there. The name of a routing table must be in /etc/iproute2/rt_tables (from 2.3.3 on also where iproute2 itself looks). track_group is for static rules with an iif, and its group must stand before; otherwise such a rule is set, and only the group is left out.",
    fix: "Correct the word that is named.",
  },
  {
    code: "route_invalid",
    severity: "degraded",
    title: "a route with a word that cannot be used",
    explanation:
      "With an address that is none, or of another family, with a routing table that has no such name in /etc/iproute2/rt_tables (from 2.3.3 on also where iproute2 itself looks), or with an unknown word the whole route is passed over; with a number that is none only that number. track_group is for static routes with an interface, and its group must stand before; otherwise such a route is set, and only the group is left out.",
    fix: "Correct the word that is named.",
  },
  {
    code: "bfd_invalid",
    severity: "instance-lost",
    title: "a bfd_instance that cannot be used",
    explanation: "The session is ignored or disabled with a message: whoever tracks it never sees it come up.",
    fix: "Give each bfd_instance a name of at most 31 characters and a neighbour of its own, of the same address family as its source.",
  },
  {
    code: "track_group_invalid",
    severity: "degraded",
    title: "a track_group that does nothing",
    explanation:
      "keepalived sets a static address, route or rule again when something removes it, and the instances of its group then announce their addresses anew. Without a name, without instances, with an instance that does not exist, or beside no_track, nobody does.",
    fix: "Write `track_group NAME { group { INSTANCE … } }`, with the names of instances that exist.",
  },
  {
    code: "ssl_file_invalid",
    severity: "degraded",
    title: "a second SSL block",
    explanation:
      "All SSL_GET checks share one set of certificate, key and password. The later block takes the place of the earlier one as a whole: what only the earlier one sets is gone.",
    fix: "Put all of it into one SSL block.",
  },
  {
    code: "rs_unchecked",
    severity: "hint",
    title: "a real server without a check",
    explanation:
      "It counts as up whatever happens: connections go to it while it is dead, and the sorry server never comes in.",
    fix: "Add a TCP_CHECK or another check.",
  },
  {
    code: "vs_option_ignored",
    severity: "degraded",
    title: "an option of a virtual server that has no effect",
    explanation:
      "It belongs to another scheduler, protocol or kind of service, or stands before what it is for: keepalived says so in one line, and ignores it.",
    fix: "Remove it, or set what it needs.",
  },
  {
    code: "ha_suspend_no_vip",
    severity: "hint",
    title: "ha_suspend for an address of no instance",
    explanation:
      "The checks run only while the address is on this node, and no vrrp_instance puts it there. Until then the real servers keep the state they start with.",
    fix: "Add the address to a vrrp_instance, or remove ha_suspend.",
  },
  {
    code: "vs_weightless",
    severity: "degraded",
    title: "all real servers have weight 0",
    explanation: "No new connection goes to any of them. 2.2.7 then sets quorum 0 and a hysteresis of 4294967295.",
    fix: "Give a weight above 0 to those that should serve.",
  },
  {
    code: "ll_needs_if",
    severity: "degraded",
    title: "a check of a link-local address without bind_if",
    explanation: "The check is dropped, and the real server counts as up.",
    fix: "Add bind_if with the interface it is reached by.",
  },
  {
    code: "check_bind_ignored",
    severity: "degraded",
    title: "a check from an address of the other family",
    explanation: "bindto is ignored: the check goes out from whatever address the kernel takes.",
    fix: "Give an address of the family of the target.",
  },
  {
    code: "check_always_fails",
    severity: "degraded",
    title: "a check that nothing can pass",
    explanation: "Every run fails, and the real server is never used.",
    fix: "Correct the limits.",
  },
  {
    code: "bfd_config",
    severity: "degraded",
    title: "a BFD_CHECK without its bfd_instance",
    explanation: "Names are looked up as they are read: the check is dropped, and the real server counts as up.",
    fix: "Define the bfd_instance before the virtual_server.",
  },
  {
    code: "file_config",
    severity: "degraded",
    title: "a FILE_CHECK without its track_file",
    explanation: "Names are looked up as they are read: the check is dropped, and the real server counts as up.",
    fix: "Define the track_file before the virtual_server.",
  },
  {
    code: "check_timeout_long",
    severity: "hint",
    title: "a check may take longer than its interval",
    explanation:
      "connect_timeout counts for each step of a check: a server that hangs is found later than delay_loop suggests.",
    fix: "Set connect_timeout below delay_loop.",
  },
  {
    code: "vsg_removed",
    severity: "degraded",
    title: "a virtual_server_group without entries",
    explanation: "It is removed, and so is a virtual_server that names it.",
    fix: "List its addresses.",
  },
  {
    code: "vsg_entry_invalid",
    severity: "instance-lost",
    title: "an entry of a virtual_server_group that is none",
    explanation: "The entry is passed over with a message: nothing is balanced at its address or mark.",
    fix: "Write `ADDRESS PORT`, `ADDRESS-LAST PORT` with the last byte (IPv6: the last word, hexadecimal), or `fwmark NUMBER [inet|inet6]`.",
  },
  {
    code: "sorry_port",
    severity: "instance-lost",
    title: "a sorry_server whose port is none",
    explanation: "The line is passed over: when all real servers are down, nobody answers.",
    fix: "Give a port from 1 to 65535, or none.",
  },
  {
    code: "sorry_family",
    severity: "degraded",
    title: "a sorry server of the other address family",
    explanation: "It is passed over: when all real servers are down, nothing answers.",
    fix: "Give one of the virtual server's family.",
  },
];
