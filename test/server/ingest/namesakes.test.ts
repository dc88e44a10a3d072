import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RunningCollector, runCollector } from "../../../collector/app.ts";
import { parseCollectorConfig } from "../../../collector/config.ts";
import type { Clock, EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { Batch } from "../../../collector/events/batch.ts";
import { type Event, eventFault } from "../../../collector/events/event.ts";
import { type Named, Namesakes } from "../../../server/ingest/namesakes.ts";
import type { Incident, NodeSummary } from "../../../server/api/types.ts";
import { FakeSource, ManualClock, master } from "../../collector/app/support.ts";
import { eventually } from "../../support/process.ts";
import { endStray, testServer } from "../app/support.ts";
import { scenario } from "../detect/scenario.ts";

const S = 1_000_000;
const ids = { a: "a".repeat(32), b: "b".repeat(32) };
let clock: ManualClock;
let namesakes: Namesakes;
let words: Named[];
let taken: Set<string>;

beforeEach(() => {
  clock = new ManualClock();
  words = [];
  taken = new Set();
  namesakes = new Namesakes(clock, [], (_, node) => taken.has(node));
});

interface Sent {
  readonly address?: string;
  readonly boot?: string;
  readonly what?: "heartbeat" | "collector started" | "collector stopped";
}

/** @returns the node that what is sent is kept as */
function sends(id: "a" | "b", { address, boot = "1", what = "heartbeat" }: Sent = {}): string {
  clock.now += S;
  const events = scenario(`at ${(clock.now / S) % 1000} localhost ${what}`);
  const collector = { id: ids[id], boot: boot.repeat(32) };
  const batch: Batch = {
    version: 1,
    batchId: "0".repeat(32),
    cluster: "default",
    node: "localhost",
    collector,
    events,
  };
  const verdict = namesakes.judge(batch, address);
  if ("wait" in verdict) return "waits";
  for (const event of verdict.word?.events ?? []) {
    expect(eventFault(event)).toBe(undefined);
    words.push(event as Named);
  }
  if (verdict.word) namesakes.told(verdict.word);
  expect(verdict.batch.events.every(({ node }) => node === verdict.batch.node)).toBe(true);
  return verdict.batch.node;
}

describe("two collectors with one name", () => {
  test("that are alive at once are two nodes, from the first that is kept of the second", () => {
    expect([sends("a"), sends("b"), sends("b"), sends("a"), sends("b"), sends("a"), sends("b")]).toEqual([
      "localhost",
      "waits",
      "waits",
      "localhost",
      "localhost (2)",
      "localhost",
      "localhost (2)",
    ]);
    expect(words.map(({ node, calls }) => [node, calls])).toEqual([
      ["localhost", "localhost"],
      ["localhost (2)", "localhost"],
    ]);
  });

  test("are told apart by address where they have one, and never under a name that is taken", () => {
    sends("a", { address: "10.0.0.1" });
    sends("b", { address: "10.0.0.2" });
    sends("a");
    taken.add("localhost (10.0.0.2)");
    expect(sends("b", { address: "10.0.0.2" })).toBe("localhost (2)");
    namesakes = new Namesakes(clock, [], () => false);
    sends("a", { address: "10.0.0.1" });
    sends("b", { address: "10.0.0.2" });
    sends("a");
    expect(sends("b", { address: "10.0.0.2" })).toBe("localhost (10.0.0.2)");
  });

  test("stay so over a restart of the server", () => {
    for (const id of ["a", "b", "a", "b"] as const) sends(id);
    namesakes = new Namesakes(clock, [...words].reverse(), () => true);
    expect([sends("b"), sends("a"), sends("b", { boot: "2" })]).toEqual([
      "localhost (2)",
      "localhost",
      "localhost (2)",
    ]);
  });

  test("are two also where one is a copy of the other, its spool with it", () => {
    expect([sends("a"), sends("a", { boot: "2" }), sends("a"), sends("a", { boot: "2" })]).toEqual([
      "localhost",
      "localhost",
      "localhost (2)",
      "localhost",
    ]);
  });

  test("have ids of their own for what is equal", () => {
    const events = scenario("at 1 localhost heartbeat");
    const of = (id: "a" | "b"): readonly Event[] => {
      const verdict = namesakes.judge(
        {
          version: 1,
          batchId: "0".repeat(32),
          cluster: "default",
          node: "localhost",
          collector: { id: ids[id] },
          events,
        },
        undefined,
      );
      return "wait" in verdict ? [] : verdict.batch.events;
    };
    const [first] = of("a");
    of("b");
    of("a");
    const [second] = of("b");
    expect(first?.id).not.toBe(second?.id);
  });
});

describe("one node stays one", () => {
  test("after a reboot", () => {
    expect([sends("a"), sends("a", { boot: "2" }), sends("a", { boot: "2" })]).toEqual(Array(3).fill("localhost"));
  });

  test("with a new spool, when the old collector ended in order", () => {
    expect([sends("a"), sends("a", { what: "collector stopped" }), sends("b")]).toEqual(Array(3).fill("localhost"));
  });

  test("on a new machine, once the old one has not been heard for a while", () => {
    sends("a");
    const kept = Array.from({ length: 20 }, () => sends("b"));
    expect(kept.indexOf("localhost")).toBe(15);
    expect(new Set(kept.slice(15))).toEqual(new Set(["localhost"]));
  });

  test("what the old boot, or the old machine, saw before and sends late is of the same node", () => {
    sends("a");
    const late = clock.now;
    sends("a", { boot: "2" });
    const now = clock.now;
    clock.now = late - S;
    expect(sends("a")).toBe("localhost");
    clock.now = now;
    expect([sends("a", { boot: "2" }), sends("a"), sends("a", { boot: "2" })]).toEqual([
      "localhost",
      "localhost (2)",
      "localhost",
    ]);
  });

  test("what a boot saw that this server never heard of, as its store was restored, is of the same node", () => {
    const before = clock.now;
    clock.now += 100 * S;
    expect([sends("a", { boot: "3" }), sends("a", { boot: "3" })]).toEqual(["localhost", "localhost"]);
    const now = clock.now;
    clock.now = before;
    expect([sends("a", { boot: "1", what: "collector stopped" }), sends("a", { boot: "2" })]).toEqual([
      "localhost",
      "localhost",
    ]);
    clock.now = now;
    expect(sends("a", { boot: "3" })).toBe("localhost");
    expect(words.map(({ boot }) => boot?.[0])).toEqual(["3"]);
    // Nor is it gone for a second host of that name.
    expect(sends("b")).toBe("waits");
  });

  test("and the old machine is another node when it comes back after all", () => {
    sends("a");
    for (let second = 0; second < 20; second += 1) sends("b");
    expect([sends("a"), sends("b"), sends("a")]).toEqual(["localhost (2)", "localhost", "localhost (2)"]);
  });

  test("a collector that does not say which it is has its name", () => {
    sends("a");
    const batch: Batch = { version: 1, batchId: "0".repeat(32), cluster: "default", node: "localhost", events: [] };
    expect(namesakes.judge(batch, undefined)).toEqual({ batch, word: undefined });
  });
});

describe("end to end", () => {
  const dir = mkdtempSync(join(tmpdir(), "keepwatch-namesakes-"));
  const collectors: RunningCollector[] = [];
  afterEach(async () => {
    for (const collector of collectors.splice(0)) await collector.stop();
    await endStray();
    rmSync(dir, { recursive: true, force: true });
  });

  test("two collectors called localhost are two nodes of one server, with all they saw, and somebody is told what to set", async () => {
    const server = await testServer();
    const mono = (): MonoUs => Math.round(performance.now() * 1_000) as MonoUs;
    const real: Clock = {
      mono,
      epoch: () => Math.round((performance.timeOrigin + performance.now()) * 1_000) as EpochUs,
    };
    const start = async (name: string): Promise<FakeSource> => {
      const log = new FakeSource("log");
      const config = parseCollectorConfig("heartbeat_seconds = 0.2", "test", {
        node: "localhost",
        server: { url: server.url },
        spool: { dir: join(dir, name) },
      });
      collectors.push(await runCollector(config, { clock: real, log: () => undefined, sources: [log] }));
      return log;
    };
    const first = await start("first");
    await first.emit([master(1, real.epoch())]);
    const second = await start("second");
    // The same line at the same place of its log.
    await second.emit([master(1, real.epoch())]);
    const statesOf = async (node: string): Promise<readonly unknown[]> =>
      (
        (await server.json(`/api/v1/events?node=${encodeURIComponent(node)}&kinds=vrrp.state`)) as {
          events: readonly unknown[];
        }
      ).events;
    await eventually("the second one's line", async () => (await statesOf("localhost (2)"))[0]);
    expect(await statesOf("localhost (2)")).toHaveLength(1);
    expect(await statesOf("localhost")).toHaveLength(1);
    const nodes = (await server.json("/api/v1/nodes")) as readonly NodeSummary[];
    expect(nodes.map(({ node }) => node)).toEqual(["localhost", "localhost (2)"]);
    const incidents = (await server.json("/api/v1/incidents")) as readonly Incident[];
    const told = incidents.find(({ cause }) => cause?.code === "same-name");
    expect(told).toMatchObject({ kind: "blind-spot", severity: "warning", subject: { nodes: ["localhost (2)"] } });
    expect(told?.summary).toContain("set node =");
  });
});
