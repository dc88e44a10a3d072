import type { Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import type { Log } from "../../collector/core/log.ts";
import { messageOf } from "../../collector/core/errors.ts";
import { type Clock, type EpochUs, type MonoUs, US_PER_SECOND } from "../../collector/core/time.ts";
import type { Store } from "../store/store.ts";

/**
 * While the store takes nothing, nobody is watched: the collectors keep what they see, and it comes late. That this was so is told of
 * each node that wrote in vain, as a gap of the store, once it can be.
 */

/** One failure that is over within this is no gap, microseconds. */
const TOLD_FROM_US = 5 * US_PER_SECOND;
/** A node whose clock is behind, or that comes late for another reason, is told of all the same after this, microseconds. */
const TOLD_AFTER_US = 60 * US_PER_SECOND;
/** Most nodes that are told of. */
const NODES_MAX = 4096;
/** Longest word of the store's that is repeated, characters. */
const WHY_MAX_CHARS = 300;

interface Outage {
  readonly cluster: string;
  readonly node: string;
  readonly why: string;
  readonly fromUs: EpochUs;
  readonly toUs: EpochUs;
  readonly overMono: MonoUs;
}

export interface WriteWatchOptions {
  readonly clock: Clock;
  readonly store: Pick<Store, "insertBatch">;
  readonly log: Log;
  /** Hears what was stored. */
  readonly onStored: (batch: Batch) => void;
}

export class WriteWatch {
  private readonly options: WriteWatchOptions;
  private since: { readonly mono: MonoUs; readonly epoch: EpochUs; why: string } | undefined;
  private readonly inVain = new Map<string, { readonly cluster: string; readonly node: string }>();
  private readonly toTell = new Map<string, Outage>();

  constructor(options: WriteWatchOptions) {
    this.options = options;
  }

  /** Since when the store has taken nothing, epoch microseconds. */
  failingSince(): EpochUs | undefined {
    return this.since?.epoch;
  }

  /** The store did not take it. */
  failed({ cluster, node }: Pick<Batch, "cluster" | "node">, error: unknown): void {
    const { clock } = this.options;
    const why = (messageOf(error).split("\n")[0] ?? "").slice(0, WHY_MAX_CHARS);
    this.since ??= { mono: clock.mono(), epoch: clock.epoch(), why };
    this.since.why = why;
    if (this.inVain.size < NODES_MAX) this.inVain.set(keyOf(cluster, node), { cluster, node });
  }

  /** It did. */
  async stored(batch: Batch): Promise<void> {
    const { clock, log } = this.options;
    if (this.since) {
      const { mono, epoch: fromUs, why } = this.since;
      const overMono = clock.mono();
      this.since = undefined;
      log("info", "the store takes events again", { seconds: Math.round((overMono - mono) / US_PER_SECOND) });
      if (overMono - mono >= TOLD_FROM_US)
        for (const [key, node] of this.inVain)
          this.toTell.set(key, { ...node, why, fromUs, toUs: clock.epoch(), overMono });
      this.inVain.clear();
    }
    const key = keyOf(batch.cluster, batch.node);
    const outage = this.toTell.get(key);
    if (!outage) return;
    // Not before what the node kept meanwhile: it is not watched up to the end of the gap before that is here.
    const newest = Math.max(0, ...batch.events.map(({ observedTs }) => observedTs));
    if (newest < outage.toUs && clock.mono() - outage.overMono < TOLD_AFTER_US) return;
    this.toTell.delete(key);
    if (!(await this.tell(outage))) this.toTell.set(key, outage);
  }

  private async tell({ cluster, node, why, fromUs, toUs }: Outage): Promise<boolean> {
    const { store, log, onStored } = this.options;
    const event: Event = {
      id: eventId("store gap", cluster, node, fromUs, toUs),
      cluster,
      node,
      source: "collector",
      kind: "collector.gap",
      ts: toUs,
      tsUncertaintyUs: 0,
      observedTs: toUs,
      sourceName: "store",
      reason: `the server's store could not be written; what was seen meanwhile was kept by who saw it and came late: ${why}`,
      from: fromUs,
      to: toUs,
    };
    const batch: Batch = { version: 1, batchId: event.id, cluster, node, events: [event] };
    try {
      await store.insertBatch(batch);
    } catch (error) {
      log("error", "that the store could not be written cannot be stored either; it is tried again", {
        why: messageOf(error).split("\n")[0],
      });
      return false;
    }
    onStored(batch);
    return true;
  }
}

const keyOf = (cluster: string, node: string): string => `${cluster}\0${node}`;
