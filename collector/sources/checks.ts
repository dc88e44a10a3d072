import { networkInterfaces } from "node:os";
import { Guard, addressesOf, isElected } from "../checks/guard.ts";
import { readTrackFile } from "../checks/kinds/file.ts";
import { probe as realProbe, type ProbeOptions, type Probed, type ProbeRequest } from "../checks/kinds/probe.ts";
import { leftToLog, planOf } from "../checks/plan.ts";
import { type CheckerAddress, ShadowChecks } from "../checks/shadow.ts";
import { messageOf } from "../core/errors.ts";
import type { Clock, MonoUs } from "../core/time.ts";
import { US_PER_MS } from "../core/time.ts";
import type { EventBody, SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import type { EffectiveConfig, EffectiveConfigs } from "./effective-config.ts";
import type { Handover } from "./handover.ts";
import type { Source, SourceContext } from "./source.ts";
import { wait as waitFor } from "./wait.ts";

/** How often addresses, and files that checkers track, are looked at, milliseconds. */
const LOOK_MS = 2_000;
/** Observations that wait to be durable: with more of them no probe is begun. */
const WAITING_MAX = 1_000;
/** Different reasons for which a probe could not be made, that are remembered for the status. */
const UNABLE_MAX = 20;
/** Longest status line that the event contract takes. */
const DETAIL_MAX_CHARS = 4_096;

export interface ChecksSettings {
  readonly probe: "always" | "elected";
  readonly nodes: readonly string[];
  /** 0: as many as keepalived makes. */
  readonly probesPerLoop: number;
  readonly concurrentMax: number;
  readonly scripts: readonly string[];
  readonly tlsMin: ProbeOptions["tlsMin"];
}

export interface ChecksOptions {
  readonly clock: Clock;
  readonly node: string;
  readonly settings: ChecksSettings;
  readonly configs: EffectiveConfigs;
  /** What the node's log says, for the checkers that are not probed. */
  readonly logged: Handover<readonly Observation[]>;
  readonly probe?: (request: ProbeRequest, options: ProbeOptions, signal: AbortSignal) => Promise<Probed>;
  /** Resolves after so many milliseconds, or at once when the signal is raised. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** In [0, 1): spreads the first probes over warmup. */
  readonly random?: () => number;
  /** Addresses that this node has now. */
  readonly addresses?: () => ReadonlySet<string>;
}

/** The shadow of keepalived's health checkers: the same checks by the same configuration, within the load guard's bounds. */
export function createChecksSource(options: ChecksOptions): Source {
  return new ChecksSource(options);
}

class ChecksSource implements Source {
  readonly name = "checks";
  private readonly options: ChecksOptions;
  private readonly guard: Guard;
  private readonly wait: NonNullable<ChecksOptions["wait"]>;
  private readonly stopping = new AbortController();
  private context: SourceContext | undefined;
  private shadow: ShadowChecks | undefined;
  /** Raised when there is something to do before the next look. */
  private awake = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private handing: Promise<void> = Promise.resolve();
  private waiting = 0;
  private read = 0;
  private told = 0;
  private startTs = 0;
  private state: SourceStatus["state"] = "stopped";
  private vips: ReadonlySet<string> = new Set();
  private readonly files = new Map<string, number>();
  private readonly unable = new Map<string, string>();
  private readonly leave: (() => void)[] = [];
  private readonly probes = new Set<Promise<void>>();

  constructor(options: ChecksOptions) {
    this.options = options;
    const { concurrentMax, probesPerLoop } = options.settings;
    this.guard = new Guard({ concurrentMax, perLoopMax: probesPerLoop === 0 ? undefined : probesPerLoop });
    this.wait = options.wait ?? waitFor;
  }

  async start(context: SourceContext): Promise<void> {
    this.context = context;
    this.startTs = this.options.clock.epoch();
    this.state = "running";
    this.leave.push(
      this.options.configs.subscribe((config) => this.reload(config)),
      this.options.logged.subscribe((observations) => this.hear(observations)),
    );
    this.running = this.run();
  }

  async stop(): Promise<void> {
    for (const leave of this.leave) leave();
    this.stopping.abort();
    this.awake.abort();
    await this.running;
    await Promise.all(this.probes);
    const now = this.options.clock.mono();
    this.tell(this.shadow?.plan.pools.flatMap((_, i) => this.shadow?.activate(i, false, now) ?? []) ?? []);
    await this.handing;
    this.state = "stopped";
  }

  status(): SourceStatus {
    const reason = this.reason();
    return {
      name: this.name,
      detail: this.detail().slice(0, DETAIL_MAX_CHARS),
      state: this.state,
      read: this.read,
      unrecognised: 0,
      ...(reason === undefined ? {} : { reason: reason.slice(0, 1_024) }),
    };
  }

  private reason(): string | undefined {
    if (this.state === "stopped") return this.context === undefined ? "it has not started yet" : "it was stopped";
    const [first] = this.unable.values();
    return first;
  }

  private detail(): string {
    const { shadow } = this;
    if (shadow === undefined) return "no configuration of keepalived is known yet";
    const { plan } = shadow;
    if (plan.pools.length === 0) return "no virtual servers in the configuration of keepalived";
    const probed = plan.pools.flatMap(({ servers }, pool) =>
      servers.flatMap(({ checkers }) => checkers.filter(({ by }) => by === "probe").map(() => shadow.isActive(pool))),
    );
    const idle = probed.filter((isActive) => !isActive).length;
    const parts = [`${probed.length} checkers of ${plan.pools.length} virtual servers are probed`];
    if (idle > 0) parts.push(`${idle} of them not now: another node is elected, or their address is not here`);
    const left = leftToLog(plan);
    if (left.length > 0) parts.push(`left to the log: ${left.join("; ")}`);
    if (plan.ignored.length > 0) parts.push(`passed over: ${plan.ignored.join("; ")}`);
    return parts.join(". ");
  }

  private reload({ running, release }: EffectiveConfig): void {
    const { clock, settings, random } = this.options;
    const plan = planOf(running, release, { scripts: settings.scripts });
    const now = clock.mono();
    const before = this.shadow;
    this.shadow = new ShadowChecks(plan, now, random ?? Math.random, before);
    this.tell(before?.leave(this.shadow, now) ?? []);
    this.vips = new Set(
      running.instances.flatMap(({ vips, excludedVips }) => [...vips, ...excludedVips].map(({ address }) => address)),
    );
    this.files.clear();
    this.unable.clear();
    this.guard.keep(new Set(plan.pools.flatMap(({ servers }) => servers.map(({ name }) => name))));
    for (const line of leftToLog(plan)) this.context?.log("info", `not probed, left to the log: ${line}`);
    this.look();
    this.awake.abort();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      this.look();
      this.launch();
      // A probe that ends while this waits wakes it: its place may be needed, and its next one be due.
      await this.wait(this.pauseMs(), this.awake.signal);
      if (this.awake.signal.aborted) this.awake = new AbortController();
    }
  }

  /** Until the next probe that may be made, or the next look. */
  private pauseMs(): number {
    const now = this.options.clock.mono();
    const next = this.guard.isFull() || this.waiting >= WAITING_MAX ? undefined : this.nextAt(now);
    if (next === undefined) return LOOK_MS;
    return Math.min(LOOK_MS, Math.max(1, Math.ceil((next - now) / US_PER_MS)));
  }

  private nextAt(now: MonoUs): MonoUs | undefined {
    const { shadow } = this;
    const overdue = shadow?.due(now) ?? [];
    const allowed = overdue.map((address) => this.guard.allowedAt(shadow?.server(address)?.name ?? "", now));
    const later = shadow?.nextDueAt();
    return [...allowed, ...(later !== undefined && later > now ? [later] : [])].reduce<MonoUs | undefined>(
      (first, at) => (first === undefined || at < first ? at : first),
      undefined,
    );
  }

  /** Who probes, and what the tracked files say. */
  private look(): void {
    const { shadow } = this;
    if (shadow === undefined || shadow.plan.pools.length === 0) return;
    const { node, settings, clock } = this.options;
    const addresses = (this.options.addresses ?? ownAddresses)();
    const now = clock.mono();
    for (const [i, { virtual }] of shadow.plan.pools.entries()) {
      const isOurs =
        settings.probe === "always" || isElected(virtual, { node, nodes: settings.nodes, addresses, vips: this.vips });
      const isHere = !virtual.haSuspend || addressesOf(virtual).some((address) => addresses.has(address));
      this.tell(shadow.activate(i, isOurs && isHere, now));
    }
    for (const { address, plan } of shadow.unprobed()) {
      const { check } = plan.checker;
      if (check.kind === "file" && check.path !== undefined) this.lookAtFile(shadow, address, check.path);
    }
  }

  private lookAtFile(shadow: ShadowChecks, address: CheckerAddress, path: string): void {
    const check = shadow.checkerPlan(address)?.checker.check;
    if (check?.kind !== "file") return;
    const key = JSON.stringify(address);
    const value = readTrackFile(path);
    if (this.files.get(key) === value) return;
    this.files.set(key, value);
    this.tell(shadow.hear(address, ...verdictOfFile(value, check.weight, check.reverse)));
  }

  private launch(): void {
    const { shadow } = this;
    if (shadow === undefined || this.stopping.signal.aborted) return;
    const now = this.options.clock.mono();
    for (const address of shadow.due(now)) {
      if (this.guard.isFull() || this.waiting >= WAITING_MAX) return;
      const server = shadow.server(address);
      if (server === undefined || !this.guard.take(server.name, server.delayLoopUs, now)) continue;
      const done = this.probeOne(shadow, address, now).finally(() => {
        this.guard.release();
        this.probes.delete(done);
        this.awake.abort();
      });
      this.probes.add(done);
    }
  }

  private async probeOne(shadow: ShadowChecks, address: CheckerAddress, startedAt: MonoUs): Promise<void> {
    const due = shadow.begin(address, startedAt);
    const [plan, server] = [shadow.checkerPlan(address), shadow.server(address)];
    if (due === undefined || plan === undefined || server === undefined) return;
    const request: ProbeRequest = {
      checker: plan.checker,
      target: due.target,
      isUp: due.isUp,
      weight: server.real.weight,
      release: shadow.plan.release,
    };
    const probed = await this.ask(request);
    // After a reload the verdict belongs to checkers that are gone.
    if (shadow !== this.shadow || this.stopping.signal.aborted) return;
    const now = this.options.clock.mono();
    this.read += 1;
    this.note(`${plan.checker.kind} of ${server.name}`, probed);
    this.tell(shadow.finish(address, { ...probed, latencyUs: Math.max(0, Math.round(now - startedAt)) }, now));
  }

  private async ask(request: ProbeRequest): Promise<Probed> {
    try {
      const { settings, probe } = this.options;
      return await (probe ?? realProbe)(request, { tlsMin: settings.tlsMin }, this.stopping.signal);
    } catch (error) {
      return { result: { kind: "unable", why: messageOf(error).slice(0, 200) } };
    }
  }

  /** A probe that cannot be made is said once, and stands in the status until it can. */
  private note(what: string, { result }: Probed): void {
    if (result.kind !== "unable") {
      this.unable.delete(what);
      return;
    }
    const sentence = `${what} cannot be probed: ${result.why}`;
    if (this.unable.get(what) === sentence || this.unable.size >= UNABLE_MAX) return;
    this.unable.set(what, sentence);
    this.context?.log("warn", sentence);
  }

  /** The log's verdicts on what is not probed. */
  private hear(observations: readonly Observation[]): void {
    const { shadow } = this;
    if (shadow === undefined) return;
    for (const { body } of observations)
      if (body.kind === "check.result" || body.kind === "bfd.state")
        for (const { address, plan, server } of shadow.unprobed()) {
          const up = plan.by === "log" ? verdictOf(body, plan, server.name) : undefined;
          if (up !== undefined) this.tell(shadow.hear(address, up));
        }
  }

  private tell(bodies: readonly EventBody[]): void {
    const { context } = this;
    if (bodies.length === 0 || context === undefined) return;
    const ts = this.options.clock.epoch();
    const observations = bodies.map((body): Observation => {
      this.told += 1;
      return { source: "check", ts, tsUncertaintyUs: 0, idParts: ["checks", this.startTs, this.told], body };
    });
    this.waiting += observations.length;
    this.handing = this.handing
      .then(() => context.emit(observations))
      .catch((error: unknown) => context.log("error", `results of checks were lost: ${messageOf(error)}`))
      .finally(() => (this.waiting -= observations.length));
  }
}

type Unprobed = ReturnType<ShadowChecks["unprobed"]>[number]["plan"];

/** @returns undefined when the event is about something else, or decides nothing */
function verdictOf(
  body: Extract<EventBody, { kind: "check.result" | "bfd.state" }>,
  { word, checker }: Unprobed,
  service: string,
): boolean | undefined {
  const { check } = checker;
  if (body.kind === "bfd.state")
    return check.kind === "bfd" && check.bfd === body.bfd ? body.state === "Up" : undefined;
  if (body.checker !== word || body.service !== service || body.outcome === "failure") return undefined;
  if (check.kind === "misc" && body.script !== undefined && !body.script.startsWith(check.command.words[0] ?? ""))
    return undefined;
  return body.outcome === "success";
}

/** @returns whether the server is up by it, and what it adds to the server's weight. (keepalived 2.2.7, check/check_file.c) */
function verdictOfFile(value: number, weight: number, reverse: boolean): [up: boolean, added: number] {
  if (weight === 0) return [value === 0, 0];
  const added = value * weight * (reverse ? -1 : 1);
  return [added > -2_147_483_648, Math.max(-2_147_483_648, Math.min(2_147_483_647, added))];
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)));
}
