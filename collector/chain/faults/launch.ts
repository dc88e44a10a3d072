import type { SourceLocation } from "../../core/errors.ts";
import type { Launcher } from "../chain.ts";
import type { ChainTree } from "../files.ts";
import { visible } from "../located.ts";
import { isSince } from "../options.ts";
import type { StartScript } from "../script.ts";
import { failedConditions, settingOf, type Unit } from "../unit.ts";
import { CLASSIC_FILE, type Fault, type View, execStart, fault, releaseOf, used } from "./fault.ts";

/** The unit or the script that starts keepalived, and the environment it gets. */

export function* unitFaults(view: View, launcher: Extract<Launcher, { kind: "systemd" }>): Iterable<Fault> {
  const { unit, commands, command, conditions, isAssumed, refused } = launcher;
  const place = { file: unit.path ?? unit.dropIns[0] ?? "", line: 1, column: 1 };
  if (unit.maskedBy !== undefined) {
    yield fault("unit_masked", `${unit.name} is masked by ${unit.maskedBy}: systemd refuses to start it`, place);
    return;
  }
  const type = settingOf(unit, "Service", "Type")?.value.text.trim();
  for (const { at, why } of refused)
    yield fault("unit_exec_start_invalid", `systemd refuses ${unit.name} for this ExecStart=: ${why}`, at);
  if (!command) {
    if (refused.length === 0) yield fault("unit_no_exec_start", `${unit.name} has no ExecStart= that is left`, place);
  } else if (commands.length > 1 && type !== "oneshot")
    yield fault(
      "unit_several_exec_start",
      `${unit.name} has ${commands.length} ExecStart= commands, and systemd refuses to load it`,
      command.at,
    );
  for (const { key, path, at } of failedConditions(conditions)) {
    const reads = view.chain.configuration.path;
    yield fault(
      "condition_hides_start",
      `${key}=${path} does not hold, so ${key.startsWith("Assert") ? "the start fails" : "systemctl start reports success and starts nothing"}${path === reads ? "" : `; the configuration that would be read is ${reads}`}`,
      at,
      path === reads ? `Create ${path}, and see that it is not empty` : `Test ${reads} instead, or create ${path}`,
    );
  }
  for (const { key, path, at, holds } of conditions)
    if (
      holds !== false &&
      view.chain.configuration.why === "option" &&
      path === view.build.defaultFile &&
      path !== view.chain.configuration.path
    )
      yield fault(
        "condition_tests_other_file",
        `${key} tests ${path}, but keepalived reads ${view.chain.configuration.path}`,
        at,
      );
  if (!isAssumed) yield* service(view, unit, type ?? "simple");
  if (!unit.name.includes("@") && !isAssumed) yield* enabled(view, unit, place);
}

function* enabled(view: View, unit: Unit, place: SourceLocation): Iterable<Fault> {
  const { tree } = view;
  const dirs = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
  // A copy without the administrator's folder says nothing about links in it.
  if (!tree.names("/etc/systemd/system").some((name) => /\.(wants|requires)$/.test(name))) return;
  for (const dir of dirs)
    for (const folder of tree.names(dir))
      if (/\.(wants|requires|upholds)$/.test(folder) && tree.lstat(`${dir}/${folder}/${unit.name}`) !== undefined)
        return;
  if (unit.settings.some(({ section }) => section === "Install"))
    yield fault("unit_not_enabled", `no target wants ${unit.name}: it is not started at boot`, place);
}

function* service(view: View, unit: Unit, type: string): Iterable<Fault> {
  const at = (key: string): SourceLocation | undefined => settingOf(unit, "Service", key)?.at;
  const text = (key: string): string => settingOf(unit, "Service", key)?.value.text.trim() ?? "";
  const foreground = optionOfUnit(view, "dont-fork") ?? optionOfUnit(view, "config-test");
  if (view.chain.argvFrom !== "nothing" && view.launch.argv.length > 0) {
    if (type === "forking" && foreground)
      yield fault(
        "service_foreground_in_forking",
        `${foreground.written} keeps keepalived in the foreground, and Type=forking waits for it to leave`,
        foreground.at ?? at("Type"),
      );
    if (type !== "forking" && type !== "oneshot" && !foreground)
      yield fault(
        "service_forks_in_foreground_type",
        `keepalived goes to the background, and Type=${type} expects it to stay`,
        at("Type") ?? execStart(view),
      );
  }
  if (
    (type === "notify" || type === "notify-reload") &&
    view.facts.build &&
    !view.facts.build.features.has("SYSTEMD_NOTIFY")
  )
    yield fault(
      "service_notify_unsupported",
      `Type=${type}, but this build of keepalived has no SYSTEMD_NOTIFY`,
      at("Type"),
    );
  const pidFile = text("PIDFile");
  const wanted = view.chain.argvFrom === "daemon" ? undefined : view.chain.pidFiles.parent;
  if (type === "forking" && pidFile !== "" && wanted !== undefined && !samePath(view.tree, runPath(pidFile), wanted))
    yield fault(
      "pid_file_mismatch",
      `systemd waits for ${runPath(pidFile)}, and keepalived writes ${wanted}`,
      used(view, "pid")?.word.at ?? at("PIDFile"),
    );
  if (text("KillMode") === "none")
    yield fault("service_kill_mode_none", "KillMode=none: a stop ends no process", at("KillMode"));
  const restart = text("Restart");
  const respawn = used(view, "dont-respawn");
  if (respawn && (restart === "" || restart === "no"))
    yield fault(
      "service_no_restart",
      `${respawn.written} ends the daemon when a child dies, and the unit has no Restart=`,
      respawn.word.at ?? execStart(view),
    );
  if (/^on-(failure|abnormal|abort)$/.test(restart) && !isSince("2.2.5", view.chain.release))
    yield fault(
      "service_restart_without_effect",
      `Restart=${restart} does nothing for a permanent error: keepalived ${releaseOf(view)} exits with 0`,
      at("Restart"),
    );
}

/** An option of the command line that the unit gives, which is another one than a living daemon's. */
function optionOfUnit(
  view: View,
  name: string,
): { readonly written: string; readonly at: SourceLocation | undefined } | undefined {
  const short = name === "dont-fork" ? "n" : "t";
  if (view.chain.argvFrom !== "daemon") {
    const use = used(view, name);
    return use ? { written: use.written, at: use.word.at } : undefined;
  }
  const word = view.launch.argv.find(
    ({ text }) => text === `--${name}` || (/^-[A-Za-z]+$/.test(text) && text.includes(short)),
  );
  return word ? { written: word.text, at: word.at } : undefined;
}

export function* scriptFaults(view: View, script: StartScript): Iterable<Fault> {
  if (!script.argv)
    yield fault(
      "unit_no_exec_start",
      `no command of ${script.path} starts keepalived that can be read without running it`,
      { file: script.path, line: 1, column: 1 },
    );
  for (const { path, status, at, holds } of script.guards) {
    if (holds) {
      if (view.chain.configuration.why === "option" && path === CLASSIC_FILE && path !== view.chain.configuration.path)
        yield fault(
          "condition_tests_other_file",
          `the script tests ${path}, but keepalived reads ${view.chain.configuration.path}`,
          at,
        );
      continue;
    }
    // The program itself is not in a copy of /etc.
    if (!path.startsWith("/etc/") && view.facts.isLive !== true) continue;
    yield fault(
      "condition_hides_start",
      `${path} is missing, so the script ends with ${status} and starts nothing`,
      at,
      `Create ${path}, or change the test`,
    );
  }
  for (const { name, at } of script.unusedVariables)
    yield* unusedVariable(view, name, script.setVariables.get(name)?.value ?? "", at);
}

export function* environmentFaults(view: View): Iterable<Fault> {
  const { launcher } = view.chain;
  for (const { path, at, exists, isOptional } of view.chain.environment) {
    if (exists) continue;
    // A script's library of functions is not in every copy.
    if (launcher.kind === "script" && !/^\/etc\/(sysconfig|default|conf\.d)\//.test(path)) continue;
    if (!isOptional)
      yield fault(
        "environment_file_missing",
        `${path} does not exist, and nothing is started without it`,
        at,
        `Create ${path}`,
      );
    else {
      const unset = [...view.launch.usedVariables].filter((name) => !view.launch.variables.has(name));
      if (launcher.kind === "script" || unset.length > 0)
        yield fault(
          "environment_options_lost",
          `${path} does not exist: ${unset.length > 0 ? `$${unset.join(", $")} is empty, and ` : ""}keepalived starts without the options it should set`,
          at,
          `Create ${path}`,
        );
    }
  }
  if (launcher.kind === "systemd" && launcher.command && !launcher.command.isLiteral)
    for (const { name, text, at } of view.launch.variables.values())
      if (!view.launch.usedVariables.has(name)) yield* unusedVariable(view, name, text, at);
  for (const { kind, name, at } of view.launch.traps) {
    const isUsed = view.launch.usedVariables.has(name);
    if (kind === "export" && (isUsed || OPTION_VARIABLE.test(name)))
      yield fault(
        "environment_export_ignored",
        `systemd ignores the line, because export ${visible(name)} is no name of a variable`,
        at,
        `Write ${visible(name)}=… without export`,
      );
    else if (kind === "comment" && isUsed)
      yield fault(
        "environment_comment_is_value",
        `what stands behind # is part of ${name}, and its words become arguments`,
        at,
      );
    else if (kind === "dollar" && isUsed)
      yield fault("environment_not_expanded", `systemd leaves the variable inside ${name} as it is written`, at);
  }
}

function* unusedVariable(view: View, name: string, value: string, at: SourceLocation | undefined): Iterable<Fault> {
  if (value.trim() === "" || !OPTION_VARIABLE.test(name)) return;
  const { launcher } = view.chain;
  const names =
    launcher.kind === "systemd"
      ? [...view.launch.usedVariables]
      : launcher.kind === "script"
        ? [...OPTION_VARIABLES].filter(
            (one) => launcher.script.argv !== undefined && one !== name && launcher.script.setVariables.has(one),
          )
        : [];
  const asks = launcher.kind === "systemd" ? "ExecStart=" : "the start script";
  yield fault(
    "environment_variable_unused",
    `${name} is set, but ${asks} ${names.length > 0 ? `uses ${names.map((one) => `$${one}`).join(" and ")}` : "uses no such variable"}: its options never reach keepalived`,
    at,
    names[0] === undefined
      ? `Put $${name} into the command, or the options themselves`
      : `Rename ${name} to ${names[0]}`,
  );
}

/** Variables that packages and administrators keep keepalived's options in. */
const OPTION_VARIABLES: ReadonlySet<string> = new Set([
  "KEEPALIVED_OPTIONS",
  "DAEMON_ARGS",
  "KEEPALIVED_OPTS",
  "OPTIONS",
  "KEEPALIVED_ARGS",
  "DAEMON_OPTS",
  "command_args",
]);
const OPTION_VARIABLE = /^(?:KEEPALIVED_\w{0,40}|DAEMON_\w{0,40}|OPTIONS|OPTS|ARGS|EXTRA_\w{0,40})$/;

/** systemd takes a PIDFile= without a slash from /run. */
function runPath(path: string): string {
  return path.startsWith("/") ? path : `/run/${path}`;
}

/** Whether two paths mean one file; /var/run is /run on every systemd machine, in a copy of /etc as well. */
function samePath(tree: ChainTree, a: string, b: string): boolean {
  const clean = (path: string): string => (tree.real(path) ?? path).replace(/^\/var\/run\//, "/run/");
  return clean(a) === clean(b);
}
