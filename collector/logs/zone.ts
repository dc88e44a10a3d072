import { US_PER_MS, type EpochUs } from "../core/time.ts";

const HOUR_MS = 3_600_000;

/** A wall-clock reading, as a syslog line tells it. Month from 1. */
export interface WallTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/**
 * Turns a wall clock's readings into instants.
 *
 * In the hour that a change to winter time repeats, the first of the two instants is taken; a reading in the hour that a
 * change to summer time leaves out is taken as if the clock had not been moved yet. Both are functions of the text alone.
 */
export class ZoneClock {
  private readonly format: Intl.DateTimeFormat | undefined;
  /** Offset from UTC in milliseconds, by hour of wall time: a log asks for the same hour thousands of times. */
  private readonly offsets = new Map<number, number>();

  /** @param zone IANA name; `UTC` is answered without a look-up. @throws RangeError when there is no such zone. */
  constructor(zone: string) {
    this.format =
      zone === "UTC"
        ? undefined
        : new Intl.DateTimeFormat("en-US", {
            timeZone: zone,
            hourCycle: "h23",
            year: "numeric",
            month: "numeric",
            day: "numeric",
            hour: "numeric",
            minute: "numeric",
            second: "numeric",
          });
  }

  instant({ year, month, day, hour, minute, second }: WallTime): EpochUs {
    const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
    return ((wallMs - this.offsetAt(wallMs)) * US_PER_MS) as EpochUs;
  }

  /** Year of an instant on this wall clock. */
  yearOf(epochUs: number): number {
    const ms = epochUs / US_PER_MS;
    return new Date(ms + this.offsetOf(ms)).getUTCFullYear();
  }

  private offsetAt(wallMs: number): number {
    const hour = Math.floor(wallMs / HOUR_MS);
    const known = this.offsets.get(hour);
    if (known !== undefined) return known;
    // Two guesses, from before and after a possible change: the earlier instant that reads so, or the old offset in a gap.
    const before = this.offsetOf(wallMs - 24 * HOUR_MS);
    const after = this.offsetOf(wallMs + 24 * HOUR_MS);
    const candidates = [before, after].filter((offset) => this.offsetOf(wallMs - offset) === offset);
    const offset = candidates.length > 0 ? Math.max(...candidates) : before;
    this.offsets.set(hour, offset);
    return offset;
  }

  private offsetOf(ms: number): number {
    if (!this.format) return 0;
    const parts = new Map(this.format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    return (
      Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second")) -
      Math.floor(ms / 1000) * 1000
    );
  }
}
