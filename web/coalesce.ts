/**
 * Runs a task when asked, one at a time and not closer together than a gap; all that ask meanwhile get one more run.
 * Without it a burst of live messages would ask the server faster than it answers, and draw more often than anyone sees.
 */
export class Coalescer {
  private readonly task: () => Promise<void>;
  private readonly gapMs: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isRunning = false;
  private isWanted = false;
  private isStopped = false;

  /** @param task  never rejects  @param gapMs  from the end of one run to the beginning of the next */
  constructor(task: () => Promise<void>, gapMs: number) {
    this.task = task;
    this.gapMs = gapMs;
  }

  ask(): void {
    this.isWanted = true;
    if (!this.isRunning && this.timer === undefined) void this.run();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    this.isWanted = false;
    this.isRunning = true;
    await this.task();
    this.isRunning = false;
    if (this.isStopped) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.isWanted) void this.run();
    }, this.gapMs);
  }
}
