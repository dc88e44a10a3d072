import { US_PER_SECOND } from "../../core/time.ts";
import { commandOf, NOTIFY_KEYWORDS, scriptCommandOf } from "../model/scripts.ts";
import { blocks, last, readValue, microseconds } from "../model/read.ts";
import {
  DEFAULT_SCRIPT_USER,
  type Refusal,
  refusalOf,
  type ScriptContext,
  unsafePart,
  userOf,
} from "../model/refusal.ts";
import { trackedScripts } from "../model/trackers.ts";
import type { Command } from "../model/types.ts";
import type { ConfNode } from "../parser.ts";
import { compareReleases, type Release } from "../version.ts";
import { type Conf, type Finding, type Rule, seconds, shown } from "./rule.ts";

/** Commands keepalived runs: whether it will run them, and as what. It calls execve(2): no shell reads the line. */

/** A command, and what happens without it. */
interface Run {
  readonly command: Command;
  readonly node: ConfNode;
  readonly kind: "track" | "notify" | "misc" | "other";
  readonly what: string;
  readonly without: string;
  readonly instance?: string;
}

const SERVER_KEYWORDS = ["quorum_up", "quorum_down"];
const REAL_KEYWORDS = ["notify_up", "notify_down"];
const GLOBAL_KEYWORDS = [
  "notify_fifo_script",
  "vrrp_notify_fifo_script",
  "lvs_notify_fifo_script",
  "startup_script",
  "shutdown_script",
];

function* runsOf(conf: Conf): Iterable<Run> {
  const tracked = trackedScripts([...conf.instances, ...conf.groups]);
  for (const { node, value } of conf.definitions.script.values()) {
    const line = last(node.children ?? [], "script");
    if (line && line.values.length > 0)
      yield {
        command: value.command,
        node: line,
        kind: "track",
        what: `vrrp_script ${value.name}`,
        without: tracked.has(value.name) ? "instances that track it run without this check" : "nobody tracks it",
      };
  }
  const lines = (nodes: readonly ConfNode[], keywords: readonly string[]): ConfNode[] =>
    blocks(nodes, ...keywords).filter(({ values }) => values.length > 0);
  for (const one of [...conf.instances, ...conf.groups])
    for (const node of lines(one.nodes, NOTIFY_KEYWORDS))
      yield {
        command: commandOf(node),
        node,
        kind: "notify",
        what: node.keyword.text,
        without: `nothing is run when ${one.block.keyword.text === "vrrp_instance" ? "the instance" : "the group"} changes`,
        ...(one.block.keyword.text === "vrrp_instance" ? { instance: one.value.name } : {}),
      };
  for (const server of conf.servers) {
    for (const node of lines(server.nodes, SERVER_KEYWORDS))
      yield { command: commandOf(node), node, kind: "notify", what: node.keyword.text, without: "nothing is run" };
    for (const real of blocks(server.nodes, "real_server")) {
      const nodes = real.children ?? [];
      for (const node of lines(nodes, REAL_KEYWORDS))
        yield { command: commandOf(node), node, kind: "notify", what: node.keyword.text, without: "nothing is run" };
      for (const check of blocks(nodes, "MISC_CHECK")) {
        const node = last(check.children ?? [], "misc_path");
        const user = last(check.children ?? [], "user")?.values.map(({ text }) => text);
        if (node && node.values.length > 0)
          yield {
            command: {
              ...scriptCommandOf(node),
              user: user && user.length > 0 ? user.slice(0, 2).join(" ") : undefined,
            },
            node,
            kind: "misc",
            what: "MISC_CHECK",
            without: "the real server counts as up, unchecked",
          };
      }
    }
  }
  for (const node of lines(conf.globals, GLOBAL_KEYWORDS))
    yield { command: scriptCommandOf(node), node, kind: "other", what: node.keyword.text, without: "it is not run" };
}

/** What is wrong with a command, where it stands. */
const found = ({ node, instance }: Run, code: string, message: string, fix?: string): Finding => ({
  code,
  at: node.keyword.at,
  message,
  ...(fix === undefined ? {} : { fix }),
  ...(instance === undefined ? {} : { instance }),
});

const contextOf = ({ running, facts, release }: Conf): ScriptContext => ({ globals: running.globals, facts, release });

const CODES = {
  track: { user: "script_user_failed", other: "track_script_disabled" },
  notify: { user: "notify_user_failed", other: "notify_disabled" },
  misc: { user: "misc_disabled", other: "misc_disabled" },
  other: { user: "notify_user_failed", other: "notify_disabled" },
} as const;

const FIXES: Readonly<Record<Refusal["why"], string>> = {
  missing: "Correct the path",
  type: "Name the program itself",
  "not-executable": "Make it executable: chmod a+x",
  unsafe: "Make the program and every folder above it writable by root only, or run it as another user (script_user)",
  user: `Set script_user in global_defs to a user that exists, or create ${DEFAULT_SCRIPT_USER}`,
};

function* refused(conf: Conf): Iterable<Finding> {
  for (const run of runsOf(conf)) {
    const refusal = refusalOf(run.command, contextOf(conf));
    if (!refusal) continue;
    const codes = CODES[run.kind];
    yield found(
      run,
      refusal.why === "user" ? codes.user : codes.other,
      `the script of ${run.what} is not run: ${refusal.message}; ${run.without}`,
      FIXES[refusal.why],
    );
  }
}

/** What only a shell understands. */
const SHELL_WORDS: ReadonlySet<string> = new Set(["|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1", "&>"]);
const SHELL_BUILTINS: ReadonlySet<string> = new Set(["if", "while", "for", "cd", "source", ".", "exit", "!", "[["]);
const SHELLS = /(?:^|\/)(?:ba|da|k|z)?sh$/;

function shellSyntax(words: readonly string[]): string | undefined {
  const [program = ""] = words;
  if (SHELLS.test(program) || SHELLS.test(words[1] ?? "")) return undefined;
  if (SHELL_BUILTINS.has(program)) return program;
  return words.find(
    (word) =>
      SHELL_WORDS.has(word) ||
      word.startsWith("$(") ||
      word.startsWith("`") ||
      /^\d?>/.test(word) ||
      word.startsWith("~/"),
  );
}

function* needsShell(conf: Conf): Iterable<Finding> {
  for (const run of runsOf(conf)) {
    const word = shellSyntax(run.command.words);
    if (word !== undefined)
      yield found(
        run,
        "script_shell_syntax",
        `${word.length <= 4 ? word : word.slice(0, 2)} in the command of ${run.what} is for a shell, and none reads it: the program gets it as an argument`,
      );
  }
}

/** What follows the command of a notify line is the user it runs as, not an argument. */
function* notifyArguments(conf: Conf): Iterable<Finding> {
  for (const run of runsOf(conf)) {
    if (run.kind !== "notify" || run.command.user === undefined) continue;
    const [user = ""] = run.command.user.split(" ");
    const isNoName = !/^[a-z_][a-z0-9_-]{0,31}\$?$/i.test(user) && !/^\d+$/.test(user);
    if (!isNoName || conf.facts.users) continue;
    yield found(
      run,
      "notify_user_failed",
      `what follows the script of ${run.what} is read as the user to run it as, and cannot be one: the script is not run`,
      "Put the command and its arguments in double quotes",
    );
  }
}

function* paths(conf: Conf): Iterable<Finding> {
  for (const run of runsOf(conf)) {
    const [program = ""] = run.command.words;
    if (program === "" || program.startsWith("/") || SHELL_BUILTINS.has(program)) continue;
    if (refusalOf(run.command, contextOf(conf))) continue;
    yield found(
      run,
      "path_search",
      program.includes("/")
        ? `${shown(program)}, the script of ${run.what}, is relative to the folder keepalived runs in, mostly /`
        : `${shown(program)}, the script of ${run.what}, is searched for in PATH`,
    );
  }
}

/** Said once, in keepalived's words a "SECURITY VIOLATION": the scripts run all the same. */
function* security(conf: Conf): Iterable<Finding> {
  if (conf.running.globals.scriptSecurity) return;
  const context = contextOf(conf);
  const runs = [...runsOf(conf)].filter(({ command }) => !refusalOf(command, context));
  const [first] = runs;
  if (!first) return;
  const asRoot = runs.filter(({ command }) => ["root", "0"].includes(userOf(command, context).split(" ")[0] ?? ""));
  const { stat } = conf.facts;
  for (const run of asRoot) {
    const part = stat && unsafePart(run.command.words[0] ?? "", stat);
    if (part !== undefined)
      yield found(
        run,
        "script_unsafe",
        `the script of ${run.what} runs as root, and others than root can change ${part}`,
      );
  }
  yield {
    code: "script_security_violation",
    at: first.node.keyword.at,
    message: `scripts run without enable_script_security${conf.facts.users && asRoot.length > 0 ? ", and as root" : ""}: keepalived calls this a security violation and runs them`,
  };
}

/** Names the user that is not there, once, where it is set. */
function* scriptUser({ running, facts, globals }: Conf): Iterable<Finding> {
  const { scriptUser: user } = running.globals;
  if (user === undefined || !facts.users || facts.users.has(user.split(" ")[0] ?? "")) return;
  const line = last(globals, "script_user");
  if (line && !/^\d+$/.test(user.split(" ")[0] ?? ""))
    yield {
      code: "user_problem",
      at: line.keyword.at,
      message: `script_user ${shown(user.split(" ")[0] ?? "")} does not exist here: scripts without a user of their own are not run`,
    };
}

const SLOW_DETECTION_US = 60 * US_PER_SECOND;
const FRACTIONS_SINCE: Release = [2, 3, 2];

/** How long a fault goes unseen. */
function* times({ definitions, release }: Conf): Iterable<Finding> {
  for (const { node, value } of definitions.script.values()) {
    const nodes = node.children ?? [];
    const at = (keyword: string): Finding["at"] => (last(nodes, keyword) ?? node).keyword.at;
    const { intervalUs, timeoutUs, fall, name } = value;
    const asked = readValue(nodes, "interval", microseconds(0, 4294));
    if (asked !== undefined && asked % US_PER_SECOND !== 0 && compareReleases(release, FRACTIONS_SINCE) < 0) continue;
    if (timeoutUs > intervalUs)
      yield {
        code: "script_timeout_long",
        at: at("timeout"),
        message: `vrrp_script ${shown(name)} may run ${seconds(timeoutUs)} and is due every ${seconds(intervalUs)}: while one run hangs the next ones are skipped`,
      };
    const detection = intervalUs * fall + timeoutUs;
    if (detection > SLOW_DETECTION_US)
      yield {
        code: "script_slow",
        at: at(fall > 1 ? "fall" : "interval"),
        message: `a fault that vrrp_script ${shown(name)} watches for may go unseen for ${seconds(detection)} (${fall} failures, one every ${seconds(intervalUs)}, and a timeout of ${seconds(timeoutUs)})`,
      };
  }
}

function* empty({ definitions }: Conf): Iterable<Finding> {
  for (const { node, value } of definitions.script.values())
    if (value.command.words.length === 0)
      yield {
        code: "script_empty",
        at: node.keyword.at,
        message: `vrrp_script ${shown(value.name)} has no script to run, and is removed`,
      };
}

export const scriptRules: readonly Rule[] = [
  refused,
  needsShell,
  notifyArguments,
  paths,
  security,
  scriptUser,
  times,
  empty,
];
