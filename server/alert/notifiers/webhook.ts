import { Webhook } from "standardwebhooks";
import { formatEpochUs, US_PER_MS } from "../../../collector/core/time.ts";
import type { WebhookSettings } from "../config.ts";
import type { Message } from "../message.ts";
import { groupKey } from "../routing.ts";
import { type Attempt, type Outcome, reason, reasonOf, withDeadline } from "./notifier.ts";

/** Most of an answer that is read, in bytes: enough for a reason, too little to fill memory. */
export const ANSWER_MAX_BYTES = 4096;
/** Longest Retry-After that is honoured. */
const RETRY_AFTER_MAX_MS = 24 * 3600 * 1000;
/** What Alertmanager writes for "not over yet": Go's zero time. */
const NOT_OVER = "0001-01-01T00:00:00Z";

type Labels = Readonly<Record<string, string>>;

/** Alertmanager's webhook body, version 4. One alert a message, unless a route groups them. */
export interface WebhookPayload {
  readonly version: "4";
  readonly groupKey: string;
  readonly truncatedAlerts: number;
  readonly status: "firing" | "resolved";
  readonly receiver: string;
  readonly groupLabels: Labels;
  readonly commonLabels: Labels;
  readonly commonAnnotations: Labels;
  readonly externalURL: string;
  readonly alerts: readonly {
    readonly status: "firing" | "resolved";
    readonly labels: Labels;
    readonly annotations: Labels;
    readonly startsAt: string;
    readonly endsAt: string;
    readonly generatorURL: string;
    readonly fingerprint: string;
  }[];
}

export interface WebhookAttempt extends Attempt {
  readonly webhook: WebhookSettings;
  readonly publicUrl: string;
}

export function webhookPayload(
  message: Message,
  receiver: string,
  publicUrl: string,
  group?: Attempt["group"],
): WebhookPayload {
  // One group an incident, unless a route says otherwise: a receiver that closes by groupKey must not close the next incident with this one's end.
  const labels = group?.labels ?? { alertname: message.kind, cluster: message.cluster, incident: message.incidentId };
  // Of what is told twice in one message, the newest; what is still open keeps the group open.
  const told = group ? [...group.messages, ...group.stillOpen] : [message];
  const alerts = [...new Map(told.map((each) => [each.incidentId, each])).values()].map(alertOf);
  return {
    version: "4",
    groupKey: `{}:${groupKey(labels)}`,
    truncatedAlerts: 0,
    status: alerts.some(({ status }) => status === "firing") ? "firing" : "resolved",
    receiver,
    groupLabels: labels,
    commonLabels: common(alerts.map((alert) => alert.labels)),
    commonAnnotations: common(alerts.map((alert) => alert.annotations)),
    externalURL: publicUrl,
    alerts,
  };
}

/** What all have, with one value. */
function common([first = {}, ...others]: readonly Labels[]): Labels {
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value)),
  );
}

export function alertOf(message: Message): WebhookPayload["alerts"][number] {
  return {
    status: message.event === "resolved" ? "resolved" : "firing",
    labels: labelsOf(message),
    annotations: annotationsOf(message),
    startsAt: formatEpochUs(message.start),
    endsAt: message.end === null ? NOT_OVER : formatEpochUs(message.end),
    generatorURL: message.link,
    // Of the incident, not of the labels: certainty and severity may rise while it lasts.
    fingerprint: message.incidentId.slice(0, 16),
  };
}

function labelsOf(message: Message): Labels {
  const [only] = message.nodes;
  return {
    alertname: message.kind,
    cluster: message.cluster,
    ...(message.router === null ? {} : { router: message.router }),
    ...(message.instance === null ? {} : { instance: message.instance }),
    ...(message.service === null ? {} : { service: message.service }),
    ...(message.nodes.length === 1 && only !== undefined ? { node: only } : {}),
    nodes: message.nodes.join(","),
    severity: message.severity,
    certainty: message.certainty,
    incident: message.incidentId,
  };
}

function annotationsOf(message: Message): Labels {
  const more = message.evidenceLeftOut > 0 ? `\n(and ${message.evidenceLeftOut} more)` : "";
  return {
    title: message.title,
    summary: message.summary,
    ...(message.story === null ? {} : { story: message.story }),
    when: message.when,
    who: message.who,
    cause: message.why,
    ...(message.causeCode === null ? {} : { cause_code: message.causeCode }),
    evidence: message.evidence.join("\n") + more,
    ...(message.planned === null ? {} : { planned: message.planned }),
    event: message.withdrawn ? "withdrawn" : message.event,
  };
}

/** One signed POST. A redirect is not followed: the operator named the target, and nobody else may name another. */
export async function sendWebhook(attempt: WebhookAttempt): Promise<Outcome> {
  try {
    return await withDeadline(attempt, attempt.timeoutMs, async (signal) =>
      judge(await post(attempt, signal), attempt.now),
    );
  } catch (error) {
    return { kind: "retry", error: reasonOf(error) };
  }
}

function post(
  { webhook, message, group, deliveryId, now, publicUrl }: WebhookAttempt,
  signal: AbortSignal,
): Promise<Response> {
  const body = JSON.stringify(webhookPayload(message, webhook.name, publicUrl, group));
  const at = new Date(now / US_PER_MS);
  return fetch(webhook.url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": "keepwatch",
      "webhook-id": deliveryId,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(webhook.secret.reveal()).sign(deliveryId, at, body),
    },
    body,
    redirect: "manual",
    signal,
  });
}

async function judge(response: Response, now: number): Promise<Outcome> {
  const { status } = response;
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
