import type { EpochUs, MonoUs } from "./time.ts";

/**
 * What a collector can tell of its machine's wall clock: how far it is from the server's, from the exchange with it (as NTP
 * measures: RFC 5905 section 8), and whether it was set, from the clock that never steps. Offsets are kept against the latter,
 * so that neither a step nor a slewing clock makes a measurement worthless. Pure: all readings are arguments.
 */

/** The wall clock has milliseconds, at both ends. */
const RESOLUTION_US = 2_000;
/** Two clocks drift apart by at most so much: a good crystal's 50 parts in a million, twice. */
const DRIFT = 1e-4;
/** Less than this between two readings is a clock that is slewed, even as fast as chrony does. */
const STEP_MIN_US = 50_000;
/** How long it slept is known to a hundredth of a second: shorter sleeps are none. */
const SLEEP_MIN_US = 1_000_000;
/** What is told of the clock stays told for so long, microseconds ... */
const REPEAT_US = 300_000_000;
/** ... and is not told anew before this, but for a step. */
const PAUSE_US = 10_000_000;
/** Lines of the stretch that came twice may be read so long after it is over. */
const READ_LATE_US = 60_000_000;

export interface Reading {
  readonly mono: MonoUs;
  readonly epoch: EpochUs;
}

/** One request and its answer. */
export interface Exchange {
  readonly sentMono: MonoUs;
  /** By the server's clock. */
  readonly receivedTs: number;
  readonly answeredTs: number;
  readonly gotMono: MonoUs;
}

/** Of a `collector.clock` event, which has the instant of its reading. */
export interface ClockNote {
  readonly offsetUs?: number;
  readonly boundUs?: number;
  readonly steppedUs?: number;
  readonly beforeTs?: number;
}

interface Measured {
  /** Server's time less the clock that never steps. */
  readonly aheadUs: number;
  readonly boundUs: number;
  readonly at: MonoUs;
}

interface Told {
  readonly offsetUs: number;
  readonly boundUs: number;
  readonly at: MonoUs;
}

export class ClockWatch {
  private readonly suspendedUs: () => number;
  private last: (Reading & { readonly suspended: number }) | undefined;
  private best: Measured | undefined;
  private told: Told | undefined;
  /** Readings that the clock shows, or has shown, for the second time, until it is past them for a while. */
  private repeats: { readonly from: number; readonly to: number } | undefined;

  /** @param suspendedUs  for how long this machine slept since it was booted, during which `mono` stood still; microseconds */
  constructor(suspendedUs: () => number = () => 0) {
    this.suspendedUs = suspendedUs;
  }

  /** Both clocks are read, at the same time: was the wall clock set since? */
  read(now: Reading): ClockNote | undefined {
    const { last } = this;
    const step = last ? now.epoch - last.epoch - (now.mono - last.mono) : 0;
    if (last && Math.abs(step) < STEP_MIN_US) {
      this.last = { ...now, suspended: last.suspended };
      return undefined;
    }
    const suspended = this.suspendedUs();
    this.last = { ...now, suspended };
    if (!last) return undefined;
    const slept = suspended - last.suspended < SLEEP_MIN_US ? 0 : Math.round(suspended - last.suspended);
    if (this.best) this.best = { ...this.best, aheadUs: this.best.aheadUs + slept };
    const steppedUs = step - slept;
    if (Math.abs(steppedUs) < STEP_MIN_US) return undefined;
    const beforeTs = last.epoch + slept;
    if (steppedUs < 0)
      this.repeats = {
        from: Math.min(this.repeats?.from ?? beforeTs + steppedUs, beforeTs + steppedUs),
        to: Math.max(this.repeats?.to ?? 0, now.epoch - steppedUs),
      };
    return { steppedUs, beforeTs, ...this.tell(now) };
  }

  /** The server has answered. Of all exchanges the one counts that says most, with what both clocks may have drifted since. */
  exchanged({ sentMono, receivedTs, answeredTs, gotMono }: Exchange): void {
    const delayUs = gotMono - sentMono - (answeredTs - receivedTs);
    if (delayUs < -RESOLUTION_US || answeredTs < receivedTs) return;
    const aheadUs = (receivedTs - sentMono + (answeredTs - gotMono)) / 2;
    const boundUs = Math.max(0, delayUs) / 2 + RESOLUTION_US;
    const { best } = this;
    const disagree = best && Math.abs(aheadUs - best.aheadUs) > boundUs + boundAt(best, gotMono);
    // Bounds that do not meet: the server's clock was set, and the newest word counts.
    if (!best || disagree || boundUs <= boundAt(best, gotMono)) this.best = { aheadUs, boundUs, at: gotMono };
  }

  /** What is to be told of the clock at this reading, if it is news. */
  news(now: Reading): ClockNote | undefined {
    const { best, told } = this;
    if (!best) return undefined;
    const age = told ? now.mono - told.at : Number.POSITIVE_INFINITY;
    if (age < PAUSE_US) return undefined;
    const offsetUs = best.aheadUs + now.mono - now.epoch;
    const boundUs = boundAt(best, now.mono);
    const holds = told && Math.abs(offsetUs - told.offsetUs) + boundUs <= told.boundUs && 4 * boundUs > told.boundUs;
    if (told && holds && age < REPEAT_US) return undefined;
    return holds ? this.repeat(told, now) : this.tell(now);
  }

  /** An event of this instant, seen now, is of a stretch that the clock shows for the second time. */
  isSecondPass(ts: number, tsUncertaintyUs: number, now: EpochUs): boolean {
    if (!this.repeats) return false;
    const { from, to } = this.repeats;
    if (now > to + READ_LATE_US) {
      this.repeats = undefined;
      return false;
    }
    // What was seen at an instant that is still to come was seen the first time; the clock is read in whole milliseconds.
    return ts + tsUncertaintyUs >= from && ts <= Math.min(to, now + RESOLUTION_US);
  }

  /** So that what is told holds for a while, its bound is twice what was measured. */
  private tell(now: Reading): ClockNote {
    if (!this.best) return {};
    const offsetUs = Math.round(this.best.aheadUs + now.mono - now.epoch);
    const boundUs = Math.ceil(2 * boundAt(this.best, now.mono));
    this.told = { offsetUs, boundUs, at: now.mono };
    return { offsetUs, boundUs };
  }

  private repeat({ offsetUs, boundUs }: Told, now: Reading): ClockNote {
    this.told = { offsetUs, boundUs, at: now.mono };
    return { offsetUs, boundUs };
  }
}

const boundAt = ({ boundUs, at }: Measured, now: MonoUs): number => boundUs + Math.max(0, now - at) * DRIFT;
