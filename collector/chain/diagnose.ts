import { codeOf, severityOf } from "../conf/codes/registry.ts";
import type { SourceLocation } from "../core/errors.ts";
import type { KeepalivedBuild } from "./build.ts";
import type { ChainDiagnostic, ChainDraft, ChainFacts, Launch, Launcher } from "./chain.ts";
import type { ChainTree } from "./files.ts";
import { visible } from "./located.ts";
import { isSince, type OptionFault, optionOf } from "./options.ts";
import { isKeepalived, pidIn, type RunningDaemon } from "./process.ts";
import type { StartScript } from "./script.ts";
import { readSyslog } from "./syslog.ts";
import { failedConditions, settingOf, type Unit } from "./unit.ts";

interface Context {
  readonly tree: ChainTree;
  readonly facts: ChainFacts;
  readonly build: Pick<KeepalivedBuild, "defaultFile" | "deprecatedFile">;
  readonly launch: Launch;
  /** The living daemon whose command line the chain follows. */
  readonly daemon?: RunningDaemon;
}

/** Where the configuration is by every distribution's package. */
const CLASSIC_FILE = "/etc/keepalived/keepalived.conf";
/** Most diagnostics of one kind: an environment file of a million words is not worth a million lines. */
const SAME_CODE_MAX = 20;

/** Everything on the chain that starts nothing, reads something else, or logs nowhere. */
export function diagnose(chain: ChainDraft, context: Context): ChainDiagnostic[] {
  return new Diagnosis(chain, context).run();
}

class Diagnosis {
  private readonly found: ChainDiagnostic[] = [];
  private readonly counts = new Map<string, number>();
  private readonly chain: ChainDraft;
  private readonly context: Context;

  constructor(chain: ChainDraft, context: Context) {
    this.chain = chain;
    this.context = context;
  }

  run(): ChainDiagnostic[] {
    const { launcher } = this.chain;
    if (launcher.kind === "systemd") this.unit(launcher);
    else if (launcher.kind === "script") this.script(launcher.script);
    else if (this.chain.argvFrom === "nothing")
      this.add("unit_not_found", "no systemd unit and no start script for keepalived was found", undefined);
    this.environment();
    this.options();
    this.configuration();
    this.subsystems();
    this.log();
    this.daemons();
    this.pidFiles();
    return this.found;
  }

  private add(code: string, message: string, at: SourceLocation | undefined, fix: string = codeOf(code).fix): void {
    const count = (this.counts.get(code) ?? 0) + 1;
    this.counts.set(code, count);
    if (count > SAME_CODE_MAX) return;
    this.found.push({
      code,
      severity: severityOf(code, this.chain.release),
      message: message.slice(0, 1024),
      fix: fix.slice(0, 1024),
      ...(at === undefined ? {} : { at }),
    });
  }

  private use(option: string): ReturnType<typeof optionOf> {
    return optionOf(this.chain.options, option);
  }

  /** The release as people write it. */
  private get release(): string {
    return this.chain.release.join(".");
  }

  // --- the unit -------------------------------------------------------------------------------------------------

  private unit(launcher: Extract<Launcher, { kind: "systemd" }>): void {
    const { unit, commands, command, conditions, isAssumed, refused } = launcher;
    const place = { file: unit.path ?? unit.dropIns[0] ?? "", line: 1, column: 1 };
    if (unit.maskedBy !== undefined)
      return this.add("unit_masked", `${unit.name} is masked by ${unit.maskedBy}: systemd refuses to start it`, place);
    const type = settingOf(unit, "Service", "Type")?.value.text.trim();
    for (const { at, why } of refused)
      this.add("unit_exec_start_invalid", `systemd refuses ${unit.name} for this ExecStart=: ${why}`, at);
    if (!command) {
      if (refused.length === 0) this.add("unit_no_exec_start", `${unit.name} has no ExecStart= that is left`, place);
    } else if (commands.length > 1 && type !== "oneshot")
      this.add(
        "unit_several_exec_start",
        `${unit.name} has ${commands.length} ExecStart= commands, and systemd refuses to load it`,
        command.at,
      );
    for (const { key, path, at } of failedConditions(conditions)) {
      const reads = this.chain.configuration.path;
      this.add(
        "condition_hides_start",
        `${key}=${path} does not hold, so ${key.startsWith("Assert") ? "the start fails" : "systemctl start reports success and starts nothing"}${path === reads ? "" : `; the configuration that would be read is ${reads}`}`,
        at,
        path === reads ? `Create ${path}, and see that it is not empty` : `Test ${reads} instead, or create ${path}`,
      );
    }
    for (const { key, path, at, holds } of conditions)
      if (
        holds !== false &&
        this.chain.configuration.why === "option" &&
        path === this.context.build.defaultFile &&
        path !== this.chain.configuration.path
      )
        this.add(
          "condition_tests_other_file",
          `${key} tests ${path}, but keepalived reads ${this.chain.configuration.path}`,
          at,
        );
    if (!isAssumed) this.service(unit, type ?? "simple");
    if (!unit.name.includes("@") && !isAssumed) this.enabled(unit, place);
  }

  private enabled(unit: Unit, place: SourceLocation): void {
    const { tree } = this.context;
    const dirs = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    // A copy without the administrator's folder says nothing about links in it.
    if (!tree.names("/etc/systemd/system").some((name) => /\.(wants|requires)$/.test(name))) return;
    for (const dir of dirs)
      for (const folder of tree.names(dir))
        if (/\.(wants|requires|upholds)$/.test(folder) && tree.lstat(`${dir}/${folder}/${unit.name}`) !== undefined)
          return;
    if (unit.settings.some(({ section }) => section === "Install"))
      this.add("unit_not_enabled", `no target wants ${unit.name}: it is not started at boot`, place);
  }

  private service(unit: Unit, type: string): void {
    const at = (key: string): SourceLocation | undefined => settingOf(unit, "Service", key)?.at;
    const text = (key: string): string => settingOf(unit, "Service", key)?.value.text.trim() ?? "";
    const foreground = this.optionOfUnit("dont-fork") ?? this.optionOfUnit("config-test");
    if (this.chain.argvFrom !== "nothing" && this.context.launch.argv.length > 0) {
      if (type === "forking" && foreground)
        this.add(
          "service_foreground_in_forking",
          `${foreground.written} keeps keepalived in the foreground, and Type=forking waits for it to leave`,
          foreground.at ?? at("Type"),
        );
      if (type !== "forking" && type !== "oneshot" && !foreground)
        this.add(
          "service_forks_in_foreground_type",
          `keepalived goes to the background, and Type=${type} expects it to stay`,
          at("Type") ?? this.execStart(),
        );
    }
    if (
      (type === "notify" || type === "notify-reload") &&
      this.context.facts.build &&
      !this.context.facts.build.features.has("SYSTEMD_NOTIFY")
    )
      this.add(
        "service_notify_unsupported",
        `Type=${type}, but this build of keepalived has no SYSTEMD_NOTIFY`,
        at("Type"),
      );
    const pidFile = text("PIDFile");
    const wanted = this.chain.argvFrom === "daemon" ? undefined : this.chain.pidFiles.parent;
    if (
      type === "forking" &&
      pidFile !== "" &&
      wanted !== undefined &&
      !samePath(this.context.tree, runPath(pidFile), wanted)
    )
      this.add(
        "pid_file_mismatch",
        `systemd waits for ${runPath(pidFile)}, and keepalived writes ${wanted}`,
        this.use("pid")?.word.at ?? at("PIDFile"),
      );
    if (text("KillMode") === "none")
      this.add("service_kill_mode_none", "KillMode=none: a stop ends no process", at("KillMode"));
    const restart = text("Restart");
    const respawn = this.use("dont-respawn");
    if (respawn && (restart === "" || restart === "no"))
      this.add(
        "service_no_restart",
        `${respawn.written} ends the daemon when a child dies, and the unit has no Restart=`,
        respawn.word.at ?? this.execStart(),
      );
    if (/^on-(failure|abnormal|abort)$/.test(restart) && !isSince("2.2.5", this.chain.release))
      this.add(
        "service_restart_without_effect",
        `Restart=${restart} does nothing for a permanent error: keepalived ${this.release} exits with 0`,
        at("Restart"),
      );
  }

  /** An option of the command line that the unit gives, which is another one than a living daemon's. */
  private optionOfUnit(
    name: string,
  ): { readonly written: string; readonly at: SourceLocation | undefined } | undefined {
    const short = name === "dont-fork" ? "n" : "t";
    if (this.chain.argvFrom !== "daemon") {
      const use = this.use(name);
      return use ? { written: use.written, at: use.word.at } : undefined;
    }
    const word = this.context.launch.argv.find(
      ({ text }) => text === `--${name}` || (/^-[A-Za-z]+$/.test(text) && text.includes(short)),
    );
    return word ? { written: word.text, at: word.at } : undefined;
  }

  private execStart(): SourceLocation | undefined {
    const { launcher } = this.chain;
    return launcher.kind === "systemd"
      ? launcher.command?.at
      : launcher.kind === "script"
        ? launcher.script.at
        : undefined;
  }

  // --- the script -----------------------------------------------------------------------------------------------

  private script(script: StartScript): void {
    if (!script.argv)
      this.add(
        "unit_no_exec_start",
        `no command of ${script.path} starts keepalived that can be read without running it`,
        {
          file: script.path,
          line: 1,
          column: 1,
        },
      );
    for (const { path, status, at, holds } of script.guards) {
      if (holds) {
        if (
          this.chain.configuration.why === "option" &&
          path === CLASSIC_FILE &&
          path !== this.chain.configuration.path
        )
          this.add(
            "condition_tests_other_file",
            `the script tests ${path}, but keepalived reads ${this.chain.configuration.path}`,
            at,
          );
        continue;
      }
      // The program itself is not in a copy of /etc.
      if (!path.startsWith("/etc/") && this.context.facts.isLive !== true) continue;
      this.add(
        "condition_hides_start",
        `${path} is missing, so the script ends with ${status} and starts nothing`,
        at,
        `Create ${path}, or change the test`,
      );
    }
    for (const { name, at } of script.unusedVariables)
      this.unusedVariable(name, script.setVariables.get(name)?.value ?? "", at);
  }

  // --- the environment ------------------------------------------------------------------------------------------

  private environment(): void {
    const { launcher } = this.chain;
    for (const { path, at, exists, isOptional } of this.chain.environment) {
      if (exists) continue;
      // A script's library of functions is not in every copy.
      if (launcher.kind === "script" && !/^\/etc\/(sysconfig|default|conf\.d)\//.test(path)) continue;
      if (!isOptional)
        this.add(
          "environment_file_missing",
          `${path} does not exist, and nothing is started without it`,
          at,
          `Create ${path}`,
        );
      else {
        const unset = [...this.context.launch.usedVariables].filter((name) => !this.context.launch.variables.has(name));
        if (launcher.kind === "script" || unset.length > 0)
          this.add(
            "environment_options_lost",
            `${path} does not exist: ${unset.length > 0 ? `$${unset.join(", $")} is empty, and ` : ""}keepalived starts without the options it should set`,
            at,
            `Create ${path}`,
          );
      }
    }
    if (launcher.kind === "systemd" && launcher.command && !launcher.command.isLiteral)
      for (const { name, text, at } of this.context.launch.variables.values())
        if (!this.context.launch.usedVariables.has(name)) this.unusedVariable(name, text, at);
    for (const { kind, name, at } of this.context.launch.traps) {
      const isUsed = this.context.launch.usedVariables.has(name);
      if (kind === "export" && (isUsed || OPTION_VARIABLE.test(name)))
        this.add(
          "environment_export_ignored",
          `systemd ignores the line, because export ${visible(name)} is no name of a variable`,
          at,
          `Write ${visible(name)}=… without export`,
        );
      else if (kind === "comment" && isUsed)
        this.add(
          "environment_comment_is_value",
          `what stands behind # is part of ${name}, and its words become arguments`,
          at,
        );
      else if (kind === "dollar" && isUsed)
        this.add("environment_not_expanded", `systemd leaves the variable inside ${name} as it is written`, at);
    }
  }

  private unusedVariable(name: string, value: string, at: SourceLocation | undefined): void {
    if (value.trim() === "" || !OPTION_VARIABLE.test(name)) return;
    const { launcher } = this.chain;
    const names =
      launcher.kind === "systemd"
        ? [...this.context.launch.usedVariables]
        : launcher.kind === "script"
          ? [...OPTION_VARIABLES].filter(
              (one) => launcher.script.argv !== undefined && one !== name && launcher.script.setVariables.has(one),
            )
          : [];
    const asks = launcher.kind === "systemd" ? "ExecStart=" : "the start script";
    this.add(
      "environment_variable_unused",
      `${name} is set, but ${asks} ${names.length > 0 ? `uses ${names.map((one) => `$${one}`).join(" and ")}` : "uses no such variable"}: its options never reach keepalived`,
      at,
      names[0] === undefined
        ? `Put $${name} into the command, or the options themselves`
        : `Rename ${name} to ${names[0]}`,
    );
  }

  // --- the options ----------------------------------------------------------------------------------------------

  private options(): void {
    const { options, release } = this.chain;
    for (const fault of options.faults) this.optionFault(fault);
    const extra = options.faults.filter(({ kind }) => kind === "unexpected-argument");
    const [first] = extra;
    if (first)
      this.add(
        "argument_unexpected",
        `${visible(extra.map(({ written }) => written).join(" "))}: ${extra.length === 1 ? "this word belongs" : "these words belong"} to no option, and keepalived passes over ${extra.length === 1 ? "it" : "them"}`,
        first.word.at ?? this.execStart(),
      );
    for (const { option, written, word } of options.uses) {
      const at = word.at ?? this.execStart();
      const what = ENDS_START[option];
      if (what !== undefined) this.add("option_ends_start", `${written} ${what}: the daemon is never started`, at);
    }
    const { invalid, name } = this.chain.log.facility;
    if (invalid)
      this.add(
        "option_value_ignored",
        `${invalid.written} ${visible(invalid.value ?? "")} is no facility of keepalived ${this.release}, which logs to ${name}`,
        invalid.word.at ?? this.execStart(),
        isSince("2.2.5", release)
          ? "Give 0 to 7, local0 to local7, user or daemon"
          : "Give a digit from 0 to 7: names came with 2.2.5",
      );
    const umask = this.use("umask");
    if (umask && !/^0?[0-7]{1,3}$/.test(umask.value ?? ""))
      this.add(
        "option_value_ignored",
        `${umask.written} ${visible(umask.value ?? "")} is no umask, and is not taken`,
        umask.word.at ?? this.execStart(),
        "Give an octal number, such as 077",
      );
    const file = this.use("use-file");
    if (file && !(file.value ?? "").startsWith("/"))
      this.add(
        "config_path_relative",
        `${file.written} ${visible(file.value ?? "")} is relative, and is looked for in ${this.chain.workingDirectory} at the start${this.use("dont-fork") ? "" : " and in / at a reload"}`,
        file.word.at ?? this.execStart(),
        `Give ${this.chain.configuration.path}`,
      );
    const namespace = this.use("namespace");
    if (
      namespace &&
      this.context.facts.isLive &&
      !this.context.tree.exists(`/run/netns/${namespace.value ?? ""}`) &&
      !this.context.tree.exists(`/var/run/netns/${namespace.value ?? ""}`)
    )
      this.add(
        "namespace_missing",
        `network namespace ${visible(namespace.value ?? "")} does not exist`,
        namespace.word.at ?? this.execStart(),
      );
    const keeps = this.use("dont-release-vrrp");
    if (keeps)
      this.add(
        "addresses_kept_on_stop",
        `${keeps.written} leaves the virtual addresses on this node when keepalived stops`,
        keeps.word.at ?? this.execStart(),
      );
  }

  private optionFault({ kind, written, word, why }: OptionFault): void {
    const at = word.at ?? this.execStart();
    const option = visible(written);
    const ends = isSince("1.4.1", this.chain.release)
      ? "exits with 1"
      : isSince("1.2.9", this.chain.release)
        ? "exits with 0"
        : "ignores it and everything behind it";
    switch (kind) {
      case "unknown":
        return this.add(
          "option_unknown",
          `keepalived ${this.release} does not know ${option}${why === undefined ? "" : ` (${why})`}, and ${ends}`,
          at,
        );
      case "ambiguous":
        return this.add(
          "option_unknown",
          `${option} may be several options, and keepalived ${ends}`,
          at,
          "Write the option's whole name",
        );
      case "unwanted-value":
        return this.add(
          "option_unknown",
          `${option} takes no value, and keepalived ${ends}`,
          at,
          `Write ${option} without a value`,
        );
      case "missing-value":
        return this.add("option_missing_value", `${option} needs a value, and has none: keepalived ${ends}`, at);
      case "unexpected-argument":
        // All of them are one finding.
        return;
    }
  }

  // --- the configuration ----------------------------------------------------------------------------------------

  private configuration(): void {
    if (this.chain.argvFrom === "nothing") return;
    const { configuration } = this.chain;
    const { tree, build, facts } = this.context;
    const place = configuration.at ?? this.execStart();
    if (configuration.unreadable !== undefined)
      this.add(
        "config_file_missing",
        `keepalived reads ${visible(configuration.path)}, but ${configuration.unreadable}`,
        place,
      );
    if (facts.expectedFile !== undefined && !this.reads(facts.expectedFile))
      this.add(
        "config_file_not_read",
        `${facts.expectedFile} is not read: keepalived reads ${visible(configuration.path)}`,
        { file: facts.expectedFile, line: 1, column: 1 },
        `Edit ${visible(configuration.path)}, or give -f ${facts.expectedFile}`,
      );
    const other = build.defaultFile;
    if (configuration.why === "option" && other !== facts.expectedFile && tree.exists(other) && !this.reads(other))
      this.add(
        "config_default_not_read",
        `${other} exists, but -f makes keepalived read ${visible(configuration.path)}`,
        place,
      );
    if (
      configuration.why === "default" &&
      other !== CLASSIC_FILE &&
      CLASSIC_FILE !== facts.expectedFile &&
      tree.exists(CLASSIC_FILE) &&
      !this.reads(CLASSIC_FILE)
    )
      this.add(
        "config_build_default",
        `this keepalived was built to read ${other}, and ${CLASSIC_FILE} exists without being read`,
        this.execStart(),
      );
    if (configuration.why === "deprecated-default")
      this.add(
        "config_deprecated_path",
        `${other} does not exist, so ${configuration.path} is read, a path that is deprecated`,
        this.execStart(),
        `Move ${configuration.path} to ${other}`,
      );
  }

  /** Whether this file is one of those that are read, by whatever name. */
  private reads(path: string): boolean {
    const { tree } = this.context;
    const real = tree.real(path);
    return [this.chain.configuration.path, ...this.chain.configuration.files].some(
      (one) => one === path || tree.real(one) === real,
    );
  }

  private subsystems(): void {
    if (this.chain.argvFrom === "nothing" || this.chain.configuration.unreadable !== undefined) return;
    if (this.chain.options.uses.some(({ option }) => ENDS_START[option] !== undefined)) return;
    const { subsystems } = this.chain;
    for (const { name, neededAt, hiddenBy } of subsystems)
      if (neededAt && hiddenBy)
        this.add(
          "subsystem_hidden",
          `${hiddenBy.text} starts no ${NAMES[name]}, and the configuration has ${BLOCKS[name]} (${neededAt.file}:${neededAt.line})`,
          hiddenBy.at ?? this.execStart(),
          `Remove ${hiddenBy.text}`,
        );
    // Without any block the configuration's own check says that there is nothing to run.
    if (subsystems.some(({ neededAt }) => neededAt) && !subsystems.some(({ runs }) => runs))
      this.add(
        "nothing_started",
        "the options leave nothing of the configuration to start",
        subsystems.find(({ hiddenBy }) => hiddenBy)?.hiddenBy?.at ?? this.execStart(),
      );
  }

  // --- the log --------------------------------------------------------------------------------------------------

  private log(): void {
    if (this.chain.argvFrom === "nothing") return;
    const { log, release } = this.chain;
    const off = this.use("no-syslog");
    if (off && log.files.length === 0 && !(log.usesConsole && this.use("dont-fork")))
      this.add(
        "log_nowhere",
        `${off.written} turns syslog off, and there is no -g: keepalived logs nothing at all`,
        off.word.at ?? this.execStart(),
      );
    const toFile = this.use("log-file");
    const { build } = this.context.facts;
    if (toFile && build && isSince("2.0.20", release) && !build.features.has("FILE_LOGGING"))
      this.add(
        "option_unknown",
        `this build of keepalived cannot log to a file: with ${toFile.written} it exits with 1`,
        toFile.word.at ?? this.execStart(),
        `Remove ${toFile.written}, or use a build with --enable-log-file`,
      );
    const console = this.use("log-console");
    if (console && !this.use("dont-fork"))
      this.add(
        "log_console_unseen",
        `${console.written} logs to a stderr that the daemon closes`,
        console.word.at ?? this.execStart(),
      );
    const dump = this.use("dump-conf");
    if (dump && !isSince("2.4.0", release))
      this.add(
        "log_dump_shows_secrets",
        `${dump.written} writes the configuration to the log, with every auth_pass in clear text`,
        dump.word.at ?? this.execStart(),
      );
    if (!this.use("log-detail")) {
      const last = this.chain.argv.at(-1);
      this.add(
        "log_no_detail",
        "keepalived runs without -D, and leaves most of what it does out of the log",
        last?.at ?? this.execStart(),
      );
    }
    this.facility();
  }

  private facility(): void {
    const { log } = this.chain;
    const { syslog } = log;
    if (!syslog || !log.usesSyslog) return;
    const use = this.use("log-facility");
    const at = use?.word.at ?? this.execStart();
    if (syslog.targets.length === 0) {
      const kept = log.journal && log.journal.storage !== "none" && !log.journal.dropsInfo;
      const where = syslog.discardedAt ? ` (${syslog.discardedAt.file}:${syslog.discardedAt.line} throws it away)` : "";
      this.add(
        "log_facility_not_collected",
        `no rule of ${syslog.daemon} writes facility ${log.facility.name}${where}: ${kept ? "the lines are in the journal only" : "the lines are kept nowhere"}`,
        at,
        `Add \`${log.facility.name}.* /var/log/keepalived.log\` to the rules${use ? `, or remove ${use.written}` : ""}`,
      );
    }
    const [parent = "Keepalived", ...children] = log.programs;
    const line = (program: string): ReturnType<typeof readSyslog> =>
      readSyslog(this.context.tree, { program, facility: log.facility.name });
    const parents = line(parent)?.targets ?? [];
    for (const child of children) {
      const taken = new Set(line(child)?.targets.map(({ to }) => to));
      for (const { to, at: rule } of parents)
        if (!taken.has(to))
          this.add("log_rule_misses_children", `${to} gets the lines of ${parent}, but not those of ${child}`, rule);
    }
  }

  // --- what runs ------------------------------------------------------------------------------------------------

  private daemons(): void {
    const { daemon, launch, tree } = this.context;
    const { daemons, configuration, subsystems } = this.chain;
    const byNamespace = new Map<string, RunningDaemon>();
    for (const one of daemons) {
      const key = one.process.networkNamespace ?? "";
      const other = byNamespace.get(key);
      if (other)
        this.add(
          "daemon_twice",
          `processes ${other.process.pid} and ${one.process.pid} are both keepalived daemons, in one network namespace`,
          undefined,
        );
      byNamespace.set(key, one);
    }
    if (!daemon) return;
    const { process, children } = daemon;
    const wanted = launch.argv.slice(1).map(({ text }) => text);
    if (launch.argv.length > 0 && wanted.join("\0") !== process.argv.slice(1).join("\0"))
      this.add(
        "daemon_options_differ",
        `process ${process.pid} runs with \`${visible(process.argv.slice(1).join(" "))}\`, and would be started with \`${visible(wanted.join(" "))}\``,
        this.execStart(),
      );
    const expected = subsystems.filter(({ runs }) => runs);
    if (children.length < expected.length && configuration.unreadable === undefined) {
      const gone = expected.filter(({ name }) => {
        const pid = pidIn(tree, this.chain.pidFiles[name]);
        return pid === undefined || !children.some((child) => child.pid === pid);
      });
      const names = gone.map(({ name }) => NAMES[name]).join(" and ");
      this.add(
        "daemon_child_missing",
        `process ${process.pid} has ${children.length} of ${expected.length} children${names === "" ? "" : `: no ${names}`}`,
        undefined,
      );
    }
    for (const file of configuration.files) {
      const changed = tree.stat(file)?.mtimeUs;
      // Start times are known to a hundredth of a second.
      if (changed !== undefined && process.startedUs !== undefined && changed > process.startedUs + 1_000_000)
        this.add("config_newer_than_daemon", `${file} was changed after process ${process.pid} was started`, {
          file,
          line: 1,
          column: 1,
        });
    }
  }

  private pidFiles(): void {
    const { processes } = this.context.facts;
    if (!processes) return;
    const alive = new Map(processes.map((one) => [one.pid, one]));
    for (const name of ["parent", "vrrp", "checkers", "bfd"] as const) {
      const path = this.chain.pidFiles[name];
      const pid = pidIn(this.context.tree, path);
      if (pid === undefined) continue;
      const process = alive.get(pid);
      const at = { file: path, line: 1, column: 1 };
      if (!process)
        this.add("pid_file_stale", `${path} names process ${pid}, which does not exist`, at, `Remove ${path}`);
      else if (!isKeepalived(process)) {
        const status = isSince("2.3.2", this.chain.release) ? "" : " and exits with 0";
        this.add(
          "pid_file_in_use",
          `${path} names process ${pid}, which is ${visible(process.name)} and not keepalived: a start takes the daemon for running${status}`,
          at,
          `Remove ${path}`,
        );
      } else if (!this.context.daemon)
        this.add("pid_file_in_use", `${path} names process ${pid}, a keepalived: a second one does not start`, at);
    }
  }
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

const ENDS_START: Readonly<Record<string, string>> = {
  "config-test": "only checks the configuration",
  version: "prints the version",
  help: "prints the options",
  signum: "prints a signal's number",
  genhash: "is the genhash tool",
};

const NAMES = { vrrp: "VRRP", checkers: "health checkers", bfd: "BFD" } as const;
const BLOCKS = { vrrp: "a vrrp_instance", checkers: "a virtual_server", bfd: "a bfd_instance" } as const;

/** systemd takes a PIDFile= without a slash from /run. */
function runPath(path: string): string {
  return path.startsWith("/") ? path : `/run/${path}`;
}

/** Whether two paths mean one file; /var/run is /run on every systemd machine, in a copy of /etc as well. */
function samePath(tree: ChainTree, a: string, b: string): boolean {
  const clean = (path: string): string => (tree.real(path) ?? path).replace(/^\/var\/run\//, "/run/");
  return clean(a) === clean(b);
}
