import { checkerOf, Type } from "./schema.ts";
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

interface Repeats {
  readonly from: number;
  readonly to: number;
}

/** What outlives the collector that knew it. */
interface ClockMemory {
  /** The last reading, and the boot of its `mono`. */
  readonly boot: string;
  readonly mono: number;
  readonly epoch: number;
  readonly suspended: number;
  readonly offsetUs?: number;
  readonly boundUs?: number;
  readonly repeats?: Repeats;
  readonly beforeBoot?: BeforeBoot;
}

interface BeforeBoot {
  readonly epoch: number;
  readonly offsetUs: number;
  readonly boundUs: number;
}

/** The clock was behind what it had shown before the machine was booted: how far that reaches is known with the server's first answer. */
const UNTIL_KNOWN = Number.MAX_SAFE_INTEGER;

export class ClockWatch {
  private readonly suspendedUs: () => number;
  private last: (Reading & { readonly suspended: number }) | undefined;
  /** Of the last reading before the machine was booted: compared with the server's first answer. */
  private beforeBoot: BeforeBoot | undefined;
  /** Where it is not known how long the two readings are apart by a clock that is never slewed, that much more than a step's least. */
  private slackUs = 0;
  private best: Measured | undefined;
  private told: Told | undefined;
  /** Readings that the clock shows, or has shown, for the second time, until it is past them for a while. */
  private repeats: Repeats | undefined;

  /** @param suspendedUs  for how long this machine slept since it was booted, during which `mono` stood still; microseconds */
  constructor(suspendedUs: () => number = () => 0) {
    this.suspendedUs = suspendedUs;
  }

  /**
   * Takes up what the collector before this one knew; before the first reading.
   * @param memory  what `memory` said then; anything else is taken for nothing
   * @param boot    the same for as long as `mono` goes on
   */
  resume(memory: string | undefined, now: Reading, boot: string): void {
    const known = parsed(memory);
    if (!known) return;
    this.repeats = known.repeats;
    this.beforeBoot = known.beforeBoot;
    const { mono, epoch, suspended, offsetUs, boundUs } = known;
    if (known.boot === boot && mono <= now.mono) {
      this.last = { mono: mono as MonoUs, epoch: epoch as EpochUs, suspended };
      this.slackUs = (now.mono - mono) * DRIFT;
      return;
    }
    if (offsetUs !== undefined && boundUs !== undefined) this.beforeBoot = { epoch, offsetUs, boundUs };
    if (now.epoch >= epoch) return;
    const to = this.beforeBoot ? UNTIL_KNOWN : Math.max(epoch, this.repeats?.to ?? 0);
    this.repeats = { from: Math.min(now.epoch, this.repeats?.from ?? now.epoch), to };
  }

  /** What the next collector is to know, should this be the last reading of this one. */
  memory(now: Reading, boot: string): string {
    const { best, repeats, beforeBoot } = this;
    const memory: ClockMemory = {
      boot,
      mono: now.mono,
      epoch: now.epoch,
      suspended: this.last?.suspended ?? 0,
      ...(best ? { offsetUs: Math.round(best.aheadUs + now.mono - now.epoch), boundUs: boundAt(best, now.mono) } : {}),
      ...(repeats ? { repeats } : {}),
      ...(beforeBoot ? { beforeBoot } : {}),
    };
    return JSON.stringify(memory);
  }

  /** Both clocks are read, at the same time: was the wall clock set since? */
  read(now: Reading): ClockNote | undefined {
    const { last } = this;
    const step = last ? now.epoch - last.epoch - (now.mono - last.mono) : 0;
    const least = STEP_MIN_US + this.slackUs;
    this.slackUs = 0;
    if (last && Math.abs(step) < least) {
      this.last = { ...now, suspended: last.suspended };
      return undefined;
    }
    const suspended = this.suspendedUs();
    this.last = { ...now, suspended };
    if (!last) return undefined;
    const slept = suspended - last.suspended < SLEEP_MIN_US ? 0 : Math.round(suspended - last.suspended);
    if (this.best) this.best = { ...this.best, aheadUs: this.best.aheadUs + slept };
    const steppedUs = step - slept;
    if (Math.abs(steppedUs) < least) return undefined;
    const beforeTs = last.epoch + slept;
    if (steppedUs < 0) this.repeatFrom(beforeTs + steppedUs, now.epoch - steppedUs);
    return { steppedUs, beforeTs, ...this.tell(now) };
  }

  private repeatFrom(from: number, to: number): void {
    const { repeats } = this;
    const known = repeats && repeats.to !== UNTIL_KNOWN ? repeats.to : 0;
    this.repeats = { from: Math.min(repeats?.from ?? from, from), to: Math.max(known, to) };
  }

  /** The server has answered for the first time since the machine was booted: was the clock set in between? */
  private sinceBoot(now: Reading): ClockNote | undefined {
    const { best, beforeBoot } = this;
    if (!best || !beforeBoot) return undefined;
    this.beforeBoot = undefined;
    const steppedUs = Math.round(beforeBoot.offsetUs - (best.aheadUs + now.mono - now.epoch));
    const isSet = Math.abs(steppedUs) >= STEP_MIN_US + beforeBoot.boundUs + boundAt(best, now.mono);
    if (steppedUs < 0 && isSet) this.repeatFrom(beforeBoot.epoch + steppedUs, now.epoch - steppedUs);
    else if (this.repeats?.to === UNTIL_KNOWN) this.repeats = { ...this.repeats, to: beforeBoot.epoch };
    return isSet ? { steppedUs, beforeTs: beforeBoot.epoch, ...this.tell(now) } : undefined;
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
    const booted = this.sinceBoot(now);
    if (booted) return booted;
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

/** Of an older release, or spoiled, it is none. */
function parsed(memory: string | undefined): ClockMemory | undefined {
  if (memory === undefined) return undefined;
  try {
    const known: unknown = JSON.parse(memory);
    return checker.Check(known) ? known : undefined;
  } catch {
    return undefined;
  }
}

const checker = checkerOf(
  Type.Object({
    boot: Type.String(),
    mono: Type.Number(),
    epoch: Type.Number(),
    suspended: Type.Number(),
    offsetUs: Type.Optional(Type.Number()),
    boundUs: Type.Optional(Type.Number()),
    repeats: Type.Optional(Type.Object({ from: Type.Number(), to: Type.Number() })),
    beforeBoot: Type.Optional(Type.Object({ epoch: Type.Number(), offsetUs: Type.Number(), boundUs: Type.Number() })),
  }),
);

const boundAt = ({ boundUs, at }: Measured, now: MonoUs): number => boundUs + Math.max(0, now - at) * DRIFT;
