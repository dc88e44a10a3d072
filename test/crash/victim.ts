import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** How long it may take until it is up, milliseconds: on a machine that is busy with other things, a start of a second takes minutes. */
const UP_MS_MAX = 600_000;

/** A process that is killed and started again. */
export class Victim {
  readonly name: string;
  kills = 0;
  /** How long each start took that was left in peace until it was up, milliseconds. */
  readonly startsMs: number[] = [];
  private readonly args: readonly string[];
  private readonly isUp: RegExp;
  /** What it says when it gives up by itself, as it may: it is then started again, as a supervisor would. */
  private readonly givesUp: RegExp | undefined;
  private child: ChildProcess | undefined;
  private output = "";
  private up = false;
  private startedAt = 0;
  private stopped = false;

  constructor(name: string, args: readonly string[], isUp: RegExp, givesUp?: RegExp) {
    this.name = name;
    this.args = args;
    this.isUp = isUp;
    this.givesUp = givesUp;
  }

  start(): void {
    if (this.stopped) return;
    this.output = "";
    this.up = false;
    this.startedAt = performance.now();
    const child = spawn(process.execPath, [...this.args], { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output = (this.output + text).slice(-20_000);
        if (this.up || !this.isUp.test(this.output)) return;
        this.up = true;
        this.startsMs.push(Math.round(performance.now() - this.startedAt));
      });
  }

  /** Waits until it says that it is up. @throws when it ends, or says nothing for too long */
  async untilUp(): Promise<void> {
    for (const deadline = performance.now() + UP_MS_MAX; !this.up; await sleep(20)) {
      this.reviveOrThrow();
      if (performance.now() > deadline)
        throw new Error(
          `${this.name} was waited for ${UP_MS_MAX / 1000} s; the start that is under way takes ${this.sinceStart()}, after ${this.kills} kills:\n${this.output}`,
        );
    }
  }

  isUpNow(): boolean {
    return this.up;
  }

  /** @throws when it has ended by itself: that is a failure, and no kill */
  async kill(): Promise<void> {
    this.reviveOrThrow();
    this.kills += 1;
    await this.end("SIGKILL");
  }

  /** Kills it for good: whoever still waits for it to be up is told so. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.end("SIGKILL");
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (!child || this.hasEnded()) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  said(): string {
    return this.output;
  }

  private reviveOrThrow(): void {
    if (!this.hasEnded()) return;
    if (this.stopped) throw new Error(`${this.name} was stopped`);
    if (this.givesUp?.test(this.output) !== true)
      throw new Error(
        `${this.name} ended by itself (status ${this.child?.exitCode}, signal ${this.child?.signalCode}) ${this.sinceStart()} after its start, after ${this.kills} kills:\n${this.output}`,
      );
    this.start();
  }

  private sinceStart(): string {
    return `${((performance.now() - this.startedAt) / 1000).toFixed(1)} s`;
  }

  private hasEnded(): boolean {
    return this.child !== undefined && (this.child.exitCode !== null || this.child.signalCode !== null);
  }
}
