import type { AlerterDeps } from "../../../server/alert/alerter.ts";
import type { Message } from "../../../server/alert/message.ts";
import type { Outcome } from "../../../server/alert/notifiers/notifier.ts";
import type { WebhookAttempt } from "../../../server/alert/notifiers/webhook.ts";
import type { Incident, IncidentChange } from "../../../server/detect/incident.ts";
import { ManualTime, MemoryStore, rig, settle, T0, webhookTable } from "./support.ts";

/** A server's incidents and what it tells of them. */
export function world(
  alerts: Record<string, unknown> = {},
  store = new MemoryStore(),
  time = new ManualTime(),
  deps: Pick<Partial<AlerterDeps>, "silences" | "planned" | "mailSettings"> = {},
) {
  const known = new Map<string, Incident>();
  const told: string[] = [];
  const messages: Message[] = [];
  const webhook = async ({ message, webhook: { name } }: WebhookAttempt): Promise<Outcome> => {
    messages.push(message);
    told.push(`${message.withdrawn ? "withdrawn" : message.event} ${message.kind} ${name}`);
    return { kind: "sent" };
  };
  const server = rig({
    alerts: { mail_from_keepalived_conf: false, webhooks: [webhookTable("ops", "http://127.0.0.1:9/")], ...alerts },
    store,
    time,
    incident: (id) => known.get(id),
    incidents: () => known.values(),
    ...deps,
    send: { webhook },
  });
  /** As the server does: all that changed together is known before anything of it is told. */
  const happen = async (...changes: [IncidentChange["type"], Incident][]): Promise<void> => {
    for (const [, incident] of changes) known.set(incident.id, incident);
    for (const [type, incident] of changes) await server.alerter.notify({ type, incident });
    await settle();
  };
  return { ...server, known, told, messages, happen };
}
export const over = (incident: Incident, status: "resolved" | "withdrawn" = "resolved"): Incident => ({
  ...incident,
  status,
  end: T0,
  revision: 2,
});
