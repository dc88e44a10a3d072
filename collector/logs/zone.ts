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

/**
 * Turns a wall clock's readings into instants.
 *
 * In the hour that a change to winter time repeats, the first of the two instants is taken; a reading in the hour that a
 * change to summer time leaves out is taken as if the clock had not been moved yet. Both are functions of the text alone.
 */
export class ZoneClock {
  private readonly offsetOf: (epochMs: number) => number;
  /** Offset from UTC in milliseconds, by hour of wall time: a log asks for the same hour thousands of times. */
  private readonly byHour = new Map<number, number>();
  /** The same by minute, for the days around a change: there are zones that change at a half hour, or at 00:01. */
  private readonly byMinute = new Map<number, number>();

  /**
   * @param zone  IANA name, `UTC`, or a fixed offset from it such as `+02:00`
   * @throws OperatorError when there is no such zone
   */
  constructor(zone: string) {
    const fixed = fixedOffset(zone);
    this.offsetOf = fixed === undefined ? offsetsOf(zone) : () => fixed;
  }

  instant({ year, month, day, hour, minute, second }: WallTime): EpochUs {
    const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
    return ((wallMs - this.offsetAt(wallMs)) * US_PER_MS) as EpochUs;
  }

  private offsetAt(wallMs: number): number {
    const hour = Math.floor(wallMs / HOUR_MS);
    const minute = Math.floor(wallMs / MINUTE_MS);
    const known = this.byHour.get(hour) ?? this.byMinute.get(minute);
    if (known !== undefined) return known;
    const before = this.offsetOf(hour * HOUR_MS - DAY_MS);
    const after = this.offsetOf(hour * HOUR_MS + DAY_MS);
    if (before === after) return remember(this.byHour, hour, before);
    // Of the two readings the earlier instant; in the gap neither offset leads back to the reading, and the old one holds.
    const at = minute * MINUTE_MS;
    const leadsBack = [before, after].filter((offset) => this.offsetOf(at - offset) === offset);
    return remember(this.byMinute, minute, leadsBack.length > 0 ? Math.max(...leadsBack) : before);
  }
}

/** Whether a time zone can be read under this name: see the constructor of ZoneClock. */
export function isZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return fixedOffset(zone) !== undefined;
  }
}

/** What `isZone` takes, for whoever was refused. */
export const ZONE_WANTED = "give an IANA name such as Europe/Berlin, UTC, or an offset such as +02:00";

function remember(offsets: Map<number, number>, key: number, offset: number): number {
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
