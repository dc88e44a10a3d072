import { setTimeout as sleep } from "node:timers/promises";
import type { Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import { systemClock } from "../../collector/core/system-clock.ts";
import { planReplay, shiftEvents } from "./replay.ts";

/** Event time one replayed batch covers, in microseconds: what a live collector gathers before it sends. */
const BATCH_US = 200_000;

export interface ReplayOptions {
  /** The server's address. */
  readonly url: string;
  readonly signal: AbortSignal;
  readonly onBatch: (batch: Batch) => void;
  /** How much of the recording lies in the past when the replay begins, in microseconds. Default: a quarter of it. */
  readonly pastUs?: number;
}

/** Sends recorded events to a server as if they happened now: the recording's past at once, the rest at its own pace. */
export async function pushReplay(events: readonly Event[], options: ReplayOptions): Promise<void> {
  const from = events.reduce((earliest, { ts }) => Math.min(earliest, ts), Number.POSITIVE_INFINITY);
  const to = events.reduce((latest, { ts }) => Math.max(latest, ts), 0);
  if (events.length === 0)
    throw new OperatorError("REPLAY_EMPTY", "there is nothing to replay: the input has no event of keepalived");
  const pastUs = options.pastUs ?? (to - from) / 4;
  const beganMono = systemClock.mono();
  const shiftUs = Math.round(systemClock.epoch() - from - pastUs);
  const plan = planReplay(shiftEvents(events, shiftUs), { startUs: from + shiftUs + pastUs, everyUs: BATCH_US });
  for (const { dueUs, batch } of plan) {
    const waitMs = (beganMono + dueUs - systemClock.mono()) / 1000;
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
    if (options.signal.aborted) throw new OperatorError("REPLAY_ABORTED", "the replay was interrupted");
    await send(options.url, batch);
    options.onBatch(batch);
  }
}

async function send(url: string, batch: Batch): Promise<void> {
  let response: Response;
  try {
    response = await fetch(new URL("/api/v1/ingest", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(batch),
    });
  } catch (cause) {
    throw new OperatorError("REPLAY_REFUSED", `the server at ${url} cannot be reached: ${messageOf(cause)}`, { cause });
  }
  if (!response.ok)
    throw new OperatorError(
      "REPLAY_REFUSED",
      `the server at ${url} refused a replayed batch: ${response.status} ${(await response.text()).slice(0, 300)}`,
    );
  await response.arrayBuffer();
}
