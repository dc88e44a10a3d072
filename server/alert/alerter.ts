import { createHash } from "node:crypto";
import { messageOf } from "../../collector/core/errors.ts";
import { type Clock, type EpochUs, formatEpochUs, US_PER_MS, US_PER_SECOND } from "../../collector/core/time.ts";
import type { MailSettings } from "../../collector/events/event.ts";
import type { Delivery } from "../api/types.ts";
import { type Incident, type IncidentChange, SEVERITIES, type Severity } from "../detect/incident.ts";
import type { Store } from "../store/store.ts";
import type { AlertSettings, WebhookSettings } from "./config.ts";
import { DIGEST, MailBudget } from "./budget.ts";
import { HELD_MAX, HELD_STATUSES, HeldBack, isHeldStatus, type Verdict } from "./held.ts";
import { inhibitionOf, isTarget } from "./inhibit.ts";
import { describe, type Message, nameOf, oneLine } from "./message.ts";
import { type MailReceiver, mailReceiver, sendMail } from "./notifiers/mail.ts";
import { Alertmanager, RESEND_MS } from "./notifiers/alertmanager.ts";
import type { Attempt, Group, Outcome } from "./notifiers/notifier.ts";
import { sendRobot } from "./notifiers/robots.ts";
import { sendWebhook } from "./notifiers/webhook.ts";
import type { Filter, ReceiverSettings } from "./receivers.ts";
import { lowered, type PlannedStops, plannedText } from "./planned.ts";
import { groupKey, groupLabels, KEEPALIVED_MAIL, labelsOfKey, type Route, routeOf } from "./routing.ts";
import type { Silences } from "./silences.ts";
import { type Item, type Log, Outbox, type OutboxCounts, type Timers, WAITING_MAX } from "./outbox.ts";

/** Most deliveries read back of one incident: some events to each receiver. */
const INCIDENT_DELIVERIES_MAX = 2000;
const HOUR_US = 3600 * US_PER_SECOND;
/** How often is looked for what is to be told again, milliseconds. */
const REPEAT_LOOK_MS = 15_000;
/** Most mail receivers, and most sentences about mail that cannot be sent, that are remembered. */
const REMEMBERED_MAX = 1000;

interface Senders {
  readonly webhook: typeof sendWebhook;
  readonly mail: typeof sendMail;
  readonly robot: typeof sendRobot;
}

export interface AlerterDeps {
  readonly config: AlertSettings;
  readonly store: Pick<Store, "saveDelivery" | "deliveries">;
  /** Newest revision: what a delivery left over from before a restart is about. */
  readonly incident: (id: string) => Incident | undefined;
  /** All that are known, each as it is now: what inhibits is among them. */
  readonly incidents: () => Iterable<Incident>;
  readonly silences: Pick<Silences, "silencing">;
  readonly planned: Pick<PlannedStops, "of">;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** What the configurations of a cluster's nodes say, as far as they are known. */
  readonly mailSettings: (cluster: string) => readonly MailSettings[];
  readonly log: Log;
  /** Where people reach the web timeline. */
  readonly publicUrl: string;
  readonly send?: Partial<Senders>;
  /** Hears whenever a receiver has taken the first news of an incident. */
  readonly onTold?: (told: Told) => void;
}

/** A receiver knows now of an incident. */
export interface Told {
  readonly incident: Incident;
  /** Its kind: `webhook`, `mail`, … */
  readonly receiver: string;
  /** Since the incident began, by its evidence, and since it was recorded for the receiver, microseconds. */
  readonly sinceStartUs: number;
  readonly sinceRecordedUs: number;
}

interface AlertCounts extends OutboxCounts {
  /** Deliveries recorded as failed because too many waited. */
  readonly refused: number;
  /** Failures to tell an Alertmanager again what fires. */
  readonly resendFailures: number;
  /** Mails that went, or will, in a digest. */
  readonly digested: number;
}

export interface Alerter {
  /** Takes up the deliveries that were pending when the server stopped. Call it when incidents and mail settings are known. */
  start(): Promise<void>;
  /**
   * Resolves once the deliveries are recorded; sending goes on in the background. Telling the same change again does nothing.
   * @throws what the store throws. The caller may tell the change again.
   */
  notify(change: IncidentChange): Promise<void>;
  /**
   * Sends a delivery again because somebody asks for it, whatever became of it, and whatever would hold it back.
   * @returns the delivery that does so; undefined when there is none of this id
   */
  replay(deliveryId: string): Promise<Delivery | undefined>;
  /** Silences have changed: what they held back may be told now. */
  reconsider(ids: ReadonlySet<string>): Promise<void>;
  stop(): Promise<void>;
  counts(): AlertCounts;
}

/** setTimeout, as the server uses it. */
export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Who is told, and how deliveries name them. */
interface Recipient {
  readonly receiver: string;
  readonly target: string;
  /** How; undefined: at once, by itself, and never again. */
  readonly route?: Route | undefined;
}

/** What is told: `withdrawn` travels as a resolved-type delivery, but is not the same news. */
type News = "opened" | "certainty-raised" | "resolved" | "withdrawn" | "reminder";

export function createAlerter(deps: AlerterDeps): Alerter {
  const { config, store, clock, log, publicUrl } = deps;
  const senders: Senders = { webhook: sendWebhook, mail: sendMail, robot: sendRobot, ...deps.send };
  const said = new Set<string>();
  const gone = new Map<string, string>();
  const mailReceivers = new Map<string, MailReceiver>();
  /** When a message of a group went last. */
  const flushed = new Map<string, number>();
  /** When an open incident was told last, or will be. */
  const lastTold = new Map<string, number>();
  const repeats = config.routes.some(({ repeatIntervalUs }) => repeatIntervalUs !== undefined);
  let cancelRepeat: () => void = () => undefined;
  const alertmanagers = config.receivers.flatMap((settings) =>
    settings.type === "alertmanager" ? new Alertmanager(settings, publicUrl, clock.epoch()) : [],
  );
  let resendFailures = 0;
  const budget = new MailBudget(config.mailsPerHour);
  /** Mails that went, or will, in a digest. */
  let digested = 0;
  let cancelResend: () => void = () => undefined;
  let resending: Promise<void> = Promise.resolve();
  const stopping = new AbortController();
  let refused = 0;
  // One change after the other: what is told of an incident is recorded in the order in which it happened.
  let recording: Promise<void> = Promise.resolve();

  const outbox = new Outbox({
    clock,
    log,
    timers: deps.timers,
    random: deps.random,
    retryScheduleMs: config.retryScheduleMs,
    save: (delivery) => store.saveDelivery(delivery),
    holdBack,
    attempt,
    onSent: tellOf,
    onHeld: (delivery) => {
      held.note(delivery);
      // What held it back may have gone while it was recorded.
      later(() => held.look(delivery));
    },
  });
  const held = new HeldBack({
    clock,
    timers: deps.timers,
    incident: deps.incident,
    verdict,
    later,
    rewrite: (delivery) => store.saveDelivery(delivery),
    release: async (row) => {
      const { by: _by, ...rest } = row;
      const delivery: Delivery = { ...rest, status: "pending", nextAttemptTs: clock.epoch(), lastError: null };
      await store.saveDelivery(delivery);
      outbox.revive(delivery);
    },
  });

  function tellOf({ incidentId, receiver, event, replayOf, createdTs }: Delivery): void {
    const incident = deps.incident(incidentId);
    if (!incident || event !== "opened" || replayOf !== undefined) return;
    const now = clock.epoch();
    deps.onTold?.({
      incident,
      receiver: kindOf(receiver),
      sinceStartUs: now - incident.start,
      sinceRecordedUs: now - createdTs,
    });
  }

  function inOrder(task: () => Promise<void>): Promise<void> {
    const done = recording.then(task);
    recording = done.catch(() => undefined);
    return done;
  }

  function later(task: () => Promise<void>): void {
    inOrder(task).catch((error: unknown) =>
      log("error", `what was held back could not be looked at again: ${messageOf(error)}`),
    );
  }

  async function resume(): Promise<void> {
    for (const status of HELD_STATUSES) {
      const rows = await store.deliveries({ status, newestFirst: true, limit: HELD_MAX });
      for (const row of oldestFirst(rows)) held.note(row);
    }
    await held.reconsider();
    if (repeats) {
      await rememberTold();
      repeat();
    }
    if (alertmanagers.length > 0) {
      await rememberFiring();
      await Promise.all(alertmanagers.map(resendTo));
      resend();
    }
    await rememberMails();
    const pending = await store.deliveries({ status: "pending", limit: WAITING_MAX });
    for (const delivery of oldestFirst(pending)) outbox.add(delivery);
    if (pending.length > 0) log("info", `${pending.length} notifications were still to be sent`);
  }

  /** What is still open, and was told long ago, is told again. */
  async function remind(): Promise<void> {
    const now = clock.epoch();
    for (const incident of deps.incidents()) {
      if (incident.status !== "open") continue;
      for (const recipient of recipients("opened", lowerable(incident), [])) {
        const { receiver, route } = recipient;
        const last = lastTold.get(`${incident.id} ${receiver}`);
        if (last === undefined || route?.repeatIntervalUs === undefined || now - last < route.repeatIntervalUs)
          continue;
        if (!verdict(incident, receiver)) await recordOne(deliveryOf("reminder", incident, recipient, now), incident);
      }
    }
  }

  function repeat(): void {
    cancelRepeat = deps.timers.after(REPEAT_LOOK_MS, () => {
      later(remind);
      repeat();
    });
  }

  /** An Alertmanager is told again and again what fires, and that we live. */
  function resend(): void {
    cancelResend = deps.timers.after(RESEND_MS, () => {
      resending = Promise.all(alertmanagers.map(resendTo)).then(() => undefined);
      resend();
    });
  }

  async function resendTo(alertmanager: Alertmanager): Promise<void> {
    const messages = alertmanager.firing.flatMap((id) => {
      const incident = deps.incident(id);
      return incident?.status === "open" ? describe(lowerable(incident), "reminder", clock.epoch(), publicUrl) : [];
    });
    const attempt = { signal: stopping.signal, timeoutMs: config.webhookTimeoutMs, now: clock.epoch() };
    const outcome = await alertmanager.resend(attempt, messages);
    if (outcome.kind === "sent") return;
    resendFailures += 1;
    log("warn", `${receiverId(alertmanager.settings)} could not be told again what fires: ${outcome.error}`);
  }

  /** What each Alertmanager was told of before this start. */
  async function rememberFiring(): Promise<void> {
    for (const incident of deps.incidents()) {
      if (incident.status !== "open") continue;
      const rows = await store.deliveries({ incidentId: incident.id, limit: INCIDENT_DELIVERIES_MAX });
      for (const alertmanager of alertmanagers)
        if (rows.some(({ receiver, status }) => receiver === receiverId(alertmanager.settings) && status === "sent"))
          alertmanager.remember(describe(lowerable(incident), "reminder", clock.epoch(), publicUrl));
    }
  }

  async function rememberTold(): Promise<void> {
    for (const { id, status } of deps.incidents()) {
      if (status !== "open") continue;
      const rows = await store.deliveries({ incidentId: id, limit: INCIDENT_DELIVERIES_MAX });
      for (const row of oldestFirst(rows)) lastTold.set(`${id} ${row.receiver}`, row.createdTs);
    }
  }

  async function record({ type, incident }: IncidentChange): Promise<void> {
    await held.reconsider(new Set([incident.id]));
    if (type === "revised") return;
    const rows = await store.deliveries({ incidentId: incident.id, limit: INCIDENT_DELIVERIES_MAX });
    // Recorded, but not known here: the store took it and its answer was lost.
    for (const row of oldestFirst(rows)) if (row.status === "pending") outbox.add(row);
    const recorded = new Set(rows.map(({ id }) => id));
    // A restart finds the order again by this alone, so no two of an incident share it, nor does a clock that steps back.
    let createdTs = Math.max(clock.epoch(), ...rows.map((row) => row.createdTs + 1));
    for (const recipient of recipients(type, incident, rows)) {
      const before = rows.find(({ receiver }) => receiver === recipient.receiver);
      for (const news of newsFor(type, incident, before !== undefined)) {
        const delivery = deliveryOf(news, incident, recipient, createdTs++, before);
        if (!recorded.has(delivery.id) && !outbox.knows(delivery.id)) await recordOne(delivery, incident);
      }
    }
  }

  async function replay(deliveryId: string): Promise<Delivery | undefined> {
    const [row] = await store.deliveries({ id: deliveryId, limit: 1 });
    if (!row) return undefined;
    const { id, incidentId, revision, event, receiver, target } = row;
    const rows = await store.deliveries({ incidentId, limit: INCIDENT_DELIVERIES_MAX });
    const createdTs = Math.max(clock.epoch(), ...rows.map((other) => other.createdTs + 1));
    const delivery: Delivery = {
      id: digest(id, "replay", String(createdTs)),
      incidentId,
      revision,
      event,
      receiver,
      target,
      status: "pending",
      attempts: 0,
      createdTs,
      nextAttemptTs: clock.epoch(),
      lastError: null,
      replayOf: id,
    };
    // Somebody looks at it: one that was switched off is asked once more.
    gone.delete(receiver);
    await store.saveDelivery(delivery);
    outbox.add(delivery);
    return delivery;
  }

  async function recordOne(delivery: Delivery, incident: Incident): Promise<void> {
    const refusal =
      gone.get(delivery.receiver) ??
      (outbox.isFull ? `not tried: ${WAITING_MAX} notifications wait already` : undefined);
    if (refusal !== undefined) {
      refused += 1;
      log("error", `${delivery.receiver} is not told of incident ${incident.id}: ${refusal}`);
      await store.saveDelivery({ ...delivery, status: "failed", lastError: refusal });
      return;
    }
    await store.saveDelivery(delivery);
    const key = `${delivery.incidentId} ${delivery.receiver}`;
    if (delivery.event === "resolved") lastTold.delete(key);
    else if (repeats) lastTold.set(key, delivery.createdTs);
    const isWaiting = delivery.nextAttemptTs > clock.epoch();
    // What waits says what is known when it goes.
    outbox.add(delivery, isWaiting ? undefined : render(incident, delivery));
  }

  /** What may turn out to be explained by something else waits a moment for that to be found. */
  function waitUs(news: News, incident: Incident): number {
    if (news === "resolved" || news === "withdrawn" || incident.severity === "critical") return 0;
    return isTarget(incident, config.inhibitRules) ? config.inhibitWaitMs * US_PER_MS : 0;
  }

  /** Whether a receiver is not to be told of an incident now. */
  function verdict(incident: Incident, receiver: string): Verdict | undefined {
    const silence = deps.silences.silencing(incident);
    if (silence) {
      const { id, author, reason, endsTs } = silence;
      const until = formatEpochUs(endsTs as EpochUs);
      return {
        status: "silenced",
        by: id,
        why: oneLine(`silenced by ${author} until ${until}: ${reason}`),
        until: endsTs,
      };
    }
    const age = incident.end === null ? 0 : clock.epoch() - incident.end;
    if (age > config.maxAgeUs)
      return {
        status: "old",
        by: incident.id,
        why: `it was over ${Math.floor(age / HOUR_US)} h before it was known; alerts.max_age_hours is ${config.maxAgeUs / HOUR_US}`,
        until: undefined,
      };
    const planned = deps.planned.of(incident, clock.epoch());
    if (planned && !recipients("opened", lowerable(incident), []).some((one) => one.receiver === receiver)) {
      const until = formatEpochUs(planned.until as EpochUs);
      const why = `${plannedText(planned)}, and is lowered to ${lowered(incident.severity)}; told if it is still open at ${until}`;
      return { status: "planned", by: planned.node, why, until: planned.until };
    }
    if (config.inhibitRules.length === 0) return undefined;
    // One who does not hear of the cause hears of the effect.
    const hears = (other: Incident) => recipients("opened", other, []).some((one) => one.receiver === receiver);
    const inhibition = inhibitionOf(incident, deps.incidents(), config.inhibitRules, clock.epoch(), hears);
    if (!inhibition) return undefined;
    const { by, reason, until } = inhibition;
    return { status: "inhibited", by: by.id, why: `inhibited by ${nameOf(by)} (${by.id}): ${reason}`, until };
  }

  /** As it is told while it follows from a planned stop. */
  function lowerable(incident: Incident): Incident {
    return deps.planned.of(incident, clock.epoch()) ? { ...incident, severity: lowered(incident.severity) } : incident;
  }

  function render(incident: Incident, { event, createdTs }: Delivery): Message {
    const planned = deps.planned.of(incident, clock.epoch());
    const message = describe(lowerable(incident), event, createdTs as EpochUs, publicUrl);
    return planned ? { ...message, planned: plannedText(planned) } : message;
  }

  /** Asked once, before the first attempt: what was tried has begun to be told. */
  function holdBack(delivery: Delivery): Outcome | undefined {
    if (delivery.replayOf !== undefined) return undefined;
    const incident = deps.incident(delivery.incidentId);
    const opening = held.openingOf(delivery);
    if (opening?.by !== undefined) {
      const status = isHeldStatus(opening.status) ? opening.status : "inhibited";
      return { kind: "held", status, by: opening.by, error: `its opening was not told: ${opening.lastError}` };
    }
    if (delivery.event === "resolved" || !incident) return undefined;
    const found = verdict(incident, delivery.receiver);
    if (!found) return undefined;
    // Before what follows in the same message is asked about.
    held.note({ ...delivery, status: found.status, by: found.by, lastError: found.why });
    return { kind: "held", status: found.status, by: found.by, error: found.why };
  }

  /** When a message goes, and with which others: what follows goes the way of the beginning, so that it comes after it. */
  function timing(
    news: News,
    incident: Incident,
    { receiver, route }: Recipient,
    before: Delivery | undefined,
  ): Pick<Delivery, "nextAttemptTs" | "group"> {
    const now = clock.epoch();
    const soonest = now + waitUs(news, incident);
    const isGrouped = route !== undefined && route.groupBy.length > 0;
    const mailed = mailTiming(receiver, incident.id, before, soonest);
    if (mailed) return mailed;
    const group = before ? before.group : isGrouped ? groupKey(groupLabels(route, incident)) : undefined;
    if (group === undefined) return { nextAttemptTs: soonest };
    const due = outbox.dueOf({ incidentId: incident.id, receiver, group });
    const last = flushed.get(`${group} ${receiver}`) ?? 0;
    const next = Math.max(now + (route?.groupWaitUs ?? 0), last + (route?.groupIntervalUs ?? 0));
    return { nextAttemptTs: Math.max(soonest, due !== undefined && due > now ? due : next), group };
  }

  /** Mails beyond what an address gets in an hour go in a digest, and what follows them, too. undefined: it goes by itself or as its route says. */
  function mailTiming(
    receiver: string,
    incidentId: string,
    before: Delivery | undefined,
    soonest: number,
  ): Pick<Delivery, "nextAttemptTs" | "group"> | undefined {
    const addresses = addressesOf(receiver);
    if (addresses.length === 0 || (before?.group !== undefined && before.group !== DIGEST)) return undefined;
    const now = clock.epoch();
    const due = outbox.dueOf({ incidentId, receiver, group: DIGEST });
    // An end does not overtake its beginning, which is still to be sent by itself.
    const isBehind = before !== undefined && before.group === undefined && outbox.knowsLane({ incidentId, receiver });
    const isDigested = before?.group === DIGEST || due !== undefined || !budget.allows(addresses, soonest);
    if (isBehind || !isDigested) {
      budget.take(addresses, soonest);
      return undefined;
    }
    digested += 1;
    if (due !== undefined && due > now) return { nextAttemptTs: due, group: DIGEST };
    const next = budget.digestDue(addresses, now);
    budget.take(addresses, next);
    log(
      "warn",
      `${receiver}: more than ${config.mailsPerHour} mails in an hour would go to ${addresses.join(", ")}: the rest goes in a digest`,
    );
    return { nextAttemptTs: next, group: DIGEST };
  }

  function addressesOf(receiver: string): readonly string[] {
    const configured = config.receivers.find((settings) => receiverId(settings) === receiver);
    if (configured) return configured.type === "mail" ? configured.mail.to : [];
    return mailReceivers.get(receiver)?.to ?? [];
  }

  /** What went, or was to go, in the hour before this start. */
  async function rememberMails(): Promise<void> {
    const since = clock.epoch() - HOUR_US;
    const rows = await store.deliveries({ newestFirst: true, limit: WAITING_MAX });
    const mails = new Map(
      rows
        .filter(
          ({ receiver, createdTs, status }) =>
            isMail(receiver) && createdTs > since && (status === "sent" || status === "pending"),
        )
        .map((row) => [row.batch ?? (row.group === undefined ? row.id : `${row.group} ${row.receiver}`), row]),
    );
    for (const { target, createdTs, nextAttemptTs } of mails.values())
      budget.take(addressesIn(target), Math.max(createdTs, nextAttemptTs));
  }

  function deliveryOf(
    news: News,
    incident: Incident,
    recipient: Recipient,
    createdTs: number,
    before?: Delivery,
  ): Delivery {
    const { receiver, target } = recipient;
    return {
      // Not of the revision: the same news is the same delivery, even when it is found again after a restart.
      id: digest(incident.id, news, incident.certainty, receiver, ...(news === "reminder" ? [String(createdTs)] : [])),
      incidentId: incident.id,
      revision: incident.revision,
      event: news === "withdrawn" ? "resolved" : news,
      receiver,
      target,
      status: "pending",
      attempts: 0,
      createdTs,
      lastError: null,
      ...timing(news, incident, recipient, before),
    };
  }

  /** Those the incident concerns now, and at its end also those who heard of it before. */
  function recipients(
    type: IncidentChange["type"],
    incident: Incident,
    rows: readonly Delivery[],
  ): readonly Recipient[] {
    const found = new Map<string, Recipient>();
    const take = (name: string, receiver: string, target: string) => {
      const route = routeOf(config.routes, name, incident);
      if (route) found.set(receiver, { receiver, target, route: route === "unrouted" ? undefined : route });
    };
    for (const webhook of config.webhooks) {
      if (wants(webhook, incident)) take(webhook.name, webhookName(webhook), shown(webhook.url));
    }
    for (const settings of config.receivers) {
      if (wants(settings, incident)) take(settings.name, receiverId(settings), targetOf(settings));
    }
    if (isSevere(incident, config.mailMinSeverity))
      for (const mail of mailReceiversOf(incident.cluster)) take(KEEPALIVED_MAIL, mailName(mail), mail.target);
    if (type !== "resolved" && type !== "withdrawn") return [...found.values()];
    for (const { receiver, target } of rows) {
      if (!found.has(receiver) && isReachable(receiver)) found.set(receiver, { receiver, target });
    }
    return [...found.values()];
  }

  function isReachable(receiver: string): boolean {
    return (
      config.webhooks.some((webhook) => webhookName(webhook) === receiver) ||
      config.receivers.some((settings) => receiverId(settings) === receiver) ||
      (config.mailFromKeepalivedConf && mailReceivers.has(receiver))
    );
  }

  function mailReceiversOf(cluster: string): readonly MailReceiver[] {
    if (!config.mailFromKeepalivedConf) return [];
    const settings = deps.mailSettings(cluster);
    const made = settings.map(mailReceiver);
    const usable = made.filter((receiver) => typeof receiver !== "string");
    const why = made.find((result) => typeof result === "string");
    if (usable.length === 0) sayOnce(cluster, why ?? "no keepalived.conf with mail settings is known");
    for (const receiver of usable) {
      if (mailReceivers.size >= REMEMBERED_MAX) mailReceivers.clear();
      mailReceivers.set(mailName(receiver), receiver);
    }
    return [...new Map(usable.map((receiver) => [receiver.key, receiver])).values()];
  }

  function sayOnce(cluster: string, why: string): void {
    const sentence = `incidents of cluster ${JSON.stringify(cluster)} are not mailed: ${why}`;
    if (said.has(sentence)) return;
    if (said.size >= REMEMBERED_MAX) said.clear();
    said.add(sentence);
    log("warn", sentence);
  }

  /** Renders what is not rendered yet. @returns the id of an incident that is not known */
  function renderAll(items: readonly Item[]): string | undefined {
    for (const item of items) {
      const incident = deps.incident(item.delivery.incidentId);
      if (incident && item.message === undefined) item.message = render(incident, item.delivery);
      if (item.message === undefined) return item.delivery.incidentId;
    }
    return undefined;
  }

  function groupOf({ receiver, group: key }: Delivery, items: readonly Item[]): Group | undefined {
    if (key === undefined) return undefined;
    const members = new Set(items.map(({ delivery }) => delivery.incidentId));
    const others = [...deps.incidents()].filter(({ id, status }) => status === "open" && !members.has(id));
    const stillOpen = others.filter((incident) => {
      const route = recipients("opened", lowerable(incident), []).find((one) => one.receiver === receiver)?.route;
      return route && groupKey(groupLabels(route, incident)) === key && !verdict(incident, receiver);
    });
    return {
      key,
      labels: labelsOfKey(key),
      messages: items.flatMap(({ message }) => message ?? []),
      stillOpen: stillOpen.map((incident) => describe(incident, "reminder", clock.epoch(), publicUrl)),
    };
  }

  async function attempt(items: readonly [Item, ...Item[]], signal: AbortSignal): Promise<Outcome> {
    const [{ delivery }] = items;
    const disabled = gone.get(delivery.receiver);
    if (disabled !== undefined) return { kind: "refused", error: disabled };
    const unknown = renderAll(items);
    const [{ message }] = items;
    if (unknown !== undefined || !message) return { kind: "retry", error: `incident ${unknown} is not known` };
    const group = groupOf(delivery, items);
    if (group) flushed.set(`${group.key} ${delivery.receiver}`, clock.epoch());
    const common = {
      message,
      ...(group ? { group } : {}),
      deliveryId: delivery.batch ?? delivery.id,
      now: clock.epoch(),
      signal,
    };
    const configured = config.receivers.find((settings) => receiverId(settings) === delivery.receiver);
    const outcome = configured
      ? await attemptReceiver(configured, delivery, common)
      : isMail(delivery.receiver)
        ? await attemptMail(delivery, common)
        : await attemptWebhook(delivery, common);
    if (outcome.kind === "gone") {
      gone.set(delivery.receiver, `switched off, since it answered ${outcome.error}`);
      log(
        "error",
        `${delivery.receiver} wants no more notifications (${outcome.error}): it gets none until the server is restarted`,
      );
    }
    return outcome;
  }

  async function attemptWebhook(delivery: Delivery, common: Omit<Attempt, "timeoutMs">): Promise<Outcome> {
    const webhook = config.webhooks.find((candidate) => webhookName(candidate) === delivery.receiver);
    if (!webhook)
      return { kind: "refused", error: "the configuration has no webhook or receiver of this name any more" };
    return await senders.webhook({ ...common, webhook, publicUrl, timeoutMs: config.webhookTimeoutMs });
  }

  async function attemptReceiver(
    settings: ReceiverSettings,
    delivery: Delivery,
    common: Omit<Attempt, "timeoutMs">,
  ): Promise<Outcome> {
    if (settings.type === "mail") {
      const openingId = await openingOf(delivery);
      return senders.mail({ ...common, receiver: settings.mail, openingId, timeoutMs: config.mailTimeoutMs });
    }
    const timed = { ...common, timeoutMs: config.webhookTimeoutMs };
    if (settings.type !== "alertmanager") return senders.robot({ ...timed, robot: settings, publicUrl });
    const alertmanager = alertmanagers.find((each) => each.settings === settings);
    return alertmanager?.send(timed) ?? { kind: "refused", error: "it is configured no more" };
  }

  async function attemptMail(delivery: Delivery, common: Omit<Attempt, "timeoutMs">): Promise<Outcome> {
    if (!config.mailFromKeepalivedConf) return { kind: "refused", error: "alerts.mail_from_keepalived_conf is off" };
    // Refreshes what is remembered: a corrected notification_email_from counts at once.
    mailReceiversOf(common.message.cluster);
    const receiver = mailReceivers.get(delivery.receiver);
    if (!receiver)
      return {
        kind: "retry",
        error: "no keepalived.conf of the cluster names these addresses and this smtp_server now",
      };
    return await senders.mail({
      ...common,
      receiver,
      openingId: await openingOf(delivery),
      timeoutMs: config.mailTimeoutMs,
    });
  }

  /** The delivery that told the same receiver of the opening: later mails are threaded under it. */
  async function openingOf(delivery: Delivery): Promise<string | undefined> {
    if (delivery.event === "opened") return undefined;
    const rows = await store.deliveries({ incidentId: delivery.incidentId, limit: INCIDENT_DELIVERIES_MAX });
    const opening = oldestFirst(rows).findLast(
      (row) => row.receiver === delivery.receiver && row.event === "opened" && row.createdTs <= delivery.createdTs,
    );
    return opening?.batch ?? opening?.id;
  }

  return {
    start: () => inOrder(resume),
    notify: (change) => inOrder(() => record(change)),
    replay: async (id) => {
      let replayed: Delivery | undefined;
      await inOrder(async () => {
        replayed = await replay(id);
      });
      return replayed;
    },
    reconsider: (ids) => inOrder(() => held.reconsider(ids)),
    stop: async () => {
      held.stop();
      cancelRepeat();
      cancelResend();
      stopping.abort();
      await resending;
      await recording;
      await outbox.stop();
    },
    counts: () => ({ ...outbox.counts(), refused, resendFailures, digested }),
  };
}

/** An end is news only with a beginning. @param wasTold  the recipient has heard of this incident before */
function newsFor(type: IncidentChange["type"], { status }: Incident, wasTold: boolean): readonly News[] {
  switch (type) {
    case "opened":
      return status === "resolved" ? ["opened", "resolved"] : status === "open" ? ["opened"] : [];
    case "certainty-raised":
      return ["certainty-raised"];
    case "resolved":
      return wasTold ? ["resolved"] : ["opened", "resolved"];
    case "withdrawn":
      return wasTold ? ["withdrawn"] : [];
    case "revised":
      return [];
  }
}

function wants({ clusters, kinds, minSeverity }: Filter, incident: Incident): boolean {
  if (clusters && !clusters.includes(incident.cluster)) return false;
  if (kinds && !kinds.includes(incident.kind)) return false;
  return isSevere(incident, minSeverity);
}

const isSevere = ({ severity }: Incident, least: Severity): boolean =>
  SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);

const receiverId = ({ type, name }: ReceiverSettings): string => `${type}:${name}`;
const targetOf = (settings: ReceiverSettings): string =>
  settings.type === "mail" ? settings.mail.target : shown(settings.url);
const webhookName = ({ name }: WebhookSettings): string => `webhook:${name}`;
const mailName = ({ key }: MailReceiver): string => `mail:${key}`;
/** Of `a@example.org, b@example.org via mx:25`: before a start's first incident nothing else tells. */
const addressesIn = (target: string): readonly string[] => (target.split(" via ")[0] ?? "").split(", ");
const kindOf = (receiver: string): string => receiver.split(":")[0] ?? receiver;
const isMail = (receiver: string): boolean => receiver.startsWith("mail:");

/** Many receivers take a secret in the path: deliveries are shown to all who may read, so only the origin is. */
const shown = (url: URL): string => (url.pathname === "/" && !url.search ? url.origin : `${url.origin}/…`);

function oldestFirst(deliveries: readonly Delivery[]): readonly Delivery[] {
  return deliveries.toSorted((a, b) => a.createdTs - b.createdTs);
}

function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
