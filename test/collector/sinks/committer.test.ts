import { describe, expect, test } from "vitest";
import type { Batch } from "../../../collector/events/batch.ts";
import { type EventJson, type Observation, toEventJson } from "../../../collector/events/observation.ts";
import { Committer } from "../../../collector/sinks/committer.ts";
import type { Append } from "../../../collector/sinks/spool.ts";
import { advert, master, settled, Waits } from "../app/support.ts";

const identity = { cluster: "web", node: "lb1", collector: { id: "0".repeat(32) } };
const eventOf = (seen: Observation): EventJson => toEventJson(seen, identity, seen.ts);
const events = (count: number, from = 0): EventJson[] =>
  Array.from({ length: count }, (_, i) => eventOf(master(from + i)));
const batchIn = ({ body }: Append): Batch => JSON.parse(body.toString()) as Batch;
const namesIn = (append: Append): string[] =>
  batchIn(append).events.map((event) => ("instance" in event ? String(event.instance) : event.kind));

function committer(append: (batches: readonly Append[]) => Promise<void> = async () => undefined): {
  subject: Committer;
  turns: (readonly Append[])[];
  said: string[];
  waits: Waits;
} {
  const turns: (readonly Append[])[] = [];
  const said: string[] = [];
  const waits = new Waits();
  const subject = new Committer({
    identity,
    append: async (batches) => {
      await append(batches);
      turns.push(batches);
    },
    log: (level, message) => said.push(`${level}: ${message}`),
    wait: waits.wait,
  });
  return { subject, turns, said, waits };
}

describe("the committer", () => {
  test("makes one turn at the disk of what arrives together, in the order it came", async () => {
    const { subject, turns } = committer();
    await Promise.all(events(50).map((event, i) => subject.commit([event], { key: "log", value: String(i) })));
    expect(turns).toHaveLength(1);
    expect(turns[0]?.flatMap(namesIn)).toEqual(Array.from({ length: 50 }, (_, i) => `VI_${i}`));
    expect(turns[0]?.map(({ positions }) => positions)).toEqual([{ log: "49" }]);
  });

  test("gathers longer while events keep coming, and not when they come now and then", async () => {
    const gathered: number[] = [];
    let quiet = (): void => undefined;
    const subject = new Committer({
      identity,
      append: async () => undefined,
      log: () => undefined,
      wait: async (ms) => {
        if (ms < 100) gathered.push(ms);
        else await new Promise<void>((resolve) => (quiet = resolve));
      },
    });
    await subject.commit(events(1));
    await subject.commit(events(1, 1));
    quiet();
    await new Promise((resolve) => setImmediate(resolve));
    await subject.commit(events(1, 2));
    expect(gathered).toEqual([5, 50, 5]);
  });

  test("keeps raw adverts apart and puts the positions of all sources with the last batch", async () => {
    const { subject, turns } = committer();
    const seen = [eventOf(advert(1)), eventOf(master(1)), eventOf(advert(2))];
    await Promise.all([
      subject.commit(seen, { key: "wire", value: "w" }),
      subject.commit(events(1, 5), { key: "log", value: "l" }),
    ]);
    expect(turns.flat().map((one) => [one.series, namesIn(one), one.positions])).toEqual([
      ["adverts", ["wire.advert", "wire.advert"], {}],
      ["events", ["VI_1", "VI_5"], { wire: "w", log: "l" }],
    ]);
  });

  test("moves a position without a batch when there is no event", async () => {
    const { subject, turns } = committer();
    await subject.commit([], { key: "log", value: "9" });
    expect(turns).toEqual([[{ series: "events", body: Buffer.alloc(0), events: 0, positions: { log: "9" } }]]);
  });

  test("closes a batch before it holds more events or bytes than the server takes", async () => {
    const { subject, turns } = committer();
    const long = Array.from({ length: 1_000 }, (_, i) => eventOf({ ...master(i), raw: "é".repeat(4_000) }));
    await Promise.all([subject.commit(events(6_000, 10_000)), subject.commit(long)]);
    const all = turns.flat();
    expect(all.flatMap(namesIn)).toHaveLength(7_000);
    for (const one of all) {
      expect(one.events).toBe(batchIn(one).events.length);
      expect(one.events).toBeLessThanOrEqual(5_000);
      expect(one.body.length).toBeLessThanOrEqual(2 * 1024 * 1024 + 1024);
    }
  });

  test("names a batch by its events, so that the same events make the same batch", async () => {
    const [first, second, other] = [committer(), committer(), committer()];
    await first.subject.commit(events(3));
    await second.subject.commit(events(3));
    await other.subject.commit(events(3, 1));
    const id = (turns: (readonly Append[])[]): string | undefined => turns.flat().map((one) => batchIn(one).batchId)[0];
    expect(id(first.turns)).toMatch(/^[0-9a-f]{32}$/);
    expect(id(second.turns)).toBe(id(first.turns));
    expect(id(other.turns)).not.toBe(id(first.turns));
  });

  test("promises nothing while the disk fails, and loses nothing once it works again", async () => {
    let failures = 3;
    const { subject, turns, said, waits } = committer(async () => {
      failures -= 1;
      if (failures >= 0) throw new Error("no space left on device");
    });
    let promised = false;
    const first = subject.commit(events(1)).then(() => (promised = true));
    const second = subject.commit(events(1, 1));
    for (let tried = 2; tried >= 0; tried--) {
      await settled(() => failures === tried);
      expect(promised).toBe(false);
      await settled(() => waits.expire().includes(1_000));
    }
    await Promise.all([first, second]);
    expect(turns.flat().flatMap(namesIn)).toEqual(["VI_0", "VI_1"]);
    expect(said).toEqual([
      "error: the spool cannot be written; reading waits until it can",
      "info: the spool can be written again",
    ]);
  });

  test("is drained when all that was handed over is durable", async () => {
    const { subject, turns } = committer();
    void subject.commit(events(1));
    void subject.commit(events(1, 1));
    await subject.drain();
    expect(turns.flat().flatMap(namesIn)).toEqual(["VI_0", "VI_1"]);
  });

  test("gives up at the end what a failing disk does not take", async () => {
    let tried = 0;
    const { subject } = committer(async () => {
      tried += 1;
      throw new Error("no space left on device");
    });
    let promised = false;
    void subject.commit(events(1)).then(() => (promised = true));
    const drained = subject.drain();
    await settled(() => tried > 0);
    subject.end();
    await drained;
    expect(promised).toBe(false);
  });
});
