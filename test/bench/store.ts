/**
 * `npm run bench -- store [--adverts N] [--events N]`: what the store takes and gives back, beside chDB's own way to insert and sqlite in the
 * same run, and how much memory a whole server holds when it has stored `--events` events and rests.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import { type Event, eventFault } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { parseServerConfig } from "../../server/config.ts";
import { openStore } from "../../server/store/clickhouse-store.ts";
import { openEngine } from "../../server/store/engine.ts";
import { batches } from "./detect.ts";
import { seededRandom } from "./generate.ts";
import { isInstalled, median, numberOf, print, verdictOf } from "./shared.ts";

const T0 = 1_795_517_580 * US_PER_SECOND;
const BLOCK = 20_000;
const ROUTERS = 40;
/** Adverts are sent this much too late at most, microseconds: that is all that cannot be told beforehand of one. */
const JITTER_US = 800;
const QUERIES = 15;
const REST_MS = 15_000;
const RSS_MAX_MIB = 1024;

export async function benchStore(dir: string, args: readonly string[]): Promise<void> {
  const adverts = numberOf(args, "--adverts", 400_000);
  const events = numberOf(args, "--events", 1_000_000);
  await inserted(dir, adverts);
  checked();
  await resting(dir, events);
  print(
    "not measured: 6 and 7 (no verb imports a log or a capture into a store), 12, how a timeline grows with ten times the adverts, and DuckDB, PostgreSQL and Prometheus as peers",
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
      observedTs: ts + 40,
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
  if (block.length > 0) yield block;
}

async function inserted(dir: string, count: number): Promise<void> {
  const { storage } = parseServerConfig("", "bench", { storage: { path: join(dir, "store") } });
  const store = await openStore(storage, { log: () => undefined });
  const client = await openEngine(storage);
  const bytesARow = async (table: string): Promise<number> => {
    const answer = await client.query({
      query:
        "SELECT toFloat64(sum(data_compressed_bytes) / sum(rows)) AS bytes FROM system.parts WHERE active AND database = 'keepwatch' AND table = {table:String}",
      query_params: { table },
      format: "JSONEachRow",
    });
    return (await answer.json<{ bytes: number }>())[0]?.bytes ?? Number.NaN;
  };
  const sqlite = join(dir, "peer.sqlite");
  const columns = Object.keys([...adverts(1)][0] ?? {});
  const hasSqlite = isInstalled("sqlite3");
  if (hasSqlite)
    sqliteRun(sqlite, `CREATE TABLE adverts (${columns.join()}); CREATE INDEX by_time ON adverts (cluster, vrid, ts);`);
  await client.command({
    query: "CREATE TABLE peer AS keepwatch.adverts ENGINE = MergeTree ORDER BY (cluster, family, vrid, peer, ts)",
  });
  const times = { ours: [] as number[], chdb: [] as number[], sqlite: [] as number[] };
  let block = 0;
  for (const events of blocks(count)) {
    const batch = {
      version: 1 as const,
      batchId: eventId("bench", "block", block),
      cluster: "bench",
      node: "lb1",
      events,
    };
    times.ours.push(await timed(() => store.insertBatch(batch)));
    const rows = events.map(({ ...event }) => {
      const { source: _source, kind: _kind, tsUncertaintyUs: _uncertainty, ...row } = event as Event & object;
      return row;
    });
    times.chdb.push(
      await timed(() =>
        client.insert({ table: "peer", values: rows, format: "JSONEachRow", clickhouse_settings: { async_insert: 0 } }),
      ),
    );
    if (hasSqlite) {
      const csv = join(dir, "block.csv");
      const quote = (value: unknown): string =>
        `"${(typeof value === "string" ? value : JSON.stringify(value)).replaceAll('"', '""')}"`;
      times.sqlite.push(
        await timed(async () => {
          await writeFile(csv, events.map((event) => Object.values(event).map(quote).join()).join("\n"));
          sqliteRun(sqlite, `.mode csv\n.import ${csv} adverts\n`);
        }),
      );
    }
    block += 1;
  }
  const rate = (one: readonly number[]): number => BLOCK / (median(one) / 1000);
  print(
    `8 insert, ${BLOCK.toLocaleString("en")} adverts a block with encoding, durable: ${round(rate(times.ours))} rows/s; chDB from objects, not durable: ${round(rate(times.chdb))}${hasSqlite ? `; sqlite3, index kept: ${round(rate(times.sqlite))}` : ""}`,
  );
  print(`  chDB's own / ours, time: ${verdict(rate(times.chdb) / rate(times.ours), 1 / 7, 1 / 15)}`);
  if (hasSqlite) print(`  sqlite3's / ours: ${verdict(rate(times.sqlite) / rate(times.ours), 1 / 6, 1 / 10)}`);

  await client.command({ query: "OPTIMIZE TABLE keepwatch.adverts FINAL" });
  const sizes = await client.query({
    query:
      "SELECT column, toFloat64(sum(column_data_compressed_bytes)) AS bytes FROM system.parts_columns WHERE active AND database = 'keepwatch' AND table = 'adverts' GROUP BY column ORDER BY bytes DESC",
    format: "JSONEachRow",
  });
  // A small part has its columns in one file, and does not tell them apart.
  const found = (await sizes.json<{ column: string; bytes: number }>()).filter((column) => column.bytes > 0);
  const bytes = await bytesARow("adverts");
  const entropy = Math.log2(JITTER_US) / 8;
  print(
    `9 bytes an advert: ${bytes.toFixed(2)} (${found
      .slice(0, 4)
      .map((c) => `${c.column} ${(c.bytes / count).toFixed(2)}`)
      .join(", ")}); entropy limit ${entropy.toFixed(2)}: ${verdict(bytes / entropy, 1.6, 1.4)}`,
  );

  const range = { cluster: "bench", family: "ipv4", vrid: 7, from: T0, to: T0 + (count / ROUTERS) * US_PER_SECOND };
  await store.advertBuckets({ ...range, buckets: 600 });
  const asked: number[] = [];
  const peers: number[] = [];
  for (let i = 0; i < QUERIES; i += 1) {
    asked.push(await timed(() => store.advertBuckets({ ...range, buckets: 100 })));
    if (hasSqlite)
      peers.push(
        await timed(async () =>
          sqliteRun(
            sqlite,
            `SELECT peer, ts / 300000000, count(*), min(ts) FROM adverts WHERE cluster = 'bench' AND vrid = 7 GROUP BY 1, 2;`,
          ),
        ),
      );
  }
  print(
    `11 timeline of one router of ${ROUTERS}, ${round(count)} adverts: p50 ${median(asked).toFixed(1)} ms${hasSqlite ? `; sqlite3, its start included: ${median(peers).toFixed(1)} ms: ${verdict(median(asked) / median(peers), 0.1, 0.04)}` : ""}`,
  );

  const history: Event[] = [];
  for (const some of batches(100_000)) history.push(...some);
  for (let i = 0; i < history.length; i += BLOCK) {
    const events = history.slice(i, i + BLOCK);
    await store.insertBatch({ version: 1, batchId: eventId("history", i), cluster: "bench", node: "lb1", events });
  }
  await client.command({ query: "OPTIMIZE TABLE keepwatch.events FINAL" });
  const kept = await bytesARow("events");
  const zipped = gzipSync(history.map((event) => JSON.stringify(event)).join("\n")).length / history.length;
  print(
    `10 bytes an event, all of its JSON kept: ${kept.toFixed(1)}; the same JSON by gzip: ${zipped.toFixed(1)}: ${verdict(kept / zipped, 0.85, 0.7)}`,
  );
  await client.close();
  await store.close();
}

/** Goal 14, without HTTP: what the check of a batch adds to its parsing. */
function checked(): void {
  const events = [...adverts(50_000)];
  const whole = JSON.stringify(events);
  const lines = events.map((event) => JSON.stringify(event));
  const [ours, peers] = [[] as number[], [] as number[]];
  for (let round = 0; round < 7; round += 1) {
    ours.push(cpu(() => (JSON.parse(whole) as unknown[]).filter((event) => eventFault(event) !== undefined).length));
    peers.push(cpu(() => lines.map((line) => JSON.parse(line) as unknown).length));
  }
  print(
    `14 a batch parsed and each event checked: ${round(events.length / median(ours))} events a CPU second; a line at a time, unchecked: ${round(events.length / median(peers))}; ours / theirs ${atLeast(median(peers) / median(ours), 0.9, 1.2)}`,
  );
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
    print(
      `memory of the whole server after ${round(count)} events (${round(count / seconds)} a second, one at a time): ${now} MiB at rest, ${busy.now} MiB at their end, ${peak} MiB at most; ${now <= RSS_MAX_MIB ? "within" : "MORE THAN"} ${RSS_MAX_MIB} MiB at rest`,
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

async function timed(run: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await run();
  return performance.now() - before;
}

function cpu(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const round = (value: number): string => Math.round(value).toLocaleString("en");
const verdict = (ratio: number, must: number, goal: number): string =>
  `${ratio.toFixed(3)}, ${verdictOf(ratio, Number(must.toFixed(3)), Number(goal.toFixed(3)))}`;
const atLeast = (ratio: number, must: number, goal: number): string => {
  const told = (limit: number): string =>
    `${limit} ${ratio >= limit ? "met" : `missed by ${(limit / ratio).toFixed(2)} times`}`;
  return `${ratio.toFixed(2)}, must ${told(must)}, goal ${told(goal)}`;
};
