import { type EpochUs, formatEpochUs } from "../../collector/core/time.ts";
import type { EventOf } from "../../collector/events/event.ts";
import { type CaptureInterface, type CapturePacket, writePcapng } from "../../collector/pcap/writer.ts";
import { encodeAdvert } from "../../collector/vrrp/encode.ts";
import type { Incident } from "../detect/incident.ts";
import type { ContextEvent } from "./context.ts";

/** Most bytes of a line in a comment; Wireshark shows a comment in one line. */
const COMMENT_CHARS_MAX = 1_000;

/**
 * The adverts around an incident as a capture file, each log line a comment of the packet that it comes with: the first one
 * at or after it, of its own node where that has any. Without an advert each line has an empty packet of its own.
 */
export function captureOf(
  incident: Incident,
  adverts: readonly EventOf<"wire.advert">[],
  lines: readonly ContextEvent[],
): Uint8Array {
  const interfaces: CaptureInterface[] = [];
  const places = new Map<string, number>();
  const placeOf = (node: string, name: string): number => {
    const key = `${node}/${name}`;
    let place = places.get(key);
    if (place === undefined) {
      place = interfaces.push({ name: key, description: `${name} of ${node}` }) - 1;
      places.set(key, place);
    }
    return place;
  };
  const packets = adverts.flatMap((advert): Draft[] => {
    const data = encodeAdvert(advert);
    if (!data) return [];
    const { ts, node, outgoing, authType } = advert;
    const notes = authType === "ah" ? ["keepwatch: sent in an authentication header, which is not kept"] : [];
    return [{ interface: placeOf(node, advert.interface), ts, data, outgoing, comments: notes, node }];
  });
  packets.sort((a, b) => a.ts - b.ts);
  for (const line of lines) {
    const own = packets.filter(({ node }) => node === line.node);
    const candidates = own.length > 0 ? own : packets;
    const packet = candidates.find(({ ts }) => ts >= line.at) ?? candidates.at(-1);
    if (packet) packet.comments.push(commentOf(line));
  }
  const alone = packets.length > 0 ? [] : lines.map((line) => aloneOf(line, placeOf(line.node, "log")));
  return writePcapng({
    comment: `${incident.kind}: ${incident.summary}\nAdverts made again of what was kept of them: passwords are zeros.`,
    application: "keepwatch",
    interfaces,
    packets: [...packets, ...alone],
  });
}

interface Draft extends CapturePacket {
  readonly comments: string[];
  readonly node: string;
}

const commentOf = ({ at, node, source, text }: ContextEvent): string =>
  `${formatEpochUs(at as EpochUs)} ${node} ${source}: ${text.slice(0, COMMENT_CHARS_MAX)}`;

const aloneOf = (line: ContextEvent, place: number): CapturePacket => ({
  interface: place,
  ts: line.at,
  data: new Uint8Array(0),
  outgoing: false,
  comments: [commentOf(line)],
});
