import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseIsoUs } from "../../../collector/core/time.ts";
import { eventFault, type EventBody } from "../../../collector/events/event.ts";
import { type Observation, toEvent } from "../../../collector/events/observation.ts";
import { createCaptureReader } from "../../../collector/pcap/observations.ts";
import { parseTshark, runTshark, type TsharkRow, tsharkIsInstalled } from "./tshark.ts";

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

/** The same frame, in the words of the event contract. */
function asTsharkSays(row: TsharkRow) {
  const v2 = row["vrrp.version"] === "2";
  const ipv4 = row["ip.src"] !== "";
  const authTypes: Readonly<Record<string, string>> = { "": "none", "0": "none", "1": "pass", "2": "ah" };
  return {
    frame: Number(row["frame.number"]),
    ts: Number(BigInt(row["frame.time_epoch"].replace(".", "")) / 1000n),
    peer: row["ip.src"] || row["ipv6.src"],
    destination: row["ip.dst"] || row["ipv6.dst"],
    ttl: Number(row["ip.ttl"] || row["ipv6.hlim"]),
    family: ipv4 ? "ipv4" : "ipv6",
    version: Number(row["vrrp.version"]),
    vrid: Number(row["vrrp.virt_rtr_id"]),
    priority: Number(row["vrrp.prio"]),
    vips: (row["vrrp.ip_addr"] || row["vrrp.ipv6_addr"]).split(","),
    advertIntervalUs: v2 ? Number(row["vrrp.adver_int"]) * 1_000_000 : Number(row["vrrp.short_adver_int"]) * 10_000,
    authType: row["ah.next_header"] === "" ? authTypes[row["vrrp.auth_type"]] : "ah",
    // Wireshark 4.0 sums version 2 over IPv6 without the pseudo header that the kernel puts in: it calls all of them bad.
    checksum: row["vrrp.checksum.status"] === "1" || (v2 && !ipv4) ? "ok" : "bad",
    ...(row["sll.ifindex"] === "" ? {} : { outgoing: row["sll.pkttype"] === "4" }),
  };
}

function asWeSay({ ts, at, body }: Observation & { body: EventBody<"wire.advert"> }, cooked: boolean) {
  const { kind: _kind, interface: _interface, outgoing, ...fields } = body;
  return { frame: Number(at?.split("#")[1]), ts, ...fields, ...(cooked ? { outgoing } : {}) };
}

describe("adverts of real daemons", () => {
  test.each(captures)("%s decodes as its committed tshark reading", (name) => {
    const golden = parseTshark(readFileSync(join(fixtures, name.replace(".pcap", ".tshark.tsv")), "utf8"));
    const { observations, fault } = readFixture(name);
    expect(fault).toBeUndefined();
    expect(golden.length).toBeGreaterThan(10);
    expect(advertsOf(observations).map((seen) => asWeSay(seen, name.includes("sll")))).toEqual(
      golden.map(asTsharkSays),
    );
  });

  test.runIf(tsharkIsInstalled())("the committed reading is what the installed tshark says", () => {
    for (const name of captures)
      expect(runTshark(join(fixtures, name)), name).toBe(
        readFileSync(join(fixtures, name.replace(".pcap", ".tshark.tsv")), "utf8"),
      );
  });
  test.skipIf(tsharkIsInstalled())(
    "SKIPPED: tshark is not installed, so its committed reading is not checked",
    () => {},
  );
});
