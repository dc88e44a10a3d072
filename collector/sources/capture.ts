import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { type CaptureReader, createCaptureReader } from "../pcap/observations.ts";
import type { Clock } from "../core/time.ts";
import { type ChildEnd, type ChildHandle, type StartChild, startChild } from "./child.ts";
import type { Source, SourceContext } from "./source.ts";

/** VRRP over IPv4 and IPv6, and IPv4 authentication headers, which may carry it. */
const FILTER = "ip proto 112 or ip6 proto 112 or ip proto 51";
/** Bytes kept of a packet: an advert of 255 IPv6 addresses is longer, its first thirty are enough to tell it. */
const SNAPLEN = 1600;
/** How often silence is looked for, milliseconds. */
const TICK_MS = 100;
const RESTART_FIRST_MS = 1_000;
const RESTART_MAX_MS = 60_000;

export interface CaptureOptions {
  readonly clock: Clock;
  readonly start?: StartChild;
  /** Waits between restarts. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Adverts on every interface, through tcpdump: kernel timestamps, a kernel filter, and nothing but CAP_NET_RAW. */
export function createCaptureSource(options: CaptureOptions): Source {
  return new CaptureSource(options);
}

class CaptureSource implements Source {
  readonly name = "capture";
  private readonly clock: Clock;
  private readonly startChild: StartChild;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly stopping = new AbortController();
  private readonly names = new InterfaceNames();
  private child: ChildHandle | undefined;
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  private readonly read = { adverts: 0, malformed: 0 };
  private running: Promise<void> = Promise.resolve();

  constructor(options: CaptureOptions) {
    this.clock = options.clock;
    this.startChild = options.start ?? startChild;
    this.wait = options.wait ?? ((ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined));
  }

  async start(context: SourceContext): Promise<void> {
    const listening = new Promise<void>((resolve) => {
      this.running = this.supervise(context, resolve);
    });
    // Until tcpdump listens or has failed once: what it cannot do is known when the collector prints what it reads.
    await listening;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.child?.kill("SIGTERM");
    await this.running;
    this.state = "stopped";
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    return {
      name: this.name,
      detail: "VRRP adverts on all interfaces",
      state: this.state,
      read: this.read.adverts,
      unrecognised: this.read.malformed,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  private async supervise(context: SourceContext, settled: () => void): Promise<void> {
    for (let pause = RESTART_FIRST_MS; !this.stopping.signal.aborted; pause = Math.min(pause * 2, RESTART_MAX_MS)) {
      const from = this.clock.epoch();
      const end = await this.capture(context, settled);
      settled();
      if (this.stopping.signal.aborted) return;
      const why = explain(end);
      const ran = this.state === "running";
      if (this.reason !== why) context.log("warn", `adverts are not captured: ${why}`);
      this.state = "unavailable";
      this.reason = why;
      if (ran) {
        pause = RESTART_FIRST_MS;
        await context.emit([this.gap(why, from)]);
      }
      await this.wait(pause, this.stopping.signal);
    }
  }

  private async capture(context: SourceContext, settled: () => void): Promise<ChildEnd> {
    const child = this.startChild("tcpdump", [
      "-i",
      "any",
      "-n",
      "-U",
      "--immediate-mode",
      "-s",
      String(SNAPLEN),
      "--time-stamp-precision=nano",
      "-w",
      "-",
      FILTER,
    ]);
    this.child = child;
    const reader = createCaptureReader({ interfaceName: (index) => this.names.nameOf(index) });
    const stopTicking = this.tick(reader, context);
    try {
      for await (const chunk of child.stdout) {
        // The file header comes first, and means that tcpdump listens.
        this.state = "running";
        this.reason = undefined;
        settled();
        await this.hand(reader.push(chunk as Buffer), context);
      }
    } finally {
      await stopTicking();
      const { observations } = reader.end();
      await this.hand(observations, context);
    }
    return child.ended;
  }

  private tick(reader: CaptureReader, context: SourceContext): () => Promise<void> {
    let last: Promise<void> = Promise.resolve();
    const timer = setInterval(() => {
      const silent = reader.tick(this.clock.epoch());
      if (silent.length > 0) last = this.hand(silent, context);
    }, TICK_MS);
    return async () => {
      clearInterval(timer);
      await last;
    };
  }

  private async hand(observations: readonly Observation[], context: SourceContext): Promise<void> {
    if (observations.length === 0) return;
    for (const { body } of observations) {
      if (body.kind === "wire.advert") this.read.adverts += 1;
      if (body.kind === "wire.malformed") this.read.malformed += 1;
    }
    await context.emit(observations);
  }

  private gap(why: string, from: number): Observation {
    const ts = this.clock.epoch();
    return {
      source: "collector",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["capture gap", ts],
      body: { kind: "collector.gap", sourceName: this.name, reason: `the capture ended: ${why}`, from },
    };
  }
}

function explain({ spawnError, code, signal, said }: ChildEnd): string {
  if (spawnError?.code === "ENOENT") return "tcpdump is not installed (apt-get install tcpdump)";
  if (spawnError) return `tcpdump cannot be run: ${spawnError.message}`;
  if (/permission|not permitted/i.test(said))
    return "no privilege to capture: it needs CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW)";
  const last = said
    .split("\n")
    .filter((line) => /^tcpdump: (?!listening|data link|verbose)/.test(line))
    .at(-1);
  return last ?? `tcpdump ended with ${signal ?? `status ${code}`}`;
}

/** Names of this host's interfaces by index, read again when an index is new: interfaces come and go. */
class InterfaceNames {
  private readonly names = new Map<number, string>();

  nameOf(index: number): string | undefined {
    if (!this.names.has(index)) this.reread();
    return this.names.get(index);
  }

  private reread(): void {
    try {
      for (const name of readdirSync("/sys/class/net"))
        this.names.set(Number(readFileSync(`/sys/class/net/${name}/ifindex`, "utf8")), name);
    } catch {
      // Without /sys the index stands for the name.
    }
  }
}
