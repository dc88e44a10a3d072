import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CollectorDeps, type RunningCollector, runCollector } from "../../../collector/app.ts";
import { parseCollectorConfig } from "../../../collector/config.ts";
import type { Clock, EpochUs } from "../../../collector/core/time.ts";
import { eventFault } from "../../../collector/events/event.ts";
import { advert, FakeSource, ManualClock, master, Receiver, settled, Waits } from "./support.ts";

let dir: string;
let server: Receiver;
let clock: ManualClock;
let waits: Waits;
let tick: () => void;
let said: string[];
const running: RunningCollector[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "keepwatch-app-"));
  server = await Receiver.open();
  clock = new ManualClock();
  waits = new Waits();
  said = [];
});
afterEach(async () => {
  for (const collector of running.splice(0)) await collector.stop();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

async function run(sources: readonly FakeSource[], deps: Partial<CollectorDeps> = {}): Promise<RunningCollector> {
  const config = parseCollectorConfig("", "test", {
    node: "lb1",
    server: { url: server.url },
    spool: { dir: join(dir, "spool") },
  });
  const collector = await runCollector(config, {
    clock,
    log: (level, message, fields) => said.push(`${level}: ${message} ${JSON.stringify(fields ?? {})}`),
    sources,
    every: (_ms, beat) => {
      tick = beat;
      return () => (tick = () => undefined);
    },
    wait: waits.wait,
    random: () => 0.5,
    ...deps,
  });
  running.push(collector);
  return collector;
}

/** What the server has, in the order it came. */
const story = (): string[] =>
  server.events().map((event) => ("instance" in event && event.instance ? event.instance : event.kind));
const heartbeats = (): number => story().filter((kind) => kind === "collector.heartbeat").length;

describe("the collector", () => {
  test("says at its start what it reads, with the identity of its configuration", async () => {
    await run([new FakeSource("log"), new FakeSource("capture")]);
    const started = await server.got(({ kind }) => kind === "collector.started");
    expect(started).toMatchObject({
      cluster: "default",
      node: "lb1",
      source: "collector",
      ts: clock.now,
      sources: [
        { name: "log", state: "running" },
        { name: "capture", state: "running" },
      ],
    });
  });

  test("says when a source sees no more, and keeps when it was last alive", async () => {
    const source = new FakeSource("capture");
    const collector = await run([source]);
    source.state = "unavailable";
    tick();
    const told = await server.got(({ kind }) => kind === "collector.source");
    expect(told).toMatchObject({ name: "capture", state: "unavailable" });
    await collector.stop();
    clock.now += 600_000_000;
    await run([source]);
    await server.got(({ kind, ts }) => kind === "collector.started" && ts === clock.now);
    // It had ended in order.
    expect(story().filter((kind) => kind === "collector.gap")).toEqual([]);
  });

  test("after it was killed tells for how long it did not run before its sources tell anything", async () => {
    const source = new FakeSource("log");
    const collector = await run([source]);
    tick();
    await settled(() => heartbeats() === 1);
    // The spool as a kill would have left it.
    cpSync(join(dir, "spool"), join(dir, "killed"), { recursive: true });
    await collector.stop();
    rmSync(join(dir, "spool"), { recursive: true });
    renameSync(join(dir, "killed"), join(dir, "spool"));
    const from = clock.now;
    clock.now += 600_000_000;
    source.onStart = async () => void source.emit([master(1, clock.now)]);
    await run([source]);
    const gap = await server.got(({ kind }) => kind === "collector.gap");
    expect(gap).toMatchObject({ sourceName: "collector", from, to: clock.now });
    await server.got(({ kind, ts }) => kind === "collector.started" && ts === clock.now);
    const kinds = story();
    expect(kinds.slice(kinds.indexOf("collector.gap"))).toEqual(["collector.gap", "VI_1", "collector.started"]);
  });

  test("sends a heartbeat after everything that was emitted before it, whichever source it came from", async () => {
    const sources = [new FakeSource("log"), new FakeSource("journal")];
    await run(sources);
    for (let round = 0; round < 20; round++) {
      for (const [i, source] of sources.entries()) void source.emit([master(round * 2 + i)], String(round));
      if (round % 3 === 0) void sources[0]?.emit([advert(round)]);
      tick();
      await settled(() => heartbeats() === round + 1);
    }
    const kinds = story();
    for (let round = 0; round < 20; round++) {
      const beat = kinds.findIndex(
        (kind, i) =>
          kind === "collector.heartbeat" && kinds.slice(0, i).filter((other) => other === kind).length === round,
      );
      expect(kinds.indexOf(`VI_${round * 2}`)).toBeLessThan(beat);
      expect(kinds.indexOf(`VI_${round * 2 + 1}`)).toBeLessThan(beat);
    }
  });

  test("sends only what the event contract takes, with raw adverts in batches of their own", async () => {
    const source = new FakeSource("capture");
    await run([source]);
    await source.emit([advert(1), master(1), advert(2)]);
    tick();
    await server.got(({ kind }) => kind === "collector.heartbeat");
    expect(server.events().map(eventFault).filter(Boolean)).toEqual([]);
    for (const { events } of server.batches)
      expect(new Set(events.map(({ kind }) => kind === "wire.advert")).size).toBe(1);
  });

  test("hands over what the sources still have when it stops, and its own end last of all", async () => {
    const source = new FakeSource("log");
    source.lastWords = [master(7)];
    const collector = await run([source]);
    await source.emit([master(6)], "offset 6");
    await collector.stop();
    expect(story()).toEqual(["collector.started", "VI_6", "VI_7", "collector.stopped"]);
    expect(collector.spoolStats().batches).toBe(0);
  });

  test("keeps what the server does not take for the next start, and each source reads on where it was", async () => {
    server.status = 503;
    const first = new FakeSource("log");
    const collector = await run([first]);
    await first.emit([master(1)], "offset 1");
    await first.emit([master(2)], "offset 2");
    await settled(() => collector.pushState().trouble !== undefined);
    await collector.stop();
    server.status = 200;
    clock.now += 60_000_000;
    const second = new FakeSource("log");
    await run([second]);
    expect(second.context?.position("log")).toBe("offset 2");
    expect(second.context?.position("journal")).toBeUndefined();
    await settled(() => story().filter((kind) => kind === "collector.started").length === 2);
    expect(story()).toEqual(["collector.started", "VI_1", "VI_2", "collector.stopped", "collector.started"]);
    expect(new Set(server.events().map(({ id }) => id)).size).toBe(5);
  });

  test("knows after a restart that its clock shows a stretch of time for the second time", async () => {
    let setBack = 0;
    const set: Clock = { mono: clock.mono, epoch: () => (clock.epoch() - setBack) as EpochUs };
    const deps = { clock: set, boot: () => "one", suspendedUs: () => 0 };
    const first = await run([new FakeSource("log")], deps);
    setBack = 40_000_000;
    tick();
    expect(await server.got(({ kind }) => kind === "collector.clock")).toMatchObject({ steppedUs: -40_000_000 });
    await first.stop();
    clock.now += 5_000_000;
    await run([new FakeSource("log")], deps);
    const started = await server.got(({ kind, ts }) => kind === "collector.started" && ts === set.epoch());
    expect(started).toMatchObject({ secondPass: true });
  });

  test("goes on with the other sources when one throws and another never ends its start or its stop", async () => {
    const [broken, stuck, sound] = [new FakeSource("capture"), new FakeSource("journal"), new FakeSource("log")];
    broken.onStart = () => Promise.reject(new Error("no permission"));
    broken.onStop = () => Promise.reject(new Error("was never open"));
    stuck.onStart = () => new Promise(() => undefined);
    stuck.onStop = () => new Promise(() => undefined);
    const starting = run([broken, stuck, sound]);
    await settled(() => sound.state === "running");
    await sound.emit([master(1)]);
    waits.expire();
    const collector = await starting;
    expect(said).toContainEqual(expect.stringMatching(/a source could not be started.*no permission/));
    await server.got(({ kind }) => kind === "collector.started");
    const stopping = collector.stop();
    await settled(() => sound.state === "stopped");
    await settled(() => waits.expire().length > 0);
    await stopping;
    expect(story()).toEqual(["VI_1", "collector.started", "collector.stopped"]);
  });

  test("leaves out the one event that breaks the contract, says so in its place, and sends the rest", async () => {
    const source = new FakeSource("log");
    await run([source]);
    const broken = { ...master(2), body: { kind: "vrrp.state", instance: "i".repeat(300), state: "MASTER" } as const };
    await source.emit([master(1), broken, master(3)]);
    await server.got((event) => "instance" in event && event.instance === "VI_3");
    expect(story()).toEqual(["collector.started", "VI_1", "collector.gap", "VI_3"]);
    expect(server.events()[2]).toMatchObject({
      sourceName: "log",
      lost: 1,
      reason: expect.stringContaining("instance"),
    });
  });

  test("reports a refused batch with its next heartbeat, and does not report that a report was refused", async () => {
    const source = new FakeSource("log");
    const collector = await run([source]);
    await server.got(({ kind }) => kind === "collector.started");
    server.status = 400;
    await source.emit([master(1, 1_772_700_000_000_001), master(2, 1_772_700_000_000_002)]);
    await settled(() => collector.pushState().deadLettered === 1);
    tick();
    await settled(() => collector.pushState().deadLettered >= 2);
    server.status = 200;
    tick();
    await server.got(({ kind }) => kind === "collector.heartbeat");
    expect(server.events().filter(({ kind }) => kind === "collector.gap")).toEqual([]);
    expect(readdirSync(join(dir, "spool/dead-letter")).length).toBeGreaterThanOrEqual(4);
  });

  test("tells the stretch of event time and the number of events that were refused", async () => {
    const source = new FakeSource("log");
    const collector = await run([source]);
    await server.got(({ kind }) => kind === "collector.started");
    server.status = 400;
    await source.emit([master(1, 1_772_700_000_000_001), master(2, 1_772_700_000_000_002)]);
    await settled(() => collector.pushState().deadLettered === 1);
    server.status = 200;
    tick();
    expect(await server.got(({ kind }) => kind === "collector.gap")).toMatchObject({
      sourceName: "spool",
      lost: 2,
      from: 1_772_700_000_000_001,
      to: 1_772_700_000_000_002,
      reason: expect.stringContaining("400"),
    });
    tick();
    await settled(() => heartbeats() === 2);
    expect(story().filter((kind) => kind === "collector.gap")).toHaveLength(1);
  });

  test("refuses to share its spool", async () => {
    await run([]);
    await expect(run([])).rejects.toThrow(/is in use by process/);
  });
});
