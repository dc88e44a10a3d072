import { createHash } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { isIP } from "node:net";
import { createTransport } from "nodemailer";
import { US_PER_MS } from "../../../collector/core/time.ts";
import type { MailSettings } from "../../../collector/events/event.ts";
import type { Message } from "../message.ts";
import { DIGEST } from "../budget.ts";
import type { Secret } from "../secret.ts";
import { type Attempt, type Outcome, reason, reasonOf, withDeadline } from "./notifier.ts";

/** keepalived takes 0 as 1. */
const CONNECT_TIMEOUT_MIN_SECONDS = 1;
/** Connecting for longer than this helps nobody, whatever keepalived.conf says. */
const CONNECT_TIMEOUT_MAX_SECONDS = 120;

/** One mail server with those who are written to through it: all that can be mailed, checked and in one form. */
export interface MailReceiver {
  /** The same for all nodes that say the same. */
  readonly key: string;
  /** For people: who, through what. */
  readonly target: string;
  readonly to: readonly string[];
  /** undefined: user@host of this process, as keepalived does. */
  readonly from: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  /** `opportunistic`, where it is not said: as keepalived's own mail server offers. */
  readonly tls?: "opportunistic" | "required" | "implicit";
  readonly login?: { readonly user: string; readonly password: Secret };
}

export interface MailAttempt extends Attempt {
  readonly receiver: MailReceiver;
  /** The delivery that told of the opening, unless this is it. */
  readonly openingId: string | undefined;
}

/**
 * What a keepalived.conf's mail settings come to.
 * @returns a sentence when no mail can ever be sent with them
 */
export function mailReceiver(settings: MailSettings): MailReceiver | string {
  const to = [...new Set(settings.to.map(bareAddress).filter((address) => address !== undefined))].sort();
  if (to.length === 0) return "notification_email names no usable address";
  if (settings.host === undefined || settings.host === "") return "there is no smtp_server";
  const host = settings.host.toLowerCase();
  if (!isHost(host)) return "smtp_server is not a host name or address";
  const seconds = Math.min(
    Math.max(settings.connectTimeoutSeconds, CONNECT_TIMEOUT_MIN_SECONDS),
    CONNECT_TIMEOUT_MAX_SECONDS,
  );
  return {
    key: createHash("sha256")
      .update(JSON.stringify([to, host, settings.port]))
      .digest("hex")
      .slice(0, 16),
    target: `${to.join(", ")} via ${isIP(host) === 6 ? `[${host}]` : host}:${settings.port}`,
    to,
    from: settings.from === undefined ? undefined : bareAddress(settings.from),
    host,
    port: settings.port,
    connectTimeoutMs: seconds * 1000,
  };
}

/** `Name <a@b>` as `a@b`. A local part alone is fine: a mail server knows its own users. undefined when it is no address. */
function bareAddress(text: string): string | undefined {
  const address = (/<([^<>]*)>\s*$/.exec(text)?.[1] ?? text).trim();
  // No blank, control character, quote or bracket: nothing that could end an address in a header or in RCPT TO.
  return /^[^\s\p{C}<>()[\],;:"\\@]+(@[^\s\p{C}<>(),;"\\@]+)?$/u.test(address) ? address : undefined;
}

function isHost(host: string): boolean {
  return isIP(host) !== 0 || /^[\p{L}\p{N}_]([\p{L}\p{N}_.-]{0,253})$/u.test(host);
}

/** keepalived's default for notification_email_from. */
function defaultFrom(): string {
  let user = "keepwatch";
  try {
    user = userInfo().username;
  } catch {
    // A container's user id without a name.
  }
  return bareAddress(`${user}@${hostname()}`) ?? "keepwatch@localhost";
}

/** Fixed a delivery, so that a mail which arrives twice is shown once. */
function messageId(deliveryId: string, from: string): string {
  const domain = from.slice(from.lastIndexOf("@") + 1).replaceAll(/[^A-Za-z0-9.-]/g, "-");
  return `<${deliveryId}@${from.includes("@") ? domain : "localhost"}>`;
}

/** One mail to all addresses of a receiver. */
export async function sendMail(attempt: MailAttempt): Promise<Outcome> {
  const { receiver, timeoutMs } = attempt;
  const transport = createTransport({
    host: receiver.host,
    port: receiver.port,
    secure: receiver.tls === "implicit",
    requireTLS: receiver.tls === "required",
    // keepalived speaks plain SMTP to its server. Encryption where it is offered is a gain, but a home-made certificate
    // on a relay must not silence an alert, so there is none to verify against, unless the operator asks for encryption.
    opportunisticTLS: true,
    tls: { rejectUnauthorized: receiver.tls === "required" || receiver.tls === "implicit" },
    ...(receiver.login ? { auth: { user: receiver.login.user, pass: receiver.login.password.reveal() } } : {}),
    connectionTimeout: receiver.connectTimeoutMs,
    greetingTimeout: receiver.connectTimeoutMs,
    dnsTimeout: receiver.connectTimeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    // Resolving, connecting and the greeting have their own time. A server that is never idle for long still ends.
    const longestMs = 3 * receiver.connectTimeoutMs + timeoutMs;
    const info = await withDeadline(attempt, longestMs, (signal) =>
      transport.sendMail({ ...compose(attempt), signal }),
    );
    const rejected = info.rejected ?? [];
    if (rejected.length === 0) return { kind: "sent" };
    // Trying again would mail those who have it once more each time.
    const why = info.rejectedErrors?.[0]?.response ?? "no reason given";
    return { kind: "sent", note: reason(`not accepted for ${rejected.join(", ")}: ${why}`) };
  } catch (error) {
    return failure(error);
  } finally {
    transport.close();
  }
}

/** The envelope is given apart: who gets the mail does not depend on how a header is read. */
function compose({ receiver, message, group, deliveryId, openingId, now }: MailAttempt) {
  const messages = group?.messages ?? [message];
  const isDigest = group?.key === DIGEST;
  const from = receiver.from ?? defaultFrom();
  const opening = openingId === undefined || isDigest ? undefined : messageId(openingId, from);
  return {
    envelope: { from, to: [...receiver.to] },
    from: { name: "keepwatch", address: from },
    to: receiver.to.map((address) => ({ name: "", address })),
    ...(isDigest ? digest(messages) : full(messages)),
    date: new Date(now / US_PER_MS),
    messageId: messageId(deliveryId, from),
    ...(opening === undefined ? {} : { inReplyTo: opening, references: [opening] }),
    headers: {
      "Auto-Submitted": "auto-generated",
      "X-Keepwatch-Incident": message.incidentId,
      "X-Keepwatch-Event": isDigest ? "digest" : message.withdrawn ? "withdrawn" : message.event,
    },
  };
}

interface Content {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

function full(messages: readonly Message[]): Content {
  const [{ title } = { title: "" }] = messages;
  return {
    subject: `[keepwatch] ${messages.length > 1 ? `${messages.length} messages: ` : ""}${title}`,
    text: messages.map(textBody).join(`\n${"-".repeat(72)}\n\n`),
    html: htmlPage(title, messages.map(htmlBody).join("\n<hr>\n")),
  };
}

/** A line a message: a storm is read as a list. */
function digest(messages: readonly Message[]): Content {
  const incidents = new Set(messages.map(({ incidentId }) => incidentId)).size;
  const title = `digest: ${messages.length} messages about ${incidents} incident${incidents === 1 ? "" : "s"}`;
  const why = "More mails than alerts.mails_per_hour would have come: this one has the rest.";
  const items = messages.map(
    (message) =>
      `<li><a href="${escapeHtml(message.link)}">${escapeHtml(message.title)}</a><br>${escapeHtml(message.when)}</li>`,
  );
  return {
    subject: `[keepwatch] ${title}`,
    text: `${why}\n\n${messages.map((message) => `${message.title}\n  ${message.when}\n  ${message.link}`).join("\n\n")}\n`,
    html: htmlPage(title, `<p>${why}</p>\n<ol>${items.join("")}</ol>`),
  };
}

/** RFC 5321 section 4.2.1: 5yz is final. 503, and what is said of encryption or a login, is not: that is about the session. */
function failure(error: unknown): Outcome {
  const code =
    error instanceof Error && "responseCode" in error && typeof error.responseCode === "number"
      ? error.responseCode
      : 0;
  const isOfSession = error instanceof Error && "code" in error && (error.code === "ETLS" || error.code === "EAUTH");
  return { kind: code >= 500 && code !== 503 && !isOfSession ? "refused" : "retry", error: reasonOf(error) };
}

const factsOf = (message: Message): readonly (readonly [string, string])[] => [
  ["When", message.when],
  ["Who", message.who],
  ["Why", message.why],
  ...(message.planned === null ? [] : [["Planned", `it ${message.planned}`] as const]),
  ["Certainty", `${message.certainty}, severity ${message.severity}`],
];

const leftOut = (message: Message): string =>
  message.evidenceLeftOut > 0 ? `and ${message.evidenceLeftOut} more, in the timeline` : "";

function textBody(message: Message): string {
  const facts = factsOf(message).map(([name, value]) => `${`${name}:`.padEnd(11)}${value}`);
  const evidence =
    message.evidence.length === 0
      ? []
      : [
          "",
          "Evidence:",
          ...message.evidence.map((line) => `  ${line}`),
          ...(leftOut(message) ? [`  (${leftOut(message)})`] : []),
        ];
  const story = message.story === null ? [] : ["", message.story];
  return [message.summary, "", ...facts, ...story, ...evidence, "", `Timeline: ${message.link}`, ""].join("\n");
}

function htmlBody(message: Message): string {
  const facts = factsOf(message).map(
    ([name, value]) => `<tr><th align="left" valign="top">${name}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  const evidence = message.evidence.map((line) => `<li><code>${escapeHtml(line)}</code></li>`);
  return `<p><strong>${escapeHtml(message.summary)}</strong></p>
<table cellpadding="4">${facts.join("")}</table>${message.story === null ? "" : `\n<p>${escapeHtml(message.story)}</p>`}
${evidence.length === 0 ? "" : `<p>Evidence:</p><ol>${evidence.join("")}</ol>`}${leftOut(message) ? `<p>${leftOut(message)}</p>` : ""}
<p><a href="${escapeHtml(message.link)}">Open the timeline</a></p>`;
}

function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head>
<body style="font-family:sans-serif">
${body}
</body></html>
`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ESCAPES[char] ?? char);
}
