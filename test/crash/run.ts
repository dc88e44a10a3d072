import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { EventPage } from "../../server/api/types.ts";
import { credentials } from "../server/store/clickhouse-front.ts";
import { Random } from "../sim/random.ts";
import { diskNumbers } from "./disk.ts";
import { type Counted, countStored } from "./stored.ts";
import { Victim } from "./victim.ts";

const run = promisify(execFile);
const dist = join(import.meta.dirname, "../..");

export interface CrashOptions {
  readonly seed: number;
  readonly rotation: "create" | "copytruncate";
  /** The server's own engine, which dies with it, or one behind HTTP that is killed by itself. */
  readonly store: "embedded" | "external";
  readonly linesPerSecond: number;
  /** One line in so many is keepalived's. */
  readonly every: number;
  /** For how long is written and killed at least, and how many kills there are at least. */
  readonly seconds: number;
  readonly kills: number;
  readonly say: (line: string) => void;
}

export interface CrashReport extends Counted {
  readonly lines: number;
  readonly linesPerSecond: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly rotations: number;
  /** Of keepalived's lines: those written, and those that were on disk at the end. */
  readonly written: number;
  readonly onDisk: number;
  /** On disk, and not in the store. */
  readonly lost: readonly number[];
  /** On no disk, and in the store all the same: read before they were destroyed. */
  readonly rescued: number;
  /** On no disk and not in the store: destroyed by copytruncate before anybody read them. */
  readonly destroyed: readonly number[];
  /** Of those, the ones that no gap tells of. */
  readonly untold: readonly number[];
  /** How long the backlog took after the last kill, seconds. */
  readonly drainSeconds: number;
  /** How long the starts took that were left in peace until the process was up, in their order, milliseconds. */
  readonly startsMs: Readonly<Record<string, readonly number[]>>;
}

/** Pauses between two kills of one process, milliseconds: short enough to meet it at its start, long enough for work to be under way. */
const PAUSES_MS: Readonly<Record<string, readonly [number, number]>> = {
  collector: [200, 2_500],
  server: [500, 5_000],
  store: [500, 6_000],
};
/** Between two rotations, milliseconds. */
const ROTATION_MS = [300, 2_500] as const;
/** How long all that was written may take to be stored after the last kill, milliseconds. */
const DRAIN_MS_MAX = 600_000;

/** A server that finds no store at its start says so and ends. */
const STORE_GONE = /\[STORE_(UNREACHABLE|SCHEMA)\]|the store/;

/**
 * Writes, rotates and kills; then counts what the store has against what was written.
 * @throws when a process ends by itself or does not come up: the folder with all that it had is kept then
 */
export async function crashRun(options: CrashOptions): Promise<CrashReport> {
  const dir = mkdtempSync(join(tmpdir(), "keepwatch-crash-"));
  const crash = await Crash.prepare(dir, options);
  let report: CrashReport;
  try {
    report = await crash.run();
  } catch (cause) {
    await crash.end();
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\nkept as it was: ${dir}`, { cause });
  }
  await crash.end();
  rmSync(dir, { recursive: true, force: true });
  return report;
}

interface Wrote {
  readonly lines: number;
  readonly perSecond: number;
  /** When the last line was written, epoch microseconds. */
  readonly endedUs: number;
}

class Crash {
  private readonly dir: string;
  private readonly options: CrashOptions;
  private readonly random: Random;
  private readonly log: string;
  private readonly url: string;
  private readonly victims: readonly Victim[];
  private writer: ReturnType<typeof spawn> | undefined;
  private rotations = 0;
  private over = false;
  /** All that goes on beside each other: ended before the folder is. */
  private tasks: readonly Promise<void>[] = [];

  private constructor(dir: string, options: CrashOptions, url: string, victims: readonly Victim[]) {
    this.dir = dir;
    this.options = options;
    this.random = new Random(options.seed, "crash");
    this.log = join(dir, "log", "messages");
    this.url = url;
    this.victims = victims;
  }

  static async prepare(dir: string, options: CrashOptions): Promise<Crash> {
    mkdirSync(join(dir, "log"));
    const ports = new Random(options.seed, "ports");
    const [port, storePort] = [await freePort(ports), await freePort(ports)];
    const external = options.store === "external";
    writeFileSync(
      join(dir, "server.toml"),
      `[listen]\nport = ${port}\n[storage]\n${
        external
          ? `url = "http://127.0.0.1:${storePort}"\nuser = "${credentials.user}"\npassword = "${credentials.password}"\n`
          : `path = "${join(dir, "store")}"\n`
      }`,
    );
    writeFileSync(join(dir, "collector.toml"), collectorToml(dir, port));
    writeFileSync(join(dir, "logrotate.conf"), logrotateConf(dir, options.rotation));
    const main = join(dist, "server/main.js");
    const store = new Victim(
      "store",
      [join(dist, "test/crash/store-process.js"), join(dir, "store"), String(storePort)],
      /^listening at/m,
    );
    const server = new Victim(
      "server",
      [main, "server", "--config", join(dir, "server.toml")],
      /timeline at/,
      STORE_GONE,
    );
    const collector = new Victim(
      "collector",
      [main, "collector", "--config", join(dir, "collector.toml")],
      /^keepwatch collector of/m,
    );
    return new Crash(dir, options, `http://127.0.0.1:${port}`, [...(external ? [store] : []), server, collector]);
  }

  async run(): Promise<CrashReport> {
    const { seconds, kills, say } = this.options;
    // A first line, so that the collector has a file whose end it can begin at.
    writeFileSync(this.log, "2026-01-01T00:00:00.000000Z lb1 kernel: before\n");
    for (const victim of this.victims) {
      victim.start();
      await victim.untilUp();
    }
    await this.startWriter();
    const until = performance.now() + seconds * 1000;
    const enough = (): boolean => this.over || (performance.now() >= until && this.killsSoFar() >= kills);
    const killing = Promise.all(this.victims.map((victim) => this.killNowAndThen(victim, enough)));
    // A rotation sends the writer a signal: the writer goes on until the last one is done.
    const rotating = this.rotate();
    this.tasks = [killing.then(() => void (this.over = true)), rotating, this.tellProgress(enough)];
    await Promise.all(this.tasks);
    const wrote = await this.stopWriter();
    say(
      `wrote ${wrote.lines} lines at ${Math.round(wrote.perSecond)}/s, ${this.killsSoFar()} kills; waiting for the rest`,
    );
    const drainSeconds = await this.untilStored(wrote.endedUs);
    for (const victim of [...this.victims].reverse()) await victim.end("SIGTERM");
    return this.report(wrote, drainSeconds);
  }

  /** Ends all that still writes. */
  async end(): Promise<void> {
    this.over = true;
    for (const victim of this.victims) await victim.stop();
    await Promise.allSettled(this.tasks);
    const { writer } = this;
    if (!writer || writer.exitCode !== null || writer.signalCode !== null) return;
    const gone = once(writer, "exit");
    writer.kill("SIGKILL");
    await gone;
  }

  private killsSoFar(): number {
    return this.victims.reduce((sum, { kills }) => sum + kills, 0);
  }

  private async killNowAndThen(victim: Victim, enough: () => boolean): Promise<void> {
    const [least, most] = PAUSES_MS[victim.name] ?? [1_000, 5_000];
    while (!enough()) {
      // Every other time it is left in peace until it works, or it might be killed at its start for ever.
      if (this.random.chance(0.6)) await victim.untilUp();
      await this.pause(least, most);
      await victim.kill();
      await this.pause(0, 500);
      victim.start();
    }
    await victim.untilUp();
  }

  private pause(least: number, most: number): Promise<void> {
    return sleep(this.random.between(least, most));
  }

  private async startWriter(): Promise<void> {
    const { linesPerSecond, every } = this.options;
    this.writer = spawn(
      process.execPath,
      [join(dist, "test/crash/writer.js"), this.log, String(linesPerSecond), String(every), "0"],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(this.writer.stdout as NodeJS.ReadableStream, "data");
    writeFileSync(join(this.dir, "writer.pid"), String(this.writer.pid));
  }

  private async stopWriter(): Promise<Wrote> {
    const writer = this.writer as ReturnType<typeof spawn>;
    const told = once(writer.stdout as NodeJS.ReadableStream, "data") as Promise<[Buffer]>;
    writer.kill("SIGTERM");
    const [text] = await told;
    return JSON.parse(text.toString("utf8")) as Wrote;
  }

  private async rotate(): Promise<void> {
    while (!this.over) {
      await this.pause(...ROTATION_MS);
      if (this.over) return;
      await run("logrotate", ["-f", "-s", join(this.dir, "logrotate.state"), join(this.dir, "logrotate.conf")]);
      this.rotations += 1;
    }
  }

  private async tellProgress(enough: () => boolean): Promise<void> {
    for (let ticks = 1; !enough(); ticks++) {
      await sleep(1000);
      if (ticks % 30 === 0)
        this.options.say(
          `  ${ticks} s: ${this.victims.map(({ name, kills, startsMs }) => `${name} ${kills} (last start ${startsMs.at(-1) ?? "?"} ms)`).join(", ")} kills, ${this.rotations} rotations`,
        );
    }
  }

  /** The last line is stored, and then what was written late to a rotated file. */
  private async untilStored(endedUs: number): Promise<number> {
    const begun = performance.now();
    while (!(await this.hasLastLine(endedUs))) {
      for (const victim of this.victims) if (!victim.isUpNow()) await victim.untilUp();
      if (performance.now() - begun > DRAIN_MS_MAX)
        throw new Error(
          `the last line is not stored after ${DRAIN_MS_MAX / 1000} s:\n${this.victims.map((victim) => `${victim.name}: ${victim.said()}`).join("\n")}`,
        );
      await sleep(500);
    }
    await sleep(5_000);
    return Math.round((performance.now() - begun) / 1000);
  }

  private async hasLastLine(endedUs: number): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/api/v1/events?node=lb1&kinds=log.unrecognised&limit=100&from=${endedUs}`);
      const { events } = (await answer.json()) as EventPage;
      return events.some(({ raw }) => raw?.endsWith("last line") ?? false);
    } catch {
      return false;
    }
  }

  private async report(wrote: Wrote, drainSeconds: number): Promise<CrashReport> {
    const counted = await countStored(join(this.dir, "store"));
    const disk = await diskNumbers(join(this.dir, "log"));
    const written = Math.ceil(wrote.lines / this.options.every);
    const lost: number[] = [];
    const destroyed: number[] = [];
    let rescued = 0;
    for (let i = 0; i < written; i++) {
      const number = i * this.options.every;
      const stored = counted.numbers.has(number);
      if (disk.has(number)) {
        if (!stored) lost.push(number);
      } else if (stored) rescued += 1;
      else destroyed.push(number);
    }
    return {
      ...counted,
      lines: wrote.lines,
      linesPerSecond: wrote.perSecond,
      kills: Object.fromEntries(this.victims.map(({ name, kills }) => [name, kills])),
      startsMs: Object.fromEntries(this.victims.map(({ name, startsMs }) => [name, startsMs])),
      rotations: this.rotations,
      written,
      onDisk: disk.size,
      lost,
      rescued,
      destroyed,
      untold: untoldOf(destroyed, counted, this.options.every),
      drainSeconds,
    };
  }
}

/** A destroyed line was written between its neighbours that are stored: a gap must tell of that time. */
function untoldOf(destroyed: readonly number[], { numbers, gaps }: Counted, every: number): number[] {
  const missing = new Set(destroyed);
  const beside = (number: number, step: number): number => {
    let at = number;
    while (missing.has(at)) at += step;
    return numbers.get(at) ?? (step < 0 ? 0 : Number.MAX_SAFE_INTEGER);
  };
  return destroyed.filter((number) => {
    const [before, after] = [beside(number, -every), beside(number, every)];
    return !gaps.some(({ from, to }) => from !== undefined && to !== undefined && from <= after && to >= before);
  });
}

/** None that the kernel hands out: while the server is down, a connection of the collector's could come from its very port. */
const PORTS = [20_000, 30_000] as const;

async function freePort(random: Random): Promise<number> {
  for (;;) {
    const port = random.between(...PORTS);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
}

/** Only the log: what else a collector watches is this machine's, not the test's. */
const collectorToml = (dir: string, port: number): string => `node = "lb1"
[server]
url = "http://127.0.0.1:${port}"
[spool]
dir = "${join(dir, "spool")}"
max_bytes = ${32 * 1024 * 1024 * 1024}
[logs]
files = ["${join(dir, "log", "messages")}"]
journal = false
zone = "UTC"
${["capture", "addresses", "shadow", "process", "checks"].map((part) => `[${part}]\nenabled = false\n`).join("")}
[keepalived]
watch = false
`;

/** Nothing is removed, so that what is lost can be told from what was destroyed. */
const logrotateConf = (dir: string, rotation: CrashOptions["rotation"]): string => `${join(dir, "log", "messages")} {
  rotate 3000
  missingok
  notifempty
  compress
  delaycompress
  ${
    rotation === "copytruncate"
      ? "copytruncate"
      : `create\n  postrotate\n    kill -HUP $(cat ${join(dir, "writer.pid")})\n  endscript`
  }
}
`;
