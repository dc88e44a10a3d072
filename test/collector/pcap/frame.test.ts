import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unpackFrame } from "../../../collector/pcap/frame.ts";
import { ethernet, ipv4, ipv6, vrrpPdu } from "../vrrp/packets.ts";

const pdu = vrrpPdu();
const packet4 = ipv4(pdu);
const packet6 = ipv6(pdu);

function sll2(etherType: number, packetType: number, index: number, ip: Uint8Array): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt16BE(etherType, 0);
  head.writeUInt32BE(index, 4);
  head[10] = packetType;
  return Buffer.concat([head, ip]);
}
function sll(packetType: number, etherType: number, ip: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt16BE(packetType, 0);
  head.writeUInt16BE(etherType, 14);
  return Buffer.concat([head, ip]);
}

describe("link layers", () => {
  test.each([
    ["Ethernet", 1, ethernet(packet4), undefined, undefined],
    ["Ethernet, IPv6", 1, ethernet(packet6, 0x86dd), undefined, undefined],
    ["802.1Q", 1, ethernet(packet4, 0x0800, [0x8100]), undefined, undefined],
    ["802.1ad around 802.1Q", 1, ethernet(packet6, 0x86dd, [0x88a8, 0x8100]), undefined, undefined],
    ["LINUX_SLL, received", 113, sll(2, 0x0800, packet4), false, undefined],
    ["LINUX_SLL, sent", 113, sll(4, 0x86dd, packet6), true, undefined],
    ["LINUX_SLL2, received", 276, sll2(0x0800, 2, 3, packet4), false, 3],
    ["LINUX_SLL2, sent, with a large index", 276, sll2(0x86dd, 4, 0x80000001, packet6), true, 0x80000001],
    [
      "LINUX_SLL2 with a VLAN tag",
      276,
      sll2(0x8100, 0, 3, Buffer.concat([Buffer.from([0, 7, 8, 0]), packet4])),
      false,
      3,
    ],
    ["raw IP", 101, packet6, undefined, undefined],
    ["raw IP, as OpenBSD numbers it", 14, packet4, undefined, undefined],
    ["raw IP, as others number it", 12, packet4, undefined, undefined],
    ["BSD loopback", 0, Buffer.concat([Buffer.from([2, 0, 0, 0]), packet4]), undefined, undefined],
    ["OpenBSD loopback", 108, Buffer.concat([Buffer.from([0, 0, 0, 24]), packet6]), undefined, undefined],
  ] as const)("%s", (_what, linkType, data, outgoing, interfaceIndex) => {
    const frame = unpackFrame({ linkType, data });
    expect(frame).toMatchObject({ outgoing, interfaceIndex });
    expect(frame?.ip.protocol).toBe(112);
    expect(frame && Buffer.from(frame.ip.payload)).toEqual(pdu);
    expect(frame?.ip.payloadLength).toBe(pdu.length);
  });

  test.each([
    ["another link type", 105, packet4],
    ["ARP", 1, ethernet(Buffer.alloc(28), 0x0806)],
    ["an 802.3 length in place of the type", 1, ethernet(Buffer.alloc(28), 0x0026)],
    ["half an Ethernet header", 1, ethernet(packet4).subarray(0, 13)],
    ["half a VLAN tag", 1, ethernet(packet4, 0x0800, [0x8100]).subarray(0, 16)],
    ["half an IPv4 header", 1, ethernet(packet4.subarray(0, 19))],
    ["half an IPv6 header", 1, ethernet(packet6.subarray(0, 39), 0x86dd)],
    ["IPv6 where the type says IPv4", 1, ethernet(packet6)],
    ["neither IPv4 nor IPv6", 101, Buffer.alloc(40, 0x50)],
    ["nothing", 276, Buffer.alloc(0)],
  ] as const)("%s holds no IP packet", (_what, linkType, data) => {
    expect(unpackFrame({ linkType, data })).toBeUndefined();
  });
});

describe("IPv4", () => {
  const unpack = (ip: Uint8Array) => unpackFrame({ linkType: 101, data: ip })?.ip;

  test("Ethernet's padding is not payload", () => {
    const frame = unpackFrame({ linkType: 1, data: ethernet(Buffer.concat([packet4, Buffer.alloc(18)])) });
    expect(frame?.ip.payload).toHaveLength(pdu.length);
  });
  test("options stand before the payload", () => {
    const options = Buffer.from([0x94, 4, 0, 0]);
    expect(Buffer.from(unpack(ipv4(pdu, { options }))?.payload ?? [])).toEqual(pdu);
  });
  test("the first fragment is known as one, the others hold no header to read", () => {
    expect(unpack(ipv4(pdu, { flags: 0x2000 }))?.fragmented).toBe(true);
    expect(unpack(ipv4(pdu, { flags: 0x2001 }))).toBeUndefined();
    expect(unpack(ipv4(pdu, { flags: 0x0002 }))).toBeUndefined();
    expect(unpack(ipv4(pdu, { flags: 0x4000 }))?.fragmented).toBe(false);
  });
  test("a cut capture tells how long the payload was", () => {
    expect(unpack(packet4.subarray(0, 30))).toMatchObject({ payloadLength: pdu.length, payload: pdu.subarray(0, 10) });
  });
  test.each([
    ["a header shorter than a header can be", 0, 0x44],
    ["a header longer than the packet", 0, 0x4f],
    ["a total length shorter than the header", 3, 10],
  ])("%s is refused", (_what, at, value) => {
    const ip = ipv4(Buffer.alloc(8));
    ip[at] = value;
    expect(unpack(ip)).toBeUndefined();
  });
});

describe("IPv6", () => {
  const unpack = (ip: Uint8Array) => unpackFrame({ linkType: 101, data: ip })?.ip;
  const extension = (next: number): Buffer => Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]);
  const longExtension = (next: number): Buffer => Buffer.concat([Buffer.from([next, 1]), Buffer.alloc(14)]);
  const fragment = (next: number, offsetAndFlags: number): Buffer =>
    Buffer.from([next, 0, offsetAndFlags >> 8, offsetAndFlags & 0xff, 0, 0, 0, 1]);

  test("extension headers stand before the payload", () => {
    const extensions = Buffer.concat([extension(60), longExtension(43), extension(112)]);
    const ip = unpack(ipv6(pdu, { nextHeader: 0, extensions }));
    expect(ip).toMatchObject({ protocol: 112, payloadLength: pdu.length });
    expect(Buffer.from(ip?.payload ?? [])).toEqual(pdu);
    expect(ip?.header).toHaveLength(40 + extensions.length);
  });
  test.each([
    ["an atomic fragment is whole", 0, false],
    ["the first fragment is known as one", 1, true],
  ])("%s", (_what, flags, fragmented) => {
    expect(unpack(ipv6(pdu, { nextHeader: 44, extensions: fragment(112, flags) }))?.fragmented).toBe(fragmented);
  });
  test("a later fragment holds no header to read", () => {
    expect(unpack(ipv6(pdu, { nextHeader: 44, extensions: fragment(112, 8) }))).toBeUndefined();
  });
  test("an extension header that reaches beyond the packet is refused", () => {
    const extensions = Buffer.from([112, 200, 0, 0, 0, 0, 0, 0]);
    expect(unpack(ipv6(pdu, { nextHeader: 0, extensions }))).toBeUndefined();
  });
});

test("no frame of any link type makes it throw, and the payload is never longer than the frame", () => {
  const linkType = fc.constantFrom(0, 1, 12, 101, 108, 113, 276, 4711);
  const start = fc.constantFrom(
    Buffer.alloc(0),
    packet4.subarray(0, 12),
    packet6.subarray(0, 40),
    ethernet(packet4).subarray(0, 20),
  );
  fc.assert(
    fc.property(linkType, start, fc.uint8Array({ maxLength: 120 }), (type, head, tail) => {
      const data = Buffer.concat([head, tail]);
      const frame = unpackFrame({ linkType: type, data });
      expect(frame?.ip.payload.length ?? 0).toBeLessThanOrEqual(data.length);
      expect(frame?.ip.payloadLength ?? 0).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 2000 },
  );
});
