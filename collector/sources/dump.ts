import { constants, openSync, closeSync, fstatSync, readFileSync } from "node:fs";
import { isKeepalived } from "../chain/process.ts";
import type { Clock } from "../core/time.ts";
import type { SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { parseDump } from "../process/dump.ts";
import type { KnownProcess } from "../process/table.ts";
import type { Handover } from "./handover.ts";
import { installedBuild, signalNumber } from "./keepalived-build.ts";
import type { ProcessNews } from "./process-watch.ts";
import { commandOf, readStat } from "./processes.ts";
import type { Source, SourceContext } from "./source.ts";
import { wait as waitFor } from "./wait.ts";

/** How often keepalived is asked, milliseconds: each time it writes a file and a line to its log. */
const ASK_MS = 60_000;
/** How long it has for its answer, and how often the answer is looked for, milliseconds. */
const ANSWER_MS = 3_000;
const ANSWER_POLL_MS = 50;
/** Largest dump read, bytes: about a kilobyte an instance. */
const DUMP_BYTES_MAX = 16 * 1024 * 1024;
/** Where 2.2.7 writes it. A daemon with a private /tmp has its own. */
const DUMP_PATH = "/tmp/keepalived.json";

export interface DumpOptions {
  readonly clock: Clock;
  readonly processes: Handover<ProcessNews>;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Number of the signal for the JSON dump; undefined, and why, when this keepalived knows none. */
  readonly signalNumber?: () => number | { readonly why: string };
  /** How often it is asked, milliseconds. */
  readonly every?: number;
  /** Where the daemon writes its dump, as it sees its files. */
  readonly path?: string;
}

/**
 * What keepalived itself holds for true, from the dump it writes when its parent process is sent a signal. Only when the
 * operator allows it (`process.signals = true`), and only to a process that is keepalived's parent at that very moment: a
 * signal that keepalived does not know would end it, and a pid may have come again.
 */
export function createDumpSource(options: DumpOptions): Source {
  return new DumpSource(options);
}

class DumpSource implements Source {
  readonly name = "dump";
  private readonly options: DumpOptions;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private reads = 0;
  private readonly told = new Map<string, string>();

  constructor(options: DumpOptions) {
    this.options = options;
    this.wait = options.wait ?? waitFor;
  }

  async start(context: SourceContext): Promise<void> {
    const number = (this.options.signalNumber ?? jsonSignal)();
    if (typeof number !== "number") {
      this.state = "unavailable";
      this.reason = number.why;
      context.log("warn", `keepalived is not asked for its state: ${number.why}`);
      return;
    }
    this.state = "running";
    this.reason = undefined;
    this.running = this.keepAsking(context, number);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    this.state = "stopped";
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    return {
      name: this.name,
      detail: "keepalived's own dump of its state",
      state: this.state,
      read: this.reads,
      unrecognised: 0,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  private async keepAsking(context: SourceContext, signal: number): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const why = await this.ask(context, signal);
      if (why !== undefined && why !== this.reason) context.log("warn", `no dump of keepalived: ${why}`);
      this.reason = why;
      await this.wait(this.options.every ?? ASK_MS, this.stopping.signal);
    }
  }

  /** @returns why there is no answer */
  private async ask(context: SourceContext, signal: number): Promise<string | undefined> {
    const known = this.options.processes.current()?.known ?? [];
    const parents = known.filter(({ daemon, state }) => daemon === "parent" && state === "running");
    const vrrp = known.find(({ daemon, state }) => daemon === "vrrp" && state === "running");
    const [parent] = parents;
    if (parents.length !== 1 || !parent || !vrrp)
      return "there is no one running keepalived with a VRRP process to ask";
    const written = this.options.path ?? DUMP_PATH;
    const path = `/proc/${vrrp.pid}/root${written}`;
    const before = stampOf(path);
    const refused = sendSignal(parent, signal);
    if (refused !== undefined) return refused;
    const deadline = this.options.clock.mono() + ANSWER_MS * 1_000;
    while (this.options.clock.mono() < deadline && !this.stopping.signal.aborted) {
      await this.wait(ANSWER_POLL_MS, this.stopping.signal);
      // Until it is written to its end it is no JSON.
      const text = stampOf(path) === before ? undefined : readDump(path, vrrp.pid);
      const instances = text === undefined ? undefined : parseDump(text);
      if (!instances) continue;
      this.reads += 1;
      const ts = this.options.clock.epoch();
      const news = instances.filter((body) => this.isNews(body.instance, JSON.stringify(body)));
      if (news.length > 0)
        await context.emit(
          news.map(
            (body): Observation => ({
              source: "dump",
              ts,
              tsUncertaintyUs: 0,
              idParts: ["dump", ts, body.instance],
              pid: vrrp.pid,
              body,
            }),
          ),
        );
      return undefined;
    }
    return `keepalived wrote no ${written} within ${ANSWER_MS / 1_000} s of the signal`;
  }

  private isNews(instance: string, text: string): boolean {
    if (this.told.get(instance) === text) return false;
    this.told.set(instance, text);
    return true;
  }
}

/**
 * Between the last look and the signal lie microseconds, and the kernel gives a pid again only after all others.
 * @returns why it was not sent
 */
function sendSignal({ pid, startTicks }: KnownProcess, signal: number): string | undefined {
  const stat = readStat(pid);
  const command = commandOf(pid);
  if (stat?.startTicks !== startTicks) return `process ${pid} is another one by now`;
  if (command.exe === undefined) return `the program of process ${pid} cannot be seen: it is not sent a signal`;
  if (!isKeepalived({ pid, parent: stat.parent, name: stat.name, ...command }))
    return `process ${pid} is not keepalived: it is not sent a signal`;
  try {
    process.kill(pid, signal);
    return undefined;
  } catch {
    return `no permission to send process ${pid} a signal`;
  }
}

/** A build without JSON knows no such name, and an old one would be ended by a signal it does not know. */
function jsonSignal(): number | { readonly why: string } {
  const build = installedBuild();
  if (!build) return { why: "no keepalived is installed to be asked which signal it is" };
  if (!build.features.has("JSON")) return { why: "this keepalived is built without JSON" };
  return signalNumber("JSON") ?? { why: "this keepalived knows no signal for JSON" };
}

function stampOf(path: string): string {
  const handle = openRegular(path);
  if (handle === undefined) return "-";
  try {
    const { ino, size, mtimeMs } = fstatSync(handle);
    return `${ino} ${size} ${mtimeMs}`;
  } finally {
    closeSync(handle);
  }
}

/** /tmp is everybody's: only a regular file that belongs to the daemon's own user is its dump. */
function readDump(path: string, pid: number): string | undefined {
  const handle = openRegular(path);
  if (handle === undefined) return undefined;
  try {
    const stat = fstatSync(handle);
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    if (stat.size > DUMP_BYTES_MAX || String(stat.uid) !== uid) return undefined;
    return readFileSync(handle, "utf8");
  } catch {
    return undefined;
  } finally {
    closeSync(handle);
  }
}

function openRegular(path: string): number | undefined {
  try {
    const handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(handle).isFile()) return handle;
    closeSync(handle);
  } catch {
    // There is none.
  }
  return undefined;
}
