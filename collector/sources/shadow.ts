import { type FSWatcher, readFileSync, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { readTrackFile } from "../checks/kinds/file.ts";
import { optionOf } from "../chain/options.ts";
import type { TrackFile, TrackProcess } from "../conf/model/types.ts";
import { messageOf } from "../core/errors.ts";
import { type Clock, type EpochUs, type MonoUs, US_PER_MS } from "../core/time.ts";
import type { EventBody, SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { Follower, type Moment } from "../shadow/follower.ts";
import type { Sight, Witness } from "../shadow/observed.ts";
import { COUNT_US, type ServiceSubject, servicesOf } from "../shadow/subjects.ts";
import type { HeardAdvert } from "../vrrp/senders.ts";
import type { EffectiveConfig, EffectiveConfigs } from "./effective-config.ts";
import type { Handover } from "./handover.ts";
import { Outbox } from "./outbox.ts";
import type { ProcessNews } from "./process-watch.ts";
import { processIds, readStat, ticksToUs } from "./processes.ts";
import type { Source, SourceContext } from "./source.ts";

/** How often deadlines and differences are looked at, milliseconds: whatever is heard brings deadlines as well. */
const TICK_MS = 250;
/** What a source tells may be this old, microseconds: more, and its clock is another one. */
const LATE_MAX_US = 5_000_000;
/** Most events in so long, microseconds, beyond those of a divergence: an instance that flaps at ten milliseconds tells no more by more. */
const VOLUME_MAX = 1_000;
const VOLUME_US = 10_000_000;
/** A log that is read from far back tells of processes that are gone. Its clock may be a whole second coarse, microseconds. */
const LOG_COARSE_US = 1_500_000;

export interface ShadowOptions {
  readonly clock: Clock;
  readonly configs: EffectiveConfigs;
  readonly processes: Handover<ProcessNews>;
  /** Observations of the sources, before they are durable. */
  readonly logged: Handover<readonly Observation[]>;
  readonly addressed: Handover<readonly Observation[]>;
  readonly captured: Handover<readonly Observation[]>;
  readonly processed: Handover<readonly Observation[]>;
  readonly checked: Handover<readonly Observation[]>;
  /** Every advert as it is read. */
  readonly heard: Handover<HeardAdvert>;
  /** Which sources see now. */
  readonly sight: () => Readonly<Record<keyof Sight, boolean>>;
  /** Has the configuration read at once. */
  readonly refresh?: () => void;
  /** Whether an interface has a carrier and is up. */
  readonly linkIsUp?: (name: string) => boolean;
  readonly every?: (ms: number, tick: () => void) => () => void;
}

/** What keepalived should be doing on this node, and where it does something else. */
export function createShadowSource(options: ShadowOptions): Source {
  return new ShadowSource(options);
}

class ShadowSource implements Source {
  readonly name = "shadow";
  private readonly options: ShadowOptions;
  private readonly clock: Clock;
  private readonly follower = new Follower();
  private readonly leave: (() => void)[] = [];
  private readonly watchers = new Map<string, FSWatcher>();
  private context: SourceContext | undefined;
  private outbox: Outbox | undefined;
  private fault: string | undefined;
  private config: EffectiveConfig | undefined;
  private services: readonly ServiceSubject[] = [];
  private vrrp: { readonly pid: number; readonly startedUs: number } | undefined;
  private checker: { readonly pid: number; readonly startedUs: number } | undefined;
  private countedAt = Number.NEGATIVE_INFINITY;
  private lookedAt: Moment | undefined;
  private readonly counts = new Map<string, number>();
  private readonly links = new Map<string, boolean>();
  private readonly files = new Map<string, number>();
  private reloadedVersion = "";
  private reloadedAt = Number.NEGATIVE_INFINITY;
  private state: SourceStatus["state"] = "stopped";
  private told = 0;
  private volume = { since: 0, count: 0, dropped: 0 };
  private readonly following = new Map<string, string | undefined>();

  constructor(options: ShadowOptions) {
    this.options = options;
    this.clock = options.clock;
  }

  async start(context: SourceContext): Promise<void> {
    this.context = context;
    this.outbox = new Outbox(context, this.name, this.clock);
    this.state = "running";
    const { configs, processes, logged, addressed, captured, processed, checked, heard } = this.options;
    this.look();
    this.leave.push(
      configs.subscribe((config) => this.guard(() => this.configure(config))),
      addressed.subscribe((seen) => this.guard(() => this.hearKernel(seen))),
      processes.subscribe((news) => this.guard(() => this.hearProcesses(news))),
      processed.subscribe((seen) => this.guard(() => this.hearUnit(seen))),
      logged.subscribe((seen) => this.guard(() => this.hearLog(seen))),
      captured.subscribe((seen) => this.guard(() => this.hearGaps(seen))),
      checked.subscribe((seen) => this.guard(() => this.hearChecks(seen))),
      heard.subscribe((advert) => this.hearAdvert(advert)),
      (this.options.every ?? everyInterval)(TICK_MS, () => this.guard(() => this.tick())),
    );
  }

  async stop(): Promise<void> {
    for (const leave of this.leave.splice(0)) leave();
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
    await this.outbox?.drain();
    this.state = "stopped";
  }

  status(): SourceStatus {
    const waiting = [...this.following.values()].filter((reason) => reason !== undefined);
    const total = this.following.size;
    return {
      name: this.name,
      detail: total === 0 ? "no instance is known yet" : `${total - waiting.length} of ${total} instances are followed`,
      state: this.state,
      read: this.told,
      unrecognised: 0,
      ...((this.fault ?? waiting[0]) === undefined ? {} : { reason: this.fault ?? waiting[0] }),
    };
  }

  /** Whatever comes in: what follows from it is told before anything else comes. A fault here keeps nobody else from working. */
  private guard(work: () => void): void {
    try {
      this.follower.setOffset(this.now());
      work();
      this.hand();
    } catch (error) {
      this.failed(error);
    }
  }

  /** The same, by the last tick's look at the clocks: it is what comes most. */
  private hearAdvert(advert: HeardAdvert): void {
    try {
      const now = this.lookedAt ?? this.now();
      this.follower.setOffset(now);
      this.follower.advert(advert, momentAt(advert.ts, now));
      this.hand();
    } catch (error) {
      this.failed(error);
    }
  }

  private failed(error: unknown): void {
    const fault = messageOf(error);
    if (this.fault !== fault) this.context?.log("error", `the shadow could not make sense of something: ${fault}`);
    this.fault = fault;
  }

  /**
   * Time has come to the last look, and not to this one: an advert that was captured before a deadline may still be on its way
   * here. What follows from a deadline is dated by the deadline all the same.
   */
  private tick(): void {
    this.look();
    this.countProcesses();
    this.renewVolume();
    const { lookedAt } = this;
    this.lookedAt = this.now();
    if (lookedAt) this.follower.tick(lookedAt);
  }

  /** Which sources see. */
  private look(): void {
    const sight = this.options.sight();
    for (const source of ["wire", "kernel", "process"] as const) this.follower.sees(source, sight[source], this.now());
  }

  private now(): Moment {
    return { mono: this.clock.mono(), epoch: this.clock.epoch() };
  }

  private momentOf(ts: number): Moment {
    return momentAt(ts, this.now());
  }

  // --- what comes in -------------------------------------------------------------------------------------------------

  private configure(config: EffectiveConfig): void {
    const isFirst = this.config === undefined;
    this.config = config;
    const { running, release, version, chain, path } = config;
    this.services = servicesOf(running, release);
    this.follower.service({ kind: "services", services: this.services }, this.now());
    if (isFirst) for (const nic of interfacesOf(config)) this.tellLink(nic);
    this.follower.configure(
      {
        running,
        release,
        version,
        changedUs: newestChange(chain?.configuration.files ?? [path]),
        keepsVips: chain !== undefined && optionOf(chain.options, "dont-release-vrrp") !== undefined,
      },
      this.now(),
    );
    for (const nic of interfacesOf(config)) if (!this.links.has(nic)) this.tellLink(nic);
    this.watchFiles(running.trackFiles);
    this.countedAt = Number.NEGATIVE_INFINITY;
  }

  private tellLink(nic: string): void {
    const up = (this.options.linkIsUp ?? linkIsUp)(nic);
    this.links.set(nic, up);
    this.follower.input({ kind: "link", interface: nic, up }, this.now());
  }

  private hearProcesses({ known, changes, uptimeUs }: ProcessNews): void {
    this.look();
    const now = this.now();
    if (changes.length === 0) {
      for (const { daemon, pid, state, startedUs } of known) {
        if (daemon === undefined) continue;
        if (daemon === "vrrp" && state !== "zombie" && (this.vrrp?.pid !== pid || this.vrrp.startedUs !== startedUs)) {
          this.vrrp = { pid, startedUs };
          this.follower.foundRunning(pid, startedUs, now);
        }
        if (daemon === "checker" && state !== "zombie") this.checker = { pid, startedUs };
        this.tellProcess(daemon, pid, state, now);
      }
    }
    for (const { process, body } of changes) {
      const { daemon, pid, startedUs, startTicks } = process;
      if (daemon === undefined) continue;
      const state = body.kind === "process.gone" ? "gone" : process.state;
      if (body.kind === "process.started" && daemon === "vrrp") {
        this.options.refresh?.();
        this.vrrp = { pid, startedUs };
        const mono = (now.mono - Math.max(0, uptimeUs - ticksToUs(startTicks))) as MonoUs;
        this.follower.started(pid, startedUs, { mono, epoch: startedUs as EpochUs });
      }
      if (body.kind === "process.started" && daemon === "checker") {
        this.checker = { pid, startedUs };
        this.beginServices(now);
      }
      this.tellProcess(daemon, pid, state, now);
      if (daemon === "checker" && state === "gone") this.follower.service({ kind: "forget-services" }, now);
      if (daemon === "vrrp" && (state === "gone" || state === "zombie")) this.follower.gone(pid, now);
    }
  }

  private tellProcess(
    daemon: NonNullable<ProcessNews["known"][number]["daemon"]>,
    pid: number,
    state: ProcessNews["known"][number]["state"] | "gone",
    moment: Moment,
  ): void {
    const by: Witness = { source: "process", ts: moment.epoch, text: `${daemon} process ${pid}: ${state}` };
    this.follower.process(daemon, pid, state, by, moment);
    if (daemon === "vrrp" && state !== "gone" && state !== "zombie") this.follower.frozen(state !== "running", moment);
  }

  /** A stop that nobody logs, systemd knows of. */
  private hearUnit(observations: readonly Observation[]): void {
    for (const { body } of observations)
      if (
        body.kind === "process.unit" &&
        (body.activeState === "deactivating" || (body.activeState === "inactive" && body.result === "success"))
      )
        this.follower.stopping(this.now());
  }

  private hearKernel(observations: readonly Observation[]): void {
    for (const { body, ts } of observations) {
      const moment = this.momentOf(ts);
      if (body.kind === "kernel.link") {
        this.links.set(body.interface, body.up);
        this.follower.input({ kind: "link", interface: body.interface, up: body.up }, moment);
      } else if (body.kind === "kernel.addresses") this.hearSnapshot(body, moment);
      else if (body.kind === "kernel.address-added" || body.kind === "kernel.address-removed") {
        const present = body.kind === "kernel.address-added";
        const { address, interface: nic } = body;
        this.follower.input({ kind: "address", interface: nic, address, present }, moment);
        const text = `${address} ${present ? "added on" : "removed from"} ${nic}`;
        this.follower.vip(address, present, { source: "kernel", ts: moment.epoch, text }, moment);
      }
    }
  }

  private hearSnapshot({ addresses }: EventBody<"kernel.addresses">, moment: Moment): void {
    const byInterface = new Map<string, string[]>();
    for (const { interface: nic, address } of addresses)
      byInterface.set(nic, [...(byInterface.get(nic) ?? []), address]);
    for (const nic of new Set([...this.links.keys(), ...byInterface.keys()]))
      this.follower.input({ kind: "addresses", interface: nic, addresses: byInterface.get(nic) ?? [] }, moment);
    for (const { address, interface: nic } of addresses)
      this.follower.vip(address, true, { source: "kernel", ts: moment.epoch, text: `${address} is on ${nic}` }, moment);
  }

  /** What keepalived says of its own states is only compared; of its processes, scripts and sessions it is taken at its word. */
  private hearLog(observations: readonly Observation[]): void {
    for (const seen of observations) {
      const { body, raw, at } = seen;
      const { mono } = this.now();
      const moment: Moment = { mono, epoch: seen.ts as EpochUs };
      const by: Witness = {
        source: "log",
        ts: moment.epoch,
        text: raw ?? body.kind,
        ...(at === undefined ? {} : { at }),
      };
      if (!this.isOfLiving(seen)) continue;
      switch (body.kind) {
        case "vrrp.state":
          this.follower.logged({ kind: "logged", instance: body.instance, state: body.state, by }, moment);
          break;
        case "vrrp.advert-timeout":
          this.follower.logged({ kind: "timeout", instance: body.instance, by }, moment);
          break;
        case "vrrp.advert-rejected":
          this.follower.logged({ kind: "rejection", instance: body.instance, reason: body.reason, by }, moment);
          break;
        case "daemon.stopping":
          this.follower.stopping(moment);
          break;
        case "daemon.reloading":
          this.reload(moment);
          break;
        case "script.result":
          this.countScript(body, moment);
          break;
        case "bfd.state":
          this.follower.input({ kind: "bfd", name: body.bfd, up: body.state === "Up" }, moment);
          break;
        case "check.server-up":
        case "check.server-down":
          this.hearService(body, "log", by, moment);
          break;
        default:
      }
    }
  }

  /** A log that is read from far back tells of daemons that are gone. */
  private isOfLiving({ pid, ts, body }: Observation): boolean {
    const ofChecker = body.kind.startsWith("check.");
    const ofVrrp = body.kind.startsWith("vrrp.") || body.kind === "script.result";
    // A director may have checkers alone.
    const living = ofChecker ? (this.checker ?? this.vrrp) : this.vrrp;
    if (!living || ts + LOG_COARSE_US < living.startedUs) return false;
    return !(ofVrrp || (ofChecker && this.checker)) || pid === undefined || pid === living.pid;
  }

  /** Parent and children each say so: once is enough. */
  private reload(moment: Moment): void {
    this.options.refresh?.();
    const version = this.config?.version ?? "";
    if (version === this.reloadedVersion && moment.mono - this.reloadedAt < LATE_MAX_US) return;
    this.reloadedVersion = version;
    this.reloadedAt = moment.mono;
    this.follower.reloaded(moment);
  }

  /** The line comes when the verdict changes: rise or fall runs have ended so. */
  private countScript({ script: name, outcome, run: isOne }: EventBody<"script.result">, moment: Moment): void {
    if (isOne === true) return;
    const script = this.config?.running.scripts.find((one) => one.name === name);
    if (!script) return;
    const runs = outcome === "success" ? script.rise : script.fall;
    for (let run = 0; run < runs; run += 1) this.follower.input({ kind: "script", name, outcome }, moment);
  }

  /** Packets that were lost may have been adverts: what the shadow believes may be wrong. */
  private hearGaps(observations: readonly Observation[]): void {
    for (const { body } of observations)
      if (body.kind === "collector.gap") this.follower.sees("wire", this.options.sight().wire, this.now(), true);
  }

  // --- services --------------------------------------------------------------------------------------------------------

  private hearChecks(observations: readonly Observation[]): void {
    for (const { body, ts } of observations) {
      const moment = this.momentOf(ts);
      const by = (text: string): Witness => ({ source: "check", ts: moment.epoch, text });
      if (body.kind === "check.server-up" || body.kind === "check.server-down") {
        const word = body.kind === "check.server-up" ? "answers its checks" : "fails its checks";
        this.hearService(body, "check", by(`${body.realServer} ${word}`), moment);
      } else if (body.kind === "check.result" && body.outcome === "success") {
        // With one checker its success is the server's; with more, the events of the server say so.
        for (const { realServer, virtualServer, checkers } of this.services)
          if (checkers === 1 && realServer === body.service && (body.virtualServer ?? virtualServer) === virtualServer)
            this.tellService(
              { realServer, virtualServer, up: true },
              "check",
              by(`${realServer} answers its check`),
              moment,
            );
      }
    }
  }

  private hearService(
    { kind, virtualServer, realServer }: EventBody<"check.server-up" | "check.server-down">,
    side: "check" | "log",
    witness: Witness,
    moment: Moment,
  ): void {
    this.tellService({ virtualServer, realServer, up: kind === "check.server-up" }, side, witness, moment);
  }

  private tellService(
    service: { readonly virtualServer: string; readonly realServer: string; readonly up: boolean },
    side: "check" | "log",
    witness: Witness,
    moment: Moment,
  ): void {
    const subject = this.services.find(
      (one) => one.virtualServer === service.virtualServer && one.realServer === service.realServer,
    );
    // One the configuration does not have (any more) is nobody's to compare.
    if (!subject) return;
    this.follower.service({ kind: "service", ...service, by: side, toleranceUs: subject.toleranceUs, witness }, moment);
  }

  /** Until a check fails, or with alpha until one succeeds, a server counts as what it began as. */
  private beginServices(moment: Moment): void {
    const text = "the checker process begins, and has found nothing wrong yet";
    for (const { virtualServer, realServer, beginsDown } of this.services)
      this.tellService(
        { virtualServer, realServer, up: !beginsDown },
        "log",
        { source: "process", ts: moment.epoch, text },
        moment,
      );
  }

  // --- what is tracked -------------------------------------------------------------------------------------------------

  private watchFiles(files: readonly TrackFile[]): void {
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
    this.files.clear();
    for (const file of files) {
      this.readFile(file);
      if (file.path === undefined) continue;
      try {
        // The folder: a file is mostly replaced, not rewritten.
        const name = basename(file.path);
        const watcher = watch(dirname(file.path), (_, changed) => {
          if (changed === null || changed === name) this.guard(() => this.readFile(file));
        });
        watcher.on("error", () => watcher.close());
        this.watchers.set(file.name, watcher);
      } catch {
        // There is no such folder yet: it is looked at with the processes.
      }
    }
  }

  private readFile({ name, path }: TrackFile): void {
    const value = path === undefined ? 0 : readTrackFile(path);
    if (this.files.get(name) === value) return;
    this.files.set(name, value);
    this.follower.input({ kind: "file", name, value }, this.now());
  }

  private countProcesses(): void {
    const running = this.config?.running;
    const now = this.now();
    if (!running || now.mono - this.countedAt < COUNT_US) return;
    this.countedAt = now.mono;
    for (const file of running.trackFiles) this.readFile(file);
    if (running.trackProcesses.length === 0) return;
    const names = new Map<string, number>();
    for (const pid of processIds()) {
      const stat = readStat(pid);
      if (stat && stat.letter !== "Z") names.set(stat.name, (names.get(stat.name) ?? 0) + 1);
    }
    for (const tracked of running.trackProcesses) {
      const count = names.get(commOf(tracked)) ?? 0;
      if (this.counts.get(tracked.name) === count) continue;
      this.counts.set(tracked.name, count);
      this.follower.input({ kind: "process", name: tracked.name, count }, now);
    }
  }

  // --- what goes out -----------------------------------------------------------------------------------------------------

  private hand(): void {
    const said = this.follower.take();
    if (said.length === 0) return;
    const { mono, epoch } = this.now();
    const observations = said.flatMap(({ at, body }): Observation[] => {
      if (body.kind === "shadow.following")
        this.following.set(body.instance ?? "", body.following ? undefined : (body.reason ?? "it is not known"));
      if (!this.fits(body)) return [];
      this.told += 1;
      const ts = Math.round(epoch - Math.max(0, mono - at));
      return [{ source: "shadow", ts, tsUncertaintyUs: 0, idParts: ["shadow", ts, this.told, ...placeOf(body)], body }];
    });
    this.outbox?.add(observations);
  }

  /** The bound on the volume; what a divergence is made of is not held back. */
  private fits(body: EventBody): boolean {
    if (body.kind === "shadow.divergence" || body.kind === "shadow.following") return true;
    this.volume.count += 1;
    if (this.volume.count <= VOLUME_MAX) return true;
    this.volume.dropped += 1;
    return false;
  }

  private renewVolume(): void {
    const now = this.clock.mono();
    if (now - this.volume.since <= VOLUME_US) return;
    const { dropped } = this.volume;
    this.volume = { since: now, count: 0, dropped: 0 };
    if (dropped === 0) return;
    const ts = this.clock.epoch();
    const reason = `more than ${VOLUME_MAX} predictions in ${VOLUME_US / 1_000 / US_PER_MS} s: the rest are not told`;
    const body = { kind: "collector.gap", sourceName: this.name, reason, to: ts, lost: dropped } as const;
    this.outbox?.add([{ source: "collector", ts, tsUncertaintyUs: 0, idParts: ["shadow gap", ts], body }]);
  }
}

/** When something happened that a source dates by the wall clock. */
function momentAt(ts: number, { mono, epoch }: Moment): Moment {
  const age = Math.min(Math.max(0, epoch - ts), LATE_MAX_US);
  return { mono: (mono - age) as MonoUs, epoch: ts as EpochUs };
}

const placeOf = (body: EventBody): string[] => [body.kind, "instance" in body ? (body.instance ?? "") : ""];

/** The kernel keeps fifteen characters of a process's name. */
const commOf = ({ process, name }: TrackProcess): string =>
  basename((process ?? name).split(" ")[0] ?? "").slice(0, 15);

function interfacesOf({ running }: EffectiveConfig): Set<string> {
  const tracked = [...running.instances, ...running.syncGroups].flatMap(({ trackers }) =>
    trackers.flatMap((tracker) => (tracker.kind === "interface" ? [tracker.name] : [])),
  );
  const own = running.instances.flatMap(({ interface: nic }) => (nic === undefined ? [] : [nic]));
  return new Set([...own, ...tracked]);
}

/** IFF_UP and a carrier. The link source tells of changes only. */
function linkIsUp(name: string): boolean {
  const read = (what: string): string => readSmall(`/sys/class/net/${name}/${what}`);
  return (Number(read("flags")) & 0x1) !== 0 && read("carrier") === "1";
}

function readSmall(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}

/** @returns undefined when one of them cannot be looked at */
function newestChange(paths: readonly string[]): number | undefined {
  const times = paths.map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs);
  return times.some((time) => time === undefined)
    ? undefined
    : Math.max(...times.map((time) => (time ?? 0) * US_PER_MS));
}

function everyInterval(ms: number, tick: () => void): () => void {
  const timer = setInterval(tick, ms);
  return () => clearInterval(timer);
}
