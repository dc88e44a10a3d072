import { messageOf } from "../collector/core/errors.ts";
import type { Log } from "../collector/core/log.ts";
import { type Clock, US_PER_MS } from "../collector/core/time.ts";
import type { DetectionEngine } from "./detect/engine.ts";
import type { Store } from "./store/store.ts";

/** Late evidence mostly comes in many batches: they are waited for, milliseconds. */
export const REBUILD_AFTER_MS = 60_000;
/** Where it comes again and again, the waits grow up to this, ... */
export const REBUILD_WAIT_MAX_MS = 3_600_000;
/** ... and are at least this many times as long as a rebuild takes, so that it has a small part of the machine. */
const WAIT_PER_REBUILD = 9;
/** Events taken at once: what comes live waits for no longer than these take. */
const SLICE_EVENTS = 500;

export interface RebuildState {
  /** Evidence has come that is not concluded from yet. */
  readonly isPending: boolean;
  readonly done: number;
  readonly failed: number;
}

export interface RebuilderOptions {
  readonly store: Pick<Store, "detectionEvents">;
  readonly engine: Pick<DetectionEngine, "rebuild">;
  readonly clock: Pick<Clock, "mono">;
  readonly log: Log;
  /** Waits; @returns false when the server stops. */
  readonly wait: (ms: number) => Promise<boolean>;
  readonly onRebuilt: () => void;
}

/** Evidence of a time of which the detectors have no events at hand has them look at everything again, now and then. */
export class Rebuilder {
  private readonly options: RebuilderOptions;
  private working: Promise<void> | undefined;
  private waitMs = REBUILD_AFTER_MS;
  private endedAt = Number.NEGATIVE_INFINITY;
  private done = 0;
  private failed = 0;

  constructor(options: RebuilderOptions) {
    this.options = options;
  }

  state(): RebuildState {
    return { isPending: this.working !== undefined, done: this.done, failed: this.failed };
  }

  /** Such evidence has come. What comes while one is under way is taken in by it, or asks again. */
  due(): void {
    this.working ??= this.work().finally(() => (this.working = undefined));
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await this.working;
  }

  private async work(): Promise<void> {
    const { clock, log, wait, onRebuilt } = this.options;
    // It was quiet for as long as the last wait: what comes now is another story.
    if ((clock.mono() - this.endedAt) / US_PER_MS > this.waitMs) this.waitMs = REBUILD_AFTER_MS;
    if (!(await wait(this.waitMs))) return;
    log("info", "evidence of a time long past has come: the detectors are rebuilt from the store");
    const beganAt = clock.mono();
    try {
      if (!(await this.rebuild())) return;
      this.done += 1;
      onRebuilt();
    } catch (error) {
      this.failed += 1;
      log("error", "the detectors could not be rebuilt", { why: messageOf(error) });
    }
    this.endedAt = clock.mono();
    const tookMs = (this.endedAt - beganAt) / US_PER_MS;
    this.waitMs = Math.min(REBUILD_WAIT_MAX_MS, Math.max(2 * this.waitMs, WAIT_PER_REBUILD * tookMs));
  }

  /** @returns false when the server stops meanwhile */
  private async rebuild(): Promise<boolean> {
    const { store, engine, wait } = this.options;
    const rebuild = engine.rebuild();
    try {
      for await (const events of store.detectionEvents())
        for (let at = 0; at < events.length; at += SLICE_EVENTS) {
          rebuild.load(events.slice(at, at + SLICE_EVENTS));
          if (!(await wait(0))) {
            rebuild.abandon();
            return false;
          }
        }
    } catch (error) {
      rebuild.abandon();
      throw error;
    }
    rebuild.finish();
    return true;
  }
}
