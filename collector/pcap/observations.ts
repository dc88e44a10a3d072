import { createHash } from "node:crypto";
import type { EventBody } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import type { Decoded, IpPacket } from "../vrrp/advert.ts";
import { PROTOCOL_VRRP } from "../vrrp/checksum.ts";
import { decodeAdvert } from "../vrrp/decode.ts";
import { createSenderTracker, type HeardAdvert, type SenderEdge } from "../vrrp/senders.ts";
import { type Frame, unpackFrame } from "./frame.ts";
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
  /** Packets that are no VRRP. */
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
}

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
  const counts = { packets: 0, adverts: 0, malformed: 0, other: 0, untimed: 0 };

  function nameOf({ interfaceIndex }: Frame, packet: Packet): string {
    // A capture of all interfaces calls itself `any`: the index of the frame's own interface tells more.
    if (interfaceIndex !== undefined) return interfaceName?.(interfaceIndex) ?? `if${interfaceIndex}`;
    return packet.interfaceName ?? UNKNOWN_INTERFACE;
  }

  function read(packet: Packet): Observation[] {
    counts.packets += 1;
    const frame = unpackFrame(packet);
    const decoded = frame && decodeAdvert(frame.ip, fingerprintKey);
    if (!frame || !decoded) {
      counts.other += 1;
      return [];
    }
    const ts = timeOf(packet);
    if (ts === undefined) {
      counts.untimed += 1;
      return [];
    }
    const nic = nameOf(frame, packet);
    const seen = {
      ts,
      idParts: [String(packet.tsNs), nic, identityOf(frame.ip)],
      ...(path === undefined ? {} : { at: `${path}#${packet.frame}` }),
    };
    const wire = { ...seen, source: "wire", tsUncertaintyUs: 0 } as const;
    if ("reason" in decoded) {
      counts.malformed += 1;
      const place = nic === UNKNOWN_INTERFACE ? {} : { interface: nic };
      return [
        {
          ...wire,
          body: { kind: "wire.malformed", reason: decoded.reason, length: frame.ip.payloadLength, ...place },
        },
      ];
    }
    counts.adverts += 1;
    const outgoing = frame.outgoing ?? false;
    const advert: HeardAdvert = { ...seen, advert: decoded, interface: nic, outgoing };
    heard?.(advert);
    const edges = tracker.advert(advert);
    return [...edges.map(edgeObservation), { ...wire, body: advertBody(decoded, nic, outgoing) }];
  }

  return {
    push: (chunk) => parser.push(chunk).flatMap(read),
    tick: (now) => tracker.tick(now).map(edgeObservation),
    interrupt: () => tracker.end().map(edgeObservation),
    end: () => ({ fault: parser.end(), observations: tracker.end().map(edgeObservation) }),
    counts: () => ({ ...counts, sendersRefused: tracker.refused() }),
  };
}

/** Epoch microseconds. A damaged clock field can say anything; beyond the year 2255 they are not exact. */
function timeOf({ tsNs }: Packet): number | undefined {
  const us = tsNs === undefined ? undefined : Number(tsNs / 1000n);
  return us !== undefined && us <= Number.MAX_SAFE_INTEGER ? us : undefined;
}

function advertBody(advert: Decoded, nic: string, outgoing: boolean): EventBody<"wire.advert"> {
  const { source, vips, passwordFingerprint: _, ...same } = advert;
  return { kind: "wire.advert", ...same, peer: source, vips: [...vips], interface: nic, outgoing };
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
  return createHash("sha256").update(header).update(open).digest("hex").slice(0, 16);
}
