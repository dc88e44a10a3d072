import { type Event, type EventBody, eventFault, type SourceStatus } from "./events/event.ts";
import { type EventJson, type Identity, type Observation, toEvent, toEventJson } from "./events/observation.ts";
import { messageOf } from "./core/errors.ts";
import type { Log } from "./core/log.ts";
import { ClockWatch, type ClockNote, type Reading } from "./core/clock-watch.ts";
import { type Clock, type EpochUs, US_PER_SECOND } from "./core/time.ts";
import type { CollectorConfig } from "./config.ts";
import { Committer } from "./sinks/committer.ts";
import { HttpPush, type PushState } from "./sinks/http-push.ts";
import type { Loss } from "./sinks/losses.ts";
import { Resender } from "./sinks/resender.ts";
import { Spool, type SpoolStats } from "./sinks/spool.ts";
import { ClientTls } from "./sinks/tls-files.ts";
import { Transport } from "./sinks/transport.ts";
import { bootId, uptimeUs } from "./sources/processes.ts";
import { buildSources } from "./build-sources.ts";
import type { Exporter } from "./metrics/exporter.ts";
import { EffectiveConfigs } from "./sources/effective-config.ts";
import type { Position, Source } from "./sources/source.ts";
import { ENDED_IN_ORDER, SelfWatch } from "./self-watch.ts";
import { wait } from "./sources/wait.ts";
import { VERSION } from "./version.ts";

/** How long the start waits for a source, milliseconds. A slower one goes on starting beside the others. */
const SOURCE_START_MS = 3_000;
/** How long an orderly stop waits for a source to hand over what it has read, milliseconds. */
const SOURCE_STOP_MS = 1_500;
/** How long an orderly stop waits for the disk and the server to take what is left, milliseconds. The rest is sent at the next start. */
const LAST_WORDS_MS = 2_000;
/** How often an orderly stop looks whether all is sent, milliseconds. */
const LOOK_AGAIN_MS = 5;
/** Most different faults of events that are logged. */
const MISFITS_MAX = 100;
/** Under which the spool keeps when this collector was last alive. */
const ALIVE = "collector";
/** Under which it keeps what is known of the clock. */
const CLOCK = "clock";
/** Longest reason of a gap that the event contract takes, characters. */
const REASON_MAX_CHARS = 1024;

export interface CollectorDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Instead of those the configuration asks for. */
  readonly sources?: readonly Source[];
  /** What keepalived would run, where it is not of our own sources. */
  readonly configs?: EffectiveConfigs;
  /** Calls `tick` every `ms` milliseconds until the returned function is called. */
  readonly every?: (ms: number, tick: () => void) => () => void;
  /** Waits; resolves early when `signal` aborts. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** In [0, 1): spreads the retries of many collectors. */
  readonly random?: () => number;
  /** For how long the machine slept since it was booted, microseconds. */
  readonly suspendedUs?: () => number;
  /** The same until the machine is booted again. */
  readonly boot?: () => string | undefined;
}

export interface RunningCollector {
  status(): readonly SourceStatus[];
  pushState(): PushState;
  /** Where the metrics are served; undefined while they are not. */
  metricsPort(): number | undefined;
  spoolStats(): SpoolStats;
  /** Orderly: the sources hand over what they have read, and the server hears that this node is not watched any more. */
  stop(): Promise<void>;
}

/**
 * Starts all sources and the way to the server. A source that fails says so in its status; the others go on.
 * @throws OperatorError when the spool cannot be used
 */
export async function runCollector(config: CollectorConfig, deps: CollectorDeps): Promise<RunningCollector> {
  const tls = config.server.url.startsWith("https:")
    ? await ClientTls.open(config.server, { log: deps.log, now: () => deps.clock.epoch() / 1_000 })
    : undefined;
  const spool = await Spool.open({
    dir: config.spool.dir,
    bytesMax: config.spool.max_bytes,
    keepHours: config.spool.keep_hours,
    now: () => deps.clock.epoch() / 1_000,
    log: deps.log,
  });
  const configs = deps.configs ?? new EffectiveConfigs();
  const sources = deps.sources ?? (await buildSources(config, { clock: deps.clock, configs }));
  const exporter = await exporterOf(config, { configs, log: deps.log });
  const collector = new Collector(config, { ...deps, sources }, { spool, tls, exporter });
  await collector.start();
  return collector;
}

/** Its library is loaded only where somebody wants to scrape. */
async function exporterOf(
  { metrics }: CollectorConfig,
  deps: { readonly configs: EffectiveConfigs; readonly log: Log },
): Promise<Exporter | undefined> {
  if (metrics.listen === undefined) return undefined;
  return (await import("./metrics/exporter.ts")).createExporter(metrics.listen, deps);
}

class Collector implements RunningCollector {
  private readonly config: CollectorConfig;
  private readonly deps: CollectorDeps;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly identity: Identity;
  private readonly sources: readonly Source[];
  private readonly spool: Spool;
  private readonly exporter: Exporter | undefined;
  private readonly transport: Transport;
  private readonly push: HttpPush;
  private readonly resender: Resender;
  private readonly committer: Committer;
  private readonly clockWatch: ClockWatch;
  private readonly selfWatch: SelfWatch;
  private readonly suspendedUs: () => number;
  private readonly boot: string;
  private stopHeartbeat: () => void = () => undefined;
  private beating: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;
  private said = 0;
  private readonly misfits = new Set<string>();
  /** A start of this collector, so that its own events have ids no other start has. */
  private readonly startTs: number;

  constructor(
    config: CollectorConfig,
    deps: CollectorDeps & { readonly sources: readonly Source[] },
    {
      spool,
      tls,
      exporter,
    }: { readonly spool: Spool; readonly tls: ClientTls | undefined; readonly exporter: Exporter | undefined },
  ) {
    this.config = config;
    this.deps = deps;
    this.spool = spool;
    this.exporter = exporter;
    this.wait = deps.wait ?? wait;
    this.identity = { cluster: config.cluster, node: config.node };
    this.sources = deps.sources;
    this.startTs = deps.clock.epoch();
    this.suspendedUs = deps.suspendedUs ?? (() => (uptimeUs() ?? 0) - deps.clock.mono());
    this.clockWatch = new ClockWatch(this.suspendedUs);
    this.selfWatch = new SelfWatch(config.heartbeat_seconds * US_PER_SECOND);
    this.boot = (deps.boot ?? bootId)() ?? String(this.startTs);
    this.clockWatch.resume(spool.position(CLOCK), this.reading(), this.boot);
    this.committer = new Committer({
      identity: { ...this.identity, collector: { id: spool.id, ...bootOf() } },
      append: (batches) => spool.append(batches),
      now: () => deps.clock.epoch(),
      onRecovery: (outage) => void this.sayRecovered(outage),
      log: deps.log,
      wait: this.wait,
    });
    this.readClock();
    const { url, token } = config.server;
    this.transport = new Transport({
      url,
      clock: deps.clock,
      ...(token === undefined ? {} : { token }),
      ...(tls ? { tls } : {}),
    });
    const way = { transport: this.transport, log: deps.log, random: deps.random ?? Math.random, wait: this.wait };
    this.resender = new Resender({ ...way, queue: spool });
    this.push = new HttpPush({
      ...way,
      queue: spool,
      servedBy: (incarnation) => this.resender.servedBy(incarnation),
      exchanged: (exchange) => this.clockWatch.exchanged(exchange),
    });
  }

  async start(): Promise<void> {
    // Before all else: whoever hears first that it is back would take the silence for one that was never there.
    const blind = this.selfWatch.resumed(this.spool.position(ALIVE), this.startTs);
    if (blind) void this.say(blind);
    this.push.start();
    this.resender.start();
    await this.exporter?.listen(this);
    await this.within(SOURCE_START_MS, () => Promise.all(this.sources.map((source) => this.startSource(source))));
    await this.say({
      kind: "collector.started",
      version: VERSION,
      sources: [...this.status()],
      heartbeatUs: Math.round(this.config.heartbeat_seconds * US_PER_SECOND),
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    });
    this.selfWatch.changes(this.status());
    const every = this.deps.every ?? everyInterval;
    this.stopHeartbeat = every(this.config.heartbeat_seconds * 1000, () => this.beat());
  }

  status(): readonly SourceStatus[] {
    return this.sources.map((source) => source.status());
  }

  pushState(): PushState {
    return this.push.state();
  }

  metricsPort(): number | undefined {
    return this.exporter?.port();
  }

  spoolStats(): SpoolStats {
    return this.spool.stats();
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopInOrder();
    return this.stopping;
  }

  private async stopInOrder(): Promise<void> {
    this.stopHeartbeat();
    await this.exporter?.close();
    await this.within(SOURCE_STOP_MS, () => Promise.all(this.sources.map((source) => this.stopSource(source))));
    void this.committer.commit([], this.clockMemory());
    void this.say({ kind: "collector.stopped" }, { key: ALIVE, value: ENDED_IN_ORDER });
    await this.within(LAST_WORDS_MS, async (signal) => {
      await this.committer.drain();
      await this.sendRest(signal);
    });
    this.committer.end();
    await Promise.all([this.push.stop(), this.resender.stop()]);
    this.transport.close();
    await this.spool.close();
  }

  /** Until the server has everything, or does not take it. */
  private async sendRest(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.spool.stats().batches > 0 && this.push.state().trouble === undefined)
      await this.wait(LOOK_AGAIN_MS, signal);
  }

  /** Waits for the work, but no longer than this; the work hears when it is over. */
  private async within(ms: number, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const over = new AbortController();
    await Promise.race([work(over.signal), this.wait(ms, over.signal)]);
    over.abort();
  }

  private async startSource(source: Source): Promise<void> {
    try {
      await source.start({
        emit: (observations, position) => this.take(source.name, observations, position),
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

  private async stopSource(source: Source): Promise<void> {
    try {
      await source.stop();
    } catch (error) {
      this.deps.log("error", "a source did not stop in order", { source: source.name, why: messageOf(error) });
    }
  }

  private take(sourceName: string, observations: readonly Observation[], position?: Position): Promise<void> {
    this.exporter?.hear(observations);
    const observedTs = this.readClock();
    const events = observations.map((seen) => this.fitting(seen, observedTs, sourceName));
    return this.committer.commit(events, position);
  }

  /** One event that breaks the contract would have its whole batch refused: it is left out, and a gap says so in its place. */
  private fitting(seen: Observation, observedTs: number, sourceName: string): EventJson {
    // Made of fields of fixed width, whatever the wire brings: tests hold that of any bytes. It is most of what there is.
    if (seen.body.kind === "wire.advert" && !this.isSecondPass(seen, observedTs))
      return toEventJson(seen, this.identity, observedTs);
    const event = this.passed(toEvent(seen, this.identity, observedTs));
    const fault = eventFault(event);
    if (!fault) return jsonOf(event);
    const reason = `a ${event.kind} event was left out: ${fault.message}`.slice(0, REASON_MAX_CHARS);
    // One line a kind of fault, not a line an event.
    if (this.misfits.size < MISFITS_MAX && !this.misfits.has(reason)) {
      this.misfits.add(reason);
      this.deps.log("error", reason, { source: sourceName });
    }
    return this.eventOf({ kind: "collector.gap", sourceName, reason, lost: 1 }, ["misfit", event.id]);
  }

  /** One at a time: while the disk is slow, heartbeats are left out and do not pile up. */
  private beat(): void {
    this.beating ??= this.sayAlive().finally(() => (this.beating = undefined));
  }

  private async sayAlive(): Promise<void> {
    const now = this.readClock();
    const news = this.clockWatch.news({ mono: this.deps.clock.mono(), epoch: now });
    if (news) void this.sayClock(news);
    else void this.committer.commit([], this.clockMemory());
    const status = this.status();
    const blind = this.selfWatch.alive(this.deps.clock.mono() + this.suspendedUs(), now);
    for (const body of [...(blind ? [blind] : []), ...this.selfWatch.changes(status)]) void this.say(body);
    const losses = this.spool.untold();
    const told = losses.map((loss) => this.committer.commit([this.gapOf(loss)]));
    await Promise.all([
      ...told,
      this.say({ kind: "collector.heartbeat", sources: [...status] }, { key: ALIVE, value: String(now) }),
    ]);
    this.spool.told(losses);
  }

  /** What came meanwhile waited where it was: logs and journals keep it, of adverts the capture says what it dropped. */
  private sayRecovered({ why, fromUs }: { readonly why: string; readonly fromUs: EpochUs }): Promise<void> {
    const to = this.deps.clock.epoch();
    return this.say({
      kind: "collector.gap",
      sourceName: "spool",
      reason: `the spool could not be written, and reading waited until it could: ${why}`.slice(0, REASON_MAX_CHARS),
      ...(fromUs <= to ? { from: fromUs, to } : {}),
    });
  }

  private gapOf({ id, reason, events, from, to }: Loss): EventJson {
    return this.eventOf(
      {
        kind: "collector.gap",
        sourceName: "spool",
        reason: reason.slice(0, REASON_MAX_CHARS),
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
        ...(events === undefined ? {} : { lost: events }),
      },
      ["spool loss", id],
    );
  }

  /** About ourselves. Goes through the same queue as all else, so that it never overtakes what was read before it. */
  private say(body: EventBody, position?: Position): Promise<void> {
    this.said += 1;
    return this.committer.commit([this.eventOf(body, [this.startTs, this.said])], position);
  }

  private eventOf(body: EventBody, idParts: readonly (string | number)[]): EventJson {
    const ts = this.deps.clock.epoch();
    return jsonOf(
      this.passed(toEvent({ source: "collector", ts, tsUncertaintyUs: 0, idParts, body }, this.identity, ts)),
    );
  }

  /** Whatever comes in: a clock that was set is noticed before anything is dated by it. */
  private readClock(): EpochUs {
    const now = this.reading();
    const step = this.clockWatch.read(now);
    if (step) {
      this.deps.log("warn", "the clock was set", { seconds: (step.steppedUs ?? 0) / US_PER_SECOND });
      void this.sayClock(step);
    }
    return now.epoch;
  }

  private reading(): Reading {
    return { mono: this.deps.clock.mono(), epoch: this.deps.clock.epoch() };
  }

  /** What follows from it for what is read next is kept with it. */
  private sayClock(note: ClockNote): Promise<void> {
    return this.say({ kind: "collector.clock", ...note }, this.clockMemory());
  }

  private clockMemory(): Position {
    return { key: CLOCK, value: this.clockWatch.memory(this.reading(), this.boot) };
  }

  private passed(event: Event): Event {
    return this.isSecondPass(event, event.observedTs) ? { ...event, secondPass: true } : event;
  }

  private isSecondPass({ ts, tsUncertaintyUs }: Pick<Event, "ts" | "tsUncertaintyUs">, observedTs: number): boolean {
    return this.clockWatch.isSecondPass(ts, tsUncertaintyUs, observedTs as EpochUs);
  }
}

function bootOf(): { readonly boot?: string } {
  const boot = bootId();
  return boot === undefined ? {} : { boot };
}

const jsonOf = (event: Event): EventJson => ({ kind: event.kind, json: JSON.stringify(event) });

function everyInterval(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms);
  return () => clearInterval(timer);
}
