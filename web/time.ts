/** Which clock the reader thinks in: the browser's, UTC, or that of a named zone, as a node has it: `Europe/Berlin`. */
export type Zone = string;
export const BROWSER: Zone = "browser";
export const UTC: Zone = "utc";

/** Whether times can be shown in it. */
export function isZone(zone: string): boolean {
  if (zone === BROWSER || zone === UTC) return true;
  if (zone === "") return false;
  try {
    return formatOf(zone) !== undefined;
  } catch {
    return false;
  }
}

const pad = (value: number, width = 2): string => String(value).padStart(width, "0");

interface Parts {
  readonly date: string;
  readonly time: string;
}

function partsOf(us: number, zone: Zone): Parts {
  const at = new Date(Math.floor(us / 1000));
  if (zone === BROWSER)
    return partsFrom(at.getFullYear(), at.getMonth() + 1, at.getDate(), [
      at.getHours(),
      at.getMinutes(),
      at.getSeconds(),
    ]);
  const shown = zone === UTC ? at : new Date(at.getTime() - offsetIn(zone, us) * 60_000);
  return partsFrom(shown.getUTCFullYear(), shown.getUTCMonth() + 1, shown.getUTCDate(), [
    shown.getUTCHours(),
    shown.getUTCMinutes(),
    shown.getUTCSeconds(),
  ]);
}

const partsFrom = (year: number, month: number, day: number, time: readonly number[]): Parts => ({
  date: `${year}-${pad(month)}-${pad(day)}`,
  time: time.map((value) => pad(value)).join(":"),
});

const formats = new Map<string, Intl.DateTimeFormat>();

/** @throws {RangeError} when the browser knows no such zone */
function formatOf(zone: Zone): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  return format;
}

/** Minutes from a zone's time to UTC at an instant, as `Date` counts them: negative in the east. */
export function offsetIn(zone: Zone, us: number): number {
  if (zone === UTC) return 0;
  const ms = Math.floor(us / MS);
  if (zone === BROWSER) return new Date(ms).getTimezoneOffset();
  const parts = new Map(
    formatOf(zone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  const local = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return Math.round((Math.floor(ms / 1000) * 1000 - local) / 60_000);
}

/** `2026-11-24 10:53:23`. @param us epoch microseconds */
export function formatDateTime(us: number, zone: Zone): string {
  const { date, time } = partsOf(us, zone);
  return `${date} ${time}`;
}

/** `10:53:23.123456`. */
export function formatMicros(us: number, zone: Zone): string {
  return `${partsOf(us, zone).time}.${pad(Math.floor(us) % 1_000_000, 6)}`;
}

/** `UTC`, `UTC+01:00`. @param offsetMinutes minutes from the reader's time to UTC, as `Date` counts them: negative in the east */
export function formatZone(us: number, zone: Zone, offsetMinutes = offsetIn(zone, us)): string {
  if (zone === UTC || offsetMinutes === 0) return "UTC";
  const minutes = Math.abs(offsetMinutes);
  return `UTC${offsetMinutes < 0 ? "+" : "-"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

const MS = 1000;
const S = 1_000_000;
const DAY = 86_400 * S;

/** `42 µs`, `7.4 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. Rounded before the unit is chosen: 59.96 s is a minute. @param us microseconds */
export function formatDuration(us: number): string {
  const whole = Math.max(0, Math.round(us));
  if (whole === 0) return "0 s";
  if (whole < MS) return `${whole} µs`;
  const ms = Math.round(whole / MS);
  if (ms < 1000) return `${ms} ms`;
  const tenths = Math.round(whole / 100_000);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(whole / S);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500]
  .map((ms) => ms * MS)
  .concat(
    [
      1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
    ].map((s) => s * S),
  );
const LONG_STEP = 30 * DAY;

/**
 * Instants for the ticks of a time axis, at values that are round on the reader's clock.
 * @param most      how many there is room for
 * @param offsetAt  minutes from the reader's time to UTC at an instant, as `Date` counts them
 */
export function timeTicks(
  from: number,
  to: number,
  most: number,
  zone: Zone,
  offsetAt = (us: number): number => offsetIn(zone, us),
): number[] {
  const room = Math.max(1, most);
  const step =
    STEPS.find((candidate) => (to - from) / candidate <= room) ?? Math.ceil((to - from) / room / LONG_STEP) * LONG_STEP;
  const offsetOf = (us: number): number => (zone === UTC ? 0 : offsetAt(us) * 60 * S);
  const first = offsetOf(from);
  const ticks: number[] = [];
  for (let local = Math.ceil((from - first) / step) * step; local + first <= to; local += step) {
    // A day's midnight moves against UTC when summer time begins or ends; within a day steps stay even.
    const tick = local + (step < DAY ? first : offsetOf(local + first));
    if (tick >= from && tick <= to) ticks.push(tick);
  }
  return ticks;
}

/** A tick's label: no more precise than its neighbours need, and no less. */
export function formatTick(us: number, ticks: readonly number[], zone: Zone): string {
  const { date, time } = partsOf(us, zone);
  const [first = us, second = us] = ticks;
  const step = second - first;
  if (step >= DAY - 3600 * S) return date;
  const clock = step > 0 && step % (60 * S) === 0 ? time.slice(0, 5) : time;
  // A single tick has no neighbours to be told from: it stands at a round value of its own.
  const fraction = (step || us) % S === 0 ? "" : `.${pad(Math.floor(us / MS) % 1000, 3)}`;
  // Closer than an hour the same time cannot come twice, and with the date it would not fit.
  const isOneDay = partsOf(first, zone).date === partsOf(ticks.at(-1) ?? us, zone).date;
  return isOneDay || step < 3600 * S ? clock + fraction : `${date.slice(5)} ${clock}${fraction}`;
}

/** For an input of date and time: `2026-11-24T10:53:23`. */
export function inputOf(us: number, zone: Zone): string {
  const { date, time } = partsOf(us, zone);
  return `${date}T${time}`;
}

/** What was put in, as an instant; null when it is none. Of an hour that comes twice, one of both. */
export function instantOf(text: string, zone: Zone): number | null {
  const asUtc = Date.parse(`${text}Z`) * MS;
  if (Number.isNaN(asUtc)) return null;
  const near = asUtc + offsetIn(zone, asUtc) * 60 * S;
  return asUtc + offsetIn(zone, near) * 60 * S;
}
