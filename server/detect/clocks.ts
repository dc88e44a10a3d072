import { US_PER_MS, US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { indexWhere } from "./order.ts";

/**
 * Puts the nodes' clocks right. What a collector measured of its node's clock is itself evidence (`collector.clock`), so that
 * all that is concluded stays a function of the set of events. A node's time is cut into eras by the steps of its clock; within
 * an era a time is corrected by the sample before it, or by the first where there is none. The page for people is README.md.
 */

/** A clock this near to the reference counts as right: the sources of one node differ by as much. */
const CLOCK_RIGHT_US = 5 * US_PER_MS;
/** Samples further apart than this were not to be had: between them the clock is taken to have drifted evenly. */
const CLOCK_SAMPLES_APART_US = 600 * US_PER_SECOND;

/** Of plain samples before what is at hand so many are kept. */
const PLAIN_KEPT = 4;

type Correction = Omit<Knot, "runFrom">;

type Told = Extract<Event, { kind: "collector.clock" }>;

interface Step {
  /** Positive when the clock was set forward. */
  readonly us: number;
  /** Last reading before, and first one after. */
  readonly beforeTs: number;
  readonly ts: number;
}

interface Sample {
  /** By the node's clock. */
  readonly ts: number;
  readonly id: string;
  /** To be added to the node's time; undefined when only the step is known. */
  readonly offsetUs: number | undefined;
  readonly boundUs: number;
  readonly step: Step | undefined;
}

/** From a sample on it happened in [ts + earlyUs, ts + earlyUs + widenUs]. */
interface Knot {
  readonly ts: number;
  readonly earlyUs: number;
  readonly widenUs: number;
  /** Index of the first of those before it that say the same. */
  readonly runFrom: number;
}

interface Era {
  /** What it begins with; undefined for the first. */
  readonly step: Step | undefined;
  /** The latest reading of all eras before. */
  readonly reachedUs: number;
  /** By time; never empty. */
  readonly knots: Knot[];
}

export interface ClockDump {
  readonly node: string;
  readonly samples: readonly Sample[];
}

interface NodeClock {
  samples: Sample[];
  ids: Set<string>;
  eras: readonly Era[];
}

/** What the events of one cluster tell of its nodes' clocks. */
export class ClockBook {
  private readonly nodes = new Map<string, NodeClock>();

  /**
   * Takes note of what an event tells of its node's clock.
   * @returns from which instant of that clock on the node's events are to be corrected anew: epoch microseconds, or minus
   *   infinity for all of them; undefined when those known before stay where they are
   */
  learn(event: Event): number | undefined {
    if (event.kind !== "collector.clock") return undefined;
    if (event.offsetUs === undefined && event.steppedUs === undefined) return undefined;
    const clock = this.clockOf(event.node);
    if (clock.ids.has(event.id)) return undefined;
    clock.ids.add(event.id);
    const sample = sampleOf(event);
    return isNewest(clock, sample) ? append(clock, sample) : rebuild(clock, sample);
  }

  /** The event at the reference's time; the same object where there is nothing to correct. */
  correct(event: Event): Event {
    // By the server's own clock.
    if (event.kind === "collector.unheard" || (event.kind === "collector.gap" && event.sourceName === "store"))
      return event;
    const eras = this.nodes.get(event.node)?.eras;
    if (!eras) return event;
    const { earlyUs, widenUs } = correctionAt(eraOf(eras, event), event.ts);
    if (earlyUs === 0 && widenUs === 0) return event;
    const ts = Math.max(0, Math.round(event.ts + earlyUs));
    return dated(event, ts, event.tsUncertaintyUs + Math.ceil(widenUs));
  }

  /** Until when the node is watched by a sign of life at this reading of its clock; epoch microseconds of the reference. */
  timeOf(node: string, ts: number, secondPass: boolean): number {
    const eras = this.nodes.get(node)?.eras;
    if (!eras) return ts;
    const reading = { ts, tsUncertaintyUs: 0, secondPass };
    return Math.max(0, Math.round(ts + correctionAt(eraOf(eras, reading), ts).earlyUs));
  }

  /**
   * The least reading of the node's clock that may be of this instant or a later one.
   * @param from  epoch microseconds of the reference
   */
  readingAt(node: string, from: number): number {
    let least = from;
    const eras = this.nodes.get(node)?.eras ?? [];
    for (const [index, { knots }] of eras.entries()) {
      const next = eras[index + 1]?.step;
      if (next && endedAt(next) + Math.max(...knots.map(latestOf)) < from) continue;
      least = Math.min(least, from - Math.max(...knots.map(latestOf)));
    }
    return Math.floor(least);
  }

  /** Lets the samples go that nothing of this instant or later is corrected by; epoch microseconds. */
  forget(before: number): void {
    for (const clock of this.nodes.values()) {
      const samples = neededFrom(clock.samples, before);
      if (samples.length === clock.samples.length) continue;
      clock.samples = samples;
      clock.ids = new Set(samples.map(({ id }) => id));
      clock.eras = erasOf(resolved(samples));
    }
  }

  /** @param before  samples that no later time is corrected by are left out; epoch microseconds */
  dump(before: number): ClockDump[] {
    return [...this.nodes].map(([node, { samples }]) => ({ node, samples: neededFrom(samples, before) }));
  }

  load(dumps: readonly ClockDump[]): void {
    for (const { node, samples } of dumps)
      this.nodes.set(node, {
        samples: [...samples],
        ids: new Set(samples.map(({ id }) => id)),
        eras: erasOf(resolved(samples)),
      });
  }

  private clockOf(node: string): NodeClock {
    let clock = this.nodes.get(node);
    if (!clock) this.nodes.set(node, (clock = { samples: [], ids: new Set(), eras: [] }));
    return clock;
  }
}

const originals = new WeakMap<Event, Event>();

/** The same event at another time. */
export function dated(event: Event, ts: number, tsUncertaintyUs: number): Event {
  const corrected: Event = { ...event, ts, tsUncertaintyUs };
  originals.set(corrected, event);
  return corrected;
}

/** The event as its node dated it. */
export const originalOf = (event: Event): Event => originals.get(event) ?? event;

function sampleOf({ id, ts, offsetUs, boundUs = 0, steppedUs: us, beforeTs }: Told): Sample {
  const step = us === undefined || us === 0 ? undefined : { us, ts, beforeTs: beforeTs ?? ts - us };
  return { ts, id, offsetUs, boundUs, step };
}

const latestOf = ({ earlyUs, widenUs }: Knot): number => Math.max(0, earlyUs + widenUs);

/**
 * A time is corrected by the sample before it, the one after it, and the one before the run of those that say the same. So nothing
 * later needs a sample in the middle of a run, nor one that is followed by more than PLAIN_KEPT others; but each step is needed.
 */
function neededFrom(samples: readonly Sample[], before: number): Sample[] {
  const isPlain = (sample: Sample | undefined): sample is Sample & { readonly offsetUs: number } =>
    sample?.offsetUs !== undefined && sample.step === undefined;
  const says = ({ ts, offsetUs, boundUs }: Sample & { readonly offsetUs: number }): Correction =>
    knotOf(ts, offsetUs, boundUs);
  const changing = samples.filter((sample, index) => {
    const [last, next] = [samples[index - 1], samples[index + 1]];
    if (trueTs(sample) >= before || !isPlain(sample) || !isPlain(last) || !isPlain(next)) return true;
    return !isSame(says(sample), says(last)) || !isSame(says(sample), says(next));
  });
  const from = indexWhere(changing, (sample) => trueTs(sample) >= before) - PLAIN_KEPT;
  return changing.filter(
    (sample, index) =>
      index >= from || !isPlain(sample) || !isPlain(changing[index - 1]) || !isPlain(changing[index + 1]),
  );
}

// --- learning ------------------------------------------------------------------------------------------------------------

const trueTs = ({ ts, offsetUs = 0 }: Sample): number => ts + offsetUs;

/** What was measured at the reading of a step was measured after it. */
const compareTies = (a: Sample, b: Sample): number =>
  Number(a.step === undefined) - Number(b.step === undefined) || (a.id < b.id ? -1 : 1);

const byTrueTime = (a: Sample, b: Sample): number => trueTs(a) - trueTs(b) || compareTies(a, b);

/** Nearly all samples are: they cost nothing but their place. */
function isNewest({ samples, eras }: NodeClock, sample: Sample): boolean {
  const last = samples.at(-1);
  if (!last || eras.length === 0 || sample.step || last.offsetUs === undefined) return false;
  return sample.ts > (eras.at(-1)?.knots.at(-1)?.ts ?? 0) && trueTs(sample) > trueTs(last);
}

function append(clock: NodeClock, sample: Sample): number | undefined {
  const knots = (clock.eras.at(-1) as Era).knots;
  const last = knots.at(-1) as Knot;
  const knot = knotOf(sample.ts, sample.offsetUs as number, sample.boundUs);
  clock.samples.push(sample);
  knots.push({ ...knot, runFrom: isSame(last, knot) ? last.runFrom : knots.length });
  if (isSame(last, knot)) return undefined;
  return isApart(last, knot) ? last.ts : knot.ts;
}

function rebuild(clock: NodeClock, sample: Sample): number | undefined {
  const before = clock.eras;
  // The offsets that are only concluded are concluded anew.
  clock.samples = [...clock.samples, sample].sort(byTrueTime);
  clock.eras = erasOf(resolved(clock.samples));
  return changedFrom(before, clock.eras);
}

/** A step of which nothing else is known is measured by the next sample; without one, it is taken to have put the clock right. */
function resolved(samples: readonly Sample[]): Sample[] {
  const done: Sample[] = [];
  let after: Sample | undefined;
  for (const sample of [...samples].sort((a, b) => b.ts - a.ts || compareTies(b, a))) {
    const offsetUs = sample.offsetUs ?? (after?.offsetUs ?? 0) + (after?.step?.us ?? 0);
    after = { ...sample, offsetUs, boundUs: sample.offsetUs === undefined ? (after?.boundUs ?? 0) : sample.boundUs };
    done.push(after);
  }
  return done.sort(byTrueTime);
}

function erasOf(samples: readonly Sample[]): Era[] {
  if (samples.length === 0) return [];
  const eras: { step: Step | undefined; reachedUs: number; knots: Correction[] }[] = [
    { step: undefined, reachedUs: Number.NEGATIVE_INFINITY, knots: [] },
  ];
  for (const { ts, offsetUs = 0, boundUs, step } of samples) {
    const last = eras.at(-1) as (typeof eras)[number];
    if (step) {
      // Before it the clock was off by what it was set by besides.
      if (last.knots.length === 0) last.knots.push(knotOf(step.beforeTs, offsetUs + step.us, boundUs));
      eras.push({ step, reachedUs: Math.max(last.reachedUs, step.ts - step.us), knots: [] });
    }
    eras.at(-1)?.knots.push(knotOf(ts, offsetUs, boundUs));
  }
  return eras.map(({ knots, ...era }) => ({ ...era, knots: inRuns(knots) }));
}

function inRuns(corrections: Correction[]): Knot[] {
  corrections.sort((a, b) => a.ts - b.ts || a.earlyUs - b.earlyUs || a.widenUs - b.widenUs);
  const knots: Knot[] = [];
  for (const correction of corrections) {
    const last = knots.at(-1);
    knots.push({ ...correction, runFrom: last && isSame(last, correction) ? last.runFrom : knots.length });
  }
  return knots;
}

function knotOf(ts: number, offsetUs: number, boundUs: number): Correction {
  if (Math.abs(offsetUs) <= Math.max(boundUs, CLOCK_RIGHT_US)) return { ts, earlyUs: 0, widenUs: 0 };
  return { ts, earlyUs: offsetUs - boundUs, widenUs: 2 * boundUs };
}

const isSame = (a: Correction, b: Correction): boolean => a.earlyUs === b.earlyUs && a.widenUs === b.widenUs;
const isApart = (a: Correction, b: Correction): boolean => b.ts - a.ts > CLOCK_SAMPLES_APART_US;

/** What is only added at the end changes nothing before it. */
function changedFrom(before: readonly Era[], after: readonly Era[]): number | undefined {
  const all = Number.NEGATIVE_INFINITY;
  if (before.length === 0) return after.every(({ knots }) => knots.every(isNothing)) ? undefined : all;
  let from = Number.POSITIVE_INFINITY;
  for (const [index, { step, knots }] of after.entries()) {
    const old = before[index];
    if (old === undefined) from = Math.min(from, step ? Math.min(beganAt(step), step.ts - step.us) : all);
    else {
      const isGrown = old.knots.every((knot, at) => JSON.stringify(knot) === JSON.stringify(knots[at]));
      if (!isGrown || JSON.stringify(old.step) !== JSON.stringify(step)) return all;
      const last = old.knots.at(-1) as Knot;
      for (const knot of knots.slice(old.knots.length))
        if (!isSame(knot, last)) from = Math.min(from, isApart(last, knot) ? last.ts : knot.ts);
    }
  }
  return after.length < before.length ? all : from === Number.POSITIVE_INFINITY ? undefined : from;
}

const isNothing = ({ earlyUs, widenUs }: Knot): boolean => earlyUs === 0 && widenUs === 0;

// --- correcting ----------------------------------------------------------------------------------------------------------

/** The first reading after the step is at least this. */
const beganAt = ({ beforeTs, us }: Step): number => beforeTs + us;
/** The last reading before it is at most this. */
const endedAt = ({ ts, us }: Step): number => ts - us;

interface Dated {
  readonly ts: number;
  readonly tsUncertaintyUs: number;
  readonly secondPass?: boolean;
}

/** Readings that no era before had are of the newest; of others it is seen from the oldest on. */
function eraOf(eras: readonly Era[], event: Dated): Era {
  const newest = eras.at(-1) as Era;
  if (event.ts > newest.reachedUs) return newest;
  let found = eras[0] as Era;
  for (const era of eras) {
    if (!era.step) continue;
    if (isFirstPass(era.step, event)) break;
    if (isAfter(era.step, event)) found = era;
  }
  return found;
}

/** The clock was set back to before it, and came by a second time: such events say so. */
const isFirstPass = (step: Step, { ts, secondPass }: Dated): boolean =>
  step.us < 0 && secondPass !== true && ts >= beganAt(step) && ts <= endedAt(step);

function isAfter(step: Step, { ts, tsUncertaintyUs, secondPass }: Dated): boolean {
  if (step.us > 0) return ts >= Math.min(beganAt(step), endedAt(step) + 1);
  return ts > endedAt(step) || (secondPass === true && ts + tsUncertaintyUs >= beganAt(step));
}

function correctionAt({ knots }: Era, ts: number): Pick<Knot, "earlyUs" | "widenUs"> {
  const index = Math.max(0, lastAtOrBefore(knots, ts));
  const knot = knots[index] as Knot;
  const next = knots[index + 1];
  if (next && !isSame(knot, next) && isApart(knot, next) && ts > knot.ts) {
    const share = (ts - knot.ts) / (next.ts - knot.ts);
    const between = (a: number, b: number): number => a + (b - a) * share;
    return { earlyUs: between(knot.earlyUs, next.earlyUs), widenUs: between(knot.widenUs, next.widenUs) };
  }
  // One more sample that says the same changes nothing.
  const first = knots[knot.runFrom] as Knot;
  const previous = knots[knot.runFrom - 1];
  if (!previous || isApart(previous, first)) return knot;
  // No jump back: what happened first stays first. Both say when it happened at the earliest, so the later one holds.
  const earlyUs = Math.max(knot.earlyUs, previous.earlyUs - (ts - first.ts) / 2);
  return { earlyUs, widenUs: Math.max(0, knot.earlyUs + knot.widenUs - earlyUs) };
}

function lastAtOrBefore(knots: readonly Knot[], ts: number): number {
  let low = 0;
  let high = knots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((knots[middle] as Knot).ts <= ts) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
