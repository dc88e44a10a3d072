import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from "node:http";
import { request as httpsRequest, Agent as HttpsAgent } from "node:https";
import { messageOf } from "../core/errors.ts";
import type { SecureContextOptions } from "node:tls";
import { checkerOf } from "../core/schema.ts";
import type { Clock, MonoUs } from "../core/time.ts";
import { AGAIN, BatchReceipt, RESENT_HEADER, type RESTORED } from "../events/batch.ts";
import { type ClientTls, whyNotTrusted } from "./tls-files.ts";

const receipt = checkerOf(BatchReceipt);

/** Longest answer that is kept for the dead-letter note, in characters. */
const ANSWER_MAX_CHARS = 2_000;
/** How long the server may take over one batch, milliseconds. */
const ANSWER_TIMEOUT_MS = 60_000;
/** Most connections to the server: one for each batch on its way, and one for what is sent again. */
const SOCKETS_MAX = 5;

export interface TransportOptions {
  /** `http://host:port`, `https://host:port`, or `unix:/path/to/socket`. */
  readonly url: string;
  readonly token?: string;
  /** How long the server may say nothing over one batch, milliseconds. */
  readonly answerTimeoutMs?: number;
  readonly clock?: Pick<Clock, "mono">;
  /** For an address that begins with https. */
  readonly tls?: ClientTls;
}

export interface Body {
  readonly bytes: Buffer;
  readonly gzip: boolean;
  /** It may have been stored before. */
  readonly resent?: typeof AGAIN | typeof RESTORED | undefined;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly sentMono: MonoUs | undefined;
  readonly gotMono: MonoUs | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Requests to the server's ingest, over connections that are kept. */
export class Transport {
  readonly url: string;
  private readonly options: TransportOptions;
  private agent: HttpAgent;
  /** What the connections of the agent are made with. */
  private context: SecureContextOptions | undefined;

  constructor(options: TransportOptions) {
    this.options = options;
    this.url = options.url;
    this.agent = this.newAgent();
  }

  close(): void {
    this.agent.destroy();
  }

  private newAgent(): HttpAgent {
    const settings = { keepAlive: true, maxSockets: SOCKETS_MAX };
    // With a session that is resumed no certificate would be looked at again.
    return this.url.startsWith("https:")
      ? new HttpsAgent({ ...settings, ...this.context, maxCachedSessions: 0 })
      : new HttpAgent(settings);
  }

  /** New connections show the certificate of now; requests that are on their way finish over theirs. */
  private async renew(): Promise<void> {
    const context = await this.options.tls?.context();
    if (context === this.context) return;
    for (const sockets of Object.values(this.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    this.context = context;
    this.agent = this.newAgent();
  }

  /** @returns the answer, or why there is none */
  async attempt(body: Body, signal: AbortSignal): Promise<Answer | string> {
    await this.renew();
    for (let again = true; ; again = false) {
      try {
        return await this.post(again ? body : { resent: AGAIN, ...body }, signal);
      } catch (error) {
        // The server closed an idle connection just as it was used: nothing is wrong with either side.
        if (again && error instanceof StaleConnection) continue;
        return whyNotTrusted(error) ?? (messageOf(error) || "the connection failed");
      }
    }
  }

  private post({ bytes, gzip, resent }: Body, signal: AbortSignal): Promise<Answer> {
    const { answerTimeoutMs = ANSWER_TIMEOUT_MS, token, clock } = this.options;
    const options: RequestOptions = {
      method: "POST",
      agent: this.agent,
      timeout: answerTimeoutMs,
      signal,
      headers: {
        "content-type": "application/json",
        "content-length": bytes.length,
        ...(gzip ? { "content-encoding": "gzip" } : {}),
        ...(resent === undefined ? {} : { [RESENT_HEADER]: resent }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    };
    return new Promise((resolve, reject) => {
      const sentMono = clock?.mono();
      const onAnswer = (res: IncomingMessage): void => {
        const gotMono = clock?.mono();
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
      req.on("error", (error) => reject(isStale(req, error) ? new StaleConnection(error.message) : error)).end(bytes);
    });
  }

  private request(options: RequestOptions, onAnswer: (res: IncomingMessage) => void): ClientRequest {
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
export function receiptOf(answer: Answer | string): BatchReceipt | undefined {
  if (typeof answer === "string" || answer.status !== 200) return undefined;
  try {
    const value: unknown = JSON.parse(answer.text);
    return receipt.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The same bytes will never be taken. */
export const isHopeless = ({ status }: Answer): boolean =>
  status === 400 || status === 413 || status === 415 || status === 422;

export function explain(answer: Answer | string): string {
  if (typeof answer === "string") return answer;
  const { status, text } = answer;
  const said = aboutCertificate(text);
  if (said !== undefined && (status === 401 || status === 403)) return `the server answered ${status}: ${said}`;
  if (status === 401)
    return "the server does not know this collector's token (401): set server.token to one that ingest.tokens of the server lists";
  if (status === 403) return "the token belongs to another node (403): each node has a token of its own";
  if (status === 200)
    return "what answers there is not a keepwatch server (200 without a receipt): set server.url to the server's address";
  return `the server answered ${status}${text ? `: ${text.slice(0, 200)}` : ""}`;
}

/** The server's own sentence where it says more than we know. */
function aboutCertificate(text: string): string | undefined {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === "string" && /certificate/.test(detail) ? detail.slice(0, 400) : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds only: a date would depend on two clocks that agree. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}

/** First wait after a failure, milliseconds; doubled with each further one. */
export const RETRY_FIRST_MS = 250;
export const RETRY_MAX_MS = 30_000;

/**
 * How long to wait after an attempt that failed, milliseconds.
 * @param random  in [0, 1): spreads the retries of many collectors
 */
export function pauseAfter(answer: Answer | string, failures: number, random: () => number): number {
  if (typeof answer !== "string") {
    if (answer.retryAfterMs !== undefined) return Math.min(answer.retryAfterMs, 10 * RETRY_MAX_MS);
    if (answer.status === 401 || answer.status === 403) return RETRY_MAX_MS;
  }
  return backOff(failures, random);
}

export function backOff(failures: number, random: () => number): number {
  const cap = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 16));
  return cap / 2 + (cap / 2) * random();
}
