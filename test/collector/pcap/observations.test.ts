import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventFault, type EventBody } from "../../../collector/events/event.ts";
import { type Observation, toEvent } from "../../../collector/events/observation.ts";
import { createCaptureReader } from "../../../collector/pcap/observations.ts";
import { ethernet, ipv4, vrrpPdu } from "../vrrp/packets.ts";
import { enhancedPacket, interfaceBlock, option, pcap, section, simplePacket } from "./files.ts";
import { asTsharkSays, asWeSay, parseTshark, runTshark, tsharkIsInstalled } from "./tshark.ts";

const fixtures = join(import.meta.dirname, "fixtures");
const captures = readdirSync(fixtures).filter((name) => name.endsWith(".pcap"));

/** Recorded from two real keepalived 2.2.7; `fixture1` and `fixture2` are their passwords. */
function readFixture(name: string, chunkBytes = Number.MAX_SAFE_INTEGER) {
  const bytes = readFileSync(join(fixtures, name));
  const reader = createCaptureReader({ path: name, interfaceName: (index) => (index === 2 ? "eth0" : undefined) });
  const observations: Observation[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    observations.push(...reader.push(bytes.subarray(at, at + chunkBytes)));
  const { observations: last, fault } = reader.end();
  return { observations: [...observations, ...last], fault, counts: reader.counts() };
}

const advertsOf = (observations: readonly Observation[]) =>
  observations.filter(
    (seen): seen is Observation & { body: EventBody<"wire.advert"> } => seen.body.kind === "wire.advert",
  );
const edgesOf = (observations: readonly Observation[]) =>
  observations.filter(({ body }) => body.kind === "wire.master-seen" || body.kind === "wire.master-gone");

describe("adverts of real daemons", () => {
  test.each(captures)("%s decodes as its committed tshark reading", (name) => {
    const golden = parseTshark(readFileSync(join(fixtures, name.replace(".pcap", ".tshark.tsv")), "utf8"));
    const { observations, fault } = readFixture(name);
    expect(fault).toBeUndefined();
    expect(golden.length).toBeGreaterThan(10);
    expect(advertsOf(observations).map(asWeSay)).toEqual(golden.map(asTsharkSays));
  });

  const noTshark = tsharkIsInstalled() ? "" : " (SKIPPED: tshark is not installed)";
  test.skipIf(noTshark)(`the committed reading is what the installed tshark says${noTshark}`, () => {
    for (const name of captures)
      expect(runTshark(join(fixtures, name)), name).toBe(
        readFileSync(join(fixtures, name.replace(".pcap", ".tshark.tsv")), "utf8"),
      );
  });
});

describe("what becomes of them", () => {
  const edgeLines = (observations: readonly Observation[]): string[] => {
    const first = observations[0]?.ts ?? 0;
    return edgesOf(observations).map(({ ts, tsUncertaintyUs, at, body }) => {
      if (body.kind !== "wire.master-seen" && body.kind !== "wire.master-gone") return body.kind;
      const what = body.kind === "wire.master-seen" ? "seen" : `gone ${body.reason}`;
      return `+${((ts - first) / 1e6).toFixed(1)} ±${tsUncertaintyUs} ${at} ${body.interface} ${body.peer} ${body.vrid} ${what}`;
    });
  };

  test("an orderly hand-over: the master resigns, its backup follows, and resigns in its turn", () => {
    expect(edgeLines(readFixture("lab-sll2.pcap").observations)).toEqual([
      "+0.0 ±0 lab-sll2.pcap#1 eth0 10.99.0.11 51 seen",
      "+3.6 ±0 lab-sll2.pcap#5 eth0 10.99.0.11 51 gone priority-zero",
      "+4.2 ±0 lab-sll2.pcap#6 eth0 10.99.0.12 51 seen",
      "+8.6 ±0 lab-sll2.pcap#11 eth0 10.99.0.12 51 gone priority-zero",
    ]);
  });

  test("the same adverts captured by two hosts give the same edges but for place and direction", () => {
    const facts = (name: string) =>
      edgesOf(readFixture(name).observations)
        .map(({ body }) => JSON.stringify({ ...body, interface: "", outgoing: false, lastAdvertTs: 0 }))
        .sort();
    expect(facts("mixed-ethernet.pcap")).toEqual(facts("mixed-sll2.pcap"));
    expect(facts("mixed-sll2.pcap").length).toBe(24);
  });

  test.each(captures)("every observation of %s is an event of the contract, with an id of its own", (name) => {
    const events = readFixture(name).observations.map((seen) => toEvent(seen, { cluster: "c", node: "n" }, seen.ts));
    expect(events.map(eventFault).filter((fault) => fault !== undefined)).toEqual([]);
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  });

  test.each(captures)("%s read again in other pieces gives the same events", (name) => {
    const whole = readFixture(name);
    for (const chunkBytes of [1, 7, 100, 4096]) expect(readFixture(name, chunkBytes)).toEqual(whole);
  });

  test("a file read further gives the edges it gave before the same ids", () => {
    const bytes = readFileSync(join(fixtures, "lab-sll2.pcap"));
    const ids = (length: number) => {
      const reader = createCaptureReader({ path: "f" });
      const observations = [...reader.push(bytes.subarray(0, length)), ...reader.end().observations];
      return new Map(observations.map((seen) => [JSON.stringify(seen.idParts), JSON.stringify(seen.body)]));
    };
    const whole = ids(bytes.length);
    const half = [...ids(Math.floor(bytes.length * 0.7))];
    expect(
      half.filter(([, body]) => !body.includes("capture-ended")).every(([id, body]) => whole.get(id) === body),
    ).toBe(true);
    expect(half.filter(([, body]) => body.includes("capture-ended")).map(([id]) => whole.has(id))).toEqual([false]);
  });

  test("no password of the wire is in any observation, nor is any id made of it", () => {
    for (const name of captures) {
      const bytes = readFileSync(join(fixtures, name));
      const text = JSON.stringify(readFixture(name));
      expect(text).not.toMatch(/fixture[12]/);
      expect(text).not.toContain(Buffer.from("fixture1").toString("hex"));
      if (!name.startsWith("lab")) continue;
      expect(bytes.includes("fixture1")).toBe(true);
      // The same capture with another password, checksum and all: whoever has the ids cannot test a guess.
      const other = Buffer.from(bytes);
      for (let at = other.indexOf("fixture1"); at >= 0; at = other.indexOf("fixture1")) {
        other.write("Fixture2", at);
        // In the sum's words `fi` became `Fi` (−0x2000) and `e1` became `e2` (+1).
        const sumAt = at - 6;
        const sum = other.readUInt16BE(sumAt) + 0x2000 - 1;
        other.writeUInt16BE(sum > 0xffff ? sum - 0xffff : sum, sumAt);
      }
      const reader = createCaptureReader({ path: name, interfaceName: (index) => (index === 2 ? "eth0" : undefined) });
      const observations = [...reader.push(other), ...reader.end().observations];
      expect(observations).toEqual(readFixture(name).observations);
    }
  });
});

describe("captures made by hand", () => {
  const NS = 1_795_522_272_174_959_302n;
  const order = { little: true, nanos: true, linkType: 1 };
  const readAll = (file: Uint8Array, options: Parameters<typeof createCaptureReader>[0] = {}) => {
    const reader = createCaptureReader(options);
    return { observations: [...reader.push(file), ...reader.end().observations], counts: reader.counts() };
  };

  test("what is VRRP and broken is told, what is no VRRP is counted", () => {
    const broken = vrrpPdu();
    broken[3] = 9;
    const file = pcap(
      [ethernet(ipv4(broken)), ethernet(ipv4(Buffer.alloc(20), { protocol: 6 })), Buffer.alloc(3)].map((data) => ({
        ns: NS,
        data,
      })),
      order,
    );
    const { observations, counts } = readAll(file, { path: "x.pcap" });
    expect(observations).toMatchObject([
      {
        ts: 1_795_522_272_174_959,
        at: "x.pcap#1",
        body: { kind: "wire.malformed", reason: "addresses-truncated", length: 20 },
      },
    ]);
    expect(counts).toMatchObject({ packets: 3, adverts: 0, malformed: 1, other: 2, untimed: 0, sendersRefused: 0 });
  });

  test("an advert without a time has no place in a timeline, and is counted", () => {
    const data = ethernet(ipv4(vrrpPdu()));
    const file = Buffer.concat([section(order), interfaceBlock(order), simplePacket(order, data.length, data)]);
    expect(readAll(file)).toMatchObject({ observations: [], counts: { packets: 1, untimed: 1 } });
  });

  test("nor has one with a time beyond what can be told exactly", () => {
    const data = ethernet(ipv4(vrrpPdu()));
    const seconds = interfaceBlock(order, { options: [option(9, Buffer.from([0]), order)] });
    const file = Buffer.concat([section(order), seconds, enhancedPacket(order, 0, 2n ** 63n, data)]);
    expect(readAll(file)).toMatchObject({ observations: [], counts: { untimed: 1 } });
  });

  test("an interface is named by the frame's index, else by the file, else not at all", () => {
    const cooked = Buffer.concat([Buffer.from("0800000000000009000104060000000000000000", "hex"), ipv4(vrrpPdu())]);
    const named = interfaceBlock(order, { linkType: 276, options: [option(2, Buffer.from("any"), order)] });
    const ether = interfaceBlock(order, { options: [option(2, Buffer.from("eno1"), order)] });
    const file = Buffer.concat([
      section(order),
      named,
      ether,
      enhancedPacket(order, 0, NS / 1000n, cooked),
      enhancedPacket(order, 1, NS / 1000n, ethernet(ipv4(vrrpPdu()))),
    ]);
    const names = (options: Parameters<typeof createCaptureReader>[0]) =>
      advertsOf(readAll(file, options).observations).map(({ body }) => body.interface);
    expect(names({})).toEqual(["if9", "eno1"]);
    expect(names({ interfaceName: () => "eth9" })).toEqual(["eth9", "eno1"]);
    const plain = pcap([{ ns: NS, data: ethernet(ipv4(vrrpPdu())) }], order);
    expect(advertsOf(readAll(plain).observations).map(({ body }) => body.interface)).toEqual(["?"]);
  });

  test("two adverts of one instant are two events", () => {
    const data = [vrrpPdu({ vrid: 1 }), vrrpPdu({ vrid: 2 })].map((pdu) => ({ ns: NS, data: ethernet(ipv4(pdu)) }));
    const ids = readAll(pcap(data, order)).observations.map(({ idParts }) => JSON.stringify(idParts));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("any bytes behind a file header give only events of the contract", () => {
    const packet = fc
      .tuple(fc.constantFrom(112, 51), fc.constantFrom(0x21, 0x31), fc.uint8Array({ maxLength: 60 }))
      .map(([protocol, first, rest]) => ({
        ns: NS,
        data: ethernet(ipv4(Buffer.from([first, ...rest]), { protocol })),
      }));
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 10 }), fc.uint8Array({ maxLength: 60 }), (packets, tail) => {
        const { observations } = readAll(Buffer.concat([pcap(packets, order), tail]));
        for (const seen of observations)
          expect(eventFault(toEvent(seen, { cluster: "c", node: "n" }, seen.ts))).toBeUndefined();
      }),
    );
  });
});
