import { readdirSync, readFileSync } from "node:fs";
import type { Running } from "../conf/model/types.ts";
import { messageOf } from "../core/errors.ts";
import { type Clock, US_PER_MS, US_PER_SECOND } from "../core/time.ts";
import type { EventBody, SourceStatus } from "../events/event.ts";
import type { Observation } from "../events/observation.ts";
import { type CaptureReader, createCaptureReader } from "../pcap/observations.ts";
import { type ChildEnd, type ChildHandle, type StartChild, startChild } from "./child.ts";
import type { HeardAdvert } from "../vrrp/senders.ts";
import type { EffectiveConfigs } from "./effective-config.ts";
import type { Source, SourceContext } from "./source.ts";
import { wait as waitFor } from "./wait.ts";

/**
 * What the kernel hands over. VRRP over IPv4 and IPv6, and in an IPv4 authentication header, whose first byte says what it
 * carries: without that, a host with IPsec would have all of its traffic captured. Of ARP only what is gratuitous, sender
 * and target being one address; of ICMPv6 only neighbour advertisements without the solicited flag.
 */
export const CAPTURE_FILTER = [
  "ip proto 112 or ip6 proto 112",
  "(ip proto 51 and ip[(ip[0] & 0xf) << 2] = 112)",
  "(arp and arp[14:4] = arp[24:4] and arp[14:4] != 0)",
  "(icmp6 and ip6[40] = 136 and ip6[44] & 0x40 = 0)",
].join(" or ");
/** Bytes kept of a packet. keepalived's adverts fit into the usual MTU; of longer ones the last addresses are missing. */
const SNAP_BYTES = 1_600;

/** Most observations handed over at once. */
const BATCH_MAX = 500;
/** How long an advert waits for others before it is handed over, milliseconds. An edge does not wait. */
const BATCH_WAIT_MS = 1_000;
/** tcpdump is read as soon as it writes, but when there were this many packets in a second: then a look a while is enough. */
const BUSY_PACKETS = 100;
/** A while, milliseconds: less than the shadow lets pass between two looks. To be woken costs more than to read a packet. */
const BUSY_WAIT_MS = 200;
/** Most adverts, and most edges, that wait to be handed over. Beyond, the oldest are dropped and counted. */
const WAITING_MAX = 20_000;
/** How long after somebody may have fallen silent it is looked for, and how often at least, milliseconds. */
const TICK_MS = 100;
const TICK_MAX_MS = 500;
/** How often tcpdump is asked for what the kernel dropped, milliseconds. */
const STATS_MS = 10_000;
/** How often it is looked whether there was more than is followed, milliseconds. */
const COUNTS_MS = 1_000;
/** A wall clock that moves this much against the one that never steps was set, or the machine slept. Microseconds. */
const CLOCK_STEP_US = 1_000_000;
/** A tcpdump that says nothing for so long does not hold up the start of the collector. */
const START_DEADLINE_MS = 5_000;
/** How long tcpdump has for its end before it is killed, milliseconds. */
const STOP_DEADLINE_MS = 2_000;
const RESTART_FIRST_MS = 1_000;
const RESTART_MAX_MS = 60_000;

export interface CaptureOptions {
  readonly clock: Clock;
  readonly start?: StartChild;
  /** Resolves after so many milliseconds, or at once when the signal is raised. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Name of an interface of this host by its index. */
  readonly interfaceName?: (index: number) => string | undefined;
  /** Most adverts, and most edges, that wait to be handed over. */
  readonly waitingMax?: number;
  /** Hears every advert as it is read, before it waits for others or a disk. */
  readonly heard?: (heard: HeardAdvert) => void;
  /** Key for fingerprints of passwords, for who hears the adverts: no observation has one. */
  readonly fingerprintKey?: string;
  /** Tells which addresses are virtual beside those in adverts: whose gratuitous ARP matters though nobody sends an advert. */
  readonly configs?: Pick<EffectiveConfigs, "subscribe">;
}

/** Adverts on every interface, through tcpdump: kernel timestamps, a kernel filter, and nothing but CAP_NET_RAW. */
export function createCaptureSource(options: CaptureOptions): Source {
  return new CaptureSource(options);
}

class CaptureSource implements Source {
  readonly name = "capture";
  private readonly clock: Clock;
  private readonly startChild: StartChild;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly names: InterfaceNames;
  private readonly nameOf: (index: number) => string | undefined;
  private readonly tap: Pick<CaptureOptions, "heard" | "fingerprintKey">;
  private readonly waiting: Backlog;
  private readonly configs: CaptureOptions["configs"];
  private readonly stopping = new AbortController();
  private child: ChildHandle | undefined;
  private state: SourceStatus["state"] = "stopped";
  private reason: string | undefined = "it has not started yet";
  /** Since when nothing is captured, epoch microseconds. */
  private blindSince: number | undefined;
  private readonly counts = { read: 0, unrecognised: 0 };
  private running: Promise<void> = Promise.resolve();

  constructor({ clock, start, wait, interfaceName, waitingMax, configs, ...tap }: CaptureOptions) {
    this.clock = clock;
    this.tap = tap;
    this.configs = configs;
    this.startChild = start ?? startChild;
    this.wait = wait ?? waitFor;
    this.names = new InterfaceNames(clock);
    this.nameOf = interfaceName ?? ((index) => this.names.nameOf(index));
    this.waiting = new Backlog(waitingMax ?? WAITING_MAX, this.wait, (lost) => this.gap(lost));
  }

  async start(context: SourceContext): Promise<void> {
    // Until tcpdump listens or has failed once: what it cannot do is known when the collector says what it reads.
    const settled = new AbortController();
    const handing = this.waiting.run(context);
    this.running = this.supervise(context, () => settled.signal.aborted || settled.abort()).then(() => {
      this.waiting.close();
      return handing;
    });
    await this.wait(START_DEADLINE_MS, settled.signal);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const ended = new AbortController();
    const gone = this.child?.ended.finally(() => ended.abort());
    this.child?.kill("SIGTERM");
    if (gone) {
      await this.wait(STOP_DEADLINE_MS, ended.signal);
      if (!ended.signal.aborted) this.child?.kill("SIGKILL");
    }
    await this.running;
    this.state = "stopped";
    this.reason = "it was stopped";
  }

  status(): SourceStatus {
    return {
      name: this.name,
      detail: "VRRP adverts, and gratuitous ARP of virtual addresses, on all interfaces",
      state: this.state,
      ...this.counts,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
    };
  }

  private async supervise(context: SourceContext, settled: () => unknown): Promise<void> {
    let pause = RESTART_FIRST_MS;
    while (!this.stopping.signal.aborted) {
      const startedAt = this.clock.mono();
      const end = await this.capture(context, settled);
      if (this.stopping.signal.aborted) break;
      const why = explain(end);
      if (this.reason !== why) context.log("warn", `adverts are not captured: ${why}`);
      if (this.state === "running") {
        this.blindSince = this.clock.epoch();
        this.waiting.add([this.gap({ reason: `the capture ended: ${why}`, from: this.blindSince })]);
      }
      this.state = "unavailable";
      this.reason = why;
      settled();
      if (this.clock.mono() - startedAt > RESTART_MAX_MS * 1_000) pause = RESTART_FIRST_MS;
      await this.wait(pause, this.stopping.signal);
      pause = Math.min(pause * 2, RESTART_MAX_MS);
    }
    settled();
  }

  /** Runs one tcpdump to its end. */
  private async capture(context: SourceContext, settled: () => unknown): Promise<ChildEnd> {
    const reader = createCaptureReader({ interfaceName: this.nameOf, ...this.tap });
    const forget = this.configs?.subscribe(({ running }) => reader.know(virtualAddresses(running)));
    const drops = new DropWatch(this.clock.epoch(), (lost, from, to) =>
      this.waiting.add([this.gap({ reason: "the kernel dropped packets before tcpdump read them", lost, from, to })]),
    );
    const child = this.startChild("tcpdump", [...TCPDUMP_ARGUMENTS, CAPTURE_FILTER], {}, (text) =>
      drops.hear(text, this.clock.epoch()),
    );
    this.child = child;
    const ended = new AbortController();
    const watching = this.watch(context, { reader, child, ended: ended.signal });
    const pace = new Pace(this.clock);
    try {
      for await (const chunk of child.stdout) {
        // The file header comes first, and means that tcpdump listens.
        this.listening();
        settled();
        this.waiting.add(this.count(reader.push(chunk as Buffer)));
        if (pace.isBusy(reader.counts().packets)) await this.wait(BUSY_WAIT_MS, this.stopping.signal);
      }
    } finally {
      ended.abort();
      forget?.();
      await watching;
      this.waiting.add(reader.end().observations);
    }
    return child.ended;
  }

  /** What time brings: silence, a clock that was set, and the kernel's count of what it dropped. */
  private async watch(
    context: SourceContext,
    capture: { reader: CaptureReader; child: ChildHandle; ended: AbortSignal },
  ): Promise<void> {
    const { reader, child, ended } = capture;
    let countsAt = 0;
    let refused = 0;
    let announcements = { refused: 0, at: this.clock.epoch() };
    let offset = this.clock.epoch() - this.clock.mono();
    let statsAt = this.clock.mono() + STATS_MS * 1_000;
    let readUpTo = this.clock.epoch();
    while (!ended.aborted) {
      const untilDueMs = (reader.dueAt() - this.clock.epoch()) / US_PER_MS;
      await this.wait(Math.min(Math.max(untilDueMs, TICK_MS), TICK_MAX_MS), ended);
      if (ended.aborted) return;
      const now = this.clock.epoch();
      const mono = this.clock.mono();
      this.names.grow(mono);
      const step = now - mono - offset;
      offset = now - mono;
      if (Math.abs(step) > CLOCK_STEP_US) {
        const reason = `the clock moved by ${(step / 1e6).toFixed(1)} s at once: it was set, or the machine slept`;
        this.waiting.add([
          ...reader.interrupt(),
          this.gap({ reason, from: Math.max(0, Math.min(now, now - step)), to: now }),
        ]);
      } else if (this.state === "running") {
        // What was captured up to the last look has been read since: this process may itself have been asleep until now.
        this.waiting.add(reader.tick(readUpTo));
      }
      readUpTo = now;
      if (this.state === "running" && mono >= statsAt) {
        statsAt = mono + STATS_MS * 1_000;
        child.kill("SIGUSR1");
      }
      if (mono < countsAt) continue;
      countsAt = mono + COUNTS_MS * 1_000;
      const { sendersRefused, announcementsRefused } = reader.counts();
      if (refused === 0 && sendersRefused > 0)
        context.log(
          "warn",
          "more senders of adverts than can be followed: of the newest only the adverts are recorded",
        );
      refused = sendersRefused;
      if (now - announcements.at < STATS_MS * 1_000) continue;
      const lost = announcementsRefused - announcements.refused;
      if (lost > 0)
        this.waiting.add([this.gap({ reason: TOO_MANY_ANNOUNCEMENTS, lost, from: announcements.at, to: now })]);
      announcements = { refused: announcementsRefused, at: now };
    }
  }

  private listening(): void {
    if (this.state === "running") return;
    this.state = "running";
    this.reason = undefined;
    if (this.blindSince === undefined) return;
    this.waiting.add([
      this.gap({ reason: "adverts were not captured", from: this.blindSince, to: this.clock.epoch() }),
    ]);
    this.blindSince = undefined;
  }

  private count(observations: Observation[]): Observation[] {
    for (const { body } of observations) {
      if (body.kind === "wire.advert") this.counts.read += 1;
      if (body.kind === "wire.malformed") this.counts.unrecognised += 1;
    }
    return observations;
  }

  private gap(fields: Omit<EventBody<"collector.gap">, "kind" | "sourceName">): Observation {
    const ts = this.clock.epoch();
    const reason = fields.reason.slice(0, 1_024);
    return {
      source: "collector",
      ts,
      tsUncertaintyUs: 0,
      idParts: ["capture gap", ts, reason],
      body: { kind: "collector.gap", sourceName: this.name, ...fields, reason },
    };
  }
}

/** Whether many packets come: more than BUSY_PACKETS in the second before this one, or in this one already. */
class Pace {
  private readonly clock: Clock;
  private from: number;
  private packets = 0;
  private wasBusy = false;

  constructor(clock: Clock) {
    this.clock = clock;
    this.from = clock.mono();
  }

  isBusy(packets: number): boolean {
    const elapsed = this.clock.mono() - this.from;
    if (elapsed >= US_PER_SECOND) {
      this.wasBusy = elapsed < 2 * US_PER_SECOND && packets - this.packets > BUSY_PACKETS;
      this.from += elapsed;
      this.packets = packets;
    }
    return this.wasBusy || packets - this.packets > BUSY_PACKETS;
  }
}

const TOO_MANY_ANNOUNCEMENTS =
  "more gratuitous ARP and neighbour advertisements for virtual addresses than are told one by one";

/** The excluded ones too: no advert names them. */
const virtualAddresses = ({ instances }: Running): string[] =>
  instances.flatMap(({ vips, excludedVips }) => [...vips, ...excludedVips].map(({ address }) => address));

const TCPDUMP_ARGUMENTS: readonly string[] = [
  "-i any -n -U --immediate-mode --time-stamp-precision=nano",
  `-s ${SNAP_BYTES} -w -`,
].flatMap((options) => options.split(" "));

/** Why a wait is over: an error with a stack, which would be made otherwise, takes long. */
const OVER = "over";

/** What could not be kept: how many, and from when to when they are. */
interface Loss {
  readonly reason: string;
  readonly lost: number;
  readonly from: number;
  readonly to: number;
}

/**
 * What waits to be made durable. tcpdump is read on however long that takes, so that a slow disk does not look like
 * silence on the wire; what then is too much is dropped, oldest adverts first, edges last, and told as a gap.
 */
class Backlog {
  private readonly max: number;
  private readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  private readonly gap: (loss: Loss) => Observation;
  private adverts: Observation[] = [];
  private edges: Observation[] = [];
  private loss: Loss | undefined;
  private readonly closing = new AbortController();
  /** A batch is full, or an edge is in it. */
  private isFull = false;
  private whenFull: () => void = () => undefined;
  private wake: () => void = () => undefined;

  constructor(max: number, wait: Backlog["wait"], gap: (loss: Loss) => Observation) {
    this.max = max;
    this.wait = wait;
    this.gap = gap;
  }

  add(observations: readonly Observation[]): void {
    if (observations.length === 0) return;
    for (const seen of observations) {
      const plenty = seen.body.kind === "wire.advert" || seen.body.kind === "wire.malformed";
      (plenty ? this.adverts : this.edges).push(seen);
    }
    this.shorten(this.adverts);
    this.shorten(this.edges);
    if (this.edges.length > 0 || this.adverts.length >= BATCH_MAX) this.hurry();
    this.wake();
  }

  /** Nothing more will be added: hand over what is left. */
  close(): void {
    this.closing.abort();
    this.hurry();
    this.wake();
  }

  /** Hands over until it is closed and empty. */
  async run(context: SourceContext): Promise<void> {
    for (;;) {
      if (this.isEmpty()) {
        if (this.closing.signal.aborted) return;
        await new Promise<void>((resolve) => (this.wake = resolve));
        continue;
      }
      const over = new AbortController();
      if (!this.isFull && !this.closing.signal.aborted)
        await Promise.race([
          this.wait(BATCH_WAIT_MS, over.signal),
          new Promise<void>((resolve) => (this.whenFull = resolve)),
        ]);
      this.isFull = false;
      const handed = this.hand(context);
      // Only now: to raise a signal takes longer than to hand over.
      over.abort(OVER);
      await handed;
    }
  }

  private async hand(context: SourceContext): Promise<void> {
    if (this.loss) this.edges.push(this.gap(this.loss));
    this.loss = undefined;
    const edges = this.edges.splice(0, BATCH_MAX);
    const batch = [...edges, ...this.adverts.splice(0, BATCH_MAX - edges.length)];
    if (this.edges.length > 0 || this.adverts.length >= BATCH_MAX) this.hurry();
    try {
      await context.emit(batch);
    } catch (error) {
      context.log("error", `${batch.length} observations of the capture were lost: ${messageOf(error)}`);
      this.lose(batch, "the spool did not take them");
    }
  }

  private hurry(): void {
    this.isFull = true;
    this.whenFull();
  }

  private shorten(queue: Observation[]): void {
    if (queue.length > this.max)
      this.lose(queue.splice(0, queue.length - this.max), "the spool was slower than the adverts came");
  }

  private lose(gone: readonly Observation[], reason: string): void {
    const times = gone.filter(({ source }) => source === "wire").map(({ ts }) => ts);
    if (times.length === 0) return;
    this.loss = {
      reason: `observations were dropped: ${reason}`,
      lost: (this.loss?.lost ?? 0) + times.length,
      from: times.reduce((a, b) => Math.min(a, b), this.loss?.from ?? Number.POSITIVE_INFINITY),
      to: times.reduce((a, b) => Math.max(a, b), this.loss?.to ?? 0),
    };
  }

  private isEmpty(): boolean {
    return this.adverts.length === 0 && this.edges.length === 0 && this.loss === undefined;
  }
}

/** Reads the kernel's drop counter out of what tcpdump says, when asked with SIGUSR1 and at its end. */
class DropWatch {
  private readonly tell: (lost: number, from: number, to: number) => void;
  private text = "";
  private dropped = 0;
  /** When the last count was heard. */
  private since: number;

  constructor(since: number, tell: (lost: number, from: number, to: number) => void) {
    this.since = since;
    this.tell = tell;
  }

  /** `12 packets captured, 12 packets received by filter, 0 packets dropped by kernel`, on one line or on three. */
  hear(text: string, now: number): void {
    const lines = (this.text + text).split("\n");
    this.text = (lines.pop() ?? "").slice(-1_024);
    for (const line of lines) {
      const count = /(\d+) packets? dropped by kernel/.exec(line)?.[1];
      if (count === undefined) continue;
      if (Number(count) > this.dropped) this.tell(Number(count) - this.dropped, this.since, now);
      this.dropped = Number(count);
      this.since = now;
    }
  }
}

function explain({ spawnError, code, signal, said }: ChildEnd): string {
  if (spawnError?.code === "ENOENT") return "tcpdump is not installed (apt-get install tcpdump)";
  if (spawnError) return `tcpdump cannot be run: ${spawnError.message}`;
  if (/permission|not permitted/i.test(said))
    return "no privilege to capture: it needs CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW)";
  const last = said
    .split("\n")
    .filter((line) => /^tcpdump: (?!listening|data link|verbose|\d+ packet)/.test(line))
    .at(-1);
  return last ?? `tcpdump ended with ${signal ?? `status ${code}`}`;
}

/** Names of this host's interfaces by index. Read again for an index that is new, and now and then: they are renamed too. */
class InterfaceNames {
  private static readonly newAfterUs = 1_000_000;
  private static readonly oldAfterUs = 10_000_000;
  private readonly clock: Clock;
  private names = new Map<number, string>();
  private readAt = Number.NEGATIVE_INFINITY;
  private isOld = true;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Asked with every packet: without a look at the clock for one that is known. */
  nameOf(index: number): string | undefined {
    const known = this.names.get(index);
    if (known !== undefined && !this.isOld) return known;
    if (this.isOld || this.clock.mono() - this.readAt > InterfaceNames.newAfterUs) this.reread();
    return this.names.get(index);
  }

  /** To be called now and then. */
  grow(mono: number): void {
    if (mono - this.readAt > InterfaceNames.oldAfterUs) this.isOld = true;
  }

  private reread(): void {
    this.readAt = this.clock.mono();
    this.isOld = false;
    const names = new Map<number, string>();
    for (const name of listInterfaces()) {
      const index = Number(readText(`/sys/class/net/${name}/ifindex`));
      if (index > 0) names.set(index, name);
    }
    // Without /sys the index stands for the name.
    if (names.size > 0) this.names = names;
  }
}

function listInterfaces(): string[] {
  try {
    return readdirSync("/sys/class/net");
  } catch {
    return [];
  }
}

/** Empty when it is gone since it was listed, or is no interface (`bonding_masters`). */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
