import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Observation } from "../../../collector/events/observation.ts";
import { BURST_US, createAnnouncements, PER_SECOND_MAX } from "../../../collector/pcap/announcements.ts";
import { readGratuitousArp, readUnsolicitedAdvert } from "../../../collector/pcap/neighbour.ts";
import { createCaptureReader } from "../../../collector/pcap/observations.ts";
import { bytesOf, ethernet, ipAround, ipv4, ipv6, vrrpPdu } from "../vrrp/packets.ts";
import { pcap } from "./files.ts";

const MAC = [2, 0, 0, 0, 0, 0x0b];
const NS = 1_795_522_272_000_000_000n;

function arp({ operation = 1, sender = "10.99.0.100", target = "" } = {}): Buffer {
  const head = [0, 1, 8, 0, 6, 4, operation >> 8, operation & 0xff];
  return Buffer.from([
    ...head,
    ...MAC,
    ...bytesOf(sender),
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    ...bytesOf(target || sender),
  ]);
}
function neighbourAdvert({ flags = 0x20, target = "fd00:99::100", option = [2, 1, ...MAC] } = {}): Buffer {
  return Buffer.from([136, 0, 0, 0, flags, 0, 0, 0, ...bytesOf(target), ...option]);
}
const icmpv6 = (payload: Uint8Array, over = {}) =>
  ipAround(payload, { source: "fe80::1", destination: "ff02::1", protocol: 58, ...over });

describe("gratuitous ARP", () => {
  test.each([1, 2])("operation %i announces an address and where it is", (operation) => {
    expect(readGratuitousArp(arp({ operation }))).toEqual({
      family: "ipv4",
      address: "10.99.0.100",
      mac: "02:00:00:00:00:0b",
    });
  });
  test.each([
    ["a question", arp({ target: "10.99.0.1" })],
    ["a probe, which claims nothing", arp({ sender: "0.0.0.0" })],
    ["another operation", arp({ operation: 3 })],
    ["another hardware", Buffer.concat([Buffer.from([0, 6]), arp().subarray(2)])],
    ["half of it", arp().subarray(0, 27)],
    ["nothing", Buffer.alloc(0)],
  ])("%s is none", (_what, data) => {
    expect(readGratuitousArp(data)).toBeUndefined();
  });
});

describe("an unsolicited neighbour advertisement", () => {
  test("announces an address and where it is, whatever options come first", () => {
    const option = [14, 1, 0, 0, 0, 0, 0, 0, 2, 1, ...MAC];
    expect(readUnsolicitedAdvert(icmpv6(neighbourAdvert({ option })))).toEqual({
      family: "ipv6",
      address: "fd00:99::100",
      mac: "02:00:00:00:00:0b",
    });
  });
  test.each([
    ["an answer to somebody", icmpv6(neighbourAdvert({ flags: 0x60 }))],
    ["one that was routed", icmpv6(neighbourAdvert(), { ttl: 254 })],
    ["a solicitation", icmpv6(Buffer.concat([Buffer.from([135]), neighbourAdvert().subarray(1)]))],
    ["one without the address", icmpv6(neighbourAdvert({ option: [] }))],
    ["one with an option of no length", icmpv6(neighbourAdvert({ option: [2, 0, ...MAC] }))],
    ["half of it", icmpv6(neighbourAdvert().subarray(0, 23))],
    ["IPv4", ipAround(neighbourAdvert(), { protocol: 58 })],
  ])("%s is none", (_what, packet) => {
    expect(readUnsolicitedAdvert(packet)).toBeUndefined();
  });
  test("no bytes make it throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (tail) => {
        readUnsolicitedAdvert(icmpv6(Buffer.concat([neighbourAdvert().subarray(0, 24), tail])));
        readGratuitousArp(tail);
      }),
    );
  });
});

describe("how much of it is told", () => {
  const seen = { family: "ipv4", address: "10.99.0.100", mac: "02:00:00:00:00:0b" } as const;

  test("nothing of an address that is not virtual", () => {
    const announcements = createAnnouncements();
    expect(announcements.isNews(seen, "eth0", 0)).toBe(false);
    announcements.know(["10.99.0.100"]);
    expect(announcements.isNews(seen, "eth0", 0)).toBe(true);
  });
  test("of a burst the first; of another place or hardware address its own", () => {
    const announcements = createAnnouncements();
    announcements.know(["10.99.0.100"]);
    const news = [
      announcements.isNews(seen, "eth0", 0),
      announcements.isNews(seen, "eth0", BURST_US - 1),
      announcements.isNews({ ...seen, mac: "02:00:00:00:00:0c" }, "eth0", 1),
      announcements.isNews(seen, "eth1", 2),
      announcements.isNews(seen, "eth0", BURST_US),
    ];
    expect(news).toEqual([true, false, true, true, true]);
  });
  test("only so many a second, however many hardware addresses somebody makes up; the others are counted", () => {
    const announcements = createAnnouncements();
    announcements.know(["10.99.0.100"]);
    const told = Array.from({ length: 20_000 }, (_, i) =>
      announcements.isNews({ ...seen, mac: `02:00:00:00:${i >> 8}:${i & 255}` }, "eth0", 1_000 + i * 50),
    ).filter(Boolean).length;
    expect(told).toBe(PER_SECOND_MAX);
    expect(announcements.refused()).toBe(20_000 - PER_SECOND_MAX);
  });
});

test("a capture tells the announcements of the addresses in its adverts, and of those it was told", () => {
  const frames = [
    ethernet(arp({ sender: "10.99.0.101" }), 0x0806),
    ethernet(ipv4(vrrpPdu())),
    ethernet(arp(), 0x0806, [0x8100]),
    ethernet(arp(), 0x0806, [0x8100]),
    ethernet(arp({ sender: "10.99.0.7" }), 0x0806),
    ethernet(arp({ sender: "10.99.0.101" }), 0x0806),
    ethernet(ipv6(neighbourAdvert(), { nextHeader: 58, destination: "ff02::1" }), 0x86dd),
  ];
  const file = pcap(
    frames.map((data, at) => ({ ns: NS + BigInt(at) * 1000n, data })),
    { little: true, nanos: true, linkType: 1 },
  );
  const reader = createCaptureReader({ path: "x.pcap" });
  reader.know(["10.99.0.101", "fd00:99::100"]);
  const told = reader.push(file).filter(({ body }: Observation) => body.kind === "wire.garp");
  expect(told.map(({ at, body }) => [at, body])).toEqual([
    ["x.pcap#1", garp("?", "10.99.0.101")],
    ["x.pcap#3", garp("?.7", "10.99.0.100")],
    ["x.pcap#7", garp("?", "fd00:99::100")],
  ]);
  expect(reader.counts()).toMatchObject({ adverts: 1, announcements: 6, other: 0 });
  expect(new Set(told.map(({ idParts }) => idParts.join())).size).toBe(3);
});

const garp = (nic: string, address: string) => ({
  kind: "wire.garp",
  interface: nic,
  family: address.includes(":") ? "ipv6" : "ipv4",
  address,
  mac: "02:00:00:00:00:0b",
  outgoing: false,
});
