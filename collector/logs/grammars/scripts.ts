import { type LineGrammar, UNRECOGNISED, type Words } from "../grammar.ts";
import type { EventBody } from "../../events/event.ts";
import { cut } from "../text.ts";
import { between, count, instanceOf, known, name } from "./fields.ts";
import { problem } from "./rows.ts";

/** Track scripts, tracked processes, files and BFD sessions, and scripts that could not be run. */

const OUTCOMES: Readonly<Record<string, "success" | "failure" | "timeout">> = {
  succeeded: "success",
  failed: "failure",
  "timed out": "timeout",
  timed_out: "timeout",
};

function result(words: Words, outcome: "success" | "failure" | "timeout" | undefined): EventBody {
  return outcome === undefined
    ? UNRECOGNISED
    : {
        kind: "script.result",
        script: name(words, "script"),
        outcome,
        ...known({ exitStatus: between(words, "status", 0, 255), signal: between(words, "signal", 1, 64) }),
      };
}

export const scriptGrammars: readonly LineGrammar[] = [
  {
    id: "script.result",
    source: "vrrp/vrrp_scheduler.c",
    since: "1.2.2",
    samples: [
      "VRRP_Script(chk_haproxy) succeeded",
      "VRRP_Script(chk_haproxy) timed out",
      "VRRP_Script(chk_haproxy) failed (exited with status 1)",
      "VRRP_Script(chk_haproxy) failed (due to signal 9)",
    ],
    templates: Object.keys(OUTCOMES).flatMap((outcome) =>
      ["", " (exited with status {status:d})", " (due to signal {signal:d})"].map(
        (reason) => `VRRP_Script({script}) ${outcome}${reason}`,
      ),
    ),
    toEvent: (words, { message }) =>
      result(words, Object.entries(OUTCOMES).find(([said]) => message.includes(`) ${said}`))?.[1]),
  },
  {
    // One run. The verdict comes in the words above, after rise or fall runs, and may never come.
    id: "script.result.status",
    source: "vrrp/vrrp_scheduler.c",
    since: "2.0.0",
    samples: ["Script `chk_haproxy` now returning 1"],
    templates: ["Script `{script}` now returning {status:d}"],
    toEvent: (words) => {
      const status = between(words, "status", 0, 255);
      if (status === undefined) return UNRECOGNISED;
      return { ...result(words, status === 0 ? "success" : "failure"), run: true };
    },
  },
  {
    id: "script.result.reload",
    source: "vrrp/vrrp.c",
    since: "1.2.2",
    samples: [
      "VRRP_Script(chk_haproxy) considered successful on reload",
      "VRRP_Script(chk_haproxy) considered unsuccessful on reload",
    ],
    templates: [
      "VRRP_Script({script}) considered successful on reload",
      "VRRP_Script({script}) considered unsuccessful on reload",
    ],
    toEvent: (words, { message }) => result(words, message.includes(" unsuccessful ") ? "failure" : "success"),
  },
  {
    id: "script.result.startup-shutdown",
    source: "core/main.c",
    since: "2.1.0",
    samples: [
      "startup script failed, status 1",
      "shutdown script succeeded",
      "startup script timed out",
      // 2.2.7 says the word twice.
      "startup script script succeeded",
    ],
    templates: ["startup", "shutdown", "startup script", "shutdown script"].flatMap((phase) => [
      `${phase} script succeeded`,
      `${phase} script failed, status {status:d}`,
      `${phase} timed out`,
    ]),
    toEvent: (words, { message }) => ({
      kind: "script.result",
      script: message.startsWith("startup") ? "startup script" : "shutdown script",
      outcome: message.endsWith("succeeded") ? "success" : message.endsWith("timed out") ? "timeout" : "failure",
      ...known({ exitStatus: between(words, "status", 0, 255) }),
    }),
  },
  {
    id: "track.process.quorum",
    source: "vrrp/vrrp_track.c",
    since: "2.0.11",
    samples: ["Quorum gained for tracked process haproxy", "Quorum lost for tracked process haproxy"],
    templates: ["Quorum gained for tracked process {process}", "Quorum lost for tracked process {process}"],
    toEvent: (words, { message }) => ({
      kind: "track.process",
      process: name(words, "process"),
      quorum: message.startsWith("Quorum gained"),
    }),
  },
  {
    id: "track.process.count",
    source: "core/track_process.c",
    since: "2.0.11",
    samples: [
      "Process haproxy, number of current processes changed from 1 to 0, quorum down",
      "Process haproxy, number of current processes changed from 1 to 2",
    ],
    templates: [
      "Process {process}, number of current processes changed from {from:d} to {to:d}",
      "Process {process}, number of current processes changed from {from:d} to {to:d}, quorum up",
      "Process {process}, number of current processes changed from {from:d} to {to:d}, quorum down",
    ],
    toEvent: (words, { message }) => ({
      kind: "track.process",
      process: name(words, "process"),
      ...known({
        from: count(words, "from"),
        to: count(words, "to"),
        quorum: message.endsWith(", quorum up") ? true : message.endsWith(", quorum down") ? false : undefined,
      }),
    }),
  },
  {
    id: "track.file",
    source: "trackers/track_file.c",
    since: "2.0.19",
    samples: [
      "(VI_1): tracked file maintenance now FAULT state",
      "(VI_1): tracked file maintenance leaving FAULT state",
    ],
    needsInstance: true,
    templates: ["tracked file {file} now FAULT state", "tracked file {file} leaving FAULT state"],
    toEvent: (words, context) => ({
      kind: "track.file",
      instance: instanceOf(context),
      file: name(words, "file"),
      fault: context.message.endsWith(" now FAULT state"),
    }),
  },
  {
    id: "track.bfd",
    source: "vrrp/vrrp_scheduler.c",
    since: "2.0.0",
    samples: [
      "VRRP_Instance(VI_1) Tracked BFD instance bfd1 is UP",
      "VRRP_Instance(VI_1) Tracked BFD instance bfd1 is DOWN",
    ],
    templates: ["Tracked BFD instance {bfd} is UP", "Tracked BFD instance {bfd} is DOWN"],
    toEvent: (words, { message, instance }) => ({
      kind: "track.bfd",
      bfd: name(words, "bfd"),
      up: message.endsWith("UP"),
      ...known({ instance: instance === undefined ? undefined : cut(instance, 255) }),
    }),
  },
  {
    id: "track.bfd.event",
    source: "vrrp/vrrp_scheduler.c",
    since: "2.0.0",
    samples: ["Received BFD event: instance bfd1 is in state Up (delivered in 45 usec)"],
    templates: ["Received BFD event: instance {bfd} is in state {state} (delivered in {delayUs:d} usec)"],
    toEvent: (words) => ({
      kind: "track.bfd",
      bfd: name(words, "bfd"),
      up: words.text("state").toUpperCase() === "UP",
    }),
  },
  problem("script.error")({
    code: "overrun",
    source: "vrrp/vrrp_scheduler.c",
    since: "1.4.0",
    templates: ["Track script {script} is {*state}, expect idle - skipping run"],
  }),
  problem("script.error")({
    code: "not-ended",
    source: "core/main.c, vrrp/vrrp_scheduler.c",
    since: "1.2.2",
    templates: [
      "Process [{pid:d}] didn't respond to SIGTERM",
      "Child (PID {pid:d}) failed to terminate after kill",
      "Child thread pid {pid:d} timeout with unknown script state {*state}",
      "kill -{*signal} of process {script}({pid:d}) with new state {*state} failed with errno {*errno}",
      "Script {script} child (PID {pid:d}) failed to terminate after kill",
      "Script {script} child (PID {pid:d}) lost",
      "Script {script} child thread pid {pid:d} timeout with unknown script state {*state}",
      "{script} (PID {pid:d}) failed to terminate after kill",
      "{script} (PID {pid:d}) lost",
      "{script} script (PID {pid:d}) failed to terminate after kill",
      "{script} script (PID {pid:d}) lost",
      "{script} script {pid:d} timeout with unknown script state {*state}",
      "kill -{*signal} of {script} script ({pid:d}) with new state {*state} failed with errno {*errno}",
      "kill -{*signal} of {script} ({pid:d}) with new state {*state} failed with errno {*errno}",
      "{script} {pid:d} timeout with unknown script state {*state}",
    ],
  }),
  problem("script.error")({
    code: "not-run",
    source: "lib/notify.c, core/main.c",
    since: "1.2.2",
    templates: [
      "Couldn't exec command: {script}",
      "Error exec-ing command: {script}",
      "Couldn't find command: {script}",
      "Insufficient privilege to exec command: {script}",
      "Error exec-ing command '{script}', error {errno:d}: {*error}",
      "Couldn't execute command: {script}",
      "Call of startup script {script} failed",
      "Call of shutdown script {script} failed",
    ],
  }),
];
