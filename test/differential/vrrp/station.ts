import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import type { Release } from "../../../collector/conf/version.ts";
import { createLogReader, type LogReader } from "../../../collector/logs/reader.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import type { VrrpState } from "../../../collector/events/vocabulary.ts";
import { LabHost } from "../../../server/lab/host.ts";
import type { RigNode } from "./network.ts";
import { childrenOf, pidInside, processOf, type ProcessState } from "./processes.ts";
import type { Evidence, Recording, Timed, Transition } from "./recording.ts";
import { nowUs, readText, until, Witness } from "./witness.ts";

/** How often processes and the log are looked at, milliseconds. */
const LOOK_MS = 10;
/** A state that a scenario waits for has this long to come, milliseconds. */
const STATE_DEADLINE_MS = 30_000;
const EXIT_DEADLINE_MS = 15_000;
/** keepalived is let run whenever it wants to: this machine may be busy with others. */
const NICENESS = "-19";
const CONFIG = "/etc/keepalived/keepalived.conf";
const LOG = "/var/log/messages";
const VRRP_PID_FILE = "/run/vrrp.pid";
const BFD_PID_FILE = "/run/bfd.pid";

/**
 * A script that answers as it is told, and notes when it did. Its name is its argument; `hang` is an answer too.
 * The note is written before the script ends, with the shell's own clock.
 */
const SCRIPT = `#!/bin/bash
read -r answer < "/etc/keepalived/$1.answer" || answer=0
echo "$EPOCHREALTIME $1 $answer" >> /etc/keepalived/answers
if [ "$answer" = hang ]; then exec sleep 60; fi
exit "$answer"
`;
/** Its time runs from its start, and a shell takes a moment before it can note one. Microseconds. */
const SHELL_START_US = 20_000;
export const SCRIPT_PATH = "/etc/keepalived/answer.sh";

/** One node of a scenario: a host with a real keepalived, and with a witness of what can be seen there. */
export class Station {
  readonly name: string;
  readonly node: RigNode;
  private readonly host: LabHost;
  private readonly witness: Witness;
  private readonly real: Transition[] = [];
  private readonly lines: string[] = [];
  private log: { readonly reader: LogReader; readonly file: number; offset: number; rest: string } | undefined;
  private watch: NodeJS.Timeout | undefined;
  private daemon: ChildProcess | undefined;
  private parent = 0;
  private vrrp: ProcessState | undefined;
  private isStopping = false;
  private goneAt = 0;
  /** Whoever is killed may still be seen for a moment. */
  private gonePid = 0;
  private endedAt: number | undefined;
  /** What keepalived has read: at its start, or when it was told to read again. */
  private conf = "";
  private written = "";

  constructor(node: RigNode, dir: string) {
    this.name = node.name;
    this.node = node;
    this.host = new LabHost({ name: node.name, logFormat: "microseconds" }, node.netns, dir);
    this.witness = new Witness(this.host);
  }

  async boot(): Promise<void> {
    await this.host.boot();
    await writeFile(this.etc("answer.sh"), SCRIPT, { mode: 0o755 });
    await this.witness.begin();
    await until(() => readText(this.host.outside(LOG)) !== "", `rsyslogd of ${this.name} writes`);
    this.log = {
      reader: createLogReader({ path: "messages", fingerprint: this.name, zone: "UTC" }),
      file: openSync(this.host.outside(LOG), "r"),
      offset: 0,
      rest: "",
    };
    this.watch = setInterval(() => this.look(), LOOK_MS);
  }

  async writeConfig(text: string): Promise<void> {
    this.written = text;
    await this.host.write(CONFIG, text);
  }

  /** Starts keepalived, and returns when its VRRP process is there. */
  async start(): Promise<void> {
    this.conf = this.written;
    this.isStopping = false;
    this.vrrp = undefined;
    this.parent = 0;
    const command = [
      "nice",
      "-n",
      NICENESS,
      "keepalived",
      "-n",
      "-P",
      "-D",
      "-r",
      VRRP_PID_FILE,
      "-b",
      BFD_PID_FILE,
    ] as const;
    this.daemon = this.host.start(() => undefined, ...command);
    await until(() => this.vrrp !== undefined, `keepalived of ${this.name} starts`);
  }

  async stop(): Promise<void> {
    this.signal("parent", "SIGTERM");
    await this.untilGone();
  }

  async untilGone(): Promise<void> {
    await until(
      () => this.vrrp === undefined && processOf(this.parent) === undefined,
      `keepalived of ${this.name} ends`,
      EXIT_DEADLINE_MS,
    );
  }

  /** Has keepalived read another configuration. */
  async reload(text: string): Promise<void> {
    await this.writeConfig(text);
    this.conf = text;
    this.witness.see({ kind: "reloaded", conf: text });
    this.signal("parent", "SIGHUP");
  }

  /**
   * SIGTERM is an orderly end, and so is the end of the parent: its children have asked the kernel for a SIGTERM then. What
   * other signals do is seen in the process table.
   */
  signal(whom: "parent" | "vrrp", signal: NodeJS.Signals): void {
    if (signal === "SIGTERM" || (whom === "parent" && signal === "SIGKILL")) this.stopping();
    process.kill(whom === "parent" ? this.parent : (this.vrrp?.pid ?? 0), signal);
    if (whom === "vrrp" && signal === "SIGKILL") this.gone();
    // `nsenter` stops itself with its child, and would not see its end.
    if (whom === "parent" && signal === "SIGCONT") this.daemon?.kill("SIGCONT");
  }

  /** Both at once: the child is stopped first, so that it cannot act on its parent's end. */
  async killAll(): Promise<void> {
    const { pid = 0 } = this.vrrp ?? {};
    process.kill(pid, "SIGSTOP");
    process.kill(this.parent, "SIGKILL");
    process.kill(pid, "SIGKILL");
    this.gone();
    // Until somebody has asked for its exit status, another keepalived takes it for alive.
    const all = [pid, this.parent];
    await until(() => all.every((one) => readText(`/proc/${one}/stat`) === ""), `keepalived of ${this.name} is gone`);
  }

  /** Sets what a script answers from its next run on. */
  async answer(script: string, answer: number | "hang"): Promise<void> {
    await this.replace(`${script}.answer`, `${answer}\n`);
  }

  /** Writes a number into a tracked file. */
  async writeTracked(name: string, value: number): Promise<void> {
    this.witness.see({ kind: "file", name, value });
    await writeFile(this.etc(name), `${value}\n`);
  }

  /** Changes an interface from within the host. */
  async ip(...args: readonly string[]): Promise<string> {
    return this.host.exec("ip", ...args);
  }

  exec(command: string, ...args: readonly string[]): Promise<string> {
    return this.host.exec(command, ...args);
  }

  /** How often an instance has entered a state so far. */
  entries(instance: string, state: VrrpState): number {
    return this.real.filter((one) => one.instance === instance && one.to === state).length;
  }

  /** Resolves when an instance has entered a state for the nth time, counted from 1. */
  async entered(instance: string, state: VrrpState, times = 1, deadlineMs = STATE_DEADLINE_MS): Promise<void> {
    await until(
      () => this.entries(instance, state) >= times,
      `(${instance}) of ${this.name} enters ${state}${times > 1 ? ` for the ${times}. time` : ""}`,
      deadlineMs,
    );
  }

  /** Resolves when another advert was captured here. */
  async heardSomething(): Promise<void> {
    const frames = (): number => this.witness.evidence.filter(({ what }) => what.kind === "frame").length;
    const before = frames();
    await until(() => frames() > before, `an advert comes to ${this.name}`);
  }

  /** Has a script answer so, and resolves when it has done so often. */
  async answered(script: string, answer: number, times: number): Promise<void> {
    const count = (): number => readText(this.etc("answers")).split("\n").length;
    await this.answer(script, answer);
    const before = count();
    await until(() => count() >= before + times, `${script} of ${this.name} answers`, STATE_DEADLINE_MS);
  }

  /** What keepalived and others wrote into the log. */
  get logged(): readonly string[] {
    return this.lines;
  }

  /** Ends all that runs there. What comes from now on is no part of the recording. */
  async end(): Promise<void> {
    this.endedAt ??= nowUs();
    await this.witness.end();
    this.look();
    clearInterval(this.watch);
    if (this.log) closeSync(this.log.file);
    this.log = undefined;
    await this.host.shutDown();
  }

  async recording(scenario: string, release: Release): Promise<Recording> {
    const end = this.endedAt ?? nowUs();
    const seen = [...this.witness.evidence, ...(await this.answers())]
      .filter(({ at }) => at <= end)
      .sort((a, b) => a.at - b.at);
    const base = Math.floor(seen[0]?.at ?? 0);
    const since = <T extends { readonly at: number }>(one: T): T => ({ ...one, at: Math.round(one.at - base) });
    return {
      scenario,
      node: this.name,
      release,
      evidence: seen.map(since),
      real: this.real.filter(({ at }) => at <= end).map(since),
      end: end - base,
    };
  }

  /** What the scripts have noted. A script that hangs is ended when its time is up: the timeout of the configuration. */
  private async answers(): Promise<Timed<Evidence>[]> {
    const text = await readFile(this.etc("answers"), "utf8").catch(() => "");
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [at, name = "", answer] = line.split(" ");
        const outcome = answer === "hang" ? "timeout" : answer === "0" ? "success" : "failure";
        const late = answer === "hang" ? timeoutUsOf(this.conf, name) - SHELL_START_US : 0;
        return { at: Number(at) * 1e6 + late, what: { kind: "script", name, outcome } as const };
      });
  }

  private stopping(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    this.witness.see({ kind: "stopping" });
  }

  private gone(): void {
    this.goneAt = nowUs();
    this.gonePid = this.vrrp?.pid ?? 0;
    this.witness.see({ kind: "gone" }, this.goneAt);
    this.vrrp = undefined;
  }

  private look(): void {
    this.readLog();
    if (this.daemon?.pid === undefined) return;
    // `nsenter` has one child, which became keepalived.
    if (this.parent === 0) this.parent = childrenOf(this.daemon.pid)[0] ?? 0;
    const isParentThere = this.parent !== 0 && processOf(this.parent) !== undefined;
    if (this.vrrp !== undefined) this.lookAtVrrp(this.vrrp);
    if (this.vrrp !== undefined || !isParentThere) return;
    const pid = this.childNamedIn(VRRP_PID_FILE);
    const child = pid === undefined || pid === this.gonePid ? undefined : processOf(pid);
    const runningSince = child && this.runningSince(child);
    if (child === undefined || runningSince === undefined) return;
    this.vrrp = child;
    // A parent starts another child before the end of the last one is seen here.
    this.witness.see({ kind: "started", conf: this.conf }, Math.max(runningSince, this.goneAt + 1));
  }

  /** The VRRP process writes its pid file just before it reads its configuration: a busy machine may let it wait till then. */
  private runningSince({ startedAt }: ProcessState): number | undefined {
    const pidFile = `/proc/${this.host.pid}/root${VRRP_PID_FILE}`;
    const writtenAt = (statSync(pidFile, { throwIfNoEntry: false })?.mtimeMs ?? 0) * 1_000;
    return writtenAt >= startedAt ? Math.round(writtenAt) : undefined;
  }

  /** Pid files have the numbers of the host's own process table. */
  private childNamedIn(pidFile: string): number | undefined {
    const inside = Number(readText(`/proc/${this.host.pid}/root${pidFile}`));
    return childrenOf(this.parent).find((pid) => pidInside(pid) === inside);
  }

  private lookAtVrrp(before: ProcessState): void {
    const now = processOf(before.pid);
    if (now === undefined) {
      this.gone();
      return;
    }
    if (now.stopped !== before.stopped) this.witness.see({ kind: now.stopped ? "frozen" : "thawed" });
    this.vrrp = now;
  }

  private readLog(): void {
    if (!this.log) return;
    const { reader, file } = this.log;
    const chunk = Buffer.alloc(65_536);
    for (;;) {
      const bytes = readSync(file, chunk, 0, chunk.length, this.log.offset);
      if (bytes === 0) return;
      this.log.offset += bytes;
      const lines = (this.log.rest + chunk.toString("latin1", 0, bytes)).split("\n");
      this.log.rest = lines.pop() ?? "";
      for (const line of lines) {
        this.lines.push(line);
        const seen = reader.read(line, { offset: this.lines.length }, nowUs());
        if (seen) this.note(seen);
      }
    }
  }

  private note({ ts: at, body }: Observation): void {
    if (body.kind === "vrrp.state") this.real.push({ at, instance: body.instance, to: body.state });
    else if (body.kind === "vrrp.priority-changed") this.real.push({ at, instance: body.instance, to: body.to });
    else if (body.kind === "bfd.state") this.witness.see({ kind: "bfd", name: body.bfd, up: body.state === "Up" }, at);
    else if (body.kind === "vrrp.priority-set") this.real.push({ at, instance: body.instance, to: body.priority });
    // Up to 2.3.2 it says that it reduces its priority, and not to what.
    else if (body.kind === "vrrp.advert-rejected" && body.reason === "two-owners" && body.instance !== undefined)
      this.real.push({ at, instance: body.instance, to: 254 });
  }

  private etc(name: string): string {
    return this.host.outside(`/etc/keepalived/${name}`);
  }

  private async replace(name: string, text: string): Promise<void> {
    await writeFile(this.etc(`.${name}`), text);
    await rename(this.etc(`.${name}`), this.etc(name));
  }
}

/** The `timeout` of a script, microseconds. */
function timeoutUsOf(conf: string, script: string): number {
  const block = new RegExp(`vrrp_script ${script} \\{([^}]*)\\}`).exec(conf)?.[1] ?? "";
  return Number(/timeout (\d+)/.exec(block)?.[1] ?? 1) * 1e6;
}
