import fc from "fast-check";
import { AUTHS, isPossible, type Shape } from "../collector/pcap/generated.ts";

const byte = fc.integer({ min: 0, max: 255 });
export const shape: fc.Arbitrary<Shape> = fc
  .record({
    version: fc.constantFrom(2, 3),
    family: fc.constantFrom("ipv4", "ipv6"),
    cast: fc.constantFrom("multicast", "unicast"),
    auth: fc.constantFrom(...AUTHS),
    vmac: fc.boolean(),
    vrid: fc.oneof(fc.constantFrom(0, 1, 255), byte),
    interval: fc.constantFrom(0, 1, 2, 100, 255, 4095),
    priority: byte,
    vips: fc.integer({ min: 0, max: 4 }),
    ttl: byte,
    outgoing: fc.boolean(),
  })
  .filter(isPossible) as fc.Arbitrary<Shape>;

/** Some as they were sent, some with a byte changed, often one of the IP header, which no checksum is over, or the end cut off. */
export const damage = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.record({ at: fc.nat(120), to: byte }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      { ipAt: 0, to: 0x46 },
      { ipAt: 3, to: 44 },
      { ipAt: 6, to: 0x20 },
      { ipAt: 6, to: 0x40 },
      { ipAt: 6, to: 112 },
      { ipAt: 7, to: 1 },
      { ipAt: 8, to: 1 },
      { ipAt: 9, to: 51 },
      { ipAt: 9, to: 112 },
    ),
  },
  { weight: 1, arbitrary: fc.record({ keep: fc.nat(120) }) },
);
