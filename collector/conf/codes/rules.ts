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
    code: "no_configuration",
    severity: "fatal",
    title: "nothing to run",
    explanation:
      "keepalived stays alive without a child, and a start looks like a success; with a notifying unit it times out.",
    fix: "Check that this is the file keepalived reads, and that no brace is missing.",
  },
];
