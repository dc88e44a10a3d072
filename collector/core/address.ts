import ipaddr from "ipaddr.js";

/** IPv4 as dotted decimal, IPv6 in RFC 5952 form. @param bytes 4 or 16 of them */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const address = ipaddr.fromByteArray([...bytes]);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** The one way an address is written everywhere, so that two spellings of one address are equal. Undefined when it is none. */
export function normaliseAddress(text: string): string | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text) && !text.includes(":")) return undefined;
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}
