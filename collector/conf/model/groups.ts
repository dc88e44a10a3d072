import type { ConfNode } from "../parser.ts";
import { entriesOf, last, wordsOf } from "./read.ts";
import { type Definitions, trackersOf } from "./trackers.ts";
import type { Instance, SyncGroup } from "./types.ts";

/** @param index  its place among the blocks of the top level */
export function syncGroupOf(block: ConfNode, index: number, name: string, definitions: Definitions): SyncGroup {
  const nodes = block.children ?? [];
  return {
    name,
    at: block.keyword.at,
    members: [...new Set(entriesOf(nodes, "group").flatMap(wordsOf))],
    trackers: trackersOf(nodes, index, definitions),
    countsWeights: last(nodes, "sync_group_tracking_weight", "global_tracking") !== undefined,
  };
}

/** A member that does not exist, or is in another group already, does not count; nor does a group without members. */
export function usableGroups(groups: readonly SyncGroup[], instances: ReadonlySet<string>): SyncGroup[] {
  const taken = new Set<string>();
  return groups.flatMap((group) => {
    const members = group.members.filter((name) => instances.has(name) && !taken.has(name));
    for (const name of members) taken.add(name);
    return members.length === 0 ? [] : [{ ...group, members }];
  });
}

/**
 * Trackers of the group count for each member. A member's own with a weight are dropped, unless the group counts weights;
 * so are all of an address owner.
 */
export function withGroup(instance: Instance, group: SyncGroup | undefined): Instance {
  const isWeightless = instance.priority === 255 || (group !== undefined && !group.countsWeights);
  const own = instance.trackers.filter(
    ({ kind, name, weight }) =>
      (weight === 0 || !isWeightless) && !(kind === "interface" && name === instance.interface),
  );
  const ofGroup = (group?.trackers ?? []).filter(
    ({ kind, name }) => !own.some((tracker) => tracker.kind === kind && tracker.name === name),
  );
  return { ...instance, syncGroup: group?.name, trackers: [...own, ...ofGroup] };
}
