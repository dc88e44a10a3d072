import type { AuthType } from "../vrrp/advert.ts";
import { type AdvertColumns, AUTH_TYPES, CHECKSUMS } from "./advert-columns.ts";
import { type Stream, STREAMS_MAX, type StreamTable } from "./streams.ts";

/** What was counted of one stream. */
export interface StreamCount extends Stream {
  readonly adverts: number;
  /** How many had which sum: `standard`, `bad`, `unverified`, or one of the others that keepalived accepts. Only what occurred. */
  readonly checksums: Readonly<Record<string, number>>;
  /** This and the following are the last advert's. */
  readonly version: number;
  /** Of the last advert that was no resignation. */
  readonly priority: number;
  readonly advertIntervalUs: number;
  readonly ttl: number;
  readonly authType: AuthType;
  readonly addresses: number;
  /** Epoch microseconds. */
  readonly firstTs: number;
  readonly lastTs: number;
}

/** Counts adverts by stream. */
export class StreamTally {
  private readonly streams: StreamTable;
  private readonly adverts = new Float64Array(STREAMS_MAX);
  private readonly firstTs = new Float64Array(STREAMS_MAX);
  private readonly last = {
    ts: new Float64Array(STREAMS_MAX),
    interval: new Uint16Array(STREAMS_MAX),
    priority: new Uint8Array(STREAMS_MAX),
    version: new Uint8Array(STREAMS_MAX),
    auth: new Uint8Array(STREAMS_MAX),
    ttl: new Uint8Array(STREAMS_MAX),
    addresses: new Uint8Array(STREAMS_MAX),
  };
  /** Sums that were not the standard's, by stream. */
  private readonly unusual = new Map<number, number[]>();

  constructor(streams: StreamTable) {
    this.streams = streams;
  }

  add({ rows, ts, stream, checksum, interval, priority, version, auth, ttl, addresses }: AdvertColumns): void {
    const { adverts, firstTs, last } = this;
    for (let row = 0; row < rows; row++) {
      const of = stream[row] as number;
      if (adverts[of] === 0) firstTs[of] = ts[row] as number;
      (adverts[of] as number)++;
      last.ts[of] = ts[row] as number;
      last.interval[of] = interval[row] as number;
      if (priority[row] !== 0) last.priority[of] = priority[row] as number;
      last.version[of] = version[row] as number;
      last.auth[of] = auth[row] as number;
      last.ttl[of] = ttl[row] as number;
      last.addresses[of] = addresses[row] as number;
      if (checksum[row] !== 0) this.note(of, checksum[row] as number);
    }
  }

  /** In the order in which the streams appeared. */
  counts(): StreamCount[] {
    const { adverts, firstTs, last } = this;
    return Array.from({ length: this.streams.count }, (_, of) => ({
      ...this.streams.of(of),
      adverts: adverts[of] ?? 0,
      checksums: this.checksumsOf(of),
      version: last.version[of] ?? 0,
      priority: last.priority[of] ?? 0,
      advertIntervalUs: (last.interval[of] ?? 0) * 10_000,
      ttl: last.ttl[of] ?? 0,
      authType: AUTH_TYPES[last.auth[of] ?? 0] ?? "unknown",
      addresses: last.addresses[of] ?? 0,
      firstTs: firstTs[of] ?? 0,
      lastTs: last.ts[of] ?? 0,
    }));
  }

  private note(of: number, checksum: number): void {
    const counts = this.unusual.get(of) ?? CHECKSUMS.map(() => 0);
    counts[checksum] = (counts[checksum] ?? 0) + 1;
    this.unusual.set(of, counts);
  }

  private checksumsOf(of: number): Record<string, number> {
    const unusual = this.unusual.get(of) ?? [];
    const standard = (this.adverts[of] ?? 0) - unusual.reduce((a, b) => a + b, 0);
    const counts = CHECKSUMS.map((name, at) => [name, at === 0 ? standard : (unusual[at] ?? 0)] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }
}
