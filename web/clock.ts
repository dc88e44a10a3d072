/** The Date header has whole seconds and the answer its travel time: less than this apart is no difference, milliseconds. */
const TOLERANCE_MS = 3_000;

/**
 * How far the server's clock is ahead of this browser's, milliseconds; 0 when they agree as far as can be told.
 * The evidence is on the server's time: by a laptop's own clock, a minute slow, a silent node would look alive.
 */
export function clockOffsetMs(dateHeader: string | null, browserMs: number): number {
  const serverMs = Date.parse(dateHeader ?? "");
  // It was cut to the second; the middle of it is the best guess.
  const offset = serverMs + 500 - browserMs;
  return Number.isNaN(offset) || Math.abs(offset) <= TOLERANCE_MS ? 0 : offset;
}
