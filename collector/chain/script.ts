import type { SourceLocation } from "../core/errors.ts";
import { absolute, baseName, type ChainTree } from "./files.ts";
import type { Located } from "./located.ts";
import { ShellScope, shellCommands, type ShellCommand, type ShellWord } from "./shell.ts";

/** What a start script would run, read and never executed. */
export interface StartScript {
  readonly path: string;
  readonly flavour: "sysv" | "openrc" | "openwrt" | "upstart";
  /** Program and arguments; undefined when no command of the script starts keepalived. */
  readonly argv?: readonly Located[];
  readonly at?: SourceLocation;
  /** Arguments of which a part only a run could tell. */
  readonly unknownWords: number;
  /** Files the script takes variables from. */
  readonly sourced: readonly SourcedFile[];
  /** `test -f FILE || exit N`: without the file the script ends, and says nothing. */
  readonly guards: readonly {
    readonly path: string;
    readonly status: number;
    readonly at: SourceLocation;
    readonly holds: boolean;
  }[];
  /** Variables of the sourced files that nothing in the script asks for. */
  readonly unusedVariables: readonly { readonly name: string; readonly at: SourceLocation }[];
  readonly setVariables: ReadonlyMap<string, { readonly value: string | undefined; readonly at: SourceLocation }>;
  /** `--pidfile` of start-stop-daemon, or `pidfile=`. */
  readonly pidFile?: Located;
}

export interface SourcedFile {
  readonly path: string;
  readonly at: SourceLocation;
  readonly exists: boolean;
  /** Only read when it exists: `[ -r FILE ] && . FILE`. */
  readonly isOptional: boolean;
}

const SOURCE_DEPTH_MAX = 4;
/** Words before a command that are the shell's own. */
const KEYWORDS: ReadonlySet<string> = new Set([
  "if",
  "then",
  "else",
  "elif",
  "do",
  "while",
  "until",
  "!",
  "{",
  "time",
  "exec",
  "nice",
  "nohup",
]);
/** The daemon, and the name a package may give it. */
const PROGRAM = "keepalived";

const SCRIPTS: readonly (readonly [path: string, flavour: StartScript["flavour"]])[] = [
  ["/etc/rc.d/init.d/keepalived", "sysv"],
  ["/etc/init.d/keepalived", "sysv"],
  ["/etc/init/keepalived.conf", "upstart"],
];

/** The node's start script for keepalived, or undefined. */
export function loadStartScript(tree: ChainTree): StartScript | undefined {
  for (const [path, flavour] of SCRIPTS) {
    const text = tree.text(path);
    if (text !== undefined) return readStartScript(tree, path, text, flavour === "sysv" ? flavourOf(text) : flavour);
  }
  return undefined;
}

function flavourOf(text: string): StartScript["flavour"] {
  const first = text.slice(0, Math.max(0, text.indexOf("\n")));
  return /openrc-run|runscript/.test(first) ? "openrc" : /rc\.common/.test(first) ? "openwrt" : "sysv";
}

export function readStartScript(
  tree: ChainTree,
  path: string,
  text: string,
  flavour: StartScript["flavour"],
): StartScript {
  const reader = new ScriptReader(tree, flavour);
  if (flavour === "openrc") reader.source(`/etc/conf.d/${baseName(path)}`, { file: path, line: 1, column: 1 }, true, 0);
  reader.run(flavour === "upstart" ? upstartScript(text) : text, path, 0);
  return reader.result(path, flavour);
}

/** The lines between `script` and `end script`, and an `exec` line, with all other stanzas blanked out. */
function upstartScript(text: string): string {
  let inside = false;
  return text
    .split("\n")
    .map((row) => {
      const word = row.trim();
      if (word === "script") {
        inside = true;
        return "";
      }
      if (word === "end script") inside = false;
      return inside || word.startsWith("exec ") ? row : "";
    })
    .join("\n");
}

class ScriptReader {
  private readonly tree: ChainTree;
  private readonly flavour: StartScript["flavour"];
  private readonly scope = new ShellScope();
  private readonly sourced: SourcedFile[] = [];
  private readonly guards: StartScript["guards"][number][] = [];
  /** Set in a sourced file. */
  private readonly fromFiles = new Map<string, SourceLocation>();
  private found: { argv: Located[]; at: SourceLocation; unknown: number } | undefined;
  private pidFile: Located | undefined;

  constructor(tree: ChainTree, flavour: StartScript["flavour"]) {
    this.tree = tree;
    this.flavour = flavour;
  }

  run(text: string, path: string, depth: number): void {
    const commands = shellCommands(path, text);
    commands.forEach((command, i) => {
      this.command(command, commands[i - 1], commands[i + 1], depth);
    });
  }

  source(path: string, at: SourceLocation, isOptional: boolean, depth: number): void {
    const text = this.tree.text(path);
    this.sourced.push({ path, at, exists: text !== undefined, isOptional });
    if (text === undefined || depth >= SOURCE_DEPTH_MAX) return;
    // The distribution's library of functions tells nothing about keepalived, and is long.
    if (/\/(functions|init-functions|rc\.status)$/.test(path)) return;
    this.run(text, path, depth + 1);
  }

  result(path: string, flavour: StartScript["flavour"]): StartScript {
    if (flavour === "openrc" && !this.found) this.openrc();
    const unused = [...this.fromFiles].filter(([name]) => !this.scope.used.has(name));
    return {
      path,
      flavour,
      unknownWords: this.found?.unknown ?? 0,
      sourced: this.sourced,
      guards: this.guards,
      unusedVariables: unused.map(([name, at]) => ({ name, at })),
      setVariables: this.scope.variables,
      ...(this.found ? { argv: this.found.argv, at: this.found.at } : {}),
      ...(this.pidFile ? { pidFile: this.pidFile } : {}),
    };
  }

  private command(
    { words, end }: ShellCommand,
    before: ShellCommand | undefined,
    after: ShellCommand | undefined,
    depth: number,
  ): void {
    let rest = [...words];
    while (rest[0] && !rest[0].quoted && (KEYWORDS.has(rest[0].raw) || rest[0].raw.startsWith("-")))
      rest = rest.slice(1);
    if (rest[0] && /^(export|readonly|local|declare|typeset)$/.test(rest[0].raw)) rest = rest.slice(1);
    const [first] = rest;
    if (!first) return;
    if (this.scope.assignment(first)) {
      for (const word of rest) {
        const assigned = this.scope.assignment(word);
        if (!assigned) break;
        this.scope.set(assigned.name, assigned.value, word);
        if (depth > 0) this.fromFiles.set(assigned.name, word.at);
      }
      // `A=1 command`: the command still has to be looked at.
      rest = rest.filter((word) => !this.scope.assignment(word));
      if (rest.length === 0) return;
    }
    const [name] = rest;
    if (name && (name.raw === "." || name.raw === "source") && rest[1]) {
      const path = this.scope.text(rest[1]);
      const isOptional = isTest(before);
      if (path !== undefined) this.source(absolute(path, "/"), rest[1].at, isOptional, depth);
      return;
    }
    this.guard(rest, end, after);
    if (depth === 0) this.start(rest);
  }

  private guard(words: readonly ShellWord[], end: string, after: ShellCommand | undefined): void {
    if (end !== "||" || after?.words[0]?.raw !== "exit") return;
    const match =
      /^(?:test|\[)$/.test(words[0]?.raw ?? "") && /^-[efrs]$/.test(words[1]?.raw ?? "") ? words[2] : undefined;
    const path = match ? this.scope.text(match) : undefined;
    if (!match || path === undefined || path === "") return;
    const stat = this.tree.stat(path);
    const holds =
      stat !== undefined &&
      (words[1]?.raw !== "-s" || stat.size > 0) &&
      (words[1]?.raw !== "-f" || stat.kind === "file");
    this.guards.push({ path, status: Number(after.words[1]?.raw ?? 0) || 0, at: match.at, holds });
  }

  /** `daemon keepalived …`, `start-stop-daemon --start … --exec keepalived -- …`, `startproc …`, `procd_set_param command …`, or keepalived itself. */
  private start(words: readonly ShellWord[]): void {
    const expanded = words.flatMap((word) => this.scope.expand(word));
    const texts = expanded.map((word) => word?.text);
    const [program] = texts;
    if (program === undefined) return;
    const isStarter =
      /^(daemon|startproc|start_daemon|start-stop-daemon|log_daemon|procd_set_param|procd_append_param|runuser|setsid|ip)$/.test(
        baseName(program),
      );
    if (baseName(program) === "start-stop-daemon") {
      if (texts.some((text) => text === "--stop" || text === "-K" || text === "--status")) return;
      const pidFile = texts.findIndex((text) => text === "--pidfile" || text === "-p");
      const exec = texts.findIndex(
        (text) => text === "--exec" || text === "-x" || text === "--startas" || text === "-a",
      );
      const daemon = expanded[exec + 1];
      if (exec < 0 || !daemon || baseName(daemon.text) !== PROGRAM) return;
      if (pidFile >= 0) this.pidFile = expanded[pidFile + 1];
      const dashes = texts.indexOf("--", exec);
      this.take(daemon, dashes < 0 ? [] : expanded.slice(dashes + 1), words);
      return;
    }
    if (baseName(program) === "procd_append_param") {
      if (texts[1] === "command" && this.found) {
        for (const word of expanded.slice(2)) if (word) this.found.argv.push(word);
      }
      return;
    }
    const at = isStarter
      ? expanded.findIndex((word, i) => i > 0 && word !== undefined && baseName(word.text) === PROGRAM)
      : baseName(program) === PROGRAM
        ? 0
        : -1;
    const daemon = expanded[at];
    if (at < 0 || !daemon) return;
    this.take(daemon, expanded.slice(at + 1), words);
  }

  private take(daemon: Located, args: readonly (Located | undefined)[], words: readonly ShellWord[]): void {
    if (this.found) return;
    const at = words[0]?.at ?? { file: "", line: 1, column: 1 };
    this.found = {
      at,
      argv: [daemon, ...args.filter((one): one is Located => one !== undefined)],
      unknown: args.filter((one) => one === undefined).length,
    };
  }

  private openrc(): void {
    const command = this.scope.variables.get("command");
    if (command?.value === undefined || baseName(command.value) !== PROGRAM) return;
    const args = ["command_args", "command_args_background"].flatMap((name) => {
      this.scope.used.add(name);
      const variable = this.scope.variables.get(name);
      return (variable?.value ?? "")
        .split(/[ \t\n]+/)
        .filter((text) => text !== "")
        .map((text) => ({ text, at: variable?.at ?? command.at }));
    });
    const pidFile = this.scope.variables.get("pidfile");
    if (pidFile?.value !== undefined) this.pidFile = { text: pidFile.value, at: pidFile.at };
    this.found = { at: command.at, argv: [{ text: command.value, at: command.at }, ...args], unknown: 0 };
  }
}

/** `[ -r FILE ] &&` or `if [ -r FILE ]; then` stands before the command. */
function isTest(command: ShellCommand | undefined): boolean {
  const first = command?.words[0]?.raw ?? "";
  return first === "if" || (/^(test|\[|\[\[)$/.test(first) && command?.end === "&&");
}
