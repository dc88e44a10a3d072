import { randomUUID } from "node:crypto";
import type { Clock } from "../../collector/core/time.ts";
import type { Silence, SilenceDraft } from "../api/types.ts";
import type { Incident } from "../detect/incident.ts";
import type { Store } from "../store/store.ts";
import { type Matcher, makeMatcher, matchesAll } from "./matchers.ts";

/** Most silences that have not ended. */
export const SILENCES_MAX = 1000;
/** Longest silence, microseconds: 366 days. What is never to be told is a matter for the configuration. */
const DURATION_US_MAX = 366 * 86_400 * 1_000_000;

/** What is wrong with a silence that somebody asks for: where, and a sentence. */
export class SilenceFault extends Error {
  override readonly name = "SilenceFault";
  readonly at: string;
  constructor(at: string, message: string) {
    super(`${at} ${message}`);
    this.at = at;
  }
}

interface Entry {
  readonly silence: Silence;
  readonly matchers: readonly Matcher[];
}

/** Who asked for silence, about what, until when and why. Each is stored before it counts. */
export class Silences {
  readonly #store: Pick<Store, "saveSilence" | "silences">;
  readonly #clock: Clock;
  #entries = new Map<string, Entry>();

  constructor(store: Pick<Store, "saveSilence" | "silences">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async load(): Promise<void> {
    for (const silence of await this.#store.silences()) {
      const matchers = silence.matchers.map(({ label, operator, value }) => makeMatcher(label, operator, value));
      // One that an older keepwatch wrote with a label that is no more: it is shown, and silences nothing.
      const isSound = (matcher: Matcher | string): matcher is Matcher => typeof matcher !== "string";
      this.#entries.set(silence.id, { silence, matchers: matchers.every(isSound) ? matchers : [] });
    }
  }

  /** Newest first. */
  all(): readonly Silence[] {
    return [...this.#entries.values()].map(({ silence }) => silence).sort((a, b) => b.createdTs - a.createdTs);
  }

  activeCount(): number {
    const now = this.#clock.epoch();
    return this.all().filter((silence) => isActive(silence, now)).length;
  }

  /** The one that lasts longest of those that silence an incident now. */
  silencing(incident: Incident): Silence | undefined {
    const now = this.#clock.epoch();
    return [...this.#entries.values()]
      .filter(
        ({ silence, matchers }) => isActive(silence, now) && matchers.length > 0 && matchesAll(matchers, incident),
      )
      .map(({ silence }) => silence)
      .sort((a, b) => b.endsTs - a.endsTs)[0];
  }

  /** @throws SilenceFault, and what the store throws */
  async add(draft: SilenceDraft): Promise<Silence> {
    const now = this.#clock.epoch();
    const { startsTs = now, endsTs } = draft;
    if (endsTs <= now) throw new SilenceFault("endsTs", "is over already");
    if (endsTs <= startsTs) throw new SilenceFault("endsTs", "is not later than startsTs");
    if (endsTs - startsTs > DURATION_US_MAX) throw new SilenceFault("endsTs", "is more than 366 days after startsTs");
    const matchers = draft.matchers.map(({ label, operator, value }, index) => {
      const matcher = makeMatcher(label, operator, value);
      if (typeof matcher === "string") throw new SilenceFault(`matchers[${index}]`, matcher);
      return matcher;
    });
    if (!matchers.some(({ operator, fits }) => (operator === "=" || operator === "=~") && !fits("")))
      throw new SilenceFault("matchers", "would fit everything: one with = or =~ must ask for a value");
    if (this.all().filter(({ endsTs: end }) => end > now).length >= SILENCES_MAX)
      throw new SilenceFault(
        "matchers",
        `cannot be added: ${SILENCES_MAX} silences have not ended yet; end some of them`,
      );
    const silence: Silence = {
      id: randomUUID().replaceAll("-", ""),
      matchers: draft.matchers,
      createdTs: now,
      startsTs,
      endsTs,
      author: draft.author,
      reason: draft.reason,
    };
    await this.#store.saveSilence(silence, 1);
    this.#entries.set(silence.id, { silence, matchers });
    return silence;
  }

  /** Ends one now. @returns undefined when there is none of this id */
  async expire(id: string): Promise<Silence | undefined> {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    const now = this.#clock.epoch();
    if (entry.silence.endsTs <= now) return entry.silence;
    const silence: Silence = { ...entry.silence, startsTs: Math.min(entry.silence.startsTs, now), endsTs: now };
    await this.#store.saveSilence(silence, 2);
    this.#entries.set(id, { ...entry, silence });
    return silence;
  }
}

const isActive = ({ startsTs, endsTs }: Silence, now: number): boolean => startsTs <= now && now < endsTs;
