import type { Clock, EpochUs, MonoUs } from "./time.ts";

/** The machine's clocks. The only place that reads them. */
export const systemClock: Clock = {
  mono: () => Number(process.hrtime.bigint() / 1000n) as MonoUs,
  // Date.now follows a stepped clock, performance.timeOrigin does not; millisecond resolution is enough for our own notes.
  epoch: () => (Date.now() * 1000) as EpochUs,
};
