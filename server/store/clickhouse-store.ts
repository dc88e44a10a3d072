import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { type ClickHouseClient, ClickHouseError } from "@clickhouse/client";
import type { Batch } from "../../collector/events/batch.ts";
import type { Event, EventKind } from "../../collector/events/event.ts";
import { messageOf, OperatorError } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import type { AdvertBucket, Delivery, Silence, StoreBackup, StoreInfo } from "../api/types.ts";
import type { ServerConfig } from "../config.ts";
import type { Checkpoint } from "../detect/checkpoint.ts";
import type { Incident } from "../detect/incident.ts";
import { missingOf } from "./already-there.ts";
import { AdvertMinutes } from "./advert-minutes.ts";
import {
  type Advert,
  advertColumns,
  advertOf,
  alreadyStored,
  distinctAdverts,
  STORED_ADVERT,
  type StoredAdvert,
  twinsOf,
} from "./advert-rows.ts";
import { openEngine } from "./engine.ts";
import { type Incarnation, incarnationOf } from "./incarnation.ts";
import { backUp, infoOf } from "./backup.ts";
import { layoutOf, migrate, retentionOf } from "./migrate.ts";
import { distinctEvents, eventColumns, eventOf, type StoredEvent } from "./event-rows.ts";
import { type Column, columnsOf, nativeBlock, Unstorable } from "./native-block.ts";
import { type CountEvents, pagesOf } from "./pages.ts";
import { type Layout, onCluster } from "./schema.ts";
import {
  type AdvertQuery,
  type DeliveryQuery,
  type DetectionPart,
  type EventQuery,
  type Store,
  type StoredCheckpoint,
  StoreRefusal,
} from "./store.ts";

/** How long a batch waits for others to share an insert with, milliseconds: each insert costs tens of milliseconds, however few rows it has. */
const LINGER_MS = 40;
/** Most events of one insert. */
const INSERT_EVENTS_MAX = 20_000;
/** Batch ids that are remembered, so that a repetition is answered without work. After a restart, or when it is older, a batch is stored again: it has the same keys, and is seen once all the same. */
const BATCHES_REMEMBERED = 100_000;
/** So many first batches of a node may have been stored before a crash: more than a collector has on its way at once. */
const BATCHES_IN_DOUBT = 16;

/** The server's own batching would acknowledge before it is durable. */
const INSERT_SETTINGS = { async_insert: 0 } as const;
const NOTHING_MORE = {} as const;
/** Parsed in parallel, no row may have more than 10 MiB. */
const LARGE_ROWS = { input_format_parallel_parsing: 0 } as const;
/** Longest that a query for a person may take, seconds. */
const QUERY_SECONDS_MAX = 30;
/** ClickHouse's TIMEOUT_EXCEEDED, MEMORY_LIMIT_EXCEEDED and TOO_SLOW: the question was too large. */
const TOO_LARGE_CODES: ReadonlySet<string> = new Set(["159", "241", "160"]);

/** ClickHouse's READONLY and ACCESS_DENIED. */
const NOT_ALLOWED_CODES: ReadonlySet<string> = new Set(["164", "497"]);

type Json = string | number | boolean | null | readonly Json[];

interface PendingInsert {
  readonly batch: Batch;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Opens the store that the configuration asks for, and brings it to the newest schema. @throws OperatorError */
export async function openStore(config: ServerConfig["storage"], deps: { log: Log }): Promise<Store> {
  const client = await openEngine(config);
  const layout = layoutOf(config);
  const { database } = layout;
  try {
    await migrate(client, layout, retentionOf(config));
    const incarnation = await incarnationOf(client, database);
    const [row] = await read<{ version: string; arrived: string }>(
      client,
      `SELECT toString((SELECT max(version) FROM ${database}.deliveries)) AS version,
       toString(greatest((SELECT max(arrived) FROM ${database}.events), (SELECT max(arrived) FROM ${database}.checkpoints))) AS arrived`,
      {},
    );
    return new ClickHouseStore(client, config, deps.log, {
      incarnation,
      deliveryVersion: Number(row?.version ?? 0),
      arrived: Number(row?.arrived ?? 0),
    });
  } catch (cause) {
    await client.close();
    if (cause instanceof OperatorError) throw cause;
    if (cause instanceof ClickHouseError && NOT_ALLOWED_CODES.has(cause.code))
      throw new OperatorError(
        "STORE_READONLY",
        `the user ${config.user ?? "default"} of the ClickHouse at ${config.url} may not write: ${messageOf(cause).split("\n")[0]}`,
        {
          cause,
          remedy: `In it: GRANT SELECT, INSERT, ALTER, CREATE, TRUNCATE ON ${layout.database}.* to that user, with no readonly setting`,
        },
      );
    throw new OperatorError("STORE_SCHEMA", `the store's tables cannot be made: ${messageOf(cause).split("\n")[0]}`, {
      cause,
      remedy: "Check the free space, and with storage.url what the user may do",
    });
  }
}

/** What a store was found to be when it was opened. */
interface Found {
  readonly incarnation: Incarnation;
  readonly deliveryVersion: number;
  readonly arrived: number;
}

class ClickHouseStore implements Store {
  readonly incarnation: string;
  private readonly client: ClickHouseClient;
  private readonly storage: ServerConfig["storage"];
  private readonly layout: Layout;
  private readonly database: string;
  private readonly log: Log;
  private readonly stored = new Set<string>();
  private readonly storing = new Map<string, Promise<void>>();
  /** How many batches of a node were stored since the start or the last insert that failed, up to the last that may have come before it too. */
  private readonly batchesOf = new Map<string, number>();
  private pending: PendingInsert[] = [];
  private inserting: Promise<void> | undefined;
  /** Counts on from the newest one stored: a clock may step back, and would hide an update behind an older one. */
  private deliveryVersion: number;
  private readonly minutes: AdvertMinutes;
  private readonly failures = { read: 0, write: 0 };

  /** Inserts that are done, and those begun. One at a time: what is stored later has a higher number, whatever the clock says. */
  private inserts: { done: number; begun: number };

  constructor(client: ClickHouseClient, storage: ServerConfig["storage"], log: Log, found: Found) {
    this.client = client;
    this.storage = storage;
    this.layout = layoutOf(storage);
    this.database = this.layout.database;
    this.log = log;
    this.incarnation = found.incarnation.id;
    this.deliveryVersion = found.deliveryVersion;
    this.inserts = { done: found.arrived, begun: found.arrived };
    this.minutes = new AdvertMinutes({
      database: this.database,
      log,
      rows: (query, params) => this.rows(query, params, FOR_A_PERSON),
      run: async (query, params) => void (await client.command({ query, query_params: { ...params } })),
    });
  }

  async insertBatch(batch: Batch): Promise<{ readonly duplicate: boolean }> {
    if (this.stored.has(batch.batchId)) return { duplicate: true };
    // Sent again while the first is on its way: its answer was too slow for the collector.
    const first = this.storing.get(batch.batchId);
    if (first) {
      await first;
      return { duplicate: true };
    }
    const done = new Promise<void>((resolve, reject) => {
      this.pending.push({ batch, resolve, reject });
      this.inserting ??= this.insertPending();
    });
    this.storing.set(batch.batchId, done);
    try {
      await done;
    } finally {
      this.storing.delete(batch.batchId);
    }
    return { duplicate: false };
  }

  async insertResent(batch: Batch): Promise<{ readonly stored: readonly Event[]; readonly duplicate: boolean }> {
    if (this.stored.has(batch.batchId)) return { stored: [], duplicate: true };
    const missing = await missingOf(batch, this.database, (query, params) => this.rows(query, params));
    if (missing.length === 0) return { stored: [], duplicate: false };
    const { duplicate } = await this.insertBatch({ ...batch, events: missing });
    return { stored: duplicate ? [] : missing, duplicate };
  }

  async *detectionEvents(part?: DetectionPart): AsyncGenerator<readonly Event[]> {
    const asked = part ? conditionOf(part) : { sql: "1", params: {} };
    const wanted = { ...asked, sql: `kind != '${BULKY}' AND (${asked.sql})` };
    const count: CountEvents = async (step, within) => {
      const rows = await this.rows<{ bucket: string; events: string }>(
        `SELECT toString(intDiv(ts, {step:Int64})) AS bucket, toString(count()) AS events FROM ${this.database}.events
         WHERE ${wanted.sql} ${within ? "AND ts >= {from:Int64} AND ts < {to:Int64}" : ""}
         GROUP BY intDiv(ts, {step:Int64}) ORDER BY intDiv(ts, {step:Int64})`,
        {
          ...wanted.params,
          step: String(step),
          ...(within ? { from: String(within.from), to: String(within.to) } : {}),
        },
      );
      return rows.map(({ bucket, events }) => ({ bucket: Number(bucket), events: Number(events) }));
    };
    for await (const { from, to, idPrefix } of pagesOf(count)) {
      const rows = await this.rows<StoredEvent>(
        `SELECT id, event FROM ${this.database}.events FINAL WHERE ts >= {from:Int64} AND ts < {to:Int64} AND ${wanted.sql}
         ${idPrefix === "" ? "" : "AND startsWith(toString(id), {idPrefix:String})"} ORDER BY ts, node, id`,
        { ...wanted.params, from: String(from), to: String(to), ...(idPrefix === "" ? {} : { idPrefix }) },
      );
      yield rows.map(eventOf);
    }
  }

  async events(query: EventQuery): Promise<readonly Event[]> {
    const conditions = ["1"];
    const params: Record<string, unknown> = { limit: query.limit };
    const where = (condition: string, name: string, value: unknown): void => {
      if (value === undefined) return;
      conditions.push(condition);
      params[name] = value;
    };
    if (query.ids === undefined && query.kinds === undefined) conditions.push(`kind != '${BULKY}'`);
    where("id IN {ids:Array(String)}", "ids", query.ids);
    where("cluster = {cluster:String}", "cluster", query.cluster);
    where("node = {node:String}", "node", query.node);
    where("kind IN {kinds:Array(String)}", "kinds", query.kinds);
    where("ts >= {from:Int64}", "from", query.from);
    where("ts <= {to:Int64}", "to", query.to);
    where("startsWith(kind, {kindPrefix:String})", "kindPrefix", query.kindPrefix);
    where("JSONExtractString(event, 'severity') = {severity:String}", "severity", query.severity);
    // As it stands in the event, which is JSON.
    const text = query.text === undefined ? undefined : JSON.stringify(query.text).slice(1, -1);
    where("(positionCaseInsensitiveUTF8(event, {text:String}) > 0 OR id = {text:String})", "text", text);
    const after = query.newestFirst?.after;
    where("ts <= {afterTs:Int64}", "afterTs", after?.ts);
    where("(ts < {afterTs:Int64} OR id < {afterId:String})", "afterId", after?.id);
    const order = query.newestFirst ? "ts DESC, id DESC" : "ts, id";
    const rows = await this.rows<StoredEvent>(
      `SELECT id, event FROM ${this.database}.events FINAL WHERE ${conditions.join(" AND ")} ORDER BY ${order} LIMIT 1 BY id LIMIT {limit:UInt32}`,
      params,
      FOR_A_PERSON,
    );
    return rows.map(eventOf);
  }

  async newestOfEach(cluster: string, nodes: readonly string[], kind: EventKind): Promise<readonly Event[]> {
    const whose = "cluster = {cluster:String} AND node IN {nodes:Array(String)} AND kind = {kind:String}";
    // First which they are: what the others say is not read.
    const rows = await this.rows<StoredEvent>(
      `SELECT id, event FROM ${this.database}.events WHERE ${whose} AND (node, ts, id) IN (
         SELECT node, max((ts, id)).1, max((ts, id)).2 FROM ${this.database}.events WHERE ${whose} GROUP BY node)
       LIMIT 1 BY node`,
      { cluster, nodes: [...nodes], kind },
      FOR_A_PERSON,
    );
    return rows.map(eventOf);
  }

  async adverts({ limit, ...query }: AdvertQuery & { readonly limit: number }): Promise<readonly Event[]> {
    const rows = await this.rows<StoredAdvert>(
      `SELECT ${STORED_ADVERT} FROM ${this.database}.adverts FINAL WHERE ${ADVERT_RANGE} ORDER BY adverts.ts, node, peer, heardOn, id LIMIT {limit:UInt32}`,
      { ...query, limit },
      FOR_A_PERSON,
    );
    return rows.map(advertOf);
  }

  async advertBuckets({
    buckets,
    ...query
  }: AdvertQuery & { readonly buckets: number }): Promise<readonly AdvertBucket[]> {
    const byMinute = await this.minutes.buckets({ ...query, buckets });
    if (byMinute) return byMinute;
    const step = Math.max(1, Math.ceil((query.to - query.from) / buckets));
    return this.rows<AdvertBucket>(
      `SELECT node, peer AS sender, toFloat64(bucket * {step:Int64}) AS ts, toFloat64(count()) AS count, toFloat64(max(heard - before)) AS maxGapUs
       FROM (SELECT node, peer, ts AS heard, lagInFrame(toNullable(ts)) OVER (PARTITION BY node, peer ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
             FROM ${this.database}.adverts FINAL WHERE ${ADVERT_RANGE})
       GROUP BY node, peer, intDiv(heard, {step:Int64}) AS bucket ORDER BY node, sender, bucket`,
      { ...query, step },
      FOR_A_PERSON,
    );
  }

  async saveIncidents(incidents: readonly Incident[]): Promise<void> {
    await this.insert(
      "incidents",
      ["id", "revision", "kind", "cluster", "startTs", "incident"],
      incidents.map((incident) => [
        incident.id,
        incident.revision,
        incident.kind,
        incident.cluster,
        incident.start,
        JSON.stringify(incident),
      ]),
    );
  }

  async incidents(): Promise<readonly Incident[]> {
    const rows = await this.rows<{ incident: string }>(
      `SELECT incident FROM ${this.database}.incidents FINAL ORDER BY startTs`,
      {},
    );
    return rows.map(({ incident }) => JSON.parse(incident) as Incident);
  }

  arrived(): number {
    return this.inserts.done;
  }

  async saveCheckpoints(checkpoints: readonly StoredCheckpoint[]): Promise<void> {
    await this.insert(
      "checkpoints",
      ["cluster", "arrived", "sign", "checkpoint"],
      checkpoints.map(({ cluster, arrived, sign, ...rest }) => [cluster, arrived, sign, JSON.stringify(rest)]),
      LARGE_ROWS,
    );
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    const rows = await this.rows<{ cluster: string; arrived: string; sign: string; checkpoint: string }>(
      `SELECT cluster, toString(arrived) AS arrived, sign, checkpoint FROM ${this.database}.checkpoints FINAL ORDER BY cluster`,
      {},
    );
    return rows.map(({ cluster, arrived, sign, checkpoint }) => {
      const { since, state } = JSON.parse(checkpoint) as Pick<Checkpoint, "since" | "state">;
      return { cluster, arrived: Number(arrived), sign, since, state };
    });
  }

  async dropCheckpoints(): Promise<void> {
    await this.client.command({ query: `TRUNCATE TABLE ${this.database}.checkpoints${onCluster(this.layout)}` });
  }

  async saveDelivery(delivery: Delivery): Promise<void> {
    this.deliveryVersion += 1;
    await this.insert(
      "deliveries",
      ["id", "version", "incidentId", "status", "createdTs", "delivery"],
      [
        [
          delivery.id,
          this.deliveryVersion,
          delivery.incidentId,
          delivery.status,
          delivery.createdTs,
          JSON.stringify(delivery),
        ],
      ],
    );
  }

  async deliveries({ newestFirst = false, ...query }: DeliveryQuery): Promise<readonly Delivery[]> {
    const conditions = [
      "1",
      ...(query.id === undefined ? [] : ["id = {id:String}"]),
      ...(query.status === undefined ? [] : ["status = {status:String}"]),
      ...(query.incidentId === undefined ? [] : ["incidentId = {incidentId:String}"]),
    ];
    const rows = await this.rows<{ delivery: string }>(
      `SELECT delivery FROM ${this.database}.deliveries FINAL WHERE ${conditions.join(" AND ")} ORDER BY createdTs ${newestFirst ? "DESC" : ""}, id LIMIT {limit:UInt32}`,
      { ...query },
    );
    return rows.map(({ delivery }) => JSON.parse(delivery) as Delivery);
  }

  async saveSilence(silence: Silence, revision: number): Promise<void> {
    await this.insert("silences", ["id", "revision", "silence"], [[silence.id, revision, JSON.stringify(silence)]]);
  }

  async silences(): Promise<readonly Silence[]> {
    const rows = await this.rows<{ silence: string }>(`SELECT silence FROM ${this.database}.silences FINAL`, {});
    return rows.map(({ silence }) => JSON.parse(silence) as Silence);
  }

  info(): Promise<StoreInfo> {
    return infoOf(this.client, this.storage);
  }

  backUp(name: string): Promise<StoreBackup> {
    if (this.storage.url !== undefined)
      throw new OperatorError("STORE_EXTERNAL", "the store is an external ClickHouse, which backs itself up", {
        remedy: "keepwatch store backup says how",
      });
    return backUp(this.client, this.storage, name);
  }

  async isReady(): Promise<boolean> {
    return (await this.client.ping()).success;
  }

  async close(): Promise<void> {
    while (this.inserting) await this.inserting;
    await this.minutes.close();
    await this.client.close();
  }

  errors(): { readonly read: number; readonly write: number } {
    return { ...this.failures };
  }

  private async rows<T>(
    query: string,
    params: Readonly<Record<string, unknown>>,
    settings: QuerySettings = {},
  ): Promise<T[]> {
    try {
      return await read<T>(this.client, query, params, settings);
    } catch (error) {
      this.failures.read += 1;
      throw error;
    }
  }

  private async insert(
    table: string,
    columns: readonly [string, ...string[]],
    values: readonly (readonly Json[])[],
    settings: typeof LARGE_ROWS | typeof NOTHING_MORE = NOTHING_MORE,
  ): Promise<void> {
    if (values.length === 0) return;
    try {
      await this.client.insert({
        table: `${this.database}.${table}`,
        columns: [...columns] as [string, ...string[]],
        values: values.map((row) => [...row]),
        format: "JSONCompactEachRow",
        clickhouse_settings: { ...INSERT_SETTINGS, ...settings },
      });
    } catch (error) {
      this.failures.write += 1;
      throw error;
    }
  }

  /** All that waits goes in with one insert a table; what comes meanwhile waits for the next. */
  private async insertPending(): Promise<void> {
    while (this.pending.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
      await this.insertTurn(this.takeTurn());
    }
    this.inserting = undefined;
  }

  private async insertTurn(turn: readonly PendingInsert[]): Promise<void> {
    try {
      await this.insertEvents(await Promise.all(turn.map(({ batch }) => this.notThereYet(batch))));
    } catch (error) {
      // Of an insert that failed nobody knows whether it was done: its answer may have been lost.
      this.batchesOf.clear();
      // One node's batch that cannot be stored must not keep the others' out.
      if (turn.length > 1 && isRefusal(error)) for (const one of turn) await this.insertTurn([one]);
      else this.fail(turn, error);
      return;
    }
    for (const { batch, resolve } of turn) {
      this.remember(batch.batchId);
      this.noLongerInDoubt(batch);
      resolve();
    }
  }

  private fail(turn: readonly PendingInsert[], error: unknown): void {
    const refused = isRefusal(error);
    this.log(
      "error",
      refused
        ? "a batch has values that the store cannot hold"
        : "events could not be stored; the collectors keep them and send them again",
      {
        nodes: [...new Set(turn.map(({ batch }) => batch.node))].join(),
        events: turn.reduce((sum, { batch }) => sum + batch.events.length, 0),
        why: messageOf(error).split("\n")[0],
      },
    );
    const told = refused ? new StoreRefusal("a value is outside what the store can hold", { cause: error }) : error;
    for (const { reject } of turn) reject(told);
  }

  private takeTurn(): PendingInsert[] {
    const turn: PendingInsert[] = [];
    for (let events = 0; this.pending.length > 0 && events < INSERT_EVENTS_MAX; ) {
      const next = this.pending.shift();
      if (!next) break;
      turn.push(next);
      events += next.batch.events.length;
    }
    return turn;
  }

  /**
   * After a crash, ours or the store's, the first batches of a node may be there already, stored and not acknowledged: read with FINAL they are
   * seen once all the same, but until a merge a plain count would have them twice.
   */
  private async notThereYet(batch: Batch): Promise<Missing> {
    const { events } = batch;
    const adverts = events.filter(isAdvert);
    const twins = twinsOf(adverts);
    const before = this.batchesOf.get(nodeKey(batch)) ?? 0;
    // A time that the store cannot hold is not there either: the insert says so.
    if (before >= BATCHES_IN_DOUBT || !events.every(({ ts }) => Number.isSafeInteger(ts))) return { events, twins };
    const there = [await this.thereOf(events.filter((event) => !isAdvert(event))), await this.heard(adverts, twins)];
    return { events: events.filter((event) => !there.some((found) => found.has(event))), twins };
  }

  /** The events among these that are stored. Without the first of them there is none. */
  private async thereOf(events: readonly Event[]): Promise<ReadonlySet<Event>> {
    const [first] = events;
    if (!first) return new Set();
    const { cluster, node, ts, id } = first;
    const ids = async (condition: string, params: Readonly<Record<string, unknown>>): Promise<Set<string>> => {
      const rows = await this.rows<{ id: string }>(
        `SELECT id FROM ${this.database}.events WHERE cluster = {cluster:String} AND node = {node:String} AND ${condition}`,
        { cluster, node, ...params },
      );
      return new Set(rows.map((row) => row.id));
    };
    if ((await ids("ts = {ts:Int64} AND id = {id:String}", { ts: String(ts), id })).size === 0) return new Set();
    const stored = await ids("ts BETWEEN {from:Int64} AND {to:Int64}", rangeOf(events));
    return new Set(events.filter((event) => stored.has(event.id)));
  }

  /** The same of adverts. */
  private async heard(adverts: readonly Advert[], twins: ReadonlySet<Event>): Promise<ReadonlySet<Event>> {
    const [first] = adverts;
    if (!first) return new Set();
    const { cluster, node, family, vrid, peer } = first;
    const stored = (condition: string, params: Readonly<Record<string, unknown>>): Promise<StoredAdvert[]> =>
      this.rows<StoredAdvert>(
        `SELECT ${STORED_ADVERT} FROM ${this.database}.adverts WHERE cluster = {cluster:String} AND node = {node:String} AND adverts.ts BETWEEN {from:Int64} AND {to:Int64} AND ${condition}`,
        { cluster, node, ...params },
      );
    const same = await stored("family = {family:String} AND vrid = {vrid:UInt8} AND peer = {peer:String}", {
      family,
      vrid,
      peer,
      ...rangeOf([first]),
    });
    if (alreadyStored([first], twins, same).size === 0) return new Set();
    return alreadyStored(adverts, twins, await stored("1", rangeOf(adverts)));
  }

  private noLongerInDoubt(batch: Batch): void {
    const before = this.batchesOf.get(nodeKey(batch)) ?? 0;
    if (before < BATCHES_IN_DOUBT) this.batchesOf.set(nodeKey(batch), before + 1);
  }

  private remember(batchId: string): void {
    this.stored.add(batchId);
    if (this.stored.size <= BATCHES_REMEMBERED) return;
    const [oldest] = this.stored;
    if (oldest !== undefined) this.stored.delete(oldest);
  }

  private async insertEvents(missing: readonly Missing[]): Promise<void> {
    const arrived = (this.inserts.begun += 1);
    const events = missing.flatMap((part) => part.events);
    const adverts = events.filter(isAdvert);
    await this.insertBlock("events", eventColumns(arrived), distinctEvents(events.filter((event) => !isAdvert(event))));
    const twins = new Set(missing.flatMap((part) => [...part.twins]));
    await this.insertBlock("adverts", advertColumns(twins), distinctAdverts(adverts, twins));
    this.minutes.note(adverts);
    this.inserts.done = arrived;
  }

  private async insertBlock<Row>(table: string, all: readonly Column<Row>[], rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const columns = columnsOf(all, rows);
    try {
      const { stream } = await this.client.exec({
        query: `INSERT INTO ${this.database}.${table} (${columns.map(({ name }) => name).join(", ")}) FORMAT Native`,
        values: Readable.from(nativeBlock(columns, rows)),
        clickhouse_settings: { ...INSERT_SETTINGS, optimize_on_insert: 0 },
      });
      // Of an insert nothing is told; until it is read the connection is not free again.
      await text(stream);
    } catch (error) {
      this.failures.write += 1;
      throw error;
    }
  }
}

/** What of a batch is to be stored. */
interface Missing {
  readonly events: readonly Event[];
  readonly twins: ReadonlySet<Event>;
}

const isAdvert = (event: Event): event is Advert => event.kind === "wire.advert";

function rangeOf(events: readonly Event[]): { readonly from: string; readonly to: string } {
  const times = events.map(({ ts }) => ts);
  return { from: String(Math.min(...times)), to: String(Math.max(...times)) };
}

/** Of a cluster without a checkpoint nothing is known. */
const NO_MARK = -1;

function conditionOf({ which, checkpoints, kinds }: DetectionPart): { sql: string; params: Record<string, unknown> } {
  const known =
    "toInt64(arrived) <= transform(toString(cluster), {clusters:Array(String)}, {marks:Array(Int64)}, toInt64({noMark:Int64}))";
  const params = {
    clusters: checkpoints.map(({ cluster }) => cluster),
    marks: checkpoints.map(({ arrived }) => arrived),
    noMark: NO_MARK,
  };
  if (which === "since") return { sql: `NOT (${known})`, params };
  const since = checkpoints.flatMap(({ cluster, since: own }) =>
    Object.entries(own).map(([node, ts]) => [`${cluster}\n${node}`, ts] as const),
  );
  if (since.length === 0) return { sql: "0", params: {} };
  return {
    sql: `${known} AND kind IN {kinds:Array(String)} AND ts >= {oldest:Int64} AND ts >= transform(concat(toString(cluster), char(10), toString(node)), {nodes:Array(String)}, {since:Array(Int64)}, toInt64({never:Int64}))`,
    params: {
      ...params,
      kinds: [...kinds],
      nodes: since.map(([node]) => node),
      since: since.map(([, ts]) => ts),
      oldest: String(Math.min(Number.MAX_SAFE_INTEGER, ...since.map(([, ts]) => ts))),
      never: String(Number.MAX_SAFE_INTEGER),
    },
  };
}

/**
 * ClickHouse could not read a value, so that the same batch fails again: CANNOT_PARSE_TEXT, CANNOT_PARSE_INPUT, ARGUMENT_OUT_OF_BOUND,
 * CANNOT_PARSE_NUMBER, INCORRECT_DATA, TOO_LARGE_STRING_SIZE. Anything in doubt is not here: a refused batch is not sent again.
 */
const REFUSAL_CODES: ReadonlySet<string> = new Set(["6", "27", "69", "72", "117", "131"]);

const nodeKey = ({ cluster, node }: Batch): string => `${cluster}\0${node}`;

const isRefusal = (error: unknown): boolean =>
  error instanceof Unstorable || (error instanceof ClickHouseError && REFUSAL_CODES.has(error.code));

type QuerySettings = Readonly<Record<string, number>>;
/** The kind whose events are large and told to nobody who has not asked for them by name. */
const BULKY = "config.text";
const FOR_A_PERSON: QuerySettings = { max_execution_time: QUERY_SECONDS_MAX };

async function read<T>(
  client: ClickHouseClient,
  query: string,
  params: Readonly<Record<string, unknown>>,
  settings: QuerySettings = {},
): Promise<T[]> {
  try {
    const answer = await client.query({
      query,
      query_params: { ...params },
      format: "JSONEachRow",
      clickhouse_settings: { ...settings },
    });
    return await answer.json<T>();
  } catch (error) {
    if (error instanceof ClickHouseError && TOO_LARGE_CODES.has(error.code))
      throw new StoreRefusal("the answer takes too long or too much memory: ask for a shorter time", { cause: error });
    throw error;
  }
}

const ADVERT_RANGE =
  "cluster = {cluster:String} AND family = {family:String} AND vrid = {vrid:UInt8} AND adverts.ts >= {from:Int64} AND adverts.ts <= {to:Int64}";
