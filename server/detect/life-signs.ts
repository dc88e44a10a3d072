import type { Event } from "../../collector/events/event.ts";
import { LIFE_SIGN_GAP_US, SAME_BOOT_US } from "./options.ts";
import { eventsBetween, firstAtOrAfter, indexWhere } from "./order.ts";

/** The newest sign of life of a node before an instant, of what has run on it since another one; epoch microseconds. */
export type LifeSign = (ts: number, since: number) => number | undefined;

interface Span {
  from: number;
  to: number;
}

/** First and last reading of each stretch of life, by pass. */
export type SignsDump = readonly (readonly (readonly [number, number])[])[];

/**
 * One node's signs of life, as the stretches of its own clock in which they were never further apart than LIFE_SIGN_GAP_US.
 * They take the room of its silences only, and do not depend on the order in which they became known.
 */
export class LifeSigns {
  /** By time, those of the second pass of a clock that was set back apart. */
  private readonly passes: readonly [Span[], Span[]] = [[], []];
  private readonly timeOf: (ts: number, secondPass: boolean) => number;
  /** The same by the reference's clock. */
  private corrected: readonly Span[] | null = null;

  constructor(timeOf: (ts: number, secondPass: boolean) => number) {
    this.timeOf = timeOf;
  }

  /** @returns false when it tells nothing new */
  add({ ts, secondPass = false }: { readonly ts: number; readonly secondPass?: boolean }): boolean {
    const spans = this.passes[secondPass ? 1 : 0];
    const index = indexWhere(spans, ({ to }) => to >= ts - LIFE_SIGN_GAP_US);
    const span = spans[index];
    if (span === undefined || span.from > ts + LIFE_SIGN_GAP_US) spans.splice(index, 0, { from: ts, to: ts });
    else if (span.from <= ts && ts <= span.to) return false;
    else {
      span.from = Math.min(span.from, ts);
      span.to = Math.max(span.to, ts);
      const next = spans[index + 1];
      if (next && next.from <= span.to + LIFE_SIGN_GAP_US) {
        span.to = Math.max(span.to, next.to);
        spans.splice(index + 1, 1);
      }
    }
    this.corrected = null;
    return true;
  }

  /** Lets those go that nothing from this reading on asks for: of each pass all but the last before it. */
  forget(before: number): void {
    for (const spans of this.passes) {
      const kept = Math.max(0, indexWhere(spans, ({ to }) => to >= before) - 1);
      if (kept === 0) continue;
      spans.splice(0, kept);
      this.corrected = null;
    }
  }

  dump(): SignsDump {
    return this.passes.map((spans) => spans.map(({ from, to }) => [from, to] as const));
  }

  load(dump: SignsDump): void {
    for (const [pass, spans] of this.passes.entries())
      spans.splice(0, spans.length, ...(dump[pass] ?? []).map(([from, to]) => ({ from, to })));
    this.corrected = null;
  }

  /** More is known of the node's clock. */
  redate(): void {
    this.corrected = null;
  }

  /** There was one then, or later but still before the instant. */
  before(ts: number): number | undefined {
    const spans = (this.corrected ??= this.correctedSpans());
    const span = spans[indexWhere(spans, ({ from }) => from >= ts) - 1];
    return span && (span.to < ts ? span.to : Math.max(span.from, ts - LIFE_SIGN_GAP_US));
  }

  last(): number {
    return Math.max(0, ...(this.corrected ??= this.correctedSpans()).slice(-2).map(({ to }) => to));
  }

  private correctedSpans(): readonly Span[] {
    return this.passes
      .flatMap((spans, pass) =>
        spans.map(({ from, to }) => ({ from: this.timeOf(from, pass === 1), to: this.timeOf(to, pass === 1) })),
      )
      .sort((a, b) => a.from - b.from || a.to - b.to);
  }
}

/**
 * The newest event or heartbeat before an instant. Signs since the collector was started shortly before do not count:
 * the host was booted, and what ran on it before ended at a time nobody saw. What was seen after a boot outlived it.
 */
export function lifeSigns(events: readonly Event[], heartbeats: Pick<LifeSigns, "before">): LifeSign {
  const starts = events.filter(({ kind }) => kind === "collector.started");
  const before = (ts: number): number | undefined => {
    const event = events[firstAtOrAfter(events, ts) - 1];
    const beat = heartbeats.before(ts);
    if (event === undefined) return beat;
    return beat === undefined ? event.ts : Math.max(event.ts, beat);
  };
  return (ts, since) => {
    // Of several starts the one after the longest silence was the boot.
    let [silence, newest] = [-1, before(ts)];
    for (const start of eventsBetween(starts, Math.max(since + 1, ts - SAME_BOOT_US), ts)) {
      const last = before(start.ts);
      if (last === undefined || start.ts - last < silence) continue;
      [silence, newest] = [start.ts - last, last];
    }
    return newest;
  };
}
