import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeAdvert, type Kept } from "../../../collector/vrrp/encode.ts";
import { packetParts } from "../../../collector/vrrp/packet-parts.ts";

const plain: Kept = {
  version: 2,
  family: "ipv4",
  vrid: 51,
  priority: 150,
  advertIntervalUs: 1_000_000,
  vips: ["10.99.0.100", "10.99.0.101/24"],
  peer: "10.99.0.11",
  destination: "224.0.0.18",
  ttl: 255,
  authType: "pass",
  checksum: "ok",
};
const six: Kept = {
  ...plain,
  version: 3,
  family: "ipv6",
  advertIntervalUs: 250_000,
  vips: ["fe80::64"],
  peer: "fe80::b",
  destination: "ff02::12",
  authType: "none",
};

const partsOf = (kept: Kept) => {
  const packet = encodeAdvert(kept) ?? new Uint8Array();
  return packetParts(packet, kept).map(({ name, at, length, value, origin }) => ({
    name,
    hex: Buffer.from(packet.subarray(at, at + length)).toString("hex"),
    value,
    origin,
  }));
};
const rows = (kept: Kept) =>
  partsOf(kept).map(({ name, hex, value, origin }) =>
    [name, hex, value, origin].filter((cell) => cell !== "").join(" "),
  );

describe("the bytes of an advert by their fields", () => {
  test("version 2 over IPv4, its password zeros", () => {
    expect(rows(plain)).toEqual([
      "ip-version 45 4 derived",
      "traffic-class c0 derived",
      "total-length 002c 44 derived",
      "identification 0000 zeroed",
      "fragment 0000 zeroed",
      "ttl ff 255 kept",
      "protocol 70 112 (VRRP) derived",
      expect.stringMatching(/^header-checksum ([0-9a-f]{4}) 0x\1 derived$/),
      "source 0a63000b 10.99.0.11 kept",
      "destination e0000012 224.0.0.18 kept",
      "version-type 21 2, 1 kept",
      "vrid 33 51 kept",
      "priority 96 150 kept",
      "address-count 02 2 derived",
      "auth-type 01 pass kept",
      "advert-interval 01 1 s kept",
      expect.stringMatching(/^checksum ([0-9a-f]{4}) 0x\1 derived$/),
      "address 0a630064 10.99.0.100 kept",
      "address 0a630065 10.99.0.101 kept",
      "authentication 0000000000000000 zeroed",
    ]);
  });

  test("version 3 over IPv6", () => {
    expect(rows(six).slice(0, 5)).toEqual([
      "ip-version 6c 6 derived",
      "flow-label 000000 zeroed",
      "payload-length 0018 24 derived",
      "protocol 70 112 (VRRP) derived",
      "ttl ff 255 kept",
    ]);
    expect(rows(six)).toContain("advert-interval 0019 0.25 s kept");
    expect(rows(six).at(-1)).toMatch(/^address fe80.*64 fe80::64 kept$/);
  });

  test("are all there once, in order, and what is not kept is zeros", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(plain, six, { ...plain, version: 3 as const }, { ...six, version: 2 as const }),
        fc.nat(20),
        fc.nat(255),
        (base, count, priority) => {
          const kept = { ...base, priority, vips: Array.from({ length: count }, () => base.vips[0] ?? "") };
          const packet = encodeAdvert(kept) ?? new Uint8Array();
          const parts = packetParts(packet, kept);
          let at = 0;
          for (const part of parts) {
            expect(part.at).toBe(at);
            at += part.length;
            if (part.origin === "zeroed") expect(packet.subarray(part.at, at).every((byte) => byte === 0)).toBe(true);
          }
          expect(at).toBe(packet.length);
        },
      ),
    );
  });
});
