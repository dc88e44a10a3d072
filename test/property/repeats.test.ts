import fc from "fast-check";
import { expect, test } from "vitest";
import { type Observation, toEvent, toEventJson } from "../../collector/events/observation.ts";
import { createCaptureReader } from "../../collector/pcap/observations.ts";
import { type FrameBytes, Repeats } from "../../collector/pcap/repeats.ts";
import type { HeardAdvert } from "../../collector/vrrp/senders.ts";
import { pcap } from "../collector/pcap/files.ts";
import { frameOf, ipPacketOf, linkTypeOf } from "../collector/pcap/generated.ts";
import { damage, shape } from "./adverts.ts";

/** An advert that repeats is not decoded again: what is said of it must be what is said of it alone. */

const LINKS = ["ethernet", "vlan", "sll", "sll2", "raw"] as const;

/** A few senders, whose packets count up, and each of which now and then sends something that is a little different. */
const capture = fc.record({
  link: fc.constantFrom(...LINKS),
  senders: fc.array(shape, { minLength: 1, maxLength: 4 }),
  sent: fc.array(
    fc.record({
      by: fc.nat(3),
      how: fc.option(damage, { nil: undefined, freq: 2 }),
      identification: fc.nat(0xffff),
      checksum: fc.nat(0xffff),
    }),
    {
      minLength: 5,
      maxLength: 25,
    },
  ),
  renamed: fc.nat(25),
});

type Capture = typeof capture extends fc.Arbitrary<infer T> ? T : never;

function framesOf({ link, senders, sent }: Capture): Buffer[] {
  return sent.flatMap(({ by, how, identification, checksum }) => {
    const one = senders[by % senders.length];
    if (!one) return [];
    const ip = ipPacketOf(one);
    if (one.family === "ipv4") {
      ip.writeUInt16BE(identification, 4);
      ip.writeUInt16BE(checksum, 10);
    }
    if (how && "ipAt" in how) ip[how.ipAt] = how.to;
    const frame = frameOf(ip, link, one);
    if (how && "at" in how && how.at < frame.length) frame[how.at] = how.to;
    return [how && "keep" in how ? frame.subarray(0, how.keep) : frame];
  });
}

/** An observation as a value, and what is heard of it as one. */
const told = ({ source, ts, tsUncertaintyUs, idParts, at, body }: Observation) => ({
  source,
  ts,
  tsUncertaintyUs,
  idParts,
  at,
  body,
});
const spoken = ({ advert, interface: nic, outgoing, ts, idParts, at, sender }: HeardAdvert) => ({
  advert,
  nic,
  outgoing,
  ts,
  idParts,
  at,
  sender,
});

test("of every frame is said what is said of it alone, however often its like came before", () => {
  let repeated = 0;
  fc.assert(
    fc.property(capture, (one) => {
      const file = (frames: readonly Buffer[], from: number): Buffer =>
        pcap(
          frames.map((data, at) => ({ ns: BigInt(from + at) * 1_000_001n, data })),
          { little: true, nanos: true, linkType: linkTypeOf(one.link, "ipv4") },
        );
      const frames = framesOf(one);
      let name = "eth0";
      const heard: HeardAdvert[] = [];
      const options = {
        interfaceName: () => name,
        fingerprintKey: "key",
        heard: (seen: HeardAdvert) => heard.push(seen),
      };
      const together = createCaptureReader(options);
      const header = file([], 0).length;
      together.push(file([], 0));
      frames.forEach((frame, at) => {
        name = at < one.renamed ? "eth0" : "eth1";
        const alone = file([frame], at);
        const isOfFrame = ({ body }: { body: { kind: string } }): boolean => !body.kind.startsWith("wire.master-");
        const seen = together.push(alone.subarray(header)).filter(isOfFrame);
        const [first, ...others] = heard.splice(0);
        const expected = createCaptureReader(options).push(alone).filter(isOfFrame);
        expect(seen.map(told)).toEqual(expected.map(told));
        expect(others).toEqual([]);
        const [only] = heard.splice(0);
        expect(first && spoken(first)).toEqual(only && spoken(only));
        for (const each of seen) {
          if (each.bodyJson !== undefined) repeated += 1;
          const identity = { cluster: 'a "b"', node: "lb1" };
          expect(toEventJson(each, identity, 7).json).toBe(JSON.stringify(toEvent(each, identity, 7)));
        }
      });
    }),
    { numRuns: 400 },
  );
  expect(repeated).toBeGreaterThan(100);
});

/** Bytes of a header, and of the whole of what comes before it. */
const IP_BYTES = 20 + 14;

/** An Ethernet frame of VRRP over IPv4 that goes on with these bytes. */
function frameOfBytes(payload: Buffer): FrameBytes {
  const header = Buffer.alloc(IP_BYTES);
  header.writeUInt16BE(0x0800, 12);
  header[14] = 0x45;
  header[14 + 9] = 112;
  const bytes = Buffer.concat([Buffer.from("before"), header, payload]);
  return { linkType: 1, bytes, from: 6, to: bytes.length };
}

const COLLIDING = ["e040402c", "aaf40717"] as const;

test("two frames of one hash are told apart", () => {
  // Found by search: FNV-1a gives both the same.
  const [one, other] = COLLIDING.map((hex) => frameOfBytes(Buffer.from(hex, "hex")));
  if (!one || !other) throw new Error("there are two");
  const repeats = new Repeats<string>();
  repeats.set(one, "one");
  expect([repeats.get(one), repeats.get(other)]).toEqual(["one", undefined]);
  repeats.set(other, "other");
  expect([repeats.get(one), repeats.get(other)]).toEqual([undefined, "other"]);
});

test("a frame of IPv6 that begins like one of IPv4 is not taken for one of which a part may vary", () => {
  const frame = frameOfBytes(Buffer.alloc(30));
  frame.bytes.writeUInt16BE(0x86dd, frame.from + 12);
  frame.bytes[frame.from + 14 + 6] = 112;
  const repeats = new Repeats<string>();
  repeats.set(frame, "one");
  expect(repeats.get(frame)).toBeUndefined();
  frame.bytes[frame.from + 14] = 0x60;
  repeats.set(frame, "one");
  expect(repeats.get(frame)).toBe("one");
  frame.bytes[frame.from + 14 + 10] = 1;
  expect(repeats.get(frame)).toBeUndefined();
});

test("however many frames there are, so many bytes of them are remembered and no more, and those that repeat stay", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 300 }), (lengths) => {
      const repeats = new Repeats<number>(2_000);
      const steady = frameOfBytes(Buffer.from("steady"));
      repeats.set(steady, -1);
      for (const [at, length] of lengths.entries()) {
        const frame = frameOfBytes(Buffer.from(String(at).padEnd(length, "x")));
        repeats.set(frame, at);
        expect(repeats.get(frame) ?? at).toBe(at);
        expect(repeats.get(steady)).toBe(-1);
        // The one that is too much is still taken.
        expect(repeats.size).toBeLessThanOrEqual(2 * (2_000 / IP_BYTES + 1));
      }
    }),
  );
});
