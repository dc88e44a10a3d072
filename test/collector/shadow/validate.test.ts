import { describe, expect, test } from "vitest";
import { allGrammars } from "../../../collector/logs/grammars/all.ts";
import type { Instance } from "../../../collector/conf/model/types.ts";
import type { Release } from "../../../collector/conf/version.ts";
import { type Receiver, validate } from "../../../collector/shadow/validate.ts";
import type { Decoded } from "../../../collector/vrrp/advert.ts";
import { runningOf } from "../../support/running.ts";
import { advert, instanceText } from "./scenario.ts";

const PASS = "authentication {; auth_type PASS; auth_pass secret; }";
const AH = "authentication {; auth_type AH; auth_pass secret; }";
const UNICAST = "check_unicast_src; unicast_peer {; 10.0.0.2 min_ttl 200 max_ttl 254; }";
const toUs = { destination: "10.0.0.1", ttl: 255 } as const;

function instanceOf(lines: string, release: Release): Instance {
  const [instance] = runningOf(instanceText({ lines }), { release, fingerprintKey: "key" }).instances;
  if (!instance) throw new Error("no instance");
  return instance;
}

const fingerprint = (): string => {
  const { passwordFingerprint = "" } = instanceOf(PASS, [2, 2, 7]).authentication;
  return passwordFingerprint;
};

interface Case {
  readonly lines?: string;
  readonly advert?: Partial<Decoded>;
  readonly receiver?: Partial<Receiver>;
  readonly release?: Release;
}

function verdict({ lines = "", advert: over = {}, receiver = {}, release = [2, 2, 7] }: Case): string {
  const result = validate(advert(over), {
    instance: instanceOf(lines, release),
    release,
    state: "BACKUP",
    source: undefined,
    ...receiver,
  });
  return result.accepted ? ["accepted", ...result.complaints].join(" ") : result.reason;
}

const TABLE: readonly (readonly [what: string, given: Case, said: string])[] = [
  ["what fits", {}, "accepted"],
  ["a priority of 0", { advert: { priority: 0 } }, "accepted"],
  ["a header that the instance does not have", { advert: { ah: { spi: 0x0a000002, sequence: 1 } } }, "auth"],
  ["a header that is missing", { lines: AH }, "auth"],
  ["a header", { lines: AH, advert: { authType: "ah", ah: { spi: 0x0a000002, sequence: 1 } } }, "accepted"],
  ["somebody else's SPI", { lines: AH, advert: { authType: "ah", ah: { spi: 0x0a000003, sequence: 1 } } }, "auth"],
  ["a router in between", { advert: { ttl: 254 } }, "ttl"],
  ["any TTL by unicast", { lines: "unicast_peer {; 10.0.0.2; }", advert: { ...toUs, ttl: 3 } }, "accepted"],
  ["another version", { advert: { version: 3 } }, "version"],
  ["a type that does not exist", { advert: { authType: "unknown" } }, "auth"],
  ["a password where none is expected", { advert: { authType: "pass" } }, "auth"],
  ["no password", { lines: PASS }, "auth"],
  ["the password", { lines: PASS, advert: { authType: "pass", passwordFingerprint: fingerprint() } }, "accepted"],
  ["another password", { lines: PASS, advert: { authType: "pass", passwordFingerprint: "0".repeat(32) } }, "auth"],
  ["a password nobody could compare", { lines: PASS, advert: { authType: "pass" } }, "accepted"],
  ["another interval", { advert: { advertIntervalUs: 2_000_000 } }, "interval"],
  [
    "another interval in version 3",
    { lines: "version 3", advert: { version: 3, advertIntervalUs: 2_000_000 } },
    "accepted",
  ],
  ["more addresses", { advert: { vips: ["10.0.0.100", "10.0.0.101"] } }, "vip-list"],
  ["no addresses", { advert: { vips: [] } }, "vip-list"],
  ["another address", { advert: { vips: ["10.0.0.101"] } }, "vip-list"],
  ["addresses of a capture that was cut", { advert: { vips: [], checksum: "unverified" } }, "accepted"],
  [
    "the known master's addresses, with skip_check_adv_addr",
    { lines: "skip_check_adv_addr", advert: { vips: [] }, receiver: { source: "10.0.0.2" } },
    "accepted",
  ],
  [
    "another one's",
    { lines: "skip_check_adv_addr", advert: { vips: [] }, receiver: { source: "10.0.0.3" } },
    "vip-list",
  ],
  [
    "as a master",
    { lines: "skip_check_adv_addr", advert: { vips: [] }, receiver: { source: "10.0.0.2", state: "MASTER" } },
    "vip-list",
  ],
  ["a wrong checksum", { advert: { checksum: "bad" } }, "checksum"],
  [
    "the checksum of up to 1.3.6, by unicast",
    {
      lines: "version 3; unicast_peer {; 10.0.0.2; }",
      advert: { ...toUs, version: 3, checksumVariant: "multicast-destination" },
    },
    "accepted",
  ],
  [
    "the same, with old_unicast_checksum never",
    {
      lines: "version 3; old_unicast_checksum never; unicast_peer {; 10.0.0.2; }",
      advert: { ...toUs, version: 3, checksumVariant: "multicast-destination" },
    },
    "checksum",
  ],
  [
    "a sum without pseudo header",
    { lines: "version 3", advert: { version: 3, checksumVariant: "no-pseudo-header" } },
    "checksum",
  ],
  [
    "the same, with v3_checksum_as_v2",
    {
      lines: "version 3; v3_checksum_as_v2",
      advert: { version: 3, checksumVariant: "no-pseudo-header" },
      release: [2, 2, 8],
    },
    "accepted",
  ],
  [
    "the standard one, with v3_checksum_as_v2",
    { lines: "version 3; v3_checksum_as_v2", advert: { version: 3 }, release: [2, 2, 8] },
    "checksum",
  ],
  ["unicast to a multicast instance", { advert: { destination: "10.0.0.1" } }, "cast"],
  ["multicast to a unicast instance", { lines: "unicast_peer {; 10.0.0.2; }" }, "cast"],
  ["a stranger", { lines: UNICAST, advert: { ...toUs, source: "10.0.0.3" } }, "unicast-source"],
  ["a peer from too near", { lines: UNICAST, advert: toUs }, "ttl"],
  ["a peer from too far", { lines: UNICAST, advert: { ...toUs, ttl: 199 } }, "ttl"],
  ["a peer", { lines: UNICAST, advert: { ...toUs, ttl: 200 } }, "accepted"],
  ["the trailer of auth_hmac, before 2.4", { advert: { hmac: trailer() } }, "length"],
  ["the first fault in keepalived's order", { advert: { ttl: 1, version: 3, vips: [], checksum: "bad" } }, "ttl"],
  ["other addresses in 2.3.3", { advert: { vips: ["10.0.0.101"] }, release: [2, 3, 3] }, "accepted vip-list"],
  ["another interval in 2.3.3", { advert: { advertIntervalUs: 2_000_000 }, release: [2, 3, 3] }, "interval"],
];

function trailer(): NonNullable<Decoded["hmac"]> {
  return { keyId: 1 } as NonNullable<Decoded["hmac"]>;
}

describe("an instance that hears", () => {
  test.each(TABLE)("%s", (_, given, said) => {
    expect(verdict(given)).toBe(said);
  });
});

test("the reasons are those that the log has", () => {
  const known = allGrammars.map(({ id }) => id);
  for (const reason of new Set(TABLE.map(([, , said]) => said).filter((said) => !said.startsWith("accepted"))))
    expect(known).toContain(`vrrp.advert-rejected.${reason}`);
});
