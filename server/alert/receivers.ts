import Type, { type Static, type TUnsafe } from "typebox";
import { OperatorError } from "../../collector/core/errors.ts";
import { INCIDENT_KINDS, type IncidentKind, SEVERITIES, type Severity } from "../detect/incident.ts";
import { type MailReceiver, mailReceiver } from "./notifiers/mail.ts";
import { Secret } from "./secret.ts";

/** The kinds of `[[alerts.receivers]]`, and the fields that each needs and may have besides. */
const KINDS = {
  slack: { needs: ["url"], may: [] },
  feishu: { needs: ["url"], may: ["secret"] },
  dingtalk: { needs: ["url"], may: ["secret"] },
  wecom: { needs: ["url"], may: [] },
  pagerduty: { needs: ["routing_key"], may: ["url"] },
  ntfy: { needs: ["url"], may: ["token"] },
  alertmanager: { needs: ["url"], may: ["token", "heartbeat"] },
  mail: { needs: ["host", "to", "from"], may: ["port", "tls", "user", "password"] },
} as const satisfies Record<string, { readonly needs: readonly Field[]; readonly may: readonly Field[] }>;
type Field =
  | "url"
  | "secret"
  | "token"
  | "routing_key"
  | "heartbeat"
  | "host"
  | "port"
  | "to"
  | "from"
  | "tls"
  | "user"
  | "password";
export type ReceiverType = keyof typeof KINDS;
export const RECEIVER_TYPES = Object.keys(KINDS) as ReceiverType[];

const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue";
/** RFC 6409: where mail is handed in, with a name and a password. */
const SUBMISSION_PORT = 587;
const CONNECT_SECONDS = 30;

const oneOf = <const T extends readonly string[]>(values: T): TUnsafe<T[number]> =>
  Type.Unsafe<T[number]>(Type.Enum([...values]));
const Text = Type.Optional(Type.String({ minLength: 1, maxLength: 2048 }));

/** What all receivers have: a name, and what they want to hear. */
export const FILTER_FIELDS = {
  name: Type.String({
    minLength: 1,
    maxLength: 64,
    pattern: "^[A-Za-z0-9._-]+$",
    description: "Names the receiver in payloads, deliveries and logs",
  }),
  clusters: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
      minItems: 1,
      maxItems: 256,
      description: "Only these clusters; all when left out",
    }),
  ),
  kinds: Type.Optional(
    Type.Array(oneOf(INCIDENT_KINDS), { minItems: 1, description: "Only these kinds of incident; all when left out" }),
  ),
  min_severity: Type.Optional(oneOf(SEVERITIES)),
};

export const ReceiverTable = Type.Object(
  {
    ...FILTER_FIELDS,
    type: oneOf(RECEIVER_TYPES),
    url: Text,
    secret: Text,
    token: Text,
    routing_key: Text,
    heartbeat: Type.Optional(Type.Boolean()),
    host: Text,
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    to: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 320 }), { minItems: 1, maxItems: 64 })),
    from: Text,
    tls: Type.Optional(oneOf(["opportunistic", "required", "implicit"])),
    user: Text,
    password: Text,
  },
  { additionalProperties: false },
);
type ReceiverTable = Static<typeof ReceiverTable>;

export interface Filter {
  readonly name: string;
  /** undefined: all. */
  readonly clusters: readonly string[] | undefined;
  readonly kinds: readonly IncidentKind[] | undefined;
  readonly minSeverity: Severity;
}

export type ReceiverSettings = Filter &
  (
    | {
        readonly type: Exclude<ReceiverType, "mail" | "alertmanager">;
        readonly url: URL;
        /** The signing secret, the token or the routing key, as the kind has one. */
        readonly key: Secret | undefined;
      }
    | {
        readonly type: "alertmanager";
        readonly url: URL;
        readonly key: Secret | undefined;
        /** An alert that always fires: when it does not, keepwatch is dead. */
        readonly heartbeat: boolean;
      }
    | { readonly type: "mail"; readonly mail: MailReceiver }
  );

export function filterOf(table: Pick<ReceiverTable, "name" | "clusters" | "kinds" | "min_severity">): Filter {
  return {
    name: table.name,
    clusters: table.clusters,
    kinds: table.kinds,
    minSeverity: table.min_severity ?? "info",
  };
}

/** @throws {OperatorError} ALERT_CONFIG, which names the field */
export function receiverSettings(table: ReceiverTable, field: string): ReceiverSettings {
  const { needs, may }: { readonly needs: readonly Field[]; readonly may: readonly Field[] } = KINDS[table.type];
  const missing = needs.find((name) => table[name] === undefined);
  if (missing) throw fault(`${field}.${missing}`, `is needed by a receiver of type ${table.type}`);
  const all: readonly Field[] = [
    "url",
    "secret",
    "token",
    "routing_key",
    "heartbeat",
    "host",
    "port",
    "to",
    "from",
    "tls",
    "user",
    "password",
  ];
  const stray = all.find((name) => table[name] !== undefined && !needs.includes(name) && !may.includes(name));
  if (stray)
    throw fault(
      `${field}.${stray}`,
      `is no setting of a receiver of type ${table.type}`,
      `It has ${[...needs, ...may].join(", ")}`,
    );
  const filter = filterOf(table);
  if (table.type === "mail") return { ...filter, type: "mail", mail: configuredMail(table, field) };
  const written = table.secret ?? table.token ?? table.routing_key;
  const key = written === undefined ? undefined : new Secret(written);
  const url = httpUrl(table.url ?? PAGERDUTY_URL, `${field}.url`, "Write tokens as the receiver's own setting");
  if (table.type === "ntfy" && !/^\/.*[^/]$/.test(url.pathname))
    throw fault(`${field}.url`, "names no topic", "Write it as in https://ntfy.sh/my-topic");
  if (table.type === "alertmanager")
    return { ...filter, type: "alertmanager", url, key, heartbeat: table.heartbeat ?? false };
  return { ...filter, type: table.type, url, key };
}

function configuredMail(table: ReceiverTable, field: string): MailReceiver {
  const { host, to = [], from, port = SUBMISSION_PORT, tls = "opportunistic", user, password } = table;
  const made = mailReceiver({
    to,
    ...(from === undefined ? {} : { from }),
    ...(host === undefined ? {} : { host }),
    port,
    connectTimeoutSeconds: CONNECT_SECONDS,
  });
  if (typeof made === "string")
    throw fault(
      field,
      `cannot be mailed to: ${made}`.replace("notification_email", "to").replace("smtp_server", "host"),
    );
  if (made.from === undefined) throw fault(`${field}.from`, "is not an address");
  if (made.to.length !== new Set(to).size) throw fault(`${field}.to`, "has something that is not an address");
  if ((user === undefined) !== (password === undefined)) throw fault(field, "has only one of user and password");
  if (user === undefined || password === undefined) return { ...made, tls };
  if (tls === "opportunistic")
    throw fault(
      `${field}.tls`,
      'must be "required" or "implicit" where there is a password',
      "It would go over the wire as it is",
    );
  return { ...made, tls, login: { user, password: new Secret(password) } };
}

/** @throws {OperatorError} ALERT_CONFIG */
export function httpUrl(text: string, field: string, whereElse: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw fault(
      field,
      "is not an http or https URL",
      "Write it with its scheme, as in https://alerts.example.org/hook",
    );
  if (url.username || url.password)
    throw fault(field, "has a user name or password in it", `Leave them out. ${whereElse}`);
  return url;
}

export function fault(field: string, what: string, remedy?: string): OperatorError {
  return new OperatorError("ALERT_CONFIG", `${field} ${what}`, remedy === undefined ? {} : { remedy });
}
