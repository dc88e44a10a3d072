/** Which clock the reader thinks in. */
export type Zone = "browser" | "utc";

const pad = (value: number, width = 2): string => String(value).padStart(width, "0");

function partsOf(us: number, zone: Zone): { date: string; time: string } {
  const at = new Date(Math.floor(us / 1000));
  const utc = zone === "utc";
  const date = utc
    ? [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate()]
    : [at.getFullYear(), at.getMonth() + 1, at.getDate()];
  const time = utc
    ? [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
    : [at.getHours(), at.getMinutes(), at.getSeconds()];
  return {
    date: `${date[0]}-${pad(date[1] ?? 0)}-${pad(date[2] ?? 0)}`,
    time: time.map((value) => pad(value)).join(":"),
  };
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

/** `7.4 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. @param us microseconds */
export function formatDuration(us: number): string {
  const seconds = Math.max(0, us) / 1e6;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

const MS = 1000;
const S = 1_000_000;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500]
  .map((ms) => ms * MS)
  .concat(
    [
      1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
    ].map((s) => s * S),
  );

/** Instants for the ticks of a time axis, at round values. @param most how many there is room for */
export function timeTicks(from: number, to: number, most: number): number[] {
  const step = STEPS.find((candidate) => (to - from) / candidate <= Math.max(1, most)) ?? 2_592_000 * S;
  const ticks: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) ticks.push(tick);
  return ticks;
}

/** A tick's label, no more precise than the distance to the next one. */
export function formatTick(us: number, spanUs: number, zone: Zone): string {
  const { date, time } = partsOf(us, zone);
  if (spanUs > 3 * 86_400 * S) return date;
  if (spanUs > 3 * 3600 * S) return time.slice(0, 5);
  if (spanUs > 5 * S) return time;
  return `${time}.${pad(Math.floor(us / 1000) % 1000, 3)}`;
}
