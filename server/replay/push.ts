import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { OperatorError } from "../../collector/core/errors.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { US_PER_MS } from "../../collector/core/time.ts";
import { AGAIN, type Batch, type BatchReceipt } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { type Answer, explain, isHopeless, pauseAfter, receiptOf, Transport } from "../../collector/sinks/transport.ts";
import { type DueBatch, planImport, planReplay, shiftEvents } from "./replay.ts";

/** Time one replayed batch covers, in microseconds: what a live collector gathers before it sends. */
const BATCH_US = 200_000;

export interface PushOptions {
  /** The server's address. */
  readonly url: string;
  readonly token?: string;
  readonly signal: AbortSignal;
  readonly onBatch: (batch: Batch, receipt: BatchReceipt) => void;
  /** The server cannot take a batch now; it is tried again. */
  readonly onTrouble: (why: string) => void;
}

export interface ReplayOptions extends PushOptions {
  /** Recorded seconds in one second. */
  readonly speed: number;
  /** How much of the recording is sent at once, in microseconds. */
  readonly pastUs: number;
}

/** From the first recorded event to the last, epoch microseconds. @throws OperatorError when there is none */
export function spanOf(events: readonly Event[]): { readonly from: number; readonly to: number } {
  if (events.length === 0)
    throw new OperatorError("REPLAY_EMPTY", "there is nothing to replay: the input has no event of keepalived");
  return {
    from: events.reduce((earliest, { ts }) => Math.min(earliest, ts), Number.POSITIVE_INFINITY),
    to: events.reduce((latest, { ts }) => Math.max(latest, ts), 0),
  };
}

/**
 * Sends recorded events to a server as if they happened now: the recording's past at once, the rest at the pace that is asked for.
 * Faster than recorded, they lie so far in the past that the last of them is of the moment in which it is sent: none is of the future.
 */
export async function pushReplay(events: readonly Event[], options: ReplayOptions): Promise<void> {
  const { speed, pastUs } = options;
  const { from, to } = spanOf(events);
  const startUs = from + pastUs;
  const endsAt = systemClock.epoch() + (to - startUs) / speed;
  const shiftUs = Math.round(endsAt - to);
  const plan = planReplay(shiftEvents(events, shiftUs), { startUs: startUs + shiftUs, everyUs: BATCH_US * speed });
  await push(
    plan.map(({ dueUs, batch }) => ({ dueUs: dueUs / speed, batch })),
    options,
  );
}

/** Sends recorded events to a server as they are: of the time in which they happened, and known again when they come twice. */
export const pushImport = (events: readonly Event[], options: PushOptions): Promise<void> =>
  push(planImport(events), { ...options, resent: AGAIN });

interface SendOptions extends PushOptions {
  /** The server may have some of it. */
  readonly resent?: typeof AGAIN;
}

async function push(plan: readonly DueBatch[], options: SendOptions): Promise<void> {
  const { signal, url, token } = options;
  const transport = new Transport({ url, ...(token === undefined ? {} : { token }) });
  const beganMono = systemClock.mono();
  try {
    for (const { dueUs, batch } of plan) {
      await pause(beganMono + dueUs - systemClock.mono(), signal);
      options.onBatch(batch, await send(transport, batch, options));
    }
  } finally {
    transport.close();
  }
}

async function send(
  transport: Transport,
  batch: Batch,
  { url, signal, onTrouble, resent }: SendOptions,
): Promise<BatchReceipt> {
  const body = { bytes: gzipSync(JSON.stringify(batch)), gzip: true };
  for (let failures = 0; ; failures++) {
    const mayBeThere = failures === 0 ? resent : AGAIN;
    const answer = await transport.attempt(
      { ...body, ...(mayBeThere === undefined ? {} : { resent: mayBeThere }) },
      signal,
    );
    const receipt = receiptOf(answer);
    if (receipt) return receipt;
    const why = explain(answer);
    if (typeof answer !== "string" && isFinal(answer))
      throw new OperatorError("REPLAY_REFUSED", `the server at ${url} refused a replayed batch: ${why}`);
    if (!signal.aborted) onTrouble(why);
    await pause(pauseAfter(answer, failures, Math.random) * US_PER_MS, signal);
  }
}

/** Somebody waits for it: what only a change of settings helps is told at once. */
const isFinal = (answer: Answer): boolean => isHopeless(answer) || [200, 401, 403, 404].includes(answer.status);

async function pause(us: number, signal: AbortSignal): Promise<void> {
  if (us > 0) await sleep(us / US_PER_MS, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) throw new OperatorError("REPLAY_ABORTED", "the replay was interrupted");
}
