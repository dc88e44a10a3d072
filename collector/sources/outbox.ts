import { messageOf } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { Observation } from "../events/observation.ts";
import type { SourceContext } from "./source.ts";

/** Most observations that wait to be made durable. */
const WAITING_MAX = 5_000;
/** Most handed over at once. */
const BATCH_MAX = 500;

/**
 * Hands observations over in their order without holding up who made them: a source that watches in time must not stand
 * still because a disk does. What is too much is dropped, newest first, and told as a gap.
 */
export class Outbox {
  private readonly context: SourceContext;
  private readonly sourceName: string;
  private readonly clock: Clock;
  private waiting: Observation[] = [];
  private lost: { count: number; readonly from: number } | undefined;
  private sending: Promise<void> | undefined;

  constructor(context: SourceContext, sourceName: string, clock: Clock) {
    this.context = context;
    this.sourceName = sourceName;
    this.clock = clock;
  }

  add(observations: readonly Observation[]): void {
    for (const seen of observations) {
      if (this.waiting.length < WAITING_MAX) this.waiting.push(seen);
      else this.lose(1);
    }
    if (this.waiting.length > 0) this.sending ??= this.send().finally(() => (this.sending = undefined));
  }

  /** Resolves when all is handed over. */
  async drain(): Promise<void> {
    while (this.sending) await this.sending;
  }

  private async send(): Promise<void> {
    while (this.waiting.length > 0 || this.lost) {
      const batch = this.waiting.splice(0, BATCH_MAX);
      const gap = this.waiting.length === 0 ? this.takeGap() : [];
      try {
        await this.context.emit([...batch, ...gap]);
      } catch (error) {
        this.context.log("error", `${batch.length} observations were lost: ${messageOf(error)}`);
        this.lose(batch.length);
        return;
      }
    }
  }

  private lose(count: number): void {
    this.lost ??= { count: 0, from: this.clock.epoch() };
    this.lost.count += count;
  }

  private takeGap(): Observation[] {
    if (!this.lost) return [];
    const { count, from } = this.lost;
    this.lost = undefined;
    const ts = this.clock.epoch();
    return [
      {
        source: "collector",
        ts,
        tsUncertaintyUs: 0,
        idParts: [`${this.sourceName} gap`, ts],
        body: {
          kind: "collector.gap",
          sourceName: this.sourceName,
          reason: "observations were dropped: the spool was slower than they came",
          from,
          to: ts,
          lost: count,
        },
      },
    ];
  }
}
