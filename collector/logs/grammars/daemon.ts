import type { EventBody } from "../../events/event.ts";
import { daemonNamed } from "../details.ts";
import { type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import { cut } from "../text.ts";
import { count } from "./fields.ts";

/** As the parent calls them when they die. */
const CHILD_NAMES = ["VRRP", "Healthcheck", "BFD", "{child}"];

const pidOf = (words: Words): number | undefined => count(words, "pid");

function exited(
  words: Words,
  message: string,
  fields: { permanentError?: string; signal?: number; exitStatus?: number; respawning?: boolean },
): EventBody {
  const daemon = daemonNamed(words.text("child") || message);
  const childPid = pidOf(words);
  return {
    kind: "daemon.child-exited",
    respawning: false,
    ...(daemon === undefined ? {} : { daemon }),
    ...(childPid === undefined ? {} : { childPid }),
    ...fields,
  };
}

/** The program by its version, with or without the day of the release and what it was built from. */
const programs = (what: string): string[] => [
  `${what} Keepalived v{version} ({date})`,
  `${what} Keepalived v{version} ({date}), git commit {commit}`,
  `${what} Keepalived v{version}`,
];

function programOf(words: Words): { version: string; released?: string; commit?: string } {
  const [, month, day, year] = /^(\d\d)\/(\d\d),(\d{4})$/.exec(words.text("date")) ?? [];
  const commit = cut(words.text("commit"), 64);
  return {
    version: cut(words.text("version").split(" ")[0] ?? "", 64),
    ...(year === undefined ? {} : { released: `${year}-${month}-${day}` }),
    ...(commit === "" ? {} : { commit }),
  };
}

export const daemonGrammars: readonly LineGrammar[] = [
  {
    id: "daemon.starting",
    source: "core/main.c",
    since: "1.2.2",
    samples: [
      "Starting Keepalived v2.2.7 (01/16,2022)",
      "Starting Keepalived v1.3.5 (03/19,2017), git commit v1.3.5-6-g6fa32f2",
    ],
    templates: programs("Starting"),
    toEvent: (words) => ({ kind: "daemon.starting", ...programOf(words) }),
  },
  {
    id: "daemon.child-starting",
    source: "bfd/bfd_daemon.c, check/check_daemon.c, vrrp/vrrp_daemon.c",
    since: "1.2.2",
    samples: ["Starting VRRP child process, pid=15", "Starting Healthcheck child process, pid=26"],
    templates: ["VRRP", "Healthcheck", "BFD"].map((child) => `Starting ${child} child process, pid={pid:d}`),
    toEvent: (words, { message }) => {
      const [daemon, childPid] = [daemonNamed(message), pidOf(words)];
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
    templates: [...programs("Stopped"), ...programs("Stopping")],
    toEvent: (words) => ({ kind: "daemon.stopped", daemon: "parent", ...programOf(words) }),
  },
  {
    id: "daemon.stopped.child",
    source: "lib/utils.c",
    since: "1.3.0",
    samples: ["Stopped - used 0.007168 user time, 0.000000 system time", "Stopped"],
    templates: ["Stopped", "Stopped - used {userSeconds} user time, {systemSeconds} system time", "Stopped - used {*}"],
    // The parent has words of its own: where the line does not say which child, nobody must take it for the daemon's end.
    toEvent: (_words, { daemon }) =>
      daemon === undefined || daemon === "parent"
        ? { kind: "log.notice", code: "child-stopped" }
        : { kind: "daemon.stopped", daemon },
  },
  {
    id: "daemon.stopped.child-on-signal",
    source: "check/check_daemon.c, vrrp/vrrp_daemon.c",
    since: "1.2.2",
    until: "1.2.3",
    samples: ["Terminating VRRP child process on signal"],
    templates: ["Terminating VRRP child process on signal", "Terminating Healthchecker child process on signal"],
    toEvent: (_words, { message }) => ({
      kind: "daemon.stopped",
      daemon: message.includes(" VRRP ") ? "vrrp" : "checker",
    }),
  },
  {
    id: "daemon.reloading",
    source: "check/check_daemon.c, vrrp/vrrp_daemon.c, core/main.c",
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
      "Reloading VRRP child process({pid:d}) on signal",
      "Reloading Healthchecker child process({pid:d}) on signal",
    ],
    toEvent: () => ({ kind: "daemon.reloading" }),
  },
  {
    id: "daemon.child-exited.permanent",
    source: "lib/scheduler.c",
    since: "1.2.24",
    samples: [
      "pid 20 exited with permanent error CONFIG. Terminating",
      "Keepalived_vrrp exited with permanent error FATAL. Terminating",
    ],
    templates: [
      "pid {pid:d} exited with permanent error {permanent}. Terminating",
      "{child} exited with permanent error {permanent}. Terminating",
    ],
    toEvent: (words, { message }) => exited(words, message, { permanentError: cut(words.text("permanent"), 64) }),
  },
  {
    id: "daemon.child-exited.status",
    source: "lib/scheduler.c",
    since: "1.2.20",
    samples: ["pid 20 exited with status 3"],
    templates: ["pid {pid:d} exited with status {status:d}", "{child} exited with status {status:d}"],
    toEvent: (words, { message }) => {
      const exitStatus = words.number("status");
      return exited(words, message, exitStatus === undefined ? {} : { exitStatus });
    },
  },
  {
    id: "daemon.child-exited.signal",
    source: "lib/scheduler.c",
    since: "1.2.20",
    samples: ["pid 15 exited due to signal 9 (Killed)", "Keepalived_vrrp exited due to segmentation fault (SIGSEGV)."],
    templates: [
      "pid {pid:d} exited due to signal {signal:d}",
      "{child} exited due to signal {signal:d}",
      "pid {pid:d} exited due to signal {signal:d} ({*error}){*cause}",
      "{child} exited due to signal {signal:d} ({*error}){*cause}",
      "pid {pid:d} exited due to segmentation fault (SIGSEGV).",
      "{child} exited due to segmentation fault (SIGSEGV).",
    ],
    toEvent: (words, { message }) => {
      const signal = words.number("signal") ?? (message.includes("SIGSEGV") ? 11 : undefined);
      return exited(words, message, signal !== undefined && signal >= 1 && signal <= 64 ? { signal } : {});
    },
  },
  {
    id: "daemon.child-exited.respawning",
    source: "bfd/bfd_daemon.c, check/check_daemon.c, lib/scheduler.c, vrrp/vrrp_daemon.c",
    since: "1.2.2",
    samples: ["VRRP child process(15) died: Respawning"],
    templates: CHILD_NAMES.map((child) => `${child} child process({pid:d}) died: Respawning`),
    toEvent: (words, { message }) => exited(words, message, { respawning: true }),
  },
  {
    id: "daemon.child-exited.exiting",
    source: "bfd/bfd_daemon.c, check/check_daemon.c, vrrp/vrrp_daemon.c",
    since: "1.2.8",
    samples: ["VRRP child process(15) died: Exiting"],
    templates: CHILD_NAMES.map((child) => `${child} child process({pid:d}) died: Exiting`),
    // Under --dont-respawn: the daemon ends too, and says so in a line of its own.
    toEvent: (words, { message }) => exited(words, message, {}),
  },
];
