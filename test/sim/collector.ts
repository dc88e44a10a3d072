import { type EpochUs, formatEpochUs, US_PER_MS, US_PER_SECOND } from "../../collector/core/time.ts";
import { type ClockNote, ClockWatch, type Exchange, type Reading } from "../../collector/core/clock-watch.ts";
import { observeConfig } from "../../collector/conf/load.ts";
import type { EventBody, SourceStatus } from "../../collector/events/event.ts";
import type { Event } from "../../collector/events/event.ts";
import { type Observation, toEvent } from "../../collector/events/observation.ts";
import { createLogReader, type LogReader } from "../../collector/logs/reader.ts";
import { type CaptureReader, createCaptureReader } from "../../collector/pcap/observations.ts";
import { parseMonitorLine } from "../../collector/sources/addresses.ts";
import type { Agenda } from "./agenda.ts";
import type { NodeClock } from "./clock.ts";
import { type AdvertFrame, pcapHeader, pcapRecord } from "./frames.ts";
import type { NodeSpec, SourceName } from "./model.ts";

/** Batches go out this often. */
export const FLUSH_US = 200 * US_PER_MS;
/** The capture looks for silence this often, and for a clock that was set. */
const TICK_US = 100 * US_PER_MS;
const CLOCK_STEP_US = US_PER_SECOND;
export const HEARTBEAT_US = 2 * US_PER_SECOND;
/** Processes are looked at this often. */
const LOOK_US = 250 * US_PER_MS;
export const CLUSTER = "sim";
export const CONF_PATH = "/etc/keepalived/keepalived.conf";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** What the collector of a node can see of its host. */
export interface HostView {
  addresses(): readonly { readonly interface: string; readonly address: string }[];
  processes(): readonly ProcessView[];
  configText(): string;
}

export interface ProcessView {
  readonly pid: number;
  readonly parentPid: number;
  readonly daemon: "parent" | "vrrp";
  readonly state: "running" | "frozen";
  readonly startedTs: number;
}

/** A batch's way to the server and the answer's way back. */
export interface Trip {
  /** By the server's clock, epoch microseconds. */
  readonly server: Pick<Exchange, "receivedTs" | "answeredTs">;
  /** Microseconds since the simulation began. */
  readonly gotAt: number;
}

interface Running {
  readonly capture: CaptureReader;
  clockErrorUs: number;
  readUpTo: number;
  readonly processes: Map<number, ProcessView>;
  lookedAt: number;
  readonly clockWatch: ClockWatch;
}

/** One node's collector: reads what its host logs, captures, and does, with the real readers, and hands over events. */
export class Collector {
  private readonly spec: NodeSpec;
  private readonly agenda: Agenda;
  private readonly clock: NodeClock;
  private readonly host: HostView;
  private readonly interfaces: readonly string[];
  private readonly ship: (events: readonly Event[]) => Trip | undefined;
  private readonly log: LogReader;
  private readonly lines: { readonly text: string; readonly offset: number }[] = [];
  private logBytes = 0;
  private logLines = 0;
  private running: Running | undefined;
  private outbox: Event[] = [];
  private online = true;
  private powered = true;
  private said = 0;
  private packets = 0;
  /** On the disk, next to the events. */
  private clockMemory: string | undefined;
  private boots = 0;

  constructor(options: {
    readonly spec: NodeSpec;
    readonly agenda: Agenda;
    readonly clock: NodeClock;
    readonly host: HostView;
    readonly interfaces: readonly string[];
    /** Sends a batch to the server. */
    readonly ship: (events: readonly Event[]) => Trip | undefined;
  }) {
    const { spec, agenda, clock, host, interfaces, ship } = options;
    this.spec = spec;
    this.agenda = agenda;
    this.clock = clock;
    this.host = host;
    this.interfaces = interfaces;
    this.ship = ship;
    this.log = createLogReader({ path: "/var/log/messages", fingerprint: `log of ${spec.name}`, zone: "UTC" });
    this.repeat(FLUSH_US, () => this.flush());
  }

  // --- its life ------------------------------------------------------------------------------------------------------------

  start(): void {
    if (this.running) return;
    const now = this.epoch();
    const capture = createCaptureReader({ interfaceName: (index) => this.interfaces[index - 1] });
    capture.push(pcapHeader());
    const own = { capture, clockErrorUs: this.clock.errorUs(this.agenda.now), readUpTo: now, lookedAt: now };
    const clockWatch = new ClockWatch();
    clockWatch.resume(this.clockMemory, this.reading(), this.boot());
    const running: Running = { ...own, processes: new Map(), clockWatch };
    this.running = running;
    this.readClock();
    if (this.reads("config")) this.readConfig();
    if (this.reads("kernel")) this.emit([this.snapshot()]);
    if (this.reads("process")) this.emit([this.processSnapshot(running)]);
    this.readLog();
    this.say({ kind: "collector.started", version: "0.0.0", sources: this.statuses(), heartbeatUs: HEARTBEAT_US });
    const whileRunning = (work: () => void) => (): boolean => {
      if (this.running !== running) return false;
      work();
      return true;
    };
    if (this.reads("wire"))
      this.repeat(
        TICK_US,
        whileRunning(() => this.tick(running)),
      );
    if (this.reads("process"))
      this.repeat(
        LOOK_US,
        whileRunning(() => this.look(running)),
      );
    this.repeat(
      HEARTBEAT_US,
      whileRunning(() => this.beat(running)),
    );
  }

  /** In order: the last thing it says is that it goes. */
  stop(): void {
    if (!this.running) return;
    if (this.reads("wire")) this.emit(this.running.capture.end().observations);
    this.say({ kind: "collector.stopped" });
    this.running = undefined;
  }

  /** Without a word. What is in the spool stays there. */
  die(): void {
    this.running = undefined;
  }

  setOnline(online: boolean): void {
    this.online = online;
  }

  setPowered(powered: boolean): void {
    if (powered && !this.powered) this.boots += 1;
    this.powered = powered;
  }

  private boot(): string {
    return `boot ${this.boots}`;
  }

  private keepClock(): void {
    this.clockMemory = this.running?.clockWatch.memory(this.reading(), this.boot());
  }

  private repeat(everyUs: number, work: () => boolean | void): void {
    this.agenda.add(this.agenda.now + everyUs, () => {
      if (work() !== false) this.repeat(everyUs, work);
    });
  }

  // --- what it reads -------------------------------------------------------------------------------------------------------

  /** A line that keepalived writes to syslog. */
  logged(tag: string, pid: number, message: string): void {
    const text = `${this.stamp()} ${this.spec.name} ${tag}[${pid}]: ${message}`;
    this.lines.push({ text, offset: this.logBytes });
    this.logBytes += text.length + 1;
    if (this.running) this.readLog();
  }

  captured(frame: AdvertFrame, outgoing: boolean): void {
    if (!this.running || !this.reads("wire")) return;
    this.packets += 1;
    this.emit(this.running.capture.push(pcapRecord(frame, this.epoch(), outgoing, this.packets)));
  }

  addressChanged(nic: string, address: string, present: boolean): void {
    if (!this.running || !this.reads("kernel")) return;
    this.kernelSaid(
      `${present ? "" : "Deleted "}2: ${nic}    inet ${address}/24 scope global ${nic}\\       valid_lft forever preferred_lft forever`,
    );
  }

  linkChanged(nic: string, up: boolean): void {
    if (!this.running || !this.reads("kernel")) return;
    this.kernelSaid(
      `2: ${nic}: <${up ? "" : "NO-CARRIER,"}BROADCAST,MULTICAST,UP${up ? ",LOWER_UP" : ""}> mtu 1500 qdisc noqueue state ${up ? "UP" : "DOWN"}`,
    );
  }

  /** The file on the disk is another one. */
  configChanged(): void {
    if (this.running && this.reads("config")) this.readConfig();
  }

  private readLog(): void {
    if (!this.reads("log")) return;
    for (const { text, offset } of this.lines.splice(0)) {
      this.logLines += 1;
      const seen = this.log.read(text, { offset, lineNumber: this.logLines }, this.epoch());
      if (!seen || seen.body.kind === "log.unrecognised") throw new Error(`the log reader cannot read: ${text}`);
      this.emit([seen]);
    }
  }

  private stamp(): string {
    const iso = formatEpochUs(this.epoch());
    if (this.spec.log === "exact") return iso.replace("Z", "+00:00");
    const at = new Date(`${iso.slice(0, 19)}Z`);
    return `${MONTHS[at.getUTCMonth()]} ${String(at.getUTCDate()).padStart(2)} ${iso.slice(11, 19)}`;
  }

  private kernelSaid(line: string): void {
    const change = parseMonitorLine(`[${formatEpochUs(this.epoch()).slice(0, -1)}] ${line}`);
    if (change === undefined || change === "unrecognised") throw new Error(`the address watch cannot read: ${line}`);
    const { ts, body } = change;
    const place = body.kind === "kernel.link" ? [String(body.up)] : [body.address, body.prefixLength];
    this.emit([
      { source: "kernel", ts, tsUncertaintyUs: 0, idParts: ["kernel", ts, body.kind, body.interface, ...place], body },
    ]);
  }

  private snapshot(): Observation {
    const ts = this.epoch();
    const addresses = this.host.addresses().map((at) => ({ ...at, prefixLength: 24 }));
    return {
      source: "kernel",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["kernel", ts, "kernel.addresses"],
      body: { kind: "kernel.addresses", addresses },
    };
  }

  private readConfig(): void {
    const text = this.host.configText();
    const files = {
      read: (path: string) => (path === CONF_PATH ? text : { unreadable: "no such file" }),
      glob: () => [],
    };
    this.emit(
      observeConfig(CONF_PATH, files, { configId: this.spec.name, release: [2, 2, 7] }, this.epoch()).observations,
    );
  }

  private tick(running: Running): void {
    const errorUs = this.clock.errorUs(this.agenda.now);
    const step = errorUs - running.clockErrorUs;
    running.clockErrorUs = errorUs;
    const now = this.reading().epoch;
    if (Math.abs(step) > CLOCK_STEP_US) {
      const reason = `the clock moved by ${(step / 1e6).toFixed(1)} s at once: it was set, or the machine slept`;
      const body = {
        kind: "collector.gap",
        sourceName: "capture",
        reason,
        from: Math.min(now, now - step),
        to: now,
      } as const;
      this.emit([
        ...running.capture.interrupt(),
        { source: "collector", ts: now, tsUncertaintyUs: 0, idParts: ["capture gap", now, reason], body },
      ]);
    } else this.emit(running.capture.tick(running.readUpTo));
    running.readUpTo = now;
  }

  /** Compares the processes with those of the last look. */
  private look(running: Running): void {
    const { processes } = running;
    const now = this.epoch();
    const sinceUs = Math.min(running.lookedAt, now);
    const living = new Map(this.host.processes().map((process) => [process.pid, process] as const));
    const tell = (process: ProcessView, body: EventBody, ts: number, tsUncertaintyUs: number): void =>
      this.emit([
        {
          source: "process",
          ts,
          tsUncertaintyUs,
          idParts: ["process", process.pid, process.startedTs, body.kind, ts],
          pid: process.pid,
          body,
        },
      ]);
    for (const process of living.values()) {
      const before = processes.get(process.pid);
      const role = { daemon: process.daemon, parentPid: process.parentPid };
      if (!before) tell(process, { kind: "process.started", ...role }, process.startedTs, 10_000);
      else if (before.state !== process.state)
        tell(
          process,
          { kind: "process.state", ...role, state: process.state, previousState: before.state },
          sinceUs,
          now - sinceUs,
        );
    }
    for (const process of processes.values())
      if (!living.has(process.pid))
        tell(
          process,
          { kind: "process.gone", daemon: process.daemon, parentPid: process.parentPid },
          sinceUs,
          now - sinceUs,
        );
    processes.clear();
    for (const [pid, process] of living) processes.set(pid, process);
    running.lookedAt = now;
  }

  private processSnapshot(running: Running): Observation {
    const ts = this.epoch();
    const living = this.host.processes();
    for (const process of living) running.processes.set(process.pid, process);
    const processes = living.map(({ pid, daemon, parentPid, state, startedTs }) => ({
      pid,
      daemon,
      parentPid,
      state,
      startedTs,
    }));
    return {
      source: "process",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["process snapshot", ts],
      body: { kind: "process.snapshot", processes },
    };
  }

  // --- what it hands over --------------------------------------------------------------------------------------------------

  private say(body: EventBody): void {
    this.said += 1;
    const ts = this.reading().epoch;
    this.emit([{ source: "collector", ts, tsUncertaintyUs: 0, idParts: [this.said], body }]);
  }

  private emit(observations: readonly Observation[]): void {
    if (observations.length === 0) return;
    const observedTs = this.readClock();
    for (const seen of observations) this.take(seen, observedTs);
  }

  private take(seen: Observation, observedTs: EpochUs): void {
    const event = toEvent(seen, { cluster: CLUSTER, node: this.spec.name }, observedTs);
    const isSecond = this.running?.clockWatch.isSecondPass(event.ts, event.tsUncertaintyUs, observedTs);
    this.outbox.push(isSecond === true ? { ...event, secondPass: true } : event);
  }

  /** Whatever comes in: a clock that was set is noticed before anything is dated by it. */
  private readClock(): EpochUs {
    const now = this.reading();
    const step = this.running?.clockWatch.read(now);
    if (step) this.sayClock(step, now.epoch);
    return now.epoch;
  }

  private sayClock(note: ClockNote, ts: EpochUs): void {
    this.said += 1;
    const body = { kind: "collector.clock", ...note } as const;
    this.take({ source: "collector", ts, tsUncertaintyUs: 0, idParts: [this.said], body }, ts);
    this.keepClock();
  }

  private beat({ clockWatch }: Running): void {
    this.readClock();
    const now = this.reading();
    const news = clockWatch.news(now);
    if (news) this.sayClock(news, now.epoch);
    else this.keepClock();
    this.say({ kind: "collector.heartbeat", sources: this.statuses() });
  }

  private flush(): void {
    if (!this.online || !this.powered || this.outbox.length === 0) return;
    const batch = this.outbox;
    this.outbox = [];
    const sentMono = this.reading().mono;
    const trip = this.ship(batch);
    const { running } = this;
    if (!trip) return;
    this.agenda.add(trip.gotAt, () => {
      // The clock that never steps is the collector's own: another run of it has another one.
      if (this.running !== running) return;
      running?.clockWatch.exchanged({ sentMono, ...trip.server, gotMono: this.reading().mono });
    });
  }

  private statuses(): SourceStatus[] {
    return this.spec.sources.map((name) => ({ name, detail: name, state: "running", read: 0, unrecognised: 0 }));
  }

  private reads(source: SourceName): boolean {
    return this.spec.sources.includes(source);
  }

  /** As the collector reads its machine's clocks: to the millisecond. */
  private reading(): Reading {
    const { now } = this.agenda;
    return {
      mono: this.clock.mono(now),
      epoch: (Math.floor(this.clock.epoch(now) / US_PER_MS) * US_PER_MS) as EpochUs,
    };
  }

  private epoch(): EpochUs {
    return this.clock.epoch(this.agenda.now);
  }
}
