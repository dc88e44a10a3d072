import { CONF_PATH, Collector, type HostView, type ProcessView, type Trip } from "./collector.ts";
import type { Running } from "../../collector/conf/model/types.ts";
import type { Release } from "../../collector/conf/version.ts";
import { type MonoUs, US_PER_SECOND } from "../../collector/core/time.ts";
import type { Event } from "../../collector/events/event.ts";
import { createShadow, nextDeadline, type Shadow, step } from "../../collector/shadow/engine.ts";
import type { ShadowEffect, ShadowInput } from "../../collector/shadow/input.ts";
import type { Router } from "../../collector/shadow/router.ts";
import type { Agenda } from "./agenda.ts";
import { NodeClock } from "./clock.ts";
import { confText, runningOf } from "./conf.ts";
import { advertFrame, type AdvertFrame } from "./frames.ts";
import { type InstanceChange, instanceName, type NodeSpec, type RouterSpec } from "./model.ts";

const RELEASE: Release = [2, 2, 7];
const BANNER = "v2.2.7 (01/16,2022)";
/** The second burst of gratuitous ARP. */
const GARP_DELAY_US = 5 * US_PER_SECOND;
/** A stopping daemon waits so long after its last adverts. */
const STOPPING_US = US_PER_SECOND;
/** A thread timer that is later than this is told. */
const STALL_US = US_PER_SECOND;

type AdvertInput = Extract<ShadowInput, { readonly kind: "advert" }>;
type StateEffect = Extract<ShadowEffect, { readonly kind: "state" }>;

/** What travels between hosts. */
export interface Packet {
  readonly interface: string;
  readonly frame: AdvertFrame;
}

/** What a node is to a router. */
export interface Act {
  /** Its daemon lives, if only frozen, and is master. */
  readonly master: boolean;
  /** It has one of the addresses. */
  readonly holds: boolean;
  /** Its daemon lives, if only frozen, and the instance is in FAULT. */
  readonly fault: boolean;
  /** It could be master, now or when nobody else is. */
  readonly able: boolean;
}

const NOTHING: Act = { master: false, holds: false, fault: false, able: false };

export interface HostOptions {
  readonly spec: NodeSpec;
  readonly routers: readonly RouterSpec[];
  readonly agenda: Agenda;
  /** True time when the simulation begins, epoch microseconds. */
  readonly zero: number;
  readonly send: (packet: Packet) => void;
  readonly ship: (events: readonly Event[]) => Trip | undefined;
  /** Something changed of what the node is to a router. */
  readonly acts: (vrid: number, act: Act) => void;
}

/**
 * A machine with keepalived 2.2.7: the shadow engine decides, and this does what the daemon does about it: it sends adverts,
 * sets addresses and writes lines.
 */
export class Host implements HostView {
  readonly name: string;
  readonly collector: Collector;
  readonly clock: NodeClock;
  private readonly spec: NodeSpec;
  private readonly agenda: Agenda;
  private readonly send: HostOptions["send"];
  private readonly acts: HostOptions["acts"];
  private readonly interfaces: readonly string[];
  private routers: readonly RouterSpec[];
  private readonly frames = new Map<string, AdvertFrame>();
  private shadow: Shadow = createShadow();
  private config: Running | undefined;
  /** Virtual addresses that the kernel has, with their interface. */
  private readonly held = new Map<string, string>();
  private readonly down = new Set<string>();
  private readonly told = new Map<number, Act>();
  private powered = true;
  private filtered = false;
  private frozenAt: number | undefined;
  private pids = 0;
  private parent: ProcessView | undefined;
  private vrrp: ProcessView | undefined;
  private wakes = 0;

  constructor({ spec, routers, agenda, zero, send, ship, acts }: HostOptions) {
    this.spec = spec;
    this.name = spec.name;
    this.agenda = agenda;
    this.send = send;
    this.acts = acts;
    this.routers = routers.filter(({ priorities }) => priorities.has(spec.name));
    this.interfaces = [...new Set(routers.map((router) => router.interface))].sort();
    this.clock = new NodeClock(zero, spec.clockOffsetUs, spec.clockDriftPpm);
    this.collector = new Collector({ spec, agenda, clock: this.clock, host: this, interfaces: this.interfaces, ship });
    this.collector.start();
  }

  // --- what can be seen of it ----------------------------------------------------------------------------------------------

  addresses(): readonly { readonly interface: string; readonly address: string }[] {
    const own = this.interfaces.map((nic) => ({ interface: nic, address: this.spec.address }));
    return [...own, ...[...this.held].map(([address, nic]) => ({ interface: nic, address }))];
  }

  processes(): readonly ProcessView[] {
    const state = this.frozenAt === undefined ? "running" : "frozen";
    return [this.parent, this.vrrp].flatMap((process) => (process ? [{ ...process, state }] : []));
  }

  configText(): string {
    return confText(this.spec, this.routers);
  }

  // --- what is done to it --------------------------------------------------------------------------------------------------

  start(): void {
    if (!this.powered || this.parent) return;
    this.parent = this.process("parent", 1);
    this.say("parent", `Starting Keepalived ${BANNER}`);
    this.say("parent", `Configuration file ${CONF_PATH}`);
    this.startVrrp();
    this.say("parent", "Startup complete");
  }

  /** SIGTERM. */
  stop(): void {
    if (!this.parent || this.frozenAt !== undefined) return;
    const { parent, vrrp } = this;
    this.say("parent", "Stopping");
    this.take({ kind: "stopping" });
    this.agenda.add(this.agenda.now + STOPPING_US, () => {
      if (this.parent !== parent) return;
      if (vrrp) this.say("vrrp", "Stopped - used 0.007168 user time, 0.000000 system time");
      this.say("parent", `Stopped Keepalived ${BANNER}`);
      this.parent = undefined;
      this.vrrp = undefined;
    });
  }

  /** SIGKILL to all of it, as of a container's end: nobody takes the addresses away. */
  kill(): void {
    this.frozenAt = undefined;
    this.parent = undefined;
    this.vrrp = undefined;
    this.take({ kind: "gone" });
  }

  /** The VRRP process dies, and its parent starts another one. */
  crash(): void {
    if (!this.vrrp || this.frozenAt !== undefined) return;
    const { pid } = this.vrrp;
    this.vrrp = undefined;
    this.take({ kind: "gone" });
    this.say("parent", `pid ${pid} exited due to signal 9 (Killed)`);
    this.say("parent", `VRRP child process(${pid}) died: Respawning`);
    this.startVrrp();
  }

  freeze(): void {
    if (!this.parent || this.frozenAt !== undefined) return;
    this.frozenAt = this.agenda.now;
    this.take({ kind: "frozen" });
  }

  thaw(): void {
    if (this.frozenAt === undefined) return;
    const frozenUs = this.agenda.now - this.frozenAt;
    this.frozenAt = undefined;
    const { daemon } = this.shadow;
    const due = daemon?.routers.map((router) => this.advertDue(router) ?? router.expiresAt ?? Infinity) ?? [];
    const lateUs = Math.min(frozenUs, this.agenda.now - Math.min(...due));
    if (lateUs > STALL_US) this.say("vrrp", `A thread timer expired ${(lateUs / 1e6).toFixed(6)} seconds ago`);
    this.take({ kind: "thawed" });
  }

  reload(vrid: number | undefined, change: InstanceChange): void {
    this.routers = this.routers.map((router) => (router.vrid === vrid ? this.changed(router, change) : router));
    this.collector.configChanged();
    if (!this.parent || this.frozenAt !== undefined) return;
    this.say("parent", "Reloading ...");
    this.say("vrrp", "Reloading ...");
    const before = this.config;
    this.config = runningOf(this.configText());
    const kept = new Set(this.config.instances.flatMap(({ vips }) => vips.map(({ address }) => address)));
    for (const { vips } of before?.instances ?? [])
      for (const { address } of vips) if (!kept.has(address)) this.release(address);
    this.take({ kind: "reloaded", config: this.config });
    for (const router of this.masters()) this.hold(router);
    this.say("parent", "Reload complete");
  }

  setLink(nic: string, up: boolean): void {
    if (up) this.down.delete(nic);
    else this.down.add(nic);
    this.collector.linkChanged(nic, up);
    if (this.frozenAt === undefined) this.say("vrrp", `Netlink reports ${nic} ${up ? "up" : "down"}`);
    this.take({ kind: "link", interface: nic, up });
  }

  /** A firewall that drops adverts after the capture has seen them. */
  setFilter(filtered: boolean): void {
    this.filtered = filtered;
  }

  powerOff(): void {
    this.powered = false;
    this.frozenAt = undefined;
    this.parent = undefined;
    this.vrrp = undefined;
    this.collector.die();
    this.collector.setPowered(false);
    this.held.clear();
    this.take({ kind: "gone" });
    this.shadow = createShadow();
  }

  /** With its collector; keepalived is started for itself. */
  boot(): void {
    if (this.powered) return;
    this.powered = true;
    this.pids += 100;
    this.collector.setPowered(true);
    this.collector.start();
  }

  receive({ interface: nic, frame }: Packet): void {
    if (!this.powered || this.down.has(nic)) return;
    this.collector.captured(frame, false);
    if (!this.filtered) this.take({ kind: "advert", interface: nic, outgoing: false, advert: frame.decoded });
  }

  // --- the daemon ----------------------------------------------------------------------------------------------------------

  private startVrrp(): void {
    this.vrrp = this.process("vrrp", this.parent?.pid ?? 1);
    this.say("parent", `Starting VRRP child process, pid=${this.vrrp.pid}`);
    this.config = runningOf(this.configText());
    // What another process left behind.
    for (const { name, vips } of this.config.instances) {
      this.say("vrrp", `(${name}) removing VIPs.`);
      for (const { address } of vips) this.release(address);
    }
    for (const nic of this.interfaces) this.take({ kind: "addresses", interface: nic, addresses: [this.spec.address] });
    this.take({ kind: "started", config: this.config, release: RELEASE });
  }

  private take(input: ShadowInput): void {
    const before = this.shadow;
    const [after, effects] = step(before, input, this.agenda.now as MonoUs);
    this.shadow = after;
    const heard = input.kind === "advert" && !input.outgoing ? [input] : waitingAdverts(before, input);
    for (const effect of effects) if (effect.kind === "state") this.enter(effect, heard);
    for (const advert of heard) this.answer(advert, before);
    this.tellTruth();
    this.schedule();
  }

  /** What the daemon does and says about a change of state. */
  private enter({ instance, from, to, cause, logged }: StateEffect, heard: readonly AdvertInput[]): void {
    const router = this.shadow.daemon?.routers.find(({ conf }) => conf.name === instance);
    const lines = (text: string): void => {
      if (logged) this.say("vrrp", `(${instance}) ${text}`);
    };
    if (to === "MASTER" && router) {
      if (cause === "master-down" || cause === "priority-zero") lines("Receive advertisement timeout");
      this.advertise(router, router.effective);
      lines("Entering MASTER STATE");
      lines("setting VIPs.");
      this.hold(router);
      this.announce(router);
      const entered = this.vrrp;
      this.agenda.add(this.agenda.now + GARP_DELAY_US, () => {
        const still = this.shadow.daemon?.routers.find(({ conf }) => conf.name === instance);
        if (this.vrrp === entered && still?.state === "MASTER" && this.frozenAt === undefined) this.announce(still);
      });
      return;
    }
    if (to === "BACKUP" && from === "INIT") lines("Entering BACKUP STATE (init)");
    else if (to === "FAULT" && from === "INIT") lines("Entering FAULT STATE (init)");
    else if (to === "BACKUP" && from === "MASTER" && router) {
      const better = heard.find(
        ({ advert }) => advert.vrid === router.conf.vrid && advert.priority >= router.effective,
      );
      if (better) lines(outrankedLine(better, router));
      lines("Entering BACKUP STATE");
    } else if (to !== "INIT") lines(`Entering ${to} STATE`);
    if (from === "MASTER" && cause !== "died") this.leave(instance, cause);
  }

  /** A master that goes: it announces its end, unless somebody better is there, and takes the addresses off. */
  private leave(instance: string, cause: StateEffect["cause"]): void {
    const conf = this.config?.instances.find(({ name }) => name === instance);
    if (!conf) return;
    if (cause !== "outranked" && cause !== "sync-group") {
      this.sendAdvert(conf.vrid ?? 0, 0);
      this.say("vrrp", `(${instance}) sent 0 priority`);
    }
    this.say("vrrp", `(${instance}) removing VIPs.`);
    for (const { address } of conf.vips) this.release(address);
  }

  /** What an instance that stays what it was makes of an advert. */
  private answer({ advert }: AdvertInput, before: Shadow): void {
    const now = this.shadow.daemon?.routers.find(({ conf }) => conf.vrid === advert.vrid);
    const was = before.daemon?.routers.find(({ conf }) => conf.vrid === advert.vrid);
    if (
      this.frozenAt !== undefined ||
      !now ||
      !was ||
      now.state !== was.state ||
      !now.peers.some(({ address }) => address === advert.source)
    )
      return;
    const say = (text: string): void => this.say("vrrp", `(${now.conf.name}) ${text}`);
    const { source, priority } = advert;
    if (now.state === "MASTER") {
      if (priority === 0) say("Master received priority 0 message");
      else if (priority < now.effective)
        say(
          `Received advert from ${source} with lower priority ${priority}, ours ${now.effective}, forcing new election`,
        );
      this.advertise(now, now.effective);
      if (priority > 0 && priority < now.effective) this.announce(now);
    } else if (now.state === "BACKUP") {
      if (priority === 0) say("Backup received priority 0 advertisement");
      else if (priority < now.effective && !now.conf.nopreempt)
        say(`received lower priority (${priority}) advert from ${source} - discarding`);
    }
  }

  private advertise({ conf }: Router, priority: number): void {
    this.sendAdvert(conf.vrid ?? 0, priority);
  }

  private sendAdvert(vrid: number, priority: number): void {
    const conf = this.config?.instances.find((instance) => instance.vrid === vrid);
    const nic = conf?.interface;
    if (!conf || nic === undefined || this.down.has(nic)) return;
    const key = `${vrid} ${priority} ${conf.advertIntervalUs} ${conf.vips.length}`;
    let frame = this.frames.get(key);
    if (!frame) {
      frame = advertFrame({
        version: conf.version,
        vrid,
        priority,
        intervalUs: conf.advertIntervalUs,
        vips: conf.vips.map(({ address }) => address),
        source: this.spec.address,
        interfaceIndex: this.interfaces.indexOf(nic) + 1,
      });
      this.frames.set(key, frame);
    }
    this.collector.captured(frame, true);
    this.send({ interface: nic, frame });
    this.take({ kind: "advert", interface: nic, outgoing: true, advert: frame.decoded });
  }

  private masters(): readonly Router[] {
    return this.shadow.daemon?.routers.filter(({ state }) => state === "MASTER") ?? [];
  }

  /** When a master sends its next advert. */
  private advertDue({ state, armedAt, conf }: Router): number | undefined {
    return state === "MASTER" ? armedAt + conf.advertIntervalUs : undefined;
  }

  private schedule(): void {
    const { daemon } = this.shadow;
    this.wakes += 1;
    if (!daemon || daemon.frozen) return;
    let next: number = nextDeadline(this.shadow) ?? Infinity;
    for (const router of daemon.routers) next = Math.min(next, this.advertDue(router) ?? Infinity);
    if (next === Infinity) return;
    const { wakes } = this;
    this.agenda.add(next, (now) => {
      if (this.wakes !== wakes) return;
      this.take({ kind: "tick" });
      for (const router of this.masters())
        if ((this.advertDue(router) ?? Infinity) <= now) this.advertise(router, router.effective);
    });
  }

  // --- addresses, lines, processes -----------------------------------------------------------------------------------------

  private hold({ conf }: Router): void {
    for (const { address } of conf.vips) {
      if (this.held.has(address)) continue;
      const nic = conf.interface ?? "eth0";
      this.held.set(address, nic);
      this.collector.addressChanged(nic, address, true);
    }
  }

  private release(address: string): void {
    const nic = this.held.get(address);
    if (nic === undefined) return;
    this.held.delete(address);
    this.collector.addressChanged(nic, address, false);
  }

  private announce({ conf }: Router): void {
    for (const { address } of conf.vips)
      this.say("vrrp", `(${conf.name}) Sending/queueing gratuitous ARPs on ${conf.interface} for ${address}`);
  }

  private say(daemon: "parent" | "vrrp", message: string): void {
    const process = daemon === "parent" ? this.parent : this.vrrp;
    if (process) this.collector.logged(daemon === "parent" ? "Keepalived" : "Keepalived_vrrp", process.pid, message);
  }

  private process(daemon: "parent" | "vrrp", parentPid: number): ProcessView {
    this.pids += 1;
    return { pid: 800 + this.pids, parentPid, daemon, state: "running", startedTs: this.clock.epoch(this.agenda.now) };
  }

  private changed(router: RouterSpec, { priority, intervalUs, vips }: InstanceChange): RouterSpec {
    return {
      ...router,
      intervalUs: intervalUs ?? router.intervalUs,
      vips: vips ?? router.vips,
      priorities: priority === undefined ? router.priorities : new Map(router.priorities).set(this.spec.name, priority),
    };
  }

  private tellTruth(): void {
    for (const { vrid, vips } of this.routers) {
      const router = this.shadow.daemon?.routers.find(({ conf }) => conf.name === instanceName(vrid));
      const act: Act = {
        master: router?.state === "MASTER",
        holds: vips.some((vip) => this.held.has(vip)),
        fault: router?.state === "FAULT",
        able: (router?.state === "MASTER" || router?.state === "BACKUP") && this.frozenAt === undefined,
      };
      const before = this.told.get(vrid) ?? NOTHING;
      if (
        act.master === before.master &&
        act.holds === before.holds &&
        act.fault === before.fault &&
        act.able === before.able
      )
        continue;
      this.told.set(vrid, act);
      this.acts(vrid, act);
    }
  }
}

/** What a process that wakes finds waiting. */
function waitingAdverts({ daemon }: Shadow, input: ShadowInput): readonly AdvertInput[] {
  if (input.kind !== "thawed") return [];
  return (daemon?.frozen ?? []).flatMap(({ input: waiting }) =>
    waiting.kind === "advert" && !waiting.outgoing ? [waiting] : [],
  );
}

function outrankedLine({ advert: { source, priority } }: AdvertInput, { effective }: Router): string {
  return priority > effective
    ? `Master received advert from ${source} with higher priority ${priority}, ours ${effective}`
    : `Master received advert from ${source} with same priority ${priority} but higher IP address than ours`;
}
