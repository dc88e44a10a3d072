import { DISORDER_MAX_US } from "../vrrp/senders.ts";
import { masterDownUs, type VrrpVersion } from "../vrrp/timers.ts";
import type { AdvertColumns } from "./advert-columns.ts";
import { STREAMS_MAX, type StreamTable } from "./streams.ts";

/** Most changes, and most overlaps, that are told one by one; of further ones only how many. */
const RECORDS_MAX = 100_000;
/** Most masters of one virtual router at once: somebody may send from ever new addresses. */
const MASTERS_MAX = 64;
/** Jitter is sorted into four classes an octave. */
const JITTER_CLASSES = 128;

/** A sender of adverts on one virtual router. */
export interface MasterName {
  readonly interface: string;
  readonly family: "ipv4" | "ipv6";
  readonly vrid: number;
  readonly source: string;
}

/** Another master than before. All instants are epoch microseconds. */
export interface MasterChange {
  /** The new master's first advert. */
  readonly ts: number;
  readonly to: MasterName;
  readonly from: string;
  /** How the old one was last heard: it resigned with priority 0, had been silent for over one and a half intervals, or was still sending. */
  readonly old: "resigned" | "silent" | "sending";
}

/** Two that sent adverts for one virtual router at the same time, for longer than a takeover takes. */
export interface MasterOverlap {
  /** From when on both sent. */
  readonly from: number;
  /** The last advert of the one that stopped first. */
  readonly to: number;
  readonly stopped: MasterName;
  readonly other: string;
  /** When the capture ended both were still sending. */
  readonly open: boolean;
}

/** How regularly a stream's adverts came. */
export interface Jitter {
  readonly stream: number;
  /** Distances between one advert and the next that were no gap. */
  readonly distances: number;
  /** How far they were from the advert interval, microseconds, to a fifth; the maximum too. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Adverts more than half an interval late, or missing. */
  readonly late: number;
}

export interface MasterReport {
  readonly changes: readonly MasterChange[];
  readonly overlaps: readonly MasterOverlap[];
  /** Changes and overlaps that were too many to be told one by one, and adverts of masters that were too many at once. */
  readonly untold: number;
  readonly jitter: readonly Jitter[];
  /** Times at which the capture's clock stepped back, and all was forgotten. */
  readonly clockSteps: number;
}

/**
 * Watches over columns of adverts who is master of which virtual router. A sender is master from its first advert until
 * its last before priority 0 or a silence of its master-down time. Nearly all adverts are the next of the one master
 * there is: they cost a few loads and a count; all others are looked at in full.
 */
export class MasterWatch {
  private readonly streams: StreamTable;
  /** Of each stream. */
  private readonly lastOfStream = new Float64Array(STREAMS_MAX);
  private readonly late = new Float64Array(STREAMS_MAX);
  private jitter = new Uint32Array(64 * JITTER_CLASSES);
  /** Of each sender: when it became master, 0 when it is none, and its last advert. */
  private readonly since = new Float64Array(STREAMS_MAX);
  private readonly last = new Float64Array(STREAMS_MAX);
  private readonly silentAt = new Float64Array(STREAMS_MAX);
  private readonly interval = new Float64Array(STREAMS_MAX);
  /** Of each virtual router the one master there is, as sender + 1; 0 when there are none or several. */
  private readonly only = new Int32Array(STREAMS_MAX);
  /** Of each virtual router, all its masters, and whoever was the last to become one. */
  private readonly masters: number[][] = [];
  private readonly newest: number[] = [];
  private readonly resigned = new Set<number>();
  private readonly changes: MasterChange[] = [];
  private readonly overlaps: MasterOverlap[] = [];
  private untold = 0;
  private clockSteps = 0;
  private newestTs = Number.NEGATIVE_INFINITY;

  constructor(streams: StreamTable) {
    this.streams = streams;
  }

  add({ rows, ts, stream, interval, priority, version }: AdvertColumns): void {
    this.makeRoom();
    const { only, lastOfStream, last, jitter } = this;
    const { senderOf, routerOf } = this.streams;
    for (let row = 0; row < rows; row++) {
      const of = stream[row] as number;
      const at = ts[row] as number;
      const sender = senderOf[of] as number;
      const us = (interval[row] as number) * 10_000;
      const distance = at - (lastOfStream[of] as number);
      if (
        only[routerOf[sender] as number] === sender + 1 &&
        distance >= 0 &&
        distance <= us * 1.5 &&
        us === this.interval[sender] &&
        priority[row] !== 0
      ) {
        (jitter[of * JITTER_CLASSES + classOf(distance - us)] as number)++;
        lastOfStream[of] = at;
        last[sender] = at;
      } else this.look(at, of, us, priority[row] as number, version[row] as VrrpVersion);
    }
    if (rows > 0) this.newestTs = Math.max(this.newestTs, ts[rows - 1] as number);
  }

  report(): MasterReport {
    for (let router = 0; router < this.masters.length; router++) this.endAll(router);
    const streams = Array.from({ length: this.streams.count }, (_, of) => of);
    return {
      changes: this.changes.toSorted((a, b) => a.ts - b.ts),
      overlaps: this.overlaps.toSorted((a, b) => a.from - b.from),
      untold: this.untold,
      jitter: streams.map((of) => this.jitterOf(of)),
      clockSteps: this.clockSteps,
    };
  }

  private look(at: number, of: number, us: number, priority: number, version: VrrpVersion): void {
    const sender = this.streams.senderOf[of] as number;
    const router = this.streams.routerOf[sender] as number;
    if (at < Math.max(this.newestTs, this.lastOfStream[of] as number) - DISORDER_MAX_US) this.forget();
    this.newestTs = Math.max(this.newestTs, at);
    this.retire(router, at);
    const isMaster = (this.since[sender] as number) > 0;
    if (isMaster && at < (this.last[sender] as number)) return;
    if (priority === 0) {
      this.lastOfStream[of] = 0;
      if (!isMaster) return;
      this.last[sender] = at;
      this.resigned.add(sender);
      this.end(router, sender, false);
      return;
    }
    this.noteDistance(of, at, us);
    if (!isMaster && (this.masters[router]?.length ?? 0) >= MASTERS_MAX) {
      this.untold += 1;
      return;
    }
    if (!isMaster) this.begin(router, sender, at);
    this.last[sender] = at;
    this.interval[sender] = us;
    // As senders.ts has it: late is not gone.
    this.silentAt[sender] = masterDownUs(version, priority, us) + us / 2;
  }

  private noteDistance(of: number, at: number, us: number): void {
    const before = this.lastOfStream[of] as number;
    if (before > 0 && at >= before) {
      if (at - before > us * 1.5) (this.late[of] as number)++;
      else (this.jitter[of * JITTER_CLASSES + classOf(at - before - us)] as number)++;
    }
    this.lastOfStream[of] = at;
  }

  private begin(router: number, sender: number, at: number): void {
    const before = this.newest[router];
    if (before !== undefined && before !== sender) {
      const silent = at - (this.last[before] as number) > 1.5 * (this.interval[before] as number);
      this.record(this.changes, {
        ts: at,
        to: this.nameOf(sender),
        from: this.nameOf(before).source,
        old: this.resigned.has(before) ? "resigned" : silent ? "silent" : "sending",
      });
    }
    this.resigned.delete(sender);
    this.newest[router] = sender;
    this.since[sender] = at;
    const masters = (this.masters[router] ??= []);
    masters.push(sender);
    this.only[router] = masters.length === 1 ? sender + 1 : 0;
  }

  /** Ends those that had fallen silent by then, the first to fall silent first. */
  private retire(router: number, at: number): void {
    const masters = this.masters[router];
    if (!masters || masters.length === 0) return;
    const gone = masters.filter((one) => (this.last[one] as number) + (this.silentAt[one] as number) < at);
    gone.sort((a, b) => (this.last[a] as number) - (this.last[b] as number));
    for (const one of gone) this.end(router, one, false);
  }

  private end(router: number, sender: number, open: boolean): void {
    const masters = this.masters[router] ?? [];
    masters.splice(masters.indexOf(sender), 1);
    const to = this.last[sender] as number;
    for (const other of masters) {
      const from = Math.max(this.since[sender] as number, this.since[other] as number);
      const shared = Math.min(to, this.last[other] as number);
      if (shared - from > 1.5 * Math.max(this.interval[sender] as number, this.interval[other] as number))
        this.record(this.overlaps, {
          from,
          to: shared,
          stopped: this.nameOf(sender),
          other: this.nameOf(other).source,
          open,
        });
    }
    this.since[sender] = 0;
    const left = masters.at(-1);
    // Whoever is left goes on being master: that is no change.
    if (left !== undefined && this.newest[router] === sender) this.newest[router] = left;
    this.only[router] = left !== undefined && masters.length === 1 ? left + 1 : 0;
  }

  private endAll(router: number): void {
    this.retire(router, this.newestTs);
    const masters = this.masters[router] ?? [];
    for (const one of masters.toSorted((a, b) => (this.last[a] as number) - (this.last[b] as number)))
      this.end(router, one, true);
  }

  /** The clock was set back: what was is not comparable with what comes. */
  private forget(): void {
    this.clockSteps += 1;
    for (let router = 0; router < this.masters.length; router++) this.endAll(router);
    this.lastOfStream.fill(0);
    this.newest.length = 0;
    this.newestTs = Number.NEGATIVE_INFINITY;
  }

  private record<T>(records: T[], one: T): void {
    if (records.length < RECORDS_MAX) records.push(one);
    else this.untold += 1;
  }

  private nameOf(sender: number): MasterName {
    const { interface: nic, family, vrid, source } = this.streams.of(this.streams.streamOfSender[sender] ?? 0);
    return { interface: nic, family, vrid, source };
  }

  private jitterOf(stream: number): Jitter {
    const classes = this.jitter.subarray(stream * JITTER_CLASSES, (stream + 1) * JITTER_CLASSES);
    const distances = classes.reduce((a, b) => a + b, 0);
    const quantile = (share: number): number => {
      let left = Math.max(1, Math.ceil(distances * share));
      const at = classes.findIndex((count) => (left -= count) <= 0);
      return distances === 0 ? 0 : classStart(at);
    };
    return {
      stream,
      distances,
      p50: quantile(0.5),
      p99: quantile(0.99),
      max: quantile(1),
      late: this.late[stream] ?? 0,
    };
  }

  private makeRoom(): void {
    const wanted = this.streams.count * JITTER_CLASSES;
    if (wanted <= this.jitter.length) return;
    const more = new Uint32Array(Math.min(STREAMS_MAX * JITTER_CLASSES, wanted * 2));
    more.set(this.jitter);
    this.jitter = more;
  }
}

/** Four classes an octave: the position of the highest bit, and the two bits behind it. */
function classOf(differenceUs: number): number {
  const us = Math.abs(differenceUs) | 0;
  if (us < 4) return us;
  const highest = 31 - Math.clz32(us);
  return highest * 4 + ((us >>> (highest - 2)) & 3) - 4;
}

/** The smallest jitter of a class, microseconds. */
const classStart = (at: number): number => (at < 4 ? at : (4 + (at & 3)) * 2 ** ((at >> 2) - 1));
