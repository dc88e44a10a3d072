import { BlockList, isIP } from "node:net";
import type { Identity } from "../../collector/events/observation.ts";

/** As which node is kept what another program forwards. */
export interface NodeName {
  /** The host that the message names. */
  readonly called?: string;
  /** Address, or network in CIDR notation, of who sends it. */
  readonly from?: string;
  readonly node: string;
  readonly cluster?: string;
}

/** Names that say nothing of which host it is. */
const NO_NAME = /^(?:localhost(?:\.localdomain)?|127\.0\.0\.1|::1|-|)$/i;

/** Whether a name says which host it is. */
export const namesAHost = (name: string): boolean => !NO_NAME.test(name);

/** @param own  name of this machine: of what it sends to itself without a name */
export function nameReader(
  names: readonly NodeName[],
  cluster: string,
  own: string,
): (called: string | undefined, address: string) => Identity {
  const rules = names.map((rule) => ({
    rule,
    called: rule.called?.toLowerCase(),
    from: rule.from === undefined ? undefined : networksOf([rule.from]),
  }));
  return (called, address) => {
    const plain = plainAddress(address);
    const rule = rules.find(
      (one) =>
        (one.called === undefined || one.called === called?.toLowerCase()) &&
        (one.from === undefined || isWithin(one.from, plain)),
    )?.rule;
    const named = called !== undefined && namesAHost(called) ? called : undefined;
    return {
      cluster: rule?.cluster ?? cluster,
      node: rule?.node ?? named ?? (namesAHost(plain) ? plain : own),
    };
  };
}

/** An IPv4 address that came to an IPv6 socket is one. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");

/** @returns why it is neither an address nor a network; undefined when it is one */
export function networkFault(text: string): string | undefined {
  const [address = "", length] = text.split("/");
  const family = isIP(address);
  if (family === 0) return `${JSON.stringify(text)} is neither an address nor a network such as 192.0.2.0/24`;
  if (length === undefined) return undefined;
  const bits = family === 4 ? 32 : 128;
  return /^\d{1,3}$/.test(length) && Number(length) <= bits
    ? undefined
    : `${JSON.stringify(text)}: the length of the prefix is 0 to ${bits}`;
}

export function networksOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = "", length] = text.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (length === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(length), family);
  }
  return list;
}

export function isWithin(list: BlockList, address: string): boolean {
  const plain = plainAddress(address);
  return list.check(plain, isIP(plain) === 6 ? "ipv6" : "ipv4");
}
