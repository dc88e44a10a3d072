import { eventFault } from "../../collector/events/event.ts";
import { toEvent } from "../../collector/events/observation.ts";
import { AdvertScanner } from "../../collector/pcap/advert-scan.ts";
import { MasterWatch } from "../../collector/pcap/master-watch.ts";
import { createCaptureReader } from "../../collector/pcap/observations.ts";
import { StreamTally } from "../../collector/pcap/stream-tally.ts";
import { enhancedPacket, interfaceBlock, option, pcap, section } from "../collector/pcap/files.ts";
import { AUTHS, frameOf, ipPacketOf, isPossible, LINKS, linkTypeOf, type Shape } from "../collector/pcap/generated.ts";

const START_NS = 1_795_522_272_000_000_000n;
/** Bytes of a record that is one: fewer packets than this tells are in no file. */
const RECORD_BYTES = 16;

/** Captures of every link type and every kind of advert, in pcap of both byte orders and in pcapng. */
export function captures(): Uint8Array[] {
  return LINKS.flatMap((link) => {
    const shapes = (["ipv4", "ipv6"] as const)
      .filter((family) => link !== "ipv4-or-ipv6" || family === "ipv4")
      .flatMap((family) => AUTHS.flatMap((auth) => shapesOf(family, auth)));
    const packets = shapes.map((one, at) => ({
      ns: START_NS + BigInt(at) * 250_000_000n,
      data: frameOf(ipPacketOf(one), link, one),
    }));
    const linkType = linkTypeOf(link, "ipv4");
    return [
      ...[true, false].map((little) => pcap(packets, { little, nanos: little, linkType })),
      Buffer.concat([
        section({ little: true }),
        interfaceBlock({ little: true }, { linkType, options: [option(2, Buffer.from("eth0"), { little: true })] }),
        ...packets.map(({ ns, data }) => enhancedPacket({ little: true }, 0, ns / 1000n, data)),
      ]),
    ];
  });
}

function shapesOf(family: Shape["family"], auth: Shape["auth"]): Shape[] {
  const both = [2, 3] as const;
  return both
    .filter((version) => isPossible({ version, family, auth }))
    .flatMap((version) =>
      [10, 11, 10].map((vrid, at) => ({
        version,
        family,
        auth,
        vrid,
        cast: at === 0 ? "multicast" : "unicast",
        vmac: at === 1,
        priority: at * 100,
        vips: at + 1,
        interval: 1 + at,
        ttl: 255,
        outgoing: at === 2,
      })),
    );
}

/** @throws when an event breaks the contract, or the two readers do not say the same */
export function readCapture(input: Uint8Array): void {
  const reader = createCaptureReader({ path: "x.pcap" });
  const seen = [...reader.push(input), ...reader.end().observations];
  for (const one of seen) {
    const fault = eventFault(toEvent(one, { cluster: "c", node: "n" }, one.ts));
    if (fault) throw new Error(`${one.body.kind}: ${fault.message}`);
  }
  const scanner = new AdvertScanner((columns) => {
    tally.add(columns);
    watch.add(columns);
  });
  const tally = new StreamTally(scanner.streams);
  const watch = new MasterWatch(scanner.streams);
  scanner.push(input);
  scanner.end();
  const { packets, adverts, malformed } = scanner.counts();
  const theirs = reader.counts();
  if (packets !== theirs.packets || adverts !== theirs.adverts || malformed !== theirs.malformed)
    throw new Error(`columns: ${packets} ${adverts} ${malformed}; reader: ${JSON.stringify(theirs)}`);
  const counted = tally.counts().reduce((sum, stream) => sum + stream.adverts, 0);
  if (counted !== adverts) throw new Error(`${counted} of ${adverts} adverts are in a stream`);
  if (packets > input.length / RECORD_BYTES) throw new Error(`${packets} packets in ${input.length} bytes`);
  const { changes, overlaps } = watch.report();
  if (changes.length + overlaps.length > adverts * adverts) throw new Error("more is concluded than there is");
}
