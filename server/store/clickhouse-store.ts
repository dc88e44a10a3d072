import type { ClickHouseClient } from "@clickhouse/client";
import type { Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { messageOf } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import type { AdvertBucket, Delivery } from "../api/types.ts";
import type { ServerConfig } from "../config.ts";
import type { Incident } from "../detect/incident.ts";
import { openEngine } from "./engine.ts";
import { migrate } from "./migrate.ts";
import type { AdvertQuery, EventQuery, Store } from "./store.ts";

const DATABASE = "keepwatch";
/** How long a batch waits for others to share an insert with, milliseconds: each insert costs tens of milliseconds, however few rows it has. */
const LINGER_MS = 40;
/** Most events of one insert. */
const INSERT_EVENTS_MAX = 20_000;
/** Batch ids that are remembered, so that a repetition is answered without work. What is older is stored again and seen once all the same. */
const BATCHES_REMEMBERED = 100_000;
/** Events read at once when detection is rebuilt. */
const PAGE_EVENTS = 20_000;

/** Settings of every insert: the server's own batching would acknowledge before it is durable. */
const INSERT_SETTINGS = { async_insert: 0 } as const;

type Json = string | number | boolean | null | readonly Json[];

interface PendingInsert {
  readonly batch: Batch;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Opens the store that the configuration asks for, and brings it to the newest schema. @throws OperatorError */
export async function openStore(config: ServerConfig["storage"], deps: { log: Log }): Promise<Store> {
  const client = await openEngine(config);
  const database = config.database ?? DATABASE;
  await migrate(client, database, { advertsDays: config.adverts_days, eventsDays: config.events_days });
  return new ClickHouseStore(client, database, deps.log);
}

class ClickHouseStore implements Store {
  private readonly client: ClickHouseClient;
  private readonly database: string;
  private readonly log: Log;
  private readonly stored = new Set<string>();
  private pending: PendingInsert[] = [];
  private inserting: Promise<void> | undefined;
  private deliveryVersion = 0;

  constructor(client: ClickHouseClient, database: string, log: Log) {
    this.client = client;
    this.database = database;
    this.log = log;
  }

  async insertBatch(batch: Batch): Promise<{ readonly duplicate: boolean }> {
    if (this.stored.has(batch.batchId)) return { duplicate: true };
    await new Promise<void>((resolve, reject) => {
      this.pending.push({ batch, resolve, reject });
      this.inserting ??= this.insertPending();
    });
    return { duplicate: false };
  }

  async *detectionEvents(): AsyncGenerator<readonly Event[]> {
    let after: { ts: number; id: string } = { ts: -1, id: "" };
    for (;;) {
      const rows = await this.rows<{ ts: string; id: string; event: string }>(
        `SELECT toString(ts) AS ts, id, event FROM ${this.database}.events FINAL WHERE (events.ts, toString(events.id)) > ({ts:Int64}, {id:String}) ORDER BY events.ts, events.id LIMIT {limit:UInt32}`,
        { ts: after.ts, id: after.id, limit: PAGE_EVENTS },
      );
      yield rows.map(({ event }) => JSON.parse(event) as Event);
      const last = rows.at(-1);
      if (!last || rows.length < PAGE_EVENTS) return;
      after = { ts: Number(last.ts), id: last.id };
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
    where("id IN {ids:Array(String)}", "ids", query.ids);
    where("cluster = {cluster:String}", "cluster", query.cluster);
    where("node = {node:String}", "node", query.node);
    where("kind IN {kinds:Array(String)}", "kinds", query.kinds);
    where("ts >= {from:Int64}", "from", query.from);
    where("ts <= {to:Int64}", "to", query.to);
    const rows = await this.rows<{ event: string }>(
      `SELECT event FROM ${this.database}.events FINAL WHERE ${conditions.join(" AND ")} ORDER BY ts, id LIMIT {limit:UInt32}`,
      params,
    );
    return rows.map(({ event }) => JSON.parse(event) as Event);
  }

  async adverts({ limit, ...query }: AdvertQuery & { readonly limit: number }): Promise<readonly Event[]> {
    const rows = await this.rows<Record<string, never>>(
      `SELECT * REPLACE (toFloat64(ts) AS ts, toFloat64(observedTs) AS observedTs) FROM ${this.database}.adverts FINAL WHERE ${ADVERT_RANGE} ORDER BY adverts.ts, id LIMIT {limit:UInt32}`,
      { ...query, limit },
    );
    return rows.map(
      ({ at, ...row }) =>
        ({
          source: "wire",
          kind: "wire.advert",
          tsUncertaintyUs: 0,
          ...row,
          ...(at === "" ? {} : { at }),
        }) as unknown as Event,
    );
  }

  async advertBuckets({
    buckets,
    ...query
  }: AdvertQuery & { readonly buckets: number }): Promise<readonly AdvertBucket[]> {
    const step = Math.max(1, Math.ceil((query.to - query.from) / buckets));
    return this.rows<AdvertBucket>(
      `SELECT node, peer AS sender, toFloat64(bucket * {step:Int64}) AS ts, toFloat64(count()) AS count, toFloat64(max(heard - before)) AS maxGapUs
       FROM (SELECT node, peer, ts AS heard, lagInFrame(toNullable(ts)) OVER (PARTITION BY node, peer ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
             FROM ${this.database}.adverts FINAL WHERE ${ADVERT_RANGE})
       GROUP BY node, peer, intDiv(heard, {step:Int64}) AS bucket ORDER BY node, sender, bucket`,
      { ...query, step },
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

  async saveDelivery(delivery: Delivery): Promise<void> {
    // Two changes within a millisecond must not tie: the later one counts.
    this.deliveryVersion = Math.max(this.deliveryVersion + 1, Date.now() * 1000);
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

  async deliveries(query: {
    readonly status?: Delivery["status"];
    readonly incidentId?: string;
    readonly limit: number;
  }): Promise<readonly Delivery[]> {
    const conditions = [
      "1",
      ...(query.status === undefined ? [] : ["status = {status:String}"]),
      ...(query.incidentId === undefined ? [] : ["incidentId = {incidentId:String}"]),
    ];
    const rows = await this.rows<{ delivery: string }>(
      `SELECT delivery FROM ${this.database}.deliveries FINAL WHERE ${conditions.join(" AND ")} ORDER BY createdTs, id LIMIT {limit:UInt32}`,
      query,
    );
    return rows.map(({ delivery }) => JSON.parse(delivery) as Delivery);
  }

  async close(): Promise<void> {
    while (this.inserting) await this.inserting;
    await this.client.close();
  }

  private async rows<T>(query: string, params: Readonly<Record<string, unknown>>): Promise<T[]> {
    const answer = await this.client.query({ query, query_params: { ...params }, format: "JSONEachRow" });
    return answer.json<T>();
  }

  private async insert(
    table: string,
    columns: readonly [string, ...string[]],
    values: readonly (readonly Json[])[],
  ): Promise<void> {
    if (values.length === 0) return;
    await this.client.insert({
      table: `${this.database}.${table}`,
      columns: [...columns] as [string, ...string[]],
      values: values.map((row) => [...row]),
      format: "JSONCompactEachRow",
      clickhouse_settings: INSERT_SETTINGS,
    });
  }

  /** All that waits goes in with one insert a table; what comes meanwhile waits for the next. */
  private async insertPending(): Promise<void> {
    while (this.pending.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
      const turn = this.takeTurn();
      try {
        await this.insertEvents(turn.flatMap(({ batch }) => batch.events));
        for (const { batch, resolve } of turn) {
          this.remember(batch.batchId);
          resolve();
        }
      } catch (error) {
        this.log("error", "events could not be stored; the collectors keep them and send them again", {
          events: turn.reduce((sum, { batch }) => sum + batch.events.length, 0),
          why: messageOf(error),
        });
        for (const { reject } of turn) reject(error);
      }
    }
    this.inserting = undefined;
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

  private remember(batchId: string): void {
    this.stored.add(batchId);
    if (this.stored.size <= BATCHES_REMEMBERED) return;
    const [oldest] = this.stored;
    if (oldest !== undefined) this.stored.delete(oldest);
  }

  private async insertEvents(events: readonly Event[]): Promise<void> {
    const adverts = events.filter((event) => event.kind === "wire.advert");
    const others = events.filter((event) => event.kind !== "wire.advert");
    await this.insert(
      "events",
      ["cluster", "node", "ts", "id", "source", "kind", "event"],
      others.map((event) => [
        event.cluster,
        event.node,
        event.ts,
        event.id,
        event.source,
        event.kind,
        JSON.stringify(event),
      ]),
    );
    await this.insert(
      "adverts",
      [
        "cluster",
        "family",
        "vrid",
        "peer",
        "ts",
        "node",
        "id",
        "interface",
        "outgoing",
        "priority",
        "vips",
        "advertIntervalUs",
        "destination",
        "version",
        "ttl",
        "authType",
        "checksum",
        "observedTs",
        "at",
      ],
      adverts.map((e) => [
        e.cluster,
        e.family,
        e.vrid,
        e.peer,
        e.ts,
        e.node,
        e.id,
        e.interface,
        e.outgoing,
        e.priority,
        e.vips,
        e.advertIntervalUs,
        e.destination,
        e.version,
        e.ttl,
        e.authType,
        e.checksum,
        e.observedTs,
        e.at ?? "",
      ]),
    );
  }
}

const ADVERT_RANGE =
  "cluster = {cluster:String} AND family = {family:String} AND vrid = {vrid:UInt8} AND adverts.ts >= {from:Int64} AND adverts.ts <= {to:Int64}";
