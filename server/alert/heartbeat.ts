import { messageOf } from "../../collector/core/errors.ts";
import { type Clock, formatEpochUs } from "../../collector/core/time.ts";
import { sendHttp } from "./notifiers/http.ts";
import type { Log, Timers } from "./outbox.ts";

/** How long one beat may take, milliseconds. */
const BEAT_TIMEOUT_MS = 10_000;

export interface HeartbeatDeps {
  readonly url: URL | undefined;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Whether what must work works: the store answers. What throws does not. */
  readonly isWell: () => Promise<boolean>;
}

/**
 * A dead-man's switch: others hear that keepwatch lives, and wake somebody when they do not. It beats only while it is well, so
 * that a server that cannot store, and so concludes nothing, is missed as a dead one is.
 */
export class Heartbeat {
  readonly #deps: HeartbeatDeps;
  readonly #stopping = new AbortController();
  #cancel: () => void = () => undefined;
  #beating: Promise<void> = Promise.resolve();
  #lastTs = 0;
  #failures = 0;
  #isFailing = false;

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
  }

  /** When it was well last, and what did not reach its url. */
  counts(): { readonly lastTs: number; readonly failures: number } {
    return { lastTs: this.#lastTs, failures: this.#failures };
  }

  start(): void {
    this.#beating = this.#beat();
    this.#next();
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#stopping.abort();
    await this.#beating;
  }

  #next(): void {
    this.#cancel = this.#deps.timers.after(this.#deps.intervalMs, () => {
      // A beat that takes longer than the time between two is not doubled.
      this.#beating = this.#beating.then(() => this.#beat());
      this.#next();
    });
  }

  async #beat(): Promise<void> {
    const { clock, url, isWell } = this.#deps;
    if (this.#stopping.signal.aborted) return;
    const why = await isWell().then(
      (well) => (well ? undefined : "the store does not answer"),
      (error: unknown) => messageOf(error),
    );
    if (why !== undefined) return this.#failed(`keepwatch is not well, and its heartbeat pauses: ${why}`);
    this.#lastTs = clock.epoch();
    if (url === undefined) return this.#worked();
    const body = JSON.stringify({ status: "alive", at: formatEpochUs(clock.epoch()) });
    const attempt = { signal: this.#stopping.signal, timeoutMs: BEAT_TIMEOUT_MS, now: clock.epoch() };
    const outcome = await sendHttp(attempt, { url, body });
    if (outcome.kind === "sent") return this.#worked();
    if (!this.#stopping.signal.aborted) this.#failed(`the heartbeat did not reach ${url.origin}: ${outcome.error}`);
  }

  #worked(): void {
    if (this.#isFailing) this.#deps.log("info", "the heartbeat goes on");
    this.#isFailing = false;
  }

  /** Said once, until it works again. */
  #failed(why: string): void {
    this.#failures += 1;
    if (!this.#isFailing) this.#deps.log("warn", why);
    this.#isFailing = true;
  }
}
