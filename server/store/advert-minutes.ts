import { messageOf } from "../../collector/core/errors.ts";
import type { Log } from "../../collector/core/log.ts";
import { US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import type { AdvertBucket } from "../api/types.ts";
import type { AdvertQuery } from "./store.ts";

export const MINUTE_US = 60 * US_PER_SECOND;
const HOUR_US = 60 * MINUTE_US;
/** How often minutes that have new adverts are summed up, milliseconds; before a timeline is read they are as well. */
const SUM_UP_MS = 60_000;
/** With so many hours to sum up it is not waited for. */
const HOURS_WAITING_MAX = 500;
/** How much earlier than the newest sum the oldest advert that is in none may have been stored, seconds: the interval, and a step of the clock. */
const BEHIND_SECONDS = 600;

/** Most routers of one question. */
const LANES_MAX = 32;

type BucketQuery = AdvertQuery & { readonly buckets: number };

const laneOf = ({ family, vrid }: Pick<AdvertQuery, "family" | "vrid">): string => `${family} ${vrid}`;

type Advert = Extract<Event, { kind: "wire.advert" }>;

/** What of one hour of event time is to be summed up. */
interface Waiting {
  from: number;
  to: number;
  readonly clusters: Set<string>;
  readonly vrids: Set<number>;
}

export interface AdvertMinutesDeps {
  readonly database: string;
  readonly rows: <T>(query: string, params: Readonly<Record<string, unknown>>) => Promise<T[]>;
  readonly run: (query: string, params: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly log: Log;
}

/**
 * Adverts by minute. No materialised view: that would count a batch twice that is stored twice, and knows nothing of the gap between two
 * inserts. A minute is a function of its adverts, so to sum it up again does no harm.
 */
export class AdvertMinutes {
  private readonly deps: AdvertMinutesDeps;
  private waiting = new Map<number, Waiting>();
  /** Questions that are about to be asked. */
  private readonly asked = new Map<
    string,
    { readonly lanes: BucketQuery[]; readonly answer: Promise<ReadonlyMap<string, readonly AdvertBucket[]>> }
  >();
  private summing: Promise<void> = Promise.resolve();
  private readonly timer: NodeJS.Timeout;
  /** Whether all that was stored before this start is summed up. */
  private caughtUp = false;
  private closing = false;

  constructor(deps: AdvertMinutesDeps) {
    this.deps = deps;
    this.timer = setInterval(() => void this.sumUp().catch(() => undefined), SUM_UP_MS);
    this.timer.unref();
    this.summing = this.catchUp();
  }

  /** These are stored now. */
  note(adverts: readonly Advert[]): void {
    for (const { ts, cluster, vrid } of adverts) this.wait(ts, ts, cluster, vrid);
    if (this.waiting.size > HOURS_WAITING_MAX) void this.sumUp().catch(() => undefined);
  }

  /** @returns undefined when buckets are to be narrower than a minute, or not all is summed up yet: then the adverts themselves are to be asked */
  async buckets(query: BucketQuery): Promise<readonly AdvertBucket[] | undefined> {
    if ((query.to - query.from) / query.buckets < MINUTE_US) return undefined;
    if (!this.caughtUp) return undefined;
    const { cluster, from, to, buckets } = query;
    const key = [cluster, from, to, buckets].join("\n");
    let asked = this.asked.get(key);
    if (!asked || asked.lanes.length >= LANES_MAX) {
      const lanes: BucketQuery[] = [];
      // Those who ask meanwhile ask with it.
      const answer = this.sumUp().then(() => {
        if (this.asked.get(key)?.lanes === lanes) this.asked.delete(key);
        return this.bucketsOf(lanes);
      });
      asked = { lanes, answer };
      this.asked.set(key, asked);
      answer.catch(() => this.asked.get(key)?.lanes === lanes && this.asked.delete(key));
    }
    asked.lanes.push(query);
    const byLane = await asked.answer;
    return byLane.get(laneOf(query)) ?? [];
  }

  /** All routers of a cluster in one question: to ask is most of the work. */
  private async bucketsOf(lanes: readonly BucketQuery[]): Promise<ReadonlyMap<string, readonly AdvertBucket[]>> {
    const [query] = lanes;
    const byLane = new Map<string, AdvertBucket[]>();
    if (!query) return byLane;
    const rows = await this.deps.rows<AdvertBucket & { readonly family: string; readonly vrid: number }>(
      `SELECT family, vrid, node, peer AS sender, toFloat64(bucket * {step:Int64} * ${MINUTE_US}) AS ts, toFloat64(sum(heard)) AS count,
         toFloat64(nullIf(max(greatest(toInt64(gap), ifNull(firstTs - before, 0))), 0)) AS maxGapUs
       FROM (SELECT family, vrid, node, peer, minute, adverts_1m.count AS heard, adverts_1m.maxGapUs AS gap, firstTs, lagInFrame(toNullable(lastTs)) OVER (PARTITION BY family, vrid, node, peer ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
             FROM ${this.deps.database}.adverts_1m FINAL
             WHERE cluster = {cluster:String} AND family IN {families:Array(String)} AND vrid IN {vrids:Array(UInt8)} AND minute >= {first:UInt32} AND minute <= {last:UInt32})
       GROUP BY family, vrid, node, peer, intDiv(minute, {step:Int64}) AS bucket ORDER BY family, vrid, node, sender, bucket`,
      {
        cluster: query.cluster,
        families: [...new Set(lanes.map(({ family }) => family))],
        vrids: [...new Set(lanes.map(({ vrid }) => vrid))],
        step: Math.ceil((query.to - query.from) / query.buckets / MINUTE_US),
        first: Math.max(0, Math.floor(query.from / MINUTE_US)),
        last: Math.max(0, Math.floor(query.to / MINUTE_US)),
      },
    );
    for (const { family, vrid, ...bucket } of rows) {
      const lane = laneOf({ family, vrid });
      const known = byLane.get(lane);
      if (known) known.push(bucket);
      else byLane.set(lane, [bucket]);
    }
    return byLane;
  }

  /** Sums up what waits. @throws when the store cannot; then it waits still */
  sumUp(): Promise<void> {
    const summed = this.summing.then(() => this.sumUpWaiting());
    this.summing = summed.catch(() => undefined);
    return summed;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.closing = true;
    // What is not summed up now is so after the next start.
    await this.sumUp().catch(() => undefined);
  }

  private wait(from: number, to: number, cluster: string, vrid: number): void {
    const hour = Math.floor(from / HOUR_US);
    const known = this.waiting.get(hour) ?? { from, to, clusters: new Set<string>(), vrids: new Set<number>() };
    known.from = Math.min(known.from, from);
    known.to = Math.max(known.to, to);
    known.clusters.add(cluster);
    known.vrids.add(vrid);
    this.waiting.set(hour, known);
  }

  private async sumUpWaiting(): Promise<void> {
    // What is stored meanwhile waits for the next time.
    const due = this.waiting;
    this.waiting = new Map();
    try {
      for (const [hour, { from, to, clusters, vrids }] of due) {
        if (this.closing && !this.caughtUp) return;
        await this.deps.run(SUM_UP(this.deps.database), {
          from: String(Math.floor(from / MINUTE_US) * MINUTE_US),
          to: String((Math.floor(to / MINUTE_US) + 1) * MINUTE_US),
          clusters: [...clusters],
          vrids: [...vrids],
        });
        due.delete(hour);
      }
    } catch (error) {
      for (const { from, to, clusters, vrids } of due.values())
        for (const cluster of clusters) for (const vrid of vrids) this.wait(from, to, cluster, vrid);
      this.deps.log("warn", "adverts could not be summed up by minute; it is tried again", {
        why: messageOf(error).split("\n")[0],
      });
      throw error;
    }
  }

  /** Of before this start: what a crash kept from being summed up, and all that a store of an earlier schema has. */
  private async catchUp(): Promise<void> {
    try {
      const found = await this.deps.rows<{ cluster: string; vrid: number; from: string; to: string }>(
        `SELECT cluster, vrid, toString(min(ts)) AS from, toString(max(ts)) AS to FROM ${this.deps.database}.adverts
         WHERE storedAt + ${BEHIND_SECONDS} >= (SELECT max(storedAt) FROM ${this.deps.database}.adverts_1m)
         GROUP BY cluster, vrid, intDiv(ts, ${HOUR_US})`,
        {},
      );
      for (const { cluster, vrid, from, to } of found) this.wait(Number(from), Number(to), cluster, vrid);
      await this.sumUpWaiting();
      this.caughtUp = !this.closing;
    } catch (error) {
      this.deps.log(
        "warn",
        "the adverts of before this start could not be summed up by minute; the next start tries again",
        {
          why: messageOf(error).split("\n")[0],
        },
      );
    }
  }
}

const SUM_UP = (database: string): string =>
  `INSERT INTO ${database}.adverts_1m (cluster, family, vrid, peer, node, minute, count, firstTs, lastTs, maxGapUs)
   SELECT cluster, family, vrid, peer, node, intDiv(heard, ${MINUTE_US}) AS minute, count(), min(heard), max(heard), max(ifNull(heard - before, 0))
   FROM (SELECT cluster, family, vrid, peer, node, ts AS heard,
           lagInFrame(toNullable(ts)) OVER (PARTITION BY cluster, family, vrid, peer, node, intDiv(ts, ${MINUTE_US}) ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
         FROM ${database}.adverts FINAL
         WHERE cluster IN {clusters:Array(String)} AND vrid IN {vrids:Array(UInt8)} AND adverts.ts >= {from:Int64} AND adverts.ts < {to:Int64})
   GROUP BY cluster, family, vrid, peer, node, minute`;
