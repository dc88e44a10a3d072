import { US_PER_SECOND } from "../core/time.ts";
import { DETAILS, type DetailField, type Details } from "../events/details.ts";
import { EVENT_KINDS, type EventBody } from "../events/event.ts";
import type { Daemon, Family } from "../events/vocabulary.ts";
import type { LineContext, LineGrammar } from "./grammar.ts";
import { addressOf, serviceOf } from "./grammars/fields.ts";
import { cut } from "./text.ts";

/**
 * Fields that are filled by what a template's hole is called, without a word of the row. A kind of event takes those that its
 * schema has from DETAILS; what a hole holds that cannot be such a thing is left out, as the line itself is kept.
 */

type Read<Field extends DetailField> = (text: string) => Details[Field] | undefined;
type Reader = { [Field in DetailField]: { readonly field: Field; readonly read: Read<Field> } }[DetailField];

const upTo =
  (max: number) =>
  (text: string): string | undefined =>
    cut(text.trim(), max) || undefined;
const name = upTo(255);

/** A whole number within bounds. */
const whole =
  (min: number, max: number) =>
  (text: string): number | undefined => {
    const value = /^[-+]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  };
const size = whole(0, Number.MAX_SAFE_INTEGER);
const integer = whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

const number = (text: string): number | undefined =>
  /^[-+]?\d{1,16}(?:\.\d{1,9})?$/.test(text) ? Number(text) : undefined;

/** Seconds, with or without a fraction, as microseconds. */
function seconds(text: string): number | undefined {
  const us = Math.round((number(text) ?? -1) * US_PER_SECOND);
  return us >= 0 && Number.isSafeInteger(us) ? us : undefined;
}

/** `10.99.0.100`, `10.99.0.100/24`, and what keepalived writes behind it: `10.99.0.100/24 dev eth0 scope global`. */
const address = (text: string): string | undefined => addressOf(/^[^/\s]*/.exec(text)?.[0] ?? "");

const DAEMON_NAMES: readonly (readonly [RegExp, Daemon])[] = [
  [/vrrp/i, "vrrp"],
  [/health|check/i, "checker"],
  [/bfd/i, "bfd"],
];

/** `VRRP`, `Healthcheck`, `checker`, `Keepalived_bfd`, as the parent calls its children. */
export function daemonNamed(text: string): Daemon | undefined {
  return DAEMON_NAMES.find(([pattern]) => pattern.test(text))?.[1];
}

/** What is left of `IPv4`, `IPv6`, `IP` and `IPV6` behind their `IP`, or `IPv`. */
const FAMILY_NUMBERS: Readonly<Record<string, Family>> = {
  "": "ipv4",
  "4": "ipv4",
  "6": "ipv6",
  V6: "ipv6",
  v6: "ipv6",
};

const READERS: { readonly [Field in DetailField]-?: Read<Field> } = {
  instance: name,
  otherInstance: name,
  group: name,
  interface: name,
  vrid: whole(1, 255),
  family: (text) => FAMILY_NUMBERS[text],
  address,
  otherAddress: address,
  bfd: name,
  process: name,
  trackFile: name,
  virtualServer: serviceOf,
  realServer: serviceOf,
  service: serviceOf,
  script: upTo(1024),
  daemon: daemonNamed,
  childPid: size,
  user: name,
  userGroup: name,
  uid: whole(0, 0xffff_ffff),
  gid: whole(0, 0xffff_ffff),
  keyword: upTo(255),
  value: upTo(1024),
  expected: upTo(255),
  used: upTo(1024),
  minimum: number,
  maximum: number,
  weight: integer,
  priority: whole(0, 255),
  count: integer,
  length: size,
  offset: size,
  excluded: (text) => /^e/i.test(text),
  path: upTo(4096),
  url: upTo(1024),
  errno: whole(0, 4095),
  error: upTo(255),
  cause: upTo(255),
  effect: upTo(255),
  action: upTo(64),
  state: upTo(64),
  from: upTo(255),
  to: upTo(255),
  signal: whole(1, 64),
  exitStatus: integer,
  fd: integer,
  command: upTo(64),
  delayUs: size,
  userUs: size,
  systemUs: size,
  childrenUserUs: size,
  childrenSystemUs: size,
  version: upTo(255),
  system: upTo(255),
  status: integer,
  sequence: integer,
  portId: whole(0, 0xffff_ffff),
};

/** By the name of a hole: the field it fills. Most have the field's own name. */
const BY_HOLE: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ...(Object.keys(READERS) as DetailField[]).map(
    (field) => [field, { field, read: READERS[field] } as Reader] as const,
  ),
  ["pid", { field: "childPid", read: size }],
  ["pathBelowRoot", { field: "path", read: (text) => upTo(4096)(`/${text}`) }],
  ["delaySeconds", { field: "delayUs", read: seconds }],
  ["userSeconds", { field: "userUs", read: seconds }],
  ["systemSeconds", { field: "systemUs", read: seconds }],
  ["childrenUserSeconds", { field: "childrenUserUs", read: seconds }],
  ["childrenSystemSeconds", { field: "childrenSystemUs", read: seconds }],
]);

/** A hole that fills a field: its number among the template's, and what it fills. */
export interface DetailHole {
  readonly hole: number;
  readonly reader: Reader;
}

/** @param names  what the holes of a template are called */
export const detailHoles = (names: readonly string[]): readonly DetailHole[] =>
  names.flatMap((named, hole) => {
    const reader = BY_HOLE.get(named);
    return reader ? [{ hole, reader }] : [];
  });

/** Whether events of a kind have a field, as it is in DETAILS: a field of the same name with a meaning of its own is its row's. */
const takes = (kind: EventBody["kind"], field: DetailField): boolean =>
  (EVENT_KINDS[kind] as Partial<typeof DETAILS>)[field] === DETAILS[field];

/**
 * An event with what the holes hold that its row has not looked at, what the row says besides, and what stands in front.
 * @param heldBy  what a hole holds: only asked of those that fill a field
 */
export function withDetails(
  body: EventBody,
  holes: readonly DetailHole[],
  heldBy: (hole: number) => string,
  { named = "instance", says }: Pick<LineGrammar, "named" | "says">,
  { instance, message }: LineContext,
): EventBody {
  if (holes.length === 0 && says === undefined && instance === undefined) return body;
  let found: Record<string, unknown> | undefined;
  const isOpen = (field: DetailField): boolean =>
    found?.[field] === undefined && !(field in body) && takes(body.kind, field);
  const add = (field: DetailField, value: unknown): void => {
    if (value === undefined) return;
    found ??= {};
    found[field] = value;
  };
  for (const { hole, reader } of holes) if (isOpen(reader.field)) add(reader.field, reader.read(heldBy(hole)));
  if (says !== undefined)
    for (const [field, value] of Object.entries(says(message)) as [DetailField, unknown][])
      if (isOpen(field)) add(field, value);
  if (instance !== undefined) {
    const field = typeof named === "string" ? named : named(message);
    if (isOpen(field)) add(field, name(instance));
  }
  // Each is read for the schema its kind has it from.
  return found === undefined ? body : ({ ...body, ...found } as EventBody);
}
