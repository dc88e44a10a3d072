import { type EpochUs, formatEpochUs, US_PER_SECOND } from "../../../collector/core/time.ts";
import type { Message } from "../message.ts";
import type { ReceiverSettings } from "../receivers.ts";
import { sendHttp } from "./http.ts";
import type { Attempt, Outcome } from "./notifier.ts";
import { annotationsOf, labelsOf } from "./webhook.ts";

type Settings = Extract<ReceiverSettings, { readonly type: "alertmanager" }>;
type Labels = Readonly<Record<string, string>>;

/** What fires is sent again this often: an Alertmanager keeps nothing through its own restart that it may rely on. */
export const RESEND_MS = 60_000;
/** An Alertmanager takes an alert for over when it hears nothing of it for this long: four times as long, as Prometheus has it. */
const FIRING_FOR_US = 4 * 60 * US_PER_SECOND;
/** Most alerts in one request. */
const ALERTS_MAX = 500;

interface Alert {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

/**
 * One Alertmanager (`POST /api/v2/alerts`). It tells alerts apart by their labels alone: when a label of an incident changes, the
 * alert of before is ended.
 */
export class Alertmanager {
  readonly settings: Settings;
  readonly #firing = new Map<string, Labels>();
  readonly #publicUrl: string;
  readonly #sinceUs: EpochUs;

  constructor(settings: Settings, publicUrl: string, sinceUs: EpochUs) {
    this.settings = settings;
    this.#publicUrl = publicUrl;
    this.#sinceUs = sinceUs;
  }

  /** Incidents of which it was told that they fire. */
  get firing(): readonly string[] {
    return [...this.#firing.keys()];
  }

  /** Told of before this start. */
  remember(message: Message): void {
    this.#firing.set(message.incidentId, stableLabels(message));
  }

  async send(attempt: Attempt): Promise<Outcome> {
    const told = attempt.group?.messages ?? [attempt.message];
    const newest = [...new Map(told.map((message) => [message.incidentId, message])).values()];
    const outcome = await this.#post(
      attempt,
      newest.flatMap((message) => this.#alertsOf(message, attempt.now)),
    );
    if (outcome.kind === "sent")
      for (const message of newest) {
        if (message.event === "resolved") this.#firing.delete(message.incidentId);
        else this.remember(message);
      }
    return outcome;
  }

  /** What fires is told again, and the heartbeat. @param messages  of the incidents in `firing`, as they are now */
  async resend(attempt: Pick<Attempt, "signal" | "timeoutMs" | "now">, messages: readonly Message[]): Promise<Outcome> {
    const alerts = messages.flatMap((message) => this.#alertsOf(message, attempt.now));
    if (this.settings.heartbeat) alerts.unshift(this.#heartbeat(attempt.now));
    for (let from = 0; from < alerts.length; from += ALERTS_MAX) {
      const outcome = await this.#post(attempt, alerts.slice(from, from + ALERTS_MAX));
      if (outcome.kind !== "sent") return outcome;
    }
    for (const message of messages) this.remember(message);
    return { kind: "sent" };
  }

  #post(attempt: Pick<Attempt, "signal" | "timeoutMs" | "now">, alerts: readonly Alert[]): Promise<Outcome> {
    const { url, key } = this.settings;
    const target = new URL(url);
    target.pathname = `${url.pathname.replace(/\/+$/, "")}/api/v2/alerts`;
    return sendHttp(attempt, {
      url: target,
      body: JSON.stringify(alerts),
      ...(key === undefined ? {} : { headers: { authorization: `Bearer ${key.reveal()}` } }),
    });
  }

  #alertsOf(message: Message, now: EpochUs): Alert[] {
    const labels = stableLabels(message);
    const before = this.#firing.get(message.incidentId);
    const common = {
      annotations: annotationsOf(message),
      startsAt: formatEpochUs(message.start),
      generatorURL: message.link,
    };
    const ended = formatEpochUs(message.end ?? now);
    const alert = {
      labels,
      ...common,
      endsAt: message.event === "resolved" ? ended : formatEpochUs((now + FIRING_FOR_US) as EpochUs),
    };
    if (before === undefined || JSON.stringify(before) === JSON.stringify(labels)) return [alert];
    return [{ labels: before, ...common, endsAt: formatEpochUs(now) }, alert];
  }

  #heartbeat(now: EpochUs): Alert {
    return {
      labels: { alertname: "keepwatch-heartbeat", severity: "none" },
      annotations: { summary: "Always fires while keepwatch lives: be woken when it does not" },
      startsAt: formatEpochUs(this.#sinceUs),
      endsAt: formatEpochUs((now + FIRING_FOR_US) as EpochUs),
      generatorURL: this.#publicUrl,
    };
  }
}

/** Without what often changes while an incident lasts; an Alertmanager leaves out empty ones by itself. */
function stableLabels(message: Message): Labels {
  const { certainty: _certainty, nodes: _nodes, ...labels } = labelsOf(message);
  return labels;
}
