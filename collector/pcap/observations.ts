import { hash } from "node:crypto";
import type { EventBody } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import type { Decoded, IpPacket, Malformed } from "../vrrp/advert.ts";
import { PROTOCOL_VRRP } from "../vrrp/checksum.ts";
import { decodeAdvert } from "../vrrp/decode.ts";
import { createSenderTracker, type HeardAdvert, type SenderEdge } from "../vrrp/senders.ts";
import { createAnnouncements } from "./announcements.ts";
import { ETHERTYPE_ARP, type Frame, type LinkFrame, unpackLink, withIp } from "./frame.ts";
import { type Announcement, formatMac, readGratuitousArp, readUnsolicitedAdvert } from "./neighbour.ts";
import { createPcapParser, type Packet } from "./reader.ts";

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
  /** From here on time or capture is another: of whoever was sending, nothing is known after its last advert. */
  interrupt(): Observation[];
  /** The capture is over. `fault` says what is wrong with a damaged or cut file. */
  end(): { readonly observations: Observation[]; readonly fault: string | undefined };
  counts(): CaptureCounts;
  /** Addresses that a configuration calls virtual; those in adverts are known without. */
  know(vips: readonly string[]): void;
}

/** What all observations of the wire have. */
const WIRE = { source: "wire", tsUncertaintyUs: 0 } as const;
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
  const counts = { packets: 0, adverts: 0, malformed: 0, announcements: 0, other: 0, untimed: 0 };

  /** A VLAN whose tag is in the frame is an interface of its own, named as Linux would. */
  function nameOf({ interfaceIndex, vlans }: Frame | LinkFrame, packet: Packet): string {
    // A capture of all interfaces calls itself `any`: the index of the frame's own interface tells more.
    const name =
      interfaceIndex === undefined
        ? (packet.interfaceName ?? UNKNOWN_INTERFACE)
        : (interfaceName?.(interfaceIndex) ?? `if${interfaceIndex}`);
    return vlans.length === 0 ? name : [name, ...vlans].join(".");
  }

  function read(packet: Packet): Observation[] {
    counts.packets += 1;
    const link = unpackLink(packet);
    if (link?.etherType === ETHERTYPE_ARP)
      return announced(packet, link, readGratuitousArp(link.payload), link.payload);
    const frame = link && withIp(link);
    if (!link || !frame) return other();
    const decoded = decodeAdvert(frame.ip, fingerprintKey);
    if (decoded) return advertised(packet, frame, decoded);
    return announced(packet, link, readUnsolicitedAdvert(frame.ip), frame.ip.payload);
  }

  function other(): Observation[] {
    counts.other += 1;
    return [];
  }

  function announced(
    packet: Packet,
    link: LinkFrame,
    seen: Announcement | undefined,
    bytes: Uint8Array,
  ): Observation[] {
    if (!seen) return other();
    counts.announcements += 1;
    const ts = timeOf(packet);
    if (ts === undefined) return [];
    const nic = nameOf(link, packet);
    const outgoing = link.outgoing ?? false;
    if (!announcements.isNews(seen, `${nic} ${outgoing}`, ts)) return [];
    const identity = hash("sha256", bytes, "hex").slice(0, 16);
    const body = { kind: "wire.garp", interface: nic, outgoing, ...seen } as const;
    return [{ ...WIRE, ...placeOf(packet, ts, [nic, identity]), body }];
  }

  /** When and where it was captured. */
  function placeOf(packet: Packet, ts: number, idParts: readonly string[]) {
    return {
      ts,
      idParts: [String(packet.tsNs), ...idParts],
      ...(path === undefined ? {} : { at: `${path}#${packet.frame}` }),
    };
  }

  function advertised(packet: Packet, frame: Frame, decoded: Decoded | Malformed): Observation[] {
    const ts = timeOf(packet);
    if (ts === undefined) {
      counts.untimed += 1;
      return [];
    }
    const nic = nameOf(frame, packet);
    const seen = placeOf(packet, ts, [nic, identityOf(frame.ip)]);
    if ("reason" in decoded) {
      counts.malformed += 1;
      const place = nic === UNKNOWN_INTERFACE ? {} : { interface: nic };
      return [
        {
          ...WIRE,
          ...seen,
          body: { kind: "wire.malformed", reason: decoded.reason, length: frame.ip.payloadLength, ...place },
        },
      ];
    }
    counts.adverts += 1;
    announcements.know(decoded.vips);
    const outgoing = frame.outgoing ?? false;
    const advert: HeardAdvert = { ...seen, advert: decoded, interface: nic, outgoing };
    heard?.(advert);
    const edges = tracker.advert(advert);
    const told = { ...seen, source: WIRE.source, tsUncertaintyUs: 0, body: advertBody(decoded, frame, nic, outgoing) };
    return edges.length === 0 ? [told] : [...edges.map(edgeObservation), told];
  }

  return {
    push: (chunk) => parser.push(chunk).flatMap(read),
    tick: (now) => tracker.tick(now).map(edgeObservation),
    interrupt: () => tracker.end().map(edgeObservation),
    end: () => ({ fault: parser.end(), observations: tracker.end().map(edgeObservation) }),
    counts: () => ({
      ...counts,
      sendersRefused: tracker.refused(),
      announcementsRefused: announcements.refused(),
    }),
    know: (vips) => announcements.know(vips),
  };
}

/** Epoch microseconds. A damaged clock field can say anything; beyond the year 2255 they are not exact. */
function timeOf({ tsNs }: Packet): number | undefined {
  const us = tsNs === undefined ? undefined : Number(tsNs / 1000n);
  return us !== undefined && us <= Number.MAX_SAFE_INTEGER ? us : undefined;
}

function advertBody(advert: Decoded, frame: Frame, nic: string, outgoing: boolean): EventBody<"wire.advert"> {
  const { checksumVariant, ah, hmac } = advert;
  const body: { -readonly [K in keyof EventBody<"wire.advert">]: EventBody<"wire.advert">[K] } = {
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
 * Tells two frames of one nanosecond apart. Not over the whole frame: an id is stored, and one made of the checksum, the
 * password or the authentication header's check value would let a guess at the password be confirmed.
 */
function identityOf({ header, payload, protocol }: IpPacket): string {
  // VRRP's fields before the checksum; of an authentication header what stands before the check value.
  const open = payload.subarray(0, protocol === PROTOCOL_VRRP ? 6 : 12);
  return hash("sha256", Buffer.concat([header, open]), "hex").slice(0, 16);
}
