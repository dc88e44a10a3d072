import { createHash } from "node:crypto";
import type { Observation } from "../events/observation.ts";
import { decodeAdvert } from "../vrrp/decode.ts";
import { type SenderEdge, SenderTracker } from "../vrrp/senders.ts";
import { unpackFrame } from "./frame.ts";
import { type Packet, PcapParser } from "./reader.ts";

export interface CaptureReaderOptions {
  /** How the capture is called in what people see; absent for a live one. */
  readonly path?: string;
  /** Name of an interface of the capturing host by its index. */
  readonly interfaceName?: (index: number) => string | undefined;
}

export interface CaptureCounts {
  readonly packets: number;
  readonly adverts: number;
  readonly malformed: number;
  /** Packets that are no VRRP. */
  readonly other: number;
}

export interface CaptureReader {
  /** Observations of the packets that are complete with this chunk. */
  push(chunk: Uint8Array): Observation[];
  /** Time passes without a packet: who has fallen silent? Epoch microseconds on the capture's clock. */
  tick(now: number): Observation[];
  /** The capture is over. `fault` says what is wrong with a damaged or cut file. */
  end(): { readonly observations: Observation[]; readonly fault: string | undefined };
  counts(): CaptureCounts;
}

/** When the capturing host's interface is not known. */
const UNKNOWN_INTERFACE = "?";

/** Turns the bytes of a capture, live or recorded, into observations. Pure but for what it remembers of the senders. */
export function createCaptureReader({ path, interfaceName }: CaptureReaderOptions = {}): CaptureReader {
  const parser = new PcapParser();
  const tracker = new SenderTracker();
  const counts = { packets: 0, adverts: 0, malformed: 0, other: 0 };

  const edge = ({ ts, tsUncertaintyUs, body }: SenderEdge): Observation => ({
    source: "wire",
    ts,
    tsUncertaintyUs,
    idParts: [body.kind, body.interface, body.family, body.vrid, body.peer, ts],
    body,
  });

  function read(packet: Packet): Observation[] {
    counts.packets += 1;
    const frame = unpackFrame(packet);
    const decoded = frame && decodeAdvert(frame.ip);
    if (!frame || !decoded) {
      counts.other += 1;
      return [];
    }
    const ts = Number(packet.tsNs / 1000n);
    const face =
      packet.interfaceName ??
      (frame.interfaceIndex === undefined
        ? undefined
        : (interfaceName?.(frame.interfaceIndex) ?? `if${frame.interfaceIndex}`)) ??
      UNKNOWN_INTERFACE;
    const hash = createHash("sha256").update(packet.data).digest("hex").slice(0, 16);
    const common = {
      source: "wire",
      ts,
      tsUncertaintyUs: 0,
      idParts: [String(packet.tsNs), face, hash],
      ...(path === undefined ? {} : { at: `${path}#${packet.frame}` }),
    } as const;
    if ("malformed" in decoded) {
      counts.malformed += 1;
      return [
        {
          ...common,
          body: {
            kind: "wire.malformed",
            reason: decoded.malformed,
            length: packet.originalLength,
            ...(face === UNKNOWN_INTERFACE ? {} : { interface: face }),
          },
        },
      ];
    }
    counts.adverts += 1;
    const outgoing = frame.outgoing ?? false;
    const { family, vrid, priority, vips, source, destination, version, ttl, authType, checksum, advertIntervalUs } =
      decoded;
    const advert: Observation = {
      ...common,
      body: {
        kind: "wire.advert",
        interface: face,
        family,
        vrid,
        peer: source,
        outgoing,
        priority,
        vips: [...vips],
        advertIntervalUs,
        destination,
        version,
        ttl,
        authType,
        checksum,
      },
    };
    return [...tracker.hear({ advert: decoded, interface: face, outgoing, ts }).map(edge), advert];
  }

  return {
    push: (chunk) => parser.push(chunk).flatMap(read),
    tick: (now) => tracker.tick(now).map(edge),
    end: () => ({ fault: parser.end(), observations: tracker.end().map(edge) }),
    counts: () => ({ ...counts }),
  };
}
