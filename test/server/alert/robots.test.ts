import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { parseAlertConfig } from "../../../server/alert/config.ts";
import { describe as messageOf } from "../../../server/alert/message.ts";
import { requestsOf, type RobotAttempt, sendRobot } from "../../../server/alert/notifiers/robots.ts";
import type { Incident } from "../../../server/detect/incident.ts";
import { PUBLIC_URL, resolved, splitBrain, T0 } from "./support.ts";

const robotOf = (table: Record<string, unknown>): RobotAttempt["robot"] => {
  const [settings] = parseAlertConfig({ receivers: [{ name: "r", ...table }] }).receivers;
  if (!settings || settings.type === "mail" || settings.type === "alertmanager") throw new Error("no robot");
  return settings;
};
const attempt = (table: Record<string, unknown>, incident: Incident = splitBrain): RobotAttempt => ({
  robot: robotOf(table),
  message: messageOf(incident, incident.status === "resolved" ? "resolved" : "opened", T0, PUBLIC_URL),
  deliveryId: "d",
  now: T0,
  timeoutMs: 5000,
  signal: new AbortController().signal,
  publicUrl: PUBLIC_URL,
});
const TABLES: readonly Record<string, unknown>[] = [
  { type: "slack", url: "https://hooks.slack.example/services/T/B/x" },
  { type: "feishu", url: "https://open.feishu.example/open-apis/bot/v2/hook/x", secret: "feishu-secret" },
  { type: "dingtalk", url: "https://oapi.dingtalk.example/robot/send?access_token=x", secret: "SECding" },
  { type: "wecom", url: "https://qyapi.weixin.example/cgi-bin/webhook/send?key=x" },
  { type: "pagerduty", routing_key: "R0UT1NGKEY" },
  { type: "ntfy", url: "https://ntfy.example/path/alerts", token: "tk_x" },
];

describe("the body for", () => {
  test.each(TABLES)("$type is as it was looked at", async (table) => {
    for (const incident of [splitBrain, resolved(splitBrain)]) {
      const requests = requestsOf(attempt(table, incident)).map(({ url, headers, body }) => ({
        url: url.href,
        headers,
        body: JSON.parse(body) as unknown,
      }));
      const event = incident.status === "resolved" ? "resolved" : "opened";
      await expect(`${JSON.stringify(requests, null, 2)}\n`).toMatchFileSnapshot(
        `./golden/${String(table["type"])}.${event}.json`,
      );
    }
  });

  test("Feishu is signed over nothing, with the timestamp and the secret as the key", () => {
    const [request] = requestsOf(attempt(TABLES[1] ?? {}));
    const { timestamp, sign } = JSON.parse(request?.body ?? "") as { timestamp: string; sign: string };
    expect(timestamp).toBe("1772704830");
    expect(sign).toBe(createHmac("sha256", "1772704830\nfeishu-secret").digest("base64"));
  });

  test("DingTalk is signed in the address, over the timestamp in milliseconds", () => {
    const [request] = requestsOf(attempt(TABLES[2] ?? {}));
    const sign = createHmac("sha256", "SECding").update("1772704830000\nSECding").digest("base64");
    expect(request?.url.searchParams.get("sign")).toBe(sign);
    expect(request?.url.searchParams.get("access_token")).toBe("x");
  });

  test("PagerDuty has one event an incident, also of a group, and ends by the key of the beginning", () => {
    const one = attempt(TABLES[4] ?? {});
    const over = messageOf(resolved({ ...splitBrain, id: "b".repeat(32) }), "resolved", T0, PUBLIC_URL);
    const group = { key: "{}", labels: {}, messages: [one.message, over], stillOpen: [] };
    const events = requestsOf({ ...one, group }).map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(events.map(({ event_action: action, dedup_key: key }) => [action, key])).toEqual([
      ["trigger", splitBrain.id],
      ["resolve", "b".repeat(32)],
    ]);
  });

  test("a chat has no markup that comes from a log line, and no more than it takes", () => {
    const hostile: Incident = {
      ...splitBrain,
      cause: { code: "x", text: "<!channel> [a](http://evil.example) *b* `c` <@U1>" },
    };
    const [slack] = requestsOf(attempt(TABLES[0] ?? {}, hostile));
    expect(slack?.body).not.toMatch(/<!channel>|<@U1>/);
    const [wecom] = requestsOf(attempt(TABLES[3] ?? {}, { ...hostile, summary: "界".repeat(5000) }));
    const { markdown } = JSON.parse(wecom?.body ?? "") as { markdown: { content: string } };
    expect(markdown.content).toContain(String.raw`\[a\](http://evil.example)`);
    expect(Buffer.byteLength(markdown.content)).toBeLessThanOrEqual(4096);
  });
});

describe("a robot's answer", () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());
  const answering = async (status: number, body: string): Promise<string> => {
    server = createServer(
      (request, response) => void request.resume().on("end", () => response.writeHead(status).end(body)),
    );
    await new Promise<void>((done) => server?.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  };
  test.each<[string, string, number, string, string]>([
    ["feishu", "0", 200, '{"code":0,"msg":"success"}', "sent"],
    ["feishu", "a wrong signature", 200, '{"code":19021,"msg":"sign match fail"}', "refused"],
    ["feishu", "too many", 200, '{"code":11232,"msg":"frequency limited"}', "retry"],
    ["dingtalk", "0", 200, '{"errcode":0,"errmsg":"ok"}', "sent"],
    ["dingtalk", "a wrong signature", 200, '{"errcode":310000,"errmsg":"sign not match"}', "refused"],
    ["wecom", "too many", 200, '{"errcode":45009,"errmsg":"api freq out of limit"}', "retry"],
    ["wecom", "a proxy's page", 200, "<html>", "retry"],
    ["slack", "ok", 200, "ok", "sent"],
    ["slack", "no_service", 404, "no_service", "refused"],
    ["ntfy", "429", 429, "{}", "retry"],
  ])("of %s that says %s is understood", async (type, _, status, body, kind) => {
    const url = await answering(status, body);
    expect((await sendRobot(attempt({ type, url }))).kind).toBe(kind);
  });
});

describe("the table of a receiver", () => {
  test.each<[string, Record<string, unknown>, string]>([
    [
      "without what its type needs",
      { type: "pagerduty" },
      "alerts.receivers[0].routing_key is needed by a receiver of type pagerduty",
    ],
    [
      "with what its type has not",
      { type: "slack", url: "https://x.example/", secret: "s" },
      "alerts.receivers[0].secret is no setting of a receiver of type slack",
    ],
    ["of a type that there is not", { type: "pigeon" }, "alerts.receivers[0].type must be one of slack, feishu"],
    ["of ntfy without a topic", { type: "ntfy", url: "https://ntfy.sh/" }, "alerts.receivers[0].url names no topic"],
    [
      "of mail with a password and no encryption",
      { type: "mail", host: "mx", to: ["a@b.example"], from: "k@b.example", user: "k", password: "p" },
      'alerts.receivers[0].tls must be "required" or "implicit"',
    ],
    [
      "of mail with half a login",
      { type: "mail", host: "mx", to: ["a@b.example"], from: "k@b.example", user: "k" },
      "alerts.receivers[0] has only one of user and password",
    ],
    [
      "of mail to something else",
      { type: "mail", host: "mx", to: ["a@b.example", "a b"], from: "k@b.example" },
      "alerts.receivers[0].to has something that is not an address",
    ],
    [
      "with the name of the mails without set-up",
      { type: "slack", url: "https://x.example/", name: "keepalived-mail" },
      "alerts.receivers[0].name is the name of the mails",
    ],
  ])("%s is refused and named", (_, table, sentence) => {
    expect(() => parseAlertConfig({ receivers: [{ name: "r", ...table }] })).toThrow(sentence);
  });
});
