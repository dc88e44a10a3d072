/**
 * `npm run bench -- store [insert] [kept] [asked] [checked] [resting] [--adverts N] [--lines N] [--days N] [--events N]`: what the store takes and gives back, beside chDB's own way to insert and sqlite in the
 * same run, and how much memory a whole server holds when it has stored `--events` events and rests.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { ClickHouseClient } from "@clickhouse/client";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { readInputs } from "../../collector/offline/inputs.ts";
import { parseServerConfig } from "../../server/config.ts";
import { openStore } from "../../server/store/clickhouse-store.ts";
import { openEngine } from "../../server/store/engine.ts";
import { benchChecked } from "./checked.ts";
import { batches } from "./detect.ts";
import { messagesLog, seededRandom } from "./generate.ts";
import { atLeast, isInstalled, median, numberOf, print, TICKS_PER_SECOND, verdictOf } from "./shared.ts";

const T0 = 1_795_517_580 * US_PER_SECOND;
const BLOCK = 100_000;
const ROUTERS = 40;
/** Adverts are sent this much too late at most, microseconds: that is all that cannot be told beforehand of one. */
const JITTER_US = 800;
/** A collector sees an advert so much later at most, microseconds. */
const LAG_US = 400;
const DAY_S = 86_400;
const QUERIES = 15;
const REST_MS = 15_000;
const RSS_MAX_MIB = 1024;

export async function benchStore(dir: string, args: readonly string[]): Promise<void> {
  const parts: Readonly<Record<string, () => Promise<void>>> = {
    insert: () => inserted(dir, numberOf(args, "--adverts", 500_000)),
    kept: () => kept(dir, numberOf(args, "--lines", 200_000)),
    asked: () => asked(dir, numberOf(args, "--days", 3)),
    checked: () => benchChecked([...adverts(1_000)]),
    resting: () => resting(dir, numberOf(args, "--events", 1_000_000)),
  };
  const wanted = Object.keys(parts).filter((part) => args.includes(part));
  for (const [part, run] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(part)) await run();
  print(
    "not measured: 6 and 7 (no verb imports a log or a capture into a store), 12 (no product query is like it), and DuckDB, PostgreSQL, better-sqlite3 and Prometheus as peers",
  );
}

function* adverts(count: number): Generator<Event> {
  const random = seededRandom(11);
  for (let i = 0; i < count; i += 1) {
    const router = i % ROUTERS;
    const ts = T0 + Math.floor(i / ROUTERS) * US_PER_SECOND + router * 1_000 + Math.floor(random() * JITTER_US);
    yield {
      id: eventId("bench", i),
      cluster: "bench",
      node: "lb1",
      source: "wire",
      kind: "wire.advert",
      ts,
      tsUncertaintyUs: 0,
      observedTs: ts + 100 + Math.floor(random() * LAG_US),
      interface: "eth0",
      family: "ipv4",
      vrid: router + 1,
      peer: `10.99.${router}.11`,
      outgoing: false,
      priority: 150,
      vips: [`10.99.${router}.100`],
      advertIntervalUs: US_PER_SECOND,
      destination: "224.0.0.18",
      version: 2,
      ttl: 255,
      authType: "none",
      checksum: "ok",
    };
  }
}

function* blocks(count: number): Generator<Event[]> {
  let block: Event[] = [];
  for (const event of adverts(count)) {
    block.push(event);
    if (block.length < BLOCK) continue;
    yield block;
    block = [];
  }
}

async function inserted(dir: string, count: number): Promise<void> {
  const path = join(dir, "store");
  const { storage } = parseServerConfig("", "bench", { storage: { path } });
  const store = await openStore(storage, { log: () => undefined });
  const client = await openEngine(storage);
  const { Session } = await import("chdb");
  const chdb = new Session(path);
  const sqlite = join(dir, "peer.sqlite");
  const columns = Object.keys([...adverts(1)][0] ?? {});
  const hasSqlite = isInstalled("sqlite3");
  if (hasSqlite)
    sqliteRun(
      sqlite,
      `PRAGMA journal_mode=WAL; CREATE TABLE adverts (${columns.join()}); CREATE INDEX by_time ON adverts (cluster, ts);`,
    );
  await client.command({
    query:
      "CREATE TABLE peer AS keepwatch.adverts ENGINE = MergeTree PRIMARY KEY (cluster, family, vrid, peer, ts) ORDER BY (cluster, family, vrid, peer, ts)",
  });
  const costs = { ours: [] as Spent[], chdb: [] as Spent[], sqlite: [] as Spent[] };
  let block = 0;
  for (const events of blocks(count)) {
    const batchId = eventId("bench", "block", block);
    const batch = { version: 1 as const, batchId, cluster: "bench", node: "lb1", events };
    costs.ours.push(await spent(() => store.insertBatch(batch)));
    const rows = (): Record<string, unknown>[] =>
      events.map(({ source: _source, kind: _kind, tsUncertaintyUs: _uncertainty, observedTs, ...row }) => ({
        ...row,
        lagUs: observedTs - row.ts,
      }));
    costs.chdb.push(await spent(() => chdb.insert({ table: "peer", values: rows() })));
    if (hasSqlite) {
      const csv = join(dir, "block.csv");
      const quote = (value: unknown): string =>
        `"${(typeof value === "string" ? value : JSON.stringify(value)).replaceAll('"', '""')}"`;
      costs.sqlite.push(
        await spent(async () => {
          await writeFile(csv, events.map((event) => Object.values(event).map(quote).join()).join("\n"));
          sqliteRun(sqlite, `.mode csv\n.import ${csv} adverts\n`);
        }),
      );
    }
    block += 1;
  }
  const rate = (some: readonly Spent[], what: keyof Spent): string =>
    round(BLOCK / median(some.map((one) => one[what])));
  const told = (name: string, some: readonly Spent[]): string =>
    `${name} ${rate(some, "cpu")} rows a CPU second, ${rate(some, "wall")} a second`;
  const against = (theirs: readonly Spent[], must: number, goal: number): string => {
    const [cpu, wall] = (["cpu", "wall"] as const).map((what) =>
      median(theirs.map((one, i) => one[what] / (costs.ours[i]?.[what] ?? Number.NaN))),
    );
    return `CPU ${atLeast(cpu ?? Number.NaN, must, goal)}; wall ${wall?.toFixed(2)}`;
  };
  print(
    `8 insert, ${BLOCK.toLocaleString("en")} adverts a block with encoding: ${told("ours, durable,", costs.ours)}; ${told("chDB from objects, not durable,", costs.chdb)}${hasSqlite ? `; ${told("sqlite3 from CSV, its index kept,", costs.sqlite)}` : ""}`,
  );
  print(`  ours / chDB's own: ${against(costs.chdb, 7, 15)}`);
  if (hasSqlite) print(`  ours / sqlite3's: ${against(costs.sqlite, 6, 10)}`);
  chdb.close();
  await client.command({ query: "DROP TABLE peer SYNC" });
  await sized(client, hasSqlite ? (await stat(sqlite)).size / (block * BLOCK) : undefined);
  await client.close();
  await store.close();
}

/** Goal 9. When a collector saw an advert is by chance as well, and is in no peer's row: it is told apart. */
async function sized(client: ClickHouseClient, sqliteBytes: number | undefined): Promise<void> {
  await client.command({ query: "OPTIMIZE TABLE keepwatch.adverts FINAL" });
  const answer = await client.query({
    query:
      "SELECT column, toFloat64(sum(column_data_compressed_bytes) / sum(rows)) AS bytes FROM system.parts_columns WHERE active AND database = 'keepwatch' AND table = 'adverts' GROUP BY column ORDER BY bytes DESC",
    format: "JSONEachRow",
  });
  const found = await answer.json<{ column: string; bytes: number }>();
  const all = found.reduce((sum, { bytes }) => sum + bytes, 0);
  const observed = found.find(({ column }) => column === "lagUs")?.bytes ?? Number.NaN;
  const entropy = Math.log2(JITTER_US) / 8;
  const columns = found.slice(0, 4).map((c) => `${c.column} ${c.bytes.toFixed(3)}`);
  print(
    `9 bytes an advert: ${all.toFixed(2)} (${columns.join(", ")}), ${(all - observed).toFixed(2)} without when it was observed (by chance within ${LAG_US} µs: at least ${(Math.log2(LAG_US) / 8).toFixed(2)}); entropy limit of its own time ${entropy.toFixed(2)}: ${verdict((all - observed) / entropy, 1.6, 1.4)}; all told / both limits: ${(all / (entropy + Math.log2(LAG_US) / 8)).toFixed(2)}`,
  );
  if (sqliteBytes !== undefined)
    print(`  all told / sqlite's ${sqliteBytes.toFixed(0)}: ${verdict(all / sqliteBytes, 0.02, 0.0145)}`);
}

/** Goal 11: a day of one cluster in buckets of five minutes, and whether it grows with what else is stored. */
async function asked(dir: string, days: number): Promise<void> {
  const { storage } = parseServerConfig("", "bench", { storage: { path: join(dir, "days") } });
  await (await openStore(storage, { log: () => undefined })).close();
  const sqlite = join(dir, "days.sqlite");
  const hasSqlite = isInstalled("sqlite3");
  let shortest = Number.NaN;
  for (const upTo of [1, days]) {
    const first = upTo === 1 ? 0 : DAY_S;
    const client = await openEngine(storage);
    // The engine may have less memory than a day takes.
    for (let from = first; from < upTo * DAY_S; from += DAY_S / 12)
      await client.command({ query: advertsFor(from, DAY_S / 12) });
    // A start sums up what it finds.
    const store = await openStore(storage, { log: () => undefined });
    const minutes = async (): Promise<number> => {
      const answer = await client.query({
        query: "SELECT toUInt32(count()) AS n FROM keepwatch.adverts_1m FINAL",
        format: "JSONEachRow",
      });
      return (await answer.json<{ n: number }>())[0]?.n ?? 0;
    };
    while ((await minutes()) < upTo * (DAY_S / 60) * ROUTERS) await sleep(500);
    const to = T0 + upTo * DAY_S * US_PER_SECOND;
    const day = { cluster: "cluster-3", family: "ipv4", from: to - DAY_S * US_PER_SECOND, to, buckets: 288 };
    const ours: number[] = [];
    const peers: number[] = [];
    if (hasSqlite && upTo === 1) sqliteRun(sqlite, daysInSqlite(upTo));
    for (let i = 0; i < QUERIES; i += 1) {
      ours.push(await timed(() => Promise.all([7, 8].map((vrid) => store.advertBuckets({ ...day, vrid })))));
      if (!hasSqlite || upTo > 1) continue;
      const query = `SELECT vrid, peer, ts / 300000000 AS b, count(*), min(priority), max(priority) FROM adverts WHERE cluster = 'cluster-3' AND ts >= ${day.from} GROUP BY vrid, peer, b;`;
      peers.push(await timed(async () => sqliteRun(sqlite, query)));
    }
    const p50 = median(ours);
    const told = `11 a day of one cluster of ${ROUTERS / 2}, ${round(upTo * DAY_S * ROUTERS)} adverts: p50 ${p50.toFixed(1)} ms`;
    if (upTo === 1) {
      shortest = p50;
      print(
        hasSqlite
          ? `${told}; sqlite3, its start included: ${median(peers).toFixed(1)} ms: ${verdict(p50 / median(peers), 0.1, 0.04)}`
          : told,
      );
    } else print(`${told}; ${days} times as many / one day: ${verdict(p50 / shortest, 2, 1.2)}`);
    await store.close();
    await client.close();
    if (days === 1) break;
  }
}

const advertsFor = (from: number, seconds: number): string =>
  `INSERT INTO keepwatch.adverts (cluster, family, vrid, peer, ts, node, heardOn, interface, priority, vips, advertIntervalUs, destination, version, ttl, authType, checksum, lagUs)
   SELECT concat('cluster-', toString(intDiv(g, 2))), 'ipv4', g + 1, concat('10.99.', toString(g), '.11'), ${T0} + s * 1000000 + g * 1000 + rand() % ${JITTER_US}, 'lb1', 'eth0', 'eth0', 150, [concat('10.99.', toString(g), '.100')], 1000000, '224.0.0.18', 2, 255, 'none', 'ok', 40
   FROM (SELECT number % ${ROUTERS} AS g, ${from} + intDiv(number, ${ROUTERS}) AS s FROM numbers(${seconds * ROUTERS}))`;

const daysInSqlite = (days: number): string =>
  `PRAGMA journal_mode=WAL; CREATE TABLE adverts (ts INTEGER, cluster TEXT, node TEXT, family TEXT, vrid INTEGER, version INTEGER, priority INTEGER, advertIntervalUs INTEGER, peer TEXT, ttl INTEGER, vips TEXT, checksum TEXT);
   WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${days * DAY_S * ROUTERS})
   INSERT INTO adverts SELECT ${T0} + i / ${ROUTERS} * 1000000 + i % ${ROUTERS} * 1000 + abs(random()) % ${JITTER_US}, 'cluster-' || (i % ${ROUTERS} / 2), 'lb1', 'ipv4', i % ${ROUTERS} + 1, 2, 150, 1000000, '10.99.' || (i % ${ROUTERS}) || '.11', 255, '10.99.' || (i % ${ROUTERS}) || '.100', 'ok' FROM n;
   CREATE INDEX by_time ON adverts (cluster, ts);`;

/** Goal 10: log lines as they are read from a file, their text kept, beside the file by gzip. */
async function kept(dir: string, lines: number): Promise<void> {
  const { storage } = parseServerConfig("", "bench", { storage: { path: join(dir, "kept") } });
  const log = join(dir, "keepalived.log");
  const text = messagesLog(lines, 1, 7);
  await writeFile(log, text);
  const { events } = await readInputs([`lb1=${log}`], {
    cluster: "bench",
    zone: "UTC",
    now: Date.UTC(2026, 2, 6) * 1000,
    year: 2026,
  });
  const store = await openStore(storage, { log: () => undefined });
  for (let i = 0; i < events.length; i += BLOCK) {
    const some = events.slice(i, i + BLOCK);
    await store.insertBatch({ version: 1, batchId: eventId("line", i), cluster: "bench", node: "lb1", events: some });
  }
  const client = await openEngine(storage);
  await client.command({ query: "OPTIMIZE TABLE keepwatch.events FINAL" });
  const answer = await client.query({
    query:
      "SELECT column, toFloat64(sum(column_data_compressed_bytes) / sum(rows)) AS bytes FROM system.parts_columns WHERE active AND database = 'keepwatch' AND table = 'events' GROUP BY column ORDER BY bytes DESC",
    format: "JSONEachRow",
  });
  const found = await answer.json<{ column: string; bytes: number }>();
  const bytes = found.reduce((sum, column) => sum + column.bytes, 0);
  const zipped = gzipSync(text, { level: 6 }).length / lines;
  print(
    `10 bytes an event, its line kept: ${bytes.toFixed(2)} (${found
      .slice(0, 4)
      .map((c) => `${c.column} ${c.bytes.toFixed(2)}`)
      .join(", ")}); the line by gzip ${zipped.toFixed(2)}: ${verdict(bytes / zipped, 0.85, 0.7)}`,
  );
  await client.close();
  await store.close();
}

async function resting(dir: string, count: number): Promise<void> {
  const folder = join(dir, "server");
  await mkdir(folder);
  const config = join(folder, "server.toml");
  await writeFile(config, `[listen]\nport = 0\n[storage]\npath = "${folder}/store"\n`);
  const server = spawn(
    process.execPath,
    [join(import.meta.dirname, "../../server/main.js"), "server", "--config", config],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let said = "";
      server.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const at = /http:\S+/.exec(said)?.[0];
        if (at !== undefined) resolve(at);
      });
      server.once("exit", () => reject(new Error(`the server ended: ${said}`)));
    });
    const before = process.hrtime.bigint();
    await sent(url, count);
    const seconds = Number(process.hrtime.bigint() - before) / 1e9;
    const busy = await memoryOf(server);
    await sleep(REST_MS);
    const { now, peak } = await memoryOf(server);
    const metrics = await (await fetch(new URL("/metrics", url))).text();
    const heap = (what: string): number =>
      Math.round(Number(new RegExp(`^nodejs_heap_size_${what}_bytes (\\S+)`, "m").exec(metrics)?.[1]) / 2 ** 20);
    print(
      `memory of the whole server after ${round(count)} events (${round(count / seconds)} a second, one at a time): ${now} MiB at rest (${heap("total")} of it the heap of JavaScript, of which ${heap("used")} used), ${busy.now} MiB at their end, ${peak} MiB at most; ${now <= RSS_MAX_MIB ? "within" : "MORE THAN"} ${RSS_MAX_MIB} MiB at rest`,
    );
  } finally {
    server.kill("SIGTERM");
    await once(server, "exit");
    await rm(folder, { recursive: true, force: true });
  }
}

async function sent(url: string, count: number): Promise<void> {
  const waiting = new Map<string, Event[]>();
  let number = 0;
  const send = async (node: string, events: readonly Event[]): Promise<void> => {
    const [{ cluster } = { cluster: "" }] = events;
    const body = JSON.stringify({ version: 1, batchId: eventId("sent", (number += 1)), cluster, node, events });
    const answer = await fetch(new URL("/api/v1/ingest", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  for (const some of batches(count))
    for (const event of some) {
      const key = `${event.cluster}\n${event.node}`;
      const events = waiting.get(key) ?? [];
      events.push(event);
      waiting.set(key, events);
      if (events.length < 1_000) continue;
      waiting.delete(key);
      await send(event.node, events);
    }
  for (const events of waiting.values()) await send(events[0]?.node ?? "", events);
}

async function memoryOf({ pid }: ChildProcess): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const mib = (name: string): number => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  return { now: mib("VmRSS"), peak: mib("VmHWM") };
}

function sqliteRun(file: string, sql: string): void {
  const { status, stderr } = spawnSync("sqlite3", [file], { input: sql, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`sqlite3: ${stderr}`);
}

/** Seconds. */
interface Spent {
  readonly cpu: number;
  readonly wall: number;
}

/** With what its children took. */
async function spent(run: () => Promise<unknown>): Promise<Spent> {
  const before = { cpu: allCpu(), wall: performance.now() };
  await run();
  return { cpu: allCpu() - before.cpu, wall: (performance.now() - before.wall) / 1000 };
}

/** Of this process and its children that have ended. @see proc_pid_stat(5), fields 14 to 17 */
function allCpu(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await run();
  return performance.now() - before;
}

const round = (value: number): string => Math.round(value).toLocaleString("en");
const verdict = (ratio: number, must: number, goal: number): string =>
  `${ratio.toFixed(3)}, ${verdictOf(ratio, Number(must.toFixed(3)), Number(goal.toFixed(3)))}`;
