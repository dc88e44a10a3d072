import type { EpochUs, MonoUs } from "../../collector/core/time.ts";

/** A node's own clock: ahead of the true time, drifting from it, and stepped. */
export class NodeClock {
  private readonly zero: number;
  private readonly driftPpm: number;
  private offsetUs: number;

  /** @param zero  true time when the simulation began, epoch microseconds */
  constructor(zero: number, offsetUs: number, driftPpm: number) {
    this.zero = zero;
    this.offsetUs = offsetUs;
    this.driftPpm = driftPpm;
  }

  /** @param now  microseconds since the simulation began */
  epoch(now: number): EpochUs {
    return (this.zero + now + this.errorUs(now)) as EpochUs;
  }

  /** The clock beside it that never steps. */
  mono(now: number): MonoUs {
    return (now + this.driftUs(now)) as MonoUs;
  }

  /** How far it is ahead. */
  errorUs(now: number): number {
    return this.offsetUs + this.driftUs(now);
  }

  step(us: number): void {
    this.offsetUs += us;
  }

  private driftUs(now: number): number {
    return Math.round((now * this.driftPpm) / 1_000_000);
  }
}
