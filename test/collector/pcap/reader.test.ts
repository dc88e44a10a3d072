import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPcapParser, dataOf } from "../../../collector/pcap/reader.ts";
import {
  block,
  enhancedPacket,
  interfaceBlock,
  obsoletePacket,
  option,
  pcap,
  plain,
  section,
  simplePacket,
} from "./files.ts";

const NS = 1_795_522_272_174_959_302n;
const frame = Buffer.from("0123456789abcdef01", "hex");
const orders = [{ little: true }, { little: false }] as const;

function readWhole(bytes: Uint8Array) {
  const parser = createPcapParser();
  const packets = parser.push(bytes).map(plain);
  return { packets, fault: parser.end() };
}

describe.each(orders)("pcap, little-endian: $little", (order) => {
  test.each([
    [true, NS],
    [false, (NS / 1000n) * 1000n],
  ] as const)("with nanoseconds %s", (nanos, tsNs) => {
    const file = pcap(
      [
        { ns: NS, data: frame, originalLength: 90 },
        { ns: NS + 5n, data: frame },
      ],
      {
        ...order,
        nanos,
        linkType: 276,
      },
    );
    const { packets, fault } = readWhole(file);
    expect(fault).toBeUndefined();
    expect(packets).toHaveLength(2);
    expect(packets[0]).toEqual({
      tsNs,
      linkType: 276,
      data: frame,
      originalLength: 90,
      interfaceName: undefined,
      frame: 1,
    });
    expect(packets[1]).toMatchObject({ frame: 2, originalLength: frame.length });
  });
});

test("what the link type field says of frame check sequences is not part of the link type", () => {
  const file = pcap([{ ns: NS, data: frame }], { little: true, nanos: false, linkType: 0x24000001 });
  expect(readWhole(file).packets[0]?.linkType).toBe(1);
});

describe.each(orders)("pcapng, little-endian: $little", (order) => {
  test("packets of several interfaces, each with its own name, link type and clock", () => {
    const seconds = Buffer.alloc(8);
    if (order.little) seconds.writeBigInt64LE(100n);
    else seconds.writeBigInt64BE(100n);
    const file = Buffer.concat([
      section(order),
      interfaceBlock(order, { options: [option(2, Buffer.from("eth0"), order)] }),
      interfaceBlock(order, {
        linkType: 276,
        options: [option(9, Buffer.from([9]), order), option(2, Buffer.from("eth1\0"), order)],
      }),
      interfaceBlock(order, { options: [option(9, Buffer.from([0x80 | 10]), order), option(14, seconds, order)] }),
      enhancedPacket(order, 0, NS / 1000n, frame),
      enhancedPacket(order, 1, NS, frame),
      obsoletePacket(order, 1, NS, frame),
      enhancedPacket(order, 2, 1024n * 7n + 512n, frame),
    ]);
    const { packets, fault } = readWhole(file);
    expect(fault).toBeUndefined();
    expect(packets.map(({ tsNs, interfaceName, linkType, frame: at }) => [at, tsNs, interfaceName, linkType])).toEqual([
      [1, (NS / 1000n) * 1000n, "eth0", 1],
      [2, NS, "eth1", 276],
      [3, NS, "eth1", 276],
      [4, 107_500_000_000n, undefined, 1],
    ]);
    expect(packets.every(({ data }) => frame.equals(data))).toBe(true);
  });

  test("a simple packet has no time, and is as long as the interface's snapshot length lets it be", () => {
    const file = Buffer.concat([
      section(order),
      interfaceBlock(order, { snapLength: 5 }),
      simplePacket(order, 90, frame.subarray(0, 5)),
    ]);
    expect(readWhole(file)).toMatchObject({
      packets: [{ tsNs: undefined, originalLength: 90, data: frame.subarray(0, 5) }],
      fault: undefined,
    });
  });

  test("blocks that tell nothing here are passed over, also large ones", () => {
    const file = Buffer.concat([
      section(order),
      block(0x0000000a, Buffer.alloc(2_000_000), order),
      interfaceBlock(order),
      block(5, Buffer.alloc(12), order),
      enhancedPacket(order, 0, 1n, frame),
    ]);
    expect(readWhole(file)).toMatchObject({ packets: [{ frame: 1, tsNs: 1000n }], fault: undefined });
  });

  test("a new section may have another byte order, and forgets the interfaces", () => {
    const other = { little: !order.little };
    const file = Buffer.concat([
      section(order),
      interfaceBlock(order, { options: [option(2, Buffer.from("eth0"), order)] }),
      enhancedPacket(order, 0, 1n, frame),
      section(other),
      interfaceBlock(other, { linkType: 101 }),
      enhancedPacket(other, 0, 2n, frame),
    ]);
    expect(readWhole(file).packets).toMatchObject([
      { interfaceName: "eth0", linkType: 1 },
      { interfaceName: undefined, linkType: 101, frame: 2 },
    ]);
  });

  const damaged: readonly (readonly [string, Buffer, RegExp])[] = [
    [
      "a packet of an interface that is not described",
      enhancedPacket(order, 1, 1n, frame),
      /interface 1, which is not/,
    ],
    ["more captured bytes than the block has", grow(enhancedPacket(order, 0, 1n, frame), 20, order), /captured bytes/],
    ["a block whose two lengths differ", unlike(enhancedPacket(order, 0, 1n, frame)), /begins with 44 bytes and ends/],
    ["a block shorter than a block can be", block(6, Buffer.alloc(0), order), /too short/],
    ["a packet block of 1 MB", block(6, Buffer.alloc(1_000_000), order), /claims 1000012 bytes/],
  ];
  test.each(damaged)("%s is a fault that names the byte, and what stands before it is kept", (_what, bad, fault) => {
    const good = Buffer.concat([section(order), interfaceBlock(order), enhancedPacket(order, 0, 1n, frame)]);
    const result = readWhole(Buffer.concat([good, bad, enhancedPacket(order, 0, 2n, frame)]));
    expect(result.packets).toHaveLength(1);
    expect(result.fault).toMatch(fault);
    expect(result.fault).toContain(`at byte ${good.length};`);
  });
});

/** Writes a captured length that the block does not have. */
function grow(bytes: Buffer, by: number, { little }: { little: boolean }): Buffer {
  if (little) bytes.writeUInt32LE(frame.length + by, 20);
  else bytes.writeUInt32BE(frame.length + by, 20);
  return bytes;
}
function unlike(bytes: Buffer): Buffer {
  bytes.fill(1, bytes.length - 4);
  return bytes;
}

test.each([
  ["an empty file", Buffer.alloc(0), /it is empty/],
  ["a text file", Buffer.from("Nov 24 10:53:23 lb1 Keepalived"), /neither a pcap nor a pcapng file, at byte 0/],
  ["half a header", pcap([], { little: true, nanos: false, linkType: 1 }).subarray(0, 20), /ends at byte 20/],
  [
    "a record of 300 kB",
    pcap([{ ns: 0n, data: Buffer.alloc(300_000) }], { little: true, nanos: false, linkType: 1 }),
    /a record claims 300000 bytes, at byte 24;/,
  ],
  [
    "a section without a byte order",
    Buffer.concat([Buffer.from("0a0d0d0a1c000000", "hex"), Buffer.alloc(20)]),
    /no byte order/,
  ],
])("%s is a fault", (_what, bytes, fault) => {
  expect(readWhole(bytes)).toEqual({ packets: [], fault: expect.stringMatching(fault) as string });
});

test("a file cut anywhere gives the packets before the cut, and says where it ends", () => {
  const packets = [NS, NS + 1n, NS + 2n].map((ns) => ({ ns, data: frame }));
  const whole = pcap(packets, { little: true, nanos: true, linkType: 1 });
  const recordBytes = 16 + frame.length;
  for (let length = 1; length < whole.length; length += 1) {
    const { packets: read, fault } = readWhole(whole.subarray(0, length));
    const records = (length - 24) / recordBytes;
    expect(read).toHaveLength(Math.max(0, Math.floor(records)));
    if (length === 24 || (records > 0 && Number.isInteger(records))) expect(fault).toBeUndefined();
    else expect(fault).toContain(`it ends at byte ${length}`);
  }
});

test("what was pushed may be overwritten once its packets are read", () => {
  const file = pcap(
    [
      { ns: NS, data: frame },
      { ns: NS, data: frame },
    ],
    { little: true, nanos: true, linkType: 1 },
  );
  const parser = createPcapParser();
  const chunk = Buffer.from(file.subarray(0, 60));
  expect(parser.push(chunk)).toHaveLength(1);
  chunk.fill(0xee);
  expect(parser.push(file.subarray(60)).map(dataOf)).toEqual([frame]);
});

const anyBytes = fc.uint8Array({ maxLength: 400 });
const order = fc.constantFrom(...orders);
const packetData = fc.uint8Array({ maxLength: 40 });
const anyPcap = fc
  .tuple(order, fc.boolean(), fc.array(packetData, { maxLength: 5 }), anyBytes)
  .map(([{ little }, nanos, data, tail]) =>
    Buffer.concat([
      pcap(
        data.map((d) => ({ ns: NS, data: d })),
        { little, nanos, linkType: 1 },
      ),
      tail,
    ]),
  );
const anyBlock = fc.oneof(
  order.map((o) => section(o)),
  fc
    .tuple(order, fc.nat(300), anyBytes)
    .map(([o, snapLength, options]) => interfaceBlock(o, { snapLength, options: [Buffer.from(options)] })),
  fc
    .tuple(order, fc.nat(2), fc.bigInt(0n, 2n ** 64n - 1n), packetData)
    .map(([o, id, units, d]) => enhancedPacket(o, id, units, d)),
  fc
    .tuple(order, fc.nat(2), fc.bigInt(0n, 2n ** 64n - 1n), packetData)
    .map(([o, id, units, d]) => obsoletePacket(o, id, units, d)),
  fc.tuple(order, fc.nat(100), packetData).map(([o, length, d]) => simplePacket(o, length, d)),
  fc.tuple(order, fc.nat(12), anyBytes).map(([o, type, body]) => block(type, body, o)),
);
const anyPcapng = fc
  .tuple(order, fc.array(anyBlock, { maxLength: 8 }), anyBytes)
  .map(([o, blocks, tail]) => Buffer.concat([section(o), interfaceBlock(o), ...blocks, tail]));
const anyFile = fc.oneof(
  anyBytes.map((bytes) => Buffer.from(bytes)),
  anyPcap,
  anyPcapng,
);

test("any bytes in any pieces never throw, and the pieces do not change what is read", () => {
  fc.assert(
    fc.property(anyFile, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 30 }), (file, sizes) => {
      const whole = readWhole(file);
      const parser = createPcapParser();
      const packets: ReturnType<typeof plain>[] = [];
      for (let at = 0, turn = 0; at < file.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        packets.push(...parser.push(file.subarray(at, at + size)).map(plain));
        at += size;
      }
      expect(packets).toEqual(whole.packets);
      expect(parser.end()).toBe(whole.fault);
    }),
    { numRuns: 1000 },
  );
});
