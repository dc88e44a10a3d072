import { setTimeout as sleep } from "node:timers/promises";
import type { EventBody, SourceStatus } from "./events/event.ts";
import { type Identity, type Observation, toEvent } from "./events/observation.ts";
import { messageOf } from "./core/errors.ts";
import type { Log } from "./core/log.ts";
import type { Clock } from "./core/time.ts";
import type { CollectorConfig } from "./config.ts";
import { Committer } from "./sinks/committer.ts";
import { HttpPush, type PushState } from "./sinks/http-push.ts";
import { type Loss, Spool } from "./sinks/spool.ts";
import { buildSources } from "./build-sources.ts";
import type { Source } from "./sources/source.ts";
import { VERSION } from "./version.ts";

/** How long an orderly stop waits for the server to take what is still in the spool, milliseconds. The rest is sent at the next start. */
const LAST_WORDS_MS = 2_000;

export interface CollectorDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Instead of those the configuration asks for. */
  readonly sources?: readonly Source[];
  /** Calls `tick` every `ms` milliseconds until the returned function is called. */
  readonly every?: (ms: number, tick: () => void) => () => void;
}

export interface RunningCollector {
  status(): readonly SourceStatus[];
  pushState(): PushState;
  /** Orderly: the sources hand over what they have read, and the server hears that this node is not watched any more. */
  stop(): Promise<void>;
}

/** Starts all sources and the way to the server. A source that fails says so in its status; the others go on. */
export async function runCollector(config: CollectorConfig, deps: CollectorDeps): Promise<RunningCollector> {
  const collector = new Collector(config, deps);
  await collector.start();
  return collector;
}

class Collector implements RunningCollector {
  private readonly config: CollectorConfig;
  private readonly deps: CollectorDeps;
  private readonly identity: Identity;
  private readonly sources: readonly Source[];
  private spool!: Spool;
  private push!: HttpPush;
  private committer!: Committer;
  private stopHeartbeat: () => void = () => undefined;
  private beats = 0;
  private losses: Loss[] = [];
  /** A start of this collector, so that its own events have ids no other start has. */
  private readonly startTs: number;

  constructor(config: CollectorConfig, deps: CollectorDeps) {
    this.config = config;
    this.deps = deps;
    this.identity = { cluster: config.cluster, node: config.node };
    this.sources = deps.sources ?? buildSources(config, { clock: deps.clock });
    this.startTs = deps.clock.epoch();
  }

  async start(): Promise<void> {
    const { config, deps } = this;
    this.spool = await Spool.open({
      dir: config.spool.dir,
      bytesMax: config.spool.max_bytes,
      log: deps.log,
      onLoss: (loss) => this.losses.push(loss),
    });
    this.committer = new Committer({
      identity: this.identity,
      append: (batches) => this.spool.append(batches),
      log: deps.log,
      wait: (ms) => sleep(ms),
    });
    const { url, token } = config.server;
    const wait = (ms: number, signal: AbortSignal): Promise<void> =>
      sleep(ms, undefined, { signal }).catch(() => undefined);
    this.push = new HttpPush({
      url,
      queue: this.spool,
      log: deps.log,
      random: Math.random,
      wait,
      ...(token === undefined ? {} : { token }),
    });
    this.push.start();
    await Promise.all(this.sources.map((source) => this.startSource(source)));
    await this.say({ kind: "collector.started", version: VERSION, sources: [...this.status()] });
    const every = deps.every ?? everyInterval;
    this.stopHeartbeat = every(config.heartbeat_seconds * 1000, () => void this.beat());
  }

  status(): readonly SourceStatus[] {
    return this.sources.map((source) => source.status());
  }

  pushState(): PushState {
    return this.push.state();
  }

  async stop(): Promise<void> {
    this.stopHeartbeat();
    await Promise.all(
      this.sources.map((source) =>
        source
          .stop()
          .catch((error: unknown) =>
            this.deps.log("error", "a source did not stop in order", { source: source.name, why: messageOf(error) }),
          ),
      ),
    );
    await this.say({ kind: "collector.stopped" });
    await this.committer.drain();
    const deadline = this.deps.clock.mono() + LAST_WORDS_MS * 1000;
    while (
      this.spool.stats().batches > 0 &&
      this.push.state().trouble === undefined &&
      this.deps.clock.mono() < deadline
    )
      await sleep(10);
    await this.spool.close();
    await this.push.stop();
  }

  private async startSource(source: Source): Promise<void> {
    try {
      await source.start({
        emit: (observations, position) => {
          const observedTs = this.deps.clock.epoch();
          const events = observations.map((seen) => toEvent(seen, this.identity, observedTs));
          return this.committer.commit(events, position);
        },
        position: (key) => this.spool.position(key),
        log: (level, message) => this.deps.log(level, message, { source: source.name }),
      });
    } catch (error) {
      this.deps.log("error", "a source could not be started; the others go on", {
        source: source.name,
        why: messageOf(error),
      });
    }
  }

  private async beat(): Promise<void> {
    const losses = this.losses;
    this.losses = [];
    for (const { events, reason } of losses)
      await this.say({ kind: "collector.gap", sourceName: "spool", reason, lost: events });
    await this.say({ kind: "collector.heartbeat", sources: [...this.status()] });
  }

  /** About ourselves. Goes through the same queue as all else, so that it never overtakes what was read before it. */
  private say(body: EventBody): Promise<void> {
    const ts = this.deps.clock.epoch();
    this.beats += 1;
    const seen: Observation = {
      source: "collector",
      ts,
      tsUncertaintyUs: 0,
      idParts: [this.startTs, this.beats],
      body,
    };
    return this.committer.commit([toEvent(seen, this.identity, ts)]);
  }
}

function everyInterval(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms);
  return () => clearInterval(timer);
}
