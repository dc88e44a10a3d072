import { OWNER_PRIORITY } from "../model/instance.ts";
import { blocks, entriesOf, last, wordsOf } from "../model/read.ts";
import type { Instance, SyncGroup } from "../model/types.ts";
import { compareReleases } from "../version.ts";
import { type Conf, type Finding, type Located, placeOf, type Rule, seconds, shown } from "./rule.ts";

/** Sync groups: their members, and what must be alike in them. */

function* skipped({ roots }: Conf): Iterable<Finding> {
  const seen = new Set<string>();
  for (const { keyword, values } of blocks(roots, "vrrp_sync_group")) {
    const name = values[0]?.text;
    if (name === undefined)
      yield { code: "syncgroup_skipped", at: keyword.at, message: "a vrrp_sync_group has no name, and is skipped" };
    else if (seen.has(name))
      yield {
        code: "syncgroup_skipped",
        at: keyword.at,
        message: `vrrp_sync_group ${shown(name)} is defined a second time, and this one is skipped`,
      };
    else seen.add(name);
  }
}

function* members({ groups, instances, running, release }: Conf): Iterable<Finding> {
  const exist = new Set(instances.map(({ value }) => value.name));
  const taken = new Map<string, string>();
  for (const one of groups) {
    const { nodes, value } = one;
    const lists = blocks(nodes, "group");
    if (lists.length > 1)
      yield {
        code: "group_block",
        at: lists[1]?.keyword.at ?? one.block.keyword.at,
        message: `vrrp_sync_group ${value.name} has its members already: this list is ignored`,
      };
    for (const entry of entriesOf(lists.slice(0, 1), "group"))
      for (const [i, name] of wordsOf(entry).entries()) {
        const at = (i === 0 ? entry.keyword : entry.values[i - 1])?.at ?? entry.keyword.at;
        const other = taken.get(name);
        if (!exist.has(name))
          yield {
            code: "syncgroup_member",
            at,
            message: `there is no vrrp_instance ${shown(name)}: vrrp_sync_group ${value.name} runs without it`,
          };
        else if (other !== undefined && other !== value.name)
          yield {
            code: "syncgroup_member",
            at,
            message: `vrrp_instance ${name} is in vrrp_sync_group ${other} already, and only there`,
            instance: name,
          };
        taken.set(name, other ?? value.name);
      }
    const usable = running.syncGroups.find(({ name }) => name === value.name);
    if (!usable)
      yield {
        code: "syncgroup_removed",
        at: placeOf(one, "group"),
        message: `vrrp_sync_group ${value.name} has no member that it can have, and is removed`,
      };
    else if (usable.members.length === 1)
      yield {
        code: "syncgroup_single",
        at: placeOf(one, "group"),
        message: `vrrp_sync_group ${value.name} has one member, ${usable.members[0]}, and synchronises nothing${
          compareReleases(release, [2, 2, 3]) < 0
            ? ": up to 2.2.2 it is removed, with its notify scripts and trackers"
            : ""
        }`,
      };
  }
}

/** Members must go the same way: what makes them differ makes them wait for each other. */
function* unlike({ running, groups, instances }: Conf): Iterable<Finding> {
  for (const one of groups) {
    const group = running.syncGroups.find(({ name }) => name === one.value.name);
    const own = instances.filter(({ value }) => group?.members.includes(value.name));
    if (!group || own.length < 2) continue;
    yield* ownersMixed(one, group, own);
    yield* differences(one, group, own);
  }
}

type Members = readonly Located<Instance>[];

function* ownersMixed(one: Located<SyncGroup>, { name }: SyncGroup, own: Members): Iterable<Finding> {
  const owners = own.filter(({ value }) => value.priority === OWNER_PRIORITY);
  if (owners.length > 0 && owners.length < own.length)
    yield {
      code: "syncgroup_owner_mix",
      at: placeOf(one, "group"),
      message: `vrrp_sync_group ${name} has members with priority 255 (${names(owners)}) and others without: they never agree`,
    };
}

const names = (own: Members): string => own.map(({ value }) => value.name).join(", ");

/** What is compared, and how it is shown. */
const ALIKE: readonly (readonly [what: string, of: (instance: Instance) => string, keyword: string, effect: string])[] =
  [
    ["priority", ({ priority }) => String(priority), "priority", "the group follows no one priority"],
    [
      "nopreempt",
      ({ nopreempt }) => (nopreempt ? "set" : "not set"),
      "nopreempt",
      "a member that preempts takes the others with it",
    ],
    ["state", ({ configuredState }) => configuredState, "state", "the group starts as the slowest of them"],
    [
      "advert_int",
      ({ advertIntervalUs }) => seconds(advertIntervalUs),
      "advert_int",
      "the group waits for the slowest member",
    ],
    [
      "authentication",
      ({ version, authentication }) => (version === 3 ? "none" : authentication.type),
      "authentication",
      "one member can be held back by adverts that another refuses",
    ],
  ];

function* differences(one: Located<SyncGroup>, { name }: SyncGroup, own: Members): Iterable<Finding> {
  const [first, ...others] = own;
  if (!first || own.some(({ value }) => value.priority === OWNER_PRIORITY)) return;
  for (const [what, of, keyword, effect] of ALIKE) {
    const other = others.find(({ value }) => of(value) !== of(first.value));
    if (!other) continue;
    // Members of one interface each carry their own authentication with good reason only when all have it.
    yield {
      code: "syncgroup_unlike",
      at: placeOf(last(other.nodes, keyword) ? other : last(first.nodes, keyword) ? first : one, keyword),
      message: `in vrrp_sync_group ${name} ${what} is ${of(first.value)} for ${first.value.name} and ${of(other.value)} for ${other.value.name}: ${effect}`,
      instance: other.value.name,
    };
  }
}

export const groupRules: readonly Rule[] = [skipped, members, unlike];
