import { OperatorError } from "../core/errors.ts";
import { type EpochUs, US_PER_MS } from "../core/time.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Most offsets remembered: a year of hours. A log in order needs one at a time, so all are forgotten when there are more. */
const OFFSETS_MAX = 8_784;

/** A wall-clock reading, as a syslog line tells it. Month from 1. */
export interface WallTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** In milliseconds. */
interface Offset {
  /** From UTC; of two that fit, the one that makes the earlier instant. */
  readonly offset: number;
  /** How much later the clock shows the same reading again; 0 when it does not. */
  readonly repeatedAfter: number;
}

/** How far a clock may go back from one line to the next before it is the change to winter time that put it back, microseconds. */
const STEP_US = 60_000_000;
/** A line before is a neighbour when it is not further ahead than this, microseconds. */
const NEIGHBOUR_US = 3 * HOUR_MS * US_PER_MS;

/** What tells the two instants apart that one reading has in the hour that a change to winter time repeats; epoch microseconds. */
export interface Neighbours {
  /** The line before. */
  readonly previous: number | undefined;
  /** The line was written at or before this; a live one, at this. */
  readonly reference: number;
}

/**
 * Turns a wall clock's readings into instants.
 *
 * A reading in the hour that a change to summer time leaves out is taken as if the clock had not been moved yet. In the hour
 * that a change to winter time repeats, the first of the two instants is taken, unless the lines around say otherwise:
 * the second one, when a line before shows a later time of day by more than a minute, or when the reference says
 * that the line was written just now.
 */
export class ZoneClock {
  private readonly offsetOf: (epochMs: number) => number;
  /** Offsets by hour of wall time: a log asks for the same hour thousands of times. */
  private readonly byHour = new Map<number, Offset>();
  /** The same by minute, for the days around a change: there are zones that change at a half hour, or at 00:01. */
  private readonly byMinute = new Map<number, Offset>();

  /**
   * @param zone  IANA name, `UTC`, or a fixed offset from it such as `+02:00`
   * @throws OperatorError when there is no such zone
   */
  constructor(zone: string) {
    const fixed = fixedOffset(zone);
    this.offsetOf = fixed === undefined ? offsetsOf(zone) : () => fixed;
  }

  instant({ year, month, day, hour, minute, second }: WallTime, neighbours?: Neighbours): EpochUs {
    const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
    const { offset, repeatedAfter } = this.offsetAt(wallMs);
    const first = (wallMs - offset) * US_PER_MS;
    const again = first + repeatedAfter * US_PER_MS;
    const isSecond = repeatedAfter > 0 && neighbours !== undefined && isSecondPass(first, again, neighbours);
    return (isSecond ? again : first) as EpochUs;
  }

  private offsetAt(wallMs: number): Offset {
    const hour = Math.floor(wallMs / HOUR_MS);
    const minute = Math.floor(wallMs / MINUTE_MS);
    const known = this.byHour.get(hour) ?? this.byMinute.get(minute);
    if (known !== undefined) return known;
    const before = this.offsetOf(hour * HOUR_MS - DAY_MS);
    const after = this.offsetOf(hour * HOUR_MS + DAY_MS);
    if (before === after) return remember(this.byHour, hour, { offset: before, repeatedAfter: 0 });
    // Of the two readings the earlier instant; in the gap neither offset leads back to the reading, and the old one holds.
    const at = minute * MINUTE_MS;
    const leadsBack = [before, after].filter((offset) => this.offsetOf(at - offset) === offset);
    return remember(this.byMinute, minute, {
      offset: leadsBack.length > 0 ? Math.max(...leadsBack) : before,
      repeatedAfter: leadsBack.length === 2 ? Math.abs(before - after) : 0,
    });
  }
}

function isSecondPass(first: number, second: number, { previous, reference }: Neighbours): boolean {
  if (second > reference + STEP_US) return false;
  if (reference - second <= STEP_US) return true;
  return previous !== undefined && previous > first + STEP_US && previous <= first + NEIGHBOUR_US;
}

/** Whether a time zone can be read under this name: see the constructor of ZoneClock. */
export function isZone(zone: string): boolean {
  // Intl takes its time to load, and nothing of it is needed for an offset.
  if (fixedOffset(zone) !== undefined) return true;
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

/** What `isZone` takes, for whoever was refused. */
export const ZONE_WANTED = "give an IANA name such as Europe/Berlin, UTC, or an offset such as +02:00";

function remember(offsets: Map<number, Offset>, key: number, offset: Offset): Offset {
  if (offsets.size >= OFFSETS_MAX) offsets.clear();
  offsets.set(key, offset);
  return offset;
}

/** `UTC`, `Z`, `+02:00`, `-0330`, `+2`, in milliseconds. Node 20's Intl does not know offsets as zones. */
function fixedOffset(zone: string): number | undefined {
  if (zone === "UTC" || zone === "Z") return 0;
  const parts = /^([+-])(\d{1,2})(?::?([0-5]\d))?$/.exec(zone);
  if (!parts || Number(parts[2]) > 14) return undefined;
  return (parts[1] === "-" ? -1 : 1) * (Number(parts[2]) * HOUR_MS + Number(parts[3] ?? 0) * MINUTE_MS);
}

function offsetsOf(zone: string): (epochMs: number) => number {
  const format = formatOf(zone);
  return (epochMs) => {
    const parts = new Map(format.formatToParts(epochMs).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const wallMs = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
    return wallMs - Math.floor(epochMs / 1000) * 1000;
  };
}

function formatOf(zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (cause) {
    throw new OperatorError("ZONE_UNKNOWN", `${JSON.stringify(zone)} is not a time zone`, {
      remedy: `${ZONE_WANTED[0]?.toUpperCase()}${ZONE_WANTED.slice(1)}`,
      cause,
    });
  }
}
