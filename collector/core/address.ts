import { createRequire } from "node:module";
import type * as Ipaddr from "ipaddr.js";

/** Not imported: Node looks through the whole of an imported CommonJS file for its exports, which takes longer than to run it. */
const ipaddr = createRequire(import.meta.url)("ipaddr.js") as typeof Ipaddr;

/** IPv4 as dotted decimal, IPv6 in RFC 5952 form. @param bytes 4 or 16 of them */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const address = ipaddr.fromByteArray([...bytes]);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** An IPv4 address that is written in the one way. */
const PLAIN = /^(?:(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(?:\.(?!$)|$)){4}$/;

/** The one way an address is written everywhere, so that two spellings of one address are equal. Undefined when it is none. */
export function normaliseAddress(text: string): string | undefined {
  if (PLAIN.test(text)) return text;
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text) && !text.includes(":")) return undefined;
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** Numeric order within a family, as VRRP compares the sources of equal priorities (RFC 9568 section 6.4.3); 0 when the families differ or a text is no address. */
export function compareAddresses(a: string, b: string): number {
  if (!ipaddr.isValid(a) || !ipaddr.isValid(b)) return 0;
  const [x, y] = [ipaddr.parse(a).toByteArray(), ipaddr.parse(b).toByteArray()];
  if (x.length !== y.length) return 0;
  const at = x.findIndex((byte, i) => byte !== y[i]);
  return at < 0 ? 0 : (x[at] ?? 0) - (y[at] ?? 0);
}

/** 4 or 16 bytes, in network order; undefined when the text is no address. */
export function addressBytes(text: string): Uint8Array | undefined {
  return normaliseAddress(text) === undefined ? undefined : Uint8Array.from(ipaddr.parse(text).toByteArray());
}
