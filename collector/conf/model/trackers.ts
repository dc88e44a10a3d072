import type { Tracker } from "../election.ts";
import type { ConfNode } from "../parser.ts";
import { entriesOf, integer, wordsOf } from "./read.ts";
import { bfdOf, scriptOf, trackFileOf, trackProcessOf } from "./scripts.ts";
import type { BfdInstance, Script, TrackFile, TrackProcess } from "./types.ts";

export type TrackedKind = Tracker["kind"];

/** By the keyword of the block that names what is tracked. */
export const TRACK_KEYWORDS: Readonly<Record<string, TrackedKind>> = {
  track_interface: "interface",
  track_script: "script",
  track_file: "file",
  track_process: "process",
  track_bfd: "bfd",
};

/** By the keyword of the block that defines it. */
const DEFINITIONS: Readonly<Record<string, Exclude<TrackedKind, "interface">>> = {
  vrrp_script: "script",
  track_file: "file",
  vrrp_track_file: "file",
  vrrp_track_process: "process",
  bfd_instance: "bfd",
};

/** Something that may be tracked. */
export interface Defined<T> {
  readonly node: ConfNode;
  /** Its place among the blocks of the top level: keepalived looks a name up when it reads it. */
  readonly index: number;
  readonly value: T;
}

export interface Definitions {
  readonly script: ReadonlyMap<string, Defined<Script>>;
  readonly file: ReadonlyMap<string, Defined<TrackFile>>;
  readonly process: ReadonlyMap<string, Defined<TrackProcess>>;
  readonly bfd: ReadonlyMap<string, Defined<BfdInstance>>;
}

/** What can be tracked: the first block of a name counts. */
export function definitionsOf(roots: readonly ConfNode[]): Definitions {
  const found = {
    script: new Map<string, Defined<Script>>(),
    file: new Map<string, Defined<TrackFile>>(),
    process: new Map<string, Defined<TrackProcess>>(),
    bfd: new Map<string, Defined<BfdInstance>>(),
  };
  for (const [index, node] of roots.entries()) {
    const kind = DEFINITIONS[node.keyword.text];
    const name = node.values[0]?.text;
    if (kind === undefined || name === undefined || found[kind].has(name)) continue;
    if (kind === "script") found.script.set(name, { node, index, value: scriptOf(node, name) });
    else if (kind === "file") found.file.set(name, { node, index, value: trackFileOf(node, name) });
    else if (kind === "process") found.process.set(name, { node, index, value: trackProcessOf(node, name) });
    else found.bfd.set(name, { node, index, value: bfdOf(node, name) });
  }
  return found;
}

/** A line of a track block. */
export interface TrackLine {
  readonly node: ConfNode;
  readonly kind: TrackedKind;
  readonly name: string;
  /** undefined: not given, or none that keepalived takes. */
  readonly weight: number | undefined;
  readonly weightText: string | undefined;
  readonly reverse: boolean;
}

/** Names of the vrrp_scripts that any of these blocks tracks. */
export function trackedScripts(owners: readonly { readonly nodes: readonly ConfNode[] }[]): ReadonlySet<string> {
  return new Set(
    owners.flatMap(({ nodes }) => trackLinesOf(nodes).flatMap(({ kind, name }) => (kind === "script" ? [name] : []))),
  );
}

export function trackLinesOf(nodes: readonly ConfNode[]): TrackLine[] {
  return Object.entries(TRACK_KEYWORDS).flatMap(([keyword, kind]) =>
    entriesOf(nodes, keyword).map((node): TrackLine => {
      const [name = "", ...options] = wordsOf(node);
      const at = options.indexOf("weight");
      const weightText = at < 0 ? undefined : options[at + 1];
      const weight = integer(-254, 254)(weightText ?? "");
      const max = kind === "file" || kind === "process" ? 254 : 253;
      return {
        node,
        kind,
        name,
        weight: weight === undefined ? undefined : Math.max(-max, Math.min(max, weight)),
        weightText,
        reverse: options.includes("reverse"),
      };
    }),
  );
}

/** The trackers of an instance or group that count: those that are defined before it, with their own or the line's weight. */
export function trackersOf(
  nodes: readonly ConfNode[],
  index: number,
  definitions: Definitions,
  isRefused: (script: Script) => boolean,
): Tracker[] {
  const seen = new Set<string>();
  return trackLinesOf(nodes).flatMap(({ kind, name, weight, reverse }): Tracker[] => {
    const key = `${kind} ${name}`;
    if (seen.has(key)) return [];
    seen.add(key);
    if (kind === "interface") return [{ kind, name, weight: weight ?? 0, reverse }];
    const defined = definitions[kind].get(name);
    if (!defined || defined.index > index || !isUsable(kind, defined.value)) return [];
    const own = defined.value;
    if ("command" in own && isRefused(own)) return [];
    return [
      {
        kind,
        name,
        weight: weight ?? own.weight,
        reverse: weight === undefined ? "reverse" in own && own.reverse : reverse,
      },
    ];
  });
}

/** What has nothing to run or to watch is removed when its block ends. */
export function isUsable(kind: TrackedKind, value: Script | TrackFile | TrackProcess | BfdInstance): boolean {
  if (kind === "script") return "command" in value && value.command.words.length > 0;
  if (kind === "file") return "path" in value && value.path !== undefined;
  return kind !== "process" || ("process" in value && value.process !== undefined);
}
