import type { Family } from "../events/event.ts";
import type { ChecksumVariant, ChecksumVerdict } from "./checksum.ts";
import type { HmacTrailer } from "./hmac.ts";
import type { VrrpVersion } from "./timers.ts";

export type AuthType = "none" | "pass" | "ah" | "unknown";

/** One VRRP advertisement as decoded. There is no field for a password, so that none can be stored or shown. */
export interface Decoded {
  readonly version: VrrpVersion;
  readonly family: Family;
  readonly vrid: number;
  /** 0 announces the end of mastership; 255 is the address owner. */
  readonly priority: number;
  /** Microseconds; from whole seconds in version 2, from centiseconds in version 3. Never 0. */
  readonly advertIntervalUs: number;
  /** In the order of the packet. Only those that the capture holds whole, when it was cut. */
  readonly vips: readonly string[];
  readonly source: string;
  readonly destination: string;
  /** TTL or hop limit; 255 unless a router was in between or a unicast peer says otherwise. */
  readonly ttl: number;
  readonly authType: AuthType;
  readonly checksum: ChecksumVerdict;
  /** Which of the sums that keepalived knows came out right; only when one did. */
  readonly checksumVariant?: ChecksumVariant;
  /** Of the authentication header: SPI and sequence number. keepalived's SPI is the sender's address. */
  readonly ah?: { readonly spi: number; readonly sequence: number };
  /** The trailer of keepalived 2.4's auth_hmac, as it claims to be: nothing here has verified it. */
  readonly hmac?: HmacTrailer;
  /**
   * Of the password of a version 2 advert of authentication type PASS, comparable with the configuration's of the same
   * key; only when the caller gave one. Stays in memory: no event has a field for it.
   */
  readonly passwordFingerprint?: string;
}

/** Why a packet that is VRRP by its protocol number is not VRRP by its contents. Stable: people filter by them. */
export type MalformedReason =
  /** The first of several IP fragments: an advert fits into one packet. */
  | "fragment"
  /** Fewer than eight bytes were sent. */
  | "header-truncated"
  /** Fewer than eight bytes were captured (snapshot length). */
  | "capture-truncated"
  | "ah-truncated"
  | "version"
  | "type"
  | "vrid-zero"
  | "interval-zero"
  /** The packet ends before the addresses it counts. */
  | "addresses-truncated"
  /** Version 2 over IPv4 without its eight authentication bytes. */
  | "auth-truncated"
  /** OpenBSD's CARP, which shares the protocol number, the group and the VRIDs' MAC addresses. */
  | "carp";

export interface Malformed {
  readonly reason: MalformedReason;
}

/** An IP packet with what it carries, whatever the link type was. */
export interface IpPacket {
  readonly family: Family;
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  /** IP protocol of the payload: 112 is VRRP, 51 an authentication header. */
  readonly protocol: number;
  /** The IP header with its options or extension headers. */
  readonly header: Uint8Array;
  /** The first of several fragments: the payload goes on in other packets. */
  readonly fragmented: boolean;
  /** As far as it was captured. */
  readonly payload: Uint8Array;
  /** Bytes the payload had on the wire; more than `payload.length` when the capture was cut. */
  readonly payloadLength: number;
  readonly sourceBytes: Uint8Array;
  readonly destinationBytes: Uint8Array;
}
