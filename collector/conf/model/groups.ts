import type { Tracker } from "../election.ts";
import type { ConfNode } from "../parser.ts";
import { entriesOf, last, wordsOf } from "./read.ts";
import type { Instance, SyncGroup } from "./types.ts";

export function syncGroupOf(block: ConfNode, name: string, trackers: readonly Tracker[]): SyncGroup {
  const nodes = block.children ?? [];
  return {
    name,
    at: block.keyword.at,
    members: [...new Set(entriesOf(nodes, "group").flatMap(wordsOf))],
    trackers,
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
 * Trackers of the group count for each member. Unless the group counts weights, a member's own trackers with a weight are
 * dropped, and its interfaces lose the weight only: their failure is a fault. An address owner has no weights either.
 */
export function withGroup(instance: Instance, group: SyncGroup | undefined): Instance {
  const isWeightless = instance.priority === 255 || (group !== undefined && !group.countsWeights);
  const own = instance.trackers.flatMap((tracker): Tracker[] => {
    if (tracker.kind === "interface" && tracker.name === instance.interface) return [];
    if (tracker.weight === 0 || !isWeightless) return [tracker];
    return tracker.kind === "interface" ? [{ ...tracker, weight: 0 }] : [];
  });
  const ofGroup = (group?.trackers ?? []).filter(
    ({ kind, name }) => !own.some((tracker) => tracker.kind === kind && tracker.name === name),
  );
  return { ...instance, syncGroup: group?.name, trackers: [...own, ...ofGroup] };
}
