/** Microseconds on a clock that never steps; comparable within one process run only. */
export type MonoUs = number & { readonly unit: "mono_us" };
/** Microseconds since 1970-01-01T00:00:00Z; steps when NTP or an operator moves the clock. Exact in a double until the year 2255. */
export type EpochUs = number & { readonly unit: "epoch_us" };

/** The two kinds of time, handed in at the edge so that the rest can be driven by a test clock. */
export interface Clock {
  mono(): MonoUs;
  epoch(): EpochUs;
}

export const US_PER_SECOND = 1_000_000;
export const US_PER_MS = 1_000;

/** `2026-03-05T10:00:00.123456Z`: ISO 8601 with microseconds, which `Date` cannot print. */
export function formatEpochUs(at: EpochUs): string {
  const seconds = Math.floor(at / US_PER_SECOND);
  const micros = at - seconds * US_PER_SECOND;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(micros).padStart(6, "0")}Z`;
}

/**
 * Reads an ISO 8601 instant with any number of fraction digits and a zone (`Z` or `+hh:mm`).
 * @returns undefined when the text is not such an instant.
 */
export function parseIsoUs(text: string): EpochUs | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?(Z|[+-]\d{2}:?\d{2})$/.exec(text);
  if (!match) return undefined;
  const [, date, time, fraction = "", zone = "Z"] = match;
  const zoneIso = zone === "Z" || zone.includes(":") ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const ms = Date.parse(`${date}T${time}${zoneIso}`);
  if (Number.isNaN(ms)) return undefined;
  return (ms * US_PER_MS + Number(fraction.padEnd(6, "0").slice(0, 6))) as EpochUs;
}
