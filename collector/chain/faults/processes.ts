import { visible } from "../located.ts";
import { isSince } from "../options.ts";
import { isKeepalived, pidIn, type RunningDaemon } from "../process.ts";
import { NAMES, type Fault, type View, execStart, fault } from "./fault.ts";

/** What lives, and what pid files say. */

export function* daemonFaults(view: View): Iterable<Fault> {
  const { daemon, launch, tree } = view;
  const { daemons, configuration, subsystems } = view.chain;
  const byNamespace = new Map<string, RunningDaemon>();
  for (const one of daemons) {
    const key = one.process.networkNamespace ?? "";
    const other = byNamespace.get(key);
    if (other)
      yield fault(
        "daemon_twice",
        `processes ${other.process.pid} and ${one.process.pid} are both keepalived daemons, in one network namespace`,
      );
    byNamespace.set(key, one);
  }
  if (!daemon) return;
  const { process, children } = daemon;
  const wanted = launch.argv.slice(1).map(({ text }) => text);
  if (launch.argv.length > 0 && wanted.join("\0") !== process.argv.slice(1).join("\0"))
    yield fault(
      "daemon_options_differ",
      `process ${process.pid} runs with \`${visible(process.argv.slice(1).join(" "))}\`, and would be started with \`${visible(wanted.join(" "))}\``,
      execStart(view),
    );
  const expected = subsystems.filter(({ runs }) => runs);
  if (children.length < expected.length && configuration.unreadable === undefined) {
    const gone = expected.filter(({ name }) => {
      const pid = pidIn(tree, view.chain.pidFiles[name]);
      return pid === undefined || !children.some((child) => child.pid === pid);
    });
    const names = gone.map(({ name }) => NAMES[name]).join(" and ");
    yield fault(
      "daemon_child_missing",
      `process ${process.pid} has ${children.length} of ${expected.length} children${names === "" ? "" : `: no ${names}`}`,
    );
  }
  for (const file of configuration.files) {
    const changed = tree.stat(file)?.mtimeUs;
    // Start times are known to a hundredth of a second.
    if (changed !== undefined && process.startedUs !== undefined && changed > process.startedUs + 1_000_000)
      yield fault("config_newer_than_daemon", `${file} was changed after process ${process.pid} was started`, {
        file,
        line: 1,
        column: 1,
      });
  }
}

export function* pidFileFaults(view: View): Iterable<Fault> {
  const { processes } = view.facts;
  if (!processes) return;
  const alive = new Map(processes.map((one) => [one.pid, one]));
  for (const name of ["parent", "vrrp", "checkers", "bfd"] as const) {
    const path = view.chain.pidFiles[name];
    const pid = pidIn(view.tree, path);
    if (pid === undefined) continue;
    const process = alive.get(pid);
    const at = { file: path, line: 1, column: 1 };
    if (!process)
      yield fault("pid_file_stale", `${path} names process ${pid}, which does not exist`, at, `Remove ${path}`);
    else if (!isKeepalived(process)) {
      const status = isSince("2.3.2", view.chain.release) ? "" : " and exits with 0";
      yield fault(
        "pid_file_in_use",
        `${path} names process ${pid}, which is ${visible(process.name)} and not keepalived: a start takes the daemon for running${status}`,
        at,
        `Remove ${path}`,
      );
    } else if (!view.daemon)
      yield fault("pid_file_in_use", `${path} names process ${pid}, a keepalived: a second one does not start`, at);
  }
}
