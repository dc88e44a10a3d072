import type { Family } from "../events/event.ts";
import type { VrrpVersion } from "./timers.ts";

/** One VRRP advertisement as decoded. There is no field for a password, so that none can be stored or shown. */
export interface Advert {
  readonly version: VrrpVersion;
  readonly family: Family;
  readonly vrid: number;
  /** 0 announces the end of mastership; 255 is the address owner. */
  readonly priority: number;
  /** Microseconds. */
  readonly advertIntervalUs: number;
  readonly vips: readonly string[];
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  readonly authType: "none" | "pass" | "ah" | "unknown";
  /** `unverified`: the capture does not hold all that the sum is over, or offloading left it to the card. */
  readonly checksum: "ok" | "bad" | "unverified";
}

/** A packet that is VRRP by its protocol number and not by its contents. */
export interface Malformed {
  readonly malformed: string;
}

/** An IP packet with what it carries, whatever the link type was. */
export interface IpPacket {
  readonly family: Family;
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  /** IP protocol of the payload: 112 is VRRP, 51 an authentication header. */
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** Bytes the payload had on the wire; more than `payload.length` when the capture was cut. */
  readonly payloadLength: number;
  readonly sourceBytes: Uint8Array;
  readonly destinationBytes: Uint8Array;
}
