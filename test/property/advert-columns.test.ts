import fc from "fast-check";
import { expect, test } from "vitest";
import { AUTH_TYPES, CHECKSUMS } from "../../collector/pcap/advert-columns.ts";
import { AdvertScanner } from "../../collector/pcap/advert-scan.ts";
import { type Frame, unpackFrame } from "../../collector/pcap/frame.ts";
import { createPcapParser, dataOf } from "../../collector/pcap/reader.ts";
import { decodeAdvert } from "../../collector/vrrp/decode.ts";
import { pcap } from "../collector/pcap/files.ts";
import { frameOf, ipPacketOf, LINKS, linkTypeOf } from "../collector/pcap/generated.ts";
import { ethernet } from "../collector/vrrp/packets.ts";
import { damage, shape } from "./adverts.ts";

/** The columns know the usual adverts and ask the decoder about all others: of every advert both must say the same. */

/** What one pass over a capture says, an advert a row. */
interface Reading {
  readonly adverts: readonly object[];
  readonly reasons: Readonly<Record<string, number>>;
  readonly other: number;
  readonly untimed: number;
  readonly fault: string | undefined;
}

function throughColumns(file: Uint8Array, sizes: readonly number[]): Reading {
  const adverts: object[] = [];
  const scanner = new AdvertScanner((columns) => {
    for (let row = 0; row < columns.rows; row++)
      adverts.push({
        ts: columns.ts[row],
        ...scanner.streams.of(columns.stream[row] ?? -1),
        version: columns.version[row],
        priority: columns.priority[row],
        advertIntervalUs: (columns.interval[row] ?? 0) * 10_000,
        vips: columns.addresses[row],
        ttl: columns.ttl[row],
        authType: AUTH_TYPES[columns.auth[row] ?? -1],
        checksum: CHECKSUMS[columns.checksum[row] ?? -1],
      });
  });
  for (let at = 0, turn = 0; at < file.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    scanner.push(file.subarray(at, at + size));
    at += size;
  }
  const fault = scanner.end();
  const { reasons, other, untimed } = scanner.counts();
  return { adverts, reasons: Object.fromEntries(reasons), other, untimed, fault };
}

function throughDecoder(file: Uint8Array): Reading {
  const parser = createPcapParser();
  const adverts: object[] = [];
  const reasons: Record<string, number> = {};
  let other = 0;
  let untimed = 0;
  for (const packet of parser.push(file)) {
    const frame = unpackFrame({ linkType: packet.linkType, data: dataOf(packet) });
    const decoded = frame && decodeAdvert(frame.ip);
    if (!frame || !decoded) other += 1;
    else if (packet.tsUs === undefined) untimed += 1;
    else if ("reason" in decoded) reasons[decoded.reason] = (reasons[decoded.reason] ?? 0) + 1;
    else
      adverts.push({
        ts: packet.tsUs,
        interface: interfaceOf(frame, packet.interfaceName),
        outgoing: frame.outgoing ?? false,
        family: decoded.family,
        vrid: decoded.vrid,
        source: decoded.source,
        destination: decoded.destination,
        version: decoded.version,
        priority: decoded.priority,
        advertIntervalUs: decoded.advertIntervalUs,
        vips: decoded.vips.length,
        ttl: decoded.ttl,
        authType: decoded.authType,
        checksum: decoded.checksumVariant ?? decoded.checksum,
      });
  }
  return { adverts, reasons, other, untimed, fault: parser.end() };
}

function interfaceOf({ interfaceIndex, vlans }: Frame, name: string | undefined): string {
  const base = interfaceIndex === undefined || interfaceIndex === 0 ? (name ?? "?") : `if${interfaceIndex}`;
  return [base, ...vlans].join(".");
}

const capture = fc
  .record({
    link: fc.constantFrom(...LINKS),
    family: fc.constantFrom("ipv4", "ipv6"),
    little: fc.boolean(),
    nanos: fc.boolean(),
    adverts: fc.array(fc.tuple(shape, damage, fc.boolean(), fc.nat(2_000_000_000)), { maxLength: 30 }),
    cut: fc.nat(400),
  })
  .map(({ link, family, little, nanos, adverts, cut }) => {
    const packets = adverts.map(([one, how, isOther, ns]) => {
      const isOneFamily = link === "ipv4-or-ipv6";
      const sent = { ...one, ...(isOneFamily ? { family, auth: "none" as const } : {}) };
      const ip = ipPacketOf(sent);
      if (how && "ipAt" in how) ip[how.ipAt] = how.to;
      const frame = isOther ? ethernet(Buffer.alloc(46, 0x11), 0x0800) : frameOf(ip, link, sent);
      const original = Buffer.from(frame);
      if (how && "at" in how && how.at < frame.length) frame[how.at] = how.to;
      const data = how && "keep" in how ? frame.subarray(0, how.keep) : frame;
      return { ns: 1_795_522_272_000_000_000n + BigInt(ns), data, originalLength: original.length };
    });
    const file = pcap(packets, { little, nanos, linkType: linkTypeOf(link, family as "ipv4") });
    return cut > 100 ? file : file.subarray(0, Math.max(0, file.length - cut));
  });

test("the columns say of every advert what the decoder says, in whatever pieces it comes", () => {
  fc.assert(
    fc.property(capture, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 9 }), (file, sizes) => {
      expect(throughColumns(file, sizes)).toEqual(throughDecoder(file));
    }),
    { numRuns: 1_500 },
  );
});

test("most of the usual adverts never reach the decoder, so that the comparison compares something", () => {
  const usual = fc
    .sample(shape, 200)
    .filter(({ auth, vips, vrid, interval }) => vips * vrid * interval > 0 && (auth === "none" || auth === "pass"));
  const packets = usual.map((one) => ({ ns: 0n, data: frameOf(ipPacketOf(one), "sll2", one) }));
  const file = pcap(packets, { little: true, nanos: true, linkType: 276 });
  const scanner = new AdvertScanner(() => undefined);
  let asked = 0;
  const decode = Reflect.get(scanner, "decode") as (packet: object) => void;
  Reflect.set(scanner, "decode", (packet: object) => {
    asked += 1;
    decode.call(scanner, packet);
  });
  scanner.push(file);
  scanner.end();
  expect(scanner.counts().adverts).toBe(usual.length);
  expect(asked).toBe(0);
});
