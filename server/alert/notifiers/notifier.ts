import type { EpochUs } from "../../../collector/core/time.ts";
import { messageOf } from "../../../collector/core/errors.ts";
import type { HeldStatus } from "../held.ts";
import { type Message, oneLine } from "../message.ts";

/** Longest reason kept with a delivery, in characters. */
const REASON_MAX_CHARS = 300;

/** How one attempt ended. */
export type Outcome =
  | { readonly kind: "sent" /** What went less than well. */; readonly note?: string }
  | {
      readonly kind: "retry";
      readonly error: string /** The receiver asks not to be tried sooner. */;
      readonly afterMs?: number;
    }
  /** The same message would be refused again. */
  | { readonly kind: "refused"; readonly error: string }
  /** Not sent, and recorded so: something else explains it, or somebody asked for silence. */
  | {
      readonly kind: "held";
      readonly status: HeldStatus;
      readonly by: string;
      readonly error: string;
    }
  /** The receiver wants no messages any more. */
  | { readonly kind: "gone"; readonly error: string };

/** Incidents that are told in one message. */
export interface Group {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  /** All news, in order; the attempt's own message is the first. */
  readonly messages: readonly Message[];
  /** Others of the group that are open and were told before. */
  readonly stillOpen: readonly Message[];
}

/** What every notifier is given for one attempt. */
export interface Attempt {
  readonly message: Message;
  /** undefined: the message is alone. */
  readonly group?: Group;
  /** The same for each attempt of a delivery: receivers drop repetitions by it. */
  readonly deliveryId: string;
  readonly now: EpochUs;
  /** Longest time for the attempt. */
  readonly timeoutMs: number;
  /** Gives the attempt up: the server stops. */
  readonly signal: AbortSignal;
}

/** One line for the delivery's `lastError`; what a receiver answered is as hostile as a log line. */
export function reason(text: string): string {
  return oneLine(text, REASON_MAX_CHARS);
}

/** The innermost cause says it best: fetch's own message is only "fetch failed". */
export function reasonOf(error: unknown): string {
  let at = error;
  for (let depth = 0; depth < 5 && at instanceof Error && at.cause instanceof Error; depth++) at = at.cause;
  const code = at instanceof Error && "code" in at && typeof at.code === "string" ? ` (${at.code})` : "";
  return reason(`${messageOf(at) || "no connection"}${code}`);
}

/**
 * Runs an attempt with a signal that fires when the attempt is given up or has taken too long. A controller of our own,
 * held by its timer: combined signals have been lost to garbage collection before they fired.
 */
export async function withDeadline<T>(
  { signal }: Pick<Attempt, "signal">,
  timeoutMs: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const giveUp = () => controller.abort(new Error("given up: the server stops"));
  const timer = setTimeout(() => controller.abort(new Error(`timeout: no end after ${timeoutMs / 1000} s`)), timeoutMs);
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}
