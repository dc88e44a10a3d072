import { isSince } from "../options.ts";
import { readSyslog } from "../syslog/read.ts";
import { type Fault, type View, execStart, fault, used } from "./fault.ts";

/** Where the lines end up. */

export function* logFaults(view: View): Iterable<Fault> {
  if (view.chain.argvFrom === "nothing") return;
  const { log, release } = view.chain;
  const off = used(view, "no-syslog");
  if (off && log.files.length === 0 && !(log.usesConsole && used(view, "dont-fork")))
    yield fault(
      "log_nowhere",
      `${off.written} turns syslog off, and there is no -g: keepalived logs nothing at all`,
      off.word.at ?? execStart(view),
    );
  const toFile = used(view, "log-file");
  const { build } = view.facts;
  if (toFile && build && isSince("2.0.20", release) && !build.features.has("FILE_LOGGING"))
    yield fault(
      "option_unknown",
      `this build of keepalived cannot log to a file: with ${toFile.written} it exits with 1`,
      toFile.word.at ?? execStart(view),
      `Remove ${toFile.written}, or use a build with --enable-log-file`,
    );
  const console = used(view, "log-console");
  if (console && !used(view, "dont-fork"))
    yield fault(
      "log_console_unseen",
      `${console.written} logs to a stderr that the daemon closes`,
      console.word.at ?? execStart(view),
    );
  const dump = used(view, "dump-conf");
  if (dump && !isSince("2.4.0", release))
    yield fault(
      "log_dump_shows_secrets",
      `${dump.written} writes the configuration to the log, with every auth_pass in clear text`,
      dump.word.at ?? execStart(view),
    );
  if (!used(view, "log-detail")) {
    const last = view.chain.argv.at(-1);
    yield fault(
      "log_no_detail",
      "keepalived runs without -D, and leaves most of what it does out of the log",
      last?.at ?? execStart(view),
    );
  }
  yield* facility(view);
}

function* facility(view: View): Iterable<Fault> {
  const { log } = view.chain;
  const { syslog } = log;
  if (!syslog || !log.usesSyslog) return;
  const use = used(view, "log-facility");
  const at = use?.word.at ?? execStart(view);
  if (syslog.targets.length === 0) {
    const kept = log.journal && log.journal.storage !== "none" && !log.journal.dropsInfo;
    const where = syslog.discardedAt ? ` (${syslog.discardedAt.file}:${syslog.discardedAt.line} throws it away)` : "";
    yield fault(
      "log_facility_not_collected",
      `no rule of ${syslog.daemon} writes facility ${log.facility.name}${where}: ${kept ? "the lines are in the journal only" : "the lines are kept nowhere"}`,
      at,
      `Add \`${log.facility.name}.* /var/log/keepalived.log\` to the rules${use ? `, or remove ${use.written}` : ""}`,
    );
  }
  const [parent = "Keepalived", ...children] = log.programs;
  const line = (program: string): ReturnType<typeof readSyslog> =>
    readSyslog(view.tree, { program, facility: log.facility.name });
  const parents = line(parent)?.targets ?? [];
  for (const child of children) {
    const taken = new Set(line(child)?.targets.map(({ to }) => to));
    for (const { to, at: rule } of parents)
      if (!taken.has(to))
        yield fault("log_rule_misses_children", `${to} gets the lines of ${parent}, but not those of ${child}`, rule);
  }
}
