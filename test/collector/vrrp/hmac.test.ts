import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { decodeAdvert } from "../../../collector/vrrp/decode.ts";
import { readHmacTrailer, verifyHmac } from "../../../collector/vrrp/hmac.ts";
import { bytesOf, ipAround, vrrpPdu } from "./packets.ts";

const KEY = Buffer.alloc(32, 0x4b);
const v4 = { source: "10.99.0.11", destination: "224.0.0.18" };
const v6 = { source: "fe80::1", destination: "ff02::12" };

/** What keepalived 2.4 sends: signed by openssl, so that the code is not checked by itself. */
function signed(source: string, version: 2 | 3, key = KEY): Buffer {
  const ipv6 = source.includes(":");
  const pdu = vrrpPdu({ version, vrid: 51, ...(ipv6 ? { vips: ["fe80::9"] } : {}) });
  const head = Buffer.from([1, 7, 0, 0, 0x6a, 0xf4, 0xf0, 0x60, 0x80, 0, 0, 3]);
  const unsummed = Buffer.from(pdu);
  unsummed.writeUInt16BE(0, 6);
  const pseudo = Buffer.alloc(20);
  pseudo.set([ipv6 ? 6 : 4, version, 51, 0, ...bytesOf(source)]);
  const mac = execFileSync("openssl", ["dgst", "-sha256", "-mac", "HMAC", "-macopt", `hexkey:${key.toString("hex")}`], {
    input: Buffer.concat([pseudo, unsummed, head, Buffer.alloc(16)]),
    encoding: "utf8",
  });
  return Buffer.concat([pdu, head, Buffer.from(mac.trim().slice(-64), "hex").subarray(0, 16)]);
}

test("the trailer's fields are shown, its check value is not", () => {
  const decoded = decodeAdvert(ipAround(signed(v4.source, 3), v4));
  expect(decoded).toMatchObject({
    hmac: { scheme: 1, keyId: 7, signedTs: 1_794_437_216_500_000, counter: 3 },
  });
  expect(Object.keys((decoded as { hmac: object }).hmac)).toEqual(["scheme", "keyId", "signedTs", "counter"]);
});

test.each([
  ["version 2 over IPv4", v4, 2],
  ["version 3 over IPv4", v4, 3],
  ["version 3 over IPv6", v6, 3],
] as const)("%s is verified with its key, and with no other", (_what, { source }, version) => {
  const payload = signed(source, version);
  const family = source.includes(":") ? "ipv6" : "ipv4";
  const what = { family, version, vrid: 51, source: bytesOf(source), payload } as const;
  expect(verifyHmac(what, KEY)).toBe(true);
  expect(verifyHmac(what, Buffer.alloc(32, 0x4c))).toBe(false);
  expect(verifyHmac({ ...what, vrid: 52 }, KEY)).toBe(false);
  expect(verifyHmac({ ...what, source: bytesOf(family === "ipv4" ? "10.99.0.12" : "fe80::2") }, KEY)).toBe(false);
});

test("every bit is signed but those of the checksum, which differs from peer to peer", () => {
  const payload = signed(v4.source, 3);
  const what = { family: "ipv4", version: 3, vrid: 51, source: bytesOf(v4.source) } as const;
  for (let bit = 0; bit < payload.length * 8; bit += 1) {
    const flipped = Buffer.from(payload);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const isChecksum = bit >> 4 === 3;
    expect(verifyHmac({ ...what, payload: flipped }, KEY) === true, `bit ${bit}`).toBe(isChecksum);
  }
});

describe("what is no such trailer", () => {
  test.each([
    ["another length", Buffer.alloc(27, 1)],
    ["scheme 0", Buffer.from([0, 1, ...Buffer.alloc(26)])],
    ["key id 0", Buffer.from([1, 0, ...Buffer.alloc(26)])],
  ])("%s", (_what, bytes) => {
    expect(readHmacTrailer(bytes)).toBeUndefined();
    const decoded = decodeAdvert(ipAround(Buffer.concat([vrrpPdu(), bytes])));
    expect(decoded).not.toHaveProperty("hmac");
  });
  test("an unknown scheme is shown and cannot be verified", () => {
    const payload = signed(v4.source, 3);
    payload[payload.length - 28] = 9;
    expect(decodeAdvert(ipAround(payload))).toMatchObject({ hmac: { scheme: 9 } });
    const what = { family: "ipv4", version: 3, vrid: 51, source: bytesOf(v4.source), payload } as const;
    expect(verifyHmac(what, KEY)).toBeUndefined();
  });
});
