import { createHmac } from "node:crypto";
import { formatEpochUs, US_PER_MS, US_PER_SECOND } from "../../../collector/core/time.ts";
import type { Message } from "../message.ts";
import type { ReceiverSettings } from "../receivers.ts";
import { type HttpRequest, sendHttp } from "./http.ts";
import { type Attempt, type Outcome, reason } from "./notifier.ts";
import { annotationsOf } from "./webhook.ts";

/** Chat robots and pagers: each takes what we have to say in a form of its own. */

type Robot = Extract<ReceiverSettings, { readonly url: URL }> & {
  readonly type: Exclude<ReceiverSettings["type"], "mail" | "alertmanager">;
};

/** Longest text of one message of a robot, in characters: WeCom takes 4096 bytes, of which a character may need three. */
const TEXT_MAX_CHARS = 1300;
/** PagerDuty's bound on a summary. */
const SUMMARY_MAX_CHARS = 1024;

export interface RobotAttempt extends Attempt {
  readonly robot: Robot;
  readonly publicUrl: string;
}

/** One request, or one an incident where the receiver knows no groups; the first that fails ends it. */
export async function sendRobot(attempt: RobotAttempt): Promise<Outcome> {
  let outcome: Outcome = { kind: "sent" };
  for (const request of requestsOf(attempt)) {
    outcome = await sendHttp(attempt, request);
    if (outcome.kind !== "sent") return outcome;
  }
  return outcome;
}

/** What is posted where. */
export function requestsOf({ robot, message, group, now, publicUrl }: RobotAttempt): readonly HttpRequest[] {
  const messages = group?.messages ?? [message];
  switch (robot.type) {
    case "slack":
      return [json(robot.url, { text: messages.map(slackText).join("\n\n") })];
    case "feishu":
      return [
        {
          ...json(robot.url, { ...feishuSign(robot.key?.reveal(), now), ...feishuCard(messages) }),
          refusal: codeIn("code", "msg", FEISHU_BUSY),
        },
      ];
    case "dingtalk":
      return [
        {
          ...json(dingtalkUrl(robot.url, robot.key?.reveal(), now), {
            msgtype: "markdown",
            markdown: { title: titleOf(messages), text: cut(messages.map(markdown).join("\n\n---\n\n")) },
          }),
          refusal: codeIn("errcode", "errmsg", DINGTALK_BUSY),
        },
      ];
    case "wecom":
      return [
        {
          ...json(robot.url, { msgtype: "markdown", markdown: { content: cut(messages.map(markdown).join("\n\n")) } }),
          refusal: codeIn("errcode", "errmsg", WECOM_BUSY),
        },
      ];
    case "pagerduty":
      return messages.map((each) => json(robot.url, pagerDutyEvent(each, robot.key?.reveal() ?? "", publicUrl)));
    case "ntfy":
      return [ntfyRequest(robot, messages)];
  }
}

const json = (url: URL, body: unknown): HttpRequest => ({ url, body: JSON.stringify(body) });

const titleOf = (messages: readonly Message[]): string =>
  messages.length > 1 ? `${messages.length} messages: ${messages[0]?.title}` : (messages[0]?.title ?? "");

const factsOf = (message: Message): readonly (readonly [string, string])[] => [
  ["When", message.when],
  ["Who", message.who],
  ["Why", message.why],
  ...(message.planned === null ? [] : [["Planned", message.planned] as const]),
];

/** Between code points, never inside a pair. */
const cut = (text: string): string =>
  text.length <= TEXT_MAX_CHARS ? text : `${text.slice(0, TEXT_MAX_CHARS - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;

/** Slack's own escapes; Mattermost and Rocket.Chat read them, too. */
function slackText(message: Message): string {
  const escape = (text: string): string =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const facts = factsOf(message).map(([name, value]) => `*${name}:* ${escape(value)}`);
  return [`*${escape(message.title)}*`, escape(message.summary), ...facts, `<${message.link}|Open the timeline>`].join(
    "\n",
  );
}

/** What is ours is marked up; of what comes from logs no character is. */
function markdown(message: Message): string {
  const escape = (text: string): string => text.replaceAll(/[\\`*_[\]#|<>~]/g, (char) => `\\${char}`);
  const facts = factsOf(message).map(([name, value]) => `**${name}:** ${escape(value)}`);
  return [`**${escape(message.title)}**`, ...facts, `[Open the timeline](${message.link})`].join("\n\n");
}

// --- Feishu (Lark) ------------------------------------------------------------------------------------------------

/** Too many requests; the others are about the message or the robot. */
const FEISHU_BUSY: ReadonlySet<number> = new Set([11232]);

/** The key is what one would take for the text: HMAC-SHA256 over nothing, with the timestamp and the secret. */
function feishuSign(secret: string | undefined, now: number): Record<string, string> {
  if (secret === undefined) return {};
  const timestamp = String(Math.floor(now / US_PER_SECOND));
  return { timestamp, sign: createHmac("sha256", `${timestamp}\n${secret}`).update("").digest("base64") };
}

function feishuCard(messages: readonly Message[]): Record<string, unknown> {
  const [first] = messages;
  const isOver = messages.every(({ event }) => event === "resolved");
  const colour = isOver
    ? "green"
    : first?.severity === "critical"
      ? "red"
      : first?.severity === "warning"
        ? "orange"
        : "blue";
  const text = (content: string) => ({ tag: "plain_text", content });
  return {
    msg_type: "interactive",
    card: {
      header: { title: text(titleOf(messages)), template: colour },
      elements: messages.flatMap((message) => [
        {
          tag: "div",
          text: text([message.summary, ...factsOf(message).map(([name, value]) => `${name}: ${value}`)].join("\n")),
        },
        {
          tag: "action",
          actions: [{ tag: "button", text: text("Open the timeline"), url: message.link, type: "default" }],
        },
      ]),
    },
  };
}

// --- DingTalk and WeCom -------------------------------------------------------------------------------------------

const DINGTALK_BUSY: ReadonlySet<number> = new Set([-1, 130101]);
const WECOM_BUSY: ReadonlySet<number> = new Set([-1, 45009]);

function dingtalkUrl(url: URL, secret: string | undefined, now: number): URL {
  if (secret === undefined) return url;
  const signed = new URL(url);
  const timestamp = String(Math.floor(now / US_PER_MS));
  signed.searchParams.set("timestamp", timestamp);
  signed.searchParams.set("sign", createHmac("sha256", secret).update(`${timestamp}\n${secret}`).digest("base64"));
  return signed;
}

/** These answer 200 whatever happened, and say in the body what did. */
function codeIn(field: string, text: string, busy: ReadonlySet<number>): (answer: string) => Outcome | undefined {
  return (answer) => {
    let said: Record<string, unknown>;
    try {
      said = JSON.parse(answer) as Record<string, unknown>;
    } catch {
      return { kind: "retry", error: reason(`an answer that is not JSON: ${answer}`) };
    }
    const code = said[field];
    if (code === 0) return undefined;
    const error = reason(
      `${field} ${String(code)}: ${typeof said[text] === "string" ? said[text] : "no reason given"}`,
    );
    return { kind: typeof code === "number" && busy.has(code) ? "retry" : "refused", error };
  };
}

// --- PagerDuty, ntfy ----------------------------------------------------------------------------------------------

/** Events API version 2. One PagerDuty incident for each of ours. */
function pagerDutyEvent(message: Message, routingKey: string, publicUrl: string): Record<string, unknown> {
  return {
    routing_key: routingKey,
    event_action: message.event === "resolved" ? "resolve" : "trigger",
    dedup_key: message.incidentId,
    client: "keepwatch",
    client_url: publicUrl,
    links: [{ href: message.link, text: "Open the timeline" }],
    payload: {
      summary: message.title.slice(0, SUMMARY_MAX_CHARS),
      source: message.nodes.join(", ") || message.cluster,
      severity: message.severity,
      timestamp: formatEpochUs(message.start),
      component: message.router ?? message.service ?? message.instance ?? message.cluster,
      group: message.cluster,
      class: message.kind,
      custom_details: annotationsOf(message),
    },
  };
}

const NTFY_PRIORITY = { critical: 5, warning: 4, info: 3 } as const;

/** Published as JSON to the server's root, so that no text has to fit into a header. */
function ntfyRequest({ url, key }: Robot, messages: readonly Message[]): HttpRequest {
  const [first] = messages;
  const isOver = messages.every(({ event }) => event === "resolved");
  const root = new URL(url);
  const [, path = "/", topic = ""] = /^(.*\/)([^/]+)$/.exec(url.pathname) ?? [];
  root.pathname = path;
  const text = messages.map((message) =>
    [message.summary, ...factsOf(message).map(([name, value]) => `${name}: ${value}`)].join("\n"),
  );
  return {
    ...json(root, {
      topic,
      title: titleOf(messages),
      message: cut(text.join("\n\n")),
      priority: isOver ? NTFY_PRIORITY.info : NTFY_PRIORITY[first?.severity ?? "info"],
      tags: [isOver ? "white_check_mark" : "rotating_light"],
      click: first?.link,
    }),
    ...(key === undefined ? {} : { headers: { authorization: `Bearer ${key.reveal()}` } }),
  };
}
