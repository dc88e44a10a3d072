import { normaliseAddress } from "../../core/address.ts";
import { US_PER_SECOND } from "../../core/time.ts";
import type { Family } from "../../events/event.ts";
import type { ConfNode } from "../parser.ts";

/** How values are read out of a block, as keepalived does: the last valid one counts. */

export function blocks(nodes: readonly ConfNode[], ...keywords: readonly string[]): ConfNode[] {
  return nodes.filter((node) => keywords.includes(node.keyword.text));
}

/** The last line with one of these keywords. */
export function last(nodes: readonly ConfNode[], ...keywords: readonly string[]): ConfNode | undefined {
  return nodes.findLast((node) => keywords.includes(node.keyword.text));
}

export function valueOf(nodes: readonly ConfNode[], ...keywords: readonly string[]): string | undefined {
  return last(nodes, ...keywords)?.values[0]?.text;
}

/** The last line whose first value can be read: an invalid one leaves what was before. */
export function lastValid<T>(
  nodes: readonly ConfNode[],
  keywords: readonly string[],
  parse: (text: string) => T | undefined,
): { readonly node: ConfNode; readonly value: T } | undefined {
  for (const node of nodes.toReversed()) {
    if (!keywords.includes(node.keyword.text)) continue;
    const value = parse(node.values[0]?.text ?? "");
    if (value !== undefined) return { node, value };
  }
  return undefined;
}

export function readValue<T>(
  nodes: readonly ConfNode[],
  keyword: string,
  parse: (text: string) => T | undefined,
): T | undefined {
  return lastValid(nodes, [keyword], parse)?.value;
}

/** A flag: the keyword alone, or with a boolean that is not false. */
export function flag(nodes: readonly ConfNode[], keyword: string): boolean | undefined {
  return readValue(nodes, keyword, (text) => (text === "" ? true : boolean(text)));
}

export function boolean(text: string): boolean | undefined {
  if (["on", "true", "yes"].includes(text)) return true;
  return ["off", "false", "no"].includes(text) ? false : undefined;
}

/** Lines of a list block. */
export function entriesOf(nodes: readonly ConfNode[], ...keywords: readonly string[]): ConfNode[] {
  return blocks(nodes, ...keywords).flatMap(({ children }) => children ?? []);
}

export function wordsOf({ keyword, values }: ConfNode): string[] {
  return [keyword.text, ...values.map(({ text }) => text)];
}

export const integer =
  (min: number, max: number) =>
  (text: string): number | undefined => {
    if (!/^-?\d{1,10}$/.test(text)) return undefined;
    const value = Number(text);
    return value >= min && value <= max ? value : undefined;
  };

/** Seconds with fractions, as microseconds. */
export const microseconds =
  (minSeconds: number, maxSeconds: number) =>
  (text: string): number | undefined => {
    if (!/^\d{1,10}(\.\d{0,9})?$/.test(text)) return undefined;
    const us = Math.round(Number(text) * US_PER_SECOND);
    return us >= minSeconds * US_PER_SECOND && us <= maxSeconds * US_PER_SECOND ? us : undefined;
  };

/** `ADDR/LEN`; without a length, that of a host. @returns undefined when it is no address */
export function prefixed(
  text: string,
):
  | { address: string; family: Family; prefixLength: number; isPrefixGiven: boolean; isPrefixValid: boolean }
  | undefined {
  const slash = text.indexOf("/");
  const address = normaliseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const family: Family = familyOf(address);
  const bits = family === "ipv6" ? 128 : 32;
  const prefixLength = slash < 0 ? undefined : integer(0, bits)(text.slice(slash + 1));
  return {
    address,
    family,
    prefixLength: prefixLength ?? bits,
    isPrefixGiven: slash >= 0,
    isPrefixValid: slash < 0 || prefixLength !== undefined,
  };
}

export function familyOf(address: string): Family {
  return address.includes(":") ? "ipv6" : "ipv4";
}

export function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}

export function isMulticast(text: string): boolean {
  const address = normaliseAddress(text);
  if (address === undefined) return false;
  return address.includes(":") ? address.startsWith("ff") : /^(22[4-9]|23\d)\./.test(address);
}
