import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Decoded, IpPacket, Malformed } from "../../../collector/vrrp/advert.ts";
import { decodeAdvert } from "../../../collector/vrrp/decode.ts";
import { runningOf } from "../../support/running.ts";
import { internetChecksum, ipAround, pseudoHeader, vrrpPdu } from "./packets.ts";

const decoded = (packet: IpPacket): Decoded => {
  const result = decodeAdvert(packet);
  if (!result || "reason" in result) throw new Error(`not decoded: ${JSON.stringify(result)}`);
  return result;
};
const v6 = { source: "fe80::1", destination: "ff02::12" };
const v4 = { source: "10.99.0.11", destination: "224.0.0.18" };
const unicast = { source: "10.99.0.11", destination: "10.99.0.12" };
/** keepalived's: next header, length 4, reserved, SPI, sequence number, HMAC-MD5-96. */
const ah = Buffer.concat([Buffer.from([112, 4, 0, 0, 10, 99, 0, 11, 0, 0, 0, 1]), Buffer.alloc(12, 0xaa)]);

test("a version 2 advert with a password has all of RFC 3768's fields but the password", () => {
  const advert = decoded(ipAround(vrrpPdu({ authType: 1, password: "s3cr3t!!", priority: 150 })));
  expect(advert).toEqual({
    version: 2,
    family: "ipv4",
    vrid: 51,
    priority: 150,
    advertIntervalUs: 1_000_000,
    vips: ["10.99.0.100"],
    ...v4,
    ttl: 255,
    authType: "pass",
    checksum: "ok",
    checksumVariant: "standard",
  });
});

test("a version 3 IPv6 advert has all of RFC 9568's fields", () => {
  const pdu = vrrpPdu({
    version: 3,
    vrid: 54,
    priority: 255,
    interval: 4095,
    vips: ["fe80::99:54", "fd00:99::54"],
    sum: v6,
  });
  expect(decoded(ipAround(pdu, v6))).toEqual({
    version: 3,
    family: "ipv6",
    vrid: 54,
    priority: 255,
    advertIntervalUs: 40_950_000,
    vips: ["fe80::99:54", "fd00:99::54"],
    ...v6,
    ttl: 255,
    authType: "none",
    checksum: "ok",
    checksumVariant: "standard",
  });
});

test("the reserved bits of version 3 are not part of the interval", () => {
  const pdu = vrrpPdu({ version: 3, interval: 0xf032, sum: v4 });
  expect(decoded(ipAround(pdu)).advertIntervalUs).toBe(500_000);
});

test.each([
  [0, "none"],
  [1, "pass"],
  [2, "ah"],
  [3, "unknown"],
] as const)("authentication type %i of version 2 is %s", (authType, name) => {
  expect(decoded(ipAround(vrrpPdu({ authType }))).authType).toBe(name);
});

test("an advert in an authentication header is read behind it", () => {
  const advert = decoded(ipAround(Buffer.concat([ah, vrrpPdu({ authType: 2 })]), { protocol: 51 }));
  expect(advert).toMatchObject({
    vrid: 51,
    authType: "ah",
    checksum: "ok",
    ah: { spi: 0x0a63000b, sequence: 1 },
  });
});

test("an authentication header with another length field moves the advert", () => {
  const longer = Buffer.concat([ah, Buffer.alloc(4)]);
  longer[1] = 5;
  expect(decoded(ipAround(Buffer.concat([longer, vrrpPdu()]), { protocol: 51 })).checksum).toBe("ok");
});

test("an authentication header around something else is no business of ours", () => {
  const esp = Buffer.concat([ah, vrrpPdu()]);
  esp[0] = 6;
  expect(decodeAdvert(ipAround(esp, { protocol: 51 }))).toBeUndefined();
  expect(decodeAdvert(ipAround(vrrpPdu(), { protocol: 6 }))).toBeUndefined();
});

describe("checksums that keepalived sends or accepts", () => {
  test.each([
    ["version 2 over IPv4", vrrpPdu(), v4, "standard"],
    ["version 3 multicast", vrrpPdu({ version: 3, sum: v4 }), v4, "standard"],
    ["version 3 unicast", vrrpPdu({ version: 3, sum: unicast }), unicast, "standard"],
    [
      "version 3 unicast with the multicast group in it, as up to 1.3.6",
      vrrpPdu({ version: 3, sum: v4 }),
      unicast,
      "multicast-destination",
    ],
    ["version 3 without a pseudo header (v3_checksum_as_v2)", vrrpPdu({ version: 3 }), v4, "no-pseudo-header"],
    ["version 3 over IPv6", vrrpPdu({ version: 3, vips: ["fe80::9"], sum: v6 }), v6, "standard"],
    ["version 2 over IPv6", vrrpPdu({ vips: ["fe80::9"], sum: v6 }), v6, "standard"],
    ["version 3 over IPv6 without a pseudo header", vrrpPdu({ version: 3, vips: ["fe80::9"] }), v6, "bad"],
    ["version 2 over IPv4 with a pseudo header", vrrpPdu({ sum: v4 }), v4, "bad"],
    ["version 3 for another destination", vrrpPdu({ version: 3, sum: { ...v4, destination: "10.1.2.3" } }), v4, "bad"],
  ] as const)("%s", (_what, pdu, way, verdict) => {
    const { checksum, checksumVariant } = decoded(ipAround(pdu, way));
    expect(checksumVariant ?? checksum).toBe(verdict);
    expect(checksum === "ok").toBe(checksumVariant !== undefined);
  });

  test("one flipped bit anywhere in the advert is found, unless it is no advert then", () => {
    const pdu = vrrpPdu({ authType: 1, password: "s3cr3t!!" });
    for (let bit = 0; bit < pdu.length * 8; bit += 1) {
      const flipped = Buffer.from(pdu);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = decodeAdvert(ipAround(flipped));
      expect(result && ("reason" in result || result.checksum === "bad"), `bit ${bit}`).toBe(true);
    }
  });

  test("the trailer of keepalived 2.4 is not part of the sum over IPv4, and is over IPv6, where the kernel makes it", () => {
    const trailer = Buffer.alloc(28, 0x5a);
    expect(decoded(ipAround(Buffer.concat([vrrpPdu({ version: 3, sum: v4 }), trailer]))).checksum).toBe("ok");
    const six = Buffer.concat([vrrpPdu({ version: 3, vips: ["fe80::9"], sum: v6 }), trailer]);
    expect(decoded(ipAround(six, v6)).checksum).toBe("bad");
    six.writeUInt16BE(0, 6);
    six.writeUInt16BE(internetChecksum(pseudoHeader(v6.source, v6.destination, six.length), six), 6);
    expect(decoded(ipAround(six, v6)).checksum).toBe("ok");
  });
});

test("a capture that was cut still tells who it is, and does not judge the sum", () => {
  const pdu = vrrpPdu({ vips: ["10.0.0.1", "10.0.0.2", "10.0.0.3"] });
  const cut = ipAround(pdu.subarray(0, 8 + 4 + 4 + 3), { payloadLength: pdu.length });
  expect(decoded(cut)).toMatchObject({ vrid: 51, vips: ["10.0.0.1", "10.0.0.2"], checksum: "unverified" });
  expect(decoded(ipAround(pdu.subarray(0, pdu.length - 1), { payloadLength: pdu.length })).checksum).toBe("unverified");
});

describe("what is VRRP by its number and not by its contents", () => {
  const with0 = (at: number, value: number): Buffer => {
    const pdu = vrrpPdu();
    pdu[at] = value;
    return pdu;
  };
  test.each<readonly [Malformed["reason"], IpPacket]>([
    ["header-truncated", ipAround(vrrpPdu().subarray(0, 7))],
    ["header-truncated", ipAround(new Uint8Array(0))],
    ["capture-truncated", ipAround(vrrpPdu().subarray(0, 7), { payloadLength: 20 })],
    ["version", ipAround(with0(0, 0x11))],
    ["version", ipAround(with0(0, 0x41))],
    ["type", ipAround(with0(0, 0x22))],
    ["vrid-zero", ipAround(with0(1, 0))],
    ["interval-zero", ipAround(with0(5, 0))],
    ["addresses-truncated", ipAround(with0(3, 4))],
    ["addresses-truncated", ipAround(with0(3, 255))],
    ["auth-truncated", ipAround(with0(3, 2))],
    ["auth-truncated", ipAround(vrrpPdu().subarray(0, 19))],
    ["fragment", ipAround(vrrpPdu(), { fragmented: true })],
    ["ah-truncated", ipAround(ah.subarray(0, 11), { protocol: 51 })],
    ["header-truncated", ipAround(Buffer.concat([ah, vrrpPdu().subarray(0, 4)]), { protocol: 51 })],
    ["capture-truncated", ipAround(ah.subarray(0, 20), { protocol: 51, payloadLength: 44 })],
    ["carp", ipAround(Buffer.concat([Buffer.from([0x21, 1, 0, 7, 0, 1, 0, 0]), Buffer.alloc(28, 0x77)]))],
  ])("%s", (reason, packet) => {
    expect(decodeAdvert(packet)).toEqual({ reason });
  });
});

const anyPacket = fc
  .record({
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      // Mostly right, so that it gets past the first checks.
      fc
        .tuple(fc.constantFrom(0x21, 0x31), fc.uint8Array({ maxLength: 80 }))
        .map(([first, rest]) => Uint8Array.from([first, ...rest])),
    ),
    cut: fc.nat(60),
    protocol: fc.constantFrom(112, 112, 51),
    way: fc.constantFrom(v4, v6),
    fragmented: fc.boolean(),
  })
  .map(({ payload, cut, protocol, way, fragmented }) =>
    ipAround(payload, { protocol, ...way, fragmented, payloadLength: payload.length + cut }),
  );

test("no bytes make it throw, and what it decodes is within the contract's ranges", () => {
  fc.assert(
    fc.property(anyPacket, (packet) => {
      const result = decodeAdvert(packet);
      if (!result || "reason" in result) return;
      expect(result.vrid).toBeGreaterThan(0);
      expect(result.advertIntervalUs).toBeGreaterThan(0);
      expect(8 + result.vips.length * (result.family === "ipv4" ? 4 : 16)).toBeLessThanOrEqual(packet.payload.length);
    }),
    { numRuns: 2000 },
  );
});

test("no password is in anything the decoder returns", () => {
  const password = fc.stringMatching(/^[a-zA-Z!-/]{8}$/);
  fc.assert(
    fc.property(password, fc.constantFrom(1, 2, 0, 9), fc.nat(40), (secret, authType, length) => {
      const pdu = vrrpPdu({ authType, password: secret });
      const result = decodeAdvert(ipAround(pdu.subarray(0, length), { payloadLength: pdu.length }));
      expect(JSON.stringify(result)).not.toContain(secret);
      expect(JSON.stringify(result)).not.toContain(Buffer.from(secret).toString("hex"));
    }),
  );
});

describe("the fingerprint of a password", () => {
  const ofWire = (password: string, over: Partial<IpPacket> = {}, key?: string): string | undefined => {
    const result = decodeAdvert(ipAround(vrrpPdu({ authType: 1, password }), over), key);
    return result && "reason" in result ? undefined : result?.passwordFingerprint;
  };
  const ofConfiguration = (password: string, key: string): string | undefined => {
    const text = `vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n authentication {\n auth_type PASS\n auth_pass ${password}\n }\n virtual_ipaddress {\n 10.99.0.100\n }\n}\n`;
    return runningOf(text, { fingerprintKey: key, release: [2, 2, 7] }).instances[0]?.authentication
      .passwordFingerprint;
  };

  test.each(["a", "sevenly", "s3cr3t++", "longer-than-eight"])("is that of the configuration: %s", (password) => {
    expect(ofWire(password, {}, "key")).toMatch(/^[0-9a-f]{32}$/);
    expect(ofWire(password, {}, "key")).toBe(ofConfiguration(password, "key"));
  });

  test("differs with the password and with the key", () => {
    expect(ofWire("a", {}, "key")).not.toBe(ofWire("b", {}, "key"));
    expect(ofWire("a", {}, "key")).not.toBe(ofWire("a", {}, "another"));
  });

  test.each<[string, string | undefined, Partial<IpPacket>]>([
    ["without a key", undefined, {}],
    ["of a packet that was cut", "key", { payloadLength: 40 }],
  ])("is not there %s", (_, key, over) => {
    expect(ofWire("a", over, key)).toBeUndefined();
  });

  test.each([0, 2, 3])("is not there for authentication type %i", (authType) => {
    expect(decodeAdvert(ipAround(vrrpPdu({ authType, password: "a" })), "key")).not.toHaveProperty(
      "passwordFingerprint",
    );
  });
});
