import fc from "fast-check";
import { expect, test } from "vitest";
import type { Running } from "../../collector/conf/model/types.ts";
import type { Release } from "../../collector/conf/version.ts";
import { US_PER_SECOND, type MonoUs } from "../../collector/core/time.ts";
import { createShadow, nextDeadline, type Shadow, step } from "../../collector/shadow/engine.ts";
import { expectations } from "../../collector/shadow/expectations.ts";
import type { ShadowEffect, ShadowInput } from "../../collector/shadow/input.ts";
import type { Decoded } from "../../collector/vrrp/advert.ts";
import { takenInPlace } from "../collector/shadow/again.ts";
import { advert, at, instanceText, node } from "../collector/shadow/scenario.ts";
import { runningOf } from "../support/running.ts";

/** Every script of inputs, not only those we thought of. */

const second = { name: "VI_2", interface: "eth1", vrid: 52, vips: "10.0.1.100/24" } as const;
const group = "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n";
const tracked =
  'vrrp_script s {\n script "/bin/true"\n rise 2\n fall 2\n}\nvrrp_script w {\n script "/bin/true"\n weight -30\n}\n' +
  "track_file f {\n file /f\n}\nvrrp_track_process p {\n process x\n terminate_delay 1\n weight 20\n}\nbfd_instance b {\n neighbor_ip 10.0.0.2\n weight 10\n}\n";
const trackers =
  "track_script {; s; w; }; track_file {; f; }; track_process {; p; }; track_bfd {; b; }; track_interface {; eth1 weight 7; }";

const CONFIGURATIONS: readonly Running[] = [
  instanceText(),
  instanceText({ lines: "nopreempt" }),
  instanceText({ lines: "preempt_delay 2" }),
  instanceText({ lines: "version 3; advert_int 0.3" }),
  instanceText({ priority: 255, state: "MASTER" }),
  instanceText({ lines: "unicast_src_ip 10.0.0.1; unicast_peer {; 10.0.0.2; }" }),
  instanceText() + instanceText(second) + group,
  tracked + instanceText({ lines: trackers }) + instanceText(second) + group,
  tracked + instanceText({ lines: trackers }) + instanceText(second),
  `global_defs {\n vrrp_startup_delay 2\n}\n${instanceText({ lines: "lower_prio_no_advert" })}`,
  "",
].map((text) => runningOf(text));

const config = fc.constantFrom(...CONFIGURATIONS);
const release = fc.constantFrom<Release>([1, 3, 5], [2, 0, 10], [2, 2, 7], [2, 2, 7], [2, 3, 3], [2, 4, 3]);
const nic = fc.constantFrom("eth0", "eth1");
const address = fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.100", "10.0.1.1", "fe80::1");

/** Mostly fitting, so that it gets past the first checks. */
const fittingAdvert: fc.Arbitrary<ShadowInput> = fc
  .record({
    first: fc.boolean(),
    priority: fc.constantFrom(0, 1, 50, 100, 150, 254, 255),
    interval: fc.constantFrom(300_000, 1_000_000, 3_000_000),
    version: fc.constantFrom<2 | 3>(2, 2, 3),
    source: fc.constantFrom("10.0.0.0", "10.0.0.1", "10.0.0.2"),
    unicast: fc.boolean(),
    outgoing: fc.constantFrom(false, false, false, true),
  })
  .map(({ first, priority, interval, version, source, unicast, outgoing }) => ({
    kind: "advert",
    interface: first ? "eth0" : "eth1",
    outgoing,
    advert: advert({
      vrid: first ? 51 : 52,
      vips: [first ? "10.0.0.100" : "10.0.1.100"],
      priority,
      advertIntervalUs: version === 2 ? 1_000_000 : interval,
      version,
      source,
      ...(unicast ? { destination: "10.0.0.1" } : {}),
    }),
  }));

const anyAdvert: fc.Arbitrary<ShadowInput> = fc.record({
  kind: fc.constant("advert" as const),
  interface: fc.oneof(nic, fc.string()),
  outgoing: fc.boolean(),
  advert: fc.record(
    {
      version: fc.constantFrom<2 | 3>(2, 3),
      family: fc.constantFrom<"ipv4" | "ipv6">("ipv4", "ipv6"),
      vrid: fc.oneof(fc.constant(51), fc.integer({ min: 1, max: 255 })),
      priority: fc.integer({ min: 0, max: 255 }),
      advertIntervalUs: fc.integer({ min: 10_000, max: 255_000_000 }),
      vips: fc.array(fc.oneof(address, fc.string())),
      source: fc.oneof(address, fc.string(), fc.ipV6()),
      destination: fc.oneof(fc.constant("224.0.0.18"), address, fc.string()),
      ttl: fc.integer({ min: 0, max: 255 }),
      authType: fc.constantFrom<Decoded["authType"]>("none", "pass", "ah", "unknown"),
      checksum: fc.constantFrom<Decoded["checksum"]>("ok", "bad", "unverified"),
      ah: fc.record({ spi: fc.nat(0xffffffff), sequence: fc.nat(0xffffffff) }),
      passwordFingerprint: fc.string(),
    },
    {
      requiredKeys: [
        "version",
        "family",
        "vrid",
        "priority",
        "advertIntervalUs",
        "vips",
        "source",
        "destination",
        "ttl",
        "authType",
        "checksum",
      ],
    },
  ),
}) as fc.Arbitrary<ShadowInput>;

const named = (known: string) => fc.oneof({ weight: 5, arbitrary: fc.constant(known) }, fc.string());
const anyInput: fc.Arbitrary<ShadowInput> = fc.oneof(
  { weight: 8, arbitrary: fittingAdvert },
  { weight: 2, arbitrary: anyAdvert },
  fc.constant<ShadowInput>({ kind: "tick" }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("started" as const), config, release }) },
  fc.record({ kind: fc.constant("reloaded" as const), config }),
  fc.constantFrom<ShadowInput>({ kind: "stopping" }, { kind: "gone" }, { kind: "frozen" }, { kind: "thawed" }),
  fc.constantFrom<ShadowInput>({ kind: "thawed" }),
  fc.record({ kind: fc.constant("link" as const), interface: nic, up: fc.boolean() }),
  fc.record({ kind: fc.constant("address" as const), interface: nic, address, present: fc.boolean() }),
  fc.record({ kind: fc.constant("addresses" as const), interface: nic, addresses: fc.array(address) }),
  fc.record({
    kind: fc.constant("script" as const),
    name: fc.oneof(named("s"), named("w")),
    outcome: fc.constantFrom("success" as const, "success" as const, "failure" as const, "timeout" as const),
  }),
  fc.record({ kind: fc.constant("file" as const), name: named("f"), value: fc.integer({ min: -400, max: 400 }) }),
  fc.record({ kind: fc.constant("process" as const), name: named("p"), count: fc.nat(2) }),
  fc.record({ kind: fc.constant("bfd" as const), name: named("b"), up: fc.boolean() }),
  fc.record({
    kind: fc.constant("seed" as const),
    instance: fc.constantFrom("VI_1", "VI_2", "none"),
    state: fc.constantFrom("BACKUP" as const, "MASTER" as const),
  }),
);

interface Timed {
  readonly input: ShadowInput;
  readonly now: MonoUs;
}

const scriptOf = (
  input: fc.Arbitrary<ShadowInput>,
  configuration: fc.Arbitrary<Running> = config,
): fc.Arbitrary<readonly Timed[]> =>
  fc
    .tuple(
      fc.record({ kind: fc.constant("started" as const), config: configuration, release }),
      fc.array(fc.tuple(fc.oneof(fc.nat(400_000), fc.nat(6_000_000)), input), { maxLength: 40 }),
    )
    .map(([started, inputs]) => {
      let now = 0;
      return [
        { input: started, now: 0 as MonoUs },
        ...inputs.map(([wait, one]) => ({ input: one, now: (now += wait) as MonoUs })),
      ];
    });
const script = scriptOf(anyInput);

const runs = { numRuns: 400 };

function run(timed: readonly Timed[]): { readonly shadow: Shadow; readonly effects: readonly ShadowEffect[] } {
  let shadow = node();
  const effects: ShadowEffect[] = [];
  for (const { input, now } of timed) {
    const [next, told] = step(shadow, input, now);
    shadow = next;
    effects.push(...told);
  }
  return { shadow, effects };
}

/** Steps with a tick before each input, and looks at both. */
function watch(
  timed: readonly Timed[],
  look: (seen: {
    readonly before: Shadow;
    readonly after: Shadow;
    readonly effects: readonly ShadowEffect[];
    readonly input: ShadowInput;
  }) => void,
): void {
  let shadow = node();
  for (const { input, now } of timed)
    for (const one of [{ kind: "tick" } as const, input]) {
      const [after, effects] = step(shadow, one, now);
      look({ before: shadow, after, effects, input: one });
      shadow = after;
    }
}

test("nothing makes it throw, and what it says of priorities and margins is within their ranges", () => {
  fc.assert(
    fc.property(script, (timed) => {
      watch(timed, ({ after, effects }) => {
        for (const expected of expectations(after)) {
          expect(expected.effectivePriority).toBeGreaterThanOrEqual(1);
          expect(expected.effectivePriority).toBeLessThanOrEqual(255);
          expect(expected.marginUsed).toBeGreaterThanOrEqual(0);
          expect(expected.marginUsed).toBeLessThanOrEqual(1);
          expect(expected.whyNotMaster.length > 0).toBe(expected.state !== "MASTER");
          if (expected.nextAdvertAt !== undefined) expect(expected.nextAdvertAt).toBeGreaterThan(after.now);
          if (expected.masterDownAt !== undefined && !after.daemon?.frozen)
            expect(expected.masterDownAt).toBeGreaterThan(after.now);
        }
        for (const effect of effects)
          if (effect.kind === "near-miss") {
            expect(effect.missed).toBeGreaterThan(0);
            expect(effect.marginUsed).toBeGreaterThan(0);
            expect(effect.marginUsed).toBeLessThanOrEqual(1);
          }
      });
    }),
    { numRuns: 800 },
  );
});

test("the state of an effect is the one before it, and never the same: no change is told twice", () => {
  fc.assert(
    fc.property(script, (timed) => {
      const states = new Map<string, string>();
      watch(timed, ({ effects, input, before, after }) => {
        // A reload may give an instance another name, and a seed is no change.
        for (const effect of effects)
          if (effect.kind === "state") {
            expect(effect.from).not.toBe(effect.to);
            if (input.kind !== "reloaded" && input.kind !== "thawed")
              expect(effect.from).toBe(states.get(effect.instance) ?? "INIT");
            states.set(effect.instance, effect.to);
            expect(effect.at).toBeGreaterThanOrEqual(before.now);
          }
        states.clear();
        for (const { instance, state } of expectations(after)) states.set(instance, state);
      });
    }),
    runs,
  );
});

test("time alone makes a master only at the deadline that was told before", () => {
  fc.assert(
    fc.property(script, (timed) => {
      watch(timed, ({ before, effects, input }) => {
        if (input.kind !== "tick") return;
        const deadlines = new Map(expectations(before).map((one) => [one.instance, one.masterDownAt]));
        for (const effect of effects) {
          if (effect.kind !== "state") continue;
          expect(effect.at).toBeGreaterThanOrEqual(nextDeadline(before) ?? Number.POSITIVE_INFINITY);
          if (effect.to !== "MASTER" || effect.cause === "sync-group") continue;
          expect(effect.at).toBeGreaterThanOrEqual(deadlines.get(effect.instance) ?? Number.POSITIVE_INFINITY);
        }
      });
    }),
    runs,
  );
});

test("ticks in between change nothing", () => {
  fc.assert(
    fc.property(script, fc.array(fc.nat(20_000_000), { maxLength: 20 }), (timed, ticks) => {
      const plain = run(timed);
      const cut = [
        ...timed,
        ...ticks
          .map((now) => now as MonoUs)
          .filter((now) => now <= (timed.at(-1)?.now ?? 0))
          .map((now): Timed => ({ input: { kind: "tick" }, now })),
      ].sort((a, b) => a.now - b.now);
      const ticked = run(cut);
      expect(ticked.effects).toEqual(plain.effects);
      expect(expectations(ticked.shadow)).toEqual(expectations(plain.shadow));
    }),
    runs,
  );
});

test("woken exactly at its deadlines it says the same", () => {
  fc.assert(
    fc.property(script, (timed) => {
      const plain = run(timed);
      let shadow = node();
      const effects: ShadowEffect[] = [];
      const feed = (input: ShadowInput, now: MonoUs): void => {
        const [next, told] = step(shadow, input, now);
        shadow = next;
        effects.push(...told);
      };
      for (const { input, now } of timed) {
        for (let due = nextDeadline(shadow); due !== undefined && due <= now; due = nextDeadline(shadow))
          feed({ kind: "tick" }, due);
        feed(input, now);
      }
      expect(effects).toEqual(plain.effects);
    }),
    runs,
  );
});

test("in FAULT no advert changes anything", () => {
  fc.assert(
    fc.property(script, (timed) => {
      watch(timed, ({ before, effects, input }) => {
        if (input.kind !== "advert") return;
        for (const { instance, state } of expectations(before))
          if (state === "FAULT" || state === "INIT")
            expect(effects.filter((effect) => effect.instance === instance)).toEqual([]);
      });
    }),
    runs,
  );
});

test("no deadline comes before the time up to which none is looked for", () => {
  fc.assert(
    fc.property(script, (timed) => {
      watch(timed, ({ after }) => {
        if (!after.daemon || after.daemon.frozen) return;
        expect(after.daemon.dueAt).toBeLessThanOrEqual(nextDeadline(after) ?? Number.POSITIVE_INFINITY);
      });
    }),
    runs,
  );
});

test("frozen it does nothing until it wakes or is gone", () => {
  fc.assert(
    fc.property(script, (timed) => {
      watch(timed, ({ before, effects, input }) => {
        if (!before.daemon?.frozen || ["thawed", "gone", "started"].includes(input.kind)) return;
        expect(effects).toEqual([]);
        expect(nextDeadline(before)).toBeUndefined();
      });
    }),
    runs,
  );
});

test("a clock that goes back, or far ahead, does no harm", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.oneof(fc.integer(), fc.maxSafeNat()), anyInput), { maxLength: 20 }), (inputs) => {
      let shadow = createShadow();
      for (const [now, input] of inputs) {
        const [next] = step(shadow, input, now as MonoUs);
        expect(next.now).toBeGreaterThanOrEqual(shadow.now);
        shadow = next;
      }
    }),
    runs,
  );
});

/** Of peers that are heard as they should be. */
const heardWell: fc.Arbitrary<ShadowInput> = fc
  .record({
    priority: fc.constantFrom(50, 100, 100, 150, 150, 150),
    source: fc.constantFrom("10.0.0.2", "10.0.0.2", "10.0.0.3"),
    outgoing: fc.constantFrom(false, false, false, true),
    destination: fc.constantFrom("224.0.0.18", "224.0.0.18", "10.0.0.1"),
  })
  .map(({ outgoing, ...over }) => ({ kind: "advert", interface: "eth0", outgoing, advert: advert(over) }));
const bfd = "bfd_instance b {\n neighbor_ip 10.0.0.2\n weight 60\n}\n";
const hearing = fc.constantFrom(
  ...CONFIGURATIONS,
  ...[
    bfd + instanceText({ lines: "track_bfd {; b; }" }),
    bfd + instanceText({ lines: "nopreempt; track_bfd {; b; }" }),
    bfd + instanceText({ lines: "preempt_delay 3; track_bfd {; b; }" }),
    instanceText({ lines: "unicast_src_ip 10.0.0.1; unicast_peer {; 10.0.0.2; }" }),
  ].flatMap((text) => Array.from({ length: 3 }, () => runningOf(text))),
);
/** What changes how they are taken. */
const shift: fc.Arbitrary<ShadowInput> = fc.oneof(
  fc.record({ kind: fc.constant("reloaded" as const), config: hearing }),
  fc.record({ kind: fc.constant("bfd" as const), name: fc.constant("b"), up: fc.boolean() }),
  fc.record({
    kind: fc.constant("addresses" as const),
    interface: fc.constant("eth0"),
    addresses: fc.constantFrom(["10.0.0.1"], ["10.0.0.9"]),
  }),
  fc.record({ kind: fc.constant("link" as const), interface: nic, up: fc.boolean() }),
  anyInput,
);

/** Adverts come again and again, a little early or late, now and then after one that was lost; an advert is one value however often it comes. */
const repeating: fc.Arbitrary<readonly Timed[]> = fc
  .tuple(
    scriptOf(fc.oneof({ weight: 3, arbitrary: heardWell }, shift), hearing),
    fc.array(fc.tuple(fc.nat(6), fc.constantFrom(0.3, 0.95, 1, 1, 1, 1.02, 2)), { minLength: 41, maxLength: 41 }),
  )
  .map(([timed, bursts]) => {
    const known = new Map<string, Decoded>();
    let late = 0;
    return timed.flatMap(({ input, now }, i): Timed[] => {
      const at = (now + late) as MonoUs;
      if (input.kind !== "advert") return [{ input, now: at }];
      const key = JSON.stringify([input.advert, input.interface, input.outgoing]);
      const heard = known.get(key) ?? input.advert;
      known.set(key, heard);
      const [count = 0, pace = 1] = bursts[i] ?? [];
      const gap = Math.round(pace * heard.advertIntervalUs);
      late += count * gap;
      return Array.from({ length: count + 1 }, (_, n) => ({
        input: { ...input, advert: heard },
        now: (at + n * gap) as MonoUs,
      }));
    });
  });

test("an advert that repeats, taken in place, does what a step does", () => {
  let taken = 0;
  fc.assert(
    fc.property(repeating, (timed) => {
      taken += takenInPlace(timed);
    }),
    runs,
  );
  expect(taken).toBeGreaterThan(runs.numRuns);
});

/** Two nodes on a network that loses nothing: what one sends, the other has at once. */
function twoNodes(
  texts: readonly [string, string],
  startsAt: readonly [number, number],
  until: MonoUs,
): readonly [Shadow, Shadow] {
  const addresses = ["10.0.0.1", "10.0.0.2"] as const;
  const shadows: [Shadow, Shadow] = [node(), node()];
  for (const i of [0, 1] as const)
    [shadows[i]] = step(shadows[i], { kind: "addresses", interface: "eth0", addresses: [addresses[i]] }, 0 as MonoUs);

  function feed(i: 0 | 1, input: ShadowInput, now: MonoUs): void {
    const [next, effects] = step(shadows[i], input, now);
    shadows[i] = next;
    if (effects.some((effect) => effect.kind === "state" && effect.to === "MASTER")) send(i, now);
  }

  function send(i: 0 | 1, now: MonoUs): void {
    const own = expectations(shadows[i])[0];
    if (!own) return;
    const sent = advert({ source: addresses[i], priority: own.effectivePriority });
    feed(i, { kind: "advert", interface: "eth0", outgoing: true, advert: sent }, now);
    const other = i === 0 ? 1 : 0;
    feed(other, { kind: "advert", interface: "eth0", outgoing: false, advert: sent }, now);
    // A master answers a worse one.
    if (expectations(shadows[other])[0]?.state === "MASTER" && expectations(shadows[i])[0]?.state === "MASTER")
      send(other, now);
  }

  for (;;) {
    const due = ([0, 1] as const).flatMap((i) => {
      const [own] = expectations(shadows[i]);
      const start = own ? [] : [startsAt[i]];
      const times = [...start, nextDeadline(shadows[i]), own?.nextAdvertAt].filter((time) => time !== undefined);
      return times.map((time) => ({ i, time }));
    });
    const next = due.reduce((a, b) => (b.time < a.time ? b : a));
    const now = next.time as MonoUs;
    if (now > until) return shadows;
    if (!expectations(shadows[next.i])[0])
      feed(next.i, { kind: "started", config: runningOf(texts[next.i]), release: [2, 2, 7] }, now);
    else if (expectations(shadows[next.i])[0]?.nextAdvertAt === now) send(next.i, now);
    else feed(next.i, { kind: "tick" }, now);
  }
}

test("two nodes settle for one master: the better one, unless the other was there before and is left alone", () => {
  const member = fc.record({
    priority: fc.integer({ min: 1, max: 254 }),
    lines: fc.constantFrom("", "nopreempt", "preempt_delay 3", "down_timer_adverts 2"),
  });
  fc.assert(
    fc.property(member, member, fc.nat(9 * US_PER_SECOND), fc.nat(9 * US_PER_SECOND), (a, b, startA, startB) => {
      const shadows = twoNodes([instanceText(a), instanceText(b)], [startA, startB], at(40));
      const masters = shadows.map((shadow) => expectations(shadow)[0]?.state === "MASTER");
      expect(masters.filter((is) => is)).toHaveLength(1);
      const [best, bestIs, other] = a.priority >= b.priority ? [a, masters[0], b] : [b, masters[1], a];
      if (best.priority > other.priority && best.lines !== "nopreempt") expect(bestIs).toBe(true);
      for (const shadow of shadows) {
        const expected = expectations(shadow)[0]?.expectedMaster;
        expect(expected?.address).toBe(masters[0] ? "10.0.0.1" : "10.0.0.2");
      }
    }),
    { numRuns: 60 },
  );
});
