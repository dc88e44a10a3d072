import type { ConfiguredInstance, EventBody, MailSettings } from "../events/event.ts";
import { Diagnostics } from "./diagnostics.ts";
import { effectiveTrackers } from "./effective-trackers.ts";
import type { NodeFacts } from "./facts.ts";
import { checkKeywords } from "./keywords/check.ts";
import { globalsOf } from "./model/globals.ts";
import { syncGroupOf, usableGroups, withGroup } from "./model/groups.ts";
import { instanceOf } from "./model/instance.ts";
import { blocks } from "./model/read.ts";
import { refusalOf } from "./model/refusal.ts";
import { virtualServerOf } from "./model/servers.ts";
import { definitionsOf, trackersOf } from "./model/trackers.ts";
import type { Command, Instance, Running } from "./model/types.ts";
import type { ConfNode, ConfTree } from "./parser.ts";
import { messageRedactor } from "./redact.ts";
import { redactorOf } from "./rules/redact.ts";
import { RULES } from "./rules/registry.ts";
import type { Conf, Located } from "./rules/rule.ts";
import { NEWEST_RELEASE, type Release } from "./version.ts";

/** What a configuration promises, and what is wrong with it. There is no field for a password. */
export interface EffectiveConfig {
  readonly instances: readonly ConfiguredInstance[];
  readonly virtualServers: readonly string[];
  readonly routerId?: string;
  readonly mail?: MailSettings;
  /** All of it, with what keepalived substitutes. */
  readonly running: Running;
  readonly diagnostics: readonly EventBody<"config.diagnostic">[];
}

export interface ModelOptions {
  /** The keepalived that will read it (default: the newest known). */
  readonly release?: Release;
  /** What is known about its node (default: nothing, and nothing is said that needs it). */
  readonly facts?: NodeFacts;
  /** Lets passwords of several nodes be compared within one run; without it there are no fingerprints. */
  readonly fingerprintKey?: string;
}

/** Makes sense of a tree: what keepalived will run, and what is wrong with it. */
export function modelOf(tree: ConfTree, options: ModelOptions = {}): EffectiveConfig {
  const { release = NEWEST_RELEASE, facts = {} } = options;
  const diagnostics = new Diagnostics(tree.faults, release);
  const conf = confOf(tree, { release, facts, fingerprintKey: options.fingerprintKey });
  for (const { code, at, message, fix, instance } of checkKeywords(tree.nodes, release))
    diagnostics.add(code, at, message, fix, instance);
  if (tree.unreadable === undefined) report(conf, diagnostics);
  const { routerId, mail } = conf.running.globals;
  const found = withoutSecrets(diagnostics.list(), tree);
  return {
    instances: conf.running.instances.map((instance) => configuredOf(instance, conf.running)),
    virtualServers: conf.running.virtualServers.map(({ name }) => name),
    running: { ...conf.running, fatal: found.find((one) => endsVrrp(one, conf.roots))?.code },
    diagnostics: found,
    ...(routerId === undefined ? {} : { routerId }),
    ...(mail === undefined ? {} : { mail }),
  };
}

/**
 * What ends a start and not the VRRP process, which lives on when a reload brings it: the parent's own reasons not to begin. (tried
 * with 2.2.7)
 */
const PARENT_ONLY: ReadonlySet<string> = new Set([
  "no_configuration",
  "file_executable",
  "main_file_unreadable",
  "include_no_match_checked",
  "include_alternative_missing_checked",
  "file_unreadable_checked",
  "definition_hangs",
  "condition_in_definition",
]);

function endsVrrp(
  { severity, code, file, line = 0 }: EventBody<"config.diagnostic">,
  roots: readonly ConfNode[],
): boolean {
  if (severity !== "fatal" || PARENT_ONLY.has(code)) return false;
  // Servers are the checkers' business, which are another process.
  const block = roots.findLast(({ keyword: { at } }) => at.file === file && at.line <= line);
  return block?.keyword.text.startsWith("virtual_server") !== true;
}

/** Messages quote what keepalived would read, also where definitions are put together to a password. */
function withoutSecrets(found: EffectiveConfig["diagnostics"], tree: ConfTree): EffectiveConfig["diagnostics"] {
  if (found.length === 0) return found;
  const hide = messageRedactor(tree);
  return found.map((one) => ({ ...one, message: hide(one.message), ...(one.fix ? { fix: hide(one.fix) } : {}) }));
}

function report(conf: Conf, diagnostics: Diagnostics): void {
  const hide = redactorOf(conf.roots);
  for (const rule of RULES)
    for (const { code, at, message, fix, instance } of rule(conf))
      diagnostics.add(code, at, hide(message), fix === undefined ? undefined : hide(fix), instance);
}

function confOf(
  tree: ConfTree,
  { release, facts, fingerprintKey }: { release: Release; facts: NodeFacts; fingerprintKey: string | undefined },
): Conf {
  const roots = tree.nodes;
  const globalLines = blocks(roots, "global_defs").flatMap(({ children }) => children ?? []);
  const globals = globalsOf(globalLines, roots);
  const definitions = definitionsOf(roots);
  const indexOf = new Map(roots.map((node, index) => [node, index]));
  const located = <T>(keyword: string, valueOf: (block: ConfNode, index: number, name: string) => T): Located<T>[] =>
    firstOfEachName(blocks(roots, keyword)).map((block) => {
      const index = indexOf.get(block) ?? 0;
      const value = valueOf(block, index, block.values[0]?.text ?? "");
      return { block, nodes: block.children ?? [], index, value };
    });
  const isRefused = ({ command }: { command: Command }): boolean =>
    refusalOf(command, { globals, facts, release }) !== undefined;
  const groups = located("vrrp_sync_group", (block, index, name) =>
    syncGroupOf(block, name, trackersOf(block.children ?? [], index, definitions, isRefused)),
  );
  const alone = located("vrrp_instance", (block, index, name) =>
    instanceOf(block, name, {
      globals,
      release,
      trackers: (nodes) => trackersOf(nodes, index, definitions, isRefused),
      fingerprintKey,
    }),
  );
  const usable = usableGroups(
    groups.map(({ value }) => value),
    new Set(alone.map(({ value }) => value.name)),
  );
  const instances = alone.map((one) => ({
    ...one,
    value: withGroup(
      one.value,
      usable.find(({ members }) => members.includes(one.value.name)),
    ),
  }));
  const servers = blocks(roots, "virtual_server").map((block) => ({
    block,
    nodes: block.children ?? [],
    index: indexOf.get(block) ?? 0,
    value: virtualServerOf(block, { globals, release, roots, definitions, index: indexOf.get(block) ?? 0 }),
  }));
  return {
    roots,
    file: tree.files[0]?.path ?? "",
    release,
    facts,
    globals: globalLines,
    instances,
    groups,
    servers,
    definitions,
    running: {
      globals,
      instances: instances.map(({ value }) => value),
      syncGroups: usable,
      scripts: [...definitions.script.values()].map(({ value }) => value),
      trackFiles: [...definitions.file.values()].map(({ value }) => value),
      trackProcesses: [...definitions.process.values()].map(({ value }) => value),
      bfds: [...definitions.bfd.values()].map(({ value }) => value),
      virtualServers: servers.map(({ value }) => value),
      fatal: undefined,
    },
  };
}

/** A block without a name, or with one that was before it, is skipped. */
function firstOfEachName(nodes: readonly ConfNode[]): ConfNode[] {
  const seen = new Set<string>();
  return nodes.filter(({ values }) => {
    const name = values[0]?.text;
    return name !== undefined && !seen.has(name) && seen.add(name);
  });
}

/** The part of it that the event carries. */
function configuredOf(instance: Instance, running: Running): ConfiguredInstance {
  return {
    instance: instance.name.slice(0, 255),
    file: instance.at.file.slice(0, 4096),
    line: instance.at.line,
    family: instance.family,
    priority: instance.priority,
    advertIntervalUs: instance.advertIntervalUs,
    downTimerAdverts: instance.downTimerAdverts,
    version: instance.version,
    vips: instance.vips.slice(0, 512).map(({ address }) => address),
    startState: instance.configuredState,
    nopreempt: instance.nopreempt,
    unicastPeers: instance.unicastPeers.slice(0, 512).map(({ address }) => address),
    authentication: instance.authentication.type,
    trackers: effectiveTrackers(instance, running)
      .slice(0, 256)
      .map(({ kind, name, weight, reverse }) => ({ kind, name: name.slice(0, 255), weight, reverse })),
    ...(instance.authentication.hmacWindowUs === undefined
      ? {}
      : { hmacWindowUs: instance.authentication.hmacWindowUs }),
    ...(instance.vrid === undefined ? {} : { vrid: instance.vrid }),
    ...(instance.interface === undefined ? {} : { interface: instance.interface.slice(0, 255) }),
    ...(instance.sourceAddress === undefined ? {} : { sourceAddress: instance.sourceAddress }),
  };
}
