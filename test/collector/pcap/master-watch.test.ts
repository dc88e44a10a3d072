import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { scanCapture } from "../../../collector/offline/capture-scan.ts";
import { AdvertScanner } from "../../../collector/pcap/advert-scan.ts";
import { MasterWatch } from "../../../collector/pcap/master-watch.ts";
import { STREAMS_MAX } from "../../../collector/pcap/streams.ts";
import { writeAdverts } from "../../bench/adverts.ts";
import { ethernet, ipv4, vrrpPdu } from "../vrrp/packets.ts";
import { pcap } from "./files.ts";

const scratch = mkdtempSync(join(tmpdir(), "keepwatch-masters-"));
afterAll(() => rmSync(scratch, { recursive: true }));

function watching() {
  const scanner = new AdvertScanner((columns) => watch.add(columns));
  const watch = new MasterWatch(scanner.streams);
  return { scanner, watch };
}

/** Adverts of two nodes for VRID 51 on Ethernet, at so many seconds each. */
function reportOf(sent: readonly (readonly [seconds: number, node: number, priority?: number])[]) {
  const packets = sent.map(([seconds, node, priority = 100]) => ({
    ns: 1_795_522_272_000_000_000n + BigInt(Math.round(seconds * 1e9)),
    data: ethernet(ipv4(vrrpPdu({ priority }), { source: `10.99.0.${node}` })),
  }));
  const { scanner, watch } = watching();
  scanner.push(pcap(packets, { little: true, nanos: true, linkType: 1 }));
  expect(scanner.end()).toBeUndefined();
  const { changes, overlaps, ...rest } = watch.report();
  const at = (us: number): number => (us - 1_795_522_272_000_000) / 1e6;
  return {
    changes: changes.map(({ ts, from, to, old }) => `${at(ts)} ${from} > ${to.source}, ${old}`),
    overlaps: overlaps.map(
      ({ from, to, stopped, open }) => `${at(from)}-${at(to)} ${stopped.source} stopped${open ? ", open" : ""}`,
    ),
    ...rest,
  };
}

const every = (from: number, to: number, node: number): [number, number][] =>
  Array.from({ length: to - from + 1 }, (_, i) => [from + i + node / 100, node]);
const inOrder = (...parts: readonly (readonly [number, number, number?])[][]) =>
  parts.flat().toSorted((a, b) => a[0] - b[0]);

describe("who is master", () => {
  test("a hand-over, a death, and a preemption are changes and nothing more", () => {
    expect(reportOf([...every(0, 3, 11), [4.11, 11, 0], ...every(5, 9, 12)])).toMatchObject({
      changes: ["5.12 10.99.0.11 > 10.99.0.12, resigned"],
      overlaps: [],
    });
    expect(reportOf([...every(0, 3, 11), ...every(7, 9, 12)])).toMatchObject({
      changes: ["7.12 10.99.0.11 > 10.99.0.12, silent"],
      overlaps: [],
    });
    expect(reportOf(inOrder(every(0, 4, 11), every(4, 9, 12)))).toMatchObject({
      changes: ["4.12 10.99.0.11 > 10.99.0.12, sending"],
      overlaps: [],
    });
  });
  test("two masters for longer than a takeover takes are told from when to when, whoever stops", () => {
    expect(reportOf(inOrder(every(0, 6, 11), every(3, 20, 12)))).toMatchObject({
      changes: ["3.12 10.99.0.11 > 10.99.0.12, sending"],
      overlaps: ["3.12-6.11 10.99.0.11 stopped"],
    });
    const healed = reportOf(inOrder(every(0, 20, 11), every(3, 6, 12), every(30, 40, 13)));
    expect(healed.overlaps).toEqual(["3.12-6.12 10.99.0.12 stopped"]);
    // The first was master all along: the third takes over from it.
    expect(healed.changes.at(-1)).toBe("30.13 10.99.0.11 > 10.99.0.13, silent");
  });
  test("what goes on at the end is told as open", () => {
    expect(reportOf(inOrder(every(0, 6, 11), every(3, 6, 12))).overlaps).toEqual([
      "3.12-6.11 10.99.0.11 stopped, open",
    ]);
  });
  test("a master that comes back is no change; a clock that is set back begins anew", () => {
    expect(reportOf([...every(0, 3, 11), ...every(30, 33, 11)]).changes).toEqual([]);
    expect(reportOf([...every(100, 103, 11), ...every(0, 3, 12)])).toMatchObject({ changes: [], clockSteps: 1 });
  });
  test("jitter and late adverts are counted by stream", () => {
    const { jitter } = reportOf([
      [0, 11],
      [1, 11],
      [2.0001, 11],
      [3.7, 11],
      [4.7, 11],
    ]);
    expect(jitter).toMatchObject([{ distances: 3, late: 1, max: 96 }]);
  });
});

test.each(["ethernet", "sll2"] as const)(
  "all that was put into a generated capture is found, and nothing else (%s)",
  async (linkType) => {
    const path = join(scratch, `${linkType}.pcap`);
    const truth = writeAdverts(path, { adverts: 60_000, seed: 11, linkType, incidents: 2e-3 });
    const { scanner, watch } = watching();
    expect(await scanCapture(path, scanner)).toBeUndefined();
    const { changes, overlaps } = watch.report();
    expect(truth.changes.length + truth.overlaps.length).toBeGreaterThan(50);
    expect(changes.map(({ ts, to, from }) => [ts, to.vrid, from, to.source])).toEqual(
      truth.changes.toSorted((a, b) => a.ts - b.ts).map(({ ts, vrid, from, to }) => [ts, vrid, from, to]),
    );
    expect(overlaps.map(({ from, to, stopped }) => [from, to, stopped.vrid])).toEqual(
      truth.overlaps.toSorted((a, b) => a.from - b.from).map(({ from, to, vrid }) => [from, to, vrid]),
    );
  },
);

test("more streams than are told apart are counted, and cost no more memory", () => {
  const { scanner } = watching();
  const frame = ethernet(ipv4(vrrpPdu()));
  const packets = Array.from({ length: STREAMS_MAX + 500 }, (_, at) => {
    const data = Buffer.from(frame);
    data.writeUInt32BE(0x0a000000 + at, 14 + 12);
    return { ns: 0n, data };
  });
  scanner.push(pcap(packets, { little: true, nanos: true, linkType: 1 }));
  scanner.end();
  expect(scanner.counts()).toMatchObject({ adverts: STREAMS_MAX + 500, refused: 500 });
  expect(scanner.streams.count).toBe(STREAMS_MAX);
});

describe("keepwatch pcap", () => {
  const main = join(import.meta.dirname, "../../../dist/server/main.js");
  const fixture = join(import.meta.dirname, "fixtures/lab-sll2.pcap");

  test("counts by sender, and tells the hand-over; no password is in it", () => {
    const text = execFileSync("node", [main, "pcap", "--detect", fixture], { encoding: "utf8" });
    expect(text).toContain("11 adverts in 11 packets");
    expect(text).toContain("10.99.0.12 takes over from 10.99.0.11, which had resigned");
    expect(text).not.toContain("fixture1");
  });
  test("a cut file is told with its place, after what stands before it, and the status is 2", () => {
    const path = join(scratch, "cut.pcap");
    writeFileSync(path, readFileSync(fixture).subarray(0, 500));
    const { stdout, stderr, status } = spawnSync("node", [main, "pcap", path, "/nonexistent"], { encoding: "utf8" });
    expect(stdout).toContain("6 adverts in 6 packets; damaged");
    expect(stderr).toContain(`${path}: it ends at byte 500, in the middle of a record; what stands before it was read`);
    expect(stderr).toContain("/nonexistent cannot be read");
    expect(status).toBe(2);
  });
});
