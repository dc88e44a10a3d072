import type { EventBody } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import type { Decoded, IpPacket, Malformed } from "../vrrp/advert.ts";
import { PROTOCOL_VRRP } from "../vrrp/checksum.ts";
import { decodeAdvert } from "../vrrp/decode.ts";
import { createSenderTracker, type HeardAdvert, type SenderEdge, type SenderKey, senderKey } from "../vrrp/senders.ts";
import { createAnnouncements } from "./announcements.ts";
import { ETHERTYPE_ARP, type Frame, type LinkFrame, unpackLink, withIp } from "./frame.ts";
import { type Announcement, formatMac, readGratuitousArp, readUnsolicitedAdvert } from "./neighbour.ts";
import { createPcapParser, dataOf, type Packet } from "./reader.ts";
import { IPV4_CHECKSUM, IPV4_IDENTIFICATION, ipOfRepeating, Repeats } from "./repeats.ts";

export interface CaptureReaderOptions {
  /** How the capture is called in what people see; absent for a live one. */
  readonly path?: string;
  /** Name of an interface of the capturing host by its index. */
  readonly interfaceName?: (index: number) => string | undefined;
  /** Hears every advert as it is read, before anything is concluded from it. */
  readonly heard?: (heard: HeardAdvert) => void;
  /** Key for fingerprints of passwords, for who hears the adverts: no observation has one. */
  readonly fingerprintKey?: string;
}

export interface CaptureCounts {
  readonly packets: number;
  readonly adverts: number;
  readonly malformed: number;
  /** Gratuitous ARP and unsolicited neighbour advertisements, of whatever address. */
  readonly announcements: number;
  /** Announcements of virtual addresses that came too thick to be told. */
  readonly announcementsRefused: number;
  /** Packets that are none of these. */
  readonly other: number;
  /** VRRP without a time, or with an impossible one, has no place in a timeline: passed over. */
  readonly untimed: number;
  /** Adverts of senders that were too many to follow. Told themselves, but not as `wire.master-seen`. */
  readonly sendersRefused: number;
}

export interface CaptureReader {
  /** Observations of the packets that are complete with this chunk. */
  push(chunk: Uint8Array): Observation[];
  /** All that was captured up to `now` was pushed: who has fallen silent? Epoch microseconds on the capture's clock. */
  tick(now: number): Observation[];
  /** Nobody falls silent before this instant of the capture's clock. */
  dueAt(): number;
  /** From here on time or capture is another: of whoever was sending, nothing is known after its last advert. */
  interrupt(): Observation[];
  /** The capture is over. `fault` says what is wrong with a damaged or cut file. */
  end(): { readonly observations: Observation[]; readonly fault: string | undefined };
  counts(): CaptureCounts;
  /** Addresses that a configuration calls virtual; those in adverts are known without. */
  know(vips: readonly string[]): void;
}

/** What an advert comes to but for its time and its packet's identification: the same for each that repeats it. */
interface Advertised {
  readonly advert: Decoded;
  readonly frame: Pick<Frame, "interfaceIndex" | "vlans">;
  readonly interface: string;
  readonly outgoing: boolean;
  readonly sender: SenderKey;
  readonly body: EventBody<"wire.advert">;
  /** Undefined until it is asked for. */
  bodyJson: string | undefined;
  /** Hex of what tells it from others of the same nanosecond: around the identification and the checksum of an IPv4 header. */
  readonly identity: readonly [before: string, between: string, after: string];
}

/** What all observations of the wire have. */
const WIRE = { source: "wire", tsUncertaintyUs: 0 } as const;

/** An advert that was captured. Most repeat one that is known: of these no more is made than what tells them apart. */
class Sighting implements Observation, HeardAdvert {
  readonly ts: number;
  readonly at?: string;
  readonly body: EventBody<"wire.advert">;
  private readonly known: Advertised;
  private readonly subUs: number;
  private readonly ipId: number;
  private readonly ipChecksum: number;

  /** @param ip  where the IP packet begins in the capture's bytes */
  constructor(known: Advertised, ts: number, packet: Packet, ip: number, path: string | undefined) {
    const { bytes } = packet;
    this.ts = ts;
    this.known = known;
    this.subUs = packet.subUs;
    this.ipId = bytes.readUInt16BE(ip + IPV4_IDENTIFICATION);
    this.ipChecksum = bytes.readUInt16BE(ip + IPV4_CHECKSUM);
    this.body = known.body;
    if (path === undefined) return;
    this.at = `${path}#${packet.frame}`;
    // Of a recording, which may be laid beside another node's; live it would make of each advert one of its own.
    if (known.advert.family === "ipv4") this.body = { ...known.body, ipId: this.ipId };
  }

  get source(): "wire" {
    return WIRE.source;
  }

  get tsUncertaintyUs(): 0 {
    return WIRE.tsUncertaintyUs;
  }

  get idParts(): readonly string[] {
    const { identity, interface: nic } = this.known;
    const own = `${identity[0]}${hex16(this.ipId)}${identity[1]}${hex16(this.ipChecksum)}${identity[2]}`;
    return [nanosOf(this.ts, this.subUs), nic, own];
  }

  /** Of a recording each has its own. */
  get bodyJson(): string {
    return this.at === undefined ? (this.known.bodyJson ??= JSON.stringify(this.body)) : JSON.stringify(this.body);
  }

  get advert(): Decoded {
    return this.known.advert;
  }

  get interface(): string {
    return this.known.interface;
  }

  get outgoing(): boolean {
    return this.known.outgoing;
  }

  get sender(): SenderKey {
    return this.known.sender;
  }
}

/** Two digits a byte. Of IPv6 nothing varies, and what stands there is the same each time. */
const aroundWhatVaries = (hex: string): readonly [string, string, string] => [
  hex.slice(0, 2 * IPV4_IDENTIFICATION),
  hex.slice(2 * (IPV4_IDENTIFICATION + 2), 2 * IPV4_CHECKSUM),
  hex.slice(2 * (IPV4_CHECKSUM + 2)),
];
const hex16 = (value: number): string => (value + 0x1_0000).toString(16).slice(1);
/** As one number. */
const nanosOf = (us: number, subUs: number): string =>
  us === 0 ? String(subUs) : `${us}${String(subUs).padStart(3, "0")}`;

type Changeable<T> = { -readonly [K in keyof T]: T[K] };
type Place = Pick<HeardAdvert, "ts" | "idParts" | "at">;
const NOTHING: readonly Observation[] = [];
/** When nothing tells on which interface it was captured. */
const UNKNOWN_INTERFACE = "?";

/** Turns the bytes of a capture, live or recorded, into observations. Pure but for what it remembers of the senders. */
export function createCaptureReader({
  path,
  interfaceName,
  heard,
  fingerprintKey,
}: CaptureReaderOptions = {}): CaptureReader {
  const parser = createPcapParser();
  const tracker = createSenderTracker();
  const announcements = createAnnouncements();
  const repeats = new Repeats<Advertised>();
  const counts = { packets: 0, adverts: 0, malformed: 0, announcements: 0, other: 0, untimed: 0 };

  /** A VLAN whose tag is in the frame is an interface of its own, named as Linux would. */
  function nameOf({ interfaceIndex, vlans }: Pick<LinkFrame, "interfaceIndex" | "vlans">, packet: Packet): string {
    // A capture of all interfaces calls itself `any`: the index of the frame's own interface tells more.
    const name =
      interfaceIndex === undefined
        ? (packet.interfaceName ?? UNKNOWN_INTERFACE)
        : (interfaceName?.(interfaceIndex) ?? `if${interfaceIndex}`);
    return vlans.length === 0 ? name : [name, ...vlans].join(".");
  }

  function read(packet: Packet): readonly Observation[] {
    counts.packets += 1;
    const known = repeats.get(packet);
    // An interface may have been given another name since.
    if (known === undefined || nameOf(known.frame, packet) !== known.interface) return readAnew(packet);
    const ts = timeOf(packet);
    return ts === undefined ? untimed() : tell(new Sighting(known, ts, packet, ipOfRepeating(packet), path));
  }

  function readAnew(packet: Packet): readonly Observation[] {
    const { linkType } = packet;
    const data = dataOf(packet);
    const link = unpackLink({ linkType, data });
    if (link?.etherType === ETHERTYPE_ARP)
      return announced(packet, link, readGratuitousArp(link.payload), link.payload);
    const frame = link && withIp(link);
    if (!link || !frame) return other();
    const decoded = decodeAdvert(frame.ip, fingerprintKey);
    if (!decoded) return announced(packet, link, readUnsolicitedAdvert(frame.ip), frame.ip.payload);
    const ts = timeOf(packet);
    if (ts === undefined) return untimed();
    const nic = nameOf(frame, packet);
    if ("reason" in decoded) return [malformed(placeOf(packet, ts, nic, openBytes(frame.ip)), nic, frame, decoded)];
    announcements.know(decoded.vips);
    const advertised = advertisedOf(nic, frame, decoded);
    // The trailer of auth_hmac counts up.
    if (!decoded.hmac) repeats.set(packet, advertised);
    const ip = packet.from + frame.ip.header.byteOffset - data.byteOffset;
    return tell(new Sighting(advertised, ts, packet, ip, path));
  }

  function untimed(): readonly Observation[] {
    counts.untimed += 1;
    return NOTHING;
  }

  function other(): readonly Observation[] {
    counts.other += 1;
    return NOTHING;
  }

  function announced(
    packet: Packet,
    link: LinkFrame,
    seen: Announcement | undefined,
    bytes: Uint8Array,
  ): readonly Observation[] {
    if (!seen) return other();
    counts.announcements += 1;
    const ts = timeOf(packet);
    if (ts === undefined) return NOTHING;
    const nic = nameOf(link, packet);
    const outgoing = link.outgoing ?? false;
    if (!announcements.isNews(seen, `${nic} ${outgoing}`, ts)) return NOTHING;
    const body = { kind: "wire.garp", interface: nic, outgoing, ...seen } as const;
    return [{ ...WIRE, ...placeOf(packet, ts, nic, bytes), body }];
  }

  /** When and where it was captured. @param identity  what tells it from others of the same nanosecond */
  function placeOf(packet: Packet, ts: number, nic: string, identity: Uint8Array): Place {
    const idParts = [nanosOf(ts, packet.subUs), nic, hexOf(identity)];
    return path === undefined ? { ts, idParts } : { ts, idParts, at: `${path}#${packet.frame}` };
  }

  function malformed(place: Place, nic: string, { ip }: Frame, { reason }: Malformed): Observation {
    counts.malformed += 1;
    const where = nic === UNKNOWN_INTERFACE ? {} : { interface: nic };
    return { ...WIRE, ...place, body: { kind: "wire.malformed", reason, length: ip.payloadLength, ...where } };
  }

  function advertisedOf(nic: string, frame: Frame, advert: Decoded): Advertised {
    const { interfaceIndex, vlans, outgoing = false } = frame;
    return {
      advert,
      frame: { interfaceIndex, vlans },
      interface: nic,
      outgoing,
      sender: senderKey({ advert, interface: nic, outgoing }),
      body: advertBody(advert, frame, nic, outgoing),
      bodyJson: undefined,
      identity: aroundWhatVaries(hexOf(openBytes(frame.ip))),
    };
  }

  function tell(seen: Sighting): readonly Observation[] {
    counts.adverts += 1;
    heard?.(seen);
    const edges = tracker.advert(seen);
    return edges.length === 0 ? [seen] : [...edges.map(edgeObservation), seen];
  }

  return {
    push(chunk) {
      const seen: Observation[] = [];
      for (const packet of parser.push(chunk)) for (const one of read(packet)) seen.push(one);
      return seen;
    },
    tick: (now) => tracker.tick(now).map(edgeObservation),
    dueAt: () => tracker.dueAt(),
    interrupt: () => tracker.end().map(edgeObservation),
    end: () => ({ fault: parser.end(), observations: tracker.end().map(edgeObservation) }),
    counts: () => ({
      packets: counts.packets,
      adverts: counts.adverts,
      malformed: counts.malformed,
      announcements: counts.announcements,
      other: counts.other,
      untimed: counts.untimed,
      sendersRefused: tracker.refused(),
      announcementsRefused: announcements.refused(),
    }),
    know: (vips) => announcements.know(vips),
  };
}

const hexOf = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString("hex");

/** Epoch microseconds. A damaged clock field can say anything; beyond the year 2255 they are not exact. */
const timeOf = ({ tsUs }: Packet): number | undefined =>
  tsUs !== undefined && tsUs <= Number.MAX_SAFE_INTEGER ? tsUs : undefined;

function advertBody(advert: Decoded, frame: Frame, nic: string, outgoing: boolean): EventBody<"wire.advert"> {
  const { checksumVariant, ah, hmac } = advert;
  const body: Changeable<EventBody<"wire.advert">> = {
    kind: "wire.advert",
    version: advert.version,
    family: advert.family,
    vrid: advert.vrid,
    priority: advert.priority,
    advertIntervalUs: advert.advertIntervalUs,
    destination: advert.destination,
    ttl: advert.ttl,
    authType: advert.authType,
    checksum: advert.checksum,
    peer: advert.source,
    vips: [...advert.vips],
    interface: nic,
    outgoing,
  };
  if (ah) body.ah = ah;
  if (hmac) body.hmac = hmac;
  if (checksumVariant !== undefined && checksumVariant !== "standard") body.checksumVariant = checksumVariant;
  if (isVirtualMac(frame, advert)) body.vmac = formatMac(frame.sourceMac ?? []);
  return body;
}

/** RFC 9568 section 7.3: 00:00:5e:00:01 and the VRID for IPv4, 00:00:5e:00:02 for IPv6. */
function isVirtualMac({ sourceMac }: Frame, { family, vrid }: Decoded): boolean {
  if (sourceMac === undefined || sourceMac[5] !== vrid) return false;
  const wanted = [0, 0, 0x5e, 0, family === "ipv4" ? 1 : 2];
  return wanted.every((byte, at) => byte === sourceMac[at]);
}

/** Known by the advert it stands on, so that a file read again, or read further, gives the same edges the same ids. */
function edgeObservation({ ts, tsUncertaintyUs, cause, body }: SenderEdge): Observation {
  const why = body.kind === "wire.master-gone" ? `${body.reason} ${body.vips.join(" ")}` : "";
  return {
    source: "wire",
    ts,
    tsUncertaintyUs,
    idParts: [...cause.idParts, body.kind, why],
    ...(cause.at === undefined ? {} : { at: cause.at }),
    body,
  };
}

/**
 * Tells two frames of one nanosecond apart. Not the whole frame: an id is stored, and one made of the checksum, the
 * password or the authentication header's check value would let a guess at the password be confirmed.
 */
function openBytes({ header, payload, protocol }: IpPacket): Uint8Array {
  // VRRP's fields before the checksum; of an authentication header what stands before the check value.
  const open = Math.min(payload.length, protocol === PROTOCOL_VRRP ? 6 : 12);
  return new Uint8Array(header.buffer, header.byteOffset, header.length + open);
}
