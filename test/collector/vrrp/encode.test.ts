import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unpackFrame } from "../../../collector/pcap/frame.ts";
import { decodeAdvert } from "../../../collector/vrrp/decode.ts";
import { encodeAdvert, type Kept } from "../../../collector/vrrp/encode.ts";

const v4 = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.99.${a}.${b}`);
const v6 = fc
  .tuple(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 1, max: 0xffff }))
  .map(([a, b]) => `fd00:99::${a.toString(16)}:1:${b.toString(16)}`);
const advert: fc.Arbitrary<Kept> = fc
  .constantFrom(["ipv4", v4] as const, ["ipv6", v6] as const)
  .chain(([family, address]) =>
    fc.record({
      version: family === "ipv4" ? fc.constantFrom(2 as const, 3 as const) : fc.constant(3 as const),
      family: fc.constant(family),
      vrid: fc.integer({ min: 1, max: 255 }),
      priority: fc.nat(255),
      advertIntervalUs: fc.integer({ min: 1, max: 40 }).map((seconds) => seconds * 1_000_000),
      vips: fc.array(address, { maxLength: 20 }),
      peer: address,
      destination: fc.constant(family === "ipv4" ? "224.0.0.18" : "ff02::12"),
      ttl: fc.integer({ min: 1, max: 255 }),
      authType: fc.constant("none" as const),
      checksum: fc.constant("ok" as const),
    }),
  );

const again = (kept: Kept) => {
  const data = Buffer.from(encodeAdvert(kept) ?? []);
  const ip = unpackFrame({ linkType: 101, data })?.ip;
  return ip ? decodeAdvert(ip) : undefined;
};

describe("an advert made again of what is kept of it", () => {
  test("is decoded to the same, whatever it was", () => {
    fc.assert(
      fc.property(advert, (kept) => {
        const { peer, ...rest } = kept;
        expect(again(kept)).toEqual({ ...rest, source: peer, checksumVariant: "standard" });
      }),
    );
  });

  const plain: Kept = {
    version: 2,
    family: "ipv4",
    vrid: 51,
    priority: 150,
    advertIntervalUs: 1_000_000,
    vips: ["10.99.0.100"],
    peer: "10.99.0.11",
    destination: "224.0.0.18",
    ttl: 255,
    authType: "pass",
    checksum: "ok",
  };

  test("says that there was a password, and holds none", () => {
    expect(again(plain)).toMatchObject({ authType: "pass", checksum: "ok" });
    expect(encodeAdvert(plain)?.slice(-8)).toEqual(new Uint8Array(8));
  });

  test("has a wrong sum where it had one", () => {
    expect(again({ ...plain, checksum: "bad" })).toMatchObject({ checksum: "bad" });
  });

  test("is not made of an address that is none", () => {
    expect(encodeAdvert({ ...plain, vips: ["nowhere"] })).toBeUndefined();
    expect(encodeAdvert({ ...plain, peer: "fe80::1" })).toBeUndefined();
  });
});
