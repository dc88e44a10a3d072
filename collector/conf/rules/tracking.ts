import type { SourceLocation } from "../../core/errors.ts";
import { OWNER_PRIORITY } from "../model/instance.ts";
import { blocks, integer, last, valueOf } from "../model/read.ts";
import { WEIGHT_MAX } from "../model/scripts.ts";
import { type Defined, isUsable, type TrackLine, trackedScripts, trackLinesOf } from "../model/trackers.ts";
import type { Instance, SyncGroup } from "../model/types.ts";
import { type Conf, type Finding, type Located, placeOf, type Rule, shown } from "./rule.ts";

/** What is tracked: whether it is found, and whether its failure changes anything. */

const KEYWORD: Readonly<Record<TrackLine["kind"], string>> = {
  interface: "track_interface",
  script: "vrrp_script",
  file: "track_file",
  process: "vrrp_track_process",
  bfd: "bfd_instance",
};

function ownersOf({ instances, groups }: Conf): Located<Instance | SyncGroup>[] {
  return [...instances, ...groups];
}

const isInstance = (one: Located<Instance | SyncGroup>): one is Located<Instance> =>
  one.block.keyword.text === "vrrp_instance";

function named(one: Located<Instance | SyncGroup>): string {
  return `${one.block.keyword.text} ${one.value.name}`;
}

const about = (one: Located<Instance | SyncGroup>): { instance?: string } =>
  isInstance(one) ? { instance: one.value.name } : {};

/** Names are looked up when they are read: what is defined further down does not exist yet. */
function* notFound(conf: Conf): Iterable<Finding> {
  for (const one of ownersOf(conf))
    for (const { kind, name, node } of trackLinesOf(one.nodes)) {
      if (kind === "interface") continue;
      const defined = conf.definitions[kind].get(name);
      if (defined && defined.index < one.index && isUsable(kind, defined.value)) continue;
      const [why, fix] = !defined
        ? ["is defined nowhere", `Add the ${KEYWORD[kind]} block, before this one, or correct the name`]
        : defined.index > one.index
          ? [
              `is defined further down, in line ${defined.node.keyword.at.line}, and not known yet here`,
              `Move the ${KEYWORD[kind]} block before this one`,
            ]
          : [`is removed for want of what it should ${kind === "script" ? "run" : "watch"}`, "Complete its block"];
      yield {
        code: "track_not_found",
        at: node.keyword.at,
        message: `${KEYWORD[kind]} ${shown(name)} ${why}: ${named(one)} runs without this check`,
        fix,
        ...about(one),
      };
    }
}

function* duplicates(conf: Conf): Iterable<Finding> {
  for (const one of ownersOf(conf)) {
    const seen = new Set<string>();
    for (const { kind, name, node } of trackLinesOf(one.nodes)) {
      if (seen.has(`${kind} ${name}`))
        yield {
          code: "track_duplicate",
          at: node.keyword.at,
          message: `${shown(name)} is tracked by ${named(one)} already: this line is ignored`,
          ...about(one),
        };
      seen.add(`${kind} ${name}`);
    }
  }
  for (const one of conf.instances) {
    const group = conf.groups.find(({ value }) => value.name === one.value.syncGroup);
    if (!group) continue;
    const ofGroup = trackLinesOf(group.nodes);
    for (const { kind, name, node } of trackLinesOf(one.nodes))
      if (ofGroup.some((other) => other.kind === kind && other.name === name)) {
        const tracker = group.value.trackers.find((other) => other.kind === kind && other.name === name);
        if (kind === "script" && tracker?.weight === 0)
          yield* neverStarts(conf, group.value, one.value.name, name, node.keyword.at);
        else
          yield {
            code: "track_double",
            at: node.keyword.at,
            message: `${shown(name)} is tracked by ${named(group)} as well, which is enough for vrrp_instance ${one.value.name}`,
            instance: one.value.name,
          };
      }
  }
}

/** The group waits for the script of a member that waits for the group's: no member is ever initialised. */
function* neverStarts(
  conf: Conf,
  group: SyncGroup,
  tracking: string,
  script: string,
  at: SourceLocation,
): Iterable<Finding> {
  for (const member of group.members)
    yield {
      code: "track_script_double",
      at:
        member === tracking ? at : (conf.instances.find(({ value }) => value.name === member)?.block.keyword.at ?? at),
      message: `${shown(script)} is tracked by vrrp_instance ${tracking} and by its vrrp_sync_group ${shown(group.name)}: vrrp_instance ${shown(member)} never leaves its start, even when the script succeeds`,
      instance: member,
    };
}

function* ownInterface({ instances }: Conf): Iterable<Finding> {
  for (const one of instances)
    for (const { kind, name, node, weight } of trackLinesOf(one.nodes)) {
      if (kind !== "interface" || name !== one.value.interface) continue;
      const effect = !one.value.tracksPrimary
        ? "the line is ignored, and with dont_track_primary its state counts for nothing"
        : weight === undefined || weight === 0
          ? "it is tracked without this line"
          : "the weight is ignored: when it goes down the instance is in FAULT";
      yield {
        code:
          one.value.tracksPrimary && (weight === undefined || weight === 0)
            ? "track_own_interface"
            : "track_own_interface_lost",
        at: node.keyword.at,
        message: `${name} is vrrp_instance ${one.value.name}'s own interface: ${effect}`,
        instance: one.value.name,
      };
    }
}

function* untrackedPrimary({ instances }: Conf): Iterable<Finding> {
  for (const one of instances)
    if (!one.value.tracksPrimary)
      yield {
        code: "dont_track_primary",
        at: placeOf(one, "dont_track_primary"),
        message: `vrrp_instance ${one.value.name} stays master when ${one.value.interface ?? "its interface"} goes down`,
        instance: one.value.name,
      };
}

function* weightRange(conf: Conf): Iterable<Finding> {
  for (const one of ownersOf(conf))
    for (const { node, kind, name, weight, weightText } of trackLinesOf(one.nodes)) {
      if (weightText === undefined || weight === Number(weightText)) continue;
      const isBeyond = weight === undefined;
      yield {
        code: "track_weight_range",
        at: node.keyword.at,
        message: isBeyond
          ? `weight ${shown(weightText)} is none: ${shown(name)} keeps the weight of its ${KEYWORD[kind]}`
          : `weight ${weightText} is set to ${weight}`,
        ...about(one),
      };
    }
  for (const block of blocks(conf.roots, "vrrp_script")) {
    const text = valueOf(block.children ?? [], "weight");
    const value = integer(-2_147_483_648, 2_147_483_647)(text ?? "");
    if (value === undefined || Math.abs(value) <= WEIGHT_MAX) continue;
    yield {
      code: "track_weight_range",
      at: last(block.children ?? [], "weight")?.keyword.at ?? block.keyword.at,
      message: `weight ${value} is beyond ${WEIGHT_MAX}: ${Math.sign(value) * WEIGHT_MAX} is used`,
    };
  }
}

const REVERSE = ["reverse", "noreverse"];

/** `weight N [reverse]` behind a name, and nothing else. */
function* trackOptions(conf: Conf): Iterable<Finding> {
  for (const one of ownersOf(conf))
    for (const { node, name } of trackLinesOf(one.nodes)) {
      const [option, value, reverse, ...more] = node.values;
      const wrong =
        option?.text !== "weight" ? option : value && reverse && !REVERSE.includes(reverse.text) ? reverse : more[0];
      if (wrong && !wrong.unknown)
        yield {
          code: "track_option_invalid",
          at: wrong.at,
          message: `${shown(wrong.text)} is no option of what is tracked, and is ignored`,
          ...about(one),
        };
      else if (option && !value)
        yield {
          code: "track_option_invalid",
          at: option.at,
          message: `weight has no value, and is ignored: ${shown(name)} keeps its own`,
          ...about(one),
        };
    }
}

/** A group without sync_group_tracking_weight, and the owner of an address, have no weights. */
function* droppedWeights(conf: Conf): Iterable<Finding> {
  for (const one of conf.instances) {
    const { value } = one;
    const group = conf.groups.find((other) => other.value.name === value.syncGroup)?.value;
    const isOwner = value.priority === OWNER_PRIORITY;
    if (!isOwner && (!group || group.countsWeights)) continue;
    for (const line of trackLinesOf(one.nodes)) {
      const { kind, name, node } = line;
      if (kind === "interface" && name === value.interface) continue;
      const weight = line.weight ?? definedWeight(conf, line);
      if (weight === undefined || weight === 0) continue;
      const why = isOwner ? "priority 255 is never changed" : `${group?.name ?? ""} is a sync group`;
      yield {
        code: "track_weight_dropped",
        at: node.keyword.at,
        message:
          kind === "interface"
            ? `${shown(name)} loses its weight, because ${why}: when it goes down vrrp_instance ${value.name} is in FAULT`
            : `${shown(name)} is not tracked by vrrp_instance ${value.name}, because it has a weight and ${why}`,
        ...(isOwner
          ? { fix: "Use a priority from 1 to 254" }
          : { fix: "Track it in the vrrp_sync_group, set sync_group_tracking_weight there, or give it weight 0" }),
        instance: value.name,
      };
    }
  }
}

function definedWeight({ definitions }: Conf, { kind, name }: TrackLine): number | undefined {
  return kind === "interface"
    ? 0
    : (definitions[kind].get(name) as Defined<{ weight: number }> | undefined)?.value.weight;
}

const clamp = (priority: number): number => Math.max(1, Math.min(254, priority));

/** The effective priority stays within 1 and 254: a weight beyond that edge changes nothing. */
function* clampedWeights({ instances }: Conf): Iterable<Finding> {
  for (const one of instances) {
    const { value } = one;
    if (value.priority === OWNER_PRIORITY) continue;
    for (const { kind, name, weight } of value.trackers) {
      if (weight === 0 || kind === "file") continue;
      const moved = clamp(value.priority + weight);
      if (moved === value.priority + weight) continue;
      const line = trackLinesOf(one.nodes).find((other) => other.kind === kind && other.name === name);
      const effect =
        moved === value.priority
          ? `the priority stays ${value.priority} whether it is well or not`
          : `the priority moves between ${value.priority} and ${moved}, not to ${value.priority + weight}`;
      yield {
        code: moved === value.priority ? "weight_without_effect" : "weight_clamped",
        at: line?.node.keyword.at ?? one.block.keyword.at,
        message: `weight ${weight} of ${shown(name)} on priority ${value.priority}: ${effect}`,
        instance: value.name,
      };
    }
  }
}

/** Written down, a weight of 0 is mostly meant as "no effect". */
function* zeroWeights(conf: Conf): Iterable<Finding> {
  const used = trackedScripts(ownersOf(conf));
  for (const one of ownersOf(conf))
    for (const { weight, name, node } of trackLinesOf(one.nodes))
      if (weight === 0) yield zeroWeight(node.keyword.at, name);
  for (const { node, value } of conf.definitions.script.values()) {
    const line = last(node.children ?? [], "weight");
    if (line?.values[0]?.text === "0" && used.has(value.name)) yield zeroWeight(line.keyword.at, value.name);
  }
}

const zeroWeight = (at: Finding["at"], name: string): Finding => ({
  code: "weight_zero",
  at,
  message: `weight 0 does not mean that ${shown(name)} has no effect: when it fails the instance goes into FAULT`,
});

function* unused(conf: Conf): Iterable<Finding> {
  const { definitions } = conf;
  const used = trackedScripts(ownersOf(conf));
  const seen = new Map<string, number>();
  for (const block of blocks(conf.roots, "vrrp_script")) {
    const name = block.values[0]?.text;
    if (name === undefined) continue;
    const before = seen.get(name);
    if (before !== undefined)
      yield {
        code: "script_duplicate",
        at: block.keyword.at,
        message: `vrrp_script ${shown(name)} was defined in line ${before}, which is the one that is used`,
      };
    else if (!used.has(name) && definitions.script.get(name)?.value.command.words.length !== 0)
      yield {
        code: "script_unused",
        at: block.keyword.at,
        message: `vrrp_script ${shown(name)} is tracked by no instance or group: it never runs`,
      };
    seen.set(name, seen.get(name) ?? block.keyword.at.line);
  }
}

/** A bfd_instance that is disabled never comes up: to whoever tracks it without a weight, that is a fault. */
function* disabledBfds({ instances, definitions }: Conf): Iterable<Finding> {
  for (const one of instances)
    for (const { kind, name, weight } of one.value.trackers) {
      const bfd = kind === "bfd" ? definitions.bfd.get(name)?.value : undefined;
      if (!bfd || weight !== 0 || bfd.neighbour !== undefined) continue;
      yield {
        code: "track_bfd_disabled",
        at:
          trackLinesOf(one.nodes).find((line) => line.kind === "bfd" && line.name === name)?.node.keyword.at ??
          one.block.keyword.at,
        message: `bfd_instance ${shown(name)} is disabled for want of a neighbor_ip, and never comes up: vrrp_instance ${one.value.name} stays in FAULT`,
        instance: one.value.name,
      };
    }
}

/** Files and processes that cannot be watched. */
function* watched({ definitions, facts }: Conf): Iterable<Finding> {
  for (const { node, value } of definitions.file.values()) {
    const folder = value.path?.replace(/\/[^/]*$/, "");
    if (value.path === undefined)
      yield {
        code: "track_file_no_path",
        at: node.keyword.at,
        message: `track_file ${shown(value.name)} names no file: it is removed`,
      };
    else if (facts.stat && folder !== undefined && folder !== "" && !facts.stat(folder))
      yield {
        code: "track_file_no_folder",
        at: last(node.children ?? [], "file")?.keyword.at ?? node.keyword.at,
        message: `the folder of track_file ${shown(value.name)} does not exist: it is removed, and whoever tracks it runs without it`,
      };
  }
  for (const { node, value } of definitions.process.values()) {
    if (value.process === undefined)
      yield {
        code: "track_process_empty",
        at: node.keyword.at,
        message: `vrrp_track_process ${shown(value.name)} names no process: it is removed`,
      };
    if (value.quorumMax !== undefined && value.quorumMax < value.quorum)
      yield {
        code: "track_process_quorum",
        at: last(node.children ?? [], "quorum_max")?.keyword.at ?? node.keyword.at,
        message: `quorum_max ${value.quorumMax} is below quorum ${value.quorum}, and is ignored`,
      };
  }
}

export const trackingRules: readonly Rule[] = [
  notFound,
  duplicates,
  ownInterface,
  untrackedPrimary,
  weightRange,
  trackOptions,
  droppedWeights,
  clampedWeights,
  zeroWeights,
  unused,
  watched,
  disabledBfds,
];
