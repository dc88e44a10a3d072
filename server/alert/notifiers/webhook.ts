import { Webhook } from "standardwebhooks";
import { formatEpochUs, US_PER_MS } from "../../../collector/core/time.ts";
import type { WebhookSettings } from "../config.ts";
import type { Message } from "../message.ts";
import { groupKey } from "../routing.ts";
import { sendHttp } from "./http.ts";
import type { Attempt, Outcome } from "./notifier.ts";

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

export function labelsOf(message: Message): Labels {
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

export function annotationsOf(message: Message): Labels {
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

/** One signed POST. */
export function sendWebhook(attempt: WebhookAttempt): Promise<Outcome> {
  const { webhook, message, group, deliveryId, now, publicUrl } = attempt;
  const body = JSON.stringify(webhookPayload(message, webhook.name, publicUrl, group));
  const at = new Date(now / US_PER_MS);
  return sendHttp(attempt, {
    url: webhook.url,
    headers: {
      "webhook-id": deliveryId,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(webhook.secret.reveal()).sign(deliveryId, at, body),
    },
    body,
  });
}
