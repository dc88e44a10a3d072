import { inspect } from "node:util";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { OperatorError } from "../../../collector/core/errors.ts";
import { parseAlertConfig, WEBHOOKS_MAX } from "../../../server/alert/config.ts";
import { SECRET } from "./support.ts";

const alertsIn = (toml: string): unknown => parse(toml)["alerts"];
const hook = (fields: Record<string, unknown>) => ({
  webhooks: [{ name: "ops", url: "https://x.example/", secret: SECRET, ...fields }],
});

describe("the alerts table", () => {
  test("without one, incidents are mailed as keepalived.conf says and retried for three days", () => {
    const settings = parseAlertConfig(undefined);
    expect(settings.mailFromKeepalivedConf).toBe(true);
    expect(settings.webhooks).toEqual([]);
    expect(settings.retryScheduleMs.reduce((sum, delay) => sum + delay, 0)).toBe(272_105_000);
  });

  test("a webhook is read from TOML", () => {
    const { webhooks, mailFromKeepalivedConf } = parseAlertConfig(
      alertsIn(`
        [alerts]
        mail_from_keepalived_conf = false
        [[alerts.webhooks]]
        name = "ops"
        url = "https://alerts.example.org/hook"
        secret = "${SECRET}"
        clusters = ["edge"]
        kinds = ["split-brain"]
        min_severity = "warning"
      `),
    );
    expect(mailFromKeepalivedConf).toBe(false);
    expect(webhooks[0]).toMatchObject({
      name: "ops",
      clusters: ["edge"],
      kinds: ["split-brain"],
      minSeverity: "warning",
    });
    expect(webhooks[0]?.secret.reveal()).toBe(SECRET);
  });

  test("a secret prints nowhere", () => {
    const settings = parseAlertConfig(hook({}));
    for (const printed of [
      JSON.stringify(settings),
      inspect(settings, { depth: 9 }),
      String(settings.webhooks[0]?.secret),
    ]) {
      expect(printed).toContain("<redacted>");
      expect(printed).not.toContain(SECRET.slice(6, 20));
    }
  });

  test("the table that was handed in is left as it was", () => {
    const table = Object.freeze({});
    parseAlertConfig(table);
    expect(table).toEqual({});
  });

  const valid = { name: "ops", url: "https://x.example/", secret: SECRET };
  test.each([
    ["a key that is no setting", { mail: true }, "alerts.mail is not a setting"],
    ["a misspelt key of a webhook", hook({ secrets: "x" }), "alerts.webhooks[0].secrets is not a setting"],
    [
      "a value of the wrong type",
      { mail_from_keepalived_conf: "yes" },
      "alerts.mail_from_keepalived_conf must be boolean",
    ],
    [
      "a URL without a scheme",
      hook({ url: "alerts.example.org" }),
      "alerts.webhooks[0].url is not an http or https URL",
    ],
    ["a file URL", hook({ url: "file:///etc/passwd" }), "alerts.webhooks[0].url is not an http or https URL"],
    [
      "a URL with a password",
      hook({ url: "https://a:b@x.example/" }),
      "alerts.webhooks[0].url has a user name or password",
    ],
    ["a secret without its prefix", hook({ secret: "c2VjcmV0" }), 'alerts.webhooks[0].secret is not "whsec_" followed'],
    [
      "a secret that is not base64",
      hook({ secret: "whsec_???" }),
      'alerts.webhooks[0].secret is not "whsec_" followed',
    ],
    ["a short secret", hook({ secret: "whsec_c2VjcmV0" }), "alerts.webhooks[0].secret holds 6 bytes, not 24 to 64"],
    ["an unknown kind", hook({ kinds: ["earthquake"] }), "alerts.webhooks[0].kinds[0] must be one of split-brain"],
    ["an unknown severity", hook({ min_severity: "page" }), "alerts.webhooks[0].min_severity must be one of info"],
    ["a name with a blank", hook({ name: "the ops" }), "alerts.webhooks[0].name must match"],
    ["two webhooks of one name", { webhooks: [valid, valid] }, 'alerts.webhooks[1].name repeats "ops"'],
    [
      "too many webhooks",
      { webhooks: Array.from({ length: WEBHOOKS_MAX + 1 }, () => valid) },
      "alerts.webhooks must not have more",
    ],
    ["an empty schedule", { retry_schedule_seconds: [] }, "alerts.retry_schedule_seconds must not have fewer"],
    ["a delay of nothing", { retry_schedule_seconds: [0] }, "alerts.retry_schedule_seconds[0] must be"],
    [
      "a route to nobody known",
      { routes: [{ receivers: ["ops"] }] },
      'alerts.routes[0].receivers[0] "ops" is no receiver',
    ],
    [
      "times of a group that is none",
      { ...hook({}), routes: [{ receivers: ["ops"], group_wait_seconds: 5 }] },
      "alerts.routes[0] has times for groups, but no group_by",
    ],
    [
      "a group by what incidents do not have",
      { ...hook({}), routes: [{ receivers: ["ops"], group_by: ["colour"] }] },
      "alerts.routes[0].group_by[0] must be one of cluster, kind",
    ],
    [
      "a repetition each second",
      { ...hook({}), routes: [{ receivers: ["ops"], repeat_interval_seconds: 1 }] },
      "alerts.routes[0].repeat_interval_seconds must be",
    ],
    ["a rule without a reason", { inhibit: [{ source: ["kind=a"], target: ["kind=b"] }] }, "alerts.inhibit[0]"],
    [
      "a matcher of a label that there is not",
      { inhibit: [{ source: ["color=red"], target: ["kind=b"], reason: "r" }] },
      'alerts.inhibit[0].source[0] asks for the label "color"',
    ],
    [
      "a pattern that is none",
      { inhibit: [{ source: ["kind=a"], target: ["kind=b", 'node=~"("'], reason: "r" }] },
      "alerts.inhibit[0].target[1] has a pattern that RE2 does not read: missing closing )",
    ],
    [
      "two incidents that are to share something unknown",
      { inhibit: [{ source: ["kind=a"], target: ["kind=b"], reason: "r", same: "rack" }] },
      "alerts.inhibit[0].same must be one of router, node, service, cluster",
    ],
    ["no table at all", 7, "alerts must be object"],
  ])("%s is refused and named", (_, table, sentence) => {
    const refuse = () => parseAlertConfig(table);
    expect(refuse).toThrow(OperatorError);
    expect(refuse).toThrow(sentence);
    expect(refuse).not.toThrow(SECRET);
  });
});
