import type { Event } from "../../collector/events/event.ts";
import { LIFE_SIGN_BUCKET_US, SAME_BOOT_US } from "./options.ts";
import { firstAtOrAfter } from "./order.ts";
import { indexOfTime } from "./stretch.ts";

/** The newest sign of life of a node before an instant, epoch microseconds. */
export type LifeSign = (ts: number) => number | undefined;

/** A sign of life, by the node's own clock. */
interface Sign {
  readonly ts: number;
  readonly secondPass: boolean;
}

/** One node's signs of life, folded: the newest of each LIFE_SIGN_BUCKET_US of its own clock, whatever becomes known of that. */
export class LifeSigns {
  private readonly newest = new Map<number, Sign>();
  /** The same by the reference's clock, ascending. */
  private times: number[] = [];
  private timeOf: (ts: number, secondPass: boolean) => number;

  constructor(timeOf: (ts: number, secondPass: boolean) => number) {
    this.timeOf = timeOf;
  }

  /** @returns false when it tells nothing new */
  add({ ts, secondPass = false }: { readonly ts: number; readonly secondPass?: boolean }): boolean {
    const bucket = 2 * Math.floor(ts / LIFE_SIGN_BUCKET_US) + Number(secondPass);
    const known = this.newest.get(bucket);
    if (known !== undefined && known.ts >= ts) return false;
    this.newest.set(bucket, { ts, secondPass });
    if (known) this.times.splice(indexOfTime(this.times, this.timeOf(known.ts, secondPass)), 1);
    const time = this.timeOf(ts, secondPass);
    this.times.splice(indexOfTime(this.times, time), 0, time);
    return true;
  }

  /** More is known of the node's clock. */
  redate(): void {
    this.times = [...this.newest.values()]
      .map(({ ts, secondPass }) => this.timeOf(ts, secondPass))
      .sort((a, b) => a - b);
  }

  before(ts: number): number | undefined {
    return this.times[indexOfTime(this.times, ts) - 1];
  }

  last(): number {
    return this.times.at(-1) ?? 0;
  }
}

/**
 * The newest event or folded heartbeat before an instant. Signs since the collector was started shortly before do not count:
 * the host was booted, and what ran on it before ended at a time nobody saw.
 */
export function lifeSigns(events: readonly Event[], heartbeats: Pick<LifeSigns, "before">): LifeSign {
  const starts = events.filter(({ kind }) => kind === "collector.started");
  const before = (ts: number): number | undefined => {
    const event = events[firstAtOrAfter(events, ts) - 1];
    const beat = heartbeats.before(ts);
    if (event === undefined) return beat;
    return beat === undefined ? event.ts : Math.max(event.ts, beat);
  };
  return (ts) => {
    const start = starts[firstAtOrAfter(starts, ts - SAME_BOOT_US)];
    return before(start !== undefined && start.ts <= ts ? start.ts : ts);
  };
}
