import Type, { type Static, type TUnsafe } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import type { OperatorError } from "../../collector/core/errors.ts";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import { BUILT_IN_RULES, type InhibitRule, SHARED } from "./inhibit.ts";
import { LABELS, type Matcher, parseMatcher } from "./matchers.ts";
import {
  fault,
  type Filter,
  FILTER_FIELDS,
  filterOf,
  httpUrl,
  type ReceiverSettings,
  receiverSettings,
  ReceiverTable,
} from "./receivers.ts";
import { KEEPALIVED_MAIL, type Route } from "./routing.ts";
import { Secret } from "./secret.ts";
import { SEVERITIES, type Severity } from "../detect/incident.ts";

/** Most `[[alerts.webhooks]]` tables. */
export const WEBHOOKS_MAX = 64;
/** Telling the same more often than this helps nobody. */
const REPEAT_SECONDS_MIN = 60;
/** Most `[[alerts.routes]]`, and `[[alerts.inhibit]]` tables. */
const RULES_MAX = 64;
/** Most delays in a retry schedule. */
const RETRIES_MAX = 32;
const WEEK_SECONDS = 7 * 24 * 3600;

/** Standard Webhooks: a symmetric key has 24 to 64 bytes. */
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const SECRET_REMEDY = 'Make one with: echo "whsec_$(openssl rand -base64 32)"';

const oneOf = <const T extends readonly string[]>(values: T): TUnsafe<T[number]> =>
  Type.Unsafe<T[number]>(Type.Enum([...values]));

const WebhookTable = Type.Object(
  {
    ...FILTER_FIELDS,
    url: Type.String({ minLength: 1, maxLength: 2048, description: "http or https" }),
    secret: Type.String({
      maxLength: 128,
      description: "whsec_ and 24 to 64 bytes in base64: the Standard Webhooks signing key",
    }),
  },
  { additionalProperties: false },
);

const Matchers = Type.Array(Type.String({ minLength: 1, maxLength: 1200 }), {
  minItems: 1,
  maxItems: 32,
  description: 'label="value", with =, !=, =~ or !~: all must fit',
});

const InhibitTable = Type.Object(
  {
    source: Matchers,
    target: Matchers,
    same: Type.Optional(oneOf(SHARED)),
    tell_after_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: WEEK_SECONDS })),
    reason: Type.String({ minLength: 1, maxLength: 200, description: "For people, in the delivery log" }),
  },
  { additionalProperties: false },
);

const RouteTable = Type.Object(
  {
    matchers: Type.Optional(Matchers),
    receivers: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
      minItems: 1,
      maxItems: WEBHOOKS_MAX,
      description: `Names of webhooks, or ${KEEPALIVED_MAIL}`,
    }),
    group_by: Type.Optional(Type.Array(oneOf(LABELS), { minItems: 1, maxItems: LABELS.length })),
    group_wait_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 3600 })),
    group_interval_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
    repeat_interval_seconds: Type.Optional(Type.Integer({ minimum: REPEAT_SECONDS_MIN, maximum: 4 * WEEK_SECONDS })),
    continue: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

/** The `[alerts]` table of the server's TOML file, as it is written. {@link parseAlertConfig} makes the settings of it. */
export const AlertConfig = Type.Object(
  {
    /** `warning` when left out. */
    mail_min_severity: Type.Optional(oneOf(SEVERITIES)),
    mail_from_keepalived_conf: Type.Boolean({
      default: true,
      description:
        "Mail incidents to the notification_email addresses of the cluster's own keepalived.conf, through its smtp_server",
    }),
    webhooks: Type.Array(WebhookTable, { default: [], maxItems: WEBHOOKS_MAX }),
    routes: Type.Array(RouteTable, { default: [], maxItems: RULES_MAX }),
    inhibit: Type.Array(InhibitTable, { default: [], maxItems: RULES_MAX }),
    inhibit_built_in: Type.Boolean({ default: true, description: "The rules that keepwatch brings" }),
    inhibit_wait_seconds: Type.Integer({
      // Two masters are told of 1.5 s after the second one; a collector sends once a second.
      default: 5,
      minimum: 0,
      maximum: 300,
      description: "How long what may be inhibited, and is not critical, waits for what may explain it",
    }),
    heartbeat_url: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2048, description: "Posted to for as long as the server is well" }),
    ),
    heartbeat_seconds: Type.Integer({ default: 60, minimum: 10, maximum: 86_400 }),
    mails_per_hour: Type.Integer({
      // One in three minutes: nobody reads more, and mail servers begin to refuse. What is on top comes in a digest.
      default: 20,
      minimum: 1,
      maximum: 1000,
      description: "Most mails to one address in any hour, digests among them",
    }),
    planned_stop_minutes: Type.Integer({
      // A package upgrade and a reboot of a node are done in less.
      default: 30,
      minimum: 0,
      maximum: 10_080,
      description: "How long what follows from a planned stop of keepalived is lowered by one severity; 0: never",
    }),
    max_age_hours: Type.Integer({
      // A node that was cut off delivers hours later, and somebody may still want to know; nobody wants last month's.
      default: 24,
      minimum: 1,
      maximum: 8760,
      description: "What was over so long before it was known is recorded, and not told",
    }),
    receivers: Type.Array(ReceiverTable, { default: [], maxItems: WEBHOOKS_MAX }),
    retry_schedule_seconds: Type.Array(Type.Integer({ minimum: 1, maximum: WEEK_SECONDS }), {
      // The example schedule of the Standard Webhooks specification: ten attempts over 75 hours.
      default: [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
      minItems: 1,
      maxItems: RETRIES_MAX,
      description: "Delay before each attempt after the first",
    }),
    webhook_timeout_seconds: Type.Integer({
      default: 15,
      minimum: 1,
      maximum: 120,
      description: "For a whole request, its answer included",
    }),
    mail_timeout_seconds: Type.Integer({
      default: 60,
      minimum: 1,
      maximum: 600,
      description: "For silence in an SMTP session; connecting has smtp_connect_timeout",
    }),
  },
  { default: {}, additionalProperties: false },
);
export type AlertConfig = Static<typeof AlertConfig>;

export interface WebhookSettings extends Filter {
  readonly url: URL;
  readonly secret: Secret;
}

export interface AlertSettings {
  readonly mailFromKeepalivedConf: boolean;
  readonly mailMinSeverity: Severity;
  readonly webhooks: readonly WebhookSettings[];
  readonly receivers: readonly ReceiverSettings[];
  readonly routes: readonly Route[];
  readonly inhibitRules: readonly InhibitRule[];
  readonly inhibitWaitMs: number;
  readonly plannedStopUs: number;
  readonly maxAgeUs: number;
  readonly mailsPerHour: number;
  readonly heartbeat: { readonly url: URL | undefined; readonly intervalMs: number };
  /** Delay before each attempt after the first, in milliseconds. */
  readonly retryScheduleMs: readonly number[];
  readonly webhookTimeoutMs: number;
  readonly mailTimeoutMs: number;
}

const validator = Compile(AlertConfig);

/**
 * Makes the settings of an `[alerts]` table: defaults first, then the schema, then what no schema can say.
 * @param table  the table as parsed, `undefined` when the file has none
 * @throws {OperatorError} ALERT_CONFIG, which names the field
 */
export function parseAlertConfig(table: unknown = {}): AlertSettings {
  const filled = Value.Default(AlertConfig, Value.Clone(table));
  if (!validator.Check(filled)) throw schemaFault(filled);
  const names = [...filled.webhooks, ...filled.receivers].map(({ name }) => name);
  refuseTwins(names, filled.webhooks.length);
  return {
    mailFromKeepalivedConf: filled.mail_from_keepalived_conf,
    mailMinSeverity: filled.mail_min_severity ?? "warning",
    webhooks: filled.webhooks.map(webhookSettings),
    receivers: filled.receivers.map((table, index) => receiverSettings(table, `alerts.receivers[${index}]`)),
    routes: filled.routes.map((table, index) => route(table, `alerts.routes[${index}]`, [...names, KEEPALIVED_MAIL])),
    inhibitRules: [
      ...filled.inhibit.map((rule, index) => inhibitRule(rule, `alerts.inhibit[${index}]`)),
      ...(filled.inhibit_built_in ? BUILT_IN_RULES : []),
    ],
    inhibitWaitMs: filled.inhibit_wait_seconds * 1000,
    heartbeat: {
      url:
        filled.heartbeat_url === undefined
          ? undefined
          : httpUrl(filled.heartbeat_url, "alerts.heartbeat_url", "Its path may have a token"),
      intervalMs: filled.heartbeat_seconds * 1000,
    },
    maxAgeUs: filled.max_age_hours * 3600 * US_PER_SECOND,
    mailsPerHour: filled.mails_per_hour,
    plannedStopUs: filled.planned_stop_minutes * 60 * US_PER_SECOND,
    retryScheduleMs: filled.retry_schedule_seconds.map((seconds) => seconds * 1000),
    webhookTimeoutMs: filled.webhook_timeout_seconds * 1000,
    mailTimeoutMs: filled.mail_timeout_seconds * 1000,
  };
}

function webhookSettings(table: AlertConfig["webhooks"][number], index: number): WebhookSettings {
  const field = `alerts.webhooks[${index}]`;
  return {
    ...filterOf(table),
    url: httpUrl(table.url, `${field}.url`, "The receiver knows us by the signature"),
    secret: webhookSecret(table.secret, `${field}.secret`),
  };
}

function inhibitRule(table: AlertConfig["inhibit"][number], field: string): InhibitRule {
  const { tell_after_seconds: tellAfter } = table;
  return {
    reason: table.reason,
    source: matchers(table.source, `${field}.source`),
    target: matchers(table.target, `${field}.target`),
    same: table.same ?? "router",
    tellAfterUs: tellAfter === undefined ? undefined : tellAfter * US_PER_SECOND,
  };
}

/** How long the first of a group waits, and how far its messages are apart, unless it is said, seconds. */
const GROUP_WAIT_SECONDS = 10;
const GROUP_INTERVAL_SECONDS = 60;

function route(table: AlertConfig["routes"][number], field: string, names: readonly string[]): Route {
  const stranger = table.receivers.findIndex((name) => !names.includes(name));
  if (stranger >= 0)
    throw fault(
      `${field}.receivers[${stranger}]`,
      `"${table.receivers[stranger]}" is no receiver`,
      `Write one of ${names.join(", ")}`,
    );
  const { group_by: groupBy = [], repeat_interval_seconds: repeat } = table;
  const isGrouped = groupBy.length > 0;
  if (!isGrouped && (table.group_wait_seconds !== undefined || table.group_interval_seconds !== undefined))
    throw fault(field, "has times for groups, but no group_by", 'Add group_by, as in ["cluster", "router"]');
  return {
    matchers: table.matchers === undefined ? [] : matchers(table.matchers, `${field}.matchers`),
    receivers: table.receivers,
    groupBy,
    groupWaitUs: isGrouped ? (table.group_wait_seconds ?? GROUP_WAIT_SECONDS) * US_PER_SECOND : 0,
    groupIntervalUs: isGrouped ? (table.group_interval_seconds ?? GROUP_INTERVAL_SECONDS) * US_PER_SECOND : 0,
    repeatIntervalUs: repeat === undefined ? undefined : repeat * US_PER_SECOND,
    isContinued: table.continue ?? false,
  };
}

function matchers(written: readonly string[], field: string): readonly Matcher[] {
  return written.map((text, index) => {
    const matcher = parseMatcher(text);
    if (typeof matcher === "string")
      throw fault(`${field}[${index}]`, matcher, "Write it as in 'kind=~\"split-brain|no-master\"'");
    return matcher;
  });
}

function webhookSecret(text: string, field: string): Secret {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0)
    throw fault(field, 'is not "whsec_" followed by base64', SECRET_REMEDY);
  const bytes = Buffer.from(encoded, "base64").length;
  if (bytes < SECRET_BYTES_MIN || bytes > SECRET_BYTES_MAX)
    throw fault(field, `holds ${bytes} bytes, not ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX}`, SECRET_REMEDY);
  return new Secret(text);
}

function refuseTwins(names: readonly string[], webhooks: number): void {
  const twin = names.findIndex((name, index) => names.indexOf(name) !== index || name === KEEPALIVED_MAIL);
  if (twin < 0) return;
  const field = twin < webhooks ? `alerts.webhooks[${twin}].name` : `alerts.receivers[${twin - webhooks}].name`;
  throw fault(
    field,
    names[twin] === KEEPALIVED_MAIL ? "is the name of the mails that need no set-up" : `repeats "${names[twin]}"`,
    "Give each webhook and receiver a name of its own: deliveries are told apart by it",
  );
}

function schemaFault(value: unknown): OperatorError {
  const errors = validator.Errors(value);
  const unknownKey = errors.find(({ keyword }) => keyword === "additionalProperties");
  if (unknownKey) {
    const [key] = (unknownKey.params as { additionalProperties?: readonly string[] }).additionalProperties ?? [];
    return fault(
      fieldOf(`${unknownKey.instancePath}/${key ?? ""}`),
      "is not a setting",
      "Check its spelling against the documentation",
    );
  }
  const first = errors[0];
  const allowed = (first?.params as { allowedValues?: readonly unknown[] } | undefined)?.allowedValues;
  return fault(
    fieldOf(first?.instancePath ?? ""),
    allowed ? `must be one of ${allowed.join(", ")}` : (first?.message ?? "is not valid"),
  );
}

/** `/webhooks/0/url` as TOML people write it: `alerts.webhooks[0].url`. */
function fieldOf(pointer: string): string {
  return `alerts${pointer.replaceAll(/\/(\d+)(?=\/|$)/g, "[$1]").replaceAll("/", ".")}`;
}
