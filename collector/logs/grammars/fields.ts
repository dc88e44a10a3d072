import { normaliseAddress } from "../../core/address.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import type { Check, LineContext, Words } from "../grammar.ts";
import { CHECK_ADDRESS, CHECK_DURATION, CHECK_NUMBER, CHECK_PREFIXED, CHECK_SERVICE, INT_MAX } from "../layout.ts";
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

const numberFrom = (min: number, max: number): Check<number> => ({
  how: CHECK_NUMBER,
  min,
  max,
  example: min,
  read: (text) => {
    const value = Number(text);
    return value >= min && value <= max ? value : undefined;
  },
});

const check = <T>(how: number, example: T, read: (text: string) => T | undefined): Check<T> => ({
  how,
  min: 0,
  max: 0,
  example,
  read,
});

/** @param min, max  within keepalived's own int */
export const between = (words: Words, hole: string, min: number, max: number): number | undefined =>
  words.as(hole, numberFrom(min, max));
export const count = (words: Words, hole: string): number | undefined => between(words, hole, 0, INT_MAX);
export const integer = (words: Words, hole: string): number | undefined => between(words, hole, -INT_MAX, INT_MAX);
export const priority = (words: Words, hole: string): number | undefined => between(words, hole, 0, 255);
export const errno = (words: Words, hole = "errno"): number | undefined => between(words, hole, 0, 4095);

/** Only what is written as an address is one: a wording without it leaves the field out. */
export const address = (words: Words, hole: string): string | undefined => words.as(hole, ADDRESS);

export function addressOf(text: string): string | undefined {
  return /^[0-9a-fA-F:.]{2,45}$/.test(text) ? normaliseAddress(text) : undefined;
}

const ADDRESS = check(CHECK_ADDRESS, "192.0.2.1", addressOf);

/** `10.99.0.100/24`, or the address alone. */
export const prefixed = (words: Words, hole: string): string | undefined => words.as(hole, PREFIXED);

const PREFIXED = check(CHECK_PREFIXED, "192.0.2.1", (written) => {
  const [text = "", length] = written.split("/", 2);
  return length === undefined || /^\d{1,3}$/.test(length) ? addressOf(text) : undefined;
});

/** Seconds, as microseconds. @returns undefined for what is none, or is longer than an int of microseconds */
export const secondsIn = (words: Words, hole: string): number | undefined => words.as(hole, SECONDS);

const SECONDS = check(CHECK_DURATION, 1, (text) => {
  const us = /^\d{1,10}(?:\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * US_PER_SECOND) : undefined;
  return us !== undefined && Number.isSafeInteger(us) ? us : undefined;
});

const FWMARK = /^FWM \d{1,10}$/;
const BRACKETED = /^\[([^[\]]{1,200})\]:(?:([a-z]{1,8}):)?(\d{1,5})$/;
/** 1.2.2: the port stands inside. */
const PORT_INSIDE = /^\[([^[\]]{1,200}):(\d{1,5})\]$/;
const PROTOCOLS: Readonly<Record<string, string>> = { tcp: "", none: "", udp: "/udp", sctp: "/sctp" };

/**
 * A virtual or real server under one name, however a release writes it: `[addr]:port` (1.2.3 to 1.3.9), `[addr]:tcp:port` (1.4.0),
 * `[[addr]:port]` and `[addr:port]` (1.2.2), `[group]:n`, `FWM n`. Before 1.4.0 the protocol is not written, and UDP reads as TCP.
 */
export const service = (words: Words, hole: string): string | undefined => words.as(hole, SERVICE);

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

const SERVICE = check(CHECK_SERVICE, "[192.0.2.1]:80", serviceOf);
