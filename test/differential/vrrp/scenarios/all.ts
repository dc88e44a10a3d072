import { elections } from "./elections.ts";
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
  ...groups,
  ...reloads,
];

/** What cannot be played here, and why. */
export const NOT_PLAYED: readonly (readonly [what: string, why: string])[] = [
  ["an instance on a VLAN interface", "this kernel has no 8021q: `ip link add type vlan` is an unknown device type"],
  ["track_process", "this kernel tells no process events: keepalived cannot listen to the connector"],
];
