import { PROTOCOL_VRRP } from "../vrrp/checksum.ts";
import type { Packet } from "./reader.ts";

/** Bytes of frames remembered at once, twice over: some 2,000 senders of a few addresses each. */
const BYTES_MAX = 131_072;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** Version 4 and a header without options. */
const IPV4_PLAIN = 0x45;

/** By LINKTYPE_ value, where the type of what is carried stands, and where that begins. */
const LAYOUTS: Readonly<Record<number, readonly [etherType: number, ip: number]>> = {
  1: [12, 14],
  113: [14, 16],
  276: [0, 20],
};

/**
 * The bytes of an advert's frame that are the same each time its sender sends it: all but the identification of an IPv4
 * packet, which counts up, and the header's checksum, which is over it and which nobody here looks at.
 * @returns undefined for all that is not plainly VRRP over IP; in an authentication header nothing repeats
 */
export function repeatKey({ linkType, data }: Pick<Packet, "linkType" | "data">): string | undefined {
  const layout = LAYOUTS[linkType];
  if (layout === undefined) return undefined;
  const [type, ip] = layout;
  if (data.length < ip + 20) return undefined;
  const etherType = data.readUInt16BE(type);
  if (etherType === ETHERTYPE_IPV4) {
    if (data[ip] !== IPV4_PLAIN || data[ip + 9] !== PROTOCOL_VRRP) return undefined;
    return `${text(data, 0, ip + 4)}${text(data, ip + 6, ip + 10)}${text(data, ip + 12, data.length)}`;
  }
  if (etherType !== ETHERTYPE_IPV6 || data[ip + 6] !== PROTOCOL_VRRP) return undefined;
  return text(data, 0, data.length);
}

/** A character a byte. */
const text = (data: Buffer, from: number, to: number): string => data.toString("latin1", from, to);

/**
 * What was made of frames, by the bytes that repeat. Holds so many bytes of them and no more: of two generations the older
 * one is forgotten, so that whoever sends ever new frames does not crowd out those that do repeat. In memory alone: the
 * bytes may hold a password.
 */
export class Repeats<T> {
  private young = new Map<string, T>();
  private old = new Map<string, T>();
  private bytes = 0;
  private readonly bytesMax: number;

  constructor(bytesMax = BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  get(key: string): T | undefined {
    const known = this.young.get(key);
    if (known !== undefined) return known;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: T): void {
    if (!this.young.has(key)) this.bytes += key.length;
    this.young.set(key, value);
    if (this.bytes <= this.bytesMax) return;
    this.old = this.young;
    this.young = new Map();
    this.bytes = 0;
  }

  /** Frames remembered. */
  get size(): number {
    return this.young.size + this.old.size;
  }
}
