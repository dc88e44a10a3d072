import type { Batch } from "../../collector/events/batch.ts";
import type { Event } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import type { Log } from "../../collector/core/log.ts";
import { messageOf } from "../../collector/core/errors.ts";
import { type Clock, type MonoUs, US_PER_SECOND } from "../../collector/core/time.ts";
import type { Store } from "../store/store.ts";

/**
 * Time goes on for the detectors as far as events tell. When nobody tells any more, the server does: that it hears nothing of a
 * collector becomes an event, stored as all others, so that a restart concludes the same.
 */

/** Nothing heard of a collector for this long is told first, then after twice as long, and so on: heartbeats may be minutes apart. */
const UNHEARD_AFTER_US = 75 * US_PER_SECOND;

interface Heard {
  readonly mono: MonoUs;
  readonly epoch: number;
  /** The silence that is told next, microseconds. */
  readonly tellAfterUs: number;
}

export interface SilenceOptions {
  readonly clock: Clock;
  readonly store: Pick<Store, "insertBatch">;
  readonly log: Log;
  readonly nodes: () => readonly { readonly cluster: string; readonly node: string }[];
  /** Hears what was stored. */
  readonly onStored: (batch: Batch) => void;
}

export class SilenceWatch {
  private readonly options: SilenceOptions;
  private readonly nodes = new Map<string, Heard>();
  private checking: Promise<void> | undefined;

  constructor(options: SilenceOptions) {
    this.options = options;
  }

  heard(cluster: string, node: string): void {
    const { clock } = this.options;
    this.nodes.set(keyOf(cluster, node), { mono: clock.mono(), epoch: clock.epoch(), tellAfterUs: UNHEARD_AFTER_US });
  }

  /** To be called every few seconds. One look at a time. */
  check(): Promise<void> {
    this.checking ??= this.look().finally(() => (this.checking = undefined));
    return this.checking;
  }

  private async look(): Promise<void> {
    const { clock, nodes } = this.options;
    for (const { cluster, node } of nodes()) {
      const key = keyOf(cluster, node);
      // One that is known from before this start counts as heard now.
      if (!this.nodes.has(key)) this.heard(cluster, node);
      const heard = this.nodes.get(key) as Heard;
      if (clock.mono() - heard.mono < heard.tellAfterUs) continue;
      if ((await this.tell(cluster, node, heard)) && this.nodes.get(key) === heard)
        this.nodes.set(key, { ...heard, tellAfterUs: 2 * heard.tellAfterUs });
    }
  }

  private async tell(cluster: string, node: string, { epoch: since }: Heard): Promise<boolean> {
    const { clock, store, log, onStored } = this.options;
    const ts = clock.epoch();
    const event: Event = {
      id: eventId("unheard", cluster, node, since, ts),
      cluster,
      node,
      source: "collector",
      kind: "collector.unheard",
      ts,
      tsUncertaintyUs: 0,
      observedTs: ts,
      since,
    };
    const batch: Batch = { version: 1, batchId: event.id, cluster, node, events: [event] };
    try {
      await store.insertBatch(batch);
    } catch (error) {
      log("error", "that a collector is silent could not be stored; it is tried again", {
        node,
        why: messageOf(error).split("\n")[0],
      });
      return false;
    }
    onStored(batch);
    return true;
  }
}

const keyOf = (cluster: string, node: string): string => `${cluster}\0${node}`;
