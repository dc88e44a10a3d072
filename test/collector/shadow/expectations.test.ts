import { describe, expect, test } from "vitest";
import { createShadow, nextDeadline, type Shadow, step } from "../../../collector/shadow/engine.ts";
import { type Expectation, expectations } from "../../../collector/shadow/expectations.ts";
import type { ShadowInput } from "../../../collector/shadow/input.ts";
import { runningOf } from "../../support/running.ts";
import { at, feed, heard, instanceText, node } from "./scenario.ts";

const started = (text = instanceText()): ShadowInput => ({
  kind: "started",
  config: runningOf(text),
  release: [2, 2, 7],
});
const tick: ShadowInput = { kind: "tick" };
const second = { name: "VI_2", interface: "eth1", vrid: 52, vips: "10.0.1.100/24" } as const;
const pair = `${instanceText() + instanceText(second)}vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n`;

function first(shadow: Shadow): Expectation {
  const [expected] = expectations(shadow);
  if (!expected) throw new Error("no instance");
  return expected;
}

const after = (text: string | undefined, ...inputs: readonly (readonly [number, ShadowInput])[]): Shadow =>
  feed(node(), [[0, started(text)], ...inputs]).shadow;
const whyOf = (shadow: Shadow) => first(shadow).whyNotMaster;

test("without a daemon nothing is expected, and nothing will happen", () => {
  expect(expectations(createShadow())).toEqual([]);
  expect(nextDeadline(createShadow())).toBeUndefined();
});

test("a backup: whom it follows, until when, and how much of that is used", () => {
  const expected = first(after(undefined, [1, heard({ priority: 150 })], [2.5, tick]));
  expect(expected).toMatchObject({
    instance: "VI_1",
    interface: "eth0",
    family: "ipv4",
    vrid: 51,
    state: "BACKUP",
    wants: "BACKUP",
    basePriority: 100,
    effectivePriority: 100,
    nextAdvertAt: undefined,
    masterDownAt: at(4.609375),
    master: { address: "10.0.0.2", priority: 150, intervalUs: 1_000_000, heardAt: at(1) },
    expectedMaster: { self: false, address: "10.0.0.2" },
  });
  expect(expected.marginUsed).toBeCloseTo(1.5 / 3.609375, 6);
});

describe("a master's next advert", () => {
  const master = (...inputs: readonly (readonly [number, ShadowInput])[]): Expectation =>
    first(after(undefined, ...inputs));

  test("is due an interval after the last", () => {
    expect(master([4, tick])).toMatchObject({ state: "MASTER", nextAdvertAt: at(4.609375), whyNotMaster: [] });
    expect(master([9, tick]).nextAdvertAt).toBe(at(9.609375));
  });

  test("is put off by every packet, refused ones too", () => {
    expect(master([4, heard({ priority: 1 })]).nextAdvertAt).toBe(at(5));
    expect(master([4, heard({ advertIntervalUs: 2_000_000 })]).nextAdvertAt).toBe(at(5));
  });

  test("but not with lower_prio_no_advert", () => {
    const shadow = after(instanceText({ lines: "lower_prio_no_advert" }), [4, heard({ priority: 1 })]);
    expect(first(shadow).nextAdvertAt).toBe(at(4.609375));
  });

  test("goes by the one that was captured last", () => {
    const { advert, interface: nic } = heard({ source: "10.0.0.1" }) as Extract<ShadowInput, { kind: "advert" }>;
    const sent: ShadowInput = { kind: "advert", interface: nic, outgoing: true, advert };
    expect(master([4.65, sent]).nextAdvertAt).toBe(at(5.65));
  });

  test("and it expects itself", () => {
    expect(master([4, tick]).expectedMaster).toEqual({ self: true, address: "10.0.0.1" });
  });
});

describe("why it is not master", () => {
  test("nothing was heard yet", () => {
    expect(whyOf(after(undefined, [1, tick]))).toEqual([{ code: "waits-master-down", until: at(3.609375) }]);
  });

  test("a higher priority, and an equal one", () => {
    for (const priority of [100, 150])
      expect(whyOf(after(undefined, [1, heard({ priority })]))).toMatchObject([
        { code: "outranked", peer: { address: "10.0.0.2", priority } },
      ]);
  });

  test("a lower one is discarded: it is master until the timer is over", () => {
    const shadow = after(undefined, [1, heard({ priority: 50 })]);
    expect(whyOf(shadow)).toEqual([{ code: "waits-master-down", until: at(3.609375) }]);
    expect(first(shadow).expectedMaster).toEqual({ self: false, address: "10.0.0.2" });
    const later = after(undefined, [1, heard({ priority: 50 })], [3.7, tick]);
    expect(first(later).expectedMaster).toEqual({ self: true, address: "10.0.0.1" });
  });

  test("nopreempt, and a preempt delay with its end", () => {
    const lower = heard({ priority: 50 });
    expect(whyOf(after(instanceText({ lines: "nopreempt" }), [1, lower]))).toMatchObject([{ code: "nopreempt" }]);
    expect(whyOf(after(instanceText({ lines: "preempt_delay 5" }), [1, lower]))).toMatchObject([
      { code: "preempt-delay", until: at(6) },
    ]);
  });

  test("a startup delay", () => {
    const shadow = after(`global_defs {\n vrrp_startup_delay 4\n}\n${instanceText()}`, [1, tick]);
    expect(whyOf(shadow)).toMatchObject([
      { code: "startup-delay", until: at(4) },
      { code: "waits-master-down", until: at(7.609375) },
    ]);
  });

  test("faults, each with its name", () => {
    const shadow = after(
      instanceText({ lines: "track_interface {; eth1; }" }),
      [1, { kind: "link", interface: "eth0", up: false }],
      [1, { kind: "link", interface: "eth1", up: false }],
      [1, { kind: "addresses", interface: "eth0", addresses: [] }],
    );
    expect(whyOf(shadow)).toEqual([
      {
        code: "fault",
        faults: [
          { kind: "interface", name: "eth0" },
          { kind: "source-address", name: "" },
          { kind: "interface", name: "eth1" },
        ],
      },
    ]);
  });

  test("a script that has not run", () => {
    const text = `vrrp_script s {\n script "/bin/true"\n}\n${instanceText({ lines: "track_script {; s; }" })}`;
    expect(whyOf(after(text, [1, tick]))).toEqual([{ code: "waits-for-script", scripts: ["s"] }]);
  });

  test("a sync group: in FAULT because of a member, and held back by one", () => {
    const faulty = after(pair, [1, { kind: "link", interface: "eth1", up: false }]);
    expect(whyOf(faulty)).toEqual([{ code: "sync-group", group: "G", members: ["VI_2"] }]);
    const other = heard({ vrid: 52, vips: ["10.0.1.100"] }, "eth1");
    const held = after(pair, [1, other], [2, other], [3, other], [4, other]);
    expect(first(held)).toMatchObject({
      wants: "MASTER",
      state: "BACKUP",
      masterDownAt: at(2 * 3.609375),
      whyNotMaster: [{ code: "sync-group", group: "G", members: ["VI_2"] }],
    });
  });
});

test("in FAULT it still knows who should be master: the best of those whose adverts count", () => {
  const shadow = after(
    undefined,
    [0.5, { kind: "link", interface: "eth0", up: false }],
    [1, heard({ priority: 50, source: "10.0.0.3" })],
    [1, heard({ priority: 50, source: "10.0.0.4" })],
    [1, heard({ priority: 40, source: "10.0.0.9" })],
  );
  expect(first(shadow)).toMatchObject({ state: "FAULT", expectedMaster: { self: false, address: "10.0.0.4" } });
  const [late] = step(shadow, tick, at(9));
  expect(first(late).expectedMaster).toBeUndefined();
});

describe("what was so when the watching began", () => {
  const seed = (state: "BACKUP" | "MASTER", more: { priority?: number; instance?: string } = {}): ShadowInput => ({
    kind: "seed",
    instance: "VI_1",
    state,
    ...more,
  });

  test("is not told as a change", () => {
    const { shadow } = feed(node(), [[0, started()]]);
    const [master, effects] = step(shadow, seed("MASTER"), at(0));
    expect(effects).toEqual([]);
    expect(first(master)).toMatchObject({ state: "MASTER", nextAdvertAt: at(1) });
    const [backup] = step(shadow, seed("BACKUP"), at(1));
    expect(first(backup)).toMatchObject({ state: "BACKUP", masterDownAt: at(4.609375) });
  });

  test("its priority stays until what is tracked changes it, also for the next one", () => {
    const text = `vrrp_script s {\n script "/bin/true"\n weight 20\n}\n${instanceText({ lines: "track_script {; s; }" })}${instanceText(second)}`;
    const { shadow, effects } = feed(node(), [
      [0, started(text)],
      [0, seed("MASTER", { priority: 120 })],
      [0, seed("MASTER", { instance: "VI_2" })],
      [0.5, { kind: "script", name: "s", outcome: "success" }],
    ]);
    expect(first(shadow)).toMatchObject({ state: "MASTER", effectivePriority: 120 });
    expect(effects.filter(({ kind }) => kind === "priority")).toEqual([]);
    const [failed] = step(shadow, { kind: "script", name: "s", outcome: "failure" }, at(1));
    expect(first(failed).effectivePriority).toBe(100);
  });

  test("shows that no script keeps it waiting", () => {
    const text = `vrrp_script s {\n script "/bin/true"\n}\n${instanceText({ lines: "track_script {; s; }" })}`;
    const { shadow } = feed(node(), [
      [0, started(text)],
      [0, seed("BACKUP")],
    ]);
    expect(first(shadow)).toMatchObject({ state: "BACKUP", faults: [] });
  });

  const scripts = 'vrrp_script s {\n script "/bin/true"\n}\nvrrp_script t {\n script "/bin/true"\n}\n';
  const waits = instanceText({ lines: "track_script {; s; }" });
  const group = "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n";

  test.each([
    ["a member of its group", waits + instanceText(second) + group],
    [
      "a member of its group that waits for another script",
      waits + instanceText({ ...second, lines: "track_script {; t; }" }) + group,
    ],
    ["an instance that waits for the same script", waits + instanceText({ ...second, lines: "track_script {; s; }" })],
  ])("shows as much of %s: it runs from then on, not from whatever is told next", (_, text) => {
    const { shadow } = feed(node(), [
      [0, started(scripts + text)],
      [0, seed("BACKUP")],
    ]);
    expect(expectations(shadow)).toMatchObject([
      { state: "BACKUP", whyNotMaster: [{ code: "waits-master-down" }] },
      { state: "BACKUP", masterDownAt: at(3.609375), whyNotMaster: [{ code: "waits-master-down" }] },
    ]);
    const { effects } = feed(shadow, [
      [1, { kind: "link", interface: "eth9", up: true }],
      [4, tick],
    ]);
    const changes = effects.flatMap((one) => (one.kind === "state" ? [`${one.at} ${one.instance} ${one.to}`] : []));
    expect(changes.toSorted()).toEqual(["3609375 VI_1 MASTER", "3609375 VI_2 MASTER"]);
  });

  test("shows nothing of one that waits for another script", () => {
    const text = scripts + waits + instanceText({ ...second, lines: "track_script {; t; }" });
    const { shadow } = feed(node(), [
      [0, started(text)],
      [0, seed("BACKUP")],
    ]);
    expect(expectations(shadow)[1]).toMatchObject({ state: "INIT", whyNotMaster: [{ code: "waits-for-script" }] });
  });
});
