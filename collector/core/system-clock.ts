import type { Clock, EpochUs, MonoUs } from "./time.ts";

/** Of the clock that never steps, which counts from the boot, at its zero in this process. It is read with every advert: without a bigint. */
const STARTED_US = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

/** The machine's clocks. The only place that reads them. */
export const systemClock: Clock = {
  mono: () => Math.floor(STARTED_US + performance.now() * 1000) as MonoUs,
  // Date.now follows a stepped clock, performance.timeOrigin does not; millisecond resolution is enough for our own notes.
  epoch: () => (Date.now() * 1000) as EpochUs,
};
