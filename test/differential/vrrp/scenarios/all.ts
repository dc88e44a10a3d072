import { elections } from "./elections.ts";
import { bfd } from "./bfd.ts";
import { groups } from "./groups.ts";
import { lifecycle } from "./lifecycle.ts";
import { refusals } from "./refusals.ts";
import { reloads } from "./reloads.ts";
import type { Scenario } from "./scenario.ts";
import { tracking } from "./tracking.ts";
import { wires } from "./wires.ts";

export const SCENARIOS: readonly Scenario[] = [
  ...lifecycle,
  ...wires,
  ...elections,
  ...refusals,
  ...tracking,
  ...bfd,
  ...groups,
  ...reloads,
];

/** What cannot be played here, and why. */
export const NOT_PLAYED: readonly (readonly [what: string, why: string])[] = [
  ["an instance on a VLAN interface", "this kernel has no 8021q: `ip link add type vlan` is an unknown device type"],
  [
    "track_process",
    "the kernel tells process events in its first network namespace alone, and the nodes are in others: keepalived's connector is refused",
  ],
  ["BFD_CHECK", "keepalived's checkers need IPVS in the kernel; the sessions themselves are played"],
];
