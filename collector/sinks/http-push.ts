import { request as httpRequest, Agent as HttpAgent, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest, Agent as HttpsAgent } from "node:https";
import { gzip as gzipCallback } from "node:zlib";
import { promisify } from "node:util";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Pending } from "./spool.ts";

const gzip = promisify(gzipCallback);

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
  next(): Promise<Pending | undefined>;
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
  readonly retryAfterMs: number | undefined;
}

/** Sends the spool's batches in order, one at a time, each byte for byte the same however often, until the server has it. */
export class HttpPush {
  private readonly options: PushOptions;
  private readonly agent: HttpAgent;
  private readonly stopping = new AbortController();
  private done: Promise<void> = Promise.resolve();
  private sent = 0;
  private deadLettered = 0;
  private trouble: string | undefined;

  constructor(options: PushOptions) {
    this.options = options;
    this.agent = options.url.startsWith("https:")
      ? new HttpsAgent({ keepAlive: true, maxSockets: 1 })
      : new HttpAgent({ keepAlive: true, maxSockets: 1 });
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
    while (!this.stopping.signal.aborted) {
      const pending = await this.options.queue.next();
      if (!pending) return;
      await this.deliver(pending);
    }
  }

  private async deliver(pending: Pending): Promise<void> {
    const zipped = pending.body.length >= GZIP_FROM_BYTES ? await gzip(pending.body, { level: 1 }) : undefined;
    for (let failures = 0; !this.stopping.signal.aborted; failures++) {
      const answer = await this.post(zipped ?? pending.body, zipped !== undefined).catch((error: unknown) =>
        messageOf(error),
      );
      if (typeof answer !== "string" && answer.status === 200) {
        await this.options.queue.acknowledge(pending.sequence);
        this.sent += 1;
        return this.recovered();
      }
      if (typeof answer !== "string" && isHopeless(answer.status)) {
        const reason = `the server answered ${answer.status}: ${answer.text}`;
        this.options.log("error", "a batch was refused for good and put aside", {
          sequence: pending.sequence,
          events: pending.events,
          reason,
        });
        await this.options.queue.deadLetter(pending, reason);
        this.deadLettered += 1;
        return;
      }
      this.failed(typeof answer === "string" ? answer : explain(answer));
      await this.options.wait(this.pause(answer, failures), this.stopping.signal);
    }
  }

  private pause(answer: Answer | string, failures: number): number {
    if (typeof answer !== "string") {
      if (answer.retryAfterMs !== undefined) return Math.min(answer.retryAfterMs, 10 * RETRY_MAX_MS);
      if (answer.status === 401 || answer.status === 403) return RETRY_MAX_MS;
    }
    const cap = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 16));
    return cap / 2 + (cap / 2) * this.options.random();
  }

  private failed(why: string): void {
    if (this.trouble !== why)
      this.options.log("warn", "the server does not take events; they wait in the spool", {
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
    const options: RequestOptions = {
      method: "POST",
      agent: this.agent,
      timeout: ANSWER_TIMEOUT_MS,
      signal: this.stopping.signal,
      headers: {
        "content-type": "application/json",
        "content-length": body.length,
        ...(zipped ? { "content-encoding": "gzip" } : {}),
        ...(this.options.token === undefined ? {} : { authorization: `Bearer ${this.options.token}` }),
      },
    };
    return new Promise((resolve, reject) => {
      const onAnswer = (res: IncomingMessage): void => {
        let text = "";
        res.setEncoding("utf8").on("data", (chunk: string) => {
          if (text.length < ANSWER_MAX_CHARS) text += chunk.slice(0, ANSWER_MAX_CHARS);
        });
        res.on("error", reject).on("end", () =>
          resolve({
            status: res.statusCode ?? 0,
            text: text.trim(),
            retryAfterMs: retryAfterMs(res.headers["retry-after"]),
          }),
        );
      };
      const req = this.request(options, onAnswer);
      req.on("timeout", () => req.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)));
      req.on("error", reject).end(body);
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

/** The same bytes will never be taken. */
const isHopeless = (status: number): boolean => status === 400 || status === 413 || status === 415 || status === 422;

function explain({ status, text }: Answer): string {
  if (status === 401)
    return "the server does not know this collector's token (401): set server.token to one that ingest.tokens of the server lists";
  if (status === 403) return "the token belongs to another node (403): each node has a token of its own";
  return `the server answered ${status}${text ? `: ${text.slice(0, 200)}` : ""}`;
}

/** Seconds only: a date would depend on two clocks that agree. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}
