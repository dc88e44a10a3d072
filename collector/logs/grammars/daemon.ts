import type { Daemon, EventBody } from "../../events/event.ts";
import { type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import { cut } from "../text.ts";

const CHILD_WORDS: readonly (readonly [RegExp, Daemon])[] = [
  [/vrrp/i, "vrrp"],
  [/health|check/i, "checker"],
  [/bfd/i, "bfd"],
];

/** `VRRP`, `Healthcheck`, `BFD`, as the parent calls its children. */
function childOf(text: string): Daemon | undefined {
  return CHILD_WORDS.find(([pattern]) => pattern.test(text))?.[1];
}

function pidOf(words: Words): number | undefined {
  const pid = words.number("pid");
  return pid !== undefined && pid >= 0 ? pid : undefined;
}

function exited(
  words: Words,
  fields: { permanentError?: string; signal?: number; exitStatus?: number; respawning?: boolean },
): EventBody {
  const daemon = childOf(words.text("child"));
  const childPid = pidOf(words);
  return {
    kind: "daemon.child-exited",
    respawning: false,
    ...(daemon === undefined ? {} : { daemon }),
    ...(childPid === undefined ? {} : { childPid }),
    ...fields,
  };
}

/** The daemon cannot run, or not as it should, and says why. */
const failure = (
  id: string,
  source: string,
  since: string,
  sample: string,
  ...templates: readonly string[]
): LineGrammar => ({
  id: `daemon.error.${id}`,
  source,
  since,
  samples: [sample],
  templates,
  toEvent: (_words, { message }) => ({ kind: "daemon.error", code: id, message: cut(message, 1024) }),
});

export const daemonGrammars: readonly LineGrammar[] = [
  {
    id: "daemon.starting",
    source: "core/main.c",
    since: "1.2.2",
    samples: [
      "Starting Keepalived v2.2.7 (01/16,2022)",
      "Starting Keepalived v1.3.5 (03/19,2017), git commit v1.3.5-6-g6fa32f2",
    ],
    templates: [
      "Starting Keepalived v{version} ({*})",
      "Starting Keepalived v{version} ({*}), git commit {*}",
      "Starting Keepalived v{version}",
    ],
    toEvent: (words) => ({
      kind: "daemon.starting",
      version: cut(words.text("version").split(" ")[0] ?? "", 64),
    }),
  },
  {
    id: "daemon.child-starting",
    source: "vrrp/vrrp_daemon.c, check/check_daemon.c, bfd/bfd_daemon.c",
    since: "1.2.2",
    samples: ["Starting VRRP child process, pid=15", "Starting Healthcheck child process, pid=26"],
    templates: ["Starting {child} child process, pid={pid:d}"],
    toEvent: (words) => {
      const [daemon, childPid] = [childOf(words.text("child")), pidOf(words)];
      return daemon === undefined || childPid === undefined
        ? UNRECOGNISED
        : { kind: "daemon.child-starting", daemon, childPid };
    },
  },
  {
    id: "daemon.ready",
    source: "core/config_notify.c",
    since: "2.2.2",
    samples: ["Startup complete", "Reload complete"],
    templates: ["Startup complete", "Reload complete"],
    toEvent: (_words, { message }) => ({
      kind: "daemon.ready",
      phase: message.startsWith("Reload") ? "reload" : "startup",
    }),
  },
  {
    id: "daemon.stopping",
    source: "core/main.c",
    since: "1.2.2",
    samples: ["Stopping", "Terminating on signal"],
    templates: ["Stopping", "Terminating on signal"],
    toEvent: () => ({ kind: "daemon.stopping" }),
  },
  {
    id: "daemon.stopped.parent",
    source: "core/main.c",
    since: "1.2.2",
    samples: ["Stopped Keepalived v2.2.7 (01/16,2022)", "Stopping Keepalived v1.2.13 (05/28,2014)"],
    templates: ["Stopped Keepalived v{*}", "Stopping Keepalived v{*}"],
    toEvent: () => ({ kind: "daemon.stopped", daemon: "parent" }),
  },
  {
    id: "daemon.stopped.child",
    source: "vrrp/vrrp_daemon.c, check/check_daemon.c, bfd/bfd_daemon.c",
    since: "1.3.0",
    samples: ["Stopped - used 0.007168 user time, 0.000000 system time", "Stopped"],
    templates: ["Stopped", "Stopped - used {*}"],
    // The parent has words of its own: where the line does not say which child, nobody must take it for the daemon's end.
    toEvent: (_words, { daemon }) =>
      daemon === undefined || daemon === "parent"
        ? { kind: "log.notice", code: "child-stopped" }
        : { kind: "daemon.stopped", daemon },
  },
  {
    id: "daemon.stopped.child-on-signal",
    source: "vrrp/vrrp_daemon.c, check/check_daemon.c",
    since: "1.2.2",
    samples: ["Terminating VRRP child process on signal"],
    templates: ["Terminating {child} child process on signal"],
    toEvent: (words) => {
      const daemon = childOf(words.text("child"));
      return daemon === undefined ? UNRECOGNISED : { kind: "daemon.stopped", daemon };
    },
  },
  {
    id: "daemon.reloading",
    source: "core/main.c, vrrp/vrrp_daemon.c, check/check_daemon.c",
    since: "1.2.2",
    samples: [
      "Reloading ...",
      "Reloading",
      "Got SIGHUP, reloading checker configuration",
      "Reloading VRRP child process(1234) on signal",
    ],
    templates: [
      "Reloading ...",
      "Reloading",
      "Got SIGHUP, reloading checker configuration",
      "Reloading {child} child process({pid:d}) on signal",
    ],
    toEvent: () => ({ kind: "daemon.reloading" }),
  },
  {
    id: "daemon.child-exited.permanent",
    source: "core/main.c",
    since: "1.2.24",
    samples: [
      "pid 20 exited with permanent error CONFIG. Terminating",
      "Keepalived_vrrp exited with permanent error FATAL. Terminating",
    ],
    templates: [
      "pid {pid:d} exited with permanent error {error}. Terminating",
      "{child} exited with permanent error {error}. Terminating",
    ],
    toEvent: (words) => exited(words, { permanentError: cut(words.text("error"), 64) }),
  },
  {
    id: "daemon.child-exited.status",
    source: "core/main.c",
    since: "1.2.20",
    samples: ["pid 20 exited with status 3"],
    templates: ["pid {pid:d} exited with status {status:d}", "{child} exited with status {status:d}"],
    toEvent: (words) => {
      const exitStatus = words.number("status");
      return exited(words, exitStatus === undefined ? {} : { exitStatus });
    },
  },
  {
    id: "daemon.child-exited.signal",
    source: "core/main.c",
    since: "1.2.20",
    samples: ["pid 15 exited due to signal 9 (Killed)", "Keepalived_vrrp exited due to segmentation fault (SIGSEGV)."],
    templates: [
      "pid {pid:d} exited due to signal {signal:d}{*}",
      "{child} exited due to signal {signal:d}{*}",
      "pid {pid:d} exited due to segmentation fault (SIGSEGV).",
      "{child} exited due to segmentation fault (SIGSEGV).",
    ],
    toEvent: (words, { message }) => {
      const signal = words.number("signal") ?? (message.includes("SIGSEGV") ? 11 : undefined);
      return exited(words, signal !== undefined && signal >= 1 && signal <= 64 ? { signal } : {});
    },
  },
  {
    id: "daemon.child-exited.respawning",
    source: "vrrp/vrrp_daemon.c, check/check_daemon.c, bfd/bfd_daemon.c",
    since: "1.2.2",
    samples: ["VRRP child process(15) died: Respawning"],
    templates: ["{child} child process({pid:d}) died: Respawning"],
    toEvent: (words) => exited(words, { respawning: true }),
  },
  {
    id: "daemon.child-exited.exiting",
    source: "vrrp/vrrp_daemon.c, check/check_daemon.c, bfd/bfd_daemon.c",
    since: "1.2.8",
    samples: ["VRRP child process(15) died: Exiting"],
    templates: ["{child} child process({pid:d}) died: Exiting"],
    // Under --dont-respawn: the daemon ends too, and says so in a line of its own.
    toEvent: (words) => exited(words, {}),
  },
  failure("already-running", "core/main.c", "1.2.2", "daemon is already running", "daemon is already running"),
  failure(
    "pidfile",
    "core/pidfile.c",
    "1.2.2",
    "pidfile_write : Cannot open /run/keepalived.pid pidfile",
    "pidfile_write : Can not open {*} pidfile",
    "pidfile_write : Cannot open {*} pidfile",
    "Error opening pid file {*}",
    "Error reading pid file {*}",
    "Another process has pid file {*} locked",
    "Locking pid file {*} error {*}",
    "ftruncate error {*}",
  ),
  failure(
    "child-pidfile",
    "vrrp/vrrp_daemon.c",
    "1.2.2",
    "VRRP child process: cannot write pidfile",
    "{*} child process: cannot write pidfile",
  ),
  failure(
    "fork",
    "core/daemon.c",
    "1.2.2",
    "xdaemon: fork error",
    "xdaemon: {*} error",
    "{*} child process: fork error({*})",
    "Failed fork process",
  ),
  failure(
    "namespace",
    "core/main.c",
    "1.2.24",
    "Unable to set network namespace blue - exiting",
    "Unable to set network namespace {*} - exiting",
    "setns() failed with error {*}",
    "Failed to open namespace fds{*}",
  ),
  failure(
    "no-configuration",
    "core/main.c",
    "2.0.7",
    "Warning - keepalived has no configuration to run",
    "Warning - keepalived has no configuration to run",
  ),
  failure(
    "ipvs-unavailable",
    "check/ipvswrapper.c",
    "1.2.2",
    "IPVS: Can't initialize ipvs: No such file or directory",
    "IPVS: Can't initialize ipvs: {*}",
    "IPVS: Can't initialize ipvs",
  ),
  failure(
    "event-loop",
    "lib/scheduler.c",
    "2.0.8",
    "scheduler: epoll_wait error: 9 (Bad file descriptor)",
    "scheduler: epoll_wait {*}",
  ),
  failure(
    "cpu-limit",
    "lib/signals.c",
    "2.0.0",
    "vrrp process has used too much CPU time, vrrp_rlimit_rttime may need to be increased",
    "{*} process has used too much CPU time, {*} may need to be increased",
  ),
  failure(
    "netlink-unavailable",
    "core/keepalived_netlink.c",
    "1.2.2",
    "Error while registering Kernel netlink reflector channel",
    "Error while registering Kernel netlink {*} channel",
  ),
  failure(
    "garp-unavailable",
    "vrrp/vrrp_arp.c, vrrp/vrrp_ndisc.c",
    "1.2.3",
    "Error 1 while registering gratuitous ARP shared channel",
    "Error while registering gratuitous {*} shared channel",
    "Error {*} while registering gratuitous {*} shared channel",
  ),
  failure(
    "reload-refused",
    "core/main.c",
    "1.2.24",
    "Cannot change network namespace at a reload - please restart Keepalived v2.2.7 (01/16,2022)",
    "Cannot change {*} at a reload - please restart {*}",
    "New config failed validation, see {*} for details",
  ),
];
