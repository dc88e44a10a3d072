import { compareAddresses } from "../core/address.ts";
import type { Instance } from "../conf/model/types.ts";
import { compareReleases, type Release } from "../conf/version.ts";
import type { VrrpState } from "../events/vocabulary.ts";
import type { Decoded } from "../vrrp/advert.ts";

/** Why keepalived refuses an advert: the codes of `vrrp.advert-rejected`, so that a prediction and a log line compare. */
export type RejectionReason =
  | "auth"
  | "checksum"
  | "interval"
  | "owner"
  | "cast"
  | "length"
  | "ttl"
  | "unicast-source"
  | "version"
  | "vip-list";

export type Verdict =
  | { readonly accepted: true; readonly complaints: readonly RejectionReason[] }
  | { readonly accepted: false; readonly reason: RejectionReason };

/** What decides, beside the configuration, whether an advert is refused. */
export interface Receiver {
  readonly instance: Instance;
  readonly release: Release;
  readonly state: VrrpState;
  /** Where the last advert came from that was accepted or discarded. */
  readonly source: string | undefined;
}

const REQUIRED_TTL = 255;
/** From here on other addresses, and another interval in version 3, are only logged. */
const LOGS_ONLY: Release = [2, 3, 3];
const HMAC_SINCE: Release = [2, 4, 0];

interface Test {
  readonly reason: RejectionReason;
  /** Whether the advert fails it. */
  readonly fails: (advert: Decoded, receiver: Receiver) => boolean;
  /** From which release on a failure is only logged. */
  readonly loggedOnlySince?: Release;
}

/** In keepalived's order: the first that fails gives the reason. (2.2.7, vrrp/vrrp.c:vrrp_check_packet) */
const TESTS: readonly Test[] = [
  {
    reason: "owner",
    fails: (_, { instance }) => instance.ownerIgnoresAdverts && instance.priority === 255,
  },
  { reason: "auth", fails: ({ ah }, { instance }) => (ah !== undefined) !== (instance.authentication.type === "AH") },
  // Who does not know the trailer of auth_hmac takes the packet for too long.
  {
    reason: "length",
    fails: ({ hmac }, { release }) => hmac !== undefined && compareReleases(release, HMAC_SINCE) < 0,
  },
  {
    reason: "ttl",
    fails: ({ ttl }, { instance }) => instance.unicastPeers.length === 0 && ttl !== REQUIRED_TTL,
  },
  { reason: "version", fails: ({ version }, { instance }) => version !== instance.version },
  { reason: "auth", fails: (advert, { instance }) => advert.version === 2 && !isAuthentic(advert, instance) },
  {
    reason: "interval",
    fails: ({ version, advertIntervalUs }, { instance }) =>
      version === 2 && advertIntervalUs !== instance.advertIntervalUs,
  },
  {
    reason: "vip-list",
    fails: (advert, receiver) =>
      checksAddresses(advert, receiver) && advert.vips.length !== receiver.instance.vips.length,
    loggedOnlySince: LOGS_ONLY,
  },
  { reason: "checksum", fails: (advert, { instance }) => !isSumRight(advert, instance) },
  { reason: "cast", fails: (advert, { instance }) => isMulticast(advert) !== (instance.unicastPeers.length === 0) },
  {
    reason: "vip-list",
    fails: (advert, receiver) =>
      checksAddresses(advert, receiver) && receiver.instance.vips.some(({ address }) => !advert.vips.includes(address)),
    loggedOnlySince: LOGS_ONLY,
  },
  {
    reason: "unicast-source",
    fails: (advert, receiver) => checksSource(advert, receiver) && peerOf(advert, receiver.instance) === undefined,
  },
  {
    reason: "ttl",
    fails: (advert, receiver) => {
      const peer = checksSource(advert, receiver) ? peerOf(advert, receiver.instance) : undefined;
      return peer !== undefined && (advert.ttl < peer.minTtl || advert.ttl > peer.maxTtl);
    },
  },
];

/**
 * Whether keepalived accepts an advert that its socket hands to an instance. Length, type and the address count against
 * the packet's own length are the decoder's business: what fails them is malformed and never comes here.
 */
export function validate(advert: Decoded, receiver: Receiver): Verdict {
  const complaints: RejectionReason[] = [];
  for (const { reason, fails, loggedOnlySince } of TESTS) {
    if (!fails(advert, receiver)) continue;
    if (loggedOnlySince === undefined || compareReleases(receiver.release, loggedOnlySince) < 0)
      return { accepted: false, reason };
    if (!complaints.includes(reason)) complaints.push(reason);
  }
  return { accepted: true, complaints };
}

/** Version 3 over IPv4 has three sums; an instance goes by one of them, and a unicast one by that of up to 1.3.6 too. */
function isSumRight({ checksum, checksumVariant = "standard", version, family }: Decoded, instance: Instance): boolean {
  if (checksum !== "ok") return checksum === "unverified";
  if (version === 2 || family === "ipv6") return true;
  if (checksumVariant === "multicast-destination")
    return instance.unicastPeers.length > 0 && instance.oldUnicastChecksum !== "never";
  return (checksumVariant === "no-pseudo-header") === instance.v3ChecksumAsV2;
}

/**
 * A password that nobody could compare is taken as right, and so is an authentication header's check value. Its SPI is
 * the sender's address.
 */
function isAuthentic({ authType, passwordFingerprint, ah, source }: Decoded, { authentication }: Instance): boolean {
  const { type, passwordFingerprint: own } = authentication;
  if (ah && compareAddresses(source, addressOf(ah.spi)) !== 0) return false;
  if (authType !== (type === "PASS" ? "pass" : type === "AH" ? "ah" : "none")) return false;
  return own === undefined || passwordFingerprint === undefined || own === passwordFingerprint;
}

export function isMulticast({ family, destination }: Decoded): boolean {
  if (family === "ipv6") return destination.startsWith("ff");
  const first = Number.parseInt(destination, 10);
  return first >= 224 && first <= 239;
}

/** A master always looks; a backup may leave it out for the master it knows. What a cut capture does not hold cannot be looked at. */
function checksAddresses({ source, checksum }: Decoded, { instance, state, source: known }: Receiver): boolean {
  if (checksum === "unverified") return false;
  return state === "MASTER" || !instance.skipCheckAdvAddr || source !== known;
}

/** Up to 2.3.2 the source is looked at together with the addresses. */
function checksSource(advert: Decoded, receiver: Receiver): boolean {
  const { instance, release } = receiver;
  if (instance.unicastPeers.length === 0 || !instance.checkUnicastSource) return false;
  return compareReleases(release, LOGS_ONLY) >= 0 || checksAddresses(advert, receiver);
}

const addressOf = (spi: number): string => [24, 16, 8, 0].map((shift) => (spi >>> shift) & 0xff).join(".");

const peerOf = ({ source }: Decoded, { unicastPeers }: Instance) =>
  unicastPeers.find(({ address }) => address === source);
