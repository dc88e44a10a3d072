import type { SourceLocation } from "../../core/errors.ts";
import type { NodeFacts } from "../facts.ts";
import type { Definitions } from "../model/trackers.ts";
import type { Instance, Running, SyncGroup, VirtualServer } from "../model/types.ts";
import { last } from "../model/read.ts";
import type { ConfNode } from "../parser.ts";
import type { Release } from "../version.ts";

/** A block of the file, with what keepalived makes of it. */
export interface Located<T> {
  readonly block: ConfNode;
  readonly nodes: readonly ConfNode[];
  /** Its place among the blocks of the top level. */
  readonly index: number;
  readonly value: T;
}

/** What a rule looks at. */
export interface Conf {
  readonly roots: readonly ConfNode[];
  /** The first file, for what has no line of its own. */
  readonly file: string;
  readonly release: Release;
  readonly facts: NodeFacts;
  readonly running: Running;
  /** Lines of all global_defs blocks. */
  readonly globals: readonly ConfNode[];
  readonly instances: readonly Located<Instance>[];
  /** As written, before members that cannot be are taken out. */
  readonly groups: readonly Located<SyncGroup>[];
  readonly servers: readonly Located<VirtualServer>[];
  readonly definitions: Definitions;
}

export interface Finding {
  readonly code: string;
  readonly at: SourceLocation;
  /** Names the value that will really be used. */
  readonly message: string;
  /** When the code's own advice can be said more exactly. */
  readonly fix?: string;
  /** The vrrp_instance it is about. */
  readonly instance?: string;
}

/** One thing that keepalived does differently from what the file seems to say. */
export type Rule = (conf: Conf) => Iterable<Finding>;

export const seconds = (us: number): string => `${us / 1_000_000} s`;

/** Where a keyword stands, or the block when it does not. */
export function placeOf(
  { block, nodes }: { block: ConfNode; nodes: readonly ConfNode[] },
  ...keywords: readonly string[]
): SourceLocation {
  return (last(nodes, ...keywords) ?? block).keyword.at;
}

/** A word of the file as it may be shown: control characters and endless words stay out of terminals. */
export function shown(text: string): string {
  return /^[!-~]{1,64}$/.test(text) ? text : "(not shown)";
}

/** Where a keyword of global_defs stands. */
export function globalPlace({ globals, file }: Conf, keyword: string): SourceLocation {
  return last(globals, keyword)?.keyword.at ?? { file, line: 1, column: 1 };
}
