import type { Running } from "../conf/model/types.ts";
import type { Release } from "../conf/version.ts";
import type { EpochUs, MonoUs } from "../core/time.ts";
import type { Daemon, EventBody, ProcessState, Source } from "../events/event.ts";
import type { HeardAdvert } from "../vrrp/senders.ts";
import { Again } from "./again.ts";
import { createShadow, isFact, type Shadow, step } from "./engine.ts";
import type { ShadowEffect, ShadowInput } from "./input.ts";
import type { Sight, Witness } from "./observed.ts";
import { Rejections } from "./rejections.ts";
import { type Ripe, Seeds } from "./seeds.ts";
import { AdvertIndex, subjectsOf } from "./subjects.ts";
import { createVerdicts, type Divergence, type Fact, type Verdicts } from "./verdict.ts";

/** When something was seen, on both clocks. */
export interface Moment {
  readonly mono: MonoUs;
  readonly epoch: EpochUs;
}

/** What keepalived would run, as far as the follower needs it. */
export interface Known {
  readonly running: Running;
  readonly release: Release;
  readonly version: string;
  /** When the newest of its files was changed, epoch microseconds; undefined where nobody can tell. */
  readonly changedUs: number | undefined;
  /** It leaves its addresses when it ends (`--dont-release-vrrp`). */
  readonly keepsVips: boolean;
}

/** Something to tell, and when it happened. */
export interface Said {
  readonly at: MonoUs;
  readonly body: EventBody;
}

/** The VRRP process that is followed. */
interface Living {
  readonly pid: number;
  readonly startedUs: number;
  /** The configuration it has read; undefined while that is not known. */
  readonly version: string | undefined;
}

/** A process that is to end for a fatal fault of its configuration, and is still there after this long, runs it after all. */
const ENDS_WITHIN_US = 2_000_000;
/** What happened while there was no daemon, for one that turns out to have begun before. */
const RECENT_US = 5_000_000;
const RECENT_MAX = 2_000;
/** A file that is changed while the daemon reads it: start times are known to a hundredth of a second. */
const SAME_TIME_US = 1_000_000;
/** How often what is seen is compared with what should be, microseconds: a fraction of the smallest tolerance. */
const JUDGE_US = 400_000;
/**
 * How long a virtual address that goes is held back, microseconds: the kernel tells of it at once, and of what made keepalived remove
 * it (an advert in a pipe, a line of the log, a process that ends) a little later.
 */
const REMOVAL_HELD_US = 300_000;
/** Near-misses of one instance are told this far apart at least, but one that was nearer. */
const NEAR_MISS_PAUSE_US = 5_000_000;

/**
 * Keeps the shadow engine beside a living keepalived: starts it with the daemon, seeds it where the daemon ran before, lets go
 * of it while something that it needs cannot be seen, and has the verdict compare. Pure: it is told what happened, and when.
 */
export class Follower {
  private readonly verdicts: Verdicts = createVerdicts();
  private readonly rejections = new Rejections();
  private readonly seeds = new Seeds();
  /** Nobody else has it: what repeats changes it in place. */
  private shadow: Shadow = createShadow();
  private readonly again = new Again();
  private known: Known | undefined;
  private applied: Running | undefined;
  private index = new AdvertIndex([]);
  private living: Living | undefined;
  /** Since when the living one should be ending. */
  private endingSince: MonoUs | undefined;
  private sight: Record<keyof Sight, boolean> = { wire: false, kernel: false, process: false };
  /** Instances of which the shadow says what they should do. */
  private readonly followed = new Set<string>();
  private readonly toldFollowing = new Map<string, string>();
  private recent: { readonly input: ShadowInput; readonly at: MonoUs }[] = [];
  private readonly nearMisses = new Map<string, { readonly at: MonoUs; readonly marginUsed: number }>();
  private vips: ReadonlySet<string> = new Set();
  /** Virtual addresses that are gone, oldest first, and since when. */
  private removals: { readonly input: ShadowInput & { readonly kind: "address" }; readonly at: MonoUs }[] = [];
  private said: Said[] = [];
  private judgedAt = Number.NEGATIVE_INFINITY;

  /** What has been concluded since the last call, in order. */
  take(): readonly Said[] {
    return this.said.length === 0 ? NOTHING_SAID : this.said.splice(0);
  }

  // --- configuration and processes ------------------------------------------------------------------------------------

  /** What is on the disk now. Whether the daemon has read it is another matter. */
  configure(known: Known, { mono }: Moment): void {
    this.known = known;
    if (!this.living) this.setSubjects(known.running);
    else if (this.living.version === undefined) this.join(this.living, mono);
  }

  /** A VRRP process that nobody saw begin. */
  foundRunning(pid: number, startedUs: number, { mono }: Moment): void {
    this.living = { pid, startedUs, version: undefined };
    this.join(this.living, mono);
  }

  /** It begins, with the configuration that is on the disk. @param moment  when the kernel started it */
  started(pid: number, startedUs: number, { mono }: Moment): void {
    const { known } = this;
    this.letGo("");
    this.seeds.clear();
    this.living = { pid, startedUs, version: known?.version };
    if (!known) return this.explain("the configuration is not known");
    this.setSubjects(known.running);
    if (known.running.fatal !== undefined) return this.expectEnd(known, "started", mono);
    const replayed = this.recent.filter(({ at }) => at >= mono);
    this.recent = [];
    const blind = this.blindness();
    if (blind === undefined) for (const { name } of known.running.instances) this.followed.add(name);
    else this.seeds.await(known.running, mono);
    this.step({ kind: "started", config: known.running, release: known.release }, mono);
    this.explain(blind);
    for (const { input, at } of replayed) this.step(input, at);
  }

  gone(pid: number, { mono }: Moment): void {
    if (this.living?.pid !== pid) return;
    this.living = undefined;
    this.endingSince = undefined;
    this.step({ kind: "gone" }, mono);
    this.seeds.clear();
    this.letGo("keepalived's VRRP process does not run");
  }

  frozen(isFrozen: boolean, { mono }: Moment): void {
    this.step({ kind: isFrozen ? "frozen" : "thawed" }, mono);
  }

  /** SIGHUP, by its log: with what is on the disk now. */
  reloaded({ mono }: Moment): void {
    const { known, living } = this;
    if (!known || !living) return;
    const wasKnown = living.version !== undefined;
    this.living = { ...living, version: known.version };
    if (!wasKnown) return this.join(this.living, mono);
    this.setSubjects(known.running);
    if (known.running.fatal !== undefined) return this.expectEnd(known, "reloaded", mono);
    if (this.endingSince !== undefined) return this.join(this.living, mono);
    this.step({ kind: "reloaded", config: known.running }, mono);
    for (const name of this.followed)
      if (!known.running.instances.some((instance) => instance.name === name)) this.followed.delete(name);
    for (const { name } of known.running.instances) if (!this.seeds.waits(name)) this.followed.add(name);
    this.explain(this.blindness());
  }

  /** A fault of the configuration ends the process: there is nothing to predict of it any more. */
  private expectEnd({ running, release }: Known, kind: "started" | "reloaded", now: MonoUs): void {
    this.endingSince = now;
    this.step({ kind, config: running, release }, now);
    this.seeds.clear();
    this.letGo(`keepalived ends with this configuration: ${running.fatal}`);
  }

  stopping({ mono }: Moment): void {
    this.tell({ kind: "stopping" }, mono);
    this.step({ kind: "stopping" }, mono);
  }

  /** Any of keepalived's processes, for the verdict. */
  process(daemon: Daemon, pid: number, state: ProcessState | "gone", by: Witness, { mono }: Moment): void {
    this.tell({ kind: "process", daemon, pid, state, by }, mono);
  }

  // --- what can be seen -------------------------------------------------------------------------------------------------

  /** @param missed  it sees, but has missed something: what the shadow believes may be wrong */
  sees(source: keyof Sight, sees: boolean, { mono }: Moment, missed = false): void {
    if (this.sight[source] === sees && !missed) return;
    this.sight[source] = sees;
    if (missed) this.tell({ kind: "sight", source, sees: false }, mono);
    this.tell({ kind: "sight", source, sees }, mono);
    if (!this.living) return;
    this.letGo(this.blindness() ?? "something was missed: it begins anew with what is seen");
    this.join(this.living, mono);
  }

  private blindness(): string | undefined {
    if (!this.sight.process) return "processes cannot be seen";
    if (!this.sight.wire) return "adverts are not captured";
    return this.sight.kernel ? undefined : "addresses are not watched";
  }

  // --- facts -------------------------------------------------------------------------------------------------------------

  /** Something the engine goes by: links, addresses, scripts, files, processes, BFD sessions. */
  input(input: ShadowInput, { mono }: Moment): void {
    if (input.kind === "address" && !input.present && this.vips.has(input.address)) {
      this.removals.push({ input, at: mono });
      return;
    }
    // What is held is older than a return of the address, and than a look at all of them.
    if (
      input.kind === "addresses" ||
      (input.kind === "address" && this.removals.some((held) => held.input.address === input.address))
    )
      this.release(Number.POSITIVE_INFINITY);
    this.step(input, mono);
  }

  /** Tells of the removals up to `until`. */
  private release(until: number): void {
    while (this.removals[0] && this.removals[0].at <= until) {
      const { input, at } = this.removals[0];
      this.removals.shift();
      this.step(input, at);
    }
  }

  advert(heard: HeardAdvert, { mono, epoch }: Moment): void {
    const { advert, interface: nic, outgoing } = heard;
    if (!this.living || !this.again.hear(this.shadow, heard, mono)) {
      const before = this.shadow;
      this.step({ kind: "advert", interface: nic, outgoing, advert }, mono);
      this.again.learn(before, this.shadow, heard);
    }
    if (advert.priority === 0) return;
    const by = new AdvertWitness(epoch, heard);
    for (const { name } of this.index.instancesOf(heard)) {
      const peer = outgoing ? undefined : advert.source;
      this.tell({ kind: "advert", instance: name, peer, priority: advert.priority, by }, mono);
      this.seeds.advert(name, outgoing, advert.priority, mono);
    }
  }

  vip(address: string, present: boolean, by: Witness, { mono }: Moment): void {
    this.tell({ kind: "vip", address, present, by }, mono);
    this.seeds.vip(address, present);
  }

  logged(fact: Extract<Fact, { kind: "logged" | "timeout" | "rejection" }>, { mono }: Moment): void {
    this.tell(fact, mono);
    if (fact.kind === "logged") this.seeds.logged(fact.instance, fact.state);
  }

  service(fact: Extract<Fact, { kind: "service" | "services" | "forget-services" }>, { mono }: Moment): void {
    this.tell(fact, mono);
  }

  /** Time has come to `moment`: deadlines, seeds, and what has lasted too long. */
  tick({ mono, epoch }: Moment): void {
    this.release(mono - REMOVAL_HELD_US);
    this.step({ kind: "tick" }, mono);
    this.seedRipe(mono, epoch);
    if (this.living && this.endingSince !== undefined && mono - this.endingSince > ENDS_WITHIN_US)
      this.join(this.living, mono);
    for (const body of this.rejections.tick(mono)) this.said.push({ at: mono, body });
    if (mono - this.judgedAt < JUDGE_US) return;
    this.judgedAt = mono;
    for (const divergence of this.verdicts.judge(mono)) this.said.push(saidOf(divergence));
  }

  // --- seeding -------------------------------------------------------------------------------------------------------------

  /** The daemon ran before: its instances are waited for until it shows what they are. */
  private join(living: Living, now: MonoUs): void {
    const { known } = this;
    if (!known) return this.explain("the configuration is not known");
    if (living.version === undefined) {
      const { changedUs } = known;
      this.setSubjects(known.running);
      if (changedUs === undefined || changedUs > living.startedUs + SAME_TIME_US)
        return this.explain("the configuration was changed after keepalived was started: what it runs is not known");
      this.living = { ...living, version: known.version };
    }
    const running = this.applied ?? known.running;
    this.endingSince = undefined;
    // It runs: what was thought to be fatal is not.
    this.step({ kind: "started", config: { ...running, fatal: undefined }, release: known.release }, now);
    this.seeds.await(running, now);
    this.explain(this.blindness() ?? "keepalived ran before: it begins with what is seen");
  }

  private seedRipe(mono: MonoUs, epoch: EpochUs): void {
    if (this.blindness() !== undefined) return;
    for (const group of this.seeds.ripe(mono)) {
      for (const { instance, state, priority } of group)
        this.step({ kind: "seed", instance, state, ...(priority === undefined ? {} : { priority }) }, mono);
      for (const seed of group) this.follow(seed, mono, epoch);
    }
  }

  private follow({ instance, state, why }: Ripe, mono: MonoUs, epoch: EpochUs): void {
    this.followed.add(instance);
    this.sayFollowing(instance, true, undefined, mono);
    this.said.push({ at: mono, body: { kind: "shadow.state", instance, state, cause: "seed" } });
    const by: Witness = { source: "shadow", ts: epoch, text: `as it was found: ${why}` };
    this.tell({ kind: "expected", instance, state, by }, mono);
  }

  // --- the engine ----------------------------------------------------------------------------------------------------------

  private step(input: ShadowInput, at: MonoUs): void {
    if (!this.living && input.kind !== "started" && input.kind !== "gone") {
      // Facts outlive the daemon; the rest may turn out to belong to one that has begun already.
      if (input.kind !== "tick") this.remember(input, at);
      if (!isFact(input)) return;
    }
    const [shadow, effects] = step(this.shadow, input, at);
    this.shadow = shadow;
    for (const effect of effects) this.effect(effect);
  }

  private remember(input: ShadowInput, at: MonoUs): void {
    this.recent.push({ input, at });
    if (this.recent.length > RECENT_MAX || (this.recent[0]?.at ?? at) < at - 2 * RECENT_US)
      this.recent = this.recent.filter((one) => one.at >= at - RECENT_US).slice(-RECENT_MAX / 2);
  }

  private effect(effect: ShadowEffect): void {
    const { instance, at } = effect;
    if (!this.followed.has(instance)) return;
    switch (effect.kind) {
      case "state":
        return this.state(effect);
      case "priority":
        this.said.push({ at, body: { kind: "shadow.priority", instance, from: effect.from, to: effect.to } });
        return;
      case "rejected":
        for (const body of this.rejections.add(effect)) this.said.push({ at, body });
        return;
      case "near-miss": {
        const { peer, missed, marginUsed } = effect;
        const told = this.nearMisses.get(instance);
        if (told && at - told.at < NEAR_MISS_PAUSE_US && marginUsed <= told.marginUsed) return;
        this.nearMisses.set(instance, { at, marginUsed });
        this.said.push({
          at,
          body: { kind: "shadow.near-miss", instance, peer, missed, marginUsed: Math.min(1, Math.max(0, marginUsed)) },
        });
      }
    }
  }

  private state({ instance, from, to, cause, at }: Extract<ShadowEffect, { kind: "state" }>): void {
    this.said.push({ at, body: { kind: "shadow.state", instance, state: to, previousState: from, cause } });
    const ended = cause === "stop" || cause === "died" || (cause === "reload" && to === "INIT");
    const by: Witness = { source: "shadow", ts: this.epochOf(at), text: `${to} expected: ${cause}` };
    this.tell({ kind: "expected", instance, state: ended ? undefined : to, by }, at);
  }

  // --- what is told ----------------------------------------------------------------------------------------------------------

  private setSubjects(running: Running): void {
    this.applied = running;
    this.index = new AdvertIndex(running.instances);
    this.vips = new Set(
      running.instances.flatMap(({ vips, excludedVips }) => [...vips, ...excludedVips].map(({ address }) => address)),
    );
    this.seeds.setVips(running);
    this.tell(
      { kind: "subjects", subjects: subjectsOf(running), keepsVips: this.known?.keepsVips ?? false },
      0 as MonoUs,
    );
  }

  /** Nothing is expected of any instance any more. */
  private letGo(reason: string): void {
    const by: Witness = { source: "shadow", ts: 0 as EpochUs, text: reason };
    for (const instance of this.followed)
      this.tell({ kind: "expected", instance, state: undefined, by }, this.shadow.now);
    this.followed.clear();
    this.rejections.clear();
    if (reason !== "") this.explain(reason);
  }

  /** Says of each instance whether it is followed, and why not; what was said already is not said again. */
  private explain(reason: string | undefined): void {
    for (const { name } of this.applied?.instances ?? [])
      this.sayFollowing(name, this.followed.has(name), reason, this.shadow.now);
  }

  private sayFollowing(instance: string, following: boolean, reason: string | undefined, at: MonoUs): void {
    const why = following ? "" : (reason ?? "");
    const told = `${following} ${why}`;
    if (this.toldFollowing.get(instance) === told) return;
    this.toldFollowing.set(instance, told);
    this.said.push({
      at,
      body: { kind: "shadow.following", instance, following, ...(why === "" ? {} : { reason: why }) },
    });
  }

  private tell(fact: Fact, now: MonoUs): void {
    this.verdicts.tell(fact, now);
  }

  /** Set by the feeder with each moment: effects carry one clock, people read the other. */
  private offset = 0;
  setOffset({ mono, epoch }: Moment): void {
    this.offset = epoch - mono;
  }
  private epochOf(at: MonoUs): EpochUs {
    return Math.round(at + this.offset) as EpochUs;
  }
}

const NOTHING_SAID: readonly Said[] = [];

/** An advert that was seen, in words once somebody asks: hardly ever. */
class AdvertWitness implements Witness {
  readonly source = "wire";
  readonly ts: EpochUs;
  private readonly heard: HeardAdvert;

  constructor(ts: EpochUs, heard: HeardAdvert) {
    this.ts = ts;
    this.heard = heard;
  }

  get text(): string {
    const { advert, interface: nic, outgoing } = this.heard;
    const from = outgoing ? "sends" : `hears from ${advert.source}`;
    return `${from} an advert of VRID ${advert.vrid} with priority ${advert.priority} on ${nic}`;
  }
}

/** Most evidence of one divergence: the contract's bound. */
const EVIDENCE_MAX = 16;

function saidOf({ phase, difference, at }: Divergence): Said {
  const { code, instance, daemon, virtualServer, realServer, reason, expected, observed, message } = difference;
  return {
    at,
    body: {
      kind: "shadow.divergence",
      code,
      phase,
      ...(instance === undefined ? {} : { instance }),
      ...(daemon === undefined ? {} : { daemon }),
      ...(virtualServer === undefined ? {} : { virtualServer }),
      ...(realServer === undefined ? {} : { realServer }),
      ...(reason === undefined ? {} : { reason }),
      expected: expected.slice(0, 255),
      observed: observed.slice(0, 255),
      message: (phase === "begin" ? message : `no longer: ${message}`).slice(0, 1024),
      toleranceUs: Math.round(difference.toleranceUs),
      evidence: difference.evidence.slice(-EVIDENCE_MAX).map(({ source, ts, text, at: place }) => ({
        source: source as Source,
        ts,
        text: text.slice(0, 512),
        ...(place === undefined ? {} : { at: place.slice(0, 4352) }),
      })),
    },
  };
}
