import type { ConfOutline } from "../conf/outline.ts";
import { type ConfNode, parseConf } from "../conf/parser.ts";
import { NEWEST_RELEASE, type Release } from "../conf/version.ts";
import { assumedBuild, type KeepalivedBuild } from "./build.ts";
import type {
  ChainDraft,
  ChainFacts,
  EnvironmentSource,
  Launch,
  StartChain,
  Subsystem,
  SubsystemName,
} from "./chain.ts";
import { diagnose } from "./diagnose.ts";
import { assignmentsOf, type EnvironmentTrap, readEnvironmentFile } from "./environment.ts";
import { absolute, type ChainFiles, ChainTree } from "./files.ts";
import { readJournal } from "./journald.ts";
import type { Located } from "./located.ts";
import { facilityOf, isSince, optionOf, type ParsedOptions, parseOptions } from "./options.ts";
import { daemonsOf, type RunningDaemon } from "./process.ts";
import { loadStartScript } from "./script.ts";
import { readSyslog } from "./syslog/read.ts";
import { expandSpecifiers, expandVariables, systemdWords, type Variable } from "./systemd-text.ts";
import {
  commandsOf,
  conditionsOf,
  type RefusedCommand,
  listOf,
  loadUnit,
  parseUnit,
  settingOf,
  type Unit,
} from "./unit.ts";

/**
 * Which file the daemon really reads, what it starts, and where it logs: from a living daemon's own command line, or
 * else from the unit or script that would start one. Never throws, whatever the files hold; nothing is run.
 */
export function resolveChain(files: ChainFiles, facts: ChainFacts): StartChain {
  const tree = new ChainTree(files);
  const release = facts.build?.release ?? facts.release ?? NEWEST_RELEASE;
  const build: Partial<KeepalivedBuild> & ReturnType<typeof assumedBuild> = facts.build ?? assumedBuild(release);
  const launch = launchOf(tree, facts);
  const daemons = daemonsOf(facts.processes ?? []);
  const daemon = ownDaemon(daemons, tree, launch);

  const argv: readonly Located[] = daemon ? daemon.process.argv.map((text) => ({ text })) : launch.argv;
  const options = parseOptions(argv.slice(1), release, facts.build);
  const workingDirectory = daemon?.process.cwd ?? launch.workingDirectory;
  const picked = pickFile(tree, options, build, workingDirectory);
  const configId = optionOf(options, "config-id")?.value ?? facts.hostname?.split(".")[0];
  const conf = (facts.outline ?? parseConf)(picked.path, tree.confFiles(), configId ?? "");
  const subsystems = subsystemsOf(conf, options, release, facts.build);
  const namespace = optionOf(options, "namespace")?.value ?? rootValue(conf, "net_namespace");
  const instance = rootValue(conf, "instance");
  const suffix = [namespace, instance].flatMap((one) => (one === undefined ? [] : [`_${one}`])).join("");
  const programs = programsOf(subsystems).map((name) => `${name}${suffix}`);
  const facility = facilityOf(options.uses, release);
  const usesSyslog = optionOf(options, "no-syslog") === undefined && optionOf(options, "config-test") === undefined;
  const hasJournal = launch.launcher.kind === "systemd" || tree.exists("/run/systemd/system");
  const syslog = readSyslog(tree, { program: programs.at(-1) ?? "Keepalived", facility: facility.name });

  const chain: ChainDraft = {
    launcher: launch.launcher,
    environment: launch.environment,
    argvFrom: daemon ? "daemon" : argv.length > 0 ? "launcher" : "nothing",
    argv,
    options,
    release,
    workingDirectory,
    configuration: {
      ...picked,
      files: conf.files.map(({ path }) => path),
      ...(conf.unreadable === undefined ? {} : { unreadable: conf.unreadable }),
    },
    configId: {
      from: optionOf(options, "config-id") ? "option" : "hostname",
      ...(configId === undefined ? {} : { id: configId }),
    },
    subsystems,
    pidFiles: pidFilesOf(options, build.runDir, instance, namespace !== undefined || rootKeyword(conf, "use_pid_dir")),
    log: {
      facility,
      programs,
      usesSyslog,
      files: logFiles(options),
      usesConsole: optionOf(options, "log-console") !== undefined,
      ...(syslog === undefined || !usesSyslog ? {} : { syslog }),
      ...(hasJournal && usesSyslog ? { journal: readJournal(tree) } : {}),
    },
    daemons,
    ...(namespace === undefined ? {} : { namespace }),
    ...(instance === undefined ? {} : { instance }),
  };
  return { ...chain, diagnostics: diagnose({ chain, tree, facts, build, launch, ...(daemon ? { daemon } : {}) }) };
}

function launchOf(tree: ChainTree, facts: ChainFacts): Launch {
  const name = facts.unit ?? "keepalived.service";
  const unit = loadUnit(tree, name);
  // A masked unit stays masked, init script or not.
  if (unit?.path !== undefined) return launchUnit(tree, unit, facts.hostname, false);
  const script = loadStartScript(tree);
  if (script)
    return {
      launcher: { kind: "script", script },
      environment: script.sourced.map(({ path, at, exists, isOptional }) => ({ path, at, exists, isOptional })),
      argv: script.argv ?? [],
      workingDirectory: "/",
      usedVariables: new Set(),
      variables: new Map(),
      traps: [],
    };
  const assumed = assumedUnit(tree, name, unit);
  if (assumed) return launchUnit(tree, assumed, facts.hostname, true);
  return {
    launcher: { kind: "none" },
    environment: [],
    argv: [],
    workingDirectory: "/",
    usedVariables: new Set(),
    variables: new Map(),
    traps: [],
  };
}

/** The packages' units, as far as they decide what is read: for a copy of /etc, in which /usr is missing. */
const PACKAGED: readonly (readonly [environment: string, text: string])[] = [
  [
    "/etc/sysconfig/keepalived",
    "[Service]\nEnvironmentFile=-/etc/sysconfig/keepalived\nExecStart=/usr/sbin/keepalived $KEEPALIVED_OPTIONS\n",
  ],
  [
    "/etc/default/keepalived",
    "[Unit]\nConditionFileNotEmpty=/etc/keepalived/keepalived.conf\n[Service]\nType=notify\nEnvironmentFile=-/etc/default/keepalived\nExecStart=/usr/sbin/keepalived --dont-fork $DAEMON_ARGS\n",
  ],
];

function assumedUnit(tree: ChainTree, name: string, dropIns: Unit | undefined): Unit | undefined {
  if (tree.exists("/usr/lib/systemd/system") || tree.exists("/lib/systemd/system")) return dropIns;
  if (name !== "keepalived.service") return dropIns;
  const packaged = PACKAGED.find(([environment]) => tree.isFile(environment));
  if (!packaged) return dropIns;
  const path = "/usr/lib/systemd/system/keepalived.service";
  return {
    name,
    path,
    dropIns: dropIns?.dropIns ?? [],
    settings: [...parseUnit(path, packaged[1]), ...(dropIns?.settings ?? [])],
  };
}

function launchUnit(tree: ChainTree, unit: Unit, hostname: string | undefined, isAssumed: boolean): Launch {
  const refused: RefusedCommand[] = [];
  const commands = commandsOf(unit, "ExecStart", hostname, (one) => refused.push(one));
  const command = commands.at(-1);
  const variables = new Map<string, Variable>();
  const traps: EnvironmentTrap[] = [];
  for (const { value } of listOf(unit, "Service", "Environment"))
    for (const word of assignmentsOf(systemdWords(value)))
      variables.set(word.name, { ...word, text: expandSpecifiers(word.text, unit.name, hostname) });
  const environment: EnvironmentSource[] = [];
  for (const { value, at } of listOf(unit, "Service", "EnvironmentFile")) {
    const text = expandSpecifiers(value.text.trim(), unit.name, hostname);
    const isOptional = text.startsWith("-");
    const pattern = isOptional ? text.slice(1) : text;
    const paths = tree.glob(pattern);
    if (paths.length === 0) environment.push({ path: pattern, at, exists: false, isOptional });
    for (const path of paths) {
      const contents = tree.text(path);
      environment.push({ path, at, exists: contents !== undefined, isOptional });
      const read = readEnvironmentFile(path, contents ?? "");
      for (const variable of read.variables) variables.set(variable.name, variable);
      traps.push(...read.traps.slice(0, 256));
    }
  }
  const usedVariables = new Set<string>();
  const words = command?.words ?? [];
  for (const one of commands)
    expandVariables(one.isLiteral ? [] : one.words, variables, (name) => usedVariables.add(name));
  const argv = command?.isLiteral ? words : expandVariables(words, variables, (name) => usedVariables.add(name));
  const directory = settingOf(unit, "Service", "WorkingDirectory")?.value.text.trim().replace(/^-/, "");
  return {
    launcher: {
      kind: "systemd",
      unit,
      commands,
      refused,
      conditions: conditionsOf(unit, tree, hostname),
      isAssumed,
      ...(command ? { command } : {}),
    },
    environment,
    argv: unit.maskedBy === undefined && refused.length === 0 ? argv : [],
    workingDirectory: directory?.startsWith("/") ? directory : directory === "~" ? "/root" : "/",
    usedVariables,
    variables,
    traps,
  };
}

/** The daemon that this chain's pid file names, or the only one there is. */
function ownDaemon(daemons: readonly RunningDaemon[], tree: ChainTree, launch: Launch): RunningDaemon | undefined {
  if (daemons.length <= 1) return daemons[0];
  const wanted = launch.argv
    .slice(1)
    .map(({ text }) => text)
    .join("\0");
  const same = daemons.find(({ process }) => process.argv.slice(1).join("\0") === wanted);
  if (same) return same;
  for (const path of ["/run/keepalived.pid", "/var/run/keepalived.pid"]) {
    const pid = Number(tree.text(path)?.trim());
    const found = daemons.find(({ process }) => process.pid === pid);
    if (found) return found;
  }
  return daemons[0];
}

function pickFile(
  tree: ChainTree,
  options: ParsedOptions,
  build: { readonly defaultFile: string; readonly deprecatedFile?: string },
  workingDirectory: string,
): Pick<StartChain["configuration"], "path" | "why" | "at"> {
  const use = optionOf(options, "use-file");
  if (use?.value !== undefined)
    return {
      path: absolute(use.value, workingDirectory),
      why: "option",
      ...(use.word.at === undefined ? {} : { at: use.word.at }),
    };
  if (build.deprecatedFile !== undefined && !tree.exists(build.defaultFile) && tree.exists(build.deprecatedFile))
    return { path: build.deprecatedFile, why: "deprecated-default" };
  return { path: build.defaultFile, why: "default" };
}

/** Blocks that make the parent start a child (from 2.0.0 on). */
const NEEDS: Readonly<Record<SubsystemName, ReadonlySet<string>>> = {
  vrrp: new Set(["vrrp_instance", "static_ipaddress", "static_routes", "static_rules"]),
  checkers: new Set(["virtual_server"]),
  bfd: new Set(["bfd_instance"]),
};
const HIDDEN_BY: Readonly<Record<SubsystemName, string>> = { vrrp: "check", checkers: "vrrp", bfd: "no_bfd" };
const FEATURE: Readonly<Record<SubsystemName, "VRRP" | "LVS" | "BFD">> = { vrrp: "VRRP", checkers: "LVS", bfd: "BFD" };

function subsystemsOf(
  conf: ConfOutline,
  options: ParsedOptions,
  release: Release,
  build: KeepalivedBuild | undefined,
): Subsystem[] {
  const hidden = hiddenBy(options, release);
  const isForced = optionOf(options, "all") !== undefined;
  return (["vrrp", "checkers", "bfd"] as const).map((name) => {
    const block = conf.nodes.find(({ keyword }) => NEEDS[name].has(keyword.text));
    const option = hidden.get(name);
    const isBuilt = (build?.features.has(FEATURE[name]) ?? true) && (name !== "bfd" || isSince("2.0.0", release));
    // Up to 1.4.5 a child is started whether or not it has something to do.
    const isWanted = block !== undefined || isForced || !isSince("2.0.0", release);
    return {
      name,
      runs: isBuilt && isWanted && option === undefined && conf.unreadable === undefined,
      ...(block ? { neededAt: block.keyword.at } : {}),
      ...(option ? { hiddenBy: option } : {}),
    };
  });
}

/** -P, -C, -B and --all in the order they are given: --all gives back what stands before it. */
function hiddenBy(options: ParsedOptions, release: Release): Map<SubsystemName, Located> {
  const hidden = new Map<SubsystemName, Located>();
  const isOld = !isSince("2.0.0", release);
  for (const { option, word, written } of options.uses) {
    if (option === "all") hidden.clear();
    for (const name of ["vrrp", "checkers", "bfd"] as const)
      if (HIDDEN_BY[name] === option) {
        // Up to 1.4.5 the last of -P and -C counts; up to 1.2.23 both together run both.
        if (isOld) hidden.clear();
        hidden.set(name, { ...word, text: written });
      }
  }
  const given = new Set(options.uses.map(({ option }) => option));
  if (!isSince("1.2.24", release) && given.has("vrrp") && given.has("check")) hidden.clear();
  return hidden;
}

function programsOf(subsystems: readonly Subsystem[]): string[] {
  const names: Readonly<Record<SubsystemName, string>> = {
    vrrp: "Keepalived_vrrp",
    checkers: "Keepalived_healthcheckers",
    bfd: "Keepalived_bfd",
  };
  return ["Keepalived", ...subsystems.filter(({ runs }) => runs).map(({ name }) => names[name])];
}

/** A keyword of the top level, or of global_defs, where later releases want it. */
function rootNodes(conf: ConfOutline): ConfNode[] {
  return conf.nodes.flatMap((node) => (node.keyword.text === "global_defs" ? (node.children ?? []) : [node]));
}

function rootValue(conf: ConfOutline, keyword: string): string | undefined {
  const value = rootNodes(conf).findLast((node) => node.keyword.text === keyword)?.values[0]?.text;
  return value === undefined || value === "" ? undefined : value.slice(0, 255);
}

function rootKeyword(conf: ConfOutline, keyword: string): boolean {
  return rootNodes(conf).some((node) => node.keyword.text === keyword);
}

function pidFilesOf(
  options: ParsedOptions,
  runDir: string,
  instance: string | undefined,
  usesDirectory: boolean,
): StartChain["pidFiles"] {
  const file = (option: string, name: string): string =>
    optionOf(options, option)?.value ??
    (instance === undefined
      ? `${runDir}/${usesDirectory ? "keepalived/" : ""}${name}.pid`
      : `${runDir}/keepalived/${instance}_${name}.pid`);
  return {
    parent: file("pid", "keepalived"),
    vrrp: file("vrrp_pid", "vrrp"),
    checkers: file("checkers_pid", "checkers"),
    bfd: file("bfd_pid", "bfd"),
  };
}

function logFiles(options: ParsedOptions): string[] {
  const use = optionOf(options, "log-file");
  if (!use) return [];
  const named = use.value === undefined || use.value === "" ? "keepalived.log" : use.value;
  // Without a name the file is in the temporary directory.
  return [use.value === undefined || use.value === "" ? `/tmp/${named}` : named];
}
