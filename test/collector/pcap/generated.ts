import { bytesOf, ethernet, internetChecksum, ipv4, ipv6, pseudoHeader, vrrpPdu } from "../vrrp/packets.ts";

/** Adverts of every kind there is, in frames of every kind there is. */

export const LINKS = [
  "ethernet",
  "vlan",
  "qinq",
  "sll",
  "sll2",
  "raw",
  "raw-openbsd",
  "ipv4-or-ipv6",
  "null",
  "loop",
] as const;
export type LinkName = (typeof LINKS)[number];
export const AUTHS = ["none", "pass", "ah", "hmac"] as const;

export interface Shape {
  readonly version: 2 | 3;
  readonly family: "ipv4" | "ipv6";
  readonly cast: "multicast" | "unicast";
  readonly auth: (typeof AUTHS)[number];
  /** Whether its frame comes from the virtual router's own hardware address. */
  readonly vmac: boolean;
  readonly vrid: number;
  readonly priority: number;
  readonly vips: number;
  /** As the field holds it: seconds in version 2, centiseconds in version 3. */
  readonly interval: number;
  readonly ttl: number;
  readonly outgoing: boolean;
}

/** LINKTYPE_ values. */
export const linkTypeOf = (link: LinkName, family: Shape["family"]): number =>
  ({
    ethernet: 1,
    vlan: 1,
    qinq: 1,
    sll: 113,
    sll2: 276,
    raw: 101,
    "raw-openbsd": 14,
    "ipv4-or-ipv6": family === "ipv4" ? 228 : 229,
    null: 0,
    loop: 108,
  })[link];

/** What keepalived cannot send: AH is IPv4's and version 2's, a password version 2's, auth_hmac excludes both. */
export const isPossible = ({ version, family, auth }: Pick<Shape, "version" | "family" | "auth">): boolean =>
  (auth !== "ah" && auth !== "pass") || (version === 2 && family === "ipv4");

export function ipPacketOf(shape: Shape): Buffer {
  const { family, cast, auth, vrid, ttl } = shape;
  const isIpv4 = family === "ipv4";
  const source = isIpv4 ? `10.99.0.${vrid % 100}` : `fe80::${vrid.toString(16)}`;
  const group = isIpv4 ? "224.0.0.18" : "ff02::12";
  const destination = cast === "multicast" ? group : isIpv4 ? "10.99.0.200" : "fe80::c8";
  const payload = payloadOf(shape, source, destination);
  const protocol = auth === "ah" ? 51 : 112;
  const packet = isIpv4
    ? ipv4(payload, { protocol, source, destination })
    : ipv6(payload, { nextHeader: protocol, source, destination });
  packet[isIpv4 ? 8 : 7] = ttl;
  return packet;
}

function payloadOf(
  { version, family, auth, vrid, priority, vips, interval }: Shape,
  source: string,
  destination: string,
): Buffer {
  const prefix = family === "ipv4" ? "10.99.1." : "fd00:99::";
  const pdu = vrrpPdu({
    version,
    vrid,
    priority,
    interval,
    authType: auth === "pass" ? 1 : auth === "ah" ? 2 : 0,
    vips: Array.from({ length: vips }, (_, at) => `${prefix}${at + 1}`),
    password: auth === "pass" ? "fixture" : "",
    ...(version === 2 && family === "ipv4" ? {} : { sum: { source, destination } }),
  });
  if (auth === "ah")
    return Buffer.concat([Buffer.from([112, 4, 0, 0, ...bytesOf(source), 0, 0, 1, vrid]), Buffer.alloc(12, 0xab), pdu]);
  if (auth !== "hmac") return pdu;
  const signed = Buffer.concat([
    pdu,
    Buffer.from([1, 3, 0, 0, 0x6a, 0xf4, 0xf0, 0x60, 0x80, 0, 0, 1]),
    Buffer.alloc(16, 0xcd),
  ]);
  // Over IPv6 the kernel makes the sum, over all that is sent.
  if (family === "ipv6") {
    signed.writeUInt16BE(0, 6);
    signed.writeUInt16BE(internetChecksum(pseudoHeader(source, destination, signed.length), signed), 6);
  }
  return signed;
}

/** The frame around an IP packet. */
export function frameOf(
  ip: Buffer,
  link: LinkName,
  { family, vmac, vrid, outgoing }: Pick<Shape, "family" | "vmac" | "vrid" | "outgoing">,
): Buffer {
  const type = family === "ipv4" ? 0x0800 : 0x86dd;
  const mac = vmac ? [0, 0, 0x5e, 0, family === "ipv4" ? 1 : 2, vrid] : [2, 0, 0, 0, 0, vrid];
  const kind = outgoing ? 4 : 2;
  switch (link) {
    case "ethernet":
    case "vlan":
    case "qinq": {
      const frame = ethernet(ip, type, { ethernet: [], vlan: [0x8100], qinq: [0x88a8, 0x8100] }[link]);
      frame.set(mac, 6);
      if (link === "qinq") frame[15] = 100;
      return frame;
    }
    case "sll":
      return Buffer.concat([Buffer.from([0, kind, 0, 1, 0, 6, ...mac, 0, 0, type >> 8, type & 0xff]), ip]);
    case "sll2":
      return Buffer.concat([Buffer.from([type >> 8, type & 0xff, 0, 0, 0, 0, 0, 3, 0, 1, kind, 6, ...mac, 0, 0]), ip]);
    case "null":
      return Buffer.concat([Buffer.from([family === "ipv4" ? 2 : 24, 0, 0, 0]), ip]);
    case "loop":
      return Buffer.concat([Buffer.from([0, 0, 0, family === "ipv4" ? 2 : 24]), ip]);
    default:
      return ip;
  }
}
