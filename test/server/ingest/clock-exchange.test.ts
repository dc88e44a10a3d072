import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, expect, test } from "vitest";
import { type RunningCollector, runCollector } from "../../../collector/app.ts";
import { parseCollectorConfig } from "../../../collector/config.ts";
import type { Clock, EpochUs, MonoUs } from "../../../collector/core/time.ts";
import type { Event, EventOf } from "../../../collector/events/event.ts";
import { parseServerConfig } from "../../../server/config.ts";
import { ClockBook } from "../../../server/detect/clocks.ts";
import { Namesakes } from "../../../server/ingest/namesakes.ts";
import { ingestRoutes } from "../../../server/ingest/routes.ts";
import { FakeSource, master } from "../../collector/app/support.ts";

const S = 1_000_000;
const EPOCH = 1_772_700_000 * S;
const mono = (): MonoUs => Number(process.hrtime.bigint() / 1000n) as MonoUs;
const started = mono();
/** The right time, which the server has. */
const right = (): number => EPOCH + mono() - started;

let app: FastifyInstance | undefined;
let collector: RunningCollector | undefined;
const dir = mkdtempSync(join(tmpdir(), "keepwatch-clock-"));
afterEach(async () => {
  await collector?.stop();
  await app?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Waits for an event that the server has stored, as long as the test may take. */
async function stored<T extends Event>(events: readonly Event[], wanted: (event: Event) => event is T): Promise<T> {
  for (;;) {
    const found = events.find(wanted);
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("over a real socket a collector finds out how far its clock is off, and tells of a step", async () => {
  const events: Event[] = [];
  app = Fastify();
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  ingestRoutes(app, {
    config: parseServerConfig("", "test.toml").ingest,
    store: {
      insertBatch: async () => ({ duplicate: false }),
      insertResent: async ({ events }) => ({ stored: events, duplicate: false }),
      incarnation: "the first",
    },
    namesakes: new Namesakes({ mono, epoch: () => right() as EpochUs }, [], () => false),
    clock: { mono, epoch: () => right() as EpochUs },
    metrics: { accepted: () => undefined, refused: () => undefined },
    onStored: (batch) => events.push(...batch.events),
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });

  let ahead = -12.5 * S;
  const clock: Clock = { mono, epoch: () => (right() + ahead) as EpochUs };
  let beat: () => void = () => undefined;
  const log = new FakeSource("log");
  collector = await runCollector(
    parseCollectorConfig("", "test", { node: "lb1", server: { url }, spool: { dir: join(dir, "spool") } }),
    {
      clock,
      log: () => undefined,
      sources: [log],
      suspendedUs: () => 0,
      every: (_ms, tick) => {
        beat = tick;
        return () => undefined;
      },
    },
  );
  await stored(events, (event): event is EventOf<"collector.started"> => event.kind === "collector.started");
  const isClock = (event: Event): event is EventOf<"collector.clock"> => event.kind === "collector.clock";
  let told: EventOf<"collector.clock"> | undefined;
  // The answer to the first batch may still be on its way.
  while (!told) {
    beat();
    await new Promise((resolve) => setImmediate(resolve));
    told = events.find(isClock);
  }
  expect(Math.abs((told.offsetUs ?? 0) - 12.5 * S)).toBeLessThanOrEqual(told.boundUs ?? 0);
  expect(told.boundUs).toBeGreaterThanOrEqual(2_000);

  const seenAt = right();
  await log.emit([master(1, clock.epoch())]);
  ahead += 40 * S;
  const laterAt = right();
  await log.emit([master(2, clock.epoch())]);
  const step = await stored(
    events,
    (event): event is EventOf<"collector.clock"> => isClock(event) && event.steppedUs !== undefined,
  );
  expect(Math.abs((step.steppedUs ?? 0) - 40 * S)).toBeLessThan(1_000);
  expect(Math.abs((step.offsetUs ?? 0) + 27.5 * S)).toBeLessThanOrEqual(step.boundUs ?? 0);

  const isMaster = (event: Event): event is EventOf<"vrrp.state"> => event.kind === "vrrp.state";
  await stored(events, (event): event is EventOf<"vrrp.state"> => isMaster(event) && event.instance === "VI_2");
  const book = new ClockBook();
  for (const event of events) book.learn(event);
  const times = events.filter(isMaster).map((event) => book.correct(event).ts);
  expect(Math.abs((times[0] ?? 0) - seenAt)).toBeLessThan(2 * S);
  expect(Math.abs((times[1] ?? 0) - laterAt)).toBeLessThan(2 * S);
});
