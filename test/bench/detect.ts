/**
 * `npm run bench -- detect [--events N] [--rebuild | --store]`: what an event costs the detectors, in one thread: at the begin of a history
 * and at its end, as it comes; how long a batch takes to become incidents; how long it takes to conclude a whole history at once.
 * `--store`: how long a server's start takes from a store with that history, when all of it is read, and from what was known.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event, EventBody, Source } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { parseServerConfig } from "../../server/config.ts";
import { createDetectionEngine } from "../../server/detect/engine.ts";
import { checkpointsOf, knowAgain } from "../../server/knowing.ts";
import { openStore } from "../../server/store/clickhouse-store.ts";
import { median, numberOf, print } from "./shared.ts";

const PAIRS = 4;
const ROUTERS_OF_PAIR = 8;
/** Between two failovers of one pair. */
const PERIOD_S = 8 * 3600;
/** One failover in so many is a split-brain, for so long. */
const SPLIT_EACH = 25;
const SPLIT_US = 20 * US_PER_SECOND;
const BATCH = 50;
const T0 = 1_795_517_580 * US_PER_SECOND;

export async function benchDetect(args: readonly string[]): Promise<void> {
  const count = numberOf(args, "--events", 1_000_000);
  if (args.includes("--store")) return benchStart(count);
  if (!args.includes("--rebuild")) await asItComes(count);
  wholeHistory(count);
}

async function asItComes(count: number): Promise<void> {
  const engine = createDetectionEngine();
  const tenth = count / 10;
  const tenths: { seconds: number; latencies: number[] }[] = [];
  let taken = 0;
  for (const batch of batches(count)) {
    const index = Math.min(9, Math.floor(taken / tenth));
    const stretch = (tenths[index] ??= { seconds: 0, latencies: [] });
    const before = process.hrtime.bigint();
    engine.add(batch);
    const us = Number(process.hrtime.bigint() - before) / 1e3;
    stretch.seconds += us / 1e6;
    stretch.latencies.push(us / 1e3);
    taken += batch.length;
    if (taken % (BATCH * 200) < BATCH) await new Promise(setImmediate);
  }
  const rates = tenths.map(({ seconds }) => tenth / seconds);
  const latencies = tenths.flatMap((one) => one.latencies).sort((a, b) => a - b);
  const at = (share: number): string => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(1);
  print(
    `detect, ${count.toLocaleString("en")} events of ${2 * PAIRS} nodes and ${PAIRS * ROUTERS_OF_PAIR} routers in batches of ${BATCH}: ${Math.round(median(rates)).toLocaleString("en")} events/s`,
  );
  print(`  last tenth / second tenth, time an event: ${((rates[1] ?? 0) / (rates[9] ?? 1)).toFixed(2)}`);
  print(`  batch to incidents: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  print(`  incidents: ${engine.incidents().length}; memory ${memory()}`);
}

function wholeHistory(count: number): void {
  const engine = createDetectionEngine();
  const before = process.hrtime.bigint();
  for (const batch of batches(count)) engine.load(batch);
  engine.add([]);
  const seconds = Number(process.hrtime.bigint() - before) / 1e9;
  print(
    `detect, rebuilt from ${count.toLocaleString("en")} events at once: ${seconds.toFixed(1)} s, ${Math.round(count / seconds).toLocaleString("en")} events/s; memory ${memory()}`,
  );
}

/** Batches stored at once: they share an insert. */
const STORED_AT_ONCE = 400;

async function benchStart(count: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "keepwatch-bench-store-"));
  const log = (_level: string, message: string, fields?: object): void =>
    print(`  ${message}${fields ? ` ${JSON.stringify(fields)}` : ""}`);
  const { storage, detection } = parseServerConfig("", "bench", { storage: { path: join(dir, "store") } });
  try {
    const store = await openStore(storage, { log });
    const stored = secondsOf();
    let turn: Promise<unknown>[] = [];
    let index = 0;
    for (const events of batches(count)) {
      index += 1;
      const [{ cluster, node }] = events as [Event, ...Event[]];
      turn.push(store.insertBatch({ version: 1, batchId: eventId("bench", index), cluster, node, events }));
      if (turn.length === STORED_AT_ONCE) {
        await Promise.all(turn);
        turn = [];
      }
    }
    await Promise.all(turn);
    print(`start, ${count.toLocaleString("en")} events stored in ${stored()} s`);
    const all = secondsOf();
    const knowing = await knowAgain(store, detection, [], log);
    await store.saveIncidents(knowing.engine.add([]).changes.map(({ incident }) => incident));
    print(`start, all of them read: ${all()} s; ${knowing.engine.incidents().length} incidents; memory ${memory()}`);
    const kept = checkpointsOf(knowing, store.arrived());
    await store.saveCheckpoints(kept);
    print(`  what is kept: ${(kept.reduce((sum, { state }) => sum + state.length, 0) / 2 ** 20).toFixed(2)} MiB`);
    await store.close();
    const again = secondsOf();
    const next = await openStore(storage, { log });
    const { engine } = await knowAgain(next, detection, await next.incidents(), log);
    const changes = engine.add([]).changes.length;
    const isSame = isDeepStrictEqual(engine.incidents(), knowing.engine.incidents());
    print(
      `start, from what was known: ${again()} s; ${engine.incidents().length} incidents, ${changes} changed; ${isSame ? "the same ones" : "NOT THE SAME ONES"}; memory ${memory()}`,
    );
    if (!isSame || engine.incidents().length === 0) process.exitCode = 1;
    await next.close();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function secondsOf(): () => string {
  const before = process.hrtime.bigint();
  return () => (Number(process.hrtime.bigint() - before) / 1e9).toFixed(1);
}

const memory = (): string => `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`;

export function* batches(count: number): Generator<Event[]> {
  let batch: Event[] = [];
  let made = 0;
  for (const event of history()) {
    batch.push(event);
    made += 1;
    if (batch.length === BATCH || made === count) {
      yield batch;
      batch = [];
    }
    if (made === count) return;
  }
}

/** Pairs that fail over and back for ever, in order of time, with a heartbeat now and then. Now and then the old master goes on for a while. */
function* history(): Generator<Event> {
  for (let pair = 0; pair < PAIRS; pair += 1) for (const node of nodesOf(pair)) yield configOf(node, pair);
  for (let round = 0; ; round += 1)
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const at = T0 + (60 + round * PERIOD_S + (pair * PERIOD_S) / PAIRS) * US_PER_SECOND;
      const [from, to] = round % 2 === 0 ? nodesOf(pair) : [...nodesOf(pair)].reverse();
      yield* [...failover(at, pair, from as string, to as string, round)].sort((a, b) => a.ts - b.ts);
      for (let beat = 1; beat <= 10; beat += 1)
        for (let other = 0; other < PAIRS; other += 1)
          for (const node of nodesOf(other))
            yield eventOf(node, "collector", at + SPLIT_US + beat * 10 * US_PER_SECOND, {
              kind: "collector.heartbeat",
              sources: [],
            });
    }
}

const nodesOf = (pair: number): readonly [string, string] => [`lb${2 * pair + 1}`, `lb${2 * pair + 2}`];
const vipOf = (router: number): string => `10.0.${Math.floor(router / 200)}.${(router % 200) + 1}`;
const addressOf = (node: string): string => `10.9.0.${node.slice(2)}`;

function* failover(at: number, pair: number, from: string, to: string, round: number): Generator<Event> {
  for (let index = 0; index < ROUTERS_OF_PAIR; index += 1) {
    const router = pair * ROUTERS_OF_PAIR + index;
    const instance = `VI_${router}`;
    const ts = at + index * 1000;
    const where = { interface: "eth0", prefixLength: 24, address: vipOf(router) };
    const advert = (node: string, sender: string) => ({
      interface: "eth0",
      family: "ipv4" as const,
      vrid: router + 1,
      peer: addressOf(sender),
      outgoing: node === sender,
      priority: 100,
      vips: [vipOf(router)],
      advertIntervalUs: US_PER_SECOND,
    });
    if (round > 0) {
      const end = round % SPLIT_EACH === SPLIT_EACH - 1 ? ts + SPLIT_US : ts;
      yield eventOf(from, "log", end, { kind: "vrrp.state", instance, state: "BACKUP" });
      yield eventOf(from, "kernel", end + 50, { kind: "kernel.address-removed", ...where });
      for (const node of [from, to])
        yield eventOf(node, "wire", end + 60, {
          kind: "wire.master-gone",
          ...advert(node, from),
          reason: "priority-zero",
          lastAdvertTs: end,
        });
    }
    yield eventOf(to, "log", ts + 600_000, { kind: "vrrp.state", instance, state: "MASTER" });
    yield eventOf(to, "kernel", ts + 600_050, { kind: "kernel.address-added", ...where });
    for (const node of [from, to])
      yield eventOf(node, "wire", ts + 600_060, { kind: "wire.master-seen", ...advert(node, to) });
  }
}

function configOf(node: string, pair: number): Event {
  return eventOf(node, "config", T0, {
    kind: "config.loaded",
    files: [],
    virtualServers: [],
    instances: Array.from({ length: ROUTERS_OF_PAIR }, (_, index) => {
      const router = pair * ROUTERS_OF_PAIR + index;
      return {
        instance: `VI_${router}`,
        file: "/etc/keepalived/keepalived.conf",
        line: 5 + index,
        vrid: router + 1,
        family: "ipv4" as const,
        interface: "eth0",
        priority: 100 + (Number(node.slice(2)) % 2),
        advertIntervalUs: US_PER_SECOND,
        downTimerAdverts: 3,
        version: 2 as const,
        vips: [vipOf(router)],
        startState: "BACKUP" as const,
        nopreempt: false,
        unicastPeers: [],
      };
    }),
  });
}

let serial = 0;
function eventOf(node: string, source: Source, ts: number, body: EventBody): Event {
  serial += 1;
  return {
    id: eventId(node, ts, body.kind, serial),
    cluster: "default",
    node,
    source,
    ts,
    tsUncertaintyUs: 0,
    observedTs: ts,
    ...body,
  } as Event;
}
