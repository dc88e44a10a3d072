import { US_PER_MS } from "../../../collector/core/time.ts";
import { type Attempt, type Outcome, reason, reasonOf, withDeadline } from "./notifier.ts";

/** Most of an answer that is read, in bytes: enough for a reason, too little to fill memory. */
export const ANSWER_MAX_BYTES = 4096;
/** Longest Retry-After that is honoured. */
const RETRY_AFTER_MAX_MS = 24 * 3600 * 1000;

export interface HttpRequest {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  /** What a success really says, where a refusal comes with status 200. @returns undefined: it is one */
  readonly refusal?: (answer: string) => Outcome | undefined;
}

/** One POST of JSON. A redirect is not followed: the operator named the target, and nobody else may name another. */
export async function sendHttp(
  attempt: Pick<Attempt, "signal" | "timeoutMs" | "now">,
  request: HttpRequest,
): Promise<Outcome> {
  try {
    return await withDeadline(attempt, attempt.timeoutMs, async (signal) =>
      judge(await post(request, signal), attempt.now, request.refusal),
    );
  } catch (error) {
    return { kind: "retry", error: reasonOf(error) };
  }
}

function post({ url, headers = {}, body }: HttpRequest, signal: AbortSignal): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": "keepwatch", ...headers },
    body,
    redirect: "manual",
    signal,
  });
}

async function judge(response: Response, now: number, refusal: HttpRequest["refusal"]): Promise<Outcome> {
  const { status } = response;
  if (response.ok && refusal) return refusal(await beginning(response)) ?? { kind: "sent" };
  if (response.ok) {
    // Accepted with the status line: what follows cannot change that.
    await response.body?.cancel().catch(() => undefined);
    return { kind: "sent" };
  }
  const error = reason(`HTTP ${status}${explain(response)} ${await beginning(response)}`);
  if (status === 410) return { kind: "gone", error };
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return { kind: "refused", error };
  const afterMs = retryAfterMs(response.headers.get("retry-after"), now);
  return { kind: "retry", error, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** Only the other place's origin is told: its path may hold the same secret as ours. */
function explain(response: Response): string {
  if (response.status < 300 || response.status > 399) return "";
  const location = response.headers.get("location") ?? "";
  const to = URL.canParse(location, response.url) ? ` to ${new URL(location, response.url).origin}` : "";
  return `: a redirect${to}, which is not followed; change the webhook's url if it moved`;
}

/** The beginning of an answer, for the reason. The rest is never read. */
async function beginning(response: Response): Promise<string> {
  if (!response.body) return "";
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    while (bytes < ANSWER_MAX_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      bytes += value.length;
    }
  } catch {
    // The status is known; a body that breaks off or stalls changes nothing.
  }
  await reader.cancel().catch(() => undefined);
  return Buffer.concat(chunks).subarray(0, ANSWER_MAX_BYTES).toString("utf8");
}

/** RFC 9110 section 10.2.3: seconds or a date. */
function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now / US_PER_MS;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}
