import type { EventBody, SourceStatus } from "./events/event.ts";

/**
 * What the collector notices of itself: that it did not run for a while, and that a source sees no more, or sees again. Pure: the
 * readings of the clocks are arguments.
 */

/** A heartbeat that comes after this many others were due is a gap ... */
const BEATS_MISSED = 4;
/** ... when it comes this late at least, microseconds. */
const GAP_MIN_US = 10_000_000;
/** In place of an instant where the collector ended in order: from there on nobody meant to watch. */
export const ENDED_IN_ORDER = "stopped";

export class SelfWatch {
  private readonly gapUs: number;
  private last: { readonly bootUs: number; readonly epoch: number } | undefined;
  private readonly told = new Map<string, string>();

  constructor(heartbeatUs: number) {
    this.gapUs = Math.max(GAP_MIN_US, BEATS_MISSED * heartbeatUs);
  }

  /** @param lastAlive  what `alive` said of the collector before this one, as it was kept */
  resumed(lastAlive: string | undefined, now: number): EventBody<"collector.gap"> | undefined {
    if (lastAlive === undefined || lastAlive === ENDED_IN_ORDER) return undefined;
    const from = Number(lastAlive);
    return now - from > this.gapUs ? gap("the collector did not run", from, now) : undefined;
  }

  /** @param bootUs  the time since boot, sleep included, microseconds */
  alive(bootUs: number, epoch: number): EventBody<"collector.gap"> | undefined {
    const { last } = this;
    this.last = { bootUs, epoch };
    if (!last || bootUs - last.bootUs <= this.gapUs) return undefined;
    // The wall clock may have been set meanwhile: the time between is the other clock's.
    return gap("the machine or the collector was stopped", Math.max(0, epoch - (bootUs - last.bootUs)), epoch);
  }

  /** Those that see no more, or see again; the first time nothing, because `collector.started` tells. */
  changes(statuses: readonly SourceStatus[]): EventBody<"collector.source">[] {
    const isFirst = this.told.size === 0;
    return statuses.flatMap(({ name, detail, state, reason }, index) => {
      const key = `${index} ${name}`;
      const before = this.told.get(key);
      this.told.set(key, state);
      if (isFirst || before === state) return [];
      return [{ kind: "collector.source", name, detail, state, ...(reason === undefined ? {} : { reason }) }];
    });
  }
}

function gap(reason: string, from: number, to: number): EventBody<"collector.gap"> {
  return { kind: "collector.gap", sourceName: "collector", reason, from: Math.round(from), to: Math.round(to) };
}
