import { normaliseAddress } from "../../core/address.ts";
import type { LineContext, Words } from "../grammar.ts";
import { cut } from "../text.ts";

/** What the holes of a template hold, checked: a log line is hostile input. Everything here answers undefined to nonsense. */

export const NAME_MAX = 255;
export const MESSAGE_MAX = 1024;

export const name = (words: Words, hole: string): string => cut(words.text(hole), NAME_MAX);
export const instanceOf = ({ instance }: LineContext): string => cut(instance ?? "", NAME_MAX);

/** The fields that are known; the event contract has no field that is undefined. */
export function known<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

export function between(words: Words, hole: string, min: number, max: number): number | undefined {
  const value = words.number(hole);
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

export const count = (words: Words, hole: string): number | undefined =>
  between(words, hole, 0, Number.MAX_SAFE_INTEGER);
export const priority = (words: Words, hole: string): number | undefined => between(words, hole, 0, 255);
export const errno = (words: Words, hole = "errno"): number | undefined => between(words, hole, 0, 4095);

/** Only what is written as an address is one: a wording without it leaves the field out. */
export function address(words: Words, hole: string): string | undefined {
  return addressOf(words.text(hole));
}

export function addressOf(text: string): string | undefined {
  return /^[0-9a-fA-F:.]{2,45}$/.test(text) ? normaliseAddress(text) : undefined;
}

/** `10.99.0.100/24`, or the address alone. */
export function prefixed(words: Words, hole: string): string | undefined {
  const [text = "", length] = words.text(hole).split("/", 2);
  return length === undefined || /^\d{1,3}$/.test(length) ? addressOf(text) : undefined;
}

const FWMARK = /^FWM \d{1,10}$/;
const BRACKETED = /^\[([^[\]]{1,200})\]:(?:([a-z]{1,8}):)?(\d{1,5})$/;
/** 1.2.2: the port stands inside. */
const PORT_INSIDE = /^\[([^[\]]{1,200}):(\d{1,5})\]$/;
const PROTOCOLS: Readonly<Record<string, string>> = { tcp: "", none: "", udp: "/udp", sctp: "/sctp" };

/**
 * A virtual or real server under one name, however a release writes it: `[addr]:port` (1.2.3 to 1.3.9), `[addr]:tcp:port` (1.4.0),
 * `[[addr]:port]` and `[addr:port]` (1.2.2), `[group]:n`, `FWM n`. Before 1.4.0 the protocol is not written, and UDP reads as TCP.
 */
export function service(words: Words, hole: string): string | undefined {
  return serviceOf(words.text(hole));
}

export function serviceOf(text: string): string | undefined {
  if (FWMARK.test(text)) return text;
  const inner = text.startsWith("[[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const inside = PORT_INSIDE.exec(inner);
  const outside = inside ? undefined : BRACKETED.exec(inner);
  const [host = "", port = "", protocol = "tcp"] = inside
    ? [inside[1], inside[2]]
    : [outside?.[1], outside?.[3], outside?.[2]];
  const suffix = PROTOCOLS[protocol];
  if (host === "" || suffix === undefined || Number(port) > 65_535) return undefined;
  return `[${addressOf(host) ?? host}]:${Number(port)}${suffix}`;
}
