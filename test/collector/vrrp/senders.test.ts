import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Decoded } from "../../../collector/vrrp/advert.ts";
import {
  createSenderTracker,
  DISORDER_MAX_US,
  type HeardAdvert,
  type SenderEdge,
} from "../../../collector/vrrp/senders.ts";
import { masterDownUs } from "../../../collector/vrrp/timers.ts";

const T0 = 1_795_522_000_000_000;
const SECOND = 1_000_000;

function heard(seconds: number, over: Partial<Decoded> & { nic?: string; outgoing?: boolean } = {}): HeardAdvert {
  const { nic = "eth0", outgoing = false, ...advert } = over;
  const ts = T0 + Math.round(seconds * SECOND);
  return {
    interface: nic,
    outgoing,
    ts,
    idParts: [ts, nic],
    advert: {
      version: 2,
      family: "ipv4",
      vrid: 51,
      priority: 150,
      advertIntervalUs: SECOND,
      vips: ["10.99.0.100"],
      source: "10.99.0.11",
      destination: "224.0.0.18",
      ttl: 255,
      authType: "pass",
      checksum: "ok",
      ...advert,
    },
  };
}

/** `seen 0`, `gone 3.2 silent ±1`: kind, seconds since T0, why, uncertainty in seconds. */
const told = (edges: readonly SenderEdge[]): string[] =>
  edges.map(({ ts, tsUncertaintyUs, body }) => {
    const at = (ts - T0) / SECOND;
    return body.kind === "wire.master-seen" ? `seen ${at}` : `gone ${at} ${body.reason} ±${tsUncertaintyUs / SECOND}`;
  });

describe("a sender", () => {
  test("is seen with its first advert, and only with that", () => {
    const tracker = createSenderTracker();
    expect(told([0, 1, 2].flatMap((at) => tracker.advert(heard(at))))).toEqual(["seen 0"]);
  });

  test("that resigns with priority 0 is gone at that instant", () => {
    const tracker = createSenderTracker();
    tracker.advert(heard(0));
    expect(told(tracker.advert(heard(0.4, { priority: 0 })))).toEqual(["gone 0.4 priority-zero ±0"]);
    expect(told(tracker.tick(T0 + 100 * SECOND))).toEqual([]);
  });

  test("known only from its priority 0 was never seen as a master", () => {
    expect(createSenderTracker().advert(heard(0, { priority: 0 }))).toEqual([]);
  });

  test("that falls silent is gone with its last advert, and that may be as much as an interval too early", () => {
    const tracker = createSenderTracker();
    tracker.advert(heard(0));
    tracker.advert(heard(1));
    const due = T0 + SECOND + masterDownUs(2, 150, SECOND) + SECOND / 2;
    expect(tracker.tick(due - 1)).toEqual([]);
    const edges = tracker.tick(due);
    expect(told(edges)).toEqual(["gone 1 silent ±1"]);
    expect(edges[0]?.body).toMatchObject({ lastAdvertTs: T0 + SECOND, peer: "10.99.0.11", priority: 150 });
    expect(tracker.tick(due + 100 * SECOND)).toEqual([]);
  });

  test("that is late by less than that is not gone", () => {
    const tracker = createSenderTracker();
    expect(told([0, 3.9, 7.8].flatMap((at) => tracker.advert(heard(at))))).toEqual(["seen 0"]);
  });

  test("is seen again after it was gone", () => {
    const tracker = createSenderTracker();
    expect(told([0, 1, 9].flatMap((at) => tracker.advert(heard(at))))).toEqual([
      "seen 0",
      "gone 1 silent ±1",
      "seen 9",
    ]);
  });

  test("that announces long intervals is given them", () => {
    const tracker = createSenderTracker();
    tracker.advert(heard(0, { version: 3, advertIntervalUs: 10 * SECOND }));
    expect(tracker.tick(T0 + 38 * SECOND)).toEqual([]);
    expect(told(tracker.tick(T0 + 39.2 * SECOND))).toEqual(["gone 0 silent ±10"]);
  });

  test("whose virtual addresses change ends one claim and begins another", () => {
    const tracker = createSenderTracker();
    const edges = [0, 1].flatMap((at) => tracker.advert(heard(at)));
    for (const at of [2, 3, 4, 5, 6]) edges.push(...tracker.advert(heard(at, { vips: ["10.99.0.200"] })));
    expect(told(edges)).toEqual(["seen 0", "seen 2", "gone 1 silent ±1"]);
    expect(edges[2]?.body.vips).toEqual(["10.99.0.100"]);
    expect(told(tracker.advert(heard(7, { priority: 0, vips: ["10.99.0.200"] })))).toEqual(["gone 7 priority-zero ±0"]);
  });

  test("is one on each interface, in each direction, family, VRID and source address", () => {
    const tracker = createSenderTracker();
    const others = [
      {},
      { nic: "eth1" },
      { outgoing: true },
      { family: "ipv6" },
      { vrid: 52 },
      { source: "10.99.0.12" },
    ] as const;
    expect(others.flatMap((over) => told(tracker.advert(heard(0, over))))).toHaveLength(others.length);
    expect(told(tracker.advert(heard(1, { vrid: 52, priority: 0 })))).toEqual(["gone 1 priority-zero ±0"]);
  });
});

test("when the capture ends, nothing is known after the last adverts, oldest first", () => {
  const tracker = createSenderTracker();
  tracker.advert(heard(0));
  tracker.advert(heard(0.5, { source: "10.99.0.12" }));
  tracker.advert(heard(1));
  expect(told(tracker.end())).toEqual(["gone 0.5 capture-ended ±1", "gone 1 capture-ended ±1"]);
  expect(tracker.end()).toEqual([]);
});

test("a clock that was set back ends what was known, and the adverts after it begin anew", () => {
  const tracker = createSenderTracker();
  tracker.advert(heard(100));
  expect(told(tracker.advert(heard(10)))).toEqual(["gone 100 capture-ended ±1", "seen 10"]);
  expect(told(tracker.advert(heard(11)))).toEqual([]);
});

test("a little disorder between interfaces changes nothing", () => {
  const tracker = createSenderTracker();
  expect(told([0, 1, 0.9, 2].flatMap((at) => tracker.advert(heard(at))))).toEqual(["seen 0"]);
  expect(told(tracker.end())).toEqual(["gone 2 capture-ended ±1"]);
});

test("more senders than can be followed are counted, and those that are followed stay followed", () => {
  const tracker = createSenderTracker(2);
  for (const vrid of [1, 2, 3, 4]) tracker.advert(heard(0, { vrid }));
  expect(tracker.refused()).toBe(2);
  expect(tracker.advert(heard(1, { vrid: 2, priority: 0 }))).toHaveLength(1);
  expect(told(tracker.advert(heard(1, { vrid: 3 })))).toEqual(["seen 1"]);
});

const step = fc.record({
  after: fc.oneof(fc.integer({ min: 0, max: 1_200_000 }), fc.integer({ min: 0, max: 9_000_000 })),
  tick: fc.boolean(),
  priority: fc.constantFrom(0, 100, 150),
  source: fc.constantFrom("10.99.0.11", "10.99.0.12"),
  vips: fc.constantFrom(["10.99.0.100"], ["10.99.0.101"]),
  interval: fc.constantFrom(SECOND, 2 * SECOND),
});

function play(script: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[], withTicks: boolean) {
  const tracker = createSenderTracker();
  const edges: SenderEdge[] = [];
  let now = 0;
  for (const { after, tick, interval, ...advert } of script) {
    now += after;
    if (tick && withTicks) edges.push(...tracker.tick(T0 + now));
    else if (!tick) edges.push(...tracker.advert(heard(now / SECOND, { ...advert, advertIntervalUs: interval })));
  }
  return [...edges, ...tracker.tick(T0 + now + 20 * SECOND), ...tracker.end()];
}
const claimKey = ({ body }: SenderEdge): string => `${body.peer} ${body.vips.join()}`;

test("seen and gone alternate for every sender, begin with seen, end with gone, and never go back in time", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (script) => {
      const last = new Map<string, SenderEdge>();
      for (const edge of play(script, true)) {
        const before = last.get(claimKey(edge));
        const expected = before?.body.kind === "wire.master-seen" ? "wire.master-gone" : "wire.master-seen";
        expect(edge.body.kind).toBe(expected);
        if (before) expect(edge.ts).toBeGreaterThanOrEqual(before.ts);
        if (edge.body.kind === "wire.master-gone") expect(edge.body.lastAdvertTs).toBeLessThanOrEqual(edge.ts);
        last.set(claimKey(edge), edge);
      }
      for (const edge of last.values()) expect(edge.body.kind).toBe("wire.master-gone");
    }),
  );
});

test("how often it is looked at changes nothing: live capture and its recording give the same edges", () => {
  const key = (edge: SenderEdge): string => JSON.stringify([edge.ts, edge.tsUncertaintyUs, edge.body]);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (script) => {
      expect(play(script, true).map(key).sort()).toEqual(play(script, false).map(key).sort());
    }),
  );
});

test("disorder within the bound never makes a claim end before it began", () => {
  const jitter = fc.array(fc.integer({ min: 0, max: DISORDER_MAX_US - 1 }), { maxLength: 40 });
  fc.assert(
    fc.property(jitter, (jitters) => {
      const tracker = createSenderTracker();
      const edges = jitters.flatMap((late, at) => tracker.advert(heard(at - late / SECOND)));
      let seenAt = 0;
      for (const { ts, body } of [...edges, ...tracker.end()]) {
        if (body.kind === "wire.master-seen") seenAt = ts;
        else expect(ts).toBeGreaterThanOrEqual(seenAt);
      }
    }),
  );
});
