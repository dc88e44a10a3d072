import type { Tracker } from "./election.ts";
import type { Instance, Running } from "./model/types.ts";

/** With its own interface, the trackers of its sync group, and, as a fault of one member is one of all, its partners' faults. */
export function effectiveTrackers(instance: Instance, running: Pick<Running, "instances" | "syncGroups">): Tracker[] {
  const group = running.syncGroups.find(({ name }) => name === instance.syncGroup);
  const partners = running.instances.filter(
    (other) => other !== instance && group !== undefined && other.syncGroup === group.name,
  );
  const all = [
    ...ownTrackers(instance),
    ...(group?.trackers ?? []),
    ...partners.flatMap((partner) => ownTrackers(partner).filter(({ weight }) => weight === 0)),
  ];
  const seen = new Set<string>();
  return all.filter(({ kind, name, weight }) => {
    const key = `${kind} ${name} ${weight === 0}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

function ownTrackers({ interface: own, tracksPrimary, trackers }: Instance): Tracker[] {
  if (own === undefined || !tracksPrimary) return [...trackers];
  return [{ kind: "interface", name: own, weight: 0, reverse: false }, ...trackers];
}
