import type { Batch, CollectorId } from "../../collector/events/batch.ts";
import type { Event, EventOf } from "../../collector/events/event.ts";
import { eventId } from "../../collector/events/id.ts";
import { type Clock, type MonoUs, US_PER_SECOND } from "../../collector/core/time.ts";

/**
 * Two hosts that call themselves by one name (`localhost`, or the name of the image they were made of) are two nodes. A collector
 * has an identity of its own, made with its spool, and names the boot it runs in. The first keeps the name; another one that
 * takes its place, after a reboot, with a new spool or on a new machine, is the same node; one that is alive beside it gets a
 * name of its own. Which it is shows within a heartbeat or two: until then its batches are put off, and stay in its spool.
 */

/** Who is not heard for this long, or for so many of its heartbeats, while another one calls itself so, is no more. */
const GONE_AFTER_US = 15 * US_PER_SECOND;
const GONE_BEATS = 3;
/** One that was put off and did not come again for this long begins anew. */
const FORGET_US = 600 * US_PER_SECOND;
/** Room for what stands behind the name. */
const NAME_MAX_CHARS = 200;

export type Named = EventOf<"collector.named">;

export interface Verdict {
  /** Under its name. */
  readonly batch: Batch;
  /** The server's word on it, to be stored before the batch; undefined when it is known. */
  readonly word: Batch | undefined;
}

/** One collector in one boot of its host. */
interface Run {
  readonly id: string;
  readonly boot: string;
  node: string;
  heard: MonoUs;
  /** Number of the batch it was heard with last. */
  heardWith: number;
  /** Its last word was that it ends. */
  stopped: boolean;
  /** When it said that it begins or ends, by its own clock. */
  spoke: number;
  heartbeatUs: number;
  readonly address: string | undefined;
  /** By its own clock. */
  readonly firstObserved: number;
  /** The store has it. */
  isTold: boolean;
}

/** All that call themselves by one name in one cluster. */
interface Name {
  readonly runs: Map<string, Run>;
  /** Node to the key of the run that has it. */
  readonly holders: Map<string, string>;
  /** Those that wait for their verdict: since which batch, and when they last asked. */
  readonly waiting: Map<string, { readonly since: number; last: MonoUs }>;
}

export class Namesakes {
  private readonly clock: Clock;
  private readonly isTaken: (cluster: string, node: string) => boolean;
  private readonly names = new Map<string, Name>();
  /** Batches judged so far. */
  private count = 0;

  /**
   * @param words    all that was concluded before
   * @param isTaken  a node is known by that name
   */
  constructor(clock: Clock, words: readonly Named[], isTaken: (cluster: string, node: string) => boolean) {
    this.clock = clock;
    this.isTaken = isTaken;
    for (const word of [...words].sort((a, b) => a.observedTs - b.observedTs || (a.id < b.id ? -1 : 1))) {
      const { collector: id, boot = "", address, heartbeatUs = 0 } = word;
      this.give(this.nameOf(word.cluster, word.calls), keyOf({ id, boot }), {
        id,
        boot,
        node: word.node,
        heard: clock.mono(),
        heardWith: 0,
        stopped: false,
        spoke: 0,
        heartbeatUs,
        address,
        firstObserved: word.ts,
        isTold: true,
      });
    }
  }

  /**
   * @param address  the batch came from; undefined when that says nothing of the host
   * @returns why it has to wait
   */
  judge(batch: Batch, address: string | undefined): Verdict | { readonly wait: string } {
    const { collector } = batch;
    if (!collector) return { batch, word: undefined };
    this.count += 1;
    const name = this.nameOf(batch.cluster, batch.node);
    const key = keyOf(collector);
    let run = name.runs.get(key);
    if (run) {
      const holder = name.runs.get(name.holders.get(run.node) as string) as Run;
      if (holder !== run) {
        // Another one took its place. What was seen before that is late; what was seen since shows that both live.
        if (batch.events.every(({ observedTs }) => observedTs <= holder.firstObserved))
          return { batch: renamed(batch, run.node), word: undefined };
        run = undefined;
      }
    }
    const later = run ? undefined : laterRunOf(name, batch);
    if (later) {
      // What an earlier boot saw comes after what this one saw: its store was restored from a backup. Nothing is given to it.
      run = { ...later, boot: collector.boot ?? "", isTold: true };
      name.runs.set(key, run);
    }
    if (!run) {
      const node = this.placeFor(name, batch, address);
      if (node === undefined) return { wait: waitingFor(batch.node) };
      run = {
        id: collector.id,
        boot: collector.boot ?? "",
        node,
        heard: this.clock.mono(),
        heardWith: this.count,
        stopped: false,
        spoke: 0,
        heartbeatUs: 0,
        address,
        firstObserved: batch.events[0]?.observedTs ?? this.clock.epoch(),
        isTold: false,
      };
      this.give(name, key, run);
    }
    run.heard = this.clock.mono();
    run.heardWith = this.count;
    for (const event of batch.events) {
      if ((event.kind === "collector.started" || event.kind === "collector.stopped") && event.observedTs >= run.spoke) {
        run.stopped = event.kind === "collector.stopped";
        run.spoke = event.observedTs;
      }
      if (event.kind === "collector.started") run.heartbeatUs = event.heartbeatUs ?? run.heartbeatUs;
    }
    return { batch: renamed(batch, run.node), word: run.isTold ? undefined : this.wordOn(batch, run) };
  }

  /** The store has the word. */
  told(word: Batch): void {
    for (const event of word.events) {
      if (event.kind !== "collector.named") continue;
      const run = this.nameOf(event.cluster, event.calls).runs.get(
        keyOf({ id: event.collector, boot: event.boot ?? "" }),
      );
      if (run?.node === event.node) run.isTold = true;
    }
  }

  /** @returns undefined while it cannot be told */
  private placeFor(name: Name, { cluster, node: calls, collector }: Batch, address?: string): string | undefined {
    const { id, boot } = collector as CollectorId;
    const key = keyOf({ id, boot });
    const known = name.runs.get(key);
    if (!known && name.holders.size === 0) return calls;
    const now = this.clock.mono();
    for (const [other, { last }] of name.waiting) if (now - last > FORGET_US) name.waiting.delete(other);
    const wait = name.waiting.get(key) ?? { since: this.count, last: now };
    wait.last = now;
    name.waiting.set(key, wait);
    if (!known) {
      const holders = [...name.holders.values()].map((holder) => name.runs.get(holder) as Run);
      // The same collector after a reboot; else one that is gone, best of all from the same address.
      const before =
        holders.find((run) => run.id === id) ??
        holders
          .filter((run) => run.stopped || now - run.heard > goneAfterUs(run))
          .sort(
            (a, b) => Number(b.address === address) - Number(a.address === address) || (a.node < b.node ? -1 : 1),
          )[0];
      if (before) return before.node;
      if (!holders.every((run) => run.heardWith > wait.since)) return undefined;
    }
    const suffixes = [
      ...(address === undefined ? [] : [address]),
      ...Array.from({ length: 1_000 }, (_, i) => `${i + 2}`),
    ];
    return suffixes
      .map((suffix) => `${calls.slice(0, NAME_MAX_CHARS)} (${suffix})`)
      .find((free) => !name.holders.has(free) && !this.isTaken(cluster, free));
  }

  private give(name: Name, key: string, run: Run): void {
    name.runs.set(key, run);
    name.holders.set(run.node, key);
    name.waiting.delete(key);
  }

  private nameOf(cluster: string, calls: string): Name {
    const key = `${cluster}\0${calls}`;
    const known = this.names.get(key) ?? { runs: new Map(), holders: new Map(), waiting: new Map() };
    this.names.set(key, known);
    return known;
  }

  /** Dated by the node's own clock, as what it comes with. */
  private wordOn({ cluster, node: calls }: Batch, run: Run): Batch {
    const { node, id, boot, address, heartbeatUs, firstObserved: ts } = run;
    const observedTs = this.clock.epoch();
    const word: Named = {
      id: eventId("named", cluster, node, calls, id, boot),
      cluster,
      node,
      source: "collector",
      kind: "collector.named",
      ts,
      tsUncertaintyUs: 0,
      observedTs,
      calls,
      collector: id,
      ...(boot === "" ? {} : { boot }),
      ...(address === undefined ? {} : { address }),
      ...(heartbeatUs === 0 ? {} : { heartbeatUs }),
    };
    return { version: 1, batchId: word.id, cluster, node, events: [word] };
  }
}

/** The run that has the name now, if it is of the same collector and began after all that the batch says was seen. */
function laterRunOf({ runs, holders }: Name, { collector, events }: Batch): Run | undefined {
  for (const key of holders.values()) {
    const run = runs.get(key);
    if (run?.id === collector?.id && run && events.every(({ observedTs }) => observedTs <= run.firstObserved))
      return run;
  }
  return undefined;
}

const keyOf = ({ id, boot = "" }: { readonly id: string; readonly boot?: string | undefined }): string =>
  `${id} ${boot}`;

const goneAfterUs = ({ heartbeatUs }: Run): number => Math.max(GONE_AFTER_US, GONE_BEATS * heartbeatUs);

const waitingFor = (node: string): string =>
  `another collector that calls itself ${node} was heard of lately: whether this is a second host of that name shows within seconds`;

/** Ids are made of the name: those of two hosts must not be the same. */
function renamed(batch: Batch, node: string): Batch {
  if (node === batch.node) return batch;
  return {
    ...batch,
    node,
    events: batch.events.map((event): Event => ({ ...event, node, id: eventId("namesake", node, event.id) })),
  };
}
