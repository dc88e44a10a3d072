import { describe, expect, test } from "vitest";
import { detectAll } from "../../../server/detect/engine.ts";
import { scenario, secondsOf } from "./scenario.ts";

const incidents = (text: string) => detectAll(scenario(text)).incidents;
const brief = (text: string) =>
  incidents(text)
    .filter(({ kind }) => kind === "vip-conflict")
    .map(
      ({ start, end, certainty, severity, cause, subject }) =>
        `${secondsOf(start)}..${secondsOf(end) ?? ""} ${certainty} ${severity} ${cause?.code} ${subject.nodes.join()}${subject.component === undefined ? "" : ` ${subject.component}`}`,
    );

const BOTH = `
  at 0 lb1 config
  at 0 lb2 config
  at 0 lb1 kernel = 10.99.0.11
  at 0 lb2 kernel = 10.99.0.12
  at 5 lb1 log MASTER
  at 5 lb1 kernel +10.99.0.100
  at 5 lb1 arp out
  at 5 lb2 arp lb1`;
const FAILOVER = `${BOTH}
  at 30 lb1 sent-zero
  at 30 lb1 kernel -10.99.0.100
  at 30 lb2 log MASTER
  at 30 lb2 kernel +10.99.0.100
  at 30 lb2 arp out
  at 30 lb1 arp lb2`;

describe("no conflict", () => {
  test.each([
    ["a takeover", `${FAILOVER}\nwatch lb1 lb2 to 90`],
    ["the second burst, five seconds later", `${FAILOVER}\nat 36 lb2 arp out\nat 36 lb1 arp lb2\nwatch lb1 lb2 to 90`],
    [
      "the hardware address of the virtual router itself",
      `${BOTH}\nat 40 lb2 arp 00:00:5e:00:01:33\nwatch lb1 lb2 to 90`,
    ],
    [
      "a real server of LVS, with the address on its loopback",
      `${BOTH}\nat 10 web1 kernel = 10.99.0.21\nat 20 web1 kernel +10.99.0.100 lo\nwatch lb1 lb2 web1 to 90`,
    ],
    [
      "an unknown hardware address while the master was never heard to announce itself",
      "at 0 lb1 config\nat 0 lb2 config\nat 5 lb1 log MASTER\nat 40 lb2 arp 02:00:00:00:00:99\nwatch lb1 lb2 to 90",
    ],
    [
      "one node with the address in two instances: that is a fault of its configuration",
      "at 0 lb1 config VI_1 51\nat 1 lb1 config VI_2 52\nat 5 lb1 log MASTER VI_1\nat 5 lb1 log MASTER VI_2\nwatch lb1 to 60",
    ],
    ["an address that is no virtual one", `${BOTH}\nat 40 lb2 arp 02:00:00:00:00:99 10.99.0.50\nwatch lb1 lb2 to 90`],
    [
      "an unknown hardware address, as long as late words may explain it",
      `${BOTH}\nat 40 lb2 arp 02:00:00:00:00:99\nwatch lb1 lb2 to 45`,
    ],
    ["a node whose collector was away", `${FAILOVER}\nat 200 lb2 arp lb1\nwatch lb1 to 60\nwatch lb2 to 300`],
  ])("%s", (_name, text) => {
    expect(brief(text)).toEqual([]);
  });

  test("two masters of one router are a split-brain, and told once: also by the address that one of them kept", () => {
    const text = `${BOTH}\nat 30 lb2 log MASTER\nat 30 lb2 kernel +10.99.0.100\nat 30 lb2 arp out\nat 30 lb1 arp lb2\nat 40 lb1 log BACKUP\nwatch lb1 lb2 to 90`;
    expect(incidents(text).map(({ kind, cause }) => `${kind} ${cause?.code}`)).toEqual(["split-brain zombie-vip"]);
  });
});

describe("a conflict", () => {
  const twoVrids = `at 0 lb1 config VI_1 51\nat 0 lb2 config VI_1 52
    at 0 lb1 kernel = 10.99.0.11\nat 0 lb2 kernel = 10.99.0.12
    at 5 lb1 log MASTER\nat 5 lb1 kernel +10.99.0.100\nat 8 lb2 log MASTER\nat 8 lb2 kernel +10.99.0.100`;
  test.each([
    ["one address under two VRIDs", `${twoVrids}\nwatch lb1 lb2 to 60`, ["8.. suspected warning two-vrids lb1,lb2"]],
    [
      "and one hears the other",
      `${twoVrids}\nat 9 lb1 wire lb2 seen 52\nat 30 lb2 log BACKUP\nat 30 lb2 kernel -10.99.0.100\nwatch lb1 lb2 to 60`,
      ["8..30 confirmed critical two-vrids lb1,lb2"],
    ],
    [
      "a third node takes the place of one of them: it is still the same conflict",
      `${twoVrids}\nat 0 lb3 config VI_1 52\nat 0 lb3 kernel = 10.99.0.13\nat 20 lb3 log MASTER\nat 20 lb3 kernel +10.99.0.100\nat 30 lb2 log BACKUP\nat 30 lb2 kernel -10.99.0.100\nwatch lb1 lb2 lb3 to 60`,
      ["8.. suspected warning two-vrids lb1,lb2,lb3"],
    ],
    [
      "an outsider has the address, and announces it",
      `${BOTH}\nat 1 lb3 config none\nat 2 lb3 arp out 10.99.0.9\nat 20 lb3 kernel +10.99.0.100\nat 30 lb2 arp lb3\nwatch lb1 lb2 lb3 to 90`,
      ["20.. confirmed critical on-outsider lb1,lb3 lb3"],
    ],
    [
      "an outsider has the address",
      `${BOTH}\nat 10 web1 kernel = 10.99.0.21\nat 20 web1 kernel +10.99.0.100\nat 50 web1 kernel -10.99.0.100\nwatch lb1 lb2 web1 to 90`,
      ["20..50 suspected warning on-outsider lb1,web1 web1"],
    ],
    [
      "in a segment where it hears the adverts",
      `${BOTH}\nat 5 web1 wire lb1 seen\nat 20 web1 kernel +10.99.0.100\nwatch lb1 lb2 web1 to 90`,
      ["20.. confirmed critical on-outsider lb1,web1 web1"],
    ],
    [
      "a foreign host announces it, until the master does again",
      `${BOTH}\nat 40 lb2 arp 02:00:00:00:00:99\nat 41 lb1 arp 02:00:00:00:00:99\nat 70 lb1 arp out\nat 70 lb2 arp lb1\nwatch lb1 lb2 to 90`,
      ["40..70 confirmed critical foreign-mac lb1 02:00:00:00:00:99"],
    ],
    [
      "and nobody corrects it",
      `${BOTH}\nat 40 lb2 arp 02:00:00:00:00:99\nat 200 lb2 arp 02:00:00:00:00:99\nwatch lb1 lb2 to 900`,
      ["40..500 confirmed critical foreign-mac lb1 02:00:00:00:00:99"],
    ],
    [
      "it is announced from another VRID's hardware address",
      `${BOTH}\nat 40 lb2 arp 00:00:5e:00:01:09\nwatch lb1 lb2 to 90`,
      ["40.. confirmed critical foreign-vrid lb1 00:00:5e:00:01:09"],
    ],
    [
      "a backup announces it",
      `${FAILOVER}\nat 60 lb2 arp lb1\nwatch lb1 lb2 to 90`,
      ["60.. confirmed critical announced-without-mastership lb1,lb2 lb1"],
    ],
  ])("%s", (_name, text, expected) => {
    expect(brief(text)).toEqual(expected);
  });

  test("is told in one sentence, with what was heard", () => {
    const [incident] = incidents(`${BOTH}\nat 40 lb2 arp 02:00:00:00:00:99\nwatch lb1 lb2 to 60`);
    expect(incident?.summary).toBe(
      "10.99.0.100 is at two places since 2026-11-24 10:53:40 UTC: it is announced from 02:00:00:00:00:99, which no node of this cluster sends from.",
    );
    expect(incident?.evidence.map(({ node, text }) => `${node} ${text}`)).toEqual([
      "lb1 10.99.0.100/24 added on eth0",
      "lb1 (VI_1) Entering MASTER STATE",
      "lb2 hears announced: 10.99.0.100 is at 02:00:00:00:00:99 (eth0)",
    ]);
  });
});
