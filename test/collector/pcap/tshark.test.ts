import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { EventBody } from "../../../collector/events/event.ts";
import type { Observation } from "../../../collector/events/observation.ts";
import { createCaptureReader } from "../../../collector/pcap/observations.ts";
import { pcap } from "./files.ts";
import { AUTHS, frameOf, ipPacketOf, isPossible, LINKS, type LinkName, linkTypeOf, type Shape } from "./generated.ts";
import { asTsharkSays, asWeSay, parseTshark, runTshark, tsharkIsInstalled } from "./tshark.ts";

const NS = 1_795_522_272_000_000_000n;
const scratch = mkdtempSync(join(tmpdir(), "keepwatch-tshark-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Every version, family, cast and authentication that keepalived can send. */
function shapes(): Shape[] {
  const all: Shape[] = [];
  for (const version of [2, 3] as const)
    for (const family of ["ipv4", "ipv6"] as const)
      for (const cast of ["multicast", "unicast"] as const)
        for (const auth of AUTHS) {
          if (!isPossible({ version, family, auth })) continue;
          const at = all.length + 1;
          all.push({
            version,
            family,
            cast,
            auth,
            vmac: at % 3 === 0,
            vrid: at * 9,
            priority: (at * 37) % 256,
            vips: 1 + (at % 5),
            interval: version === 2 ? at : 5 * at,
            ttl: cast === "multicast" ? 255 : 64,
            outgoing: at % 2 === 0,
          });
        }
  return all;
}

function ours(path: string, file: Buffer) {
  const reader = createCaptureReader({ path });
  const seen = reader.push(file);
  expect(reader.end().fault).toBeUndefined();
  return seen.filter((one): one is Observation & { body: EventBody<"wire.advert"> } => one.body.kind === "wire.advert");
}

const noTshark = tsharkIsInstalled() ? "" : " (SKIPPED: tshark is not installed)";

describe.skipIf(noTshark)(`every kind of advert reads as tshark reads it${noTshark}`, () => {
  const matrix = LINKS.flatMap((link) =>
    (link === "ipv4-or-ipv6" ? ["ipv4", "ipv6"] : [undefined]).map((only) => [link, only] as const),
  );

  test.each(matrix)("in %s frames %s", (link: LinkName, only) => {
    const sent = shapes().filter(({ family }) => only === undefined || family === only);
    const packets = sent.map((one, at) => ({
      ns: NS + BigInt(at) * 1_000_001_000n,
      data: frameOf(ipPacketOf(one), link, one),
    }));
    const file = pcap(packets, { little: true, nanos: true, linkType: linkTypeOf(link, only as "ipv4") });
    const path = join(scratch, `${link}-${only}.pcap`);
    writeFileSync(path, file);
    const theirs = parseTshark(runTshark(path)).map(asTsharkSays);
    expect(theirs).toHaveLength(sent.length);
    // Wireshark 4.0 does not know the trailer of keepalived 2.4: it sums it too, which over IPv4 the sender does not.
    const known = theirs.map((row, at) =>
      sent[at]?.auth === "hmac" && row.family === "ipv4"
        ? { ...row, checksum: row.checksum === "bad" ? "ok" : "unexpected" }
        : row,
    );
    expect(ours(path, file).map(asWeSay)).toEqual(known);
  });
});
