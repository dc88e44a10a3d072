import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from "node:http";
import { request as httpsRequest, Agent as HttpsAgent } from "node:https";
import { gzip as gzipCallback } from "node:zlib";
import { promisify } from "node:util";
import { messageOf } from "../core/errors.ts";
import { checkerOf } from "../core/schema.ts";
import { BatchReceipt } from "../events/batch.ts";
import type { Exchange } from "../core/clock-watch.ts";
import type { Log } from "../core/log.ts";
import type { Clock, MonoUs } from "../core/time.ts";
import type { Pending } from "./spool.ts";

const gzip = promisify(gzipCallback);
const receipt = checkerOf(BatchReceipt);

/** A body smaller than this goes out as it is, in bytes. */
const GZIP_FROM_BYTES = 1024;
/** First wait after a failure, milliseconds; doubled with each further one. */
export const RETRY_FIRST_MS = 250;
export const RETRY_MAX_MS = 30_000;
/** Longest answer that is kept for the dead-letter note, in characters. */
const ANSWER_MAX_CHARS = 2_000;
/** How long the server may take over one batch, milliseconds. */
const ANSWER_TIMEOUT_MS = 60_000;

/** What of the spool the push needs. */
export interface BatchQueue {
  /** The oldest batch after this sequence; waits for one. Undefined when there will be none, or `signal` aborts. */
  next(signal: AbortSignal, after: number): Promise<Pending | undefined>;
  acknowledge(sequence: number): Promise<void>;
  deadLetter(pending: Pending, reason: string): Promise<void>;
}

export interface PushOptions {
  /** `http://host:port`, `https://host:port`, or `unix:/path/to/socket`. */
  readonly url: string;
  readonly token?: string;
  readonly queue: BatchQueue;
  readonly log: Log;
  /** In [0, 1): spreads the retries of many collectors. */
  readonly random: () => number;
  /** Waits; resolves early when the push is stopped. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** How long the server may say nothing over one batch, milliseconds. */
  readonly answerTimeoutMs?: number;
  /** Hears when each request went out and its answer came, with the server's times of both. */
  readonly timed?: { readonly clock: Pick<Clock, "mono">; readonly exchanged: (exchange: Exchange) => void };
}

export interface PushState {
  readonly sent: number;
  readonly deadLettered: number;
  /** Why the last attempt failed; undefined when it did not. */
  readonly trouble?: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly sentMono: MonoUs | undefined;
  readonly gotMono: MonoUs | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Most batches that are on their way at once: over a line with a long way, or to a server that takes what is there together. */
const WINDOW_MAX = 4;
/** So many batches in a row that were taken open the window by one; one that was not closes it. */
const OPENED_BY = 4;

/**
 * Sends the spool's batches in order, each byte for byte the same however often, until the server has it. While all goes well a
 * few are on their way at once; they are acknowledged in order. After a failure only the oldest is tried.
 */
export class HttpPush {
  private readonly options: PushOptions;
  private readonly agent: HttpAgent;
  private readonly stopping = new AbortController();
  private done: Promise<void> = Promise.resolve();
  private sent = 0;
  private deadLettered = 0;
  private trouble: string | undefined;
  /** Batches taken since the last failure. */
  private inARow = 0;
  /** Batches on their way, oldest first. Each tells at its end whether the server has it and the queue knows. */
  private flying: Promise<boolean>[] = [];

  constructor(options: PushOptions) {
    this.options = options;
    this.agent = options.url.startsWith("https:")
      ? new HttpsAgent({ keepAlive: true, maxSockets: WINDOW_MAX })
      : new HttpAgent({ keepAlive: true, maxSockets: WINDOW_MAX });
  }

  start(): void {
    this.done = this.run();
  }

  /** Ends after the attempt under way; what was not acknowledged stays in the spool. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.done;
    this.agent.destroy();
  }

  state(): PushState {
    return {
      sent: this.sent,
      deadLettered: this.deadLettered,
      ...(this.trouble === undefined ? {} : { trouble: this.trouble }),
    };
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let [after, failures] = [0, 0]; !signal.aborted; ) {
      try {
        while (this.flying.length >= this.window()) await this.flying[0];
        const pending = await this.options.queue.next(signal, after);
        if (!pending) break;
        after = pending.sequence;
        failures = 0;
        const flight = this.deliver(pending, this.flying.at(-1) ?? Promise.resolve(true));
        this.flying.push(flight);
        void flight.then(() => (this.flying = this.flying.filter((other) => other !== flight)));
      } catch (error) {
        failures = await this.spoolFailed(error, failures);
      }
    }
    await Promise.all(this.flying);
  }

  private window(): number {
    return Math.min(WINDOW_MAX, 1 + Math.floor(this.inARow / OPENED_BY));
  }

  /** The spool's disk, not the server: the batch is still there, and it is tried again as after any other failure. */
  private async spoolFailed(error: unknown, failures: number): Promise<number> {
    this.failed(`the spool cannot be read: ${messageOf(error)}`, "error");
    await this.options.wait(this.backOff(failures), this.stopping.signal);
    return failures + 1;
  }

  /** @param before  tells whether all that came before this batch is settled: until then it is not acknowledged */
  private async deliver(pending: Pending, before: Promise<boolean>): Promise<boolean> {
    const zipped = pending.body.length >= GZIP_FROM_BYTES ? await gzip(pending.body, { level: 1 }) : undefined;
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted; failures++) {
      // After a failure the older ones are tried first.
      if (failures > 0) await before;
      const answer = await this.attempt(zipped ?? pending.body, zipped !== undefined);
      const taken = typeof answer === "string" ? undefined : receiptOf(answer);
      if (typeof answer !== "string" && taken) {
        this.tellTimes(answer, taken);
        this.inARow += 1;
        return this.settle(before, async () => {
          await this.options.queue.acknowledge(pending.sequence);
          this.sent += 1;
          this.recovered();
        });
      }
      if (typeof answer !== "string" && isHopeless(answer.status))
        return this.settle(before, () => this.putAside(pending, answer));
      // An attempt that was cut off by our own end says nothing of the server.
      if (signal.aborted) return false;
      this.inARow = 0;
      const status = typeof answer === "string" ? undefined : answer.status;
      this.failed(
        typeof answer === "string" ? answer : explain(answer),
        status === 401 || status === 403 ? "error" : "warn",
      );
      await this.options.wait(this.pause(answer, failures), signal);
    }
    return false;
  }

  /** In the order of the queue, and again until its disk takes it. */
  private async settle(before: Promise<boolean>, work: () => Promise<void>): Promise<boolean> {
    if (!(await before)) return false;
    for (let failures = 0; !this.stopping.signal.aborted || failures === 0; ) {
      try {
        await work();
        return true;
      } catch (error) {
        failures = await this.spoolFailed(error, failures);
      }
    }
    return false;
  }

  private async putAside(pending: Pending, answer: Answer): Promise<void> {
    const reason = `the server answered ${answer.status}: ${answer.text}`;
    this.options.log("error", "a batch was refused for good and put aside", {
      sequence: pending.sequence,
      events: pending.events,
      reason,
    });
    await this.options.queue.deadLetter(pending, reason);
    this.deadLettered += 1;
    this.recovered();
  }

  /** @returns the answer, or why there is none */
  private async attempt(body: Buffer, zipped: boolean): Promise<Answer | string> {
    for (let again = true; ; again = false) {
      try {
        return await this.post(body, zipped);
      } catch (error) {
        // The server closed an idle connection just as it was used: nothing is wrong with either side.
        if (again && error instanceof StaleConnection) continue;
        return messageOf(error) || "the connection failed";
      }
    }
  }

  /** A server that does not say when the request came says too little. */
  private tellTimes({ sentMono, gotMono }: Answer, { receivedTs, serverTs }: BatchReceipt): void {
    if (sentMono === undefined || gotMono === undefined || receivedTs === undefined) return;
    this.options.timed?.exchanged({ sentMono, receivedTs, answeredTs: serverTs, gotMono });
  }

  private pause(answer: Answer | string, failures: number): number {
    if (typeof answer !== "string") {
      if (answer.retryAfterMs !== undefined) return Math.min(answer.retryAfterMs, 10 * RETRY_MAX_MS);
      if (answer.status === 401 || answer.status === 403) return RETRY_MAX_MS;
    }
    return this.backOff(failures);
  }

  private backOff(failures: number): number {
    const cap = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 16));
    return cap / 2 + (cap / 2) * this.options.random();
  }

  private failed(why: string, level: "warn" | "error"): void {
    if (this.trouble !== why)
      this.options.log(level, "no events reach the server; they wait in the spool", {
        url: this.options.url,
        why,
      });
    this.trouble = why;
  }

  private recovered(): void {
    if (this.trouble !== undefined)
      this.options.log("info", "the server takes events again", { url: this.options.url });
    this.trouble = undefined;
  }

  private post(body: Buffer, zipped: boolean): Promise<Answer> {
    const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = this.options;
    const options: RequestOptions = {
      method: "POST",
      agent: this.agent,
      timeout: answerTimeoutMs,
      signal: this.stopping.signal,
      headers: {
        "content-type": "application/json",
        "content-length": body.length,
        ...(zipped ? { "content-encoding": "gzip" } : {}),
        ...(this.options.token === undefined ? {} : { authorization: `Bearer ${this.options.token}` }),
      },
    };
    const mono = (): MonoUs | undefined => this.options.timed?.clock.mono();
    return new Promise((resolve, reject) => {
      const sentMono = mono();
      const onAnswer = (res: IncomingMessage): void => {
        const gotMono = mono();
        let text = "";
        res.setEncoding("utf8").on("data", (chunk: string) => {
          if (text.length < ANSWER_MAX_CHARS) text += chunk.slice(0, ANSWER_MAX_CHARS);
        });
        res.on("error", reject).on("end", () =>
          resolve({
            status: res.statusCode ?? 0,
            text: text.trim(),
            sentMono,
            gotMono,
            retryAfterMs: retryAfterMs(res.headers["retry-after"]),
          }),
        );
      };
      const req = this.request(options, onAnswer);
      req.on("timeout", () => req.destroy(new Error(`no answer within ${answerTimeoutMs / 1000} s`)));
      req.on("error", (error) => reject(isStale(req, error) ? new StaleConnection(error.message) : error)).end(body);
    });
  }

  private request(options: RequestOptions, onAnswer: (res: IncomingMessage) => void): ReturnType<typeof httpRequest> {
    const { url } = this.options;
    if (url.startsWith("unix:"))
      return httpRequest({ ...options, socketPath: url.slice("unix:".length), path: "/api/v1/ingest" }, onAnswer);
    const target = new URL("/api/v1/ingest", url);
    return target.protocol === "https:"
      ? httpsRequest(target, options, onAnswer)
      : httpRequest(target, options, onAnswer);
  }
}

class StaleConnection extends Error {}

function isStale(req: ClientRequest, error: Error): boolean {
  return req.reusedSocket && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

/** Only our own server's word counts: a proxy or another service may say 200 to anything. */
function receiptOf({ status, text }: Answer): BatchReceipt | undefined {
  if (status !== 200) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return receipt.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The same bytes will never be taken. */
const isHopeless = (status: number): boolean => status === 400 || status === 413 || status === 415 || status === 422;

function explain({ status, text }: Answer): string {
  if (status === 401)
    return "the server does not know this collector's token (401): set server.token to one that ingest.tokens of the server lists";
  if (status === 403) return "the token belongs to another node (403): each node has a token of its own";
  if (status === 200)
    return "what answers there is not a keepwatch server (200 without a receipt): set server.url to the server's address";
  return `the server answered ${status}${text ? `: ${text.slice(0, 200)}` : ""}`;
}

/** Seconds only: a date would depend on two clocks that agree. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}
